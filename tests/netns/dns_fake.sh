#!/bin/bash
# Names in fake mode, as docs/configuration.md ("dns_mode") promises them: what dig,
# getent, curl and UDP sockets see inside the sandbox, what the server is asked for,
# and that no name leaves the machine in clear.

. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
lab_need dig curl

DNS_PROBE="python3 $TESTS_DIR/dns/probe.py"
RUN_OPTIONS="--dns fake"
HOSTS=$LAB_LOGS/hosts

# The default upstream is 1.1.1.1; here it is a machine of the world.
ip -n world addr add 1.1.1.1/32 dev lo
ip -n router route add 1.1.1.1/32 via "$WORLD4"
lab_start upstream world python3 "$TESTS_DIR/dns/server.py" 1.1.1.1 "$WORLD4" "$OTHER4"
lab_wait "the upstream DNS server" grep -q '^ready$' "$LAB_LOGS/upstream.log"
lab_start_web

# These names exist on the server alone.
cat >"$HOSTS" <<END
$WORLD4 web.lab four.lab stun.lab
$WORLD6 web.lab six.lab
END
use_server gatun "$SERVER4" --hosts "$HOSTS"

FAKE4='198\.1[89]\.[0-9]+\.[0-9]+'
FAKE6='fd[0-9a-f:]+'

# asks TEXT REGEX DIG-ARGUMENT...: what dig +short prints is one line that matches
asks()
{
	local text=$1 regex=$2 found
	shift 2
	found=$(through dig +short +tries=1 "$@")
	if [[ $found =~ ^$regex$ ]]; then ok "$text"; else fail "$text" "dig +short $*" "expected: $regex" "found:    $found"; fi
}

# status TEXT STATUS DIG-ARGUMENT...: the rcode, and for NOERROR that nothing is in it
status()
{
	local text=$1 wanted=$2 found
	shift 2
	found=$(through dig +tries=1 "$@" | sed -n 's/.*status: \([A-Z]*\),.*/\1/p; s/.*ANSWER: \([0-9]*\),.*/\1/p' | tr '\n' ' ')
	equal "$text" "$wanted" "${found% }"
}

not_reached()
{
	! through curl -s -m 10 http://unknown.invalid.lab/
}

# The capture holds 160 bytes of each packet: a name would stand in the first of them.
not_in_capture()
{
	! grep -aqiE 'web.?lab|real.?lab|invalid' "$LAB_LOGS/uplink.pcap"
}

asks "a name has an IPv4 address" "$FAKE4" web.lab
asks "a name has an IPv6 address" "$FAKE6" web.lab AAAA
asks "DNS works over TCP" "$FAKE4" +tcp web.lab
asks "any server's address answers" "$FAKE4" @192.0.2.1 web.lab
asks "any server's IPv6 address answers" "$FAKE4" @2001:db8::1 web.lab
asks "any server's address answers over TCP" "$FAKE4" +tcp @192.0.2.1 web.lab
asks "any server's IPv6 address answers over TCP" "$FAKE6" +tcp @2001:db8::1 web.lab AAAA
equal "an answer lives for one second" "1" "$(through dig +noall +answer web.lab | awk '{ print $2 }')"
equal "a name keeps its address, and upper case is no other name" "1" \
	"$(through bash -c 'for n in web.lab WEB.lab web.LAB.; do dig +short $n; done' | sort -u | wc -l)"
equal "two names have two addresses" "2" "$(through dig +short a.web.lab b.web.lab | sort -u | wc -l)"

equal "an address leads back to its name" "web.lab. web.lab." \
	"$(through bash -c 'for t in A AAAA; do dig +short -x "$(dig +short web.lab $t)"; done' | tr '\n' ' ' | sed 's/ $//')"
status "an address of nobody has no name" "NXDOMAIN 0" -x 198.19.200.200
status "HTTPS records are empty: no real address leaks into an answer" "NOERROR 0" web.lab HTTPS
status "SVCB records are empty" "NOERROR 0" _dns.web.lab SVCB
asks "localhost is this machine" "127\.0\.0\.1" localhost
asks "what is under localhost too" "::1" a.localhost AAAA
status "names of .local do not exist" "NXDOMAIN 0" printer.local
status "a single label does not exist" "NXDOMAIN 0" intranet
equal "zone transfers are refused" "rcode 5" "$(through $DNS_PROBE raw 192.0.2.1 123401000001000000000000037765620000fc0001)"

