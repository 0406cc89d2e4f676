#!/bin/bash
# A recorded first flight sent again: the server resets it, and the target hears nothing of it.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

for METHOD in 2022-blake3-aes-256-gcm 2022-blake3-aes-128-gcm 2022-blake3-chacha20-poly1305; do
	KEY=
	[ -z "${MIDDLE_PID:-}" ] || lab_end "$MIDDLE_PID"
	use_server gatun "$SERVER6"
	SERVER=$SERVER4:$SERVER_PORT
	rm -f "$LAB_LOGS/mitm.log" "$LAB_LOGS/flight"
	lab_start mitm server "$PYTHON" "$TESTS_DIR/probes/mitm.py" "$SERVER4" "$SERVER_PORT" "$SERVER6" record "$LAB_LOGS/flight"
	MIDDLE_PID=$LAB_PID
	lab_wait "the man in the middle" grep -q ready "$LAB_LOGS/mitm.log"

	FAMILIES=4
	is "the original is answered ($METHOD)" ok short-once @
	before=$(opens)
	equal "a replay from the same host is reset" ECONNRESET "$(exec_in client $PROBE replay "$SERVER6" "$LAB_LOGS/flight")"
	equal "a replay from another host is reset" ECONNRESET "$(direct $PROBE replay "$SERVER6" "$LAB_LOGS/flight")"
	head -c 200 /dev/urandom >"$LAB_LOGS/noise"
	equal "noise is answered in the same way" ECONNRESET "$(direct $PROBE replay "$SERVER6" "$LAB_LOGS/noise")"
	equal "the target hears nothing of any of them" "$before" "$(opens)"
	matches "the server's log calls it a replay" "replay" "$LAB_LOGS/server.log"
	: >"$LAB_LOGS/server.log"
	is "the server serves on ($METHOD)" ok short-once @
done

finish
