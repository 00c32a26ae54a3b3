/* SPDX-License-Identifier: Apache-2.0 */
#include "plat_test.h"
#include "wedr/plat/ipc.h"
#include "wedr/plat/target.h"
#include "wedr/plat/time.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child(const char *program)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (program) {
            (void)execl(program, "a) Z 1 ( b", "30", (char *)NULL);
            _exit(127);
        }
        for (;;) {
            (void)pause();
        }
    }
    return pid;
}

static void end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool is_readable(wedr_handle h, uint32_t wait_ms)
{
    struct wedr_wait w = {h, WEDR_WAIT_READ, 0};
    assert_int_equal(wedr_wait_any(&w, 1, wait_ms, NULL), WEDR_OK);
    return w.got != 0;
}

static void a_process_is_known_by_when_it_began(void **state)
{
    (void)state;
    struct wedr_target t;
    uint64_t before = wedr_time_boot_ns();
    pid_t pid = child(NULL);
    assert_int_equal(wedr_target_open((uint32_t)pid, &t), WEDR_OK);
    uint64_t after = wedr_time_boot_ns();
    assert_true(t.start_step_ns > 0 && t.start_boot_ns + t.start_step_ns > before);
    assert_true(t.start_boot_ns <= after);
    assert_true(!t.kernel && !t.ended && t.own); /* a copy of this test */
    wedr_fs_close(t.handle);
    end(pid);
}

static void another_program_is_not_our_own_whatever_it_calls_itself(void **state)
{
    (void)state;
    struct wedr_target t = {.own = true};
    pid_t pid = child("/bin/sleep");
    for (int i = 0; i < 500 && t.own; i++) { /* until it runs its program */
        assert_int_equal(wedr_target_open((uint32_t)pid, &t), WEDR_OK);
        wedr_fs_close(t.handle);
        wedr_time_sleep_ms(2);
    }
    assert_true(!t.own && !t.ended && !t.kernel);
    end(pid);
}

static void *wait_for_ever(void *arg)
{
    for (;;) {
        (void)pause();
    }
    return arg;
}

/* What /proc calls a zombie then, while its other threads work on. */
static void a_process_whose_first_thread_is_gone_has_not_ended(void **state)
{
    (void)state;
    struct wedr_target t;
    char path[64], text[512] = "";
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        pthread_t other;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (pthread_create(&other, NULL, wait_for_ever, NULL) != 0) {
            _exit(1);
        }
        pthread_exit(NULL);
    }
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    for (int i = 0; i < 2500 && !strstr(text, ") Z "); i++) {
        FILE *f = fopen(path, "re");
        assert_non_null(f);
        assert_non_null(fgets(text, sizeof(text), f));
        assert_int_equal(fclose(f), 0);
        wedr_time_sleep_ms(2);
    }
    assert_non_null(strstr(text, ") Z "));
    assert_int_equal(wedr_target_open((uint32_t)pid, &t), WEDR_OK);
    assert_false(t.ended);
    assert_int_equal(wedr_target_kill(&t), WEDR_OK);
    assert_true(is_readable(t.handle, 5000));
    wedr_fs_close(t.handle);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* With a library of his own in it, say. */
static void our_program_run_by_another_user_is_not_our_own(void **state)
{
    (void)state;
    struct wedr_target t;
    int ready[2];
    char c;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (setgid(65534) != 0 || setuid(65534) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
            _exit(1);
        }
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        (void)!write(ready[1], "x", 1);
        (void)wait_for_ever(NULL);
    }
    assert_int_equal(close(ready[1]), 0);
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_int_equal(close(ready[0]), 0);
    assert_int_equal(wedr_target_open((uint32_t)pid, &t), WEDR_OK);
    assert_false(t.own);
    wedr_fs_close(t.handle);
    end(pid);
}

static void what_is_killed_is_seen_to_end(void **state)
{
    (void)state;
    struct wedr_target t;
    pid_t pid = child(NULL);
    assert_int_equal(wedr_target_open((uint32_t)pid, &t), WEDR_OK);
    assert_false(is_readable(t.handle, 0));
    assert_int_equal(wedr_target_kill(&t), WEDR_OK);
    assert_true(is_readable(t.handle, 5000));
    struct wedr_target dead;
    assert_int_equal(wedr_target_open((uint32_t)pid, &dead), WEDR_OK); /* nobody has waited yet */
    assert_true(dead.ended);
    wedr_fs_close(dead.handle);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(wedr_target_kill(&t), WEDR_E_NOENT);
    assert_int_equal(wedr_target_open((uint32_t)pid, &dead), WEDR_E_NOENT);
    wedr_fs_close(t.handle);
}

static void a_thread_of_the_kernel_is_told_apart(void **state)
{
    (void)state;
    struct wedr_target t;
    if (wedr_target_open(2, &t) != WEDR_OK) {
        skip(); /* in a container */
    }
    bool first = getpid() != 2;
    assert_true(first && t.kernel);
    wedr_fs_close(t.handle);
}

static void a_number_without_a_process_is_none(void **state)
{
    (void)state;
    struct wedr_target t;
    assert_int_equal(wedr_target_open(0, &t), WEDR_E_NOENT);
    assert_int_equal(wedr_target_open(4194304, &t), WEDR_E_NOENT);
    assert_int_equal(wedr_target_open(UINT32_MAX, &t), WEDR_E_NOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_is_known_by_when_it_began),
        cmocka_unit_test(another_program_is_not_our_own_whatever_it_calls_itself),
        cmocka_unit_test(a_process_whose_first_thread_is_gone_has_not_ended),
        cmocka_unit_test(our_program_run_by_another_user_is_not_our_own),
        cmocka_unit_test(what_is_killed_is_seen_to_end),
        cmocka_unit_test(a_thread_of_the_kernel_is_told_apart),
        cmocka_unit_test(a_number_without_a_process_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
