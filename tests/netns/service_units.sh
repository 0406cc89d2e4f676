#!/bin/bash
# The systemd units: systemd finds nothing wrong with them, and gatun does its work with
# exactly the user, the capabilities and the system calls that they leave it.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
lab_end "$SERVER_PID"
SERVER_PID=
SOURCE=$TESTS_DIR/../../docs/systemd
DIR=$(mktemp -d /tmp/gatun-units.XXXXXX)
chmod 755 "$DIR"
trap 'umount /dev/net "$DIR/net" 2>/dev/null; rm -rf "$DIR"' EXIT

# --- what systemd says ---------------------------------------------------------------------

if command -v systemd-analyze >/dev/null; then
	for unit in gatun-up gatun@ gatun-server@; do
		sed "s|@CMAKE_INSTALL_FULL_BINDIR@/gatun|$GATUN|" "$SOURCE/$unit.service.in" >"$DIR/$unit.service"
		equal "$unit.service: systemd finds nothing wrong" "0 " \
			"$(systemd-analyze verify --man=no "$DIR/$unit.service" >"$DIR/verify" 2>&1; echo "$? $(grep -F "$unit" "$DIR/verify" | head -3)")"
		equal "$unit.service: its exposure, as systemd counts it, is at most 3.0" 0 \
			"$(systemd-analyze security --offline=true --threshold=30 "$DIR/$unit.service" >/dev/null 2>&1; echo $?)"
	done
else
	skip "systemd's own checks: there is no systemd-analyze (Debian package systemd)"
fi
if command -v systemd-sysusers >/dev/null; then
	equal "its users can be made" "gatun gatun-plugin" \
		"$(systemd-sysusers --root="$DIR" --dry-run "$SOURCE/gatun.sysusers" 2>&1 | sed -n "s/^Creating user '\([a-z-]*\)'.*/\1/p" | xargs)"
else
	skip "the users: there is no systemd-sysusers (Debian package systemd)"
fi
for option in "up -c" "local -c" "server -c" "down --keep-guard"; do
	check "gatun ${option% *} knows ${option#* }, which the units give" eval '"$GATUN" ${option% *} --help | grep -q -- "${option#* }"'
done

# --- as the units start it -----------------------------------------------------------------

if [ "$(id -u)" -ne 0 ]; then
	skip "gatun as the units start it: only root can become another user"
	UPLINK_CHECKED=no # nothing has gone by it
	finish
fi
lab_need setpriv
of_unit() { sed -n "s/^$2=//p" "$SOURCE/$1.service.in"; }

# as_unit UNIT NAMESPACE COMMAND...: with the user, the capabilities (but $LESS) and the directories of the unit
as_unit()
{
	local unit=$1 name=$2 ambient bounding
	shift 2
	ambient=$(of_unit "$unit" AmbientCapabilities | sed "s/${LESS:-none} //" | tr '[:upper:]' '[:lower:]' | sed 's/cap_/+/g; s/ /,/g')
	bounding=$(of_unit "$unit" CapabilityBoundingSet | tr '[:upper:]' '[:lower:]' | sed 's/cap_/+/g; s/ /,/g')
	lab_start "$unit" "$name" ${TRACE:-} setpriv --reuid nobody --regid nogroup --clear-groups --no-new-privs \
		--bounding-set "-all,$bounding" --inh-caps "-all,$ambient" --ambient-caps "-all,$ambient" \
		env HOME=/nonexistent STATE_DIRECTORY="$DIR/state" RUNTIME_DIRECTORY=/run/gatun "$@"
	UNIT_PID=$LAB_PID
}
rm -rf /run/gatun
mkdir -m 755 /run/gatun && mkdir -m 700 "$DIR/state" && chown nobody /run/gatun "$DIR/state" # RuntimeDirectory=, StateDirectory=

# The gatun among what UNIT_PID started; itself without a tracer.
main_process()
{
	local pid
	for pid in $(lab_family "$UNIT_PID"); do
		[ "$(cat "/proc/$pid/comm")" = gatun ] && { echo "$pid"; return; }
	done
}
end_unit()
{
	kill "$(main_process)" && lab_gone "$UNIT_PID"
}
all_rights() { for p in $(lab_family "$1"); do rights_of "$p"; done | sort -u | xargs; }
rights_of() { sed -n "s/^CapPrm:[[:space:]]*//p" "/proc/$1/status"; }

# expand SET...: the names of the system calls in systemd's sets
expand_sets()
{
	local line set=$1
	systemd-analyze syscall-filter "$set" | sed -n 's/^ \+\([@a-z0-9_-]\+\).*/\1/p' | while read -r line; do
		case $line in @*) expand_sets "$line" ;; *) echo "$line" ;; esac
	done
}
# only_allowed UNIT: a check of what the tracer saw since the program was started
only_allowed()
{
	local unit=$1 word
	[ -n "$TRACE" ] || return
	for word in $(of_unit "$unit" SystemCallFilter); do
		case $word in @*) expand_sets "$word" ;; *) echo "$word" ;; esac
	done | sort -u >"$DIR/allowed"
	sed -E 's/^[0-9]+ +//; s/^[^a-z]*([a-z0-9_]+)\(.*/\1/; /^[a-z0-9_]+$/!d' "$DIR/$unit.trace" | sort -u >"$DIR/used"
	check "$unit.service: the tracer saw what it does" [ "$(wc -l <"$DIR/used")" -gt 20 ]
	equal "$unit.service: every system call it makes is in the filter" "" "$(comm -23 "$DIR/used" "$DIR/allowed" | xargs)"
}
# trace UNIT: what is started next is traced, where that is possible
trace()
{
	TRACE=
	if sanitized; then
		skip "$1.service: its system calls: a sanitizer makes others"
	elif ! command -v strace >/dev/null || ! command -v systemd-analyze >/dev/null; then
		skip "$1.service: its system calls: no strace, or no systemd-analyze"
	elif ! strace -f -o /dev/null true 2>/dev/null; then
		skip "$1.service: its system calls: nothing may be traced here"
	else
		TRACE="strace -f -qq -o $DIR/$1.trace"
	fi
}

