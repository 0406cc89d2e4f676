"""A TCP peer on the TUN that no kernel would be: made of single packets, from an address
that the sandbox does not have, so that its kernel keeps out of it. Also a source of
broken packets of every kind.

    raw.py SCENARIO WORLD4 [WORLD6]       inside the sandbox's network namespace, as its root

Prints one line of outcome. It needs CAP_NET_RAW there: the tests enter from outside.
"""
import os
import random
import select
import socket
import struct
import sys
import time

DEVICE = "gatun0"
SELF = "192.0.2.77"
SELF6 = "fd00:77::77"
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
BLOCK = random.Random(1).randbytes(1 << 20)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip4(src, dst, proto, payload, ident=0, frag=0):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, frag, 64, proto, 0, socket.inet_aton(src), socket.inet_aton(dst))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(src, dst, proto, payload):
    return struct.pack("!IHBB", 6 << 28, len(payload), proto, 64) + socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst) + payload


def pseudo(src, dst, proto, length):
    if ":" in src:
        return socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst) + struct.pack("!II", length, proto)
    return socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, proto, length)


def with_sum(src, dst, proto, data, at):
    value = checksum(pseudo(src, dst, proto, len(data)) + data)
    return data[:at] + struct.pack("!H", value) + data[at + 2:]


def tcp_packet(src, dst, sport, dport, seq, ack, flags, window, payload=b"", options=b"", urgent=0, spoil=False):
    options += b"\0" * (-len(options) % 4)
    head = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, (20 + len(options)) // 4 << 4, flags, window, 0, urgent)
    segment = with_sum(src, dst, 6, head + options + payload, 16)
    if spoil:
        segment = segment[:16] + bytes([segment[16] ^ 0x55]) + segment[17:]
    return ip6(src, dst, 6, segment) if ":" in src else ip4(src, dst, 6, segment)


class Wire:
    def __init__(self):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self.sock.bind((DEVICE, 3))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)

    def send(self, packet):
        kind = 0x86dd if packet[:1] and packet[0] >> 4 == 6 else 0x0800
        self.sock.sendto(packet, (DEVICE, kind))

    def receive(self, timeout):
        if not select.select([self.sock], [], [], max(timeout, 0))[0]:
            return None
        data, where = self.sock.recvfrom(1 << 17)
        return b"" if where[2] == socket.PACKET_OUTGOING else data


class Peer:
    """One TCP connection. What comes in order is in .data; .acked is how far ours were taken."""

    def __init__(self, wire, target, port):
        self.wire, self.target = wire, target
        self.ports = (random.SystemRandom().randrange(20000, 60000), port)
        self.seq = self.first = random.SystemRandom().getrandbits(31)
        self.ack, self.window, self.options = 0, 65535, b""
        self.data, self.acked, self.end = b"", self.seq, None
        self.sizes = []

    def send(self, flags, payload=b"", at=None, **more):
        more.setdefault("options", self.options)
        seq = self.seq if at is None else at
        self.wire.send(tcp_packet(SELF, self.target, self.ports[0], self.ports[1], seq, self.ack, flags, self.window, payload, **more))

    def open(self, options=b"", tries=3):
        for _ in range(tries):
            self.send(SYN, options=options)
            if self.wait(lambda: self.ack or self.end, 1):
                break
        if self.end or not self.ack:
            return self.end or "no answer"
        self.seq += 1
        self.acked = self.seq
        self.send(ACK)
        return None

    def push(self, payload, **more):
        self.send(PSH | ACK, payload, **more)
        self.seq += len(payload)

    def finish(self):
        self.send(FIN | ACK)
        self.seq += 1

    def take(self, packet):
        if len(packet) < 40 or packet[0] != 0x45 or packet[9] != 6 or packet[16:20] != socket.inet_aton(SELF):
            return
        total = struct.unpack_from("!H", packet, 2)[0]
        sport, dport, seq, ack, offset, flags, _ = struct.unpack_from("!HHIIBBH", packet, 20)
        if (dport, sport) != self.ports:
            return
        payload = packet[20 + (offset >> 4) * 4:total]
        if flags & RST:
            self.end = "RST"
        if flags & SYN:
            self.ack = seq + 1 & 0xffffffff
            return
        if (ack - self.acked) & 0xffffffff < 1 << 31:
            self.acked = ack
        if payload:
            self.sizes.append(len(payload))
            if seq == self.ack:
                self.data += payload
                self.ack = seq + len(payload) & 0xffffffff
            self.send(ACK)
        if flags & FIN and (seq + len(payload)) & 0xffffffff == self.ack:
            self.ack = self.ack + 1 & 0xffffffff
            self.end = "FIN"
            self.send(ACK)

    def wait(self, condition, seconds):
        limit = time.monotonic() + seconds
        while not condition():
            packet = self.wire.receive(limit - time.monotonic())
            if packet is None:
                return False
            if packet:
                self.take(packet)
        return True


