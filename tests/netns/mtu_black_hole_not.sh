#!/bin/bash
# What is no black hole is not taken for one: a path that takes all, a dead resolver, a dead server.
. "$(dirname "$0")/mtu_lib.sh"
begin_hole "$0" "$@"

opens probing
equal "a path that takes all: the application's number is the link's" 1442 "$(told "$WORLD4")"
lab_wait "a verdict" measured_more_than 0
equal "no limit" 0 "$(limit)"

drops world "udp dport 53"
other_network 10.77.1.9
verdict 1
matches "a resolver that does not answer: nothing is learnt" "was not measured, nothing is answered" "$LAB_LOGS/run.log"
equal "no limit" 0 "$(limit)"
equal "and what is long passes" 1442 "$(told "$WORLD4")"
lets world

close_sandbox
use_server gatun "$SERVER6"
opens probing
lab_end "$SERVER_PID"
verdict 0
equal "a dead server: no limit" 0 "$(limit)"
close_sandbox
use_server gatun "$SERVER6"

finish
