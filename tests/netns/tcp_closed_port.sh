#!/bin/bash
# A closed port. Shadowsocks has no word for it, so the connect succeeds; but the next
# call says ECONNRESET. Never EOF: that would be an empty answer.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

equal "the oracle knows a closed port" connect:ECONNREFUSED "$(direct $PROBE silent "$WORLD4")"
# Whichever call is the first after the reset says it; on a busy machine that may be connect() itself.
is "a closed port resets who waits for an answer" "connect:*ECONNRESET" silent @
is "a closed port resets who sends first" "connect:*ECONNRESET" talking @
is "a closed port resets within 250 ms" "connect:*ECONNRESET quickly" refused @ 7099 0.25
sanitized || is "who sends first is reset within 5 ms" "within 5 ms" reset-times @ 5
is "a peer that hangs up at once is a reset" "connect:*ECONNRESET" silent @ 7015
same "a peer that speaks first is heard without a byte of ours" "220 ready|quit" banner @

finish
