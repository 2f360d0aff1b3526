#!/usr/bin/python3
"""Compares ipsp-pcap decode with tshark, message by message: ends, exchange, every payload in its order,
transforms, attributes, notifications, identities, selectors.
decode_judge.py PROGRAM PCAP KEYS VERSION"""
import json
import re
import subprocess
import sys

PROGRAM, PCAP, KEYS, VERSION = sys.argv[1:]


def values(layer, name, out):
    """All values of a field, wherever in the tree, in order."""
    if isinstance(layer, dict):
        for key, inside in layer.items():
            if key == name and not isinstance(inside, dict):
                out += inside if isinstance(inside, list) else [inside]
            else:
                values(inside, name, out)
    elif isinstance(layer, list):
        for inside in layer:
            values(inside, name, out)
    return out


def numbers(layer, name):
    return [int(value, 0) for value in values(layer, name, [])]


# What tshark calls a field (in one place or another); what our line begins with.
FIELDS = [
    ("isakmp.exchangetype", "Exchange Type"),
    ("isakmp.prop.number", "Proposal Number"),
    ("isakmp.tf.type", "Transform Type"),
    ("isakmp.ike2.attr.key_length", "ATTR: 14 -|ATTR: KEY_LENGTH -"),
    ("isakmp.notify.msgtype", "Message Type"),
    ("isakmp.id.type", "ID Type"),
    ("isakmp.ts.type", "TS Type"),
    ("isakmp.ts.start_port", "Start Port"),
    ("isakmp.ts.end_port", "End Port"),
    ("isakmp.auth.method", "Auth Method"),
    ("isakmp.key_exchange.dh_group", "Key Exchange Method"),
    ("isakmp.messageid", "Message ID"),
]
OF_VERSION = {
    "1": [
        ("isakmp.nextpayload", "Next Payload"),
        ("isakmp.sa.doi|isakmp.delete.doi|isakmp.notify.doi", "DOI"),
        ("isakmp.prop.transforms", "Transforms"),
        ("isakmp.trans.number", "Transform Number"),
        ("isakmp.trans.id", "Transform ID"),
        ("isakmp.ike.attr.encryption_algorithm", "ATTR: Encryption -"),
        ("isakmp.ike.attr.hash_algorithm", "ATTR: Hash -"),
        ("isakmp.ike.attr.authentication_method", "ATTR: Authentication -"),
        ("isakmp.ipsec.attr.encap_mode", "ATTR: Encapsulation Mode -"),
        ("isakmp.id.port", "Port"),
        ("isakmp.spinum", "SPIs"),
        ("isakmp.ike.attr.group_description|isakmp.ipsec.attr.group_description", "ATTR: Group -"),
        ("isakmp.ike.attr.key_length|isakmp.ipsec.attr.key_length", "ATTR: Key Length -"),
        ("isakmp.ike.attr.life_type|isakmp.ipsec.attr.life_type", "ATTR: Life Type -"),
        ("isakmp.ike.attr.life_duration|isakmp.ipsec.attr.life_duration",
         "ATTR: Life Duration -"),
    ],
    "2": [
        ("isakmp.nextpayload", "Next Payload|Last Substruc"),
    ],
}

def theirs():
    uat = open(KEYS).read().strip()
    out = subprocess.run(["tshark", "-r", PCAP, "-Y", "isakmp", "-T", "json", "--no-duplicate-keys",
                          "-o", f"uat:ikev{VERSION}_decryption_table:{uat}"], capture_output=True, text=True)
    if not out.stdout:
        print("tshark:", out.stderr)
        sys.exit(1)
    return [packet["_source"]["layers"] for packet in json.loads(out.stdout)]


def ours():
    out = subprocess.run([PROGRAM, "decode", "--strict", "--allow-weak", "-K", KEYS, PCAP], capture_output=True,
                         text=True)
    if out.returncode:
        print("it ends with", out.returncode, out.stderr)
        sys.exit(1)
    return [message for message in out.stdout.split("\n\n") if message.strip()]


def told(message, text):
    begin = "|".join(re.escape(part) for part in text.split("|"))
    return [int(n) for n in re.findall(r"(?:%s):? (\d+)" % begin, message)]


ADDRESSES = {
    "1": [("isakmp.id.data.ipv4_addr", "Identification"),
          ("isakmp.id.data.ipv4_subnet", "Mask or end")],
    "2": [("isakmp.ts.start_ipv4", "Starting Address"), ("isakmp.ts.end_ipv4", "Ending Address")],
}

mine, judge = ours(), theirs()
failures = len(mine) != len(judge)
compared = 0
seen = set()
for number, (message, layers) in enumerate(zip(mine, judge)):
    isakmp = layers["isakmp"]
    # tshark opens an IKEv1 message that is sent again as if it followed itself. Ours is as before, to the octet.
    said = message.split("\n", 1)[1]
    if said in seen:
        continue
    seen.add(said)
    for names, text in FIELDS + OF_VERSION[VERSION]:
        want = sorted(n for name in names.split("|") for n in numbers(isakmp, name))
        have = sorted(told(message, text))
        compared += len(want)
        if want != have:
            failures += 1
            print("message %d, %s: %s here, %s there" % (number, names, have, want))
    for name, text in ADDRESSES[VERSION]:
        want = sorted(values(isakmp, name, []))
        have = sorted(re.findall(text + r": ([0-9.]+)$", message, re.MULTILINE))
        compared += len(want)
        if want != have:
            failures += 1
            print("message %d, %s: %s here, %s there" % (number, name, have, want))
if not any("router-a.example" in message for message in mine):
    failures += 1
    print("no identity was decrypted")
print(len(mine), "messages here,", len(judge), "there;", compared, "numbers compared")
sys.exit(1 if failures else 0)
