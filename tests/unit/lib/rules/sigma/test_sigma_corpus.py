#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_sigma_corpus.py SIGMA_PROBE: the SigmaHQ rules of ../shared/data parse and compile, and the events of its
regression cases fire the rules that they name."""
import glob
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", "..", "..", "..", ".."))
ARCHIVE = os.path.join(ROOT, "..", "shared", "data", "sigma-8eaafff1f.tar.xz")
FILES = 3780
CASES = 53
COMPILE_SHARE = 0.995


def documents(text):
    """The JSON documents of a text that holds one or several, one after another."""
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        document, at = decoder.raw_decode(text, at)
        yield document


def cases(folder):
    """(ids of the rules that must fire, events) of every regression case."""
    for info in sorted(glob.glob(os.path.join(folder, "**", "info.yml"), recursive=True)):
        with open(info, encoding="utf-8") as f:
            text = f.read()
        ids = re.findall(r"^\s+- id: (\S+)", text[text.index("rule_metadata"):], re.M)
        events = []
        for path in sorted(glob.glob(os.path.join(os.path.dirname(info), "*.json"))):
            with open(path, encoding="utf-8") as f:
                events += documents(f.read())
        assert ids and events, info
        yield ids, events


class Run:
    """What the probe said."""

    def __init__(self, probe, folder):
        rules = sorted(glob.glob(os.path.join(folder, "**", "rules*", "**", "*.yml"), recursive=True))
        self.rules = [r for r in rules if "regression_data" not in r]
        self.cases = list(cases(folder))
        self.refused, self.fired = [], []
        rule_list = os.path.join(folder, "rules.list")
        event_list = os.path.join(folder, "events.ndjson")
        with open(rule_list, "w", encoding="utf-8") as f:
            f.write("".join(r + "\n" for r in self.rules))
        with open(event_list, "w", encoding="utf-8") as f:
            f.write("".join(json.dumps(e, ensure_ascii=False) + "\n" for _, es in self.cases for e in es))
        run = subprocess.run([probe, rule_list, event_list], capture_output=True, text=True, encoding="utf-8",
                             check=False)
        assert run.returncode == 0, run.stderr
        for line in run.stdout.splitlines():
            parts = line.split("\t")
            if parts[0] == "refused":
                self.refused.append((os.path.relpath(parts[1], folder), int(parts[2]), parts[3]))
            elif parts[0] == "load":
                self.files, self.documents, self.compiled, _, self.need_list = map(int, parts[1:6])
            elif parts[0] == "event":
                self.fired.append(set(parts[2:]))


def test_every_file_of_the_rule_collection_parses(run):
    assert len(run.rules) == FILES, len(run.rules)
    assert run.files == run.documents == FILES
    assert not [r for r in run.refused if "no YAML" in r[2]], run.refused


def test_nearly_all_rules_compile(run):
    elsewhere = [r for r in run.rules if "rules-placeholder" not in r]
    refused = [r for r in run.refused if "rules-placeholder" not in r[0]]
    assert 1 - len(refused) / len(elsewhere) >= COMPILE_SHARE, refused


def test_regression_cases_fire_the_rules_that_they_name(run):
    assert len(run.cases) == CASES, len(run.cases)
    at, missed = 0, []
    for ids, events in run.cases:
        fired = set().union(*run.fired[at:at + len(events)])
        at += len(events)
        missed += [i for i in ids if i not in fired]
    assert not missed, missed


def main():
    tests = [t for n, t in sorted(globals().items()) if n.startswith("test_")]
    if not os.path.exists(ARCHIVE):
        for t in tests:
            print(f"[  SKIPPED ] {t.__name__}: {ARCHIVE} is missing")
        return 77
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(folder)  # our own file
        run = Run(sys.argv[1], folder)
        for t in tests:
            try:
                t(run)
                print(f"[       OK ] {t.__name__}")
            except AssertionError as e:
                bad += 1
                print(f"[  FAILED  ] {t.__name__}: {e}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
