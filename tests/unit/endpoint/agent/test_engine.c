/* SPDX-License-Identifier: Apache-2.0 */
#include "capture.h"
#include "support.h"

#include "core/util/alloc.h"
#include "wedr/plat/time.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void make_capture(const char *path, uint64_t events, uint64_t seed)
{
    wedr_handle h;
    struct wedr_errinfo ei = {""};
    assert_int_equal(wedr_fs_open(path, WEDR_FS_WRITE | WEDR_FS_CREATE | WEDR_FS_TRUNC, 0600, &h),
                     WEDR_OK);
    assert_int_equal(wedr_gen(h, events, seed, &ei), WEDR_OK);
    wedr_fs_close(h);
}

static int take_replay(struct wedr_engine *e, const char *path, uint64_t epoch, uint64_t rate)
{
    struct wedr_engine_replay r = {.rate = rate, .epoch = epoch};
    struct wedr_errinfo ei = {""};
    assert_int_equal(wedr_fs_open(path, WEDR_FS_READ, 0, &r.file), WEDR_OK);
    return wedr_engine_source_replay_take(e, &r, &ei);
}

static void run_to_end(struct wedr_engine *e, struct t_server *s)
{
    for (unsigned i = 0; i < 20000 && !wedr_engine_finished(e); i++) {
        bool busy;
        uint32_t wait;
        assert_int_equal(wedr_engine_round(e, &busy, &wait), WEDR_OK);
        (void)t_ship(s, e, 100);
    }
    assert_true(wedr_engine_finished(e));
}

static uint64_t stored_of(struct t_server *s, const char *name)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        n += strcmp(s->streams[i].name, name) == 0 ? s->streams[i].stored : 0;
    }
    return n;
}

static void assert_ledger_is_closed(struct t_server *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct t_stream *st = &s->streams[i];
        if (t_missing(st) != 0 || st->twice != 0) {
            fail_msg("%s: missing %lld, twice %llu", st->name, (long long)t_missing(st),
                     (unsigned long long)st->twice);
        }
    }
}

static void replay_reaches_the_server_whole_and_ends_by_itself(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    const char *files = t_dir(1);
    char path[128];
    struct t_server srv;
    (void)snprintf(path, sizeof(path), "%s/cap", files);
    make_capture(path, 20000, 5);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    struct wedr_engine *e = t_open(&cfg);
    t_server_init(&srv);
    assert_int_equal(take_replay(e, path, 0, 0), WEDR_OK);
    run_to_end(e, &srv);
    assert_int_equal(stored_of(&srv, "kernel.critical") + stored_of(&srv, "kernel.bulk"), 20000);
    assert_ledger_is_closed(&srv);
    for (size_t i = 0; i < srv.count; i++) {
        assert_int_equal(srv.streams[i].starts, 1);
        assert_int_equal(srv.streams[i].ends, 1);
    }
    assert_int_equal(srv.agent_starts, 1);
    uint64_t lines = srv.lines;
    wedr_engine_close(e);
    /* Once more: nothing to send, not even an agent epoch. */
    e = t_open(&cfg);
    assert_int_equal(take_replay(e, path, 0, 0), WEDR_OK);
    run_to_end(e, &srv);
    assert_int_equal(srv.lines, lines);
    wedr_engine_close(e);
    /* Under a new epoch everything comes again. */
    e = t_open(&cfg);
    assert_int_equal(take_replay(e, path, 77, 0), WEDR_OK);
    run_to_end(e, &srv);
    assert_int_equal(stored_of(&srv, "kernel.critical") + stored_of(&srv, "kernel.bulk"), 40000);
    assert_ledger_is_closed(&srv);
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_rmdir(files);
    t_rmdir(dir);
}

