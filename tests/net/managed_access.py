"""What each user of the shipped dist/snmpd/ipspd.conf may do at each security level: all of it tried.

Run by tests/net/test_access.sh in router-a's namespace.
"""
import re
import sys

from manager import LEVELS, MODEL, Claims, Manager, arcs, cell, oid, row, scalar

import emit_vacm    # noqa: E402 (manager has made its folder known)

SECRET = b"a-secret-nobody-reads"
IDENTITY = b"who@identity.example"
CERTIFICATE = b"0\x82a certificate of somebody"
ADDRESS = bytes([203, 0, 113, 77])
# What no monitor may find, in whatever object: also not in a text for people.
TELLING = (IDENTITY, CERTIFICATE, ADDRESS, b"203.0.113.77")
EVERYTHING = (1, 3, 6, 1)
NOTIFY_VIEW = (1, 3, 6, 1, 6, 3, 16, 1, 4, 1, 7)        # vacmAccessNotifyViewName
CONNECTIONS = oid("ipspdConnReason")
ALLOWED, HIDDEN, DENIED, LOCKED_OUT = "noError", "hidden", "noAccess", "authorizationError"

#            user             level         policy   identities  change policy and secrets
RIGHTS = {
    ("ipspd-writer", "authPriv"): (ALLOWED, ALLOWED, ALLOWED),
    ("ipspd-reader", "authPriv"): (ALLOWED, ALLOWED, DENIED),
    ("ipspd-monitor", "authPriv"): (ALLOWED, HIDDEN, DENIED),
    ("ipspd-monitor", "authNoPriv"): (ALLOWED, HIDDEN, DENIED),
}
# All else, every user at every other level, those without authentication among them.
NOTHING = (LOCKED_OUT,) * 3
USERS = ("ipspd-writer", "ipspd-reader", "ipspd-monitor")

claim = Claims()


def seen(manager, name):
    """What a GET of one object comes to: an error, HIDDEN, or ALLOWED."""
    error, _, varbinds = manager.get([name])
    if error != "noError":
        return error
    return HIDDEN if type(varbinds[0][1]).__name__.startswith("NoSuch") else ALLOWED


