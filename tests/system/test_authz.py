# SPDX-License-Identifier: Apache-2.0
"""Attack case 7: every operation of the served document, as everybody, on own and on foreign objects.

Nothing here lists routes: what the document names is asked. An operation that is new is covered by being documented, and one that
is not documented fails unit.test_server_openapi.
"""
import contextlib
import itertools
import json
import os
import sqlite3
import time
import uuid

import lab
from people_client import BASE, House, Person, make_user
from server_client import BOOT, Client, Peer, zstd

RIGHTS = {"viewer": {"read"}, "analyst": {"read", "triage"}, "responder": {"read", "triage", "respond"},
          "admin": {"read", "triage", "respond", "admin"}}
SCOPES = ("read", "triage", "respond", "admin")
MANY = {"people": {"signins_per_minute": 1000000, "signins_total_per_minute": 1000000}}
NOTHING = {"endpoints": str(uuid.UUID(int=7, version=4)), "commands": str(uuid.UUID(int=8, version=4)),
           "events": "%s:%016x:kernel.critical:1" % (uuid.UUID(int=7, version=4), 9)}
# A harmless body where the right alone does not say whether foreign rows are seen.
BODIES = {"querySql": {"sql": "SELECT * FROM events"}, "exportEvents": {"sql": "SELECT * FROM events", "format": "ndjson"}}


