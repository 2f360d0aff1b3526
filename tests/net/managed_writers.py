"""managed_writers.py ROUNDS: eight managers change the same rows at once; none is ever half changed.

Run by tests/net/test_many_managers.sh in router-a's namespace. Each writes its own number into every
column that it sets; whoever reads a row finds one number in it. Who loses a conflict is told so.
"""
import random
import socket
import sys
import threading

import snmp_client
from manager import CREATE_AND_GO, DESTROY, Claims, arcs, oid, scalar

WRITERS = 8
ROWS = 3
FILTER = oid("diffServMultiFieldClfrAddrType")

claim = Claims()


def by_hand():
    return snmp_client.Client(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), timeout=30)


def number_cells(row, writer):
    """A rule, its classifier and its place in a group, all with the writer's number in them."""
    rule, place = arcs("shared-%d" % row), arcs("shared", row + 1)
    return [
        (oid("spdRuleDefDescription") + rule, snmp_client.OCTETS, b"writer %d" % writer),
        (oid("diffServMultiFieldClfrDstAddr", 500 + row), snmp_client.OCTETS, bytes([10, 9, 0, writer])),
        (oid("diffServMultiFieldClfrDstL4PortMin", 500 + row), snmp_client.UNSIGNED, writer),
        (oid("diffServMultiFieldClfrDstL4PortMax", 500 + row), snmp_client.UNSIGNED, writer),
        (oid("spdGroupContComponentName") + place, snmp_client.OCTETS, b"shared-%d" % row),
    ]


def create(row, writer):
    rule, place = arcs("shared-%d" % row), arcs("shared", row + 1)
    return number_cells(row, writer) + [
        (oid("diffServMultiFieldClfrAddrType", 500 + row), snmp_client.INTEGER, 1),
        (oid("diffServMultiFieldClfrDstPrefixLength", 500 + row), snmp_client.UNSIGNED, 32),
        (oid("diffServMultiFieldClfrStatus", 500 + row), snmp_client.INTEGER, CREATE_AND_GO),
        (oid("spdRuleDefFilter") + rule, snmp_client.OID, FILTER + (500 + row,)),
        (oid("spdRuleDefAction") + rule, snmp_client.OID, scalar("spdDropAction")),
        (oid("spdRuleDefRowStatus") + rule, snmp_client.INTEGER, CREATE_AND_GO),
        (oid("spdGroupContRowStatus") + place, snmp_client.INTEGER, CREATE_AND_GO)]


def destroy(row):
    return [(oid("diffServMultiFieldClfrStatus", 500 + row), snmp_client.INTEGER, DESTROY),
            (oid("spdRuleDefRowStatus", "shared-%d" % row), snmp_client.INTEGER, DESTROY),
            (oid("spdGroupContRowStatus", "shared", row + 1), snmp_client.INTEGER, DESTROY)]


def numbers_of(values):
    """The writers' numbers that a row was found to hold; empty: no such row."""
    found = set()
    for (_, tag, value), kind in zip(values, ("text", "address", "port", "port")):
        if tag == snmp_client.NO_SUCH_INSTANCE:
            found.add(None)
        elif kind == "text":
            found.add(int(value.split()[1]))
        else:
            found.add(value[3] if kind == "address" else value)
    return found


class Writer(threading.Thread):
    def __init__(self, number, rounds, together):
        super().__init__(daemon=True)
        self.number, self.rounds, self.together = number, rounds, together
        self.random = random.Random(number)
        self.done, self.errors, self.half = {}, {}, []

    def run(self):
        client = by_hand()
        for _ in range(self.rounds):
            row = self.random.randrange(ROWS)
            what, varbinds = self.random.choice((
                ("create", create(row, self.number)), ("create", create(row, self.number)),
                ("change", number_cells(row, self.number)), ("destroy", destroy(row))))
            self.random.shuffle(varbinds)
            self.together.wait()
            answer = client.set(varbinds)
            error = answer[0] if answer else "no answer"
            self.done.setdefault((what, error), 0)
            self.done[what, error] += 1
            read = client.get([o for o, _, _ in number_cells(row, 0)[:4]])
            if read is None or len(numbers_of(read[2])) != 1:
                self.half.append(read)


