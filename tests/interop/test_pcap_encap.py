#!/usr/bin/python3
"""ipsp-pcap encap, judged by scapy, tshark and tcpdump; and encap then decap gives the same capture
again. RFC 4303, 3948, 8200 8.1."""
import shutil
import struct
import subprocess

from pcap_tool import *

AES, SHA1 = cipher_named("aes128-cbc"), integrity_named("hmac-sha1-96")
SHA256 = integrity_named("hmac-sha2-256-128")


def payload(n):
    return UDP(sport=1000 + n, dport=2000) / Raw(bytes(i & 255 for i in range(n)))


def octets(packet):
    return bytes(parse(bytes(packet)))


def encap(name, lines, clear, *options, link=RAW, **expect):
    write_secrets(name, lines)
    write_pcap(name + ".pcap", link, clear)
    counts, said = run("encap", name, name + ".pcap", name + "-esp.pcap", *options, **expect)
    return counts, said


def all_algorithms():
    """Every algorithm and mode; scapy opens what we sealed. One SPI and inner port each."""
    lines, back, clear, sas = [], [], [], []
    pairs = [(c, SHA1 if not c[3] else None) for c in CIPHERS]
    pairs += [(AES, i) for i in INTEGRITIES[1:]]
    spi = 0x1000
    for cipher, integrity in pairs:
        for inner, outer in [(4, 4), (4, 6), (6, 4), (6, 6), (4, None), (6, None)]:
            spi += 1
            source, peer = ENDS[outer or inner]
            words = "proto=udp sport=%d" % spi
            if outer:
                words += " from=" + source
            packet = ip(inner, *(INNER[inner] if outer else ENDS[inner])) / UDP(
                sport=spi, dport=9) / Raw(bytes(spi % 37))
            lines.append(secret_line(spi, peer, cipher, integrity, words))
            back.append(secret_line(spi, peer, cipher, integrity, "replay=64"))
            clear.append(octets(packet))
            sas.append((spi, cipher, integrity, outer))
    counts, _ = encap("all", lines, clear, "--allow-weak")
    check("all encapsulated", counts.get("encapsulated") == len(clear), counts)
    sealed = [f.data for f in read_pcap("all-esp.pcap")[3]]
    for (number, cipher, integrity, outer), want, esp in zip(sas, clear, sealed):
        if cipher[2] == "AES-GCM" and cipher[3] < 16:
            continue    # scapy knows no such ICV
        sa = scapy_sa(number, cipher, integrity, ip(outer, *ENDS[outer]) if outer else None)
        packet = parse(esp)
        check("SPI 0x%x, number 1" % number, (packet[ESP].spi, packet[ESP].seq) == (number, 1))
        got = bytes(sa.decrypt(packet))
        check("scapy opens %s, SPI 0x%x" % (cipher[0], number), got == want, got.hex())
    write_secrets("back", back)
    counts, _ = run("decap", "back", "all-esp.pcap", "all-back.pcap", "--allow-weak", "--strict")
    check("and back", [f.data for f in read_pcap("all-back.pcap")[3]] == clear, counts)


