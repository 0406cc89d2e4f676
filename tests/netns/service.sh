#!/bin/bash
# gatun as a service: who waits for it learns when it stands (--ready-fd, --pid-file, --detach,
# systemd's socket) and when it ends; --user takes root's rights away and leaves it working.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
lab_end "$SERVER_PID"
SERVER_PID=
DIR=$(mktemp -d /tmp/gatun-service.XXXXXX)
chmod 755 "$DIR"
trap 'rm -rf "$DIR"' EXIT
OPTIONS=(-s "$SERVER4:$SERVER_PORT" -m "$METHOD" -k "$KEY")

# serve OPTIONS...: a server in the background; its PID in PID, its log server.log. What the
# caller has open stays open for it.
serve()
{
	EXEC=exec exec_in server "$GATUN" server "${OPTIONS[@]}" "$@" 2>"$LAB_LOGS/server.log" </dev/null &
	PID=$!
}
# ends WITH CODE: the server ends by itself
ends() { wait "$PID"; [ $? = "$1" ]; }
stop() { kill "$PID" && wait "$PID"; }
has() { grep -qE -- "$1" "$LAB_LOGS/${2:-server.log}"; }
listens() { inside server ss -Hltn "sport = :$SERVER_PORT" | grep -q .; }
status_of() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status" | tr '\t' ' '; }
workers_of() { cat "/proc/$1/task/$1/children"; }

# --- --ready-fd ----------------------------------------------------------------------------

for workers in 1 2; do
	mkfifo "$DIR/ready"
	timeout 20 cat "$DIR/ready" >"$DIR/line" &
	READER=$!
	serve --workers $workers --ready-fd 7 7>"$DIR/ready"
	wait "$READER"
	CODE=$?
	# The reader ends with the last one who has the descriptor: the server has closed it, its workers have it not.
	equal "--ready-fd: one line and the end, workers: $workers" "0 ready" "$CODE $(cat "$DIR/line")"
	check "and then it listens" listens
	check "and runs" kill -0 "$PID"
	check "and ends in order" stop
	rm "$DIR/ready"
done
serve --ready-fd 7
check "a descriptor that is not open: exit code 1" ends 1
check "and a line that says so" has "ready-fd 7 is no open descriptor"

# --- --pid-file ----------------------------------------------------------------------------

PIDFILE=$DIR/gatun.pid
for workers in 1 2; do
	serve --workers $workers --pid-file "$PIDFILE"
	lab_wait "the pid file" [ -s "$PIDFILE" ]
	equal "--pid-file has the number of who takes signals, workers: $workers" "$PID" "$(cat "$PIDFILE")"
	(PID=; serve --pid-file "$PIDFILE" -v; wait "$PID"; exit $?)
	equal "it is not taken from a gatun that runs" "$PID" "$(cat "$PIDFILE")"
	check "and a line says so" has "names process $PID, which is a gatun that runs"
	stop
	check "it goes with the server" [ ! -e "$PIDFILE" ]
done
sleep 60 &
OTHER=$!
for stale in "$OTHER" 999999999 "" "words"; do
	echo "$stale" >"$PIDFILE"
	serve --pid-file "$PIDFILE"
	lab_wait "the pid file" grep -qx "$PID" "$PIDFILE"
	check "a file that names no gatun (\"${stale/$OTHER/another program}\") is replaced" kill -0 "$PID"
	stop
done
kill "$OTHER"
echo untouched >"$DIR/target"
ln -s "$DIR/target" "$PIDFILE"
serve --pid-file "$PIDFILE"
lab_wait "the pid file" grep -qx "$PID" "$PIDFILE"
equal "a symbolic link is replaced, not followed" "untouched file" "$(cat "$DIR/target") $([ -L "$PIDFILE" ] && echo link || echo file)"
echo 1 >"$DIR/others" && mv "$DIR/others" "$PIDFILE"
stop
equal "a file that somebody else has put there stays" 1 "$(cat "$PIDFILE")"
rm "$PIDFILE"
serve --pid-file "$DIR/nowhere/gatun.pid"
check "one that cannot be written: exit code 1" ends 1
check "and a line with its path" has "cannot write --pid-file $DIR/nowhere/gatun.pid err=ENOENT"

