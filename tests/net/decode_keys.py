#!/usr/bin/python3
"""A table of IKE SAs' keys (Wireshark's ikev2_decryption_table, or ikev1's if no algorithms are given) from
charon's log at level 4 and a capture.   decode_keys.py LOG PCAP [CIPHER INTEGRITY]"""
import re
import subprocess
import sys


def logged_keys(path):
    """Name: octets in hex, of the first IKE SA."""
    keys, name, left = {}, None, 0
    for line in open(path, errors="replace"):
        head = re.search(r"\b(Sk_[ae][ir]|Ka) (?:secret|key|salt)? ?=> (\d+) bytes", line)
        if head and head.group(1) not in keys:
            name, left = head.group(1), int(head.group(2))
            keys[name] = ""
        elif left > 0:
            octets = re.search(r"\b[0-9]+: ((?:[0-9A-F]{2} ){1,16})", line).group(1).split()[:left]
            keys[name] += "".join(octets).lower()
            left -= len(octets)
    return keys


def spis(path):
    out = subprocess.run(["tshark", "-r", path, "-Y", "isakmp.exchangetype in {35, 2, 4}", "-T", "fields",
                          "-e", "isakmp.ispi", "-e", "isakmp.rspi"], capture_output=True, text=True)
    return out.stdout.splitlines()[0].split("\t")


log, pcap = sys.argv[1:3]
have = logged_keys(log)
if len(sys.argv) == 3:
    print(",".join([spis(pcap)[0], have["Ka"]]))
else:
    cipher, integrity = sys.argv[3:]
    print(",".join(spis(pcap) + [have["Sk_ei"], have["Sk_er"], f'"{cipher}"', have.get("Sk_ai", ""),
                                 have.get("Sk_ar", ""), f'"{integrity}"']))
