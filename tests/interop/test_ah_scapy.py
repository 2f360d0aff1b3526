#!/usr/bin/python3
"""Our AH, and bundles of AH, ESP and IPComp, against two judges.

scapy's AH is one: it verifies what esp_tool signed and signs what esp_tool verifies, with IPv4 options
and IPv6 extension headers. hashlib's HMAC over octets that are laid out here, field by field, is the
other, and the only one for ESP in AH (scapy signs the ESP inside first and forgets that AH covers it)
and for 64-bit numbers. zlib judges IPComp. RFC 4302, 3173; RFC 4301 4.5.
"""
import hashlib
import hmac
import logging
import struct
import sys
import zlib

logging.getLogger("scapy").setLevel(logging.ERROR)
try:
    from scapy.layers.inet import (IP, UDP, IPOption, IPOption_LSRR, IPOption_RR,
                                   IPOption_Router_Alert, IPOption_Security, IPOption_Timestamp)
    from scapy.layers.inet6 import (HBHOptUnknown, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment,
                                    IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN, RouterAlert)
    from scapy.layers.ipsec import AH, SecurityAssociation
    from scapy.packet import Raw
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

from engine_tool import Checks, Tool

KEY = bytes(range(0x30, 0x70))
AH_OUT, AH_IN, ESP_OUT, ESP_IN = 0x2001, 0x2002, 0x1001, 0x1002

# name, number, key octets, hash, ICV octets, scapy's name
ALGORITHMS = [
    ("sha1-96", 2, 20, hashlib.sha1, 12, "HMAC-SHA1-96"),
    ("sha256-128", 5, 32, hashlib.sha256, 16, "SHA2-256-128"),
    ("sha384-192", 6, 48, hashlib.sha384, 24, "SHA2-384-192"),
    ("sha512-256", 7, 64, hashlib.sha512, 32, "SHA2-512-256"),
]
ENDS = {4: ("192.0.2.1", "198.51.100.2"), 6: ("2001:db8::1", "2001:db8:ffff::2")}
INNER = {4: ("10.1.0.5", "10.2.0.9"), 6: ("fd00:1::5", "fd00:2::9")}

check = Checks()
tool = Tool()


def ip(family, src, dst, **fields):
    return IP(src=src, dst=dst, **fields) if family == 4 else IPv6(src=src, dst=dst, **fields)


def parse(octets):
    return IP(bytes(octets)) if bytes(octets)[0] >> 4 == 4 else IPv6(bytes(octets))


def octets_of(address):
    return bytes(ip(6 if ":" in address else 4, address, address))[-16 if ":" in address else -4:]


def setup(algorithm, mode, family, chain="51", **more):
    _, number, key_len, _, _, _ = algorithm
    local, remote = ENDS[family]
    tool.new(mode=mode, chain=chain, ahinteg=number, ahkey=KEY[:key_len].hex(), encr=11, bits=0,
             integ=2, akey=KEY[:20].hex(), local=octets_of(local).hex(),
             remote=octets_of(remote).hex(), **more)


def scapy_sa(algorithm, mode, family, spi, outbound):
    _, _, key_len, _, _, name = algorithm
    src, dst = ENDS[family] if outbound else reversed(ENDS[family])
    return SecurityAssociation(AH, spi=spi, auth_algo=name, auth_key=KEY[:key_len],
                               tunnel_header=ip(family, src, dst) if mode == "tunnel" else None)


def ah_len(algorithm, family):
    unit = 4 if family == 4 else 8
    return (12 + algorithm[4] + unit - 1) // unit * unit


# ---- the judge that is nothing but the RFC ----

def covered(packet, at, icv_len):
    """A whole packet without options, as its ICV covers it. at: where AH begins."""
    p = bytearray(packet)
    if p[0] >> 4 == 4:
        p[1] = p[6] = p[7] = p[8] = p[10] = p[11] = 0
    else:
        p[0], p[1], p[2], p[3], p[7] = 0x60, 0, 0, 0, 0
    p[at + 12:at + 12 + icv_len] = bytes(icv_len)
    return bytes(p)


def icv(algorithm, packet, at, high=b""):
    _, _, key_len, digest, icv_len, _ = algorithm
    return hmac.new(KEY[:key_len], covered(packet, at, icv_len) + high, digest).digest()[:icv_len]


