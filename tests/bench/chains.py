"""The chains that are measured beside each other: a client that captures the
traffic of its namespace, and a server. Each starts in a namespace pair of the lab
and tells how an application gets in (prefix) and which processes are its cost.

It does not know what is measured.
"""
import json
import os
import shutil

import lab as ground

PASSWORD = "correct horse battery staple of the bench"
METHOD = "aes-256-gcm"
CACHE = os.path.join(os.environ.get("GATUN_CACHE", os.path.expanduser("~/.cache/gatun")), "bin")

# What the client namespace itself sends goes to the redirecting proxy on 1080: TCP by
# REDIRECT, UDP by mark, a local route and TPROXY; all but what is for the server.
CAPTURE = """
table ip capture {
	chain tcp_out {
		type nat hook output priority -100
		ip daddr { 127.0.0.0/8, %(server)s } return
		meta l4proto tcp redirect to :1080
	}
	chain udp_out {
		type route hook output priority -150
		ip daddr { 127.0.0.0/8, %(server)s } return
		meta l4proto udp meta mark set 1
	}
	chain udp_in {
		type filter hook prerouting priority -150
		meta mark 1 meta l4proto udp tproxy to :1080 accept
	}
}
"""

# The same with TPROXY for TCP as well.
CAPTURE_TPROXY = """
table ip capture {
	chain out {
		type route hook output priority -150
		ip daddr { 127.0.0.0/8, %(server)s } return
		ct direction reply return
		meta l4proto { tcp, udp } meta mark set 1
	}
	chain in {
		type filter hook prerouting priority -150
		meta mark 1 meta l4proto { tcp, udp } tproxy to :1080 accept
	}
}
"""


class Missing(Exception):
    """A peer is not installed: its chain is skipped by this name."""


def find(program):
    cached = os.path.join(CACHE, program)
    found = cached if os.access(cached, os.X_OK) else shutil.which(program)
    if not found:
        raise Missing(program)
    return found


class Chain:
    name = "direct"
    about = "no proxy: what the lab itself can carry"

    def __init__(self, lab, index, gatun):
        self.lab, self.index, self.gatun = lab, index, gatun
        self.space = lab.client(index)
        self.prefix = lab.enter(self.space)
        self.address = "10.90.%d.2" % index
        self.port = 8000 + index
        self.client = self.server = None

    @classmethod
    def require(cls, gatun):
        """Raises Missing when a program of this chain is not there."""

    def start(self):
        pass

    def launch(self, where, words, log):
        return self.lab.start(self.lab.enter(where), words, "%s-%s" % (self.name, log))

    def ready(self, child, port, udp=False):
        def condition():
            if child.poll() is not None:
                raise ground.Late("%s ended with %d:\n%s" % (child.args, child.returncode, tail(child.log)))
            return ground.is_listening(child.pid, port, udp)
        ground.wait_for("%s on port %d" % (self.name, port), condition)

    def stop(self):
        for child in (self.client, self.server):
            if child:
                self.lab.stop(child)
        self.client = self.server = None

    def alive(self):
        return all(child is None or child.poll() is None for child in (self.client, self.server))

    def client_pids(self):
        return ground.family(self.client.pid) if self.client else []

    def server_pids(self):
        return ground.family(self.server.pid) if self.server else []


def tail(path, lines=5):
    return "\n".join(open(path, errors="replace").read().splitlines()[-lines:])


class Gatun(Chain):
    name = "gatun"
    about = "gatun run + gatun server"
    options = []

    @classmethod
    def require(cls, gatun):
        if not os.access(gatun, os.X_OK):
            raise Missing(gatun)

    def start_server(self):
        self.server = self.launch(self.lab.server, [self.gatun, "server", "-s", "%s:%d" % (self.address, self.port),
                                                    "-m", METHOD, "-k", PASSWORD], "server")
        self.ready(self.server, self.port)

    def start(self):
        self.start_server()
        self.client = self.launch(self.space, [self.gatun, "run", "-s", "%s:%d" % (self.address, self.port), "-m", METHOD,
                                               "-k", PASSWORD, "--", "sleep", "86400"], "client")
        self.enter_sandbox()

    def enter_sandbox(self):
        def inside():
            if self.client.poll() is not None:
                raise ground.Late("gatun run ended with %d:\n%s" % (self.client.returncode, tail(self.client.log)))
            return ground.descendant(self.client.pid, "sleep")
        pid = ground.wait_for("the command inside gatun run", inside)
        self.prefix = ["nsenter", "--net=/proc/%d/ns/net" % pid, "--"]
        for key, value in ground.SYSCTLS.items():
            ground.write_sysctl(self.prefix, key, value)
        self.lab.congestion["sandbox"] = ground.set_reno(self.prefix)


class Captured(Chain):
    """A program that takes redirected TCP and TPROXY UDP on port 1080."""
    rules = CAPTURE

    def capture(self):
        rules = self.lab.path(self.name + ".nft", self.rules % {"server": self.address})
        ground.sh(*self.prefix, "nft", "-f", rules)
        ground.sh(*self.prefix, "ip", "rule", "add", "fwmark", "1", "lookup", "100")
        ground.sh(*self.prefix, "ip", "route", "add", "local", "default", "dev", "lo", "table", "100")

    def stop(self):
        super().stop()
        for words in (["nft", "delete", "table", "ip", "capture"], ["ip", "rule", "del", "fwmark", "1"],
                      ["ip", "route", "flush", "table", "100"]):
            ground.sh(*self.prefix, *words, check=False)


