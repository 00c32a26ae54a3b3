#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""From an empty folder to the first event in SQL, and what the agent's processes cost in memory. Prints JSON.

Needs root and a build in build/linux (or WEDR_BUILD). Memory is PSS of holder, core and net without the two
mapped rings of 16 MiB each, which are stated apart. "load" is exec_flood on every core for ten seconds."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "system"))
import lab  # noqa: E402


def pss(agent):
    """PSS by process in KiB, and CPU seconds of the three."""
    status = agent.status()
    memory, cpu = {}, 0.0
    for role, p in status["processes"].items():
        memory[role] = lab.own_pss(p["pid"])
        with open("/proc/%d/stat" % p["pid"], encoding="utf-8") as f:
            words = f.read().rsplit(")", 1)[1].split()
        cpu += (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    return memory, cpu


def main():
    flood = os.path.join(lab.BUILD, "tests", "system", "exec_flood")
    result = {}
    with lab.Lab() as box:
        begin = time.monotonic()
        server = box.server()
        result["server_start_s"] = round(time.monotonic() - begin, 3)
        agent = box.agent()
        begin = time.monotonic()
        agent.enroll(server)
        result["enrol_s"] = round(time.monotonic() - begin, 3)
        agent.start("--source", "ebpf", wait=False)
        lab.wait_for("the first event", 30, lambda: server.one("SELECT COUNT(*) AS n FROM events WHERE "
                                                               "event_type = 'process_create'")["n"] > 0, every=0.02)
        result["enrol_to_first_event_s"] = round(time.monotonic() - begin, 3)
        begin = time.monotonic()
        subprocess.run([flood, "latency", "0", "1"], check=True, capture_output=True)
        lab.wait_for("one exec", 30, lambda: server.one(
            "SELECT COUNT(*) AS n FROM events WHERE command_line = 'exec_flood latency-0'")["n"] > 0, every=0.02)
        result["exec_to_sql_s"] = round(time.monotonic() - begin, 3)
        time.sleep(5)
        memory, cpu = pss(agent)
        time.sleep(20)
        memory, cpu2 = pss(agent)
        result["idle_pss_kib"] = dict(memory, total=sum(memory.values()))
        result["idle_cpu_percent_of_core"] = round((cpu2 - cpu) / 20 * 100, 3)
        peak = 0
        runs = [subprocess.Popen([flood, "load", str(i * 10 ** 6), "20000"], stdout=subprocess.DEVNULL)
                for i in range(os.cpu_count() or 1)]
        begin, cpu = time.monotonic(), pss(agent)[1]
        while any(p.poll() is None for p in runs):
            memory, used = pss(agent)
            peak = max(peak, sum(memory.values()))
            time.sleep(0.5)
        seconds = time.monotonic() - begin
        result["load_execs_per_second"] = round(20000 * len(runs) / seconds)
        result["load_peak_pss_kib"] = peak
        result["load_cpu_percent_of_core"] = round((pss(agent)[1] - cpu) / seconds * 100, 1)
        result["rings_mib"] = 32
        agent.stop("--sensor")
        rows = lab.ledger_adds_up(server)
        result["ledger"] = {k: sum(r[k] for r in rows) for k in ("produced", "stored", "lost", "missing")}
    print(json.dumps(result, indent=1))


main()
