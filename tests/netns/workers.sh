#!/bin/bash
# gatun server and gatun local as several processes: the work is spread, what must be one is
# one, and whoever dies takes nothing along but his own flows.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

WORKERS_PY="$PYTHON $TESTS_DIR/probes/workers.py"
CONTROL=$LAB_LOGS/control

# two_workers [OPTION...]: (re)starts the far end as two workers
two_workers()
{
	use_server gatun "$SERVER4" --workers 2 --control "$CONTROL" "$@"
	lab_wait "both workers" status_is 'len(d["workers"]) == 2'
}

# status EXPRESSION: of the document d, by python
status()
{
	inside server "$GATUN" status --json --control "$CONTROL" 2>>"$LAB_LOGS/status.log" |
		"$PYTHON" -c "import json, sys; d = json.load(sys.stdin); print($1)"
}

status_is() { [ "$(status "$1")" = True ]; }
worker_pids() { status '" ".join(str(w["pid"]) for w in d["workers"])'; }
all_gone() { for pid; do ! kill -0 "$pid" 2>/dev/null || return 1; done; }

# hold N: N connections through gatun run that stay open until let_go; the outcome is in $LAB_LOGS/hold.out
hold()
{
	rm -f "$LAB_LOGS/begun" "$LAB_LOGS/go"
	EXEC=exec through $WORKERS_PY hold "$WORLD4" "$1" "$LAB_LOGS/begun" "$LAB_LOGS/go" >"$LAB_LOGS/hold.out" &
	HOLD_PID=$!
	lab_wait "the connections" [ -e "$LAB_LOGS/begun" ]
}

let_go()
{
	touch "$LAB_LOGS/go"
	wait "$HOLD_PID"
}

# --- spread, and summed up ---------------------------------------------------------

two_workers
hold 40
equal "40 connections: both workers have some, and the sum is right" "True 40" \
	"$(status 'all(w["flows_active"] > 0 for w in d["workers"]), sum(w["flows_active"] for w in d["workers"])')"
equal "status counts them together" "40 40" "$(status 'd["tcp"]["flows_opened"], d["ports"][0]["tcp"]["flows_opened"]' | tr -d '(),')"

# --- a worker dies -------------------------------------------------------------------

read -r first second < <(worker_pids)
others=$(status "[w['flows_active'] for w in d['workers'] if w['pid'] == $second][0]")
patience=3
! sanitized || patience=10
kill -KILL "$first"
equal "a worker is killed: who comes now is served, within a second or so" "failed:0 slow:False" \
	"$(through $WORKERS_PY fresh "$WORLD4" 30 $patience)"
let_go
equal "the other's connections have not noticed" "before:40 after:$others" "$(cat "$LAB_LOGS/hold.out")"
lab_wait "the worker's next life" status_is 'len(d["workers"]) == 2'
equal "there are two again, one of them new" "2 True True" \
	"$(status "len(d['workers']), $second in [w['pid'] for w in d['workers']], $first not in [w['pid'] for w in d['workers']]" | tr -d '(),')"
matches "the log says who died, and how" "worker 0 was killed signal=9 pid=$first" "$LAB_LOGS/server.log"

# --- replays ---------------------------------------------------------------------------

# record: the first flight of a connection, in $LAB_LOGS/flight
record()
{
	rm -f "$LAB_LOGS/flight" "$LAB_LOGS/mitm.log"
	lab_start mitm server "$PYTHON" "$TESTS_DIR/probes/mitm.py" "$SERVER6" "$SERVER_PORT" "$SERVER4" record "$LAB_LOGS/flight"
	MIDDLE_PID=$LAB_PID
	lab_wait "the man in the middle" grep -q ready "$LAB_LOGS/mitm.log"
	SERVER=$(lab_host_port "$SERVER6" "$SERVER_PORT")
	equal "a connection is recorded on its way ($METHOD)" ok "$(through $PROBE short-once "$WORLD4")"
	SERVER=$(lab_host_port "$SERVER4" "$SERVER_PORT")
	lab_end "$MIDDLE_PID"
}

record
before=$(opens)
equal "sent again 50 times, it is reset whatever worker it meets" "ConnectionResetError:50" \
	"$(exec_in client $WORKERS_PY replays "$SERVER4" "$LAB_LOGS/flight" 50 5)"
matches "one worker has refused some" "a replayed connection end=replay worker=0" "$LAB_LOGS/server.log"
matches "and so has the other" "a replayed connection end=replay worker=1" "$LAB_LOGS/server.log"
METHOD=aes-256-gcm KEY=
two_workers
record
equal "SIP004: sent again 50 times, it meets silence" "TimeoutError:50" \
	"$(exec_in client $WORKERS_PY replays "$SERVER4" "$LAB_LOGS/flight" 50 1)"
