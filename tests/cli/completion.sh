# Shells complete gatun's command lines with what works: words of the program's own tables.
. "$(dirname "$0")/lib.sh"

for shell in bash zsh fish; do
	run help --completion $shell
	ok "help --completion $shell prints a script" code 0
	printf '%s\n' "$OUT" >"$WORK/gatun.$shell"
	ok "$shell: the one that is installed" cmp -s "$WORK/gatun.$shell" "$BUILD/docs/gatun.$shell"
	if [ "$shell" = bash ] || command -v "$shell" >/dev/null; then
		ok "$shell takes it" "$shell" -n "$WORK/gatun.$shell"
	else
		echo "skip $shell is not installed"
	fi
done
run help --completion csh
ok "another shell is refused, with a line that names those there are" fails 2 "bash, zsh, fish"

# --- bash, as it asks --------------------------------------------------------------------

cat >"$WORK/ask.sh" <<'END'
compopt() { :; } # there is no line to edit here
. "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_gatun
printf '%s\n' "${COMPREPLY[@]}"
END
# offers WORD...: the last is being typed; what is offered, sorted, in a line
offers() { bash --norc "$WORK/ask.sh" "$WORK/gatun.bash" "$@" | sort | paste -sd' '; }
# is TEXT EXPECTED WORD...
is()
{
	local text=$1
	OUT=$(offers "${@:3}") ERR="expected: $2"
	ok "$text" [ "$OUT" = "$2" ]
}
# has TEXT WORD WORD...: the first of them is among what is offered for the others
has()
{
	local text=$1
	OUT=" $(offers "${@:3}") "
	ok "$text" out_has " $2 "
}
"$GATUN" help | sed -n 's/^  \([a-z]*\)  .*/\1/p' | sort -u >"$WORK/commands"
is "every command" "$(grep -vx gatun "$WORK/commands" | xargs)" gatun ""
is "a command's beginning" "ciphers" gatun ci
is "a command's options" "--dns" gatun run --dn
has "help for each" "--help" gatun genkey --
is "words of an option" "json text" gatun server --log-format ""
is "the same behind =" "text" gatun server --log-format = t
is "methods, with the short option too" "aes-128-gcm aes-192-gcm aes-256-gcm" gatun run -m aes
is "genkey's argument" "2022-blake3-chacha20-poly1305" gatun genkey 2022-blake3-c
is "what status can say" "flows flush kill" gatun status ""
is "in which order" "rate" gatun status flows --sort r
touch "$WORK/servers.json" "$WORK/servers.acl"
is "files" "$WORK/servers.acl $WORK/servers.json" gatun check "$WORK/serv"
is "files of an option" "$WORK/servers.acl" gatun run --acl "$WORK/servers.a"
is "behind -- the command's own line" "$WORK/servers.acl $WORK/servers.json" gatun run -c x.json -- cat "$WORK/serv"
has "and before that the command" "cat" gatun run -c x.json -- ca
is "a value that nobody can guess" "" gatun run -k ""
is "help about a command" "genkey" gatun help g
for command in $(grep -vx gatun "$WORK/commands"); do
	"$GATUN" $command --help | sed -n 's/^  \(-.,\|   \) \(--[a-z0-9-]*\).*/\2/p' | grep -vx -e --help | sort >"$WORK/known"
	offers gatun "$command" -- | tr ' ' '\n' | grep -vx -e --help >"$WORK/offered"
	ok "$command: the options of --help, all of them and no others" cmp -s "$WORK/known" "$WORK/offered"
done
finish
