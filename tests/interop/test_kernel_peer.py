#!/usr/bin/python3
"""Our AH, ESP and IPComp against Linux's: every order, mode and family, both ways at once.

esp_tool is our end; an echo request goes through it to a Linux kernel (tests/interop/kernel_peer.py),
which must take it, and the kernel's answer back through it. Keys are set on both sides by hand.
"""
import os
import select
import shutil
import socket
import struct
import sys
import tempfile
import time

if os.geteuid() != 0:
    print("skipped: needs root")
    sys.exit(77)

from engine_tool import Checks, Tool
from kernel_peer import GUEST_MAC, OUR_MAC, Guest, Missing, build

CACHE = os.path.abspath(os.path.join(os.environ.get("TB_BUILD", "."), "tests/interop/kernel-peer"))
ENDS = {4: ("10.99.0.1", "10.99.0.2"), 6: ("fd00:99::1", "fd00:99::2")}
INNER = {4: ("10.1.0.5", "10.2.0.9"), 6: ("fd00:1::5", "fd00:2::9")}
KEY = bytes(range(0x40, 0xc0))
ESP, AH, COMP = 50, 51, 108
SPIS = {ESP: ("0x1001", "0x1002"), AH: ("0x2001", "0x2002"), COMP: ("2", "2")}
NAMES = {ESP: "esp", AH: "ah", COMP: "comp"}

# number, key octets, Linux's name, ICV bits
INTEG = {"sha1": (2, 20, "hmac(sha1)", 96), "sha256": (5, 32, "hmac(sha256)", 128),
         "sha384": (6, 48, "hmac(sha384)", 192), "sha512": (7, 64, "hmac(sha512)", 256)}
# number, key bits, octets of salt, Linux's name
NULL = (11, 0, 0, None)
CBC = (12, 256, 0, "cbc(aes)")
CIPHERS = [("aes-cbc", CBC, "sha256"), ("aes-ctr", (13, 128, 4, "rfc3686(ctr(aes))"), "sha1"),
           ("aes-ccm-16", (16, 128, 3, "rfc4309(ccm(aes))"), None),
           ("aes-gcm-8", (18, 128, 4, "rfc4106(gcm(aes))"), None),
           ("aes-gcm-16", (20, 256, 4, "rfc4106(gcm(aes))"), None),
           ("aes-cbc", CBC, "sha384"), ("aes-cbc", CBC, "sha512")]
ICV_BITS = {16: 128, 18: 64, 20: 128}

check = Checks()


def octets_of(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address)


