#!/bin/bash
# Two instances behind nginx's stream module, by the config of docs/scale-out: TCP and UDP of
# one client reach the same instance; when one is killed, its clients go on with the other.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
lab_need nginx curl
[ -e /usr/lib/nginx/modules/ngx_stream_module.so ] || lab_skip "no stream module of nginx (libnginx-mod-stream)"
lab_start_web
CLIENTS="11 12 13 14 15 16 17 18"

for n in $CLIENTS; do ip -n client addr add "10.77.1.$n/24" dev uplink; done

# start_balancer NAMESPACE: nginx with its half of the config
start_balancer()
{
	local dir=$LAB_LOGS/nginx.$1 other
	[ "$1" = client ] && other='10\.77\.2\.2:8388' || other='127\.0\.0\.1:1080'
	mkdir -p "$dir"
	# Without the listeners of the other namespace, and where a test may write.
	{
		echo "daemon off; master_process off; pid $dir/pid; error_log $dir/error.log info;"
		awk -v other="$other" '/^\tserver \{/ { hold = ""; inside = 1; skip = 0 }
			inside { hold = hold $0 "\n"; if ($0 ~ other) skip = 1; if ($0 ~ /^\t\}/) { if (!skip) printf "%s", hold; inside = 0 }; next }
			{ print }' "$TESTS_DIR/../../docs/scale-out/nginx.conf" | sed "s,modules/,/usr/lib/nginx/modules/,"
	} >"$dir/nginx.conf"
	lab_start "nginx.$1" "$1" nginx -p "$dir" -e "$dir/error.log" -c "$dir/nginx.conf"
}

# start_server N: an instance; its log is server N's own
start_server()
{
	lab_start "instance$1" server "$GATUN" server -vv -s "$SERVER4:840$1" -m "$METHOD" -k "$KEY"
	INSTANCE[$1]=$LAB_PID
	lab_wait "instance $1" lab_listens server "840$1"
}

# as_client N COMMAND...: through the balancer, from one of the client's addresses
as_client()
{
	local n=$1
	shift
	printf '{"server":"%s","server_port":%s,"method":"%s","password":"%s","outbound_bind_addr":"10.77.1.%s","dns_mode":"off"}' \
		"$SERVER4" "$SERVER_PORT" "$METHOD" "$KEY" "$n" >"$LAB_LOGS/client$n.json"
	exec_in client "$GATUN" run -c "$LAB_LOGS/client$n.json" -- "$@" 2>>"$LAB_LOGS/run.log"
}

# flows N: what instance N has seen of TCP and UDP so far, "tcp udp"
flows()
{
	awk '/flow opened/ { t++ } /udp association opened/ { u++ } END { print t + 0, u + 0 }' "$LAB_LOGS/instance$1.log"
}

# where KIND: which instance saw more of it since the counts in BEFORE1, BEFORE2
where()
{
	local column=$([ "$1" = tcp ] && echo 1 || echo 2) n found=
	for n in 1 2; do
		local before=BEFORE$n
		[ "$(flows $n | cut -d' ' -f$column)" -gt "$(echo "${!before}" | cut -d' ' -f$column)" ] && found=$found$n
	done
	echo "${found:-none}"
}

lab_end "$SERVER_PID"
SERVER_PID=
declare -A INSTANCE HOME_OF
start_server 1
start_server 2
start_balancer server
lab_wait "the balancer" lab_listens server "$SERVER_PORT"

together=yes
for n in $CLIENTS; do
	BEFORE1=$(flows 1) BEFORE2=$(flows 2)
	said=$(as_client "$n" $PROBE short-once "$WORLD4") answer=$(as_client "$n" $PROBE udp-sizes "$WORLD4" 1 1000)
	[ "$said" = ok ] || fail "client $n: a connection through the balancer" "found: $said"
	[ "$answer" = "ok:2" ] || fail "client $n: UDP through the balancer" "found: $answer"
	HOME_OF[$n]=$(where tcp)
	[ "${HOME_OF[$n]}" = "$(where udp)" ] || together="client $n: TCP at ${HOME_OF[$n]}, UDP at $(where udp)"
