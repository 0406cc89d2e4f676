# The command lines of `gatun up` and `gatun down`: what is refused, with which words, and what
# --print-rules prints. With --print-rules throughout: nothing here may ever change this machine.
. "$(dirname "$0")/lib.sh"
cd "$WORK" || exit 1

URL=ss://YWVzLTI1Ni1nY206cTNacDhMdzBWdFl4N0JuMktkSjVSZ1E@192.0.2.1:8388
up() { run up --print-rules "$URL" "$@"; }

up --route 10.1.2.3/8
ok "a prefix with host bits: the one that was meant" fails 2 "--route: 10.1.2.3/8 has bits behind its prefix: did you mean 10.0.0.0/8?"
up --exclude 10.0.0.0/33
ok "a prefix that is too long" fails 2 '--exclude wants a prefix such as 10.0.0.0/8 or fd00::/8, not "10.0.0.0/33"'
up --route 10.0.0.0/8 --route 10.1.0.0/16
ok "routes inside one another" fails 3 "the route 10.1.0.0/16 is inside the route 10.0.0.0/8"
up --route 10.1.0.0/16 --exclude 10.0.0.0/8
ok "a route that is excluded" fails 3 "the route 10.1.0.0/16 is inside 10.0.0.0/8, which is excluded"
up --lan a/b
ok "no name of an interface" fails 2 "--lan wants the name of a network interface"
up --lan lo
ok "loopback is no LAN" fails 3 "--lan lo: no LAN is behind it"
up --uid nobody-has-this-name
ok "a user that is not there" fails 2 "--uid wants a user of this machine"
up --uid 1 --not-uid 2
ok "only some and all but some exclude each other" fails 2 "--not-uid: either only some are taken (--uid, --cgroup), or all but some"
up --cgroup a/../..
ok "a control group's path that climbs" fails 2 "--cgroup wants the path of a control group"
up --mark 0
ok "mark 0 is no mark" fails 2 "--mark wants a number from 1 to 4294967291"
up --table 254
ok "the main table is not ours" fails 3 "253 to 255 are the kernel's"
up --mode tap
ok "a mode that is none" fails 2 "--mode wants one of tun|tproxy|redirect"
up --mode redirect --udp-over-tcp true
ok "redirect carries no UDP: said" err_has "udp_over_tcp has no effect in mode redirect"
up --mode tproxy --pcap x.pcap
ok "there is no TUN to capture from" fails 3 "mode tproxy has none"
up --port 5000
ok "a port that nobody listens on: said" err_has "--port or --dns-port has no effect in mode tun"
up --kill-swich
ok "a word that is nearly right" fails 2 "did you mean --kill-switch?"
up --print-rules=pf
ok "a form that is none" fails 2 "--print-rules wants one of nft|iptables"
run up --print-rules -s 192.0.2.1:8388 -m aes-256-gcm -k x --mtu 100
ok "an MTU out of range" fails 2 "--mtu wants a number from 1280 to 65520"
cat >marked.json <<'J'
{ "server": "192.0.2.1", "server_port": 1, "method": "aes-256-gcm", "password": "q3Zp8Lw0VtYx7Bn2KdJ5RgQ", "outbound_fwmark": 7 }
J
run up --print-rules -c marked.json
ok "another mark in the config: which one to give" fails 3 "give --mark 7"
run up --print-rules -c marked.json --mark 0x7
ok "the same mark will do, also as 0x7" code 0

up
ok "the rules of a TUN are printed, without rights" eval 'code 0 && out_has "table inet gatun" && out_has "dev gatun0"'
ok "and hold nothing of the server" eval '! out_has q3Zp && ! out_has 8388'
up --route 10.0.0.0/8 --exclude 10.9.0.0/16
ok "what was asked for is in them" eval 'code 0 && out_has 10.0.0.0/8 && out_has 10.9.0.0/16'
run up "--print-rules=iptables" "$URL" --mode tproxy --port 5005
ok "and as iptables" eval 'code 0 && out_has "iptables" && out_has 5005'
up --kill-switch
ok "the kill switch is a table of its own" eval 'code 0 && out_has "table inet gatun_guard"'

cat >lists.json <<'J'
{ "server": "192.0.2.1", "server_port": 1, "method": "aes-256-gcm", "password": "q3Zp8Lw0VtYx7Bn2KdJ5RgQ",
  "tun_routes": ["10.0.0.0/8", "172.16.0.0/12"] }
J
chmod go-r lists.json
run up --print-rules -c lists.json --route 192.168.7.0/24
ok "routes of the command line stand in place of the file's" eval 'code 0 && out_has 192.168.7.0/24 && ! out_has 172.16.0.0/12'
run check lists.json
ok "check says what up would do" out_has "gatun up: takes everything of this machine by tun to 10.0.0.0/8, 172.16.0.0/12"

run down --now
ok "down takes no such option" fails 2 "it takes --keep-guard, or nothing"
run down --help
ok "down explains itself" eval 'code 0 && out_has "Safe to run twice"'

finish
