#!/bin/bash
# UDP to a closed port. Shadowsocks has no word for it: silence; the server counts it.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

equal "the oracle knows a closed port" ECONNREFUSED "$(direct $PROBE udp-closed "$WORLD4")"
is "a datagram to a closed port is answered by silence, not by a lie" "timeout" udp-closed @ 1
same "the same socket's neighbours are not disturbed" "ask" udp-connected @
lab_end "$SERVER_PID"
matches "the server has counted the closed ports" "closed_port=2" "$LAB_LOGS/server.log"
use_server gatun

finish
