/* SPDX-License-Identifier: Apache-2.0
 * What a budget holds back is told to the unit: recorded + summarised = done. */
#include "rig.h"

#include "core/base/err.h"
#include "wedr/plat/time.h"
#include <bpf/bpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define KIND WEDR_EV_MEMFD_CREATE
#define LIMIT 100u
#define ENDS 4000u

static const char *const areas[] = {"module", NULL};

static void set_limit(struct rig *r, uint32_t limit, uint32_t window_ms)
{
    struct wedr_sensor_policy p;
    wedr_sensor_policy_init(&p);
    p.budget[KIND] = limit;
    p.window_ms = window_ms;
    assert_int_equal(wedr_sensor_policy_set(r->sensor, &p, NULL), WEDR_OK);
}

static int roomy(void **state)
{
    static struct rig rig;
    rig_open_areas(&rig, areas, 0);
    set_limit(&rig, LIMIT, 600000);
    *state = &rig;
    return 0;
}

static int cramped(void **state)
{
    static struct rig rig;
    rig_open_areas(&rig, areas, 65536);
    set_limit(&rig, LIMIT, 600000);
    *state = &rig;
    return 0;
}

static void memfds(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        int fd = memfd_create("budget", MFD_CLOEXEC);
        assert_true(fd >= 0);
        (void)close(fd);
    }
}

static pid_t do_many(const char *count)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl(WEDR_VICTIM_POLICY, WEDR_VICTIM_POLICY, "memfd", count, (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return pid;
}

/* What the summaries of a process say in all; *ret_last, when given, is the last of them. */
static uint64_t told(struct rig *r, pid_t pid, const struct wedr_event_view **ret_last)
{
    uint64_t sum = 0;
    rig_pump(r);
    for (size_t i = 0; i < r->count; i++) {
        const struct wedr_event_view *v = &r->views[i];
        if (v->h.type == WEDR_EV_ACTIVITY_SUMMARY && rec_uint(v, "pid") == (uint64_t)pid &&
            rec_uint(v, "activity") == KIND) {
            sum += rec_uint(v, "count");
            if (ret_last) {
                *ret_last = v;
            }
        }
    }
    return sum;
}

static void check(struct rig *r)
{
    struct wedr_sensor_health h;
    assert_int_equal(wedr_sensor_check(r->sensor, &h, NULL), WEDR_OK);
}

/* Whatever was held back, of whomever, has been told or is told now. */
static void assert_all_told(struct rig *r)
{
    const struct wedr_sensor_state *st = wedr_sensor_state(r->sensor);
    uint64_t held = 0, summed = 0;
    for (int i = 0; i < 100; i++) {
        check(r);
        rig_pump(r);
        held = wedr_sensor_count(&st->suppressed[KIND]);
        summed = wedr_sensor_count(&st->summarised[KIND]);
        if (held == summed) {
            return;
        }
        wedr_time_sleep_ms(10); /* others do something too */
    }
    assert_int_equal(summed, held);
}

static void the_end_of_a_process_tells_what_was_held_back(void **state)
{
    struct rig *r = *state;
    const struct wedr_event_view *v = NULL;
    pid_t pid = do_many("1000");
    assert_int_equal(rig_count(r, KIND, pid), LIMIT);
    assert_int_equal(told(r, pid, &v), 1000 - LIMIT);
    assert_int_equal(rec_uint(v, "process_key"), rec_uint(rig_exec_of(r, pid), "process_key"));
    assert_int_equal(v->h.stream, WEDR_STREAM_BULK);
    assert_true(rec_uint(v, "from_ns") > 0 && rec_uint(v, "from_ns") <= rec_uint(v, "to_ns"));
    assert_true((int64_t)rec_uint(v, "to_ns") <= v->h.time);
    const struct wedr_sensor_state *st = wedr_sensor_state(r->sensor);
    assert_int_equal(wedr_sensor_count(&st->suppressed[KIND]), 1000 - LIMIT);
    assert_int_equal(wedr_sensor_count(&st->summarised[KIND]), 1000 - LIMIT);
}

static void below_its_budget_a_process_has_every_record_and_no_summary(void **state)
{
    struct rig *r = *state;
    pid_t pid = do_many("100");
    assert_int_equal(rig_count(r, KIND, pid), LIMIT);
    assert_int_equal(told(r, pid, NULL), 0);
}

static void the_sweep_tells_of_a_living_process_and_only_once(void **state)
{
    struct rig *r = *state;
    memfds(250);
    assert_int_equal(told(r, getpid(), NULL), 0);
    check(r);
    assert_int_equal(told(r, getpid(), NULL), 250 - LIMIT);
    check(r);
    assert_int_equal(told(r, getpid(), NULL), 250 - LIMIT);
    memfds(7);
    check(r);
    assert_int_equal(told(r, getpid(), NULL), 257 - LIMIT);
    assert_int_equal(rig_count(r, KIND, getpid()), LIMIT);
}

static void a_new_window_is_a_new_budget(void **state)
{
    struct rig *r = *state;
    set_limit(r, LIMIT, 1); /* every 1 ms: most go through, and the sum holds all the same */
    pid_t pid = do_many("5000");
    size_t recorded = rig_count(r, KIND, pid);
    assert_true(recorded > LIMIT);
    assert_int_equal(recorded + told(r, pid, NULL), 5000);
}

static void two_floods_at_once_are_told_apart(void **state)
{
    struct rig *r = *state;
    pid_t pid[2];
    for (int i = 0; i < 2; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            (void)execl(WEDR_VICTIM_POLICY, WEDR_VICTIM_POLICY, "memfd", i ? "20000" : "10000",
                        (char *)NULL);
            _exit(99);
        }
    }
    for (int i = 0; i < 2; i++) {
        int status = -1;
        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        assert_int_equal(status, 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rig_count(r, KIND, pid[i]), LIMIT);
        assert_int_equal(told(r, pid[i], NULL), (i ? 20000 : 10000) - LIMIT);
    }
}

