#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_scan_output.py WEDR_RULES: what a scan shows: table, timeline, summary, SARIF, colours, the bar, chosen rules, times."""
import json
import os
import pty
import re
import subprocess
import sys
import tempfile

from rules_box import TOOL, WHOAMI, flat, matches, run, run_tests

TAGGED = """title: Tagged
id: 44444444-4444-4444-8444-444444444444
description: Says what it does
level: critical
tags: [attack.execution, attack.t1059.001]
references: ['https://example.org/a b']
logsource: {product: windows, category: process_creation}
detection:
  selection: {CommandLine|contains: whoami}
  condition: selection
"""


def at(command_line, time, host="H1", user="D\\u"):
    return {**flat(command_line), "TimeCreated": time, "Hostname": host, "User": user}


def events(box):
    return box.put("e.ndjson", "".join(json.dumps(e) + "\n" for e in [
        at("net 2", "2026-01-02T00:00:00Z"), at("whoami /all", "2026-01-03T10:00:00.5Z", "H2"),
        at("net 1", "2026-01-01 00:00:00.001"), flat("whoami"), flat("nothing")]))


def test_table_shows_time_host_user_and_fields_asked_for(box):
    rules = box.rules()
    box.put("rules/tagged.yml", TAGGED)
    path = events(box)
    code, out, err = run("scan", "--field", "EventID", "--field=ParentImage", rules, "--", path)
    lines = [line.strip() for line in out.splitlines()]
    assert code == 0 and not err, (out, err)
    assert lines[1].split() == ["critical", "2", "Tagged", "44444444-4444-4444-8444-444444444444", "t1059.001"], out
    assert lines[2] == f"2026-01-03 10:00:00.500Z  H2  D\\u  {path}:1" and lines[3] == "C:\\x.exe: whoami /all", out
    assert lines[4] == "EventID=1" and "ParentImage" not in out, out


def test_a_message_of_many_lines_stays_one(box):
    rule = box.put("r.yml", WHOAMI)
    path = box.put("e.json", json.dumps(flat("whoami\r\n\t\there   there")))
    _, out, _ = run("scan", rule, "--", path)
    assert "C:\\x.exe: whoami here   there\n" in out, out


def test_timeline_is_in_the_order_of_time_whatever_the_order_of_events(box):
    _, out, _ = run("scan", "--timeline", "-f", "EventID", box.rules(), "--", events(box))
    lines = out.splitlines()
    starts = [line[:24].strip() for line in lines[:-1]]
    assert starts == ["2026-01-01 00:00:00.001Z", "2026-01-02 00:00:00.000Z", "2026-01-03 10:00:00.500Z", "no time"], out
    assert re.match(r"\S+ \S+  high      H2  D\\u  Who am I  \| C:\\x.exe: whoami /all  EventID=1  \| .*e.ndjson:1$", lines[2]), out
    assert lines[-1].startswith("4 matches of 2 rules (2 high, 2 low)"), out


def test_summary_counts_hosts_and_says_the_time_covered(box):
    _, out, _ = run("scan", "--summary", box.rules(), "--", events(box))
    assert re.search(r"^high +2  Who am I$", out, re.M) and re.search(r"^low +2  Net user$", out, re.M), out
    assert re.search(r"^ +1 +1  -\n +1 +1  H2\n +0 +2  H1$", out, re.M), out
    assert "first match 2026-01-01 00:00:00.001Z, last match 2026-01-03 10:00:00.500Z" in out, out


def test_since_and_until_keep_what_lies_between_and_what_has_no_time(box):
    path = events(box)
    for args, want in ((["--since", "2026-01-02T00:00:00Z"], [0, 1, 3]), (["--until", "2026-01-02"], [2, 3]),
                       (["--since", "2026-01-02T01:00:00+01:00", "--until=2026-01-03"], [0, 3])):
        code, found, _ = matches(*args, box.rules(), "--", path)
        assert code == 0 and [f[2] for f in found] == want, (args, found)
    _, out, _ = run("scan", "--until", "2026-01-02", box.rules(), "--", path)
    assert ", 2 outside of the time asked for" in out, out
    assert run("scan", "--since", "yesterday", box.rules(), "--", path)[0] == 2


def test_rules_are_chosen_by_severity_id_title_and_tag(box):
    rules = box.rules()
    box.put("rules/tagged.yml", TAGGED)
    path = box.put("e.json", json.dumps([flat("whoami"), flat("net x")]))
    for args, want in ((["--min-severity", "high"], {"Who am I", "Tagged"}), (["--min-severity=CRITICAL"], {"Tagged"}),
                       (["--rule", "22222222-2222-4222-8222-222222222222"], {"Net user"}), (["--rule", "net user"], {"Net user"}),
                       (["--rule", "Net user", "--rule", "Tagged"], {"Net user", "Tagged"}), (["--exclude", "Tagged"], {"Net user", "Who am I"}),
                       (["--tag", "attack.t1059"], {"Tagged"}), (["--tag", "T1059.001"], {"Tagged"}), (["--tag", "execution"], {"Tagged"}),
                       (["--tag", "attack.t105"], set())):
        code, found, err = matches(*args, rules, "--", path)
        assert code == 0 and {f[0] for f in found} == want, (args, found, err)
    assert run("scan", "--min-severity", "huge", rules, "--", path)[0] == 2
    code, _, err = run("scan", "--rule", "none such", rules, "--", path)
    assert code == 1 and "none such" in err, err


