# SPDX-License-Identifier: Apache-2.0
"""What people see and do in the views of the console, in Debian's Chromium, against a real server."""
import json
import re
import time

import world as w
import lab
from stage import api, browser, picture, world


def test_views_are_free_of_serious_accessibility_findings_and_of_errors():
    server = world().server
    found = {}
    with browser().person(server) as p:
        p.sign_in("admin")
        for name, path, ready in views(world()):
            p.visit(path)
            ready(p)
            picture(p, name)
            bad = p.axe()
            p.page.emulate_media(color_scheme="dark")
            picture(p, name + "-dark")
            bad += p.axe("color-contrast")  # all else is the same page
            p.page.emulate_media(color_scheme="light")
            if bad:
                found[name] = bad
    assert not found, json.dumps(found, indent=1)


def views(made):
    """(name, path, what to wait for) of each view."""
    def text(t):
        return lambda p: p.page.get_by_text(t).first.wait_for()

    def row(label):
        return lambda p: p.rows(label).first.wait_for()

    def sql(p):
        row_of = "SELECT event_type, count(*) AS n FROM events GROUP BY 1"
        p.visit("/")
        p.visit("/hunt?mode=sql&sql=" + row_of.replace(" ", "+"))
        p.button("Run").click()
        p.rows("Rows").first.wait_for()

    def live(p):
        p.page.locator("[role=status]").get_by_text("live", exact=True).wait_for()
        at = w.now_us()
        made.send(made.web, "kernel.bulk", lambda s: [
            w.dns(s, at, 102, 0x102, "evil.example.net"), w.connect(s + 1, at + 900, 102, 0x102, "203.0.113.9", 443)])
        p.page.get_by_role("log").get_by_text("port 443").first.wait_for()
    def command(p):
        p.rows("Commands").filter(has_text="protected").click()
        p.page.get_by_role("dialog").get_by_text("says that it was not done").wait_for()
    alert = made.server.one("SELECT id FROM alerts WHERE rule_title = 'Download piped into a shell'")["id"]
    key = "/endpoints/%s/processes/%016x" % (made.web.id, 0x101)
    return [("overview", "/", text("Newest alerts")), ("alerts", "/alerts", row("Alerts")),
            ("alert", "/alerts/%s" % alert, text("Why the rule matched")), ("hunt", "/hunt?range=all", row("Events")),
            ("hunt-sql", "/hunt?mode=sql", sql), ("endpoints", "/endpoints", row("Endpoints")),
            ("endpoint", "/endpoints/" + made.web.id, text("Last heartbeat")),
            ("endpoint-ledger", "/endpoints/%s?tab=ledger" % made.web.id, row("Ledger")),
            ("endpoint-live", "/endpoints/%s?tab=live" % made.web.id, live),
            ("process", key, row("Timeline")), ("commands", "/commands", command), ("telemetry", "/integrity", row("Ledger")), ("rules", "/rules", row("Rules")),
            ("users", "/users", row("Users")), ("enrolment", "/enrolment", text("tokens")), ("tokens", "/tokens", text("tokens")),
            ("audit", "/audit", row("Audit log")), ("settings", "/settings", text("Signing in")),
            ("account", "/account", text("this one"))]


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
        begin = time.monotonic()  # the server has it and said so
        p.rows("Alerts").get_by_text("Came while looking").wait_for(timeout=15000 * lab.SLOW)
        print("-- an alert that the server took was in the list %.0f ms later, by itself" % ((time.monotonic() - begin) * 1000))


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


def with_hole(made, peer, stream, missing):
    """Sends one record behind so many that are missing; what sends those too."""
    first = made.next[peer.id].get(stream, 1)
    made.next[peer.id][stream] = first + missing
    made.send(peer, stream, lambda s: [w.ended(s, w.now_us(), 300, 0x300, "worker")])
    return lambda: w.send(peer, stream, first, [w.ended(first + i, w.now_us(), 300, 0x300, "worker") for i in range(missing)])


def test_what_is_on_the_way_from_one_host_hides_nothing_that_is_missing_of_another():
    made = world()
    late, busy = made.peer("late", "late-1"), made.peer("busy", "busy-1")
    made.send(busy, "kernel.critical", lambda s: [w.ended(s, w.now_us(), 300, 0x300, "worker")])
    busy.heartbeat(streams=[{"epoch": "%016x" % busy.epoch, "stream": "kernel.critical", "in_flight": 900, "produced": 901, "lost": 0}])
    fill = with_hole(made, late, "kernel.critical", 500)
    with browser().person(made.server) as p:
        p.sign_in("vic", path="/integrity")
        p.rows("Ledger").get_by_text("900", exact=True).wait_for()
        p.page.get_by_text("500 unaccounted for").wait_for()
        fill()
        p.page.reload()
        p.page.get_by_text("every record accounted for").wait_for()


def one_a_page(p, hold=lambda url: False):
    """Has the server answer lists of the ledger row by row; what is held waits in the list that this returns."""
    held = []

    def page(route):
        url = re.sub(r"limit=\d+", "limit=1", route.request.url)
        if hold(url):
            held.append((route, url))
        else:
            route.continue_(url=url)
    p.page.route(re.compile(r"/ledger\?"), page)
    return held


