# SPDX-License-Identifier: Apache-2.0
"""Debian's kernels as files: the newest linux-image-amd64 of a suite, unpacked below the build folder. Nothing is
installed, and the machine's own package lists stay as they are: apt gets lists and a cache of its own, with the address
that the machine's sources name.

What was unpacked serves for a week, and for longer when the suite cannot be reached.
"""
import glob
import lzma
import os
import re
import subprocess
import time

FRESH_S = 7 * 24 * 3600
MODULES = ("dummy", "overlay", "veth")  # what tests in the guest load
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Unreachable(Exception):
    """The suite or its kernel cannot be had here; the text says why."""


class Kernel:
    def __init__(self, folder):
        self.folder = folder
        self.suite = os.path.basename(os.path.dirname(folder))
        self.package = os.path.basename(folder)  # the package's version
        self.image = os.path.join(folder, "vmlinuz")
        with open(os.path.join(folder, "release"), encoding="ascii") as f:
            self.release = f.read().strip()

    def module(self, name):
        """Bytes of a module, unpacked, and the names of those that it needs; None where the kernel has no such."""
        path = os.path.join(self.folder, name + ".ko")
        if not os.path.exists(path):
            return None
        with open(path, "rb") as f:
            data = f.read()
        needs = re.search(rb"\0depends=([^\0]*)\0", data)
        return data, [n.decode() for n in (needs.group(1).split(b",") if needs and needs.group(1) else [])]


def _mirror():
    """The address of Debian's archive, as the machine's own sources have it."""
    out = subprocess.run(["apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)"],
                         capture_output=True, text=True, check=False).stdout
    for line in out.splitlines():
        label, _, uri = line.partition("|")
        if label == "Debian":
            return uri
    raise Unreachable("no source of this machine is Debian's archive")


class Apt:
    """apt with lists, a cache and an architecture of its own; nothing counts as installed."""

    def __init__(self, folder, suite, arch="amd64"):
        self.folder = folder
        self.env = dict(os.environ, LC_ALL="C", DEBIAN_FRONTEND="noninteractive")
        for sub in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(folder, sub), exist_ok=True)
        status = os.path.join(folder, "status")
        with open(status, "w", encoding="ascii"):
            pass
        sources = os.path.join(folder, "sources.list")
        with open(sources, "w", encoding="ascii") as f:
            f.write(f"deb [signed-by={KEYRING} arch={arch}] {_mirror()} {suite} main\n")
        self.options = []
        for key, value in (("Dir::Etc::sourcelist", sources), ("Dir::Etc::sourceparts", "-"),
                           ("Dir::State::lists", os.path.join(folder, "lists")),
                           ("Dir::Cache", os.path.join(folder, "cache")),
                           ("APT::Sandbox::User", "root"), ("Acquire::Languages", "none"),
                           ("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false"),
                           ("APT::Architecture", arch), ("APT::Architectures", arch),
                           ("Dir::State::status", status), ("Acquire::Retries", "2")):
            self.options += ["-o", f"{key}={value}"]

    def run(self, tool, *args, cwd=None):
        done = subprocess.run([tool, *self.options, *args], cwd=cwd, env=self.env, capture_output=True, text=True,
                              check=False, timeout=600)
        if done.returncode != 0 or "Failed to fetch" in done.stderr:
            raise Unreachable(f"{tool} {args[0]}: {(done.stderr or done.stdout).strip()[-300:]}")
        return done.stdout

    def show(self, package):
        fields = {}
        for line in self.run("apt-cache", "show", "--no-all-versions", package).splitlines():
            key, colon, value = line.partition(": ")
            if colon:
                fields.setdefault(key, value)
        return fields


def _packages(apt):
    """Names of the packages that hold the newest image and its modules, and the version."""
    meta = apt.show("linux-image-amd64")
    wanted, names = ["linux-image-amd64"], []
    while wanted:
        depends = apt.show(wanted.pop())["Depends"]
        for name in re.findall(r"\b(linux-(?:image|binary|modules)-[0-9][^ ,(]*)", depends):
            if name not in names:
                names.append(name)
                wanted.append(name)
    return names, meta["Version"]


def _unpack(debs, folder):
    release = None
    for deb in debs:
        tree = os.path.join(folder, "tree")
        subprocess.run(["dpkg-deb", "-x", deb, tree], check=True)
    for image in glob.glob(os.path.join(tree, "boot", "vmlinuz-*")) + glob.glob(
            os.path.join(tree, "usr/lib/modules/*/vmlinuz")):
        if not os.path.islink(image):
            name = os.path.basename(image)
            release = name[len("vmlinuz-"):] if name != "vmlinuz" else os.path.basename(os.path.dirname(image))
            os.replace(image, os.path.join(folder, "vmlinuz"))
            break
    if release is None:
        raise Unreachable("the packages hold no kernel image")
    for name in MODULES:
        for path in glob.glob(os.path.join(tree, "**", "kernel", "**", name + ".ko*"), recursive=True):
            with (lzma.open if path.endswith(".xz") else open)(path, "rb") as f:
                data = f.read()
            with open(os.path.join(folder, name + ".ko"), "wb") as f:
                f.write(data)
    with open(os.path.join(folder, "release"), "w", encoding="ascii") as f:
        f.write(release + "\n")
    subprocess.run(["rm", "-rf", tree], check=True)


def _fetch(cache, suite):
    apt = Apt(os.path.join(cache, "apt", suite), suite)
    apt.run("apt-get", "update")
    names, version = _packages(apt)
    folder = os.path.join(cache, suite, version)
    if not os.path.exists(os.path.join(folder, "release")):
        fresh = folder + ".new"
        subprocess.run(["rm", "-rf", fresh, folder], check=True)
        os.makedirs(fresh)
        apt.run("apt-get", "download", *names, cwd=fresh)
        debs = sorted(glob.glob(os.path.join(fresh, "*.deb")))
        _unpack(debs, fresh)
        for deb in debs:
            os.unlink(deb)
        os.rename(fresh, folder)
    os.utime(folder)
    return folder


def get(cache, suite):
    """The suite's kernel. Raises Unreachable."""
    have = [f for f in glob.glob(os.path.join(cache, suite, "*")) if os.path.exists(os.path.join(f, "release"))]
    have.sort(key=os.path.getmtime)
    if have and time.time() - os.path.getmtime(have[-1]) < FRESH_S:
        return Kernel(have[-1])
    try:
        return Kernel(_fetch(cache, suite))
    except (Unreachable, OSError, KeyError, subprocess.SubprocessError) as e:
        if have:
            return Kernel(have[-1])
        raise Unreachable(str(e)) from e
