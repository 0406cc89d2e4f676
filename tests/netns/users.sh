#!/bin/bash
# A server with users (SIP023): each talks under a key of his own and has counters of his
# own, whoever is no user is reset like any stranger; with gatun's server and ssserver's.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

OWN=$KEY
ALICE=$(make_key "$METHOD") BOB=$(make_key "$METHOD") STRANGER=$(make_key "$METHOD")

# with_users KIND: (re)starts the far end with alice and bob as its users
with_users()
{
	local program=$GATUN words=(server -v ${GATUN_SERVER_FLAGS:-})
	if [ "$1" != gatun ]; then program=$(lab_find "$1") words=(); fi
	lab_end "$SERVER_PID"
	cat >"$LAB_LOGS/users.json" <<-END
		{ "servers": [ { "server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "mode": "tcp_and_udp",
		  "password": "$OWN", "users": [ { "name": "alice", "password": "$ALICE" }, { "name": "bob", "password": "$BOB" } ] } ] }
	END
	chmod 600 "$LAB_LOGS/users.json"
	lab_start server server "$program" "${words[@]}" -c "$LAB_LOGS/users.json"
	SERVER_PID=$LAB_PID
	lab_wait "$1" lab_listens_or_ended "$SERVER_PID"
}

# as KEY COMMAND...: a command of whoever has this key
as()
{
	local KEY=$1
	shift
	"$@"
}

with_users gatun
as "$OWN:$ALICE" same "alice: a connection" ok short-once @
as "$OWN:$ALICE" same "alice: 10 MB down" "got:10000000,intact then:EOF" source @ 10000000
as "$OWN:$BOB" same "bob: 3 MB and FIN, then the answer" "answer:right then:EOF" half-close @ 3000000
as "$OWN:$BOB" same "bob: UDP of 1 to 1,300 bytes" "ok:5" udp-sizes @ 1 100 512 1199 1300
as "$OWN:$ALICE" same "alice: UDP answered from elsewhere (full cone)" "@:7003 @:7103 %:7203" udp-cone @

before=$(opens)
as "$OWN:$STRANGER" is "a key of no user: reset, no data, no EOF" ECONNRESET short-once @
as "$OWN:$STRANGER" is "a key of no user: UDP is silence" timeout udp-connected @ 1.5
as "$OWN" is "the server's key alone: reset" ECONNRESET short-once @
as "$OWN" is "the server's key alone: UDP is silence" timeout udp-connected @ 1.5
as "$ALICE" is "a user's key alone: reset" ECONNRESET short-once @
as "$STRANGER:$ALICE" is "a user of another server: reset" ECONNRESET short-once @
as "$OWN:$OWN:$ALICE" is "a hop that is none: reset" ECONNRESET short-once @
equal "no connection of any of these reached the target" "$before" "$(opens)"
matches "the server says who was not let in, and why" "client $CLIENT4:[0-9]+ was not let in: no such user, wrong password" "$LAB_LOGS/server.log"

# Two at once, counted apart, to the byte.
with_users gatun
as "$OWN:$ALICE" through $PROBE source "$WORLD4" 10000000 >"$LAB_LOGS/alice.out" &
alice=$!
as "$OWN:$BOB" through $PROBE source "$WORLD4" 20000000 >"$LAB_LOGS/bob.out" &
bob=$!
wait "$alice" "$bob"
equal "two users at once: alice has hers" "got:10000000,intact then:EOF" "$(cat "$LAB_LOGS/alice.out")"
equal "two users at once: bob has his" "got:20000000,intact then:EOF" "$(cat "$LAB_LOGS/bob.out")"
as "$OWN:$ALICE" through $PROBE udp-sizes "$WORLD4" 1000 1000 >/dev/null
lab_end "$SERVER_PID"
matches "alice is charged with what is hers" "user alice of $SERVER4:$SERVER_PORT tcp=1 up=9 down=10000000 udp=[1-9]" "$LAB_LOGS/server.log"
matches "bob is charged with what is his, and no UDP" "user bob of $SERVER4:$SERVER_PORT tcp=1 up=9 down=20000000 udp=0 up=0 down=0 packets_up=0 packets_down=0" "$LAB_LOGS/server.log"
matches "alice's datagrams are counted" "user alice .* udp=[1-9] up=[2-9]000 down=[2-9]000 packets_up=[2-9] packets_down=[2-9]" "$LAB_LOGS/server.log"

for METHOD in 2022-blake3-aes-256-gcm 2022-blake3-aes-128-gcm; do
	OWN=$(make_key "$METHOD") ALICE=$(make_key "$METHOD") BOB=$(make_key "$METHOD")
	if ! lab_find ssserver >/dev/null; then
		skip "ssserver is not installed (tests/interop/peers fetches it)"
		break
	fi
	with_users ssserver
	as "$OWN:$BOB" same "ssserver, $METHOD: a user's connection" ok short-once @
	as "$OWN:$BOB" same "ssserver, $METHOD: 10 MB both ways at once" "EOF:1" many @ 1 10485760 late
	as "$OWN:$ALICE" same "ssserver, $METHOD: a user's UDP" "ok:5" udp-sizes @ 1 100 512 1199 1300
done

OWN=$(make_key "$METHOD") ALICE=$(make_key "$METHOD") BOB=$(make_key "$METHOD")
with_users gatun
as "$OWN:$BOB" same "$METHOD: a connection" ok short-once @
as "$OWN:$BOB" same "$METHOD: UDP of 1 to 1,300 bytes" "ok:5" udp-sizes @ 1 100 512 1199 1300

check "no key is in any log" [ -z "$(grep -lF -e "$OWN" -e "$ALICE" -e "$BOB" "$LAB_LOGS"/*.log)" ]
finish
