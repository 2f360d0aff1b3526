#!/usr/bin/env python3
"""Tests of what managers are configured with: snmpd's views and the exporter's module.

That no identity and no secret is forgotten is judged by other signs than emit_vacm.py goes by: the
names of columns, their types, and what mibs/meaning.c marks as secret.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = os.environ.get("TB_SRC") or os.path.abspath(
    os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
MIBS = os.path.join(TOP, "mibs")
SMI = os.path.join(MIBS, "smi")
sys.path[:0] = [MIBS]

import emit_prometheus    # noqa: E402
import emit_vacm    # noqa: E402
import smi_model    # noqa: E402

SERVED = ["DIFFSERV-MIB", "IPSEC-SPD-MIB", "IPSEC-IPSECACTION-MIB", "IPSEC-IKEACTION-MIB",
          "IPSPD-MIB"]
TEMPLATE = os.path.join(TOP, "dist", "snmpd", "ipspd.conf.in")
# A column whose name says one of these, and holds octets, tells who somebody is, or how to be him.
TELLING = re.compile("Ident|PeerId|PeerName|PeerAddr|RemoteI|LocalI|Credential$|Secret|Cert|Distinguished"
                     "|SegValue|MatchField|PacketPart|Address|Password|Key$")


def load(extra=""):
    """The model; extra: definitions put into IPSPD-MIB."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "IPSPD-MIB.txt")
        with open(os.path.join(MIBS, "IPSPD-MIB.txt"), encoding="ascii") as f:
            text = f.read()
        with open(path, "w", encoding="ascii") as f:
            f.write(text[:text.rindex("END")] + extra + "END\n")
        others = [os.path.join(MIBS, name + ".txt") for name in SERVED[:-1]]
        return smi_model.load(others + [path], [SMI])


def views(text):
    """{view: [(included?, OID)]}"""
    found = {}
    for name, kind, oid in re.findall(r"(?m)^view (\S+) (\S+) \.(\S+)$", text):
        found.setdefault(name, []).append((kind == "included",
                                           tuple(int(arc) for arc in oid.split("."))))
    return found


def sees(view, oid):
    """RFC 3415: the longest subtree that holds the name decides."""
    fitting = [(len(subtree), included) for included, subtree in view
               if oid[:len(subtree)] == subtree]
    return bool(fitting) and max(fitting)[1]


def secret_columns():
    """Names of the columns that mibs/meaning.c marks as secret."""
    with open(os.path.join(MIBS, "meaning.c"), encoding="ascii") as f:
        entries = re.findall(r"MIB_AT\(\w+, (\w+)\)([^{}]*)", f.read())
    return {name for name, rest in entries if ".is_secret" in rest}


NEW = """
ipspdTestNew OBJECT-TYPE
    SYNTAX      %s
    MAX-ACCESS  read-only
    STATUS      current
    DESCRIPTION "A column that nobody has thought of."
    ::= { ipspdSystem 999 }

ipspdTestNewGroup OBJECT-GROUP
    OBJECTS     { ipspdTestNew }
    STATUS      current
    DESCRIPTION "It alone."
    ::= { ipspdGroups 999 }
"""


