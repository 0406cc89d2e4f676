# `gatun server` as a process: secrets out of sight, refusals, its end.
. "$(dirname "$0")/lib.sh"
cd "$WORK" || exit 1

METHOD=2022-blake3-aes-256-gcm
KEY=$("$GATUN" genkey $METHOD)
PLAIN=hunter2hunter2hunter2hunter2
USERINFO=$(printf 'aes-256-gcm:%s' $PLAIN | base64 -w0 | tr -d =)

# An address of loopback that is ours as long as our process number is.
ADDR=127.$((1 + ($$ / 65536) % 250)).$(($$ / 256 % 256)).$(($$ % 256))
PORT=8388

# A server is there when it would end on a signal: the last thing it prepares.
await() {
	PIDS=($PID)
	for _ in $(seq 200); do
		NAME=$(cat /proc/$PID/comm 2>/dev/null) || break # before its exec it is bash, with signals of its own
		CAUGHT=$(sed -n 's/^SigCgt:\t0*//p' /proc/$PID/status 2>/dev/null)
		[ "$NAME" = gatun ] && [ $((0x${CAUGHT:-0} & 0x4000)) != 0 ] && return 0
		sleep 0.05
	done
	CODE=- OUT=$(cat out) ERR=$(cat err)
	return 1
}

# start ARGS...: a server, waited for
start() {
	"$GATUN" server "$@" >out 2>err </dev/null &
	PID=$!
	await
}
stop() {
	kill -"${1:-TERM}" $PID
	wait $PID
	CODE=$? OUT=$(cat out) ERR=$(cat err)
	PIDS=()
}
cmdline() { tr '\0' ' ' <"/proc/$PID/cmdline"; }
hidden() { ! cmdline | grep -qF -e "$KEY" -e "$PLAIN" -e "$USERINFO"; }

for form in "-k $KEY" "-k$KEY" "--password $KEY" "--password=$KEY"; do
	ok "server starts with ${form%%[ =+A-Z]*} on the command line" start -s "$ADDR:$PORT" -m $METHOD $form
	ok "and its key is not in /proc/PID/cmdline, where the rest stands" eval 'hidden && cmdline | grep -qF "$ADDR:$PORT"'
	ok "nor in its log" eval '! grep -qF "$KEY" err'
	stop
	ok "SIGTERM ends it with exit code 0" code 0
done

ulimit -Sc "$(ulimit -Hc)" # else there is nothing to take away
ok "server starts with an ss:// URL" start "ss://$USERINFO@$ADDR:$PORT#home"
ok "and its userinfo is not in /proc/PID/cmdline" eval 'hidden && cmdline | grep -qF "ss://***"'
ok "another user's process cannot read its memory or environment" \
	eval '[ "$(stat -c %U /proc/$PID/environ)" = root ] && { [ "$(id -u)" = 0 ] || [ ! -r /proc/$PID/environ ]; }'
[ "$(ulimit -Hc)" = 0 ] || ok "it leaves no core dump" grep -qE '^Max core file size +0 ' /proc/$PID/limits
stop INT
ok "SIGINT ends it with exit code 0" code 0

export GATUN_PASSWORD=$KEY
ok "server starts with GATUN_PASSWORD" start -s "$ADDR:$PORT" -m $METHOD
unset GATUN_PASSWORD
ok "and the variable's value is gone from /proc/PID/environ" eval '! tr "\0" "\n" </proc/$PID/environ 2>/dev/null | grep -qF "$KEY"'
stop

printf '%s\n' "$KEY" >key
ok "server starts with -k @FILE" start -s "$ADDR:$PORT" -m $METHOD -k @key
stop
cat >c.json <<J
{ "server": "$ADDR", "server_port": $PORT, "method": "$METHOD", "password": "$KEY" } // mine
J
chmod 600 c.json
ok "server starts with -c FILE" start -c c.json
run server -c c.json
ok "a second one on the same port: one line with the address, exit code 1" eval 'fails 1 "$ADDR:$PORT" && err_has EADDRINUSE && err_lines 1'
stop
"$GATUN" server -c - <c.json >out 2>err &
PID=$!
ok "server starts with -c - (standard input)" await
stop

sed 's/"method"/"zebra": 1, "plonk": 2,\n"method"/' c.json >typo.json
ok "--log-format json starts it" start -c typo.json --log-format json
stop
ok "and makes every line a JSON object, warnings about the config included" python3 -c '
import json, sys
lines = open("err").read().splitlines()
assert all(json.loads(l)["message"] for l in lines)
assert sum("unknown key" in l for l in lines) == 2 and any("listening" in l for l in lines)'
start -q -s "$ADDR:$PORT" -m $METHOD -k "$KEY"
stop
ok "-q: not a word of a start and an end without errors" eval 'code 0 && silent'