static void replay_stopped_anywhere_goes_on_in_the_same_epoch(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    const char *files = t_dir(1);
    char path[128];
    struct t_server srv;
    (void)snprintf(path, sizeof(path), "%s/cap", files);
    make_capture(path, 30000, 6);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    t_server_init(&srv);
    bool done = false;
    for (int run = 0; run < 40 && !done; run++) {
        struct wedr_engine *e = t_open(&cfg);
        assert_int_equal(take_replay(e, path, 0, 0), WEDR_OK);
        for (int i = 0; i < 1 + run % 3 && !wedr_engine_finished(e); i++) {
            bool busy;
            uint32_t wait;
            assert_int_equal(wedr_engine_round(e, &busy, &wait), WEDR_OK);
            (void)t_ship(&srv, e, (size_t)run % 4);
        }
        done = wedr_engine_finished(e);
        if (run % 2 == 0) {
            wedr_engine_close(e);
        } else {
            /* killed: nothing is sealed on the way out */
            wedr_spool_close(e->spool);
            e->spool = NULL;
            wedr_engine_close(e);
        }
    }
    struct wedr_engine *e = t_open(&cfg);
    assert_int_equal(take_replay(e, path, 0, 0), WEDR_OK);
    run_to_end(e, &srv);
    assert_int_equal(stored_of(&srv, "kernel.critical") + stored_of(&srv, "kernel.bulk"), 30000);
    for (size_t i = 0; i < srv.count; i++) {
        assert_int_equal(srv.streams[i].twice, 0);
        if (strcmp(srv.streams[i].name, "agent") != 0) {
            assert_int_equal(t_missing(&srv.streams[i]), 0);
        }
    }
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_rmdir(files);
    t_rmdir(dir);
}

static struct wedr_engine *open_live(const struct wedr_engine_cfg *cfg, struct t_source *src)
{
    struct wedr_engine *e = t_open(cfg);
    t_source_rewind(src);
    assert_int_equal(engine_source_take(e, &src->base, false), WEDR_OK);
    return e;
}

static void settle(struct wedr_engine *e, struct t_server *srv, uint32_t ms)
{
    uint64_t begin = wedr_time_mono_ms();
    do {
        t_rounds(e, 5);
        wedr_time_sleep_ms(5);
    } while (wedr_time_mono_ms() - begin < ms);
    assert_int_equal(wedr_engine_seal(e), WEDR_OK);
    (void)t_ship(srv, e, SIZE_MAX);
}

static void ring_losses_holes_late_and_malformed_records_add_up(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    struct t_server srv;
    struct t_source src;
    uint8_t mem[512];
    t_server_init(&srv);
    t_source_init(&src, 9);
    struct wedr_engine *e = open_live(&cfg, &src);
    for (uint64_t s = 1; s <= 100; s++) {
        if (s % 10 != 0 && s != 55) {
            t_push(&src, 0, s);
        }
    }
    src.counters[0].lost[WEDR_LOSS_REASON_RING_FULL] =
        12; /* ten holes and 101, 102, without a record behind them */
    src.counters[0].produced = 102;
    /* 55 is on its way somewhere: neither here nor counted */
    settle(e, &srv, 300);
    struct t_stream *st = t_stream(&srv, 9, "kernel.critical");
    assert_int_equal(st->stored, 89);
    assert_int_equal(st->lost[WEDR_LOSS_REASON_RING_FULL], 12);
    assert_int_equal(t_missing(st), 1);
    t_push(&src, 0, 55); /* too late */
    size_t n = t_fork_record(mem, sizeof(mem), 0, 103);
    mem[2] = 99; /* a type that nobody knows */
    src.counters[0].produced = 104;
    t_push_bytes(&src, 0, mem, n);
    n = t_fork_record(mem, sizeof(mem), 0, 0x7777777777ull); /* a seq that was never given out */
    t_push_bytes(&src, 0, mem, n);                           /* stands for 104 */
    settle(e, &srv, 300);
    assert_int_equal(st->lost[WEDR_LOSS_REASON_LATE], 1);
    assert_int_equal(st->lost[WEDR_LOSS_REASON_MALFORMED], 2);
    t_push(&src, 0, 105);
    settle(e, &srv, 300);
    assert_int_equal(st->stored, 90);
    assert_int_equal(t_missing(st), 0);
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_source_fini(&src);
    t_rmdir(dir);
}