equal "the target has heard of the two originals alone" $((before + 1)) "$(opens)"
matches "SIP004: one worker has refused some" "a replayed connection end=replay worker=0" "$LAB_LOGS/server.log"
matches "SIP004: and so has the other" "a replayed connection end=replay worker=1" "$LAB_LOGS/server.log"
METHOD=2022-blake3-aes-256-gcm KEY=

# --- a session that moves --------------------------------------------------------------

lab_start seen world $WORKERS_PY seen "$WORLD4" 7040
SEEN_PID=$LAB_PID
lab_wait "the target" grep -q ready "$LAB_LOGS/seen.log"

# moves METHOD: a client behind a NAT that gives it 20 ports in turn
moves()
{
	METHOD=$1 KEY=$(make_key "$1")
	two_workers
	rm -f "$LAB_LOGS/mover.log"
	lab_start mover client $WORKERS_PY mover 9000 9001 "$SERVER4" "$SERVER_PORT" 20
	MOVER_PID=$LAB_PID
	lab_wait "the NAT" grep -q ready "$LAB_LOGS/mover.log"
	cat >"$LAB_LOGS/local.json" <<-J
		{ "server": "127.0.0.1", "server_port": 9000, "method": "$METHOD", "password": "$KEY", "mode": "udp_only",
		  "locals": [ { "protocol": "tunnel", "mode": "udp_only", "local_port": 7000, "forward_address": "$WORLD4", "forward_port": 7040 } ] }
	J
	lab_start local client "$GATUN" local -v --control off -c "$LAB_LOGS/local.json"
	LOCAL_PID=$LAB_PID
	lab_wait "gatun local" udp_listens client 7000
	equal "a $METHOD session from 20 places: each datagram answered, one port of the server's" "asked:20 silent:0 ports:1" \
		"$(exec_in client $WORKERS_PY moving 7000 9001 20)"
	check "some of them were handed to the worker that has the session" status_is 'd["udp"]["handed_over"] > 0'
	equal "and one worker alone has it" "[0, 1]" "$(status 'sorted(w["sessions_active"] for w in d["workers"])')"
	lab_end "$LOCAL_PID"
	lab_end "$MOVER_PID"
}

udp_listens() { [ -n "$(ip netns exec "$1" ss -H -lun "sport = :$2")" ]; }

for method in 2022-blake3-aes-256-gcm 2022-blake3-chacha20-poly1305; do
	moves "$method"
done
lab_end "$SEEN_PID"

# --- UDP of the first generation ---------------------------------------------------------

METHOD=aes-256-gcm KEY=
two_workers
equal "300 sockets of SIP004: each its own answer" "wrong:0" "$(through $PROBE udp-burst "$WORLD4" 300)"
equal "from both workers" True "$(status 'all(w["sessions_active"] > 30 for w in d["workers"])')"
METHOD=2022-blake3-aes-256-gcm KEY=

# --- another config -------------------------------------------------------------------------

# with_users NAME:KEY...: writes the config of a server with these
with_users()
{
	local user users=
	for user; do users+="{ \"name\": \"${user%%:*}\", \"password\": \"${user#*:}\" }, "; done
	cat >"$LAB_LOGS/users.json" <<-J
		{ "servers": [ { "server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "mode": "tcp_and_udp",
		  "password": "$OWN", "users": [ $users ] } ], "workers": 2 }
	J
	chmod 600 "$LAB_LOGS/users.json"
}

OWN=$(make_key "$METHOD") ALICE=$(make_key "$METHOD") BOB=$(make_key "$METHOD")
lab_end "$SERVER_PID"
with_users "alice:$ALICE"
lab_start server server "$GATUN" server -v --control "$CONTROL" -c "$LAB_LOGS/users.json"
SERVER_PID=$LAB_PID
lab_wait "both workers" status_is 'len(d["workers"]) == 2'
KEY=$OWN:$BOB
equal "nobody knows bob" ECONNRESET "$(through $PROBE short-once "$WORLD4")"
with_users "alice:$ALICE" "bob:$BOB"
kill -HUP "$SERVER_PID"
lab_wait "the reload" grep -q "reloaded worker=1" "$LAB_LOGS/server.log"
equal "SIGHUP: both workers know him" "failed:0 slow:False" "$(through $WORKERS_PY fresh "$WORLD4" 20 10)"
read -r first second < <(worker_pids)
kill -KILL "$first" "$second"
equal "and so do their next lives" "failed:0 slow:False" "$(through $WORKERS_PY fresh "$WORLD4" 20 10)"
equal "status has his numbers once, of both, and counts two users, not those of each worker" "1 1 2" \
	"$(status "len([u for u in d['users'] if u['name'] == 'bob']), len(d['ports']), d['ports'][0]['users']" | tr -d '(),')"
