#!/bin/bash
# What a command wrote before it ended arrives, as it would without gatun: there the kernel
# goes on sending when the program is gone.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

# told KEY: what came to the world's port 7013 under that key, and how it ended
told()
{
	direct $PROBE told "$WORLD4" "$1" | awk '{ print $1, $3 }'
}

# says KEY BYTES: writes them and is gone at once
says()
{
	through bash -c "(echo $1; head -c $2 /dev/zero) >/dev/tcp/$WORLD4/7013"
}

outcomes=
for round in 1 2 3 4 5 6 7 8 9 10; do
	says "word$round" 4
	outcomes+="$(told "word$round")|"
done
equal "a few bytes, then the end: they arrive, ten times" "$(printf '4 fin|%.0s' 1 2 3 4 5 6 7 8 9 10)" "$outcomes"

# An uplink that needs most of a second for it: the program ends long before its last byte has left.
ip netns exec client tc qdisc add dev uplink root tbf rate 30mbit burst 64kb latency 100ms
says much 3000000
equal "3 MB, then the end, by a slow uplink: all of it arrives" "3000000 fin" "$(told much)"
ip netns exec client tc qdisc del dev uplink root

through bash -c "for i in 1 2 3 4 5; do echo \$i >/dev/udp/$WORLD4/7014; done"
# It counts who asks as well. The last may still be at the server.
equal "five datagrams, then the end: they arrive" 5 \
	"$(inside server $PYTHON -c "
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
for asked in range(1, 51):
    s.sendto(b'?', ('$WORLD4', 7014))
    came = int(s.recv(100)) - asked
    if came >= 5: break
    time.sleep(0.1)
print(came)")"

finish
