# What every netns test stands on; source it first. Bash.
#
#   . "$(dirname "$0")/lib.sh"
#   begin "$0" "$@"            enters the lab; returns inside, with a server running
#   same TEXT WORDS PROBE...   a row: without gatun and with it, IPv4 and IPv6, the same words
#   is   TEXT WORDS PROBE...   a row that Shadowsocks cannot carry: through gatun, these words
#   check TEXT COMMAND...      anything else
#   finish                     nothing strayed from the uplink; the sum; exit status
#
# Each check prints one line that says what a user may rely on. Work files, logs and
# captures are in $TEST_LOGS/NAME, which is removed when all checks passed.
#
# Invariants: `same` also knows the words that the oracle must say, so that a lab that
# is broken fails and does not agree with a product that is broken in the same way; a
# test without a single check fails; the uplink's capture is proven alive by a marker.
#
# It knows gatun's command line, and nothing of its insides.

set -u
shopt -s extglob # for `is`
TESTS_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# The interpreter itself: a version manager's shim takes longer to start than most probes run.
PYTHON=$(python3 -c 'import sys; print(sys.executable)')
PROBE="$PYTHON $TESTS_DIR/probes/probe.py"
METHOD=${METHOD:-2022-blake3-aes-256-gcm}
export PYTHONDONTWRITEBYTECODE=1
. "$TESTS_DIR/../../netns-scripts/lab.sh"

checks=0 failures=0 skipped=0

begin()
{
	local script=$1 name
	name=$(basename "$script" .sh)
	GATUN=${GATUN:-$TESTS_DIR/../../build/release/gatun}
	[ -x "$GATUN" ] || lab_skip "no gatun at $GATUN"
	export GATUN TEST_LOGS=${TEST_LOGS:-$TESTS_DIR/../../build/test-logs}
	lab_enter "$@"
	private_tmp
	# PID 1 of a namespace is deaf to what it does not handle.
	trap 'exit 130' INT
	trap 'exit 143' TERM
	LAB_LOGS=$TEST_LOGS/$name
	rm -rf "$LAB_LOGS" && mkdir -p "$LAB_LOGS" && LAB_LOGS=$(realpath "$LAB_LOGS") || lab_die "cannot write $LAB_LOGS"
	lab_build
	lab_start_world
	lab_watch_uplink
	use_server "${SERVER_KIND:-gatun}"
}

# Where no /run is to be had gatun's control sockets are in /tmp, those of other tests' as well. A /tmp of our own,
# unless it is there that we were built.
private_tmp()
{
	local uid
	case $'\n'$(realpath -m "$GATUN" "$TEST_LOGS" "$TESTS_DIR") in
	*$'\n/tmp/'*) uid=$(id -u); [ ! -d "/tmp/gatun-$uid" ] || mount -t tmpfs -o mode=0700 lab "/tmp/gatun-$uid" ;;
	*) mount -t tmpfs -o mode=1777 lab /tmp ;;
	esac || lab_die "cannot mount a private /tmp"
}

# A key that fits the method. A password for the first generation.
make_key()
{
	case $1 in
	2022-blake3-aes-128-gcm) head -c 16 /dev/urandom | base64 ;;
	2022-*) head -c 32 /dev/urandom | base64 ;;
	*) echo "pass word/with:odd@signs?" ;;
	esac
}

# use_server KIND [ADDRESS [gatun's options...]]: (re)starts the far end; sets KEY and SERVER
use_server()
{
	local kind=$1 address=${2:-$SERVER4}
	[ -z "${SERVER_PID:-}" ] || lab_end "$SERVER_PID"
	KEY=${KEY:-$(make_key "$METHOD")}
	SERVER=$(lab_host_port "$address" "$SERVER_PORT")
	lab_start_server "$kind" "$address" "$METHOD" "$KEY" "${@:3}"
}

# through COMMAND...: by gatun run in the namespace client. RUN_OPTIONS are added.
# `EXEC=exec through ... &` makes $! the PID of gatun run itself, not of a shell around it.
through()
{
	exec_in client "$GATUN" run -v ${RUN_OPTIONS-"--dns" "off"} -s "$SERVER" -m "$METHOD" -k "$KEY" -- "$@" 2>>"$LAB_LOGS/run.log"
}

# direct COMMAND...: the same without gatun, from a namespace beside it
direct()
{
	exec_in twin "$@" 2>>"$LAB_LOGS/direct.log"
}

exec_in()
{
	local name=$1
	shift
	${EXEC:-} ip netns exec "$name" "$@"
}

# open_sandbox: a gatun run that waits; its PID in SANDBOX_PID. close_sandbox ends it.
open_sandbox()
{
	rm -f "$LAB_LOGS/sandbox.in" "$LAB_LOGS/sandbox.out"
	mkfifo "$LAB_LOGS/sandbox.in"
	EXEC=exec through sh -c 'echo open; read word' <"$LAB_LOGS/sandbox.in" >"$LAB_LOGS/sandbox.out" &
	SANDBOX_PID=$!
	exec 8>"$LAB_LOGS/sandbox.in"
	lab_wait "the sandbox" grep -q open "$LAB_LOGS/sandbox.out"
}

close_sandbox()
{
	exec 8>&-
	wait "$SANDBOX_PID"
}

# in_sandbox COMMAND...: in the network of the open sandbox, with all rights, which its own command has not
in_sandbox()
{
	local pid engine
	engine=$(readlink "/proc/$SANDBOX_PID/ns/net")
	for pid in $(lab_family "$SANDBOX_PID"); do
		if [ "$(readlink "/proc/$pid/ns/net")" != "$engine" ]; then
			nsenter --net="/proc/$pid/ns/net" "$@" 2>>"$LAB_LOGS/sandbox.log"
			return
		fi
	done
	echo "no process inside the sandbox"
}

