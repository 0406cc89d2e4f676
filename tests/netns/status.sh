#!/bin/bash
# `gatun status` and the control socket: what was sent is what is told, per port, user and
# server; nobody else is told, the command of `gatun run` neither; bad guests harm nothing.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
lab_need curl
lab_end "$SERVER_PID"
SERVER_PID=

# Where the sockets are. Root's are in /run/gatun, which is the lab's own.
RUNTIME=$(mktemp -d /tmp/gatun-status.XXXXXX)
trap 'rm -rf "$RUNTIME"' EXIT
export XDG_RUNTIME_DIR=$RUNTIME
if [ "$(id -u)" -eq 0 ]; then PLACE=/run/gatun; else PLACE=$RUNTIME/gatun; fi

status() { "$GATUN" status "$@" 2>>"$LAB_LOGS/status.log"; }
probe() { "$PYTHON" "$TESTS_DIR/probes/status.py" "$@"; }
# told PID EXPRESSION: of the instance's document d
told() { status --json --control "$PLACE/$1.sock" | probe get "$2"; }
# tells PID EXPRESSION VALUE: it will, within a moment (a flow's end, a counter on the far side)
is_told() { [ "$(told "$1" "$2")" = "$3" ]; }
tells() { lab_wait "$2 = $3" is_told "$@"; }
is_alone() { [ "$(ls "$PLACE")" = "$1" ]; }

# --- nobody --------------------------------------------------------------------------

equal "nothing runs: exit code 1" 1 "$("$GATUN" status >/dev/null 2>&1; echo $?)"
"$GATUN" >"$LAB_LOGS/nothing.out" 2>&1
equal "gatun alone asks the same" 1 $?
matches "and says how to start" "gatun run -c config.json -- COMMAND" "$LAB_LOGS/nothing.out"
equal "nothing is a valid list of metrics, and of documents" "" "$(status --json; status --prometheus)"

# --- a server with users, and another port without -----------------------------------

OWN=$KEY ALICE=$(make_key "$METHOD") BOB=$(make_key "$METHOD") OTHER=another-password-of-28-letters
cat >"$LAB_LOGS/server.json" <<-END
	{ "servers": [ { "server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "password": "$OWN",
	    "users": [ { "name": "alice", "password": "$ALICE" }, { "name": "bob \"b\"", "password": "$BOB" } ] },
	  { "server": "$SERVER6", "server_port": $SERVER_PORT, "method": "aes-256-gcm", "password": "$OTHER" } ] }
END
lab_start server server "$GATUN" server -v -c "$LAB_LOGS/server.json"
SERVER_PID=$LAB_PID
lab_wait "the server" [ -S "$PLACE/$SERVER_PID.sock" ] # made when all listens
check "the server has its socket, named by its number" is_alone "$SERVER_PID.sock"
equal "the socket is its user's alone" "600 $(id -un)" "$(stat -c '%a %U' "$PLACE/$SERVER_PID.sock")"
equal "so is the directory" "700 $(id -un)" "$(stat -c '%a %U' "$PLACE")"
equal "no name of the design is missing" none "$(status --json | probe names)"

start_local()
{
	lab_start "local" client "$GATUN" local -v -s "$SERVER4:$SERVER_PORT" -m "$METHOD" -k "$OWN:$ALICE" --socks 127.0.0.1:1080 \
		--tunnel "127.0.0.1:1081=$WORLD4:7006" --tunnel "127.0.0.1:1082=$WORLD4:7001" "$@"
	LOCAL_PID=$LAB_PID
	lab_wait "gatun local" [ -S "$PLACE/$LOCAL_PID.sock" ]
}
start_local
equal "both are found, one document a line, in the order of their numbers" "server local" \
	"$(status --json | while read -r d; do probe get 'd["mode"]' <<<"$d"; done | xargs)"
equal "each is who it says" "$SERVER_PID $LOCAL_PID" "$(status --json | while read -r d; do probe get 'd["pid"]' <<<"$d"; done | xargs)"

# --- what was sent is what is told ------------------------------------------------------

mkfifo "$LAB_LOGS/in"
exec_in client "$PYTHON" "$TESTS_DIR/probes/status.py" download 1081 3000000 <"$LAB_LOGS/in" >"$LAB_LOGS/download.out" &
exec 9>"$LAB_LOGS/in"
lab_wait "the download" grep -q 3000000 "$LAB_LOGS/download.out"
equal "local: a flow that stands, and its bytes" "1 1 8 3000000" \
	"$(told "$LOCAL_PID" '"%d %d %d %d" % (d["flows"]["tcp"], d["tcp"]["flows_opened"], d["tcp"]["bytes_up"], d["tcp"]["bytes_down"])')"
