"""An application whose flows a test looks at: it says when they stand and how they end.

    flows.py hold HOST PORT [BYTES]         a TCP connection to an echo; sends BYTES and reads them back, says
                                            "held"; then how it ended: reset, closed, or (a line came in) kept
    flows.py hold_udp HOST PORT [SIZE]      the same with one datagram, answered; then after each line that comes
                                            in another, and says "answered" or "silent"
    flows.py paced HOST PORT RATE SECONDS   from the world's `endless`: reads so many bytes a second
    flows.py many HOST PORT N               N echo connections; says "held"; until a line comes in
    SOCKS=PORT in the environment: through that SOCKS5 proxy, names and all (TCP)
"""
import os
import select
import socket
import sys
import time


def say(word):
    print(word, flush=True)


def connect(host, port):
    proxy = os.environ.get("SOCKS")
    if not proxy:
        return socket.create_connection((host, int(port)), 20)
    sock = socket.create_connection(("127.0.0.1", int(proxy)), 20)
    sock.sendall(b"\5\1\0")
    assert sock.recv(2) == b"\5\0"
    name = host.encode()
    sock.sendall(b"\5\1\0\3" + bytes([len(name)]) + name + int(port).to_bytes(2, "big"))
    reply = sock.recv(10, socket.MSG_WAITALL)
    assert reply[1] == 0, reply
    return sock


def echoed(sock, size):
    data = b"x" * int(size)
    sock.sendall(data)
    while data:
        data = data[len(sock.recv(1 << 16)):]


def hold(host, port, size=10):
    sock = connect(host, port)
    echoed(sock, size)
    say("held")
    sock.settimeout(None)
    ready, _, _ = select.select([sock, sys.stdin], [], [])
    if sock not in ready:
        return "kept"
    try:
        return "closed" if not sock.recv(1) else "data"
    except ConnectionResetError:
        return "reset"


def hold_udp(host, port, size=10):
    family, _, _, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)[0]
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(5)
    while True:
        sock.sendto(b"x" * int(size), address)
        try:
            sock.recv(65536)
            say("answered")
        except OSError:
            say("silent")
        if not sys.stdin.readline():
            return "ended"


def paced(host, port, rate, seconds):
    sock, rate = connect(host, port), int(rate)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    sock.sendall(b"go\n")
    say("flowing")
    begun, got = time.monotonic(), 0
    while (passed := time.monotonic() - begun) < float(seconds):
        due = int(rate * passed) - got
        if due > 0:
            got += len(sock.recv(min(due, 1 << 16)))
        else:
            time.sleep(0.01)
    return f"done {got}"


def many(host, port, n):
    held = [connect(host, port) for _ in range(int(n))]
    for sock in held:
        echoed(sock, 1)
    say("held")
    sys.stdin.readline()
    return len(held)


if __name__ == "__main__":
    say(globals()[sys.argv[1]](*sys.argv[2:]))
