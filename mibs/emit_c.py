"""Writes a Model as the C descriptors that schema.h declares: schema_gen.h and schema_gen.c.

Output depends on the modules alone and is the same at every run.
"""
import os

from smi_model import bits_size

SYNTAX = {
    "INTEGER": "INTEGER", "Integer32": "INTEGER", "Unsigned32": "UNSIGNED",
    "Gauge32": "UNSIGNED", "Counter32": "COUNTER32", "Counter64": "COUNTER64",
    "TimeTicks": "TIMETICKS", "OCTET STRING": "OCTETS", "BITS": "BITS",
    "OBJECT IDENTIFIER": "OID",
}
ACCESS = {
    "not-accessible": "NONE", "accessible-for-notify": "NOTIFY", "read-only": "READ",
    "read-write": "WRITE", "read-create": "CREATE",
}
# Textual conventions whose meaning the code acts on.
TC = {
    ("SNMPv2-TC", "RowStatus"): "ROW_STATUS",
    ("SNMPv2-TC", "StorageType"): "STORAGE_TYPE",
    ("SNMPv2-TC", "TimeStamp"): "TIME_STAMP",
    ("SNMPv2-TC", "TruthValue"): "TRUTH_VALUE",
    ("SNMPv2-TC", "VariablePointer"): "VARIABLE_POINTER",
    ("SNMP-FRAMEWORK-MIB", "SnmpAdminString"): "ADMIN_STRING",
    ("INET-ADDRESS-MIB", "InetAddressType"): "INET_ADDRESS_TYPE",
    ("INET-ADDRESS-MIB", "InetAddress"): "INET_ADDRESS",
    ("IF-MIB", "InterfaceIndex"): "INTERFACE_INDEX",
    ("IF-MIB", "InterfaceIndexOrZero"): "INTERFACE_INDEX",
    ("IPSEC-IPSECACTION-MIB", "IpsaIdentityFilter"): "IDENTITY_FILTER",
    ("IPSEC-SPD-MIB", "SpdTimePeriod"): "TIME_PERIOD",
}


def c_string(text):
    return "NULL" if text is None else '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def c_number(n):
    """A constant of type int64_t, also for the least one."""
    if n == -0x8000000000000000:
        return "INT64_MIN"
    return "%d" % n if -0x80000000 < n <= 0x7fffffff else "INT64_C(%d)" % n


def c_oid(oid):
    return ", ".join("%dU" % a if a > 0x7fffffff else "%d" % a for a in oid)


def ranges_of(t):
    """What bounds values or sizes beyond the syntax itself. BITS: the octets its labels need."""
    if t.base == "BITS":
        return [(0, bits_size(t))]
    return t.ranges


def label_owner(column):
    """Whose labels they are: the textual convention's, or the object's own."""
    t = column.type
    return t.name if t.module is not None and t.name not in ("INTEGER", "BITS") else column.name


