#!/bin/bash
# A relay (SIP023): it takes the first identity away and passes the rest on, to our own server,
# to one with users behind a second relay, and to ssserver; it reads nothing and lets in nobody else.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

FIRST=$KEY SECOND=$(make_key "$METHOD") HOME_KEY=$(make_key "$METHOD") ALICE=$(make_key "$METHOD") OTHER=$(make_key "$METHOD")
STRANGER=$(make_key "$METHOD")
lab_end "$SERVER_PID"

# relay NAME PORT KEY DESTINATION...: each "name key port", on this machine
relay()
{
	local name=$1 port=$2 key=$3 d list= n k p
	shift 3
	for d; do
		read -r n k p <<<"$d"
		list="$list{\"name\":\"$n\",\"password\":\"$k\",\"server\":\"$SERVER4\",\"server_port\":$p},"
	done
	printf '{"server":"%s","server_port":%d,"method":"%s","password":"%s","destinations":[%s]}\n' \
		"$SERVER4" "$port" "$METHOD" "$key" "$list" >"$LAB_LOGS/$name.json"
	chmod 600 "$LAB_LOGS/$name.json"
	lab_start "$name" server "$GATUN" server -vv -c "$LAB_LOGS/$name.json"
	lab_wait "$name" lab_listens server "$port"
}

printf '{"server":"%s","server_port":8402,"method":"%s","password":"%s","users":[{"name":"alice","password":"%s"}]}\n' \
	"$SERVER4" "$METHOD" "$HOME_KEY" "$ALICE" >"$LAB_LOGS/home.json"
chmod 600 "$LAB_LOGS/home.json"
lab_start home server "$GATUN" server -v -c "$LAB_LOGS/home.json"
HOME_PID=$LAB_PID
lab_wait "the server with users" lab_listens server 8402
lab_start plain server "$GATUN" server -v -s "$SERVER4:8403" -m "$METHOD" -k "$OTHER"
PLAIN_PID=$LAB_PID
lab_wait "the server without" lab_listens server 8403
relay second 8401 "$SECOND" "home $HOME_KEY 8402"
SECOND_PID=$LAB_PID
relay server "$SERVER_PORT" "$FIRST" "second $SECOND 8401" "plain $OTHER 8403" "rust $ALICE 8404"
SERVER_PID=$LAB_PID

# as KEY COMMAND...: a command of whoever has this key
as()
{
	local KEY=$1
	shift
	"$@"
}

works()
{
	local who=$1 key=$2
	as "$key" same "$who: a connection" ok short-once @
	as "$key" same "$who: 10 MB down" "got:10000000,intact then:EOF" source @ 10000000
	as "$key" same "$who: 3 MB and FIN, then the answer" "answer:right then:EOF" half-close @ 3000000
	as "$key" same "$who: a reset stays one" "got:200000 then:ECONNRESET" reset @ 200000
	as "$key" is "$who: UDP" "ok:3" udp-sizes @ 0 1 1200
	as "$key" same "$who: full cone" "@:7003 @:7103 %:7203" udp-cone @
}

works "one relay" "$FIRST:$OTHER"
works "two relays, and a user at the end" "$FIRST:$SECOND:$HOME_KEY:$ALICE"
if program=$(lab_find ssserver); then
	lab_start rust server "$program" -s "$SERVER4:8404" -k "$ALICE" -m "$METHOD" -U
	lab_wait ssserver lab_listens server 8404
	as "$FIRST:$ALICE" same "ssserver at the end: a connection" ok short-once @
	as "$FIRST:$ALICE" is "ssserver at the end: UDP" "ok:2" udp-sizes @ 1 1200
else
	skip "ssserver at the end (not installed)"
fi
for key in "$FIRST" "$FIRST:$STRANGER" "$STRANGER:$OTHER"; do
	as "$key" is "who names nobody the relay knows is reset" ECONNRESET short-once @
	as "$key" is "and his datagrams go nowhere" "lost:1" udp-sizes @ 1
done
check "the relay saw none of the targets" eval '! grep -q "$WORLD4" "$LAB_LOGS/server.log"'
lab_end "$SECOND_PID"
lab_end "$HOME_PID"
matches "the end counts its user" "user alice of $SERVER4:8402 tcp=8" "$LAB_LOGS/home.log"
lab_end "$PLAIN_PID"
finish
