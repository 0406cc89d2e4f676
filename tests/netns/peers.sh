#!/bin/bash
# gatun run with the servers of others: every row that their end carries.
. "$(dirname "$0")/lib.sh"
FAMILIES="4 6"
begin "$0" "$@"

# What a peer's server is known not to carry is not asked of it:
#   ss-server   FIN ends both directions; UDP beyond the path's MTU is lost
#   ssserver    UDP of 0 bytes is lost
#   sing-box    half-closes are lost
# A peer ends cleanly where its target reset, and may where it is killed at a chunk's end.
rows()
{
	local peer=$1 method=$2
	same "$peer, $method: speaks first" "220 ready|quit" banner @
	is "$peer, $method: a closed port is a reset, never EOF" "connect:*ECONNRESET" silent @
	same "$peer, $method: 10 MB down" "got:10000000,intact then:EOF" source @ 10000000
	same "$peer, $method: 10 MB both ways at once" "EOF:1" many @ 1 10485760 late
	same "$peer, $method: 100 connections at once" "EOF:100" many @ 100 65536 late
	if [ "$peer" = ssserver ]; then
		same "$peer, $method: 3 MB and FIN, then the answer" "answer:right then:EOF" half-close @ 3000000
		same "$peer, $method: data and FIN, then 3 MB are still taken" "got:100000,EOF send:ok peer:all" early @ 3000000
	fi
	same "$peer, $method: UDP answered from elsewhere (full cone)" "@:7003 @:7103 %:7203" udp-cone @
	same "$peer, $method: UDP of 1 to 1,300 bytes" "ok:5" udp-sizes @ 1 100 512 1199 1300
	if [ "$peer" = ss-server ]; then
		same "$peer, $method: UDP of 0 bytes" "0 bytes:ok" udp-zero @
	fi
}

for peer in ss-server ssserver sing-box; do
	if ! lab_find "$peer" >/dev/null; then
		skip "$peer is not installed (tests/interop/peers fetches it)"
		continue
	fi
	methods="aes-256-gcm 2022-blake3-aes-256-gcm"
	[ "$peer" != ss-server ] || methods=chacha20-ietf-poly1305
	for METHOD in $methods; do
		KEY=
		use_server "$peer"
		rows "$peer" "$METHOD"
	done
done
use_server gatun

finish
