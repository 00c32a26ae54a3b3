/* SPDX-License-Identifier: Apache-2.0
 * Identity that changes without a call that could have done it. What a kernel exploit does is
 * played by a real setresuid whose hook is left out of this sensor. */
#include "steps.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHANGE WEDR_EV_CREDENTIAL_CHANGE

static const char *const unseen[] = {"setresuid"};

static int open_blind(void **state)
{
    static struct rig rig;
    rig_open(&rig, false, 0);
    rig_detach(&rig);
    rig.without = unseen;
    rig.without_count = 1;
    rig_reopen(&rig);
    *state = &rig;
    return 0;
}

static pid_t run_to_end(struct rig *r, const char *const *steps)
{
    pid_t pid = steps_run(WEDR_VICTIM_CRED, 0, steps);
    steps_ended(r, pid);
    return pid;
}

/* saved: the user that the record shows as saved. */
static const struct wedr_event_view *the_only_change(struct rig *r, pid_t pid, uint64_t saved)
{
    assert_int_equal(rig_count(r, CHANGE, pid), 1);
    const struct wedr_event_view *v = rig_wait(r, CHANGE, pid, 0);
    assert_int_equal(rec_uint(v, "op"), WEDR_CREDENTIAL_OP_UNEXPLAINED);
    assert_int_equal(rec_uint(v, "old_euid"), 0);
    assert_int_equal(rec_uint(v, "euid"), 1000);
    assert_int_equal(rec_uint(v, "suid"), saved);
    return v;
}

static void change_is_told_before_the_process_ends(void **state)
{
    struct rig *r = *state;
    pid_t pid = run_to_end(r, (const char *const[]){"setresuid:1000,1000,0", NULL});
    (void)the_only_change(r, pid, 0);
}

/* Had it not been told by then, setuid(1000) would pass for what made the change. */
static void change_is_told_when_it_forks(void **state)
{
    struct rig *r = *state;
    long child = 0;
    pid_t pid = steps_run_says(
        WEDR_VICTIM_CRED,
        (const char *const[]){"setresuid:1000,1000,0", "clone:0", "setuid:1000", NULL}, &child);
    steps_ended(r, pid);
    (void)the_only_change(r, pid, 0);
    assert_int_equal(rig_count(r, CHANGE, (pid_t)child), 0); /* it was born like that */
}

static void change_is_told_when_it_execs(void **state)
{
    struct rig *r = *state;
    pid_t pid =
        run_to_end(r, (const char *const[]){"setresuid:1000,1000,0", "exec:" WEDR_VICTIM, NULL});
    /* Before 6.10 nothing shows the moment before execve, which saves the new user. */
    const struct wedr_event_view *v =
        the_only_change(r, pid, rig_has_hook(r, "cred_prep") ? 0 : 1000);
    const struct wedr_event_view *exec = rig_wait(r, WEDR_EV_PROCESS_CREATE, pid, 1);
    const struct wedr_event_view *end = rig_wait(r, WEDR_EV_PROCESS_TERMINATE, pid, 0);
    assert_non_null(exec);
    assert_int_equal(rec_uint(exec, "euid"), 1000);
    assert_true(v->h.seq < end->h.seq);
}

/* User 1000 with saved user 0; somebody makes him root; a seen setuid(5) then does what only root
 * can. Nobody may hide behind a call. */
static void call_that_cannot_have_made_the_change_does_not_explain_it(void **state)
{
    struct rig *r = *state;
    pid_t pid = run_to_end(r, (const char *const[]){"setreuid:1000,0", "setreuid:-1,1000",
                                                    "setresuid:-1,0,-1", "setuid:5", NULL});
    assert_int_equal(rig_count(r, CHANGE, pid), 3);
    assert_int_equal(rec_uint(rig_wait(r, CHANGE, pid, 0), "op"), WEDR_CREDENTIAL_OP_SETUID);
    const struct wedr_event_view *v = rig_wait(r, CHANGE, pid, 1);
    assert_int_equal(rec_uint(v, "op"), WEDR_CREDENTIAL_OP_SETUID);
    assert_int_equal(rec_uint(v, "euid"), 1000);
    assert_int_equal(rec_uint(v, "suid"), 0);
    v = rig_wait(r, CHANGE, pid, 2);
    assert_int_equal(rec_uint(v, "op"), WEDR_CREDENTIAL_OP_UNEXPLAINED);
    assert_int_equal(rec_uint(v, "old_uid"), 1000);
    assert_int_equal(rec_uint(v, "old_cap_effective"), 0);
    assert_int_equal(rec_uint(v, "uid"), 5);
}

