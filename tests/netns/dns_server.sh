#!/bin/bash
# Names at the far end: what `gatun server` finds in its hosts file and asks of its
# resolv.conf, and that it follows both when they change.

. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

RUN_OPTIONS="--dns fake"
HOSTS=$LAB_LOGS/hosts
RESOLV=$LAB_LOGS/resolv.conf

# The server sees a resolv.conf of its own: ip netns exec has given it a mount namespace.
PROGRAM=$GATUN
GATUN=$LAB_LOGS/gatun
cat >"$GATUN" <<END
#!/bin/bash
[ "\$1" != server ] || mount --bind "$RESOLV" /etc/resolv.conf || exit 1
exec "$PROGRAM" "\$@"
END
chmod +x "$GATUN"

# says NAME: the line that the world's service at NAME answers, or nothing
says()
{
	through python3 -c "
import socket, sys
conn = socket.create_connection((sys.argv[1], 7010), 15)
conn.sendall(b'you\n')
print(conn.recv(100).decode().strip())" "$1" 2>/dev/null
}

soon()
{
	local tries=0
	until [ "$(says "$1")" = "hello you" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 30 ] || return 1
	done
}

echo "nameserver $OTHER4" >"$RESOLV" # no DNS there
printf '%s\n' "# of the test" "$WORLD4 first.lab second.lab" "$WORLD6 six.lab" >"$HOSTS"
use_server gatun "$SERVER4" --hosts "$HOSTS"

equal "a name of the hosts file is reached" "hello you" "$(says first.lab)"
equal "every name of its line" "hello you" "$(says second.lab)"
equal "one that has only IPv6" "hello you" "$(says six.lab)"
equal "a name that no DNS server answers for is an error" "" "$(says web.lab)"
echo "nameserver $WORLD4" >"$RESOLV"
check "a changed resolv.conf is followed" soon web.lab
equal "any other name is asked of resolv.conf's server" "hello you" "$(says web.lab)"
equal "UDP to a name too" "echo" "$(through python3 "$TESTS_DIR/dns/probe.py" udp 4 web.lab 7001)"
equal "a name that does not exist is a reset, not an empty answer" "ECONNRESET" \
	"$(through python3 -c "
import socket, errno
conn = socket.create_connection(('nothing.lab', 7010), 15)
try:
    conn.sendall(b'you\n')
    print('data %r' % conn.recv(100))
except OSError as error:
    print(errno.errorcode[error.errno])")"
matches "and the server's log says that it was the name" 'flow ended .*end=name' "$LAB_LOGS/server.log"

echo "$WORLD4 third.lab" >"$HOSTS.new" && mv "$HOSTS.new" "$HOSTS"
check "a changed hosts file is followed" soon third.lab
equal "and what it no longer names is gone" "" "$(says second.lab)"
echo "broken" >"$HOSTS"
sleep 1.1 # the file is looked at once a second
equal "a hosts file with an error changes nothing" "hello you" "$(says third.lab)"
matches "and the log says where it is" "$HOSTS:1: " "$LAB_LOGS/server.log"

equal "no name is asked for by the client's machine" 0 "$(lab_packets uplink "port 53")"

lab_end "$SERVER_PID"
SERVER_PID=
printf '%s\n' "$WORLD4 good.lab" "not.an.address bad.lab" >"$HOSTS"
found=$(inside server "$GATUN" server -s "$SERVER" -m "$METHOD" -k "$KEY" --hosts "$HOSTS" 2>&1)
status=$?
check "a hosts file with an error stops the start" [ "$status" -ne 0 ]
case $found in
*"$HOSTS:2: "*) ok "and its line is named" ;;
*) fail "and its line is named" "$found" ;;
esac
finish
