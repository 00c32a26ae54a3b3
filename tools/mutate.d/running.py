# SPDX-License-Identifier: Apache-2.0
"""Runs tests against mutants: what reaches which place first, then the quickest killer first."""
import concurrent.futures
import dataclasses
import json
import os
import re
import resource
import signal
import subprocess
import threading
import time

RUN_LINE = re.compile(r"^\[ RUN      \] (\S+)", re.M)
SPLIT_SECONDS = 0.3  # a binary that needs longer is run test by test
RSS_LIMIT_MB = 1500
# No symbols: they take longer than the test. Two frames: the leak check takes a block without a caller for the linker's.
SANITIZER = {
    "ASAN_OPTIONS": f"symbolize=0:handle_abort=0:malloc_context_size=2:hard_rss_limit_mb={RSS_LIMIT_MB}",
    "UBSAN_OPTIONS": "symbolize=0:print_stacktrace=0:halt_on_error=1",
    "TSAN_OPTIONS": "symbolize=0:halt_on_error=1:exitcode=66",
    "CMOCKA_TEST_ABORT": "1",
}


@dataclasses.dataclass
class Unit:
    """One process: a test binary, or one test of it."""
    name: str
    command: list
    folder: str
    env: dict
    test: str = ""
    seconds: float = 0.0
    seen: bytes = b""
    kills: int = 0
    runs: int = 0
    kills_in: dict = dataclasses.field(default_factory=dict)

    @property
    def threads(self):
        """True when more than one thread was in a mutated file."""
        return bool(self.seen[0])

    @property
    def label(self):
        return self.name + (":" + self.test if self.test else "")


@dataclasses.dataclass
class Result:
    verdict: str  # killed, survived, unreached
    by: str = ""
    how: str = ""
    runs: int = 0


