# SPDX-License-Identifier: Apache-2.0
"""Sigma correlations after their specification, without any state: whether one fires at an event is decided by looking
back over all events before it."""
import itertools
import re

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "M": 2629746, "y": 31556952}
LIMITS = {"gte": lambda a, b: a >= b, "gt": lambda a, b: a > b, "lte": lambda a, b: a <= b, "lt": lambda a, b: a < b,
          "eq": lambda a, b: a == b, "neq": lambda a, b: a != b}


def seconds(timespan):
    return int(timespan[:-1]) * UNITS[timespan[-1]]


def first(value):
    """The text of a field's first value that is not null, or None."""
    values = value if isinstance(value, list) else [value]
    return next((text(v) for v in values if v is not None), None)


def text(v):
    return ("true" if v else "false") if isinstance(v, bool) else str(v)


class Seen:
    """That the event of that number was one of `rule`."""

    def __init__(self, number, time, rule, event):
        self.number, self.time, self.rule, self.event = number, time, rule, event


LATE_MAX = 8  # events older than the window in a row; then the clock of the newest was wrong


class Correlation:
    """A document of type correlation. `feed` takes what one event was, in order of the documents. Events may come out of
    order: the window ends at the newest of its group, and what is older than the window does not count."""

    def __init__(self, document):
        c = document["correlation"]
        self.name = document["title"]
        self.kind, self.span = c["type"], seconds(c["timespan"]) * 1000000
        self.condition = c.get("condition")
        self.rules = c.get("rules") or sorted(set(re.findall(r"\w+", self.condition)) - {"and", "or", "not"})
        self.group_by, self.aliases = c.get("group-by", []), c.get("aliases", {})
        self.past, self.late = [], {}

    def group(self, seen):
        """The values of the group-by fields, or None when one is missing."""
        fields = [self.aliases.get(g, {}).get(seen.rule, g) for g in self.group_by]
        values = [first(seen.event.get(f)) for f in fields]
        return None if None in values else tuple(values)

    def feed(self, now):
        """now: the Seen of one event. Yields (group, count) of each group in which the correlation fires."""
        now = [s for s in now if s.rule in self.rules and self.group(s) is not None]
        for group in dict.fromkeys(self.group(s) for s in sorted(now, key=lambda s: self.rules.index(s.rule))):
            mine = [s for s in now if self.group(s) == group]
            if self.forget(group, mine):
                continue
            self.past += mine
            window = sorted((s for s in self.past if self.group(s) == group), key=lambda s: (s.time, s.number))
            window = [s for s in window if s.time >= window[-1].time - self.span]
            fires, count = getattr(self, self.kind)(window, mine)
            if fires:
                yield group, count

    def forget(self, group, mine):
        """Is the event too late for its group? The eighth in a row starts the group anew."""
        newest = max((s.time for s in self.past if self.group(s) == group), default=None)
        if newest is None or mine[0].time >= newest - self.span:
            self.late[group] = 0
            return False
        self.late[group] = self.late.get(group, 0) + 1
        if self.late[group] < LATE_MAX:
            return True
        self.past = [s for s in self.past if self.group(s) != group]
        self.late[group] = 0
        return False

    def holds(self, count):
        return all(LIMITS[op](count, n) for op, n in self.condition.items() if op != "field")

    def event_count(self, window, _):
        count = len({s.number for s in window})
        return self.holds(count), count

    def value_count(self, window, now):
        def values(seen):
            v = seen.event.get(self.condition["field"])
            return {text(x) for x in (v if isinstance(v, list) else [v]) if x is not None}
        distinct = set().union(*(values(s) for s in window))
        return bool(values(now[0])) and self.holds(len(distinct)), len(distinct)

    def temporal(self, window, now):
        there = {s.rule for s in window}
        if isinstance(self.condition, str):
            expression = re.sub(r"\b(?!and\b|or\b|not\b)\w+", lambda m: str(m.group() in there), self.condition)
            negated = set(re.findall(r"not (\w+)", self.condition))
            return eval(expression) and any(s.rule not in negated for s in now), None  # our own text
        if self.condition:
            return self.holds(len(there)), len(there)
        return there == set(self.rules), len(there)

    def temporal_ordered(self, window, now):
        """One event of each rule, each later than the one before, the last of them this one."""
        if self.rules[-1] not in {s.rule for s in now}:
            return False, None
        at = now[0].time, now[0].number
        for rule in reversed(self.rules[:-1]):
            at = max(((s.time, s.number) for s in window if s.rule == rule and (s.time, s.number) < at), default=None)
            if at is None:
                return False, None
        return True, None


def run(rules, correlations, stream):
    """rules: {name: predicate over an event}; stream: (time, event). Yields (number, correlation, group, count)."""
    correlations = [Correlation(c) for c in correlations]
    for number, (time, event) in enumerate(stream):
        seen = [Seen(number, time, name, event) for name, holds in rules.items() if holds(event)]
        for c in correlations:
            fired = list(c.feed(seen))
            seen += [Seen(number, time, c.name, event) for _ in itertools.islice(fired, 1)]
            for group, count in fired:
                yield number, c.name, group, count
