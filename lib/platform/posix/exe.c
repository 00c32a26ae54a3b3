/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/plat/exe.h"

#include "core/base/err.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NS_PER_S 1000000000
#define MOUNTINFO_MAX (1u << 20) /* bytes that are searched */

static int64_t ns_of(struct statx_timestamp t)
{
    return t.tv_sec * NS_PER_S + (int64_t)t.tv_nsec;
}

/* What is known already is enough: no question to a server or a daemon. */
static int look(int fd, struct statx *ret)
{
    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID, ret) !=
        0) {
        return wedr_err_from_os(errno);
    }
    return WEDR_OK;
}

static bool is_same_but_touched(const struct statx *st, const struct wedr_exe_id *want)
{
    uint32_t dev = st->stx_dev_major << 20 | st->stx_dev_minor;
    bool no_hardware = st->stx_dev_major == 0 && want->dev >> 20 == 0;
    return st->stx_ino == want->inode && (dev == want->dev || no_hardware) &&
           st->stx_size == want->size && ns_of(st->stx_ctime) >= want->ctime_ns &&
           ns_of(st->stx_mtime) == want->mtime_ns;
}

static bool is_same(const struct statx *st, const struct wedr_exe_id *want)
{
    return is_same_but_touched(st, want) && ns_of(st->stx_ctime) == want->ctime_ns;
}

/* " - type source options" of the line of that mount. */
static bool line_is_remote(const char *line)
{
    static const char *const types[] = {"fuse", "nfs",   "cifs", "smb3",   "9p",      "ceph",
                                        "afs",  "ocfs2", "gfs2", "lustre", "virtiofs"};
    const char *type = strstr(line, " - ");
    for (size_t i = 0; type && i < WEDR_ARRAY_COUNT(types); i++) {
        if (strncmp(type + 3, types[i], strlen(types[i])) == 0) {
            return true; /* fuse.sshfs, nfs4, fuseblk too */
        }
    }
    return false;
}

/* One that is not in the list (a memfd, a mount that is gone) has no daemon that could be asked. */
static bool is_remote(const char *mountinfo, uint64_t mount)
{
    char line[8192];
    size_t seen = 0;
    bool remote = false;
    FILE *f = fopen(mountinfo, "re");
    if (!f) {
        return false;
    }
    while (seen < MOUNTINFO_MAX && fgets(line, sizeof(line), f)) {
        seen += strlen(line);
        if (strtoull(line, NULL, 10) == mount) {
            remote = line_is_remote(line);
            break;
        }
    }
    (void)fclose(f);
    return remote;
}

/* path_fd was opened without the file system's own open; it is closed. ret_ctime_ns NULL: the ctime
 * must be the same. */
static int open_if_same(int path_fd,
                        const char *mountinfo,
                        const struct wedr_exe_id *want,
                        wedr_handle *ret_file,
                        int64_t *ret_ctime_ns)
{
    char path[64];
    struct statx st;
    int err = look(path_fd, &st);
    if (err == WEDR_OK && !(ret_ctime_ns ? is_same_but_touched(&st, want) : is_same(&st, want))) {
        err = WEDR_E_CONFLICT;
    }
    if (err == WEDR_OK && (!S_ISREG(st.stx_mode) || (st.stx_mode & 0111u) == 0)) {
        err = WEDR_E_PERM;
    }
    if (err == WEDR_OK && is_remote(mountinfo, st.stx_mnt_id)) {
        err = WEDR_E_UNSUP;
    }
    if (err == WEDR_OK) {
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
        *ret_file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        err = *ret_file < 0 ? wedr_err_from_os(errno) : WEDR_OK;
        if (err == WEDR_OK && ret_ctime_ns) {
            *ret_ctime_ns = ns_of(st.stx_ctime);
        }
    }
    (void)close(path_fd);
    return err;
}

static int path_error(int e)
{
    return e == ENOENT || e == ESRCH || e == ENOTDIR ? WEDR_E_NOENT : wedr_err_from_os(e);
}

int wedr_exe_open_running(uint32_t pid,
                          const struct wedr_exe_id *want,
                          wedr_handle *ret_file,
                          int64_t *ret_ctime_ns)
{
    char path[64];
    char mountinfo[64];
    (void)snprintf(path, sizeof(path), "/proc/%u/exe", pid);
    (void)snprintf(mountinfo, sizeof(mountinfo), "/proc/%u/mountinfo", pid);
    int fd = open(path, O_PATH | O_CLOEXEC);
    return fd < 0 ? path_error(errno) : open_if_same(fd, mountinfo, want, ret_file, ret_ctime_ns);
}

int wedr_exe_open_path(const char *path, const struct wedr_exe_id *want, wedr_handle *ret_file)
{
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? path_error(errno)
                  : open_if_same(fd, "/proc/self/mountinfo", want, ret_file, NULL);
}

bool wedr_exe_unchanged(wedr_handle file, const struct wedr_exe_id *want)
{
    struct statx st;
    return look((int)file, &st) == WEDR_OK && is_same(&st, want);
}

static bool is_there(const char *path, int flags, const struct wedr_exe_id *want)
{
    int fd = open(path, O_PATH | O_CLOEXEC | flags);
    if (fd < 0) {
        return false;
    }
    bool same = wedr_exe_unchanged(fd, want);
    (void)close(fd);
    return same;
}

bool wedr_exe_is_run_by(uint32_t pid, const struct wedr_exe_id *want)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%u/exe", pid);
    return is_there(path, 0, want);
}

bool wedr_exe_is_at(const char *path, const struct wedr_exe_id *want)
{
    return is_there(path, O_NOFOLLOW, want);
}
