/* SPDX-License-Identifier: Apache-2.0
 *
 * fanotify on the folders of lib/wire/persistence.def. An event names the folder by its handle and
 * the entry by its name, both the kernel's. A pattern that means "anywhere" is watched in the
 * system's folders and in everybody's home; what matches is asked of the whole path. */
#include "watch_priv.h"

#include "core/base/attr.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/mounts.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FOLDERS_MAX 2048u
#define HANDLE_BYTES 64u
#define EVENTS (FAN_CREATE | FAN_CLOSE_WRITE | FAN_MOVED_TO | FAN_DELETE | FAN_ATTRIB)

static const struct pattern {
    const char *text;
    uint16_t mechanism;
} patterns[] = {
#define WEDR_PERSIST(mechanism, text) {text, WEDR_PERSISTENCE_##mechanism},
#include "wedr/wire/persistence.def"
#undef WEDR_PERSIST
};

/* Where an "anywhere" pattern is looked for, beside the homes. */
static const char *const system_bases[] = {"/etc",           "/usr/lib",   "/lib",     "/run",
                                           "/usr/local/lib", "/usr/share", "/etc/xdg", "/var/lib",
                                           "/usr/local/etc", "/proc/sys"};
static const char *const home_parts[] = {"", "/.config", "/.local/share", "/.ssh"};

struct folder {
    char path[256];
    __kernel_fsid_t fsid;
    uint32_t handle_bytes;
    int handle_type;
    uint8_t handle[HANDLE_BYTES];
};
struct watch_files {
    int fd;
    uint32_t count;
    struct wedr_mounts *mounts; /* while marking: a folder may lie where nobody answers */
    struct folder folder[FOLDERS_MAX];
};

static bool ends_with(const char *path, size_t len, const char *tail)
{
    size_t n = strlen(tail);
    return len >= n && memcmp(path + len - n, tail, n) == 0;
}

/* persistence.def says what a pattern means. */
static bool matches(const struct pattern *p, const char *path, size_t len)
{
    size_t n = strlen(p->text);
    bool folder = p->text[n - 1] == '/';
    if (p->text[0] == '/') {
        return folder ? len > n && memcmp(path, p->text, n) == 0
                      : len == n && memcmp(path, p->text, n) == 0;
    }
    const char *tail = p->text + 1; /* "/.ssh/rc", "/systemd/user/" */
    if (!folder) {
        return ends_with(path, len, tail);
    }
    for (unsigned up = 0; up < 2 && len > 1; up++) { /* in it, or one folder below */
        while (len > 0 && path[len - 1] != '/') {
            len--;
        }
        if (ends_with(path, len, tail)) {
            return true;
        }
        len -= len > 0;
    }
    return false;
}

/* The most exact one decides. 0: none. */
static uint16_t mechanism_of(const char *path)
{
    size_t len = strlen(path), best = 0;
    uint16_t found = 0;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(patterns); i++) {
        size_t n = strlen(patterns[i].text);
        if (n > best && matches(&patterns[i], path, len)) {
            best = n;
            found = patterns[i].mechanism;
        }
    }
    return found;
}

static const struct folder *folder_of(const struct watch_files *w,
                                      const struct fanotify_event_info_fid *info,
                                      const struct file_handle *h)
{
    for (uint32_t i = 0; i < w->count; i++) {
        const struct folder *f = &w->folder[i];
        if (f->handle_bytes == h->handle_bytes && f->handle_type == h->handle_type &&
            memcmp(f->handle, h->f_handle, h->handle_bytes) == 0 &&
            memcmp(&f->fsid, &info->fsid, sizeof f->fsid) == 0) {
            return f;
        }
    }
    return NULL;
}

/* Marks one folder that exists and remembers its handle. A folder that was made anew has another.
 */
static void mark(struct watch_files *w, const char *path)
{
    union {
        struct file_handle h;
        uint8_t bytes[sizeof(struct file_handle) + HANDLE_BYTES];
    } u = {.h = {.handle_bytes = HANDLE_BYTES}};
    int mount_id;
    struct folder *f = NULL;
    for (uint32_t i = 0; i < w->count && !f; i++) {
        f = strcmp(w->folder[i].path, path) == 0 ? &w->folder[i] : NULL;
    }
    if (strlen(path) >= sizeof f->path || (!f && w->count == FOLDERS_MAX) ||
        !wedr_mounts_local(w->mounts, path) ||
        name_to_handle_at(AT_FDCWD, path, &u.h, &mount_id, AT_SYMLINK_FOLLOW) != 0) {
        return;
    }
    struct statfs fs;
    if (statfs(path, &fs) != 0 || fanotify_mark(w->fd, FAN_MARK_ADD | FAN_MARK_ONLYDIR,
                                                EVENTS | FAN_EVENT_ON_CHILD, AT_FDCWD, path) != 0) {
        return;
    }
    f = f ? f : &w->folder[w->count++];
    (void)snprintf(f->path, sizeof f->path, "%s", path);
    memcpy(&f->fsid, &fs.f_fsid, sizeof f->fsid);
    f->handle_bytes = u.h.handle_bytes;
    f->handle_type = u.h.handle_type;
    memcpy(f->handle, u.h.f_handle, u.h.handle_bytes);
}

static void mark_with_children(struct watch_files *w, const char *path)
{
    mark(w, path);
    DIR *d = wedr_mounts_local(w->mounts, path) ? opendir(path) : NULL;
    for (const struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        char below[512];
        if (e->d_type == DT_DIR && e->d_name[0] != '.' &&
            snprintf(below, sizeof below, "%s/%s", path, e->d_name) < (int)sizeof below) {
            mark(w, below);
        }
    }
    if (d) {
        (void)closedir(d);
    }
}

