"""A SIP003u plugin for tests: TCP and UDP over the same pair of addresses, every byte
turned over on the way, so that one alone on the wire leads nowhere. Both ends are the
same program; the option `server` says which one it is.

    SS_PLUGIN_OPTIONS   server          the far end
                        udp             carry UDP too
                        udp-alone       carry nothing else
                        key=NUMBER      what bytes are turned over with
                        late=SECONDS    listen only then
                        report=FILE     write there what it finds itself started with
                        stubborn        ignore SIGTERM
                        talks=WORDS     say that on standard error

It knows nothing of Shadowsocks.
"""
import os
import signal
import socket
import sys
import threading
import time

options = dict(word.partition("=")[::2] for word in os.environ.get("SS_PLUGIN_OPTIONS", "").split(";"))
KEY = int(options.get("key", "90"))
TABLE = bytes(b ^ KEY for b in range(256))
ENDS = [(os.environ["SS_%s_HOST" % end], int(os.environ["SS_%s_PORT" % end])) for end in ("LOCAL", "REMOTE")]
LISTEN, DIAL = reversed(ENDS) if "server" in options else ENDS


def family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def report(path):
    with open("/proc/self/status") as status:
        caps = [line.split()[1] for line in status if line.startswith("CapEff")]
    descriptors = sorted(int(fd) for fd in os.listdir("/proc/self/fd"))
    with open(path + ".new", "w") as f:
        print("environment", *sorted(os.environ), file=f)
        print("descriptors", *descriptors[:-1], file=f)  # the last is the listing's own
        print("capabilities", *caps, file=f)
        print("leads its group", os.getpgrp() == os.getpid(), file=f)
        print("arguments", *sys.argv[1:], file=f)
        print("mask", sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), file=f)
    os.rename(path + ".new", path)


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data.translate(TABLE))
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def serve_tcp(client):
    try:
        with client, socket.create_connection(DIAL) as far:
            back = threading.Thread(target=pump, args=(far, client), daemon=True)
            back.start()
            pump(client, far)
            back.join()
    except OSError:
        pass


def listen_tcp():
    listener = socket.socket(family(LISTEN[0]), socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(LISTEN)
    listener.listen(128)
    return listener


def back_udp(listener, client, far):
    while True:
        try:
            data = far.recv(65536)
        except ConnectionRefusedError:
            continue
        listener.sendto(data.translate(TABLE), client)


def serve_udp(listener):
    ways = {}
    while True:
        try:
            data, client = listener.recvfrom(65536)
        except ConnectionRefusedError:
            continue
        if client not in ways:
            ways[client] = socket.socket(family(DIAL[0]), socket.SOCK_DGRAM)
            ways[client].connect(DIAL)
            threading.Thread(target=back_udp, args=(listener, client, ways[client]), daemon=True).start()
        try:
            ways[client].send(data.translate(TABLE))
        except OSError:
            pass


def main():
    if "report" in options:
        report(options["report"])
    if "stubborn" in options:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "talks" in options:
        print(options["talks"], file=sys.stderr, flush=True)
    time.sleep(float(options.get("late", "0")))
    if "udp" in options or "udp-alone" in options:
        udp = socket.socket(family(LISTEN[0]), socket.SOCK_DGRAM)
        udp.bind(LISTEN)
        threading.Thread(target=serve_udp, args=(udp,), daemon=True).start()
    if "udp-alone" in options:
        threading.Event().wait()
    tcp = listen_tcp()
    while True:
        client, _ = tcp.accept()
        threading.Thread(target=serve_tcp, args=(client,), daemon=True).start()


main()
