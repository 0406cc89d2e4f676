#!/bin/bash
# What becomes of `gatun up` when its processes die, and what stays of it: a worker, the supervisor, all;
# a second one; the kill switch. By a TUN; up_life_tproxy.sh runs it by TPROXY.
. "$(dirname "$0")/up_lib.sh"
mode=${UP_MODE:-tun}
begin_up "${UP_TEST:-$0}" "$@"
CARRIED="answer:right then:EOF"

# Does the machine reach the world natively? What leaks is answered: the router knows the way.
native() { inside client ping -c 1 -W 2 "$WORLD4" >/dev/null 2>&1; }
lives() { kill -0 "$1" 2>/dev/null; }
# The workers' PIDs are others than $1, and they answer.
reborn() { local now; now=$(gate_workers); [ -n "$now" ] && [ "$now" != "$1" ] && [ "$(through $PROBE half-close "$WORLD4")" = "$CARRIED" ]; }
status() { inside client "$GATUN" status --json | $PYTHON -c 'import json, sys
for line in sys.stdin:
    d = json.loads(line)
    if d["mode"] == "up": print(eval(sys.argv[1], {}, {"d": d}))' "$1"; }

snapshot "$LAB_LOGS/before"
if [ "$(id -u)" -eq 0 ]; then
	mkdir -p /run/gatun
	chmod 755 /run/gatun # as systemd makes it (RuntimeDirectory=)
	lab_start locker client setpriv --reuid 31231 --regid 31231 --clear-groups flock -x /run/gatun sh -c 'echo locked; exec sleep 300'
	locker=$LAB_PID
	lab_wait "another user's lock" grep -q locked "$LAB_LOGS/locker.log"
	gate_try --mode "$mode"
	for n in {1..200}; do gate_is_up_or_ended && break; sleep 0.05; done
	check "another user who locks its directory does not keep it from its work" gate_is_up
	lab_kill "$locker"
	gate_down
	lab_gone "$UP_PID"
	snapshot "$LAB_LOGS/after"
	same_snapshot "and of its own lock nothing stays" "$LAB_LOGS/before" "$LAB_LOGS/after"
fi
gate_up --mode "$mode"
is "it carries" "$CARRIED" half-close @
equal "status knows how" "up $mode" "$(status 'd["mode"] + " " + d["gate"]["mode"]')"
equal "a second one is told that it is the second, and ends" \
	"gatun: error: gatun is up here already (pid $(status 'd["pid"]')); end it first: gatun down" \
	"$(inside client "$GATUN" up -s "$SERVER" -m "$METHOD" -k "$KEY" 2>&1)"
check "which the first survives" lives "$UP_PID"

workers=$(gate_workers)
kill -KILL $workers
lab_wait "another worker" reborn "$workers"
is "a worker that was killed is back, and carries" "$CARRIED" half-close @
no_strays "and nothing went past it"

kill -KILL "$UP_PID"
lab_gone "$UP_PID"
equal "the supervisor is killed: nothing is carried" "" "$(timeout 2 ip netns exec client $PROBE half-close "$WORLD4" 2>/dev/null | grep right)"
no_strays "and nothing leaves"
gate_up --mode "$mode" --kill-switch
is "the next one takes over what was left" "$CARRIED" half-close @
no_strays "without a gap"

kill -TERM "$UP_PID"
lab_gone "$UP_PID"
matches "it ends with the kill switch on, and says so" "the kill switch stays on" "$LAB_LOGS/up.log"
check "which lets nothing out" eval '! native'
no_strays "nothing at all"
gate_down
check "down lifts it" native
snapshot "$LAB_LOGS/after"
same_snapshot "and everything is as it was" "$LAB_LOGS/before" "$LAB_LOGS/after"
UPLINK_CHECKED=no # it was, at every step
UP_PID=
finish_up
