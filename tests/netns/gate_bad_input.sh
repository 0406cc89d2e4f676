#!/bin/bash
# What `gatun up` cannot do it says in one line that names what is in the way, and then it has changed
# nothing: routes that overlap, an interface that is not there, a second `up`, marks, tables and
# priorities that others use, no nft, no right. And what `gatun down` says that cannot look.
. "$(dirname "$0")/up_lib.sh"
LAB_CAPTURE=stray
begin_up "$0" "$@"

# refused TEXT STATUS PATTERN OPTIONS...: with REFUSED_BY before it
refused()
{
	local text=$1 status=$2 pattern=$3 found
	shift 3
	snapshot "$LAB_LOGS/before"
	STATE_DIRECTORY=$LAB_LOGS/state inside client ${REFUSED_BY:-} timeout 20 "$GATUN" up -q ${UP_OPTIONS:-} -s "$SERVER" -m "$METHOD" -k "$KEY" "$@" >"$LAB_LOGS/refused.log" 2>&1
	found=$?
	snapshot "$LAB_LOGS/after"
	if [ "$found" != "$status" ]; then
		fail "$text" "expected status $status, found $found: $(tail -n 2 "$LAB_LOGS/refused.log")"
	elif ! grep -Eq -- "$pattern" "$LAB_LOGS/refused.log"; then
		fail "$text" "nothing says: $pattern" "found: $(cat "$LAB_LOGS/refused.log")"
	elif [ "$(grep -vc ^Usage: "$LAB_LOGS/refused.log")" -gt 1 ]; then
		fail "$text" "in one line, found: $(cat "$LAB_LOGS/refused.log")"
	elif ! cmp -s "$LAB_LOGS/before" "$LAB_LOGS/after"; then
		fail "$text" "something has changed: $(diff "$LAB_LOGS/before" "$LAB_LOGS/after" | head -5)"
	else
		ok "$text"
	fi
}

# with_foreign TEXT PATTERN IP-COMMAND...: VERB is add, then del
with_foreign()
{
	local text=$1 pattern=$2
	shift 2
	ip -n client "${@/VERB/add}" || lab_die "ip $*"
	for MODE in tun tproxy redirect; do refused "$text ($MODE)" 1 "$pattern" --mode $MODE; done
	ip -n client "${@/VERB/del}" || lab_die "ip $*"
}

refused "routes that overlap" 3 "10\.9\.0\.0/16.*10\.0\.0\.0/8|10\.0\.0\.0/8.*10\.9\.0\.0/16" --route 10.0.0.0/8 --route 10.9.0.0/16
refused "a prefix with host bits" 2 "10\.0\.0\.1/8" --route 10.0.0.1/8
refused "a LAN that is not there" 1 "no interface eth7 .*there are: .*lan0" --lan eth7
for MODE in tun tproxy; do
	refused "an exclude of the addresses of names ($MODE)" 1 "exclude 198\.18\.0\.0/15 .*fake_dns_ipv4_network" --mode $MODE --exclude 198.18.0.0/15
	refused "an exclude among the addresses of names ($MODE)" 1 "exclude 198\.19\.9\.0/24 .*fake_dns_ipv4_network" --mode $MODE --exclude 198.19.9.0/24
done
refused "lo as a LAN" 3 "lo: no LAN" --lan lo
with_foreign "a priority that somebody else's rule has" "another program.*--priority" rule VERB from 192.0.2.99 lookup 77 priority 6770
with_foreign "a priority that somebody else's IPv6 rule has" "another program.*--priority" -6 rule VERB from 2001:db8::9 lookup 77 priority 6761
with_foreign "a mark that somebody else uses" "fwmark 0x6/0xf.*--mark|takes a mark.*--mark" rule VERB fwmark 0x61/0xff lookup 77 priority 9000
with_foreign "a table that somebody else's route is in" "the table 26465 is in use.*198\.18\.0\.0/15.*--table" route VERB 198.18.0.0/15 via "$ROUTER4" table 26465
with_foreign "a table that somebody else's rule asks" "another program.*--table" rule VERB from 192.0.2.99 lookup 26466 priority 9000
with_foreign "a rule before ours that takes all" "asked before ours" rule VERB lookup main priority 50
UP_OPTIONS="--priority 40 --table 5000 --mark 0x40"
ip -n client rule add from 192.0.2.99 lookup 77 priority 6770 || lab_die "no foreign rule"
snapshot "$LAB_LOGS/none"
gate_up
check "with other numbers it comes up beside him" [ "$(inside client ip rule | grep -c 'proto 103')" -gt 5 ]
for MODE in tun tproxy redirect; do
	refused "a second up, and whose the first is ($MODE)" 1 "up here already \(pid [1-9][0-9]*\)" --mode $MODE
