"""esp_tool as a program to ask, and how checks are counted: for the judges of this folder."""
import os
import subprocess

TOOL = os.path.join(os.environ.get("TB_BUILD", "."), "tests/interop/esp_tool")


class Checks:
    """Counts what was found right; tells at once what was not."""

    def __init__(self):
        self.passed = 0
        self.failures = []

    def __call__(self, name, good, detail=""):
        if good:
            self.passed += 1
        else:
            self.failures.append(name)
            print("FAILED", name, detail)

    def end(self):
        """The exit status of the test."""
        print("%d checks, %d failures" % (self.passed + len(self.failures), len(self.failures)))
        return 1 if self.failures else 0


class Tool:
    def __init__(self, library="gcrypt"):
        self.p = subprocess.Popen([TOOL, library], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True)

    def ask(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()

    def new(self, **words):
        answer = self.ask("new " + " ".join("%s=%s" % w for w in words.items()))
        if answer != "ok":
            raise SystemExit("esp_tool new: " + answer)

    def packet(self, verb, packet):
        """The verdict, and the packet that came out or the reason."""
        verdict, rest = self.ask(verb + " " + bytes(packet).hex()).split(" ", 1)
        return (verdict, rest) if verdict == "drop" else (verdict, bytes.fromhex(rest))

    def close(self):
        self.p.stdin.close()
        return self.p.wait()
