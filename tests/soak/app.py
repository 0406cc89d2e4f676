"""Applications of every kind at once, for as long as they are told: what `make soak` sends through a gatun.

    app.py DIRECTORY THREADS SEED ADDRESS4 ADDRESS6 NAME

Each thread does one thing after another (OPS, below), chosen by chance. While DIRECTORY/go exists they work; when it is gone
they finish what they do, and DIRECTORY/NAME.idle appears; DIRECTORY/end ends all. DIRECTORY/NAME.jsonl gets a line for each
thing that did not go well: when it began and ended (CLOCK_REALTIME), what it was, and a word: `wrong` (other bytes than
were sent, or the end of a stream before its end), `hang` (nothing for 30 s), or what the system said.
DIRECTORY/NAME.counts holds what was done, how often.

SOAK_PROXY=HOST:PORT in the environment: TCP goes by that mixed inbound (SOCKS5, SOCKS4a or HTTP CONNECT, by chance), UDP by SOCKS5,
and what cannot be told to is left out.

It speaks to netns-scripts/world.py and nginx, and knows nothing of tunnels.
"""
import collections
import errno
import hashlib
import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time

PATIENCE = 30
DIR, THREADS, SEED, A4, A6, NAME = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:7]
BLOCK = random.Random(1).randbytes(1 << 20)
LOCK = threading.Lock()
COUNTS = collections.Counter()
LOG = open(os.path.join(DIR, NAME + ".jsonl"), "a", buffering=1)
BUSY = [0]


class Wrong(Exception):
    pass


def content(n):
    while n > 0:
        yield BLOCK[:min(n, len(BLOCK))]
        n -= len(BLOCK)


PROXY = os.environ.get("SOAK_PROXY")


def proxy_address():
    host, port = PROXY.rsplit(":", 1)
    return host, int(port)


def address_bytes(host, port):
    if ":" in host:
        return b"\4" + socket.inet_pton(socket.AF_INET6, host) + struct.pack("!H", port)
    if host[0].isdigit():
        return b"\1" + socket.inet_pton(socket.AF_INET, host) + struct.pack("!H", port)
    return b"\3" + bytes([len(host)]) + host.encode() + struct.pack("!H", port)


def receive(sock, n):
    data = b""
    while len(data) < n:
        part = sock.recv(n - len(data))
        if not part:
            raise ConnectionResetError(errno.ECONNRESET, "the proxy hung up")
        data += part
    return data


def socks5(sock, command, host, port):
    sock.sendall(b"\5\1\0")
    receive(sock, 2)
    sock.sendall(b"\5" + bytes([command]) + b"\0" + address_bytes(host, port))
    head = receive(sock, 4)
    rest = receive(sock, {1: 4, 4: 16}[head[3]] + 2)
    if head[1]:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "SOCKS %d" % head[1])
    return socket.inet_ntop(socket.AF_INET if head[3] == 1 else socket.AF_INET6, rest[:-2]), struct.unpack("!H", rest[-2:])[0]


def socks4a(sock, host, port):
    sock.sendall(b"\4\1" + struct.pack("!H", port) + b"\0\0\0\1soak\0" + host.encode() + b"\0")
    if receive(sock, 8)[1] != 90:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "SOCKS4")


