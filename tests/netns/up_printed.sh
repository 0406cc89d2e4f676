#!/bin/bash
# `gatun up --print-rules` prints what `gatun up` does, a TUN and --route included: typed into a shell,
# the kernel is told the same, to the last route and sysctl.
. "$(dirname "$0")/up_lib.sh"
LAB_CAPTURE=stray
begin_up "$0" "$@"

# told FILE: a snapshot without what only a process that runs can be: that somebody reads from the TUN
# or listens on a port, and when it began
told()
{
	snapshot "$1.whole"
	sed -E '/^## links/,/^## sysctl/d; /^## state/,$d; /meta time </d; /set listening/,/^\t}/d; s/ linkdown//; s/ +$//; /^multicast ff00::\/8/d' "$1.whole" >"$1"
}

forget()
{
	for table in gatun gatun_guard; do inside client nft delete table inet $table 2>/dev/null; done
	for family in -4 -6; do
		ip -n client "$family" rule flush protocol 103
		for table in 26465 26466 26467; do ip -n client "$family" route flush table $table 2>/dev/null; done
	done
	ip -n client link del gatun0 2>/dev/null
}

# printed MODE OPTIONS...
printed()
{
	local mode=$1
	shift
	inside client "$GATUN" up --print-rules --mode "$mode" -s "$SERVER" -m "$METHOD" -k "$KEY" "$@" >"$LAB_LOGS/rules.sh" 2>>"$LAB_LOGS/print.log"
	told "$LAB_LOGS/before"
	gate_up --mode "$mode" "$@"
	told "$LAB_LOGS/built"
	gate_down
	lab_gone "$UP_PID"
	[ "$mode" != tun ] || ip -n client tuntap add mode tun name gatun0 || lab_die "no TUN"
	check "$mode $*: a shell takes what is printed" inside client sh -e "$LAB_LOGS/rules.sh"
	told "$LAB_LOGS/typed"
	same_snapshot "and the kernel is told what gatun up tells it" "$LAB_LOGS/built" "$LAB_LOGS/typed"
	check "which is something" eval '! cmp -s "$LAB_LOGS/before" "$LAB_LOGS/built"'
	forget
}

echo '{ "fake_dns_ipv6_network": "fd99:77::/64" }' >"$LAB_LOGS/fake.json"
inside client sysctl -qw net.ipv4.conf.uplink.rp_filter=1
printed tun --lan lan0 --kill-switch --exclude 203.0.113.0/24
printed tun -c "$LAB_LOGS/fake.json" --route 10.77.3.0/24
printed tproxy --port 5005 -c "$LAB_LOGS/fake.json" --route 10.77.3.0/24 --kill-switch

# what stands in the way of the device
refused()
{
	local text=$1 pattern=$2
	shift 2
	inside client timeout 20 "$GATUN" up -s "$SERVER" -m "$METHOD" -k "$KEY" "$@" >"$LAB_LOGS/refused.log" 2>&1
	matches "$text" "$pattern" "$LAB_LOGS/refused.log"
}
ip -n client tuntap add mode tun name gatun0 || lab_die "no TUN"
refused "a TUN of that name which would outlive gatun is not taken over" "gatun0 is there already"
ip -n client link del gatun0
refused "no other device is, either, and the answer is not to remove it" "the device lan0 is there already; give another name \(--device\)" --device lan0
finish_up
