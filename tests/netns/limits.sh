#!/bin/bash
# What one client or user may take of a server: bytes and flows, held back or refused, and counted;
# and what an address gets that may be forged.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
FAMILIES=4
OWN=$(make_key "$METHOD") ALICE=$(make_key "$METHOD") BOB=$(make_key "$METHOD")

# limited JSON: (re)starts the server with these keys, and alice (whose own limit is high) and bob as users
limited()
{
	lab_end "$SERVER_PID"
	: >"$LAB_LOGS/server.log"
	cat >"$LAB_LOGS/server.json" <<-END
		{ "server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "password": "$OWN", $1,
		  "users": [ { "name": "alice", "password": "$ALICE", "limits": { "user_bytes_per_s": 50000000 } },
		             { "name": "bob", "password": "$BOB" } ] }
	END
	chmod 600 "$LAB_LOGS/server.json"
	lab_start server server "$GATUN" server -v -c "$LAB_LOGS/server.json"
	SERVER_PID=$LAB_PID
	lab_wait "the server" lab_listens_or_ended "$SERVER_PID"
}

# as KEY COMMAND...
as()
{
	local KEY=$OWN:$1
	shift
	"$@"
}

# stopped: ends the server, whose summary is then in the log
stopped()
{
	lab_end "$SERVER_PID"
}

now_ms() { date +%s%3N; }

# takes TEXT AT_LEAST_MS COMMAND...: it is held back, and not for ever
takes()
{
	local text=$1 least=$2 begin=$(now_ms) ms
	shift 2
	"$@"
	ms=$(($(now_ms) - begin))
	TOOK=$ms
	if [ "$ms" -ge "$least" ] && [ "$ms" -le $((least * 5 + 10000)) ]; then ok "$text"; else fail "$text" "took $ms ms, expected $least to $((least * 5 + 10000))"; fi
}

# --- bytes ---------------------------------------------------------------------------

limited '"limits": { "client_bytes_per_s": 2000000 }'
download() { as "$BOB" is "a download over the rate is whole" "got:5000000,intact then:EOF" source @ 5000000; }
takes "5 MB at 2 MB/s, of which a quarter of a second's worth at once" 2250 download
both() { as "$BOB" is "both directions at once, whole" "EOF:2" many @ 2 1310720 late; }
takes "two connections, up and down, share one rate: 5.2 MB in all" 2300 both

limited '"limits": { "user_bytes_per_s": 2000000 }'
bobs() { as "$BOB" is "bob has everybody's limit" "got:5000000,intact then:EOF" source @ 5000000; }
takes "5 MB of his at 2 MB/s" 2250 bobs
begin=$(now_ms)
as "$ALICE" is "alice has her own, higher one" "got:5000000,intact then:EOF" source @ 5000000
hers=$(($(now_ms) - begin))
check "5 MB of hers are there sooner ($hers ms, his $TOOK)" [ "$hers" -lt "$TOOK" ]

limited '"limits": { "client_bytes_per_s": 20000 }'
back=$(as "$BOB" through $PROBE udp-flood "$WORLD4" 100 1000)
check "of 100 kB of datagrams at once at 20 kB/s few are answered ($back)" [ "$back" -lt 60 ]
as "$BOB" is "the next ones are" "ok:5" udp-sizes @ 1 10 20 30 40
stopped
matches "those that were dropped are counted, each" "udp .* dropped_rate=([5-9][0-9]|1[0-9][0-9])" "$LAB_LOGS/server.log"

# --- flows ---------------------------------------------------------------------------

limited '"limits": { "client_flows": 5 }'
# A reset at accept may come before connect() is done, or after.
as "$BOB" is "5 flows at a time: the sixth is reset" "ECONNRE* banner:5" banners @ 8
as "$BOB" is "when they are gone there is room again" "banner:2" banners @ 2
as "$BOB" is "UDP associations are flows, too" "wrong:3" udp-burst @ 8
stopped
matches "each refusal is counted by its reason" "limits client_flows=[1-9]" "$LAB_LOGS/server.log"
matches "and as the end of a connection" "ended:.* limit=3" "$LAB_LOGS/server.log"

