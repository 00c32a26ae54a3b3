# SPDX-License-Identifier: Apache-2.0
"""What the tests of the console share: the interpreter that has Playwright, one browser, one filled server, pictures."""
import atexit
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
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
from browser import Browser  # noqa: E402

PICTURES = os.environ.get("WEDR_PICTURES")  # a folder: pictures of every view are put there
_kept = {}


def browser():
    if "browser" not in _kept:
        _kept["browser"] = Browser()
    return _kept["browser"]


def world():
    """The filled server; ana is an analyst, vic a viewer, rita a responder, all with PASSWORD."""
    if "world" not in _kept:
        made = w.World()
        try:
            made.fill()
            for name, role in (("admin", None), ("ana", "analyst"), ("vic", "viewer"), ("rita", "responder")):
                w.settle(made.server, name, made.first_password() if role is None else made.user(name, role))
            made.add_commands("rita")
        except BaseException:
            made.close()
            raise
        _kept["world"] = made
    return _kept["world"]


@atexit.register
def close():
    for name in ("browser", "world"):
        if name in _kept:
            _kept.pop(name).close()


def picture(p, name):
    if PICTURES:
        os.makedirs(PICTURES, exist_ok=True)
        p.page.mouse.move(0, 0)
        p.page.wait_for_timeout(500)
        p.page.screenshot(path=os.path.join(PICTURES, name + ".png"))


def api(made, path, token=None):
    """What the server says to a program; without a token as ana."""
    client = w.Client(made.server)
    headers = {"Authorization": "Bearer " + token} if token else {}
    if not token:
        headers["Cookie"] = w.sign_in(made.server, "ana", w.PASSWORD)[0]
    answer = client.request("GET", "/api/v1" + path, headers=headers)
    assert answer.status == 200, answer
    return answer.json
