#!/bin/bash
# Several servers: a flow whose first server is dead or silent goes to another unseen, by TCP
# and UDP; who comes back is used again; latency finds the near one; sticky keeps a client
# where it is; a server whose name gets another address is followed. Ours and ss-server.
#
#	client ══ near (server4:8388), far (server6:8388), old (other4:8388, ss-server)
. "$(dirname "$0")/lib.sh"
OLD4=10.77.2.4
LAB_TUNNEL="(host $SERVER4 or host $SERVER6 or host $OLD4) and (port $SERVER_PORT or (ip and ip[6:2] & 0x1fff != 0) or ip6 proto 44 or icmp or icmp6)"
begin "$0" "$@"
lab_need curl
lab_start_web
ip -n server addr add "$OLD4/24" dev eth0
lab_end "$SERVER_PID"
SERVER_PID=

# start_server NAME ADDRESS: gatun's; the PID in the variable NAME_PID
start_server()
{
	lab_start "$1" server "$GATUN" server -v -s "$(lab_host_port "$2" "$SERVER_PORT")" -m "$METHOD" -k "$KEY"
	printf -v "$1_PID" %s "$LAB_PID"
	lab_wait "the server $1" server_listens "$2"
}

server_listens() { inside server ss -H -ltn "src $(lab_host_port "$1" "$SERVER_PORT")" | grep -q .; }

# servers "NAME ADDRESS"...: as the value of "servers"
servers()
{
	local one text=
	for one; do
		set -- $one
		text+="{ \"remarks\": \"$1\", \"server\": \"$2\", \"server_port\": $SERVER_PORT, \"method\": \"$METHOD\", \"password\": \"$KEY\" }, "
	done
	echo "$text"
}

# start_local SERVERS [MORE KEYS]: proxy on 1080, a tunnel to the world's echo on 1085
start_local()
{
	[ -z "${LOCAL_PID:-}" ] || lab_end "$LOCAL_PID"
	cat >"$LAB_LOGS/local.json" <<-J
	{ "servers": [ $1 ], ${2:-} "control": "$LAB_LOGS/control",
	  "locals": [ { "local_address": "0.0.0.0", "local_port": 1080 },
	    { "protocol": "tunnel", "local_port": 1085, "forward_address": "$WORLD4", "forward_port": 7001 } ] }
	J
	chmod 600 "$LAB_LOGS/local.json"
	lab_start local client "$GATUN" local -v -c "$LAB_LOGS/local.json"
	LOCAL_PID=$LAB_PID
	lab_wait "gatun local" lab_listens client 1085
}

# of SERVER KEY: what status says of it; empty if it is not there
of()
{
	inside client "$GATUN" status --json --control "$LAB_LOGS/control" 2>>"$LAB_LOGS/status.log" | "$PYTHON" -c '
import json, sys
for s in json.load(sys.stdin)["servers"]:
    if s["tag"] == sys.argv[1]:
        print(s.get(sys.argv[2], ""))' "$1" "$2"
}
says() { [ "$(of "$1" "$2")" = "$3" ]; }

# fetch [CURL OPTION...]: 3 MB by the proxy; says "whole" or curl's word
fetch()
{
	exec_in client curl -sS --max-time 20 --noproxy "" --socks5 127.0.0.1:1080 -o "$LAB_LOGS/got" "$@" "http://$WORLD4/3mb" 2>"$LAB_LOGS/curl.txt"
	if cmp -s "$LAB_LOGS/got" "$LAB_LOGS/web/root/3mb"; then echo whole; else cat "$LAB_LOGS/curl.txt"; fi
	rm -f "$LAB_LOGS/got"
}

# echo_within SECONDS: one socket, a datagram each 0.3 s, until one comes back
echo_within()
{
	exec_in client "$PYTHON" -c '
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.3)
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    s.sendto(b"x" * 100, ("127.0.0.1", 1085))
    try:
        print("echo" if s.recv(200) == b"x" * 100 else "broken")
        break
    except TimeoutError:
        pass
    except ConnectionRefusedError:
        time.sleep(0.3)
