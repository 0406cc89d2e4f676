#!/bin/bash
# Names inside `gatun run`: /etc/resolv.conf names the gateway whatever the host's
# looks like, and the resolvers of the host that answer over AF_UNIX, from
# outside the tunnel, are out of reach. Nothing of this is seen outside.
. "$(dirname "$0")/lib/run.bash"
[ "$(id -u)" -eq 0 ] || { echo "skipped: dressing /etc and /run up needs root"; exit 77; }

GATEWAY=192.0.0.1
cat >"$TMP/resolver.py" <<'P'
# A resolver of the host: says so to whoever reaches it.
import os, socket, sys, threading
def serve(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    os.chmod(path, 0o666)
    s.listen()
    while True:
        c = s.accept()[0]
        c.sendall(b"reached\n")
        c.close()
for path in sys.argv[1:]:
    threading.Thread(target=serve, args=(path,), daemon=True).start()
threading.Event().wait()
P
cat >"$TMP/reach.py" <<'P'
import socket, sys
for path in sys.argv[1:]:
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(path)
        print(path, s.recv(20).decode().strip())
    except OSError as e:
        print(path, "refused")
P
SOCKETS="/run/nscd/socket /run/systemd/resolve/io.systemd.Resolve /run/avahi-daemon/socket"

# dressed SCRIPT COMMAND...: /etc and /run are private copies, changed by the script.
dressed()
{
	unshare -m bash -c '
		mount --make-rprivate / && mount -t tmpfs t "$1" && mkdir "$1/etc" "$1/run" && cp -a /etc/. "$1/etc" &&
		mount --bind "$1/run" /run && mount --bind "$1/etc" /etc && umount -l "$1" || exit 99
		eval "$2" || exit 99
		shift 2
		"$@"
		status=$?
		[ -z "${RESOLVER:-}" ] || kill "$RESOLVER"
		exit $status' dressed "$TMP/mnt2" "$@"
}
mkdir -p "$TMP/mnt2"

# asks SCRIPT: what the command reads in /etc/resolv.conf.
asks() { dressed "$1" bash -c "$(declare -f as_user as_self run); as_user_script='$as_user_script' TMP='$TMP' AS=$AS GATUN='$GATUN' URL='$URL'
	$2" 2>"$TMP/err"; }
conf() { asks "$1" 'run cat /etc/resolv.conf' | tr '\n' '|'; }

names()
{
	same "a plain resolv.conf: the gateway stands in it, search and options stay" \
		"nameserver $GATEWAY|search a.example b.example|options ndots:2|" \
		"$(conf 'printf "search a.example b.example\nnameserver 10.0.0.53\nnameserver 10.0.0.54\noptions ndots:2\n" >/etc/resolv.conf')"
	same "a link to systemd-resolved's" "nameserver $GATEWAY|search lan|" \
		"$(conf 'mkdir -p /run/systemd/resolve && printf "nameserver 127.0.0.53\nsearch lan\n" >/run/systemd/resolve/stub-resolv.conf
			ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf')"
	same "a link that leads nowhere" "nameserver $GATEWAY|" "$(conf 'ln -sf /run/none/resolv.conf /etc/resolv.conf')"
	same "a link to itself" "nameserver $GATEWAY|" "$(conf 'ln -sf resolv.conf /etc/resolv.conf')"
	same "no resolv.conf" "nameserver $GATEWAY|" "$(conf 'rm /etc/resolv.conf')"
	same "an empty one" "nameserver $GATEWAY|" "$(conf ': >/etc/resolv.conf')"
	same "one that only root may read" "nameserver $GATEWAY|" "$(conf 'printf "nameserver 10.0.0.53\n" >/etc/resolv.conf; chmod 600 /etc/resolv.conf')"
	check "and no line is printed for any of that" [ ! -s "$TMP/err" ]
	same "the rest of /etc is as it was" "$(cat /etc/passwd | cksum)" \
		"$(asks 'rm /etc/resolv.conf' 'run cat /etc/passwd' | cksum)"
	same "--dns off leaves the file alone" "nameserver 10.0.0.53|" \
		"$(asks 'echo nameserver 10.0.0.53 >/etc/resolv.conf' '"$AS" "$GATUN" run --dns off "$URL" -- cat /etc/resolv.conf' | tr '\n' '|')"
}
for_each_user names

start_resolvers='python3 '$TMP/resolver.py' '$SOCKETS' & RESOLVER=$!; n=0
	until [ "$(python3 '$TMP/reach.py' '$SOCKETS' | grep -c reached)" -eq 3 ]; do sleep 0.1; [ $((n += 1)) -lt 100 ] || exit 98; done'
resolvers()
{
	same "nscd, systemd-resolved and avahi do not answer inside" "$(printf '%s refused|' $SOCKETS)" \
		"$(asks "$start_resolvers" "run python3 $TMP/reach.py $SOCKETS" | tr '\n' '|')"
	same "with --dns off neither" "$(printf '%s refused|' $SOCKETS)" \
		"$(asks "$start_resolvers" "\"\$AS\" \"\$GATUN\" run --dns off \"\$URL\" -- python3 $TMP/reach.py $SOCKETS" | tr '\n' '|')"
	same "outside they do, then and after" "$(printf '%s reached|' $SOCKETS)" \
		"$(asks "$start_resolvers" "run true; python3 $TMP/reach.py $SOCKETS" | tr '\n' '|')"
}
for_each_user resolvers
