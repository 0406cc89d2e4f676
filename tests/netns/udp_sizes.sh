#!/bin/bash
# UDP of any size, from nothing to 65,000 bytes: what fits in one packet, and what IP fragments.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

same "a datagram of 0 bytes is answered" "0 bytes:ok" udp-zero @
same "datagrams of 0 to 65,000 bytes come back whole" "ok:43" udp-sizes @
METHOD=aes-256-gcm KEY=
use_server gatun
same "the same with aes-256-gcm" "ok:43" udp-sizes @
use_server gatun "$SERVER6"
same "the same by a server's IPv6 address" "ok:43" udp-sizes @

finish
