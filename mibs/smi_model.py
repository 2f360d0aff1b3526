"""Joins MIB modules into one model: names resolved, meanings checked, tables laid out.

load() reads modules and all they import, and returns a Model, from which emitters write. Every
fault is an SmiError with file and line; a Model is only returned for modules without fault.
RFC 2578, 2579, 2580.
"""
import os
from dataclasses import dataclass, field

from smi_reader import MACROS, Definition, SmiError, read_file

INT32 = (-0x80000000, 0x7fffffff)
UINT32 = (0, 0xffffffff)

# Base types: what their values, or their sizes, are limited to.
BASES = {
    "INTEGER": INT32, "Integer32": INT32, "Unsigned32": UINT32, "Gauge32": UINT32,
    "Counter32": UINT32, "TimeTicks": UINT32, "Counter64": (0, 0xffffffffffffffff),
    "OCTET STRING": (0, 65535), "OBJECT IDENTIFIER": None, "BITS": None,
}
KEYWORD_TYPES = ("INTEGER", "OCTET STRING", "OBJECT IDENTIFIER", "BITS")
# What is known without a definition, by the module that it must be imported from.
PREDEFINED = {
    "SNMPv2-SMI": {"MODULE-IDENTITY", "OBJECT-IDENTITY", "OBJECT-TYPE", "NOTIFICATION-TYPE",
                   "Integer32", "Unsigned32", "Gauge32", "Counter32", "TimeTicks", "Counter64"},
    "SNMPv2-TC": {"TEXTUAL-CONVENTION"},
    "SNMPv2-CONF": {"OBJECT-GROUP", "NOTIFICATION-GROUP", "MODULE-COMPLIANCE"},
}
ROOTS = {"ccitt": (0,), "iso": (1,), "joint-iso-ccitt": (2,)}
OID_MAX = 128


@dataclass
class Type:
    """A syntax with all that limits it. module: where name is defined; None for a base type."""
    name: str
    module: str
    base: str
    labels: list
    ranges: list
    hint: str = None


@dataclass(eq=False)
class Node:
    """Anything with an OID."""
    definition: Definition
    module: "ModuleModel"
    oid: tuple
    role: str = ""              # table, entry, column, scalar; empty: another node
    type: Type = None
    default: tuple = None       # ("number", n), ("octets", b) or ("oid", o)
    index: list = field(default_factory=list)      # entry: nodes of columns
    augments: "Node" = None                        # entry: the base entry

    @property
    def name(self):
        return self.definition.name

    @property
    def access(self):
        return self.definition.access


@dataclass(eq=False)
class Table:
    """A table, or the scalars below one node."""
    name: str
    module: "ModuleModel"
    entry: Node                 # scalars: their parent
    columns: list
    is_scalars: bool


class ModuleModel:
    """One module: its scope and its nodes."""

    def __init__(self, syntax):
        self.name, self.path = syntax.name, syntax.path
        self.imports, self.definitions = {}, {}
        self.used = set()
        self.nodes = {}
        self.types = {}
        self.identity = None
        self.syntax = syntax

    def fail(self, line, message):
        raise SmiError(self.path, line, message)


class Model:
    """All modules read, and the tables and notifications of those that are served."""

    def __init__(self):
        self.modules = {}
        self.served = []
        self.tables = []
        self.notifications = []

    def node(self, name):
        """The node of that name in a served module, or None."""
        for mod in self.served:
            if name in mod.nodes:
                return mod.nodes[name]
        return None


# ---------------------------------------------------------------------------- reading and scope

def read_modules(model, paths, search):
    """The files given, then whatever they import, found as MODULE.txt in the search folders."""
    for path in paths:
        for syntax in read_file(path):
            mod = add_module(model, syntax)
            model.served.append(mod)
    queue = list(model.served)
    while queue:
        mod = queue.pop(0)
        for symbol, source in mod.syntax.imports:
            if source in model.modules:
                continue
            path = find_module(source, search)
            if path is None:
                mod.fail(symbol.line, "module %s, which '%s' comes from, is not found"
                         % (source, symbol.text))
            for syntax in read_file(path):
                queue.append(add_module(model, syntax))
            if source not in model.modules:
                mod.fail(symbol.line, "%s does not hold module %s" % (path, source))


def find_module(name, search):
    for folder in search:
        path = os.path.join(folder, name + ".txt")
        if os.path.isfile(path):
            return path
    return None


