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

# UDP, when the kernel has forgotten whose connection it was: conntrack keeps it for less long than gatun does.
inside client sysctl -qw net.netfilter.nf_conntrack_udp_timeout=1 net.netfilter.nf_conntrack_udp_timeout_stream=1
ABSENT4=10.77.3.99 ABSENT6=fd77:3::99 # on the world's link, and nobody has them: that is known after three seconds

# says_late NAME ADDRESS: the world's answer to the LAN's question, when $LAB_LOGS/late is there
says_late()
{
	lab_start "$1" world "$PYTHON" -c '
import os, socket, sys, time
sock = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((sys.argv[1], 7070))
open(sys.argv[3] + ".ready", "w").close()
peer = sock.recvfrom(99)[1]
open(sys.argv[3] + ".asked", "w").close()
while not os.path.exists(sys.argv[2]):
    time.sleep(.1)
sock.sendto(b"late", peer)
open(sys.argv[3] + ".said", "w").close()' "$2" "$LAB_LOGS/late" "$LAB_LOGS/$1"
	lab_wait "who answers late" test -e "$LAB_LOGS/$1.ready"
}

# asks ADDRESS
asks()
{
	inside lan "$PYTHON" -c '
import socket, sys
socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM).sendto(b"ask", (sys.argv[1], 7070))' "$1"
}
link_back()
{
	ip -n client link set lan0 up
	ip -n client addr replace "$LAN_GATE6/64" dev lan0 nodad
}

for mode in tproxy tun; do
	rm -f "$LAB_LOGS"/late*
	gate_up --mode "$mode" --lan lan0
	count_strays
	says_late late4 "$WORLD4"
	says_late late6 "$WORLD6"
	asks "$WORLD4"
	asks "$WORLD6"
	lab_wait "the questions" test -e "$LAB_LOGS/late4.asked" -a -e "$LAB_LOGS/late6.asked"
	ip -n client link set lan0 down
	sleep 2.5 # conntrack forgets after one
	touch "$LAB_LOGS/late"
	lab_wait "the answers" test -e "$LAB_LOGS/late4.said" -a -e "$LAB_LOGS/late6.said"
	sleep 0.5
	no_strays "$mode: an answer by UDP that comes late, too"
	link_back
	gate_down
	lab_gone "$UP_PID"
done

printf '[bypass_all]\n' >"$LAB_LOGS/direct.acl"
for mode in tproxy tun; do
	gate_up --mode "$mode" --lan lan0 --dns off --acl "$LAB_LOGS/direct.acl"
	asks "$ABSENT4"
	asks "$ABSENT6"
	sleep 1
	ip -n client link set lan0 down
	sleep 3.5
	lab_mark_uplink
	equal "$mode: a refusal that comes late, too" 0 "$(lab_packets stray "src host $ABSENT4 or src host $ABSENT6")"
	link_back
	gate_down
	lab_gone "$UP_PID"
done
UP_PID=
UPLINK_CHECKED=no # it was, each time
finish_up
