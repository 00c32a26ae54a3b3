/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/plat/exe.h"

#include "core/base/err.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NS_PER_S 1000000000
#define MOUNTINFO_MAX (1u << 20) /* bytes that are searched */
#define OWN_MOUNTS "/proc/self/mountinfo"

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

/* A line of mountinfo. */
struct mount {
    uint64_t id;
    uint32_t dev;  /* as in wedr_exe_id */
    char type[32]; /* "": it stands too far behind in the line */
};

/* "36 35 98:0 /root /point options tags... - type source options". */
static bool read_line(const char *line, struct mount *ret)
{
    char *at = NULL;
    struct mount m = {.id = strtoull(line, &at, 10)};
    const char *type = strstr(line, " - ");
    (void)strtoull(at, &at, 10); /* the mount above it */
    unsigned long major = strtoul(at, &at, 10);
    if (*at != ':') {
        return false;
    }
    unsigned long minor = strtoul(at + 1, &at, 10);
    m.dev = (uint32_t)(major << 20 | minor);
    if (type) {
        (void)snprintf(m.type, sizeof(m.type), "%.*s", (int)strcspn(type + 3, " "), type + 3);
    }
    *ret = m;
    return true;
}

/* The first mount of that id, or with id 0 of that device. */
static bool find_mount(const char *mountinfo, uint64_t id, uint32_t dev, struct mount *ret)
{
    char line[8192];
    size_t seen = 0;
    bool found = false, whole = true;
    FILE *f = fopen(mountinfo, "re");
    while (f && !found && seen < MOUNTINFO_MAX && fgets(line, sizeof(line), f)) {
        struct mount m;
        size_t len = strlen(line);
        if (whole && read_line(line, &m) && (id ? m.id == id : m.dev == dev)) {
            *ret = m;
            found = true;
        }
        whole = len > 0 && line[len - 1] == '\n';
        seen += len;
    }
    if (f) {
        (void)fclose(f);
    }
    return found;
}

/* The device of what lies in memory alone (memfd_create): the same for all, and no mount. 0: it is
 * not known. */
static uint32_t memory_device(void)
{
    char line[512], begin[24];
    uint32_t dev = 0;
    /* cppcheck-suppress invalidFunctionArg ; without a file it is -1 */
    void *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    FILE *f = p == MAP_FAILED ? NULL : fopen("/proc/self/maps", "re");
    int n = snprintf(begin, sizeof(begin), "%lx-", (unsigned long)(uintptr_t)p);
    while (f && dev == 0 && fgets(line, sizeof(line), f)) {
        char *at = line; /* "begin-end rights offset major:minor inode path" */
        if (strncmp(line, begin, (size_t)n) != 0) {
            continue;
        }
        for (int i = 0; i < 3 && at; i++) {
            at = strchr(at, ' ');
            at = at ? at + 1 : NULL;
        }
        unsigned long major = at ? strtoul(at, &at, 16) : 0;
        dev = at && *at == ':' ? (uint32_t)(major << 20 | strtoul(at + 1, NULL, 16)) : 0;
    }
    if (f) {
        (void)fclose(f);
    }
    if (p != MAP_FAILED) {
        (void)munmap(p, 4096);
    }
    return dev;
}

static bool type_is_remote(const char *type)
{
    static const char *const types[] = {"fuse", "nfs",   "cifs", "smb3",   "9p",      "ceph",
                                        "afs",  "ocfs2", "gfs2", "lustre", "virtiofs"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(types); i++) {
        if (strncmp(type, types[i], strlen(types[i])) == 0) {
            return true; /* fuse.sshfs, nfs4, fuseblk too */
        }
    }
    return type[0] == '\0';
}

/* Before 5.8 statx does not say it. */
static uint64_t mount_of(int fd, const struct statx *st)
{
    char line[128];
    uint64_t id = 0;
    if (st->stx_mask & STATX_MNT_ID) {
        return st->stx_mnt_id;
    }
    (void)snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", fd);
    FILE *f = fopen(line, "re");
    while (f && id == 0 && fgets(line, sizeof(line), f)) {
        id = strncmp(line, "mnt_id:", 7) == 0 ? strtoull(line + 7, NULL, 10) : 0;
    }
    if (f) {
        (void)fclose(f);
    }
    return id;
}

/* A mount that is listed nowhere is one that is gone, or that its process cannot see any more: who
 * answers there cannot be told by it. An overlay answers for what it lies over, which may be a
 * user's own FUSE; only one that is mounted here too was made by root. */
static bool is_remote(int fd, const struct statx *st, const char *mountinfo)
{
    struct mount m, here;
    uint64_t id = mount_of(fd, st);
    uint32_t dev = st->stx_dev_major << 20 | st->stx_dev_minor;
    bool listed = id && (find_mount(mountinfo, id, 0, &m) || find_mount(OWN_MOUNTS, id, 0, &m));
    if (!listed && !find_mount(OWN_MOUNTS, 0, dev, &m)) {
        return dev != memory_device();
    }
    return type_is_remote(m.type) ||
           (strcmp(m.type, "overlay") == 0 && !find_mount(OWN_MOUNTS, 0, m.dev, &here));
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
    if (err == WEDR_OK && is_remote(path_fd, &st, mountinfo)) {
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
    return fd < 0 ? path_error(errno) : open_if_same(fd, OWN_MOUNTS, want, ret_file, NULL);
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