# --- checks ------------------------------------------------------------------------

ok()
{
	checks=$((checks + 1))
	echo "ok    $1"
}

fail()
{
	checks=$((checks + 1)) failures=$((failures + 1))
	echo "FAIL  $1"
	shift
	[ $# -eq 0 ] || printf '      %s\n' "$@"
}

# A part of the test that cannot run here; the reason names what is missing.
skip()
{
	skipped=$((skipped + 1))
	echo "skip  $1"
}

check()
{
	local text=$1
	shift
	if "$@"; then ok "$text"; else fail "$text" "failed: $*"; fi
}

# equal TEXT EXPECTED FOUND
equal()
{
	if [ "$2" = "$3" ]; then ok "$1"; else fail "$1" "expected: $2" "found:    $3"; fi
}

# matches TEXT EXTENDED-REGEX FILE: the log has such a line, or will: who writes it is another process than
# the one whose end was waited for
matches()
{
	local tries=0
	until grep -Eq -- "$2" "$3"; do
		tries=$((tries + 1))
		if [ ! -f "$3" ] || [ $tries -ge 250 ]; then
			fail "$1" "no line in $(basename "$3") matches: $2" "its end: $(tail -n 2 "$3" | tr '\n' '|')"
			return
		fi
		sleep 0.02
	done
	ok "$1"
}

# addresses: @ in a probe's arguments stands for the world's
at()
{
	local family=$1 word
	shift
	for word; do
		if [ "$word" = @ ]; then [ "$family" = 4 ] && word=$WORLD4 || word=$WORLD6; fi
		printf '%s\n' "$word"
	done
}

same()
{
	local text=$1 words=$2 family plain ours
	shift 2
	for family in ${FAMILIES:-4 6}; do
		mapfile -t args < <(at "$family" "$@")
		plain=$(direct $PROBE "${args[@]}")
		ours=$(through $PROBE "${args[@]}")
		if [ "$plain" != "$(expand "$family" "$words")" ]; then
			fail "$text, IPv$family (the oracle itself)" "expected without gatun: $(expand "$family" "$words")" "found without gatun:    $plain"
		else
			equal "$text, IPv$family" "$plain" "$ours"
		fi
	done
}

# is TEXT WORDS PROBE...: WORDS is a pattern of the shell's
is()
{
	local text=$1 words=$2 family ours
	shift 2
	for family in ${FAMILIES:-4 6}; do
		mapfile -t args < <(at "$family" "$@")
		ours=$(through $PROBE "${args[@]}")
		case $ours in
		$words) ok "$text, IPv$family" ;;
		*) fail "$text, IPv$family" "expected: $words" "found:    $ours" ;;
		esac
	done
}

# In expected words @ is the world's address, % its other one.
expand()
{
	if [ "$1" = 4 ]; then
		echo "$2" | sed "s/@/$WORLD4/g; s/%/$OTHER4/g"
	else
		echo "$2" | sed "s/@/$WORLD6/g; s/%/$OTHER6/g"
	fi
}

# fetches TEXT URL OPTION...: curl in client, by the options' proxy alone; the web's 3 MB come back whole
fetches()
{
	local text=$1 url=$2
	shift 2
	exec_in client curl -sS --max-time 30 --noproxy "" -o "$LAB_LOGS/got" "$@" "$url" 2>>"$LAB_LOGS/curl.log"
	check "$text" cmp -s "$LAB_LOGS/got" "$LAB_LOGS/web/root/3mb"
	rm -f "$LAB_LOGS/got"
}

# opens: how many connections the world has accepted since it began
opens() { inside world awk '/^Tcp:/ && $7 ~ /^[0-9]+$/ { print $7 }' /proc/net/snmp; }

# sanitized: is this a build in which everything takes several times as long?
sanitized()
{
	grep -aq __asan_init "$GATUN"
}

# --- the end -------------------------------------------------------------------------

check_uplink()
{
	local strays
	strays=$(lab_stray_packets)
	equal "nothing left by the uplink past the tunnel" 0 "$strays"
	[ "$strays" = 0 ] || tcpdump -n -c 5 -r "$LAB_LOGS/stray.pcap" 2>/dev/null | sed 's/^/      /'
	if [ -n "${UPLINK_PID:-}" ]; then
		check "the tunnel itself was seen on the uplink" tunnel_was_seen
	fi
}

tunnel_was_seen()
{
	[ "$(lab_packets uplink "port $SERVER_PORT")" -gt 0 ]
}

# A server of ours that ended, or that a sanitizer complained about, fails the test that used it.
check_server()
{
	[ -n "${SERVER_PID:-}" ] || return
	check "the server is still there" kill -0 "$SERVER_PID"
	lab_end "$SERVER_PID" # in order, so that a sanitizer looks for leaks
	check_reports
}

check_reports()
{
	local reports
	reports=$(cat "$LAB_LOGS"/*.log | grep -aEc 'AddressSanitizer|LeakSanitizer|runtime error:|Assertion|assertion .* failed')
	equal "no sanitizer and no assertion has spoken" 0 "$reports"
}

finish()
{
	[ "${UPLINK_CHECKED:-}" = no ] || check_uplink
	check_server
	[ "$checks" -gt 0 ] || fail "the test checked something"
	echo "$((checks - failures)) passed, $failures failed, $skipped skipped"
	if [ "$failures" -gt 0 ]; then
		echo "logs and captures: $LAB_LOGS"
		exit 1
	fi
	rm -rf "$LAB_LOGS"
	exit 0
}
