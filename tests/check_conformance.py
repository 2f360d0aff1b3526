#!/usr/bin/python3
"""docs/CONFORMANCE.md, from outside: each test that it names is there. Prints 'N passed, N failed'.

With --results, how the suite of each clause's tests ended in the build at hand (TB_BUILD), a line a clause.
"""
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(os.environ.get("TB_SRC", pathlib.Path(__file__).resolve().parent.parent))
BUILD = pathlib.Path(os.environ.get("TB_BUILD", ROOT))
DOCUMENT = ROOT / "docs/CONFORMANCE.md"


def clauses():
    """(clause, what, names, claims) of every row that names tests."""
    for line in DOCUMENT.read_text().splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        shown = cells[-1]
        names, claims = re.findall(r"`(\w+)`", shown), re.findall(r'"([^"]+)"', shown)
        if line.startswith("|") and (names or claims):
            yield cells[0], cells[1] if len(cells) > 2 else "", names, claims


def tests():
    """({name: suites}, [(suite, text)]): tests in C, functions of scripts; and scripts on networks."""
    named, networks = {}, []
    for path in sorted((ROOT / "tests").rglob("*")):
        if path.suffix == ".c":
            found = re.findall(r"\bSTART_TEST\((\w+)\)", path.read_text())
        elif path.suffix == ".py" and path.parent.name == "interop":
            found = re.findall(r"^def (\w+)\(", path.read_text(), re.M)
        else:
            found = []
        for name in found:
            named.setdefault(name, []).append(path)
        if path.suffix == ".sh":
            networks.append((path, path.read_text()))
    return named, networks


def suites_of(clause, named, networks):
    """The files that show it, and what is wrong."""
    suites, wrong = [], []
    for name in clause[2]:
        suites += named.get(name, [])
        if name not in named:
            wrong.append(f"{clause[0]}: no test is called {name}")
    for claim in clause[3]:
        found = [path for path, text in networks if f'claim "{claim}' in text]
        suites += found
        if not found:
            wrong.append(f"{clause[0]}: nothing claims \"{claim}\"")
    return suites, wrong


def result_of(path):
    trs = BUILD / path.relative_to(ROOT).with_suffix(".trs")
    found = re.search(r":test-result: (\w+)", trs.read_text()) if trs.exists() else None
    return found.group(1) if found else "not run"


def main():
    named, networks = tests()
    passed = failed = 0
    for clause in clauses():
        suites, wrong = suites_of(clause, named, networks)
        for problem in wrong:
            print(problem)
        failed += bool(wrong)
        passed += not wrong
        if "--results" in sys.argv[1:]:
            ends = sorted({result_of(path) for path in suites})
            print(f"{', '.join(ends)}: {clause[0]}: {clause[1]}")
    print(f"{passed} passed, {failed} failed")
    return failed > 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