equal "server: the same" "1 1 8 3000000" \
	"$(told "$SERVER_PID" '"%d %d %d %d" % (d["flows"]["tcp"], d["tcp"]["flows_opened"], d["tcp"]["bytes_up"], d["tcp"]["bytes_down"])')"
exec 9>&-
wait $!
check "both count its end" tells "$SERVER_PID" '(d["flows"]["tcp"], d["flows"]["ended"]["done"])' "(0, 1)"
check "in the same word" tells "$LOCAL_PID" '(d["flows"]["tcp"], d["flows"]["ended"]["done"])' "(0, 1)"

equal "20 datagrams of 500 bytes, all answered" 20 "$(exec_in client "$PYTHON" "$TESTS_DIR/probes/status.py" datagrams 1082 20 500)"
for pid in "$LOCAL_PID" "$SERVER_PID"; do
	equal "$(told "$pid" 'd["mode"]'): they are told" "1 20 20 10000 10000" \
		"$(told "$pid" '"%(sessions_opened)d %(packets_up)d %(packets_down)d %(bytes_up)d %(bytes_down)d" % d["udp"]')"
done
BOBS="got:5000000,intact then:EOF"
equal "bob: 5 MB down" "$BOBS" "$(KEY=$OWN:$BOB SERVER=$SERVER4:$SERVER_PORT through $PROBE source "$WORLD4" 5000000)"
equal "another port: 2 MB down" "got:2000000,intact then:EOF" \
	"$(METHOD=aes-256-gcm KEY=$OTHER SERVER=[$SERVER6]:$SERVER_PORT through $PROBE source "$WORLD4" 2000000)"
equal "alice's numbers are hers" "alice 1 8 3000000 1 20 10000" \
	"$(told "$SERVER_PID" '"%s %d %d %d %d %d %d" % next((u["name"], u["tcp"]["flows_opened"], u["tcp"]["bytes_up"], u["tcp"]["bytes_down"], u["udp"]["sessions_opened"], u["udp"]["packets_up"], u["udp"]["bytes_down"]) for u in d["users"] if u["name"] == "alice")')"
equal "bob's are his" '1 8 5000000 0' \
	"$(told "$SERVER_PID" '"%d %d %d %d" % next((u["tcp"]["flows_opened"], u["tcp"]["bytes_up"], u["tcp"]["bytes_down"], u["udp"]["sessions_opened"]) for u in d["users"] if u["name"] == "bob \"b\"")')"
equal "ports: the first has its users' sum, the second its own" "$SERVER4:$SERVER_PORT 2 16 8000000, [$SERVER6]:$SERVER_PORT 1 8 2000000" \
	"$(told "$SERVER_PID" '", ".join("%s %d %d %d" % (p["port"], p["tcp"]["flows_opened"], p["tcp"]["bytes_up"], p["tcp"]["bytes_down"]) for p in d["ports"])')"
equal "the sum of all ports is what the server tells of itself" True \
	"$(told "$SERVER_PID" 'sum(p["tcp"]["bytes_down"] for p in d["ports"]) == d["tcp"]["bytes_down"] == 10000000')"

exec_in client "$PYTHON" "$TESTS_DIR/probes/status.py" associate 1080 <"$LAB_LOGS/in" >"$LAB_LOGS/associate.out" &
exec 9>"$LAB_LOGS/in"
lab_wait "the association" grep -q associated "$LAB_LOGS/associate.out"
equal "a SOCKS5 control connection is told of" "1 1" "$(told "$LOCAL_PID" '"%(control_active)d %(control_opened)d" % d["socks"]')"
exec 9>&-
wait $!
check "and its end" tells "$LOCAL_PID" 'd["socks"]["control_active"]' 0
exec_in client bash -c "echo junk >/dev/udp/$SERVER4/$SERVER_PORT"
check "a datagram that is none is counted" tells "$SERVER_PID" 'd["udp"]["malformed"] + d["udp"]["dropped_crypto"]' 1

# --- in other words ----------------------------------------------------------------------

status >"$LAB_LOGS/text.out"
matches "for people: who it is" "^gatun server, pid $SERVER_PID, up " "$LAB_LOGS/text.out"
matches "for people: a user" "user +alice of $SERVER4:$SERVER_PORT: 1 flows, 8 bytes up, 3.0 MB down; 1 sessions, 10.0 kB up, 10.0 kB down" "$LAB_LOGS/text.out"
matches "for people: why flows ended" "ended: done 3" "$LAB_LOGS/text.out"
status --json --control "$PLACE/$SERVER_PID.sock" >"$LAB_LOGS/server.document"
equal "Prometheus text is well formed and says the same" "server: equal" \
	"$(status --prometheus --control "$PLACE/$SERVER_PID.sock" | probe prometheus "$LAB_LOGS/server.document")"
