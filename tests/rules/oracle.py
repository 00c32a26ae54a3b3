# SPDX-License-Identifier: Apache-2.0
"""The oracle: pySigma parses a rule, its SQLite backend writes the condition, SQLite decides.

Each value of an event is a row, so that a field may have several. A predicate of the backend becomes the set of events
with a row that satisfies it; `and`, `or` and `not` over sets stay the backend's own. Where SQLite's operators mean less
than Sigma does (letters outside of ASCII, numbers of any spelling, networks, parts of a time), the predicate calls a
function of this file instead."""
import datetime
import functools
import ipaddress
import math
import re
import sqlite3
from decimal import Decimal

import sigma.policy
from pipeline import fold, text_of
from sigma.backends.sqlite import sqliteBackend
from sigma.conditions import ConditionFieldEqualsValueExpression
from sigma.policy.regex_engine import PythonRegexEngine
from sigma.types import SigmaExists, SigmaExpansion, SigmaFieldReference, SigmaNull, SigmaString

# The default engine (RE2) refuses look-around and references, which rules use.
sigma.policy.SafePolicy.regex_engine = PythonRegexEngine()

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def number_of(text):
    return Decimal(text) if NUMBER.fullmatch(text) else None


def compare(text, op, want):
    have = number_of(text)
    if have is None:
        return False
    want = Decimal(want)
    return {"=": have == want, "<": have < want, "<=": have <= want, ">": have > want, ">=": have >= want}[op]


@functools.lru_cache(4096)
def network(text):
    return ipaddress.ip_network(text, strict=False)


def in_network(text, cidr):
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if address.version == 6 and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.version == network(cidr).version and address in network(cidr)


@functools.lru_cache(4096)
def compiled(pattern):
    """As PCRE2 has it words are of ASCII; for Python that makes letters ASCII too, so not where case does not count."""
    flags = re.match(r"\(\?([a-z]+)\)", pattern)
    return re.compile(pattern, 0 if flags and "i" in flags.group(1) else re.ASCII)


def regexp(pattern, text):
    return compiled(pattern).search(text) is not None


def moment(text):
    """A timestamp in UTC, or None."""
    have = number_of(text)
    try:
        if have is not None:
            scale = next((n for n, end in enumerate((11, 14, 17)) if abs(have) < Decimal(10) ** end), 3)
            return EPOCH + datetime.timedelta(seconds=math.floor(have / 1000 ** scale))
        t = datetime.datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return t.replace(tzinfo=datetime.timezone.utc) if t.tzinfo is None else t.astimezone(datetime.timezone.utc)


def part_of(text, part):
    t = moment(text)
    return None if t is None else t.isocalendar()[1] if part == "week" else getattr(t, part)


def literal(s):
    return "'" + s.replace("'", "''") + "'"


