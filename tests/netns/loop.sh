#!/bin/bash
# What gatun sends comes back to gatun: somebody removes the rules of its mark, or takes the mark off.
. "$(dirname "$0")/up_lib.sh"
begin_up "$0" "$@"
. "$TESTS_DIR/steady_lib.sh"

# memory, in kB, and CPU time, in ticks of 10 ms, of all processes of gatun
memory() { awk '/^RssAnon/ { sum += $2 } END { print sum }' $(printf '/proc/%s/status ' $(gatun_processes "$UP_PID")); }
ticks() { awk '{ sub(/.*\) /, ""); sum += $12 + $13 } END { print sum }' $(printf '/proc/%s/stat ' $(gatun_processes "$UP_PID")); }
sockets() { ls $(printf '/proc/%s/fd ' $(gatun_processes "$UP_PID")) | grep -c '^[0-9]'; }

rules_of_mark()
{
	inside client ip "-$1" rule | sed -n "s/^\([0-9]*\):.*fwmark 0x6761.*/\1/p"
}

remove_rules()
{
	local family priority
	for family in 4 6; do
		for priority in $(rules_of_mark "$family"); do
			inside client ip "-$family" rule del priority "$priority" || return 1
		done
	done
}

has_rules() { [ -n "$(rules_of_mark 4)" ] && [ -n "$(rules_of_mark 6)" ]; }

# Takes the mark off every packet, as another program's table may; the kernel routes them anew.
remove_mark()
{
	inside client nft "table inet other { chain out { type route hook output priority 1; meta mark 0x6761 meta mark set 0 counter; }; }"
}
give_mark_back() { inside client nft "delete table inet other"; }

gate_up --mode tun
GATUN_LOG=$LAB_LOGS/up.log
app_start loop

# --- the rules ----------------------------------------------------------------------

app_settled
event remove_rules
lab_wait "the rules" has_rules
matches "the rules of the mark are removed: they are put back, and a line says so" "put back" "$GATUN_LOG"
all_recover "the rules of the mark are removed"
held_goes_on "the rules of the mark are removed"

# --- the mark -----------------------------------------------------------------------

app_end
# An application that neither rests nor leaves anything behind: 20 connections and datagrams a second.
try()
{
	inside client $PYTHON -c '
import socket, sys, time
end = time.monotonic() + float(sys.argv[2])
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.connect((sys.argv[1], 7001))
while time.monotonic() < end:
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.settimeout(1)
    for call in (lambda: udp.send(b"x"), lambda: tcp.connect((sys.argv[1], 7001))):
        try:
            call()
        except OSError:
            pass
    tcp.close()
    time.sleep(0.05)
' "$WORLD4" "$1"
}
try 2
before_memory=$(memory) before_sockets=$(sockets)
event remove_mark
before_ticks=$(ticks) began=$($STEADY now)
try 4
used=$(($(ticks) - before_ticks)) took=$($STEADY now)
share=$(awk -v t="$used" -v a="$began" -v b="$took" 'BEGIN { printf "%.1f", t / (b - a) }')
grown=$(($(memory) - before_memory)) more=$(($(sockets) - before_sockets))
matches "the mark is taken from gatun's packets: what comes back is refused, and a line says why" "policy rules that obey it" "$GATUN_LOG"
if sanitized; then
	skip "memory and CPU of a sanitized build"
else
	# Without the guard 4,500; what a busy machine keeps open a little longer is some hundred.
	check "memory does not grow: $grown kB, less than 700" [ "$grown" -lt 700 ]
	check "nor does the CPU time: $share % of a processor, less than 5" within "$share" 5
fi
check "nor do descriptors: $more more" [ "$more" -lt 20 ]
check "and a line now and then, not one for each ($(grep -c "came back to it" "$GATUN_LOG"))" [ "$(grep -c "came back to it" "$GATUN_LOG")" -lt 12 ]
give_mark_back
app_start again
event true
all_recover "the mark is there again"
app_end

finish_up
