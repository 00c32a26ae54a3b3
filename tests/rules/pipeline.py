# SPDX-License-Identifier: Apache-2.0
"""Pipelines as docs/sigma.md describes them, read a second time: what an event's fields and log sources are. Plain and
slow; shares nothing with lib/rules but the files of lib/rules/pipelines."""
import glob
import itertools
import json
import os
import re

import yaml

# The order in which lib/rules tries them; it decides whose view an event gets.
ORDER = ["wedr", "windows", "ecs", "auditd", "journald", "cloud"]


class Number(str):
    """A number as it was written."""


def fold(text):
    """Simple case folding (CaseFolding.txt, C and S), which Python has not: one character stays one."""
    if text.isascii():
        return text.lower()
    out = []
    for c in text:
        f = c.casefold()
        out.append(f if len(f) == 1 else c.lower() if len(c.lower()) == 1 else c)
    return "".join(out)


def text_of(value):
    """The text form of a JSON value; None for null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def load_event(line):
    """Objects become lists of (key, value), so that a key may come twice; numbers keep their spelling."""
    return json.loads(line, object_pairs_hook=lambda p: ("object", p), parse_int=Number, parse_float=Number)


def as_list(x):
    return x if isinstance(x, list) else [x]


class Names:
    """What keys are called in rules: names[key], words[key] = [(field, {value: text})], templates = [(template, fields)]."""

    def __init__(self, tree, keep=False):
        self.names, self.words, self.templates = {}, {}, []
        for key, to in tree.items():
            if isinstance(to, dict):
                self.words[key] = list(to.items())
            elif "{" in key:
                self.templates.append((key, as_list(to)))
            else:
                self.names[key] = as_list(to) + ([key] if keep else [])

    def made(self, named):
        """(field, value) that are composed or said in other words; named: (name, value) of an event."""
        first = {}
        for name, v in named:
            if v is not None:
                first.setdefault(name, v)
        for name, v in named:
            for field, words in self.words.get(name, []):
                yield from ((field, t) for w, t in words.items() if v is not None and fold(w) == fold(text_of(v)))
        for template, fields in self.templates:
            parts = re.findall(r"([^{}]*)\{([^{}]+?)(:hex)?\}", template)
            if parts[0][1] in first:
                text = "".join(before + self.part(first[source], as_hex) for before, source, as_hex in parts if source in first)
                yield from ((f, text + template[template.rindex("}") + 1:]) for f in fields)

    @staticmethod
    def part(value, as_hex):
        text = text_of(value)
        return f"0x{int(text):x}" if as_hex and re.fullmatch(r"\d+", text) else text


class Pipeline:
    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            tree = yaml.load(f, Loader=yaml.BaseLoader)  # every scalar a text
        self.name = tree["name"]
        self.prefixes = as_list(tree.get("prefixes", []))
        self.pairs = tree.get("pairs", [])
        self.forms = tree.get("forms", [{}])
        keep = tree.get("keep_names") == "true"
        self.fields = Names(tree.get("fields", {}), keep)
        self.views = {v: Names(m, keep) for v, m in tree.get("views", {}).items()}
        self.events = tree.get("events", [])

    def fits(self, when, values):
        """values: {source: [texts]}, folded."""
        for form in self.forms:
            def holds(key, want):
                have = values.get(form.get(key, key), [])
                return bool(have) if want == "~" else any(fold(w) in have for w in as_list(want))
            if all(holds(k, w) for k, w in when.items()):
                return True
        return False


class Pipelines:
    """All of them at work together. `more`: paths of files that come first."""

    def __init__(self, folder, more=()):
        own = [Pipeline(p) for p in more]
        names = {p.name for p in own}
        built = {n: Pipeline(os.path.join(folder, n + ".yml")) for n in self.names(folder)}
        self.all = own + [p for n, p in built.items() if n not in names]
        self.prefixes = sorted((x for p in self.all for x in p.prefixes), key=len, reverse=True)

    @staticmethod
    def names(folder):
        there = {os.path.basename(p)[:-4] for p in glob.glob(os.path.join(folder, "*.yml"))}
        return [n for n in ORDER if n in there] + sorted(there - set(ORDER))

    def strip(self, name):
        return next((name[len(p):] for p in self.prefixes if name.startswith(p)), name)

    def pair_objects(self, path, objects):
        """(name, value) of a list of {name, value} objects, when `path` is one."""
        for p in (q for pipeline in self.all for q in pipeline.pairs if q["array"] == path):
            for o in objects:
                o = dict(o[1]) if isinstance(o, tuple) else {}
                o |= {f"{k}.{n}": x for k, v in o.items() if isinstance(v, tuple) for n, x in v[1]}
                if p["name"] in o and p["value"] in o and not isinstance(o[p["value"]], (tuple, list)):
                    yield p.get("prefix", "") + o[p["name"]], o[p["value"]]

    def flat(self, path, value):
        """(dotted name, scalar) of everything below, in order."""
        if isinstance(value, tuple):
            for k, v in value[1]:
                yield from self.flat(f"{path}.{k}" if path else k, v)
        elif isinstance(value, list):
            pairs = list(self.pair_objects(path, value))
            yield from pairs
            for v in [] if pairs else value:
                yield from self.flat(path, v)
        else:
            yield path, value

    def read(self, line):
        """An Event of one line of JSON."""
        named = [(self.strip(n), v) for n, v in self.flat("", load_event(line))]
        values = {}
        for name, v in named:
            if v is not None:
                values.setdefault(name, []).append(fold(text_of(v)))
        sources, view = [], None
        for p in self.all:
            for e in p.events:
                if p.fits(e["when"], values):
                    sources += as_list(e.get("sources", []))
                    view = view or (e.get("view") and p.views[e["view"]])
        said = [(values.get("logsource." + k) or ["*"])[0] for k in ("product", "category", "service")]
        sources += [] if said == ["*"] * 3 else ["/".join(said)]
        fields = []
        view = view or Names({})
        for name, v in named:
            to = [f for p in self.all for f in p.fields.names.get(name, [])] + view.names.get(name, [])
            fields += [(f, v) for f in to or [name]]
        for names in [p.fields for p in self.all] + [view]:
            fields += names.made(named)
        return Event(named, fields, sources)


class Event:
    """values: (name, value) as written; fields: (field of rules, value); sources: log sources as pipelines write them."""

    def __init__(self, values, fields, sources):
        self.values, self.fields, self.sources = values, fields, sources

    def classes(self):
        """Every product/category/service that a rule may ask for and this event belongs to."""
        out = set()
        for s in self.sources:
            if s.startswith("waza:"):
                out.add(s)
                continue
            parts = s.split("/")
            for keep in itertools.product([True, False], repeat=3):
                out.add("/".join(p if k else "*" for p, k in zip(parts, keep)))
        return out - {"*/*/*"}


def rule_class(logsource):
    return "/".join(logsource.get(k) or "*" for k in ("product", "category", "service"))
