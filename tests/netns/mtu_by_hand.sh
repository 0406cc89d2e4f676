#!/bin/bash
# Somebody gives the TUN another MTU under connections, as wide as a device can have one, or as narrow: nothing breaks.
. "$(dirname "$0")/up_lib.sh"
begin_up "$0" "$@"
gate_up

# Who reads sleeps first, so that both directions are full while the MTU changes.
begin_streams()
{
	local family world
	RUNNING=()
	for family in 4 6; do
		[ "$family" = 4 ] && world=$WORLD4 || world=$WORLD6
		through $PROBE lazy "$world" 30000000 3 >"$LAB_LOGS/up.$family" &
		RUNNING+=($!)
		through $PROBE source "$world" 30000000 3 >"$LAB_LOGS/down.$family" &
		RUNNING+=($!)
	done
}
# The client's ends of all four stand, and what they send or receive waits.
are_full() { [ "$(inside client ss -Hnt state established "dport = :7011 or dport = :7006" | awk '$1 + $2 > 100000' | wc -l)" = 4 ]; }
all_run() { kill -0 "${RUNNING[@]}" 2>/dev/null; }

for mtu in 65535 1280; do
	begin_streams
	lab_wait "streams in both directions" are_full
	ip -n client link set gatun0 mtu "$mtu" || fail "the device takes an MTU of $mtu"
	check "to $mtu bytes: under uploads and downloads that go on" all_run
	wait "${RUNNING[@]}"
	for family in 4 6; do
		equal "to $mtu bytes: an upload over IPv$family is whole" answer:right "$(cat "$LAB_LOGS/up.$family")"
		equal "and a download" "got:30000000,intact then:EOF" "$(cat "$LAB_LOGS/down.$family")"
	done
	same "those that begin then are whole" "answer:right then:EOF" half-close @ 3000000
done

finish_up