# --- systemd's words -----------------------------------------------------------------------

# told REGEX: in the notifications so far
told() { grep -qE -- "$1" "$LAB_LOGS/notify"; }
count() { grep -cE -- "$1" "$LAB_LOGS/notify"; }
listen()
{
	EXEC=exec exec_in server "$PYTHON" "$TESTS_DIR/probes/notify.py" "$1" "$LAB_LOGS/notify" & # abstract names belong to a network
	LISTENER=$!
	lab_wait "the notify socket" grep -q listening "$LAB_LOGS/notify"
}
unlisten() { kill "$LISTENER" && wait "$LISTENER" 2>/dev/null; rm -f "$LAB_LOGS/notify"; }

echo "{ \"server\": \"$SERVER4\", \"server_port\": $SERVER_PORT, \"method\": \"$METHOD\", \"password\": \"$KEY\" }" >"$DIR/config.json"
for form in "$DIR/notify 1" "@gatun-service-test 2"; do
	listen "${form% *}"
	NOTIFY_SOCKET=${form% *} EXEC=exec exec_in server "$GATUN" server -v -c "$DIR/config.json" --workers "${form#* }" \
		2>"$LAB_LOGS/server.log" </dev/null &
	PID=$!
	lab_wait "READY=1" told "^READY=1 STATUS="
	check "READY=1 when it listens, workers: ${form#* }" listens
	kill -HUP "$PID"
	lab_wait "a second READY=1" told "^READY=1$"
	check "a reload: RELOADING=1 with the time, then READY=1" eval '[ "$(tail -n 2 "$LAB_LOGS/notify" | tr "\n" " " | grep -cE "^RELOADING=1 MONOTONIC_USEC=[0-9]+ READY=1 $")" = 1 ]'
	stop
	lab_wait "STOPPING=1" told "^STOPPING=1"
	equal "no watchdog where none is asked for" 0 "$(count WATCHDOG)"
	unlisten
done
listen "$DIR/notify-2"
export NOTIFY_SOCKET=$DIR/notify-2 WATCHDOG_USEC=400000
serve --workers 2
lab_wait "three times WATCHDOG=1" eval '[ "$(count ^WATCHDOG=1)" -ge 3 ]'
ok "WATCHDOG=1 in half the time that systemd gives"
stop
unlisten
listen "$DIR/notify-3"
NOTIFY_SOCKET=$DIR/notify-3 WATCHDOG_PID=1 WATCHDOG_USEC=20000
export WATCHDOG_PID
serve
lab_wait "READY=1" told "^READY=1"
check "somebody else's watchdog is left alone" eval 'stop; [ "$(count WATCHDOG)" = 0 ]'
unlisten
unset NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID

# --- --detach ------------------------------------------------------------------------------

for workers in 1 2; do
	OUT=$(exec_in server timeout 20 "$GATUN" server "${OPTIONS[@]}" --workers $workers --detach --pid-file "$PIDFILE" -v 2> >(cat >"$LAB_LOGS/detach.log"))
	equal "--detach: the command returns 0, workers: $workers" 0 $?
	check "when it listens" listens
	PID=$(cat "$PIDFILE")
	matches "what was said until then is heard" "pid=|serve|listen" "$LAB_LOGS/detach.log"
	equal "it leads a session of its own, and holds no output of the caller's" "$PID /dev/null /dev/null /dev/null" \
		"$(ps -o sid= -p "$PID" | tr -d ' ') $(readlink "/proc/$PID/fd/0" "/proc/$PID/fd/1" "/proc/$PID/fd/2" | xargs)"
	equal "a second one: the code and the line with which it ended" "1 1" \
		"$(exec_in server timeout 20 "$GATUN" server "${OPTIONS[@]}" --workers $workers --detach 2>"$DIR/err"; echo "$? $(grep -c EADDRINUSE "$DIR/err")")"
	kill "$PID"
	lab_wait "its end" eval '! kill -0 "$PID" 2>/dev/null'
	check "and its port is free, its pid file gone" eval '! listens && [ ! -e "$PIDFILE" ]'
	exec_in server timeout 20 "$GATUN" server "${OPTIONS[@]}" --workers $workers --detach --pid-file "$PIDFILE" -v 2>"$LAB_LOGS/kept.log"
	kill "$(cat "$PIDFILE")"
	lab_wait "its last line" has "flows tcp" kept.log
	ok "a file that messages go to gets them to the end"
