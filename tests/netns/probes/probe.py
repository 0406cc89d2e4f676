"""What an application does and sees, in words: one behaviour for each subcommand, one
line of outcome. The same call runs without gatun (the oracle) and through it; a test
compares the lines, so nothing in them may depend on time or chance.

    probe.py BEHAVIOUR ADDRESS [ARGUMENT...]

Errors are told by their errno's name, an end of the stream as EOF. It speaks to the
services of netns-scripts/world.py and knows nothing of tunnels.
"""
import errno
import hashlib
import os
import random
import socket
import struct
import sys
import threading
import time

BLOCK = random.Random(1).randbytes(1 << 20)
MEGA = 1 << 20


def name_of(error):
    if isinstance(error, TimeoutError) and error.errno is None:
        return "timeout"
    return errno.errorcode.get(error.errno, str(error))


def attempt(call, *args):
    """(value, word): the word is None, or the errno's name."""
    try:
        return call(*args), None
    except OSError as error:
        return None, name_of(error)


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def tcp(address, port, timeout=20):
    sock = socket.socket(family_of(address), socket.SOCK_STREAM)
    sock.settimeout(timeout)
    sock.connect((address, port))
    return sock


def udp(address, timeout=5):
    sock = socket.socket(family_of(address), socket.SOCK_DGRAM)
    sock.settimeout(timeout)
    return sock


