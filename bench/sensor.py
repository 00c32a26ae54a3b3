#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the Linux sensor costs and what it catches, on this machine. Prints one JSON object.

usage: sensor.py [--rounds N] [--seconds S] [PART...]     PART: exec compile idle rate flood beside; default all

  exec     a process start without a sensor, with empty programs at all of its hooks, with the whole sensor and a reader;
           interleaved rounds (15), medians with 95 % bounds, time per program by the kernel's statistics
  compile  lib/ of this tree with the compiler, two jobs, in the same three states; CPU and wall, interleaved (5); the programs'
           own time, by the kernel's statistics, as a part of the compiler's, three times
  idle     PSS of all processes of an agent that has nothing to do, its rings beside, its share of a core; 12 windows of
           S (60) seconds
  rate     50,000 file events a second for S seconds (20) through the whole agent, made by two processes on the same cores;
           5 rounds
  flood    files, forks and names as fast as they go for S seconds (30), losses per lane; 3 rounds
  beside   the same 500 execs, files and connections, and a burst of 20,000 files, watched by nobody, this agent, auditd and
           bpftrace in turn, 3 rounds: how many each saw with the right path and arguments, what it cost, what it lost. The agent has
           no budgets and no governor here, as the others have none

Needs root, a build in build/linux (or WEDR_BUILD) and, for `beside`, what tools/packages_full.txt has; what is not
installed is left out and said so. The machine should do nothing else: programs of others count too."""
import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "system"))
import lab  # noqa: E402

ACTS = os.path.join(lab.BUILD, "bench", "sensor_acts")
FLOOD = os.path.join(lab.BUILD, "tests", "system", "mixed_flood")
KINDS = ("none", "empty", "sensor")
PORT = 4789
BURST = 20000
VERBS = ("exec", "open", "connect", "burst")
UNBOUND = {"budgets": ["*:0"], "cpu_percent": 6400}  # nothing held back, no governor: what the way itself can take


def output(*args, **kw):
    return subprocess.run(args, check=True, capture_output=True, text=True, **kw).stdout


def bounds(values):
    """Median and its 95 % bounds by order statistics."""
    v = sorted(values)
    off = max(0, int((len(v) - 1.96 * len(v) ** 0.5) / 2))
    return {"median": round(statistics.median(v), 4), "low_95": round(v[off], 4), "high_95": round(v[-1 - off], 4)}


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        with open("/proc/%d/stat" % pid, encoding="utf-8") as f:
            words = f.read().rsplit(")", 1)[1].split()
        total += int(words[11]) + int(words[12])
    return total / os.sysconf("SC_CLK_TCK")


def agent_pids(agent):
    return [p["pid"] for p in agent.status()["processes"].values() if p.get("pid")]


def part_exec(o):
    return json.loads(output(os.path.join(lab.BUILD, "bench_sensor_exec"), str(o.rounds or 15), "300"))


def compile_commands(folder):
    """Each file of lib/ as one command without a cache, its output in the folder."""
    with open(os.path.join(lab.BUILD, "compile_commands.json"), encoding="utf-8") as f:
        entries = [e for e in json.load(f) if e["file"].startswith(os.path.join(lab.ROOT, "lib") + "/")]
    lines = {}
    for e in entries:
        name = os.path.join(folder, e["file"].replace("/", "_") + ".o")
        command = re.sub(r"^\S*ccache ", "", re.sub(r" -o \S+", " -o " + name, e["command"]))
        lines[e["file"]] = command
    return sorted(lines.values())


def part_compile(o):
    with tempfile.TemporaryDirectory() as folder:
        commands = compile_commands(folder)
        script = os.path.join(folder, "commands")
        with open(script, "w", encoding="utf-8") as f:
            f.write("\0".join(commands))
        work = ["xargs", "-0", "-P", "2", "-n", "1", "-a", script, "sh", "-c"]
        run = os.path.join(lab.BUILD, "bench_sensor_run")
        output(run, "none", *work)  # warms the page cache
        runs = {k: [] for k in KINDS}
        for _ in range(o.rounds or 5):
            for kind in KINDS:
                r = json.loads(output(run, kind, *work))
                assert r["exit"] == 0, r
                runs[kind].append(r)
        told = [json.loads(output(run, "programs", *work)) for _ in range(3)]
    result = {"files": len(commands), "rounds": len(runs["none"]),
              "none_wall_ms": round(statistics.median(r["wall_ms"] for r in runs["none"])),
              "programs_percent_of_cpu": sorted(round(100 * r["programs_ms"] / r["cpu_ms"], 2) for r in told),
              "records": runs["sensor"][-1]["records"], "lost": [sum(r["lost"][i] for r in runs["sensor"]) for i in (0, 1)]}
    for kind in ("empty", "sensor"):
        for figure in ("wall_ms", "cpu_ms"):
            result["%s_%s_ratio" % (kind, figure)] = bounds(
                [a[figure] / b[figure] for a, b in zip(runs[kind], runs["none"])])
    return result


def started(box, **sensor):
    server, agent = box.server(), box.agent()
    if sensor:
        agent.config(sensor=sensor)
    agent.enroll(server)
    agent.start("--source", "ebpf")
    return server, agent


def part_idle(o):
    seconds, windows = o.seconds or 60, o.rounds or 12
    cpu, memory = [], []
    with lab.Lab() as box:
        _, agent = started(box)
        time.sleep(10)
        running = {n: p["pid"] for n, p in agent.status()["processes"].items() if p.get("pid")}
        first, start = cpu_seconds(running.values()), time.monotonic()
        for _ in range(windows):
            before, begin = cpu_seconds(running.values()), time.monotonic()
            time.sleep(seconds / windows)
            cpu.append(100 * (cpu_seconds(running.values()) - before) / (time.monotonic() - begin))
            memory.append({n: lab.own_pss(pid) for n, pid in running.items()})
        mean = 100 * (cpu_seconds(running.values()) - first) / (time.monotonic() - start)  # a window counts in ticks
        agent.stop("--sensor")
    return {"seconds": seconds, "cpu_percent_of_core": dict(bounds(cpu), mean=round(mean, 3)), "rings_mib": 32,
            "pss_kib": {n: bounds([m[n] for m in memory]) for n in running},
            "pss_kib_all": bounds([sum(m.values()) for m in memory])}


def accounts(server):
    rows = lab.ledger_adds_up(server)
    return {r["stream"]: {k: r[k] for k in ("produced", "stored", "lost", "missing")} for r in rows}


def rounds_of(one, count, seconds, figures):
    """Runs it count times: medians with bounds of the figures, the rounds as they were."""
    runs = [one(seconds) for _ in range(count)]
    return {"seconds": seconds, **{f: bounds([r[f] for r in runs]) for f in figures}, "rounds": runs}


def part_rate(o):
    return rounds_of(one_rate, o.rounds or 5, o.seconds or 20, ("made_per_second", "agent_cpu_percent_of_core", "not_stored"))


def one_rate(seconds):
    with lab.Lab() as box:
        server, agent = started(box, **UNBOUND)
        folder = tempfile.mkdtemp(dir="/dev/shm")  # a disk would set the pace
        box.undo.append(lambda: shutil.rmtree(folder))
        pids = agent_pids(agent)
        before, begin = cpu_seconds(pids), time.monotonic()
        turns = 50000 / 3 / 2  # a turn makes, renames and removes a file
        runs = [subprocess.Popen([ACTS, "paced", str(turns), str(seconds)], cwd=folder, stdout=subprocess.PIPE, text=True)
                for _ in range(2)]
        done = [p.communicate()[0].split() for p in runs]
        used = (cpu_seconds(pids) - before) / (time.monotonic() - begin)
        agent.stop("--sensor")
        made = sum(3 * int(d[0]) for d in done)
        stored = server.one("SELECT COUNT(*) AS n FROM events WHERE pid IN (%d, %d) AND event_type IN "
                            "('file_write', 'file_rename', 'file_delete')" % tuple(p.pid for p in runs))["n"]
        return {"asked_per_second": 50000, "made_per_second": round(made / float(done[0][1])), "made": made, "stored": stored,
                "not_stored": made - stored,
                "agent_cpu_percent_of_core": round(100 * used, 1), "ledger": accounts(server)}


def part_flood(o):
    return rounds_of(one_flood, o.rounds or 3, o.seconds or 30, ("produced", "lost", "missing"))


def one_flood(seconds):
    with lab.Lab() as box:
        server, agent = started(box, **UNBOUND)
        folder = os.path.join(box.folder, "files")
        os.mkdir(folder)
        sink = subprocess.Popen([FLOOD, "sink", "53", str(seconds + 2)], stdout=subprocess.PIPE, text=True)
        assert sink.stdout.readline() == "ready\n", "port 53 is taken"
        kinds = (("files", folder), ("forks",), ("dns", "53"))
        runs = {k[0]: subprocess.Popen([FLOOD, *k, str(seconds)], stdout=subprocess.PIPE, text=True) for k in kinds}
        done = {name: int(p.communicate()[0]) for name, p in runs.items()}
        sink.wait()
        agent.stop("--sensor")
        ledger = accounts(server)
        sums = {k: sum(row[k] for row in ledger.values()) for k in ("produced", "lost", "missing")}
        return {"done": done, **sums, "ledger": ledger}


class Nobody:
    name = "none"

    def start(self, folder):
        pass

    def pids(self):
        return []

    def stop(self):
        """What was seen with the right path and arguments, and what was lost."""
        return {}

    def end(self):
        """Leaves nothing behind, whatever happened."""


class Ours(Nobody):
    name = "wazabiedr"

    def start(self, folder):
        self.box, self.folder = lab.Lab(), folder
        self.server, self.agent = started(self.box, **UNBOUND)
        time.sleep(1)

    def pids(self):
        return agent_pids(self.agent)

    def stop(self):
        self.agent.stop("--sensor")
        def count(what, where):
            return self.server.one("SELECT COUNT(DISTINCT %s) AS n FROM events WHERE %s" % (what, where))["n"]
        program = os.path.join(self.folder, "sensor_acts")
        seen = {
            "exec": count("command_line", "event_type = 'process_create' AND command_line LIKE 'sensor_acts acts-mark-%%two words%%' "
                          "AND process_path = '%s'" % program),
            "open": count("target_path", "event_type = 'file_write' AND target_path LIKE '%s/file-mark-%%'" % self.folder),
            "burst": count("target_path", "event_type = 'file_write' AND target_path LIKE '%s/burst-mark-%%'" % self.folder),
            "connect": count("remote_ip", "event_type = 'network_connect' AND remote_port = %d AND remote_ip LIKE '127.%%'" % PORT)}
        return {"right": seen, "lost": sum(r["lost"] for r in lab.ledger_adds_up(self.server))}

    def end(self):
        self.box.__exit__(None, None, None)


class Auditd(Nobody):
    name = "auditd"
    CONFIG = ("log_file = %s/audit.log\nlog_format = RAW\nflush = INCREMENTAL_ASYNC\nfreq = 50\nmax_log_file = 500\nnum_logs = 2\n"
              "max_log_file_action = ROTATE\nspace_left = 75\nspace_left_action = IGNORE\nadmin_space_left = 50\n"
              "admin_space_left_action = IGNORE\ndisk_full_action = IGNORE\ndisk_error_action = IGNORE\nlocal_events = yes\n"
              "write_logs = yes\n")

    @staticmethod
    def lost():
        return int(re.search(r"^lost (\d+)", output("auditctl", "-s"), re.M).group(1))

    def start(self, folder):
        self.dir, self.folder = os.path.join(folder, "audit"), folder
        os.mkdir(self.dir, 0o700)
        with open(os.path.join(self.dir, "auditd.conf"), "w", encoding="ascii") as f:
            f.write(self.CONFIG % self.dir)
        os.chmod(f.name, 0o640)
        self.proc = subprocess.Popen(["auditd", "-n", "-c", self.dir], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lab.wait_for("auditd", 10, lambda: "pid %d" % self.proc.pid in output("auditctl", "-s"))
        self.before = self.lost()
        output("auditctl", "-b", "8192")
        for rule in (["-S", "execve"], ["-S", "openat,open,creat", "-F", "dir=" + folder], ["-S", "connect"]):
            output("auditctl", "-a", "always,exit", "-F", "arch=b64", *rule, "-k", "bench")

    def pids(self):
        return [self.proc.pid]

    def stop(self):
        lost = self.lost() - self.before
        self.end()
        with open(os.path.join(self.dir, "audit.log"), encoding="utf-8", errors="replace") as f:
            text = f.read()
        program = '"%s/sensor_acts"' % self.folder
        events = {}
        for line in text.splitlines():
            found = re.search(r"msg=audit\(([^)]*)\)", line)
            if found:
                events.setdefault(found.group(1), []).append(line)
        seen = {verb: set() for verb in VERBS}
        for lines in events.values():
            all_of = "\n".join(lines)
            mark = re.search(r'type=EXECVE .*a1="(acts-mark-\d+)" a2=74776F20776F726473', all_of)
            if mark and "exe=" + program in all_of:
                seen["exec"].add(mark.group(1))
            mark = re.search(r'type=PATH .*name="(?:%s/)?((file|burst)-mark-\d+)"' % re.escape(self.folder), all_of)
            if mark and 'cwd="%s"' % self.folder in all_of:
                seen["open" if mark.group(2) == "file" else "burst"].add(mark.group(1))
            mark = re.search(r"saddr=0200%04X(7F[0-9A-F]{6})" % PORT, all_of)
            if mark:
                seen["connect"].add(mark.group(1))
        return {"right": {k: len(v) for k, v in seen.items()}, "lost": lost}


    def end(self):
        output("auditctl", "-D")
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            self.proc.wait()
        output("auditctl", "-e", "0")


class Bpftrace(Nobody):
    name = "bpftrace"
    PROGRAM = ('tracepoint:syscalls:sys_enter_execve { printf("X %s ", str(args->filename)); join(args->argv); }\n'
               'tracepoint:syscalls:sys_enter_openat /args->flags & 1/ { printf("O %s\\n", str(args->filename)); }\n'
               'tracepoint:syscalls:sys_enter_connect { $a = (struct sockaddr_in *)args->uservaddr; '
               'printf("C %d %x\\n", $a->sin_port, $a->sin_addr.s_addr); }\n')

    def start(self, folder):
        self.folder = folder
        self.out = tempfile.NamedTemporaryFile("w+", errors="replace")  # pylint: disable=consider-using-with
        command = ("mount -t tracefs t /sys/kernel/tracing; mount -t debugfs d /sys/kernel/debug; "
                   "exec bpftrace -B line -e \"$0\"")
        self.proc = subprocess.Popen(["unshare", "-m", "sh", "-c", command, self.PROGRAM], stdout=self.out,
                                     stderr=subprocess.STDOUT, env=dict(os.environ, BPFTRACE_STRLEN="200"))
        lab.wait_for("bpftrace", 30, lambda: "Attaching" in self.text())
        time.sleep(2)

    def text(self):
        with open(self.out.name, encoding="utf-8", errors="replace") as f:
            return f.read()

    def pids(self):
        return [self.proc.pid]

    def stop(self):
        self.end()
        text = self.text()
        lost = sum(int(n) for n in re.findall(r"Lost (\d+) events", text))
        def given(path, pattern):
            return len(set(re.findall(pattern % re.escape(path), text, re.M)))
        program = os.path.join(self.folder, "sensor_acts")
        right = {"exec": given(program, r"^X %s sensor_acts (acts-mark-\d+) two words$"),
                 "open": given(self.folder, r"^O %s/(file-mark-\d+)$"), "burst": given(self.folder, r"^O %s/(burst-mark-\d+)$"),
                 "connect": len(set(re.findall(r"^C %d ([0-9a-f]*7f)$" % (((PORT & 255) << 8) | PORT >> 8), text, re.M)))}
        as_given = {"exec": given("./sensor_acts", r"^X %s sensor_acts (acts-mark-\d+) two words$"),
                    "open": len(set(re.findall(r"^O (file-mark-\d+)$", text, re.M))),
                    "burst": len(set(re.findall(r"^O (burst-mark-\d+)$", text, re.M)))}
        return {"right": right, "with_the_name_as_the_caller_gave_it": as_given, "lost": lost}

    def end(self):
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGINT)
            self.proc.wait()


def watched(w, folder, count):
    """The acts, and what the watcher says of them."""
    pids = w.pids()
    before = cpu_seconds(pids)
    took = {}
    for verb, act, mark, times in (("exec", "exec", "acts-mark", count), ("open", "open", "file-mark", count),
                                   ("connect", "connect", str(PORT), count), ("burst", "open", "burst-mark", BURST)):
        words = output("./sensor_acts", act, mark, str(times), cwd=folder).split()
        took[verb] = float(words[1]) / times * 1e6
    time.sleep(2)
    used = cpu_seconds(pids) - before
    return dict(w.stop(), us=took, cpu_ms=round(1000 * used))


def part_beside(o):
    count = 500
    watchers = [Nobody, Ours]
    result = {"each": count, "burst": BURST, "not_installed": []}
    for watcher, program in ((Auditd, "auditd"), (Bpftrace, "bpftrace")):
        if shutil.which(program) and (watcher is not Auditd or shutil.which("auditctl")):
            watchers.append(watcher)
        else:
            result["not_installed"].append(program)
    rounds = {w.name: [] for w in watchers}
    for _ in range(o.rounds or 3):
        for kind in watchers:
            with tempfile.TemporaryDirectory() as folder:
                shutil.copy(ACTS, folder)
                w = kind()
                try:
                    w.start(folder)
                    rounds[kind.name].append(watched(w, folder, count))
                finally:
                    w.end()
    for name, runs in rounds.items():
        result[name] = {"us": {v: round(statistics.median(r["us"][v] for r in runs), 1) for v in VERBS},
                        "process_cpu_ms": statistics.median(r["cpu_ms"] for r in runs)}
        for key in ("right", "with_the_name_as_the_caller_gave_it", "lost"):
            if key in runs[0]:
                result[name][key] = [r[key] for r in runs]
        if name != "none":
            result[name]["ratio"] = {v: bounds([a["us"][v] / b["us"][v] for a, b in zip(runs, rounds["none"])])
                                     for v in VERBS}
    return result


PARTS = {"exec": part_exec, "compile": part_compile, "idle": part_idle, "rate": part_rate, "flood": part_flood,
         "beside": part_beside}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=0)
    p.add_argument("--seconds", type=int, default=0)
    p.add_argument("part", nargs="*", choices=[[], *PARTS], default=[])
    o = p.parse_args()
    lab.need_bpf()
    result = {"kernel": os.uname().release, "cores": os.cpu_count(), "load_before": os.getloadavg()[0]}
    for part in o.part or PARTS:
        result[part] = PARTS[part](o)
        print(part, json.dumps(result[part]), file=sys.stderr, flush=True)
    result["load_after"] = os.getloadavg()[0]
    print(json.dumps(result, indent=1))


main()
