# SPDX-License-Identifier: Apache-2.0
"""What the tests of wedr-rules share: rules, events, a folder of files, and the run of every test_ function of a module."""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", "..", "..", ".."))
DATA = os.path.join(ROOT, "..", "shared", "data")
ARCHIVE = os.path.join(DATA, "sigma-8eaafff1f.tar.xz")
RECORDINGS = os.path.join(DATA, "security-datasets")
TOOL = os.path.abspath(sys.argv[1])

WHOAMI = """title: Who am I
id: 11111111-1111-4111-8111-111111111111
level: high
logsource: {product: windows, category: process_creation}
detection:
  selection: {CommandLine|contains: whoami}
  condition: selection
"""
NET = """title: Net user
id: 22222222-2222-4222-8222-222222222222
level: low
logsource: {product: windows, category: process_creation}
detection:
  selection: {CommandLine|startswith: 'net '}
  condition: selection
"""
BAD = """title: Bad
id: 33333333-3333-4333-8333-333333333333
logsource: {product: windows, category: process_creation}
detection:
  selection:
    CommandLine|nonsense: x
  condition: selection
"""


def flat(command_line):
    return {"EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational", "Image": "C:\\x.exe", "CommandLine": command_line}


def nested(command_line):
    return {"Event": {"System": {"Provider": {"#attributes": {"Name": "Microsoft-Windows-Sysmon"}}, "EventID": 1,
                                 "Channel": "Microsoft-Windows-Sysmon/Operational"},
                      "EventData": {"Image": "C:\\x.exe", "CommandLine": command_line}}}


class Box:
    """A folder of files for one test."""

    def __init__(self, folder):
        self.folder = folder

    def put(self, name, content):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return path

    def rules(self):
        self.put("rules/a/whoami.yml", WHOAMI)
        self.put("rules/net.yaml", NET)
        self.put("rules/.hidden.yml", BAD)
        self.put("rules/notes.txt", "no rule")
        return os.path.join(self.folder, "rules")


def run(*args, stdout=subprocess.PIPE, stdin=b"", escapes=False):
    p = subprocess.run([TOOL, *args], stdout=stdout, stderr=subprocess.PIPE, input=stdin, check=False, timeout=200)
    for code in () if escapes else (b"\x1b", b"\xc2\x9b", b"\x07"):
        assert code not in (p.stdout or b"") + p.stderr, p
    return p.returncode, (p.stdout or b"").decode(), p.stderr.decode()


def matches(*args):
    """Exit code and (title, base name, index) of each match."""
    code, out, err = run("scan", "--json", *args)
    found = []
    for line in out.splitlines():
        m = json.loads(line)
        assert list(m) == ["rule_id", "rule_title", "severity", "file", "event_index"], m
        assert m["severity"] in ("high", "low", "medium", "informational", "critical")
        found.append((m["rule_title"], os.path.basename(m["file"]), m["event_index"]))
    return code, found, err


def run_tests(tests):
    """Every function of the given globals() whose name begins with test_; those named ..collection.. or ..recorded.. need
    ../shared/data. 77 when one of them was skipped, 1 when one failed."""
    bad = skipped = 0
    for name, test in sorted(tests.items()):
        if not name.startswith("test_"):
            continue
        needs = ARCHIVE if "collection" in name else RECORDINGS if "recorded" in name else HERE
        if not os.path.exists(needs):
            print(f"[  SKIPPED ] {name}: {needs} is missing")
            skipped += 1
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                test(Box(folder))
                print(f"[       OK ] {name}")
            except (AssertionError, ValueError, KeyError, subprocess.TimeoutExpired) as e:
                bad += 1
                print(f"[  FAILED  ] {name}: {type(e).__name__} {e}")
    return 1 if bad else 77 if skipped else 0
