/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/plat/mounts.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/buf.h"
#include "wedr/plat/fs.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM 1024u
#define LINKS_MAX 16u
#define TABLE_MAX (16u << 20)

/* File systems whose answers come from this kernel and this machine's disks. exe.c names the remote
 * ones instead: who hangs there is a process that is ended for it. */
static const char *const local_types[] = {
    "ext2",     "ext3",    "ext4",     "xfs",         "btrfs",      "f2fs",      "zfs",
    "bcachefs", "jfs",     "reiserfs", "nilfs2",      "tmpfs",      "ramfs",     "rootfs",
    "devtmpfs", "overlay", "squashfs", "erofs",       "iso9660",    "udf",       "vfat",
    "exfat",    "ntfs3",   "proc",     "sysfs",       "securityfs", "cgroup",    "cgroup2",
    "tracefs",  "debugfs", "bpf",      "configfs",    "mqueue",     "hugetlbfs", "devpts",
    "ecryptfs", "pstore",  "efivarfs", "binfmt_misc", "nsfs"};

struct wedr_mounts {
    char **foreign; /* where the others are mounted */
    size_t count, cap;
};

static bool is_local_type(const char *type)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(local_types); i++) {
        if (strcmp(type, local_types[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* "\040" and the like, in place. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *p = text; *p; to++) {
        if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
            p[3] >= '0' && p[3] <= '7') {
            *to = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
            p += 4;
        } else {
            *to = *p++;
        }
    }
    *to = '\0';
}

static int add(struct wedr_mounts *m, char *point)
{
    if (m->count == m->cap) {
        size_t cap = m->cap ? 2 * m->cap : 16;
        char **more = wedr_realloc(m->foreign, cap, sizeof(*more));
        if (!more) {
            return WEDR_E_NOMEM;
        }
        m->foreign = more;
        m->cap = cap;
    }
    unescape(point);
    m->foreign[m->count] = wedr_strndup(point, strlen(point));
    return m->foreign[m->count] ? (m->count++, WEDR_OK) : WEDR_E_NOMEM;
}

/* "36 35 98:0 /root /point options tags... - type source options". */
static int read_line(struct wedr_mounts *m, char *line)
{
    char *dash = strstr(line, " - "), *point = line;
    for (int i = 0; i < 4 && point; i++) {
        point = strchr(point, ' ');
        point = point ? point + 1 : NULL;
    }
    if (!dash || !point || point > dash) {
        return WEDR_OK;
    }
    char *type = dash + 3;
    type[strcspn(type, " ")] = '\0';
    point[strcspn(point, " ")] = '\0';
    return is_local_type(type) || strcmp(point, "/") == 0 ? WEDR_OK : add(m, point);
}

int wedr_mounts_read(struct wedr_mounts **ret)
{
    struct wedr_mounts *m = wedr_alloc(1, sizeof(*m));
    wedr_handle h = WEDR_HANDLE_NONE;
    struct wedr_buf text;
    *ret = NULL;
    wedr_buf_init(&text, TABLE_MAX);
    int err = m ? wedr_fs_open("/proc/self/mountinfo", WEDR_FS_READ, 0, &h) : WEDR_E_NOMEM;
    err = err == WEDR_OK ? wedr_fs_read_all(h, &text) : err;
    for (char *line = (char *)text.p; err == WEDR_OK && line && *line;) {
        char *end = strchr(line, '\n');
        if (end) {
            *end = '\0';
        }
        err = read_line(m, line);
        line = end ? end + 1 : NULL;
    }
    wedr_fs_close(h);
    wedr_buf_fini(&text);
    if (err != WEDR_OK) {
        wedr_mounts_free(m);
        return err;
    }
    *ret = m;
    return WEDR_OK;
}

void wedr_mounts_free(struct wedr_mounts *m)
{
    for (size_t i = 0; m && i < m->count; i++) {
        wedr_free(m->foreign[i]);
    }
    if (m) {
        wedr_free((void *)m->foreign);
    }
    wedr_free(m);
}

static bool is_foreign(const struct wedr_mounts *m, const char *path)
{
    for (size_t i = 0; i < m->count; i++) {
        size_t n = strlen(m->foreign[i]);
        if (strncmp(path, m->foreign[i], n) == 0 && (path[n] == '\0' || path[n] == '/')) {
            return true;
        }
    }
    return false;
}

/* A walk down a path: what was looked at, and what is left. */
struct walk {
    char at[PATH_ROOM], rest[PATH_ROOM];
    size_t len; /* of at */
    unsigned links;
};

static void go_up(struct walk *w)
{
    while (w->len > 0 && w->at[--w->len] != '/') {
    }
    w->at[w->len] = '\0';
}

/* Moves the next part from rest to at. *ret_end: there is none. False: too long. */
static bool take_part(struct walk *w, bool *ret_end)
{
    size_t skip = strspn(w->rest, "/"), n = strcspn(w->rest + skip, "/");
    const char *part = w->rest + skip;
    *ret_end = n == 0;
    if (n == 2 && part[0] == '.' && part[1] == '.') {
        go_up(w);
    } else if (n > 1 || (n == 1 && part[0] != '.')) {
        if (w->len + 1 + n >= sizeof(w->at)) {
            return false;
        }
        w->at[w->len] = '/';
        memcpy(w->at + w->len + 1, part, n);
        w->len += n + 1;
        w->at[w->len] = '\0';
    }
    memmove(w->rest, part + n, strlen(part + n) + 1);
    return true;
}

/* Goes on where the link at w->at leads. False: nowhere that can be followed. */
static bool follow(struct walk *w)
{
    char target[PATH_ROOM], all[PATH_ROOM];
    ssize_t got = readlink(w->at, target, sizeof(target) - 1);
    if (got <= 0 || ++w->links > LINKS_MAX) {
        return false;
    }
    target[got] = '\0';
    go_up(w);
    if (target[0] == '/') {
        w->len = 0;
        w->at[0] = '\0';
    }
    int n = snprintf(all, sizeof(all), "%s/%s", target, w->rest);
    if (n < 0 || (size_t)n >= sizeof(all)) {
        return false;
    }
    memcpy(w->rest, all, (size_t)n + 1);
    return true;
}

bool wedr_mounts_local(const struct wedr_mounts *m, const char *path)
{
    struct walk w = {.len = 0};
    if (m == NULL) {
        return true;
    }
    if (path[0] != '/' || strlen(path) >= sizeof(w.rest)) {
        return false;
    }
    if (m->count == 0) {
        return true;
    }
    (void)snprintf(w.rest, sizeof(w.rest), "%s", path);
    for (;;) {
        struct stat st;
        bool end = false;
        if (!take_part(&w, &end) || is_foreign(m, w.at)) {
            return false;
        }
        if (end || (w.len > 0 && lstat(w.at, &st) != 0)) {
            return true;
        }
        if (w.len > 0 && S_ISLNK(st.st_mode) && !follow(&w)) {
            return false;
        }
    }
}
