/* SPDX-License-Identifier: Apache-2.0
 * Where an executable really is: names that lie, names that are gone, other roots. Once per way of
 * walking paths. */
#include "rig.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *const plain_argv[] = {(char *)(uintptr_t) "x", NULL};
static char *const no_env[] = {NULL};

static int run_fd(void *arg)
{
    return fexecve(*(int *)arg, plain_argv, no_env);
}

static void memfd_program_is_named_and_flagged(void **state)
{
    char buf[65536];
    uint16_t flags = 0;
    ssize_t n;
    int in = open(WEDR_VICTIM, O_RDONLY | O_CLOEXEC);
    int fd = memfd_create("evil", MFD_CLOEXEC);
    assert_true(in >= 0 && fd >= 0);
    while ((n = read(in, buf, sizeof buf)) > 0) {
        assert_int_equal(write(fd, buf, (size_t)n), n);
    }
    (void)close(in);
    const struct wedr_event_view *v = rig_exec_of(*state, rig_run(run_fd, &fd, NULL));
    (void)close(fd);
    assert_str(v, "image_path", "/memfd:evil");
    (void)rec_str(v, "image_path", &flags);
    assert_int_equal(flags, WEDR_SF_NO_NAME);
    assert_int_equal(rec_uint(v, "exec_flags"),
                     WEDR_EXEC_FLAGS_MEMFD | WEDR_EXEC_FLAGS_NO_NAME | WEDR_EXEC_FLAGS_FEXECVE);
    assert_int_equal(rec_uint(v, "exe_nlink"), 0);
}

static void deleted_program_keeps_its_path_and_is_flagged(void **state)
{
    struct rig *r = *state;
    char path[128];
    uint16_t flags = 0;
    (void)snprintf(path, sizeof path, "%s/gone", r->dir);
    rig_copy_victim(path, 0755);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(unlink(path), 0);
    const struct wedr_event_view *v = rig_exec_of(r, rig_run(run_fd, &fd, NULL));
    (void)close(fd);
    assert_str(v, "image_path", path);
    (void)rec_str(v, "image_path", &flags);
    assert_int_equal(flags, WEDR_SF_DELETED);
    assert_int_equal(rec_uint(v, "exec_flags"), WEDR_EXEC_FLAGS_DELETED | WEDR_EXEC_FLAGS_FEXECVE);
}

static int run_script(void *arg)
{
    return chdir(arg) == 0 ? execl("./script", "./script", "arg", (char *)NULL) : -1;
}

