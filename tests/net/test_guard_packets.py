#!/usr/bin/python3
"""The guard in a real kernel, judged by forged packets: what passes a router, and what does not.

    left ---- router ---- right        packets are forged on the left and looked for on the right

Each case gives the router a guard and sends packets through it; behind them goes one that the guard
lets pass, so nothing waits for a time: what has not come before that one does not come.
"""
import ctypes
import fcntl
import logging
import os
import random
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

if os.geteuid() != 0:
    sys.exit(77)

logging.getLogger("scapy").setLevel(logging.CRITICAL)
from scapy.all import (ICMP, IP, TCP, UDP, Ether, ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6ND_NS,  # noqa: E402
                       ICMPv6PacketTooBig, ICMPv6TimeExceeded, IPv6, IPv6ExtHdrDestOpt,
                       IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, IPOption_NOP, IPOption_RR,
                       IPOption_Timestamp, PadN, Raw, conf)

BUILD = os.environ["TB_BUILD"]
DRIVER = os.path.join(BUILD, "tests/net/guard-driver")
TAG = "ipspg%d" % os.getpid()
LIBC = ctypes.CDLL(None, use_errno=True)
MARK = 0x69700000
HOME = os.open("/proc/self/ns/net", os.O_RDONLY)

passed, failed = 0, 0


def claim(text, good):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(("ok: " if good else "FAILED: ") + text, flush=True)


def run(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, text=True, **more).stdout


def inside(space, *words, **more):
    return run("ip", "netns", "exec", TAG + space, *words, **more)


class Space:
    """While in it, this process's new sockets are of that namespace."""

    def __init__(self, name):
        self.path = "/run/netns/" + TAG + name

    def __enter__(self):
        fd = os.open(self.path, os.O_RDONLY)
        if LIBC.setns(fd, 0):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(fd)

    def __exit__(self, *what):
        LIBC.setns(HOME, 0)


# ---- the three of them ----

def make_spaces():
    for name in ("left", "router", "right"):
        run("ip", "netns", "add", TAG + name)
        inside(name, "ip", "link", "set", "lo", "up")
        inside(name, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0",
               "net.ipv6.conf.default.accept_dad=0")
    for end, inner in (("left", "red"), ("right", "blue")):
        run("ip", "link", "add", inner, "netns", TAG + "router", "type", "veth", "peer", "name", "eth",
            "netns", TAG + end)
        inside("router", "ip", "link", "set", inner, "up")
        inside(end, "ip", "link", "set", "eth", "up")
    # In the router, the right is one hop away and known without asking.
    for address, dev in (("10.1.0.1/16", "red"), ("10.2.0.1/16", "blue"), ("fd00:1::1/32", "red"),
                         ("fd00:2::1/32", "blue")):
        inside("router", "ip", "addr", "add", address, "dev", dev)
    mac = mac_of("right", "eth")
    for hop in ("10.2.0.2", "fd00:2::2"):
        inside("router", "ip", "neigh", "replace", hop, "lladdr", mac, "dev", "blue", "nud", "permanent")
    for net, hop in (("10.3.0.0/16", "10.2.0.2"), ("fd00:3::/32", "fd00:2::2")):
        inside("router", "ip", "route", "add", net, "via", hop)
    inside("router", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
           "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.red.rp_filter=0")


def mac_of(space, dev):
    words = inside(space, "ip", "-o", "link", "show", "dev", dev).split()
    return words[words.index("link/ether") + 1]


def ifindex(dev):
    return int(inside("router", "cat", "/sys/class/net/%s/ifindex" % dev))


class Wire:
    def __init__(self):
        conf.ipv6_enabled = True
        with Space("left"):
            self.left = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.left.bind(("eth", 0))
        with Space("right"):
            self.right = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.right.bind(("eth", 3))
        self.router_mac = mac_of("router", "red")

    def send(self, packet):
        kind = b"\x86\xdd" if packet.version == 6 else b"\x08\x00"
        mac = bytes(int(x, 16) for x in self.router_mac.split(":"))
        self.left.send(mac + b"\x02\0\0\0\0\1" + kind + bytes(packet))

    def arrivals(self, last):
        """Everything the right sees up to the tag `last`."""
        seen = []
        while True:
            ready, _, _ = select.select([self.right], [], [], 20)
            if not ready:
                raise RuntimeError("the last packet never came")
            frame = self.right.recv(131072)
            if last in frame:
                return seen
            seen.append(frame)


serial = 0


def through(wire, packets, sentinel):
    """Which of these packets, each with room for a tag, come through?"""
    global serial
    tags = []
    for packet in packets:
        serial += 1
        tag = b"T%07d" % serial
        tags.append(tag)
        wire.send(packet / Raw(tag * 3))
    serial += 1
    last = b"S%07d" % serial
    wire.send(sentinel / Raw(last))
    seen = wire.arrivals(last)
    return [any(tag in frame for frame in seen) for tag in tags]


# ---- guards ----

# First in every list: what the test itself needs.
OWN = ("entry bypass\n"
       "box 4 src=10.1.99.99 dst=10.3.99.99\n"
       "box 6 src=fd00:1::99 dst=fd00:3::99\n")
SENTINEL = IP(src="10.1.99.99", dst="10.3.99.99", ttl=64) / UDP(sport=1, dport=1)
STATE = None
layer_serial = 0


def change(text, keep=0xffffffff, tun=None):
    global layer_serial
    layer_serial += 1
    words = [DRIVER, STATE, "change", str(keep), str(layer_serial)] + ([tun] if tun else [])
    inside("router", *words, input=text)
    return layer_serial


