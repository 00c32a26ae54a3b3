# SPDX-License-Identifier: Apache-2.0
"""What people read and triage through the API: events, alerts, endpoints, ledger, tail, export; in their scope."""
import csv
import io
import json
import os
import resource
import signal
import struct
import tempfile
import time

import lab
from people_client import BASE, make_user
from people_town import T0, Town, alert, create, encode, ended, now_us, ok, pages, stamp

HOSTILE = ["<script>alert(1)</script><img src=x onerror=alert(1)>", "\x1b[31mred\x1b[0m\x07", "\u202egnp.exe\u2066",
           "=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\uff1d1+1", "a\"b,c\r\nd", "\u0000"[:0] + "caf\u00e9 \U0001f600"]


def test_events_are_found_by_form_the_newest_first():
    with Town() as t:
        t.send(t.red, [lambda s, i=i: create(s, 100 + i, 1, "/usr/bin/p%d" % (i % 3)) for i in range(30)])
        t.send(t.red, [lambda s: ended(s, 100)])
        items = ok(t.admin.get("/events"))["items"]
        assert len(items) == 31 and [e["seq"] for e in items] == list(range(31, 0, -1))
        e = items[-1]
        assert e["_id"] == "%s:%016x:kernel.critical:1" % (t.red.id, t.red.epoch)
        assert e["_hostname"] == "red-1" and e["_endpoint_id"] == t.red.id and e["raw"]["argv_size"] == 3
        assert ok(t.admin.get("/events/" + e["_id"])) == e
        assert t.admin.get("/events/" + e["_id"][:-1] + "99").status == 404
        assert t.admin.get("/events/nonsense").status == 404
        n = lambda **q: len(ok(t.admin.get("/events?" + encode(**q)))["items"])
        assert n(pid=100) == 2 and n(pid="100,101") == 3 and n(type="process_terminate") == 1
        assert n(type="process_create,process_terminate") == 31
        assert n(image_path="/usr/bin/p0") == 10 and n(**{"process_path.like": "/USR/*/p0"}) == 10
        assert n(**{"pid.min": 105, "pid.max": 106}) == 2 and n(**{"process_path.not": "/usr/bin/p0"}) == 21
        assert n(q="argv_size") == 30 and n(q="p0 x") == 10 and n(endpoint=t.blue.id) == 0
        assert n(q="%") == 0 and n(q="_rgv") == 0, "LIKE's own marks are text"
        assert n(**{"from": stamp(T0 + 5), "to": stamp(T0 + 8)}) == 3
        for bad in ("pid=x", "pid=1;2", "nope=1", "type=nope", "from=yesterday", "limit=0", "limit=1001", "cursor=x",
                    "pid=1&pid=2", "pid.like=1"):
            assert t.admin.get("/events?" + bad).status == 400, bad
        h = ok(t.admin.get("/events/histogram?" + encode(**{"from": stamp(T0 - 10**6), "to": stamp(T0 + 10**6)})))
        assert sum(b["count"] for b in h["buckets"]) == 31 and h["interval_s"] == 1
        assert sum(b["by_type"].get("process_create", 0) for b in h["buckets"]) == 30
        for limits in ({"from": stamp(T0 + 5), "to": stamp(T0 + 8)}, {"from": stamp(T0 + 5)}, {"to": stamp(T0 + 8)}, {}):
            for more in ({}, {"endpoint": t.red.id}, {"type": "process_create,process_fork"}):
                # q goes over the lines, without it over what blocks say of themselves: the same either way
                over_lines = ok(t.admin.get("/events/histogram?" + encode(q="seq", **limits, **more)))
                assert ok(t.admin.get("/events/histogram?" + encode(**limits, **more))) == over_lines, (limits, more)
        columns = {c["name"]: c for c in ok(t.admin.get("/events/columns"))}
        assert columns["pid"]["type"] == "integer" and "process_create" in columns["pid"]["types"]


def test_a_cursor_holds_while_events_come():
    with Town() as t:
        same = T0 + 500000  # many events of one microsecond, over several batches and both endpoints
        for _ in range(3):
            t.send(t.red, [lambda s: create(s, 1000 + s, 1, ts=same)] * 7 + [lambda s: create(s, 1000 + s, 1)] * 3)
            t.send(t.blue, [lambda s: create(s, 1000 + s, 1, ts=same)] * 5)
        whole = [e["_id"] for e in ok(t.admin.get("/events?limit=1000"))["items"]]
        assert len(whole) == len(set(whole)) == 45
        for limit in (1, 4, 7, 44, 45):
            assert [e["_id"] for e in pages(t.admin, "/events", limit)] == whole, limit
        page = ok(t.admin.get("/events?limit=20"))
        got, cursor = [e["_id"] for e in page["items"]], page["next"]
        while cursor:
            t.send(t.red, [lambda s: create(s, 5000 + s, 1, ts=now_us())])  # newer: behind the reader's back
            page = ok(t.admin.get("/events?limit=6&cursor=" + cursor))
            got += [e["_id"] for e in page["items"]]
            cursor = page["next"]
        assert got == whole
        other = ok(t.admin.get("/alerts?limit=1"))
        assert other["next"] is None
        page = ok(t.admin.get("/events?limit=1"))
        assert t.admin.get("/alerts?cursor=" + page["next"]).status == 400, "a cursor belongs to its list"


