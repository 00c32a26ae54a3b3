/* SPDX-License-Identifier: Apache-2.0
 * The sensor outlives its holder: pins, adoption, removal, and noticing that somebody took it away.
 */
#include "rig.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/time.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_rig(void **state)
{
    static struct rig rig;
    static const char *const areas[] = {NULL}; /* process alone */
    rig_open_areas(&rig, areas, 1u << 20);
    *state = &rig;
    return 0;
}

static int close_rig(void **state)
{
    rig_close(*state);
    return 0;
}

static size_t pins_left(const struct rig *r)
{
    size_t n = 0;
    DIR *d = opendir("/sys/fs/bpf");
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        n += strncmp(e->d_name, r->pin_name, strlen(r->pin_name)) == 0;
    }
    (void)closedir(d);
    return n;
}

static void pin_path(const struct rig *r, const char *entry, char *ret, size_t cap)
{
    (void)snprintf(ret, cap, "/sys/fs/bpf/%s/%s", r->pin_name, entry);
}

static void assert_every_seq_once(const struct rig *r)
{
    uint8_t *seen = wedr_alloc(RIG_RECORDS, 1);
    assert_non_null(seen);
    size_t count = rig_lane_count(r, WEDR_LANE_CRITICAL);
    for (size_t i = 0; i < r->count; i++) {
        uint64_t seq = r->views[i].h.seq;
        if (r->views[i].h.stream == WEDR_STREAM_CRITICAL) {
            assert_true(seq >= 1 && seq <= count);
            assert_int_equal(seen[seq - 1]++, 0);
        }
    }
    wedr_free(seen);
}

static void folder_of_pins_is_for_root_alone(void **state)
{
    struct rig *r = *state;
    char path[96];
    struct stat st;
    pin_path(r, "", path, sizeof path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(st.st_uid, 0);
}

static void restart_adopts_the_epoch_and_loses_nothing(void **state)
{
    struct rig *r = *state;
    const char *const args[] = {"exit", "0", "while-away", NULL};
    uint64_t epoch = wedr_sensor_state(r->sensor)->epoch;
    rig_pump(r);
    assert_true(epoch != 0);
    rig_detach(r);
    pid_t pid = rig_victim(args, NULL);
    rig_reopen(r);
    assert_true(r->how.adopted);
    assert_int_equal(wedr_sensor_state(r->sensor)->epoch, epoch);
    assert_int_equal(wedr_sensor_state(r->sensor)->lane[0].lost[WEDR_LOSS_REASON_RING_FULL], 0);
    assert_non_null(rig_wait(r, WEDR_EV_PROCESS_CREATE, pid, 0));
    assert_non_null(rig_wait(r, WEDR_EV_PROCESS_TERMINATE, pid, 0));
    assert_every_seq_once(r);
}

static void unreleased_records_are_there_again_after_a_restart(void **state)
{
    struct rig *r = *state;
    struct wedr_span rec;
    const char *const args[] = {"exit", "0", NULL};
    rig_pump(r);
    uint64_t at = wedr_bpf_ring_consumer(r->ring);
    (void)rig_victim(args, NULL);
    uint64_t pos = at;
    assert_int_equal(wedr_bpf_ring_next(r->ring, &pos, &rec), WEDR_OK);
    struct wedr_event_view first, again;
    assert_int_equal(wedr_event_decode(rec, &first), WEDR_OK);
    rig_detach(r); /* read, but never released */
    rig_reopen(r);
    pos = wedr_bpf_ring_consumer(r->ring);
    assert_int_equal(pos, at);
    assert_int_equal(wedr_bpf_ring_next(r->ring, &pos, &rec), WEDR_OK);
    assert_int_equal(wedr_event_decode(rec, &again), WEDR_OK);
    assert_int_equal(again.h.seq, first.h.seq);
}

static void nobody_can_map_the_counters_for_writing(void **state)
{
    struct rig *r = *state;
    struct wedr_sensor_handles h;
    wedr_sensor_handles(r->sensor, &h);
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, (int)h.state, 0);
    assert_ptr_equal(p, MAP_FAILED);
    const struct wedr_sensor_state *st = NULL;
    assert_int_equal(wedr_sensor_state_map(h.state, &st), WEDR_OK);
    assert_int_equal(mprotect((void *)(uintptr_t)st, 4096, PROT_READ | PROT_WRITE), -1);
    wedr_sensor_state_unmap(st);
}

