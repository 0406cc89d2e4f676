#!/bin/bash
# A flood of UDP flows from thousands of sources: flows that work go on, with the mapping that
# they had; new ones begin; TCP has its share of the descriptors; and all of it is given back.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

# Few descriptors, on both sides, so that the flood is many times the tables.
LIMIT=400
FLOWS=$((LIMIT / 2))
ulimit -n $LIMIT
FLOOD="$PYTHON $TESTS_DIR/probes/flood.py"
WORDS="old:same fresh:q tcp:hello-word flood:sent"

EXEC=exec exec_in world $PYTHON "$TESTS_DIR/probes/flood.py" serve 7020 2>>"$LAB_LOGS/seen.log" &
lab_wait "who answers the flood" eval '[ -n "$(inside world ss -H -lun "sport = :7020")" ]'

descriptors() { ls "/proc/$1/fd" | wc -l; }
few_descriptors() { [ "$(descriptors "$1")" -le $((FLOWS + 40)) ]; }
no_descriptors_left() { [ "$(descriptors "$1")" -le 20 ]; }
kilobytes() { awk '/VmRSS/ { print $2 }' "/proc/$1/status"; }

# flood METHOD: what the application sees, and what both ends hold meanwhile
flood()
{
	METHOD=$1 KEY=
	use_server gatun
	local before peak
	through $PROBE udp-connected "$WORLD4" >"$LAB_LOGS/first"
	before=$(kilobytes "$SERVER_PID")
	equal "$1: 5,000 sources: an old flow keeps its mapping, a fresh one begins, TCP connects" "$WORDS" \
		"$(through $FLOOD "$WORLD4" 5000)"
	check "$1: the server's descriptors stay within UDP's share" few_descriptors "$SERVER_PID"
	peak=$(($(kilobytes "$SERVER_PID") - before))
	if ! sanitized; then
		check "$1: the server's memory stays flat ($peak kB more)" test "$peak" -le 8192
	fi
	lab_end "$SERVER_PID"
	matches "$1: the server's summary counts who had to go" "evicted=[1-9]" "$LAB_LOGS/server.log"
	matches "$1: the client's too" "evicted=[1-9]" "$LAB_LOGS/run.log"
	SERVER_PID=
}

flood aes-256-gcm
flood 2022-blake3-aes-256-gcm

# Nobody answered the flood, so its flows last half a minute and not five.
use_server gatun
through $FLOOD "$WORLD4" 300 >"$LAB_LOGS/short"
for _ in $(seq 450); do
	no_descriptors_left "$SERVER_PID" && break
	sleep 0.1
done
check "within 45 s the flood's descriptors are given back" no_descriptors_left "$SERVER_PID"

finish
