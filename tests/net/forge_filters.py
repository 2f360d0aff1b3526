#!/usr/bin/python3
"""forge_filters.py IF GATEWAY-MAC SRC DST: packets that filters must tell apart, one of each kind.

Each goes to a UDP port of its own (below), so that the far side can say which came through; "last" goes last.
With a fifth argument only the packet of that name is sent.
"""
import logging
import sys

logging.getLogger("scapy").setLevel(logging.CRITICAL)
from scapy.all import Ether, IP, IPOption, Raw, UDP, sendp  # noqa: E402


def option(number, *octets):
    return IPOption(bytes([number, 2 + len(octets), *octets]))


def ike(exchange):
    return Raw(b"I" * 8 + b"\0" * 8 + bytes([33, 0x20, exchange, 8]) + b"\0" * 4 + (28).to_bytes(4, "big"))


SECRET, UNCLASSIFIED, GENSER = 90, 171, 0x80
PACKETS = {
    "octets": (5001, [], Raw(b"PASS")),
    "other octets": (5002, [], Raw(b"FAIL")),
    "cut": (5003, [], Raw(b"PA")),
    "130 unclassified": (5004, [option(130, UNCLASSIFIED, GENSER)], Raw(b"x" * 8)),
    "130 secret": (5005, [option(130, SECRET, GENSER)], Raw(b"x" * 8)),
    "133 alone": (5006, [option(133, UNCLASSIFIED, GENSER)], Raw(b"x" * 8)),
    "133 and 130": (5007, [option(133, 1, 2), option(130, UNCLASSIFIED, GENSER)], Raw(b"x" * 8)),
    "IKE_SA_INIT": (500, [], ike(34)),
    "CREATE_CHILD_SA": (500, [], ike(36)),
    "timed": (5008, [], Raw(b"TIME")),
    "kerberos": (88, [], Raw(b"KRB5")),
    "last": (5999, [], Raw(b"PASS")),
}


def main():
    interface, mac, src, dst = sys.argv[1:5]
    frames = []
    for name, (port, options, payload) in PACKETS.items():
        if sys.argv[5:] and sys.argv[5] != name:
            continue
        sport = 500 if port == 500 else 4000
        frames.append(Ether(dst=mac) / IP(src=src, dst=dst, options=options) / UDP(sport=sport, dport=port) / payload)
        if name == "octets":
            # Its second fragment: what it has at the offset are not the octets that the filter means.
            frames.append(Ether(dst=mac) / IP(src=src, dst=dst, frag=1, proto=17, id=77) / Raw(b"12345678PASS"))
    sendp(frames, iface=interface, verbose=False)


main()
