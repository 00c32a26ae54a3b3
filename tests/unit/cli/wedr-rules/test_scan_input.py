#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_scan_input.py WEDR_RULES: every form of input, broken input, correlations over it, threads."""
import ctypes
import ctypes.util
import glob
import gzip
import json
import os
import subprocess
import sys
import tarfile
import zipfile

from rules_box import ARCHIVE, RECORDINGS, TOOL, WHOAMI, flat, matches, nested, run, run_tests

BRUTE = """title: Failed logon
id: 55555555-5555-4555-8555-555555555555
name: failed
logsource: {product: windows, service: security}
detection:
  selection: {EventID: 4625}
  condition: selection
---
title: Brute force
id: 66666666-6666-4666-8666-666666666666
level: critical
correlation:
  type: event_count
  rules: [failed]
  group-by: [TargetUserName]
  timespan: 1m
  condition: {gte: 3}
"""
AUDIT = """title: Preload
id: 77777777-7777-4777-8777-777777777777
logsource: {product: linux, service: auditd}
detection:
  selection: {type: PATH, name: /etc/ld.so.preload}
  condition: selection
"""


def failed_logon(user, time, host="H1"):
    return {"EventID": 4625, "Channel": "Security", "TargetUserName": user, "TimeCreated": time, "Hostname": host}


def lines(events):
    return "".join(json.dumps(e) + "\n" for e in events).encode()


def zstd(data):
    lib = ctypes.CDLL(ctypes.util.find_library("zstd"))
    lib.ZSTD_compressBound.restype = lib.ZSTD_compress.restype = ctypes.c_size_t
    out = ctypes.create_string_buffer(lib.ZSTD_compressBound(ctypes.c_size_t(len(data))))
    n = lib.ZSTD_compress(out, ctypes.c_size_t(len(out)), data, ctypes.c_size_t(len(data)), 3)
    return out.raw[:n]


def test_packed_files_and_utf_16_are_read(box):
    rule = box.put("r.yml", WHOAMI)
    data = lines([flat("x"), nested("whoami"), flat("whoami \u00e9\U0001F600")])
    box.put("events/a.json.gz", gzip.compress(data) + gzip.compress(data))
    box.put("events/b.ndjson.zst", zstd(data) + zstd(data))
    box.put("events/c.json", data.decode().encode("utf-16"))
    box.put("events/d.json", b"\xfe\xff" + data.decode().encode("utf-16-be"))
    code, found, err = matches(rule, "--", os.path.join(box.folder, "events"))
    assert code == 0 and not err, err
    want = [(f, i) for f in ("a.json.gz", "b.ndjson.zst") for i in (1, 2, 4, 5)] + [(f, i) for f in ("c.json", "d.json") for i in (1, 2)]
    assert [f[1:] for f in found] == want, found
    assert matches(rule, "--", box.put("named", gzip.compress(data)))[1] == [("Who am I", "named", 1), ("Who am I", "named", 2)]


def test_packed_files_that_end_early_give_what_they_have(box):
    rule = box.put("r.yml", WHOAMI)
    data = lines([flat("whoami")] + [flat(str(i) * 50) for i in range(2000)])
    for name, packed in (("a.gz", gzip.compress(data)), ("b.zst", zstd(data))):
        code, found, err = matches(rule, "--", box.put(name, packed[:-20]))
        assert code == 1 and [f[2] for f in found] == [0] and "ends early" in err, (name, found, err)
        code, _, err = matches(rule, "--", box.put(name, packed[:20] + b"garbage" * 9 + packed[80:]))
        assert code == 1 and ("damaged" in err or "ends early" in err), err


def test_what_is_no_event_file_says_what_to_do(box):
    rule = box.put("r.yml", WHOAMI)
    for name, data, word in (("a.evtx", b"ElfFile\0" + b"\0" * 100, "evtx_dump"), ("a.zip", b"PK\x03\x04" + b"\0" * 50, "archive"),
                             ("a.xz", b"\xfd7zXZ\0" + b"\0" * 50, "archive")):
        code, found, err = matches(rule, "--", box.put(name, data))
        assert code == 1 and not found and word in err, (name, err)


def test_standard_input_is_read(box):
    rule = box.put("r.yml", WHOAMI)
    data = lines([flat("x"), flat("whoami")])
    for stdin in (data, gzip.compress(data)):
        code, out, err = run("scan", "--json", rule, "--", "-", stdin=stdin)
        got = json.loads(out)
        assert code == 0 and not err and (got["file"], got["event_index"]) == ("-", 1), (out, err)
    assert run("scan", "--json", rule, "-", stdin=b"")[:2] == (0, "")


def test_empty_files_are_no_error(box):
    rule = box.put("r.yml", WHOAMI)
    for data in (b"", b"\n\n", b"[]", b"\xef\xbb\xbf", gzip.compress(b""), b"\xff\xfe"):
        code, found, err = matches(rule, "--", box.put("e.json", data))
        assert code == 0 and not found and not err, (data, err)


