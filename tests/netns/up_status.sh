#!/bin/bash
# `gatun status` of a machine that is up: what the kernel was told, the guard's drops, and the flows of
# this machine and of the LAN with their names, of all workers; one is ended; the screen.
. "$(dirname "$0")/up_lib.sh"
begin_up "$0" "$@"

FLOWS="$PYTHON $TESTS_DIR/probes/flows.py"
echo "$WORLD4 far.lab" >"$LAB_LOGS/hosts"
use_server gatun "$SERVER4" --hosts "$LAB_LOGS/hosts"
CONTROL=$LAB_LOGS/up.sock

status() { inside client "$GATUN" status --control "$CONTROL" "$@" 2>>"$LAB_LOGS/status.err"; }
told() { status --json | "$PYTHON" "$TESTS_DIR/probes/status.py" get "$1"; }
tells() { [ "$(told "$1")" = "$2" ]; }
flows() { status flows --json --limit 1000 | "$PYTHON" "$TESTS_DIR/probes/status.py" get "(lambda f: $1)(d['flows'])"; }

# hold NAMESPACE NAME BYTES: an echo by name that stands; HELD_FD ends it
hold()
{
	mkfifo "$LAB_LOGS/$2.in"
	ip netns exec "$1" $FLOWS hold far.lab 7001 "$3" <"$LAB_LOGS/$2.in" >"$LAB_LOGS/$2.out" 2>>"$LAB_LOGS/app.log" &
	HELD_PID=$!
	exec {HELD_FD}>"$LAB_LOGS/$2.in"
	lab_wait "$2" grep -q held "$LAB_LOGS/$2.out"
}

gate_up --workers 2 --lan lan0 --kill-switch --control "$CONTROL"
equal "what it is, and what the kernel was told" "up tun True ['lan0'] True" \
	"$(told '"%s %s %s %s %s" % (d["mode"], d["gate"]["mode"], d["gate"]["mark"] > 0, d["gate"]["lans"], d["gate"]["kill_switch"])')"
equal "two workers, one TUN" "2 True" "$(told '"%d %s" % (len(d["workers"]), d["tun"]["mtu"] >= 1280)')"
hold client here 1111; HERE=$HELD_FD HERE_PID=$HELD_PID
hold lan there 2222; THERE=$HELD_FD
equal "a flow of this machine, by its name" far.lab:7001 "$(flows "next(x['target'] for x in f if x['up'] == 1111)")"
equal "one of the LAN, by its name and its machine" "far.lab:7001 [$LAN6]" \
	"$(flows "next(x['target'] + ' ' + x['client'].rsplit(':', 1)[0] for x in f if x['up'] == 2222)")"
NUMBER=$(flows "next(x['flow'] for x in f if x['up'] == 1111)")
equal "one name has one fake address, however many workers there are" 1 "$(told 'd["dns"]["fake_map"]')"
equal "it is ended by its number" "flow $NUMBER is ended" "$(status kill flow "$NUMBER")"
wait "$HERE_PID"
equal "and its program sees a reset" reset "$(tail -n 1 "$LAB_LOGS/here.out")"
equal "what an app may still hold is not flushed" "forgotten: 0 fake" "$(status flush | sed 's/[0-9]* names of the resolver.s cache, //; s/ fake.*/ fake/')"
status >"$LAB_LOGS/text"
matches "for people" '^  gate     tun by gatun0, mark 0x[0-9a-f]+, table [0-9]+, LAN lan0, kill switch: [0-9,]+ packets dropped$' "$LAB_LOGS/text"
inside client env TERM=xterm "$PYTHON" "$TESTS_DIR/probes/screen.py" 80x24 until:far.lab look keys:q -- "$GATUN" status --watch --control "$CONTROL" >"$LAB_LOGS/screen" 2>>"$LAB_LOGS/status.err"
equal "on a screen" "True False" "$("$PYTHON" "$TESTS_DIR/probes/status.py" get '"%s %s" % ("gate     tun, mark" in d["looks"][0], d["wide"])' <"$LAB_LOGS/screen")"
equal "every member is in docs/status.md" none "$(status --json | "$PYTHON" "$TESTS_DIR/probes/status.py" documented "$TESTS_DIR/../../docs/status.md")"
equal "Prometheus has the guard's drops" 1 "$(status --prometheus | grep -c '^gatun_gate_guard_drops_total ')"
# The guard keeps in what no rule has sent our way: a program that leaves by the uplink of its own accord.
BEFORE=$(told 'd["gate"]["guard_drops"]')
inside client timeout 2 ping -I uplink -c 2 -i 0.2 -W 1 "$WORLD4" >/dev/null 2>&1
check "what the guard drops is told" tells "d['gate']['guard_drops'] > $BEFORE" True
exec {HERE}>&- {THERE}>&-
no_strays "nothing left by the uplink past the tunnel"
finish_up
