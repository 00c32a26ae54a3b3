/* SPDX-License-Identifier: Apache-2.0
 * Names from the kernel's own objects (area `truth`): what the caller says, and exchanges while the
 * kernel is at work, does not matter. Then the same without the area: by the caller's words. */
#include "rig_file.h"
#include "steps.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 300u

static const char *const with[] = {"file", "uring", "compat", "truth", NULL};
static const char *const without[] = {"file", "uring", "compat", NULL};

/* Memory that the processes share. */
static struct shared {
    char name[4096];
    char moved[ROUNDS]; /* the last letter of the file that each round took */
} * shared;

static void need(const struct rig *r, const char *hook)
{
    if (!rig_has_hook(r, hook)) {
        skip();
    }
}

static unsigned source_of(const struct rig *r)
{
    return r->areas == with ? WEDR_PATH_SOURCE_KERNEL : WEDR_PATH_SOURCE_USER;
}

/* What a child's operations have to be told as, one after another. */
struct expected {
    uint16_t type;
    unsigned op; /* 0: the kind has none */
    const char *target, *source;
};

static void assert_told(struct rig *r, pid_t pid, const struct expected *all, size_t count)
{
    size_t of_type[UINT8_MAX] = {0};
    for (size_t i = 0; i < count; i++) {
        const struct expected *e = &all[i];
        const struct wedr_event_view *v = rig_file(r, e->type, pid, of_type[e->type]++);
        rig_assert_path(v, "target_path", r, e->target);
        if (e->source) {
            rig_assert_path(v, "source_path", r, e->source);
        }
        if (e->op) {
            assert_int_equal(rec_uint(v, "op"), e->op);
        }
        assert_int_equal(rec_uint(v, "path_source"), source_of(r));
    }
}

static int do_everything(void *dir)
{
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || chdir(dir) != 0 || mkdir("in", 0755) != 0) {
        return -1;
    }
    return rename("a", "b") != 0 || renameat(folder, "b", folder, "in/c") != 0 ||
           renameat2(folder, "in/../in/c", AT_FDCWD, "./other", RENAME_EXCHANGE) != 0 ||
           link("other", "in/hard") != 0 || symlinkat("some where", folder, "in/soft") != 0 ||
           symlink("in/hard", "to-hard") != 0 || chmod("to-hard", 04711) != 0 ||
           fchmodat(folder, "in/hard", 0600, 0) != 0 || chown("to-hard", 7, 8) != 0 ||
           lchown("to-hard", 9, 10) != 0 || truncate("to-hard", 0) != 0 || unlink("to-hard") != 0 ||
           unlinkat(folder, "in/soft", 0) != 0 || mkdir("x", 0755) != 0 || rmdir("x") != 0 ||
           unlink("missing") == 0 || rename("other", "in") == 0;
}

