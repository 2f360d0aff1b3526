"""The life of rows as several managers see it: states, storage, clocks, delayed destroying, walks.

Run by tests/net/test_many_managers.sh in router-a's namespace, with the testbed's policy in force and
packets that cross under it. RFC 2579, RFC 3289, RFC 3416.
"""
from manager import (ACTIVE, CREATE_AND_GO, CREATE_AND_WAIT, DESTROY, NOT_IN_SERVICE, NOT_READY, Claims,
                     Manager, cell, oid, row, scalar)

SPD, IPSPD = (1, 3, 6, 1, 2, 1, 153), (1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 4807)
SYS_UP_TIME = (1, 3, 6, 1, 2, 1, 1, 3, 0)
RULE, FILTER = "spdRuleDefRowStatus", "diffServMultiFieldClfrStatus"
STAMP = oid("spdRuleDefLastChanged", "life")

claim = Claims()
one, two, three = Manager(), Manager(), Manager()


def status(what, *index):
    """RowStatus as read; 0: no such row."""
    value = one.get([oid(what, *index)])[2][0][1]
    return 0 if type(value).__name__.startswith("NoSuch") else int(value)


def make_in_turns():
    """createAndWait by one manager, columns by two others, active by whoever comes."""
    claim.equal("one manager begins a row", ("noError", 0),
                one.set([cell(RULE, ("life",), CREATE_AND_WAIT)])[:2])
    claim.equal("... which is notReady", NOT_READY, status(RULE, "life"))
    claim.equal("... and cannot be active", ("inconsistentValue", 1),
                two.set([cell(RULE, ("life",), ACTIVE)])[:2])
    claim.equal("... nor notInService", ("inconsistentValue", 1),
                two.set([cell(RULE, ("life",), NOT_IN_SERVICE)])[:2])
    claim.equal("a second one sets a column", "noError",
                two.set([cell("spdRuleDefFilter", ("life",), scalar("spdTrueFilter"))])[0])
    claim.equal("... it is still notReady", NOT_READY, status(RULE, "life"))
    claim.equal("a third one the last", "noError",
                three.set([cell("spdRuleDefAction", ("life",), scalar("spdDropAction"))])[0])
    claim.equal("... and it is notInService", NOT_IN_SERVICE, status(RULE, "life"))
    claim.equal("... and becomes active, with a column in the same SET", ("noError", 0), two.set(
        [cell(RULE, ("life",), ACTIVE), cell("spdRuleDefDescription", ("life",), "alive")])[:2])
    claim.equal("... for everybody", ACTIVE, status(RULE, "life"))
    # Storage cannot be made what only the system makes; and may be taken back and forth.
    for kind, want in (("permanent", "wrongValue"), ("readOnly", "wrongValue"), ("other", "wrongValue"),
                       ("volatile", "noError"), ("nonVolatile", "noError")):
        claim.equal("storage %s: %s" % (kind, want), want,
                    one.set([cell("spdRuleDefStorageType", ("life",), kind)])[0])


def clocks():
    """LastChanged rises with changes, stays without, and is in the master's sysUpTime."""
    last = 0
    for text in "a", "b", "c":
        one.set([cell("spdRuleDefDescription", ("life",), text)])
        stamp, now = (int(v) for v in one.values([STAMP, SYS_UP_TIME]))
        # Two clocks that count hundredths: they may differ by one.
        claim("LastChanged does not go back, nor beyond sysUpTime", 0 < stamp <= now + 1 and
              last <= stamp, (last, stamp, now))
        last = stamp
    one.set([cell("spdRuleDefDescription", ("life",), "c")])
    claim.equal("... and a SET that changes nothing is no change", last,
                int(one.values([STAMP])[0]))


def toggle():
    """A place in the group in use goes out of service and comes back: generations rise by one each."""
    place = ("wan-out", 100)
    for action in (NOT_IN_SERVICE, ACTIVE) * 5:
        before = one.number("ipspdCommittedGeneration")
        error, _, _ = one.set([cell("spdGroupContRowStatus", place, action)])
        claim.equal("a rule's place is set to %d" % action, ("noError", before + 1, action),
                    (error, one.number("ipspdCommittedGeneration"),
                     status("spdGroupContRowStatus", *place)))


def destroy_later():
    """RFC 3289: a classifier that is pointed at goes when nothing points at it any more."""
    pointer = oid("diffServMultiFieldClfrAddrType", 700)
    made = row(FILTER, (700,), diffServMultiFieldClfrAddrType=1)
    claim.equal("a classifier is made, and pointed at", "noError", one.set(
        made + [cell("spdRuleDefFilter", ("life",), pointer)])[0])
    claim.equal("destroying it is taken", ("noError", 0), two.set([cell(FILTER, (700,), DESTROY)])[:2])
    claim.equal("... and it reads notInService while it stays", NOT_IN_SERVICE, status(FILTER, 700))
    claim.equal("... it cannot be made again meanwhile", "inconsistentValue",
                three.set([cell(FILTER, (700,), CREATE_AND_GO)])[0])
    claim.equal("the last pointer goes", "noError", one.set(
        [cell("spdRuleDefFilter", ("life",), scalar("spdTrueFilter"))])[0])
    claim.equal("... and so does the classifier", 0, status(FILTER, 700))
    claim.equal("destroying what is not there is no error (RFC 2579)", ("noError", 0),
                one.set([cell(FILTER, (700,), DESTROY)])[:2])


def walks():
    """GETBULK at any size sees what GETNEXT sees; 500 objects come by one GET."""
    for top in SPD, IPSPD + (1, 3), (1, 3, 6, 1, 2, 1, 97, 1, 2):
        error, by_next = one.walk(top)
        claim.equal("a walk by GETNEXT ends well", "noError", error)
        names = [o for o, _ in by_next]
        claim.equal("... in order, nothing twice", sorted(set(names)), names)
        for size in 7, 100:
            claim.equal("... and by GETBULK of %d" % size, names,
                        [o for o, _ in one.walk(top, size)[1]])
    names = ([o for o, _ in one.walk(SPD, 100)[1]] * 5)[:500]
    error, _, got = one.get(names)
    claim.equal("a GET of 500 objects gives 500", ("noError", names), (error, [o for o, _ in got]))


make_in_turns()
clocks()
toggle()
destroy_later()
walks()
claim.equal("the row goes", ("noError", 0), three.set([cell(RULE, ("life",), DESTROY)])[:2])
claim.end()
