#!/usr/bin/python3
"""A store served through a real snmpd: reading, SETs, errors, restarts, and a master that hangs.

Runs agentx-harness (see there) and snmpd in a network namespace of its own; needs root, says 77
without it. Nothing here waits for time to pass: each step waits for the line or answer it needs.
"""
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile

PORT = 16100
TRAP_PORT = 16162
SPD = ".1.3.6.1.2.1.153"
DIFFSERV = ".1.3.6.1.2.1.97.1.2"
IPSPD = ".1.3.6.1.4.1.8072.9999.9999.4807"
INGRESS_NAME = SPD + ".1.1.1.0"
EGRESS_NAME = SPD + ".1.1.2.0"
TRUE_FILTER = SPD + ".1.7.1.0"
DROP_ACTION = SPD + ".1.13.1.0"
SYS_UPTIME = ".1.3.6.1.2.1.1.3.0"
SYS_NAME = ".1.3.6.1.2.1.1.5.0"
LIMIT = 60  # seconds until a step counts as failed

passed = failed = 0


def claim(text, good, more=""):
    """Counts and tells one claim."""
    global passed, failed
    if good:
        passed += 1
        print("ok: " + text)
    else:
        failed += 1
        print("FAILED: %s %s" % (text, more))
    sys.stdout.flush()


def name_index(name):
    return ".%d%s" % (len(name), "".join(".%d" % octet for octet in name.encode()))


