/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "store/events/embedded/keep.h"
#include "store_fixture.h"
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_US 86400000000LL
#define NOW_US (20500 * DAY_US + 3600000000LL)
#define SMALL 10u
#define STREAM "kernel.critical"

static void assert_clean(struct fx *f)
{
    if (fx_verify(f).problems) {
        fail_msg("%s", f->wrong);
    }
    assert_int_equal(fx_int(f, "SELECT count(*) FROM ledger WHERE missing<>0"), 0);
}

static void init(struct fx *f)
{
    fx_init(f);
    fx_keep(f);
}

static int64_t day_int(const struct fx *f, int64_t us, const char *sql)
{
    char path[600], day[WEDR_DAY_TEXT];
    sqlite3 *db = NULL;
    int64_t v = -1;
    wedr_day_text(wedr_day_of(us), day);
    (void)snprintf(path, sizeof(path), "%s/events/%s.db", f->dir, day);
    assert_int_equal(wedr_day_open_reader(path, &db), WEDR_OK);
    assert_int_equal(wedr_sqlite_int(db, sql, &v), WEDR_OK);
    sqlite3_close(db);
    return v;
}

static const char everything[] = "SELECT agent_id, epoch, stream, seq, ts, received_at, pid, "
                                 "event_type, raw FROM events ORDER BY stream, seq";

/* Batches of SMALL lines, a second apart. */
static void put_small(struct fx *f, uint64_t first, unsigned batches, int64_t received_us)
{
    for (unsigned i = 0; i < batches; i++) {
        assert_int_equal(fx_forks(f, first + i * SMALL, SMALL, received_us + i * 1000000),
                         WEDR_COMMIT_STORED);
    }
}

static void small_batches_become_blocks_and_nothing_else_changes(void **state)
{
    (void)state;
    struct fx f;
    init(&f);
    put_small(&f, 1, 25, NOW_US);
    char *before = fx_sql(&f, everything);
    wedr_keep_round(f.s, NOW_US + 30 * 1000000LL);
    assert_int_equal(day_int(&f, NOW_US, "SELECT count(*) FROM blk"),
                     2); /* 100, 100; 50 are left */
    assert_int_equal(day_int(&f, NOW_US, "SELECT count(*) FROM batch WHERE block<0"), 5);
    wedr_keep_round(f.s, NOW_US + 400 * 1000000LL); /* old enough, though few */
    assert_int_equal(day_int(&f, NOW_US, "SELECT count(*) FROM batch WHERE block<0"), 0);
    fx_assert_sql(&f, everything, before); /* received_at of each line, too */
    assert_clean(&f);
    assert_int_equal(fx_forks(&f, 1, SMALL, NOW_US + 1000), WEDR_COMMIT_DUPLICATE);
    assert_int_equal(fx_forks(&f, 5, SMALL, NOW_US + 1000), WEDR_COMMIT_CONFLICT);
    wedr_keep_round(f.s, NOW_US + 2000 * 1000000LL); /* what was merged away goes */
    assert_true(day_int(&f, NOW_US, "SELECT count(*) FROM tiny") <= 1);
    fx_assert_sql(&f, everything, before);
    assert_clean(&f);
    free(before);
    fx_fini(&f);
}

