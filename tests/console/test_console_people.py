# SPDX-License-Identifier: Apache-2.0
"""Signing in, users, tokens, enrolment, settings, sessions that end, servers that go away: in Debian's Chromium, against a real server."""
import json
import os
import re
import subprocess
import time

import world as w
import lab
import first_view
from stage import api, browser, picture, world


def test_the_first_endpoint_is_enrolled_from_the_welcome():
    with lab.Lab() as l:
        s = l.server()
        with browser().person(s) as p:
            p.first_sign_in("admin", w.first_password(s))
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
            # There is an endpoint now: the overview is asked for again now and then, and the welcome stays to its end.
            with p.page.expect_response("**/overview", timeout=40000 * lab.SLOW):
                pass
            p.heading("Welcome")
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
        p.field("Your password").fill("not the password")
        p.button("Set up two-factor sign-in").click()
        p.page.get_by_role("alert").wait_for()
        p.field("Your password").fill(w.PASSWORD)
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


def test_a_second_factor_is_forced_and_an_admin_takes_it_away_and_unlocks():
    with lab.Lab() as l:
        s = l.server()
        w.settle(s, "admin", w.first_password(s))
        once = lab.run(lab.SERVER, "user", "add", "lou", "analyst", "--data", s.data).stdout.strip()
        with browser().person(s) as p:
            p.sign_in("admin", path="/settings")
            p.page.get_by_text("Everybody needs two-factor sign-in").click()
            p.button("Save").click()
            # That holds for whoever set it, too, and at once.
            p.heading("Set up two-factor sign-in")
            secret = set_up_second_factor(p)
            p.heading("Settings")
            with browser().person(s) as lou:
                lou.go("/alerts")
                lou.give_name_and_password("lou", once)
                lou.heading("Choose a password of your own")
                lou.field("Current password").fill(once)
                lou.field("New password").fill(w.PASSWORD)
                lou.field("New password again").fill(w.PASSWORD)
                lou.button("Change password").click()
                lou.heading("Set up two-factor sign-in")
                lou.go("/hunt")
                lou.heading("Set up two-factor sign-in")  # there is no way around
                picture(lou, "two-factor-forced")
                set_up_second_factor(lou)
                lou.heading("Hunt")
                # A phone is lost: an admin takes the factor away, which ends the session.
                p.visit("/users")
                p.rows("Users").filter(has_text="lou").get_by_text("on", exact=True).wait_for()
                p.button("Actions for lou").click()
                p.page.get_by_role("menuitem", name="Take second factor away").click()
                p.page.get_by_role("dialog").get_by_role("button", name="Take away").click()
                p.rows("Users").filter(has_text="lou").get_by_text("off", exact=True).wait_for()
                lou.page.get_by_role("link", name="Rules").click()
                lou.page.get_by_text("Your session has ended").wait_for()
                for _ in range(10):
                    answer = w.Client(s).request("POST", "/api/v1/session", json.dumps({"username": "lou", "password": "a guess"}),
                                                 {"Content-Type": "application/json"})
                    assert answer.status in (401, 429), answer
                lou.give_name_and_password("lou", w.PASSWORD)
                lou.page.get_by_role("alert").get_by_text("Try again in").wait_for()
                p.page.reload()
                p.rows("Users").filter(has_text="lou").get_by_text("locked").wait_for()
                p.button("Actions for lou").click()
                p.page.get_by_role("menuitem", name="Unlock").click()
                p.page.get_by_text("Unlocked.").wait_for()
                p.rows("Users").filter(has_text="lou").get_by_text("locked").wait_for(state="detached")
                lou.button("Sign in").click()
                lou.heading("Set up two-factor sign-in")
        session = w.sign_in(s, "admin", w.PASSWORD, totp=w.totp(secret, time.time() + 30))
        actions = [e["action"] for e in w.change(s, session, "GET", "/audit?action=user.").json["items"]]
        assert {"user.unlock", "user.locked"} <= set(actions) and any("totp" in a for a in actions), actions


def set_up_second_factor(p):
    """From the password to the codes being kept; the secret."""
    p.field("Your password").fill(w.PASSWORD)
    p.button("Set up two-factor sign-in").click()
    secret = p.page.get_by_test_id("totp-secret").inner_text()
    p.field("Code that the app shows").fill(w.totp(secret))
    p.button("Turn on").click()
    p.button("I have kept them").click()
    return secret


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
        browser().cookies.pop((made.server.url, "vic"))
        w.change(made.server, w.sign_in(made.server, "vic", w.PASSWORD), "DELETE", "/account/sessions")  # all others
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


def test_the_policy_has_no_exception_and_the_first_view_is_small_and_quick():
    seen = first_view.look(browser(), world().server, "vic")
    print("-- first view, nothing in the cache: %s" % json.dumps(seen))
    assert 0 < seen["gzip_bytes"] <= 600 * 1024, seen
    head = w.Client(world().server).request("GET", "/alerts/1?x=1")
    policy = head.headers["content-security-policy"]
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy and "default-src 'none'" in policy, policy
    assert head.headers["x-content-type-options"] == "nosniff" and head.headers["referrer-policy"] == "no-referrer"
    climb = w.Client(world().server).request("GET", "/assets/../../../../../../etc/passwd")
    assert climb.body.startswith(b"<!doctype html>"), climb  # a path of the console's own, as far as the server knows
    assert w.Client(world().server).request("GET", "/assets/../../../../../../etc/host.conf").status == 404


if __name__ == "__main__":
    lab.main()
