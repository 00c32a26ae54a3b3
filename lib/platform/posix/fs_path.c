/* SPDX-License-Identifier: Apache-2.0 */
#include "fs_path.h"

#include "core/base/err.h"
#include "wedr/plat/fs.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

bool wedr_path_is_name(const char *name)
{
    if (name == NULL) {
        return false;
    }
    size_t n = strnlen(name, NAME_MAX + 1);
    return n > 0 && n <= NAME_MAX && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

int wedr_path_openat(int dir, const char *name, int flags, mode_t mode)
{
    int fd;
    flags |= O_CLOEXEC | O_NOFOLLOW;
    /* openat2 refuses magic links too; before Linux 5.6, and under a filter that does not know it,
     * O_NOFOLLOW of one component is the same check for everything but those. */
    struct open_how how = {.flags = (unsigned)flags,
                           .mode = (flags & O_CREAT) != 0 ? mode : 0,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    do {
        fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
    } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    if (fd < 0 && errno == ENOSYS) {
        do {
            fd = openat(dir, name, flags, mode);
        } while (fd < 0 && errno == EINTR);
    }
    return fd;
}

/* Opens one part of the way to a folder, making it when it is missing. Links are followed in parts
 * that exist already (the administrator's), never in one we have just made. */
static int enter_parent(int dir, const char *name)
{
    int fd = openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 || errno != ENOENT) {
        return fd;
    }
    if (mkdirat(dir, name, 0755) != 0 && errno != EEXIST) {
        return -1;
    }
    return openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* Makes sure of the last folder and of what it is by its handle, not by its name. */
static int settle_folder(int parent, const char *name, uint32_t mode, uint32_t uid)
{
    struct stat st;
    int err = WEDR_OK;
    if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST) {
        return wedr_err_from_os(errno);
    }
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return wedr_err_from_os(errno);
    }
    if (fstat(fd, &st) != 0) {
        err = wedr_err_from_os(errno);
        goto out;
    }
    if (st.st_uid != geteuid() && (uid == UINT32_MAX || st.st_uid != uid)) {
        err = WEDR_E_PERM;
        goto out;
    }
    if (uid != UINT32_MAX && (st.st_uid != uid || st.st_gid != uid) && fchown(fd, uid, uid) != 0) {
        err = wedr_err_from_os(errno);
        goto out;
    }
    if ((st.st_mode & 07777u) != mode && fchmod(fd, mode) != 0) {
        err = wedr_err_from_os(errno);
    }
out:
    (void)close(fd);
    return err;
}

/* Copies the next component of *p into name; 0 at the end, -1 when it is too long. */
static int next_component(const char **p, char name[NAME_MAX + 1])
{
    while (**p == '/') {
        (*p)++;
    }
    size_t n = strcspn(*p, "/");
    if (n > NAME_MAX) {
        return -1;
    }
    memcpy(name, *p, n);
    name[n] = '\0';
    *p += n;
    return n == 0 ? 0 : 1;
}

int wedr_fs_mkdir(const char *path, uint32_t mode, uint32_t uid)
{
    char name[NAME_MAX + 1];
    char next[NAME_MAX + 1];
    const char *p = path;
    if (path == NULL || next_component(&p, name) != 1) {
        return WEDR_E_INVAL;
    }
    int dir = open(path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int err = dir < 0 ? wedr_err_from_os(errno) : WEDR_OK;
    while (err == WEDR_OK) {
        int more = next_component(&p, next);
        if (more < 0) {
            err = WEDR_E_INVAL;
        } else if (more == 0) {
            err = settle_folder(dir, name, mode, uid);
            break;
        } else {
            int deeper = enter_parent(dir, name);
            err = deeper < 0 ? wedr_err_from_os(errno) : WEDR_OK;
            (void)close(dir);
            dir = deeper;
            memcpy(name, next, sizeof(name));
        }
    }
    if (dir >= 0) {
        (void)close(dir);
    }
    return err;
}

int wedr_fs_open_dir(const char *path, wedr_handle *ret_dir)
{
    int fd;
    if (path == NULL || path[0] == '\0') {
        return WEDR_E_INVAL;
    }
    do {
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        return wedr_err_from_os(errno);
    }
    *ret_dir = fd;
    return WEDR_OK;
}
