#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The server is killed at random moments while it takes events, merges, seals, deletes and is backed up. Whatever the
moment: what was answered with 202 is stored once or expired, the ledger adds up, every stored byte verifies."""
import http.client
import json
import os
import random
import shutil
import struct
import subprocess
import threading
import time

import lab
from server_client import Peer, lines, zstd

ROUNDS = 100 if lab.FULL else 6
DAY_US = 86400 * 10**6
# Everything that takes hours happens within seconds.
EVENTS = {"keep_interval_ms": 20, "merge_lines": 120, "merge_after_s": 1, "merge_grace_s": 5, "seal_after_s": 1,
          "seal_level": 5, "retention_days": 2, "low_water_bytes": 0}


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


class World:
    def __init__(self, box, seed):
        self.random, self.box, self.day = random.Random(seed), box, 0
        self.clock = os.path.join(box.folder, "clock")
        self.jump(0)
        env = dict(os.environ, WEDR_SHIM_CLOCK=self.clock)
        if lab.SLOW == 1:  # a sanitizer's library must be the first
            env["LD_PRELOAD"] = os.path.join(lab.BUILD, "tests", "system", "shim_clock.so")
        self.server = box.server({"events": EVENTS, "http": {"connections_per_address": 1000}}, env=env)
        self.feeders = []
        for i in range(3):
            peer = Peer(self.server, box.folder, "p%d" % i)
            assert peer.enroll(hostname="host-%d" % i).status == 201
            self.feeders += [Feeder(peer, s, (seed, i, s).__repr__()) for s in ("kernel.critical", "kernel.bulk")]

    def jump(self, days):
        """The server's clock, from now on. It never goes back here: that has tests of its own."""
        self.day += days
        with open(self.clock, "r+b" if os.path.exists(self.clock) else "wb") as f:
            f.write(struct.pack("<q", int(self.day * DAY_US)))

    def verify(self, data=None):
        p = lab.run(lab.SERVER, "verify", "--json", "--data", data or self.server.data, check=False, timeout=120)
        found = json.loads(p.stdout)
        assert p.returncode == 0 and not found["problems"] and found["ledger_missing"] == 0 and found["set_aside"] == 0, (
            found, p.stderr)
        return found

    def start_backup(self, number):
        to = os.path.join(self.box.folder, "backup-%d" % number)
        return to, subprocess.Popen([lab.SERVER, "backup", "--data", self.server.data, "--to", to], stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True)

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
            backup = None
            time.sleep(w.random.uniform(0.1, 1.5) * lab.SLOW)
            if n % 3 == 1:
                backup = w.start_backup(n)
                time.sleep(w.random.uniform(0, 0.4) * lab.SLOW)
            if n % 2:
                w.jump(1)  # yesterday is sealed, the oldest day goes
                time.sleep(w.random.uniform(0, 1) * lab.SLOW)
            if backup and w.random.random() < 0.3:
                backup[1].kill()
            w.server.kill()
            if backup:
                backups += w.check_backup(*backup)
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
        print("%d events, %d batches sent again, %d backups, %d blocks seen" % (
            sum(f.acknowledged for f in w.feeders), sum(f.again for f in w.feeders), backups, merged))
        assert merged and (ROUNDS < 20 or backups)


lab.main()
