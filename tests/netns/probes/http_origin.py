"""An origin server whose answers are as their path says, for tests of the HTTP proxy.

    http_origin.py ADDRESS PORT FILE     prints "ready"

GET  /FRAMING       FILE, framed by: length, chunked, close; or head: what the request's head held
     /cut           claims more than it sends; /none: closes without a word
POST /sum           the SHA-256 of the body, however it is framed
"""
import hashlib
import http.server
import sys

CONTENT = open(sys.argv[3], "rb").read()


class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, *headers):
        self.send_response(200)
        for name, value in headers or (("Content-Length", str(len(body))),):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        if self.path == "/length":
            self.answer(CONTENT)
        elif self.path == "/chunked":
            parts = [CONTENT[i:i + 70001] for i in range(0, len(CONTENT), 70001)]
            self.answer(b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n", ("Transfer-Encoding", "chunked"))
        elif self.path == "/close":
            self.answer(CONTENT, ("Connection", "close"))
            self.close_connection = True
        elif self.path == "/head":
            self.answer((self.requestline + "\n" + str(self.headers)).encode())
        elif self.path == "/cut":
            self.answer(b"abc", ("Content-Length", "10"))
            self.close_connection = True
        else:
            self.close_connection = True

    do_HEAD = do_GET

    def do_POST(self):
        digest = hashlib.sha256()
        if "Content-Length" in self.headers:
            digest.update(self.rfile.read(int(self.headers["Content-Length"])))
        else:
            while size := int(self.rfile.readline(), 16):
                digest.update(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
        self.answer(digest.hexdigest().encode())

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Origin)
print("ready", flush=True)
server.serve_forever()
