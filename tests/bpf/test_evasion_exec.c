/* SPDX-License-Identifier: Apache-2.0
 * Programs that want to be taken for others. Names lie; the record has what the kernel ran. Once
 * per way of walking paths. docs/evasion.md lists all evasions and where they are tested. */
#include "steps.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *const no_env[] = {NULL};

static void renamed_task_keeps_its_key_and_its_childrens_parent(void **state)
{
    struct rig *r = *state;
    pid_t pid =
        steps_run(WEDR_VICTIM_CRED, 0, (const char *const[]){"comm:kworker/0:1", "clone:0", NULL});
    steps_ended(r, pid);
    const struct wedr_event_view *exec = rig_exec_of(r, pid);
    const struct wedr_event_view *end = rig_wait(r, WEDR_EV_PROCESS_TERMINATE, pid, 0);
    assert_str(exec, "image_path", WEDR_VICTIM_CRED);
    assert_str(end, "comm", "kworker/0:1"); /* what it calls itself, beside who it is */
    assert_int_equal(rec_uint(end, "process_key"), rec_uint(exec, "process_key"));
    assert_int_equal(rec_uint(exec, "exec_flags") & WEDR_EXEC_FLAGS_KERNEL_THREAD, 0);
}

static int run_as_sshd(void *arg)
{
    char *const argv[] = {(char *)(uintptr_t) "/usr/sbin/sshd", (char *)(uintptr_t) "-D", NULL};
    return execve(arg, argv, no_env);
}

static void first_argument_does_not_name_the_program(void **state)
{
    struct rig *r = *state;
    pid_t pid = rig_run(run_as_sshd, (void *)(uintptr_t)WEDR_VICTIM, NULL);
    const struct wedr_event_view *v = rig_exec_of(r, pid);
    assert_str(v, "image_path", WEDR_VICTIM);
    assert_memory_equal(rec_str(v, "command_line", NULL).p, "/usr/sbin/sshd", 15);
}

static void proc_self_exe_is_the_file_behind_it(void **state)
{
    struct rig *r = *state;
    pid_t pid = steps_run(WEDR_VICTIM_CRED, 0, (const char *const[]){"exec:/proc/self/exe", NULL});
    const struct wedr_event_view *v = rig_wait(r, WEDR_EV_PROCESS_CREATE, pid, 1);
    assert_non_null(v);
    assert_str(v, "image_path", WEDR_VICTIM_CRED);
    assert_memory_equal(rec_str(v, "command_line", NULL).p, "/proc/self/exe", 15);
}

/* The next process gets this pid, when nobody else is faster. */
static bool next_pid_is(pid_t pid)
{
    char text[16];
    int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    int n = snprintf(text, sizeof text, "%d", (int)pid - 1);
    bool ok = fd >= 0 && write(fd, text, (size_t)n) == n;
    if (fd >= 0) {
        (void)close(fd);
    }
    return ok;
}

