/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/attr.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "homes.h"
#include "persistence.h"
#include "sensor_priv.h"
#include "wedr/plat/mounts.h"
#include "wedr/wire/persistence.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH 128u
#define SAMPLES 1024u
#define HOME_FILES 64u    /* that one home may have watched */
#define OTHERS_FILES 256u /* the same for all who are not root, in the system's own places */
#define PATH_ROOM 512u

static const char *const patterns[] = {
#define WEDR_PERSIST(mechanism, text) text,
#include "wedr/wire/persistence.def"
#undef WEDR_PERSIST
};
static const uint8_t mechanisms[] = {
#define WEDR_PERSIST(mechanism, text) WEDR_PERSISTENCE_##mechanism,
#include "wedr/wire/persistence.def"
#undef WEDR_PERSIST
};

/* Where "@/" patterns lie as a rule: these, and some places below each home folder. */
static const char *const shared_roots[] = {
    "/etc", "/etc/xdg",  "/usr/lib",  "/lib",        "/usr/local/lib",   "/usr/share",
    "/run", "/etc/skel", "/proc/sys", "/sys/kernel", "/usr/lib/python3",
};
static const char *const home_roots[] = {"", "/.ssh", "/.config", "/.local/share"};

struct home {
    size_t left; /* of what is looked at */
    bool cut;
};

/* The patterns that name a file, or those that name a folder with what is in it. */
enum part { FILES, FOLDERS };

struct scan {
    struct wedr_file_ctl ctl;
    int ctl_map, program;
    int fds[BATCH];
    size_t open, seen; /* in this batch; in all */
    struct wedr_file_sample *samples;
    size_t sample_count;
    struct wedr_home *homes;
    struct home *states;
    size_t home_count, others;
    size_t at;                  /* the home that is looked at; home_count: the system */
    struct wedr_mounts *mounts; /* somebody's home may lie where nobody answers */
    struct wedr_sensor_unwatched *unwatched;
};

static int iterate_own(int program)
{
    union bpf_iter_link_info info;
    memset(&info, 0, sizeof info);
    info.task.pid = (uint32_t)getpid();
    LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof info);
    int link = bpf_link_create(program, 0, BPF_TRACE_ITER, &opts);
    if (link < 0) { /* before 6.1: all tasks are gone through */
        link = bpf_link_create(program, 0, BPF_TRACE_ITER, NULL);
    }
    int iter = link >= 0 ? bpf_iter_create(link) : -1;
    if (link >= 0) {
        (void)close(link);
    }
    return iter;
}

static void read_samples(struct scan *s, int iter)
{
    struct wedr_file_sample some[64];
    ssize_t n;
    while ((n = read(iter, some, sizeof some)) > 0) {
        for (size_t i = 0; i < (size_t)n / sizeof *some && s->sample_count < SAMPLES; i++) {
            s->samples[s->sample_count++] = some[i];
        }
    }
}

/* Shows what is open to the programs, and closes it. */
static void batch_end(struct scan *s)
{
    uint32_t zero = 0;
    if (s->open && bpf_map_update_elem(s->ctl_map, &zero, &s->ctl, BPF_ANY) == 0) {
        int iter = iterate_own(s->program);
        if (iter >= 0) {
            read_samples(s, iter);
            (void)close(iter);
        }
    }
    for (size_t i = 0; i < s->open; i++) {
        (void)close(s->fds[i]);
    }
    memset(s->ctl.mechanism, 0, sizeof s->ctl.mechanism);
    s->open = 0;
}

/* What has been opened is shown with the next batch. A process with two sets has many descriptors:
 * the batch makes place for a low number. */
static int keep(struct scan *s, int fd, uint8_t mechanism)
{
    if (fd >= (int)WEDR_SCAN_FILES) {
        batch_end(s);
        int low = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        (void)close(fd);
        fd = low;
    }
    if (fd >= (int)WEDR_SCAN_FILES) {
        (void)close(fd);
        return -1;
    }
    if (fd >= 0) {
        s->ctl.mechanism[fd] = mechanism;
        s->fds[s->open++] = fd;
        s->seen++;
    }
    return fd;
}

static bool has_room(struct scan *s)
{
    if (s->seen >= WEDR_PERSISTENCE_FILES) {
        s->unwatched->full = true;
        return false;
    }
    if (s->open == BATCH) {
        batch_end(s);
    }
    return true;
}

