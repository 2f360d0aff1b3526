#!/usr/bin/python3
"""Compares ipsp-pcap decode with tshark, message by message: ends, exchange, every payload in its order,
transforms, notifications, identities, selectors.   decode_judge.py PROGRAM PCAP KEYS"""
import json
import re
import subprocess
import sys

PROGRAM, PCAP, KEYS = sys.argv[1:]


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


# What tshark calls a field; what our line begins with.
FIELDS = [
    ("isakmp.nextpayload", "Next Payload|Last Substruc"),
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


def theirs():
    uat = open(KEYS).read().strip()
    out = subprocess.run(["tshark", "-r", PCAP, "-Y", "isakmp", "-T", "json", "--no-duplicate-keys",
                          "-o", "uat:ikev2_decryption_table:" + uat], capture_output=True, text=True)
    if not out.stdout:
        print("tshark:", out.stderr)
        sys.exit(1)
    return [packet["_source"]["layers"] for packet in json.loads(out.stdout)]


def ours():
    out = subprocess.run([PROGRAM, "decode", "--strict", "-K", KEYS, PCAP], capture_output=True,
                         text=True)
    if out.returncode:
        print("it ends with", out.returncode, out.stderr)
        sys.exit(1)
    return [message for message in out.stdout.split("\n\n") if message.strip()]


def told(message, text):
    begin = "|".join(re.escape(part) for part in text.split("|"))
    return [int(n) for n in re.findall(r"(?:%s):? (\d+)" % begin, message)]


mine, judge = ours(), theirs()
failures = len(mine) != len(judge)
compared = 0
for number, (message, layers) in enumerate(zip(mine, judge)):
    isakmp = layers["isakmp"]
    for name, text in FIELDS:
        want, have = sorted(numbers(isakmp, name)), sorted(told(message, text))
        compared += len(want)
        if want != have:
            failures += 1
            print("message %d, %s: %s here, %s there" % (number, name, have, want))
    want = sorted(values(isakmp, "isakmp.ts.start_ipv4", []))
    have = sorted(re.findall(r"Starting Address: (\S+)", message))
    if want != have:
        failures += 1
        print("message %d: selectors %s here, %s there" % (number, have, want))
if not any("router-a.example" in message for message in mine):
    failures += 1
    print("no identity was decrypted")
print(len(mine), "messages here,", len(judge), "there;", compared, "numbers compared")
sys.exit(1 if failures else 0)
