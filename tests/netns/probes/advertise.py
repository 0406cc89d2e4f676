"""A router that advertises itself on a link, as any machine there could: one router
advertisement with a default route of high preference, a prefix to make addresses from,
and a more specific route (RFC 4191).

    advertise.py DEVICE PREFIX64 ROUTE/LEN
"""
import fcntl
import ipaddress
import socket
import struct
import sys


def hardware_address(sock, device):
    request = struct.pack("256s", device.encode()[:15])
    return fcntl.ioctl(sock.fileno(), 0x8927, request)[18:24]  # SIOCGIFHWADDR


def main():
    device, prefix, route = sys.argv[1:]
    sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    index = socket.if_nametoindex(device)
    net = ipaddress.IPv6Network(route)
    message = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0x08, 1800, 0, 0)
    message += struct.pack("!BB6s", 1, 1, hardware_address(sock, device))
    message += struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 86400, 14400, 0) + socket.inet_pton(socket.AF_INET6, prefix)
    message += struct.pack("!BBBBI", 24, 3, net.prefixlen, 0x08, 1800) + net.network_address.packed
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    sock.sendto(message, ("ff02::1", 0, 0, index))


main()
