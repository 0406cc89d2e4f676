#!/bin/bash
# gatun local as a resolver: names that an ACL bypasses are asked of a resolver nearby, past the
# tunnel, the others of a far one through it; a blocked name is refused; UDP and TCP.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
lab_need dig
UPLINK_CHECKED=no # the resolver nearby is asked past the tunnel

# Two resolvers, which are told apart by their answers: the far one on the world's first address, the
# near one on its second. One line per question goes to its log.
cat >"$LAB_LOGS/resolver.py" <<-'END'
	import socket, struct, sys, threading
	address, mine = sys.argv[1], sys.argv[2]
	ZONE = { "both.lab": mine, "only.lab": mine, "bypass.lab": mine, "turned.lab": "192.0.2.7" if mine.startswith("192") else mine }
	def answer(q, how):
	    labels, at = [], 12
	    while q[at]: labels.append(q[at + 1:at + 1 + q[at]].decode().lower()); at += 1 + q[at]
	    name, kind = ".".join(labels), struct.unpack_from("!H", q, at + 1)[0]
	    print(how, kind, name, flush=True)
	    if name.startswith("mute") and how == "udp": return None
	    data = socket.inet_aton(ZONE.get(name, "203.0.113.9"))
	    if name == "large.lab" and how == "udp": return q[:2] + struct.pack("!HHHHH", 0x8380, 1, 0, 0, 0) + q[12:at + 5]
	    n = 100 if name == "large.lab" else 1
	    known = name != "nothing.lab"
	    reply = q[:2] + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, n if kind == 1 and known else 0, 0, 0) + q[12:at + 5]
	    if kind == 1 and known:
	        for i in range(n): reply += b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + data
	    return reply
	u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind((address, 5300))
	def udp():
	    while True:
	        q, peer = u.recvfrom(2000); r = answer(q, "udp")
	        if r: u.sendto(r, peer)
	def serve(c):
	    try:
	        while True:
	            n = c.recv(2, socket.MSG_WAITALL)
	            if len(n) < 2: return
	            r = answer(c.recv(struct.unpack("!H", n)[0], socket.MSG_WAITALL), "tcp"); c.sendall(struct.pack("!H", len(r)) + r)
	    except OSError: pass
	threading.Thread(target=udp, daemon=True).start()
	t = socket.create_server((address, 5300)); print("ready", flush=True)
	while True: threading.Thread(target=serve, args=(t.accept()[0],), daemon=True).start()
END
lab_start far world "$PYTHON" "$LAB_LOGS/resolver.py" "$WORLD4" 198.51.100.1
lab_start near world "$PYTHON" "$LAB_LOGS/resolver.py" "$OTHER4" 192.0.2.1
lab_wait "the resolvers" eval 'grep -q ready "$LAB_LOGS/far.log" && grep -q ready "$LAB_LOGS/near.log"'

# start_local: with the list on standard input
start_local()
{
	cat >"$LAB_LOGS/dns.acl"
	[ -z "${LOCAL_PID:-}" ] || lab_end "$LOCAL_PID"
	cat >"$LAB_LOGS/local.json" <<-J
		{ "server": "$SERVER4", "server_port": $SERVER_PORT, ${HOP:-} "method": "$METHOD", "password": "$KEY", "acl": "$LAB_LOGS/dns.acl",
		  "locals": [ { "protocol": "dns", "local_port": 5353, "local_dns_address": "$OTHER4", "local_dns_port": 5300,
		                "remote_dns_address": "$WORLD4", "remote_dns_port": 5300, "client_cache_size": 5 } ] }
	J
	lab_start local client "$GATUN" local -v -c "$LAB_LOGS/local.json"
	LOCAL_PID=$LAB_PID
	lab_wait "gatun local" lab_listens client 5353
}

ask() { exec_in client dig +tries=1 +time=6 -p 5353 @127.0.0.1 "$@"; }
# says TEXT WORD DIG...: the short answer, or the status where there is none
says()
{
	local text=$1 word=$2 out
	shift 2
	out=$(ask "$@" | awk '/status:/ { sub(/,/, "", $6); status = $6 } /^[^;].*[ \t]A[ \t]/ { found = $5 } END { print found ? found : status }')
	equal "$text" "$word" "$out"
}
asked() { grep -c " $2\$" "$LAB_LOGS/$1.log"; }

start_local <<-END
	[proxy_all]
	[bypass_list]
	||bypass.lab
	192.0.2.7
	[outbound_block_list]
	||blocked.lab
END
for how in +notcp +tcp; do
	says "$how: a name that is bypassed is asked nearby" 192.0.2.1 $how bypass.lab
	says "$how: a name that no list names is asked through the tunnel" 198.51.100.1 $how both.lab
	says "$how: but one of its addresses is bypassed: the answer from nearby" 192.0.2.7 $how turned.lab
	says "$how: a blocked name is refused" REFUSED $how www.blocked.lab
	says "$how: what does not exist" NXDOMAIN $how nothing.lab
	says "$how: localhost is nobody's to tell" 127.0.0.1 $how localhost
	equal "$how: an answer of 1,6 kB" 100 "$(ask $how +short large.lab | wc -l)"
done
equal "nobody was asked about what is blocked" "0 0" "$(asked far blocked.lab) $(asked near blocked.lab)"
equal "nor the far one about what is bypassed" 0 "$(asked far bypass.lab)"
says "a resolver nearby that is deaf to UDP is asked by TCP" 203.0.113.9 mute.bypass.lab
equal "after two tries" "udp 1 mute.bypass.lab udp 1 mute.bypass.lab tcp 1 mute.bypass.lab" "$(grep mute "$LAB_LOGS/near.log" | paste -sd' ')"
equal "one connection to the far one carries all questions" 1 "$(lab_mark_uplink; grep -c 'target=.*5300' "$LAB_LOGS/server.log")"
equal "20 questions at once, each with its answer" 20 "$(exec_in client "$PYTHON" - <<-'END'
	import socket, struct
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); s.connect(("127.0.0.1", 5353))
	for i in range(20):
	    s.send(struct.pack("!HHHHHH", i, 0x100, 1, 0, 0, 0) + b"".join(bytes([len(l)]) + l for l in ((b"n%d" % i), b"bypass" if i % 2 else b"only", b"lab")) + b"\0\0\1\0\1")
	print(len({s.recv(600)[:2] for _ in range(20)}))
	END
)"

start_local <<-END
	[bypass_all]
	[proxy_list]
	||only.lab
END
before=$(asked far both.lab)
says "bypass_all: a name on the proxy list is asked through the tunnel" 198.51.100.1 only.lab
says "bypass_all: all others nearby" 192.0.2.1 both.lab
equal "and the far one does not hear of them" "$before" "$(asked far both.lab)"
equal "the near one did not hear of the first" 0 "$(asked near only.lab)"

lab_kill "$SERVER_PID"
SERVER_PID=
says "server down: names that need the tunnel fail" SERVFAIL only.lab
says "and the others do not" 192.0.2.1 both.lab
HOP='"outbound_proxy": "socks5://hop.lab:1080",'
start_local <<<"[proxy_all]"
says "the name of a proxy before the server is not asked through it" 203.0.113.9 hop.lab
lab_end "$LOCAL_PID"
matches "it ends in order" "flows tcp" "$LAB_LOGS/local.log"
check_reports
finish
