"""Begins TCP connections and sends datagrams without an end, to addresses that go by the default route of
both families: `syns.py RATE IPv4 IPv6`. Prints how many were begun when it is told to end (SIGTERM)."""
import signal
import socket
import sys
import time

rate, hosts = int(sys.argv[1]), sys.argv[2:4]
begun = [0, 0]
over = False


def end(*_):
    global over
    over = True


signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
started, kept = time.monotonic(), []
while not over:
    for host in hosts:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        for kind, port in ((socket.SOCK_STREAM, 7999), (socket.SOCK_DGRAM, 9)):
            s = socket.socket(family, kind)
            s.setblocking(False)
            try:
                s.connect((host, port))
                if kind == socket.SOCK_DGRAM:
                    s.send(b"past?")
            except OSError:
                pass
            kept.append(s)
            begun[kind == socket.SOCK_DGRAM] += 1
    while len(kept) > 200:
        kept.pop(0).close()
    ahead = sum(begun) / rate - (time.monotonic() - started)
    if ahead > 0:
        time.sleep(ahead)
print(*begun, flush=True)
