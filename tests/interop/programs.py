"""How each program of the field is started: the command lines and configurations of
the servers and clients that gatun has to get along with, and its own.

A server is words to run; a client is either words that serve SOCKS5 on a port (gatun local among
them), or (gatun run) words in front of the application. It does not know what is asked through them.
"""
import base64
import json
import os
import shutil
import urllib.parse

CACHE = os.path.join(os.environ.get("GATUN_CACHE", os.path.expanduser("~/.cache/gatun")), "bin")
ADDRESS = "10.77.0.2"
LOCAL = "127.0.0.1"

SIP004 = ["aes-128-gcm", "aes-192-gcm", "aes-256-gcm", "chacha20-ietf-poly1305", "xchacha20-ietf-poly1305"]
SIP022 = {"2022-blake3-aes-128-gcm": 16, "2022-blake3-aes-256-gcm": 32, "2022-blake3-chacha20-poly1305": 32}
# SIP023: the key is the server's and a user's, "KEY0:KEY1".
WITH_USER = " user"
USERS = [method + WITH_USER for method in ("2022-blake3-aes-128-gcm", "2022-blake3-aes-256-gcm")]
METHODS = SIP004 + list(SIP022) + USERS

# What each is built with. shadowsocks-rust: the features that tests/interop/peers asks for.
RUST = ["aes-128-gcm", "aes-256-gcm", "chacha20-ietf-poly1305"] + list(SIP022) + USERS
SPEAKS = {"gatun": METHODS, "gatun-local": METHODS, "ss-server": SIP004, "ss-local": SIP004, "ssserver": RUST, "sslocal": RUST, "sing-box": METHODS}


def find(name, gatun):
    if name.startswith("gatun"):
        return gatun
    cached = os.path.join(CACHE, name)
    return cached if os.access(cached, os.X_OK) else shutil.which(name)


def cipher(method):
    """A row of the table without what it says of users."""
    return method.removesuffix(WITH_USER)


def make_key(method):
    if method in USERS:
        return make_key(cipher(method)) + ":" + make_key(cipher(method))
    if method in SIP022:
        return base64.b64encode(os.urandom(SIP022[method])).decode()
    return "a p@ssword/with:odd?signs"


def make_url(method, key, port):
    """SIP002: base64url for SIP004, percent-encoded plain text for SIP022."""
    if cipher(method) in SIP022:
        user = "%s:%s" % (cipher(method), urllib.parse.quote(key, safe=""))
    else:
        user = base64.urlsafe_b64encode(("%s:%s" % (method, key)).encode()).decode().rstrip("=")
    return "ss://%s@%s:%d#interop" % (user, ADDRESS, port)


def write_json(path, value):
    with open(path, "w") as out:
        json.dump(value, out, indent=1)
    return path


def sing_box_dns():
    return {"dns": {"servers": [{"type": "hosts", "tag": "hosts", "predefined": {"echo.interop": "10.77.0.1"}}]},
            "route": {"default_domain_resolver": "hosts"}}


def user_server_words(name, program, method, key, port, base, hosts):
    """A server with two users, of which the client is the second."""
    own, user = key.split(":")
    users = [{"name": "somebody else", "password": make_key(method)}, {"name": "tester", "password": user}]
    if name == "sing-box":
        config = {"log": {"level": "warn"}, "outbounds": [{"type": "direct"}],
                  "inbounds": [{"type": "shadowsocks", "listen": ADDRESS, "listen_port": port, "method": method,
                                "password": own, "users": users}]}
        config.update(sing_box_dns())
        return [program, "run", "-c", write_json(base + ".server.json", config)]
    config = {"servers": [{"server": ADDRESS, "server_port": port, "method": method, "password": own, "users": users,
                           "mode": "tcp_and_udp"}]}
    words = [program, "-c", write_json(base + ".server.json", config)]
    if name == "gatun":
        words[1:1] = ["server", "--allow-local", "--hosts", hosts]
    return words


def server_words(name, program, method, key, port, base, hosts):
    if method in USERS:
        return user_server_words(name, program, cipher(method), key, port, base, hosts)
    if name == "gatun":
        return [program, "server", "-s", "%s:%d" % (ADDRESS, port), "-m", method, "-k", key, "--allow-local", "--hosts", hosts]
    if name == "ss-server":
        return [program, "-s", ADDRESS, "-p", str(port), "-k", key, "-m", method, "-u"]
    if name == "ssserver":
        return [program, "-s", "%s:%d" % (ADDRESS, port), "-k", key, "-m", method, "-U"]
    config = {"log": {"level": "warn"}, "outbounds": [{"type": "direct"}],
              "inbounds": [{"type": "shadowsocks", "listen": ADDRESS, "listen_port": port, "method": method, "password": key}]}
    config.update(sing_box_dns())
    return [program, "run", "-c", write_json(base + ".server.json", config)]


def client_words(name, program, method, key, port, local, base):
    """Words that start a SOCKS5 proxy on 127.0.0.1:local."""
    if name == "gatun-local":
        return [program, "local", make_url(method, key, port), "--socks", "%s:%d" % (LOCAL, local)]
    method = cipher(method)
    if name == "ss-local":
        return [program, "-s", ADDRESS, "-p", str(port), "-k", key, "-m", method, "-b", LOCAL, "-l", str(local), "-u"]
    if name == "sslocal":
        config = {"server": ADDRESS, "server_port": port, "password": key, "method": method,
                  "locals": [{"protocol": "socks", "local_address": LOCAL, "local_port": local, "mode": "tcp_and_udp"}]}
        return [program, "-c", write_json(base + ".client.json", config)]
    config = {"log": {"level": "warn"},
              "inbounds": [{"type": "socks", "listen": LOCAL, "listen_port": local}],
              "outbounds": [{"type": "shadowsocks", "server": ADDRESS, "server_port": port, "method": method, "password": key}]}
    return [program, "run", "-c", write_json(base + ".client.json", config)]


def run_words(program, method, key, port):
    """Words to put in front of an application."""
    return [program, "run", make_url(method, key, port), "--"]
