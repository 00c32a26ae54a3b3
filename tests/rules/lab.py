# SPDX-License-Identifier: Apache-2.0
"""What the tests of this folder share: the data, the Python with pySigma, wedr-rules, and the lines that ctest counts.

A test script calls `main(globals())`; its functions `test_*` take one argument, the Lab. Where the data or the packages
are missing all of them are skips (exit 77)."""
import argparse
import contextlib
import glob
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
DATA = os.path.normpath(os.path.join(ROOT, "..", "shared", "data"))
ARCHIVE = os.path.join(DATA, "sigma-8eaafff1f.tar.xz")
RECORDINGS = os.path.join(DATA, "security-datasets")
FULL = os.environ.get("WEDR_TEST_FULL") == "1"  # the long form of what has one
PAGE = os.path.join(ROOT, "docs", "sigma.md")


def documents(text):
    """The JSON documents of a text that holds one or several, one after another."""
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        document, at = decoder.raw_decode(text, at)
        yield document


def audit_record(line):
    """One line of an audit log as the object that the pipeline `auditd` reads."""
    out = {}
    for key, quoted, single, plain in re.findall(r"""(\w+)=(?:"([^"]*)"|'([^']*)'|(\S+))""", line):
        out.setdefault(key, quoted or single or plain)
    return out


class Lab:
    """The command line's arguments, a folder for this run, and the data in it."""

    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.collection = os.path.join(folder, "sigma")
        if args.data:
            with tarfile.open(ARCHIVE) as archive:
                archive.extractall(folder)  # our own file

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def rule_files(self):
        files = glob.glob(os.path.join(self.collection, "rules*", "**", "*.yml"), recursive=True)
        return sorted(files)

    def rule_folders(self):
        return sorted(glob.glob(os.path.join(self.collection, "rules*")))

    def regression_events(self):
        """Every event of the collection's regression cases."""
        for path in sorted(glob.glob(os.path.join(self.collection, "regression_data", "**", "*.json"), recursive=True)):
            with open(path, encoding="utf-8") as f:
                yield from documents(f.read())

    def recorded_events(self):
        """Every event of the recordings of attacks."""
        for path in sorted(glob.glob(os.path.join(RECORDINGS, "*.zip"))):
            with zipfile.ZipFile(path) as z:
                for name in sorted(z.namelist()):
                    for line in z.read(name).decode("utf-8").splitlines():
                        yield json.loads(line) if name.endswith(".json") else audit_record(line)

    def put(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def put_events(self, name, events):
        return self.put(name, "".join(json.dumps(e, ensure_ascii=False) + "\n" for e in events))

    def scan(self, rules, events, pipelines=()):
        """{rule id: {indexes of the events of the one file that it matches}} as wedr-rules says."""
        options = [a for p in pipelines for a in ("--pipeline", p)]
        run = subprocess.run([self.args.tool, "scan", "--json", *options, *rules, "--", events], capture_output=True,
                             check=False, text=True, encoding="utf-8", errors="surrogateescape")
        assert run.returncode == 0, run.stderr[-2000:]
        out = {}
        for line in run.stdout.splitlines():
            match = json.loads(line)
            out.setdefault(match["rule_id"], set()).add(match["event_index"])
        return out


def venv_python():
    """The Python that has pySigma, or None and why not."""
    run = subprocess.run([os.path.join(ROOT, "tools", "test_venv"), "rules"], capture_output=True, text=True, check=False)
    return (run.stdout.strip(), "") if run.returncode == 0 else (None, "no pySigma: " + (run.stderr.strip().splitlines() or ["?"])[-1])


def run_tests(tests, lab):
    bad = 0
    for t in tests:
        try:
            t(lab)
            print(f"[       OK ] {t.__name__}", flush=True)
        except AssertionError as e:
            bad += 1
            print(f"[  FAILED  ] {t.__name__}: {e}", flush=True)
    return 1 if bad else 0


def main(names, data=True, venv=True):
    parser = argparse.ArgumentParser()
    parser.add_argument("tool", help="wedr-rules")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=0, help="rounds; 0: as many as the suite wants")
    parser.add_argument("--show", type=int, default=5, help="differences to print")
    parser.add_argument("--keep", help="folder for the files of this run")
    args = parser.parse_args()
    args.tool, args.data = os.path.abspath(args.tool), data
    tests = [t for n, t in names.items() if n.startswith("test_")]
    why = "" if not data or os.path.exists(ARCHIVE) else ARCHIVE + " is missing"
    if venv and not why and "WEDR_RULES_VENV" not in os.environ:
        python, why = venv_python()
        if python:
            os.environ["WEDR_RULES_VENV"] = "1"
            os.execv(python, [python, "-B", *sys.argv])
    if why:
        for t in tests:
            print(f"[  SKIPPED ] {t.__name__}: {why}")
        sys.exit(77)
    with contextlib.ExitStack() as stack:
        folder = args.keep or stack.enter_context(tempfile.TemporaryDirectory())
        sys.exit(run_tests(tests, Lab(args, folder)))
