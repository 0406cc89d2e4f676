#!/bin/bash
# What `gatun up` changes in a machine is given back to the last byte: rules, routes, nft, sysctls, links,
# resolv.conf; after an orderly end, after everything was killed, and after another start over that; in
# each mode, with a kill switch and without, with a LAN. gate_undo_{tproxy,redirect}.sh are the other modes.
. "$(dirname "$0")/up_lib.sh"
MODE=${UP_MODE:-tun}
LAB_CAPTURE=stray
begin_up "${UP_TEST:-$0}" "$@"
# A machine as they are: strict filters here, another's rules and tables there.
inside client sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.uplink.rp_filter=1 || lab_die "no rp_filter"
ip -n client rule add fwmark 0x80000/0xff0000 lookup main priority 5210 &&
ip -n client route add 198.51.100.0/24 via "$ROUTER4" table 77 || lab_die "no rules of others"
inside client nft -f - <<-END || lab_die "no nft"
	table ip other { chain forward { type filter hook forward priority 0; policy accept; counter; }; }
END

killed()
{
	lab_kill "$UP_PID"
	[ "$MODE" != tun ] || lab_wait "the TUN's end" no_device
}

no_device() { ! ip -n client link show gatun0; }

# round TEXT OPTIONS...: up and down, killed and down, killed and up and down
round()
{
	local text=$1
	shift
	snapshot "$LAB_LOGS/before"
	gate_up --mode "$MODE" "$@"
	snapshot "$LAB_LOGS/while"
	check "$text: it changes something" differ
	orderly
	unchanged "$text: up, and down"

	gate_up --mode "$MODE" "$@"
	killed
	check "$text: when all of it was killed, what keeps traffic in is there" keeps_closed
	gate_down
	unchanged "$text: up, everything killed, down"

	gate_up --mode "$MODE" "$@"
	killed
	gate_up --mode "$MODE" "$@"
	orderly
	unchanged "$text: up, everything killed, up again, down"
}

differ() { ! cmp -s "$LAB_LOGS/before" "$LAB_LOGS/while"; }
orderly()
{
	gate_down
	lab_gone "$UP_PID"
}
unchanged()
{
	snapshot "$LAB_LOGS/after"
	same_snapshot "$1" "$LAB_LOGS/before" "$LAB_LOGS/after"
}

# No way but an unreachable one, or one to lo where nobody listens; and near ones.
keeps_closed()
{
	local way family
	for family in 4 6; do
		way=$(inside client ip -o "-$family" route get "$([ $family = 4 ] && echo 9.9.9.9 || echo 2620:fe::9)" ipproto tcp sport 1000 dport 443 2>&1)
		case $way in *"dev lo"* | *nreachable* | *"No route"*) ;; *) return 1 ;; esac
	done
	inside client ip route get "$ROUTER4" | grep -q uplink
}

round "$MODE"
round "$MODE, kill switch, LAN" --kill-switch --lan lan0
finish_up
