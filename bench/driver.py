#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a callback of the Windows driver costs: instructions of the driver's own code by kind of event, without those of
the simulated kernel it runs on, and the stack frames of the shipped build. Prints JSON.

usage: driver.py [--count N] [--top N] [--seconds S]     Needs a build in build/linux (or WEDR_BUILD), valgrind, ninja.
  --count    events of each kind under callgrind, default 2000
  --top      also prints the functions that cost most, by kind, to standard error
  --seconds  of bench_driver, default 2; 0 leaves it out
"""
import argparse
import collections
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("WEDR_BUILD", os.path.join(ROOT, "build", "linux"))
# Where the kernel calls the driver.
ENTRIES = ("on_process", "on_image", "on_registry", "on_thread", "on_handle", "on_control")
KINDS = ("process_create", "process_exit", "image_load", "registry_set", "registry_unwatched", "registry_query",
         "thread_create", "thread_exit", "handle_open", "handle_uninteresting")
OWN = re.compile(r"/(endpoint/driver/src|lib/core/base|lib/wire)/")
# Fixed bytes that the driver which this one replaces spent on a record of the kind.
REPLACED = {"process_create": 10672, "image_load": 1070, "registry_set": 1580}


class Profile:
    """Costs of a callgrind file: instructions of each function alone, and of what it called, by callee."""

    def __init__(self, path):
        self.names = {}
        self.alone = collections.Counter()
        self.calls = collections.Counter()
        with open(path, encoding="utf-8", errors="replace") as f:
            self.read(f)

    def name(self, kind, text):
        """"(7) on_image" defines, "(7)" refers."""
        m = re.match(r"\((\d+)\)(?: (.*))?$", text)
        if not m:
            return text
        if m.group(2) is not None:
            self.names[kind, m.group(1)] = m.group(2)
        return self.names.get((kind, m.group(1)), "?")

    def read(self, lines):
        here = {"fl": "", "ob": "", "fn": ""}
        callee = {}
        called = False
        for line in lines:
            key, equals, text = line.rstrip("\n").partition("=")
            if equals and key in ("fl", "ob", "fn"):
                here[key] = self.name(key, text)
                callee = {}
            elif equals and key in ("fi", "fe", "cfi", "cfl", "cob", "cfn"):
                callee[key] = self.name({"cfn": "fn", "cob": "ob"}.get(key, "fl"), text)
            elif equals and key == "calls":
                called = True
            elif re.match(r"[+\-*\d]", line) and " " in line:
                cost = int(line.split()[1])
                function = here["fl"], here["fn"]
                if called:
                    target = callee.get("cfi", callee.get("cfl", here["fl"])), callee.get("cfn", "?")
                    self.calls[function, callee.get("cob", here["ob"]), target] += cost
                    callee, called = {}, False
                else:
                    self.alone[function] += cost

    def split(self):
        """(driver, memory functions it called, all else) in instructions."""
        own = sum(c for f, c in self.alone.items() if OWN.search(f[0]))
        memory = sum(c for (f, ob, _), c in self.calls.items() if OWN.search(f[0]) and "libc" in os.path.basename(ob))
        return own, memory, sum(self.alone.values()) - own - memory


def callgrind(kind, count, folder):
    out = os.path.join(folder, kind)
    command = ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--callgrind-out-file=" + out]
    command += ["--toggle-collect=" + e for e in ENTRIES if (e == "on_control") == (kind in ("read", "batch"))]
    p = subprocess.run([*command, os.path.join(BUILD, "bench_driver"), kind, str(count)], capture_output=True, text=True,
                       check=False)
    if p.returncode != 0:
        sys.exit(f"{kind}: {p.stderr}")
    return Profile(out)


def costs(kind, count, folder, top):
    """Of one event; the start of the driver is taken off by a second run with none fired."""
    full, empty = callgrind(kind, count, folder), callgrind(kind, 0, folder)
    if top:
        print(f"== {kind}", file=sys.stderr)
        for function, cost in (full.alone - empty.alone).most_common(top):
            print(f"{cost / count:10.1f}  {function[1]}  {os.path.basename(function[0])}", file=sys.stderr)
    own, memory, rest = ((a - b) / count for a, b in zip(full.split(), empty.split()))
    return {"driver": round(own), "copying": round(memory), "simulator": round(rest)}


def frames(folder):
    """The ten largest stack frames of the shipped build: its own commands once more, with -fstack-usage."""
    p = subprocess.run(["ninja", "-C", BUILD, "-t", "commands", "driver"], capture_output=True, text=True, check=False)
    found = {}
    for line in p.stdout.splitlines():
        m = re.search(r" -c (root/\S+) -o (shipped/(\S+)\.o)", line)
        if m:
            target = os.path.join(folder, m.group(3))
            line = line.replace(" -o " + m.group(2), f" -fstack-usage -o {target}.o").replace(
                f"-MF {m.group(2)}.d", f"-MF {target}.d")
            subprocess.run(line, shell=True, check=True, capture_output=True)
            with open(target + ".su", encoding="utf-8") as f:
                for entry in f:
                    where, size, _ = entry.rstrip().split("\t")
                    found[m.group(3) + ".c " + where.rsplit(":", 1)[1]] = int(size)
    return dict(sorted(found.items(), key=lambda x: -x[1])[:10])


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--count", type=int, default=2000)
    args.add_argument("--top", type=int, default=0)
    args.add_argument("--seconds", type=float, default=2.0)
    a = args.parse_args()
    result = {"bench": "driver_instructions", "events": a.count}
    with tempfile.TemporaryDirectory() as folder:
        result["instructions"] = {k: costs(k, a.count, folder, a.top) for k in (*KINDS, "read", "batch")}
        result["frames"] = frames(folder)
    if a.seconds > 0:
        p = subprocess.run([os.path.join(BUILD, "bench_driver"), str(a.seconds)], capture_output=True, text=True, check=True)
        result["driver"] = json.loads(p.stdout)
        result["replaced_over_ring_bytes"] = {k: round(v / result["driver"]["ring_bytes"][k], 1)
                                              for k, v in REPLACED.items()}
    print(json.dumps(result))


main()
