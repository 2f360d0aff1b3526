#!/usr/bin/python3
"""SETs cut short: a scripted AgentX master (RFC 2741) beside the whole daemon, judged from its disk.

The master here plays each phase as it likes: it goes between TestSet, CommitSet, UndoSet and
CleanupSet, asks phases again or out of order, under other session and old transaction ids, and the
agent is killed in between. What was committed must be there, in memory and after kill -9, and what
was not must never appear. Needs root for a network namespace of its own; says 77 without it.
"""
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

LIMIT = 60
OPEN, REGISTER, TEST, COMMIT, UNDO, CLEANUP, NOTIFY, PING, RESPONSE = 1, 3, 8, 9, 10, 11, 12, 13, 18
CAPS, UNREGISTER, CLOSE = 14, 4, 2
COMMIT_FAILED, UNDO_FAILED, GEN_ERR, NOT_OPEN = 14, 15, 5, 257
INTEGER = 2
CREATE_AND_GO, DESTROY = 4, 6
CLASSIFIER = (1, 3, 6, 1, 2, 1, 97, 1, 2, 6, 1)

passed = failed = 0


def claim(text, good, more=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(("ok: %s" if good else "FAILED: %s " + str(more)) % text, flush=True)


def varbind(oid, value):
    return struct.pack(">HHBBBB", INTEGER, 0, len(oid), 0, 0, 0) + \
        b"".join(struct.pack(">I", n) for n in oid) + struct.pack(">i", value)


def creates(n):
    """The VarBinds that make classifier n, which is complete with its address type."""
    return varbind(CLASSIFIER + (2, n), 1) + varbind(CLASSIFIER + (15, n), CREATE_AND_GO)


def destroys(n):
    return varbind(CLASSIFIER + (15, n), DESTROY)


class Master:
    """Listens, and talks to one subagent at a time."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        os.chmod(path, 0o666)
        self.listener.listen(5)
        self.listener.settimeout(LIMIT)
        self.conn = None
        self.session = 100
        self.packet = 0

    def accept(self):
        """A new session, up to its last registration."""
        self.conn, _ = self.listener.accept()
        self.conn.settimeout(LIMIT)
        self.session += 1
        # The registrations come together; what asks after them is answered after them.
        while self.serve()[0] != REGISTER:
            pass
        self.ask(CLEANUP, 0)
        claim("a session is open", self.ask(COMMIT, 0) == (COMMIT_FAILED, 1))

    def lose(self):
        self.conn.close()
        self.conn = None

    def receive(self, size):
        octets = b""
        while len(octets) < size:
            more = self.conn.recv(size - len(octets))
            if not more:
                raise EOFError("the subagent is gone")
            octets += more
        return octets

    def send(self, kind, session, transaction, packet, payload=b""):
        self.conn.sendall(struct.pack(">BBBBIIII", 1, kind, 0x10, 0, session, transaction, packet,
                                      len(payload)) + payload)

    def serve(self):
        """Takes one PDU, and answers it if it is a request. @return (type, packet id, payload)"""
        header = self.receive(20)
        order = ">" if header[2] & 0x10 else "<"
        _, kind, _, _, _, transaction, packet, size = struct.unpack(order + "BBBBIIII", header)
        payload = self.receive(size)
        if kind != RESPONSE:
            self.send(RESPONSE, self.session, transaction, packet, struct.pack(">IHH", 1, 0, 0))
            return kind, packet, payload
        return kind, packet, struct.unpack(order + "IHH", payload[:8])[1:]

    def ask(self, kind, transaction, payload=b"", session=None):
        """A phase. @return (error, index); None for a CleanupSet, which has no answer"""
        self.packet += 1
        self.send(kind, self.session if session is None else session, transaction, self.packet,
                  payload)
        while kind != CLEANUP:
            got, packet, answer = self.serve()
            if got == RESPONSE and packet == self.packet:
                return answer
        return None


class Daemon:
    """ipspd without packets."""

    def __init__(self, folder):
        self.folder = folder
        self.build = os.environ["TB_BUILD"]
        self.log = open(os.path.join(folder, "log"), "a")
        self.process = None

    def start(self):
        path = self.folder + "/"
        self.process = subprocess.Popen(
            [self.build + "/sbin/ipspd", "-f", "-c", "/dev/null", "-S", path + "state", "-s",
             path + "control", "-k", path + "pfkey", "-x", "unix:" + path + "master", "-a", "none"],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def kill_agent(self):
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as f:
            for pid in f.read().split():
                with open("/proc/%s/cmdline" % pid) as line:
                    if "agent" in line.read():
                        os.kill(int(pid), signal.SIGKILL)

    def ctl(self, *args):
        """Until it is there to answer."""
        end = time.monotonic() + LIMIT
        while True:
            done = subprocess.run([self.build + "/ipspctl/ipspctl", "-s", self.folder + "/control",
                                   "--json", *args], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, check=False)
            if done.returncode == 0 or time.monotonic() > end or "control" not in done.stderr:
                return done
            time.sleep(0.05)

    def generation(self):
        return json.loads(self.ctl("show", "status").stdout)[0]["committed"]

    def has(self, n):
        return self.ctl("get", "diffServMultiFieldClfrTable", str(n)).returncode == 0


class Story:
    """Master and daemon; what they say of the rows survives both."""

    def __init__(self, folder):
        self.master = Master(folder + "/master")
        self.daemon = Daemon(folder)
        self.daemon.start()
        self.master.accept()

    def again(self):
        """Everything of the daemon killed and started."""
        self.daemon.kill()
        self.master.lose()
        self.daemon.start()
        self.master.accept()

    def lose(self):
        self.master.lose()
        self.master.accept()

    def expect(self, text, rows):
        """rows: {number: is it there?}; now, and after kill -9."""
        found = {n: self.daemon.has(n) for n in rows}
        claim(text, found == rows, found)
        self.again()
        found = {n: self.daemon.has(n) for n in rows}
        claim(text + "; after kill -9 as well", found == rows, found)

    def door(self, text, n):
        """Another door has its turn."""
        done = self.daemon.ctl("create", "diffServMultiFieldClfrTable", str(n),
                               "diffServMultiFieldClfrAddrType=ipv4")
        claim(text + ": another door has its turn", done.returncode == 0, done.stderr)


def lost_sessions(s):
    m = s.master
    claim("TestSet", m.ask(TEST, 1, creates(1)) == (0, 0))
    s.lose()
    claim("a CommitSet of the session before is refused", m.ask(COMMIT, 1) == (COMMIT_FAILED, 1))
    s.door("lost after TestSet", 2)
    s.expect("lost after TestSet: nothing has happened", {1: False, 2: True})

    m.ask(TEST, 3, creates(3))
    claim("CommitSet", m.ask(COMMIT, 3) == (0, 0))
    s.lose()
    claim("an UndoSet of the session before is refused", m.ask(UNDO, 3) == (UNDO_FAILED, 1))
    s.door("lost after CommitSet", 4)
    s.expect("lost after CommitSet: it stays", {3: True, 4: True})

    m.ask(TEST, 5, creates(5) + destroys(3))
    m.ask(COMMIT, 5)
    claim("UndoSet", m.ask(UNDO, 5) == (0, 0))
    s.lose()
    s.door("lost after UndoSet", 6)
    s.expect("lost after UndoSet: it is undone", {5: False, 3: True, 6: True})

    m.ask(TEST, 7, creates(7))
    m.ask(COMMIT, 7)
    m.ask(CLEANUP, 7)
    s.lose()
    s.expect("lost after CleanupSet: it stays", {7: True})


def killed_agents(s):
    m = s.master
    m.ask(TEST, 11, creates(11))
    s.daemon.kill_agent()
    s.lose()
    claim("a CommitSet at the next agent is refused", m.ask(COMMIT, 11) == (COMMIT_FAILED, 1))
    s.expect("agent killed after TestSet: nothing has happened", {11: False})
    m.ask(TEST, 12, creates(12))
    m.ask(COMMIT, 12)
    s.daemon.kill_agent()
    s.lose()
    claim("an UndoSet at the next agent is refused", m.ask(UNDO, 12) == (UNDO_FAILED, 1))
    s.expect("agent killed after CommitSet: it stays", {12: True})


def repeated_phases(s):
    m = s.master
    before = s.daemon.generation()
    claim("TestSet three times is answered alike",
          [m.ask(TEST, 21, creates(21)) for _ in range(3)] == [(0, 0)] * 3)
    claim("CommitSet three times is answered alike",
          [m.ask(COMMIT, 21) for _ in range(3)] == [(0, 0)] * 3)
    claim("... and is one transaction", s.daemon.generation() == before + 1)
    claim("UndoSet three times is answered alike",
          [m.ask(UNDO, 21) for _ in range(3)] == [(0, 0)] * 3)
    claim("... and is one reverse transaction", s.daemon.generation() == before + 2)
    m.ask(CLEANUP, 21)
    m.ask(CLEANUP, 21)
    s.expect("repeated phases: it is undone, once", {21: False})


def wrong_order(s):
    m = s.master
    before = s.daemon.generation()
    claim("CommitSet without TestSet", m.ask(COMMIT, 31) == (COMMIT_FAILED, 1))
    claim("UndoSet without TestSet", m.ask(UNDO, 31) == (UNDO_FAILED, 1))
    m.ask(CLEANUP, 31)
    m.ask(TEST, 32, creates(32))
    claim("UndoSet without CommitSet", m.ask(UNDO, 32) == (UNDO_FAILED, 1))
    claim("another TestSet under the same transaction", m.ask(TEST, 32, creates(33))[0] == GEN_ERR)
    m.ask(CLEANUP, 32)
    claim("CommitSet after CleanupSet", m.ask(COMMIT, 32) == (COMMIT_FAILED, 1))
    m.ask(TEST, 34, creates(34))
    m.ask(COMMIT, 34)
    claim("TestSet after CommitSet", m.ask(TEST, 34, creates(34))[0] == GEN_ERR)
    m.ask(UNDO, 34)
    claim("CommitSet after UndoSet", m.ask(COMMIT, 34) == (COMMIT_FAILED, 1))
    m.ask(CLEANUP, 34)
    claim("only the one commit and its reverse were done", s.daemon.generation() == before + 2)
    s.expect("phases out of order change nothing", {31: False, 32: False, 33: False, 34: False})


def other_ids(s):
    m = s.master
    other = m.session + 7
    claim("TestSet of another session", m.ask(TEST, 41, creates(41), other)[0] == NOT_OPEN)
    m.ask(TEST, 42, creates(42))
    claim("CommitSet of another session", m.ask(COMMIT, 42, session=other)[0] == NOT_OPEN)
    claim("CommitSet of another transaction", m.ask(COMMIT, 43) == (COMMIT_FAILED, 1))
    m.ask(CLEANUP, 42, session=other)
    claim("its own CommitSet after all", m.ask(COMMIT, 42) == (0, 0))
    claim("UndoSet of another session", m.ask(UNDO, 42, session=other)[0] == NOT_OPEN)
    m.ask(CLEANUP, 42)
    claim("an UndoSet that comes when all is over", m.ask(UNDO, 42) == (UNDO_FAILED, 1))
    claim("the number may be used anew", m.ask(TEST, 42, creates(44)) == (0, 0))
    m.ask(COMMIT, 42)
    m.ask(CLEANUP, 42)
    s.expect("only what its own session committed is there", {41: False, 42: True, 44: True})


def run(folder):
    s = Story(folder)
    try:
        for story in (lost_sessions, killed_agents, repeated_phases, wrong_order, other_ids):
            story(s)
        s.daemon.process.terminate()
        claim("the daemon ends in good order", s.daemon.process.wait(LIMIT) == 0)
        with open(folder + "/log") as log:
            text = log.read()
        claim("no sanitizer has anything to say",
              "Sanitizer" not in text and "runtime error" not in text)
    finally:
        if failed or sys.exc_info()[0]:
            with open(folder + "/log") as log:
                print(log.read()[-6000:])
        if s.daemon.process.poll() is None:
            s.daemon.kill()


def main():
    if os.geteuid():
        print("needs root")
        return 77
    if "AGENTX_NETNS" not in os.environ:
        os.environ["AGENTX_NETNS"] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, os.path.abspath(__file__)])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    folder = tempfile.mkdtemp(prefix="phases.")
    os.chmod(folder, 0o755)
    signal.alarm(5 * LIMIT)
    try:
        run(folder)
    finally:
        shutil.rmtree(folder)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
