# SPDX-License-Identifier: Apache-2.0
"""What the driver's build tests share: where things are, running a tool, and the loop over test functions."""
import os
import subprocess
import sys
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOLS = os.path.join(ROOT, "tools")
BUILD = os.path.abspath(sys.argv[1])
DRIVER = os.path.join(BUILD, "driver")
SYS = os.path.join(DRIVER, "WazabiEDR.sys")
GCC_SYS = os.path.join(DRIVER, "gcc", "WazabiEDR.gcc.sys")
CHECKED_SYS = os.path.join(DRIVER, "checked", "WazabiEDR.sys")
SIGNED = os.path.join(DRIVER, "signed")
CA = os.path.join(DRIVER, "test-ca")
IMPORTS = os.path.join(ROOT, "endpoint", "driver", "imports.txt")
sys.dont_write_bytecode = True
sys.path.insert(0, TOOLS)


def run(*command, **options):
    """(exit code, what it printed)."""
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                       check=False, **options)
    return p.returncode, p.stdout


def succeeds(*command, **options):
    code, out = run(*command, **options)
    assert code == 0, f"{' '.join(command)}\n{out}"
    return out


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def main(*tests):
    failed = 0
    for test in tests:
        try:
            test()
            print(f"[       OK ] {test.__name__}", flush=True)
        except Exception:  # whatever goes wrong is this test's failure
            traceback.print_exc(file=sys.stdout)
            print(f"[  FAILED  ] {test.__name__}", flush=True)
            failed += 1
    sys.exit(1 if failed else 0)
