#!/bin/bash
# What an application hears of datagrams that go nowhere, through `gatun up`: the errno that its own network
# would give, on this machine and in the LAN. By a TUN; up_refused_tproxy.sh runs it by TPROXY.
. "$(dirname "$0")/up_lib.sh"
MODE=${UP_MODE:-tun}
begin_up "${UP_TEST:-$0}" "$@"

ABSENT4=10.77.3.99 ABSENT6=fd77:3::99	    # on the world's link, and nobody has them
NOWHERE4=203.0.113.9 NOWHERE6=2001:db8::9   # no route leads there
# The router asks for them once, for one second, and not for three.
inside router sysctl -qw net.ipv4.neigh.to-world.mcast_solicit=1 net.ipv6.neigh.to-world.mcast_solicit=1 2>/dev/null

past_the_tunnel()
{
	same "$APP, direct: a closed port" ECONNREFUSED udp-closed @ 5
	FAMILIES=4 same "$APP, direct: nobody has this address" EHOSTUNREACH udp-told "$ABSENT4"
	FAMILIES=6 same "$APP, direct: nobody has this address" EHOSTUNREACH udp-told "$ABSENT6"
	FAMILIES=4 same "$APP, direct: no route leads there" ENETUNREACH udp-told "$NOWHERE4"
	FAMILIES=6 same "$APP, direct: no route leads there" ENETUNREACH udp-told "$NOWHERE6"
	same "$APP, direct: what is answered is answered" "ask" udp-connected @
}

denied()
{
	FAMILIES=4 is "$APP: a rule forbids it" EHOSTUNREACH udp-closed "$WORLD4" 5
	FAMILIES=6 is "$APP: a rule forbids it" EACCES udp-closed "$WORLD6" 5
}

carried()
{
	[ "$MODE$APP" != tunlan ] || local FAMILIES=4 # of IPv6, the LAN's own kernel has the number of the TUN first
	is "$APP: too large for the tunnel: EMSGSIZE with the exact number" "EMSGSIZE near:True fits:data more:EMSGSIZE" udp-limit @
	is "$APP: a closed port behind the tunnel, of which Shadowsocks has no word: silence" timeout udp-closed @ 0.5
}

gate_up --mode "$MODE" --lan lan0 --dns off
for APP in client lan; do carried; done
ip -n client route del default
for APP in client lan; do
	FAMILIES=4 is "$APP: no way to the server" EHOSTUNREACH udp-told "$OTHER4"
done
ip -n client route add default via "$ROUTER4"
gate_down
no_strays "nothing left by the uplink past the tunnel"

printf '[proxy_all]\n[outbound_block_list]\n%s\n%s\n' "$WORLD4" "$WORLD6" >"$LAB_LOGS/block.acl"
gate_up --mode "$MODE" --lan lan0 --dns off --acl "$LAB_LOGS/block.acl"
for APP in client lan; do denied; done
gate_down
no_strays "nothing left by the uplink past the tunnel, where a rule forbids it"

printf '[bypass_all]\n' >"$LAB_LOGS/direct.acl"
gate_up --mode "$MODE" --lan lan0 --dns off --acl "$LAB_LOGS/direct.acl"
for APP in client lan; do past_the_tunnel; done
gate_down
UPLINK_CHECKED=no # it was, where it could be
finish_up
