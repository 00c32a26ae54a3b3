/* SPDX-License-Identifier: Apache-2.0 */
#include "spool/internal.h"
#include "support.h"

#include "core/base/endian.h"
#include "core/util/alloc.h"
#include "wedr/plat/time.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define EPOCH 0x1122334455667788ull

static struct t_source src;
static bool dead;

static struct wedr_engine *open_with_source(const struct wedr_engine_cfg *cfg)
{
    struct wedr_engine *e = t_open(cfg);
    t_source_rewind(&src);
    assert_int_equal(engine_source_take(e, &src.base, false), WEDR_OK);
    return e;
}

static void kill_engine(struct wedr_engine *e)
{
    wedr_spool_close(e->spool);
    e->spool = NULL;
    wedr_engine_close(e);
    dead = false;
}

static void push_range(unsigned lane, uint64_t first, uint64_t last)
{
    for (uint64_t s = first; s <= last; s++) {
        t_push(&src, lane, s);
    }
}

/* From the step on nothing happens any more, as after a kill. */
static int stop_at(void *arg, const char *step)
{
    dead = dead || strcmp(arg, step) == 0;
    return dead ? WEDR_E_CLOSED : WEDR_OK;
}

static void round_may_fail(struct wedr_engine *e)
{
    bool busy;
    uint32_t wait;
    int err = wedr_engine_round(e, &busy, &wait);
    assert_true(err == WEDR_OK || err == WEDR_E_CLOSED);
}

static void ship_all(struct t_server *srv, struct wedr_engine *e)
{
    t_rounds(e, 50);
    assert_int_equal(wedr_engine_seal(e), WEDR_OK);
    (void)t_ship(srv, e, SIZE_MAX);
}

static void a03_stopped_between_any_two_steps_of_a_seal_no_seq_is_lost_or_doubled(void **state)
{
    (void)state;
    static const char *const steps[] = {
        "append", "append.written", "seal", "seal.temp_written", "seal.renamed", "seal.replaced"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(steps); i++) {
        for (int again = 0; again < 2; again++) {
            const char *dir = t_dir(0);
            struct wedr_engine_cfg cfg = t_cfg(dir);
            struct t_server srv;
            t_server_init(&srv);
            t_source_init(&src, EPOCH);
            push_range(0, 1, 500);
            struct wedr_engine *e = open_with_source(&cfg);
            t_rounds(e, 1);
            e->spool->cfg.hook = stop_at;
            e->spool->cfg.hook_arg = (void *)(uintptr_t)steps[i];
            push_range(0, 501, 700);
            round_may_fail(e);
            (void)!wedr_spool_seal(e->spool, e->lane[0].st);
            kill_engine(e);
            if (again == 1) {
                /* dies once more in the middle of the recovery's first seal */
                e = open_with_source(&cfg);
                e->spool->cfg.hook = stop_at;
                e->spool->cfg.hook_arg = (void *)(uintptr_t)steps[i];
                round_may_fail(e);
                (void)!wedr_spool_seal(e->spool, e->lane[0].st);
                kill_engine(e);
            }
            e = open_with_source(&cfg);
            push_range(0, 701, 800);
            ship_all(&srv, e);
            struct t_stream *st = t_stream(&srv, EPOCH, "kernel.critical");
            assert_int_equal(st->stored, 800);
            assert_int_equal(st->twice, 0);
            assert_int_equal(t_count_files(dir, ".tmp"), 0);
            wedr_engine_close(e);
            t_server_fini(&srv);
            t_source_fini(&src);
            t_rmdir(dir);
        }
    }
}

/* An active file with two frames and its bytes. */
static void make_active(const char *dir, char path[512], uint8_t **ret, size_t *ret_len)
{
    struct wedr_engine_cfg cfg = t_cfg(dir);
    t_source_init(&src, EPOCH);
    push_range(0, 1, 4);
    struct wedr_engine *e = open_with_source(&cfg);
    t_rounds(e, 1);
    push_range(0, 5, 9);
    t_rounds(e, 1);
    kill_engine(e);
    t_find_file(dir, "kernel.critical.active", path);
    t_read_file(path, ret, ret_len);
}

