#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The agent's processes when one of them hangs, lies or finds no room: the others end it or wait for it, nothing is lost
unseen, and nothing calls itself healthy meanwhile."""
import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess
import time

import lab

FLOOD = os.path.join(lab.BUILD, "tests", "system", "exec_flood")
MSG_NET_LOG, MSG_NET_STATS, MSG_CORE_FINISHED = 403, 402, 209
LIBC = ctypes.CDLL(None, use_errno=True)


def live_lab(box, **sections):
    lab.need_bpf()
    server, agent = box.server(), box.agent()
    agent.config(shipper={"max_backoff_secs": 1}, **sections)
    agent.enroll(server)
    agent.start("--source", "ebpf")
    wait_stored(server, "process_create", 1)
    return server, agent


def wait_stored(server, event_type, least, like="%", seconds=20):
    lab.wait_for("%d %s of %s" % (least, event_type, like), seconds, lambda: server.one(
        "SELECT COUNT(*) AS n FROM events WHERE event_type = '%s' AND command_line LIKE '%s'"
        % (event_type, like))["n"] >= least)


def flood(mark, count):
    lab.run(FLOOD, mark, "0", str(count))


def pid_of(agent, name):
    return agent.status()["processes"][name]["pid"]


def message(kind, body=b""):
    """A message of lib/wire between the agent's processes."""
    return struct.pack("<HHI", 1, kind, 8 + len(body)) + body


def ends_of(pid):
    """The ends that process pid has of its channels to other processes of the agent, as if this were its code."""
    pidfd, found = os.pidfd_open(pid), []
    for name in os.listdir("/proc/%d/fd" % pid):
        fd = LIBC.syscall(438, pidfd, int(name), 0)  # pidfd_getfd
        if fd < 0:
            continue
        try:
            s = socket.socket(fileno=fd)
            if s.family == socket.AF_UNIX and s.type == socket.SOCK_SEQPACKET:
                found.append(s)
                continue
            s.close()
        except OSError:
            os.close(fd)
    os.close(pidfd)
    return found


def channels(pid, count):
    """All of them: the last one begins when the process behind it is ready."""
    def whole():
        found = ends_of(pid)
        return found if len(found) == count else None
    return lab.wait_for("%d channels" % count, 20, whole)


def send_last_words(s, words):
    """For what came through another channel this one may be closed already."""
    try:
        s.send(words)
    except OSError:
        pass


def test_core_that_says_it_is_finished_is_ended_and_the_agent_goes_on():
    with lab.Lab() as box:
        server, agent = live_lab(box)
        core = pid_of(agent, "core")
        for s in channels(core, 3):  # holder, net, facts
            send_last_words(s, message(MSG_CORE_FINISHED))
        lab.wait_for("another core", 10, lambda: agent.proc.poll() is not None or
                     pid_of(agent, "core") not in (0, core))
        assert agent.proc.poll() is None, agent.tail()
        flood("finished", 20)
        wait_stored(server, "process_create", 20, "exec_flood finished%")
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


def test_net_that_breaks_the_protocol_with_core_does_not_end_shipping():
    with lab.Lab() as box:
        server, agent = live_lab(box)
        for s in channels(pid_of(agent, "net"), 2):
            send_last_words(s, message(MSG_NET_LOG, struct.pack("<BH4096s", 2, 4, b"text")))
        time.sleep(0.5)
        flood("broken", 20)
        wait_stored(server, "process_create", 20, "exec_flood broken%")
        time.sleep(11)  # now net has lived long enough to be ended for it
        net = pid_of(agent, "net")
        for s in channels(net, 2):
            send_last_words(s, message(MSG_NET_LOG, struct.pack("<BH4096s", 2, 4, b"text")))
        lab.wait_for("another net", 10, lambda: pid_of(agent, "net") not in (0, net))
        flood("again", 20)
        wait_stored(server, "process_create", 20, "exec_flood again%")
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


