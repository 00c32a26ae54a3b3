#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a running agent adds to events: digests of the files that ran and of no others, packages, names, no secrets."""
import hashlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import time

import lab

HUNG_FS = os.path.join(lab.ROOT, "tests", "system", "hung_fs.py")
OLD = 0.05  # seconds after which a change of a file would show in its times


class Program:
    """A copy of sleep of its own, so that nobody has asked about it yet."""

    def __init__(self, box, name, age=OLD):
        self.path = os.path.join(box.folder, name)
        with open(shutil.which("sleep"), "rb") as f:
            self.bytes = f.read() + os.urandom(32)
        with open(self.path, "wb") as f:
            f.write(self.bytes)
        os.chmod(self.path, 0o755)
        self.sha256 = hashlib.sha256(self.bytes).hexdigest()
        time.sleep(age)

    def start(self, *args):
        return subprocess.Popen([self.path, *(args or ("60",))], stderr=subprocess.DEVNULL)

    def run(self, *args):
        subprocess.run([self.path, *(args or ("0",))], stderr=subprocess.DEVNULL)


def live(box, **sections):
    lab.need_bpf()
    server, agent = box.server(), box.agent()
    agent.config(shipper={"max_backoff_secs": 1}, **sections)
    agent.enroll(server)
    agent.start("--source", "ebpf")
    lab.wait_for("the facts process", 20, lambda: agent.status()["processes"]["facts"]["pid"])
    return server, agent


def lines(server, event_type, pid):
    return [json.loads(r["raw"]) for r in server.sql(
        "SELECT raw FROM events WHERE event_type = '%s' AND pid = %d ORDER BY seq" % (event_type, pid))]


def digests(server, pid):
    """What the create lines and the late records of a process say."""
    return {r["raw"]["sha256"] for kind in ("process_create", "process_image") for r in lines(server, kind, pid)
            if "sha256" in r["raw"]}


def image(server, pid, seconds=20):
    return lab.wait_for("facts about %d" % pid, seconds, lambda: lines(server, "process_image", pid))[0]["raw"]


def created(server, path, seconds=20):
    return lab.wait_for("a process_create of " + path, seconds, lambda: [json.loads(r["raw"]) for r in server.sql(
        "SELECT raw FROM events WHERE event_type = 'process_create' AND process_path = '%s' ORDER BY seq" % path)])


def no_wrong_digest(server, path, right):
    """Of no record of that path another one."""
    rows = server.sql("SELECT sha256 FROM events WHERE process_path = '%s' AND sha256 IS NOT NULL" % path)
    assert all(r["sha256"] in right for r in rows), rows
    return len(rows)


def idle(agent):
    """Everything that was asked is answered, and everything that came late is written."""
    def quiet():
        e = agent.status()["enrichment"]
        return e["waiting"] == 0 and e["files_asked"] == e["files_known"] + e["files_unknown"]
    time.sleep(1)
    lab.wait_for("the facts process to be idle", 30, quiet)
    time.sleep(2)


def test_fresh_program_gets_its_digest_late_and_then_at_once():
    with lab.Lab() as box:
        server, agent = live(box)
        tool = Program(box, "tool")
        first = tool.start()
        record = image(server, first.pid)
        assert record["sha256"] == tool.sha256 and record["size"] == len(tool.bytes), record
        assert record["image_path"] == os.path.realpath(tool.path), record
        assert record["interpreter"].startswith("/lib"), record
        second = tool.start()
        line = lab.wait_for("the second", 20, lambda: lines(server, "process_create", second.pid))[-1]["raw"]
        assert line["sha256"] == tool.sha256, line
        first.kill(), second.kill(), first.wait(), second.wait()
        idle(agent)
        assert len(lines(server, "process_image", first.pid)) == 1
        assert not lines(server, "process_image", second.pid)
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


