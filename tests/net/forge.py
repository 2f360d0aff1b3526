#!/usr/bin/python3
"""forge.py IF NEXT-HOP COMMAND .. [+ IF NEXT-HOP COMMAND ..]: puts hand-made frames on a link, one for each command; for
tests in namespaces.

  udp SRC DST [PORT]     a clear UDP datagram
  frag SRC DST           the second fragment of one, which has no ports
  options SRC DST        IPv4 with options, IPv6 with a hop-by-hop header
  storm SRC DST FILE     clear packets of all forms, again and again, until FILE is there
  replay PCAP FILTER     the first packet of a capture that the tshark filter finds, once more
  flip PCAP FILTER       the same with a new sequence number and one bit of the ICV changed
  vlan SRC DST           a clear UDP datagram with an 802.1Q tag
  other                  a frame that is neither IP nor ARP
  arp SRC DST            an ARP request with octets behind it

The frame goes to the link address that the neighbour table has for NEXT-HOP.
"""
import ipaddress
import logging
import os
import socket
import subprocess
import sys
import time

logging.getLogger("scapy").setLevel(logging.CRITICAL)
from scapy.all import (ARP, Dot1Q, Ether, IP, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment,  # noqa: E402
                       IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, IPOption_NOP, PadN, Raw, UDP, rdpcap, sendp)


def neighbour(interface, address):
    def table():
        return subprocess.run(["ip", "neigh", "show", address, "dev", interface],
                              capture_output=True, text=True, check=True).stdout.split()

    # Policy may leave the ping without an answer, but not the question who has the address.
    for _ in range(20):
        out = table()
        if "lladdr" in out:
            break
        subprocess.run(["ping", "-q", "-c1", "-W0.2", address], stdout=subprocess.DEVNULL, check=False)
    return out[out.index("lladdr") + 1]


def clear(src, dst, kind, port):
    payload = UDP(sport=port, dport=port) / Raw(b"forged by the test")
    if ipaddress.ip_address(src).version == 4:
        if kind == "frag":
            return IP(src=src, dst=dst, frag=10, proto=17) / Raw(b"f" * 64)
        if kind == "options":
            return IP(src=src, dst=dst, options=[IPOption_NOP()] * 4) / payload
        return IP(src=src, dst=dst) / payload
    if kind == "frag":
        return IPv6(src=src, dst=dst) / IPv6ExtHdrFragment(offset=10, nh=17) / Raw(b"f" * 64)
    if kind == "options":
        return IPv6(src=src, dst=dst) / IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)]) / payload
    return IPv6(src=src, dst=dst) / payload


STORM = b"forged in the storm"


def storm_forms(src, dst):
    """Whole packets, fragments of all kinds, options and extension headers; each names itself."""
    udp = UDP(sport=4807, dport=4807) / Raw(STORM)
    if ipaddress.ip_address(src).version == 4:
        head = IP(src=src, dst=dst)
        return [head / udp, IP(src=src, dst=dst, options=[IPOption_NOP()] * 4) / udp,
                IP(src=src, dst=dst, flags="MF", id=7) / udp, IP(src=src, dst=dst, frag=1, proto=17, id=7) / Raw(STORM),
                IP(src=src, dst=dst, frag=100, proto=6, id=8) / Raw(STORM), IP(src=src, dst=dst, proto=51) / Raw(STORM),
                IP(src=src, dst=dst, proto=253) / Raw(STORM)]
    pad = [PadN(optdata=b"\0" * 4)]
    head = IPv6(src=src, dst=dst)
    return [head / udp, head / IPv6ExtHdrHopByHop(options=pad) / udp, head / IPv6ExtHdrDestOpt(options=pad) / udp,
            head / IPv6ExtHdrRouting(segleft=0) / udp,
            head / IPv6ExtHdrHopByHop(options=pad) / IPv6ExtHdrDestOpt(options=pad) / IPv6ExtHdrRouting(segleft=0) / udp,
            head / IPv6ExtHdrFragment(offset=0, m=0, id=7) / udp, head / IPv6ExtHdrFragment(offset=0, m=1, id=8) / udp,
            head / IPv6ExtHdrFragment(offset=1, nh=17, id=8) / Raw(STORM),
            IPv6(src=src, dst=dst, nh=51) / Raw(b"\x11\4\0\0" + bytes(20)) / udp,
            IPv6(src=src, dst=dst, nh=253) / Raw(STORM)]


def storm(interface, mac, src, dst, until):
    frames = [bytes(Ether(dst=mac) / packet) for packet in storm_forms(src, dst)]
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind((interface, 0))
    print("storm", flush=True)
    while not os.path.exists(until):
        for frame in frames:
            try:
                out.send(frame)
            except OSError:     # the link is away for a moment
                pass
            # A pace, so that there is a processor left for those who judge.
            time.sleep(0.01)


def captured(pcap, wanted):
    numbers = subprocess.run(["tshark", "-r", pcap, "-Y", wanted, "-T", "fields", "-e", "frame.number"],
                             capture_output=True, text=True, check=True).stdout.split()
    return rdpcap(pcap)[int(numbers[0]) - 1]


def damaged(packet):
    """One bit of the ICV wrong, and a sequence number that no window has seen."""
    octets = bytearray(bytes(packet))
    kind, header = (IP, 20) if octets[0] >> 4 == 4 else (IPv6, 40)
    octets[header + 6] ^= 0x40
    octets[-1] ^= 1
    return kind(bytes(octets))


def forge(interface, hop, kind, *rest):
    mac = neighbour(interface, hop)
    if kind == "storm":
        storm(interface, mac, *rest)
        return
    if kind in ("replay", "flip"):
        packet = captured(*rest)[Ether].payload
        if kind == "flip":
            packet = damaged(packet)
    elif kind == "vlan":
        packet = Dot1Q(vlan=7) / clear(rest[0], rest[1], "udp", 7)
    elif kind == "other":
        sendp(Ether(dst=mac, type=0x88b5) / Raw(b"forged by the test"), iface=interface, verbose=False)
        return
    elif kind == "arp":
        packet = ARP(op=1, psrc=rest[0], pdst=rest[1]) / Raw(b"forged by the test")
        mac = "ff:ff:ff:ff:ff:ff"
    else:
        packet = clear(rest[0], rest[1], kind, int(rest[2]) if len(rest) > 2 else 7)
    sendp(Ether(dst=mac) / packet, iface=interface, verbose=False)


words = sys.argv[1:]
while words:
    end = words.index("+") if "+" in words else len(words)
    forge(*words[:end])
    words = words[end + 1:]
