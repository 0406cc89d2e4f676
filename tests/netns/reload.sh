#!/bin/bash
# SIGHUP: the config is read again while flows run. What may stay stays to the byte, what is
# taken away ends, and a config that cannot be had changes nothing.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

FAMILIES=4
UPLINK_CHECKED=no # the ports are others than the lab's
OWN=$KEY
ALICE=$(make_key "$METHOD") BOB=$(make_key "$METHOD") CAROL=$(make_key "$METHOD") OTHER=$(make_key "$METHOD")
CONFIG=$LAB_LOGS/config.json

# user NAME KEY
user() { printf '{ "name": "%s", "password": "%s" }' "$1" "$2"; }

# port NUMBER METHOD KEY [USER,...]
port()
{
	printf '{ "server": "%s", "server_port": %s, "method": "%s", "password": "%s", "users": [ %s ] }' "$SERVER4" "$1" "$2" "$3" "${4:-}"
}

# config PORT,...
config()
{
	printf '{ "servers": [ %s ], "timeout": 10 }\n' "$1" >"$CONFIG.new"
	chmod 600 "$CONFIG.new"
	mv "$CONFIG.new" "$CONFIG"
}

said() { grep -c -- "$1" "$LAB_LOGS/server.log"; }
said_more() { [ "$(said "$1")" -gt "$2" ]; }

# reload [WORDS]: sends SIGHUP and waits until the server has said how it went
reload()
{
	local words=${1:-the config has been reloaded} before
	before=$(said "$words")
	kill -HUP "$SERVER_PID"
	lab_wait "the reload" said_more "$words" "$before"
}

# on PORT METHOD KEY COMMAND...
on()
{
	local SERVER=$SERVER4:$1 METHOD=$2 KEY=$3
	shift 3
	"$@"
}

as() { on 8388 "$METHOD" "$@"; }
listener() { inside server ss -H -ltne "sport = :$1" 2>/dev/null | grep -o 'ino:[0-9]*'; }
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$SERVER_PID/status"; }

lab_end "$SERVER_PID"
config "$(port 8388 "$METHOD" "$OWN" "$(user alice "$ALICE"), $(user bob "$BOB")"), $(port 8389 aes-256-gcm first)"
lab_start server server "$GATUN" server -v -c "$CONFIG"
SERVER_PID=$LAB_PID
lab_wait "the server" lab_listens server 8389

# --- users and ports, under downloads --------------------------------------------------

before=$(listener 8388)
as "$OWN:$ALICE" through $PROBE source "$WORLD4" 100000000 6 >"$LAB_LOGS/alice.out" &
alice=$!
as "$OWN:$BOB" through $PROBE endless "$WORLD4" >"$LAB_LOGS/bob.out" &
bob=$!
on 8389 aes-256-gcm first through $PROBE source "$WORLD4" 20000000 6 >"$LAB_LOGS/gone.out" &
gone=$!
lab_wait "bob's download" grep -q flowing "$LAB_LOGS/bob.out"
lab_wait "three connections" eval '[ "$(inside world ss -H -tn state established "( sport = :7006 or sport = :7009 )" | wc -l)" = 3 ]'
config "$(port 8388 "$METHOD" "$OWN" "$(user alice "$ALICE"), $(user carol "$CAROL")"), $(port 8390 aes-128-gcm second)"
reload
wait "$bob"
equal "a user who is gone: his connection is reset" "then:ECONNRESET intact" "$(tail -n 1 "$LAB_LOGS/bob.out")"
as "$OWN:$BOB" is "and he is nobody now" ECONNRESET short-once @
as "$OWN:$CAROL" same "a user who is new: a connection" ok short-once @
on 8390 aes-128-gcm second same "a port that is new: a connection" ok short-once @
on 8390 aes-128-gcm second same "and UDP of 1 to 1,300 bytes" "ok:5" udp-sizes @ 1 100 512 1199 1300
check "a port that is gone is closed" eval '! lab_listens server 8389'
equal "a port that stays is the same socket" "$before" "$(listener 8388)"
wait "$alice"
equal "a user who stays: her 100 MB come whole" "got:100000000,intact then:EOF" "$(cat "$LAB_LOGS/alice.out")"
wait "$gone"
equal "by a port that is gone: the 20 MB come whole" "got:20000000,intact then:EOF" "$(cat "$LAB_LOGS/gone.out")"
matches "the log names the end of bob's" "user bob of $SERVER4:8388 tcp=1" "$LAB_LOGS/server.log"

