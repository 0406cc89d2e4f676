#!/bin/bash
# SIGHUP to gatun local: inbounds, their users, the servers and the ACL are read again while
# flows run; a config that cannot be had changes nothing.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
lab_need curl

UPLINK_CHECKED=no # a second server has another port
CONFIG=$LAB_LOGS/local.json
FIRST=$(printf '"server": "%s", "server_port": %s, "method": "%s", "password": "%s"' "$SERVER4" "$SERVER_PORT" "$METHOD" "$KEY")
SECOND=$(printf '"server": "%s", "server_port": 8389, "method": "aes-256-gcm", "password": "second"' "$SERVER4")
lab_start second server "$GATUN" server -v -s "$SERVER4:8389" -m aes-256-gcm -k second
SECOND_PID=$LAB_PID
lab_wait "the second server" lab_listens server 8389
head -c 20000000 /dev/urandom >"$LAB_LOGS/content"
lab_start origin world "$PYTHON" "$TESTS_DIR/probes/http_origin.py" "$WORLD4" 8000 "$LAB_LOGS/content"
lab_wait "the origin server" grep -q ready "$LAB_LOGS/origin.log"
WEB=http://$WORLD4:8000/length

# config SERVER LOCAL,... [KEY...]
config()
{
	printf '{ %s, "locals": [ %s ] %s }\n' "$1" "$2" "${3:-}" >"$CONFIG.new"
	chmod 600 "$CONFIG.new"
	mv "$CONFIG.new" "$CONFIG"
}

inbound() { printf '{ "protocol": "%s", "local_address": "127.0.0.1", "local_port": %s %s }' "$1" "$2" "${3:-}"; }
users() { printf '{"basic":{"users":[{"user_name":"joe","password":"%s"}]}}' "$1" >"$LAB_LOGS/users.json"; chmod 600 "$LAB_LOGS/users.json"; }
said() { grep -c -- "$1" "$LAB_LOGS/local.log"; }
said_more() { [ "$(said "$1")" -gt "$2" ]; }

reload()
{
	local words=${1:-the config has been reloaded} before
	before=$(said "$words")
	kill -HUP "$LOCAL_PID"
	lab_wait "the reload" said_more "$words" "$before"
}

# asks OPTION...: the HTTP status, or 000
asks() { exec_in client curl -sS --max-time 20 --noproxy "" -o /dev/null -w '%{http_code}' "$@" "$WEB" 2>>"$LAB_LOGS/curl.log"; }
# held OPTION...: a download that is slow enough to see what comes
held() { exec_in client curl -sS --max-time 60 --noproxy "" --limit-rate 4M -o - "$@" "$WEB" 2>>"$LAB_LOGS/curl.log" | sha256sum | cut -d' ' -f1; }
listener() { inside client ss -H -ltne "sport = :$1" 2>/dev/null | grep -o 'ino:[0-9]*'; }
flows() { inside world ss -H -tn state established "( sport = :8000 )" | wc -l; }
closed() { ! lab_listens client "$1"; }

users first
config "$FIRST" "$(inbound socks 1080), $(inbound mixed 1081), $(inbound http 1082 ", \"http_auth_config_path\": \"$LAB_LOGS/users.json\"")"
lab_start local client "$GATUN" local -v -c "$CONFIG"
LOCAL_PID=$LAB_PID
lab_wait "gatun local" lab_listens client 1082
SUM=$(sha256sum "$LAB_LOGS/content" | cut -d' ' -f1)
equal "at first: by SOCKS5" 200 "$(asks -x socks5://127.0.0.1:1080)"
equal "by HTTP, with its password" 200 "$(asks -x http://joe:first@127.0.0.1:1082)"