limited '"limits": { "client_flows_per_s": 1 }'
as "$BOB" is "1 new flow a second: five at once, then no more" "ECONNRE* banner:[5-9]" banners @ 12
stopped
matches "counted by its reason" "limits client_flow_rate=[1-9]" "$LAB_LOGS/server.log"

limited '"limits": { "user_flows_per_s": 1 }'
as "$BOB" is "the same for a user" "ECONNRESET:[3-9] banner:[5-9]" banners @ 12
as "$ALICE" is "which is not another's" "banner:5" banners @ 5
stopped
matches "counted as the user's" "limits user_flow_rate=[1-9]" "$LAB_LOGS/server.log"

# --- an address that may be forged -----------------------------------------------------

limited '"udp_amplification": 1'
as "$BOB" is "no more goes back than came: the answer, which is larger on the wire, does not" timeout udp-connected @ 2
as "$BOB" is "a TCP connection proves the address" ok short-once @
as "$BOB" is "then it does" ask udp-connected @ 5
stopped
matches "what was withheld is counted" "udp .* dropped_amplification=[1-9]" "$LAB_LOGS/server.log"

limited '"timeout": 10'
as "$BOB" is "by default nobody is disturbed" "ok:5" udp-sizes @ 1 100 512 1199 1300
stopped
check "nothing was withheld" sh -c "! grep -q dropped_ '$LAB_LOGS/server.log'"

# --- gatun local -----------------------------------------------------------------------

limited '"timeout": 10'
cat >"$LAB_LOGS/local.json" <<-END
	{ "server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "password": "$OWN:$BOB",
	  "limits": { "client_flows": 2, "client_bytes_per_s": 1000000 },
	  "locals": [ { "protocol": "tunnel", "local_address": "$CLIENT4", "local_port": 1084, "forward_address": "$WORLD4", "forward_port": 7008 },
	              { "protocol": "tunnel", "local_address": "$CLIENT4", "local_port": 1085, "forward_address": "$WORLD4", "forward_port": 7006 } ] }
END
chmod 600 "$LAB_LOGS/local.json"
lab_start local client "$GATUN" local -v -c "$LAB_LOGS/local.json"
lab_wait "gatun local" lab_listens client 1085
begin=$(now_ms)
bytes=$(exec_in client "$PYTHON" -c "
import socket
s = socket.create_connection(('$CLIENT4', 1085)); s.sendall(b'2000000\n')
n = 0
while d := s.recv(65536): n += len(d)
print(n)")
equal "gatun local: a download over the rate is whole" 2000000 "$bytes"
check "and held back" [ $(($(now_ms) - begin)) -ge 1700 ]
words=$(exec_in client "$PYTHON" -c "
import socket
words = []
held = [socket.create_connection(('$CLIENT4', 1084)) for _ in range(3)]
for s in held:
    try: words.append('banner' if s.recv(100) else 'EOF')
    except ConnectionResetError: words.append('reset')
print(*words)")
equal "gatun local: two flows of a client at a time, over all inbounds" "banner banner reset" "$words"
lab_end "$LAB_PID"

# --- who says nothing -------------------------------------------------------------------

limited '"timeout": 60, "nofile": 256, "workers": 1'
lab_start silent client "$PYTHON" -c "
import socket, time
held = [socket.create_connection(('$SERVER4', $SERVER_PORT)) for _ in range(400)]
print('ready', flush=True)
time.sleep(600)"
SILENT_PID=$LAB_PID
lab_wait "400 silent connections" grep -q ready "$LAB_LOGS/silent.log"
as "$BOB" is "400 connections that say nothing do not keep a client out of a server with 256 descriptors" ok short-once @
matches "the log says who made room" "have not said what they want: the oldest makes room" "$LAB_LOGS/server.log"
lab_end "$SILENT_PID"

limited '"timeout": 10'
as "$BOB" is "the server serves on" ok short-once @
finish
