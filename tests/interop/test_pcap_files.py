#!/usr/bin/python3
"""ipsp-pcap and capture files: link types (judged by tcpdump), pcapng (by editcap), times, byte
orders, snapshot lengths, damaged files, arguments."""
import shutil
import struct
import subprocess

from pcap_tool import *

AES, SHA1 = cipher_named("aes128-cbc"), integrity_named("hmac-sha1-96")
LINES = [secret_line(0x1001, ENDS[f][1], AES, SHA1) for f in (4, 6)]
CLEAR = {f: bytes(parse(bytes(ip(f, *INNER[f]) / UDP(sport=1020, dport=2000) / Raw(b"x" * f))))
         for f in (4, 6)}
PRINTED = {4: "IP 10.1.0.5.1020 > 10.2.0.9.2000: UDP, length 4",
           6: "IP6 fd00:1::5.1020 > fd00:2::9.2000: UDP, length 6"}
# outer family, inner family, packet
ESPS = [(o, i, seal(scapy_sa(0x1001, AES, SHA1, ip(o, *ENDS[o])), CLEAR[i]))
        for o in (4, 6) for i in (4, 6)]

MAC = bytes.fromhex("020000000001020000000002")
SNAP = bytes.fromhex("aaaa03000000")


def be16(n):
    return struct.pack("!H", n)


def ether(family):
    return be16({4: 0x0800, 6: 0x86dd}[family])


def ppp(family):
    return be16({4: 0x21, 6: 0x57}[family])


def af(family, order, v6=24):
    return struct.pack(order + "I", {4: 2, 6: v6}[family])


WIFI = bytes.fromhex("08020000") + MAC + b"\2\0\0\0\0\3" + b"\0\0"
WIFI_QOS = bytes.fromhex("88030000") + MAC + b"\2\0\0\0\0\3" + b"\0\0" + b"\2\0\0\0\0\4" + b"\0\0"
WIFI_PAD = bytes.fromhex("88020000") + MAC + b"\2\0\0\0\0\3" + b"\0\0" + b"\0\0" + b"\0\0"
PPP = b"\xff\3"

