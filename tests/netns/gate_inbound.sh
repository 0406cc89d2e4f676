#!/bin/bash
# What comes from outside to this machine is answered as without gatun: connections that stood before
# `up` and after `down`, new ones, UDP, ping, a refusal, what is published from a container behind a
# bridge; with strict reverse path filters everywhere. In each mode, with a kill switch and without.
. "$(dirname "$0")/up_lib.sh"
MODE=${UP_MODE:-tun}
LAB_CAPTURE=all
UPLINK_CHECKED=no # what this test is about goes past the tunnel, and is to
begin_up "${UP_TEST:-$0}" "$@"
lab_need socat nft

# A machine with strict filters, a bridge with a container, and its port published as docker does it.
lab_add_namespace container
inside client sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.uplink.rp_filter=1 net.ipv4.conf.lan0.rp_filter=1 net.ipv4.ip_forward=1
ip -n client link add br0 type bridge && ip -n client link add c0 type veth peer name eth0 netns container &&
	ip -n client link set c0 master br0 up && ip -n client addr add 172.20.0.1/24 dev br0 && ip -n client link set br0 up &&
	ip -n container addr add 172.20.0.2/24 dev eth0 && ip -n container link set eth0 up &&
	ip -n container route add default via 172.20.0.1 || lab_die "no container"
publish()
{
	inside client nft -f - <<-'END' || lab_die "no nft"
		table ip docker {
			chain pre { type nat hook prerouting priority dstnat; iifname != "br0" tcp dport 8080 dnat to 172.20.0.2:80; }
			chain post { type nat hook postrouting priority srcnat; ip saddr 172.20.0.0/24 oifname != "br0" masquerade; }
		}
	END
}

serve() { lab_start "$1" "$2" socat -T 60 "${@:3}"; }
serve echo client TCP6-LISTEN:2222,fork,reuseaddr,ipv6only=0,backlog=64 EXEC:cat
serve udp client UDP6-RECVFROM:3333,fork,ipv6only=0 EXEC:cat
serve ticks client TCP-LISTEN:2323,fork,reuseaddr SYSTEM:'while sleep 0.1; do echo tick; done'
serve published container TCP-LISTEN:80,fork,reuseaddr EXEC:cat
for port in 2222 2323; do lab_wait "the server on $port" lab_listens client $port; done
lab_wait "the server of UDP" eval '[ -n "$(inside client ss -H -lun "sport = :3333")" ]'
lab_wait "the container's" lab_listens container 80

# asks ADDRESS: does the world get back what it says?
asks()
{
	[ "$(echo word | inside world timeout 5 socat -t 5 - "$1" 2>>"$LAB_LOGS/asks.log")" = word ]
}
# The socket is connected: an answer from another address would not be heard.
asks_udp()
{
	inside world "$PYTHON" -c 'import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.connect((sys.argv[1], 3333))
s.send(b"word")
sys.exit(s.recv(9) != b"word")' "$1" 2>>"$LAB_LOGS/asks.log"
}
refused() { inside world timeout 5 socat -u "$1" - 2>&1 | grep -q refused; }
pings() { inside world ping -c 1 -W 5 -q "$1" >/dev/null; }

rows()
{
	check "$1: a connection that comes is answered, IPv4" asks "TCP:$CLIENT4:2222"
	check "$1: a connection that comes is answered, IPv6" asks "TCP6:[$CLIENT6]:2222"
	check "$1: a server bound to no address answers UDP from the one that was asked, IPv4" asks_udp "$CLIENT4"
	check "$1: a server bound to no address answers UDP from the one that was asked, IPv6" asks_udp "$CLIENT6"
	[ -z "$published" ] || check "$1: a port published from a container answers" asks "TCP:$CLIENT4:8080"
	check "$1: a closed port refuses, IPv4" refused "TCP:$CLIENT4:9"
	check "$1: a closed port refuses, IPv6" refused "TCP6:[$CLIENT6]:9"
	check "$1: ping is answered, IPv4" pings "$CLIENT4"
	check "$1: ping is answered, IPv6" pings "$CLIENT6"
}

# Two that stay: one where the client speaks first, one where the server speaks alone.
open_session()
{
	rm -f "$LAB_LOGS/session".*
	mkfifo "$LAB_LOGS/session.in"
	ip netns exec world socat -T 60 - "TCP:$CLIENT4:2222" <"$LAB_LOGS/session.in" >"$LAB_LOGS/session.out" &
	exec 7>"$LAB_LOGS/session.in"
	lab_start session.ticks world socat -u "TCP:$CLIENT4:2323" "OPEN:$LAB_LOGS/session.heard,creat,append"
	says one
	lab_wait "ticks" test -s "$LAB_LOGS/session.heard"
}
says()
{
	echo "$1" >&7
	lab_wait "the session's answer to $1" grep -q "^$1\$" "$LAB_LOGS/session.out"
}
# A check that can fail, where lab_wait would end the script. Five seconds are many retransmissions here.
goes_on()
{
	local word=$1 heard n
	echo "$word" >&7
	heard=$(wc -l <"$LAB_LOGS/session.heard")
	for n in {1..250}; do
		grep -q "^$word\$" "$LAB_LOGS/session.out" && [ "$(wc -l <"$LAB_LOGS/session.heard")" -gt $((heard + 3)) ] && return
		sleep 0.02
	done
	return 1
}

round()
{
	local text=$1
	shift
	open_session
	gate_up --mode "$MODE" "$@"
	check "$text: connections from before go on" goes_on two
	rows "$text"
	open_later
	gate_down
	lab_gone "$UP_PID"
	check "$text, after down: connections from before go on" goes_on three
	check "$text, after down: one that came meanwhile goes on" later_goes_on
	exec 7>&- 6>&-
}

open_later()
{
	rm -f "$LAB_LOGS/later".*
	mkfifo "$LAB_LOGS/later.in"
	ip netns exec world socat -T 60 - "TCP:$CLIENT4:2222" <"$LAB_LOGS/later.in" >"$LAB_LOGS/later.out" &
	exec 6>"$LAB_LOGS/later.in"
	echo first >&6
	lab_wait "the later one" grep -q first "$LAB_LOGS/later.out"
}
later_goes_on()
{
	echo second >&6
	lab_wait "the later one" grep -q second "$LAB_LOGS/later.out"
}

# First on a kernel that has not followed any connection until gatun came, then on one that has.
published=
round "$MODE"
publish
published=yes
rows "without gatun (the oracle itself)"
round "$MODE, kill switch" --kill-switch
finish_up
