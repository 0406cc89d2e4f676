#!/usr/bin/env python3
"""What an application may rely on when its TCP ends in the TUN's stack.

stack_tcp.py NAME CONNECTIONS, inside a namespace whose default route leads to
tun_services (see there for the ports). One line per check.
"""
import errno
import hashlib
import os
import select
import socket
import struct
import sys
import threading
import time

NAME, CONNECTIONS = sys.argv[1], int(sys.argv[2])
V4, V6 = "192.0.2.1", "2001:db8::1"
failed = False


def check(text, right, found=""):
    global failed
    failed |= not right
    print(("ok    " if right else "FAIL  ") + f"{NAME}: {text}" + ("" if right else f" (found {found})"), flush=True)


def connect(port, host=V4, timeout=20):
    return socket.create_connection((host, port), timeout=timeout)


def word(call):
    """What `call` says: its value, or the name of its error."""
    try:
        return call()
    except socket.timeout:
        return "timeout"
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))


def read_all(s):
    return b"".join(iter(lambda: s.recv(1 << 18), b""))


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def echo(size, host, bad):
    data = os.urandom(size)
    with connect(7, host, 100) as s:
        t = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
        t.start()
        back = read_all(s)
        t.join()
    if hashlib.sha256(back).digest() != hashlib.sha256(data).digest():
        bad.append(len(back))


def refusals():
    want = {11: ("ECONNREFUSED", "ECONNREFUSED"), 12: ("EHOSTUNREACH", "EHOSTUNREACH"), 13: ("EHOSTUNREACH", "EACCES")}
    for port, words in want.items():
        for host, expected in zip((V4, V6), words):
            begin = time.monotonic()
            found = word(lambda: connect(port, host).close())
            took = time.monotonic() - begin
            check(f"port {port} of {host}: {expected} at once", found == expected and took < 1, (found, took))
    begin = time.monotonic()
    s = connect(16)
    check("the SYN is answered when the upstream stands, not before", 0.09 < time.monotonic() - begin < 5)
    s.close()
    check("no answer at all: the app waits by its own clock", word(lambda: connect(14, timeout=0.5)) == "timeout")


def transfers():
    bad = []
    threads = [threading.Thread(target=echo, args=(1 << 20, f"192.0.2.{i % 250 + 1}" if i % 2 else f"2001:db8::{i:x}", bad))
               for i in range(CONNECTIONS // 30)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check(f"{len(threads)} echoes of 1 MB at once, with half-close, arrive as they were", not bad, bad)
    for size in (0, 1, 100, 65536, 3_000_000):
        echo(size, V6, bad)
    check("echoes of 0, 1, 100, 65536 and 3,000,000 bytes arrive as they were", not bad, bad)
    s = connect(20)
    data, period = read_all(s), bytes(i * 7 >> 3 & 255 for i in range(65521))
    right = len(data) == 64 << 20 and data == (period * (len(data) // 65521 + 1))[:len(data)]
    check("64 MB from the source are right to the last byte", right, len(data))
    s.close()


def half_closes():
    s = connect(9)
    s.sendall(bytes(3_000_000))
    s.shutdown(socket.SHUT_WR)
    check("3 MB and FIN, then the answer is read", read_all(s) == b"3000000\n")
    s.close()
    s = connect(22)
    first = s.recv(1)
    sent = word(lambda: s.sendall(bytes(3_000_000)))
    s.shutdown(socket.SHUT_WR)
    check("after the peer's FIN, 3 MB are still taken", first == b"" and sent is None, (first, sent))
    s.close()


def resets():
    s = connect(15)
    s.sendall(b"x")
    check("a reset arrives as a reset", word(lambda: s.recv(1)) == "ECONNRESET")
    s.close()
    found = word(lambda: read_all(connect(21)))
    check("a stream that breaks off ends with a reset, never with EOF", found == "ECONNRESET", found)
    for _ in range(50):
        s = connect(19)
        s.recv(1000)
        reset(s)
    reset(connect(7))


def slow_reader():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(60)
    s.connect((V4, 20))
    # The window stays shut long enough for zero-window probes.
    select.select([], [], [], 2.5)
    n = len(s.recv(100)) + len(read_all(s))
    check("a reader with 4 KiB that sleeps gets 64 MB", n == 64 << 20, n)
    s.close()
    s = connect(17)
    s.setblocking(False)
    sent = 0
    while select.select([], [s], [], 0.2)[1]:
        sent += s.send(bytes(1 << 16))
    check("a reader of one byte at a time holds the sender back", sent < 16 << 20, sent)
    reset(s)


def keepalive():
    s = connect(7)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 1)):
        s.setsockopt(socket.IPPROTO_TCP, option, value)
    readable = select.select([s], [], [], 3.5)[0]
    s.sendall(b"alive")
    check("the app's keep-alive probes are answered", not readable and s.recv(10) == b"alive")
    s.close()


def out_of_band():
    s = connect(7)
    s.send(b"!", socket.MSG_OOB)
    s.sendall(b"after")
    got = b""
    while len(got) < 6:
        got += s.recv(10)
    check("urgent data is data", got == b"!after", got)
    s.close()


def small_writes():
    s = connect(7)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    begin = time.monotonic()
    for i in range(200):
        s.sendall(b"q")
        s.recv(1)
    took = time.monotonic() - begin
    # The shortest timer there is, 40 ms, would make eight seconds of it; a busy machine makes two.
    check("200 questions and answers, one byte each, wait for no timer", took < 6, took)
    s.close()


def short_connections():
    wrong = []
    for i in range(CONNECTIONS):
        s = socket.socket()
        s.settimeout(20)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("10.77.0.1", 20000 + i % 5))
        found = word(lambda: (s.connect((V4, 18)), read_all(s))[1])
        if found != b"\x00\x00\x01\x02\x03":
            wrong.append((i, found))
        s.close()
    check(f"{CONNECTIONS} short connections one after another from 5 ports", not wrong, wrong[:5])


refusals()
transfers()
half_closes()
resets()
slow_reader()
keepalive()
out_of_band()
small_writes()
short_connections()
sys.exit(failed)
