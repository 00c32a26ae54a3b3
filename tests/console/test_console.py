# SPDX-License-Identifier: Apache-2.0
"""What a person sees and does: every view and action of the console, in Debian's Chromium, against a real server."""
import atexit
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
try:
    import playwright  # noqa: F401
except ImportError:
    if not os.path.exists("/usr/bin/chromium"):
        print("[  SKIPPED ] no chromium")
        sys.exit(77)
    venv = subprocess.run([os.path.join(ROOT, "tools", "test_venv"), "console"], capture_output=True, text=True, check=False)
    if venv.returncode:
        print("[  SKIPPED ] no Playwright: " + venv.stderr.strip()[-200:])
        sys.exit(77)
    os.execv(venv.stdout.strip(), [venv.stdout.strip(), *sys.argv])

import world as w  # noqa: E402
import lab  # noqa: E402
from browser import Browser  # noqa: E402

PICTURES = os.environ.get("WEDR_PICTURES")  # a folder: pictures of every view are put there
_kept = {}


def browser():
    if "browser" not in _kept:
        _kept["browser"] = Browser()
    return _kept["browser"]


def world():
    """The filled server; ana is an analyst, vic a viewer, both with PASSWORD."""
    if "world" not in _kept:
        made = _kept["world"] = w.World()
        made.fill()
        for name, role in (("admin", None), ("ana", "analyst"), ("vic", "viewer")):
            once = made.first_password() if role is None else made.user(name, role)
            with browser().person(made.server) as p:
                p.first_sign_in(name, once)
    return _kept["world"]


@atexit.register
def close():
    for name in ("browser", "world"):
        if name in _kept:
            _kept.pop(name).close()


def test_the_first_endpoint_is_enrolled_from_the_welcome():
    with lab.Lab() as l:
        s = l.server()
        with open(os.path.join(s.data, "first-password"), encoding="ascii") as f:
            once = f.read().strip()
        with browser().person(s) as p:
            p.first_sign_in("admin", once)
            p.heading("Welcome")
            picture(p, "welcome")
            p.button("Make a token").click()
            command = p.page.locator(".command code").inner_text()
            p.page.get_by_text("Waiting for the endpoint").wait_for()
            assert s.fingerprint() in command, command
            # What people paste is run by a shell, with the agent of this build.
            run = re.sub(r"(^|[|;&] *|sudo +)wedr-agent ", lambda m: "%s%s " % (m.group(1), lab.AGENT), command)
            run = run.replace("sudo ", "").replace("enroll ", "enroll --state %s/agent " % l.folder, 1)
            done = subprocess.run(["bash", "-c", run], capture_output=True, text=True, check=False)
            assert done.returncode == 0, (run, done.stdout, done.stderr)
            p.page.get_by_text("Waiting for the first event").wait_for()
            agent = l.agent()
            peer = w.Peer(s, l.folder, "second")
            # The events of this very endpoint: those of its agent when the sensor runs here, else the wait stays.
            if os.geteuid() == 0 and os.path.exists("/sys/kernel/btf/vmlinux"):
                agent.start()
                p.page.get_by_text("First event stored").wait_for(timeout=30000 * lab.SLOW)
                p.page.get_by_role("link", name="Open the endpoint").click()
                p.page.get_by_role("tab", name="Summary").wait_for()
                p.page.get_by_text("hooks live").wait_for(timeout=30000 * lab.SLOW)
                agent.stop("--sensor")
            assert peer.id is None


def test_sign_in_refuses_what_is_wrong_and_asks_for_the_second_factor():
    server = world().server
    once = world().user("tom", "viewer")
    with browser().person(server) as p:
        p.go("/alerts")
        p.give_name_and_password("tom", "not the password")
        p.page.get_by_role("alert").wait_for()
        picture(p, "sign-in")
        p.first_sign_in("tom", once)
        p.go("/account")
        p.button("Set up two-factor sign-in").click()
        secret = p.page.get_by_test_id("totp-secret").inner_text()
        assert p.page.get_by_role("img", name="QR code for an authenticator app").locator("path").count() == 1
        picture(p, "two-factor")
        p.field("Code that the app shows").fill("000000")
        p.button("Turn on").click()
        p.page.get_by_role("alert").wait_for()
        p.field("Code that the app shows").fill(w.totp(secret))
        p.button("Turn on").click()
        p.button("I have kept them").wait_for()
        codes = p.page.locator(".codes span").all_inner_texts()
        assert len(codes) == 10 and len(set(codes)) == 10, codes
        p.button("I have kept them").click()
        p.button("Turn off").wait_for()
    with browser().person(server) as p:
        p.go()
        p.give_name_and_password("tom", w.PASSWORD)
        p.field("Code of your authenticator app").wait_for()
        p.button("Use a recovery code").click()
        p.field("Recovery code").fill(codes[0])
        p.button("Continue").click()
        p.page.get_by_role("navigation", name="Main").wait_for()
        p.page.locator(".side button.item").click()
        p.page.get_by_role("menuitem", name="Sign out").click()
        p.heading("Sign in")