def test_file_that_is_swapped_gives_no_digest_of_the_other():
    with lab.Lab() as box:
        server, agent = live(box)
        right, paths, running = set(), [], []
        for i in range(30):
            tool, other = Program(box, "tool-%d" % i, 0), Program(box, "other-%d" % i)
            p = tool.start("0.01" if i % 2 else "600")
            os.rename(other.path, tool.path)  # between the start and the reading
            if i % 2:
                p.wait()
            else:
                running.append(p)
            right.add(tool.sha256), paths.append(os.path.realpath(tool.path))
        lab.wait_for("the digests of those that run", 30,
                     lambda: sum(no_wrong_digest(server, p, right) for p in paths) >= 15, every=0.3)
        idle(agent)
        for p in running:
            p.kill(), p.wait()
        found = sum(no_wrong_digest(server, p, right) for p in paths)
        assert found >= 15, "those that went on running have theirs: %d" % found
        agent.stop("--sensor")


def test_file_that_is_rewritten_in_place_gives_no_wrong_digest():
    with lab.Lab() as box:
        server, agent = live(box)
        seen = {}
        path = os.path.realpath(os.path.join(box.folder, "tool"))
        tool = Program(box, "tool", 0)
        for i in range(40):
            p = tool.start("0")
            p.wait()
            seen.setdefault(p.pid, set()).add(tool.sha256)
            with open(tool.path, "r+b") as f:  # the same file, at once, of the same size
                f.seek(len(tool.bytes) - 32)
                f.write(os.urandom(32))
            with open(tool.path, "rb") as f:
                tool.bytes = f.read()
            tool.sha256 = hashlib.sha256(tool.bytes).hexdigest()
        idle(agent)
        for pid, right in seen.items():
            assert digests(server, pid) <= right, (pid, digests(server, pid), right)
        assert created(server, path)
        agent.stop("--sensor")


def test_deleted_program_and_one_in_memory_have_theirs_while_they_run():
    with lab.Lab() as box:
        server, agent = live(box)
        tool = Program(box, "tool")
        gone = tool.start()
        os.unlink(tool.path)
        assert image(server, gone.pid)["sha256"] == tool.sha256
        fd = os.memfd_create("tool")
        data = tool.bytes + b"in memory"
        os.write(fd, data)
        os.set_inheritable(fd, True)
        time.sleep(OLD)
        memory = subprocess.Popen(["/proc/self/fd/%d" % fd, "60"], pass_fds=(fd,))
        assert image(server, memory.pid)["sha256"] == hashlib.sha256(data).hexdigest()
        gone.kill(), memory.kill(), gone.wait(), memory.wait()
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


def test_packaged_program_names_its_package():
    with lab.Lab() as box:
        if not os.path.exists("/var/lib/dpkg/info/coreutils.list"):
            raise lab.Skip("no dpkg here")
        server, agent = live(box)
        tool = os.path.realpath(shutil.which("tac"))
        want = lab.run("dpkg-query", "-W", "-f", "${Version}", "coreutils").stdout
        def known():
            subprocess.run([tool], stdin=subprocess.DEVNULL)
            return [r for r in created(server, tool) if "sha256" in r["raw"]]
        raw = lab.wait_for("its package", 20, known, every=0.5)[-1]["raw"]
        assert (raw["package"], raw["package_version"]) == ("coreutils", want), raw
        assert raw["sha256"] == hashlib.sha256(open(tool, "rb").read()).hexdigest()
        status = agent.status()["enrichment"]
        assert status["package_source"] == "dpkg" and status["packages"] > 100, status
        agent.stop("--sensor")


def test_users_have_names_also_after_a_change_of_user():
    with lab.Lab() as box:
        server, agent = live(box)
        nobody = pwd.getpwnam("nobody")
        tool = Program(box, "tool")
        shutil.copy(tool.path, "/tmp/wedr-test-setuid")
        try:
            os.chown("/tmp/wedr-test-setuid", nobody.pw_uid, -1)
            os.chmod("/tmp/wedr-test-setuid", 0o4755)
            subprocess.run(["/tmp/wedr-test-setuid", "0"])
        finally:
            os.unlink("/tmp/wedr-test-setuid")
        line = created(server, "/tmp/wedr-test-setuid")[-1]
        assert (line["process"]["user"], line["raw"]["effective_user"]) == ("root", "nobody"), line
        assert line["raw"]["group"] == "root", line
        shutil.copy(tool.path, "/tmp/wedr-test-user")  # the test's folder is closed to others
        try:
            subprocess.run(["/tmp/wedr-test-user", "0"], preexec_fn=lambda: os.setuid(nobody.pw_uid))
        finally:
            os.unlink("/tmp/wedr-test-user")
        lines_of = created(server, "/tmp/wedr-test-user")
        assert lines_of[-1]["process"]["user"] == "nobody", lines_of[-1]
        ends = lab.wait_for("its end", 20, lambda: lines(server, "process_terminate", lines_of[-1]["process"]["pid"]))
        assert ends[-1]["process"]["user"] == "nobody", ends
        agent.stop("--sensor")


