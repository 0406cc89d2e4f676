#!/bin/bash
# UDP over TCP (sing-box's UoT): what UDP is through gatun, it is in streams as well, between
# gatun and gatun and with sing-box on either end; on a slow link datagrams are lost, not late.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

RUN_OPTIONS="--dns off --udp-over-tcp true"

# Datagrams of the tunnel's own on the uplink, which is what must not be.
udp_on_uplink() { lab_packets uplink "udp and port $SERVER_PORT"; }

rows()
{
	same "$1: UDP of 1 to 1,300 bytes" "ok:5" udp-sizes @ 1 100 512 1199 1300
	same "$1: UDP answered from elsewhere (full cone)" "@:7003 @:7103 %:7203" udp-cone @
	same "$1: one socket keeps one mapping to several targets" "True True True True" udp-one-port @
	same "$1: a connected socket gets its answer" "ask" udp-connected @
}

rows "gatun"
same "a datagram of 0 bytes is answered" "0 bytes:ok" udp-zero @
same "datagrams of 0 to 65,000 bytes come back whole" "ok:43" udp-sizes @
same "300 sockets at once, a stream each, get each its own answer" "wrong:0" udp-burst @ 300
is "a closed port is silence" timeout udp-closed @ 0.5
METHOD=aes-256-gcm KEY=
use_server gatun
rows "gatun, aes-256-gcm"

# A server whose mode is tcp_only takes it all the same; gatun local's SOCKS5 in front of it.
lab_end "$SERVER_PID"
KEY=$(make_key "$METHOD")
ends="\"server\": \"$SERVER4\", \"server_port\": $SERVER_PORT, \"method\": \"$METHOD\", \"password\": \"$KEY\", \"mode\": \"tcp_only\""
echo "{ $ends }" >"$LAB_LOGS/server.json"
lab_start server server "$GATUN" server -v -c "$LAB_LOGS/server.json"
SERVER_PID=$LAB_PID
lab_wait "the server" lab_listens_or_ended "$SERVER_PID"
rows "a server of mode tcp_only"
echo "{ $ends, \"udp_over_tcp\": {\"enabled\": true}, \"locals\": [ { \"protocol\": \"socks\", \"local_port\": 1080, \"mode\": \"tcp_and_udp\" } ] }" \
	>"$LAB_LOGS/local.json"
lab_start local client "$GATUN" local -v -c "$LAB_LOGS/local.json"
lab_wait "gatun local" lab_listens client 1080
equal "SOCKS5: UDP ASSOCIATE in streams: sizes, fragments, many at once" "echo:ok fragments:ok many:ok" \
	"$(inside client "$PYTHON" "$TESTS_DIR/probes/socks.py" 1080 7001 "$WORLD4" echo fragments many)"
lab_end "$LAB_PID"
equal "none of it travelled as UDP" 0 "$(udp_on_uplink)"

# --- a link slower than its datagrams ---------------------------------------------------

# The burst is 12 s of this link. Whoever queued it would answer after that.
inside client tc qdisc add dev uplink root tbf rate 2mbit burst 20kb latency 100ms
late=$(through "$PYTHON" - "$WORLD4" <<'END'
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
for i in range(3000):
    s.sendto(b"b" * 1000, (sys.argv[1], 7001))
start, s_end = time.monotonic(), time.monotonic() + 15
s.settimeout(0.1)
while time.monotonic() < s_end:
    s.sendto(b"mark", (sys.argv[1], 7001))
    try:
        while s.recv(2000) != b"mark":
            pass
        break
    except TimeoutError:
        pass
print("prompt" if time.monotonic() - start < 5 else "late: %.1f s" % (time.monotonic() - start))
END
)
inside client tc qdisc del dev uplink root
equal "after a burst of 12 s of the link a datagram is answered within 5 s" prompt "$late"
matches "what the link did not carry was dropped and counted" "dropped_queue=[1-9]" "$LAB_LOGS/run.log"

# --- sing-box --------------------------------------------------------------------------

# sing_box_client VERSION CONNECTED: UDP that comes to 127.0.0.1:5300 goes to the echo
sing_box_client()
{
	cat >"$LAB_LOGS/sing-box-client.json" <<-END
		{ "log": { "level": "warn" },
		  "inbounds": [ { "type": "direct", "tag": "in", "network": "udp", "listen": "127.0.0.1", "listen_port": 5300,
		                  "override_address": "$WORLD4", "override_port": 7001 } ],
		  "outbounds": [ { "type": "shadowsocks", "tag": "out", "server": "$SERVER4", "server_port": $SERVER_PORT,
		                   "method": "$METHOD", "password": "$KEY", "udp_over_tcp": { "enabled": true, "version": $1 } } ],
		  "route": { "rules": [ { "inbound": "in", "action": "route", "outbound": "out", "udp_connect": $2 } ], "final": "out" } }
	END
	lab_start sing-box-client client "$SING_BOX" run -c "$LAB_LOGS/sing-box-client.json"
	CLIENT_PID=$LAB_PID
	lab_wait "sing-box" eval '[ "$(echoes 10)" = right:1 ]' # it may drop what comes before it has started
}

# echoes SIZE...: how many of these sizes come back through the sing-box client. Each is sent up to ten
# times: a connected stream of sing-box's reads before it has noted the salt of its own request, and
# when the answer is quick it takes it for another's ("bad request salt") and closes the stream.
echoes()
{
	inside client "$PYTHON" - "$@" <<'END'
import random, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2 if len(sys.argv) > 2 else 0.5)
right = 0
def echo(data):
    for tries in range(10):
        s.sendto(data, ("127.0.0.1", 5300))
        try:
            return s.recv(70000) == data
        except TimeoutError:
            pass
    return False
for size in sys.argv[1:]:
    right += echo(random.randbytes(int(size)))
print("right:%d" % right)
END
}

if SING_BOX=$(lab_find sing-box); then
	for METHOD in 2022-blake3-aes-256-gcm aes-256-gcm; do
		KEY=
		use_server sing-box
		rows "sing-box's server, $METHOD"
		use_server gatun
		sing_box_client 2 false
		equal "sing-box's client, $METHOD, version 2" right:5 "$(echoes 1 100 1200 1400 9000)"
		lab_end "$CLIENT_PID"
		sing_box_client 2 true
		equal "sing-box's client, $METHOD, version 2, connected" right:5 "$(echoes 1 100 1200 1400 9000)"
		lab_end "$CLIENT_PID"
		sing_box_client 1 false
		equal "sing-box's client, $METHOD, version 1" right:5 "$(echoes 1 100 1200 1400 9000)"
		lab_end "$CLIENT_PID"
	done
	equal "none of it travelled as UDP" 0 "$(udp_on_uplink)"
else
	skip "sing-box is not installed (tests/interop/peers fetches it)"
fi

finish