static void every_operation_names_what_the_kernel_changed(void **state)
{
    static const struct expected all[] = {
        {WEDR_EV_FILE_RENAME, 0, "b", "a"},
        {WEDR_EV_FILE_RENAME, 0, "in/c", "b"},
        {WEDR_EV_FILE_RENAME, 0, "other", "in/c"},
        {WEDR_EV_FILE_LINK, WEDR_FILE_OP_LINK, "in/hard", "other"},
        {WEDR_EV_FILE_LINK, WEDR_FILE_OP_SYMLINK, "in/soft", NULL},
        {WEDR_EV_FILE_LINK, WEDR_FILE_OP_SYMLINK, "to-hard", NULL},
        {WEDR_EV_FILE_ATTRIBUTE, WEDR_FILE_OP_CHMOD, "in/hard", NULL},
        {WEDR_EV_FILE_ATTRIBUTE, WEDR_FILE_OP_CHMOD, "in/hard", NULL},
        {WEDR_EV_FILE_ATTRIBUTE, WEDR_FILE_OP_CHOWN, "in/hard", NULL},
        {WEDR_EV_FILE_ATTRIBUTE, WEDR_FILE_OP_CHOWN, "to-hard", NULL},
        {WEDR_EV_FILE_WRITE, WEDR_FILE_OP_TRUNCATE, "in/hard", NULL},
        {WEDR_EV_FILE_DELETE, 0, "to-hard", NULL},
        {WEDR_EV_FILE_DELETE, 0, "in/soft", NULL},
    };
    static const char *const hooks[] = {"t_rename", "t_unlink", "t_link",    "t_symlink",
                                        "t_chmod",  "t_chown",  "t_truncate"};
    struct rig *r = *state;
    for (size_t i = 0; r->areas == with && i < sizeof hooks / sizeof *hooks; i++) {
        need(r, hooks[i]);
    }
    rig_make_file(r, "a");
    rig_make_file(r, "other");
    ino_t inode = rig_inode(r, "a");
    pid_t pid = rig_done(do_everything, r->dir);
    assert_told(r, pid, all, sizeof all / sizeof *all);
    rig_sync(r);
    assert_int_equal(rig_files(r, pid), sizeof all / sizeof *all);

    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_RENAME, pid, 2);
    assert_int_equal(rec_uint(v, "inode"), inode);
    v = rig_file(r, WEDR_EV_FILE_LINK, pid, 0);
    assert_int_equal(rec_uint(v, "inode"), inode);
    assert_int_equal(rec_uint(v, "nlink"), 2);
    v = rig_file(r, WEDR_EV_FILE_LINK, pid, 1);
    assert_str(v, "source_path", "some where");
    v = rig_file(r, WEDR_EV_FILE_ATTRIBUTE, pid, 0);
    assert_int_equal(rec_uint(v, "file_mode"), S_IFREG | 04711);
    assert_int_equal(rec_uint(v, "inode"), inode);
    v = rig_file(r, WEDR_EV_FILE_ATTRIBUTE, pid, 3);
    assert_int_equal(rec_uint(v, "owner_uid"), 9);
    v = rig_file(r, WEDR_EV_FILE_DELETE, pid, 1);
    assert_true(rec_uint(v, "inode") != 0);
    assert_int_equal(rec_uint(v, "nlink"), 0);
}

static int long_links(void *dir)
{
    char text[600];
    memset(text, 'l', sizeof text);
    text[255] = 0;
    if (chdir(dir) != 0 || symlink(text, "long") != 0) {
        return -1;
    }
    text[255] = 'l';
    text[599] = 0;
    return symlink(text, "longer") != 0 || symlink("short", "last") != 0;
}

static void text_of_a_long_link_is_whole_and_the_callers(void **state)
{
    struct rig *r = *state;
    char text[600];
    need(r, "t_symlink");
    pid_t pid = rig_done(long_links, r->dir);
    memset(text, 'l', sizeof text);
    text[255] = 0;
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_LINK, pid, 0);
    assert_str(v, "source_path", text);
    text[255] = 'l';
    text[599] = 0;
    v = rig_file(r, WEDR_EV_FILE_LINK, pid, 1);
    rig_assert_path(v, "target_path", r, "longer");
    assert_str(v, "source_path", text);
    assert_int_equal(rec_uint(v, "path_source"), WEDR_PATH_SOURCE_USER);
    v = rig_file(r, WEDR_EV_FILE_LINK, pid, 2);
    assert_str(v, "source_path", "short");
    assert_int_equal(rec_uint(v, "path_source"), WEDR_PATH_SOURCE_KERNEL);
}

/* truncate(text) in a child; swap() runs in the middle of it, for a lease makes it wait there. */
static pid_t
truncate_during(const char *file, const char *text, void (*swap)(const char *dir), const char *dir)
{
    int status = -1;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETLEASE, F_RDLCK), 0);
    (void)snprintf(shared->name, sizeof shared->name, "%s", text);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(*(volatile char *)shared->name != '/' || truncate(shared->name, 0) != 0);
    }
    while (fcntl(fd, F_GETLEASE) == F_RDLCK) {
        (void)usleep(1000);
    }
    swap(dir);
    assert_int_equal(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    (void)close(fd);
    return pid;
}

