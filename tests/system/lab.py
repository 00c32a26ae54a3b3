# SPDX-License-Identifier: Apache-2.0
"""A server and agents of this build in a folder of their own, for tests that run the real programs.

Every test is a function test_*; `main()` runs those of the calling module and prints the lines that cmocka prints, so
that tools/summary counts functions.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("WEDR_BUILD", os.path.join(ROOT, "build", "linux"))
AGENT = os.path.join(BUILD, "wedr-agent")
SERVER = os.path.join(BUILD, "wedr-server")
FULL = os.environ.get("WEDR_TEST_FULL") == "1"
# Sanitizers make everything several times slower.
SANITIZER_MARKS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer")
SLOW = float(os.environ.get("WEDR_TEST_SLOW", "1"))


class Skip(Exception):
    """The test cannot run here; the text says why."""


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


def need_bpf():
    need_root()
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        raise Skip("the kernel has no BTF")


def wait_for(what, seconds, check, every=0.05):
    """Calls check until it returns something true; its value."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < end, "waited %g s for %s" % (seconds * SLOW, what)
        time.sleep(every)


def preload(*names):
    """The environment with libraries of this folder in front of the program's; a sanitizer's must be the first."""
    needed = run("readelf", "-d", SERVER).stdout
    first = [w.strip("[]") for w in needed.split() if w.startswith(("[libasan", "[libtsan"))]
    return dict(os.environ, LD_PRELOAD=" ".join(first + [os.path.join(BUILD, "tests", "system", n + ".so") for n in names]))


def run(*args, check=True, timeout=60, stdin=None, env=None):
    p = subprocess.run(args, input=stdin, capture_output=True, text=True, timeout=timeout * SLOW, env=env)
    if check and p.returncode != 0:
        raise AssertionError("%s: exit %d\n%s%s" % (" ".join(args), p.returncode, p.stdout, p.stderr))
    return p


class Server:
    def __init__(self, folder, listen="127.0.0.1:0", env=None, args=()):
        self.data = os.path.join(folder, "server")
        self.log = os.path.join(folder, "server.log")
        self.listen = listen
        self.proc = None
        self.env = env
        self.args = args

    def start(self):
        path = os.path.join(self.data, "listen")
        if os.path.exists(path):
            os.unlink(path)
        with open(self.log, "ab") as log:
            self.proc = subprocess.Popen(
                [SERVER, "serve", "--data", self.data, "--listen", self.listen, *self.args],
                stdout=log, stderr=log, env=self.env)
        def listening():
            assert self.proc.poll() is None, "the server ended: " + open(self.log).read()[-2000:]
            return os.path.exists(path) and open(path).read().strip()
        self.listen = wait_for("the server to listen", 20, listening)
        return self

    @property
    def url(self):
        return "https://" + self.listen

    def token(self, *args):
        return run(SERVER, "token", "create", "--data", self.data, *args).stdout.strip()

    def fingerprint(self):
        return run(SERVER, "ca", "fingerprint", "--data", self.data).stdout.strip()

    def sql(self, text):
        return json.loads(run(SERVER, "sql", "--data", self.data, "--json", text, timeout=120).stdout)

    def one(self, text):
        rows = self.sql(text)
        assert len(rows) == 1, rows
        return rows[0]

    def kill(self):
        self.proc.send_signal(signal.SIGKILL)
        self.proc.wait()

    def stop(self):
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            code = self.proc.wait(timeout=30 * SLOW)
            assert code == 0, "the server left with %d: %s" % (code, open(self.log).read()[-2000:])


class Agent:
    def __init__(self, folder, name="agent", env=None, before=()):
        self.before = list(before)  # a program that starts the agent, with its arguments
        self.state = os.path.join(folder, name)
        self.log = os.path.join(folder, name + ".log")
        self.proc = None
        self.args = ()
        self.env = env

    def enroll(self, server, *args, check=True, token=None):
        return run(AGENT, "enroll", "--state", self.state, "--server", server.url, "--token", "-", "--ca-sha256",
                   server.fingerprint(), *args, stdin=(token or server.token()) + "\n", check=check)

    @property
    def agent_id(self):
        with open(os.path.join(self.state, "identity", "agent_id"), encoding="ascii") as f:
            return f.read().strip()

    def config(self, **sections):
        """Writes agent.json: config(agent={"max_age_ms": 200})."""
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        path = os.path.join(self.state, "agent.json")
        old = json.load(open(path)) if os.path.exists(path) else {}
        for section, keys in sections.items():
            old.setdefault(section, {}).update(keys)
        with open(path, "w", encoding="utf-8") as f:
            json.dump(old, f)
        os.chmod(path, 0o600)
        return self

    def start(self, *args, wait=True):
        self.args = args
        with open(self.log, "ab") as log:
            self.proc = subprocess.Popen([*self.before, AGENT, "run", "--state", self.state, *args], stdout=log, stderr=log,
                                         env=self.env)
        if wait:
            self.wait_ready()
        return self

    def restart(self):
        return self.start(*self.args)

    def wait_ready(self):
        def ready():
            assert self.proc.poll() is None or self.proc.returncode == 0, (
                "the agent ended with %s: %s" % (self.proc.returncode, self.tail()))
            return self.proc.poll() == 0 or self.status()
        wait_for("the agent to answer", 20, ready)

    def tail(self):
        text = open(self.log, errors="replace").read()[-2000:]
        path = os.path.join(self.state, "log", "agent.log")
        if os.path.exists(path):
            text += open(path, errors="replace").read()[-3000:]
        return text

    def status(self):
        """The status document, or None when no agent answers."""
        p = run(AGENT, "status", "--state", self.state, "--json", check=False)
        return json.loads(p.stdout) if p.returncode == 0 and p.stdout.strip() else None

    def stop(self, *args):
        p = run(AGENT, "stop", "--state", self.state, *args, check=False, timeout=60)
        if self.proc:
            self.proc.wait(timeout=30 * SLOW)
        return p


