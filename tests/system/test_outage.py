#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong around the agent and the server: no network, full disks, torn and flipped bytes, jumping clocks. No
acknowledged event is lost, none is stored twice, and each loss has its number."""
import glob
import os
import struct
import subprocess
import time

import lab


def replay_lab(box, events=20000, seed="3", serve=None, **sections):
    server = box.server(serve)
    capture = os.path.join(box.folder, "gen.cap")
    lab.run(lab.AGENT, "gen", "--events", str(events), "--seed", seed, capture)
    agent = box.agent()
    agent.config(shipper={"max_backoff_secs": 1}, **sections)
    agent.enroll(server)
    return server, agent, "replay:" + capture


def sealed(agent):
    return sorted(glob.glob(os.path.join(agent.state, "spool", "*.zst")))


def finish(agent, seconds=90):
    lab.wait_for("the replay to end", seconds, lambda: agent.proc.poll() is not None)
    assert agent.proc.returncode == 0, agent.tail()


def stored(server):
    return server.one("SELECT COUNT(*) AS n FROM events WHERE stream LIKE 'kernel.%'")["n"]


def fill_spool(server, agent, source, least=3):
    """Runs the replay with the server down until some batches are sealed, then stops the agent."""
    server.stop()
    agent.start("--source", source)
    lab.wait_for("sealed batches", 30, lambda: len(sealed(agent)) >= least)
    agent.stop()


def test_server_unreachable_for_a_while_loses_nothing():
    with lab.Lab() as box:
        lab.need_root()
        server, agent, source = replay_lab(box)
        server.stop()
        agent.start("--source", source)
        lab.wait_for("sealed batches", 30, lambda: len(sealed(agent)) >= 3)
        lab.wait_for("the agent to say that it is degraded", 10,
                     lambda: (agent.status() or {}).get("health", {}).get("degraded"))
        server.start()
        finish(agent)
        assert not sealed(agent)
        assert sum(r["produced"] for r in lab.ledger_adds_up(server, "stream LIKE 'kernel.%'")) == stored(server) > 0


def test_full_spool_disk_keeps_records_in_the_ring_and_goes_on():
    lab.need_root()
    with lab.Lab() as box:
        server, agent, source = replay_lab(box, events=20000)
        spool = os.path.join(agent.state, "spool")
        os.makedirs(spool, mode=0o700, exist_ok=True)
        lab.run("mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", spool)
        box.undo.append(lambda: lab.run("umount", "-l", spool, check=False))
        server.stop()
        agent.start("--source", source)
        status = lab.wait_for("the agent to notice the full disk", 60,
                              lambda: (lambda s: s if s and s["spool"]["disk_full"] else None)(agent.status()))
        assert status["health"]["degraded"]
        server.start()
        finish(agent)
        rows = lab.ledger_adds_up(server, "stream LIKE 'kernel.%'")
        assert sum(r["lost"] for r in rows) == 0 and stored(server) == sum(r["produced"] for r in rows)


def test_full_server_disk_answers_busy_and_loses_nothing():
    lab.need_root()
    with lab.Lab() as box:
        data = os.path.join(box.folder, "server")
        os.makedirs(data, mode=0o700)
        lab.run("mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", data)
        box.undo.append(lambda: lab.run("umount", "-l", data, check=False))
        # Until the last byte: below its low water mark the server would not even begin.
        server, agent, source = replay_lab(box, events=20000, serve={"events": {"low_water_bytes": 0}})
        blocker = os.path.join(data, "blocker")
        with open(blocker, "wb") as f:
            try:
                while True:
                    f.write(b"\0" * 65536)
                    f.flush()
            except OSError:
                pass
        agent.start("--source", source)
        lab.wait_for("a batch to be refused", 60, lambda: (agent.status() or {}).get("net", {}).get("batches_retried"))
        os.unlink(blocker)
        finish(agent, 120)
        assert stored(server) == sum(r["produced"] for r in lab.ledger_adds_up(server, "stream LIKE 'kernel.%'"))


def test_torn_active_segment_after_a_kill_keeps_the_rest():
    with lab.Lab() as box:
        lab.need_root()
        server, agent, source = replay_lab(box, events=20000, agent={"max_age_ms": 60000})
        server.stop()
        agent.start("--source", source, "--rate", "2000")
        time.sleep(1.5)
        agent.proc.kill()
        agent.proc.wait()
        time.sleep(1.2)
        active = [p for p in glob.glob(os.path.join(agent.state, "spool", "*")) if p.endswith(".active")]
        victim = max(active, key=os.path.getsize)
        with open(victim, "r+b") as f:
            f.truncate(os.path.getsize(victim) - 7)
        server.start()
        agent.start("--source", source, wait=False)
        finish(agent)
        rows = lab.ledger_adds_up(server, "stream LIKE 'kernel.%'")
        assert stored(server) == sum(r["produced"] for r in rows)


def test_bit_flip_in_a_sealed_batch_is_lost_corrupt_with_its_range():
    with lab.Lab() as box:
        lab.need_root()
        server, agent, source = replay_lab(box)
        fill_spool(server, agent, source)
        victim = [p for p in sealed(agent) if "kernel" in p][0]
        count = int(os.path.basename(victim).split(".")[3], 16)
        with open(victim, "r+b") as f:
            f.seek(os.path.getsize(victim) // 2)
            byte = f.read(1)
            f.seek(-1, os.SEEK_CUR)
            f.write(struct.pack("B", byte[0] ^ 0x10))
        server.start()
        agent.start("--source", source, wait=False)
        finish(agent)
        lab.ledger_adds_up(server)
        row = server.one("SELECT SUM(lost) AS n FROM ledger_loss WHERE reason = 'corrupt'")
        assert row["n"] == count, (row, count)


def test_clock_jumps_do_not_confuse_order_or_accounting():
    lab.need_root()
    with lab.Lab() as box:
        offset = os.path.join(box.folder, "offset")
        with open(offset, "wb") as f:
            f.write(struct.pack("<q", 0))
        os.chmod(offset, 0o644)
        env = dict(lab.preload("shim_clock"), WEDR_SHIM_CLOCK=offset)
        def jump(seconds):
            with open(offset, "r+b") as f:
                f.write(struct.pack("<q", int(seconds * 1000000)))

        lab.need_bpf()
        server = box.server(env=env)
        agent = box.agent(env=env)
        agent.config(shipper={"max_backoff_secs": 1})
        agent.enroll(server)
        agent.start("--source", "ebpf")
        mark = "clock%d" % os.getpid()
        flood = os.path.join(lab.BUILD, "tests", "system", "exec_flood")
        for i, seconds in enumerate([0, 7200, -86400, 3 * 86400, 0]):
            jump(seconds)
            time.sleep(1.5)
            subprocess.run([flood, mark, str(i * 50), "50"], check=True, capture_output=True)
            time.sleep(1.5)
        agent.stop("--sensor")
        lab.ledger_adds_up(server)
        row = server.one("SELECT COUNT(*) AS n, COUNT(DISTINCT command_line) AS d FROM events WHERE "
                         "event_type = 'process_create' AND command_line LIKE 'exec_flood %s-%%'" % mark)
        assert row["n"] == row["d"] == 250, row
        changes = server.one("SELECT COUNT(*) AS n FROM events WHERE event_type = 'clock_change'")["n"]
        assert changes >= 4, changes


lab.main()
