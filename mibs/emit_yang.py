"""Writes a Model as YANG modules, by the rules of RFC 6643; sections below are that RFC's.

modules() gives the served modules and those whose textual conventions they import. All that they
define is config false, as section 4.1 wants it. What can be configured all the same is said by a
module of deviations (section 11), which deviations() gives.

Output depends on the modules alone and is the same at every run.
"""
import os

from smi_model import BASES, look_up
from yang_text import Statement, module_text

NAMESPACE = "urn:ietf:params:xml:ns:yang:smiv2:"
SMIV2 = "ietf-yang-smiv2"
YANG_TYPES = "ietf-yang-types"
INET_TYPES = "ietf-inet-types"

# Appendix A: base types, and textual conventions that have a counterpart in YANG.
BASE_TYPES = {
    "INTEGER": (None, "int32"), "Integer32": (None, "int32"), "Unsigned32": (None, "uint32"),
    "Gauge32": (YANG_TYPES, "gauge32"), "Counter32": (YANG_TYPES, "counter32"),
    "Counter64": (YANG_TYPES, "counter64"), "TimeTicks": (YANG_TYPES, "timeticks"),
    "OCTET STRING": (None, "binary"), "BITS": (None, "bits"),
    "OBJECT IDENTIFIER": (YANG_TYPES, "object-identifier-128"),
}
CONVENTIONS = {
    ("SNMPv2-TC", "PhysAddress"): (YANG_TYPES, "phys-address"),
    ("SNMPv2-TC", "MacAddress"): (YANG_TYPES, "mac-address"),
    ("SNMPv2-TC", "TruthValue"): (None, "boolean"),
    ("SNMPv2-TC", "TimeStamp"): (YANG_TYPES, "timestamp"),
    ("RMON2-MIB", "ZeroBasedCounter32"): (YANG_TYPES, "zero-based-counter32"),
    ("HCNUM-TC", "ZeroBasedCounter64"): (YANG_TYPES, "zero-based-counter64"),
    ("HCNUM-TC", "CounterBasedGauge64"): (YANG_TYPES, "gauge64"),
    ("INET-ADDRESS-MIB", "InetAutonomousSystemNumber"): (INET_TYPES, "as-number"),
    ("INET-ADDRESS-MIB", "InetVersion"): (INET_TYPES, "ip-version"),
    ("INET-ADDRESS-MIB", "InetPortNumber"): (INET_TYPES, "port-number"),
    ("DIFFSERV-DSCP-TC", "Dscp"): (INET_TYPES, "dscp"),
    ("IPV6-FLOW-LABEL-MIB", "IPv6FlowLabel"): (INET_TYPES, "ipv6-flow-label"),
    ("URI-TC-MIB", "Uri"): (INET_TYPES, "uri"),
}
# Section 3: what these define is known to the translation, so nobody imports them.
LANGUAGE = ("SNMPv2-SMI", "SNMPv2-CONF")
# Appendix B, table 1.
SPECIAL_PREFIXES = {YANG_TYPES: "yang", INET_TYPES: "inet", SMIV2: "smiv2"}


class Prefixes:
    """The prefixes of one YANG module: its own, and one an import. Appendix B."""

    def __init__(self, module):
        self.own = module
        self.by_module = {}
        self.of(module)

    def of(self, module):
        """The prefix of a module, which is imported from now on."""
        if module not in self.by_module:
            tokens = module.lower().split("-")
            names = [SPECIAL_PREFIXES[module]] if module in SPECIAL_PREFIXES else []
            names += ["-".join(tokens[:n]) for n in range(min(2, len(tokens)), len(tokens) + 1)]
            taken = set(self.by_module.values())
            self.by_module[module] = next(n for n in names if n not in taken)
        return self.by_module[module]

    def imports(self):
        """The modules imported: those of SMIv2 first."""
        others = [m for m in self.by_module if m != self.own]
        return sorted(others, key=lambda m: (m in SPECIAL_PREFIXES, m))


def oid_statement(oid):
    return Statement("smiv2:oid", ".".join(str(arc) for arc in oid))