def sign(algorithm, header, payload, next_header, spi, seq, high=b"", pad=None):
    """An AH packet around a payload, made by hand. header: without options, length and protocol."""
    family = header[0] >> 4
    size = ah_len(algorithm, family) if pad is None else 12 + algorithm[4] + pad
    p = bytearray(header)
    if family == 4:
        p[2:4] = struct.pack("!H", 20 + size + len(payload))
        p[9] = 51
    else:
        p[4:6] = struct.pack("!H", size + len(payload))
        p[6] = 51
    at = len(p)
    p += struct.pack("!BBHII", next_header, size // 4 - 2, 0, spi, seq) + bytes(size - 12) + payload
    p[at + 12:at + 12 + algorithm[4]] = icv(algorithm, p, at, high)
    return bytes(p)


def by_hand(algorithm, mode, inner, outer):
    name = "%s %s %d-in-%d by hand" % (algorithm[0], mode, inner, outer)
    setup(algorithm, mode, outer)
    ends = ENDS[outer] if mode == "transport" else INNER[inner]
    at = 20 if outer == 4 else 40
    for size in (0, 1, 7, 64, 1300):
        clear = bytes(ip(inner, *ends) / UDP(sport=1000, dport=2000) / Raw(b"p" * size))
        verdict, sent = tool.packet("out", clear)
        check(name + " out", verdict == "esp", sent)
        if verdict != "esp":
            return
        packet = parse(sent)
        check(name + " protocol", sent[9 if outer == 4 else 6] == 51)
        check(name + " length", len(sent) == (packet.len if outer == 4 else packet.plen + 40))
        check(name + " ends", (packet.src, packet.dst) == ENDS[outer])
        words = (sent[at + 1] + 2) * 4
        check(name + " size", words == ah_len(algorithm, outer), words)
        check(name + " fields", sent[at + 2:at + 8] == struct.pack("!HI", 0, AH_OUT))
        check(name + " next header",
              sent[at] == (17 if mode == "transport" else 4 if inner == 4 else 41), sent[at])
        check(name + " icv", sent[at + 12:at + 12 + algorithm[4]] == icv(algorithm, sent, at))
        inside = clear[at:] if mode == "transport" else clear
        check(name + " payload", sent[at + words:] == inside)

        back = bytes(ip(inner, *reversed(ends)) / UDP(sport=2000, dport=1000) / Raw(b"q" * size))
        header = back[:at] if mode == "transport" else bytes(ip(outer, *reversed(ENDS[outer])))
        inside = back[at:] if mode == "transport" else back
        signed = sign(algorithm, header, inside,
                      17 if mode == "transport" else 4 if inner == 4 else 41, AH_IN, size + 1)
        check(name + " in", tool.packet("in", signed) == ("deliver", back))


def padded_to_eight():
    """Some pad the ICV of IPv4 as that of IPv6: taken, as the padding is under the ICV as well."""
    algorithm = ALGORITHMS[1]
    setup(algorithm, "transport", 4)
    back = bytes(ip(4, *reversed(ENDS[4])) / UDP())
    for pad, good in ((4, True), (8, False), (0, True)):
        signed = sign(algorithm, back[:20], back[20:], 17, AH_IN, pad + 1, pad=pad)
        verdict = tool.packet("in", signed)
        check("padding of %d" % pad, verdict == (("deliver", back) if good else
                                                 ("drop", "ah-short")), verdict)


def esn(floor):
    algorithm = ALGORITHMS[1]
    name = "esn at %#x" % floor
    setup(algorithm, "transport", 4, esn=1, floor=floor)
    for seq in range(floor + 1, floor + 5):
        high = struct.pack("!I", seq >> 32)
        verdict, sent = tool.packet("out", ip(4, *ENDS[4]) / UDP())
        check(name + " out", verdict == "esp", sent)
        check(name + " low half", sent[28:32] == struct.pack("!I", seq & 0xffffffff))
        check(name + " icv", sent[32:48] == icv(algorithm, sent, 20, high))
        back = bytes(ip(4, *reversed(ENDS[4])) / UDP() / Raw(b"%d" % seq))
        signed = sign(algorithm, back[:20], back[20:], 17, AH_IN, seq & 0xffffffff, high)
        check(name + " in", tool.packet("in", signed) == ("deliver", back))
        wrong = sign(algorithm, back[:20], back[20:], 17, AH_IN, (seq + 1) & 0xffffffff,
                     struct.pack("!I", (seq + 1 >> 32) + 1))
        check(name + " wrong half", tool.packet("in", wrong) == ("drop", "ah-icv"))


# ---- scapy ----

HOP = IPv6ExtHdrHopByHop(options=[RouterAlert(value=0), HBHOptUnknown(otype=0x3e, optdata=b"abcd")])
DST = IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=0x1e, optdata=b"stays"),
                                 HBHOptUnknown(otype=0xfe, optdata=b"may change"), PadN(optdata=b"")])