def conflict():
    """All create the same row in the same round: one wins, each other gets inconsistentValue."""
    answers, together = [], threading.Barrier(WRITERS)

    def one(writer):
        client = by_hand()
        together.wait()
        answers.append(client.set(create(0, writer))[0])

    for name in range(ROWS):
        by_hand().set(destroy(name))
    threads = [threading.Thread(target=one, args=(n + 1,)) for n in range(WRITERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    claim.equal("of eight that create the same row one wins, the others get inconsistentValue",
                ["inconsistentValue"] * (WRITERS - 1) + ["noError"], sorted(answers))


def precondition():
    """ipspdIfGeneration: two managers read the same, and change it; the second one is told so."""
    client = by_hand()
    place = oid("spdRuleDefDescription", "shared-0")
    first, second = ([(place, snmp_client.OCTETS, text)] for text in (b"the first", b"the second"))
    error = None
    # The command line changes rows of its own all the time: what it gets in between holds for us too.
    while error in (None, "inconsistentValue"):
        number = client.get([scalar("ipspdIfGeneration")])[2][0][2]
        held = [(scalar("ipspdIfGeneration"), snmp_client.UNSIGNED, number)]
        error = client.set(held + first)[0]
    claim.equal("a SET that holds while nothing has changed is taken", "noError", error)
    claim.equal("... another with the same number is inconsistentValue", ("inconsistentValue", 2),
                client.set(second + held)[:2])
    claim.equal("... and changes nothing", b"the first", client.get([place])[2][0][2])


def read_change_write(rounds):
    """Eight managers add one to one number, each by reading, adding and a SET that may not hold."""
    place = oid("spdRuleDefDescription", "shared-0")
    client = by_hand()
    client.set([(place, snmp_client.OCTETS, b"0")])
    lost = []

    def one():
        mine, left = by_hand(), rounds
        while left:
            read = mine.get([scalar("ipspdIfGeneration"), place])[2]
            number, text = read[0][2], int(read[1][2])
            error = mine.set([(place, snmp_client.OCTETS, b"%d" % (text + 1)),
                              (scalar("ipspdIfGeneration"), snmp_client.UNSIGNED, number)])[0]
            if error == "noError":
                left -= 1
            else:
                lost.append(error)

    threads = [threading.Thread(target=one) for _ in range(WRITERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    claim.equal("eight managers that add to one number lose no addition", b"%d" % (WRITERS * rounds),
                client.get([place])[2][0][2])
    claim.equal("... those that come late are told inconsistentValue", {"inconsistentValue"}, set(lost))
    client.set(destroy(0))


def main():
    conflict()
    precondition()
    read_change_write(4)
    together = threading.Barrier(WRITERS)
    writers = [Writer(n + 1, int(sys.argv[1]), together) for n in range(WRITERS)]
    for w in writers:
        w.start()
    for w in writers:
        w.join()
    total = {}
    for w in writers:
        for key, count in w.done.items():
            total[key] = total.get(key, 0) + count
    print("  ".join("%s %s: %d" % (what, error, count) for (what, error), count in
                    sorted(total.items())))
    # Creating what is there, changing or destroying what has gone, or was never there.
    allowed = {"create": {"noError", "inconsistentValue"},
               "change": {"noError", "inconsistentName", "inconsistentValue"},
               "destroy": {"noError", "inconsistentValue"}}
    claim.equal("no conflict ends but as it should", set(),
                {(what, error) for what, error in total if error not in allowed[what]})
    claim("some of each came through", all((what, "noError") in total for what in allowed), total)
    claim.equal("nobody ever read a row that was half changed", [],
                [half for w in writers for half in w.half])


main()
claim.end()
