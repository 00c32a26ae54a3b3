#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_rebuild.py BUILD: the same sources give the same driver wherever they lie, to the byte, and its .pdb too."""
import concurrent.futures
import os
import re
import shutil
import subprocess
import tempfile
import uuid

from support import BUILD, DRIVER, ROOT, SYS, main, read, succeeds

NAMES = ("WazabiEDR.sys", "WazabiEDR.pdb")


def build_elsewhere(folder):
    """Copies what the driver is made of to another place and replays the commands of this build there."""
    source, build = os.path.join(folder, "a", "deeper source"), os.path.join(folder, "out")
    for part in ("lib/core", "lib/wire", "endpoint/driver", "tools"):
        shutil.copytree(os.path.join(ROOT, part), os.path.join(source, part))
    here = os.path.join(build, "endpoint", "driver")
    for name in ("shipped",):
        os.makedirs(os.path.join(here, name))
        os.makedirs(os.path.join(build, "driver", name))
    os.symlink(source, os.path.join(here, "root"))
    text = succeeds("ninja", "-C", BUILD, "-t", "commands", *(os.path.join("driver", n) for n in NAMES))
    commands = [line for line in text.splitlines() if "endpoint/driver" in line]
    # Not the compiler's cache: it would give back what this build made.
    moved = [re.sub(r"&& .*ccache ", "&& ", line).replace(BUILD, build).replace(ROOT, source.replace(" ", "\\ "))
             for line in commands]
    compiles = [c for c in moved if " -c root/" in c]
    assert len(compiles) > 20 and len(moved) == len(compiles) + 1, len(moved)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for p in pool.map(shell, compiles):
            assert p.returncode == 0, p.stdout
    for command in moved:
        if command not in compiles:
            p = shell(command)
            assert p.returncode == 0, p.stdout
    return os.path.join(build, "driver")


def shell(command):
    return subprocess.run(["/bin/sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)


def another_folder_gives_the_same_bytes():
    with tempfile.TemporaryDirectory(prefix="wedr-rebuild-") as folder:
        other = build_elsewhere(folder)
        for name in NAMES:
            assert read(os.path.join(DRIVER, name)) == read(os.path.join(other, name)), f"{name} differs"


def debug_information_names_no_place_of_this_machine():
    pdb = read(os.path.join(DRIVER, "WazabiEDR.pdb"))
    for place in (ROOT, BUILD, os.path.expanduser("~")):
        if len(place) > 2:
            assert place.encode() not in pdb, place
    assert b"endpoint/driver/src/main.c" in pdb.replace(b"\\", b"/"), "no source file is named"


def debug_information_belongs_to_the_driver():
    text = succeeds("llvm-pdbutil", "dump", "-summary", os.path.join(DRIVER, "WazabiEDR.pdb"))
    guid = re.search(r"GUID: \{([0-9A-F-]+)\}", text).group(1)
    head = succeeds("llvm-readobj", "--coff-debug-directory", SYS)
    found = bytes.fromhex(re.search(r"PDBGUID: \(([0-9A-F ]+)\)", head).group(1))
    assert found == uuid.UUID(guid).bytes_le, (guid, head)
    symbol = succeeds("llvm-pdbutil", "dump", "-publics", os.path.join(DRIVER, "WazabiEDR.pdb"))
    assert "DriverEntry" in symbol


main(another_folder_gives_the_same_bytes, debug_information_names_no_place_of_this_machine,
     debug_information_belongs_to_the_driver)
