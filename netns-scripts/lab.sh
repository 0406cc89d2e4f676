# The lab: six network namespaces on one machine, for tests and for play. Bash; source it.
#
#   client ─ uplink ─┐                ┌─ server     runs gatun server, ss-server, ...
#                    ├──── router ────┤
#   twin ────────────┘                └─ world      web, echo, DNS, sinks
#
# README.md beside this file has the map with addresses.
#
# Everything is made inside a mount, PID and network namespace of the caller's own, with
# /run/netns of its own: names and ports cannot meet those of another run, and when the
# first process of it is gone, in whatever way, the kernel takes all the rest with it.
# That is the whole clean-up. A user who is not root gets them by a user namespace.
#
# The uplink is watched by two captures on the client's own end: `stray` takes what
# goes neither to nor from the tunnel's server (the filter is the kernel's, so that it
# drops nothing under load), `uplink` the first bytes of everything.
#
# It does not know what is tested. It knows gatun only as one of several servers.

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Addresses: 10.77.N.2 and fd77:N::2 on link N; the router has .1 and ::1.
CLIENT4=10.77.1.2 CLIENT6=fd77:1::2
SERVER4=10.77.2.2 SERVER6=fd77:2::2
WORLD4=10.77.3.2 WORLD6=fd77:3::2
OTHER4=10.77.3.3 OTHER6=fd77:3::3	# the world's second pair of addresses
TWIN4=10.77.4.2 TWIN6=fd77:4::2
ROUTER4=10.77.1.1 ROUTER6=fd77:1::1
SERVER_PORT=8388

lab_die()
{
	echo "lab: $*" >&2
	exit 1
}

# Ends the script as skipped, saying what is missing.
lab_skip()
{
	echo "SKIP: $*"
	exit 77
}

# lab_need PROGRAM...: skips, by name, when one is not installed
lab_need()
{
	local program
	for program; do
		command -v "$program" >/dev/null || lab_skip "$program is not installed"
	done
}

# Starts the calling script anew where nobody else is; returns only inside.
#   lab_enter "$0" "$@"
lab_enter()
{
	[ "${LAB_INSIDE:-}" = "$PPID.$$" ] && { lab_private_mounts; return; }
	# Himself with all rights, and not as root: tcpdump and nginx, as root, insist on becoming another.
	local user=()
	[ "$(id -u)" -eq 0 ] || user=(--user --map-current-user --keep-caps)
	lab_need unshare ip tcpdump python3
	[ -c /dev/net/tun ] || lab_skip "there is no /dev/net/tun (modprobe tun)"
	(: <>/dev/net/tun) 2>/dev/null || lab_skip "$(id -un) may not open /dev/net/tun ($(stat -c '%A, owner %U' /dev/net/tun))"
	unshare "${user[@]}" --mount --net --pid --fork --mount-proc true 2>/dev/null ||
		lab_skip "$(id -un) may not make namespaces here (user.max_user_namespaces, or a container's seccomp)"
	# Inside, the script is the child of no one (PID 1's parent reads as 0) and PID 1 itself.
	# Signals that our caller ignores (nohup, a shell's `&`) would be so for all that is tested.
	LAB_INSIDE=0.1 exec env --default-signal unshare "${user[@]}" --mount --net --pid --fork --kill-child --mount-proc "$@"
}

lab_private_mounts()
{
	# All of /run: names of namespaces, and the control sockets of gatun. A mount in it
	# would go when somebody outside removes the directory below.
	mount -t tmpfs -o mode=0755 lab /run && mkdir /run/netns || lab_die "cannot mount a private /run"
}

# inside NAMESPACE COMMAND...
inside()
{
	local name=$1
	shift
	ip netns exec "$name" "$@"
}

