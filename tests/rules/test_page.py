#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_page.py RULE_COVER: the counted parts of docs/sigma.md are those that tools/sigma_page makes now, and what it
counts keeps its promises."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as lab_module  # noqa: E402

COMPILE_SHARE = 99.5


def page():
    with open(lab_module.PAGE, encoding="utf-8") as f:
        return f.read()


def test_the_page_has_what_the_generator_counts(lab):
    build = os.path.normpath(os.path.join(os.path.dirname(lab.args.tool), "..", ".."))
    run = subprocess.run([sys.executable, "-B", os.path.join(lab_module.ROOT, "tools", "sigma_page"), "--build", build],
                         capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_nearly_all_rules_compile(_):
    compiled, files, share = re.search(r"([\d,]+) of ([\d,]+) files compile \(([\d.]+) %\)", page()).groups()
    assert float(share) >= COMPILE_SHARE, f"{compiled} of {files}"


def test_rules_on_what_is_not_there_do_not_count(_):
    """Process rules that name OriginalFileName exist, and more of them would fire with it."""
    row = re.search(r"\| windows/process_creation/\\\* \| (\d+) \| (\d+) \|.*?`OriginalFileName` (\d+).*", page())
    rules, today, named = map(int, row.groups())
    assert today < rules and named == 627, row.group()


if __name__ == "__main__":
    lab_module.main(globals())
