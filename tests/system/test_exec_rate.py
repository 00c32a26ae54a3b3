#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The highest exec rate that two cores can make, with the agent stopped for two seconds in the middle: no process start
is lost."""
import os
import signal
import subprocess
import time

import lab

SECONDS = 6


def test_no_start_lost_at_the_highest_exec_rate_with_the_agent_stopped_in_the_middle():
    lab.need_bpf()
    flood = os.path.join(lab.BUILD, "tests", "system", "exec_flood")
    with lab.Lab() as box:
        server = box.server()
        agent = box.agent()
        agent.enroll(server)
        agent.start("--source", "ebpf")
        probe = subprocess.run([flood, "warm", "0", "500"], capture_output=True, text=True, check=True).stdout.split()
        per_core = int(500 / float(probe[1]))
        count = max(1000, int(per_core * SECONDS / 2))
        mark = "rate%d" % os.getpid()
        runs = [subprocess.Popen([flood, mark, str(i * count), str(count)], stdout=subprocess.PIPE, text=True)
                for i in range(os.cpu_count() or 1)]
        time.sleep(SECONDS / 3)
        agent.stop()
        time.sleep(2)
        agent.start("--source", "ebpf")
        rates = []
        for p in runs:
            out = p.communicate()[0].split()
            assert p.returncode == 0
            rates.append(int(out[0]) / float(out[1]))
        total = count * len(runs)
        query = ("SELECT COUNT(*) AS n, COUNT(DISTINCT command_line) AS d FROM events WHERE event_type = 'process_create' "
                 "AND command_line LIKE 'exec_flood %s-%%'" % mark)
        lab.stop_shipped(server, agent)
        row = server.one(query)
        lost = server.one("SELECT COALESCE(SUM(lost), 0) AS n FROM ledger WHERE stream = 'kernel.critical'")["n"]
        print("%d starts at %.0f a second: %d stored, %d lost" % (total, sum(rates), row["n"], lost))
        assert row["n"] == row["d"] == total, row
        assert lost == 0
        lab.ledger_adds_up(server)


def test_a_full_ring_is_counted_to_the_unit():
    """core stands still until the kernel has nowhere to put records: what is lost then is exactly what is counted."""
    lab.need_bpf()
    flood = os.path.join(lab.BUILD, "tests", "system", "exec_flood")
    with lab.Lab() as box:
        server = box.server()
        agent = box.agent()
        agent.enroll(server)
        agent.start("--source", "ebpf")
        core = agent.status()["processes"]["core"]["pid"]
        mark = "full%d" % os.getpid()
        stopped = time.monotonic()
        os.kill(core, signal.SIGSTOP)
        runs = [subprocess.Popen([flood, mark, str(i * 10 ** 6), "22000"], stdout=subprocess.DEVNULL)
                for i in range(os.cpu_count() or 1)]
        for p in runs:
            assert p.wait() == 0
        print("core stood still for %.1f s" % (time.monotonic() - stopped))
        os.kill(core, signal.SIGCONT)
        lab.wait_for("everything to be acknowledged", 60, lambda: (agent.status() or {}).get("spool", {}).get(
            "batches_acked") and agent.status()["lanes"][0]["in_flight"] < 100, every=0.5)
        total = 22000 * len(runs)
        agent.stop("--sensor")
        row = server.one("SELECT COUNT(*) AS n, COUNT(DISTINCT command_line) AS d FROM events WHERE event_type = "
                         "'process_create' AND command_line LIKE 'exec_flood %s-%%'" % mark)
        rows = lab.ledger_adds_up(server, "stream = 'kernel.critical'")
        lost = sum(r["lost"] for r in rows)
        reasons = server.sql("SELECT reason, SUM(lost) AS n FROM ledger_loss GROUP BY reason")
        print("%d starts, %d stored; records lost: %s" % (total, row["n"], reasons))
        assert 0 < lost and row["n"] == row["d"] < total
        assert [r["reason"] for r in reasons] == ["ring_full"] and reasons[0]["n"] == lost, reasons
        # Each start is three records (fork, exec, exit): those that are not stored are among the lost.
        assert total - row["n"] <= lost


lab.main()
