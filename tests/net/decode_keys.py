#!/usr/bin/python3
"""A table of IKE SAs' keys (Wireshark's ikev2_decryption_table) from charon's log at level 4 and a
capture.   decode_keys.py LOG PCAP CIPHER INTEGRITY"""
import re
import subprocess
import sys

KEYS = ["Sk_ai", "Sk_ar", "Sk_ei", "Sk_er"]


def logged_keys(path):
    """Name: octets in hex, of the first IKE SA."""
    keys, name, left = {}, None, 0
    for line in open(path, errors="replace"):
        head = re.search(r"\b(Sk_[ae][ir]) (?:secret|key|salt)? ?=> (\d+) bytes", line)
        if head and head.group(1) not in keys:
            name, left = head.group(1), int(head.group(2))
            keys[name] = ""
        elif left > 0:
            octets = re.search(r"\b[0-9]+: ((?:[0-9A-F]{2} ){1,16})", line).group(1).split()[:left]
            keys[name] += "".join(octets).lower()
            left -= len(octets)
    return keys


def spis(path):
    out = subprocess.run(["tshark", "-r", path, "-Y", "isakmp.exchangetype == 35", "-T", "fields",
                          "-e", "isakmp.ispi", "-e", "isakmp.rspi"], capture_output=True, text=True)
    return out.stdout.splitlines()[0].split("\t")


log, pcap, cipher, integrity = sys.argv[1:]
have = logged_keys(log)
print(",".join(spis(pcap) + [have["Sk_ei"], have["Sk_er"], f'"{cipher}"', have.get("Sk_ai", ""),
                             have.get("Sk_ar", ""), f'"{integrity}"']))