# Of a new namespace, in one process: NAME VALUE each, below /proc/sys/net. What is not there is let be.
# No second of waiting for duplicate addresses: nobody else is on these links.
# Without tcp_tw_reuse a burst of many short connections would find no port that is not in TIME_WAIT; their
# range begins above the ports that tests listen on, which must be free whoever called before.
LAB_SYSCTLS="ipv6/conf/default/accept_dad 0
ipv6/conf/default/dad_transmits 0
ipv4/ip_local_port_range 10240 65535
ipv4/tcp_tw_reuse 1
core/somaxconn 8192
ipv4/tcp_max_syn_backlog 8192
ipv4/tcp_congestion_control reno"

# lab_sysctl NAMESPACE LINES
lab_sysctl()
{
	nsenter --net="/run/netns/$1" sh -c 'while read -r name value; do echo "$value" >"/proc/sys/net/$name"; done' <<<"$2" 2>/dev/null
}

lab_add_namespace()
{
	ip netns add "$1" && ip -n "$1" link set lo up || lab_die "cannot make the namespace $1"
	lab_sysctl "$1" "$LAB_SYSCTLS"
	return 0
}

# lab_join NAMESPACE N DEVICE: link N between the namespace and the router, which is its way out
lab_join()
{
	ip -n "$1" -batch - <<-END && ip -n router -batch - <<-END2 && ip -n "$1" -batch - <<-END3 || lab_die "cannot join $1 to the router"
		link add $3 mtu $LAB_MTU type veth peer name to-$1 mtu $LAB_MTU netns router
		addr add 10.77.$2.2/24 dev $3
		addr add fd77:$2::2/64 dev $3 nodad
		link set $3 up
	END
		addr add 10.77.$2.1/24 dev to-$1
		addr add fd77:$2::1/64 dev to-$1 nodad
		link set to-$1 up
	END2
		route add default via 10.77.$2.1
		route add default via fd77:$2::1
	END3
}

# lab_build: namespaces and links, over which packets can go
lab_build()
{
	LAB_MTU=${LAB_MTU:-1500}
	local name
	for name in router client twin server world; do
		lab_add_namespace "$name"
	done
	lab_sysctl router "ipv4/ip_forward 1
ipv6/conf/all/forwarding 1"
	[ "$(nsenter --net=/run/netns/router cat /proc/sys/net/ipv6/conf/all/forwarding)" = 1 ] || lab_die "the router cannot forward"
	lab_join client 1 uplink
	lab_join server 2 eth0
	lab_join world 3 eth0
	lab_join twin 4 eth0
	ip -n world addr add "$OTHER4/24" dev eth0 && ip -n world addr add "$OTHER6/64" dev eth0 nodad ||
		lab_die "the world has no second address"
	# What the kernel says of a closed UDP port or of an absent host is what rows are about: not to be rationed. (To
	# the router go markers as well, which it refuses one by one.)
	for name in router world; do
		lab_sysctl "$name" "ipv4/icmp_ratelimit 0
ipv6/icmp/ratelimit 0"
	done
	lab_links_are_up router client twin server world
	return 0
}

# lab_links_are_up NAMESPACE...: waits until the kernel has noticed both ends of every link. A link that is "up"
# drops what is sent on it until then: the first question for a neighbour, say, which is repeated after a second.
lab_links_are_up()
{
	local name
	for name; do
		lab_wait "the links of $name" lab_no_link_pends "$name"
	done
}

lab_no_link_pends()
{
	! ip -n "$1" -o link show up type veth | grep -qv ' state UP '
}

# lab_start LOG NAMESPACE COMMAND...: in the background; its PID in LAB_PID
lab_start()
{
	local log=$1 name=$2
	shift 2
	ip netns exec "$name" "$@" >>"$LAB_LOGS/$log.log" 2>&1 </dev/null &
	LAB_PID=$!
	disown "$LAB_PID" # the shell has nothing to say when it is killed
}

# lab_wait WHAT COMMAND...: until it succeeds, at most 20 s
lab_wait()
{
	local what=$1 tries=0
	shift
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 1000 ] || lab_die "$what: not within 20 s"
		sleep 0.02
	done
}

