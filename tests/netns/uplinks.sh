#!/bin/bash
# The way to the server may be IPv6, and narrow: what fits into the TUN fits into the tunnel.
. "$(dirname "$0")/lib.sh"
LAB_MTU=1400
begin "$0" "$@"

fragments() { lab_packets uplink "(ip and (ip[6:2] & 0x3fff != 0)) or ip6 proto 44"; }

for METHOD in 2022-blake3-aes-256-gcm aes-256-gcm 2022-blake3-chacha20-poly1305; do
	KEY=
	for address in "$SERVER4" "$SERVER6"; do
		use_server gatun "$address"
		via="IPv4, $METHOD"
		case $address in *:*) via="IPv6, $METHOD" ;; esac
		FAMILIES="4 6"
		same "an uplink of MTU 1400 over $via: datagrams of any size" "ok:43" udp-sizes @
		same "3 MB and the answer over $via" "answer:right then:EOF" half-close @ 3000000
		mtu=$(through ip -o link show gatun0 | sed -n "s/.* mtu \([0-9]*\) .*/\1/p")
		check "the TUN's MTU is below the uplink's, and IPv6 can live in it ($mtu)" [ "${mtu:-0}" -lt 1400 -a "${mtu:-0}" -ge 1280 ]
		before=$(fragments)
		is "the largest datagram that fits in the TUN" "fits:ok" udp-fitting @ "$mtu"
		lab_mark_uplink
		equal "travels in one packet" "$before" "$(fragments)"
	done
done

finish
