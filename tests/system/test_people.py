# SPDX-License-Identifier: Apache-2.0
"""People of the server: signing in, second factor, lock-out, sessions, tokens, roles, audit, over TLS."""
import contextlib
import json
import os
import re
import sqlite3
import stat
import time

import lab
from people_client import BASE, COOKIE, PASSWORD, House, Person, first_password, make_user, totp
from server_client import Client, Peer, at_once

MANY = {"people": {"signins_per_minute": 1000000, "signins_total_per_minute": 1000000}}


def audit(house, **query):
    path = "/audit?limit=1000" + "".join("&%s=%s" % kv for kv in query.items())
    r = house.admin.get(path)
    assert r.status == 200, r
    return r.json["items"]


def test_the_first_admin_has_a_one_time_password_that_must_be_changed():
    with lab.Lab() as l:
        s = l.server()
        path = os.path.join(s.data, "first-password")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        once = first_password(s)
        assert once not in open(s.log, encoding="utf-8").read()
        p = Person(s)
        r = p.sign_in("admin", once)
        assert r.status == 200 and r.json["must_change_password"] is True, r
        assert p.get("/users").status == 403
        assert p.post("/tokens", {"name": "a", "scopes": ["read"], "expires_days": 1}).status == 403
        assert p.get("/session").status == 200
        for bad in ("short", once, "aaaaaaaaaaaaaaaa", "i am admin since ever"):
            assert p.post("/account/password", {"current": once, "new": bad}).status == 422, bad
        assert p.post("/account/password", {"current": "wrong", "new": PASSWORD}).status == 422
        assert p.post("/account/password", {"current": once, "new": PASSWORD}).status == 204
        assert not os.path.exists(path)
        assert p.get("/users").status == 200
        assert Person(s).sign_in("admin", once).status == 401
        s.stop()
        s.start()
        assert not os.path.exists(path), "a second start makes no second admin"
        assert Person(s).sign_in("ADMIN", PASSWORD).status == 200