def authenticated_and_compressed():
    """AH that scapy verifies; IPComp that zlib expands, where it makes a packet smaller; and back."""
    text = b"as ever and ever, " * 20
    inner = octets(ip(4, *INNER[4]) / UDP(sport=7, dport=9) / Raw(text))
    short = octets(ip(4, *INNER[4]) / UDP(sport=7, dport=9) / Raw(b"short"))
    plain = octets(ip(6, *ENDS[6]) / UDP(sport=7, dport=9) / Raw(text))
    lines = [ah_line(0x3001, ENDS[4][1], SHA256, "from=%s dst=10.0.0.0/8" % ENDS[4][0]),
             ah_line(0x3002, ENDS[6][1], SHA256)]
    encap("ah", lines, [inner, plain])
    sealed = [f.data for f in read_pcap("ah-esp.pcap")[3]]
    for spi, outer, esp, want in [(0x3001, ip(4, *ENDS[4]), sealed[0], inner), (0x3002, None, sealed[1], plain)]:
        check("scapy verifies AH 0x%x" % spi,
              bytes(scapy_ah(spi, SHA256, outer).decrypt(parse(esp))) == want, esp.hex())
    write_secrets("ah-back", [ah_line(0x3001, ENDS[4][1], SHA256), ah_line(0x3002, ENDS[6][1], SHA256)])
    run("decap", "ah-back", "ah-esp.pcap", "ah-back.pcap", "--strict")
    check("AH and back", [f.data for f in read_pcap("ah-back.pcap")[3]] == [inner, plain])

    lines = [secret_line(0x3003, ENDS[4][1], AES, SHA1, "ipcomp from=%s dst=10.0.0.0/8" % ENDS[4][0]),
             secret_line(0x3004, ENDS[6][1], AES, SHA1, "ipcomp=4000")]
    counts, _ = encap("comp", lines, [inner, short, plain])
    check("three compressed or not", counts.get("encapsulated") == 3, counts)
    sealed = [f.data for f in read_pcap("comp-esp.pcap")[3]]
    got = [scapy_sa(spi, AES, SHA1).decrypt(parse(esp))
           for spi, esp in zip((0x3003, 0x3003, 0x3004), sealed)]
    check("compressed in a tunnel", got[0].proto == 108 and
          inflated(bytes(got[0])[20:]) == (4, 2, inner), got[0].show(dump=True))
    check("too short to be", got[1].proto == 4 and bytes(got[1])[20:] == short)
    check("compressed in transport mode", got[2].nh == 108 and
          inflated(bytes(got[2])[40:]) == (17, 4000, plain[40:]))
    write_secrets("comp-back", [secret_line(0x3003, ENDS[4][1], AES, SHA1, "ipcomp"),
                                secret_line(0x3004, ENDS[6][1], AES, SHA1, "ipcomp=4000")])
    run("decap", "comp-back", "comp-esp.pcap", "comp-back.pcap", "--strict")
    check("and back", [f.data for f in read_pcap("comp-back.pcap")[3]] == [inner, short, plain])


def selectors():
    """First line that matches; what none matches stays; fragments in doubt are refused."""
    lines = [
        secret_line(0x2001, "192.0.2.9", AES, SHA1, "from=192.0.2.1 dst=10.2.0.0/16 proto=tcp"),
        secret_line(0x2002, "192.0.2.9", AES, SHA1, "from=192.0.2.1 dst=10.0.0.0/8 dport=53-99"),
        secret_line(0x2003, "10.9.9.9", AES, SHA1),
    ]
    def packet(dst, proto, dport):
        return bytes(IP(src="10.1.0.1", dst=dst, proto=proto) / Raw(struct.pack(
            "!HHHH", 7, dport, 8, 0) + bytes(12)))
    later = bytes(IP(src="10.1.0.1", dst="10.3.0.1", proto=17, frag=9) / Raw(b"x" * 16))
    cases = [(packet("10.2.3.4", 6, 1), 0x2001), (packet("10.2.3.4", 17, 53), 0x2002),
             (packet("10.2.3.4", 17, 100), None), (packet("10.9.9.9", 17, 1), 0x2003),
             (packet("10.9.9.9", 17, 60), 0x2002), (packet("11.0.0.1", 6, 60), None),
             (bytes(ip(6, *INNER[6]) / payload(4)), None), (later, "drop")]
    counts, _ = encap("some", lines, [c for c, _ in cases])
    got = [f.data for f in read_pcap("some-esp.pcap")[3]]
    want = [(c, s) for c, s in cases if s != "drop"]
    for frame, (clear, spi) in zip(got, want):
        if spi is None:
            check("passes", frame == clear)
        else:
            check("SPI 0x%x" % spi, parse(frame)[ESP].spi == spi, parse(frame))
    check("fragment in doubt", counts.get("dropped") == {"policy-fragment": 1}, counts)
    check("others counted", counts.get("passed") == {"other": 3}, counts)