class Backend(sqliteBackend):
    """Predicates as sets of events. Table v: one row a value of a field; table w: one row a value, for keywords."""

    fulltext_field = "x"
    contains_expression = "{field} LIKE '%{value}%' ESCAPE '\\'"

    def escape_and_quote_field(self, field):
        return field if field in ("x", "y") else super().escape_and_quote_field(field)

    def rows(self, field, predicate):
        return f"i IN (SELECT e FROM v WHERE f = {literal(field)} AND ({predicate}))"

    def inner(self, value, state):
        return super().convert_condition_field_eq_val(ConditionFieldEqualsValueExpression("x", value), state)

    def convert_condition_field_eq_val(self, cond, state):
        value = cond.value
        if isinstance(value, SigmaExpansion):
            return super().convert_condition_field_eq_val(cond, state)
        if isinstance(value, SigmaNull):
            return "NOT " + self.rows(cond.field, "1")
        if isinstance(value, SigmaExists):
            return ("" if value.exists else "NOT ") + self.rows(cond.field, "1")
        if isinstance(value, SigmaFieldReference):
            how = f"{int(value.starts_with)}{int(value.ends_with)}"
            return (f"i IN (SELECT a.e FROM v a JOIN v b ON a.e = b.e WHERE a.f = {literal(cond.field)} AND "
                    f"b.f = {literal(value.field)} AND RELATES(a.y, b.y, '{how}'))")
        return self.rows(cond.field, self.inner(value, state))

    def convert_condition_field_eq_val_str(self, cond, state):
        folded = cond.value.map_str_parts(fold) if cond.value.s else cond.value
        return super().convert_condition_field_eq_val_str(ConditionFieldEqualsValueExpression("y", folded), state)

    def convert_condition_field_eq_val_num(self, cond, state):
        return f"COMPARE(x, '=', '{cond.value}')"

    def convert_condition_field_compare_op_val(self, cond, state):
        return f"COMPARE(x, '{self.compare_operators[cond.value.op]}', '{cond.value.number}')"

    def convert_condition_field_eq_val_bool(self, cond, state):
        return "y = '%s'" % ("true" if cond.value.boolean else "false")

    def convert_condition_field_eq_val_cidr(self, cond, state):
        return f"NETWORK(x, {literal(cond.value.cidr)})"

    def convert_condition_field_eq_val_timestamp_part(self, cond, state):
        return f"PART(x, '{cond.value.timestamp_part.name.lower()}') = {cond.value.number}"

    def keyword(self, predicate):
        return f"i IN (SELECT e FROM w WHERE {predicate})"

    def convert_condition_val_str(self, cond, state):
        if type(cond.value) is SigmaString:
            folded = self.convert_value_str(cond.value.map_str_parts(fold), state, no_quote=True)
            return self.keyword(self.contains_expression.format(field="y", value=folded))
        return self.keyword(super().convert_condition_val_str(cond, state))

    def convert_condition_val_num(self, cond, state):
        return self.keyword(super().convert_condition_val_num(cond, state))

    def convert_condition_val_re(self, cond, state):
        return self.keyword(super().convert_condition_val_re(cond, state))



def relates(a, b, how):
    return {"00": a == b, "10": a.startswith(b), "01": a.endswith(b), "11": b in a}[how]


class Database:
    """Events as pipeline.Event, by index."""

    def __init__(self, events):
        self.backend = Backend()
        self.db = db = sqlite3.connect(":memory:")
        for name, n, fn in (("REGEXP", 2, regexp), ("COMPARE", 3, compare), ("NETWORK", 2, in_network),
                            ("PART", 2, part_of), ("RELATES", 3, relates)):
            db.create_function(name, n, fn, deterministic=True)
        db.execute("CREATE TABLE c (s TEXT, e INTEGER)")
        db.execute("CREATE TABLE v (f TEXT, e INTEGER, x TEXT, y TEXT)")
        db.execute("CREATE TABLE w (e INTEGER, x TEXT, y TEXT)")
        for i, event in enumerate(events):
            db.executemany("INSERT INTO c VALUES (?, ?)", [(s, i) for s in event.classes()])
            rows = [(f, i, text_of(v), fold(text_of(v))) for f, v in event.fields if v is not None]
            db.executemany("INSERT INTO v VALUES (?, ?, ?, ?)", rows)
            db.executemany("INSERT INTO w VALUES (?, ?, ?)",
                           [(i, text_of(v), fold(text_of(v))) for _, v in event.values if v is not None])
        db.execute("CREATE INDEX cs ON c (s)")
        db.execute("CREATE INDEX vf ON v (f)")
        db.execute("CREATE INDEX we ON w (e)")

    def populated(self, source):
        return self.db.execute("SELECT count(*) FROM c WHERE s = ?", [source]).fetchone()[0] > 0

    def matches(self, rule, source):
        """Indexes of the events of `source` (product/category/service) that a pySigma rule matches."""
        out = set()
        for query in self.backend.convert_rule(rule):
            where = query[query.index(" WHERE ") + 7:]
            sql = f"SELECT i FROM (SELECT DISTINCT e AS i FROM c WHERE s = ?) WHERE {where}"
            out |= {row[0] for row in self.db.execute(sql, [source])}
        return out


