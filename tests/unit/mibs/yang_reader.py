"""A small reader of YANG for tests (RFC 7950 6): text into (keyword, argument, children)."""
import re

TOKEN = re.compile(r"""
    (?P<skip>\s+ | //[^\n]* | /\*.*?\*/)
  | (?P<sign>[{};+])
  | "(?P<double>(?:[^"\\]|\\.)*)"
  | '(?P<single>[^']*)'
  | (?P<plain>[^\s{};"']+)
""", re.X | re.S)
ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}


def tokens(text):
    """(is a sign, text) of each token."""
    pos, found = 0, []
    while pos < len(text):
        m = TOKEN.match(text, pos)
        if m is None:
            raise ValueError("no YANG: %r" % text[pos:pos + 40])
        if m.lastgroup == "double":
            found.append((False, re.sub(r"\\(.)", lambda e: ESCAPES[e.group(1)], m["double"])))
        elif m.lastgroup != "skip":
            found.append((m.lastgroup == "sign", m[m.lastgroup]))
        pos = m.end()
    return found


def read(text):
    """All statements of a text."""
    stack, pos, found = [[]], 0, tokens(text)
    while pos < len(found):
        if found[pos] == (True, "}"):
            stack.pop()
            pos += 1
            continue
        keyword, argument = found[pos][1], None
        pos += 1
        if not found[pos][0]:
            argument = found[pos][1]
            pos += 1
        while found[pos] == (True, "+"):
            argument += found[pos + 1][1]
            pos += 2
        children = []
        stack[-1].append((keyword, argument, children))
        if found[pos] == (True, "{"):
            stack.append(children)
        pos += 1
    return stack[0]
