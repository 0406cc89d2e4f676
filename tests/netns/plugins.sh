#!/bin/bash
# SIP003 plugins, both ends: Debian's simple-obfs and v2ray-plugin between gatun and gatun, and
# between gatun and shadowsocks-libev; UDP beside the plugin, and through one that carries it
# (SIP003u); a plugin that dies comes back, one that cannot run is named, none outlives gatun.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
FAMILIES=4

# A program without a shim's start-up time.
printf '#!/bin/sh\nexec %s -I %s/probes/sip003u.py "$@"\n' "$PYTHON" "$TESTS_DIR" >"$LAB_LOGS/turn"
printf '#!/bin/sh\necho "no key for $SS_PLUGIN_OPTIONS"; echo "bad luck" >&2; exit 3\n' >"$LAB_LOGS/dies"
printf '#!/bin/sh\nexec sleep 600\n' >"$LAB_LOGS/deaf"
printf 'not a program\n' >"$LAB_LOGS/junk"
chmod 755 "$LAB_LOGS/turn" "$LAB_LOGS/dies" "$LAB_LOGS/deaf"
TURN=$LAB_LOGS/turn

# with_plugin SERVERS-PLUGIN OPTIONS CLIENTS-PLUGIN OPTIONS: the far end behind it, the near end through it
with_plugin()
{
	use_server gatun "$SERVER4" --plugin "$1" --plugin-opts "$2"
	lab_wait "the server's plugin" lab_listens server "$SERVER_PORT"
	RUN_OPTIONS="--dns off --plugin $3"
	[ -z "$4" ] || RUN_OPTIONS="$RUN_OPTIONS --plugin-opts $4"
}

carries()
{
	same "$1: a connection" ok short-once @
	same "$1: 10 MB down" "got:10000000,intact then:EOF" source @ 10000000
	same "$1: 3 MB both ways at once" "EOF:3" many @ 3 3145728 late
	same "$1: UDP of 1 to 1,300 bytes" "ok:5" udp-sizes @ 1 100 512 1199 1300
}

# on_wire REGEX: the uplink has carried such text (the captured packets are short: their beginning)
on_wire() { tcpdump -n -A -r "$LAB_LOGS/uplink.pcap" "tcp port $SERVER_PORT" 2>/dev/null | grep -aq -- "$1"; }