/* A file of the system's own places. Users put files there too: their tables and jobs. */
static int scan_open(struct scan *s, int dir, const char *path, uint8_t mechanism)
{
    struct stat st;
    if (!has_room(s)) {
        return -1;
    }
    /* O_PATH: nothing is read, no device or pipe is woken. */
    int fd =
        openat(dir, path, O_PATH | O_CLOEXEC | (mechanism == WEDR_SCAN_SAMPLE ? O_NOFOLLOW : 0));
    if (fd >= 0 && (fstat(fd, &st) != 0 || (st.st_uid != 0 && s->others++ >= OTHERS_FILES))) {
        s->unwatched->others = true;
        (void)close(fd);
        return -1;
    }
    return keep(s, fd, mechanism);
}

static struct home *home_of(struct scan *s)
{
    return s->at < s->home_count ? &s->states[s->at] : NULL;
}

/* Is this a home that has had its share? Asked when there is more. */
static bool is_cut(struct scan *s)
{
    struct home *h = home_of(s);
    if (h && h->left == 0) {
        h->cut = true;
        return true;
    }
    return false;
}

/* One file or folder. over_link is for homes (wedr_home_open). */
static int scan_one(struct scan *s, int dir, const char *path, uint8_t mechanism, bool *over_link)
{
    struct home *h = home_of(s);
    if (!h) {
        return scan_open(s, dir, path, mechanism);
    }
    if (!has_room(s)) {
        return -1;
    }
    int fd = wedr_home_open(&s->homes[s->at], dir, path, over_link);
    if (fd >= 0 && is_cut(s)) {
        (void)close(fd);
        return -1;
    }
    h->left -= fd >= 0;
    return keep(s, fd, mechanism);
}

/* An entry of a folder takes a place of its home even when it is not watched: looking at it was
 * work. */
static void scan_entry(struct scan *s, int dir, const char *name, uint8_t mechanism, bool over_link)
{
    struct home *h = home_of(s);
    if (scan_one(s, dir, name, mechanism, &over_link) < 0 && h && h->left > 0) {
        h->left--;
    }
}

/* The folder, what is in it, and what is in the folders there. name leads from dir to it, path is
 * the whole of it. */
static void scan_folder(struct scan *s,
                        int dir,
                        const char *name,
                        const char *path,
                        uint8_t mechanism,
                        bool over_link,
                        int depth)
{
    char below[PATH_ROOM];
    int fd =
        wedr_mounts_local(s->mounts, path) ? scan_one(s, dir, name, mechanism, &over_link) : -1;
    int listed = fd >= 0 ? openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    DIR *d = listed >= 0 ? fdopendir(listed) : NULL;
    if (!d) {
        if (listed >= 0) {
            (void)close(listed);
        }
        return;
    }
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        if (is_cut(s)) {
            break;
        }
        int n = snprintf(below, sizeof below, "%s/%s", path, e->d_name);
        bool fits = n > 0 && (size_t)n < sizeof below;
        if (e->d_type == DT_DIR && depth > 0 && fits) {
            scan_folder(s, dirfd(d), e->d_name, below, mechanism, over_link, depth - 1);
        } else if (e->d_type == DT_REG ||
                   (e->d_type != DT_DIR && fits && wedr_mounts_local(s->mounts, below))) {
            scan_entry(s, dirfd(d), e->d_name, mechanism, over_link);
        }
    }
    (void)closedir(d);
}

static bool is_of(enum part part, const char *pattern)
{
    return (pattern[strlen(pattern) - 1] == '/') == (part == FOLDERS);
}

/* What a pattern names below a root. The first `skip` bytes of the whole path lead to dir. */
static void scan_at(
    struct scan *s, int dir, size_t skip, const char *root, const char *pattern, uint8_t mechanism)
{
    char path[PATH_ROOM];
    bool over_link = false;
    int n = snprintf(path, sizeof path, "%s%s", root, pattern);
    if (n <= 0 || (size_t)n >= sizeof path) {
        return;
    }
    if (path[n - 1] == '/') {
        path[n - 1] = 0;
        scan_folder(s, dir, path + skip, path, mechanism, false, 1);
    } else if (wedr_mounts_local(s->mounts, path)) {
        (void)scan_one(s, dir, path + skip, mechanism, &over_link);
    }
}

static void scan_system(struct scan *s, enum part part)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(patterns); i++) {
        if (!is_of(part, patterns[i])) {
            continue;
        }
        if (patterns[i][0] == '/') {
            scan_at(s, AT_FDCWD, 0, "", patterns[i], mechanisms[i]);
            continue;
        }
        for (size_t k = 0; k < WEDR_ARRAY_COUNT(shared_roots); k++) {
            scan_at(s, AT_FDCWD, 0, shared_roots[k], patterns[i] + 1, mechanisms[i]);
        }
    }
}

