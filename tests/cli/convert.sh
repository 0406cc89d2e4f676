# url, genkey, ciphers: what they print is what the others read.
. "$(dirname "$0")/lib.sh"
cd "$WORK" || exit 1

METHODS='2022-blake3-aes-128-gcm 2022-blake3-aes-256-gcm 2022-blake3-chacha20-poly1305
aes-128-gcm aes-192-gcm aes-256-gcm chacha20-ietf-poly1305 xchacha20-ietf-poly1305'

run ciphers
ok "ciphers lists the methods with what computes them" eval 'code 0 && for m in $METHODS; do grep -qE "^$m +[0-9]+ bits +[a-z]" <<<"$OUT" || false; done'
ok "each once" eval '[ "$(tail -n +2 <<<"$OUT" | wc -l)" = 8 ]'
run ciphers --bench
ok "ciphers --bench measures every one" eval 'code 0 && [ "$(grep -cE " [0-9]+\.[0-9]{2} +[0-9]+\.[0-9]{2}$" <<<"$OUT")" = 8 ] && ! grep -qE " 0\.00 +0\.00$" <<<"$OUT"'

for m in $METHODS; do
	run genkey $m
	KEY=$OUT
	ok "genkey $m is a line of its own" eval 'code 0 && [ -z "$ERR" ] && [[ $OUT =~ ^[A-Za-z0-9+/]+=*$ ]]'
	run genkey $m
	ok "and another one each time" [ "$OUT" != "$KEY" ]
	cat >c.json <<-J
	{ "server": "2001:db8::1", "server_port": 8388, "method": "$m", "password": "$KEY", "remarks": "été @ home #1" }
	J
	chmod 600 c.json
	run check c.json
	ok "check has no complaint about it" eval 'code 0 && [ -z "$ERR" ]'
	run url c.json
	URL=$OUT
	ok "url makes one ss:// line of the file" eval 'code 0 && [[ $OUT == ss://*@\[2001:db8::1\]:8388#* ]] && [ "$(wc -l <out)" = 1 ]'
	run url "$URL"
	ok "url makes a file of that line, with the same key" eval 'code 0 && grep -qF "\"password\": \"$KEY\"" out && grep -qF "\"method\": \"$m\"" out && grep -qF "été @ home #1" out'
	cp out again.json
	run url again.json
	ok "and the line again" [ "$OUT" = "$URL" ]
done
ok "an older method is written in base64, as SIP002 asks" eval '[[ $URL != *xchacha20* ]]'

cat >two.json <<'J'
{ "servers": [ { "server": "a.example", "server_port": 1 }, { "server": "b.example", "server_port": 2, "disabled": true },
  { "server": "c.example", "server_port": 3 } ], "method": "aes-256-gcm", "password": "q3Zp8Lw0VtYx7Bn2KdJ5RgQ" }
J
run url two.json
ok "several servers: a line each, without the disabled" eval 'code 0 && [ "$(wc -l <out)" = 2 ] && out_has a.example && out_has c.example'
cat >plugin.json <<'J'
{ "server": "a.example", "server_port": 1, "method": "aes-256-gcm", "password": "q3Zp8Lw0VtYx7Bn2KdJ5RgQ", "plugin": "obfs-local", "plugin_opts": "obfs=http;obfs-host=b\\;c" }
J
chmod 600 plugin.json
run url plugin.json
URL=$OUT
ok "a plugin and its options are in the line, as SIP002 says" eval 'code 0 && [[ $OUT == ss://*@a.example:1/\?plugin=obfs-local%3Bobfs%3Dhttp%3Bobfs-host%3Db%5C%3Bc* ]]'
run url "$URL"
ok "and in the file made of it" eval 'code 0 && out_has "\"plugin\": \"obfs-local\"" && grep -qF "\"plugin_opts\": \"obfs=http;obfs-host=b\\\\;c\"" out'
cat >users.json <<'J'
{ "server": "192.0.2.1", "server_port": 1, "method": "2022-blake3-aes-128-gcm", "password": "AAECAwQFBgcICQoLDA0ODw==",
  "users": [ { "name": "alice b", "password": "EBESExQVFhcYGRobHB0eHw==" }, { "name": "bob", "password": "ICEiIyQlJicoKSorLC0uLw==" } ] }
J
chmod 600 users.json
run url users.json
ok "a server with users: a line for each of them, with both keys and the name" \
	eval 'code 0 && [ "$(wc -l <out)" = 2 ] && out_has "gcm:AAECAwQFBgcICQoLDA0ODw%3D%3D%3AEBESExQVFhcYGRobHB0eHw%3D%3D@192.0.2.1:1#alice%20b" && out_has "#bob"'
ALICE=$(head -n 1 out)
run check "$ALICE"
ok "check takes such a line, and it is no server's" eval 'code 0 && [ -z "$ERR" ] && out_has "as a user behind 1 key" && out_has "gatun run: carries" && ! out_has "gatun server"'
run check users.json
ok "check counts the users of a server, and it is no client's" eval 'code 0 && [ -z "$ERR" ] && out_has ", 2 users" && out_has "gatun server: listens" && ! out_has "gatun run"'
run url 'ss://aes-256-gcm:x@h:0'
ok "url refuses what check refuses" fails 3 "between 1 and 65535"
run url "ss://aes-256-gcm:%ff@h:1"
ok "a password that is no UTF-8 cannot become JSON: said, not guessed" fails 1 "UTF-8"
run genkey aes-256-gmc
ok "genkey of a mistyped method: the nearest" fails 2 'did you mean "aes-256-gcm"?'
finish
