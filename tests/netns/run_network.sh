#!/bin/bash
# The network of a sandbox, with a server behind it on the host's loopback: ping,
# the device as the kernel shows it, and TCP and UDP through every level of
# offload that the TUN can be opened with.
. "$(dirname "$0")/lib/run.bash"

PORT=$((10000 + $$ % 20000)) # below those that clients get
# What the server's 127.0.0.1 is called from inside, where 127.0.0.1 is one's own.
echo "127.0.0.1 world.test" >"$TMP/hosts"
"$GATUN" server -s "127.0.0.1:$PORT" -m aes-256-gcm -k "$PASSWORD" --allow-local --hosts "$TMP/hosts" >"$TMP/server.log" 2>&1 &
SERVER=$!
cat >"$TMP/world.py" <<'P'
# A web server and a UDP echo, on ports of the kernel's choice, which it prints.
import http.server, os, socket, sys, threading
os.chdir(sys.argv[1])
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args): pass
web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
def echo():
    while True:
        data, peer = udp.recvfrom(65536)
        udp.sendto(data, peer)
threading.Thread(target=echo, daemon=True).start()
print(web.server_address[1], udp.getsockname()[1], flush=True)
web.serve_forever()
P
mkdir "$TMP/www"
head -c 5000000 /dev/urandom >"$TMP/www/file"
: >"$TMP/ports"
python3 "$TMP/world.py" "$TMP/www" >"$TMP/ports" 2>"$TMP/world.log" &
WORLD=$!
cleanup() { kill "$SERVER" "$WORLD" 2>/dev/null; wait "$SERVER" "$WORLD" 2>/dev/null; }
await 5 grep -q . "$TMP/ports" || { cat "$TMP/world.log"; exit 1; }
read -r WEB UDP <"$TMP/ports"
answers() { python3 -c "import socket; socket.create_connection(('127.0.0.1', $PORT)).close()" 2>/dev/null; }
await 5 answers || { cat "$TMP/server.log"; exit 1; }
URL="ss://$(printf 'aes-256-gcm:%s' "$PASSWORD" | base64 -w0 | tr -d =)@127.0.0.1:$PORT"
SUM=$(sha256sum <"$TMP/www/file")

cat >"$TMP/echo.py" <<'P'
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
s.connect(("world.test", int(sys.argv[1])))
for size in (0, 1, 1200, 1472, 9000, 60000):
    data = os.urandom(size)
    s.send(data)
    if s.recv(65536) != data:
        sys.exit("%d bytes came back changed" % size)
print("echoed")
P

network()
{
	check "ping of the gateway is answered, IPv4" run ping -4 -c1 -W3 192.0.0.1
	check "and IPv6" run ping -6 -c1 -W3 fd67:6174:756e::1
	check "ping without the capability of its file, too" run python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
s.settimeout(3)
s.connect(("192.0.0.1", 0))
s.send(b"\x08\0\0\0\0\0\0\1hello")
assert b"hello" in s.recv(100)'
	same "the device's queue holds 8192 packets: none is lost while gatun waits for a processor" 8192 "$(run ip -o link show dev gatun0 | sed 's/.*qlen \([0-9]*\).*/\1/')"
	same "--mtu is the device's" 1400 "$("$AS" "$GATUN" run --mtu 1400 "$URL" -- ip -o link show dev gatun0 | sed 's/.*mtu \([0-9]*\).*/\1/')"
	for level in none tso all; do
		export GATUN_TUN_OFFLOAD=$level
		same "TUN offload $level: a download arrives whole" "$SUM" \
			"$("$AS" "$GATUN" run --mtu 1500 "$URL" -- curl -s -m 20 "http://world.test:$WEB/file" | sha256sum)"
		same "TUN offload $level: UDP of 0 to 60,000 bytes comes back" echoed \
			"$("$AS" "$GATUN" run --mtu 1500 "$URL" -- python3 "$TMP/echo.py" "$UDP" 2>&1)"
	done
	unset GATUN_TUN_OFFLOAD
}
for_each_user network

# What the kernel says the device takes over.
offloads() { GATUN_TUN_OFFLOAD=$1 run ethtool -k gatun0 | sed -n 's/^\ttx-\(tcp6\{0,1\}-segmentation\): on.*/\1/p;s/^tx-\(udp-segmentation\): on.*/\1/p' | xargs; }
if command -v ethtool >/dev/null; then
	same "offload none: the kernel segments" "" "$(offloads none)"
	same "offload tso: it hands TCP super-packets over" "tcp-segmentation tcp6-segmentation" "$(offloads tso)"
	check "offload all: at least those" expr "$(offloads all)" : 'tcp-segmentation tcp6-segmentation'
fi
