#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_first_boot.py BUILD: what can be known of packaging/windows/first-boot.ps1 without Windows: that its tables are
those of docs/wire.md and of the headers. Where a C# compiler is at hand (Debian's mono-mcs and mono-runtime; not among
the packages that the tests install), its C# part is compiled too and decodes the golden records."""
import glob
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile

from support import ROOT, main, read, succeeds

SCRIPT = os.path.join(ROOT, "packaging", "windows", "first-boot.ps1")
GOLDEN = os.path.join(ROOT, "tests", "unit", "lib", "wire", "golden")
TEXT = read(SCRIPT).decode("utf-8")
CSHARP = re.search(r"\$Source = @'\n(.*?)\n'@\n", TEXT, re.S).group(1)
LABELS = {}


def header(name):
    return read(os.path.join(ROOT, "lib", "wire", "include", "wedr", "wire", name)).decode()


def it_is_text_that_powershell_5_reads():
    assert TEXT.isascii(), "Windows PowerShell takes a script without a mark for ANSI"
    script = TEXT.replace(CSHARP, "")
    for word in (r"\?\?", r"\?\.", r"&&", r"\|\|", r"-Parallel", r"\bclean\s*\{", r"\? .* : "):
        assert not re.search(word, script), f"{word} is newer than PowerShell 5.1"
    for word in (r'\$"', r"\?\.", r"\bnameof\(", r"\) =>", r"\bout var\b", r"\busing var\b", r"\bawait\b"):
        assert not re.search(word, CSHARP), f"{word} is newer than C# 5"


def it_says_first_that_it_never_ran():
    assert "HAS NEVER RUN ON WINDOWS" in "\n".join(TEXT.split("\n")[:12])


def its_layouts_are_those_of_the_wire_page():
    page = read(os.path.join(ROOT, "docs", "wire.md")).decode()
    rows = dict(re.match(r"(\d+) (.+)", row).groups() for row in re.findall(r'^            "(\d+ .+)",$', CSHARP, re.M))
    assert sorted(map(int, rows)) == list(range(1, 8)), rows
    for number, row in rows.items():
        name, size, *fields = row.split()
        part = re.search(rf"^### {number} {name}\n\n(.+?)\n\n(.+?)\n\n", page, re.M | re.S)
        assert part and f"ixed size {size} on Windows" in part.group(1), row
        wanted = []
        for line in part.group(2).split("\n")[2:]:
            cells = [c.strip() for c in line.strip("|").split("|")]
            if cells[-1]:
                wanted += [cells[0], cells[1], cells[-1]]
        assert fields == wanted, f"{name}: {fields} is not {wanted}"


def its_requests_and_structures_are_those_of_the_header():
    text = header("ioctl.h")
    for name, csharp in (("GET_EVENT", "GetEvent"), ("GET_EVENTS", "GetEvents"), ("GET_STATS", "GetStats"),
                         ("GET_VERSION", "GetVersion"), ("SET_FILTER", "SetFilter")):
        code = re.search(rf"WEDR_IOCTL_{name} == (0x[0-9a-f]+)u", text).group(1)
        assert f"{csharp} = {code}" in CSHARP, name
    size = re.search(r"sizeof\(struct wedr_ioctl_stats\) == (\d+)", text).group(1)
    assert f"public const int Bytes = {size};" in CSHARP
    assert re.search(r"sizeof\(struct wedr_ioctl_version\) == 64", text) and "$a.Length 64" in TEXT
    for name in ("PROCESS", "MODULE", "REGISTRY", "THREAD", "HANDLE", "ALL"):
        value = int(re.search(rf"#define WEDR_CLASS_{name} (0x[0-9a-f]+)u", text).group(1), 16)
        have = int(re.search(rf"{name.capitalize()} = (\w+)[,;]", CSHARP.split("class Filter")[1]).group(1), 0)
        assert have == value, name
    limit = int(re.search(r"#define WEDR_RECORD_MAX (\d+)u", header("event.h")).group(1))
    assert f"RecordMax = {limit};" in CSHARP


def program():
    """The C# part and its driver, compiled; None without a compiler."""
    if not shutil.which("mcs") or not shutil.which("mono"):
        return None
    folder = tempfile.mkdtemp(prefix="wedr-first-boot-")
    source = os.path.join(folder, "kit.cs")
    with open(source, "w", encoding="utf-8") as f:
        f.write(CSHARP)
    out = os.path.join(folder, "kit.exe")
    succeeds("mcs", "-langversion:5", "-warn:4", "-warnaserror", "-out:" + out, source,
             os.path.join(os.path.dirname(os.path.abspath(__file__)), "first_boot_decoder.cs"))
    return out


def ask(exe, *lines):
    p = subprocess.run(["mono", exe], input="\n".join(lines) + "\n", capture_output=True, text=True, encoding="utf-8",
                       check=False)
    assert p.returncode == 0, p.stderr
    answers = p.stdout.split("\n\n")[:-1]
    assert len(answers) == len(lines), (len(answers), len(lines))
    return [dict(line.split("\t", 1) for line in a.split("\n")) for a in answers]


