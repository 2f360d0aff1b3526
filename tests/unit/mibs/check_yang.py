#!/usr/bin/env python3
"""Tests of the YANG modules: RFC 6643's own printed examples are the fixed point, and yanglint
judges every module."""
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
PRINTED = os.path.join(TOP, "tests", "unit", "mibs", "rfc6643")
sys.path[:0] = [MIBS, os.path.join(TOP, "tests", "unit", "mibs")]

import emit_yang    # noqa: E402
import smi_model    # noqa: E402
from yang_reader import read    # noqa: E402

SERVED = ["DIFFSERV-MIB", "IPSEC-SPD-MIB", "IPSEC-IPSECACTION-MIB", "IPSEC-IKEACTION-MIB",
          "IPSPD-MIB"]
EXAMPLES = ["IF-MIB", "DIFFSERV-MIB", "RMON2-MIB"]

# Section of RFC 6643; module; where in it; what is printed there. Descriptions and the like are
# left out on both sides. "more" stands for the "// ..." of the RFC: there may be other statements.
FIXED_POINTS = [
    ("3.1 imports", "IF-MIB", [], """
     namespace "urn:ietf:params:xml:ns:yang:smiv2:IF-MIB";
     prefix "if-mib";
     import IANAifType-MIB      { prefix "ianaiftype-mib"; }
     import SNMPv2-TC           { prefix "snmpv2-tc"; }
     import ietf-yang-types     { prefix "yang"; }
     import ietf-yang-smiv2     { prefix "smiv2"; }
     """),
    ("4.2 revisions", "IF-MIB", [],
     'revision "2000-06-14"; revision "1996-02-28"; revision "1993-11-08";'),
    ("4.2 container", "IF-MIB", [], "container IF-MIB { config false; more; }"),
    ("5.2 OwnerString", "IF-MIB", [], r"""
     typedef OwnerString {
       type string { length "0..255"; pattern '\p{IsBasicLatin}{0,255}'; }
       status deprecated;
       smiv2:display-hint "255a";
     }"""),
    ("5.2 InterfaceIndex", "IF-MIB", [], """
     typedef InterfaceIndex {
       type int32 { range "1..2147483647"; }
       smiv2:display-hint "d";
     }"""),
    ("5.3 IfDirection", "DIFFSERV-MIB", [], """
     typedef IfDirection {
       type enumeration { enum inbound  { value 1; } enum outbound { value 2; } }
     }"""),
    ("7.2 ifNumber", "IF-MIB", ["container IF-MIB", "container interfaces"], """
     leaf ifNumber { type int32; smiv2:max-access "read-only"; smiv2:oid "1.3.6.1.2.1.2.1"; }"""),
    ("7.4 ifTable", "IF-MIB", ["container IF-MIB"], """
     container ifTable {
       smiv2:oid "1.3.6.1.2.1.2.2";
       list ifEntry {
         key "ifIndex";
         smiv2:oid "1.3.6.1.2.1.2.2.1";
         leaf ifIndex {
           type if-mib:InterfaceIndex;
           smiv2:max-access "read-only";
           smiv2:oid "1.3.6.1.2.1.2.2.1.1";
         }
         more;
       }
     }"""),
    ("7.5 ifRcvAddressTable", "IF-MIB", ["container IF-MIB"], """
     container ifRcvAddressTable {
       smiv2:oid "1.3.6.1.2.1.31.1.4";
       list ifRcvAddressEntry {
         key "ifIndex ifRcvAddressAddress";
         smiv2:oid "1.3.6.1.2.1.31.1.4.1";
         leaf ifIndex {
           type leafref {
             path "/if-mib:IF-MIB/if-mib:ifTable" + "/if-mib:ifEntry/if-mib:ifIndex";
           }
         }
         leaf ifRcvAddressAddress {
           type yang:phys-address;
           smiv2:max-access "not-accessible";
           smiv2:oid "1.3.6.1.2.1.31.1.4.1.1";
         }
         more;
       }
     }"""),
    ("7.6 alHostTable", "RMON2-MIB", ["container RMON2-MIB"], """
     container alHostTable {
       smiv2:oid "1.3.6.1.2.1.16.16.1";
       list alHostEntry {
         key "hlHostControlIndex alHostTimeMark protocolDirLocalIndex "
           + "nlHostAddress protocolDirLocalIndex_2";
         smiv2:oid "1.3.6.1.2.1.16.16.1.1";
         leaf protocolDirLocalIndex {
           type leafref {
             path "/rmon2-mib:RMON2-MIB/" + "rmon2-mib:protocolDirTable/"
                + "rmon2-mib:protocolDirEntry/" + "rmon2-mib:protocolDirLocalIndex";
           }
         }
         leaf protocolDirLocalIndex_2 {
           type leafref {
             path "/rmon2-mib:RMON2-MIB/" + "rmon2-mib:protocolDirTable/"
                + "rmon2-mib:protocolDirEntry/" + "rmon2-mib:protocolDirLocalIndex";
           }
         }
         more;
       }
     }"""),
    ("7.8 ifXTable", "IF-MIB", [], """
     smiv2:alias "ifXTable" { smiv2:oid "1.3.6.1.2.1.31.1.1"; }
     smiv2:alias "ifXEntry" { smiv2:oid "1.3.6.1.2.1.31.1.1.1"; }
     augment "/if-mib:IF-MIB/if-mib:ifTable/if-mib:ifEntry" {
       smiv2:oid "1.3.6.1.2.1.31.1.1.1";
       leaf ifName {
         type snmpv2-tc:DisplayString;
         smiv2:max-access "read-only";
         smiv2:oid "1.3.6.1.2.1.31.1.1.1.1";
       }
       more;
     }"""),
    ("8.2 diffServTBParamSimpleTokenBucket", "DIFFSERV-MIB", [], """
     identity diffServTBParamSimpleTokenBucket {
       base "smiv2:object-identity";
       smiv2:oid "1.3.6.1.2.1.97.3.1.1";
     }"""),
    ("9.2 linkDown", "IF-MIB", [], """
     notification linkDown {
       smiv2:oid "1.3.6.1.6.3.1.1.5.3";
       container object-1 {
         leaf ifIndex {
           type leafref {
             path "/if-mib:IF-MIB/if-mib:ifTable" + "/if-mib:ifEntry/if-mib:ifIndex";
           }
         }
       }
       container object-2 {
         leaf ifIndex {
           type leafref {
             path "/if-mib:IF-MIB/if-mib:ifTable" + "/if-mib:ifEntry/if-mib:ifIndex";
           }
         }
         leaf ifAdminStatus {
           type leafref {
             path "/if-mib:IF-MIB/if-mib:ifTable" + "/if-mib:ifEntry/if-mib:ifAdminStatus";
           }
         }
       }
       container object-3 {
         leaf ifIndex {
           type leafref {
             path "/if-mib:IF-MIB/if-mib:ifTable" + "/if-mib:ifEntry/if-mib:ifIndex";
           }
         }
         leaf ifOperStatus {
           type leafref {
             path "/if-mib:IF-MIB/if-mib:ifTable" + "/if-mib:ifEntry/if-mib:ifOperStatus";
           }
         }
       }
     }"""),
]
# What the example of section 11.1 turns into configuration.
CONTROL = ["RMON2-MIB", "addressMapControlTable", "addressMapControlEntry"]
DEVIATED = [CONTROL[:1], CONTROL[:2], CONTROL, CONTROL + ["addressMapControlIndex"],
            CONTROL + ["addressMapControlDataSource"], CONTROL + ["addressMapControlOwner"]]