def test_views_are_free_of_serious_accessibility_findings_and_of_errors():
    server = world().server
    found = {}
    for dark in (False, True):
        with browser().person(server, dark=dark) as p:
            p.sign_in("admin")
            for name, path, ready in views(world()):
                p.go(path)
                ready(p)
                p.page.wait_for_load_state("load")
                picture(p, name + ("-dark" if dark else ""))
                bad = p.axe()
                if bad:
                    found[name + (" dark" if dark else "")] = bad
    assert not found, json.dumps(found, indent=1)


def views(made):
    """(name, path, what to wait for) of each view."""
    def text(t):
        return lambda p: p.page.get_by_text(t).first.wait_for()

    def row(label):
        return lambda p: p.rows(label).first.wait_for()

    def sql(p):
        row_of = "SELECT event_type, count(*) AS n FROM events GROUP BY 1"
        p.go("/hunt?mode=sql&sql=" + row_of.replace(" ", "+"))
        p.button("Run").click()
        p.rows("Rows").first.wait_for()
    def live(p):
        p.page.locator("[role=status]").get_by_text("live", exact=True).wait_for()
        at = w.now_us()
        made.send(made.web, "kernel.bulk", lambda s: [
            w.dns(s, at, 102, 0x102, "evil.example.net"), w.connect(s + 1, at + 900, 102, 0x102, "203.0.113.9", 443)])
        p.page.get_by_role("log").get_by_text("port 443").first.wait_for()
    alert = made.server.one("SELECT id FROM alerts WHERE rule_title = 'Download piped into a shell'")["id"]
    key = "/endpoints/%s/processes/%016x" % (made.web.id, 0x101)
    return [("overview", "/", text("Newest alerts")), ("alerts", "/alerts", row("Alerts")),
            ("alert", "/alerts/%s" % alert, text("Why the rule matched")), ("hunt", "/hunt?range=all", row("Events")),
            ("hunt-sql", "/hunt?mode=sql", sql), ("endpoints", "/endpoints", row("Endpoints")),
            ("endpoint", "/endpoints/" + made.web.id, text("Last heartbeat")),
            ("endpoint-ledger", "/endpoints/%s?tab=ledger" % made.web.id, row("Ledger")),
            ("endpoint-live", "/endpoints/%s?tab=live" % made.web.id, live),
            ("process", key, row("Timeline")), ("telemetry", "/integrity", row("Ledger")), ("rules", "/rules", row("Rules")),
            ("users", "/users", row("Users")), ("enrolment", "/enrolment", text("tokens")), ("tokens", "/tokens", text("tokens")),
            ("audit", "/audit", row("Audit log")), ("settings", "/settings", text("Signing in")),
            ("account", "/account", text("this one"))]


def picture(p, name):
    if PICTURES:
        os.makedirs(PICTURES, exist_ok=True)
        p.page.wait_for_timeout(500)
        p.page.screenshot(path=os.path.join(PICTURES, name + ".png"))


