#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Loads WazabiEDR.sys under Wine beside the shim driver and runs the test program on it.

usage: run_wine.py --build DIR --driver DIR [--keep] [NAME]
  --build   where wedrshim.sys, wedrpeer.sys and pump.exe are; the prefix is made below it
  --driver  the driver's build folder: signed/WazabiEDR.sys is tested, and the other builds of it that are there
  NAME      only tests whose name contains it
One fresh prefix, no display, hard time limits; nothing is left running. Exits 77 where Wine cannot run.
"""
import argparse
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time

WINE = ("/usr/lib/wine/wine64", "/usr/lib/wine/wine")
SERVER = ("/usr/bin/wineserver", "/usr/lib/wine/wineserver")
BOOT_LIMIT, RUN_LIMIT, STOP_LIMIT = 60, 60, 10
OVERALL_LIMIT = 85  # on a machine that does other things meanwhile; alone it takes about 15 s
# Builds of the driver: prefix of the test names, file below the build folder. Not the checked build: it asks for the IRQL
# in every function, which Wine answers 0 by way of a fault each.
VARIANTS = (("", "signed/WazabiEDR.sys"), ("gcc.", "gcc/WazabiEDR.gcc.sys"))
CERTIFICATES = 4  # index of the PE data directory


def say(line):
    print(line, flush=True)


def skip(why):
    say("SKIP: " + why)
    sys.exit(77)


def first(paths):
    return next((p for p in paths if os.access(p, os.X_OK)), None)


def is_signed(path):
    """The image has a certificate table."""
    with open(path, "rb") as f:
        image = f.read()
    header = struct.unpack_from("<I", image, 0x3C)[0]
    at, size = struct.unpack_from("<II", image, header + 24 + 112 + 8 * CERTIFICATES)
    return at > 0 and 0 < size <= len(image) - at


class Wine:
    """One prefix and the processes in it."""

    def __init__(self, prefix):
        self.wine, self.server, self.prefix = first(WINE), first(SERVER), prefix
        self.end = time.monotonic() + OVERALL_LIMIT
        self.env = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
        self.env.update(WINEPREFIX=prefix, WINEDEBUG="-all", WINEDLLOVERRIDES="mscoree,mshtml=d",
                        HOME=os.path.dirname(prefix))

    def start_server(self):
        """Wine's kernel, which stays up between two runs of the test program."""
        subprocess.run([self.server, f"-p{OVERALL_LIMIT}"], env=self.env, timeout=STOP_LIMIT, check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def run(self, args, limit, output=None):
        """Return code, or None when the time was up (then everything is killed)."""
        limit = max(1, min(limit, self.end - time.monotonic()))
        process = subprocess.Popen([self.wine, *args], env=self.env, cwd=self.prefix + "/..",
                                   stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL)
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    def processes(self):
        """Those that live in the prefix."""
        mark = ("WINEPREFIX=" + self.prefix).encode()
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    if mark in f.read().split(b"\0") and int(pid) != os.getpid():
                        found.append(int(pid))
            except OSError:
                pass
        return found

    def stop(self):
        """True when wineserver ended everything by itself."""
        for option in ("-k", "-w"):
            try:
                subprocess.run([self.server, option], env=self.env, timeout=STOP_LIMIT, check=False,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            except subprocess.TimeoutExpired:
                pass
        for _ in range(20):
            if not self.processes():
                return True
            time.sleep(0.1)
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        return False


class Verdicts:
    def __init__(self):
        self.failed = 0

    def check(self, name, good, why=""):
        say(f"[       OK ] {name}" if good else f"[  FAILED  ] {name}: {why}")
        self.failed += not good


def pump(wine, verdicts, build, args, name):
    """Runs the test program, passes its lines on, returns the boot id that it printed."""
    log = os.path.join(build, "pump.log")
    with open(log, "wb") as f:
        code = wine.run([os.path.join(build, "pump.exe"), *args], RUN_LIMIT, f)
    with open(log, encoding="utf-8", errors="replace") as f:
        text = f.read().replace("\r", "")
    print(text, end="", flush=True)
    if code is None:
        running = re.findall(r"^\[ RUN      \] (\S+)$", text, re.M)
        verdicts.check(running[-1] if running else name + "run_ends", False, "the time is up")
    elif code != 0 and "[  FAILED  ]" not in text:
        verdicts.check(name + "run_ends", False, f"exit status {code}")
    verdicts.failed += text.count("[  FAILED  ]")
    found = re.search(r"^boot id ([0-9a-f]{32})$", text, re.M)
    return found.group(1) if found else None


def test(wine, verdicts, args):
    drivers = os.path.join(wine.prefix, "drive_c/windows/system32/drivers")
    for name in ("wedrshim.sys", "wedrpeer.sys"):
        shutil.copy(os.path.join(args.build, name), drivers)
    ids = []
    for prefix, path in VARIANTS:
        source = os.path.join(args.driver, path)
        if prefix and not os.path.exists(source):
            continue
        if not prefix:
            verdicts.check("driver_that_is_loaded_is_signed", is_signed(source), path)
        shutil.copy(source, os.path.join(drivers, "WazabiEDR.sys"))
        options = ["--prefix", prefix] if prefix else []
        ids.append(pump(wine, verdicts, args.build, options + args.name, prefix))
        if ids[-1] is None:
            return  # Wine's kernel may be in any state
    verdicts.check("boot_id_outlives_the_driver", len(set(ids)) == 1, " ".join(ids))
    wine.stop()
    wine.start_server()
    ids.append(pump(wine, verdicts, args.build, ["--boot-id"], "second_boot."))
    verdicts.check("boot_id_is_new_after_a_boot", ids[-1] is not None and ids[-1] != ids[0], str(ids))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--driver", required=True)
    parser.add_argument("--keep", action="store_true", help="keep the prefix")
    parser.add_argument("name", nargs="*")
    args = parser.parse_args()
    args.build, args.driver = os.path.abspath(args.build), os.path.abspath(args.driver)
    if not first(WINE) or not first(SERVER):
        skip("wine64 and wineserver are not installed")
    if not os.path.exists(os.path.join(args.build, "pump.exe")):
        skip("pump.exe was not built: the mingw compiler is missing")

    start = time.monotonic()
    wine, verdicts = Wine(os.path.join(args.build, "prefix")), Verdicts()
    shutil.rmtree(wine.prefix, ignore_errors=True)
    os.makedirs(wine.prefix)
    try:
        if wine.run(["wineboot", "-i"], BOOT_LIMIT) != 0:
            skip("wineboot cannot make a prefix here")
        wine.stop()  # the registry is on disk now
        wine.start_server()
        test(wine, verdicts, args)
    finally:
        ended = wine.stop()
        if not args.keep:
            shutil.rmtree(wine.prefix, ignore_errors=True)
    verdicts.check("nothing_is_left_running", ended, "processes of Wine had to be killed")
    say(f"{verdicts.failed} failed, {time.monotonic() - start:.1f} s")
    return 1 if verdicts.failed else 0


sys.exit(main())
