#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What it costs the server to take events in, over mutual TLS, with fsync before each 202.

usage: server_ingest.py [events | idle | overload | attack | long] ...   default: all but the last, each one to three minutes.
Needs a build in build/linux (or WEDR_BUILD). One line per figure: part, what, value, unit. CPU seconds are those of the process
named (user + system), so they can be taken beside other load; wall clock, latency and rates that were held cannot.

events    large batches: 8 agents, 2,000 process starts and exits a batch, each agent's next when the last was answered
idle      10,000 agents, each with its own certificate and connection kept alive, 10,000 batches of one event a second
overload  1,000 agents offer twice what the server took in `events`' way with 100 agents before
long      as idle for seven minutes: after five the first batches are old enough to be merged (events.merge_after_s)
attack    latency of a good agent alone, and beside slowloris, bad tokens, foreign certificates and bombs, in turns
"""
import json
import os
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "system"))
import lab  # noqa: E402
from server_client import Client, metrics  # noqa: E402
from server_ingest_attack import Attack  # noqa: E402

MANY = {"http": {"connections_max": 20000, "connections_per_address": 20000},
        "auth": {"enrolments_per_minute": 1000000, "enroll_attempts_per_minute": 1000000}}
UNITS_OF_RSS = 1 << 20


def say(part, what, value, unit):
    print("%-9s %-44s %12s %s" % (part, what, "%.3f" % value if isinstance(value, float) else value, unit), flush=True)


def load(server, agents, batches, events, rate):
    """Runs the load and checks that the ledger holds what was acknowledged, to the unit."""
    p = lab.run(os.path.join(lab.BUILD, "bench_server_ingest"), server.url, os.path.join(server.data, "pki", "ca.pem"),
                server.token("--uses", str(agents)), str(server.proc.pid), str(agents), str(batches), str(events), str(rate),
                timeout=900)
    r = json.loads(p.stdout)
    stored = server.one("SELECT SUM(stored) AS stored, SUM(ABS(missing)) AS missing FROM ledger")
    r["stored"], r["missing"] = stored["stored"], stored["missing"]
    return r


def say_cpu(part, r):
    say(part, "CPU of the server", r["server_cpu_s"], "s")
    say(part, "CPU of the client", r["client_cpu_s"], "s")
    for name, s in sorted(r["threads_s"].items(), key=lambda x: -x[1]):
        if s > 0.005 * r["server_cpu_s"]:
            say(part, "  of the server: threads %s" % name, s, "s")


def run_events():
    with lab.Lab() as box:
        server = box.server(MANY)
        r = load(server, 8, 61, 2000, 0)
        assert r["missing"] == 0 and r["stored"] == r["events"] + 8 * 2000, r
        part, cpu, busy = "events", r["server_cpu_s"], r["threads_s"]
        say(part, "events acknowledged", r["events"], "events")
        say_cpu(part, r)
        say(part, "per core of server CPU", round(r["events"] / cpu), "events/s")
        say(part, "the same without detection's thread", round(r["events"] / (cpu - busy.get("detect", 0))), "events/s")
        say(part, "CPU of one event", cpu / r["events"] * 1e6, "us")
        say(part, "wall clock, load beside it", round(r["events"] / r["wall_s"]), "events/s")
        say(part, "latency p50", r["latency_p50_us"] / 1e3, "ms")
        say(part, "latency p99", r["latency_p99_us"] / 1e3, "ms")
        say(part, "NDJSON", r["bytes_per_event_raw"], "B/event")
        say(part, "zstd on the wire", r["bytes_per_event_zstd"], "B/event")
        size = sum(os.path.getsize(os.path.join(d, f)) for d, _, names in os.walk(server.data) for f in names)
        say(part, "on the server's disk", size / r["stored"], "B/event")
        say(part, "RSS at most", r["rss_peak"] / UNITS_OF_RSS, "MiB")


def run_idle(agents=10000, seconds=10, rate=10000, part="idle"):
    with lab.Lab() as box:
        server = box.server(MANY)
        r = load(server, agents, 1 + seconds * rate // agents, 1, rate)
        assert r["missing"] == 0 and r["stored"] == r["events"] + agents, r
        n = r["batches"]
        gauge = metrics(server)
        say(part, "agents, each with its own certificate", agents, "agents")
        say(part, "connections held at the end", r["open_connections"], "connections")
        say(part, "connections lost and made again", r["lost_connections"], "connections")
        say(part, "connections the server ended for being late", int(gauge.get("wedr_connections_deadline_total", -1)), "connections")
        say(part, "memory of a connection", (r["rss_connected"] - r["rss_start"]) / agents / 1024, "KiB")
        say(part, "RSS at most", r["rss_peak"] / UNITS_OF_RSS, "MiB")
        say(part, "CPU of the server: a handshake, first batch", r["connect_server_cpu_s"] / agents * 1e3, "ms")
        say(part, "batches of one event, on time or late", n, "batches")
        say(part, "refused with 429 and sent again", r["refused"], "batches")
        say_cpu(part, r)
        say(part, "CPU of the server: one batch", r["server_cpu_s"] / n * 1e6, "us")
        say(part, "CPU of the client: one batch", r["client_cpu_s"] / n * 1e6, "us")
        say(part, "offered", rate, "batches/s")
        say(part, "rate held, wall clock", round(n / r["wall_s"]), "batches/s")
        say(part, "latency p50, from when it was due", r["latency_p50_us"] / 1e3, "ms")
        say(part, "latency p99, from when it was due", r["latency_p99_us"] / 1e3, "ms")


def run_long():
    run_idle(seconds=420, part="long")


def run_overload(agents=1000, seconds=15, events=2000):
    with lab.Lab() as box:
        r = load(box.server(MANY), 100, 4, events, 0)
        capacity = r["batches"] / r["wall_s"]
        box.servers[0].stop()
    with lab.Lab() as box:
        server = box.server(MANY)
        batches = max(2, 1 + round(2 * capacity * seconds / agents))
        r = load(server, agents, batches, events, 2 * capacity)
        part = "overload"
        say(part, "capacity: wall clock, 100 agents", capacity, "batches/s")
        say(part, "offered", 2 * capacity, "batches/s")
        say(part, "taken", r["batches"] / r["wall_s"], "batches/s")
        say(part, "refused with 429, each sent again", r["refused"], "batches")
        say(part, "of these without Retry-After", r["unsaid"], "batches")
        say(part, "connections made again", r["lost_connections"], "connections")
        say(part, "events acknowledged", r["events"] + agents * events, "events")
        say(part, "events in the ledger", r["stored"], "events")
        say(part, "missing", r["missing"], "events")
        say_cpu(part, r)
        say(part, "CPU of the server: one event", r["server_cpu_s"] / r["events"] * 1e6, "us")
        say(part, "RSS with 1,000 connections", r["rss_connected"] / UNITS_OF_RSS, "MiB")
        say(part, "RSS at most", r["rss_peak"] / UNITS_OF_RSS, "MiB")
        say(part, "RSS at the end", r["rss_end"] / UNITS_OF_RSS, "MiB")
        assert r["missing"] == 0 and r["stored"] == r["events"] + agents * events and r["unsaid"] == 0, r


def run_attack(rounds=4, seconds=6, rate=50):
    quiet, under = [], []
    with lab.Lab() as box:
        server = box.server(MANY)
        attack = Attack(server, box.folder)
        for _ in range(rounds):
            quiet.append(load(server, 1, 1 + seconds * rate, 200, rate))
            with attack:
                under.append(load(server, 1, 1 + seconds * rate, 200, rate))
        part = "attack"
        for name, n in sorted(attack.counts().items()):
            say(part, "attackers: " + name, n, "times")
        say(part, "good agent, batches of 200 events", rate, "batches/s")
        for name, runs in (("alone", quiet), ("under attack", under)):
            for what in ("p50", "p99"):
                values = sorted(r["latency_%s_us" % what] / 1e3 for r in runs)
                say(part, "latency %s %s, median of %d" % (what, name, rounds), values[len(values) // 2], "ms")
            say(part, "CPU of the server, " + name, sum(r["server_cpu_s"] for r in runs) / rounds, "s a turn")
        ratios = sorted(b["latency_p99_us"] / a["latency_p99_us"] for a, b in zip(quiet, under))
        say(part, "p99 under attack / alone, median of %d turns" % rounds, ratios[len(ratios) // 2], "times")
        say(part, "refused or lost of the good agent", sum(r["refused"] + r["lost_connections"] for r in under), "batches")
        assert Client(server).request("GET", "/healthz").status == 200
        assert all(r["missing"] == 0 for r in under)


PARTS = {"events": run_events, "idle": run_idle, "overload": run_overload, "attack": run_attack, "long": run_long}


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted = sys.argv[1:] or [name for name in PARTS if name != "long"]
    if not all(w in PARTS for w in wanted):
        sys.exit(__doc__)
    for name in wanted:
        PARTS[name]()


main()
