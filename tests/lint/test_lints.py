#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The lints bite: each rule is broken once in a small tree of its own and must be named, and a clean tree must pass."""
import os
import subprocess
import sys
import tempfile
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"
BASE = "/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause */\n"


class Tree:
    """A repository with the given files and our layers.txt."""

    def __init__(self, files):
        self.folder = tempfile.TemporaryDirectory(prefix="wedr-lint-")
        with open(os.path.join(ROOT, "tools", "layers.txt"), encoding="utf-8") as f:
            self.write("tools/layers.txt", f.read())
        for path, text in files.items():
            self.write(path, text)
        subprocess.run(["git", "init", "-q", self.folder.name], check=True)
        subprocess.run(["git", "-C", self.folder.name, "add", "."], check=True)

    def write(self, path, text):
        full = os.path.join(self.folder.name, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)

    def run(self, tool):
        p = subprocess.run([os.path.join(ROOT, "tools", tool), "--root", self.folder.name], capture_output=True, text=True,
                           check=False)
        self.folder.cleanup()
        return p.returncode, p.stdout + p.stderr


def accepts(tool, files):
    code, out = Tree(files).run(tool)
    assert code == 0, out


def refuses(tool, files, *wanted):
    code, out = Tree(files).run(tool)
    assert code == 1, out
    for text in wanted:
        assert text in out, f"{text!r} is not in:\n{out}"


HEADERS = {"lib/core/base/err.h": BASE, "lib/core/util/buf.h": SPDX, "lib/wire/include/wedr/wire/event.h": BASE,
           "lib/platform/include/wedr/plat/fs.h": SPDX, "server/store/state.h": SPDX, "endpoint/agent/src/engine.h": SPDX,
           "endpoint/sensor/lib/sensor.h": SPDX}


def layers_accepts_what_the_rows_name():
    accepts("check_layers", {**HEADERS,
            "lib/core/base/err.c": '#include "core/base/err.h"\n#include <stdint.h>\n',
            "lib/platform/posix/fs.c": '#include "wedr/plat/fs.h"\n#include <unistd.h>\n#include <sys/stat.h>\n',
            "endpoint/agent/main/posix.c": '#include "engine.h"\n#include <unistd.h>\n',
            "endpoint/agent/src/x.c": '#include "sensor/lib/sensor.h"\n#include "wedr/plat/fs.h"\n',
            "endpoint/sensor/lib/x.c": '#include "process_fast.skel.h"\n#include <bpf/libbpf.h>\n',
            "server/store/events/x.c": '#include "store/state.h"\n#include <sqlite3.h>\n'})


def layers_refuses_a_climb_to_a_higher_layer():
    refuses("check_layers", {**HEADERS, "lib/core/base/x.c": '\n#include "core/util/buf.h"\n',
                             "lib/core/util/x.c": '#include "wedr/plat/fs.h"\n',
                             "server/http/x.c": '#include "../../endpoint/agent/src/engine.h"\n',
                             "endpoint/agent/src/x.c": '#include "store/state.h"\n'},
            "lib/core/base/x.c:2: core/base may not include core/util", "core/util may not include platform",
            "climbs out of its folder", "agent may not include server")


def layers_refuses_os_headers_outside_their_folders():
    refuses("check_layers", {"server/http/x.c": "#include <sys/socket.h>\n", "endpoint/agent/src/x.c": "#  include <unistd.h>\n",
                             "lib/core/util/x.c": "#include <pthread.h>\n", "lib/core/base/x.c": "#include <stdio.h>\n"},
            "<sys/socket.h> belongs", "<unistd.h> belongs", "<pthread.h> belongs", "<stdio.h> is not freestanding")


def layers_refuses_a_database_outside_the_store():
    refuses("check_layers", {"server/http/x.c": "#include <sqlite3.h>\n", "endpoint/agent/src/x.c": "#include <openssl/evp.h>\n"},
            "<sqlite3.h> may be included only in server/store", "<openssl/evp.h> may be included only in")


def layers_refuses_unknown_names_and_folders():
    refuses("check_layers", {"lib/core/base/x.c": '#include "core/base/nothing.h"\n#include WHICH\n', "lib/new/x.c": "\n"},
            '"core/base/nothing.h" is not found', "must stand in it", "is in no layer")


