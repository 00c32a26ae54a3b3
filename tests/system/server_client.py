# SPDX-License-Identifier: Apache-2.0
"""An agent made of Python, for tests that speak to the server as a hostile or honest agent would."""
import ctypes
import hashlib
import http.client
import json
import os
import socket
import ssl
import struct
import subprocess

sodium = ctypes.CDLL("libsodium.so.23")
libzstd = ctypes.CDLL("libzstd.so.1")
libzstd.ZSTD_compress.restype = ctypes.c_size_t
libzstd.ZSTD_compress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
libzstd.ZSTD_compressBound.restype = ctypes.c_size_t
libzstd.ZSTD_compressBound.argtypes = [ctypes.c_size_t]

BOOT = "00112233445566778899aabbccddeeff"


def zstd(data, level=3):
    cap = libzstd.ZSTD_compressBound(len(data))
    out = ctypes.create_string_buffer(cap)
    n = libzstd.ZSTD_compress(out, cap, data, len(data), level)
    return out.raw[:n]


def sign_keys():
    public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
    assert sodium.crypto_sign_keypair(public, secret) == 0
    return public.raw, secret.raw


def sign(secret, message):
    out = ctypes.create_string_buffer(64)
    assert sodium.crypto_sign_detached(out, None, message, ctypes.c_ulonglong(len(message)), secret) == 0
    return out.raw


