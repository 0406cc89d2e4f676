#!/bin/bash
# `gatun up` from a config file: its inbounds beside the gate, a list that sends some past the tunnel,
# --route and --exclude, users left out, IPv6 that is not carried, and the file read again while flows go on.
. "$(dirname "$0")/up_lib.sh"
begin_up "$0" "$@"
FLOWS="$PYTHON $TESTS_DIR/probes/flows.py"
CARRIED="answer:right then:EOF"
conf() # conf KEYS...: the file
{
	( umask 077
	  printf '{ "server": "%s", "server_port": %s, "method": "%s", "password": "%s"%s }\n' "$SERVER4" "$SERVER_PORT" "$METHOD" "$KEY" "${1:+, $1}" >"$LAB_LOGS/up.json" )
}
up_file()
{
	: >"$LAB_LOGS/up.log"
	lab_start up client env STATE_DIRECTORY="$LAB_LOGS/state" "$GATUN" up -v -c "$LAB_LOGS/up.json" "$@"
	UP_PID=$LAB_PID
	lab_wait "gatun up" gate_is_up_or_ended
	kill -0 "$UP_PID" 2>/dev/null || lab_die "gatun up ended: $(tail -n 3 "$LAB_LOGS/up.log")"
}
gone() { gate_down; lab_gone "$UP_PID"; }
reloaded() { grep -q "the config has been reloaded" "$LAB_LOGS/up.log"; }

mkdir -p "$LAB_LOGS/state"
printf '[proxy_all]\n[bypass_list]\n%s/32\n' "$WORLD4" >"$LAB_LOGS/some.acl"
conf "\"acl\": \"$LAB_LOGS/some.acl\", \"locals\": [{ \"local_port\": 1080 }, { \"protocol\": \"http\", \"local_port\": 1081 }]"
up_file
equal "what the list does not name goes through the tunnel" "$CARRIED" "$(through $PROBE half-close "$WORLD6")"
no_strays "and nothing of it past it"
equal "what it names goes past it" "$CARRIED" "$(through $PROBE half-close "$WORLD4")"
count_strays
check "by a way of its own on the uplink" [ "$STRAYED" -gt 0 ]
equal "the file's inbounds are open too" "held kept" "$(echo | SOCKS=1080 through $FLOWS hold "$WORLD6" 7001 1000 | tr '\n' ' ' | sed 's/ $//')"

mkfifo "$LAB_LOGS/hold"
through $FLOWS hold "$WORLD6" 7001 1000 <"$LAB_LOGS/hold" >"$LAB_LOGS/held" &
exec 7>"$LAB_LOGS/hold"
lab_wait "a flow" grep -q held "$LAB_LOGS/held"
printf '[proxy_all]\n' >"$LAB_LOGS/some.acl"
SOME="\"acl\": \"$LAB_LOGS/some.acl\", \"locals\": [{ \"local_port\": 1080 }]"
guarded() { inside client nft list table inet gatun_guard >/dev/null 2>&1; }
check "no guard without a kill switch" eval '! guarded'
conf "$SOME, \"kill_switch\": true, \"table\": 300"
kill -HUP "$UP_PID"
lab_wait "the reload" reloaded
count_strays
equal "file and list read again: what was named goes through the tunnel now" "$CARRIED" "$(through $PROBE half-close "$WORLD4")"
no_strays "and nothing of it past it"
matches "what only a start can change is named" "not before the next start: table" "$LAB_LOGS/up.log"
check "the kill switch stands" guarded
again() { inside client "$GATUN" reload --control "/run/gatun/$UP_PID.sock" >"$LAB_LOGS/reload.out" 2>&1; }
conf "$SOME, \"tun_exclude\": [\"$WORLD4/32\"]"
check "an exclude, and no kill switch any more" again
check "the guard is gone" eval '! guarded'
equal "what is excluded goes as ever" "$CARRIED" "$(through $PROBE half-close "$WORLD4")"
count_strays
check "by the uplink itself" [ "$STRAYED" -gt 0 ]
equal "and the rest through the tunnel" "$CARRIED" "$(through $PROBE half-close "$WORLD6")"
before=$(inside client ip -details rule; inside client ip -6 -details rule; inside client nft list ruleset | grep -v counter)
conf "$SOME, \"lan\": [\"nosuch0\"]"
check "an interface that is not there: gatun reload says no" eval '! again'
matches "and the log what is wrong" "nosuch0" "$LAB_LOGS/up.log"
conf "$SOME, \"mark\": 4711"
check "another mark too" eval '! again'
equal "and the rules are what they were" "$before" "$(inside client ip -details rule; inside client ip -6 -details rule; inside client nft list ruleset | grep -v counter)"
conf "$SOME"
check "no exclude any more" again
count_strays
equal "what was excluded goes through the tunnel" "$CARRIED" "$(through $PROBE half-close "$WORLD4")"
no_strays "and nothing of it past it"
echo >&7
lab_wait "the flow's end" grep -qE 'kept|closed|reset' "$LAB_LOGS/held"
equal "and the flow of before goes on" "held kept" "$(tr '\n' ' ' <"$LAB_LOGS/held" | sed 's/ $//')"
exec 7>&-

named() { through dig +time=3 +tries=2 +short "$1.example.test"; }
conf "$SOME, \"dns_mode\": \"off\""
check "dns_mode takes a start" again
matches "which is said" "not before the next start: dns_mode" "$LAB_LOGS/up.log"
for worker in $(gate_workers); do inside client kill -KILL "$worker"; done
lab_wait "the next lives" eval '[ -n "$(gate_workers)" ]'
lab_wait "a name" eval '[ -n "$(named b)" ]'
matches "a worker that begins anew is as those that began then" "^198\.1[89]\." <(named c)
gone

conf
up_file --route "$WORLD6/128"
count_strays
equal "--route: what goes there is taken" "$CARRIED" "$(through $PROBE half-close "$WORLD6")"
no_strays "and does not go past the tunnel"
equal "and the rest goes as ever" "$CARRIED" "$(through $PROBE half-close "$WORLD4")"
case $(through dig +time=3 +tries=2 +short a.example.test) in
198.1[89].*) ok "names are taken all the same" ;;
*) fail "names are taken all the same" "found: $(through dig +time=3 +tries=2 a.example.test)" ;;
esac
gone

up_file --exclude "$WORLD4/32" --no-ipv6 --not-uid 12345
count_strays
equal "--exclude: what goes there goes as ever" "$CARRIED" "$(through $PROBE half-close "$WORLD4")"
count_strays
check "by the uplink itself" [ "$STRAYED" -gt 0 ]
matches "--no-ipv6: IPv6 is unreachable at once" "E(NET|HOST)UNREACH" <(through $PROBE refused "$WORLD6" 7001 1 2>&1)
no_strays "and never goes natively"
equal "--not-uid: a user who is left out goes as ever" "$CARRIED" "$(through setpriv --reuid 12345 --clear-groups $PROBE half-close "$WORLD4")"
count_strays
check "past the tunnel" [ "$STRAYED" -gt 0 ]
gone
UPLINK_CHECKED=no # what was to stray did
UP_PID=
finish_up