def test_child_that_floods_the_log_does_not_push_other_lines_out():
    with lab.Lab() as box:
        server, agent = live_lab(box)
        line = message(MSG_NET_LOG, struct.pack("<BH4096s", 2, 4096, b"flood " * 682))
        for s in channels(pid_of(agent, "net"), 2):
            s.settimeout(5)
            try:
                for _ in range(4000):
                    s.send(line)
            except OSError:
                pass  # core ends the channel at the first of them
        log = os.path.join(agent.state, "log", "agent.log")
        lab.wait_for("the flood to be named", 10, lambda: "holder.log_flood" in open(log, errors="replace").read())
        lines = open(log, errors="replace").read().splitlines()
        assert any("holder.start" in line for line in lines)
        assert sum("flood flood" in line for line in lines) <= 800, len(lines)
        flood("flooded", 5)
        wait_stored(server, "process_create", 5, "exec_flood flooded%")
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


def test_texts_of_a_compromised_net_do_not_reach_a_terminal_as_commands():
    with lab.Lab() as box:
        server, agent = live_lab(box)
        unreachable, said = 2, b"said \x1b]0;owned\x07"
        lie = message(MSG_NET_STATS, struct.pack("<10QqqiIBB256s", *[0] * 14, unreachable, 0, said))
        ends = channels(pid_of(agent, "net"), 2)

        def shown():
            for s in ends:
                try:
                    s.send(lie)
                except OSError:
                    pass
            return [p.stdout for p in (lab.run(lab.AGENT, c, "--state", agent.state, check=False)
                                       for c in ("status", "doctor"))]

        texts = lab.wait_for("the lie", 10, lambda: (lambda t: t if any("said" in x for x in t) else None)(shown()))
        assert all("\x1b" not in t and "\x07" not in t for t in texts), texts
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


def test_stopped_core_and_net_are_told_and_lose_nothing():
    with lab.Lab() as box:
        server, agent = live_lab(box)
        for name in ("core", "net"):
            pid = pid_of(agent, name)
            os.kill(pid, signal.SIGSTOP)
            flood("stopped-" + name, 50)
            lab.wait_for("the health to say it", 10, lambda: (
                "the %s process does not answer" % name in agent.status()["health"]["text"]))
            p = lab.run(lab.AGENT, "doctor", "--state", agent.state, check=False)
            assert p.returncode == 1 and any(
                line.startswith("BROKEN") and name in line for line in p.stdout.splitlines()), p.stdout
            os.kill(pid, signal.SIGCONT)
            wait_stored(server, "process_create", 50, "exec_flood stopped-%s%%" % name)
            assert pid_of(agent, name) == pid
        lab.wait_for("health", 10, lambda: not agent.status()["health"]["degraded"])
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


def small_spool(box, agent):
    """The spool on a small disk; returns functions that fill it and make room again."""
    spool = os.path.join(agent.state, "spool")
    os.makedirs(spool, mode=0o700, exist_ok=True)
    lab.run("mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", spool)
    box.undo.append(lambda: lab.run("umount", "-l", spool, check=False))
    blocker = os.path.join(spool, "blocker")

    def fill():
        with open(blocker, "wb", buffering=0) as f:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        f.write(b"\0" * size)
                except OSError:
                    pass

    return fill, lambda: os.unlink(blocker)


def cramped_lab(box):
    """A server and its agent, not started, whose spool is on a small disk; and what small_spool returns."""
    server, agent = box.server(), box.agent()
    agent.config(shipper={"max_backoff_secs": 1})
    agent.enroll(server)
    return (server, agent) + small_spool(box, agent)


def test_start_on_a_full_disk_is_degraded_and_reads_the_sensor_when_there_is_room():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent, fill, make_room = cramped_lab(box)
        fill()
        agent.start("--source", "ebpf")
        flood("full", 20)
        lab.wait_for("the health to say it", 10, lambda: "cannot read the sensor" in agent.status()["health"]["text"])
        make_room()
        wait_stored(server, "process_create", 20, "exec_flood full%")
        lab.wait_for("health", 10, lambda: not agent.status()["health"]["degraded"])
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


