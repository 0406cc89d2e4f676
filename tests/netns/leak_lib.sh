# The leak audit: something happens to the machine while applications on it, and on a
# LAN behind it, go on trying TCP, UDP and names in both families; the capture on the
# uplink counts what went past the tunnel: 0 is expected, whatever became of gatun.
# Source it instead of up_lib.sh. Bash.
#
#   begin_leak "$0" "$@"    the lab and a config file
#   start_knockers          on this machine and in the LAN (probes/knock.py)
#   up_again [OPTIONS]      gatun up with MODE (tun, tproxy, redirect), ready
#   answered TEXT           a check: every kind of traffic that the mode carries got a new answer, here and
#                           in the LAN; REDIRECT's UDP, but for names, got none
#   while_knocking          returns when every kind has been tried twice more since now
#   audit TEXT              a check: not one packet since the last audit; the knockers lived
#   leaks TEXT              the opposite, where the policy lets traffic go or the guard was taken away
#   finish_leak
#
# What is local to the link (ARP, neighbours, router discovery, MLD) is no packet of
# an application's and not counted; the lab's own marker neither.

. "$(dirname "${BASH_SOURCE[0]}")/up_lib.sh"

# At the other end of the same wire, which is not blinded when the client's end goes down, and only
# what comes from the client: what the world says of its own accord is no leak.
lab_capture()
{
	: >"$LAB_LOGS/$1.tcpdump.log"
	local user=()
	[ "$(id -u)" -ne 0 ] || user=(-Z root)
	lab_start "$1.tcpdump" router tcpdump -n -i to-client -Q in -U --immediate-mode -B 16384 -s "${3:-0}" "${user[@]}" -w "$LAB_LOGS/$1.pcap" "$2"
	CAPTURE_PID=$LAB_PID
	lab_wait "the capture $1" grep -q "listening on" "$LAB_LOGS/$1.tcpdump.log"
}

MODE=${MODE:-tun}
KNOCKERS=()

begin_leak()
{
	begin_up "$@"
	# A machine that forwards hears routers' advertisements only so.
	inside client sysctl -qw net.ipv6.conf.uplink.accept_ra=2 net.ipv6.conf.uplink.accept_ra_rt_info_max_plen=64 2>/dev/null
	# What leaves is to arrive: a leak that would be answered.
	inside client sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	write_leak_config
}

reload_up() { inside client "$GATUN" reload --control "/run/gatun/$UP_PID.sock" >>"$LAB_LOGS/reload.log" 2>&1; }

start_knockers()
{
	start_knocker client --device uplink
	start_knocker lan
}

write_leak_config() # [, KEY...]
{
	printf '{ "server": "%s", "server_port": %d, "method": "%s", "password": "%s", "mode": "tcp_and_udp" %s }\n' \
		"$SERVER4" "$SERVER_PORT" "$METHOD" "$KEY" "${1:-}" >"$LAB_LOGS/up.json"
}

# start_knocker NAMESPACE [OPTIONS]: the resolvers are one far away and one on the uplink, both families
start_knocker()
{
	local name=$1
	shift
	lab_start "knock.$name" "$name" $PYTHON "$TESTS_DIR/probes/knock.py" "$LAB_LOGS/knock.$name" \
		"$WORLD4" "$WORLD6" "$WORLD4" "$ROUTER4" "$WORLD6" "$ROUTER6" "$@"
	KNOCKERS+=("$LAB_PID")
	lab_wait "the knocker in $name" test -s "$LAB_LOGS/knock.$name"
}

up_again()
{
	: >"$LAB_LOGS/up.log"
	lab_start up client env "STATE_DIRECTORY=$LAB_LOGS/state" "$GATUN" up -v -c "$LAB_LOGS/up.json" --mode "$MODE" --lan lan0 --workers 2 \
		"$@"
	UP_PID=$LAB_PID
	lab_wait "gatun up" gate_is_up_or_ended
	kill -0 "$UP_PID" 2>/dev/null || lab_die "gatun up ended: $(tail -n 3 "$LAB_LOGS/up.log")"
}

# columns of the knockers' files, all in one: KIND TRIED ANSWERED
knocks()
{
	sed 's/^/client./' "$LAB_LOGS/knock.client"
	sed 's/^/lan./' "$LAB_LOGS/knock.lan"
}

# Kinds that may go unanswered: rules alone do not hold what is bound to a device.
UNANSWERED=device
[ "$MODE" != redirect ] || UNANSWERED='device|udp|flow'

# more_than FILE COLUMN N: has every kind's count grown by N since FILE was written?
more_than()
{
	knocks | awk -v file="$1" -v column="$2" -v more="$3" -v except="$UNANSWERED" '
		BEGIN { while ((getline line < file) > 0) { split(line, word, " "); old[word[1]] = word[column] } }
		$1 ~ except && column == 3 { next }
		$column < old[$1] + more { print $1; missing = 1 }
		END { exit missing }'
}

