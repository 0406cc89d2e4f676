#!/bin/bash
# Loss is not taken for a black hole: three of ten packets, each way.
. "$(dirname "$0")/mtu_lib.sh"
begin_hole "$0" "$@"

loss="numgen random mod 10 < 3"
for family in 4 6; do
	use_server gatun "$([ $family = 4 ] && echo "$SERVER4" || echo "$SERVER6")"
	opens probing
	drops router "udp dport $SERVER_PORT $loss" && inside router nft "add rule inet losses in udp sport $SERVER_PORT $loss drop"
	for n in 0 1; do
		verdict "$n"
		other_network "10.77.1.1$family$n"
	done
	equal "over IPv$family: no limit, twice" 0 "$(limit)"
	lets router
	close_sandbox
done

finish
