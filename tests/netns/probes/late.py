"""A UDP flow whose first answer comes late.

    late.py answer ADDRESS PORT FILE    the first datagram is answered once FILE is there, others at once
    late.py ask ADDRESS PORT            asks, waits for the late answer, and asks again: prints "again" when
                                        that is answered within 10 s, "silence" otherwise

It knows nothing of tunnels.
"""
import os
import socket
import sys
import time


def udp(address):
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)


def answer(address, port, path):
    with udp(address) as sock:
        sock.bind((address, port))
        _, asker = sock.recvfrom(100)
        while not os.path.exists(path):
            time.sleep(0.02)
        sock.sendto(b"late", asker)
        while True:
            question, asker = sock.recvfrom(100)
            sock.sendto(question, asker)


def ask(address, port):
    with udp(address) as sock:
        sock.connect((address, port))
        sock.send(b"first")
        sock.settimeout(60)
        assert sock.recv(100) == b"late"
        sock.settimeout(0.5)
        for _ in range(20):
            sock.send(b"again")
            try:
                return sock.recv(100).decode()
            except TimeoutError:
                pass
        return "silence"


if sys.argv[1] == "answer":
    answer(sys.argv[2], int(sys.argv[3]), sys.argv[4])
else:
    print(ask(sys.argv[2], int(sys.argv[3])))
