#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the sensor records, as agent.json and the server's profile say it, changed while it runs; what it tells about
itself; and how the agent holds itself back."""
import json
import os
import re
import subprocess

import lab

FLOOD = os.path.join(lab.BUILD, "tests", "system", "exec_flood")


def start(box, **sections):
    """A server whose agents ask for news every second, and one agent with rules."""
    server, agent = box.server({"fleet": {"checkin_interval_s": 1}}), box.agent()
    agent.config(shipper={"max_backoff_secs": 1}, **sections)
    agent.enroll(server)
    agent.start("--source", "ebpf")
    lab.wait_for("rules", 60, lambda: (agent.status() or {"rules": {"serial": "0"}})["rules"]["serial"] != "0")
    return server, agent


def states(server):
    return [json.loads(r["line"])["raw"] for r in server.sql(
        "SELECT raw AS line FROM events WHERE event_type = 'sensor_state' ORDER BY seq")]


def change_user():
    """A process that becomes another user; its pid."""
    code = "import os; os.setuid(12345)"
    p = subprocess.Popen(["/usr/bin/python3", "-c", code])
    assert p.wait() == 0
    return p.pid


def recorded(server, event_type, pid):
    return server.one("SELECT count(*) AS n FROM events WHERE event_type = '%s' AND pid = %d" % (event_type, pid))["n"]


def wait_exit(server, pid):
    """Everything before the end of that process is stored then, on this stream."""
    lab.wait_for("process_terminate", 20, lambda: recorded(server, "process_terminate", pid))


def profile(server, agent, *words):
    """Sets, publishes, and waits until the agent works with it."""
    before = agent.status()["rules"]["serial"]
    lab.run(lab.SERVER, "profile", "set", "default", *words, "--data", server.data)
    lab.run(lab.SERVER, "rules", "publish", "--data", server.data)
    lab.wait_for("the new bundle", 60, lambda: agent.status()["rules"]["serial"] != before)


def test_the_server_knows_which_hooks_are_live_and_why_others_are_not():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = start(box)
        first = lab.wait_for("sensor_state", 20, lambda: states(server))[0]
        sensor = agent.status()["sensor"]
        assert first["source"] == "ebpf" and first["level"] in ("full", "degraded"), first
        assert {"process/exec", "process/fork", "process/exit"} <= set(first["hooks_live"]), first
        assert len(first["hooks_live"]) == sensor["hooks_live"], (first, sensor)
        missing = first.get("hooks_missing", [])
        assert len(missing) == sensor["hooks_missing"] and (first["level"] == "full") == (not missing), (first, sensor)
        assert all(": " in m for m in missing), missing
        assert sensor["governor"] == "full" and sensor["settings_error"] == "", sensor


def test_hooks_that_are_not_wanted_are_not_attached_and_named():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = start(box, agent={"hooks_off": ["compat", "exec", "nonsense"]})
        first = lab.wait_for("sensor_state", 20, lambda: states(server))[0]
        missing = [m for m in first.get("hooks_missing", []) if "switched off" in m]
        assert [m.split(":")[0] for m in missing] == ["compat/compat"], first
        assert "process/exec" in first["hooks_live"], first  # without that one there is no sensor
        warned = re.findall(r"\"event\":\"holder.no_such_hook\",\"name\":\"([^\"]*)\"", open(os.path.join(agent.state, "log", "agent.log"), encoding="utf-8").read())
        assert warned == ["nonsense"], warned


def test_a_profile_changes_what_is_recorded_while_the_sensor_runs():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = start(box)
        epoch = agent.status()["sensor"]["epoch"]
        pid = change_user()
        wait_exit(server, pid)
        assert recorded(server, "credential_change", pid) == 1
        profile(server, agent, "sensor.kinds_off=credential_change")
        pid = change_user()
        wait_exit(server, pid)
        assert recorded(server, "credential_change", pid) == 0
        profile(server, agent, "sensor.kinds_off=")
        pid = change_user()
        wait_exit(server, pid)
        assert recorded(server, "credential_change", pid) == 1
        assert agent.status()["sensor"]["epoch"] == epoch
        lab.wait_for("its own records", 20, lambda: len(states(server)) >= 3)
        reasons = [s["reason"] for s in states(server)]
        assert reasons[1:] == ["the settings changed"] * 2, reasons
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


def write_files(*paths):
    """A process that writes each of them; its pid."""
    p = subprocess.Popen(["/usr/bin/python3", "-c", "import sys\nfor p in sys.argv[1:]: open(p, 'w').close()", *paths])
    assert p.wait() == 0
    return p.pid


def written(server, pid):
    return {r["target_path"]: r["event_type"] for r in server.sql(
        "SELECT target_path, event_type FROM events WHERE pid = %d AND event_type IN ('file_write', 'persistence_write')"
        % pid)}


def test_what_is_excluded_makes_no_bulk_event_and_still_a_critical_one():
    lab.need_bpf()
    cron = "/etc/cron.d/wedr-test-%d" % os.getpid()
    with lab.Lab() as box:
        out, kept = os.path.join(box.folder, "out"), os.path.join(box.folder, "kept")
        os.mkdir(out)
        os.mkdir(kept)
        server, agent = start(box, sensor={"exclude_paths": [out + "/", "/etc/"]})
        try:
            pid = write_files(out + "/a", kept + "/b", cron)
            last = write_files(kept + "/last")  # the bulk stream is there when its newest record is
            lab.wait_for("the last write", 20, lambda: written(server, last))
            wait_exit(server, pid)
            assert written(server, pid) == {kept + "/b": "file_write", cron: "persistence_write"}, written(server, pid)
        finally:
            if os.path.exists(cron):
                os.unlink(cron)


def run_as(pid, path):
    """A process of that number that writes a file; numbers of others come in between now and then."""
    def tried():
        with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as f:
            f.write(str(pid - 1))
        child = os.fork()
        if child == 0:
            if os.getpid() == pid:
                with open(path, "wb") as f:
                    f.write(b"x")
            os._exit(0)
        os.waitpid(child, 0)
        return os.path.exists(path)
    lab.wait_for("the number", 20, tried, every=0)


def test_who_gets_the_number_of_an_agent_that_was_stopped_is_recorded():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = start(box)
        pids = [p["pid"] for p in agent.status()["processes"].values()]
        agent.stop()
        files = [os.path.join(box.folder, "as-%d" % p) for p in pids]
        for pid, path in zip(pids, files):
            run_as(pid, path)
        agent.restart()
        for pid, path in zip(pids, files):
            lab.wait_for("what %d wrote" % pid, 20, lambda: written(server, pid).get(path) == "file_write")
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


def test_above_its_budget_a_process_is_counted_and_not_told_one_by_one():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = start(box, sensor={"budgets": ["file_write:5", "*:0"], "budget_window_ms": 1000})
        paths = [os.path.join(box.folder, "f%d" % i) for i in range(400)]
        pid = write_files(*paths)
        wait_exit(server, pid)

        def accounted():
            told = recorded(server, "file_write", pid)
            held = sum(json.loads(r["line"])["raw"]["count"] for r in server.sql(
                "SELECT raw AS line FROM events WHERE event_type = 'activity_summary' AND pid = %d" % pid))
            return told + held == len(paths) and (told, held)

        told, held = lab.wait_for("told and held back together", 30, accounted)
        assert told < 50 and held > 300, (told, held)
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


def test_the_administrator_of_a_host_can_refuse_what_profiles_say():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = start(box, sensor={"from_profile": False})
        profile(server, agent, "sensor.kinds_off=credential_change")
        pid = change_user()
        wait_exit(server, pid)
        assert recorded(server, "credential_change", pid) == 1


def test_above_its_share_of_the_processor_the_agent_records_less_bulk_and_says_so():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = start(box, sensor={"cpu_percent": 1})
        flood = subprocess.Popen([FLOOD, "governor", "0", "1000000"], stdout=subprocess.DEVNULL)
        lab.wait_for("the governor", 40, lambda: agent.status()["sensor"]["governor"] != "full")
        held = lab.wait_for("its record", 20, lambda: [s for s in states(server) if "budgets" in s["reason"]])
        assert held[0]["level"] == "degraded", held
        flood.kill()
        flood.wait()
        pid = subprocess.Popen(["/bin/true"])
        pid.wait()
        wait_exit(server, pid.pid)  # critical records come all the same
        assert recorded(server, "process_create", pid.pid) == 1


if __name__ == "__main__":
    lab.main()
