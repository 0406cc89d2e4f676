"""What an application sees of names and addresses; one line of words for each probe.

    probe.py udp FAMILY NAME PORT      a connected UDP socket: the echo, or the errno
    probe.py cone NAME PORT OTHER...   an unconnected one sends to NAME, then waits for the
                                       answers' sources: "name" is the address that was sent to
    probe.py mapping NAME IP           one socket to NAME and to IP, port 3478: are we the same to both?
    probe.py refused ADDRESS           TCP and UDP to an address of nobody: errnos, and how soon
    probe.py raw SERVER HEX            a UDP datagram to port 53; the answer's rcode, or "silence"
    probe.py noise SERVER COUNT        broken queries over UDP and TCP; then "names" if a good one is answered
    probe.py pipeline SERVER NAME...   TXT queries at once on one TCP connection to port 53;
                                       the names in the order of the answers
"""
import errno
import random
import socket
import struct
import sys
import time


def word(error):
    return "timeout" if isinstance(error, TimeoutError) else errno.errorcode.get(error.errno, str(error))


def resolve(name, port, family=0):
    return socket.getaddrinfo(name, port, family, socket.SOCK_DGRAM)[0]


def open_udp(family):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(5)
    return sock


def udp(family, name, port):
    info = resolve(name, int(port), socket.AF_INET6 if family == "6" else socket.AF_INET)
    sock = open_udp(info[0])
    sock.connect(info[4])
    for text in (b"one", b"two"):
        sock.send(text)
        if sock.recv(100) != text:
            return "another echo"
    return "echo"


def cone(name, port):
    info = resolve(name, int(port), socket.AF_INET)
    sock = open_udp(info[0])
    sock.sendto(b"hello", info[4])
    seen = [sock.recvfrom(100)[1] for _ in range(3)]
    return " ".join("name" if source == info[4] else "%s:%d" % source for source in seen)


def mapping(name, address):
    info = resolve(name, 3478, socket.AF_INET)
    sock = open_udp(info[0])
    seen = []
    for target in (info[4], (address, 3478), info[4]):
        sock.sendto(b"who am I", target)
        data, source = sock.recvfrom(100)
        if source != target:
            return "answered from %s:%d" % source
        seen.append(data)
    return "same" if len(set(seen)) == 1 else "different: %s" % seen


def refused(address):
    words = []
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        sock.settimeout(5)
        begin = time.monotonic()
        try:
            sock.connect((address, 80))
            sock.send(b"x")
            sock.recv(1)
            words.append("answered")
        except OSError as error:
            words.append(word(error))
        words.append("soon" if time.monotonic() - begin < 1 else "late")
    return " ".join(words)


def raw(server, text):
    sock = open_udp(socket.AF_INET)
    sock.settimeout(1)
    sock.sendto(bytes.fromhex(text), (server, 53))
    try:
        reply = sock.recv(1500)
    except TimeoutError:
        return "silence"
    return "rcode %d" % (reply[3] & 15)


def noise(server, count):
    chance = random.Random(4)
    good = bytes.fromhex("123401000001000000000001037765620378797a00000100010000291000000080000000")
    udp_socket = open_udp(socket.AF_INET)
    conn = None
    for number in range(int(count)):
        query = bytearray(good if number % 3 else chance.randbytes(chance.randrange(200)))
        for _ in range(chance.randrange(1, 4)):
            if query:
                query[chance.randrange(len(query))] = chance.randrange(256)
        query = query[:chance.randrange(len(query) + 1)] if number % 5 == 0 else query
        udp_socket.sendto(query, (server, 53))
        try:
            conn = conn or socket.create_connection((server, 53), 5)
            conn.sendall(struct.pack("!H", len(query)) + query)
            if number % 50 == 0:
                conn = conn.close()
        except ConnectionError:
            conn = None
    return "names" if raw(server, good.hex()) == "rcode 0" else "no names"


def pipeline(server, *names):
    conn = socket.create_connection((server, 53), 5)
    conn.settimeout(8)
    queries = b""
    for number, name in enumerate(names):
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        query = struct.pack("!HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 16, 1)
        queries += struct.pack("!H", len(query)) + query
    conn.sendall(queries)
    conn.shutdown(socket.SHUT_WR)
    order = []
    while True:
        head = conn.recv(2, socket.MSG_WAITALL)
        if len(head) < 2:
            return " ".join(order)
        reply = conn.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
        order.append(names[reply[0] << 8 | reply[1]])


def main():
    try:
        print(globals()[sys.argv[1]](*sys.argv[2:]))
    except OSError as error:
        print(word(error))


if __name__ == "__main__":
    main()