static void what_comes_between_rounds_is_merged_with_what_waited(void **state)
{
    (void)state;
    struct fx f;
    init(&f);
    put_small(&f, 501, 5, NOW_US);
    wedr_keep_round(f.s, NOW_US + 10 * 1000000LL);
    assert_int_equal(day_int(&f, NOW_US, "SELECT count(*) FROM blk"), 0);
    put_small(&f, 1, 6, NOW_US + 11 * 1000000LL); /* in front of what waits */
    char *before = fx_sql(&f, everything);
    wedr_keep_round(f.s, NOW_US + 20 * 1000000LL);
    assert_int_equal(day_int(&f, NOW_US, "SELECT count(*) FROM batch WHERE block<0"), 1);
    assert_int_equal(day_int(&f, NOW_US, "SELECT seq0 FROM blk"), 1);
    fx_assert_sql(&f, everything, before);
    free(before);
    put_small(&f, 551, 8, NOW_US + 21 * 1000000LL); /* 90 lines with the one that was left */
    wedr_keep_round(f.s, NOW_US + 30 * 1000000LL);
    assert_int_equal(day_int(&f, NOW_US, "SELECT count(*) FROM batch WHERE block<0"), 9);
    put_small(&f, 631, 1, NOW_US + 31 * 1000000LL);
    before = fx_sql(&f, everything);
    wedr_keep_round(f.s, NOW_US + 40 * 1000000LL);
    assert_int_equal(day_int(&f, NOW_US, "SELECT count(*) FROM batch WHERE block<0"), 0);
    fx_assert_sql(&f, everything, before);
    assert_int_equal(fx_forks(&f, 61, 440, NOW_US), WEDR_COMMIT_STORED);
    assert_clean(&f);
    free(before);
    fx_fini(&f);
}

/* The new file counts its rows from one again. */
static void small_batches_behind_a_lost_file_are_merged(void **state)
{
    (void)state;
    struct fx f;
    char path[600], day[WEDR_DAY_TEXT];
    glob_t g;
    init(&f);
    put_small(&f, 1, 45, NOW_US);
    wedr_keep_round(f.s, NOW_US + 50 * 1000000LL);
    wedr_mutex_lock(f.s->lock);
    wedr_embedded_set_aside(f.s, wedr_day_of(NOW_US));
    wedr_mutex_unlock(f.s->lock);
    wedr_day_text(wedr_day_of(NOW_US), day);
    (void)snprintf(path, sizeof(path), "%s/events/%s*", f.dir, day);
    assert_int_equal(glob(path, 0, NULL, &g), 0);
    for (size_t i = 0; i < g.gl_pathc; i++) {
        assert_int_equal(unlink(g.gl_pathv[i]), 0);
    }
    globfree(&g);
    put_small(&f, 1001, 20, NOW_US);
    wedr_keep_round(f.s, NOW_US + 60 * 1000000LL);
    assert_int_equal(day_int(&f, NOW_US, "SELECT count(*) FROM batch WHERE block<0"), 0);
    fx_fini(&f);
}

/* Batches with holes and bad lines between blocks of their own. */
static void holes_rejected_lines_and_losses_stay_exact(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    init(&f);
    for (unsigned i = 0; i < 12; i++) {
        tb_init(&b, STREAM);
        b.received_us = NOW_US + i;
        for (uint64_t k = 0; k < 5; k++) {
            if (k == i % 5) {
                tb_line(&b, 1 + i * 20 + k * 2, "{\"bad\":%u}", i);
            } else {
                tb_fork(&b, 1 + i * 20 + k * 2, NOW_US + (int64_t)k, 100, 1);
            }
        }
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    }
    tb_init(&b, "agent");
    b.received_us = NOW_US;
    tb_loss(&b, 1, NOW_US, TB_EPOCH, STREAM, "spool_evicted", 120, "3-90");
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    char *before = fx_sql(&f, everything), *ledger = fx_sql(&f, "SELECT * FROM ledger");
    wedr_keep_round(f.s, NOW_US + 400 * 1000000LL);
    assert_int_equal(day_int(&f, NOW_US, "SELECT count(*) FROM batch WHERE block>0"), 12);
    fx_assert_sql(&f, everything, before);
    fx_assert_sql(&f, "SELECT * FROM ledger", ledger);
    assert_int_equal(fx_verify(&f).problems, 0);
    /* Also when the day is gone. */
    int64_t lost = fx_int(&f, "SELECT sum(lost) FROM ledger");
    int64_t stored = fx_int(&f, "SELECT sum(stored) FROM ledger");
    assert_int_equal(wedr_embedded_drop_day(f.s, wedr_day_of(NOW_US), NULL), WEDR_OK);
    assert_int_equal(fx_int(&f, "SELECT sum(lost) FROM ledger"), lost);
    assert_int_equal(fx_int(&f, "SELECT sum(expired) FROM ledger"), stored);
    free(before);
    free(ledger);
    fx_fini(&f);
}

