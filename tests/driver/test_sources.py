#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_sources.py BUILD SOURCE ...: the driver's sources stay what the Microsoft compiler takes.

No GNU extension outside nt.h and guard.c; every source compiles for the msvc target, as clang has it, with mingw's
headers. That is as near as one gets without the Microsoft WDK, which was not run."""
import concurrent.futures
import glob
import os
import re
import sys
import tempfile

from support import BUILD, ROOT, main, run, succeeds

FOLDER = "endpoint/driver/src"
SOURCES = sys.argv[2:]
MAY = {"nt.h", "guard.c"}
EXTENSION = re.compile(
    r"__attribute__|__extension__|__builtin_\w+|\b__?typeof(?:__)?\b|\btypeof\b|\b(?:__)?asm(?:__)?\b|\(\{"
    r"|__PRETTY_FUNCTION__|__label__|\bcase [^:\n]+ \.\.\. |__int128|__atomic_\w+|__sync_\w+|\?:|##__VA_ARGS__"
    r"|#\s*(?:include_next|warning|pragma GCC)")
MSVC = ("clang", "--target=x86_64-pc-windows-msvc", "-fgnuc-version=4.2.1", "-std=c11", "-ffreestanding", "-fsyntax-only",
        "-Wall", "-Wextra", "-Wshadow", "-Wvla", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Werror", "-D_AMD64_",
        "-D_WIN32_WINNT=0x0A00", "-DNTDDI_VERSION=0x0A000000", "-isystem", "/usr/share/mingw-w64/include", "-isystem",
        "/usr/share/mingw-w64/include/ddk", "-Ilib", "-Ilib/wire/include", "-I" + FOLDER)


def code_of(text):
    """The text without comments and strings, line numbers kept."""
    keep = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return keep.sub(lambda m: "\n" * m.group().count("\n") or " ", text)


def extensions(text):
    return [(number, m.group()) for number, line in enumerate(code_of(text).split("\n"), 1)
            for m in EXTENSION.finditer(line)]


def every_source_is_built():
    there = {os.path.relpath(p, ROOT) for p in glob.glob(os.path.join(ROOT, FOLDER, "*.c"))}
    listed = {s for s in SOURCES if s.startswith(FOLDER)}
    assert there - {FOLDER + "/guard.c"} == listed, sorted(there ^ listed)


def no_extension_stands_outside_the_compat_header():
    bad = []
    for path in sorted(glob.glob(os.path.join(ROOT, FOLDER, "*.[ch]"))):
        if os.path.basename(path) in MAY:
            continue
        with open(path, encoding="utf-8") as f:
            bad += [f"{os.path.relpath(path, ROOT)}:{number}: {word}" for number, word in extensions(f.read())]
    for path in (p for p in SOURCES if not p.startswith(FOLDER)):
        with open(os.path.join(ROOT, path), encoding="utf-8") as f:
            bad += [f"{path}:{number}: {word}" for number, word in extensions(f.read())]
    assert not bad, "\n".join(bad)


def the_search_for_extensions_bites():
    for text in ("__attribute__((x)) int a;", "int a = __builtin_clz(1);", "typeof(b) a;", "__typeof__(b) a;",
                 "int a = ({ 1; });", "asm volatile(\"nop\");", "__asm__(\"nop\");", "int a = b ?: c;",
                 "case 1 ... 3:", "__int128 a;", "__sync_synchronize();", "#pragma GCC once", "# include_next <x.h>"):
        assert extensions("int f;\n" + text)[0][0] == 2, text
    for text in ("/* __attribute__ */", "char *s = \"asm ({\";", "int a = f(x) ? 1 : 2; // typeof", "int assembly;",
                 "struct s s = {0};", "__try {", "__declspec(noinline)", "#pragma once"):
        assert not extensions(text), text


def every_source_compiles_for_the_msvc_target():
    # guard.c is not for that compiler.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda s: (s, *run(*MSVC, s, cwd=ROOT)), SOURCES)
    bad = [f"{source}\n{out}" for source, code, out in results if code != 0]
    assert not bad, "\n".join(bad)


def compile_command(object_name, source, out):
    """How the build compiles that object, for another source and without the compiler's cache."""
    line = succeeds("ninja", "-C", BUILD, "-t", "commands", "endpoint/driver/" + object_name).split("\n")[0]
    line = re.sub(r"&& .*ccache ", "&& ", line)
    return re.sub(r"-MD -MT .*", "", line) + f"-c {source} -o {out}"


def frames_above_a_kilobyte_and_warnings_do_not_compile():
    head = "void f(volatile char *p);\nvoid f(volatile char *p)\n{\n"
    cases = {"    *p = 0;\n}\n": True,
             "    volatile char big[1100];\n    for (int i = 0; i < 1100; i++) {\n        big[i] = *p;\n    }\n}\n": False,
             "    int unused;\n    *p = 0;\n}\n": False, "    short s = *p * 70000;\n    *p = s;\n}\n": False}
    with tempfile.TemporaryDirectory(prefix="wedr-driver-") as folder:
        source, out = os.path.join(folder, "f.c"), os.path.join(folder, "f.o")
        for variant in ("shipped", "checked", "gcc"):
            for body, good in cases.items():
                with open(source, "w", encoding="utf-8") as f:
                    f.write(head + body)
                code, said = run("/bin/sh", "-c", compile_command(variant + "/mem.o", source, out))
                assert (code == 0) == good, f"{variant}: {body}{said}"


def functions_with_buffers_are_guarded_and_each_has_unwind_data():
    objects = os.path.join(BUILD, "endpoint", "driver", "shipped", "*.o")
    guarded = [o for o in glob.glob(objects) if re.search(r"U __stack_chk_fail$", succeeds("llvm-nm", o), re.M)]
    assert len(guarded) >= 5, guarded
    for o in glob.glob(objects):
        names = set(re.findall(r" [Tt] (\w+)$", succeeds("llvm-nm", o), re.M))
        covered = set(re.findall(r"StartAddress: (\w+)", succeeds("llvm-readobj", "--unwind", o)))
        assert names <= covered, f"{o}: no unwind data for {sorted(names - covered)}"


main(every_source_is_built, no_extension_stands_outside_the_compat_header, the_search_for_extensions_bites,
     every_source_compiles_for_the_msvc_target, frames_above_a_kilobyte_and_warnings_do_not_compile,
     functions_with_buffers_are_guarded_and_each_has_unwind_data)