def test_another_groups_endpoint_does_not_exist():
    with Town() as t:
        for p in (t.red, t.blue):
            t.send(p, [lambda s: create(s, 7, 1, "/bin/secret"), lambda s: create(s, 8, 7)])
            t.send(p, [lambda s: alert(s, s, evidence=[{"epoch": "%016x" % p.epoch, "stream": "kernel.critical", "seq": 1,
                                                        "event": {"x": 1}}])], "alert")
        everything = t.alerts(2)
        foreign = [a for a in everything if a["endpoint_id"] == t.blue.id][0]["id"]
        own = [a for a in everything if a["endpoint_id"] == t.red.id][0]["id"]
        event = "%s:%016x:kernel.critical:1" % (t.blue.id, t.blue.epoch)
        for who in (t.ann, t.vic):
            for path in ("/events", "/events?endpoint=" + t.blue.id, "/events?q=secret", "/alerts", "/endpoints", "/ledger",
                         "/alerts?endpoint=" + t.blue.id, "/coverage-gaps", "/events?hostname=blue-1", "/endpoints?q=blue"):
                text = who.get(path).body.decode()
                assert t.blue.id not in text and "blue-1" not in text, (path, text)
            for path in ("/events/" + event, "/alerts/" + foreign, "/endpoints/" + t.blue.id,
                         "/endpoints/%s/ledger" % t.blue.id, "/endpoints/%s/processes/%016x" % (t.blue.id, 7),
                         "/endpoints/%s/processes/%016x/timeline" % (t.blue.id, 7), "/events/tail?endpoint=" + t.blue.id):
                assert who.get(path).status == 404, path
            assert [e["id"] for e in ok(who.get("/endpoints"))["items"]] == [t.red.id]
            assert sum(b["count"] for b in ok(who.get("/events/histogram"))["buckets"]) == 3
        assert t.ann.patch("/alerts/" + foreign, {"state": "closed"}, headers={"If-Match": "*"}).status == 404
        assert t.ann.post("/alerts/bulk", {"ids": [own, foreign], "state": "closed"}).status == 404
        assert ok(t.ann.get("/alerts/" + own))["state"] == "new", "all or none"
        assert t.ann.post("/alerts/%s/comments" % foreign, {"text": "x"}).status == 404
        for sql in ("SELECT count(*) FROM events WHERE hostname='blue-1'", "SELECT count(*) FROM alerts WHERE agent_id='%s'" % t.blue.id,
                    "SELECT count(*) FROM agents WHERE hostname='blue-1'", "SELECT count(*) FROM process_tree WHERE agent_id='%s'" % t.blue.id,
                    "SELECT count(*) FROM ledger WHERE agent_id='%s'" % t.blue.id, "SELECT count(*) FROM events WHERE raw LIKE '%%blue%%' OR agent_id<>'%s'" % t.red.id):
            assert ok(t.ann.post("/events/sql", {"sql": sql}))["rows"] == [[0]], sql
            assert ok(t.admin.post("/events/sql", {"sql": sql}))["rows"] != [[0]], sql
        for body in ({"filter": {}, "format": "ndjson"}, {"filter": {"endpoint": t.blue.id}, "format": "csv"},
                     {"sql": "SELECT * FROM alerts", "format": "csv"}, {"sql": "SELECT * FROM agents", "format": "ndjson"}):
            r = t.ann.post("/events/export", body)
            assert r.status == 200 and t.blue.id.encode() not in r.body and b"blue-1" not in r.body, (body, r)
        # Viewers neither write SQL nor export nor triage.
        assert t.vic.post("/events/sql", {"sql": "SELECT 1"}).status == 403
        assert t.vic.post("/events/export", {"filter": {}, "format": "csv"}).status == 403
        assert t.vic.patch("/alerts/" + own, {"state": "closed"}, headers={"If-Match": "*"}).status == 403
        assert t.ann.patch("/endpoints/" + t.red.id, {"note": "x"}, headers={"If-Match": "*"}).status == 403
        # A moved endpoint is seen at once, and no longer when it is moved away.
        ok(t.admin.patch("/endpoints/" + t.blue.id, {"group": "red"}, headers={"If-Match": "*"}))
        assert len(ok(t.ann.get("/endpoints"))["items"]) == 2 and t.ann.get("/events/" + event).status == 200
        ok(t.admin.patch("/endpoints/" + t.blue.id, {"group": "blue"}, headers={"If-Match": "*"}))
        assert t.ann.get("/alerts/" + foreign).status == 404


