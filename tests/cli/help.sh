# What the program says of itself: help, version, usage errors and their codes.
. "$(dirname "$0")/lib.sh"

run help
ok "help lists the commands" eval 'code 0 && out_has "gatun check" && out_has "gatun genkey" && out_has "gatun ciphers"'
HELP=$OUT
run --help
ok "--help is help" eval 'code 0 && [ "$OUT" = "$HELP" ]'
for command in $(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' <<<"$HELP"); do
	run "$command" --help
	ok "$command --help explains itself within 80 columns" \
		eval 'code 0 && out_has "Usage: gatun $command" && ! grep -qE "^.{81}" <<<"$OUT" && [ -z "$ERR" ]'
	WANT=$OUT
	run help "$command"
	ok "help $command is the same text" eval 'code 0 && [ "$OUT" = "$WANT" ]'
done
run version
ok "version is one line" eval 'code 0 && [[ $OUT =~ ^gatun\ [0-9]+\.[0-9]+\.[0-9]+$ ]]'
WANT=$OUT
run --version
ok "--version is the same line" eval 'code 0 && [ "$OUT" = "$WANT" ]'
run chekc
ok "a mistyped command: the nearest, exit code 2" fails 2 'did you mean "check"?'
run help genkye
ok "help of a mistyped command too" fails 2 'did you mean'
run $'\e[31mred'
ok "an unknown command cannot colour the terminal" eval 'fails 2 "\\x1b[31mred" && ! err_has $'"'\e'"
for command in check url genkey; do
	run $command
	ok "$command without its argument: exit code 2" fails 2 "Usage: gatun $command"
	[ $command != check ] || continue # which takes hosts
	run $command a b
	ok "$command with two arguments: exit code 2" fails 2 "Usage: gatun $command"
done
run ciphers --bunch
ok "ciphers refuses what it does not know" fails 2 "Usage: gatun ciphers"
timeout 20 "$GATUN" help >/dev/full 2>"$WORK/err"
CODE=$? OUT='' ERR=$(cat "$WORK/err")
ok "output that cannot be written is a failure" fails 1 'standard output'

if [ -e "$BUILD/docs/gatun.1" ]; then
	OUT=$(MANWIDTH=200 man -l "$BUILD/docs/gatun.1" 2>/dev/null | cat)
	[ -n "$OUT" ] || OUT=$(cat "$BUILD/docs/gatun.1") # without man-db: the source
	for key in policy:balancer config_url:online_config client_flows:limits worker_count:runtime; do
		ok "the man page says where ${key%:*} stands" eval 'tr -d "\\" <"$BUILD/docs/gatun.1" | sed "s/f[BR]//g" | grep -q "^${key%:*}, .*, in ${key#*:}$"'
	done
	for command in $(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' <<<"$HELP"); do
		ok "the man page has $command" out_has "gatun $command"
	done
	ok "the man page has no unfilled table" eval '! out_has @'"OPTIONS@"' && out_has "server_port" && out_has "EXIT STATUS"'
fi
finish