def exit_line(seq, pid=4242):
    raw = {"pid": pid, "exit_code": seq % 256, "process_key": "%016x" % (seq + 1000), "parent_pid": 1, "uid": 0,
           "comm": "true"}
    return {"ts": "2026-11-23T20:00:%02d.%06dZ" % (seq // 1000000 % 60, seq % 1000000), "module": "kernel_callback",
            "event_type": "process_terminate", "process": {"pid": pid, "key": raw["process_key"]}, "raw": raw,
            "source": "kernel", "kind": "ProcessExit", "event_version": 7, "seq": seq,
            "drop_count": 0, "trunc_count": 0}


def lines(first, count):
    return b"".join(json.dumps(exit_line(s), separators=(",", ":")).encode() + b"\n"
                    for s in range(first, first + count))


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "%d %s" % (self.status, self.body[:300])


class Client:
    """Requests to one server, with or without a client certificate; a connection per request unless kept."""

    def __init__(self, server, cert=None, key=None):
        host, port = server.listen.rsplit(":", 1)
        self.host, self.port = host, int(port)
        self.context = ssl.create_default_context(cafile=os.path.join(server.data, "pki", "ca.pem"))
        if cert:
            self.context.load_cert_chain(cert, key)

    def connection(self, timeout=30):
        return http.client.HTTPSConnection(self.host, self.port, context=self.context, timeout=timeout)

    def request(self, method, path, body=None, headers=None, connection=None, tries=5):
        c = connection or self.connection()
        try:
            try:
                c.request(method, path, body=body, headers=headers or {})
            except OSError:
                # Refused before the body was read, the connection is closed while we still send; what was answered before
                # that is still there to be read, unless a reset overtook it.
                if connection is not None or c.sock is None:
                    raise
            r = c.getresponse()
        except (OSError, http.client.HTTPException):
            if connection is not None or tries == 1:
                raise
            c.close()
            return self.request(method, path, body, headers, tries=tries - 1)
        answer = Answer(r.status, dict((k.lower(), v) for k, v in r.getheaders()), r.read())
        if connection is None:
            c.close()
        return answer

    def socket(self, timeout=20):
        s = socket.create_connection((self.host, self.port), timeout=timeout)
        return self.context.wrap_socket(s, server_hostname=self.host)

    def raw(self, data, timeout=20):
        """Sends bytes over TLS; everything that comes back until the server closes or goes quiet."""
        out = b""
        with self.socket(timeout) as s:
            try:
                s.sendall(data)
                while True:
                    piece = s.recv(65536)
                    if not piece:
                        break
                    out += piece
            except (OSError, ssl.SSLError):
                pass
        return out


def plain_context():
    """For floods: strangers do not check the server's certificate, which would cost the test more than the server."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    return c


def quick_socket(server, context, timeout=60):
    host, port = server.listen.rsplit(":", 1)
    s = socket.create_connection((host, int(port)), timeout=timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(s)


def post_bytes(path, body):
    return b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(body), body)


def at_once(server, requests):
    """Sends all requests at the same moment, each on its own connection; the status codes (None: closed)."""
    context, codes = plain_context(), []
    sockets = [quick_socket(server, context) for _ in requests]
    for s, r in zip(sockets, requests):
        s.sendall(r[:-1])
    for s, r in zip(sockets, requests):
        try:
            s.sendall(r[-1:])
        except OSError:
            pass  # answered and closed already: the answer can still be read
    for s in sockets:
        try:
            head = s.recv(4096)
        except OSError:
            head = b""
        codes.append(int(head[9:12]) if head.startswith(b"HTTP/1.1 ") else None)
        s.close()
    return codes


class Peer:
    """One enrolled agent: TLS key, certificate, batch key."""

    def __init__(self, server, folder, name="peer"):
        self.server, self.base = server, os.path.join(folder, name)
        self.public, self.secret = sign_keys()
        self.epoch, self.seq = 0x1122334455667788, 1
        self.id = None

    def csr(self, curve="P-256", subject="/CN=ignored"):
        subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:" + curve, "-nodes",
                        "-keyout", self.base + ".key", "-out", self.base + ".csr", "-subj", subject],
                       check=True, capture_output=True)
        return open(self.base + ".csr", encoding="ascii").read()

    def enroll_body(self, token, hostname="host-a", csr=None, proof=None):
        csr = csr or self.csr()
        der = ssl.PEM_cert_to_DER_cert(csr.replace("CERTIFICATE REQUEST", "CERTIFICATE"))
        return {"enrollment_token": token, "agent_version": "0.1.0", "csr_pem": csr, "batch_key": self.public.hex(),
                "batch_key_proof": (proof or sign(self.secret, der)).hex(),
                "host": {"hostname": hostname, "os": "linux", "os_version": "Debian 12", "ip": None}}

    def enroll(self, token=None, hostname="host-a", **kw):
        body = self.enroll_body(token or self.server.token(), hostname, **kw)
        a = Client(self.server).request("POST", "/api/v1/agents/enroll", json.dumps(body))
        if a.status == 201:
            self.adopt(a.json)
        return a

    def adopt(self, answer):
        self.id = answer["agent_id"]
        with open(self.base + ".pem", "w", encoding="ascii") as f:
            f.write(answer["cert_pem"])
        return self

    def client(self):
        return Client(self.server, self.base + ".pem", self.base + ".key")

    def path(self, what):
        return "/api/v1/agents/%s/%s" % (self.id, what)

    def batch_headers(self, body, first, last, count, stream="kernel.critical", agent=None, secret=None, **change):
        digest = hashlib.sha256(body).digest()
        agent = bytes.fromhex((agent or self.id).replace("-", ""))
        signed = (b"WEDRBAT7" + agent + struct.pack("<Q", self.epoch) + bytes.fromhex(BOOT) +
                  stream.encode().ljust(48, b"\0") + struct.pack("<QQIQQ", first, last, count, last, 0) + digest)
        assert len(signed) == 164
        h = {"Content-Type": "application/x-ndjson", "Content-Encoding": "zstd", "X-Wedr-Epoch": "%016x" % self.epoch,
             "X-Wedr-Boot-Id": BOOT, "X-Wedr-Stream": stream, "X-Wedr-First-Seq": str(first),
             "X-Wedr-Last-Seq": str(last), "X-Wedr-Count": str(count), "X-Wedr-Produced": str(last),
             "X-Wedr-Lost": "0", "X-Wedr-Sha256": digest.hex(),
             "X-Wedr-Signature": sign(secret or self.secret, signed).hex()}
        h.update(change)
        return h

    def post(self, first, count, body=None, client=None, connection=None, path=None, **kw):
        body = zstd(lines(first, count)) if body is None else body
        h = self.batch_headers(body, first, first + count - 1, count, **kw)
        return (client or self.client()).request("POST", path or self.path("logs"), body, h, connection)

    def heartbeat(self, **change):
        body = {"status": "healthy", "agent_version": "0.1.0", "last_rule_version": 0, "profile_version": 0,
                "modules_loaded": [], "rule_errors": [], "health": [], "metrics": {"a": 1},
                "streams": [{"epoch": "%016x" % self.epoch, "stream": "kernel.critical", "in_flight": 3,
                             "produced": 10, "lost": 0}]}
        body.update(change)
        return self.client().request("POST", self.path("heartbeat"), json.dumps(body))


def metrics(server):
    text = Client(server).request("GET", "/metrics").body.decode()
    return {l.split(" ")[0]: float(l.split(" ")[1]) for l in text.splitlines() if l and not l.startswith("#")}


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_kib(pid, field="VmRSS"):
    for line in open("/proc/%d/status" % pid, encoding="ascii"):
        if line.startswith(field + ":"):
            return int(line.split()[1])
    return 0