static void drop_agent_files(const char *dir)
{
    char path[512];
    while (t_count_files(dir, ".agent.active") > 0) {
        t_find_file(dir, ".agent.active", path);
        (void)unlink(path);
    }
}

static void a07_torn_active_tail_is_cut_and_rest_kept(void **state)
{
    (void)state;
    char path[512];
    uint8_t *bytes;
    size_t len;
    const char *dir = t_dir(0);
    make_active(dir, path, &bytes, &len);
    size_t first_end = sizeof(struct wedr_spool_header) + sizeof(struct wedr_spool_frame) +
                       wedr_le32(bytes + sizeof(struct wedr_spool_header) + 4);
    /* the ring was released: what the file loses is gone, but never more than the torn frame */
    for (size_t cut = sizeof(struct wedr_spool_header); cut < len; cut++) {
        struct t_server srv;
        t_server_init(&srv);
        t_write_file(path, bytes, cut);
        drop_agent_files(dir);
        struct wedr_engine_cfg cfg = t_cfg(dir);
        struct wedr_engine *e = open_with_source(&cfg);
        uint64_t kept = e->lane[0].st->produced;
        assert_int_equal(kept, cut < first_end ? 0 : 4);
        assert_int_equal(wedr_engine_seal(e), WEDR_OK);
        (void)t_ship(&srv, e, SIZE_MAX);
        assert_int_equal(t_stream(&srv, EPOCH, "kernel.critical")->stored, kept);
        wedr_engine_close(e);
        t_server_fini(&srv);
    }
    wedr_free(bytes);
    t_source_fini(&src);
    t_rmdir(dir);
}

static void bit_flip_in_the_active_file_costs_its_frame_at_most_and_is_counted(void **state)
{
    (void)state;
    char path[512];
    uint8_t *bytes;
    size_t len;
    const char *dir = t_dir(0);
    make_active(dir, path, &bytes, &len);
    for (size_t at = sizeof(struct wedr_spool_header); at < len; at += 7) {
        struct t_server srv;
        t_server_init(&srv);
        bytes[at] ^= 0x10;
        t_write_file(path, bytes, len);
        bytes[at] ^= 0x10;
        drop_agent_files(dir);
        char losses[512];
        (void)snprintf(losses, sizeof(losses), "%s/losses.state", dir);
        (void)unlink(losses);
        struct wedr_engine_cfg cfg = t_cfg(dir);
        struct wedr_engine *e = open_with_source(&cfg);
        ship_all(&srv, e);
        ship_all(&srv, e);
        struct t_stream *st = t_stream(&srv, EPOCH, "kernel.critical");
        assert_true(st->stored == 4 || st->stored == 5);
        if (st->stored == 5) {
            assert_int_equal(st->lost[WEDR_LOSS_REASON_CORRUPT], 4);
            assert_string_equal(srv.last_ranges, "1-4");
            assert_int_equal(t_missing(st), 0);
        }
        wedr_engine_close(e);
        t_server_fini(&srv);
    }
    wedr_free(bytes);
    t_source_fini(&src);
    t_rmdir(dir);
}

static void damaged_header_is_set_aside_and_the_start_goes_on(void **state)
{
    (void)state;
    char path[512];
    uint8_t *bytes;
    size_t len;
    const char *dir = t_dir(0);
    make_active(dir, path, &bytes, &len);
    for (size_t at = 0; at < sizeof(struct wedr_spool_header); at += 5) {
        bytes[at] ^= 1;
        t_write_file(path, bytes, len);
        bytes[at] ^= 1;
        struct wedr_engine_cfg cfg = t_cfg(dir);
        struct wedr_engine *e = t_open(&cfg);
        struct wedr_engine_stats stats;
        wedr_engine_stats(e, &stats);
        assert_int_equal(stats.batches_set_aside, 1);
        wedr_engine_close(e);
    }
    wedr_free(bytes);
    t_source_fini(&src);
    t_rmdir(dir);
}

