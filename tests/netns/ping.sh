#!/bin/bash
# ping: the gateway answers for its own addresses. For others Shadowsocks has no word:
# whatever gatun says of them, it does not let the packet out.
. "$(dirname "$0")/lib.sh"
lab_need ping
begin "$0" "$@"

# pings ADDRESS [OPTION...]: received/sent
pings()
{
	through ping -n -c 3 -i 0.1 -W 2 "${@:2}" "$1" | sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\2 of \1/p'
}

gateway4=$(through ip -4 route show default | sed -n 's/.* via \([^ ]*\).*/\1/p')
gateway6=$(through ip -6 route show default | sed -n 's/.* via \([^ ]*\).*/\1/p')
equal "ping of the gateway, IPv4 ($gateway4)" "3 of 3" "$(pings "${gateway4:-192.0.0.1}")"
equal "ping of the gateway, IPv6 ($gateway6)" "3 of 3" "$(pings "${gateway6:-fd67:6174:756e::1}")"
equal "ping of the gateway with 8,000 bytes, which IP fragments" "3 of 3" "$(pings "${gateway4:-192.0.0.1}" -s 8000)"
through $PROBE udp-connected "$WORLD4" >"$LAB_LOGS/tunnel" # so that the uplink has seen the tunnel at all
through ping -n -c 1 -W 1 "$WORLD4" >"$LAB_LOGS/other4" 2>&1
through ping -n -c 1 -W 1 "$WORLD6" >"$LAB_LOGS/other6" 2>&1
equal "the world was pinged by nobody" 0 "$(inside world awk '/^Icmp:/ && $9 ~ /^[0-9]+$/ { print $9 }' /proc/net/snmp)"

finish
