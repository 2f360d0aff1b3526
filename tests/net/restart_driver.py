#!/usr/bin/python3
"""restart_driver.py kill|cold|master: ends processes of both routers while managers SET rows on them.

Run by tests/net/test_restart_*.sh on a testbed whose policy is in force (TB_DIR, TB_TAG, TB_BUILD,
TB_SRC). A manager for each router creates, changes and destroys rules, each with its filter and its
place in the group wan-out in one PDU, and keeps a model of what was answered: an answered SET has
to be there ever after, all of it; one without an answer may be there or not, but whole. Prints
claims as tests/net/lib.sh does; exits 0 when all held.

  kill    RESTARTS kills (100) of agents, of engines and of parents each, at random moments
  cold    ROUNDS times (3) every process of both routers and both masters at once
  master  ROUNDS times (2) the masters are killed, ended, and stopped for a while
"""
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

from snmp_client import (Client, INTEGER, NO_SUCH_INSTANCE, NO_SUCH_OBJECT, OCTETS, OID, UNSIGNED,
                         index_of, oid, socket_in)

LIMIT = 60      # seconds until a step counts as failed
ROUTERS = ("router-a", "router-b")
SPD = oid("1.3.6.1.2.1.153")
CLASSIFIER = oid("1.3.6.1.2.1.97.1.2.6.1")
CLASSIFIER_DST = CLASSIFIER + (3,)
RULE = SPD + (1, 4, 1)
RULE_STATUS = RULE + (9,)
CONTENTS = SPD + (1, 3, 1)
CONTENTS_NAME = CONTENTS + (5,)
DROP_ACTION = SPD + (1, 13, 1, 0)
CREATE_AND_GO, DESTROY = 4, 6
RULES = range(200, 232)

passed = failed = 0
printing = threading.Lock()


def say(text):
    with printing:
        print(text, flush=True)


def claim(text, good, more=""):
    global passed, failed
    if good:
        passed += 1
        say("ok: " + text)
    else:
        failed += 1
        say("FAILED: %s %s" % (text, more))


def rule_name(n):
    return "k%d" % n


def address(dst):
    return bytes([10, 9, dst >> 8, dst & 255])