static void to_other_text(const char *dir)
{
    (void)snprintf(shared->name, sizeof shared->name, "%s/other", dir);
}

static void to_watched_text(const char *dir)
{
    (void)dir;
    (void)snprintf(shared->name, sizeof shared->name, "/etc/crontab");
}

static void text_swapped_during_the_call_deceives_nobody(void **state)
{
    static void (*const swaps[])(const char *) = {to_other_text, to_watched_text};
    struct rig *r = *state;
    char path[256];
    (void)snprintf(path, sizeof path, "%s/first", r->dir);
    rig_make_file(r, "first");
    rig_make_file(r, "other");
    if (r->areas == with) {
        need(r, "t_truncate");
    }
    for (size_t i = 0; i < (r->areas == with ? 2 : 1); i++) {
        pid_t pid = truncate_during(path, path, swaps[i], r->dir);
        const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 0);
        assert_str(v, "target_path", path);
        assert_int_equal(rec_uint(v, "inode"), rig_inode(r, "first"));
        assert_int_equal(rec_uint(v, "path_source"),
                         r->areas == with ? WEDR_PATH_SOURCE_KERNEL : WEDR_PATH_SOURCE_CHANGED);
        assert_int_equal(rig_count(r, WEDR_EV_PERSISTENCE_WRITE, pid), 0);
    }
}

static void link_swapped_during_the_call_deceives_nobody(void **state)
{
    struct rig *r = *state;
    char path[256], file[256];
    need(r, "t_truncate");
    (void)snprintf(path, sizeof path, "cd %s && mkdir one two && ln -s one link", r->dir);
    assert_int_equal(system(path), 0);
    rig_make_file(r, "one/file");
    rig_make_file(r, "two/file");
    (void)snprintf(path, sizeof path, "%s/link/file", r->dir);
    (void)snprintf(file, sizeof file, "%s/one/file", r->dir);
    pid_t pid = truncate_during(path, path, rig_turn_link, r->dir);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 0);
    assert_str(v, "target_path", file);
    assert_int_equal(rec_uint(v, "inode"), rig_inode(r, "one/file"));
    assert_int_equal(rec_uint(v, "path_source"), WEDR_PATH_SOURCE_KERNEL);
}

/* Renames what shared->name says at that instant, and looks which file it was. */
static int move_the_one_or_the_other(void *dir)
{
    size_t last = strlen(shared->name) - 1;
    if (chdir(dir) != 0) {
        return -1;
    }
    for (size_t i = 0; i < ROUNDS; i++) {
        (void)*(volatile char *)&shared->name[last];
        if (rename(shared->name, "moved") != 0) {
            return -1;
        }
        bool was_a = access("a", F_OK) != 0;
        shared->moved[i] = was_a ? 'a' : 'b';
        if (rename("moved", was_a ? "a" : "b") != 0) {
            return -1;
        }
    }
    return 0;
}

static void swap_for_ever(void *end)
{
    *(volatile char *)end = 'b';
    *(volatile char *)end = 'a';
}

static void name_that_changes_all_the_time_is_told_as_what_happened(void **state)
{
    struct rig *r = *state;
    size_t of_a = 0;
    need(r, "t_rename");
    rig_make_file(r, "a");
    rig_make_file(r, "b");
    (void)snprintf(shared->name, sizeof shared->name, "%s/a", r->dir);
    pid_t swapper = rig_noise(r, swap_for_ever, &shared->name[strlen(shared->name) - 1]);
    pid_t pid = rig_done(move_the_one_or_the_other, r->dir);
    for (size_t i = 0; i < ROUNDS; i++) {
        const char file[2] = {shared->moved[i], 0};
        const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_RENAME, pid, 2 * i);
        rig_assert_path(v, "source_path", r, file);
        rig_assert_path(v, "target_path", r, "moved");
        assert_int_equal(rec_uint(v, "inode"), rig_inode(r, file));
        assert_int_equal(rec_uint(v, "path_source"), WEDR_PATH_SOURCE_KERNEL);
        of_a += file[0] == 'a';
    }
    print_message("%zu of %u renames took the one file\n", of_a, ROUNDS);
    rig_idler_end(swapper);
}

