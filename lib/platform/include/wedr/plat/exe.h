/* SPDX-License-Identifier: Apache-2.0
 * wedr/plat/exe.h — the file that a process runs or ran, opened only when it is the one that is
 * meant: by inode, device, times and size. Never waits for a file system that answers when it
 * likes. Any thread. */
#pragma once

#include "core/base/attr.h"
#include "wedr/plat/fs.h"
#include <stdbool.h>
#include <stdint.h>

/* As the kernel's inode has it. */
struct wedr_exe_id {
    uint64_t inode, size;
    int64_t ctime_ns, mtime_ns;
    uint32_t dev; /* major << 20 | minor */
};

/* Opens what process pid runs now, for reading. Its ctime may be later than the one that is meant
 * (*ret_ctime_ns): it was renamed, removed or given other rights, and holds what it held if the
 * process has run it all the time, because nobody can write to a file that is run. WEDR_E_NOENT: no
 * such process, or it runs nothing. WEDR_E_CONFLICT: it runs another file, or the file has changed.
 * WEDR_E_UNSUP: a network or user space file system, an overlay that is not mounted in this
 * process's own view, or a file system that is mounted nowhere; it was not opened. WEDR_E_PERM: no
 * right to, or no regular file that somebody may run. The device may differ where file systems show
 * another one than their inodes have (btrfs, overlayfs): then both are numbers without hardware
 * behind them. */
WEDR_MUST_USE int wedr_exe_open_running(uint32_t pid,
                                        const struct wedr_exe_id *want,
                                        wedr_handle *ret_file,
                                        int64_t *ret_ctime_ns);
/* The same, to the ctime, of a path in this process's own view of the file system; the last
 * component is not followed. */
WEDR_MUST_USE int
wedr_exe_open_path(const char *path, const struct wedr_exe_id *want, wedr_handle *ret_file);
/* An open file is still what it was. */
bool wedr_exe_unchanged(wedr_handle file, const struct wedr_exe_id *want);
/* The process still runs that file. */
bool wedr_exe_is_run_by(uint32_t pid, const struct wedr_exe_id *want);
/* The path leads to that file in this process's own view; nothing is opened. */
bool wedr_exe_is_at(const char *path, const struct wedr_exe_id *want);