ROUTE = IPv6ExtHdrRouting(addresses=["2001:db8:5::1", "2001:db8:5::2"], segleft=0)
TIMESTAMP = IPOption_Timestamp(pointer=9, timestamp=77)

SHAPES = [
    ("plain", 4, {}, None),
    ("router alert", 4, {"options": [IPOption_Router_Alert()]}, None),
    ("security and record route", 4,
     {"options": [IPOption_Security(), IPOption_RR(pointer=8, routers=["9.8.7.6"])]}, None),
    ("time stamp", 4, {"options": [TIMESTAMP]}, None),
    ("unknown option", 4, {"options": [IPOption(b"\xde\x04ab")]}, None),
    ("used up source route", 4, {"options": [IPOption_LSRR(pointer=8, routers=["9.8.7.6"])]}, None),
    ("class and ttl", 4, {"tos": 0xb9, "ttl": 3, "flags": "DF"}, None),
    ("plain", 6, {}, None),
    ("class, label, hop limit", 6, {"tc": 0xb9, "fl": 0xabcde, "hlim": 3}, None),
    ("hop-by-hop", 6, {}, HOP),
    ("routing", 6, {}, ROUTE),
    ("hop-by-hop, destination options, routing", 6, {}, HOP / DST / ROUTE),
    ("destination options", 6, {}, DST),
    ("hop-by-hop and destination options", 6, {}, HOP / DST),
]


def scapy_verifies(sa, sent):
    try:
        return bytes(sa.decrypt(parse(sent)))
    except Exception as why:        # whatever scapy has to say is a no
        return repr(why)


def by_scapy(algorithm, shape):
    label, family, fields, extensions = shape
    name = "%s v%d %s" % (algorithm[0], family, label)
    setup(algorithm, "transport", family)
    theirs_in = scapy_sa(algorithm, "transport", family, AH_OUT, True)
    theirs_out = scapy_sa(algorithm, "transport", family, AH_IN, False)
    src, dst = ENDS[family]
    upper = UDP(sport=1000, dport=2000) / Raw(b"data of the packet")
    clear = ip(family, src, dst, **fields)
    clear = bytes(clear / extensions / upper if extensions else clear / upper)
    verdict, sent = tool.packet("out", clear)
    check(name + " out", verdict == "esp", sent)
    if verdict != "esp":
        return
    opened = scapy_verifies(theirs_in, sent)
    check(name + " scapy verifies", opened == clear, (opened, clear.hex(), sent.hex()))

    if extensions and IPv6ExtHdrRouting in extensions:
        return      # scapy always has a last station to go: see routes_are_signed_for_their_end
    back = ip(family, dst, src, **fields)
    back = bytes(back / extensions / upper if extensions else back / upper)
    signed = bytes(theirs_out.encrypt(parse(back)))
    verdict, opened = tool.packet("in", signed)
    check(name + " in", (verdict, opened) == ("deliver", back), (verdict, opened))


def by_scapy_tunnel(algorithm, inner, outer):
    name = "%s tunnel %d-in-%d" % (algorithm[0], inner, outer)
    setup(algorithm, "tunnel", outer)
    theirs_in = scapy_sa(algorithm, "tunnel", outer, AH_OUT, True)
    theirs_out = scapy_sa(algorithm, "tunnel", outer, AH_IN, False)
    for extensions in (None, HOP / DST) if inner == 6 else (None,):
        upper = UDP(sport=7, dport=8) / Raw(b"inside")
        clear = ip(inner, *INNER[inner])
        clear = bytes(clear / extensions / upper if extensions else clear / upper)
        _, sent = tool.packet("out", clear)
        check(name + " scapy verifies", scapy_verifies(theirs_in, sent) == clear)
        back = ip(inner, *reversed(INNER[inner]))
        back = bytes(back / extensions / upper if extensions else back / upper)
        signed = bytes(theirs_out.encrypt(parse(back)))
        check(name + " in", tool.packet("in", signed) == ("deliver", back))


