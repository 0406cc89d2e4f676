"""Looks at what `gatun status` says, and is a bad guest of the control socket.

    status.py get EXPRESSION          the value of it, with d the document on standard input
    status.py names                   of a document on standard input: which of the design's are missing
    status.py documented DOCS         of documents on standard input, a line each: members that the table in DOCS lacks
    status.py prometheus DOCUMENT     reads Prometheus text and compares it with the document in that file
    status.py ask SOCKET              sends standard input, prints the answer, or the errno's name
    status.py swarm SOCKET N          holds N connections that ask nothing, says so, until a line comes in
    status.py datagrams PORT N SIZE   to 127.0.0.1:PORT, each answered; says how many were
    status.py download PORT N         through a tunnel to the world's `source`; then holds it until a line comes in
    status.py associate PORT          a SOCKS5 UDP ASSOCIATE; says so, until a line comes in
"""
import errno
import json
import re
import socket
import sys

NAMES = ("version mode pid uptime uptime_s workers flows.tcp flows.udp flows.opened flows.ended.done tcp.flows_active tcp.flows_opened "
         "udp.sessions_active udp.sessions_opened udp.packets_up udp.packets_down udp.bytes_up udp.bytes_down udp.malformed "
         "udp.fragments udp.fragment_timeouts udp.session_timeouts udp.evicted udp.dropped_queue udp.dropped_rate "
         "udp.dropped_amplification udp.dropped_acl udp.dropped_replay udp.dropped_crypto socks.control_active dns.queries "
         "dns.cache_hits dns.fake_map memory.rss memory.rss_bytes memory.pools")


def get(expression):
    return eval(expression, {"d": json.load(sys.stdin)})


def names():
    d, missing = json.load(sys.stdin), []
    for name in NAMES.split():
        at = d
        for part in name.split("."):
            at = at.get(part) if isinstance(at, dict) else None
        if at is None:
            missing.append(name)
    return " ".join(missing) or "none"


def paths(value, path=""):
    if isinstance(value, dict):
        for name, member in value.items():
            yield from paths(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for element in value:
            yield from paths(element, path + "[]")
    else:
        yield re.sub(r"^flows\.ended\..*", "flows.ended.*", path)


def documented(docs):
    with open(docs) as f:
        known = set(re.findall(r"^\| `([^`]+)` \|", f.read(), re.M))
    found = {path for line in sys.stdin for path in paths(json.loads(line))}
    assert len(found) > 50, found
    return " ".join(sorted(found - known)) or "none"


SAMPLE = re.compile(r'^(gatun_[a-z0-9_]+)(\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\n"])*",?)*)\})? (-?[0-9.e+]+)$')


def prometheus(path):
    with open(path) as f:
        document = json.load(f)
    helped, typed, seen, samples = set(), {}, set(), {}
    for line in sys.stdin.read().split("\n")[:-1]:
        if line.startswith("# HELP "):
            helped.add(line.split(" ")[2])
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name in helped and name not in typed and kind in ("counter", "gauge"), line
            typed[name] = kind
        else:
            found = SAMPLE.match(line)
            assert found, line
            name, labels = found[1], found[3] or ""
            assert name in typed and list(typed)[-1] == name and (name, labels) not in seen, line
            assert (typed[name] == "counter") == name.endswith("_total"), line
            seen.add((name, labels))
            samples[name, labels] = float(found[4])
    for group in ("tcp", "udp", "socks"):
        for name, value in document[group].items():
            total = "" if name.endswith("_active") else "_total"
            assert samples[f"gatun_{group}_{name}{total}", ""] == value, name
    for end, value in document["flows"]["ended"].items():
        assert samples["gatun_tcp_flows_ended_total", f'end="{end}"'] == value, end
    for user in document["users"]:
        name = user["name"].replace("\\", "\\\\").replace('"', '\\"')
        labels = f'port="{user["port"]}",user="{name}"'
        assert samples["gatun_user_tcp_bytes_down_total", labels] == user["tcp"]["bytes_down"], labels
        assert samples["gatun_user_udp_packets_up_total", labels] == user["udp"]["packets_up"], labels
    return f"{document['mode']}: equal"


def connect(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    sock.settimeout(20)
    return sock


def read_to_end(sock):
    data = b""
    try:
        while part := sock.recv(1 << 16):
            data += part
    except ConnectionResetError:
        if not data:
            raise
    return data


def ask(path):
    request = sys.stdin.buffer.read()
    try:
        sock = connect(path)
        try:
            sock.sendall(request)
        except BrokenPipeError:
            pass  # it has heard enough
        return read_to_end(sock).decode().strip() or "nothing"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def wait_for_line(word):
    print(word, flush=True)
    sys.stdin.readline()


def swarm(path, n):
    held = [connect(path) for _ in range(int(n))]
    wait_for_line("held")
    return len(held)


def datagrams(port, n, size):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(5)
    answered = 0
    for i in range(int(n)):
        data = bytes([i]) * int(size)
        sock.sendto(data, ("127.0.0.1", int(port)))
        answered += sock.recv(65536) == data
    return answered


def download(port, n):
    sock = socket.create_connection(("127.0.0.1", int(port)), 20)
    sock.sendall(f"{n}\n".encode())
    got = 0
    while got < int(n):
        got += len(sock.recv(1 << 16))
    wait_for_line(got)
    return "ended"


def associate(port):
    sock = socket.create_connection(("127.0.0.1", int(port)), 5)
    sock.sendall(b"\5\1\0")
    assert sock.recv(2) == b"\5\0"
    sock.sendall(b"\5\3\0\1\0\0\0\0\0\0")
    assert sock.recv(10)[:2] == b"\5\0"
    wait_for_line("associated")
    return "ended"


if __name__ == "__main__":
    print(globals()[sys.argv[1]](*sys.argv[2:]))
