"""What clients of several workers do and see; one line of outcome for each behaviour.

    workers.py BEHAVIOUR [ARGUMENT...]

`seen` and `mover` serve until they are ended, and print "ready" first.
"""
import os
import select
import socket
import sys
import threading
import time


def echoes(sock, word):
    """Does what we send come back?"""
    try:
        sock.sendall(word)
        data = b""
        while len(data) < len(word):
            part = sock.recv(len(word) - len(data))
            if not part:
                return False
            data += part
        return data == word
    except OSError:
        return False


def hold(address, count, begun, go):
    """Connections to the echo, open while others may die. Makes the file `begun`, waits for `go`."""
    socks = [socket.create_connection((address, 7001), 20) for _ in range(int(count))]
    working = sum(echoes(s, b"%d before" % i) for i, s in enumerate(socks))
    open(begun, "w").close()
    while not os.path.exists(go):
        time.sleep(0.02)
    for s in socks:
        s.settimeout(5)
    alive = sum(echoes(s, b"%d after" % i) for i, s in enumerate(socks))
    print(f"before:{working} after:{alive}")


def echo_on(address, index, begun, go):
    """Sends a stream of its own and compares what comes back, until `go` is there."""
    block, at = bytes((i * 7 + index) % 251 for i in range(251 * 64)), 0
    try:
        with socket.create_connection((address, 7001), 20) as sock:
            sock.settimeout(8)
            while not (at and os.path.exists(go)):
                sock.sendall(block)
                data = b""
                while len(data) < len(block):
                    part = sock.recv(len(block) - len(data))
                    if not part:
                        return "ended"
                    data += part
                if data != block:
                    return "wrong"
                begun.add(index)
                at += len(block)
            sock.shutdown(socket.SHUT_WR)
            return "right" if sock.recv(1) == b"" else "wrong"
    except OSError:
        return "ended"


def streams(address, count, begun, go):
    """`count` streams at once; makes the file `begun` when all have had an answer, waits for `go`."""
    outcomes, under_way = {}, set()

    def one(index):
        outcomes[index] = echo_on(address, index, under_way, go)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(int(count))]
    for t in threads:
        t.start()
    while len(under_way) < len(threads) and not outcomes:
        time.sleep(0.02)
    open(begun, "w").close()
    for t in threads:
        t.join()
    words = list(outcomes.values())
    print(f"right:{words.count('right')} ended:{words.count('ended')} wrong:{words.count('wrong')}")


def fresh(address, count, patience):
    """New connections one after another: each works, none after more than `patience` seconds."""
    slowest = failed = 0
    for i in range(int(count)):
        begin = time.monotonic()
        try:
            with socket.create_connection((address, 7001), 20) as s:
                s.settimeout(20)
                failed += not echoes(s, b"fresh %d" % i)
        except OSError:
            failed += 1
        slowest = max(slowest, time.monotonic() - begin)
    print(f"failed:{failed} slow:{slowest > float(patience)}")


def seen(address, port):
    """A target that answers a datagram with the port it came from."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, int(port)))
    print("ready", flush=True)
    while True:
        data, peer = sock.recvfrom(2000)
        sock.sendto(b"%s %d" % (data, peer[1]), peer)


def mover(port, control, address, server_port, count):
    """A NAT that changes its mind: datagrams go on to the server from one of `count` ports, and
    from the next one after each datagram to `control`. Answers come back whatever port they reach."""
    inner = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inner.bind(("127.0.0.1", int(port)))
    moves = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    moves.bind(("127.0.0.1", int(control)))
    outer = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(int(count))]
    at, client = 0, None
    print("ready", flush=True)
    while True:
        for s in select.select([inner, moves] + outer, [], [])[0]:
            data, peer = s.recvfrom(70000)
            if s is inner:
                client = peer
                outer[at].sendto(data, (address, int(server_port)))
            elif s is moves:
                at = (at + 1) % len(outer)
                moves.sendto(b"moved", peer)
            elif client:
                inner.sendto(data, client)


def ask(sock, port, word, tries=5):
    """An answer to `word`; datagrams may be lost."""
    for _ in range(tries):
        sock.sendto(word, ("127.0.0.1", port))
        try:
            while True:
                data = sock.recv(70000)
                if data.startswith(word):
                    return data[len(word):].strip().decode()
        except OSError:
            pass
    return "silence"


def moving(tunnel, control, count):
    """One session, asked from `count` places in turn: which ports of the server's has the target seen?"""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(1)
    ports = []
    for i in range(int(count)):
        ports.append(ask(sock, int(tunnel), b"who %d" % i))
        ask(sock, int(control), b"moved")
    silent = ports.count("silence")
    print(f"asked:{len(ports)} silent:{silent} ports:{len(set(ports) - {'silence'})}")


def replays(address, path, count, patience):
    """Recorded bytes, sent again and again: what the server says within `patience` seconds, counted."""
    ways = {}
    flight = open(path, "rb").read()
    socks = [socket.create_connection((address, 8388), 5) for _ in range(int(count))]
    until = time.monotonic() + float(patience)
    for s in socks:
        s.sendall(flight)
    for s in socks:
        s.settimeout(max(0.01, until - time.monotonic()))
        try:
            way = "an answer" if s.recv(1 << 16) else "EOF"
        except OSError as error:
            way = type(error).__name__
        ways[way] = ways.get(way, 0) + 1
    print(" ".join(f"{way}:{n}" for way, n in sorted(ways.items())))


globals()[sys.argv[1]](*sys.argv[2:])