class Manager(threading.Thread):
    """SETs rules on one router, and knows what has been answered."""

    def __init__(self, router, seed):
        super().__init__(daemon=True)
        self.router = router
        self.random = random.Random(seed)
        self.rows = {}          # rule number: low octets of its filter's destination
        self.unknown = {}       # rule number: the states it may have
        self.wrong = []
        self.answered = self.unanswered = 0
        self.errors = {}
        self.pause = threading.Event()
        self.paused = threading.Event()
        self.ended = threading.Event()
        self.client = None

    def run(self):
        self.client = Client(socket_in(self.router.namespace))
        while not self.ended.is_set():
            if self.client.hopeless.is_set():
                time.sleep(0.01)
                continue
            if self.pause.is_set() and not self.unknown:
                self.paused.set()
                time.sleep(0.01)
                continue
            self.paused.clear()
            n = next(iter(self.unknown), None) if self.pause.is_set() else \
                self.random.choice(RULES)
            if n in self.unknown:
                self.find_out(n)
            else:
                self.change(n)

    def change(self, n):
        now = self.rows.get(n)
        if now is not None and self.random.random() < 0.3:
            later, varbinds = None, self.destroy(n)
        else:
            later = self.random.randrange(1, 1 << 16)
            varbinds = self.create(n, later) if now is None else \
                [(CLASSIFIER_DST + (n,), OCTETS, address(later))]
        answer = self.client.set(varbinds)
        if answer is not None and answer[0] == "noError":
            self.answered += 1
            self.put(n, later)
            return
        self.unanswered += 1
        error = answer[0] if answer else "timeout"
        self.errors[error] = self.errors.get(error, 0) + 1
        self.unknown[n] = (now, later)

    def put(self, n, state):
        if state is None:
            self.rows.pop(n, None)
        else:
            self.rows[n] = state

    @staticmethod
    def create(n, dst):
        rule, place = index_of(rule_name(n)), index_of("wan-out") + (1000 + n,)
        return [(CLASSIFIER + (2, n), INTEGER, 1),
                (CLASSIFIER_DST + (n,), OCTETS, address(dst)),
                (CLASSIFIER + (4, n), UNSIGNED, 32),
                (CLASSIFIER + (15, n), INTEGER, CREATE_AND_GO),
                (RULE + (3,) + rule, OID, CLASSIFIER + (2, n)),
                (RULE + (5,) + rule, OID, DROP_ACTION),
                (RULE_STATUS + rule, INTEGER, CREATE_AND_GO),
                (CONTENTS_NAME + place, OCTETS, rule_name(n).encode()),
                (CONTENTS + (8,) + place, INTEGER, CREATE_AND_GO)]

    @staticmethod
    def destroy(n):
        rule, place = index_of(rule_name(n)), index_of("wan-out") + (1000 + n,)
        return [(CONTENTS + (8,) + place, INTEGER, DESTROY),
                (RULE_STATUS + rule, INTEGER, DESTROY),
                (CLASSIFIER + (15, n), INTEGER, DESTROY)]

    def find_out(self, n):
        """What became of a SET that had no answer; nothing while the subagent is away."""
        rule, place = index_of(rule_name(n)), index_of("wan-out") + (1000 + n,)
        answer = self.client.get([CLASSIFIER_DST + (n,), RULE_STATUS + rule, CONTENTS_NAME + place])
        if answer is None or answer[0] != "noError" or \
                any(tag == NO_SUCH_OBJECT for _, tag, _ in answer[2]):
            time.sleep(0.02)
            return
        absent = [tag == NO_SUCH_INSTANCE for _, tag, _ in answer[2]]
        state = None if absent[0] else int.from_bytes(answer[2][0][2][2:], "big")
        if absent.count(absent[0]) != 3 or state not in self.unknown[n]:
            self.wrong.append("rule %d: %s, not one of %s" % (n, answer[2], self.unknown[n]))
        del self.unknown[n]
        self.put(n, state)

    def rest(self):
        """Until it has answers to all it asked, and asks no more."""
        self.pause.set()
        return self.paused.wait(LIMIT)

    def go_on(self):
        self.paused.clear()
        self.pause.clear()


