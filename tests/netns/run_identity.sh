#!/bin/bash
# The command of `gatun run` is who it would be without: user, directory,
# environment, limits, descriptors, terminal; and it holds no capability.
. "$(dirname "$0")/lib/run.bash"

# state COMMAND-PREFIX...: everything that a command can tell of itself.
probe='
	id -u; id -g; id -ru; id -rg; pwd; umask; ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc
	env | grep -v ^_= | sort
	grep -E "^Sig(Blk|Ign)" /proc/self/status
	for fd in /proc/self/fd/*; do
		test -e "$fd" && echo "$(basename "$fd") $(stat -Lc "%F %i" "$fd")"
	done | grep -v " directory "
	nice; cut -d" " -f19 /proc/self/stat'

outside() { cd /usr/lib && umask 027 && ulimit -Sc 1000 -Sn 512 && A="1
2" "$AS" bash -c "$probe" 7</etc/hostname; }
inside() { cd /usr/lib && umask 027 && ulimit -Sc 1000 -Sn 512 && A="1
2" run bash -c "$probe" 7</etc/hostname; }

identity()
{
	(outside) >"$TMP/outside" 2>&1 </dev/null
	(inside) >"$TMP/inside" 2>&1 </dev/null
	check "uid, gid, directory, umask, limits, environment, signals and open files are as outside" \
		diff <(sed 's/^\([012]\) .*/\1/' "$TMP/outside") <(sed 's/^\([012]\) .*/\1/' "$TMP/inside")
	check "that comparison compared something" [ "$(wc -l <"$TMP/inside")" -gt 20 ]
	same "stdin and stdout are the caller's" "in and out" "$(echo "in and out" | run cat)"
	same "an inherited file can be read" "$(cat /etc/hostname)" "$(run cat /proc/self/fd/7 7</etc/hostname)"
	same "a descriptor that was closed is closed" closed \
		"$(run bash -c '[ -e /proc/self/fd/0 ] || echo closed' 0<&-)"
	same "the command has no capability" 0000000000000000 \
		"$(run grep -hE 'Cap(Inh|Prm|Eff|Amb)' /proc/self/status | cut -f2 | sort -u)"
	same "and gets none from exec, as uid 0 neither" 0000000000000000 \
		"$(run sh -c 'sh -c "grep -hE Cap.Eff\|CapEff /proc/self/status"' | cut -f2 | sort -u)"
	check "the bounding set stays" run sh -c '[ "$(sed -n "s/CapBnd:\t//p" /proc/self/status)" != 0000000000000000 ]'
	check "the caller's own files are his inside" run sh -c 'test -O "$0"' "$("$AS" mktemp "$TMP/mnt/../own.XXXXXX" 2>/dev/null || echo /proc/self)"
}
chmod 1777 "$TMP"
for_each_user identity

nohup_probe() { (trap '' HUP; run grep SigIgn /proc/self/status) | sed 's/.*\(.\)$/\1/'; }
check "nohup: SIGHUP stays ignored" [ $((0x$(nohup_probe) & 1)) -eq 1 ]
