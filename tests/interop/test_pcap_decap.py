#!/usr/bin/python3
"""ipsp-pcap decap on ESP and AH that scapy made: algorithms, modes, families, ESP in UDP, one in another,
IPComp, fragments, numbers, ICVs; and beside tcpdump -E, on the same file with the same secrets. RFC 4303, 3948."""
import struct
import subprocess

from pcap_tool import *

AES, SHA1 = cipher_named("aes128-cbc"), integrity_named("hmac-sha1-96")
GCM = cipher_named("aes256-gcm-16")


def payload(n):
    return UDP(sport=1000 + n, dport=2000) / Raw(bytes(i & 255 for i in range(n)))


def algorithms():
    """Each algorithm in each mode and pair of families, one SPI each, in one capture."""
    lines, frames, want = [], [], []
    pairs = [(c, SHA1 if not c[3] else None) for c in CIPHERS]
    pairs += [(AES, i) for i in INTEGRITIES[1:]] + [(cipher_named("none"), i)
                                                   for i in INTEGRITIES]
    spi = 0x1000
    for cipher, integrity in pairs:
        for inner, outer in [(4, 4), (4, 6), (6, 4), (6, 6), (4, None), (6, None)]:
            spi += 1
            ends = ENDS[outer or inner]
            if outer:
                clear = ip(inner, *INNER[inner]) / payload(spi % 50)
                header = ip(outer, *ends)
            else:
                clear = ip(inner, *ends) / payload(spi % 50)
                header = None
            clear = parse(bytes(clear))
            lines.append(secret_line(spi, ends[1], cipher, integrity))
            frames.append(seal(scapy_sa(spi, cipher, integrity, header), clear))
            want.append((spi, cipher[0], bytes(clear)))
    write_secrets("algorithms", lines)
    write_pcap("algorithms.pcap", RAW, frames)
    counts, _ = run("decap", "algorithms", "algorithms.pcap", "out.pcap", "--allow-weak")
    got = read_pcap("out.pcap")[3]
    check("all algorithms decapsulated", counts.get("decapsulated") == len(want), counts)
    for (number, name, clear), frame in zip(want, got):
        check("%s, SPI 0x%x" % (name, number), frame.data == clear, frame)

    # One wrong octet in each ICV.
    write_pcap("damaged.pcap", RAW, [f[:-1] + bytes([f[-1] ^ 1]) for f in frames])
    counts, _ = run("decap", "algorithms", "damaged.pcap", "out.pcap", "--allow-weak")
    check("all wrong ICVs refused", counts.get("dropped") == {"icv": len(frames)}, counts)
    check("nothing of them written", not read_pcap("out.pcap")[3])
    counts, _ = run("decap", "algorithms", "damaged.pcap", "out.pcap", "--allow-weak", "-k",
                    "--strict", expect=1)
    check("kept as they came", [f.data[:-1] for f in read_pcap("out.pcap")[3]] ==
          [f[:-1] for f in frames] and counts.get("dropped-but-written") == len(frames))


def one(name, lines, frames, want, counts_want=None, *options):
    """A capture in raw IP; want: what is written."""
    write_secrets("one", lines)
    write_pcap("one.pcap", RAW, frames)
    counts, _ = run("decap", "one", "one.pcap", "one-out.pcap", *options)
    got = [f.data for f in read_pcap("one-out.pcap")[3]]
    check(name, got == [bytes(w) for w in want], "%s %s" % ([g.hex() for g in got], counts))
    for key, value in (counts_want or {}).items():
        check("%s: %s" % (name, key), counts.get(key) == value, counts)


def clear4(n=20):
    return parse(bytes(ip(4, *INNER[4]) / payload(n)))


