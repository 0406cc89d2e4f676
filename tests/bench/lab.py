"""The ground that a benchmark stands on: one server namespace, one client
namespace for each chain, a veth (MTU 1500) between them, and the processes inside.

    client namespace i              server namespace
    10.90.i.1, fd90:i::1  -- veth --  10.90.i.2, fd90:i::2     proxies' servers listen here
                                      10.91.0.2, fd91::2       targets: iperf3, nginx, sinks

Every namespace runs reno: under BBR, the default of some machines, the congestion
control decides more than the program (docs/design, peers-measured). It is set, read
back, and what was read is what gets printed.

All that is made here is undone by Lab.close(), on any exit. It ends only processes
that it started. It does not know what a proxy is.
"""
import os
import signal
import subprocess
import tempfile
import time

TARGET4, TARGET6 = "10.91.0.2", "fd91::2"
SYSCTLS = {
    "net.ipv4.ip_local_port_range": "1024 65535",
    "net.ipv4.tcp_tw_reuse": "1",
    "net.core.somaxconn": "8192",
    "net.ipv4.tcp_max_syn_backlog": "8192",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
}
TICK = os.sysconf("SC_CLK_TCK")


def sh(*words, check=True, **options):
    return subprocess.run(words, check=check, capture_output=True, text=True, **options).stdout


def write_sysctl(prefix, key, value):
    """Sets what exists; a kernel that lacks the key (or shares it) keeps its own."""
    subprocess.run(prefix + ["sysctl", "-qw", "%s=%s" % (key, value)], capture_output=True)


def set_reno(prefix):
    write_sysctl(prefix, "net.ipv4.tcp_congestion_control", "reno")
    return sh(*prefix, "sysctl", "-n", "net.ipv4.tcp_congestion_control").strip()


class Lab:
    def __init__(self, clients):
        self.tag = "gb%d" % os.getpid()
        self.server = self.tag + "s"
        self.names = []
        self.children = []
        self.congestion = {}
        self.dir = tempfile.mkdtemp(prefix="gatun-bench.")
        try:
            self.add_namespace(self.server, "server")
            self.ip(self.server, "addr", "add", TARGET4 + "/32", "dev", "lo")
            self.ip(self.server, "addr", "add", TARGET6 + "/128", "dev", "lo", "nodad")
            for index, name in enumerate(clients, 1):
                self.add_client(index, name)
        except BaseException:
            self.close()
            raise

    def add_namespace(self, name, label):
        sh("ip", "netns", "add", name)
        self.names.append(name)
        self.ip(name, "link", "set", "lo", "up")
        for key, value in SYSCTLS.items():
            write_sysctl(self.enter(name), key, value)
        self.congestion[label] = set_reno(self.enter(name))

    def add_client(self, index, label):
        name, port = self.client(index), "to%d" % index
        self.add_namespace(name, label)
        self.ip(name, "link", "add", "up0", "mtu", "1500", "type", "veth", "peer", "name", port, "mtu", "1500", "netns", self.server)
        for where, device, end in ((name, "up0", 1), (self.server, port, 2)):
            self.ip(where, "addr", "add", "10.90.%d.%d/24" % (index, end), "dev", device)
            self.ip(where, "addr", "add", "fd90:%d::%d/64" % (index, end), "dev", device, "nodad")
            self.ip(where, "link", "set", device, "up")
        self.ip(name, "route", "add", "default", "via", "10.90.%d.2" % index)
        self.ip(name, "-6", "route", "add", "default", "via", "fd90:%d::2" % index)

    def client(self, index):
        return "%sc%d" % (self.tag, index)

    def ip(self, namespace, *words):
        return sh("ip", "-n", namespace, *words)

    def enter(self, namespace):
        return ["ip", "netns", "exec", namespace]

    def path(self, name, text=None):
        path = os.path.join(self.dir, name)
        if text is not None:
            with open(path, "w") as out:
                out.write(text)
        return path

    def start(self, prefix, words, log, **options):
        out = open(self.path(log + ".log"), "ab")
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", out)
        child = subprocess.Popen(prefix + words, stderr=out, start_new_session=True, **options)
        child.log = out.name
        out.close()
        self.children.append(child)
        return child

    def stop(self, child):
        """TERM to the process itself, and after 3 s KILL to the session that it leads."""
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(3)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        if child in self.children:
            self.children.remove(child)

    def close(self):
        for child in list(reversed(self.children)):
            self.stop(child)
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        self.names = []
        subprocess.run(["rm", "-rf", self.dir])


class Late(Exception):
    """What was waited for did not come."""


def wait_for(what, condition, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise Late(what)


def is_listening(pid, port, udp=False):
    """Does pid's namespace hold a listening TCP (or a bound UDP) socket on the port?"""
    suffix, state = ":%04X" % port, "07" if udp else "0A"
    for name in ("udp", "udp6") if udp else ("tcp", "tcp6"):
        try:
            rows = open("/proc/%d/net/%s" % (pid, name)).read().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            words = row.split()
            if words[1].endswith(suffix) and words[3] == state:
                return True
    return False


def children_of(pid):
    try:
        tasks = os.listdir("/proc/%d/task" % pid)
    except OSError:
        return []
    found = []
    for task in tasks:
        try:
            found += map(int, open("/proc/%d/task/%s/children" % (pid, task)).read().split())
        except OSError:
            pass
    return found


def program_of(pid):
    try:
        return os.readlink("/proc/%d/exe" % pid)
    except OSError:
        return None


def family(pid):
    """pid and those of its descendants that run the same program."""
    found, queue, program = [], [pid], program_of(pid)
    while queue:
        one = queue.pop()
        if program_of(one) == program:
            found.append(one)
        queue += children_of(one)
    return found


def descendant(pid, command):
    for one in children_of(pid):
        try:
            if open("/proc/%d/comm" % one).read().strip() == command:
                return one
        except OSError:
            continue
        found = descendant(one, command)
        if found:
            return found
    return None


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        try:
            text = open("/proc/%d/stat" % pid).read()
        except OSError:
            continue
        words = text[text.rindex(")") + 2:].split()
        total += int(words[11]) + int(words[12])
    return total / TICK


def private_dirty(pids):
    """Bytes of memory that exist for these processes alone."""
    total = 0
    for pid in pids:
        try:
            rows = open("/proc/%d/smaps_rollup" % pid).read().splitlines()
        except OSError:
            continue
        total += sum(int(row.split()[1]) * 1024 for row in rows if row.startswith("Private_Dirty:"))
    return total
