/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "store_fixture.h"
#include <stdio.h>
#include <string.h>

#define DAY_US 86400000000LL
#define NOW_US (20500 * DAY_US)
#define BIG 600u  /* lines of a batch that becomes a block */
#define SMALL 10u /* lines of one that stays as it is */

static void put(struct fx *f, uint64_t first, uint32_t count, int64_t received_us)
{
    assert_int_equal(fx_forks(f, first, count, received_us), WEDR_COMMIT_STORED);
}

/* A block and a small batch on one day. */
static void fill(struct fx *f)
{
    fx_init(f);
    put(f, 1, BIG, NOW_US);
    put(f, BIG + 1, SMALL, NOW_US);
}

static void what_is_stored_whole_has_no_problems_and_is_counted(void **state)
{
    (void)state;
    struct fx f;
    fill(&f);
    put(&f, BIG + SMALL + 1, SMALL, NOW_US + DAY_US);
    struct wedr_verify_sums s = fx_verify(&f); /* beside the writer */
    assert_int_equal(s.problems, 0);
    assert_int_equal(s.days, 2);
    assert_int_equal(s.batches, 3);
    assert_int_equal(s.blocks, 1);
    assert_int_equal(s.lines, BIG + 2 * SMALL);
    assert_true(s.bytes_raw > s.bytes_z && s.bytes_z > 0);
    fx_fini(&f);
}

static void every_kind_of_damage_is_found(void **state)
{
    static const struct {
        const char *sql, *what;
    } damages[] = {
        {"UPDATE data SET z=CAST(substr(z, 1, 50) || x'5A5B' || substr(z, 53) AS BLOB)",
         "the digest is not that of the batch as it was received"},
        {"UPDATE tiny SET z=CAST(substr(z, 1, 50) || x'5A5B' || substr(z, 53) AS BLOB)",
         "the digest is not that of the batch as it was received"},
        {"UPDATE batch SET sha256=zeroblob(32) WHERE block < 0",
         "the digest is not that of the batch as it was received"},
        {"UPDATE batch SET sha256=NULL WHERE block < 0",
         "the digest is not that of the batch as it was received"},
        {"UPDATE blk SET raw_len=raw_len + 1",
         "the lines are longer or shorter than the table says"},
        {"UPDATE blk SET n=n + 1; UPDATE batch SET n=n + 1 WHERE block > 0",
         "another number of lines than the table says"},
        {"UPDATE batch SET n=n - 1 WHERE block > 0", "batch and block disagree about their lines"},
        {"UPDATE batch SET n=-1 WHERE block > 0", "batch and block disagree about their lines"},
        {"UPDATE tiny SET rejected=1", "batch and block disagree about their lines"},
        {"UPDATE col SET c=zeroblob(10)", "the column part cannot be read"},
        {"DELETE FROM col", "the column part is missing"},
        {"DELETE FROM data", "the block is missing"},
        {"DELETE FROM tiny", "the block is missing"},
        {"UPDATE stream SET seq_max=1", "the range of the stream does not hold the batch"},
        {"DELETE FROM stream", "the range of the stream does not hold the batch"},
        {"DELETE FROM batch WHERE block > 0", "1 blocks without a batch"},
        {"DELETE FROM batch WHERE block < 0", "1 small blocks without a batch"},
        {"INSERT INTO data VALUES(77, x'00')", "1 data without a block"},
        {"PRAGMA application_id=1", "no file of ours"},
        {"PRAGMA user_version=99", "written by a newer program"},
    };
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(damages); i++) {
        struct fx f;
        fill(&f);
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

static void bytes_that_rot_on_the_disk_are_found(void **state)
{
    (void)state;
    struct fx f;
    char path[600], day[WEDR_DAY_TEXT];
    fill(&f);
    fx_close(&f);
    wedr_day_text(wedr_day_of(NOW_US), day);
    (void)snprintf(path, sizeof(path), "%s/events/%s.db", f.dir, day);
    unsigned found = 0, tried = 0;
    FILE *file = fopen(path, "r+be");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    /* One byte in each page that holds something: its first, which says what the page is. */
    for (long at = 0; at < size; at += 16384) {
        int old, now = 0xA5;
        assert_int_equal(fseek(file, at, SEEK_SET), 0);
        old = fgetc(file);
        if (old == 0 || old == now) {
            continue; /* a page of a chain has no type */
        }
        assert_int_equal(fseek(file, at, SEEK_SET), 0);
        assert_int_equal(fputc(now, file), now);
        assert_int_equal(fflush(file), 0);
        tried++;
        found += fx_verify(&f).problems > 0;
        assert_int_equal(fseek(file, at, SEEK_SET), 0);
        assert_int_equal(fputc(old, file), old);
        assert_int_equal(fflush(file), 0);
    }
    (void)fclose(file);
    assert_true(tried > 10);
    assert_int_equal(found, tried);
    assert_int_equal(fx_verify(&f).problems, 0);
    fx_remove(f.dir);
}

static void a_file_that_was_set_aside_is_told(void **state)
{
    (void)state;
    struct fx f;
    char path[600];
    fill(&f);
    (void)snprintf(path, sizeof(path), "%s/events/2026-01-01.db.damaged-1", f.dir);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    (void)fclose(file);
    struct wedr_verify_sums s = fx_verify(&f);
    assert_int_equal(s.aside, 1);
    assert_int_equal(s.problems, 0);
    fx_fini(&f);
}

static void nothing_told(void *ctx, const char *day, const char *batch, const char *what)
{
    (void)ctx;
    fail_msg("%s %s %s", day, batch, what);
}

static void without_events_there_is_nothing_to_verify(void **state)
{
    (void)state;
    struct wedr_verify_sums s;
    assert_int_equal(wedr_events_verify("/nonexistent", nothing_told, NULL, &s, NULL),
                     WEDR_E_NOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_stored_whole_has_no_problems_and_is_counted),
        cmocka_unit_test(every_kind_of_damage_is_found),
        cmocka_unit_test(bytes_that_rot_on_the_disk_are_found),
        cmocka_unit_test(a_file_that_was_set_aside_is_told),
        cmocka_unit_test(without_events_there_is_nothing_to_verify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
