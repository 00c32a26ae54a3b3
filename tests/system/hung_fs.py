#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""hung_fs.py FOLDER: a FUSE file system in the place of the folder whose names are never found and never missing: who asks
for one waits, and not even SIGKILL ends him. Prints a line when it is there and one for each that waits. Ends with the
process, which lets them all go."""
import ctypes
import os
import struct
import sys

LOOKUP, FORGET, GETATTR, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 26, 36, 42
IN_HEADER = struct.Struct("<IIQQIIII")
ROOT = struct.pack("<QII", 1, 0, 0) + struct.pack("<QQQQQQIIIIIIIIII", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, 0, 0, 0, 4096, 0)
STARTED = struct.pack("<IIIIHHII32x", 7, 31, 65536, 0, 12, 9, 65536, 1)


def mount(fd, folder):
    libc = ctypes.CDLL(None, use_errno=True)
    options = "fd=%d,rootmode=40755,user_id=0,group_id=0,allow_other" % fd
    if libc.mount(b"hung_fs", folder.encode(), b"fuse", 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), "mount")


def main():
    fd = os.open("/dev/fuse", os.O_RDWR)
    mount(fd, sys.argv[1])
    print("mounted", flush=True)
    while True:
        try:
            request = os.read(fd, 1 << 17)
        except (FileNotFoundError, InterruptedError):
            continue
        except OSError:
            return  # unmounted
        _, op, unique, _, _, _, pid, _ = IN_HEADER.unpack_from(request)
        answer = {INIT: STARTED, GETATTR: ROOT}.get(op)
        if op == LOOKUP:
            print("%d waits" % pid, flush=True)
        elif op not in (FORGET, BATCH_FORGET, INTERRUPT):
            body = answer or b""
            os.write(fd, struct.pack("<IiQ", 16 + len(body), 0 if answer else -38, unique) + body)


main()
