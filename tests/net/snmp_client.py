"""An SNMPv2c manager of a few lines, for tests that SET thousands of times: BER by hand, one UDP
socket made inside a network namespace, no retransmission (a SET sent twice would be two).
"""
import ctypes
import os
import socket
import threading
import time

CLONE_NEWNET = 0x40000000
INTEGER, OCTETS, NULL, OID = 0x02, 0x04, 0x05, 0x06
UNSIGNED = 0x42
RAW = -1        # the value is its own encoding, good or bad
NO_SUCH_OBJECT, NO_SUCH_INSTANCE, END_OF_MIB_VIEW = 0x80, 0x81, 0x82
GET, GETNEXT, SET, GETBULK = 0xa0, 0xa1, 0xa3, 0xa5
ERRORS = ("noError tooBig noSuchName badValue readOnly genErr noAccess wrongType wrongLength "
          "wrongEncoding wrongValue noCreation inconsistentValue resourceUnavailable commitFailed "
          "undoFailed authorizationError notWritable inconsistentName").split()


def socket_in(namespace):
    """A UDP socket of that namespace; moves this thread there, for good."""
    with open("/run/netns/" + namespace, "rb") as there:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def _tlv(tag, octets):
    n = len(octets)
    if n < 128:
        return bytes([tag, n]) + octets
    length = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + octets


def _number(tag, value):
    return _tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _base128(number):
    octets = bytes([number & 0x7f])
    while number > 0x7f:
        number >>= 7
        octets = bytes([0x80 | number & 0x7f]) + octets
    return octets


def _oid(ids):
    return _tlv(OID, bytes([ids[0] * 40 + ids[1]]) + b"".join(_base128(n) for n in ids[2:]))


def _value(tag, value):
    if tag in (INTEGER, UNSIGNED):
        return _number(tag, value)
    if tag == OID:
        return _oid(value)
    if tag == RAW:
        return value
    return _tlv(tag, value or b"")


def _take(octets):
    """(tag, contents, what follows)"""
    tag, n, at = octets[0], octets[1], 2
    if n & 0x80:
        at += n & 0x7f
        n = int.from_bytes(octets[2:at], "big")
    return tag, octets[at:at + n], octets[at + n:]


def _take_oid(octets):
    ids, n = [octets[0] // 40, octets[0] % 40], 0
    for octet in octets[1:]:
        n = n << 7 | octet & 0x7f
        if not octet & 0x80:
            ids.append(n)
            n = 0
    return tuple(ids)


def oid(text):
    return tuple(int(n) for n in text.strip(".").split("."))


def index_of(name):
    """A name as index part: its length, then its octets."""
    return (len(name),) + tuple(name.encode())


class Client:
    """One manager at one agent, one request at a time."""

    def __init__(self, sock, community="test", timeout=10.0):
        self.sock = sock
        self.community = community.encode()
        self.timeout = timeout
        self.hopeless = threading.Event()   # set: the agent is known to be dead, do not wait
        self.request = int.from_bytes(os.urandom(3), "big")

    def ask(self, kind, varbinds, first=0, second=0):
        """varbinds: (oid, tag, value). @return (error name, index, varbinds), or None: no answer"""
        self.send(kind, varbinds, first, second)
        end = time.monotonic() + self.timeout
        while time.monotonic() < end and not self.hopeless.is_set():
            try:
                answer = self._parse(self.sock.recv(65536))
            except socket.timeout:
                continue
            if answer[0] == self.request:
                return answer[1:]
        return None

    def send(self, kind, varbinds, first=0, second=0):
        """Sends a request, and does not wait for an answer."""
        self.request += 1
        bindings = b"".join(_tlv(0x30, _oid(o) + _value(tag, value)) for o, tag, value in varbinds)
        pdu = _tlv(kind, _number(INTEGER, self.request) + _number(INTEGER, first) +
                   _number(INTEGER, second) + _tlv(0x30, bindings))
        message = _tlv(0x30, _number(INTEGER, 1) + _tlv(OCTETS, self.community) + pdu)
        self.sock.settimeout(0.05)
        self.sock.sendto(message, ("127.0.0.1", 161))

    @staticmethod
    def _parse(octets):
        _, body, _ = _take(octets)
        _, _, body = _take(body)
        _, _, body = _take(body)
        _, body, _ = _take(body)
        numbers = []
        for _ in range(3):
            _, number, body = _take(body)
            numbers.append(int.from_bytes(number, "big", signed=True))
        _, body, _ = _take(body)
        varbinds = []
        while body:
            _, varbind, body = _take(body)
            _, name, varbind = _take(varbind)
            tag, value, _ = _take(varbind)
            if tag in (INTEGER, UNSIGNED):
                value = int.from_bytes(value, "big", signed=True)
            elif tag == OID:
                value = _take_oid(value)
            varbinds.append((_take_oid(name), tag, value))
        return numbers[0], ERRORS[numbers[1]], numbers[2], varbinds

    def get(self, oids):
        return self.ask(GET, [(o, NULL, None) for o in oids])

    def set(self, varbinds):
        return self.ask(SET, varbinds)

    def walk(self, column):
        """{index: value} of a column; None: no answer, or an error."""
        result, at = {}, column
        while True:
            answer = self.ask(GETBULK, [(at, NULL, None)], 0, 25)
            if answer is None or answer[0] != "noError":
                return None
            for name, tag, value in answer[2]:
                if name[:len(column)] != column or tag == END_OF_MIB_VIEW:
                    return result
                result[name[len(column):]] = value
                at = name
