#!/bin/bash
# gatun stands still, as when a laptop sleeps: all of it is stopped for a while, and then goes on.
# SUSPEND_S=120 tests/netns/suspend.sh     for two minutes instead of 22 seconds
. "$(dirname "$0")/lib.sh"

SUSPEND_S=${SUSPEND_S:-22}
begin "$0" "$@"
. "$TESTS_DIR/steady_lib.sh"

GATUN_LOG=$LAB_LOGS/run.log
RUN_OPTIONS="--dns off"
app_start run
stop_gatun()
{
	kill -STOP $1 && sleep "$SUSPEND_S" && kill -CONT $1
}
app_settled
event stop_gatun "$(gatun_processes "$APP_PID")"
check "while it stands still nothing is answered" [ "$($STEADY lost "$LOG" udp "$BEFORE")" -gt 50 ]
all_recover "gatun stood still for $SUSPEND_S s"
held_goes_on "gatun stood still for $SUSPEND_S s"
equal "and nobody blames the server's clock" "" "$(grep -o "clock differs" "$GATUN_LOG")"
app_end

finish