mapfile -t crowd < <("$PYTHON" -c 'import base64, os
for i in range(400): print("u%d:%s" % (i, base64.b64encode(os.urandom(32)).decode()))')
with_users "alice:$ALICE" "${crowd[@]}"
kill -HUP "$SERVER_PID"
lab_wait "400 users" status_is "len(d['users']) == 401"
with_users "alice:$ALICE" "bob:$BOB"
kill -HUP "$SERVER_PID"
lab_wait "400 users to be gone from both workers" status_is "len(d['users']) == 2"
ok "400 users at once are nobody's any more: a worker that has much to say is listened to"
read -r first second < <(worker_pids)
with_users "alice:$ALICE"
kill -STOP "$SERVER_PID"
kill -KILL "$second"
kill -HUP "$SERVER_PID"
kill -CONT "$SERVER_PID"
lab_wait "a new worker" status_is "len(d['workers']) == 2 and $second not in [w['pid'] for w in d['workers']]"
equal "a worker dies as the config is reloaded: its next life has the new one, as the other has" alice \
	"$(status "' '.join(u['name'] for u in d['users'])")"
KEY=

# --- a manager's orders ---------------------------------------------------------------------

METHOD=aes-256-gcm KEY=
two_workers --manager "$LAB_LOGS/manager.sock"
order() { inside server "$PYTHON" "$TESTS_DIR/probes/manager.py" "$LAB_LOGS/manager.sock" "$@"; }

# by_order: 20 connections of 9 bytes and more by the port that was ordered
by_order()
{
	local SERVER=$SERVER4:8395 KEY=of-the-order
	exec_in twin "$GATUN" run --dns off -s "$SERVER" -m "$METHOD" -k "$KEY" -- $WORKERS_PY fresh "$WORLD4" 20 10 2>>"$LAB_LOGS/run.log"
}

equal "a port is opened by order" ok "$(order 'add: {"server_port":8395,"password":"of-the-order"}')"
equal "at both workers" "failed:0 slow:False" "$(by_order)"
read -r first second < <(worker_pids)
kill -KILL "$first" "$second"
lab_wait "two new workers" status_is "len(d['workers']) == 2 and not {$first, $second} & {w['pid'] for w in d['workers']}"
equal "their next lives have it too" "failed:0 slow:False" "$(by_order)"
equal "closed and opened again at once" "ok ok ok" "$(order 'remove: {"server_port":8395}') $(order 'add: {"server_port":8395,"password":"x"}') \
$(order 'remove: {"server_port":8395}')"
check "and gone, with all that was kept of it" [ -z "$(inside server ss -H -lntu "sport = :8395")" ]
METHOD=2022-blake3-aes-256-gcm KEY=

# --- gatun local ----------------------------------------------------------------------------

use_server gatun "$SERVER4"
lab_start local client "$GATUN" local -v --control "$CONTROL" --workers 2 --socks 127.0.0.1:1080 -s "$SERVER" -m "$METHOD" -k "$KEY"
LOCAL_PID=$LAB_PID
lab_wait "both workers of gatun local" status_is 'len(d["workers"]) == 2'
socks() { exec_in client "$PYTHON" "$TESTS_DIR/probes/socks.py" 1080 7001 "$WORLD4" "$@"; }
equal "gatun local, SOCKS5 UDP: associations at both workers, all of it as with one" \
	"echo:ok fragments:ok stranger:ok life:ok malformed:ok many:ok crossed:ok" \
	"$(socks echo fragments stranger life malformed many crossed)"
equal "12 associations one after another, each at the worker of its control connection" \
	"$(for i in {1..12}; do printf 'echo:ok '; done)" "$(for i in {1..12}; do printf '%s ' "$(socks echo)"; done)"
equal "both have had some" True "$(status 'd["socks"]["control_opened"] > 12')"
lab_end "$LOCAL_PID"

# local_config MIXED-KEYS [, LOCAL]: of gatun local below
local_config()
{
	printf '{ "server": "%s", "server_port": %s, "method": "%s", "password": "%s", "workers": 2, "locals": [ { "protocol": "mixed", "local_port": 1080 %s } %s ] }\n' \
		"$SERVER4" "$SERVER_PORT" "$METHOD" "$KEY" "$1" "${2:-}" >"$LAB_LOGS/local.json.new"
	chmod 600 "$LAB_LOGS/local.json.new"
	mv "$LAB_LOGS/local.json.new" "$LAB_LOGS/local.json"
}
local_reload()
{
	: >"$LAB_LOGS/local.log"
	kill -HUP "$LOCAL_PID"
	lab_wait "the reload" grep -q "config .* reloaded[^=]*$" "$LAB_LOGS/local.log"
}
# How many listen at a TCP port of client?
listeners() { inside client ss -Hltn "sport = :$1" | wc -l; }
FAKE_DNS=', { "protocol": "fake-dns", "local_port": 5353 }'
local_config "" "$FAKE_DNS"
lab_start local client env STATE_DIRECTORY="$LAB_LOGS" "$GATUN" local -v --control "$CONTROL" -c "$LAB_LOGS/local.json"
LOCAL_PID=$LAB_PID
lab_wait "both workers of gatun local" status_is 'len(d["workers"]) == 2'
local_config ', "mode": "tcp_only"'
local_reload
equal "a reload makes an inbound another at its port: both workers listen there again" 2 "$(listeners 1080)"
kill -KILL "$(status 'd["workers"][1]["pid"]')"
lab_wait "the worker's next life" grep -q "worker 1 was killed" "$LAB_LOGS/local.log"
lab_wait "both workers of gatun local" status_is 'len(d["workers"]) == 2'
local_config "" "$FAKE_DNS"
local_reload
equal "fake-dns comes back by a reload, with a worker too that began without" "2 2" "$(listeners 5353) $(listeners 1080)"
lab_end "$LOCAL_PID"

# --- ends ---------------------------------------------------------------------------------------

two_workers
pids=$(worker_pids)
kill -KILL "$SERVER_PID"
lab_gone "$SERVER_PID"
lab_wait "the workers' end" all_gone $pids
ok "the supervisor is killed: no worker is left"
SERVER_PID=

two_workers
through $PROBE many "$WORLD4" 10 1000 >/dev/null
pids=$(worker_pids)
: >"$LAB_LOGS/server.log"
lab_end "$SERVER_PID"
check "SIGTERM: no worker is left" all_gone $pids
equal "one line sums up" 1 "$(grep -c "flows tcp flows_opened=10 " "$LAB_LOGS/server.log")"
equal "and one says what everybody did" 1 "$(grep -c "everybody of .* tcp=10 " "$LAB_LOGS/server.log")"
SERVER_PID=

# exit_code COMMAND...: of gatun in the namespace server, ended by SIGTERM once it listens
exit_code()
{
	local pid
	ip netns exec server "$@" >>"$LAB_LOGS/exit.log" 2>&1 </dev/null &
	pid=$!
	lab_wait "gatun" lab_listens_or_ended "$pid"
	kill "$pid"
	wait "$pid"
	echo $?
}

equal "ended in order, the exit code is 0" 0 \
	"$(exit_code "$GATUN" server --workers 2 --control off -s "$SERVER4:$SERVER_PORT" -m "$METHOD" -k "$KEY")"

two_workers
inside server "$GATUN" server --workers 2 --control off -s "$SERVER" -m "$METHOD" -k "$KEY" 2>"$LAB_LOGS/second.log"
equal "a second gatun at the same port ends with 1" 1 $?
matches "and says that the port is taken" "cannot listen on .* err=EADDRINUSE" "$LAB_LOGS/second.log"

# A port that needs a privilege which nobody has any more.
lab_start low server "$GATUN" server -v --workers 2 --control "$CONTROL.low" -s "$SERVER4:443" -m "$METHOD" -k "$KEY"
LOW_PID=$LAB_PID
CONTROL=$CONTROL.low
lab_wait "a server on 443" status_is 'len(d["workers"]) == 2'
read -r first second < <(worker_pids)
equal "capabilities: none in the supervisor, none in a worker" "0000000000000000 0000000000000000" \
	"$(awk '/^CapEff/ { print $2 }' "/proc/$LOW_PID/status") $(awk '/^CapEff/ { print $2 }' "/proc/$first/status")"
kill -KILL "$first" "$second"
lab_wait "two new workers" status_is "len(d['workers']) == 2 and not {$first, $second} & {w['pid'] for w in d['workers']}"
equal "port 443 is served again after all workers were killed" ok "$(exec_in twin "$GATUN" run --dns off \
	-s "$SERVER4:443" -m "$METHOD" -k "$KEY" -- $PROBE short-once "$WORLD4" 2>>"$LAB_LOGS/run.log")"
lab_end "$LOW_PID"

check_no_secret() { ! grep -qF -e "$KEY" "$LAB_LOGS"/*.log; }
check "no key is in any log" check_no_secret
finish
