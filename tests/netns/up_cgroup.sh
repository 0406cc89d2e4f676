#!/bin/bash
# Only a control group, or all but one: its programs' traffic goes the way that was said, everybody else's the other.
. "$(dirname "$0")/up_lib.sh"
UPLINK_CHECKED=no
begin_up "$0" "$@"

# A mount of the test's own, and a group of its own in it, which goes with it. Groups are the machine's: another
# run, or what was left of one that was killed, has another name ($$ is 1 in every lab).
GROUP= ROOT=$(mktemp -d)
leave() { [ -z "$GROUP" ] || rmdir "$ROOT/$GROUP"; umount "$ROOT"; rmdir "$ROOT"; } 2>/dev/null
trap leave EXIT
mount -t cgroup2 lab "$ROOT" 2>/dev/null || lab_skip "cgroup2 cannot be mounted here"
GROUP=$(mktemp -d "$ROOT/gatun-test-XXXXXXXX" 2>/dev/null) || lab_skip "no control group can be made here"
GROUP=${GROUP##*/}

# What enters a namespace gets a /sys without the mount where gatun and nft look for it.
cat >"$LAB_LOGS/gatun" <<END
#!/bin/sh
mount -t cgroup2 lab /sys/fs/cgroup && exec "$GATUN" "\$@"
END
chmod +x "$LAB_LOGS/gatun"

# member COMMAND...: in client, in the group. other COMMAND...: in client, not in it
member() { (echo "$BASHPID" >"$ROOT/$GROUP/cgroup.procs" && EXEC=exec exec_in client "$@") 2>>"$LAB_LOGS/app.log"; }
other() { exec_in client "$@" 2>>"$LAB_LOGS/app.log"; }

# asks WHO: what it hears by TCP and UDP in both families
asks()
{
	local at
	for at in "$WORLD4" "$WORLD6"; do
		"$1" $PROBE half-close "$at" 100000
		[ "$MODE" = redirect ] || "$1" $PROBE udp-connected "$at"
	done | paste -sd' '
}

# goes WHO WHERE TEXT: natively (past), or through the tunnel (in)
goes()
{
	local words="answer:right then:EOF"
	[ "$MODE" = redirect ] || words="$words ask"
	count_strays
	equal "$3: it is answered" "$words $words" "$(asks "$1")"
	count_strays
	if [ "$2" = in ]; then
		equal "$3: nothing goes past the tunnel" 0 "$STRAYED"
	else
		check "$3: it goes past the tunnel" [ "$STRAYED" -gt 0 ]
	fi
}

for MODE in tun tproxy redirect; do
	GATUN=$LAB_LOGS/gatun gate_up --mode $MODE --dns off --cgroup "$GROUP"
	goes member in "$MODE, --cgroup: who is in it"
	goes other past "$MODE, --cgroup: who is not"
	gate_down
	lab_gone "$UP_PID"
	GATUN=$LAB_LOGS/gatun gate_up --mode $MODE --dns off --not-cgroup "/$GROUP"
	goes member past "$MODE, --not-cgroup: who is in it"
	goes other in "$MODE, --not-cgroup: who is not"
	gate_down
	lab_gone "$UP_PID"
done

GATUN=$LAB_LOGS/gatun gate_try --cgroup "$GROUP-not"
lab_gone "$UP_PID"
matches "a group that is not there is refused with a line" "there is no cgroup $GROUP-not" "$LAB_LOGS/up.log"
finish_up
