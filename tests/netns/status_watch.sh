#!/bin/bash
# `gatun status --watch`: what a reader sees on a terminal, of any size; that it is given back at any
# end; and the same in plain lines where there is no terminal.
. "$(dirname "$0")/lib.sh"
begin "$0" "$@"

FLOWS="$PYTHON $TESTS_DIR/probes/flows.py"
CONTROL=$LAB_LOGS/local.sock
echo "$WORLD4 far.lab" >"$LAB_LOGS/hosts"
use_server gatun "$SERVER4" --hosts "$LAB_LOGS/hosts"
cat >"$LAB_LOGS/config.json" <<END
{ "servers": [ { "server": "$SERVER4", "server_port": $SERVER_PORT, "method": "$METHOD", "password": "$KEY", "remarks": "東京 one" },
    { "server": "$OTHER4", "server_port": 9, "method": "$METHOD", "password": "$KEY", "remarks": "a server whose name is far longer than any column of a screen could be" } ],
  "control": "$CONTROL", "locals": [ { "protocol": "socks", "local_port": 1080 } ] }
END

start_local()
{
	lab_start local client "$GATUN" local -v -c "$LAB_LOGS/config.json"
	LOCAL_PID=$LAB_PID
	lab_wait "gatun local" [ -S "$CONTROL" ]
	lab_wait "its inbound" lab_listens client 1080
}

