#!/usr/bin/env python3
"""Generates C descriptors, YANG modules and configuration of managers from MIB modules.

usage: mibgen.py [--path DIR]... [--output DIR] [--serve MODULE=NODE]... [--yang DIR]
                 [--deviations NAME=MODULE] [--snmpd TEMPLATE=FILE] [--prometheus MODULE=FILE]
                 [--check] FILE..

  FILE                 a module to serve
  --path DIR           where imported modules are found, as DIR/MODULE.txt; may be repeated
  --output DIR         where schema_gen.h and schema_gen.c are written
  --serve MODULE=NODE  answer only below NODE for this module, as the file holds a part of it
  --yang DIR           where a MODULE.yang is written for each module served, and for each that
                       has textual conventions for them
  --deviations NAME=MODULE  write a YANG module NAME too, which says what is configuration; its
                       namespace is the OID of MODULE
  --snmpd TEMPLATE=FILE     write the template with snmpd's views filled in
  --prometheus MODULE=FILE  write what prometheus-snmp-exporter needs to scrape MODULE
  --check              read and check only

Exit: 0 done; 1 a module has a fault, which is named with file and line on stderr.
"""
import argparse
import os
import sys

import emit_c
import emit_prometheus
import emit_vacm
import emit_yang
from smi_model import load
from smi_reader import SmiError


def write(path, text):
    """Writes the whole file or none; a file that says the same already keeps its time."""
    if os.path.isfile(path):
        with open(path, encoding="ascii") as f:
            if f.read() == text:
                return
    temporary = path + ".tmp"
    with open(temporary, "w", encoding="ascii") as f:
        f.write(text)
    os.replace(temporary, path)


def served_nodes(model, arguments):
    nodes = {}
    for argument in arguments:
        name, _, node = argument.partition("=")
        mod = model.modules.get(name)
        if mod not in model.served or node not in mod.nodes:
            sys.exit("mibgen.py: --serve %s: no such module or node" % argument)
        nodes[name] = mod.nodes[node]
    return nodes


def yang_files(model, deviations):
    """{file name: text}"""
    files = {name + ".yang": m.text() for name, m in emit_yang.modules(model).items()}
    if deviations:
        name, _, module = deviations.partition("=")
        if model.modules.get(module) not in model.served:
            sys.exit("mibgen.py: --deviations %s: no such module" % deviations)
        files[name + ".yang"] = emit_yang.deviations(model, name, module).text()
    return files


def manager_files(model, serve, snmpd, prometheus):
    """{path: text}"""
    files = {}
    if snmpd:
        template, _, path = snmpd.partition("=")
        with open(template, encoding="ascii") as f:
            files[path] = emit_vacm.fill(f.read(), model, serve)
    if prometheus:
        module, _, path = prometheus.partition("=")
        if model.modules.get(module) not in model.served:
            sys.exit("mibgen.py: --prometheus %s: no such module" % prometheus)
        files[path] = emit_prometheus.module_text(model, module)
    return files


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("files", nargs="+", metavar="FILE")
    ap.add_argument("--path", action="append", default=[], metavar="DIR")
    ap.add_argument("--output", default=".", metavar="DIR")
    ap.add_argument("--serve", action="append", default=[], metavar="MODULE=NODE")
    ap.add_argument("--yang", metavar="DIR")
    ap.add_argument("--deviations", metavar="NAME=MODULE")
    ap.add_argument("--snmpd", metavar="TEMPLATE=FILE")
    ap.add_argument("--prometheus", metavar="MODULE=FILE")
    ap.add_argument("--check", action="store_true")
    args = ap.parse_args()
    try:
        model = load(args.files, args.path)
        serve = served_nodes(model, args.serve)
        files = {os.path.join(args.output, "schema_gen.h"): emit_c.header_text(model),
                 os.path.join(args.output, "schema_gen.c"): emit_c.source_text(model, serve)}
        if args.yang:
            files.update((os.path.join(args.yang, name), text)
                         for name, text in yang_files(model, args.deviations).items())
        files.update(manager_files(model, serve, args.snmpd, args.prometheus))
        for path in [] if args.check else files:
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            write(path, files[path])
    except SmiError as e:
        print(e, file=sys.stderr)
        return 1
    except OSError as e:
        print("mibgen.py: %s" % e, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