done
equal "eight clients: TCP and UDP of each reach the same instance" yes "$together"
used=$(printf '%s\n' "${HOME_OF[@]}" | sort -u | tr -d '\n')
equal "and both instances have clients" 12 "$used"

victim=${HOME_OF[11]} other=$((3 - ${HOME_OF[11]}))
for n in $CLIENTS; do [ "${HOME_OF[$n]}" = "$other" ] && stays=$n; done

# within_2_s COMMAND...: how it goes at last, tried again until two seconds are over
within_2_s()
{
	local until=$(($(date +%s%N) + 2000000000)) said=
	while [ "$(date +%s%N)" -lt "$until" ]; do
		said=$("$@")
		case $said in ok | ok:1) break ;; esac
	done
	echo "$said"
}

# A client with flows at the instance that will be killed: it stays open over the kill.
mkfifo "$LAB_LOGS/held.in"
EXEC=exec as_client 11 sh -c "
	$PROBE udp-sizes $WORLD4 1; echo open; read word
	$PROBE udp-sizes $WORLD4 1; $PROBE short-once $WORLD4
	date +%s%N" <"$LAB_LOGS/held.in" >"$LAB_LOGS/held.out" &
held=$!
exec 8>"$LAB_LOGS/held.in"
lab_wait "a client of the instance that goes" grep -q open "$LAB_LOGS/held.out"

BEFORE1=$(flows 1) BEFORE2=$(flows 2)
lab_kill "${INSTANCE[$victim]}"
killed=$(date +%s%N)
equal "one instance killed: a new connection of its client within 2 s" ok "$(within_2_s as_client 11 $PROBE short-once "$WORLD4")"
equal "it went to the other one" "$other" "$(where tcp)"
equal "and new UDP" ok:1 "$(within_2_s as_client 11 $PROBE udp-sizes "$WORLD4" 1)"
equal "the clients of the other one notice nothing" ok "$(as_client "$stays" $PROBE short-once "$WORLD4")"
echo go >&8
exec 8>&-
wait "$held"
equal "a client that was running goes on, with the UDP sockets that it has" "ok:1 open ok:1 ok" "$(head -n 4 "$LAB_LOGS/held.out" | tr '\n' ' ' | sed 's/ $//')"
lab_end "${INSTANCE[$other]}"

# --- SOCKS5 ----------------------------------------------------------------------

start_local()
{
	cat >"$LAB_LOGS/local$1.json" <<-J
	{
		"server": "$SERVER4", "server_port": 8403, "method": "$METHOD", "password": "$KEY",
		"locals": [ { "protocol": "socks", "local_port": 109$1, "udp_associate_addr": "127.0.0.1:1080" } ]
	}
	J
	lab_start "local$1" client "$GATUN" local -vv -c "$LAB_LOGS/local$1.json"
	LOCAL[$1]=$LAB_PID
	lab_wait "local $1" lab_listens client "109$1"
}

declare -A LOCAL
start_server 3
start_local 1
start_local 2
start_balancer client
lab_wait "the balancer of the locals" lab_listens client 1080

socks()
{
	exec_in client env SOCKS_SOURCE="$1" "$PYTHON" "$TESTS_DIR/probes/socks.py" 1080 7001 "$WORLD4" "${@:2}"
}

for source in 127.0.0.1 127.0.0.2 127.0.0.3 127.0.0.4; do
	equal "SOCKS5 UDP ASSOCIATE through the balancer, from $source: one, many, in any order" "echo:ok many:ok crossed:ok malformed:ok" \
		"$(socks "$source" echo many crossed malformed)"
done
for n in 1 2; do
	check "instance $n of the locals had clients" grep -q "udp association opened" "$LAB_LOGS/local$n.log"
done
lab_kill "${LOCAL[1]}"
for source in 127.0.0.1 127.0.0.2 127.0.0.3 127.0.0.4; do
	equal "one local killed: $source gets an association within 2 s" echo:ok "$(
		until=$(($(date +%s%N) + 2000000000))
		while said=$(socks "$source" echo); [ "$said" != echo:ok ] && [ "$(date +%s%N)" -lt "$until" ]; do :; done
		echo "$said")"
done
lab_end "${LOCAL[2]}"
lab_end "${INSTANCE[3]}"
check_reports
UPLINK_CHECKED=no
finish
