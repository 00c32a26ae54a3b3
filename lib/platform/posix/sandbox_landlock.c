/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_internal.h"

#include "core/base/err.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What later kernels added to the header of the oldest one we build with. The kernel takes the long
 * structure from everyone, as long as what it does not know is zero. */
#define FS_REFER (1ull << 13)     /* version 2 */
#define FS_TRUNCATE (1ull << 14)  /* version 3 */
#define FS_IOCTL_DEV (1ull << 15) /* version 5 */
#define NET_BIND_TCP (1ull << 0)  /* version 4 */
#define NET_CONNECT_TCP (1ull << 1)
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ull << 0) /* version 6 */
#define SCOPE_SIGNAL (1ull << 1)

struct ruleset {
    uint64_t fs, net, scoped;
};

#define FS_FIRST                                                                                   \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |   \
     LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR |                                 \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |   \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define CORE_FOLDER                                                                               \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | \
     LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                             \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | FS_REFER | FS_TRUNCATE)
#define READ_FOLDER (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

/* What NET may read: name service configuration, the modules it loads, OpenSSL's configuration,
 * public CA files. What is missing on a system is skipped. */
static const char *const net_files[] = {
    "/etc/resolv.conf", "/etc/hosts",     "/etc/nsswitch.conf",
    "/etc/gai.conf",    "/etc/host.conf", "/etc/ld.so.cache",
};
static const char *const net_folders[] = {
    "/etc/ssl", "/etc/pki/tls", "/usr/share/ca-certificates", "/usr/lib", "/usr/lib64",
    "/lib",     "/lib64",
};

/* Which files the rules speak of. */
static struct {
    bool there;
    dev_t device;
    ino_t inode;
} seen[WEDR_ARRAY_COUNT(net_files)];
static bool seen_any;

static void look(bool *ret_changed)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(net_files); i++) {
        struct stat st = {.st_ino = 0};
        bool there = stat(net_files[i], &st) == 0;
        *ret_changed = *ret_changed || there != seen[i].there ||
                       (there && (st.st_dev != seen[i].device || st.st_ino != seen[i].inode));
        if (!seen_any) {
            seen[i].there = there;
            seen[i].device = st.st_dev;
            seen[i].inode = st.st_ino;
        }
    }
}

bool wedr_sandbox_outdated(void)
{
    bool changed = false;
    if (seen_any) {
        look(&changed);
    }
    return changed;
}

static void describe(enum wedr_sandbox_profile profile, long version, struct ruleset *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->fs = FS_FIRST;
    ret->fs |= version >= 2 ? FS_REFER : 0;
    ret->fs |= version >= 3 ? FS_TRUNCATE : 0;
    ret->fs |= version >= 5 ? FS_IOCTL_DEV : 0;
    if (version >= 4) { /* what is handled and not allowed by a rule is denied */
        ret->net = profile == WEDR_SANDBOX_NET ? NET_BIND_TCP : NET_BIND_TCP | NET_CONNECT_TCP;
    }
    ret->scoped = version >= 6 ? SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL : 0;
}

static int allow_fd(int ruleset, int fd, uint64_t access)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};
    return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

static int allow_path(int ruleset, const char *path, uint64_t access)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
    }
    int e = allow_fd(ruleset, fd, access);
    (void)close(fd);
    return e;
}

/* Where resolv.conf is a link into a folder of a resolver's own (systemd-resolved, NetworkManager),
 * that folder is allowed: the file in it is replaced whenever the network changes, and a rule
 * speaks of one inode. */
static int allow_resolver_folder(int ruleset)
{
    char target[PATH_MAX];
    if (realpath("/etc/resolv.conf", target) == NULL || strncmp(target, "/run/", 5) != 0) {
        return 0;
    }
    char *slash = strrchr(target, '/');
    if (slash <= target + 4) {
        return 0;
    }
    *slash = '\0';
    return allow_path(ruleset, target, LANDLOCK_ACCESS_FS_READ_FILE);
}

static int add_rules(enum wedr_sandbox_profile profile, int ruleset, int dir, uint64_t handled)
{
    if (profile == WEDR_SANDBOX_CORE) {
        return allow_fd(ruleset, dir, CORE_FOLDER & handled);
    }
    if (profile != WEDR_SANDBOX_NET) {
        return 0;
    }
    bool changed = false;
    seen_any = false;
    look(&changed); /* before the rules: a file replaced in between is seen as replaced */
    seen_any = true;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(net_files); i++) {
        if (allow_path(ruleset, net_files[i], LANDLOCK_ACCESS_FS_READ_FILE) != 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(net_folders); i++) {
        if (allow_path(ruleset, net_folders[i], READ_FOLDER) != 0) {
            return -1;
        }
    }
    return allow_resolver_folder(ruleset);
}

int wedr_landlock_build(enum wedr_sandbox_profile profile,
                        int dir,
                        int *ret_fd,
                        struct wedr_errinfo *ei)
{
    struct ruleset r;
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) {
        *ret_fd = -1;
        return WEDR_OK;
    }
    describe(profile, version, &r);
    int fd = (int)syscall(SYS_landlock_create_ruleset, &r, sizeof(r), 0);
    if (fd < 0 || add_rules(profile, fd, dir, r.fs) != 0) {
        int e = errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        return wedr_fail(ei, wedr_err_from_os(e), "landlock rules: errno %d", e);
    }
    *ret_fd = fd;
    return WEDR_OK;
}

int wedr_landlock_apply(int fd, struct wedr_errinfo *ei)
{
    if (fd >= 0 && syscall(SYS_landlock_restrict_self, fd, 0) != 0) {
        int e = errno;
        return wedr_fail(ei, wedr_err_from_os(e), "landlock: errno %d", e);
    }
    return WEDR_OK;
}