static int through_a_bind_mount(void *dir)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        chdir(dir) != 0 || mkdir("real", 0755) != 0 || mkdir("bound", 0755) != 0 ||
        mount("real", "bound", NULL, MS_BIND, NULL) != 0) {
        return -1;
    }
    int fd = open("bound/a", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 || rename("bound/a", "bound/b") != 0 || link("bound/b", "bound/c") != 0 ||
           chmod("bound/c", 0640) != 0 || unlink("bound/b") != 0 || unlink("real/c") != 0;
}

static void bind_mount_is_told_as_the_way_that_was_taken(void **state)
{
    static const struct expected all[] = {
        {WEDR_EV_FILE_RENAME, 0, "bound/b", "bound/a"},
        {WEDR_EV_FILE_LINK, WEDR_FILE_OP_LINK, "bound/c", "bound/b"},
        {WEDR_EV_FILE_ATTRIBUTE, WEDR_FILE_OP_CHMOD, "bound/c", NULL},
        {WEDR_EV_FILE_DELETE, 0, "bound/b", NULL},
        {WEDR_EV_FILE_DELETE, 0, "real/c", NULL},
    };
    struct rig *r = *state;
    need(r, "t_rename");
    pid_t pid = rig_done(through_a_bind_mount, r->dir);
    assert_told(r, pid, all, sizeof all / sizeof *all);
}

static int in_chroot(void *dir)
{
    return chroot(dir) != 0 || chdir("/") != 0 || rename("/a", "/../../b") != 0 ||
           truncate("/b", 0) != 0 || unlink("b") != 0;
}

static void chroot_does_not_hide_the_real_path(void **state)
{
    static const struct expected all[] = {
        {WEDR_EV_FILE_RENAME, 0, "b", "a"},
        {WEDR_EV_FILE_WRITE, WEDR_FILE_OP_TRUNCATE, "b", NULL},
        {WEDR_EV_FILE_DELETE, 0, "b", NULL},
    };
    struct rig *r = *state;
    need(r, "t_rename");
    rig_make_file(r, "a");
    pid_t pid = rig_done(in_chroot, r->dir);
    assert_told(r, pid, all, sizeof all / sizeof *all);
}

static int on_overlay(void *dir)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", dir, "tmpfs", 0, NULL) != 0 || chdir(dir) != 0 || mkdir("low", 0755) != 0 ||
        mkdir("up", 0755) != 0 || mkdir("work", 0755) != 0 || mkdir("both", 0755) != 0) {
        return -1;
    }
    int fd = open("low/a", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ||
           mount("overlay", "both", "overlay", 0, "lowerdir=low,upperdir=up,workdir=work") != 0 ||
           chmod("both/a", 0600) != 0 || rename("both/a", "both/b") != 0 ||
           symlink("b", "both/soft") != 0 || link("both/b", "both/c") != 0 || unlink("both/b") != 0;
}

static void overlay_shows_the_merged_path(void **state)
{
    static const struct expected all[] = {
        {WEDR_EV_FILE_ATTRIBUTE, WEDR_FILE_OP_CHMOD, "both/a", NULL},
        {WEDR_EV_FILE_RENAME, 0, "both/b", "both/a"},
        {WEDR_EV_FILE_LINK, WEDR_FILE_OP_SYMLINK, "both/soft", NULL},
        {WEDR_EV_FILE_LINK, WEDR_FILE_OP_LINK, "both/c", "both/b"},
        {WEDR_EV_FILE_DELETE, 0, "both/b", NULL},
    };
    struct rig *r = *state;
    need(r, "t_rename");
    pid_t pid = rig_done(on_overlay, r->dir);
    assert_told(r, pid, all, sizeof all / sizeof *all);
}

static int into_a_profile(void *dir)
{
    return chdir(dir) != 0 || rename("a", ".bashrc") != 0 || link(".bashrc", "other") != 0 ||
           rename("other", "third") != 0 || unlink(".bashrc") != 0;
}

