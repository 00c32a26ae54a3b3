# SPDX-License-Identifier: Apache-2.0
"""wedrctl against a real server: signing in, what it keeps, every command, exit codes, hostile text."""
import json
import os
import pty
import re
import select
import stat
import subprocess
import time

import lab
from people_client import PASSWORD, House, Person, first_password, make_user, totp
from server_client import Peer, zstd

TOOL = os.path.join(lab.BUILD, "wedrctl")
EVIL = "evil\x1b]0;pwned\x07\u202etxt.exe\u009b2J"


class Ctl:
    """The program with a home of its own."""

    def __init__(self, house, name="home"):
        self.server, self.home = house.server, os.path.join(house.lab.folder, name)
        os.makedirs(self.home)
        self.env = {"HOME": self.home, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}

    def run(self, *args, stdin=""):
        p = subprocess.run([TOOL, *args], input=stdin, capture_output=True, text=True, timeout=120 * lab.SLOW, env=self.env,
                           start_new_session=True)
        assert not any(m in p.stderr for m in lab.SANITIZER_MARKS), p.stderr
        return p

    def __call__(self, *args, code=0, stdin=""):
        p = self.run(*args, stdin=stdin)
        assert p.returncode == code, "%s: exit %d\n%s%s" % (" ".join(args), p.returncode, p.stdout, p.stderr)
        if code:
            assert p.stderr.startswith("wedrctl: ") and p.stderr.count("\n") == 1, p.stderr
            return p.stderr
        return p.stdout

    def rows(self, *args):
        """A list as --json has it."""
        return [json.loads(line) for line in self(*args, "--json").splitlines()]

    def one(self, *args, stdin=""):
        return json.loads(self(*args, "--json", stdin=stdin))

    def login(self, user, password=PASSWORD, *args, code=0):
        return self("login", self.server.url, "--ca-sha256", self.server.fingerprint(), "--user", user, "--password-file", "-",
                    *args, code=code, stdin=password + "\n")

    def with_password(self, *args, code=0):
        """A command that asks for the password."""
        return self(*args, "--password-file", "-", code=code, stdin=PASSWORD + "\n")

    @property
    def kept(self):
        return os.path.join(self.home, ".config", "wedr", "wedrctl", "default.json")

    def token(self):
        with open(self.kept, encoding="utf-8") as f:
            return json.load(f)["token"]


def need(house, *paths):
    """The server has these routes."""
    served = Person(house.server).get("/openapi.json").json["paths"]
    for path in paths:
        if path not in served:
            raise lab.Skip("the server has no " + path)


def signed_in(house, role="admin", name="home", groups=None):
    ctl = Ctl(house, name)
    if role != "admin":
        make_user(house.admin, name, role, groups)
    ctl.login("admin" if role == "admin" else name)
    return ctl


# --- Signing in. ---

