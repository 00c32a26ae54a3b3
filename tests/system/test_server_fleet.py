# SPDX-License-Identifier: Apache-2.0
"""Enrolment, certificates and heartbeats against the real wedr-server."""
import json
import multiprocessing
import os
import ssl
import struct
import subprocess
import threading

import lab
from server_client import (Client, Peer, at_once, cpu_seconds, metrics, plain_context, post_bytes, quick_socket, rss_kib,
                           sign_keys)


def fleet(**config):
    l = lab.Lab()
    return l, l.server(config)


def in_threads(count, fn):
    out = [None] * count

    def one(i):
        try:
            out[i] = fn(i)
        except OSError as e:
            out[i] = e
    threads = [threading.Thread(target=one, args=(i,)) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return out


def test_a_one_use_token_enrols_exactly_one_of_many():
    l, s = fleet(auth={"enroll_attempts_per_minute": 1000})
    with l:
        token = s.token()
        peers = [Peer(s, l.folder, "p%d" % i) for i in range(4)]
        bodies = [json.dumps(p.enroll_body(token)) for p in peers]
        answers = in_threads(60, lambda i: Client(s).request("POST", "/api/v1/agents/enroll", bodies[i % 4]))
        codes = [a.status for a in answers if not isinstance(a, OSError)]
        assert codes.count(201) == 1 and set(codes) == {201, 401}, codes
        assert s.one("SELECT COUNT(*) AS n FROM agents")["n"] == 1


def test_guessing_is_limited_also_when_all_guess_at_once():
    l, s = fleet(auth={"enroll_attempts_per_minute": 20})
    with l:
        p = Peer(s, l.folder)
        body = json.dumps(p.enroll_body("0" * 48))
        answers = in_threads(200, lambda i: Client(s).request("POST", "/api/v1/agents/enroll", body))
        got = [a for a in answers if not isinstance(a, OSError)]
        codes = [a.status for a in got]
        assert codes.count(401) <= 20 and codes.count(429) >= 150 and set(codes) <= {401, 429}, codes
        limited = [a for a in got if a.status == 429]
        assert all(1 <= int(a.headers["retry-after"]) <= 60 for a in limited)
        assert all(a.json["status"] == 429 and a.json["detail"] for a in limited)
        # A valid token from the same address has to wait, too: the limiter does not tell good from bad beforehand.
        assert p.enroll().status == 429


MANY = {"connections_per_address": 4000, "open_deadline_ms": 120000, "header_deadline_ms": 120000}
ENROLL = "/api/v1/agents/enroll"


def test_case_5_a_thousand_requests_at_once_use_a_token_once():
    l, s = fleet(auth={"enroll_attempts_per_minute": 100000, "enrolments_per_minute": 100000}, http=MANY)
    with l:
        peers = [Peer(s, l.folder, "p%d" % i) for i in range(4)]
        token = s.token()
        bodies = [post_bytes(ENROLL, json.dumps(p.enroll_body(token)).encode()) for p in peers]
        codes = at_once(s, [bodies[i % 4] for i in range(1000)])
        assert codes.count(201) == 1 and set(codes) <= {201, 401, 429}, {c: codes.count(c) for c in set(codes)}
        assert s.one("SELECT COUNT(*) AS n FROM agents")["n"] == 1
        assert metrics(s)["wedr_enrolled_total"] == 1


def test_case_5_a_thousand_guesses_at_once_do_not_race_past_the_limit():
    l, s = fleet(auth={"enroll_attempts_per_minute": 20}, http=MANY)
    with l:
        p = Peer(s, l.folder)
        body = post_bytes(ENROLL, json.dumps(p.enroll_body("0" * 48)).encode())
        codes = at_once(s, [body] * 1000)
        assert codes.count(401) <= 20 and codes.count(401) + codes.count(429) + codes.count(None) == 1000, codes
        assert codes.count(429) > 500 and s.one("SELECT COUNT(*) AS n FROM agents")["n"] == 0


def flood_part(server, request, count, codes):
    context, mine = plain_context(), {}
    for _ in range(count):
        try:
            with quick_socket(server, context) as k:
                k.sendall(request)
                code = k.recv(4096)[9:12].decode()
        except OSError as e:
            code = type(e).__name__
        mine[code] = mine.get(code, 0) + 1
    codes.put(mine)


def flood(server, request, count, parts=3):
    fork = multiprocessing.get_context("fork")
    codes, total = fork.Queue(), {}
    running = [fork.Process(target=flood_part, args=(server, request, count // parts, codes)) for _ in range(parts)]
    for r in running:
        r.start()
    for _ in running:
        for code, n in codes.get(timeout=120 * lab.SLOW).items():
            total[code] = total.get(code, 0) + n
    for r in running:
        r.join()
    return total


def test_case_5_ten_thousand_enrolments_cost_bounded_cpu_and_memory():
    with lab.Lab() as l:
        s = l.server()  # as it comes: no limit is set for the test
        good, stranger = Peer(s, l.folder, "good"), Peer(s, l.folder, "stranger")
        assert good.enroll().status == 201
        request = post_bytes(ENROLL, json.dumps(stranger.enroll_body("0" * 48)).encode())
        for i in range(5):
            assert good.post(1 + i * 10, 10).status == 202  # what storing takes is there, and not of the strangers
        part = 3000 if lab.SLOW == 1 else 300
        cost, memory, codes = [], [], {}
        for i in range(3):
            before = cpu_seconds(s.proc.pid)
            for code, n in flood(s, request, part + (1000 if i == 2 and part == 3000 else 0)).items():
                codes[code] = codes.get(code, 0) + n
            cost.append((cpu_seconds(s.proc.pid) - before) / part)
            memory.append(rss_kib(s.proc.pid))
            assert good.post(1001 + i * 10, 10).status == 202  # who is enrolled is served
        assert codes.pop("429") > 2.9 * part and codes.pop("401") <= 60 and not codes, codes
        assert max(cost) < 0.005 * lab.SLOW, cost  # seconds of CPU per refused stranger: a handshake, no more
        assert lab.SLOW > 1 or memory[2] - memory[0] < 4096, memory
        assert s.one("SELECT COUNT(*) AS n FROM agents")["n"] == 1
        assert os.path.getsize(s.log) < 400 * 3.5 * part


def test_a_sanitizers_report_in_a_log_fails_the_test():
    try:
        with lab.Lab() as l:
            with open(os.path.join(l.folder, "server.log"), "w", encoding="ascii") as f:
                f.write("==1==ERROR: AddressSanitizer: heap-use-after-free")
    except AssertionError as e:
        assert "heap-use-after-free" in str(e)
        return
    raise AssertionError("the report was not seen")


def test_used_up_and_expired_tokens_are_refused():
    with lab.Lab() as l:
        s = l.server()
        token = s.token("--uses", "2")
        peers = [Peer(s, l.folder, "p%d" % i) for i in range(3)]
        assert [p.enroll(token).status for p in peers] == [201, 201, 401]
        short = s.token("--ttl", "1s")
        lab.time.sleep(1.2)
        a = peers[2].enroll(short)
        assert a.status == 401 and "expired" in a.json["detail"], a


def test_a_hostname_claims_nothing():
    with lab.Lab() as l:
        s = l.server()
        a, b = Peer(s, l.folder, "a"), Peer(s, l.folder, "b")
        assert a.enroll(hostname="same").status == 201 and b.enroll(hostname="same").status == 201
        assert a.id != b.id
        assert a.post(1, 3).status == 202 and b.post(1, 3).status == 202
        assert s.one("SELECT COUNT(*) AS n FROM agents WHERE hostname='same'")["n"] == 2


def test_certificates_carry_the_agent_id_whatever_the_request_says():
    with lab.Lab() as l:
        s = l.server()
        p = Peer(s, l.folder)
        csr = p.csr(subject="/CN=11111111-1111-4111-8111-111111111111/O=evil")
        assert p.enroll(csr=csr).status == 201
        text = subprocess.run(["openssl", "x509", "-in", p.base + ".pem", "-noout", "-subject", "-ext",
                               "extendedKeyUsage,basicConstraints", "-enddate"], capture_output=True, text=True,
                              check=True).stdout
        assert "CN = " + p.id in text and "evil" not in text, text
        assert "TLS Web Client Authentication" in text and "CA:FALSE" in text, text


def test_bad_enrolments_get_a_reason_and_use_no_token():
    with lab.Lab() as l:
        s = l.server()
        token = s.token()
        p = Peer(s, l.folder)
        good = p.enroll_body(token)
        bad = [("csr_pem", p.csr(curve="P-384")), ("csr_pem", "junk"), ("csr_pem", good["csr_pem"] * 2),
               ("csr_pem", good["csr_pem"][:200]), ("batch_key_proof", "00" * 64), ("batch_key", "zz" * 32),
               ("batch_key", sign_keys()[0].hex()), ("host", None), ("host", {"hostname": "a\x1b[31m", "os": "linux",
               "os_version": ""}), ("host", {"hostname": "x" * 300, "os": "linux", "os_version": ""}),
               ("surprise", 1), ("enrollment_token", 5)]
        for key, value in bad:
            a = Client(s).request("POST", "/api/v1/agents/enroll", json.dumps(dict(good, **{key: value})))
            assert a.status == 400 and a.json["detail"], (key, value, a)
            assert token not in a.body.decode()
        for text in (b"", b"[]", b"{", b'{"a":1,"a":2}', b"[" * 60000, b"\xff\xfe", b'{"enrollment_token":"a\\u0000b"}'):
            a = Client(s).request("POST", "/api/v1/agents/enroll", text)
            assert a.status in (400, 429), a
        s.stop()
        s.start()  # the limiter's memory ends with the process
        assert p.enroll(token).status == 201
        assert token not in open(s.log).read()


def test_a_flood_of_enrolments_is_bounded_in_all():
    l, s = fleet(auth={"enroll_attempts_per_minute": 1000, "enrolments_per_minute": 30})
    with l:
        p = Peer(s, l.folder)
        body = json.dumps(p.enroll_body(s.token("--uses", "1000")))
        answers = in_threads(120, lambda i: Client(s).request("POST", "/api/v1/agents/enroll", body))
        codes = [a.status for a in answers if not isinstance(a, OSError)]
        assert codes.count(201) == 30 and codes.count(429) == len(codes) - 30, codes
        ids = {a.json["agent_id"] for a in answers if not isinstance(a, OSError) and a.status == 201}
        assert len(ids) == 30


def test_renewal_keeps_the_key_and_replaces_the_certificate_once_used():
    with lab.Lab() as l:
        s = l.server()
        p, other = Peer(s, l.folder), Peer(s, l.folder, "other")
        assert p.enroll().status == 201
        csr = open(p.base + ".csr", encoding="ascii").read()
        a = p.client().request("POST", p.path("renew"), json.dumps({"csr_pem": other.csr()}))
        assert a.status == 400 and "key of the current certificate" in a.json["detail"], a
        a = p.client().request("POST", p.path("renew"), json.dumps({"csr_pem": csr}))
        assert a.status == 200, a
        old = p.client()
        assert old.request("POST", p.path("heartbeat"), b"{}").status == 400  # still let in
        with open(p.base + ".pem", "w", encoding="ascii") as f:
            f.write(a.json["cert_pem"])
        assert p.heartbeat().status == 200
        assert p.post(1, 2).status == 202
        a = old.request("POST", p.path("heartbeat"), b"{}")
        assert a.status == 403 and "newer" in a.json["detail"], a


def test_a_connection_ends_with_its_certificate():
    with lab.Lab() as l:
        clock = os.path.join(l.folder, "clock")
        with open(clock, "wb") as f:
            f.write(struct.pack("<q", 0))
        s = l.server(env=dict(lab.preload("shim_clock"), WEDR_SHIM_CLOCK=clock))
        p = Peer(s, l.folder)
        assert p.enroll().status == 201

        def beat_at(days, c):
            with open(clock, "r+b") as f:
                f.write(struct.pack("<q", days * 86400 * 10**6))
            return p.client().request("POST", p.path("heartbeat"), b"{}", connection=c)

        kept = [p.client().connection() for _ in range(2)]
        for c in kept:
            assert beat_at(0, c).status == 400  # let in
        for c, days in zip(kept, (91, -2)):  # after the certificate's time, and before it
            a = beat_at(days, c)
            assert a.status == 401 and "out of its time" in a.json["detail"], a


def test_a_clock_that_leaps_ahead_for_a_moment_deletes_no_events():
    with lab.Lab() as l:
        clock = os.path.join(l.folder, "clock")

        def set_clock(days):
            with open(clock, "r+b" if os.path.exists(clock) else "wb") as f:
                f.write(struct.pack("<q", days * 86400 * 10**6))

        set_clock(0)
        s = l.server({"events": {"retention_days": 1, "keep_interval_ms": 50}},
                     env=dict(lab.preload("shim_clock"), WEDR_SHIM_CLOCK=clock))
        p = Peer(s, l.folder)
        assert p.enroll().status == 201
        assert p.post(1, 5).status == 202
        ahead = lambda: metrics(s)["wedr_events_clock_ahead_seconds"]
        set_clock(3650)
        lab.wait_for("the clock to be doubted", 20, lambda: ahead() > 3649 * 86400)
        set_clock(0)
        lab.wait_for("the clock to be right again", 20, lambda: ahead() == 0)
        m = metrics(s)
        assert m["wedr_events_days"] == 1 and m["wedr_events_days_deleted_total"] == 0, m
        assert s.one("SELECT count(*) AS n FROM events")["n"] == 5


def test_heartbeats_are_strict_and_stored():
    with lab.Lab() as l:
        s = l.server()
        p = Peer(s, l.folder)
        assert p.enroll().status == 201
        a = p.heartbeat()
        assert a.status == 200 and a.json["next_checkin_seconds"] == 60 and a.json["server_time"].endswith("Z"), a
        stream = {"epoch": "00000000000000aa", "stream": "kernel.bulk", "in_flight": 0, "produced": 1, "lost": 0}
        bad = [{"status": 1}, {"unknown": 1}, {"streams": [dict(stream, in_flight=-1)]}, {"streams": [stream, stream]},
               {"streams": [dict(stream, epoch="AA")]}, {"streams": [dict(stream, stream="../x")]},
               {"metrics": []}, {"agent_version": "x" * 100}, {"health": [1]}, {"rule_errors": [{"a": 1}]}]
        for change in bad:
            a = p.heartbeat(**change)
            assert a.status == 400 and a.json["detail"], (change, a)
        assert p.heartbeat(metrics={"x": "y" * 20000}).status == 413
        a = p.client().request("POST", p.path("heartbeat"), b"x" * 65537)
        assert a.status == 413, a


def test_tokens_and_fingerprint_work_without_a_running_server():
    with lab.Lab() as l:
        s = lab.Server(l.folder)
        token, print_before = s.token(), s.fingerprint()
        assert len(token) == 48 and len(print_before) == 64 and print_before == print_before.lower()
        l.servers.append(s.start())
        assert s.fingerprint() == print_before
        der = ssl.PEM_cert_to_DER_cert(open(os.path.join(s.data, "pki", "ca.pem"), encoding="ascii").read())
        assert __import__("hashlib").sha256(der).hexdigest() == print_before
        assert Peer(s, l.folder).enroll(token).status == 201
        assert oct(os.stat(s.data).st_mode & 0o777) == "0o700"
        for name in ("pki/ca.key", "pki/server.pem", "token.key", "state.db"):
            assert os.stat(os.path.join(s.data, name)).st_mode & 0o077 == 0, name


def test_a_second_server_on_a_folder_says_so_and_changes_nothing():
    with lab.Lab() as l:
        s = l.server()
        p = Peer(s, l.folder)
        assert p.enroll().status == 201
        second = lab.run(lab.SERVER, "serve", "--data", s.data, "--listen", "127.0.0.1:0", check=False)
        assert second.returncode == 1 and "another wedr-server is using this folder" in second.stderr, second
        assert open(os.path.join(s.data, "listen"), encoding="ascii").read().strip() == s.listen
        assert p.post(1, 5).status == 202


def test_a_data_folder_that_is_a_link_or_anothers_is_refused():
    lab.need_root()
    with lab.Lab() as l:
        real, link, other = (os.path.join(l.folder, n) for n in ("real", "link", "other"))
        os.mkdir(real, 0o700)
        os.symlink(real, link)
        os.mkdir(other)
        os.chmod(other, 0o777)
        os.chown(other, 65534, 65534)
        for folder in (link, other):
            for command in (("serve", "--listen", "127.0.0.1:0"), ("token", "create"), ("ca", "fingerprint")):
                p = lab.run(lab.SERVER, *command, "--data", folder, check=False, timeout=10)
                assert p.returncode == 1 and folder in p.stderr, (folder, command, p)
        assert os.listdir(real) == [] and os.listdir(other) == []


def test_the_servers_certificate_follows_its_names_and_agents_stay():
    with lab.Lab() as l:
        s = l.server()
        p = Peer(s, l.folder)
        assert p.enroll().status == 201
        before = open(os.path.join(s.data, "pki", "server.pem"), encoding="ascii").read()
        s.stop()
        s.start()
        assert open(os.path.join(s.data, "pki", "server.pem"), encoding="ascii").read() == before
        s.stop()
        s.args = ("--name", "edr.example.test", "--name", "192.0.2.7")
        s.start()
        text = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName"], input=open(
            os.path.join(s.data, "pki", "server.pem"), encoding="ascii").read(), capture_output=True, text=True,
            check=True).stdout
        assert "DNS:edr.example.test" in text and "IP Address:192.0.2.7" in text and "DNS:localhost" in text, text
        assert p.heartbeat().status == 200


def test_kill_minus_9_while_enrolling_leaves_a_folder_that_serves():
    with lab.Lab() as l:
        s = l.server()
        token = s.token("--uses", "1000")
        for i in range(5):
            p = Peer(s, l.folder, "p%d" % i)
            body = json.dumps(p.enroll_body(token))
            t = threading.Thread(target=lambda: in_threads(8, lambda k: Client(s).request(
                "POST", "/api/v1/agents/enroll", body)))
            t.start()
            lab.time.sleep(0.01 * i)
            s.kill()
            t.join()
            s.start()
        assert Peer(s, l.folder, "last").enroll(token).status == 201
        assert metrics(s)["wedr_enrolled_total"] == 1


lab.main()
