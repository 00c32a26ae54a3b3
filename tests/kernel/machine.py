# SPDX-License-Identifier: Apache-2.0
"""A guest in qemu: boots a kernel with an initial RAM file system, runs commands there, gives back what each printed and
how it ended. Hardware acceleration where a guest really comes up with it, else qemu's own translation."""
import os
import shutil
import subprocess
import tempfile
import time

import initramfs

HERE = os.path.dirname(os.path.abspath(__file__))
HOST_TOOLS = ("rm", "true", "false", "sleep", "sh", "cat", "ls")  # the tests know their options
BOOT_S = {"kvm": 40, "tcg": 180}


class Step:
    """One command of the guest: name, command line (absolute), seconds it may take."""

    def __init__(self, name, command, timeout_s=120, folder="/tmp", environment=()):
        self.name, self.command, self.timeout_s, self.folder = name, command, timeout_s, folder
        self.environment = list(environment)

    def line(self, slow):
        words = [*(["env", *self.environment] if self.environment else []), *self.command]
        return "%s %d %s %s\n" % (self.name, self.timeout_s * slow, self.folder, " ".join(_quote(w) for w in words))


def _quote(word):
    return "'" + word.replace("'", "'\\''") + "'"


class Result:
    def __init__(self):
        self.release = None
        self.accel = None
        self.outputs = {}  # name -> lines
        self.codes = {}  # name -> exit status
        self.spent = {}  # name -> seconds in the guest
        self.notes, self.kernel = [], []
        self.done = False
        self.seconds = 0.0
        self.boot_seconds = 0.0

    def read(self, text):
        name = None
        for line in text.splitlines():
            word, _, rest = line.partition(" ")
            if word == "@boot":
                self.release = rest
            elif word == "@begin":
                name = rest
                self.outputs[name] = []
            elif word == "@end":
                _, code, spent = rest.split()
                self.codes[name], self.spent[name] = int(code), float(spent)
                name = None
            elif word == "@note":
                self.notes.append(rest)
            elif word == "@kernel":
                self.kernel.append(rest)
            elif word == "@done":
                self.done = True
            elif name is not None:
                self.outputs[name].append(line)


def accelerations():
    asked = os.environ.get("WEDR_KERNEL_ACCEL")
    if asked:
        return [asked]
    # kvm_pvm alone runs only kernels that were built as its guests; Debian's are not.
    able = any(os.path.isdir("/sys/module/kvm_" + maker) for maker in ("intel", "amd"))
    return ["kvm", "tcg"] if able and os.access("/dev/kvm", os.R_OK | os.W_OK) else ["tcg"]


def _boot(kernel, image, accel, parameters, folder, memory_mib, limit_s):
    """Runs qemu until the guest is off; returns (report text, boot seconds)."""
    report, console = os.path.join(folder, "report"), os.path.join(folder, "console")
    command = [
        "qemu-system-x86_64", "-accel", accel + (",thread=multi" if accel == "tcg" else ""), "-machine", "q35",
        "-cpu", "max" if accel == "tcg" else "host", "-smp", "2", "-m", str(memory_mib), "-nodefaults", "-display",
        "none", "-no-reboot", "-kernel", kernel.image, "-initrd", image, "-append",
        "console=ttyS0 quiet panic=-1 " + parameters, "-serial", "file:" + console, "-serial", "file:" + report,
    ]
    start, boot = time.monotonic(), None
    with open(os.path.join(folder, "qemu"), "wb") as log, subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as qemu:
        try:
            while qemu.poll() is None:
                time.sleep(0.1)
                now = time.monotonic() - start
                if boot is None and os.path.exists(report) and os.path.getsize(report) > 0:
                    boot = now
                if now > (limit_s if boot else BOOT_S[accel]):
                    break
        finally:
            qemu.kill()
    text = ""
    if os.path.exists(report):
        with open(report, encoding="utf-8", errors="replace") as f:
            text = f.read().replace("\r", "")
    return text, boot


def run(kernel, build_image, steps, keep, parameters="", memory_mib=2048):
    """build_image(Image) puts the programs in. keep: folder for the logs. Returns a Result; Result.done is false when
    the guest died or hung on its way."""
    image = initramfs.Image()
    image.busybox()
    for tool in HOST_TOOLS:
        image.program(shutil.which(tool), "bin/" + tool)
    with open(os.path.join(HERE, "guest_init.sh"), "rb") as f:
        image.data("init", f.read(), 0o755)
    image.data("etc/passwd", "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    image.data("etc/group", "root:x:0:\nnogroup:x:65534:\n")
    image.data("etc/hosts", "127.0.0.1 localhost guest\n")
    build_image(image)
    os.makedirs(keep, exist_ok=True)
    result = Result()
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wedr-kernel-") as folder:
        for accel in accelerations():
            slow = 4 if accel == "tcg" else 1
            image.data("tests", "".join(s.line(slow) for s in steps))
            path = os.path.join(folder, "initramfs")
            image.write(path)
            limit = BOOT_S[accel] + sum(s.timeout_s * slow for s in steps)
            text, boot = _boot(kernel, path, accel, parameters, folder, memory_mib, limit)
            result.read(text)
            result.accel, result.boot_seconds = accel, boot or 0.0
            for name in ("report", "console", "qemu"):
                if os.path.exists(os.path.join(folder, name)):
                    shutil.copy(os.path.join(folder, name), os.path.join(keep, f"{name}.{accel}"))
                    os.unlink(os.path.join(folder, name))
            if result.release:
                break
    result.seconds = time.monotonic() - start
    return result
