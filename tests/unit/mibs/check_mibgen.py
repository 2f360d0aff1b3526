#!/usr/bin/env python3
"""Tests of the generator: what it refuses, where it says the fault is, and that its output
depends on nothing but the modules."""
import os
import subprocess
import sys
import tempfile
import unittest

TOP = os.environ.get("TB_SRC") or os.path.abspath(
    os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
MIBS = os.path.join(TOP, "mibs")
SMI = os.path.join(MIBS, "smi")
sys.path.insert(0, MIBS)

import emit_c       # noqa: E402
import smi_model    # noqa: E402
from smi_reader import SmiError     # noqa: E402

MODULES = ["DIFFSERV-MIB", "IPSEC-SPD-MIB", "IPSEC-IPSECACTION-MIB", "IPSEC-IKEACTION-MIB",
           "IPSPD-MIB"]

# A module without fault. Each case below replaces one piece of it and expects one error.
GOOD = """\
TEST-MIB DEFINITIONS ::= BEGIN

IMPORTS
    MODULE-IDENTITY, OBJECT-TYPE, NOTIFICATION-TYPE, Integer32, Unsigned32, enterprises
        FROM SNMPv2-SMI
    TEXTUAL-CONVENTION, RowStatus, VariablePointer
        FROM SNMPv2-TC
    MODULE-COMPLIANCE, OBJECT-GROUP, NOTIFICATION-GROUP
        FROM SNMPv2-CONF
    SnmpAdminString
        FROM SNMP-FRAMEWORK-MIB;

tMIB MODULE-IDENTITY
    LAST-UPDATED "202601020000Z"
    ORGANIZATION "o"
    CONTACT-INFO "c"
    DESCRIPTION "d"
    REVISION "202601020000Z"
    DESCRIPTION "r"
    ::= { enterprises 4711 }

tObjects OBJECT IDENTIFIER ::= { tMIB 1 }

Colour ::= TEXTUAL-CONVENTION
    STATUS current
    DESCRIPTION "d"
    SYNTAX INTEGER { red(1), green(2) }

tScalar OBJECT-TYPE
    SYNTAX Colour
    MAX-ACCESS read-write
    STATUS current
    DESCRIPTION "d"
    DEFVAL { green }
    ::= { tObjects 1 }

tTable OBJECT-TYPE
    SYNTAX SEQUENCE OF TEntry
    MAX-ACCESS not-accessible
    STATUS current
    DESCRIPTION "d"
    ::= { tObjects 2 }

tEntry OBJECT-TYPE
    SYNTAX TEntry
    MAX-ACCESS not-accessible
    STATUS current
    DESCRIPTION "d"
    INDEX { tIndex }
    ::= { tTable 1 }

TEntry ::= SEQUENCE {
    tIndex   Integer32,
    tName    SnmpAdminString,
    tBits    BITS,
    tTarget  VariablePointer,
    tSize    Unsigned32,
    tStatus  RowStatus
}

tIndex OBJECT-TYPE
    SYNTAX Integer32 (1..65535)
    MAX-ACCESS not-accessible
    STATUS current
    DESCRIPTION "d"
    ::= { tEntry 1 }

tName OBJECT-TYPE
    SYNTAX SnmpAdminString (SIZE (1..8))
    MAX-ACCESS read-create
    STATUS current
    DESCRIPTION "d"
    DEFVAL { "name" }
    ::= { tEntry 2 }

tBits OBJECT-TYPE
    SYNTAX BITS { one(0), nine(8) }
    MAX-ACCESS read-create
    STATUS current
    DESCRIPTION "d"
    DEFVAL { { nine } }
    ::= { tEntry 3 }

tTarget OBJECT-TYPE
    SYNTAX VariablePointer
    MAX-ACCESS read-create
    STATUS current
    DESCRIPTION "d"
    DEFVAL { tObjects }
    ::= { tEntry 4 }

tSize OBJECT-TYPE
    SYNTAX Unsigned32 (0 | 10..20)
    UNITS "apples"
    MAX-ACCESS read-create
    STATUS current
    DESCRIPTION "d"
    DEFVAL { 15 }
    ::= { tEntry 5 }

tStatus OBJECT-TYPE
    SYNTAX RowStatus
    MAX-ACCESS read-create
    STATUS current
    DESCRIPTION "d"
    ::= { tEntry 6 }

tEvent NOTIFICATION-TYPE
    OBJECTS { tScalar, tName }
    STATUS current
    DESCRIPTION "d"
    ::= { tMIB 0 1 }

tGroup OBJECT-GROUP
    OBJECTS { tScalar, tName, tBits, tTarget, tSize, tStatus }
    STATUS current
    DESCRIPTION "d"
    ::= { tMIB 2 1 }

tEvents NOTIFICATION-GROUP
    NOTIFICATIONS { tEvent }
    STATUS current
    DESCRIPTION "d"
    ::= { tMIB 2 2 }

tCompliance MODULE-COMPLIANCE
    STATUS current
    DESCRIPTION "d"
    MODULE
    MANDATORY-GROUPS { tGroup }
    GROUP tEvents
    DESCRIPTION "d"
    OBJECT tSize
    MIN-ACCESS read-only
    DESCRIPTION "d"
    ::= { tMIB 2 3 }

END
"""

# name, what is replaced, by what, the line that must be named (its text), part of the message
FAULTS = [
    ("stray character", "tObjects 1 }", "tObjects 1 } %", "::= { tObjects 1 } %", "stray '%'"),
    ("string without an end", 'ORGANIZATION "o"', 'ORGANIZATION "o',
     None, "string without an end"),
    ("no END", "\nEND\n", "\n", None, "has no END"),
    ("something after a definition", "::= { tEntry 6 }", "::= { tEntry 6 } 7", "} 7",
     "a definition expected"),
    ("unknown macro", "tScalar OBJECT-TYPE", "tScalar OBJECT-KIND", "OBJECT-KIND",
     "begins no definition"),
    ("clause in the wrong order", '    UNITS "apples"\n    MAX-ACCESS read-create',
     '    MAX-ACCESS read-create\n    UNITS "apples"', "UNITS", "'STATUS' expected"),
    ("clause missing", '    STATUS current\n    DESCRIPTION "d"\n    DEFVAL { 15 }',
     '    STATUS current\n    DEFVAL { 15 }', "DEFVAL { 15 }", "'DESCRIPTION' expected"),
    ("status of SMIv1", "STATUS current\n    DESCRIPTION \"d\"\n    DEFVAL { 15 }",
     "STATUS mandatory\n    DESCRIPTION \"d\"\n    DEFVAL { 15 }", "mandatory",
     "a status expected"),
    ("access of SMIv1", "MAX-ACCESS read-write", "MAX-ACCESS write-only", "write-only",
     "an access expected"),
    ("empty description", 'DESCRIPTION "d"\n    DEFVAL { green }',
     'DESCRIPTION " "\n    DEFVAL { green }', "tScalar OBJECT-TYPE", "empty DESCRIPTION"),
    ("hyphen in a name", "tScalar OBJECT-TYPE", "t-scalar OBJECT-TYPE", "t-scalar", "no hyphen"),
    ("date that is none", 'LAST-UPDATED "202601020000Z"', 'LAST-UPDATED "202613020000Z"',
     "LAST-UPDATED", "no date"),
    ("date without revision", 'LAST-UPDATED "202601020000Z"', 'LAST-UPDATED "202601030000Z"',
     "tMIB MODULE-IDENTITY", "newest REVISION"),
    ("not ASCII", 'CONTACT-INFO "c"', 'CONTACT-INFO "\u00e9"', "CONTACT-INFO", "not ASCII"),
    ("IMPLIED index", "INDEX { tIndex }", "INDEX { IMPLIED tIndex }", "IMPLIED",
     "IMPLIED indexes are not supported"),
    ("import from nowhere", "FROM SNMP-FRAMEWORK-MIB", "FROM SNMP-NOWHERE-MIB",
     "SnmpAdminString\n", "is not found"),
    ("import of an unknown name", "RowStatus, VariablePointer", "RowStatus, VariablePointers",
     "VariablePointers", "has no 'VariablePointers'"),
    ("import without use", "RowStatus, VariablePointer", "RowStatus, TimeStamp, VariablePointer",
     "TimeStamp", "not used"),
    ("import twice", "RowStatus, VariablePointer", "RowStatus, RowStatus, VariablePointer",
     "RowStatus, RowStatus", "known already"),
    ("type not imported", "Integer32, Unsigned32,", "Integer32,", "SYNTAX Unsigned32",
     "has to be imported from SNMPv2-SMI"),
    ("macro not imported", "MODULE-IDENTITY, OBJECT-TYPE, NOTIFICATION-TYPE,",
     "MODULE-IDENTITY, OBJECT-TYPE,", "tEvent NOTIFICATION-TYPE", "has to be imported"),
    ("name defined twice", "tGroup OBJECT-GROUP", "tEvent OBJECT-GROUP", "tEvent OBJECT-GROUP",
     "defined twice"),
    ("OID given twice", "::= { tMIB 2 2 }", "::= { tMIB 2 1 }", "tEvents NOTIFICATION-GROUP",
     "has the OID of 'tGroup'"),
    ("unknown parent", "{ tMIB 1 }", "{ tMib 1 }", "tObjects OBJECT", "'tMib' is neither"),
    ("OID in a circle", "{ enterprises 4711 }", "{ tObjects 4711 }", None, "in a circle"),
    ("arc too large", "{ tMIB 1 }", "{ tMIB 4294967296 }", "4294967296", "an arc of an OID"),
    ("unknown type", "SYNTAX Colour", "SYNTAX Color", "SYNTAX Color", "neither defined"),
    ("convention of a convention", "SYNTAX INTEGER { red(1), green(2) }", "SYNTAX RowStatus",
     "Colour ::=", "cannot refine"),
    ("label twice", "green(2)", "red(2)", "red(2)", "twice"),
    ("number twice", "green(2)", "green(1)", "green(1)", "two labels"),
    ("range backwards", "(1..65535)", "(65535..1)", "65535..1", "backwards"),
    ("ranges that overlap", "(0 | 10..20)", "(0..10 | 10..20)", "0..10", "overlap"),
    ("range beyond the type", "(0 | 10..20)", "(0..4294967296)", "4294967296", "not within"),
    ("range beyond the convention", "(SIZE (1..8))", "(SIZE (1..256))", "1..256", "not within"),
    ("range for a size", "(SIZE (1..8))", "(1..8)", "(1..8)", "SIZE is for"),
    ("default of no label", "DEFVAL { green }", "DEFVAL { blue }", "blue", "no label"),
    ("default outside the range", "DEFVAL { 15 }", "DEFVAL { 5 }", "{ 5 }", "outside its range"),
    ("default too long", 'DEFVAL { "name" }', 'DEFVAL { "long names" }', "long names",
     "outside its size"),
    ("default of no bit", "{ { nine } }", "{ { ten } }", "ten", "no bit"),
    ("default that points nowhere", "DEFVAL { tObjects }", "DEFVAL { tNothing }", "tNothing",
     "neither defined"),
    ("default of another kind", "DEFVAL { 15 }", "DEFVAL { red }", "DEFVAL { red }",
     "a number expected"),
    ("index that is no column", "INDEX { tIndex }", "INDEX { tScalar }", "INDEX { tScalar }",
     "no column"),
    ("index that may be negative", "(1..65535)", "(-1..65535)", "INDEX { tIndex }", "negative"),
    ("no index", "    INDEX { tIndex }\n", "", "tEntry OBJECT-TYPE", "needs INDEX or AUGMENTS"),
    ("index outside an entry", "    DEFVAL { green }", "    INDEX { tIndex }", "tScalar OBJECT",
     "is no entry"),
    ("augments what is no entry", "INDEX { tIndex }", "AUGMENTS { tTable }", "AUGMENTS",
     "no entry with an INDEX"),
    ("sequence lacks a column", "    tSize    Unsigned32,\n", "", "tStatus  RowStatus",
     "is not column 5"),
    ("sequence ends early", ",\n    tStatus  RowStatus", "", "TEntry ::= SEQUENCE",
     "lacks the column 'tStatus'"),
    ("sequence with another type", "tSize    Unsigned32", "tSize    Integer32",
     "tSize    Integer32", "another type"),
    ("entry of another type", "SYNTAX SEQUENCE OF TEntry", "SYNTAX SEQUENCE OF TRow",
     "tEntry OBJECT-TYPE", "not of the type TRow"),
    ("entry with another arc", "::= { tTable 1 }", "::= { tTable 2 }", "tTable OBJECT-TYPE",
     "one entry, with the arc 1"),
    ("table that can be accessed",
     "SYNTAX SEQUENCE OF TEntry\n    MAX-ACCESS not-accessible",
     "SYNTAX SEQUENCE OF TEntry\n    MAX-ACCESS read-only", "tTable OBJECT-TYPE",
     "has to be not-accessible"),
    ("scalar that rows would create", "MAX-ACCESS read-write", "MAX-ACCESS read-create",
     "tScalar OBJECT-TYPE", "cannot be read-create"),
    ("notification of an index", "OBJECTS { tScalar, tName }", "OBJECTS { tScalar, tIndex }",
     "tIndex }\n    STATUS", "not an object that can be sent"),
    ("object in no group", "tTarget, tSize, tStatus }", "tTarget, tSize }", "tStatus OBJECT-TYPE",
     "in no group"),
    ("notification in an object group", "tTarget, tSize, tStatus }",
     "tTarget, tSize, tStatus, tEvent }", "tStatus, tEvent }", "not an object"),
    ("compliance with an unknown group", "GROUP tEvents", "GROUP tNothing", "GROUP tNothing",
     "no group of TEST-MIB"),
    ("compliance with an unknown object", "OBJECT tSize", "OBJECT tNothing", "OBJECT tNothing",
     "no object of TEST-MIB"),
]


def load_text(text):
    """The model of one module text, and of the path that errors must name."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "TEST-MIB.txt")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return smi_model.load([path], [SMI])


class Reader(unittest.TestCase):

    def test_module_without_fault_is_read(self):
        model = load_text(GOOD)
        self.assertEqual([t.name for t in model.tables], ["tObjects", "tTable"])
        types = {c.name: c.type for t in model.tables for c in t.columns}
        self.assertEqual(types["tScalar"].labels, [("red", 1), ("green", 2)])
        self.assertEqual(types["tSize"].ranges, [(0, 0), (10, 20)])
        self.assertEqual(types["tName"].ranges, [(1, 8)])
        self.assertEqual(types["tName"].hint, "255t")
        defaults = {c.name: c.default for t in model.tables for c in t.columns}
        self.assertEqual(defaults["tScalar"], ("number", 2))
        self.assertEqual(defaults["tName"], ("octets", b"name"))
        self.assertEqual(defaults["tBits"], ("octets", b"\x00\x80"))
        self.assertEqual(defaults["tTarget"], ("oid", (1, 3, 6, 1, 4, 1, 4711, 1)))
        self.assertIsNone(defaults["tIndex"])

    def test_comments_end_with_the_line_or_with_two_hyphens(self):
        text = GOOD.replace("tObjects OBJECT", "-- one { \" ' %\n-- a -- tObjects OBJECT")
        self.assertEqual(load_text(text).node("tObjects").oid, (1, 3, 6, 1, 4, 1, 4711, 1))

    def test_each_fault_is_named_with_file_and_line(self):
        for name, old, new, at, message in FAULTS:
            with self.subTest(name):
                self.assertEqual(GOOD.count(old) >= 1, True, "the case replaces nothing")
                text = GOOD.replace(old, new, 1)
                with self.assertRaises(SmiError) as caught:
                    load_text(text)
                error = caught.exception
                self.assertIn(message, error.message)
                self.assertTrue(error.path.endswith("TEST-MIB.txt"))
                if at is not None:
                    self.assertEqual(error.line, text[:text.index(at)].count("\n") + 1)
                self.assertIn(":%d: " % error.line, str(error))

    def test_text_cut_anywhere_is_an_error_and_no_crash(self):
        for end in range(0, len(GOOD) - 1, 17):
            with self.subTest(end), self.assertRaises(SmiError):
                load_text(GOOD[:end])

    def test_missing_file_is_an_error(self):
        with self.assertRaises(SmiError):
            smi_model.load(["/nonexistent/TEST-MIB.txt"], [SMI])


class Emitter(unittest.TestCase):

    def paths(self):
        return [os.path.join(MIBS, m + ".txt") for m in MODULES]

    def run_generator(self, folder, seed, *more):
        env = dict(os.environ, PYTHONHASHSEED=seed, PYTHONDONTWRITEBYTECODE="1")
        return subprocess.run(
            [sys.executable, os.path.join(MIBS, "mibgen.py"), "--path", SMI, "--output", folder,
             *more], env=env, capture_output=True, text=True, check=False)

    def test_output_is_the_same_at_every_run(self):
        with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
            for folder, seed in (a, "1"), (b, "2"):
                run = self.run_generator(folder, seed, *self.paths())
                self.assertEqual((run.returncode, run.stderr), (0, ""))
            for name in "schema_gen.c", "schema_gen.h":
                with open(os.path.join(a, name)) as x, open(os.path.join(b, name)) as y:
                    self.assertEqual(x.read(), y.read())

    def test_unchanged_output_keeps_its_time(self):
        with tempfile.TemporaryDirectory() as folder:
            self.run_generator(folder, "1", *self.paths())
            path = os.path.join(folder, "schema_gen.h")
            os.utime(path, (1, 1))
            self.run_generator(folder, "1", *self.paths())
            self.assertEqual(os.stat(path).st_mtime, 1)

    def test_fault_leaves_no_output_and_exit_1(self):
        with tempfile.TemporaryDirectory() as folder:
            bad = os.path.join(folder, "TEST-MIB.txt")
            text = GOOD.replace("{ tMIB 1 }", "{ tMib 1 }")
            line = text[:text.index("{ tMib 1 }")].count("\n") + 1
            with open(bad, "w") as f:
                f.write(text)
            run = self.run_generator(folder, "1", bad)
            self.assertEqual(run.returncode, 1)
            self.assertTrue(run.stderr.startswith("%s:%d: " % (bad, line)), run.stderr)
            self.assertEqual(os.listdir(folder), ["TEST-MIB.txt"])

    def test_serve_limits_a_module_to_a_node(self):
        model = load_text(GOOD)
        text = emit_c.source_text(model, {"TEST-MIB": model.node("tObjects")})
        self.assertIn('{ "TEST-MIB", oid_tObjects, 8, "2026-01-02" }', text)
        self.assertIn('{ "TEST-MIB", oid_tMIB, 7, "2026-01-02" }', emit_c.source_text(model, {}))


if __name__ == "__main__":
    unittest.main()
