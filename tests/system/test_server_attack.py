# SPDX-License-Identifier: Apache-2.0
"""Hostile bytes, bombs and impersonation against the real wedr-server: it answers clearly, stores nothing wrong, and its
memory stays bounded."""
import ctypes
import gzip
import json
import os
import socket
import sqlite3
import struct
import threading
import time

import lab
from server_client import Client, Peer, cpu_seconds, libzstd, lines, metrics, rss_kib, sign, zstd

RSS_GROWTH_KIB = 64 * 1024  # far above noise, far below what any of these floods would cost unbounded
SANITIZED = lab.SLOW > 1


class World:
    """A server, two enrolled peers, and the memory it began with."""

    def __init__(self, **config):
        self.lab = lab.Lab()
        self.server = self.lab.server(config)

    def __enter__(self):
        s = self.server
        self.a, self.b = Peer(s, self.lab.folder, "a"), Peer(s, self.lab.folder, "b")
        assert self.a.enroll().status == 201 and self.b.enroll().status == 201
        assert self.a.post(1, 100).status == 202
        self.rss = rss_kib(s.proc.pid)
        return self

    def __exit__(self, kind, value, tb):
        try:
            if kind is None:
                self.still_good()
        finally:
            self.lab.__exit__(kind, value, tb)
        return False

    def still_good(self):
        assert self.server.proc.poll() is None, open(self.server.log).read()[-3000:]
        assert Client(self.server).request("GET", "/healthz").status == 200
        grown = rss_kib(self.server.proc.pid) - self.rss
        assert SANITIZED or grown < RSS_GROWTH_KIB, "grew by %d KiB" % grown
        for line in open(self.server.log, encoding="utf-8", errors="strict"):
            assert len(line) <= 4200, len(line)


def tcp(server, data, wait=0.2):
    host, port = server.listen.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=5) as s:
        try:
            s.sendall(data)
            s.settimeout(wait)
            return s.recv(4096)
        except OSError:
            return b""


def status_of(reply):
    return int(reply.split(b" ", 2)[1]) if reply.startswith(b"HTTP/1.") else None


def test_case_1_garbage_instead_of_tls():
    with World() as w:
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32)
        for data in (b"\xff" * 65536, b"\0" * 65536, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\xff" * 70000,
                     hello, hello[:7], b"\x80" + b"\xff" * 300, os.urandom(20000)):
            for _ in range(5):
                tcp(w.server, data, wait=0.02)


def test_case_1_http_that_is_no_http():
    with World() as w:
        c = Client(w.server)
        big = b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Big: " + b"a" * 65536 + b"\r\n\r\n"
        many = b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: 1\r\n" % i for i in range(200)) + b"\r\n"
        long = b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\nHost: a\r\n\r\n"
        for data in (b"\xff" * 70000, big, many, long, b"\0\r\n\r\n", b"GET\r\n\r\n", b"GET /healthz HTTP/9.9\r\n\r\n"):
            assert status_of(c.raw(data, timeout=15)) in (None, 400, 413, 414, 431, 501, 505), data[:40]