cat >"$DIR/server.json" <<-END
	{ "server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "password": "$KEY", "workers": 2 }
END
cat >"$DIR/local.json" <<-END
	{ "server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "password": "$KEY", "workers": 2,
	  "locals": [ { "protocol": "socks", "local_address": "127.0.0.1", "local_port": 1080 },
	    { "protocol": "http", "local_address": "127.0.0.1", "local_port": 81 } ] }
END
chmod 644 "$DIR"/*.json

lab_start_web
page() { inside client curl -s -m 20 "$@"; }
trace gatun-server@
as_unit gatun-server@ server "$GATUN" server -c "$DIR/server.json"
SERVER_UNIT=$UNIT_PID
lab_wait "the server" eval 'inside server ss -Hltn "sport = :$SERVER_PORT" | grep -q .'
trace gatun@
as_unit gatun@ client "$GATUN" local -c "$DIR/local.json"
LOCAL_UNIT=$UNIT_PID
lab_wait "the inbounds" eval 'inside client ss -Hltn "sport = :81" | grep -q .'
equal "gatun@ and gatun-server@: a page by SOCKS5" "the web of the lab" "$(page --socks5-hostname 127.0.0.1:1080 "http://$WORLD4/")"
equal "and by HTTP, from a port below 1024" "the web of the lab" "$(page -x http://127.0.0.1:81 "http://$WORLD4/")"
for UNIT_PID in $LOCAL_UNIT $SERVER_UNIT; do
	MAIN=$(main_process)
	lab_wait "the rights of all to be gone" eval '[ "$(all_rights "$MAIN")" = 0000000000000000 ]'
	ok "no capability is left to any of its processes"
	kill -HUP "$MAIN"
	check "it is reloaded, and stays" eval '"$GATUN" status --json | grep -q "\"pid\": *$MAIN"'
	end_unit
done
only_allowed gatun@
only_allowed gatun-server@

# --- the gateway -----------------------------------------------------------------------------

# A device that everybody may open, as udev makes it; in the lab's own /dev.
rm -rf "$DIR/net" && mkdir "$DIR/net" && mount -t tmpfs tmpfs "$DIR/net" && mknod -m 666 "$DIR/net/tun" c 10 200 &&
	mount --bind "$DIR/net" /dev/net || lab_skip "/dev/net/tun cannot be made for everybody"
rules() { inside client ip rule; inside client ip -6 rule; }
before=$(rules)
use_server gatun
cat >"$DIR/up.json" <<-END
	{ "server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "password": "$KEY", "workers": 2, "kill_switch": true }
END
chmod 644 "$DIR/up.json"
through() { exec_in client "$@" 2>>"$LAB_LOGS/app.log"; }
for mode in tun tproxy; do
	trace gatun-up
	as_unit gatun-up client "$GATUN" up -v -c "$DIR/up.json" --mode $mode
	lab_wait "gatun up" grep -q "everything is up" "$LAB_LOGS/gatun-up.log"
	same "gatun-up, $mode: a connection" "answer:right then:EOF" half-close @ 1000000
	same "gatun-up, $mode: UDP" "@:7003 @:7103 %:7203" udp-cone @
	end_unit
	only_allowed gatun-up
	TRACE=
	: >"$LAB_LOGS/gatun-up.log"
	as_unit gatun-up client "$GATUN" down --keep-guard
	lab_gone "$UNIT_PID"
	check "ExecStopPost, $mode: the kill switch stays" eval 'inside client nft list tables | grep -q gatun_guard'
	as_unit gatun-up client "$GATUN" down
	lab_gone "$UNIT_PID"
	equal "gatun down as that user lifts it, $mode" "$before" "$(rules)"
done
# Where the kernel takes programs from everybody, CAP_BPF is not needed.
if [ "$(cat /proc/sys/kernel/unprivileged_bpf_disabled 2>/dev/null)" != 0 ]; then
	: >"$LAB_LOGS/gatun-up.log"
	LESS=CAP_BPF
	as_unit gatun-up client "$GATUN" up -v -c "$DIR/up.json"
	lab_wait "gatun up" grep -q "everything is up" "$LAB_LOGS/gatun-up.log"
	matches "without CAP_BPF there is one worker instead of two, and a line says why" \
		"one worker instead of 2: .* needs CAP_BPF" "$LAB_LOGS/gatun-up.log"
	same "and it carries" "@:7003 @:7103 %:7203" udp-cone @
	end_unit
	as_unit gatun-up client "$GATUN" down
	lab_gone "$UNIT_PID"
fi
umount /dev/net
umount "$DIR/net"
finish
