# What people try who know other programs: each is told what gatun wants, and no secret is repeated.
. "$(dirname "$0")/lib.sh"
cd "$WORK" || exit 1
umask 077

# refused CODE TEXT WORDS...: exit code, a sentence with TEXT on stderr, nothing on stdout
refused() { run "${@:3}"; ok "gatun ${*:3}" fails "$1" "$2"; }
no_secret() { ok "the secret is not repeated" eval '! grep -q hush out err'; }

URL=$(printf 'aes-256-gcm:hush' | base64 | tr -d '\n=')@192.0.2.1:8388
echo "ss://$URL#one" >urls.txt
base64 -w 0 urls.txt >subscription.txt
printf 'vmess://hush\nss://%s\n' "$URL" | base64 >wrapped.txt
cat >clash.yaml <<'Y'
port: 7890
proxies:
  - { name: one, type: ss, server: 192.0.2.1, port: 8388, cipher: aes-256-gcm, password: hush }
Y
cat >singbox.json <<'J'
{ "log": {}, "inbounds": [ { "type": "tun" } ],
  "outbounds": [ { "type": "shadowsocks", "server": "192.0.2.1", "server_port": 8388, "method": "aes-256-gcm", "password": "hush" } ] }
J
printf 'server = 192.0.2.1\nport = 8388\n' >ini.conf
: >empty.json
echo '{ "server": "192.0.2.1", "server_port": 8388, "method": "aes-256-gcm", "password": "hush", "servers": 5' >cut.json

# files
for how in check url 'local --socks 127.0.0.1:1 -c'; do
	run $how clash.yaml
	ok "$how: a config of Clash is called that, and what is wanted of it" eval 'code 3 && err_has "config of Clash" && err_has "its cipher"'
	no_secret
done
run check singbox.json
ok "check: a config of sing-box is called that" eval 'code 3 && err_has "config of sing-box" && ! err_has "unknown key"'
no_secret
for list in subscription.txt wrapped.txt; do
	run check $list
	ok "check: a subscription is called that ($list)" eval 'code 3 && err_has "a subscription" && err_has "base64 -d"'
	no_secret
done
run check urls.txt
ok "check: a file of URLs is called that" eval 'code 3 && err_has "a list of URLs"'
no_secret
run check empty.json
ok "check: an empty file is called empty" eval 'code 3 && err_has "it is empty"'
run check ini.conf
ok "check: a file of another kind is no JSON, and where" eval 'code 3 && err_has "ini.conf:1:1: error: no JSON"'
run check cut.json
ok "check: a file that is cut off is JSON that is wrong, and where" eval 'code 3 && err_has "cut.json:2:1: error: no JSON"'
no_secret

# words
refused 2 "what is the URL for? gatun up URL" "ss://aes-256-gcm:hush@192.0.2.1:8388"
no_secret
refused 2 "what is the config for? gatun up -c FILE" singbox.json
refused 2 "options stand behind a command" -v
refused 2 'did you mean "up"?' upp
for command in up local doctor; do
	refused 2 "begins with ss://" $command https://user:hush@192.0.2.1/
	no_secret
	refused 2 "stands behind -c: gatun $command -c FILE" $command singbox.json
done
refused 125 "begins with ss://" run trojan://hush@192.0.2.1 -- true
no_secret
refused 125 "stands behind -c" run singbox.json -- true
refused 2 "a port stands behind its address" server -s 0.0.0.0 -p 8388 -m aes-256-gcm -k hush
no_secret
refused 2 "by --socks, --http or --mixed" local -s 192.0.2.1:8388 -l 1080
refused 2 "UDP is carried without it" server -u
refused 2 "-s wants HOST:PORT, as in" local -s 192.0.2.1 -m aes-256-gcm -k hush
no_secret
refused 2 "did you mean --json?" status --josn
run check vmess://hush
ok "check: another kind of URL" eval 'code 3 && err_has "the one kind that gatun reads"'
no_secret
finish
