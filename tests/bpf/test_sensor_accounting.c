/* SPDX-License-Identifier: Apache-2.0
 * Nothing is lost without being counted: produced = delivered + lost, to the unit. */
#include "rig.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/time.h"
#include <bpf/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const process_alone[] = {NULL};

/* The programs stop for good; then the counters stand still and can be compared. */
static void stop_producing(struct rig *r, const struct wedr_sensor_state **ret_state)
{
    struct wedr_sensor_handles h;
    wedr_sensor_handles(r->sensor, &h);
    assert_int_equal(wedr_sensor_state_map(h.state, ret_state), WEDR_OK);
    wedr_sensor_close(r->sensor);
    r->sensor = NULL;
    assert_int_equal(wedr_sensor_unpin(r->pin_name, NULL), WEDR_OK);
    const uint64_t *seq = &(*ret_state)->lane[WEDR_LANE_CRITICAL].seq;
    uint64_t last = 0;
    for (int still = 0; still < 10;) {
        uint64_t now = wedr_sensor_count(seq);
        still = now == last ? still + 1 : 0;
        last = now;
        wedr_time_sleep_ms(30);
    }
}

/* Every seq that was delivered, once; the highest possible is `produced`. */
static void assert_seqs_unique(const struct rig *r, uint64_t produced)
{
    uint8_t *seen = wedr_alloc(produced + 1, 1);
    assert_non_null(seen);
    for (size_t i = 0; i < r->count; i++) {
        uint64_t seq = r->views[i].h.seq;
        if (r->views[i].h.stream != WEDR_STREAM_CRITICAL) {
            continue;
        }
        assert_true(seq >= 1 && seq <= produced);
        assert_int_equal(seen[seq]++, 0);
    }
    wedr_free(seen);
}

static void start_floods(pid_t pid[2], const char *count)
{
    for (int i = 0; i < 2; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            (void)execl(WEDR_VICTIM, WEDR_VICTIM, "flood", count, (char *)NULL);
            _exit(99);
        }
    }
}

static void wait_floods(const pid_t pid[2])
{
    for (int i = 0; i < 2; i++) {
        int status = 0;
        (void)waitpid(pid[i], &status, 0);
        assert_int_equal(status, 0);
    }
}

static void flood_into_a_full_ring_is_counted_to_the_unit(void **state)
{
    (void)state;
    static struct rig r;
    const struct wedr_sensor_state *st = NULL;
    pid_t pid[2];
    rig_open_areas(&r, process_alone, 65536);
    start_floods(pid, "1000");
    wait_floods(pid); /* nobody reads meanwhile */
    rig_pump(&r);
    start_floods(pid, "300"); /* and now beside a reader */
    for (int i = 0; i < 50; i++) {
        rig_pump(&r);
        wedr_time_sleep_ms(10);
    }
    wait_floods(pid);
    stop_producing(&r, &st);
    rig_pump(&r);
    uint64_t produced = st->lane[WEDR_LANE_CRITICAL].seq;
    uint64_t lost = st->lane[WEDR_LANE_CRITICAL].lost[WEDR_LOSS_REASON_RING_FULL];
    assert_true(lost > 1000);
    assert_true(produced > 6000);
    assert_int_equal(st->lane[WEDR_LANE_CRITICAL].lost[WEDR_LOSS_REASON_SCRATCH], 0);
    assert_int_equal(produced, rig_lane_count(&r, WEDR_LANE_CRITICAL) + lost);
    assert_seqs_unique(&r, produced);
    uint64_t told = 0;
    for (size_t i = 0; i < r.count; i++) {
        told = r.views[i].h.drop_count > told ? r.views[i].h.drop_count : told;
    }
    assert_true(told > 0 && told <= lost);
    wedr_sensor_state_unmap(st);
    rig_close(&r);
}