def test_spool_that_cannot_be_written_is_told_until_it_can():
    with lab.Lab() as box:
        server, agent = live_lab(box)
        spool = os.path.join(agent.state, "spool")
        owner = os.stat(spool)
        lab.wait_for("health", 20, lambda: not agent.status()["health"]["degraded"])
        os.chown(spool, 0, 0)
        flood("waiting", 20)
        lab.wait_for("the trouble", 20, lambda: "cannot go on" in agent.status()["health"]["text"])
        doctor = lab.run(lab.AGENT, "doctor", "--state", agent.state, check=False)
        assert doctor.returncode == 1 and "BROKEN  spool" in doctor.stdout, doctor.stdout
        os.chown(spool, owner.st_uid, owner.st_gid)
        wait_stored(server, "process_create", 20, "exec_flood waiting%")
        lab.wait_for("health", 20, lambda: not agent.status()["health"]["degraded"])
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


def test_gap_that_finds_no_room_is_told_later_once_and_ends_where_it_ended():
    """By the next run, when its own has to end before there is room; the gap after it begins with the end of the sensor."""
    lab.need_bpf()

    def die_and_unpin(agent):
        pins = os.path.join("/sys/fs/bpf", agent.status()["sensor"]["pin_name"])
        time.sleep(6)  # the holder notes a good check of the links every few seconds
        agent.proc.kill()
        agent.proc.wait()
        shutil.rmtree(pins)
        return time.time()

    with lab.Lab() as box:
        server, agent, fill, make_room = cramped_lab(box)
        agent.start("--source", "ebpf")
        wait_stored(server, "process_create", 1)
        first = die_and_unpin(agent)
        time.sleep(2)
        server.stop()  # what it acknowledges makes room, and so does the reserve
        os.unlink(os.path.join(agent.state, "spool", "reserve"))
        fill()
        for _ in range(2):
            agent.start("--source", "ebpf")
            lab.wait_for("the trouble", 10, lambda: "cannot read the sensor" in agent.status()["health"]["text"])
            agent.stop()
        agent.start("--source", "ebpf")
        make_room()
        server.start()
        wait_stored(server, "process_create", 1)
        lab.wait_for("health", 20, lambda: not agent.status()["health"]["degraded"])
        second = die_and_unpin(agent)
        time.sleep(2)
        agent.start("--source", "ebpf")
        lab.wait_for("health", 20, lambda: not agent.status()["health"]["degraded"])
        agent.stop("--sensor")
        rows = server.sql("SELECT from_ts / 1e6 AS a, to_ts / 1e6 AS b FROM coverage_gaps ORDER BY from_ts")
        assert len(rows) == 2, rows
        assert first - 12 <= rows[0]["a"] <= first and first + 1.9 <= rows[0]["b"], (rows, first)
        assert second - 12 <= rows[1]["a"] <= second and second + 1.9 <= rows[1]["b"], (rows, second)
        lab.ledger_adds_up(server)


def test_records_of_an_earlier_sensor_wait_for_room_on_the_disk():
    """A set of programs that cannot be taken over is set aside with what its rings hold."""
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent, fill, make_room = cramped_lab(box)
        agent.start("--source", "ebpf")
        wait_stored(server, "process_create", 1)
        folder = os.path.join("/sys/fs/bpf", agent.status()["sensor"]["pin_name"])
        agent.stop()
        flood("before", 20)
        os.unlink(os.path.join(folder, "link_fork"))
        server.stop()
        fill()
        agent.start("--source", "ebpf")
        time.sleep(4)
        assert agent.status()["health"]["degraded"]
        make_room()
        server.start()
        wait_stored(server, "process_create", 20, "exec_flood before%")
        flood("after", 20)
        wait_stored(server, "process_create", 20, "exec_flood after%")
        lab.wait_for("health", 20, lambda: not agent.status()["health"]["degraded"])
        agent.stop("--sensor")
        rows = lab.ledger_adds_up(server, "stream = 'kernel.critical'")
        assert len(rows) == 2 and all(r["state"] == "closed" for r in rows), rows


def pins(name):
    """What is pinned for the agent and for its recorder."""
    return sorted(n for n in os.listdir("/sys/fs/bpf") if n.startswith((name, "wrec" + name[4:])))


