# `gatun check`: every problem with its place, the summary, no secret anywhere.
. "$(dirname "$0")/lib.sh"
cd "$WORK" || exit 1

GOOD='ss://YWVzLTI1Ni1nY206cTNacDhMdzBWdFl4N0JuMktkSjVSZ1E@192.0.2.1:8388#home'
run check "$GOOD"
ok "a good URL: ok, what it would do, exit code 0" eval 'code 0 && [ -z "$ERR" ] && out_has "ok" && out_has "\"home\" at 192.0.2.1:8388: aes-256-gcm" && out_has "gatun run: carries TCP and UDP"'

run check " $GOOD "
ok "so is one that was copied with blanks around it" eval 'code 0 && [ -z "$ERR" ] && out_has "\"home\" at 192.0.2.1:8388"'
run check "vm${GOOD#s}"
ok "what is no file and no ss:// URL is called that, and is not repeated" \
	eval 'code 3 && err_has "neither a file nor an ss:// URL" && ! grep -q YWVzLTI1 out err'
run run "vm${GOOD#s}" -- true
ok "nor as the server of a command" eval 'code 125 && err_has "begins with ss://" && ! grep -q YWVzLTI1 out err'
printf '{"server":"127.0.0.1","server_port":8388,"method":"aes-256-gcm","password":"q3Zp8Lw0VtYx7Bn2KdJ5RgQ","locals":[{"local_port":1080},{"protocol":"http","local_port":1080}]}' >two.json
chmod 600 two.json
run check two.json
ok "two inbounds on one port" eval 'code 3 && err_has "two inbounds listen on 127.0.0.1:1080"'

cat >c.json <<'J'
{
	// my server
	"server": "192.0.2.1", /* at home */
	"server_port": 8388,
	"method": "aes-256-gcm",
	"passwrod": "hunter2hunter2",
	"password": "q3Zp8Lw0VtYx7Bn2KdJ5RgQ",
}
J
chmod 600 c.json
run check c.json
ok "a config with comments and a typo works, and the typo is named with line and column" \
	eval 'code 0 && err_has "c.json:6:2: warning: unknown key \"passwrod\", did you mean \"password\"?" && err_lines 1 && out_has "ok, 1 warning"'
ok "its passwords are nowhere" eval '! grep -q -e hunter2 -e q3Zp8 out err'

printf '{"server":"127.0.0.1","method":"aes-256-gcm","manager_address":"m/sock","port_password":{"8001":"q3Zp8Lw0VtYx7Bn2KdJ5RgQ","8002":"z3Zp8Lw0VtYx7Bn2KdJ5RgQ"}}' >p.json
chmod 600 p.json
run check p.json
ok "several ports and a manager: what the server would do" \
	eval 'code 0 && out_has "gatun server: listens on 127.0.0.1:8001" && out_has "gatun server: listens on 127.0.0.1:8002" && out_has "orders at m/sock, opens ports on 127.0.0.1"'

cat >e.json <<'J'
{ "server": "192.0.2.1",
  "server_port": 70000,
  "method": "2022-blake3-aes-256-gcm",
  "password": "AAECAwQFBgcICQoLDA0ODw==",
  "tun_mtu": "big" }
J
chmod 600 e.json
run check e.json
ok "all errors are printed, not only the first; exit code 3" \
	eval 'code 3 && err_lines 3 && err_has "e.json:2:18: error: \"server_port\" wants a number from 1 to 65535, not 70000" && err_has "e.json:4:15: error: password:" && err_has "e.json:5:14: error: \"tun_mtu\""'
ok "a 2022 key of the wrong size says the size it wants and the size it has" eval 'err_has 32 && err_has 16'
ok "the summary counts them" out_has "e.json: not usable, 3 errors"

printf '{ "server": "192.0.2.1", "server_port": 0 ' >t.json
chmod 600 t.json
run check t.json
ok "a truncated file: where, exit code 3" eval 'code 3 && err_has "t.json:1:43: error: no JSON"'

run check /nonexistent.json
ok "a file that is not there: the reason, exit code 3" eval 'code 3 && err_has "/nonexistent.json: error: cannot read it: No such file"'
run check "$WORK"
ok "a directory: the reason, exit code 3" eval 'code 3 && err_has "Is a directory"'
head -c 2000000 /dev/zero >big.json
run check big.json
ok "an endless file is refused" eval 'code 3 && err_has "larger than"'

cp c.json open.json
chmod 644 open.json
run check open.json
ok "a config that every user can read is noted" eval 'code 0 && err_has "chmod o-r"'

OUT=$(echo '{ "server": "'"$GOOD"'" }' | "$GATUN" check - 2>err) CODE=$? ERR=$(cat err)
ok "- is standard input" eval 'code 0 && out_has "standard input: ok"'

