#!/bin/bash
# The client's ACL: what goes through the tunnel, what past it and what nowhere, TCP and UDP, by
# address, by name, and by a name's address where the list needs it; `gatun local` and `gatun run`.
# The same list sends the flows of sslocal and ss-local the same ways.
METHOD=${METHOD:-aes-256-gcm} # which all of them have
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
UPLINK_CHECKED=no # what goes past the tunnel is what this is about
# Of this test's own mounts: names are asked of the world.
echo "nameserver $WORLD4" >"$LAB_LOGS/resolv.conf"
mount --bind "$LAB_LOGS/resolv.conf" "$(realpath /etc/resolv.conf)" || lab_skip "/etc/resolv.conf cannot be covered"
use_server gatun # which has read the old one

# Says to each who asks it, by TCP or UDP, who he is: gatun itself, or its server.
cat >"$LAB_LOGS/whoami.py" <<-END
	import socket, threading
	who = lambda peer: {"$CLIENT4": b"client", "$CLIENT6": b"client", "$SERVER4": b"server", "$SERVER6": b"server"}.get(peer[0], peer[0].encode())
	def tcp(s):
	    while True:
	        c, peer = s.accept(); c.sendall(who(peer)); c.close()
	def udp(s):
	    while True:
	        data, peer = s.recvfrom(100); s.sendto(who(peer), peer)
	for address in "$WORLD4", "$OTHER4", "$WORLD6", "$OTHER6":
	    family = socket.AF_INET6 if ":" in address else socket.AF_INET
	    for kind, serve in (socket.SOCK_STREAM, tcp), (socket.SOCK_DGRAM, udp):
	        s = socket.socket(family, kind); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind((address, 7090))
	        if kind == socket.SOCK_STREAM: s.listen(50)
	        threading.Thread(target=serve, args=(s,), daemon=True).start()
	print("ready", flush=True); threading.Event().wait()
END
lab_start whoami world "$PYTHON" "$LAB_LOGS/whoami.py"
lab_wait "whoami" grep -q ready "$LAB_LOGS/whoami.log"

# Asks it, at HOST: through a SOCKS5 proxy (PORT), or by the network it is in (PORT 0).
cat >"$LAB_LOGS/ask.py" <<-'END'
	import socket, sys
	kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
	def address():
	    for family, code in (socket.AF_INET, b"\1"), (socket.AF_INET6, b"\4"):
	        try: return code + socket.inet_pton(family, host) + (7090).to_bytes(2, "big")
	        except OSError: pass
	    return b"\3" + bytes([len(host)]) + host.encode() + (7090).to_bytes(2, "big")
	def proxy(command, target):
	    s = socket.create_connection(("127.0.0.1", port), 10)
	    s.sendall(b"\5\1\0"); s.recv(2); s.sendall(b"\5" + command + b"\0" + target)
	    return s, s.recv(10, socket.MSG_WAITALL) # an IPv4 address
	def ask(send, receive):
	    for _ in range(2):
	        send()
	        try: return receive()[-6:].decode()
	        except TimeoutError: pass
	    return "no"
	try:
	    if kind == "tcp" and port:
	        s, reply = proxy(b"\1", address())
	        print((s.recv(100).decode() or "no") if reply[1:2] == b"\0" else "no")
	    elif kind == "tcp":
	        print(socket.create_connection((host, 7090), 10).recv(100).decode() or "no")
	    elif port:
	        control, reply = proxy(b"\3", b"\1" + bytes(6))
	        relay = (socket.inet_ntoa(reply[4:8]), int.from_bytes(reply[8:10], "big"))
	        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1)
	        print(ask(lambda: s.sendto(b"\0\0\0" + address() + b"?", relay), lambda: s.recv(100)))
	    else:
	        to = socket.getaddrinfo(host, 7090, type=socket.SOCK_DGRAM)[0]
	        s = socket.socket(to[0], socket.SOCK_DGRAM); s.settimeout(1); s.connect(to[4])
	        print(ask(lambda: s.send(b"?"), lambda: s.recv(100)))
	except OSError: print("no")
END

# start_local KIND: with the list on standard input
start_local()
{
	cat >"$LAB_LOGS/client.acl"
	[ -z "${LOCAL_PID:-}" ] || lab_end "$LOCAL_PID"
	case $1 in
	gatun) lab_start local.gatun client "$GATUN" local -v -s "$SERVER" -m "$METHOD" -k "$KEY" --acl "$LAB_LOGS/client.acl" --socks 127.0.0.1:1080 ;;
	sslocal) lab_start local.sslocal client "$(lab_find sslocal)" -s "$SERVER" -m "$METHOD" -k "$KEY" -U --acl "$LAB_LOGS/client.acl" -b 127.0.0.1:1080 ;;
	ss-local) lab_start local.ss-local client ss-local -s "$SERVER4" -p "$SERVER_PORT" -m "$METHOD" -k "$KEY" --acl "$LAB_LOGS/client.acl" -l 1080 ;;
	esac
	LOCAL_PID=$LAB_PID
	lab_wait "$1" lab_listens client 1080
}

by_socks() { exec_in client "$PYTHON" "$LAB_LOGS/ask.py" "$1" "$2" 1080; }
by_run() { through "$PYTHON" "$LAB_LOGS/ask.py" "$1" "$2" 0; }

