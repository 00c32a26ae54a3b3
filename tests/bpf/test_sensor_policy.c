/* SPDX-License-Identifier: Apache-2.0
 * What is left out, and that nothing else is: filters that change while programs run. */
#include "rig.h"

#include "core/base/err.h"
#include <bpf/bpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KIND WEDR_EV_MEMFD_CREATE
#define OTHER_UID 60999u

/* A victim that waits at its gate: its pid is known before it does anything. */
struct held {
    pid_t pid;
    int gate;
};

static void hold(struct held *h, uid_t uid, const char *procs, const char *what, const char *path)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    h->pid = fork();
    assert_true(h->pid >= 0);
    if (h->pid == 0) {
        FILE *f = procs ? fopen(procs, "we") : NULL;
        if (procs && (!f || fprintf(f, "%d\n", (int)getpid()) < 0 || fclose(f) != 0)) {
            _exit(90);
        }
        if (dup2(ends[0], 0) < 0 || (uid && setresuid(uid, uid, uid) != 0)) {
            _exit(91);
        }
        (void)execl(WEDR_VICTIM_POLICY, WEDR_VICTIM_POLICY, path ? "open" : "memfd", what, path,
                    (char *)NULL);
        _exit(92);
    }
    (void)close(ends[0]);
    h->gate = ends[1];
}

static void let_go(struct held *h)
{
    assert_int_equal(write(h->gate, "x", 1), 1);
    (void)close(h->gate);
}

static void end_of(const struct held *h)
{
    int status = -1;
    assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
    assert_int_equal(status, 0);
}

static void run(struct held *h)
{
    let_go(h);
    end_of(h);
}

static void set(struct rig *r, const struct wedr_sensor_policy *p)
{
    struct wedr_errinfo ei = {""};
    if (wedr_sensor_policy_set(r->sensor, p, &ei) != WEDR_OK) {
        fail_msg("policy: %s", ei.text);
    }
}

static int open_rig(void **state)
{
    static struct rig rig;
    static const char *const areas[] = {"module", "file", NULL};
    rig_open_areas(&rig, areas, 0);
    *state = &rig;
    return 0;
}

static int plain(void **state)
{
    struct rig *r = *state;
    struct wedr_sensor_policy p;
    wedr_sensor_policy_init(&p);
    set(r, &p);
    return wedr_sensor_self_set(r->sensor, NULL, 0);
}

static void a_kind_that_is_off_is_not_made_and_on_again_it_is(void **state)
{
    struct rig *r = *state;
    struct wedr_sensor_policy p;
    struct held off, on;
    hold(&off, 0, NULL, "3", NULL);
    hold(&on, 0, NULL, "3", NULL);
    wedr_sensor_policy_init(&p);
    p.kinds &= ~(UINT64_C(1) << KIND);
    set(r, &p);
    run(&off);
    wedr_sensor_policy_init(&p);
    set(r, &p);
    run(&on);
    assert_int_equal(rig_count(r, KIND, on.pid), 3);
    assert_int_equal(rig_count(r, KIND, off.pid), 0);
}

static void process_kinds_cannot_be_switched_off(void **state)
{
    struct rig *r = *state;
    struct wedr_sensor_policy p;
    struct held h;
    uint32_t uid = 0;
    wedr_sensor_policy_init(&p);
    p.kinds = 0;
    p.uids = &uid;
    p.uid_count = 1;
    set(r, &p);
    hold(&h, 0, NULL, "0", NULL);
    run(&h);
    assert_int_equal(rig_count(r, WEDR_EV_PROCESS_CREATE, h.pid), 1);
    assert_int_equal(rig_count(r, WEDR_EV_PROCESS_TERMINATE, h.pid), 1);
}

