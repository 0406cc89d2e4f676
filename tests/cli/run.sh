# The command line of `gatun run`: what stands where, and exit code 125 for
# every failure of gatun's own. The sandbox itself is tests/netns/run_*.sh's.
. "$(dirname "$0")/lib.sh"
cd "$WORK" || exit 1

URL=ss://YWVzLTI1Ni1nY206cTNacDhMdzBWdFl4N0JuMktkSjVSZ1E@192.0.2.1:8388
run run "$URL" curl -s 'http://x y/'
ok "a command without --: the line that was meant, without the secret" \
	eval 'fails 125 "  gatun run ss://... -- curl -s '"'http://x y/'"'" && ! err_has YWVz'
run run -s 192.0.2.1:8388 -m aes-256-gcm -k hunter2 --mtu 1400 -v ls
ok "the same of -s -m -k" eval 'fails 125 "  gatun run -s 192.0.2.1:8388 -m aes-256-gcm -k ... --mtu 1400 -v -- ls" && ! err_has hunter2'
run run ls
ok "without a server: where it belongs" fails 125 "  gatun run SERVER -- ls"
run run "$URL"
ok "without a command: said, exit code 125" fails 125 "  gatun run ss://... -- COMMAND"
run run "$URL" --
ok "nothing behind --: said, exit code 125" fails 125 "  gatun run ss://... -- COMMAND"
run run -s 0.0.0.0:8388 -m aes-256-gcm -k q3Zp8Lw0VtYx7Bn2KdJ5RgQ -- /nosuch
ok "the address of a server's config, which is where it listens: said" err_has "are where a server listens"
run run -- true
ok "no server at all: exit code 125" fails 125 "no server is given"
run run "$URL" --mtu 100 -- true
ok "an MTU out of range: the range, exit code 125" fails 125 "--mtu wants a number from 1280 to 65520, not 100"
run run "$URL" --mtu 1e3 -- true
ok "an MTU that is no number: exit code 125" fails 125 'not "1e3"'
run run "$URL" --mtu 99999999999999999999 -- true
ok "an MTU beyond every number: exit code 125" fails 125 "--mtu wants a number"
run run "$URL" --dns maybe -- true
ok "a wrong --dns: what it wants, exit code 125" fails 125 "--dns wants fake, off, or the address of a resolver"
run run "$URL" --pcap '' -- true
ok "an empty --pcap: exit code 125" fails 125 "--pcap is empty"
run run "$URL" --allow-local -- true
ok "an option of server: said so, exit code 125" fails 125 'an option of `gatun server`'
run run ss://YWVzLTI1Ni1nY206cEBzcw@h:0 -- true
ok "port 0: exit code 125" fails 125 "between 1 and 65535"
run run -s h:1 -m 2022-blake3-aes-128-gcm -k short -- true
ok "a 2022 key of the wrong size: exit code 125" fails 125 "16 bytes"
cat >two.json <<'J'
{ "servers": [ { "server": "a.example", "server_port": 1 }, { "server": "b.example", "server_port": 2 } ],
  "method": "aes-256-gcm", "password": "q3Zp8Lw0VtYx7Bn2KdJ5RgQ" }
J
run run -c two.json -k x -- true
ok "two servers and -k: which? exit code 125" fails 125 "which of the file's 2 servers"
run run -s 127.0.0.1:1 -s 127.0.0.1:2 -s 127.0.0.1:3 -m aes-256-gcm -k a -k b -- true
ok "three servers and two passwords: which? exit code 125" fails 125 "-k stands 2 times beside 3 -s: give it once for all servers, or once for each"
run run -s 127.0.0.1:1 -s 127.0.0.1:2 -m aes-256-gcm -m nonesuch -k a -- true
ok "of two servers each has its own method" fails 125 "unknown method"
run run "$URL" "$URL" -c two.json -- true
ok "URLs and a file: exit code 125" fails 125 "give ss:// URLs or -c FILE, not both"
run run --outbound-proxy socks5://joe:hunter2@x "$URL" ls
ok "a proxy's URL is not repeated" eval 'fails 125 "  gatun run --outbound-proxy ... ss://... -- ls" && ! err_has hunter2'
run run --outbound-proxy ftp://joe:hunter2@x "$URL" -- true
ok "what is no proxy is refused without its password" eval 'fails 125 "a proxy is socks5://HOST:PORT, http://HOST:PORT or an ss:// URL" && ! err_has hunter2'
run run -s 127.0.0.1:1 -m aes-256-gcm -k weak -- true
ok "a weak password is no business of the command's terminal" eval '! err_has "advice"'
run run -v -s 127.0.0.1:1 -m aes-256-gcm -k weak -- true
ok "but -v says it" err_has "advice: the password has at most"
run run -h -- true
ok "--help before -- is for gatun" eval 'code 0 && out_has "Usage: gatun run"'
finish
