"""managed_policy.py a|b KEYS IFINDEX: a router's whole policy in one SET of 500 varbinds, shuffled.

KEYS is JSON: {"ab-enc": hexadecimal, ..}, the keys of scripts/testbed-policy.sh, whose policy this
is: two ESP tunnels, and 38 rules more that drop what goes to hosts that do not exist.
"""
import ipaddress
import json
import random
import sys

from manager import Claims, Manager, cell, oid, row, scalar

TRANSFORM = "aes256-sha256"
SITES = {
    "a": {"four": bytes([10, 1, 0, 0]), "six": bytes.fromhex("fd000001") + bytes(12),
          "outer4": bytes([192, 0, 2, 1]), "outer6": bytes.fromhex("20010db8000a") + bytes(9) + b"\1",
          "spi": 8192},
    "b": {"four": bytes([10, 2, 0, 0]), "six": bytes.fromhex("fd000002") + bytes(12),
          "outer4": bytes([198, 51, 100, 1]),
          "outer6": bytes.fromhex("20010db8000b") + bytes(9) + b"\1", "spi": 4096},
}
VARBINDS = 500

claim = Claims()


def classifier(number, family, source, destination, length):
    return row("diffServMultiFieldClfrStatus", (number,), diffServMultiFieldClfrAddrType=family,
               diffServMultiFieldClfrSrcAddr=source, diffServMultiFieldClfrSrcPrefixLength=length,
               diffServMultiFieldClfrDstAddr=destination,
               diffServMultiFieldClfrDstPrefixLength=length)


def rule(name, number, action, group, priority):
    return row("spdRuleDefRowStatus", (name,), spdRuleDefAction=action,
               spdRuleDefFilter=oid("diffServMultiFieldClfrAddrType", number)) + \
        row("spdGroupContRowStatus", (group, priority), spdGroupContComponentName=name)


def tunnel(name, us, them, family, keys):
    """One tunnel: gateway, two SAs with four keys, two classifiers, two rules in two groups."""
    outer = "outer%d" % (4 if family == 1 else 6)
    inner, length = ("four", 16) if family == 1 else ("six", 32)
    here, there = SITES[us], SITES[them]
    made = row("ipsaPeerIdRowStatus", (name, 0), ipsaPeerIdType=1 if family == 1 else 5,
               ipsaPeerIdValue=str(ipaddress.ip_address(there[outer])),
               ipsaPeerIdAddressType=family,
               ipsaPeerIdAddress=there[outer], ipsaPeerIdCredentialName="")
    for direction, keyed, spi, number, source, destination in (
            ("outbound", us + them, there["spi"], 0, here[inner], there[inner]),
            ("inbound", them + us, here["spi"], 1, there[inner], here[inner])):
        keyed += "6" if family == 2 else ""
        for part in "enc", "auth":
            key = "%s-%s" % (keyed, part)
            made += row("ipsaCredRowStatus", (key,), ipsaCredType="sharedSecret",
                        ipsaCredCredential=bytes.fromhex(keys[key]), ipsaCredMngName="",
                        ipsaCredRemoteID="", ipsaCredAdminStatus="enabled")
        way = 1 if direction == "inbound" else 2
        made += row("ipsaSaPreActRowStatus", (name, way), ipsaSaPreActActionLifetimeSec=0,
                    ipsaSaPreActActionType=1, ipsaSaPreActESPSPI=spi + family - 1,
                    ipsaSaPreActESPTransformName=TRANSFORM,
                    ipsaSaPreActESPEncSecretName=keyed + "-enc",
                    ipsaSaPreActESPAuthSecretName=keyed + "-auth",
                    ipsaSaPreActPeerGatewayIdName=name)
        number += 20 if family == 1 else 60
        made += classifier(number, family, source, destination, length)
        made += rule("%s-%s" % (name, direction), number,
                     oid("ipsaSaPreActActionDescription", name, way),
                     "wan-out" if way == 2 else "wan-in", 100 + number)
    return made


def policy(us, keys, ifindex):
    them = "b" if us == "a" else "a"
    made = row("ipsaEspTranRowStatus", (TRANSFORM,), ipsaEspTranMaxLifetimeSec=0,
               ipsaEspTranMaxLifetimeKB=0, ipsaEspTranCipherTransformId=12,
               ipsaEspTranCipherKeyLength=256, ipsaEspTranCipherKeyRounds=0,
               ipsaEspTranIntegrityAlgorithmId=5, ipsaEspTranReplayPrevention="true",
               ipsaEspTranReplayWindowSize=64)
    made += tunnel("tunnel", us, them, 1, keys) + tunnel("tunnel6", us, them, 2, keys)
    for way, group in (1, "wan-in"), (2, "wan-out"):
        made += row("spdEndGroupRowStatus", (way, ifindex), spdEndGroupName=group)
    number = 1000
    while len(made) + 9 <= VARBINDS:
        drop = rule("drop-%d" % number, number, scalar("spdDropAction"), "wan-out", number)
        made += row("diffServMultiFieldClfrStatus", (number,), diffServMultiFieldClfrAddrType=1,
                    diffServMultiFieldClfrDstAddr=bytes([10, 3, number >> 8, number & 255]),
                    diffServMultiFieldClfrDstPrefixLength=32) + drop
        number += 1
    while len(made) < VARBINDS:
        made.append(cell("spdRuleDefDescription", ("drop-%d" % (number - 1 - VARBINDS + len(made)),),
                         "to be filled"))
    return made


def main():
    us, keys, ifindex = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
    manager = Manager()
    made = policy(us, keys, ifindex)
    random.Random(us).shuffle(made)
    before = manager.number("ipspdCommittedGeneration")
    claim.equal("router-%s: the policy is a PDU of 500 varbinds" % us, VARBINDS, len(made))

    # One value of them is bad, whichever it is: nothing of it happens.
    at = next(i for i, (o, _) in enumerate(made) if o == oid("spdEndGroupName", 2, ifindex))
    spoilt = made[:at] + [cell("spdEndGroupName", (2, ifindex), "x" * 33)] + made[at + 1:]
    error, index, _ = manager.set(spoilt)
    claim.equal("... of which one bad value is refused", ("wrongLength", at + 1), (error, index))
    claim.equal("... with all the rest", before, manager.number("ipspdCommittedGeneration"))

    claim.equal("... and in any order it is taken", ("noError", 0), manager.set(made)[:2])
    claim.equal("... as one change", before + 1, manager.number("ipspdCommittedGeneration"))

    # All that was set reads back in one GET, but for secrets and RowStatus.
    expected = {o: v for o, v in made}
    error, _, got = manager.get([o for o, _ in made])
    claim.equal("... and reads back by one GET of 500", ("noError", VARBINDS), (error, len(got)))
    secret, status = oid("ipsaCredCredential"), [c for c in (
        "ipsaCredRowStatus", "ipsaPeerIdRowStatus", "ipsaSaPreActRowStatus", "spdRuleDefRowStatus",
        "diffServMultiFieldClfrStatus", "spdGroupContRowStatus", "spdEndGroupRowStatus",
        "ipsaEspTranRowStatus")]
    actives = tuple(oid(name) for name in status)
    wrong = []
    for o, v in got:
        if o[:len(secret)] == secret:
            good = bytes(v) == b""
        elif any(o[:len(a)] == a for a in actives):
            good = int(v) == 1
        else:
            good = v == expected[o]
        if not good:
            wrong.append((o, v))
    claim.equal("... each value as it was set", [], wrong)


main()
claim.end()