def add_module(model, syntax):
    if syntax.name in model.modules:
        raise SmiError(syntax.path, syntax.line, "module %s is defined in %s too"
                       % (syntax.name, model.modules[syntax.name].path))
    mod = ModuleModel(syntax)
    model.modules[syntax.name] = mod
    for d in syntax.definitions:
        if d.name in mod.definitions:
            mod.fail(d.line, "'%s' is defined twice, first in line %d"
                     % (d.name, mod.definitions[d.name].line))
        if "-" in d.name and mod.name != "SNMPv2-SMI":
            mod.fail(d.line, "'%s': SMIv2 allows no hyphen in a name" % d.name)
        mod.definitions[d.name] = d
    return mod


def bind_imports(model, mod):
    for symbol, source in mod.syntax.imports:
        if symbol.text in mod.imports or symbol.text in mod.definitions:
            mod.fail(symbol.line, "'%s' is imported, but known already" % symbol.text)
        if (symbol.text not in model.modules[source].definitions
                and symbol.text not in PREDEFINED.get(source, ())):
            mod.fail(symbol.line, "module %s has no '%s'" % (source, symbol.text))
        mod.imports[symbol.text] = source


def look_up(model, mod, name, line, what):
    """(module, definition) of a name as seen from mod."""
    if name in mod.definitions:
        return mod, mod.definitions[name]
    if name not in mod.imports:
        mod.fail(line, "%s '%s' is neither defined nor imported" % (what, name))
    mod.used.add(name)
    source = model.modules[mod.imports[name]]
    return source, source.definitions.get(name)


def use_predefined(mod, name, line):
    """A macro or base type has to be imported where it is used, but for its own module."""
    if name in PREDEFINED.get(mod.name, ()):
        return
    home = next(m for m, names in PREDEFINED.items() if name in names)
    if mod.imports.get(name) != home:
        mod.fail(line, "'%s' has to be imported from %s" % (name, home))
    mod.used.add(name)


# ---------------------------------------------------------------------------- OIDs

def resolve_oids(model, mod):
    for d in mod.syntax.definitions:
        if d.kind in MACROS:
            use_predefined(mod, d.kind, d.line)
        if d.kind in ("type", "TEXTUAL-CONVENTION", "sequence"):
            continue
        resolve_oid(model, mod, d)
        if d.kind == "MODULE-IDENTITY":
            if mod.identity is not None:
                mod.fail(d.line, "a second MODULE-IDENTITY")
            mod.identity = mod.nodes[d.name]


def resolve_oid(model, mod, d):
    """Walks up to a node that has its OID, then gives one to all on the way."""
    chain = []
    while d.name not in mod.nodes:
        if (mod, d) in chain:
            mod.fail(d.line, "the OID of '%s' goes in a circle" % d.name)
        chain.append((mod, d))
        if not d.parent or d.parent in ROOTS:
            base = ROOTS.get(d.parent, ())
            break
        up, parent = look_up(model, mod, d.parent, d.line, "parent")
        if parent is None or parent.kind in ("type", "TEXTUAL-CONVENTION", "sequence"):
            mod.fail(d.line, "'%s' has no OID, so nothing can stand below it" % d.parent)
        mod, d = up, parent
    else:
        base = mod.nodes[d.name].oid
    for mod, d in reversed(chain):
        base = base + d.arcs
        if len(base) > OID_MAX:
            mod.fail(d.line, "the OID of '%s' is longer than %d arcs" % (d.name, OID_MAX))
        mod.nodes[d.name] = Node(d, mod, base)


def check_unique_oids(model):
    taken = {}
    for mod in model.modules.values():
        for node in mod.nodes.values():
            other = taken.setdefault(node.oid, node)
            if other is not node:
                mod.fail(node.definition.line, "'%s' has the OID of '%s' of %s"
                         % (node.name, other.name, other.module.name))


# ---------------------------------------------------------------------------- types

def resolve_type(model, mod, syntax):
    """The Type of a SYNTAX clause; its own labels and ranges narrow those of a named type."""
    if syntax.base in BASES:
        if syntax.base not in KEYWORD_TYPES:
            use_predefined(mod, syntax.base, syntax.line)
        base = Type(syntax.base, None, syntax.base, [], [])
    else:
        source, d = look_up(model, mod, syntax.base, syntax.line, "type")
        if d is None or d.kind != "TEXTUAL-CONVENTION":
            mod.fail(syntax.line, "'%s' is not a type that an object can have" % syntax.base)
        base = convention(model, source, d)
    return Type(base.name, base.module, base.base, narrow_labels(mod, syntax, base),
                narrow_ranges(mod, syntax, base), base.hint)


