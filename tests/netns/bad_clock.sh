#!/bin/bash
# Clocks that differ: up to 30 s all is well; beyond, SIP022 refuses, and the logs say that it is the clock.
. "$(dirname "$0")/lib.sh"
lab_need faketime
begin "$0" "$@"
! sanitized || lab_skip "libfaketime and AddressSanitizer do not go together"

# late OFFSET PROBE...: through gatun run whose clock is wrong by OFFSET. The application's is right.
late()
{
	local offset=$1
	shift
	exec_in client faketime -f "$offset" "$GATUN" run -v --dns off -s "$SERVER" -m "$METHOD" -k "$KEY" -- \
		env -u LD_PRELOAD -u FAKETIME $PROBE "$@" 2>>"$LAB_LOGS/run.log"
}

export DONT_FAKE_MONOTONIC=1
for offset in +29s -29s; do
	equal "a clock that is $offset off: TCP works" ok "$(late $offset short-once "$WORLD4")"
	equal "a clock that is $offset off: UDP works" ask "$(late $offset udp-connected "$WORLD4")"
done
for offset in +31s -31s +3600s; do
	equal "a clock that is $offset off: TCP is reset" ECONNRESET "$(late $offset short-once "$WORLD4")"
	equal "a clock that is $offset off: UDP is silence" timeout "$(late $offset udp-connected "$WORLD4" 1.5)"
done
matches "the server's log names the clock and the offset, of TCP" "clock.*offset_s=-?3[12]" "$LAB_LOGS/server.log"
matches "the server's log names the clock and the offset, of UDP" "clock.*datagrams.*offset=-?3[12]" "$LAB_LOGS/server.log"
matches "gatun run says to check the clock" "check password, method and clock" "$LAB_LOGS/run.log"

METHOD=aes-256-gcm KEY=
use_server gatun
equal "the first generation knows no clock: one that is an hour off works" ok "$(late +3600s short-once "$WORLD4")"

finish
