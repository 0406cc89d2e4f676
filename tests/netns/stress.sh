#!/bin/bash
# 200 SOCKS5 UDP associations, 5,000 UDP targets and 2,000 TCP flows at once through one server:
# nothing is lost, and when all of it is idle the memory goes back.
METHOD=${METHOD:-aes-256-gcm} # whose associations may be forgotten after 5 seconds; a 2022 session stays for 60
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
ASSOCIATIONS=200 TARGETS=5000 FLOWS=2000
[ "$(ulimit -Hn)" -ge 20000 ] || lab_skip "the limit of open files is $(ulimit -Hn), under 20000"
ulimit -n "$(ulimit -Hn)"

lab_end "$SERVER_PID"
printf '{"server":"%s","server_port":%d,"method":"%s","password":"%s","udp_timeout":5}\n' \
	"$SERVER4" "$SERVER_PORT" "$METHOD" "$KEY" >"$LAB_LOGS/server.json"
printf '{"server":"%s","server_port":%d,"method":"%s","password":"%s","udp_timeout":5,"local_port":1080}\n' \
	"$SERVER4" "$SERVER_PORT" "$METHOD" "$KEY" >"$LAB_LOGS/local.json"
chmod 600 "$LAB_LOGS"/*.json
lab_start server server "$GATUN" server -v -c "$LAB_LOGS/server.json" --control "$LAB_LOGS/server.sock"
SERVER_PID=$LAB_PID
lab_wait "the server" lab_listens server "$SERVER_PORT"
lab_start local client "$GATUN" local -v -c "$LAB_LOGS/local.json" --control "$LAB_LOGS/local.sock"
LOCAL_PID=$LAB_PID
lab_wait "gatun local" lab_listens client 1080
lab_start targets world "$PYTHON" "$TESTS_DIR/probes/stress.py" targets "$WORLD4" 20000 $TARGETS
lab_wait "the targets" grep -q ready "$LAB_LOGS/targets.log"

# number NAME WORD...: one of status' numbers of the server or the local
number()
{
	"$GATUN" status --json --control "$LAB_LOGS/$1.sock" | "$PYTHON" -c '
import json, sys
document = json.load(sys.stdin)
if isinstance(document, list):
    document = document[0]
for word in sys.argv[1:]:
    document = document.get(word, 0)
print(document)' "${@:2}"
}

# dirty PID: kB that this process alone has
dirty() { awk '/^Private_Dirty/ { print $2 }' "/proc/$1/smaps_rollup"; }

exec_in client "$PYTHON" "$TESTS_DIR/probes/stress.py" load 1080 "$WORLD4" 20000 200 20 20 </dev/null >/dev/null # warm
idle() { [ "$(number server udp sessions_active)" = 0 ] && [ "$(number server tcp flows_active)" = 0 ] && [ "$(number local udp sessions_active)" = 0 ]; }
lab_wait "idleness" idle
server_before=$(dirty "$SERVER_PID") local_before=$(dirty "$LOCAL_PID")

mkfifo "$LAB_LOGS/load.in"
exec_in client "$PYTHON" "$TESTS_DIR/probes/stress.py" load 1080 "$WORLD4" 20000 $TARGETS $ASSOCIATIONS $FLOWS \
	<"$LAB_LOGS/load.in" >"$LAB_LOGS/load.out" 2>"$LAB_LOGS/load.log" &
load=$!
exec 8>"$LAB_LOGS/load.in"
tries=0
until [ -s "$LAB_LOGS/load.out" ] || ! kill -0 "$load" 2>/dev/null; do
	tries=$((tries + 1)); [ $tries -lt 6000 ] || break
	sleep 0.02
done
equal "$TARGETS datagrams twice and $FLOWS connections twice: all come back" \
	"udp:$TARGETS tcp:$FLOWS udp:$TARGETS tcp:$FLOWS" "$(cat "$LAB_LOGS/load.out")"
equal "all flows are open at once" "$FLOWS $FLOWS" "$(number server tcp flows_active) $(number local tcp flows_active)"
equal "an association each" "$ASSOCIATIONS" "$(number local udp sessions_opened | awk '{ print $1 - 20 }')"
for name in server local; do
	equal "the $name names nothing lost" 0 "$(number $name udp | "$PYTHON" -c '
import ast, sys
udp = ast.literal_eval(sys.stdin.read())
print(sum(n for name, n in udp.items() if name.startswith("dropped") or name in ("evicted", "malformed")))')"
done
peak="$(dirty "$SERVER_PID") and $(dirty "$LOCAL_PID")"
exec 8>&-
wait "$load"
lab_wait "the end of it all" idle

# Trimming is a slow timer's: it comes within half a minute.
settled() { [ "$(dirty "$SERVER_PID")" -le $((server_before + SLACK)) ] && [ "$(dirty "$LOCAL_PID")" -le $((local_before + SLACK)) ]; }
SLACK=1024
sanitized && SLACK=65536 # its quarantine keeps what was freed
tries=0
until settled || [ $tries -ge 40 ]; do tries=$((tries + 1)); sleep 1; done
check "the memory is back (within 1 MB; kB before, at the peak, after: server $server_before, ${peak% and*}, $(dirty "$SERVER_PID"); local $local_before, ${peak#*and }, $(dirty "$LOCAL_PID"))" settled
lab_end "$LOCAL_PID"
finish
