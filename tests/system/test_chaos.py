#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The server is killed while it takes events, merges, seals, deletes, starts and is backed up: at random moments, and at
a random system call of each of these works. Whatever the moment: what was answered with 202 is stored once or expired,
the ledger adds up, every stored byte verifies."""
import collections
import http.client
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import threading
import time

import lab
from server_client import Peer, lines, zstd

ROUNDS = 6 if not lab.FULL else 100 if lab.SLOW == 1 else 20
DAY_US = 86400 * 10**6
# Where a round's kill is aimed at, in turn; None: at a moment, not at a work. The numbers are those of shim_kill.c.
WORKS = {"ingest": 1, "compaction": 2, "retention": 3, "backup": 4, "start": 5}
AIMS = (None, "compaction", "retention", "backup", "ingest", "start")
# How many system calls of the work are let through at most: more than one piece of it has.
CALLS = {"ingest": 60, "compaction": 150, "retention": 16, "backup": 60, "start": 6}
# Everything that takes hours happens within seconds.
EVENTS = {"keep_interval_ms": 20, "merge_lines": 120, "merge_after_s": 1, "merge_grace_s": 5, "seal_after_s": 1,
          "seal_level": 5, "retention_days": 2, "low_water_bytes": 0,
          "clock_doubt_s": 0}


class Feeder(threading.Thread):
    """One stream of one agent: a batch after the other, each again until it is answered with 202."""

    def __init__(self, peer, stream, seed):
        super().__init__(daemon=True)
        self.peer, self.stream, self.random = peer, stream, random.Random(seed)
        self.seq, self.acknowledged, self.again, self.wrong = 1, 0, 0, []
        self.ending, self.connection = threading.Event(), None

    def send(self, first, count, body):
        """Until it is taken. A server that is away refuses connections; one that dies answers nothing."""
        while True:
            try:
                self.connection = self.connection or self.peer.client().connection()
                a = self.peer.post(first, count, body=body, stream=self.stream, connection=self.connection)
            except (OSError, http.client.HTTPException):
                self.connection = None
                time.sleep(0.01)
                continue
            if a.status == 202:
                return
            assert a.status in (429, 503, 507), a
            time.sleep(0.01)

    def run(self):
        try:
            self.feed()
        except BaseException as e:
            self.wrong.append(repr(e))
            raise

    def feed(self):
        sent = []
        while not self.ending.is_set():
            count = self.random.choice((1, 3, 7, 20, 40, 600))
            body = zstd(lines(self.seq, count))
            self.send(self.seq, count, body)
            sent.append((self.seq, count, body))
            self.seq += count
            self.acknowledged += count
            if self.random.random() < 0.2:  # an answer that got lost: the same batch once more, merged or expired by now
                self.send(*self.random.choice(sent[-50:]))
                self.again += 1


class Aim:
    """The file that shim_kill.c reads."""

    def __init__(self, box, name):
        self.path = os.path.join(box.folder, name)
        with open(self.path, "wb") as f:
            f.write(bytes(16))

    def at(self, work, calls, what=signal.SIGKILL):
        with open(self.path, "r+b") as f:
            f.write(struct.pack("<iiii", WORKS[work] if work else 0, calls, what, 0))

    def hit(self):
        with open(self.path, "rb") as f:
            return struct.unpack("<iiii", f.read())[3]


class World:
    def __init__(self, box, seed):
        self.random, self.box, self.day = random.Random(seed), box, 0
        self.clock = os.path.join(box.folder, "clock")
        self.jump(0)
        self.hits = collections.Counter()
        self.server_aim, self.backup_aim = Aim(box, "aim-server"), Aim(box, "aim-backup")
        env = dict(lab.preload("shim_clock", "shim_kill"), WEDR_SHIM_CLOCK=self.clock, WEDR_SHIM_KILL=self.server_aim.path)
        self.server = box.server({"events": EVENTS, "http": {"connections_per_address": 1000}}, env=env)
        self.feeders = []
        for i in range(3):
            peer = Peer(self.server, box.folder, "p%d" % i)
            assert peer.enroll(hostname="host-%d" % i).status == 201
            self.feeders += [Feeder(peer, s, (seed, i, s).__repr__()) for s in ("kernel.critical", "kernel.bulk")]

    def jump(self, days):
        """The server's clock, from now on. It never goes back here, and not to where certificates end: both have tests
        of their own."""
        self.day += days
        assert self.day < 80, self.day
        with open(self.clock, "r+b" if os.path.exists(self.clock) else "wb") as f:
            f.write(struct.pack("<q", int(self.day * DAY_US)))

    def verify(self, data=None):
        p = lab.run(lab.SERVER, "verify", "--json", "--data", data or self.server.data, check=False, timeout=120)
        found = json.loads(p.stdout)
        assert p.returncode == 0 and not found["problems"] and found["ledger_missing"] == 0 and found["set_aside"] == 0, (
            found, p.stderr)
        return found

    def hit(self, aim, process, what):
        """Waits until the process came to the call that was aimed at; false: it had not that many to make."""
        end = time.monotonic() + 15 * lab.SLOW
        while not aim.hit() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        self.hits[what if aim.hit() else what + " missed"] += 1
        return aim.hit()

    def kill_in(self, work):
        """The server ends at a system call of that work."""
        while work == "retention" and self.day <= EVENTS["retention_days"]:  # the first time
            self.jump(1)
            time.sleep(0.3 * lab.SLOW)
        self.server_aim.at(work, self.random.randrange(CALLS[work]))
        if work == "retention" or (work == "compaction" and self.random.random() < 0.5):  # the other half: small batches
            self.jump(1)
        self.hit(self.server_aim, self.server.proc, work)

    def kill_start(self):
        """It ends once more before it serves."""
        self.server.kill()
        self.server_aim.at("start", self.random.randrange(CALLS["start"]))
        try:
            self.server.start()
        except AssertionError:
            assert self.server_aim.hit(), open(self.server.log, encoding="utf-8").read()[-2000:]
        self.hits["start" if self.server_aim.hit() else "start missed"] += 1

    def kill_in_backup(self, number):
        """Either the server ends while the backup stands still between two calls, or the backup itself ends."""
        to = os.path.join(self.box.folder, "backup-%d" % number)
        which = signal.SIGKILL if self.random.random() < 0.5 else signal.SIGSTOP
        self.backup_aim.at("backup", self.random.randrange(CALLS["backup"]), which)
        p = subprocess.Popen([lab.SERVER, "backup", "--data", self.server.data, "--to", to], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True,
                             env=dict(lab.preload("shim_kill"), WEDR_SHIM_KILL=self.backup_aim.path))
        what = "backup" if which == signal.SIGKILL else "server in backup"
        if self.hit(self.backup_aim, p, what) and which == signal.SIGSTOP:
            time.sleep(self.random.uniform(0, 0.5) * lab.SLOW)  # it goes on beside
        self.server.kill()
        p.send_signal(signal.SIGCONT)
        return self.check_backup(to, p)

    def check_backup(self, to, process):
        """One that says that it is done is whole and can be restored; one that was killed cannot."""
        said = process.communicate()[0]
        back = to + "-back"
        p = lab.run(lab.SERVER, "restore", "--from", to, "--data", back, check=False)
        if process.returncode == 0:
            assert p.returncode == 0, p.stderr
            self.verify(back)
        else:
            assert process.returncode < 0, said  # it was killed, it did not fail
        done = os.path.exists(os.path.join(to, "MANIFEST"))
        assert (p.returncode == 0) == done, (p.stderr, said)
        for path in (to, back):
            shutil.rmtree(path, ignore_errors=True)
        return process.returncode == 0


def each_event_once(world):
    twice = world.server.sql("SELECT agent_id, stream, seq, COUNT(*) AS n FROM events GROUP BY 1, 2, 3 HAVING n > 1 LIMIT 5")
    assert not twice, twice
    for f in world.feeders:
        assert not f.wrong, f.wrong
        row = world.server.one("SELECT stored, expired, missing, produced FROM ledger WHERE agent_id = '%s' AND stream = '%s'"
                               % (f.peer.id, f.stream))
        assert row["missing"] == 0 and row["stored"] + row["expired"] == f.acknowledged == row["produced"], (row, f.seq)
        there = world.server.one("SELECT COUNT(*) AS n, COUNT(DISTINCT seq) AS seqs FROM events WHERE agent_id = '%s' AND "
                                 "stream = '%s'" % (f.peer.id, f.stream))
        assert there["n"] == there["seqs"] == row["stored"], (there, row)


def test_a_server_killed_at_any_moment_loses_nothing_and_stores_nothing_twice():
    seed = int(os.environ.get("WEDR_TEST_SEED", "0")) or int(time.time())
    print("seed", seed)
    with lab.Lab() as box:
        w = World(box, seed)
        for f in w.feeders:
            f.start()
        backups = merged = 0
        for n in range(ROUNDS):
            aim = AIMS[n % len(AIMS)]
            time.sleep(w.random.uniform(0.1, 1.5) * lab.SLOW)
            if aim == "backup":
                backups += w.kill_in_backup(n)
            elif aim == "start":
                w.kill_start()
            elif aim:
                w.kill_in(aim)
            else:
                w.jump(w.random.randrange(2))  # yesterday is sealed, the oldest day goes
                time.sleep(w.random.uniform(0, 1) * lab.SLOW)
                w.hits["any moment"] += 1
            w.server.kill()
            w.server_aim.at(None, 0)
            found = w.verify()
            merged += found["blocks"]
            w.server.start()
        for f in w.feeders:
            f.ending.set()
        for f in w.feeders:
            f.join(60 * lab.SLOW)
            assert not f.is_alive(), f.stream
        each_event_once(w)
        days = sorted(os.listdir(os.path.join(w.server.data, "events")))
        assert sum(1 for d in days if d.endswith(".db") and d != "catalog.db") <= EVENTS["retention_days"] + 2, days
        w.server.stop()
        w.verify()
        print("%d events, %d batches sent again, %d whole backups, %d blocks seen" % (
            sum(f.acknowledged for f in w.feeders), sum(f.again for f in w.feeders), backups, merged))
        print("killed in:", ", ".join("%s %d" % h for h in sorted(w.hits.items())))
        assert merged
        if lab.SLOW == 1:  # with a sanitizer no moment is where it is aimed at
            for work in ("ingest", "compaction", "retention"):
                assert w.hits[work] * len(AIMS) * 2 >= ROUNDS, w.hits  # most of those that were aimed at it
        assert ROUNDS <= 20 or (backups and w.hits["backup"] and w.hits["server in backup"] and w.hits["start"]), w.hits


lab.main()
