#!/bin/bash
# Signals and job control around `gatun run`: what the user types and what kill
# sends reach the command, once, and the shell sees one job.
. "$(dirname "$0")/lib/run.bash"

# Counts a signal, and says so 0.3 s after the first, or after 10 s without. In C:
# an interpreter would count two that come close together as one.
cat >"$TMP/count.c" <<'C'
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
static volatile sig_atomic_t got;
static void count(int sig) { (void)sig; got++; }
static void pause_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
	while (nanosleep(&t, &t) < 0)
		;
}
int main(int argc, char **argv)
{
	signal(atoi(argv[argc - 1]), count);
	puts("ready");
	fflush(stdout);
	for (int i = 0; i < 200 && !got; i++)
		pause_ms(50);
	pause_ms(300);
	printf("got %d\n", (int)got);
	return 0;
}
C
cc -o "$TMP/count" "$TMP/count.c" || exit 1
cat >"$TMP/terminal.py" <<'P'
"""A shell on a terminal of its own, typed at. Prints one line per check: ok or FAIL."""
import fcntl, os, pty, re, select, struct, sys, termios, time

gatun = sys.argv[1]
failed = []
INNER = r"bash-[\d.]+[#$] "	# the prompt of a shell without PS1

class Terminal:
    def __init__(self, argv):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:	# wide: readline would scroll what is typed
            self.resize(0, 24, 400)
        if self.pid == 0:
            os.environ.update(PS1="OUT> ", TERM="dumb", HISTFILE="/dev/null", LC_ALL="C")
            os.execvp(argv[0], argv)

    def resize(self, fd, rows, columns):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait(self, pattern, seconds=10):
        """What came up to and with the pattern, or None."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.text, re.S)
            if found:
                taken, self.text = self.text[:found.end()], self.text[found.end():]
                return taken
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                sys.stderr.write("no %r in %r\n" % (pattern, self.text))
                return None
            try:
                more = os.read(self.fd, 4096).decode(errors="replace")
            except OSError:
                return None
            self.text += more.replace("\r", "")

    def type(self, text):
        os.write(self.fd, text.encode())

    def command(self, text):
        self.type(text + "\n")
        self.wait(re.escape(text) + "\n")

    def status(self):
        self.command("echo status=$?=")
        found = re.search(r"status=(\d+)=", self.wait(r"status=\d+=\n.*?OUT> ") or "")
        return int(found.group(1)) if found else None

def check(sentence, good):
    print(("ok    " if good else "FAIL  ") + sentence)
    if not good:
        failed.append(sentence)

MARK = str(700000 + os.getpid())	# nobody else sleeps for so long

def states():
    """Of the processes that are sleep MARK: bash has made it the terminal's before it is that."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if open("/proc/%s/cmdline" % pid).read() == "sleep\0%s\0" % MARK:
                yield open("/proc/%s/stat" % pid).read().rpartition(") ")[2][0]
        except OSError:
            pass

def wait_for_sleeper(state):
    end = time.monotonic() + 20
    while state not in states() and time.monotonic() < end:
        time.sleep(0.02)

t = Terminal(["bash", "--norc", "--noprofile", "-i"])
t.wait("OUT> ")

t.command(gatun + " sh -c 'echo ready; exec cat'")
t.wait("ready\n")
t.type("hello\n")
check("what is typed reaches the command", t.wait("hello\nhello\n"))
t.type("\x03")
t.wait("OUT> ")
check("Ctrl-C ends a command that does not handle it: 130", t.status() == 130)

t.command(gatun + " " + os.path.dirname(sys.argv[0]) + "/count 2")
t.wait("ready\n")
t.type("\x03")
check("Ctrl-C reaches a command that handles it exactly once", t.wait(r"got 1\n"))
t.wait("OUT> ")

t.command(gatun + " sh -c 'echo ready; read x; echo got $x'")
t.wait("ready\n")
t.type("\x1a")
check("Ctrl-Z stops the job, the shell has the terminal", t.wait(r"Stopped.*OUT> "))
t.command("jobs -l")
check("it is one job", (t.wait(r"Stopped.*OUT> ") or "").count("Stopped") == 1)
t.command("fg")
t.wait("read x.*\n")
t.type("again\n")
check("fg continues it, with the terminal", t.wait("got again\n"))
t.wait("OUT> ")
check("and its status comes through", t.status() == 0)