/* Every line once and in order of arrival, whatever is merged meanwhile. */
static void a_reader_that_follows_commits_sees_each_line_once(void **state)
{
    (void)state;
    struct fx f;
    struct wedr_events_reader *r = NULL;
    struct wedr_event_block b;
    struct wedr_event_line line;
    const struct wedr_events_read_ops *ops = wedr_events_embedded.read;
    uint64_t next = 1;
    int64_t at = 0;
    init(&f);
    put_small(&f, 1, 30, NOW_US);
    assert_int_equal(ops->open(f.dir, &r, NULL), WEDR_OK);
    for (unsigned i = 0; i < 30; i++) {
        if (i == 7) {
            wedr_keep_round(f.s, NOW_US + 400 * 1000000LL); /* merged behind the reader's page */
        }
        if (i == 15) {
            wedr_keep_round(f.s, NOW_US + 3000 * 1000000LL); /* and swept */
        }
        assert_int_equal(ops->next(r, at, &b), WEDR_OK);
        assert_true(b.arrival > at);
        at = b.arrival;
        assert_int_equal(b.lines, SMALL);
        assert_int_equal(b.received_us, NOW_US + i * 1000000LL);
        for (uint32_t k = 0; k < b.lines; k++) {
            assert_int_equal(ops->line(r, k, false, &line), WEDR_OK);
            assert_int_equal(line.seq, next++);
        }
        assert_int_equal(ops->line(r, b.lines, false, &line), WEDR_E_NOENT);
    }
    assert_int_equal(ops->next(r, at, &b), WEDR_E_NOENT);
    ops->close(r);
    fx_fini(&f);
}

static void a_damaged_batch_is_not_merged_and_its_neighbours_are(void **state)
{
    (void)state;
    struct fx f;
    init(&f);
    put_small(&f, 1, 9, NOW_US);
    fx_close(&f);
    fx_tamper(&f, NOW_US,
              "UPDATE tiny SET z=CAST(substr(z, 1, 50) || x'5A5B' || substr(z, 53) AS BLOB) WHERE "
              "id=5");
    fx_open(&f);
    fx_keep(&f);
    wedr_keep_round(f.s, NOW_US + 400 * 1000000LL);
    assert_int_equal(day_int(&f, NOW_US, "SELECT count(*) FROM blk"), 2);
    assert_int_equal(day_int(&f, NOW_US, "SELECT count(*) FROM batch WHERE block<0"), 1);
    assert_int_equal(fx_verify(&f).problems, 1); /* still told */
    fx_fini(&f);
}

static void damage_of_a_merged_block_is_found(void **state)
{
    static const struct {
        const char *sql, *what;
    } damages[] = {
        {"UPDATE data SET z=CAST(substr(z, 1, 50) || x'5A5B' || substr(z, 53) AS BLOB)",
         "the digest is not that of the block as it was merged"},
        {"DELETE FROM made", "the digest is not that of the block as it was merged"},
        {"DELETE FROM col", "the column part is missing"},
        {"DELETE FROM batch WHERE seq0=11", "batch and block disagree about their lines"},
        {"UPDATE batch SET block=-1 WHERE seq0=11", "1 batches in a dead block"},
        {"DELETE FROM batch", "1 blocks without a batch"},
    };
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(damages); i++) {
        struct fx f;
        init(&f);
        put_small(&f, 1, 9, NOW_US);
        wedr_keep_round(f.s, NOW_US + 400 * 1000000LL);
        fx_close(&f);
        fx_tamper(&f, NOW_US, damages[i].sql);
        struct wedr_verify_sums s = fx_verify(&f);
        const char *what = strrchr(f.wrong, '|');
        if (s.problems == 0 || !what || strcmp(what + 1, damages[i].what) != 0) {
            fail_msg("%s: %u problems, %s", damages[i].sql, (unsigned)s.problems, f.wrong);
        }
        fx_remove(f.dir);
    }
}