before=$(listener 1080)
held -x socks5://127.0.0.1:1080 >"$LAB_LOGS/stays.out" &
stays=$!
held -x socks5://127.0.0.1:1081 >"$LAB_LOGS/gone.out" &
gone=$!
held -p -x http://joe:first@127.0.0.1:1082 >"$LAB_LOGS/user.out" &
user=$!
lab_wait "three downloads" eval '[ "$(flows)" = 3 ]'
users second
config "$SECOND" "$(inbound socks 1080), $(inbound http 1082 ", \"http_auth_config_path\": \"$LAB_LOGS/users.json\""), $(inbound tunnel 1083 ", \"forward_address\": \"$WORLD4\", \"forward_port\": 8000")"
reload
check "an inbound that is gone is closed" closed 1081
equal "one that stays is the same socket" "$before" "$(listener 1080)"
equal "one that is new: a tunnel" 200 "$(exec_in client curl -sS --noproxy '*' -o /dev/null -w '%{http_code}' http://127.0.0.1:1083/length)"
equal "its users are read again: the old password" 407 "$(asks -x http://joe:first@127.0.0.1:1082)"
equal "and the new one" 200 "$(asks -x http://joe:second@127.0.0.1:1082)"
equal "new flows go to the new server: by SOCKS5" 200 "$(asks -x socks5://127.0.0.1:1080)"
wait "$stays" "$gone" "$user"
equal "a download by the inbound that stays comes whole" "$SUM" "$(cat "$LAB_LOGS/stays.out")"
equal "one by the inbound that is gone too" "$SUM" "$(cat "$LAB_LOGS/gone.out")"
equal "and one of a user whose password is another" "$SUM" "$(cat "$LAB_LOGS/user.out")"
lab_wait "the inbound's end" said_more "all who came by 127.0.0.1:1081 are gone" 0
ok "when its last flow has ended nothing is kept of the inbound that is gone"
lab_end "$SERVER_PID"
equal "the old server is not needed any more" 200 "$(asks -x socks5://127.0.0.1:1080)"

# --- another kind at the same address -------------------------------------------------

held -x socks5://127.0.0.1:1080 >"$LAB_LOGS/stays.out" &
stays=$!
lab_wait "a download" eval '[ "$(flows)" = 1 ]'
config "$SECOND" "$(inbound http 1080)"
reload
equal "a SOCKS port that becomes an HTTP proxy" 200 "$(asks -x http://127.0.0.1:1080)"
equal "speaks SOCKS no more" 000 "$(asks -x socks5://127.0.0.1:1080)"
wait "$stays"
equal "what came by it before comes whole" "$SUM" "$(cat "$LAB_LOGS/stays.out")"

# --- an ACL, and what cannot be had ---------------------------------------------------

