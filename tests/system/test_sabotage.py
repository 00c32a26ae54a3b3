#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Somebody removes evidence: it shows, with the right number."""
import contextlib
import glob
import os
import shutil
import sqlite3
import subprocess
import time

import lab


def replay(box, events=20000, **sections):
    server = box.server()
    capture = os.path.join(box.folder, "gen.cap")
    lab.run(lab.AGENT, "gen", "--events", str(events), "--seed", "9", capture)
    agent = box.agent()
    agent.config(shipper={"max_backoff_secs": 1}, **sections)
    agent.enroll(server)
    return server, agent, "replay:" + capture


def finish(agent):
    lab.wait_for("the replay to end", 90, lambda: agent.proc.poll() is not None)
    assert agent.proc.returncode == 0, agent.tail()


def missing(server):
    rows = lab.ledger(server)
    for r in rows:
        assert r["stored"] + r["expired"] + r["lost"] + r["missing"] == r["produced"], r
    return sum(r["missing"] for r in rows)


def day_files(server):
    return sorted(glob.glob(os.path.join(server.data, "events", "20*.db")))


def change(path, sql):
    """Rows changed in a day file whose pages are summed again."""
    return int(lab.run(os.path.join(lab.BUILD, "tests", "system", "day_sql"), path, sql).stdout)


def test_deleted_sealed_batch_shows_as_missing():
    lab.need_root()
    with lab.Lab() as box:
        server, agent, source = replay(box)
        server.stop()
        agent.start("--source", source)
        pattern = os.path.join(agent.state, "spool", "*.kernel.bulk.zst")
        lab.wait_for("sealed batches", 30, lambda: len(glob.glob(pattern)) >= 2)
        agent.stop()
        victim = sorted(glob.glob(pattern))[0]
        count = int(os.path.basename(victim).split(".")[3], 16)
        os.unlink(victim)
        server.start()
        agent.start("--source", source, wait=False)
        finish(agent)
        assert missing(server) == count > 0


def test_deleted_block_row_shows_as_missing():
    lab.need_root()
    with lab.Lab() as box:
        server, agent, source = replay(box)
        agent.start("--source", source, wait=False)
        finish(agent)
        assert missing(server) == 0
        server.stop()
        gone = 0
        for path in day_files(server):
            with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % path, uri=True)) as db:
                row = db.execute("SELECT id, n FROM blk ORDER BY n DESC LIMIT 1").fetchone()
            if row:
                gone += row[1] * change(path, "DELETE FROM blk WHERE id = %d" % row[0])
        server.start()
        assert missing(server) == gone > 0, (missing(server), gone)


def drop_losses(server, where):
    """Deletes stored loss facts; how many."""
    return sum(change(path, "DELETE FROM loss AS a WHERE " + where) for path in day_files(server))


def test_dropped_loss_record_is_healed_by_the_next_and_without_one_shows_as_missing():
    lab.need_root()
    with lab.Lab() as box:
        server, agent, source = replay(box, events=int(100000 * (2 + lab.SLOW)), agent={"max_total_bytes": 2000000})

        def evicted():
            return (agent.status() or {}).get("spool", {}).get("evicted")

        def told():
            return server.one("SELECT SUM(lost) AS n FROM ledger_loss WHERE reason = 'evicted'")["n"]
        server.stop()
        agent.start("--source", source, "--rate", "8000")
        lab.wait_for("evictions", 40, evicted)
        server.start()
        lab.wait_for("the first record that speaks of them", 40, told)
        server.stop()
        before = lab.wait_for("a status", 10, evicted)
        lab.wait_for("more evictions", 40, lambda: (evicted() or 0) > before)
        server.start()
        finish(agent)
        lost = told()
        assert lost > 0 and missing(server) == 0
        server.stop()
        # Losses are cumulative: any record but the newest may vanish.
        older = drop_losses(server, "lost < (SELECT MAX(b.lost) FROM loss b WHERE b.agent = a.agent AND "
                                    "b.epoch = a.epoch AND b.stream = a.stream AND b.reason = a.reason)")
        assert older > 0
        assert missing(server) == 0
        assert drop_losses(server, "1") > 0
        assert missing(server) == lost, (missing(server), lost)


def test_detached_sensor_cuts_the_epoch_and_leaves_a_gap():
    """Tracing links cannot be detached while a process holds them: whoever wants the sensor gone must kill the holder and
    remove the pins. Then the programs are gone, and with them what the rings held."""
    lab.need_bpf()
    with lab.Lab() as box:
        server = box.server()
        agent = box.agent()
        agent.enroll(server)
        agent.start("--source", "ebpf")
        flood = os.path.join(lab.BUILD, "tests", "system", "exec_flood")
        count = ("SELECT COUNT(*) AS n FROM events WHERE event_type = 'process_create' AND "
                 "command_line LIKE 'exec_flood %s-%%'")
        subprocess.run([flood, "before", "0", "10"], check=True, capture_output=True)
        lab.wait_for("events of the old epoch", 20, lambda: server.one(count % "before")["n"] == 10)
        pins = os.path.join("/sys/fs/bpf", agent.status()["sensor"]["pin_name"])
        time.sleep(6)  # the holder notes a good check of the links every few seconds
        agent.proc.kill()
        agent.proc.wait()
        shutil.rmtree(pins)
        gone = time.time()
        subprocess.run([flood, "unseen", "0", "10"], check=True, capture_output=True)
        time.sleep(2)
        agent.restart()
        back = time.time()
        subprocess.run([flood, "after", "0", "10"], check=True, capture_output=True)
        lab.wait_for("events of the new epoch", 20, lambda: server.one(count % "after")["n"] == 10)
        agent.stop("--sensor")
        assert server.one(count % "unseen")["n"] == 0
        rows = server.sql("SELECT * FROM coverage_gaps WHERE reason = 'sensor_detached'")
        assert len(rows) == 1, rows
        assert rows[0]["from_ts"] / 1e6 <= gone and gone - 12 <= rows[0]["from_ts"] / 1e6, (rows, gone)
        assert gone + 1.9 <= rows[0]["to_ts"] / 1e6 <= back + 0.1, (rows, gone, back)
        states = lab.ledger_adds_up(server, "stream = 'kernel.critical'")
        assert sorted(r["state"] for r in states) == ["closed", "cut"], states


lab.main()