# plugins_of PID: the processes that it has started as plugins
plugins_of() { cat "/proc/$1/task"/*/children 2>/dev/null; }
has_plugin() { [ -n "$(plugins_of "$1")" ]; }

# start_local OPTIONS...: gatun local with a SOCKS port, PID in LOCAL_PID
start_local()
{
	rm -f "$LAB_LOGS/local.log"
	lab_start local client "$GATUN" local -v -s "$SERVER" -m "$METHOD" -k "$KEY" --socks 127.0.0.1:1080 --control "$LAB_LOGS/local.sock" "$@"
	LOCAL_PID=$LAB_PID
	lab_wait "gatun local" lab_listens client 1080
}
fetch() { exec_in client curl -sS --max-time 20 --noproxy "" --socks5 127.0.0.1:1080 -o "$LAB_LOGS/got" "http://$WORLD4/3mb" 2>>"$LAB_LOGS/curl.log" && cmp -s "$LAB_LOGS/got" "$LAB_LOGS/web/root/3mb"; }
says() { grep -Eq -- "$1" "$LAB_LOGS/$2.log"; }

lab_need curl
lab_start_web

# --- gatun and gatun ----------------------------------------------------------------
if command -v obfs-local >/dev/null && command -v obfs-server >/dev/null; then
	for obfs in http tls; do
		with_plugin obfs-server "obfs=$obfs" obfs-local "obfs=$obfs;obfs-host=cover.example"
		carries "simple-obfs, $obfs"
		matches "the server's plugin has the public port" "plugin obfs-server listens on $SERVER4:$SERVER_PORT pid=[0-9]+ carries=tcp" "$LAB_LOGS/server.log"
	done
	check "what is on the wire is the plugin's" on_wire "Host: cover.example"
else
	skip "simple-obfs is not installed"
fi
if command -v ss-v2ray-plugin >/dev/null; then
	with_plugin ss-v2ray-plugin "server" ss-v2ray-plugin "host=cover.example"
	carries "v2ray-plugin, websocket"
else
	skip "shadowsocks-v2ray-plugin is not installed"
fi

# --- SIP003u, and what a plugin is started with ---------------------------------------
report=$LAB_LOGS/report
printf '{ "servers": [ { "server": "%s", "server_port": %d, "method": "%s", "password": "%s", "plugin": "%s", "plugin_opts": "%s", "plugin_args": ["one", "two words"], "plugin_mode": "%s" } ] }' \
	"$SERVER4" "$SERVER_PORT" "$METHOD" "$KEY" "$TURN" "udp;key=7;report=$report;private=hush-hush" tcp_and_udp >"$LAB_LOGS/client.json"
sed 's/udp;key=7;report=[^;]*;/server;udp;key=7;/' "$LAB_LOGS/client.json" >"$LAB_LOGS/server.json"
chmod 600 "$LAB_LOGS"/*.json
lab_end "$SERVER_PID"
lab_start server server "$GATUN" server -v -c "$LAB_LOGS/server.json"
SERVER_PID=$LAB_PID
lab_wait "the server's plugin" lab_listens server "$SERVER_PORT"
through_file() { exec_in client env GATUN_PASSWORD=none SECRET=1 "$GATUN" run -v --dns off -c "$LAB_LOGS/client.json" -- "$@" 2>>"$LAB_LOGS/run.log"; }
equal "SIP003u: TCP" "got:10000000,intact then:EOF" "$(through_file $PROBE source "$WORLD4" 10000000)"
equal "SIP003u: 3 MB and FIN, then the answer" "answer:right then:EOF" "$(through_file $PROBE half-close "$WORLD4" 3000000)"
equal "SIP003u: UDP" "ok:5" "$(through_file $PROBE udp-sizes "$WORLD4" 1 100 512 1199 1300)"
equal "SIP003u: UDP answered from elsewhere (full cone)" "$WORLD4:7003 $WORLD4:7103 $OTHER4:7203" "$(through_file $PROBE udp-cone "$WORLD4")"
matches "it says what goes through it" "plugin $TURN listens on $SERVER4:$SERVER_PORT pid=[0-9]+ carries=tcp,udp" "$LAB_LOGS/server.log"
# PWD is the wrapper's shell's.
equal "its environment is what SIP003 says, and of ours only what every program needs" \
	"SS_LOCAL_HOST SS_LOCAL_PORT SS_PLUGIN_OPTIONS SS_REMOTE_HOST SS_REMOTE_PORT" \
	"$(sed -n 's/^environment //p' "$report" | tr ' ' '\n' | grep -vxE 'HOME|LANG|LC_ALL|LC_CTYPE|LOGNAME|PATH|PWD|SSL_CERT_DIR|SSL_CERT_FILE|TMPDIR|TZ|USER' | paste -sd' ')"
check "it has none of our descriptors" grep -qx "descriptors 0 1 2" "$report"
check "it has no capabilities" grep -qx "capabilities 0000000000000000" "$report"
check "no signal is blocked in it" grep -qx "mask \[\]" "$report"
check "it leads a process group of its own" grep -qx "leads its group True" "$report"
check "plugin_args are its arguments" grep -qx "arguments one two words" "$report"

sed -i 's/key=7/key=8/' "$LAB_LOGS/client.json"
equal "a plugin with other options than the far end's leads nowhere" ECONNRESET "$(through_file $PROBE short-once "$WORLD4")"
equal "and carries no datagram" timeout "$(through_file $PROBE udp-connected "$WORLD4" 1.5)"
sed -i 's/"plugin_mode": "tcp_and_udp"/"plugin_mode": "udp_only"/; s/udp;key=./udp-alone;key=7/' "$LAB_LOGS/client.json" "$LAB_LOGS/server.json"
lab_end "$SERVER_PID"
lab_start server server "$GATUN" server -v -c "$LAB_LOGS/server.json"
SERVER_PID=$LAB_PID
lab_wait "the server" lab_listens server "$SERVER_PORT"
equal "SIP003u for UDP alone: UDP" "ok:5" "$(through_file $PROBE udp-sizes "$WORLD4" 1 100 512 1199 1300)"
equal "and TCP goes beside it" "got:10000000,intact then:EOF" "$(through_file $PROBE source "$WORLD4" 10000000)"
matches "it says so" "plugin $TURN listens on $SERVER4:$SERVER_PORT pid=[0-9]+ carries=udp" "$LAB_LOGS/server.log"

# --- life ------------------------------------------------------------------------------
mv "$LAB_LOGS/server.log" "$LAB_LOGS/server.before.log"
with_plugin "$TURN" "server;talks=server-words" "$TURN" ""
lab_wait "word of the server's plugin" says "plugin $TURN listens on" server
matches "what a plugin says is in our log, under its name" "plugin $TURN says: server-words" "$LAB_LOGS/server.log"
start_local --plugin "$TURN" --plugin-opts "late=1"
check "who comes while the plugin starts waits for it" fetch
check "the client's plugin runs" has_plugin "$LOCAL_PID"
lab_wait "word of it" says "plugin $TURN listens on" local
old=$(plugins_of "$LOCAL_PID")
kill -KILL $old
lab_wait "word of its end" says "plugin $TURN ended signal=SIGKILL" local
came_back() { has_plugin "$LOCAL_PID" && [ "$(plugins_of "$LOCAL_PID")" != "$old" ]; }
lab_wait "another" came_back
check "a client's plugin that is killed comes back" fetch
old=$(plugins_of "$SERVER_PID")
kill -KILL $old
lab_wait "word of its end" says "plugin $TURN ended signal=SIGKILL" server
lab_wait "another" lab_listens server "$SERVER_PORT"
check "and a server's, on the same port" fetch

status=$(exec_in client "$GATUN" status --control "$LAB_LOGS/local.sock")
check "status tells of the plugin, and that it died once" grep -Eq "plugin +$TURN for $SERVER4:$SERVER_PORT, ready: started 2 times, died 1 times" <<<"$status"
old="$(plugins_of "$LOCAL_PID") $(plugins_of "$SERVER_PID")"
lab_end "$LOCAL_PID"
lab_end "$SERVER_PID"
none_of() { ! kill -0 $1 2>/dev/null; }
check "gatun ended: its plugins are gone" none_of "$old"
SERVER_PID=
use_server gatun "$SERVER4" --plugin "$TURN" --plugin-opts "server;stubborn"
lab_wait "the server's plugin" lab_listens server "$SERVER_PORT"
old=$(plugins_of "$SERVER_PID")
lab_end "$SERVER_PID"
check "one that ignores SIGTERM too" none_of "$old"
SERVER_PID=
use_server gatun "$SERVER4" --plugin "$TURN" --plugin-opts "server"
lab_wait "the server's plugin" lab_listens server "$SERVER_PORT"
old=$(plugins_of "$SERVER_PID")
kill -KILL "$SERVER_PID"
for pid in $old; do lab_gone "$pid"; done
check "gatun killed: its plugins are gone" none_of "$old"
SERVER_PID=

# --- reload -----------------------------------------------------------------------------------
# server_file PLUGIN OPTIONS: what the server reads
server_file()
{
	printf '{ "server": "%s", "server_port": %d, "method": "%s", "password": "%s", "plugin": "%s", "plugin_opts": "%s" }' \
		"$SERVER4" "$SERVER_PORT" "$METHOD" "$KEY" "$1" "$2" >"$LAB_LOGS/reload.json"
	chmod 600 "$LAB_LOGS/reload.json"
}
reloads=0
reload()
{
	kill -HUP "$SERVER_PID"
	reloads=$((reloads + 1))
	lab_wait "the reload" reloaded
}
reloaded() { [ "$(grep -c "the config has been reloaded" "$LAB_LOGS/reload.log")" = "$reloads" ]; }
server_file "$TURN" "server;key=7"
lab_start reload server "$GATUN" server -v -c "$LAB_LOGS/reload.json"
SERVER_PID=$LAB_PID
lab_wait "the server's plugin" says "plugin $TURN listens on" reload
old=$(plugins_of "$SERVER_PID")
reload
equal "a reload that changes nothing leaves the plugin running" "$old" "$(plugins_of "$SERVER_PID")"
server_file "$TURN" "server;key=8"
reload
lab_wait "the other plugin" lab_listens server "$SERVER_PORT"
RUN_OPTIONS="--dns off --plugin $TURN --plugin-opts key=8"
same "a reload with other options: the port goes to the plugin that has them" ok short-once @
check "and the one before is gone" none_of "$old"
server_file "" ""
reload
RUN_OPTIONS="--dns off"
same "a reload without a plugin: the port is the server's own" ok short-once @
equal "and no plugin is left" "" "$(plugins_of "$SERVER_PID")"
lab_end "$SERVER_PID"
SERVER_PID=

# --- ports below 1024, workers -------------------------------------------------------------
lab_start low server "$GATUN" server -v -s "$SERVER4:443" -m "$METHOD" -k "$KEY" --plugin "$TURN" --plugin-opts "server"
LOW_PID=$LAB_PID
lab_wait "the plugin on port 443" says "plugin $TURN listens on" low
old=$(plugins_of "$LOW_PID")
kill -KILL $old
lab_wait "word of its end" says "plugin $TURN ended signal=SIGKILL" low
lab_wait "another on port 443" lab_listens server 443
check "a plugin on a port below 1024 gets it again, though gatun has dropped its rights" [ "$(plugins_of "$LOW_PID")" != "$old" ]
lab_end "$LOW_PID"

use_server gatun "$SERVER4" --workers 2 --plugin "$TURN" --plugin-opts "server"
lab_wait "the server's plugin" lab_listens server "$SERVER_PORT"
RUN_OPTIONS="--dns off --plugin $TURN"
carries "two workers"
old=$(for pid in $(plugins_of "$SERVER_PID"); do plugins_of "$pid"; done)
equal "one of them has the plugin" 1 "$(wc -w <<<"$old")"
lab_end "$SERVER_PID"
check "and ends it" none_of "$old"
SERVER_PID=

# --- what cannot run ---------------------------------------------------------------------
# fails TEXT REGEX PLUGIN: run, local and server each end with their code and one line
fails()
{
	local text=$1 regex=$2 code word
	shift 2
	for word in run local server; do
		case $word in
		run) exec_in client "$GATUN" run --control off -s "$SERVER" -m "$METHOD" -k "$KEY" --plugin "$@" -- true >"$LAB_LOGS/fails.txt" 2>&1 ;;
		local) exec_in client "$GATUN" local -q --control off -s "$SERVER" -m "$METHOD" -k "$KEY" --socks 127.0.0.1:1081 --plugin "$@" >"$LAB_LOGS/fails.txt" 2>&1 ;;
		server) exec_in server "$GATUN" server -q --control off -s "$SERVER4:8399" -m "$METHOD" -k "$KEY" --plugin "$@" >"$LAB_LOGS/fails.txt" 2>&1 ;;
		esac
		code=$?
		[ "$word" = run ] && expected=125 || expected=1
		if [ $code = $expected ] && [ "$(wc -l <"$LAB_LOGS/fails.txt")" = 1 ] && grep -Eq -- "$regex" "$LAB_LOGS/fails.txt"; then
			ok "$word: $text: one line says so, exit code $code"
		else
			fail "$word: $text" "exit code $code, expected $expected" "$(cat "$LAB_LOGS/fails.txt")"
		fi
	done
}
fails "no such plugin" "cannot start the plugin no-such-plugin: there is no such program" no-such-plugin
fails "a plugin that is no program" "cannot start the plugin $LAB_LOGS/junk: it is not executable" "$LAB_LOGS/junk"
chmod 755 "$LAB_LOGS/junk"
fails "a file that cannot be executed" "cannot start the plugin $LAB_LOGS/junk: .* err=ENOEXEC" "$LAB_LOGS/junk"
fails "a plugin that dies at once" "plugin $LAB_LOGS/dies ended before it listened status=3 last_words=\"bad luck\"" "$LAB_LOGS/dies"
fails "a plugin that never listens" "plugin $LAB_LOGS/deaf does not listen on [0-9.:]+ after 3 s" "$LAB_LOGS/deaf"
cp "$LAB_LOGS/turn" "$LAB_LOGS/in-cwd"
cd "$LAB_LOGS" || exit 1
PATH=.::$PATH fails "the working directory is not searched" "cannot start the plugin in-cwd: there is no such program" in-cwd
cd - >/dev/null || exit 1

# --- shadowsocks-libev ----------------------------------------------------------------------
METHOD=aes-256-gcm KEY=$(make_key aes-256-gcm)
# libev SERVER-PLUGIN OPTIONS CLIENT-PLUGIN OPTIONS NAME
libev()
{
	[ -z "$SERVER_PID" ] || lab_end "$SERVER_PID"
	lab_start server server ss-server -s "$SERVER4" -p "$SERVER_PORT" -k "$KEY" -m "$METHOD" -u -t 600 --plugin "$1" --plugin-opts "$2"
	SERVER_PID=$LAB_PID
	lab_wait "ss-server and its plugin" lab_listens server "$SERVER_PORT"
	RUN_OPTIONS="--dns off --plugin $3 --plugin-opts $4"
	carries "$5 before ss-server"
	lab_kill "$SERVER_PID"
	SERVER_PID=
	use_server gatun "$SERVER4" --plugin "$1" --plugin-opts "$2"
	lab_wait "the server's plugin" lab_listens server "$SERVER_PORT"
	lab_start ss-local client ss-local -s "$SERVER4" -p "$SERVER_PORT" -k "$KEY" -m "$METHOD" -l 1080 --plugin "$3" --plugin-opts "$4"
	LOCAL_PID=$LAB_PID
	lab_wait "ss-local and its plugin" fetch # it listens before its plugin does
	check "ss-local with $5, 3 MB" fetch
	lab_kill "$LOCAL_PID"
}
if command -v ss-server >/dev/null; then
	! command -v obfs-local >/dev/null || libev obfs-server "obfs=http" obfs-local "obfs=http;obfs-host=cover.example" "simple-obfs"
	! command -v ss-v2ray-plugin >/dev/null || libev ss-v2ray-plugin "server" ss-v2ray-plugin "host=cover.example" "v2ray-plugin"
else
	skip "shadowsocks-libev is not installed"
fi

check "no options of a plugin are in any log" [ -z "$(grep -lE "hush-hush|no key for" "$LAB_LOGS"/*.log)" ]
finish