def prepare(writer):
    """A policy with identities, a certificate and secrets, manual keys and IKE, so that what is
    observed of it (SAs, connections, peers) has rows too."""
    made = [
        row("ipsaCredRowStatus", ("psk",), ipsaCredType="sharedSecret", ipsaCredCredential=SECRET),
        row("ipsaCredRowStatus", ("cert",), ipsaCredType="x509", ipsaCredCredential=CERTIFICATE),
        row("ipsaPeerIdRowStatus", ("peer", 0), ipsaPeerIdType=3, ipsaPeerIdValue=IDENTITY,
            ipsaPeerIdCredentialName="psk", ipsaPeerIdAddressType=1, ipsaPeerIdAddress=ADDRESS),
        row("ipiaPeerIdFiltRowStatus", ("peers",), ipiaPeerIdFiltIdentityType=3,
            ipiaPeerIdFiltIdentityValue=IDENTITY),
        row("diffServMultiFieldClfrStatus", (1,), diffServMultiFieldClfrAddrType=1,
            diffServMultiFieldClfrDstAddr=ADDRESS, diffServMultiFieldClfrDstPrefixLength=32),
        row("spdRuleDefRowStatus", ("rule",), spdRuleDefDescription="of the operator",
            spdRuleDefFilter=oid("diffServMultiFieldClfrAddrType", 1),
            spdRuleDefAction=oid("ipsaSaPreActActionDescription", "manual", 2)),
        row("spdRuleDefRowStatus", ("ike-rule",), spdRuleDefFilter=oid(
            "diffServMultiFieldClfrAddrType", 1),
            spdRuleDefAction=oid("spdCompActExecutionStrategy", "both")),
        row("spdGroupContRowStatus", ("group", 1), spdGroupContComponentName="ike-rule"),
        row("spdGroupContRowStatus", ("group", 2), spdGroupContComponentName="rule"),
        row("spdEndGroupRowStatus", (2, 77), spdEndGroupName="group"),
        # Manual keys.
        row("ipsaEspTranRowStatus", ("esp",), ipsaEspTranCipherTransformId=12,
            ipsaEspTranCipherKeyLength=256, ipsaEspTranIntegrityAlgorithmId=5),
        row("ipsaCredRowStatus", ("enc",), ipsaCredType="sharedSecret",
            ipsaCredCredential=SECRET[:16] * 2, ipsaCredAdminStatus="enabled"),
        row("ipsaSaPreActRowStatus", ("manual", 2), ipsaSaPreActActionType=1,
            ipsaSaPreActActionLifetimeSec=0, ipsaSaPreActESPSPI=4096,
            ipsaSaPreActESPTransformName="esp", ipsaSaPreActESPEncSecretName="enc",
            ipsaSaPreActESPAuthSecretName="enc", ipsaSaPreActPeerGatewayIdName="peer"),
        # IKE.
        row("ipiaSaNegParamRowStatus", ("std",), ipiaSaNegParamMinLifetimeSecs=300,
            ipiaSaNegParamRefreshThreshSecs=90),
        row("ipiaIkePropRowStatus", ("p1",), ipiaIkePropCipherAlgorithm=7,
            ipiaIkePropCipherKeyLength=256, ipiaIkePropHashAlgorithm=4, ipiaIkePropDhGroup=14,
            ipiaIkePropAuthenticationMethod=1),
        row("ipiaIkeActPropRowStatus", ("ike", 0), ipiaIkeActPropName="p1"),
        row("ipiaIkeActRowStatus", ("ike",), ipiaIkeActParametersName="std",
            ipiaIkeActIdentityType=3, ipiaIkeActIdentityContext="context",
            ipiaIkeActPeerName="peer"),
        row("ipiaIkeIdRowStatus", (77, 3, "context"), ipiaIkeIdCredentialName="psk"),
        row("ipiaIpsecTranRowStatus", (3, "transforms", 0), ipiaIpsecTranTransformName="esp"),
        row("ipiaIpsecPropRowStatus", ("p2", 0, 3), ipiaIpsecPropTransformsName="transforms"),
        row("ipiaIpsecActRowStatus", ("ipsec",), ipiaIpsecActParametersName="std",
            ipiaIpsecActProposalsName="p2", ipiaIpsecActPeerGatewayIdName="peer"),
        row("spdCompActRowStatus", ("both",), spdCompActExecutionStrategy="doAll"),
        row("spdSubActRowStatus", ("both", 0),
            spdSubActSubActionName=oid("ipiaIkeActParametersName", "ike")),
        row("spdSubActRowStatus", ("both", 1),
            spdSubActSubActionName=oid("ipiaIpsecActParametersName", "ipsec")),
    ]
    claim.equal("the writer makes a policy with identities and secrets", ("noError", 0),
                writer.set([v for r in made for v in r])[:2])


def try_writing(manager, who, want):
    """Policy, a secret, the removal of a row, and a PDU in which only one object is a secret."""
    for what, varbinds in (
            ("policy", [cell("spdRuleDefDescription", ("rule",), "changed")]),
            ("a secret", [cell("ipsaCredCredential", ("psk",), SECRET + b"2")]),
            ("a new secret", row("ipsaCredRowStatus", ("another",), ipsaCredType="sharedSecret",
                                 ipsaCredCredential=SECRET)),
            ("the life of a row", [cell("ipsaCredRowStatus", ("another",), "destroy")])):
        error, index, _ = manager.set(varbinds)
        claim.equal("%s changes %s: %s" % (who, what, want), want, error)
        if error == DENIED:
            claim.equal("... and the error names the first object", 1, index)


def contents(varbinds):
    return b"\n".join(bytes(v) for _, v in varbinds if hasattr(v, "asOctets"))


