/* SPDX-License-Identifier: Apache-2.0
 * Identity after execve: every call that changes it, with the values before and after; none when
 * nothing changed; one per process however many threads it has. */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CHANGE WEDR_EV_CREDENTIAL_CHANGE

static pid_t run_to_end(struct rig *r, const char *const *steps)
{
    pid_t pid = steps_run(WEDR_VICTIM_CRED, 0, steps);
    steps_ended(r, pid);
    return pid;
}

static void setuid_after_exec_has_all_values_before_and_after(void **state)
{
    struct rig *r = *state;
    pid_t pid = run_to_end(r, (const char *const[]){"setuid:1000", NULL});
    assert_int_equal(rig_count(r, CHANGE, pid), 1);
    const struct wedr_event_view *v = rig_wait(r, CHANGE, pid, 0);
    const struct wedr_event_view *exec = rig_exec_of(r, pid);
    assert_int_equal(v->h.stream, WEDR_STREAM_CRITICAL);
    assert_int_equal(rec_uint(v, "op"), WEDR_CREDENTIAL_OP_SETUID);
    assert_int_equal(rec_uint(v, "process_key"), rec_uint(exec, "process_key"));
    static const char *const uids[] = {"uid", "euid", "suid", "fsuid"};
    static const char *const gids[] = {"gid", "egid", "sgid", "fsgid"};
    for (size_t i = 0; i < 4; i++) {
        char old[16];
        (void)snprintf(old, sizeof old, "old_%s", uids[i]);
        assert_int_equal(rec_uint(v, old), 0);
        assert_int_equal(rec_uint(v, uids[i]), 1000);
        (void)snprintf(old, sizeof old, "old_%s", gids[i]);
        assert_int_equal(rec_uint(v, old), rec_uint(exec, gids[i]));
        assert_int_equal(rec_uint(v, gids[i]), rec_uint(exec, gids[i]));
    }
    assert_int_equal(rec_uint(v, "old_cap_effective"), rec_uint(exec, "cap_effective"));
    assert_int_equal(rec_uint(v, "old_cap_permitted"), rec_uint(exec, "cap_permitted"));
    assert_int_equal(rec_uint(v, "cap_effective"), 0);
    assert_int_equal(rec_uint(v, "cap_permitted"), 0);
    assert_int_equal(rec_uint(v, "ns_user"), rec_uint(exec, "ns_user"));
}

static void every_call_of_the_family_is_told_with_what_it_changed(void **state)
{
    struct rig *r = *state;
    static const struct {
        const char *step;
        unsigned op;
        const char *field;
        unsigned value;
    } calls[] = {
        {"setreuid:1001,1002", WEDR_CREDENTIAL_OP_SETUID, "euid", 1002},
        {"setresuid:0,0,1003", WEDR_CREDENTIAL_OP_SETUID, "suid", 1003},
        {"setgid:1004", WEDR_CREDENTIAL_OP_SETGID, "gid", 1004},
        {"setregid:0,1005", WEDR_CREDENTIAL_OP_SETGID, "egid", 1005},
        {"setresgid:0,0,1006", WEDR_CREDENTIAL_OP_SETGID, "sgid", 1006},
        {"setfsuid:1007", WEDR_CREDENTIAL_OP_SETFSID, "fsuid", 1007},
        {"setfsgid:1008", WEDR_CREDENTIAL_OP_SETFSID, "fsgid", 1008},
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        char old[16];
        pid_t pid = run_to_end(r, (const char *const[]){calls[i].step, NULL});
        assert_int_equal(rig_count(r, CHANGE, pid), 1);
        const struct wedr_event_view *v = rig_wait(r, CHANGE, pid, 0);
        assert_int_equal(rec_uint(v, "op"), calls[i].op);
        assert_int_equal(rec_uint(v, calls[i].field), calls[i].value);
        (void)snprintf(old, sizeof old, "old_%s", calls[i].field);
        assert_int_equal(rec_uint(v, old), 0);
    }
}

static void capset_and_setgroups_are_told(void **state)
{
    struct rig *r = *state;
    pid_t pid = run_to_end(r, (const char *const[]){"capdrop:21", NULL});
    assert_int_equal(rig_count(r, CHANGE, pid), 1);
    const struct wedr_event_view *v = rig_wait(r, CHANGE, pid, 0);
    assert_int_equal(rec_uint(v, "op"), WEDR_CREDENTIAL_OP_CAPSET);
    assert_int_equal(rec_uint(v, "old_cap_effective") ^ rec_uint(v, "cap_effective"), 1u << 21);
    assert_int_equal(rec_uint(v, "old_cap_permitted") ^ rec_uint(v, "cap_permitted"), 1u << 21);

    pid = run_to_end(
        r, (const char *const[]){"setgroups:7,8", "setgroups:7,8", "setgroups:7,9", NULL});
    assert_int_equal(rig_count(r, CHANGE, pid), 2); /* the one in the middle changed nothing */
    v = rig_wait(r, CHANGE, pid, 0);
    assert_int_equal(rec_uint(v, "op"), WEDR_CREDENTIAL_OP_SETGROUPS);
    assert_int_equal(rec_uint(v, "uid"), 0);
}

