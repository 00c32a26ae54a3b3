# SPDX-License-Identifier: Apache-2.0
"""A person made of Python: signs in, keeps the cookie and the CSRF token, sends requests."""
import base64
import hashlib
import hmac
import json
import os
import struct
import time

import lab
from server_client import Client

BASE = "/api/v1"
COOKIE = "__Host-wedr_session"
PASSWORD = "correct horse battery"


def first_password(server):
    with open(os.path.join(server.data, "first-password"), encoding="ascii") as f:
        return f.read().strip()


def totp(secret, at=None, step=0):
    """RFC 6238 by the text of the RFC, not by the server's code."""
    counter = int(time.time() if at is None else at) // 30 + step
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", counter), hashlib.sha1).digest()
    offset = mac[19] & 15
    return "%06d" % ((struct.unpack(">I", mac[offset:offset + 4])[0] & 0x7fffffff) % 1000000)


class Person:
    def __init__(self, server, token=None):
        self.server, self.client, self.token = server, Client(server), token
        self.cookie = self.csrf = self.user = None

    def request(self, method, path, body=None, headers=None, csrf=True):
        h = dict(headers or {})
        if self.token:
            h.setdefault("Authorization", "Bearer " + self.token)
        elif self.cookie:
            h.setdefault("Cookie", "%s=%s" % (COOKIE, self.cookie))
            if csrf and method != "GET" and self.csrf:
                h.setdefault("X-CSRF-Token", self.csrf)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            h.setdefault("Content-Type", "application/json")
        return self.client.request(method, BASE + path, body, h)

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.request("POST", path, body, **kw)

    def patch(self, path, body, **kw):
        return self.request("PATCH", path, body, **kw)

    def put(self, path, body, **kw):
        return self.request("PUT", path, body, **kw)

    def delete(self, path, body=None, **kw):
        return self.request("DELETE", path, body, **kw)

    def sign_in(self, username, password, **more):
        r = self.client.request("POST", BASE + "/session",
                                json.dumps({"username": username, "password": password, **more}).encode(),
                                {"Content-Type": "application/json"})
        if r.status == 200:
            self.cookie = r.headers["set-cookie"].split(";")[0].split("=", 1)[1]
            self.csrf, self.user = r.json["csrf"], r.json["user"]
        return r


def admin(server, password=PASSWORD):
    """The first admin, with the password changed."""
    p = Person(server)
    r = p.sign_in("admin", first_password(server))
    assert r.status == 200, r
    r = p.post("/account/password", {"current": first_password(server), "new": password})
    assert r.status == 204, r
    return p


def make_user(boss, name, role, groups=None, password=PASSWORD):
    """A user of this role, signed in, with the password changed."""
    r = boss.post("/users", {"username": name, "role": role, "groups": groups})
    assert r.status == 201, r
    once = r.json["password"]
    p = Person(boss.server)
    assert p.sign_in(name, once).status == 200
    assert p.post("/account/password", {"current": once, "new": password}).status == 204
    return p


class House:
    """A server with its first admin, in a folder of its own."""

    def __init__(self, **config):
        self.lab = lab.Lab()
        self.server = self.lab.server(config)

    def __enter__(self):
        self.admin = admin(self.server)
        return self

    def __exit__(self, kind, value, tb):
        try:
            if kind is None:
                assert self.server.proc.poll() in (None, 0), open(self.server.log, encoding="utf-8").read()[-3000:]
        finally:
            self.lab.__exit__(kind, value, tb)
        return False
