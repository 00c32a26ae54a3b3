/* SPDX-License-Identifier: Apache-2.0
 * What a budget holds back is told to the unit: recorded + summarised = done. */
#include "rig.h"

#include "core/base/err.h"
#include "wedr/plat/time.h"
#include <bpf/bpf.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define KIND WEDR_EV_MEMFD_CREATE
#define LIMIT 100u
#define ONE_USER 60998u
#define OTHER_USER 60999u
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

static pid_t begin_many(uid_t uid, const char *count)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (uid && setresuid(uid, uid, uid) != 0) {
            _exit(98);
        }
        (void)execl(WEDR_VICTIM_POLICY, WEDR_VICTIM_POLICY, "memfd", count, (char *)NULL);
        _exit(99);
    }
    return pid;
}

static void end_of(pid_t pid)
{
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static pid_t do_many_as(uid_t uid, const char *count)
{
    pid_t pid = begin_many(uid, count);
    end_of(pid);
    return pid;
}

static pid_t do_many(const char *count)
{
    return do_many_as(0, count);
}

/* What the summaries of a kind by a process (0: none) of a user say in all; *ret_last, when given,
 * is the last of them. */
static uint64_t
told_of(struct rig *r, uint16_t kind, pid_t pid, uid_t uid, const struct wedr_event_view **ret_last)
{
    uint64_t sum = 0;
    rig_pump(r);
    for (size_t i = 0; i < r->count; i++) {
        const struct wedr_event_view *v = &r->views[i];
        if (v->h.type == WEDR_EV_ACTIVITY_SUMMARY && rec_uint(v, "pid") == (uint64_t)pid &&
            rec_uint(v, "uid") == uid && rec_uint(v, "activity") == kind) {
            sum += rec_uint(v, "count");
            if (ret_last) {
                *ret_last = v;
            }
        }
    }
    return sum;
}

static uint64_t told(struct rig *r, pid_t pid, const struct wedr_event_view **ret_last)
{
    return told_of(r, KIND, pid, 0, ret_last);
}

static void check(struct rig *r)
{
    struct wedr_sensor_health h;
    assert_int_equal(wedr_sensor_check(r->sensor, &h, NULL), WEDR_OK);
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
    pid_t pid[2] = {begin_many(0, "10000"), begin_many(0, "20000")};
    end_of(pid[0]);
    end_of(pid[1]);
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

static void fill(int map)
{
    static const struct wedr_budget empty;
    uint64_t key = 1;
    while (bpf_map_update_elem(map, &key, &empty, BPF_NOEXIST) == 0) {
        key++;
    }
    assert_true(key > 100);
    (void)close(map);
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

/* One user's sleepers fill the table, one more process of his floods: that is his alone. */
static void without_room_the_processes_of_a_user_share_one_budget(void **state)
{
    struct rig *r = *state;
    const struct wedr_event_view *v = NULL;
    fill(budgets_of(r));
    pid_t flood = do_many_as(ONE_USER, "500");
    pid_t next = do_many_as(ONE_USER, "20");
    pid_t other = do_many_as(OTHER_USER, "1");
    assert_int_equal(rig_count(r, KIND, other), 1);
    assert_int_equal(rig_count(r, KIND, flood), LIMIT);
    assert_int_equal(rig_count(r, KIND, next), 0);
    check(r);
    assert_int_equal(told_of(r, KIND, 0, ONE_USER, &v), 520 - LIMIT);
    assert_int_equal(rec_uint(v, "process_key"), 0);
    assert_int_equal(told_of(r, KIND, 0, OTHER_USER, NULL), 0);
    assert_int_equal(told(r, 0, NULL), 0);
    assert_all_told(r);
}

/* No room for an entry of either kind: the events are nobody's, but they are counted. */
static void without_any_room_nobody_has_the_budget(void **state)
{
    struct rig *r = *state;
    const struct wedr_event_view *v = NULL;
    fill(budgets_of(r));
    fill(pinned(r, "budget_users"));
    pid_t pid = do_many_as(OTHER_USER, "500");
    check(r);
    assert_int_equal(rig_count(r, KIND, pid), LIMIT);
    assert_int_equal(told(r, 0, &v), 500 - LIMIT);
    assert_int_equal(rec_uint(v, "process_key"), 0);
    assert_all_told(r);
}

/* As if nothing had been done for long. */
static void age(int map, uint64_t key)
{
    struct wedr_budget b;
    uint64_t then = wedr_time_boot_ns() - WEDR_BUDGET_IDLE_NS - 1;
    assert_int_equal(bpf_map_lookup_elem(map, &key, &b), 0);
    b.since = then;
    for (size_t i = 0; i < WEDR_BUDGET_SLOTS; i++) {
        b.slot[i].window = then;
    }
    assert_int_equal(bpf_map_update_elem(map, &key, &b, BPF_EXIST), 0);
}

static bool has(int map, uint64_t key)
{
    struct wedr_budget b;
    return bpf_map_lookup_elem(map, &key, &b) == 0;
}

/* Whoever sleeps does not keep others out, and what he does later is counted as before. */
static void an_entry_that_is_not_used_for_long_goes_when_it_holds_nothing(void **state)
{
    struct rig *r = *state;
    int map = budgets_of(r);
    set_limit(r, LIMIT, 30000);
    memfds(250);
    uint64_t key = rec_uint(rig_wait(r, KIND, getpid(), 0), "process_key");
    check(r);
    check(r);
    assert_true(has(map, key)); /* it was used just now */
    memfds(7);
    age(map, key);
    check(r);
    assert_true(has(map, key)); /* it held something */
    check(r);
    assert_false(has(map, key));
    assert_true(has(map, 0));
    assert_int_equal(told(r, getpid(), NULL), 257 - LIMIT);
    memfds(250);
    check(r);
    assert_int_equal(rig_count(r, KIND, getpid()), 2 * LIMIT);
    assert_int_equal(told(r, getpid(), NULL), 507 - 2 * LIMIT);
    assert_all_told(r);
    (void)close(map);
}

static void a_user_that_is_idle_for_long_gives_his_entry_back(void **state)
{
    struct rig *r = *state;
    int users = pinned(r, "budget_users");
    set_limit(r, LIMIT, 30000);
    fill(budgets_of(r));
    (void)do_many_as(ONE_USER, "500");
    check(r);
    check(r);
    assert_true(has(users, ONE_USER));
    age(users, ONE_USER);
    check(r);
    assert_false(has(users, ONE_USER));
    pid_t pid = do_many_as(ONE_USER, "101");
    check(r);
    assert_int_equal(rig_count(r, KIND, pid), LIMIT);
    assert_int_equal(told_of(r, KIND, 0, ONE_USER, NULL), 501 - LIMIT);
    (void)close(users);
}

static int on_the_net(void **state)
{
    static struct rig rig;
    static const char *const net[] = {"net", NULL};
    struct wedr_sensor_policy p;
    rig_open_areas(&rig, net, 0);
    wedr_sensor_policy_init(&p);
    p.budget[WEDR_EV_NETWORK_CLOSE] = 1;
    p.window_ms = 600000;
    assert_int_equal(wedr_sensor_policy_set(rig.sensor, &p, NULL), WEDR_OK);
    *state = &rig;
    return 0;
}

/* A process that ends with its connections open. */
static pid_t leave_open(uid_t uid, unsigned connections)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server, (const struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(server, 16), 0);
    assert_int_equal(getsockname(server, (struct sockaddr *)&at, &len), 0);
    pid_t pid = fork();
    if (pid == 0) {
        bool good = setresuid(uid, uid, uid) == 0;
        for (unsigned i = 0; good && i < connections; i++) {
            int fd = socket(AF_INET, SOCK_STREAM, 0);
            good = connect(fd, (const struct sockaddr *)&at, len) == 0;
        }
        _exit(good ? 0 : 97);
    }
    end_of(pid);
    for (unsigned i = 0; i < connections; i++) {
        int fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
        assert_true(fd >= 0);
        (void)close(fd);
    }
    (void)close(server);
    return pid;
}

/* Its connections are closed when it has no entry any more: they use up nobody else's. */
static void what_a_process_leaves_behind_counts_on_its_user(void **state)
{
    struct rig *r = *state;
    pid_t one = leave_open(ONE_USER, 4);
    pid_t other = leave_open(OTHER_USER, 1);
    assert_non_null(rig_wait(r, WEDR_EV_NETWORK_CLOSE, one, 0));
    assert_non_null(rig_wait(r, WEDR_EV_NETWORK_CLOSE, other, 0));
    for (int i = 0; i < 100 && told_of(r, WEDR_EV_NETWORK_CLOSE, 0, ONE_USER, NULL) < 3; i++) {
        check(r);
        wedr_time_sleep_ms(10);
    }
    assert_int_equal(told_of(r, WEDR_EV_NETWORK_CLOSE, 0, ONE_USER, NULL), 3);
    assert_int_equal(told_of(r, WEDR_EV_NETWORK_CLOSE, 0, OTHER_USER, NULL), 0);
    assert_int_equal(rig_count(r, WEDR_EV_NETWORK_CLOSE, one), 1);
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
    rig_assert_whole(r, bulk, WEDR_LANE_BULK);
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
        T(without_room_the_processes_of_a_user_share_one_budget, roomy),
        T(without_any_room_nobody_has_the_budget, roomy),
        T(an_entry_that_is_not_used_for_long_goes_when_it_holds_nothing, roomy),
        T(a_user_that_is_idle_for_long_gives_his_entry_back, roomy),
        T(what_a_process_leaves_behind_counts_on_its_user, on_the_net),
        T(an_ended_process_gives_its_entry_back, roomy),
        T(a_full_ring_delays_what_is_told, cramped),
        T(the_sweep_passes_the_count_of_skipped_runs_on, roomy),
        T(what_a_sweep_and_an_end_tell_at_once_is_lost_by_neither, cramped),
        T(detaching_tells_the_rest, roomy),
    };
    int unable = rig_unable();
    return unable ? unable : cmocka_run_group_tests(tests, NULL, NULL);
}
