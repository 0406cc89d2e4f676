#!/bin/bash
# A client that is gone without a word (a dead battery, another network) does not stay with a server for ever, nor
# with a relay on the way: TCP asks it after a minute whether it is still there.
METHOD=2022-blake3-aes-256-gcm
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

FIRST=$KEY HOME_KEY=$(make_key "$METHOD")
printf '{"server":"%s","server_port":%d,"method":"%s","password":"%s","destinations":[{"name":"home","password":"%s","server":"%s","server_port":8402}]}\n' \
	"$SERVER4" "$SERVER_PORT" "$METHOD" "$FIRST" "$HOME_KEY" "$SERVER4" >"$LAB_LOGS/relay.json"
chmod 600 "$LAB_LOGS/relay.json"

# asked PORT: connections there, by the timer that each has: "keepalive", while they are silent
asked()
{
	inside server ss -Htno state established "( sport = :$1 )" | awk '{ t = "none"; if (match($0, /timer:\(([a-z]+)/)) t = substr($0, RSTART + 7, RLENGTH - 7); print t }' | sort | uniq -c | awk '{ print $1, $2 }'
}
asked_all() { [ "$(asked "$1")" = "1 keepalive" ]; }

# silent: an application that has said something and waits
silent()
{
	rm -f "$LAB_LOGS/silent"
	EXEC=exec through bash -c "exec 3<>/dev/tcp/$WORLD4/7001; echo word >&3; read -r line <&3; echo \$line >$LAB_LOGS/silent; exec sleep 60" &
	SILENT_PID=$!
	disown
	lab_wait "the application" test -s "$LAB_LOGS/silent"
}

# is_asked TEXT PORT...: once nothing of what was said is on its way any more
is_asked()
{
	local text=$1 port tries
	shift
	for port; do
		tries=0
		until asked_all "$port" || [ $tries -ge 250 ]; do tries=$((tries + 1)); sleep 0.02; done
		equal "$text" "1 keepalive" "$(asked "$port")"
	done
}

silent
is_asked "a silent client of a server is asked whether it lives" "$SERVER_PORT"
lab_kill "$SILENT_PID"

lab_end "$SERVER_PID"
lab_start home server "$GATUN" server -v -s "$SERVER4:8402" -m "$METHOD" -k "$HOME_KEY"
HOME_PID=$LAB_PID
lab_wait "the server behind" lab_listens server 8402
lab_start relay server "$GATUN" server -v -c "$LAB_LOGS/relay.json"
SERVER_PID=$LAB_PID
lab_wait "the relay" lab_listens server "$SERVER_PORT"
KEY="$FIRST:$HOME_KEY"
silent
is_asked "and one of a relay, and the relay by who is behind it" "$SERVER_PORT" 8402
lab_kill "$SILENT_PID"
lab_end "$HOME_PID"
finish
