#!/bin/bash
# A closed port. Shadowsocks has no word for it, so the connect succeeds; but the next
# call says ECONNRESET. Never EOF: that would be an empty answer.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

equal "the oracle knows a closed port" connect:ECONNREFUSED "$(direct $PROBE silent "$WORLD4")"
is "a closed port resets who waits for an answer" "connect:ok recv:ECONNRESET" silent @
is "a closed port resets who sends first" "connect:ok send:* recv:ECONNRESET" talking @
is "a port that is closed is reset within 250 ms, a server that hangs up at once too" "connect:ok recv:ECONNRESET quickly" refused @ 7099 0.25
is "a peer that hangs up at once is a reset" "connect:*ECONNRESET" silent @ 7015
same "a peer that speaks first is heard without a byte of ours" "220 ready|quit" banner @

finish
