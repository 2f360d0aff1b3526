"""tests/net/pfkey_judge.py PFKEY-SOCKET: every message of PF_KEY to a running ipspd, laid out and read by
tests/net/pfkey_client.py. Says "ok: .." and "FAILED: .."."""
import errno
import struct
import sys
import time

from pfkey_client import *

OURS, PEER = "127.0.0.1", "198.51.100.2"
ENC, AUTH = bytes(range(16)), bytes(range(32))
failed = 0


def claim(text, holds):
    global failed
    failed += not holds
    print(("ok: " if holds else "FAILED: ") + text, flush=True)


def about(spi, src=PEER, dst=OURS, **more):
    return [sa(spi, **more)] + addresses(src, dst)


def keys():
    return [key(E_AUTH, AUTH), key(E_ENCRYPT, ENC)]


def sas(a, b):
    m = a.ask(REGISTER, ESP)
    algs = {m.ext[E_SUPENC][i] for i in range(8, len(m.ext[E_SUPENC]), 8)}
    claim("REGISTER lists what there is", m.errno == 0 and 12 in algs and E_SUPAUTH in m.ext)
    claim("... once", a.ask(REGISTER, ESP).errno == errno.EEXIST)
    m = a.ask(GETSPI, ESP, addresses(PEER, OURS) + [ext(E_RANGE, struct.pack("=III", 4096, 4100, 0))])
    spi = m.spi()
    claim("GETSPI gives one of the range, larval", 4096 <= spi <= 4100 and m.state() == 0)
    claim("... heard by the other", b.hear().octets == m.octets)
    claim("... byte by byte", m.octets == struct.pack("=BBBBHHII", 2, 1, 0, 3, 10, 0, m.seq, m.pid) +
          sa(spi, 0, 0, 0, 0) + address(E_SRC, PEER) + address(E_DST, OURS))
    m = a.ask(GETSPI, ESP, addresses(PEER, OURS) + [ext(E_RANGE, struct.pack("=III", spi, spi, 0))])
    claim("an SPI in use is EEXIST, and only a header",
          m.errno == errno.EEXIST and len(m.octets) == 16)
    parts = about(spi) + [lifetime(E_HARD, add=3600), lifetime(E_SOFT, add=3000)] + keys() + \
        [sa2(TUNNEL, 9)]
    m = a.ask(UPDATE, ESP, parts)
    claim("UPDATE makes it mature and tells no keys",
          m.errno == 0 and set(m.ext) == {E_SA, E_HARD, E_SOFT, E_SRC, E_DST, E_SA2})
    m = a.ask(GET, ESP, about(spi))
    claim("GET tells all, with keys", m.errno == 0 and m.ext[E_AUTH] == key(E_AUTH, AUTH) and
          m.ext[E_ENCRYPT] == key(E_ENCRYPT, ENC) and m.ext[E_SA2] == sa2(TUNNEL, 9) and
          m.ext[E_SA] == sa(spi) and m.ext[E_HARD] == lifetime(E_HARD, add=3600))
    m = a.ask(ADD, ESP, about(0x2000, OURS, PEER) + keys())
    claim("ADD", m.errno == 0 and m.ext[E_SA] == sa(0x2000))
    claim("... twice is EEXIST", a.ask(ADD, ESP, about(0x2000, OURS, PEER) + keys()).errno ==
          errno.EEXIST)
    v6 = [sa(0x2001)] + addresses("2001:db8::1", "2001:db8::2") + keys()
    claim("ADD with IPv6", a.ask(ADD, ESP, v6).errno == 0)
    m = a.ask(GET, ESP, v6[:3])
    claim("... GET returns the same sockaddrs", m.ext[E_SRC] == v6[1] and m.ext[E_DST] == v6[2])
    mixed = [sa(0x2002), address(E_SRC, OURS), address(E_DST, "::1")] + keys()
    claim("a mixed pair of addresses is EINVAL", a.ask(ADD, ESP, mixed).errno == errno.EINVAL)
    claim("an extension twice is EINVAL",
          a.ask(GET, ESP, about(spi) + [sa(spi)]).errno == errno.EINVAL)
    claim("what is missing is EINVAL", a.ask(DELETE, ESP, [sa(spi)]).errno == errno.EINVAL)
    spis = [m.spi() for m in a.dump()]
    claim("DUMP", sorted(spis) == sorted([spi, 0x2000, 0x2001]))
    m = a.ask(DELETE, ESP, about(0x2000, OURS, PEER))
    claim("DELETE", m.errno == 0 and set(m.ext) == {E_SA, E_SRC, E_DST})
    claim("... then ESRCH", a.ask(GET, ESP, about(0x2000, OURS, PEER)).errno == errno.ESRCH)
    a.ask(ADD, ESP, about(0x2003) + [lifetime(E_HARD, add=2), lifetime(E_SOFT, add=1)] + keys())
    told = []
    while len(told) < 2:
        m = a.hear()
        if m.type == EXPIRE:
            told.append((E_SOFT in m.ext, E_HARD in m.ext, m.spi(), m.pid))
    claim("EXPIRE soft, then hard", told == [(True, False, 0x2003, 0), (False, True, 0x2003, 0)])
    claim("FLUSH", len(a.ask(FLUSH).octets) == 16 and a.dump() == [])


