#!/bin/bash
# The hole of mtu_black_hole.sh for each shape of a datagram, and before others' servers: the number is exact.
. "$(dirname "$0")/mtu_lib.sh"
begin_hole "$0" "$@"

# METHOD KIND ADDRESS FITS: what reaches an IPv4 address in one packet of 1,400 bytes
while read -r METHOD kind address fits; do
	[ "$kind" = gatun ] || lab_find "$kind" >/dev/null || { skip "$kind is not installed"; continue; }
	KEY=
	use_server "$kind" "$address"
	case $address in *:*) via=IPv6 ;; *) via=IPv4 ;; esac
	opens probing
	find_hole
	equal "$METHOD over $via to $kind: an application learns that $fits bytes fit, and is answered" "$fits" "$(told "$WORLD4")"
	hole 1500
	close_sandbox
done <<-END
	2022-blake3-chacha20-poly1305 gatun $SERVER4 1318
	aes-256-gcm gatun $SERVER6 1325
	2022-blake3-aes-128-gcm ssserver $SERVER6 1322
END

finish
