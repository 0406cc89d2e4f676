#!/bin/bash
# Like no proxy at all, through `gatun up`: what an application can tell, on a machine of the LAN (and, where the
# kernel's TCP stands in front, on this one). By a TUN; up_transparency_tproxy.sh runs it by TPROXY, where
# one thing is different by nature: a connect succeeds before the way is known, and what fails is a reset.
. "$(dirname "$0")/up_lib.sh"
MODE=${UP_MODE:-tun}
begin_up "${UP_TEST:-$0}" "$@"

ABSENT4=10.77.3.99 ABSENT6=fd77:3::99	    # on the world's link, and nobody has them
NOWHERE4=203.0.113.9 NOWHERE6=2001:db8::9   # no route leads there
# The router asks for them once, for one second, and not for three.
inside router sysctl -qw net.ipv4.neigh.to-world.mcast_solicit=1 net.ipv6.neigh.to-world.mcast_solicit=1 2>/dev/null

# fails TEXT NATIVE-WORDS PROBE...: as natively where the SYN-ACK waits for the way; a reset by TPROXY
fails()
{
	if [ "$MODE" = tun ]; then same "$@"; else is "$1" "connect:*ECONNRESET*" "${@:3}"; fi
}

carried()
{
	local who=$1
	same "$who: 3 MB and FIN, then the answer is read" "answer:right then:EOF" half-close @ 3000000
	same "$who: after data and FIN from the peer, 3 MB are still taken" "got:100000,EOF send:ok peer:all" early @ 3000000
	same "$who: a target that resets after 200 kB is ECONNRESET" "got:200000 then:ECONNRESET" reset @ 200000
	same "$who: an application that resets is a reset to the target" "peer:ECONNRESET" aborts @
	is "$who: a server that closes before one byte is a reset, at once" "connect:*ECONNRESET quickly" refused @ 7099 0.25
	same "$who: datagrams of 0 to 65,000 bytes come back whole" "ok:43" udp-sizes @
	same "$who: answers from others arrive, each with its true source" "@:7003 @:7103 %:7203" udp-cone @
	[ "$who" = lan ] || return # the rest has no other way to fail there
	same "$who: a peer that speaks first is heard" "220 ready|quit" banner @
	is "$who: a peer that hangs up at once is a reset" "connect:*ECONNRESET" silent @ 7015
	same "$who: a datagram of 0 bytes is answered" "0 bytes:ok" udp-zero @
	same "$who: a connected socket gets its answer" "ask" udp-connected @
	same "$who: one socket keeps one mapping to several targets" "True True True True" udp-one-port @
}

past_the_tunnel()
{
	local who=$1
	fails "$who, direct: a closed port refuses the connect" "connect:ECONNREFUSED" silent @
	FAMILIES=4 fails "$who, direct: nobody has this address" "connect:EHOSTUNREACH" silent "$ABSENT4"
	FAMILIES=6 fails "$who, direct: nobody has this address" "connect:EHOSTUNREACH" silent "$ABSENT6"
	FAMILIES=4 fails "$who, direct: no route leads there" "connect:ENETUNREACH" silent "$NOWHERE4"
	FAMILIES=6 fails "$who, direct: no route leads there" "connect:ENETUNREACH" silent "$NOWHERE6"
	same "$who, direct: 3 MB and FIN, then the answer is read" "answer:right then:EOF" half-close @ 3000000
	same "$who, direct: a reset in the middle is a reset" "got:200000 then:ECONNRESET" reset @ 200000
	same "$who, direct: answers from others arrive, each with its true source" "@:7003 @:7103 %:7203" udp-cone @
}

who=lan
[ "$MODE" = tun ] || who="lan client"
gate_up --mode "$MODE" --lan lan0 --dns off
for APP in $who; do carried "$APP"; done
gate_down
no_strays "nothing left by the uplink past the tunnel, so far"

printf '[bypass_all]\n' >"$LAB_LOGS/direct.acl"
gate_up --mode "$MODE" --lan lan0 --dns off --acl "$LAB_LOGS/direct.acl"
for APP in $who; do past_the_tunnel "$APP"; done
gate_down
count_strays # these were meant to

if [ "$MODE" = tun ]; then
	gate_up --mode "$MODE" --lan lan0 --dns off --true-connect
	APP=lan
	same "connect=true: a closed port refuses the connect" "connect:ECONNREFUSED quickly" refused @ 7099 0.5
	FAMILIES=4 same "connect=true: nobody has this address" "connect:EHOSTUNREACH" silent "$ABSENT4"
	FAMILIES=6 same "connect=true: nobody has this address" "connect:EHOSTUNREACH" silent "$ABSENT6"
	FAMILIES=4 same "connect=true: no route leads there" "connect:ENETUNREACH" silent "$NOWHERE4"
	same "connect=true: what works goes on working" "answer:right then:EOF" half-close @ 3000000
	gate_down
	no_strays "nothing left by the uplink past the tunnel since"
fi
UPLINK_CHECKED=no # it was, where it could be
finish_up
