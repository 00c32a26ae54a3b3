/* SPDX-License-Identifier: Apache-2.0
 *
 * Real programs: running, ended, deleted, swapped, rewritten, in memory alone. */
#include "core/base/err.h"
#include "wedr/plat/exe.h"
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/wedr-test-exe-XXXXXX";
static char tool[64], other[64];
static int64_t ctime_ns;

static void copy(const char *from, const char *to)
{
    char b[65536];
    ssize_t n;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_true(in >= 0 && out >= 0);
    while ((n = read(in, b, sizeof(b))) > 0) {
        assert_int_equal(write(out, b, (size_t)n), n);
    }
    close(in);
    close(out);
}

static struct wedr_exe_id id_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (struct wedr_exe_id){
        .inode = st.st_ino,
        .size = (uint64_t)st.st_size,
        .ctime_ns = st.st_ctim.tv_sec * INT64_C(1000000000) + st.st_ctim.tv_nsec,
        .mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec,
        .dev = (uint32_t)(major(st.st_dev) << 20 | minor(st.st_dev))};
}

/* It runs when this returns. */
static pid_t start(const char *path)
{
    int ends[2];
    char byte;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        execl(path, path, "60", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0); /* closed by the exec */
    close(ends[0]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(tool, sizeof(tool), "%s/tool", folder);
    (void)snprintf(other, sizeof(other), "%s/other", folder);
    copy("/bin/sleep", tool);
    copy("/bin/cat", other);
    return 0;
}

static void a_running_program_is_opened_whatever_became_of_its_name(void **state)
{
    struct wedr_exe_id id = id_of(tool);
    wedr_handle file;
    (void)state;
    pid_t pid = start(tool);
    assert_int_equal(wedr_exe_open_running((uint32_t)pid, &id, &file, &ctime_ns), WEDR_OK);
    assert_true(wedr_exe_unchanged(file, &id));
    wedr_fs_close(file);
    assert_true(wedr_exe_is_run_by((uint32_t)pid, &id));
    assert_true(wedr_exe_is_at(tool, &id));
    assert_true(ctime_ns == id.ctime_ns);
    usleep(20000); /* a tick of the kernel's clock */
    unlink(tool);
    assert_int_equal(wedr_exe_open_running((uint32_t)pid, &id, &file, &ctime_ns), WEDR_OK);
    assert_true(ctime_ns > id.ctime_ns);
    assert_false(wedr_exe_unchanged(file, &id));
    wedr_fs_close(file);
    struct wedr_exe_id older = id;
    older.mtime_ns--; /* it was written to */
    assert_int_equal(wedr_exe_open_running((uint32_t)pid, &older, &file, &ctime_ns),
                     WEDR_E_CONFLICT);
    end(pid);
    assert_int_equal(wedr_exe_open_running((uint32_t)pid, &id, &file, &ctime_ns), WEDR_E_NOENT);
}

static void another_file_is_never_opened(void **state)
{
    struct wedr_exe_id id = id_of(tool);
    wedr_handle file;
    (void)state;
    assert_int_equal(wedr_exe_open_path(tool, &id, &file), WEDR_OK);
    wedr_fs_close(file);
    assert_int_equal(wedr_exe_open_path(other, &id, &file), WEDR_E_CONFLICT);
    assert_int_equal(rename(other, tool), 0); /* the name leads elsewhere now */
    assert_int_equal(wedr_exe_open_path(tool, &id, &file), WEDR_E_CONFLICT);
    assert_false(wedr_exe_is_at(tool, &id));
    pid_t pid = start("/bin/sleep");
    assert_int_equal(wedr_exe_open_running((uint32_t)pid, &id, &file, &ctime_ns), WEDR_E_CONFLICT);
    assert_false(wedr_exe_is_run_by((uint32_t)pid, &id));
    end(pid);
}

static void a_file_that_was_written_to_is_another_one(void **state)
{
    struct wedr_exe_id id = id_of(tool);
    wedr_handle file;
    (void)state;
    assert_int_equal(wedr_exe_open_path(tool, &id, &file), WEDR_OK);
    usleep(20000); /* a tick of the kernel's clock */
    int fd = open(tool, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "x", 1, 100), 1);
    close(fd);
    assert_false(wedr_exe_unchanged(file, &id));
    wedr_fs_close(file);
    assert_int_equal(wedr_exe_open_path(tool, &id, &file), WEDR_E_CONFLICT);
}

static void a_link_a_folder_and_what_nobody_may_run_are_refused(void **state)
{
    wedr_handle file;
    (void)state;
    struct wedr_exe_id id = id_of(folder);
    assert_int_equal(wedr_exe_open_path(folder, &id, &file), WEDR_E_PERM);
    chmod(tool, 0600);
    id = id_of(tool);
    assert_int_equal(wedr_exe_open_path(tool, &id, &file), WEDR_E_PERM);
    chmod(tool, 0755);
    unlink(other);
    assert_int_equal(symlink(tool, other), 0);
    id = id_of(tool);
    assert_int_not_equal(wedr_exe_open_path(other, &id, &file), WEDR_OK);
    unlink(other);
    assert_int_equal(wedr_exe_open_path(other, &id, &file), WEDR_E_NOENT);
}

