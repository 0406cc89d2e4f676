#!/bin/bash
# A man in the middle cuts and flips: the application sees what was right up to there, then
# ECONNRESET. Never a changed byte, never an EOF that looks like the end.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

# middle ACTION [OFFSET]: stands between from now on
middle()
{
	[ -z "${MIDDLE_PID:-}" ] || lab_end "$MIDDLE_PID"
	rm -f "$LAB_LOGS/mitm.log"
	lab_start mitm server "$PYTHON" "$TESTS_DIR/probes/mitm.py" "$SERVER4" "$SERVER_PORT" "$SERVER6" "$@"
	MIDDLE_PID=$LAB_PID
	lab_wait "the man in the middle" grep -q ready "$LAB_LOGS/mitm.log"
}

# upload KEY: what the application hears is in the file upload. Its content begins when the peer has read the key:
# what is behind byte 1,500 is of the content alone, however the first flight was cut and padded.
upload()
{
	rm -f "$LAB_LOGS/go"
	through $PROBE upload "$WORLD4" "$1" 1000000 "$LAB_LOGS/go" >"$LAB_LOGS/upload" &
	local sender=$!
	direct $PROBE told "$WORLD4" "begun $1" >"$LAB_LOGS/begun"
	touch "$LAB_LOGS/go"
	wait "$sender"
}

for METHOD in 2022-blake3-aes-256-gcm aes-256-gcm; do
	KEY=
	[ -z "${MIDDLE_PID:-}" ] || lab_end "$MIDDLE_PID"
	MIDDLE_PID=
	use_server gatun "$SERVER6"
	SERVER=$SERVER4:$SERVER_PORT FAMILIES=4

	middle pass
	is "nobody interferes: a download is whole ($METHOD)" "part:whole then:EOF intact" download @ 1000000
	middle hang-up 0
	# Before the SYN-ACK it is a refusal, after it a reset: the kernel's word for RST.
	is "a server that hangs up on everyone is an error at once" "ECONNRE@(SET|FUSED)" short-once @
	middle cut-down 0
	is "a server that ends before its first byte is an error" "part:cut then:ECONNRE@(SET|FUSED) intact" download @ 1000000
	for offset in 1 31 40 61 1000 100003; do
		middle cut-down $offset
		is "cut after $offset bytes from the server: a reset" "part:cut then:ECONNRESET intact" download @ 1000000
	done
	for offset in 0 33 60 70 1000 100003; do
		middle flip-down $offset
		is "byte $offset from the server flipped: a reset" "part:cut then:ECONNRESET intact" download @ 1000000
	done
	for offset in 2000 100003; do
		middle cut-up $offset
		upload "cut$offset"
		equal "cut after $offset bytes from the client: the target is reset, what it got is right" \
			"part:cut then:ECONNRESET intact" "$(direct $PROBE was-told "$WORLD4" "cut$offset" 1000000)"
		middle flip-up $offset
		upload "flip$offset"
		equal "byte $offset from the client flipped: the target is reset, what it got is right" \
			"part:cut then:ECONNRESET intact" "$(direct $PROBE was-told "$WORLD4" "flip$offset" 1000000)"
		equal "and so is the application" "then:reset" "$(sed "s/ECONNRESET\|EPIPE/reset/" "$LAB_LOGS/upload")"
	done
done
matches "the log calls a forged stream by its name" "end=forged" "$LAB_LOGS/run.log"
matches "the log calls a truncated stream by its name" "end=truncated" "$LAB_LOGS/run.log"

finish