def try_walking(manager, who, identities, hidden):
    """By GETNEXT, and by GETBULK at two sizes, over all there is."""
    error, by_next = manager.walk(EVERYTHING)
    claim.equal("%s walks by GETNEXT" % who, "noError", error)
    by_bulk = manager.walk(EVERYTHING, 40)[1]
    everything = contents(by_next) + contents(by_bulk)
    claim("... and finds no secret", SECRET not in everything)
    # Of ipspd, that is: interfaces come into snmpd's own tables when it thinks of looking.
    claim.equal("... and by GETBULK the same objects", [],
                sorted(o for o in {o for o, _ in by_next} ^ {o for o, _ in by_bulk}
                       if any(o[:len(m.identity.oid)] == m.identity.oid for m in MODEL.served)))
    for what in TELLING:
        if identities == HIDDEN or what in (IDENTITY, CERTIFICATE, ADDRESS):
            claim.equal("... %r: %s" % (what, identities), identities == ALLOWED, what in everything)
    claim("... and connections", any(o[:len(CONNECTIONS)] == CONNECTIONS for o, _ in by_bulk))
    if identities == HIDDEN:
        told = [o for o, _ in by_next + by_bulk if any(o[:len(h)] == h for h in hidden)]
        claim.equal("... nor one object that may tell", [], told)


def try_all(user, level, hidden):
    who = "%s at %s" % (user, level)
    manager = Manager(user, level)
    policy, identities, change = RIGHTS.get((user, level), NOTHING)
    for what, name, want in (
            ("a counter", scalar("ipspdCommittedGeneration"), policy),
            ("a rule", oid("spdRuleDefDescription", "rule"), policy),
            ("an identity", oid("ipsaPeerIdValue", "peer", 0), identities),
            ("an identity in a filter", oid("ipiaPeerIdFiltIdentityValue", "peers"), identities),
            ("a certificate", oid("ipsaCredCredential", "cert"), identities),
            ("whose credential it is", oid("ipsaPeerIdCredentialName", "peer", 0), identities),
            ("that there is a secret", oid("ipsaCredCredential", "psk"), identities)):
        claim.equal("%s reads %s: %s" % (who, what, want), want, seen(manager, name))
    if identities == ALLOWED:
        claim.equal("... of which it reads no octet", b"",
                    bytes(manager.values([oid("ipsaCredCredential", "psk")])[0]))
    try_writing(manager, who, change)
    if policy == ALLOWED:
        try_walking(manager, who, identities, hidden)
    else:
        claim.equal("%s does not walk" % who, (LOCKED_OUT, []), manager.walk(EVERYTHING, 10))


def notify_views():
    """As snmpd has them. RFC 3415: indexed by group, context, model 3 (USM), level."""
    operator = Manager()
    for group, level, want in (("ipspdWriters", 3, b"ipspdAll"), ("ipspdReaders", 3, b"ipspdAll"),
                               ("ipspdMonitors", 2, b"ipspdMonitored")):
        error, _, varbinds = operator.get([NOTIFY_VIEW + arcs(group, "", 3, level)])
        claim.equal("notifications to %s are by the view %s" % (group, want.decode()),
                    ("noError", want), (error, bytes(varbinds[0][1])))


def view_is_whole(path):
    """In the file that snmpd reads: each hidden object is an exclusion of the monitors' view."""
    with open(path, encoding="ascii") as f:
        excluded = set(re.findall(r"(?m)^view ipspdMonitored excluded \.(\S+)$", f.read()))
    want = {".".join(map(str, n.oid)) for n in emit_vacm.hidden(MODEL)}
    claim.equal("the installed file hides what the MIB modules have to hide", want, excluded)


hidden = [n.oid for n in emit_vacm.hidden(MODEL)]
view_is_whole(sys.argv[1])
prepare(Manager("ipspd-writer"))
for each in USERS:
    for at in LEVELS:
        try_all(each, at, hidden)
notify_views()
claim.equal("a user that does not exist gets nothing", True, Manager("nobody").get(
    [scalar("ipspdVersion")])[0] not in (ALLOWED, HIDDEN))
claim.end()
