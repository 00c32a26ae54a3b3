#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_synthesised.py WEDR_RULES: for each rule of SigmaHQ an event made from the rule matches it, and the same event with
one field changed does not; and events match the same rules in whatever form they are written."""
import collections
import json
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as lab_module  # noqa: E402
from forms import deep  # noqa: E402
from test_oracle import compare, load  # noqa: E402

PIPELINES = os.path.join(lab_module.ROOT, "lib", "rules", "pipelines")
# Rules that no event could be made for, by reason, at most.
WITHOUT_MAX = {"a placeholder has no list": 25}
SYSMON = {"EventID": "1", "Channel": "Microsoft-Windows-Sysmon/Operational"}
GUID = "{7940ACF8-60BA-4213-A7C3-F3B400EE266D}"
# By hand. Its command line is one text and holds another, which only several values can.
BY_HAND = {"53d4bb30-3f36-4e8a-b078-69d36c4a79ff": (dict(SYSMON, CommandLine=["RunWizard", GUID]),
                                                    "CommandLine", dict(SYSMON, CommandLine=["RunWizard", "8"]))}


def templates_of(pipelines):
    """{product/category/service: [{key: texts}]} of everything that pipelines recognise."""
    import pipeline
    out = {}
    for p in pipelines.all:
        for e in p.events:
            form = p.forms[0]
            template = {form.get(k, k): pipeline.as_list(v) for k, v in e["when"].items()}
            for c in pipeline.Event([], [], pipeline.as_list(e.get("sources", []))).classes():
                out.setdefault(c, []).append(template)
    for templates in out.values():
        templates.sort(key=lambda t: "Channel" not in t)  # forms.py starts from Windows events
    return out


def statement(source):
    """The keys by which an event says its log source itself, as a template."""
    parts = zip(("product", "category", "service"), source.split("/"))
    return {f"logsource.{k}": [v] for k, v in parts if v != "*"}


class Made:
    """An event that matches and one that does not, for every rule that allows it."""

    def __init__(self, lab):
        import pipeline
        import synthesise
        rules = [r for r in (load(f)[0] for f in lab.rule_files())]
        sources = {r.id: pipeline.rule_class({k: getattr(r.logsource, k) for k in ("product", "category", "service")}) for r in rules}
        known = templates_of(pipeline.Pipelines(PIPELINES))
        templates = {c: known.get(c) or [statement(c)] for c in sources.values()}
        maker = synthesise.Maker(pipeline.Pipelines(PIPELINES), lambda c: templates[c], lambda e: json.dumps(e, ensure_ascii=False))
        self.without, self.rules, self.match, self.differ, self.changed = collections.Counter(), [], [], [], []
        self.stated = []
        for rule in rules:
            self.make(maker, rule, sources[rule.id])
        self.outside = sum(sources[r.id] not in known for r in self.rules)

    def make(self, maker, rule, source):
        if any("expand" in m for m in modifiers(rule.detection.to_dict() if hasattr(rule.detection, "to_dict") else {})):
            self.without["a placeholder has no list"] += 1
            return
        if str(rule.id) in BY_HAND:
            event, field, other = BY_HAND[str(rule.id)]
            bare = event
        else:
            event, bare = maker.matching(rule, source, random.Random(str(rule.id)))
            field, other = event and maker.changed(rule, source, event) or (None, None)
        if not other:
            self.without[f"{rule.id} has no event"] += 1
            return
        self.rules.append(rule)
        self.match.append(event)
        said = {k: v[0] for k, v in statement(source).items()}
        self.stated.append({**{k: v for k, v in bare.items() if "." in k}, **deep({**{k: v for k, v in bare.items() if "." not in k}, **said})})
        self.changed.append(field)
        self.differ.append(other)


def modifiers(x):
    if isinstance(x, dict):
        for k, v in x.items():
            yield from str(k).split("|")[1:]
            yield from modifiers(v)
    elif isinstance(x, list):
        for v in x:
            yield from modifiers(v)


def made(lab):
    if not hasattr(lab, "made"):
        lab.made = Made(lab)
    return lab.made


def scan(lab, name, events):
    return lab.scan(lab.rule_folders(), lab.put_events(name, events))


def test_an_event_is_made_for_every_rule(lab):
    m = made(lab)
    print(f"  {len(m.rules)} rules with events, {m.outside} of them of log sources that no pipeline knows; "
          f"without: {dict(m.without)}")
    assert all(n <= WITHOUT_MAX.get(k, 0) for k, n in m.without.items()), dict(m.without)


def test_each_rule_matches_the_event_made_for_it(lab):
    m = made(lab)
    found = scan(lab, "match.ndjson", m.match)
    missed = [(m.rules[i].title, m.match[i]) for i in range(len(m.rules)) if i not in found.get(str(m.rules[i].id), ())]
    assert not missed, f"{len(missed)}: {json.dumps(missed[:lab.args.show])}"


def test_no_rule_matches_the_event_with_one_field_changed(lab):
    m = made(lab)
    found = scan(lab, "differ.ndjson", m.differ)
    wrong = [(m.rules[i].title, m.changed[i], m.differ[i]) for i in range(len(m.rules)) if i in found.get(str(m.rules[i].id), ())]
    assert not wrong, f"{len(wrong)}: {json.dumps(wrong[:lab.args.show])}"


def test_an_event_that_says_its_log_source_needs_no_channel(lab):
    m = made(lab)
    found = scan(lab, "stated.ndjson", m.stated)
    missed = [(m.rules[i].title, m.stated[i]) for i in range(len(m.rules)) if i not in found.get(str(m.rules[i].id), ())]
    assert not missed, f"{len(missed)}: {json.dumps(missed[:lab.args.show])}"


def test_all_rules_match_the_made_events_that_the_oracle_finds(lab):
    m = made(lab)
    assert compare(lab, m.match + m.differ, "made.ndjson") > len(m.match)


def flat_windows(lab):
    """The events of Windows channels among those made to match, but those that are nested already."""
    return [e for e in made(lab).match if "Channel" in e and "EventID" in e and not any(k.startswith("Event.") for k in e)]


def same_matches(lab, name, first, second):
    a, b = (lab.scan(lab.rule_folders(), lab.put_events(f"{name}{i}.ndjson", x)) for i, x in enumerate((first, second)))
    wrong = [(rule, i, first[i], second[i]) for rule in sorted({*a, *b}) for i in sorted(a.get(rule, set()) ^ b.get(rule, set()))]
    print(f"  {name}: {len(first)} events, {sum(map(len, a.values()))} matches")
    assert a and not wrong, f"{name}: {len(wrong)} differ: {json.dumps(wrong[:lab.args.show])}"


def test_each_event_matches_the_same_rules_in_every_form(lab):
    import forms
    dumped = list(lab.regression_events())
    same_matches(lab, "regression", dumped, [forms.flat_of(e) for e in dumped])
    without = {"Level", "Keywords"}
    events = flat_windows(lab) + [{k: v for k, v in forms.flat_of(e).items() if k not in without} for e in dumped]
    for form in forms.ALL[1:]:
        pairs = [(e, form(e)) for e in events]
        pairs = [p for p in pairs if p[1]]
        assert len(pairs) > 0.99 * len(events), form.__name__
        same_matches(lab, form.__name__, [p[0] for p in pairs], [p[1] for p in pairs])


def test_each_event_matches_the_same_rules_as_ecs_and_as_our_own(lab):
    import forms
    for form in (forms.as_ecs, forms.as_own):
        pairs = [p for p in map(form, flat_windows(lab)) if p]
        same_matches(lab, form.__name__, [p[0] for p in pairs], [p[1] for p in pairs])


if __name__ == "__main__":
    lab_module.main(globals())