GOOD="-m $METHOD -k $KEY"
run server -s 127.0.0.1:0 $GOOD
ok "port 0: exit code 2" fails 2 "port 0 is not between 1 and 65535"
run server -s 127.0.0.1:70000 $GOOD
ok "port 70000: exit code 2" fails 2 "port 70000 is not between 1 and 65535"
run server -s 127.0.0.1 $GOOD
ok "no port: exit code 2" fails 2 "-s wants HOST:PORT"
run server -s ::1:80 $GOOD
ok "an IPv6 address without brackets: how to write it" fails 2 "[::1]:8388"
run server -s localhost:8388 $GOOD
ok "a name to listen on: exit code 3" fails 3 "not on a name"
run server -s 127.0.0.1:1 -m $METHOD -k AAECAwQFBgcICQoLDA0ODw==
ok "a 2022 key of the wrong size: both sizes, exit code 3" eval 'fails 3 "32 bytes" && err_has 16 && err_lines 1'
run server -s 127.0.0.1:1 -m aes-256-gcn -k x
ok "a mistyped method: the nearest, exit code 3" fails 3 'did you mean "aes-256-gcm"?'
run server
ok "no server at all: what to give, exit code 3" fails 3 "ss:// URL, -c FILE, or -s HOST:PORT"
run server -s 127.0.0.1:1 -m aes-256-gcm
ok "no password: where it may come from, exit code 3" fails 3 'GATUN_PASSWORD'
run server -c /nonexistent
ok "a config that is not there: exit code 3" fails 3 "No such file"
run server -c c.json ss://x@h:1
ok "two sources: exit code 2" fails 2 "not both"
run server -s 127.0.0.1:1 -s 127.0.0.1:2 -s 127.0.0.1:3 -m aes-256-gcm -k a -k b
ok "three servers and two passwords: which? exit code 2" fails 2 "-k stands 2 times beside 3 -s"
run server ss://x@h:1 -k y
ok "a URL and -k: exit code 2" fails 2 "leave out"
run server -k @/nonexistent -s 127.0.0.1:1 -m aes-256-gcm
ok "a key file that is not there: exit code 2" fails 2 "cannot read the password from /nonexistent: No such file"
: >empty
run server -k @empty -s 127.0.0.1:1 -m aes-256-gcm
ok "an empty key file: exit code 2" fails 2 "empty"
run server --hosts /nonexistent -s "$ADDR:$PORT" $GOOD
ok "a hosts file that is not there: named, exit code 1" fails 1 "/nonexistent"
run server --alow-local
ok "a mistyped option: the nearest, exit code 2" fails 2 "did you mean --allow-local?"
run server --mtu 1400
ok "an option of run: said so, exit code 2" fails 2 'an option of `gatun run`'
run server --log-format xml -c c.json
ok "a wrong word: the right ones, exit code 2" fails 2 "one of text|json"
run server -v -q -c c.json
ok "-v and -q: exit code 2" fails 2 "not both"
run server --allow-local=yes -c c.json
ok "a value where none belongs: exit code 2" fails 2 "takes no value"
run server -s
ok "a missing value: exit code 2" fails 2 "-s wants HOST:PORT"
run server -c c.json extra
ok "a stray word: exit code 2" fails 2 'unexpected argument "extra"'
run server -c c.json -- true
ok "a command: exit code 2" fails 2 "takes no command"
run server -Z
ok "an unknown letter: exit code 2" fails 2 "unknown option -Z"

run server --workers 0 -s 127.0.0.1:1 -m aes-256-gcm -k x
ok "workers out of range: exit code 2" fails 2 "--workers wants auto, or a number from 1 to 64, not 0"
run server --workers many -s 127.0.0.1:1 -m aes-256-gcm -k x
ok "workers that are no number: exit code 2" fails 2 'wants auto, or a number from 1 to 64, not "many"'
run run --workers 2 -- true
ok "gatun run has one worker: exit code 125" fails 125 '--workers is an option of `gatun up`'
printf '{"server":"127.0.0.1","server_port":1,"method":"aes-256-gcm","password":"xxxxxxxxxxxxxxxxxxxxxxx","runtime":{"mode":"multi_thread","worker_count":0}}' >c.json
run server -c c.json
ok "shadowsocks-rust's worker_count is the same option: exit code 3" fails 3 '"worker_count" wants auto, or a number from 1 to 64, not 0'
finish
