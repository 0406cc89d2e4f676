#!/bin/bash
# UDP of a redir inbound: two workers, another project's server, answers from low ports and from
# ports that somebody else has, and what the process may still do.
. "$(dirname "$0")/redir_lib.sh"
begin_up "$0" "$@"
lab_need dig setpriv

rows()
{
	same "$1: full cone: answers from others arrive, each with its true source" "@:7003 @:7103 %:7203" udp-cone @
	same "$1: datagrams of 0 to 65,000 bytes come back whole" "ok:43" udp-sizes @
	same "$1: one socket keeps one mapping to several targets" "True True True True" udp-one-port @
	same "$1: 300 sockets at once get each its own answer" "wrong:0" udp-burst @ 300
}

asks_dns()
{
	exec_in "$APP" dig +short +tries=1 +time=5 "@$1" web.lab A
}

# rights PID: what it may do, as the kernel tells it
rights()
{
	awk '/^CapPrm|^CapEff/ { print $2 }' "/proc/$1/status" | paste -sd' '
}

redir_rules tproxy
redir_config tproxy '"workers": 2,'
start_redir workers
for APP in client lan; do
	rows "$APP, two workers"
	equal "$APP: an answer from port 53" "$WORLD4" "$(asks_dns "$WORLD4")"
	equal "$APP: and by IPv6" "$WORLD4" "$(asks_dns "$WORLD6")"
done
for worker in $(cat "/proc/$LOCAL_PID/task"/*/children); do
	equal "a worker has CAP_NET_RAW and CAP_NET_BIND_SERVICE, and nothing else" "0000000000002400 0000000000002400" "$(rights "$worker")"
done

# A datagram to the inbound itself goes nowhere, and does no harm.
APP=lan
exec_in lan "$PYTHON" -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("'"$LAN_GATE4"'", '"$REDIR_PORT"'))'
same "after a datagram to the inbound itself all is as before" "ask" udp-connected @
lab_end "$LOCAL_PID"

# --- ports that cannot be bound ------------------------------------------------------------

redir_config tproxy
start_redir local
mkfifo "$LAB_LOGS/hold"
exec_in client "$PYTHON" -c '
import socket
held = []
for port in (7001, 7003, 7103):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.bind(("::", port))
    held.append(s)
print("held", flush=True)
open("'"$LAB_LOGS/hold"'").read()' >"$LAB_LOGS/held.out" &
exec 7>"$LAB_LOGS/hold"
lab_wait "the ports to be taken" grep -q held "$LAB_LOGS/held.out"
for APP in client lan; do
	rows "$APP, answers from ports that somebody here has for himself"
done
exec 7>&-
lab_end "$LOCAL_PID"

lab_start low client setpriv --bounding-set=-net_bind_service "$GATUN" local -v -c "$LAB_LOGS/redir.json"
LOCAL_PID=$LAB_PID
lab_wait "gatun local" lab_listens client "$REDIR_PORT"
equal "without CAP_NET_BIND_SERVICE there is CAP_NET_RAW alone" "0000000000002000 0000000000002000" "$(rights "$LOCAL_PID")"
equal "and an answer from port 53 comes all the same" "$WORLD4 $WORLD4" "$(asks_dns "$WORLD4") $(asks_dns "$WORLD6")"
lab_end "$LOCAL_PID"

check "without CAP_NET_RAW it does not start" eval '! inside client setpriv --bounding-set=-net_raw,-net_admin "$GATUN" local -s "$SERVER" -m "$METHOD" -k "$KEY" --tproxy "[::]:$REDIR_PORT" >"$LAB_LOGS/refused.txt" 2>&1'
matches "and says what it needs" "cannot listen on .*:$REDIR_PORT: TPROXY and marks need CAP_NET_RAW" "$LAB_LOGS/refused.txt"

# --- somebody else's server -----------------------------------------------------------------

if command -v ss-server >/dev/null; then
	METHOD=aes-256-gcm KEY=
	use_server ss-server
	redir_config tproxy
	start_redir ss-server
	APP=lan
	same "ss-server: full cone" "@:7003 @:7103 %:7203" udp-cone @
	same "ss-server: TCP" "got:3000000,intact then:EOF" source @ 3000000
	lab_end "$LOCAL_PID"
else
	skip "ss-server is not installed"
fi
finish_up
