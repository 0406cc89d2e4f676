#!/bin/bash
# TCP in a hole, over IPv4: routers may cut the packets of a connection that is swallowed, and it goes on.
. "$(dirname "$0")/mtu_lib.sh"
begin_hole "$0" "$@"
tcp_in_hole "$SERVER4" "answer:right then:EOF"
finish
