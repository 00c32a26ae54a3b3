#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who an agent is: enrolment as a person types it, renewal, a new identity, and what becomes of records that were not
shipped yet."""
import os
import socket
import ssl
import struct
import threading
import time

import lab


class Listener(threading.Thread):
    """A TLS server with somebody else's certificate that writes down each byte it is sent after the handshake."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.cert, self.key = os.path.join(folder, "x.crt"), os.path.join(folder, "x.key")
        lab.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.key, "-out", self.cert)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.cert, self.key)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.received, self.handshakes, self.connections = b"", 0, 0
        self.start()

    def run(self):
        while True:
            raw, _ = self.socket.accept()
            self.connections += 1
            raw.settimeout(2)
            try:
                with self.context.wrap_socket(raw, server_side=True) as tls:
                    self.handshakes += 1
                    while True:
                        data = tls.recv(65536)
                        if not data:
                            break
                        self.received += data
            except (OSError, ssl.SSLError):
                pass


def test_wrong_fingerprint_is_refused_before_the_token_is_sent():
    with lab.Lab() as box:
        other = Listener(box.folder)
        agent = box.agent()
        token = "secret-token-0123456789"
        p = lab.run(lab.AGENT, "enroll", "--state", agent.state, "--server", "https://127.0.0.1:%d" % other.port,
                    "--token", "-", "--ca-sha256", "ab" * 32, stdin=token + "\n", check=False)
        assert p.returncode != 0
        assert other.connections >= 1, "it did try"
        assert other.received == b"", other.received
        assert "fingerprint" in (p.stdout + p.stderr).lower() or "certificate" in (p.stdout + p.stderr).lower(), p.stderr
        assert token not in p.stdout + p.stderr
        assert not os.path.exists(os.path.join(agent.state, "identity", "agent_id"))


def test_right_fingerprint_of_a_certificate_for_another_host_is_refused():
    with lab.Lab() as box:
        other = Listener(box.folder)
        digest = lab.run("openssl", "x509", "-in", other.cert, "-noout", "-fingerprint", "-sha256").stdout
        fingerprint = digest.split("=")[1].strip().replace(":", "").lower()
        agent = box.agent()
        p = lab.run(lab.AGENT, "enroll", "--state", agent.state, "--server", "https://localhost:%d" % other.port,
                    "--token", "-", "--ca-sha256", fingerprint, stdin="token\n", check=False)
        assert p.returncode != 0 and other.received == b"", (p.stderr, other.received)


def test_token_works_once_and_the_second_try_says_why():
    lab.need_root()
    with lab.Lab() as box:
        server = box.server()
        token = server.token()
        first, second = box.agent("first"), box.agent("second")
        first.enroll(server, token=token)
        p = second.enroll(server, token=token, check=False)
        assert p.returncode != 0 and "token" in (p.stdout + p.stderr).lower(), p.stderr
        assert token not in p.stdout + p.stderr
        rows = server.sql("SELECT agent_id, hostname FROM agents")
        assert [r["agent_id"] for r in rows] == [first.agent_id], rows


def test_secrets_are_roots_alone():
    lab.need_root()
    with lab.Lab() as box:
        server = box.server()
        agent = box.agent()
        agent.enroll(server)
        identity = os.path.join(agent.state, "identity")
        assert os.stat(identity).st_mode & 0o077 == 0
        for name in os.listdir(identity):
            st = os.stat(os.path.join(identity, name))
            assert st.st_uid == 0 and st.st_mode & 0o077 == 0, name
        for folder, _, names in os.walk(server.data):
            assert os.stat(folder).st_mode & 0o077 == 0, folder
            for name in names:
                assert os.stat(os.path.join(folder, name)).st_mode & 0o022 == 0, name


def test_agent_runs_in_a_folder_below_one_that_only_root_may_enter():
    lab.need_bpf()
    with lab.Lab() as box:
        os.chmod(box.folder, 0o700)
        server = box.server()
        agent = box.agent()
        agent.enroll(server)
        agent.start("--source", "ebpf")
        lab.wait_for("events", 20, lambda: server.one("SELECT COUNT(*) AS n FROM events WHERE "
                                                      "event_type = 'process_create'")["n"] > 0)
        assert lab.run(lab.AGENT, "record", "--state", agent.state, os.path.join(box.folder, "x.cap"),
                       check=False).returncode != 0
        doctor = lab.run(lab.AGENT, "doctor", "--state", agent.state)
        assert len(doctor.stdout.splitlines()) >= 5, doctor.stdout
        agent.stop("--sensor")
        assert agent.proc.returncode == 0
        lab.ledger_adds_up(server)