def test_an_alert_is_triaged_by_several_people_at_once():
    with Town() as t:
        t.send(t.red, [lambda s, i=i: alert(s, i, "critical" if i == 3 else "low", evidence=[
            {"epoch": "%016x" % t.red.epoch, "stream": "kernel.critical", "seq": 9, "event": {"x": 18446744073709551615}}])
            for i in range(1, 6)], "alert")
        t.alerts(5)
        items = ok(t.ann.get("/alerts"))["items"]
        assert [a["alert_id"] for a in items] == ["%032x" % i for i in (5, 4, 3, 2, 1)]
        assert [a["id"] for a in pages(t.ann, "/alerts", 2)] == [a["id"] for a in items]
        a = items[2]
        r = t.ann.get("/alerts/" + a["id"])
        tag, whole = r.headers["etag"], ok(r)
        assert whole["evidence"] == [{"_id": "%s:%016x:kernel.critical:9" % (t.red.id, t.red.epoch),
                                      "_endpoint_id": t.red.id, "x": 18446744073709551615}]
        assert whole["comments"] == [] and whole["state"] == "new" and whole["resolution"] is None
        change = {"state": "closed", "resolution": "benign", "assignee": "ann", "tags": ["a", "b"]}
        assert t.ann.patch("/alerts/" + a["id"], change).status == 428
        r = t.ann.patch("/alerts/" + a["id"], change, headers={"If-Match": tag})
        new = ok(r)
        assert r.headers["etag"] != tag and {k: new[k] for k in change} == change and new["version"] == a["version"] + 1
        assert t.ann.patch("/alerts/" + a["id"], {"state": "new"}, headers={"If-Match": tag}).status == 412
        for tag2 in ("x", '"x"', '"0"', 'W/"1"'):
            assert t.ann.patch("/alerts/" + a["id"], {"state": "new"}, headers={"If-Match": tag2}).status == 412, tag2
        star = {"If-Match": "*"}
        assert t.ann.patch("/alerts/" + items[0]["id"], {"resolution": "benign"}, headers=star).status == 422
        for bad in ({}, {"state": "open"}, {"resolution": 1}, {"assignee": ""}, {"tags": ["a", "a"]}, {"tags": [""]},
                    {"tags": "a"}, {"nope": 1}, {"tags": ["x" * 65]}, {"assignee": "a\u001bb"}, {"state": None}):
            assert t.ann.patch("/alerts/" + a["id"], bad, headers=star).status == 400, bad
        n = lambda **q: len(ok(t.ann.get("/alerts?" + encode(**q)))["items"])
        assert n(state="closed") == 1 and n(state="new,in_progress") == 4 and n(severity="critical") == 1
        assert n(assignee="ann") == 1 and n(assignee="") == 4 and n(tag="a") == 1 and n(rule="r1") == 3 and n(q="TITLE") == 5
        assert n(**{"from": stamp(T0 + 2), "to": stamp(T0 + 4)}) == 2
        for bad in ("state=open", "severity=bad", "state=", "from=x", "limit=0", "x=1", "cursor=x"):
            assert t.ann.get("/alerts?" + bad).status == 400, bad
        ids = [x["id"] for x in items if x["id"] != a["id"]]
        assert ok(t.ann.post("/alerts/bulk", {"ids": ids, "state": "in_progress", "assignee": "bob"})) == {"changed": 4}
        assert ok(t.ann.post("/alerts/bulk", {"ids": ids, "state": "in_progress"})) == {"changed": 0}
        assert t.ann.post("/alerts/bulk", {"ids": ids + ["999999"], "state": "closed"}).status == 404
        for bad in ([], ids + ids[:1], ["x"], [1], [str(i) for i in range(1, 502)]):
            assert t.ann.post("/alerts/bulk", {"ids": bad, "state": "closed"}).status == 400, len(bad)
        path = "/alerts/%s/comments" % a["id"]
        c = ok(t.ann.post(path, {"text": "<b>mine</b>\nline two"}), 201)
        assert c["author"] == "ann"
        theirs = ok(t.admin.post(path, {"text": "not yours"}), 201)
        for bad in ({}, {"text": ""}, {"text": "x" * 10001}, {"text": 1}, {"text": "\u001b[2J"}):
            assert t.ann.post(path, bad).status == 400, bad
        assert [x["text"] for x in ok(t.ann.get("/alerts/" + a["id"]))["comments"]] == ["<b>mine</b>\nline two", "not yours"]
        assert t.ann.delete(path + "/" + theirs["id"]).status == 403
        assert t.ann.delete("/alerts/%s/comments/%s" % (ids[0], c["id"])).status == 404
        assert t.ann.delete(path + "/" + c["id"]).status == 204 and t.ann.delete(path + "/" + c["id"]).status == 404
        assert ok(t.ann.get("/alerts/" + a["id"]))["comments_count"] == 1
        log = ok(t.admin.get("/audit?limit=100&actor=ann"))["items"]
        actions = [e["action"] for e in log]
        # Each alert of a bulk change is named.
        assert sorted(e["object"] for e in log if e["action"] == "alert.change") == sorted("alert:" + x["id"] for x in items)
        assert "alert.comment" in actions and "alert.comment_delete" in actions
        # The same alert again, by a restarted sensor: it keeps what people made of it.
        t.send(t.red, [lambda s: alert(s, 3, "critical")], "alert")
        t.send(t.red, [lambda s: alert(s, 77)], "alert")
        t.alerts(6)
        assert ok(t.ann.get("/alerts/" + a["id"]))["state"] == "closed"


