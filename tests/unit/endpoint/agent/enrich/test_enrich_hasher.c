/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests of real programs: what runs, what has ended, what was swapped, rewritten, removed. */
#include "core/base/err.h"
#include "core/util/sha256.h"
#include "enrich/hasher.h"
#include "wedr/plat/target.h"
#include "wedr/plat/time.h"
#include "wedr/wire/event.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/wedr-test-hasher-XXXXXX";
static char tool[64], other[64];
static uint8_t bytes[1 << 20];

static size_t read_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    ssize_t got;
    assert_true(fd >= 0);
    while ((got = read(fd, bytes + n, sizeof(bytes) - n)) > 0) {
        n += (size_t)got;
    }
    close(fd);
    return n;
}

static void copy(const char *from, const char *to)
{
    size_t n = read_file(from);
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
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
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* As core would ask about a process that was started just now. */
static struct wedr_msg_exe_ask question(pid_t pid, const char *path)
{
    struct wedr_msg_exe_ask m;
    struct wedr_target t;
    struct stat st;
    wedr_msg_begin(&m, WEDR_MSG_T_EXE_ASK);
    assert_int_equal(stat(path, &st), 0);
    m.exe.inode = st.st_ino;
    m.exe.dev = (uint32_t)(major(st.st_dev) << 20 | minor(st.st_dev));
    m.exe.size = (uint64_t)st.st_size;
    m.exe.ctime_ns = st.st_ctim.tv_sec * INT64_C(1000000000) + st.st_ctim.tv_nsec;
    m.exe.mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
    m.exe.pid = (uint32_t)pid;
    if (wedr_target_open((uint32_t)pid, &t) == WEDR_OK) {
        m.exe.process_key = wedr_linux_process_key(t.start_boot_ns, (uint32_t)pid);
        wedr_fs_close(t.handle);
    }
    wedr_msg_put_text(m.path, sizeof(m.path), path);
    return m;
}

static struct wedr_msg_exe_facts
ask_with(const struct wedr_hasher_cfg *cfg, const struct wedr_msg_exe_ask *m, unsigned *ret_turns)
{
    static struct wedr_msg_exe_facts a;
    struct wedr_hasher *h = wedr_hasher_new(cfg);
    uint32_t wait_ms = 0;
    unsigned turns = 1;
    assert_non_null(h);
    wedr_hasher_ask(h, m);
    while (!wedr_hasher_run(h, wedr_time_mono_ms(), &a, &wait_ms)) {
        assert_int_not_equal(wait_ms, UINT32_MAX);
        wedr_time_sleep_ms(wait_ms);
        turns++;
    }
    if (ret_turns) {
        *ret_turns = turns;
    }
    wedr_hasher_free(h);
    return a;
}

static struct wedr_msg_exe_facts ask(const struct wedr_msg_exe_ask *m)
{
    struct wedr_hasher_cfg cfg = {.bytes_per_second = 1u << 30, .file_bytes_max = 1u << 30};
    return ask_with(&cfg, m, NULL);
}

static void assert_digest(const struct wedr_msg_exe_facts *a, const char *path)
{
    uint8_t digest[WEDR_SHA256_LEN];
    wedr_sha256(bytes, read_file(path), digest);
    assert_int_equal(a->result, WEDR_MSG_EXE_KNOWN);
    assert_memory_equal(a->sha256, digest, sizeof(digest));
}

static void a_running_program_has_the_digest_of_its_file(void **state)
{
    (void)state;
    pid_t pid = start(tool);
    struct wedr_msg_exe_ask m = question(pid, tool);
    struct wedr_msg_exe_facts a = ask(&m);
    assert_digest(&a, tool);
    assert_int_equal(a.running, 1);
    assert_int_equal(a.touched, 0);
    assert_true(a.head_len > 64);
    m.exe.process_key += (uint64_t)10 << 30; /* another process of that number */
    a = ask(&m);
    assert_digest(&a, tool);
    assert_int_equal(a.running, 0);
    end(pid);
}

static void one_that_has_ended_has_it_by_its_path(void **state)
{
    (void)state;
    pid_t pid = start(tool);
    struct wedr_msg_exe_ask m = question(pid, tool);
    end(pid);
    struct wedr_msg_exe_facts a = ask(&m);
    assert_digest(&a, tool);
    assert_int_equal(a.running, 0);
}

static void no_digest_of_another_file_is_ever_given(void **state)
{
    (void)state;
    pid_t pid = start(tool);
    struct wedr_msg_exe_ask m = question(pid, tool);
    assert_int_equal(rename(other, tool), 0); /* swapped while it runs */
    struct wedr_msg_exe_facts a = ask(&m);
    char link[64];
    (void)snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
    assert_digest(&a, link); /* what it runs, not what has the name now */
    assert_int_equal(a.running, 1);
    end(pid);
    a = ask(&m); /* and once it has ended, nothing */
    assert_int_equal(a.result, WEDR_MSG_EXE_CHANGED);
    unlink(tool);
    a = ask(&m);
    assert_int_equal(a.result, WEDR_MSG_EXE_GONE);
}

static void a_removed_program_has_it_while_it_runs(void **state)
{
    (void)state;
    pid_t pid = start(tool);
    struct wedr_msg_exe_ask m = question(pid, tool);
    copy(tool, other);
    wedr_time_sleep_ms(20); /* a tick of the kernel's clock */
    unlink(tool);
    struct wedr_msg_exe_facts a = ask(&m);
    assert_digest(&a, other);
    assert_int_equal(a.touched, 1);
    assert_int_equal(a.running, 1);
    end(pid);
}

static void a_file_that_is_too_large_is_not_read(void **state)
{
    struct wedr_hasher_cfg cfg = {.bytes_per_second = 1u << 30, .file_bytes_max = 1000};
    (void)state;
    pid_t pid = start(tool);
    struct wedr_msg_exe_ask m = question(pid, tool);
    assert_int_equal(ask_with(&cfg, &m, NULL).result, WEDR_MSG_EXE_TOO_LARGE);
    end(pid);
}

static void the_budget_holds(void **state)
{
    /* A file of 1.5 MiB at 512 KiB a second, of which one second's worth is there at once. */
    struct wedr_hasher_cfg cfg = {.bytes_per_second = 512u << 10, .file_bytes_max = 1u << 30};
    struct wedr_msg_exe_facts a;
    uint32_t wait_ms = 0;
    uint64_t now = 1000;
    (void)state;
    int fd = open(tool, O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, 3 << 19), 0);
    close(fd);
    struct wedr_msg_exe_ask m = question(getpid(), tool);
    struct wedr_hasher *h = wedr_hasher_new(&cfg);
    wedr_time_sleep_ms(50);
    wedr_hasher_ask(h, &m);
    while (!wedr_hasher_run(h, now, &a, &wait_ms)) {
        now += wait_ms; /* a clock of its own */
    }
    assert_int_equal(a.result, WEDR_MSG_EXE_KNOWN);
    assert_true(now - 1000 >= 1900);
    wedr_hasher_free(h);
}

