#!/bin/bash
# Ports that are opened, counted and closed by order while the server runs, in ss-manager's
# protocol, by UDP and over a unix socket; and what may not be ordered.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

FAMILIES=4
UPLINK_CHECKED=no # the ports are others than the lab's
MODERN=2022-blake3-aes-256-gcm
A=$(make_key "$MODERN") B=$(make_key "$MODERN") ALICE=$(make_key "$MODERN")
AT=127.0.0.1:6001

# manage OPTION...: (re)starts the server
manage()
{
	lab_end "$SERVER_PID"
	lab_start server server "$GATUN" server -v "$@"
	SERVER_PID=$LAB_PID
	lab_wait "the manager" grep -q "taking a manager's orders" "$LAB_LOGS/server.log"
}

order() { inside server $PYTHON "$TESTS_DIR/probes/manager.py" "$AT" "$@" 2>>"$LAB_LOGS/orders.log"; }

# on PORT METHOD KEY COMMAND...: by the port
on()
{
	local SERVER=$SERVER4:$1 METHOD=$2 KEY=$3
	shift 3
	"$@"
}

closed() { ! lab_listens server "$1" && [ -z "$(inside server ss -H -lun "sport = :$1")" ]; }

cat >"$LAB_LOGS/manager.json" <<-END
	{ "server": "$SERVER4", "method": "aes-256-gcm", "manager_address": "127.0.0.1", "manager_port": 6001,
	  "port_password": { "8000": "of the config" } }
END
chmod 600 "$LAB_LOGS/manager.json"
manage -c "$LAB_LOGS/manager.json"

equal "ping counts the config's port" '{"8000":0}' "$(order ping)"
on 8000 aes-256-gcm "of the config" same "port_password: a connection" ok short-once @
equal "a port is added" ok "$(order 'add: {"server_port":8001,"password":"a secret"}')"
equal "one with a method of its own, its port in quotes" ok "$(order "add: {\"server_port\": \"8002\", \"password\": \"$A\", \"method\": \"$MODERN\", \"no_delay\": true}")"
equal "list tells ports and methods, and no password" \
	'[{"method":"aes-256-gcm","server_port":"8000"},{"method":"aes-256-gcm","server_port":"8001"},{"method":"2022-blake3-aes-256-gcm","server_port":"8002"}]' "$(order list)"
on 8001 aes-256-gcm "a secret" same "the added port: a connection" ok short-once @
on 8002 "$MODERN" "$A" same "the other one: 3 MB and FIN, then the answer" "answer:right then:EOF" half-close @ 3000000
on 8002 "$MODERN" "$A" same "the other one: UDP of 1 to 1,300 bytes" "ok:5" udp-sizes @ 1 100 512 1199 1300

equal "a port that there is becomes the new one" ok "$(order 'add: {"server_port":8001,"password":"another"}')"
equal "and counts anew" 0 "$(order ping | $PYTHON -c 'import json,sys; print(json.load(sys.stdin)["8001"])')"
on 8001 aes-256-gcm another same "ping: 10 MB through it" "got:10000000,intact then:EOF" source @ 10000000
equal "ping: the bytes that went through it, neither more nor less" 10000009 \
	"$(order ping | $PYTHON -c 'import json,sys; print(json.load(sys.stdin)["8001"])')"
on 8001 aes-256-gcm another through $PROBE udp-sizes "$WORLD4" 1000 >/dev/null
more=$(order ping | $PYTHON -c 'import json,sys; print(json.load(sys.stdin)["8001"] - 10000009)')
check "ping: and of UDP ($more)" [ $((more % 1000)) = 0 -a "$more" -ge 2000 ]

# --- taken away ----------------------------------------------------------------------

on 8001 aes-256-gcm another through $PROBE endless "$WORLD4" >"$LAB_LOGS/cut.out" &
cut=$!
on 8002 "$MODERN" "$A" through $PROBE source "$WORLD4" 50000000 2 >"$LAB_LOGS/whole.out" &
whole=$!
lab_wait "a download" grep -q flowing "$LAB_LOGS/cut.out"
equal "a port is removed under a download" ok "$(order 'remove: {"server_port":8001}')"
wait "$cut"
equal "whose connection is reset" "then:ECONNRESET intact" "$(tail -n 1 "$LAB_LOGS/cut.out")"
check "nothing listens there any more" closed 8001
wait "$whole"
equal "the download by another port came whole" "got:50000000,intact then:EOF" "$(cat "$LAB_LOGS/whole.out")"
equal "removing it again is fine" ok "$(order 'remove: {"server_port":8001}')"
equal "a port of the config can be removed too" ok "$(order 'remove: {"server_port":8000}')"
check "nothing listens there" closed 8000
equal "and is added again" ok "$(order 'add: {"server_port":8000,"password":"of the order"}')"

# --- what cannot be ------------------------------------------------------------------