static void late_record_after_a_restart_is_still_late(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    struct t_server srv;
    struct t_source src;
    t_server_init(&srv);
    t_source_init(&src, 9);
    struct wedr_engine *e = open_live(&cfg, &src);
    t_push(&src, 0, 1);
    t_push(&src, 0, 3);
    settle(e, &srv, 250);
    wedr_spool_close(e->spool);
    e->spool = NULL;
    wedr_engine_close(e);
    e = open_live(&cfg, &src);
    t_push(&src, 0, 2);
    t_push(&src, 0, 4);
    settle(e, &srv, 50);
    struct t_stream *st = t_stream(&srv, 9, "kernel.critical");
    assert_int_equal(st->stored, 3);
    assert_int_equal(st->lost[WEDR_LOSS_REASON_LATE], 1);
    assert_int_equal(t_missing(st), 0);
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_source_fini(&src);
    t_rmdir(dir);
}

static int64_t shift_us;

static int64_t shifted_clock(void)
{
    return wedr_time_utc_us() + shift_us;
}

static void clock_jump_is_recorded_and_later_records_use_the_new_pair(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    struct t_server srv;
    struct t_source src;
    t_server_init(&srv);
    t_source_init(&src, 9);
    src.base.info.live = true;
    struct wedr_engine *e = open_live(&cfg, &src);
    e->utc_us = shifted_clock;
    shift_us = 900000;
    settle(e, &srv, 10);
    assert_int_equal(srv.clock_changes, 0); /* below a second: slewing */
    shift_us = -86400000000;
    t_push(&src, 0, 1);
    settle(e, &srv, 10);
    assert_int_equal(srv.clock_changes, 1);
    assert_true(e->kernel.utc_us < wedr_time_utc_us() - 86300000000);
    shift_us = 0;
    settle(e, &srv, 10);
    assert_int_equal(srv.clock_changes, 2);
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_source_fini(&src);
    t_rmdir(dir);
}

static void end_of_a_source_drains_closes_and_says_so(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    struct t_server srv;
    struct t_source src, next;
    t_server_init(&srv);
    t_source_init(&src, 9);
    t_source_init(&next, 10);
    struct wedr_engine *e = open_live(&cfg, &src);
    for (uint64_t s = 1; s <= 50; s += 2) {
        t_push(&src, 0, s);
    }
    src.counters[0].produced = 51;
    src.counters[0].lost[WEDR_LOSS_REASON_RING_FULL] = 26;
    assert_int_equal(wedr_engine_source_end(e, "detached"), WEDR_OK);
    assert_true(src.closed);
    assert_int_equal(wedr_engine_gap(e, 1000, 2000, WEDR_GAP_REASON_SENSOR_DETACHED), WEDR_OK);
    assert_int_equal(engine_source_take(e, &next.base, false), WEDR_OK);
    t_push(&next, 1, 1);
    settle(e, &srv, 10);
    assert_int_equal(wedr_engine_stop(e, "agent_stop"), WEDR_OK);
    (void)t_ship(&srv, e, SIZE_MAX);
    struct t_stream *st = t_stream(&srv, 9, "kernel.critical");
    assert_int_equal(st->stored, 25);
    assert_int_equal(st->end_produced, 51);
    assert_int_equal(st->ends, 1);
    assert_int_equal(t_missing(st), 0);
    assert_int_equal(t_stream(&srv, 10, "kernel.bulk")->stored, 1);
    assert_int_equal(t_stream(&srv, 10, "kernel.bulk")->ends, 0);
    assert_int_equal(srv.gaps, 1);
    struct wedr_engine_stats stats;
    wedr_engine_stats(e, &stats);
    struct t_stream *agent = t_stream(&srv, stats.agent_epoch, "agent");
    assert_int_equal(agent->end_produced, stats.agent_produced);
    assert_int_equal(agent->stored, stats.agent_produced);
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_source_fini(&src);
    t_source_fini(&next);
    t_rmdir(dir);
}

/* Runs that the kernel skipped have no seq: a stream of their own whose sum holds, and nothing said
 * while there are none. */
