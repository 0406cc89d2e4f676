#!/bin/bash
# The password of `gatun run` is not to be found: not in argv, environment, memory
# or log, by the command or by another process of the same user, and not in a core.
. "$(dirname "$0")/lib/run.bash"

KEY64=${URL#ss://}
KEY64=${KEY64%%@*}
absent() { ! grep -qF -e "$PASSWORD" -e "$KEY64" "$1"; }

# Starts gatun, with the secret given as the arguments say; sets JOB.
start()
{
	: >"$TMP/out"
	(exec "$GATUN" run -v -v "$@" -- sh -c 'echo ready; exec sleep 600' >"$TMP/out" 2>"$TMP/err") &
	JOB=$!
	await 5 grep -q ready "$TMP/out"
}
stop() { kill -KILL "$JOB" 2>/dev/null; wait "$JOB" 2>/dev/null; }

argv_and_environment()
{
	start "$@" || { bad "it starts with $*"; return; }
	tr '\0' '\n' <"/proc/$JOB/cmdline" >"$TMP/cmdline"
	tr '\0' '\n' <"/proc/$JOB/environ" >"$TMP/environ"
	tr '\0' '\n' <"/proc/$(pgrep -P "$JOB")/cmdline" >"$TMP/init"
	check "$GIVEN: argv of gatun holds no secret" absent "$TMP/cmdline"
	check "(and it was gatun's that was read)" grep -q sleep "$TMP/cmdline"
	check "$GIVEN: nor that of init inside" absent "$TMP/init"
	check "$GIVEN: nor its environment" absent "$TMP/environ"
	check "$GIVEN: nor its log, with -v -v" absent "$TMP/err"
	stop
}
GIVEN='ss:// URL'
argv_and_environment "$URL"
GIVEN='-k PASSWORD'
argv_and_environment -s 127.0.0.1:9 -m aes-256-gcm -k "$PASSWORD"
GIVEN='$GATUN_PASSWORD'
export GATUN_PASSWORD=$PASSWORD
argv_and_environment -s 127.0.0.1:9 -m aes-256-gcm
"$GATUN" run -s 127.0.0.1:9 -m aes-256-gcm -- env >"$TMP/env"
check "the command's environment is without $GIVEN" absent "$TMP/env"
check "(and is there)" grep -q '^PATH=' "$TMP/env"
unset GATUN_PASSWORD

# A control that a secret would be found: the test's own process holds it.
inside_probe='cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr "\0" "\n"; for p in /proc/[0-9]*; do
	[ "$p" = /proc/$$ ] || python3 -c "
import re, sys
pid = sys.argv[1]
for line in open(pid + \"/maps\"):
    m = re.match(r\"([0-9a-f]+)-([0-9a-f]+) r\", line)
    f = open(pid + \"/mem\", \"rb\", 0)
    f.seek(int(m.group(1), 16))
    sys.stdout.buffer.write(f.read(int(m.group(2), 16) - int(m.group(1), 16)))
" "$p" 2>/dev/null; done; true'
memory()
{
	run sh -c "$inside_probe" >"$TMP/inside" 2>/dev/null
	check "the command finds it nowhere: argv, environment, memory of all it sees" absent "$TMP/inside"
	check "(what it looked at is no nothing)" grep -qa PATH= "$TMP/inside"
}
for_each_user memory

# Another process of the same user, outside.
if [ "$(id -u)" -eq 0 ]; then
	cat >"$TMP/look.py" <<'P'
import sys
pid = sys.argv[1]
for name in ("mem", "environ", "maps"):
    try:
        open("/proc/%s/%s" % (pid, name), "rb")
        print(name, "open")
    except OSError as e:
        print(name, "closed")
P
	AS=as_user
	run sh -c 'echo ready; exec sleep 600' >"$TMP/out" 2>"$TMP/err" &
	WRAP=$!
	await 5 grep -q ready "$TMP/out"
	gatun_child() { GPID=$(pgrep -u $USER_ID -f "^$GATUN run" | head -1); [ -n "$GPID" ]; }
	await 3 gatun_child
	same "a process of the same user cannot look into gatun" "mem closed environ closed maps closed" \
		"$(setpriv --reuid $USER_ID --regid $GROUP_ID --clear-groups python3 "$TMP/look.py" "$GPID" | xargs)"
	setpriv --reuid $USER_ID --regid $GROUP_ID --clear-groups sleep 600 &
	OTHER=$!
	is_sleep() { [ "$(cat /proc/$OTHER/comm)" = sleep ]; }
	await 3 is_sleep
	same "(it can look into its own)" "mem open environ open maps open" \
		"$(setpriv --reuid $USER_ID --regid $GROUP_ID --clear-groups python3 "$TMP/look.py" "$OTHER" | xargs)"
	kill $OTHER "$GPID"
	wait $OTHER $WRAP 2>/dev/null
fi
AS=as_self

# Cores land in the working directory here, if at all.
case $(cat /proc/sys/kernel/core_pattern) in
'|'* | */*)
	echo "skipped: cores go elsewhere on this machine"
	;;
*)
	mkdir -p "$TMP/cores"
	chmod 777 "$TMP/cores"
	cores() { find "$TMP/cores" -type f; }
	(cd "$TMP/cores" && ulimit -c unlimited && exec "$GATUN" run "$URL" -- sh -c 'kill -SEGV $$') 2>/dev/null
	same "the command's own crash leaves its core, as outside: 128+11" 139 $?
	check "the core is there" [ -n "$(cores)" ]
	rm -f "$TMP/cores/"*
	: >"$TMP/out"
	(cd "$TMP/cores" && ulimit -c unlimited && exec "$GATUN" run "$URL" -- sh -c 'echo ready; exec sleep 600' >"$TMP/out") 2>/dev/null &
	JOB=$!
	await 5 grep -q ready "$TMP/out"
	INIT=$(pgrep -P $JOB)
	kill -SEGV $JOB
	wait $JOB 2>/dev/null
	check "gatun's crash leaves none" [ -z "$(cores)" ]
	;;
esac
