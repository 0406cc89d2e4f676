#!/bin/bash
# gatun local: SOCKS5 with UDP ASSOCIATE, SOCKS4 and 4a, users, tunnels; in front of our own
# server, and in ss-local's place in front of Debian's ss-server.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
lab_need curl proxychains4
lab_start_web

printf '{"password":{"users":[{"user_name":"joe","password":"hunter2hunter2"}]}}' >"$LAB_LOGS/users.json"

# start_local KIND: its inbounds, before a server of that kind
start_local()
{
	cat >"$LAB_LOGS/local.json" <<-J
	{
		"server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "password": "$KEY",
		"local_port": 1080,
		"locals": [
			{ "protocol": "socks", "local_port": 1081, "socks5_auth_config_path": "$LAB_LOGS/users.json" },
			{ "protocol": "socks", "local_port": 1082, "mode": "tcp_only" },
			{ "protocol": "socks", "local_address": "0.0.0.0", "local_port": 1083 },
			{ "protocol": "socks", "local_port": 1086, "udp_associate_addr": "192.0.2.7:5353" },
			{ "protocol": "mixed", "local_port": 1087, "local_udp_associate_address": "192.0.2.8" },
			{ "protocol": "tunnel", "local_port": 1084, "forward_address": "$WORLD4", "forward_port": 7001 },
		]
	}
	J
	lab_start "local.$1" client "$GATUN" local -v -c "$LAB_LOGS/local.json" --tunnel "127.0.0.1:1085=$WORLD4:80"
	LOCAL_PID=$LAB_PID
	lab_wait "gatun local" lab_listens client 1085
}

# refused TEXT REGEX OPTION...: curl fails, saying so
refused()
{
	local text=$1 regex=$2
	shift 2
	exec_in client curl -sS --max-time 10 --noproxy "" -o "$LAB_LOGS/got" "$@" 2>"$LAB_LOGS/refused.txt"
	if [ $? -ne 0 ] && [ ! -s "$LAB_LOGS/got" ] && grep -Eq -- "$regex" "$LAB_LOGS/refused.txt"; then ok "$text"; else fail "$text" "$(cat "$LAB_LOGS/refused.txt")"; fi
}

socks()
{
	exec_in client "$PYTHON" "$TESTS_DIR/probes/socks.py" "$@"
}

everything_tcp()
{
	fetches "SOCKS5 to an IPv4 address, $1" "http://$WORLD4/3mb" --socks5 127.0.0.1:1080
	fetches "SOCKS5 to an IPv6 address, $1" "http://[$WORLD6]/3mb" --socks5 127.0.0.1:1080
	fetches "SOCKS4, $1" "http://$WORLD4/3mb" --socks4 127.0.0.1:1080
	fetches "a tunnel's TCP, $1" "http://127.0.0.1:1085/3mb"
}

start_local gatun
everything_tcp "gatun server"
fetches "SOCKS5 with a name that is an address" "http://$WORLD4/3mb" --socks5-hostname 127.0.0.1:1080
fetches "SOCKS4a with one" "http://$WORLD4/3mb" --socks4a 127.0.0.1:1080
fetches "a user with his password gets in" "http://$WORLD4/3mb" --socks5 joe:hunter2hunter2@127.0.0.1:1081
refused "with another password he does not" "rejected by the SOCKS5 server" --socks5 joe:hunter3@127.0.0.1:1081 "http://$WORLD4/3mb"
refused "nobody gets in without one" "No authentication method was acceptable" --socks5 127.0.0.1:1081 "http://$WORLD4/3mb"
refused "nor by SOCKS4, which has none" "rejected or failed" --socks4 127.0.0.1:1081 "http://$WORLD4/3mb"

printf 'strict_chain\nproxy_dns\ntcp_read_time_out 15000\ntcp_connect_time_out 8000\n[ProxyList]\nsocks5 127.0.0.1 1080\n' >"$LAB_LOGS/proxychains.conf"
exec_in client proxychains4 -q -f "$LAB_LOGS/proxychains.conf" curl -sS --max-time 30 --noproxy "" -o "$LAB_LOGS/got" "http://$WORLD4/3mb" 2>>"$LAB_LOGS/curl.log"
check "a program under proxychains" cmp -s "$LAB_LOGS/got" "$LAB_LOGS/web/root/3mb"
rm -f "$LAB_LOGS/got"

