# url --qr: a telephone's scanner reads the URL off the terminal, dark or light, and off the picture.
. "$(dirname "$0")/lib.sh"
cd "$WORK" || exit 1
command -v zbarimg >/dev/null || { echo "skip: there is no zbarimg (Debian: zbar-tools)"; exit 77; }
umask 077

# Text or SVG on standard input becomes a PGM on standard output, 4 pixels a module, as a terminal would show
# it: light letters on dark, or (FOREGROUND=dark) dark on light, but where colours are said.
cat >render.py <<'P'
import os, re, sys
data = sys.stdin.read()
scale, rows = 4, []
if "<svg" in data:
    size = int(re.search(r'viewBox="0 0 (\d+)', data).group(1))
    rows = [[255] * size for _ in range(size)]
    for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", data):
        rows[int(y)][int(x)] = 0
else:
    for line in data.splitlines():
        said = re.match("\033\\[38;5;16;48;5;231m(.*)\033\\[0m$", line.rstrip("\r"))
        text = said.group(1) if said else line
        if not text or set(text) - set(" ▄▀█"):
            continue
        ink, paper = (0, 255) if said or os.environ.get("FOREGROUND") == "dark" else (255, 0)
        rows.append([ink if c in "▀█" else paper for c in text])
        rows.append([ink if c in "▄█" else paper for c in text])
    if len(set(map(len, rows))) != 1:
        sys.exit("lines of %s columns" % sorted(set(map(len, rows))))
rows = [[p for p in row for _ in range(scale)] for row in rows for _ in range(scale)]
sys.stdout.buffer.write(b"P5\n%d %d\n255\n" % (len(rows[0]), len(rows)) + b"".join(map(bytes, rows)))
P
# scan FILE: what a scanner reads in it
scan() { python3 render.py <"$1" >"$1.pgm" && zbarimg -q --raw --nodbus "$1.pgm" 2>zbar.err; }

cat >terminal.py <<'P'
"""terminal.py COLUMNS COMMAND...: what it writes on a terminal so wide, and its exit code."""
import fcntl, os, pty, struct, sys, termios
pid, master = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 200, int(sys.argv[1]), 0, 0))
    os.environ["TERM"] = "xterm-256color"
    os.environ.pop("NO_COLOR", None)
    os.execv(sys.argv[2], sys.argv[2:])
while True:
    try:
        part = os.read(master, 65536)
    except OSError:
        break
    if not part:
        break
    sys.stdout.buffer.write(part)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
P

cat >one.json <<'J'
{ "server": "2001:db8::1", "server_port": 8388, "method": "2022-blake3-aes-256-gcm", "password": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "remarks": "home" }
J
run url one.json
URL=$OUT
run url one.json --qr
cp out plain
ok "a config becomes a code, and its name stands above it" eval 'code 0 && [ -z "$ERR" ] && [ "$(head -n 1 plain)" = home ]'
ok "the URL itself is not printed beside it" eval '! grep -q "ss:\|AAEC" plain'
ok "a scanner reads the URL off a dark terminal" [ "$(scan plain)" = "$URL" ]
ok "it fits 80 columns" eval '[ "$(sed -n 2p plain | python3 -c "print(len(input()))")" -le 80 ]'
run url --qr "$URL"
ok "a URL becomes the same code" cmp -s out plain
python3 terminal.py 100 "$GATUN" url one.json --qr >colours
ok "on a terminal the colours are said" grep -q "$(printf '\033')\[38;5;16;48;5;231m" colours
ok "so a scanner reads it, whatever the terminal's own colours" eval '[ "$(scan colours)" = "$URL" ] && [ "$(FOREGROUND=dark scan colours)" = "$URL" ]'
python3 terminal.py 30 "$GATUN" url one.json --qr >narrow
CODE=$?
ok "a terminal that is too narrow is said, and nothing drawn" eval 'code 1 && grep -q "columns wide and the terminal 30" narrow && ! grep -q █ narrow'
run url one.json --qr=svg
cp out picture.svg
ok "--qr=svg writes a picture that a scanner reads" eval 'code 0 && [ "$(scan picture.svg)" = "$URL" ]'
ok "which is well-formed" python3 -c 'import xml.dom.minidom; xml.dom.minidom.parse("picture.svg")'

cat >users.json <<'J'
{ "server": "192.0.2.1", "server_port": 1, "method": "2022-blake3-aes-128-gcm", "password": "AAECAwQFBgcICQoLDA0ODw==",
  "users": [ { "name": "alice", "password": "EBESExQVFhcYGRobHB0eHw==" }, { "name": "bob", "password": "ICEiIyQlJicoKSorLC0uLw==" } ] }
J
run url users.json
cp out urls
run url users.json --qr
sed -n '/^alice$/,/^bob$/p' out | sed '1d;$d' >alice
sed -n '/^bob$/,$p' out | sed 1d >bob
ok "a server with users: a code for each, below his name" eval '[ "$(scan alice)" = "$(sed -n 1p urls)" ] && [ "$(scan bob)" = "$(sed -n 2p urls)" ]'
run url users.json --qr=svg
ok "a picture has one of them: said" fails 1 "makes 2"
run url one.json --qr=png
ok "another form is a wrong use" fails 2 "--qr=svg a picture"
run url --qr
ok "of what? is asked" fails 2 "give one config FILE"
printf '{ "server": "a.example", "server_port": 1, "method": "aes-256-gcm", "password": "q3Zp8Lw0VtYx7Bn2KdJ5RgQ", "plugin": "p", "plugin_opts": "%s" }\n' \
	"$(head -c 3000 /dev/zero | tr '\0' x)" >long.json
run url long.json --qr
ok "what no code holds is said" fails 1 "2,953 bytes at the most"
finish
