/* SPDX-License-Identifier: Apache-2.0
 * Other namespaces by unshare, setns and clone, with the old and the new ones. */
#include "steps.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHANGE WEDR_EV_NAMESPACE_CHANGE

static uint64_t own(const char *kind)
{
    char path[64];
    struct stat st;
    (void)snprintf(path, sizeof path, "/proc/self/ns/%s", kind);
    assert_int_equal(stat(path, &st), 0);
    return st.st_ino;
}

static const struct {
    const char *step;
    unsigned bit;
    const char *field; /* "": the record has none */
    const char *kind;
} kinds[] = {
    {"unshare:0x00020000", WEDR_NAMESPACES_MNT, "ns_mnt", "mnt"},
    {"unshare:0x04000000", WEDR_NAMESPACES_UTS, "ns_uts", "uts"},
    {"unshare:0x08000000", WEDR_NAMESPACES_IPC, "ns_ipc", "ipc"},
    {"unshare:0x20000000", WEDR_NAMESPACES_PID, "ns_pid", "pid"},
    {"unshare:0x40000000", WEDR_NAMESPACES_NET, "ns_net", "net"},
    {"unshare:0x02000000", WEDR_NAMESPACES_CGROUP, "ns_cgroup", "cgroup"},
    {"unshare:0x00000080", WEDR_NAMESPACES_TIME, "", "time"},
};

static void unshare_of_each_kind_names_what_changed(void **state)
{
    struct rig *r = *state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        pid_t pid = steps_run(WEDR_VICTIM_CRED, 0, (const char *const[]){kinds[i].step, NULL});
        steps_ended(r, pid);
        assert_int_equal(rig_count(r, CHANGE, pid), 1);
        const struct wedr_event_view *v = rig_wait(r, CHANGE, pid, 0);
        assert_int_equal(rec_uint(v, "op"), WEDR_NAMESPACE_OP_UNSHARE);
        assert_int_equal(rec_uint(v, "changed"), kinds[i].bit);
        assert_int_equal(rec_uint(v, "old_ns_mnt"), own("mnt"));
        assert_int_equal(rec_uint(v, "old_ns_net"), own("net"));
        assert_int_equal(rec_uint(v, "old_ns_pid"), own("pid"));
        assert_int_equal(rec_uint(v, "old_ns_user"), own("user"));
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            if (kinds[k].field[0]) {
                bool same = rec_uint(v, kinds[k].field) == own(kinds[k].kind);
                assert_int_equal(same, k != i);
            }
        }
        assert_int_equal(rig_count(r, WEDR_EV_CREDENTIAL_CHANGE, pid), 0);
    }
}

/* Somebody without any right becomes powerful in a namespace of his own. */
static void new_user_namespace_is_a_change_of_credentials_too(void **state)
{
    struct rig *r = *state;
    pid_t pid =
        steps_run(WEDR_VICTIM_CRED, 1000, (const char *const[]){"unshare:0x10000000", NULL});
    steps_ended(r, pid);
    assert_int_equal(rig_count(r, CHANGE, pid), 1);
    const struct wedr_event_view *v = rig_wait(r, CHANGE, pid, 0);
    assert_int_equal(rec_uint(v, "changed"), WEDR_NAMESPACES_USER);
    assert_int_equal(rec_uint(v, "old_ns_user"), own("user"));
    assert_true(rec_uint(v, "ns_user") != own("user"));

    assert_int_equal(rig_count(r, WEDR_EV_CREDENTIAL_CHANGE, pid), 2); /* 0: down to user 1000 */
    const struct wedr_event_view *c = rig_wait(r, WEDR_EV_CREDENTIAL_CHANGE, pid, 1);
    assert_int_equal(rec_uint(c, "op"), WEDR_CREDENTIAL_OP_USER_NAMESPACE);
    assert_int_equal(rec_uint(c, "ns_user"), rec_uint(v, "ns_user"));
    assert_int_equal(rec_uint(c, "uid"), 1000);
    assert_int_equal(rec_uint(c, "old_uid"), 1000);
    assert_int_equal(rec_uint(c, "old_cap_effective"), 0);
    assert_true(rec_uint(c, "cap_effective") != 0);
}

