#!/bin/bash
# A reader that sleeps for 20 s, at either end: the transfer waits, nothing is lost, and
# nobody in between piles up what is not read.
. "$(dirname "$0")/lib.sh"
LAB_CAPTURE=stray
begin "$0" "$@"

NAP=20 TOTAL=50000000

# dirty PID: kB of memory that is its alone
dirty() { awk '/^Private_Dirty:/ { print $2 }' "/proc/$1/smaps_rollup"; }

most()	# PID...: the most that one of them has
{
	local pid
	for pid; do
		dirty "$pid"
	done | sort -n | tail -n 1
}

# All four sleep at the same time: downloads and uploads, IPv4 and IPv6.
EXEC=exec through $PROBE source "$WORLD4" $TOTAL $NAP >"$LAB_LOGS/down4" &
runs=$!
EXEC=exec through $PROBE source "$WORLD6" $TOTAL $NAP >"$LAB_LOGS/down6" & runs+=" $!"
EXEC=exec through $PROBE lazy "$WORLD4" $TOTAL $NAP >"$LAB_LOGS/up4" & runs+=" $!"
EXEC=exec through $PROBE lazy "$WORLD6" $TOTAL $NAP >"$LAB_LOGS/up6" & runs+=" $!"
before=$(dirty "$SERVER_PID")
sleep $((NAP / 2)) # what is to be seen is what has not happened by then
server=$(dirty "$SERVER_PID") engine=$(most $runs)
wait $runs

for way in down4 down6; do
	equal "a download of 50 MB whose reader sleeps 20 s is whole ($way)" "got:$TOTAL,intact then:EOF" "$(cat "$LAB_LOGS/$way")"
done
for way in up4 up6; do
	equal "an upload of 50 MB to a peer that sleeps 20 s is whole ($way)" "answer:right" "$(cat "$LAB_LOGS/$way")"
done
sanitized || check "meanwhile the server holds less than 4 MB for four stalled flows (it had $before kB, then $server kB)" [ "$((server - before))" -lt 4096 ]
sanitized || check "and each gatun run less than 8 MB in all (the most: $engine kB)" [ "$engine" -lt 8192 ]

finish
