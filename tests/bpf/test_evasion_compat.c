/* SPDX-License-Identifier: Apache-2.0
 * 32-bit system calls from 64-bit code (int 0x80): the kernel's tracepoints per system call do not
 * see them. What they do is told as if they had. */
#include "steps.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALL WEDR_EV_COMPAT_CALL

static pid_t run_to_end(struct rig *r, const char *const *steps)
{
    if (!rig_has_hook(r, "compat")) {
        skip();
    }
    pid_t pid = steps_run(WEDR_VICTIM_CRED, 0, steps);
    steps_ended(r, pid);
    return pid;
}

static void first_call_of_a_process_is_told_once(void **state)
{
    struct rig *r = *state;
    pid_t pid = run_to_end(r, (const char *const[]){"int80:20", "int80:24", "int80:20", NULL});
    assert_int_equal(rig_count(r, CALL, pid), 1);
    const struct wedr_event_view *v = rig_wait(r, CALL, pid, 0);
    assert_int_equal(rec_uint(v, "syscall_number"), 20); /* getpid */
    assert_int_equal(rec_uint(v, "uid"), 0);
    assert_int_equal(rec_uint(v, "process_key"), rec_uint(rig_exec_of(r, pid), "process_key"));
}

static void calls_of_64_bits_are_no_such_thing(void **state)
{
    struct rig *r = *state;
    pid_t pid = run_to_end(r, (const char *const[]){"setgid:0", "clone:0", NULL});
    assert_int_equal(rig_count(r, CALL, pid), 0);
}

static void identity_that_changes_by_a_32_bit_call_is_told_and_explained(void **state)
{
    static const struct {
        const char *step;
        unsigned op;
        const char *field;
        unsigned value;
    } calls[] = {
        {"int80:213,1000", WEDR_CREDENTIAL_OP_SETUID, "uid", 1000}, /* setuid32 */
        {"int80:23,1001", WEDR_CREDENTIAL_OP_SETUID, "uid", 1001},  /* setuid, 16 bits */
        {"int80:208,0,1002,0", WEDR_CREDENTIAL_OP_SETUID, "euid", 1002} /* setresuid32 */,
        {"int80:214,1003", WEDR_CREDENTIAL_OP_SETGID, "gid", 1003},    /* setgid32 */
        {"int80:215,1004", WEDR_CREDENTIAL_OP_SETFSID, "fsuid", 1004}, /* setfsuid32 */
    };
    struct rig *r = *state;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        pid_t pid = run_to_end(r, (const char *const[]){calls[i].step, NULL});
        assert_int_equal(rig_count(r, WEDR_EV_CREDENTIAL_CHANGE, pid), 1);
        const struct wedr_event_view *v = rig_wait(r, WEDR_EV_CREDENTIAL_CHANGE, pid, 0);
        assert_int_equal(rec_uint(v, "op"), calls[i].op);
        assert_int_equal(rec_uint(v, calls[i].field), calls[i].value);
        assert_int_equal(rec_uint(v, "old_uid"), 0);
    }
}

static void other_namespaces_by_a_32_bit_call_are_told(void **state)
{
    struct rig *r = *state;
    pid_t pid = run_to_end(r, (const char *const[]){"int80:310,0x04000000", NULL});
    assert_int_equal(rig_count(r, WEDR_EV_NAMESPACE_CHANGE, pid), 1);
    const struct wedr_event_view *v = rig_wait(r, WEDR_EV_NAMESPACE_CHANGE, pid, 0);
    assert_int_equal(rec_uint(v, "changed"), WEDR_NAMESPACES_UTS);
}

static void attaching_by_a_32_bit_call_is_told(void **state)
{
    struct rig *r = *state;
    char step[32];
    pid_t target = fork();
    assert_true(target >= 0);
    if (target == 0) {
        for (;;) {
            (void)pause();
        }
    }
    (void)snprintf(step, sizeof step, "int80:26,0x4206,%d", (int)target); /* ptrace, SEIZE */
    pid_t pid = run_to_end(r, (const char *const[]){step, NULL});
    (void)kill(target, SIGKILL);
    assert_int_equal(waitpid(target, NULL, 0), target);
    assert_int_equal(rig_count(r, WEDR_EV_PROCESS_HANDLE_ACCESS, pid), 1);
    const struct wedr_event_view *v = rig_wait(r, WEDR_EV_PROCESS_HANDLE_ACCESS, pid, 0);
    assert_int_equal(rec_uint(v, "op"), WEDR_HANDLE_OP_PTRACE);
    assert_int_equal(rec_uint(v, "request"), 0x4206);
    assert_int_equal(rec_uint(v, "target_pid"), target);
    assert_int_equal(rec_uint(v, "result"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_call_of_a_process_is_told_once),
        cmocka_unit_test(calls_of_64_bits_are_no_such_thing),
        cmocka_unit_test(identity_that_changes_by_a_32_bit_call_is_told_and_explained),
        cmocka_unit_test(other_namespaces_by_a_32_bit_call_are_told),
        cmocka_unit_test(attaching_by_a_32_bit_call_is_told),
    };
    int unable = rig_unable();
    if (unable) {
        return unable;
    }
    int failed = cmocka_run_group_tests_name("fast walk", tests, rig_setup_fast, rig_teardown);
    failed += cmocka_run_group_tests_name("probe walk", tests, rig_setup_slow, rig_teardown);
    return failed != 0;
}