def test_sarif_has_what_the_schema_and_viewers_ask_for(box):
    rules = box.rules()
    box.put("rules/tagged.yml", TAGGED)
    path = box.put("events/a b%.json", "\n" + json.dumps(flat("whoami \x1b\u202e\"")) + "\n" + json.dumps(flat("net")))
    code, out, _ = run("scan", "--sarif", rules, "--", path)
    got = json.loads(out)
    assert code == 0 and got["version"] == "2.1.0" and got["$schema"].endswith("sarif-2.1.0.json") and len(got["runs"]) == 1, out
    one = got["runs"][0]
    driver = one["tool"]["driver"]
    assert driver["name"] == "wedr-rules" and len(one["results"]) == 2 and one["invocations"] == [{"executionSuccessful": True}], out
    for result in one["results"]:
        rule = driver["rules"][result["ruleIndex"]]
        assert rule["id"] == result["ruleId"] and result["level"] == rule["defaultConfiguration"]["level"] == "error"
        assert set(result["message"]) == {"text"} and result["message"]["text"].startswith(rule["name"])
        where = result["locations"][0]["physicalLocation"]
        assert where["artifactLocation"]["uri"] == "file://" + path.replace(" ", "%20").replace("%.", "%25."), where
        assert where["region"] == {"startLine": 2} and result["properties"]["event_index"] == 0
    tagged = [r for r in driver["rules"] if r["name"] == "Tagged"][0]
    assert tagged["properties"]["tags"] == ["attack.execution", "attack.t1059.001"] and tagged["fullDescription"]["text"] == "Says what it does"
    assert tagged["properties"]["security-severity"] == "9.5" and tagged["shortDescription"] == {"text": "Tagged"}
    code, out, _ = run("scan", "--sarif", rules, "--", box.put("n.json", "x"))
    got = json.loads(out)["runs"][0]
    assert code == 1 and got["results"] == [] == got["tool"]["driver"]["rules"] and not got["invocations"][0]["executionSuccessful"]


def test_json_gains_the_fields_asked_for_behind_its_own(box):
    _, out, _ = run("scan", "--json", "--field", "Image", "--field", "Nothing", box.rules(), "--", box.put("e.json", json.dumps(flat("whoami"))))
    got = json.loads(out)
    assert list(got)[:5] == ["rule_id", "rule_title", "severity", "file", "event_index"] and got["fields"] == {"Image": "C:\\x.exe"}, out


def test_output_goes_to_a_file_and_colours_only_where_wanted(box):
    rules = box.rules()
    path = box.put("e.json", json.dumps(flat("whoami")))
    target = os.path.join(box.folder, "out.txt")
    code, out, _ = run("scan", "--output", target, rules, "--", path)
    with open(target, encoding="utf-8") as f:
        assert code == 0 and not out and "Who am I" in f.read()
    assert run("scan", "--output", os.path.join(box.folder, "no", "where"), rules, "--", path)[0] == 1
    _, out, _ = run("scan", "--color", rules, "--", path, escapes=True)
    assert "\x1b[31mhigh         \x1b[0m" in out, out


def test_one_form_of_output_at_a_time(box):
    rules, path = box.rules(), events(box)
    for args in (["--json", "--sarif"], ["--timeline", "--summary"], ["-j", "--timeline"]):
        code, out, err = run("scan", *args, rules, "--", path)
        assert code == 2 and not out and "only one of" in err, (args, out, err)


def on_terminal(*args, **env):
    """Standard error is a terminal, standard output is not."""
    ours, theirs = pty.openpty()
    kept = tempfile.TemporaryFile()
    p = subprocess.Popen([TOOL, *args], stdout=kept, stderr=theirs, stdin=subprocess.DEVNULL, env={**os.environ, "TERM": "xterm", **env})
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    code = p.wait()
    with kept:
        kept.seek(0)
        return code, kept.read().decode(), shown.decode()


def test_a_bar_is_drawn_on_a_terminal_and_taken_away(box):
    rules = box.rules()
    path = box.put("e.ndjson", (json.dumps(flat("whoami")) + "\n") * 20000)
    code, out, shown = on_terminal("scan", "--json", rules, "--", path)
    assert code == 0 and out.count("\n") == 20000
    assert re.search(r"\[[#.]{24}\] +\d+%  .* of 2\.\d MiB  \d+ events/s", shown) and shown.endswith("\r\x1b[K"), shown[-300:]
    broken = box.put("b.ndjson", (json.dumps(flat("x")) + "\n") * 20000 + "nonsense\n" + (json.dumps(flat("x")) + "\n") * 20000)
    code, _, shown = on_terminal("scan", "--json", rules, "--", broken)
    told = [line for line in shown.replace("\r\n", "\n").split("\n") if "no JSON object" in line]
    assert code == 1 and len(told) == 1 and told[0].split("\r")[-1].startswith("\x1b[K" + broken), shown[-300:]
    for args, env in ((["--quiet"], {}), (["-q"], {}), ([], {"TERM": "dumb"})):
        code, _, shown = on_terminal("scan", "--json", *args, rules, "--", path, **env)
        assert code == 0 and not shown, shown[:200]
    _, _, err = run("scan", "--json", rules, "--", path)
    assert not err


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
