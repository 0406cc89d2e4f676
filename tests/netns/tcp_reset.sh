#!/bin/bash
# A reset stays a reset, in both directions: a download that the target broke off must not look complete.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

same "a target that resets after 200 kB is ECONNRESET" "got:200000 then:ECONNRESET" reset @ 200000
same "a target that resets after one byte is ECONNRESET" "got:1 then:ECONNRESET" reset @ 1
same "a target that resets before it answers is ECONNRESET" "connect:ok send:ok recv:ECONNRESET" talking @ 7012
same "an application that resets is a reset to the target" "peer:ECONNRESET" aborts @

finish
