#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_gate.py BUILD: every driver that was built passes tools/pe_gate, and each of its checks bites: one field of a
copy is changed, the checksum is set again, and the check that watches over the field must name it."""
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import struct
import sys
import tempfile

from support import CHECKED_SYS, GCC_SYS, IMPORTS, SIGNED, SYS, TOOLS, main, read, run, succeeds, write
import pe_image

GATE = os.path.join(TOOLS, "pe_gate")
LOADER = importlib.machinery.SourceFileLoader("pe_gate", GATE)
pe_gate = importlib.util.module_from_spec(importlib.util.spec_from_loader("pe_gate", LOADER))
LOADER.exec_module(pe_gate)


def gate(*arguments):
    """As running the tool, but inside this process: there are many copies to look at."""
    before, out = sys.argv, io.StringIO()
    sys.argv = [GATE, *arguments]
    try:
        with contextlib.redirect_stdout(out):
            return pe_gate.main(), out.getvalue()
    finally:
        sys.argv = before


class Copy:
    """The shipped driver with some bytes changed."""

    def __init__(self):
        self.data = bytearray(read(SYS))
        self.image = pe_image.Image(bytes(self.data))

    def put(self, offset, kind, value):
        struct.pack_into("<" + kind, self.data, offset, value)
        return self

    def flip(self, offset, bit):
        self.data[offset + bit // 8] ^= 1 << bit % 8
        return self

    def directory(self, number, rva, size):
        return self.put(self.image.directories_at + 8 * number, "I", rva).put(
            self.image.directories_at + 8 * number + 4, "I", size)

    def section_field(self, name, offset, kind, value):
        index = [s.name for s in self.image.sections].index(name)
        return self.put(self.image.sections_at + 40 * index + offset, kind, value)

    def replace(self, old, new):
        assert len(old) == len(new) and self.data.count(old) >= 1, old
        self.data = bytearray(bytes(self.data).replace(old, new))
        return self

    def gate(self, *options, checksum=True):
        with tempfile.TemporaryDirectory(prefix="wedr-gate-") as folder:
            path = os.path.join(folder, "x.sys")
            if checksum:
                try:
                    self.put(self.image.checksum_at, "I", pe_image.Image(bytes(self.data)).computed_checksum())
                except pe_image.Malformed:
                    pass
            write(path, self.data)
            return gate("--imports", IMPORTS, *options, path)

    def refused(self, check, text, *options, checksum=True):
        code, out = self.gate(*options, checksum=checksum)
        assert code == 1 and any(f": {check}: " in line and text in line for line in out.splitlines()), (check, text, out)


def every_driver_passes():
    succeeds(GATE, "--imports", IMPORTS, SYS, CHECKED_SYS, GCC_SYS, os.path.join(SIGNED, "WazabiEDR.sys"))
    code, out = Copy().gate()
    assert code == 0 and out == "", out


def import_list_holds_what_is_imported_and_nothing_else():
    rows = [r for r in read(IMPORTS).decode().split("\n") if r and not r.startswith("#")]
    used = succeeds(GATE, "--print-imports", SYS, CHECKED_SYS, GCC_SYS).split()
    assert rows == used, f"imports.txt is not what pe_gate --print-imports says: {sorted(set(rows) ^ set(used))}"


def header_check_bites():
    pe, opt = Copy().image.pe, Copy().image.opt
    Copy().put(0, "H", 0).refused("header", "no MZ header")
    Copy().put(pe, "I", 0).refused("header", "no PE signature")
    Copy().put(pe + 4, "H", 0x14C).refused("header", "machine 0x14c")
    Copy().put(opt, "H", 0x10B).refused("header", "not a 64-bit image")
    Copy().put(opt + 68, "H", 3).refused("header", "subsystem 3")
    Copy().put(opt + 48, "H", 6).refused("header", "not 10.0")
    Copy().put(opt + 40, "H", 6).refused("header", "not 10.0")
    Copy().flip(pe + 22, 1).refused("header", "not marked as executable")
    Copy().flip(pe + 22, 13).refused("header", "is a DLL")
    Copy().put(opt + 16, "I", 0).refused("header", "entry point 0x0 is in no code")
    for number, name in ((pe_image.EXPORT, "exports"), (pe_image.TLS, "TLS"), (pe_image.BOUND_IMPORT, "bound imports"),
                         (pe_image.DELAY_IMPORT, "delayed imports"), (pe_image.CLR, "managed code")):
        Copy().directory(number, 0x1000, 40).refused("header", "has " + name)


def flags_check_bites_on_each_bit():
    for bit in range(16):
        Copy().flip(Copy().image.opt + 70, bit).refused("flags", "DllCharacteristics")


def align_check_bites():
    c = Copy()
    Copy().put(c.image.opt + 32, "I", 512).refused("align", "sections are aligned to 512")
    Copy().put(c.image.opt + 36, "I", 4096).refused("align", "in the file to 4096")
    text = c.image.sections[0]
    Copy().section_field(".text", 12, "I", text.va + 16).refused("align", ".text at 0x1010")
    Copy().section_field(".text", 12, "I", text.va + 0x1000).refused("align", "not behind the one before it")
    Copy().section_field(".reloc", 16, "I", 0x100000).refused("align", "ends behind the file")
    Copy().put(c.image.opt + 56, "I", c.image.image_size + 4096).refused("align", "SizeOfImage")


def sections_check_bites():
    c = Copy()
    for s in c.image.sections:
        if s.flags & pe_image.SCN_EXECUTE:
            Copy().section_field(s.name, 36, "I", s.flags | pe_image.SCN_WRITE).refused("sections", s.name)
        elif s.flags & pe_image.SCN_WRITE:
            Copy().section_field(s.name, 36, "I", s.flags | pe_image.SCN_EXECUTE).refused("sections", s.name)
            Copy().section_field(s.name, 36, "I", s.flags | pe_image.SCN_SHARED).refused("sections", "shared")


def checksum_check_bites_on_a_bit_anywhere():
    c = Copy()
    for offset in (2, c.image.checksum_at, c.image.sections[0].raw + 5, len(c.data) - 1):
        Copy().flip(offset, 3).refused("checksum", "should be", checksum=False)
    Copy().put(c.image.checksum_at, "I", 0).refused("checksum", "0x0, should be", checksum=False)


def imports_check_bites():
    Copy().replace(b"ntoskrnl.exe\0", b"hal.dll\0\0\0\0\0\0").refused("imports", "of hal.dll")
    Copy().replace(b"MmGetSystemRoutineAddress\0", b"MmGetSystemRoutineAddresz\0").refused(
        "imports", "MmGetSystemRoutineAddresz is not in imports.txt")
    c = Copy()
    lookup = struct.unpack("<I", c.image.read(c.image.directories[pe_image.IMPORT][0], 4))[0]
    Copy().put(c.image.offset(lookup), "Q", 1 << 63 | 7).refused("imports", "#7")
    Copy().directory(pe_image.IMPORT, 0, 0).refused("imports", "none")


def import_list_must_be_sorted():
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as f:
        f.write("ZwClose\nIoCreateDevice\n")
        f.flush()
        code, out = run(GATE, "--imports", f.name, SYS)
        assert code == 1 and "not sorted" in out, out


def unwind_check_bites():
    c = Copy()
    rva, size = c.image.directories[pe_image.EXCEPTION]
    at = c.image.offset(rva)
    count = size // 12
    Copy().directory(pe_image.EXCEPTION, 0, 0).refused("unwind", "no .pdata")
    Copy().directory(pe_image.EXCEPTION, rva, size - 12).refused("unwind", "without an entry")
    Copy().directory(pe_image.EXCEPTION, rva, size - 4).refused("unwind", "not whole entries")
    swapped = Copy()
    swapped.data[at:at + 24] = c.data[at + 12:at + 24] + c.data[at:at + 12]
    swapped.refused("unwind", "not in order")
    begin, end, info = c.image.functions()[count // 2]
    entry = at + 12 * (count // 2)
    Copy().put(entry + 4, "I", begin).refused("unwind", "is no stretch of code")
    Copy().put(entry + 4, "I", begin + 1).refused("unwind", "without an entry")
    Copy().put(entry + 8, "I", begin).refused("unwind", "has no unwind data")
    Copy().put(c.image.offset(info), "B", 0).refused("unwind", "has no unwind data")
    Copy().put(c.image.opt + 16, "I", c.image.entry + 1).refused("unwind", "the entry point has none")
    assert end > begin


def reloc_check_bites():
    c = Copy()
    rva, size = c.image.directories[pe_image.RELOC]
    at = c.image.offset(rva)
    Copy().directory(pe_image.RELOC, 0, 0).refused("reloc", "stripped")
    Copy().flip(c.image.pe + 22, 0).refused("reloc", "stripped")
    Copy().put(at + 4, "I", 4).refused("reloc", "block at")
    Copy().put(at, "I", 0x10000000).refused("reloc", "of page 0x10000000")
    Copy().put(at + 8, "H", 3 << 12).refused("reloc", "entry 0x3000")
    Copy().directory(pe_image.RELOC, rva, size + 4).refused("reloc", "")


def debug_check_bites():
    Copy().replace(b"WazabiEDR.pdb\0", b"C:\\x\\EDR.pdb\0\0").refused("debug", "names C:\\x\\EDR.pdb")
    Copy().replace(b"WazabiEDR.pdb\0", b"/home/EDR.pdb\0").refused("debug", "names /home/EDR.pdb")
    Copy().refused("debug", "holds the text This program", "--forbid", "This program")
    c = Copy()
    data = next(s for s in c.image.sections if s.name == ".data")
    wide = "/build/farm".encode("utf-16-le")
    c.data[data.raw:data.raw + len(wide)] = wide
    c.refused("debug", "holds the text /build/farm", "--forbid", "/build/farm")


def size_check_bites():
    Copy().refused("size", "at most 4096", "--max-size", "4096")
    c = Copy()
    c.data += bytes(16)
    c.refused("size", "bytes behind the last section")
    c = Copy()
    table = len(c.data)
    c.data += bytes(64)
    c.directory(pe_image.SECURITY, table, 32).refused("size", "certificate table is not at the end")


def a_file_cut_anywhere_is_refused_without_a_crash():
    whole = read(SYS)
    with tempfile.TemporaryDirectory(prefix="wedr-gate-") as folder:
        paths = []
        for length in [*range(0, 1024, 64), *range(1024, len(whole), 1024)]:
            paths.append(os.path.join(folder, f"{length}.sys"))
            write(paths[-1], whole[:length])
        code, out = run(GATE, "--imports", IMPORTS, *paths)
        assert code == 1 and "Traceback" not in out, out
        for path in paths:
            assert path in out, path


main(every_driver_passes, import_list_holds_what_is_imported_and_nothing_else, header_check_bites,
     flags_check_bites_on_each_bit, align_check_bites, sections_check_bites, checksum_check_bites_on_a_bit_anywhere,
     imports_check_bites, import_list_must_be_sorted, unwind_check_bites, reloc_check_bites, debug_check_bites,
     size_check_bites, a_file_cut_anywhere_is_refused_without_a_crash)
