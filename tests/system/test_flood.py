#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Files, forks and name queries as fast as both cores can make them: no critical record is lost, every lost bulk record is
counted, memory stays within bounds."""
import os
import subprocess
import time

import lab

FLOOD = os.path.join(lab.BUILD, "tests", "system", "mixed_flood")
SECONDS = 60 if os.environ.get("WEDR_TEST_FULL") == "1" else 12
RINGS = 2 * (16 << 20)  # both are mapped by core
CORE_MAX = 96 << 20     # beside the rings: its buffers, its tables and the rules


def start_floods(box):
    folder = os.path.join(box.folder, "files")
    os.mkdir(folder)
    sink = subprocess.Popen([FLOOD, "sink", "53", str(SECONDS + 2)], stdout=subprocess.PIPE, text=True)
    assert sink.stdout.readline() == "ready\n", "port 53 is taken"
    kinds = [("files", folder), ("forks",), ("dns", "53")]
    runs = {k[0]: subprocess.Popen([FLOOD, *k, str(SECONDS)], stdout=subprocess.PIPE, text=True) for k in kinds}
    return sink, runs


def watch(agent, until):
    """The highest resident size of core, in bytes."""
    most = 0
    while time.monotonic() < until:
        status = agent.status()
        most = max(most, status["processes"]["core"]["rss_bytes"] if status else 0)
        time.sleep(0.5)
    return most


def test_a_flood_of_files_forks_and_names_loses_no_critical_record_and_counts_every_other_loss():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = box.server(), box.agent()
        agent.config(sensor={"budgets": ["*:0"], "cpu_percent": 6400})
        agent.enroll(server)
        agent.start("--source", "ebpf")
        sink, runs = start_floods(box)
        most = watch(agent, time.monotonic() + SECONDS)
        done = {name: int(p.communicate()[0]) for name, p in runs.items()}
        sink.wait()
        pids = {name: p.pid for name, p in runs.items()}
        lab.stop_shipped(server, agent)
        lab.ledger_adds_up(server)
        lost = {r["stream"]: r["lost"] for r in server.sql("SELECT stream, lost FROM ledger")}
        count = {r["event_type"]: r["n"] for r in server.sql(
            "SELECT event_type, count(*) AS n FROM events WHERE pid IN (%d, %d) OR ppid = %d GROUP BY 1"
            % (pids["files"], pids["dns"], pids["forks"]))}
        print("done %s, stored %s, lost %s, core %.1f MiB" % (done, count, lost, most / (1 << 20)))
        assert lost["kernel.critical"] == 0, lost
        own = 2  # the floods themselves were forked by this test
        assert count["process_fork"] == done["forks"] + own, (count, done)
        made = {"file_write": done["files"], "file_rename": done["files"], "file_delete": done["files"],
                "dns_query": done["dns"]}
        missing = sum(n - count.get(kind, 0) for kind, n in made.items())
        assert 0 <= missing <= lost["kernel.bulk"], (missing, lost)
        assert lab.SLOW > 1 or most < RINGS + CORE_MAX, most  # a sanitizer has memory of its own


if __name__ == "__main__":
    lab.main()
