"""YANG as text: statements with their substatements, and how a module is laid out (RFC 7950 6).

Knows the language's form only; what is said in it is emit_yang.py's.
"""
import re
from dataclasses import dataclass, field

INDENT = 2
PLAIN = re.compile(r"[A-Za-z0-9_-]+(:[A-Za-z0-9_-]+)?")    # what stands without quotes


@dataclass
class Statement:
    """One statement. text: the argument is for people and keeps its lines; raw: single quotes."""
    keyword: str
    argument: str = None
    children: list = field(default_factory=list)
    text: bool = False
    raw: bool = False

    def add(self, *statements):
        """Appends those that are not None."""
        self.children += [s for s in statements if s is not None]
        return self


def dedent(text):
    """Lines of a text of a MIB module, without what its indentation there adds to each."""
    lines = [line.expandtabs().rstrip() for line in text.strip().splitlines()]
    margin = min((len(line) - len(line.lstrip()) for line in lines[1:] if line), default=0)
    return lines[:1] + [line[margin:] for line in lines[1:]]


def quoted(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def argument(s):
    if s.raw:
        return "'%s'" % s.argument
    return s.argument if PLAIN.fullmatch(s.argument) else quoted(s.argument)


def head(s, depth):
    """The lines of a keyword and its argument."""
    space = " " * INDENT * depth
    if s.argument is None:
        return [space + s.keyword]
    if not s.text:
        return ["%s%s %s" % (space, s.keyword, argument(s))]
    # Text is aligned behind its opening quote: RFC 7950 6.1.3 takes that much white space away.
    lines = quoted("\n".join(dedent(s.argument))).splitlines()
    return ([space + s.keyword, space + " " + lines[0]]
            + [(space + "  " + line).rstrip() for line in lines[1:]])


def lines_of(s, depth=0):
    lines = head(s, depth)
    if not s.children:
        lines[-1] += ";"
        return lines
    lines[-1] += " {"
    for child in s.children:
        lines += lines_of(child, depth + 1)
    return lines + [" " * INDENT * depth + "}"]


def module_text(module, comment):
    """The file of one module statement, its parts set apart by empty lines."""
    lines = ["/*"] + [(" * " + line).rstrip() for line in comment] + [" */", ""]
    lines += head(module, 0)
    lines[-1] += " {"
    last = None
    for child in module.children:
        if child.children or child.text or child.keyword != last:
            lines.append("")
        lines += lines_of(child, 1)
        last = child.keyword
    return "\n".join(lines + ["}"]) + "\n"