static void a_program_in_memory_alone_is_opened_by_its_process(void **state)
{
    char link[64];
    char b[65536];
    ssize_t n;
    wedr_handle file;
    (void)state;
    int in = open(tool, O_RDONLY | O_CLOEXEC);
    int fd = memfd_create("tool", MFD_CLOEXEC);
    while ((n = read(in, b, sizeof(b))) > 0) {
        assert_int_equal(write(fd, b, (size_t)n), n);
    }
    close(in);
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    pid_t pid = start(link);
    (void)snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
    struct wedr_exe_id id = id_of(link);
    assert_int_equal(wedr_exe_open_running((uint32_t)pid, &id, &file, &ctime_ns), WEDR_OK);
    wedr_fs_close(file);
    end(pid);
    close(fd);
}

#define PLACE "/tmp/wedr-test-exe-place"

static bool own_mounts(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* A mount over the place with a copy of sleep in it. */
static bool put_tool(const char *type)
{
    char options[128];
    if (strcmp(type, "tmpfs") == 0) {
        if (mount("tmpfs", PLACE, type, 0, NULL) != 0) {
            return false;
        }
        copy("/bin/sleep", PLACE "/tool");
        return true;
    }
    (void)snprintf(options, sizeof(options), "lowerdir=%s:/dev/shm", folder);
    return mount("overlay", PLACE, type, 0, options) == 0;
}

/* Runs the tool of a mount that is made in the process's own mount namespace, or here. detach: its
 * mount is taken away meanwhile. */
static int open_mounted(const char *type, bool here, bool detach)
{
    int ends[2];
    char byte;
    wedr_handle file = WEDR_HANDLE_NONE;
    struct wedr_exe_id id;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    if (here && !put_tool(type)) {
        return WEDR_E_BUG;
    }
    pid_t pid = fork();
    if (pid == 0) {
        if (!here && (!own_mounts() || !put_tool(type))) {
            _exit(1);
        }
        int fd = open(PLACE "/tool", O_RDONLY | O_CLOEXEC);
        if (detach && umount2(PLACE, MNT_DETACH) != 0) {
            _exit(1);
        }
        char *const argv[] = {"tool", "60", NULL};
        char *const env[] = {NULL};
        fexecve(fd, argv, env);
        _exit(1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0); /* closed by the exec */
    close(ends[0]);
    char path[64];
    struct stat st;
    (void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    int err = WEDR_E_BUG;
    if (stat(path, &st) == 0) {
        id = id_of(path);
        err = wedr_exe_open_running((uint32_t)pid, &id, &file, &ctime_ns);
    }
    if (err == WEDR_OK) {
        wedr_fs_close(file);
    }
    end(pid);
    if (here) {
        assert_int_equal(umount2(PLACE, MNT_DETACH), 0);
    }
    return err;
}

/* A user can make these in a user namespace; what an overlay lies over may be a daemon of his. */
static void only_overlays_that_are_mounted_here_are_opened(void **state)
{
    (void)state;
    (void)mkdir(PLACE, 0700);
    if (!own_mounts()) {
        skip();
    }
    assert_int_equal(open_mounted("overlay", true, false), WEDR_OK);
    assert_int_equal(open_mounted("overlay", false, false), WEDR_E_UNSUP);
    assert_int_equal(open_mounted("overlay", false, true), WEDR_E_UNSUP);
}

static void a_mount_that_is_listed_nowhere_is_not_opened(void **state)
{
    (void)state;
    (void)mkdir(PLACE, 0700);
    if (!own_mounts()) {
        skip();
    }
    assert_int_equal(open_mounted("tmpfs", false, false), WEDR_OK);
    assert_int_equal(open_mounted("tmpfs", false, true), WEDR_E_UNSUP);
}

/* Its own list has none of its mounts. */
static void a_process_in_a_jail_is_found(void **state)
{
    char path[64], byte;
    int ends[2];
    wedr_handle file = WEDR_HANDLE_NONE;
    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        byte = chroot(folder) == 0;
        (void)!write(ends[1], &byte, 1);
        (void)pause();
        _exit(1);
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    close(ends[1]);
    (void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    struct wedr_exe_id id = id_of(path);
    int err = wedr_exe_open_running((uint32_t)pid, &id, &file, &ctime_ns);
    end(pid);
    if (byte == 0) {
        skip();
    }
    assert_int_equal(err, WEDR_OK);
    wedr_fs_close(file);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(tool);
    unlink(other);
    (void)rmdir(PLACE);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_running_program_is_opened_whatever_became_of_its_name, setup),
        cmocka_unit_test_setup(another_file_is_never_opened, setup),
        cmocka_unit_test_setup(a_file_that_was_written_to_is_another_one, setup),
        cmocka_unit_test_setup(a_link_a_folder_and_what_nobody_may_run_are_refused, setup),
        cmocka_unit_test_setup(a_program_in_memory_alone_is_opened_by_its_process, setup),
        cmocka_unit_test_setup(a_process_in_a_jail_is_found, setup),
        cmocka_unit_test_setup(only_overlays_that_are_mounted_here_are_opened, setup),
        cmocka_unit_test_setup(a_mount_that_is_listed_nowhere_is_not_opened, setup),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
