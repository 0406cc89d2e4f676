"""Somebody on the way who says to be somebody else: one UDP datagram with a forged source.
`stranger.py SOURCE PORT TARGET PORT WORD`, as root."""
import socket
import struct
import sys

source, sport, target, dport, word = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5].encode()
six = ":" in source
family = socket.AF_INET6 if six else socket.AF_INET
ends = socket.inet_pton(family, source) + socket.inet_pton(family, target)
udp = struct.pack("!HHHH", sport, dport, 8 + len(word), 0) + word
words = ends + struct.pack("!II", len(udp), 17) + udp + b"\0" * (len(udp) % 2)
total = sum(struct.unpack("!%dH" % (len(words) // 2), words))
while total >> 16:
    total = (total & 0xffff) + (total >> 16)
udp = udp[:6] + struct.pack("!H", ~total & 0xffff or 0xffff) + udp[8:]
if six:
    packet = struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + ends + udp
else:
    packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + ends + udp  # the kernel sums up the header
socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW).sendto(packet, (target, 0))
