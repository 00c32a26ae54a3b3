# SPDX-License-Identifier: Apache-2.0
"""Conditions as pySigma parses them, decided in Python for one event: what an oracle without SQL would be. It guides
synthesise.py; the judge of what it makes is wedr-rules."""
import functools
import re

from oracle import compare, in_network, part_of, regexp, relates
from pipeline import fold, text_of
from sigma.conditions import ConditionAND, ConditionFieldEqualsValueExpression, ConditionNOT, ConditionOR
from sigma.types import (CompareOperators, SigmaBool, SigmaCasedString, SigmaCIDRExpression, SigmaCompareExpression,
                         SigmaExists, SigmaExpansion, SigmaFieldReference, SigmaNull, SigmaNumber, SigmaRegularExpression,
                         SigmaString, SigmaTimestampPart, SpecialChars)

OPERATORS = {CompareOperators.LT: "<", CompareOperators.LTE: "<=", CompareOperators.GT: ">", CompareOperators.GTE: ">="}


class Facts:
    """What conditions may ask of an event: texts of each field, texts of all values."""

    def __init__(self, event):
        self.fields, self.values = {}, []
        for name, value in event.fields:
            if value is not None:
                self.fields.setdefault(name, []).append(text_of(value))
        self.values = [text_of(v) for _, v in event.values if v is not None]


def parts(string):
    """A SigmaString as a list of texts and SpecialChars, without empty texts."""
    return [p for p in string.s if p != ""]


@functools.lru_cache(20000)
def wildcards(pattern, around):
    text = "".join(".*" if p is SpecialChars.WILDCARD_MULTI else "." if p is SpecialChars.WILDCARD_SINGLE else re.escape(p)
                   for p in pattern)
    return re.compile(f".*{text}.*" if around else text, re.DOTALL)


def regex_text(value):
    flags = "".join(sorted(value.sigma_to_re_flag[f] for f in value.flags))
    return (f"(?{flags})" if flags else "") + str(value.regexp)


def value_holds(value, text, keyword=False):
    """Does one value of an event satisfy a value of a rule?"""
    if isinstance(value, SigmaCasedString):
        return wildcards(tuple(parts(value)), keyword).fullmatch(text) is not None
    if isinstance(value, SigmaString):
        pattern = tuple(fold(p) if isinstance(p, str) else p for p in parts(value))
        return wildcards(pattern, keyword).fullmatch(fold(text)) is not None
    if isinstance(value, SigmaTimestampPart):
        return part_of(text, value.timestamp_part.name.lower()) == value.number
    if isinstance(value, SigmaNumber):
        return str(value.number) in text if keyword else compare(text, "=", str(value.number))
    if isinstance(value, SigmaBool):
        return fold(text) == ("true" if value.boolean else "false")
    if isinstance(value, SigmaRegularExpression):
        return regexp(regex_text(value), text)
    if isinstance(value, SigmaCIDRExpression):
        return in_network(text, value.cidr)
    if isinstance(value, SigmaCompareExpression):
        return compare(text, OPERATORS[value.op], str(value.number.number))
    raise TypeError(type(value).__name__)


def leaf_holds(field, value, facts):
    if isinstance(value, SigmaExpansion):
        return any(leaf_holds(field, v, facts) for v in value.values)
    if field is None:
        return any(value_holds(value, t, keyword=True) for t in facts.values)
    have = facts.fields.get(field, [])
    if isinstance(value, SigmaNull):
        return not have
    if isinstance(value, SigmaExists):
        return bool(have) == value.exists
    if isinstance(value, SigmaFieldReference):
        how = f"{int(value.starts_with)}{int(value.ends_with)}"
        return any(relates(fold(a), fold(b), how) for a in have for b in facts.fields.get(value.field, []))
    return any(value_holds(value, t) for t in have)


def holds(cond, facts):
    if isinstance(cond, ConditionAND):
        return all(holds(a, facts) for a in cond.args)
    if isinstance(cond, ConditionOR):
        return any(holds(a, facts) for a in cond.args)
    if isinstance(cond, ConditionNOT):
        return not holds(cond.args[0], facts)
    field = cond.field if isinstance(cond, ConditionFieldEqualsValueExpression) else None
    return leaf_holds(field, cond.value, facts)


def conditions(rule):
    """The parsed conditions of a rule; one that holds is enough."""
    return [c.parsed for c in rule.detection.parsed_condition]
