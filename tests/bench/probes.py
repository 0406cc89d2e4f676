"""The measurements: each takes a lab and a chain and returns a dict of numbers.

Throughput by iperf3, one stream, counted at the receiver; connections by wrk against
nginx; datagrams by udp_load; CPU from /proc of the chain's own processes, so neither
the load tools nor the kernel's interrupts are charged to it.

It does not know which chain it measures.
"""
import json
import os
import re
import subprocess
import sys
import time

import lab as ground

HOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hold.py")
NGINX = """
daemon off;
worker_processes 2;
pid %(dir)s/nginx.pid;
error_log %(dir)s/nginx.log crit;
events { worker_connections 8192; }
http {
	access_log off;
	client_body_temp_path %(dir)s/body; proxy_temp_path %(dir)s/proxy; fastcgi_temp_path %(dir)s/fastcgi;
	uwsgi_temp_path %(dir)s/uwsgi; scgi_temp_path %(dir)s/scgi;
	server { listen %(address)s:80 backlog=8192; location / { return 200 "hello\\n"; } }
}
"""


class Failed(Exception):
    """A measurement that gave no number: reported, and the others go on."""


def start_targets(lab):
    config = lab.path("nginx.conf", NGINX % {"dir": lab.dir, "address": ground.TARGET4})
    os.chmod(lab.dir, 0o755)
    web = lab.start(lab.enter(lab.server), ["nginx", "-c", config, "-e", lab.path("nginx.log")], "nginx")
    held = lab.start(lab.enter(lab.server), [sys.executable, HOLDER, "serve", ground.TARGET4, "7000"], "hold")
    for child, port in ((web, 80), (held, 7000)):
        ground.wait_for("port %d" % port, lambda: ground.is_listening(child.pid, port))


class Cost:
    """CPU seconds that the chain's two ends spend inside a with block."""

    def __init__(self, chain):
        self.chain = chain

    def read(self):
        return ground.cpu_seconds(self.chain.client_pids()), ground.cpu_seconds(self.chain.server_pids())

    def __enter__(self):
        self.before = self.read()
        return self

    def __exit__(self, *_):
        self.client, self.server = (after - before for before, after in zip(self.before, self.read()))


def run(lab, chain, words, seconds):
    try:
        done = subprocess.run(chain.prefix + words, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failed("%s did not end within %d s" % (words[0], seconds))
    return done


def stream(lab, chain, seconds, down):
    server = lab.start(lab.enter(lab.server), ["iperf3", "-s", "-1", "-B", ground.TARGET4, "-p", "5201"], "iperf3")
    try:
        ground.wait_for("iperf3", lambda: ground.is_listening(server.pid, 5201))
        words = ["iperf3", "-J", "-c", ground.TARGET4, "-p", "5201", "-t", str(seconds)] + (["-R"] if down else [])
        with Cost(chain) as cost:
            done = run(lab, chain, words, seconds + 15)
    finally:
        lab.stop(server)
    try:
        report = json.loads(done.stdout)
        received = report["end"]["sum_received"]
    except (ValueError, KeyError):
        raise Failed("iperf3: " + (done.stdout + done.stderr).strip()[-200:])
    if not received["bytes"]:
        raise Failed("iperf3: nothing arrived: " + report.get("error", ""))
    gigabytes = received["bytes"] / 1e9
    way = "down" if down else "up"
    return {way + "_gbps": received["bits_per_second"] / 1e9, "client_s_per_gb_" + way: cost.client / gigabytes,
            "server_s_per_gb_" + way: cost.server / gigabytes}


def connections(lab, chain, seconds):
    with Cost(chain) as cost:
        done = run(lab, chain, ["wrk", "-t", "1", "-c", "64", "-d", "%ds" % seconds, "-H", "Connection: close",
                                "http://%s/" % ground.TARGET4], seconds + 15)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if not rate:
        raise Failed("wrk: " + (done.stdout + done.stderr).strip()[-200:])
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", done.stdout)
    count = float(rate.group(1)) * seconds
    return {"conn_per_s": float(rate.group(1)), "conn_errors": sum(map(int, errors.groups())) if errors else 0,
            "client_us_per_conn": cost.client / count * 1e6 if count else None}


def datagrams(lab, chain, tool, size, rate, seconds):
    port = 6000 + rate // 1000
    sink = lab.start(lab.enter(lab.server), [tool, "sink", ground.TARGET4, str(port)], "sink", stdout=subprocess.PIPE, text=True)
    try:
        sink.stdout.readline()
        with Cost(chain) as cost:
            done = run(lab, chain, [tool, "send", ground.TARGET4, str(port), str(size), str(rate), str(seconds)], seconds + 10)
            report, _ = sink.communicate(timeout=seconds + 40)
    except subprocess.TimeoutExpired:
        raise Failed("the sink did not end")
    finally:
        lab.stop(sink)
    if done.returncode:
        raise Failed("udp_load: " + done.stderr.strip())
    received, sent = int(report.split()[0]), sum(map(int, done.stdout.split()))
    key = "udp_%dk" % (rate // 1000)
    found = {key: received / seconds, key + "_loss": max(0, sent - received) / sent, key + "_offered": sent / seconds}
    if received:
        found[key + "_client_us"] = cost.client / received * 1e6
        found[key + "_server_us"] = cost.server / received * 1e6
    return found


def memory(lab, chain, moment):
    return {"client_dirty_" + moment: ground.private_dirty(chain.client_pids()),
            "server_dirty_" + moment: ground.private_dirty(chain.server_pids())}


def idle_flows(lab, chain, flows):
    """Holds flows that each carried one byte both ways, and divides what memory grew by."""
    before = memory(lab, chain, "x")
    holder = subprocess.Popen(chain.prefix + [sys.executable, HOLDER, "hold", ground.TARGET4, "7000", str(flows)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = ground.wait_for("the holder", holder.stdout.readline, 60)
        held = int(line.split()[0])
        if held < flows:
            raise Failed("only %d of %d flows stood: %s" % (held, flows, line.strip()))
        time.sleep(2)
        after = memory(lab, chain, "x")
    except (ValueError, IndexError):
        raise Failed("holder: " + line)
    finally:
        holder.stdin.close()
        holder.wait(20)
        holder.stdout.close(), holder.stderr.close()
    return {"client_bytes_per_idle_flow": (after["client_dirty_x"] - before["client_dirty_x"]) / flows,
            "server_bytes_per_idle_flow": (after["server_dirty_x"] - before["server_dirty_x"]) / flows}
