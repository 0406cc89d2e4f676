#!/bin/bash
# The server's ACL: who may come, by the client's address; what may be reached, by name and by
# every address of a name, TCP and UDP; a list of its own for one of several servers. The same
# lists in front of the programs of others let through and refuse the same.
METHOD=${METHOD:-aes-256-gcm} # which all of them have
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
lab_need curl
lab_start_web

LOCAL_PORT=1080
# Of this test's own mounts: ssserver asks whom this file names.
echo "nameserver $WORLD4" >"$LAB_LOGS/resolv.conf"
mount --bind "$LAB_LOGS/resolv.conf" "$(realpath /etc/resolv.conf)" || lab_skip "/etc/resolv.conf cannot be covered"

# with_acl KIND: (re)starts the far end with the list on standard input, and a local of ours before it
with_acl()
{
	cat >"$LAB_LOGS/server.acl"
	[ -z "${SERVER_PID:-}" ] || lab_end "$SERVER_PID"
	case $1 in
	gatun)
		cat >"$LAB_LOGS/server.json" <<-END
			{ "servers": [
			  { "server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "password": "$KEY" },
			  { "server": "$SERVER6", "server_port": $SERVER_PORT, "method": "$METHOD", "password": "$KEY", "acl": "$LAB_LOGS/own.acl" } ],
			  "acl": "$LAB_LOGS/server.acl", "nameserver": "$WORLD4" }
		END
		: >"$LAB_LOGS/server.gatun.log"
		lab_start "server.$1" server "$GATUN" server -v -c "$LAB_LOGS/server.json" ;;
	ss-server)
		lab_start "server.$1" server ss-server -s "$SERVER4" -p "$SERVER_PORT" -k "$KEY" -m "$METHOD" -u -d "$WORLD4" --acl "$LAB_LOGS/server.acl" ;;
	ssserver)
		lab_start "server.$1" server "$(lab_find ssserver)" -s "$SERVER4:$SERVER_PORT" -k "$KEY" -m "$METHOD" -U -6  --acl "$LAB_LOGS/server.acl" ;;
	esac
	SERVER_PID=$LAB_PID
	lab_wait "$1" lab_listens_or_ended "$SERVER_PID"
}

# with_local ADDRESS: our own client before the server there
with_local()
{
	[ -z "${LOCAL_PID:-}" ] || lab_end "$LOCAL_PID"
	lab_start local client "$GATUN" local -v -s "$(lab_host_port "$1" "$SERVER_PORT")" -m "$METHOD" -k "$KEY" --socks "127.0.0.1:$LOCAL_PORT"
	LOCAL_PID=$LAB_PID
	lab_wait "gatun local" lab_listens client "$LOCAL_PORT"
}

# tcp HOST: is its page there?
tcp()
{
	local page
	page=$(exec_in client curl -s --max-time 10 --noproxy "" --socks5-hostname "127.0.0.1:$LOCAL_PORT" "http://$(lab_host_port "$1" 80)/")
	[ "$page" = "the web of the lab" ] && echo yes || echo no
}

# udp HOST: does it echo?
udp()
{
	exec_in client "$PYTHON" - "$1" "$LOCAL_PORT" <<-'END'
		import socket, sys
		host, port = sys.argv[1], int(sys.argv[2])
		control = socket.create_connection(("127.0.0.1", port))
		control.sendall(b"\5\1\0"); control.recv(2)
		control.sendall(b"\5\3\0\1" + bytes(6)); reply = control.recv(100)
		relay = (socket.inet_ntoa(reply[4:8]), int.from_bytes(reply[8:10], "big"))
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1)
		try: address = b"\1" + socket.inet_aton(host)
		except OSError:
		    try: address = b"\4" + socket.inet_pton(socket.AF_INET6, host)
		    except OSError: address = b"\3" + bytes([len(host)]) + host.encode()
		for _ in range(2):
		    s.sendto(b"\0\0\0" + address + (7001).to_bytes(2, "big") + b"ask", relay)
		    try:
		        print("yes" if s.recv(100).endswith(b"ask") else "no"); break
		    except TimeoutError: pass
		else: print("no")
	END
}

# rows WORD HOST...: TCP and UDP to each says WORD
rows()
{
	local word=$1 host
	shift
	for host; do
		equal "$KIND: TCP to $host" "$word" "$(tcp "$host")"
		equal "$KIND: UDP to $host" "$word" "$(udp "$host")"
	done
}

printf '[outbound_block_list]\n|web.lab\n' >"$LAB_LOGS/own.acl"
with_local "$SERVER4"