class Router:
    """A router's processes."""

    def __init__(self, name, seed):
        self.name = name
        self.namespace = os.environ["TB_TAG"] + "-" + name
        self.folder = os.path.join(os.environ["TB_DIR"], name)
        self.build = os.environ["TB_BUILD"]
        self.random = random.Random(seed)
        self.manager = Manager(self, seed + 1)
        self.daemon_pid = int(self.read("ipspd.pid"))
        self.snmpd_pid = int(self.read("snmpd.pid"))
        self.daemon = self.snmpd = None     # ours, once they have been started anew

    def read(self, name):
        with open(os.path.join(self.folder, name)) as f:
            return f.read()

    def start(self, name, command, env=None):
        with open(os.path.join(self.folder, name + ".log"), "a") as log:
            process = subprocess.Popen(["ip", "netns", "exec", self.namespace] + command, stdout=log,
                                       stderr=log, stdin=subprocess.DEVNULL,
                                       env=dict(os.environ, **(env or {})))
        with open(os.path.join(self.folder, name + ".pid"), "w") as f:
            f.write("%d\n" % process.pid)
        return process

    def start_daemon(self):
        path = self.folder + "/"
        self.daemon = self.start("ipspd", [
            self.build + "/sbin/ipspd", "-f", "-c", "/dev/null", "-S", path + "state",
            "-s", path + "control", "-k", path + "pfkey", "-x", "unix:" + path + "agentx",
            "-a", "tun"])
        self.daemon_pid = self.daemon.pid

    def start_snmpd(self):
        path = self.folder + "/"
        self.snmpd = self.start("snmpd", [
            "snmpd", "-f", "-Lo", "-C", "-c", path + "snmpd.conf", "-p", path + "snmpd.pidfile"],
            {"SNMP_PERSISTENT_DIR": path + "snmp"})
        self.snmpd_pid = self.snmpd.pid

    def child(self, name):
        """The daemon's child of that name, as soon as it is called so; or None."""
        try:
            with open("/proc/%d/task/%d/children" % (self.daemon_pid, self.daemon_pid)) as f:
                children = f.read().split()
            for pid in children:
                with open("/proc/%s/cmdline" % pid) as f:
                    if name in f.read():
                        return int(pid)
        except (FileNotFoundError, ProcessLookupError):
            pass
        return None

    def ctl(self, *args):
        return subprocess.run(["ip", "netns", "exec", self.namespace,
                               self.build + "/ipspctl/ipspctl", "-s", self.folder + "/control",
                               *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)

    def wait(self, *options):
        """Everything in force: the daemon may still be on its way up."""
        end = time.monotonic() + LIMIT
        while True:
            self.keep_daemon()
            done = self.ctl("wait", *(options or ("--snmp", "--timeout", "30")))
            if done.returncode == 0 or time.monotonic() > end:
                return done
            time.sleep(0.05)

    def keep_daemon(self):
        """Started again when it has ended, as an init system does. @return had it?"""
        if self.daemon and self.daemon.poll() is None:
            return False
        if not self.daemon and os.path.exists("/proc/%d" % self.daemon_pid):
            return False
        self.start_daemon()
        return True

    def processes(self):
        """Names of our processes in this namespace."""
        pids = subprocess.run(["ip", "netns", "pids", self.namespace], stdout=subprocess.PIPE,
                              text=True, check=True).stdout.split()
        names = []
        for pid in pids:
            try:
                with open("/proc/%s/cmdline" % pid) as f:
                    line = f.read().replace("\0", " ").strip()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if "ipspd" in line and not line.startswith(("snmpd", "tcpdump", "ping")):
                names.append(line)
        return sorted(names)


def kill(pid, number=signal.SIGKILL):
    """Was there somebody?"""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


# ---- checks between and after ----

def in_force(router):
    """{rule number: destination} as the engine has it: entries that it counts for."""
    done = router.ctl("--json", "show", "spd")
    found = {}
    for item in json.loads(done.stdout) if done.returncode == 0 else []:
        name = item.get("rule", "").split('"')
        if len(name) == 3 and name[1].startswith("k") and "packets" in item and \
                item["direction"] == "outbound":
            octets = item["selectors"][0].split(" -> ")[1].split("/")[0].split(".")
            found[int(name[1][1:])] = int(octets[2]) << 8 | int(octets[3])
    return found


def stored(client):
    """{rule number: destination} as three tables have it by SNMP; None: they do not agree."""
    filters = client.walk(CLASSIFIER_DST)
    rules = client.walk(RULE_STATUS)
    places = client.walk(CONTENTS_NAME)
    if filters is None or rules is None or places is None:
        return None
    found = {i[0]: int.from_bytes(v[2:], "big") for i, v in filters.items() if i[0] in RULES}
    wanted = {index_of(rule_name(n)) for n in found}
    named = {index_of(v.decode()) for v in places.values() if v.startswith(b"k")}
    active = {i for i, v in rules.items() if i[1:2] == (ord("k"),) and v == 1}
    return found if wanted == named == active else None


def check(router, when):
    """The managers rest: what was answered is there and in force."""
    text = "%s, %s: " % (router.name, when)
    done = router.wait()
    claim(text + "everything is in force, and the session open", done.returncode == 0,
          done.stdout)
    m = router.manager
    m.client.hopeless.clear()
    claim(text + "every SET has an outcome", m.rest(), m.unknown)
    done = router.wait()
    claim(text + "unanswered SETs were done whole or not at all", not m.wrong, m.wrong)
    rows = stored(m.client)
    claim(text + "all answered rows are there, and no others", rows == m.rows,
          "%s\n%s" % (rows, m.rows))
    rows = in_force(router)
    claim(text + "... and in force", rows == m.rows, "%s\n%s" % (rows, m.rows))
    names = [line.split("/")[-1].split(" ")[0] if line.startswith("/") else line[:13]
             for line in router.processes()]
    claim(text + "each process is there once", len(names) == 3, names)


def check_disk(router):
    """The database as the dead daemon left it, log included; in a copy."""
    copy = tempfile.mkdtemp(dir=os.environ["TB_DIR"])
    for name in os.listdir(router.folder + "/state"):
        if name.startswith("state.db"):
            shutil.copy(os.path.join(router.folder, "state", name), copy)
    db = sqlite3.connect(copy + "/state.db")
    found = db.execute("PRAGMA integrity_check").fetchall()
    claim(router.name + ": the database is whole", found == [("ok",)], found)
    blocks = [int.from_bytes(row[0], "big") for row in db.execute("SELECT reserved FROM reserve")]
    db.close()
    return blocks


def kill_all(routers):
    """Every process of the daemons and the masters, in one go."""
    victims = []
    for r in routers:
        victims += [r.daemon_pid, r.snmpd_pid] + [pid for pid in (r.child("agent"),
                                                                  r.child("engine")) if pid]
    for pid in victims:
        kill(pid)
    for r in routers:
        r.manager.client.hopeless.set()
        for process in (r.daemon, r.snmpd):
            if process:
                process.wait()
    end = time.monotonic() + LIMIT
    while any("ipspd" in line for r in routers for line in r.processes()):
        if time.monotonic() > end:
            break
        time.sleep(0.01)


# ---- the three ways ----

def kill_at_random(router, kinds, counts):
    """A thread for each router: the kills of that list, each at some moment of its victim's life."""
    for kind in kinds:
        killed, end = False, time.monotonic() + LIMIT
        while not killed and time.monotonic() < end:
            counts["parent gave up"] += router.keep_daemon()
            pid = router.daemon_pid if kind == "parent" else router.child(kind)
            if not pid:
                time.sleep(0.005)
                continue
            # Some in the middle of starting, some when all is well.
            time.sleep(router.random.choice((0.1, 0.4, 1.6)) * router.random.random())
            killed = kill(pid)
        counts[kind] += killed
        if kind == "parent":
            if router.daemon:
                router.daemon.wait()
            # At once, while its children may still be ending.
            router.start_daemon()


def run_kills(routers, rng):
    wanted = int(os.environ.get("RESTARTS", "100"))
    counts = {"agent": 0, "engine": 0, "parent": 0, "parent gave up": 0}
    per_router = [[kind for kind in ("agent", "engine", "parent")
                   for i in range(wanted) if i % 2 == which] for which in (0, 1)]
    parts = 4
    for kinds in per_router:
        rng.shuffle(kinds)
    for part in range(parts):
        threads = []
        for r, kinds in zip(routers, per_router):
            share = kinds[len(kinds) * part // parts:len(kinds) * (part + 1) // parts]
            r.manager.go_on()
            threads.append(threading.Thread(target=kill_at_random, args=(r, share, counts)))
            threads[-1].start()
        for t in threads:
            t.join()
        for r in routers:
            check(r, "part %d of %d" % (part + 1, parts))
    say("# kills: %s" % counts)
    claim("%d agents, engines and parents each were killed" % wanted,
          all(counts[kind] == wanted for kind in ("agent", "engine", "parent")), counts)


def ping(space, address):
    """One packet there and one back."""
    return subprocess.run(["ip", "netns", "exec", os.environ["TB_TAG"] + "-" + space, "ping", "-q",
                           "-c", "1", "-W", "5", address], stdout=subprocess.DEVNULL,
                          check=False).returncode == 0


def outbound_numbers(router):
    """The last sequence numbers of the outbound SAs."""
    sads = json.loads(router.ctl("--json", "show", "sad").stdout)
    return [s["sequence"] for s in sads if s["direction"] == "outbound"]


def run_cold(routers, rng):
    """Numbers go on above the blocks that were reserved; rows are as answered."""
    for n in range(int(os.environ.get("ROUNDS", "3"))):
        when = "cold start %d" % (n + 1)
        at_work(routers)
        time.sleep(rng.random())
        kill_all(routers)
        blocks = {}
        for r in routers:
            blocks[r] = check_disk(r)
            starts = [r.start_snmpd, r.start_daemon]
            rng.shuffle(starts)
            for start in starts:
                start()
        for r in routers:
            check(r, when)
        claim(when + ": packets cross", ping("host-a", "10.2.0.2") and ping("host-a", "fd00:2::2"))
        for r in routers:
            numbers = outbound_numbers(r)
            claim("%s, %s: numbers go on above all that was reserved" % (r.name, when),
                  len(numbers) == len(blocks[r]) == 2 and min(numbers) > max(blocks[r]),
                  "%s %s" % (numbers, blocks[r]))


def at_work(routers):
    """From here on, any moment is as good: mostly a SET is being answered."""
    before = [r.manager.answered for r in routers]
    for r in routers:
        r.manager.go_on()
    end = time.monotonic() + LIMIT
    while any(r.manager.answered < b + 5 for r, b in zip(routers, before)) and \
            time.monotonic() < end:
        time.sleep(0.01)


def end_master(router, number):
    kill(router.snmpd_pid, number)
    router.manager.client.hopeless.set()
    if router.snmpd:
        router.snmpd.wait()
    end = time.monotonic() + LIMIT
    while not router.snmpd and os.path.exists("/proc/%d" % router.snmpd_pid) and \
            time.monotonic() < end:
        time.sleep(0.01)


def run_master(routers, rng):
    """Masters come and go; other doors and packets do not care."""
    for n in range(int(os.environ.get("ROUNDS", "2"))):
        for number, what in ((signal.SIGKILL, "killed"), (signal.SIGTERM, "ended")):
            at_work(routers)
            time.sleep(rng.random())
            for r in routers:
                end_master(r, number)
            done = routers[n % 2].ctl("wait", "--timeout", "30")
            claim("without a master all is in force, round %d" % (n + 1), done.returncode == 0,
                  done.stdout)
            for r in routers:
                r.start_snmpd()
            for r in routers:
                check(r, "master %s, round %d" % (what, n + 1))
        at_work(routers)
        time.sleep(rng.random())
        for r in routers:
            kill(r.snmpd_pid, signal.SIGSTOP)
        for r in routers:
            # A SET may stand between two phases: the command line waits for its turn.
            done = r.ctl("create", "diffServMultiFieldClfrTable", str(900 + n),
                         "diffServMultiFieldClfrAddrType=ipv4")
            claim("%s: the command line has its turn beside a stopped master" % r.name,
                  done.returncode == 0, done.stdout)
        claim("packets cross beside stopped masters", ping("host-a", "10.2.0.2"))
        for r in routers:
            kill(r.snmpd_pid, signal.SIGCONT)
        for r in routers:
            check(r, "master stopped, round %d" % (n + 1))


def main():
    seed = int(os.environ.get("RESTART_SEED") or random.SystemRandom().randrange(1 << 32))
    say("# RESTART_SEED=%d" % seed)
    rng = random.Random(seed)
    routers = [Router(name, rng.randrange(1 << 32)) for name in ROUTERS]
    started = time.monotonic()
    for r in routers:
        r.manager.start()
    {"kill": run_kills, "cold": run_cold, "master": run_master}[sys.argv[1]](routers, rng)
    kill_all(routers)
    for r in routers:
        check_disk(r)
        r.start_daemon()
    for r in routers:
        done = r.wait("--timeout", "30")
        claim(r.name + ": a daemon without a master brings everything into force",
              done.returncode == 0, done.stdout)
        r.start_snmpd()
    for r in routers:
        check(r, "at the end")
        m = r.manager
        say("# %s: %d SETs answered, %d not: %s" % (r.name, m.answered, m.unanswered, m.errors))
        claim(r.name + ": SETs were answered all the time", m.answered > 20, m.answered)
        m.ended.set()
    say("# %d seconds" % (time.monotonic() - started))
    say("%d held, %d did not" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