static void removed_pin_is_put_back_while_the_holder_lives(void **state)
{
    struct rig *r = *state;
    struct wedr_sensor_health h;
    char path[96];
    assert_int_equal(wedr_sensor_check(r->sensor, &h, NULL), WEDR_OK);
    assert_true(h.links >= 3);
    assert_int_equal(h.links_alive, h.links);
    assert_int_equal(h.repinned, 0);
    assert_int_equal(wedr_sensor_unpin(r->pin_name, NULL), WEDR_OK);
    assert_int_equal(wedr_sensor_check(r->sensor, &h, NULL), WEDR_OK);
    assert_true(h.repinned > h.links + 2); /* and the maps */
    pin_path(r, "link_exec", path, sizeof path);
    assert_int_equal(access(path, F_OK), 0);
    uint64_t epoch = wedr_sensor_state(r->sensor)->epoch;
    rig_detach(r);
    rig_reopen(r);
    assert_true(r->how.adopted);
    assert_int_equal(wedr_sensor_state(r->sensor)->epoch, epoch);
}

/* Closes this process's descriptors of BPF links, as somebody with its rights could. */
static void steal_links(void)
{
    for (int fd = 3; fd < 256; fd++) {
        char path[64], target[64] = "";
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, target, sizeof target - 1) > 0 && strstr(target, "bpf") &&
            strstr(target, "link")) {
            (void)close(fd);
        }
    }
}

static void a02_dead_link_is_noticed_and_a_new_epoch_begins(void **state)
{
    struct rig *r = *state;
    struct wedr_sensor_health h;
    struct wedr_errinfo ei = {""};
    struct wedr_sensor *old = NULL;
    const char *const args[] = {"exit", "0", "before", NULL};
    char path[96];
    uint64_t epoch = wedr_sensor_state(r->sensor)->epoch;
    rig_pump(r);
    pid_t pid = rig_victim(args, NULL);
    pin_path(r, "link_exec", path, sizeof path);
    assert_int_equal(unlink(path), 0);
    steal_links();
    assert_int_equal(wedr_sensor_check(r->sensor, &h, &ei), WEDR_E_CLOSED);
    assert_non_null(strstr(ei.text, "exec"));
    rig_detach(r);
    rig_reopen(r);
    assert_false(r->how.adopted);
    assert_string_equal(r->how.why, "link exec is gone");
    assert_true(wedr_sensor_state(r->sensor)->epoch != epoch);

    /* What the old epoch had recorded is still there to be drained, with its final counters. */
    assert_int_equal(wedr_sensor_old_open(r->pin_name, &old, &ei), WEDR_OK);
    struct wedr_sensor_handles handles;
    struct wedr_bpf_ring *ring = NULL;
    struct wedr_span rec;
    bool found = false;
    assert_int_equal(wedr_sensor_state(old)->epoch, epoch);
    wedr_sensor_handles(old, &handles);
    assert_int_equal(wedr_bpf_ring_open(handles.ring[0], handles.ring_bytes, &ring), WEDR_OK);
    uint64_t pos = wedr_bpf_ring_consumer(ring);
    while (wedr_bpf_ring_next(ring, &pos, &rec) == WEDR_OK) {
        struct wedr_event_view v;
        assert_int_equal(wedr_event_decode(rec, &v), WEDR_OK);
        found |= v.h.type == WEDR_EV_PROCESS_CREATE && rec_uint(&v, "pid") == (uint64_t)pid;
    }
    assert_true(found);
    wedr_bpf_ring_close(ring);
    wedr_sensor_old_discard_take(old);
    assert_int_equal(wedr_sensor_old_open(r->pin_name, &old, &ei), WEDR_E_NOENT);
    assert_int_equal(pins_left(r), 1);
}

static void changed_object_starts_a_new_epoch(void **state)
{
    struct rig *r = *state;
    uint64_t epoch = wedr_sensor_state(r->sensor)->epoch;
    rig_detach(r);
    r->ring_bytes *= 2;
    rig_reopen(r);
    assert_false(r->how.adopted);
    assert_string_equal(r->how.why, "the ring size changed");
    assert_true(wedr_sensor_state(r->sensor)->epoch != epoch);
    assert_int_equal(pins_left(r), 2);
}

static void old_sets_are_bounded(void **state)
{
    struct rig *r = *state;
    for (unsigned i = 0; i < WEDR_SENSOR_OLD_MAX + 2; i++) {
        rig_detach(r);
        r->ring_bytes = i % 2 ? 65536 : 131072;
        rig_reopen(r);
    }
    assert_int_equal(pins_left(r), WEDR_SENSOR_OLD_MAX + 1);
}

