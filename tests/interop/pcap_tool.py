"""What the tests of ipsp-pcap share: captures written and read without any library, the tool, and
scapy's SAs for each algorithm."""
import atexit
import json
import logging
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import warnings
import zlib

warnings.filterwarnings("ignore")
logging.getLogger("scapy").setLevel(logging.ERROR)
try:
    from scapy.layers.inet import ICMP, IP, UDP
    from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop
    from scapy.layers.ipsec import AH, ESP, SecurityAssociation
    from scapy.packet import Raw
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

PROGRAM = os.path.join(os.environ.get("TB_BUILD", "."), "ipsp-pcap/ipsp-pcap")
DIR = tempfile.mkdtemp(prefix="ipsp-pcap-test-")
atexit.register(shutil.rmtree, DIR, True)

EN10MB, RAW, SLL, NULL = 1, 101, 113, 0
KEY = bytes(range(0x10, 0xd0))

# The ends of tunnels and of transport mode, and those of inner packets.
ENDS = {4: ("192.0.2.1", "198.51.100.2"), 6: ("2001:db8::1", "2001:db8:ffff::2")}
INNER = {4: ("10.1.0.5", "10.2.0.9"), 6: ("fd00:1::5", "fd00:2::9")}

# name in secrets files, octets of key and salt, scapy's cipher, octets of its ICV
CIPHERS = [
    ("none", 0, "NULL", 0),
    ("des-cbc", 8, "DES", 0),
    ("3des-cbc", 24, "3DES", 0),
    ("blowfish-cbc", 16, "Blowfish", 0),
    ("cast128-cbc", 16, "CAST", 0),
    ("aes128-cbc", 16, "AES-CBC", 0),
    ("aes192-cbc", 24, "AES-CBC", 0),
    ("aes256-cbc", 32, "AES-CBC", 0),
    ("aes128-ctr", 20, "AES-CTR", 0),
    ("aes256-ctr", 36, "AES-CTR", 0),
    ("aes128-ccm-8", 19, "AES-CCM", 8),
    ("aes192-ccm-12", 27, "AES-CCM", 12),
    ("aes256-ccm-16", 35, "AES-CCM", 16),
    ("aes128-gcm-8", 20, "AES-GCM", 8),
    ("aes192-gcm-12", 28, "AES-GCM", 12),
    ("aes256-gcm-16", 36, "AES-GCM", 16),
]
# name, octets of key, scapy's name, octets of ICV
INTEGRITIES = [
    ("hmac-sha1-96", 20, "HMAC-SHA1-96", 12),
    ("hmac-sha2-256-128", 32, "SHA2-256-128", 16),
    ("hmac-sha2-384-192", 48, "SHA2-384-192", 24),
    ("hmac-sha2-512-256", 64, "SHA2-512-256", 32),
    ("hmac-md5-96", 16, "HMAC-MD5-96", 12),
]

passed = 0
failures = []


def check(name, good, detail=""):
    global passed
    if good:
        passed += 1
    else:
        failures.append(name)
        print("FAILED", name, detail)


def finish():
    print("%d checks, %d failures" % (passed + len(failures), len(failures)))
    sys.exit(1 if failures else 0)


def path(name):
    return os.path.join(DIR, name)


class Frame:
    def __init__(self, data, ns=0, length=None):
        self.data, self.ns = bytes(data), ns
        self.length = len(self.data) if length is None else length

    def __eq__(self, other):
        return (self.data, self.ns, self.length) == (other.data, other.ns, other.length)

    def __repr__(self):
        return "<%d ns, %d of %d: %s>" % (self.ns, len(self.data), self.length, self.data.hex())


def write_pcap(name, link, frames, order="<", magic=0xa1b23c4d, snaplen=262144):
    """Frames (or octets), by default with nanoseconds."""
    unit = 1 if magic == 0xa1b23c4d else 1000
    with open(path(name), "wb") as f:
        f.write(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link))
        for frame in frames:
            frame = frame if isinstance(frame, Frame) else Frame(frame)
            f.write(struct.pack(order + "IIII", frame.ns // 10**9, frame.ns % 10**9 // unit,
                                len(frame.data), frame.length) + frame.data)
    return path(name)