def digest_of(total):
    digest = hashlib.sha256()
    for _ in range(total // MEGA):
        digest.update(BLOCK)
    digest.update(BLOCK[:total % MEGA])
    return digest.hexdigest()


def send_content(sock, total):
    view = memoryview(BLOCK)
    while total > 0:
        part = min(total, MEGA)
        sock.sendall(view[:part])
        total -= part


def read_line(sock):
    line = b""
    while not line.endswith(b"\n"):
        data = sock.recv(1)
        if not data:
            break
        line += data
    return line.decode().strip()


def read_to_end(sock):
    """(bytes, sha256, how it ended: EOF or an errno)"""
    digest, total = hashlib.sha256(), 0
    while True:
        data, word = attempt(sock.recv, 1 << 18)
        if word or not data:
            return total, digest.hexdigest(), word or "EOF"
        digest.update(data)
        total += len(data)


def is_content(total, digest):
    return "intact" if digest == digest_of(total) else "damaged"


def end_word(sock):
    """What the next recv says when no more data is due."""
    data, word = attempt(sock.recv, 1)
    return word or ("EOF" if not data else "data")


# --- TCP: how connections begin and end --------------------------------------------

def silent(address, port="7099"):
    """Connects, then waits for the peer to speak."""
    sock, word = attempt(tcp, address, int(port))
    return "connect:" + word if word else "connect:ok recv:" + end_word(sock)


def talking(address, port="7099"):
    """Connects, sends, then reads."""
    sock, word = attempt(tcp, address, int(port))
    if word:
        return "connect:" + word
    _, word = attempt(sock.sendall, b"GET / HTTP/1.0\r\n\r\n")
    return "connect:ok send:" + word if word else "connect:ok send:ok recv:" + end_word(sock)


def refused(address, port, limit):
    """As silent, and whether it was known within `limit` seconds. Of a short time the quickest of five counts:
    who waits for a processor is late now and then, who waits by design is late always."""
    for _ in range(5 if float(limit) <= 1 else 1):
        start = time.monotonic()
        words = silent(address, port)
        if time.monotonic() - start < float(limit):
            return words + " quickly"
    return words + " late"


def reset_times(address, limit, tries=60):
    """From the first byte to the reset of a closed port, in milliseconds: of many tries the third quickest counts,
    for the reason that `refused` gives."""
    times = []
    for _ in range(int(tries)):
        sock, word = attempt(tcp, address, 7099)
        if word == "ECONNRESET":
            continue  # on a busy machine the reset overtakes the connect: nothing to measure
        start = time.monotonic()
        word = word or attempt(sock.sendall, b"x")[1] or attempt(sock.recv, 100)[1]
        if word != "ECONNRESET":
            return word or "EOF"
        times.append((time.monotonic() - start) * 1000)
    if len(times) < 3:
        return "no times"
    third = sorted(times)[2]
    return "within %s ms" % limit if third < float(limit) else "%.1f ms" % third


def half_close(address, total=3000000):
    """Sends, FIN, reads the answer to the end."""
    sock = tcp(address, 7002)
    send_content(sock, int(total))
    sock.shutdown(socket.SHUT_WR)
    answer = read_line(sock)
    good = answer == "%d %s" % (int(total), digest_of(int(total)))
    return "answer:%s then:%s" % ("right" if good else answer or "none", end_word(sock))


def told(address, key):
    sock = tcp(address, 7004, 40)
    sock.sendall(key.encode() + b"\n")
    return read_line(sock)


def early(address, total=3000000):
    """Gets data and FIN, goes on sending; the peer tells by another connection what came."""
    key, total = "early%d" % random.SystemRandom().getrandbits(60), int(total)
    sock = tcp(address, 7003)
    sock.sendall(key.encode() + b"\n")
    got, _, how = read_to_end(sock)
    _, word = attempt(send_content, sock, total)
    attempt(sock.shutdown, socket.SHUT_WR)
    sock.close()
    answer = told(address, key)
    good = answer == "%d %s fin" % (total, digest_of(total))
    return "got:%d,%s send:%s peer:%s" % (got, how, word or "ok", "all" if good else answer)


def reset(address, total=200000):
    """The peer resets after `total` bytes, all of which were read."""
    sock = tcp(address, 7005)
    sock.sendall(b"%d\n" % int(total))
    got = 0
    while got < int(total):
        data, word = attempt(sock.recv, int(total) - got)
        if word or not data:
            return "got:%d then:%s" % (got, word or "EOF")
        got += len(data)
    sock.sendall(b"!")
    return "got:%d then:%s" % (got, end_word(sock))


def aborts(address):
    """The application resets; the peer tells what it saw."""
    key = "abort%d" % random.SystemRandom().getrandbits(60)
    sock = tcp(address, 7013)
    sock.sendall(key.encode() + b"\n" + b"x" * 1000)
    told(address, "begun " + key)  # the peer must have read it: an abort may overtake data
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    return "peer:" + told(address, key).split()[-1]


def endless(address):
    """Reads until the end, whatever it is; says when the first megabyte is there."""
    sock = tcp(address, 7009)
    sock.sendall(b"go\n")
    total, word, data, digest = 0, None, b"x", hashlib.sha256()
    while data and not word:
        data, word = attempt(sock.recv, 1 << 18)
        if data:
            if total < MEGA <= total + len(data):
                print("flowing", flush=True)
            digest.update(data)
            total += len(data)
    return "then:%s %s" % (word or "EOF", is_content(total, digest.hexdigest()))


def banner(address):
    """The server speaks first."""
    sock = tcp(address, 7008)
    line = read_line(sock)
    sock.sendall(b"quit\r\n")
    return "%s|%s" % (line, read_line(sock))


# --- TCP: data in bulk -------------------------------------------------------------

def source(address, total, nap=0):
    """Downloads; sleeps before it reads anything."""
    sock = tcp(address, 7006, 60)
    sock.sendall(b"%d\n" % int(total))
    time.sleep(float(nap))
    got, digest, how = read_to_end(sock)
    return "got:%d,%s then:%s" % (got, is_content(int(total), digest), how)


def lazy(address, total, nap):
    """Uploads to a peer that sleeps before it reads anything."""
    sock = tcp(address, 7011, 60)
    sock.sendall(b"%s\n" % nap.encode())
    send_content(sock, int(total))
    sock.shutdown(socket.SHUT_WR)
    answer = read_line(sock)
    return "answer:" + ("right" if answer == "%d %s" % (int(total), digest_of(int(total))) else answer or "none")


def duplex(address, total):
    """Uploads and downloads at once on one connection."""
    total = int(total)
    sock = tcp(address, 7007, 60)
    sock.sendall(b"%d\n" % total)
    words = []

    def upload():
        words.append(attempt(send_content, sock, total)[1] or attempt(sock.shutdown, socket.SHUT_WR)[1] or "ok")
    thread = threading.Thread(target=upload)
    thread.start()
    digest, got = hashlib.sha256(), 0
    while got < total:
        data = sock.recv(min(1 << 18, total - got))
        if not data:
            break
        digest.update(data)
        got += len(data)
    thread.join()
    answer = read_line(sock)
    good = answer == "%d %s" % (total, digest_of(total))
    return "up:%s,%s down:%d,%s then:%s" % (words[0], "right" if good else answer or "none", got, is_content(total, digest.hexdigest()), end_word(sock))


def echo_own(address, own, early_fin):
    """The echo of `own`: FIN as soon as it is sent, or only when all has come back."""
    sock = tcp(address, 7001, 100)

    def upload():
        attempt(sock.sendall, own)
        if early_fin:
            attempt(sock.shutdown, socket.SHUT_WR)
    sender = threading.Thread(target=upload)
    sender.start()
    digest, got, word, data = hashlib.sha256(), 0, None, b"x"
    while data and not word and (early_fin or got < len(own)):
        data, word = attempt(sock.recv, 1 << 18)
        got += len(data or b"")
        digest.update(data or b"")
    sender.join()
    if not early_fin:
        attempt(sock.shutdown, socket.SHUT_WR)
        word = word or end_word(sock)
    word = word or "EOF"
    return word if digest.digest() == hashlib.sha256(own).digest() else "%d bytes %s" % (got, word)


def many(address, count, total, fin="early"):
    """`count` connections at once, each echoes its own content; hashes of both ways."""
    outcomes, lock = {}, threading.Lock()

    def one(number):
        own = random.Random(number).randbytes(1 << 16) * (int(total) >> 16)
        try:
            word = echo_own(address, own, fin == "early")
        except OSError as error:
            word = name_of(error)
        with lock:
            outcomes[word] = outcomes.get(word, 0) + 1
    threading.stack_size(256 << 10)
    threads = [threading.Thread(target=one, args=(number,)) for number in range(int(count))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return " ".join("%s:%d" % pair for pair in sorted(outcomes.items()))


def short(address, count, ports=40):
    """`count` short connections one after another from few ports of our own."""
    outcomes = {}
    for number in range(int(count)):
        word = short_one(address, number, 30000 + number % int(ports))
        outcomes[word] = outcomes.get(word, 0) + 1
    return " ".join("%s:%d" % pair for pair in sorted(outcomes.items()))


def short_one(address, number, port, timeout=5):
    sock = socket.socket(family_of(address), socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.settimeout(timeout)
    try:
        sock.bind(("", port))
        sock.connect((address, 7010))
        sock.sendall(b"%d\n" % number)
        line, end = read_line(sock), end_word(sock)
        return "ok" if (line, end) == ("hello %d" % number, "EOF") else "%r,%s" % (line[:20], end)
    except OSError as error:
        return name_of(error)
    finally:
        sock.close()


def download(address, total):
    """Downloads; says how it ended and whether what came is the beginning of what was sent."""
    sock, word = attempt(tcp, address, 7006, 60)
    if not word:
        _, word = attempt(sock.sendall, b"%d\n" % int(total))
    got, digest, how = (0, digest_of(0), word) if word else read_to_end(sock)
    return "part:%s then:%s %s" % ("whole" if got == int(total) else "cut", how, is_content(got, digest))


def upload(address, key, total, go):
    """Uploads to a peer that keeps silent until the connection breaks; the peer tells 7004 what it got. The content
    follows when the file `go` is there."""
    sock = tcp(address, 7013, 60)
    attempt(sock.sendall, key.encode() + b"\n")
    end = time.monotonic() + 60
    while not os.path.exists(go) and time.monotonic() < end:
        time.sleep(0.01)
    _, word = attempt(send_content, sock, int(total))
    return "then:" + (word or end_word(sock))  # an error is said once: the call after it says EOF


def was_told(address, key, total):
    """What the peer of upload() got: the beginning of the content, and how it ended."""
    got, digest, how = told(address, key).split()
    return "part:%s then:%s %s" % ("whole" if int(got) == int(total) else "cut", how, is_content(int(got), digest))


def short_once(address, timeout=5):
    return short_one(address, 1, 0, float(timeout))


def replay(address, path):
    """Sends recorded bytes to a server; says how it answers."""
    sock = tcp(address, 8388, 5)
    attempt(sock.sendall, open(path, "rb").read())
    data, word = attempt(sock.recv, 1 << 16)
    return word or ("EOF" if not data else "an answer")


# --- TCP: odd peers ------------------------------------------------------------------

def stream_with_urgent(sock, before, after):
    """Reads to the end. TCP's urgent byte is out of band or in the stream, as the path has it; the others are not touched."""
    data = b""
    while True:
        part, word = attempt(sock.recv, 1 << 16)
        if word or not part:
            break
        data += part
    whole = data in (before + after, before + b"!" + after)
    return "stream:%s then:%s" % ("whole" if whole else "damaged %d" % len(data), word or "EOF")


def urgent_up(address):
    """Sends an urgent byte inside a stream; the echo of the rest must be whole."""
    sock = tcp(address, 7001)
    sock.sendall(BLOCK[:5000])
    sock.send(b"!", socket.MSG_OOB)
    sock.sendall(BLOCK[5000:9000])
    sock.shutdown(socket.SHUT_WR)
    return stream_with_urgent(sock, BLOCK[:5000], BLOCK[5000:9000])


def urgent_down(address):
    sock = tcp(address, 7016)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    sock.sendall(b"go\n")
    return stream_with_urgent(sock, BLOCK[:1000], BLOCK[1000:2000])


def tiny_window(address, total):
    """The smallest receive window that the kernel gives, and a reader of a few bytes at a time."""
    sock = socket.socket(family_of(address), socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, 1)
    sock.settimeout(30)
    sock.connect((address, 7006))
    sock.sendall(b"%d\n" % int(total))
    digest, got = hashlib.sha256(), 0
    while True:
        data, word = attempt(sock.recv, 97)
        if word or not data:
            return "got:%d,%s then:%s" % (got, is_content(int(total), digest.hexdigest()), word or "EOF")
        digest.update(data)
        got += len(data)


def small_segments(address, size, total):
    """TCP_MAXSEG of our own, both ways."""
    sock = socket.socket(family_of(address), socket.SOCK_STREAM)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, int(size))
    sock.settimeout(30)
    sock.connect((address, 7001))
    sender = threading.Thread(target=lambda: (attempt(send_content, sock, int(total)), attempt(sock.shutdown, socket.SHUT_WR)))
    sender.start()
    got, digest, how = read_to_end(sock)
    sender.join()
    return "got:%d,%s then:%s" % (got, is_content(int(total), digest), how)


# --- UDP -----------------------------------------------------------------------------

def sizes_default():
    return [0, 1, 2, 100, 512, 1199, 1200, 1232, 1280] + list(range(1400, 1501, 4)) + [1472, 1473, 2000, 4000, 8000, 16000, 32000, 65000]


def pattern(size):
    return BLOCK[size % 1000:size % 1000 + size]


def echo_once(sock, address, data, tries=2):
    """Sends until the echo of exactly this comes; a word of what came instead."""
    word = "lost"
    for _ in range(tries):
        _, sent = attempt(sock.sendto, data, (address, 7001))
        if sent:
            return sent
        while True:
            pair, word = attempt(sock.recvfrom, 65535)
            if word:
                break
            if pair[0] == data:
                return "ok" if pair[1][:2] == (address, 7001) else "from %s" % (pair[1],)
    return "lost" if word == "timeout" else word


def udp_sizes(address, *sizes):
    """Echo of each size; a datagram may be lost once under load, not twice."""
    sock, outcomes = udp(address, 2), {}
    for size in map(int, sizes or sizes_default()):
        outcomes.setdefault(echo_once(sock, address, pattern(size)), []).append(size)
    return " ".join("%s:%d" % (word, len(found)) if word == "ok" else "%s:%s" % (word, ",".join(map(str, found))) for word, found in sorted(outcomes.items()))


def udp_zero(address):
    return "0 bytes:" + echo_once(udp(address, 2), address, b"")


def udp_fitting(address, mtu):
    """One datagram that fills the device's MTU exactly, not to be fragmented."""
    sock = udp(address, 2)
    sock.setsockopt(socket.IPPROTO_IPV6 if ":" in address else socket.IPPROTO_IP, 23 if ":" in address else 10, 2)  # MTU_DISCOVER: DO
    return "fits:" + echo_once(sock, address, pattern(int(mtu) - (48 if ":" in address else 28)))


def udp_connected(address, timeout=5):
    """A connected socket takes answers only from whom it asked."""
    sock = udp(address, float(timeout))
    sock.connect((address, 7001))
    sock.send(b"ask")
    data, word = attempt(sock.recv, 100)
    return word or data.decode()


def udp_cone(address):
    """Answers from the port asked, from another port, and from another address: in any order."""
    sock = udp(address, 3)
    sock.sendto(b"cone", (address, 7003))
    found = []
    for _ in range(3):
        pair, word = attempt(sock.recvfrom, 100)
        found.append(word or "%s:%d" % pair[1][:2])
    return " ".join(sorted(found))


def udp_one_port(address):
    """Two targets, one socket: both see one mapping (the echo tells nothing, the counter does)."""
    sock = udp(address, 3)
    answers = []
    for port in (7014, 7014, 7001, 7014):
        sock.sendto(b"x", (address, port))
        pair, word = attempt(sock.recvfrom, 100)
        answers.append(word or str(len(pair[0]) > 0))
    return " ".join(answers)


def udp_closed(address, wait=2):
    """A connected socket hears of a closed port as ECONNREFUSED, or nothing."""
    sock = udp(address, float(wait))
    sock.connect((address, 7099))
    sock.send(b"anyone?")
    _, word = attempt(sock.recv, 100)
    return word or "data"


def hears_errors(address, port, timeout):
    """A connected socket that is told soft errors, too (IP_RECVERR, IPV6_RECVERR)."""
    sock = udp(address, timeout)
    six = ":" in address
    sock.setsockopt(socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP, 25 if six else 11, 1)
    return attempt(sock.connect, (address, port))[1] or sock


def next_word(sock, data):
    """Sends, and again while nothing comes back: `data`, or the errno's name."""
    if isinstance(sock, str):
        return sock
    until = time.monotonic() + 10
    while time.monotonic() < until:
        _, word = attempt(sock.send, data)
        if not word:
            back, word = attempt(sock.recv, 65536)
            if back is not None:
                return "data" if back == data else "other data"
        if word != "timeout":
            return word
    return "timeout"


def udp_told(address, port="7099"):
    """What the sender of datagrams that go nowhere is told."""
    return next_word(hears_errors(address, int(port), 0.5), b"anyone?")


def udp_limit(address):
    """A very large datagram is refused with a number: what fits is answered, one byte more is not."""
    sock, headers = hears_errors(address, 7001, 0.5), 48 if ":" in address else 28
    word = next_word(sock, bytes(65480))
    if word != "EMSGSIZE":
        return word
    error = sock.recvmsg(1, 512, socket.MSG_ERRQUEUE)[1][0][2]
    size = struct.unpack_from("I", error, 8)[0] - headers
    sock = hears_errors(address, 7001, 0.5)
    return "%s near:%s fits:%s more:%s" % (word, 65000 < size < 65480, next_word(sock, pattern(size)), next_word(sock, pattern(size + 1)))


def banners(address, count):
    """`count` connections, one after another, that all stay open: how each begins."""
    open_ones, words = [], {}
    for _ in range(int(count)):
        sock, word = attempt(tcp, address, 7008, 10)
        if sock:
            open_ones.append(sock)
            data, word = attempt(sock.recv, 100)
            word = word or ("banner" if data else "EOF")
        words[word] = words.get(word, 0) + 1
    return " ".join("%s:%d" % pair for pair in sorted(words.items()))


def udp_flood(address, count, size):
    """`count` datagrams at once from one socket: how many are answered within two seconds."""
    sock, back = udp(address, 2), 0
    for _ in range(int(count)):
        sock.sendto(bytes(int(size)), (address, 7001))
    while attempt(sock.recvfrom, 65536)[0]:
        back += 1
    return str(back)


def udp_burst(address, count):
    """`count` datagrams from as many sockets: each gets its own answer."""
    socks, lost = [udp(address, 3) for _ in range(int(count))], 0
    for number, sock in enumerate(socks):
        sock.sendto(b"%d" % number, (address, 7001))
    for number, sock in enumerate(socks):
        pair, word = attempt(sock.recvfrom, 100)
        if word or pair[0] != b"%d" % number:
            lost += 1
    return "wrong:%d" % lost


def main():
    behaviour = globals().get(sys.argv[1].replace("-", "_"))
    if not callable(behaviour):
        sys.exit("probe: no such behaviour: " + sys.argv[1])
    try:
        print(behaviour(*sys.argv[2:]))
    except OSError as error:
        print("unexpected:" + name_of(error))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