def common(d):
    """What every macro has: sections 5.1, 7.1, 7.3, 7.7, 8.1 and 9.1 treat it alike."""
    return [
        Statement("status", d.status) if d.status not in ("", "current") else None,
        Statement("description", d.description, text=True) if d.description else None,
        Statement("reference", d.reference, text=True) if d.reference else None,
    ]


def alias(node, *statements):
    """Section 6, and 7.7 for tables that augment others."""
    return Statement("smiv2:alias", node.name).add(*statements, oid_statement(node.oid))


def index_names(index):
    """(leaf, node) for each index object; a second time the same object is NAME_2: section 7.3."""
    seen, names = {}, []
    for node in index:
        seen[node] = seen.get(node, 0) + 1
        names.append((node.name if seen[node] == 1 else "%s_%d" % (node.name, seen[node]), node))
    return names


def index_of(entry):
    return (entry.augments or entry).index


def parent(node):
    """The node above one in its own module."""
    return next(n for n in node.module.nodes.values() if n.oid == node.oid[:-1])


def is_leaf(node, index=()):
    """Is the object a leaf in the data tree? Section 7.1."""
    return node.access != "accessible-for-notify" or node in index


# ---------------------------------------------------------------------------- types

def is_text(hint):
    """(characters, letter) of a DISPLAY-HINT that says one run of ASCII or UTF-8, or None."""
    return hint[-1] if hint and hint[-1] in "at" and hint[:-1].isdigit() else None


