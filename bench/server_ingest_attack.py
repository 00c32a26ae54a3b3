# SPDX-License-Identifier: Apache-2.0
"""Those who mean the server no good, at rates of their own: 200 connections that send a byte of their headers now and then, wrong
enrolment tokens, handshakes with a certificate of another CA, and an enrolled agent that sends bombs. They run as a process of low
priority: what is measured is what they cost the server, not how they take its processors."""
import multiprocessing
import os
import ssl
import subprocess
import threading
import time

from server_client import Client, Peer, plain_context, post_bytes, quick_socket, zstd

SLOW_CONNECTIONS = 200
RATES = {"wrong tokens": 20, "foreign certificates": 20, "bombs": 5}  # a second
KINDS = ("slow bytes", *RATES)


def foreign_certificate(folder):
    cert, key = os.path.join(folder, "foreign.pem"), os.path.join(folder, "foreign.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=stranger", "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


class Attack:
    """with Attack(server, folder): they are at it."""

    def __init__(self, server, folder):
        self.server = server
        self.peer = Peer(server, folder, "bomber")
        assert self.peer.enroll().status == 201
        self.foreign = foreign_certificate(folder)
        self.done = {k: multiprocessing.Value("Q", 0) for k in KINDS}
        self.stop = None

    def counts(self):
        return {k: v.value for k, v in self.done.items()}

    def __enter__(self):
        self.stop = multiprocessing.Event()
        self.proc = multiprocessing.Process(target=self._run, daemon=True)
        self.proc.start()
        time.sleep(1)
        return self

    def __exit__(self, kind, value, tb):
        self.stop.set()
        self.proc.join(20)
        if self.proc.is_alive():
            self.proc.kill()

    def _run(self):
        os.nice(10)
        work = [threading.Thread(target=self._paced, args=(k, f), daemon=True) for k, f in (
            ("wrong tokens", self._token), ("foreign certificates", self._stranger), ("bombs", self._bomb))]
        work.append(threading.Thread(target=self._slow, daemon=True))
        for t in work:
            t.start()
        self.stop.wait()

    def _count(self, kind, n=1):
        with self.done[kind].get_lock():
            self.done[kind].value += n

    def _paced(self, kind, once):
        tools = {}
        begin, n = time.monotonic(), 0
        while not self.stop.is_set():
            try:
                once(tools)
                self._count(kind)
            except OSError:
                tools.clear()  # it was cut off: a new connection next time
            n += 1
            time.sleep(max(0.0, begin + n / RATES[kind] - time.monotonic()))

    def _token(self, tools):
        body = b'{"enrollment_token":"' + b"0" * 43 + b'"}'
        with quick_socket(self.server, tools.setdefault("tls", plain_context())) as s:
            s.sendall(post_bytes("/api/v1/agents/enroll", body))
            s.recv(4096)

    def _stranger(self, tools):
        if "tls" not in tools:
            tools["tls"] = plain_context()
            tools["tls"].load_cert_chain(*self.foreign)
        with quick_socket(self.server, tools["tls"]) as s:
            s.sendall(post_bytes("/api/v1/agents/%s/logs" % self.peer.id, b"x"))
            s.recv(4096)

    def _bomb(self, tools):
        if "body" not in tools:
            tools["body"] = zstd(b" " * (64 << 20))
            tools["connection"] = self.peer.client().connection()
        answer = self.peer.post(1, 1, body=tools["body"], connection=tools["connection"])
        assert answer.status in (400, 413, 429), answer

    def _slow(self):
        tls, sockets = plain_context(), []
        while not self.stop.wait(0.01):
            if len(sockets) < SLOW_CONNECTIONS:
                try:
                    sockets.append(quick_socket(self.server, tls))
                    sockets[-1].sendall(b"POST /api/v1/agents/enroll HTTP/1.1\r\nHost: a\r\nX-A: ")
                except OSError:
                    continue
            for s in sockets[::len(sockets) // 20 + 1]:
                try:
                    s.sendall(b"a")
                    self._count("slow bytes")
                except (OSError, ssl.SSLError):
                    s.close()
                    sockets.remove(s)
