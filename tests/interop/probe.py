#!/usr/bin/env python3
"""The application of the interop tests: asks the echo by TCP and UDP, at an IPv4
address, an IPv6 address and a name, and prints a JSON object of check → "ok" or why not.

    probe.py direct               uses the machine's own network (inside gatun run)
    probe.py socks HOST PORT      goes through a SOCKS5 proxy (ss-local, sslocal, sing-box)
    probe.py serve                is the echo

TCP: 300 kB there and back on one connection, then 100 kB that the server sends first.
UDP: datagrams of 1, 512 and 1,200 bytes that must come back as they are.
All checks run at once, each bounded by LIMIT seconds. It does not know which proxy
it goes through, nor which cipher.
"""
import concurrent.futures
import ipaddress
import json
import os
import random
import socket
import struct
import sys
import threading
import time

ADDRESSES = {"ipv4": "10.77.0.1", "ipv6": "fd77::1", "name": "echo.interop"}
ECHO, GREETING = 7001, 7002
BULK = random.Random(7).randbytes(300_000)
FIRST = random.Random(8).randbytes(100_000)
SIZES = (1, 512, 1200)
LIMIT = 8


def read_exactly(sock, size):
    parts = bytearray()
    while len(parts) < size:
        part = sock.recv(min(65536, size - len(parts)))
        if not part:
            raise EOFError("ended after %d of %d bytes" % (len(parts), size))
        parts += part
    return bytes(parts)


def socks_address(host, port):
    try:
        address = ipaddress.ip_address(host)
        return bytes([1 if address.version == 4 else 4]) + address.packed + struct.pack("!H", port)
    except ValueError:
        name = host.encode()
        return bytes([3, len(name)]) + name + struct.pack("!H", port)


def read_socks_address(read):
    kind = read(1)[0]
    if kind == 3:
        host = read(read(1)[0]).decode()
    else:
        host = str(ipaddress.ip_address(read({1: 4, 4: 16}[kind])))
    return host, struct.unpack("!H", read(2))[0]


class Direct:
    def connect(self, host, port):
        return socket.create_connection((host, port), timeout=LIMIT)

    def open_udp(self, host, port):
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.connect(address)
        return sock, sock.send, lambda: sock.recv(65536)


class Socks:
    def __init__(self, host, port):
        self.proxy = (host, port)
        self.association = None

    def ask(self, command, host, port):
        sock = socket.create_connection(self.proxy, timeout=LIMIT)
        sock.sendall(b"\5\1\0")
        if read_exactly(sock, 2) != b"\5\0":
            raise OSError("the proxy wants authentication")
        sock.sendall(bytes([5, command, 0]) + socks_address(host, port))
        reply = read_exactly(sock, 3)
        if reply[1]:
            raise OSError("SOCKS reply %d" % reply[1])
        return sock, read_socks_address(lambda size: read_exactly(sock, size))

    def connect(self, host, port):
        return self.ask(1, host, port)[0]

    def open_udp(self, host, port):
        """RFC 1928 section 7: the client says where its datagrams will come from, or zeros. Both
        are asked; two clients of one address that send zeros at once are nobody's favourites."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((self.proxy[0], 0))
        announced = sock.getsockname() if host == ADDRESSES["ipv4"] else ("0.0.0.0", 0)
        control, relay = self.ask(3, *announced)
        if relay[0] in ("0.0.0.0", "::"):
            relay = (self.proxy[0], relay[1])
        sock.connect(relay)
        header = b"\0\0\0" + socks_address(host, port)
        self.association = control  # which lives as long as this connection

        def receive():
            packet = sock.recv(65536)
            at = 3

            def take(size):
                nonlocal at
                at += size
                return packet[at - size:at]
            source = read_socks_address(take)
            if source[1] != port:
                raise OSError("answered from %s:%d" % source)
            return packet[at:]
        return sock, lambda data: sock.send(header + data), receive


def check_tcp(way, host):
    with way.connect(host, ECHO) as sock:
        sock.settimeout(LIMIT)
        sender = threading.Thread(target=lambda: sock.sendall(struct.pack("!I", len(BULK)) + BULK), daemon=True)
        sender.start()
        if read_exactly(sock, len(BULK)) != BULK:
            return "the echo differs"
        sender.join(LIMIT)
    with way.connect(host, GREETING) as sock:
        sock.settimeout(LIMIT)
        if read_exactly(sock, len(FIRST)) != FIRST:
            return "the greeting differs"
        if sock.recv(1):
            return "bytes after the greeting's end"
    return "ok"


def exchange(send, receive, data, end):
    """Sends until an answer comes: UDP may lose, and a test of a cipher does not mind."""
    while time.monotonic() < end:
        send(data)
        try:
            answer = receive()
            while answer != data and len(answer) in SIZES and len(answer) != len(data):
                answer = receive()  # a late copy of the size before
            return answer == data
        except TimeoutError:
            continue
    return None


def check_udp(way, host):
    sock, send, receive = way.open_udp(host, ECHO)
    sock.settimeout(1)
    end = time.monotonic() + LIMIT
    for size in SIZES:
        same = exchange(send, receive, os.urandom(size), end)
        if same is None:
            return "no answer to %d bytes" % size
        if not same:
            return "%d bytes came back changed" % size
    return "ok"


def guarded(check, way, host):
    try:
        return check(way, host)
    except Exception as error:  # the reason is the result
        return "%s: %s" % (type(error).__name__, error)


def probe(make):
    checks = {"tcp": check_tcp, "udp": check_udp}
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        running = {"%s %s" % (kind, target): pool.submit(guarded, check, make(), host)
                   for kind, check in checks.items() for target, host in ADDRESSES.items()}
        return {name: future.result() for name, future in running.items()}


def echo_one(sock):
    with sock:
        size = struct.unpack("!I", read_exactly(sock, 4))[0]
        while size:
            data = sock.recv(min(65536, size))
            if not data:
                return
            sock.sendall(data)
            size -= len(data)
        sock.recv(1)


def greet_one(sock):
    with sock:
        sock.sendall(FIRST)


def quietly(serve_one, sock):
    try:
        serve_one(sock)
    except (OSError, EOFError):
        pass  # the client's side reports it


def serve_tcp(family, address, port, serve_one):
    listener = socket.create_server((address, port), family=family, backlog=512)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=quietly, args=(serve_one, sock), daemon=True).start()


def serve_udp(family, address):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((address, ECHO))
    while True:
        data, peer = sock.recvfrom(65536)
        sock.sendto(data, peer)


def serve():
    for family, target in ((socket.AF_INET, "ipv4"), (socket.AF_INET6, "ipv6")):
        address = ADDRESSES[target]
        for job in ((serve_tcp, family, address, ECHO, echo_one), (serve_tcp, family, address, GREETING, greet_one),
                    (serve_udp, family, address)):
            threading.Thread(target=job[0], args=job[1:], daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    elif sys.argv[1] == "socks":
        print(json.dumps(probe(lambda: Socks(sys.argv[2], int(sys.argv[3])))))
    else:
        print(json.dumps(probe(Direct)))
