"""managed_disk.py STATE: commitFailed and undoFailed, from a disk that is full.

Run by tests/net/test_set_errors.sh in router-a's namespace, with STATE on a small tmpfs of its own and
tests/net/refuser.c beside ipspd. RFC 3416 4.2.5.
"""
import os
import socket
import sys

import snmp_client
from manager import CREATE_AND_GO, DESTROY, Claims, Manager, oid, scalar

REFUSER = (1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 4808)
REFUSE_NOTHING, REFUSE_ACTION = 0, 3
RULES = 60
PAGE = 4096

claim = Claims()
manager = Manager()
client = snmp_client.Client(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
filler = os.path.join(sys.argv[1], "filler")


def leave(room):
    """Fills the disk but for so many octets."""
    with open(filler, "wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(PAGE))
        except OSError:
            pass
        f.truncate(max(0, os.fstat(f.fileno()).st_size - room))


def make_room():
    os.remove(filler)


def plan(what):
    answer = client.set([(REFUSER + (1, 0), snmp_client.INTEGER, what)])
    claim.equal("the other subagent is told what to do", "noError", answer[0])


def rules(generation):
    """Rows that fill several pages of the database, as varbinds of the manager by hand."""
    found = []
    for n in range(RULES):
        index = ("g%d-%d" % (generation, n),)
        found += [(oid("spdRuleDefDescription", *index), snmp_client.OCTETS, b"x" * 255),
                  (oid("spdRuleDefFilter", *index), snmp_client.OID, scalar("spdTrueFilter")),
                  (oid("spdRuleDefAction", *index), snmp_client.OID, scalar("spdDropAction")),
                  (oid("spdRuleDefRowStatus", *index), snmp_client.INTEGER, CREATE_AND_GO)]
    return found


def theirs():
    return [(REFUSER + (2, 0), snmp_client.INTEGER, 5)]


def there(generation):
    """How many of that generation's rules there are."""
    names = [oid("spdRuleDefRowStatus", "g%d-%d" % (generation, n)) for n in range(RULES)]
    return sum(tag == snmp_client.INTEGER for _, tag, _ in client.get(names)[2])


def commit_failed():
    before = manager.number("ipspdCommittedGeneration")
    leave(0)
    # Ours alone; then behind an object of the other subagent: the index is that of ours.
    claim.equal("a full disk: commitFailed, and the first row's index", ("commitFailed", 1),
                client.set(rules(1))[:2])
    claim.equal("... behind the other subagent's object: the index is ours", ("commitFailed", 2),
                client.set(theirs() + rules(1))[:2])
    claim.equal("... no row is there", 0, there(1))
    claim.equal("... nor a generation", before, manager.number("ipspdCommittedGeneration"))
    value = client.get([REFUSER + (2, 0)])[2][0][2]
    claim.equal("... and the other subagent took its part back", 0, value)
    make_room()
    claim.equal("with room the same SET works", ("noError", 0), client.set(rules(1))[:2])
    claim.equal("... all of it", RULES, there(1))


def undo_failed():
    """There is room for the commit, but not for the reverse transaction after it."""
    plan(REFUSE_ACTION)
    claim.equal("another subagent refuses to commit: its index", ("commitFailed", 1),
                client.set(theirs() + rules(2))[:2])
    claim.equal("... and our commit is undone", 0, there(2))
    answer, room = None, 0
    while room < 512 * 1024:
        room += 4 * PAGE
        leave(room)
        answer = client.set(rules(3) + theirs())
        if answer is None or answer[0] != "commitFailed":
            break
        if there(3):
            claim("what was undone is not there (%d octets of room)" % room, False)
    # RFC 3416 would have the index 0 here; snmpd gives that of our first varbind.
    claim.equal("no room to undo: undoFailed", "undoFailed", answer and answer[0])
    claim.equal("... memory is what the disk is: all of it has stayed", RULES, there(3))
    make_room()
    plan(REFUSE_NOTHING)
    claim.equal("... and what has stayed can be destroyed", ("noError", 0), client.set(
        [(oid("spdRuleDefRowStatus", "g3-%d" % n), snmp_client.INTEGER, DESTROY)
         for n in range(RULES // 2)])[:2])
    claim.equal("... row by row", RULES // 2, there(3))


commit_failed()
undo_failed()
claim.end()