def echoed(peer, want, seconds=10):
    """Waits for the echo of `want`, and the FIN that answers ours."""
    peer.finish()
    peer.wait(lambda: peer.end, seconds)
    return "echo:%s then:%s" % ("right" if peer.data == want else "%d of %d bytes" % (len(peer.data), len(want)), peer.end)


def plain(wire, target, *_):
    peer = Peer(wire, target, 7001)
    word = peer.open(struct.pack("!BBH", 2, 4, 1300))
    if word:
        return word
    peer.push(BLOCK[:1000])
    return echoed(peer, BLOCK[:1000])


def urgent(wire, target, *_):
    """URG with pointers inside, at the end of and far beyond the segment."""
    peer = Peer(wire, target, 7001)
    word = peer.open()
    if word:
        return word
    for number, pointer in enumerate((1, 500, 65535, 0)):
        peer.send(PSH | ACK | URG, BLOCK[number * 500:number * 500 + 500], urgent=pointer)
        peer.seq += 500
    peer.wait(lambda: len(peer.data) >= 2000, 5)
    return echoed(peer, BLOCK[:2000])


def laden(wire, target, *_):
    """40 bytes of options on every segment: all that are known, then some that nobody knows."""
    peer = Peer(wire, target, 7001)
    known = struct.pack("!BBH", 2, 4, 1200) + b"\4\2" + struct.pack("!BBII", 8, 10, 1, 0) + b"\1\3\3\7"
    word = peer.open(known + bytes([253, 40 - len(known)]) + b"x" * (38 - len(known)))
    if word:
        return word
    peer.options = struct.pack("!BBBBII", 1, 1, 8, 10, 2, 0) + bytes([253, 28]) + b"y" * 26
    peer.window = 500
    for number in range(4):
        peer.push(BLOCK[number * 700:number * 700 + 700])
    peer.wait(lambda: len(peer.data) >= 2800, 5)
    return echoed(peer, BLOCK[:2800])


def broken_options(wire, target, *_):
    """Options whose lengths are lies. What becomes of these connections is open; others go on."""
    for options in (b"\2\0\5\xb4", b"\2\1\5\xb4", b"\2\xff\5\xb4", b"\1\1\1\2", b"\2\4\0\0", b"\2\4\0\1", b"\3\3\xff\0", b"\x08\x0a\1\1", b"\xfd\x28" + b"z" * 38):
        Peer(wire, target, 7001).open(options, tries=1)
    return plain(wire, target)


def one_byte(wire, target, *_):
    """A window of one byte, then none at all, then one that is wide open."""
    peer = Peer(wire, target, 7006)
    peer.window = 1
    word = peer.open()
    if word:
        return word
    peer.push(b"3000\n")
    peer.wait(lambda: len(peer.data) >= 3, 10)
    single = set(peer.sizes) == {1}
    peer.window = 0
    peer.send(ACK)
    probed = peer.wait(lambda: False, 1.5) or len(peer.data)
    peer.window = 65535
    peer.send(ACK)
    peer.wait(lambda: peer.end, 10)
    return "sizes:%s data:%s then:%s" % ("one" if single else str(peer.sizes[:5]), "intact" if peer.data == BLOCK[:3000] and probed < 3000 else len(peer.data), peer.end)


def shuffled(wire, target, *_):
    """Segments out of order, twice, and overlapping; one with a wrong checksum and wrong content first."""
    peer = Peer(wire, target, 7001)
    word = peer.open(struct.pack("!BBH", 2, 4, 1300))
    if word:
        return word
    start, total = peer.seq, 20000
    peer.send(PSH | ACK, b"!" * 1000, spoil=True)
    pieces = [(at, min(1000, total - at)) for at in range(0, total, 600)]
    random.Random(7).shuffle(pieces)
    limit = time.monotonic() + 15
    while (peer.acked - start) & 0xffffffff < total and time.monotonic() < limit:
        for at, size in pieces:
            peer.send(PSH | ACK, BLOCK[at:at + size], at=start + at)
        peer.wait(lambda: (peer.acked - start) & 0xffffffff >= total, 0.5)
    peer.seq = start + total
    peer.wait(lambda: len(peer.data) >= total, 5)
    return echoed(peer, BLOCK[:total])


