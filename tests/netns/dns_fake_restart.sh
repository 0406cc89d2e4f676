#!/bin/bash
# A fake-dns inbound of gatun local, as shadowsocks-rust has it: its addresses lead to names by the
# other inbounds, whichever worker is asked; and the map outlives kill -9 of every process, a
# damaged file, and a file that is somebody else's.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
lab_need dig curl
lab_start_web
printf '%s web.lab\n' "$WORLD4" >"$LAB_LOGS/hosts"
use_server gatun "$SERVER4" --hosts "$LAB_LOGS/hosts"
MAP=$LAB_LOGS/names

# start_local KEYS: with 2 workers, and these keys in its fake-dns inbound
start_local()
{
	cat >"$LAB_LOGS/local.json" <<-J
	{
		"server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "password": "$KEY", "workers": 2,
		"locals": [
			{ "protocol": "fake-dns", "local_address": "127.0.0.1", "local_port": 5353, "mode": "tcp_and_udp", $1 },
			{ "protocol": "socks", "local_port": 1080 }
		]
	}
	J
	: >"$LAB_LOGS/local.log"
	lab_start local client "$GATUN" local -v -c "$LAB_LOGS/local.json"
	LOCAL_PID=$LAB_PID
	lab_wait "gatun local" lab_listens client 1080
	lab_wait "its resolver" lab_listens client 5353
}

ask() { exec_in client dig +short +tries=2 +time=5 -p 5353 @127.0.0.1 "$@"; }
# fetch ADDRESS: what is there on port 80, by SOCKS5
fetch() { exec_in client curl -sS --max-time 10 --noproxy "" --socks5 127.0.0.1:1080 "http://$(lab_host_port "$1" 80)/" 2>&1; }
socks() { exec_in client "$PYTHON" "$TESTS_DIR/probes/socks.py" 1080 7001 "$1" echo; }

NETWORKS='"fake_dns_ipv4_network": "10.255.0.0/16", "fake_dns_ipv6_network": "fdff:1000::/64", "fake_dns_record_expire_duration": 600'
start_local "$NETWORKS, \"fake_dns_database_path\": \"$MAP\""
A=$(ask web.lab)
AAAA=$(ask web.lab AAAA)
matches "a name has an address of the range that the config names" '^10\.255\.' <(echo "$A")
matches "and one of the IPv6 range" '^fdff:1000::' <(echo "$AAAA")
equal "by TCP it is the same" "$A" "$(ask +tcp web.lab)"
equal "40 questions, whichever worker has them, have one answer" "$A" "$(for _ in {1..40}; do echo web.lab; done | exec_in client xargs dig +short -p 5353 @127.0.0.1 | sort -u)"
equal "an address leads back to its name" web.lab. "$(ask -x "$A")"
for _ in 1 2 3 4; do
	equal "a SOCKS client that has the address reaches the name" "the web of the lab" "$(fetch "$A")"
done
equal "and by the IPv6 one" "the web of the lab" "$(fetch "$AAAA")"
matches "the server is asked for the name" 'target=web\.lab:80' "$LAB_LOGS/server.log"
equal "UDP too, and the answer comes from the address that was asked" echo:ok "$(socks "$A")"
matches "an address of nobody is refused" "refused|reject|SOCKS|connect" <(fetch 10.255.77.77)
equal "other addresses are what they are" "the web of the lab" "$(fetch "$WORLD4")"

# --- killed, at once and all of them ---------------------------------------------------
before=$(for i in {1..30}; do echo "n$i.lab"; done | exec_in client xargs dig +short -p 5353 @127.0.0.1 | paste -sd' ')
lab_kill "$LOCAL_PID"
start_local "$NETWORKS, \"fake_dns_database_path\": \"$MAP\""
matches "killed and started again: it knows its addresses" 'known again.*names=3[1-9]' "$LAB_LOGS/local.log"
equal "an old address leads to its name before anybody asks for it" "the web of the lab" "$(fetch "$A")"
equal "IPv6 too" "the web of the lab" "$(fetch "$AAAA")"
equal "a new name gets no address of another" 1 "$(ask fresh.lab | grep -cvxF -e "$A" -e "$(tr ' ' '\n' <<<"$before")")"
equal "and every name the one that it had" "$before" "$(for i in {30..1}; do echo "n$i.lab"; done | exec_in client xargs dig +short -p 5353 @127.0.0.1 | tac | paste -sd' ')"

# --- a worker alone ---------------------------------------------------------------------
worker=$(cat "/proc/$LOCAL_PID/task/$LOCAL_PID/children" | awk '{ print $1 }')
kill -KILL "$worker" && lab_gone "$worker"
equal "a worker killed: the others go on" "$A" "$(ask web.lab)"
equal "and the next life knows the same" "$A" "$(for _ in {1..20}; do echo web.lab; done | exec_in client xargs dig +short +tries=3 +time=2 -p 5353 @127.0.0.1 | sort -u)"
lab_end "$LOCAL_PID"

# --- files that are not what they should be -----------------------------------------------
printf 'XX' | dd of="$MAP" bs=1 seek=24 conv=notrunc 2>/dev/null
start_local "$NETWORKS, \"fake_dns_database_path\": \"$MAP\""
matches "a damaged file is begun anew, and that is said" "cannot be read any more" "$LAB_LOGS/local.log"
matches "and an address of before leads nowhere" "refused|reject|SOCKS|connect" <(fetch 10.255.0.20)
lab_end "$LOCAL_PID"
start_local '"fake_dns_ipv4_network": "10.254.0.0/24", "fake_dns_database_path": "'"$MAP"'"'
matches "of another range: begun anew" "another range" "$LAB_LOGS/local.log"
matches "with addresses of that" '^10\.254\.0\.' <(ask web.lab)
lab_end "$LOCAL_PID"
echo "somebody's letters" >"$MAP"
start_local "\"fake_dns_database_path\": \"$MAP\""
matches "a file that is none of ours is set aside" "somebody's letters" "$MAP.old"
matches "and the usual range serves" '^198\.1[89]\.' <(ask web.lab)
"$GATUN" check "$LAB_LOGS/local.json" >"$LAB_LOGS/check.txt" 2>&1
matches "check says what it does" "fake-dns on 127.0.0.1:5353" "$LAB_LOGS/check.txt"
lab_end "$LOCAL_PID"
check_reports
UPLINK_CHECKED=no
finish