static void flipped_bit_in_a_sealed_batch_is_lost_corrupt_with_its_range(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    char path[512];
    uint8_t *bytes;
    size_t len;
    struct t_server srv;
    struct wedr_engine_cfg cfg = t_cfg(dir);
    t_server_init(&srv);
    t_source_init(&src, EPOCH);
    push_range(0, 1, 30);
    struct wedr_engine *e = open_with_source(&cfg);
    t_rounds(e, 2);
    assert_int_equal(wedr_engine_seal(e), WEDR_OK);
    t_find_file(dir, "kernel.critical.zst", path);
    t_read_file(path, &bytes, &len);
    bytes[len / 2] ^= 4;
    t_write_file(path, bytes, len);
    push_range(0, 31, 40);
    ship_all(&srv, e);
    ship_all(&srv, e);
    struct t_stream *st = t_stream(&srv, EPOCH, "kernel.critical");
    assert_int_equal(st->stored, 10);
    assert_int_equal(st->lost[WEDR_LOSS_REASON_CORRUPT], 30);
    assert_string_equal(srv.last_ranges, "1-30");
    assert_int_equal(t_missing(st), 0);
    char aside[512];
    t_find_file(dir, ".zst", aside);
    assert_non_null(strstr(aside, "/" WEDR_SPOOL_ASIDE_PREFIX));
    wedr_free(bytes);
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_source_fini(&src);
    t_rmdir(dir);
}

static void a04_refused_batch_is_set_aside_and_does_not_block_the_queue(void **state)
{
    (void)state;
    static const struct {
        enum wedr_batch_outcome outcome;
        unsigned reason;
    } cases[] = {{WEDR_BATCH_POISON, WEDR_LOSS_REASON_POISON},
                 {WEDR_BATCH_CONFLICT, WEDR_LOSS_REASON_CONFLICT}};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(cases); i++) {
        const char *dir = t_dir(0);
        struct t_server srv;
        struct wedr_engine_cfg cfg = t_cfg(dir);
        struct wedr_batch_id id;
        wedr_handle h;
        t_server_init(&srv);
        t_source_init(&src, EPOCH);
        push_range(1, 1, 7);
        struct wedr_engine *e = open_with_source(&cfg);
        ship_all(&srv, e);
        push_range(1, 8, 12);
        t_rounds(e, 2);
        assert_int_equal(wedr_engine_seal(e), WEDR_OK);
        do {
            assert_int_equal(wedr_engine_next_batch(e, &id, &h), WEDR_OK);
            wedr_fs_close(h);
        } while (strcmp(id.stream, "kernel.bulk") != 0);
        assert_int_equal(wedr_engine_outcome(e, &id, cases[i].outcome), WEDR_OK);
        /* net says it twice */
        assert_int_equal(wedr_engine_outcome(e, &id, WEDR_BATCH_ACKED), WEDR_E_NOENT);
        push_range(1, 13, 20);
        ship_all(&srv, e);
        ship_all(&srv, e);
        struct t_stream *st = t_stream(&srv, EPOCH, "kernel.bulk");
        assert_int_equal(st->stored, 15);
        assert_int_equal(st->lost[cases[i].reason], 5);
        assert_string_equal(srv.last_ranges, "8-12");
        assert_int_equal(t_missing(st), 0);
        wedr_engine_close(e);
        t_server_fini(&srv);
        t_source_fini(&src);
        t_rmdir(dir);
    }
}

