# SPDX-License-Identifier: Apache-2.0
"""Makes an event for a rule: one that must match, and the same with one field changed that must not.

The parsed condition is turned into what each field must and must not be, one alternative of every `or` chosen; a value is
put together from the pieces that the wanted patterns need and tried against all of them. What does not come together is
tried again with other alternatives."""
import itertools
import random

import reference
import regex_text
from pipeline import fold
from sigma.conditions import ConditionAND, ConditionFieldEqualsValueExpression, ConditionNOT, ConditionOR
from sigma.types import (CompareOperators, SigmaBool, SigmaCIDRExpression, SigmaCompareExpression, SigmaExists,
                         SigmaExpansion, SigmaFieldReference, SigmaNull, SigmaNumber, SigmaRegularExpression, SigmaString,
                         SigmaTimestampPart, SpecialChars)

ATTEMPTS, FILLERS = 400, ["", "x", " ", "q7", " zq ", "\\", "/", ".", "wq.exe", "0"]
MULTI, SINGLE = SpecialChars.WILDCARD_MULTI, SpecialChars.WILDCARD_SINGLE


class Impossible(Exception):
    """Not with these alternatives."""


class Wants:
    """Of one field: values that must hold, values that must not."""

    def __init__(self):
        self.must, self.must_not = [], []


def choose(cond, want, r, out):
    """Adds (field, value, want) of the leaves that together make cond `want`."""
    if isinstance(cond, ConditionNOT):
        choose(cond.args[0], not want, r, out)
    elif isinstance(cond, (ConditionAND, ConditionOR)):
        every = isinstance(cond, ConditionAND) == want
        for a in cond.args if every else [r.choice(cond.args)]:
            choose(a, want, r, out)
    else:
        field = cond.field if isinstance(cond, ConditionFieldEqualsValueExpression) else None
        values = cond.value.values if isinstance(cond.value, SigmaExpansion) else [cond.value]
        out += [(field, v, want) for v in ([r.choice(values)] if want else values)]


def fill(pattern, r, filler):
    return "".join(filler if p is MULTI else r.choice("xy") if p is SINGLE else p for p in pattern)


def split(pattern):
    """(head, middle, tail): what stands at the beginning, somewhere, at the end; a whole text is all head."""
    if MULTI not in pattern:
        return pattern, [], []
    first, last = pattern.index(MULTI), len(pattern) - 1 - pattern[::-1].index(MULTI)
    return pattern[:first], pattern[first + 1:last], pattern[last + 1:]


def compose(strings, regexes, r):
    """A text that has a chance with all patterns."""
    filler = r.choice(FILLERS)
    whole = [p for p in strings if MULTI not in p]
    if whole:
        return fill(whole[0], r, "")
    split_up = [split(p) for p in strings]
    head = max((fill(h, r, "") for h, _, _ in split_up), key=len, default="")
    tail = max((fill(t, r, "") for _, _, t in split_up), key=len, default="")
    middle = [fill(m, r, filler) for _, m, _ in split_up if m]
    middle += [regex_text.sample(p, r) for p in regexes]
    if r.random() < 0.5:
        r.shuffle(middle)
    middle = [m for i, m in enumerate(middle) if not any(m in other for other in middle[:i])]
    return filler.join(x for x in [head, *middle, tail] if x) if r.random() < 0.7 else head + filler.join(["", *middle, ""]) + tail


def candidate(must, r):
    """A text for what must hold of one field."""
    kinds = [type(v) for v in must]
    for v in must:
        if isinstance(v, SigmaTimestampPart):
            part = {"MINUTE": 0, "HOUR": 0, "DAY": 1, "MONTH": 1, "YEAR": 2020, v.timestamp_part.name: int(v.number)}
            return f"{part['YEAR']:04}-{part['MONTH']:02}-{part['DAY']:02}T{part['HOUR']:02}:{part['MINUTE']:02}:00Z"
        if isinstance(v, SigmaNumber):
            return str(v.number)
        if isinstance(v, SigmaBool):
            return "true" if v.boolean else "false"
        if isinstance(v, SigmaCIDRExpression):
            return str(next(itertools.islice(v.network, 1 if v.network.num_addresses > 1 else 0, None)))
        if isinstance(v, SigmaCompareExpression):
            step = {CompareOperators.LT: -1, CompareOperators.GT: 1}.get(v.op, 0)
            return str(v.number.number + step)
    assert all(issubclass(k, (SigmaString, SigmaRegularExpression)) for k in kinds), kinds
    return compose([reference.parts(v) for v in must if isinstance(v, SigmaString)],
                   [reference.regex_text(v) for v in must if isinstance(v, SigmaRegularExpression)], r)