for form in 'ss://aes-256-gcm:p@ss@h.example:1' 'ss://aes-256-gcm:p%40ss@h.example:1' 'ss://YWVzLTI1Ni1nY206cEBzcw@h.example:1' \
	'ss://YWVzLTI1Ni1nY206cEBzcw==@h.example:1' 'ss://YWVzLTI1Ni1nY206cEBzc0BoLmV4YW1wbGU6MQ'; do
	run check "$form"
	ok "an @ in the password: $form" eval 'code 0 && out_has "h.example:1: aes-256-gcm"'
done
ok "a weak password is noted with what makes a strong one" eval 'err_has "advice: the password has at most" && err_has "gatun genkey aes-256-gcm"'

for port in 0 70000; do
	run check "ss://YWVzLTI1Ni1nY206cEBzcw@h:$port"
	ok "port $port in a URL: exit code 3, one line" eval 'code 3 && err_lines 1 && err_has "between 1 and 65535"'
	run check <(echo '{ "server": "h", "server_port": '$port', "method": "aes-256-gcm", "password": "q3Zp8Lw0VtYx7Bn2KdJ5RgQ" }')
	ok "port $port in a file: exit code 3" eval 'code 3 && err_has "wants a number from 1 to 65535, not '$port'"'
done

LONG=$(head -c 256 /dev/zero | tr '\0' a)
run check "ss://YWVzLTI1Ni1nY206cTNacDhMdzBWdFl4N0JuMktkSjVSZ1E@$LONG:1"
ok "a name of 256 bytes: exit code 3, one line" eval 'code 3 && err_lines 1 && err_has "256 bytes, a domain has at most 255"'
run check "ss://YWVzLTI1Ni1nY206cTNacDhMdzBWdFl4N0JuMktkSjVSZ1E@${LONG:1}:1"
ok "one of 255 is taken" code 0
run check "ss://YWVzLTI1Ni1nY206cEBzcw@h:1/?plugin=v2ray-plugin"
ok "a plugin is told, with what goes through it" eval 'code 0 && out_has "TCP only through the plugin v2ray-plugin"'
run check "ss://YWVzLTI1Ni1nY206cEBzcw@h:1/?plugin=obfs-local%3Bpassword%3Dhunter2"
ok "its options are not" eval 'code 0 && out_has "through the plugin obfs-local" && ! out_has hunter2 && ! err_has hunter2'
run check "ss://cmM0LW1kNTpwQHNz@h:1"
ok "a stream cipher is refused with the reason" eval 'code 3 && err_has "without authentication"'
run check 'ss://aes-256-gmc:hunter2hunter2@h:1'
ok "a mistyped method: the nearest, and no password" eval 'code 3 && err_has "did you mean \"aes-256-gcm\"?" && ! err_has hunter2'

cat >config.json <<'J'
{
    "server": "192.0.2.1",
    "sever_port": 8388,
    "server_port": 8388,
    "method": "aes-256-gmc",
    "password": "secret",
}
J
chmod 600 config.json
run check config.json
ok "the example in docs/configuration.md is what it prints" \
	eval '[ "$(grep -cxFf <(sed "s/^/    /" err out) "$SOURCE/docs/configuration.md")" = 3 ]'

cat >x.acl <<'A'
[bypass_all]
10.0.0.0/8
[proxy_list]
||example.org
10.1.0.0/40
[blok_list]
A
cat >acl.json <<'J'
{ "server": "192.0.2.1", "server_port": 8388, "method": "aes-256-gcm", "password": "q3Zp8Lw0VtYx7Bn2KdJ5RgQ", "acl": "x.acl",
  "locals": [ { "local_port": 1080, "acl": "missing.acl" }, { "local_port": 1081, "acl": "x.acl" } ] }
J
chmod 600 acl.json
run check acl.json
ok "an ACL's errors are printed, each with its place, of every file that the config names, once" \
	eval 'code 3 && err_lines 3 && err_has "x.acl:5:10: error: a prefix of this address is 0 to 32 bits long" && err_has "x.acl:6:1: error: no list is called [blok_list]" && err_has "missing.acl: error: cannot read it"'
sed -i '/40$/d; s/blok_list/outbound_block_list/' x.acl && sed -i 's/missing/x/' acl.json
run check acl.json www.example.org example.net 10.2.3.4
ok "a good one is summed up" eval 'code 0 && [ -z "$ERR" ] && out_has "bypasses 1 address; proxies 1 name"'
ok "and asked about hosts" eval 'out_has "www.example.org: with a client proxied; with a server reached" && out_has "example.net: with a client past the proxy;" && out_has "10.2.3.4: with a client past the proxy; with a server reached; as a client of one refused"'
run local -c acl.json --acl missing.acl --socks 127.0.0.1:1
ok "a program with a broken ACL does not start" eval 'code 3 && err_has "missing.acl: error: cannot read it"'

export GATUN_PASSWORD=q3Zp8Lw0VtYx7Bn2KdJ5RgQ
run check <(echo '{ "server": "h", "server_port": 1, "method": "aes-256-gcm" }')
ok "GATUN_PASSWORD serves where no password is given" code 0
unset GATUN_PASSWORD
finish