# lab_listens NAMESPACE PORT: is there a TCP listener?
lab_listens()
{
	[ -n "$(ip netns exec "$1" ss -H -ltn "sport = :$2")" ]
}

# lab_end PID: TERM, and waits until it is gone
lab_end()
{
	kill "$1" 2>/dev/null && lab_gone "$1"
}

# lab_gone PID: waits for the end of a process, child or not
lab_gone()
{
	tail --pid="$1" -s 0.02 -f /dev/null
}

# lab_kill PID: KILL to it and all that it started, and waits until it is gone
lab_kill()
{
	local pid
	for pid in $(lab_family "$1"); do
		kill -KILL "$pid" 2>/dev/null
	done
	lab_gone "$1"
}

# lab_family PID: it and its descendants
lab_family()
{
	local child
	echo "$1"
	for child in $(cat "/proc/$1/task"/*/children 2>/dev/null); do
		lab_family "$child"
	done
}

# --- the world ---------------------------------------------------------------

# Web on 80 and 443 (HTTP/2), the services of world.py (their list is its head), DNS on 53.
lab_start_world()
{
	lab_start world world "${PYTHON:-python3}" "$LAB_DIR/world.py" "$WORLD4" "$OTHER4" "$WORLD6" "$OTHER6"
	lab_wait "the world's services" grep -q '^ready$' "$LAB_LOGS/world.log"
}

lab_start_web()
{
	lab_need nginx openssl
	local dir=$LAB_LOGS/web
	mkdir -p "$dir/root" "$dir/tmp"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=web.lab \
		-addext "subjectAltName=DNS:web.lab,IP:$WORLD4,IP:$WORLD6" -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>"$dir/openssl.log" ||
		lab_die "no certificate"
	head -c 3000000 /dev/urandom >"$dir/root/3mb"
	echo "the web of the lab" >"$dir/root/index.html"
	sed "s,@DIR@,$dir,g" "$LAB_DIR/nginx.conf" >"$dir/nginx.conf"
	lab_start web world nginx -p "$dir" -e "$dir/error.log" -c "$dir/nginx.conf"
	lab_wait "the web server" lab_listens world 443
}

# --- servers -----------------------------------------------------------------

# lab_find PROGRAM: its path, from the cache of peers or from PATH
lab_find()
{
	local cached=${GATUN_CACHE:-$HOME/.cache/gatun}/bin/$1
	if [ -x "$cached" ]; then echo "$cached"; else command -v "$1"; fi
}

# lab_start_server KIND ADDRESS METHOD KEY [gatun's options]: PID in SERVER_PID
# $GATUN_SERVER_FLAGS are options of every server of ours.
# KIND: gatun, ss-server, ssserver, sing-box
lab_start_server()
{
	local kind=$1 address=$2 method=$3 key=$4 program
	shift 4
	if [ "$kind" = gatun ]; then program=$GATUN; else program=$(lab_find "$kind") || lab_die "$kind is not installed"; fi
	case $kind in
	gatun)
		lab_start server server "$program" server -v -s "$(lab_host_port "$address" "$SERVER_PORT")" -m "$method" -k "$key" ${GATUN_SERVER_FLAGS:-} "$@" ;;
	ss-server)
		lab_start server server "$program" -s "$address" -p "$SERVER_PORT" -k "$key" -m "$method" -u -t 600 ;;
	ssserver)
		lab_start server server "$program" -s "$(lab_host_port "$address" "$SERVER_PORT")" -k "$key" -m "$method" -U -6 ;;
	sing-box)
		printf '{"log":{"level":"warn"},"inbounds":[{"type":"shadowsocks","listen":"%s","listen_port":%d,"method":"%s","password":"%s"}],"outbounds":[{"type":"direct"}]}\n' \
			"$address" "$SERVER_PORT" "$method" "$key" >"$LAB_LOGS/sing-box.json"
		lab_start server server "$program" run -c "$LAB_LOGS/sing-box.json" ;;
	*)
		lab_die "no such server: $kind" ;;
	esac
	SERVER_PID=$LAB_PID
	lab_wait "$kind" lab_listens_or_ended "$SERVER_PID"
	kill -0 "$SERVER_PID" 2>/dev/null || lab_die "$kind ended: $(tail -n 3 "$LAB_LOGS/server.log")"
}

lab_listens_or_ended()
{
	lab_listens server "$SERVER_PORT" || ! kill -0 "$1"
}

# lab_host_port ADDRESS PORT: with brackets where the address is IPv6
lab_host_port()
{
	case $1 in *:*) echo "[$1]:$2" ;; *) echo "$1:$2" ;; esac
}

# --- captures ----------------------------------------------------------------

# Neighbour and router discovery and MLD belong to the link itself.
LAB_LINK="arp or (icmp6 and (ip6[40] >= 130 and ip6[40] <= 137)) or (ip6 proto 0)"
# Later fragments have no port; ICMP of the path (too big, port unreachable) is the tunnel's own.
LAB_TUNNEL="(host $SERVER4 or host $SERVER6) and (port $SERVER_PORT or (ip and ip[6:2] & 0x1fff != 0) or ip6 proto 44 or icmp or icmp6)"

# lab_capture NAME FILTER [SNAPLEN]: on the client's uplink; returns when it captures. PID in CAPTURE_PID
lab_capture()
{
	: >"$LAB_LOGS/$1.tcpdump.log"
	local user=()
	[ "$(id -u)" -ne 0 ] || user=(-Z root)
	lab_start "$1.tcpdump" client tcpdump -n -i uplink -U --immediate-mode -B 16384 -s "${3:-0}" "${user[@]}" -w "$LAB_LOGS/$1.pcap" "$2"
	CAPTURE_PID=$LAB_PID
	lab_wait "the capture $1" grep -q "listening on" "$LAB_LOGS/$1.tcpdump.log"
}

lab_watch_uplink()
{
	lab_capture stray "not ($LAB_TUNNEL) and not ($LAB_LINK)"
	STRAY_PID=$CAPTURE_PID
	if [ "${LAB_CAPTURE:-all}" = all ]; then
		lab_capture uplink "not ($LAB_LINK)" 160
		UPLINK_PID=$CAPTURE_PID
	fi
}

# lab_packets FILE [FILTER]: how many packets of the capture pass the filter. What is asked of "uplink" is
# about all that was sent until now.
lab_packets()
{
	[ "$1" != uplink ] || lab_mark_uplink
	tcpdump -n -r "$LAB_LOGS/$1.pcap" "${2:-}" 2>/dev/null | wc -l
}

# A packet of our own past the tunnel; when it is in the files, all before it is too,
# and a capture that sees nothing is told from an uplink on which nothing strays.
lab_mark_uplink()
{
	local name before=()
	for name in stray ${UPLINK_PID:+uplink}; do before+=("$name $(lab_marks "$name")"); done
	inside client bash -c "echo mark >/dev/udp/$ROUTER4/9"
	for name in "${before[@]}"; do
		lab_wait "the marker packet in the capture ${name% *}" lab_is_marked_after $name
	done
}

# lab_is_marked_after CAPTURE N: markers of earlier times are in the file as well, what counts is one more
lab_is_marked_after()
{
	[ "$(lab_marks "$1")" -gt "$2" ]
}

lab_marks()
{
	tcpdump -n -r "$LAB_LOGS/$1.pcap" "udp and dst host $ROUTER4 and port 9" 2>/dev/null | wc -l
}

# How many packets left or came by the uplink past the tunnel, since the watch began.
lab_stray_packets()
{
	lab_mark_uplink
	# Besides the marker: what the router says of it, and of packets to the server.
	lab_packets stray "not (dst host $ROUTER4 and udp port 9) and not (icmp and src host $ROUTER4 and dst host $CLIENT4 and icmp[0] == 3)"
}
