# SPDX-License-Identifier: Apache-2.0
"""Rules, bundles, alerts, correlations and hunts of the real wedr-server; agents are made of Python."""
import hashlib
import json
import os

import lab
from server_client import Peer, metrics


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
        from server_client import Client
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


lab.main()
