#!/bin/bash
# TCP in a hole, over IPv6: nobody can cut its packets, so the connection ends, and the next one is whole.
. "$(dirname "$0")/mtu_lib.sh"
begin_hole "$0" "$@"
tcp_in_hole "$SERVER6" "unexpected:ECONNRESET"
finish