/* The folder that a pattern speaks of, below base ("" for absolute ones). */
static void mark_pattern(struct watch_files *w, const char *base, const struct pattern *p)
{
    char path[512];
    const char *tail = p->text + (p->text[0] == '@');
    size_t len = strlen(tail);
    bool folder = tail[len - 1] == '/';
    int n = snprintf(path, sizeof path, "%s%s", base, tail);
    char *slash = n > 0 && (size_t)n < sizeof path ? strrchr(path, '/') : NULL;
    if (!slash || slash == path) {
        return;
    }
    *slash = 0;
    if (folder) {
        mark_with_children(w, path);
    } else {
        mark(w, path);
    }
}

static void mark_anywhere(struct watch_files *w, const char *base)
{
    struct stat st;
    if (!wedr_mounts_local(w->mounts, base) || stat(base, &st) != 0) {
        return;
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(patterns); i++) {
        if (patterns[i].text[0] == '@') {
            mark_pattern(w, base, &patterns[i]);
        }
    }
}

/* Homes as the machine's own file has them; others come from the network and are not asked for. */
static void mark_homes(struct watch_files *w)
{
    char line[1024];
    FILE *f = fopen("/etc/passwd", "re");
    while (f && fgets(line, sizeof line, f)) {
        char *at = line, base[600];
        for (int i = 0; at && i < 5; i++) {
            at = strchr(at, ':');
            at += at != NULL;
        }
        if (!at || at[0] != '/' || at[1] == ':') {
            continue;
        }
        at[strcspn(at, ":\n")] = 0;
        for (size_t i = 0; i < WEDR_ARRAY_COUNT(home_parts); i++) {
            (void)snprintf(base, sizeof base, "%.512s%s", at, home_parts[i]);
            mark_anywhere(w, base);
        }
    }
    if (f) {
        (void)fclose(f);
    }
}

void watch_files_mark(struct watch_files *w)
{
    (void)!wedr_mounts_read(&w->mounts);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(patterns); i++) {
        if (patterns[i].text[0] == '/') {
            mark_pattern(w, "", &patterns[i]);
        }
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(system_bases); i++) {
        mark_anywhere(w, system_bases[i]);
    }
    mark_homes(w);
    wedr_mounts_free(w->mounts);
    w->mounts = NULL;
}

int watch_files_open(struct watch_files **ret)
{
    struct watch_files *w = wedr_alloc(1, sizeof *w);
    if (!w) {
        return WEDR_E_NOMEM;
    }
    w->fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_DFID_NAME,
                          O_RDONLY | O_CLOEXEC);
    if (w->fd < 0) {
        int err = wedr_err_from_os(errno);
        wedr_free(w);
        return err;
    }
    *ret = w;
    return WEDR_OK;
}

int watch_files_fd(const struct watch_files *w)
{
    return w->fd;
}

/* One event may stand for several changes that came in a row. */
static void report(const struct folder *f,
                   const char *name,
                   const struct fanotify_event_metadata *m,
                   void (*fn)(void *arg, const struct watch_file_event *e),
                   void *arg)
{
    static const struct {
        uint64_t bit;
        uint16_t op;
    } ops[] = {{FAN_CREATE, WEDR_FILE_OP_CREATE},
               {FAN_CLOSE_WRITE, WEDR_FILE_OP_WRITE},
               {FAN_MOVED_TO, WEDR_FILE_OP_RENAME},
               {FAN_ATTRIB, WEDR_FILE_OP_CHMOD},
               {FAN_DELETE, WEDR_FILE_OP_DELETE}};
    static struct watch_file_event e;
    struct stat st = {0};
    memset(&e, 0, offsetof(struct watch_file_event, path));
    int n = snprintf(e.path, sizeof e.path, "%s/%s", f->path, name);
    e.mechanism = n > 0 && (size_t)n < sizeof e.path ? mechanism_of(e.path) : 0;
    if (e.mechanism == 0) {
        return;
    }
    bool there = lstat(e.path, &st) == 0;
    e.pid = (uint32_t)m->pid;
    e.inode = there ? st.st_ino : 0;
    e.dev = there ? (uint32_t)(major(st.st_dev) << 20 | minor(st.st_dev)) : 0;
    e.mode = there ? st.st_mode : 0;
    e.nlink = there ? (uint32_t)st.st_nlink : 0;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(ops); i++) {
        if (m->mask & ops[i].bit) {
            e.op = ops[i].op;
            fn(arg, &e);
        }
    }
}

int watch_files_read(struct watch_files *w,
                     void (*fn)(void *arg, const struct watch_file_event *e),
                     void *arg)
{
    uint8_t mem[16384] __attribute__((aligned(8)));
    int err = WEDR_OK;
    ssize_t n = read(w->fd, mem, sizeof mem);
    const struct fanotify_event_metadata *m = (const void *)mem;
    for (; n > 0 && FAN_EVENT_OK(m, n); m = FAN_EVENT_NEXT(m, n)) {
        const struct fanotify_event_info_fid *info = (const void *)(m + 1);
        if (m->mask & FAN_Q_OVERFLOW) {
            err = WEDR_E_FULL;
        } else if (m->event_len > sizeof *m + sizeof *info &&
                   info->hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME) {
            const struct file_handle *h = (const void *)info->handle;
            const struct folder *f = folder_of(w, info, h);
            const char *name = (const char *)h->f_handle + h->handle_bytes;
            if (f) {
                report(f, name, m, fn, arg);
            }
        }
    }
    return err;
}