equal "and so over HTTP" "server: equal" \
	"$(curl -sf --noproxy "" --unix-socket "$PLACE/$SERVER_PID.sock" http://gatun/metrics | probe prometheus "$LAB_LOGS/server.document")"
equal "several instances have a label each" 2 "$(status --prometheus | grep -c '^gatun_tcp_flows_active{pid="')"

# --- run, and its command ------------------------------------------------------------------

KEY=$OWN:$BOB SERVER=$SERVER4:$SERVER_PORT
RUN_OPTIONS="" open_sandbox
equal "run: it is found, with its TUN" "run True True" \
	"$(told "$SANDBOX_PID" '"%s %s %s" % (d["mode"], d["tun"]["mtu"] >= 1280, d["tun"]["offload"] in ("none", "tso", "tso, uso"))')"
equal "every member of these documents is in docs/status.md" none "$(status --json | probe documented "$TESTS_DIR/../../docs/status.md")"
equal "run, local: its server, what went by it, and its clock" "$SERVER4:$SERVER_PORT up 8 3000000 True 0 0" \
	"$(told "$LOCAL_PID" '"%s %s %d %d %s %d %d" % next((s["address"], s["state"], s["up"] - 20 * 500, s["down"] - 20 * 500, s["rtt_ms"] >= 0, s["clock_skew_s"], d["clock_skew_s"]) for s in d["servers"])')"
close_sandbox
for pid in "$SERVER_PID" "$LOCAL_PID"; do
	equal "the command of run may not ask an instance outside" "1 0" \
		"$(through bash -c '"$1" status --json --control "$2" 2>/dev/null | wc -l; exit ${PIPESTATUS[0]}' - "$GATUN" "$PLACE/$pid.sock" | xargs -I% echo "1 %")"
	equal "and hears why" '{"error":"a process in a sandbox or another PID namespace may not ask"}' \
		"$(echo '{"request":"status"}' | through "$PYTHON" "$TESTS_DIR/probes/status.py" ask "$PLACE/$pid.sock")"
done
equal "nor its own" refused "$(through bash -c 'for s in "$1"/*.sock; do "$2" status --json --control "$s" && exit; done >/dev/null 2>&1; echo refused' - "$PLACE" "$GATUN")"
matches "the asked instance says so in its log" "asked from within a sandbox" "$LAB_LOGS/server.log"

# --- strangers --------------------------------------------------------------------------------

start_given() { lab_start given client "$GATUN" local -s "[$SERVER6]:$SERVER_PORT" -m aes-256-gcm -k "$OTHER" --socks "127.0.0.1:$1" --control "$2"; }
chmod 755 "$RUNTIME"
start_given 1090 "$RUNTIME/given.sock"
GIVEN_PID=$LAB_PID
lab_wait "an instance with a path of its own" [ -S "$RUNTIME/given.sock" ]
equal "--control: it is there and nowhere else" "local $GIVEN_PID 0" \
	"$(status --json --control "$RUNTIME/given.sock" | probe get '"%(mode)s %(pid)d" % d') $(ls "$PLACE" | grep -c "^$GIVEN_PID")"
if [ "$(id -u)" -eq 0 ]; then
	stranger() { echo '{"request":"status"}' | setpriv --reuid 31231 --regid 31231 --clear-groups "$PYTHON" "$TESTS_DIR/probes/status.py" ask "$1"; }
	equal "another user cannot even connect" EACCES "$(stranger "$RUNTIME/given.sock")"
	equal "nor to a default socket" EACCES "$(stranger "$PLACE/$SERVER_PID.sock")"
	chmod 666 "$RUNTIME/given.sock"
	equal "and is refused where the mode was opened" '{"error":"only the user of this instance may ask, and root"}' "$(stranger "$RUNTIME/given.sock")"
else
	skip "another user: only root can become one"