def read_pcap(name):
    """(link type, magic, snaplen, frames)"""
    with open(path(name), "rb") as f:
        octets = f.read()
    magic, _, _, _, _, snaplen, link = struct.unpack_from("<IHHiIII", octets)
    unit = 1 if magic == 0xa1b23c4d else 1000
    frames, at = [], 24
    while at < len(octets):
        sec, frac, caplen, length = struct.unpack_from("<IIII", octets, at)
        frames.append(Frame(octets[at + 16:at + 16 + caplen], sec * 10**9 + frac * unit, length))
        at += 16 + caplen
    return link, magic, snaplen, frames


def write_secrets(name, lines, mode=0o600):
    with open(path(name), "w") as f:
        f.write("".join(line + "\n" for line in lines))
    os.chmod(path(name), mode)
    return path(name)


def run(command, secrets, source, target, *options, expect=0):
    """Runs the tool; its summary. Names are of files in DIR."""
    done = subprocess.run([PROGRAM, command, "-E", path(secrets), "--json", *options,
                           path(source), path(target)], capture_output=True, timeout=120)
    text = done.stderr.decode()
    check("%s %s ends with %d" % (command, source, expect), done.returncode == expect,
          "%d %s" % (done.returncode, text))
    lines = [line for line in text.splitlines() if line.startswith("{")]
    return (json.loads(lines[0]) if lines else {}), text


def ip(family, src, dst, **fields):
    return IP(src=src, dst=dst, **fields) if family == 4 else IPv6(src=src, dst=dst, **fields)


def parse(octets):
    return IP(octets) if octets[0] >> 4 == 4 else IPv6(octets)


def scapy_sa(spi, cipher, integrity=None, outer=None, **more):
    """A row of CIPHERS, one of INTEGRITIES or None, an outer header or None."""
    _, key_len, algorithm, icv_len = cipher
    more.update(crypt_algo=algorithm, crypt_key=KEY[:key_len] or None, tunnel_header=outer)
    if icv_len:
        more.update(crypt_icv_size=icv_len)
    if integrity:
        more.update(auth_algo=integrity[2], auth_key=KEY[64:64 + integrity[1]])
    return SecurityAssociation(ESP, spi=spi, **more)


def ah_line(spi, address, integrity, words=""):
    line = "0x%x@%s ah-%s:0x%s" % (spi, address, integrity[0], KEY[64:64 + integrity[1]].hex())
    return line + (" " + words if words else "")


def scapy_ah(spi, integrity, outer=None, **more):
    return SecurityAssociation(AH, spi=spi, auth_algo=integrity[2],
                               auth_key=KEY[64:64 + integrity[1]], tunnel_header=outer, **more)


def deflated(octets, next_header, cpi=2):
    """RFC 3173 3.3, RFC 2394: an IPComp header and what follows it."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    return struct.pack("!BBH", next_header, 0, cpi) + squeeze.compress(octets) + squeeze.flush()


def inflated(octets):
    """(next header, CPI, what was compressed)"""
    next_header, _, cpi = struct.unpack_from("!BBH", octets)
    return next_header, cpi, zlib.decompress(octets[4:], -15)


def seal(sa, clear, **more):
    """Octets of clear under a scapy SA, with two things put right that scapy leaves: the length in
    the UDP header, and GCM's ICV, which it never cuts (RFC 4106 6: the first octets)."""
    octets = bytearray(bytes(sa.encrypt(parse(bytes(clear)), **more)))
    if sa.crypt_algo.name == "AES-GCM" and sa.crypt_icv_size:
        del octets[len(octets) - 16 + sa.crypt_icv_size:]
    if octets[0] >> 4 == 6:
        octets[4:6] = (len(octets) - 40).to_bytes(2, "big")
        return bytes(octets)
    header = (octets[0] & 15) * 4
    octets[2:4] = len(octets).to_bytes(2, "big")
    if octets[9] == 17:
        octets[header + 4:header + 6] = (len(octets) - header).to_bytes(2, "big")
    packet = IP(bytes(octets))
    del packet.chksum
    return bytes(packet)[:header] + bytes(octets[header:])


def secret_line(spi, address, cipher, integrity=None, words=""):
    line = "0x%x@%s %s:0x%s" % (spi, address, cipher[0], KEY[:cipher[1]].hex())
    if integrity:
        line += "+%s:0x%s" % (integrity[0], KEY[64:64 + integrity[1]].hex())
    return line + (" " + words if words else "")


def cipher_named(name):
    return next(c for c in CIPHERS if c[0] == name)


def integrity_named(name):
    return next(i for i in INTEGRITIES if i[0] == name)
