"""How each program of the field is started: the command lines and configurations of
the servers and clients that gatun has to get along with, and its own.

A server is words to run; a client is either words that serve SOCKS5 on a port (gatun local among
them), or (gatun run) words in front of the application. It does not know what is asked through them.
"""
import base64
import json
import os
import re
import shutil
import subprocess
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

# What a row says behind its cipher, and who speaks it: clients, servers.
GATUN = {"gatun", "gatun-local"}
PLUGGED = {"ss-server", "ss-local", "ssserver", "sslocal"}
VARIANTS = {
    "uot": (GATUN | {"sing-box"}, {"gatun", "sing-box"}),  # UDP over TCP, version 2
    "obfs-http": (GATUN | PLUGGED, {"gatun"} | PLUGGED),    # SIP003, Debian's simple-obfs
    "obfs-tls": (GATUN | PLUGGED, {"gatun"} | PLUGGED),
    "v2ray": (GATUN | PLUGGED, {"gatun"} | PLUGGED),    # SIP003, Debian's shadowsocks-v2ray-plugin: a websocket
    "managed": (GATUN | PLUGGED, {"gatun", "ss-server", "ssserver"}),  # the port was opened by an order to a manager
    "connect": (GATUN, {"gatun", "ssserver", "sing-box"}),  # gatun's true connect results, where the server may not know them
}
ROWS = ["aes-256-gcm uot", "2022-blake3-aes-256-gcm uot", "aes-256-gcm obfs-http", "aes-256-gcm obfs-tls", "aes-256-gcm v2ray",
        "2022-blake3-aes-256-gcm v2ray", "aes-256-gcm managed", "2022-blake3-aes-256-gcm connect"]
METHODS += ROWS
PLUGINS = {"obfs-http": ("obfs-server", "obfs=http", "obfs-local", "obfs=http;obfs-host=echo.interop"),
           "obfs-tls": ("obfs-server", "obfs=tls", "obfs-local", "obfs=tls;obfs-host=echo.interop"),
           "v2ray": ("ss-v2ray-plugin", "server", "ss-v2ray-plugin", "host=echo.interop")}
MANAGERS = {"gatun": "gatun", "ss-server": "ss-manager", "ssserver": "ssmanager"}

# What each is built with. shadowsocks-rust: the features that tests/interop/peers asks for.
RUST = ["aes-128-gcm", "aes-256-gcm", "chacha20-ietf-poly1305"] + list(SIP022) + USERS
SPEAKS = {"gatun": METHODS, "gatun-local": METHODS, "ss-server": SIP004, "ss-local": SIP004, "ssserver": RUST, "sslocal": RUST, "sing-box": METHODS}


def variant(method):
    return method.partition(" ")[2]


def speak(client, server, method):
    """Do these two have this row in common?"""
    word = variant(method)
    if word in VARIANTS and (client not in VARIANTS[word][0] or server not in VARIANTS[word][1]):
        return False
    plain = cipher(method) if word in VARIANTS else method
    return plain in SPEAKS[client] and plain in SPEAKS[server]


def helpers(server, method):
    """Programs that a row needs beside client and server."""
    word = variant(method)
    if word in PLUGINS:
        return [PLUGINS[word][0], PLUGINS[word][2]]
    return [MANAGERS[server]] if word == "managed" else []


def find(name, gatun):
    if name.startswith("gatun"):
        return gatun
    cached = os.path.join(CACHE, name)
    return cached if os.access(cached, os.X_OK) else shutil.which(name)


# What the document names, and how each tells its version.
PROGRAMS = {"gatun": ["version"], "ss-server": ["-h"], "ss-manager": ["-h"], "ssserver": ["--version"], "ssmanager": ["--version"],
            "sing-box": ["version"], "obfs-server": ["-h"], "ss-v2ray-plugin": ["-version"]}


