# SPDX-License-Identifier: Apache-2.0
"""An initial RAM file system put together in memory: programs with the libraries that they load, at the paths that they
have here. The cpio format is "newc", which the kernel unpacks itself."""
import os
import re
import shutil
import stat
import subprocess
import tempfile

BUSYBOX = "/bin/busybox"


class Image:
    def __init__(self):
        self.entries = {}  # path without leading slash -> (mode, bytes)
        for name in ("dev", "proc", "sys", "tmp", "run", "root", "mnt", "etc", "bin", "sbin", "usr/bin", "usr/sbin"):
            self.folder(name)

    def folder(self, path):
        path = path.strip("/")
        if path and path not in self.entries:
            self.folder(os.path.dirname(path))
            self.entries[path] = (stat.S_IFDIR | (0o1777 if path == "tmp" else 0o755), b"")

    def data(self, path, content, mode=0o644):
        path = path.strip("/")
        self.folder(os.path.dirname(path))
        self.entries[path] = (stat.S_IFREG | mode, content if isinstance(content, bytes) else content.encode())

    def link(self, path, target):
        path = path.strip("/")
        self.folder(os.path.dirname(path))
        self.entries[path] = (stat.S_IFLNK | 0o777, target.encode())

    def file(self, source, path=None):
        """A file of this machine as it is."""
        with open(source, "rb") as f:
            self.data(path or os.path.abspath(source), f.read(), stat.S_IMODE(os.stat(source).st_mode))

    def program(self, source, path=None):
        """A program without its debugging information, and its libraries."""
        with tempfile.TemporaryDirectory() as folder:
            small = os.path.join(folder, "small")
            done = subprocess.run(["strip", "-g", "-o", small, source], capture_output=True, check=False)
            if done.returncode != 0:
                shutil.copy(source, small)
            with open(small, "rb") as f:
                self.data(path or os.path.abspath(source), f.read(), 0o755)
        listing = subprocess.run(["ldd", source], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"(?:=>|^)\s*(/\S+) \(0x", listing, re.M):
            if library.strip("/") not in self.entries:
                self.file(library)

    def busybox(self):
        with open(BUSYBOX, "rb") as f:
            self.data("bin/busybox", f.read(), 0o755)
        names = subprocess.run([BUSYBOX, "--list-full"], capture_output=True, text=True, check=True).stdout
        for name in names.split():
            if name not in self.entries and name != "bin/busybox":
                self.link(name, "/bin/busybox")

    def write(self, path):
        with open(path, "wb") as f:
            for number, (name, (mode, content)) in enumerate(self.entries.items(), 1):
                self._entry(f, number, name, mode, content)
            self._entry(f, 0, "TRAILER!!!", 0, b"")

    @staticmethod
    def _entry(f, inode, name, mode, content):
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (inode, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08X" % v for v in fields) + name.encode() + b"\0"
        f.write(head + b"\0" * (-len(head) % 4))
        f.write(content + b"\0" * (-len(content) % 4))