def test_record_leaves_the_unread_records_of_a_stopped_agent_alone():
    with lab.Lab() as box:
        server, agent = live_lab(box)
        name = agent.status()["sensor"]["pin_name"]
        agent.stop()
        assert pins(name) == [name]
        flood("unread", 30)
        capture = os.path.join(box.folder, "x.cap")
        for end in (signal.SIGINT, signal.SIGKILL):
            p = subprocess.Popen([lab.AGENT, "record", "--state", agent.state, capture], stderr=subprocess.PIPE)
            assert b"recording" in p.stderr.readline()
            flood("recorded", 5)
            time.sleep(0.5)
            p.send_signal(end)
            p.wait()
            assert pins(name) == [name] + (["wrec" + name[4:]] if end == signal.SIGKILL else [])
        agent.start("--source", "ebpf")
        assert pins(name) == [name], "what the killed recorder left in the kernel is gone"
        wait_stored(server, "process_create", 30, "exec_flood unread%")
        agent.stop("--sensor")
        lab.ledger_adds_up(server)
        p = subprocess.Popen([lab.AGENT, "record", "--state", agent.state, capture], stderr=subprocess.PIPE)
        assert b"recording" in p.stderr.readline()
        p.kill()
        p.wait()
        assert agent.stop("--sensor").returncode == 0 and pins(name) == []


def test_sensor_is_gone_when_stop_says_so():
    """Also when a plain stop was there first, or the agent was killed before it could answer."""
    with lab.Lab() as box:
        server, agent = live_lab(box)
        name = agent.status()["sensor"]["pin_name"]
        stop = [lab.AGENT, "stop", "--state", agent.state]

        def stops():
            with open(os.path.join(agent.state, "log", "agent.log"), encoding="utf-8") as f:
                return f.read().count("holder.stopping")

        agent.proc.send_signal(signal.SIGSTOP)
        with subprocess.Popen([*stop, "--sensor"]) as p:
            time.sleep(1)  # it waits for the answer
            agent.proc.kill()
            assert p.wait() == 0 and pins(name) == []
        agent.proc.wait()
        agent.start("--source", "ebpf")
        lab.wait_for("events", 20, lambda: agent.status()["lanes"][0]["spooled"] > 0)
        server.stop()  # what is not shipped is waited for
        flood("unshipped", 5)
        before = stops()
        with subprocess.Popen(stop) as p:
            lab.wait_for("the stop to begin", 10, lambda: stops() > before)
            assert lab.run(*stop, "--sensor").returncode == 0 and pins(name) == []
            assert p.wait() == 0
        agent.proc.wait()
        server.start()
        agent.start("--source", "ebpf")
        wait_stored(server, "process_create", 5, "exec_flood unshipped%")
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


def test_names_that_resolve_only_later_are_found():
    """The name service files are replaced by new ones, which a walled-in process cannot open any more."""
    lab.need_bpf()
    with lab.Lab() as box:
        etc = os.path.join(box.folder, "etc")
        lab.run("cp", "-a", "/etc", etc)
        server = box.server(args=("--name", "edr.test"))
        port = server.listen.split(":")[1]
        private = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', etc]

        def hosts(text):
            with open(os.path.join(etc, "hosts.new"), "w", encoding="ascii") as f:
                f.write("127.0.0.1 localhost\n" + text)
            os.rename(os.path.join(etc, "hosts.new"), os.path.join(etc, "hosts"))

        agent = box.agent()
        agent.config(shipper={"max_backoff_secs": 1})
        hosts("127.0.0.1 edr.test\n")
        lab.run(*private, lab.AGENT, "enroll", "--state", agent.state, "--server", "https://edr.test:" + port, "--token",
                "-", "--ca-sha256", server.fingerprint(), stdin=server.token() + "\n")
        hosts("")
        with open(agent.log, "ab") as log:
            agent.proc = subprocess.Popen([*private, lab.AGENT, "run", "--state", agent.state], stdout=log, stderr=log)
        agent.wait_ready()
        lab.wait_for("the server to be unreachable", 20, lambda: agent.status()["server"]["state"] == "unreachable")
        hosts("127.0.0.1 edr.test\n")
        wait_stored(server, "process_create", 1, seconds=30)
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


lab.main()
