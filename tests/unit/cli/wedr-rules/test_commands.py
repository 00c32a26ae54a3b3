#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_commands.py WEDR_RULES: the commands beside scan: list, test, compile, bundle, help."""
import json
import os
import re
import stat
import sys

from rules_box import BAD, ROOT, WHOAMI, flat, run, run_tests

CASES = """cases:
  - name: it says so
    events: [%s]
    expect: [Who am I]
  - name: it says nothing
    events: [%s]
    expect: none
"""


def test_list_names_every_rule_that_is_chosen(box):
    rules = box.rules()
    code, out, err = run("list", rules)
    assert code == 0 and err == "2 rules\n", err
    assert re.search(r"^high +sigma +11111111-\S+  Who am I  .*/rules/a/whoami.yml:1$", out, re.M), out
    code, out, _ = run("list", "--json", "--min-severity", "high", rules)
    got = json.loads(out)
    assert code == 0 and got["rule_title"] == "Who am I" and got["log_sources"] == ["windows/process_creation/*"], out
    box.put("rules/bad.yml", BAD)
    assert run("list", rules)[0] == 1


def test_cases_beside_rules_pass_or_say_why_not(box):
    rule = box.put("r/whoami.yml", WHOAMI)
    code, _, err = run("test", rule)
    assert code == 1 and "no test case" in err, err
    box.put("r/whoami.test.yml", CASES % (json.dumps(flat("whoami")), json.dumps(flat("x"))))
    for what in (rule, os.path.join(box.folder, "r")):
        code, out, err = run("test", what)
        assert code == 0 and out == "2 cases in 1 files: 2 passed, 0 failed; 0 of 1 rules have no case that expects them\n", (out, err)
    box.put("r/whoami.test.yml", CASES % (json.dumps(flat("x")), json.dumps(flat("whoami"))))
    code, out, err = run("test", rule)
    assert code == 1 and "2 failed" in out and ":2: it says so: " in err and ":5: it says nothing: " in err, (out, err)
    code, out, _ = run("test", "--json", rule)
    got = json.loads(out)
    assert code == 1 and (got["cases"], got["passed"], len(got["failed"])) == (2, 0, 2), out
    assert got["failed"][0]["case"] == "it says so" and got["failed"][0]["line"] == 2, out
    box.put("r/whoami.test.yml", "cases: nonsense\n")
    assert run("test", rule)[0] == 1


def test_files_that_cases_name_lie_beside_them(box):
    rule = box.put("r/whoami.yml", WHOAMI)
    box.put("r/seen/e.json", json.dumps(flat("whoami")))
    box.put("e.json", json.dumps(flat("whoami")))
    os.symlink(os.path.join(box.folder, "e.json"), os.path.join(box.folder, "r", "link.json"))
    for name, want in (("seen/e.json", 0), ("../e.json", 1), ("link.json", 1), (os.path.join(box.folder, "e.json"), 1), ("./seen/e.json", 1)):
        box.put("r/whoami.test.yml", f"cases: [{{name: n, file: '{name}', expect: [Who am I]}}]\n")
        assert run("test", rule)[0] == want, name


WAZA = """- Detection:
  - Temp:
      - kernel_callback.process_create.image_path contains "/tmp/"
      - include "sub/more.waza"
- Action:
  - Temp:
    - alert "from a temp folder"
"""
MORE = """- Detection:
  - Other:
      - kernel_callback.process_create.image_path %s "/x/"
- Action:
  - Other:
    - log
"""


def test_waza_errors_have_a_caret_and_includes_stay_in_the_folder(box):
    rule = box.put("r/a.waza", WAZA)
    more = box.put("r/sub/more.waza", MORE % "contains")
    for what in (rule, os.path.join(box.folder, "r"), os.path.join(box.folder, "r") + "//"):
        code, out, err = run("list", what)
        assert code == 0 and "  waza   Temp  Temp  " in out and "  Other  " in out, (what, out, err)
    more = box.put("r/sub/more.waza", MORE % "containz")
    code, out, err = run("validate", rule)
    assert code == 1 and f"{more}:3:51: error: " in err and " 3 |       - kernel_callback" in err and "| " + " " * 50 + "^~~~~~~~" in err, err
    failed = json.loads(run("validate", "--json", rule)[1])
    assert (failed["rules"], failed["compiled"]) == (2, 1) and failed["failed"][0]["line"] == 3 and "column 51" in failed["failed"][0]["reason"]
    os.unlink(more)
    outside = box.put("out.waza", MORE % "contains")
    os.symlink(outside, more)
    code, out, err = run("list", rule)
    assert code == 1 and "Other" not in out and "a.waza:4" in err, (out, err)