# name, number in files, header before a packet of a family and length, tcpdump knows it
LINKS = [
    ("null, little endian", 0, lambda f, n: af(f, "<"), True),
    ("null, big endian", 0, lambda f, n: af(f, ">"), True),
    ("ethernet", 1, lambda f, n: MAC + ether(f), True),
    ("vlan", 1, lambda f, n: MAC + b"\x81\0\0\5" + ether(f), True),
    ("qinq", 1, lambda f, n: MAC + b"\x88\xa8\0\5\x81\0\0\6" + ether(f), True),
    ("802.3", 1, lambda f, n: MAC + be16(8 + n) + SNAP + ether(f), True),
    ("pppoe", 1, lambda f, n: MAC + b"\x88\x64\x11\0\0\7" + be16(2 + n) + ppp(f), True),
    ("mpls", 1, lambda f, n: MAC + b"\x88\x47\0\1\0\x40\0\2\1\x40", True),
    ("mpls null", 1, lambda f, n: MAC + b"\x88\x47" + {4: b"\0\0\1\x40", 6: b"\0\0\x21\x40"}[f],
     True),
    ("token ring", 6, lambda f, n: b"\x10\x40" + MAC + SNAP + ether(f), True),
    ("token ring, routed", 6, lambda f, n: b"\x10\x40" + MAC[:6] + b"\x82" + MAC[7:] +
     b"\6\0\0\x10\0\x20" + SNAP + ether(f), True),
    ("slip", 8, lambda f, n: bytes(16), False),
    ("ppp", 9, lambda f, n: PPP + ppp(f), True),
    ("ppp, short", 9, lambda f, n: ppp(f)[1:], False),
    ("fddi", 10, lambda f, n: b"\x50" + MAC + SNAP + ether(f), True),
    ("ppp serial", 50, lambda f, n: PPP + ppp(f), True),
    ("ppp serial, hdlc", 50, lambda f, n: b"\x0f\0" + ether(f), True),
    ("ppp ether", 51, lambda f, n: b"\x11\0\0\7" + be16(2 + n) + ppp(f), True),
    ("rfc 1483", 100, lambda f, n: SNAP + ether(f), True),
    ("raw", 101, lambda f, n: b"", True),
    ("hdlc", 104, lambda f, n: b"\x0f\0" + ether(f), True),
    ("802.11", 105, lambda f, n: WIFI + SNAP + ether(f), True),
    ("802.11, four addresses, qos", 105, lambda f, n: WIFI_QOS + SNAP + ether(f), True),
    ("frame relay", 107, lambda f, n: b"\x18\x41\3" + {4: b"\xcc", 6: b"\x8e"}[f], True),
    ("frame relay, snap", 107, lambda f, n: b"\x18\x41\3\0\x80\0\0\0" + ether(f), False),
    ("loop", 108, lambda f, n: af(f, ">"), True),
    ("enc", 109, lambda f, n: af(f, "<") + bytes(8), False),
    ("linux cooked", 113, lambda f, n: b"\0\0\0\1\0\6" + MAC[:6] + b"\0\0" + ether(f), True),
    ("pflog", 117, lambda f, n: bytes([61, {4: 2, 6: 24}[f]]) + bytes(62), False),
    ("prism", 119, lambda f, n: struct.pack("<II", 0x44, 144) + bytes(136) + WIFI + SNAP +
     ether(f), True),
    ("ip over fc", 122, lambda f, n: bytes(16) + SNAP + ether(f), True),
    ("sun atm", 123, lambda f, n: b"\2\0\0\x20" + SNAP + ether(f), True),
    ("radiotap", 127, lambda f, n: b"\0\0\x0c\0\2\0\0\0\0\0\0\0" + WIFI + SNAP + ether(f), True),
    ("radiotap, padded", 127, lambda f, n: b"\0\0\x11\0\3\0\0\0" + bytes(8) + b"\x20" + WIFI_PAD +
     SNAP + ether(f), True),
    ("radiotap, two words", 127, lambda f, n: b"\0\0\x19\0\3\0\0\x80" + bytes(16) + b"\x20" +
     WIFI_PAD + SNAP + ether(f), True),
    ("ip over 1394", 138, lambda f, n: bytes(16) + ether(f), True),
    ("avs", 163, lambda f, n: struct.pack("!II", 0x80211001, 64) + bytes(56) + WIFI + SNAP +
     ether(f), True),
    ("pppd", 166, lambda f, n: b"\1\3" + ppp(f), False),
    ("ppi", 192, lambda f, n: b"\0\0\x08\0" + struct.pack("<I", 105) + WIFI + SNAP + ether(f),
     True),
    ("ppi of ethernet", 192, lambda f, n: b"\0\0\x08\0" + struct.pack("<I", 1) + MAC + be16(8 + n)
     + SNAP + ether(f), True),
    ("ppp, direction", 204, lambda f, n: b"\1" + PPP + ppp(f), False),
    ("hdlc, direction", 205, lambda f, n: b"\1\x0f\0" + ether(f), False),
    ("frame relay, direction", 206, lambda f, n: b"\1\x18\x41\3" + {4: b"\xcc", 6: b"\x8e"}[f],
     False),
    ("mpls alone", 219, lambda f, n: b"\0\1\1\x40", False),
    ("netanalyzer", 240, lambda f, n: bytes(4) + MAC + ether(f), False),
    ("pktap", 258, lambda f, n: struct.pack("<III", 108, 1, 1) + bytes(96) + MAC + ether(f), True),
    ("linux cooked 2", 276, lambda f, n: ether(f) + b"\0\0\0\0\0\1\0\1\0\6" + MAC[:6] + b"\0\0",
     True),
]


def tcpdump(name):
    done = subprocess.run(["tcpdump", "-Z", "root", "-nt", "-r", path(name)], capture_output=True,
                          timeout=60)
    return done.stdout.decode().splitlines()


def link_types():
    for name, number, header, judged in LINKS:
        frames = [Frame(header(o, len(p)) + p + b"\0" * 3, 10**9 * (i + 5) + i + 1)
                  for i, (o, _, p) in enumerate(ESPS)]
        if "802.3" in name or "pppoe" in name or "ether" in name:
            frames = [Frame(f.data[:-3], f.ns) for f in frames]
        write_pcap("link.pcap", number, frames)
        if judged:
            check(name + ": ESP to tcpdump", all(": ESP(" in l for l in tcpdump("link.pcap")),
                  tcpdump("link.pcap"))
        counts, _ = run("decap", "secrets", "link.pcap", "link-out.pcap")
        link, _, _, got = read_pcap("link-out.pcap")
        want = [Frame(header(i, len(CLEAR[i])) + CLEAR[i], f.ns)
                for (_, i, _), f in zip(ESPS, frames)]
        check(name, link == number and got == want, "%s %s" % (got, counts))
        if judged:
            said = tcpdump("link-out.pcap")
            check(name + ": to tcpdump", len(said) == 4 and all(
                PRINTED[i] in l for (_, i, _), l in zip(ESPS, said)), said)


