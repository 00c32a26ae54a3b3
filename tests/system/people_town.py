# SPDX-License-Identifier: Apache-2.0
"""A server with endpoints that are made up, whose events people then ask for."""
import json
import time
import urllib.parse

import lab
from people_client import House, make_user
from server_client import Peer, zstd


def stamp(us):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(us // 1000000)) + ".%06dZ" % (us % 1000000)


def now_us():
    return time.time_ns() // 1000


T0 = now_us() - 3600 * 1000000


def create(seq, pid, ppid, path="/bin/sh", argument="x", ts=None):
    key, parent = "%016x" % pid, "%016x" % ppid
    name = path.rsplit("/", 1)[1]
    command = name + " " + argument
    same = {"uid": 0, "gid": 0, "euid": 0, "egid": 0, "suid": 0, "sgid": 0, "fsuid": 0, "fsgid": 0, "login_uid": 0,
            "ns_user": 1, "ns_pid": 1, "ns_mnt": 1, "ns_net": 1, "ns_uts": 1, "ns_ipc": 1, "ns_cgroup": 1, "exe_inode": 5,
            "exe_dev": 1, "exe_mode": 1, "exe_nlink": 1, "exe_uid": 0, "exe_size": 1, "cap_effective": 0,
            "cap_permitted": 0, "cap_bounding": 2199023255551, "cgroup_id": 1, "pgid": pid, "sid": 1, "ns_pid_nr": pid,
            "argv_size": 3, "comm": "sh"}
    raw = dict(same, pid=pid, parent_pid=ppid, creating_pid=pid, process_key=key, parent_key=parent, image_path=path,
               command_line=command, user="root")
    return {"ts": stamp(T0 + seq if ts is None else ts), "module": "kernel_callback", "event_type": "process_create",
            "process": {"pid": pid, "ppid": ppid, "key": key, "parent_key": parent, "name": name, "path": path,
                        "command_line": command, "uid": 0, "user": "root"},
            "raw": raw, "source": "kernel", "kind": "ProcessCreate", "event_version": 7, "seq": seq}


def ended(seq, pid, ts=None):
    return {"ts": stamp(T0 + seq if ts is None else ts), "module": "kernel_callback", "event_type": "process_terminate",
            "process": {"pid": pid, "key": "%016x" % pid},
            "raw": {"pid": pid, "exit_code": 0, "process_key": "%016x" % pid, "parent_pid": 1, "uid": 0, "comm": "sh"},
            "source": "kernel", "kind": "ProcessExit", "event_version": 7, "seq": seq, "drop_count": 0, "trunc_count": 0}


def alert(seq, n, severity="high", title="title", evidence=None, ts=None):
    raw = {"alert_id": "%032x" % n, "rule_id": "r%d" % (n % 2), "rule_title": title, "rule_language": "sigma",
           "severity": severity, "severity_code": 4, "entity": "e", "event_time": stamp(T0 + n if ts is None else ts), "suppressed": 0,
           "match_count": 1, "rules_serial": "1", "evidence": [] if evidence is None else evidence}
    return {"ts": stamp(T0 + n), "module": "agent", "event_type": "alert", "raw": raw, "source": "agent",
            "kind": "Alert", "event_version": 7, "seq": seq}


class Town(House):
    """A server with two endpoints, red-1 in group red and blue-1 in group blue, and people who see one of them."""

    def __enter__(self):
        super().__enter__()
        self.red, self.blue = self.endpoint("red-1", "red"), self.endpoint("blue-1", "blue")
        self.ann = make_user(self.admin, "ann", "analyst", ["red"])
        self.vic = make_user(self.admin, "vic", "viewer", ["red"])
        return self

    def endpoint(self, name, group):
        r = self.admin.post("/enrollment-tokens", {"uses": 1, "hours": 1, "group": group, "note": ""})
        assert r.status == 201, r
        p = Peer(self.server, self.lab.folder, name)
        assert p.enroll(token=r.json["token"], hostname=name).status == 201
        p.next = {}
        return p

    def send(self, peer, lines, stream="kernel.critical"):
        """make(seq) for each line: seqs go on where the stream is."""
        first = peer.next.get(stream, 1)
        made = [make(first + i) for i, make in enumerate(lines)]
        body = zstd(b"".join(json.dumps(l, separators=(",", ":")).encode() + b"\n" for l in made))
        r = peer.post(first, len(made), body=body, stream=stream)
        assert r.status == 202 and r.json["skipped"] == 0, r
        peer.next[stream] = first + len(made)
        return made

    def alerts(self, count, who=None):
        def there():
            r = (who or self.admin).get("/alerts?limit=1000")
            assert r.status == 200, r
            return len(r.json["items"]) >= count and r.json["items"]
        return lab.wait_for("%d alerts" % count, 30, there)


def ok(r, status=200):
    assert r.status == status, r
    return r.json if r.body else None


def pages(who, path, limit):
    items, cursor = [], None
    while True:
        sign = "&" if "?" in path else "?"
        page = ok(who.get("%s%slimit=%d%s" % (path, sign, limit, "&cursor=" + cursor if cursor else "")))
        assert len(page["items"]) <= limit
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return items
        assert page["items"], "a page that has a next one is not empty"


def encode(**query):
    return urllib.parse.urlencode(query)