# Section 10: the module of extensions, which is not generated.
EXTENSIONS = """
 namespace "urn:ietf:params:xml:ns:yang:ietf-yang-smiv2";
 prefix "smiv2";
 revision 2012-06-22;
 identity object-identity;
 typedef opaque { type binary; }
 extension display-hint { argument "format"; }
 extension max-access { argument "access"; }
 extension defval { argument "value"; }
 extension implied { argument "index"; }
 extension alias { argument "descriptor"; }
 extension oid { argument "value"; }
 extension subid { argument "value"; }
"""

# Objects of one scalar each: SYNTAX and the rest of the macro; the leaf without its OID.
TYPES = [
    ("plain octets are binary", "OCTET STRING (SIZE (0..32))", "read-write", "",
     'type binary { length "0..32"; } smiv2:max-access "read-write";'),
    ("UTF-8 of n octets has fewer characters", "Name (SIZE (5..8))", "read-only", "",
     'type Name { length "2..8"; } smiv2:max-access "read-only";'),
    ("sizes of UTF-8 that meet become one", "Name (SIZE (4 | 16))", "read-only", "",
     'type Name { length "1..16"; } smiv2:max-access "read-only";'),
    ("ASCII keeps its sizes", "Word (SIZE (4 | 16))", "read-only", "",
     'type Word { length "4|16"; } smiv2:max-access "read-only";'),
    ("another form of text has no length", "Dashed (SIZE (2))", "read-only", "",
     'type Dashed; smiv2:max-access "read-only";'),
    ("a truth is a boolean", "TruthValue", "read-write", "DEFVAL { true }",
     'type boolean; smiv2:defval "true"; smiv2:max-access "read-write";'),
    ("labels of a convention", "Colour", "read-only", "",
     'type Colour; smiv2:max-access "read-only";'),
    ("narrowed labels are written anew", "Colour { green(2) }", "read-only", "", """
     type enumeration { enum green { value 2; } } smiv2:max-access "read-only";"""),
    ("bits have positions", "BITS { one(0), nine(8) }", "read-write", "DEFVAL { { nine } }", """
     type bits { bit one { position 0; } bit nine { position 8; } }
     smiv2:defval "{ nine }"; smiv2:max-access "read-write";"""),
    ("ranges with gaps", "Unsigned32 (0 | 10..20)", "read-write", "DEFVAL { 15 }", """
     type uint32 { range "0|10..20"; } smiv2:defval "15"; smiv2:max-access "read-write";"""),
    ("numbers below zero", "Integer32 (-1..5)", "read-write", "DEFVAL { -1 }", """
     type int32 { range "-1..5"; } smiv2:defval "-1"; smiv2:max-access "read-write";"""),
    ("an object identifier", "OBJECT IDENTIFIER", "read-write", "DEFVAL { tObjects }", """
     type yang:object-identifier-128; smiv2:defval "tObjects";
     smiv2:max-access "read-write";"""),
    ("octets by default", "OCTET STRING", "read-write", "DEFVAL { 'c0Fe'H }", """
     type binary; smiv2:defval "'C0FE'H"; smiv2:max-access "read-write";"""),
    ("counters and times", "Counter64", "read-only", "",
     'type yang:counter64; smiv2:max-access "read-only";'),
    ("a port is the port of YANG", "InetPortNumber (1..99)", "read-only", "", """
     type inet:port-number { range "1..99"; } smiv2:max-access "read-only";"""),
]
TEST_MIB = """\
TEST-MIB DEFINITIONS ::= BEGIN
IMPORTS
    MODULE-IDENTITY, OBJECT-TYPE, Integer32, Unsigned32, Counter64, enterprises FROM SNMPv2-SMI
    TEXTUAL-CONVENTION, TruthValue FROM SNMPv2-TC
    OBJECT-GROUP FROM SNMPv2-CONF
    InetPortNumber FROM INET-ADDRESS-MIB;
tMIB MODULE-IDENTITY
    LAST-UPDATED "202601020000Z" ORGANIZATION "o" CONTACT-INFO "c" DESCRIPTION "d"
    REVISION "202601020000Z" DESCRIPTION "r"
    ::= { enterprises 4711 }
tObjects OBJECT IDENTIFIER ::= { tMIB 1 }
Colour ::= TEXTUAL-CONVENTION STATUS current DESCRIPTION "d"
    SYNTAX INTEGER { red(1), green(2) }
Name ::= TEXTUAL-CONVENTION DISPLAY-HINT "255t" STATUS current DESCRIPTION "d"
    SYNTAX OCTET STRING (SIZE (0..255))
Word ::= TEXTUAL-CONVENTION DISPLAY-HINT "255a" STATUS current DESCRIPTION "d"
    SYNTAX OCTET STRING (SIZE (0..255))
Dashed ::= TEXTUAL-CONVENTION DISPLAY-HINT "1d-1d" STATUS current DESCRIPTION "d"
    SYNTAX OCTET STRING (SIZE (2))
%s
tGroup OBJECT-GROUP OBJECTS { %s } STATUS current DESCRIPTION "d" ::= { tMIB 2 }
END
"""
TEST_SCALAR = """
t%d OBJECT-TYPE SYNTAX %s %s MAX-ACCESS %s STATUS %s DESCRIPTION "%s" %s ::= { tObjects %d }
"""

