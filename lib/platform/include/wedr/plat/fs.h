/* SPDX-License-Identifier: Apache-2.0
 * wedr/plat/fs.h — files and folders. Every path below an opened folder is one name, never followed
 * through a link: privileged work is done by handle. Thread-safe; a handle is used by one thread at
 * a time. */
#pragma once

#include "core/base/attr.h"
#include "core/util/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef intptr_t wedr_handle; /* file descriptor on POSIX, HANDLE on Windows */
#define WEDR_HANDLE_NONE ((wedr_handle)-1)

#define WEDR_FS_READ 0x1u
#define WEDR_FS_WRITE 0x2u
#define WEDR_FS_CREATE 0x4u /* create if missing */
#define WEDR_FS_EXCL 0x8u   /* with CREATE: WEDR_E_EXIST when it is there */
#define WEDR_FS_TRUNC 0x10u
#define WEDR_FS_APPEND 0x20u

struct wedr_fs_stat {
    uint64_t size;
    int64_t mtime_us;
    uint32_t mode, uid, gid; /* POSIX; 0 on Windows */
    bool regular, directory;
};

/* Creates path and its missing parents; the last one gets mode (POSIX bits) and, when uid is not
 * UINT32_MAX, that owner and group. An existing folder is accepted when it is a real folder (no
 * link) owned by uid or by the caller; its mode and owner are then set too. WEDR_E_PERM otherwise.
 */
WEDR_MUST_USE int wedr_fs_mkdir(const char *path, uint32_t mode, uint32_t uid);
/* A folder handle for the *_at calls below; WEDR_E_PERM when the path's last component is a link.
 */
WEDR_MUST_USE int wedr_fs_open_dir(const char *path, wedr_handle *ret_dir);
/* name: one component, no '/', not "." or "..": else WEDR_E_INVAL. A link is WEDR_E_PERM.
 * Close-on-exec. Regular files, and folders for reading; anything else (a planted FIFO, device,
 * socket) is WEDR_E_PERM and never blocks. */
WEDR_MUST_USE int wedr_fs_open_at(
    wedr_handle dir, const char *name, unsigned flags, uint32_t mode, wedr_handle *ret_file);
/* Opens any path a person gave, following links; regular files only. */
WEDR_MUST_USE int
wedr_fs_open(const char *path, unsigned flags, uint32_t mode, wedr_handle *ret_file);
void wedr_fs_close(wedr_handle h); /* WEDR_HANDLE_NONE is allowed */
/* Whole n bytes or an error (WEDR_E_NOSPC, WEDR_E_IO). A failed write may have written a part. */
WEDR_MUST_USE int wedr_fs_write(wedr_handle h, const void *p, size_t n);
/* Up to n bytes; *ret_n 0 at the end. */
WEDR_MUST_USE int wedr_fs_read(wedr_handle h, void *p, size_t n, size_t *ret_n);
WEDR_MUST_USE int wedr_fs_pread(wedr_handle h, void *p, size_t n, uint64_t offset, size_t *ret_n);
WEDR_MUST_USE int wedr_fs_truncate(wedr_handle h, uint64_t size);
WEDR_MUST_USE int wedr_fs_seek_end(wedr_handle h);
WEDR_MUST_USE int wedr_fs_sync(wedr_handle h); /* files and folders */
WEDR_MUST_USE int wedr_fs_stat(wedr_handle h, struct wedr_fs_stat *ret_st);
/* Of what lies at a path (absolute, or from the working folder), without opening it: whoever closes
 * a file gives up every POSIX lock that this process has on it, those of SQLite, too. A link is not
 * followed. WEDR_E_NOENT: nothing is there. */
WEDR_MUST_USE int wedr_fs_stat_path(const char *path, struct wedr_fs_stat *ret_st);
/* The same of a name in a folder. */
WEDR_MUST_USE int wedr_fs_stat_at(wedr_handle dir, const char *name, struct wedr_fs_stat *ret_st);
/* A new file of memory alone: no folder has it, it goes with its last handle; it has size bytes
 * (zeroes) for ever. name shows in listings of handles only. */
WEDR_MUST_USE int wedr_fs_memory(const char *name, uint64_t size, wedr_handle *ret_file);
/* Replaces the target atomically; durable after wedr_fs_sync(dir). */
WEDR_MUST_USE int wedr_fs_rename_at(wedr_handle dir, const char *from, const char *to);
WEDR_MUST_USE int wedr_fs_unlink_at(wedr_handle dir,
                                    const char *name); /* WEDR_E_NOENT when missing */
/* Calls fn for each name except "." and ".."; stops when fn returns other than 0 and returns that.
 */
WEDR_MUST_USE int wedr_fs_list(wedr_handle dir, int (*fn)(void *arg, const char *name), void *arg);
/* Whole file from its start into ret_buf (replacing what it holds; init'ed by the caller with its
 * maximum; WEDR_E_LIMIT when larger). */
WEDR_MUST_USE int wedr_fs_read_all(wedr_handle h, struct wedr_buf *ret_buf);
/* temp + fsync + rename + fsync of the folder. A crash may leave the temporary file ".<name>.<8
 * hex>.tmp". */
WEDR_MUST_USE int
wedr_fs_replace_at(wedr_handle dir, const char *name, const void *p, size_t n, uint32_t mode);
/* Exclusive lock of the file for the handle's lifetime; WEDR_E_BUSY when another process has it. */
WEDR_MUST_USE int wedr_fs_lock(wedr_handle file);
/* Bytes free for the caller on the file system of dir. */
WEDR_MUST_USE int wedr_fs_free_bytes(wedr_handle dir, uint64_t *ret_bytes);
/* POSIX errno / GetLastError of the last failed call mapped to WEDR_E_*; for platform and sensor
 * code. */
int wedr_err_from_os(int os_error);