def test_doctor_knows_a_certificate_that_expired_an_hour_ago():
    with lab.Lab() as box:
        server, agent = box.server(), box.agent()
        agent.enroll(server)
        clock = os.path.join(box.folder, "clock")
        env = dict(lab.preload("shim_clock"), WEDR_SHIM_CLOCK=clock)

        def certificate_after(hours):
            with open(clock, "wb") as f:
                f.write(struct.pack("<q", hours * 3600 * 1000000))
            out = lab.run(lab.AGENT, "doctor", "--state", agent.state, check=False, env=env).stdout
            return [line for line in out.splitlines() if line.split()[1] == "certificate"][0]

        assert certificate_after(89 * 24).startswith("ok")
        for hours in (90 * 24 + 1, 90 * 24 + 25):
            line = certificate_after(hours)
            assert line.startswith("BROKEN") and "expired" in line, line


def test_wrong_fingerprint_costs_no_token_and_leaves_no_identity():
    with lab.Lab() as box:
        server, agent = box.server(), box.agent()
        token = server.token()
        p = lab.run(lab.AGENT, "enroll", "--state", agent.state, "--server", server.url, "--token", "-", "--ca-sha256",
                    "0" * 64, stdin=token + "\n", check=False)
        assert p.returncode == 1 and not os.path.exists(os.path.join(agent.state, "identity", "agent_id")), p
        agent.enroll(server, token=token)
        assert agent.agent_id


def test_same_ca_renews_and_replace_counts_what_was_not_shipped_as_lost():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = box.server(), box.agent()
        agent.enroll(server)
        first = agent.agent_id
        agent.start("--source", "ebpf")
        lab.wait_for("events at the server", 20, lambda: server.sql("SELECT 1 FROM events WHERE stream = 'kernel.critical' LIMIT 1"))
        refused = agent.enroll(server, check=False)
        assert refused.returncode == 1 and "stop it first" in refused.stderr, refused
        server.stop()
        flood = os.path.join(lab.BUILD, "tests", "system", "exec_flood")
        lab.run(flood, "unshipped", "0", "20")
        time.sleep(1.5)
        agent.stop()
        server.start()
        assert "renewed" in agent.enroll(server).stdout and agent.agent_id == first
        assert "anew" in agent.enroll(server, "--replace").stdout and agent.agent_id != first
        assert len(server.sql("SELECT agent_id FROM agents")) == 2
        agent.start("--source", "ebpf")
        lab.wait_for("the loss at the server", 20, lambda: server.sql(
            "SELECT 1 FROM ledger_loss WHERE reason = 'reenrolled' AND stream = 'kernel.critical' AND lost >= 20"))
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


def test_certificate_is_renewed_after_two_thirds_of_its_life_while_batches_are_under_way():
    lab.need_root()
    with lab.Lab() as box:
        offset = os.path.join(box.folder, "offset")
        with open(offset, "wb") as f:
            f.write(struct.pack("<q", 0))
        os.chmod(offset, 0o644)
        env = dict(lab.preload("shim_clock"), WEDR_SHIM_CLOCK=offset)

        def days(n):
            with open(offset, "r+b") as f:
                f.write(struct.pack("<q", n * 86400 * 1000000))

        def certificate():
            with open(os.path.join(agent.state, "identity", "tls.crt"), encoding="ascii") as f:
                return f.read()

        def last_day():
            text = lab.run("openssl", "x509", "-noout", "-enddate", "-in",
                           os.path.join(agent.state, "identity", "tls.crt")).stdout.split("=")[1].strip()
            return (ssl.cert_time_to_seconds(text) - time.time()) / 86400

        server, agent = box.server(env=env), box.agent(env=env)
        agent.config(shipper={"max_backoff_secs": 1}, agent={"max_bytes_per_file": 65536})
        agent.enroll(server)
        first = certificate()
        assert 89 < last_day() <= 90.1, last_day()
        capture = os.path.join(box.folder, "gen.cap")
        lab.run(lab.AGENT, "gen", "--events", "150000", capture)
        days(59)
        server.stop()
        agent.start("--source", "replay:" + capture)
        lab.wait_for("a backlog", 60, lambda: agent.status()["spool"]["batches_waiting"] > 1000)
        server.start()
        lab.wait_for("batches under way", 20, lambda: server.sql("SELECT 1 FROM events LIMIT 1"))
        assert certificate() == first, "not before day 60"
        days(61)
        lab.wait_for("another certificate", 15, lambda: certificate() != first)
        assert 150 < last_day() < 152, last_day()
        lab.wait_for("the replay to end", 60, lambda: agent.proc.poll() is not None)
        assert agent.proc.returncode == 0, agent.tail()
        lab.ledger_adds_up(server, "stream LIKE 'kernel.%'")
        days(100)  # the first one is over now
        lab.run(lab.AGENT, "gen", "--events", "20000", capture)
        agent.start("--source", "replay:" + capture, "--new-epoch", wait=False)
        lab.wait_for("the second replay to end", 60, lambda: agent.proc.poll() is not None)
        assert agent.proc.returncode == 0, agent.tail()
        assert len(server.sql("SELECT agent_id FROM agents")) == 1
        assert len(lab.ledger_adds_up(server, "stream = 'kernel.critical'")) == 2


lab.main()
