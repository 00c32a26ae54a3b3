# SPDX-License-Identifier: Apache-2.0
"""Hunting in the console: many rows, long lines, hostile values, exports; in Debian's Chromium, against a real server."""
import csv
import json
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import world as w
import lab
from stage import api, browser, picture, world


def test_a_hunt_by_form_filters_opens_pivots_and_exports():
    with browser().person(world().server) as p:
        p.sign_in("ana")
        p.go("/hunt?range=all")
        p.rows("Events").first.wait_for()
        p.choose("Type of event", "dns_query")
        p.page.get_by_text("evil.example.net").first.wait_for()
        assert {r.split("\n")[2] for r in p.rows("Events").all_inner_texts()} == {"dns_query"}
        p.rows("Events").filter(has_text="evil.example.net").first.click()
        drawer = p.page.get_by_role("dialog")
        drawer.get_by_text("raw.query_name").wait_for()
        drawer.get_by_text("curl http://203.0.113.9/x").first.wait_for()  # whose question it was
        picture(p, "hunt-event")
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


def test_a_hundred_thousand_rows_scroll_to_the_end_in_a_small_document_and_bounded_memory():
    made = world()
    archive = made.archive(100_000)
    with browser().person(made.server) as p:
        p.sign_in("vic", path="/hunt?range=all&type=process_terminate&endpoint=" + archive.id)
        p.rows("Events").first.wait_for()
        devtools = p.context.new_cdp_session(p.page)

        def heap():
            devtools.send("HeapProfiler.collectGarbage")
            return devtools.send("Runtime.getHeapUsage")["usedSize"] / 2**20

        def listed():
            return int(p.page.locator(".foot span").first.inner_text().split(" ")[0].replace(",", ""))
        before, rows = heap(), listed()
        p.rows("Events").first.focus()
        while rows < 100_000:
            p.keys("End")
            p.until("n => Number(document.querySelector('.foot span').textContent.split(' ')[0].replace(/,/g, '')) > n", rows)
            rows = listed()
        p.keys("End")
        p.until("() => Number(document.activeElement?.dataset.index) === 99999")
        assert rows == 100_000 and p.rows("Events").count() < 100
        nodes, grown = p.page.evaluate("document.querySelectorAll('*').length"), heap() - before
        print("-- 100,000 rows: %d elements in the document, %.0f MiB more heap" % (nodes, grown))
        assert nodes < 3000 and grown < 500, (nodes, grown)
        p.keys("Enter")
        p.page.get_by_role("dialog").wait_for()
        p.keys("Escape")
        p.page.get_by_role("dialog").wait_for(state="detached")
        p.keys("Home")
        p.until("() => document.activeElement?.dataset.index === '0'")


def test_a_line_of_a_mebibyte_is_cut_shown_whole_when_asked_for_and_stalls_nothing():
    made = world()
    peer, size = made.peer("mebi", "mebi-1"), 0
    with browser().person(made.server) as p:
        p.sign_in("vic", path="/endpoints/%s?tab=live" % peer.id)
        p.page.locator("[role=status]").get_by_text("live", exact=True).wait_for()

        def make(seq):
            nonlocal size
            line = w.create(seq, w.now_us(), 500, "/usr/bin/long", "", 0x500, 0x1)
            size = 1024 * 1024 - len(json.dumps(line, separators=(",", ":"))) - 1
            line["raw"]["command_line"] = "A" * (size - 10) + "end-of-all"
            return [line]
        made.send(peer, "kernel.critical", make)
        p.page.get_by_role("log").get_by_text("an event too large to be streamed").click()
        p.page.get_by_role("dialog").get_by_role("button", name="Show all %s characters" % format(size, ",")).first.wait_for()
        p.keys("Escape")
        p.visit("/hunt?range=all&endpoint=" + peer.id)
        assert len(p.rows("Events").first.inner_text()) < 1000
        p.rows("Events").first.click()
        drawer = p.page.get_by_role("dialog")
        drawer.get_by_role("button", name="Show all %s characters" % format(size, ",")).first.click()
        drawer.get_by_text("end-of-all").first.wait_for()
        drawer.get_by_role("tab", name="JSON").click()
        drawer.get_by_role("button", name=re.compile("^Show all 1,0")).wait_for()
        p.keys("Escape")
        drawer.wait_for(state="detached")


def test_an_export_as_csv_holds_every_row_and_no_formula():
    made = world()
    with browser().person(made.server) as p:
        p.sign_in("ana", path="/hunt?range=all&type=process_create&endpoint=" + made.db.id)
        p.rows("Events").first.wait_for()
        p.button("Export").click()
        with p.page.expect_download() as got:
            p.page.get_by_role("menuitem", name="CSV, for spreadsheets").click()
        assert got.value.suggested_filename.endswith(".csv"), got.value.suggested_filename
        with open(got.value.path(), encoding="utf-8", newline="") as f:
            rows = list(csv.DictReader(f))
    lines = [r["command_line"] for r in rows]
    assert sorted(lines) == sorted("'" + h if h.startswith("=") else h for h in w.HOSTILE), lines
    cells = [c for r in rows for c in r.values() if c]
    assert not [c for c in cells if re.match(r"[=+@\t\r\n-]", c) and not re.fullmatch(r"-?\d+", c)], cells


def test_a_bar_of_the_histogram_leads_into_its_time():
    made = world()
    with browser().person(made.server) as p:
        p.sign_in("ana", path="/hunt?range=24h&type=process_terminate")
        bars = p.page.locator(".recharts-bar-rectangle path")
        bars.first.wait_for()
        tall = max(range(bars.count()), key=lambda i: (bars.nth(i).bounding_box() or {"height": 0})["height"])
        bars.nth(tall).click()
        p.page.wait_for_url(re.compile(r"[?&]from=.*&to="))
        asked = parse_qs(urlsplit(p.page.url).query)
        assert "range" not in asked and asked["type"] == ["process_terminate"], asked
        there = api(made, "/events/histogram?" + urlencode({k: asked[k][0] for k in ("from", "to", "type")}))
        count = sum(b["count"] for b in there["buckets"])
        assert count > 0, there
        p.page.get_by_text(re.compile(r"^(1,000 of )?%s events" % format(count, ","))).wait_for()
        p.page.go_back()
        p.page.wait_for_url(re.compile("range=24h"))


def test_all_time_is_counted_whole_and_the_silence_in_it_is_drawn():
    made = world()
    peer, now = made.peer("slow", "slow-1"), w.now_us()
    for at, count in ((now - 10 * 86_400_000_000, 100), (now - 60_000_000, 1200)):
        made.send(peer, "kernel.critical", lambda s, at=at, count=count: [
            w.ended(s + i, at + 1000 * i, 300, 0x300, "worker") for i in range(count)])

    def counted(events, intervals):
        p.page.get_by_role("img", name=re.compile("^%s events in %s intervals$" % (events, intervals))).wait_for()
    with browser().person(made.server) as p:
        p.sign_in("vic", path="/hunt?range=all&endpoint=" + peer.id)
        counted("1,300", r"\d+")
        p.page.get_by_text("1,000 of 1,300 events").wait_for()
        picture(p, "hunt-all-time")
        p.visit("/hunt?endpoint=%s&to=%s" % (peer.id, w.stamp(now - 5 * 86_400_000_000)))
        counted("100", r"\d+")
        p.visit("/hunt?endpoint=%s&range=30d" % peer.id)
        counted("1,300", "12[01]")
        p.visit("/endpoints/" + peer.id)
        counted("1,200", "9[67]")


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


if __name__ == "__main__":
    lab.main()
