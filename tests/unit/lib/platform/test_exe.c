/* SPDX-License-Identifier: Apache-2.0
 *
 * Real programs: running, ended, deleted, swapped, rewritten, in memory alone. */
#include "core/base/err.h"
#include "wedr/plat/exe.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
