#!/bin/bash
# A path on which long packets vanish, and no ICMP says so: it is found out, and who sends is told the number.
. "$(dirname "$0")/mtu_lib.sh"
begin_hole "$0" "$@"
use_server gatun "$SERVER6"

opens trusting
hole 1400
equal "with mtu_probe off, what is long is swallowed and nobody is told" "fits:lost" "$(in_sandbox $PROBE udp-fitting "$WORLD4" 1422)"
equal "and nothing is looked for" 0 "$(measured)"
hole 1500
close_sandbox

opens probing
find_hole
equal "an application learns that 1322 bytes fit, and is answered" 1322 "$(told "$WORLD4")"
equal "1330 over IPv6" 1330 "$(told "$WORLD6")"
equal "what may be fragmented is answered, of any size" "ok:3" "$(in_sandbox $PROBE udp-sizes "$WORLD4" 1300 1400 5000)"
equal "an upload by TCP that begins now is whole" "answer:right then:EOF" "$(in_sandbox $PROBE half-close "$WORLD4" 1000000)"
matches "a line says what to do" "packets of more than 1400 bytes vanish on the way.*let ICMP" "$LAB_LOGS/run.log"
check "gatun status says it" eval 'inside client "$GATUN" status | grep -q "packets over 1400 bytes vanish on the way"'

hole 1500
other_network 10.77.1.9
lab_wait "the limit is gone" limit_is 0
ok "the hole is gone, and after a change of the network so is the limit"
in_sandbox ip route flush cache # what the application's kernel was told holds for ten minutes
equal "and an application's datagrams may be as long as ever" 1422 "$(told "$WORLD4")"
close_sandbox

finish
