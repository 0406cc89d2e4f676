#!/bin/bash
# The uplink's MTU changes under gatun: who sends what does not fit any more is told the exact number.
. "$(dirname "$0")/lib.sh"

begin "$0" "$@"

fragments() { lab_packets uplink "(ip and (ip[6:2] & 0x3fff != 0)) or ip6 proto 44"; }
set_uplink() { ip -n client link set uplink mtu "$1" && ip -n router link set to-client mtu "$1"; }
told() { in_sandbox $PYTHON "$TESTS_DIR/probes/path_mtu.py" "$1"; }
tells() { [ "$(told "$1")" = "$2" ]; }

# overhead METHOD: bytes that a datagram to an IPv4 address grows by (docs: wire formats)
overhead()
{
	case $1 in
	2022-blake3-aes-*) echo 58 ;;
	2022-blake3-chacha20-poly1305) echo 82 ;;
	aes-128-gcm) echo 39 ;;
	*) echo 55 ;;
	esac
}

for METHOD in ${METHODS:-2022-blake3-aes-256-gcm 2022-blake3-chacha20-poly1305 aes-128-gcm}; do
	KEY=
	for address in "$SERVER4" "$SERVER6"; do
		use_server gatun "$address"
		via=IPv4 outer=0
		case $address in *:*) via=IPv6 outer=20 ;; esac
		fits=$((1400 - $(overhead "$METHOD") - outer))
		open_sandbox
		set_uplink 1400
		lab_wait "the uplink's new MTU" tells "$WORLD4" "$fits"
		equal "$METHOD over $via: the uplink shrinks to 1400, an application learns $fits" "$fits" "$(told "$WORLD4")"
		equal "and over IPv6, whose header shrinks more than its address grows, $((fits + 8))" $((fits + 8)) "$(told "$WORLD6")"
		lab_mark_uplink
		before=$(fragments)
		told "$WORLD4" >/dev/null
		told "$WORLD6" >/dev/null
		lab_mark_uplink
		equal "and what it sends then travels in one packet" "$before" "$(fragments)"
		equal "what may be fragmented is answered, of any size" "ok:43" "$(in_sandbox $PROBE udp-sizes "$WORLD4")"
		set_uplink 1500
		close_sandbox
	done
done

finish
