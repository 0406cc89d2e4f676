"""What an application is told of the path: datagrams that must not be fragmented, of the size that the kernel
thinks right, until one is answered.

    path_mtu.py ADDRESS     the path's MTU, or "silence"
"""
import socket
import sys

V4 = (socket.IPPROTO_IP, 10, 14, 28)	# IP_MTU_DISCOVER, IP_MTU, the headers
V6 = (socket.IPPROTO_IPV6, 23, 24, 48)


def main(address):
    v6 = ":" in address
    level, discover, mtu_name, headers = V6 if v6 else V4
    sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(level, discover, 2)
    sock.settimeout(0.5)
    sock.connect((address, 7001))
    for _ in range(20):
        mtu = sock.getsockopt(level, mtu_name)
        try:
            sock.send(bytes(mtu - headers))
            if len(sock.recv(65535)) == mtu - headers:
                return mtu
        except OSError:
            pass  # too long, and the kernel has learnt; or nothing came back
    return "silence"


print(main(sys.argv[1]))