# An instance of IF-MIB by RFC 6643 and RFC 7950 9, and what makes it wrong.
INSTANCE = """\
<IF-MIB xmlns="urn:ietf:params:xml:ns:yang:smiv2:IF-MIB">
  <interfaces><ifNumber>1</ifNumber></interfaces>
  <ifTable>
    <ifEntry>
      <ifIndex>7</ifIndex><ifDescr>lo &amp; behold</ifDescr><ifType>tunnel</ifType>
      <ifPhysAddress>00:1b:2C</ifPhysAddress><ifAdminStatus>up</ifAdminStatus>
      <ifName>lo</ifName>
    </ifEntry>
  </ifTable>
  <ifRcvAddressTable>
    <ifRcvAddressEntry>
      <ifIndex>7</ifIndex><ifRcvAddressAddress>01:00</ifRcvAddressAddress>
      <ifRcvAddressStatus>active</ifRcvAddressStatus>
    </ifRcvAddressEntry>
  </ifRcvAddressTable>
</IF-MIB>
"""
WRONG = [
    ("number out of range", "<ifIndex>7</ifIndex><ifDescr>", "<ifIndex>0</ifIndex><ifDescr>"),
    ("no label", "tunnel", "131"),
    ("octets of an address", "00:1b:2C", "001b2C"),
    ("not ASCII", "behold", "beh\u00f6ld"),
    ("no such interface", "<ifIndex>7</ifIndex><ifRcv", "<ifIndex>8</ifIndex><ifRcv"),
    ("no such leaf", "<ifName>lo</ifName>", "<ifAlias>lo</ifAlias>"),
    ("other namespace", "smiv2:IF-MIB", "smiv2:IF-MIB2"),
    ("scalar outside its container", "<interfaces><ifNumber>1</ifNumber></interfaces>",
     "<ifNumber>1</ifNumber>"),
]


