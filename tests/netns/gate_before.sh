#!/bin/bash
# What stood before `up`, and what is flushed while it is up: a download does not go on natively;
# `nft flush ruleset`, as nftables.service does it, opens nothing; without IPv6 a program is told at once.
. "$(dirname "$0")/up_lib.sh"
LAB_CAPTURE=all
begin_up "$0" "$@"
lab_need socat nft

# A world that sends without being asked again.
lab_start drip world socat TCP6-LISTEN:7601,fork,reuseaddr,ipv6only=0 SYSTEM:'while sleep 0.05; do echo drip; done'
lab_wait "the drip" lab_listens world 7601

# open_download ADDRESS: its PID in DOWNLOAD_PID
open_download()
{
	rm -f "$LAB_LOGS/download"
	lab_start download client socat -u "$1:7601" "OPEN:$LAB_LOGS/download,creat,append"
	DOWNLOAD_PID=$LAB_PID
	lab_wait "the download" test -s "$LAB_LOGS/download"
}

# The world repeats what nobody acknowledges; that it is heard so, and not answered, is the end of it.
repeats() { [ "$(lab_packets stray "src host $1 and src port 7601")" -gt "$HEARD" ]; }
no_more_native()
{
	lab_mark_uplink
	NATIVE=$(ours)
	HEARD=$(lab_packets stray "src host $1 and src port 7601")
	lab_wait "the world's next try" repeats "$1"
	lab_mark_uplink
	quiet "$NATIVE"
}

answers() { inside client timeout 10 $PROBE half-close "$1" 2>>"$LAB_LOGS/app.log" | grep -q "answer:right"; }
# No packet of ours leaves, whatever the world may still send.
quiet() { [ "$(lab_packets stray "src host $CLIENT4 and dst host $WORLD4 or src host $CLIENT6 and dst host $WORLD6")" = "$1" ]; }
ours() { lab_packets stray "src host $CLIENT4 and dst host $WORLD4 or src host $CLIENT6 and dst host $WORLD6"; }

# A flow that asked before and is answered afterwards: to the kernel it begins with what comes from outside.
LATE_PORT=7610
has_socket() { [ -n "$(inside world ss -Hlun "sport = :$1")" ]; }
ask_early()
{
	LATE_PORT=$((LATE_PORT + 1))
	lab_start "answer.$LATE_PORT" world $PYTHON "$TESTS_DIR/probes/late.py" answer "$2" $LATE_PORT "$LAB_LOGS/answer.now"
	lab_wait "who answers late" has_socket $LATE_PORT
	lab_start "late.$MODE.$1" client $PYTHON "$TESTS_DIR/probes/late.py" ask "$2" $LATE_PORT
}
asked_natively() { [ "$(lab_packets stray "udp dst portrange $((LATE_PORT - 1))-$LATE_PORT")" -ge 2 ]; }
has_ended() { [ -s "$LAB_LOGS/late.$MODE.$1.log" ]; }
goes_on()
{
	touch "$LAB_LOGS/answer.now"
	lab_wait "the flow from before" has_ended "$1"
	equal "$MODE: a UDP flow from before goes on by the tunnel ($1)" again "$(cat "$LAB_LOGS/late.$MODE.$1.log")"
}

for MODE in tproxy tun redirect; do # the first: before it nothing here tracks connections
	if [ $MODE != redirect ]; then
		rm -f "$LAB_LOGS/answer.now"
		ask_early ipv4 "$WORLD4"
		ask_early ipv6 "$WORLD6"
		lab_wait "both questions" asked_natively
	fi
	open_download "TCP6:[$WORLD6]"
	ENDED_PID=$DOWNLOAD_PID
	open_download "TCP:$WORLD4"
	gate_up --mode $MODE
	lab_end "$ENDED_PID" 2>/dev/null # by the TUN it was reset
	check "$MODE: a download from before does not go on natively" no_more_native "$WORLD4"
	check "$MODE: nor does the kernel's reset, when its program has ended" no_more_native "$WORLD6"
	check "$MODE: connections are carried" answers "$WORLD4"
	if [ $MODE != redirect ]; then
		goes_on ipv4
		goes_on ipv6
	fi
	inside client nft flush ruleset
	inside client timeout 2 $PROBE half-close "$WORLD4" >"$LAB_LOGS/flushed" 2>&1
	inside client timeout 2 $PROBE half-close "$WORLD6" >>"$LAB_LOGS/flushed" 2>&1
	lab_mark_uplink
	check "$MODE: with all nft rules flushed nothing leaves" quiet "$NATIVE"
	kill "$DOWNLOAD_PID" 2>/dev/null
	gate_down
	lab_gone "$UP_PID"
done

gate_up --no-ipv6
took=9999
for _ in 1 2 3; do # the quickest counts: of a busy machine's time most is the program's start
	started=$EPOCHREALTIME
	inside client timeout 5 $PROBE half-close "$WORLD6" >"$LAB_LOGS/no6" 2>&1
	this=$(((${EPOCHREALTIME/./} - ${started/./}) / 1000))
	[ "$this" -ge "$took" ] || took=$this
done
matches "without IPv6 a program hears that there is no way" "EHOSTUNREACH|ENETUNREACH|nreachable" "$LAB_LOGS/no6"
check "without IPv6 it hears so at once ($took ms)" [ "$took" -lt 2000 ]
check "without IPv6, IPv4 is carried" answers "$WORLD4"
pings6() { inside world ping -c 1 -W 5 -q "$CLIENT6" >/dev/null; }
check "without IPv6 a ping from outside over IPv6 is answered" pings6
gate_down
lab_gone "$UP_PID"
UPLINK_CHECKED=no
finish_up
