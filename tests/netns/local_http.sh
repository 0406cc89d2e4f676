#!/bin/bash
# gatun local: an HTTP proxy, for CONNECT and for plain requests, and a port that speaks
# SOCKS and HTTP.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
lab_need curl nc

head -c 3000000 /dev/urandom >"$LAB_LOGS/content"
printf '{"basic":{"users":[{"user_name":"joe","password":"hunter2hunter2"}]}}' >"$LAB_LOGS/users.json"
lab_start origin world "$PYTHON" "$TESTS_DIR/probes/http_origin.py" "$WORLD4" 8000 "$LAB_LOGS/content"
lab_wait "the origin server" grep -q ready "$LAB_LOGS/origin.log"
WEB=http://$WORLD4:8000

cat >"$LAB_LOGS/local.json" <<J
{
	"server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "password": "$KEY",
	"locals": [
		{ "protocol": "http", "local_port": 1081, "http_auth_config_path": "$LAB_LOGS/users.json" },
	]
}
J
lab_start local client "$GATUN" local -v -c "$LAB_LOGS/local.json" --http 127.0.0.1:1080 --mixed 127.0.0.1:1082
LOCAL_PID=$LAB_PID
lab_wait "gatun local" lab_listens client 1082

# proxied PORT OPTION...: curl by the proxy at that port
proxied()
{
	local port=$1
	shift
	exec_in client curl -sS --max-time 30 --noproxy "" -x "http://127.0.0.1:$port" "$@" 2>>"$LAB_LOGS/curl.log"
}

# comes TEXT PORT OPTION...: the content comes whole
comes()
{
	local text=$1
	shift
	proxied "$@" -o "$LAB_LOGS/got"
	check "$text" cmp -s "$LAB_LOGS/got" "$LAB_LOGS/content"
	rm -f "$LAB_LOGS/got"
}

# status TEXT CODE PORT OPTION...
status()
{
	local text=$1 code=$2
	shift 2
	equal "$text" "$code" "$(proxied "$@" -o "$LAB_LOGS/got" -w '%{http_code}')"
}

# raw BYTES: what the proxy answers to these bytes, its first line
raw()
{
	printf "$1" | exec_in client timeout 10 nc 127.0.0.1 1080 | head -n 1 | tr -d '\r'
}

for port in 1080 1082; do
	comes "CONNECT, port $port" $port -p "$WEB/length"
	comes "a response framed by its length, port $port" $port "$WEB/length"
	comes "by chunks, port $port" $port "$WEB/chunked"
	comes "by the end of the connection, port $port" $port "$WEB/close"
done
comes "SOCKS5 on the mixed port" 1082 --proxy socks5://127.0.0.1:1082 "$WEB/length"
comes "SOCKS4 on the mixed port" 1082 --proxy socks4://127.0.0.1:1082 "$WEB/length"

SUM=$(sha256sum "$LAB_LOGS/content" | cut -d' ' -f1)
equal "an upload with its length" "$SUM" "$(proxied 1080 --data-binary "@$LAB_LOGS/content" "$WEB/sum")"
equal "an upload in chunks" "$SUM" "$(proxied 1080 -H "Transfer-Encoding: chunked" --data-binary "@$LAB_LOGS/content" "$WEB/sum")"
equal "one connection to the proxy serves request after request, HEAD and uploads among them" "1 0 0 0 " \
	"$(proxied 1080 -w '%{num_connects} ' -o /dev/null "$WEB/head" -o /dev/null "$WEB/chunked" --next --noproxy "" -x http://127.0.0.1:1080 -sS -I -w '%{num_connects} ' -o /dev/null "$WEB/length" \
		--next --noproxy "" -x http://127.0.0.1:1080 -sS -d x -w '%{num_connects} ' -o /dev/null "$WEB/sum")"
equal "requests sent ahead are answered in their order" "$(printf 'GET /head HTTP/1.1\nPOST-SUM\nGET /head HTTP/1.1')" \
	"$(printf 'GET %s/head HTTP/1.1\r\n\r\nPOST %s/sum HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET %s/head HTTP/1.1\r\nConnection: close\r\n\r\n' "$WEB" "$WEB" "$WEB" |
		exec_in client timeout 10 nc 127.0.0.1 1080 | grep -aoE '^GET /head HTTP/1.1|e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' | sed 's/^e3b0.*/POST-SUM/')"
proxied 1080 -H "X-Kept: 1" -H "X-Hop: 1" -H "Connection: X-Hop" -H "Proxy-Connection: keep-alive" "$WEB/head" >"$LAB_LOGS/head.txt"
check "the origin sees the origin form, and nothing that is the proxy's" \
	eval 'grep -q "^GET /head HTTP/1.1" "$LAB_LOGS/head.txt" && grep -q X-Kept "$LAB_LOGS/head.txt" && ! grep -qiE "X-Hop|Proxy-" "$LAB_LOGS/head.txt"'

status "nobody gets in without a password" 407 1081 "$WEB/length"
status "nor with a wrong one" 407 1081 -U joe:hunter3 "$WEB/length"
status "a user with his password does" 200 1081 -U joe:hunter2hunter2 "$WEB/length"
comes "by CONNECT too" 1081 -p -U joe:hunter2hunter2 "$WEB/length"

equal "length and chunks at once: refused" "HTTP/1.1 400 Bad Request" \
	"$(raw "POST $WEB/sum HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")"
equal "a folded line: refused" "HTTP/1.1 400 Bad Request" "$(raw "GET $WEB/head HTTP/1.1\r\nA: b\r\n c\r\n\r\n")"
equal "a head that does not end: refused" "HTTP/1.1 431 Request Header Fields Too Large" \
	"$(raw "GET $WEB/head HTTP/1.1\r\nA: $(printf '%020000d' 0)")"
equal "chunks that are none: no answer from the origin passes for one" "HTTP/1.1 502 Bad Gateway" \
	"$(raw "POST $WEB/sum HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")"
status "an origin that closes without a word" 502 1080 "$WEB/none"
status "a closed port" 502 1080 "http://$WORLD4:7099/"
check "a response that is cut does not look whole" eval '! proxied 1080 "$WEB/cut" >/dev/null'

lab_end "$SERVER_PID"
SERVER_PID=
status "server down: a plain request gets 502" 502 1080 "$WEB/length"
equal "CONNECT too" 502 "$(proxied 1080 -p -o /dev/null -w '%{http_connect}' "$WEB/length")"
lab_end "$LOCAL_PID"
check "no password is in its log" eval '! grep -qE "hunter|$KEY" "$LAB_LOGS/local.log"'
matches "it ends in order and says what it carried" "flows tcp flows_opened=" "$LAB_LOGS/local.log"

check_reports
finish
