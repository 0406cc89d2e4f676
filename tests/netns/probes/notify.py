"""A socket as systemd's: notify.py PATH LOG. Each datagram becomes a line, its lines joined by spaces."""
import socket
import sys

path, log = sys.argv[1:]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\0" + path[1:] if path.startswith("@") else path)
with open(log, "w", buffering=1) as out:
    print("listening", file=out)
    while True:
        print(s.recv(4096).decode().replace("\n", " "), file=out)
