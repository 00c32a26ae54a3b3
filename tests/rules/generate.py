# SPDX-License-Identifier: Apache-2.0
"""Random Sigma rules, and random events that they have a chance to match: whatever a rule looks for is planted, whole or
damaged, in the pool that events draw their values from."""
import base64
import collections
import random

TEXT_FIELDS = ["f1", "f2", "f3", "deep.er"]
ALPHABET = list("aBckK") + ["\\", "*", "?", ".", " ", "-", "/", "%", "_", "é", "É", "ſ", "\u212a", "ß", "Ж", "ж", "'", "[", "\n"]
DASHES = "-/\u2013\u2014\u2015"
NETS = ["10.0.0.0/8", "192.168.4.0/23", "172.16.5.4/32", "fe80::/10", "2001:db8::/33", "::1/128", "0.0.0.0/0"]
ADDRESSES = ["10.1.2.3", "11.1.2.3", "192.168.5.9", "192.168.6.1", "172.16.5.4", "fe80::1", "fec0::1", "2001:db8::5",
             "2001:db8:8000::1", "::1", "::ffff:10.2.2.2", "10.1.2", "no address", "010.1.2.3", "10.1.2.3 "]
TIMES = ["2024-12-30T23:59:59Z", "2021-01-03T00:00:00.5Z", "2021-01-04 05:06:07", "2020-02-29T12:30:00+02:00",
         "1609459199", "1609459200000", "1612137600000000", "1583000000000000000", "not a time"]
PLACES = ["", "contains", "startswith", "endswith"]


