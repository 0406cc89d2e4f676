#!/bin/bash
# A wrong password or method: nothing reaches the target, the application's connection
# does not succeed in anything, and both ends say what to check.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

same "with the right password it works" ok short-once @
before=$(opens)
right=$KEY

KEY=$(make_key "$METHOD")
is "wrong password, second generation: reset, no data, no EOF" ECONNRESET short-once @
is "wrong password, second generation: UDP is silence" timeout udp-connected @ 1.5
matches "gatun run says what to check" "$SERVER .*check password, method and clock" "$LAB_LOGS/run.log"
matches "the server says who was not let in, and why" "client $CLIENT4:[0-9]+ was not let in: wrong password or method" "$LAB_LOGS/server.log"
METHOD=2022-blake3-chacha20-poly1305 KEY=$right
is "wrong method, same password, second generation: reset" ECONNRESET short-once @
METHOD=aes-256-gcm KEY=$right
is "wrong generation: reset" ECONNRESET short-once @

# The first generation's server keeps a stranger waiting, so that probes learn nothing: the
# application sees its own timeout, and never an end that looks like an answer.
use_server gatun
KEY="another password"
is "wrong password, first generation: nothing, until the application's own timeout" timeout short-once @ 1.5
is "wrong password, first generation: UDP is silence" timeout udp-connected @ 1.5
METHOD=chacha20-ietf-poly1305 KEY=$right
is "wrong method, first generation: nothing" timeout short-once @ 1.5
matches "gatun run says what to check" "$SERVER .*check password, method, or" "$LAB_LOGS/run.log"
equal "no connection of any of these reached the target" "$before" "$(opens)"

check "no password is in any log" [ -z "$(grep -lF -e "$right" "$LAB_LOGS"/*.log)" ]
finish