static int pinned(const struct rig *r, const char *entry)
{
    char path[96];
    (void)snprintf(path, sizeof path, "/sys/fs/bpf/%s/%s", r->pin_name, entry);
    int fd = bpf_obj_get(path);
    assert_true(fd >= 0);
    return fd;
}

static int budgets_of(const struct rig *r)
{
    return pinned(r, "budgets");
}

/* No room for an entry: the events are nobody's, but they are counted. */
static void without_room_nobody_has_the_budget(void **state)
{
    struct rig *r = *state;
    static const struct wedr_budget empty;
    const struct wedr_event_view *v = NULL;
    int map = budgets_of(r);
    for (uint64_t key = 1; bpf_map_update_elem(map, &key, &empty, BPF_NOEXIST) == 0; key++) {
    }
    pid_t pid = do_many("500");
    check(r);
    assert_int_equal(rig_count(r, KIND, pid), LIMIT);
    assert_int_equal(told(r, 0, &v), 500 - LIMIT);
    assert_int_equal(rec_uint(v, "process_key"), 0);
    (void)close(map);
}

/* The table does not fill up with the dead. */
static void an_ended_process_gives_its_entry_back(void **state)
{
    struct rig *r = *state;
    int map = budgets_of(r);
    pid_t pid = do_many("3");
    uint64_t key = rec_uint(rig_exec_of(r, pid), "process_key");
    struct wedr_budget b;
    assert_true(bpf_map_lookup_elem(map, &key, &b) != 0);
    memfds(1);
    uint64_t next, count = 0;
    for (bool more = bpf_map_get_next_key(map, NULL, &next) == 0; more;
         more = bpf_map_get_next_key(map, &key, &next) == 0) {
        key = next;
        count++;
    }
    assert_true(count >= 2 && count < 50); /* nobody, this process, and whoever lives beside */
    (void)close(map);
}

/* A summary that does not fit into the ring is told later. */
static void a_full_ring_delays_what_is_told(void **state)
{
    struct rig *r = *state;
    const struct wedr_sensor_lane *bulk = &wedr_sensor_state(r->sensor)->lane[WEDR_LANE_BULK];
    set_limit(r, 4000, 600000);
    pid_t pid = do_many("5000"); /* nobody reads: 4000 records are too many for 64 KiB */
    assert_true(wedr_sensor_count(&bulk->lost[WEDR_LOSS_REASON_RING_FULL]) > 1000);
    size_t recorded = rig_count(r, KIND, pid);
    assert_int_equal(told(r, pid, NULL), 0);
    check(r); /* there is room now; the process is gone, so it is nobody's */
    assert_int_equal(told(r, 0, NULL), 1000);
    /* Its own summary was tried once and lost, with a number: it is 4000 + 1 that went there. */
    assert_true(wedr_sensor_count(&bulk->lost[WEDR_LOSS_REASON_RING_FULL]) + recorded >= 4001);
    assert_int_equal(wedr_sensor_count(&bulk->seq),
                     wedr_sensor_count(&bulk->lost[WEDR_LOSS_REASON_RING_FULL]) +
                         rig_lane_count(r, WEDR_LANE_BULK));
}

