#!/bin/bash
# A server that has only a name, under `gatun up`: the name is asked past the tunnel, by marked sockets,
# also over what one that was killed has left; and it never gets a fake address.
. "$(dirname "$0")/up_lib.sh"
begin_up "$0" "$@"
lab_start far world "$GATUN" server -v -s "0.0.0.0:$SERVER_PORT" -m "$METHOD" -k "$KEY"
lab_wait "a server in the world" lab_listens world "$SERVER_PORT"
SERVER=web.lab:$SERVER_PORT

for mode in tun tproxy redirect; do
	gate_up --mode "$mode"
	equal "$mode: a server that has only a name is found, and carries" "answer:right then:EOF" "$(through $PROBE half-close "$WORLD6")"
	equal "$mode: whoever asks for that name gets its true address" "$WORLD4" "$(through dig +time=3 +tries=2 +short web.lab | head -n 1)"
	kill -KILL "$UP_PID"
	lab_gone "$UP_PID"
done
gate_down
UPLINK_CHECKED=no # its name was asked for, in the open
UP_PID=
finish_up
