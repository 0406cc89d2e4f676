#!/bin/bash
# The programs that people use: curl, git, dig, iperf3.
. "$(dirname "$0")/lib.sh"
lab_need curl git dig iperf3 nginx openssl
begin "$0" "$@"

# A repository to clone, served by nginx as plain files.
make_repository()
{
	local bare=$LAB_LOGS/web/root/project.git work=$LAB_LOGS/work
	git init -q "$work" && head -c 2000000 /dev/urandom >"$work/large" && echo hello >"$work/small" &&
	git -C "$work" add . && git -C "$work" -c user.name=lab -c user.email=lab@lab commit -q -m "one" &&
	git clone -q --bare "$work" "$bare" && git -C "$bare" update-server-info || lab_die "no repository to clone"
}

export HOME=$LAB_LOGS GIT_CONFIG_NOSYSTEM=1
lab_start_web
make_repository
for url in "http://$WORLD4" "http://[$WORLD6]" "https://$WORLD4" "https://[$WORLD6]"; do
	version=1.1
	case $url in https*) version=2 ;; esac
	equal "curl $url/: HTTP/$version" "the web of the lab $version" \
		"$(through curl -s -m 20 --cacert "$LAB_LOGS/web/cert.pem" -w '%{http_version}' "$url/" | paste -sd' ')"
	through curl -s -m 20 --cacert "$LAB_LOGS/web/cert.pem" -o "$LAB_LOGS/3mb" "$url/3mb"
	check "curl $url/3mb: the file is the same" cmp -s "$LAB_LOGS/3mb" "$LAB_LOGS/web/root/3mb"
done
equal "curl: 20 requests on one HTTP/2 connection" 20 \
	"$(through curl -s -m 20 --cacert "$LAB_LOGS/web/cert.pem" "https://$WORLD4/?[1-20]" | grep -c 'the web of the lab')"
through curl -s -m 20 "http://$WORLD4:7099/" >/dev/null
code=$? # 56: reset; 7: before connect() was done
check "curl: a closed port is an error, not an empty page ($code)" [ $code = 56 -o $code = 7 ]

through git clone -q "http://$WORLD4/project.git" "$LAB_LOGS/clone"
check "git clone: the files are the same" cmp -s "$LAB_LOGS/clone/large" "$LAB_LOGS/work/large"
check "git fsck finds nothing" git -C "$LAB_LOGS/clone" fsck --no-progress

equal "dig by UDP" "$WORLD4" "$(through dig +short +tries=2 "@$WORLD4" web.lab A)"
equal "dig by TCP, over IPv6" "$WORLD6" "$(through dig +short +tcp "@$WORLD6" web.lab AAAA)"
RUN_OPTIONS="--dns $WORLD4"
equal "--dns IP: names are asked of that server, through the tunnel" "$WORLD4" "$(through dig +short +tries=2 web.lab A)"
equal "--dns IP: curl finds the site by its name" "the web of the lab" "$(through curl -s -m 20 http://web.lab/)"
RUN_OPTIONS="--dns off"

lab_start iperf3 world iperf3 -s
lab_wait "iperf3" lab_listens world 5201
# Its two counts differ when it stops: what is still on the way is not waited for. Hashes
# are transfer_1gb.sh's; here it must end well, and have moved something in each stream.
measure()
{
	through iperf3 -J "$@" >"$LAB_LOGS/iperf3.json" || return
	"$PYTHON" - "$LAB_LOGS/iperf3.json" <<END
import json, sys
end = json.load(open(sys.argv[1]))["end"]
sys.exit(not all(one["receiver"]["bytes"] > 0 for one in end["streams"]) or end["sum_sent"]["bytes"] < 50e6)
END
}
check "iperf3 up" measure -n 200M -c "$WORLD4"
check "iperf3 down" measure -n 200M -R -c "$WORLD4"
check "iperf3, 8 streams up, IPv6" measure -n 200M -P 8 -c "$WORLD6"
check "iperf3, 8 streams down, IPv6" measure -n 200M -P 8 -R -c "$WORLD6"

finish
