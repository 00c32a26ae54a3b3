/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "store/events/embedded/keep.h"
#include "store_fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_US 86400000000LL
#define NOW_US (20500 * DAY_US + 3600000000LL)
#define PAGE 16384L
#define BIG 600u
#define SMALL 10u
#define LINES (3 * BIG + 30 * SMALL)

static void put(struct fx *f, uint64_t first, uint32_t count)
{
    assert_int_equal(fx_forks(f, first, count, NOW_US), WEDR_COMMIT_STORED);
}

/* Small batches, most of them merged, and `big` blocks as they came. The number of lines. */
static int64_t fill_with(struct fx *f, unsigned merged, unsigned waiting, unsigned big)
{
    uint64_t seq = 1;
    fx_init(f);
    fx_keep(f);
    for (unsigned i = 0; i < merged; i++, seq += SMALL) {
        put(f, seq, SMALL);
    }
    wedr_keep_round(f->s, NOW_US + 1000000);
    for (unsigned i = 0; i < waiting; i++, seq += SMALL) {
        put(f, seq, SMALL);
    }
    for (unsigned i = 0; i < big; i++, seq += BIG) {
        put(f, seq, BIG);
    }
    return (int64_t)seq - 1;
}

static void fill(struct fx *f)
{
    assert_int_equal(fill_with(f, 20, 10, 3), LINES);
}

static void day_path(const struct fx *f, const char *suffix, char ret[600])
{
    char day[WEDR_DAY_TEXT];
    wedr_day_text(wedr_day_of(NOW_US), day);
    (void)snprintf(ret, 600, "%s/events/%s.db%s", f->dir, day, suffix);
}

static void set_aside(const struct fx *f)
{
    char from[600], to[600];
    day_path(f, "", from);
    day_path(f, ".damaged-1", to);
    assert_int_equal(rename(from, to), 0);
}

/* What is left after a damaged file was set aside and saved. */
struct left {
    int64_t stored, lost, missing, produced, rows;
};

static struct left reopen(struct fx *f, struct wedr_verify_sums *ret)
{
    struct left l;
    fx_open(f);
    fx_keep(f);
    wedr_keep_round(f->s, NOW_US + 2000000);
    *ret = fx_verify(f);
    if (ret->problems) {
        fail_msg("%s", f->wrong);
    }
    l.stored = fx_int(f, "SELECT coalesce(sum(stored), 0) FROM ledger");
    l.lost = fx_int(f, "SELECT coalesce(sum(lost), 0) FROM ledger_loss WHERE reason='corrupt'");
    l.missing = fx_int(f, "SELECT coalesce(sum(missing), 0) FROM ledger");
    l.produced = fx_int(f, "SELECT coalesce(sum(produced), 0) FROM ledger");
    l.rows = fx_int(f, "SELECT count(*) FROM events");
    return l;
}

static void a_frame_that_rotted_costs_its_batch_and_no_more(void **state)
{
    static const struct {
        const char *sql;
        int64_t lost;
    } damages[] = {
        {"UPDATE tiny SET z=CAST(substr(z, 1, 50) || x'5A5B' || substr(z, 53) AS BLOB) WHERE "
         "id=25",
         SMALL},
        {"UPDATE data SET z=CAST(substr(z, 1, 50) || x'5A5B' || substr(z, 53) AS BLOB) WHERE id=3",
         BIG},
        {"UPDATE data SET z=CAST(substr(z, 1, 50) || x'5A5B' || substr(z, 53) AS BLOB) WHERE id=1",
         10 * SMALL},                      /* a merged block */
        {"DELETE FROM col WHERE id=4", 0}, /* made again from the lines */
        {"DELETE FROM blk WHERE id=5", 0},
        {"DELETE FROM filt WHERE id=2", 0}, /* of a merged one, too */
        {"DELETE FROM made WHERE id=2", 10 * SMALL},
        {"UPDATE batch SET sha256=NULL WHERE block=3", BIG},
    };
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(damages); i++) {
        struct fx f;
        struct wedr_verify_sums v;
        struct tb b;
        fill(&f);
        fx_close(&f);
        fx_tamper(&f, NOW_US, damages[i].sql);
        set_aside(&f);
        struct left l = reopen(&f, &v);
        if (l.lost != damages[i].lost || l.stored != LINES - l.lost || l.rows != l.stored ||
            l.missing != 0 || l.produced != LINES || (v.lost == 0) != (l.lost == 0) ||
            v.aside != 1) {
            fail_msg("%s: lost %d, stored %d, rows %d, missing %d", damages[i].sql, (int)l.lost,
                     (int)l.stored, (int)l.rows, (int)l.missing);
        }
        /* What is there answers a retry; new numbers are behind the old ones. */
        tb_init(&b, "kernel.critical");
        b.received_us = NOW_US;
        tb_forks(&b, 11, SMALL);
        assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_DUPLICATE);
        put(&f, LINES + 1, SMALL);
        assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), l.rows + SMALL);
        /* The day goes, the loss stays known. */
        assert_int_equal(wedr_embedded_drop_day(f.s, wedr_day_of(NOW_US), NULL), WEDR_OK);
        assert_int_equal(fx_int(&f, "SELECT sum(lost) FROM ledger"), l.lost);
        assert_int_equal(fx_int(&f, "SELECT sum(missing) FROM ledger"), 0);
        fx_fini(&f);
    }
}

