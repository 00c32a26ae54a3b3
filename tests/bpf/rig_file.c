/* SPDX-License-Identifier: Apache-2.0 */
#include "rig_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint16_t kinds[] = {WEDR_EV_PERSISTENCE_WRITE, WEDR_EV_FILE_WRITE,
                                 WEDR_EV_FILE_RENAME,       WEDR_EV_FILE_DELETE,
                                 WEDR_EV_FILE_LINK,         WEDR_EV_FILE_ATTRIBUTE};
#define KINDS (sizeof kinds / sizeof *kinds)

struct errand {
    int (*fn)(void *arg);
    void *arg;
};

/* A forked child does not have the pages of its program's constants before it looks at them, and
 * what is not there cannot be read when a call begins. Programs that were started by execve have
 * long looked at theirs. AddressSanitizer would object to the zones between them. */
__attribute__((no_sanitize("address"))) static void look_at_constants(void)
{
    char line[512];
    unsigned long from, to;
    char right;
    FILE *f = fopen("/proc/self/maps", "re");
    while (f && fgets(line, sizeof line, f)) {
        if (strstr(line, "/test_") && sscanf(line, "%lx-%lx %c", &from, &to, &right) == 3 &&
            right == 'r') {
            for (; from < to; from += 4096) {
                (void)*(const volatile char *)from;
            }
        }
    }
    if (f) {
        (void)fclose(f);
    }
}

static int run_errand(void *arg)
{
    const struct errand *e = arg;
    look_at_constants();
    int bad = e->fn(e->arg);
    if (bad) {
        perror("the child failed");
    }
    _exit(bad ? 90 : 0);
}

pid_t rig_done(int (*fn)(void *arg), void *arg)
{
    struct errand e = {fn, arg};
    int status = -1;
    pid_t pid = rig_run(run_errand, &e, &status);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    return pid;
}

void rig_make_file(const struct rig *r, const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", r->dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    (void)close(fd);
}

size_t rig_files(struct rig *r, pid_t pid)
{
    size_t count = 0;
    for (size_t i = 0; i < KINDS; i++) {
        count += rig_count(r, kinds[i], pid);
    }
    return count;
}

void rig_show(struct rig *r, pid_t pid)
{
    static const char *const names[] = {"target_path", "source_path", "xattr_name"};
    static const char *const numbers[] = {"op",    "mechanism", "path_source", "via",
                                          "inode", "nlink",     "file_mode"};
    for (size_t i = 0; i < r->count; i++) {
        const struct wedr_event_view *v = &r->views[i];
        bool ours = false;
        for (size_t k = 0; k < KINDS; k++) {
            ours |= v->h.type == kinds[k] && rec_uint(v, "pid") == (uint64_t)pid;
        }
        if (!ours) {
            continue;
        }
        printf("type %u", v->h.type);
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
            if (wedr_event_field(v, names[k])) {
                struct wedr_span s = rec_str(v, names[k], NULL);
                printf(" %s \"%.*s\"", names[k], (int)s.len, (const char *)s.p);
            }
        }
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
            if (wedr_event_field(v, numbers[k])) {
                printf(" %s %llu", numbers[k], (unsigned long long)rec_uint(v, numbers[k]));
            }
        }
        printf("\n");
    }
}

const struct wedr_event_view *rig_file(struct rig *r, uint16_t type, pid_t pid, size_t n)
{
    const struct wedr_event_view *v = rig_wait(r, type, pid, n);
    if (!v) {
        rig_show(r, pid);
        fail_msg("record %zu of type %u did not come", n, type);
    }
    return v;
}

static int make_last(void *dir)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/.last", (const char *)dir);
    return open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0;
}

/* A bulk record, then the end of its process in the critical lane: both rings are read in order. */
void rig_sync(struct rig *r)
{
    pid_t pid = rig_done(make_last, r->dir);
    (void)rig_file(r, WEDR_EV_FILE_WRITE, pid, 0);
    assert_non_null(rig_wait(r, WEDR_EV_PROCESS_TERMINATE, pid, 0));
}

void rig_assert_path(const struct wedr_event_view *v,
                     const char *field,
                     const struct rig *r,
                     const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", r->dir, name);
    assert_str(v, field, path);
}

ino_t rig_inode(const struct rig *r, const char *name)
{
    char path[256];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/%s", r->dir, name);
    assert_int_equal(lstat(path, &st), 0);
    return st.st_ino;
}

void rig_turn_link(const char *dir)
{
    char link[256], fresh[256];
    (void)snprintf(link, sizeof link, "%s/link", dir);
    (void)snprintf(fresh, sizeof fresh, "%s/fresh", dir);
    assert_int_equal(symlink("two", fresh) | rename(fresh, link), 0);
}

int rig_empty(void **state)
{
    const struct rig *r = *state;
    char command[256];
    (void)snprintf(command, sizeof command, "rm -rf --one-file-system %s/* %s/.last", r->dir,
                   r->dir);
    return system(command);
}

static int setup_words(void **state, bool slow_walk)
{
    static const char *const areas[] = {"file", NULL};
    static struct rig rig;
    rig_open_walk(&rig, areas, slow_walk);
    *state = &rig;
    return 0;
}

int rig_setup_words_fast(void **state)
{
    return setup_words(state, false);
}

int rig_setup_words_slow(void **state)
{
    return setup_words(state, true);
}