def test_places_of_what_is_broken_are_told_to_the_byte(box):
    rule = box.put("r.yml", WHOAMI)
    good = json.dumps(flat("whoami"))
    path = box.put("e.json", f"{good}\nnonsense\n{good}\n{{\"a\":\n")
    code, found, err = matches(rule, "--", path)
    assert code == 1 and [f[2] for f in found] == [0, 2], found
    assert f"{path}:2: no JSON object (at byte {len(good) + 1})" in err, err
    assert f"{path}:4: the file ends inside it (at byte {2 * len(good) + 11})" in err, err


def test_a_line_of_many_megabytes_does_not_need_them(box):
    rule = box.put("r.yml", WHOAMI)
    path = os.path.join(box.folder, "e.json")
    with open(path, "wb") as f:  # in pieces: a child's maximum begins with what this process has
        f.write(b'{"a":"')
        for _ in range(4096):
            f.write(b"x" * 16384)
        f.write(b'"}\n' + json.dumps(flat("whoami")).encode())
    maximum = {}  # of the resident memory, in KiB: a sanitizer has much of its own
    for name in (path, box.put("small.json", "x")):
        p = subprocess.Popen([TOOL, "scan", rule, "--", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)  # already waited for
        assert p.returncode == 1
        maximum[name] = usage.ru_maxrss
    assert maximum[path] < min(maximum.values()) + (24 << 10), maximum


def test_logs_of_the_audit_daemon_are_read(box):
    rule = box.put("r.yml", AUDIT)
    record = ' msg=audit(1604994496.155:7): '
    log = ("type=SYSCALL" + record + 'arch=c000003e syscall=257 pid=4 uid=0 comm="vi" exe="/usr/bin/vi"\n'
           "type=PATH" + record + 'item=0 name="/etc"\nnonsense\ntype=PATH' + record + "item=1 name=2F6574632F6C642E736F2E7072656C6F6164\n")
    path = box.put("audit.log", log)
    code, found, err = matches(rule, "--", path)
    assert code == 1 and found == [("Preload", "audit.log", 3)], found
    assert f"{path}:3: no audit record (at byte " in err, err
    _, out, _ = run("scan", rule, "--", box.put("b.log", log.replace("nonsense\n", "")))
    assert "2020-11-10 07:48:16.155Z  0  " in out and "/usr/bin/vi: /etc/ld.so.preload" in out, out


def test_recorded_attacks_on_linux_are_found(box):
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(box.folder)  # our own file
    found = set()
    for name in glob.glob(os.path.join(RECORDINGS, "sh_*.zip")):
        with zipfile.ZipFile(name) as z:
            path = box.put(os.path.basename(name)[:-4] + ".log", z.read(z.namelist()[0]))
        code, got, err = matches(os.path.join(box.folder, "sigma", "rules", "linux"), "--", path)
        assert code == 0, err
        found |= {f[:2] for f in got}
    assert ("Binary Padding - Linux", "sh_binary_padding_dd.log") in found, found
    assert ("Linux Remote System Discovery", "sh_arp_cache.log") in found, found


def counted(out):
    return [m for m in map(json.loads, out.splitlines()) if m["rule_title"] == "Brute force"]


def test_correlations_do_not_depend_on_the_order_of_events_or_files(box):
    rule = box.put("r.yml", BRUTE)
    events = [failed_logon("bob", f"2026-01-01T00:00:{s:02}Z") for s in (1, 20, 40)]
    late = failed_logon("bob", "2026-01-01T00:05:00Z")
    ann = failed_logon("ann", "2026-01-01T00:00:10Z")
    for files in ([events + [late, ann]], [[late, events[2], ann], [events[1]], [events[0]]], [list(reversed(events + [ann, late]))]):
        paths = [box.put(f"{i}.json", lines(f)) for i, f in enumerate(files)]
        code, out, err = run("scan", "--json", rule, "--", *paths)
        got = counted(out)
        assert code == 0 and not err and len(got) == 1, (out, err)
        assert (got[0]["count"], got[0]["group"], got[0]["severity"]) == (3, {"TargetUserName": "bob"}, "critical"), got
        where = [(p, i) for p, f in zip(paths, files) for i, e in enumerate(f) if e in events]
        assert sorted((e["file"], e["event_index"]) for e in got[0]["evidence"]) == sorted(where), got
        last = [(p, i) for p, f in zip(paths, files) for i, e in enumerate(f) if e == events[2]]
        assert [(got[0]["file"], got[0]["event_index"])] == last, got
        for path in paths:
            os.unlink(path)


def test_correlations_are_shown_in_every_form(box):
    rule = box.put("r.yml", BRUTE)
    path = box.put("e.json", lines(failed_logon("bob", f"2026-01-01T00:00:0{s}Z", f"H{s}") for s in (1, 2, 3)))
    _, out, _ = run("scan", rule, "--", path)
    assert f"3 counted for TargetUserName bob; events {path}:0 {path}:1 {path}:2" in out, out
    _, out, _ = run("scan", "--timeline", rule, "--", path)
    assert f"{path}:2 of {path}:0 {path}:1 {path}:2" in out, out
    _, out, _ = run("scan", "--sarif", rule, "--", path)
    assert [len(r.get("relatedLocations", [])) for r in json.loads(out)["runs"][0]["results"]] == [3], out
    _, out, err = run("scan", "--json", "--rule", "Brute force", rule, "--", box.put("u.json", lines(
        {k: v for k, v in failed_logon("bob", "").items() if k != "TimeCreated"} for _ in range(3))))
    assert len(counted(out)) == 1 and "3 of 3 events had no time" in err, (out, err)


def test_waza_windows_see_one_host_at_a_time(box):
    rule = box.put("r.waza", """- Detection:
  - Two:
      window: 5s
      - kernel_callback.process_create.image_path == "/bin/a" && kernel_callback.network_connect.dst_port == 443
- Action:
  - Two:
    - alert "start and connect"
""")

    def event(kind, host, second, **raw):
        return {"ts": f"2026-01-01T00:00:0{second}Z", "host": {"hostname": host}, "module": "kernel_callback", "event_type": kind, "raw": {"uid": 0, **raw}}
    start, connect = event("process_create", "a", 1, image_path="/bin/a"), event("network_connect", "a", 3, dst_port=443, dst_ip="1.1.1.1")
    for events, want in (([start, connect], 1), ([connect, start], 1), ([start, {**connect, "host": {"hostname": "b"}}], 0),
                         ([start, {**connect, "ts": "2026-01-01T00:00:09Z"}], 0)):
        code, out, err = run("scan", "--json", rule, "--", box.put("e.json", lines(events)))
        got = [json.loads(line) for line in out.splitlines()]
        assert code == 0 and not err and [g["rule_title"] for g in got] == ["Two"] * want, (events, out, err)
        assert all(sorted(e["event_index"] for e in g["evidence"]) == [0, 1] for g in got), out


def test_any_number_of_threads_gives_the_same_in_the_same_order(box):
    rules = box.rules()
    for i in range(5):
        box.put(f"events/{i}.ndjson", lines(flat(f"{('net', 'whoami', 'x')[k % 3]} {k}" + "y" * (k % 700)) for k in range(3000)) + b"garbage\n")
    folder = os.path.join(box.folder, "events")
    code, want, err = run("scan", "--json", "--threads", "1", rules, "--", folder)
    assert code == 1 and want.count("\n") == 10000 and err.count("no JSON object") == 5, err
    for threads in ("2", "5"):
        assert run("scan", "--json", "--threads", threads, rules, "--", folder) == (code, want, err)
    for bad in ("0", "65", "x", "-1"):
        assert run("scan", "--threads", bad, rules, "--", folder)[0] == 2


def test_a_pipeline_of_ones_own_gives_new_log_sources(box):
    rule = box.put("r.yml", "title: Own\nlogsource: {product: acme, service: door}\ndetection: {s: {Badge: '7'}, condition: s}\n")
    pipeline = box.put("p.yml", "name: acme\nviews: {door: {b.id: Badge}}\nevents:\n- {when: {src: door}, sources: acme/*/door, view: door}\n")
    path = box.put("e.json", '{"src":"door","b":{"id":7}}')
    assert matches(rule, "--", path)[1] == []
    assert matches("--pipeline", pipeline, rule, "--", path)[1] == [("Own", "e.json", 0)]
    code, _, err = run("scan", "--pipeline", box.put("bad.yml", "name: [\n"), rule, "--", path)
    assert code == 1 and "bad.yml: line " in err, err


def test_indicator_lists_are_rules_and_say_what_they_found(box):
    rule = box.put("r.ioc", "id: 88888888-8888-4888-8888-888888888888\ntitle: Bad names\ndomain evil.example # from a report\n")
    path = box.put("e.json", json.dumps({"EventID": 22, "Channel": "Microsoft-Windows-Sysmon/Operational", "QueryName": "x.evil.example", "Image": "C:\\x.exe"}))
    code, out, err = run("scan", rule, "--", path)
    assert code == 0 and "domain evil.example: from a report" in out, (out, err)
    code, out, _ = run("explain", rule, "--", "Bad names", path)
    assert code == 0 and "match: domain evil.example: from a report" in out, out


def test_explain_takes_a_correlation_apart(box):
    rule = box.put("r.yml", BRUTE)
    path = box.put("e.json", lines([failed_logon("bob", "2026-01-01T00:00:00Z"), flat("x")]))
    code, out, _ = run("explain", rule, "--", "Brute force", path)
    assert code == 0 and "member 1 of 1: Failed logon" in out and out.endswith("the event counts for it\n"), out
    code, out, _ = run("explain", "--json", rule, "--", "Brute force", path + ":1")
    got = json.loads(out)
    assert code == 0 and got["match"] is False and got["correlation"] == "event_count" and got["members"][0]["rule_title"] == "Failed logon", out


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