static pid_t last_pid(void)
{
    char text[16] = "";
    int fd = open("/proc/sys/kernel/ns_last_pid", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    assert_true(n > 0);
    return (pid_t)strtol(text, NULL, 10);
}

/* The key of the process that ended so; others may have had its pid meanwhile. */
static uint64_t key_of_end(struct rig *r, pid_t pid, uint64_t exit_code)
{
    const struct wedr_event_view *end;
    for (size_t n = 0; (end = rig_wait(r, WEDR_EV_PROCESS_TERMINATE, pid, n)) != NULL; n++) {
        if (rec_uint(end, "exit_code") == exit_code) {
            return rec_uint(end, "process_key");
        }
    }
    fail_msg("no process %d ended with %d", (int)pid, (int)exit_code);
    return 0;
}

static bool was_created(struct rig *r, pid_t pid, uint64_t key)
{
    const struct wedr_event_view *v = NULL;
    for (size_t n = 0; (v = rig_wait(r, WEDR_EV_PROCESS_CREATE, pid, n)) != NULL; n++) {
        if (rec_uint(v, "process_key") == key) {
            return true;
        }
    }
    return false;
}

static int run_victim_exit(void *code)
{
    return execl(WEDR_VICTIM, WEDR_VICTIM, "exit", code, (char *)NULL);
}

static void pid_that_is_used_again_has_another_key(void **state)
{
    struct rig *r = *state;
    int tries = 0;
    if (access("/proc/sys/kernel/ns_last_pid", W_OK) != 0) {
        skip(); /* CONFIG_CHECKPOINT_RESTORE */
    }
    pid_t first = rig_run(run_victim_exit, (void *)(uintptr_t) "11", NULL), second = 0;
    pid_t before = last_pid();
    while (second != first && tries++ < 500) {
        assert_true(next_pid_is(first));
        second = rig_run(run_victim_exit, (void *)(uintptr_t) "12", NULL);
    }
    /* Or those that come next have had records already: some of others began after `before` was
     * read. Beyond the largest pid the numbers begin again. */
    assert_true(next_pid_is(before + 100) || next_pid_is(1000));
    assert_int_equal(second, first);
    uint64_t key[2] = {key_of_end(r, first, 11), key_of_end(r, first, 12)};
    assert_true(key[0] != key[1]);
    assert_true(was_created(r, first, key[0]) && was_created(r, first, key[1]));
}

static int run_as_root_of_a_namespace(void *arg)
{
    char text[32];
    int n = snprintf(text, sizeof text, "0 1000 1");
    if (setresgid(1000, 1000, 1000) != 0 || setresuid(1000, 1000, 1000) != 0 ||
        prctl(PR_SET_DUMPABLE, 1) != 0 || unshare(CLONE_NEWUSER) != 0) {
        return -1;
    }
    int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, (size_t)n) != n || geteuid() != 0) {
        return -1;
    }
    return execl(arg, arg, "exit", "0", (char *)NULL);
}

/* It believes to be root. */
static void root_of_a_user_namespace_is_who_he_is_outside(void **state)
{
    struct rig *r = *state;
    struct stat st;
    pid_t pid = rig_run(run_as_root_of_a_namespace, (void *)(uintptr_t)WEDR_VICTIM, NULL);
    const struct wedr_event_view *v = rig_exec_of(r, pid);
    assert_int_equal(stat("/proc/self/ns/user", &st), 0);
    assert_int_equal(rec_uint(v, "uid"), 1000);
    assert_int_equal(rec_uint(v, "euid"), 1000);
    assert_true(rec_uint(v, "ns_user") != st.st_ino);
    assert_str(v, "image_path", WEDR_VICTIM);
}

struct two_paths {
    char evil[128], good[128];
};

static int run_bound_over(void *arg)
{
    const struct two_paths *p = arg;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(p->evil, p->good, NULL, MS_BIND, NULL) != 0) {
        return -1;
    }
    return execl(p->good, p->good, "exit", "0", (char *)NULL);
}

/* The name is the trusted one's; the file is not. */
static void file_bound_over_a_trusted_one_has_its_own_inode(void **state)
{
    struct rig *r = *state;
    struct two_paths p;
    struct stat evil, good;
    (void)snprintf(p.evil, sizeof p.evil, "%s/evil", r->dir);
    (void)snprintf(p.good, sizeof p.good, "%s/good", r->dir);
    rig_copy_victim(p.evil, 0755);
    rig_copy_victim(p.good, 0755);
    assert_int_equal(stat(p.evil, &evil), 0);
    assert_int_equal(stat(p.good, &good), 0);
    const struct wedr_event_view *v = rig_exec_of(r, rig_run(run_bound_over, &p, NULL));
    assert_str(v, "image_path", p.good);
    assert_int_equal(rec_uint(v, "exe_inode"), evil.st_ino);
    assert_true(evil.st_ino != good.st_ino);
    assert_int_equal(stat("/proc/self/ns/mnt", &good), 0);
    assert_true(rec_uint(v, "ns_mnt") != good.st_ino);
}

