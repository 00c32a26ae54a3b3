#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Enrolment and the commands around it, as a person types them."""
import os
import socket
import ssl
import threading

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


def test_enrolling_again_keeps_the_identity_and_replace_makes_a_new_one():
    lab.need_root()
    with lab.Lab() as box:
        server = box.server()
        agent = box.agent()
        agent.enroll(server)
        before = agent.agent_id
        agent.enroll(server)
        assert agent.agent_id == before
        agent.enroll(server, "--replace")
        assert agent.agent_id != before
        assert len(server.sql("SELECT agent_id FROM agents")) == 2


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


lab.main()
