#!/bin/bash
# The tunnel's server dies in the middle of a download (kill -9): an error, never a clean
# end, so that a truncated file does not look complete.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

# killed FAMILY: the outcome of a download whose server is killed
killed()
{
	local run words
	mapfile -t words < <(at "$1" endless @)
	rm -f "$LAB_LOGS/endless" # of the round before
	EXEC=exec through $PROBE "${words[@]}" >"$LAB_LOGS/endless" &
	run=$!
	lab_wait "the download" grep -q flowing "$LAB_LOGS/endless"
	lab_kill "$SERVER_PID"
	wait "$run"
	tail -n 1 "$LAB_LOGS/endless"
}

for METHOD in 2022-blake3-aes-256-gcm aes-256-gcm; do
	KEY=
	outcomes=
	for round in 1 2 3 4 5; do
		for family in 4 6; do
			use_server gatun
			outcomes+="$(killed "$family")|"
		done
	done
	equal "ten downloads whose server is killed, IPv4 and IPv6: ECONNRESET, what came is intact ($METHOD)" \
		"$(printf 'then:ECONNRESET intact|%.0s' 1 2 3 4 5 6 7 8 9 10)" "$outcomes"
done

use_server gatun
finish
