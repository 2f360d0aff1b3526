"""Reads MIB modules written in SMIv2 (RFC 2578, 2579, 2580) into plain definitions.

Only syntax is judged here: what stands in a file, clause by clause, in the order the RFCs give.
Names are resolved, and meanings checked, in smi_model.py. The reader forgives nothing: whatever
it does not know is an error that names file and line. Of SNMPv2-SMI itself it skips the macros
and reads type assignments as far as our stand-in below mibs/smi/ needs.
"""
import re
from dataclasses import dataclass, field

MACROS = ("MODULE-IDENTITY", "OBJECT-IDENTITY", "OBJECT-TYPE", "NOTIFICATION-TYPE",
          "OBJECT-GROUP", "NOTIFICATION-GROUP", "MODULE-COMPLIANCE", "TEXTUAL-CONVENTION")
STATUSES = ("current", "deprecated", "obsolete")
ACCESSES = ("not-accessible", "accessible-for-notify", "read-only", "read-write", "read-create")
RESERVED = frozenset(MACROS) | {
    "ACCESS", "AUGMENTS", "BEGIN", "BITS", "CONTACT-INFO", "DEFINITIONS", "DEFVAL", "DESCRIPTION",
    "DISPLAY-HINT", "END", "FROM", "GROUP", "IDENTIFIER", "IMPLIED", "IMPORTS", "INDEX",
    "INTEGER", "LAST-UPDATED", "MACRO", "MANDATORY-GROUPS", "MAX-ACCESS", "MIN-ACCESS", "MODULE",
    "NOTIFICATIONS", "OBJECT", "OBJECTS", "OCTET", "OF", "ORGANIZATION", "REFERENCE", "REVISION",
    "SEQUENCE", "SIZE", "STATUS", "STRING", "SYNTAX", "UNITS", "WRITE-SYNTAX"}

TOKEN = re.compile(r"""
    (?P<space>\s+)
  | (?P<comment>--(?:(?!--)[^\n])*(?:--)?)
  | (?P<string>"[^"]*")
  | (?P<hex>'[0-9A-Fa-f]*'[Hh])
  | (?P<binary>'[01]*'[Bb])
  | (?P<sign>::=|\.\.|[{}()\[\],;|])
  | (?P<number>-?[0-9]+)
  | (?P<upper>[A-Z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*)
  | (?P<lower>[a-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*)
""", re.X)


class SmiError(Exception):
    """A fault in a module text; says where."""

    def __init__(self, path, line, message):
        super().__init__("%s:%d: %s" % (path, line, message))
        self.path, self.line, self.message = path, line, message


@dataclass
class Token:
    kind: str
    text: str
    line: int


@dataclass
class Name:
    """A reference to something by name, with the line it stands in."""
    text: str
    line: int


@dataclass
class Syntax:
    """A SYNTAX clause as written. base: "INTEGER", "OCTET STRING", a type's name ..."""
    base: str
    line: int
    labels: list = field(default_factory=list)   # (name, number)
    ranges: list = field(default_factory=list)   # (min, max)
    is_size: bool = False                        # ranges bound the length
    sequence_of: str = ""                        # name of the row type of a table


@dataclass
class Default:
    """A DEFVAL clause. kind: number, string, octets, name, bits."""
    kind: str
    value: object
    line: int


@dataclass
class Definition:
    """One definition of any kind; what its macro does not have stays empty."""
    kind: str                       # macro name, "node", "type", "sequence"
    name: str
    line: int
    parent: str = ""                # of the OID; empty: from the root
    arcs: tuple = ()
    syntax: Syntax = None
    units: str = None
    access: str = ""
    status: str = ""
    description: str = ""
    reference: str = None
    hint: str = None
    index: list = field(default_factory=list)    # Name
    augments: Name = None
    default: Default = None
    members: list = field(default_factory=list)  # Name: OBJECTS, NOTIFICATIONS, columns
    member_types: list = field(default_factory=list)  # Syntax: beside members, in a sequence
    last_updated: str = ""
    organization: str = ""
    contact: str = ""
    revisions: list = field(default_factory=list)     # (date, description)
    compliance: list = field(default_factory=list)    # ComplianceModule


@dataclass
class ComplianceModule:
    """One MODULE part of a MODULE-COMPLIANCE; an empty module name means its own."""
    module: str
    line: int
    mandatory: list = field(default_factory=list)
    groups: list = field(default_factory=list)
    objects: list = field(default_factory=list)


@dataclass
class Module:
    name: str
    path: str
    line: int
    imports: list = field(default_factory=list)      # (Name of the symbol, module name)
    definitions: list = field(default_factory=list)


