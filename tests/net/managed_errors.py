"""Each error of RFC 3416 4.2.5 where it belongs, with the index of the varbind at fault.

Run by tests/net/test_set_errors.sh in router-a's namespace. Every case is a SET of three varbinds or
more whose middle is at fault; the others are good, and none of it may happen.
"""
import socket

import snmp_client
from manager import (CREATE_AND_GO, CREATE_AND_WAIT, DESTROY, TYPES, Claims, Manager, cell, oid, row,
                     scalar)

claim = Claims()
manager = Manager()

FILTER, RULE = "diffServMultiFieldClfrStatus", "spdRuleDefRowStatus"
TRUE, DROP = scalar("spdTrueFilter"), scalar("spdDropAction")
BEFORE = [cell("spdRuleDefDescription", ("stands",), "changed")]
AFTER = row(FILTER, (77,), diffServMultiFieldClfrAddrType=1)


def raw(name, index, kind, what):
    """A varbind with a value of any type."""
    return oid(name, *index), TYPES[kind](what)


def at(*arcs, kind="INTEGER", what=1):
    """A varbind of an object that the MIB modules do not name."""
    return tuple(arcs), TYPES[kind](what)


OTHERS = (1, 3, 6, 1, 2, 1, 2, 2, 1, 7, 1)          # ifAdminStatus.1, outside the operator's view
NO_OBJECT = oid("spdRuleDefAdminStatus")[:-1] + (99, 1, 97)
NO_TABLE = (1, 3, 6, 1, 2, 1, 153, 1, 99, 1, 0)
STANDS = ("stands",)