/* Puts noise in the place of a page; its first byte before, -1: there is no such page. */
static int trash(const struct fx *f, long page)
{
    char path[600];
    day_path(f, "", path);
    FILE *file = fopen(path, "r+be");
    assert_non_null(file);
    assert_int_equal(fseek(file, page * PAGE, SEEK_SET), 0);
    int kind = fgetc(file);
    assert_int_equal(fseek(file, page * PAGE, SEEK_SET), 0);
    for (long i = 0; kind != EOF && i < PAGE; i++) {
        assert_int_not_equal(fputc((int)(i * 7 + 0xA5) & 0xFF, file), EOF);
    }
    assert_int_equal(fclose(file), 0);
    return kind;
}

/* Whatever page is trashed: what comes out is right, and nothing is counted twice. */
static void any_page_may_be_trashed(void **state)
{
    (void)state;
    unsigned pages = 0, much = 0;
    for (long page = 0;; page++) {
        struct fx f;
        struct wedr_verify_sums v;
        fill(&f);
        fx_close(&f);
        if (trash(&f, page) == EOF) {
            fx_remove(f.dir);
            break;
        }
        set_aside(&f);
        struct left l = reopen(&f, &v);
        assert_int_equal(l.rows, l.stored);
        assert_true(l.stored + l.lost + l.missing == l.produced && l.stored <= LINES);
        assert_true(l.missing >= 0);
        assert_int_equal(v.lines, l.stored);
        pages++;
        much += l.stored >= LINES / 2;
        put(&f, LINES + 1, SMALL); /* it goes on */
        fx_fini(&f);
    }
    print_message("%u pages, at least half was saved with %u of them trashed\n", pages, much);
    assert_true(pages > 20 && much * 10 >= pages * 9);
}

/* A new file's table for the key that `tiny` had, put in its place as releases before made it. */
#define OLD_KEY                                                                               \
    "CREATE TEMP TABLE k AS SELECT * FROM tiny; DROP TABLE tiny_key; DROP TABLE tiny;"        \
    "CREATE TABLE tiny(id INTEGER PRIMARY KEY, agent TEXT, hostname TEXT, epoch INTEGER, "    \
    "boot_id BLOB, stream TEXT, seq0 INTEGER, seq1 INTEGER, n INTEGER, rejected INTEGER, t0 " \
    "INTEGER, t1 INTEGER, received_at INTEGER, counts BLOB, raw_len INTEGER, bitmap BLOB, z " \
    "BLOB, UNIQUE(agent, epoch, stream, seq0)); INSERT INTO tiny SELECT * FROM temp.k"

static int64_t root_of(const struct fx *f, const char *name)
{
    char path[600], sql[128];
    sqlite3 *db = NULL;
    int64_t root = 0;
    day_path(f, "", path);
    (void)snprintf(sql, sizeof(sql), "SELECT rootpage FROM sqlite_master WHERE name='%s'", name);
    assert_int_equal(wedr_day_open_reader(path, &db), WEDR_OK);
    assert_int_equal(wedr_sqlite_int(db, sql, &root), WEDR_OK);
    sqlite3_close(db);
    return root;
}