forbidden() { case $(asks -x http://127.0.0.1:1080) in 403 | 502 | 503) echo 1 ;; *) echo 0 ;; esac; }
before=$(listener 1080)
exec_in client curl -sS --max-time 60 --noproxy "" --limit-rate 3M -o "$LAB_LOGS/stays.body" -x http://127.0.0.1:1080 "$WEB" 2>>"$LAB_LOGS/curl.log" &
stays=$!
lab_wait "a download" [ -s "$LAB_LOGS/stays.body" ]
printf '[proxy_all]\n[outbound_block_list]\n%s\n' "$WORLD4" >"$LAB_LOGS/local.acl"
cp "$LAB_LOGS/local.acl" "$LAB_LOGS/other.acl"
config "$SECOND" "$(inbound http 1080)" ", \"acl\": \"$LAB_LOGS/local.acl\""
reload
equal "an ACL that is new forbids" 1 "$(forbidden)"
printf '[proxy_all]\n' >"$LAB_LOGS/local.acl"
reload
equal "and allows when its file does" 200 "$(asks -x http://127.0.0.1:1080)"
config "$SECOND" "$(inbound http 1080)" ", \"acl\": \"$LAB_LOGS/other.acl\""
reload
equal "another file forbids" 1 "$(forbidden)"
config "$SECOND" "$(inbound http 1080)"
reload
equal "and none allows" 200 "$(asks -x http://127.0.0.1:1080)"
equal "all that at the same socket" "$before" "$(listener 1080)"
wait "$stays"
equal "and a download from before comes whole" "$SUM" "$(sha256sum <"$LAB_LOGS/stays.body" | cut -d' ' -f1)"

# --- names, and the way of what goes past the servers -----------------------------------

named() { exec_in client curl -sS --max-time 20 --noproxy "" -o /dev/null -w '%{http_code}' -x socks5h://127.0.0.1:1080 "http://$1:8000/length" 2>>"$LAB_LOGS/curl.log"; }
printf '[bypass_all]\n' >"$LAB_LOGS/local.acl"
PAST=", \"acl\": \"$LAB_LOGS/local.acl\""
echo "$WORLD4 hosts.test" >"$LAB_LOGS/hosts"
config "$SECOND" "$(inbound socks 1080)" "$PAST, \"nameserver\": \"$OTHER4\""
reload
equal "past the servers: a name that nobody knows" 000 "$(named hosts.test)"
config "$SECOND" "$(inbound socks 1080)" "$PAST, \"nameserver\": \"$OTHER4\", \"hosts\": \"$LAB_LOGS/hosts\""
reload
equal "a hosts file that is new knows it" 200 "$(named hosts.test)"
equal "and not what a dead name server does not tell" 000 "$(named web.lab)"
config "$SECOND" "$(inbound socks 1080)" "$PAST, \"nameserver\": \"$WORLD4\""
reload
equal "another name server does" 200 "$(named web.lab)"
equal "the hosts file is no more" 000 "$(named hosts.test)"
echo "this is no hosts file" >"$LAB_LOGS/hosts"
config "$SECOND" "$(inbound socks 1080)" "$PAST, \"nameserver\": \"$OTHER4\", \"hosts\": \"$LAB_LOGS/hosts\""
reload "nothing has changed"
equal "a broken one changes nothing" 200 "$(named web.lab)"
ip -n client addr add 10.77.1.77/24 dev uplink
config "$SECOND" "$(inbound socks 1080)" "$PAST, \"outbound_bind_addr\": \"10.77.1.77\""
reload
from() { exec_in client curl -sS --max-time 60 --noproxy "" --limit-rate 4M -o /dev/null -x socks5://127.0.0.1:1080 "$WEB" 2>>"$LAB_LOGS/curl.log" & }
from
lab_wait "a download from another address" eval '[ -n "$(inside world ss -H -tn state established "( sport = :8000 )" dst 10.77.1.77)" ]'
ok "outbound_bind_addr: what goes past the servers leaves from there"
kill %% 2>/dev/null
wait %% 2>/dev/null
config "$SECOND" "$(inbound socks 1080)" "$PAST, \"outbound_bind_addr\": \"10.77.1.78\""
reload "nothing has changed"
matches "an address that is not this machine's is refused" "cannot make a socket with .*10.77.1.78" "$LAB_LOGS/local.log"
printf '[proxy_all]\n' >"$LAB_LOGS/local.acl"
config "$SECOND" "$(inbound http 1080)" "$PAST"
reload
before=$(listener 1080)
printf '[proxy_all]\n[outbound_block_list]\n300.1.1.1/99\n(\n' >"$LAB_LOGS/local.acl"
reload "nothing has changed"
equal "a broken ACL changes nothing" 200 "$(asks -x http://127.0.0.1:1080)"
printf '[proxy_all]\n' >"$LAB_LOGS/local.acl"
inside client $PYTHON -c 'import socket,time; s=socket.socket(); s.bind(("127.0.0.1",1085)); s.listen(); print("there", flush=True); time.sleep(300)' >"$LAB_LOGS/holder.out" &
holder=$!
lab_wait "a holder of the port" grep -q there "$LAB_LOGS/holder.out"
config "$FIRST" "$(inbound socks 1084), $(inbound socks 1085)"
reload "nothing has changed"
kill "$holder"
matches "a port that another program has is named" "cannot listen on 127.0.0.1:1085: this port is taken" "$LAB_LOGS/local.log"
check "no other is opened" closed 1084
equal "and the old ones stay: the same socket" "$before" "$(listener 1080)"
equal "with the old server" 200 "$(asks -x http://127.0.0.1:1080)"
config "$SECOND" "$(inbound http 1080)"
for ((i = 0; i < 100; i++)); do kill -HUP "$LOCAL_PID"; done
equal "a storm of signals" 200 "$(asks -x http://127.0.0.1:1080)"
lab_end "$LOCAL_PID"
lab_end "$SECOND_PID"
check_reports
use_server gatun
finish