def test_fmt_prints_checks_or_writes_the_one_form(box):
    formed = "- Detection:\n  - A:\n    window: 10s\n    - a.b.c == 1\n- Action:\n  - A:\n    - log\n"
    loose = "Detection:\nA:\nwindow 10s\na.b.c==1\nAction:\nA:\nlog\n"
    good, bad, broken = box.put("r/good.waza", formed), box.put("r/loose.waza", loose), box.put("broken.waza", "- Detection:\n  - A:\n    - a.b.c ==\n")
    assert run("fmt", bad) == (0, formed, "") and run("fmt", "-", stdin=loose.encode()) == (0, formed, "")
    assert run("fmt", "--check", os.path.join(box.folder, "r")) == (1, bad + "\n", "") and run("fmt", "--check", good) == (0, "", "")
    with open(bad, encoding="utf-8") as f:
        assert f.read() == loose
    os.chmod(bad, 0o640)
    assert run("fmt", "-w", good, bad) == (0, bad + "\n", "")
    with open(bad, encoding="utf-8") as f:
        assert f.read() == formed and stat.S_IMODE(os.stat(bad).st_mode) == 0o640
    code, out, err = run("fmt", "--write", broken)
    assert code == 1 and not out and "broken.waza:3:" in err and "^" in err, err
    assert run("fmt", "--write", "--check", good)[0] == 2 and run("fmt")[0] == 2
    assert run("fmt", os.path.join(box.folder, "none.waza"))[0] == 1


def test_converted_rules_match_the_same_events(box):
    rules = box.rules()
    events = box.put("e.json", json.dumps([flat(c) for c in ("x", "cmd /c WHOAMI", "net user", "xnet user")]))
    folder = os.path.join(box.folder, "waza")
    code, out, err = run("convert", rules, "--output", folder)
    assert code == 0 and not out and err == "2 rules written\n" and sorted(os.listdir(folder)) == ["net_user_00001.waza", "who_am_i_00000.waza"], os.listdir(folder)
    want = [(m["rule_id"], m["event_index"]) for m in map(json.loads, run("scan", "--json", rules, "--", events)[1].splitlines())]
    got = [(m["rule_id"], m["event_index"]) for m in map(json.loads, run("scan", "--json", folder, "--", events)[1].splitlines())]
    assert len(want) == 2 and got == want, (want, got)
    code, out, _ = run("convert", "--rule", "Net user", rules)
    assert code == 0 and "Net user" in out and "Who am I" not in out and run("fmt", "-", stdin=out.encode())[0] == 0, out


def test_schema_names_events_and_the_fields_of_log_sources(box):
    del box
    code, out, err = run("schema", "--json")
    got = json.loads(out)
    fields = {f"{m['module']}.{e['name']}.{f['name']}": f["field_type"] for m in got["waza"] for e in m["events"] for f in e["fields"]}
    assert code == 0 and not err and fields["kernel_callback.process_create.image_path"] == "string", err
    sources = {(s["log_source"], s["pipeline"]): s["fields"] for s in got["sigma"]}
    assert "CommandLine" in sources[("windows/process_creation/*", "wedr")] and "Image" in sources[("linux/process_creation/*", "auditd")]
    assert all(f == sorted(set(f)) for f in sources.values()) and not any(s.startswith("waza:") for s, _ in sources)
    _, out, _ = run("schema")
    assert "\nkernel_callback.process_create\n    pid:int " in out and re.search(r"^windows/process_creation/\* +\(wedr\)$", out, re.M), out[:500]


def test_the_pack_is_an_argument_of_every_command_and_passes_its_tests(box):
    code, out, err = run("test", "@pack")
    assert code == 0 and " 0 failed; 0 of " in out, (out, err)
    code, part, _ = run("test", "@pack/linux")
    assert code == 0 and int(part.split()[0]) < int(out.split()[0]), part
    assert run("validate", "@pack")[0] == 0 and run("list", "@pack")[0] == 0
    event = box.put("e.json", json.dumps({"event_type": "process_create", "raw": {"uid": 0, "command_line": "x wazabi-edr-detection-test"}}))
    code, out, _ = run("scan", "--json", "@pack", event)
    assert code == 0 and "3b8f0b0e-6c1d-4a57-9c55-7d3c2f0f9a01" in out, out
    for bad in ("@pack/none", "@packs", "@"):
        assert run("list", bad)[0] == 1, bad