def other_links():
    """One family's link types become raw IP; others pass; lengths grow when sealing."""
    for number, family in [(228, 4), (229, 6)]:
        write_pcap("one.pcap", number, [p for o, _, p in ESPS if o == family])
        run("decap", "secrets", "one.pcap", "one-out.pcap")
        link, _, _, got = read_pcap("one-out.pcap")
        check("link type %d" % number, link == RAW and [f.data for f in got] ==
              [CLEAR[4], CLEAR[6]])
    frames = [ESPS[0][2], b"", b"\1"]
    write_pcap("user.pcap", 147, frames)
    counts, said = run("decap", "secrets", "user.pcap", "user-out.pcap")
    check("an unknown link type passes", [f.data for f in read_pcap("user-out.pcap")[3]] == frames
          and counts.get("passed") == {"not-ip": 3} and "type 147" in said, said)

    frames = [MAC + be16(8 + len(CLEAR[4])) + SNAP + ether(4) + CLEAR[4],
              MAC + b"\x88\x64\x11\0\0\7" + be16(2 + len(CLEAR[4])) + ppp(4) + CLEAR[4]]
    big = ip(4, *INNER[4]) / UDP() / Raw(bytes(1440))
    frames.append(MAC + be16(8 + len(big)) + SNAP + ether(4) + bytes(big))
    write_pcap("grow.pcap", EN10MB, frames)
    write_secrets("grow", [secret_line(0x1001, ENDS[6][1], AES, SHA1, "from=" + ENDS[6][0])])
    counts, _ = run("encap", "grow", "grow.pcap", "grow-out.pcap")
    got = [f.data for f in read_pcap("grow-out.pcap")[3]]
    check("802.3 grows", got[0][12:14] == be16(len(got[0]) - 14) and got[0][20:22] == ether(6))
    check("pppoe grows", got[1][18:20] == be16(len(got[1]) - 20) and got[1][20:22] == ppp(6))
    check("802.3 has an end", got[2] == frames[2] and counts["passed"] == {"link-length": 1},
          counts)
    check("tcpdump reads them", all("ESP(spi=0x00001001" in l for l in tcpdump("grow-out.pcap")[:2]),
          tcpdump("grow-out.pcap"))


def short_frames():
    """Every link type cut at every octet of its header."""
    for name, number, header, _ in LINKS:
        whole = header(4, len(CLEAR[4])) + CLEAR[4]
        frames = [whole[:n] for n in range(len(whole) - len(CLEAR[4]) + 4)]
        write_pcap("short.pcap", number, frames)
        counts, _ = run("decap", "secrets", "short.pcap", "short-out.pcap")
        check(name + ", cut", [f.data for f in read_pcap("short-out.pcap")[3]] == frames, counts)