def yanglint(folder, *arguments):
    """What yanglint says; '' when it has nothing against it."""
    run = subprocess.run(["yanglint", "-p", folder, *arguments], cwd=folder, capture_output=True,
                         text=True, check=False)
    return run.stderr if run.returncode == 0 else run.stderr or "exit %d" % run.returncode


def generate(folder, paths, search, *more, seed="1"):
    """The YANG modules of MIB modules, with the one that is not generated, into a folder."""
    env = dict(os.environ, PYTHONHASHSEED=seed, PYTHONDONTWRITEBYTECODE="1")
    arguments = ["--output", os.path.join(folder, "c"), "--yang", folder, *more, *paths]
    for path in search:
        arguments[:0] = ["--path", path]
    subprocess.run([sys.executable, os.path.join(MIBS, "mibgen.py"), *arguments], env=env,
                   check=True)
    shutil.copy(os.path.join(MIBS, "yang", "ietf-yang-smiv2.yang"), folder)
    return sorted(f for f in os.listdir(folder) if f.endswith(".yang"))


def generate_served(folder, seed="1"):
    return generate(folder, [os.path.join(MIBS, m + ".txt") for m in SERVED], [SMI],
                    "--deviations", "ipspd-deviations=IPSPD-MIB", seed=seed)


def generate_examples(folder):
    return generate(folder, [os.path.join(PRINTED, m + ".txt") for m in EXAMPLES],
                    [SMI, PRINTED], "--deviations", "acme-RMON2-MIB-deviations=RMON2-MIB")