asks "MX goes through the tunnel" "10 mail\.real\.lab\." real.lab MX
asks "TXT goes through the tunnel" '"real"' real.lab TXT
asks "TXT over TCP goes through the tunnel" '"real"' +tcp real.lab TXT
asks "SRV goes through the tunnel" "0 0 5060 sip\.real\.lab\." _sip._tcp.real.lab SRV
status "what upstream does not know does not exist" "NXDOMAIN 0" nothing.lab TXT
check "an answer of 3 kB arrives whole" [ "$(through dig +short big.lab TXT | tr -cd x | wc -c)" -eq 3000 ]
equal "a datagram cannot carry it: it says so, and TCP does" "tc" \
	"$(through dig +ignore big.lab TXT | sed -n 's/.*flags:.* \(tc\) .*/\1/p')"
equal "many questions on one connection are answered as they are known" "real.lab late.lab" \
	"$(through $DNS_PROBE pipeline 192.0.2.1 late.lab real.lab)"

equal "upstream saw the types that go there, and no address was asked of it" "MX SRV TXT" \
	"$(sed -n 's/^[0-9][0-9]* \([A-Z]*\) .*/\1/p' "$LAB_LOGS/upstream.log" | sort -u | tr '\n' ' ' | sed 's/ $//')"

# Broken queries get their answer, not silence; what is no query gets silence.
equal "a query cut short: FORMERR" "rcode 1" "$(through $DNS_PROBE raw 192.0.2.1 123401000001000000000000037765)"
equal "an opcode of others: NOTIMP" "rcode 4" "$(through $DNS_PROBE raw 192.0.2.1 1234280000010000000000000377656200000001)"
equal "a reply is not answered" "silence" "$(through $DNS_PROBE raw 192.0.2.1 12348100000100000000000003776562000001000100)"
status "an EDNS version of tomorrow: BADVERS" "BADVERS 0" +edns=1 +noednsnegotiation web.lab

equal "thousands of broken queries, over UDP and TCP, do no harm" "names" "$(through $DNS_PROBE noise 192.0.2.1 3000)"

equal "getent knows the name" "web.lab" "$(through getent hosts web.lab | awk '{ print $2 }')"
equal "curl reaches a name that only the server knows" "the web of the lab" "$(through curl -sS -m 10 http://web.lab/)"
equal "by IPv4 alone" "the web of the lab" "$(through curl -4 -sS -m 10 http://web.lab/)"
equal "by IPv6 alone" "the web of the lab" "$(through curl -6 -sS -m 10 http://web.lab/)"
equal "though its name has one family only, either address leads there" "the web of the lab" \
	"$(through curl -6 -sS -m 10 http://four.lab/)"
matches "the server is asked for the name, not for an address" 'target=web\.lab:80' "$LAB_LOGS/server.log"
check "a name that the server does not know is an error for curl, not an empty page" not_reached

equal "a connected UDP socket to a name gets its echo, IPv4" "echo" "$(through $DNS_PROBE udp 4 web.lab 7001)"
equal "a connected UDP socket to a name gets its echo, IPv6" "echo" "$(through $DNS_PROBE udp 6 web.lab 7001)"
equal "a connected IPv6 socket, though the name has only IPv4" "echo" "$(through $DNS_PROBE udp 6 four.lab 7001)"
equal "full cone: the name answers from the name, others are who they are" \
	"name $WORLD4:7103 $OTHER4:7203" "$(through $DNS_PROBE cone four.lab 7003)"
equal "a server by name and a peer by address see the same sender" "same" "$(through $DNS_PROBE mapping stun.lab "$OTHER4")"

equal "a connection to an address of nobody is refused at once" "ECONNREFUSED soon ECONNREFUSED soon" \
	"$(through $DNS_PROBE refused 198.19.200.200)"
equal "IPv6 too" "ECONNREFUSED soon ECONNREFUSED soon" \
	"$(through bash -c "$DNS_PROBE refused \$(dig +short web.lab AAAA | sed 's/::.*/::dead:beef/')")"

equal "no query left by the uplink" 0 "$(lab_packets uplink "port 53")"
check "no name left in clear" not_in_capture
finish
