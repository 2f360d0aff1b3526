#!/usr/bin/python3
"""forge.py IF NEXT-HOP COMMAND ..: puts one hand-made frame on a link; for tests in namespaces.

  udp SRC DST [PORT]     a clear UDP datagram
  frag SRC DST           the second fragment of one, which has no ports
  options SRC DST        IPv4 with options, IPv6 with a hop-by-hop header
  replay PCAP FILTER     the first packet of a capture that the tshark filter finds, once more
  flip PCAP FILTER       the same with a new sequence number and one bit of the ICV changed

The frame goes to the link address that the neighbour table has for NEXT-HOP.
"""
import ipaddress
import logging
import subprocess
import sys

logging.getLogger("scapy").setLevel(logging.CRITICAL)
from scapy.all import (Ether, IP, IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPOption_NOP,  # noqa: E402
                       PadN, Raw, UDP, rdpcap, sendp)


def neighbour(interface, address):
    subprocess.run(["ping", "-q", "-c1", "-W2", address], stdout=subprocess.DEVNULL, check=False)
    out = subprocess.run(["ip", "neigh", "show", address, "dev", interface],
                         capture_output=True, text=True, check=True).stdout.split()
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


def main():
    interface, hop, kind, *rest = sys.argv[1:]
    mac = neighbour(interface, hop)
    if kind in ("replay", "flip"):
        packet = captured(*rest)[Ether].payload
        if kind == "flip":
            packet = damaged(packet)
    else:
        packet = clear(rest[0], rest[1], kind, int(rest[2]) if len(rest) > 2 else 7)
    sendp(Ether(dst=mac) / packet, iface=interface, verbose=False)


main()
