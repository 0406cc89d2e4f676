# A path on which long packets vanish; source it instead of lib.sh. Bash.
#
#   hole MTU        the router's way to the server takes no more, and the client is not told; 1500: no hole
#   measured        how many times gatun has ended its search for the path's MTU
#   limit           what it knows of it: bytes, 0 for nothing
#   told ADDRESS    the path's MTU as an application learns it, or "silence"
#   opens WHO       a sandbox in which black holes are looked for ("probing") or not ("trusting"). Its log: run.log
#   large SIZE      an application sends a datagram that makes an IPv4 packet of SIZE, not to be fragmented
#   verdict N       such are sent until gatun has ended more than N searches
#   find_hole       there is one of 1400, and it is found
#   drops WHERE RULE  in namespace WHERE, what the rule takes, until `lets WHERE`
#   other_network   the client gets another address: what was known of paths is looked at again

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

begin_hole()
{
	begin "$@"
	local who
	for who in probing trusting; do
		printf '{ "dns_mode": "off", "dns_upstream": "%s", "mtu_probe": %s }\n' "$WORLD4" "$([ $who = probing ] && echo true || echo false)" \
			>"$LAB_LOGS/$who.json"
	done
	inside router nft -f - <<-'END' || lab_skip "nft cannot filter in a namespace"
		table inet silent {
			chain out {
				type filter hook output priority 0;
				ip daddr 10.77.1.0/24 icmp type destination-unreachable drop
				ip6 daddr fd77:1::/64 icmpv6 type packet-too-big drop
			}
		}
	END
}

# The server, to which nobody is deaf, knows its way back; but its SYN-ACK says nothing of it.
hole()
{
	ip -n router link set to-server mtu "$1" &&
	ip -n server route change default via 10.77.2.1 mtu "$1" advmss 1460 &&
	ip -n server -6 route change default via fd77:2::1 mtu "$1" advmss 1440 || lab_die "cannot dig the hole"
}
measured() { grep -c "its path was" "$LAB_LOGS/run.log"; }
measured_more_than() { [ "$(measured)" -gt "$1" ]; }
told() { in_sandbox $PYTHON "$TESTS_DIR/probes/path_mtu.py" "$1"; }

# The client's and the server's own documents stand side by side, one in a line.
limit()
{
	inside client "$GATUN" status --json 2>/dev/null | $PYTHON -c '
import json, sys
print(sum(s.get("path_limit", 0) for line in sys.stdin for s in json.loads(line).get("servers", []) if isinstance(s, dict)))'
}
limit_is() { [ "$(limit)" = "$1" ]; }

# drops NAMESPACE RULE: while it holds
drops()
{
	inside "$1" nft "add table inet losses; add chain inet losses in { type filter hook prerouting priority -300; }; add rule inet losses in $2 drop"
}
lets() { inside "$1" nft delete table inet losses; }

large()
{
	in_sandbox $PYTHON -c "
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.IPPROTO_IP, 10, 2)
sock.sendto(bytes($1 - 28), ('$WORLD4', 7001))"
}

# verdict N: large datagrams are sent until gatun has ended more than N searches; one that comes before it has
# noticed another network is not looked into
verdict() { lab_wait "a verdict" large_and_measured "$1"; }
large_and_measured()
{
	large 1422
	measured_more_than "$1"
}

find_hole()
{
	hole 1400
	large 1400
	lab_wait "the hole is found" limit_is 1400
}

opens()
{
	: >"$LAB_LOGS/run.log"
	RUN_OPTIONS="-v -c $LAB_LOGS/$1.json"
	open_sandbox
}

other_network()
{
	ip -n client addr add "$1/32" dev uplink
}

# A connection that had begun to send before anybody knew of the hole, and no UDP that would have told.
# tcp_in_hole SERVER WORDS: what becomes of it
tcp_in_hole()
{
	use_server gatun "$1"
	opens probing
	hole 1400
	equal "an upload into the hole: $2" "$2" "$(in_sandbox $PROBE half-close "$WORLD4" 1000000)"
	lab_wait "the hole is found" limit_is 1400
	ok "that it was swallowed is noticed, and the hole is found"
	equal "an upload that begins now is whole" "answer:right then:EOF" "$(in_sandbox $PROBE half-close "$WORLD4" 3000000)"
	hole 1500
	close_sandbox
}