static void own_processes_are_left_out_of_bulk_kinds(void **state)
{
    struct rig *r = *state;
    struct held own, other;
    hold(&own, 0, NULL, "5", NULL);
    hold(&other, 0, NULL, "5", NULL);
    const uint32_t self[] = {1, (uint32_t)own.pid};
    assert_int_equal(wedr_sensor_self_set(r->sensor, self, 2), WEDR_OK);
    run(&own);
    run(&other);
    assert_int_equal(rig_count(r, KIND, other.pid), 5);
    assert_int_equal(rig_count(r, KIND, own.pid), 0);
    assert_int_equal(rig_count(r, WEDR_EV_PROCESS_TERMINATE, own.pid), 1);
    const uint32_t many[WEDR_POLICY_SELF_MAX + 1] = {0};
    assert_int_equal(wedr_sensor_self_set(r->sensor, many, WEDR_POLICY_SELF_MAX + 1), WEDR_E_RANGE);
}

static void an_excluded_user_produces_nothing_others_everything(void **state)
{
    struct rig *r = *state;
    struct wedr_sensor_policy p;
    struct held out, in;
    const uint32_t uids[] = {OTHER_UID, 4242};
    hold(&out, OTHER_UID, NULL, "5", NULL);
    hold(&in, OTHER_UID + 1, NULL, "5", NULL);
    wedr_sensor_policy_init(&p);
    p.uids = uids;
    p.uid_count = 2;
    set(r, &p);
    run(&out);
    run(&in);
    assert_int_equal(rig_count(r, KIND, in.pid), 5);
    assert_int_equal(rig_count(r, KIND, out.pid), 0);
}

static const char *cgroup2(void)
{
    return access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) == 0 ? "/sys/fs/cgroup/unified"
                                                                    : "/sys/fs/cgroup";
}

static void an_excluded_cgroup_hides_what_is_below_it_not_its_neighbour(void **state)
{
    struct rig *r = *state;
    struct wedr_sensor_policy p;
    static const char *const names[] = {"out", "out/below", "in"};
    char base[96], dir[3][128], procs[3][416];
    struct stat st;
    struct held h[3];
    (void)snprintf(base, sizeof base, "%s%s", cgroup2(), strrchr(r->dir, '/'));
    assert_int_equal(mkdir(base, 0755), 0);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(dir[i], sizeof dir[i], "%s/%s", base, names[i]);
        (void)snprintf(procs[i], sizeof procs[i], "%s/cgroup.procs", dir[i]);
        assert_int_equal(mkdir(dir[i], 0755), 0);
        hold(&h[i], 0, procs[i], "4", NULL);
    }
    assert_int_equal(stat(dir[0], &st), 0);
    const uint64_t id = st.st_ino;
    wedr_sensor_policy_init(&p);
    p.cgroups = &id;
    p.cgroup_count = 1;
    set(r, &p);
    for (int i = 0; i < 3; i++) {
        run(&h[i]);
    }
    (void)rmdir(dir[2]);
    (void)rmdir(dir[1]);
    (void)rmdir(dir[0]);
    (void)rmdir(base);
    assert_int_equal(rig_count(r, KIND, h[2].pid), 4);
    assert_int_equal(rig_count(r, KIND, h[0].pid), 0);
    assert_int_equal(rig_count(r, KIND, h[1].pid), 0);
}

/* The longest prefix decides, and one that ends with a slash is a folder. */
static void excluded_paths_are_left_out_unless_a_longer_prefix_is_watched(void **state)
{
    struct rig *r = *state;
    struct wedr_sensor_policy p;
    static const char *const names[] = {"out/a", "out/kept/a", "outside"};
    static const size_t expected[] = {0, 3, 3};
    char path[3][128], out[128], kept[128];
    struct held h[3];
    (void)snprintf(out, sizeof out, "%s/out/", r->dir);
    (void)snprintf(kept, sizeof kept, "%s/out/kept/", r->dir);
    assert_int_equal(mkdir(out, 0755), 0);
    assert_int_equal(mkdir(kept, 0755), 0);
    const char *const left_out[] = {"/nowhere/", out}, *const watched[] = {kept};
    wedr_sensor_policy_init(&p);
    p.paths_out = left_out;
    p.path_out_count = 2;
    p.paths_watched = watched;
    p.path_watched_count = 1;
    set(r, &p);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(path[i], sizeof path[i], "%s/%s", r->dir, names[i]);
        hold(&h[i], 0, NULL, "3", path[i]);
        run(&h[i]);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rig_count(r, WEDR_EV_FILE_WRITE, h[i].pid), expected[i]);
    }
}