def test_a_hunt_by_form_filters_opens_pivots_and_exports():
    with browser().person(world().server) as p:
        p.sign_in("ana")
        p.go("/hunt?range=all")
        p.rows("Events").first.wait_for()
        p.choose("Type of event", "dns_query")
        p.page.get_by_text("evil.example.net").first.wait_for()
        assert {r.split("\n")[2] for r in p.rows("Events").all_inner_texts()} == {"dns_query"}
        p.rows("Events").first.click()
        drawer = p.page.get_by_role("dialog")
        drawer.get_by_text("raw.query_name").wait_for()
        drawer.get_by_role("button", name="evil.example.net").click()
        p.page.get_by_role("menuitem", name="Filter for this value").click()
        p.page.get_by_text("dns_name = evil.example.net").wait_for()
        assert "dns_name=evil.example.net" in p.page.url
        p.button("Export").click()
        with p.page.expect_download() as got:
            p.page.get_by_role("menuitem", name="NDJSON, whole events").click()
        with open(got.value.path(), encoding="utf-8") as f:
            lines = [json.loads(x) for x in f if x.strip()]
        assert lines and {x["raw"]["query_name"] for x in lines} == {"evil.example.net"}, lines
        p.page.go_back()
        p.page.get_by_text("dns_name = evil.example.net").wait_for(state="detached")


def test_three_thousand_rows_scroll_with_keys_and_only_a_screen_of_them_is_drawn():
    with browser().person(world().server) as p:
        p.sign_in("vic", path="/hunt?range=all&type=process_terminate")
        p.rows("Events").first.wait_for()
        p.rows("Events").first.focus()
        for _ in range(4):
            before = int(p.page.locator(".foot span").first.inner_text().split(" ")[0].replace(",", ""))
            p.page.keyboard.press("End")
            lab.wait_for("the last row", 10, lambda: p.page.evaluate(
                "n => Number(document.activeElement?.dataset.index) >= n - 1", before))
            if before >= 3001:
                break
            p.page.wait_for_function("n => Number(document.querySelector('.foot span').textContent.split(' ')[0].replace(',', '')) > n",
                                     arg=before)
        assert before == 3001, before
        assert p.rows("Events").count() < 100
        p.page.keyboard.press("Enter")
        p.page.get_by_role("dialog").wait_for()
        p.page.keyboard.press("Escape")
        p.page.get_by_role("dialog").wait_for(state="detached")


def test_sql_answers_completes_and_says_where_it_is_wrong():
    with browser().person(world().server) as p:
        p.sign_in("ana", path="/hunt?mode=sql")
        editor = p.page.locator(".cm-content")
        editor.click()
        p.page.keyboard.press("Control+a")
        p.page.keyboard.type("SELECT process_na")
        p.page.locator(".cm-tooltip-autocomplete").get_by_text("process_name").wait_for()
        p.page.keyboard.press("Escape")
        p.page.keyboard.press("Control+a")
        p.page.keyboard.type("SELECT command_line FROM events WHERE pid = 101")
        p.page.keyboard.press("Control+Enter")
        p.rows("Rows").get_by_text("sh -c curl").first.wait_for()
        editor.click()
        p.page.keyboard.press("Control+a")
        p.page.keyboard.type("SELECT 1 FORM events x y")
        p.page.keyboard.press("Control+Enter")
        p.page.get_by_role("alert").get_by_text("syntax error").wait_for()
    with browser().person(world().server) as p:
        p.sign_in("vic", path="/hunt?mode=sql&range=all")
        p.rows("Events").first.wait_for()
        assert p.page.get_by_text("SQL", exact=True).count() == 0 and p.button("Export").count() == 0


def test_hostile_values_are_shown_as_text_with_what_they_hide():
    made = world()
    with browser().person(made.server) as p:
        p.sign_in("ana", path="/hunt?range=all&endpoint=" + made.db.id)
        p.rows("Events").first.wait_for()
        cells = "\n".join(p.rows("Events").all_inner_texts())
        assert w.MARKUP in cells and "U+202E" in cells and "\u202e" not in cells, cells
        p.rows("Events").filter(has_text="long AAAA").click()
        drawer = p.page.get_by_role("dialog")
        assert "end-of-it" not in drawer.inner_text()
        drawer.get_by_role("button", name=re.compile("Show all 5,0")).first.click()
        drawer.get_by_text("end-of-it").first.wait_for()
        p.go("/hunt?range=all&type=process_create&pid=103")
        p.rows("Events").first.wait_for()
        row = p.rows("Events").first.inner_text()
        for spelled in ("\\e", "\\a", "\\t", "U+200B", "U+2028"):
            assert spelled in row, (spelled, row)
        p.go("/endpoints/" + made.db.id)
        p.heading(re.compile("<img src=x"))
        p.go("/alerts")
        p.rows("Alerts").filter(has_text="<script>").get_by_role("link").first.click()
        p.page.get_by_text("Why the rule matched").wait_for()
        assert "owned" not in p.page.title()
        assert p.page.locator("main img, main script").count() == 0