def guard_of(lists):
    return "layer\n" + "".join("list %s %s\n%s%s" % (dev, way, OWN, text) for dev, way, text in lists)


def v4(**more):
    return IP(src="10.1.0.5", dst="10.3.0.5", ttl=64, **more)


def v6(**more):
    return IPv6(src="fd00:1::5", dst="fd00:3::5", hlim=64, **more)


def udp(sport=1000, dport=2000):
    return UDP(sport=sport, dport=dport, chksum=0xffff)


BYPASS_ALL = "entry bypass\nbox 4\nbox 6\n"
FRAG6 = IPv6ExtHdrFragment(offset=10, m=0, id=7, nh=17)
AH = b"\4\0\0" + bytes(20)     # behind its next header


def pad6(kind, **more):
    return kind(options=[PadN(optdata=b"\0\0\0\0")], **more)


def first6(m=1, **more):
    return IPv6ExtHdrFragment(offset=0, m=m, id=9, **more)


# name, entries, packets with whether they pass
CASES = [
    ("an empty list drops everything", "", [(v4() / udp(), False), (v6() / udp(), False)]),
    ("bypass passes what it names alone", "entry bypass\nbox 4 src=10.1.0.4-10.1.0.6 dst=10.3.0.0-10.3.0.255\n", [
        (v4() / udp(), True),
        (IP(src="10.1.0.4", dst="10.3.0.5") / udp(), True),
        (IP(src="10.1.0.6", dst="10.3.0.5") / udp(), True),
        (IP(src="10.1.0.3", dst="10.3.0.5") / udp(), False),
        (IP(src="10.1.0.7", dst="10.3.0.5") / udp(), False),
        (IP(src="10.1.0.5", dst="10.3.1.0") / udp(), False),
        (v6() / udp(), False)]),
    ("protect drops in the clear", "entry protect\nbox 4 dst=10.3.0.0-10.3.0.255\nbox 6 dst=fd00:3::-fd00:3::ff\n" +
     BYPASS_ALL, [
        (v4() / udp(), False), (v6() / udp(), False),
        (IP(src="10.1.0.5", dst="10.3.1.0") / udp(), True),
        (IPv6(src="fd00:1::5", dst="fd00:3::100") / udp(), True)]),
    ("the first match decides", "entry bypass\nbox 4 proto=17 dport=53\nentry discard\nbox 4 proto=17\n" + BYPASS_ALL, [
        (v4() / udp(dport=53), True), (v4() / udp(dport=54), False), (v4() / TCP(dport=54), True)]),
    ("ranges of ports are exact", "entry discard\nbox 4 proto=6 sport=10-20 dport=100-200\n"
     "box 6 proto=6 sport=10-20 dport=100-200\n" + BYPASS_ALL, [
        (v4() / TCP(sport=10, dport=100), False), (v4() / TCP(sport=20, dport=200), False),
        (v4() / TCP(sport=9, dport=100), True), (v4() / TCP(sport=21, dport=100), True),
        (v4() / TCP(sport=10, dport=99), True), (v4() / TCP(sport=10, dport=201), True),
        (v4() / udp(10, 100), True),
        (v6() / TCP(sport=10, dport=100), False), (v6() / TCP(sport=9, dport=100), True)]),
    ("ports alone ask for protocols that have them", "entry discard\nbox 4 dport=100\n" + BYPASS_ALL, [
        (v4() / TCP(dport=100), False), (v4() / udp(dport=100), False), (v4() / TCP(dport=101), True),
        (v4(proto=47) / Raw(b"\0\0\0\x64"), True)]),
    ("no port means protocols without", "entry discard\nbox 4 sport=131072 dport=131072\n" + BYPASS_ALL, [
        (v4(proto=47) / Raw(b"gre."), False), (v4() / udp(), True)]),
    ("ports and none besides", "entry discard\nbox 4 sport=0-131072 dport=60000-131072\n" + BYPASS_ALL, [
        (v4(proto=47) / Raw(b"gre."), False), (v4() / udp(dport=60000), False), (v4() / udp(dport=59999), True)]),
    ("one message of ICMP", "entry discard\nbox 4 proto=1 sport=0x10800-0x10800\n" + BYPASS_ALL, [
        (v4() / ICMP(type=8), False), (v4() / ICMP(type=0), True), (v4() / ICMP(type=8, code=1), True),
        (v4() / udp(0x800), True), (v4(frag=10, proto=1) / Raw(b"f" * 64), False)]),
    ("messages in a range, of any protocol that has them",
     "entry bypass\nbox 4 sport=0x10300-0x103ff\nbox 6 sport=0x10100-0x104ff\nentry discard\nbox 4\nbox 6\n", [
        (v4() / ICMP(type=3, code=255), True), (v4() / ICMP(type=4), False), (v4() / udp(0x300), False),
        (v6() / ICMPv6DestUnreach(), True), (v6() / ICMPv6PacketTooBig(), True), (v6() / ICMPv6EchoRequest(), False),
        (v6() / pad6(IPv6ExtHdrDestOpt) / ICMPv6TimeExceeded(), True), (v4(frag=10, proto=1) / Raw(b"f" * 64), False)]),
    ("types of Mobility Headers", "entry discard\nbox 6 proto=135 sport=0x10500-0x105ff\n" + BYPASS_ALL, [
        (v6(nh=135) / Raw(b"\x3b\0\5\0\0\0\0\0"), False), (v6(nh=135) / Raw(b"\x3b\0\1\0\0\0\0\0"), True),
        (v6() / pad6(IPv6ExtHdrDestOpt, nh=135) / Raw(b"\x3b\0\5\0\0\0\0\0"), False)]),
    ("what is left of a negated message", "entry bypass\nbox 4 sport=0-0x107ff\nbox 4 sport=0x10801-0x20000\n", [
        (v4() / ICMP(type=8), False), (v4() / ICMP(type=0), True), (v4() / ICMP(type=8, code=1), True),
        (v4() / udp(), True), (v4(proto=47) / Raw(b"gre."), True), (v4(frag=10, proto=1) / Raw(b"f" * 64), False)]),
    ("an entry for what hides its ports passes that alone",
     "entry bypass\nbox 4 hides=only\nbox 6 hides=only\nentry discard\nbox 4 proto=17 dport=100\nbox 6 proto=17\n", [
        (v4(frag=10, proto=17) / Raw(b"f" * 64), True), (v4(frag=10, proto=1) / Raw(b"f" * 64), True),
        (v4(frag=10, proto=47) / Raw(b"f" * 64), False), (v4() / udp(), False), (v4(flags="MF") / udp(), False),
        (v6() / FRAG6 / Raw(b"f" * 64), True), (v6() / udp(), False)]),
    ("an entry for what hides its ports drops it", "entry discard\nbox 4 hides=only\nbox 6 hides=only\n" + BYPASS_ALL, [
        (v4(frag=10, proto=17) / Raw(b"f" * 64), False), (v4() / udp(), True),
        (v6() / FRAG6 / Raw(b"f" * 64), False), (v6() / udp(), True)]),
    ("an entry for the others does not pass it", "entry bypass\nbox 4 hides=never\nbox 6 hides=never\n", [
        (v4(frag=10, proto=17) / Raw(b"f" * 64), False), (v4() / udp(), True),
        (v6() / FRAG6 / Raw(b"f" * 64), False), (v6() / udp(), True)]),
    ("a later fragment may be what an entry with ports drops",
     "entry discard\nbox 4 proto=17 dport=100\nbox 6 proto=17 dport=100\n" + BYPASS_ALL, [
        (v4(frag=10, proto=17) / Raw(b"f" * 64), False),
        (v4(frag=10, proto=6) / Raw(b"f" * 64), True),
        (v6() / FRAG6 / Raw(b"f" * 64), False),
        (v6() / IPv6ExtHdrFragment(offset=10, m=0, id=7, nh=6) / Raw(b"f" * 64), True)]),
    ("a later fragment does not pass by ports",
     "entry bypass\nbox 4 proto=17 dport=0-65534\nbox 6 proto=17 dport=0-65534\n", [
        (v4(frag=10, proto=17) / Raw(b"f" * 64), False), (v6() / FRAG6 / Raw(b"f" * 64), False),
        (v4() / udp(), True)]),
    ("a later fragment passes where every port does",
     "entry bypass\nbox 4 proto=17 dport=0-65535\nbox 6 proto=17\n", [
        (v4(frag=10, proto=17) / Raw(b"f" * 64), True), (v6() / FRAG6 / Raw(b"f" * 64), True),
        (v4(frag=10, proto=6) / Raw(b"f" * 64), False)]),
    ("a fragment inside IPv6 headers is dropped when protocols matter",
     "entry discard\nbox 6 proto=6\n" + BYPASS_ALL, [
        (v6() / IPv6ExtHdrFragment(offset=10, m=0, id=7, nh=60) / Raw(b"f" * 64), False),
        (v6() / udp(), True)]),
    ("AH hides no protocol", "entry discard\nbox 6 proto=51\nbox 4 proto=51\n" + BYPASS_ALL, [
        (v6(nh=51) / Raw(b"\x11\4\0\0" + bytes(20)) / udp(), False),
        (v6() / IPv6ExtHdrDestOpt(nh=51, options=[PadN(optdata=b"\0\0\0\0")]) /
         Raw(b"\x11\4\0\0" + bytes(20)) / udp(), False),
        (v4(proto=51) / Raw(b"\x11\4\0\0" + bytes(20)), False), (v6() / udp(), True)]),
    ("AH passes for what it carries only where AH passes", "entry bypass\nbox 6 proto=17\n", [
        (v6(nh=51) / Raw(b"\x11\4\0\0" + bytes(20)) / udp(), False), (v6() / udp(), True)]),
    ("extension headers hide no protocol", "entry discard\nbox 6 proto=17\n" + BYPASS_ALL, [
        (v6() / IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0\0\0\0")]) / udp(), False),
        (v6() / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0\0\0\0")]) / udp(), False),
        (v6() / IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0\0\0\0")]) / TCP(), True)]),
    ("logging changes no verdict", "entry discard log\nbox 4 proto=17 dport=100-131072\nbox 6 proto=17 dport=100\n"
     "entry discard log\nbox 4 proto=6\nbox 6 proto=51\nentry bypass log\nbox 4\nbox 6\n", [
        (v4() / udp(dport=100), False), (v4() / udp(dport=99), True), (v4() / TCP(), False),
        (v4(frag=10, proto=17) / Raw(b"f" * 64), False), (v4(proto=47) / Raw(b"gre."), True),
        (v6() / udp(dport=100), False), (v6() / udp(dport=99), True), (v6() / FRAG6 / Raw(b"f" * 64), False),
        (v6(nh=51) / Raw(b"\x11\4\0\0" + bytes(20)) / udp(), False)]),
    ("IPv4 options hide no port", "entry discard\nbox 4 proto=17 dport=100\n" + BYPASS_ALL, [
        (v4(options=[IPOption_NOP()] * 4) / udp(dport=100), False),
        (v4(options=[IPOption_RR(routers=["0.0.0.0"] * 9)]) / udp(dport=100), False),
        (v4(options=[IPOption_Timestamp()]) / udp(dport=100), False),
        (v4(options=[IPOption_RR(routers=["0.0.0.0"] * 9)]) / udp(dport=99), True),
        (v4(options=[IPOption_NOP()] * 4) / TCP(dport=100), True)]),
    ("first fragments show their ports", "entry discard\nbox 4 proto=17 dport=100\nbox 6 proto=17 dport=100\n" +
     BYPASS_ALL, [
        (v4(flags="MF") / udp(dport=100), False), (v4(flags="MF") / udp(dport=99), True),
        (v6() / first6(nh=17) / udp(dport=100), False), (v6() / first6(nh=17) / udp(dport=99), True),
        (v6() / pad6(IPv6ExtHdrHopByHop) / first6(nh=17) / udp(dport=100), False)]),
    ("fragments that overlap the ports are later ones", "entry discard\nbox 4 proto=6 dport=100\n" + BYPASS_ALL, [
        (v4(frag=1, proto=6) / Raw(b"o" * 64), False), (v4(frag=1, proto=6, flags="MF") / Raw(b"o" * 64), False),
        (v4(frag=0x1fff, proto=6) / Raw(b"o" * 6), False), (v4(frag=1, proto=17) / Raw(b"o" * 64), True)]),
    ("an atomic fragment is a fragment", "entry discard\nbox 6 proto=17 dport=100\nentry bypass\n"
     "box 6 proto=17 dport=53\n", [
        (v6() / first6(m=0, nh=17) / udp(dport=100), False), (v6() / first6(m=0, nh=17) / udp(dport=53), False),
        (v6() / udp(dport=53), True)]),
    ("an atomic fragment is found by its ports", "entry discard\nbox 6 proto=17 dport=100\n" + BYPASS_ALL, [
        (v6() / first6(m=0, nh=17) / udp(dport=100), False), (v6() / first6(m=0, nh=17) / udp(dport=99), True)]),
    ("a first fragment that ends inside its headers is dropped when protocols matter",
     "entry discard\nbox 6 proto=17\n" + BYPASS_ALL, [
        (v6() / first6(nh=60) / Raw(b"\x11\x1f" + b"\0" * 6), False), (v6() / TCP(), True)]),
    ("chained headers hide no port", "entry discard\nbox 6 proto=17 dport=100\n" + BYPASS_ALL, [
        (v6() / pad6(IPv6ExtHdrHopByHop) / pad6(IPv6ExtHdrDestOpt) / IPv6ExtHdrRouting(segleft=0) /
         pad6(IPv6ExtHdrDestOpt) / udp(dport=100), False),
        (v6() / IPv6ExtHdrRouting(segleft=0) / udp(dport=100), False),
        (v6() / pad6(IPv6ExtHdrDestOpt) / pad6(IPv6ExtHdrDestOpt) / pad6(IPv6ExtHdrDestOpt) / udp(dport=100), False),
        (v6() / pad6(IPv6ExtHdrDestOpt) / IPv6ExtHdrRouting(segleft=0) / udp(dport=99), True)]),
    ("AH behind other headers is AH", "entry discard\nbox 6 proto=51\n" + BYPASS_ALL, [
        (v6() / pad6(IPv6ExtHdrHopByHop, nh=51) / Raw(b"\x11" + AH) / udp(), False),
        (v6() / IPv6ExtHdrRouting(segleft=0, nh=51) / Raw(b"\x11" + AH) / udp(), False),
        (v6() / first6(m=0, nh=51) / Raw(b"\x11" + AH) / udp(), False),
        (v6() / pad6(IPv6ExtHdrHopByHop) / udp(), True)]),
    ("a header nobody knows is the protocol", "entry bypass\nbox 6 proto=17\nbox 4 proto=17\n", [
        (v6(nh=253) / Raw(b"\x11\0" + b"\0" * 6) / udp(), False),
        (v6() / pad6(IPv6ExtHdrDestOpt, nh=253) / Raw(b"\x11\0" + b"\0" * 6) / udp(), False),
        (v6(nh=135) / Raw(b"\x11\0" + b"\0" * 6) / udp(), False), (v4(proto=253) / udp(), False),
        (v6() / pad6(IPv6ExtHdrDestOpt) / udp(), True)]),
    ("nothing behind the headers is no protocol that passes", "entry bypass\nbox 6 proto=17\n", [
        (v6(nh=59) / Raw(b"n" * 8), False), (v6() / pad6(IPv6ExtHdrDestOpt, nh=59) / Raw(b"n" * 8), False)]),
    ("protocols are ranges", "entry discard\nbox 4 proto=16-18\nbox 6 proto=16-18\n" + BYPASS_ALL, [
        (v4() / udp(), False), (v6() / udp(), False), (v4() / TCP(), True), (v4(proto=19) / Raw(b"...."), True)]),
    ("DSCP is a range", "entry discard\nbox 4 dscp=8-10\nbox 6 dscp=8-10\n" + BYPASS_ALL, [
        (v4(tos=8 << 2) / udp(), False), (v4(tos=10 << 2 | 3) / udp(), False), (v4(tos=7 << 2 | 3) / udp(), True),
        (v4(tos=11 << 2) / udp(), True),
        (v6(tc=8 << 2) / udp(), False), (v6(tc=10 << 2 | 3) / udp(), False), (v6(tc=7 << 2 | 3) / udp(), True),
        (v6(tc=11 << 2) / udp(), True)]),
    ("the flow label is a range", "entry discard\nbox 6 flow=255-65537\n" + BYPASS_ALL, [
        (v6(fl=255) / udp(), False), (v6(fl=256) / udp(), False), (v6(fl=65537) / udp(), False),
        (v6(fl=254) / udp(), True), (v6(fl=65538) / udp(), True), (v6(fl=0xfffff) / udp(), True)]),
]


def test_cases(wire):
    for way, dev in (("in", "red"), ("out", "blue")):
        for name, entries, packets in CASES:
            change(guard_of([(dev, way, entries)]))
            got = through(wire, [packet for packet, _ in packets], SENTINEL)
            wrong = [packet.summary() for (packet, want), have in zip(packets, got) if want != have]
            claim("%s: %s" % (way, name), not wrong)
            for text in wrong:
                print("    wrong: " + text)


def test_lists(wire):
    both = [v4() / udp(), v6() / udp()]
    change(guard_of([("any", "in", ""), ("blue", "in", BYPASS_ALL)]))
    claim("the list of all others holds where there is none of its own", through(wire, both, SENTINEL) == [False] * 2)
    change(guard_of([("any", "in", ""), ("red", "in", BYPASS_ALL)]))
    claim("its own list goes before that of all others", through(wire, both, SENTINEL) == [True] * 2)
    change(guard_of([("any", "out", "")]))
    claim("outbound as well", through(wire, both, SENTINEL) == [False] * 2)
    change(guard_of([("red", "out", ""), ("blue", "in", "")]))
    claim("an interface and direction without list is untouched", through(wire, both, SENTINEL) == [True] * 2)
    clear = "entry protect clear\nbox 4 dst=10.3.0.0-10.3.0.255\nentry discard\nbox 4\nbox 6\n"
    change(guard_of([("red", "in", clear)]))
    claim("an entry that protects may let clear packets in", through(wire, [v4() / udp(), v6() / udp()], SENTINEL) == [
        True, False])
    change(guard_of([("blue", "out", clear)]))
    claim("... and none out", through(wire, [v4() / udp(), v6() / udp()], SENTINEL) == [False, False])
    one = guard_of([("red", "in", "entry discard\nbox 4 dst=10.3.0.0-10.3.0.255\n" + BYPASS_ALL)])
    two = guard_of([("red", "in", "entry discard\nbox 6 dst=fd00:3::-fd00:3::ff\n" + BYPASS_ALL)])
    change(one + "change 0xffffffff 1001\n" + two, keep=1001)
    claim("a packet must pass every layer", through(wire, both, SENTINEL) == [False] * 2)
    change(one + "change 0xffffffff 1001\n" + two + "change 1001 1002\n", keep=1002)
    claim("a layer that is not kept is gone", through(wire, both, SENTINEL) == [True, False])
    free = guard_of([("red", "in", BYPASS_ALL)])
    change((free + "change 1003 1003\n") * 7 + free, keep=1003)
    claim("as many layers as may be kept pass what all pass", through(wire, both, SENTINEL) == [True] * 2)
    change((free + "change 1004 1004\n") * 8 + free, keep=1004)
    layers = inside("router", DRIVER, STATE, "show")
    claim("for those that are one too many one stands that lets nothing pass",
          "layer 1:" in layers and "layer 2:" not in layers and
          "counter" in inside("router", "nft", "list", "chain", "inet", "ipspd_guard", "l0_in_0_m"))
    change(free)
    claim("... until the next policy is in force", through(wire, both, SENTINEL) == [True] * 2)
    for what, action, layers in (("all layers let pass is logged by the newest alone", "bypass", (1,)),
                                 ("a layer drops is logged by that layer", "discard", (0, 1))):
        logs = guard_of([("red", "in", "entry %s log\nbox 4\n" % action)])
        change(logs + "change 0xffffffff 1003\n" + logs, keep=1003)
        chains = inside("router", "nft", "list", "table", "inet", "ipspd_guard").split("chain ")
        claim("a packet that " + what,
              [c.split()[0] for c in chains if "log prefix" in c] ==
              ["l%d_in_%d_m" % (layer, ifindex("red")) for layer in layers])


def test_short(wire):
    """Packets too short for the ports their protocol has: found by what stands where the ports should be."""
    def come(packets):
        for packet in packets:
            wire.send(packet)
        wire.send(SENTINEL / Raw(b"Short000"))
        seen = wire.arrivals(b"Short000")
        return sum(b"\xbe\xef\xbe" in frame[14:] or frame[14:].startswith(b"\x60\x0b\xee\xf0") for frame in seen)

    short = [v4(proto=17, id=7) / Raw(b"\xbe\xef\xbe"), v4(proto=6, flags="MF") / Raw(b"\xbe\xef\xbe"),
             v6(nh=17) / Raw(b"\xbe\xef\xbe"), v6(nh=132) / Raw(b"\xbe\xef\xbe"),
             v6(nh=17, fl=0xbeef0), v6() / first6(nh=6) / Raw(b"\xbe\xef\xbe")]
    for way, dev in (("in", "red"), ("out", "blue")):
        change(guard_of([(dev, way, BYPASS_ALL)]))
        claim("%s: packets without room for ports come through where all may" % way, come(short) == len(short))
        change(guard_of([(dev, way, "entry discard\nbox 4 dport=100\nbox 6 dport=100\n" + BYPASS_ALL)]))
        claim("%s: ... and not where ports matter" % way, come(short) == 0)


# ---- any policy ----

def random_box(dice, family):
    """A box as text, and as a function that tells whether a packet's numbers are in it."""
    def some(top):
        low = dice.randint(0, top)
        return low, dice.choice((low, dice.randint(low, top)))
    want = {}
    words = ["box %d" % family]
    prefix = {4: ("10.1.0.%d", "10.3.0.%d"), 6: ("fd00:1::%x", "fd00:3::%x")}[family]
    for number, key in enumerate(("src", "dst")):
        if dice.random() < 0.7:
            want[key] = some(15)
            words.append("%s=%s-%s" % ((key,) + tuple(prefix[number] % n for n in want[key])))
    if dice.random() < 0.6:
        want["proto"] = dice.choice(((17, 17), (6, 6), (6, 17), (47, 47)))
    if dice.random() < 0.4:
        want["dport"] = some(7)
    if dice.random() < 0.2:
        want["sport"] = some(7)
    if dice.random() < 0.2:
        want["dscp"] = some(3)
    words += ["%s=%d-%d" % (key, *want[key]) for key in ("proto", "dport", "sport", "dscp") if key in want]
    return " ".join(words), lambda p: p["family"] == family and all(
        key in p and low <= p[key] <= high for key, (low, high) in want.items())


def random_packet(dice):
    p = {"family": dice.choice((4, 6)), "src": dice.randint(2, 15), "dst": dice.randint(0, 15),
         "proto": dice.choice((6, 17, 17, 47)), "dscp": dice.randint(0, 3)}
    if p["proto"] != 47:
        p.update(sport=dice.randint(0, 7), dport=dice.randint(0, 7))
    if p["family"] == 4:
        head = IP(src="10.1.0.%d" % p["src"], dst="10.3.0.%d" % p["dst"], tos=p["dscp"] << 2, proto=p["proto"])
    else:
        head = IPv6(src="fd00:1::%x" % p["src"], dst="fd00:3::%x" % p["dst"], tc=p["dscp"] << 2, nh=p["proto"])
    layer = {6: lambda: TCP(sport=p["sport"], dport=p["dport"]), 17: lambda: udp(p["sport"], p["dport"]),
             47: lambda: Raw(b"\0\0\x88\0")}[p["proto"]]()
    return p, head / layer


def test_random(wire):
    for seed in range(8):
        dice = random.Random(seed)
        entries, text = [], ""
        way, dev = dice.choice((("in", "red"), ("out", "blue")))
        # Outbound, all packets between the addresses of a protect entry go to the engine, which is not there.
        closing = ("protect", "discard") if way == "in" else ("discard",)
        for _ in range(dice.randint(3, 25)):
            action = dice.choice(("bypass", "bypass") + closing)
            line, matches = random_box(dice, dice.choice((4, 6)))
            entries.append((action, matches))
            text += "entry %s%s\n%s\n" % (action, dice.choice(("", " log")), line)
        tries = [random_packet(dice) for _ in range(60)]
        want = [next((action for action, matches in entries if matches(p)), "discard") == "bypass" for p, _ in tries]
        change(guard_of([(dev, way, text)]))
        got = through(wire, [packet for _, packet in tries], SENTINEL)
        claim("any policy, %d: the first match decides each packet" % seed, got == want)
        for (p, _), have, should in zip(tries, got, want):
            if have != should:
                print("    %s: %s by %s" % ("open" if have else "closed", p, next(
                    (n for n, (_, matches) in enumerate(entries) if matches(p)), "the end")))


def test_many(wire):
    text = "".join("entry protect\nbox 4 src=10.1.0.5 dst=10.3.%d.%d\n" % (i // 250, i % 250) for i in range(6000))
    change(guard_of([("red", "in", text + BYPASS_ALL), ("blue", "out", text + BYPASS_ALL)]))
    packets = [IP(src="10.1.0.5", dst="10.3.%d.%d" % (i // 250, i % 250)) / udp() for i in range(0, 6000, 997)]
    claim("thousands of entries are merged and all hold", not any(through(wire, packets, SENTINEL)))
    table = inside("router", "nft", "list", "table", "inet", "ipspd_guard")
    claim("... in a bounded number of rules", table.count(" drop\n") < 4200)
    rules = inside("router", "ip", "rule", "show")
    claim("... and of ip rules", 0 < rules.count("lookup 26992") <= 1024)


# ---- packets to and from the router itself ----

def test_own(wire):
    with Space("router"):
        esp = socket.socket(socket.AF_INET, socket.SOCK_RAW, 50)
        ike = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ike.bind(("10.1.0.1", 500))
        marked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        marked.bind(("10.1.0.1", 0))
        marked.setsockopt(socket.SOL_SOCKET, 36, MARK)
        plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        plain.bind(("10.1.0.1", 0))

    def reaches(sock, packet):
        """Is the packet there, once what follows it has been through the router?"""
        through(wire, [packet], SENTINEL)
        ready, _, _ = select.select([sock], [], [], 0)
        if ready:
            sock.recv(131072)
        return bool(ready)

    to_esp = IP(src="10.1.0.5", dst="10.1.0.1", proto=50) / Raw(b"\0\0\1\0\0\0\0\1")
    to_ike = IP(src="10.1.0.5", dst="10.1.0.1") / UDP(sport=500, dport=500)
    change(guard_of([("red", "in", "entry discard\nbox 4\nbox 6\n")]))
    claim("ESP to ourselves is not the list's matter", reaches(esp, to_esp))
    claim("IKE to ourselves neither", reaches(ike, to_ike))
    change(guard_of([("red", "in", "entry discard\nbox 4 proto=50\n" + BYPASS_ALL)]))
    claim("... unless an entry names ESP", not reaches(esp, to_esp))
    claim("... which does not touch IKE", reaches(ike, to_ike))
    change(guard_of([("red", "in", "entry discard\nbox 4 proto=17 dport=500\n" + BYPASS_ALL)]))
    claim("... unless an entry names IKE's port", not reaches(ike, to_ike))
    forwarded = [v4(proto=50) / Raw(b"\0\0\1\0\0\0\0\1"), v4() / udp(500, 500)]
    change(guard_of([("red", "in", "")]))
    claim("ESP and IKE to others are the list's matter", through(wire, forwarded, SENTINEL) == [False] * 2)
    change(guard_of([("blue", "out", "")]))

    def leaves(sock):
        global serial
        serial += 1
        tag = b"L%07d" % serial
        try:
            sock.sendto(tag, ("10.3.0.5", 7))
        except PermissionError:
            return False
        wire.send(SENTINEL / Raw(b"S" + tag))
        return any(tag in frame for frame in wire.arrivals(b"S" + tag))

    claim("what this machine sends is guarded too", not leaves(plain))
    claim("what the engine has let pass is not", leaves(marked))
    for sock in (esp, ike, marked, plain):
        sock.close()


def test_neighbours(wire):
    with Space("left"):
        listen = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        listen.bind(("eth", 3))

    def answers(hop_limit):
        """Does the router answer a solicitation, before it answers one that is surely let through?"""
        solicitation = (IPv6(src="fd00:1::5", dst="fd00:1::1", hlim=hop_limit) /
                        ICMPv6ND_NS(tgt="fd00:1::1"))
        wire.send(solicitation)
        through(wire, [], SENTINEL)
        while select.select([listen], [], [], 0)[0]:
            packet = Ether(listen.recv(131072))
            if IPv6 in packet and packet[IPv6].nh == 58 and bytes(packet[IPv6].payload)[:1] == b"\x88":
                return True
        return False

    inside("router", "ip", "neigh", "replace", "fd00:1::5", "lladdr", "02:00:00:00:00:01", "dev", "red",
           "nud", "permanent")
    inside("router", "ip", "neigh", "replace", "fd00:2::2", "lladdr", mac_of("right", "eth"), "dev", "blue",
           "nud", "permanent")
    change(guard_of([("red", "in", "entry bypass\nbox 6 proto=6\n"), ("red", "out", "entry bypass\nbox 6 proto=6\n")]))
    claim("neighbours are found at the end of a list", answers(255))
    claim("... but not from afar", not answers(254))
    change(guard_of([("red", "in", "entry discard\nbox 6 proto=58\n" + BYPASS_ALL)]))
    claim("... unless an entry says no", not answers(255))
    both = [("red", "in", "entry protect\nbox 6\n"), ("red", "out", "entry protect\nbox 6\n")]
    change(guard_of(both))
    claim("they are found where all of IPv6 is protected (H118)", answers(255))
    claim("... but not from afar", not answers(254))
    change(guard_of([("red", "in", "entry discard\nbox 6\nentry bypass\nbox 6 proto=58\n"), both[1]]))
    claim("an entry behind that names ICMPv6 is asked first", answers(255))
    change(guard_of([("red", "in", BYPASS_ALL + "entry protect\nbox 6 proto=58\n"), both[1]]))
    claim("... and may say no", not answers(255))
    echo = [v6() / ICMPv6EchoRequest()]
    change(guard_of(both))
    claim("other ICMPv6 is dropped there", through(wire, echo, SENTINEL) == [False])
    change(guard_of([("red", "in", "")]))
    claim("other ICMPv6 is dropped there", through(wire, echo, SENTINEL) == [False])
    listen.close()


# ---- steering ----

def open_tun(name):
    with Space("router"):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", name.encode(), 0x1001))
    inside("router", "ip", "link", "set", name, "up")
    return fd


def in_tun(fd, tag):
    while True:
        try:
            if tag in os.read(fd, 131072):
                return True
        except BlockingIOError:
            return False


def test_steering(wire):
    protect = ("entry protect\nbox 4 src=10.1.0.0-10.1.0.255 dst=10.3.0.0-10.3.0.255\n"
               "box 6 src=fd00:1::-fd00:1::ff dst=fd00:3::-fd00:3::ff\n"
               "entry discard log\nbox 4 dst=10.3.7.0-10.3.7.255\nentry discard\nbox 4 dst=10.3.8.0-10.3.8.255\n")
    text = guard_of([("blue", "out", protect + BYPASS_ALL)])
    tun = open_tun("gtun0")
    change(text, tun="gtun0")
    cases = [("IPv4 that is protected", v4() / udp(), True),
             ("IPv6 that is protected", v6() / udp(), True),
             ("what is discarded and logged", IP(src="10.1.0.5", dst="10.3.7.1") / udp(), False),
             ("what is discarded without a word", IP(src="10.1.0.5", dst="10.3.8.1") / udp(), False)]
    for name, packet, steered in cases:
        claim(name + " does not leave", through(wire, [packet], SENTINEL) == [False])
        claim("... and %s to the engine" % ("goes" if steered else "does not go"),
              in_tun(tun, b"T%07d" % (serial - 1)) == steered)
    claim("what is let pass goes its way",
          through(wire, [IP(src="10.1.0.5", dst="10.3.9.1") / udp()], SENTINEL) == [True])

    with Space("router"):
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        own6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        marked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        marked.setsockopt(socket.SOL_SOCKET, 36, MARK)
    inside("router", "ip", "addr", "add", "10.1.0.77/32", "dev", "blue")
    inside("router", "ip", "route", "change", "10.3.0.0/16", "via", "10.2.0.2", "src", "10.1.0.77")
    inside("router", "ip", "addr", "add", "fd00:1::77/128", "dev", "blue", "nodad")
    inside("router", "ip", "route", "change", "fd00:3::/32", "via", "fd00:2::2", "src", "fd00:1::77")
    own.sendto(b"from the router", ("10.3.0.5", 7))
    own6.sendto(b"from the router 6", ("fd00:3::5", 7))
    claim("packets of this machine go to the engine", in_tun(tun, b"from the router"))
    claim("... of IPv6 too", in_tun(tun, b"from the router 6"))
    marked.sendto(b"by the engine", ("10.3.0.5", 7))
    claim("packets of the engine do not", not in_tun(tun, b"by the engine"))

    # What comes out of the TUN is routed as if no rule of ours were there.
    with Space("left"):
        listen = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        listen.bind(("eth", 3))
    inside("router", "ip", "neigh", "replace", "10.1.0.9", "lladdr", "02:00:00:00:00:01", "dev", "red",
           "nud", "permanent")
    inside("router", "ip", "route", "add", "10.3.0.200/32", "via", "10.1.0.9", "dev", "red")
    os.write(tun, bytes(IP(src="10.1.0.5", dst="10.3.0.200", ttl=64) / UDP() / Raw(b"decapsulated")))
    got = b""
    while b"decapsulated" not in got and select.select([listen], [], [], 20)[0]:
        got = listen.recv(131072)
    claim("what the engine decapsulates goes on", b"decapsulated" in got)
    listen.close()

    before = inside("router", "ip", "rule", "show") + inside("router", "ip", "-6", "rule", "show")
    change(text, tun="gtun0")
    claim("the same again changes no rule",
          before == inside("router", "ip", "rule", "show") + inside("router", "ip", "-6", "rule", "show"))
    os.close(tun)
    gone = "gtun0" not in inside("router", "ip", "link", "show")
    claim("with the TUN gone nothing of it leaves",
          gone and through(wire, [p for _, p, _ in cases], SENTINEL) == [False] * 4)
    inside("router", "nft", "flush", "ruleset")
    claim("... even without filters: steering ends in a blackhole",
          through(wire, [p for _, p, s in cases if s], SENTINEL) == [False] * 2)
    claim("no rule went with the TUN", "26992" in inside("router", "ip", "rule", "show") and
          "blackhole" in inside("router", "ip", "-6", "route", "show", "table", "26992"))


# ---- life ----

def test_life(wire):
    packets = [v4() / udp(), v6() / udp()]
    change(guard_of([("red", "in", "")]))
    inside("router", "nft", "flush", "ruleset")
    claim("(without its table the guard is open)", through(wire, packets, SENTINEL) == [True] * 2)
    inside("router", DRIVER, STATE, "load")
    claim("a start puts back what was saved", through(wire, packets, SENTINEL) == [False] * 2)
    shown = inside("router", DRIVER, STATE, "show")
    claim("it can be shown", "chain l0_in" in shown and "fwmark 0x69700000" in shown)

    holder = subprocess.Popen(["ip", "netns", "exec", TAG + "router", DRIVER, STATE, "hold"],
                              stdout=subprocess.PIPE, text=True)
    holder.stdout.readline()
    refused = subprocess.run(["ip", "netns", "exec", TAG + "router", DRIVER, STATE, "remove"],
                             capture_output=True, text=True, check=False)
    claim("it cannot be removed while a daemon runs", refused.returncode != 0 and "daemon" in refused.stderr)
    claim("... and holds", through(wire, packets, SENTINEL) == [False] * 2)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    claim("killing the daemon leaves it", through(wire, packets, SENTINEL) == [False] * 2)

    with open(os.path.join(STATE, "guard/saved"), "r+b") as saved:
        saved.seek(22)  # behind magic, header and number of the first layer
        saved.write(b"\xff\xff")
    change_free = subprocess.run(["ip", "netns", "exec", TAG + "router", DRIVER, STATE, "load"],
                                 capture_output=True, text=True, check=False)
    closed = "counter" in inside("router", "nft", "list", "chain", "inet", "ipspd_guard", "l0_out_0_m")
    claim("a damaged file closes everything", change_free.returncode == 0 and closed)

    inside("router", DRIVER, STATE, "remove")
    claim("removed, everything is open", through(wire, packets, SENTINEL) == [True] * 2)
    left = (inside("router", "ip", "rule", "show") + inside("router", "ip", "-6", "rule", "show") +
            inside("router", "nft", "list", "ruleset"))
    claim("... and nothing of it is left", "2699" not in left and "ipspd" not in left and
          not os.path.exists(os.path.join(STATE, "guard/saved")))
    os.chmod(os.path.join(STATE, "guard"), 0o777)
    refused = subprocess.run(["ip", "netns", "exec", TAG + "router", DRIVER, STATE, "load"],
                             capture_output=True, text=True, check=False)
    claim("a directory that others can write is not trusted", refused.returncode != 0)


def main():
    global STATE
    STATE = tempfile.mkdtemp(prefix="ipspd-guard.")
    try:
        make_spaces()
        wire = Wire()
        for test in (test_cases, test_short, test_random, test_lists, test_own, test_neighbours, test_steering, test_many, test_life):
            test(wire)
    except subprocess.CalledProcessError as error:
        claim("%s: %s%s" % (" ".join(error.cmd), error.stdout, error.stderr), False)
    finally:
        for name in ("left", "router", "right"):
            subprocess.run(["ip", "netns", "del", TAG + name], capture_output=True, check=False)
        shutil.rmtree(STATE, ignore_errors=True)
    print("%d passed, %d failed" % (passed, failed))
    return failed != 0


sys.exit(main())