def stamp():
    us = time.time_ns() // 1000
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(us // 1000000)) + ".%06dZ" % (us % 1000000)


def exit_line(seq, comm):
    return {"ts": stamp(), "module": "kernel_callback", "event_type": "process_terminate", "process": {"pid": 5, "key": "%016x" % 5},
            "raw": {"pid": 5, "exit_code": 1, "process_key": "%016x" % 5, "parent_pid": 1, "uid": 0, "comm": comm}, "source": "kernel",
            "kind": "ProcessExit", "event_version": 7, "seq": seq, "drop_count": 0, "trunc_count": 0}


def alert_line(seq, n):
    raw = {"alert_id": "%032x" % n, "rule_id": "r", "rule_title": "title", "rule_language": "sigma", "severity": "high",
           "severity_code": 4, "entity": "e", "event_time": stamp(), "suppressed": 0, "match_count": 1, "rules_serial": "1", "evidence": []}
    return {"ts": stamp(), "module": "agent", "event_type": "alert", "raw": raw, "source": "agent", "kind": "Alert", "event_version": 7,
            "seq": seq}


class World(House):
    """Two endpoints in two groups with events and an alert each; a person of every role who sees all, and two who see one."""

    def __enter__(self):
        super().__enter__()
        self.own, self.foreign = self.endpoint("own-host", "web"), self.endpoint("foreign-host", "db")
        lab.wait_for("the alerts", 20, lambda: self.server.one("SELECT COUNT(*) AS n FROM alerts")["n"] == 2)
        self.doc = Client(self.server).request("GET", BASE + "/openapi.json").json
        self.operations = [(path, method.upper(), op) for path, item in self.doc["paths"].items() for method, op in item.items()]
        return self

    def endpoint(self, name, group):
        r = self.admin.post("/enrollment-tokens", {"uses": 1, "hours": 1, "group": group, "note": ""})
        p = Peer(self.server, self.lab.folder, name)
        assert p.enroll(token=r.json["token"], hostname=name).status == 201
        for stream, lines in (("kernel.critical", [exit_line(s, name) for s in range(1, 21)]), ("alert", [alert_line(1, len(name))])):
            body = zstd(b"".join(json.dumps(l, separators=(",", ":")).encode() + b"\n" for l in lines))
            r = p.post(1, len(lines), body=body, stream=stream)
            assert r.status == 202 and r.json["skipped"] == 0, r
        assert p.heartbeat(boot_id=BOOT).status == 200
        p.command = self.admin.post("/endpoints/%s/commands" % p.id, {"type": "update_rules"}).json["id"]
        p.event = "%s:%016x:kernel.critical:1" % (p.id, p.epoch)
        return p

    def alert_of(self, peer):
        with contextlib.closing(sqlite3.connect(os.path.join(self.server.data, "state.db"))) as db:
            return str(db.execute("SELECT id FROM alert WHERE agent_id=?", (peer.id,)).fetchone()[0])

    def ids(self, path):
        """Ids for the path's {id}: (own, foreign, of nothing); None when its objects have no scope."""
        kind = path.split("/")[1]
        if "{id}" not in path or kind not in ("endpoints", "events", "alerts", "commands"):
            return None
        if kind == "alerts":
            return self.alert_of(self.own), self.alert_of(self.foreign), "999999"
        pick = {"endpoints": lambda p: p.id, "events": lambda p: p.event, "commands": lambda p: p.command}[kind]
        return pick(self.own), pick(self.foreign), NOTHING[kind]


def fill(path, object_id="999999"):
    return path.replace("{id}", object_id).replace("{key}", "%016x" % 5).replace("{comment}", "999999")


def ask(person, method, path, op, object_id="999999", query="", whole=False):
    """The answer's status, and its body when `whole`. A stream is left after its head."""
    body = None
    if "requestBody" in op:
        body = json.dumps(BODIES.get(op["operationId"], {})).encode()
    h = {"Host": "a"}
    if body is not None:
        h["Content-Type"] = "application/json"
    if "If-Match" in json.dumps(op) or "if_match" in json.dumps(op):
        h["If-Match"] = '"999999"'
    if person.token:
        h["Authorization"] = "Bearer " + person.token
    elif person.cookie:
        h["Cookie"] = "__Host-wedr_session=" + person.cookie
        if method != "GET":
            h["X-CSRF-Token"] = person.csrf
    c = person.client.connection()
    try:
        c.request(method, BASE + fill(path, object_id) + query, body=body, headers=h)
        r = c.getresponse()
        streams = "event-stream" in (r.getheader("Content-Type") or "")
        return (r.status, b"" if streams else r.read()) if whole else r.status
    finally:
        c.close()


def allowed(op, kind, may, session):
    need = op["x-wedr-need"]
    return need == "none" or (session if need in ("session", "self") else not session if need == "token" else need in may)


# What ends the asker's own session or needs real words is asked last, or not as such.
LAST = ("signOut", "endOtherSessions", "revokeToken")


def order(operations):
    return sorted(operations, key=lambda o: o[2]["operationId"] in LAST)


def check_matrix(w, person, may, session, name):
    wrong = []
    for path, method, op in order(w.operations):
        if op["operationId"] == "endOtherSessions":
            continue
        status = ask(person, method, path, op)
        refused = status in (401, 403)
        if op["operationId"] == "signIn":
            continue
        if refused == allowed(op, name, may, session) or status >= 500:
            wrong.append((name, method, path, op["x-wedr-need"], status))
        if op["operationId"] == "revokeToken" and not session:
            assert ask(person, method, path, op) == 401, "it is revoked"
        if op["operationId"] == "signOut" and session:
            assert ask(person, "GET", "/session", w.doc["paths"]["/session"]["get"]) == 401
    assert not wrong, wrong


def test_case_7_every_operation_as_every_role():
    with World(**MANY) as w:
        assert len(w.operations) >= 20
        nobody = Person(w.server)
        for path, method, op in w.operations:
            if op["x-wedr-need"] != "none":
                assert ask(nobody, method, path, op) == 401, (method, path)
        for role, may in RIGHTS.items():
            check_matrix(w, make_user(w.admin, "u-" + role, role), may, True, role)


def test_case_7_every_operation_with_every_scope_of_a_token():
    with World(**MANY) as w:
        for role in RIGHTS:
            owner = make_user(w.admin, "u-" + role, role)
            for scopes in [[s] for s in SCOPES] + [list(SCOPES)]:
                r = owner.post("/tokens", {"name": "t", "scopes": scopes, "expires_days": 1})
                assert r.status == 201, r
                check_matrix(w, Person(w.server, r.json["token"]), RIGHTS[role] & set(scopes), False, "%s with %s" % (role, scopes))


def test_case_7_whoever_must_change_the_password_can_do_nothing_else():
    with World(**MANY) as w:
        r = w.admin.post("/users", {"username": "fresh", "role": "admin"})
        p = Person(w.server)
        assert p.sign_in("fresh", r.json["password"]).status == 200
        for path, method, op in w.operations:
            if op["x-wedr-need"] not in ("none", "session"):
                assert ask(p, method, path, op) == 403, (method, path)


def test_case_7_foreign_endpoints_do_not_exist():
    with World(**MANY) as w:
        looked = 0
        for role in RIGHTS:
            scoped = make_user(w.admin, "s-" + role, role, groups=["web"])
            for path, method, op in w.operations:
                ids = w.ids(path)
                if not ids or op["x-wedr-need"] not in RIGHTS[role]:
                    continue
                own, foreign, nothing = (ask(scoped, method, path, op, i, whole=True) for i in ids)
                looked += 1
                # Nothing tells a foreign one from one that never was, whatever is wrong with the request otherwise.
                assert foreign[0] == nothing[0] and foreign[1].replace(ids[1].encode(), b"") == nothing[1].replace(ids[2].encode(), b""), (
                    method, path, foreign, nothing)
                if method == "GET":
                    assert foreign[0] == 404, (method, path, foreign)
                assert own[0] not in (401, 403) and own[0] < 500, (method, path, own)
        assert looked >= 12, "the document has operations on endpoints, events, alerts and commands"


def test_case_7_lists_and_queries_show_own_endpoints_alone():
    with World(**MANY) as w:
        marks = (w.foreign.id.encode(), b"foreign-host")
        for role in RIGHTS:
            scoped = make_user(w.admin, "s-" + role, role, groups=["web"])
            none = make_user(w.admin, "n-" + role, role, groups=[])
            for path, method, op in w.operations:
                reads = method == "GET" or op["operationId"] in BODIES
                if not reads or op["x-wedr-need"] not in ("read", "triage") or op["x-wedr-need"] not in RIGHTS[role]:
                    continue
                names = [p.get("name") for p in op.get("parameters", [])]
                queries = [""] + (["?endpoint=" + w.foreign.id] if "endpoint" in names else []) + (
                    ["?q=foreign"] if "q" in names else []) + (["?group=db"] if "group" in names else [])
                own = w.ids(path)
                for person, query in itertools.product((scoped, none), queries):
                    status, body = ask(person, method, path, op, own[0] if own else "999999", query, whole=True)
                    assert status < 500, (method, path, query, status, body[:300])
                    for mark in marks:
                        assert mark not in body, (role, method, path, query, body[:500])
                    if person is none:
                        assert w.own.id.encode() not in body or status == 404, (role, method, path, query, body[:500])


def test_case_7_people_do_not_reach_what_is_others():
    with World(**MANY) as w:
        ana, bob = make_user(w.admin, "ana", "responder"), make_user(w.admin, "bob", "responder")
        token = bob.post("/tokens", {"name": "t", "scopes": ["read"], "expires_days": 1}).json
        session = bob.get("/account/sessions").json["items"][0]
        for path in ("/tokens/%s" % token["id"], "/account/sessions/%s" % session["id"]):
            foreign, nothing = ana.delete(path), ana.delete(path.rsplit("/", 1)[0] + "/999999")
            assert foreign.status == nothing.status == 404 and foreign.body == nothing.body, (path, foreign, nothing)
        assert bob.get("/session").status == 200
        assert Person(w.server, token["token"]).get("/session").status == 403, "the token still works, and is no session"
        assert [t["id"] for t in ana.get("/tokens").json["items"]] == []


def test_the_overview_counts_what_the_asker_sees():
    with World(**MANY) as w:
        web = make_user(w.admin, "web", "viewer", groups=["web"])
        none = make_user(w.admin, "none", "viewer", groups=[])
        for person, endpoints in ((w.admin, 2), (web, 1), (none, 0)):
            r = person.get("/overview")
            assert r.status == 200, r
            o = r.json
            assert o["endpoints"] == {"total": endpoints, "online": endpoints, "offline": 0, "degraded": 0}, o["endpoints"]
            assert o["alerts"]["open"] == ({"high": endpoints} if endpoints else {}), o["alerts"]
            assert sum(h["count"] for h in o["events_24h"]) == 21 * endpoints, o["events_24h"]
            assert len(o["events_24h"]) == 25 and o["losses_24h"] == 0
            assert [t["alerts"] for t in o["top_rules"]] == ([endpoints] if endpoints else [])
            assert o["store"]["events"] == 21 * endpoints


lab.main()
