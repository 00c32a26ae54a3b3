#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Detection on the server: how fast the thread behind the ingest reads, and how fast a hunt is, per core.

usage: server_detect.py [BATCHES [EVENTS [RULES]]]   defaults 200 2000; RULES: a folder to hunt with besides one rule.
Needs a build in build/linux (or WEDR_BUILD)."""
import json
import os
import resource
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "system"))
import lab  # noqa: E402
from server_client import metrics  # noqa: E402

RULE = """title: one rule
id: 00000001-0000-4000-8000-000000000001
logsource: {product: linux, category: process_creation}
detection:
  s:
    Image|endswith: /nothing-has-this-name
  condition: s
"""
CORRELATION = """title: many
id: 00000001-0000-4000-8000-000000000002
correlation:
  type: event_count
  rules: [00000001-0000-4000-8000-000000000001]
  group-by: [User]
  timespan: 5m
  condition: {gte: 10}
"""


def thread_cpu(pid, name):
    for t in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/stat" % (pid, t), encoding="ascii") as f:
            text = f.read()
        if text[text.index("(") + 1:text.rindex(")")] == name:
            fields = text.rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def hunt(server, events, *rules):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    out = lab.run(lab.SERVER, "hunt", *rules, "--data", server.data, "--limit", "1000000000", timeout=600)
    wall = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": round(wall, 3), "cpu_s": round(cpu, 3), "events_per_core_s": round(events / cpu),
            "matches": out.stdout.count("\n")}


def ingest_and_read(box, batches, events, rules):
    server = box.server()
    if rules:
        lab.run(lab.SERVER, "rules", "add", *rules, "--data", server.data)
        lab.run(lab.SERVER, "rules", "publish", "--data", server.data)
        lab.wait_for("the rules", 10, lambda: metrics(server)["wedr_detect_rules"] >= 2)
    idle = thread_cpu(server.proc.pid, "detect")
    lab.run(os.path.join(lab.BUILD, "bench_server_ingest"), server.url, os.path.join(server.data, "pki", "ca.pem"),
            server.token(), str(server.proc.pid), str(batches), str(events), "4", timeout=600)
    total = batches * events
    lab.wait_for("the detection", 300, lambda: metrics(server)["wedr_detect_events_total"] >= total)
    time.sleep(1)
    cpu = thread_cpu(server.proc.pid, "detect") - idle
    return server, {"cpu_s": round(cpu, 3), "events_per_core_s": round(total / cpu)}


def main():
    batches, events = (int(x) for x in (sys.argv[1:3] + ["200", "2000"][len(sys.argv[1:3]):]))
    total = batches * events
    result = {"events": total, "cores": os.cpu_count()}
    with lab.Lab() as box:
        paths = [os.path.join(box.folder, n) for n in ("rule.yml", "many.yml")]
        for path, text in zip(paths, (RULE, CORRELATION)):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        server, result["read_without_rules"] = ingest_and_read(box, batches, events, [])
        server.stop()
        result["hunt_one_rule"] = hunt(server, total, paths[0])
        if len(sys.argv) > 3:
            result["hunt_rules"] = hunt(server, total, sys.argv[3])
    with lab.Lab() as box:
        paths = [os.path.join(box.folder, n) for n in ("rule.yml", "many.yml")]
        for path, text in zip(paths, (RULE, CORRELATION)):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        server, result["read_with_correlation"] = ingest_and_read(box, batches, events, paths)
    print(json.dumps(result))


main()
