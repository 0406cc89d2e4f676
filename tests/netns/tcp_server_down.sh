#!/bin/bash
# The tunnel's server is not there: a connect says so, at once. And it works again when the server is back.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

same "the server up: a connection works" "220 ready|quit" banner @
lab_end "$SERVER_PID"
is "the server's port closed: the connect is refused, quickly" "connect:ECONNREFUSED quickly" refused @ 7008 1

# One sandbox sees the server go and come back.
mkfifo "$LAB_LOGS/go"
EXEC=exec through sh -c "$PROBE refused $WORLD4 7008 1; read go; $PROBE banner $WORLD4" <"$LAB_LOGS/go" >"$LAB_LOGS/back" &
run=$!
exec 9>"$LAB_LOGS/go"
lab_wait "the first outcome" grep -q connect "$LAB_LOGS/back"
use_server gatun
echo go >&9
exec 9>&-
wait "$run"
equal "it works again as soon as the server is back" "connect:ECONNREFUSED quickly|220 ready|quit" "$(paste -sd'|' "$LAB_LOGS/back")"

ip -n router route add unreachable "$SERVER4/32"
is "the server's network unreachable: the connect says so, quickly" "connect:E*UNREACH quickly" refused @ 7008 1
matches "the log names the server and what is wrong" "10.77.2.2:8388.*(unreachable|UNREACH)" "$LAB_LOGS/run.log"
ip -n router route del unreachable "$SERVER4/32"

matches "the log names the server that refuses" "10.77.2.2:8388 .*refused" "$LAB_LOGS/run.log"
finish
