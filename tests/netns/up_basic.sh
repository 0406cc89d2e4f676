#!/bin/bash
# `gatun up` as people use it: this machine and a LAN behind it, names, both families; what becomes
# of it when it is taken down. By a TUN; up_basic_tproxy.sh and up_basic_redirect.sh run it in the other modes.
. "$(dirname "$0")/up_lib.sh"
MODE=${UP_MODE:-tun}
begin_up "${UP_TEST:-$0}" "$@"

resolved() { through dig +time=3 +tries=2 +short "$@" | head -n 1; }

rows()
{
	local who=$1
	same "$who: a connection is carried, and the answer after its own FIN too" "answer:right then:EOF" half-close @
	[ "$MODE" = redirect ] ||
		same "$who: UDP is answered by whoever answers, under his true address" "@:7003 @:7103 %:7203" udp-cone @
	case $(resolved a.example.test) in
	198.1[89].*) ok "$who: a name has an address of gatun's, whoever is asked for it" ;;
	*) fail "$who: a name has an address of gatun's, whoever is asked for it" "found: $(resolved a.example.test)" ;;
	esac
}

snapshot "$LAB_LOGS/before"
gate_up --mode "$MODE" --lan lan0
rows "this machine"
APP=lan rows "a machine of the LAN"
gate_down
snapshot "$LAB_LOGS/after"
same_snapshot "down gives everything back as it was" "$LAB_LOGS/before" "$LAB_LOGS/after"
equal "down once more says that nothing is up" "nothing is up" "$(inside client "$GATUN" down 2>&1)"
finish_up