def test_login_keeps_a_token_that_works_and_logout_revokes_it():
    with House() as h:
        ctl = Ctl(h)
        ctl("status", code=3)
        out = ctl.login("admin")
        assert "signed in" in out and "admin" in out, out
        st = os.lstat(ctl.kept)
        assert stat.S_ISREG(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o600, oct(st.st_mode)
        token = ctl.token()
        assert token.startswith("wedr_") and PASSWORD not in open(ctl.kept, encoding="utf-8").read()
        assert Person(h.server, token=token).get("/users").status == 200
        assert "wedrctl on " in ctl.with_password("token", "list")
        # The session that made the token is over: only the test's own is left.
        sessions = h.admin.get("/account/sessions").json["items"]
        assert len(sessions) == 1 and sessions[0]["current"], sessions
        ctl("logout")  # the token ends itself: no password
        assert Person(h.server, token=token).get("/users").status == 401
        assert token not in open(ctl.kept, encoding="utf-8").read()
        ctl("user", "list", code=3)
        # The second time needs no fingerprint; the token of the time before is revoked.
        ctl("login", "--user", "admin", "--password-file", "-", stdin=PASSWORD + "\n")
        first = ctl.token()
        ctl("login", "--user", "admin", "--password-file", "-", stdin=PASSWORD + "\n")
        assert ctl.token() != first and Person(h.server, token=first).get("/users").status == 401


def test_nothing_is_sent_to_a_server_with_another_ca():
    with House() as h:
        ctl = Ctl(h)
        before = len(h.admin.get("/audit?limit=1000").json["items"])
        err = ctl("login", h.server.url, "--ca-sha256", "ab" * 32, "--user", "admin", "--password-file", "-", code=1,
                  stdin=PASSWORD + "\n")
        assert "SHA-256" in err and PASSWORD not in err, err
        assert not os.path.exists(ctl.kept)
        assert len(h.admin.get("/audit?limit=1000").json["items"]) == before
        ctl.login("admin")
        with open(ctl.kept, encoding="utf-8") as f:
            kept = json.load(f)
        kept["ca_sha256"] = "ab" * 32
        with open(ctl.kept, "w", encoding="utf-8") as f:
            json.dump(kept, f)
        assert "SHA-256" in ctl("user", "list", code=1)


def test_wrong_passwords_and_dead_tokens_are_exit_3():
    with House() as h:
        ctl = Ctl(h)
        err = ctl.login("admin", "not the password", code=3)
        assert "not the password" not in err, err
        ctl.login("admin")
        for t in h.admin.get("/tokens").json["items"]:
            assert h.admin.delete("/tokens/" + t["id"]).status == 204
        ctl("user", "list", code=3)


def test_a_first_password_is_changed_on_the_way():
    house = House()
    with house.lab:
        ctl = Ctl(house)
        fresh = os.path.join(house.lab.folder, "fresh")
        with open(fresh, "w", encoding="utf-8") as f:
            f.write("an entirely new password\n")
        ctl.login("admin", first_password(house.server), "--new-password-file", fresh)
        assert ctl.rows("user", "list")[0]["username"] == "admin"
        Ctl(house, "again").login("admin", "an entirely new password")


def test_a_second_factor_is_taken_from_the_second_line_or_asked_for():
    with House() as h:
        secret = h.admin.post("/account/totp", {"password": PASSWORD}).json["secret"]
        r = h.admin.put("/account/totp", {"code": totp(secret)})
        assert r.status == 200, r
        codes = r.json["recovery_codes"]
        ctl = Ctl(h)
        ctl.login("admin", PASSWORD + "\n" + codes[0])
        assert ctl.rows("user", "list")[0]["totp"] is True
        assert "terminal" in ctl("login", "--user", "admin", "--password-file", "-", code=1, stdin=PASSWORD + "\n")
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(TOOL, [TOOL, "login", "--user", "admin"], ctl.env)
        seen = b""
        for prompt, answer in ((b"Password: ", PASSWORD), (b"code: ", codes[1])):
            while prompt not in seen:
                seen += os.read(fd, 4096)
            os.write(fd, answer.encode() + b"\n")
        try:
            while True:
                seen += os.read(fd, 4096)
        except OSError:
            pass
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0 and PASSWORD.encode() not in seen, seen
        os.close(fd)


def test_an_api_token_of_another_place_signs_in():
    with House() as h:
        token = h.admin.post("/tokens", {"name": "t", "scopes": ["read"], "expires_days": 1}).json["token"]
        ctl = Ctl(h)
        args = ("login", h.server.url, "--ca-sha256", h.server.fingerprint(), "--token-file", "-")
        ctl(*args, code=3, stdin="wedr_" + "0" * 64 + "\n")
        assert not os.path.exists(ctl.kept)
        ctl(*args, stdin=token + "\n")
        ctl("endpoints")
        ctl("user", "list", code=4)  # its scope is to read


# --- People. ---

def test_users_from_creation_to_the_end():
    with House() as h:
        ctl = signed_in(h)
        made = ctl.one("user", "create", "ben", "--role", "analyst", "--groups", "web,db", "--display-name", "Ben\u202e")
        assert made["role"] == "analyst" and made["groups"] == ["web", "db"] and made["password"], made
        text = ctl("user", "show", "ben")
        assert "web, db" in text and "\u202e" not in text and "\\u202e" in text, text
        assert ctl.one("user", "show", made["id"])["username"] == "ben"
        assert ctl.one("user", "set", "ben", "--role", "viewer", "--groups", "all", "--disable")["disabled"] is True
        assert ctl.one("user", "set", "ben", "--enable")["groups"] is None
        assert ctl.one("user", "reset-password", "ben")["password"] != made["password"]
        ctl("user", "unlock", "ben")
        ctl("user", "delete", "ben")
        assert "no user ben" in ctl("user", "show", "ben", code=1)
        ctl("user", "delete", "admin", code=1)
        ctl("user", "create", "Not Good", "--role", "viewer", code=1)


def test_roles_are_refused_with_exit_4():
    with House() as h:
        ctl = signed_in(h, "viewer", "vera")
        for args in (["user", "list"], ["audit"], ["enroll-token", "create"], ["user", "create", "x", "--role", "admin"]):
            ctl(*args, code=4)


def test_tokens_for_programs_and_agents():
    with House() as h:
        ctl = signed_in(h)
        made = json.loads(ctl.with_password("token", "create", "ci", "--scope", "read,triage", "--days", "7", "--json"))
        assert made["scopes"] == ["read", "triage"] and made["token"].startswith("wedr_"), made
        assert Person(h.server, token=made["token"]).get("/endpoints").status == 200
        ctl.with_password("token", "revoke", made["id"])
        assert Person(h.server, token=made["token"]).get("/endpoints").status == 401
        ctl.with_password("token", "revoke", made["id"], code=1)
        ctl("token", "revoke", made["id"], "--password-file", "-", code=3, stdin="wrong\n")
        made = ctl.one("enroll-token", "create", "--uses", "2", "--hours", "3", "--group", "web", "--note", "rack 4")
        assert made["ca_sha256"] == h.server.fingerprint() and made["uses_left"] == 2 and made["group"] == "web", made
        assert Peer(h.server, h.lab.folder, "one").enroll(made["token"]).status == 201
        assert [t["uses_left"] for t in ctl.rows("enroll-token", "list") if t["id"] == made["id"]] == [1]
        ctl("enroll-token", "revoke", made["id"])
        assert Peer(h.server, h.lab.folder, "two").enroll(made["token"]).status == 401


def test_lists_follow_their_cursors():
    with House() as h:
        ctl = signed_in(h)
        for i in range(130):
            assert h.admin.post("/tokens", {"name": "t%d" % i, "scopes": ["read"], "expires_days": 1}).status in (201, 409)
        everything = ctl.rows("audit", "--all")
        ids = [e["id"] for e in everything]
        assert len(ids) == len(set(ids)) > 100, len(ids)
        assert [e["id"] for e in ctl.rows("audit")] == ids[:100]
        assert [e["id"] for e in ctl.rows("audit", "--limit", "3")] == ids[:3]
        table = ctl("audit", "--limit", "5").splitlines()
        assert len(table) == 6 and table[0].split()[:2] == ["TIME", "ACTOR"] and "\x1b" not in "".join(table), table
        assert "\x1b[1mTIME" in ctl("audit", "--limit", "1", "--color")
        assert {e["action"] for e in ctl.rows("audit", "--all", "--action", "token.")} == {"token.create"}
        assert ctl.rows("audit", "--until", "1d") == []


# --- Endpoints, events, alerts. ---

def stamp():
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".%06dZ" % (time.time_ns() // 1000 % 1000000)


def process_line(seq, pid, key, parent, image, command):
    raw = {n: 0 for n in ("uid", "gid", "euid", "egid", "suid", "sgid", "fsuid", "fsgid", "login_uid", "exe_uid", "cap_effective",
                          "cap_permitted", "cap_bounding")}
    raw.update({n: 1 for n in ("ns_user", "ns_pid", "ns_mnt", "ns_net", "ns_uts", "ns_ipc", "ns_cgroup", "exe_inode", "exe_dev",
                               "exe_mode", "exe_nlink", "exe_size", "cgroup_id", "pgid", "sid", "ns_pid_nr", "argv_size")})
    raw.update(pid=pid, parent_pid=1, creating_pid=pid, process_key=key, image_path=image, command_line=command, comm="x")
    process = {"pid": pid, "ppid": 1, "key": key, "path": image, "command_line": command, "uid": 0}
    if parent:
        raw["parent_key"] = process["parent_key"] = parent
    return {"ts": stamp(), "module": "kernel_callback", "event_type": "process_create", "process": process, "raw": raw,
            "source": "kernel", "kind": "ProcessCreate", "event_version": 7, "seq": seq}


def alert_line(seq, title, process_key=None):
    raw = {"alert_id": "%032x" % seq, "rule_id": "r1", "rule_title": title, "rule_language": "sigma", "severity": "high",
           "severity_code": 4, "entity": "e", "event_time": stamp(), "suppressed": 0, "match_count": 1, "rules_serial": "1",
           "evidence": []}
    if process_key:
        raw["process_key"] = process_key
    return {"ts": stamp(), "module": "agent", "event_type": "alert", "raw": raw, "source": "agent", "kind": "Alert",
            "event_version": 7, "seq": seq}


KEYS = ["%016x" % (0xa000 + i) for i in range(5)]


class Fleet:
    """An endpoint with a small family of processes: init, sshd, a shell, and what it started."""

    def __init__(self, house):
        self.peer = Peer(house.server, house.lab.folder, "peer")
        assert self.peer.enroll(hostname="web-1").status == 201
        family = [("", "/sbin/init", "init"), (KEYS[0], "/usr/sbin/sshd", "sshd -D"), (KEYS[1], "/bin/sh", "sh -c 'id; x'"),
                  (KEYS[2], "/usr/bin/id", "id"), (KEYS[2], "/tmp/" + EVIL, "./" + EVIL)]
        lines = [process_line(i + 1, 100 + i, KEYS[i], parent, image, command)
                 for i, (parent, image, command) in enumerate(family)]
        self.send(lines)

    def send(self, lines, stream="kernel.critical"):
        body = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
        r = self.peer.post(lines[0]["seq"], len(lines), body=zstd(body), stream=stream)
        assert r.status == 202 and r.json["skipped"] == 0, r


def harmless(text):
    """No byte of it makes a terminal do something."""
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text), repr(text)
    return text


def test_events_are_found_by_form_sql_and_export():
    with House() as h:
        need(h, "/events", "/events/sql", "/events/export", "/endpoints")
        fleet, ctl = Fleet(h), signed_in(h)
        found = ctl.rows("events", "--type", "process_create", "--endpoint", "web-1", "--since", "1h")
        assert [e["process"]["pid"] for e in found] == [104, 103, 102, 101, 100], found
        assert [e["process"]["pid"] for e in ctl.rows("events", "--image", "/usr/*", "--where", "pid.min=102")] == [103]
        assert len(ctl.rows("events", "--contains", "pwned")) == 1 and ctl.rows("events", "--pid", "1") == []
        table = harmless(ctl("events"))
        assert "web-1" in table and "\\x1b]0;pwned\\x07\\u202etxt.exe\\x9b2J" in table, table
        assert "sh -c" in harmless(ctl("events", "--field", "raw.command_line", "--pid", "102"))
        ctl("events", "--where", "nonsense=1", code=1)
        assert "web-9" in ctl("events", "--endpoint", "web-9", code=1)
        rows = ctl.rows("sql", "SELECT pid, process_path AS path FROM events ORDER BY pid LIMIT 2")
        assert rows == [{"pid": 100, "path": "/sbin/init"}, {"pid": 101, "path": "/usr/sbin/sshd"}], rows
        harmless(ctl("sql", "SELECT process_path FROM events"))
        named = harmless(ctl("sql", "SELECT pid AS '%s' FROM events" % EVIL))
        assert named.splitlines()[0].strip() == "evil\\x1b]0;pwned\\x07\\u202etxt.exe\\x9b2J", named
        assert ctl.one("sql", "-", stdin="SELECT COUNT(*) AS n FROM events") == {"n": 5}
        assert "line 1" in ctl("sql", "SELECT nonsense FROM events", code=1)
        lines = ctl("export", "--type", "process_create").splitlines()
        assert len(lines) == 5 and all(json.loads(line)["event_type"] == "process_create" for line in lines), lines
        path = os.path.join(h.lab.folder, "out.csv")
        ctl("export", "--sql", "SELECT pid FROM events ORDER BY pid", "--format", "csv", "--output", path)
        csv = open(path, encoding="utf-8").read()
        assert csv.replace('"', "").split() == ["pid", "100", "101", "102", "103", "104"], csv
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert fleet.peer.id == found[0]["_endpoint_id"]


def test_a_process_has_a_tree_and_a_timeline():
    with House() as h:
        need(h, "/endpoints/{id}/processes/{key}", "/endpoints/{id}/processes/{key}/timeline", "/endpoints")
        Fleet(h)
        ctl = signed_in(h)
        lines = harmless(ctl("tree", "web-1", KEYS[1])).splitlines()
        assert [re.sub("[^0-9/a-z].*", "", line.lstrip(" \u2514\u251c\u2500\u2502").split()[1]) for line in lines] == [
            "/sbin/init", "/usr/sbin/sshd", "/bin/sh", "/usr/bin/id", "/tmp/evil"], lines
        assert [len(line) - len(line.lstrip(" \u2514\u251c\u2500\u2502")) for line in lines] == [0, 4, 8, 12, 12], lines
        assert "\u251c\u2500\u2500" in lines[3] and "\u2514\u2500\u2500" in lines[4], lines
        ctl.env["LC_ALL"] = "C"
        assert "|-- " in ctl("tree", "web-1", KEYS[1])
        assert len(ctl("tree", "web-1", KEYS[1], "--depth", "1").splitlines()) == 3
        assert [e["process"]["pid"] for e in ctl.rows("timeline", "web-1", KEYS[4])] == [104]
        ctl("tree", "web-1", "0" * 16, code=1)


def test_endpoints_are_listed_moved_and_revoked():
    with House() as h:
        need(h, "/endpoints", "/endpoints/{id}", "/ledger", "/coverage-gaps")
        fleet, ctl = Fleet(h), signed_in(h)
        assert [e["hostname"] for e in ctl.rows("endpoints")] == ["web-1"]
        assert ctl.rows("endpoints", "list", "nowhere") == []
        assert ctl.one("endpoints", "show", "web-1")["id"] == fleet.peer.id
        assert "group shop" in ctl("endpoints", "set-group", "shop", "web-1")
        version = ctl.one("endpoints", "show", "web-1").get("version")
        if version is not None:
            ctl("endpoints", "set-group", "x", "web-1", "--if-version", str(version + 1), code=1)
        assert [r["produced"] for r in ctl.rows("ledger", "web-1")] == [r["produced"] for r in ctl.rows("ledger")]
        assert "PRODUCED" in ctl("ledger") and ctl.rows("gaps") == []
        viewer = signed_in(h, "viewer", "vera", ["db"])
        assert viewer.rows("endpoints") == [] and "no endpoint" in viewer("endpoints", "show", "web-1", code=1)
        viewer("endpoints", "show", fleet.peer.id, code=1)
        assert "revoked" in ctl("endpoints", "revoke", "web-1")
        assert fleet.peer.post(6, 1).status == 403


def test_commands_are_sent_listed_shown_and_cancelled():
    with House() as h:
        need(h, "/endpoints/{id}/commands", "/commands", "/commands/{id}")
        fleet, ctl = Fleet(h), signed_in(h)
        takes = {"boot_id": "00112233445566778899aabbccddeeff", "commands": ["kill_process", "update_rules"]}
        assert fleet.peer.heartbeat(**takes).status == 200
        sent = ctl.one("command", "send", "web-1", "kill_process", "4242", "0123456789abcdef", "--reason", "a shell \u202egpj.exe")
        assert sent["state"] == "pending" and sent["payload"]["pid"] == 4242 and sent["reason"] == "a shell \u202egpj.exe"
        other = ctl.one("command", "send", fleet.peer.id, "update_rules")
        assert [c["id"] for c in ctl.rows("command")] == [other["id"], sent["id"]]
        ctl("command", "cancel", other["id"])
        ctl("command", "cancel", other["id"], code=1)
        assert [c["id"] for c in ctl.rows("command", "list", "--state", "cancelled", "--endpoint", "web-1")] == [other["id"]]
        assert [c["id"] for c in ctl.rows("command", "list", "--type", other["type"])] == [other["id"]]
        item = fleet.peer.heartbeat(**takes).json["pending_commands"][0]
        ack = {"status": "failed", "result": {"result": "refused", "detail": EVIL}}
        assert fleet.peer.client().request("POST", fleet.peer.path("commands/%s/ack" % item["id"]), json.dumps(ack)).status == 204
        card = ctl("command", "show", sent["id"])
        assert "refused" in card and "\x1b" not in card and "\u202e" not in card, card
        assert "\x1b" not in ctl("command") and ctl.one("command", "show", sent["id"])["result"]["detail"] == EVIL
        ctl("command", "send", "web-1", "kill_process", "4242", code=2)
        ctl("command", "send", "web-1", "kill_process", "x", "0123456789abcdef", code=2)
        assert "run_shell" in ctl("command", "send", "web-1", "run_shell", code=1)
        ctl("command", "show", "nothing", code=1)
        analyst = signed_in(h, "analyst", "anna", None)
        assert analyst.one("command", "show", sent["id"])["state"] == "failed"
        analyst("command", "send", "web-1", "update_rules", code=4)


def test_alerts_are_triaged():
    with House() as h:
        need(h, "/alerts", "/alerts/{id}", "/alerts/bulk", "/alerts/{id}/comments")
        fleet = Fleet(h)
        fleet.send([alert_line(10, "first " + EVIL, KEYS[4]), alert_line(11, "second"), alert_line(12, "third")], "alert")
        ctl = signed_in(h, "analyst", "ann")
        ids = lab.wait_for("the alerts", 30, lambda: len(ctl.rows("alerts")) == 3 and [a["id"] for a in ctl.rows("alerts")])
        table = harmless(ctl("alerts"))
        assert "first evil\\x1b]0;pwned\\x07\\u202e" in table and "high" in table, table
        by_title = {a["rule_title"].split()[0]: a["id"] for a in ctl.rows("alerts")}
        first = by_title["first"]
        ctl("alerts", "set", first, "--state", "in_progress", "--tags", "phish,vip")
        assert [a["id"] for a in ctl.rows("alerts", "--state", "in_progress")] == [first]
        assert "2" in ctl("alerts", "set", by_title["second"], by_title["third"], "--state", "closed", "--resolution", "benign")
        assert len(ctl.rows("alerts", "--state", "closed", "--endpoint", "web-1")) == 2
        ctl("alerts", "assign", "ann", *ids)
        assert len(ctl.rows("alerts", "--assignee", "ann")) == 3
        ctl("alerts", "assign", "-", first)
        assert [a["id"] for a in ctl.rows("alerts", "--assignee", "")] == [first]
        ctl("alerts", "comment", first, "looks bad " + "\u202e")
        ctl("alerts", "comment", first, "-", stdin="from\nstdin")
        shown = harmless(ctl("alerts", "show", first))
        assert "phish, vip" in shown and "looks bad \\u202e" in shown and "from\\x0astdin" in shown, shown
        one = ctl.one("alerts", "show", first)
        assert one["state"] == "in_progress" and len(one["comments"]) == 2, one
        ctl("alerts", "set", first, "--state", "closed", "--if-version", str(one["version"] + 1), code=1)
        ctl("alerts", "set", first, "--state", "nonsense", code=1)
        ctl("alerts", "show", "999999", code=1)
        lines = harmless(ctl("tree", "--alert", first)).splitlines()
        assert lines[0].startswith("100 /sbin/init") and "/tmp/evil" in lines[-1] and len(lines) == 4, lines
        viewer = signed_in(h, "viewer", "vera")
        viewer("alerts", "set", first, "--state", "new", code=4)


def test_status_says_it_all():
    with House() as h:
        need(h, "/overview")
        Fleet(h)
        ctl = signed_in(h)
        assert ctl.one("status")["endpoints"]["total"] == 1
        text = ctl("status")
        assert re.search(r"^endpoints +1: ", text, re.M) and "open alerts      none" in text, text


def follow(ctl, *args):
    return subprocess.Popen([TOOL, *args, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ctl.env)


def test_tail_shows_events_as_they_come():
    with House() as h:
        need(h, "/events/tail")
        fleet, ctl = Fleet(h), signed_in(h)
        p = follow(ctl, "tail", "--type", "process_create")
        try:
            seq = 100

            def seen():  # until the stream stands: what comes before it is not shown
                nonlocal seq
                fleet.send([process_line(seq, 7, "%016x" % seq, KEYS[0], "/bin/new", "new")])
                seq += 1
                ready = select.select([p.stdout], [], [], 0.3)[0]
                return p.stdout.readline() if ready else None
            event = json.loads(lab.wait_for("an event", 20, seen))
            assert event["process"]["path"] == "/bin/new" and event["_hostname"] == "web-1", event
            h.server.stop()
            assert p.wait(timeout=90) == 1
        finally:
            p.kill()
            p.wait()


def test_tail_goes_on_when_the_stream_ends_and_says_so():
    with House(people={"stream_life_ms": 3000}) as h:
        fleet, ctl = Fleet(h), signed_in(h)
        p = follow(ctl, "tail", "--type", "process_create")
        try:
            said = p.stderr.readline()
            assert "what came since the last one ended is not shown" in said, said
            seq = 100

            def seen():
                nonlocal seq
                fleet.send([process_line(seq, 7, "%016x" % seq, KEYS[0], "/bin/new", "new")])
                seq += 1
                ready = select.select([p.stdout], [], [], 0.3)[0]
                return p.stdout.readline() if ready else None
            assert json.loads(lab.wait_for("an event", 20, seen))["process"]["path"] == "/bin/new"
        finally:
            p.kill()
            p.wait()


lab.main()
