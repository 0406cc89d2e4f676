"""A DNS server that knows one address, which a file holds and anybody may change.

    moving_name.py ADDRESS FILE     UDP port 53; every name has that address, for five minutes
"""
import socket
import struct
import sys


def answer(query, path):
    at = 12
    while query[at]:
        at += query[at] + 1
    question = query[12:at + 5]
    kind = struct.unpack(">H", question[-4:-2])[0]
    address = socket.inet_aton(open(path).read().strip())
    record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 300, 4) + address if kind == 1 else b""
    return query[:2] + struct.pack(">HHHHH", 0x8580, 1, len(record) > 0, 0, 0) + question + record


def main():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((sys.argv[1], 53))
    print("ready", flush=True)
    while True:
        query, peer = sock.recvfrom(600)
        sock.sendto(answer(query, sys.argv[2]), peer)


main()
