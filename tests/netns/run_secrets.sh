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
GIVEN='two -s, two -k'
argv_and_environment -s 127.0.0.1:9 -s 127.0.0.1:10 -m aes-256-gcm -k "$PASSWORD" -k "$PASSWORD"
GIVEN='--outbound-proxy URL'
argv_and_environment --outbound-proxy "socks5://joe:$PASSWORD@127.0.0.1:9" "$URL"
GIVEN='$GATUN_PASSWORD'
export GATUN_PASSWORD=$PASSWORD
argv_and_environment -s 127.0.0.1:9 -m aes-256-gcm
"$GATUN" run -s 127.0.0.1:9 -m aes-256-gcm -- env >"$TMP/env"
check "the command's environment is without $GIVEN" absent "$TMP/env"
check "(and is there)" grep -q '^PATH=' "$TMP/env"
unset GATUN_PASSWORD

# The password and the key that is made of it (EVP_BytesToKey, MD5), in the
# environment, argv and memory of every process that can be seen.
cat >"$TMP/search.py" <<'P'
import hashlib, os, re, sys
password = open(sys.argv[1], "rb").read()
key = hashlib.md5(password).digest()
key += hashlib.md5(key + password).digest()
pids = sys.argv[2:] or [p for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()]
looked = 0
def parts(pid):
    for name in ("environ", "cmdline"):
        yield open("/proc/%s/%s" % (pid, name), "rb").read()
    mem = open("/proc/%s/mem" % pid, "rb", 0)
    for line in open("/proc/%s/maps" % pid):
        m = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
        if not m or "[v" in line:
            continue
        at, end = int(m.group(1), 16), int(m.group(2), 16)
        if end - at > 1 << 30:  # AddressSanitizer's shadow: terabytes that nobody wrote
            continue
        try:
            mem.seek(at)
            yield mem.read(end - at)
        except OSError:
            pass
for pid in pids:
    try:
        for part in parts(pid):
            looked += len(part)
            if password in part or key in part:
                print("found in", pid)
    except OSError:
        pass
print("looked" if looked else "saw nothing")
P
printf %s "$PASSWORD" >"$TMP/password"
chmod 644 "$TMP/password"
memory()
{
	# The shell and its parent init are there to be looked at, besides the searcher.
	same "the command finds it nowhere: argv, environment and memory of all it sees" looked \
		"$(run sh -c "python3 '$TMP/search.py' '$TMP/password'; true")"
}
for_each_user memory

# Another process of the same user, outside; and root, who may, to see that the search finds.
if [ "$(id -u)" -eq 0 ]; then
	start "$URL"
	check "(root, searching gatun's memory, finds the key)" \
		sh -c "python3 '$TMP/search.py' '$TMP/password' $JOB | grep -q 'found in'"
	stop
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