static void flood_beside_a_stopped_reader_loses_nothing_in_the_real_ring(void **state)
{
    (void)state;
    static struct rig r;
    const struct wedr_sensor_state *st = NULL;
    pid_t pid[2];
    rig_open_areas(&r, process_alone, 0);
    start_floods(pid, "2000");
    wait_floods(pid);
    stop_producing(&r, &st);
    rig_pump(&r);
    assert_int_equal(st->lane[WEDR_LANE_CRITICAL].lost[WEDR_LOSS_REASON_RING_FULL], 0);
    assert_int_equal(st->lane[WEDR_LANE_CRITICAL].seq, rig_lane_count(&r, WEDR_LANE_CRITICAL));
    assert_true(rig_lane_count(&r, WEDR_LANE_CRITICAL) >= 12000);
    assert_seqs_unique(&r, st->lane[WEDR_LANE_CRITICAL].seq);
    wedr_sensor_state_unmap(st);
    rig_close(&r);
}

/* The scratch map of our own exec program, found through its link: it is not pinned. */
static int own_scratch(const struct rig *r, uint32_t *ret_bytes, uint32_t *ret_entries)
{
    struct wedr_sensor_hook hook;
    size_t count = 0;
    uint32_t ids[16] = {0};
    struct bpf_prog_info prog = {0};
    uint32_t len = sizeof prog;
    assert_int_equal(wedr_sensor_list_hooks(r->pin_name, &hook, 1, &count), WEDR_OK);
    int fd = bpf_prog_get_fd_by_id(hook.prog_id);
    assert_true(fd >= 0);
    prog.nr_map_ids = 16;
    prog.map_ids = (uint64_t)(uintptr_t)ids;
    assert_int_equal(bpf_obj_get_info_by_fd(fd, &prog, &len), 0);
    (void)close(fd);
    for (uint32_t i = 0; i < prog.nr_map_ids; i++) {
        struct bpf_map_info map = {0};
        len = sizeof map;
        fd = bpf_map_get_fd_by_id(ids[i]);
        assert_true(fd >= 0 && bpf_obj_get_info_by_fd(fd, &map, &len) == 0);
        if (strcmp(map.name, "scratches") == 0) {
            *ret_bytes = map.value_size;
            *ret_entries = map.max_entries;
            return fd;
        }
        (void)close(fd);
    }
    fail_msg("no scratch map");
    return -1;
}

static void busy_scratch_is_a_counted_loss(void **state)
{
    (void)state;
    static struct rig r;
    uint32_t bytes = 0, entries = 0;
    const struct wedr_sensor_state *st = NULL;
    const char *const args[] = {"exit", "0", NULL};
    rig_open_areas(&r, process_alone, 0);
    int map = own_scratch(&r, &bytes, &entries);
    uint8_t *value = wedr_alloc(1, bytes);
    assert_non_null(value);
    value[bytes - 8] = 1; /* the flag is the last word */
    for (uint32_t i = 0; i < entries; i++) {
        assert_int_equal(bpf_map_update_elem(map, &i, value, BPF_ANY), 0);
    }
    pid_t pid = rig_victim(args, NULL);
    assert_non_null(rig_wait(&r, WEDR_EV_PROCESS_TERMINATE, pid, 0));
    assert_int_equal(rig_count(&r, WEDR_EV_PROCESS_CREATE, pid), 0);
    value[bytes - 8] = 0;
    for (uint32_t i = 0; i < entries; i++) {
        assert_int_equal(bpf_map_update_elem(map, &i, value, BPF_ANY), 0);
    }
    pid = rig_victim(args, NULL);
    assert_non_null(rig_wait(&r, WEDR_EV_PROCESS_CREATE, pid, 0));
    stop_producing(&r, &st);
    rig_pump(&r);
    uint64_t lost = st->lane[WEDR_LANE_CRITICAL].lost[WEDR_LOSS_REASON_SCRATCH];
    assert_true(lost >= 1);
    assert_int_equal(st->lane[WEDR_LANE_CRITICAL].seq,
                     rig_lane_count(&r, WEDR_LANE_CRITICAL) + lost);
    wedr_sensor_state_unmap(st);
    (void)close(map);
    wedr_free(value);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flood_into_a_full_ring_is_counted_to_the_unit),
        cmocka_unit_test(flood_beside_a_stopped_reader_loses_nothing_in_the_real_ring),
        cmocka_unit_test(busy_scratch_is_a_counted_loss),
    };
    int unable = rig_unable();
    return unable ? unable : cmocka_run_group_tests(tests, NULL, NULL);
}
