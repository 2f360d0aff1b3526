"""PF_KEY v2 messages laid out with Python's struct, after RFC 2367 and <linux/pfkeyv2.h>: another
reading of them than ipspd's. The socket is ipspd's, a SOCK_SEQPACKET of AF_UNIX."""
import os
import socket
import struct

GETSPI, UPDATE, ADD, DELETE, GET, ACQUIRE, REGISTER, EXPIRE, FLUSH, DUMP, PROMISC = range(1, 12)
SPDUPDATE, SPDADD, SPDDELETE, SPDGET, SPDACQUIRE, SPDDUMP, SPDFLUSH, SPDSETIDX = range(13, 21)
SPDEXPIRE, SPDDELETE2, NEW_MAPPING, MIGRATE = range(21, 25)
AH, ESP, IPCOMP = 2, 3, 9
(E_SA, E_CURRENT, E_HARD, E_SOFT, E_SRC, E_DST, E_PROXY, E_AUTH, E_ENCRYPT, E_IDSRC, E_IDDST,
 E_SENS, E_PROP, E_SUPAUTH, E_SUPENC, E_RANGE, E_KMPRIVATE, E_POLICY, E_SA2) = range(1, 20)
E_NATT, E_SPORT, E_DPORT = range(20, 23)
FS_SRC, FS_DST, FS_SRCMASK, FS_DSTMASK, FS_DEBUG, FS_PROTO = range(21, 27)
IN, OUT, FWD = 1, 2, 3
DISCARD, NONE, IPSEC = 0, 1, 2
TRANSPORT, TUNNEL = 1, 2


def pad(octets):
    return octets + bytes(-len(octets) % 8)


def ext(number, body):
    whole = pad(struct.pack("=HH", 0, number) + body)
    return struct.pack("=HH", len(whole) // 8, number) + whole[4:]


def sockaddr(address, port=0):
    if ":" in address:
        return struct.pack("=H", socket.AF_INET6) + struct.pack(">HI", port, 0) + \
            socket.inet_pton(socket.AF_INET6, address) + bytes(4)
    return struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) + \
        socket.inet_pton(socket.AF_INET, address) + bytes(8)


def address(number, text, port=0, proto=0, prefix=0):
    return ext(number, struct.pack("=BBH", proto, prefix, 0) + sockaddr(text, port))


def addresses(src, dst):
    return [address(E_SRC, src), address(E_DST, dst)]


def sa(spi, replay=64, state=1, auth=5, encrypt=12, flags=0):
    return ext(E_SA, struct.pack(">I", spi) +
               struct.pack("=BBBBI", replay, state, auth, encrypt, flags))


def lifetime(number, packets=0, octets=0, add=0, use=0):
    return ext(number, struct.pack("=IQQQ", packets, octets, add, use))


def key(number, octets):
    return ext(number, struct.pack("=HH", len(octets) * 8, 0) + octets)


def sa2(mode, reqid=0):
    return ext(E_SA2, struct.pack("=BBHII", mode, 0, 0, 0, reqid))


def request(proto, mode, level, reqid, src=None, dst=None):
    pair = sockaddr(src) + sockaddr(dst) if src else b""
    return struct.pack("=HHBBHII", 16 + len(pair), proto, mode, level, 0, reqid, 0) + pair


def policy(kind, direction, index=0, priority=0, requests=()):
    return ext(E_POLICY, struct.pack("=HBBII", kind, direction, 0, index, priority) +
               b"".join(requests))


def selector(src, dst, proto=255, sport=0, dport=0):
    (s, sp), (d, dp) = (x.split("/") for x in (src, dst))
    return [address(E_SRC, s, sport, proto, int(sp)), address(E_DST, d, dport, proto, int(dp))]


class Message:
    def __init__(self, octets):
        (self.version, self.type, self.errno, self.satype, self.words, self.reserved, self.seq,
         self.pid) = struct.unpack_from("=BBBBHHII", octets)
        assert self.version == 2 and self.reserved == 0 and self.words * 8 == len(octets)
        self.octets, self.ext, at = octets, {}, 16
        while at < len(octets):
            words, number = struct.unpack_from("=HH", octets, at)
            assert words and at + words * 8 <= len(octets) and number not in self.ext
            self.ext[number] = octets[at:at + words * 8]
            at += words * 8

    def spi(self):
        return struct.unpack_from(">I", self.ext[E_SA], 4)[0]

    def state(self):
        return self.ext[E_SA][9]

    def index(self):
        return struct.unpack_from("=I", self.ext[E_POLICY], 8)[0]


class Client:
    def __init__(self, path, timeout=10):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.seq = 0

    def send(self, kind, satype=0, parts=(), errno=0, seq=None):
        self.seq = self.seq + 1 if seq is None else seq
        body = b"".join(parts)
        self.socket.send(struct.pack("=BBBBHHII", 2, kind, errno, satype, 2 + len(body) // 8, 0,
                                     self.seq, os.getpid()) + body)

    def hear(self):
        return Message(self.socket.recv(65536))

    def ask(self, kind, satype=0, parts=()):
        """The answer to it; what else comes is passed over."""
        self.send(kind, satype, parts)
        while True:
            m = self.hear()
            if (m.type, m.seq, m.pid) == (kind, self.seq, os.getpid()):
                return m

    def dump(self, kind=DUMP, satype=0):
        self.send(kind, satype)
        found = []
        while True:
            m = self.hear()
            if m.type != kind:
                continue
            if m.errno:
                return found
            found.append(m)
            if m.seq == 0:
                return found
