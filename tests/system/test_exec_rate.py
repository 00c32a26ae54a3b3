#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The highest exec rate that two cores can make, with the agent stopped for two seconds in the middle: no process start
is lost."""
import os
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
        agent.stop("--sensor")
        row = server.one(query)
        lost = server.one("SELECT COALESCE(SUM(lost), 0) AS n FROM ledger WHERE stream = 'kernel.critical'")["n"]
        print("%d starts at %.0f a second: %d stored, %d lost" % (total, sum(rates), row["n"], lost))
        assert row["n"] == row["d"] == total, row
        assert lost == 0
        lab.ledger_adds_up(server)


lab.main()
