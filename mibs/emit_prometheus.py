"""Writes what prometheus-snmp-exporter needs to scrape IPSPD-MIB: its module ipspd, as YAML.

Metrics are all read-only objects of the module that a monitor may see (emit_vacm.py), named as in
the MIB; rows are told apart by labels named as their indexes. Counters and numbers are metrics of
their own kind, an enumeration is one metric a state, a text is a label of a metric that is 1. Where
an index is a bare number and one column of the table is a name, the name is a label as well.

The format is that of snmp_exporter 0.21, which Debian 12 has. Output depends on the modules alone.
"""
import json

from emit_vacm import hides_rows, index_of, is_hidden

MODULE = "ipspd"
KINDS = {"Counter32": "counter", "Counter64": "counter", "Integer32": "gauge", "INTEGER": "gauge",
         "Unsigned32": "gauge", "Gauge32": "gauge", "TimeTicks": "gauge", "BITS": "Bits"}
HEADER = """\
# Prometheus's SNMP exporter (0.21) on IPSPD-MIB; made from the MIB by mibs/emit_prometheus.py.
#
# Fill in the pass phrases of the user ipspd-monitor (ipspd's snmpd configuration says how to make
# it): the exporter does not start without them. Then
#
#	prometheus-snmp-exporter --config.file=THIS
#	curl 'http://localhost:9116/snmp?module=%s&target=HOST'
""" % MODULE
AUTH = """\
  version: 3
  max_repetitions: 25
  timeout: 5s
  auth:
    username: ipspd-monitor
    security_level: authPriv
    auth_protocol: SHA256
    password: ""
    priv_protocol: AES
    priv_password: ""
"""


def is_text(node):
    return bool(node.type.hint) and node.type.hint[-1] in "at"


def kind(node):
    """The exporter's type for a column's values, or None: it has none."""
    base = node.type.base
    if base == "OCTET STRING":
        return "DisplayString" if is_text(node) else "OctetString"
    if base == "INTEGER" and node.type.labels:
        return "EnumAsStateSet"
    return KINDS.get(base)


def index_kind(node):
    """The same for an index. Octets of one size have no length in front (RFC 2578 7.7)."""
    if node.type.base == "INTEGER" and node.type.labels:
        return "EnumAsInfo"
    return {"Bits": None}.get(kind(node), kind(node))


def fixed_size(node):
    ranges = node.type.ranges
    fixed = node.type.base == "OCTET STRING" and len(ranges) == 1 and ranges[0][0] == ranges[0][1]
    return ranges[0][0] if fixed else None


def metrics_of(table):
    """The columns of a table that become metrics."""
    if hides_rows(table) or any(index_kind(n) is None for n in index_of(table)) \
            and not table.is_scalars:
        return []
    return [c for c in table.columns
            if c.access == "read-only" and not is_hidden(c) and kind(c) is not None]


def name_of(table, columns):
    """The column that names the rows of a table with one bare number for an index, or None."""
    index = index_of(table)
    names = [c for c in columns if is_text(c) and c.name.endswith("Name")]
    bare = not table.is_scalars and len(index) == 1 and index_kind(index[0]) == "gauge"
    return names[0] if bare and names else None


def dotted(oid):
    return ".".join(str(arc) for arc in oid)


def enum_lines(node, indent):
    if not node.type.labels or kind(node) not in ("EnumAsStateSet", "Bits"):
        return []
    return [indent + "enum_values:"] + \
        ["%s  %d: %s" % (indent, number, json.dumps(label)) for label, number in node.type.labels]


def index_lines(table):
    if table.is_scalars:
        return []
    lines = ["    indexes:"]
    for node in index_of(table):
        lines += ["    - labelname: %s" % node.name, "      type: %s" % index_kind(node)]
        if fixed_size(node):
            lines.append("      fixed_size: %d" % fixed_size(node))
        lines += enum_lines(node, "      ")
    return lines


def first_sentence(text):
    return " ".join(text.split()).split(". ")[0].rstrip(".")


def metric_lines(table, node, name):
    lines = ["  - name: %s" % node.name,
             "    oid: %s" % dotted(node.oid),
             "    type: %s" % kind(node),
             "    help: %s" % json.dumps("%s - %s" % (first_sentence(node.definition.description),
                                                     dotted(node.oid)))]
    lines += index_lines(table)
    if name is not None and name is not node:
        lines += ["    lookups:", "    - labels: [%s]" % index_of(table)[0].name,
                  "      labelname: %s" % name.name, "      oid: %s" % dotted(name.oid),
                  "      type: DisplayString"]
    return lines + enum_lines(node, "    ")


def module_text(model, served):
    """The file for the MIB module of that name."""
    get, walk, metrics = [], [], []
    for table in model.tables:
        if table.module.name != served:
            continue
        columns = metrics_of(table)
        name = name_of(table, columns)
        for c in columns:
            if table.is_scalars:
                get.append(dotted(c.oid) + ".0")
            else:
                walk.append(dotted(c.oid))
            metrics += metric_lines(table, c, name)
    lines = ["%s:" % MODULE]
    for word, oids in (("walk", walk), ("get", get)):
        lines += ["  %s:" % word] + ["  - %s" % oid for oid in oids] if oids else []
    return "\n".join([HEADER.rstrip("\n")] + lines + ["  metrics:"] + metrics) + "\n" + AUTH