static void setns_names_where_it_went(void **state)
{
    struct rig *r = *state;
    char back[64];
    (void)snprintf(back, sizeof back, "setns:/proc/%d/ns/uts,0", (int)getpid());
    pid_t pid = steps_run(WEDR_VICTIM_CRED, 0,
                          (const char *const[]){"unshare:0x04000000", back, back, NULL});
    steps_ended(r, pid);
    assert_int_equal(rig_count(r, CHANGE, pid), 2); /* the second way back leads nowhere */
    const struct wedr_event_view *v = rig_wait(r, CHANGE, pid, 1);
    assert_int_equal(rec_uint(v, "op"), WEDR_NAMESPACE_OP_SETNS);
    assert_int_equal(rec_uint(v, "changed"), WEDR_NAMESPACES_UTS);
    assert_int_equal(rec_uint(v, "ns_uts"), own("uts"));
}

static void clone_into_new_namespaces_is_told_of_the_child(void **state)
{
    struct rig *r = *state;
    long child = 0;
    pid_t pid =
        steps_run_says(WEDR_VICTIM_CRED, (const char *const[]){"clone:0x7c020000", NULL}, &child);
    steps_ended(r, pid);
    assert_int_equal(rig_count(r, CHANGE, pid), 0);
    assert_int_equal(rig_count(r, CHANGE, (pid_t)child), 1);
    const struct wedr_event_view *v = rig_wait(r, CHANGE, (pid_t)child, 0);
    assert_int_equal(rec_uint(v, "op"), WEDR_NAMESPACE_OP_CLONE);
    assert_int_equal(rec_uint(v, "changed"), WEDR_NAMESPACES_MNT | WEDR_NAMESPACES_UTS |
                                                 WEDR_NAMESPACES_IPC | WEDR_NAMESPACES_USER |
                                                 WEDR_NAMESPACES_PID | WEDR_NAMESPACES_NET);
    assert_int_equal(rec_uint(v, "old_ns_net"), own("net"));
    assert_true(rec_uint(v, "ns_net") != own("net"));
    const struct wedr_event_view *fork = rig_wait(r, WEDR_EV_PROCESS_FORK, (pid_t)child, 0);
    assert_non_null(fork);
    assert_int_equal(rec_uint(v, "process_key"), rec_uint(fork, "process_key"));
    const struct wedr_event_view *c = rig_wait(r, WEDR_EV_CREDENTIAL_CHANGE, (pid_t)child, 0);
    assert_non_null(c);
    assert_int_equal(rec_uint(c, "op"), WEDR_CREDENTIAL_OP_USER_NAMESPACE);
}

static void plain_children_and_threads_change_nothing(void **state)
{
    struct rig *r = *state;
    long child = 0;
    pid_t pid = steps_run_says(WEDR_VICTIM_CRED,
                               (const char *const[]){"threads:3", "clone:0", "unshare:0x600", NULL},
                               &child);
    steps_ended(r, pid);
    assert_int_equal(rig_count(r, CHANGE, pid), 0);
    assert_int_equal(rig_count(r, CHANGE, (pid_t)child), 0);
    assert_int_equal(rig_count(r, WEDR_EV_CREDENTIAL_CHANGE, pid), 0);
    assert_int_equal(rig_count(r, WEDR_EV_CREDENTIAL_CHANGE, (pid_t)child), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unshare_of_each_kind_names_what_changed),
        cmocka_unit_test(new_user_namespace_is_a_change_of_credentials_too),
        cmocka_unit_test(setns_names_where_it_went),
        cmocka_unit_test(clone_into_new_namespaces_is_told_of_the_child),
        cmocka_unit_test(plain_children_and_threads_change_nothing),
    };
    int unable = rig_unable();
    if (unable) {
        return unable;
    }
    return cmocka_run_group_tests_name("namespaces", tests, rig_setup_fast, rig_teardown) != 0;
}