static void scan_home(struct scan *s, enum part part)
{
    const struct wedr_home *h = &s->homes[s->at];
    size_t skip = strlen(h->path) + 1;
    char root[WEDR_HOME_PATH + 32];
    struct stat st;
    int dir = wedr_mounts_local(s->mounts, h->path)
                  ? open(h->path, O_PATH | O_DIRECTORY | O_CLOEXEC)
                  : -1;
    for (size_t k = 0; dir >= 0 && k < WEDR_ARRAY_COUNT(home_roots); k++) {
        (void)snprintf(root, sizeof root, "%s%s", h->path, home_roots[k]);
        if (home_roots[k][0] &&
            (!wedr_mounts_local(s->mounts, root) || fstatat(dir, root + skip, &st, 0) != 0)) {
            continue;
        }
        for (size_t i = 0; i < WEDR_ARRAY_COUNT(patterns); i++) {
            if (patterns[i][0] == '@' && is_of(part, patterns[i])) {
                scan_at(s, dir, skip, root, patterns[i] + 1, mechanisms[i]);
            }
        }
    }
    if (dir >= 0) {
        (void)close(dir);
    }
}

/* What the system is started from first, so that nobody who fills his home takes its place; then
 * the files of all homes, then their folders. */
static void scan_all(struct scan *s)
{
    s->at = s->home_count;
    scan_system(s, FILES);
    scan_system(s, FOLDERS);
    for (enum part part = FILES; part <= FOLDERS; part++) {
        for (s->at = 0; s->at < s->home_count; s->at++) {
            scan_home(s, part);
        }
    }
    for (size_t i = 0; i < s->home_count; i++) {
        if (s->states[i].cut && s->unwatched->homes++ == 0) {
            (void)snprintf(s->unwatched->home, sizeof s->unwatched->home, "%s", s->homes[i].path);
        }
    }
    batch_end(s);
}

static int prepare_homes(struct scan *s)
{
    int err = wedr_homes_read(&s->homes, &s->home_count);
    s->states = err ? NULL : wedr_alloc(s->home_count + 1, sizeof *s->states);
    if (!s->states) {
        return WEDR_E_NOMEM;
    }
    for (size_t i = 0; i < s->home_count; i++) {
        s->states[i].left = HOME_FILES;
    }
    return WEDR_OK;
}

/* A host with hardly a file that is watched: any other shows how names are found, too. */
static void scan_samples(struct scan *s)
{
    static const char *const folders[] = {"/etc", "/usr/bin", "/bin"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(folders); i++) {
        size_t left = BATCH / WEDR_ARRAY_COUNT(folders);
        DIR *d = opendir(folders[i]);
        for (const struct dirent *e = d ? readdir(d) : NULL; e && left; e = readdir(d)) {
            if (e->d_name[0] != '.' && scan_open(s, dirfd(d), e->d_name, WEDR_SCAN_SAMPLE) >= 0) {
                left--;
            }
        }
        if (d) {
            (void)closedir(d);
        }
    }
}

void wedr_persistence_scan(struct bpf_object *obj, struct wedr_sensor_unwatched *ret)
{
    const struct bpf_program *p = bpf_object__find_program_by_name(obj, "wedr_file_list");
    struct scan *s = wedr_alloc(1, sizeof *s);
    uint32_t zero = 0;
    *ret = (struct wedr_sensor_unwatched){0};
    if (!s || !p) {
        wedr_free(s);
        return;
    }
    s->unwatched = ret;
    s->samples = wedr_alloc(SAMPLES, sizeof *s->samples);
    s->program = bpf_program__fd(p);
    s->ctl_map = bpf_object__find_map_fd_by_name(obj, "file_ctl");
    s->ctl.scanner = (uint32_t)getpid();
    if (s->samples && s->program >= 0 && prepare_homes(s) == WEDR_OK) {
        (void)!wedr_mounts_read(&s->mounts);
        scan_all(s);
        wedr_dcache_solve(s->samples, s->sample_count, &s->ctl.table, &s->ctl.shift);
        if (!s->ctl.table) {
            scan_samples(s);
            batch_end(s);
            wedr_dcache_solve(s->samples, s->sample_count, &s->ctl.table, &s->ctl.shift);
        }
    }
    s->ctl.scanner = 0;
    (void)bpf_map_update_elem(s->ctl_map, &zero, &s->ctl, BPF_ANY);
    wedr_mounts_free(s->mounts);
    wedr_free(s->states);
    wedr_free(s->homes);
    wedr_free(s->samples);
    wedr_free(s);
}
