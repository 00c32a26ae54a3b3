/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/attr.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
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
#define HOMES 64u
#define HOME_MAX 128u
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

struct scan {
    struct bpf_object *obj;
    struct wedr_file_ctl ctl;
    int ctl_map, program;
    int fds[BATCH];
    size_t open, seen; /* in this batch; in all */
    struct wedr_file_sample *samples;
    size_t sample_count;
    char homes[HOMES][HOME_MAX];
    size_t home_count;
    struct wedr_mounts *mounts; /* somebody's home may lie where nobody answers */
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

static int scan_open(struct scan *s, int dir, const char *path, uint8_t mechanism)
{
    if (s->seen >= WEDR_PERSISTENCE_FILES) {
        return -1;
    }
    if (s->open == BATCH) {
        batch_end(s);
    }
    /* O_PATH: nothing is read, no device or pipe is woken. */
    int fd =
        openat(dir, path, O_PATH | O_CLOEXEC | (mechanism == WEDR_SCAN_SAMPLE ? O_NOFOLLOW : 0));
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

/* The folder, what is in it, and what is in the folders there. */
static void scan_folder(struct scan *s, const char *path, uint8_t mechanism, int depth)
{
    char below[PATH_ROOM];
    DIR *d = wedr_mounts_local(s->mounts, path) ? opendir(path) : NULL;
    if (!d) {
        return;
    }
    (void)scan_open(s, AT_FDCWD, path, mechanism);
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        int n = snprintf(below, sizeof below, "%s/%s", path, e->d_name);
        bool fits = n > 0 && (size_t)n < sizeof below;
        if (e->d_type == DT_DIR && depth > 0 && fits) {
            scan_folder(s, below, mechanism, depth - 1);
        } else if (e->d_type == DT_REG ||
                   (e->d_type != DT_DIR && fits && wedr_mounts_local(s->mounts, below))) {
            (void)scan_open(s, dirfd(d), e->d_name, mechanism);
        }
    }
    (void)closedir(d);
}

static void scan_at(struct scan *s, const char *root, const char *pattern, uint8_t mechanism)
{
    char path[PATH_ROOM];
    size_t len = strlen(pattern);
    int n = snprintf(path, sizeof path, "%s%s", root, pattern);
    if (n <= 0 || (size_t)n >= sizeof path) {
        return;
    }
    if (pattern[len - 1] == '/') {
        path[n - 1] = 0;
        scan_folder(s, path, mechanism, 1);
    } else if (wedr_mounts_local(s->mounts, path)) {
        (void)scan_open(s, AT_FDCWD, path, mechanism);
    }
}

/* The file itself, not the name service: that may ask the network. */
static void list_homes(struct scan *s)
{
    char line[1024];
    FILE *f = fopen("/etc/passwd", "re");
    while (f && s->home_count < HOMES && fgets(line, sizeof line, f)) {
        const char *at = line;
        for (int i = 0; i < 5 && at; i++) {
            at = strchr(at, ':');
            at = at ? at + 1 : NULL;
        }
        size_t len = at ? strcspn(at, ":\n") : 0;
        if (len < 2 || len >= HOME_MAX || at[0] != '/') {
            continue;
        }
        memcpy(s->homes[s->home_count], at, len);
        s->homes[s->home_count++][len] = 0;
    }
    if (f) {
        (void)fclose(f);
    }
}

static void scan_pattern(struct scan *s, const char *pattern, uint8_t mechanism)
{
    char root[HOME_MAX + 32];
    if (pattern[0] == '/') {
        scan_at(s, "", pattern, mechanism);
        return;
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(shared_roots); i++) {
        scan_at(s, shared_roots[i], pattern + 1, mechanism);
    }
    for (size_t i = 0; i < s->home_count; i++) {
        for (size_t k = 0; k < WEDR_ARRAY_COUNT(home_roots); k++) {
            (void)snprintf(root, sizeof root, "%s%s", s->homes[i], home_roots[k]);
            scan_at(s, root, pattern + 1, mechanism);
        }
    }
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

void wedr_persistence_scan(struct bpf_object *obj)
{
    const struct bpf_program *p = bpf_object__find_program_by_name(obj, "wedr_file_list");
    struct scan *s = wedr_alloc(1, sizeof *s);
    uint32_t zero = 0;
    if (!s || !p) {
        wedr_free(s);
        return;
    }
    s->samples = wedr_alloc(SAMPLES, sizeof *s->samples);
    s->obj = obj;
    s->program = bpf_program__fd(p);
    s->ctl_map = bpf_object__find_map_fd_by_name(obj, "file_ctl");
    s->ctl.scanner = (uint32_t)getpid();
    if (s->samples && s->program >= 0) {
        (void)!wedr_mounts_read(&s->mounts);
        list_homes(s);
        for (size_t i = 0; i < WEDR_ARRAY_COUNT(patterns); i++) {
            scan_pattern(s, patterns[i], mechanisms[i]);
        }
        batch_end(s);
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
    wedr_free(s->samples);
    wedr_free(s);
}
