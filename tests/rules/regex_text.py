# SPDX-License-Identifier: Apache-2.0
"""Texts that a regular expression matches, found by walking what Python's parser makes of it. Anchors and look-around are
left to whoever tries the text."""
import re
import re._parser as parser  # the standard library's own
from re._constants import (ANY, ASSERT, AT, BRANCH, CATEGORY, CATEGORY_DIGIT, CATEGORY_NOT_DIGIT, CATEGORY_NOT_SPACE,
                           CATEGORY_NOT_WORD, CATEGORY_SPACE, CATEGORY_WORD, GROUPREF, IN, LITERAL, MAX_REPEAT, MIN_REPEAT,
                           NEGATE, NOT_LITERAL, POSSESSIVE_REPEAT, RANGE, SUBPATTERN, ATOMIC_GROUP)

POOL = "aAzZ019 _-./\\\"'%$;:,()[]{}&|<>=+*?!@#^~`\t"
KIND = {CATEGORY_DIGIT: r"\d", CATEGORY_NOT_DIGIT: r"\D", CATEGORY_SPACE: r"\s", CATEGORY_NOT_SPACE: r"\S",
        CATEGORY_WORD: r"\w", CATEGORY_NOT_WORD: r"\W"}


def members(items, r):
    """One character of a class."""
    negated = items and items[0][0] is NEGATE

    def inside(c):
        for op, arg in items:
            if op is LITERAL and ord(c) == arg or op is RANGE and arg[0] <= ord(c) <= arg[1]:
                return True
            if op is CATEGORY and re.match(KIND[arg], c, re.ASCII):
                return True
        return False

    pool = POOL if negated else POOL + "".join(chr(a) for op, a in items if op is LITERAL) + "".join(
        chr(r.randint(*a)) for op, a in items if op is RANGE)
    fit = [c for c in pool if inside(c) != negated]
    return r.choice(fit) if fit else ""


def walk(tree, r, groups, most):
    out = ""
    for op, arg in tree:
        if op is LITERAL:
            out += chr(arg)
        elif op is NOT_LITERAL:
            out += r.choice([c for c in POOL if ord(c) != arg])
        elif op is ANY:
            out += r.choice("ax ")
        elif op is IN:
            out += members(arg, r)
        elif op is BRANCH:
            out += walk(r.choice(arg[1]), r, groups, most)
        elif op is SUBPATTERN:
            groups[arg[0]] = walk(arg[3], r, groups, most)
            out += groups[arg[0]]
        elif op in (MAX_REPEAT, MIN_REPEAT, POSSESSIVE_REPEAT):
            times = r.randint(arg[0], max(arg[0], min(arg[1], arg[0] + most)))
            out += "".join(walk(arg[2], r, groups, most) for _ in range(times))
        elif op is GROUPREF:
            out += groups.get(arg, "")
        elif op is ATOMIC_GROUP:
            out += walk(arg, r, groups, most)
        elif op is ASSERT and arg[0] > 0:
            out += walk(arg[1], r, groups, most) if r.random() < 0.5 else ""
        else:
            assert op is AT or "ASSERT" in str(op), op
    return out


def sample(pattern, r):
    return walk(parser.parse(pattern), r, {}, r.choice([0, 1, 3]))
