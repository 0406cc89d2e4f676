#!/bin/bash
# `--dns IP`: real queries and real answers, carried through the tunnel to that server,
# over one TCP connection; and what happens when it closes, hangs or is not there.

. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
lab_need dig curl

DNS_PROBE="python3 $TESTS_DIR/dns/probe.py"
UPSTREAM=10.77.3.53
RUN_OPTIONS="--dns $UPSTREAM"

ip -n world addr add "$UPSTREAM/32" dev lo
ip -n router route add "$UPSTREAM/32" via "$WORLD4"
upstream_listens()
{
	[ -n "$(inside world ss -H -ltn "src $UPSTREAM and sport = :53")" ]
}

start_upstream()
{
	lab_start upstream world python3 "$TESTS_DIR/dns/server.py" "$UPSTREAM"
	UPSTREAM_PID=$LAB_PID
	lab_wait "the upstream DNS server" upstream_listens
}
: >"$LAB_LOGS/upstream.log"
start_upstream

# asks TEXT EXPECTED DIG-ARGUMENT...
asks()
{
	local text=$1 wanted=$2
	shift 2
	equal "$text" "$wanted" "$(through dig +short +tries=1 "$@")"
}

status()
{
	local text=$1 wanted=$2
	shift 2
	equal "$text" "$wanted" "$(through dig +tries=1 "$@" | sed -n 's/.*status: \([A-Z]*\),.*/\1/p')"
}

asks "a name has the address that it really has" 192.0.2.80 real.lab
asks "IPv6 too" 2001:db8::80 real.lab AAAA
asks "over TCP too" 192.0.2.80 +tcp real.lab
asks "whatever server is asked, this one answers" 192.0.2.80 @9.9.9.9 real.lab
asks "whatever server is asked over TCP, this one answers" 192.0.2.80 +tcp @2001:db8::9 real.lab
asks "TXT" '"real"' real.lab TXT
asks "MX" "10 mail.real.lab." real.lab MX
status "what does not exist does not exist" NXDOMAIN nothing.lab
status "single labels are asked for as well" NXDOMAIN intranet
asks "localhost stays this machine" 127.0.0.1 localhost
check "an answer of 3 kB arrives whole" [ "$(through dig +short big.lab TXT | tr -cd x | wc -c)" -eq 3000 ]
equal "a datagram cannot carry it: it says so" "tc" "$(through dig +ignore big.lab TXT | sed -n 's/.*flags:.* \(tc\) .*/\1/p')"
equal "a client with a small buffer is not overrun" "tc" \
	"$(through dig +noedns +ignore big.lab TXT | sed -n 's/.*flags:.* \(tc\) .*/\1/p')"

: >"$LAB_LOGS/upstream.log"
through bash -c 'for i in 1 2 3 4 5 6 7 8; do dig +short real.lab TXT & done; wait; dig +short real.lab' >"$LAB_LOGS/many.out"
equal "nine questions are answered" 9 "$(grep -c -e real -e 192.0.2.80 "$LAB_LOGS/many.out")"
equal "over one connection" 1 "$(awk 'NF == 3 { print $1 }' "$LAB_LOGS/upstream.log" | sort -u | wc -l)"

asks "a server that closes the connection is asked once more" '"again"' again1.lab TXT
equal "a slow answer holds up no other" "real.lab late.lab" \
	"$(through $DNS_PROBE pipeline 192.0.2.1 late.lab real.lab)"
status "a server that says nothing: SERVFAIL before the resolver gives up" SERVFAIL +time=5 mute.lab TXT
matches "and the log says which server" "$UPSTREAM:53 did not answer" "$LAB_LOGS/run.log"

lab_end "$UPSTREAM_PID"
: >"$LAB_LOGS/run.log"
status "a server that is not there: SERVFAIL" SERVFAIL +time=5 real.lab
matches "and the log says so" "DNS server $UPSTREAM:53 .* why=" "$LAB_LOGS/run.log"
start_upstream
asks "when it is back, names are back" 192.0.2.80 real.lab

equal "no query left by the uplink" 0 "$(lab_packets uplink "port 53")"
finish
