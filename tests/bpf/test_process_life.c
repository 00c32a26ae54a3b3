/* SPDX-License-Identifier: Apache-2.0
 * Fork, end, threads, and what was there before. */
#include "rig.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_rig(void **state)
{
    static struct rig rig;
    rig_open(&rig, false, 0);
    *state = &rig;
    return 0;
}

static int close_rig(void **state)
{
    rig_close(*state);
    return 0;
}

static const struct wedr_event_view *wait_for(struct rig *r, uint16_t type, pid_t pid)
{
    const struct wedr_event_view *v = rig_wait(r, type, pid, 0);
    assert_non_null(v);
    return v;
}

static void one_key_from_fork_over_exec_to_exit(void **state)
{
    struct rig *r = *state;
    const char *const args[] = {"exit", "0", NULL};
    pid_t pid = rig_victim(args, NULL);
    const struct wedr_event_view *exec = wait_for(r, WEDR_EV_PROCESS_CREATE, pid);
    const struct wedr_event_view *fork = wait_for(r, WEDR_EV_PROCESS_FORK, pid);
    const struct wedr_event_view *end = wait_for(r, WEDR_EV_PROCESS_TERMINATE, pid);
    assert_true(rec_uint(exec, "process_key") != 0);
    assert_int_equal(rec_uint(fork, "process_key"), rec_uint(exec, "process_key"));
    assert_int_equal(rec_uint(end, "process_key"), rec_uint(exec, "process_key"));
    assert_int_equal(rec_uint(fork, "parent_key"), rec_uint(exec, "parent_key"));
    assert_int_equal(rec_uint(end, "parent_key"), rec_uint(exec, "parent_key"));
    assert_true(fork->h.seq < exec->h.seq && exec->h.seq < end->h.seq);
    assert_true(fork->h.time <= exec->h.time && exec->h.time <= end->h.time);
    assert_int_equal(rec_uint(fork, "parent_pid"), getpid());
    assert_int_equal(rec_uint(fork, "creating_pid"), getpid());
    assert_int_equal(rec_uint(end, "parent_pid"), getpid());
    assert_str(end, "comm", "wedr_bpf_victim");
}

static void exit_code_is_decoded(void **state)
{
    const char *const args[] = {"exit", "77", NULL};
    const struct wedr_event_view *v =
        wait_for(*state, WEDR_EV_PROCESS_TERMINATE, rig_victim(args, NULL));
    assert_int_equal(rec_uint(v, "exit_code"), 77);
    assert_int_equal(rec_uint(v, "signal"), 0);
    assert_int_equal(rec_uint(v, "core_dumped"), 0);
}

static void deadly_signal_is_decoded(void **state)
{
    const char *const args[] = {"die", "9", NULL};
    const struct wedr_event_view *v =
        wait_for(*state, WEDR_EV_PROCESS_TERMINATE, rig_victim(args, NULL));
    assert_int_equal(rec_uint(v, "exit_code"), 0);
    assert_int_equal(rec_uint(v, "signal"), SIGKILL);
    assert_int_equal(rec_uint(v, "core_dumped"), 0);
}