def test_endpoints_say_how_they_are():
    with Town() as t:
        assert [e["status"] for e in ok(t.admin.get("/endpoints"))["items"]] == ["never", "never"]
        metrics = {"engine": {"source": "ebpf"}, "sensor": {"hooks_live": 40, "hooks_missing": 2, "missing": "a, <b>",
                                                            "governor": "full"}}
        assert t.red.heartbeat(metrics=metrics).status == 200
        assert t.blue.heartbeat(status="degraded", health=["<i>disk</i>", "\u202ex"]).status == 200
        by = {e["hostname"]: e for e in ok(t.admin.get("/endpoints"))["items"]}
        assert by["red-1"]["status"] == "online" and by["blue-1"]["status"] == "degraded"
        assert by["blue-1"]["health"] == ["<i>disk</i>", "\u202ex"] and by["red-1"]["group"] == "red"
        assert by["red-1"]["sensor"]["hooks_missing"] == ["a", "<b>"] and by["red-1"]["sensor"]["source"] == "ebpf"
        assert by["red-1"]["address"] == "127.0.0.1" and by["red-1"]["streams"][0]["in_flight"] == 3
        n = lambda **q: len(ok(t.admin.get("/endpoints?" + encode(**q)))["items"])
        assert n(status="degraded") == 1 and n(group="red") == 1 and n(q="RED") == 1 and n(q="%") == 0
        assert [e["hostname"] for e in pages(t.admin, "/endpoints", 1)] == ["blue-1", "red-1"]
        r = t.admin.get("/endpoints/" + t.red.id)
        tag, e = r.headers["etag"], ok(r)
        assert e["metrics"] == metrics and e["note"] == ""
        assert t.admin.patch("/endpoints/" + t.red.id, {"note": "x"}).status == 428
        r = t.admin.patch("/endpoints/" + t.red.id, {"note": "n\u00f6te", "revoked": True}, headers={"If-Match": tag})
        e = ok(r)
        assert e["note"] == "n\u00f6te" and e["status"] == "revoked" and e["group"] == "red"
        assert t.admin.patch("/endpoints/" + t.red.id, {"note": "y"}, headers={"If-Match": tag}).status == 412
        assert t.red.heartbeat().status == 403
        for bad in ({}, {"group": ""}, {"group": "a b"}, {"group": "x" * 65}, {"revoked": 1}, {"note": "x" * 1001}, {"id": "x"}):
            assert t.admin.patch("/endpoints/" + t.red.id, bad, headers={"If-Match": "*"}).status == 400, bad
        assert "endpoint.change" in [a["action"] for a in ok(t.admin.get("/audit"))["items"]]


def test_the_ledger_and_its_gaps_are_lists():
    with Town() as t:
        for p in (t.red, t.blue):
            t.send(p, [lambda s: create(s, 10 + s, 1)] * 5)
            t.send(p, [lambda s: ended(s, 10)], "kernel.bulk")
        rows = ok(t.admin.get("/ledger"))["items"]
        assert len(rows) == 4 and all(r["missing"] == 0 and r["losses"] == [] for r in rows)
        assert sorted((r["hostname"], r["stream"], r["stored"]) for r in rows) == [
            ("blue-1", "kernel.bulk", 1), ("blue-1", "kernel.critical", 5), ("red-1", "kernel.bulk", 1), ("red-1", "kernel.critical", 5)]
        assert pages(t.admin, "/ledger", 1) == rows
        own = ok(t.ann.get("/endpoints/%s/ledger" % t.red.id))["items"]
        assert own == [r for r in rows if r["endpoint_id"] == t.red.id] == ok(t.ann.get("/ledger"))["items"]
        assert ok(t.admin.get("/coverage-gaps"))["items"] == []
        assert ok(t.admin.get("/rules?limit=2"))["next"] and t.admin.get("/rules?cursor=x").status == 400
        rules = pages(t.vic, "/rules", 200)
        assert len(rules) > 20 and all(r["alerts_7d"] == 0 and r["enabled"] in (True, False) for r in rules)
        grave = ("informational", "low", "medium", "high", "critical")
        assert all(r["severity"] in grave for r in rules), [r for r in rules if r["severity"] not in grave]
        assert len({r["severity"] for r in rules}) > 2


