# SPDX-License-Identifier: Apache-2.0
"""Requests that schemathesis makes of the served document, good and broken ones: no answer of 5xx, none that the document does not
name, none of another shape."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))

import lab
from people_client import BASE, COOKIE, House

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# Streams do not end; these end the session that asks or take away who asks.
LEFT_OUT = ("tailEvents", "streamAlerts", "signOut", "changePassword", "endSession", "endOtherSessions", "deleteUser", "changeUser",
            "resetPassword", "changeSettings", "deleteToken")
MANY = {"people": {"signins_per_minute": 1000000, "signins_total_per_minute": 1000000}}


def venv():
    p = subprocess.run([os.path.join(ROOT, "tools", "test_venv"), "api"], capture_output=True, text=True)
    if p.returncode == 77:
        raise lab.Skip("the package index cannot be reached")
    assert p.returncode == 0, p.stderr
    return os.path.dirname(p.stdout.strip())


def run(h, headers, examples):
    url = "https://" + h.server.listen + BASE
    command = [os.path.join(venv(), "schemathesis"), "run", url + "/openapi.json", "--url", url, "--tls-verify", "false",
               "--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", str(examples), "--seed", "1",
               "--request-timeout", "60", "--request-retries", "3", "--no-color", "--warnings", "off", "--suppress-health-check", "all", "--workers", "2"]
    for name in LEFT_OUT:
        command += ["--exclude-operation-id", name]
    for name, value in headers.items():
        command += ["-H", "%s: %s" % (name, value)]
    p = subprocess.run(command, capture_output=True, text=True, cwd=h.lab.folder, timeout=1200)
    print(p.stdout[-1500:])
    assert p.returncode == 0, p.stdout[-6000:] + p.stderr[-2000:]
    assert h.server.proc.poll() is None


def examples():
    return 100 if lab.FULL else 25


def test_with_an_api_token():
    with House(**MANY) as h:
        r = h.admin.post("/tokens", {"name": "t", "scopes": ["read", "triage", "respond", "admin"], "expires_days": 1})
        run(h, {"Authorization": "Bearer " + r.json["token"]}, examples())


def test_with_a_session():
    with House(**MANY) as h:
        run(h, {"Cookie": "%s=%s" % (COOKIE, h.admin.cookie), "X-CSRF-Token": h.admin.csrf}, examples())


lab.main()