static void core_dump_flag_is_what_wait_says(void **state)
{
    struct rig *r = *state;
    char old[4096];
    int status = 0;
    const char *const args[] = {"die", "6", NULL};
    assert_non_null(getcwd(old, sizeof old));
    assert_int_equal(chdir(r->dir), 0); /* the core file goes with the folder */
    pid_t pid = rig_victim(args, &status);
    assert_int_equal(chdir(old), 0);
    const struct wedr_event_view *v = wait_for(r, WEDR_EV_PROCESS_TERMINATE, pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(rec_uint(v, "signal"), SIGABRT);
    assert_int_equal(rec_uint(v, "core_dumped"), WCOREDUMP(status) != 0);
}

static void process_ends_with_its_last_thread_not_with_its_leader(void **state)
{
    struct rig *r = *state;
    int status = 0;
    const char *const args[] = {"leader-first", NULL};
    pid_t pid = rig_victim(args, &status);
    const struct wedr_event_view *v = wait_for(r, WEDR_EV_PROCESS_TERMINATE, pid);
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_int_equal(rec_uint(v, "exit_code"), 7);
    assert_int_equal(rig_count(r, WEDR_EV_PROCESS_TERMINATE, pid), 1);
    const struct wedr_event_view *exec = wait_for(r, WEDR_EV_PROCESS_CREATE, pid);
    assert_true(v->h.time - exec->h.time >= 20000000);
}

static void threads_that_end_together_give_one_exit(void **state)
{
    struct rig *r = *state;
    const char *const args[] = {"together", NULL};
    for (int i = 0; i < 200; i++) {
        pid_t pid = rig_victim(args, NULL);
        (void)wait_for(r, WEDR_EV_PROCESS_TERMINATE, pid);
        assert_int_equal(rig_count(r, WEDR_EV_PROCESS_TERMINATE, pid), 1);
        assert_int_equal(rig_count(r, WEDR_EV_PROCESS_FORK, pid), 1);
    }
}

static void exec_by_a_thread_belongs_to_the_process(void **state)
{
    struct rig *r = *state;
    const char *const args[] = {"thread-exec", WEDR_VICTIM, "exit", "5", NULL};
    pid_t pid = rig_victim(args, NULL);
    const struct wedr_event_view *first = wait_for(r, WEDR_EV_PROCESS_CREATE, pid);
    const struct wedr_event_view *second = rig_wait(r, WEDR_EV_PROCESS_CREATE, pid, 1);
    assert_non_null(second);
    assert_int_equal(rec_uint(second, "argv_size"), sizeof WEDR_VICTIM + 7);
    assert_int_equal(rec_uint(second, "process_key"), rec_uint(first, "process_key"));
    const struct wedr_event_view *end = wait_for(r, WEDR_EV_PROCESS_TERMINATE, pid);
    assert_int_equal(rec_uint(end, "exit_code"), 5);
    assert_int_equal(rec_uint(end, "process_key"), rec_uint(first, "process_key"));
    assert_int_equal(rig_count(r, WEDR_EV_PROCESS_TERMINATE, pid), 1);
}

static void clone_parent_names_parent_and_creator(void **state)
{
    struct rig *r = *state;
    long child = 0;
    const char *const args[] = {"clone-parent", NULL};
    pid_t creator = rig_victim_says(args, &child);
    (void)waitpid((pid_t)child, NULL, 0);
    const struct wedr_event_view *v = wait_for(r, WEDR_EV_PROCESS_FORK, (pid_t)child);
    assert_int_equal(rec_uint(v, "parent_pid"), getpid());
    assert_int_equal(rec_uint(v, "creating_pid"), creator);
}

static void orphan_of_a_double_fork_names_its_reaper(void **state)
{
    struct rig *r = *state;
    long pid = 0;
    const char *const args[] = {"double-fork", WEDR_VICTIM, "exit", "0", NULL};
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    pid_t first = rig_victim_says(args, &pid);
    const struct wedr_event_view *exec = wait_for(r, WEDR_EV_PROCESS_CREATE, (pid_t)pid);
    assert_int_equal(rec_uint(exec, "parent_pid"), getpid());
    const struct wedr_event_view *fork = wait_for(r, WEDR_EV_PROCESS_FORK, (pid_t)pid);
    pid_t middle = (pid_t)rec_uint(fork, "parent_pid");
    const struct wedr_event_view *before = wait_for(r, WEDR_EV_PROCESS_FORK, middle);
    assert_int_equal(rec_uint(before, "parent_pid"), first);
    assert_int_equal(rec_uint(fork, "parent_key"), rec_uint(before, "process_key"));
    (void)waitpid((pid_t)pid, NULL, 0);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
}

static pid_t start_sleeper(void)
{
    int ready[2];
    char c;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0); /* closed by exec: the parent's sign */
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl(WEDR_VICTIM, WEDR_VICTIM, "sleep", "marker", (char *)NULL);
        _exit(99);
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 0);
    (void)close(ready[0]);
    return pid;
}

static void check_inventory(bool slow_walk)
{
    static struct rig own;
    pid_t pid = start_sleeper();
    rig_open(&own, slow_walk, 0);
    assert_false(own.how.adopted);
    assert_true(own.how.existing > 2);
    const struct wedr_event_view *v = wait_for(&own, WEDR_EV_PROCESS_CREATE, pid);
    static const char expected[] = WEDR_VICTIM "\0sleep\0marker";
    struct wedr_span argv = rec_str(v, "command_line", NULL);
    assert_int_equal(v->h.flags, WEDR_EVF_EXISTING);
    assert_int_equal(argv.len, sizeof expected);
    assert_memory_equal(argv.p, expected, sizeof expected);
    assert_str(v, "image_path", WEDR_VICTIM);
    assert_int_equal(rec_uint(v, "parent_pid"), getpid());
    assert_int_equal(rig_count(&own, WEDR_EV_PROCESS_CREATE, pid), 1);
    const struct wedr_event_view *thread = wait_for(&own, WEDR_EV_PROCESS_CREATE, 2);
    assert_int_equal(rec_uint(thread, "exec_flags"), WEDR_EXEC_FLAGS_KERNEL_THREAD);
    assert_str(thread, "image_path", "");
    assert_str(thread, "comm", "kthreadd");
    assert_int_equal(kill(pid, SIGKILL), 0);
    (void)waitpid(pid, NULL, 0);
    const struct wedr_event_view *end = wait_for(&own, WEDR_EV_PROCESS_TERMINATE, pid);
    assert_int_equal(rec_uint(end, "process_key"), rec_uint(v, "process_key"));
    size_t existing = 0;
    for (size_t i = 0; i < own.count; i++) {
        existing += (own.views[i].h.flags & WEDR_EVF_EXISTING) != 0;
    }
    assert_int_equal(existing, own.how.existing);
    rig_close(&own);
}

static void inventory_finds_living_processes_with_arguments(void **state)
{
    (void)state;
    check_inventory(false);
}

static void inventory_of_the_probe_walk_says_the_same(void **state)
{
    (void)state;
    check_inventory(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_key_from_fork_over_exec_to_exit),
        cmocka_unit_test(exit_code_is_decoded),
        cmocka_unit_test(deadly_signal_is_decoded),
        cmocka_unit_test(core_dump_flag_is_what_wait_says),
        cmocka_unit_test(process_ends_with_its_last_thread_not_with_its_leader),
        cmocka_unit_test(threads_that_end_together_give_one_exit),
        cmocka_unit_test(exec_by_a_thread_belongs_to_the_process),
        cmocka_unit_test(clone_parent_names_parent_and_creator),
        cmocka_unit_test(orphan_of_a_double_fork_names_its_reaper),
        cmocka_unit_test(inventory_finds_living_processes_with_arguments),
        cmocka_unit_test(inventory_of_the_probe_walk_says_the_same),
    };
    int unable = rig_unable();
    return unable ? unable : cmocka_run_group_tests(tests, open_rig, close_rig);
}
