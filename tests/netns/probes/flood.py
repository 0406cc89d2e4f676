"""A flood of UDP flows, and what flows that were there before and that come after notice.

    flood.py serve PORT        answers every datagram with the address it came from
    flood.py ADDRESS SOURCES   asks port 7020, floods, asks again

Prints words: whether the old flow still has the mapping that it had, whether a fresh
one gets an answer, and TCP's. It knows nothing of gatun.
"""
import socket
import sys


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def ask(sock, address, port):
    """The answer; a datagram may be lost to the flood, three may not."""
    for _ in range(3):
        sock.sendto(b"q", (address, port))
        try:
            return sock.recv(100).decode()
        except socket.timeout:
            pass
    return "silence"


def udp(address):
    sock = socket.socket(family_of(address), socket.SOCK_DGRAM)
    sock.settimeout(1)
    return sock


def flood(address, sources):
    """One datagram from each of so many source ports, to ports where nobody is."""
    sent = 0
    for number in range(sources):
        with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("", 1025 + number % 60000))
                sock.sendto(b"flood", (address, 20000 + number % 1000))
                sent += 1
            except OSError:
                pass  # the kernel's own choice for `old` is among them
    return sent


def tcp(address):
    with socket.create_connection((address, 7010), 5) as sock:
        sock.sendall(b"word\n")
        return sock.recv(100).decode().strip().replace(" ", "-")


def serve(port):
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", port))
    while True:
        _, peer = sock.recvfrom(100)
        sock.sendto(("%s %d" % peer[:2]).encode(), peer)


def main():
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    address, sources = sys.argv[1], int(sys.argv[2])
    old = udp(address)
    before = ask(old, address, 7020)
    sent = flood(address, sources)
    after = ask(old, address, 7020)
    print("old:%s fresh:%s tcp:%s flood:%s" % ("same" if before == after != "silence" else "%s then %s" % (before, after),
                                               ask(udp(address), address, 7001), tcp(address),
                                               "sent" if sent >= sources - 2 else sent))


main()