def test_an_endpoint_that_is_moved_out_of_sight_is_answered_once_more():
    with Town() as t:
        chief = make_user(t.admin, "chief", "admin", ["red"])
        path = "/endpoints/" + t.red.id
        tag = chief.get(path).headers["etag"]
        assert chief.patch(path, {"group": "blue", "note revoked": True}, headers={"If-Match": tag}).status == 400  # not two keys
        assert chief.patch(path, {"group": "blue", "revoked note": True}, headers={"If-Match": tag}).status == 400
        assert ok(chief.patch(path, {"group": "blue"}, headers={"If-Match": tag}))["group"] == "blue"
        assert chief.get(path).status == 404
        assert chief.patch(path, {"group": "red"}, headers={"If-Match": "*"}).status == 404
        assert ok(t.admin.get(path))["group"] == "blue"


def test_a_rule_is_shown_as_its_newest_alert_was():
    with Town() as t:
        t.send(t.red, [lambda s: alert(s, 2, "low", "old title"), lambda s: alert(s, 4, "critical", "new title"),
                       lambda s: alert(s, 6, "high", "older", ts=T0 - 1)], "alert")
        t.alerts(3)
        top = ok(t.admin.get("/overview"))["top_rules"]
        assert top == [{"rule_id": "r0", "rule_title": "new title", "severity": "critical", "alerts": 3}], top


def report(epoch, lost, stream="kernel.critical", reason="evicted"):
    """A line of the agent's: so many were lost since the stream began."""
    return lambda seq: {"ts": "2026-11-24T00:00:00.%06dZ" % seq, "module": "agent", "event_type": "telemetry_loss",
                        "raw": {"epoch": "%016x" % epoch, "lost": lost, "reason": reason, "stream": stream},
                        "source": "agent", "kind": "TelemetryLoss", "event_version": 7, "seq": seq}


def test_losses_of_the_overview_are_what_rose_in_the_last_day():
    with Town() as t:
        losses = lambda p: ok(p.get("/overview"))["losses_24h"]
        assert losses(t.admin) == 0
        t.send(t.red, [report(1, 5), report(1, 9), report(2, 100), report(1, 3, reason="ring_full")], "agent")
        t.send(t.blue, [report(1, 40)], "agent")
        assert losses(t.admin) == 9 + 100 + 3 + 40 and losses(t.ann) == 9 + 100 + 3
        t.send(t.red, [report(2, 101)], "agent")
        assert losses(t.ann) == 9 + 101 + 3
        # What a stolen certificate reports is a number like others: everybody else's page goes on.
        t.send(t.blue, [report(e, 2**53 - 1) for e in range(3, 1100)], "agent")
        assert losses(t.admin) == 9 + 101 + 3 + 40 + 1097 * 10**12
        for path in ("/ledger", "/endpoints/%s/ledger" % t.blue.id, "/coverage-gaps", "/endpoints"):
            ok(t.admin.get(path))


def test_sql_has_limits_and_says_where_it_is_wrong():
    with Town(sql={"time_limit_ms": 1500}) as t:
        t.send(t.red, [lambda s: create(s, 10 + s, 1)] * 20)
        sql = lambda text, **more: t.admin.post("/events/sql", dict(sql=text, **more))
        r = ok(sql("SELECT pid, process_path AS p, 9223372036854775807, 1.5, NULL, x'00ff' FROM events ORDER BY pid", limit=2))
        assert [c["name"] for c in r["columns"]][:2] == ["pid", "p"] and r["truncated"] is True
        assert r["rows"] == [[11, "/bin/sh", "9223372036854775807", 1.5, None, "00ff"], [12, "/bin/sh", "9223372036854775807", 1.5, None, "00ff"]]
        r = sql("SELECT 1,\n  nope FROM events")
        assert r.status == 422 and r.json["line"] == 2 and r.json["column"] == 3 and "nope" in r.json["detail"], r
        for bad in ("DELETE FROM events", "SELECT 1; SELECT 2", "PRAGMA user_version", "ATTACH 'x' AS y", "SELECT * FROM state.user",
                    "SELECT password FROM user", "", "SELECT load_extension('x')", "SELECT hash FROM state.session"):
            r = sql(bad)
            assert r.status == (400 if bad == "" else 422), (bad, r)
        slow = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT count(*) FROM c"
        assert sql(slow).status == 408
        big = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT group_concat(hex(x)||'%s') FROM c" % ("x" * 1000)
        assert sql(big).status in (408, 413)
        for bad in ({"limit": 0}, {"limit": 10001}, {"limit": "1"}):
            assert sql("SELECT 1", **bad).status == 400, bad


