#!/bin/bash
# Flows that an ACL sends past the tunnel, from a redir and a SOCKS inbound: both ends are sockets of the
# kernel's, so bulk is spliced there. What an application can tell is as without gatun.
. "$(dirname "$0")/redir_lib.sh"
begin_up "$0" "$@"
UPLINK_CHECKED=no # all of it leaves natively: that is what is asked for

lab_need curl
lab_start_web
printf '[bypass_all]\n' >"$LAB_LOGS/direct.acl"
redir_config tproxy "\"acl\": \"$LAB_LOGS/direct.acl\", \"local_port\": 1080,"
redir_rules tproxy
start_redir local
# pipes: how many it has, ends of them
pipes() { find "/proc/$LOCAL_PID/fd" -lname 'pipe:*' 2>/dev/null | wc -l; }
before=$(pipes)
APP=lan
same "3 MB and FIN, then the answer is read" "answer:right then:EOF" half-close @ 3000000
same "after data and FIN from the peer, 3 MB are still taken" "got:100000,EOF send:ok peer:all" early @ 3000000
same "20 MB up and 20 MB down at once: both whole" "up:ok,right down:20000000,intact then:EOF" duplex @ 20000000
same "a reader that naps gets all of it" "got:3000000,intact then:EOF" source @ 3000000 0.3
same "a peer that naps gets all of it" "answer:right" lazy @ 3000000 0.3
same "40 connections at once, echoed" "EOF:40" many @ 40 300000
same "a target that resets after 200 kB is ECONNRESET" "got:200000 then:ECONNRESET" reset @ 200000
same "an application that resets is a reset to the target" "peer:ECONNRESET" aborts @
is "a closed port is a reset" "connect:*ECONNRESET" silent @
APP=client
same "this machine itself: 3 MB and FIN, then the answer is read" "answer:right then:EOF" half-close @ 3000000
check "it was spliced: pipes are at hand, a few" eval '[ "$(pipes)" -gt "$before" ] && [ "$(pipes)" -le $((before + 8)) ]'
exec_in client curl -sS --max-time 30 --socks5 127.0.0.1:1080 -o "$LAB_LOGS/got" "http://$WORLD4/3mb" 2>>"$LAB_LOGS/curl.log"
check "SOCKS: a download by a direct flow is whole" cmp -s "$LAB_LOGS/got" "$LAB_LOGS/web/root/3mb"
lab_end "$LOCAL_PID"
finish_up