def convention(model, mod, d):
    """The Type of a textual convention."""
    if d.name not in mod.types:
        if d.syntax.base not in BASES:
            mod.fail(d.line, "%s: a textual convention cannot refine '%s'"
                     % (d.name, d.syntax.base))
        inner = resolve_type(model, mod, d.syntax)
        mod.types[d.name] = Type(d.name, mod.name, inner.base, inner.labels, inner.ranges, d.hint)
    return mod.types[d.name]


def narrow_labels(mod, syntax, base):
    if not syntax.labels:
        if base.base == "BITS" and not base.labels:
            mod.fail(syntax.line, "BITS without labels")
        return base.labels
    if base.base not in ("INTEGER", "BITS"):
        mod.fail(syntax.line, "%s cannot have labels" % base.name)
    for label in syntax.labels:
        if base.labels and label not in base.labels:
            mod.fail(syntax.line, "%s has no label %s(%d)" % ((base.name,) + label))
        low, high = (0, 255) if base.base == "BITS" else INT32
        if not low <= label[1] <= high:
            mod.fail(syntax.line, "%s(%d) is no number for a label" % label)
    return sorted(syntax.labels, key=lambda label: label[1])


def narrow_ranges(mod, syntax, base):
    if not syntax.ranges:
        return base.ranges
    limit = BASES[base.base]
    if limit is None or base.labels:
        mod.fail(syntax.line, "%s cannot have a range" % base.name)
    if syntax.is_size != (base.base == "OCTET STRING"):
        mod.fail(syntax.line, "SIZE is for OCTET STRING, and it alone")
    for low, high in syntax.ranges:
        if not any(a <= low and high <= b for a, b in base.ranges or [limit]):
            mod.fail(syntax.line, "%d..%d is not within %s" % (low, high, base.name))
    return list(syntax.ranges)


def resolve_types(model, mod):
    for d in mod.syntax.definitions:
        if d.kind == "TEXTUAL-CONVENTION":
            convention(model, mod, d)


# ---------------------------------------------------------------------------- objects

def assign_roles(mod):
    objects = [n for n in mod.nodes.values() if n.definition.kind == "OBJECT-TYPE"]
    by_oid = {n.oid: n for n in objects}
    for n in objects:
        if n.definition.syntax.base == "SEQUENCE OF":
            n.role = "table"
    for n in objects:
        up = by_oid.get(n.oid[:-1])
        if not n.role and up is not None and up.role == "table":
            n.role = "entry"
    for n in objects:
        up = by_oid.get(n.oid[:-1])
        if not n.role:
            n.role = "column" if up is not None and up.role == "entry" else "scalar"
        if n.role == "scalar" and up is not None:
            mod.fail(n.definition.line, "'%s' cannot stand below the %s '%s'"
                     % (n.name, up.role, up.name))


def check_table(mod, table):
    d = table.definition
    if d.access != "not-accessible":
        mod.fail(d.line, "the table '%s' has to be not-accessible" % d.name)
    entries = [n for n in mod.nodes.values() if n.oid[:-1] == table.oid]
    if len(entries) != 1 or entries[0].oid[-1] != 1:
        mod.fail(d.line, "the table '%s' has to have one entry, with the arc 1" % d.name)
    entry = entries[0]
    if entry.definition.syntax.base != d.syntax.sequence_of:
        mod.fail(entry.definition.line, "'%s' is not of the type %s that its table has"
                 % (entry.name, d.syntax.sequence_of))