def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get():
    with House() as h:
        r = Person(h.server).sign_in("admin", PASSWORD)
        parts = [p.strip() for p in r.headers["set-cookie"].split(";")]
        assert re.fullmatch(COOKIE + "=[0-9a-f]{64}", parts[0]), parts
        assert {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"} <= set(parts) and "Domain" not in str(parts)
        assert r.headers["cache-control"] == "no-store"
        secret = parts[0].split("=")[1]
        assert secret not in open(h.server.log, encoding="utf-8").read()
        for name in ("state.db", "state.db-wal"):
            with open(os.path.join(h.server.data, name), "rb") as f:
                data = f.read()
            assert secret.encode() not in data and bytes.fromhex(secret) not in data and PASSWORD.encode() not in data


def test_changes_need_the_csrf_token_of_their_session():
    with House() as h:
        other = Person(h.server)
        assert other.sign_in("admin", PASSWORD).status == 200
        body = {"username": "eve", "role": "viewer"}
        for headers in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": other.csrf}, {"X-CSRF-Token": h.admin.csrf[:-1] + "x"}):
            assert h.admin.post("/users", body, headers=headers, csrf=False).status == 403, headers
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert h.admin.post("/users", b"username=eve&role=admin", headers=form).status == 415
        assert h.admin.request("POST", "/session", b'{"username":"admin","password":"x"}', headers={"Content-Type": "text/plain"}).status == 415
        assert [u["username"] for u in h.admin.get("/users").json["items"]] == ["admin"]
        assert h.admin.post("/users", body).status == 201


def test_1000_parallel_guesses_get_ten_looks():
    with House(**MANY) as h:
        once = h.admin.post("/users", {"username": "ana", "role": "analyst"}).json["password"]
        body = json.dumps({"username": "ana", "password": "guess guess guess"}).encode()
        good = json.dumps({"username": "ana", "password": once}).encode()

        def request(b):
            return (b"POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (len(b), b))
        codes = []
        for _ in range(5):  # 200 connections at a time: the server takes 256 of one address
            codes += at_once(h.server, [request(body)] * 200)
        assert set(codes) <= {401, 429} and codes.count(401) == 10, {c: codes.count(c) for c in set(codes)}
        # The right password does not get through either, and nobody learns that it is right.
        r = Person(h.server).sign_in("ana", once)
        assert r.status == 429 and int(r.headers["retry-after"]) > 60, r
        assert Person(h.server).sign_in("admin", PASSWORD).status == 200, "others are not locked"
        user = [u for u in h.admin.get("/users").json["items"] if u["username"] == "ana"][0]
        assert user["locked_until"]
        assert [e["action"] for e in audit(h, action="user.locked")] == ["user.locked"]
        # It lasts over a restart; an admin ends it.
        h.server.stop()
        h.server.start()
        h.admin.client = Client(h.server)
        assert Person(h.server).sign_in("ana", once).status == 429
        assert h.admin.post("/users/%s/unlock" % user["id"]).status == 204
        assert at_once(h.server, [request(good)]) == [200]


def test_an_unknown_name_is_told_like_a_wrong_password():
    with House(**MANY) as h:
        known, unknown = [], []
        for i in range(11):
            known.append(Person(h.server).sign_in("admin", "x" * 20))
            unknown.append(Person(h.server).sign_in("nobody", "x" * 20))
        assert [r.status for r in known] == [r.status for r in unknown] == [401] * 10 + [429]
        assert known[0].body == unknown[0].body and known[10].body == unknown[10].body


def test_one_address_has_only_so_many_attempts():
    with House(people={"signins_per_minute": 5}) as h:
        codes = [Person(h.server).sign_in("user%d" % i, "x" * 12).status for i in range(8)]
        assert codes == [401] * 5 + [429] * 3, codes
        assert h.admin.get("/users").status == 200, "who is signed in is not touched"


def test_a_second_factor_from_setup_to_replay():
    with House(**MANY) as h:
        ana = make_user(h.admin, "ana", "analyst")
        assert ana.put("/account/totp", {"code": "000000"}).status == 409
        assert ana.post("/account/totp", {}).status == 400
        assert ana.post("/account/totp", {"password": "wrong wrong wrong"}).status == 422
        r = ana.post("/account/totp", {"password": PASSWORD})
        assert r.status == 200 and r.json["otpauth_uri"].startswith("otpauth://totp/WazabiEDR:ana?secret=" + r.json["secret"]), r
        secret = r.json["secret"]
        assert Person(h.server).sign_in("ana", PASSWORD).status == 200, "nothing counts before it is confirmed"
        wrong = "%06d" % ((int(totp(secret)) + 1) % 1000000)
        assert ana.put("/account/totp", {"code": wrong}).status == 422
        code = totp(secret)
        r = ana.put("/account/totp", {"code": code})
        assert r.status == 200 and len(set(r.json["recovery_codes"])) == 10, r
        recovery = r.json["recovery_codes"]
        assert ana.post("/account/totp", {"password": PASSWORD}).status == 409
        r = Person(h.server).sign_in("ana", PASSWORD)
        assert r.status == 401 and r.json["totp_required"] is True and r.headers["content-type"] == "application/problem+json", r
        assert "totp_required" not in Person(h.server).sign_in("ana", "wrong wrong wrong").json
        assert Person(h.server).sign_in("ana", PASSWORD, totp=code).status == 401, "the code of the setup is used"
        # The next step's code is good now (clocks differ) and once only, however many ask at once.
        code = totp(secret, step=1)
        body = json.dumps({"username": "ana", "password": PASSWORD, "totp": code}).encode()
        post = b"POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        codes = at_once(h.server, [post] * 6)
        assert codes.count(200) == 1 and set(codes) == {200, 401}, codes
        # Recovery codes: each once, as people type them.
        assert h.admin.post("/users/%s/unlock" % ana.user["id"]).status == 204
        assert Person(h.server).sign_in("ana", PASSWORD, recovery_code=recovery[0].lower().replace("-", " ")).status == 200
        assert Person(h.server).sign_in("ana", PASSWORD, recovery_code=recovery[0]).status == 401
        assert Person(h.server).sign_in("ana", PASSWORD, recovery_code=recovery[1]).status == 200
        assert ana.delete("/account/totp", {"password": "wrong wrong wrong"}).status == 422
        assert ana.delete("/account/totp", {"password": PASSWORD}).status == 204
        assert Person(h.server).sign_in("ana", PASSWORD).status == 200
        assert Person(h.server).sign_in("ana", PASSWORD, recovery_code=recovery[2]).status == 200, "not asked for any more"


def test_a_code_alone_cannot_be_guessed_in_a_row():
    with House(**MANY) as h:
        ana = make_user(h.admin, "ana", "viewer")
        secret = ana.post("/account/totp", {"password": PASSWORD}).json["secret"]
        assert ana.put("/account/totp", {"code": totp(secret)}).status == 200
        good = {totp(secret, step=s) for s in range(-2, 4)}
        guesses = [g for g in ("%06d" % n for n in range(100)) if g not in good]
        codes = [Person(h.server).sign_in("ana", PASSWORD, totp=g).status for g in guesses[:12]]
        assert codes == [401] * 10 + [429] * 2, codes
        # Asking without a code gives no attempt back that was counted.
        assert Person(h.server).sign_in("ana", PASSWORD).status == 429


def test_the_settings_can_ask_everybody_for_a_second_factor():
    with House() as h:
        ana = make_user(h.admin, "ana", "viewer")
        r = h.admin.get("/settings")
        assert h.admin.patch("/settings", {"require_totp": True}).status == 428
        assert h.admin.patch("/settings", {"require_totp": True}, headers={"If-Match": '"999"'}).status == 412
        r2 = h.admin.patch("/settings", {"require_totp": True}, headers={"If-Match": r.headers["etag"]})
        assert r2.status == 200 and r2.json["require_totp"] is True and r2.headers["etag"] != r.headers["etag"], r2
        assert h.admin.patch("/settings", {"require_totp": False}, headers={"If-Match": r2.headers["etag"]}).status == 403, "admins too"
        assert ana.get("/tokens").status == 403
        assert ana.get("/session").json["must_set_totp"] is True
        secret = ana.post("/account/totp", {"password": PASSWORD}).json["secret"]
        assert ana.put("/account/totp", {"code": totp(secret)}).status == 200
        assert ana.get("/tokens").status == 200
        h.server.stop()
        h.server.start()
        h.admin.client = Client(h.server)
        assert h.admin.get("/settings").status == 403, "the setting outlives a restart"


def test_settings_are_checked_and_two_admins_do_not_overwrite_each_other():
    with House() as h:
        tag = h.admin.get("/settings").headers["etag"]
        r = h.admin.patch("/settings", {"retention_days": 30}, headers={"If-Match": tag})
        assert r.status == 200 and r.json["retention_days"] == 30 and r.json["session_hours"] == 12, r
        assert h.admin.patch("/settings", {"retention_days": 3}, headers={"If-Match": tag}).status == 412
        for bad in ({"session_hours": 0}, {"session_hours": 721}, {"retention_days": -1}, {"require_totp": 1}, {"a": 1}, {},
                    {"retention_bytes": 1 << 53}, {"session_idle_minutes": 1.5}):
            assert h.admin.patch("/settings", bad, headers={"If-Match": r.headers["etag"]}).status == 400, bad
        assert h.admin.get("/settings").json == r.json


def test_sessions_end():
    with House() as h:
        ana = make_user(h.admin, "ana", "viewer")
        second, third = Person(h.server), Person(h.server)
        assert second.sign_in("ana", PASSWORD).status == 200 and third.sign_in("ana", PASSWORD).status == 200
        items = ana.get("/account/sessions").json["items"]
        assert len(items) >= 3 and [i["current"] for i in items].count(True) == 1
        newest = items[0]["id"]
        assert h.admin.delete("/account/sessions/" + newest).status == 404, "one's own only"
        assert ana.delete("/account/sessions/" + newest).status == 204
        assert third.get("/session").status == 401 and second.get("/session").status == 200
        assert ana.delete("/account/sessions").status == 204
        assert second.get("/session").status == 401 and ana.get("/session").status == 200
        assert second.sign_in("ana", PASSWORD).status == 200
        assert ana.post("/account/password", {"current": PASSWORD, "new": PASSWORD + "!"}).status == 204
        assert second.get("/session").status == 401 and ana.get("/session").status == 200
        r = ana.delete("/session")
        assert r.status == 204 and "Max-Age=0" in r.headers["set-cookie"]
        assert ana.get("/session").status == 401
        assert ana.sign_in("ana", PASSWORD + "!").status == 200
        assert h.admin.patch("/users/" + ana.user["id"], {"disabled": True}).status == 200
        assert ana.get("/session").status == 401 and ana.sign_in("ana", PASSWORD + "!").status == 401


def test_a_session_ends_by_time():
    with House() as h:
        etag = h.admin.get("/settings").headers["etag"]
        r = h.admin.patch("/settings", {"session_idle_minutes": 1, "session_hours": 1}, headers={"If-Match": etag})
        assert r.status == 200, r
        idle, old, live = Person(h.server), Person(h.server), Person(h.server)
        for p in (idle, old, live):
            assert p.sign_in("admin", PASSWORD).status == 200
        h.server.stop()
        # Time passes in the store: one was last used 61 s ago, one began an hour ago, one 50 s ago.
        db = sqlite3.connect(os.path.join(h.server.data, "state.db"))
        ids = [r[0] for r in db.execute("SELECT id FROM session ORDER BY id DESC LIMIT 3")][::-1]
        now = time.time_ns() // 1000
        db.execute("UPDATE session SET last_us=? WHERE id=?", (now - 61 * 1000000, ids[0]))
        db.execute("UPDATE session SET expires_us=? WHERE id=?", (now - 1, ids[1]))
        db.execute("UPDATE session SET last_us=? WHERE id=?", (now - 30 * 1000000, ids[2]))
        db.commit()
        db.close()
        h.server.start()
        for p in (idle, old, live):
            p.client = Client(h.server)
        assert live.get("/session").status == 200 and idle.get("/session").status == 401 and old.get("/session").status == 401
        # Use is noted: about a second later the session's time is new.
        def touched():
            d = sqlite3.connect(os.path.join(h.server.data, "state.db"))
            try:
                return d.execute("SELECT last_us FROM session WHERE id=?", (ids[2],)).fetchone()[0] > now
            finally:
                d.close()
        lab.wait_for("the use of a session to be noted", 10, touched)


def test_api_tokens_do_what_scope_and_owner_may():
    with House() as h:
        ana = make_user(h.admin, "ana", "analyst")
        r = ana.post("/tokens", {"name": "ci", "scopes": ["read", "admin"], "expires_days": 30})
        assert r.status == 201 and re.fullmatch("wedr_[0-9a-f]{64}", r.json["token"]), r
        token, token_id = r.json["token"], r.json["id"]
        assert ana.get("/tokens").json["items"][0] == {k: v for k, v in r.json.items() if k != "token"}
        bot = Person(h.server, token)
        assert bot.get("/users").status == 403, "the owner is no admin"
        assert bot.get("/session").status == 403 and bot.get("/tokens").status == 403 and bot.delete("/session").status == 403
        r = h.admin.post("/tokens", {"name": "root", "scopes": ["admin"], "expires_days": 1})
        root = Person(h.server, r.json["token"])
        assert root.get("/users").status == 200 and root.post("/users", {"username": "x", "role": "viewer"}).status == 201
        r = h.admin.post("/tokens", {"name": "ro", "scopes": ["read"], "expires_days": 1})
        assert Person(h.server, r.json["token"]).get("/users").status == 403
        assert [t["owner"] for t in ana.get("/tokens").json["items"]] == ["ana"]
        assert {t["owner"] for t in h.admin.get("/tokens").json["items"]} == {"ana", "admin"}
        assert ana.delete("/tokens/" + r.json["id"]).status == 404
        for bad in ("Bearer " + token[:-1], "Bearer " + token + "0", "bearer " + token, "Bearer wedr_" + "0" * 64, "Basic " + token, ""):
            assert h.admin.get("/users", headers={"Authorization": bad, "Cookie": "x=y"}).status == 401, bad
        assert ana.delete("/tokens/" + token_id).status == 204
        assert bot.get("/users").status == 401
        for bad in ({"name": "", "scopes": ["read"], "expires_days": 1}, {"name": "a", "scopes": [], "expires_days": 1},
                    {"name": "a", "scopes": ["root"], "expires_days": 1}, {"name": "a", "scopes": ["read", "read"], "expires_days": 1},
                    {"name": "a", "scopes": ["read"], "expires_days": 366}, {"name": "a", "scopes": ["read"]},
                    {"name": "a\n", "scopes": ["read"], "expires_days": 1}, {"name": "a", "scopes": "read", "expires_days": 1}):
            assert ana.post("/tokens", bad).status == 400, bad
        assert h.admin.delete("/users/" + ana.user["id"]).status == 204
        assert ana.get("/session").status == 401


def test_users_are_managed_and_an_admin_is_left():
    with House() as h:
        me = h.admin.get("/session").json["user"]
        for body in ({"role": "viewer"}, {"disabled": True}):
            assert h.admin.patch("/users/" + me["id"], body).status == 409, body
        assert h.admin.delete("/users/" + me["id"]).status == 409
        ana = make_user(h.admin, "ana", "viewer", groups=["web", "db"])
        assert h.admin.post("/users", {"username": "ana", "role": "viewer"}).status == 409
        for bad in ({"username": "Ana", "role": "viewer"}, {"username": "a b", "role": "viewer"}, {"username": "../x", "role": "viewer"},
                    {"username": "b", "role": "root"}, {"username": "b"}, {"username": "b", "role": "viewer", "groups": ["a,b"]},
                    {"username": "b", "role": "viewer", "groups": "web"}, {"username": "x" * 65, "role": "viewer"},
                    {"username": "b", "role": "viewer", "id": "7"}, {"username": "b\u0000", "role": "viewer"}):
            assert h.admin.post("/users", bad).status == 400, bad
        path = "/users/" + ana.user["id"]
        assert h.admin.get(path).json["groups"] == ["web", "db"]
        r = h.admin.patch(path, {"role": "admin", "groups": None, "display_name": "Ana \u2603"})
        assert r.status == 200 and r.json["role"] == "admin" and r.json["groups"] is None and r.json["display_name"] == "Ana \u2603", r
        assert ana.get("/users").status == 200, "a new role counts at once"
        once = h.admin.post(path + "/reset-password").json["password"]
        assert ana.get("/users").status == 401
        r = ana.sign_in("ana", once)
        assert r.status == 200 and r.json["must_change_password"]
        for bad in ("/users/0", "/users/99999", "/users/-1", "/users/1x", "/users/%2e%2e"):
            assert h.admin.get(bad).status == 404, bad
        names = []
        for i in range(5):
            h.admin.post("/users", {"username": "u%d" % i, "role": "viewer"})
        cursor = ""
        while cursor is not None:
            r = h.admin.get("/users?limit=3" + ("&cursor=" + cursor if cursor else ""))
            names += [u["username"] for u in r.json["items"]]
            cursor = r.json["next"]
        assert names == ["admin", "ana"] + ["u%d" % i for i in range(5)], names
        for bad in ("?limit=0", "?limit=1001", "?limit=x", "?cursor=x", "?cursor=-1", "?page=1", "?limit=1&limit=2"):
            assert h.admin.get("/users" + bad).status == 400, bad


def test_enrolment_tokens_are_made_listed_and_revoked_and_set_the_group():
    with House() as h:
        r = h.admin.post("/enrollment-tokens", {"uses": 2, "hours": 3, "group": "web", "note": "for <b>web</b>"})
        assert r.status == 201, r
        t = r.json
        assert t["ca_sha256"] == h.server.fingerprint() and t["token"] in t["command"] and h.server.listen in t["command"]
        peer = Peer(h.server, h.lab.folder, "a")
        assert peer.enroll(token=t["token"]).status == 201
        db = sqlite3.connect(os.path.join(h.server.data, "state.db"))
        assert db.execute("SELECT endpoint_group FROM agent").fetchall() == [("web",)]
        listed = h.admin.get("/enrollment-tokens").json["items"]
        assert [(x["id"], x["uses_left"], x["group"], x["note"]) for x in listed] == [(t["id"], 1, "web", "for <b>web</b>")]
        assert h.admin.delete("/enrollment-tokens/" + t["id"]).status == 204
        assert Peer(h.server, h.lab.folder, "b").enroll(token=t["token"]).status == 401
        assert h.admin.delete("/enrollment-tokens/" + t["id"]).status == 404
        # Those of the command line are in the same list.
        h.server.token("--uses", "7")
        assert [x["uses_left"] for x in h.admin.get("/enrollment-tokens").json["items"]] == [7]
        for bad in ({"uses": 0}, {"hours": 8785}, {"group": "a b"}, {"group": ""}, {"note": "x" * 257}, {"uses": 1.5}, {"x": 1}):
            assert h.admin.post("/enrollment-tokens", bad).status == 400, bad


def test_every_change_is_in_a_log_that_cannot_be_changed_unnoticed():
    with House() as h:
        ana = make_user(h.admin, "ana", "viewer")
        h.admin.patch("/users/" + ana.user["id"], {"role": "analyst"})
        ana.delete("/session")
        entries = audit(h)
        actions = [e["action"] for e in reversed(entries)]
        assert actions[0] == "user.create" and entries[-1]["actor_kind"] == "server"
        for wanted in ("session.begin", "account.password", "user.create", "user.change", "session.end"):
            assert wanted in actions, actions
        change = [e for e in entries if e["action"] == "user.change"][0]
        assert change["actor"] == "admin" and change["object"] == "user:" + ana.user["id"] and change["address"] == "127.0.0.1"
        assert "role=analyst" in change["detail"]
        groups = ["%02d" % i + "g" * 62 for i in range(60)]  # as many and as long as there may be
        assert h.admin.patch("/users/" + ana.user["id"], {"groups": groups, "role": "responder", "disabled": False,
                                                          "display_name": "Ana"}).status == 200
        detail = audit(h, action="user.change")[0]["detail"]
        assert detail == "ana: role=responder groups=%s enabled display_name" % ",".join(groups), detail
        assert PASSWORD not in json.dumps(entries)
        assert [e["actor"] for e in audit(h, actor="ana")] and {e["action"] for e in audit(h, action="user.")} == {"user.create", "user.change"}
        assert audit(h, **{"from": "2100-01-01T00:00:00Z"}) == [] and h.admin.get("/audit?from=yesterday").status == 400
        first = h.admin.get("/audit?limit=2").json
        second = h.admin.get("/audit?limit=2&cursor=" + first["next"]).json
        assert int(second["items"][0]["id"]) == int(first["items"][1]["id"]) - 1

        def verify(ok):
            p = lab.run(lab.SERVER, "audit", "verify", "--data", h.server.data, check=False)
            assert (p.returncode == 0) == ok, p
            return p.stdout + p.stderr
        good = verify(True)
        assert "the chain holds" in good and len(entries) <= int(good.split()[0])
        h.server.stop()
        path = os.path.join(h.server.data, "state.db")

        def tamper(*statements):
            with contextlib.closing(sqlite3.connect(path)) as db:
                for s in statements:
                    db.execute(s)
                db.commit()
        for refused in ("DELETE FROM audit", "UPDATE audit SET detail='x'"):
            try:
                tamper(refused)
                raise AssertionError("%s was possible" % refused)
            except sqlite3.IntegrityError:
                pass
        drop = ["DROP TRIGGER audit_kept", "DROP TRIGGER audit_fixed"]
        with open(path, "rb") as f:
            whole = f.read()
        for change, told in (("UPDATE audit SET detail='nothing' WHERE id=3", "entry 3"), ("DELETE FROM audit WHERE id=2", "entries 2 to 2"),
                             ("DELETE FROM audit WHERE id=(SELECT max(id) FROM audit)", "are gone"), ("UPDATE audit SET ts_us=ts_us+1 WHERE id=1", "entry 1")):
            tamper(*drop, change)
            assert told in verify(False), change
            for extra in ("-wal", "-shm"):
                if os.path.exists(path + extra):
                    os.unlink(path + extra)
            with open(path, "wb") as f:
                f.write(whole)
        verify(True)


def test_the_command_line_helps_who_is_locked_out():
    with House(**MANY) as h:
        data = ("--data", h.server.data)
        once = lab.run(lab.SERVER, "user", "add", "bob", "responder", *data).stdout.strip()
        bob = Person(h.server)
        assert bob.sign_in("bob", once).status == 200 and bob.user["role"] == "responder"
        for _ in range(10):
            Person(h.server).sign_in("admin", "wrong wrong wrong")
        assert Person(h.server).sign_in("admin", PASSWORD).status == 429
        lab.run(lab.SERVER, "user", "unlock", "admin", *data)
        assert Person(h.server).sign_in("admin", PASSWORD).status == 200
        again = lab.run(lab.SERVER, "user", "reset-password", "admin", *data).stdout.strip()
        assert h.admin.get("/users").status == 401
        p = Person(h.server)
        r = p.sign_in("admin", again)
        assert r.status == 200 and r.json["must_change_password"]
        listed = lab.run(lab.SERVER, "user", "list", *data).stdout
        assert "admin\tadmin\t*\tmust_change" in listed and "bob\tresponder" in listed, listed
        assert lab.run(lab.SERVER, "user", "reset-password", "nobody", *data, check=False).returncode == 1
        assert lab.run(lab.SERVER, "user", "add", "B B", *data, check=False).returncode == 2
        kinds = {(e["action"], e["actor_kind"]) for e in _entries(h, p, again)}
        assert ("user.reset_password", "command") in kinds and ("user.create", "command") in kinds


def _entries(h, p, once):
    assert p.post("/account/password", {"current": once, "new": PASSWORD + "?"}).status == 204
    return p.get("/audit?limit=1000").json["items"]


def test_a_refused_request_gets_its_answer_although_the_client_is_still_sending():
    with House() as h:
        body = b"x" * 65536
        for _ in range(20):
            with h.admin.client.socket() as s:
                s.sendall(b"POST /api/v1/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
                for i in range(0, len(body), 4096):
                    s.sendall(body[i:i + 4096])
                    time.sleep(0.0005)
                assert s.recv(4096).startswith(b"HTTP/1.1 401 ")
                while s.recv(4096):
                    pass  # the end is a clean one: no reset
        for length in (b"524289", b"0", b"10"):  # more than is read and dropped, and a broken-off one
            with h.admin.client.socket() as s:
                s.sendall(b"POST /api/v1/nothing HTTP/1.1\r\nHost: a\r\nContent-Length: %s\r\n\r\n" % length)
                if length != b"10":
                    assert s.recv(4096).startswith(b"HTTP/1.1 404 ")


def test_the_document_is_served_and_names_only_what_exists():
    with House() as h:
        r = Client(h.server).request("GET", BASE + "/openapi.json")
        assert r.status == 200 and r.headers["content-type"] == "application/json"
        doc = r.json
        assert doc["openapi"] == "3.1.0" and "/session" in doc["paths"] and "x-wedr-planned" not in r.body.decode()
        for path, item in doc["paths"].items():
            known = {m.upper() for m in item}
            real = path.replace("{id}", "1").replace("{key}", "1").replace("{comment}", "1")
            a = h.admin.request("OPTIONS", real, csrf=False)
            assert a.status == 405 and set(a.headers["allow"].split(", ")) == known, (path, a.headers)


lab.main()