def test_hostile_text_stays_text_everywhere():
    with Town() as t:
        t.send(t.red, [lambda s, i=i, text=text: create(s, 100 + i, 1, "/bin/sh", text) for i, text in enumerate(HOSTILE)])
        t.send(t.red, [lambda s: alert(s, 1, title=HOSTILE[0] + HOSTILE[2])], "alert")
        t.alerts(1)
        items = ok(t.admin.get("/events"))["items"]
        got = sorted(e["process"]["command_line"] for e in items if e["event_type"] == "process_create")
        assert got == sorted("sh " + h for h in HOSTILE), got
        assert ok(t.admin.get("/alerts"))["items"][0]["rule_title"] == HOSTILE[0] + HOSTILE[2]
        for text in HOSTILE:
            found = ok(t.admin.get("/events?" + encode(command_line="sh " + text))) if text.isprintable() else None
            assert found is None or len(found["items"]) == 1, text
        r = t.admin.get("/events?" + encode(q="\x1b"))
        assert r.status == 400, "control characters are no parameter"
        r = t.admin.post("/events/export", {"sql": "SELECT substr(command_line,4) AS c, pid, -5 AS n FROM events WHERE event_type='process_create' ORDER BY pid",
                                            "format": "csv"})
        assert r.status == 200 and r.headers["content-disposition"] == 'attachment; filename="events.csv"'
        rows = list(csv.reader(io.StringIO(r.body.decode(), newline="")))
        assert rows[0] == ["c", "pid", "n"] and len(rows) == 1 + len(HOSTILE)
        for row, text in zip(rows[1:], HOSTILE):
            assert row[0] == ("'" + text if text[:1] in "=+-@\t\r\uff1d" else text), row
            assert row[2] == "-5"
        # One line of a megabyte, through every door.
        big = "y" * ((1 << 19) - 2000)  # it stands in a line twice
        t.send(t.red, [lambda s: create(s, 999, 1, "/bin/sh", big)] * 9)
        e = ok(t.admin.get("/events?pid=999&limit=1"))["items"][0]
        assert e["process"]["command_line"] == "sh " + big and ok(t.admin.get("/events/" + e["_id"])) == e
        assert len(pages(t.admin, "/events?pid=999", 1000)) == 9, "a page ends early, the next one goes on"
        assert len(ok(t.admin.get("/events?pid=999"))["items"]) < 9
        body = t.admin.post("/events/export", {"filter": {"pid": "999"}, "format": "ndjson"}).body
        assert sorted(json.loads(l)["_id"] for l in body.splitlines()) == sorted(x["_id"] for x in pages(t.admin, "/events?pid=999", 9))
        assert ok(t.admin.post("/events/sql", {"sql": "SELECT length(raw) FROM events WHERE pid=999"}))["rows"][0][0] > 1000000


def test_exports_are_whole_or_refused():
    with Town() as t:
        for _ in range(4):
            t.send(t.red, [lambda s: create(s, 10 + s, 1)] * 2000)
        r = t.ann.post("/events/export", {"filter": {"type": "process_create"}, "format": "ndjson"})
        lines = r.body.splitlines()
        assert r.status == 200 and len(lines) == 8000 and len({json.loads(l)["_id"] for l in lines}) == 8000
        r = t.ann.post("/events/export", {"filter": {"pid.min": "8000"}, "format": "csv"})
        rows = list(csv.reader(io.StringIO(r.body.decode(), newline="")))
        assert rows[0][:3] == ["ts", "received_at", "agent_id"] and len(rows) == 1 + 11
        for bad in ({}, {"format": "xml", "filter": {}}, {"format": "csv", "filter": {"nope": "1"}}, {"format": "csv", "filter": []},
                    {"format": "csv", "filter": {"pid": 1}}, {"format": "csv", "sql": "SELECT 1", "filter": {}}):
            assert t.ann.post("/events/export", bad).status == 400, bad
        assert t.ann.post("/events/export", {"format": "csv", "sql": "SELECT nope"}).status == 422


def test_one_slow_reader_does_not_take_all_places_of_exports():
    with Town() as t:
        bob = make_user(t.admin, "bob", "analyst")
        body = json.dumps({"format": "csv", "sql": "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x < 9000000) "
                                                   "SELECT x, x, x, x FROM c"}).encode()

        def begin(who):  # reads nothing but the head
            c = who.client.connection(timeout=30)
            c.request("POST", BASE + "/events/export", body=body, headers={
                "Content-Type": "application/json", "Cookie": "__Host-wedr_session=" + who.cookie, "X-CSRF-Token": who.csrf})
            return c, c.getresponse().status
        held = [begin(t.ann) for _ in range(3)] + [begin(bob)]
        assert [status for _, status in held] == [200, 200, 429, 200], held
        for c, _ in held:
            c.close()


