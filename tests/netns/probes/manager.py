"""A client of ss-manager's protocol: sends orders one after another, prints what comes back.

    manager.py ADDRESS:PORT|PATH ORDER...

One line for each order, line ends and tabs of an answer left out; "silence" after a second.
For "ping" alone the answer must be a JSON object behind "stat: ", for "list" an array: then
it is printed sorted and without blanks.
"""
import json
import os
import socket
import sys


def connect(place):
    if "/" not in place:
        host, port = place.rsplit(":", 1)
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect((host, int(port)))
        return sock
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind("\0gatun-test-%d" % os.getpid())
    sock.connect(place)
    return sock


def tidy(order, answer):
    if order == "ping" and answer.startswith("stat: "):
        return json.dumps(json.loads(answer[6:]), sort_keys=True, separators=(",", ":"))
    if order == "list":
        return json.dumps(json.loads(answer), sort_keys=True, separators=(",", ":"))
    return answer.replace("\n", "").replace("\t", "")


def ask(place, order):
    try:
        sock = connect(place)
        sock.settimeout(1)
        sock.send(order.encode())
        return tidy(order, sock.recv(65536).decode())
    except socket.timeout:
        return "silence"
    except OSError as error:
        return "error: %s" % os.strerror(error.errno)


for word in sys.argv[2:]:
    print(ask(sys.argv[1], word))