def check_entry(model, mod, entry):
    d = entry.definition
    if d.access != "not-accessible":
        mod.fail(d.line, "the entry '%s' has to be not-accessible" % d.name)
    if bool(d.index) == bool(d.augments):
        mod.fail(d.line, "the entry '%s' needs INDEX or AUGMENTS" % d.name)
    columns = columns_of(mod, entry)
    sequence = mod.definitions.get(d.syntax.base)
    if sequence is None or sequence.kind != "sequence":
        mod.fail(d.line, "'%s': no SEQUENCE %s is defined" % (d.name, d.syntax.base))
    for i, member in enumerate(sequence.members):
        if i >= len(columns) or member.text != columns[i].name:
            mod.fail(member.line, "'%s' is not column %d of '%s'" % (member.text, i + 1, d.name))
        if sequence.member_types[i].base != columns[i].definition.syntax.base:
            mod.fail(member.line, "'%s' has another type than its column" % member.text)
    if len(sequence.members) < len(columns):
        mod.fail(sequence.line, "%s lacks the column '%s'"
                 % (sequence.name, columns[len(sequence.members)].name))
    if d.augments:
        source, base = look_up(model, mod, d.augments.text, d.augments.line, "entry")
        entry.augments = base and source.nodes.get(base.name)
        if entry.augments is None or entry.augments.role != "entry" \
                or entry.augments.definition.augments:
            mod.fail(d.augments.line, "'%s' is no entry with an INDEX" % d.augments.text)
    for name in d.index:
        source, column = look_up(model, mod, name.text, name.line, "index")
        node = column and source.nodes.get(column.name)
        if node is None or node.role != "column":
            mod.fail(name.line, "the index '%s' is no column" % name.text)
        entry.index.append(node)


def columns_of(mod, entry):
    below = (n for n in mod.nodes.values() if n.oid[:-1] == entry.oid)
    return sorted(below, key=lambda n: n.oid)


def check_index(mod, entry):
    """Types are known by now. An index is a number from 0, a string or an OID."""
    for node, name in zip(entry.index, entry.definition.index):
        t = node.type
        if t.base in ("BITS", "Counter32", "Counter64"):
            mod.fail(name.line, "'%s': %s cannot be an index" % (name.text, t.base))
        low = min((r[0] for r in t.ranges), default=(BASES[t.base] or (0,))[0])
        if t.labels:
            low = t.labels[0][1]
        if low < 0:
            mod.fail(name.line, "the index '%s' may be negative" % name.text)


def check_object(model, mod, node):
    d = node.definition
    if node.role in ("column", "scalar"):
        node.type = resolve_type(model, mod, d.syntax)
        node.default = resolve_default(model, mod, d, node.type)
    if node.role != "entry" and (d.index or d.augments):
        mod.fail(d.line, "'%s' is no entry, and has an index" % d.name)
    if node.role == "scalar" and d.access in ("not-accessible", "read-create"):
        mod.fail(d.line, "the scalar '%s' cannot be %s" % (d.name, d.access))