# goes WORD HOST...: who the world sees (client, server, or no), for KINDS of traffic, asked BY
goes()
{
	local word=$1 host kind
	shift
	for host; do
		for kind in ${KINDS:-tcp udp}; do
			equal "$KIND: $kind to $host" "$word" "$($BY "$kind" "$host")"
		done
	done
}

list_a()
{
	printf '%s\n' '[proxy_all]' '[bypass_list]' "$OTHER4/32" "$OTHER6/128" '^www\.direct\.lab$'
}
list_b()
{
	printf '%s\n' '[bypass_all]' '[proxy_list]' '(^|\.)web\.lab$' "$OTHER4/32"
}

BY=by_socks
for KIND in gatun sslocal ss-local; do
	if [ "$KIND" != gatun ] && ! lab_find "$KIND" >/dev/null; then
		skip "$KIND is not installed"
		continue
	fi
	KINDS="tcp udp"
	[ "$KIND" != ss-local ] || KINDS=tcp # it does not look at its list for datagrams
	start_local "$KIND" < <(list_a)
	goes server "$WORLD4" web.lab
	goes client "$OTHER4" other.lab # the latter by its address
	start_local "$KIND" < <(list_b)
	goes server web.lab "$OTHER4"
	goes client "$WORLD4"
	[ "$KIND" = ss-local ] || goes server other.lab # by its address, again
done

# Ours alone.
KIND=gatun KINDS="tcp udp"
queries() { lab_mark_uplink; lab_packets stray "src host $CLIENT4 and port 53"; }
start_local gatun < <(printf '%s\n' '[bypass_all]' '[proxy_list]' '||web.lab')
before=$(queries)
goes server web.lab WEB.lab.
equal "a list of names alone asks no resolver about what is proxied" "$before" "$(queries)"
goes client other.lab "$OTHER6"

start_local gatun < <(printf '%s\n' '[outbound_block_list]' "$OTHER4" '||other.lab' '[bypass_list]' "$WORLD6" "$OTHER4")
goes no other.lab "$OTHER4"
goes client "$WORLD6"
goes server "$OTHER6"
lab_end "$LOCAL_PID"
LOCAL_PID=
matches "what is blocked is counted" "ended:.* denied=2.* dropped_acl=4" "$LAB_LOGS/local.gatun.log"

# One inbound's list is its own.
list_a >"$LAB_LOGS/a.acl"
list_b >"$LAB_LOGS/b.acl"
cat >"$LAB_LOGS/local.json" <<-END
	{ "server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "password": "$KEY", "acl": "$LAB_LOGS/a.acl",
	  "locals": [ { "local_port": 1080 }, { "local_port": 1081, "acl": "$LAB_LOGS/b.acl" } ] }
END
lab_start local.two client "$GATUN" local -v -c "$LAB_LOGS/local.json"
LOCAL_PID=$LAB_PID
lab_wait "two inbounds" lab_listens client 1081
equal "two inbounds, two lists" "server client" \
	"$(by_socks tcp "$WORLD4") $(exec_in client "$PYTHON" "$LAB_LOGS/ask.py" tcp "$WORLD4" 1081)"
list_b >"$LAB_LOGS/a.acl"
kill -HUP "$LOCAL_PID"
lab_wait "the reload" eval '[ "$(by_socks tcp "$WORLD4")" = client ]'
equal "after a reload new flows go as the file says now" "client server" "$(by_socks udp "$WORLD4") $(by_socks tcp web.lab)"
echo '[no_such_list]' >"$LAB_LOGS/a.acl"
kill -HUP "$LOCAL_PID"
lab_wait "the refusal of a broken one" grep -q "no list is called" "$LAB_LOGS/local.two.log"
equal "a broken file changes nothing" "client server" "$(by_socks tcp "$WORLD4") $(by_socks tcp web.lab)"
lab_end "$LOCAL_PID"

# gatun run: names are known, because their addresses are fake.
BY=by_run KIND="gatun run"
list_a >"$LAB_LOGS/run.acl"
RUN_OPTIONS="--dns fake --acl $LAB_LOGS/run.acl"
goes server "$WORLD4" web.lab
goes client "$OTHER4" other.lab
printf '%s\n' '[bypass_all]' '[proxy_list]' '||web.lab' '[outbound_block_list]' '||other.lab' >"$LAB_LOGS/run.acl"
goes server web.lab
goes client "$WORLD4"
goes no other.lab
equal "a command does not get out of its sandbox to this machine by a list" no "$(
	printf '127.0.0.1 host.lab\n' >"$LAB_LOGS/hosts" && mount --bind "$LAB_LOGS/hosts" "$(realpath /etc/hosts)"
	lab_start loopback client "$PYTHON" -c 'import socket; s = socket.create_server(("127.0.0.1", 7090)); print("ready", flush=True); c = s.accept()[0]; c.sendall(b"escaped")'
	lab_wait "the service on loopback" grep -q ready "$LAB_LOGS/loopback.log"
	by_run tcp host.lab
	kill "$LAB_PID" 2>/dev/null)"

echo '10.0.0.0/33' >"$LAB_LOGS/run.acl"
through true 2>/dev/null
equal "a broken list: the command is not run" 125 $?
finish