def routes_are_signed_for_their_end():
    """What is sent with stations left must verify where it arrives: the stations are done here."""
    algorithm = ALGORITHMS[0]
    setup(algorithm, "transport", 6)
    stations = ["2001:db8:5::1", "2001:db8:5::2", ENDS[6][1]]
    clear = IPv6(src=ENDS[6][0], dst=stations[0]) / \
        IPv6ExtHdrRouting(addresses=stations[1:], segleft=2) / UDP()
    verdict, reason = tool.packet("out", clear)
    check("a route to others is no route between the SA's ends",
          (verdict, reason) == ("drop", "transport-address"), (verdict, reason))
    tool.new(mode="transport", chain="51", ahinteg=2, ahkey=KEY[:20].hex())
    _, sent = tool.packet("out", clear)
    arrived = parse(sent)
    arrived.dst = stations[2]
    arrived[IPv6ExtHdrRouting].addresses = stations[:2]
    arrived[IPv6ExtHdrRouting].segleft = 0
    sa = scapy_sa(algorithm, "transport", 6, AH_OUT, True)
    opened = scapy_verifies(sa, bytes(arrived))
    check("a route's end verifies", isinstance(opened, bytes), opened)

    us, them = ENDS[6]
    back = IPv6(src=them, dst=stations[0]) / \
        IPv6ExtHdrRouting(addresses=[stations[1], us], segleft=2) / UDP()
    signed = parse(bytes(scapy_sa(algorithm, "transport", 6, AH_IN, False).encrypt(back)))
    check("a route that is not at its end", tool.packet("in", signed) == ("drop", "ip-malformed"))
    signed.dst = us
    signed[IPv6ExtHdrRouting].addresses = stations[:2]
    signed[IPv6ExtHdrRouting].segleft = 0
    verdict = tool.packet("in", signed)
    check("scapy's route at its end", verdict[0] == "deliver", verdict)


def refused():
    algorithm = ALGORITHMS[0]
    setup(algorithm, "transport", 6)
    fragment = IPv6(src=ENDS[6][0], dst=ENDS[6][1]) / IPv6ExtHdrFragment(m=1) / UDP() / Raw(b"x" * 8)
    check("fragments have no AH", tool.packet("out", fragment) == ("drop", "transport-fragment"))
    whole = IPv6(src=ENDS[6][0], dst=ENDS[6][1]) / IPv6ExtHdrFragment() / UDP()
    check("nor what has a fragment header", tool.packet("out", whole)[0] == "drop")
    segments = IPv6(src=ENDS[6][0], dst=ENDS[6][1]) / IPv6ExtHdrRouting(type=4, segleft=0) / UDP()
    check("routes of unknown type", tool.packet("out", segments) == ("drop", "ip-extensions"))
    setup(algorithm, "transport", 4)
    back = bytes(ip(4, *reversed(ENDS[4])) / UDP())
    signed = bytearray(sign(algorithm, back[:20], back[20:], 17, 0x7777, 1))
    check("unknown SPI", tool.packet("in", signed) == ("drop", "ah-sa-not-found"))
    signed = bytearray(sign(algorithm, back[:20], back[20:], 17, AH_IN, 1))
    signed[6] |= 0x20
    check("a fragment", tool.packet("in", signed) == ("drop", "ah-fragment"))


def damage(algorithm, family):
    """Each bit of a signed packet: only what routers may change may change."""
    name = "%s v%d damaged" % (algorithm[0], family)
    setup(algorithm, "transport", family)
    back = bytes(ip(family, *reversed(ENDS[family])) / UDP(sport=5, dport=6) / Raw(b"text"))
    at = 20 if family == 4 else 40
    signed = sign(algorithm, back[:at], back[at:], 17, AH_IN, 1)
    free = {4: {1, 6, 8, 10, 11}, 6: {1, 2, 3, 7}}[family]
    for octet in range(len(signed)):
        if octet in free or (family == 6 and octet == 0) or (family == 4 and octet == 7):
            continue        # passes, is another version's or a fragment's
        for bit in range(8):
            bad = bytearray(signed)
            bad[octet] ^= 1 << bit
            check(name, tool.packet("in", bad)[0] == "drop", (octet, bit))
    for octet in free - {6}:
        check(name + " header of a router",
              tool.packet("in", sign_changed(algorithm, back, at, octet, 2 + octet))[0] == "deliver",
              octet)
    for cut in range(1, len(signed)):
        check(name + " cut", tool.packet("in", signed[:cut])[0] == "drop", cut)
    check(name + " true one", tool.packet("in", signed)[0] == "deliver")
    check(name + " replayed", tool.packet("in", signed) == ("drop", "replay"))


