#!/bin/bash
# Full cone: an answer reaches the application whoever sends it, and says truly who did.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

same "answers from the port asked, another port and another address all arrive, each with its true source" \
	"@:7003 @:7103 %:7203" udp-cone @
same "a connected socket gets its answer" "ask" udp-connected @
same "one socket keeps one mapping to several targets" "True True True True" udp-one-port @
same "300 sockets at once get each its own answer" "wrong:0" udp-burst @ 300
METHOD=aes-256-gcm KEY=
use_server gatun
same "the same with aes-256-gcm: true sources" "@:7003 @:7103 %:7203" udp-cone @

finish