static void changes_of_one_process_form_a_chain(void **state)
{
    struct rig *r = *state;
    pid_t pid =
        run_to_end(r, (const char *const[]){"setresuid:1000,1000,0", "setreuid:-1,0",
                                            "setresuid:1001,1001,0", "setreuid:-1,0", NULL});
    assert_int_equal(rig_count(r, CHANGE, pid), 4);
    uint64_t euid = 0;
    for (size_t i = 0; i < 4; i++) {
        const struct wedr_event_view *v = rig_wait(r, CHANGE, pid, i);
        assert_int_equal(rec_uint(v, "op"), WEDR_CREDENTIAL_OP_SETUID);
        assert_int_equal(rec_uint(v, "old_euid"), euid);
        euid = rec_uint(v, "euid");
        assert_int_equal(euid, i % 2 ? 0 : 1000 + i / 2);
        assert_int_equal(rec_uint(v, "cap_effective") != 0, i % 2 == 1);
    }
}

static int serve(void *unused)
{
    (void)unused;
    for (int i = 0; i < 1000; i++) {
        if (setresuid(0, 1000, 0) != 0 || setresuid(0, 0, 0) != 0) {
            return 0;
        }
    }
    if (setresuid(0, 2000, 0) != 0) {
        return 0;
    }
    _exit(0);
}

/* As a file server does for each request. */
static void going_to_and_fro_is_told_once_each_way(void **state)
{
    struct rig *r = *state;
    int status = -1;
    pid_t pid = rig_run(serve, NULL, &status);
    assert_int_equal(status, 0);
    steps_ended(r, pid);
    assert_int_equal(rig_count(r, CHANGE, pid), 3);
    static const unsigned euids[] = {1000, 0, 2000};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(rec_uint(rig_wait(r, CHANGE, pid, i), "euid"), euids[i]);
    }
}

#define OFTEN 5000

static int change_often(void *unused)
{
    (void)unused;
    for (unsigned i = 1; i <= OFTEN; i++) {
        if (setfsuid(i) != (int)i - 1) {
            return 0;
        }
    }
    for (unsigned i = 0; i < OFTEN; i++) {
        if (unshare(CLONE_NEWUTS) != 0) {
            return 0;
        }
    }
    _exit(0);
}

/* Anybody can, in a user namespace of his own. All are told, but not all in the critical lane. */
static void very_many_changes_of_one_process_go_to_the_bulk_lane(void **state)
{
    struct rig *r = *state;
    static const uint16_t types[] = {CHANGE, WEDR_EV_NAMESPACE_CHANGE};
    int status = -1;
    pid_t pid = rig_run(change_often, NULL, &status);
    assert_int_equal(status, 0);
    steps_ended(r, pid);
    for (size_t k = 0; k < 2; k++) {
        size_t bulk = 0, count = 0;
        for (size_t i = 0; i < r->count; i++) {
            const struct wedr_event_view *v = &r->views[i];
            bool ours = v->h.type == types[k] && rec_uint(v, "pid") == (uint64_t)pid;
            count += ours;
            bulk += ours && v->h.stream == WEDR_STREAM_BULK;
        }
        assert_int_equal(count, OFTEN);
        assert_true(bulk > 0);
        assert_true(k || count - bulk >= 500);
    }
}

static void calls_that_change_nothing_make_no_record(void **state)
{
    struct rig *r = *state;
    pid_t pid = run_to_end(
        r, (const char *const[]){"setuid:0", "setreuid:-1,-1", "setresuid:-1,-1,-1", "setgid:0",
                                 "setregid:-1,-1", "setresgid:-1,-1,-1", "setfsuid:0", "setfsgid:0",
                                 "capdrop:63", "unshare:0", NULL});
    assert_int_equal(rig_count(r, CHANGE, pid), 0);
    assert_int_equal(rig_count(r, WEDR_EV_NAMESPACE_CHANGE, pid), 0);
}

static int refused(void *unused)
{
    (void)unused;
    if (setresuid(1000, 1000, 1000) != 0 || setuid(0) == 0 || errno != EPERM) {
        return 0;
    }
    _exit(0);
}

static void refused_call_makes_no_record(void **state)
{
    struct rig *r = *state;
    int status = 0;
    pid_t pid = rig_run(refused, NULL, &status);
    assert_int_equal(status, 0);
    steps_ended(r, pid);
    assert_int_equal(rig_count(r, CHANGE, pid), 1); /* the way down */
}

