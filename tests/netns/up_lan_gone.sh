#!/bin/bash
# The LAN's link goes down in the middle of its clients' downloads: what gatun still has for them, in their peers'
# names, does not leave by the uplink, which is then the only way the main table knows. By TPROXY, REDIRECT and TUN.
. "$(dirname "$0")/up_lib.sh"
begin_up "$0" "$@"

# download: a LAN client that reads without an end
download()
{
	rm -f "$LAB_LOGS/flowing"
	lab_start download lan "$PYTHON" -c '
import socket, sys
sock = socket.create_connection((sys.argv[1], 7009), 10)
sock.sendall(b"go\n")
sock.recv(1 << 20)
open(sys.argv[2], "w").close()
while sock.recv(1 << 20):
    pass' "$WORLD4" "$LAB_LOGS/flowing"
	DOWNLOAD_PID=$LAB_PID
	lab_wait "the download" test -e "$LAB_LOGS/flowing"
}

# Has the kernel said it again to the client, whose answers do not come any more?
repeats() { inside client ss -Htnoi state established dst "$LAN4" | grep -Eq 'timer:\((on|persist),[^,]*,[1-9]'; }

for mode in tproxy redirect tun; do
	gate_up --mode "$mode" --lan lan0
	count_strays
	download
	ip -n client link set lan0 down
	if [ "$mode" != tun ]; then
		lab_wait "repetitions" repeats
	fi
	no_strays "$mode: the LAN's link is down: nothing meant for it leaves by the uplink"
	lab_kill "$DOWNLOAD_PID"
	ip -n client link set lan0 up
	ip -n client addr replace "$LAN_GATE6/64" dev lan0 nodad
	gate_down
	lab_gone "$UP_PID"
done
UP_PID=
UPLINK_CHECKED=no # it was, each time
finish_up
