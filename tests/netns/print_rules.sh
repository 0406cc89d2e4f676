#!/bin/bash
# What `gatun up --print-rules` prints is enough for those who keep their own rules: typed into a shell, as nft
# and as iptables, it brings this machine's and a LAN's traffic to a redir inbound of `gatun local`.
. "$(dirname "$0")/redir_lib.sh"
begin_up "$0" "$@"
lab_need nft iptables ip6tables

print_rules()
{
	inside client "$GATUN" up "--print-rules=$1" --mode tproxy --port "$REDIR_PORT" --dns off --lan lan0 \
		-s "$SERVER" -m "$METHOD" -k "$KEY" 2>>"$LAB_LOGS/print.log" >"$LAB_LOGS/rules.$1"
}

rows()
{
	for APP in client lan; do
		same "$1, $APP: 300 kB and FIN, then the answer is read" "answer:right then:EOF" half-close @ 300000
		same "$1, $APP: full cone: answers from others arrive, each with its true source" "@:7003 @:7103 %:7203" udp-cone @
	done
}

forget()
{
	inside client sh -c 'for t in iptables ip6tables; do $t-save | grep -v GATUN_ | $t-restore -w; done' 2>/dev/null
	inside client nft delete table inet gatun 2>/dev/null
	for family in -4 -6; do
		ip -n client "$family" rule flush protocol 103
		for table in 26465 26466 26467; do
			ip -n client "$family" route flush table "$table" 2>/dev/null
		done
	done
}

redir_config tproxy
sed -i 's/\("outbound_fwmark": *\)[0-9]*/\126465/' "$LAB_LOGS/redir.json"
start_redir local
for form in nft iptables; do
	print_rules "$form"
	check "$form: a shell takes what is printed, without a complaint" inside client sh -e "$LAB_LOGS/rules.$form"
	rows "$form"
	forget
done
lab_end "$LOCAL_PID"
finish_up