def sum16(octets):
    octets += b"\0" * (len(octets) % 2)
    total = sum(struct.unpack("!%dH" % (len(octets) // 2), octets))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def echo(family, src, dst, number, data):
    """An echo request."""
    src, dst = octets_of(src), octets_of(dst)
    body = struct.pack("!HH", 0x1dea, number) + data
    if family == 4:
        icmp = struct.pack("!BBH", 8, 0, sum16(struct.pack("!BBH", 8, 0, 0) + body)) + body
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(icmp), number, 0, 64, 1, 0) + src + dst
        return head[:10] + struct.pack("!H", sum16(head)) + head[12:] + icmp
    bare = struct.pack("!BBH", 128, 0, 0) + body
    total = sum16(src + dst + struct.pack("!II", len(bare), 58) + bare)
    icmp = struct.pack("!BBH", 128, 0, total) + body
    return struct.pack("!IHBB", 6 << 28, len(icmp), 58, 64) + src + dst + icmp


def is_answer(family, packet, number, data):
    at = 20 if family == 4 else 40
    return packet[at:at + 1] == (b"\0" if family == 4 else b"\x81") and \
        packet[at + 4:] == struct.pack("!HH", 0x1dea, number) + data


class Link:
    """The TAP, as frames."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind(("tap0", 0))
        self.head = bytes.fromhex((GUEST_MAC + OUR_MAC).replace(":", ""))

    def send(self, packet):
        ether = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
        self.socket.send(self.head + ether + packet)

    def receive(self, seconds=10.0):
        """The guest's next protected packet, or None."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            frame = self.socket.recv(65536)
            if frame[6:12] != self.head[:6] or len(frame) < 34:
                continue
            packet = frame[14:]
            if frame[12:14] == b"\x08\x00" and packet[9] in (ESP, AH):
                return packet[:struct.unpack("!H", packet[2:4])[0]]
            if frame[12:14] == b"\x86\xdd" and packet[6] in (ESP, AH):
                return packet[:40 + struct.unpack("!H", packet[4:6])[0]]


def hexed(octets):
    return "0x" + octets.hex()


class Case:
    def __init__(self, chain, mode, inner, outer, cipher=NULL, integ="sha1", ah="sha256", esn=None):
        self.chain, self.mode, self.inner, self.outer = chain, mode, inner, outer
        self.cipher, self.integ, self.ah, self.esn = cipher, integ, ah, esn

    def name(self):
        orders = "".join("[%s]" % NAMES[p].upper() for p in reversed(self.chain))
        return "%s %s %d-in-%d %s %s%s" % (
            orders, self.mode, self.inner, self.outer,
            self.cipher[3] or "null" if ESP in self.chain else self.ah, self.integ or "",
            "" if self.esn is None else " esn %#x" % self.esn)

    def words(self):
        """What esp_tool is told."""
        encr, bits, salt, _ = self.cipher
        words = {"mode": self.mode, "chain": ",".join(map(str, self.chain)), "encr": encr,
                 "bits": bits, "ekey": KEY[:bits // 8 + salt].hex(),
                 "local": octets_of(ENDS[self.outer][0]).hex(),
                 "remote": octets_of(ENDS[self.outer][1]).hex()}
        if self.integ:
            number, size, _, _ = INTEG[self.integ]
            words.update(integ=number, akey=KEY[64:64 + size].hex())
        else:
            words["integ"] = 0
        if AH in self.chain:
            number, size, _, _ = INTEG[self.ah]
            words.update(ahinteg=number, ahkey=KEY[48:48 + size].hex())
        if self.esn is not None:
            words.update(esn=1, floor=self.esn)
        return words

    def algorithms(self, proto):
        if proto == COMP:
            return "comp deflate"
        if proto == AH:
            _, size, name, bits = INTEG[self.ah]
            align = " flag align4" if self.outer == 4 and bits > 96 else ""
            return "auth-trunc '%s' %s %d%s" % (name, hexed(KEY[48:48 + size]), bits, align)
        encr, bits, salt, name = self.cipher
        key = hexed(KEY[:bits // 8 + salt])
        if encr in ICV_BITS:
            return "aead '%s' %s %d" % (name, key, ICV_BITS[encr])
        _, size, auth, icv = INTEG[self.integ]
        enc = "enc 'ecb(cipher_null)' ''" if name is None else "enc '%s' %s" % (name, key)
        return "%s auth-trunc '%s' %s %d" % (enc, auth, hexed(KEY[64:64 + size]), icv)

    def mode_of(self, proto):
        return self.mode if proto == self.chain[0] else "transport"

    def states(self):
        for i, (src, dst) in enumerate((ENDS[self.outer], ENDS[self.outer][::-1])):
            for proto in self.chain:
                more = ""
                if self.esn is not None and proto != COMP:
                    side = ("seq", "oseq")[i]
                    more = " flag esn replay-window 64 replay-%s-hi %d replay-%s %d" % (
                        side, self.esn >> 32, side, self.esn & 0xffffffff)
                elif proto != COMP:
                    more = " replay-window 32"
                if self.inner != self.outer:
                    more += " flag af-unspec"
                yield "xfrm state add src %s dst %s proto %s spi %s mode %s reqid %d %s%s" % (
                    src, dst, NAMES[proto], SPIS[proto][i], self.mode_of(proto), proto,
                    self.algorithms(proto), more)

    def policies(self):
        ends = ENDS[self.outer] if self.mode == "transport" else INNER[self.inner]
        length = 32 if self.inner == 4 else 128
        for i, way in enumerate(("in", "out")):
            src, dst = ends[::1 - 2 * i]
            outer = ENDS[self.outer][::1 - 2 * i]
            line = "xfrm policy add src %s/%d dst %s/%d dir %s" % (src, length, dst, length, way)
            for proto in self.chain:
                line += " tmpl src %s dst %s proto %s mode %s reqid %d" % (
                    outer[0], outer[1], NAMES[proto], self.mode_of(proto), proto)
                if proto == COMP and way == "in":
                    line += " level use"
            yield line


def statistics(guest):
    return {line.split()[0]: int(line.split()[1])
            for line in guest.must("cat /proc/net/xfrm_stat").splitlines()}


def order_of(packet):
    """The protocols that can be seen, outermost first. ESP shows no more unless it does not encrypt."""
    nh, at = (packet[9], 20) if packet[0] >> 4 == 4 else (packet[6], 40)
    seen = [nh]
    if nh == AH:
        seen.append(packet[at])
    return seen


def exchange(guest, link, tool, case):
    name = case.name()
    guest.ip(["xfrm state flush", "xfrm policy flush"] + list(case.states()) +
             list(case.policies()))
    before = statistics(guest)
    tool.new(**case.words())
    ends = ENDS[case.outer] if case.mode == "transport" else INNER[case.inner]
    wanted = [p for p in reversed(case.chain) if p != COMP]
    pings = 5 if case.esn else 2
    for number in range(pings):
        data = b"%d" % number + b"ipsec " * (100 if number % 2 else 3)
        verdict, sent = tool.packet("out", echo(case.inner, *ends, number, data))
        if not check_one(name + " leaves", verdict == "esp", sent):
            return
        check(name + " order", order_of(sent)[:len(wanted)] == wanted, order_of(sent))
        if COMP in case.chain and number % 2:
            check(name + " is smaller", len(sent) < 300, len(sent))
        link.send(sent)
        back = link.receive()
        if not check_one(name + " is answered", back is not None, differences(guest, before)):
            return
        check(name + " order of the answer", order_of(back)[:len(wanted)] == wanted,
              order_of(back))
        if COMP in case.chain and number % 2:
            check(name + " the answer is smaller", len(back) < 300, len(back))
        verdict, opened = tool.packet("in", back)
        check(name + " the answer is taken", verdict == "deliver" and
              is_answer(case.inner, opened, number, data), (verdict, opened))
    check(name + " nothing was dropped", not differences(guest, before), differences(guest, before))


def check_one(name, good, detail):
    check(name, good, detail)
    return good


def differences(guest, before):
    return {k: n - before[k] for k, n in statistics(guest).items() if n != before[k]}


def cases():
    chains = ([AH], [ESP], [ESP, AH], [COMP, ESP], [COMP, ESP, AH])
    for chain in chains:
        for family in (4, 6):
            yield Case(chain, "transport", family, family)
            yield Case(chain, "tunnel", family, family)
    for chain in ([AH], [ESP], [ESP, AH]):
        yield Case(chain, "tunnel", 4, 6)
        yield Case(chain, "tunnel", 6, 4)
    for _, cipher, integ in CIPHERS:
        yield Case([ESP], "tunnel", 4, 4, cipher, integ)
    for ah in INTEG:
        for family in (4, 6):
            yield Case([AH], "transport", family, family, ah=ah)
    for floor in (0, (1 << 32) - 3, (3 << 32) - 3):
        yield Case([AH], "transport", 4, 4, esn=floor)
        yield Case([ESP], "transport", 6, 6, CBC, "sha256", esn=floor)
        yield Case([ESP], "tunnel", 4, 4, CIPHERS[4][1], None, esn=floor)


def guest_setup(guest):
    guest.ip(["addr add 10.99.0.2/24 dev eth0", "addr add fd00:99::2/64 dev eth0 nodad",
              "neigh replace 10.99.0.1 lladdr %s dev eth0" % OUR_MAC,
              "neigh replace fd00:99::1 lladdr %s dev eth0" % OUR_MAC,
              "addr add 10.2.0.9/32 dev lo", "addr add fd00:2::9/128 dev lo nodad",
              "route add 10.1.0.0/16 via 10.99.0.1 src 10.2.0.9",
              "route add fd00:1::/64 via fd00:99::1 src fd00:2::9"])


def main():
    if os.environ.get("KERNEL_PEER_NET") != "own":
        try:
            build(CACHE)    # may ask Debian, which cannot be asked from a namespace
        except Missing as why:
            print("skipped: no Linux kernel as a peer:", why)
            return 77
        os.environ["KERNEL_PEER_NET"] = "own"
        os.execvp("unshare", ["unshare", "-n", sys.executable] + sys.argv)
    scratch = tempfile.mkdtemp(prefix="ipspd-kernel-peer.")
    try:
        with Guest(CACHE, scratch) as guest:
            guest_setup(guest)
            link, tool = Link(), Tool()
            for case in cases():
                try:
                    exchange(guest, link, tool, case)
                except RuntimeError as refused:
                    check(case.name(), False, refused)
            check("esp_tool ends well", tool.close() == 0)
    except Missing as why:
        print("skipped: no Linux kernel as a peer:", why)
        return 77
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return check.end()


if __name__ == "__main__":
    sys.exit(main())
