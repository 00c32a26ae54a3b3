#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the sensor records, as agent.json and the server's profile say it, changed while it runs; what it tells about
itself; and how the agent holds itself back."""
import json
import os
import subprocess

import lab

FLOOD = os.path.join(lab.BUILD, "tests", "system", "exec_flood")


def start(box, **sections):
    """A server whose agents ask for news every second, and one agent with rules."""
    config = os.path.join(box.folder, "server.json")
    with open(config, "w", encoding="utf-8") as f:
        json.dump({"fleet": {"checkin_interval_s": 1}}, f)
    server, agent = box.server(args=("--config", config)), box.agent()
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
        assert [s["reason"] for s in states(server)][1:] == ["the settings changed"] * 2
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
