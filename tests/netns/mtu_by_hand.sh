#!/bin/bash
# Somebody gives the TUN another MTU under connections, as wide as a device can have one, or as narrow: nothing breaks.
. "$(dirname "$0")/up_lib.sh"
begin_up "$0" "$@"
gate_up

for mtu in 65535 1280; do
	for family in 4 6; do
		[ "$family" = 4 ] && world=$WORLD4 || world=$WORLD6
		through $PROBE half-close "$world" 30000000 >"$LAB_LOGS/up.$family" &
		up=$!
		through $PROBE source "$world" 30000000 >"$LAB_LOGS/down.$family" &
		down=$!
		ip -n client link set gatun0 mtu "$mtu" || fail "the device takes an MTU of $mtu"
		wait "$up" "$down"
		equal "to $mtu bytes: an upload over IPv$family that goes on is whole" "answer:right then:EOF" "$(cat "$LAB_LOGS/up.$family")"
		equal "and a download" "got:30000000,intact then:EOF" "$(cat "$LAB_LOGS/down.$family")"
	done
	same "those that begin then are whole" "answer:right then:EOF" half-close @ 3000000
done

finish_up
