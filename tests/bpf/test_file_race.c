/* SPDX-License-Identifier: Apache-2.0
 * Names that are swapped while the kernel is at work with them. A lease on the file makes
 * truncate() wait between its look at the name and its end, so the swap falls there each time. What
 * is told of it by the caller's words alone, without the area `truth`; once per way of walking
 * paths. */
#include "rig_file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *name;  /* memory that both processes see */
static bool unseen; /* its page is not there when the child begins */

/* truncate(name) in a child; swap() runs in the middle of it. file: the one that it is about. */
static pid_t
truncate_during(const char *file, const char *text, void (*swap)(const char *dir), const char *dir)
{
    int status = -1;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETLEASE, F_RDLCK), 0);
    (void)snprintf(name, 4096, "%s", text);
    pid_t pid = fork();
    if (pid == 0) {
        /* A child has the page only when it looked at it. */
        bool looked = !unseen && *(volatile char *)name == '/';
        _exit(looked == unseen || truncate(name, 0) != 0);
    }
    while (fcntl(fd, F_GETLEASE) == F_RDLCK) {
        (void)usleep(1000); /* until the child waits for us */
    }
    swap(dir);
    assert_int_equal(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    (void)close(fd);
    return pid;
}

static void in_dir(const struct rig *r, const char *tail, char ret[256])
{
    (void)snprintf(ret, 256, "%s/%s", r->dir, tail);
}

static void nothing(const char *dir)
{
    (void)dir;
}

static void to_other_text(const char *dir)
{
    (void)snprintf(name, 4096, "%s/other", dir);
}

static void text_that_changes_shows_what_it_was(void **state)
{
    struct rig *r = *state;
    char path[256];
    in_dir(r, "first", path);
    rig_make_file(r, "first");
    rig_make_file(r, "other");
    pid_t pid = truncate_during(path, path, to_other_text, r->dir);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 0);
    assert_str(v, "target_path", path);
    assert_int_equal(rec_uint(v, "path_source"), WEDR_PATH_SOURCE_CHANGED);

    pid = truncate_during(path, path, nothing, r->dir);
    v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 0);
    assert_str(v, "target_path", path);
    assert_int_equal(rec_uint(v, "path_source"), WEDR_PATH_SOURCE_USER);
}

static void text_that_cannot_be_read_at_entry_has_no_source(void **state)
{
    struct rig *r = *state;
    char path[256];
    in_dir(r, "first", path);
    rig_make_file(r, "first");
    unseen = true;
    pid_t pid = truncate_during(path, path, nothing, r->dir);
    unseen = false;
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 0);
    assert_str(v, "target_path", path);
    assert_int_equal(rec_uint(v, "path_source"), 0);
}

static void to_watched_text(const char *dir)
{
    (void)dir;
    (void)snprintf(name, 4096, "/etc/crontab");
}

static void watched_name_is_told_on_whichever_side_it_was(void **state)
{
    struct rig *r = *state;
    char path[256], job[256];
    in_dir(r, "first", path);
    rig_make_file(r, "first");
    pid_t pid = truncate_during(path, path, to_watched_text, r->dir);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_PERSISTENCE_WRITE, pid, 0);
    assert_str(v, "target_path", "/etc/crontab");
    assert_int_equal(rec_uint(v, "path_source"), WEDR_PATH_SOURCE_CHANGED);

    in_dir(r, ".bashrc", job);
    rig_make_file(r, ".bashrc");
    rig_make_file(r, "other");
    pid = truncate_during(job, job, to_other_text, r->dir);
    v = rig_file(r, WEDR_EV_PERSISTENCE_WRITE, pid, 0);
    assert_str(v, "target_path", job);
    assert_int_equal(rec_uint(v, "path_source"), WEDR_PATH_SOURCE_CHANGED);
    assert_int_equal(unlink(job), 0);
}

static void link_swapped_under_an_unchanged_text_is_flagged(void **state)
{
    struct rig *r = *state;
    char one[256], two[256], link[256], path[256];
    in_dir(r, "one", one);
    in_dir(r, "two", two);
    in_dir(r, "link", link);
    assert_int_equal(mkdir(one, 0755) | mkdir(two, 0755) | symlink("one", link), 0);
    rig_make_file(r, "one/file");
    rig_make_file(r, "two/file");
    in_dir(r, "link/file", path);
    pid_t pid = truncate_during(path, path, rig_turn_link, r->dir);
    in_dir(r, "one/file", path);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 0);
    assert_str(v, "target_path", path);
    assert_int_equal(rec_uint(v, "path_source"), WEDR_PATH_SOURCE_CHANGED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, rig_empty)
    const struct CMUnitTest tests[] = {
        T(text_that_changes_shows_what_it_was),
        T(text_that_cannot_be_read_at_entry_has_no_source),
        T(watched_name_is_told_on_whichever_side_it_was),
        T(link_swapped_under_an_unchanged_text_is_flagged),
    };
    int unable = rig_unable();
    if (unable) {
        return unable;
    }
    (void)signal(SIGIO, SIG_IGN);
    name = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (name == MAP_FAILED) {
        return 1;
    }
    return rig_run_words(tests);
}
