#!/bin/bash
# `gatun up` as people use it: this machine and a LAN behind it, names, both families; what becomes
# of it when it is taken down. By a TUN; up_basic_tproxy.sh and up_basic_redirect.sh run it in the other modes.
. "$(dirname "$0")/up_lib.sh"
MODE=${UP_MODE:-tun}
begin_up "${UP_TEST:-$0}" "$@"

resolved() { through dig +time=3 +tries=2 +short "$@" | head -n 1; }

# pings that are refused, IPv4 and IPv6
refused_pings()
{
	local to n=0
	for to in "$WORLD4" "$WORLD6"; do
		through ping -n -c 1 -W 3 "$to" 2>&1 | grep -Eqi 'filtered|prohibited|unreachable|no route' && n=$((n + 1))
	done
	echo "$n of 2"
}

effective() { awk '$1 == "CapEff:" { print $2 }' "/proc/$1/status"; }

rows()
{
	local who=$1
	same "$who: a connection is carried, and the answer after its own FIN too" "answer:right then:EOF" half-close @
	[ "$MODE" = redirect ] ||
		same "$who: UDP is answered by whoever answers, under his true address" "@:7003 @:7103 %:7203" udp-cone @
	[ "$MODE" = redirect ] ||
		same "$who: datagrams of any size, also those that the path has to be learned for" "ok:5" udp-sizes @ 1 1400 1450 1472 9000
	[ "$MODE" != tun ] && [ "$who" = "this machine" ] ||
		equal "$who: ping, which nobody carries, is refused at once" "2 of 2" "$(refused_pings)"
	case $(resolved a.example.test) in
	198.1[89].*) ok "$who: a name has an address of gatun's, whoever is asked for it" ;;
	*) fail "$who: a name has an address of gatun's, whoever is asked for it" "found: $(resolved a.example.test)" ;;
	esac
}

snapshot "$LAB_LOGS/before"
gate_up --mode "$MODE" --lan lan0
rows "this machine"
APP=lan rows "a machine of the LAN"
raw=$((1 << 13)) admin=$((1 << 12)) low=$((1 << 10)) # CAP_NET_RAW, CAP_NET_ADMIN, CAP_NET_BIND_SERVICE
[ "$MODE" = tproxy ] || low=0
equal "a worker can mark its sockets, answer in others' names, and nothing else" $((raw | low)) $((0x$(effective "$(gate_workers | awk '{ print $1 }')")))
equal "the supervisor can take the gate back, and little more" $((raw | admin | 1 << 10)) $((0x$(effective "$UP_PID")))
if [ "$MODE" = tun ]; then gate_down; else kill -HUP "$UP_PID"; lab_gone "$UP_PID"; fi # a terminal that is closed ends it in order
snapshot "$LAB_LOGS/after"
same_snapshot "down gives everything back as it was" "$LAB_LOGS/before" "$LAB_LOGS/after"
equal "down once more says that nothing is up" "nothing is up" "$(inside client "$GATUN" down 2>&1)"
finish_up
