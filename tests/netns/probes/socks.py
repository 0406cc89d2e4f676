"""A SOCKS5 client of our own for what no packaged program asks: UDP ASSOCIATE.

    socks.py PROXY-PORT TARGET-PORT TARGET CHECK...    one line of words, "check:outcome" each

It looks at the inbound alone: what it sends goes to the echo at TARGET:TARGET-PORT.
"""
import os
import socket
import struct
import sys

PROXY = "127.0.0.1"
SOURCE = os.environ.get("SOCKS_SOURCE", PROXY)  # the client's own address


def address(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return (b"\4" if family == socket.AF_INET6 else b"\1") + socket.inet_pton(family, host) + struct.pack(">H", port)


def read(sock, n):
    data = b""
    while len(data) < n:
        part = sock.recv(n - len(data))
        if not part:
            break
        data += part
    return data


class Association:
    def __init__(self, port, announced=("0.0.0.0", 0)):
        self.tcp = socket.create_connection((PROXY, port), 5, (SOURCE, 0))
        self.tcp.sendall(b"\5\1\0")
        assert read(self.tcp, 2) == b"\5\0"
        self.tcp.sendall(b"\5\3\0" + address(*announced))
        reply = read(self.tcp, 10)
        assert reply[:4] == b"\5\0\0\1", reply
        self.relay = (socket.inet_ntoa(reply[4:8]), struct.unpack(">H", reply[8:10])[0])
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((SOURCE, 0))
        self.udp.settimeout(5)

    def send(self, header, data, frag=0, sock=None):
        (sock or self.udp).sendto(b"\0\0" + bytes([frag]) + header + data, self.relay)

    def answer(self, sock=None, timeout=5):
        sock = sock or self.udp
        sock.settimeout(timeout)
        try:
            return sock.recv(70000)
        except TimeoutError:
            return None


def echo(port, target):
    a = Association(port)
    for n in (0, 1, 1400, 9000, 60000):
        data = bytes(i & 255 for i in range(n))
        a.send(target, data)
        if a.answer() != b"\0\0\0" + target + data:
            return f"lost-{n}"
    return "ok"


def fragments(port, target):
    a = Association(port)
    a.send(target, b"ab", 1)
    a.send(target, b"cd", 2)
    a.send(target, b"ef", 0x83)
    whole = a.answer()
    a.send(target, b"ab", 1)
    a.send(target, b"ef", 0x83)  # its second is missing: never answered
    a.send(target, b"next")
    after = a.answer()
    return "ok" if whole == b"\0\0\0" + target + b"abcdef" and after == b"\0\0\0" + target + b"next" else f"{whole} {after}"


def stranger(port, target):
    """Another port of the client's host, once the first datagram has settled it."""
    a = Association(port)
    a.send(target, b"mine")
    mine = a.answer()
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    a.send(target, b"foreign", sock=other)
    foreign = a.answer(other, 0.5)
    a.send(target, b"still")
    return "ok" if mine and foreign is None and a.answer() else f"{mine} {foreign}"


def host(port, target):
    """Another host, while the association waits for its first datagram."""
    a = Association(port)
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind(("127.0.0.2", 0))
    a.send(target, b"foreign", sock=other)
    foreign = a.answer(other, 0.5)
    a.send(target, b"mine")
    return "ok" if foreign is None and a.answer() else f"{foreign}"


def announced(port, target):
    """The request names the client's own address and port: another port is a stranger at once."""
    mine = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mine.bind((PROXY, 0))
    a = Association(port, mine.getsockname())
    a.send(target, b"foreign")
    foreign = a.answer(timeout=0.5)
    a.send(target, b"mine", sock=mine)
    return "ok" if foreign is None and a.answer(mine) else f"{foreign}"


def life(port, target):
    """The association ends with its control connection."""
    a = Association(port)
    a.send(target, b"first")
    first = a.answer()
    a.tcp.shutdown(socket.SHUT_WR)
    read(a.tcp, 1)  # the other side has closed: so it is over
    a.send(target, b"late")
    late = a.answer(timeout=0.5)
    return "ok" if first and late is None else f"{first} {late}"


def malformed(port, target):
    """Datagrams that are none are dropped, and the association goes on."""
    a = Association(port)
    for junk in (b"", b"\0", b"\0\0\0", b"\0\1\0" + target, b"\0\0\0\3\0", b"\0\0\0\2abcd", b"\0\0\0\1\1\2\3"):
        a.udp.sendto(junk, a.relay)
    a.send(target, b"good")
    answer = a.answer()
    return "ok" if answer == b"\0\0\0" + target + b"good" else f"{answer}"


def many(port, target):
    """One host, many associations at a time: to each its own answers."""
    all_of_them = []
    for i in range(50):
        a = Association(port)
        a.send(target, b"first %d" % i)
        if a.answer() != b"\0\0\0" + target + b"first %d" % i:
            return f"lost-{i}"
        all_of_them.append(a)
    for i, a in enumerate(all_of_them):
        a.send(target, b"%d" % i)
    for i, a in enumerate(all_of_them):
        if a.answer() != b"\0\0\0" + target + b"%d" % i:
            return f"mixed-up-{i}"
    return "ok"


def crossed(port, target):
    """Associations that announce nothing, made before any of them sends, which then begin in another order: whoever
    leaves, the others' ports go on; and those whom they make room for get in."""
    made = [Association(port) for _ in range(6)]
    for i in (3, 1, 5, 0, 4, 2):
        made[i].send(target, b"first %d" % i)
        if made[i].answer() != b"\0\0\0" + target + b"first %d" % i:
            return f"lost-{i}"
    for left in (5, 0, 3):
        made[left].tcp.shutdown(socket.SHUT_WR)
        read(made[left].tcp, 1)
        made[left] = None
        made.append(Association(port))
        for i, a in enumerate(made):
            if a is None:
                continue
            a.send(target, b"%d" % i)
            if a.answer() != b"\0\0\0" + target + b"%d" % i:
                return f"after-{left}-lost-{i}"
    for a in made:
        if a is not None:
            a.tcp.shutdown(socket.SHUT_WR)
            read(a.tcp, 1)
    made[-1].send(target, b"late")
    return "ok" if made[-1].answer(timeout=0.5) is None else "late"


def told(port, target):
    """What the inbound says where to send."""
    host, number = Association(port).relay
    return f"{host}:{number}"


def refuses(port, target):
    """BIND, commands and address types that do not exist; the request comes byte by byte."""
    outcomes = []
    for request, code in ((b"\5\2\0" + target, 7), (b"\5\x09\0" + target, 7), (b"\5\1\0\2abcd", 8)):
        sock = socket.create_connection((PROXY, port), 5)
        for byte in b"\5\1\0" + request:
            sock.sendall(bytes([byte]))
        reply = read(sock, 12)
        outcomes.append(reply[:2] == b"\5\0" and reply[2:4] == bytes([5, code]))
    return "ok" if all(outcomes) else str(outcomes)


def main():
    port, target = int(sys.argv[1]), address(sys.argv[3], int(sys.argv[2]))
    words = []
    for name in sys.argv[4:]:
        try:
            words.append(f"{name}:{globals()[name](port, target)}")
        except (OSError, AssertionError) as e:
            words.append(f"{name}:{type(e).__name__} {e}")
    print(" ".join(words))


main()