def value_for(wants, r):
    """A text that a field may have, None when it has to be absent."""
    absent = any(isinstance(v, SigmaNull) or isinstance(v, SigmaExists) and not v.exists for v in wants.must) or any(
        isinstance(v, SigmaExists) and v.exists for v in wants.must_not)
    there = any(isinstance(v, SigmaExists) and v.exists for v in wants.must) or any(
        isinstance(v, SigmaNull) or isinstance(v, SigmaExists) and not v.exists for v in wants.must_not)
    must = [v for v in wants.must if not isinstance(v, (SigmaNull, SigmaExists))]
    must_not = [v for v in wants.must_not if not isinstance(v, (SigmaNull, SigmaExists))]
    if absent or not (must or there):
        if must or there:
            raise Impossible
        return None
    for _ in range(12):
        text = candidate(must, r) if must else r.choice(["wedr", "Wedr 7", "C:\\wedr\\q.exe", "7", ""])
        if all(reference.value_holds(v, text) for v in must) and not any(reference.value_holds(v, text) for v in must_not):
            return text
    raise Impossible


def assign(leaves, r):
    """{field: text} for the leaves that `choose` gave."""
    wants, keywords, references = {}, [], []
    for field, value, want in leaves:
        if isinstance(value, SigmaFieldReference):
            references.append((field, value, want))
        elif field is None:
            keywords += [value] if want else []
        else:
            w = wants.setdefault(field, Wants())
            (w.must if want else w.must_not).append(value)
    event = {f: value_for(w, r) for f, w in wants.items()}
    event = {f: v for f, v in event.items() if v is not None}
    for field, value, want in references:
        if want:
            event[field] = event.setdefault(value.field, "wedr")
        elif field not in event and r.random() < 0.5:
            event[field], event[value.field] = "one", event.get(value.field, "two")
    for i, value in enumerate(keywords):
        text = regex_text.sample(reference.regex_text(value), r) if isinstance(value, SigmaRegularExpression) else str(
            value.number) if isinstance(value, SigmaNumber) else fill(reference.parts(value), r, "")
        event[f"said{i}"] = text
    return event


class Maker:
    """templates(class) gives, one after another, {key: [texts, one of which it must have]} of the log source."""

    def __init__(self, pipelines, templates, to_line):
        self.pipelines, self.templates, self.to_line = pipelines, templates, to_line

    def holds(self, rule, event, source):
        read = self.pipelines.read(self.to_line(event))
        return source in read.classes() and any(reference.holds(c, reference.Facts(read)) for c in reference.conditions(rule))

    @staticmethod
    def dress(event, template):
        """The event with what its log source asks for, or None when it says something else."""
        out = dict(event)
        for key, texts in template.items():
            if key not in out:
                out[key] = texts[0]
            elif fold(out[key]) not in [fold(t) for t in texts] and texts != ["~"]:
                return None
        return out

    def matching(self, rule, source, r):
        """(an event that matches, the same without what its log source asks for), or (None, None)."""
        templates = list(self.templates(source))
        for _ in range(ATTEMPTS):
            leaves = []
            choose(r.choice(reference.conditions(rule)), True, r, leaves)
            try:
                bare = assign(leaves, r)
            except Impossible:
                continue
            for template in templates:
                event = self.dress(bare, template)
                if event and self.holds(rule, event, source):
                    return event, bare
        return None, None

    def changed(self, rule, source, event):
        """(field, the event with that field changed so that the rule no longer matches), or None."""
        r = random.Random(str(rule.id))
        fields = [f for f in event if f not in ("Channel", "EventID")] + [f for f in ("EventID", "Channel") if f in event]
        others = ["wedr-other", "", "8", "zz"]
        r.shuffle(fields)
        for field, other in itertools.product(fields, others):
            after = dict(event, **{field: other})
            if not self.holds(rule, after, source):
                return field, after
        for field in self.absent_fields(rule):
            for leaf in self.leaves(rule, field):
                try:
                    after = dict(event, **{field: candidate([leaf], r)})
                except (AssertionError, AttributeError):
                    continue
                if field not in event and not self.holds(rule, after, source):
                    return field, after
        return None

    @staticmethod
    def leaves(rule, field):
        out = []

        def visit(cond):
            for a in getattr(cond, "args", []):
                visit(a)
            if getattr(cond, "field", None) == field:
                out.extend(cond.value.values if isinstance(cond.value, SigmaExpansion) else [cond.value])
        for c in reference.conditions(rule):
            visit(c)
        return out

    @staticmethod
    def absent_fields(rule):
        seen = {}

        def visit(cond):
            for a in getattr(cond, "args", []):
                visit(a)
            if isinstance(cond, ConditionFieldEqualsValueExpression):
                seen[cond.field] = True
        for c in reference.conditions(rule):
            visit(c)
        return list(seen)
