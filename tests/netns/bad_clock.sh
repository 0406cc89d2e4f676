#!/bin/bash
# Clocks that differ: up to 30 s all is well; beyond, SIP022 refuses, and the logs say that it is the clock.
. "$(dirname "$0")/lib.sh"
lab_need faketime
begin "$0" "$@"
# faketime names its semaphores by PIDs, which other labs have as well.
mount -t tmpfs lab /dev/shm || lab_die "cannot mount a private /dev/shm"
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

# A local whose clock is 20 s behind its server's.
RUNTIME=$(mktemp -d /tmp/gatun-clock.XXXXXX) # a socket's path is short
trap 'rm -rf "$RUNTIME"' EXIT
lab_start behind client faketime -f -20s "$GATUN" local -v -s "$SERVER" -m "$METHOD" -k "$KEY" --tunnel "127.0.0.1:1081=$WORLD4:7001" \
	--control "$RUNTIME/control"
lab_wait "gatun local" lab_listens client 1081
check "an echo through it" [ "$(exec_in client bash -c 'exec 3<>/dev/tcp/127.0.0.1/1081; echo hello >&3; head -n 1 <&3')" = hello ]
equal "status tells by how much the server's clock is ahead" "clock_skew_s:20" \
	"$("$GATUN" status --prometheus --control "$RUNTIME/control" 2>&1 | sed -n 's/^gatun_clock_skew_seconds \(1[4-9]\|2[01]\)$/clock_skew_s:20/p')"
lab_kill "$LAB_PID"

METHOD=aes-256-gcm KEY=
use_server gatun
equal "the first generation knows no clock: one that is an hour off works" ok "$(late +3600s short-once "$WORLD4")"

finish
