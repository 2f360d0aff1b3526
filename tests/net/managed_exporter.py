"""managed_exporter.py URL: what prometheus-snmp-exporter scrapes, against what the MIB says.

Every number that a monitor can read of IPSPD-MIB has to be a metric, with the labels of its row.
"""
import re
import sys
import urllib.request

from manager import MODEL, Claims, Manager

import emit_prometheus    # noqa: E402 (manager has made its folder known)

claim = Claims()
LINE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def scrape(url):
    """{metric: [(labels, value)]}"""
    found = {}
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=30) as answer:
        for line in answer.read().decode().splitlines():
            match = LINE.match(line)
            if match:
                labels = {k: v.replace('\\"', '"').replace("\\\\", "\\")
                          for k, v in LABEL.findall(match.group(2) or "")}
                found.setdefault(match.group(1), []).append((labels, float(match.group(3))))
    return found


def labels_of(table, index):
    """What the exporter makes of an index."""
    found = {}
    for node in () if table.is_scalars else emit_prometheus.index_of(table):
        size = 1
        if node.type.base == "OCTET STRING":
            size = emit_prometheus.fixed_size(node) or index[0] + 1
        part, index = index[:size], index[size:]
        if node.type.base != "OCTET STRING":
            names = {number: label for label, number in node.type.labels}
            found[node.name] = names.get(part[0], str(part[0]))
        else:
            octets = bytes(part if emit_prometheus.fixed_size(node) else part[1:])
            found[node.name] = octets.decode() if emit_prometheus.is_text(node) else \
                "0x" + octets.hex().upper()
    return found


def series(metrics, node, labels):
    """The values of that row's metric: one, or of an enumeration those whose state holds."""
    return [(more, value) for more, value in metrics.get(node.name, [])
            if labels.items() <= more.items()]


def same(node, low, high, found):
    """Is what the exporter has between what was read before and after?"""
    if emit_prometheus.kind(node) == "EnumAsStateSet":
        names = {number: label for label, number in node.type.labels}
        held = {labels[node.name] for labels, value in found if value == 1}
        return held in ({names[int(low)]}, {names[int(high)]})
    if emit_prometheus.kind(node) == "DisplayString":
        return [labels[node.name] for labels, _ in found] in ([str(low)], [str(high)])
    return len(found) == 1 and float(low) <= found[0][1] <= float(high)


def main():
    manager = Manager("ipspd-monitor")
    module = next(m for m in MODEL.served if m.name == "IPSPD-MIB")
    before = dict(manager.walk(module.identity.oid, 40)[1])
    metrics = scrape(sys.argv[1])
    after = dict(manager.walk(module.identity.oid, 40)[1])
    compared, wrong = 0, []
    for table in MODEL.tables:
        if table.module is not module:
            continue
        for node in emit_prometheus.metrics_of(table):
            for name in sorted(set(before) & set(after)):
                if name[:len(node.oid)] != node.oid:
                    continue
                compared += 1
                found = series(metrics, node, labels_of(table, name[len(node.oid):]))
                if emit_prometheus.kind(node) in ("OctetString", "Bits") and found:
                    continue
                if not same(node, before[name], after[name], found):
                    wrong.append((node.name, name[len(node.oid):], str(before[name]), found))
    claim("a scrape has metrics", compared > 50, "(%d)" % compared)
    claim.equal("... each of them what SNMP says of its object and row", [], wrong)
    open_names = {c.name for t in MODEL.tables for c in emit_prometheus.metrics_of(t)}
    claim.equal("... and no other", set(), {m for m in metrics if m.startswith("ip")} - open_names)
    drops = metrics.get("ipspdDropPackets", [])
    claim("... drop reasons by their names", drops and all(d[0].get("ipspdDropName") for d in drops))
    rules = {labels["spdRuleDefName"] for labels, value in metrics.get("ipspdRuleInForce", [])
             if labels["ipspdRuleInForce"] == "true" and value == 1}
    claim("... rules by theirs", {"tunnel-outbound", "tunnel6-inbound", "drop-1000"} <= rules, rules)


main()
claim.end()