def known(x):
    """The same without `utf16le`, another name of `wide` that pySigma does not know."""
    if isinstance(x, dict):
        return {k.replace("|utf16le|", "|wide|"): known(v) for k, v in x.items()}
    return [known(v) for v in x] if isinstance(x, list) else x


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.pool = collections.defaultdict(list)  # field: values that some rule looks for
        self.used = collections.Counter()          # what was generated, for the count at the end

    # --- values

    def text(self, most=5, least=1):
        return "".join(self.r.choice(ALPHABET) for _ in range(self.r.randint(least, most)))

    def plain(self, most=5):
        return "".join(self.r.choice("aBckK.-/é") for _ in range(self.r.randint(1, most)))

    def number(self):
        return self.r.choice([0, 1, 2, 3, 7, 12, -3, 0.5, 1.5, 4688, 2 ** 53, 2 ** 63, 10 ** 20])

    def plant(self, field, value):
        """The value, or something near it."""
        if isinstance(value, str) and self.r.random() < 0.7:
            value = value.replace("*", self.plain(2)).replace("?", self.r.choice("aB")).replace("\\\\", "\\")
            value = self.r.choice(["", self.plain(2)]) + value + self.r.choice(["", self.plain(2)])
            if self.r.random() < 0.3:
                value = value.swapcase()
        self.pool[field].append(value)

    def pattern(self, uncased=False, lines=False):
        """A regular expression that Python and PCRE2 read alike: without case Python knows words of all scripts or of
        ASCII only, PCRE2 letters of all scripts and words of ASCII; only for Python a line begins behind the last
        line feed."""
        classes = ["[abc]", "[^a]", ".", "[B-k]"] + ([] if uncased else [r"[\w.]", r"\d", r"\s", r"\W"])

        def atom(depth):
            k = self.r.random()
            if k < 0.5 or depth > 2:
                return self.r.choice(["a", "B", "c", "k", r"\.", r"\\", r"\*", "/", "-", r"\?", "x"])
            if k < 0.65:
                return self.r.choice(classes)
            if k < 0.85:
                return "(" + alternatives(depth + 1) + ")"
            return "(?:" + alternatives(depth + 1) + ")" + self.r.choice(["", "?", "{1,2}"])  # * of * takes Python years

        def sequence(depth):
            atoms = [atom(depth) for _ in range(self.r.randint(1, 3))]
            return "".join(a if len(a) > 2 and a[-1] in "?}" else a + self.r.choice(["", "", "", "?", "{2}"] + ["*", "+"] * (len(a) < 7))
                           for a in atoms)

        def alternatives(depth):
            return "|".join(sequence(depth) for _ in range(self.r.randint(1, 2)))

        return self.r.choice(["", "", "" if lines else "^", ".*", "" if uncased else r"\b"]) + alternatives(0) + self.r.choice(["", "", "$"])

    # --- one entry of a detection: (key, value)

    def values(self, make, most=3):
        return [make() for _ in range(self.r.randint(1, most))] if self.r.random() < 0.6 else make()

    def item(self):
        kinds = [self.item_text] * 6 + [self.item_re, self.item_encoded, self.item_windash, self.item_number, self.item_compare,
                 self.item_net, self.item_time, self.item_presence, self.item_reference, self.item_bool, self.item_mixed]
        make = self.r.choice(kinds)
        self.used[make.__name__] += 1
        return make()

    def item_text(self):
        field = self.r.choice(TEXT_FIELDS + ["m"])
        mods = [m for m in [self.r.choice(PLACES)] if m]
        if self.r.random() < 0.15:
            mods.insert(self.r.randint(0, len(mods)), "cased")
        value = self.values(self.text)
        if isinstance(value, list) and self.r.random() < 0.4:
            mods.append("all")
        if self.r.random() < 0.12:
            mods.append("neq")
        for v in value if isinstance(value, list) else [value]:
            self.plant(field, v)
        return "|".join([field, *mods]), value

    def item_re(self):
        field = self.r.choice(TEXT_FIELDS + ["m"])
        flags = [f for f in self.r.choice([[], ["i"], ["s"], ["m"], ["i", "m", "s"], ["ignorecase"], ["dotall"]])]
        value = self.values(lambda: self.pattern(flags[:1] in (["i"], ["ignorecase"]), "m" in flags), 2)
        if isinstance(value, list) and self.r.random() < 0.3:
            flags.append("all")
        self.pool[field].append(self.text(9))
        self.pool[field].append(self.plain(9))
        return "|".join([field, "re", *flags]), value

    def item_encoded(self):
        field = self.r.choice(["f1", "f2"])
        value = self.plain(8).replace("é", "e") + "x"
        raw = value.encode()
        mods = self.r.choice([["base64"], ["base64", "contains"], ["base64offset", "contains"], ["wide", "base64"],
                              ["wide", "base64offset", "contains"], ["utf16be", "base64offset", "contains"],
                              ["utf16le", "base64", "startswith"], ["utf16", "base64"]])
        wide = {"wide": "utf-16-le", "utf16le": "utf-16-le", "utf16be": "utf-16-be", "utf16": "utf-16"}.get(mods[0])
        if wide == "utf-16":
            raw = b"\xff\xfe" + value.encode("utf-16-le")
        elif wide:
            raw = value.encode(wide)
        shift = self.r.choice([b"", b"z", b"zz"]) if "base64offset" in mods else b""
        self.pool[field].append(base64.b64encode(shift + raw + self.r.choice([b"", b"q"])).decode())
        return "|".join([field, *mods]), value

    def item_windash(self):
        field = self.r.choice(TEXT_FIELDS)
        words = [self.r.choice(["", " "]) + self.r.choice("-/") + self.r.choice(["a", "ab", "c"]) for _ in range(self.r.randint(1, 3))]
        value = "".join(words)
        mods = ["windash"] + [m for m in [self.r.choice(PLACES)] if m]
        self.pool[field].append("".join(self.r.choice(DASHES) if c in "-/" and self.r.random() < 0.7 else c for c in value))
        self.plant(field, value)
        if self.r.random() < 0.3:
            other = " -c"
            return "|".join([field, *mods, "all"]), [value, other]
        return "|".join([field, *mods]), value

    def item_number(self):
        value = self.values(self.number)
        for v in value if isinstance(value, list) else [value]:
            self.pool["n"] += [v, str(v)]
        return "n" + self.r.choice(["", "", "|neq"]), value

    def item_compare(self):
        value = self.number()
        self.pool["n"].append(self.r.choice([value, str(value), value + (value < 2 ** 60), -value]))
        return "n|" + self.r.choice(["lt", "lte", "gt", "gte"]), value

    def item_net(self):
        return "ip|cidr", self.values(lambda: self.r.choice(NETS), 2)

    def item_time(self):
        part, most = self.r.choice([("minute", 59), ("hour", 23), ("day", 31), ("week", 53), ("month", 12), ("year", 0)])
        value = self.r.choice([2020, 2021, 2024]) if part == "year" else self.r.choice([0, 1, 2, 3, 5, 12, 23, 28, 30, 31, 53, 59])
        return "t|" + part, value if not most or value <= most else most

    def item_presence(self):
        field = self.r.choice(TEXT_FIELDS + ["n", "m"])
        return self.r.choice([(field + "|exists", True), (field + "|exists", False), (field, None), (field, "")])

    def item_reference(self):
        a, b = self.r.sample(TEXT_FIELDS, 2)
        v = self.text(3)
        self.pool[a].append(v)
        self.pool[b].append(self.r.choice([v, v[:1], v[-1:]]))
        return a + "|fieldref" + self.r.choice(["", "|contains", "|startswith", "|endswith", "|neq"]), b

    def item_bool(self):
        value = self.r.choice([True, False])
        self.pool["b"] += [value, str(value), value, "1"]
        return "b", value

    def item_mixed(self):
        field = self.r.choice(["f1", "n"])
        value = [self.text(2), self.number(), self.r.choice([None, "", True])]
        self.r.shuffle(value)
        self.pool[field] += [v for v in value if v is not None]
        return field, value

    def keywords(self):
        self.used["keywords"] += 1
        make = self.r.choice([self.plain, lambda: self.text(3)])
        words = [make() for _ in range(self.r.randint(1, 3))]
        for w in words:
            self.plant(self.r.choice(TEXT_FIELDS), w)
        k = self.r.random()
        if k < 0.6:
            return words
        if k < 0.8:
            return {"|all": words}
        return {"|re": self.pattern()}

    # --- rules

    def detection(self):
        k = self.r.random()
        if k < 0.1:
            return self.keywords()
        maps = [dict(self.item() for _ in range(self.r.randint(1, 3))) for _ in range(self.r.randint(2, 3))]
        return maps if k < 0.25 else maps[0]

    def condition(self, names, depth=0):
        """(as written, the same without `N of`, which pySigma has not)."""
        k = self.r.random()
        if depth > 3 or k < 0.35:
            n = self.r.choice(names)
            return n, n
        if k < 0.5:
            a, b = self.condition(names, depth + 1)
            return f"not ({a})", f"not ({b})"
        if k < 0.65:
            q = self.r.choice(["1 of", "any of", "all of"]) + " " + self.r.choice(["them", "s*", "s1*", "*2", "s_*"])
            return q, q
        if k < 0.7:
            some = [n for n in names if n.startswith("s")]
            pairs = [f"({a} and {b})" for i, a in enumerate(some) for b in some[i + 1:]]
            return "2 of s*", "(" + " or ".join(pairs) + ")"
        op = self.r.choice([" and ", " or "])
        parts = [self.condition(names, depth + 1) for _ in range(self.r.randint(2, 3))]
        left, right = op.join(p[0] for p in parts), op.join(p[1] for p in parts)
        return (f"({left})", f"({right})")

    def filter(self, rule):
        """A document that narrows the rule; its detections may be called like the rule's."""
        self.used["filters"] += 1
        detection = {n: self.detection() for n in ("s1", "s2", "y")}
        condition = self.r.choice(["not s1", "not 1 of s*", "not (s1 and y)", "s1 or not y", "all of s*", "not s1 and not s2"])
        return {"title": "filter", "logsource": rule["logsource"], "filter": {"rules": [rule["id"]], **detection, "condition": condition}}

    def rule(self, number):
        """(rule, documents, the same documents for the oracle)."""
        names = ["s1", "s2", "s_3", "x"]
        detection = {n: self.detection() for n in names}
        parts = [self.condition(names) for _ in range(2 if self.r.random() < 0.1 else 1)]
        head = {"title": f"rule {number}", "id": f"00000000-0000-4000-8000-{number:012d}",
                "logsource": self.r.choice([{"product": "windows", "service": "application"}, {"product": "windows"},
                                            {"product": "windows", "service": "system"}])}

        def whole(i):
            conditions = [p[i] for p in parts]
            items = detection if i == 0 else known(detection)
            return dict(head, detection=dict(items, condition=conditions[0] if len(parts) == 1 else conditions))

        filters = [self.filter(head)] if self.r.random() < 0.15 else []
        return whole(0), self.r.choice([[whole(0)] + filters, filters + [whole(0)]]), [whole(1)] + known(filters)

    # --- events

    def value(self, field):
        k = self.r.random()
        if k < 0.75 and self.pool[field]:
            return self.r.choice(self.pool[field])
        if k < 0.8:
            return ""
        if k < 0.85:
            return None
        return self.text(6) if field not in ("n", "b") else self.number()

    def event(self):
        e = {"Channel": self.r.choice(["Application", "Application", "System"])}
        for f in TEXT_FIELDS + ["n", "b"]:
            if self.r.random() < 0.8:
                e[f] = self.value(f)
        if self.r.random() < 0.7:
            e["m"] = [self.value("m") for _ in range(self.r.randint(0, 3))]
        if "deep.er" in e and self.r.random() < 0.5:
            e["deep"] = {"er": e.pop("deep.er")}
        e["ip"] = self.r.choice(ADDRESSES) if self.r.random() < 0.8 else self.r.sample(ADDRESSES, 2)
        e["t"] = self.r.choice(TIMES)
        return e