/* The C library makes each of the 33 threads call setresuid. */
static void one_record_for_all_threads_of_a_process(void **state)
{
    struct rig *r = *state;
    for (int i = 0; i < 20; i++) {
        pid_t pid = run_to_end(
            r, (const char *const[]){"threads:32", "setresuid:1000,1000,0", "setreuid:-1,0", NULL});
        assert_int_equal(rig_count(r, CHANGE, pid), 2);
        assert_int_equal(rec_uint(rig_wait(r, CHANGE, pid, 0), "euid"), 1000);
        assert_int_equal(rec_uint(rig_wait(r, CHANGE, pid, 1), "euid"), 0);
    }
}

static int run_set_user_id(void *arg)
{
    return setresuid(1000, 1000, 1000) == 0 ? execl(arg, arg, "exit", "0", (char *)NULL) : -1;
}

static void set_user_id_program_is_not_told_twice(void **state)
{
    struct rig *r = *state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/suid", r->dir);
    rig_copy_victim(path, 04755);
    pid_t pid = rig_run(run_set_user_id, path, NULL);
    steps_ended(r, pid);
    assert_int_equal(rec_uint(rig_exec_of(r, pid), "euid"), 0);
    assert_int_equal(rig_count(r, CHANGE, pid), 1); /* before the exec */
    assert_int_equal(rec_uint(rig_wait(r, CHANGE, pid, 0), "euid"), 1000);
}

static int run_with_file_capability(void *arg)
{
    return setresuid(1000, 1000, 1000) == 0 ? execl(arg, arg, "exit", "0", (char *)NULL) : -1;
}

static void capabilities_of_a_file_are_not_told_twice(void **state)
{
    struct rig *r = *state;
    char path[128];
    /* Version 2, effective; CAP_NET_RAW permitted. */
    static const uint32_t raw[5] = {0x02000001, 1u << 13, 0, 0, 0};
    (void)snprintf(path, sizeof path, "%s/capable", r->dir);
    rig_copy_victim(path, 0755);
    assert_int_equal(setxattr(path, "security.capability", raw, sizeof raw, 0), 0);
    pid_t pid = rig_run(run_with_file_capability, path, NULL);
    steps_ended(r, pid);
    assert_int_equal(rec_uint(rig_exec_of(r, pid), "cap_effective"), 1u << 13);
    assert_int_equal(rig_count(r, CHANGE, pid), 1); /* before the exec */
}

/* Waits for a byte, then becomes user 1000. */
static pid_t start_waiting(int *ret_go)
{
    int ends[2];
    char c;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(ends[1]);
        _exit(read(ends[0], &c, 1) == 1 && setuid(1000) == 0 ? 0 : 93);
    }
    (void)close(ends[0]);
    *ret_go = ends[1];
    return pid;
}

static void old_values_of_a_process_that_is_older_than_the_sensor(void **state)
{
    struct rig r;
    int go = -1;
    (void)state;
    pid_t pid = start_waiting(&go);
    rig_open(&r, false, 0);
    steps_finish(pid, go);
    steps_ended(&r, pid);
    assert_int_equal(rig_count(&r, CHANGE, pid), 1);
    const struct wedr_event_view *v = rig_wait(&r, CHANGE, pid, 0);
    assert_int_equal(rec_uint(v, "op"), WEDR_CREDENTIAL_OP_SETUID);
    assert_int_equal(rec_uint(v, "old_uid"), 0);
    assert_int_equal(rec_uint(v, "uid"), 1000);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setuid_after_exec_has_all_values_before_and_after),
        cmocka_unit_test(every_call_of_the_family_is_told_with_what_it_changed),
        cmocka_unit_test(capset_and_setgroups_are_told),
        cmocka_unit_test(changes_of_one_process_form_a_chain),
        cmocka_unit_test(going_to_and_fro_is_told_once_each_way),
        cmocka_unit_test(very_many_changes_of_one_process_go_to_the_bulk_lane),
        cmocka_unit_test(calls_that_change_nothing_make_no_record),
        cmocka_unit_test(refused_call_makes_no_record),
        cmocka_unit_test(one_record_for_all_threads_of_a_process),
        cmocka_unit_test(set_user_id_program_is_not_told_twice),
        cmocka_unit_test(capabilities_of_a_file_are_not_told_twice),
    };
    const struct CMUnitTest alone[] = {
        cmocka_unit_test(old_values_of_a_process_that_is_older_than_the_sensor),
    };
    int unable = rig_unable();
    if (unable) {
        return unable;
    }
    int failed = cmocka_run_group_tests_name("identity", tests, rig_setup_fast, rig_teardown);
    failed += cmocka_run_group_tests_name("older process", alone, NULL, NULL);
    return failed != 0;
}