/* A copy of a mount that was never put anywhere: its files have no path that leads to them. */
static void program_of_a_mount_without_a_place_has_no_name(void **state)
{
    struct rig *r = *state;
    char path[128];
    uint16_t flags = 0;
    (void)snprintf(path, sizeof path, "%s/afloat", r->dir);
    rig_copy_victim(path, 0755);
    int tree = open_tree(AT_FDCWD, r->dir, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    int fd = openat(tree, "afloat", O_RDONLY | O_CLOEXEC);
    assert_true(tree >= 0 && fd >= 0);
    const struct wedr_event_view *v = rig_exec_of(r, rig_run(run_fd, &fd, NULL));
    (void)close(fd);
    (void)close(tree);
    assert_str(v, "image_path", "/afloat");
    (void)rec_str(v, "image_path", &flags);
    assert_int_equal(flags, WEDR_SF_NO_NAME);
    assert_true(rec_uint(v, "exec_flags") & WEDR_EXEC_FLAGS_NO_NAME);
}

static void script_has_its_own_path_beside_the_interpreter(void **state)
{
    struct rig *r = *state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/script", r->dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    static const char text[] = "#!" WEDR_VICTIM " exit\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    (void)close(fd);
    const struct wedr_event_view *v = rig_exec_of(r, rig_run(run_script, r->dir, NULL));
    assert_str(v, "image_path", WEDR_VICTIM);
    assert_str(v, "script_path", "./script");
    assert_str(v, "cwd", r->dir);
    assert_int_equal(rec_uint(v, "exec_flags"), WEDR_EXEC_FLAGS_SCRIPT);
    struct wedr_span argv = rec_str(v, "command_line", NULL);
    static const char expected[] = WEDR_VICTIM "\0exit\0./script\0arg";
    assert_int_equal(argv.len, sizeof expected);
    assert_memory_equal(argv.p, expected, sizeof expected);
}

#define DEEP 22

/* Goes down DEEP folders of 200 bytes each, making them, and runs a program there by relative name.
 */
static int run_deep(void *arg)
{
    char name[201];
    memset(name, 'd', 200);
    name[200] = 0;
    if (chdir(arg) != 0) {
        return -1;
    }
    for (int i = 0; i < DEEP; i++) {
        if ((mkdir(name, 0755) != 0 && i == 0) || chdir(name) != 0) {
            return -1;
        }
    }
    rig_copy_victim("leaf", 0755);
    return execl("./leaf", "./leaf", "exit", "0", (char *)NULL);
}

static void path_over_4095_bytes_loses_its_head_not_its_leaf(void **state)
{
    struct rig *r = *state;
    uint16_t flags = 0;
    const struct wedr_event_view *v = rig_exec_of(r, rig_run(run_deep, r->dir, NULL));
    struct wedr_span path = rec_str(v, "image_path", &flags);
    assert_int_equal(flags, WEDR_SF_HEAD_CUT);
    assert_true(path.len <= WEDR_PATH_COPY_MAX && path.len > WEDR_PATH_COPY_MAX - 210);
    assert_memory_equal(path.p, "/dddd", 5);
    assert_memory_equal(path.p + path.len - 9, "dddd/leaf", 9);
    (void)rec_str(v, "cwd", &flags);
    assert_int_equal(flags, WEDR_SF_HEAD_CUT);
    assert_true(v->h.trunc_count >= 2);
}

static int run_path(void *arg)
{
    return execl(arg, arg, "exit", "0", (char *)NULL);
}

static void name_that_is_no_utf8_arrives_byte_for_byte(void **state)
{
    struct rig *r = *state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/a\xff\xfe\nb", r->dir);
    rig_copy_victim(path, 0755);
    const struct wedr_event_view *v = rig_exec_of(r, rig_run(run_path, path, NULL));
    assert_str(v, "image_path", path);
}

static int run_chrooted(void *arg)
{
    if (chroot(arg) != 0 || chdir("/") != 0) {
        return -1;
    }
    return execl("/t", "/t", "exit", "0", (char *)NULL);
}

static void chroot_does_not_hide_the_real_path(void **state)
{
    struct rig *r = *state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/t", r->dir);
    rig_copy_victim(path, 0755);
    const struct wedr_event_view *v = rig_exec_of(r, rig_run(run_chrooted, r->dir, NULL));
    assert_str(v, "image_path", path);
    assert_str(v, "cwd", r->dir);
    assert_int_equal(rec_uint(v, "exec_flags"), WEDR_EXEC_FLAGS_CHROOTED);
    assert_memory_equal(rec_str(v, "command_line", NULL).p, "/t", 3);
}

/* A tmpfs over the scratch folder that only this process sees, and a bind mount of a folder in it.
 */
static int run_in_private_mounts(void *arg)
{
    char path[128], bound[128];
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", arg, "tmpfs", 0, NULL) != 0 || chdir(arg) != 0 ||
        mkdir("inner", 0755) != 0 || mkdir("bound", 0755) != 0) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/inner", (const char *)arg);
    (void)snprintf(bound, sizeof bound, "%s/bound", (const char *)arg);
    if (mount(path, bound, NULL, MS_BIND, NULL) != 0) {
        return -1;
    }
    rig_copy_victim("inner/t", 0755);
    return execl("bound/t", "bound/t", "exit", "0", (char *)NULL);
}

static void private_mounts_resolve_as_their_process_sees_them(void **state)
{
    struct rig *r = *state;
    char path[128];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/bound/t", r->dir);
    assert_int_equal(stat("/proc/self/ns/mnt", &st), 0);
    const struct wedr_event_view *v = rig_exec_of(r, rig_run(run_in_private_mounts, r->dir, NULL));
    assert_str(v, "image_path", path);
    assert_str(v, "cwd", r->dir);
    assert_int_equal(rec_uint(v, "exec_flags"), 0);
    assert_true(rec_uint(v, "ns_mnt") != st.st_ino);
}

static int run_in_pid_namespace(void *arg)
{
    if (unshare(CLONE_NEWPID) != 0) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl(WEDR_VICTIM, WEDR_VICTIM, "exit", "0", (char *)NULL);
        _exit(99);
    }
    if (write(*(int *)arg, &pid, sizeof pid) != sizeof pid) {
        return -1;
    }
    (void)waitpid(pid, NULL, 0);
    _exit(0);
}

static void pid_namespace_has_both_numbers(void **state)
{
    struct stat st;
    pid_t pid = 0;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    (void)rig_run(run_in_pid_namespace, &ends[1], NULL);
    assert_int_equal(read(ends[0], &pid, sizeof pid), sizeof pid);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_int_equal(stat("/proc/self/ns/pid", &st), 0);
    const struct wedr_event_view *v = rig_exec_of(*state, pid);
    assert_int_equal(rec_uint(v, "ns_pid_nr"), 1);
    assert_true(rec_uint(v, "ns_pid") != st.st_ino);
    assert_true(rec_uint(v, "pid") > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memfd_program_is_named_and_flagged),
        cmocka_unit_test(deleted_program_keeps_its_path_and_is_flagged),
        cmocka_unit_test(program_of_a_mount_without_a_place_has_no_name),
        cmocka_unit_test(script_has_its_own_path_beside_the_interpreter),
        cmocka_unit_test(path_over_4095_bytes_loses_its_head_not_its_leaf),
        cmocka_unit_test(name_that_is_no_utf8_arrives_byte_for_byte),
        cmocka_unit_test(chroot_does_not_hide_the_real_path),
        cmocka_unit_test(private_mounts_resolve_as_their_process_sees_them),
        cmocka_unit_test(pid_namespace_has_both_numbers),
    };
    int unable = rig_unable();
    return unable ? unable : rig_run_both_walks(tests);
}