def tokenize(path, text):
    tokens, pos, line = [], 0, 1
    while pos < len(text):
        m = TOKEN.match(text, pos)
        if m is None:
            what = "string without an end" if text[pos] == '"' else "stray %r" % text[pos]
            raise SmiError(path, line, what)
        if m.lastgroup not in ("space", "comment"):
            tokens.append(Token(m.lastgroup, m.group(), line))
        line += m.group().count("\n")
        pos = m.end()
    tokens.append(Token("end", "end of file", line))
    return tokens


class Reader:
    """Recursive descent over the tokens of one file; one method a construct."""

    def __init__(self, path, text):
        self.path = path
        self.tokens = tokenize(path, text)
        self.pos = 0

    # -- tokens

    @property
    def tok(self):
        return self.tokens[self.pos]

    def fail(self, message, line=None):
        raise SmiError(self.path, self.tok.line if line is None else line, message)

    def take(self):
        t = self.tok
        if t.kind == "end":
            self.fail("unexpected end of file")
        self.pos += 1
        return t

    def at(self, text):
        return self.tok.kind != "string" and self.tok.text == text

    def accept(self, text):
        if self.at(text):
            self.pos += 1
            return True
        return False

    def expect(self, *texts):
        for text in texts:
            if not self.accept(text):
                self.fail("'%s' expected, found '%s'" % (text, self.tok.text))

    def expect_kind(self, kind, what):
        if self.tok.kind != kind or self.tok.text in RESERVED:
            self.fail("%s expected, found '%s'" % (what, self.tok.text))
        return self.take()

    def string(self):
        if self.tok.kind != "string":
            self.fail("a string in quotes expected, found '%s'" % self.tok.text)
        return self.take().text[1:-1]

    def number(self):
        t = self.tok
        if t.kind == "number":
            return int(self.take().text)
        if t.kind in ("hex", "binary"):
            digits = self.take().text[1:-2]
            if not digits:
                self.fail("number without digits", t.line)
            return int(digits, 16 if t.kind == "hex" else 2)
        return self.fail("a number expected, found '%s'" % t.text)

    def one_of(self, words, what):
        if self.tok.text not in words:
            self.fail("%s expected, found '%s'" % (what, self.tok.text))
        return self.take().text

    def name_list(self):
        """{ name, name ... }"""
        self.expect("{")
        names = []
        while True:
            if self.at("IMPLIED"):
                self.fail("IMPLIED indexes are not supported")
            t = self.expect_kind("lower", "a name")
            names.append(Name(t.text, t.line))
            if not self.accept(","):
                break
        self.expect("}")
        return names

    # -- module

    def modules(self):
        found = []
        while self.tok.kind != "end":
            found.append(self.module())
        if not found:
            self.fail("no MIB module in this file")
        return found

    def module(self):
        t = self.expect_kind("upper", "the name of a module")
        mod = Module(t.text, self.path, t.line)
        self.expect("DEFINITIONS", "::=", "BEGIN")
        if self.accept("IMPORTS"):
            self.imports(mod)
        while not self.accept("END"):
            if self.tok.kind == "end":
                self.fail("module %s has no END" % mod.name)
            d = self.definition()
            if d is not None:
                mod.definitions.append(d)
        return mod

    def imports(self, mod):
        while not self.accept(";"):
            names = []
            while True:
                if self.tok.kind not in ("upper", "lower"):
                    self.fail("a name to import expected, found '%s'" % self.tok.text)
                t = self.take()
                names.append(Name(t.text, t.line))
                if not self.accept(","):
                    break
            self.expect("FROM")
            source = self.expect_kind("upper", "the name of a module").text
            mod.imports += [(n, source) for n in names]

    def definition(self):
        t = self.tok
        if t.kind == "upper" and t.text in MACROS and self.tokens[self.pos + 1].text == "MACRO":
            self.macro_definition()
            return None
        if t.kind == "upper":
            self.expect_kind("upper", "a definition")
            return self.type_definition(t)
        self.expect_kind("lower", "a definition")
        if self.accept("OBJECT"):
            self.expect("IDENTIFIER")
            return self.oid_value(Definition("node", t.text, t.line))
        reader = {
            "MODULE-IDENTITY": self.module_identity,
            "OBJECT-IDENTITY": self.object_identity,
            "OBJECT-TYPE": self.object_type,
            "NOTIFICATION-TYPE": self.notification_type,
            "OBJECT-GROUP": self.group,
            "NOTIFICATION-GROUP": self.group,
            "MODULE-COMPLIANCE": self.module_compliance,
        }.get(self.tok.text)
        if reader is None:
            self.fail("'%s' begins no definition that SMIv2 knows" % self.tok.text)
        d = Definition(self.take().text, t.text, t.line)
        reader(d)
        return self.oid_value(d)

    def macro_definition(self):
        self.take()
        self.expect("MACRO", "::=", "BEGIN")
        while not self.accept("END"):
            self.take()

    def oid_value(self, d):
        """::= { parent arc .. }, where each arc may be written name(number)."""
        self.expect("::=", "{")
        arcs = []
        if self.tok.kind == "lower" and self.tokens[self.pos + 1].text != "(":
            d.parent = self.take().text
        while not self.accept("}"):
            if self.tok.kind == "lower":
                self.take()
                self.expect("(")
                arcs.append(self.arc())
                self.expect(")")
            else:
                arcs.append(self.arc())
        if not arcs:
            self.fail("the OID of %s adds no arc to its parent" % d.name, d.line)
        d.arcs = tuple(arcs)
        return d

    def arc(self):
        if self.tok.kind != "number" or not 0 <= int(self.tok.text) <= 0xffffffff:
            self.fail("an arc of an OID expected, found '%s'" % self.tok.text)
        return int(self.take().text)

    # -- types

    def type_definition(self, t):
        self.expect("::=")
        if self.accept("TEXTUAL-CONVENTION"):
            d = Definition("TEXTUAL-CONVENTION", t.text, t.line)
            if self.accept("DISPLAY-HINT"):
                d.hint = self.string()
            self.status_to_reference(d)
            self.expect("SYNTAX")
            d.syntax = self.syntax()
            return d
        if self.at("SEQUENCE"):
            return self.sequence(t)
        d = Definition("type", t.text, t.line)
        if self.accept("["):
            self.expect("APPLICATION")
            self.number()
            self.expect("]", "IMPLICIT")
        d.syntax = self.syntax()
        return d

    def sequence(self, t):
        d = Definition("sequence", t.text, t.line)
        self.expect("SEQUENCE", "{")
        while True:
            n = self.expect_kind("lower", "the name of a column")
            d.members.append(Name(n.text, n.line))
            d.member_types.append(self.syntax())
            if not self.accept(","):
                break
        self.expect("}")
        return d

    def syntax(self):
        t = self.take()
        s = Syntax(t.text, t.line)
        if t.text == "SEQUENCE":
            self.expect("OF")
            s.base = "SEQUENCE OF"
            s.sequence_of = self.expect_kind("upper", "the name of a row type").text
            return s
        if t.text == "OCTET":
            self.expect("STRING")
            s.base = "OCTET STRING"
        elif t.text == "OBJECT":
            self.expect("IDENTIFIER")
            s.base = "OBJECT IDENTIFIER"
        elif t.kind != "upper" or (t.text in RESERVED and t.text not in ("INTEGER", "BITS")):
            self.fail("a type expected, found '%s'" % t.text, t.line)
        if self.at("{"):
            s.labels = self.labels()
        elif self.accept("("):
            if self.accept("SIZE"):
                s.is_size = True
                self.expect("(")
                s.ranges = self.ranges()
                self.expect(")")
            else:
                s.ranges = self.ranges()
            self.expect(")")
        return s

    def labels(self):
        self.expect("{")
        labels = []
        while True:
            t = self.tok
            if t.kind != "lower":
                self.fail("a label expected, found '%s'" % t.text)
            self.take()
            self.expect("(")
            value = self.number()
            self.expect(")")
            if t.text in (name for name, _ in labels):
                self.fail("label '%s' stands here twice" % t.text, t.line)
            if value in (number for _, number in labels):
                self.fail("number %d has two labels" % value, t.line)
            labels.append((t.text, value))
            if not self.accept(","):
                break
        self.expect("}")
        return labels

    def ranges(self):
        ranges = []
        while True:
            line = self.tok.line
            low = self.number()
            high = self.number() if self.accept("..") else low
            if low > high:
                self.fail("range %d..%d runs backwards" % (low, high), line)
            if ranges and low <= ranges[-1][1]:
                self.fail("ranges overlap or do not rise", line)
            ranges.append((low, high))
            if not self.accept("|"):
                break
        return ranges

    # -- macros

    def status_to_reference(self, d):
        self.expect("STATUS")
        d.status = self.one_of(STATUSES, "a status")
        self.expect("DESCRIPTION")
        d.description = self.string()
        if not d.description.strip():
            self.fail("%s has an empty DESCRIPTION" % d.name, d.line)
        if self.accept("REFERENCE"):
            d.reference = self.string()

    def module_identity(self, d):
        self.expect("LAST-UPDATED")
        d.last_updated = self.date()
        self.expect("ORGANIZATION")
        d.organization = self.string()
        self.expect("CONTACT-INFO")
        d.contact = self.string()
        self.expect("DESCRIPTION")
        d.description = self.string()
        while self.accept("REVISION"):
            date = self.date()
            if d.revisions and date >= d.revisions[-1][0]:
                self.fail("revisions must go from the newest to the oldest")
            self.expect("DESCRIPTION")
            d.revisions.append((date, self.string()))
        if not d.revisions or d.revisions[0][0] != d.last_updated:
            self.fail("LAST-UPDATED of %s is not its newest REVISION" % d.name, d.line)

    def date(self):
        line, text = self.tok.line, self.string()
        if not re.fullmatch(r"[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])"
                            r"([01][0-9]|2[0-3])[0-5][0-9]Z", text):
            self.fail("'%s' is no date of the form YYYYMMDDHHMMZ" % text, line)
        return text

    def object_identity(self, d):
        self.status_to_reference(d)

    def object_type(self, d):
        self.expect("SYNTAX")
        d.syntax = self.syntax()
        if self.accept("UNITS"):
            d.units = self.string()
        self.expect("MAX-ACCESS")
        d.access = self.one_of(ACCESSES, "an access")
        self.status_to_reference(d)
        if self.accept("INDEX"):
            d.index = self.name_list()
        elif self.accept("AUGMENTS"):
            names = self.name_list()
            if len(names) != 1:
                self.fail("AUGMENTS names one row", names[1].line)
            d.augments = names[0]
        if self.accept("DEFVAL"):
            self.expect("{")
            d.default = self.default()
            self.expect("}")

    def default(self):
        t = self.tok
        if t.kind == "number":
            return Default("number", int(self.take().text), t.line)
        if t.kind == "string":
            return Default("string", self.string(), t.line)
        if t.kind == "hex":
            digits = self.take().text[1:-2]
            if len(digits) % 2:
                self.fail("odd number of hexadecimal digits", t.line)
            return Default("octets", bytes.fromhex(digits), t.line)
        if t.kind == "binary":
            digits = self.take().text[1:-2]
            if len(digits) % 8:
                self.fail("binary digits make no whole octets", t.line)
            return Default("octets", int(digits or "0", 2).to_bytes(len(digits) // 8, "big"),
                           t.line)
        if t.kind == "lower":
            return Default("name", self.take().text, t.line)
        if self.at("{"):
            if self.tokens[self.pos + 1].text == "}":
                self.expect("{", "}")
                return Default("bits", [], t.line)
            return Default("bits", self.name_list(), t.line)
        return self.fail("a default value expected, found '%s'" % t.text)

    def notification_type(self, d):
        if self.accept("OBJECTS"):
            d.members = self.name_list()
        self.status_to_reference(d)

    def group(self, d):
        self.expect("OBJECTS" if d.kind == "OBJECT-GROUP" else "NOTIFICATIONS")
        d.members = self.name_list()
        self.status_to_reference(d)

    def module_compliance(self, d):
        self.status_to_reference(d)
        if not self.at("MODULE"):
            self.expect("MODULE")
        while self.at("MODULE"):
            line = self.take().line
            part = ComplianceModule("", line)
            if self.tok.kind == "upper" and self.tok.text not in RESERVED:
                part.module = self.take().text
            if self.accept("MANDATORY-GROUPS"):
                part.mandatory = self.name_list()
            self.compliance_items(part)
            d.compliance.append(part)

    def compliance_items(self, part):
        while self.at("GROUP") or self.at("OBJECT"):
            is_group = self.take().text == "GROUP"
            t = self.expect_kind("lower", "a name")
            (part.groups if is_group else part.objects).append(Name(t.text, t.line))
            if not is_group:
                if self.accept("SYNTAX"):
                    self.syntax()
                if self.accept("WRITE-SYNTAX"):
                    self.syntax()
                if self.accept("MIN-ACCESS"):
                    self.one_of(ACCESSES, "an access")
            self.expect("DESCRIPTION")
            self.string()


def read_file(path):
    """All modules of one file. Raises SmiError."""
    try:
        with open(path, encoding="ascii") as f:
            text = f.read()
    except OSError as e:
        raise SmiError(path, 0, e.strerror) from e
    except UnicodeDecodeError as e:
        line = e.object[:e.start].count(b"\n") + 1
        raise SmiError(path, line, "octet 0x%02x is not ASCII" % e.object[e.start]) from e
    return Reader(path, text).modules()
