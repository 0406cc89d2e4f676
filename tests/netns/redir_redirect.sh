#!/bin/bash
# A redir inbound under redirect rules (NAT) of the user's: TCP of both families, of this machine and of a
# LAN; what a config of shadowsocks-rust and one of ss-redir say; and who finds no open proxy there.
. "$(dirname "$0")/redir_lib.sh"
begin_up "$0" "$@"

redir_config redirect '"workers": 2,'
start_redir local
redir_rules redirect
for APP in client lan; do
	streams_are_right
done
APP=client
FAMILIES=4 same "many connections at once, of two workers" "EOF:40" many @ 40 65536

# --- who comes by himself ---------------------------------------------------------------

# asks_itself WHERE ADDRESS: what a plain connection to the inbound's own port gets
asks_itself()
{
	exec_in "$1" "$PYTHON" -c '
import socket, sys
try:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
    print("answer:%d" % len(s.recv(100)))
except ConnectionResetError:
    print("reset")' "$2" "$REDIR_PORT"
}

inside client nft delete table inet redir
for address in 127.0.0.1 ::1 "$CLIENT4" "$LAN_GATE6"; do
	equal "who connects to the inbound itself is reset: $address" reset "$(asks_itself client "$address")"
done
equal "also from the LAN" reset "$(asks_itself lan "$LAN_GATE4")"
redir_rules redirect
equal "also where the rule sends it round to where it was going" reset "$(asks_itself lan "$LAN_GATE4")"
matches "a line says so" "refused a client that was not redirected here" "$LAB_LOGS/local.log"
same "and the others are served" "220 ready|quit" banner @
lab_end "$LOCAL_PID"

# --- the other project's words, and the command line's ------------------------------------

printf '{ "server": "%s", "server_port": %d, "method": "%s", "password": "%s", "outbound_fwmark": 255,
	"local_address": "::", "local_port": %d, "mode": "tcp_and_udp", "tcp_tproxy": true, "timeout": 60 }' \
	"$SERVER4" "$SERVER_PORT" "$METHOD" "$KEY" "$REDIR_PORT" >"$LAB_LOGS/redir.json"
redir_rules tproxy
start_redir libev
same "ss-redir's config with tcp_tproxy: TCP" "220 ready|quit" banner @
same "and UDP" "ask" udp-connected @
lab_end "$LOCAL_PID"

printf '{ "outbound_fwmark": 255 }' >"$LAB_LOGS/redir.json"
start_redir options -s "$SERVER" -m "$METHOD" -k "$KEY" --tproxy "[::]:$REDIR_PORT"
same "--tproxy: TCP" "220 ready|quit" banner @
same "and UDP" "ask" udp-connected @
lab_end "$LOCAL_PID"
redir_rules redirect
start_redir options -s "$SERVER" -m "$METHOD" -k "$KEY" --redir "[::]:$REDIR_PORT"
same "--redir: TCP" "220 ready|quit" banner @
lab_end "$LOCAL_PID"
finish_up