/* What is watched has no budget; what is not has one. */
static void a_watched_path_is_recorded_beyond_the_budget(void **state)
{
    struct rig *r = *state;
    struct wedr_sensor_policy p;
    char path[2][128], kept[128];
    struct held h[2];
    (void)snprintf(kept, sizeof kept, "%s/watched/", r->dir);
    assert_int_equal(mkdir(kept, 0755), 0);
    const char *const watched[] = {kept};
    wedr_sensor_policy_init(&p);
    p.paths_watched = watched;
    p.path_watched_count = 1;
    p.budget[WEDR_EV_FILE_WRITE] = 5;
    p.window_ms = 600000;
    set(r, &p);
    (void)snprintf(path[0], sizeof path[0], "%s/watched/f", r->dir);
    (void)snprintf(path[1], sizeof path[1], "%s/plain", r->dir);
    for (int i = 0; i < 2; i++) {
        hold(&h[i], 0, NULL, "20", path[i]);
        run(&h[i]);
    }
    assert_int_equal(rig_count(r, WEDR_EV_FILE_WRITE, h[1].pid), 5);
    assert_int_equal(rig_count(r, WEDR_EV_FILE_WRITE, h[0].pid), 20);
}

static bool alive(pid_t pid)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

/* Both policies want one process and leave another out: however often they change places, the first
 * loses nothing and the second shows nothing. */
static void exchange_under_a_flood_loses_nothing_and_lets_nothing_through(void **state)
{
    struct rig *r = *state;
    struct wedr_sensor_policy p;
    struct held in, out;
    uint32_t uids[200];
    unsigned exchanges = 0;
    for (uint32_t i = 0; i < 200; i++) {
        uids[i] = 100000 + i;
    }
    uids[199] = OTHER_UID;
    wedr_sensor_policy_init(&p);
    p.uids = uids;
    p.uid_count = 200;
    set(r, &p);
    hold(&in, 0, NULL, "30000", NULL);
    hold(&out, OTHER_UID, NULL, "30000", NULL);
    let_go(&in);
    let_go(&out);
    while (alive(in.pid) || alive(out.pid)) {
        uids[exchanges % 199]++;
        set(r, &p);
        exchanges++;
        rig_pump(r);
    }
    end_of(&in);
    end_of(&out);
    assert_true(exchanges > 3);
    assert_int_equal(rig_count(r, KIND, in.pid), 30000);
    assert_int_equal(rig_count(r, KIND, out.pid), 0);
}

static void a_policy_outlives_its_holder(void **state)
{
    struct rig *r = *state;
    struct wedr_sensor_policy p;
    struct held h;
    wedr_sensor_policy_init(&p);
    p.kinds &= ~(UINT64_C(1) << KIND);
    set(r, &p);
    hold(&h, 0, NULL, "2", NULL);
    rig_detach(r);
    rig_reopen(r);
    assert_true(r->how.adopted);
    run(&h);
    assert_int_equal(rig_count(r, WEDR_EV_PROCESS_TERMINATE, h.pid), 1);
    assert_int_equal(rig_count(r, KIND, h.pid), 0);
}