def test_secrets_are_nowhere_but_rules_see_them():
    with lab.Lab() as box:
        lab.need_bpf()
        known, secret = "hunter2", "hunter2-%d" % os.getpid()  # the rule's text is in its alert, as the rule's
        path, key = os.path.join(box.folder, "bundle"), os.path.join(box.folder, "key")
        public = lab.run(os.path.join(lab.BUILD, "tests", "system", "make_bundle"), key, path, "1", "0", "2",
                         known).stdout.strip()
        server, agent = box.server(), box.agent()
        agent.config(shipper={"max_backoff_secs": 1})
        agent.enroll(server)
        agent.start("--source", "ebpf", "--rules-bundle", path, "--rules-key", public)
        lab.wait_for("rules", 20, lambda: agent.status()["rules"]["serial"] != "0")
        tool = Program(box, "tool")
        tool.run("--password=" + secret, "x")
        alert = lab.wait_for("the alert", 20, lambda: server.sql("SELECT raw FROM events WHERE event_type = 'alert'"))
        assert "--password=***" in alert[0]["raw"], alert
        line = created(server, os.path.realpath(tool.path))[-1]["raw"]
        assert line["redacted"] is True and line["argv"][1] == "--password=***", line
        agent.stop("--sensor")
        everything = server.sql("SELECT COUNT(*) AS n FROM events WHERE raw LIKE '%" + secret + "%'")
        assert everything[0]["n"] == 0, server.sql("SELECT raw FROM events WHERE raw LIKE '%" + secret + "%'")[:1]


def test_facts_process_that_dies_or_hangs_costs_only_facts():
    with lab.Lab() as box:
        server, agent = live(box)
        pid = agent.status()["processes"]["facts"]["pid"]
        os.kill(pid, 9)
        again = lab.wait_for("another facts process", 20, lambda: (lambda p: p if p not in (0, pid) else None)(
            agent.status()["processes"]["facts"]["pid"]))
        assert again != pid
        tool = Program(box, "tool")
        p = tool.start()
        assert image(server, p.pid)["sha256"] == tool.sha256
        p.kill(), p.wait()
        assert agent.status()["processes"]["core"]["restarts"] == 0
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


def test_facts_process_that_a_file_system_holds_stops_nothing_else():
    if not os.path.exists("/dev/fuse"):
        raise lab.Skip("no FUSE")
    with lab.Lab() as box:
        server, agent = live(box)

        def facts():
            return agent.status()["processes"]["facts"]["pid"]

        held, place = facts(), os.path.join(box.folder, "place")
        os.mkdir(place)
        tool = Program(box, "place/tool")
        os.kill(held, signal.SIGSTOP)
        p = tool.start()
        lab.wait_for("the question about it", 20, lambda: lines(server, "process_create", p.pid))
        box.undo.append(lambda: lab.run("umount", "-l", place, check=False))
        with subprocess.Popen([HUNG_FS, place], stdout=subprocess.PIPE, text=True) as fs:
            try:
                assert fs.stdout.readline() == "mounted\n"
                os.kill(held, signal.SIGCONT)
                while fs.stdout.readline() != "%d waits\n" % held:
                    assert fs.poll() is None
                lab.wait_for("the holder to give it up", 60,
                             lambda: "facts process is down" in (agent.status() or {"health": {"text": ""}})["health"]["text"])
                other = Program(box, "other")
                q = other.start()
                assert lab.wait_for("an event", 20, lambda: lines(server, "process_create", q.pid))
                q.kill(), q.wait()
                assert facts() == held, "no second one beside it"
            finally:
                fs.kill()
        lab.wait_for("another facts process", 20, lambda: facts() not in (0, held))
        p.kill(), p.wait()
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


if __name__ == "__main__":
    lab.main()
