#!/bin/bash
# Names under gatun up, in each mode: port 53 to any address is answered by gatun, for this machine
# and its LAN; a name that an ACL sends past the tunnel has its real address, asked by a marked
# socket, and what is connected to goes as the name goes; nothing else asks by the uplink. And
# the map of fake addresses outlives kill -9 of everything.
. "$(dirname "$0")/up_lib.sh"
begin_up "$0" "$@"
lab_need dig curl
UPLINK_CHECKED=no # what goes direct goes by it
DNS_PROBE="$PYTHON $TESTS_DIR/dns/probe.py"
FAKE4='198\.1[89]\.[0-9]+\.[0-9]+'
lab_start_web
printf '%s web.lab\n%s web.lab\n' "$WORLD4" "$WORLD6" >"$LAB_LOGS/hosts"
use_server gatun "$SERVER4" --hosts "$LAB_LOGS/hosts"
cat >"$LAB_LOGS/split.acl" <<-END
	[proxy_all]
	[bypass_list]
	||other.lab
	[outbound_block_list]
	||blocked.lab
END

# asks TEXT REGEX DIG-ARGUMENT...: what dig +short prints is one line that matches
asks()
{
	local text=$1 regex=$2 found
	shift 2
	found=$(through dig +short +tries=2 +time=5 "$@")
	if [[ $found =~ ^$regex$ ]]; then ok "$text"; else fail "$text" "dig +short $*" "expected: $regex" "found:    $found"; fi
}

fetch() { through curl -sS --max-time 10 --noproxy "*" "$@" 2>&1; }
# How many flows to the web server on this address has the tunnel's server had?
proxied() { grep -c "flow opened.*target=$1:80" "$LAB_LOGS/server.log"; }
fails_soon()
{
	local begin=${EPOCHREALTIME/./}
	! through curl -s --max-time 10 --noproxy "*" "$1" && [ $((${EPOCHREALTIME/./} - begin)) -lt 5000000 ]
}
# How many questions left by the uplink? Other than these?
asked_outside()
{
	lab_mark_uplink
	tcpdump -n -r "$LAB_LOGS/uplink.pcap" "src net 10.77.0.0/16 and dst port 53 and udp" 2>/dev/null | grep -cv -- "${1:-^$}"
}

names_in() # MODE
{
	local mode=$1 old new
	gate_up --mode "$mode" --lan lan0 --workers 2 --acl "$LAB_LOGS/split.acl"
	asks "$mode: a name has a fake address" "$FAKE4" web.lab
	asks "$mode: any server's address answers" "$FAKE4" @192.0.2.1 web.lab
	asks "$mode: by TCP too" "$FAKE4" +tcp @192.0.2.1 web.lab
	asks "$mode: any IPv6 address answers" "fd[0-9a-f:]+" @2001:db8::1 web.lab AAAA
	asks "$mode: a server on the link itself" "$FAKE4" @"$ROUTER4" web.lab
	old=$(through dig +short web.lab)
	equal "$mode: whichever worker is asked, a name has one address" "$old" "$(for _ in {1..30}; do echo web.lab; done | through xargs dig +short +tries=2 @192.0.2.1 | sort -u)"
	APP=lan asks "$mode: a LAN client is answered, the same" "$old" @192.0.2.1 web.lab
	APP=lan asks "$mode: and by TCP" "$old" +tcp @192.0.2.1 web.lab
	equal "$mode: curl reaches the name" "the web of the lab" "$(fetch http://web.lab/)"
	equal "$mode: a LAN client too" "the web of the lab" "$(APP=lan fetch --resolve "web.lab:80:$old" http://web.lab/)"
	matches "$mode: the server is asked for the name" 'target=web\.lab:80' "$LAB_LOGS/server.log"
	[ "$mode" = redirect ] || equal "$mode: UDP to a name has its echo" "echo" "$(through $DNS_PROBE udp 4 web.lab 7001)"
	check "$mode: a fake address of nobody is refused, and that at once" fails_soon "http://198.19.200.200/"

	before=$(proxied "$OTHER4")
	fetch "http://$OTHER4/" >/dev/null
	equal "$mode: an address that nobody asked for by name goes as the list says of addresses" $((before + 1)) "$(proxied "$OTHER4")"
	asks "$mode: a name that goes past the tunnel has its real address" "$OTHER4" other.lab
	asks "$mode: asked of any server" "$OTHER4" @192.0.2.1 other.lab
	asks "$mode: by TCP" "$OTHER6" +tcp other.lab AAAA
	APP=lan asks "$mode: by a LAN client" "$OTHER4" @192.0.2.1 other.lab
	equal "$mode: and its answer comes" "the web of the lab" "$(fetch -4 http://other.lab/)"
	equal "$mode: past the tunnel, though only its address was seen" $((before + 1)) "$(proxied "$OTHER4")"
	equal "$mode: a blocked name is refused" REFUSED "$(through dig www.blocked.lab | sed -n 's/.*status: \([A-Z]*\),.*/\1/p')"
	equal "$mode: nothing else was asked past the tunnel" 0 "$(asked_outside 'other\.lab')"

	lab_kill "$UP_PID"
	gate_up --mode "$mode" --lan lan0 --workers 2 --acl "$LAB_LOGS/split.acl"
	equal "$mode: killed and up again: an old address leads to its name" "the web of the lab" "$(fetch --resolve "web.lab:80:$old" http://web.lab/)"
	asks "$mode: and the name has it still" "$old" web.lab
	new=$(through dig +short "new-$mode.lab")
	check "$mode: which no other name gets" [ -n "$new" -a "$new" != "$old" ]
	check "$mode: questions past the tunnel there were, for the one name" [ "$(asked_outside)" -gt 0 ]
	gate_down
	lab_gone "$UP_PID"
}