static void more_questions_than_there_is_room_for_are_answered_at_once(void **state)
{
    struct wedr_hasher_cfg cfg = {.bytes_per_second = 1u << 30, .file_bytes_max = 1u << 30};
    struct wedr_hasher *h = wedr_hasher_new(&cfg);
    struct wedr_msg_exe_ask m = question(getpid(), tool);
    struct wedr_msg_exe_facts a;
    struct wedr_msg_facts_stats s;
    uint32_t wait_ms = 0;
    unsigned busy = 0;
    unsigned known = 0;
    (void)state;
    for (unsigned i = 0; i < WEDR_HASHER_QUEUE + 7; i++) {
        wedr_hasher_ask(h, &m);
    }
    do {
        if (wedr_hasher_run(h, wedr_time_mono_ms(), &a, &wait_ms)) {
            busy += a.result == WEDR_MSG_EXE_BUSY;
            known += a.result == WEDR_MSG_EXE_KNOWN;
        } else if (wait_ms != UINT32_MAX) {
            wedr_time_sleep_ms(wait_ms);
        }
    } while (wait_ms != UINT32_MAX);
    assert_int_equal(busy, 7);
    assert_int_equal(known, WEDR_HASHER_QUEUE);
    memset(&s, 0, sizeof(s));
    wedr_hasher_stats(h, &s);
    assert_int_equal(s.asked, WEDR_HASHER_QUEUE + 7);
    assert_int_equal(s.skipped[WEDR_MSG_EXE_BUSY], 7);
    wedr_hasher_free(h);
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
        cmocka_unit_test_setup(a_running_program_has_the_digest_of_its_file, setup),
        cmocka_unit_test_setup(one_that_has_ended_has_it_by_its_path, setup),
        cmocka_unit_test_setup(no_digest_of_another_file_is_ever_given, setup),
        cmocka_unit_test_setup(a_removed_program_has_it_while_it_runs, setup),
        cmocka_unit_test_setup(a_file_that_is_too_large_is_not_read, setup),
        cmocka_unit_test_setup(the_budget_holds, setup),
        cmocka_unit_test_setup(more_questions_than_there_is_room_for_are_answered_at_once, setup),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