def resets(wire, target, *_):
    """Resets outside the window change nothing; one at the right place ends it."""
    peer = Peer(wire, target, 7001)
    word = peer.open()
    if word:
        return word
    peer.send(RST, at=peer.seq + (1 << 30))
    peer.send(SYN, at=peer.seq + 100)
    peer.push(BLOCK[:1000])
    return echoed(peer, BLOCK[:1000])


# --- broken packets -------------------------------------------------------------------

def templates(four, six):
    udp4 = with_sum(SELF, four, 17, struct.pack("!HHHH", 5000, 7001, 8 + 300, 0) + BLOCK[:300], 6)
    udp6 = with_sum(SELF6, six, 17, struct.pack("!HHHH", 5000, 7001, 8 + 300, 0) + BLOCK[:300], 6)
    dns = b"\x12\x34\1\0\0\1\0\0\0\0\0\0\3web\3lab\0\0\1\0\1"
    udp_dns = with_sum(SELF, "192.0.0.1", 17, struct.pack("!HHHH", 5001, 53, 8 + len(dns), 0) + dns, 6)
    echo = b"\x08\0" + struct.pack("!H", checksum(b"\x08\0\0\0\0\1\0\1abcd")) + b"\0\1\0\1abcd"
    echo6 = with_sum(SELF6, six, 58, b"\x80\0\0\0\0\1\0\1abcd", 2)
    return [
        tcp_packet(SELF, four, 5002, 7001, 1, 0, SYN, 65535, options=b"\2\4\5\xb4\4\2\1\3\3\7\1\1"),
        tcp_packet(SELF6, six, 5002, 7001, 1, 0, SYN, 65535, options=b"\2\4\5\xb4"),
        tcp_packet(SELF, four, 5003, 7001, 5, 9, ACK | PSH, 1000, BLOCK[:200]),
        ip4(SELF, four, 17, udp4), ip6(SELF6, six, 17, udp6), ip4(SELF, "192.0.0.1", 17, udp_dns),
        ip4(SELF, "192.0.0.1", 1, echo), ip6(SELF6, six, 58, echo6),
        ip4(SELF, four, 17, udp4[:160], 7, 0x2000), ip4(SELF, four, 17, udp4[160:], 7, 20),
        ip6(SELF6, six, 44, struct.pack("!BBHI", 17, 0, 1, 9) + udp6[:160]), ip6(SELF6, six, 44, struct.pack("!BBHI", 17, 0, 20 << 3, 9) + udp6[160:]),
        ip6(SELF6, six, 0, struct.pack("!BB", 17, 0) + b"\1\4\0\0\0\0" + udp6), ip6(SELF6, six, 43, struct.pack("!BBBB", 17, 2, 0, 1) + b"\0" * 20 + udp6),
    ]


def mutate(chance, packet):
    data = bytearray(packet)
    for _ in range(chance.choice((1, 1, 2, 5))):
        kind = chance.randrange(5)
        if kind == 0 and data:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        elif kind == 1 and data:
            data[chance.randrange(min(len(data), 60))] = chance.choice((0, 1, 0x7f, 0x80, 0xff, chance.randrange(256)))
        elif kind == 2:
            del data[chance.randrange(len(data) + 1):]
        elif kind == 3:
            data += chance.randbytes(chance.randrange(1200 - min(len(data), 1000)))
        elif data:
            at = chance.randrange(len(data))
            data[at:at] = chance.randbytes(chance.randrange(9))
    if chance.random() < 0.5 and len(data) >= 20 and data[0] >> 4 == 4:
        data[10:12] = b"\0\0"
        data[10:12] = struct.pack("!H", checksum(bytes(data[:max(20, (data[0] & 15) * 4)])))
    return bytes(data)


def fuzz(wire, four, six, count="20000", seed="1"):
    """Random bytes and mutated packets; then a plain connection must still work."""
    chance, sources, refused = random.Random(int(seed)), templates(four, six), 0
    for number in range(int(count)):
        packet = chance.randbytes(chance.randrange(1400)) if number % 4 == 0 else mutate(chance, chance.choice(sources))
        try:
            wire.send(packet)
        except OSError:  # too long for the device, or shorter than the kernel sends
            refused += 1
    for packet in sources:
        for size in range(len(packet)):
            try:
                wire.send(packet[:size])
            except OSError:
                refused += 1
    return plain(wire, four) if refused < int(count) // 2 else "the kernel refused most of them"


def main():
    wire = Wire()
    print(globals()[sys.argv[1].replace("-", "_")](wire, *sys.argv[2:]))
    sys.stdout.flush()
    os._exit(0)


main()