def resolve_default(model, mod, d, t):
    v = d.default
    if v is None:
        return None

    def wrong(why):
        mod.fail(v.line, "DEFVAL of '%s': %s" % (d.name, why))

    if t.base.startswith("Counter"):
        wrong("a counter has none")
    if t.base == "OBJECT IDENTIFIER":
        if v.kind != "name":
            wrong("the name of an OID expected")
        source, target = look_up(model, mod, v.value, v.line, "default")
        if target is None or target.name not in source.nodes:
            wrong("'%s' has no OID" % v.value)
        return ("oid", source.nodes[target.name].oid)
    labels = dict(t.labels)
    if t.base == "BITS":
        if v.kind != "bits":
            wrong("{ bits } expected")
        octets = bytearray(bits_size(t))
        for bit in v.value:
            if bit.text not in labels:
                wrong("no bit '%s'" % bit.text)
            octets[labels[bit.text] // 8] |= 0x80 >> labels[bit.text] % 8
        return ("octets", bytes(octets))
    if labels:
        if v.kind != "name" or v.value not in labels:
            wrong("'%s' is no label of it" % (v.value,))
        return ("number", labels[v.value])
    limits = t.ranges or [BASES[t.base]]
    if t.base == "OCTET STRING":
        if v.kind not in ("string", "octets"):
            wrong("a string expected")
        value = v.value.encode("ascii") if v.kind == "string" else v.value
        if not any(a <= len(value) <= b for a, b in limits):
            wrong("%d octets are outside its size" % len(value))
        return ("octets", value)
    if v.kind != "number":
        wrong("a number expected")
    if not any(a <= v.value <= b for a, b in limits):
        wrong("%d is outside its range" % v.value)
    return ("number", v.value)


def bits_size(t):
    """Octets that a BITS value with all its bits takes."""
    return max(number for _, number in t.labels) // 8 + 1


# ---------------------------------------------------------------------------- conformance

def check_members(model, mod):
    """Notifications and groups name what exists and may be there; nothing is in no group."""
    grouped = set()
    for node in mod.nodes.values():
        d = node.definition
        want = {"NOTIFICATION-TYPE": "an object that can be sent",
                "OBJECT-GROUP": "an object that can be accessed",
                "NOTIFICATION-GROUP": "a notification"}.get(d.kind)
        for name in d.members if want else ():
            source, target = look_up(model, mod, name.text, name.line, "member")
            member = target and source.nodes.get(target.name)
            good = member is not None and (
                member.definition.kind == "NOTIFICATION-TYPE" if d.kind == "NOTIFICATION-GROUP"
                else member.role in ("column", "scalar") and member.access != "not-accessible")
            if not good:
                mod.fail(name.line, "'%s' is not %s" % (name.text, want))
            if d.kind != "NOTIFICATION-TYPE":
                grouped.add(member)
        if d.kind == "MODULE-COMPLIANCE":
            check_compliance(model, mod, d)
    for node in mod.nodes.values():
        sendable = node.role in ("column", "scalar") and node.access != "not-accessible"
        if (sendable or node.definition.kind == "NOTIFICATION-TYPE") and node not in grouped:
            mod.fail(node.definition.line, "'%s' is in no group" % node.name)


def check_compliance(model, mod, d):
    for part in d.compliance:
        if part.module and part.module not in model.modules:
            mod.fail(part.line, "module %s is not known" % part.module)
        target = model.modules[part.module] if part.module else mod
        for name in part.mandatory + part.groups:
            node = target.nodes.get(name.text)
            if node is None or node.definition.kind not in ("OBJECT-GROUP", "NOTIFICATION-GROUP"):
                mod.fail(name.line, "'%s' is no group of %s" % (name.text, target.name))
            if part.module and name.text in mod.imports:
                mod.used.add(name.text)
        for name in part.objects:
            node = target.nodes.get(name.text)
            if node is None or node.role not in ("column", "scalar"):
                mod.fail(name.line, "'%s' is no object of %s" % (name.text, target.name))


def check_imports_used(mod):
    for symbol, source in mod.syntax.imports:
        if symbol.text not in mod.used:
            mod.fail(symbol.line, "'%s' is imported from %s, but not used" % (symbol.text, source))


# ---------------------------------------------------------------------------- tables

def lay_out(model):
    """Tables in OID order. Scalars with one parent make a table; their parent names it."""
    for mod in model.served:
        scalars = {}
        for node in mod.nodes.values():
            if node.role == "entry":
                up = next(n for n in mod.nodes.values() if n.oid == node.oid[:-1])
                model.tables.append(Table(up.name, mod, node, columns_of(mod, node), False))
            elif node.role == "scalar":
                scalars.setdefault(node.oid[:-1], []).append(node)
            elif node.definition.kind == "NOTIFICATION-TYPE":
                model.notifications.append(node)
        for oid, nodes in scalars.items():
            parent = next((n for n in mod.nodes.values() if n.oid == oid), None)
            if parent is None:
                mod.fail(nodes[0].definition.line, "the parent of the scalar '%s' is not defined "
                         "in its module" % nodes[0].name)
            nodes.sort(key=lambda n: n.oid)
            model.tables.append(Table(parent.name, mod, parent, nodes, True))
    model.tables.sort(key=lambda t: t.entry.oid)
    model.notifications.sort(key=lambda n: n.oid)
    by_name = {}
    for node in (n for t in model.tables for n in t.columns):
        other = by_name.setdefault(node.name, node)
        if other is not node:
            node.module.fail(node.definition.line, "'%s' is an object of %s too"
                             % (node.name, other.module.name))


def load(paths, search):
    """Reads the module files given, with what they import from the search folders.
    Returns the Model; raises SmiError."""
    model = Model()
    read_modules(model, paths, search)
    modules = list(model.modules.values())
    for mod in modules:
        bind_imports(model, mod)
    for mod in modules:
        resolve_oids(model, mod)
        resolve_types(model, mod)
        assign_roles(mod)
    check_unique_oids(model)
    for mod in model.served:
        if mod.identity is None:
            mod.fail(mod.syntax.line, "module %s has no MODULE-IDENTITY" % mod.name)
        for node in mod.nodes.values():
            check_object(model, mod, node)
    for mod in model.served:
        for node in mod.nodes.values():
            if node.role == "table":
                check_table(mod, node)
            elif node.role == "entry":
                check_entry(model, mod, node)
    for mod in model.served:
        for node in mod.nodes.values():
            if node.role == "entry":
                check_index(mod, node)
        check_members(model, mod)
    for mod in modules:
        check_imports_used(mod)
    lay_out(model)
    return model
