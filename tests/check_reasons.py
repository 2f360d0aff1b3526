#!/usr/bin/python3
"""The lists of drop reasons, from outside: every reason of the core is a test's business, and
docs/PORTING.md names only reasons and errors that exist. Prints 'N passed, N failed'."""
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(os.environ.get("TB_SRC", pathlib.Path(__file__).resolve().parent.parent))
LISTS = {"include/ipsp/reason.h": "IPSP_REASON_", "engine/io/attach.h": "IO_REASON_"}
CODES = 33      # of the stacks that docs/PORTING.md is for


def reasons():
    """(enumerator, key) of every reason but NONE."""
    for name, prefix in LISTS.items():
        text = (ROOT / name).read_text()
        for enumerator, key in re.findall(r'\bX\((\w+), "([a-z0-9-]+)",', text):
            if enumerator != "NONE":
                yield prefix + enumerator, key


def tests_text():
    files = [p for kind in ("*.c", "*.py", "*.sh") for p in (ROOT / "tests").rglob(kind)]
    return "\n".join(p.read_text(errors="replace") for p in sorted(files)
                     if p.name != pathlib.Path(__file__).name and "fuzz" not in p.parts)


def reason_problems():
    text = tests_text()
    for enumerator, key in reasons():
        if not enumerator.startswith("IPSP_"):
            continue
        if not re.search(rf"\b{enumerator}\b|['\" ]{re.escape(key)}['\" ]", text):
            yield f"{enumerator} ({key}): no test provokes it"


def porting_problems():
    keys = {key for _, key in reasons()}
    errors = set(re.findall(r"\b(IPSP_E[A-Z]+|IPSP_IDENTITY_[A-Z]+)\b",
                            (ROOT / "include/ipsp/types.h").read_text() +
                            (ROOT / "include/ipsp/identity.h").read_text()))
    rows = re.findall(r"^\| `(XE_\w+)` \|([^|]*)\|([^|]*)\|$",
                      (ROOT / "docs/PORTING.md").read_text(), re.M)
    if len({code for code, _, _ in rows}) != CODES:
        yield f"docs/PORTING.md: {len(rows)} codes, not {CODES}"
    for code, packet, call in rows:
        for key in re.findall(r"`([a-z0-9-]+)`", packet):
            if key not in keys:
                yield f"docs/PORTING.md: {code}: no reason is called {key}"
        for error in re.findall(r"`(\w+)`", call):
            if error not in errors:
                yield f"docs/PORTING.md: {code}: no error is called {error}"
        if not packet.strip() and not call.strip():
            yield f"docs/PORTING.md: {code} is mapped to nothing"


def main():
    passed = failed = 0
    for problems in (reason_problems, porting_problems):
        found = list(problems())
        for problem in found:
            print(problem)
        passed += not found
        failed += bool(found)
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