static void persistence_is_told_as_such(void **state)
{
    static const char *const targets[] = {".bashrc", "other", ".bashrc"};
    struct rig *r = *state;
    need(r, "t_rename");
    rig_make_file(r, "a");
    pid_t pid = rig_done(into_a_profile, r->dir);
    for (size_t i = 0; i < 3; i++) {
        const struct wedr_event_view *v = rig_file(r, WEDR_EV_PERSISTENCE_WRITE, pid, i);
        rig_assert_path(v, "target_path", r, targets[i]);
        assert_int_equal(rec_uint(v, "path_source"), WEDR_PATH_SOURCE_KERNEL);
    }
}

static void calls_of_32_bits_are_told_from_kernel_objects(void **state)
{
    static const struct {
        int number;
        const char *source, *target; /* source NULL: the target alone */
        uint16_t type;
    } calls[] = {{9, "a", "b", WEDR_EV_FILE_LINK},        /* link */
                 {38, "b", "c", WEDR_EV_FILE_RENAME},     /* rename */
                 {15, NULL, "a", WEDR_EV_FILE_ATTRIBUTE}, /* chmod */
                 {10, NULL, "c", WEDR_EV_FILE_DELETE}};   /* unlink */
    struct rig *r = *state;
    need(r, "t_rename");
    need(r, "compat");
    rig_make_file(r, "a");
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char step[512];
        const char *from = calls[i].source;
        (void)snprintf(step, sizeof step, "int80:%d,%s/%s,%s%s%s", calls[i].number, r->dir,
                       from ? from : calls[i].target, from ? r->dir : "0600", from ? "/" : "",
                       from ? calls[i].target : "");
        pid_t pid = steps_run(WEDR_VICTIM_CRED, 0, (const char *const[]){step, NULL});
        const struct wedr_event_view *v = rig_file(r, calls[i].type, pid, 0);
        rig_assert_path(v, "target_path", r, calls[i].target);
        if (from) {
            rig_assert_path(v, "source_path", r, from);
        }
        assert_int_equal(rec_uint(v, "via"), WEDR_VIA_COMPAT);
        assert_int_equal(rec_uint(v, "path_source"), WEDR_PATH_SOURCE_KERNEL);
        assert_true(rec_uint(v, "inode") != 0);
    }
}

static int setup(void **state, const char *const *areas, bool slow_walk)
{
    static struct rig rig;
    rig_open_walk(&rig, areas, slow_walk);
    *state = &rig;
    return 0;
}

static int setup_fast(void **state)
{
    return setup(state, with, false);
}

static int setup_slow(void **state)
{
    return setup(state, with, true);
}

static int setup_without(void **state)
{
    return setup(state, without, false);
}

#define T(name) cmocka_unit_test_setup(name, rig_empty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_operation_names_what_the_kernel_changed),
        T(text_of_a_long_link_is_whole_and_the_callers),
        T(text_swapped_during_the_call_deceives_nobody),
        T(link_swapped_during_the_call_deceives_nobody),
        T(name_that_changes_all_the_time_is_told_as_what_happened),
        T(bind_mount_is_told_as_the_way_that_was_taken),
        T(chroot_does_not_hide_the_real_path),
        T(overlay_shows_the_merged_path),
        T(persistence_is_told_as_such),
        T(calls_of_32_bits_are_told_from_kernel_objects),
    };
    const struct CMUnitTest words[] = {
        T(every_operation_names_what_the_kernel_changed),
        T(text_swapped_during_the_call_deceives_nobody),
    };
    int unable = rig_unable();
    if (unable) {
        return unable;
    }
    (void)signal(SIGIO, SIG_IGN);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        return 1;
    }
    return (cmocka_run_group_tests_name("fast walk", tests, setup_fast, rig_teardown) +
            cmocka_run_group_tests_name("probe walk", tests, setup_slow, rig_teardown) +
            cmocka_run_group_tests_name("without", words, setup_without, rig_teardown)) != 0;
}
