#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The agent on a host that refuses BPF: it watches with what is left, says what it cannot see, and accounts for what it
loses."""
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import time

import lab

WITHOUT_BPF = ("setpriv", "--bounding-set", "-bpf,-perfmon,-sys_admin")
WATCHED = "/etc/profile.d"


def need_connector():
    """doctor asks the kernel; its line on source proc stands there when BPF is refused, so it is asked for that case."""
    lab.need_root()
    out = lab.run(*WITHOUT_BPF, lab.AGENT, "doctor", "--state", "/", check=False).stdout
    if "limit   source proc    the process connector works" not in out:
        raise lab.Skip("the kernel has no process connector for us")
    return out


def start(box, *args, before=()):
    server, agent = box.server(), box.agent(before=before)
    agent.config(shipper={"max_backoff_secs": 1}, control={"heartbeat_interval_secs": 1})
    agent.enroll(server)
    agent.start(*args)
    lab.wait_for("the inventory", 20, lambda: stored(server, "event_type = 'process_create'") > 5)
    return server, agent


def stored(server, where):
    return server.one("SELECT count(*) AS n FROM events WHERE " + where)["n"]


def raw(server, where):
    return [json.loads(r["line"])["raw"] for r in server.sql(
        "SELECT raw AS line FROM events WHERE %s ORDER BY seq" % where)]


def heartbeat(server):
    """What the server keeps of the last one."""
    path = os.path.join(server.data, "state.db")
    with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % path, uri=True)) as db:
        return " ".join(text for text, in db.execute("SELECT status_json FROM agent"))


def run_marked(mark):
    """A program that stays until it was read about; its pid."""
    p = subprocess.Popen(["/bin/sleep", "1", "0." + mark])
    assert p.wait() == 0
    return p.pid


def wait_marked(server, mark):
    where = "event_type = 'process_create' AND command_line LIKE '%%0.%s'" % mark
    lab.wait_for("the program " + mark, 20, lambda: stored(server, where))
    return raw(server, where)


def test_programs_arrive_and_the_inventory_is_marked():
    need_connector()
    with lab.Lab() as box:
        server, agent = start(box, "--source", "proc")
        pid = run_marked("0042")
        event, = wait_marked(server, "0042")
        assert event["pid"] == pid and event["image_path"].endswith("/sleep"), event
        assert event["parent_pid"] == os.getpid() and not event.get("existing"), event
        existing = raw(server, "event_type = 'process_create' AND pid = %d" % os.getpid())
        assert [e["existing"] for e in existing] == [True], existing
        assert existing[0]["process_key"] == event["parent_key"], (existing, event)
        lab.wait_for("its end", 20, lambda: stored(server, "event_type = 'process_terminate' AND pid = %d" % pid))


def test_degraded_is_said_with_its_blind_spots_in_status_heartbeat_doctor_and_event():
    need_connector()
    with lab.Lab() as box:
        server, agent = start(box, "--source", "proc")
        status = agent.status()
        assert status["sensor"]["source"] == "proc" and status["sensor"]["attached"], status["sensor"]
        assert status["health"]["degraded"] and "without BPF" in status["health"]["text"], status["health"]
        state = lab.wait_for("sensor_state", 20, lambda: raw(server, "event_type = 'sensor_state'"))[0]
        assert (state["source"], state["level"]) == ("proc", "degraded"), state
        assert any("network" in m for m in state["hooks_missing"]), state
        doctor = lab.run(lab.AGENT, "doctor", "--state", agent.state, check=False).stdout
        assert "not seen without BPF: network" in doctor, doctor
        lab.wait_for("a heartbeat that says so", 20, lambda: "without BPF" in heartbeat(server))


def test_refused_bpf_falls_back_by_itself_and_says_why():
    doctor = need_connector()
    assert "BROKEN  rights" in doctor and "not seen without BPF" in doctor, doctor
    with lab.Lab() as box:
        server, agent = start(box, before=WITHOUT_BPF)
        status = agent.status()
        assert status["sensor"]["source"] == "proc", status["sensor"]
        assert "without BPF" in status["health"]["text"] and "CAP_BPF" in status["health"]["text"], status["health"]
        run_marked("0043")
        wait_marked(server, "0043")


def test_source_ebpf_does_not_fall_back():
    need_connector()
    with lab.Lab() as box:
        server, agent = box.server(), box.agent(before=WITHOUT_BPF)
        agent.enroll(server)
        agent.start("--source", "ebpf")
        time.sleep(1)
        sensor = agent.status()["sensor"]
        assert not sensor["attached"] and sensor["source"] in ("", "none"), sensor


def test_write_to_a_place_that_code_is_started_from_is_persistence():
    need_connector()
    path = os.path.join(WATCHED, "wedr-test-%d.sh" % os.getpid())
    with lab.Lab() as box:
        server, agent = start(box, "--source", "proc")
        try:
            with open(path, "w", encoding="ascii") as f:
                f.write("true\n")
        finally:
            os.unlink(path)
        where = "event_type = 'persistence_write' AND target_path = '%s'" % path
        lab.wait_for("the write", 20, lambda: {e["op"] for e in raw(server, where)} >= {"Create", "Write", "Delete"})
        for e in raw(server, where):
            assert (e["pid"], e["mechanism"], e["uid"]) == (os.getpid(), "shell_profile", 0), e
        with open(os.path.join(box.folder, "neighbour.sh"), "w", encoding="ascii") as f:
            f.write("true\n")
        run_marked("0044")
        wait_marked(server, "0044")
        assert stored(server, "event_type = 'persistence_write' AND target_path LIKE '%neighbour.sh'") == 0


def test_core_that_is_killed_takes_the_same_epoch_on_and_nothing_is_missing():
    need_connector()
    with lab.Lab() as box:
        server, agent = start(box, "--source", "proc")
        epoch = agent.status()["sensor"]["epoch"]
        run_marked("0045")
        os.kill(agent.status()["processes"]["core"]["pid"], signal.SIGKILL)
        run_marked("0046")
        wait_marked(server, "0045")
        wait_marked(server, "0046")
        assert agent.status()["sensor"]["epoch"] == epoch
        agent.stop()
        rows = lab.ledger_adds_up(server, "stream LIKE 'kernel.%%' AND epoch = '%s'" % epoch)
        assert rows and all(r["lost"] == 0 for r in rows), rows


def test_stop_ends_the_epoch_and_the_time_without_is_a_gap():
    need_connector()
    with lab.Lab() as box:
        server, agent = start(box, "--source", "proc")
        epoch = agent.status()["sensor"]["epoch"]
        agent.stop()
        lab.wait_for("the end of the epoch", 20, lambda: [e for e in raw(server, "event_type = 'epoch_end'")
                                                           if e["stream"] == "kernel.critical"])
        agent.restart()
        gap = lab.wait_for("the gap", 20, lambda: raw(server, "event_type = 'coverage_gap'"))[0]
        assert gap["reason"] == "sensor_stopped" and gap["from"] < gap["to"], gap
        assert agent.status()["sensor"]["epoch"] != epoch


if __name__ == "__main__":
    lab.main()
