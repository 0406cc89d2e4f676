#!/bin/bash
# Another firewall's reload begins with `nft flush ruleset`: while `gatun up` lives, its tables come back
# by themselves, the kill switch too, and meanwhile nothing leaves.
. "$(dirname "$0")/up_lib.sh"
LAB_CAPTURE=stray
begin_up "$0" "$@"

answers() { inside client timeout 10 $PROBE half-close "$1" 2>>"$LAB_LOGS/app.log" | grep -q "answer:right"; }
is_back() { [ "$(inside client nft list tables | grep -cE '^table inet gatun(_guard)?$')" = 2 ]; }

# put_back TEXT COMMAND...: it removes the tables, and they come back sooner than the look every ten seconds explains
put_back()
{
	local text=$1 since took slow=0
	shift
	for _ in 1 2 3 4; do
		inside client "$@"
		since=$EPOCHREALTIME
		lab_wait "the tables" is_back
		took=$(((${EPOCHREALTIME/./} - ${since/./}) / 1000))
		[ "$took" -lt 2000 ] || slow=$((slow + 1))
	done
	check "$text (the last after $took ms)" [ "$slow" -lt 3 ]
}

gate_up --mode tproxy --kill-switch
check "traffic is carried" answers "$WORLD4"
inside client nft flush ruleset
lab_wait "the tables" is_back
check "and the tables are back" is_back
matches "which is said" "nft tables of ours had been removed by somebody" "$LAB_LOGS/up.log"
check "traffic is carried again" answers "$WORLD4"
check "IPv6, too" answers "$WORLD6"
put_back "tables that are flushed are back at once" nft flush ruleset
put_back "so is the guard alone" nft delete table inet gatun_guard
inside client nft delete table inet gatun_guard
ip -n client addr add 10.77.9.77/24 dev lan0
lab_wait "the guard" is_back
check "with a change of the network they come back at once, the kill switch too" is_back
gate_down
lab_gone "$UP_PID"

gate_up
ip -n client link del gatun0
lab_wait "a word of the device" grep -q "somebody has removed the device gatun0" "$LAB_LOGS/up.log"
inside client timeout 5 $PROBE half-close "$WORLD4" >"$LAB_LOGS/removed" 2>&1
no_strays "the device removed by hand: that is said, and nothing leaves"
check "and gatun has not ended, which would let everything out" kill -0 "$UP_PID"
finish_up
