#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""SIGKILLs spread over holder, core, net and server while data is under way: nothing acknowledged is lost, nothing is
stored twice, and the ledger adds up to the unit."""
import os
import random
import signal
import subprocess
import threading
import time

import lab

KILLS = 100 if lab.FULL else 14
RATE = 1500


class ExecLoop(threading.Thread):
    """Starts processes with numbered marks until told to stop."""

    def __init__(self, mark):
        super().__init__()
        self.mark, self.count, self.stopping = mark, 0, threading.Event()

    def run(self):
        while not self.stopping.is_set():
            done = subprocess.run([os.path.join(lab.BUILD, "tests", "system", "exec_flood"), self.mark, str(self.count),
                                   "20", "2000"], capture_output=True, text=True, check=True)
            assert done.stdout.split()[0] == "20"
            self.count += 20

    def stop(self):
        self.stopping.set()
        self.join()


def unacked(agent):
    """Records that the agent has not seen acknowledged, or None when it does not answer right now."""
    status = agent.status()
    if not status:
        return None
    return sum(lane["in_flight"] for lane in status["lanes"]) + status["spool"]["batches_waiting"]


def alive(pid):
    """A process that runs: one that ended and waits for init to collect it does not."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill_role(agent, role):
    """Kills one process of the agent; after the holder's death core and net must be gone within a second."""
    status = lab.wait_for("a status with all processes", 20, lambda: full_status(agent))
    pids = {r: status["processes"][r]["pid"] for r in ("holder", "core", "net")}
    os.kill(pids[role], signal.SIGKILL)
    if role == "holder":
        agent.proc.wait()
        lab.wait_for("core and net to follow the holder", 1,
                     lambda: not alive(pids["core"]) and not alive(pids["net"]), every=0.01)
        agent.start(*agent.args, wait=False)


def full_status(agent):
    if agent.proc.poll() is not None:
        return None
    status = agent.status()
    # facts has nothing to do in a replay
    return status if status and all(status["processes"][r]["pid"] for r in ("holder", "core", "net")) else None


TARGETS = ["server", "replay holder", "replay core", "replay net", "live holder", "live core", "live net"]


def kill_one(target, server, replay, live, rng):
    """Kills it, with unacknowledged data at that moment; None when the replay has ended."""
    agent = replay if target.startswith("replay") else live
    if agent.proc.poll() is not None:
        return None
    pending = lab.wait_for("unacknowledged data before the kill", 20, lambda: unacked(agent), every=0.02)
    assert pending > 0
    if target == "server":
        server.kill()
        time.sleep(rng.uniform(0, 0.5))
        server.start()
    else:
        kill_role(agent, target.split()[1])
    return target


def check_replay(server, agent, records):
    """Every seq of every stream of the capture is stored exactly once."""
    rows = server.sql("SELECT stream, COUNT(*) AS n, COUNT(DISTINCT seq) AS d, MIN(seq) AS lo, MAX(seq) AS hi "
                      "FROM events WHERE agent_id = '%s' AND stream LIKE 'kernel.%%' GROUP BY epoch, stream" % agent.agent_id)
    assert len(rows) == 2, rows
    for r in rows:
        assert r["n"] == r["d"] == r["hi"] and r["lo"] == 1, r
    assert sum(r["n"] for r in rows) == records, (rows, records)


def check_live(server, agent, mark, count):
    """Every process that was started is stored exactly once, or counted as lost."""
    rows = server.sql("SELECT command_line AS c, COUNT(*) AS n FROM events WHERE agent_id = '%s' AND "
                      "event_type = 'process_create' AND command_line LIKE 'exec_flood %s-%%' GROUP BY 1"
                      % (agent.agent_id, mark))
    assert all(r["n"] == 1 for r in rows), [r for r in rows if r["n"] != 1][:5]
    lost = server.one("SELECT COALESCE(SUM(lost), 0) AS n FROM ledger WHERE agent_id = '%s' AND stream = 'kernel.critical'"
                      % agent.agent_id)["n"]
    assert len(rows) <= count and len(rows) + lost >= count, (len(rows), lost, count)
    return lost


def test_a08_kills_of_every_process_lose_and_double_nothing():
    lab.need_bpf()
    rng = random.Random(7)
    with lab.Lab() as box:
        server = box.server()
        events = int(RATE * (KILLS * 1.5 + 10))
        capture = os.path.join(box.folder, "gen.cap")
        lab.run(lab.AGENT, "gen", "--events", str(events), "--seed", "11", capture, timeout=120)
        replay, live = box.agent("replay"), box.agent("live")
        for agent in (replay, live):
            agent.config(shipper={"max_backoff_secs": 1})
            agent.enroll(server)
        live.start("--source", "ebpf")
        replay.start("--source", "replay:" + capture, "--rate", str(RATE))
        loop = ExecLoop("kill%d" % os.getpid())
        loop.start()
        hits = {}
        try:
            targets = TARGETS * (KILLS // len(TARGETS) + 1)
            rng.shuffle(targets)
            for target in targets[:KILLS]:
                if kill_one(target, server, replay, live, rng) is None:
                    break
                hits[target] = hits.get(target, 0) + 1
                time.sleep(rng.uniform(0, 0.4))
        finally:
            loop.stop()
        print("kills:", sum(hits.values()), hits)
        assert sum(hits.values()) >= KILLS, "the replay ended before all kills: %s" % hits
        lab.wait_for("the replay to end", 240, lambda: replay.proc.poll() is not None, every=0.2)
        assert replay.proc.returncode == 0, replay.tail()
        live.stop("--sensor")
        check_replay(server, replay, lab.ledger_records(server, replay, "kernel."))
        lost = check_live(server, live, loop.mark, loop.count)
        rows = lab.ledger_adds_up(server)
        print("live: %d started, %d lost and counted; ledger rows: %d" % (loop.count, lost, len(rows)))
        assert any(r["agent_id"] == replay.agent_id and r["state"] == "closed" for r in rows)
        server.stop()


def test_finished_replay_sends_nothing_and_new_epoch_starts_over():
    with lab.Lab() as box:
        lab.need_root()
        server = box.server()
        capture = os.path.join(box.folder, "gen.cap")
        lab.run(lab.AGENT, "gen", "--events", "3000", "--seed", "5", capture)
        agent = box.agent()
        agent.enroll(server)
        for _ in range(2):
            assert agent.start("--source", "replay:" + capture, wait=False).proc.wait(timeout=60) == 0, agent.tail()
        rows = server.sql("SELECT epoch, COUNT(*) AS n FROM events WHERE stream LIKE 'kernel.%' GROUP BY epoch")
        assert len(rows) == 1, rows
        assert agent.start("--source", "replay:" + capture, "--new-epoch", wait=False).proc.wait(timeout=60) == 0
        again = server.sql("SELECT epoch, COUNT(*) AS n FROM events WHERE stream LIKE 'kernel.%' GROUP BY epoch")
        assert len(again) == 2 and len({r["n"] for r in again}) == 1, again
        lab.ledger_adds_up(server)


lab.main()