def content(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def bare(statements):
    """Without descriptions and what else says nothing to a machine."""
    return [(k, a, bare(c)) for k, a, c in statements
            if k not in ("description", "organization", "contact", "reference")]


def find(statements, step):
    keyword, argument = step.split(" ")
    return next(c for k, a, c in statements if (k, a) == (keyword, argument))


class Case(unittest.TestCase):

    def setUp(self):
        self.assertIsNotNone(shutil.which("yanglint"), "yanglint is not installed (scripts/deps)")
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name

    def must_match(self, expected, found):
        """Every expected statement is there; nothing else is, unless "more" is among them."""
        rest = list(found)
        for keyword, argument, children in expected:
            if keyword == "more":
                continue
            same = [s for s in rest if s[:2] == (keyword, argument)]
            self.assertEqual(len(same), 1, "%s %s: %s" % (keyword, argument, rest))
            rest.remove(same[0])
            self.must_match(children, same[0][2])
        if ("more", None, []) not in expected:
            self.assertEqual(rest, [])


class Rfc6643(Case):

    def test_printed_examples_come_out_as_printed(self):
        generate_examples(self.folder)
        for name, module, path, printed in FIXED_POINTS:
            with self.subTest(name):
                found = bare(read(content(os.path.join(self.folder, module + ".yang"))))[0][2]
                for step in path:
                    found = find(found, step)
                expected = read(printed)
                # Only statements of the kinds that are printed are compared at this level, and
                # where a name is printed only those of that name.
                kinds = {k for k, _, _ in expected}
                names = {(k, a) for k, a, _ in expected}
                listed = kinds <= {"namespace", "prefix", "import", "revision"}
                self.must_match(expected, [s for s in found if s[0] in kinds
                                           and (listed or s[:2] in names)])

    def test_configuration_is_what_the_example_of_11_1_makes_it(self):
        generate_examples(self.folder)
        module = read(content(os.path.join(self.folder, "acme-RMON2-MIB-deviations.yang")))[0][2]
        self.must_match(read('prefix "rmon2-mib"; revision-date 2006-05-02;'),
                        find(module, "import RMON2-MIB"))
        config = {path: next(v for k, v, _ in how[0][2] if k == "config")
                  for keyword, path, how in module if keyword == "deviation"}
        for path in DEVIATED:
            name = "".join("/rmon2-mib:" + step for step in path)
            self.assertEqual(config.get(name), "true", name)
        lost = "".join("/rmon2-mib:" + s for s in CONTROL + ["addressMapControlDroppedFrames"])
        self.assertEqual(config.get(lost), "false")

    def test_extensions_are_those_of_section_10(self):
        module = bare(read(content(os.path.join(MIBS, "yang", "ietf-yang-smiv2.yang"))))[0][2]
        self.must_match(read(EXTENSIONS), module)

    def test_instance_is_valid_and_mutations_are_not(self):
        generate_examples(self.folder)
        path = os.path.join(self.folder, "instance.xml")
        for name, old, new in [("as it is", "<", "<")] + WRONG:
            with self.subTest(name):
                self.assertIn(old, INSTANCE)
                with open(path, "w", encoding="utf-8") as f:
                    f.write(INSTANCE.replace(old, new, 1))
                said = yanglint(self.folder, "-t", "data", "IF-MIB.yang", path)
                self.assertEqual(said == "", name == "as it is", said)


class Translation(Case):

    def model(self, scalars):
        path = os.path.join(self.folder, "TEST-MIB.txt")
        with open(path, "w", encoding="ascii") as f:
            f.write(TEST_MIB % ("".join(scalars), ", ".join(
                "t%d" % i for i in range(1, len(scalars) + 1))))
        return smi_model.load([path], [SMI])

    def scalars(self, scalars):
        """The bare leaves of a module, and the whole text."""
        model = self.model(scalars)
        text = emit_yang.modules(model)["TEST-MIB"].text()
        objects = find(find(read(text)[0][2], "container TEST-MIB"), "container tObjects")
        return [s for s in objects if s[0] == "leaf"], text

    def test_types_by_appendix_a(self):
        leaves, _ = self.scalars([
            TEST_SCALAR % (i, syntax, "", access, "current", "d", rest, i)
            for i, (_, syntax, access, rest, _) in enumerate(TYPES, 1)])
        for i, (name, _, _, _, expected) in enumerate(TYPES, 1):
            with self.subTest(name):
                expected = re.sub(r"type (Name|Word|Dashed|Colour)\b", r"type test-mib:\1",
                                  expected)
                expected += 'smiv2:oid "1.3.6.1.4.1.4711.1.%d";' % i
                self.must_match(read(expected), bare(leaves[i - 1][2]))

    def test_status_units_reference_and_text(self):
        leaves, text = self.scalars([TEST_SCALAR % (
            1, "Unsigned32", 'UNITS "apples"', "read-only", "obsolete",
            "A \\n that is none,\n        an indented\n          second line.",
            "", 1)] + [TEST_SCALAR % (i, TYPES[i - 1][1], "", "read-only", "current", "d", "", i)
                       for i in range(2, len(TYPES) + 1)])
        self.assertEqual(dict((k, a) for k, a, _ in leaves[0][2])["status"], "obsolete")
        self.assertEqual(dict((k, a) for k, a, _ in leaves[0][2])["units"], "apples")
        self.assertIn('"A \\\\n that is none,\n          an indented\n            second line."',
                      text)

    def test_prefixes_are_short_and_no_two_alike(self):
        p = emit_yang.Prefixes("A-B-MIB")
        names = ["A-B-TC-MIB", "A-B-TC-TWO-MIB", "ONE", "ietf-yang-types", "SNMP-FRAMEWORK-MIB"]
        self.assertEqual([p.of(n) for n in names],
                         ["a-b-tc", "a-b-tc-two", "one", "yang", "snmp-framework"])
        self.assertEqual(p.of("A-B-MIB"), "a-b")


class Modules(Case):

    def test_yanglint_has_nothing_against_any_module(self):
        for make in generate_served, generate_examples:
            folder = os.path.join(self.folder, make.__name__)
            for name in make(folder):
                with self.subTest(name):
                    self.assertEqual(yanglint(folder, name), "")

    def test_yanglint_sees_a_fault(self):
        generate_served(self.folder)
        path = os.path.join(self.folder, "IPSPD-MIB.yang")
        text = content(path).replace("if-mib:InterfaceIndexOrZero", "if-mib:InterfaceIndexOrOne")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        self.assertNotEqual(yanglint(self.folder, "IPSPD-MIB.yang"), "")

    def test_makefile_names_what_is_generated(self):
        made = generate_served(self.folder)
        part = re.search(r"YANG_MADE =((?:.*\\\n)*.*)\n", content(os.path.join(MIBS, "gen.inc")))
        named = re.findall(r"mibs/yang/([\w-]+\.yang)", part[1])
        self.assertEqual(sorted(named + ["ietf-yang-smiv2.yang"]), made)

    def test_output_is_the_same_at_every_run(self):
        a, b = (os.path.join(self.folder, s) for s in "12")
        made = generate_served(a, seed="1")
        self.assertEqual(made, generate_served(b, seed="2"))
        for name in made:
            self.assertEqual(content(os.path.join(a, name)), content(os.path.join(b, name)))


if __name__ == "__main__":
    unittest.main()