/* The first page that takes its place is of a file without that key. */
static void a_file_of_the_release_before_loses_its_first_page(void **state)
{
    (void)state;
    struct fx f;
    struct wedr_verify_sums v;
    fx_init(&f);
    put(&f, 1, SMALL);
    fx_close(&f);
    int64_t tiny = root_of(&f, "tiny"), key = root_of(&f, "tiny_key");
    fx_tamper(&f, NOW_US, OLD_KEY);
    assert_int_equal(root_of(&f, "tiny"), tiny);
    assert_int_equal(root_of(&f, "sqlite_autoindex_tiny_1"), key);
    fx_open(&f);
    fx_keep(&f);
    for (uint64_t i = 1; i < 15; i++) {
        put(&f, i * SMALL + 1, SMALL);
    }
    wedr_keep_round(f.s, NOW_US + 1000000); /* ten of them become a block */
    put(&f, 15 * SMALL + 1, BIG);
    fx_close(&f);
    assert_int_equal(trash(&f, 0), 'S'); /* "SQLite format 3" */
    set_aside(&f);
    struct left l = reopen(&f, &v);
    assert_int_equal(l.stored, 15 * SMALL + BIG);
    assert_int_equal(l.rows, l.stored);
    assert_int_equal(l.lost + l.missing, 0);
    fx_fini(&f);
}

/* A page of batches is lost, and a merged block holds lines of it and of the page after it; every
 * second time some of the batches come again before the rest is saved. */
static void lines_of_a_batch_that_nothing_names_are_told_once(void **state)
{
    (void)state;
    long leaves[64];
    unsigned count = 0;
    struct fx f;
    struct wedr_verify_sums v;
    int64_t lines = fill_with(&f, 150, 5, 0);
    fx_close(&f);
    for (long page = 1; page < 64; page++) { /* of indexes and of tables without rowid */
        if (trash(&f, page) == 0x0a) {
            leaves[count++] = page;
        }
    }
    fx_remove(f.dir);
    assert_true(count > 3);
    for (unsigned n = 0; n < 2 * count; n++) {
        assert_int_equal(fill_with(&f, 150, 5, 0), lines);
        fx_close(&f);
        assert_int_equal(trash(&f, leaves[n / 2]), 0x0a);
        set_aside(&f);
        if (n % 2) {
            fx_open(&f);
            for (uint64_t seq = 1; seq < 1500; seq += 2 * SMALL) {
                put(&f, seq, SMALL);
            }
            fx_close(&f);
        }
        struct left l = reopen(&f, &v);
        assert_int_equal(l.rows, lines);
        assert_int_equal(l.stored, lines);
        assert_int_equal(v.lines, lines);
        fx_fini(&f);
    }
}

static void a_file_found_damaged_at_the_start_is_saved_and_numbers_go_on(void **state)
{
    (void)state;
    struct fx f;
    struct wedr_verify_sums v;
    struct wedr_events_reader *r = NULL;
    struct wedr_event_block b;
    const struct wedr_events_read_ops *ops = wedr_events_embedded.read;
    int64_t newest = 0;
    fill(&f);
    assert_int_equal(ops->open(f.dir, &r, NULL), WEDR_OK);
    assert_int_equal(ops->newest(r, &newest), WEDR_OK);
    ops->close(r);
    fx_close(&f);
    fx_tamper(&f, NOW_US, "DROP TABLE meta");
    struct left l = reopen(&f, &v);
    assert_int_equal(l.stored, LINES);
    assert_int_equal(l.missing, 0);
    assert_int_equal(v.aside, 1);
    put(&f, LINES + 1, SMALL);
    assert_int_equal(ops->open(f.dir, &r, NULL), WEDR_OK);
    assert_int_equal(ops->next(r, newest, &b), WEDR_OK); /* what came is new */
    assert_int_equal(b.lines, SMALL);
    assert_int_equal(ops->next(r, b.arrival, &b), WEDR_E_NOENT);
    ops->close(r);
    /* Once is enough. */
    fx_close(&f);
    l = reopen(&f, &v);
    assert_int_equal(l.rows, LINES + SMALL);
    fx_fini(&f);
}

static void a_retry_that_came_before_the_saving_is_stored_once(void **state)
{
    (void)state;
    struct fx f;
    fill(&f);
    fx_close(&f);
    set_aside(&f);
    fx_open(&f);
    fx_keep(&f);
    put(&f, 11, SMALL); /* its answer was lost; nobody knows it any more */
    wedr_keep_round(f.s, NOW_US + 2000000);
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), LINES);
    assert_int_equal(fx_int(&f, "SELECT sum(missing) FROM ledger"), 0);
    fx_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_that_rotted_costs_its_batch_and_no_more),
        cmocka_unit_test(any_page_may_be_trashed),
        cmocka_unit_test(a_file_of_the_release_before_loses_its_first_page),
        cmocka_unit_test(lines_of_a_batch_that_nothing_names_are_told_once),
        cmocka_unit_test(a_file_found_damaged_at_the_start_is_saved_and_numbers_go_on),
        cmocka_unit_test(a_retry_that_came_before_the_saving_is_stored_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
