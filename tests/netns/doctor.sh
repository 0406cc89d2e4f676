#!/bin/bash
# `gatun doctor`: it finds what stands in the way of `gatun up`, says what mends it, and changes nothing.
. "$(dirname "$0")/up_lib.sh"
begin_up "$0" "$@"
lab_need setpriv strace

# doctor NAME COMMAND...: what doctor says under COMMAND; its exit code in CODE
doctor()
{
	local name=$1
	shift
	inside client "$@" "$GATUN" doctor ${DOCTOR_ARGS:-} >"$LAB_LOGS/$name.txt" 2>&1
	CODE=$?
}

# finds TEXT PATTERN NAME: a bad finding comes first
finds()
{
	matches "$1" "^BAD .*$2" "$LAB_LOGS/$3.txt"
	check "$1: the worst is said first" grep -q "^BAD" <(head -n 1 "$LAB_LOGS/$3.txt")
}

not_in() { ! grep -Eq -- "$1" "$2"; }

snapshot "$LAB_LOGS/before"
doctor sound env
equal "on a machine that has everything \`up\` would work" 0 "$CODE"
for word in "TUN devices" "several TUN queues" "--mode tun" "--mode tproxy" "--mode redirect" "namespaces" "rights"; do
	matches "tried, and found: $word" "^ok .*$word" "$LAB_LOGS/sound.txt"
done
check "nothing bad is said" not_in "^BAD" "$LAB_LOGS/sound.txt"

matches "through TPROXY a connection and a datagram came" "^ok .*--mode tproxy.*TCP and UDP came through" "$LAB_LOGS/sound.txt"
matches "through REDIRECT a connection came" "^ok .*--mode redirect.*TCP came through" "$LAB_LOGS/sound.txt"

for mode in tproxy redirect; do
	DOCTOR_ARGS="--mode $mode" doctor "mode_$mode" env
	equal "--mode $mode without a server: the machine alone is looked at" 0 "$CODE"
	check "--mode $mode: nothing is against it" not_in "^(BAD|note) .*--mode" "$LAB_LOGS/mode_$mode.txt"
done
# Only those are taken whom the plan names; who tries it is not among them.
DOCTOR_ARGS="--mode tproxy --uid 12345 --route 10.0.0.0/8 --kill-switch" doctor few env
equal "--mode tproxy for a few alone would work" 0 "$CODE"

closed=(unshare --mount --propagation private sh -c 'mount --bind /dev/null /dev/net/tun && exec "$@"' sh)
doctor no_tun "${closed[@]}"
equal "without /dev/net/tun mode tun would fail" 1 "$CODE"
finds "without /dev/net/tun" "/dev/net/tun" no_tun
DOCTOR_ARGS="--mode tproxy" doctor no_tun_tproxy "${closed[@]}"
matches "without /dev/net/tun something is carried through TPROXY still" "^ok .*--mode tproxy.*came through" "$LAB_LOGS/no_tun_tproxy.txt"
equal "without /dev/net/tun mode tproxy would work" 0 "$CODE"

# LeakSanitizer cannot run under a tracer.
if ! sanitized; then
	DOCTOR_ARGS="--mode tproxy" doctor no_tcp strace -f -o /dev/null -e trace=accept4 -e inject=accept4:error=EPERM
	equal "where no connection comes through mode tproxy would fail" 1 "$CODE"
	finds "where no connection comes through TPROXY" "--mode tproxy.*IPv4: a connection does not come" no_tcp
	matches "and another mode is named" "gatun up --mode tun" "$LAB_LOGS/no_tcp.txt"
fi

DOCTOR_ARGS="-s $SERVER -m $METHOD -k $KEY" doctor server env
matches "a server that listens answers" "^ok .*answers, after" "$LAB_LOGS/server.txt"
check "the key is not shown" not_in "$KEY" "$LAB_LOGS/server.txt"
DOCTOR_ARGS="-s $SERVER4:1 -m $METHOD -k $KEY" doctor nobody env
matches "a server that does not listen is said" "does not answer err=ECONNREFUSED" "$LAB_LOGS/nobody.txt"
DOCTOR_ARGS="-s $SERVER -m $METHOD -k $KEY --lan nowhere0" doctor nowhere env
equal "a LAN that is not there: \`up\` would fail" 1 "$CODE"
finds "a LAN that is not there" "nowhere0" nowhere

ip -n client link add gatun0 type veth peer name gatun0b
doctor device env
equal "a device of that name: \`up\` would fail" 1 "$CODE"
finds "a device of that name" "gatun0 is there already" device
DOCTOR_ARGS="--mode tproxy" doctor device_tproxy env
equal "a device of that name is nothing to mode tproxy" 0 "$CODE"
ip -n client link del gatun0
printf '{ "server": "%s", "server_port": %s, "method": "aes-256-gcm", "password": "%s", "plugin": "obfs-local" }\n' \
	"$SERVER4" "$SERVER_PORT" "$(head -c 18 /dev/urandom | base64)" >"$LAB_LOGS/plugin.json"
chmod 600 "$LAB_LOGS/plugin.json"
DOCTOR_ARGS="-c $LAB_LOGS/plugin.json --plugin-user nobody_of_that_name" doctor plugin env
equal "a plugin without a user: \`up\` would fail" 1 "$CODE"
finds "a plugin without a user" "plugins need a user.*nobody_of_that_name" plugin

doctor descriptors prlimit --nofile=64:64
equal "64 descriptors: \`up\` would fail" 1 "$CODE"
finds "64 descriptors" "descriptors" descriptors
doctor rights setpriv --bounding-set -net_admin --inh-caps -net_admin
equal "without CAP_NET_ADMIN \`up\` would fail" 1 "$CODE"
finds "without CAP_NET_ADMIN" "network" rights

ip -n client rule add priority 6761 from all lookup main
doctor priority env
equal "somebody's rule where ours go: \`up\` would fail" 1 "$CODE"
finds "somebody's rule where ours go" "6761" priority
ip -n client rule del priority 6761
ip -n client rule add priority 5000 not fwmark 51820 lookup 51820
doctor wireguard env
matches "another VPN's rule before ours is named" "^(BAD|note) .*51820" "$LAB_LOGS/wireguard.txt"
ip -n client rule del priority 5000

snapshot "$LAB_LOGS/after"
same_snapshot "the doctor has changed nothing" "$LAB_LOGS/before" "$LAB_LOGS/after"
UPLINK_CHECKED=no # connections to the server that carry nothing
finish_up
