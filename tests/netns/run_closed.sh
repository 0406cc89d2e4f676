#!/bin/bash
# Where a machine closes /dev/net/tun or namespaces, `gatun run` says in one line
# which, why, and the command that opens it; and where there is another way, it
# takes it. The command does not start.
. "$(dirname "$0")/lib/run.bash"
[ "$(id -u)" -eq 0 ] || { echo "skipped: closing things needs root"; exit 77; }

# told SENTENCE PATTERN COMMAND...: 125, one line, which holds the pattern.
told()
{
	local sentence=$1 pattern=$2
	shift 2
	"$@" >"$TMP/out" 2>"$TMP/err"
	same "$sentence: 125" 125 $?
	if one_line "$TMP/err" && grep -qE -- "$pattern" "$TMP/err"; then
		ok "one line says so, with the way out: $(sed 's/^gatun: //;s/\(.\{70\}\).*\(.\{50\}\)$/\1 ... \2/' "$TMP/err")"
	else
		bad "one line says so, with the way out"
		cat "$TMP/err"
	fi
	check "the command did not start" not grep -q started "$TMP/out"
}

# in_mounts SCRIPT COMMAND...: the script changes a private copy of the mounts first.
in_mounts() { unshare -m bash -c "mount --make-rprivate / && $1"' && shift && exec "$@"' in_mounts "$@"; }
# Keeps 'unshare' from reading the sentence as its own.
plain="setpriv --reuid $USER_ID --regid $GROUP_ID --clear-groups"
started() { echo "$GATUN run $URL -- echo started"; }

own_node="mount -t tmpfs t $TMP/mnt && mknod -m 666 $TMP/mnt/tun c 10 200 && mount --bind $TMP/mnt/tun /dev/net/tun"
told "/dev/net/tun closed to a plain user" '/dev/net/tun is closed to this user .*sudo chmod 666 /dev/net/tun' \
	in_mounts "$own_node && chmod 600 $TMP/mnt/tun" $plain $(started)
told "/dev/net/tun missing" '/dev/net/tun does not exist.*mknod' \
	in_mounts "mount -t tmpfs t /dev/net" $(started)
told "/dev/net/tun on a file system without devices" '/dev/net/tun is closed by its file system \(nodev\).*findmnt -T' \
	in_mounts "mount -t tmpfs -o nodev t $TMP/mnt && mknod -m 666 $TMP/mnt/tun c 10 200 && mount --bind $TMP/mnt/tun /dev/net/tun" $(started)
told "something else at /dev/net/tun" '/dev/net/tun is not the TUN device.*mknod' \
	in_mounts "touch $TMP/file && mount --bind $TMP/file /dev/net/tun" $(started)

told "root without capabilities" 'root without capabilities.*run it as a plain user' \
	setpriv --bounding-set -all --inh-caps -all $(started)

# Containers cover parts of /proc, and the kernel then refuses a fresh one, if it
# finds none that is whole.
covered='{ findmnt -rnt proc -o TARGET | grep -vx /proc | xargs -r umount -l; } && mount --bind /dev/null /proc/version'
in_mounts "$covered" $(started) >"$TMP/out" 2>"$TMP/err"
same "where /proc cannot be mounted anew the command runs" "0 started" "$? $(cat "$TMP/out")"
check "one line says what it sees" grep -q 'cannot mount /proc anew' "$TMP/err"
same "and it can look into no process of the host by it" "" "$(in_mounts "$covered" \
	$GATUN run $URL -- readlink /proc/$$/root /proc/$$/ns/net /proc/$$/cwd 2>/dev/null)"

# A user namespace of the test's own, where no further one may be made. uid 0 of
# it without capabilities is a plain user.
for kind in user net mnt pid; do
	told "$kind namespaces off" "namespaces are off \(user.max_${kind}_namespaces=0\).*sudo sysctl -w user.max_${kind}_namespaces=" \
		unshare -Ur bash -c "echo 0 >/proc/sys/user/max_${kind}_namespaces && exec setpriv --bounding-set -all --inh-caps -all $(started)"
done
"$AS" unshare -Ur bash -c "echo 0 >/proc/sys/user/max_user_namespaces && exec $GATUN run -v $URL -- sh -c 'echo started; ip -o link | wc -l; grep CapEff /proc/self/status; grep NoNewPrivs /proc/self/status; ping -c1 -W3 192.0.0.1 | grep -c ttl='" >"$TMP/out" 2>"$TMP/err"
same "root where user namespaces are off: plain namespaces serve, without capabilities now and later, and with ping" \
	"started 2 CapEff: 0000000000000000 NoNewPrivs: 1 1" "$(xargs <"$TMP/out")"
check "-v says so" grep -q 'user namespaces are closed here' "$TMP/err"

# A seccomp filter as containers have it: clone() with namespaces is EPERM.
cat >"$TMP/forbid.c" <<'C'
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
/* forbid clone|ipv6 COMMAND...: clone() with CLONE_NEWUSER is EPERM, or socket(AF_INET6) EAFNOSUPPORT. */
int main(int argc, char **argv)
{
	int ipv6 = argv[1][0] == 'i';
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ipv6 ? SYS_socket : SYS_clone, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, ipv6 ? 1 : 0, 0),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_NEWNS, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (ipv6 ? EAFNOSUPPORT : EPERM)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { sizeof(f) / sizeof(f[0]), f };
	if (argc < 3 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p))
		return 99;
	execvp(argv[2], argv + 2);
	return 99;
}
C
if cc -o "$TMP/forbid" "$TMP/forbid.c" 2>"$TMP/log"; then
	told "namespaces forbidden by a container's filter" 'namespaces are forbidden here.*--privileged' \
		"$TMP/forbid" clone $(started)
	"$TMP/forbid" ipv6 "$GATUN" run "$URL" -- sh -c 'ip -4 route show default; ip -6 route show default' >"$TMP/out" 2>"$TMP/err"
	same "a kernel without IPv6: the command runs" 0 $?
	same "and has IPv4" 1 "$(grep -c 'default via' "$TMP/out")"
	check "a line says so" grep -q 'IPv6 is off in this kernel' "$TMP/err"
	check "and no other line" one_line "$TMP/err"
fi