def lengths(ranges, letter):
    """Sizes in octets as lengths in characters, of which UTF-8 has one to four octets each."""
    if letter == "a":
        return ranges
    merged = []
    for low, high in ((-(-low // 4), high) for low, high in ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return merged


def range_text(ranges):
    return "|".join("%d" % low if low == high else "%d..%d" % (low, high) for low, high in ranges)


def labels_type(base, labels):
    keyword, number = ("bit", "position") if base == "BITS" else ("enum", "value")
    t = Statement("type", "bits" if base == "BITS" else "enumeration")
    for name, value in labels:
        t.add(Statement(keyword, name).add(Statement(number, "%d" % value)))
    return t


def restrict(t, base, ranges, hint, is_mapped):
    """Adds range, length and pattern. No length where the text form has one of its own (7.1)."""
    if base != "OCTET STRING":
        return t.add(Statement("range", range_text(ranges)))
    if hint is None and not is_mapped:
        return t.add(Statement("length", range_text(ranges)))
    letter = is_text(hint)
    if letter and not is_mapped:
        ranges = lengths(ranges, letter)
        t.add(Statement("length", range_text(ranges)))
    return t


def pattern(hint, ranges):
    """What section 5.2 prints for ASCII text."""
    if is_text(hint) != "a" or len(ranges) != 1:
        return None
    return Statement("pattern", r"\p{IsBasicLatin}{%d,%d}" % ranges[0], raw=True)


class YangModule:
    """The translation of one SMIv2 module."""

    def __init__(self, model, mod):
        self.model, self.mod = model, mod
        self.prefixes = Prefixes(mod.name)
        self.statement = Statement("module", mod.name)
        self.import_by_rules()
        body = self.typedefs() + self.identities() + self.top() + self.augments() \
            + self.notifications() + self.aliases()
        self.prefixes.of(SMIV2)
        self.header()
        self.statement.add(*body)

    # -- header

    def import_by_rules(self):
        """Section 3. What the translation of types needs beyond is imported where it is used."""
        for symbol, source in self.mod.syntax.imports:
            if source not in LANGUAGE and (source, symbol.text) not in CONVENTIONS \
                    and self.is_used(symbol.text):
                self.prefixes.of(source)

    def is_used(self, name):
        for d in self.mod.syntax.definitions:
            if d.kind == "OBJECT-TYPE" and (
                    (d.syntax.base == name and d.access != "accessible-for-notify")
                    or name in [i.text for i in d.index]
                    or (d.augments and d.augments.text == name)):
                return True
            if d.kind == "NOTIFICATION-TYPE" and name in [m.text for m in d.members]:
                return True
        return False

    def header(self):
        """Sections 3 and 4. Modules that define SMIv2 itself, and stand-ins, have no identity."""
        self.statement.add(Statement("namespace", NAMESPACE + self.mod.name),
                           Statement("prefix", self.prefixes.of(self.mod.name)))
        for name in self.prefixes.imports():
            self.statement.add(Statement("import", name).add(
                Statement("prefix", self.prefixes.of(name))))
        if self.mod.identity is None:
            return
        d = self.mod.identity.definition
        self.statement.add(Statement("organization", d.organization, text=True),
                           Statement("contact", d.contact, text=True),
                           Statement("description", d.description, text=True))
        for date, description in d.revisions:
            self.statement.add(Statement("revision", revision(date)).add(
                Statement("description", description, text=True)))

    # -- types: sections 2 and 5, appendix A

    def type(self, syntax, hint, mod):
        """The type statement of a SYNTAX clause that stands in mod."""
        if syntax.base in BASES:
            base, mapped, source = syntax.base, BASE_TYPES[syntax.base], None
            if base == "OCTET STRING" and hint:
                mapped = (None, "string")
        else:
            source, d = look_up(self.model, mod, syntax.base, syntax.line, "type")
            base = source.types[d.name].base
            mapped = CONVENTIONS.get((source.name, d.name), (source.name, d.name))
        if syntax.labels:
            # YANG 1 cannot narrow an enumeration, so its remaining labels are written anew.
            return labels_type(base, sorted(syntax.labels, key=lambda label: label[1]))
        module, name = mapped
        t = Statement("type", "%s:%s" % (self.prefixes.of(module), name) if module else name)
        if syntax.ranges:
            is_mapped = source is not None and (source.name, syntax.base) in CONVENTIONS
            restrict(t, base, syntax.ranges, hint, is_mapped)
        return t

    def typedefs(self):
        found = []
        for d in self.mod.syntax.definitions:
            if d.kind != "TEXTUAL-CONVENTION" or (self.mod.name, d.name) in CONVENTIONS:
                continue
            t = self.type(d.syntax, d.hint, self.mod)
            if d.syntax.base == "OCTET STRING" and d.syntax.ranges:
                t.add(pattern(d.hint, d.syntax.ranges))
            found.append(Statement("typedef", d.name).add(
                t, *common(d), Statement("smiv2:display-hint", d.hint) if d.hint else None))
        return found

    # -- objects: section 7

    def leaf(self, name, node):
        d = node.definition
        return Statement("leaf", name).add(
            self.type(d.syntax, node.type.hint, node.module),
            Statement("units", d.units) if d.units else None,
            *common(d),
            Statement("smiv2:defval", default_text(d.default)) if d.default else None,
            Statement("smiv2:max-access", d.access),
            oid_statement(node.oid))

    def path(self, node):
        """From the root to an object, or to an entry: sections 7.3, 7.7 and 9.1."""
        steps = [node]
        if node.role == "scalar":
            steps.append(parent(node))
        else:
            entry = node if node.role == "entry" else parent(node)
            entry = entry.augments or entry
            steps = ([node] if node.role == "column" else []) + [entry, parent(entry)]
        names = [(steps[-1].module.name, steps[-1].module.name)]
        names += [(n.module.name, n.name) for n in reversed(steps)]
        return "".join("/%s:%s" % (self.prefixes.of(m), n) for m, n in names)

    def leafref(self, name, node):
        return Statement("leaf", name).add(
            Statement("type", "leafref").add(Statement("path", self.path(node))))

    def top(self):
        """Section 4.1: the container that bears the module's name."""
        tables = [t for t in self.model.tables if t.module is self.mod and not t.entry.augments]
        parts = [self.scalars(t) if t.is_scalars else self.table(t) for t in tables]
        parts = [p for p in parts if p is not None]
        if not parts:
            return []
        return [Statement("container", self.mod.name).add(Statement("config", "false"), *parts)]

    def scalars(self, table):
        leaves = [self.leaf(c.name, c) for c in table.columns if is_leaf(c)]
        if not leaves:
            return None
        return Statement("container", table.name).add(
            *common(table.entry.definition), oid_statement(table.entry.oid), *leaves)

    def table(self, table):
        entry, up = table.entry, parent(table.entry)
        index = index_names(entry.index)
        rows = Statement("list", entry.name).add(
            Statement("key", " ".join(name for name, _ in index)),
            *common(entry.definition), oid_statement(entry.oid))
        rows.add(*[self.leafref(name, n) for name, n in index if n not in table.columns])
        for column in table.columns:
            names = [name for name, n in index if n is column]
            if not names and is_leaf(column):
                names = [column.name]
            rows.add(*[self.leaf(name, column) for name in names])
        return Statement("container", table.name).add(
            *common(up.definition), oid_statement(up.oid), rows)

    def augments(self):
        found = []
        for table in self.model.tables:
            entry = table.entry
            if table.module is not self.mod or not entry.augments:
                continue
            up = parent(entry)
            found += [alias(up, *common(up.definition)), alias(entry, *common(entry.definition)),
                      Statement("augment", self.path(entry)).add(
                          *common(entry.definition), oid_statement(entry.oid),
                          *[self.leaf(c.name, c) for c in table.columns if is_leaf(c)])]
        return found

    # -- the other macros: sections 6, 8 and 9

    def identities(self):
        return [Statement("identity", d.name).add(
                    Statement("base", "smiv2:object-identity"), *common(d),
                    oid_statement(self.mod.nodes[d.name].oid))
                for d in self.mod.syntax.definitions if d.kind == "OBJECT-IDENTITY"]

    def notifications(self):
        found = []
        for node in self.model.notifications:
            if node.module is not self.mod:
                continue
            d = node.definition
            s = Statement("notification", node.name).add(*common(d), oid_statement(node.oid))
            for number, name in enumerate(d.members, 1):
                source, member = look_up(self.model, self.mod, name.text, name.line, "member")
                s.add(Statement("container", "object-%d" % number).add(
                    *self.notified(source.nodes[member.name])))
            found.append(s)
        return found

    def notified(self, node):
        """One object of a notification, behind what says of which row it is."""
        index = index_of(parent(node)) if node.role == "column" else []
        leaves = [self.leafref(name, n) for name, n in index_names(index) if n is not node]
        leaves.append(self.leafref(node.name, node) if is_leaf(node, index)
                      else self.leaf(node.name, node))
        return leaves

    def aliases(self):
        return [alias(self.mod.nodes[d.name]) for d in self.mod.syntax.definitions
                if d.kind in ("node", "MODULE-IDENTITY")]

    def text(self):
        path = os.path.basename(self.mod.path)
        if self.mod in self.model.served:
            comment = ["From %s by mibs/mibgen.py, as RFC 6643 says; do not edit." % path]
        else:
            comment = ["From a part of %s by mibs/mibgen.py, as RFC 6643 says; do not edit." % path,
                       "It has what ipspd's modules import, with descriptions of its own. Where",
                       "the whole module is installed, that one serves as well."]
        return module_text(self.statement, comment)


def revision(date):
    return "%s-%s-%s" % (date[:4], date[4:6], date[6:8])


def default_text(default):
    """A DEFVAL as it is written in SMIv2."""
    if default.kind == "bits":
        return "{ %s }" % ", ".join(bit.text for bit in default.value) if default.value else "{ }"
    if default.kind == "octets":
        return "'%s'H" % default.value.hex().upper()
    return str(default.value)


def modules(model):
    """{name: YangModule} of what is served and of all that it imports, as far as YANG needs it."""
    found = {}
    queue = [m.name for m in model.served]
    while queue:
        name = queue.pop(0)
        if name in found or name in SPECIAL_PREFIXES:
            continue
        found[name] = YangModule(model, model.modules[name])
        queue += found[name].prefixes.imports()
    return found


# ---------------------------------------------------------------------------- deviations

# Scalars that can be written, but keep nothing of it. xml/names.c has the same list.
ORDERS = ("ipspdGroupControl", "ipspdTransactions")


def is_config(table):
    """Does a table hold configuration? The rule of xml/names.h."""
    if table.is_scalars:
        return table.name not in ORDERS and any(c.access in ("read-write", "read-create")
                                                for c in table.columns)
    types = {c.type.name: c for c in table.columns if c.type.module == "SNMPv2-TC"}
    storage = types.get("StorageType")
    return "RowStatus" in types and not (storage and storage.default == ("number", 2))


class Deviations:
    """A module that says what is configuration, section 11.

    It also lifts the rule that a row's index must exist in the table it comes from: SMIv2 asks
    for none of that.
    """

    def __init__(self, model, name, namespace):
        self.model = model
        self.prefixes = Prefixes(name)
        self.statement = Statement("module", name)
        self.body = []
        for table in model.tables:
            self.table(table)
        self.header(namespace)
        self.statement.add(*self.body)

    def header(self, namespace):
        """Everything deviated is imported at its revision, as in section 11.1."""
        newest = max(m.identity.definition.last_updated for m in self.model.served)
        self.statement.add(Statement("yang-version", "1.1"), Statement("namespace", namespace),
                           Statement("prefix", self.prefixes.of(self.prefixes.own)))
        for name in self.prefixes.imports():
            date = self.model.modules[name].identity.definition.last_updated
            self.statement.add(Statement("import", name).add(
                Statement("prefix", self.prefixes.of(name)),
                Statement("revision-date", revision(date))))
        self.statement.add(
            Statement("description", "Which objects of the modules translated from SMIv2 are "
                      "configuration\nin ipspd. An index taken from another table need not "
                      "exist there.", text=True),
            Statement("revision", revision(newest)).add(
                Statement("description", "For the modules of that day.", text=True)))

    def deviate(self, path, is_true, new_type=None, how="add"):
        """Section 11.1 prints replace everywhere; yanglint takes that only for what is written
        out in the module deviated, which is the config of the outermost container alone."""
        self.body.append(Statement("deviation", path).add(
            Statement("deviate", how).add(Statement("config", "true" if is_true else "false")),
            new_type and Statement("deviate", "replace").add(new_type)))

    def table(self, table):
        prefix = self.prefixes.of(table.module.name)
        top = "/%s:%s" % (prefix, table.module.name)
        if not any(is_config(t) for t in self.model.tables
                   if t.module is table.module and not t.entry.augments):
            top = None
        elif not any(s.argument == top for s in self.body):
            self.deviate(top, True, how="replace")
        if table.entry.augments:
            base = next(t for t in self.model.tables if t.entry is table.entry.augments)
            if is_config(base):
                self.columns(table, self.entry_path(base), [])
        elif top is not None and any(is_leaf(c) for c in table.columns):
            self.own_table(table, "%s/%s:%s" % (top, prefix, table.name))

    def entry_path(self, table):
        prefix = self.prefixes.of(table.module.name)
        return "".join("/%s:%s" % (prefix, n)
                       for n in (table.module.name, table.name, table.entry.name))

    def own_table(self, table, path):
        self.deviate(path, is_config(table))
        if not is_config(table):
            return
        if not table.is_scalars:
            path = self.entry_path(table)
            self.deviate(path, True)
        self.columns(table, path, table.entry.index)

    def columns(self, table, path, index):
        prefix = self.prefixes.of(table.module.name)
        for name, node in index_names(index):
            own = node in table.columns
            self.deviate("%s/%s:%s" % (path, prefix, name), True,
                         None if own else self.loose_leafref(node))
        for column in table.columns:
            if column not in index and is_leaf(column):
                self.deviate("%s/%s:%s" % (path, prefix, column.name),
                             column.access in ("read-write", "read-create"))

    def loose_leafref(self, node):
        entry = parent(node)
        base = next(t for t in self.model.tables if t.entry is entry)
        path = "%s/%s:%s" % (self.entry_path(base), self.prefixes.of(node.module.name), node.name)
        return Statement("type", "leafref").add(
            Statement("path", path), Statement("require-instance", "false"))

    def text(self):
        return module_text(self.statement, ["By mibs/mibgen.py, as RFC 6643 section 11 says; "
                                            "do not edit."])


def deviations(model, name, module):
    """The module of deviations; its namespace is the OID of one of the served modules."""
    oid = ".".join(str(arc) for arc in model.modules[module].identity.oid)
    return Deviations(model, name, "urn:oid:" + oid)
