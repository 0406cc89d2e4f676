#!/bin/bash
# connect=true: a connect through the tunnel ends as it would without it, refused, unreachable
# or timed out; a server that does not know the question is used as ever, and not slowed down.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
lab_need curl nc nft

RUN_OPTIONS="--dns off --true-connect"
NOWHERE4=203.0.113.9 NOWHERE6=2001:db8::9	# no route leads there, from the server
ABSENT4=10.77.3.99 ABSENT6=fd77:3::99		# on the world's link, and nobody has them
FILTERED=7098					# the world drops what comes to this port

inside world nft -f - <<-END
	table inet filtered {
		chain in {
			type filter hook input priority 0
			tcp dport $FILTERED drop
		}
	}
END

# A server that waits two seconds for the network beyond it, or so long as it is told.
start_server()
{
	lab_end "$SERVER_PID"
	cat >"$LAB_LOGS/server.json" <<-J
		{ "server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "password": "$KEY", "timeout": ${1:-2} }
	J
	lab_start server server "$GATUN" server -v -c "$LAB_LOGS/server.json"
	SERVER_PID=$LAB_PID
	lab_wait "the server" lab_listens_or_ended "$SERVER_PID"
}

# --- what an application sees ------------------------------------------------------------

start_server 10
same "a closed port refuses the connect" "connect:ECONNREFUSED" silent @
same "so it does who sends first" "connect:ECONNREFUSED" talking @
same "and within half a second" "connect:ECONNREFUSED quickly" refused @ 7099 0.5
FAMILIES=4 same "no route there" "connect:ENETUNREACH" silent "$NOWHERE4"
FAMILIES=6 same "no route there" "connect:ENETUNREACH" silent "$NOWHERE6"
FAMILIES=4 same "nobody has this address" "connect:EHOSTUNREACH" silent "$ABSENT4"
FAMILIES=6 same "nobody has this address" "connect:EHOSTUNREACH" silent "$ABSENT6"
same "what works goes on working: a peer that speaks first" "220 ready|quit" banner @
same "10 MB down" "got:10000000,intact then:EOF" source @ 10000000
same "3 MB and FIN, then the answer" "answer:right then:EOF" half-close @ 3000000
same "data and FIN, then 3 MB are still taken" "got:100000,EOF send:ok peer:all" early @ 3000000
same "a reset in the middle is a reset" "got:200000 then:ECONNRESET" reset @ 200000
same "100 connections at once" "EOF:100" many @ 100 65536 late
FAMILIES=4 is "what the server denies is not there" "connect:EHOSTUNREACH" silent 169.254.169.254 80

start_server 2
is "what is filtered ends with the server's patience" "connect:EHOSTUNREACH late" refused @ "$FILTERED" 1.9
is "not long after it" "connect:EHOSTUNREACH quickly" refused @ "$FILTERED" 8

# --- programs ----------------------------------------------------------------------------

start_server 10
# scan: which of these ports are open
scan()
{
	local port
	for port in 7001 7002 7097 7099 7008; do
		"$@" nc -z -w 5 "$WORLD4" "$port" >/dev/null 2>&1 && printf 'open ' || printf 'closed '
	done
}
equal "the oracle's port scan" "open open closed closed open " "$(scan direct)"
equal "a port scan sees the truth" "open open closed closed open " "$(scan through)"

# curl_exit OPTION...: its exit code
curl_exit() { through curl -sS --noproxy "" --max-time 10 -o "$LAB_LOGS/got" "$@" 2>>"$LAB_LOGS/curl.log"; echo $?; }
lab_start_web
equal "curl says that a closed port refused (7)" 7 "$(curl_exit "http://$WORLD4:7099/")"
equal "and fetches what is there" 0 "$(curl_exit "http://$WORLD4/3mb")"
# Nothing listens on the twin. Had its SYN been answered, curl would have stayed with it, and failed.
equal "a name whose IPv6 address refuses falls back to IPv4" 0 "$(curl_exit --resolve "web.lab:80:[$TWIN6],$WORLD4" http://web.lab/3mb)"
check "and the file is whole" cmp -s "$LAB_LOGS/got" "$LAB_LOGS/web/root/3mb"

# --- gatun local: the codes of SOCKS5 and HTTP -------------------------------------------

start_server 2
cat >"$LAB_LOGS/local.json" <<-J
	{ "servers": [ { "server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "password": "$KEY", "connect": true } ],
	  "locals": [ { "protocol": "mixed", "local_port": 1080 } ] }
J
lab_start local client "$GATUN" local -v -c "$LAB_LOGS/local.json"
LOCAL_PID=$LAB_PID
lab_wait "gatun local" lab_listens client 1080
codes()
{
	inside client "$PYTHON" - "$@" <<'END'
import socket, sys
def ask(data, size):
    with socket.create_connection(("127.0.0.1", 1080), 20) as s:
        s.sendall(data)
        return s.recv(size)
for host, port in [a.rsplit(":", 1) for a in sys.argv[1:]]:
    with socket.create_connection(("127.0.0.1", 1080), 20) as s:
        s.sendall(b"\5\1\0")
        s.recv(2)
        s.sendall(b"\5\1\0\1" + socket.inet_aton(host) + int(port).to_bytes(2, "big"))
        socks = s.recv(100)[1]
    http = ask(b"CONNECT %s:%s HTTP/1.1\r\nHost: x\r\n\r\n" % (host.encode(), port.encode()), 100).split()[1].decode()
    print("%d/%s" % (socks, http), end=" ")
END
}
equal "SOCKS5 and HTTP: open, refused, no route, filtered, denied" "0/200 5/502 3/502 6/504 2/403 " \
	"$(codes "$WORLD4:7001" "$WORLD4:7099" "$NOWHERE4:80" "$WORLD4:$FILTERED" 169.254.169.254:80)"
lab_end "$LOCAL_PID"

# --- servers that do not know the question -----------------------------------------------

# thirty: thirty connects one after another, each with a question and its answer; right ones, and whether all of it was quick
thirty()
{
	through "$PYTHON" - "$WORLD4" <<'END'
import socket, sys, time
start, right = time.monotonic(), 0
for i in range(30):
    with socket.create_connection((sys.argv[1], 7010), 20) as s:
        s.settimeout(20)
        s.sendall(b"%d\n" % i)
        answer = b""
        while part := s.recv(100):
            answer += part
        right += answer == b"hello %d\n" % i
print("right:%d %s" % (right, "quick" if time.monotonic() - start < 6 else "slow"))
END
}

for peer in ssserver sing-box; do
	if ! lab_find "$peer" >/dev/null; then
		skip "$peer is not installed (tests/interop/peers fetches it)"
		continue
	fi
	use_server "$peer"
	: >"$LAB_LOGS/run.log"
	equal "$peer: thirty connections, and only the first waited to be told" "right:30 quick" "$(thirty)"
	matches "$peer: it was noticed that it does not tell" "does not tell connect results" "$LAB_LOGS/run.log"
	same "$peer: speaks first" "220 ready|quit" banner @
	same "$peer: 10 MB down" "got:10000000,intact then:EOF" source @ 10000000
	same "$peer: 10 MB both ways at once" "EOF:1" many @ 1 10485760 late
	is "$peer: a closed port is an error, never EOF" "connect:*ECONN*" silent @
done
start_server 10
METHOD=aes-256-gcm KEY=$(make_key aes-256-gcm)
start_server 10
is "a method that cannot ask connects as ever" "connect:*ECONNRESET" silent @

check "no sanitizer in gatun local either" eval '! grep -q Sanitizer "$LAB_LOGS/local.log"'
finish
