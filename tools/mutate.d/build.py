# SPDX-License-Identifier: Apache-2.0
"""A build folder of its own whose compiler takes instrumented copies instead of some sources.

FOLDER/src/PATH      instrumented copy of PATH
FOLDER/sites/        what was found, kept until a source, a header or this tool changes
FOLDER/asan, tsan    CMake build folders; FOLDER/cc is their compiler launcher
"""
import concurrent.futures
import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess

from rewrite import Edit, Mutant, rewrite
from sites import Finder
from source import Source

HERE = os.path.dirname(os.path.abspath(__file__))
FIRST_STEP = 4096  # numbers kept for one file: a change in one does not renumber the next
SANITIZERS = {"asan": "address,undefined", "tsan": "thread"}

LAUNCHER = """#!/bin/bash
# Takes the instrumented copy of a source where there is one.
args=() extra=()
for a in "$@"; do
    case "$a" in
    {root}/*.c)
        copy={folder}/src/${{a#{root}/}}
        if [ -f "$copy" ]; then
            extra=(-w -iquote "${{a%/*}}")
            a=$copy
        fi ;;
    esac
    args+=("$a")
done
exec {ccache} "${{args[@]}}" "${{extra[@]}}"
"""


def write_if_new(path, text, mode=0o644):
    data = text.encode("latin-1")
    try:
        with open(path, "rb") as f:
            if f.read() == data:
                return
    except OSError:
        pass
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)


def digest(*parts):
    h = hashlib.sha256()
    for p in parts:
        h.update(p if isinstance(p, bytes) else p.encode())
        h.update(b"\0")
    return h.hexdigest()


def read(path):
    with open(path, "rb") as f:
        return f.read()


def tool_digest():
    return digest(*(read(os.path.join(HERE, n)) for n in ("source.py", "tables.py", "sites.py", "rewrite.py", "build.py")))


def find_one(job):
    """In a process of its own: text, mutants and edits of one file, out of the cache when nothing changed."""
    path, name, entry, first, root, folder, salt = job
    command = entry.get("command") or " ".join(entry["arguments"])
    cache = os.path.join(folder, "sites", name.replace("/", "@") + ".json")
    key = digest(salt, command, str(first))
    try:
        old = json.loads(read(cache))
        if old["key"] == key and all(digest(read(p)) == d for p, d in old["inputs"].items()):
            return name, old["text"], old["mutants"], old["edits"]
    except (OSError, ValueError, KeyError):
        pass
    source = Source(path, command, entry["directory"])
    mutants, edits = Finder(source, name, first, root).find()
    if len(mutants) > FIRST_STEP:
        raise SystemExit(f"mutate: {name} has {len(mutants)} sites, at most {FIRST_STEP}")
    mutants, edits = [dataclasses.asdict(m) for m in mutants], [dataclasses.asdict(e) for e in edits]
    inputs = {p: digest(read(p)) for p in source.includes if p.startswith(root + os.sep)}
    inputs[path] = digest(source.text.encode("latin-1"))
    os.makedirs(os.path.dirname(cache), exist_ok=True)
    with open(cache, "w", encoding="utf-8") as f:
        json.dump({"key": key, "inputs": inputs, "text": source.text, "mutants": mutants, "edits": edits}, f)
    return name, source.text, mutants, edits