class Watch:
    """A reader of server-sent events."""

    def __init__(self, who, path, headers=None):
        self.c = who.client.connection(timeout=30)
        h = dict(headers or {}, Cookie="__Host-wedr_session=" + who.cookie)
        self.c.request("GET", BASE + path, headers=h)
        self.r = self.c.getresponse()
        assert self.r.status == 200, (self.r.status, self.r.read(300))
        assert self.r.getheader("content-type") == "text/event-stream"

    def next(self):
        """(event, data) of the next message that is no comment."""
        event, data = "message", None
        while True:
            line = self.r.readline()
            assert line, "the stream ended"
            line = line.decode().rstrip("\n")
            if line == "" and data is not None:
                return event, json.loads(data)
            if line.startswith("event: "):
                event = line[7:]
            elif line.startswith("data: "):
                data = line[6:]

    def placed(self):
        """The thread that tells has taken it over: comments are its alone, one after two seconds of silence."""
        while self.r.readline() != b":\n":
            pass

    def close(self):
        self.r.close()
        self.c.close()


def test_new_events_are_told_to_those_who_may_see_them():
    with Town() as t:
        t.send(t.red, [lambda s: create(s, 5, 1)])
        every, red, ends = Watch(t.admin, "/events/tail"), Watch(t.vic, "/events/tail"), Watch(t.admin, "/events/tail?type=process_terminate&endpoint=" + t.red.id)
        assert every.r.readline() == red.r.readline() == ends.r.readline() == b"retry: 1000\n"
        for w in (every, red, ends):
            w.placed()
        begin = time.monotonic()
        t.send(t.blue, [lambda s: create(s, 70, 1)])
        t.send(t.red, [lambda s: create(s, 80, 1, argument="<b>"), lambda s: ended(s, 80)])
        event, data = every.next()
        took = time.monotonic() - begin
        assert event == "message" and data["_hostname"] == "blue-1" and data["process"]["pid"] == 70
        assert [every.next()[1]["event_type"] for _ in range(2)] == ["process_create", "process_terminate"]
        print("             first event %.0f ms after the commit began" % (took * 1000))
        first = red.next()[1]
        assert first["_hostname"] == "red-1" and first["process"]["command_line"] == "sh <b>", "nothing of blue"
        assert ends.next()[1]["event_type"] == "process_terminate"
        for w in (every, red, ends):
            w.close()
        again = Watch(t.vic, "/events/tail", {"Last-Event-ID": "x"})
        assert again.next() == ("lost", {"count": None})
        again.close()
        assert t.admin.get("/events/tail?type=nope").status == 400
        assert t.admin.get("/events/tail?endpoint=nope").status == 404


def test_a_day_that_is_deleted_gives_its_room_back_when_nobody_watches():
    """What the tail read for those who watched before it does not keep open."""
    def deleted():
        folder, found = "/proc/%d/fd/" % t.server.proc.pid, []
        for fd in os.listdir(folder):
            try:
                found.append(os.readlink(folder + fd))
            except FileNotFoundError:
                pass
        return [x for x in found if "/events/" in x and x.endswith(" (deleted)")]

    with tempfile.NamedTemporaryFile() as clock:
        clock.write(struct.pack("<q", -3 * 86400 * 10**6))
        clock.flush()
        os.environ.update(WEDR_SHIM_CLOCK=clock.name, LD_PRELOAD=lab.preload("shim_clock")["LD_PRELOAD"])
        try:
            town = Town(people={"stream_life_ms": int(6000 * lab.SLOW)}, events={"retention_days": 1, "keep_interval_ms": 100, "clock_doubt_s": 0})
        finally:
            del os.environ["WEDR_SHIM_CLOCK"], os.environ["LD_PRELOAD"]
        with town as t:
            w = Watch(t.admin, "/events/tail")
            w.placed()
            t.send(t.red, [lambda s: create(s, 5, 1, ts=now_us() - 3 * 86400 * 10**6)])  # its clock is the server's
            assert w.next()[1]["process"]["pid"] == 5
            w.r.read()  # until the server ends the stream
            w.close()
            days = lambda: [n for n in os.listdir(t.server.data + "/events") if n.startswith("20") and n.endswith(".db")]
            assert len(days()) == 1
            clock.seek(0)
            clock.write(struct.pack("<q", 0))
            clock.flush()
            lab.wait_for("the day to be deleted", 20, lambda: not days())
            lab.wait_for("its readers to let it go", 10, lambda: not deleted())


