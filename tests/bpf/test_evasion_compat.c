/* SPDX-License-Identifier: Apache-2.0
 * 32-bit system calls from 64-bit code (int 0x80): the kernel's tracepoints per system call do not
 * see them. What they do is told as if they had. */
#include "rig_file.h"
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
    pid_t target = rig_idler();
    (void)snprintf(step, sizeof step, "int80:26,0x4206,%d", (int)target); /* ptrace, SEIZE */
    pid_t pid = run_to_end(r, (const char *const[]){step, NULL});
    rig_idler_end(target);
    assert_int_equal(rig_count(r, WEDR_EV_PROCESS_HANDLE_ACCESS, pid), 1);
    const struct wedr_event_view *v = rig_wait(r, WEDR_EV_PROCESS_HANDLE_ACCESS, pid, 0);
    assert_int_equal(rec_uint(v, "op"), WEDR_HANDLE_OP_PTRACE);
    assert_int_equal(rec_uint(v, "request"), 0x4206);
    assert_int_equal(rec_uint(v, "target_pid"), target);
    assert_int_equal(rec_uint(v, "result"), 0);
}

/* A path in the rig's folder. */
struct text {
    char path[128];
};

static struct text in_dir(const struct rig *r, const char *name)
{
    struct text t;
    (void)snprintf(t.path, sizeof t.path, "%s/%s", r->dir, name);
    return t;
}

static void file_opened_by_a_32_bit_call_is_told(void **state)
{
    struct rig *r = *state;
    char step[256];
    struct text a = in_dir(r, "a");
    (void)snprintf(step, sizeof step, "int80:5,%s,0x41,0644", a.path); /* O_WRONLY | O_CREAT */
    pid_t pid = run_to_end(r, (const char *const[]){step, NULL});
    rig_sync(r);
    assert_int_equal(rig_files(r, pid), 1);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 0);
    assert_str(v, "target_path", a.path);
    assert_int_equal(rec_uint(v, "op"), WEDR_FILE_OP_CREATE);
    assert_int_equal(rec_uint(v, "via"), WEDR_VIA_COMPAT);
    assert_int_equal(rec_uint(v, "path_source"), WEDR_PATH_SOURCE_KERNEL);
}

static void file_that_a_32_bit_call_reads_is_not_told(void **state)
{
    struct rig *r = *state;
    char step[256];
    rig_make_file(r, "a");
    (void)snprintf(step, sizeof step, "int80:5,%s,0,0", in_dir(r, "a").path);
    pid_t pid = run_to_end(r, (const char *const[]){step, NULL});
    rig_sync(r);
    assert_int_equal(rig_files(r, pid), 0);
}

static void names_changed_by_32_bit_calls_are_told(void **state)
{
    static const struct {
        int number;
        const char *source, *target; /* source "": the target alone */
        unsigned type;
    } calls[] = {{9, "a", "b", WEDR_EV_FILE_LINK},      /* link */
                 {38, "b", "c", WEDR_EV_FILE_RENAME},   /* rename */
                 {83, "c", "d", WEDR_EV_FILE_LINK},     /* symlink */
                 {15, "", "a", WEDR_EV_FILE_ATTRIBUTE}, /* chmod */
                 {10, "", "c", WEDR_EV_FILE_DELETE}};   /* unlink */
    struct rig *r = *state;
    bool truth = rig_has_hook(r, "t_rename");
    rig_make_file(r, "a");
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        char step[512];
        struct text from = in_dir(r, calls[i].source), to = in_dir(r, calls[i].target);
        (void)snprintf(step, sizeof step, "int80:%d,%s,%s", calls[i].number,
                       calls[i].source[0] ? from.path : to.path,
                       calls[i].source[0] ? to.path : "0600");
        pid_t pid = run_to_end(r, (const char *const[]){step, NULL});
        rig_sync(r);
        assert_int_equal(rig_files(r, pid), 1);
        const struct wedr_event_view *v = rig_file(r, (uint16_t)calls[i].type, pid, 0);
        assert_str(v, "target_path", to.path);
        if (calls[i].source[0]) {
            assert_str(v, "source_path", from.path);
        }
        assert_int_equal(rec_uint(v, "via"), WEDR_VIA_COMPAT);
        assert_int_equal(rec_uint(v, "path_source"),
                         truth ? WEDR_PATH_SOURCE_KERNEL : WEDR_PATH_SOURCE_USER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_call_of_a_process_is_told_once),
        cmocka_unit_test(calls_of_64_bits_are_no_such_thing),
        cmocka_unit_test(identity_that_changes_by_a_32_bit_call_is_told_and_explained),
        cmocka_unit_test(other_namespaces_by_a_32_bit_call_are_told),
        cmocka_unit_test(attaching_by_a_32_bit_call_is_told),
        cmocka_unit_test_setup(file_opened_by_a_32_bit_call_is_told, rig_empty),
        cmocka_unit_test_setup(file_that_a_32_bit_call_reads_is_not_told, rig_empty),
        cmocka_unit_test_setup(names_changed_by_32_bit_calls_are_told, rig_empty),
    };
    int unable = rig_unable();
    return unable ? unable : rig_run_both_walks(tests);
}
