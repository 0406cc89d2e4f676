# What the tests of `gatun up` stand on, beside lib.sh; source it instead of that one. Bash.
#
#       lan ─ lan0 ─ client ─ uplink ─ router ─ ...       (the lab, and a LAN behind the client)
#
#   begin_up "$0" "$@"     the lab with a LAN; names are asked of the world; a server runs
#   gate_up OPTIONS...     gatun up in client; returns when it is ready. PID in UP_PID, log up.log
#   gate_down              gatun down in client; what it said in down.log
#   APP=lan same ...       the asking program stands in the LAN; client otherwise
#   snapshot FILE          all that `up` may change in client and `down` must give back
#   no_strays TEXT         a check: no packet on the uplink past the tunnel since the last such call
#   finish_up              whatever is still up is taken down; finish
#
# What the lab itself put on the uplink (its marker) does not count as stray; what
# the kernel says on a link of its own accord (ARP, neighbours, routers) neither.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

LAN4=10.77.9.2 LAN6=fd77:9::2		# the LAN's client
LAN_GATE4=10.77.9.1 LAN_GATE6=fd77:9::1 # the client, seen from there

begin_up()
{
	begin "$@"
	mount -t tmpfs -o mode=0755 lab /var/lib || lab_die "cannot cover /var/lib" # or state would outlive the test
	lab_add_namespace lan
	ip -n lan -batch - <<-END && ip -n client -batch - <<-END2 && ip -n lan -batch - <<-END3 || lab_die "cannot make the LAN"
		link add eth0 type veth peer name lan0 netns client
		addr add $LAN4/24 dev eth0
		addr add $LAN6/64 dev eth0 nodad
		link set eth0 up
	END
		addr add $LAN_GATE4/24 dev lan0
		addr add $LAN_GATE6/64 dev lan0 nodad
		link set lan0 up
	END2
		route add default via $LAN_GATE4
		route add default via $LAN_GATE6
	END3
	lab_links_are_up client lan
	# What a LAN client sends by the uplink untouched could be answered: a leak is seen to work.
	ip -n router route add 10.77.9.0/24 via "$CLIENT4" && ip -n router -6 route add fd77:9::/64 via "$CLIENT6" || lab_die "no way to the LAN"
	echo "nameserver $WORLD4" >"$LAB_LOGS/resolv.conf"
	mount --bind "$LAB_LOGS/resolv.conf" "$(realpath /etc/resolv.conf)" || lab_skip "/etc/resolv.conf cannot be covered"
	use_server "${SERVER_KIND:-gatun}" # which has read the old one
	STRAYS=0
}

# The asking program: not in a sandbox, but on a machine whose way out is the gate.
through()
{
	exec_in "${APP:-client}" "$@" 2>>"$LAB_LOGS/app.log"
}

# gate_try OPTIONS...: gatun up with the server of the test, in the background. Log: up.log
gate_try()
{
	: >"$LAB_LOGS/up.log"
	mkdir -p "$LAB_LOGS/state" # not /var/lib/gatun, which all tests would have in common
	lab_start up client env STATE_DIRECTORY="$LAB_LOGS/state" "$GATUN" up -v ${UP_OPTIONS:-} -s "$SERVER" -m "$METHOD" -k "$KEY" "$@"
	UP_PID=$LAB_PID
}

gate_up()
{
	gate_try "$@"
	lab_wait "gatun up" gate_is_up_or_ended
	kill -0 "$UP_PID" 2>/dev/null || lab_die "gatun up ended: $(tail -n 3 "$LAB_LOGS/up.log")"
}

gate_is_up_or_ended()
{
	gate_is_up || ! kill -0 "$UP_PID" 2>/dev/null
}

# It says so itself, once everything stands: see roles/up.c.
gate_is_up()
{
	grep -q "everything is up" "$LAB_LOGS/up.log"
}

gate_down()
{
	inside client "$GATUN" down "$@" >>"$LAB_LOGS/down.log" 2>&1
}

# gate_workers: the PIDs of the workers of the gatun that is up
gate_workers()
{
	cat "/proc/$UP_PID/task"/*/children 2>/dev/null
}

# snapshot FILE: counters and what the kernel counts down are left out
snapshot()
{
	{
		echo "## rules"; inside client ip -details -4 rule; inside client ip -details -6 rule
		echo "## routes"; inside client ip -details -4 route show table all; inside client ip -details -6 route show table all
		echo "## nft"; inside client nft list ruleset
		echo "## links"; inside client ip -details link; inside client ip -details addr
		echo "## sysctl"; inside client sysctl -a --pattern '^net\.' 2>/dev/null | grep -vE '_count =|nf_conntrack_count|\.stat_refresh|route\.flush|\.fs\.|tcp_fastopen_key|stable_secret'
		echo "## resolv.conf"; cat /etc/resolv.conf
		echo "## state"; ls /run/gatun 2>/dev/null
	} | sed -E 's/ (expires|valid_lft|preferred_lft) [0-9a-z]+//g; s/ (users|used) [0-9]+//g; s/packets [0-9]+ bytes [0-9]+//g' >"$1"
}

# same_snapshot TEXT BEFORE AFTER
same_snapshot()
{
	if cmp -s "$2" "$3"; then ok "$1"; else fail "$1" "$(diff "$2" "$3" | head -20)"; fi
}

# no_strays TEXT: none since the last time
no_strays()
{
	count_strays
	equal "$1" 0 "$STRAYED"
}

# count_strays: how many since the last time, in STRAYED
count_strays()
{
	local all
	all=$(lab_stray_packets)
	STRAYED=$((all - STRAYS))
	STRAYS=$all
}

# The uplink is looked at while the gate stands: what a kernel still has to say for an application that is gone
# (its last data again, a reset) goes natively after that, as it should.
finish_up()
{
	if [ -n "${UP_PID:-}" ] && kill -0 "$UP_PID" 2>/dev/null; then
		[ "${UPLINK_CHECKED:-}" = no ] || check_uplink
		UPLINK_CHECKED=no
		gate_down
		lab_gone "$UP_PID"
	fi
	finish
}