CASES = [
    # 1: not accessible by the view, or not at all
    ("an object outside the view", "noAccess", [at(*OTHERS)]),
    # 2: no variable of that object can be created or modified
    ("a read-only scalar", "notWritable", [raw("ipspdVersion", (0,), "OCTET STRING", b"9")]),
    ("a read-only column", "notWritable", [raw("spdRuleDefLastChanged", STANDS, "TimeTicks", 0)]),
    ("an index", "notWritable", [at(*oid("spdRuleDefName", "stands"), kind="OCTET STRING", what=b"x")]),
    ("a column that is not there", "notWritable", [at(*NO_OBJECT)]),
    ("a table that is not there", "notWritable", [at(*NO_TABLE)]),
    ("an object for notifications", "notWritable",
     [raw("spdPacketPart", (0,), "OCTET STRING", b"x")]),
    ("a read-only scalar, of a wrong type too", "notWritable", [raw("ipspdVersion", (0,), "INTEGER", 1)]),
    # 3: type
    ("text for a number", "wrongType",
     [raw("spdRuleDefAdminStatus", STANDS, "OCTET STRING", b"enabled")]),
    ("a number for text", "wrongType", [raw("spdRuleDefDescription", STANDS, "INTEGER", 1)]),
    ("Integer32 for Unsigned32", "wrongType",
     [raw("ipsaEspTranReplayWindowSize", ("t",), "INTEGER", 64)]),
    ("IpAddress for an InetAddress", "wrongType",
     [raw("diffServMultiFieldClfrDstAddr", (78,), "IpAddress", "10.0.0.1")]),
    ("Opaque", "wrongType", [raw("spdRuleDefDescription", STANDS, "Opaque", b"x")]),
    ("Counter64", "wrongType", [raw("spdRuleDefFilter", STANDS, "Counter64", 1)]),
    ("a wrong type where there is no row", "wrongType",
     [raw("spdRuleDefDescription", ("absent",), "INTEGER", 1)]),
    ("a wrong type at an impossible index", "wrongType",
     [at(*oid("spdRuleDefDescription") + (0,), what=1)]),
    # 4: length
    ("a name of 33 octets", "wrongLength", [cell("spdEndGroupName", (2, 9), "x" * 33)]),
    ("BITS of three octets for twelve months", "wrongLength",
     [cell("spdTimeFiltMonthOfYearMask", ("t",), bytes(3))]),
    ("a mask of 9 octets for days of the month", "wrongLength",
     [cell("spdTimeFiltDayOfMonthMask", ("t",), bytes(9))]),
    # 6: value
    ("an enumeration without that label", "wrongValue", [raw("spdRuleDefAdminStatus", STANDS, "INTEGER", 7)]),
    ("a number out of range", "wrongValue",
     [raw("diffServMultiFieldClfrDstL4PortMax", (78,), "Unsigned32", 65536)]),
    ("text that is no UTF-8", "wrongValue", [cell("spdRuleDefDescription", STANDS, b"\xc0\x80")]),
    ("notReady", "wrongValue", [raw(RULE, STANDS, "INTEGER", 3)]),
    ("no RowStatus at all", "wrongValue", [raw(RULE, STANDS, "INTEGER", 0)]),
    ("StorageType permanent", "wrongValue", [cell("spdRuleDefStorageType", STANDS, "permanent")]),
    ("StorageType readOnly", "wrongValue", [cell("spdRuleDefStorageType", STANDS, "readOnly")]),
    ("a wrong value at an impossible index", "wrongValue",
     [at(*oid("spdRuleDefAdminStatus") + (0,), what=7)]),
    # 7: could never be created
    ("a name of no octets for an index", "noCreation",
     [at(*oid("spdRuleDefDescription") + (0,), kind="OCTET STRING", what=b"x")]),
    ("an index cut short", "noCreation",
     [at(*oid("spdRuleDefDescription") + (5, 97), kind="OCTET STRING", what=b"x")]),
    ("an index with an arc too many", "noCreation",
     [at(*oid("spdRuleDefDescription", "stands") + (1,), kind="OCTET STRING", what=b"x")]),
    ("an index that is no UTF-8", "noCreation",
     [at(*oid("spdRuleDefDescription") + (1, 255), kind="OCTET STRING", what=b"x")]),
    ("an index with a direction that is none", "noCreation", [cell("spdEndGroupName", (3, 2), "g")]),
    ("another instance of a scalar", "noCreation",
     [at(*oid("spdIngressPolicyGroupName") + (1,), kind="OCTET STRING", what=b"x")]),
    ("a scalar without instance", "noCreation",
     [at(*oid("spdIngressPolicyGroupName"), kind="OCTET STRING", what=b"x")]),
    # 8: cannot be created as things are
    ("a column of a row that is not there", "inconsistentName",
     [cell("spdRuleDefDescription", ("absent",), "x")]),
    ("a row that only the system makes", "inconsistentName",
     [cell("ipspdClosureRelease", (1, 77), "true")]),
    ("a pointer to a row that is not there", "inconsistentName",
     [cell("spdRuleDefFilter", STANDS, oid("diffServMultiFieldClfrAddrType", 999))]),
    # 10: not as things are
    ("a pointer to no table of filters", "inconsistentValue",
     [cell("spdRuleDefFilter", STANDS, (1, 3, 6, 1, 2, 1, 1, 3, 0))]),
    ("the pointer 0.0", "inconsistentValue", [cell("spdRuleDefFilter", STANDS, (0, 0))]),
    ("createAndGo of a row that exists", "inconsistentValue", [raw(RULE, STANDS, "INTEGER", CREATE_AND_GO)]),
    ("createAndWait of a row that exists", "inconsistentValue",
     [raw(RULE, STANDS, "INTEGER", CREATE_AND_WAIT)]),
    ("active for a row that is not there", "inconsistentValue", [raw(RULE, ("absent",), "INTEGER", 1)]),
    ("notInService for a row that is not there", "inconsistentValue",
     [raw(RULE, ("absent",), "INTEGER", 2)]),
    ("createAndGo of a row that lacks a column", "inconsistentValue",
     [raw(RULE, ("absent",), "INTEGER", CREATE_AND_GO)]),
    ("active for a row that is notReady", "inconsistentValue", [raw(RULE, ("waits",), "INTEGER", 1)]),
    ("destroying what a group names", "inconsistentValue", [raw(RULE, STANDS, "INTEGER", DESTROY)]),
    ("the same variable twice, with two values", "inconsistentValue",
     [cell("spdRuleDefDescription", STANDS, "another")]),
    ("the same RowStatus twice, with two actions", "inconsistentValue",
     [raw(FILTER, (77,), "INTEGER", CREATE_AND_WAIT)]),
]


def prepare():
    made = row(RULE, STANDS, spdRuleDefFilter=TRUE, spdRuleDefAction=DROP) + \
        row("spdGroupContRowStatus", ("group", 1), spdGroupContComponentName="stands") + \
        row(RULE, ("waits",), CREATE_AND_WAIT, spdRuleDefAction=DROP)
    claim.equal("rows are made", ("noError", 0), manager.set(made)[:2])
    claim.equal("... one of them notReady", 3, manager.number(RULE, "waits"))