else:
    print("silence")' "$1"
}

start_server near "$SERVER4"
start_server far "$SERVER6"

# --- the first one dies: by `run`, like no proxy at all
RUN_OPTIONS="--dns off -s $(lab_host_port "$SERVER6" "$SERVER_PORT")"
SERVER=$(lab_host_port "$SERVER4" "$SERVER_PORT")
same "two servers: a connection" ok short-once @
lab_kill "$far_PID"
same "one of them is dead: a connection, as if it were not" ok short-once @
same "10 MB down" "got:10000000,intact then:EOF" source @ 10000000
same "100 connections at once" "EOF:100" many @ 100 10000
same "UDP of 1 to 1,200 bytes" "ok:4" udp-sizes @ 1 100 512 1200
matches "whoever asks is told" "server .* fails for tcp: new flows go to others" "$LAB_LOGS/run.log"
start_server far "$SERVER6"

# --- states, and who comes back
BOTH=$(servers "near $SERVER4" "far $SERVER6")
start_local "$BOTH"
equal "a server of which nothing is known yet" unknown "$(of near state)"
equal "the first is used" whole "$(fetch)"
check "and is up" says near state up
check "it carried it" [ "$(of near down)" -ge 3000000 -a "$(of far down)" -eq 0 ]
equal "UDP as well" echo "$(echo_within 5)"
check "its UDP has a time" [ -n "$(of near udp_rtt_ms)" ]
lab_kill "$near_PID"
equal "the first is dead: the next flow is whole" whole "$(fetch)"
check "it is down" says near state down
check "the second carried it" [ "$(of far down)" -ge 3000000 ]
equal "an association finds the second" echo "$(echo_within 5)"
start_server near "$SERVER4"
# twenty small flows by one curl
knock() { exec_in client curl -sS --max-time 20 --noproxy "" --socks5 127.0.0.1:1080 -H "Connection: close" -o /dev/null "http://$WORLD4/index.html?[1-20]" 2>>"$LAB_LOGS/curl.log"; }
tries=0
until says near failures 0 || [ "$tries" -ge 20 ]; do knock; tries=$((tries + 1)); done
check "it is alive again and asked now and then: found within 400 flows" says near failures 0
before=$(of near down)
fetch >/dev/null
check "then it is the first again" [ $(($(of near down) - before)) -ge 3000000 ]

# --- one that says nothing at all
if inside router nft add table inet lab 2>/dev/null && inside router nft 'add chain inet lab forward { type filter hook forward priority 0; }'; then
	start_local "$BOTH"
	equal "before: an association stands" echo "$(echo_within 5)"
	inside router nft add rule inet lab forward ip saddr "$CLIENT4" ip daddr "$SERVER4" drop
	began=$(date +%s%N)
	equal "the first is silent: the flow goes on all the same" whole "$(fetch)"
	check "after a second or two, not after the timeout" [ $((($(date +%s%N) - began) / 1000000)) -lt 8000 ]
	check "it counts as down" says near state down
	equal "an association leaves silence by itself" echo "$(echo_within 15)"
	inside router nft flush table inet lab
else
	skip "no nft here: a silent server"
fi

# --- latency: the far one stands behind a relay that takes its time
lab_kill "$far_PID"
lab_start relay server "$PYTHON" "$TESTS_DIR/probes/slow_relay.py" "$SERVER6" "$SERVER_PORT" "$SERVER4" "$SERVER_PORT" 0.15
RELAY_PID=$LAB_PID
lab_wait "the relay" server_listens "$SERVER6"
start_local "$(servers "far $SERVER6" "near $SERVER4")" "\"balancer\": { \"check_interval\": 1, \"probe_url\": \"http://$WORLD4/index.html\", \"probe_dns\": \"$WORLD4\" },"
probed() { [ -n "$(of near score)" ] && [ -n "$(of far score)" ] && [ -n "$(of near udp_score)" ]; }
lab_wait "the probes" probed
check "latency: the far one takes longer" [ "$(of far rtt_ms)" -ge 250 -a "$(of near rtt_ms)" -lt "$(of far rtt_ms)" ]
before=$(of far down)
equal "a flow" whole "$(fetch)"
check "goes to the near one, though it is second" [ "$(of near down)" -ge 3000000 -a $(($(of far down) - before)) -lt 1000000 ]
lab_kill "$near_PID"
equal "and where that is dead, the far one carries nothing either" 1 "$(fetch | grep -c .)"
lab_end "$RELAY_PID"
start_server near "$SERVER4"
start_server far "$SERVER6"
healed() { says near state up && says far state up; }
lab_wait "the probes find both again" healed
ok "probes find out by themselves who works again"

