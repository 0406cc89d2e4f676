"""Many associations, targets and connections at once, through a SOCKS5 proxy; and the targets.

    stress.py targets ADDRESS FIRST COUNT          UDP echoes on COUNT ports of ADDRESS, until ended
    stress.py load PROXY-PORT ADDRESS FIRST COUNT ASSOCIATIONS FLOWS

load: ASSOCIATIONS UDP ASSOCIATEs share the COUNT targets among them, each datagram must come back from its
own target; meanwhile FLOWS connections to the echo at ADDRESS:7001, all open before the first one is used. Then all
of it once more. It prints what came back as one line of words, and then waits for its input's end with all of it open.
"""
import asyncio
import resource
import selectors
import socket
import struct
import sys

PROXY = "127.0.0.1"
WINDOW = 4  # datagrams under way per association
PATIENCE = 20


def targets(address, first, count):
    selector = selectors.DefaultSelector()
    for port in range(first, first + count):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((address, port))
        selector.register(sock, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            data, peer = key.fileobj.recvfrom(2048)
            key.fileobj.sendto(data, peer)


def socks_address(host, port):
    return b"\1" + socket.inet_aton(host) + struct.pack(">H", port)


async def ask(port, command, host, target_port):
    reader, writer = await asyncio.open_connection(PROXY, port)
    writer.write(b"\5\1\0")
    assert await reader.readexactly(2) == b"\5\0"
    writer.write(bytes([5, command, 0]) + socks_address(host, target_port))
    reply = await reader.readexactly(10)
    assert reply[1] == 0, reply
    return reader, writer, (socket.inet_ntoa(reply[4:8]), struct.unpack(">H", reply[8:10])[0])


class Association(asyncio.DatagramProtocol):
    """Its datagrams to its share of the targets, a few at a time."""

    def __init__(self):
        self.waiting = {}

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, _):
        header, payload = data[:10], data[10:]
        future = self.waiting.pop(header[4:], None)
        if future and not future.done():
            future.set_result(payload)

    async def one(self, window, host, port, text):
        header = socks_address(host, port)
        async with window:
            future = asyncio.get_running_loop().create_future()
            self.waiting[header[1:]] = future
            self.transport.sendto(b"\0\0\0" + header + text)
            try:
                return await asyncio.wait_for(future, PATIENCE) == text
            except TimeoutError:
                return False
            except asyncio.TimeoutError:
                return False

    async def all(self, host, ports, word):
        window = asyncio.Semaphore(WINDOW)
        return sum(await asyncio.gather(*(self.one(window, host, p, b"%s %d" % (word, p)) for p in ports)))


async def open_association(port):
    local = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    local.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    local.bind((PROXY, 0))
    control = await ask(port, 3, *local.getsockname())
    local.connect(control[2])
    _, association = await asyncio.get_running_loop().create_datagram_endpoint(Association, sock=local)
    association.control = control
    return association


async def echo(flow, text):
    reader, writer, _ = flow
    writer.write(text)
    try:
        return await asyncio.wait_for(reader.readexactly(len(text)), PATIENCE) == text
    except (asyncio.TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        return False


async def use(associations, flows, host, ports, word):
    share = (len(ports) + len(associations) - 1) // len(associations)
    udp = asyncio.gather(*(a.all(host, ports[i * share:(i + 1) * share], word) for i, a in enumerate(associations)))
    tcp = asyncio.gather(*(echo(f, b"%s %d " % (word, i) * 100) for i, f in enumerate(flows)))
    return "udp:%d tcp:%d" % (sum(await udp), sum(await tcp))


async def load(port, host, first, count, n_associations, n_flows):
    ports = list(range(first, first + count))
    associations, flows = [], []
    for _ in range(n_associations):
        associations.append(await open_association(port))
    for i in range(0, n_flows, 100):
        flows += await asyncio.gather(*(ask(port, 1, host, 7001) for _ in range(i, min(i + 100, n_flows))))
    print(await use(associations, flows, host, ports, b"first"), await use(associations, flows, host, ports, b"again"), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for _, writer, _ in flows + [a.control for a in associations]:
        writer.close()


def main():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    numbers = [int(word) if word.isdigit() else word for word in sys.argv[2:]]
    if sys.argv[1] == "targets":
        targets(*numbers)
    else:
        asyncio.run(load(*numbers))


main()