t.command(gatun + " sh -c 'kill -STOP $$; echo resumed'")
check("a command that stops itself stops the job", t.wait(r"Stopped.*OUT> "))
t.command("bg")
check("bg continues it", t.wait("resumed\n"))
t.type("\n")
t.wait("OUT> ")
t.command("wait")
t.wait("OUT> ")

t.command(gatun + " sh -c 'echo ready; sleep 1; echo done' | cat")
t.wait("ready\n")
t.type("\x1a")
check("Ctrl-Z stops a pipeline as one job", t.wait(r"Stopped.*OUT> "))
t.command("fg")
check("and fg continues it", t.wait("done\n"))
t.wait("OUT> ")

t.command(gatun + " bash --norc --noprofile -i")
check("an interactive shell inside finds no fault with its terminal", "job control" not in (t.wait(INNER) or "job control"))
t.command("sleep " + MARK)
wait_for_sleeper("S")
t.type("\x1a")
check("it has job control of its own", t.wait("Stopped.*" + INNER))
t.command("fg")
wait_for_sleeper("S")
t.type("\x03")
check("Ctrl-C there ends the inner job only", t.wait(INNER))
t.command("exit 7")
t.wait("OUT> ")
check("its end gives the terminal and the status back", t.status() == 7)

t.command("sh -c '" + gatun + " bash --norc --noprofile -i; read x; echo read $x'")
t.wait(INNER)
t.command("exit")
time.sleep(0.3)
t.type("after\n")
check("a script that goes on after an interactive shell inside can read the terminal", t.wait("read after\n"))
t.wait("OUT> ")

t.command(gatun + " sh -c 'trap \"echo changed\" WINCH; echo ready; sleep 1; sleep 1; stty size'")
t.wait("ready\n")
t.resize(t.fd, 33, 333)
check("a new window size reaches the command", t.wait(r"changed\n.*33 333\n"))
t.wait("OUT> ")

t.command(gatun + " sh -c 'echo ready; exec sleep 600'")
t.wait("ready\n")
os.close(t.fd)
os.waitpid(t.pid, 0)
end = time.monotonic() + 20
while os.system("pgrep -f '^%satun run .*sleep 600' >/dev/null" % gatun) == 0 and time.monotonic() < end:
    time.sleep(0.1)
check("closing the terminal ends the command and gatun", time.monotonic() < end)
sys.exit(bool(failed))
P
printf '#!/bin/bash\nexec %q run %q -- "$@"\n' "$GATUN" "$URL" >"$TMP/g"
chmod 755 "$TMP/g"
python3 "$TMP/terminal.py" "$TMP/g" 2>"$TMP/log" || FAILED=1

# kill, at gatun alone. The subshell becomes gatun: $! is its pid.
sent()
{
	local sig=$1
	: >"$TMP/sent"
	(exec "$GATUN" run "$URL" -- "$TMP/count" "$(kill -l "$sig")" >"$TMP/sent" 2>&1) &
	local pid=$!
	await 5 grep -q ready "$TMP/sent"
	kill "-$sig" $pid
	wait $pid
	grep -qx 'got 1' "$TMP/sent"
}
for sig in TERM HUP INT QUIT USR1 USR2 WINCH; do
	check "SIG$sig sent to gatun reaches the command once" sent $sig
done

: >"$TMP/sent"
(exec "$GATUN" run "$URL" -- sh -c 'echo ready; exec sleep 600' >"$TMP/sent") &
PID=$!
await 5 grep -q ready "$TMP/sent"
kill -TERM $PID
wait $PID
same "a command that SIGTERM ends: 143" 143 $?

state() { sed 's/.*) \(.\).*/\1/' "/proc/$1/stat"; }
(exec "$GATUN" run "$URL" -- sh -c 'while :; do sleep 1; done' 2>/dev/null) &
PID=$!
command_pid()
{
	local init
	init=$(pgrep -P $PID) && COMMAND=$(pgrep -P "$init")
}
await 5 command_pid
has_state() { [ "$(state "$1")" = "$2" ]; }
kill -STOP "$COMMAND"
check "(the command is stopped)" await 3 has_state "$COMMAND" T
kill -CONT $PID
check "SIGCONT to gatun continues a stopped command" await 3 not has_state $COMMAND T
kill -KILL $COMMAND
wait $PID
same "a command that is killed from outside: 137" 137 $?
timeout 1 "$GATUN" run "$URL" -- sleep 600
same "timeout(1) works as with any command" 124 $?
