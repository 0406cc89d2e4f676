#!/bin/bash
# Configs as the documentation of shadowsocks-libev and shadowsocks-rust has them, every key of
# theirs in place, run unchanged: the same file at both ends, and traffic through it.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
lab_need curl
lab_start_web
lab_end "$SERVER_PID"
SERVER_PID=

# both TEXT FILE PORT: the file makes a server in server and a local in client, which has a SOCKS port
both()
{
	local text=$1 file=$2 port=$3
	chmod 600 "$LAB_LOGS/$file"
	check "$text: check finds no error" eval '"$GATUN" check "$LAB_LOGS/$file" >"$LAB_LOGS/$file.check" 2>&1'
	lab_start "$file.server" server "$GATUN" server -v -c "$LAB_LOGS/$file"
	SERVER_PID=$LAB_PID
	lab_wait "the server of $file" lab_listens server "$SERVER_PORT"
	lab_start "$file.local" client "$GATUN" local -v -c "$LAB_LOGS/$file"
	LOCAL_PID=$LAB_PID
	lab_wait "the local of $file" lab_listens client "$port"
}

ends()
{
	lab_end "$LOCAL_PID"
	lab_end "$SERVER_PID"
	SERVER_PID=
}

# --- shadowsocks-libev: one object for all of its programs ---------------------------

cat >"$LAB_LOGS/libev.json" <<J
{
    "server":["$SERVER6", "$SERVER4"],
    "mode":"tcp_and_udp",
    "server_port":$SERVER_PORT,
    "local_address":"127.0.0.1",
    "local_port":1080,
    "password":"barfoo!",
    "timeout":86400,
    "method":"chacha20-ietf-poly1305",
    "nameserver":"$WORLD4",
    "fast_open":false,
    "reuse_port":true,
    "no_delay":true,
    "ipv6_first":true,
    "mptcp":false,
    "use_syslog":false,
    "nofile":32768,
    "user":"nobody",
    "workdir":"/tmp",
    "mtu":1492,
    "tcp_incoming_sndbuf":65536,
    "tcp_incoming_rcvbuf":65536,
    "tcp_outgoing_sndbuf":65536,
    "tcp_outgoing_rcvbuf":65536,
    "plugin":"",
    "plugin_opts":""
}
J
both "libev" libev.json 1080
fetches "libev: TCP through it" "http://$WORLD4/3mb" --socks5 127.0.0.1:1080
fetches "libev: a name that the server resolves" "http://web.lab/3mb" --socks5-hostname 127.0.0.1:1080
equal "libev: UDP through it" echo:ok "$(exec_in client "$PYTHON" "$TESTS_DIR/probes/socks.py" 1080 7001 "$WORLD4" echo)"
for key in workdir mtu; do
	matches "libev: check names what has no effect: $key" "warning: \"$key\"" "$LAB_LOGS/libev.json.check"
done
ends

# libev's server on all addresses of both families
# It is read again, which nobody may do.
sed "s,\[\"$SERVER6\"\, \"$SERVER4\"\],[\"::0\"\, \"0.0.0.0\"],; /\"user\":/d" "$LAB_LOGS/libev.json" >"$LAB_LOGS/any.json"
chmod 600 "$LAB_LOGS/any.json"
lab_start any.server server "$GATUN" server -v -c "$LAB_LOGS/any.json"
SERVER_PID=$LAB_PID
lab_wait "a server on ::0 and 0.0.0.0" lab_listens_or_ended "$SERVER_PID"
check "a server on ::0 and 0.0.0.0 at once" kill -0 "$SERVER_PID"
METHOD=chacha20-ietf-poly1305 KEY=barfoo!
for address in "$SERVER4" "$SERVER6"; do
	SERVER=$(lab_host_port "$address" "$SERVER_PORT")
	equal "it is reached at $address" ok "$(through $PROBE short-once "$WORLD4")"
done
sed "s/, \"0.0.0.0\"//" "$LAB_LOGS/any.json" >"$LAB_LOGS/six.json" && cat "$LAB_LOGS/six.json" >"$LAB_LOGS/any.json"
kill -HUP "$SERVER_PID"
lab_wait "the reload to be refused" grep -q "for IPv6 alone" "$LAB_LOGS/any.server.log"
equal "a reload that leaves IPv4 to ::, which does not take it now, changes nothing" ok "$(SERVER=$SERVER4:$SERVER_PORT through $PROBE short-once "$WORLD4")"
lab_end "$SERVER_PID"
SERVER_PID=

