"""tests/net/pfkey_judge.py PFKEY-SOCKET: every message of PF_KEY to a running ipspd, laid out and read by
tests/net/pfkey_client.py. Says "ok: .." and "FAILED: .."."""
import errno
import struct
import sys

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
    policies(a)
    many(a, 5000)
    print(f"the end, {failed} failed")


main()
