"""tests/net/talk.py - one connection by TCP between two network namespaces, and a line each way.

    talk.py FROM-NAMESPACE TO-NAMESPACE ADDRESS SECONDS

Fails when that takes longer.
"""

import sys

from transfer import socket_in, socket


def talk(here, there, address, seconds):
    listener = socket_in(there, socket.SOCK_STREAM, address)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, 7002))
    listener.listen()
    s = socket_in(here, socket.SOCK_STREAM, address)
    for one in (listener, s):
        one.settimeout(seconds)
    s.connect((address, 7002))
    peer, _ = listener.accept()
    peer.settimeout(seconds)
    for one, other in ((s, peer), (peer, s)):
        one.sendall(b"a line\n")
        assert other.recv(64) == b"a line\n"


if __name__ == "__main__":
    talk(*sys.argv[1:4], float(sys.argv[4]))