# --- another key -----------------------------------------------------------------------

as "$OWN:$ALICE" through $PROBE source "$WORLD4" 30000000 4 >"$LAB_LOGS/alice.out" &
alice=$!
on 8390 aes-128-gcm second through $PROBE source "$WORLD4" 30000000 4 >"$LAB_LOGS/second.out" &
second=$!
lab_wait "two connections" eval '[ "$(inside world ss -H -tn state established "( sport = :7006 )" | wc -l)" = 2 ]'
config "$(port 8388 "$METHOD" "$OWN" "$(user alice "$OTHER"), $(user carol "$CAROL")"), $(port 8390 aes-256-gcm third)"
reload
as "$OWN:$ALICE" is "a user's old key: reset" ECONNRESET short-once @
as "$OWN:$OTHER" same "his new one: a connection" ok short-once @
as "$OWN:$OTHER" same "and UDP" "ok:5" udp-sizes @ 1 100 512 1199 1300
on 8390 aes-256-gcm third same "a port's new key and method: a connection" ok short-once @
on 8390 aes-256-gcm third same "and UDP" "ok:5" udp-sizes @ 1 100 512 1199 1300
wait "$alice"
equal "what began under the user's old key comes whole" "got:30000000,intact then:EOF" "$(cat "$LAB_LOGS/alice.out")"
wait "$second"
equal "what began under the port's old key and method too" "got:30000000,intact then:EOF" "$(cat "$LAB_LOGS/second.out")"

# --- what cannot be had ----------------------------------------------------------------

good=$(cat "$CONFIG")
printf '{ "servers": [\n  { "server": "%s", "server_port": 8391, "method": "rot13", "password": "x" } ] }\n' "$SERVER4" >"$CONFIG"
reload "nothing has changed"
matches "a broken file: its error has a line and a column" "config.json:2:[0-9]+: error: unknown method" "$LAB_LOGS/server.log"
as "$OWN:$OTHER" same "and everything goes on" ok short-once @
echo '{ "servers": [' >"$CONFIG"
reload "nothing has changed"
rm "$CONFIG"
reload "nothing has changed"
inside server $PYTHON -c 'import socket,time; s=socket.socket(); s.bind(("0.0.0.0",8393)); s.listen(); print("there", flush=True); time.sleep(300)' >"$LAB_LOGS/holder.out" &
holder=$!
lab_wait "a holder of the port" grep -q there "$LAB_LOGS/holder.out"
config "$(port 8392 aes-256-gcm x), $(port 8393 aes-256-gcm x), $(port 8388 "$METHOD" "$OWN" "$(user alice "$ALICE")")"
reload "nothing has changed"
matches "a port that another program has is named" "cannot listen on $SERVER4:8393 \(TCP\): this port is taken" "$LAB_LOGS/server.log"
check "and no other is opened" eval '! lab_listens server 8392'
as "$OWN:$OTHER" same "nor a key changed" ok short-once @
kill "$holder"

# --- a storm ---------------------------------------------------------------------------

echo "$good" >"$CONFIG"
reload
as "$OWN:$OTHER" through $PROBE many "$WORLD4" 20 1000000 >"$LAB_LOGS/many.out" &
many=$!
for ((i = 0; i < 300; i++)); do
	kill -HUP "$SERVER_PID"
	as "$OWN:$CAROL" true # gives it time between