def test_a_stream_ends_and_who_comes_back_is_told_that_something_may_be_missing():
    with Town(people={"stream_life_ms": int(6000 * lab.SLOW)}) as t:
        for path in ("/events/tail", "/alerts/stream"):
            w = Watch(t.vic, path)
            greeting = w.r.read()  # until the server ends it, and properly: the last chunk is there
            assert b"id: 0\n" in greeting and b"lost" not in greeting, greeting
            w.close()
            again = Watch(t.vic, path, {"Last-Event-ID": "0"})
            assert again.next() == ("lost", {"count": None})
            again.close()
        again = Watch(t.vic, "/events/tail", {"Last-Event-ID": "0"})
        assert again.next() == ("lost", {"count": None})
        again.placed()
        t.send(t.red, [lambda s: create(s, 90, 1)])
        assert again.next()[1]["process"]["pid"] == 90
        # Who lost the right to look loses the stream with its end.
        assert t.admin.request("DELETE", "/users/%s" % t.vic.user["id"]).status == 204
        while again.r.readline():
            pass
        again.close()
        c = t.vic.client.connection(timeout=30)
        c.request("GET", BASE + "/events/tail", headers={"Cookie": "__Host-wedr_session=" + t.vic.cookie})
        assert c.getresponse().status == 401
        c.close()


def test_a_slow_watcher_is_told_what_it_lost_and_holds_up_nobody():
    with Town() as t:
        slow = Watch(t.admin, "/events/tail")
        slow.placed()
        sent = 0
        for _ in range(20):  # 28 MB: more than sockets and the stream hold
            t.send(t.red, [lambda s: create(s, 10 + s, 1)] * 2000)
            sent += 2000
        time.sleep(1 * lab.SLOW)
        got = lost = 0
        while got + lost < sent:
            event, data = slow.next()
            if event == "lost":
                lost += data["count"]
            else:
                got += 1
        assert got + lost == sent and lost > 0 and got > 0, (got, lost)
        slow.close()


def test_a_watch_that_cannot_begin_takes_no_other_with_it():
    """Out of descriptors: each stream ends, or tells what comes."""
    with Town() as t:
        pid, cookie = t.server.proc.pid, {"Cookie": "__Host-wedr_session=" + t.vic.cookie}
        kept = [t.vic.client.connection(timeout=15) for _ in range(8)]
        for c in kept:
            c.request("GET", BASE + "/session", headers=cookie)
            assert c.getresponse().read()
        limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = {int(f) for f in os.listdir("/proc/%d/fd" % pid)}
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(set(range(len(used) + 1)) - used), limit[1]))
        os.kill(pid, signal.SIGSTOP)  # they come together
        for c in kept:
            c.request("GET", BASE + "/events/tail", headers=cookie)
        os.kill(pid, signal.SIGCONT)
        streams = [c.getresponse() for c in kept]
        assert [r.status for r in streams] == [200] * 8
        lab.wait_for("the first one to fail", 20, lambda: "tail.not_begun" in open(t.server.log, encoding="utf-8").read())
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
        t.send(t.red, [lambda s: create(s, 5, 1)])
        end = time.monotonic() + 15 * lab.SLOW
        for r in streams:
            line = r.readline()
            while line and not line.startswith(b"data: "):
                assert time.monotonic() < end, "a stream that neither ends nor tells"
                line = r.readline()
            assert line == b"" or b'"pid":5' in line, line


def test_watchers_are_counted():
    with Town() as t:
        watches = [Watch(t.vic, "/events/tail") for _ in range(8)]
        r = t.vic.get("/alerts/stream")
        assert r.status == 429 and r.headers["retry-after"], r
        assert Watch(t.ann, "/alerts/stream").r.status == 200
        watches.pop().close()
        lab.wait_for("the place", 40, lambda: t.vic.client.request("GET", BASE + "/events/tail?type=nope", headers={
            "Cookie": "__Host-wedr_session=" + t.vic.cookie}).status == 400)


def test_alerts_are_told_when_made_and_when_changed():
    with Town() as t:
        every, red = Watch(t.admin, "/alerts/stream"), Watch(t.vic, "/alerts/stream")
        every.placed(), red.placed()
        t.send(t.blue, [lambda s: alert(s, 1)], "alert")
        t.send(t.red, [lambda s: alert(s, 2)], "alert")
        event, data = red.next()
        assert event == "created" and data["endpoint_id"] == t.red.id and data["state"] == "new"
        assert {every.next()[1]["endpoint_id"] for _ in range(2)} == {t.red.id, t.blue.id}
        ok(t.ann.patch("/alerts/" + data["id"], {"state": "in_progress"}, headers={"If-Match": "*"}))
        event, changed = red.next()
        assert event == "changed" and changed["id"] == data["id"] and changed["state"] == "in_progress"
        ok(t.ann.post("/alerts/%s/comments" % data["id"], {"text": "x"}), 201)
        assert red.next()[1]["comments_count"] == 1
        begin = time.monotonic()
        t.server.stop()  # with watchers
        assert time.monotonic() - begin < 20 * lab.SLOW
        t.server.start()


if __name__ == "__main__":
    lab.main()
