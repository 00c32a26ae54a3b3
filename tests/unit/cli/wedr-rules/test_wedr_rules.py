#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_wedr_rules.py WEDR_RULES: the real program on small rules and events, and on the rules of ../shared/data."""
import glob
import json
import os
import re
import sys
import tarfile

from rules_box import ARCHIVE, BAD, WHOAMI, flat, matches, nested, run, run_tests


def test_validate_prints_counts_and_each_failure_with_its_line(box):
    folder = box.rules()
    code, out, _ = run("validate", "--json", folder)
    assert (code, json.loads(out)) == (0, {"files": 2, "rules": 2, "compiled": 2, "failed": []}), out
    bad = box.put("rules/bad.yml", BAD)
    code, out, _ = run("validate", folder, "--json")
    got = json.loads(out)
    assert code == 1 and list(got) == ["files", "rules", "compiled", "failed"], out
    assert (got["files"], got["rules"], got["compiled"], len(got["failed"])) == (3, 3, 2, 1), out
    failed = got["failed"][0]
    assert list(failed) == ["file", "line", "reason"] and failed["file"] == bad and failed["line"] == 6, failed
    assert "nonsense" in failed["reason"] and "\n" not in failed["reason"], failed
    code, out, err = run("validate", folder)
    assert code == 1 and "3 files, 3 rules, 2 compiled" in out and f"{bad}:6: " in err, (out, err)


def test_validate_tells_what_is_no_rule_or_not_there(box):
    broken = box.put("broken.yml", "title: [unclosed\n")
    empty = box.put("empty.yml", "")
    os.mkdir(os.path.join(box.folder, "none"))
    missing, none = os.path.join(box.folder, "missing.yml"), os.path.join(box.folder, "none")
    code, out, _ = run("validate", "--json", broken, empty, missing, none)
    failed = {f["file"]: f for f in json.loads(out)["failed"]}
    assert code == 1 and set(failed) == {broken, empty, missing, none}, out
    assert failed[broken]["line"] > 0 and failed[missing]["line"] == 0, out


def test_scan_finds_events_in_every_shape_of_file(box):
    folder = box.rules()
    events = [flat("x"), nested("cmd /c whoami"), flat("net user"), nested("whoami /all")]
    want = [("Who am I", 1), ("Net user", 2), ("Who am I", 3)]
    files = {
        "lines.ndjson": "".join(json.dumps(e) + "\n" for e in events),
        "lines.jsonl": "\n\n".join(json.dumps(e) for e in events),
        "array.json": json.dumps(events),
        "pretty_array.json": json.dumps(events, indent=4),
        "pretty.json": "\ufeff" + "\r\n".join(json.dumps(e, indent=2) for e in events),
        "together.json": "".join(json.dumps(e) for e in events),
    }
    for name, text in files.items():
        box.put("events/" + name, text)
    box.put("events/notes.txt", "whoami")
    for args in ([folder, "--", os.path.join(box.folder, "events")], [folder, os.path.join(box.folder, "events")]):
        code, found, err = matches(*args)
        assert code == 0 and not err, err
        assert found == [(t, f, i) for f in sorted(files) for t, i in want], found


def test_scan_splits_rules_from_events_by_their_names(box):
    rules = box.rules()
    event = box.put("e.log", json.dumps(flat("whoami")))
    code, found, _ = matches(os.path.join(rules, "a", "whoami.yml"), os.path.join(rules, "net.yaml"), event)
    assert code == 0 and found == [("Who am I", "e.log", 0)], found
    assert run("scan", rules)[0] == 2
    assert run("scan", rules, "--")[0] == 2


