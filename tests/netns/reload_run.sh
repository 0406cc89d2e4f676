#!/bin/bash
# gatun reload: a command's tunnel gets another server while it runs, without a break of what flows.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

UPLINK_CHECKED=no # a second server has another port
CONFIG=$LAB_LOGS/run.json
CONTROL=$LAB_LOGS/run.sock
lab_start second server "$GATUN" server -v -s "$SERVER4:8389" -m aes-256-gcm -k second
SECOND_PID=$LAB_PID
lab_wait "the second server" lab_listens server 8389

# config PORT METHOD PASSWORD
config()
{
	printf '{ "server": "%s", "server_port": %s, "method": "%s", "password": "%s", "dns_mode": "off" }\n' "$SERVER4" "$1" "$2" "$3" >"$CONFIG.new"
	chmod 600 "$CONFIG.new"
	mv "$CONFIG.new" "$CONFIG"
}

# here COMMAND...: by the sandbox that runs
here() { in_sandbox "$@"; }
reload() { exec_in client "$GATUN" reload --control "$CONTROL" >"$LAB_LOGS/reload.out" 2>&1; }

config "$SERVER_PORT" "$METHOD" "$KEY"
mkfifo "$LAB_LOGS/go"
EXEC=exec exec_in client "$GATUN" run -v -c "$CONFIG" --control "$CONTROL" -- sh -c 'echo open; read word' <"$LAB_LOGS/go" >"$LAB_LOGS/open" 2>"$LAB_LOGS/run.log" &
SANDBOX_PID=$!
exec 8>"$LAB_LOGS/go"
lab_wait "the sandbox" grep -q open "$LAB_LOGS/open"
equal "at first: a connection" ok "$(here $PROBE short-once "$WORLD4")"
here $PROBE source "$WORLD4" 50000000 5 >"$LAB_LOGS/source.out" &
source=$!
lab_wait "a download" eval '[ "$(inside world ss -H -tn state established "( sport = :7006 )" | wc -l)" = 1 ]'
config 8389 aes-256-gcm second
check "gatun reload says that it worked" reload
check "and nothing else that would need a start" eval '! grep "next start" "$LAB_LOGS/run.log"'
equal "new flows go to the new server: TCP" ok "$(here $PROBE short-once "$WORLD4")"
equal "UDP" "ok:3" "$(here $PROBE udp-sizes "$WORLD4" 1 500 1200)"
wait "$source"
equal "the download by the old one comes whole" "got:50000000,intact then:EOF" "$(cat "$LAB_LOGS/source.out")"
lab_end "$SERVER_PID"
equal "which is not needed any more" ok "$(here $PROBE short-once "$WORLD4")"
echo '{ "server": 5 }' >"$CONFIG"
check "a broken file: gatun reload says no" eval '! reload'
matches "and what is wrong, with its place" "run.json:1:1: error: no port: \"server_port\" is missing" "$LAB_LOGS/reload.out"
equal "nothing has changed" ok "$(here $PROBE short-once "$WORLD4")"
kill -HUP "$SANDBOX_PID"
wait "$SANDBOX_PID"
equal "SIGHUP is the command's" 129 $?
check "gatun reload: nothing runs there any more" eval '! reload'
exec 8>&-
lab_end "$SECOND_PID"
check_reports
use_server gatun
finish