for mode in tun tproxy redirect; do
	names_in $mode
done

# --- real addresses: names asked through the tunnel; IPv6 that is not carried -----------------
gate_up --dns "$WORLD4" --no-ipv6 --acl "$LAB_LOGS/split.acl"
before=$(asked_outside)
asks "--dns IP: a name's real address comes through the tunnel" "$WORLD4" @192.0.2.1 web.lab
equal "and no question left by the uplink" "$before" "$(asked_outside)"
asks "--dns IP: a name that goes past the tunnel is asked past it" "$OTHER4" other.lab
check "by the uplink" [ "$(asked_outside)" -gt "$before" ]
before=$(proxied "$OTHER4")
equal "--dns IP: and is reached" "the web of the lab" "$(fetch -4 http://other.lab/)"
equal "past the tunnel" "$before" "$(proxied "$OTHER4")"
equal "IPv6 not carried: no name has an AAAA, proxied or not" "NOERROR 0 NOERROR 0 " \
	"$(for name in web.lab other.lab; do through dig "$name" AAAA; done | sed -n 's/.*status: \([A-Z]*\),.*/\1/p; s/.*ANSWER: \([0-9]*\),.*/\1/p' | tr '\n' ' ')"
gate_down
lab_gone "$UP_PID"
# --- only some routes; another list by reload ----------------------------------------------------
(umask 077; printf '{ "server": "%s", "server_port": %s, "method": "%s", "password": "%s", "workers": 2, "acl": "%s" }\n' "$SERVER4" "$SERVER_PORT" \
	"$METHOD" "$KEY" "$LAB_LOGS/split.acl" >"$LAB_LOGS/up.json")
: >"$LAB_LOGS/up.log"
lab_start up client env STATE_DIRECTORY="$LAB_LOGS/state" "$GATUN" up -v -c "$LAB_LOGS/up.json" --route 203.0.113.0/24
UP_PID=$LAB_PID
lab_wait "gatun up" gate_is_up_or_ended
asks "--route: names have fake addresses" "$FAKE4" @192.0.2.1 web.lab
equal "--route: which are taken, too" "the web of the lab" "$(fetch http://web.lab/)"
asks "before a reload a name goes past the tunnel" "$OTHER4" other.lab
echo "[proxy_all]" >"$LAB_LOGS/split.acl"
kill -HUP "$UP_PID"
lab_wait "the reload" grep -q "the config has been reloaded" "$LAB_LOGS/up.log"
asks "after it through the tunnel, says every worker" "$FAKE4" other.lab
equal "by whichever worker" 1 "$(for _ in {1..20}; do echo other.lab; done | through xargs dig +short +tries=2 @192.0.2.1 | sort -u | wc -l)"
gate_down
lab_gone "$UP_PID"

# --- a stub on loopback, and a server by name: neither leads back to gatun ---------------------
# resolv.conf names the stub, which would ask gatun in the end; what it asks stands beside it.
mkdir -p /run/systemd/resolve
echo "nameserver $WORLD4" >/run/systemd/resolve/resolv.conf
echo "nameserver 127.0.0.53" >"$LAB_LOGS/resolv.conf"
lab_start other world "$GATUN" server -v -s "$OTHER4:$SERVER_PORT" -m "$METHOD" -k "$KEY" --hosts "$LAB_LOGS/hosts"
lab_wait "a server that is other.lab" lab_listens world "$SERVER_PORT"
cat >"$LAB_LOGS/split.acl" <<-END
	[proxy_all]
	[bypass_list]
	192.0.2.0/24
END
printf '%s %s %s\n' "$OTHER4" other.lab server >>"$LAB_LOGS/hosts"
SERVER=other.lab:$SERVER_PORT gate_up --acl "$LAB_LOGS/split.acl"
asks "a server by name: its name keeps its address" "$OTHER4" @192.0.2.1 other.lab
asks "other names have fake ones" "$FAKE4" @192.0.2.1 web.lab
before=$(asked_outside)
name=$(through dig +short @192.0.2.1 web.lab)
equal "a name that rules by address decide about is reached" "the web of the lab" "$(fetch --resolve "web.lab:80:$name" http://web.lab/)"
check "its addresses were asked past the stub" [ "$(asked_outside)" -gt "$before" ]
check "the server by name carries" grep -q "flow opened" "$LAB_LOGS/other.log"
gate_down
lab_gone "$UP_PID"
check_reports
finish_up