# --- sticky
start_local "$BOTH" '"balancer": { "policy": "sticky" },'
stays=yes used=
for client in $(seq 2 9); do
	for round in 1 2; do
		near_before=$(of near down) far_before=$(of far down)
		fetch --interface "127.0.0.$client" >/dev/null
		who=neither
		[ $(($(of near down) - near_before)) -lt 3000000 ] || who=near
		[ $(($(of far down) - far_before)) -lt 3000000 ] || who=far
		[ "$round" = 1 ] || [ "$who" = "$first" ] || stays="no: 127.0.0.$client went to $first, then to $who"
		first=$who
	done
	used+=" $who"
done
equal "sticky: each client keeps its server" yes "$stays"
check "and they are spread over both" eval 'case $used in *near*) case $used in *far*) ;; *) false ;; esac ;; *) false ;; esac'

# --- a name that gets another address
printf '%s srv.lab\n' "$SERVER4" >"$LAB_LOGS/hosts"
start_local "$(servers "srv srv.lab")" "\"hosts\": \"$LAB_LOGS/hosts\","
equal "a server by name" whole "$(fetch)"
equal "and its UDP" echo "$(echo_within 5)"
printf '%s srv.lab\n' "$SERVER6" >"$LAB_LOGS/hosts.new" && mv "$LAB_LOGS/hosts.new" "$LAB_LOGS/hosts"
lab_kill "$near_PID"
moved() { [ "$(fetch)" = whole ]; }
lab_wait "TCP at the new address" moved
ok "the name has another address: TCP follows"
equal "and UDP" echo "$(echo_within 20)"
start_server near "$SERVER4"

# --- beside Debian's ss-server, of the older generation
if command -v ss-server >/dev/null; then
	lab_start old server ss-server -s "$OLD4" -p "$SERVER_PORT" -k "old password of it" -m aes-256-gcm -u -t 600
	old_PID=$LAB_PID
	lab_wait "ss-server" server_listens "$OLD4"
	OLD="{ \"remarks\": \"old\", \"server\": \"$OLD4\", \"server_port\": $SERVER_PORT, \"method\": \"aes-256-gcm\", \"password\": \"old password of it\" },"
	start_local "$OLD $(servers "near $SERVER4")"
	equal "ss-server first: a flow" whole "$(fetch)"
	equal "and UDP" echo "$(echo_within 5)"
	check "were its" [ "$(of old down)" -ge 3000000 ]
	lab_kill "$old_PID"
	equal "it is dead: the flow goes to gatun's" whole "$(fetch)"
	equal "and UDP does" echo "$(echo_within 5)"
	start_local "$(servers "near $SERVER4") $OLD"
	lab_kill "$near_PID"
	lab_start old server ss-server -s "$OLD4" -p "$SERVER_PORT" -k "old password of it" -m aes-256-gcm -u -t 600
	lab_wait "ss-server again" server_listens "$OLD4"
	equal "and the other way round" whole "$(fetch)"
	equal "UDP too" echo "$(echo_within 5)"
else
	skip "ss-server is not installed"
fi

lab_end "$LOCAL_PID"
check "no key is in any log" [ -z "$(grep -lF -e "$KEY" "$LAB_LOGS"/*.log)" ]
check_reports
finish