def test_alerts_are_triaged_one_by_one_and_in_bulk():
    made = world()
    with browser().person(made.server) as p:
        p.sign_in("ana", path="/alerts?q=Reverse")
        p.rows("Alerts").first.get_by_role("link").click()
        p.button("Assign to me").click()
        p.page.locator("strong").get_by_text("ana", exact=True).wait_for()
        p.choose("State", "In progress")
        p.page.locator("main").get_by_text("in progress", exact=True).wait_for()
        p.field("Comment").fill("Checked: " + w.MARKUP)
        p.button("Comment").click()
        p.page.locator(".comment").get_by_text("Checked: <img").wait_for()
        p.page.get_by_role("textbox", name="Tags").fill("seen")
        p.page.keyboard.press("Enter")
        p.button("Benign").click()
        p.page.locator("main .tag").get_by_text("closed", exact=True).wait_for()
        row = api(made, "/alerts?q=Reverse")["items"][0]
        assert (row["state"], row["resolution"], row["assignee"]) == ("closed", "benign", "ana"), row
        assert "seen" in row["tags"] and row["comments_count"] == 1, row
        p.page.locator(".comment").get_by_role("button", name="Delete").click()
        p.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        p.page.locator(".comment").get_by_text("Checked: <img").wait_for(state="detached")
        p.go("/alerts?severity=low")
        p.rows("Alerts").first.get_by_role("checkbox").click()
        p.button("Close as…").click()
        p.page.get_by_role("menuitem", name="False positive").click()
        p.page.get_by_text("1 alert changed.").wait_for()
        p.rows("Alerts").first.get_by_text("closed").wait_for()
    with browser().person(made.server) as p:
        p.sign_in("vic", path="/alerts")
        p.rows("Alerts").first.wait_for()
        assert p.page.get_by_role("checkbox").count() == 0
        p.rows("Alerts").first.get_by_role("link").click()
        p.heading("Triage")
        assert p.button("Comment").count() == 0 and p.button("Assign to me").count() == 0


def test_two_people_at_one_alert_do_not_overwrite_each_other():
    with browser().person(world().server) as a, browser().person(world().server) as b:
        for p, name in ((a, "ana"), (b, "admin")):
            p.sign_in(name, path="/alerts?q=Download")
            p.rows("Alerts").first.get_by_role("link").click()
            p.heading("Triage")
        a.choose("State", "In progress")
        a.page.locator("main").get_by_text("in progress", exact=True).wait_for()
        b.button("False positive").click()
        b.page.get_by_text("Somebody changed this alert meanwhile").wait_for()
        b.button("Show what is there now").click()
        b.page.locator("main").get_by_text("in progress", exact=True).wait_for()
        b.page.get_by_text("Somebody changed this alert meanwhile").wait_for(state="detached")


def test_new_events_and_alerts_come_by_themselves():
    made = world()
    with browser().person(made.server) as p:
        p.sign_in("vic", path="/endpoints/%s?tab=live" % made.web.id)
        p.page.locator("[role=status]").get_by_text("live", exact=True).wait_for()
        made.send(made.web, "kernel.bulk", lambda s: [w.dns(s, w.now_us(), 102, 0x102, "fresh.example.net")])
        p.page.get_by_role("log").get_by_text("fresh.example.net").wait_for()
        p.go("/alerts")
        p.page.get_by_text("live", exact=True).wait_for()
        made.send(made.web, "alert", lambda s: [
            w.alert(s, w.now_us(), 77, "Came while looking", "high", "x", "/bin/x", 0x101, 101)])
        made.alerts += 1
        p.rows("Alerts").get_by_text("Came while looking").wait_for(timeout=15000 * lab.SLOW)


