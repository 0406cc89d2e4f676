# Shared by tests/netns/run_*.sh: the sandbox of `gatun run`, without a lab. Each
# check prints one line that says what a user may rely on. Most of them need no
# server: the command never gets further than the sandbox.
#
# Root tries everything twice: as root, and as a plain user (uid 31231) with a
# /dev/net/tun of its own in a private mount; the machine's node stays as it is.
# A plain user with an open /dev/net/tun tries it as himself.

set -u
# Who runs the tests in the background (`&`, nohup) ignores signals that are what some of them are about.
[ -n "${SIGNALS_ARE_DEFAULT:-}" ] || SIGNALS_ARE_DEFAULT=1 exec env --default-signal bash "$0" "$@"
# Not root's own programs: the plain user could not run them.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# AddressSanitizer lowers the core limit before main; the command would inherit that.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}disable_coredump=0
: "${GATUN:?the program under test}" "${TEST_LOGS:=/tmp}"
NAME=$(basename "$0" .sh)
LOGS=$TEST_LOGS/$NAME
TMP=$(mktemp -d "/tmp/gatun-$NAME.XXXXXX")
chmod 755 "$TMP"
FAILED=0
PASSWORD=hunter2-$NAME-$$
# Nobody listens there: the sandbox stands all the same.
URL="ss://$(printf 'aes-256-gcm:%s' "$PASSWORD" | base64 -w0 | tr -d =)@127.0.0.1:9"
USER_ID=31231
GROUP_ID=31232

finish()
{
	local status=$?
	[ "$(type -t cleanup)" = function ] && cleanup
	if [ "$FAILED" -ne 0 ] || [ "$status" -ne 0 ]; then
		mkdir -p "$LOGS" && cp -r "$TMP/." "$LOGS/" 2>/dev/null
		echo "logs: $LOGS"
	fi
	# Ours alone: nobody else's program lies in $TMP. Ends what a broken sandbox left.
	pkill -KILL -f "^$TMP/gatun "
	rm -rf "$TMP"
	[ "$FAILED" -eq 0 ] || exit 1
	exit "$status"
}
trap finish EXIT
trap 'exit 1' INT TERM

ok() { echo "ok    $*"; }
bad() { echo "FAIL  $*"; FAILED=1; }

# check SENTENCE COMMAND...: the sentence holds if the command succeeds.
check()
{
	local sentence=$1
	shift
	if "$@" >>"$TMP/log" 2>&1; then
		ok "$WHO$sentence"
	else
		bad "$WHO$sentence"
		echo "      ($*)"
	fi
}

# same SENTENCE WANTED GOT
same()
{
	if [ "$2" = "$3" ]; then
		ok "$WHO$1"
	else
		bad "$WHO$1"
		printf '      wanted: %s\n      got:    %s\n' "$2" "$3"
	fi
}

# await SECONDS COMMAND...: true as soon as the command succeeds. On a machine that is busy
# with other things SECONDS last longer.
await()
{
	local end=$((SECONDS + 4 * $1 + 1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

not() { ! "$@"; }

one_line() { [ "$(wc -l <"$1")" -eq 1 ]; }

# The plain user's way in: a node of his own over /dev/net/tun, a copy of the
# program that he can reach, then no privilege at all.
as_user_script='
	mount --make-rprivate / &&
	mount -t tmpfs tmpfs "$1" && mknod -m 666 "$1/tun" c 10 200 &&
	mount --bind "$1/tun" /dev/net/tun && umount -l "$1" || exit 99
	shift
	exec setpriv --reuid '$USER_ID' --regid '$GROUP_ID' --clear-groups "$@"'

as_user()
{
	unshare -m bash -c "$as_user_script" as_user "$TMP/mnt" "$@"
}

as_self() { "$@"; }

# For each way to be somebody: $AS runs a command as him, $WHO names him.
for_each_user()
{
	if [ "$(id -u)" -eq 0 ]; then
		AS=as_self WHO='root: '
		"$1"
		AS=as_user WHO='plain user: '
		"$1"
	else
		AS=as_self WHO='plain user: '
		"$1"
	fi
	WHO=
}

# run COMMAND...: in a sandbox, as whoever it is the turn of.
run() { "$AS" "$GATUN" run "$URL" -- "$@"; }

AS=as_self WHO=
mkdir -p "$TMP/mnt"
cp "$GATUN" "$TMP/gatun" && GATUN=$TMP/gatun
if ! "$GATUN" run "$URL" -- true 2>"$TMP/probe"; then
	if grep -q -e 'sudo' -e 'forbid' "$TMP/probe"; then
		echo "skipped: $(cat "$TMP/probe")"
		trap - EXIT
		rm -rf "$TMP"
		exit 77
	fi
	bad "a command runs in a sandbox"
	cat "$TMP/probe"
	exit 1
fi
