#!/usr/bin/python3
"""The lists of drop reasons, from outside: each reason is what a test expects of a packet that it gave to
the code, and docs/PORTING.md names only reasons and errors that exist. Prints 'N passed, N failed'.

A test gives a packet when it calls what takes packets; what it expects it names: the enumerator in a suite
in C, the key in a script. Tests that only print, count or carry reasons give none.
"""
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(os.environ.get("TB_SRC", pathlib.Path(__file__).resolve().parent.parent))
# Prefix of the enumerators, and the scripts that may provoke them by their key.
LISTS = {
    "include/ipsp/reason.h": ("IPSP_REASON_", ""),
    "engine/io/attach.h": ("IO_REASON_", "tests/net/*.sh"),
    "ipsp-pcap/counts.h": ("PC_PASS_", "tests/interop/test_pcap_*.py"),
}
# What takes packets, of the core and of attachments.
GIVES = (r"\bipsp_engine_(?:in|out)bound\(|\bworld_pass\(|\bipsp_embed_(?:en|de)capsulate\(|"
         r"\bipsp_reassemble\(|\bops->(?:read|write)\(|\b(?:outer|udp|frame)_(?:read|write|add)\(|"
         r"\bengine_handover_datagram\b")
CODES = 33      # of the stacks that docs/PORTING.md is for


def reasons():
    """(list, enumerator, key) of every reason but NONE."""
    for name, (prefix, _) in LISTS.items():
        found = re.findall(r'\bX\((\w+), "([a-z0-9-]+)",', (ROOT / name).read_text())
        assert found, name
        for enumerator, key in found:
            if enumerator != "NONE":
                yield name, prefix + enumerator, key


def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def suites():
    """The suites in C that give packets."""
    for path in sorted((ROOT / "tests/unit").rglob("check_*.c")):
        text = without_comments(path.read_text())
        if re.search(GIVES, text):
            yield text


def scripts(pattern):
    if not pattern:
        return ""
    lines = [line for path in sorted(ROOT.glob(pattern)) for line in path.read_text().splitlines()]
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def reason_problems():
    expected = "\n".join(suites())
    for name, enumerator, key in reasons():
        quoted = rf"""(?:['"]{re.escape(key)}['"]|\b{re.escape(key)}=\d)"""
        if not re.search(rf"\b{enumerator}\b", expected) and \
           not re.search(quoted, scripts(LISTS[name][1])):
            yield f"{name}: {enumerator} ({key}): no test provokes it with a packet"


def porting_problems():
    keys = {key for name, _, key in reasons() if name != "ipsp-pcap/counts.h"}
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