def test_a_bundle_is_compiled_signed_and_verified(box):
    rules = box.rules()
    key, other, bundle = (os.path.join(box.folder, n) for n in ("key", "other", "b.bundle"))
    code, out, err = run("compile", "--new-key", "--key", key, "--profile", "lab", "--serial", "7", "--allow-kill", rules, "-o", bundle)
    assert code == 0 and "2 of 2 rules" in out and "may kill processes" in out, (out, err)
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600 and os.path.getsize(key) == 64
    with open(key + ".pub", encoding="ascii") as f, open(key, "rb") as secret:
        assert f.read() == secret.read()[32:].hex() + "\n"
    assert run("compile", "--new-key", "--key", key)[0] == 1 and run("compile", "--new-key", "--key", other)[0] == 0
    for name in (key, key + ".pub"):
        code, out, err = run("bundle", "show", "--json", bundle, "--key", name)
        got = json.loads(out)
        assert code == 0 and (got["serial"], got["profile"], got["rules"], got["kill_allowed"]) == ("7", "lab", 2, True), (out, err)
        assert {r["rule_title"] for r in got["list"]} == {"Who am I", "Net user"}, out
    assert run("bundle", "verify", bundle, "--key", key + ".pub")[1].endswith("signed by this key\n")
    code, out, _ = run("bundle", "show", bundle)
    assert code == 0 and "profile lab\n" in out and out.endswith("signature not looked at: no --key\n"), out
    assert run("bundle", "verify", bundle, "--key", other + ".pub")[0] == 1
    with open(bundle, "rb") as f:
        data = bytearray(f.read())
    data[200] ^= 1
    assert run("bundle", "verify", box.put("c.bundle", bytes(data)), "--key", key + ".pub")[0] == 1
    for args in (["compile", rules], ["compile", "--key", key, rules], ["bundle", "verify", bundle], ["bundle", "nonsense", bundle, "--key", key],
                 ["compile", "--key", key, "-o", bundle], ["compile", "--key", key, "-o", bundle, "--system", "beos", rules]):
        assert run(*args)[0] == 2, args
    for args in (["compile", "--key", key + ".pub", rules, "-o", bundle], ["compile", "--key", key, rules, "-o", os.path.join(box.folder, "no", "b")],
                 ["bundle", "show", rules, "--key", key]):
        assert run(*args)[0] == 1, args


def test_a_secret_key_that_begins_like_text_is_still_a_secret_key(box):
    key, bundle, first = os.path.join(box.folder, "key"), os.path.join(box.folder, "b.bundle"), b""
    for _ in range(1000):  # one in twelve begins so
        assert run("compile", "--new-key", "--key", key)[0] == 0
        with open(key, "rb") as f:
            first = f.read(1)
        if first in b"0123456789abcdefABCDEF":
            break
        os.unlink(key)
        os.unlink(key + ".pub")
    assert run("compile", "--key", key, box.rules(), "-o", bundle)[0] == 0
    assert run("bundle", "verify", bundle, "--key", key)[1].endswith("signed by this key\n"), first


def test_a_bundle_of_rules_that_fail_has_the_others_and_says_so(box):
    rules = box.rules()
    box.put("rules/bad.yml", BAD)
    bundle = os.path.join(box.folder, "b.bundle")
    code, out, err = run("compile", "--new-key", "--key", os.path.join(box.folder, "key"), rules, "-o", bundle)
    assert code == 1 and "2 of 2 rules" in out and "bad.yml:6: " in err, (out, err)


def test_help_and_the_page_name_every_option_and_command(box):
    del box
    _, out, _ = run("--help")
    with open(os.path.join(ROOT, "docs", "wedr-rules.md"), encoding="utf-8") as f:
        page = f.read()
    commands = re.findall(r"^wedr-rules ([a-z]+) (?!\|)", out, re.M)
    options = re.findall(r"^  (--[a-z-]+)", out, re.M)
    assert len(commands) >= 8 and len(options) >= 20, out
    for name in commands:
        assert f"### {name}" in page, name
        _, one, _ = run(name, "--help")
        mine = set(re.findall(r"^  (--[a-z-]+)", one, re.M))
        told = page[page.index(f"### {name}"):].split("\n### ")[0].split("\n## ")[0]
        assert mine == set(re.findall(r"^\| `(--[a-z-]+)", told, re.M)), (name, mine)


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
