#!/bin/bash
# `gatun status flows`, `kill flow` and `flush`: who talks to whom by which way and how fast, over
# several workers too; one flow is ended and no other; names are forgotten.
METHOD=${METHOD:-aes-256-gcm}
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
UPLINK_CHECKED=no # direct flows are part of this

FLOWS="$PYTHON $TESTS_DIR/probes/flows.py"
# Names that the server alone knows, and those that this machine's resolver does.
printf '%s\n' "$WORLD4 far.lab" >"$LAB_LOGS/hosts"
printf '%s\n' "[proxy_all]" "[bypass_list]" "$WORLD6" >"$LAB_LOGS/acl"
echo "nameserver $WORLD4" >"$LAB_LOGS/resolv.conf"
mount --bind "$LAB_LOGS/resolv.conf" "$(realpath /etc/resolv.conf)" || lab_skip "/etc/resolv.conf cannot be covered"
use_server gatun "$SERVER4" --hosts "$LAB_LOGS/hosts"
cat >"$LAB_LOGS/config.json" <<END
{ "servers": [ { "server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "password": "$KEY", "remarks": "tokyo" } ],
  "acl": "$LAB_LOGS/acl", "control": "$LAB_LOGS/local.sock",
  "locals": [ { "protocol": "socks", "local_port": 1080 },
    { "protocol": "tunnel", "local_port": 1081, "forward_address": "$WORLD4", "forward_port": 7001 },
    { "protocol": "tunnel", "local_port": 1082, "forward_address": "$WORLD6", "forward_port": 7001 },
    { "protocol": "tunnel", "local_port": 1083, "forward_address": "$WORLD4", "forward_port": 7009, "mode": "tcp_only" },
    { "protocol": "tunnel", "local_port": 1084, "forward_address": "$WORLD6", "forward_port": 7009, "mode": "tcp_only" } ] }
END

status() { exec_in client "$GATUN" status "$@" 2>>"$LAB_LOGS/status.err"; }
flows() { status flows --json --control "$CONTROL" "$@"; }
# told EXPRESSION [OPTIONS...]: f is the list
told() { local e=$1; shift; flows "$@" | "$PYTHON" -c 'import json, sys; d = json.load(sys.stdin); f = d["flows"]; print(eval(sys.argv[1]))' "$e"; }
tells() { [ "$(told "$1")" = "$2" ]; }
# the flow with so many bytes up: EXPRESSION of its x
one() { told "next($2 for x in f if x['up'] == $1)" --limit 1000; }

# hold NAME COMMAND...: in the background in client, with an input of its own; ready when it says WORD
hold()
{
	local name=$1 word=$2
	shift 2
	mkfifo "$LAB_LOGS/$name.in"
	"$@" <"$LAB_LOGS/$name.in" >"$LAB_LOGS/$name.out" 2>>"$LAB_LOGS/app.log" &
	exec {HELD_FD}>"$LAB_LOGS/$name.in"
	HELD_PID=$!
	lab_wait "$name" grep -q "$word" "$LAB_LOGS/$name.out"
}

start_local()
{
	lab_start local client "$GATUN" local -vv -c "$LAB_LOGS/config.json" "$@"
	LOCAL_PID=$LAB_PID CONTROL=$LAB_LOGS/local.sock
	lab_wait "gatun local" [ -S "$CONTROL" ]
	lab_wait "its inbounds" lab_listens client 1084
}

# --- each says what it is -----------------------------------------------------------------

start_local
equal "nothing yet" "0 []" "$(told '"%d %s" % (d["count"], f)')"
hold named held env SOCKS=1080 ip netns exec client $FLOWS hold far.lab 7001 1111; NAMED=$HELD_FD NAMED_PID=$HELD_PID
hold direct held ip netns exec client $FLOWS hold 127.0.0.1 1082 2222; DIRECT=$HELD_FD
hold udp answered ip netns exec client $FLOWS hold_udp 127.0.0.1 1081 333; UDP=$HELD_FD
hold udp2 answered ip netns exec client $FLOWS hold_udp 127.0.0.1 1082 444; UDP2=$HELD_FD
equal "a flow: its name, its server, its bytes" "tcp far.lab:7001 tokyo open 1111 1111" \
	"$(one 1111 '"%(protocol)s %(target)s %(way)s %(state)s %(up)d %(down)d" % x')"
equal "one past the proxy says so" "tcp [$WORLD6]:7001 direct 2222" "$(one 2222 '"%(protocol)s %(target)s %(way)s %(down)d" % x')"
equal "an association" "udp $WORLD4:7001 tokyo open 333" "$(one 333 '"%(protocol)s %(target)s %(way)s %(state)s %(down)d" % x')"
equal "one past the proxy" "udp [$WORLD6]:7001 direct 444" "$(one 444 '"%(protocol)s %(target)s %(way)s %(down)d" % x')"
equal "who asks is told" True "$(one 1111 'x["client"].startswith("127.0.0.1:")')"
equal "all of them" 4 "$(told 'd["count"]')"
matches "log lines call it by its number" "flow opened flow=$(one 1111 'x["flow"]') .*far.lab:7001" "$LAB_LOGS/local.log"

ip netns exec client $FLOWS paced 127.0.0.1 1083 2000000 60 >"$LAB_LOGS/paced.out" 2>&1 &
PACED=$!
lab_wait "its rate, within a third of what its program reads" tells 'f[0]["target"].endswith(":7009") and 1300000 < f[0]["down_rate"] < 2700000' True
ok "what carries most stands first, with its rate: 2 MB/s are told as that"
kill "$PACED"
lab_wait "its end" tells 'd["count"]' 4
ip netns exec client $FLOWS paced 127.0.0.1 1084 2000000 60 >"$LAB_LOGS/paced.out" 2>&1 &
PACED=$!
lab_wait "the rate of one that is spliced" tells 'f[0]["way"] == "direct" and f[0]["target"].endswith(":7009") and 1300000 < f[0]["down_rate"] < 2700000' True
ok "so does one past the proxy, whose bytes the kernel moves by itself"
kill "$PACED"

# --- orders -----------------------------------------------------------------------------------

NUMBER=$(one 1111 'x["flow"]')
equal "a flow is ended by its number" "flow $NUMBER is ended" "$(status kill flow "$NUMBER" --control "$CONTROL")"
wait "$NAMED_PID"
equal "its program sees a reset" reset "$(tail -n 1 "$LAB_LOGS/named.out")"
tells_status() { [ "$(status --json --control "$CONTROL" | "$PYTHON" "$TESTS_DIR/probes/status.py" get "$1")" = "$2" ]; }
check "it is counted by its word" tells_status 'd["flows"]["ended"]["killed"]' 1
equal "no other is" "[333, 444, 2222]" "$(told 'sorted(x["up"] for x in f if x["up"] > 300)')"
equal "there is none of that number any more" "gatun status: $CONTROL: there is no flow $NUMBER now" \
	"$(exec_in client "$GATUN" status kill flow "$NUMBER" --control "$CONTROL" 2>&1)"
NUMBER=$(one 333 'x["flow"]')
equal "an association too" "flow $NUMBER is ended" "$(status kill "$NUMBER" --control "$CONTROL")"
echo >&"$UDP"
lab_wait "its next datagram" eval '[ "$(wc -l <"$LAB_LOGS/udp.out")" -gt 1 ]'
equal "its program goes on with another" "answered True" "$(tail -n 1 "$LAB_LOGS/udp.out") $(one 333 "x['flow'] > $NUMBER")"
equal "a number that is none" 2 "$(status kill flow x --control "$CONTROL"; echo $?)"
equal "what goes through the list is asked for right, or it is said" "2 2 2" \
	"$(for words in "flows --sort size" "flows --limit 0" "flow"; do status $words >/dev/null; echo $?; done | xargs)"
told_names() { status --json --control "$CONTROL" | "$PYTHON" "$TESTS_DIR/probes/status.py" get 'd["dns"]["cached_names"]'; }
ip netns exec client env SOCKS=1080 $FLOWS hold web.lab 7001 </dev/null >/dev/null 2>&1
NAMES=$(told_names)
matches "flush says how many names it has forgotten" "^forgotten: $NAMES names of the resolver's cache" <(status flush --control "$CONTROL")
equal "and they are" 0 "$(told_names)"

# --- many, of several workers --------------------------------------------------------------------

for fd in "$NAMED" "$DIRECT" "$UDP" "$UDP2"; do exec {fd}>&-; done
lab_end "$LOCAL_PID"
start_local --workers 2
hold many held ip netns exec client $FLOWS many 127.0.0.1 1082 150; MANY=$HELD_FD
equal "two workers, one list: as many as were asked for, and how many there are" "150 100 5" \
	"$(told '"%d %d" % (d["count"], len(f))') $(told 'len(f)' --limit 5)"
equal "numbers are of one kind, each flow's own" 150 "$(told 'len({x["flow"] for x in f})' --limit 1000)"
equal "both workers have some" True "$(told '10 < sum(x["flow"] % 2 for x in f) < 140' --limit 1000)"
status flows --control "$CONTROL" --limit 7 >"$LAB_LOGS/list"
equal "for people: a head, so many lines, and how many more" "9 and 143 more" "$(wc -l <"$LAB_LOGS/list") $(tail -n 1 "$LAB_LOGS/list" | xargs)"
for parity in 0 1; do
	NUMBER=$(told "next(x['flow'] for x in f if x['flow'] % 2 == $parity)" --limit 1000)
	equal "worker $parity: a flow is ended by its number" "flow $NUMBER is ended" "$(status kill flow "$NUMBER" --control "$CONTROL")"
done
check "each has lost one" tells 'd["count"]' 148
exec {MANY}>&-
check "when they end the list is empty" lab_wait "the end" tells 'd["count"]' 0
lab_end "$LOCAL_PID"

# --- run: the name behind a fake address --------------------------------------------------------------

SERVER=$SERVER4:$SERVER_PORT RUN_OPTIONS="--dns fake --control $LAB_LOGS/run.sock" CONTROL=$LAB_LOGS/run.sock
hold run held through $FLOWS hold far.lab 7001 777; RUN=$HELD_FD RUN_PID=$HELD_PID
equal "flush leaves the addresses that are in use" "forgotten: 0 names of the resolver's cache, 0 fake addresses that nobody uses" "$(status flush --control "$CONTROL")"
equal "a connection to a fake address is shown with its name" far.lab:7001 "$(one 777 'x["target"]')"
exec {RUN}>&-
wait "$RUN_PID"
finish
