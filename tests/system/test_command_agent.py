# SPDX-License-Identifier: Apache-2.0
"""Commands from a person to a real agent and back: a real process ends, what is protected does not, nothing is done twice."""
import ctypes
import json
import os
import sqlite3
import subprocess
import time

import lab
from people_client import House, make_user

MASK = (1 << 64) - 1


def process_key(pid):
    """As the sensor would name it: the start on the boot clock with the number folded in (docs/wire.md)."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        ticks = int(f.read().rsplit(")", 1)[1].split()[19])
    start = ticks * (1000000000 // os.sysconf("SC_CLK_TCK")) + 1000000
    return "%016x" % ((start ^ (pid << 42)) & MASK)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)


class World(House):
    """A server that wants a look every second, one agent without a sensor in the kernel, a responder."""

    def __init__(self):
        super().__init__(fleet={"checkin_interval_s": 30, "command_poll_s": 1})

    def __enter__(self):
        lab.need_root()
        super().__enter__()
        self.agent = self.lab.agent()
        self.agent.enroll(self.server)
        self.agent.start("--source", "proc")
        self.responder = make_user(self.admin, "rita", "responder")
        lab.wait_for("the agent to say what it takes", 30, lambda: self.takes() == ["kill_process", "update_rules"])
        return self

    def takes(self):
        with sqlite3.connect(os.path.join(self.server.data, "state.db")) as db:
            return json.loads(db.execute("SELECT status_json FROM agent").fetchone()[0]).get("commands")

    def send(self, kind, payload=None, **more):
        r = self.responder.post("/endpoints/%s/commands" % self.agent.agent_id, {"type": kind, "payload": payload or {}, **more})
        assert r.status == 201, r
        return r.json["id"]

    def state(self, command):
        return self.responder.get("/commands/" + command).json

    def finished(self, command):
        return lab.wait_for("the command's end", 40, lambda: self.state(command)["state"] not in ("pending", "sent") and
                            self.state(command))

    def kill(self, pid, key=None, **more):
        return self.finished(self.send("kill_process", {"pid": pid, "process_key": key or process_key(pid), **more}))


def sleeper():
    p = subprocess.Popen(["sleep", "600"], preexec_fn=die_with_parent)
    lab.wait_for("sleep", 10, lambda: open("/proc/%d/comm" % p.pid, encoding="ascii").read() == "sleep\n")
    return p


def test_a_process_is_ended_by_a_command_and_both_sides_say_so():
    with World() as w, sleeper() as p:
        began = time.monotonic()
        c = w.send("kill_process", {"pid": p.pid, "process_key": process_key(p.pid)})
        assert p.wait(timeout=40) == -9
        print("             from the request to the process's end: %.2f s" % (time.monotonic() - began))
        done = w.finished(c)
        assert done["state"] == "success", done
        r = done["result"]
        assert r["result"] == "done" and r["pid"] == p.pid and r["action"] == "kill_process", r
        log = [e for e in w.admin.get("/audit").json["items"] if e["object"] == "command:" + c]
        assert [(e["action"], e["actor"]) for e in log] == [("command.success", w.agent.agent_id), ("command.create", "rita")], log


def test_what_is_protected_or_another_process_is_not_ended():
    with World() as w, sleeper() as p:
        own = w.agent.status()["processes"]
        for name in ("holder", "core", "net"):
            r = w.kill(own[name]["pid"])
            assert r["state"] == "failed" and r["result"]["result"] == "protected", (name, r)
        assert w.kill(1)["result"]["result"] == "protected"
        r = w.kill(p.pid, "%016x" % (int(process_key(p.pid), 16) ^ (1 << 36)))  # a minute beside it
        assert r["state"] == "failed" and r["result"]["result"] == "target_gone", r
        r = w.kill(p.pid, boot_id="0123456789abcdef" * 2)
        assert r["state"] == "failed" and r["result"]["result"] == "refused" and "boot" in r["result"]["detail"], r
        assert p.poll() is None and w.agent.status()["processes"]["core"]["pid"] == own["core"]["pid"]
        p.kill()


def test_a_command_is_done_once_also_after_the_agent_began_again():
    """The server forgets that it was answered: what it asks again is told again, and after a restart refused."""
    with World() as w, sleeper() as p:
        c = w.send("kill_process", {"pid": p.pid, "process_key": process_key(p.pid)}, expires_in_seconds=3600)
        first = w.finished(c)
        assert first["state"] == "success"
        forget(w, c)
        again = w.finished(c)
        assert again["state"] == "success" and again["result"] == first["result"], again
        w.agent.stop()
        forget(w, c)
        w.agent.restart()
        r = w.finished(c)
        assert r["state"] == "failed" and r["result"]["result"] == "refused" and "counter" in r["result"]["detail"], r


def forget(w, command):
    with sqlite3.connect(os.path.join(w.server.data, "state.db"), timeout=20) as db:
        assert db.execute("UPDATE command SET state=1, result=NULL WHERE id=?", (command,)).rowcount == 1


def test_update_rules_brings_what_was_published_before_the_next_heartbeat():
    with World() as w:
        lab.wait_for("the first rules", 40, lambda: w.agent.status()["rules"]["serial"] != "0" and w.agent.status())
        before = w.agent.status()["rules"]["serial"]
        lab.run(lab.SERVER, "profile", "set", "default", "min_severity=high", "--data", w.server.data)
        lab.run(lab.SERVER, "rules", "publish", "--data", w.server.data, timeout=120)
        done = w.finished(w.send("update_rules"))
        assert done["state"] == "success" and done["result"]["action"] == "update_rules", done
        lab.wait_for("the newer rules", 20, lambda: w.agent.status()["rules"]["serial"] != before)


lab.main()