static void a_policy_that_cannot_be_leaves_the_old_one(void **state)
{
    struct rig *r = *state;
    struct wedr_sensor_policy p;
    struct held h;
    static uint32_t uids[WEDR_POLICY_SET_MAX + 1];
    char longer[WEDR_POLICY_PREFIX_MAX + 2];
    memset(longer, '/', sizeof longer);
    longer[sizeof longer - 1] = 0;
    const char *const bad[] = {"/fine/", longer};
    const char *const empty[] = {""};
    wedr_sensor_policy_init(&p);
    p.kinds = 0;
    p.uids = uids;
    p.uid_count = WEDR_POLICY_SET_MAX + 1;
    assert_int_equal(wedr_sensor_policy_set(r->sensor, &p, NULL), WEDR_E_RANGE);
    p.uid_count = 0;
    p.paths_out = bad;
    p.path_out_count = 2;
    assert_int_equal(wedr_sensor_policy_set(r->sensor, &p, NULL), WEDR_E_RANGE);
    p.paths_out = empty;
    p.path_out_count = 1;
    assert_int_equal(wedr_sensor_policy_set(r->sensor, &p, NULL), WEDR_E_RANGE);
    hold(&h, 0, NULL, "2", NULL);
    run(&h);
    assert_int_equal(rig_count(r, KIND, h.pid), 2);
}

static int pinned(const struct rig *r, const char *map)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/sys/fs/bpf/%s/%s", r->pin_name, map);
    int fd = bpf_obj_get(path);
    assert_true(fd >= 0);
    return fd;
}

static bool is_foreign(const struct rig *r)
{
    struct wedr_sensor_health h;
    assert_int_equal(wedr_sensor_check(r->sensor, &h, NULL), WEDR_OK);
    return h.policy_foreign;
}

/* As somebody with root's rights could, to make the sensor blind for something. */
static void policy_that_somebody_else_wrote_is_noticed(void **state)
{
    struct rig *r = *state;
    struct wedr_sensor_policy p;
    struct wedr_policy_page page;
    const uint32_t uids[] = {OTHER_UID}, self[] = {1, 2};
    uint32_t zero = 0;
    uint8_t one = 1;
    int map = pinned(r, "policy"), users = pinned(r, "uids");
    wedr_sensor_policy_init(&p);
    p.uids = uids;
    p.uid_count = 1;
    set(r, &p);
    assert_int_equal(wedr_sensor_self_set(r->sensor, self, 2), WEDR_OK);
    assert_false(is_foreign(r));

    assert_int_equal(bpf_map_lookup_elem(map, &zero, &page), 0);
    page.bank[page.active].kinds &= ~(UINT64_C(1) << KIND);
    assert_int_equal(bpf_map_update_elem(map, &zero, &page, BPF_ANY), 0);
    assert_true(is_foreign(r));
    assert_true(is_foreign(r));
    set(r, &p);
    assert_false(is_foreign(r));

    assert_int_equal(bpf_map_lookup_elem(map, &zero, &page), 0);
    page.self[5] = (uint32_t)getpid();
    assert_int_equal(bpf_map_update_elem(map, &zero, &page, BPF_ANY), 0);
    assert_true(is_foreign(r));
    assert_int_equal(wedr_sensor_self_set(r->sensor, self, 2), WEDR_OK);
    assert_false(is_foreign(r));

    struct wedr_policy_uid user = {page.active, 0};
    assert_int_equal(bpf_map_update_elem(users, &user, &one, BPF_ANY), 0);
    assert_true(is_foreign(r));
    set(r, &p);
    assert_false(is_foreign(r));
    (void)close(map);
    (void)close(users);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, plain)
    const struct CMUnitTest tests[] = {
        T(a_kind_that_is_off_is_not_made_and_on_again_it_is),
        T(process_kinds_cannot_be_switched_off),
        T(own_processes_are_left_out_of_bulk_kinds),
        T(an_excluded_user_produces_nothing_others_everything),
        T(an_excluded_cgroup_hides_what_is_below_it_not_its_neighbour),
        T(excluded_paths_are_left_out_unless_a_longer_prefix_is_watched),
        T(a_watched_path_is_recorded_beyond_the_budget),
        T(exchange_under_a_flood_loses_nothing_and_lets_nothing_through),
        T(a_policy_outlives_its_holder),
        T(a_policy_that_cannot_be_leaves_the_old_one),
        T(policy_that_somebody_else_wrote_is_noticed),
    };
    int unable = rig_unable();
    return unable ? unable : cmocka_run_group_tests_name("policy", tests, open_rig, rig_teardown);
}
