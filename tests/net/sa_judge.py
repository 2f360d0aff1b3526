"""tests/net/sa_judge.py PFKEY-SOCKET PCAP: opens the ESP and AH of a capture with the keys that the SAs there have at the
moment, as PF_KEY tells them: ESP by tshark, AH by scapy, and so ESP of AES-GCM with 64-bit numbers, which tshark does not
check. One line a kind of packet: how many there were, "good" or "bad", and the protocols from the outside to the inside.
With bad ones, or none, it fails."""
import collections
import socket
import subprocess
import sys

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import AH as AhHeader
from scapy.layers.ipsec import ESP as EspHeader
from scapy.layers.ipsec import IPSecIntegrityError, SecurityAssociation
from scapy.utils import rdpcap

from pfkey_client import AH, DUMP, E_AUTH, E_DST, E_ENCRYPT, E_SA, E_SA2, ESP, TUNNEL, Client

ESN = 0x400  # of an SA's flags
# PF_KEY's numbers; the judges' names.
CIPHERS = {3: "TripleDES-CBC [RFC2451]", 12: "AES-CBC [RFC3602]", 20: "AES-GCM with 16 octet ICV [RFC4106]"}
INTEGRITIES = {0: "NULL", 5: "HMAC-SHA-256-128 [RFC4868]", 6: "HMAC-SHA-384-192 [RFC4868]"}
OF_AH = {5: "SHA2-256-128", 6: "SHA2-384-192"}


def octets(extension):
    """Of a key; none where there is no such extension."""
    bits = int.from_bytes(extension[4:6], sys.byteorder) if extension else 0
    return extension[8:8 + bits // 8] if extension else b""


def is_ipv6(sa):
    return int.from_bytes(sa.ext[E_DST][8:10], sys.byteorder) == socket.AF_INET6


def has_esn(sa):
    return bool(int.from_bytes(sa.ext[E_SA][12:16], sys.byteorder) & ESN)


def by_tshark(sas, pcap):
    if not sas:
        return
    arguments = ["tshark", "-n", "-r", pcap, "-T", "fields", "-e", "frame.protocols", "-e", "esp.icv_good",
                 "-Y", " or ".join("esp.spi == %#x" % sa.spi() for sa in sas),
                 "-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE"]
    for sa in sas:
        auth, encrypt = sa.ext[E_SA][10:12]
        arguments += ["-o", 'uat:esp_sa:"IPv%d","*","*","0x%08x","%s","0x%s","%s","%s"' % (
            6 if is_ipv6(sa) else 4, sa.spi(), CIPHERS[encrypt], octets(sa.ext[E_ENCRYPT]).hex(), INTEGRITIES[auth],
            "0x" + octets(sa.ext[E_AUTH]).hex() if auth else "")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        protocols, good = line.split("\t")
        # eth:ethertype:ip:esp:icmp:data and so on.
        yield good in ("1", "True"), protocols.split(":", 2)[2].removesuffix(":data")


def association(sa):
    header = (IPv6() if is_ipv6(sa) else IP()) if sa.ext[E_SA2][4] == TUNNEL else None
    if sa.satype == AH:
        return SecurityAssociation(AhHeader, spi=sa.spi(), auth_algo=OF_AH[sa.ext[E_SA][10]],
                                   auth_key=octets(sa.ext[E_AUTH]), tunnel_header=header, esn_en=has_esn(sa))
    return SecurityAssociation(EspHeader, spi=sa.spi(), crypt_algo="AES-GCM", crypt_key=octets(sa.ext[E_ENCRYPT]),
                               tunnel_header=header, esn_en=has_esn(sa))


def names(inside):
    """Of its headers, as tshark calls them. They are read here, as scapy leaves octets what was inside AH."""
    data = bytes(inside)
    found, packet = [], (IPv6 if data[0] >> 4 == 6 else IP)(data)
    while packet.name in ("IP", "IPv6"):
        found.append(packet.name.lower())
        packet = packet.payload
    return found + [packet.name.split(" ")[0].lower()]


def by_scapy(sas, others, pcap):
    """others: SPIs that are another judge's."""
    known = {sa.spi(): association(sa) for sa in sas}
    for frame in rdpcap(pcap):
        packet = frame.payload
        kind = type(packet.payload)
        if kind not in (AhHeader, EspHeader) or packet.payload.spi in others:
            continue
        outer = [packet.name.lower(), "ah" if kind is AhHeader else "esp"]
        sa = known.get(packet.payload.spi)
        try:
            opened = names(sa.decrypt(packet)) if sa else []
        except IPSecIntegrityError:
            opened = []
        yield bool(opened), ":".join(outer + (opened if sa and sa.tunnel_header else opened[1:]))


def main():
    sas = Client(sys.argv[1]).dump(DUMP)
    plain = [sa for sa in sas if sa.satype == ESP and not has_esn(sa)]
    spis = {sa.spi() for sa in plain}
    found = collections.Counter(by_tshark(plain, sys.argv[2]))
    found.update(by_scapy([sa for sa in sas if sa.satype in (AH, ESP) and sa.spi() not in spis], spis, sys.argv[2]))
    for (good, protocols), n in sorted(found.items()):
        print(n, "good" if good else "bad", protocols)
    return 0 if found and all(good for good, _ in found) else 1


if __name__ == "__main__":
    sys.exit(main())
