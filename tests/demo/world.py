"""What lies behind the demo's server, and the application that asks it by UDP.

    world.py ADDR        a web site on ADDR:80 and a UDP echo on ADDR:7
    world.py ask NAME    sends three datagrams to NAME, port 7, and prints what came back
"""
import http.server
import socket
import sys
import threading

PAGE = b"""<h1>Hello!</h1>
<p>The lock is open: this page came up the canal, through the tunnel.</p>
"""


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_):
        pass


def echo(address):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 7))
    while True:
        data, peer = sock.recvfrom(65536)
        sock.sendto(data, peer)


def ask(name):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(5)
    sock.connect((name, 7))
    for size in (5, 1000, 8000):
        data = bytes(n * 7 % 256 for n in range(size))
        sock.send(data)
        same = sock.recv(65536) == data
        print("%5d bytes %s" % (size, "came back as they were" if same else "were changed on the way"))


if sys.argv[1] == "ask":
    ask(sys.argv[2])
else:
    threading.Thread(target=echo, args=(sys.argv[1],), daemon=True).start()
    http.server.ThreadingHTTPServer((sys.argv[1], 80), Site).serve_forever()