static void a_day_that_is_over_is_sealed_and_gives_back_its_space(void **state)
{
    (void)state;
    struct fx f;
    init(&f);
    f.s->settings.seal_level = 9;
    for (unsigned i = 0; i < 8; i++) { /* merged in small steps during the day */
        put_small(&f, 1 + i * 30, 3, NOW_US + i * 600 * 1000000LL);
        wedr_keep_round(f.s, NOW_US + i * 600 * 1000000LL + 400 * 1000000LL);
    }
    char *before = fx_sql(&f, everything);
    int64_t over = NOW_US - NOW_US % DAY_US + DAY_US + 7300 * 1000000LL;
    for (int64_t t = over; t < over + 3 * DAY_US && f.s->stats.days_sealed == 0; t += 1000000000) {
        wedr_keep_round(f.s, t);
    }
    assert_int_equal(f.s->stats.days_sealed, 1);
    assert_true(day_int(&f, NOW_US, "SELECT count(*) FROM batch JOIN blk ON blk.id=block") == 24);
    assert_true(day_int(&f, NOW_US, "SELECT count(DISTINCT block) FROM batch") <= 3);
    assert_int_equal(day_int(&f, NOW_US,
                             "SELECT count(*) FROM blk WHERE flags&4=0 AND id NOT IN (SELECT id "
                             "FROM dead)"),
                     0);
    fx_assert_sql(&f, everything, before);
    assert_clean(&f);
    free(before);
    fx_fini(&f);
}

/* Files of releases before: indexes more, which are kept up until their day is over. */
static void a_file_with_more_indexes_is_written_and_merged(void **state)
{
    (void)state;
    struct fx f;
    init(&f);
    put_small(&f, 1, 25, NOW_US);
    fx_close(&f);
    fx_tamper(&f, NOW_US,
              "CREATE UNIQUE INDEX tiny_1 ON tiny(agent, epoch, stream, seq0);"
              "CREATE INDEX tiny_merge ON tiny(agent, epoch, stream, seq0, n, received_at)");
    fx_open(&f);
    fx_keep(&f);
    put_small(&f, 251, 25, NOW_US);
    char *before = fx_sql(&f, everything);
    f.s->settings.merge_lines = 4000;
    wedr_keep_round(f.s, NOW_US + 400 * 1000000LL);
    assert_int_equal(day_int(&f, NOW_US, "SELECT count(*) FROM batch WHERE block<0"), 0);
    fx_assert_sql(&f, everything, before);
    assert_clean(&f);
    free(before);
    fx_fini(&f);
}