def limits():
    """For every process that is started from now on: no core files, no endless output."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 29, 1 << 29))


def execute(unit, env, timeout, out=subprocess.DEVNULL):
    """(exit code or None for a hang, seconds, output)"""
    start = time.monotonic()
    p = subprocess.Popen(unit.command, cwd=unit.folder, env={**os.environ, **unit.env, **SANITIZER, **env}, stdout=out,
                         stderr=subprocess.STDOUT if out is not None else None, stdin=subprocess.DEVNULL,
                         start_new_session=True)
    try:
        text = p.communicate(timeout=timeout)[0]
        code = p.returncode
    except subprocess.TimeoutExpired:
        code, text = None, b""
    if code is None or code < 0:
        try:
            os.killpg(p.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        p.wait()
        if p.stdout:
            p.stdout.close()
    return code, time.monotonic() - start, (text or b"").decode("utf-8", "replace")


class Runner:
    def __init__(self, folder, jobs, top, threaded=False):
        self.threaded = threaded  # only tests in which threads meet
        self.folder, self.jobs, self.top = folder, jobs, top
        self.units, self.skipped, self.lock = [], [], threading.Lock()
        limits()
        self.order_file = os.path.join(folder, "order.json")

    # -- coverage --
    def record(self, unit):
        path = os.path.join(self.folder, f"seen.{threading.get_ident()}")
        with open(path, "wb") as f:
            f.truncate(self.top + 1)
        code, unit.seconds, text = execute(unit, {"WEDR_MUTANT": "0", "WEDR_MUTANT_SEEN": path,
                                                  "WEDR_MUTANT_TEST": unit.test}, 600, subprocess.PIPE)
        with open(path, "rb") as f:
            unit.seen = f.read()
        os.unlink(path)
        return code, text

    def cover(self, name, target):
        """The units of one ctest entry, each with what it reaches."""
        command, folder, env = target
        whole = Unit(name, command, folder, env)
        code, text = self.record(whole)
        if code == 77:
            self.skipped.append(name)
            return []
        if code != 0:
            print(text[-4000:])
            raise SystemExit(f"mutate: {name} fails without any mutation (exit code {code})")
        tests = list(dict.fromkeys(RUN_LINE.findall(text)))
        if whole.seconds < SPLIT_SECONDS or len(tests) < 2:
            return [whole]
        units = []
        for t in tests:
            unit = Unit(name, command, folder, env, t)
            code, text = self.record(unit)
            if code != 0:
                return [whole]  # the tests lean on each other
            units.append(unit)
        return units

    def cover_all(self, targets):
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            for units in pool.map(lambda kv: self.cover(*kv), targets.items()):
                self.units += units
        try:
            with open(self.order_file, encoding="utf-8") as f:
                old = json.load(f)
        except (OSError, ValueError):
            old = {}
        for u in self.units:
            u.kills, u.runs, u.kills_in = old.get(u.label, [0, 0, {}])

    def save_order(self):
        with open(self.order_file, "w", encoding="utf-8") as f:
            json.dump({u.label: [u.kills, u.runs, u.kills_in] for u in self.units}, f)

    # -- mutants --
    def rank(self, unit, mutant):
        """Expected kills in a second."""
        near = unit.kills_in.get(mutant.file + ":" + mutant.function, 0)
        chance = (near * 4 + unit.kills_in.get(mutant.file, 0) + unit.kills * 0.1 + 0.5) / (unit.runs + 5)
        return chance / (unit.seconds + 0.02)

    def reaching(self, mutant):
        units = [u for u in self.units if u.seen[mutant.id] and (u.threads or not self.threaded)]
        with self.lock:
            return sorted(units, key=lambda u: -self.rank(u, mutant))

    def learn(self, unit, mutant, killed):
        with self.lock:
            unit.runs += 1
            if killed:
                unit.kills += 1
                for where in (mutant.file, mutant.file + ":" + mutant.function):
                    unit.kills_in[where] = unit.kills_in.get(where, 0) + 1

    def limit(self, unit):
        return 10 * unit.seconds + 2

    def control(self, times):
        """Runs every unit without a mutation, as busy as the machine was: labels of those that failed nevertheless."""
        def once(unit):
            code, _, _ = execute(unit, {"WEDR_MUTANT": "0", "WEDR_MUTANT_TEST": unit.test}, self.limit(unit))
            return unit.label if code != 0 else None
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            return sorted({label for label in pool.map(once, self.units * times) if label})

    def try_mutant(self, mutant):
        units = self.reaching(mutant)
        if not units:
            return Result("unreached")
        for k, u in enumerate(units, 1):
            code, _, _ = execute(u, {"WEDR_MUTANT": str(mutant.id), "WEDR_MUTANT_TEST": u.test}, self.limit(u))
            killed = code != 0
            self.learn(u, mutant, killed)
            if killed:
                how = "hang" if code is None else f"signal {-code}" if code < 0 else f"exit {code}"
                return Result("killed", u.label, how, k)
        return Result("survived", runs=len(units))

    def run(self, mutants, keep=None):
        """Number -> Result. keep(results) is called now and then, for those who stop a run half way."""
        results, done, start = {}, 0, time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            jobs = {pool.submit(self.try_mutant, m): m for m in mutants}
            for job in concurrent.futures.as_completed(jobs):
                results[jobs[job].id] = job.result()
                done += 1
                if keep and done % 100 == 0:
                    keep(results)
                if keep and done % 200 == 0:
                    killed = sum(r.verdict == "killed" for r in results.values())
                    print(f"mutate: {done} of {len(mutants)} after {time.monotonic() - start:.0f} s, {killed} killed",
                          flush=True)
        self.save_order()
        return results

    def show(self, mutant):
        """Runs what reaches one mutant with everything on the screen; True when killed."""
        units = self.reaching(mutant)
        killed = False
        for u in units:
            env = {"WEDR_MUTANT": str(mutant.id), "WEDR_MUTANT_TEST": u.test, "ASAN_OPTIONS": "symbolize=1",
                   "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1", "TSAN_OPTIONS": "halt_on_error=1"}
            print(f"== {u.label}: WEDR_MUTANT={mutant.id}" + (f" WEDR_MUTANT_TEST={u.test}" if u.test else "") + " " +
                  " ".join(u.command), flush=True)
            code, seconds, _ = execute(u, env, 10 * u.seconds + 10, None)
            word = "hangs" if code is None else "passes" if code == 0 else f"fails ({code})"
            print(f"== {u.label} {word} after {seconds:.2f} s", flush=True)
            killed = killed or code != 0
        return killed, len(units)
