# What the tests of redir inbounds stand on, beside up_lib.sh, which it sources. Bash.
#
#   redir_rules tproxy|redirect    rules as a user writes them, in client: what this machine
#                                  and its LAN send to the world goes to port 1082
#   start_redir LOG OPTIONS...     gatun local in client; PID in LOCAL_PID
#   APP=lan same ...               the asking program stands in the LAN; client otherwise
#   streams_are_right              what holds of TCP in both modes
#
# `gatun local` installs no rules: they are here. gatun's own sockets carry the mark REDIR_MARK,
# which the rules leave alone.

. "$(dirname "${BASH_SOURCE[0]}")/up_lib.sh"

REDIR_PORT=1082
REDIR_MARK=${REDIR_MARK:-255}

# What is near stays near: loopback, the links, the tunnel's server.
near_rules()
{
	echo "ip daddr { 127.0.0.0/8, 10.77.1.0/24, 10.77.9.0/24, $SERVER4, 224.0.0.0/3 } return"
	echo "ip6 daddr { ::1, fe80::/10, fd77:1::/64, fd77:9::/64, $SERVER6, ff00::/8 } return"
}

tproxy_rules()
{
	cat <<-N
	table inet redir {
		chain take {
			$(near_rules)
			meta l4proto { tcp, udp } meta nfproto ipv4 meta mark set 1 tproxy ip to :$REDIR_PORT accept
			meta l4proto { tcp, udp } meta nfproto ipv6 meta mark set 1 tproxy ip6 to :$REDIR_PORT accept
		}
		chain prerouting {
			type filter hook prerouting priority mangle
			meta mark 1 goto take
			iifname "lan0" goto take
		}
		chain output {
			type route hook output priority mangle
			meta mark $REDIR_MARK return
			ct direction reply return
			$(near_rules)
			meta l4proto { tcp, udp } meta mark set 1
		}
	}
	N
}

nat_rules()
{
	cat <<-N
	table inet redir {
		chain take {
			$(near_rules)
			meta l4proto tcp redirect to :$REDIR_PORT
		}
		chain prerouting { type nat hook prerouting priority dstnat; iifname "lan0" goto take; }
		chain output { type nat hook output priority -100; meta mark != $REDIR_MARK goto take; }
	}
	N
}

# redir_need EXPRESSION CHAIN: skips where this kernel has no such thing
redir_need()
{
	printf "table inet probe {\nchain c { type $2; $1; }\n}\n" | inside client nft -c -f - 2>/dev/null || lab_skip "nft $1 is not to be had here"
}

redir_rules()
{
	local family
	lab_need nft
	inside client nft delete table inet redir 2>/dev/null
	if [ "$1" = redirect ]; then
		redir_need "meta l4proto tcp redirect to :1" "nat hook prerouting priority -100"
		nat_rules | inside client nft -f - || lab_die "the rules are wrong"
		return
	fi
	redir_need "meta l4proto tcp meta nfproto ipv4 tproxy ip to :1" "filter hook prerouting priority -150"
	for family in -4 -6; do
		ip -n client "$family" rule add fwmark 1 lookup 100 2>/dev/null
		ip -n client "$family" route replace local default dev lo table 100 || lab_die "no route to lo"
	done
	tproxy_rules | inside client nft -f - || lab_die "the rules are wrong"
}

start_redir()
{
	local log=$1
	shift
	lab_start "$log" client "$GATUN" local -v -c "$LAB_LOGS/redir.json" "$@"
	LOCAL_PID=$LAB_PID
	lab_wait "gatun local" lab_listens client "$REDIR_PORT"
}

# redir_config TCP_REDIR [MORE]: of the server that runs; the listener takes both families
redir_config()
{
	cat >"$LAB_LOGS/redir.json" <<-J
	{
		"server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "password": "$KEY",
		"outbound_fwmark": $REDIR_MARK, ${2:-}
		"locals": [ { "protocol": "redir", "local_address": "::", "local_port": $REDIR_PORT, "tcp_redir": "$1", "udp_redir": "tproxy" } ]
	}
	J
	chmod 600 "$LAB_LOGS/redir.json"
}

# What holds of TCP by every kind of redirection, asked by $APP.
streams_are_right()
{
	same "$APP: a peer that speaks first is heard" "220 ready|quit" banner @
	same "$APP: 3 MB and FIN, then the answer is read" "answer:right then:EOF" half-close @ 3000000
	same "$APP: after data and FIN from the peer, 3 MB are still taken" "got:100000,EOF send:ok peer:all" early @ 3000000
	same "$APP: a target that resets after 200 kB is ECONNRESET" "got:200000 then:ECONNRESET" reset @ 200000
	same "$APP: an application that resets is a reset to the target" "peer:ECONNRESET" aborts @
	is "$APP: a closed port resets who waits for an answer" "connect:*ECONNRESET" silent @
}