while_knocking()
{
	knocks >"$LAB_LOGS/knocks.before"
	lab_wait "new attempts of every kind" more_than "$LAB_LOGS/knocks.before" 2 2
}

# Before gatun: until the world answers natively. Packets that wait in the kernel for a neighbour's
# address (a new link's first IPv6 neighbour takes a second) were routed before, and leave later.
reached_natively()
{
	lab_wait "native answers" has_answers_of 'tcp[46]|udp[46]'
}

has_answers_of()
{
	! knocks | grep -E "^(client|lan)\.($1) " | grep -q ' 0$'
}

answered()
{
	local tries=0
	knocks >"$LAB_LOGS/knocks.before"
	until more_than "$LAB_LOGS/knocks.before" 3 1 >"$LAB_LOGS/knocks.missing"; do
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || break
		sleep 0.05
	done
	equal "$1" "" "$(tr '\n' ' ' <"$LAB_LOGS/knocks.missing")"
	[ "$MODE" != redirect ] || equal "and UDP, which REDIRECT does not carry, is not" "$(udp_answers <"$LAB_LOGS/knocks.before")" "$(knocks | udp_answers)"
}

udp_answers()
{
	awk '$1 ~ /udp|flow/ { printf "%s:%d ", $1, $3 }'
}

audit()
{
	while_knocking
	count_strays
	equal "$1" 0 "$STRAYED"
	[ "$STRAYED" = 0 ] || tcpdump -n -r "$LAB_LOGS/stray.pcap" 2>/dev/null | tail -n 4 | sed 's/^/      /'
}

leaks()
{
	while_knocking
	count_strays
	check "$1" [ "$STRAYED" -gt 0 ]
}

# settle: what was on its way before this line is none of the next audit's business
settle()
{
	count_strays
}

finish_leak()
{
	local pid
	for pid in "${KNOCKERS[@]}"; do
		lab_kill "$pid"
	done
	UPLINK_CHECKED=no # the audits did, event by event
	finish_up
}

# --- events ----------------------------------------------------------------------------

# The default routes of the lab, and its addresses, as they go when a link goes down.
restore_uplink()
{
	ip -n client addr replace "$CLIENT6/64" dev uplink nodad
	ip -n client route replace default via "$ROUTER4"
	ip -n client -6 route replace default via "$ROUTER6"
}

# Until another worker is there in the place of $1.
worker_replaced()
{
	local workers
	workers=$(gate_workers)
	[ "$(wc -w <<<"$workers")" -ge "$2" ] && ! grep -qw "$1" <<<"$workers"
}

kill_a_worker()
{
	local workers
	workers=($(gate_workers))
	kill -KILL "${workers[0]}"
	lab_wait "a new worker" worker_replaced "${workers[0]}" "${#workers[@]}"
}

# A worker that gets no more memory: what it asks for is refused (RLIMIT_AS below what it has), so that it
# meets every failure there is, and then the kernel's last word, which is a SIGKILL.
starve_a_worker()
{
	local workers
	workers=($(gate_workers))
	prlimit --pid "${workers[0]}" --as=1048576
	while_knocking
	kill -KILL "${workers[0]}" 2>/dev/null
	lab_wait "a new worker" worker_replaced "${workers[0]}" "${#workers[@]}"
}

signal_all()
{
	local pid
	for pid in $(lab_family "$UP_PID"); do
		kill "-$1" "$pid"
	done
}

restart_server()
{
	lab_end "$SERVER_PID" 2>/dev/null
	lab_start_server gatun "$SERVER4" "$METHOD" "$1"
}

# Names die, nothing else does: the world drops what asks for them.
names_die()
{
	inside world nft 'table inet names { chain in { type filter hook input priority 0; udp dport 53 drop; tcp dport 53 drop; }; }'
}

names_live()
{
	inside world nft delete table inet names
}

flap_link()
{
	ip -n client link set uplink down
	while_knocking
	ip -n client link set uplink up
	restore_uplink
}

# As a DHCP server could, with option 121 (TunnelVision): all halves of the world and the very networks, by the uplink.
plant_routes()
{
	ip -n client route add 0.0.0.0/1 via "$ROUTER4" && ip -n client route add 128.0.0.0/1 via "$ROUTER4" &&
	ip -n client route add "${WORLD4%.*}.0/24" via "$ROUTER4" &&
	ip -n client -6 route add ::/1 via "$ROUTER6" && ip -n client -6 route add 8000::/1 via "$ROUTER6" &&
	ip -n client -6 route add "${WORLD6%::*}::/64" via "$ROUTER6"
}

pull_routes()
{
	ip -n client route del 0.0.0.0/1 && ip -n client route del 128.0.0.0/1 && ip -n client route del "${WORLD4%.*}.0/24" &&
	ip -n client -6 route del ::/1 && ip -n client -6 route del 8000::/1 && ip -n client -6 route del "${WORLD6%::*}::/64"
}

