#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""From the kernel's time stamp of an exec to its alert in the server's table, over real programs: eBPF, agent, TLS, store,
detection. Prints JSON: milliseconds at the median, 99th percentile and maximum, quiet and beside a flood of execs on every core.

Needs root and a build in build/linux (or WEDR_BUILD). alert_latency.py [ALERTS]: how many alerts per part, default 200."""
import datetime
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "system"))
import lab  # noqa: E402

MARKER = "wazabi-edr-detection-test"  # lib/rules/packs/test/marker.yml


def plant(mark, count, pause):
    for i in range(count):
        subprocess.run(["/bin/true", MARKER, "%s-%d" % (mark, i)], check=True)
        time.sleep(pause)


def latencies(server, mark, count):
    """Microseconds from the event's own time to the row of its alert."""
    query = ("SELECT a.stored_at AS stored, e.event->>'$.ts' AS happened FROM alerts a JOIN alert_evidence e ON e.alert = a.id "
             "WHERE a.command_line LIKE '%%%s-%%'" % mark)
    rows = lab.wait_for("%d alerts" % count, 60, lambda: (lambda r: r if len(r) >= count else None)(server.sql(query)), every=0.5)
    assert len(rows) == count, "%d alerts for %d events" % (len(rows), count)
    epoch = datetime.datetime(1970, 1, 1)
    took = []
    for row in rows:
        happened = datetime.datetime.strptime(row["happened"], "%Y-%m-%dT%H:%M:%S.%fZ") - epoch
        took.append(row["stored"] - (happened.days * 86400 + happened.seconds) * 1000000 - happened.microseconds)
    return sorted(took)


def figures(took):
    def at(q):
        return round(took[min(len(took) - 1, int(len(took) * q))] / 1000, 1)
    return {"alerts": len(took), "median_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1)}


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    flood = os.path.join(lab.BUILD, "tests", "system", "exec_flood")
    result = {}
    with lab.Lab() as box:
        server, agent = box.server(), box.agent()
        agent.enroll(server)
        agent.start("--source", "ebpf")
        lab.wait_for("the rules", 20, lambda: agent.status()["rules"]["rules"] > 0)
        result["rules"] = agent.status()["rules"]["rules"]
        plant("quiet", count, 0.05)
        result["quiet"] = figures(latencies(server, "quiet", count))
        noise = [subprocess.Popen([flood, "noise", "0", "100000000"], stdout=subprocess.DEVNULL)
                 for _ in range(os.cpu_count())]
        plant("busy", count, 0.05)
        for p in noise:
            p.kill()
            p.wait()
        result["beside_exec_flood"] = figures(latencies(server, "busy", count))
        result["ledger_missing"] = server.one("SELECT SUM(ABS(missing)) AS n FROM ledger")["n"]
        agent.stop("--sensor")
    print(json.dumps(result))


main()
