"""An application that never rests, and what it saw: for tests in which the network changes under it.

    steady.py run LOG ADDRESS          until its standard input ends, on threads of their own:
                                         tcp   a new connection every 100 ms: echo, then close
                                         udp   a new socket every 100 ms: echo
                                         old   one UDP socket that sends every 100 ms
                                         held  one TCP connection with an echo every 100 ms; after its end another
                                       LOG gets a line for each: TIME KIND WORD; TIME (of CLOCK_BOOTTIME) is
                                       when it began, WORD is ok, or why not
    steady.py recovered LOG KIND TIME  how long after TIME began the first that went well (waits for one)
    steady.py lost LOG KIND TIME       how many that began since TIME (but not in the last two seconds) were no "ok"
    steady.py words LOG KIND TIME      all words but ok since TIME, each once
    steady.py now                      the time
"""
import errno
import os
import socket
import sys
import threading
import time

STEP = 0.1
PATIENCE = 1.5


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def word(error):
    return "timeout" if isinstance(error, TimeoutError) else errno.errorcode.get(error.errno, "EOF")


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Log:
    def __init__(self, path):
        self.file = open(path, "a", buffering=1)
        self.lock = threading.Lock()

    def put(self, began, kind, what):
        with self.lock:
            self.file.write("%.3f %s %s\n" % (began, kind, what))


def attempt(log, kind, call):
    began = now()
    try:
        call()
        log.put(began, kind, "ok")
    except OSError as error:
        log.put(began, kind, word(error))


def say(sock, text):
    sock.sendall(text)
    if sock.recv(100) != text:
        raise OSError("no echo")


def open_tcp(address, patience=PATIENCE):
    sock = socket.socket(family(address), socket.SOCK_STREAM)
    sock.settimeout(patience)
    try:
        sock.connect((address, 7001))
    except OSError:
        sock.close()
        raise
    return sock


def tcp(address):
    with open_tcp(address) as sock:
        say(sock, b"new")


def udp(address):
    with socket.socket(family(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect((address, 7001))
        say(sock, b"new")


def every_step(log, kind, call, address):
    while True:
        threading.Thread(target=attempt, args=(log, kind, lambda: call(address)), daemon=True).start()
        time.sleep(STEP)


def old(log, address):
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    sent = {}

    def receive():
        while True:
            try:
                began = sent.pop(sock.recv(100), None)
            except OSError as error:
                log.put(now(), "old", word(error))
                continue
            if began:
                log.put(began, "old", "ok")

    sock.connect((address, 7001))
    threading.Thread(target=receive, daemon=True).start()
    number = 0
    while True:
        number += 1
        text = b"old %d" % number
        sent[text] = now()
        try:
            sock.send(text)
        except OSError as error:
            log.put(sent.pop(text), "old", word(error))
        late = b"old %d" % (number - int(PATIENCE / STEP))
        if late in sent:
            log.put(sent.pop(late), "old", "timeout")
        time.sleep(STEP)


def held(log, address):
    while True:
        began = now()
        try:
            with open_tcp(address, float(os.environ.get("HELD_PATIENCE", "600"))) as sock:
                while True:
                    began = now()
                    say(sock, b"held")
                    log.put(began, "held", "ok")
                    time.sleep(STEP)
        except OSError as error:
            log.put(began, "held", word(error))
            time.sleep(STEP)


def run(path, address):
    log = Log(path)
    for target, args in ((every_step, (log, "tcp", tcp, address)), (every_step, (log, "udp", udp, address)), (old, (log, address)), (held, (log, address))):
        threading.Thread(target=target, args=args, daemon=True).start()
    sys.stdin.read()


def lines(path, kind, since):
    for line in open(path):
        part = line.split()
        if len(part) == 3 and part[1] == kind and float(part[0]) >= since:
            yield float(part[0]), part[2]


def recovered(path, kind, since):
    since, deadline = float(since), now() + 20
    while now() < deadline:
        good = [began for began, what in lines(path, kind, since) if what == "ok"]
        if good:
            return "%.1f" % (min(good) - since)
        time.sleep(STEP)
    return "never"


def lost(path, kind, since):
    return sum(1 for began, what in lines(path, kind, float(since)) if what != "ok" and began < now() - 2)


def words(path, kind, since):
    return " ".join(sorted({what for _, what in lines(path, kind, float(since)) if what != "ok"}))


def main():
    call = {"run": run, "recovered": recovered, "lost": lost, "words": words, "now": lambda: "%.3f" % now()}[sys.argv[1]]
    result = call(*sys.argv[2:])
    if result is not None:
        print(result)


main()