/* A call explains ids of its own kind alone: the group call finds another user. */
static void call_of_another_kind_does_not_explain_it(void **state)
{
    struct rig *r = *state;
    pid_t pid = run_to_end(r, (const char *const[]){"setresuid:1000,0,0", "setgid:7", NULL});
    assert_int_equal(rig_count(r, CHANGE, pid), 1);
    const struct wedr_event_view *v = rig_wait(r, CHANGE, pid, 0);
    assert_int_equal(rec_uint(v, "op"), WEDR_CREDENTIAL_OP_UNEXPLAINED);
    assert_int_equal(rec_uint(v, "uid"), 1000);
    assert_int_equal(rec_uint(v, "gid"), 7);
}

static void same_steps_with_all_hooks_are_explained(void **state)
{
    struct rig *r = *state;
    pid_t pid = run_to_end(r, (const char *const[]){"setreuid:1000,0", "setreuid:-1,1000",
                                                    "setresuid:-1,0,-1", "setuid:5",
                                                    "setresuid:5,5,5", "exec:" WEDR_VICTIM, NULL});
    assert_int_equal(rig_count(r, CHANGE, pid), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(rec_uint(rig_wait(r, CHANGE, pid, i), "op"), WEDR_CREDENTIAL_OP_SETUID);
    }
}

/* What people use to become somebody else; those that are installed. */
static void tools_that_change_identity_are_explained(void **state)
{
    static const char *const commands[] = {
        "su -s /bin/sh nobody -c true",
        "runuser -u nobody -- true",
        "setpriv --reuid=1000 --regid=1000 --clear-groups true",
        "setpriv --reuid=1000 --regid=1000 --init-groups --inh-caps=-all true",
        "setpriv --bounding-set=-sys_admin --no-new-privs true",
        "chroot --userspec=1000:1000 / true",
        "unshare --user --map-root-user --mount --pid --fork --ipc --net --uts true",
        "setpriv --reuid=1000 --regid=1000 --clear-groups unshare --user --map-root-user true",
        "nsenter --target 1 --mount --uts --ipc --net true",
    };
    struct rig *r = *state;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
            (void)dup2(null, 2);
            (void)execl("/bin/sh", "sh", "-c", commands[i], (char *)NULL);
            _exit(99);
        }
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        steps_ended(r, pid);
    }
}

/* All that ran on this machine meanwhile, the tools as well. */
static void nothing_else_is_unexplained(void **state)
{
    struct rig *r = *state;
    rig_pump(r);
    for (size_t i = 0; i < r->count; i++) {
        const struct wedr_event_view *v = &r->views[i];
        assert_false(v->h.type == CHANGE && rec_uint(v, "op") == WEDR_CREDENTIAL_OP_UNEXPLAINED);
    }
}

int main(void)
{
    const struct CMUnitTest blind[] = {
        cmocka_unit_test(change_is_told_before_the_process_ends),
        cmocka_unit_test(change_is_told_when_it_forks),
        cmocka_unit_test(change_is_told_when_it_execs),
        cmocka_unit_test(call_that_cannot_have_made_the_change_does_not_explain_it),
        cmocka_unit_test(call_of_another_kind_does_not_explain_it),
    };
    const struct CMUnitTest whole[] = {
        cmocka_unit_test(same_steps_with_all_hooks_are_explained),
        cmocka_unit_test(tools_that_change_identity_are_explained),
        cmocka_unit_test(nothing_else_is_unexplained),
    };
    int unable = rig_unable();
    if (unable) {
        return unable;
    }
    int failed =
        cmocka_run_group_tests_name("one hook is missing", blind, open_blind, rig_teardown);
    failed += cmocka_run_group_tests_name("all hooks", whole, rig_setup_fast, rig_teardown);
    return failed != 0;
}