def sign_changed(algorithm, back, at, octet, seq):
    """Signed, and then changed on its way where it may be."""
    p = bytearray(sign(algorithm, back[:at], back[at:], 17, AH_IN, seq))
    p[octet] ^= 0x10
    return p


# ---- bundles ----

def esp_of(payload, next_header, spi, seq):
    """NULL with HMAC-SHA1-96."""
    pad = -(len(payload) + 2) % 4
    esp = struct.pack("!II", spi, seq) + payload + bytes(range(1, pad + 1)) + \
        bytes([pad, next_header])
    return esp + hmac.new(KEY[:20], esp, hashlib.sha1).digest()[:12]


def esp_opened(esp):
    """SPI, sequence number, payload and next header of such a one, if its ICV is right."""
    good = hmac.new(KEY[:20], esp[:-12], hashlib.sha1).digest()[:12] == esp[-12:]
    pad, next_header = esp[-14], esp[-13]
    return good, struct.unpack("!II", esp[:8]), esp[8:-14 - pad], next_header


def esp_in_ah(mode, inner, outer):
    algorithm = ALGORITHMS[1]
    name = "ESP in AH %s %d-in-%d" % (mode, inner, outer)
    setup(algorithm, mode, outer, chain="50,51")
    ends = ENDS[outer] if mode == "transport" else INNER[inner]
    at = 20 if outer == 4 else 40
    seq = 0
    for size in (0, 9, 700):
        seq += 1
        clear = bytes(ip(inner, *ends) / UDP(sport=1, dport=2) / Raw(b"c" * size))
        verdict, sent = tool.packet("out", clear)
        check(name + " out", verdict == "esp", sent)
        if verdict != "esp":
            return
        check(name + " order", sent[9 if outer == 4 else 6] == 51 and sent[at] == 50)
        check(name + " ah", sent[at + 12:at + 28] == icv(algorithm, sent, at))
        good, numbers, payload, nh = esp_opened(sent[at + ah_len(algorithm, outer):])
        check(name + " esp", good and numbers == (ESP_OUT, seq), numbers)
        check(name + " inside", payload == (clear[at:] if mode == "transport" else clear))
        check(name + " next header",
              nh == (17 if mode == "transport" else 4 if inner == 4 else 41), nh)

        back = bytes(ip(inner, *reversed(ends)) / UDP(sport=2, dport=1) / Raw(b"d" * size))
        header = back[:at] if mode == "transport" else bytes(ip(outer, *reversed(ENDS[outer])))
        inside = esp_of(back[at:] if mode == "transport" else back, nh, ESP_IN, seq)
        check(name + " in",
              tool.packet("in", sign(algorithm, header, inside, 50, AH_IN, seq)) ==
              ("deliver", back))
    # Either alone is not what policy asks for.
    bare = bytearray(header)
    if outer == 4:
        bare[2:4], bare[9] = struct.pack("!H", 20 + len(inside)), 50
    else:
        bare[4:6], bare[6] = struct.pack("!H", len(inside)), 50
    alone = bytes(bare) + esp_of(back[at:] if mode == "transport" else back, nh, ESP_IN, 100)
    check(name + " without AH", tool.packet("in", alone) == ("drop", "expected-ah"))
    if mode == "transport":
        alone = sign(algorithm, header, back[at:], 17, AH_IN, 100)
        check(name + " without ESP", tool.packet("in", alone) == ("drop", "expected-esp"))


def deflated(octets):
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    return z.compress(octets) + z.flush()


