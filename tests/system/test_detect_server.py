# SPDX-License-Identifier: Apache-2.0
"""Rules, bundles, alerts, correlations and hunts of the real wedr-server; agents are made of Python."""
import hashlib
import json
import os
import subprocess
import time

import lab
from server_client import Client, Peer, metrics, zstd


RULE = """title: %(title)s
id: %(id)s
level: %(level)s
tags: [attack.t1059]
logsource:
  product: linux
  category: process_creation
detection:
  s:
    Image|endswith: /%(title)s
  condition: s
"""


def rule(n, title, level="high"):
    return RULE % {"id": "%08d-0000-4000-8000-000000000000" % n, "title": title, "level": level}


def write(l, name, text):
    path = os.path.join(l.folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def ctl(server, *args, check=True):
    return lab.run(lab.SERVER, *args, "--data", server.data, check=check)


def test_a_bundle_is_offered_fetched_once_and_changes_with_a_publish():
    with lab.Lab() as l:
        s = l.server()
        p = Peer(s, l.folder)
        answer = p.enroll()
        assert answer.status == 201 and len(bytes.fromhex(answer.json["rules_key"])) == 32
        offer = p.heartbeat().json["rules"]
        got = p.client().request("GET", p.path("rules"))
        assert got.status == 200 and got.headers["etag"] == '"%s"' % offer["sha256"], got
        assert hashlib.sha256(got.body).hexdigest() == offer["sha256"] and len(got.body) == offer["size"]
        assert got.headers["content-type"] == "application/octet-stream"
        same = p.client().request("GET", p.path("rules"), headers={"If-None-Match": got.headers["etag"]})
        assert same.status == 304 and same.body == b"" and same.headers["etag"] == got.headers["etag"]
        ctl(s, "rules", "add", write(l, "r/one.yml", rule(1, "one")))
        ctl(s, "rules", "publish")
        newer = p.heartbeat().json["rules"]
        assert int(newer["serial"]) > int(offer["serial"]) and newer["sha256"] != offer["sha256"]
        again = p.client().request("GET", p.path("rules"), headers={"If-None-Match": got.headers["etag"]})
        assert again.status == 200 and hashlib.sha256(again.body).hexdigest() == newer["sha256"]
        assert metrics(s)["wedr_rules_sent_total"] == 2


def test_only_the_agent_itself_gets_its_rules():
    with lab.Lab() as l:
        s = l.server()
        a, b = Peer(s, l.folder, "a"), Peer(s, l.folder, "b")
        assert a.enroll().status == 201 and b.enroll().status == 201
        assert b.client().request("GET", a.path("rules")).status == 403
        assert Client(s).request("GET", a.path("rules")).status == 401
        assert a.client().request("POST", a.path("rules"), b"").status == 405


def test_a_rule_that_does_not_compile_changes_nothing_and_says_where():
    with lab.Lab() as l:
        s = l.server()
        p = Peer(s, l.folder)
        assert p.enroll().status == 201
        before = p.heartbeat().json["rules"]
        folder = os.path.dirname(write(l, "set/good.yml", rule(1, "good")))
        write(l, "set/bad.yml", rule(2, "bad").replace("endswith", "endwith"))
        write(l, "set/ignored.txt", "nothing")
        done = ctl(s, "rules", "import", folder, check=False)
        assert done.returncode == 1 and "set/bad.yml:10: " in done.stderr, done.stderr
        assert "1 stored, 1 not stored" in done.stdout
        assert p.heartbeat().json["rules"] == before
        listed = json.loads(ctl(s, "rules", "list", "--json").stdout)
        assert [r["source"] for r in listed if not r["builtin"]] == ["set/good.yml"]
        failed = json.loads(ctl(s, "rules", "validate", "--json", folder, check=False).stdout)["failed"]
        assert [(f["file"], f["line"]) for f in failed] == [("set/bad.yml", 10)] and failed[0]["reason"]


def test_profiles_decide_what_an_agent_gets():
    with lab.Lab() as l:
        s = l.server()
        p, q = Peer(s, l.folder, "p"), Peer(s, l.folder, "q")
        assert p.enroll().status == 201 and q.enroll().status == 201
        ctl(s, "profile", "set", "strict", "kill=yes", "min_severity=high")
        ctl(s, "profile", "assign", p.id, "strict")
        ctl(s, "rules", "publish")
        mine, other = p.heartbeat().json["rules"], q.heartbeat().json["rules"]
        assert mine["sha256"] != other["sha256"]
        profiles = {x["name"]: x for x in json.loads(ctl(s, "profile", "list", "--json").stdout)}
        assert profiles["strict"]["agents"] == 1 and profiles["strict"]["kill"] is True
        assert profiles["default"]["agents"] == 1 and profiles["default"]["kill"] is False
        assert ctl(s, "profile", "assign", p.id, "nobody", check=False).returncode == 1


def test_the_agents_report_about_its_rules_is_kept_and_checked():
    with lab.Lab() as l:
        s = l.server()
        p = Peer(s, l.folder)
        assert p.enroll().status == 201
        report = {"serial": "5", "profile": "default", "rules": 3, "error": "", "matched": 1, "alerts": 1,
                  "suppressed": 0, "events": 9, "kill_allowed": False}
        assert p.heartbeat(rules=report).status == 200
        assert p.heartbeat(rules=dict(report, rules="3")).status == 400
        assert p.heartbeat(rules=dict(report, extra=1)).status == 400


def stamp(us):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(us // 1000000)) + ".%06dZ" % (us % 1000000)


def now_us():
    return time.time_ns() // 1000


def alert_line(seq, n, evidence=None):
    raw = {"alert_id": "%032x" % n, "rule_id": "r%d" % n, "rule_title": "title", "rule_language": "sigma",
           "severity": "high", "severity_code": 4, "entity": "e", "event_time": stamp(now_us()), "suppressed": 0,
           "match_count": 1, "rules_serial": "1", "evidence": [] if evidence is None else evidence}
    return {"ts": stamp(now_us()), "module": "agent", "event_type": "alert", "raw": raw, "source": "agent",
            "kind": "Alert", "event_version": 7, "seq": seq}


def exit_line(seq, comm):
    return {"ts": stamp(now_us()), "module": "kernel_callback", "event_type": "process_terminate",
            "process": {"pid": 5, "key": "%016x" % 5},
            "raw": {"pid": 5, "exit_code": 1, "process_key": "%016x" % 5, "parent_pid": 1, "uid": 0,
                    "comm": comm}, "source": "kernel", "kind": "ProcessExit", "event_version": 7, "seq": seq,
            "drop_count": 0, "trunc_count": 0}


def send(peer, stream, first, lines):
    body = zstd(b"".join(json.dumps(l, separators=(",", ":")).encode() + b"\n" for l in lines))
    answer = peer.post(first, len(lines), body=body, stream=stream)
    assert answer.status == 202 and answer.json["skipped"] == 0, answer
    return answer


def alerts(server):
    return server.one("SELECT count(*) AS n FROM alerts")["n"]


ENDINGS = """title: a command ended
id: 00000001-0000-4000-8000-000000000001
logsource: {product: linux, category: process_termination}
detection:
  s:
    raw.comm: %s
  condition: s
"""
MANY = """title: many ended
id: 00000001-0000-4000-8000-000000000002
level: critical
correlation:
  type: value_count
  rules: [00000001-0000-4000-8000-000000000001]
  group-by: [raw.comm]
  timespan: 1h
  condition: {field: host.name, gte: 3}
"""


def test_an_alert_is_visible_with_its_host_and_its_evidence():
    with lab.Lab() as l:
        s = l.server()
        p = Peer(s, l.folder)
        assert p.enroll(hostname="web-1").status == 201
        send(p, "alert", 1, [alert_line(1, 1, [{"epoch": "%016x" % p.epoch, "stream": "kernel.critical", "seq": 9,
                                                "event": {"x": 1}}])])
        lab.wait_for("the alert", 5, lambda: alerts(s) == 1)
        row = s.one("SELECT hostname, severity, rule_title, origin FROM alerts")
        assert row == {"hostname": "web-1", "severity": "high", "rule_title": "title", "origin": "agent"}
        e = s.one("SELECT agent_id, seq, event FROM alert_evidence")
        assert e == {"agent_id": p.id, "seq": 9, "event": '{"x":1}'}
        listed = json.loads(ctl(s, "alerts", "--json", "--rule", "r1").stdout)
        assert [a["alert_id"] for a in listed] == ["%032x" % 1] and listed[0]["hostname"] == "web-1"
        assert json.loads(ctl(s, "alerts", "--json", "--rule", "r2").stdout) == []
        assert metrics(s)["wedr_detect_alerts_total"] == 1


def test_kill_minus_9_between_commit_and_detection_loses_and_doubles_nothing():
    with lab.Lab() as l:
        s = l.server()
        p = Peer(s, l.folder)
        assert p.enroll().status == 201
        sent = 0
        for round_ in range(6):
            for _ in range(5):
                send(p, "alert", sent + 1, [alert_line(sent + 1 + i, sent + 1 + i) for i in range(20)])
                sent += 20
            s.kill()
            s.start()
        lab.wait_for("all alerts", 20, lambda: alerts(s) == sent)
        assert s.one("SELECT count(DISTINCT rule_id) AS n FROM alerts")["n"] == sent
        lab.wait_for("the cursor", 20, lambda: metrics(s)["wedr_detect_lag_batches"] == 0)
        assert alerts(s) == sent


def test_a_correlation_over_hosts_also_with_a_kill_in_its_middle():
    with lab.Lab() as l:
        s = l.server()
        peers = [Peer(s, l.folder, "p%d" % i) for i in range(3)]
        for i, p in enumerate(peers):
            assert p.enroll(hostname="host-%d" % i).status == 201
        ctl(s, "rules", "add", write(l, "c/base.yml", ENDINGS % "mimi"), write(l, "c/many.yml", MANY))
        ctl(s, "rules", "publish")
        lab.wait_for("the rules", 10, lambda: metrics(s)["wedr_detect_rules"] >= 2)
        send(peers[0], "kernel.critical", 1, [exit_line(i + 1, "mimi") for i in range(10)])
        send(peers[1], "kernel.critical", 1, [exit_line(1, "mimi")])
        lab.wait_for("the events", 10, lambda: metrics(s)["wedr_detect_matches_total"] == 11)
        assert alerts(s) == 0
        s.kill()
        s.start()
        lab.wait_for("the rules", 10, lambda: metrics(s)["wedr_detect_rules"] >= 2)
        send(peers[2], "kernel.critical", 1, [exit_line(1, "mimi"), exit_line(2, "other")])
        lab.wait_for("the alert", 10, lambda: alerts(s) == 1)
        row = s.one("SELECT agent_id, hostname, rule_title, severity, entity, match_count FROM alerts")
        assert sorted(row.pop("hostname").split(", ")) == ["host-0", "host-1", "host-2"]
        assert row == {"agent_id": "", "rule_title": "many ended", "severity": "critical", "entity": "raw.comm=mimi",
                       "match_count": 3}, row
        s.kill()
        s.start()
        send(peers[2], "kernel.critical", 3, [exit_line(3, "mimi")])
        lab.wait_for("the event", 10, lambda: s.one("SELECT count(*) AS n FROM events")["n"] == 14)
        lab.wait_for("its reading", 10, lambda: metrics(s)["wedr_detect_batches_total"] >= 1)
        assert alerts(s) == 1


def test_a_hunt_over_stored_events_with_and_without_the_server():
    with lab.Lab() as l:
        s = l.server()
        p = Peer(s, l.folder)
        assert p.enroll(hostname="web-1").status == 201
        for first in range(1, 3001, 1000):
            send(p, "kernel.critical", first,
                 [exit_line(i, "needle" if i == 2500 else "straw") for i in range(first, first + 1000)])
        path = write(l, "h/needle.yml", ENDINGS % "needle")
        found = [json.loads(x) for x in ctl(s, "hunt", path, "--json").stdout.splitlines()]
        assert [(f["seq"], f["hostname"], f["event"]["raw"]["comm"]) for f in found] == [(2500, "web-1", "needle")]
        s.stop()
        assert len(ctl(s, "hunt", path).stdout.splitlines()) == 1
        assert ctl(s, "hunt", path, "--to", "2020-01-01").stdout == ""
        straw = write(l, "h/straw.yml", ENDINGS % "straw")
        assert len(ctl(s, "hunt", straw, "--limit", "7").stdout.splitlines()) == 7
        assert ctl(s, "hunt", "no-such-rule", check=False).returncode == 1
        many = ctl(s, "hunt", write(l, "h2/base.yml", ENDINGS % "straw"), write(l, "h2/many.yml", MANY.replace(
            "gte: 3", "gte: 1")), "--json", "--limit", "100000").stdout.splitlines()
        assert any(json.loads(x)["rule_title"] == "many ended" for x in many)


def test_rules_that_are_added_and_published_at_once_are_all_in_force():
    with lab.Lab() as l:
        s = l.server()
        adds = [subprocess.Popen([lab.SERVER, *words, "--data", s.data], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
                for n in range(4)
                for words in (("rules", "add", write(l, "at-once-%d.yml" % n, rule(70 + n, "once%d" % n))),
                              ("rules", "publish"))]
        for p in adds:
            text = p.communicate(timeout=120 * lab.SLOW)[0]
            assert p.returncode == 0, text
        rows = [line.split("\t") for line in ctl(s, "rules", "publish").stdout.splitlines()]
        assert len({row[2] for row in rows}) == 1, rows
        assert s.one("SELECT count(*) AS n FROM rules WHERE source LIKE 'at-once-%'")["n"] == 4


def test_process_events_become_a_tree():
    with lab.Lab() as l:
        s = l.server()
        p = Peer(s, l.folder)
        assert p.enroll(hostname="web-1").status == 201
        assert p.post(1, 50).status == 202
        lab.wait_for("the processes", 10, lambda: s.one("SELECT count(*) AS n FROM process_tree")["n"] == 50)
        row = s.one("SELECT DISTINCT agent_id, hostname, ended > 0 AS over FROM process_tree")
        assert row == {"agent_id": p.id, "hostname": "web-1", "over": 1}


lab.main()
