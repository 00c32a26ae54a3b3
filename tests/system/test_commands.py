# SPDX-License-Identifier: Apache-2.0
"""Commands, profile, template and plain alerts between people, the real wedr-server and agents made of Python."""
import base64
import ctypes
import hashlib
import json
import os
import struct
import subprocess
import uuid

import lab
from people_client import House, make_user
from server_client import BOOT, Peer, sodium

KEY = "0123456789abcdef"
TAKES = {"boot_id": BOOT, "commands": ["kill_process", "update_rules"]}


def kill_of(pid, key=KEY):
    return {"type": "kill_process", "payload": {"pid": pid, "process_key": key}}


class World(House):
    """Two endpoints in two groups, each said what it takes; one responder per group."""

    def __enter__(self):
        super().__enter__()
        self.web, self.db = self.endpoint("web"), self.endpoint("db")
        self.responder = make_user(self.admin, "rita", "responder", ["web"])
        self.analyst = make_user(self.admin, "ana", "analyst", ["web"])
        return self

    def endpoint(self, group):
        r = self.admin.post("/enrollment-tokens", {"uses": 1, "hours": 1, "group": group, "note": ""})
        p = Peer(self.server, self.lab.folder, group)
        a = p.enroll(token=r.json["token"], hostname=group)
        p.command_key = bytes.fromhex(a.json["command_key"])
        assert p.heartbeat(**TAKES).status == 200
        return p

    def send(self, person, peer, body):
        return person.post("/endpoints/%s/commands" % peer.id, body)


def pending(peer):
    return peer.heartbeat(**TAKES).json["pending_commands"]


def ack(peer, command_id, body, client=None):
    return (client or peer.client()).request("POST", peer.path("commands/%s/ack" % command_id), json.dumps(body))


def opened(peer, item):
    """The fields of a signed command, after its signature was verified: read by docs/commands.md, not by the C code."""
    raw, sig = base64.b64decode(item["signed"]), base64.b64decode(item["signature"])
    assert sodium.crypto_sign_verify_detached(sig, raw, ctypes.c_ulonglong(len(raw)), peer.command_key) == 0
    magic, key, counter, issued, expires, cid, kind, n = struct.unpack("<8s32sQqq16sHH", raw[:84])
    assert magic == b"WEDRCMD1" and n == len(raw) - 84
    return {"key": key, "counter": counter, "issued": issued, "expires": expires, "id": str(uuid.UUID(bytes=cid)), "type": kind,
            "payload": raw[84:]}


def test_a_command_is_signed_for_its_agent_answered_once_and_audited():
    with World() as w:
        r = w.send(w.responder, w.web, kill_of(4242))
        assert r.status == 201, r
        c = r.json
        assert c["state"] == "pending" and c["endpoint_id"] == w.web.id and c["created_by"] == "rita" and c["result"] is None, c
        assert c["payload"] == {"pid": 4242, "process_key": KEY, "boot_id": BOOT}
        assert pending(w.db) == []
        items = pending(w.web)
        assert [i["id"] for i in items] == [c["id"]] and items[0]["type"] == "kill_process" and items[0]["payload"] == c["payload"]
        o = opened(w.web, items[0])
        assert o["key"] == hashlib.sha256(w.web.public).digest() and o["id"] == c["id"] and o["type"] == 1
        assert str(o["counter"]) == c["counter"] and o["expires"] - o["issued"] == 300 * 1000000
        assert o["payload"] == struct.pack("<IQ", 4242, int(KEY, 16)) + bytes.fromhex(BOOT)
        assert w.responder.get("/commands/" + c["id"]).json["state"] == "sent"
        assert pending(w.web) == items  # until it is answered
        assert ack(w.db, c["id"], {"status": "success"}).status == 404
        assert ack(w.web, c["id"], {"status": "success"}, w.db.client()).status == 403
        assert ack(w.web, str(uuid.uuid4()), {"status": "success"}).status == 404
        assert ack(w.web, c["id"], {"status": "done"}).status == 400
        assert ack(w.web, c["id"], {"status": "success", "result": {"a": "x" * 5000}}).status == 413
        assert ack(w.web, c["id"], {"status": "success", "result": {"pid": 4242}}).status == 204
        assert ack(w.web, c["id"], {"status": "failed", "result": {}}).status == 204
        done = w.responder.get("/commands/" + c["id"]).json
        assert done["state"] == "success" and done["result"] == {"pid": 4242} and done["done"], done
        assert pending(w.web) == []
        log = [e for e in w.admin.get("/audit").json["items"] if e["object"] == "command:" + c["id"]]
        assert [(e["action"], e["actor"], e["actor_kind"]) for e in log] == [
            ("command.success", w.web.id, "agent"), ("command.create", "rita", "user")], log