def test_a_process_has_its_tree_and_its_timeline():
    made = world()
    with browser().person(made.server) as p:
        p.sign_in("vic", path="/alerts?q=Download")
        p.rows("Alerts").first.get_by_role("link").click()
        p.page.get_by_role("link", name="Process tree and timeline").click()
        here = p.page.locator(".tree .node.here")
        here.wait_for()
        assert here.inner_text().startswith("sh"), here.inner_text()
        p.page.locator(".tree").get_by_role("link", name="nginx").wait_for()
        p.page.locator(".tree").get_by_role("link", name="curl").click()
        p.heading(re.compile("curl"))
        for kind in ("process_create", "network_connect", "dns_query", "process_terminate"):
            p.rows("Timeline").get_by_text(kind).first.wait_for()


def test_the_ledger_adds_up_on_screen():
    made = world()
    with browser().person(made.server) as p:
        p.sign_in("vic", path="/integrity")
        p.rows("Ledger").first.wait_for()
        p.page.get_by_text("every record accounted for").wait_for()
        produced = made.server.one("SELECT SUM(produced) AS n FROM ledger")["n"]
        assert "%s produced" % format(produced, ",") in p.page.locator("main").inner_text()


def test_users_are_made_changed_locked_out_of_views_and_deleted():
    made = world()
    with browser().person(made.server) as p:
        p.sign_in("admin", path="/users")
        p.button("New user").click()
        p.field("User name").fill("nina")
        p.choose("Role", "Analyst: also triages, SQL, export")
        p.button("Make user").click()
        p.heading("One-time password")
        once = p.page.locator(".command code").inner_text()
        p.button("I have kept it").click()
        with browser().person(made.server) as n:
            n.first_sign_in("nina", once)
            assert n.page.get_by_role("link", name="Users").count() == 0
            n.go("/users")
            n.heading("There is nothing at this address")
        p.button("Actions for nina").click()
        p.page.get_by_role("menuitem", name="Reset password").click()
        p.page.get_by_role("dialog").get_by_role("button", name="Reset").click()
        p.heading("One-time password")
        assert p.page.locator(".command code").inner_text() != once
        p.button("I have kept it").click()
        p.button("nina").click()
        p.page.get_by_text("Disabled: cannot sign in").click()
        p.button("Save").click()
        p.rows("Users").filter(has_text="nina").get_by_text("disabled").wait_for()
        p.button("Actions for nina").click()
        p.page.get_by_role("menuitem", name="Delete").click()
        p.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        p.rows("Users").filter(has_text="nina").wait_for(state="detached")
        p.go("/audit?action=user.")
        p.rows("Audit log").filter(has_text="nina").first.wait_for()


def test_tokens_are_made_shown_once_and_revoked():
    made = world()
    with browser().person(made.server) as p:
        p.sign_in("ana", path="/tokens")
        p.button("New token").click()
        p.field("Name").fill("export job")
        assert p.field("admin: manage users and settings").count() == 0
        p.button("Make token").click()
        token = p.page.locator(".command code").inner_text()
        assert token.startswith("wedr_"), token
        p.button("I have kept it").click()
        assert api(made, "/alerts", token)["items"]
        p.rows("API tokens").filter(has_text="export job").get_by_role("button", name="Revoke").click()
        p.page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        p.rows("API tokens").filter(has_text="export job").wait_for(state="detached")
        assert w.Client(made.server).request("GET", "/api/v1/alerts", headers={"Authorization": "Bearer " + token}).status == 401


def test_enrolment_tokens_and_endpoints_are_managed():
    made = world()
    with browser().person(made.server) as p:
        p.sign_in("admin", path="/enrolment")
        p.button("New token").click()
        p.field("Note").fill("rack 7")
        p.button("Make token").click()
        assert made.server.fingerprint() in p.page.locator(".command code").inner_text()
        p.button("I have kept it").click()
        p.rows("Enrolment tokens").filter(has_text="rack 7").get_by_role("button", name="Revoke").click()
        p.page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        p.rows("Enrolment tokens").filter(has_text="rack 7").wait_for(state="detached")
        gone = made.peer("gone", "to-be-revoked")
        p.go("/endpoints?q=to-be-revoked")
        p.rows("Endpoints").first.get_by_role("link").click()
        p.button("Edit").click()
        p.field("Group").fill("lab")
        p.button("Save").click()
        p.page.locator("dd").get_by_text("lab", exact=True).wait_for()
        p.button("Revoke").click()
        p.page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        p.page.locator(".tag").get_by_text("revoked").wait_for()
        assert gone.heartbeat().status == 403


