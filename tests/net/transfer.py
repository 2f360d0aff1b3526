"""tests/net/transfer.py - TCP and UDP octets between two network namespaces, compared at the far end.

    transfer.py FROM-NAMESPACE TO-NAMESPACE ADDRESS

TCP both ways in writes of mixed sizes; UDP in datagrams of mixed sizes, and in runs of equal ones.
"""

import ctypes
import hashlib
import os
import random
import socket
import sys
import threading

OCTETS = 6 << 20
libc = ctypes.CDLL(None, use_errno=True)


def socket_in(namespace, kind, address):
    """A socket of another namespace: it stays there, whatever its thread does next."""
    with open("/proc/self/ns/net") as here, open(f"/var/run/netns/{namespace}") as there:
        if libc.setns(there.fileno(), 0):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            s = socket.socket(family, kind)
        finally:
            libc.setns(here.fileno(), 0)
    s.settimeout(20)
    return s


def send_mixed(s, seed):
    rng, digest, left = random.Random(seed), hashlib.sha256(), OCTETS
    while left:
        n = min(left, rng.choice((1, 100, 1000, 1448, 9000, 65000, 200000)))
        chunk = rng.randbytes(n)
        s.sendall(chunk)
        digest.update(chunk)
        left -= n
    return digest.digest()


def receive(s):
    digest, left = hashlib.sha256(), OCTETS
    while left:
        chunk = s.recv(min(left, 1 << 16))
        if not chunk:
            raise EOFError(f"{left} octets missing")
        digest.update(chunk)
        left -= len(chunk)
    return digest.digest()


def tcp(here, there, address):
    listener = socket_in(there, socket.SOCK_STREAM, address)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, 7000))
    listener.listen()
    s = socket_in(here, socket.SOCK_STREAM, address)
    s.connect((address, 7000))
    peer, _ = listener.accept()
    peer.settimeout(20)
    for one, other in ((s, peer), (peer, s)):
        got = []
        reader = threading.Thread(target=lambda: got.append(receive(other)))
        reader.start()
        sent = send_mixed(one, 1)
        reader.join()
        assert got == [sent], "TCP octets differ"


def udp(here, there, address):
    rng = random.Random(2)
    sink = socket_in(there, socket.SOCK_DGRAM, address)
    sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sink.bind((address, 7001))
    s = socket_in(here, socket.SOCK_DGRAM, address)
    for size in [rng.randrange(1, 1300) for _ in range(60)] + [700] * 40 + [1] * 20:
        datagram = rng.randbytes(size)
        s.sendto(datagram, (address, 7001))
        assert sink.recv(65535) == datagram, "datagrams differ"
    # Cut by the sender's device, or by whoever has offload on the way: UDP_SEGMENT.
    s.setsockopt(socket.SOL_UDP, 103, 500)
    train = rng.randbytes(500 * 20 + 77)
    s.sendto(train, (address, 7001))
    got = b"".join(sink.recv(65535) for _ in range(21))
    assert got == train, "a train of datagrams differs"


if __name__ == "__main__":
    tcp(*sys.argv[1:])
    udp(*sys.argv[1:])
    os._exit(0)
