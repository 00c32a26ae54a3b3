#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_oracle.py WEDR_RULES: every rule of SigmaHQ on every recorded event and every regression event: the pairs (rule,
event) that wedr-rules finds are those of pySigma and SQLite, all of them."""
import collections
import functools
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as lab_module  # noqa: E402

# Rules that the oracle cannot judge, by reason, at most. docs/sigma.md has a line for each reason.
EXCLUDED_MAX = {"a placeholder has no list": 25}


@functools.lru_cache(None)
def load(path):
    """The one rule of a file as pySigma reads it, or why it does not."""
    from sigma.collection import SigmaCollection
    from sigma.exceptions import SigmaError
    with open(path, encoding="utf-8") as f:
        text = f.read()
    try:
        return SigmaCollection.from_yaml(text).rules[0], ""
    except SigmaError as e:
        return None, f"pySigma refuses: {type(e).__name__} {e}"


def judge(database, rule):
    """(indexes, "") or (None, reason)."""
    import pipeline
    import sqlite3
    from sigma.exceptions import SigmaError
    source = pipeline.rule_class({k: getattr(rule.logsource, k) for k in ("product", "category", "service")})
    try:
        return database.matches(rule, source), ""
    except SigmaError as e:
        return None, "a placeholder has no list" if "Placeholder" in type(e).__name__ else f"{type(e).__name__}: {e}"
    except sqlite3.Error as e:
        return None, f"SQLite: {e}"


def compare(lab, events, name, more=()):
    """more: files of pipelines besides our own."""
    import oracle
    import pipeline
    path = lab.put_events(name, events)
    pipelines = pipeline.Pipelines(os.path.join(lab_module.ROOT, "lib", "rules", "pipelines"), more)
    with open(path, encoding="utf-8") as f:
        read = [pipelines.read(line) for line in f]
    database = oracle.Database(read)
    ours = lab.scan(lab.rule_folders(), path, more)
    excluded, wrong, compared, total = collections.Counter(), [], 0, 0
    for file in lab.rule_files():
        rule, why = load(file)
        theirs, why = judge(database, rule) if rule else (None, why)
        if theirs is None:
            excluded[why] += 1
            continue
        compared += 1
        total += len(theirs)
        mine = ours.get(str(rule.id), set())
        if mine != theirs:
            wrong.append((os.path.basename(file), "only theirs", sorted(theirs - mine)[:5], "only ours",
                          sorted(mine - theirs)[:5]))
    print(f"{name}: {len(events)} events, {compared} rules compared, {total} matches of the oracle, "
          f"{sum(map(len, ours.values()))} of ours, {len(wrong)} rules differ; excluded {dict(excluded)}")
    assert not wrong, json.dumps(wrong, indent=1)
    over = {k: n for k, n in excluded.items() if n > EXCLUDED_MAX.get(k, 0)}
    assert not over, over
    assert total == sum(map(len, ours.values())), "matches of excluded rules"
    return total


def test_rules_match_the_recorded_events_that_the_oracle_finds(lab):
    assert compare(lab, list(lab.recorded_events()), "recordings.ndjson") > 40


def test_rules_match_the_regression_events_that_the_oracle_finds(lab):
    assert compare(lab, list(lab.regression_events()), "regression.ndjson") > 53


if __name__ == "__main__":
    lab_module.main(globals())
