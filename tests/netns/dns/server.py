"""A DNS server of the test's own, on TCP port 53 alone, and a UDP service that says
who is asking. One line per query goes to standard output: CONNECTION TYPE NAME.

    server.py ADDRESS [WHOAMI-ADDRESS...]      prints "ready" when all of it listens

    A, AAAA     of real.lab: 192.0.2.80, 2001:db8::80
    TXT         of real.lab: "real"; of big.lab: 12 strings of 250 bytes
    MX          of real.lab: 10 mail.real.lab
    SRV         of _sip._tcp.real.lab: 0 0 5060 sip.real.lab
    TXT         of againN.lab: the connection is closed instead, the first time
    TXT         of late.lab: after 1 s, behind what was asked later
    TXT         of mute.lab: never
    others      NXDOMAIN
UDP 3478 on each WHOAMI-ADDRESS answers "IP:PORT" of the sender.
"""
import socket
import struct
import sys
import threading
import time

A, MX, TXT, AAAA, SRV = 1, 15, 16, 28, 33
TYPES = {A: "A", MX: "MX", TXT: "TXT", AAAA: "AAAA", SRV: "SRV", 2: "NS", 12: "PTR", 65: "HTTPS"}
hung_up = set()


def wire(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def strings(text, times=1):
    return (bytes([len(text)]) + text.encode()) * times


ZONE = {
    ("real.lab", A): socket.inet_aton("192.0.2.80"),
    ("real.lab", AAAA): socket.inet_pton(socket.AF_INET6, "2001:db8::80"),
    ("real.lab", TXT): strings("real"),
    ("real.lab", MX): struct.pack("!H", 10) + wire("mail.real.lab"),
    ("_sip._tcp.real.lab", SRV): struct.pack("!HHH", 0, 0, 5060) + wire("sip.real.lab"),
    ("big.lab", TXT): strings("x" * 250, 12),
    ("late.lab", TXT): strings("late"),
}


def parse(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
        at += 1 + query[at]
    return ".".join(labels), struct.unpack_from("!H", query, at + 1)[0], at + 5


def answer(query, name, kind, end):
    data = ZONE.get((name, kind))
    known = any(name == other for other, _ in ZONE) or name.startswith("again")
    if name.startswith("again") and kind == TXT:
        data = strings("again")
    reply = query[:2] + struct.pack("!HHHHH", 0x8180 | (0 if known else 3), 1, 1 if data else 0, 0, 0) + query[12:end]
    return reply + b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 300, len(data)) + data if data else reply


def serve(conn, number):
    lock = threading.Lock()

    def send(reply):
        with lock:
            conn.sendall(struct.pack("!H", len(reply)) + reply)

    while True:
        head = conn.recv(2, socket.MSG_WAITALL)
        if len(head) < 2:
            return conn.close()
        query = conn.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
        try:
            name, kind, end = parse(query)
        except (IndexError, UnicodeDecodeError, struct.error):
            continue
        print(number, TYPES.get(kind, kind), name, flush=True)
        if name.startswith("again") and name not in hung_up:
            hung_up.add(name)
            return conn.close()
        if name == "mute.lab":
            continue
        if name == "late.lab":
            threading.Timer(1, send, [answer(query, name, kind, end)]).start()
            continue
        send(answer(query, name, kind, end))


def whoami(address):
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 3478))

    def loop():
        while True:
            _, peer = sock.recvfrom(2048)
            sock.sendto(("%s:%d" % peer[:2]).encode(), peer)
    threading.Thread(target=loop, daemon=True).start()


def main():
    listener = socket.create_server((sys.argv[1], 53))
    for address in sys.argv[2:]:
        whoami(address)
    print("ready", flush=True)
    number = 0
    while True:
        conn, _ = listener.accept()
        number += 1
        threading.Thread(target=serve, args=(conn, number), daemon=True).start()


if __name__ == "__main__":
    main()