class Build:
    def __init__(self, root, folder, jobs, cmake_args):
        self.root, self.folder, self.jobs, self.cmake_args = root, folder, jobs, cmake_args
        self.rejected = []  # (mutant numbers) that did not compile

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def run(self, args, log):
        with open(self.path(log), "w", encoding="utf-8", errors="replace") as f:
            return subprocess.run(args, stdout=f, stderr=subprocess.STDOUT, check=False).returncode

    def configure(self, kind="asan"):
        """Sets up FOLDER/kind; does nothing when it stands already with the same arguments."""
        os.makedirs(self.folder, exist_ok=True)
        ccache = shutil.which("ccache") or ""
        write_if_new(self.path("cc"), LAUNCHER.format(root=self.root, folder=self.folder, ccache=ccache), 0o755)
        runtime = self.path("runtime.o")
        if subprocess.run(["cc", "-O1", "-fPIC", "-c", "-o", runtime, os.path.join(HERE, "runtime.c")],
                          check=False).returncode:
            raise SystemExit("mutate: runtime.c does not compile")
        args = ["cmake", "-S", self.root, "-B", self.path(kind), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
                "-DCMAKE_C_FLAGS=-O1", "-DWEDR_SANITIZE=" + SANITIZERS[kind], "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
                "-DCMAKE_C_COMPILER_LAUNCHER=" + self.path("cc"), "-DWEDR_CCACHE=" + self.path("cc"),
                "-DCMAKE_EXE_LINKER_FLAGS=" + runtime, *self.cmake_args]
        mark, log = self.path(kind, "mutate.args"), f"{kind}.configure.log"
        known = os.path.exists(self.path(kind, "build.ninja")) and os.path.exists(mark)
        if known and read(mark).decode() == "\n".join(args):
            # CMake runs again by itself when one of its lists changed.
            if self.run(["ninja", "-C", self.path(kind), "build.ninja"], log) == 0:
                return
        if self.run(args, log):
            self.fail(log, "the configuration failed")
        write_if_new(mark, "\n".join(args))

    def fail(self, log, why):
        with open(self.path(log), encoding="utf-8", errors="replace") as f:
            print("".join(f.readlines()[-40:]))
        raise SystemExit(f"mutate: {why} ({self.path(log)})")

    def entries(self, wanted):
        """Relative path -> compile command, for the files that wanted() takes; a test's own compile comes first."""
        found = {}
        for entry in json.loads(read(self.path("asan", "compile_commands.json"))):
            full = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
            name = os.path.relpath(full, self.root)
            if not name.startswith("..") and wanted(name):
                native = "-nostdinc" in entry.get("command", "")
                if name not in found or native:
                    found[name] = entry
        return dict(sorted(found.items()))

    def instrument(self, entries):
        """Writes the copies; returns all mutants. What did not compile before is left out."""
        salt = tool_digest()
        jobs = [(os.path.join(self.root, name), name, entry, 1 + i * FIRST_STEP, self.root, self.folder, salt)
                for i, (name, entry) in enumerate(entries.items())]
        with concurrent.futures.ProcessPoolExecutor(self.jobs) as pool:
            self.found = {name: (text, [Mutant(**m) for m in ms], [Edit(**e) for e in es])
                          for name, text, ms, es in pool.map(find_one, jobs)}
        for name in os.listdir(self.path("src")) if os.path.isdir(self.path("src")) else ():
            self.forget(name, entries)
        return self.write_copies()

    def forget(self, top, entries):
        """Copies of files that are no longer mutated must not be taken."""
        for folder, _, names in os.walk(self.path("src", top)):
            for n in names:
                full = os.path.join(folder, n)
                rel = os.path.relpath(full, self.path("src"))
                if rel not in entries:
                    os.unlink(full)
                    original = os.path.join(self.root, rel)
                    if os.path.exists(original):
                        os.utime(original)

    def write_copies(self):
        mutants, dead = [], set(self.rejected)
        for name, (text, ms, es) in self.found.items():  # the text that was parsed: the file may have changed since
            es = [e for e in es if not dead.intersection(e.ids)]
            write_if_new(self.path("src", name), rewrite(text, es, os.path.join(self.root, name)))
            mutants += [m for m in ms if m.id not in dead]
        return mutants

    def targets(self, kind, wanted):
        """Programs of the wanted ctest entries that contain a mutated file. ctest names a program only once it is built."""
        found, top = {}, self.path(kind)
        for folder, folders, names in os.walk(top):
            folders[:] = [d for d in folders if d not in ("CMakeFiles", "Testing", "src")]
            if "CTestTestfile.cmake" in names:
                text = read(os.path.join(folder, "CTestTestfile.cmake")).decode()
                for name, program in re.findall(r'^add_test\((?:\[=*\[)?([^\s\]"]+)(?:\]=*\])? "([^"]+)"', text, re.M):
                    if wanted(name) and program.startswith(top + os.sep):
                        target = os.path.relpath(program, top)
                        if self.contains(kind, target):
                            found[name] = target
        return found

    def contains(self, kind, target):
        out = subprocess.run(["ninja", "-C", self.path(kind), "-t", "inputs", target], capture_output=True, text=True,
                             check=False).stdout
        sources = (os.path.relpath(os.path.join(self.path(kind), i.strip()), self.root) for i in out.split("\n") if i.strip())
        return any(s in self.found for s in sources)

    def commands(self, kind, targets):
        """Test name -> (command, folder, environment), after the build."""
        out = subprocess.run(["ctest", "--test-dir", self.path(kind), "--show-only=json-v1"], capture_output=True,
                             text=True, check=True).stdout
        tests = {}
        for t in json.loads(out)["tests"]:
            if t["name"] in targets and t.get("command"):
                props = {p["name"]: p["value"] for p in t.get("properties", ())}
                env = dict(e.split("=", 1) for e in props.get("ENVIRONMENT", ()) if "=" in e)
                tests[t["name"]] = (t["command"], props.get("WORKING_DIRECTORY", self.path(kind)), env)
        return tests

    def compile(self, kind, targets):
        """Builds; sites on lines that do not compile are dropped, a few times over."""
        log = f"{kind}.build.log"
        for _ in range(6):
            if self.run(["ninja", "-k", "0", "-j", str(self.jobs), "-C", self.path(kind), *targets], log) == 0:
                return self.write_copies()
            with open(self.path(log), encoding="utf-8", errors="replace") as f:
                bad = set(re.findall(r"^([^:\n]+\.c):(\d+):\d+: (?:fatal )?error:", f.read(), re.M))
            dropped = self.reject({(os.path.relpath(p, self.root), int(n)) for p, n in bad})
            if not dropped:
                self.fail(log, "the build failed")
            print(f"mutate: {dropped} sites do not compile when instrumented and are left out")
            self.write_copies()
        return self.fail(log, "the build failed")

    def reject(self, lines):
        before = len(self.rejected)
        known = set(self.rejected)
        for name, line in lines:
            if name not in self.found:
                continue
            text, _, edits = self.found[name]
            for e in edits:
                first = text.count("\n", 0, e.start) + 1
                last = text.count("\n", 0, e.end) + 1
                if first <= line <= last and not known.intersection(e.ids):
                    self.rejected += e.ids
                    known.update(e.ids)
        return len(self.rejected) - before
