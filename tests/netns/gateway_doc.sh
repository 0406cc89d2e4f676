#!/bin/bash
# The set-ups of docs/gateway.md, each run as it is printed there: example.org is the lab's web, and
# config.json the lab's server.
. "$(dirname "$0")/up_lib.sh"
begin_up "$0" "$@"
lab_need curl
DOC=$TESTS_DIR/../../docs/gateway.md

printf '{ "server": "%s", "server_port": %d, "method": "%s", "password": "%s" }\n' "$SERVER4" "$SERVER_PORT" "$METHOD" "$KEY" >"$LAB_LOGS/config.json"
mkdir "$LAB_LOGS/bin" && ln -s "$GATUN" "$LAB_LOGS/bin/gatun"
lab_start_web

# setup NAME: the lines under "run: NAME" in the page, in client
setup()
{
	sed -n "/^<!-- run: $1 -->/,/^\$/ s/^    //p" "$DOC" | sed 's/example\.org/web.lab/g' >"$LAB_LOGS/$1.sh"
	check "$1: the page has its commands" test -s "$LAB_LOGS/$1.sh"
	(cd "$LAB_LOGS" && PATH=$LAB_LOGS/bin:$PATH inside client sh -e "$LAB_LOGS/$1.sh") >"$LAB_LOGS/$1.log" 2>&1
	equal "$1: every command succeeds" 0 $?
}

snapshot "$LAB_LOGS/before"

setup laptop
matches "laptop: the page of the web came through the tunnel" "the web of the lab" "$LAB_LOGS/laptop.log"
matches "laptop: status says what is up" "up" "$LAB_LOGS/laptop.log"
snapshot "$LAB_LOGS/after"
same_snapshot "laptop: after down the machine is as it was" "$LAB_LOGS/before" "$LAB_LOGS/after"

setup router
for family in 4 6; do
	equal "router: a client of the LAN fetches a page by its name, IPv$family" "the web of the lab" "$(inside lan curl -s -$family --max-time 10 http://web.lab/)"
done
no_strays "router: nothing of the LAN's left past the tunnel"
gate_down
snapshot "$LAB_LOGS/after"
same_snapshot "router: after down the machine is as it was" "$LAB_LOGS/before" "$LAB_LOGS/after"

setup sandbox
matches "sandbox: the page came through the tunnel" "the web of the lab" "$LAB_LOGS/sandbox.log"
finish_up
