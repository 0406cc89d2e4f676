"""A man in the middle between gatun run and its server: passes bytes on, and at one
place cuts, flips or records. It knows nothing of Shadowsocks, only offsets.

    mitm.py LISTEN-ADDRESS PORT TO-ADDRESS ACTION [OFFSET | FILE]

    pass              nothing
    cut-down N        after N bytes from the server: FIN to the client (0: before the first)
    cut-up N          after N bytes from the client: FIN to the server
    flip-down N       the lowest bit of byte N from the server
    flip-up N         the same from the client
    record FILE       what the client sent first, up to the server's first answer
    hang-up 0         closes what it accepts, orderly, without a byte

Prints "ready" when it listens.
"""
import socket
import struct
import sys
import threading

listen, port, to, action = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
argument = sys.argv[5] if len(sys.argv) > 5 else "0"
LOCK = threading.Lock()


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def flipped(data, at):
    data = bytearray(data)
    data[at] ^= 1
    return bytes(data)


def pump(source, sink, way, broken):
    """One direction of one connection. `broken` tells both when either was reset."""
    passed, offset = 0, int(argument) if action != "record" else 0
    try:
        while True:
            if action == "cut-" + way and passed >= offset:
                break
            data = source.recv(1 << 16)
            if not data:
                break
            if action == "cut-" + way:
                data = data[:offset - passed]
            if action == "flip-" + way and passed <= offset < passed + len(data):
                data = flipped(data, offset - passed)
            if action == "record" and way == "up":
                with LOCK, open(argument, "ab") as out:
                    out.write(data)
            sink.sendall(data)
            passed += len(data)
        if not broken.is_set():
            sink.shutdown(socket.SHUT_WR)
    except OSError:
        broken.set()  # first: the other direction must not take what it reads now for an orderly end
        reset(source)
        reset(sink)


def reset(sock):
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.shutdown(socket.SHUT_RD)  # wakes who reads from it; RST comes with the close
    except OSError:
        pass


def serve(client):
    if action == "hang-up":
        client.close()
        return
    server = socket.socket(family_of(to), socket.SOCK_STREAM)
    server.connect((to, port))
    broken = threading.Event()
    threads = [threading.Thread(target=pump, args=ends + (broken,), daemon=True) for ends in ((client, server, "up"), (server, client, "down"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    server.close()


def main():
    listener = socket.socket(family_of(listen), socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((listen, port))
    listener.listen(100)
    print("ready", flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()


main()
