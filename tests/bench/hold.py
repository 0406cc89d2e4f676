"""Holds many idle TCP flows.

    hold.py serve ADDR PORT           echoes what comes, for as long as it comes
    hold.py hold ADDR PORT FLOWS      opens FLOWS connections, moves one byte each way on
                                      each, prints how many stand, and keeps them until
                                      standard input ends
"""
import resource
import selectors
import socket
import sys


def raise_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def serve(address, port):
    listener = socket.create_server((address, port), backlog=8192)
    listener.setblocking(False)
    events = selectors.DefaultSelector()
    events.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in events.select():
            one = key.fileobj
            if one is listener:
                flow, _ = listener.accept()
                events.register(flow, selectors.EVENT_READ)
                continue
            try:
                data = one.recv(65536)
                one.sendall(data)
            except OSError:
                data = b""
            if not data:
                events.unregister(one)
                one.close()


def open_flow(address, port):
    flow = socket.create_connection((address, port), timeout=10)
    flow.sendall(b"x")
    if flow.recv(1) != b"x":
        raise OSError("no echo")
    return flow


def hold(address, port, wanted):
    flows, reason = [], ""
    try:
        while len(flows) < wanted:
            flows.append(open_flow(address, port))
    except OSError as error:
        reason = str(error)
    print(len(flows), reason, flush=True)
    sys.stdin.read()


raise_limit()
if sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]))
else:
    hold(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
