#!/usr/bin/python3
"""Is a secret in what ipspctl ike debug -t printed? Secrets are those that charon's log at level 4 shows (the other
end's, which are ours), and the pre-shared key; eight octets in a row of one are enough.   ike_secrets.py CHARON-LOG PRINTED PRE-SHARED-KEY

That the search finds what is there it proves with the SPIs of the IKE SAs, which are no secrets."""
import re
import sys

PIECE = 8   # octets of a secret that nothing else begins to look like


def logged(path):
    """Name: all the octets logged under it."""
    found, name, left = {}, None, 0
    for line in open(path, errors="replace"):
        head = re.search(r"\[(?:IKE|CHD)\]\s+(.*?) => (\d+) bytes", line)
        if head:
            name, left = head.group(1), int(head.group(2))
            found.setdefault(name, []).append(b"")
        elif left > 0 and (octets := re.search(r"\b[0-9]+: ((?:[0-9A-F]{2} ){1,16})", line)):
            some = bytes.fromhex(octets.group(1))[:left]
            found[name][-1] += some
            left -= len(some)
    return found


def printed_octets(path):
    """The hex columns, one message after the other, as octets."""
    out = bytearray()
    for line in open(path, errors="replace"):
        octets = re.match(r"[0-9a-f]{4,}  ((?:[0-9a-f]{2} ?){1,8})", line)
        out += bytes.fromhex(octets.group(1)) if octets else b""
    return bytes(out)


log, printed, psk = sys.argv[1:]
text = open(printed, errors="replace").read()
octets = printed_octets(printed)
kinds = {name: keys for name, keys in logged(log).items()
         if re.match(r"(?i)sk_|skeyseed|.*secret|AUTH =|(encryption|integrity) (initiator|responder) key", name)}
secrets = [(name, key) for name, keys in kinds.items() for key in keys if len(key) >= PIECE]
secrets.append(("the pre-shared key", psk.encode()))
failures = 0
for name, key in secrets:
    pieces = [key[i:i + PIECE] for i in range(len(key) - PIECE + 1)]
    if any(piece in octets or piece.hex() in text.lower() for piece in pieces):
        failures += 1
        print(name, "is printed")
if psk in text:
    failures += 1
    print("the pre-shared key is printed as text")
for needed in ("Sk_d", "Sk_ei", "Sk_pi", "SKEYSEED", "encryption initiator key", "integrity responder key"):
    if not any(name.lower().startswith(needed.lower()) for name in kinds):
        failures += 1
        print("the log has no", needed, "but", sorted(kinds))
spis = {bytes.fromhex(spi.zfill(8)) for spi in
        re.findall(r"([0-9a-f]{8})_[io]\b", open(log, errors="replace").read())}
control = [spi for spi in spis if spi in octets]
if not control:
    failures += 1
    print("not even an SPI is found:", [spi.hex() for spi in spis])
print(len(secrets), "secrets of", len(kinds), "kinds looked for in", len(octets), "octets")
sys.exit(1 if failures else 0)
