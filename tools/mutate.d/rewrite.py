# SPDX-License-Identifier: Apache-2.0
"""Edits of a text that nest: what every mutation adds around its place, put together into one instrumented source."""
import dataclasses


@dataclasses.dataclass
class Mutant:
    id: int
    file: str
    line: int
    function: str
    operator: str
    before: str
    after: str
    ordinal: int = 0

    @property
    def key(self):
        return (self.file, self.function, self.operator, self.before, self.after, self.ordinal)


@dataclasses.dataclass
class Edit:
    """Text in front of `start` and behind `end`; level 0 goes around level 9 when both have the same range."""
    start: int
    end: int
    before: str
    after: str
    level: int
    ids: tuple
    cut: bool = False  # the range itself is replaced by `before`


PRELUDE = ("extern int wedr_mutant; extern unsigned char *wedr_mutant_seen; extern char *wedr_mutant_first; "
           "extern __thread char wedr_mutant_self; "
           "static __inline__ __attribute__((unused)) int wedr_m(int n) "
           "{ if (wedr_mutant_seen) { __atomic_store_n(&wedr_mutant_seen[n], 1, __ATOMIC_RELAXED); "
           "if (&wedr_mutant_self != wedr_mutant_first) __atomic_store_n(wedr_mutant_seen, 1, __ATOMIC_RELAXED); } "
           "return wedr_mutant == n; } "
           "static __inline__ __attribute__((unused)) int wedr_order(int first, int count, int at) "
           "{ int k = wedr_mutant - first; "
           "for (int i = 0; i + 1 < count; i++) (void)wedr_m(first + i); "
           "return k < 0 || k + 1 >= count ? at : at == k ? k + 1 : at == k + 1 ? k : at; }")


def rewrite(text, edits, path):
    """The instrumented text: what starts at one offset nests by length, then by level."""
    points = {}
    cuts = {}
    for number, e in enumerate(edits):
        if e.cut:
            cuts[e.start] = e
            continue
        points.setdefault(e.start, []).append((1, -e.end, e.level, number, e.before))
        points.setdefault(e.end, []).append((0, -e.start, -e.level, -number, e.after))
    out, at = [], 0
    for p in sorted(set(points) | set(cuts)):
        if p > at:
            out.append(text[at:p])
            at = p
        # A text that replaces an operator stands behind what ends there; what starts behind it comes later.
        out += [t[4] for t in sorted(t for t in points.get(p, ()) if t[0] == 0)]
        if p in cuts:
            e = cuts[p]
            out.append(e.before + "\n" * text[e.start:e.end].count("\n"))
            at = e.end
        out += [t[4] for t in sorted(t for t in points.get(p, ()) if t[0] == 1)]
    out.append(text[at:])
    return f'{PRELUDE}\n#line 1 "{path}"\n' + "".join(out)
