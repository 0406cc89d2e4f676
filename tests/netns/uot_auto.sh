#!/bin/bash
# udp_over_tcp auto: where UDP to the server is dropped it travels in TCP within seconds, and
# as it is again when it passes; whether or not anything came by TCP to tell the two apart.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

RUN_OPTIONS="--dns off --udp-over-tcp auto"

# asks WORDS: an application that asks by UDP twice a second, from a new socket each time, and from one
# that it keeps; "and-tcp" makes it fetch by TCP as well. A line for each answer, or its want.
cat >"$LAB_LOGS/asks.py" <<'END'
import socket, sys, time
world, tcp = sys.argv[1], sys.argv[2] == "and-tcp"
kept = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def ask(name, sock):
    sock.settimeout(0.4)
    text = b"%f" % time.monotonic()
    sock.sendto(text, (world, 7001))
    try:
        while sock.recv(100) != text:
            pass
        print(name, "answered", flush=True)
    except TimeoutError:
        print(name, "lost", flush=True)
while True:
    start = time.monotonic()
    ask("kept", kept)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as new:
        ask("new", new)
    if tcp:
        with socket.create_connection((world, 7010), 5) as s:
            s.sendall(b"x\n")
            s.recv(100)
    time.sleep(max(0, start + 0.5 - time.monotonic()))
END

asks()
{
	: >"$LAB_LOGS/run.log"
	: >"$LAB_LOGS/asks.out"
	EXEC=exec through "$PYTHON" "$LAB_LOGS/asks.py" "$WORLD4" "$1" >"$LAB_LOGS/asks.out" &
	ASKS_PID=$!
}

block_udp()
{
	inside router nft -f - <<-END
		table inet block {
			chain f {
				type filter hook forward priority 0
				udp dport $SERVER_PORT drop
				udp sport $SERVER_PORT drop
			}
		}
	END
}

said() { grep -Eq -- "$1" "$LAB_LOGS/run.log"; }
# recent WORDS: the last four lines of the application all say so
recent() { [ "$(tail -n 4 "$LAB_LOGS/asks.out" | grep -c " $1")" = 4 ]; }
udp_on_uplink() { lab_packets uplink "udp and port $SERVER_PORT"; }

lab_need nft
for tcp in and-tcp no-tcp; do
	asks "$tcp"
	lab_wait "$tcp: the first answers" recent answered
	check "$tcp: while UDP works it travels as it is" [ "$(udp_on_uplink)" -gt 0 ]

	block_udp
	lab_wait "$tcp: the loss" recent lost
	lab_wait "$tcp: the breaker" said "does not answer by udp: udp travels in tcp streams"
	ok "$tcp: where UDP is dropped it is noticed within 20 s"
	lab_wait "$tcp: answers in TCP" recent answered
	ok "$tcp: and old and new associations are answered, in TCP"
	mark=$(wc -l <"$LAB_LOGS/asks.out")
	lab_wait "$tcp: the second try" said "next try in 10 s" # UDP was tried again meanwhile, in vain
	equal "$tcp: trying UDP again loses nothing" 0 "$(tail -n "+$((mark + 1))" "$LAB_LOGS/asks.out" | grep -c lost)"

	inside router nft delete table inet block
	lab_wait "$tcp: the way back" said "answers by udp: udp travels as it is"
	ok "$tcp: when UDP passes again it is noticed"
	before=$(udp_on_uplink)
	lab_wait "$tcp: UDP on the uplink" eval '[ "$(udp_on_uplink)" -gt "$((before + 4))" ]'
	ok "$tcp: and new associations travel as UDP"
	equal "$tcp: on the way back nothing was lost" 0 "$(tail -n "+$((mark + 1))" "$LAB_LOGS/asks.out" | grep -c lost)"
	kill "$ASKS_PID"
	wait "$ASKS_PID"
done

# A way that is gone: packets of the streams that stand are dropped, those of new ones pass.
RUN_OPTIONS="--dns off --udp-over-tcp true"
asks no-tcp
lab_wait "the first answers" recent answered
ports=$(inside client ss -Htn state established dport = ":$SERVER_PORT" | awk '{ sub(/.*:/, "", $3); print $3 }' | paste -sd,)
inside router nft -f - <<-END
	table inet block {
		chain f {
			type filter hook forward priority 0
			tcp sport { $ports } drop
			tcp dport { $ports } drop
		}
	}
END
lab_wait "the loss" eval 'tail -n 2 "$LAB_LOGS/asks.out" | grep -q "kept lost"'
kept_answered() { tail -n 2 "$LAB_LOGS/asks.out" | grep -q "kept answered"; }
for second in {1..40}; do kept_answered || sleep 1; done
check "a stream whose way is gone is replaced within 40 s" kept_answered
kill "$ASKS_PID"
wait "$ASKS_PID"

finish
