#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Rules at work in a running agent: from a process to the alert on the server, through crashes and exchanges of rules;
what may be ended and what may not."""
import ctypes
import datetime
import glob
import json
import os
import signal
import socket
import sqlite3
import struct
import subprocess
import time

import lab

MAKE_BUNDLE = os.path.join(lab.BUILD, "tests", "system", "make_bundle")
FLOOD = os.path.join(lab.BUILD, "tests", "system", "exec_flood")
LOG, ALERT, KILL = 1, 2, 4
KILL_ALLOWED = 1
MSG_RULES_FETCHED = 405


def bundle(box, text, serial=None, policy=0, actions=ALERT, key="key", name="bundle"):
    """(path, public key) of a signed bundle of one rule: the command line contains text."""
    path = os.path.join(box.folder, name)
    out = lab.run(MAKE_BUNDLE, os.path.join(box.folder, key), path, str(serial or int(time.time() * 1e6)), str(policy),
                  str(actions), text)
    return path, out.stdout.strip()


def start(box, path, key, source="ebpf", **sections):
    server, agent = box.server(), box.agent()
    agent.config(shipper={"max_backoff_secs": 1}, **sections)
    agent.enroll(server)
    agent.start("--source", source, "--rules-bundle", path, "--rules-key", key)
    lab.wait_for("rules", 20, lambda: (agent.status() or {"rules": {"serial": "0"}})["rules"]["serial"] != "0")
    return server, agent


def lines(server, event_type):
    return [json.loads(r["line"]) for r in server.sql(
        "SELECT raw AS line FROM events WHERE event_type = '%s' ORDER BY seq" % event_type)]


def alerts(server):
    return lines(server, "alert")


def sleeper(mark):
    """A process of our own whose command line has the mark."""
    return subprocess.Popen(["bash", "-c", "exec -a %s sleep 300" % mark])


def show(mark):
    """The same for a moment: it is ended when it is seen to run."""
    with sleeper(mark) as p:
        lab.wait_for("the program to run", 10, lambda: open("/proc/%d/comm" % p.pid).read() == "sleep\n")
        p.kill()


def micros(text):
    at = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
    return (at - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(microseconds=1)


def delays(server):
    """Seconds from the kernel's time of the event to the moment when the server had stored the alert."""
    stored, batches = alerts(server), []  # in this order: more may come in between
    for path in glob.glob(os.path.join(server.data, "events", "[0-9]*.db")):
        with sqlite3.connect(path) as db:
            batches += db.execute("SELECT seq0, seq1, received_at FROM batch WHERE stream = 'alert'").fetchall()
    found = []
    for a in stored:
        at = [r for first, last, r in batches if first <= a["seq"] <= last]
        found.append((at[0] - micros(a["raw"]["event_time"])) / 1e6)
    return found


def wait_alerts(server, count, seconds=20):
    return lab.wait_for("%d alerts" % count, seconds, lambda: (lambda a: len(a) >= count and a)(alerts(server)))


def test_process_raises_an_alert_with_evidence_and_ancestry_on_the_server():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = start(box, *bundle(box, "wedr-mark-one"))
        p = sleeper("wedr-mark-one")
        raw = wait_alerts(server, 1)[0]["raw"]
        assert raw["rule_id"] == "test-rule" and raw["severity"] == "high", raw
        assert raw["pid"] == p.pid and "wedr-mark-one" in raw["command_line"], raw
        event = raw["evidence"][-1]["event"]
        assert event["raw"]["pid"] == p.pid and event["event_type"] == "process_create", event
        chain = [a["pid"] for a in raw["ancestry"]]
        assert chain[0] == p.pid and os.getpid() in chain, chain
        assert raw["matched"][0]["field"] == "CommandLine", raw["matched"]
        p.kill()
        p.wait()
        status = lab.wait_for("the counters", 5, lambda: (lambda r: r["alerts"] >= 1 and r)(agent.status()["rules"]))
        assert status["matched"] >= status["alerts"] and status["rules"] == 1, status
        agent.stop("--sensor")
        lab.ledger_adds_up(server)
        assert lab.ledger(server, "stream = 'alert'"), "the ledger knows the stream"


