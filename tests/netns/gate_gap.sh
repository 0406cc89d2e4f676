#!/bin/bash
# While connections are begun without an end, everything of gatun is killed and comes up again over what
# is left, in this mode and in another, with other numbers; it is ended in order with a kill switch, and
# started over that. At no moment does one packet find the uplink.
. "$(dirname "$0")/up_lib.sh"
LAB_CAPTURE=all
begin_up "$0" "$@"

begin_load()
{
	rm -f "$LAB_LOGS/syns.log"
	lab_start syns client "$PYTHON" "$TESTS_DIR/probes/syns.py" 8000 "$WORLD4" "$WORLD6"
	LOAD_PID=$LAB_PID
	lab_wait "the load" grep -q ready "$LAB_LOGS/syns.log"
}
# At least so many were tried while it was looked at.
end_load()
{
	lab_end "$LOAD_PID"
	check "$1: connections were tried all the time" [ "$(awk 'END { print $1 }' "$LAB_LOGS/syns.log")" -gt 200 ]
}

# over TEXT OPTIONS...: killed under load, and up again with these
over()
{
	local text=$1
	shift
	lab_kill "$UP_PID"
	gate_up "$@"
	no_strays "$text"
}

gate_up
count_strays # what went natively before
begin_load
over "killed, and up again"
over "killed, and up again with other numbers" --mark 0x80 --table 700 --priority 800
over "killed, and up again by TPROXY" --mode tproxy
over "killed, and up again by REDIRECT" --mode redirect
over "killed, and up again by a TUN, with a kill switch" --kill-switch
kill -TERM "$UP_PID"
lab_gone "$UP_PID"
no_strays "ended with a kill switch"
gate_up
no_strays "and up again without one"
end_load "throughout"
gate_down
lab_gone "$UP_PID"
has_strays() { [ "$(lab_packets stray "dst host $WORLD4 or dst host $WORLD6")" -gt 100 ]; }
# The load is one that would be seen.
begin_load
lab_wait "what goes natively" has_strays
lab_end "$LOAD_PID"
count_strays
check "without gatun the same load is seen on the uplink" [ "$STRAYED" -gt 0 ]
UPLINK_CHECKED=no
finish_up