advertise()
{
	inside router $PYTHON "$TESTS_DIR/probes/advertise.py" to-client "fd77:1::" "${WORLD6%::*}::/64"
	lab_wait "the advertised route" is_advertised
}

is_advertised()
{
	ip -n client -6 route show proto ra | grep -q "${WORLD6%::*}::/64"
}

withdraw()
{
	ip -n client -6 route flush proto ra
}

# --- the three parts of the audit, which are scripts ----------------------------------------

# While it runs, whatever becomes of gatun's parts.
audit_running()
{
	start_knockers
	reached_natively
	up_again
	settle
	answered "up: every kind of traffic is answered, here and in the LAN"
	audit "up: nothing past the tunnel"
	kill_a_worker
	audit "kill -9 of a worker: nothing past the tunnel"
	if sanitized; then
		skip "a worker out of memory: a sanitizer has no word for that but its own end"
	else
		starve_a_worker
		audit "a worker out of memory (RLIMIT_AS), then killed: nothing past the tunnel"
	fi
	answered "another worker: all is answered again"
	signal_all STOP
	audit "SIGSTOP of all: nothing past the tunnel"
	signal_all CONT
	answered "SIGCONT: all is answered again"
	lab_end "$SERVER_PID"
	audit "the server is down: nothing past the tunnel"
	restart_server "$(make_key "$METHOD")"
	audit "the server has another key: nothing past the tunnel"
	restart_server "$KEY"
	names_die
	audit "the DNS server is dead: nothing past the tunnel"
	names_live
	answered "the server and DNS are back: all is answered again"
	check "gatun reload" reload_up
	audit "reload: nothing past the tunnel"
	write_leak_config ', "kill_switch": true, "block_quic": true, "tun_exclude": [ "192.0.2.0/24", "2001:db8:7::/48" ]'
	check "one that changes the rules: excludes and the kill switch" reload_up
	check "the guard stands" inside client nft list counter inet gatun_guard dropped
	write_leak_config
	check "and back" reload_up
	audit "reload to other rules and back: nothing past the tunnel"
	echo '{ "server": ' >"$LAB_LOGS/up.json"
	check "one of a broken file is refused" eval '! reload_up'
	audit "reload of a broken file: nothing past the tunnel"
	write_leak_config
	answered "after both reloads all is answered"
}

# What happens to the network.
audit_network()
{
	settle
	ip -n client link set uplink down
	up_again
	start_knockers
	while_knocking
	ip -n client link set uplink up
	restore_uplink
	audit "up before the uplink is: nothing past the tunnel"
	answered "the uplink comes: every kind of traffic is answered"
	audit "the uplink comes: nothing past the tunnel"
	plant_routes
	audit "more specific routes planted by DHCP (option 121): nothing past the tunnel"
	answered "with them, all is answered as before"
	pull_routes
	advertise
	audit "a router advertisement with a default and a specific route: nothing past the tunnel"
	answered "with it, all is answered as before"
	withdraw
	flap_link
	audit "the link flaps: nothing past the tunnel"
	answered "the link is back: all is answered again"
}

# How it begins and ends, with the kill switch and without.
audit_ends()
{
	start_knockers
	reached_natively
	leaks "without gatun, the audit sees what applications send"
	up_again
	settle
	audit "started under traffic: nothing past the tunnel from then on"
	lab_kill_one "$UP_PID"
	audit "kill -9 of the supervisor: nothing past the tunnel"
	lab_kill "$UP_PID"
	audit "kill -9 of all: nothing past the tunnel"
	up_again
	audit "up again: without a gap"
	answered "up again: all is answered"
	lab_kill "$UP_PID"
	remove_unreachable
	leaks "with what keeps traffic in taken away by hand, the audit sees it leak"
	gate_down
	up_again --kill-switch
	settle
	lab_kill "$UP_PID"
	inside client nft delete table inet gatun
	audit "kill -9 of all, and the tables of the capture gone: the kill switch holds"
	remove_unreachable
	audit "and the policy rules gone, too: it holds"
	inside client nft delete table inet gatun_guard
	leaks "with the kill switch taken away by hand, the audit sees it leak"
	gate_down
	up_again --kill-switch
	settle
	answered "with the kill switch all is answered"
	lab_end "$UP_PID"
	audit "an orderly end with the kill switch: nothing past the tunnel"
	up_again --kill-switch
	audit "from one gatun to the next: nothing past the tunnel"
	lab_end "$UP_PID"
	gate_down
	leaks "after gatun down traffic goes natively again"
}

lab_kill_one()
{
	kill -KILL "$1" && lab_gone "$1"
}

# By hand: all rules of ours.
remove_unreachable()
{
	inside client nft delete table inet gatun 2>/dev/null
	ip -n client -4 rule flush protocol 103
	ip -n client -6 rule flush protocol 103
}