def unchecked_icv():
    """tcpdump's -hmac96: 12 octets that are there and not looked at; ours: icv=."""
    sa = scapy_sa(0x2001, AES, SHA1, ip(4, *ENDS[4]))
    good = seal(sa, clear4())
    bad = good[:-12] + bytes(12)
    key = KEY[:16].hex()
    line = "0x2001@198.51.100.2 aes128-cbc-hmac96:0x" + key
    one("hmac96", [line], [good, bad], [clear4()] * 2, {"decapsulated": 2})
    one("hmac96, named too", [line + "+hmac-sha1-96:0x" + KEY[64:84].hex()], [good, bad],
        [clear4()], {"dropped": {"icv": 1}})
    one("no ICV is taken away where none is said", ["0x2001@198.51.100.2 aes128-cbc:0x" + key],
        [good], [], {"dropped": {"esp-short": 1}})
    sa = scapy_sa(0x2001, AES, integrity_named("hmac-sha2-256-128"), ip(4, *ENDS[4]))
    good = seal(sa, clear4())
    one("icv=16", ["0x2001@198.51.100.2 aes128-cbc:0x%s icv=16" % key], [good], [clear4()])
    sa = scapy_sa(0x2001, AES, None, ip(4, *ENDS[4]))
    good = seal(sa, clear4())
    one("no ICV at all", ["0x2001@198.51.100.2 aes128-cbc:0x" + key], [good], [clear4()])
    one("another key", ["0x2001@198.51.100.2 aes128-cbc:0x" + "5a" * 16], [good], [],
        {"decapsulated": 0})
    one("for any SPI", ["aes128-cbc:0x" + key], [good] + [seal(
        scapy_sa(0x3000 + i, AES, None, ip(4, *ENDS[4])), clear4(i)) for i in range(200)],
        [clear4()] + [clear4(i) for i in range(200)])
    text = "0123456789abcdef"
    sa = SecurityAssociation(ESP, spi=0x2001, crypt_algo="AES-CBC", crypt_key=text.encode(),
                             tunnel_header=ip(4, *ENDS[4]))
    one("a key as text", ["# a comment", "", "8193@198.51.100.2\t  aes128-cbc:" + text],
        [seal(sa, clear4())], [clear4()])


def udp_and_others():
    """RFC 3948: ESP, IKE and keepalives on one port; other traffic."""
    line = secret_line(0x2001, ENDS[4][1], AES, SHA1)
    line6 = secret_line(0x2001, ENDS[6][1], AES, SHA1)
    nat = UDP(sport=4500, dport=61234, chksum=0)
    sa = scapy_sa(0x2001, AES, SHA1, ip(4, *ENDS[4]), nat_t_header=nat)
    tunnel = seal(sa, clear4())
    check("scapy put it in UDP", IP(tunnel).proto == 17)
    plain = parse(bytes(ip(4, *ENDS[4]) / payload(33)))
    transport = seal(scapy_sa(0x2001, AES, SHA1, None, nat_t_header=nat), plain)
    inner6 = parse(bytes(ip(6, *INNER[6]) / payload(9)))
    esp6 = seal(scapy_sa(0x2001, AES, SHA1, ip(6, *ENDS[6])), inner6)
    udp6 = bytes(ip(6, *ENDS[6]) / UDP(sport=4500, dport=4500) / Raw(esp6[40:]))
    ike = bytes(ip(4, *ENDS[4]) / UDP(sport=4500, dport=4500) / Raw(bytes(4) + b"x" * 40))
    keepalive = bytes(ip(4, *ENDS[4]) / UDP(sport=4500, dport=4500) / Raw(b"\xff"))
    short = bytes(ip(4, *ENDS[4]) / UDP(sport=4500, dport=4500) / Raw(b"\x00\x00\x20"))
    other = bytes(ip(4, *ENDS[4]) / UDP(sport=4500, dport=4500) / Raw(tunnel[28:32] + b"x" * 90))
    unknown = seal(scapy_sa(0x9999, AES, SHA1, ip(4, *ENDS[4])), clear4())
    elsewhere = seal(scapy_sa(0x2001, AES, SHA1, ip(4, ENDS[4][1], ENDS[4][0])), clear4())
    first = bytes(IP(src=ENDS[4][0], dst=ENDS[4][1], proto=50, flags="MF") / Raw(b"x" * 64))
    ping = bytes(ip(4, *ENDS[4]) / ICMP())
    passing = [ike, keepalive, short, unknown, elsewhere, first, ping, b"\x45\0", b"\x46" + bytes(30)]
    one("ESP in UDP and others", [line, line6], [tunnel, transport, udp6] + passing + [other],
        [clear4(), plain, inner6] + passing,
        {"passed": {"unreadable": 2, "other": 2, "no-sa": 3,
                    "nat-keepalive": 1, "ike": 1}, "dropped": {"esp-short": 1}})
    # UDP's length rules, and what follows is not ESP's.
    trailed = bytearray(tunnel + b"trailer!")
    trailed[2:4] = len(trailed).to_bytes(2, "big")
    one("octets behind UDP", [line], [bytes(trailed)], [clear4()])