class Source:
    """The text of schema_gen.c, and the arrays already in it."""

    def __init__(self, model, serve):
        self.model, self.serve = model, serve
        self.lines = []
        self.arrays = {}
        self.positions = {c: (t, i) for t in model.tables for i, c in enumerate(t.columns)}
        self.entries = {t.entry: t for t in model.tables}

    def put(self, text=""):
        self.lines.append(text)

    def array(self, ctype, name, items):
        """Emits a constant array, one item a line, unless one of that name is there."""
        if name in self.arrays:
            if self.arrays[name] != items:
                raise AssertionError("two arrays would be called " + name)
            return name
        self.arrays[name] = items
        self.put("static const %s %s[] = {" % (ctype, name))
        for item in items:
            self.put("\t%s," % item)
        self.put("};")
        self.put()
        return name

    def oid_array(self, node_name, oid):
        return self.array("uint32_t", "oid_" + node_name, [c_oid(oid)])

    def range_array(self, ranges):
        name = "ranges" + "".join("_%s_%s" % (a, b) for a, b in ranges).replace("-", "m")
        items = ["{ %s, %s }" % (c_number(a), c_number(b)) for a, b in ranges]
        return self.array("struct mib_range", name, items)

    def label_array(self, column):
        name = "labels_" + label_owner(column)
        items = ['{ "%s", %d }' % label for label in column.type.labels]
        if self.arrays.get(name, items) != items:       # the column takes some of them only
            name = "labels_" + column.name
        return self.array("struct mib_label", name, items)

    def column_ref(self, column):
        table, pos = self.positions[column]
        return "&columns_%s[%d]" % (table.name, pos)

    def default(self, column):
        if column.default is None:
            return None
        kind, value = column.default
        if kind == "number":
            return "{ .kind = MIB_DEF_NUMBER, .number = %s }" % c_number(value)
        if kind == "oid":
            name = self.array("uint32_t", "default_" + column.name, [c_oid(value)])
            return "{ .kind = MIB_DEF_OID, .oid = %s, .len = %d }" % (name, len(value))
        items = [", ".join("0x%02x" % b for b in value[i:i + 12]) for i in range(0, len(value), 12)]
        name = self.array("uint8_t", "default_" + column.name, items) if value else "no_octets"
        return "{ .kind = MIB_DEF_OCTETS, .octets = %s, .len = %d }" % (name, len(value))

    def column(self, table, pos, column):
        t = column.type
        fields = [
            ("id", "%d" % column.oid[-1]),
            ("name", c_string(column.name)),
            ("syntax", "MIB_SYN_" + SYNTAX[t.base]),
            ("tc", "MIB_TC_" + TC.get((t.module, t.name), "NONE")),
            ("type_name", c_string(t.name)),
            ("type_module", c_string(t.module)),
            ("access", "MIB_ACC_" + ACCESS[column.access]),
        ]
        ranges = ranges_of(t)
        if ranges:
            fields += [("ranges", self.range_array(ranges)), ("n_ranges", str(len(ranges)))]
        if t.labels:
            fields += [("labels", self.label_array(column)), ("n_labels", str(len(t.labels)))]
        default = self.default(column)
        if default:
            fields.append(("def", default))
        if column.definition.units is not None:
            fields.append(("units", c_string(column.definition.units)))
        if t.hint is not None:
            fields.append(("hint", c_string(t.hint)))
        fields += [("table", "&mib_t_" + table.name), ("pos", str(pos))]
        return ["\t{"] + ["\t\t.%s = %s," % f for f in fields] + ["\t},"]

    def columns(self, table):
        text = [line for i, c in enumerate(table.columns) for line in self.column(table, i, c)]
        self.put("static const struct mib_column columns_%s[] = {" % table.name)
        self.lines += text
        self.put("};")
        self.put()

    def index_of(self, table):
        """The columns that index a table; those of the base table where it augments one."""
        entry = table.entry.augments or table.entry
        return [] if table.is_scalars else entry.index

    def table(self, table, number):
        index = self.index_of(table)
        if index:
            self.array("struct mib_column *const", "index_" + table.name,
                       [self.column_ref(c) for c in index])
        oid = self.oid_array(table.entry.name, table.entry.oid)
        fields = [("name", c_string(table.name))]
        if not table.is_scalars:
            fields.append(("entry_name", c_string(table.entry.name)))
        fields += [
            ("module", c_string(table.module.name)),
            ("entry_oid", oid), ("entry_oid_len", str(len(table.entry.oid))),
            ("columns", "columns_" + table.name), ("n_columns", str(len(table.columns))),
        ]
        if index:
            fields += [("index", "index_" + table.name), ("n_index", str(len(index)))]
        if table.entry.augments:
            fields.append(("augments", "&mib_t_" + self.entries[table.entry.augments].name))
        fields += [("is_scalars", "true" if table.is_scalars else "false"),
                   ("number", str(number))]
        self.put("const struct mib_table mib_t_%s = {" % table.name)
        self.lines += ["\t.%s = %s," % f for f in fields]
        self.put("};")
        self.put()

    def list(self, head, count, items):
        """A public array and the number of its items, which may be none."""
        self.put("const %s[] = {" % head)
        self.lines += ["\t%s," % i for i in items] or ["\t{ 0 },"]
        self.put("};")
        self.put("const size_t %s = %d;" % (count, len(items)))
        self.put()

    def notifications(self):
        items = []
        for n in self.model.notifications:
            members = [self.find_column(n, m.text) for m in n.definition.members]
            self.oid_array(n.name, n.oid)
            if members:
                self.array("struct mib_column *const", "objects_" + n.name,
                           [self.column_ref(c) for c in members])
            items.append('{ "%s", "%s", oid_%s, %d, %s, %d }' % (
                n.name, n.module.name, n.name, len(n.oid),
                "objects_" + n.name if members else "NULL", len(members)))
        self.list("struct mib_notification mib_notifications", "mib_n_notifications", items)

    def find_column(self, notification, name):
        module = notification.module
        source = module.imports.get(name)
        node = (self.model.modules[source] if source else module).nodes[name]
        if node not in self.positions:
            module.fail(notification.definition.line, "'%s' is no object that is served" % name)
        return node

    def modules(self):
        items = []
        for mod in self.model.served:
            root = self.serve.get(mod.name, mod.identity)
            self.oid_array(root.name, root.oid)
            date = mod.identity.definition.last_updated
            items.append('{ "%s", oid_%s, %d, "%s-%s-%s" }' % (
                mod.name, root.name, len(root.oid), date[:4], date[4:6], date[6:8]))
        self.list("struct mib_module mib_modules", "mib_n_modules", items)

    def look_up_tables(self):
        tables = self.model.tables
        enclosing = []
        for i, t in enumerate(tables):
            outer = [j for j in range(i) if t.entry.oid[:len(tables[j].entry.oid)]
                     == tables[j].entry.oid]
            enclosing.append("%d" % outer[-1] if outer else "-1")
        self.list("struct mib_table *const mib_tables", "mib_n_tables",
                  ["&mib_t_" + t.name for t in tables])
        self.put("const int mib_enclosing[] = {")
        self.lines += ["\t%s," % ", ".join(enclosing[i:i + 16])
                       for i in range(0, len(enclosing), 16)]
        self.put("};")
        self.put()
        by_name = sorted(tables, key=lambda t: t.name.encode("ascii"))
        self.put("const struct mib_table *const mib_tables_by_name[] = {")
        self.lines += ["\t&mib_t_%s," % t.name for t in by_name]
        self.put("};")
        self.put()
        columns = sorted(self.positions, key=lambda c: c.name.encode("ascii"))
        self.list("struct mib_column *const mib_columns_by_name", "mib_n_columns",
                  [self.column_ref(c) for c in columns])