static void over_the_cap_the_oldest_bulk_goes_first_and_is_counted(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct t_server srv;
    struct wedr_engine_cfg cfg = t_cfg(dir);
    struct wedr_batch_id id;
    wedr_handle h;
    t_server_init(&srv);
    t_source_init(&src, EPOCH);
    struct wedr_engine *e = open_with_source(&cfg);
    for (uint64_t n = 0; n < 8; n++) {
        push_range(0, n * 50 + 1, n * 50 + 50);
        push_range(1, n * 50 + 1, n * 50 + 50);
        t_rounds(e, 4);
        assert_int_equal(wedr_engine_seal(e), WEDR_OK);
    }
    struct wedr_engine_stats stats;
    wedr_engine_stats(e, &stats);
    e->spool->cfg.bytes_max = stats.spool_bytes / 3 * 2;
    bool busy;
    uint32_t wait;
    assert_int_equal(wedr_engine_round(e, &busy, &wait), WEDR_OK);
    wedr_engine_stats(e, &stats);
    assert_true(stats.evicted >= 50 && stats.evicted % 50 == 0);
    assert_true(stats.spool_bytes <= e->spool->cfg.bytes_max + 4096);
    assert_int_equal(wedr_engine_seal(e), WEDR_OK);
    assert_int_equal(wedr_engine_next_batch(e, &id, &h), WEDR_OK);
    assert_string_equal(id.stream, "agent"); /* what was lost is told before more is sent */
    wedr_fs_close(h);
    assert_int_equal(wedr_engine_outcome(e, &id, WEDR_BATCH_RETRY), WEDR_OK);
    ship_all(&srv, e);
    wedr_time_sleep_ms(WEDR_LOSSES_REPEAT_MS + 50); /* a loss that grows is told once a second */
    ship_all(&srv, e);
    wedr_engine_stats(e, &stats);
    struct t_stream *bulk = t_stream(&srv, EPOCH, "kernel.bulk");
    struct t_stream *critical = t_stream(&srv, EPOCH, "kernel.critical");
    assert_int_equal(critical->stored, 400);
    assert_int_equal(bulk->stored, 400 - stats.evicted);
    assert_int_equal(bulk->lost[WEDR_LOSS_REASON_EVICTED], stats.evicted);
    assert_int_equal(t_missing(bulk), 0);
    assert_int_equal(bulk->seen[1], 0);
    assert_int_equal(bulk->seen[400], 1);
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_source_fini(&src);
    t_rmdir(dir);
}

static void a05_order_and_age_survive_a_restart(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct t_server srv;
    struct wedr_engine_cfg cfg = t_cfg(dir);
    t_server_init(&srv);
    t_source_init(&src, EPOCH);
    struct wedr_engine *e = open_with_source(&cfg);
    for (uint64_t n = 0; n < 12; n++) {
        push_range(0, n * 10 + 1, n * 10 + 10);
        t_rounds(e, 4);
        assert_int_equal(wedr_engine_seal(e), WEDR_OK);
    }
    kill_engine(e);
    e = open_with_source(&cfg);
    push_range(0, 121, 130);
    ship_all(&srv, e); /* the server refuses a first seq below the last one it saw */
    assert_int_equal(t_stream(&srv, EPOCH, "kernel.critical")->stored, 130);
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_source_fini(&src);
    t_rmdir(dir);
}

static void a06_steady_traffic_does_not_put_off_the_seal_by_age(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    struct wedr_engine_stats stats;
    uint64_t seq = 0;
    cfg.segment_age_ms = 50;
    t_source_init(&src, EPOCH);
    struct wedr_engine *e = open_with_source(&cfg);
    uint64_t begin = wedr_time_mono_ms();
    do {
        bool busy;
        uint32_t wait;
        t_push(&src, 0, ++seq);
        assert_int_equal(wedr_engine_round(e, &busy, &wait), WEDR_OK);
        wedr_time_sleep_ms(1);
        wedr_engine_stats(e, &stats);
    } while (stats.batches_sealed == 0 && wedr_time_mono_ms() - begin < 5000);
    assert_true(stats.batches_sealed > 0);
    wedr_engine_close(e);
    t_source_fini(&src);
    t_rmdir(dir);
}