def test_losses_are_found_on_every_page_of_the_ledger():
    made = world()
    peer = max(made.web, made.db, key=lambda one: one.id)  # there are rows of the other before
    fill = with_hole(made, peer, "kernel.bulk", 40)
    with browser().person(made.server) as p:
        one_a_page(p)
        p.sign_in("vic", path="/integrity?only=lost")
        p.rows("Ledger").get_by_text("kernel.bulk").wait_for()
        p.page.get_by_text("40 unaccounted for").wait_for()
        assert p.rows("Ledger").count() == 1
        fill()
        p.page.reload()
        p.page.get_by_text("Nothing is lost, missing or cut").wait_for()
        p.page.get_by_text("every record accounted for").wait_for()


def test_the_ledger_of_an_endpoint_is_good_only_when_all_of_it_is_there():
    made = world()
    fill = with_hole(made, made.web, "kernel.critical", 7)
    with browser().person(made.server) as p:
        wait = [True]
        held = one_a_page(p, lambda url: wait[0] and "cursor=" in url)
        p.sign_in("vic", path="/endpoints/%s?tab=ledger" % made.web.id)
        p.rows("Ledger").first.wait_for()
        p.page.wait_for_timeout(300)
        assert p.page.get_by_text("every record accounted for").count() == 0
        wait[0] = False
        for route, url in held:
            route.continue_(url=url)
        p.page.get_by_text("7 unaccounted for").wait_for()
        assert p.rows("Ledger").count() == 4
        fill()
        p.page.reload()
        p.page.get_by_text("every record accounted for").wait_for()
        assert p.rows("Ledger").count() == 4


def test_a_stream_that_was_away_says_so_and_the_alerts_are_read_again():
    made = world()
    with browser().person(made.server) as p:
        refused = [True]
        p.page.route(re.compile(r"/(tail|stream)(\?|$)"), lambda r: r.fulfill(status=429) if refused[0] else r.continue_())
        p.sign_in("vic", path="/endpoints/%s?tab=live" % made.web.id)
        p.page.locator("[role=status]").get_by_text("reconnecting").wait_for()
        refused[0] = False
        p.page.locator("[role=status]").get_by_text("live", exact=True).wait_for()
        gaps = p.page.get_by_role("log").get_by_text("something may be missing here")
        gaps.wait_for()
        p.button("Pause").click()
        p.page.locator("[role=status]").get_by_text("paused").wait_for()
        p.button("Go on").click()
        gaps.nth(1).wait_for()
        picture(p, "endpoint-live-gap")
        refused[0] = True
        p.go("/alerts")
        p.page.get_by_text("not live").wait_for()
        for n, title in ((70, "Came without a stream"), (71, "Came before the stream")):
            made.send(made.web, "alert", lambda s, n=n, title=title: [w.alert(s, w.now_us(), n, title, "high", "x", "/bin/x", 0x101, 101)])
            made.alerts += 1
            lab.wait_for("the alert", 15, lambda: made.server.one("SELECT count(*) AS n FROM alerts")["n"] >= made.alerts)
            refused[0] = n == 70  # the first one is found by asking now and then, the second when the stream begins
            p.rows("Alerts").get_by_text(title).wait_for(timeout=(20000 if n == 70 else 8000) * lab.SLOW)


def test_an_alert_of_an_agent_that_keeps_to_no_form_is_shown():
    made = world()

    made.send(made.web, "alert", lambda s: [
        w.alert(s, w.now_us(), 72, "Formless", "low", "x", "/bin/x", 0x101, 101,
                ancestry=[None, 7, "text", [1], {"pid": {"a": 1}, "image_path": "/bin/formed"}])])
    made.alerts += 1
    lab.wait_for("the alert", 15, lambda: made.server.one("SELECT count(*) AS n FROM alerts")["n"] >= made.alerts)
    with browser().person(made.server) as p:
        p.sign_in("vic", path="/alerts?q=Formless")
        p.rows("Alerts").first.get_by_role("link").click()
        p.page.locator(".tree .node.here").get_by_text("/bin/formed").first.wait_for()
        assert p.page.locator(".tree .node").count() == 1


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


def test_an_alert_is_triaged_with_the_keyboard_alone():
    made = world()
    made.send(made.web, "alert", lambda s: [
        w.alert(s + i, w.now_us() + i, 90 + i, "Keys %d" % i, "medium", "keys", "/bin/keys", 0x101, 101) for i in range(3)])
    made.alerts += 3
    with browser().person(made.server) as p:
        p.sign_in("ana")
        p.heading("Overview")
        p.keys("g", "a")
        p.heading("Alerts")
        p.keys("/", *"Keys ", "Enter")
        p.page.wait_for_url("**/alerts?q=Keys*")
        p.rows("Alerts").filter(has_text="Keys 2").wait_for()
        p.keys("Escape", "j", "j", "x", "k", "x")
        p.page.get_by_text("2 alerts chosen").wait_for()
        p.keys("x", "j", "x", "k", "Enter")
        p.heading("Keys 2")
        p.keys("n")
        p.heading("Keys 1")
        p.keys("p")
        p.heading("Keys 2")
        p.keys("m")
        p.page.locator("strong").get_by_text("ana", exact=True).wait_for()
        p.keys("c")
        p.page.keyboard.type("seen at night")
        p.keys("Control+Enter")
        p.page.locator(".comment").get_by_text("seen at night").wait_for()
        p.keys("Escape", "s", "ArrowDown", "ArrowDown", "ArrowDown", "Enter")
        p.page.locator("main .tag").get_by_text("closed", exact=True).wait_for()
    row = api(made, "/alerts?q=Keys%202")["items"][0]
    assert (row["state"], row["assignee"], row["comments_count"]) == ("closed", "ana", 1), row


if __name__ == "__main__":
    lab.main()