def banner(name, what, model):
    return ["/*", " * %s - %s" % (name, what), " *",
            " * Generated by mibs/mibgen.py; do not edit. From:"] + [
                " *   %s" % os.path.basename(m.path) for m in model.served] + [" */"]


def source_text(model, serve):
    """schema_gen.c. serve: module name to the node below which we answer for it."""
    s = Source(model, serve)
    s.lines += banner("schema_gen.c", "the MIB modules as descriptors", model)
    s.put('#include "mibs/schema_gen.h"')
    s.put()
    s.put("static const uint8_t no_octets[] = { 0 };\t/* behind defaults of length 0 */")
    s.put()
    for table in model.tables:
        s.columns(table)
    for number, table in enumerate(model.tables):
        s.table(table, number)
    s.look_up_tables()
    s.notifications()
    s.modules()
    return "\n".join(s.lines).rstrip("\n") + "\n"


def header_text(model):
    """schema_gen.h: every table, the position of every column, every label's number."""
    lines = banner("schema_gen.h", "names of the MIB modules, for C", model)
    lines += ["#ifndef MIBS_SCHEMA_GEN_H", "#define MIBS_SCHEMA_GEN_H", "",
              '#include "mibs/schema.h"', ""]
    lines += ["extern const struct mib_table mib_t_%s;" % t.name for t in model.tables]
    lines += ["", "/* MIB_C_name: position of a column in its table's columns and rows. */"]
    for t in model.tables:
        lines += ["enum {\t/* %s */" % t.name]
        lines += ["\tMIB_C_%s = %d," % (c.name, i) for i, c in enumerate(t.columns)]
        lines += ["};", ""]
    lines += ["/* MIB_L_type_label: numbers of enumerations, bits of BITS. The type is the textual",
              " * convention, or the object where the labels are its own. */"]
    done = {}
    for c in (c for t in model.tables for c in t.columns if c.type.labels):
        owner = label_owner(c)
        if set(c.type.labels) <= set(done.get(owner, ())):
            continue
        labels = full_labels(model, c)
        done[owner] = labels
        lines += ["enum {\t/* %s */" % owner]
        lines += ["\tMIB_L_%s_%s = %d," % ((owner,) + label) for label in labels]
        lines += ["};", ""]
    lines += ["/* MIB_N_name: position of a notification in mib_notifications. */", "enum {"]
    lines += ["\tMIB_N_%s = %d," % (n.name, i) for i, n in enumerate(model.notifications)]
    lines += ["};", ""] if model.notifications else []
    lines += ["/* For mibs/schema.c: sorted arrays behind the look-ups of schema.h. */",
              "extern const int mib_enclosing[];\t/* number of the next table around; or -1 */",
              "extern const struct mib_table *const mib_tables_by_name[];",
              "extern const struct mib_column *const mib_columns_by_name[];",
              "extern const size_t mib_n_columns;", "", "#endif"]
    return "\n".join(lines) + "\n"


def full_labels(model, column):
    """All labels of the column's type, also those that the column leaves out."""
    t = column.type
    return t.labels if t.module is None else model.modules[t.module].types[t.name].labels
