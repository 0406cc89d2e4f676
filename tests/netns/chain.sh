#!/bin/bash
# A server reached through others (outbound_proxy): Shadowsocks over Shadowsocks, over SOCKS5
# and over HTTP, and three deep; TCP, UDP where the hops carry it, and what is said where not.
#
#	client ══ hop (server:8388) ── [ hops in world ] ── last server (world:8401) ── world
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
lab_end "$SERVER_PID"

HOP_KEY=$(make_key "$METHOD") MID_KEY=$(make_key "$METHOD")
LAST=$(lab_host_port "$WORLD4" 8401)
escape() { "$PYTHON" -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1], safe=""))' "$1"; }
HOP_URL="ss://$METHOD:$(escape "$HOP_KEY")@$SERVER4:$SERVER_PORT"
MID_URL="ss://$METHOD:$(escape "$MID_KEY")@$WORLD4:8402"
case $METHOD in 2022-*) ;; *) HOP_URL=ss://$(printf %s "$METHOD:$HOP_KEY" | base64 -w0)@$SERVER4:$SERVER_PORT MID_URL=ss://$(printf %s "$METHOD:$MID_KEY" | base64 -w0)@$WORLD4:8402 ;; esac

# The last server, which the client never meets, and one in the middle.
lab_start last world "$GATUN" server -v -s "$LAST" -m "$METHOD" -k "$KEY"
lab_start mid world "$GATUN" server -v -s "$WORLD4:8402" -m "$METHOD" -k "$MID_KEY"
lab_wait "the last server" lab_listens world 8401
lab_wait "the server in the middle" lab_listens world 8402
SERVER=$LAST

# hop KIND: who stands at server:8388. "proxy" is socks5 and http, for joe alone.
hop()
{
	[ -z "${SERVER_PID:-}" ] || lab_end "$SERVER_PID"
	if [ "$1" = proxy ]; then
		cat >"$LAB_LOGS/hop.json" <<-J
		{ "server": "$WORLD4", "server_port": 8402, "method": "$METHOD", "password": "$MID_KEY",
		  "locals": [ { "protocol": "mixed", "local_address": "$SERVER4", "local_port": $SERVER_PORT,
		    "socks5_auth_config_path": "$LAB_LOGS/users.json", "http_auth_config_path": "$LAB_LOGS/users.json" } ] }
		J
		printf '{"password":{"users":[{"user_name":"joe","password":"p@ss:w"}]},"basic":{"users":[{"user_name":"joe","password":"p@ss:w"}]}}' >"$LAB_LOGS/users.json"
		lab_start server server "$GATUN" local -v -c "$LAB_LOGS/hop.json"
	else
		lab_start server server "$GATUN" server -v -s "$SERVER4:$SERVER_PORT" -m "$METHOD" -k "$HOP_KEY"
	fi
	SERVER_PID=$LAB_PID
	lab_wait "the hop" lab_listens server "$SERVER_PORT"
}

# by HOP...: the chain of what follows
by()
{
	local url
	RUN_OPTIONS="--dns off"
	for url; do RUN_OPTIONS+=" --outbound-proxy $url"; done
}

tcp()
{
	same "$1: a connection" ok short-once @
	same "$1: 10 MB down" "got:10000000,intact then:EOF" source @ 10000000
	same "$1: 3 MB and FIN, then the answer" "answer:right then:EOF" half-close @ 3000000
	same "$1: a target that resets" "got:200000 then:ECONNRESET" reset @ 200000
}

udp()
{
	same "$1: UDP of 1 to 1,200 bytes" "ok:4" udp-sizes @ 1 100 512 1200
	same "$1: UDP answered from elsewhere (full cone)" "@:7003 @:7103 %:7203" udp-cone @
}

hop shadowsocks
by "$HOP_URL"
tcp "Shadowsocks over Shadowsocks"
udp "Shadowsocks over Shadowsocks"
matches "the hop is asked for the server, and for nothing else" "target=$LAST" "$LAB_LOGS/server.log"
lab_end "$SERVER_PID"
SERVER_PID=
is "the hop is down: as if the server were" "ECONNREFUSED" short-once @

hop proxy
JOE=socks5://joe:p%40ss%3Aw@$SERVER4:$SERVER_PORT
by "$JOE"
tcp "over SOCKS5"
udp "over SOCKS5"
by "socks5://$SERVER4:$SERVER_PORT"
is "SOCKS5 without the password: refused before the app's connect stands" "E*" short-once @
matches "and the log says what is missing" "asks for a name and a password: outbound_proxy takes USER:PASSWORD@" "$LAB_LOGS/run.log"
by "socks5://joe:wrong@$SERVER4:$SERVER_PORT"
is "with a wrong one too" "E*" short-once @
matches "the log says so" "does not take this name and password" "$LAB_LOGS/run.log"

by "http://joe:p%40ss%3Aw@$SERVER4:$SERVER_PORT"
tcp "over HTTP CONNECT"
is "HTTP carries no UDP: the app is told at once" "ECONNREFUSED" udp-connected @ 5
matches "and the user too" "an HTTP proxy carries no UDP" "$LAB_LOGS/run.log"
by "http://$SERVER4:$SERVER_PORT"
is "HTTP without the password: refused" "E*" short-once @

by "$JOE" "$MID_URL"
tcp "three deep: SOCKS5, Shadowsocks, Shadowsocks"
udp "three deep: SOCKS5, Shadowsocks, Shadowsocks"
hop shadowsocks
lab_start middle world "$GATUN" local -v --socks "$WORLD4:1080" -s "$WORLD4:8402" -m "$METHOD" -k "$MID_KEY"
MIDDLE_PID=$LAB_PID
lab_wait "the proxy in the middle" lab_listens world 1080
by "$HOP_URL" "socks5://$WORLD4:1080"
tcp "three deep: Shadowsocks, SOCKS5, Shadowsocks"
udp "three deep: Shadowsocks, SOCKS5, Shadowsocks"

# The TUN's MTU leaves room for all of them: the largest datagram of the app is one packet on the uplink.
mtu=$(through cat /proc/net/dev_mcast /sys/class/net/tun0/mtu 2>/dev/null | tail -n 1)
[ -n "$mtu" ] || mtu=$(through "$PYTHON" -c 'import fcntl, socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
name = [n for _, n in socket.if_nameindex() if n != "lo"][0].encode()
print(struct.unpack("16si", fcntl.ioctl(s, 0x8921, struct.pack("16si", name, 0)))[1])')
check "the MTU is the path's less what three layers add" [ "$mtu" -ge 1280 -a "$mtu" -le $((1500 - 2 * 50)) ]
same_size=$((mtu - 28))
equal "a datagram that fills it comes back" ok:1 "$(through $PROBE udp-sizes "$WORLD4" "$same_size")"
equal "and was one packet each way" 0 "$(lab_packets uplink 'ip[6:2] & 0x3fff != 0')"

lab_end "$MIDDLE_PID"
check "no key and no password is in any log" [ -z "$(grep -lF -e "$KEY" -e "$HOP_KEY" -e "$MID_KEY" -e 'p@ss:w' "$LAB_LOGS"/*.log)" ]
finish
