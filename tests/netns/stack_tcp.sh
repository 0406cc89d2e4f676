#!/bin/bash
# TCP of the TUN alone: the stack with services right behind it (tests/tools/tun_services.c),
# no relay, no Shadowsocks. With offload, without it, and with the smallest MTU.
set -u
here=$(cd "$(dirname "$0")" && pwd)
SERVICES=${TUN_SERVICES:-$here/../../build/release/tests/tun_services}

if [ "${1:-}" != inside ]; then
	[ -x "$SERVICES" ] || { echo "no tun_services at $SERVICES"; exit 77; }
	[ -w /dev/net/tun ] || { echo "/dev/net/tun is closed"; exit 77; }
	# A PID namespace, so that whatever happens nothing is left.
	options="--net --mount --pid --fork --kill-child --mount-proc"
	[ "$(id -u)" = 0 ] || options="--user --map-root-user $options"
	unshare $options true || { echo "no namespaces here"; exit 77; }
	exec unshare $options "$0" inside
fi

failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ip link set lo up

round()
{
	local name=$1 mtu=$2 offload=$3 connections=$4 report
	mkfifo "$work/ready"
	exec 8<>"$work/ready" # opened both ways, so that the service never blocks on it
	GATUN_TUN_OFFLOAD=$offload "$SERVICES" gt0 "$mtu" /proc/self/fd/9 9>"$work/ready" >"$work/report" &
	local pid=$!
	timeout 10 head -c 1 <&8 >/dev/null || { echo "FAIL  $name: the service does not start"; failed=1; return; }
	exec 8<&-
	ip link set gt0 up
	ip addr add 10.77.0.1/24 dev gt0
	ip -6 addr add fd77::1/64 dev gt0 nodad
	ip route add default dev gt0
	ip -6 route add default dev gt0
	python3 "$here/../tools/stack_tcp.py" "$name" "$connections" || failed=1
	kill -TERM $pid
	wait $pid || { echo "FAIL  $name: the service ended badly"; failed=1; }
	report=$(cat "$work/report")
	case "$report" in
	*" active=0 held=0 "*" malformed=0 bad_checksum=0 "*) echo "ok    $name: nothing is left, nothing was malformed" ;;
	*) echo "FAIL  $name: left over or malformed: $report"; failed=1 ;;
	esac
	rm -f "$work/ready"
}

round "MTU 1500, offload" 1500 all 10000
round "MTU 1280, no offload" 1280 none 2000
round "MTU 9000, TCP offload alone" 9000 tso 500
exit $failed
