#!/bin/bash
# Where the rules of a `gatun up` stand and nobody carries what they take, `gatun status` says so and
# what to do; `gatun down` says to him who may not that it is root's to do.
. "$(dirname "$0")/up_lib.sh"
LAB_CAPTURE=stray
begin_up "$0" "$@"
lab_end "$SERVER_PID" # whose `status` would be here, too
SERVER_PID=

# said TEXT PATTERN COMMAND...
said()
{
	local text=$1 pattern=$2
	shift 2
	inside client "$@" >"$LAB_LOGS/said.log" 2>&1
	matches "$text" "$pattern" "$LAB_LOGS/said.log"
}
quiet()
{
	inside client "$GATUN" status >"$LAB_LOGS/said.log" 2>&1
	check "$1" eval '! grep -q "rules of a" "$LAB_LOGS/said.log"'
}

quiet "nothing was up: status has nothing to say of rules"
gate_up --kill-switch
quiet "nor while it is up"
gate_down --keep-guard
lab_gone "$UP_PID"
said "the kill switch has stayed: status says so, and how it is lifted" "rules of a .gatun up. stand here" "$GATUN" status
gate_up --mode tproxy
lab_kill "$UP_PID"
said "killed, too" "sudo gatun down" "$GATUN" status
if [ "$(id -u)" = 0 ]; then
	said "who may not take it back hears who may" "gatun down: CAP_NET_ADMIN is missing.*run it as root" setpriv --reuid 65534 --clear-groups "$GATUN" down
fi
gate_down
quiet "and after down no more"
finish_up
