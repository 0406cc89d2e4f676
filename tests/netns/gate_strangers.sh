#!/bin/bash
# A stranger on the uplink forges datagrams in the name of those whom applications talk to through
# the tunnel: because he spoke first nothing of an application's leaves natively, and nothing of his
# reaches one that is served; who waits for strangers hears them.
. "$(dirname "$0")/up_lib.sh"
MODE=${UP_MODE:-tun}
UPLINK_CHECKED=no # what the stranger sends passes there
begin_up "${UP_TEST:-$0}" "$@"
lab_need socat nft

forge() { inside router "$PYTHON" "$TESTS_DIR/probes/stranger.py" "$@" || lab_die "cannot forge"; }
past() { lab_mark_uplink; lab_packets stray "udp and dst port 7001"; }

# says HOST PORT TARGET [seconds]: from this port, a datagram; all that is heard, in one line
says()
{
	inside "${APP:-client}" "$PYTHON" -c 'import socket, sys, time
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], int(sys.argv[2])))
s.settimeout(5)
s.sendto(b"word", (sys.argv[3], 7001))
heard = [s.recv(99).decode()]
print(heard[0], flush=True)
if len(sys.argv) > 4:
    sys.stdin.readline()
    s.settimeout(float(sys.argv[4]))
    try:
        print(s.recv(99).decode(), flush=True)
    except TimeoutError:
        print("silence", flush=True)' "$@" 2>&1 | tail -n 2
}

# A port that clients do not have: as to others, nobody asks for how long the gate stands.
speaks_first()
{
	forge "$2" 7001 "$1" 5060 early
	equal "$MODE, $3: a port that a stranger has spoken to serves as ever" word "$(says "$1" 5060 "$2")"
	equal "$MODE, $3: and nothing leaves past the tunnel" 0 "$(past)"
}

# injects HOST PEER TEXT: into a flow that is served
injects()
{
	local heard
	mkfifo "$LAB_LOGS/go" 2>/dev/null
	says "$1" 5070 "$2" 1 <"$LAB_LOGS/go" >"$LAB_LOGS/heard" &
	exec 9>"$LAB_LOGS/go"
	lab_wait "the flow" flow_is_known "$1"
	forge "$2" 7001 "$1" 5070 forged
	echo >&9
	exec 9>&-
	wait $!
	heard=$(tr '\n' ' ' <"$LAB_LOGS/heard")
	equal "$MODE, $3: a stranger's datagram does not reach who is served" "word silence " "$heard"
}
# An answer has come.
flow_is_known() { inside client sh -c 'grep -E "sport=5070|dport=5070" /proc/net/nf_conntrack' | grep -qv UNREPLIED; }

gate_up --mode "$MODE" --lan lan0
lab_start echo client socat UDP6-RECVFROM:3333,fork,ipv6only=0 EXEC:cat
lab_wait "the server" inside client sh -c 'grep -q :0D05 /proc/net/udp6'
speaks_first "$CLIENT4" "$WORLD4" IPv4
speaks_first "$CLIENT6" "$WORLD6" IPv6
injects "$CLIENT4" "$WORLD4" IPv4
injects "$CLIENT6" "$WORLD6" IPv6
equal "$MODE: a server of this machine's answers outside" word \
	"$(echo word | inside world timeout 5 socat -t 2 - "UDP:$CLIENT4:3333")"
finish_up