def version(name, gatun):
    program = find(name, gatun)
    if not program:
        return "not installed"
    done = subprocess.run([program] + PROGRAMS[name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found = re.search(r"v?\d+\.\d+(\.\d+)*", done.stdout)
    return found.group().lstrip("v") if found else "unknown"


def cipher(method):
    """A row of the table without what it says behind the method."""
    return method.partition(" ")[0]


def make_key(method):
    if method in USERS:
        return make_key(cipher(method)) + ":" + make_key(cipher(method))
    if cipher(method) in SIP022:
        return base64.b64encode(os.urandom(SIP022[cipher(method)])).decode()
    return "a p@ssword/with:odd?signs"


def make_url(method, key, port):
    """SIP002: base64url for SIP004, percent-encoded plain text for SIP022."""
    if cipher(method) in SIP022:
        user = "%s:%s" % (cipher(method), urllib.parse.quote(key, safe=""))
    else:
        user = base64.urlsafe_b64encode(("%s:%s" % (cipher(method), key)).encode()).decode().rstrip("=")
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


def manager_port(port):
    return port + 4000


def manager_words(name, program, method, port, hosts):
    """A program that opens ports when it is told to."""
    manager = "%s:%d" % (LOCAL, manager_port(port))
    if name == "gatun":
        return [program, "server", "--manager", manager, "-m", method, "--allow-local", "--hosts", hosts]
    if name == "ssserver":
        return [program, "--manager-addr", manager, "-s", ADDRESS, "-m", method, "-U"]
    return [program, "--manager-address", manager, "-s", ADDRESS, "-m", method, "-u", "--executable", find("ss-server", None)]


def plugin_words(name, method, side):
    """side: 0 of a server, 2 of a client."""
    if variant(method) not in PLUGINS:
        return []
    plugin = PLUGINS[variant(method)]
    return ["--plugin", find(plugin[side], None), "--plugin-opts", plugin[side + 1]]


def server_words(name, program, method, key, port, base, hosts):
    if method in USERS:
        return user_server_words(name, program, cipher(method), key, port, base, hosts)
    if variant(method) == "managed":
        return manager_words(name, find(MANAGERS[name], program), cipher(method), port, hosts)
    plugin = plugin_words(name, method, 0)
    method = cipher(method)
    if name == "gatun":
        return [program, "server", "-s", "%s:%d" % (ADDRESS, port), "-m", method, "-k", key, "--allow-local", "--hosts", hosts] + plugin
    if name == "ss-server":
        return [program, "-s", ADDRESS, "-p", str(port), "-k", key, "-m", method, "-u"] + plugin
    if name == "ssserver":
        return [program, "-s", "%s:%d" % (ADDRESS, port), "-k", key, "-m", method, "-U"] + plugin
    config = {"log": {"level": "warn"}, "outbounds": [{"type": "direct"}],
              "inbounds": [{"type": "shadowsocks", "listen": ADDRESS, "listen_port": port, "method": method, "password": key}]}
    config.update(sing_box_dns())
    return [program, "run", "-c", write_json(base + ".server.json", config)]


def client_words(name, program, method, key, port, local, base):
    """Words that start a SOCKS5 proxy on 127.0.0.1:local."""
    plugin, word = plugin_words(name, method, 2), variant(method)
    if name == "gatun-local":
        return [program, "local", make_url(method, key, port), "--socks", "%s:%d" % (LOCAL, local)] + gatun_words(method)
    method = cipher(method)
    if name == "ss-local":
        return [program, "-s", ADDRESS, "-p", str(port), "-k", key, "-m", method, "-b", LOCAL, "-l", str(local), "-u"] + plugin
    if name == "sslocal":
        server = {"server": ADDRESS, "server_port": port, "password": key, "method": method, "mode": "tcp_and_udp"}
        if plugin:
            server.update(plugin=plugin[1], plugin_opts=plugin[3])
        config = {"servers": [server], "locals": [{"protocol": "socks", "local_address": LOCAL, "local_port": local, "mode": "tcp_and_udp"}]}
        return [program, "-c", write_json(base + ".client.json", config)]
    server = {"type": "shadowsocks", "server": ADDRESS, "server_port": port, "method": method, "password": key}
    if word == "uot":
        server["udp_over_tcp"] = {"enabled": True, "version": 2}
    config = {"log": {"level": "warn"}, "inbounds": [{"type": "socks", "listen": LOCAL, "listen_port": local}], "outbounds": [server]}
    return [program, "run", "-c", write_json(base + ".client.json", config)]


def gatun_words(method):
    """What our client is told of a row beside the URL."""
    word = variant(method)
    if word == "uot":
        return ["--udp-over-tcp", "true"]
    if word == "connect":
        return ["--true-connect"]
    return plugin_words("gatun", method, 2)


def run_words(program, method, key, port):
    """Words to put in front of an application."""
    return [program, "run", make_url(method, key, port)] + gatun_words(method) + ["--"]
