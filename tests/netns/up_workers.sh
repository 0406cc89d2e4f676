#!/bin/bash
# gatun up with two workers on one TUN: flows are spread, each stays with its worker, fragments
# find theirs, and a worker that is killed takes nothing along but his own flows.
. "$(dirname "$0")/up_lib.sh"
begin_up "$0" "$@"

WORKERS_PY="$PYTHON $TESTS_DIR/probes/workers.py"

# status EXPRESSION: of the gate's document d, by python
status()
{
	"$GATUN" status --json 2>>"$LAB_LOGS/status.log" | "$PYTHON" -c "
import json, sys
d = [d for d in map(json.loads, sys.stdin) if d['mode'] == 'up'][0]
print($1)"
}
status_is() { [ "$(status "$1")" = True ]; }

gate_up --workers 2
lab_wait "both workers" status_is 'len(d["workers"]) == 2'
check "the TUN has a queue for each" eval 'inside client ip -details link show gatun0 | grep -q multi_queue'

# --- spread ------------------------------------------------------------------------------

rm -f "$LAB_LOGS/begun" "$LAB_LOGS/go"
EXEC=exec through $WORKERS_PY hold "$WORLD4" 40 "$LAB_LOGS/begun" "$LAB_LOGS/go" >"$LAB_LOGS/hold.out" &
HOLD_PID=$!
lab_wait "the connections" [ -e "$LAB_LOGS/begun" ]
equal "40 connections: both workers have a good part, and the sum is right" "True 40" \
	"$(status 'all(w["flows_active"] >= 8 for w in d["workers"]), sum(w["flows_active"] for w in d["workers"])' | tr -d '(),')"
touch "$LAB_LOGS/go"
wait "$HOLD_PID"
equal "all of them work to their end" "before:40 after:40" "$(cat "$LAB_LOGS/hold.out")"
same "300 sockets at once get each its own answer by UDP" "wrong:0" udp-burst @ 300

# Ports differ from one to the next, so both workers are met.
words()
{
	for _ in $(seq 8); do through $PROBE "$@"; done | sort | uniq -c | xargs
}
for world in "$WORLD4 $OTHER4" "$WORLD6 $OTHER6"; do
	read -r world other <<<"$world"
	equal "full cone with either worker: whoever answers, under his true address ($world)" \
		"8 $(FAMILIES=4 direct $PROBE udp-cone "$world")" "$(words udp-cone "$world")"
	equal "8 kB in fragments come whole to the worker that has the flow ($world)" "8 ok:3" \
		"$(words udp-sizes "$world" 8192 8192 40000)"
done

# --- a worker dies -------------------------------------------------------------------------

rm -f "$LAB_LOGS/begun" "$LAB_LOGS/go"
EXEC=exec through $WORKERS_PY streams "$WORLD4" 16 "$LAB_LOGS/begun" "$LAB_LOGS/go" >"$LAB_LOGS/streams.out" &
STREAMS_PID=$!
lab_wait "the streams" [ -e "$LAB_LOGS/begun" ]
read -r first second < <(status '" ".join(str(w["pid"]) for w in d["workers"])')
others=$(status "[w['flows_active'] for w in d['workers'] if w['pid'] == $second][0]")
patience=3
! sanitized || patience=10
kill -KILL "$first"
equal "a worker is killed: who comes now is served, within a second or so" "failed:0 slow:False" \
	"$(through $WORKERS_PY fresh "$WORLD4" 30 $patience)"
lab_wait "the worker's next life" status_is 'len(d["workers"]) == 2'
touch "$LAB_LOGS/go"
wait "$STREAMS_PID"
equal "the other's streams have not noticed, byte for byte; nobody got a wrong byte" \
	"right:$others ended:$((16 - others)) wrong:0" "$(cat "$LAB_LOGS/streams.out")"
equal "one of the two is new" "True True" "$(status "$second in [w['pid'] for w in d['workers']], $first not in [w['pid'] for w in d['workers']]" | tr -d '(),')"
equal "UDP in fragments finds its worker again" "8 ok:2" "$(words udp-sizes "$WORLD4" 8192 40000)"
matches "the log says who died, and how" "worker 0 was killed signal=9 pid=$first" "$LAB_LOGS/up.log"

# --- iperf3 --------------------------------------------------------------------------------

if command -v iperf3 >/dev/null; then
	lab_start iperf3 world iperf3 -s
	lab_wait "iperf3" lab_listens world 5201
	for way in "" -R; do
		equal "iperf3 with 4 streams${way:+, backwards}: each carries" 4 \
			"$(through iperf3 -c "$WORLD4" -P 4 -t 1 $way --json | "$PYTHON" -c '
import json, sys
print(sum(s["receiver"]["bytes"] > 0 for s in json.load(sys.stdin)["end"]["streams"]))')"
	done
else
	skip "iperf3 with 4 streams: it is not there"
fi
gate_down

# --- in the background -----------------------------------------------------------------------

exec_in client timeout 60 "$GATUN" up -s "$SERVER" -m "$METHOD" -k "$KEY" --workers 2 --detach --pid-file "$LAB_LOGS/pid" 2>>"$LAB_LOGS/app.log"
equal "--detach: the command returns 0" 0 $?
same "and everything is up" "answer:right then:EOF" half-close @ 100000
UP_PID=$(cat "$LAB_LOGS/pid")
exec_in client timeout 60 "$GATUN" up -s "$SERVER" -m "$METHOD" -k "$KEY" --detach 2>"$LAB_LOGS/second.log"
equal "a second one: its exit code" 1 $?
matches "and the line with which it ended" "pid $UP_PID" "$LAB_LOGS/second.log"
gate_down
check "gatun down ends it" eval '! kill -0 "$UP_PID" 2>/dev/null && [ ! -e "$LAB_LOGS/pid" ]'
finish_up