static void half_made_set_of_a_crash_is_swept_away(void **state)
{
    struct rig *r = *state;
    char path[96];
    (void)snprintf(path, sizeof path, "/sys/fs/bpf/%s-new", r->pin_name);
    assert_int_equal(mkdir(path, 0700), 0);
    rig_detach(r);
    r->ring_bytes *= 2; /* forces a new set */
    rig_reopen(r);
    assert_int_equal(access(path, F_OK), -1);
}

static void hooks_are_listed_for_people(void **state)
{
    struct rig *r = *state;
    static struct wedr_sensor_hook hooks[WEDR_SENSOR_HOOKS_MAX];
    struct wedr_sensor_health h;
    size_t count = 0, live = 0;
    assert_int_equal(wedr_sensor_list_hooks(r->pin_name, hooks, WEDR_SENSOR_HOOKS_MAX, &count),
                     WEDR_OK);
    assert_true(count >= 3);
    for (size_t i = 0; i < count; i++) {
        bool there = hooks[i].alive && hooks[i].pinned && hooks[i].link_id && hooks[i].prog_id;
        assert_true(hooks[i].live == there);
        assert_true(hooks[i].live == (hooks[i].reason[0] == 0)); /* what is not there says why */
        assert_true(hooks[i].live || !hooks[i].required);
        live += hooks[i].live;
    }
    assert_string_equal(hooks[0].name, "exec");
    assert_int_equal(wedr_sensor_check(r->sensor, &h, NULL), WEDR_OK);
    assert_int_equal(live, h.links);
    assert_int_equal(wedr_sensor_list_hooks("wedr-0000000000000000", hooks, 8, &count), WEDR_OK);
    assert_int_equal(count, 0);
}

static void unpin_leaves_nothing_behind(void **state)
{
    struct rig *r = *state;
    size_t count = 0;
    struct wedr_sensor_hook hooks[8];
    rig_detach(r);
    assert_true(pins_left(r) >= 1);
    assert_int_equal(wedr_sensor_unpin(r->pin_name, NULL), WEDR_OK);
    assert_int_equal(pins_left(r), 0);
    assert_int_equal(wedr_sensor_list_hooks(r->pin_name, hooks, 8, &count), WEDR_OK);
    assert_int_equal(count, 0);
    assert_int_equal(wedr_sensor_unpin(r->pin_name, NULL), WEDR_E_NOENT);
    rig_reopen(r);
    assert_false(r->how.adopted);
    assert_string_equal(r->how.why, "nothing was pinned");
}

static void pin_name_depends_on_the_folder_not_on_its_spelling(void **state)
{
    struct rig *r = *state;
    char spelled[96], name[WEDR_PIN_NAME_MAX];
    (void)snprintf(spelled, sizeof spelled, "%s/../%s", r->dir, strrchr(r->dir, '/') + 1);
    assert_int_equal(wedr_sensor_pin_name(spelled, name), WEDR_OK);
    assert_string_equal(name, r->pin_name);
    assert_int_equal(wedr_sensor_pin_name("/", name), WEDR_OK);
    assert_string_not_equal(name, r->pin_name);
    assert_int_equal(wedr_sensor_pin_name("/nowhere/at/all", name), WEDR_E_NOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folder_of_pins_is_for_root_alone),
        cmocka_unit_test(restart_adopts_the_epoch_and_loses_nothing),
        cmocka_unit_test(unreleased_records_are_there_again_after_a_restart),
        cmocka_unit_test(nobody_can_map_the_counters_for_writing),
        cmocka_unit_test(removed_pin_is_put_back_while_the_holder_lives),
        cmocka_unit_test(a02_dead_link_is_noticed_and_a_new_epoch_begins),
        cmocka_unit_test(changed_object_starts_a_new_epoch),
        cmocka_unit_test(old_sets_are_bounded),
        cmocka_unit_test(half_made_set_of_a_crash_is_swept_away),
        cmocka_unit_test(hooks_are_listed_for_people),
        cmocka_unit_test(unpin_leaves_nothing_behind),
        cmocka_unit_test(pin_name_depends_on_the_folder_not_on_its_spelling),
    };
    int unable = rig_unable();
    return unable ? unable : cmocka_run_group_tests(tests, open_rig, close_rig);
}
