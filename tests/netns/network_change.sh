#!/bin/bash
# The network changes under gatun: addresses, links, routes, the server itself. Under `gatun run` here;
# network_change_tun.sh and network_change_tproxy.sh do the same to `gatun up`.
MODE=${CHANGE_MODE:-run}
. "$(dirname "$0")/up_lib.sh"

MOVED4=10.77.2.3	# where the server goes
SECOND4=10.77.5.2	# the client's other uplink
# What gatun asks of its resolver, and where the server goes, is no stray.
LAB_TUNNEL="$LAB_TUNNEL or (host $MOVED4 and port $SERVER_PORT) or (host $SERVER4 and udp port 53) or (icmp and host $SERVER4)"

if [ "$MODE" = run ]; then begin "$0" "$@"; else begin_up "${CHANGE_TEST:-$0}" "$@"; fi
. "$TESTS_DIR/steady_lib.sh"
ip -n server addr add "$MOVED4/24" dev eth0 || lab_die "no second address for the server"
echo "$SERVER4" >"$LAB_LOGS/server.address"
lab_start names server "$PYTHON" "$TESTS_DIR/probes/moving_name.py" "$SERVER4" "$LAB_LOGS/server.address"
lab_wait "the resolver" grep -q ready "$LAB_LOGS/names.log"
echo "nameserver $SERVER4" >"$LAB_LOGS/resolv.conf"
[ "$MODE" != run ] || mount --bind "$LAB_LOGS/resolv.conf" "$(realpath /etc/resolv.conf)" || lab_skip "/etc/resolv.conf cannot be covered"
use_server gatun 0.0.0.0
SERVER=server.lab:$SERVER_PORT

# through COMMAND...: as lib.sh's where gatun runs the application itself
if [ "$MODE" = run ]; then
	through() { exec_in client "$GATUN" run -v --dns off -s "$SERVER" -m "$METHOD" -k "$KEY" -- "$@" 2>>"$LAB_LOGS/run.log"; }
	GATUN_LOG=$LAB_LOGS/run.log
else
	gate_up --mode "$MODE"
	export HELD_PATIENCE=5 # its own address may be gone: then it hears nothing at all, and begins another
	GATUN_LOG=$LAB_LOGS/up.log
fi

# --- the events -----------------------------------------------------------------

default_route() { ip -n client route replace default via "$1" dev "$2"; }
another_address()
{
	ip -n client addr del "$CLIENT4/24" dev uplink && ip -n client addr add 10.77.1.9/24 dev uplink && default_route "$ROUTER4" uplink
}
first_address()
{
	ip -n client addr del 10.77.1.9/24 dev uplink && ip -n client addr add "$CLIENT4/24" dev uplink && default_route "$ROUTER4" uplink
}
link_flap()
{
	ip -n client link set uplink down && sleep 1 && ip -n client link set uplink up && default_route "$ROUTER4" uplink
}
carrier_flap() { ip -n router link set to-client down && sleep 1 && ip -n router link set to-client up; }
second_uplink()
{
	ip -n client link add uplink2 type veth peer name to-client2 netns router && ip -n client addr add "$SECOND4/24" dev uplink2 &&
	ip -n router addr add 10.77.5.1/24 dev to-client2 && ip -n client link set uplink2 up && ip -n router link set to-client2 up &&
	# As providers do: nothing from another's addresses.
	inside router nft "table inet provider { chain forward { type filter hook forward priority 0; iifname to-client2 ip saddr != 10.77.5.0/24 drop; }; }" &&
	default_route 10.77.5.1 uplink2
}
server_moves()
{
	echo "$MOVED4" >"$LAB_LOGS/server.address"
	# To where it was nothing leads any more, and nobody says so.
	inside server nft "table ip gone { chain input { type filter hook input priority 0; ip daddr $SERVER4 meta l4proto { tcp, udp } th dport $SERVER_PORT drop; }; }"
}

all_events()
{
	BEFORE=$($STEADY now)
	event another_address
	SKIP_OLD=1 all_recover "another address"
	matches "the old one's connections end, and a line says so" "an address is gone.*address=$CLIENT4" "$GATUN_LOG"
	if [ "$MODE" = run ]; then
		recovers old "and datagrams of a socket that was there before are answered"
		# Its next try may come before there is a way again, and is then refused.
		words=" $(held_words) "
		check "the application sees a reset, not an end ($words)" eval '[[ $words == *" ECONNRESET "* && $words != *" EOF "* ]]'
	fi # under up the application has itself the address that is gone, and hears what it would without gatun
	event first_address
	all_recover "and back"

	app_settled
	event link_flap
	all_recover "link down and up"
	app_settled
	event carrier_flap
	all_recover "the cable pulled and put back"
	held_goes_on "the cable pulled and put back"

	app_settled
	event second_uplink
	all_recover "a default route by another interface"
	event default_route "$ROUTER4" uplink
	all_recover "and back"

	app_settled
	event server_moves
	all_recover "the server's name has another address"
	matches "which a line says" "another address now, udp follows address=$MOVED4" "$GATUN_LOG"
}

app_start "$MODE"
all_events
app_end
if [ "$MODE" = run ]; then finish; else finish_up; fi