/* Files of the first release: no neighbours yet, and blocks that say UNIQUE. */
static void a_file_of_the_first_release_is_read_merged_and_sealed(void **state)
{
    (void)state;
    struct fx f;
    init(&f);
    put_small(&f, 1, 25, NOW_US);
    assert_int_equal(fx_forks(&f, 251, 600, NOW_US), WEDR_COMMIT_STORED);
    assert_int_equal(fx_forks(&f, 851, 600, NOW_US), WEDR_COMMIT_STORED);
    char *before = fx_sql(&f, everything);
    fx_close(&f);
    fx_tamper(&f, NOW_US,
              "DROP TABLE dead; DROP TABLE made; DROP TABLE damage;"
              "DROP INDEX batch_arrival; CREATE TABLE k AS SELECT * FROM blk; DROP TABLE blk;"
              "CREATE TABLE blk(id INTEGER PRIMARY KEY, agent TEXT, hostname TEXT, epoch INTEGER, "
              "boot_id BLOB, stream TEXT, seq0 INTEGER, seq1 INTEGER, n INTEGER, rejected INTEGER, "
              "t0 INTEGER, t1 INTEGER, received_at INTEGER, counts BLOB, raw_len INTEGER, z_len "
              "INTEGER, flags INTEGER, UNIQUE(agent, epoch, stream, seq0));"
              "CREATE INDEX blk_time ON blk(agent, t0); INSERT INTO blk SELECT * FROM k; DROP "
              "TABLE k");
    fx_assert_sql(&f, everything, before); /* nobody has opened it for writing yet */
    assert_clean(&f);
    fx_open(&f);
    fx_keep(&f);
    f.s->settings.merge_lines = 4000;
    wedr_keep_round(f.s, NOW_US + 400 * 1000000LL);
    assert_int_equal(day_int(&f, NOW_US, "SELECT count(*) FROM batch WHERE block<0"), 0);
    int64_t over = NOW_US - NOW_US % DAY_US + DAY_US + 7300 * 1000000LL;
    for (int64_t t = over; t < over + 3 * DAY_US && f.s->stats.days_sealed == 0; t += 1000000000) {
        wedr_keep_round(f.s, t);
    }
    assert_int_equal(f.s->stats.days_sealed, 1);
    fx_assert_sql(&f, everything, before);
    assert_clean(&f);
    free(before);
    fx_fini(&f);
}

static void days_go_by_age_and_by_size_and_the_newest_never(void **state)
{
    (void)state;
    struct fx f;
    init(&f);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(fx_forks(&f, 1 + i * SMALL, SMALL, NOW_US + i * DAY_US),
                         WEDR_COMMIT_STORED);
    }
    f.s->settings.retention_days = 3;
    wedr_keep_round(f.s, NOW_US + 5 * DAY_US);
    assert_int_equal(f.s->stats.days, 4);
    assert_int_equal(fx_int(&f, "SELECT sum(expired) FROM ledger"), 2 * SMALL);
    assert_int_equal(fx_forks(&f, 1, SMALL, NOW_US + 5 * DAY_US), WEDR_COMMIT_EXPIRED);
    f.s->settings.retention_bytes = 1;
    wedr_keep_round(f.s, NOW_US + 5 * DAY_US);
    assert_int_equal(f.s->stats.days, 1);
    assert_int_equal(fx_int(&f, "SELECT sum(stored) FROM ledger"), SMALL);
    assert_int_equal(fx_int(&f, "SELECT sum(expired) FROM ledger"), 5 * SMALL);
    assert_clean(&f);
    fx_fini(&f);
}

static void below_the_low_water_mark_nothing_is_taken(void **state)
{
    (void)state;
    struct fx f;
    init(&f);
    f.s->settings.low_water_bytes = UINT64_MAX;
    assert_int_equal(fx_forks(&f, 1, SMALL, NOW_US), WEDR_E_NOSPC);
    assert_int_equal(f.s->stats.refused_low, 1);
    f.s->settings.low_water_bytes = 1;
    assert_int_equal(fx_forks(&f, 1, SMALL, NOW_US), WEDR_COMMIT_STORED);
    fx_fini(&f);
}

static void the_thread_works_by_itself_and_ends(void **state)
{
    (void)state;
    struct fx f;
    struct wedr_events_stats st = {0};
    fx_init(&f);
    put_small(&f, 1, 20, wedr_day_of(NOW_US) * DAY_US);
    struct wedr_events_settings set = {.merge_lines = 100,
                                       .merge_level = 1,
                                       .merge_grace_s = 900,
                                       .seal_after_s = 1,
                                       .keep_interval_ms = 1};
    assert_int_equal(wedr_events_embedded.settings(f.s, &set), WEDR_OK);
    while (st.merged_lines < 200) {
        wedr_events_embedded.stats(f.s, &st);
    }
    assert_int_equal(wedr_events_embedded.settings(f.s, &set), WEDR_OK);
    assert_clean(&f);
    fx_fini(&f);
}