class Harness:
    """agentx-harness, by its standard input and output."""

    def __init__(self, master):
        self.log = []
        self.process = subprocess.Popen(
            [os.path.join(os.environ["TB_BUILD"], "tests/net/agentx-harness"), master],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def line(self):
        """The next line; log lines are kept aside as well."""
        line = self.process.stdout.readline()
        if not line:
            raise EOFError("the harness ended")
        line = line.rstrip("\n")
        if line.startswith("log "):
            self.log.append(line[4:])
        return line

    def ask(self, command):
        """Its one-line answer."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.line()
        while line.startswith("log "):
            line = self.line()
        return line

    def wait_log(self, text, after=0):
        """Until a log line holds text; lines before number after do not count."""
        while not any(text in line for line in self.log[after:]):
            self.line()

    def state(self):
        pairs = re.findall(r"(\w+)=(\d+)", self.ask("state"))
        return {key: int(value) for key, value in pairs}

    def walk(self):
        """The store's own walk, a list of (OID, type, value)."""
        result = []
        line = self.ask("walk")
        while line != "end":
            oid, kind, value = (line.split(" ", 2) + [""])[:3]
            result.append((oid, kind, value))
            line = self.line()
        return result

    def close(self):
        self.process.stdin.close()
        self.process.stdout.read()
        return self.process.wait()


class Snmpd:
    """A real master agent."""

    def __init__(self, folder, agentx_socket):
        self.folder = folder
        self.conf = os.path.join(folder, "snmpd.conf")
        with open(self.conf, "w") as conf:
            conf.write("master agentx\nagentXSocket %s\nrwcommunity test 127.0.0.1\n"
                       "trap2sink 127.0.0.1:%d test\n" % (agentx_socket, TRAP_PORT))
        self.process = None

    def start(self):
        """Until it answers."""
        self.process = subprocess.Popen(
            ["snmpd", "-f", "-Lo", "-C", "-c", self.conf, "-p",
             os.path.join(self.folder, "snmpd.pid"), "udp:127.0.0.1:%d" % PORT],
            stdout=open(os.path.join(self.folder, "snmpd.log"), "a"), stderr=subprocess.STDOUT)
        while snmp("get", SYS_UPTIME, options=["-t", "0.2", "-r", "0"]).returncode:
            if self.process.poll() is not None:
                raise EOFError("snmpd ended")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def signal(self, number):
        os.kill(self.process.pid, number)


def command(tool, *args, options=()):
    return ["snmp" + tool, "-v2c", "-c", "test", "-m", "", "-On", "-Oe", "-Ot", "-Ox", *options,
            "127.0.0.1:%d" % PORT, *args]


def snmp(tool, *args, options=("-t", "10", "-r", "0")):
    return subprocess.run(command(tool, *args, options=options), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)


def snmp_values(output):
    """snmpget and snmpwalk output as a list of (OID, type, value), as the harness writes it."""
    result = []
    for line in re.sub(r"\n(?!\.1\.)", "", output).splitlines():
        match = re.match(r'(\.[0-9.]+) = (?:([A-Za-z0-9-]+): ?)?(.*)', line)
        if not match:
            continue
        oid, kind, value = match.groups()
        if kind in ("Hex-STRING", "STRING", "BITS") or kind is None and value == '""':
            text = value.strip('"') if kind != "Hex-STRING" else value
            kind, value = "STRING", text.replace(" ", "").lower()
        elif kind is None and value.isdigit():
            kind = "Timeticks"
        result.append((oid, kind or value, value))
    return result


def get(*oids):
    return snmp_values(snmp("get", *oids).stdout)


def value(oid):
    return get(oid)[0][2]


def set_error(*varbinds):
    """The SNMP error's name and the failing object of a SET that has to fail; or the output."""
    output = snmp("set", *varbinds).stdout
    reason = re.search(r"Reason: (\S+)", output)
    which = re.search(r"Failed object: (\S+)", output)
    return (reason.group(1) if reason else output, which.group(1) if which else None)


def without_clocks(rows):
    """Without what may change between two walks: times and counters."""
    return [row for row in rows if row[1] not in ("Timeticks", "Counter32", "Counter64")]


def check_reading(harness):
    own = harness.walk()
    claim("the store has something to show", len(own) >= 10, len(own))
    seen = []
    for root in (DIFFSERV, SPD, IPSPD):
        seen += snmp_values(snmp("bulkwalk", root).stdout)
    claim("snmpbulkwalk equals the store's own walk", without_clocks(seen) == without_clocks(own),
          [row for row in seen + own if (row in seen) != (row in own)][:10])
    claim("... with the same names, times and counters included",
          [row[:2] for row in seen] == [row[:2] for row in own])
    next_walk = snmp_values(snmp("walk", SPD).stdout)
    claim("snmpwalk by GETNEXT gives the same", without_clocks(next_walk) ==
          without_clocks([row for row in seen if row[0].startswith(SPD + ".")]))
    claim("GETBULK of two columns at once", len(snmp_values(
        snmp("bulkget", SPD + ".1.1", SPD + ".1.13", options=["-Cr2", "-t", "10"]).stdout)) == 4)
    claim("GET names an absent object and an absent instance",
          [row[1] for row in get(SPD + ".99.1", SPD + ".1.4.1.2" + name_index("absent"))] ==
          ["No Such Object available on this agent at this OID",
           "No Such Instance currently exists at this OID"], get(SPD + ".99.1"))
    oids = [row[0] for row in (own * 6)[:60]]
    claim("GET of sixty variables", [row[0] for row in get(*oids)] == oids)


def check_sets(harness):
    before = harness.state()["generation"]
    rule = name_index("r1")
    uptime = int(value(SYS_UPTIME))
    done = snmp("set",
                SPD + ".1.2.1.6.1.7", "i", "4",
                SPD + ".1.2.1.3.1.7", "s", "g1",
                SPD + ".1.3.1.5" + name_index("g1") + ".10", "s", "r1",
                SPD + ".1.3.1.8" + name_index("g1") + ".10", "i", "4",
                SPD + ".1.4.1.3" + rule, "o", DIFFSERV + ".6.1.2.5",
                SPD + ".1.4.1.5" + rule, "o", DROP_ACTION,
                SPD + ".1.4.1.9" + rule, "i", "4",
                DIFFSERV + ".6.1.2.5", "i", "1",
                DIFFSERV + ".6.1.3.5", "x", "0a000000",
                DIFFSERV + ".6.1.4.5", "u", "8",
                DIFFSERV + ".6.1.15.5", "i", "4",
                INGRESS_NAME, "s", "g1")
    claim("a SET over four tables, a scalar and two modules is taken", done.returncode == 0,
          done.stdout)
    claim("... as one transaction", harness.state()["generation"] == before + 1)
    claim("... and read back", value(SPD + ".1.4.1.9" + rule) == "1" and
          value(INGRESS_NAME) == "6731" and value(DIFFSERV + ".6.1.4.5") == "8")
    changed = int(value(SPD + ".1.4.1.7" + rule))
    claim("LastChanged is in the master's sysUpTime",
          uptime - 2 <= changed <= int(value(SYS_UPTIME)), "%d %d" % (uptime, changed))

    generation = harness.state()["generation"]
    bad = DIFFSERV + ".6.1.15.6"
    cases = (
        ("wrongType", (INGRESS_NAME, "i", "5"), INGRESS_NAME),
        ("wrongType", (INGRESS_NAME, "a", "192.0.2.1"), INGRESS_NAME),
        ("wrongType", (INGRESS_NAME, "n", "x"), INGRESS_NAME),
        ("wrongLength", (INGRESS_NAME, "s", "x" * 33), INGRESS_NAME),
        ("wrongValue", (SPD + ".1.4.1.6" + rule, "i", "9"), SPD + ".1.4.1.6" + rule),
        ("notWritable", (SPD + ".1.4.1.7" + rule, "t", "1"), SPD + ".1.4.1.7" + rule),
        ("notWritable", (SPD + ".1.99.0", "i", "1"), SPD + ".1.99.0"),
        ("inconsistentValue", (bad, "i", "1"), bad),
        ("inconsistentValue", (SPD + ".1.4.1.9" + rule, "i", "6"), SPD + ".1.4.1.9" + rule),
        ("inconsistentName", (SPD + ".1.4.1.5" + rule, "o", SPD + ".1.11.1.2.1.120"),
         SPD + ".1.4.1.5" + rule),
        ("noCreation", (SPD + ".1.4.1.9.0", "i", "4"), SPD + ".1.4.1.9.0"),
    )
    for name, varbind, which in cases:
        got = set_error(EGRESS_NAME, "s", "unchanged", *varbind)
        claim("%s is answered for %s" % (name, " ".join(varbind)[:60]), got[0] == name and
              got[1] == which, got)
    got = set_error(EGRESS_NAME, "s", "unchanged", SYS_NAME, "i", "5")
    claim("an error in an object of snmpd itself takes ours back", got[0] == "wrongType", got)
    claim("no refused SET has changed anything", value(EGRESS_NAME) == "" and
          harness.state()["generation"] == generation)


def check_store_held(harness):
    claim("another door stages a transaction", harness.ask("hold") == "held")
    got = set_error(EGRESS_NAME, "s", "later")
    claim("a SET that waits too long is resourceUnavailable", got[0] == "resourceUnavailable", got)
    claim("GET is served meanwhile", value(EGRESS_NAME) == "")
    before = harness.state()["tested"]
    waiting = subprocess.Popen(command("set", EGRESS_NAME, "s", "later",
                                       options=["-t", "10", "-r", "0"]),
                               stdout=subprocess.DEVNULL)
    while harness.state()["tested"] == before:
        pass
    harness.ask("release")
    claim("a SET that waits is done when the other door ends", waiting.wait() == 0 and
          value(EGRESS_NAME) == "later".encode().hex())


def check_restart(harness, snmpd):
    losses = harness.state()["losses"]
    mark = len(harness.log)
    snmpd.kill()
    harness.wait_log("will keep trying", mark)
    claim("the loss of snmpd is seen", harness.state()["connected"] == 0 and
          harness.state()["losses"] == losses + 1)
    mark = len(harness.log)
    snmpd.start()
    harness.wait_log("connected to master", mark)
    claim("a restarted snmpd is served again", value(INGRESS_NAME) == "6731")
    claim("LastChanged from before the master is zero",
          value(SPD + ".1.4.1.7" + name_index("r1")) == "0")


def check_hung(harness, snmpd):
    snmpd.signal(signal.SIGSTOP)
    waiting = subprocess.Popen(command("get", INGRESS_NAME, options=["-t", "60", "-r", "0"]),
                               stdout=subprocess.PIPE, text=True)
    claim("the loop turns while snmpd is stopped",
          all(harness.ask("ping") == "pong" for _ in range(1000)))
    claim("... notifications are taken", harness.ask("notify") == "sent")
    claim("... other doors commit", harness.ask("hold") == "held" and
          harness.ask("release") == "released")
    # The loss is noticed by an unanswered ping; then connecting goes on with a stopped listener.
    mark = len(harness.log)
    harness.wait_log("does not answer", mark)
    claim("a stopped master is lost, and the loop turns",
          all(harness.ask("ping") == "pong" for _ in range(1000)))
    mark = len(harness.log)
    snmpd.signal(signal.SIGCONT)
    waiting.communicate()
    if harness.state()["connected"] == 0:
        harness.wait_log("connected to master", mark)
    claim("it is served when it goes on", value(INGRESS_NAME) == "6731")


def check_notification(harness):
    trap = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    trap.bind(("127.0.0.1", TRAP_PORT))
    trap.settimeout(LIMIT)
    claim("a notification is queued", harness.ask("notify") == "sent")
    # snmpTrapOID.0 in BER, RFC 3418: 1.3.6.1.6.3.1.1.4.1.0; the value is below spdMIB.
    wanted = bytes([0x06, 0x0a]) + bytes([0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0])
    spd = bytes([0x2b, 6, 1, 2, 1]) + struct.pack("BB", 0x81, 153 - 128)
    while True:
        message = trap.recv(65536)
        at = message.find(wanted)
        if at >= 0 and spd in message[at:]:
            break
    claim("it leaves snmpd as a trap", True)
    trap.close()


def counts(harness):
    return {k: int(v) for k, v in (w.split("=") for w in harness.ask("notes").split()[1:])}


def check_burst(harness):
    before = counts(harness)
    claim("a burst of 10,000 notifications is taken", harness.ask("burst") == "sent")
    claim("... while GETs are answered",
          all(value(INGRESS_NAME) == "6731" for _ in range(20)))
    claim("... and SETs", all(snmp("set", INGRESS_NAME, "s", name).returncode == 0
                              for name in ("g2", "g1")))
    now = counts(harness)
    while now["waiting"] or now["sent"] != now["acknowledged"] + now["unanswered"]:
        now = counts(harness)
    sent, dropped = (now[k] - before[k] for k in ("sent", "dropped"))
    claim("each was sent or is counted as dropped", sent + dropped == 10000, str(now))
    claim("no more wait than there is room for", 256 <= sent <= 256 + 16 + 1, str(now))
    claim("the master has answered all of them", now["refused"] == 0 and
          now["unanswered"] == before["unanswered"], str(now))


def run(folder):
    address = "unix:%s/master" % folder
    snmpd = Snmpd(folder, address)
    harness = Harness(address)
    try:
        harness.wait_log("will keep trying")
        claim("without snmpd the loop turns", harness.ask("ping") == "pong")
        snmpd.start()
        harness.wait_log("connected to master")
        claim("an snmpd that starts later is found", harness.state()["connected"] == 1)
        check_reading(harness)
        check_sets(harness)
        check_reading(harness)
        check_store_held(harness)
        check_notification(harness)
        check_burst(harness)
        check_restart(harness, snmpd)
        check_hung(harness, snmpd)
        check_reading(harness)
        claim("the harness ends cleanly", harness.close() == 0)
        snmpd.kill()

        snmpd = Snmpd(folder, "tcp:127.0.0.1:16705")
        snmpd.start()
        harness = Harness("tcp:127.0.0.1:16705")
        harness.wait_log("connected to master")
        claim("a master on TCP is served", value(TRUE_FILTER) == "1")
        claim("... and left cleanly", harness.close() == 0)
    finally:
        if failed or sys.exc_info()[0]:
            with open(os.path.join(folder, "snmpd.log")) as log:
                print(log.read()[-4000:])
            print("\n".join(harness.log[-40:]))
        if harness.process.poll() is None:
            harness.process.kill()
            harness.process.wait()
        if snmpd.process and snmpd.process.poll() is None:
            snmpd.kill()


def main():
    if os.geteuid():
        print("needs root")
        return 77
    if "AGENTX_NETNS" not in os.environ:
        os.environ["AGENTX_NETNS"] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, os.path.abspath(__file__)])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    folder = tempfile.mkdtemp(prefix="agentx.")
    os.environ["SNMP_PERSISTENT_DIR"] = os.path.join(folder, "persist")
    os.environ["SNMPCONFPATH"] = folder
    signal.alarm(5 * LIMIT)
    try:
        run(folder)
    finally:
        shutil.rmtree(folder)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