def ipcomp(chain, mode, family):
    algorithm = ALGORITHMS[0]
    name = "IPComp in %s %s v%d" % (chain, mode, family)
    setup(algorithm, mode, family, chain=chain)
    ends = ENDS[family] if mode == "transport" else INNER[family]
    at = 20 if family == 4 else 40
    skip = ah_len(algorithm, family) if "51" in chain else 0
    tunnelled = 4 if family == 4 else 41
    seq = 0
    for data, smaller in ((b"a" * 800, True), (b"short", False),
                          (hashlib.shake_128(b"noise").digest(900), False)):
        seq += 1
        clear = bytes(ip(family, *ends) / UDP(sport=1, dport=2) / Raw(data))
        verdict, sent = tool.packet("out", clear)
        check(name + " out", verdict == "esp", sent)
        if verdict != "esp":
            return
        if "51" in chain:
            check(name + " ah", sent[at + 12:at + 24] == icv(algorithm, sent, at))
        good, _, payload, nh = esp_opened(sent[at + skip:])
        inside = clear[at:] if mode == "transport" else clear
        check(name + " esp", good)
        if smaller:
            check(name + " header", nh == 108 and
                  payload[:4] == bytes([17 if mode == "transport" else tunnelled, 0, 0, 2]), nh)
            check(name + " zlib inflates", zlib.decompress(payload[4:], -15) == inside)
            check(name + " smaller", len(payload) < len(inside) // 4, len(payload))
        else:
            check(name + " not compressed", payload == inside and
                  nh == (17 if mode == "transport" else tunnelled), nh)

        back = bytes(ip(family, *reversed(ends)) / UDP(sport=2, dport=1) / Raw(data))
        header = back[:at] if mode == "transport" else bytes(ip(family, *reversed(ENDS[family])))
        inside = back[at:] if mode == "transport" else back
        nh = 17 if mode == "transport" else tunnelled
        variants = [(nh, inside), (108, bytes([nh, 0, 0, 2]) + deflated(inside))]
        for n, (next_header, payload) in enumerate(variants):
            number = 2 * seq + n
            verdict = inbound(algorithm, chain, header, payload, next_header, number)
            check(name + " in", verdict == ("deliver", back), verdict)
    bad = [("another CPI", bytes([nh, 0, 0, 3]) + deflated(inside)),
           ("cut", bytes([nh, 0, 0, 2]) + deflated(inside)[:-3]),
           ("a bomb", bytes([nh, 0, 0, 2]) + deflated(bytes(1 << 20))),
           ("nothing", bytes([nh, 0, 0, 2]))]
    for n, (what, payload) in enumerate(bad):
        verdict = inbound(algorithm, chain, header, payload, 108, 50 + n)
        check(name + " " + what, verdict == ("drop", "ipcomp"), verdict)


def inbound(algorithm, chain, header, payload, next_header, number):
    esp = esp_of(payload, next_header, ESP_IN, number)
    if "51" in chain:
        return tool.packet("in", sign(algorithm, header, esp, 50, AH_IN, number))
    p = bytearray(header)
    if p[0] >> 4 == 4:
        p[2:4], p[9] = struct.pack("!H", 20 + len(esp)), 50
    else:
        p[4:6], p[6] = struct.pack("!H", len(esp)), 50
    return tool.packet("in", bytes(p) + esp)


def ipcomp_adapts():
    """RFC 3173 2.2: what does not get smaller is tried less and less, until something does."""
    setup(ALGORITHMS[0], "transport", 4, chain="108,50")

    def next_header(data):
        _, sent = tool.packet("out", ip(4, *ENDS[4]) / UDP() / Raw(data))
        return esp_opened(sent[20:])[3]

    noise = hashlib.shake_128(b"more noise").digest(1000)
    for _ in range(4):
        check("noise stays as it is", next_header(noise) == 17)
    after = [next_header(b"z" * 1000) for _ in range(20)]
    check("after noise packets are passed over, then tried again",
          after == [17] * 16 + [108] * 4, after)


for a in ALGORITHMS:
    for m in ("transport", "tunnel"):
        for i in (4, 6):
            for o in (4, 6):
                if m == "tunnel" or i == o:
                    by_hand(a, m, i, o)
    for i in (4, 6):
        for o in (4, 6):
            by_scapy_tunnel(a, i, o)
for s in SHAPES:
    by_scapy(ALGORITHMS[0], s)
    by_scapy(ALGORITHMS[1], s)
padded_to_eight()
esn(5)
esn((1 << 32) - 3)
esn((1 << 33) - 2)
routes_are_signed_for_their_end()
refused()
for f in (4, 6):
    damage(ALGORITHMS[0], f)
    damage(ALGORITHMS[3], f)
    esp_in_ah("transport", f, f)
    for c in ("108,50", "108,50,51"):
        for m in ("transport", "tunnel"):
            ipcomp(c, m, f)
    for o in (4, 6):
        esp_in_ah("tunnel", f, o)
ipcomp_adapts()
if tool.close() != 0:
    check("esp_tool ends well", False)
sys.exit(check.end())