done </dev/null 2>/dev/null
wait "$many"
equal "300 signals under 20 uploads: all come whole" "EOF:20" "$(cat "$LAB_LOGS/many.out")"
equal "the port is still the same socket" "$before" "$(listener 8388)"
rss=$(memory)
for ((i = 0; i < 150; i++)); do reload; done
sanitized || check "150 reloads leave memory as it was ($rss -> $(memory) kB)" [ "$(memory)" -lt $((rss + 1000)) ]
equal "no connection of a user who stayed ended as removed" 1 "$(lab_end "$SERVER_PID"; grep -o 'removed=[0-9]*' "$LAB_LOGS/server.log" | cut -d= -f2)"
check "no key is in the log" [ -z "$(grep -F -e "$OWN" -e "$ALICE" -e "$BOB" -e "$OTHER" "$LAB_LOGS/server.log")" ]

# --- with workers ----------------------------------------------------------------------

: >"$LAB_LOGS/server.log"
lab_start server server "$GATUN" server -v --workers 2 -c "$CONFIG"
SERVER_PID=$LAB_PID
lab_wait "the workers" grep -q "workers serve" "$LAB_LOGS/server.log"
as "$OWN:$OTHER" through $PROBE source "$WORLD4" 30000000 4 >"$LAB_LOGS/alice.out" &
alice=$!
lab_wait "a connection" eval '[ "$(inside world ss -H -tn state established "( sport = :7006 )" | wc -l)" = 1 ]'
config "$(port 8388 "$METHOD" "$OWN" "$(user alice "$OTHER"), $(user bob "$BOB")"), $(port 8394 aes-256-gcm fourth)"
reload "the config has been reloaded$"
as "$OWN:$BOB" same "two workers: a new user's 10 connections" "EOF:10" many @ 10 100000
on 8394 aes-256-gcm fourth same "two workers: 10 connections by a new port" "EOF:10" many @ 10 100000
as "$OWN:$CAROL" is "two workers: a user who is gone" ECONNRESET short-once @
wait "$alice"
equal "two workers: a download goes on" "got:30000000,intact then:EOF" "$(cat "$LAB_LOGS/alice.out")"
echo '{ "servers": [' >"$CONFIG"
reload "nothing has changed"
as "$OWN:$BOB" same "two workers: a broken file changes nothing" ok short-once @

# The second worker gets no descriptors: it can read no file, when the first has opened the new port already.
second=$(pgrep -P "$SERVER_PID" | sort -n | tail -n 1)
prlimit --pid "$second" --nofile=3:
config "$(port 8388 "$METHOD" "$OWN" "$(user alice "$OTHER"), $(user carol "$CAROL")"), $(port 8395 aes-256-gcm fifth)"
reload "nothing has changed$"
prlimit --pid "$second" --nofile=10000:
check "a worker that cannot reload: the other has changed nothing either, no port is opened" eval '! lab_listens server 8395'
check "nor closed" lab_listens server 8394
for ((i = 0; i < 4; i++)); do as "$OWN:$CAROL" through $PROBE short-once "$WORLD4"; done >"$LAB_LOGS/carol.out" 2>&1
equal "nor a user let in, by neither" 4 "$(grep -c ECONNRESET "$LAB_LOGS/carol.out")"
as "$OWN:$BOB" same "nor one sent away: 10 connections" "EOF:10" many @ 10 100000
reload "the config has been reloaded$"
as "$OWN:$CAROL" same "when it can again, both have the new config: 10 connections" "EOF:10" many @ 10 100000
on 8395 aes-256-gcm fifth same "and 10 by the new port" "EOF:10" many @ 10 100000

# And one that says nothing.
second=$(pgrep -P "$SERVER_PID" | sort -n | tail -n 1)
kill -STOP "$second"
config "$(port 8388 "$METHOD" "$OWN" "$(user alice "$OTHER")"), $(port 8396 aes-256-gcm sixth)"
reload "nothing has changed$"
kill -CONT "$second"
check "a worker that does not answer in time: no port is opened" eval '! lab_listens server 8396'
as "$OWN:$CAROL" same "and nobody sent away: 10 connections" "EOF:10" many @ 10 100000
reload "the config has been reloaded$"
check "when it answers again the config is taken" lab_listens server 8396
lab_end "$SERVER_PID"
check_reports
use_server gatun
finish