def label(kind, code):
    for line in header("labels.def").split("\n"):
        m = re.match(rf'WEDR_LABEL\({kind}, \w+, (\w+), "(\w+)"\)', line)
        if m and int(m.group(1), 0) == code:
            return m.group(2)
    return code


FLAG = {"cut": 1, "head_cut": 2, "unreadable": 8, "no_name": 16, "deleted": 32}


def same(have, want):
    """A field as the C# decoder prints it against the golden file."""
    text, flags = have
    if isinstance(want, dict):
        assert sum(FLAG[f] for f in want["flags"]) == flags & ~4, (have, want)
        return text == want.get("text", want.get("hex"))
    if isinstance(want, bool):
        return text == str(int(want))
    if isinstance(want, int):
        return int(text) == want
    if re.fullmatch(r"[0-9a-f]{16}", want) and text.isdigit():
        return int(text) == int(want, 16)
    if text.isdigit() and not want.isdigit():
        return want in (label("REGISTRY_OP", int(text)), label("HANDLE_OP", int(text)))
    return text == want


def golden(kernel_only=True):
    for path in sorted(glob.glob(os.path.join(GOLDEN, "*_windows.hex"))):
        text = read(path).decode()
        data = bytes.fromhex("".join(line.split("#")[0] for line in text.split("\n")))
        want = json.loads(read(path[:-3] + "json"))
        if not kernel_only or struct.unpack_from("<H", data, 2)[0] <= 7:
            yield data, want


def golden_records_are_decoded():
    records = list(golden())
    assert len(records) >= 7
    for answer, (_, want) in zip(ask(PROGRAM, *(d.hex() for d, _ in records)), records):
        assert "error" not in answer, answer
        for name in ("type", "size", "seq", "time", "drop_count", "trunc_count"):
            assert answer[name] == str(want[name]), (name, answer, want)
        assert answer["existing"] == str(int(want["existing"])) and answer["matches"] == "True False", answer
        assert ["kernel.critical", "kernel.bulk"][int(answer["stream"])] == want["stream"]
        for name, value in want["fields"].items():
            have = (answer["." + name], int(answer.get("flags." + name, 0)))
            assert same(have, value), (want["type"], name, have, value)


def damaged_records_are_refused_without_an_exception():
    lines = []
    for data, _ in golden():
        lines += [data[:n].hex() for n in range(1, len(data), 7)]
        for at in range(0, len(data)):
            lines += [(data[:at] + bytes([value]) + data[at + 1:]).hex() for value in (0, 0x7f, 0xff)]
    answers = ask(PROGRAM, *lines)
    assert sum("error" in a for a in answers) > len(lines) // 10, len(lines)


def filters_are_what_the_driver_checks():
    answer, = ask(PROGRAM, "filter 31 \\a\\,\\b \\REGISTRY\\x")
    data = bytes.fromhex(answer["bytes"])
    magic, size, version, paths, keys, reserved, classes = struct.unpack_from("<IIHHHHI", data)
    assert (magic, size, version, paths, keys, reserved, classes) == (0x37464557, len(data), 1, 2, 1, 0, 31)
    assert data[20:32] == bytes(12)
    texts = []
    for i in range(3):
        offset, length, zero = struct.unpack_from("<IHH", data, 32 + 8 * i)
        assert zero == 0 and offset >= 32 + 24
        texts.append(data[offset:offset + length].decode("utf-16-le"))
    assert texts == ["\\a\\", "\\b", "\\REGISTRY\\x"], texts


def statistics_are_read_from_the_right_places():
    d = bytearray(608)
    struct.pack_into("<IHBBQ", d, 0, 608, 1, 2, 5, 77)
    struct.pack_into("<II", d, 40, 3, 4)
    struct.pack_into("<QQQQ", d, 48, 5, 6, 7, 8)
    struct.pack_into("<QQ", d, 80, 100, 60)           # lane 0: produced, delivered
    struct.pack_into("<Q", d, 80 + 16 + 8 * 4, 30)    # lost: ring_evicted
    struct.pack_into("<I", d, 80 + 104, 10)
    struct.pack_into("<Q", d, 80 + 128, 9)            # lane 1 does not add up
    struct.pack_into("<Q", d, 80 + 128 + 88, 11)
    struct.pack_into("<Q", d, 336 + 8, 12)
    struct.pack_into("<Bxxxi", d, 336 + 32 * 4, 2, -5)
    struct.pack_into("<Q", d, 336 + 32 * 4 + 24, 13)
    struct.pack_into("<IIQ", d, 592, 14, 0, 15)
    answer, = ask(PROGRAM, "stats " + d.hex())
    assert answer["numbers"] == "608 77 3 4 6 8 100 60 30 10 9 11 2 -5 12 13 14 15", answer
    assert answer["imbalance"].startswith(" lane 1: produced 9"), answer


TESTS = [it_is_text_that_powershell_5_reads, it_says_first_that_it_never_ran, its_layouts_are_those_of_the_wire_page,
         its_requests_and_structures_are_those_of_the_header]
PROGRAM = program()
if PROGRAM:
    TESTS += [golden_records_are_decoded, damaged_records_are_refused_without_an_exception,
              filters_are_what_the_driver_checks, statistics_are_read_from_the_right_places]
else:
    print("no mcs and mono here: the C# part is compared with the documents, not compiled")
main(*TESTS)