def test_an_event_is_an_alert_on_the_server_at_once():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = start(box, *bundle(box, "wedr-mark-time"))
        for i in range(100):
            lab.run("bash", "-c", "exec -a wedr-mark-time-%d /bin/true" % i)
            time.sleep(0.03)
        wait_alerts(server, 100)
        late = sorted(delays(server))
        print("event to alert on the server: p50 %.0f ms, p99 %.0f ms, %d alerts"
              % (late[len(late) // 2] * 1e3, late[len(late) * 99 // 100] * 1e3, len(late)))
        assert late[len(late) // 2] < 1.0 * lab.SLOW, late  # the median: others on the machine do not move it
        agent.stop("--sensor")


def test_core_killed_again_and_again_loses_and_doubles_no_alert():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = start(box, *bundle(box, "wedr-crash-"))
        flood = subprocess.Popen([FLOOD, "wedr-crash", "0", "900", "6000"])
        deaths = 0
        while flood.poll() is None:
            time.sleep(0.15)
            status = agent.status()
            pid = status and status["processes"]["core"]["pid"]
            if pid:
                os.kill(pid, signal.SIGKILL)
                deaths += 1
        flood.wait()
        agent.wait_ready()
        found = {}

        def of_flood():  # the statements of this test name the mark too
            return [a for a in alerts(server) if a["raw"]["image_path"].endswith("exec_flood")]

        def settled():
            want = server.one("SELECT COUNT(*) AS n FROM events WHERE event_type = 'process_create' AND command_line LIKE "
                              "'%exec_flood wedr-crash-%' AND process_path LIKE '%exec_flood'")["n"]
            found.update(want=want, ids=len({a["raw"]["alert_id"] for a in of_flood()}))
            return want >= 900 and found["ids"] >= want
        lab.wait_for("an alert for each process", 60, settled, every=0.5)
        assert deaths >= 3, deaths
        assert found["ids"] == found["want"], found
        seen = {}
        for a in of_flood():
            e = a["raw"]["evidence"][-1]
            key = (e["epoch"], e["stream"], e["seq"])
            assert seen.setdefault(a["raw"]["alert_id"], key) == key, "one id, one event"
        print("core died %d times: %d alerts in %d lines" % (deaths, found["ids"], len(of_flood())))
        agent.stop("--sensor")


def responses(server, count, seconds=20):
    return lab.wait_for("%d responses" % count, seconds,
                        lambda: (lambda a: len(a) >= count and a)(lines(server, "response")))


def test_rule_ends_a_real_process_and_says_so_when_it_has_ended():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = start(box, *bundle(box, "wedr-mark-kill", policy=KILL_ALLOWED, actions=ALERT | KILL))
        p = sleeper("wedr-mark-kill")
        assert p.wait(timeout=20) == -signal.SIGKILL
        raw = responses(server, 1)[-1]["raw"]
        assert raw["result"] == "done" and raw["pid"] == p.pid, raw
        assert raw["alert_id"] in {a["raw"]["alert_id"] for a in alerts(server)}
        assert agent.status()["rules"]["kill_allowed"]
        agent.stop("--sensor")


def test_forty_processes_that_come_at_once_are_all_ended():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = start(box, *bundle(box, "wedr-mark-many", policy=KILL_ALLOWED, actions=ALERT | KILL))
        many = [sleeper("wedr-mark-many") for _ in range(40)]
        for p in many:
            assert p.wait(timeout=20) == -signal.SIGKILL
        assert [a["raw"]["result"] for a in responses(server, 40) if a["raw"]["result"] == "failed"] == []
        agent.stop("--sensor")


def test_rules_on_which_core_crashes_again_and_again_are_given_up_and_events_go_on():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = start(box, *bundle(box, "wedr-mark-crash"))
        for _ in range(3):
            status = lab.wait_for("rules at work", 20, lambda: (
                lambda s: s and s["processes"]["core"]["pid"] and s["rules"]["serial"] != "0" and s)(agent.status()))
            os.kill(status["processes"]["core"]["pid"], signal.SIGABRT)  # a sanitizer would take long over SIGSEGV
            lab.wait_for("its end", 10, lambda: (
                lambda s: s and s["processes"]["core"]["pid"] != status["processes"]["core"]["pid"])(agent.status()))
        status = lab.wait_for("the reason", 20, lambda: (lambda s: s and s["rules"]["error"] and s)(agent.status()))
        assert "goes without" in status["rules"]["error"] and status["health"]["degraded"], status["rules"]
        agent.wait_ready()
        assert serial_of(agent) == 0
        show("wedr-mark-crash")
        lab.wait_for("events", 20, lambda: server.one(
            "SELECT COUNT(*) AS n FROM events WHERE event_type = 'process_create' AND command_line LIKE "
            "'%wedr-mark-crash%'")["n"] > 0)
        assert not alerts(server)
        agent.stop("--sensor")


def test_policy_that_does_not_allow_it_ends_nothing():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = start(box, *bundle(box, "wedr-mark-spare", actions=ALERT | KILL))
        p = sleeper("wedr-mark-spare")
        raw = responses(server, 1)[-1]["raw"]
        assert raw["result"] == "refused_by_policy", raw
        assert p.poll() is None
        p.kill()
        p.wait()
        agent.stop("--sensor")


def test_agents_own_program_is_never_ended():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = start(box, *bundle(box, "wedr-mark-own", policy=KILL_ALLOWED, actions=ALERT | KILL))
        # Not through a shell: its own command line would bear the mark, and it may be ended.
        subprocess.run(["wedr-mark-own", "status", "--state", "/nonexistent"], executable=lab.AGENT, check=False,
                       capture_output=True)
        raw = responses(server, 1)[-1]["raw"]
        assert raw["result"] in ("protected", "target_gone"), raw
        assert agent.status()
        agent.stop("--sensor")


def test_bundle_that_is_not_genuine_is_refused_and_events_go_on():
    lab.need_bpf()
    with lab.Lab() as box:
        path, _ = bundle(box, "wedr-mark-forged")
        _, other = bundle(box, "x", key="other", name="unused")
        server, agent = box.server(), box.agent()
        agent.enroll(server)
        agent.start("--source", "ebpf", "--rules-bundle", path, "--rules-key", other)
        status = lab.wait_for("the refusal", 20, lambda: (lambda s: s and s["rules"]["error"] and s)(agent.status()))
        assert status["rules"]["serial"] == "0" and status["health"]["degraded"], status["rules"]
        show("wedr-mark-forged")
        lab.wait_for("events", 20, lambda: server.one(
            "SELECT COUNT(*) AS n FROM events WHERE event_type = 'process_create' AND command_line LIKE "
            "'%wedr-mark-forged%'")["n"] > 0)
        assert not alerts(server)
        agent.stop("--sensor")


RULE = """title: mark {0}
id: 00000000-0000-4000-8000-{0:012d}
status: test
level: high
logsource: {{product: linux, category: process_creation}}
detection: {{selection: {{CommandLine|contains: {1}}}, condition: selection}}
"""


def publish(server, box, *rules):
    """Stores the rules on the server and makes bundles of them."""
    for number, mark in rules:
        path = os.path.join(box.folder, "rule%d.yml" % number)
        with open(path, "w", encoding="utf-8") as f:
            f.write(RULE.format(number, mark))
        lab.run(lab.SERVER, "rules", "add", "--data", server.data, path)
    lab.run(lab.SERVER, "rules", "publish", "--data", server.data)


def quick_server(box):
    """One whose agents ask for news every second."""
    return box.server({"fleet": {"checkin_interval_s": 1}})


def damage(path):
    with open(path, "r+b") as f:
        f.seek(200)
        f.write(b"damage")


def serial_of(agent):
    return int((agent.status() or {"rules": {"serial": "0"}})["rules"]["serial"])


def test_rules_reach_a_running_agent_from_the_server_and_are_exchanged_while_events_come():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = quick_server(box), box.agent()
        publish(server, box, (1, "wedr-mark-a"))
        agent.enroll(server)
        agent.start("--source", "ebpf")
        first = lab.wait_for("the first rules", 40, lambda: serial_of(agent))
        stored = os.path.join(agent.state, "identity", "rules.bundle")
        assert os.stat(stored).st_mode & 0o777 == 0o600
        show("wedr-mark-a")
        lab.wait_for("an alert of the first rule", 20,
                     lambda: any(a["raw"]["rule_title"] == "mark 1" for a in alerts(server)))
        publish(server, box, (2, "wedr-mark-b"))
        lab.wait_for("newer rules", 60, lambda: serial_of(agent) > first)
        show("wedr-mark-b")
        lab.wait_for("an alert of the new rule", 20,
                     lambda: any(a["raw"]["rule_title"] == "mark 2" for a in alerts(server)))
        # Another run begins with what is stored, before it has heard of the server.
        agent.stop()
        agent.start("--source", "ebpf")
        serial = lab.wait_for("the stored rules", 10, lambda: serial_of(agent))
        assert serial > first
        # A damaged file is noticed; the server's copy heals it, at a start and when core begins anew.
        agent.stop()
        damage(stored)
        agent.start("--source", "ebpf")
        lab.wait_for("rules again", 60, lambda: serial_of(agent) == serial)
        damage(stored)
        os.kill(agent.status()["processes"]["core"]["pid"], signal.SIGKILL)
        lab.wait_for("the damage", 10, lambda: agent.status()["rules"]["error"])
        lab.wait_for("rules once more", 60, lambda: serial_of(agent) == serial)
        assert not agent.status()["rules"]["error"]
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


def test_rules_that_could_not_be_stored_for_a_while_are_fetched_again():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = quick_server(box), box.agent()
        publish(server, box, (1, "wedr-mark-a"))
        agent.enroll(server)
        blocked = os.path.join(agent.state, "identity", "rules.new")
        os.mkdir(blocked)
        agent.start("--source", "ebpf")
        error = lab.wait_for("the trouble", 40, lambda: (agent.status() or {"rules": {"error": ""}})["rules"]["error"])
        assert "cannot be stored" in error, error
        os.rmdir(blocked)
        lab.wait_for("rules", 60, lambda: serial_of(agent))
        assert not agent.status()["rules"]["error"]
        agent.stop("--sensor")


def bring(agent, data):
    """What a net process that somebody took over would do: its memory for rules, its channel to the holder."""
    net = agent.status()["processes"]["net"]["pid"]
    folder = "/proc/%d/fd" % net
    files = [n for n in os.listdir(folder) if "memfd:rules" in os.readlink(os.path.join(folder, n))]
    assert len(files) == 1, files
    fd = os.open(os.path.join(folder, files[0]), os.O_RDWR)
    os.pwrite(fd, data, 0)
    os.close(fd)
    text = struct.pack("<HHII32s", 1, MSG_RULES_FETCHED, 44, len(data), b"\1" * 32)
    for s in agent_channels(net):
        try:
            s.send(text)
            time.sleep(0.3)  # core has net ended for it: not before the holder has read its own
        except BrokenPipeError:
            pass  # core has ended the channel for what it got before; the holder's is the other one


def agent_channels(pid):
    """The ends that process pid has of its channels to other processes of the agent, as if this were its code."""
    libc, pidfd, found = ctypes.CDLL(None, use_errno=True), os.pidfd_open(pid), []
    for name in sorted(os.listdir("/proc/%d/fd" % pid), key=int, reverse=True):  # the holder's first
        fd = libc.syscall(438, pidfd, int(name), 0)  # pidfd_getfd
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


def test_net_that_was_taken_over_brings_no_rules_of_its_own_and_no_old_ones():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = quick_server(box), box.agent()
        agent.enroll(server)
        agent.start("--source", "ebpf")
        serial = lab.wait_for("the rules of the server", 40, lambda: serial_of(agent))
        stored = os.path.join(agent.state, "identity", "rules.bundle")
        with open(stored, "rb") as f:
            genuine = f.read()
        path, _ = bundle(box, "wedr-mark-net", policy=KILL_ALLOWED, actions=ALERT | KILL, serial=serial + 10 ** 9)
        with open(path, "rb") as f:
            forged = f.read()
        changed = bytearray(genuine)
        changed[len(changed) // 2] ^= 1
        for data in (forged, bytes(changed), genuine[:-1]):
            time.sleep(5.5)  # the holder looks at one in 5 s
            bring(agent, data)
            status = lab.wait_for("the refusal", 10, lambda: (
                lambda s: s and s["rules"]["error"] and s["health"]["degraded"] and s)(agent.status()))
            assert status["rules"]["serial"] == str(serial), status["rules"]
            assert not status["rules"]["kill_allowed"]
        with open(stored, "rb") as f:
            assert f.read() == genuine
        assert not os.path.exists(stored.replace("bundle", "new"))
        publish(server, box, (9, "wedr-mark-later"))
        lab.wait_for("newer rules", 100, lambda: serial_of(agent) > serial)
        lab.wait_for("no trouble any more", 10, lambda: not agent.status()["rules"]["error"])
        time.sleep(5.5)
        bring(agent, genuine)
        lab.wait_for("the refusal of the old ones", 10, lambda: "older" in agent.status()["rules"]["error"])
        assert serial_of(agent) > serial
        agent.stop("--sensor")


def test_an_agent_without_rules_works_as_ever():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = box.server(), box.agent()
        agent.enroll(server)
        lab.run(lab.SERVER, "profile", "set", "default", "rules=none", "--data", server.data)
        lab.run(lab.SERVER, "rules", "publish", "--data", server.data)
        agent.start("--source", "ebpf")
        lab.wait_for("events", 20, lambda: server.one("SELECT COUNT(*) AS n FROM events")["n"] > 0)
        assert not alerts(server)
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


# These wait for the pauses between two downloads, up to a minute: ./test --full runs them.
if not lab.FULL:
    del test_net_that_was_taken_over_brings_no_rules_of_its_own_and_no_old_ones
    del test_rules_that_could_not_be_stored_for_a_while_are_fetched_again

if __name__ == "__main__":
    lab.main()
