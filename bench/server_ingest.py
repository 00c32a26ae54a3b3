#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Durable ingest: events acknowledged per second and per core of server CPU, over mutual TLS with fsync before each 202.

usage: server_ingest.py [BATCHES [EVENTS [CONNECTIONS]]]   defaults 300 2000 4. Needs a build in build/linux (or WEDR_BUILD)."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "system"))
import lab  # noqa: E402


def main():
    batches, events, connections = (sys.argv[1:] + ["300", "2000", "4"][len(sys.argv) - 1:])[:3]
    with lab.Lab() as box:
        server = box.server()
        p = lab.run(os.path.join(lab.BUILD, "bench_server_ingest"), server.url,
                    os.path.join(server.data, "pki", "ca.pem"), server.token(), str(server.proc.pid), batches, events,
                    connections, timeout=600)
        result = json.loads(p.stdout)
        stored = server.one("SELECT SUM(stored) AS stored, SUM(ABS(missing)) AS missing FROM ledger")
        assert stored == {"stored": result["events"], "missing": 0}, stored
        size = sum(os.path.getsize(os.path.join(d, f)) for d, _, names in os.walk(server.data) for f in names)
        result["stored_bytes_per_event"] = round(size / result["events"], 1)
        result["cores"] = os.cpu_count()
        print(json.dumps(result))


main()
