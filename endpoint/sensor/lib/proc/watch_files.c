/* SPDX-License-Identifier: Apache-2.0
 *
 * fanotify on the folders of lib/wire/persistence.def. An event names the folder by its handle and
 * the entry by its name, both the kernel's. A pattern that means "anywhere" is watched in the
 * system's folders and in everybody's home (homes.h); what matches is asked of the whole path. */
#include "watch_priv.h"

#include "core/base/attr.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "sensor/lib/homes.h"
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
#define SYSTEM_FOLDERS 512u /* kept for those that lie in no home */
#define HOME_FOLDERS 64u    /* of all homes of one user */
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
    bool in_home;
    uid_t uid;     /* whose home */
    uint32_t turn; /* in which it was last there */
    __kernel_fsid_t fsid;
    uint32_t handle_bytes;
    int handle_type;
    uint8_t handle[HANDLE_BYTES];
};
struct watch_files {
    int fd;
    uint32_t count, turn;
    struct wedr_mounts *mounts;   /* while marking: a folder may lie where nobody answers */
    const struct wedr_home *home; /* while marking: where what is marked lies; NULL: in none */
    int home_fd;
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

/* Where a folder is remembered, perhaps behind the last one. Of a home one that is gone makes
 * place; NULL: there is none. */
static struct folder *place_for(struct watch_files *w, const char *path)
{
    const struct wedr_home *h = w->home;
    struct folder *gone = NULL;
    size_t same = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        struct folder *f = &w->folder[i];
        if (strcmp(f->path, path) == 0) {
            return f;
        }
        if (h && f->in_home && f->uid == h->uid) {
            same++;
            gone = f->turn != w->turn ? f : gone;
        }
    }
    if (h && (same >= HOME_FOLDERS || w->count + SYSTEM_FOLDERS >= FOLDERS_MAX)) {
        return gone;
    }
    return w->count < FOLDERS_MAX ? &w->folder[w->count] : NULL;
}

/* Marks an opened folder and remembers its handle. A folder that was made anew has another. */
static void mark(struct watch_files *w, int fd, const char *path)
{
    union {
        struct file_handle h;
        uint8_t bytes[sizeof(struct file_handle) + HANDLE_BYTES];
    } u = {.h = {.handle_bytes = HANDLE_BYTES}};
    int mount_id;
    struct statfs fs;
    if (strlen(path) >= sizeof w->folder->path ||
        name_to_handle_at(fd, "", &u.h, &mount_id, AT_EMPTY_PATH) != 0 || fstatfs(fd, &fs) != 0) {
        return;
    }
    struct folder *f = place_for(w, path);
    if (!f || fanotify_mark(w->fd, FAN_MARK_ADD | FAN_MARK_ONLYDIR, EVENTS | FAN_EVENT_ON_CHILD, fd,
                            ".") != 0) {
        return;
    }
    w->count += f == &w->folder[w->count];
    (void)snprintf(f->path, sizeof f->path, "%s", path);
    f->in_home = w->home != NULL;
    f->uid = w->home ? w->home->uid : 0;
    f->turn = w->turn;
    memcpy(&f->fsid, &fs.f_fsid, sizeof f->fsid);
    f->handle_bytes = u.h.handle_bytes;
    f->handle_type = u.h.handle_type;
    memcpy(f->handle, u.h.f_handle, u.h.handle_bytes);
}

/* The folder of that path, without reading it; -1: there is none, or it is not taken. *ret_link: it
 * lies in a home and a link led there. */
static int open_folder(const struct watch_files *w, const char *path, bool *ret_link)
{
    *ret_link = false;
    if (!wedr_mounts_local(w->mounts, path)) {
        return -1;
    }
    const char *below = w->home ? path + strlen(w->home->path) : "";
    return *below ? wedr_home_open(w->home, w->home_fd, below, ret_link)
                  : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* The folders in it that are no links. */
static void mark_children(struct watch_files *w, int fd, const char *path, bool over_link)
{
    unsigned left = HOME_FOLDERS;
    int listed = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = listed >= 0 ? fdopendir(listed) : NULL;
    for (const struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        char below[512];
        bool linked = over_link;
        if (e->d_type != DT_DIR || e->d_name[0] == '.' ||
            snprintf(below, sizeof below, "%s/%s", path, e->d_name) >= (int)sizeof below ||
            !wedr_mounts_local(w->mounts, below)) {
            continue;
        }
        if (w->home && left-- == 0) {
            break;
        }
        int child = w->home ? wedr_home_open(w->home, fd, e->d_name, &linked)
                            : openat(fd, e->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (child >= 0) {
            mark(w, child, below);
            (void)close(child);
        }
    }
    if (d) {
        (void)closedir(d);
    } else if (listed >= 0) {
        (void)close(listed);
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
    bool over_link = false;
    int fd = open_folder(w, path, &over_link);
    if (fd < 0) {
        return;
    }
    mark(w, fd, path);
    if (folder) {
        mark_children(w, fd, path, over_link);
    }
    (void)close(fd);
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

static void mark_home(struct watch_files *w, const struct wedr_home *h)
{
    char base[WEDR_HOME_PATH + 32];
    if (!wedr_mounts_local(w->mounts, h->path)) {
        return;
    }
    w->home_fd = open(h->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (w->home_fd < 0) {
        return;
    }
    w->home = h;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(home_parts); i++) {
        (void)snprintf(base, sizeof base, "%s%s", h->path, home_parts[i]);
        mark_anywhere(w, base);
    }
    w->home = NULL;
    (void)close(w->home_fd);
}

void watch_files_mark(struct watch_files *w)
{
    struct wedr_home *homes = NULL;
    size_t count = 0;
    w->turn++;
    (void)!wedr_mounts_read(&w->mounts);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(patterns); i++) {
        if (patterns[i].text[0] == '/') {
            mark_pattern(w, "", &patterns[i]);
        }
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(system_bases); i++) {
        mark_anywhere(w, system_bases[i]);
    }
    if (wedr_homes_read(&homes, &count) == WEDR_OK) {
        for (size_t i = 0; i < count; i++) {
            mark_home(w, &homes[i]);
        }
    }
    wedr_free(homes);
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
    size_t at = 0, end = n > 0 ? (size_t)n : 0;
    struct fanotify_event_metadata m; /* in mem they follow each other at multiples of 4 */
    for (; end - at >= sizeof m; at += m.event_len) {
        memcpy(&m, mem + at, sizeof m);
        if (m.event_len < sizeof m || m.event_len > end - at) {
            break;
        }
        const struct fanotify_event_info_fid *info = (const void *)(mem + at + sizeof m);
        if (m.mask & FAN_Q_OVERFLOW) {
            err = WEDR_E_FULL;
        } else if (m.event_len > sizeof m + sizeof *info &&
                   info->hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME) {
            const struct file_handle *h = (const void *)info->handle;
            const struct folder *f = folder_of(w, info, h);
            const char *name = (const char *)h->f_handle + h->handle_bytes;
            if (f) {
                report(f, name, &m, fn, arg);
            }
        }
    }
    return err;
}