/* Whoever fills the disk cannot have the last days deleted; what goes for it is expired. */
static void the_oldest_days_go_for_free_space_but_not_the_last_ones(void **state)
{
    (void)state;
    struct fx f;
    init(&f);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(fx_forks(&f, 1 + (uint64_t)i * SMALL, SMALL, NOW_US + i * DAY_US),
                         WEDR_COMMIT_STORED);
    }
    f.s->settings.retention_free_bytes = 1; /* there is room */
    f.s->settings.retention_floor_days = 2;
    wedr_keep_round(f.s, NOW_US + 5 * DAY_US);
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), 6 * SMALL);
    f.s->settings.retention_free_bytes = UINT64_MAX - 1; /* there is none */
    wedr_keep_round(f.s, NOW_US + 5 * DAY_US);
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), 3 * SMALL);
    assert_int_equal(fx_int(&f, "SELECT sum(expired) FROM ledger"), 3 * SMALL);
    assert_int_equal(fx_int(&f, "SELECT min(seq) FROM events"), 3 * SMALL + 1);
    assert_clean(&f);
    fx_fini(&f);
}

/* Whoever reads a day has its file open for a while after it was deleted: so long the disk shows no
 * more room than before. The oldest file looks large here and its room never comes back. */
static void a_day_that_somebody_reads_yet_does_not_make_more_days_go(void **state)
{
    (void)state;
    struct fx f;
    char path[600], day[WEDR_DAY_TEXT];
    const int64_t now = NOW_US + 5 * DAY_US, large = INT64_C(64) << 30;
    uint64_t room = 0;
    init(&f);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(fx_forks(&f, 1 + (uint64_t)i * SMALL, SMALL, NOW_US + i * DAY_US),
                         WEDR_COMMIT_STORED);
    }
    wedr_day_text(wedr_day_of(NOW_US), day);
    (void)snprintf(path, sizeof(path), "%s/events/%s.db", f.dir, day);
    FILE *oldest = fopen(path, "r+b");
    assert_non_null(oldest);
    assert_int_equal(fseek(oldest, large, SEEK_SET), 0);
    assert_int_equal(fputc(0, oldest), 0);
    assert_int_equal(fclose(oldest), 0);
    assert_int_equal(wedr_fs_free_bytes(f.s->dir_handle, &room), WEDR_OK);
    f.s->settings.retention_free_bytes = room + (uint64_t)large / 2;
    for (int i = 0; i < 10; i++) {
        wedr_keep_round(f.s, now + i * 5000000);
        assert_int_equal(f.s->stats.days_dropped, 1);
    }
    /* It is not waited for without end. */
    wedr_keep_round(f.s, now + 600000000);
    assert_int_equal(f.s->stats.days_dropped, 5);
    assert_clean(&f);
    fx_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_days_go_for_free_space_but_not_the_last_ones),
        cmocka_unit_test(a_day_that_somebody_reads_yet_does_not_make_more_days_go),
        cmocka_unit_test(small_batches_become_blocks_and_nothing_else_changes),
        cmocka_unit_test(what_comes_between_rounds_is_merged_with_what_waited),
        cmocka_unit_test(small_batches_behind_a_lost_file_are_merged),
        cmocka_unit_test(holes_rejected_lines_and_losses_stay_exact),
        cmocka_unit_test(a_reader_that_follows_commits_sees_each_line_once),
        cmocka_unit_test(a_damaged_batch_is_not_merged_and_its_neighbours_are),
        cmocka_unit_test(damage_of_a_merged_block_is_found),
        cmocka_unit_test(a_day_that_is_over_is_sealed_and_gives_back_its_space),
        cmocka_unit_test(a_file_with_more_indexes_is_written_and_merged),
        cmocka_unit_test(a_file_of_the_first_release_is_read_merged_and_sealed),
        cmocka_unit_test(days_go_by_age_and_by_size_and_the_newest_never),
        cmocka_unit_test(below_the_low_water_mark_nothing_is_taken),
        cmocka_unit_test(the_thread_works_by_itself_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