inside server $PYTHON -c 'import socket,time; s=socket.socket(); s.bind(("0.0.0.0",8005)); s.listen(); print("there", flush=True); time.sleep(300)' >"$LAB_LOGS/holder.out" &
holder=$!
lab_wait "a holder of the port" grep -q there "$LAB_LOGS/holder.out"
equal "a port that another program has" "port is not available" "$(order 'add: {"server_port":8005,"password":"x"}')"
kill "$holder"
equal "a method that there is not" "err: unknown method" "$(order 'add: {"server_port":8006,"password":"x","method":"aes-1024"}' | cut -c 1-19)"
equal "a key of the wrong size: the right one is said" 1 "$(order "add: {\"server_port\":8006,\"password\":\"eA==\",\"method\":\"$MODERN\"}" | grep -c '^err: password: .*32 bytes')"
equal "a plugin, from who may only reach a port" "err: a plugin is a program" "$(order 'add: {"server_port":8006,"password":"x","plugin":"obfs-server"}' | cut -c 1-26)"
for broken in add 'add:' 'add: {' 'add: []' 'add: {"password":"x"}' 'add: {"server_port":0,"password":"x"}' 'add: {"server_port":65536,"password":"x"}' \
	'add: {"server_port":"80;0","password":"x"}' 'add: {"server_port":8006}' 'remove: {}' 'ping: 1'; do
	equal "no order: $broken" err: "$(order "$broken" | cut -c 1-4)"
done
equal "what is no command is not answered" silence "$(order hello)"
equal "nor is a server's stat" silence "$(order 'stat: {"8000":1}')"
equal "shell text in a port's password" ok "$(order "add: {\"server_port\":8006,\"password\":\"\$(touch $LAB_LOGS/broken); touch $LAB_LOGS/broken; \`touch $LAB_LOGS/broken\`\"}")"
equal "and in its method" err: "$(order "add: {\"server_port\":8007,\"password\":\"x\",\"method\":\"aes-256-gcm; touch $LAB_LOGS/broken\"}" | cut -c 1-4)"
check "is run by nobody" [ ! -e "$LAB_LOGS/broken" ]
equal "the ports after all that" '{"8000":0,"8002":' "$(order ping | cut -c 1-17)"
check "no password is in the log" [ -z "$(grep -F -e "$A" -e "a secret" -e "of the" -e touch "$LAB_LOGS/server.log")" ]

# --- a unix socket -------------------------------------------------------------------

AT=$LAB_LOGS/manager.sock
: >"$LAB_LOGS/server.log"
manage --manager "$AT" -m "$MODERN"
equal "the unix socket is its owner's alone" 600 "$(stat -c %a "$AT")"
equal "a port with users" ok "$(order "add: {\"server_port\":8002,\"password\":\"$B\",\"users\":[{\"name\":\"alice\",\"password\":\"$ALICE\"}]}")"
on 8002 "$MODERN" "$B:$ALICE" same "its user: a connection" ok short-once @
on 8002 "$MODERN" "$B" is "who is none: reset" ECONNRESET short-once @
equal "without an address a port is open on all of IPv4" "0.0.0.0:8002" "$(inside server ss -H -ltn 'sport = :8002' | awk '{ print $4 }')"
if [ "$(id -u)" = 0 ]; then
	equal "another user of the machine gives no orders" "error: Permission denied" \
		"$(inside server setpriv --reuid 65534 --clear-groups $PYTHON "$TESTS_DIR/probes/manager.py" "$AT" ping 2>&1)"
fi
kill -9 "$SERVER_PID"
lab_gone "$SERVER_PID"
check "killed, it leaves the socket" [ -S "$AT" ]
manage --manager "$AT" -m "$MODERN"
lab_wait "the socket" order ping
equal "which the next one takes" "{}" "$(order ping)"
inside server "$GATUN" server --manager "$AT" -m "$MODERN" >"$LAB_LOGS/second.log" 2>&1
matches "but not from one that lives" "cannot take a manager's orders at .*something is there already" "$LAB_LOGS/second.log"
equal "who goes on" "{}" "$(order ping)"
if command -v socat >/dev/null; then
	equal "socat can ask" "stat: {}" "$(printf 'ping\n' | inside server socat -t 1 - "UNIX-SENDTO:$AT,bind=$LAB_LOGS/socat.sock")"
fi
lab_end "$SERVER_PID"
check "its end takes the socket away" [ ! -e "$AT" ]
# --- with workers --------------------------------------------------------------------

AT=127.0.0.1:6001
: >"$LAB_LOGS/server.log"
manage --workers 2 --manager "$AT" -m aes-256-gcm
equal "two workers: a port is added" ok "$(order 'add: {"server_port":8001,"password":"a secret"}')"
equal "two workers: it is open in both" 2 "$(inside server ss -H -ltn 'sport = :8001' | wc -l)"
for i in 1 2 3 4; do on 8001 aes-256-gcm "a secret" through $PROBE source "$WORLD4" 1000000; done >"$LAB_LOGS/four.out"
equal "two workers: four downloads" 4 "$(grep -c "got:1000000,intact then:EOF" "$LAB_LOGS/four.out")"
equal "two workers: ping adds up what both carried" '{"8001":4000032}' "$(order ping)"
worker=$(pgrep -P "$SERVER_PID" | head -n 1)
kill -9 "$worker"
lab_wait "the worker's next life" eval '[ "$(pgrep -cP "$SERVER_PID")" = 2 ] && [ "$(grep -c "listening on 0.0.0.0:8001" "$LAB_LOGS/server.log")" = 3 ]'
on 8001 aes-256-gcm "a secret" through $PROBE many "$WORLD4" 10 100000 >"$LAB_LOGS/ten.out"
equal "two workers: one that was killed has the port again" "EOF:10" "$(cat "$LAB_LOGS/ten.out")"
equal "two workers: it is removed from both" ok "$(order 'remove: {"server_port":8001}')"
check "two workers: and nothing listens there" closed 8001
lab_end "$SERVER_PID"

inside server "$GATUN" server --manager 0.0.0.0:6001 -m "$MODERN" >"$LAB_LOGS/remote.log" 2>&1
matches "it is not for the network" "could be reached from other machines" "$LAB_LOGS/remote.log"
use_server gatun
finish