def in_udp():
    """RFC 3948; a right checksum over IPv6, none over IPv4."""
    lines = [secret_line(0x3001, ENDS[4][1], AES, SHA1, "udp"),
             secret_line(0x3002, ENDS[6][1], AES, SHA1, "udp=4500:61234"),
             secret_line(0x3003, "203.0.113.1", AES, SHA1, "from=203.0.113.2 udp dst=10.0.0.0/8")]
    clear = [octets(ip(4, *ENDS[4]) / payload(20)), octets(ip(6, *ENDS[6]) / payload(21)),
             octets(ip(4, *INNER[4]) / payload(22))]
    encap("udp", lines, clear)
    got = [parse(f.data) for f in read_pcap("udp-esp.pcap")[3]]
    for packet, ports in zip(got, [(4500, 4500), (4500, 61234), (4500, 4500)]):
        check("ports", (packet[UDP].sport, packet[UDP].dport) == ports, packet)
        check("length", packet[UDP].len == len(bytes(packet[UDP])))
        again = parse(bytes(packet))
        if packet.version == 4:
            check("no checksum", packet[UDP].chksum == 0)
            del again.chksum
        else:
            del again[UDP].chksum
        check("headers and checksum as scapy's", bytes(parse(bytes(again))) == bytes(packet))
    write_secrets("udp-back", [line.split(" udp")[0].split(" from")[0] for line in lines])
    run("decap", "udp-back", "udp-esp.pcap", "udp-back.pcap")
    check("ESP in UDP and back", [f.data for f in read_pcap("udp-back.pcap")[3]] == clear)


def judged_by_tshark():
    """tshark decrypts and checks our ICVs; tcpdump -E prints the inner packets."""
    lines, clear = [], []
    for i, (family, integrity) in enumerate([(4, SHA1), (4, SHA256), (6, SHA1), (6, SHA256)]):
        lines.append(secret_line(0x4001 + i, ENDS[family][1], AES, integrity,
                                 "from=%s proto=udp sport=%d" % (ENDS[family][0], 4001 + i)))
        clear.append(octets(ip(family, *INNER[family]) / UDP(sport=4001 + i, dport=9) /
                            Raw(b"judged")))
    encap("judged", lines, clear)
    arguments = ["tshark", "-r", path("judged-esp.pcap"), "-T", "fields", "-e", "esp.icv_good",
                 "-e", "udp.srcport", "-o", "esp.enable_encryption_decode:TRUE",
                 "-o", "esp.enable_authentication_check:TRUE", "-o", "udp.check_checksum:TRUE"]
    for i, (family, name) in enumerate([(4, "HMAC-SHA-1-96 [RFC2404]"),
                                        (4, "HMAC-SHA-256-128 [RFC4868]"),
                                        (6, "HMAC-SHA-1-96 [RFC2404]"),
                                        (6, "HMAC-SHA-256-128 [RFC4868]")]):
        key_len = 20 if "-1-" in name else 32
        arguments += ["-o", 'uat:esp_sa:"IPv%d","*","*","0x%08x","AES-CBC [RFC3602]","0x%s","%s",'
                      '"0x%s"' % (family, 0x4001 + i, KEY[:16].hex(), name,
                                  KEY[64:64 + key_len].hex())]
    done = subprocess.run(arguments, capture_output=True, timeout=120,
                          env=dict(os.environ, HOME=DIR))
    got = done.stdout.decode().split("\n")[:4]
    check("tshark opens and checks", got == ["1\t%d" % (4001 + i) for i in range(4)] or
          got == ["True\t%d" % (4001 + i) for i in range(4)], done.stdout + done.stderr)

    secrets = write_secrets("judged-tcpdump", [
        "0x%x@%s aes128-cbc-hmac96:0x%s" % (0x4001 + i, ENDS[f][1], KEY[:16].hex())
        for i, f in [(0, 4), (2, 6)]])
    done = subprocess.run(["tcpdump", "-Z", "root", "-nt", "-E", "file " + secrets, "-r",
                           path("judged-esp.pcap")], capture_output=True, timeout=60)
    got = done.stdout.decode().splitlines()
    check("tcpdump opens IPv4", ": IP 10.1.0.5.4001 > 10.2.0.9.9: UDP, length 6" in got[0], got)
    check("tcpdump opens IPv6", ": IP6 fd00:1::5.4003 > fd00:2::9.9: UDP, length 6" in got[2], got)