class Libev(Captured):
    name = "ss-redir"
    about = "ss-redir + ss-server (shadowsocks-libev), nft redirect and tproxy"
    options = []

    @classmethod
    def require(cls, gatun):
        find("ss-redir"), find("ss-server"), find("nft")

    def start(self):
        common = ["-s", self.address, "-p", str(self.port), "-k", PASSWORD, "-m", METHOD, "-u"]
        self.server = self.launch(self.lab.server, [find("ss-server")] + common, "server")
        self.ready(self.server, self.port)
        self.client = self.launch(self.space, [find("ss-redir")] + common + ["-b", "0.0.0.0", "-l", "1080"] + self.options, "client")
        self.ready(self.client, 1080)
        self.capture()


class LibevTproxy(Libev):
    name = "ss-redir-T"
    about = "ss-redir -T + ss-server (shadowsocks-libev), nft tproxy"
    options = ["-T"]
    rules = CAPTURE_TPROXY


class RustServer:
    def start_ssserver(self):
        self.server = self.launch(self.lab.server, [find("ssserver"), "-s", "%s:%d" % (self.address, self.port),
                                                    "-k", PASSWORD, "-m", METHOD, "-U"], "server")
        self.ready(self.server, self.port)


class Rust(RustServer, Captured):
    name = "sslocal-redir"
    about = "sslocal redir + ssserver (shadowsocks-rust), nft redirect and tproxy"

    @classmethod
    def require(cls, gatun):
        find("sslocal"), find("ssserver"), find("nft")

    def start(self):
        self.start_ssserver()
        config = {"server": self.address, "server_port": self.port, "password": PASSWORD, "method": METHOD,
                  "locals": [{"protocol": "redir", "local_address": "0.0.0.0", "local_port": 1080, "mode": "tcp_and_udp",
                              "tcp_redir": "redirect", "udp_redir": "tproxy"}]}
        path = self.lab.path("sslocal.json", json.dumps(config))
        self.client = self.launch(self.space, [find("sslocal"), "-c", path], "client")
        self.ready(self.client, 1080)
        self.capture()


class SingBox(RustServer, Chain):
    name = "sing-box"
    about = "sing-box tun (mixed stack) + ssserver"

    @classmethod
    def require(cls, gatun):
        find("sing-box"), find("ssserver")

    def start(self):
        self.start_ssserver()
        config = {"log": {"level": "error"},
                  "inbounds": [{"type": "tun", "interface_name": "tun0", "address": ["172.19.0.1/30"],
                                "auto_route": False, "stack": "mixed"}],
                  "outbounds": [{"type": "shadowsocks", "server": self.address, "server_port": self.port,
                                 "method": METHOD, "password": PASSWORD}]}
        path = self.lab.path("sing-box.json", json.dumps(config))
        self.client = self.launch(self.space, [find("sing-box"), "run", "-c", path], "client")
        ground.wait_for("sing-box's tun0", lambda: os.path.basename(self.space) and "tun0" in
                        ground.sh(*self.prefix, "ip", "-br", "link", check=False))
        ground.sh(*self.prefix, "ip", "route", "add", ground.TARGET4, "dev", "tun0")


class GatunRust(RustServer, Gatun):
    name = "gatun+ssserver"
    about = "gatun run + ssserver (shadowsocks-rust)"

    @classmethod
    def require(cls, gatun):
        super().require(gatun)
        find("ssserver")

    def start_server(self):
        self.start_ssserver()


class GatunRedir(Captured, Gatun):
    name = "gatun-redir"
    about = "gatun local (redir) + gatun server, ss-redir's nft redirect and tproxy"
    tcp_redir = "redirect"

    @classmethod
    def require(cls, gatun):
        super().require(gatun)
        find("nft")

    def start(self):
        self.start_server()
        config = {"server": self.address, "server_port": self.port, "password": PASSWORD, "method": METHOD,
                  "locals": [{"protocol": "redir", "local_address": "0.0.0.0", "local_port": 1080, "tcp_redir": self.tcp_redir}]}
        path = self.lab.path(self.name + ".json", json.dumps(config))
        self.client = self.launch(self.space, [self.gatun, "local", "-c", path], "client")
        self.ready(self.client, 1080)
        self.capture()


class GatunTproxy(GatunRedir):
    name = "gatun-tproxy"
    about = "gatun local (redir) + gatun server, nft tproxy"
    tcp_redir = "tproxy"
    rules = CAPTURE_TPROXY


ALL = [Chain, Libev, LibevTproxy, Gatun, GatunRedir, GatunTproxy, Rust, SingBox, GatunRust]
DEFAULT = ["direct", "ss-redir", "gatun"]
REDIRECTED = ["ss-redir", "gatun-redir", "ss-redir-T", "gatun-tproxy", "gatun"]
