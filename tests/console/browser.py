# SPDX-License-Identifier: Apache-2.0
"""A person at the console: Debian's Chromium, driven by Playwright. Whatever the page complains about fails the test."""
import os
import re

import lab
from playwright.sync_api import sync_playwright

from world import PASSWORD

CHROMIUM = "/usr/bin/chromium"
AXE = os.path.join(lab.ROOT, "console", "node_modules", "axe-core", "axe.min.js")
# What the browser itself says about an answer that the console expects and shows.
EXPECTED = re.compile(r"the server responded with a status of (401|404|408|409|412|422|429)")
FORBIDDEN = re.compile(r"status of 403")
AWAY = re.compile(r"net::ERR_|status of 503")


class Browser:
    def __init__(self):
        self.playwright = sync_playwright().start()
        self.cookies = {}  # of (server, user): a session is used by more than one test
        self.chromium = self.playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])

    def close(self):
        self.chromium.close()
        self.playwright.stop()

    def person(self, server, **kw):
        return Person(self, server, **kw)


class Person:
    """with browser.person(server) as p: p.sign_in(...); p.page is Playwright's."""

    def __init__(self, browser, server, dark=False, away=False, refused=False):
        self.browser, self.server, self.away, self.refused, self.trouble = browser, server, away, refused, []
        self.context = browser.chromium.new_context(
            viewport={"width": 1440, "height": 900}, ignore_https_errors=True, accept_downloads=True,
            color_scheme="dark" if dark else "light", reduced_motion="reduce", permissions=["clipboard-read", "clipboard-write"])
        self.context.set_default_timeout(10000 * lab.SLOW)
        self.page = self.context.new_page()
        self.page.on("console", self.on_console)
        self.page.on("pageerror", lambda e: self.trouble.append("error: %s" % e))
        self.page.on("dialog", lambda d: (self.trouble.append("dialog: " + d.message), d.dismiss()))
        self.page.on("request", self.on_request)

    def on_console(self, m):
        if m.type == "error" and not EXPECTED.search(m.text) and not (self.away and AWAY.search(m.text)) \
                and not (self.refused and FORBIDDEN.search(m.text)):
            self.trouble.append("console: " + m.text[:500])

    def on_request(self, r):
        if not r.url.startswith((self.server.url, "blob:" + self.server.url, "data:")):
            self.trouble.append("asked elsewhere: " + r.url[:200])

    def __enter__(self):
        return self

    def __exit__(self, kind, value, tb):
        if kind:
            path = os.path.join(lab.BUILD, "console-failed.png")
            try:
                self.page.screenshot(path=path)
                print("-- %s, at %s" % (path, self.page.url))
            except Exception as e:  # the page may be gone: the test's own error counts
                print("-- no picture: %s" % e)
        self.context.close()
        assert kind or not self.trouble, "\n".join(self.trouble)
        return False

    def go(self, path="/"):
        self.page.goto(self.server.url + path)

    def visit(self, path):
        """As a link of the console would, without loading the page anew."""
        self.page.evaluate("path => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')) }", path)

    def keys(self, *names):
        for name in names:
            self.page.keyboard.press(name)

    def until(self, expression, arg=None):
        """Waits until the page says yes. Asked from outside again and again: what Playwright leaves in the page to ask by itself is
        evaluated there, which the console's content security policy forbids from the second time on."""
        lab.wait_for(expression, 10, lambda: self.page.evaluate(expression, arg) or self.page.wait_for_timeout(50), every=0)

    def field(self, label):
        """The one input with this label, required or not."""
        return self.page.get_by_label(re.compile("^" + re.escape(label) + r"( \*)?$"))

    def button(self, name, **kw):
        return self.page.get_by_role("button", name=name, exact=True, **kw)

    def heading(self, name):
        self.page.get_by_role("heading", name=name).first.wait_for()

    def give_name_and_password(self, name, password):
        self.field("User name").fill(name)
        self.field("Password").fill(password)
        self.button("Sign in").click()

    def sign_in(self, name, password=PASSWORD, path="/"):
        """By the form the first time, later with that session's cookie."""
        kept = self.browser.cookies.get((self.server.url, name))
        if kept:
            self.context.add_cookies(kept)
            self.go(path)
        else:
            self.go(path)
            self.give_name_and_password(name, password)
        self.page.get_by_role("navigation", name="Main").wait_for()
        self.browser.cookies[self.server.url, name] = self.context.cookies()

    def first_sign_in(self, name, once, password=PASSWORD):
        """With a one-time password, which has to be changed."""
        self.go()
        self.give_name_and_password(name, once)
        self.heading("Choose a password of your own")
        self.field("Current password").fill(once)
        self.field("New password").fill(password)
        self.field("New password again").fill(password)
        self.button("Change password").click()
        self.page.get_by_role("navigation", name="Main").wait_for()

    def choose(self, label, option):
        """An option of one of our selects."""
        self.page.get_by_role("textbox", name=label, exact=True).click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def rows(self, label):
        return self.page.get_by_role("table", name=label).locator(".tbody [role=row]")

    def axe(self, *rules):
        """Findings of axe-core that are serious or critical, as text; of these rules alone if some are given."""
        if not self.page.evaluate("'axe' in window"):
            with open(AXE, encoding="utf-8") as f:
                self.page.evaluate(f.read() + ";undefined")
        # Colours that are on their way to others are nobody's.
        self.page.evaluate("""async () => {
            await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
            await Promise.all(document.getAnimations().filter(a => a.effect.getTiming().iterations !== Infinity)
                .map(a => a.finished.catch(() => 0)));
        }""")
        found = self.page.evaluate("""async rules => (await axe.run(document, {resultTypes: ['violations'],
            ...(rules.length ? {runOnly: rules} : {})})).violations
            .filter(v => v.impact === 'serious' || v.impact === 'critical')
            .map(v => v.id + ': ' + v.help + ' ' + v.nodes.slice(0, 4).map(n => n.target.join(' ') + ' ' +
                 (n.any[0] ? n.any[0].message : '')).join(' | '))""", list(rules))
        return found
