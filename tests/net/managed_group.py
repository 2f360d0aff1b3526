"""managed_group.py IFINDEX: a group of 2,000 rows is made and destroyed, whole at every moment.

Run by tests/net/test_many_managers.sh in router-a's namespace, while packets try to cross. IFINDEX is
the WAN's, whose outbound group is wan-out.
"""
import socket
import sys
import threading

import snmp_client
from manager import CREATE_AND_GO, DESTROY, Claims, Manager, arcs, cell, oid, scalar

ROWS = 2000
GROUP = "large"
PER_SET = 250

claim = Claims()
manager = Manager()


def by_hand():
    return snmp_client.Client(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))


def contents(n):
    return oid("spdGroupContComponentName", GROUP, n)


class Watcher(threading.Thread):
    """Asks for rows of the group all the time, ten and their rules in a PDU: all or none are there."""

    def __init__(self):
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.asked, self.seen, self.wrong = 0, [], []

    def run(self):
        client = by_hand()
        sample = [1 + i * (ROWS - 1) // 9 for i in range(10)]
        names = [contents(n) for n in sample] + [oid("spdRuleDefRowStatus", "l%d" % n)
                                                 for n in sample]
        while not self.ended.is_set():
            answer = client.get(names)
            self.asked += 1
            if answer is None or answer[0] != "noError":
                self.wrong.append(answer)
                continue
            there = sum(tag != snmp_client.NO_SUCH_INSTANCE for _, tag, _ in answer[2])
            if there not in (0, len(names)):
                self.wrong.append(there)
            if not self.seen or self.seen[-1] != there:
                self.seen.append(there)


def make(client):
    """The rules by several SETs, as nothing refers to them yet; the group stays out of use."""
    for first in range(1, ROWS + 1, PER_SET):
        varbinds = []
        for n in range(first, first + PER_SET):
            varbinds += [(oid("spdRuleDefFilter", "l%d" % n), snmp_client.OID, scalar("spdTrueFilter")),
                         (oid("spdRuleDefAction", "l%d" % n), snmp_client.OID, scalar("spdDropAction")),
                         (oid("spdRuleDefRowStatus", "l%d" % n), snmp_client.INTEGER, CREATE_AND_GO),
                         (contents(n), snmp_client.OCTETS, b"l%d" % n),
                         (oid("spdGroupContRowStatus", GROUP, n), snmp_client.INTEGER, CREATE_AND_GO)]
        answer = client.set(varbinds)
        if answer[:2] != ("noError", 0):
            return answer[:2]
    return "noError", 0


def main():
    endpoint = (2, int(sys.argv[1]))
    client = by_hand()
    claim.equal("2,000 rules and their group are made, 1,250 varbinds a SET", ("noError", 0),
                make(client))
    claim.equal("... and the group takes the place of the one in use", ("noError", 0),
                manager.set([cell("spdEndGroupName", endpoint, GROUP)])[:2])
    generation = manager.number("ipspdCommittedGeneration")
    destroy = cell("ipspdGroupDestroyWithRules", (0,), GROUP)
    claim.equal("while it is in use it is not destroyed", ("inconsistentValue", 1),
                manager.set([destroy])[:2])
    claim.equal("... not a row of it", generation, manager.number("ipspdCommittedGeneration"))

    watcher = Watcher()
    watcher.start()
    while not watcher.seen:
        pass
    # The endpoint goes with it: from here on the interface is closed.
    gone = cell("spdEndGroupRowStatus", endpoint, DESTROY)
    claim.equal("one SET destroys the group, its rules, and the endpoint that used it", ("noError", 0),
                manager.set([destroy, gone])[:2])
    claim.equal("... as one change", generation + 1, manager.number("ipspdCommittedGeneration"))
    asked = watcher.asked
    while watcher.asked < asked + 3 and watcher.is_alive():
        pass
    watcher.ended.set()
    watcher.join()
    claim.equal("at every moment all of it was there, or nothing", [], watcher.wrong)
    claim.equal("... first all, then nothing", [20, 0], watcher.seen)
    group = oid("spdGroupContComponentName") + arcs(GROUP)
    claim.equal("not a row of it is left", ("noError", []), manager.walk(group, 40))
    claim.equal("... the objects read as nothing", [b"", b""],
                [bytes(v) for v in manager.values([scalar("ipspdGroupDestroy"),
                                                   scalar("ipspdGroupDestroyWithRules")])])


main()
claim.end()