static void full_disk_loses_nothing_and_goes_on_when_there_is_room(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct t_server srv;
    struct wedr_engine_cfg cfg = t_cfg(dir);
    struct rlimit old, small;
    bool busy;
    uint32_t wait;
    t_server_init(&srv);
    t_source_init(&src, EPOCH);
    push_range(0, 1, 100);
    struct wedr_engine *e = open_with_source(&cfg);
    t_rounds(e, 3);
    uint64_t released = src.released[0];
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    for (rlim_t room = 0; room < 3000; room += 211) {
        /* the write stops in the middle of the frame */
        small = old;
        small.rlim_cur = (rlim_t)e->lane[0].st->size + room;
        push_range(0, 101 + room, 311 + room);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        int err = wedr_engine_round(e, &busy, &wait);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_true(err != WEDR_OK);
        assert_false(busy);
        assert_int_equal(src.released[0], released);
        t_rounds(e, 3);
        assert_true(src.released[0] > released);
        released = src.released[0];
    }
    ship_all(&srv, e);
    struct t_stream *st = t_stream(&srv, EPOCH, "kernel.critical");
    assert_int_equal(st->stored, src.counters[0].produced);
    assert_int_equal(st->twice, 0);
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_source_fini(&src);
    t_rmdir(dir);
}

static int no_room_for_headers(void *arg, const char *step)
{
    return *(const bool *)arg && strcmp(step, "header") == 0 ? WEDR_E_NOSPC : WEDR_OK;
}

static void no_loss(void *arg, const struct wedr_batch_id *id, uint32_t reason)
{
    (void)id;
    (void)reason;
    *(bool *)arg = true;
}

static int nothing_to_flush(void *arg)
{
    (void)arg;
    return WEDR_OK;
}

static void start_on_a_full_disk_after_a_kill_in_a_seal_ships_what_makes_room(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    t_source_init(&src, EPOCH);
    push_range(0, 1, 30);
    push_range(1, 1, 30);
    struct wedr_engine *e = open_with_source(&cfg);
    t_rounds(e, 3);
    assert_int_equal(wedr_spool_seal(e->spool, e->lane[1].st), WEDR_OK);
    e->spool->cfg.hook = stop_at;
    e->spool->cfg.hook_arg = (void *)(uintptr_t) "seal.renamed";
    assert_int_equal(wedr_spool_seal(e->spool, e->lane[0].st), WEDR_E_CLOSED);
    kill_engine(e);

    bool full = true, lost = false;
    struct wedr_spool *s = NULL;
    struct wedr_batch_id id;
    wedr_handle h;
    struct wedr_spool_cfg sc = {.dir = dir,
                                .raw_max = cfg.segment_raw_max,
                                .bytes_max = cfg.spool_bytes_max,
                                .zstd_level = cfg.zstd_level,
                                .losses = {no_loss, nothing_to_flush, &lost},
                                .hook = no_room_for_headers,
                                .hook_arg = &full};
    assert_int_equal(wedr_spool_open(&sc, &s, NULL), WEDR_OK);
    assert_int_equal(wedr_spool_next(s, &id, &h), WEDR_OK);
    assert_string_equal(id.stream, "kernel.bulk");
    wedr_fs_close(h);
    assert_int_equal(wedr_spool_acked(s, &id), WEDR_OK);
    assert_int_equal(wedr_spool_next(s, &id, &h), WEDR_E_AGAIN);
    full = false;
    assert_int_equal(wedr_spool_seal(s, wedr_spool_find(s, EPOCH, "kernel.critical")), WEDR_OK);
    assert_int_equal(wedr_spool_next(s, &id, &h), WEDR_OK);
    assert_int_equal(id.count, 30);
    wedr_fs_close(h);
    assert_false(lost);
    wedr_spool_close(s);
    t_source_fini(&src);
    t_rmdir(dir);
}

static void stale_ring_position_after_a_kill_is_skipped_not_doubled(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct t_server srv;
    struct wedr_engine_cfg cfg = t_cfg(dir);
    t_server_init(&srv);
    t_source_init(&src, EPOCH);
    push_range(0, 1, 300);
    struct wedr_engine *e = open_with_source(&cfg);
    e->spool->cfg.hook = stop_at;
    e->spool->cfg.hook_arg = (void *)(uintptr_t) "append.written";
    round_may_fail(e); /* written, not released */
    assert_int_equal(src.released[0], 0);
    kill_engine(e);
    e = open_with_source(&cfg);
    push_range(0, 301, 320);
    ship_all(&srv, e);
    struct t_stream *st = t_stream(&srv, EPOCH, "kernel.critical");
    assert_int_equal(st->stored, 320);
    assert_int_equal(st->twice, 0);
    assert_true(src.released[0] > 0);
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_source_fini(&src);
    t_rmdir(dir);
}