def nested():
    """ESP in ESP in ESP, as far as the SAs are known."""
    ends = [("192.0.2.%d" % i, "198.51.100.%d" % i) for i in range(20)]
    packet = clear4()
    layers = []
    for i, (src, dst) in enumerate(ends):
        packet = seal(scapy_sa(0x2100 + i, AES, SHA1, ip(4, src, dst)), packet)
        layers.append(packet)
    lines = [secret_line(0x2100 + i, dst, AES, SHA1) for i, (_, dst) in enumerate(ends)]
    one("three layers", lines[:3], [layers[2]], [clear4()], {"decapsulated": 1, "esp-headers": 3})
    one("two of three layers", lines[1:3], [layers[2]], [layers[0]], {"esp-headers": 2})
    one("no more than sixteen", lines, [layers[19]], [layers[3]], {"esp-headers": 16})
    bad = seal(scapy_sa(0x2101, AES, SHA1, ip(4, *ends[1])),
               layers[0][:-1] + bytes([layers[0][-1] ^ 1]))
    one("the inner one refused", lines[:2], [bad], [], {"dropped": {"icv": 1}})


def headers():
    """Options and extension headers before ESP stay; the next header is put right."""
    plain4 = parse(bytes(IP(src=ENDS[4][0], dst=ENDS[4][1], options=[b"\x94\x04\0\0"]) /
                         payload(11)))
    frames = [seal(scapy_sa(0x2001, AES, SHA1), plain4)]
    plain6 = [parse(bytes(ip(6, *ENDS[6]) / IPv6ExtHdrHopByHop() / payload(12))),
              parse(bytes(ip(6, *ENDS[6]) / IPv6ExtHdrDestOpt() / payload(13)))]
    frames += [seal(scapy_sa(0x2001, AES, SHA1), p) for p in plain6]
    one("headers before ESP", [secret_line(0x2001, ENDS[f][1], AES, SHA1) for f in (4, 6)],
        frames, [plain4] + plain6, {"decapsulated": 3})
    # A mode that was named is kept to.
    tunnel = seal(scapy_sa(0x2001, AES, SHA1, ip(4, *ENDS[4])), clear4())
    one("tunnel named", [secret_line(0x2001, ENDS[4][1], AES, SHA1, "mode=tunnel")],
        [tunnel, frames[0]], [clear4()], {"dropped": {"next-header": 1}})


def numbers():
    """Windows, only if asked for; 64-bit numbers that begin anywhere."""
    sa = scapy_sa(0x2001, AES, SHA1, ip(4, *ENDS[4]))
    frames = [seal(sa, clear4(), seq_num=n) for n in (1, 2, 2, 100, 3)]
    line = secret_line(0x2001, ENDS[4][1], AES, SHA1)
    one("no window", [line], frames, [clear4()] * 5)
    one("a window", [line + " replay=64"], frames, [clear4()] * 3,
        {"dropped": {"replay": 1, "replay-old": 1}})
    high = 0x12
    frames = [seal(scapy_sa(0x2001, GCM, None, ip(4, *ENDS[4]), esn_en=True, esn=hi), clear4(),
                   seq_num=lo)
              for hi, lo in [(high, 0xfffffffe), (high, 0xffffffff), (high + 1, 1), (high + 1, 2)]]
    one("64-bit numbers", [secret_line(0x2001, ENDS[4][1], GCM, None,
                                       "esn seq=0x%x" % (high << 32 | 0xfffffffd))],
        frames, [clear4()] * 4)
    one("64-bit numbers, not said", [secret_line(0x2001, ENDS[4][1], GCM)], frames, [],
        {"dropped": {"icv": 4}})


