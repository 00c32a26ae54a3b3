# SPDX-License-Identifier: Apache-2.0
"""A process among its ancestors and children, out of what detection keeps and out of the events alone."""
import os
import sqlite3

import lab
from people_town import T0, Town, create, ended, ok, pages, stamp


def forget(t):
    """Detection forgets processes; the events do not."""
    t.server.stop()
    db = sqlite3.connect(os.path.join(t.server.data, "state.db"))
    db.execute("DELETE FROM process")
    db.commit()
    db.close()
    t.server.start()
    t.vic.client = type(t.vic.client)(t.server)


def of_another(event):
    """The child of a process that had the same number at another time."""
    event["process"]["parent_key"] = event["raw"]["parent_key"] = "%016x" % 9
    return event


def write(seq, pid):
    """A file that a process wrote: it bears the key of the process, and its pid."""
    key = "%016x" % pid
    raw = {"pid": pid, "process_key": key, "op": "Write", "op_code": 1, "open_flags": 577, "dev": 1, "inode": seq, "uid": 0,
           "target_path": "/var/log/%d" % seq}
    return {"ts": stamp(T0 + seq), "module": "kernel_callback", "event_type": "file_write", "process": {"pid": pid, "key": key, "uid": 0},
            "raw": raw, "source": "kernel", "kind": "FileWrite", "event_version": 7, "seq": seq}


def test_a_process_has_ancestors_children_and_a_timeline():
    with Town() as t:
        made = [lambda s: create(s, 1, 0, "/sbin/init"), lambda s: create(s, 50, 1, "/usr/sbin/sshd"),
                lambda s: create(s, 60, 50, "/bin/bash", "<b>")]
        made += [lambda s, i=i: create(s, 100 + i, 60, "/bin/ls") for i in range(12)]
        made += [lambda s, i=i: create(s, 1000 + i, 999 + i, "/bin/deep") for i in range(40)]
        made += [lambda s, i=i: create(s, 2000 + i, 2000 + (i + 1) % 3, "/bin/circle") for i in range(3)]
        made += [lambda s: create(s, 2500, 2500, "/bin/own"), lambda s: create(s, 2501, 2500, "/bin/child")]
        made += [lambda s, i=i: ended(s, 100 + i) for i in range(12)] + [lambda s: ended(s, 60)]
        t.send(t.red, made)
        path = "/endpoints/%s/processes/%016x" % (t.red.id, 60)

        def known():
            r = t.vic.get(path)
            return r.status == 200 and all(p["ended"] for p in [r.json["process"]] + r.json["children"]) and r.json
        tree = lab.wait_for("the process", 30, known)
        assert tree["process"]["image_path"] == "/bin/bash" and tree["process"]["command_line"] == "bash <b>"
        assert [p["pid"] for p in tree["ancestors"]] == [50, 1]
        assert [p["pid"] for p in tree["children"]] == list(range(100, 112)) and tree["more"] is False
        got, cursor = [], ""
        while cursor is not None:
            page = ok(t.vic.get(path + "?limit=5" + ("&cursor=" + cursor if cursor else "")))
            got += page["children"]
            cursor = page["next"]
            assert page["more"] is (cursor is not None)
        assert got == tree["children"]
        line = pages(t.vic, path + "/timeline", 1)
        assert [e["event_type"] for e in line] == ["process_create", "process_terminate"]
        assert t.vic.get("/endpoints/%s/processes/%016x" % (t.red.id, 999)).status == 404
        assert t.vic.get("/endpoints/%s/processes/nope" % t.red.id).status == 404
        assert t.vic.get("/endpoints/nope/processes/%016x" % 60).status == 404
        forget(t)
        again = ok(t.vic.get(path))
        for p in again["children"] + tree["children"] + [again["process"], tree["process"]]:
            p.pop("ended")
        assert again["children"] == tree["children"], (again, tree)
        assert again["process"] == tree["process"], (again["process"], tree["process"])
        assert [p["pid"] for p in again["ancestors"]] == [50, 1], again
        ancestors = lambda pid: [p["pid"] for p in ok(t.vic.get("/endpoints/%s/processes/%016x" % (t.red.id, pid)))["ancestors"]]
        assert ancestors(1039) == list(range(1038, 1006, -1)), "no more than 32"
        assert ancestors(2000) == [2001, 2002], "a circle ends where it closes"
        assert ancestors(2500) == [] and ancestors(2501) == [2500], "its own parent"


def test_all_children_of_a_daemon_are_found_in_every_block():
    with Town() as t:
        daemon = 77
        t.send(t.red, [lambda s: create(s, 1, 0, "/sbin/init"), lambda s: create(s, daemon, 1, "/usr/sbin/daemon")])
        for n in range(120):  # blocks, and small batches, that all bear the daemon's key
            few = n % 2 == 0
            made = [lambda s, i=i: create(s, 1000 + 5 * n + i, daemon, "/bin/work") for i in range(5)]
            made += [lambda s, i=i: create(s, 100000 + s, 4000 + n, "/bin/other") for i in range(5 if few else 600)]
            made += [lambda s: ended(s, 1000 + 5 * n)]
            t.send(t.red, made)
            t.send(t.red, [lambda s, i=i: write(s, daemon) for i in range(5)], "kernel.bulk")
        t.send(t.red, [lambda s: of_another(create(s, 5555, daemon))])
        forget(t)
        path = "/endpoints/%s/processes/%016x" % (t.red.id, daemon)
        tree = ok(t.vic.get(path + "?limit=1000"))
        assert [p["pid"] for p in tree["children"]] == list(range(1000, 1600)) and tree["more"] is False
        assert tree["process"]["image_path"] == "/usr/sbin/daemon" and [p["pid"] for p in tree["ancestors"]] == [1]
        got, cursor = [], ""
        while cursor is not None:
            page = ok(t.vic.get(path + "?limit=70" + ("&cursor=" + cursor if cursor else "")))
            got += page["children"]
            cursor = page["next"]
        for p in got + tree["children"]:
            p.pop("ended")  # detection may still come to it
        assert got == tree["children"]


def test_more_children_than_are_listed_are_told():
    with Town() as t:
        t.send(t.red, [lambda s: create(s, 1, 0, "/sbin/init"), lambda s: create(s, 2, 1, "/bin/few"), lambda s: create(s, 3, 2)])
        for _ in range(11):
            t.send(t.red, [lambda s: create(s, 100000 + s, 1) for _ in range(2000)])
        path = "/endpoints/%s/processes/" % t.red.id
        many = ok(t.vic.get(path + "%016x?limit=1000" % 1))
        assert len(many["children"]) == 1000 and many["more"] and many["cut"] is True, many["cut"]
        few = ok(t.vic.get(path + "%016x" % 2))
        assert [p["pid"] for p in few["children"]] == [3] and few["cut"] is False, few


lab.main()
