#!/bin/bash
# gatun run itself dies in the middle of an upload (kill -9): to the target that is a reset,
# never a clean end, so that a truncated upload does not look complete.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

# uploading KEY: sends for as long as it can
uploading()
{
	EXEC=exec through bash -c "exec 3<>/dev/tcp/$WORLD4/7013; echo $1 >&3; head -c 1000000 /dev/zero >&3; echo >$LAB_LOGS/flowing; exec cat /dev/zero >&3"
}

outcomes=
for round in 1 2 3 4 5; do
	rm -f "$LAB_LOGS/flowing"
	uploading "cut$round" &
	disown # the shell has nothing to say when it is killed
	lab_wait "the upload" test -e "$LAB_LOGS/flowing"
	lab_kill $!
	outcomes+="$(direct $PROBE told "$WORLD4" "cut$round" | awk '{ print $3 }')|"
done
equal "five uploads whose gatun is killed: ECONNRESET at the target" \
	"$(printf 'ECONNRESET|%.0s' 1 2 3 4 5)" "$outcomes"

finish