for target in "$WORLD4" "$WORLD6"; do
	equal "UDP ASSOCIATE to $target: sizes, fragments, strangers, life, junk, many at once, crossed" \
		"echo:ok fragments:ok stranger:ok host:ok announced:ok life:ok malformed:ok many:ok crossed:ok" \
		"$(socks 1080 7001 "$target" echo fragments stranger host announced life malformed many crossed)"
done
equal "an inbound on all addresses names the one that the client reached" echo:ok "$(socks 1083 7001 "$WORLD4" echo)"
equal "udp_associate_addr is what clients are told" "told:192.0.2.7:5353 told:192.0.2.8:1087" \
	"$(socks 1086 7001 "$WORLD4" told) $(socks 1087 7001 "$WORLD4" told)"
equal "BIND, unknown commands and address types get their reply" refuses:ok "$(socks 1080 80 "$WORLD4" refuses)"
equal "tcp_only: UDP ASSOCIATE is refused" "echo:AssertionError b'\\x05\\x07\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00'" "$(socks 1082 7001 "$WORLD4" echo)"
equal "a tunnel's UDP" "1 2" "$(exec_in client "$PYTHON" -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5)
for word in (b"1", b"2"):
    s.sendto(word, ("127.0.0.1", 1084))
    print(s.recv(100).decode(), end=" " if word == b"1" else "\n")')"

refused "a closed port is a reset, never an empty answer" "reset" --socks5 127.0.0.1:1080 "http://$WORLD4:7099/"
lab_end "$SERVER_PID"
SERVER_PID=
refused "server down: SOCKS5 says connection refused" "\(5\)" --socks5 127.0.0.1:1080 "http://$WORLD4/3mb"
refused "and SOCKS4 rejects" "rejected or failed" --socks4 127.0.0.1:1080 "http://$WORLD4/3mb"
lab_end "$LOCAL_PID"
check "no password is in its log" eval '! grep -qE "hunter|$KEY" "$LAB_LOGS/local.gatun.log"'
matches "it ends in order and says what it carried" "flows tcp flows_opened=" "$LAB_LOGS/local.gatun.log"

# --- beside a TUN ------------------------------------------------------------------

use_server gatun
mkfifo "$LAB_LOGS/beside.in"
RUN_OPTIONS="--dns off --mixed 127.0.0.1:1090 --tunnel 127.0.0.1:1091=$WORLD4:80" EXEC=exec through sh -c 'echo open; read word; curl -s --noproxy "*" --max-time 20 "$0"' "http://$WORLD4/3mb" \
	<"$LAB_LOGS/beside.in" >"$LAB_LOGS/beside.out" &
beside=$!
exec 8>"$LAB_LOGS/beside.in"
lab_wait "the inbounds beside a command" lab_listens client 1091
fetches "gatun run --mixed: SOCKS5 beside the command" "http://$WORLD4/3mb" --socks5 127.0.0.1:1090
fetches "and HTTP" "http://$WORLD4/3mb" --proxy http://127.0.0.1:1090
fetches "and a tunnel" "http://127.0.0.1:1091/3mb"
equal "and UDP ASSOCIATE" echo:ok "$(socks 1090 7001 "$WORLD4" echo)"
echo go >&8
exec 8>&-
wait "$beside"
check "the command itself has its TUN as ever" eval 'tail -c +6 "$LAB_LOGS/beside.out" | cmp -s - "$LAB_LOGS/web/root/3mb"'
check "with the command the inbounds are gone" eval '! lab_listens client 1090'

if command -v ss-server >/dev/null; then
	METHOD=aes-256-gcm KEY=
	use_server ss-server
	start_local ss-server
	everything_tcp "ss-server"
	lab_end "$LOCAL_PID"
else
	skip "ss-server is not installed"
fi

check_reports
finish