def test_settings_are_saved_and_seen():
    made = world()
    with browser().person(made.server) as p:
        p.sign_in("admin", path="/settings")
        p.field("Days").fill("45")
        p.button("Save").click()
        p.page.get_by_text("Settings saved.").wait_for()
        p.page.reload()
        p.heading("Signing in")
        assert p.field("Days").input_value() == "45"


def test_an_ended_session_asks_again_and_goes_on_where_it_was():
    made = world()
    with browser().person(made.server) as p:
        p.sign_in("vic", path="/endpoints")
        p.rows("Endpoints").first.wait_for()
        p.context.clear_cookies()
        p.page.get_by_role("link", name="Rules").click()
        p.page.get_by_text("Your session has ended").wait_for()
        p.give_name_and_password("vic", w.PASSWORD)
        p.heading("Rules")
        assert p.page.url.endswith("/rules")


def test_the_server_goes_away_and_comes_back():
    made = world()
    with browser().person(made.server, away=True) as p:
        p.sign_in("vic", path="/endpoints")
        p.rows("Endpoints").first.wait_for()
        made.server.stop()
        p.page.get_by_role("link", name="Alerts").first.click()
        p.page.get_by_text("The server does not answer").wait_for(timeout=40000 * lab.SLOW)
        picture(p, "away")
        made.server.start()
        p.page.get_by_text("The server does not answer").wait_for(state="detached", timeout=30000 * lab.SLOW)
        p.rows("Alerts").first.wait_for()


def test_everything_is_reached_with_the_keyboard():
    with browser().person(world().server) as p:
        p.sign_in("vic")
        p.heading("Overview")
        p.page.reload()
        p.heading("Overview")
        p.page.keyboard.press("Tab")
        assert p.page.evaluate("document.activeElement.textContent") == "Skip to content"
        p.page.keyboard.press("Enter")
        assert p.page.evaluate("document.activeElement.id") == "main"
        p.page.keyboard.press("?")
        p.page.get_by_role("dialog").get_by_text("Go to Alerts").wait_for()
        p.page.keyboard.press("Escape")
        p.page.get_by_role("dialog").wait_for(state="detached")
        p.page.keyboard.press("g")
        p.page.keyboard.press("a")
        p.heading("Alerts")
        p.page.keyboard.press("/")
        p.page.keyboard.type("Reverse")
        p.page.keyboard.press("Enter")
        p.page.wait_for_url("**/alerts?q=Reverse")


def test_the_policy_has_no_exception_and_the_first_view_is_small():
    with browser().person(world().server) as p:
        sizes = {}
        p.page.on("response", lambda r: sizes.__setitem__(r.url, int(r.headers.get("content-length", 0))))
        p.sign_in("vic")
        p.page.get_by_text("Newest alerts").wait_for()
        p.page.locator(".recharts-surface").first.wait_for()
        total = sum(n for url, n in sizes.items() if "/api/" not in url)
        assert 0 < total <= 600 * 1024, sizes
        head = w.Client(world().server).request("GET", "/alerts/1?x=1")
        policy = head.headers["content-security-policy"]
        assert "unsafe" not in policy and "frame-ancestors 'none'" in policy and "default-src 'none'" in policy, policy
        assert head.headers["x-content-type-options"] == "nosniff" and head.headers["referrer-policy"] == "no-referrer"
        climb = w.Client(world().server).request("GET", "/assets/../../../../../../etc/passwd")
        assert climb.body.startswith(b"<!doctype html>"), climb  # a path of the console's own, as far as the server knows
        assert w.Client(world().server).request("GET", "/assets/../../../../../../etc/host.conf").status == 404


def api(made, path, token=None):
    """What the server says to a program; without a token as ana."""
    client = w.Client(made.server)
    headers = {"Authorization": "Bearer " + token} if token else {}
    if not token:
        signed = client.request("POST", "/api/v1/session", json.dumps({"username": "ana", "password": w.PASSWORD}),
                                {"Content-Type": "application/json"})
        assert signed.status == 200, signed
        headers["Cookie"] = signed.headers["set-cookie"].split(";")[0]
    answer = client.request("GET", "/api/v1" + path, headers=headers)
    assert answer.status == 200, answer
    return answer.json


if __name__ == "__main__":
    lab.main()
