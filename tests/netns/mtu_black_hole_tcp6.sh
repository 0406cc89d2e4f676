#!/bin/bash
# TCP in a hole, over IPv6: nobody can cut its packets, so the connection ends, and the next one is whole. That one keeps
# to the limit, and is not ended when nothing is acknowledged for other reasons.
. "$(dirname "$0")/mtu_lib.sh"
begin_hole "$0" "$@"
tcp_in_hole "$SERVER6" "unexpected:ECONNRESET"

# Its segments are longer by what timestamps would take, and its packets are not.
inside client sysctl -qw net.ipv4.tcp_timestamps=0
opens probing
hole 1400
large 1400
lab_wait "the hole is found" limit_is 1400
in_sandbox $PROBE half-close "$WORLD4" 60000000 >"$LAB_LOGS/upload" &
sends_much() { inside client ss -Htnoi dst "[$SERVER6]" | grep -Eq 'bytes_acked:[0-9]{6}'; }
lab_wait "the upload" sends_much
drops router "ip6 daddr $SERVER6 tcp dport $SERVER_PORT"
sleep 7 # two looks, after three retransmissions
lets router
wait $!
equal "one that keeps to the limit, without timestamps, outlives seven seconds without an answer" "answer:right then:EOF" \
	"$(cat "$LAB_LOGS/upload")"
hole 1500
close_sandbox
finish
