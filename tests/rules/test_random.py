#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_random.py WEDR_RULES [--seed N] [--count ROUNDS]: random rules on random events against pySigma and SQLite."""
import collections
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as lab_module  # noqa: E402

RULES, EVENTS, ROUNDS = 300, 200, 2 if lab_module.FULL else 1
# What one side refuses, of all rules, at most; docs/sigma.md says which.
REFUSED_SHARE_MAX = 0.005


def refused(lab, folder):
    """{file: reason} of wedr-rules."""
    run = subprocess.run([lab.args.tool, "validate", "--json", folder], capture_output=True, text=True, check=False)
    return {os.path.basename(f["file"]): f["reason"] for f in json.loads(run.stdout)["failed"]}


def round_of(lab, seed, stats):
    import generate
    import oracle
    import pipeline
    import yaml
    from sigma.collection import SigmaCollection
    from sigma.exceptions import SigmaError
    g = generate.Generator(seed)
    rules = [g.rule(i) for i in range(RULES)]
    events = [g.event() for _ in range(EVENTS)]
    folder = f"random{seed}"
    for i, (_, documents, _) in enumerate(rules):
        lab.put(f"{folder}/{i}.yml", yaml.safe_dump_all(documents, allow_unicode=True))
    path = lab.put_events(f"{folder}.ndjson", events)
    ours_refuses = refused(lab, lab.path(folder))
    for name in ours_refuses:
        os.remove(lab.path(folder, name))
    ours = lab.scan([lab.path(folder)], path)
    pipelines = pipeline.Pipelines(os.path.join(lab_module.ROOT, "lib", "rules", "pipelines"))
    with open(path, encoding="utf-8") as f:
        database = oracle.Database([pipelines.read(line) for line in f])
    wrong = []
    for i, (rule, documents, theirs) in enumerate(rules):
        try:
            parsed = SigmaCollection.from_yaml(yaml.safe_dump_all(theirs, allow_unicode=True)).rules[0]
            want = database.matches(parsed, pipeline.rule_class(rule["logsource"]))
        except SigmaError as e:
            stats["pySigma refuses: " + str(e)[:60]] += 1
            continue
        if f"{i}.yml" in ours_refuses:
            stats["we refuse: " + ours_refuses[f"{i}.yml"]] += 1
            continue
        have = ours.get(rule["id"], set())
        stats["rules"] += 1
        stats["pairs"] += len(events)
        stats["matches"] += len(want)
        stats["rules that match some and not all"] += 0 < len(want) < len(events)
        if have != want:
            at = min(have ^ want)
            wrong.append({"seed": seed, "rule": documents, "event": events[at], "oracle": at in want, "ours": at in have})
    stats.update(g.used)
    return wrong


def test_random_rules_match_the_random_events_that_the_oracle_finds(lab):
    stats, wrong = collections.Counter(), []
    for seed in range(lab.args.seed, lab.args.seed + (lab.args.count or ROUNDS)):
        wrong += round_of(lab, seed, stats)
    for k, n in sorted(stats.items()):
        print(f"  {n:8} {k}")
    assert not wrong, f"{len(wrong)} differ: " + "\n".join(json.dumps(w, ensure_ascii=False) for w in wrong[:lab.args.show])
    lost = sum(n for k, n in stats.items() if "refuse" in k)
    assert lost <= REFUSED_SHARE_MAX * (stats["rules"] + lost), f"{lost} rules refused by one side"
    assert stats["rules that match some and not all"] > stats["rules"] / 3


if __name__ == "__main__":
    lab_module.main(globals(), data=False)
