#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_correlations.py STREAM_PROBE [--seed N] [--count ROUNDS]: random correlations over random streams fire at the
events, in the groups and with the counts that a plain reading of the specification gives; those that wedr-rules counts over
files, too."""
import collections
import datetime
import json
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as lab_module  # noqa: E402

ROUNDS, SCANS = (120, 15) if lab_module.FULL else (30, 5)
CORRELATIONS, EVENTS = 12, 150
BASE = {"alpha": "a", "beta": "b", "gamma": "c", "delta": "d"}


def base_rule(name, letter):
    return {"title": name, "name": name, "logsource": {"product": "windows", "service": "application"},
            "detection": {"selection": {"what|contains": letter}, "condition": "selection"}}


def limits(r, most):
    c = {r.choice(["gte", "gt", "eq", "lte", "lt", "neq"]): r.randint(1, most)}
    if r.random() < 0.3:
        c.update({"gte": 1, "lte": r.randint(1, most)})
    return dict(list(c.items())[:2])


def some_of(r, rules):
    """A number of rules that is neither always there nor never."""
    op = r.choice(["gte", "gt", "eq", "lte", "lt"])
    least, most = {"gte": (1, 0), "gt": (1, -1), "eq": (1, 0), "lte": (1, -1), "lt": (2, 0)}[op]
    return {op: r.randint(least, rules + most)}


def expression(r, names):
    """One that no event of another kind makes true: it begins with a rule that has to be there."""
    rest = [r.choice(["", "not "]) + n for n in names[1:]]
    return " and ".join([names[0], *rest]) if r.random() < 0.6 else f"{names[0]} and ({' or '.join(rest)})"


def correlation(r, name, earlier):
    kind = r.choice(["event_count", "value_count", "temporal", "temporal", "temporal_ordered"])
    rules = r.sample([*BASE, *earlier], r.randint(1 if kind.endswith("count") else 2, 3))
    c = {"type": kind, "rules": rules, "timespan": r.choice(["1s", "5s", "20s", "1m", "2m"])}
    if r.random() < 0.8:
        c["group-by"] = r.sample(["user", "host", "port"], r.randint(1, 2))
    if "group-by" in c and r.random() < 0.3:
        c["aliases"] = {c["group-by"][0]: {rules[0]: "other"}}
    if kind == "event_count":
        c["condition"] = limits(r, 6)
    elif kind == "value_count":
        c["condition"] = {"field": r.choice(["port", "user", "list"]), **limits(r, 4)}
    elif kind == "temporal" and r.random() < 0.3:
        c["condition"] = some_of(r, len(rules))
    elif kind == "temporal" and r.random() < 0.5:
        c["condition"] = expression(r, rules)
        del c["rules"]
    return {"title": name, "name": name, "correlation": c}


def stream(r):
    """In order, or with every tenth event late by less than any timespan."""
    now, out, late = 1700000000000000, [], r.random() < 0.5
    for _ in range(EVENTS):
        now += r.choice([0, 0, 1, 300000, 1000000, 1000000, 5000000, 20000000])
        e = {"Channel": "Application", "what": "".join(r.choice("abcd") for _ in range(r.choice([0, 1, 1, 1, 2])))}
        for f, values in (("user", ["u", "U", "v"]), ("host", ["h", "i"]), ("other", ["u", "h", "80"]), ("port", [80, "80", 443, True])):
            if r.random() < 0.9:
                e[f] = r.choice(values)
        if r.random() < 0.7:
            e["list"] = [r.choice(["x", "y", "z", None, 1]) for _ in range(r.randint(0, 3))]
        out.append((now - r.choice([1, 1000, 300000, 900000]) if late and r.random() < 0.1 else now, e))
    return out


def documents_of(r):
    documents, names = [], []
    for i in range(CORRELATIONS):
        documents.append(correlation(r, f"corr{i}", r.sample(names, min(len(names), 2)) if r.random() < 0.3 else []))
        names.append(f"corr{i}")
    return documents


def put_rules(lab, name, documents):
    import yaml
    return lab.put(name, yaml.safe_dump_all([*(base_rule(n, v) for n, v in BASE.items()), *documents]))


def round_of(lab, seed, stats):
    import correlations
    r = random.Random(seed)
    documents = documents_of(r)
    events = stream(r)
    rules = put_rules(lab, f"{seed}.yml", documents)
    path = lab.put(f"{seed}.stream", "".join(f"{t}\t{json.dumps(e)}\n" for t, e in events))
    run = subprocess.run([lab.args.tool, rules, path], capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"seed {seed}: {run.stderr}"
    predicates = {n: lambda e, v=v: v in e["what"] for n, v in BASE.items()}
    theirs = [(n, c, list(g), count) for n, c, g, count in correlations.run(predicates, documents, events)]
    ours = [json.loads(line) for line in run.stdout.splitlines()]
    counts = {(n, c, tuple(g)): count for n, c, g, count in theirs}
    mine = collections.Counter((f["event"], f["rule"], tuple(f["group"])) for f in ours)
    want = collections.Counter((n, c, tuple(g)) for n, c, g, _ in theirs)
    stats["events"] += EVENTS
    for n, c, _, _ in theirs:
        stats[documents[int(c[4:])]["correlation"]["type"] + " firings"] += 1
    wrong = sorted((mine - want) + (want - mine))
    if wrong:
        n, c, g = wrong[0]
        return [{"seed": seed, "document": documents[int(c[4:])], "event": n, "group": g, "reference": want[wrong[0]],
                 "ours": mine[wrong[0]]}]
    return [{"seed": seed, "count": f, "reference": counts[f["event"], f["rule"], tuple(f["group"])]} for f in ours
            if counts[f["event"], f["rule"], tuple(f["group"])] not in (None, f["count"])]


def test_correlations_fire_where_the_specification_says(lab):
    stats, wrong = collections.Counter(), []
    for seed in range(lab.args.seed, lab.args.seed + (lab.args.count or ROUNDS)):
        wrong += round_of(lab, seed, stats)
    for k, n in sorted(stats.items()):
        print(f"  {n:8} {k}")
    assert not wrong, f"{len(wrong)} differ: " + "\n".join(json.dumps(w) for w in wrong[:lab.args.show])
    for kind in ("event_count", "value_count", "temporal", "temporal_ordered"):
        assert stats[kind + " firings"] > 20, kind


def timestamp(us):
    t = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=us)
    return t.isoformat(timespec="microseconds") + "Z"


def scan_of(lab, seed):
    """(what wedr-rules finds, what the reference does): {(correlation, event): times}. The stream lies in three files."""
    import correlations
    r = random.Random(seed)
    documents = [dict(d, id=f"00000000-0000-4000-8000-{i:012d}") for i, d in enumerate(documents_of(r))]
    events = [(t + i, e) for i, (t, e) in enumerate(sorted(stream(r), key=lambda x: x[0]))]  # no two at once
    files, places = [[], [], []], []
    for t, e in events:
        n = r.randrange(3)
        places.append((f"{seed}-{n}.ndjson", len(files[n])))
        files[n].append(dict(e, **{"@timestamp": timestamp(t)}))
    paths = [lab.put_events(f"{seed}-{n}.ndjson", f) for n, f in enumerate(files)]
    run = subprocess.run([os.path.join(os.path.dirname(lab.args.tool), "..", "..", "wedr-rules"), "scan", "--json",
                          put_rules(lab, f"{seed}-scan.yml", documents), "--", *paths], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found = collections.Counter()
    for m in map(json.loads, run.stdout.splitlines()):
        if m["rule_id"].startswith("00000000-"):
            found[f"corr{int(m['rule_id'][-3:])}", (os.path.basename(m["file"]), m["event_index"])] += 1
    feeders = {n for d in documents for n in correlations.Correlation(d).rules}  # raise nothing by themselves
    predicates = {n: lambda e, v=v: v in e["what"] for n, v in BASE.items()}
    want = collections.Counter((c, places[n]) for n, c, _, _ in correlations.run(predicates, documents, events) if c not in feeders)
    return found, want


def test_scan_counts_over_all_files_in_the_order_of_time(lab):
    total = 0
    for seed in range(lab.args.seed, lab.args.seed + SCANS):
        found, want = scan_of(lab, seed)
        total += sum(want.values())
        assert found == want, f"seed {seed}: {sorted((found - want) + (want - found))[:3]}"
    print(f"  {total} firings in files")
    assert total > 500


if __name__ == "__main__":
    lab_module.main(globals(), data=False)
