#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_wedrctl.py WEDRCTL: what the program does without a server: usage, files it keeps, texts made of its tables."""
import json
import os
import pty
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", "..", "..", ".."))
TOOL = os.path.abspath(sys.argv[1])
GOOD = {"url": "https://127.0.0.1:1", "ca_sha256": "0" * 64, "user": "ana", "token": "wedr_" + "0" * 64, "token_id": "1",
        "expires": "", "proxy": ""}


class Box:
    """A home of its own."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="wedrctl-")
        self.env = {"HOME": self.folder, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        self.keep = os.path.join(self.folder, ".config", "wedr", "wedrctl")

    def run(self, *args, stdin="", env=None):
        p = subprocess.run([TOOL, *args], input=stdin, capture_output=True, text=True, timeout=60, env={**self.env, **(env or {})},
                           start_new_session=True)  # no terminal to ask at
        return p.returncode, p.stdout, p.stderr

    def put(self, name="default", mode=0o600, **more):
        os.makedirs(self.keep, mode=0o700, exist_ok=True)
        path = os.path.join(self.keep, name + ".json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump({**GOOD, **more}, f)
        os.chmod(path, mode)
        return path


def commands(box):
    """{name: its options} as the help tells them."""
    code, out, _ = box.run("help")
    assert code == 0, out
    found = {}
    for line in out.splitlines():
        m = re.match(r"  ([a-z-]+(?: [a-z][a-z-]+)?)(?= |$)", line)
        if m:
            name = m.group(1)
            code, text, _ = box.run(*name.split(), "--help")
            assert code == 0 and text.startswith("wedrctl " + name), (name, text)
            found[name] = re.findall(r"^  --([a-z0-9-]+)", text, re.M)
    assert len(found) > 30, found
    return found


def test_help_page_and_table_agree(box):
    code, page, _ = box.run("help", "--mdoc")
    with open(os.path.join(ROOT, "docs", "man", "wedrctl.1"), encoding="utf-8") as f:
        assert code == 0 and f.read() == page, "docs/man/wedrctl.1: make it again with wedrctl help --mdoc"
    with open(os.path.join(ROOT, "docs", "wedrctl.md"), encoding="utf-8") as f:
        document = f.read()
    for name, options in commands(box).items():
        assert "\n.It Cm %s" % name in page, name
        assert re.search(r"`%s[ `]" % name.replace(" list", "(?: list)?"), document), "docs/wedrctl.md lacks " + name
        for option in options:
            assert ".It Fl Fl %s" % option in page, option
    if shutil.which("mandoc"):
        p = subprocess.run(["mandoc", "-Tlint", "-Wwarning"], input=page, capture_output=True, text=True)
        assert p.returncode == 0, p.stdout
    if shutil.which("groff"):
        p = subprocess.run(["groff", "-mandoc", "-Tutf8", "-ww"], input=page, capture_output=True, text=True)
        assert p.returncode == 0 and not p.stderr and "SYNOPSIS" in re.sub(".\b", "", p.stdout), p.stderr


def complete(box, line):
    """What bash offers at the end of the line."""
    _, script, _ = box.run("completion", "bash")
    words = line.split(" ")
    probe = script + "\nCOMP_WORDS=(%s)\nCOMP_CWORD=%d\n_wedrctl\nprintf '%%s\\n' \"${COMPREPLY[@]}\"\n" % (
        " ".join("'%s'" % w for w in words), len(words) - 1)
    p = subprocess.run(["bash", "-c", probe], capture_output=True, text=True, env=box.env)
    assert p.returncode == 0 and not p.stderr, p.stderr
    return p.stdout.split()


def test_bash_completes_commands_options_and_values(box):
    known = commands(box)
    assert set(complete(box, "wedrctl ")) == {n.split()[0] for n in known}
    assert complete(box, "wedrctl endp") == ["endpoints"]
    assert complete(box, "wedrctl alerts s") == ["show", "set"]
    assert complete(box, "wedrctl alerts set 7 --state c") == ["closed"]
    assert complete(box, "wedrctl completion z") == ["zsh"]
    for name, options in known.items():
        got = complete(box, "wedrctl %s --" % name)
        assert got == ["--" + o for o in options] + ["--help"], (name, got)
    assert "--follow" in complete(box, "wedrctl alerts --")
    if shutil.which("zsh"):
        _, script, _ = box.run("completion", "zsh")
        assert subprocess.run(["zsh", "-n"], input=script, text=True).returncode == 0


def test_usage_is_exit_2_and_one_line(box):
    for args in ([], ["nonsense"], ["alerts", "nonsense"], ["events", "--limit", "x"], ["user", "create", "ana"],
                 ["alerts", "set", "7"], ["completion", "fish"], ["events", "--role", "x"], ["tail", "x"],
                 ["events", "--follow", "--pid", "1"], ["user", "set", "ana", "--enable", "--disable"],
                 ["status", "--context", "../x"], ["sql", ""], ["help", "nonsense"]):
        code, out, err = box.run(*args)
        assert code == 2 and not out and err.startswith("wedrctl: ") and err.count("\n") == 1, (args, code, out, err)


def test_nobody_signed_in_is_exit_3(box):
    for args in (["status"], ["events"], ["logout"], ["status", "--context", "prod"]):
        code, out, err = box.run(*args)
        assert code == 3 and not out and "wedrctl login" in err, (args, code, err)
    box.put(token="")
    assert box.run("status")[0] == 3
    code, _, err = box.run("status", env={"WEDR_CONTEXT": "lab"})
    assert code == 3 and '"lab"' in err, err


def test_files_that_others_may_touch_are_refused(box):
    path = box.put(mode=0o644)
    code, _, err = box.run("status")
    assert code == 1 and "chmod 600" in err, (code, err)
    os.unlink(path)
    real = os.path.join(box.folder, "elsewhere.json")
    os.replace(box.put(), real)
    os.symlink(real, path)
    code, _, err = box.run("status")
    assert code == 1 and "permission denied" in err, (code, err)
    os.unlink(path)
    os.mkfifo(path, 0o600)
    assert box.run("status")[0] == 1
    os.unlink(path)
    shutil.move(box.keep, box.keep + ".moved")
    os.symlink(box.keep + ".moved", box.keep)
    assert box.run("status")[0] == 1


def test_a_damaged_file_is_no_login(box):
    path = box.put()
    for text in ("", "{", "[]", '{"url": 1}', json.dumps({**GOOD, "token": "x" * 200}), json.dumps({**GOOD, "url": "a\0b"}),
                 "x" * 20000):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        code, _, err = box.run("status")
        assert code == 1 and err.count("\n") == 1, (text[:30], code, err)


def test_login_needs_the_fingerprint_before_anything(box):
    code, _, err = box.run("login", "https://127.0.0.1:1", "--user", "ana", "--password-file", "-", stdin="secret\n")
    assert code == 2 and "--ca-sha256" in err, err
    for pin in ("00", "g" * 64, "0" * 63):
        assert box.run("login", "https://127.0.0.1:1", "--ca-sha256", pin)[0] == 2
    for url in ("http://127.0.0.1:1", "127.0.0.1", "https://a@b", "https://127.0.0.1:1/x"):
        code, _, err = box.run("login", url, "--ca-sha256", "0" * 64, "--user", "a", "--password-file", "-", stdin="s\n")
        assert code == 2 and "https://" in err, (url, err)
    assert not os.path.exists(os.path.join(box.keep, "default.json"))


def test_an_unreachable_server_is_exit_1(box):
    box.put()
    code, out, err = box.run("status")
    assert code == 1 and not out and "https://127.0.0.1:1" in err and GOOD["token"] not in err, err
    assert stat.S_IMODE(os.stat(box.keep).st_mode) == 0o700


def test_a_password_is_not_shown_while_typed(box):
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(TOOL, [TOOL, "login", "https://127.0.0.1:1", "--ca-sha256", "0" * 64, "--user", "ana"], box.env)
    seen = b""
    while b"Password: " not in seen:
        seen += os.read(fd, 1024)
    os.write(fd, b"wrong\x15hunter2\x7f2\r")
    try:
        while True:
            piece = os.read(fd, 1024)
            if not piece:
                break
            seen += piece
    except OSError:
        pass
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    assert os.waitstatus_to_exitcode(status) == 1 and b"hunter" not in seen and b"127.0.0.1" in seen, seen


def test_control_c_at_the_password_ends_it_and_leaves_the_terminal_as_it_was(box):
    import termios
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    script = "import os,sys;os.setsid();import fcntl,termios;fcntl.ioctl(0,termios.TIOCSCTTY,0);os.execv(sys.argv[1],sys.argv[1:])"
    p = subprocess.Popen([sys.executable, "-c", script, TOOL, "login", "https://127.0.0.1:1", "--ca-sha256", "0" * 64,
                          "--user", "ana"], stdin=slave, stdout=slave, stderr=slave, env=box.env)
    seen = b""
    while b"Password: " not in seen:
        seen += os.read(master, 1024)
    while termios.tcgetattr(slave)[3] & termios.ECHO:
        pass
    os.write(master, b"abc\x03")
    assert p.wait(timeout=30) == 1
    assert termios.tcgetattr(slave)[3] == before[3]
    os.close(master)
    os.close(slave)


def main():
    tests = [(n, f) for n, f in sorted(globals().items()) if n.startswith("test_")]
    print("[==========] Running %d test(s)." % len(tests))
    failed = 0
    for name, function in tests:
        print("[ RUN      ] " + name, flush=True)
        box = Box()
        try:
            function(box)
            print("[       OK ] " + name, flush=True)
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc(file=sys.stdout)
            print("[  FAILED  ] " + name, flush=True)
            failed += 1
        shutil.rmtree(box.folder, ignore_errors=True)
    print("[==========] %d test(s) run." % len(tests))
    print("[  PASSED  ] %d test(s)." % (len(tests) - failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
