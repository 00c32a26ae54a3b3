#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""coverage.py SIGMA_COVER RULES: the table of docs/sigma.md that says per log source how many rules can fire on our own
events. RULES names one rule file a line. With --write the page is rewritten, else the table is printed."""
import collections
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.normpath(os.path.join(HERE, "..", "..", "..", "..", "..", "docs", "sigma.md"))
BEGIN, END = "<!-- coverage begins -->\n", "<!-- coverage ends -->\n"
# Bound, but in another form than rules expect: hex bytes, SHA-256 alone.
OTHER_FORM = ["Hashes", "Details"]


def table(cover, rules):
    run = subprocess.run([cover, rules] + OTHER_FORM, capture_output=True, text=True, encoding="utf-8", check=True)
    rows = collections.OrderedDict()
    for line in run.stdout.splitlines():
        source, can, missing = line.split("\t")
        row = rows.setdefault(source, {"all": 0, "can": 0, "miss": collections.Counter(), "alone": collections.Counter()})
        row["all"] += 1
        row["can"] += int(can)
        for field in filter(None, missing.split(",")):
            row["miss"][field.rstrip("!")] += 1
            if field.endswith("!"):
                row["alone"][field.rstrip("!")] += 1
    out = ["| log source | rules | can fire | fields that rules name and we lack (rules) | one field alone would unlock |\n",
           "|---|---|---|---|---|\n"]

    def top(counter):
        best = sorted(counter.items(), key=lambda kv: (-kv[1], kv[0]))[:6]
        return ", ".join(f"`{k}` {v}" for k, v in best)

    for source, r in sorted(rows.items(), key=lambda kv: (-kv[1]["all"], kv[0])):
        out.append(f"| {source.replace('*', chr(92) + '*')} | {r['all']} | {r['can']} | {top(r['miss'])} | {top(r['alone'])} |\n")
    total = [sum(r[k] for r in rows.values()) for k in ("all", "can")]
    out.append(f"| all of these | {total[0]} | {total[1]} | | |\n")
    return "".join(out)


def page_parts():
    with open(PAGE, encoding="utf-8") as f:
        text = f.read()
    head, rest = text.split(BEGIN)
    body, tail = rest.split(END)
    return head, body, tail


def main():
    args = [a for a in sys.argv[1:] if a != "--write"]
    made = table(*args)
    if "--write" not in sys.argv:
        print(made, end="")
        return
    head, _, tail = page_parts()
    with open(PAGE, "w", encoding="utf-8") as f:
        f.write(head + BEGIN + made + END + tail)


if __name__ == "__main__":
    main()