def authenticated():
    """AH by each algorithm, mode and pair of families; around ESP; damaged; and its own numbers."""
    lines, frames, want = [], [], []
    spi = 0x5000
    for integrity in INTEGRITIES:
        for inner, outer in [(4, 4), (4, 6), (6, 4), (6, 6), (4, None), (6, None)]:
            spi += 1
            ends = ENDS[outer or inner]
            clear = parse(bytes(ip(inner, *(INNER[inner] if outer else ends)) / payload(spi % 50)))
            lines.append(ah_line(spi, ends[1], integrity))
            header = ip(outer, *ends) if outer else None
            frames.append(bytes(scapy_ah(spi, integrity, header).encrypt(clear)))
            want.append(clear)
    one("AH", lines, frames, want, {"decapsulated": len(want)}, "--allow-weak")
    one("AH, damaged", lines, [f[:-1] + bytes([f[-1] ^ 1]) for f in frames], [],
        {"dropped": {"ah-icv": len(want)}}, "--allow-weak")
    ah = integrity_named("hmac-sha2-256-128")
    inside = seal(scapy_sa(0x2001, AES, SHA1, ip(4, *ENDS[4])), clear4())
    # One SPI is two SAs where protocols differ.
    both = [secret_line(0x2001, ENDS[4][1], AES, SHA1), ah_line(0x2001, ENDS[4][1], ah)]
    # Not by scapy, which forgets that AH covers the ESP header; it verifies our AH in test_pcap_encap.py.
    write_secrets("around", both[1:])
    write_pcap("around.pcap", RAW, [inside])
    run("encap", "around", "around.pcap", "around-ah.pcap")
    outside = read_pcap("around-ah.pcap")[3][0].data
    check("AH stands around ESP", outside[9] == 51 and outside[20] == 50)
    one("ESP in AH", both, [outside], [clear4()], {"decapsulated": 1, "esp-headers": 2})
    one("ESP in AH, AH alone known", both[1:], [outside], [inside])
    one("ESP in AH, ESP alone known", both[:1], [outside], [outside], {"passed": {"no-sa": 1}})
    sa = scapy_ah(0x2001, ah, ip(4, *ENDS[4]))
    frames = [bytes(sa.encrypt(clear4(), seq_num=n)) for n in (1, 2, 2)]
    one("AH, a window", [both[1] + " replay=64"], frames, [clear4()] * 2, {"dropped": {"replay": 1}})


def compressed():
    """IPComp in ESP, in AH, in both modes; what was not compressed; and what is damaged."""
    text = b"as ever and ever, " * 20
    ah = integrity_named("hmac-sha2-256-128")
    inner = parse(bytes(ip(4, *INNER[4]) / UDP(sport=7, dport=9) / Raw(text)))
    tunnel = bytes(IP(src=ENDS[4][0], dst=ENDS[4][1], proto=108) / Raw(deflated(bytes(inner), 4)))
    bare = bytes(IP(src=ENDS[4][0], dst=ENDS[4][1], proto=4) / inner)
    host = parse(bytes(ip(6, *ENDS[6]) / UDP(sport=7, dport=9) / Raw(text)))
    transport = bytes(IPv6(src=ENDS[6][0], dst=ENDS[6][1], nh=108) /
                      Raw(deflated(bytes(host)[40:], 17, 0x3456)))
    esp, esp6 = scapy_sa(0x2001, AES, SHA1), scapy_sa(0x2002, AES, SHA1)
    lines = [secret_line(0x2001, ENDS[4][1], AES, SHA1, "ipcomp"),
             secret_line(0x2002, ENDS[6][1], AES, SHA1, "ipcomp=0x3456"),
             ah_line(0x2003, ENDS[4][1], ah, "ipcomp")]
    one("IPComp", lines, [seal(esp, tunnel), seal(esp, bare), seal(esp6, transport),
                          bytes(scapy_ah(0x2003, ah).encrypt(parse(tunnel)))],
        [inner, inner, host, inner], {"decapsulated": 4, "esp-headers": 4})
    damaged = bytes(IP(src=ENDS[4][0], dst=ENDS[4][1], proto=108) / Raw(deflated(bytes(inner), 4)[:-9]))
    other = bytes(IP(src=ENDS[4][0], dst=ENDS[4][1], proto=108) / Raw(deflated(bytes(inner), 4, 300)))
    one("IPComp, damaged or another's", lines, [seal(esp, damaged), seal(esp, other)], [],
        {"dropped": {"ipcomp": 2}})