/* The holder's part is played here: no run is skipped at will. The sweep takes the count over, and
 * a smaller one never comes after it. */
static void the_sweep_passes_the_count_of_skipped_runs_on(void **state)
{
    struct rig *r = *state;
    const struct wedr_sensor_state *st = wedr_sensor_state(r->sensor);
    union bpf_iter_link_info info = {0};
    LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof info);
    uint32_t zero = 0;
    char byte;
    int missed = pinned(r, "missed"), sweep = pinned(r, "prog_sweep");
    uint64_t before = wedr_sensor_count(&st->missed);
    info.map.map_fd = (uint32_t)budgets_of(r);
    for (uint64_t count = before + 5; count > before + 3; count--) {
        assert_int_equal(bpf_map_update_elem(missed, &zero, &count, BPF_ANY), 0);
        int link = bpf_link_create(sweep, 0, BPF_TRACE_ITER, &opts);
        int iter = bpf_iter_create(link);
        assert_int_equal(read(iter, &byte, 1), 0);
        assert_int_equal(wedr_sensor_count(&st->missed), before + 5);
        (void)close(iter);
        (void)close(link);
    }
    (void)close((int)info.map.map_fd);
    (void)close(missed);
    (void)close(sweep);
}

/* A ring without room, a sweep without pause and processes that end: what the sweep could not tell
 * when the process was gone is not lost with the entry. */
static void what_a_sweep_and_an_end_tell_at_once_is_lost_by_neither(void **state)
{
    struct rig *r = *state;
    const struct wedr_sensor_state *st = wedr_sensor_state(r->sensor);
    union bpf_iter_link_info info = {0};
    LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof info);
    char byte;
    set_limit(r, 4000, 600000);
    (void)do_many("4000"); /* the ring is full */
    set_limit(r, 1, 600000);
    info.map.map_fd = (uint32_t)budgets_of(r);
    int sweep = pinned(r, "prog_sweep"), link = bpf_link_create(sweep, 0, BPF_TRACE_ITER, &opts);
    assert_true(link >= 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    for (int i = 0; pid == 0 && i < (int)ENDS; i++) {
        if (fork() == 0) {
            memfds(3);
            _exit(0);
        }
        (void)wait(NULL);
    }
    if (pid == 0) {
        _exit(0);
    }
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        int iter = bpf_iter_create(link);
        assert_int_equal(read(iter, &byte, 1), 0);
        (void)close(iter);
    }
    rig_pump(r);
    assert_true(wedr_sensor_count(&st->suppressed[KIND]) >= 2 * ENDS);
    assert_all_told(r);
    (void)close((int)info.map.map_fd);
    (void)close(link);
    (void)close(sweep);
}

static void detaching_tells_the_rest(void **state)
{
    struct rig *r = *state;
    memfds(150);
    wedr_sensor_close(r->sensor);
    r->sensor = NULL;
    assert_int_equal(wedr_sensor_unpin(r->pin_name, NULL), WEDR_OK);
    assert_int_equal(told(r, getpid(), NULL), 150 - LIMIT);
    assert_int_equal(rig_count(r, KIND, getpid()), LIMIT);
}

int main(void)
{
#define T(f, setup) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        T(the_end_of_a_process_tells_what_was_held_back, roomy),
        T(below_its_budget_a_process_has_every_record_and_no_summary, roomy),
        T(the_sweep_tells_of_a_living_process_and_only_once, roomy),
        T(a_new_window_is_a_new_budget, roomy),
        T(two_floods_at_once_are_told_apart, roomy),
        T(without_room_nobody_has_the_budget, roomy),
        T(an_ended_process_gives_its_entry_back, roomy),
        T(a_full_ring_delays_what_is_told, cramped),
        T(the_sweep_passes_the_count_of_skipped_runs_on, roomy),
        T(what_a_sweep_and_an_end_tell_at_once_is_lost_by_neither, cramped),
        T(detaching_tells_the_rest, roomy),
    };
    int unable = rig_unable();
    return unable ? unable : cmocka_run_group_tests(tests, NULL, NULL);
}
