"""A person at a terminal: runs a program in a pseudo-terminal and says what is seen there.

    screen.py COLUMNSxROWS STEP... -- COMMAND...

Steps: a number waits so many seconds; keys:TEXT types; size:COLUMNSxROWS resizes the window; kill:SIGNAL
sends it; until:TEXT waits (20 s at most) until it is seen; look keeps what is seen by then; say:TEXT tells it on standard error. At the end, up to 5 s for the program to end.
Prints a JSON object: looks (texts), wide (a character beyond the last column was written), scrolled, coloured,
strange (escape sequences that this terminal does not know), left (the screen that was there before is back, with
its cursor), kept (the terminal's settings are as before), code (exit code, or minus the signal), after
(what stands on that screen).
"""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
import unicodedata

SEQUENCE = re.compile(rb"\x1b\[([?0-9;]*)([A-Za-z])")


class Terminal:
    """Just as much of one as a plain screen needs."""

    def __init__(self, columns, rows):
        self.alternate, self.cursor, self.wraps = False, True, True
        self.wide = self.scrolled = self.coloured = False
        self.strange, self.pending, self.main = [], b"", []
        self.resize(columns, rows)

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines, self.row, self.column = [""] * rows, 0, 0

    def feed(self, data):
        data, at = self.pending + data, 0
        while at < len(data):
            if data[at] == 0x1b:
                found = SEQUENCE.match(data, at)
                if not found:
                    if len(data) - at < 16:
                        break
                    self.strange.append(repr(data[at:at + 8]))
                    at += 1
                    continue
                self.control(found[1].decode(), found[2].decode())
                at = found.end()
            elif data[at] == 13:
                self.column, at = 0, at + 1
            elif data[at] == 10:
                self.newline()
                at += 1
            else:
                size = 1 if data[at] < 0x80 else 2 if data[at] < 0xe0 else 3 if data[at] < 0xf0 else 4
                if at + size > len(data):
                    break
                self.put(data[at:at + size].decode(errors="replace"))
                at += size
        self.pending = data[at:]

    def newline(self):
        if self.row == self.rows - 1:
            self.scrolled |= self.alternate
            self.lines = self.lines[1:] + [""]
        else:
            self.row += 1

    def put(self, character):
        if character < " " or character == "\x7f":
            self.strange.append(repr(character))
        width = 2 if unicodedata.east_asian_width(character) in "WF" else 0 if unicodedata.combining(character) else 1
        if self.alternate and self.column + width > self.columns:
            self.wide = True
        line = self.lines[self.row].ljust(self.column)
        cells = 0
        for i, known in enumerate(line + " "):
            if cells >= self.column:
                break
            cells += 2 if unicodedata.east_asian_width(known) in "WF" else 1
        self.lines[self.row] = line[:i] + character + line[i + width:]
        self.column += width

    def control(self, arguments, what):
        if what == "m":
            self.coloured |= arguments not in ("", "0")
        elif what == "H" and not arguments:
            self.row = self.column = 0
        elif what == "K" and not arguments:
            self.cut_line()
        elif what == "J" and not arguments:
            self.cut_line()
            self.lines[self.row + 1:] = [""] * (self.rows - self.row - 1)
        elif what in "hl" and arguments == "?1049":
            if what == "h":
                self.main, self.lines = self.lines, [""] * self.rows
            else:
                self.lines = (self.main + [""] * self.rows)[:self.rows]
            self.alternate = what == "h"
        elif what in "hl" and arguments == "?25":
            self.cursor = what == "h"
        elif what in "hl" and arguments == "?7":
            self.wraps = what == "h"
        else:
            self.strange.append(f"ESC[{arguments}{what}")

    def cut_line(self):
        cells, line = 0, self.lines[self.row]
        for i, known in enumerate(line):
            if cells >= self.column:
                self.lines[self.row] = line[:i]
                return
            cells += 2 if unicodedata.east_asian_width(known) in "WF" else 1

    def text(self):
        return "\n".join(line.rstrip() for line in self.lines)


def size_of(text):
    return tuple(int(n) for n in text.split("x"))


def set_size(fd, size):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))


class Session:
    def __init__(self, size, command):
        self.terminal, self.ended = Terminal(*size), False
        go, gone = os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.close(gone)
            os.read(go, 1)
            os.execvp(command[0], command)
        os.close(go)
        set_size(self.fd, size)
        self.settings = termios.tcgetattr(self.fd)
        os.close(gone)

    def read(self, until, done=lambda: False):
        while not self.ended and not done():
            left = until - time.monotonic()
            if left <= 0:
                break
            if select.select([self.fd], [], [], left)[0]:
                try:
                    self.terminal.feed(os.read(self.fd, 65536))
                except OSError:
                    self.ended = True

    def step(self, step, looks):
        kind, _, value = step.partition(":")
        now = time.monotonic()
        if kind == "keys":
            os.write(self.fd, value.encode().decode("unicode_escape").encode())
        elif kind == "size":
            self.terminal.resize(*size_of(value))
            set_size(self.fd, size_of(value))
        elif kind == "kill":
            os.kill(self.pid, getattr(signal, "SIG" + value))
        elif kind == "until":
            self.read(now + 20, lambda: value in self.terminal.text())
        elif kind == "say":
            print(value, file=sys.stderr, flush=True)
        elif kind == "look":
            looks.append(self.terminal.text())
        else:
            self.read(now + float(kind))

    def end(self):
        deadline = time.monotonic() + 5
        while True:
            self.read(time.monotonic() + 0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
        try:
            kept = termios.tcgetattr(self.fd) == self.settings
        except termios.error:
            kept = None
        self.read(time.monotonic() + 0.05)
        return os.waitstatus_to_exitcode(status), kept


def main():
    split = sys.argv.index("--")
    session, looks = Session(size_of(sys.argv[1]), sys.argv[split + 1:]), []
    for step in sys.argv[2:split]:
        session.step(step, looks)
    code, kept = session.end()
    t = session.terminal
    json.dump({"looks": looks, "wide": t.wide, "scrolled": t.scrolled, "coloured": t.coloured, "strange": t.strange,
               "left": not t.alternate and t.cursor and t.wraps, "kept": kept, "code": code, "after": t.text().strip()}, sys.stdout)


main()
