# Helpers of tests/cli: run the program, look at exit code, stdout and stderr.
# Each check prints one line that says what a user may rely on.
set -u
: "${GATUN:?the program}"
[ -x "$GATUN" ] || { echo "no program at $GATUN"; exit 1; }
WORK=$(mktemp -d)
FAILED=0
CHECKS=0
PIDS=() # of children not waited for yet: no number here can be another's
unset GATUN_PASSWORD

cleanup() {
	[ "$BASHPID" = $$ ] || return # a child that a signal met before its exec
	for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
	rm -rf "$WORK"
}
trap cleanup EXIT

# run ARGS...: the program's exit code in $CODE, its words in $OUT and $ERR
run() {
	timeout 20 "$GATUN" "$@" >"$WORK/out" 2>"$WORK/err" </dev/null
	CODE=$?
	OUT=$(cat "$WORK/out") ERR=$(cat "$WORK/err")
}

# ok NAME CONDITION...: the line of a check
ok() {
	local name=$1
	shift
	CHECKS=$((CHECKS + 1))
	if "$@"; then
		echo "ok   $name"
	else
		FAILED=$((FAILED + 1))
		echo "FAIL $name"
		echo "     exit code ${CODE-}"
		printf '%s\n' "${OUT-}" | head -20 | sed 's/^/     out: /'
		printf '%s\n' "${ERR-}" | head -20 | sed 's/^/     err: /'
	fi
}
code() { [ "$CODE" = "$1" ]; }
out_has() { case $OUT in *"$1"*) true ;; *) false ;; esac; }
err_has() { case $ERR in *"$1"*) true ;; *) false ;; esac; }
err_lines() { [ "$(printf '%s' "$ERR" | grep -c '')" = "$1" ]; }
silent() { [ -z "$OUT$ERR" ]; }
# fails WITH CODE: exit code, nothing on stdout, and a sentence on stderr
fails() { code "$1" && [ -z "$OUT" ] && err_has "$2"; }

finish() {
	echo "$((CHECKS - FAILED)) of $CHECKS"
	[ "$CHECKS" -gt 0 ] && [ "$FAILED" = 0 ]
	exit
}
