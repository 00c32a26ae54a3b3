/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/plat/fs.h"

#include "core/base/err.h"
#include "core/util/sha256.h"
#include "fs_path.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define IO_CHUNK_MAX (1u << 30) /* one read or write call; Linux stops at 2 GiB */
#define TEMP_SUFFIX_LEN 14      /* "." before and ".12345678.tmp" behind the name */

static int failed(void)
{
    return wedr_err_from_os(errno);
}

/* O_NONBLOCK: opening a planted FIFO or device must not hang; it has no effect on the regular files
 * we keep. */
static int os_flags(unsigned flags)
{
    int f = O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    if ((flags & WEDR_FS_WRITE) != 0) {
        f |= (flags & WEDR_FS_READ) != 0 ? O_RDWR : O_WRONLY;
    } else {
        f |= O_RDONLY;
    }
    f |= (flags & WEDR_FS_CREATE) != 0 ? O_CREAT : 0;
    f |= (flags & WEDR_FS_EXCL) != 0 ? O_EXCL : 0;
    f |= (flags & WEDR_FS_TRUNC) != 0 ? O_TRUNC : 0;
    f |= (flags & WEDR_FS_APPEND) != 0 ? O_APPEND : 0;
    return f;
}

/* Takes fd: gives it back as a handle when it is a file (or, where allowed, a folder), else closes
 * it. */
static int accept_opened(int fd, bool allow_directory, wedr_handle *ret_file)
{
    struct stat st;
    int err = WEDR_OK;
    if (fd < 0) {
        return failed();
    }
    if (fstat(fd, &st) != 0) {
        err = failed();
    } else if (!S_ISREG(st.st_mode) && !(allow_directory && S_ISDIR(st.st_mode))) {
        err = WEDR_E_PERM;
    }
    if (err != WEDR_OK) {
        (void)close(fd);
        return err;
    }
    *ret_file = fd;
    return WEDR_OK;
}

int wedr_fs_open_at(
    wedr_handle dir, const char *name, unsigned flags, uint32_t mode, wedr_handle *ret_file)
{
    if (!wedr_path_is_name(name) || (flags & (WEDR_FS_READ | WEDR_FS_WRITE)) == 0) {
        return WEDR_E_INVAL;
    }
    int fd = wedr_path_openat((int)dir, name, os_flags(flags), mode);
    return accept_opened(fd, (flags & WEDR_FS_WRITE) == 0, ret_file);
}

int wedr_fs_open(const char *path, unsigned flags, uint32_t mode, wedr_handle *ret_file)
{
    int fd;
    if (path == NULL || path[0] == '\0' || (flags & (WEDR_FS_READ | WEDR_FS_WRITE)) == 0) {
        return WEDR_E_INVAL;
    }
    do {
        fd = open(path, os_flags(flags), mode);
    } while (fd < 0 && errno == EINTR);
    return accept_opened(fd, false, ret_file);
}

void wedr_fs_close(wedr_handle h)
{
    if (h != WEDR_HANDLE_NONE) {
        (void)close((int)h); /* after EINTR the descriptor is gone on Linux: never repeat */
    }
}

int wedr_fs_write(wedr_handle h, const void *p, size_t n)
{
    const uint8_t *b = (const uint8_t *)p;
    while (n > 0) {
        ssize_t done = write((int)h, b, n < IO_CHUNK_MAX ? n : IO_CHUNK_MAX);
        if (done < 0) {
            if (errno == EINTR) {
                continue;
            }
            return failed();
        }
        if (done == 0) {
            return WEDR_E_IO; /* no file system should; never spin on one that does */
        }
        b += done;
        n -= (size_t)done;
    }
    return WEDR_OK;
}

int wedr_fs_read(wedr_handle h, void *p, size_t n, size_t *ret_n)
{
    ssize_t done;
    do {
        done = read((int)h, p, n < IO_CHUNK_MAX ? n : IO_CHUNK_MAX);
    } while (done < 0 && errno == EINTR);
    if (done < 0) {
        return failed();
    }
    *ret_n = (size_t)done;
    return WEDR_OK;
}