static void skipped_runs_are_a_stream_in_which_everything_is_lost(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    struct t_server srv;
    struct t_source src;
    t_server_init(&srv);
    t_source_init(&src, 9);
    struct wedr_engine *e = open_live(&cfg, &src);
    t_push(&src, 0, 1);
    settle(e, &srv, 10);
    size_t streams = srv.count;
    src.counters[0].missed = src.counters[1].missed = 3;
    t_push(&src, 0, 2);
    settle(e, &srv, 10);
    assert_int_equal(srv.count, streams + 1);
    struct t_stream *st = t_stream(&srv, 9, "kernel.missed");
    assert_int_equal(st->lost[WEDR_LOSS_REASON_BPF_MISSED], 3);
    assert_int_equal(st->loss_produced, 3);
    assert_int_equal(t_missing(st), 0);
    src.counters[0].missed = src.counters[1].missed = 7;
    assert_int_equal(wedr_engine_source_end(e, "stopped"), WEDR_OK);
    assert_int_equal(wedr_engine_stop(e, "agent_stop"), WEDR_OK);
    (void)t_ship(&srv, e, SIZE_MAX);
    assert_int_equal(st->lost[WEDR_LOSS_REASON_BPF_MISSED], 7);
    assert_int_equal(st->end_produced, 7);
    assert_int_equal(st->ends, 1);
    assert_int_equal(st->stored, 0);
    assert_int_equal(t_missing(st), 0);
    st = t_stream(&srv, 9, "kernel.critical");
    assert_int_equal(st->stored, 2);
    assert_int_equal(st->lost[WEDR_LOSS_REASON_BPF_MISSED], 0);
    assert_int_equal(t_missing(st), 0);
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_source_fini(&src);
    t_rmdir(dir);
}

static void spool_of_another_identity_is_dropped_and_counted(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    struct t_server srv;
    struct t_source src;
    t_server_init(&srv);
    t_source_init(&src, 9);
    struct wedr_engine *e = open_live(&cfg, &src);
    for (uint64_t s = 1; s <= 20; s++) {
        t_push(&src, 0, s);
    }
    t_rounds(e, 5);
    wedr_engine_close(e);
    cfg.reenrolled = true;
    e = open_live(&cfg, &src);
    t_push(&src, 0, 21);
    settle(e, &srv, 10);
    struct t_stream *st = t_stream(&srv, 9, "kernel.critical");
    assert_int_equal(st->stored, 1);
    assert_int_equal(st->lost[WEDR_LOSS_REASON_REENROLLED], 20);
    assert_int_equal(t_missing(st), 0);
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_source_fini(&src);
    t_rmdir(dir);
}

static void rate_limits_the_replay_over_both_lanes(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    const char *files = t_dir(1);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/cap", files);
    make_capture(path, 20000, 5);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    struct wedr_engine *e = t_open(&cfg);
    struct wedr_engine_stats stats;
    assert_int_equal(take_replay(e, path, 0, 2000), WEDR_OK);
    uint64_t begin = wedr_time_mono_ms();
    while (wedr_time_mono_ms() - begin < 500) {
        bool busy;
        uint32_t wait;
        assert_int_equal(wedr_engine_round(e, &busy, &wait), WEDR_OK);
        wedr_time_sleep_ms(2);
    }
    wedr_engine_stats(e, &stats);
    uint64_t n = stats.lane[0].spooled + stats.lane[1].spooled;
    uint64_t ms = wedr_time_mono_ms() - begin;
    assert_true(n <= 2 * ms + 300 && n >= 500);
    wedr_engine_close(e);
    t_rmdir(files);
    t_rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_losses_holes_late_and_malformed_records_add_up),
        cmocka_unit_test(late_record_after_a_restart_is_still_late),
        cmocka_unit_test(clock_jump_is_recorded_and_later_records_use_the_new_pair),
        cmocka_unit_test(end_of_a_source_drains_closes_and_says_so),
        cmocka_unit_test(skipped_runs_are_a_stream_in_which_everything_is_lost),
        cmocka_unit_test(spool_of_another_identity_is_dropped_and_counted),
        cmocka_unit_test(rate_limits_the_replay_over_both_lanes),
        cmocka_unit_test(replay_reaches_the_server_whole_and_ends_by_itself),
        cmocka_unit_test(replay_stopped_anywhere_goes_on_in_the_same_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