done

# --- --user --------------------------------------------------------------------------------

serve --user nobody-of-this-name
check "a user who is not there: exit code 1" ends 1
check "and a line with the command that makes him" has "no user \"nobody-of-this-name\"; make it with: sudo useradd"
if [ "$(id -u)" -ne 0 ]; then
	skip "--user: only root can become another"
	UPLINK_CHECKED=no # nothing has gone by it
	finish
fi
NOBODY=$(id -u nobody)
cat >"$DIR/low.json" <<-END
	{ "servers": [ { "server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "password": "$KEY" },
	  { "server": "$SERVER4", "server_port": 443, "method": "aes-256-gcm", "password": "a-password-of-some-28-letters" } ],
	  "user": "nobody", "state_dir": "$DIR/state" }
END
mkdir "$DIR/state" && chmod 755 "$DIR/state"
for workers in 1 2; do
	EXEC=exec exec_in server "$GATUN" server -c "$DIR/low.json" --workers $workers --pid-file "$PIDFILE" 2>"$LAB_LOGS/server.log" </dev/null &
	PID=$!
	lab_wait "the pid file" [ -s "$PIDFILE" ]
	lab_wait "its rights to be gone" eval '[ "$(status_of "$PID" CapPrm)" = 0000000000000000 ]'
	for p in $PID $(workers_of "$PID"); do
		equal "workers: $workers, process $([ "$p" = "$PID" ] && echo one || echo more): it is that user in every way" \
			"$NOBODY $NOBODY $NOBODY $NOBODY, $(id -G nobody)" "$(status_of "$p" Uid), $(status_of "$p" Groups | xargs)"
		equal "and has no capability" "0000000000000000 0000000000000000 0000000000000000 0000000000000000" \
			"$(for s in CapInh CapPrm CapEff CapAmb; do status_of "$p" $s; done | xargs)"
	done
	check "a port below 1024 was opened before" eval 'inside server ss -Hltn "sport = :443" | grep -q .'
	equal "files are that user's, the pid file is root's" "nobody root" "$(stat -c %U "$DIR/state"/* | sort -u) $(stat -c %U "$PIDFILE")"
	check "root's gatun status finds it" eval '"$GATUN" status --json | grep -q "\"pid\": *$PID"'
	stop
	check "at the end the pid file names nobody" [ ! -s "$PIDFILE" ]
	rm -rf "$PIDFILE" "$DIR/state"/*
done
EXEC=exec exec_in server "$GATUN" server -c "$DIR/low.json" --workers 2 --ready-fd 7 2>"$LAB_LOGS/server.log" </dev/null 7>"$DIR/ready" &
PID=$!
lab_wait "readiness" grep -q ready "$DIR/ready"
FAMILY=$(workers_of "$PID")
disown "$PID"
kill -9 "$PID"
lab_wait "its workers to end" eval '! kill -0 $FAMILY 2>/dev/null'
ok "a supervisor that is killed takes its workers along, also as another user"

# Traffic, as that user
use_server gatun "$SERVER4" --user nobody
same "a connection through a server that is nobody" "answer:right then:EOF" half-close @ 30000
finish