# PF_KEY's numbers and octets of keys, those of salts included.
CIPHERS = [(12, 16, 0), (12, 32, 0), (13, 20, 0), (13, 36, 0), (22, 16, 0), (22, 32, 0), (11, 0, 0),
           (14, 19, 1), (15, 27, 1), (16, 35, 1), (18, 20, 1), (19, 28, 1), (20, 36, 1), (23, 20, 1),
           (31, 36, 1)]
INTEGRITIES = [(3, 20), (5, 32), (6, 48), (7, 64), (9, 16), (250, 16)]
WEAK_CIPHERS = [(2, 8), (3, 24), (6, 16), (7, 16)]
WEAK_INTEGRITIES = [(2, 16), (8, 20)]


def key_parts(auth, encrypt):
    octets = bytes((7 * i + 1) % 251 for i in range(64))
    return [key(E_AUTH, octets[:auth])] * bool(auth) + [key(E_ENCRYPT, octets[:encrypt])] * bool(encrypt)


def got(a, satype, parts):
    """Is the SA there, to the octet, as those extensions say, but for its current lifetime?"""
    m = a.ask(GET, satype, [parts[0]] + addresses(PEER, OURS))
    want = {struct.unpack_from("=H", p, 2)[0]: p for p in parts}
    m.ext.pop(E_CURRENT, None)
    return m.errno == 0 and m.satype == satype and m.ext == want


def add_and_get(a, spi, encrypt, encrypt_len, auth, auth_len):
    parts = [sa(spi, auth=auth, encrypt=encrypt)] + addresses(PEER, OURS) + \
        key_parts(auth_len, encrypt_len) + [sa2(TRANSPORT, 0)]
    m = a.ask(ADD, ESP, parts)
    return m.errno == 0 and got(a, ESP, parts)


def algorithms(a):
    spi = 0x5000
    for encrypt, encrypt_len, combined in CIPHERS:
        good = True
        for auth, auth_len in [(0, 0)] if combined else INTEGRITIES:
            good &= add_and_get(a, spi, encrypt, encrypt_len, auth, auth_len)
            spi += 1
        claim(f"ESP with cipher {encrypt}, key of {encrypt_len} octets, and what goes with it", good)
    refused = [a.ask(ADD, ESP, about(spi, encrypt=e, auth=5) + key_parts(32, n)).errno
               for e, n in WEAK_CIPHERS]
    refused += [a.ask(ADD, ESP, about(spi, auth=i) + key_parts(n, 16)).errno
                for i, n in WEAK_INTEGRITIES]
    claim("weak algorithms are EPROTONOSUPPORT", set(refused) == {errno.EPROTONOSUPPORT})
    listed = a.ask(REGISTER, AH).ext
    claim("REGISTER for AH lists integrity alone, no weak one", set(listed) == {E_SUPAUTH} and
          {listed[E_SUPAUTH][i] for i in range(8, len(listed[E_SUPAUTH]), 8)} ==
          {3, 5, 6, 7, 9, 11, 12, 13, 250})
    for auth, auth_len in INTEGRITIES + [(11, 20), (12, 28), (13, 36)]:
        parts = [sa(spi, auth=auth, encrypt=0)] + addresses(PEER, OURS) + key_parts(auth_len, 0) + \
            [sa2(TUNNEL, 7)]
        claim(f"AH with {auth} is there to the octet",
              a.ask(ADD, AH, parts).errno == 0 and got(a, AH, parts))
        spi += 1
    claim("AH with a cipher is EINVAL",
          a.ask(ADD, AH, about(spi) + key_parts(32, 16)).errno == errno.EINVAL)
    a.ask(FLUSH)


def other_types(a):
    """GETSPI, UPDATE, GET, DUMP of AH and IPComp."""
    kinds = [(AH, dict(auth=5, encrypt=0), key_parts(32, 0)),
             (IPCOMP, dict(auth=0, encrypt=2, replay=0), [])]
    for satype, numbers, keyed in kinds:
        name = {AH: "AH", IPCOMP: "IPComp"}[satype]
        m = a.ask(GETSPI, satype, addresses(PEER, OURS) +
                  [ext(E_RANGE, struct.pack("=III", 0x1000, 0x1fff, 0))])
        spi = m.spi()
        claim(f"{name}: GETSPI, larval to the octet", m.octets[16:] == sa(spi, 0, 0, 0, 0) +
              address(E_SRC, PEER) + address(E_DST, OURS) and m.satype == satype)
        parts = [sa(spi, **numbers), lifetime(E_HARD, add=3600), lifetime(E_SOFT, add=3000)] + \
            addresses(PEER, OURS) + keyed + [sa2(TRANSPORT, 9)]
        m = a.ask(UPDATE, satype, parts)
        claim(f"{name}: UPDATE", m.errno == 0 and E_AUTH not in m.ext and got(a, satype, parts))
        parts[1] = lifetime(E_HARD, add=7200)
        claim(f"{name}: UPDATE of its lifetime", a.ask(UPDATE, satype, parts[:2] + parts[3:]).errno == 0
              and got(a, satype, parts))
        found = a.dump(satype=satype)
        claim(f"{name}: DUMP of its type alone", [x.spi() for x in found] == [spi] and
              found[0].ext[E_SA] == parts[0])
    ours = a.ask(REGISTER, IPCOMP).ext
    claim("REGISTER for IPComp lists deflate",
          ours == {E_SUPENC: ext(E_SUPENC, struct.pack("=IBBHHH", 0, 2, 0, 0, 0, 0))})
    claim("... and its DELETE", a.ask(DELETE, IPCOMP, [parts[0]] + addresses(PEER, OURS)).errno == 0)
    a.ask(FLUSH)


