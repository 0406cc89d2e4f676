"""The services of the lab's world: peers with a behaviour that a test needs. The port
names the behaviour; TCP and UDP; on two IPv4 and two IPv6 addresses.

    world.py IPV4 OTHER4 IPV6 OTHER6        prints "ready" when all of it listens

TCP  7001 echo      what comes goes back, until FIN
     7002 digest    reads to the FIN, then answers "BYTES SHA256\\n"
     7003 early     reads a line KEY, sends 100 kB, FIN, then reads to the end; 7004 tells what
     7004 told      reads a line KEY, waits for it, answers "BYTES SHA256 HOW\\n" (HOW: fin or an errno)
     7005 reset     reads a line N, sends N bytes, reads one byte, resets the connection
     7006 source    reads a line N, sends N bytes of CONTENT, FIN
     7007 duplex    reads a line N, then sends N bytes while it reads to the FIN; then "BYTES SHA256\\n"
     7008 banner    speaks first, then echoes
     7009 endless   reads a line, sends CONTENT as long as it can
     7010 short     reads a line, answers "hello LINE\\n", FIN
     7011 lazy      reads a line SECONDS, sleeps so long without reading, then as 7002
     7012 refuses   reads a line, resets without an answer
     7013 held      reads a line KEY and is silent; tells 7004 "begun KEY" then, and KEY how the connection ended
     7015 hangs up  resets every connection as soon as it is accepted
     7016 urgent    reads a line, sends 1000 bytes, one urgent byte, 1000 bytes, FIN
     7099           nobody listens
UDP  7001 echo      what comes goes back
     7003 cone      answers three times: from here, from port 7103, from the other address
     7005 twice     answers "1 DATA" and "2 DATA"
     7014 seen      answers how many datagrams came to this port, by now, from the sender's address
     7099           nobody is bound
53   DNS over both: A and AAAA of web.lab, other.lab; TXT and MX of web.lab; else NXDOMAIN
CONTENT is the same on both sides: probes check it against their own.

It knows nothing of tunnels.
"""
import hashlib
import random
import resource
import socket
import struct
import sys
import threading
import time

BLOCK = random.Random(1).randbytes(1 << 20)
LOCK = threading.Condition()
TOLD = {}


def content(total):
    """CONTENT: the block again and again, cut to total bytes."""
    while total > 0:
        part = min(total, len(BLOCK))
        yield memoryview(BLOCK)[:part]
        total -= part


def read_line(conn, limit=200):
    line = b""
    while not line.endswith(b"\n") and len(line) < limit:
        byte = conn.recv(1)
        if not byte:
            raise EOFError
        line += byte
    return line.strip()


def read_all(conn):
    """Reads to the end; returns (bytes, sha256, how it ended)."""
    digest, total, how = hashlib.sha256(), 0, "fin"
    try:
        while True:
            data = conn.recv(1 << 18)
            if not data:
                break
            digest.update(data)
            total += len(data)
    except OSError as error:
        how = os_error_name(error)
    return total, digest.hexdigest(), how


def os_error_name(error):
    import errno
    return errno.errorcode.get(error.errno, str(error))


