#!/bin/bash
# Servers from the network (SIP008), from nginx with a CA of the test's own: fetched, verified,
# updated without a word to the flows that stand, kept for bad days; and what is broken, large,
# forged or hostile changes nothing.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"
lab_need curl nginx openssl nc
lab_start_web
UPLINK_CHECKED=no # the document is fetched beside the tunnel, here from the client's own loopback

dir=$LAB_LOGS/provider
mkdir -p "$dir/root/token-4711" "$dir/tmp"
DOCUMENT=$dir/root/token-4711/servers.json
# make_ca NAME: a CA and, signed by it, a certificate for config.lab
make_ca()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" -keyout "$dir/$1-ca.key" -out "$dir/$1-ca.pem" &&
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=config.lab -keyout "$dir/$1.key" -out "$dir/$1.csr" &&
	openssl x509 -req -in "$dir/$1.csr" -CA "$dir/$1-ca.pem" -CAkey "$dir/$1-ca.key" -CAcreateserial -days 2 \
		-extfile <(echo "subjectAltName=DNS:config.lab") -out "$dir/$1.pem"
} 2>>"$dir/openssl.log"
make_ca good && make_ca other || lab_die "no certificates: $(tail -n 3 "$dir/openssl.log")"
sed -e "s,@DIR@,$dir,g" -e '/listen/d' -e '/ssl_certificate/d' "$LAB_DIR/nginx.conf" |
	sed "/root /{
		s,.*,root $dir/root; listen 8443 ssl; ssl_certificate $dir/good.pem; ssl_certificate_key $dir/good.key;,
		a location /moved { return 302 https://config.lab:8443/token-4711/servers.json; }
		a location /plain { return 302 http://127.0.0.1:8080/token-4711/servers.json; }
		a location /round { return 302 /round; }
		a } server { listen 8444 ssl; root $dir/root; ssl_certificate $dir/other.pem; ssl_certificate_key $dir/other.key;
		a } server { listen 8080; root $dir/root;
	}" >"$dir/nginx.conf"
start_provider()
{
	lab_start provider client nginx -p "$dir" -e "$dir/error.log" -c "$dir/nginx.conf"
	PROVIDER=$LAB_PID
	lab_wait "the provider" lab_listens client 8443
}
start_provider
echo "127.0.0.1 config.lab" >"$LAB_LOGS/hosts"

OTHER_PORT=8390 OTHER_KEY=$(make_key "$METHOD")
lab_start second server "$GATUN" server -v -s "$SERVER4:$OTHER_PORT" -m "$METHOD" -k "$OTHER_KEY"
SECOND=$LAB_PID
lab_wait "the second server" lab_listens server "$OTHER_PORT"

entry() { printf '{ "id": "%s", "remarks": "%s", "server": "%s", "server_port": %s, "method": "%s", "password": "%s"%s }' "$1" "$1" "$SERVER4" "$2" "$METHOD" "$3" "${4:-}"; }
# provides ENTRY...: the document, replaced as a whole
provides()
{
	local IFS=,
	printf '{ "version": 1, "bytes_used": 1000, "bytes_remaining": 2000, "servers": [ %s ] }' "$*" >"$DOCUMENT.new"
	mv "$DOCUMENT.new" "$DOCUMENT"
}
first=$(entry first "$SERVER_PORT" "$KEY") second=$(entry second "$OTHER_PORT" "$OTHER_KEY")

# config URL [MORE]: gatun's file, with nothing but that
config()
{
	printf '{ "online_config": { "config_url": "%s", "update_interval": 1, "ca_file": "%s", "cache_file": "%s" %s }, "hosts": "%s", "nameserver": "127.0.0.1", "dns_mode": "off" }' \
		"$1" "$dir/good-ca.pem" "$LAB_LOGS/state/cache.json" "${2:-}" "$LAB_LOGS/hosts" >"$LAB_LOGS/client.json"
	chmod 600 "$LAB_LOGS/client.json"
}
URL=https://config.lab:8443/token-4711/servers.json

start_local()
{
	rm -f "$LAB_LOGS/local.log"
	lab_start local client "$GATUN" local -v -c "$LAB_LOGS/client.json" --socks 127.0.0.1:1080 --control "$LAB_LOGS/local.sock"
	LOCAL_PID=$LAB_PID
	lab_wait "gatun local" listens_or_ended
}
listens_or_ended() { lab_listens client 1080 || ! kill -0 "$LOCAL_PID"; }
says() { grep -Eq -- "$1" "$LAB_LOGS/local.log"; }
fetch() { exec_in client curl -sS --max-time 30 --noproxy "" --socks5 127.0.0.1:1080 -o "$LAB_LOGS/got" "$@" "http://$WORLD4/3mb" 2>>"$LAB_LOGS/curl.log" && cmp -s "$LAB_LOGS/got" "$LAB_LOGS/web/root/3mb"; }
status() { exec_in client "$GATUN" status --json --control "$LAB_LOGS/local.sock" | "$PYTHON" -c "import json, sys; d = json.load(sys.stdin); print($1)"; }
tags() { status '" ".join(s["tag"] for s in d["servers"])'; }
has_tags() { [ "$(tags)" = "$1" ]; }

# --- the first answer, and the next -----------------------------------------------------
provides "$first"
config "$URL"
start_local
check "the servers of the first answer carry" fetch
equal "and are in the status, by name" first "$(tags)"
equal "with what the provider says of the traffic paid for" "1 0 1000 2000 False" \
	"$(status '" ".join(str(d["online"][k]) for k in ("servers", "left_out", "bytes_used", "bytes_remaining", "cached"))')"
equal "a copy is kept for bad days, and nobody else may read it" "600 $(md5sum <"$DOCUMENT")" "$(stat -c %a "$LAB_LOGS/state/cache.json") $(md5sum <"$LAB_LOGS/state/cache.json")"
mkfifo "$LAB_LOGS/words"
exec_in client nc -N -X 5 -x 127.0.0.1:1080 "$WORLD4" 7001 <"$LAB_LOGS/words" >"$LAB_LOGS/echoed" 2>>"$LAB_LOGS/nc.log" &
conversation=$!
exec 9>"$LAB_LOGS/words"
echo before >&9
lab_wait "a conversation's begin" grep -q before "$LAB_LOGS/echoed"
provides "$second"
lab_wait "the second answer" has_tags second
check "new connections go to the new server" fetch
equal "as its numbers say" True "$(status 'd["servers"][0]["down"] >= 3000000')"
echo after >&9
exec 9>&-
wait "$conversation"
equal "and one that stood before goes on, by the old one" "before after" "$(paste -sd' ' "$LAB_LOGS/echoed")"
matches "the change is a line in the log" "online config: changed, 1 servers now" "$LAB_LOGS/local.log"

kill -HUP "$LOCAL_PID"
lab_wait "the reload" says "the config has been reloaded"
equal "a reload of gatun's own file keeps the servers of the network" second "$(tags)"
check "and their connections" fetch

# --- answers that are none ----------------------------------------------------------------
# unchanged TEXT REGEX: the log says it, and the servers are what they were
unchanged()
{
	lab_wait "the log: $2" says "$2"
	equal "$1: a line, and nothing changes" second "$(tags)"
}
echo '{ "version": 1, "servers": [' >"$DOCUMENT"
unchanged "broken JSON" "online config: what came is not used: it is no JSON"
check "and all goes on" fetch
lab_end "$LOCAL_PID"
provides "$second"

# reads TEXT REGEX CONFIG...: at the start, with the copy of the second answer
starts_with_copy()
{
	local text=$1 regex=$2
	shift 2
	config "$@"
	start_local
	if says "$regex" && says "online config: going on with the copy of [0-9]+ s ago" && fetch; then
		ok "$text: a line, and the copy serves"
	else
		fail "$text" "$(head -n 4 "$LAB_LOGS/local.log")"
	fi
	lab_end "$LOCAL_PID"
}
starts_with_copy "a certificate of another CA" "cannot be fetched: .*certificate" https://config.lab:8444/token-4711/servers.json
starts_with_copy "a certificate of another name" "cannot be fetched: .*(127.0.0.1|subject|certificate)" https://127.0.0.1:8443/token-4711/servers.json
starts_with_copy "a document that is not there" "cannot be fetched: it answers with status 404" https://config.lab:8443/token-4711/nothing.json
starts_with_copy "a redirect to http" "cannot be fetched: it leads away from https" https://config.lab:8443/plain
starts_with_copy "redirects without end" "cannot be fetched: it redirects without end" https://config.lab:8443/round
starts_with_copy "a name that does not resolve" "cannot be fetched: its name does not resolve" https://nowhere.invalid:8443/x
head -c 3000000 /dev/zero | tr '\0' ' ' >"$DOCUMENT"
starts_with_copy "3 MB of nothing" "cannot be fetched: what comes is larger than it may be" "$URL"
lab_end "$PROVIDER"
starts_with_copy "no provider at all" "cannot be fetched: .*(connect|refused)" "$URL"
cp "$LAB_LOGS/state/cache.json" "$LAB_LOGS/copy.json"
chmod 666 "$LAB_LOGS/state/cache.json"
config "$URL"
exec_in client "$GATUN" local -c "$LAB_LOGS/client.json" --socks 127.0.0.1:1080 >"$LAB_LOGS/none.txt" 2>&1
equal "a copy that others could have written is not read, and without a server gatun ends" 1 $?
matches "saying so" "the copy of an earlier answer cannot be read err=EPERM" "$LAB_LOGS/none.txt"
rm "$LAB_LOGS/state/cache.json"
exec_in client "$GATUN" run -c "$LAB_LOGS/client.json" -- true >"$LAB_LOGS/none.txt" 2>&1
equal "neither provider nor copy: gatun run ends with 125" 125 $?
matches "and says why" "there is no server to use, neither from the network nor from an earlier answer" "$LAB_LOGS/none.txt"

# --- more than one, and hostile ones ---------------------------------------------------------
start_provider
provides "$(entry sh "$SERVER_PORT" "$KEY" ', "plugin": "/bin/sh", "plugin_opts": "x"')" '{ "server": "h", "server_port": 70000 }' 5 \
	"$(entry 'es\u001b[2J' "$SERVER_PORT" short)" "$first"
config "$URL" ', "allowed_plugins": ["obfs-local"]'
start_local
equal "of five entries the one that is sound is used" "first 4" "$(tags) $(status 'd["online"]["left_out"]')"
check "and carries" fetch
matches "the plugin that nobody allowed is named as the reason" "server 1 sh is left out: its plugin is not among" "$LAB_LOGS/local.log"
check "what they say cannot reach the terminal" [ "$(grep -c $'\033' "$LAB_LOGS/local.log")" = 0 ]
lab_end "$LOCAL_PID"

provides "$first"
config https://config.lab:8443/moved
equal "gatun run, with a redirect" "got:10000000,intact then:EOF" "$(exec_in client "$GATUN" run -v -c "$LAB_LOGS/client.json" -- $PROBE source "$WORLD4" 10000000 2>>"$LAB_LOGS/run.log")"
config http://127.0.0.1:8080/token-4711/servers.json
equal "plain http from this machine itself" ok "$(exec_in client "$GATUN" run -v -c "$LAB_LOGS/client.json" -- $PROBE short-once "$WORLD4" 2>>"$LAB_LOGS/run.log")"
config http://config.lab:8080/token-4711/servers.json
exec_in client "$GATUN" run -c "$LAB_LOGS/client.json" -- true 2>"$LAB_LOGS/none.txt"
matches "and from nowhere else" "config_url wants https://" "$LAB_LOGS/none.txt"

# --- its sockets ------------------------------------------------------------------------------
if command -v nft >/dev/null; then
	inside client nft "add table ip marks; add chain ip marks out { type filter hook output priority 0; }; add rule ip marks out tcp dport 8443 meta mark 119 counter; add rule ip marks out tcp dport 8443 tcp flags syn meta mark 0 counter drop"
	config "$URL"
	sed -i 's/"hosts"/"outbound_fwmark": 119, "hosts"/' "$LAB_LOGS/client.json"
	equal "outbound_fwmark is on its sockets too" ok "$(exec_in client "$GATUN" run -v -c "$LAB_LOGS/client.json" -- $PROBE short-once "$WORLD4" 2>>"$LAB_LOGS/run.log")"
	check "as the kernel saw" [ "$(inside client nft list table ip marks | grep -c 'mark 0x00000077 counter packets [1-9]')" = 1 ]
	inside client nft delete table ip marks
else
	skip "nft is not installed"
fi

check "neither the URL's token nor a password is in any log" [ -z "$(grep -lF -e token-4711 -e "$KEY" -e "$OTHER_KEY" "$LAB_LOGS"/*.log "$LAB_LOGS/none.txt")" ]
lab_end "$SECOND"
finish