def test_counters_rise_and_a_command_goes_to_nobody_once_cancelled():
    with World() as w:
        first = w.send(w.responder, w.web, {"type": "update_rules"}).json
        second = w.send(w.responder, w.web, {"type": "update_rules", "payload": {}}).json
        assert w.responder.delete("/commands/" + first["id"]).status == 204
        assert w.responder.delete("/commands/" + first["id"]).status == 409
        third = w.send(w.responder, w.web, {"type": "update_rules", "expires_in_seconds": 60}).json
        items = pending(w.web)
        assert [i["id"] for i in items] == [second["id"], third["id"]]
        counters = [opened(w.web, i)["counter"] for i in items]
        assert int(first["counter"]) < counters[0] < counters[1]
        assert w.responder.delete("/commands/" + second["id"]).status == 409
        r = w.responder.get("/commands?state=cancelled&endpoint=" + w.web.id).json["items"]
        assert [c["id"] for c in r] == [first["id"]]
        page = w.responder.get("/commands?limit=2").json
        assert [c["id"] for c in page["items"]] == [third["id"], second["id"]] and page["next"]
        rest = w.responder.get("/commands?limit=2&cursor=" + page["next"]).json
        assert [c["id"] for c in rest["items"]] == [first["id"]] and rest["next"] is None
        kill = w.send(w.responder, w.web, dict(kill_of(9), reason="it's a shell <b>")).json
        assert kill["reason"] == "it's a shell <b>" and first["reason"] == "", kill
        assert [c["id"] for c in w.responder.get("/commands?type=kill_process").json["items"]] == [kill["id"]]
        assert w.responder.get("/commands?type=run_shell").status == 400
        assert w.admin.get("/audit?action=command.create").json["items"][0]["detail"].endswith(kill["reason"])
        assert w.send(w.responder, w.web, dict(kill_of(9), reason="r" * 501)).status == 400
        assert w.send(w.responder, w.web, dict(kill_of(9), reason="a\nb")).status == 400
        actions = [e["action"] for e in w.admin.get("/audit?action=command.cancel").json["items"]]
        assert actions == ["command.cancel"]


def test_who_may_send_and_what_is_refused():
    with World() as w:
        assert w.send(w.analyst, w.web, kill_of(7)).status == 403
        assert w.send(w.responder, w.db, kill_of(7)).status == 404
        assert w.send(w.responder, w.web, {"type": "run_shell", "payload": {"command": "id"}}).status == 422
        assert w.send(w.responder, w.web, {"type": "kill_process", "payload": {"pid": 7}}).status == 400
        assert w.send(w.responder, w.web, {"type": "update_rules", "expires_in_seconds": 1}).status == 400
        assert w.web.heartbeat(boot_id=BOOT, commands=["update_rules"]).status == 200
        r = w.send(w.responder, w.web, kill_of(7))
        assert r.status == 422 and "kill_process" in r.json["detail"], r
        assert w.web.heartbeat().status == 200
        r = w.send(w.responder, w.web, kill_of(7))
        assert r.status == 422 and "boot_id" in r.json["detail"], r
        c = w.send(w.admin, w.db, kill_of(7)).json
        assert w.responder.get("/commands/" + c["id"]).status == 404 and w.responder.delete("/commands/" + c["id"]).status == 404
        assert w.responder.get("/commands").json["items"] == []
        for i in range(32):
            r = w.send(w.responder, w.web, {"type": "update_rules"})
            assert r.status == 201, (i, r)
        assert w.send(w.responder, w.web, {"type": "update_rules"}).status == 409
        assert len(pending(w.web)) == 8


