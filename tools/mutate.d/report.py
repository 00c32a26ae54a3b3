# SPDX-License-Identifier: Apache-2.0
"""Survivors that are explained, tables, verdicts."""
import json
import os

from running import Result

SEPARATOR = " :: "


class Explained:
    def __init__(self, path):
        self.path, self.rows, self.bad = path, {}, []
        if not os.path.exists(path):
            return
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                line = line.strip()
                if not line or line.startswith("#"):
                    continue
                parts = line.split(SEPARATOR)
                if len(parts) != 6 or " => " not in parts[3] or not parts[4].isdigit() or not parts[5].strip():
                    self.bad.append(f"{path}:{number}: not `file :: function :: operator :: text => text :: ordinal :: reason`")
                    continue
                key = tuple(parts[:5])
                if key in self.rows:
                    self.bad.append(f"{path}:{number}: twice")
                self.rows[key] = parts[5].strip()

    @staticmethod
    def key(m):
        return (m.file, m.function, m.operator, f"{m.before} => {m.after or '(left out)'}", str(m.ordinal))

    def reason(self, m):
        return self.rows.get(self.key(m))

    def stale(self, mutants, files):
        """Rows about these files that name no mutation."""
        known = {self.key(m) for m in mutants}
        return [SEPARATOR.join(k) for k in self.rows if k[0] in files and k not in known]


class Memory:
    """Verdicts of earlier runs, kept by what a mutation is and not by its number."""

    def __init__(self, path):
        self.path = path
        try:
            with open(path, encoding="utf-8") as f:
                self.rows = json.load(f)
        except (OSError, ValueError):
            self.rows = {}

    def killed(self, mutants):
        old = {m.id: self.rows.get(line_for(m), ["", "", ""]) for m in mutants}
        return {number: Result(*row) for number, row in old.items() if row[0] == "killed"}

    def save(self, mutants, results):
        done = ((m, results[m.id]) for m in mutants if m.id in results)
        self.rows.update({line_for(m): [r.verdict, r.by, r.how] for m, r in done})
        with open(self.path + ".new", "w", encoding="utf-8") as f:
            json.dump(self.rows, f)
        os.replace(self.path + ".new", self.path)


def line_for(m):
    return SEPARATOR.join(Explained.key(m))


def table(title, groups):
    """groups: name -> list of (mutant, result, reason)"""
    print(f"\n{title:44} {'mutants':>8} {'killed':>8} {'survived':>9} {'unreached':>10} {'explained':>10} {'killed %':>9}")
    for name, rows in [*sorted(groups.items()), ("all", [r for rows in groups.values() for r in rows])]:
        c = counts(rows)
        print(f"{name:44} {c['mutants']:>8} {c['killed']:>8} {c['survived']:>9} {c['unreached']:>10} {c['explained']:>10} "
              f"{c['rate']:>9.1f}")


def counts(rows):
    word = [r.verdict for _, r, _ in rows]
    killed = word.count("killed")
    return {"mutants": len(rows), "killed": killed, "survived": word.count("survived"),
            "unreached": word.count("unreached"),
            "explained": sum(1 for _, r, reason in rows if reason and r.verdict != "killed"),
            "rate": 100.0 * killed / len(rows) if rows else 100.0}


def group(rows, key):
    out = {}
    for row in rows:
        out.setdefault(key(row[0]), []).append(row)
    return out


def survivors(rows, everything):
    """Prints them; a reader finds the place, and the line for the list of explained ones."""
    left = [(m, r, why) for m, r, why in rows if r.verdict != "killed" and (everything or not why)]
    for m, r, why in left:
        note = "not reached" if r.verdict == "unreached" else f"survived {r.runs} runs"
        print(f"\n{m.file}:{m.line}: {m.operator} in {m.function} [{m.id}], {note}\n    - {m.before}\n    + "
              f"{m.after or '(left out)'}\n    {line_for(m)}")
        if why:
            print("    explained: " + why)
    return left


def verdict(rows, explained, stale, least):
    """cmocka's lines, which tools/summary counts; True when all is well."""
    c = counts(rows)
    open_ones = [m for m, r, why in rows if r.verdict != "killed" and not why]
    checks = [("kill_rate", c["rate"] >= least, f"{c['killed']} of {c['mutants']} killed, {c['rate']:.1f} %, "
               f"at least {least:g} %"),
              ("survivors_explained", not open_ones, f"{c['explained']} explained, {len(open_ones)} not"),
              ("explanations_valid", not explained.bad and not stale, f"{len(explained.rows)} rows, {len(explained.bad)} "
               f"malformed, {len(stale)} about no mutation")]
    print()
    for text in [*explained.bad, *("names no mutation: " + s for s in stale)]:
        print(text)
    for name, good, text in checks:
        print(f"[{'       OK' if good else '  FAILED '} ] mutate_{name}: {text}")
    return all(good for _, good, _ in checks)


def write_json(path, rows, seconds, units):
    data = {"seconds": round(seconds, 1), **counts(rows),
            "operators": {k: counts(v) for k, v in sorted(group(rows, lambda m: m.operator).items())},
            "files": {k: counts(v) for k, v in sorted(group(rows, lambda m: m.file).items())},
            "units": {u.label: {"seconds": round(u.seconds, 3), "kills": u.kills} for u in units},
            "mutants": [{"id": m.id, "file": m.file, "line": m.line, "function": m.function, "operator": m.operator,
                         "before": m.before, "after": m.after, "ordinal": m.ordinal, "verdict": r.verdict, "by": r.by,
                         "how": r.how, "reason": why} for m, r, why in rows]}
    with open(path, "w", encoding="utf-8") as f:
        json.dump(data, f, indent=1)
        f.write("\n")