def long_numbers():
    """64-bit numbers over the end of 32 bits, and the same way back."""
    for name, line in [("hmac", secret_line(0x6001, ENDS[4][1], AES, SHA1)),
                       ("ccm", secret_line(0x6001, ENDS[4][1], cipher_named("aes256-ccm-16")))]:
        clear = [octets(ip(4, *ENDS[4]) / payload(n)) for n in range(40)]
        line += " esn seq=0x3ffffffe8"
        encap(name, [line], clear)
        sealed = [f.data for f in read_pcap(name + "-esp.pcap")[3]]
        check(name + ": low halves", [parse(e)[ESP].seq for e in sealed] ==
              [(0xffffffe9 + n) & 0xffffffff for n in range(40)])
        counts, _ = run("decap", name, name + "-esp.pcap", name + "-back.pcap")
        check(name + ": 64-bit numbers back",
              [f.data for f in read_pcap(name + "-back.pcap")[3]] == clear, counts)
        write_secrets("low", [line.replace(" esn", "").replace("0x3", "0x")])
        counts, _ = run("decap", "low", name + "-esp.pcap", name + "-back.pcap")
        check(name + ": the high half is under the ICV", counts.get("dropped") == {"icv": 40},
              counts)


def refusals():
    """What cannot be sealed is said with its line, before anything is written."""
    key = KEY[:16].hex()
    for name, line, words in [
            ("no integrity key", "0x5001@192.0.2.1 aes128-cbc-hmac96:0x" + key, "integrity key"),
            ("no integrity", "0x5001@192.0.2.1 aes128-cbc:0x" + key, "--allow-weak"),
            ("no SPI", "aes128-cbc:0x" + key, "SPI"),
            ("no source", secret_line(0x5001, "192.0.2.1", AES, SHA1, "mode=tunnel"), "from="),
            ("weak", secret_line(0x5001, "192.0.2.1", cipher_named("3des-cbc"), SHA1), "weak")]:
        _, said = encap("refused", ["# a comment", line], [], expect=2)
        check(name, "refused:2: " in said and words in said, said)
        check(name + ": nothing written", not os.path.exists(path("refused-esp.pcap")))
        check(name + ": no secret said", key not in said and KEY[:24].hex() not in said)
    counts, _ = encap("clear", ["0x5001@192.0.2.1 aes128-cbc:0x" + key],
                      [bytes(ip(4, "192.0.2.7", "192.0.2.1") / payload(3))], "--allow-weak")
    check("no integrity, allowed", counts.get("encapsulated") == 1)
    wrong = [bytes(ip(4, "10.0.0.1", "10.0.0.2") / payload(3))]
    counts, _ = encap("ends", [secret_line(0x5001, "192.0.2.1", AES, SHA1, "dst=10.0.0.0/8")],
                      wrong, "--strict", expect=1)
    check("transport mode of others", counts.get("dropped") == {"transport-address": 1}, counts)


if not shutil.which("tshark") or not shutil.which("tcpdump"):
    print("skipped: no tshark or tcpdump")
    sys.exit(77)
all_algorithms()
authenticated_and_compressed()
selectors()
in_udp()
judged_by_tshark()
long_numbers()
refusals()
finish()