int wedr_fs_pread(wedr_handle h, void *p, size_t n, uint64_t offset, size_t *ret_n)
{
    ssize_t done;
    if (offset > INT64_MAX) {
        return WEDR_E_INVAL;
    }
    do {
        done = pread((int)h, p, n < IO_CHUNK_MAX ? n : IO_CHUNK_MAX, (off_t)offset);
    } while (done < 0 && errno == EINTR);
    if (done < 0) {
        return failed();
    }
    *ret_n = (size_t)done;
    return WEDR_OK;
}

int wedr_fs_memory(const char *name, uint64_t size, wedr_handle *ret_file)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return wedr_err_from_os(errno);
    }
    if (ftruncate(fd, (off_t)size) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
        int e = errno;
        (void)close(fd);
        return wedr_err_from_os(e);
    }
    *ret_file = fd;
    return WEDR_OK;
}

int wedr_fs_truncate(wedr_handle h, uint64_t size)
{
    int e;
    if (size > INT64_MAX) {
        return WEDR_E_INVAL;
    }
    do {
        e = ftruncate((int)h, (off_t)size);
    } while (e != 0 && errno == EINTR);
    return e != 0 ? failed() : WEDR_OK;
}

int wedr_fs_seek_end(wedr_handle h)
{
    return lseek((int)h, 0, SEEK_END) < 0 ? failed() : WEDR_OK;
}

int wedr_fs_sync(wedr_handle h)
{
    int e;
    do {
        e = fsync((int)h);
    } while (e != 0 && errno == EINTR);
    return e != 0 ? failed() : WEDR_OK;
}

static void give(const struct stat *st, struct wedr_fs_stat *ret_st)
{
    *ret_st = (struct wedr_fs_stat){
        .size = st->st_size < 0 ? 0 : (uint64_t)st->st_size,
        .mtime_us = (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000,
        .mode = (uint32_t)st->st_mode & 07777u,
        .uid = st->st_uid,
        .gid = st->st_gid,
        .regular = S_ISREG(st->st_mode),
        .directory = S_ISDIR(st->st_mode),
    };
}

int wedr_fs_stat(wedr_handle h, struct wedr_fs_stat *ret_st)
{
    struct stat st;
    if (fstat((int)h, &st) != 0) {
        return failed();
    }
    give(&st, ret_st);
    return WEDR_OK;
}

int wedr_fs_stat_path(const char *path, struct wedr_fs_stat *ret_st)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        return failed();
    }
    give(&st, ret_st);
    return WEDR_OK;
}

int wedr_fs_stat_at(wedr_handle dir, const char *name, struct wedr_fs_stat *ret_st)
{
    struct stat st;
    if (!wedr_path_is_name(name)) {
        return WEDR_E_INVAL;
    }
    if (fstatat((int)dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return failed();
    }
    give(&st, ret_st);
    return WEDR_OK;
}

int wedr_fs_rename_at(wedr_handle dir, const char *from, const char *to)
{
    if (!wedr_path_is_name(from) || !wedr_path_is_name(to)) {
        return WEDR_E_INVAL;
    }
    return renameat((int)dir, from, (int)dir, to) != 0 ? failed() : WEDR_OK;
}

int wedr_fs_unlink_at(wedr_handle dir, const char *name)
{
    if (!wedr_path_is_name(name)) {
        return WEDR_E_INVAL;
    }
    return unlinkat((int)dir, name, 0) != 0 ? failed() : WEDR_OK;
}

int wedr_fs_list(wedr_handle dir, int (*fn)(void *arg, const char *name), void *arg)
{
    /* getdents64 on the handle itself: no second open, so a listing also works where opening is
     * forbidden. */
    union {
        struct dirent64 align;
        uint8_t bytes[8192];
    } block;
    if (lseek((int)dir, 0, SEEK_SET) < 0) {
        return failed();
    }
    for (;;) {
        ssize_t n = getdents64((int)dir, block.bytes, sizeof(block.bytes));
        if (n <= 0) {
            return n < 0 ? failed() : WEDR_OK;
        }
        for (size_t at = 0; at < (size_t)n;) {
            const struct dirent64 *d = (const struct dirent64 *)(const void *)(block.bytes + at);
            at += d->d_reclen;
            if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0) {
                continue;
            }
            int r = fn(arg, d->d_name);
            if (r != 0) {
                return r;
            }
        }
    }
}

