# What tests stand on in which something happens to a gatun that is in use; source it after
# lib.sh. Bash.
#
#   app_start NAME         an application that never rests (probes/steady.py), through gatun
#   event COMMAND...       something happens
#   all_recover TEXT       checks: all that is new works again within two seconds of it
#   held_goes_on TEXT      checks: the connection that the application holds was not broken by it
#   app_settled            waits until that connection stands (again), and forgets what was
#   app_end
STEADY="$PYTHON $TESTS_DIR/probes/steady.py"

# app_start: an application that never rests
app_start()
{
	LOG=$LAB_LOGS/app.$1
	: >"$LOG"
	rm -f "$LAB_LOGS/app.in"
	mkfifo "$LAB_LOGS/app.in"
	EXEC=exec through $STEADY run "$LOG" "$WORLD4" <"$LAB_LOGS/app.in" &
	APP_PID=$!
	exec 7>"$LAB_LOGS/app.in"
	lab_wait "the application" all_well 0
}

app_end()
{
	exec 7>&-
	wait "$APP_PID"
}

all_well()
{
	local kind
	for kind in tcp udp old held; do
		grep -q " $kind ok" "$LOG" || return 1
	done
}

# event COMMAND...: it happens at $WHEN, which is when the last of it is done
event()
{
	"$@" || lab_die "cannot: $*"
	WHEN=$($STEADY now)
}

# recovers KIND TEXT: within two seconds; a sanitized build may take four
recovers()
{
	local took limit=2
	! sanitized || limit=4
	took=$($STEADY recovered "$LOG" "$1" "$WHEN")
	check "$2 (after $took s)" within "$took" "$limit"
}

within() { awk -v took="$1" -v limit="$2" 'BEGIN { exit !(took != "never" && took <= limit) }'; }

all_recover()
{
	recovers tcp "$1: new connections work within 2 s"
	recovers udp "$1: new datagrams are answered within 2 s"
	[ -n "${SKIP_OLD:-}" ] || recovers old "$1: and so are those of a socket that was there before"
}

# held_words: how the connection that was there before ended, since $BEFORE
held_words() { $STEADY words "$LOG" held "$BEFORE"; }

held_goes_on() { recovers held "$1: a connection that was there goes on"; equal "$1: and was never broken" "" "$(held_words)"; }

# The connection that is held stands again, and what comes is counted from now.
app_settled()
{
	BEFORE=$($STEADY now)
	held_since "$BEFORE" || lab_die "the held connection does not stand again"
	BEFORE=$($STEADY now)
}
held_since() { [ "$($STEADY recovered "$LOG" held "$1")" != never ]; }


# gatun_processes PID: of a gatun, without what it runs for others
gatun_processes()
{
	local pid
	for pid in $(lab_family "$1"); do
		[ "$(readlink "/proc/$pid/exe")" = "$(realpath "$GATUN")" ] && echo "$pid"
	done
}