def lifetimes_of_policies(a):
    both = selector("10.7.0.0/16", "10.8.0.0/16")
    m = a.ask(SPDADD, 0, both + [policy(NONE, OUT), lifetime(E_HARD, add=60, use=30)])
    m = a.ask(SPDGET, 0, [policy(0, OUT, m.index())])
    packets, octets, added, used = struct.unpack_from("=IQQQ", m.ext[E_CURRENT], 4)
    claim("a policy tells its lifetimes", m.ext[E_HARD] == lifetime(E_HARD, add=60, use=30))
    claim("... and its use", (packets, octets, used) == (0, 0, 0) and abs(time.time() - added) < 60)
    m = a.ask(SPDADD, 0, selector("10.9.0.0/16", "10.8.0.0/16") +
              [policy(NONE, OUT), lifetime(E_HARD, use=1)])
    while a.hear().type != SPDEXPIRE:
        pass
    claim("... that is not used for its time goes", len(a.dump(SPDDUMP)) == 1)
    a.ask(SPDFLUSH)


def policies(a):
    out = selector("10.1.0.0/16", "10.2.0.0/16")
    tunnel = [request(50, TUNNEL, 2, 0, OURS, PEER)]
    m = a.ask(SPDADD, 0, out + [policy(IPSEC, OUT, 0, 7, tunnel)])
    index = m.index()
    claim("SPDADD is answered with an index", m.errno == 0 and index & 7 == OUT)
    claim("... and the whole policy", m.ext[E_POLICY] == policy(IPSEC, OUT, index, 7, tunnel) and
          m.ext[E_SRC] == out[0] and m.ext[E_DST] == out[1])
    claim("... twice is EEXIST", a.ask(SPDADD, 0, out + [policy(NONE, OUT)]).errno == errno.EEXIST)
    m = a.ask(SPDUPDATE, 0, out + [policy(DISCARD, OUT, 0, 8)])
    claim("SPDUPDATE keeps the index", m.index() == index)
    claim("SPDSETIDX", a.ask(SPDSETIDX, 0, selector("10.9.0.0/16", "10.8.0.0/16") +
                             [policy(NONE, FWD)]).errno == 0)
    claim("SPDGET", a.ask(SPDGET, 0, [policy(0, OUT, index)]).ext[E_POLICY] ==
          policy(DISCARD, OUT, index, 8))
    claim("SPDDUMP", [m.seq for m in a.dump(SPDDUMP)] == [1, 0])
    claim("SPDDELETE2", a.ask(SPDDELETE2, 0, [policy(0, OUT, index)]).errno == 0)
    claim("SPDDELETE of what is not there is ENOENT",
          a.ask(SPDDELETE, 0, out + [policy(0, OUT)]).errno == errno.ENOENT)
    mask = [address(FS_SRCMASK, "255.255.0.0"), address(FS_DSTMASK, "255.255.0.0")]
    flow = [address(FS_SRC, "10.1.0.0"), address(FS_DST, "10.2.0.0")] + mask
    a.ask(ADD, ESP, about(0x3000, OURS, PEER) + keys())
    m = a.ask(SPDADD, ESP, about(0x3000, OURS, PEER, encrypt=0, auth=0, replay=0, state=0) + flow)
    claim("ADDFLOW of FreeS/WAN", m.errno == 0 and m.ext[FS_SRC] == flow[0])
    claim("... is a policy", len(a.dump(SPDDUMP)) == 2)
    claim("DELFLOW", a.ask(SPDDELETE, ESP, flow).errno == 0)
    claim("SPDFLUSH", a.ask(SPDFLUSH).errno == 0 and a.dump(SPDDUMP) == [])


def many(a, n):
    a.ask(FLUSH)
    base = addresses(OURS, PEER)
    for i in range(n):
        a.send(ADD, ESP, [sa(0x10000 + i)] + base + keys())
        while a.hear().type != ADD:
            pass
    claim(f"DUMP of {n} SAs tells each once", len({m.spi() for m in a.dump()}) == n)
    a.ask(FLUSH)


def main():
    a, b = Client(sys.argv[1]), Client(sys.argv[1])
    sas(a, b)
    b.socket.close()
    algorithms(a)
    other_types(a)
    policies(a)
    lifetimes_of_policies(a)
    many(a, 5000)
    print(f"the end, {failed} failed")


main()