class Views(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.model = load()
        with open(TEMPLATE, encoding="ascii") as f:
            cls.template = f.read()
        serve = {"DIFFSERV-MIB": cls.model.modules["DIFFSERV-MIB"].nodes["diffServClassifier"]}
        cls.text = emit_vacm.fill(cls.template, cls.model, serve)
        cls.views = views(cls.text)
        cls.columns = [(t, c) for t in cls.model.tables for c in t.columns]

    def test_template_is_filled(self):
        self.assertNotIn("\n@", self.text)
        self.assertEqual({"ipspdAll", "ipspdWritable", "ipspdMonitored"}, set(self.views))

    def test_writers_and_readers_see_every_object(self):
        for _, c in self.columns:
            self.assertTrue(sees(self.views["ipspdAll"], c.oid + (0,)), c.name)
            self.assertTrue(sees(self.views["ipspdWritable"], c.oid + (0,)), c.name)

    def test_monitors_see_no_column_that_tells_who_somebody_is(self):
        told = 0
        for _, c in self.columns:
            if c.type.base != "OCTET STRING":
                continue
            if c.type.name in ("IpsaIdentityFilter", "InetAddress") or TELLING.search(c.name):
                told += 1
                self.assertFalse(sees(self.views["ipspdMonitored"], c.oid + (0,)), c.name)
        self.assertGreater(told, 20)

    def test_monitors_see_no_column_that_can_hold_a_secret(self):
        secrets = secret_columns()
        self.assertGreaterEqual(len(secrets), 3)
        by_name = {c.name: c for _, c in self.columns}
        for name in secrets:
            self.assertFalse(sees(self.views["ipspdMonitored"], by_name[name].oid + (0,)), name)

    def test_monitors_see_no_row_named_by_what_is_hidden(self):
        for t, c in self.columns:
            index = [] if t.is_scalars else (t.entry.augments or t.entry).index
            if any(n.type.name in ("IpsaIdentityFilter", "InetAddress") for n in index):
                self.assertFalse(sees(self.views["ipspdMonitored"], c.oid + (0,)), c.name)

    def test_monitors_see_what_is_no_octets(self):
        # A pointer that may name a row of any table names rows that are hidden, too.
        closed = {"ipspdProblemRow"}
        for t, c in self.columns:
            if c.type.base != "OCTET STRING" and not emit_vacm.hides_rows(t):
                self.assertEqual(c.name not in closed,
                                 sees(self.views["ipspdMonitored"], c.oid + (0,)), c.name)

    def test_what_is_open_exists(self):
        names = {c.name for _, c in self.columns if c.type.base == "OCTET STRING"}
        self.assertEqual(set(), emit_vacm.OPEN - names)

    def test_new_column_of_octets_is_hidden_until_somebody_opens_it(self):
        for syntax in "SnmpAdminString", "OCTET STRING (SIZE (0..64))":
            model = load(NEW % syntax)
            self.assertIn("ipspdTestNew", [n.name for n in emit_vacm.hidden(model)])
            self.assertNotIn("ipspdTestNew", emit_prometheus.module_text(model, "IPSPD-MIB"))

    def test_new_number_is_a_metric(self):
        model = load(NEW % "Counter64")
        self.assertNotIn("ipspdTestNew", [n.name for n in emit_vacm.hidden(model)])
        self.assertIn("- name: ipspdTestNew\n", emit_prometheus.module_text(model, "IPSPD-MIB"))

    def test_no_view_lets_in_without_authentication_and_no_writer_without_privacy(self):
        lines = re.findall(r"(?m)^access (.*)$", self.text)
        self.assertEqual(3, len(lines))
        for line in lines:
            _, _, model, level, match, _, write, _ = line.split()
            self.assertEqual(("usm", "exact"), (model, match))
            self.assertIn(level, ("auth", "priv"))
            if write != "none":
                self.assertEqual("priv", level)

    def test_file_has_no_password_and_no_community(self):
        active = [line for line in self.text.splitlines() if line and line[0] != "#"]
        for line in active:
            self.assertNotRegex(line, "(?i)createUser|community|rwuser|rouser|trapsess")


class Exporter(unittest.TestCase):

    def setUp(self):
        self.exporter = shutil.which("prometheus-snmp-exporter")
        if not self.exporter:
            self.skipTest("prometheus-snmp-exporter is not installed (scripts/deps)")

    def run_on(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "snmp.yml")
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
            return subprocess.run([self.exporter, "--config.file=" + path, "--dry-run"], check=False,
                                  capture_output=True, text=True)

    def test_exporter_takes_the_module_once_the_pass_phrases_are_filled_in(self):
        text = emit_prometheus.module_text(load(), "IPSPD-MIB")
        self.assertIn("password is missing", self.run_on(text).stderr)
        filled = self.run_on(text.replace('password: ""', 'password: "of the operator"'))
        self.assertEqual(0, filled.returncode, filled.stderr)


if __name__ == "__main__":
    unittest.main()
