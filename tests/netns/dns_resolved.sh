#!/bin/bash
# systemd-resolved, the real one with a bus of its own, under gatun up: it is told to ask by the TUN
# for every name, asks nobody by the uplink, and has back what it had when gatun goes.
. "$(dirname "$0")/up_lib.sh"
RESOLVED=${RESOLVED:-/lib/systemd/systemd-resolved}
[ -x "$RESOLVED" ] || lab_skip "systemd-resolved is not installed"
[ "$(id -u)" -eq 0 ] || lab_skip "systemd-resolved wants root to become its own user"
lab_need dig curl dbus-daemon resolvectl
begin_up "$0" "$@"
UPLINK_CHECKED=no # it asks by the uplink, before
lab_start_web
printf '%s web.lab\n' "$WORLD4" >"$LAB_LOGS/hosts"
use_server gatun "$SERVER4" --hosts "$LAB_LOGS/hosts"

# Its user, a bus that lets everybody own a name, and the name server that the lab has.
for file in passwd group; do
	cp /etc/$file "$LAB_LOGS/$file"
	grep -q ^systemd-resolve: /etc/$file || case $file in
		passwd) echo 'systemd-resolve:x:64996:64996::/:/usr/sbin/nologin' ;;
		group) echo 'systemd-resolve:x:64996:' ;;
	esac >>"$LAB_LOGS/$file"
	mount --bind "$LAB_LOGS/$file" /etc/$file
done
mkdir -p /run/dbus /run/systemd/resolved.conf.d
printf '[Resolve]\nDNS=%s\nLLMNR=no\nMulticastDNS=no\nDNSSEC=no\n' "$WORLD4" >/run/systemd/resolved.conf.d/lab.conf
cat >"$LAB_LOGS/bus.conf" <<-'END'
	<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
	<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
	<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow receive_sender="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>
END
lab_start bus client dbus-daemon --config-file="$LAB_LOGS/bus.conf" --nofork --nopidfile
lab_wait "the bus" test -S /run/dbus/system_bus_socket
lab_start resolved client env SYSTEMD_LOG_TARGET=console "$RESOLVED"
RESOLVED_PID=$LAB_PID
echo "nameserver 127.0.0.53" >"$LAB_LOGS/resolv.conf"
resolves() { exec_in client resolvectl flush-caches && exec_in client dig +short +tries=2 +time=5 "$@"; }
lab_wait "systemd-resolved" eval '[ "$(resolves web.lab)" = "$WORLD4" ]'
cat >"$LAB_LOGS/split.acl" <<-END
	[proxy_all]
	[bypass_list]
	||other.lab
END
questions() { lab_mark_uplink; tcpdump -n -r "$LAB_LOGS/uplink.pcap" "dst port 53" 2>/dev/null | grep -c "$1"; }

snapshot "$LAB_LOGS/before"
gate_up --acl "$LAB_LOGS/split.acl"
lab_wait "resolved to be told" grep -q "systemd-resolved asks by gatun0" "$LAB_LOGS/up.log"
exec_in client resolvectl status gatun0 >"$LAB_LOGS/status.txt"
matches "its link has a name server that leads into the TUN" 'DNS Servers: 198\.18\.' "$LAB_LOGS/status.txt"
matches "and is the way for every name" 'DNS Domain: ~\.' "$LAB_LOGS/status.txt"
matches "also by default" '\+DefaultRoute' "$LAB_LOGS/status.txt"
before=$(questions web.lab)
matches "what is asked of its stub has a fake address" '^198\.1[89]\.' <(resolves web.lab)
equal "and leads to the name" "the web of the lab" "$(through curl -sS --max-time 10 --noproxy '*' http://web.lab/)"
equal "no question about it left by the uplink" "$before" "$(questions web.lab)"
equal "a name that goes past the tunnel is asked of the server that was there before, and has its real address" "$OTHER4" "$(resolves other.lab)"
equal "and is reached" "the web of the lab" "$(through curl -sS --max-time 10 --noproxy '*' http://other.lab/)"
gate_down
lab_gone "$UP_PID"
equal "gatun down: it asks by the uplink again" "$WORLD4" "$(resolves web.lab)"
equal "and knows nothing of what it was told" 0 "$(exec_in client resolvectl status | grep -c '198\.18\.')"
snapshot "$LAB_LOGS/after"
same_snapshot "nothing else remains" "$LAB_LOGS/before" "$LAB_LOGS/after"

# A bus that nobody answers on holds up nothing.
kill -STOP "$RESOLVED_PID"
gate_up
matches "a resolved that hangs: gatun is up all the same" "everything is up" "$LAB_LOGS/up.log"
gate_down
lab_gone "$UP_PID"
kill -CONT "$RESOLVED_PID"
check_reports
finish_up