def test_scan_prints_a_sorted_table_without_terminal_escapes(box):
    folder = box.rules()
    event = box.put("e.json", "".join(json.dumps(flat(c)) for c in
                                      ["net 1", "net 2", "net 3", "net 4", "whoami \x1b]0;title\x07\u009b2J\u202e"]))
    code, out, _ = run("scan", folder, "--", event)
    lines = out.splitlines()
    assert code == 0 and re.match(r"SEVERITY +MATCHES +RULE", lines[0]), out
    assert re.match(r"high +1 +Who am I +11111111-", lines[1]), out
    assert lines[2].split() == ["no", "time", f"{event}:4"], out
    assert lines[3].strip() == "C:\\x.exe: whoami \\x1b]0;title\\x07\\x9b2J\\u202e", out
    assert re.match(r"low +4 +Net user ", lines[4]) and lines[11].strip() == "and 1 more", out
    assert lines[-1] == ("5 matches of 2 rules (1 high, 4 low); 5 events in 1 files, 0 from no log source of the rules, "
                         "0 unreadable"), out


def test_scan_goes_on_behind_what_it_cannot_read(box):
    folder = box.rules()
    box.put("rules/bad.yml", BAD)
    good = json.dumps(flat("whoami"))
    garbage = box.put("g.json", b"\x00\xff\x1b[31m\nnot json\n%s\n{\"a\": 1,\n%s\n{\"CommandLine\":nul}\n" % ((good.encode(),) * 2))
    code, found, err = matches(folder, "--", garbage)
    assert code == 1 and found == [("Who am I", "g.json", 2), ("Who am I", "g.json", 4)], (found, err)
    for line in (1, 2, 6):
        assert f"{garbage}:{line}: " in err, err
    assert "bad.yml:6: " in err, err
    noise = box.put("noise.json", b"\n".join(b"x" for _ in range(1000)))
    code, found, err = matches(os.path.join(folder, "net.yaml"), "--", noise)
    assert code == 1 and not found and "990 more" in err and err.count("\n") == 11, err
    code, found, err = matches(os.path.join(folder, "net.yaml"), "--", os.path.join(box.folder, "missing.json"))
    assert code == 1 and not found and "missing.json: not found" in err, err


def test_scan_passes_over_an_event_larger_than_its_maximum(box):
    folder = box.rules()
    path = box.put("big.json", json.dumps(flat("whoami " + "x" * (1 << 20))) + "\n" + json.dumps(flat("whoami")))
    code, found, err = matches(folder, "--", path)
    assert code == 1 and found == [("Who am I", "big.json", 1)] and "larger than 1 MiB" in err, (found, err)


def test_links_and_pipes_in_folders_are_not_followed(box):
    folder = box.rules()
    box.put("events/e.json", json.dumps(flat("whoami")))
    os.symlink(os.path.join(box.folder, "events"), os.path.join(box.folder, "events", "loop"))
    os.symlink("e.json", os.path.join(box.folder, "events", "link.json"))
    os.mkfifo(os.path.join(box.folder, "events", "pipe.json"))
    os.symlink("events", os.path.join(box.folder, "named"))
    code, found, err = matches(folder, "--", os.path.join(box.folder, "named"))
    assert code == 1 and found == [("Who am I", "e.json", 0)], (found, err)
    assert "link.json" in err and "pipe.json" in err, err


def test_wrong_usage_and_lost_output_have_their_exit_codes(box):
    folder = box.rules()
    event = box.put("e.json", json.dumps(flat("whoami")))
    for args in ([], ["nonsense"], ["validate"], ["validate", "--nonsense", folder], ["validate", folder, "--", event],
                 ["scan"], ["scan", "--", event], ["scan", folder, "--"]):
        code, out, err = run(*args)
        assert code == 2 and not out and err, (args, code, out)
    for args in (["--help"], ["help"], ["scan", "--help"]):
        code, out, _ = run(*args)
        assert code == 0 and "wedr-rules scan" in out and "--json" in out and "1 MiB" in out, out
    assert run("--version")[0] == 0
    with open("/dev/full", "wb") as full:
        assert run("scan", "--json", folder, "--", event, stdout=full)[0] == 1
        assert run("validate", folder, stdout=full)[0] == 1


def test_scan_counts_events_that_no_rule_is_about(box):
    event = box.put("e.json", json.dumps([{"whoami": 1}, {"Channel": "System", "EventID": 1}, flat("x")]))
    code, out, _ = run("scan", box.rules(), "--", event)
    assert code == 0 and "0 matches of 0 rules; 3 events in 1 files, 2 from no log source of the rules" in out, out


