#!/bin/bash
# Who does not have the key learns nothing from how the server ends: seven kinds of probes in
# 400 lengths get one reaction, after the same time, with all that was sent read; and a connection
# that was recorded is not let in again, whether the server was killed or restarted since.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
UPLINK_CHECKED=no # the prober stands beside the server: /proc/net/tcp there tells what is unread

SS_PROBES=${SS_PROBES:-$TESTS_DIR/../../build/release/tests/ss_probes}
ALICE=$(make_key 2022-blake3-aes-256-gcm)
PATIENCE=2 # the server's, seconds; the prober has more

# server_with METHOD [MORE]: (re)starts it with a short patience; MORE is JSON
server_with()
{
	lab_end "$SERVER_PID"
	start_with "$@"
}

start_with()
{
	cat >"$LAB_LOGS/server.json" <<-END
		{ "server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$1", "password": "$KEY", "timeout": $PATIENCE,
		  "mode": "tcp_only" ${2:+, $2} }
	END
	chmod 600 "$LAB_LOGS/server.json"
	lab_start server server "$GATUN" server -v -c "$LAB_LOGS/server.json"
	SERVER_PID=$LAB_PID
	lab_wait "the server" lab_listens_or_ended "$SERVER_PID"
}

# table METHOD KEYS...: the rows, and whether they are alike
table()
{
	local method=$1 before
	shift
	before=$(opens)
	if inside server "$SS_PROBES" table "$method" "$SERVER4:$SERVER_PORT" $((PATIENCE * 1000 + 6000)) "$WORLD4:7001" "$@" >"$LAB_LOGS/table"; then
		ok "$method: 7 kinds x 400 lengths, one reaction, nothing left unread"
	else
		fail "$method: 7 kinds x 400 lengths, one reaction, nothing left unread"
	fi
	sed 's/^/      /' "$LAB_LOGS/table"
	equal "$method: only what was served reached the target" $((before + 400)) "$(opens)"
}

METHOD=2022-blake3-aes-256-gcm KEY=$(make_key $METHOD)
server_with $METHOD "\"users\": [ { \"name\": \"alice\", \"password\": \"$ALICE\" } ]"
table $METHOD "$ALICE" "$KEY"

METHOD=aes-256-gcm KEY=$(make_key $METHOD)
server_with $METHOD "\"state_dir\": \"$LAB_LOGS/state\""
table $METHOD "$KEY"

# --- recorded, and sent again --------------------------------------------------------

# replayed: what a recording gets from a server
replayed() { direct $PROBE replay "$SERVER4" "$LAB_LOGS/flight"; }

"$SS_PROBES" flight $METHOD "$WORLD4:7001" "$KEY" >"$LAB_LOGS/flight"
equal "a connection is served" "an answer" "$(replayed)"
before=$(opens)
equal "sent again it gets what nobody gets: nothing, then the end" EOF "$(replayed)"
kill -9 "$SERVER_PID"
lab_wait "its end" sh -c "! kill -0 $SERVER_PID"
start_with $METHOD "\"state_dir\": \"$LAB_LOGS/state\""
equal "and after the server was killed" EOF "$(replayed)"
server_with $METHOD "\"state_dir\": \"$LAB_LOGS/state\""
equal "and after it was restarted in order" EOF "$(replayed)"
equal "the target heard of none of them" "$before" "$(opens)"
matches "the log calls it a replay" "a replayed connection end=replay" "$LAB_LOGS/server.log"

# --- among workers -------------------------------------------------------------------

# not_again TEXT: ten at once, so that some land at either worker
not_again()
{
	local i words
	"$SS_PROBES" flight $METHOD "$WORLD4:7001" "$KEY" >"$LAB_LOGS/flight"
	equal "$1: a connection is served" "an answer" "$(replayed)"
	before=$(opens)
	for i in 1 2 3 4 5 6 7 8 9 10; do replayed >"$LAB_LOGS/word.$i" & done
	wait
	words=$(sort "$LAB_LOGS"/word.* | uniq -c | tr -s ' ')
	equal "$1: ten replays get nothing, whichever worker they land at" " 10 EOF" "$words"
	equal "$1: the target heard of none" "$before" "$(opens)"
}

server_with $METHOD "\"workers\": 2, \"state_dir\": \"$LAB_LOGS/state\""
not_again "two workers, salts in a file"
server_with $METHOD "\"workers\": 2"
not_again "two workers, salts in memory"

lab_end "$SERVER_PID"
head -c 3000 /dev/urandom >"$LAB_LOGS/state/sip004-salts"
start_with $METHOD "\"state_dir\": \"$LAB_LOGS/state\""
matches "a damaged file of salts is begun anew, aloud" "sip004-salts was no file of ours any more" "$LAB_LOGS/server.log"
equal "and refuses nobody" "an answer" "$(replayed)"
equal "what comes from then on is remembered" EOF "$(replayed)"

finish
