#!/bin/bash
# A redir inbound under TPROXY rules of the user's: TCP and UDP, IPv4 and IPv6, of this machine and of a LAN.
. "$(dirname "$0")/redir_lib.sh"
begin_up "$0" "$@"

redir_config tproxy
start_redir local
redir_rules tproxy
for APP in client lan; do
	streams_are_right
	is "$APP: a peer that hangs up at once is a reset" "connect:*ECONNRESET" silent @ 7015
	same "$APP: a datagram of 0 bytes is answered" "0 bytes:ok" udp-zero @
	same "$APP: datagrams of 0 to 65,000 bytes come back whole" "ok:43" udp-sizes @
	same "$APP: full cone: answers from others arrive, each with its true source" "@:7003 @:7103 %:7203" udp-cone @
	same "$APP: a connected socket gets its answer" "ask" udp-connected @
	same "$APP: one socket keeps one mapping to several targets" "True True True True" udp-one-port @
	same "$APP: 300 sockets at once get each its own answer" "wrong:0" udp-burst @ 300
	is "$APP: a datagram to a closed port is answered by silence" "timeout" udp-closed @ 1
done

# Another mark, in the file and in the user's rules.
mark_of() { inside client ss -Hlnte "sport = :$REDIR_PORT" | grep -o 'fwmark:[^ ]*'; }
equal "the listener has the config's mark" fwmark:0xff "$(mark_of)"
REDIR_MARK=256 redir_config tproxy
kill -HUP "$LOCAL_PID"
lab_wait "the reload" grep -q "the config has been reloaded" "$LAB_LOGS/local.log"
equal "and another one after a reload" fwmark:0x100 "$(mark_of)"
REDIR_MARK=256 redir_rules tproxy
for APP in client lan; do
	same "$APP: with rules that know it, 3 MB and FIN, then the answer is read" "answer:right then:EOF" half-close @ 3000000
	same "$APP: a connected socket gets its answer" "ask" udp-connected @
done
lab_end "$LOCAL_PID"
finish_up
