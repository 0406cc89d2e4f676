#!/bin/bash
# Only some users, or all but some, by a TUN: what the kernel says for a user whose sockets are gone
# (a reset to what comes late) goes where the rest of his connection went.
. "$(dirname "$0")/up_lib.sh"
UPLINK_CHECKED=no
begin_up "$0" "$@"
[ "$(id -u)" -eq 0 ] || lab_skip "it takes root to be other users"

ends_early()
{
	inside client setpriv --reuid 31231 --regid 31231 --clear-groups "$PYTHON" -c 'import socket, sys
for host in sys.argv[1:]:
    for i in range(20):
        s = socket.create_connection((host, 7006))
        s.send(b"200000\n")
        s.recv(10)
        s.shutdown(1)
        s.close()' "$WORLD4" "$WORLD6" 2>>"$LAB_LOGS/ends.log"
}
past() { sleep 0.5; lab_mark_uplink; lab_packets stray "tcp and dst port 7006"; }

for who in "--uid 31231" "--not-uid 0" "--uid 31231 --kill-switch"; do
	before=$(past)
	gate_up $who
	check "$who: a user's connections end early" ends_early
	equal "$who: nothing of them leaves past the tunnel" 0 "$(($(past) - before))"
	gate_down
	lab_gone "$UP_PID"
done
finish_up
