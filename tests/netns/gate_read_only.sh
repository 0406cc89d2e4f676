#!/bin/bash
# /run turns read-only, as a file system with errors does, while gatun is up: everything is taken back all the same.
. "$(dirname "$0")/up_lib.sh"
begin_up "$0" "$@"

# The files of state are apart: they are what cannot be removed.
snapshot_apart()
{
	snapshot "$1"
	sed -i '/^## state/,$d' "$1"
}

read_only()
{
	mount --bind /run/gatun /run/gatun && mount -o remount,bind,ro /run/gatun || lab_die "/run/gatun cannot be made read-only"
}

writable() { umount /run/gatun || lab_die "/run/gatun stays read-only"; }

# left_by NAME TEXT: what `down` says there, and what is left
left_by()
{
	gate_down
	equal "$2: down says that nothing is up any more" 0 $?
	snapshot_apart "$LAB_LOGS/$1"
	same_snapshot "$2: rules, routes, nft, sysctls are as before" "$LAB_LOGS/before" "$LAB_LOGS/$1"
	matches "$2: the file that stays is named" "/run/gatun/up-[0-9]+\.json.* cannot be removed.*EROFS" "$LAB_LOGS/down.log"
}

mkdir -p /run/gatun
snapshot_apart "$LAB_LOGS/before"
for mode in tproxy tun; do
	: >"$LAB_LOGS/down.log"
	gate_up --mode "$mode" --kill-switch
	read_only
	if [ "$mode" = tproxy ]; then
		lab_kill "$UP_PID" # never to say good-bye
		left_by killed "killed, then read-only"
	else
		left_by asked "asked to end, read-only"
		check "asked to end, read-only: it has ended" eval '! kill -0 "$UP_PID" 2>/dev/null'
	fi
	gate_try --mode "$mode"
	lab_wait "gatun up" eval '! kill -0 "$UP_PID" 2>/dev/null'
	matches "up says what it cannot write" "/run/gatun.*EROFS" "$LAB_LOGS/up.log"
	snapshot_apart "$LAB_LOGS/refused"
	same_snapshot "a refused up has changed nothing" "$LAB_LOGS/before" "$LAB_LOGS/refused"
	writable
	gate_down
	check "once it is writable, down removes the file" eval '! ls /run/gatun/up-*.json 2>/dev/null | grep -q .'
done
no_strays "nothing left by the uplink past the tunnel"
UPLINK_CHECKED=no # and nothing was sent through it
finish_up