done
matches "by its number" "pid $UP_PID\\)" "$LAB_LOGS/refused.log"
check "and the first goes on" kill -0 "$UP_PID"
gate_down
lab_gone "$UP_PID"
unset UP_OPTIONS
snapshot "$LAB_LOGS/gone"
same_snapshot "and gone again nothing is left" "$LAB_LOGS/none" "$LAB_LOGS/gone"
ip -n client rule del from 192.0.2.99 lookup 77 priority 6770

# Found out when sysctls, addresses and routes are there already.
ip -n client link add 'q"0' type veth peer name q1 && ip -n client link set 'q"0' up || lab_die "no odd link"
for MODE in tun tproxy redirect; do
	refused "a link that nft cannot name: what was begun is undone ($MODE)" 1 "one that nft cannot hold" --mode $MODE --lan 'q"0' --kill-switch
done
ip -n client link del 'q"0'

# way_of NAME FAMILY: the device by which a program that asks for it goes
way_of() { inside client ip route get "$(inside client getent "ahostsv$2" "$1" | awk '{ print $1; exit }')" | grep -o 'dev [^ ]*'; }
gate_up --exclude 192.0.0.0/3 --exclude fd00::/8
equal "an exclude around the addresses of names leaves those to the tunnel, IPv4" "dev gatun0" "$(way_of web.lab 4)"
equal "an exclude around the addresses of names leaves those to the tunnel, IPv6" "dev gatun0" "$(way_of web.lab 6)"
equal "and the rest to the uplink" "dev uplink" "$(inside client ip route get 199.9.9.9 | grep -o 'dev [^ ]*')"
gate_down
lab_gone "$UP_PID"

if [ "$(id -u)" = 0 ]; then
	REFUSED_BY="setpriv --bounding-set -net_admin --inh-caps -net_admin"
	for MODE in tun tproxy; do refused "no CAP_NET_ADMIN ($MODE)" 1 "CAP_NET_ADMIN" --mode $MODE; done
	unset REFUSED_BY
else
	skip "no CAP_NET_ADMIN: who is not root has no other bounding set here"
fi
# /proc/sys as a container has it, where a knob must be turned
inside client sysctl -qw net.ipv4.conf.uplink.rp_filter=1
REFUSED_BY="unshare --mount $TESTS_DIR/probes/read_only_sysctls"
refused "/proc/sys is read-only" 1 "src_valid_mark.*EROFS.*read-only"

# libnftables is loaded when it is needed, and then it may be missing
REFUSED_BY="unshare --mount $TESTS_DIR/probes/without_libnftables"
for MODE in tun tproxy; do refused "no libnftables ($MODE)" 1 "libnftables\.so\.1.*apt install" --mode $MODE; done
down_without() { inside client $REFUSED_BY "$GATUN" down >"$LAB_LOGS/without.log" 2>&1; }
check "nor is it needed to see that nothing is up" down_without
snapshot "$LAB_LOGS/before_guard"
gate_up --kill-switch
lab_kill "$UP_PID"
down_without
equal "but down does not say that all is taken back while it cannot see the guard" 1 $?
matches "it names the library" "libnftables\.so\.1" "$LAB_LOGS/without.log"
check "and the guard stands" eval 'inside client nft list tables | grep -q gatun_guard'
gate_down
snapshot "$LAB_LOGS/after_guard"
same_snapshot "with the library the next down takes it back" "$LAB_LOGS/before_guard" "$LAB_LOGS/after_guard"
finish_up