for KIND in gatun ss-server ssserver; do
	if [ "$KIND" != gatun ] && ! lab_find "$KIND" >/dev/null; then
		skip "$KIND is not installed"
		continue
	fi
	# What both dialects have, in libev's words.
	with_acl "$KIND" <<-END
		[accept_all]
		[black_list]
		192.0.2.0/24
		[outbound_block_list]
		$OTHER4
		^ads[0-9]*\.lab\$
	END
	rows yes "$WORLD4" web.lab
	equal "$KIND: TCP to an address that is blocked" no "$(tcp "$OTHER4")"
	equal "$KIND: TCP to a name that an expression blocks" no "$(tcp ads1.lab)"
	with_acl "$KIND" <<-END
		[outbound_block_list]
		$OTHER4/31
		$OTHER6
	END
	equal "$KIND: TCP to a name whose address is blocked" no "$(tcp other.lab)"
	equal "$KIND: TCP to an address in a blocked prefix" no "$(tcp "$WORLD4")" # 10.77.3.2/31 is both
	# Debian's ss-server does not look at its list for datagrams.
	[ "$KIND" = ss-server ] || equal "$KIND: UDP to an address in a blocked prefix" no "$(udp "$WORLD4")"
	with_acl "$KIND" <<-END
		[black_list]
		$CLIENT4/32
	END
	equal "$KIND: a client on the black list: no TCP" no "$(tcp "$WORLD4")"
	with_acl "$KIND" <<-END
		[reject_all]
		[white_list]
		10.77.1.0/24
	END
	rows yes "$WORLD4"
	with_acl "$KIND" <<-END
		[reject_all]
		[white_list]
		192.0.2.0/24
	END
	equal "$KIND: a client that is on no white list: no TCP" no "$(tcp "$WORLD4")"
done

# Ours alone.
KIND=gatun
with_acl gatun <<-END
	[black_list]
	$CLIENT4
END
equal "a client on the black list: a reset, before anything is read" ECONNRESET "$(exec_in client "$PYTHON" -c "
import socket, errno
s = socket.create_connection(('$SERVER4', $SERVER_PORT)); s.settimeout(5)
try: print(s.recv(1) or 'EOF')
except OSError as e: print(errno.errorcode[e.errno])")"
equal "nor UDP" no "$(udp "$WORLD4")"
lab_end "$SERVER_PID"
matches "both are counted" "ended:.* denied=[1-9].* dropped_acl=[1-9]" "$LAB_LOGS/server.gatun.log"
SERVER_PID=

with_acl gatun <<-END
	[outbound_block_all]
	[outbound_allow_list]
	||web.lab
	$WORLD6
END
rows yes web.lab "$WORLD6"
rows no "$WORLD4" other.lab "$OTHER6"
equal "a name in digits is an address" no "$(tcp "$OTHER4")"
lab_end "$SERVER_PID"
matches "what a list refuses ends as denied, and datagrams are counted" "ended:.* denied=[1-9].* dropped_acl=[1-9]" "$LAB_LOGS/server.gatun.log"
SERVER_PID=

with_acl gatun <<-END
	[outbound_block_list]
	$OTHER4
END
with_local "$SERVER6"
rows no web.lab
equal "and not the list of all" yes "$(tcp "$OTHER4")"

# Read again: what the file says now holds for new flows; a broken one changes nothing.
with_acl gatun <<-END
	[outbound_block_list]
	$OTHER4
END
with_local "$SERVER4"
equal "before a reload" "no yes" "$(tcp "$OTHER4") $(tcp "$WORLD4")"
printf '[outbound_block_list]\n%s\n' "$WORLD4" >"$LAB_LOGS/server.acl"
kill -HUP "$SERVER_PID"
lab_wait "the reload" eval '[ "$(tcp "$WORLD4")" = no ]'
equal "after it" yes "$(tcp "$OTHER4")"
echo '[no_such_list]' >"$LAB_LOGS/server.acl"
kill -HUP "$SERVER_PID"
lab_wait "the refusal of a broken one" grep -q "no list is called" "$LAB_LOGS/server.gatun.log"
equal "which changes nothing" "yes no" "$(tcp "$OTHER4") $(tcp "$WORLD4")"

printf '[bypass_list]\n10.0.0.0/8/8\n[no_such_list]\n' >"$LAB_LOGS/bad.acl"
exec_in server "$GATUN" server -s "$SERVER4:8390" -m "$METHOD" -k "$KEY" --acl "$LAB_LOGS/bad.acl" 2>"$LAB_LOGS/bad.txt"
equal "a broken list is a broken config" 3 $?
matches "and every bad line is named" "bad.acl:3:1: error: no list is called \[no_such_list\]" "$LAB_LOGS/bad.txt"

lab_end "$LOCAL_PID"
finish