def fragments():
    """Put together where the first one comes first; all others stay."""
    clear = [parse(bytes(ip(f, *INNER[f]) / UDP(sport=1, dport=2) / Raw(bytes(2000)))) for f in (4, 6)]
    lines = [secret_line(0x2001, ENDS[f][1], AES, SHA1) for f in (4, 6)]
    whole = [seal(scapy_sa(0x2001, AES, SHA1, ip(f, *ENDS[f])), c) for f, c in zip((4, 6), clear)]
    header = IP(whole[0])
    header.id = 77
    del header.chksum
    pieces = [bytes(p) for p in header.fragment(800)]
    pieces6 = []
    for at in range(0, len(whole[1]) - 40, 800):
        part = whole[1][40 + at:40 + at + 800]
        more = at + 800 < len(whole[1]) - 40
        pieces6.append(whole[1][:4] + struct.pack("!HBB", len(part) + 8, 44, 64) + whole[1][8:40] +
                       struct.pack("!BBHI", 50, 0, at | more, 99) + part)
    one("fragments", lines, pieces + pieces6, clear, {
        "decapsulated": 2, "fragments-held": len(pieces) + len(pieces6) - 2, "put-together": 2})
    one("the last two in another order", lines, [pieces[0], pieces[2], pieces[1]], clear[:1])
    one("fragments that overtake their first one", lines, [pieces[1], pieces[0], pieces[2]], [
        pieces[1]], {"passed": {"esp-fragment": 1}, "fragments-held": 2})
    one("fragments of nobody's", lines[1:], pieces, pieces,
        {"passed": {"no-sa": 1, "esp-fragment": len(pieces) - 1}})


def tcpdump_lines(*arguments):
    """What tcpdump says of each packet, without its time."""
    done = subprocess.run(["tcpdump", "-Z", "root", "-nt", *arguments], capture_output=True,
                          timeout=60)
    return done.stdout.decode().splitlines()


def beside_tcpdump():
    """Same file, same secrets: tcpdump prints what we write. Its OpenSSL has AES and 3DES."""
    lines, frames = ["# for tcpdump and ipsp-pcap alike", ""], []
    spi = 0x4000
    for name, key_len, algorithm in [("aes128-cbc", 16, "AES-CBC"), ("aes256-cbc", 32, "AES-CBC"),
                                     ("3des-cbc", 24, "3DES")]:
        for suffix, integrity in [("-hmac96", SHA1), ("", None)]:
            for family in (4, 6):
                spi += 1
                lines.append("0x%x@%s %s%s:0x%s" % (spi, ENDS[family][1], name, suffix,
                                                    KEY[:key_len].hex()))
                sa = scapy_sa(spi, (name, key_len, algorithm, 0), integrity,
                              ip(family, *ENDS[family]))
                esp = seal(sa, clear4(spi % 40))
                # An ICV that is not checked may be wrong, with tcpdump as with us.
                frames.append(esp[:-12] + bytes(12) if integrity else esp)
                frames.append(seal(sa, ip(6, *INNER[6]) / ICMP()))
    write_pcap("judge.pcap", RAW, frames)
    secrets = write_secrets("judge", lines, 0o644)
    _, said = run("decap", "judge", "judge.pcap", "judge-out.pcap", "--allow-weak")
    check("readable secrets are spoken of", "everyone may read" in said, said)
    theirs = tcpdump_lines("-E", "file " + secrets, "-r", path("judge.pcap"))
    ours = tcpdump_lines("-r", path("judge-out.pcap"))
    check("tcpdump decapsulates", len(theirs) == len(ours) == len(frames), len(ours))
    for their, our in zip(theirs, ours):
        check("as tcpdump prints it", "ESP(" in their and their.endswith(": " + our),
              their + " | " + our)


algorithms()
unchecked_icv()
udp_and_others()
nested()
headers()
authenticated()
compressed()
fragments()
numbers()
beside_tcpdump()
finish()
