# SPDX-License-Identifier: Apache-2.0
"""Reads a 64-bit PE image from its bytes: headers, sections, directories, checksum, Authenticode digest.

For pe_gate, pe_checksum and make_catalog. Every access is checked; what does not fit raises Malformed.
"""
import hashlib
import struct

EXPORT, IMPORT, RESOURCE, EXCEPTION, SECURITY, RELOC, DEBUG = 0, 1, 2, 3, 4, 5, 6
TLS, LOAD_CONFIG, BOUND_IMPORT, IAT, DELAY_IMPORT, CLR = 9, 10, 11, 12, 13, 14
SCN_CODE, SCN_UNINITIALIZED, SCN_DISCARDABLE, SCN_SHARED = 0x20, 0x80, 0x02000000, 0x10000000
SCN_EXECUTE, SCN_READ, SCN_WRITE = 0x20000000, 0x40000000, 0x80000000


class Malformed(Exception):
    pass


class Section:
    def __init__(self, name, size, va, raw_size, raw, flags):
        self.name, self.size, self.va, self.raw_size, self.raw, self.flags = name, size, va, raw_size, raw, flags

    def holds(self, rva, length=1):
        return self.va <= rva and rva + length <= self.va + max(self.size, self.raw_size)


class Image:
    def __init__(self, data):
        self.data = data
        if data[:2] != b"MZ":
            raise Malformed("no MZ header")
        self.pe = self.u32(60)
        if self.at(self.pe, 4) != b"PE\0\0":
            raise Malformed("no PE signature")
        self.machine, count, self.timestamp, _, _, opt_size, self.characteristics = struct.unpack(
            "<HHIIIHH", self.at(self.pe + 4, 20))
        self.opt = self.pe + 24
        if self.u16(self.opt) != 0x20B:
            raise Malformed("not a 64-bit image")
        o = self.opt
        self.entry, self.base = self.u32(o + 16), self.u64(o + 24)
        self.section_alignment, self.file_alignment = self.u32(o + 32), self.u32(o + 36)
        self.os_version = (self.u16(o + 40), self.u16(o + 42))
        self.subsystem_version = (self.u16(o + 48), self.u16(o + 50))
        self.image_size, self.headers_size = self.u32(o + 56), self.u32(o + 60)
        self.checksum_at = o + 64
        self.checksum, self.subsystem, self.dll_characteristics = self.u32(o + 64), self.u16(o + 68), self.u16(o + 70)
        dirs = self.u32(o + 108)
        if dirs > 16 or opt_size < 112 + 8 * dirs:
            raise Malformed("data directories do not fit")
        self.directories_at = o + 112
        self.directories = [struct.unpack("<II", self.at(o + 112 + 8 * i, 8)) for i in range(dirs)]
        self.directories += [(0, 0)] * (16 - dirs)
        self.sections = []
        for i in range(count):
            row = struct.unpack("<8sIIIIIIHHI", self.at(o + opt_size + 40 * i, 40))
            self.sections.append(Section(row[0].rstrip(b"\0").decode("latin-1"), *row[1:5], row[9]))
        self.sections_at = o + opt_size

    def at(self, offset, length):
        if offset < 0 or length < 0 or offset + length > len(self.data):
            raise Malformed(f"{length} bytes at {offset:#x} are outside the file")
        return self.data[offset:offset + length]

    def u16(self, offset):
        return struct.unpack("<H", self.at(offset, 2))[0]

    def u32(self, offset):
        return struct.unpack("<I", self.at(offset, 4))[0]

    def u64(self, offset):
        return struct.unpack("<Q", self.at(offset, 8))[0]

    def section(self, rva, length=1):
        """The section that holds [rva, rva + length), or None."""
        return next((s for s in self.sections if s.holds(rva, length)), None)

    def offset(self, rva, length=1):
        """Where in the file the bytes at rva are."""
        s = self.section(rva, length)
        if not s or rva - s.va + length > s.raw_size:
            raise Malformed(f"{length} bytes at rva {rva:#x} are in no section of the file")
        return s.raw + rva - s.va

    def read(self, rva, length):
        return self.at(self.offset(rva, length), length)

    def text(self, rva, limit=256):
        """The NUL-terminated name at rva."""
        start = self.offset(rva)
        end = self.data.find(b"\0", start, start + limit)
        if end < 0:
            raise Malformed(f"name at rva {rva:#x} has no end")
        return self.data[start:end].decode("latin-1")

    def imports(self):
        """(module, name) of each imported symbol; the name is #N for an ordinal."""
        rva, size = self.directories[IMPORT]
        found = []
        for i in range(size // 20):
            lookup, _, _, name, iat = struct.unpack("<IIIII", self.read(rva + 20 * i, 20))
            if not name:
                break
            module, slot = self.text(name), lookup or iat
            while True:
                value = struct.unpack("<Q", self.read(slot, 8))[0]
                if not value:
                    break
                found.append((module, f"#{value & 0xffff}" if value >> 63 else self.text(value + 2)))
                slot += 8
        return found

    def functions(self):
        """(begin, end, rva of the unwind data) of each entry of .pdata."""
        rva, size = self.directories[EXCEPTION]
        return [struct.unpack("<III", self.read(rva + 12 * i, 12)) for i in range(size // 12)]

    def pdb_names(self):
        """The name that each CodeView entry of the debug directory holds."""
        rva, size = self.directories[DEBUG]
        names = []
        for i in range(size // 28):
            _, _, _, _, kind, length, _, raw = struct.unpack("<IIHHIIII", self.read(rva + 28 * i, 28))
            if kind == 2:
                blob = self.at(raw, length)
                if blob[:4] != b"RSDS":
                    raise Malformed("a CodeView entry that is not RSDS")
                names.append(blob[24:].split(b"\0")[0].decode("utf-8", "replace"))
        return names

    def computed_checksum(self):
        """What the checksum field should hold: sum of 16-bit words with carry, plus the length."""
        data = self.data[:self.checksum_at] + bytes(4) + self.data[self.checksum_at + 4:]
        total = sum(struct.unpack(f"<{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
        while total >> 16:
            total = (total & 0xffff) + (total >> 16)
        return total + len(data)

    def authenticode(self, algorithm="sha256"):
        """Digest of all that a signature covers: not the checksum, not the place of the certificate table, not the table."""
        security = self.directories_at + 8 * SECURITY
        table, length = self.directories[SECURITY]
        end = table if length else len(self.data)
        if length and table + length != len(self.data):
            raise Malformed("the certificate table does not end the file")
        h = hashlib.new(algorithm)
        h.update(self.data[:self.checksum_at])
        h.update(self.data[self.checksum_at + 4:security])
        h.update(self.data[security + 8:end])
        h.update(bytes(-end % 8) if not length else b"")
        return h.digest()