# --- shadowsocks-rust: servers and locals ---------------------------------------------

cat >"$LAB_LOGS/rust.json" <<J
{
    // Server configuration; several, of which one is not used
    "servers": [
        {
            "address": "$SERVER4",
            "port": $SERVER_PORT,
            "method": "aes-256-gcm",
            "password": "rwQc8qPXVsRpGx3uW+Y3Lj4Y42yF9Bs0xg1pmx8/+bo=",
            "timeout": 7200,
            "mode": "tcp_and_udp",
            "tcp_weight": 1.0,
            "udp_weight": 1.0,
            "remarks": "home",
            "id": "8ba4a3ba-6a5c-4a6b-bb0e-e5ef3cc2b2b4"
        },
        {
            "disabled": true,
            "server": "another.example",
            "server_port": 8389,
            "method": "2022-blake3-aes-256-gcm",
            "password": "3SYJ/f8nmVuzKvKglykRQDSgg10e/ADilkdRWrrY9HU="
        }
    ],
    "locals": [
        { "local_address": "127.0.0.1", "local_port": 1080 },
        { "protocol": "tunnel", "local_address": "127.0.0.1", "local_port": 5353, "forward_address": "$WORLD4", "forward_port": 80, "mode": "tcp_and_udp" },
        { "protocol": "http", "local_address": "127.0.0.1", "local_port": 3128 },
        { "protocol": "dns", "local_address": "127.0.0.1", "local_port": 5300, "mode": "tcp_and_udp",
          "local_dns_address": "$WORLD4", "local_dns_port": 53, "remote_dns_address": "$WORLD4", "remote_dns_port": 53, "client_cache_size": 5 },
        { "protocol": "fake-dns", "local_address": "127.0.0.1", "local_port": 10053, "mode": "tcp_and_udp",
          "fake_dns_ipv4_network": "10.255.0.0/16", "fake_dns_ipv6_network": "fdff:1000::/64",
          "fake_dns_record_expire_duration": 3600, "fake_dns_database_path": "$LAB_LOGS/fakedns.db" },
        { "disabled": true, "protocol": "http", "local_address": "127.0.0.1", "local_port": 3129 }
    ],
    "mode": "tcp_and_udp",
    "udp_timeout": 300,
    "udp_max_associations": 512,
    "no_delay": false,
    "fast_open": false,
    "mptcp": false,
    "keep_alive": 15,
    "nofile": 10240,
    "ipv6_first": false,
    "ipv6_only": false,
    "dns": "system",
    "dns_cache_size": 128,
    "outbound_udp_allow_fragmentation": false,
    "security": { "replay_attack": { "policy": "default" } },
    "balancer": { "max_server_rtt": 5, "check_interval": 10, "check_best_interval": 5 },
    "log": { "level": 1, "format": { "without_time": false } },
    "runtime": { "mode": "single_thread", "worker_count": 1 },
}
J
both "rust" rust.json 1080
fetches "rust: SOCKS5" "http://$WORLD4/3mb" --socks5 127.0.0.1:1080
fetches "rust: HTTP" "http://$WORLD4/3mb" --proxy http://127.0.0.1:3128
fetches "rust: the tunnel" "http://127.0.0.1:5353/3mb"
equal "rust: UDP" echo:ok "$(exec_in client "$PYTHON" "$TESTS_DIR/probes/socks.py" 1080 7001 "$WORLD4" many | sed s/many/echo/)"
equal "rust: the dns inbound" "$WORLD4" "$(exec_in client dig +short +time=5 @127.0.0.1 -p 5300 web.lab A)"
fake=$(exec_in client dig +short +time=5 @127.0.0.1 -p 10053 web.lab A)
matches "rust: the fake-dns inbound" '^10\.255\.' <(echo "$fake")
exec_in client curl -s --max-time 10 --noproxy "" --socks5 127.0.0.1:1080 "http://$fake/" >/dev/null 2>&1
matches "rust: its address by SOCKS5 leads to the name" 'target=web\.lab:80' "$LAB_LOGS/rust.json.server.log"
for key in security log; do
	matches "rust: check names what has no effect: $key" "warning: \"$key\"" "$LAB_LOGS/rust.json.check"
done
ends
check_reports
UPLINK_CHECKED=no
finish
