"""Applications that never give up: each kind of traffic tried again and again, whatever
comes of it, while something happens to the machine. Who looks at the uplink meanwhile
knows that there was something to leak.

    knock.py FILE IPV4 IPV6 RESOLVER... [--device NAME]

Kinds, one thread each: tcp4 tcp6 (connect, one line there and back, the end), stream4
stream6 (one connection, a line now and then), udp4 udp6 (a new socket each time), flow4
flow6 (one socket), nameN and nametcpN (a query to the N-th RESOLVER, UDP and TCP);
device4 device6: tcp bound to an interface, which routing rules alone do not hold.
FILE always holds a line for each: KIND TRIED ANSWERED.

It speaks to echo on port 7001 and to DNS on 53, and knows nothing of tunnels.
"""
import os
import socket
import struct
import sys
import threading
import time

PATIENCE = 0.6
PAUSE = 0.08
PORT = 7001
COUNTS = {}


def echo(sock):
    sock.sendall(b"knock\n")
    return sock.recv(100)


class Tcp:
    def __init__(self, address, device=None, port=PORT):
        self.address, self.device, self.port = address, device, port

    def connect(self):
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(PATIENCE)
        try:
            if self.device:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.device.encode())
            sock.connect((self.address, self.port))
        except BaseException:
            sock.close()
            raise
        return sock

    def knock(self):
        with self.connect() as sock:
            return echo(sock)


class Stream(Tcp):
    sock = None

    def knock(self):
        try:
            self.sock = self.sock or self.connect()
            answer = echo(self.sock)
            if not answer:
                raise EOFError
            return answer
        except BaseException:
            if self.sock:
                self.sock.close()
            self.sock = None
            raise


class Udp:
    def __init__(self, address, port=PORT, keep=False):
        self.address, self.port, self.keep, self.sock = address, port, keep, None

    def ask(self, payload):
        if not self.sock:
            self.sock = socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET, socket.SOCK_DGRAM)
            self.sock.settimeout(PATIENCE)
        try:
            self.sock.sendto(payload, (self.address, self.port))
            return self.sock.recv(2000)
        finally:
            if not self.keep:
                self.sock.close()
                self.sock = None

    def knock(self):
        return self.ask(b"knock")


QUERY = struct.pack("!6H", 0x6761, 0x0100, 1, 0, 0, 0) + b"\3web\3lab\0" + struct.pack("!2H", 1, 1)


class Name(Udp):
    def knock(self):
        return self.ask(QUERY)


class NameTcp(Tcp):
    def knock(self):
        with self.connect() as sock:
            sock.sendall(struct.pack("!H", len(QUERY)) + QUERY)
            return sock.recv(2000)


def go_on(kind, who):
    count = COUNTS[kind]
    while True:
        count[0] += 1
        try:
            if who.knock():
                count[1] += 1
        except (OSError, EOFError):
            pass
        time.sleep(PAUSE)


def kinds(v4, v6, resolvers, device):
    yield from (("tcp4", Tcp(v4)), ("tcp6", Tcp(v6)), ("stream4", Stream(v4)), ("stream6", Stream(v6)))
    yield from (("udp4", Udp(v4)), ("udp6", Udp(v6)), ("flow4", Udp(v4, keep=True)), ("flow6", Udp(v6, keep=True)))
    for number, resolver in enumerate(resolvers):
        yield f"name{number}", Name(resolver, 53)
        yield f"nametcp{number}", NameTcp(resolver, port=53)
    if device:
        yield from (("device4", Tcp(v4, device)), ("device6", Tcp(v6, device)))


def main():
    arguments = sys.argv[1:]
    device = None
    if "--device" in arguments:
        at = arguments.index("--device")
        device = arguments[at + 1]
        del arguments[at:at + 2]
    path, v4, v6, *resolvers = arguments
    for kind, who in kinds(v4, v6, resolvers, device):
        COUNTS[kind] = [0, 0]
        threading.Thread(target=go_on, args=(kind, who), daemon=True).start()
    while True:
        text = "".join(f"{kind} {tried} {answered}\n" for kind, (tried, answered) in COUNTS.items())
        with open(path + ".new", "w") as file:
            file.write(text)
        os.rename(path + ".new", path)
        time.sleep(0.05)


main()
