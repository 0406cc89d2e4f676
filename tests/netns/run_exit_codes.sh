#!/bin/bash
# The exit code of `gatun run`: the command's own, and numbers of ours that no
# command of that kind returns (as env, timeout and docker do).
. "$(dirname "$0")/lib/run.bash"

code() { run "$@" >"$TMP/out" 2>"$TMP/err"; echo $?; }

exit_codes()
{
	same "a command that succeeds: 0" 0 "$(code true)"
	same "a command's own status comes through" 42 "$(code sh -c 'exit 42')"
	same "the highest one too" 255 "$(code sh -c 'exit 255')"
	same "a command ended by SIGTERM: 128+15" 143 "$(code sh -c 'kill -TERM $$')"
	same "a command ended by SIGKILL: 128+9" 137 "$(code sh -c 'kill -KILL $$')"
	same "a command that is not found: 127" 127 "$(code gatun-no-such-command)"
	check "and one line names it" grep -q 'gatun-no-such-command.*no such command' "$TMP/err"
	check "and no other line" one_line "$TMP/err"
	same "a file that is not executable: 126" 126 "$(code /etc/passwd)"
	check "and one line says why" grep -q '/etc/passwd.*[Pp]ermission denied' "$TMP/err"
	same "a directory: 126" 126 "$(code /tmp)"
	printf 'echo no interpreter line\n' >"$TMP/script"
	chmod 755 "$TMP/script"
	same "a script without #! runs as the shell would run it" 0 "$(code "$TMP/script")"
	same "what the command prints is all that is printed" "no interpreter line" "$(cat "$TMP/out" "$TMP/err")"
}
for_each_user exit_codes

timeout -k 1 20 python3 -c '
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])' "$GATUN" run "$URL" -- sh -c 'true; exit 9' 2>"$TMP/err"
same "a caller who ignores SIGCHLD changes nothing" 9 $?

"$GATUN" run "$URL" -- 2>"$TMP/err"
same "no command: 125" 125 $?
"$GATUN" run "ss://nonsense" -- true 2>"$TMP/err"
same "a SERVER that cannot be read: 125" 125 $?
"$GATUN" run -c "$TMP/no-such-file" -- true 2>"$TMP/err"
same "a config that cannot be read: 125" 125 $?
"$GATUN" run --no-such-option "$URL" -- true 2>"$TMP/err"
same "an unknown option: 125" 125 $?
"$GATUN" run "$URL" --mtu 1 -- true 2>"$TMP/err"
same "an option out of range: 125" 125 $?
