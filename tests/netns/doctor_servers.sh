#!/bin/bash
# `gatun doctor SERVER`: is who has the key welcome there, and by how much do the clocks differ?
. "$(dirname "$0")/up_lib.sh"
begin_up "$0" "$@"
# faketime names its semaphores by PIDs, which other labs have as well.
mount -t tmpfs lab /dev/shm || lab_die "cannot mount a private /dev/shm"
export DONT_FAKE_MONOTONIC=1

# doctor NAME KEY COMMAND...: what doctor says of the server under COMMAND; its exit code in CODE
doctor()
{
	local name=$1 key=$2
	shift 2
	inside client "$@" "$GATUN" doctor -s "$SERVER" -m "$METHOD" -k "$key" --dns "$WORLD4:7001" >"$LAB_LOGS/$name.txt" 2>&1
	CODE=$?
}

not_in() { ! grep -Eq -- "$1" "$2"; }

doctor right "$KEY" env
equal "with the right key \`up\` would work" 0 "$CODE"
matches "the right key: the server accepts it, and its clock agrees" "^ok .*accepts method and password, and its clock agrees" "$LAB_LOGS/right.txt"
KEYS=("$KEY" "$(make_key "$METHOD")" "another password")
doctor wrong "${KEYS[1]}" env
matches "another key: that one of method and password is wrong" "^note .*one of them is wrong .*time zone, were tried" "$LAB_LOGS/wrong.txt"
check "another key is not called a wrong clock" not_in "the clock of this machine is" "$LAB_LOGS/wrong.txt"

# off OFFSET WORD SIDE PATTERN NAME: with a clock that is wrong by OFFSET
off()
{
	doctor "$5" "$KEY" faketime -f "$1" env
	matches "a clock that is $1 off is said to the second, and on which side" "^$2 .*the clock of this machine is $4 $3 that of server" "$LAB_LOGS/$5.txt"
	matches "a clock that is $1 off: how to mend it" "timedatectl set-ntp true" "$LAB_LOGS/$5.txt"
}

if sanitized; then
	skip "clocks that are off: libfaketime and AddressSanitizer do not go together (unit.doctor_ask has them)"
elif ! command -v faketime >/dev/null; then
	skip "clocks that are off: there is no faketime"
else
	off +20s note "ahead of" "(19|2[0-9]) s" a_little
	equal "with a clock that is 20 s off \`up\` would work" 0 "$CODE"
	off -140s BAD behind "1(3[0-9]|40) s" minutes
	equal "with a clock that is minutes off it would fail" 1 "$CODE"
	off +7200s BAD "ahead of" "7(199|20[0-9]) s .[12] h .. min." zone
	equal "with a clock that is hours off it would fail" 1 "$CODE"
	check "hours: the worst is said first" grep -q "^BAD .*the clock" <(head -n 1 "$LAB_LOGS/zone.txt")
	doctor unset "$KEY" faketime "1970-01-02 00:00:00" env
	matches "a clock that was never set is called that" "^BAD .*never set" "$LAB_LOGS/unset.txt"
	equal "with a clock that was never set it would fail" 1 "$CODE"
fi

METHOD=aes-256-gcm KEY=
use_server gatun
KEYS+=("$KEY")
doctor first "$KEY" env
matches "the first generation: the server accepts method and password" "^ok .*accepts method and password" "$LAB_LOGS/first.txt"
doctor first_wrong "another password" env
matches "the first generation, another password: that one is wrong" "^note .*one of them is wrong" "$LAB_LOGS/first_wrong.txt"
check "no clock is spoken of there" not_in "clocks that are off" "$LAB_LOGS/first_wrong.txt"
for file in right wrong first first_wrong; do
	check "no key is shown ($file)" eval '! printf "%s\n" "${KEYS[@]}" | grep -qFf - "$LAB_LOGS/$file.txt"'
done

UPLINK_CHECKED=no # what doctor asks is not the tunnel's
finish_up