def test_explain_says_which_predicate_held(box):
    folder = box.rules()
    event = box.put("e.json", json.dumps([flat("x"), nested("whoami \x1b[2J"), {"EventID": 1}]))
    code, out, _ = run("explain", folder, "--", "Who am I", event + ":1")
    assert code == 0 and out.endswith("\nmatch\n"), out
    assert re.search(r'^ +yes +CommandLine contains "whoami" +<- whoami \\x1b\[2J$', out, re.M), out
    code, out, _ = run("explain", folder, "--", "Who am I", event)
    assert code == 0 and out.endswith("\nno match\n") and re.search(r'^ +no +CommandLine .*<- x$', out, re.M), out
    code, out, _ = run("explain", folder, "--", "Who am I", event + ":2")
    assert code == 0 and "no such field" in out and "rules ask for: none" in out and out.endswith("\nno match\n"), out
    code, out, _ = run("explain", "--json", folder, "--", WHOAMI.split()[5], event + ":1")
    got = json.loads(out)
    assert code == 0 and got["match"] is True and (got["rule_title"], got["event_index"]) == ("Who am I", 1), out
    assert got["rule_log_sources"] == ["windows/process_creation/*"] and got["rule_log_sources"][0] in got["event_log_sources"]
    step = got["steps"][-1]
    assert step["truth"] and step["field"] == "CommandLine" and step["value"] == "whoami \x1b[2J", step
    for rule, place in (("No such rule", event), ("Who am I", event + ":3"), ("Who am I", event + "x")):
        code, out, err = run("explain", folder, "--", rule, place)
        assert code == 1 and not out and err, (rule, place, out, err)
    assert run("explain", folder, event)[0] == 2 and run("explain", folder, "--", "Who am I")[0] == 2


def test_bench_prints_what_it_measured(box):
    folder = box.rules()
    events = box.put("e.ndjson", "".join(json.dumps(flat("whoami")) + "\n" for _ in range(100)))
    code, out, _ = run("bench", "--json", folder, "--", events)
    got = json.loads(out)
    assert code == 0 and list(got) == ["events", "seconds", "events_per_second_per_core", "rules", "rss_bytes"], out
    assert got["events"] >= 100 and got["events"] % 100 == 0 and got["seconds"] >= 2 and got["rules"] == 2, out
    assert abs(got["events_per_second_per_core"] * got["seconds"] / got["events"] - 1) < 0.01, out
    assert 1 << 20 < got["rss_bytes"] < 1 << 30, out
    code, out, err = run("bench", "--json", folder, "--", box.put("none.json", "[]"))
    assert code == 1 and not out and "no events" in err, err


def test_rule_collection_validates_and_its_cases_fire(box):
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(box.folder)  # our own file
    rules = sorted(glob.glob(os.path.join(box.folder, "sigma", "rules*")))
    code, out, _ = run("validate", "--json", *rules)
    got = json.loads(out)
    assert got["files"] == got["rules"] == 3780 and got["compiled"] + len(got["failed"]) == 3780, out
    assert code == (1 if got["failed"] else 0) and got["compiled"] >= 0.995 * 3780, out
    cases = os.path.join(box.folder, "sigma", "regression_data")
    infos = glob.glob(os.path.join(cases, "**", "info.yml"), recursive=True)
    code, out, err = run("scan", "--json", *rules, "--", cases)
    assert code == (1 if got["failed"] else 0), err
    fired = {(os.path.dirname(m["file"]), m["rule_id"]) for m in map(json.loads, out.splitlines())}
    assert len(infos) == 53, len(infos)
    for info in infos:
        with open(info, encoding="utf-8") as f:
            text = f.read()
        for rule in re.findall(r"^\s+- id: (\S+)", text[text.index("rule_metadata"):], re.M):
            assert (os.path.dirname(info), rule) in fired, (info, rule)


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