/* Folders l (lower), u (upper), w (work), m (merged) on a tmpfs that only this process sees. */
static int run_in_overlay(void *arg)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", arg, "tmpfs", 0, NULL) != 0 || chdir(arg) != 0 || mkdir("l", 0755) != 0 ||
        mkdir("u", 0755) != 0 || mkdir("w", 0755) != 0 || mkdir("m", 0755) != 0) {
        return -1;
    }
    rig_copy_victim("l/t", 0755);
    if (mount("overlay", "m", "overlay", 0, "lowerdir=l,upperdir=u,workdir=w") != 0) {
        return -1;
    }
    return execl("m/t", "m/t", "exit", "0", (char *)NULL);
}

static void overlay_gives_the_path_that_was_used(void **state)
{
    struct rig *r = *state;
    char path[128], line[64] = "";
    FILE *f = fopen("/proc/filesystems", "re");
    while (f && fgets(line, sizeof line, f) && !strstr(line, "\toverlay")) {
        line[0] = 0;
    }
    if (f) {
        (void)fclose(f);
    }
    if (!line[0]) {
        skip(); /* the kernel has none */
    }
    (void)snprintf(path, sizeof path, "%s/m/t", r->dir);
    const struct wedr_event_view *v = rig_exec_of(r, rig_run(run_in_overlay, r->dir, NULL));
    assert_str(v, "image_path", path);
    assert_int_equal(rec_uint(v, "exec_flags"), 0);
}

static int run_swapped(void *arg)
{
    (void)close(2); /* one of them complains */
    return execl(arg, arg, "exit", "5", (char *)NULL);
}

static void swap(void *arg)
{
    const struct two_paths *p = arg;
    (void)syscall(SYS_renameat2, AT_FDCWD, p->evil, AT_FDCWD, p->good, 2 /* RENAME_EXCHANGE */);
}

/* Somebody exchanges two programs all the time while the name of one is run. Their exit codes
 * differ: what is told must be what ran. */
static void swapped_program_is_told_as_the_one_that_ran(void **state)
{
    struct rig *r = *state;
    struct two_paths p;
    struct stat evil, good;
    size_t seen[2] = {0, 0};
    (void)snprintf(p.evil, sizeof p.evil, "%s/evil-swapped", r->dir);
    (void)snprintf(p.good, sizeof p.good, "%s/good-swapped", r->dir);
    steps_copy(WEDR_VICTIM_CRED, p.evil);
    steps_copy(WEDR_VICTIM, p.good);
    assert_int_equal(stat(p.evil, &evil), 0);
    assert_int_equal(stat(p.good, &good), 0);
    pid_t swapper = rig_noise(r, swap, &p);
    for (int i = 0; i < 100; i++) {
        int status = 0;
        pid_t pid = rig_run(run_swapped, p.good, &status);
        bool was_good = status == 5 << 8;
        assert_true(was_good || status == 90 << 8);
        const struct wedr_event_view *v = rig_exec_of(r, pid);
        assert_int_equal(rec_uint(v, "exe_inode"), was_good ? good.st_ino : evil.st_ino);
        assert_int_equal(rec_uint(v, "exe_size"), was_good ? good.st_size : evil.st_size);
        seen[was_good]++;
    }
    rig_idler_end(swapper);
    assert_true(seen[0] > 0 && seen[1] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renamed_task_keeps_its_key_and_its_childrens_parent),
        cmocka_unit_test(first_argument_does_not_name_the_program),
        cmocka_unit_test(proc_self_exe_is_the_file_behind_it),
        cmocka_unit_test(pid_that_is_used_again_has_another_key),
        cmocka_unit_test(root_of_a_user_namespace_is_who_he_is_outside),
        cmocka_unit_test(file_bound_over_a_trusted_one_has_its_own_inode),
        cmocka_unit_test(overlay_gives_the_path_that_was_used),
        cmocka_unit_test(swapped_program_is_told_as_the_one_that_ran),
    };
    int unable = rig_unable();
    return unable ? unable : rig_run_both_walks(tests);
}