def test_the_command_key_is_kept_and_secret():
    with World() as w:
        path = os.path.join(w.server.data, "pki", "command.key")
        assert os.stat(path).st_mode & 0o777 == 0o600
        assert open(path, "rb").read()[32:] == w.web.command_key == w.db.command_key
        w.server.stop()
        w.server.start()
        renewed = w.web.client().request("POST", w.web.path("renew"), json.dumps({"csr_pem": same_key_csr(w.web)}))
        assert renewed.status == 200 and bytes.fromhex(renewed.json["command_key"]) == w.web.command_key


def same_key_csr(peer):
    return subprocess.run(["openssl", "req", "-new", "-key", peer.base + ".key", "-subj", "/CN=x"], check=True, capture_output=True,
                          text=True).stdout


WAZA = """- Detection:
  - Mine:
    id: 3b8f0b0e-6c1d-4a57-9c55-7d3c2f0f9aff
    severity: low
    - kernel_callback.process_create.command_line contains "mine"
- Action:
  - Mine:
    - alert "mine"
"""


def ctl(server, *args):
    return lab.run(lab.SERVER, *args, "--data", server.data, timeout=120)


def test_profile_and_template_are_those_of_the_agent():
    with World() as w:
        p = w.web.client().request("GET", w.web.path("profile"))
        assert p.status == 200, p
        j = p.json
        assert set(j) == {"profile_id", "name", "version", "hash", "updated_at", "template_url", "modules_required"} and j["name"] == "default"
        beat = w.web.heartbeat(**TAKES).json
        assert beat["current_profile_version"] == j["version"] and beat["rules"]["sha256"] == j["hash"]
        assert w.web.client().request("GET", w.db.path("profile")).status == 403
        t = w.web.client().request("GET", j["template_url"])
        assert t.status == 200 and t.headers["content-type"].startswith("application/json"), t
        assert t.json["agent_config"]["heartbeat_interval_secs"] > 0 and t.json["version"] == j["version"]
        assert w.db.client().request("GET", j["template_url"]).status == 200  # the same profile
        ctl(w.server, "profile", "set", "quiet", "rules=none")
        ctl(w.server, "profile", "assign", w.db.id, "quiet")
        assert w.db.client().request("GET", w.db.path("profile")).status == 404  # nothing is published for it
        assert w.db.client().request("GET", j["template_url"]).status == 404
        rule = os.path.join(w.lab.folder, "mine.waza")
        with open(rule, "w", encoding="utf-8") as f:
            f.write(WAZA)
        ctl(w.server, "rules", "add", rule)
        ctl(w.server, "rules", "publish")
        on, off = (next(r for r in x.client().request("GET", x.client().request("GET", x.path("profile")).json["template_url"])
                        .json["rules"] if r["name"].endswith("mine.waza")) for x in (w.web, w.db))
        assert on["is_enabled"] is True and off["is_enabled"] is False and on["waza_source"] == WAZA, (on, off)
        assert w.web.heartbeat(**TAKES).json["current_profile_version"] > j["version"]


def test_plain_alerts_are_stored_once():
    with World() as w:
        a = {"ts": "2026-11-26T20:00:00.123Z", "rule_id": "Mimi", "rule_name": "Mimi", "severity": "high", "module": "kernel_callback",
             "action_taken": "kill", "evidence": {"event_type": "thread_create", "pid": 4823}}
        body = json.dumps({"alerts": [a, dict(a, severity="loud"), dict(a, ts="2026-11-26T20:00:01Z")]})
        first = w.web.client().request("POST", w.web.path("alerts"), body)
        assert first.status == 202 and first.json["received"] == 2 and first.json["skipped"] == 1, first
        again = w.web.client().request("POST", w.web.path("alerts"), body)
        assert again.status == 202 and again.json["alert_ids"] == first.json["alert_ids"]
        assert w.db.client().request("POST", w.web.path("alerts"), body).status == 403
        rows = w.analyst.get("/alerts?rule=Mimi").json["items"]
        assert len(rows) == 2 and {r["endpoint_id"] for r in rows} == {w.web.id} and rows[0]["pid"] == 4823, rows
        whole = w.analyst.get("/alerts/" + rows[0]["id"]).json
        assert "thread_create" in json.dumps(whole), whole
        assert w.web.client().request("POST", w.web.path("alerts"), json.dumps({"alerts": [a] * 65})).status == 413
        assert w.web.client().request("POST", w.web.path("alerts"), b"[]").status == 400


lab.main()