# watch NAME SIZE STEP...: what is seen, in NAME.json
watch()
{
	local name=$1
	shift
	exec_in client env TERM=xterm "$PYTHON" "$TESTS_DIR/probes/screen.py" "$@" -- ${WITH-} "$GATUN" status --watch --control "$CONTROL" \
		>"$LAB_LOGS/$name.json" 2>>"$LAB_LOGS/watch.err"
}
# seen NAME EXPRESSION: d is what was seen
seen() { "$PYTHON" -c 'import json, re, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$LAB_LOGS/$1.json" "$2"; }
CLEAN='not d["wide"] and not d["scrolled"] and not d["strange"] and d["left"] and d["kept"] is not False'

start_local
mkfifo "$LAB_LOGS/in"
env SOCKS=1080 ip netns exec client $FLOWS many far.lab 7001 12 <"$LAB_LOGS/in" >"$LAB_LOGS/many.out" &
exec 9>"$LAB_LOGS/in"
lab_wait "12 flows" grep -q held "$LAB_LOGS/many.out"
env SOCKS=1080 ip netns exec client $FLOWS paced far.lab 7009 2000000 120 >"$LAB_LOGS/paced.out" 2>&1 &
PACED=$!
lab_wait "one that flows" grep -q flowing "$LAB_LOGS/paced.out"

# --- 80 columns ----------------------------------------------------------------------------------------

watch plain 80x24 until:gatun 2.2 look 1 look 1 look keys:q
equal "80 columns are enough, nothing scrolls, and the terminal is given back" True "$(seen plain "$CLEAN")"
equal "q ends it, in order" "0 " "$(seen plain '"%d %s" % (d["code"], d["after"])')"
equal "who it is" True "$(seen plain "d['looks'][0].startswith('gatun local, pid $LOCAL_PID, up ')")"
equal "the server by its tag, in any script, up" True "$(seen plain 'bool(re.search("server +東京 one at .*, up, [0-9]+ ms", d["looks"][-1]))')"
RATE='[float(x) * {"k": 1e3, "M": 1e6}.get(u, 1) for l in d["looks"] for x, u in re.findall(r"now .*up, ([0-9.]+) ([kM]?)B?(?:ytes)?.*/s down", l)]'
# What passes comes in pieces of a megabyte, as the sockets' buffers have it.
equal "how fast: 2 MB/s are told as that, give or take one" True "$(seen plain "any(9e5 < r < 3.1e6 for r in $RATE)")"
equal "the busiest flow stands first, with its name and rate" True \
	"$(seen plain 'any(re.search(r"TARGET\n +[0-9]+ tcp +[0-9.]+k? +[1-3]\.[0-9]M .* far\.lab:7009\n", l) for l in d["looks"])')"
equal "ten of them, and how many more" "10 True" "$(seen plain '"%d %s" % (d["looks"][-1].count("far.lab:70"), "and 3 more" in d["looks"][-1])')"
equal "how many there are" True "$(seen plain '"13 TCP flows" in d["looks"][-1]')"

# --- other sizes ------------------------------------------------------------------------------------------

for size in 40x10 20x4 200x60; do
	watch small "$size" until:gatun 1.2 look keys:q
	equal "$size: nothing beyond its columns and rows" "True 0" "$(seen small "'%s %d' % ($CLEAN, d['code'])")"
done
equal "a wide one shows long names whole" True "$(seen small '"any column of a screen could be" in d["looks"][-1]')"
watch resized 120x40 until:gatun look size:50x12 until:gatun 1.2 look keys:q
equal "a window made smaller: drawn anew in its size" True "$(seen resized "$CLEAN and ' tcp ' in d['looks'][-1] and 'TCP flo' in d['looks'][-1]")"

# --- its ends -----------------------------------------------------------------------------------------------

watch ctrl_c 80x24 until:gatun keys:'\x03'
equal "Ctrl-C: the terminal is as it was" "True -2" "$(seen ctrl_c "'%s %d' % ($CLEAN, d['code'])")"
for signal in TERM HUP; do
	watch signal 80x24 until:gatun kill:$signal
	equal "SIG$signal: the same" "True True" "$(seen signal "'%s %s' % ($CLEAN, d['code'] < 0)")"
done
watch colours 80x24 until:gatun keys:q
WITH="env NO_COLOR=1" watch grey 80x24 until:gatun keys:q
equal "colours, and none with NO_COLOR" "True False" "$(seen colours 'd["coloured"]') $(seen grey 'd["coloured"]')"

# --- what happens meanwhile -----------------------------------------------------------------------------------

NUMBER=$(exec_in client "$GATUN" status flows --json --sort age --control "$CONTROL" | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["flows"][0]["flow"])')
watch killed 80x24 until:gatun say:sees-all until:"killed 1" look keys:q &
WATCHER=$!
lab_wait "the screen" grep -q sees-all "$LAB_LOGS/watch.err"
exec_in client "$GATUN" status kill flow "$NUMBER" --control "$CONTROL" >/dev/null
wait "$WATCHER"
equal "why flows end" True "$(seen killed 'bool(re.search("ended +.*killed 1", d["looks"][-1]))')"
OLD=$LOCAL_PID
watch again 80x24 until:"pid $OLD" say:sees-it until:"nothing runs there" look say:misses-it until:"gatun local" look keys:q &
WATCHER=$!
lab_wait "the screen" grep -q sees-it "$LAB_LOGS/watch.err"
exec 9>&-
lab_end "$LOCAL_PID"
lab_wait "the empty screen" grep -q misses-it "$LAB_LOGS/watch.err"
start_local
wait "$WATCHER"
equal "a gatun that ends is waited for, and the next is shown" "True True True" \
	"$(seen again "'%s %s %s' % ('nothing runs there' in d['looks'][0], 'pid $LOCAL_PID' in d['looks'][1], $CLEAN)")"

# --- no terminal ----------------------------------------------------------------------------------------------

env SOCKS=1080 ip netns exec client $FLOWS paced far.lab 7009 2000000 120 >"$LAB_LOGS/paced2.out" 2>&1 &
PACED2=$!
exec_in client "$GATUN" status --watch --control "$CONTROL" >"$LAB_LOGS/lines" 2>"$LAB_LOGS/lines.err" &
LINES_PID=$!
LINE='^[0-9:]{8} [0-9.]+k?/s up, [0-9.]+[kM]?/s down, 1 TCP, 0 UDP, busiest far\.lab:7009 [12]\.[0-9]M/s$'
lab_wait "three lines, and the rate of one that has begun" eval '[ "$(wc -l <"$LAB_LOGS/lines")" -ge 3 ] && grep -Eq "$LINE" "$LAB_LOGS/lines"'
lab_end "$LOCAL_PID"
wait "$LINES_PID"
equal "it ends with the instance, and says so" "1 gatun status: nothing runs there" "$? $(cat "$LAB_LOGS/lines.err")"
matches "into a pipe: a line a second, in plain text" "$LINE" "$LAB_LOGS/lines"
equal "no byte of it controls a terminal" 0 "$(grep -c "$(printf '\033')" "$LAB_LOGS/lines")"
kill "$PACED" "$PACED2" 2>/dev/null
finish