static void loss_is_noted_before_the_batch_goes(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct t_server srv;
    struct wedr_engine_cfg cfg = t_cfg(dir);
    t_server_init(&srv);
    t_source_init(&src, EPOCH);
    push_range(1, 1, 50);
    struct wedr_engine *e = open_with_source(&cfg);
    t_rounds(e, 3);
    assert_int_equal(wedr_engine_seal(e), WEDR_OK);
    e->spool->cfg.bytes_max = 1;
    e->spool->cfg.hook = stop_at;
    e->spool->cfg.hook_arg = (void *)(uintptr_t) "give_up.noted";
    assert_int_equal(wedr_spool_keep_cap(e->spool), WEDR_E_CLOSED);
    kill_engine(e);
    cfg.spool_bytes_max = 1;
    e = open_with_source(&cfg);
    t_rounds(e, 3);
    assert_int_equal(wedr_losses_count(e->losses, EPOCH, "kernel.bulk", WEDR_LOSS_REASON_EVICTED),
                     50);
    wedr_engine_close(e);
    t_server_fini(&srv);
    t_source_fini(&src);
    t_rmdir(dir);
}

static void marks_and_set_aside_batches_are_bounded(void **state)
{
    (void)state;
    const char *dir = t_dir(0);
    struct wedr_engine_cfg cfg = t_cfg(dir);
    for (uint64_t epoch = 1; epoch <= 80; epoch++) {
        struct wedr_batch_id id;
        wedr_handle h;
        t_source_init(&src, epoch);
        push_range(0, 1, 3);
        struct wedr_engine *e = open_with_source(&cfg);
        t_rounds(e, 3);
        assert_int_equal(wedr_engine_source_end(e, "stopped"), WEDR_OK);
        while (wedr_engine_next_batch(e, &id, &h) == WEDR_OK) {
            wedr_fs_close(h);
            assert_int_equal(wedr_engine_outcome(e, &id, WEDR_BATCH_POISON), WEDR_OK);
        }
        wedr_engine_close(e);
        t_source_fini(&src);
    }
    assert_true(t_count_files(dir, ".active") <= WEDR_SPOOL_MARKS_MAX + 4);
    assert_true(t_count_files(dir, ".zst") <= WEDR_SPOOL_ASIDE_FILES_MAX + 2);
    t_rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a03_stopped_between_any_two_steps_of_a_seal_no_seq_is_lost_or_doubled),
        cmocka_unit_test(a07_torn_active_tail_is_cut_and_rest_kept),
        cmocka_unit_test(bit_flip_in_the_active_file_costs_its_frame_at_most_and_is_counted),
        cmocka_unit_test(damaged_header_is_set_aside_and_the_start_goes_on),
        cmocka_unit_test(flipped_bit_in_a_sealed_batch_is_lost_corrupt_with_its_range),
        cmocka_unit_test(a04_refused_batch_is_set_aside_and_does_not_block_the_queue),
        cmocka_unit_test(over_the_cap_the_oldest_bulk_goes_first_and_is_counted),
        cmocka_unit_test(a05_order_and_age_survive_a_restart),
        cmocka_unit_test(a06_steady_traffic_does_not_put_off_the_seal_by_age),
        cmocka_unit_test(full_disk_loses_nothing_and_goes_on_when_there_is_room),
        cmocka_unit_test(start_on_a_full_disk_after_a_kill_in_a_seal_ships_what_makes_room),
        cmocka_unit_test(stale_ring_position_after_a_kill_is_skipped_not_doubled),
        cmocka_unit_test(loss_is_noted_before_the_batch_goes),
        cmocka_unit_test(marks_and_set_aside_batches_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
