#!/bin/bash
# How a sandbox ends: with its command, and with gatun, whatever ended that.
# Nothing of it is left, and at no time has it another network than the tunnel.
. "$(dirname "$0")/lib/run.bash"

MARK=$((700000 + $$))	# nobody else sleeps for so long

marked() { pgrep -fx "sleep $MARK" >/dev/null; }

# Sets ENGINE to the pid of the gatun that $JOB is or has started.
find_engine()
{
	local pid=$JOB
	while [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != gatun ]; do
		pid=$(pgrep -o -P "$pid")
	done
	ENGINE=$pid
	[ -n "$pid" ]
}

# The command ends when the reader has said that it saw the end of file.
pipe_ends()
{
	rm -f "$TMP/seen"
	(exec "$GATUN" run "$URL" -- sh -c "echo data; exec >&- 2>&-; for i in \$(seq 300); do [ ! -e '$TMP/seen' ] || exit; sleep 0.1; done" 2>/dev/null) |
		[ "$(timeout 20 cat && echo end of file; touch "$TMP/seen")" = "$(printf 'data\nend of file')" ]
}

with_command()
{
	run sh -c "sleep $MARK & setsid sleep $MARK & nohup setsid sh -c 'sleep $MARK' >/dev/null 2>&1 & while [ \$(pgrep -fc '^sleep $MARK') -lt 3 ]; do :; done; exit 5" 2>"$TMP/err"
	same "the command's end is gatun's end, with children in the background" 5 $?
	check "children, daemons and their children are gone with it" not marked
	same "orphans are reaped" 0 "$(run sh -c '(true & true & true &); for i in $(seq 100); do sleep 0.1; n=$(ps -eo stat= | grep -c Z); [ "$n" != 0 ] || break; done; echo "$n"')"
}
for_each_user with_command
check "a pipe ends when the command closes it, not when gatun ends" pipe_ends

start()
{
	run sh -c "sleep $MARK & sleep $MARK & wait" >/dev/null 2>"$TMP/err" &
	JOB=$!
	await 5 marked && await 5 find_engine
}

killed()
{
	local sig=$1
	start || { bad "${WHO}the command runs"; return; }
	kill "-$sig" "$ENGINE"
	check "gatun killed by SIG$sig: the command and its children are gone" await 3 not marked
	wait $JOB 2>/dev/null
}

stopped()
{
	run sh -c "sleep $MARK & exec python3 -u -c '
import socket, sys, time
while True:
    for family, where in ((socket.AF_INET, \"192.0.2.1\"), (socket.AF_INET6, \"2001:db8::1\"), (socket.AF_INET, \"127.0.0.1\")):
        s = socket.socket(family)
        s.settimeout(0.2)
        try:
            s.connect((where, 80))
            print(\"connected\", where)
        except OSError:
            pass
    print(\"round\")
    time.sleep(0.1)
'" >"$TMP/asks" 2>"$TMP/err" &
	JOB=$!
	await 10 grep -q round "$TMP/asks" && await 5 find_engine || { bad "${WHO}the command runs"; return; }
	: >"$TMP/asks"
	kill -STOP "$ENGINE"
	await 10 grep -q round "$TMP/asks"
	check "the engine hangs: the command runs on" grep -q round "$TMP/asks"
	check "and reaches nobody" not grep -q connected "$TMP/asks"
	kill -KILL "$ENGINE"
	check "and is gone with the engine" await 3 not marked
	wait $JOB 2>/dev/null
}

ends()
{
	killed KILL
	killed SEGV
	stopped
	start && kill -TERM "$ENGINE"
	wait $JOB
	same "SIGTERM to gatun reaches the command, whose end is the end" 143 $?
	check "and nothing is left" not marked
}
for_each_user ends