int wedr_fs_read_all(wedr_handle h, struct wedr_buf *ret_buf)
{
    uint8_t probe;
    size_t n = 0;
    wedr_buf_truncate(ret_buf, 0);
    for (;;) {
        size_t room = ret_buf->max - ret_buf->len;
        size_t want = room < 65536 ? room : 65536;
        uint8_t *to = &probe;
        if (want == 0) {
            want = 1; /* full: one byte more tells whether the file is larger */
        } else {
            to = wedr_buf_reserve(ret_buf, want);
        }
        int err = to == NULL ? WEDR_E_NOMEM : wedr_fs_pread(h, to, want, ret_buf->len, &n);
        if (err == WEDR_OK && n > 0 && to == &probe) {
            err = WEDR_E_LIMIT;
        }
        if (err != WEDR_OK) {
            wedr_buf_truncate(ret_buf, 0);
            return err;
        }
        if (n == 0) {
            return WEDR_OK;
        }
        wedr_buf_commit(ret_buf, n);
    }
}

/* A fresh name each time, created exclusively: two writers never share one temporary file. */
static int temp_name(const char *name, char ret[NAME_MAX + 1])
{
    uint8_t r[4];
    char hex[2 * sizeof(r) + 1];
    if (strlen(name) + TEMP_SUFFIX_LEN > NAME_MAX) {
        return WEDR_E_INVAL;
    }
    wedr_random(r, sizeof(r));
    wedr_hex(r, sizeof(r), hex);
    (void)snprintf(ret, NAME_MAX + 1, ".%.*s.%s.tmp", NAME_MAX - TEMP_SUFFIX_LEN, name, hex);
    return WEDR_OK;
}

static int write_new(wedr_handle dir, const char *name, const void *p, size_t n, uint32_t mode)
{
    wedr_handle h = WEDR_HANDLE_NONE;
    int err = wedr_fs_open_at(dir, name, WEDR_FS_WRITE | WEDR_FS_CREATE | WEDR_FS_EXCL, 0600, &h);
    if (err != WEDR_OK) {
        return err;
    }
    if (mode != 0600 && fchmod((int)h, mode) != 0) { /* not subject to the umask */
        err = failed();
    }
    if (err == WEDR_OK) {
        err = wedr_fs_write(h, p, n);
    }
    if (err == WEDR_OK) {
        err = wedr_fs_sync(h);
    }
    wedr_fs_close(h);
    return err;
}

int wedr_fs_replace_at(wedr_handle dir, const char *name, const void *p, size_t n, uint32_t mode)
{
    char temp[NAME_MAX + 1];
    if (!wedr_path_is_name(name)) {
        return WEDR_E_INVAL;
    }
    int err = temp_name(name, temp);
    if (err != WEDR_OK) {
        return err;
    }
    err = write_new(dir, temp, p, n, mode);
    if (err == WEDR_OK) {
        err = wedr_fs_rename_at(dir, temp, name);
    }
    if (err != WEDR_OK) {
        (void)unlinkat((int)dir, temp, 0);
        return err;
    }
    return wedr_fs_sync(dir);
}

int wedr_fs_lock(wedr_handle file)
{
    int e;
    do {
        e = flock((int)file, LOCK_EX | LOCK_NB);
    } while (e != 0 && errno == EINTR);
    if (e != 0) {
        return errno == EWOULDBLOCK ? WEDR_E_BUSY : failed();
    }
    return WEDR_OK;
}

int wedr_fs_free_bytes(wedr_handle dir, uint64_t *ret_bytes)
{
    struct statvfs sv;
    if (fstatvfs((int)dir, &sv) != 0) {
        return failed();
    }
    *ret_bytes = (uint64_t)sv.f_bavail * (uint64_t)sv.f_frsize;
    return WEDR_OK;
}