def formats():
    frames = [Frame(p, 1600000000 * 10**9 + 123456789 + i) for i, (_, _, p) in enumerate(ESPS)]
    want = [Frame(CLEAR[i], f.ns) for (_, i, _), f in zip(ESPS, frames)]
    micro = [Frame(w.data, w.ns // 1000 * 1000) for w in want]
    for name, order, magic, expected in [
            ("nanoseconds", "<", 0xa1b23c4d, want), ("microseconds", "<", 0xa1b2c3d4, micro),
            ("nanoseconds, swapped", ">", 0xa1b23c4d, want),
            ("microseconds, swapped", ">", 0xa1b2c3d4, micro)]:
        write_pcap("format.pcap", RAW, frames, order, magic)
        run("decap", "secrets", "format.pcap", "format-out.pcap")
        link, got_magic, _, got = read_pcap("format-out.pcap")
        check(name, (link, got_magic, got) == (RAW, magic, expected), got)

    def editcap(form, source, target):
        done = subprocess.run(["editcap", "-F", form, path(source), path(target)],
                              capture_output=True, timeout=60, env=dict(os.environ, HOME=DIR))
        check("editcap takes " + source, done.returncode == 0, done.stderr)

    write_pcap("format.pcap", RAW, frames)
    editcap("pcapng", "format.pcap", "format.pcapng")
    run("decap", "secrets", "format.pcapng", "format-out.pcapng")
    editcap("nsecpcap", "format-out.pcapng", "format-out.pcap")
    link, _, _, got = read_pcap("format-out.pcap")
    check("pcapng in and out", (link, got) == (RAW, want), got)
    with open(path("format-out.pcapng"), "rb") as f:
        check("pcapng it is", f.read(4) == b"\x0a\x0d\x0d\x0a")

    with open(path("format.pcap"), "rb") as f:
        done = subprocess.run([PROGRAM, "decap", "-q", "-E", path("secrets"), "--pcapng", "-", "-"],
                              stdin=f, capture_output=True, timeout=60)
    check("a pipe", done.returncode == 0 and done.stderr == b"", done.stderr)
    with open(path("pipe.pcapng"), "wb") as f:
        f.write(done.stdout)
    editcap("nsecpcap", "pipe.pcapng", "pipe.pcap")
    check("what came out of it", read_pcap("pipe.pcap")[3] == want)

    # Two interfaces of one link type are one to libpcap; of two, none.
    done = subprocess.run(["mergecap", "-w", path("two.pcapng"), path("format.pcap"),
                           write_pcap("ether.pcap", EN10MB, [MAC + ether(4) + CLEAR[4]])],
                          capture_output=True, timeout=60, env=dict(os.environ, HOME=DIR))
    check("mergecap", done.returncode == 0, done.stderr)
    counts, said = run("decap", "secrets", "two.pcapng", "two-out.pcap", expect=1)
    check("two link types", "two.pcapng: " in said and "different" in said, said)


def lengths():
    """Packets that were cut pass; sealed ones are not cut by what ESP adds."""
    esp = ESPS[0][2]
    frames = [Frame(esp[:60], 1, len(esp)), Frame(esp[:10], 2, len(esp)), Frame(esp, 3)]
    write_pcap("cut.pcap", RAW, frames, snaplen=len(esp))
    counts, _ = run("decap", "secrets", "cut.pcap", "cut-out.pcap")
    _, _, snaplen, got = read_pcap("cut-out.pcap")
    check("cut packets", got == frames[:2] + [Frame(CLEAR[4], 3)] and snaplen == len(esp), got)
    check("cut packets counted", counts.get("passed") == {"truncated": 2}, counts)
    write_pcap("stub.pcap", EN10MB, [Frame(ether(4)[:9], 1)])
    counts, _ = run("decap", "secrets", "stub.pcap", "stub-out.pcap")
    check("a frame that ends in its link header", counts.get("passed") == {"link-short": 1} and
          read_pcap("stub-out.pcap")[3] == [Frame(ether(4)[:9], 1)], counts)
    write_secrets("grow", [secret_line(0x1001, ENDS[6][1], AES, SHA1, "udp from=" + ENDS[6][0])])
    write_pcap("small.pcap", RAW, [CLEAR[6]], snaplen=len(CLEAR[6]))
    run("encap", "grow", "small.pcap", "small-out.pcap")
    _, _, snaplen, got = read_pcap("small-out.pcap")
    check("sealed and whole", len(got[0].data) == got[0].length <= snaplen, got)
    largest = bytes(ip(4, *INNER[4]) / UDP() / Raw(bytes(65507)))
    beyond = bytes(IP(src=INNER[4][0], dst=INNER[4][1]) / UDP() / Raw(bytes(65000))) + bytes(2000)
    write_pcap("large.pcap", RAW, [largest, beyond])
    counts, _ = run("encap", "grow", "large.pcap", "large-out.pcap")
    check("too large to seal", counts.get("dropped") == {"too-big": 1} and
          counts.get("passed") == {"too-large": 1}, counts)


def damaged():
    write_pcap("good.pcap", RAW, [p for _, _, p in ESPS])
    with open(path("good.pcap"), "rb") as f:
        octets = f.read()
    with open(path("torn.pcap"), "wb") as f:
        f.write(octets[:-5])
    counts, said = run("decap", "secrets", "torn.pcap", "torn-out.pcap", expect=1)
    check("a torn file, as far as it goes", counts.get("written") == 3 and
          len(read_pcap("torn-out.pcap")[3]) == 3 and "torn.pcap: " in said, said)
    with open(path("text.pcap"), "wb") as f:
        f.write(b"not a capture at all")
    _, said = run("decap", "secrets", "text.pcap", "text-out.pcap", expect=2)
    check("no capture", "text.pcap: " in said and not os.path.exists(path("text-out.pcap")), said)
    _, said = run("decap", "secrets", "good.pcap", "good.pcap", expect=2)
    with open(path("good.pcap"), "rb") as f:
        check("not onto itself", f.read() == octets and "is read" in said, said)
    run("decap", "none", "good.pcap", "none-out.pcap", expect=2)
    run("decap", "secrets", "none.pcap", "none-out.pcap", expect=2)
    run("undo", "secrets", "good.pcap", "none-out.pcap", expect=2)
    run("decap", "secrets", "good.pcap", "none-out.pcap", "--nonsense", expect=2)
    check("nothing written", not os.path.exists(path("none-out.pcap")))
    done = subprocess.run([PROGRAM, "decap", "-E", path("secrets"), path("good.pcap"),
                           "/dev/full"], capture_output=True, timeout=60)
    check("a full disk", done.returncode == 1 and b"/dev/full: " in done.stderr, done.stderr)
    done = subprocess.run([PROGRAM, "decap", "-E", "file " + path("secrets"), path("good.pcap"),
                           path("said.pcap")], capture_output=True, timeout=60)
    check("the summary", done.returncode == 0 and
          b"4 packets read, 4 written" in done.stderr, done.stderr)


if not all(shutil.which(p) for p in ("tcpdump", "editcap", "mergecap")):
    print("skipped: no tcpdump, editcap or mergecap")
    sys.exit(77)
write_secrets("secrets", LINES)
link_types()
other_links()
short_frames()
formats()
lengths()
damaged()
finish()
