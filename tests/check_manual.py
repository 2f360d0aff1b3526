#!/usr/bin/python3
"""The manual pages, from outside: every option, every key of the options file and every command stands
there, and no option that is not. Prints 'N passed, N failed'."""
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(os.environ.get("TB_SRC", pathlib.Path(__file__).resolve().parent.parent))


def read(name):
    return (ROOT / name).read_text()


def options_of(source):
    """Letters and long names, as getopt_long(3) is given them."""
    text = read(source)
    names = set(re.findall(r'\{ "([a-z0-9-]+)", (?:no|required)_argument,', text))
    letters = re.findall(r'getopt_long\(argc, argv, "\+?([A-Za-z0-9:]+)"', text)
    return names | set("".join(letters).replace(":", ""))


def options_in(page):
    """What the tags of a page say, and its synopsis."""
    found = set()
    for line in read(page).splitlines():
        if re.match(r"\.(It|Op|Fl) ", line) or " Fl " in line:
            for word in re.findall(r"\bFl (\\?-?[A-Za-z0-9-]+)", line):
                word = word.lstrip("\\")
                found |= {word[1:]} if word.startswith("-") else set(word)
    return found


def problems():
    for source, page in (("ipspd/options.c", "docs/ipspd.8"), ("ipsp-pcap/main.c", "docs/ipsp-pcap.1"),
                         ("ipspctl/main.c", "docs/ipspctl.8")):
        have, said = options_of(source), options_in(page)
        assert have, source
        yield [f"{page}: no option {o}" for o in sorted(have - said)]
    have, said = options_of("ipspd/options.c"), options_in("docs/ipspd.8")
    yield [f"docs/ipspd.8: option {o} is not there" for o in sorted(said - have)]
    keys = re.findall(r'\bCFG_\w+\("([a-z-]+)"', read("ipspd/options_file.c"))
    page = " ".join(line for line in read("docs/ipspd.8").splitlines() if line.startswith(".It Ic"))
    yield [f"docs/ipspd.8: no key {k}" for k in keys if not re.search(rf"(?<![\w-]){k}(?![\w-])", page)]
    for key in keys:
        yield [] if re.search(rf"^#?{key} = ", read("dist/ipspd.conf.example"), re.M) else \
            [f"dist/ipspd.conf.example: no key {key}"]
    commands = re.findall(r'^\t\{ "([a-z ]+)", [^{]*\},$', read("ipspctl/main.c"), re.M)
    page = read("docs/ipspctl.8")
    assert len(commands) > 10
    yield [f"docs/ipspctl.8: no command {c}" for c in commands
           if not re.search(rf"^\.It Cm {c}\b", page, re.M)]


def main():
    passed = failed = 0
    for found in problems():
        for problem in found:
            print(problem)
        failed += bool(found)
        passed += not found
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