def http_connect(sock, host, port):
    name = ("[%s]:%d" if ":" in host else "%s:%d") % (host, port)
    sock.sendall(("CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (name, name)).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += receive(sock, 1)
    if head.split()[1] != b"200":
        raise ConnectionRefusedError(errno.ECONNREFUSED, "HTTP")


def connect_by_proxy(rng, port, host):
    sock = socket.create_connection(proxy_address(), PATIENCE)
    try:
        way = rng.random()
        if way < 0.5:
            socks5(sock, 1, host, port)
        elif way < 0.7 and ":" not in host:
            socks4a(sock, host, port)
        else:
            http_connect(sock, host, port)
    except BaseException:
        sock.close()
        raise
    return sock


class Datagrams:
    """A UDP socket, or an association of the proxy that behaves like one."""

    def __init__(self, host):
        self.sock = socket.socket(socket.AF_INET6 if ":" in host and not PROXY else socket.AF_INET, socket.SOCK_DGRAM)
        self.control = None
        try:
            if PROXY:
                self.control = socket.create_connection(proxy_address(), PATIENCE)
                where = socks5(self.control, 3, "0.0.0.0", 0)
                self.sock.connect((proxy_address()[0] if where[0] == "0.0.0.0" else where[0], where[1]))
        except BaseException:
            self.__exit__()
            raise
        self.sock.settimeout(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()
        if self.control:
            self.control.close()

    def sendto(self, data, to):
        if not PROXY:
            return self.sock.sendto(data, to)
        if len(data) > 60000:
            raise OSError(errno.EMSGSIZE, "no room for the head")
        return self.sock.send(b"\0\0\0" + address_bytes(*to) + data)

    def recvfrom(self, n):
        data, peer = self.sock.recvfrom(65535)
        if not PROXY:
            return data[:n], peer
        at = {1: 8, 4: 20}[data[3]]
        return data[at + 2:], (data[4:at], data[at:at + 2])


def connect(rng, port, host=None):
    host = host or rng.choice((A4, A6) if not PROXY else (A4, A6, "web.lab"))
    if PROXY:
        return connect_by_proxy(rng, port, host)
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    sock.settimeout(PATIENCE)
    try:
        sock.connect((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def size(rng, top):
    """Small ones are as likely as large ones."""
    return rng.randint(0, 1 << rng.randint(0, top))


def read_exactly(sock, n, rng=None, slow=0):
    """CONTENT of n bytes, then the end."""
    got = 0
    while True:
        data = sock.recv(1 << 16 if not slow else rng.randint(1, 1 << 16))
        if not data:
            break
        at = got % len(BLOCK)
        expected = BLOCK[at:at + len(data)]
        expected += BLOCK[:len(data) - len(expected)]
        if data != expected:
            raise Wrong("content at %d" % got)
        got += len(data)
        if slow:
            time.sleep(slow)
    if got != n:
        raise Wrong("clean end after %d of %d" % (got, n))


def echo(rng):
    with connect(rng, 7001) as s:
        for _ in range(rng.randint(1, 5)):
            data = rng.randbytes(1 + size(rng, 16))
            sender = Sender(s, [data])
            left = data
            while left:
                part = s.recv(65536)
                if not part:
                    sender.blame()
                    raise Wrong("end with %d left" % len(left))
                if not left.startswith(part):
                    raise Wrong("echo")
                left = left[len(part):]
            time.sleep(rng.random() * 0.2)
        s.shutdown(socket.SHUT_WR)
        if s.recv(1):
            raise Wrong("more than was sent")


class Sender:
    """Sends while somebody else reads. A reset is told once by the kernel: who reads may have missed it."""

    def __init__(self, sock, parts, shut=False):
        self.sock, self.parts, self.shut, self.error = sock, parts, shut, None
        self.thread = threading.Thread(target=self.send)
        self.thread.start()

    def send(self):
        try:
            for part in self.parts:
                self.sock.sendall(part)
            if self.shut:
                self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = error

    def blame(self):
        self.thread.join()
        if self.error:
            raise self.error


def digest(rng, port=7002, head=b""):
    n = size(rng, 22)
    with connect(rng, port) as s:
        s.sendall(head)
        h = hashlib.sha256()
        for part in content(n):
            s.sendall(part)
            h.update(part)
        s.shutdown(socket.SHUT_WR)
        line = b""
        while not line.endswith(b"\n"):
            part = s.recv(200)
            if not part:
                raise Wrong("end before the digest: %r" % line)
            line += part
        if line != b"%d %s\n" % (n, h.hexdigest().encode()):
            raise Wrong("digest")


def lazy(rng):
    digest(rng, 7011, b"%.1f\n" % (rng.random() * 3))


def source(rng, slow=0, top=23):
    n = size(rng, top)
    with connect(rng, 7006) as s:
        s.sendall(b"%d\n" % n)
        read_exactly(s, n, rng, slow)


def slow_source(rng):
    source(rng, slow=rng.random() * 0.02, top=21)


def abort_source(rng):
    s = connect(rng, 7009)
    s.sendall(b"x\n")
    for _ in range(rng.randint(0, 40)):
        if not s.recv(65536):
            s.close()
            raise Wrong("endless ended")
    (reset if rng.random() < 0.5 else socket.socket.close)(s)


def abort_upload(rng):
    s = connect(rng, rng.choice((7002, 7001)))
    s.settimeout(5)
    try:
        s.sendall(BLOCK[:size(rng, 20)])
    except TimeoutError:  # an echo that nobody reads stands still, as it must
        pass
    (reset if rng.random() < 0.5 else socket.socket.close)(s)


def be_reset(rng):
    n = size(rng, 16)
    with connect(rng, 7005) as s:
        s.sendall(b"%d\n" % n)
        got = 0
        while got < n:
            data = s.recv(65536)
            if not data:
                raise Wrong("end before the reset, %d of %d" % (got, n))
            got += len(data)
        s.sendall(b"x")
        try:
            if s.recv(1) == b"":
                raise Wrong("FIN in place of a reset")
        except ConnectionResetError:
            pass


def refused(rng):
    try:
        with connect(rng, rng.choice((7012, 7015, 7099))) as s:
            s.sendall(b"x\n")
            if s.recv(1) == b"":
                raise Wrong("FIN in place of a reset")
    except (ConnectionResetError, ConnectionRefusedError, BrokenPipeError):
        pass


def half_open(rng):
    """Nothing said at all, for a while."""
    with connect(rng, rng.choice((7001, 7008, 7002))):
        time.sleep(rng.random() * 3)


def nobody(rng):
    """An address where nothing is; the answer may take its time."""
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(rng.random() * 3)
    try:
        s.connect(("10.77.3.%d" % rng.randint(100, 250), 80))
        s.sendall(b"x")
        s.recv(1)
    except OSError:
        pass
    s.close()


def duplex(rng):
    n, m = size(rng, 20), size(rng, 20)
    with connect(rng, 7007) as s:
        s.sendall(b"%d\n" % n)
        sender = Sender(s, content(m), shut=True)
        got, tail = 0, b""
        while True:
            data = s.recv(65536)
            if not data:
                break
            tail = (tail + data)[-100:]
            got += len(data)
        sender.blame()
        h = hashlib.sha256()
        for part in content(m):
            h.update(part)
        if not tail.endswith(b"%d %s\n" % (m, h.hexdigest().encode())):
            raise Wrong("duplex: %d of %d and the digest" % (got, n))


def short_burst(rng):
    for _ in range(rng.randint(5, 60)):
        with connect(rng, 7010) as s:
            s.sendall(b"a\n")
            if s.recv(100) != b"hello a\n":
                raise Wrong("hello")


def udp_echo(rng):
    host = rng.choice((A4, A6))
    with Datagrams(host) as s:
        for _ in range(rng.randint(1, 10)):
            data = os.urandom(8) + BLOCK[:rng.choice((rng.randint(0, 1300), rng.randint(0, 1300), rng.randint(1300, 1500), rng.randint(1500, 9000), rng.randint(9000, 65000)))]
            kind = "small" if len(data) < 1300 else "middle" if len(data) < 1600 else "large"
            COUNTS["udp sent " + kind] += 1
            try:
                s.sendto(data, (host, 7001))
                while True:
                    back = s.recvfrom(65535)[0]
                    if back == data:
                        COUNTS["udp back " + kind] += 1
                        break
                    if len(back) == len(data) and back[:8] == data[:8]:
                        raise Wrong("udp content")
            except TimeoutError:
                if kind == "small":
                    raise
            except OSError as e:
                if e.errno != errno.EMSGSIZE:
                    raise
                COUNTS["udp too long " + kind] += 1


def udp_cone(rng):
    with Datagrams(A4) as s:
        s.sendto(b"cone", (A4, 7003))
        if len({s.recvfrom(100)[1] for _ in range(3)}) != 3:
            raise Wrong("cone")


def udp_many(rng):
    """New flows, most of which nobody answers."""
    for _ in range(rng.randint(10, 150)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setblocking(False)
            try:
                s.sendto(BLOCK[:size(rng, 10)], ("10.77.3.%d" % rng.randint(2, 9), rng.choice((7001, 7099, rng.randint(1, 65535)))))
            except OSError:
                pass


def dns(rng):
    name = rng.choice(("web.lab", "other.lab", "nx%d.lab" % rng.randint(0, 10000), "n%d.%s.example" % (rng.randint(0, 999), "a" * rng.randint(1, 60))))
    args = ["dig", "+tries=2", "+time=5", "@" + rng.choice((A4, A6, "10.77.1.1")), name, rng.choice(("A", "AAAA", "MX", "TXT", "HTTPS", "PTR", "ANY"))]
    if rng.random() < 0.3:
        args.append("+tcp")
    run(args, 25)


def named(rng):
    """By a name: fake addresses, where there are."""
    family, kind, proto, _, where = rng.choice(socket.getaddrinfo("web.lab", 7006, type=socket.SOCK_STREAM))
    n = size(rng, 16)
    with connect(rng, 7006, where[0]) as s:
        s.sendall(b"%d\n" % n)
        read_exactly(s, n)


class Said(Exception):
    pass


def run(args, limit, fine=(0,)):
    try:
        done = subprocess.run(args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=limit, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise TimeoutError(" ".join(args)) from None
    if done.returncode not in fine:
        raise Said("%s: %d %s" % (" ".join(args), done.returncode, done.stderr[-200:].decode(errors="replace")))


def curl(rng):
    host = rng.choice((A4, "[%s]" % A6, "web.lab"))
    scheme = rng.choice((["http://%s/3mb"], ["--http2", "-k", "https://%s/3mb"], ["-k", "--http1.1", "https://%s/3mb"], ["-k", "https://%s/index.html"]))
    args = ["curl", "-sS", "-o", "/dev/null"] + scheme[:-1] + [scheme[-1] % host]
    fine = (0,)
    if PROXY:
        args += ["-x", rng.choice(("socks5h", "socks4a", "http")) + "://" + PROXY]
        if args[-1].startswith("socks4a") and "[" in host:
            args[-1] = "http://" + PROXY
    way = rng.random()
    if way < 0.2:
        args += ["--max-time", "%.1f" % (rng.random() * 2 + 0.1)]
        fine = (0, 28, 6)
    elif way < 0.4:
        args += ["--limit-rate", "%dk" % rng.choice((300, 1000))]
    elif way < 0.6:
        args += ["-T", os.path.join(DIR, "web/root/3mb")]
    run(args, 60, fine)


def wrk(rng):
    run(["wrk", "-t1", "-c%d" % rng.randint(1, 60), "-d%d" % rng.randint(1, 3), "--timeout", "20", "http://%s/index.html" % A4], 60)


def iperf(rng):
    args = ["iperf3", "-c", rng.choice((A4, A6)), "-p", str(5201 + rng.randint(0, 3)), "-t", str(rng.randint(1, 3)), "--connect-timeout", "9000"]
    if rng.random() < 0.5:
        args.append("-R")
    if rng.random() < 0.4:
        args += ["-u", "-b", "%dM" % rng.choice((1, 20, 60))]
    run(args, 60, (0, 1))  # 1: a server that is busy, too


def ping(rng):
    run(["ping", "-c", "2", "-i", "0.2", "-W", "1", rng.choice((A4, A6))], 20, (0, 1))


OPS = [(8, echo), (6, digest), (2, lazy), (6, source), (3, slow_source), (5, abort_source), (5, abort_upload), (4, be_reset), (5, refused), (3, half_open),
       (1, nobody), (5, duplex), (3, short_burst), (8, udp_echo), (3, udp_cone), (2, udp_many), (6, dns), (6, named), (6, curl), (1, wrk), (1, iperf), (1, ping)]


if PROXY:
    OPS = [(w, o) for w, o in OPS if o not in (udp_many, dns, named, wrk, iperf, ping, nobody)]


def word_of(error):
    if isinstance(error, Wrong):
        return "wrong " + str(error)
    if isinstance(error, TimeoutError) and getattr(error, "errno", None) is None:
        return "hang " + str(error)
    if isinstance(error, OSError) and error.errno:
        return errno.errorcode.get(error.errno, str(error))
    return str(error)


def once(rng):
    op = rng.choices([o for _, o in OPS], [w for w, _ in OPS])[0]
    began = time.time()
    try:
        op(rng)
        word = "ok"
    except Exception as error:  # whatever it is, it is what this program is for
        word = word_of(error)
        LOG.write(json.dumps([round(began, 2), round(time.time(), 2), op.__name__, word]) + "\n")
    with LOCK:
        COUNTS[op.__name__ + (" ok" if word == "ok" else " failed")] += 1


def there(name):
    return os.path.exists(os.path.join(DIR, name))


def work(seed):
    rng = random.Random(seed)
    while not there("end"):
        if not there("go"):
            time.sleep(0.1)
            continue
        with LOCK:
            BUSY[0] += 1
        once(rng)
        with LOCK:
            BUSY[0] -= 1
        if rng.random() < 0.3:
            time.sleep(rng.random() * 0.5)


def tell():
    idle = os.path.join(DIR, NAME + ".idle")
    with LOCK:
        text = "".join("%s %d\n" % item for item in sorted(COUNTS.items()))
        rests = not BUSY[0] and not there("go")
    with open(os.path.join(DIR, NAME + ".counts"), "w") as f:
        f.write(text)
    if rests:
        open(idle, "w").close()
    elif os.path.exists(idle):
        os.remove(idle)


threads = [threading.Thread(target=work, args=(hash((SEED, i)) + len(NAME),)) for i in range(THREADS)]
for t in threads:
    t.start()
while any(t.is_alive() for t in threads):
    tell()
    time.sleep(0.5)
tell()
