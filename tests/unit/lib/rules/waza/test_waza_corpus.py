#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_waza_corpus.py WAZA_PROBE: each SigmaHQ rule of ../shared/data, written as Waza and read back, says the same and
matches the same events of its regression cases and of the recordings."""
import glob
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.normpath(os.path.join(HERE, "..", "..", "..", "..", "..", "..", "shared", "data"))
ARCHIVE = os.path.join(DATA, "sigma-8eaafff1f.tar.xz")
FILES = 3780


def documents(text):
    """The JSON documents of a text that holds one or several, one after another."""
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        document, at = decoder.raw_decode(text, at)
        yield json.dumps(document, ensure_ascii=False)


def events(folder):
    for path in sorted(glob.glob(os.path.join(folder, "**", "regression_data", "**", "*.json"), recursive=True)):
        with open(path, encoding="utf-8") as f:
            yield from documents(f.read())
    for path in sorted(glob.glob(os.path.join(DATA, "security-datasets", "*.zip"))):
        with zipfile.ZipFile(path) as recording:
            for name in recording.namelist():
                yield from (line for line in recording.read(name).decode("utf-8", "replace").splitlines() if line.strip())


def test_every_sigma_rule_as_waza_says_the_same_and_matches_the_same_events(probe, folder):
    rules = sorted(glob.glob(os.path.join(folder, "**", "rules*", "**", "*.yml"), recursive=True))
    rules = [r for r in rules if "regression_data" not in r]
    assert len(rules) == FILES, len(rules)
    lists = os.path.join(folder, "rules.list"), os.path.join(folder, "events.ndjson")
    with open(lists[0], "w", encoding="utf-8") as f:
        f.write("".join(r + "\n" for r in rules))
    with open(lists[1], "w", encoding="utf-8") as f:
        f.write("".join(e + "\n" for e in events(folder)))
    run = subprocess.run([probe, *lists], capture_output=True, text=True, encoding="utf-8", check=False)
    assert run.returncode == 0, (run.stdout + run.stderr)[:4000]
    _, count, _, _, before, after, bad = run.stdout.splitlines()[-1].split("\t")
    assert (int(count), before, bad) == (FILES, after, "0"), run.stdout[-400:]
    assert int(before) > 53, before


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
        for t in tests:
            try:
                t(sys.argv[1], folder)
                print(f"[       OK ] {t.__name__}")
            except AssertionError as e:
                bad += 1
                print(f"[  FAILED  ] {t.__name__}: {e}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