fi
lab_start second client "$GATUN" local -s "[$SERVER6]:$SERVER_PORT" -m aes-256-gcm -k "$OTHER" --socks 127.0.0.1:1091 --control "$RUNTIME/given.sock"
lab_gone "$LAB_PID"
matches "a second instance at the same path does not start" "cannot make the control socket .*given.sock: another instance listens there" "$LAB_LOGS/second.log"
equal "and leaves the first alone" "$GIVEN_PID" "$(status --json --control "$RUNTIME/given.sock" | probe get 'd["pid"]')"
echo precious >"$RUNTIME/file"
lab_start file client "$GATUN" local -s "[$SERVER6]:$SERVER_PORT" -m aes-256-gcm -k "$OTHER" --socks 127.0.0.1:1091 --control "$RUNTIME/file"
lab_gone "$LAB_PID"
equal "a file at the path is no socket, and stays" precious "$(cat "$RUNTIME/file")"
lab_kill "$GIVEN_PID"
check "killed, it leaves its socket" [ -S "$RUNTIME/given.sock" ]
equal "at which nobody is" 1 "$(status --control "$RUNTIME/given.sock" >/dev/null 2>&1; echo $?)"
start_given 1090 "$RUNTIME/given.sock"
lab_wait "the next at this path" "$GATUN" status --control "$RUNTIME/given.sock"
equal "the next instance takes the place" "$LAB_PID" "$(status --json --control "$RUNTIME/given.sock" | probe get 'd["pid"]')"
lab_end "$LAB_PID"
check "ended, it leaves nothing" [ ! -e "$RUNTIME/given.sock" ]
start_given 1092 off
lab_wait "an instance without a socket" lab_listens client 1092
exec_in client "$PYTHON" "$TESTS_DIR/probes/status.py" associate 1092 </dev/null >/dev/null # it serves: what it makes is made
check "--control off: no socket" [ ! -e "$PLACE/$LAB_PID.sock" ]
lab_end "$LAB_PID"

# --- bad guests -----------------------------------------------------------------------------------

SOCKET=$PLACE/$LOCAL_PID.sock
before=$(told "$LOCAL_PID" 'd["memory"]["rss_bytes"]')
equal "a line without end: told so" '{"error":"a request is one line of at most 16384 bytes"}' "$(head -c 1000000 /dev/zero | tr '\0' x | probe ask "$SOCKET")"
equal "a million zeros" '{"error":"a request is one line of at most 16384 bytes"}' "$(head -c 1000000 /dev/zero | probe ask "$SOCKET")"
equal "noise" '{"error":' "$( (head -c 3000 /dev/urandom | tr -d '\n'; echo) | probe ask "$SOCKET" | cut -c1-9)"
equal "brackets, 16,000 deep" '{"error":' "$( (printf '[%.0s' $(seq 16000); echo) | probe ask "$SOCKET" | cut -c1-9)"
equal "what is no request" '{"error":"there is no request \"\\x1b[31m\""}' "$(echo '{"request":"\u001b[31m"}' | probe ask "$SOCKET")"
exec_in client "$PYTHON" "$TESTS_DIR/probes/status.py" swarm "$SOCKET" 1000 <"$LAB_LOGS/in" >"$LAB_LOGS/swarm.out" &
exec 9>"$LAB_LOGS/in"
lab_wait "a thousand connections that ask nothing" grep -q held "$LAB_LOGS/swarm.out"
equal "beside a thousand silent guests status is answered" "$LOCAL_PID" "$(told "$LOCAL_PID" 'd["pid"]')"
equal "and datagrams pass" 20 "$(exec_in client "$PYTHON" "$TESTS_DIR/probes/status.py" datagrams 1082 20 500)"
check "of a thousand guests at most 16 are kept" [ "$(ls -l "/proc/$LOCAL_PID/fd" | grep -c socket)" -lt 60 ]
exec 9>&-
wait $!
if ! sanitized; then
	check "none of them cost memory that stays: less than 2 MB" [ $(($(told "$LOCAL_PID" 'd["memory"]["rss_bytes"]') - before)) -lt 2000000 ]
fi

# --- the end ------------------------------------------------------------------------------------------

lab_kill "$LOCAL_PID"
check "killed, an instance leaves a socket" [ -S "$SOCKET" ]
equal "status passes over it" "$SERVER_PID" "$(status --json | probe get 'd["pid"]')"
check "and removes it" is_alone "$SERVER_PID.sock"
grep -lF -e "$OWN" -e "$ALICE" -e "$BOB" -e "$OTHER" "$LAB_LOGS"/*.document "$LAB_LOGS"/text.out "$LAB_LOGS"/*.log >"$LAB_LOGS/leaks"
equal "no key and no password is in a document or a log" "" "$(cat "$LAB_LOGS/leaks")"
lab_end "$SERVER_PID"
check "when the last has ended nothing is left" [ -z "$(ls -A "$PLACE" 2>/dev/null)" ]
check_reports
SERVER_PID=
finish
