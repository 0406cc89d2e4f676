#!/bin/bash
# The command of `gatun run` has no way out but the tunnel: not to the host's
# loopback, not by a descriptor, not by another namespace, not by root's tricks
# in a namespace of its own.
. "$(dirname "$0")/lib/run.bash"

PORT=$((10000 + $$ % 20000)) # below those that clients get
cat >"$TMP/host.py" <<'P'
# Listens on loopback in both families and on an abstract AF_UNIX name.
import socket, sys, select
port, name = int(sys.argv[1]), sys.argv[2]
socks = []
for family, address in ((socket.AF_INET, ("127.0.0.1", port)), (socket.AF_INET6, ("::1", port)),
                        (socket.AF_UNIX, "\0" + name), (socket.AF_UNIX, sys.argv[3])):
    s = socket.socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(address)
    s.listen()
    socks.append(s)
print("ready", flush=True)
while True:
    for s in select.select(socks, [], [])[0]:
        c = s.accept()[0]
        c.sendall(b"hello from the host\n")
        c.close()
P
cat >"$TMP/ask.py" <<'P'
# ask.py FAMILY ADDRESS [PORT]: prints what the other side says; fails as connect fails.
import socket, sys
family, where = sys.argv[1], sys.argv[2:]
s = socket.socket({"4": socket.AF_INET, "6": socket.AF_INET6, "u": socket.AF_UNIX}[family])
s.settimeout(3)
s.connect((where[0], int(where[1])) if family != "u" else where[0].replace("@", "\0"))
sys.stdout.write(s.recv(100).decode())
P
python3 "$TMP/host.py" "$PORT" "gatun-$$" "$TMP/socket" >"$TMP/host.out" 2>&1 &
HOST=$!
cleanup() { kill "$HOST" 2>/dev/null; wait "$HOST" 2>/dev/null; }
await 5 grep -q ready "$TMP/host.out" || { cat "$TMP/host.out"; exit 1; }
chmod 666 "$TMP/socket"
HELLO="hello from the host"
ask() { python3 "$TMP/ask.py" "$@" 2>/dev/null; }
ask_inside() { run python3 "$TMP/ask.py" "$@" 2>/dev/null; }

same "the host's service answers outside, IPv4 (what follows asks the same)" "$HELLO" "$(ask 4 127.0.0.1 $PORT)"
same "and IPv6" "$HELLO" "$(ask 6 ::1 $PORT)"
same "and on an abstract socket" "$HELLO" "$(ask u "@gatun-$$")"

reach()
{
	same "loopback inside is not the host's, IPv4" "" "$(ask_inside 4 127.0.0.1 $PORT)"
	same "nor IPv6" "" "$(ask_inside 6 ::1 $PORT)"
	same "abstract AF_UNIX sockets of the host are not there" "" "$(ask_inside u "@gatun-$$")"
	same "those with a path are (the man page says so)" "$HELLO" "$(ask_inside u "$TMP/socket")"
	same "lo and the tunnel are all the devices there are" "gatun0 lo" \
		"$(run sh -c "tail -n +3 /proc/net/dev" | sed 's/:.*//;s/ //g' | sort | tr '\n' ' ' | sed 's/ $//')"
	same "one default route for IPv4, into the tunnel" "default gatun0" \
		"$(run ip -4 route show default | sed 's/ via .* dev \([^ ]*\).*/ \1/')"
	same "one for IPv6" "default gatun0" \
		"$(run ip -6 route show default | sed 's/ via .* dev \([^ ]*\).*/ \1/')"
	check "the IPv6 address is usable at once" run python3 -c '
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("fd67:6174:756e::2", 0))
s.connect(("2001:db8::1", 9))'
	check "loopback inside works" run python3 -c '
import socket
s = socket.create_server(("127.0.0.1", 0))
socket.create_connection(s.getsockname()).close()'
}
for_each_user reach

# Descriptors. The host's listener would accept from anywhere: hand its socket in.
inherited()
{
	python3 -c '
import os, socket, subprocess, sys
port, script = int(sys.argv[1]), sys.argv[2]
fds = [socket.create_connection(("127.0.0.1", port)), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
       socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)]
if os.getuid() == 0:
    fds.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
pair = socket.socketpair()
for i, s in enumerate(fds):
    os.dup2(s.fileno(), 40 + i)
os.dup2(pair[0].fileno(), 50)
sys.exit(subprocess.call(sys.argv[2:], pass_fds=list(range(40, 40 + len(fds))) + [50]))
' "$PORT" bash -c "$(declare -f as_user as_self run); as_user_script='$as_user_script' TMP='$TMP' AS=$AS GATUN='$GATUN' URL='$URL'
		run sh -c 'ls /proc/self/fd'" >"$TMP/fds" 2>"$TMP/err"
	same "inherited IP, packet and netlink sockets are closed" "" "$(grep -x '4[0-9]' "$TMP/fds" | tr '\n' ' ')"
	check "one line says which" grep -q '40 (IPv4 TCP), 41 (IPv6 UDP), 42 (netlink)' "$TMP/err"
	check "and no other line" one_line "$TMP/err"
	check "an inherited AF_UNIX socket stays" grep -qx 50 "$TMP/fds"
}
for_each_user inherited

tricks()
{
	same "a descriptor of the host's network namespace cannot be entered" "" \
		"$(run nsenter --net=/proc/self/fd/9 ip -o link show 9</proc/self/ns/net 2>/dev/null)"
	check "the host's processes are not to be seen" \
		run sh -c '[ "$(ls -d /proc/[0-9]* | wc -l)" -le 6 ] && [ "$(cat /proc/1/comm)" = gatun-init ]'
	check "init cannot be killed by the command" run sh -c 'kill -9 1; kill -TERM 1; sleep 0.1; exit 0'
	same "nor looked into: no environment, no memory, no files" "0 0 0" "$(run sh -c '
		cat /proc/1/environ 2>/dev/null | wc -c; head -c 1 /proc/1/mem 2>/dev/null | wc -c
		readlink /proc/1/fd/* /proc/1/exe /proc/1/cwd /proc/1/root 2>/dev/null | wc -l' | xargs)"
	same "nor traced" "init: Operation not permitted, a process of its own: Success" "$(run python3 -c '
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
def attach(pid):
    ctypes.set_errno(0)
    libc.ptrace(16, pid, 0, 0)	# PTRACE_ATTACH
    return os.strerror(ctypes.get_errno())
child = os.fork()
if child == 0:
    time.sleep(10)
    os._exit(0)
print("init: %s, a process of its own: %s" % (attach(1), attach(child)))
os.kill(child, 9)')"
	# root of a namespace of one's own: what it may there, it may not take back.
	# (Root without capabilities cannot map uid 0, and so has no such namespace.)
	if run unshare -Urm true 2>/dev/null; then
		same "root in a nested namespace finds the same two devices" "gatun0 lo" \
			"$(run unshare -Urm sh -c "tail -n +3 /proc/net/dev" | sed 's/:.*//;s/ //g' | sort | xargs)"
		check "he cannot change the tunnel's route" not run unshare -Ur ip route del default
		check "he cannot uncover the host's /proc" not run unshare -Urm umount /proc
		check "he cannot uncover the host's resolv.conf" not run unshare -Urm umount /etc/resolv.conf
		check "a network namespace of his has no network at all" not run unshare -Urn ip route get 192.0.2.1
	fi
}
for_each_user tricks