def test_case_1_two_ways_to_read_a_request_are_refused():
    with World() as w:
        c = Client(w.server)
        head = b"POST /api/v1/agents/enroll HTTP/1.1\r\nHost: a\r\n"
        inner = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
        cases = [
            head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
            head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
            head + b"Transfer-Encoding: xchunked\r\nContent-Length: 3\r\n\r\nabc" + inner,
            head + b"Content-Length: 3\r\nContent-Length: 40\r\n\r\nabc" + inner,
            head + b"Content-Length: +3\r\n\r\nabc" + inner,
            head + b"Content-Length: 3, 3\r\n\r\nabc" + inner,
            head + b"Content-Length: 99999999999999999999\r\n\r\nabc" + inner,
            head + b"Content-Length: -1\r\n\r\nabc" + inner,
            head + b"X-A: b\r\n Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc" + inner,
            b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\tfolded\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n" + inner,
            b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\n\r\n",
            head + b"Expect: 200-maybe\r\nContent-Length: 3\r\n\r\nabc" + inner,
            b"GET /healthz HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        ]
        for data in cases:
            reply = c.raw(data, timeout=15)
            assert b"HTTP/1.1 2" not in reply and b"wedr_" not in reply, (data, reply)
            assert status_of(reply) in (None, 400, 411, 413, 417), (data, reply[:200])


def test_case_1_a_long_attack_leaves_memory_and_log_as_they_were():
    with World() as w:
        c = Client(w.server)
        big = b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Big: " + b"a" * 65536 + b"\r\n\r\n"
        inside = (big, b"\xff" * 40000, b"POST /api/v1/agents/enroll HTTP/1.1\r\nHost: a\r\nContent-Le",
                  b"POST /api/v1/agents/enroll HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n{\"a",
                  b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
        outside = (b"\xff" * 65536, b"\x16\x03\x01\xff\xff" + b"\xff" * 70000, b"\x16\x03\x01\x02\x00\x01",
                   b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 5000)
        memory, logged = [], []
        for _ in range(4):
            for _ in range(15):
                for data in outside:
                    tcp(w.server, data, wait=0.001)
                for data in inside:
                    with c.socket() as s:
                        try:
                            s.sendall(data)
                        except OSError:
                            pass  # refused before all of it was read
            memory.append(rss_kib(w.server.proc.pid))
            logged.append(os.path.getsize(w.server.log))
        assert SANITIZED or memory[3] - memory[0] < 3 * 1024, memory
        assert logged[3] - logged[0] < 64 * 1024, logged


def test_case_1_pipelined_requests_get_one_answer_each():
    with World() as w:
        one = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
        reply = Client(w.server).raw(one * 19 + one.replace(b"a\r\n\r\n", b"a\r\nConnection: close\r\n\r\n"))
        assert reply.count(b"HTTP/1.1 200") == 20, reply.count(b"HTTP/1.1 ")


def test_a_body_that_is_somewhat_too_large_is_refused_with_an_answer_that_arrives():
    with World() as w, Client(w.server).socket() as s:
        body = 400000
        s.sendall(b"POST /api/v1/events/export HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % body)
        for _ in range(8):  # it is still being sent when the server knows
            time.sleep(0.05)
            s.sendall(b"x" * (body // 8))
        assert status_of(s.recv(4096)) == 413


def test_case_2_nothing_large_is_read_before_authentication():
    with World() as w:
        c = Client(w.server)
        path = "/api/v1/agents/%s/logs" % w.a.id
        for route in (path, "/api/v1/agents/enroll", "/healthz", "/nowhere"):
            head = "POST %s HTTP/1.1\r\nHost: a\r\nContent-Encoding: zstd\r\nContent-Length: 8000000\r\n\r\n" % route
            with c.socket() as s:
                s.sendall(head.encode())
                reply = s.recv(4096)  # comes although not one byte of the body was sent
                assert status_of(reply) in (401, 404, 405, 413), (route, reply[:200])


def frame_that_lies(claimed):
    """A zstd frame header that claims a size, and one raw block that does not hold it."""
    return b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", claimed) + struct.pack("<I", (100 << 3) | 1)[:3] + b"a" * 100


def test_case_2_bombs_after_authentication_cost_little():
    with World() as w:
        line = lines(1, 1)
        bombs = {
            "64 MiB of blanks": zstd(b" " * (64 << 20)),
            "64 MiB of newlines": zstd(b"\n" * (64 << 20)),
            "claims 2^60": frame_that_lies(1 << 60),
            "claims 200": frame_that_lies(200),
            "two frames": zstd(line) + zstd(line),
            "tail behind the frame": zstd(line) + b"tail",
            "cut": zstd(line)[:-3],
            "no zstd": b"\x1f\x8b" + bytes(100),
            "one byte": b"\x28",
            "one line of 3 MiB": zstd(b'{"a":"' + b"x" * (3 << 20) + b'"}\n'),
            "no newline at the end": zstd(line[:-1]),
        }
        connection = w.a.client().connection(timeout=30 * lab.SLOW)
        for name, body in bombs.items():
            begin = time.monotonic()
            a = w.a.post(101, 1, body=body, connection=connection)
            took = time.monotonic() - begin
            if name == "one line of 3 MiB":
                assert a.status in (202, 400, 413), (name, a)
            else:
                assert a.status in (400, 413), (name, a)
                assert a.json["detail"], name
            assert took < 2 * lab.SLOW, (name, took)
        rows = w.server.one("SELECT COUNT(*) AS n FROM events")
        assert rows["n"] == 100, rows


def bombs():
    deep = b"[" * 1000000
    return {"blanks": zstd(b" " * (64 << 20)), "claims 2^60": frame_that_lies(1 << 60), "deep": zstd(deep + b"\n"),
            "gzip": gzip.compress(bytes(8 << 20)), "keys": zstd(b"{" + b",".join(b'"k%d":1' % i for i in range(100000)) + b"}\n")}


def test_case_2_bombs_of_strangers_are_refused_for_being_strangers():
    with World() as w:
        nobody = Client(w.server)
        begin = cpu_seconds(w.server.proc.pid)
        for name, body in bombs().items():
            assert w.a.post(101, 1, body=body, client=nobody).status == 401, name
            assert w.b.post(101, 1, body=body, path=w.a.path("logs")).status == 403, name
            r = nobody.request("POST", w.a.path("heartbeat"), body[:60000])
            assert r.status == 401, (name, r)
            assert w.b.client().request("POST", w.a.path("heartbeat"), body[:60000]).status == 403, name
        assert cpu_seconds(w.server.proc.pid) - begin < 1 * lab.SLOW  # none was unpacked


def test_case_2_bombs_stay_within_a_fixed_memory():
    with World() as w:
        before = rss_kib(w.server.proc.pid, "VmHWM")
        for _ in range(3):
            for name, body in bombs().items():
                a = w.a.post(101, 1, body=body)
                assert a.status in (400, 413) or (a.status == 202 and a.json["received"] == 0), (name, a)
                if a.status == 202:
                    w.a.epoch += 1  # the range is taken: the next bomb comes as another epoch
        assert SANITIZED or rss_kib(w.server.proc.pid, "VmHWM") - before < 160 * 1024
        assert w.server.one("SELECT COUNT(*) AS n FROM events")["n"] == 100


def test_case_2_heartbeat_bombs_are_400_or_413():
    with World() as w:
        ok = w.a.heartbeat()
        assert ok.status == 200, ok
        good = b'{"status":"healthy","agent_version":"0.1.0","metrics":{%s}}'
        bad = {"deep": b'{"metrics":' * 6000, "deep lists": b"[" * 65536, "keys": good % b",".join(b'"k%d":1' % i for i in range(6000)),
               "twice": b'{"status":"healthy","status":"healthy"}', "nul": good % b'"a":"\\u0000"', "utf8": good % b'"a":"\xff"',
               "surrogate": good % b'"a":"\\ud800"', "huge number": good % b'"a":1e400', "long": good % (b'"a":"' + b"x" * 65536 + b'"'),
               "int": good % (b'"a":' + b"9" * 40), "tail": b"{}{}", "empty": b""}
        for name, body in bad.items():
            r = w.a.client().request("POST", w.a.path("heartbeat"), body)
            assert r.status in (400, 413) and r.json["detail"], (name, r)


def tables(server):
    """Every table, index and column of every database of the server."""
    found = set()
    for folder, _, names in os.walk(server.data):
        for name in names:
            if name.endswith(".db"):
                db = sqlite3.connect(os.path.join(folder, name))
                found |= {(name, sql) for (sql,) in db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
                db.close()
    return found


def test_case_2_what_is_sent_never_adds_to_the_schema():
    with World() as w:
        columns, before = set(w.server.one("SELECT * FROM events LIMIT 1")), tables(w.server)
        for i in range(20):
            first = 101 + i * 600
            good = lines(first, 600)
            new = good.replace(b'"uid":0', b'"uid":0,"new_%d":{"x":1}' % i).replace(b'"source"', b'"top_%d":1,"source"' % i)
            a = w.a.post(first, 600, body=zstd(new))
            assert a.status == 202 and a.json["received"] == 0 and a.json["skipped"] == 600, a
        assert tables(w.server) == before
        assert set(w.server.one("SELECT * FROM events LIMIT 1")) == columns
        row = w.server.one("SELECT stored, lost, missing FROM ledger WHERE agent_id='%s'" % w.a.id)
        assert row == {"stored": 100, "lost": 12000, "missing": 0}, row


def test_case_2_hostile_lines_are_rejected_not_stored():
    with World() as w:
        good = lines(101, 1)
        bad = [b"[" * 1000000, b'{"seq":102' + b',"a":{' * 1000 + b"}" * 1000 + b"}", b"{" + b",".join(b'"k%d":1' % i for i in range(100000)) + b"}",
               good[:-2] + b',"seq":101}', good.replace(b'"true"', b'"a\\u0000b"')[:-1], good.replace(b'"true"', b'"\xff\xfe"')[:-1],
               good.replace(b'"uid":0', b'"uid":-1')[:-1], good.replace(b'"uid":0', b'"surprise":0')[:-1]]
        for i, text in enumerate(bad):
            a = w.a.post(101 + i, 1, body=zstd(text + b"\n"))
            assert a.status in (202, 400, 413), (i, a)
            if a.status == 202:
                assert a.json["received"] == 0 and a.json["skipped"] == 1, (i, a)
        assert w.server.one("SELECT COUNT(*) AS n FROM events")["n"] == 100


def test_case_2_overload_is_429_before_the_body_is_read():
    with World(ingest={"inflight_bytes": 8388608, "agent_inflight_bytes": 8388608}) as w:
        c = w.a.client()
        body = b"x" * 8000000
        head = "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n" % w.a.path("logs")
        for k, v in w.a.batch_headers(body, 101, 101, 1).items():
            head += "%s: %s\r\n" % (k, v)
        with c.socket() as first, c.socket() as second:
            first.sendall(head.encode() + b"\r\n" + body[:1000])
            lab.wait_for("the first request's place", 5, lambda: metrics(w.server)["wedr_queue_bytes"] == 8000000)
            second.sendall(head.encode() + b"\r\n")
            reply = second.recv(8192)
            assert status_of(reply) == 429 and b"Retry-After: 1\r\n" in reply, reply
        lab.wait_for("its release", 5, lambda: metrics(w.server)["wedr_queue_bytes"] == 0)
        assert w.a.post(101, 5).status == 202


def test_case_4_identity_comes_from_the_certificate():
    with World() as w:
        a, b, s = w.a, w.b, w.server
        body = zstd(lines(101, 3))
        # A's certificate on B's path; B's id and B's signature, A's certificate; A's path, B's signature.
        r = a.post(101, 3, body=body, path=b.path("logs"))
        assert r.status == 403 and "another agent" in r.json["detail"], r
        r = a.post(101, 3, body=body, path=b.path("logs"), agent=b.id, secret=b.secret)
        assert r.status == 403, r
        r = a.post(101, 3, body=body, secret=b.secret)
        assert r.status == 403 and "signed" in r.json["detail"], r
        r = a.post(101, 3, body=body, agent=b.id)
        assert r.status == 403, r
        # No certificate, a self-made one, another server's.
        r = a.post(101, 3, body=body, client=Client(s))
        assert r.status == 401, r
        own = os.path.join(w.lab.folder, "own")
        lab.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                own + ".key", "-out", own + ".pem", "-subj", "/CN=" + a.id)
        r = a.post(101, 3, body=body, client=Client(s, own + ".pem", own + ".key"))
        assert r.status == 401, r
        # The server's own certificate is signed by the CA, but not for clients.
        pem = os.path.join(s.data, "pki", "server.pem")
        r = a.post(101, 3, body=body, client=Client(s, pem, pem))
        assert r.status in (401, 403), r
        assert b.heartbeat().status == 200
        seen = s.one("SELECT last_seen, agent_version FROM agents WHERE agent_id='%s'" % b.id)
        flight = s.sql("SELECT in_flight FROM ledger WHERE agent_id='%s'" % b.id)
        forged = json.dumps({"status": "healthy", "agent_version": "6.6.6", "streams": [
            {"epoch": "%016x" % b.epoch, "stream": "kernel.critical", "in_flight": 77, "produced": 77, "lost": 0}]})
        assert a.client().request("POST", b.path("heartbeat"), forged).status == 403
        assert Client(s).request("POST", b.path("heartbeat"), forged).status == 401
        assert s.one("SELECT last_seen, agent_version FROM agents WHERE agent_id='%s'" % b.id) == seen
        assert s.sql("SELECT in_flight FROM ledger WHERE agent_id='%s'" % b.id) == flight
        assert a.client().request("POST", b.path("renew"), b"{}").status == 403
        assert s.one("SELECT COUNT(*) AS n FROM events")["n"] == 100


def test_case_4_a_replayed_batch_is_stored_once_and_a_changed_one_refused():
    with World() as w:
        body = zstd(lines(101, 50))
        first = w.a.post(101, 50, body=body)
        assert first.status == 202 and first.json["received"] == 50, first
        for _ in range(3):
            again = w.a.post(101, 50, body=body)
            assert again.status == 202 and again.json == first.json, again
        other = w.a.post(101, 50, body=zstd(lines(101, 50).replace(b'"true"', b'"evil"')))
        assert other.status == 409, other
        assert w.a.post(120, 50, body=zstd(lines(120, 50))).status == 409
        n = w.server.one("SELECT COUNT(*) AS n, COUNT(DISTINCT seq) AS d FROM events WHERE seq > 100")
        assert n == {"n": 50, "d": 50}, n
        m = metrics(w.server)
        assert (m["wedr_ingest_batches_total"], m["wedr_ingest_events_total"]) == (2, 150), m
        assert (m["wedr_ingest_duplicates_total"], m["wedr_ingest_conflicts_total"]) == (3, 2), m


def test_case_4_every_altered_header_breaks_the_signature():
    with World() as w:
        body = zstd(lines(101, 5))
        good = w.a.batch_headers(body, 101, 105, 5)
        changes = {"X-Wedr-Epoch": "00000000000000ff", "X-Wedr-Boot-Id": "ff" * 16, "X-Wedr-Stream": "kernel.bulk",
                   "X-Wedr-Produced": "999", "X-Wedr-Lost": "7", "X-Wedr-Sha256": "00" * 32,
                   "X-Wedr-Signature": "00" * 64}
        for name, value in changes.items():
            r = w.a.client().request("POST", w.a.path("logs"), body, dict(good, **{name: value}))
            assert r.status in (400, 403), (name, r)
        for name, value in (("X-Wedr-Count", "0"), ("X-Wedr-Count", "65536"), ("X-Wedr-First-Seq", "0"), ("X-Wedr-Last-Seq", "1"),
                            ("X-Wedr-First-Seq", "18446744073709551616"), ("X-Wedr-Epoch", "0" * 16), ("X-Wedr-Stream", "../../etc"),
                            ("X-Wedr-Signature", "zz"), ("X-Wedr-Count", "5 "), ("X-Wedr-Count", "-5")):
            r = w.a.client().request("POST", w.a.path("logs"), body, dict(good, **{name: value}))
            assert r.status in (400, 403), (name, value, r)
        for name in good:
            if name.startswith("X-Wedr"):
                r = w.a.client().request("POST", w.a.path("logs"), body, {k: v for k, v in good.items() if k != name})
                assert r.status == 400 and name in r.json["detail"], (name, r)
        assert w.a.client().request("POST", w.a.path("logs"), body, {**good, "Content-Encoding": "gzip"}).status == 415
        assert w.server.one("SELECT COUNT(*) AS n FROM events")["n"] == 100


def test_case_4_a_cloned_agent_shows_as_a_conflict():
    with World() as w:
        # Both copies of one identity go on in the same epoch: the second one's records collide.
        assert w.a.post(101, 10).status == 202
        r = w.a.post(101, 10, body=zstd(lines(101, 10).replace(b'"pid":4242', b'"pid":666')))
        assert r.status == 409, r


def test_case_6_slow_requests_end_at_their_deadline():
    with World(http={"header_deadline_ms": 1000, "open_deadline_ms": 1000, "body_deadline_ms": 1000}) as w:
        c = Client(w.server)

        def drip(first, rest, client):
            with client.socket(timeout=20) as s:
                begin = time.monotonic()
                try:
                    s.sendall(first)
                    for i in range(200):
                        s.sendall(rest)
                        s.settimeout(0.1)
                        try:
                            if not s.recv(100):
                                break
                        except TimeoutError:
                            pass
                except OSError:
                    pass
                return time.monotonic() - begin
        head = b"POST /api/v1/agents/enroll HTTP/1.1\r\nHost: a\r\n"
        logs = "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n" % w.a.path("logs")
        logs += "".join("%s: %s\r\n" % kv for kv in w.a.batch_headers(b"x" * 5000, 101, 101, 1).items()) + "\r\n"
        assert drip(head, b"X-A: b\r\n", c) < 5
        assert drip(head + b"Content-Length: 5000\r\n\r\n", b"{", c) < 5
        assert drip(logs.encode(), b"x", w.a.client()) < 5
        host, port = w.server.listen.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10) as s:  # never begins TLS
            assert s.recv(10) == b""
        assert metrics(w.server)["wedr_connections_deadline_total"] >= 4


def test_case_6_half_a_greeting_takes_no_processor():
    """A handshake that has begun waits without being asked again and again, ends at its deadline, and a stop does not wait."""
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32)
    with World(http={"header_deadline_ms": 4000}) as w:
        host, port = w.server.listen.rsplit(":", 1)
        def begun():
            s = socket.create_connection((host, int(port)), timeout=30 * lab.SLOW)
            s.sendall(hello)
            return s
        halves = [begun() for _ in range(20)]
        lab.wait_for("20 connections", 5, lambda: metrics(w.server)["wedr_connections_open"] >= 20)
        begin = cpu_seconds(w.server.proc.pid)
        time.sleep(2)
        assert cpu_seconds(w.server.proc.pid) - begin < 0.2 * lab.SLOW
        assert w.a.post(101, 100).status == 202
        for s in halves:
            try:
                assert s.recv(100) == b""
            except ConnectionResetError:
                pass
            s.close()
        halves = [begun() for _ in range(20)]
        w.still_good()
        w.server.stop()
        w.server.start()


def test_case_6_good_agents_are_served_during_a_flood_of_strangers():
    with World() as w:
        stop = threading.Event()

        def flood():
            while not stop.is_set():
                try:
                    tcp(w.server, b"\xff" * 3000, wait=0.01)
                    Client(w.server).request("POST", w.a.path("heartbeat"), b"{}")
                except OSError:
                    pass
        threads = [threading.Thread(target=flood) for _ in range(6)]
        for t in threads:
            t.start()
        try:
            connection = w.b.client().connection()
            took = []
            for i in range(40):
                begin = time.monotonic()
                assert w.b.post(1 + i * 20, 20, connection=connection).status == 202
                took.append(time.monotonic() - begin)
        finally:
            stop.set()
            for t in threads:
                t.join()
        assert sorted(took)[20] < 1.0 * lab.SLOW, took
        assert w.server.one("SELECT COUNT(*) AS n FROM events WHERE agent_id='%s'" % w.b.id)["n"] == 800


def test_stop_finishes_what_is_under_way():
    with World() as w:
        results = []

        def post(i):
            p = w.a if i % 2 else w.b
            try:
                results.append((i, p.post(1001 + i * 2000, 2000).status))
            except OSError:
                results.append((i, None))
        threads = [threading.Thread(target=post, args=(i,)) for i in range(8)]
        for t in threads:
            t.start()
        time.sleep(0.05)
        begin = time.monotonic()
        w.server.stop()
        assert time.monotonic() - begin < 8 * lab.SLOW
        for t in threads:
            t.join()
        stored = sum(1 for _, status in results if status == 202)
        w.server.start()
        n = w.server.one("SELECT COUNT(*) AS n FROM events WHERE seq > 1000")["n"]
        assert n >= stored * 2000 and n % 2000 == 0, (n, results)
        w.rss = rss_kib(w.server.proc.pid)


lab.main()