def try_cases():
    generation = manager.number("ipspdCommittedGeneration")
    for name, error, fault in CASES:
        # What stands twice has its second place at the end.
        varbinds = AFTER + fault if fault[0][0] == AFTER[-1][0] else BEFORE + fault + AFTER
        want = max(i for i, (o, _) in enumerate(varbinds, 1) if o == fault[0][0])
        claim.equal("%s: %s" % (name, error), (error, want), manager.set(varbinds)[:2])
    claim.equal("none of it has happened", generation, manager.number("ipspdCommittedGeneration"))
    claim.equal("... to the good ones beside it either", b"",
                bytes(manager.values([oid("spdRuleDefDescription", "stands")])[0]))
    claim.equal("what stood beside them is good by itself", ("noError", 0),
                manager.set(BEFORE + AFTER)[:2])
    claim.equal("the same variable twice, with one value: noError", ("noError", 0),
                manager.set(BEFORE + BEFORE)[:2])


def by_hand():
    """Encodings that no library would make. RFC 3416 4.2.5 (5); RFC 3412 7.2 (3)."""
    client = snmp_client.Client(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    errors = (1, 3, 6, 1, 2, 1, 11, 6, 0)           # snmpInASNParseErrs
    name = oid("spdRuleDefFilter", "stands")
    fine = (oid("spdRuleDefDescription", "stands"), snmp_client.OCTETS, b"by hand")
    answer = client.set([fine, (name, snmp_client.RAW, b"\x06\x00"), fine])
    claim.equal("an OBJECT IDENTIFIER of no octets: wrongEncoding", ("wrongEncoding", 2), answer[:2])

    def parse_errors():
        return int.from_bytes(client.get([errors])[2][0][2], "big")

    before, generation = parse_errors(), manager.number("ipspdCommittedGeneration")
    broken = (b"\x06\x02\x2b\x86", b"\x02\x00", b"\x02\x09" + b"\x01" * 9, b"\x40\x03abc",
              b"\x46\x0a" + b"\x01" * 10, b"\x04\x05abc")
    for octets in broken:
        client.send(snmp_client.SET, [fine, (name, snmp_client.RAW, octets)])
    claim.equal("what cannot be decoded at all is not answered, but counted", before + len(broken),
                parse_errors())
    claim.equal("... and changes nothing", generation, manager.number("ipspdCommittedGeneration"))


def run_out_of_secrets():
    """Locked memory has an end. RFC 3416 4.2.5 (11)."""
    client = snmp_client.Client(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    made, answer = 0, None
    while made < 8000:
        varbinds = []
        for n in range(made, made + 50):
            index = ("k%d" % n,)
            varbinds += [(oid("ipsaCredCredential", *index), snmp_client.OCTETS, bytes(1024)),
                         (oid("ipsaCredStorageType", *index), snmp_client.INTEGER, 2),
                         (oid("ipsaCredRowStatus", *index), snmp_client.INTEGER, CREATE_AND_WAIT)]
        answer = client.set(varbinds)
        if answer is None or answer[0] != "noError":
            break
        made += 50
    claim("thousands of secrets of a kilobyte fit", made > 2000, made)
    claim.equal("... until there is no locked memory: resourceUnavailable", "resourceUnavailable",
                answer[0])
    claim("... at a varbind that needs some", answer[1] % 3 == 1, answer[1])
    claim.equal("... and nothing of that SET is there", "noSuchInstance", exception(
        client, oid("ipsaCredRowStatus", "k%d" % made)))
    gone = [(oid("ipsaCredRowStatus", "k%d" % n), snmp_client.INTEGER, DESTROY) for n in range(100)]
    claim.equal("... rows that go make room", "noError", client.set(gone)[0])
    claim.equal("... for the same SET", "noError", client.set(varbinds)[0])
    made += 50
    left = range(100, made)
    for first in range(0, len(left), 500):
        client.set([(oid("ipsaCredRowStatus", "k%d" % n), snmp_client.INTEGER, DESTROY)
                    for n in left[first:first + 500]])


def exception(client, name):
    tag = client.get([name])[2][0][1]
    return {snmp_client.NO_SUCH_INSTANCE: "noSuchInstance",
            snmp_client.NO_SUCH_OBJECT: "noSuchObject"}.get(tag, "a value")


prepare()
try_cases()
by_hand()
run_out_of_secrets()
claim.end()