def text_accepts_clean_sources():
    body = "".join("    x();\n" for _ in range(60))
    accepts("check_text", {"server/x.c": SPDX + "static void f(void)\n{\n" + body + "}\n", "README.md": "# Title\n",
                           "lib/wire/src/y.c": BASE, "tools/z": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n"})


def text_refuses_open_ends_blanks_and_missing_licences():
    word = "TO" + "DO"
    refuses("check_text", {"a.md": f"text {word}: later\n", "server/b.c": SPDX + "int x; \n", "server/c.c": "int x;\n",
                           "lib/wire/src/d.c": SPDX, "server/e.c": SPDX + "int x;", "server/f.c": SPDX + "\tint x;\n"},
            f"a.md:1: {word}", "server/b.c:2: blank at the end", "server/c.c:1: no SPDX", "lib/wire/src/d.c:1: licence is",
            "server/e.c:2: no newline", "server/f.c:2: tab")


def text_refuses_what_is_too_long():
    body = "".join("    x();\n" for _ in range(61))
    refuses("check_text", {"server/a.c": SPDX + "static void f(void)\n{\n" + body + "}\n",
                           "server/b.c": SPDX + "int x;\n" * 700},
            "server/a.c:3: function of 61 lines", "server/b.c:701: 701 lines")


FLAW_HEAD = "| id | flaw in our words | test |\n|---|---|---|\n"
FLAW_TEST = {"tests/unit/test_x.c": "static void a03_stop_seals(void **state)\n{\n}\n"}


def flaws_accepts_a_list_that_matches():
    accepts("check_flaws", {**FLAW_TEST, "docs/flaws.md": FLAW_HEAD + "| A-03 | words | `a03_stop_seals` |\n"})


def flaws_refuses_missing_tests_and_rows():
    refuses("check_flaws", {**FLAW_TEST, "docs/flaws.md": FLAW_HEAD + "| A-04 | words | `a04_gone`, `a03_stop_seals` |\n"
                            "| A-04 | again | `a04_gone` |\n| A-05 | words | none |\n| A-06 | two |\n"},
            "no test is called a04_gone", "a03_stop_seals does not carry A-04", "A-04 twice", "A-05 has no test",
            "not a row of three columns")
    refuses("check_flaws", {**FLAW_TEST, "docs/flaws.md": FLAW_HEAD}, "a03_stop_seals is in no row")


BANNED = {"malloc(1)": True, "calloc(1, 1)": True, "strdup(s)": True, "sprintf(s, s)": True, "strcpy(s, s)": True,
          "strncpy(s, s, 1)": True, "strcat(s, s)": True, "strtok(s, s)": True, "atoi(s)": True, "gmtime(0)": True,
          "alloca(1)": True, "free(s)": True, "snprintf(s, 1, s)": False, "memcpy(s, s, 1)": False, "strlen(s)": False}


def banned_calls_do_not_compile():
    for compiler in ("cc", "clang"):
        for call, banned in BANNED.items():
            source = f"#include <stdlib.h>\nvoid f(char *s);\nvoid f(char *s)\n{{\n    (void){call};\n}}\n"
            for define, fails in ((), banned), (("-DWEDR_ALLOW_BANNED", "-include", "stdio.h", "-include", "string.h",
                                                "-include", "time.h"), False):
                p = subprocess.run([compiler, "-std=c11", "-D_GNU_SOURCE", "-w", *define, "-include",
                                    os.path.join(ROOT, "tools", "banned.h"), "-fsyntax-only", "-x", "c", "-"],
                                   input=source, capture_output=True, text=True, check=False)
                assert (p.returncode != 0) == fails, f"{compiler} {call} {define}: {p.stderr}"


# Frames of 200 bytes (224 with what they keep, rounded up), one below the other; a callback counts as a call, too.
STACK = """
typedef unsigned long u64;
static long (*const loop)(u64, void *, void *, u64) = (void *)181;
static long (*const touch)(void *, unsigned) = (void *)6;
__attribute__((noinline)) int leaf(u64 a) { char b[200]; b[a & 7] = 1; touch(b, 200); return b[3]; }
static __attribute__((noinline)) int turn(u64 a, void *p) { return leaf(a); }
__attribute__((section("tp_btf/x"))) int one(u64 *c) { char b[200]; touch(b, 200); return leaf(*c) + b[1]; }
#ifdef DEEP
__attribute__((noinline)) int middle(u64 a) { char b[200]; touch(b, 200); return leaf(a) + b[a & 7]; }
__attribute__((section("tp_btf/x"))) int deep(u64 *c) { char b[200]; touch(b, 200); return middle(*c) + b[1]; }
#endif
#ifdef BACK
__attribute__((section("tp_btf/x"))) int back(u64 *c) { char b[200]; touch(b, 200); loop(4, turn, 0, 0); return b[1]; }
#endif
"""


def stack_of_programs_counts_calls_and_callbacks():
    with tempfile.TemporaryDirectory(prefix="wedr-lint-") as folder:
        for define, wanted in (("-DNONE", ""), ("-DDEEP", "deep takes 672 bytes"), ("-DBACK", "back takes 480 bytes")):
            out = os.path.join(folder, "x.o")
            subprocess.run(["clang", "-target", "bpf", "-mcpu=v3", "-O2", "-w", define, "-c", "-x", "c", "-", "-o", out],
                           input=STACK, text=True, check=True)
            p = subprocess.run([os.path.join(ROOT, "tools", "check_bpf_stack"), "--limit", "448", out], capture_output=True,
                               text=True, check=False)
            assert (p.returncode, wanted in p.stderr) == (1 if wanted else 0, True), p.stderr


def main():
    tests = [f for name, f in globals().items() if name.startswith(("layers_", "text_", "flaws_", "banned_", "stack_"))]
    failed = 0
    for test in tests:
        try:
            test()
            print(f"[       OK ] {test.__name__}")
        except AssertionError:
            traceback.print_exc(file=sys.stdout)
            print(f"[  FAILED  ] {test.__name__}")
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
