#!/bin/bash
# Under `gatun up` an application has the machine's own address. When that goes and comes back, a download that
# only listens is not left waiting: the reset that it could not hear is told again. Both families, by a TUN.
. "$(dirname "$0")/up_lib.sh"
begin_up "$0" "$@"

# listens FAMILY: opens a connection, says one line, then only listens; what it hears in listens.FAMILY
listens()
{
	inside client "$PYTHON" -c '
import errno, socket, sys
sock = socket.create_connection((sys.argv[1], 7013), 10)
sock.sendall(b"listens%s\n" % sys.argv[3].encode())
open(sys.argv[2] + ".open", "w").close()
sock.settimeout(20)
try:
    word = "EOF" if not sock.recv(1) else "data"
except TimeoutError:
    word = "nothing"
except OSError as error:
    word = errno.errorcode[error.errno]
with open(sys.argv[2], "w") as f:
    f.write(word)' "$2" "$LAB_LOGS/listens.$1" "$1" &
	LISTENERS+=($!)
	lab_wait "the listening application" test -e "$LAB_LOGS/listens.$1.open"
}

addresses_go() { ip -n client addr del "$CLIENT4/24" dev uplink && ip -n client addr del "$CLIENT6/64" dev uplink; }
addresses_come()
{
	ip -n client addr add "$CLIENT4/24" dev uplink && ip -n client addr add "$CLIENT6/64" dev uplink nodad &&
	ip -n client route replace default via "$ROUTER4" && ip -n client -6 route replace default via "$ROUTER6"
}
is_told() { grep -q "an address is gone.*address=$CLIENT4" "$LAB_LOGS/up.log"; }

LISTENERS=()
gate_up --mode tun
listens 4 "$WORLD4"
listens 6 "$WORLD6"
addresses_go || lab_die "the addresses do not go"
lab_wait "the end of what went from there" is_told
addresses_come || lab_die "the addresses do not come back"
wait "${LISTENERS[@]}"
equal "a download whose address went and came back is reset, not left waiting, IPv4" ECONNRESET "$(cat "$LAB_LOGS/listens.4")"
equal "a download whose address went and came back is reset, not left waiting, IPv6" ECONNRESET "$(cat "$LAB_LOGS/listens.6")"
is "and new connections work" "answer:right then:EOF" half-close @
finish_up
