#!/bin/bash
# `--dns off`: gatun leaves port 53 and resolv.conf alone. A query is a datagram like
# any other: it goes through the tunnel to the server that was asked, or nowhere.

. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
lab_need dig

RUN_OPTIONS="--dns off"

asks()
{
	local text=$1 wanted=$2
	shift 2
	equal "$text" "$wanted" "$(through dig +short +tries=1 +time=2 "$@")"
}

no_answer()
{
	! through dig +short +tries=1 +time=1 "@$OTHER4" web.lab >/dev/null
}

equal "resolv.conf is the machine's own" "$(inside client cat /etc/resolv.conf)" "$(through cat /etc/resolv.conf)"
asks "a server answers for itself over UDP" "$WORLD4" "@$WORLD4" web.lab
asks "over TCP" "$WORLD4" +tcp "@$WORLD4" web.lab
asks "by IPv6" "$WORLD6" "@$WORLD6" web.lab AAAA
asks "a PTR is its to answer" "" "@$WORLD4" -x 198.18.0.1
check "an address without a server gives no answer" no_answer
equal "its names are its own: single labels are asked for" "NXDOMAIN" \
	"$(through dig +tries=1 "@$WORLD4" intranet | sed -n 's/.*status: \([A-Z]*\),.*/\1/p')"
equal "no query left by the uplink" 0 "$(lab_packets uplink "port 53")"
finish