def reset(conn):
    """close() with linger 0 sends RST, whatever else is open."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


def tell(key, what):
    with LOCK:
        TOLD[key] = what
        LOCK.notify_all()


def tcp_echo(conn):
    while True:
        data = conn.recv(1 << 18)
        if not data:
            return
        conn.sendall(data)


def tcp_digest(conn):
    total, digest, how = read_all(conn)
    if how == "fin":
        conn.sendall(b"%d %s\n" % (total, digest.encode()))


def tcp_early(conn):
    key = read_line(conn)
    conn.sendall(BLOCK[:100000])
    conn.shutdown(socket.SHUT_WR)
    tell(key, "%d %s %s" % read_all(conn))


def tcp_told(conn):
    key = read_line(conn)
    with LOCK:
        LOCK.wait_for(lambda: key in TOLD, 30)
        what = TOLD.pop(key, "0 nothing never")
    conn.sendall(what.encode() + b"\n")


def tcp_reset(conn):
    for part in content(int(read_line(conn))):
        conn.sendall(part)
    conn.recv(1)
    reset(conn)


def tcp_source(conn):
    for part in content(int(read_line(conn))):
        conn.sendall(part)


def tcp_duplex(conn):
    total = int(read_line(conn))
    found = []
    reader = threading.Thread(target=lambda: found.append(read_all(conn)))
    reader.start()
    for part in content(total):
        conn.sendall(part)
    reader.join()
    conn.sendall(b"%d %s\n" % (found[0][0], found[0][1].encode()))


def tcp_banner(conn):
    conn.sendall(b"220 ready\r\n")
    tcp_echo(conn)


def tcp_endless(conn):
    read_line(conn)
    while True:
        conn.sendall(BLOCK)


def tcp_short(conn):
    conn.sendall(b"hello %s\n" % read_line(conn))


def tcp_lazy(conn):
    time.sleep(float(read_line(conn)))
    tcp_digest(conn)


def tcp_refuses(conn):
    read_line(conn)
    reset(conn)


def tcp_held(conn):
    key = read_line(conn)
    tell(b"begun " + key, "begun")
    tell(key, "%d %s %s" % read_all(conn))


def tcp_hangs_up(conn):
    reset(conn)


def tcp_urgent(conn):
    read_line(conn)
    conn.sendall(BLOCK[:1000])
    conn.send(b"!", socket.MSG_OOB)
    conn.sendall(BLOCK[1000:2000])


TCP = {7001: tcp_echo, 7002: tcp_digest, 7003: tcp_early, 7004: tcp_told, 7005: tcp_reset, 7006: tcp_source,
       7007: tcp_duplex, 7008: tcp_banner, 7009: tcp_endless, 7010: tcp_short, 7011: tcp_lazy, 7012: tcp_refuses,
       7013: tcp_held, 7015: tcp_hangs_up, 7016: tcp_urgent}


def serve_connection(conn, behaviour):
    try:
        behaviour(conn)
        conn.close()
    except (OSError, EOFError, ValueError):
        conn.close()


def serve_tcp(listener, behaviour):
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=serve_connection, args=(conn, behaviour), daemon=True).start()


def open_tcp(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(4096)
    return listener


def open_udp(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind((address, port))
    return sock


def serve_udp(sock, behaviour):
    while True:
        data, peer = sock.recvfrom(65535)
        try:
            behaviour(sock, data, peer)
        except OSError as error:
            print("udp %s %d bytes: %s" % (sock.getsockname(), len(data), error), flush=True)


class Udp:
    """The UDP behaviours of one address; `other` is the address that cone answers from."""

    def __init__(self, address, other):
        self.from_port, self.from_other = open_udp(address, 7103), open_udp(other, 7203)
        self.seen = {}
        for port, behaviour in ((7001, self.echo), (7003, self.cone), (7005, self.twice), (7014, self.count), (53, dns_udp)):
            thread = threading.Thread(target=serve_udp, args=(open_udp(address, port), behaviour), daemon=True)
            thread.start()

    def echo(self, sock, data, peer):
        sock.sendto(data, peer)

    def cone(self, sock, data, peer):
        for answerer in (sock, self.from_port, self.from_other):
            answerer.sendto(data, peer)

    def twice(self, sock, data, peer):
        sock.sendto(b"1 " + data, peer)
        sock.sendto(b"2 " + data, peer)

    def count(self, sock, data, peer):
        self.seen[peer[0]] = self.seen.get(peer[0], 0) + 1
        sock.sendto(b"%d" % self.seen[peer[0]], peer)


# --- DNS: just enough of RFC 1035 for dig and a stub resolver ---------------------

def dns_zone():
    a4, o4, a6, o6 = sys.argv[1:5]
    def four(text):
        return socket.inet_pton(socket.AF_INET, text)
    def six(text):
        return socket.inet_pton(socket.AF_INET6, text)
    return {(b"web.lab", 1): four(a4), (b"web.lab", 28): six(a6), (b"other.lab", 1): four(o4), (b"other.lab", 28): six(o6),
            (b"web.lab", 16): b"\x0bof the lab.", (b"web.lab", 15): b"\x00\x0a\xc0\x0c"}


def dns_answer(query):
    """The reply to one query, or None for what is no query."""
    if len(query) < 17 or query[2] & 0x80:
        return None
    labels, at = [], 12
    while at < len(query) and query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].lower())
        at += 1 + query[at]
    name, kind = b".".join(labels), struct.unpack_from("!H", query, at + 1)[0]
    zone = dns_zone()
    data = zone.get((name, kind))
    known = any(name == other for other, _ in zone)
    head = query[:2] + struct.pack("!HHHHH", 0x8580 | (0 if known else 3), 1, 1 if data else 0, 0, 0)
    reply = head + query[12:at + 5]
    return reply + b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data if data else reply


def dns_udp(sock, data, peer):
    reply = dns_answer(data)
    if reply:
        sock.sendto(reply, peer)


def dns_tcp(conn):
    while True:
        head = conn.recv(2, socket.MSG_WAITALL)
        if len(head) < 2:
            return
        reply = dns_answer(conn.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL))
        if reply:
            conn.sendall(struct.pack("!H", len(reply)) + reply)


def main():
    address4, other4, address6, other6 = sys.argv[1:5]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    threading.stack_size(256 << 10)
    for address, other in ((address4, other4), (address6, other6)):
        Udp(address, other)
        for port, behaviour in list(TCP.items()) + [(53, dns_tcp)]:
            listener = open_tcp(address, port)
            threading.Thread(target=serve_tcp, args=(listener, behaviour), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
