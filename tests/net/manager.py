"""A manager by pysnmp, over SNMPv3: what the tests/net/managed_*.py ask with.

Objects are named as the MIB modules name them; an index is a tuple of numbers
and texts. Run inside a network namespace, it asks 127.0.0.1:161.
"""
import os
import sys

from pysnmp.hlapi import (ContextData, ObjectIdentity, ObjectType, SnmpEngine, UdpTransportTarget,
                          UsmUserData, bulkCmd, getCmd, nextCmd, setCmd,
                          usmAesCfb128Protocol, usmHMAC192SHA256AuthProtocol)
from pysnmp.proto import rfc1902, rfc1905

TOP = os.environ["TB_SRC"]
sys.path[:0] = [os.path.join(TOP, "mibs")]

import smi_model    # noqa: E402

SERVED = ["DIFFSERV-MIB", "IPSEC-SPD-MIB", "IPSEC-IPSECACTION-MIB", "IPSEC-IKEACTION-MIB",
          "IPSPD-MIB"]
ACTIVE, NOT_IN_SERVICE, NOT_READY, CREATE_AND_GO, CREATE_AND_WAIT, DESTROY = range(1, 7)

MODEL = smi_model.load([os.path.join(TOP, "mibs", m + ".txt") for m in SERVED],
                       [os.path.join(TOP, "mibs", "smi")])
COLUMNS = {c.name: c for t in MODEL.tables for c in t.columns}

# The types on the wire, by the base types of SMIv2 and by names for values of a wrong type.
TYPES = {
    "INTEGER": rfc1902.Integer32, "Integer32": rfc1902.Integer32, "BITS": rfc1902.OctetString,
    "Unsigned32": rfc1902.Unsigned32, "Gauge32": rfc1902.Gauge32, "Counter32": rfc1902.Counter32,
    "Counter64": rfc1902.Counter64, "TimeTicks": rfc1902.TimeTicks,
    "OCTET STRING": rfc1902.OctetString, "OBJECT IDENTIFIER": rfc1902.ObjectIdentifier,
    "IpAddress": rfc1902.IpAddress, "Opaque": rfc1902.Opaque,
}


def arcs(*index):
    """An index: numbers as they are, texts and octets with their length in front."""
    found = ()
    for part in index:
        if isinstance(part, int):
            found += (part,)
        else:
            octets = part.encode() if isinstance(part, str) else bytes(part)
            found += (len(octets),) + tuple(octets)
    return found


def oid(name, *index):
    return COLUMNS[name].oid + arcs(*index)


def scalar(name):
    return oid(name, 0)


def value(node, what):
    """what as a value of the column's type: a label's name, text, octets, number or OID."""
    base = node.type.base
    labels = dict(node.type.labels)
    if base in ("INTEGER", "Integer32") and isinstance(what, str):
        what = labels[what]
    if base == "OCTET STRING" and isinstance(what, str):
        what = what.encode()
    return TYPES[base](what)


def cell(name, index, what):
    """(OID, value) of one varbind."""
    return oid(name, *index), value(COLUMNS[name], what)


def row(status, index, action=CREATE_AND_GO, **columns):
    """The varbinds that make a row: its columns, and its RowStatus last."""
    return [cell(name, index, what) for name, what in columns.items()] + \
        [cell(status, index, action)]


LEVELS = ("noAuthNoPriv", "authNoPriv", "authPriv")


def user_at(name, level):
    """The user with the testbed's pass phrases, as far as the security level needs them."""
    auth = dict(authKey=os.environ["TB_PASS_AUTH"], authProtocol=usmHMAC192SHA256AuthProtocol)
    priv = dict(privKey=os.environ["TB_PASS_PRIV"], privProtocol=usmAesCfb128Protocol)
    return UsmUserData(name, **({} if level == "noAuthNoPriv" else auth),
                       **(priv if level == "authPriv" else {}))


class Manager:
    """One manager with one SNMP engine; a request at a time. timeout in seconds, never repeated."""

    def __init__(self, user=None, level="authPriv", timeout=20):
        self.engine = SnmpEngine()
        self.user = user_at(user or os.environ["TB_USER_WRITE"], level)
        self.target = UdpTransportTarget(("127.0.0.1", 161), timeout=timeout, retries=0)

    def _ask(self, command, *more, varbinds, **options):
        types = [ObjectType(ObjectIdentity(".".join(map(str, o))), v) if v is not None
                 else ObjectType(ObjectIdentity(".".join(map(str, o)))) for o, v in varbinds]
        return command(self.engine, self.user, self.target, ContextData(), *more, *types,
                       lookupMib=False, **options)

    @staticmethod
    def _answer(answer):
        """(error, index from 1, [(OID, value)]); the error of a request without answer is 'timeout'."""
        indication, status, index, varbinds = answer
        if indication:
            text = str(indication)
            return ("timeout" if "before timeout" in text else text), 0, []
        return (status.prettyPrint() if status else "noError", int(index),
                [(tuple(o), v) for o, v in varbinds])

    def get(self, oids):
        return self._answer(next(self._ask(getCmd, varbinds=[(o, None) for o in oids])))

    def set(self, varbinds):
        return self._answer(next(self._ask(setCmd, varbinds=varbinds)))

    def values(self, oids):
        """The values of a GET that must have them."""
        error, _, varbinds = self.get(oids)
        if error != "noError":
            raise RuntimeError(error)
        return [v for _, v in varbinds]

    def number(self, name, *index):
        return int(self.values([oid(name, *(index or (0,)))])[0])

    def walk(self, start, bulk=0):
        """(error, [(OID, value)]) below start: by GETNEXT, or by GETBULK with so many repetitions."""
        found = []
        more = (0, bulk) if bulk else ()
        for answer in self._ask(bulkCmd if bulk else nextCmd, *more, varbinds=[(start, None)],
                                lexicographicMode=False):
            error, _, varbinds = self._answer(answer)
            if error != "noError":
                return error, found
            # snmpd may end a GETBULK so where it would have to go on elsewhere: RFC 3416 4.2.3.
            found += [(o, v) for o, v in varbinds if not isinstance(v, rfc1905.EndOfMibView)]
        return "noError", found


class Claims:
    """Counts what held, printed as tests/net/lib.sh prints it."""

    def __init__(self):
        self.failed = 0

    def __call__(self, text, good, more=""):
        print("ok: %s" % text if good else "FAILED: %s %s" % (text, more), flush=True)
        self.failed += not good

    def equal(self, text, want, got):
        self(text, want == got, "(%r is not %r)" % (got, want))

    def end(self):
        """The last thing a script does: lib.sh looks for the line."""
        print("the end, %s" % ("%d failed" % self.failed if self.failed else "all held"), flush=True)
        sys.exit(1 if self.failed else 0)