class Lab:
    """with Lab() as lab: lab.server(), lab.agent(); everything is stopped and removed at the end."""

    def __init__(self):
        base = os.path.join(BUILD, "lab")
        os.makedirs(base, exist_ok=True)
        self.folder = tempfile.mkdtemp(prefix="t", dir=base)
        self.servers, self.agents, self.undo = [], [], []

    def __enter__(self):
        return self

    def server(self, config=None, **kw):
        """A running server; config: what its file says, {"fleet": {"checkin_interval_s": 1}}."""
        if config:
            path = os.path.join(self.folder, "server.json")
            with open(path, "w", encoding="utf-8") as f:
                json.dump(config, f)
            kw["args"] = ("--config", path)
        s = Server(self.folder, **kw)
        self.servers.append(s)
        return s.start()

    def agent(self, name="agent", **kw):
        a = Agent(self.folder, name, **kw)
        self.agents.append(a)
        return a

    def __exit__(self, kind, value, tb):
        if kind and kind is not Skip:
            for a in self.agents:
                if os.path.exists(a.log):
                    print("--", a.log, "\n", a.tail())
            for s in self.servers:
                if os.path.exists(s.log):
                    print("--", s.log, "\n", open(s.log, errors="replace").read()[-3000:])
        for a in self.agents:
            if os.path.isdir(a.state):
                run(AGENT, "stop", "--sensor", "--state", a.state, check=False)
            if a.proc and a.proc.poll() is None:
                a.proc.kill()
                a.proc.wait()
        for s in self.servers:
            if s.proc and s.proc.poll() is None:
                if SLOW > 1 and kind is None:  # a process that ends by itself reports its leaks
                    s.proc.terminate()
                    try:
                        s.proc.wait(timeout=15 * SLOW)
                    except subprocess.TimeoutExpired:
                        s.proc.kill()
                else:
                    s.proc.kill()
                s.proc.wait()
        found = self.sanitizer_reports()
        for fn in reversed(self.undo):
            fn()
        shutil.rmtree(self.folder, ignore_errors=True)
        assert kind not in (None, Skip) or not found, "\n".join(found)
        return False

    def sanitizer_reports(self):
        """What a sanitizer wrote into a log of any program, also of one that was killed."""
        logs = [os.path.join(f, n) for f, _, names in os.walk(self.folder) for n in names if ".log" in n]
        found = []
        for path in logs:
            with open(path, errors="replace") as f:
                text = f.read()
            for mark in SANITIZER_MARKS:
                at = text.find(mark)
                if at >= 0:
                    found.append("%s:\n%s" % (path, text[max(0, at - 200):at + 3000]))
        for report in found:
            print("-- sanitizer:", report)
        return found


def ledger(server, where="1"):
    return server.sql("SELECT * FROM ledger WHERE " + where)


def stop_shipped(server, agent):
    """Stops the agent and its sensor with everything shipped. A stop waits for a server only so long, and a sanitizer makes
    all of it slow: what is still in the spool is shipped by another run."""
    def missing():
        return server.one("SELECT COALESCE(SUM(missing), 0) AS n FROM ledger WHERE stream LIKE 'kernel.%'")["n"]
    agent.stop("--sensor")
    if missing():
        agent.start("--source", "ebpf")
        wait_for("what the spool still holds", 60, lambda: missing() == 0)
        agent.stop("--sensor")


def ledger_adds_up(server, where="1"):
    """Asserts stored + expired + lost + missing = produced and missing = 0 in each row; returns the rows."""
    rows = ledger(server, where)
    for r in rows:
        assert r["stored"] + r["expired"] + r["lost"] + r["missing"] == r["produced"], r
        assert r["missing"] == 0, r
    return rows


def ledger_records(server, agent, prefix):
    """What the ledger says was produced in the agent's streams whose name begins with prefix."""
    return server.one("SELECT SUM(produced) AS n FROM ledger WHERE agent_id = '%s' AND stream LIKE '%s%%'"
                      % (agent.agent_id, prefix))["n"]


def own_pss(pid):
    """PSS in KiB without the mapped BPF rings, which are the kernel's."""
    total, ring = 0, False
    with open("/proc/%d/smaps" % pid, encoding="utf-8", errors="replace") as f:
        for line in f:
            word = line.split()
            if "-" in word[0] and not word[0].endswith(":"):
                ring = "bpf" in line
            elif word[0] == "Pss:" and not ring:
                total += int(word[1])
    return total


def main():
    module = sys.modules["__main__"]
    names = [n for n in vars(module) if n.startswith("test_")]
    if len(sys.argv) > 1:
        names = [n for n in names if n in sys.argv[1:]]
    failed, skipped = [], []
    print("[==========] Running %d test(s)." % len(names))
    for name in names:
        print("[ RUN      ] %s" % name, flush=True)
        begin = time.monotonic()
        try:
            getattr(module, name)()
            print("[       OK ] %s" % name, flush=True)
        except Skip as why:
            skipped.append(name)
            print("[  SKIPPED ] %s: %s" % (name, why), flush=True)
        except BaseException:  # a failing test must not stop the others
            failed.append(name)
            traceback.print_exc(file=sys.stdout)
            print("[  FAILED  ] %s" % name, flush=True)
        print("             %.1f s" % (time.monotonic() - begin))
    sys.exit(1 if failed else 77 if len(skipped) == len(names) else 0)
