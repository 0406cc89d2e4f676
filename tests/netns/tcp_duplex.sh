#!/bin/bash
# Both directions of one connection at once.
. "$(dirname "$0")/lib.sh"
LAB_CAPTURE=stray
begin "$0" "$@"

same "100 MB up and 100 MB down at once on one connection: both whole" \
	"up:ok,right down:100000000,intact then:EOF" duplex @ 100000000
METHOD=aes-256-gcm KEY=
use_server gatun
same "the same with aes-256-gcm" "up:ok,right down:100000000,intact then:EOF" duplex @ 100000000

finish
