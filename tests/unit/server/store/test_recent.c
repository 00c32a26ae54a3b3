/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "store/events/embedded/recent.h"
#include "store_fixture.h"
#include <stdlib.h>
#include <string.h>

#define READ (wedr_events_embedded.read)

/* One accepted line, or with `rejected` none. */
static struct wedr_prepared *make(uint64_t seq, size_t argument_len, bool rejected)
{
    struct wedr_prepared *p = NULL;
    struct tb b;
    char *argument = calloc(argument_len + 1, 1);
    assert_non_null(argument);
    memset(argument, 'a', argument_len);
    tb_init(&b, "kernel.bulk");
    if (rejected) {
        tb_line(&b, seq, "{\"no\":\"event\"}");
    } else {
        tb_create(&b, seq, TB_T0 + (int64_t)seq, 7, 1, "/bin/x", argument);
    }
    assert_int_equal(tb_prepare(&b, &p), WEDR_OK);
    tb_fini(&b);
    free(argument);
    return p;
}

static void put_one(struct wedr_recent *r, const struct wedr_prepared *p, int64_t number)
{
    const struct wedr_commit c[3] = {{p, WEDR_COMMIT_DUPLICATE}, {p, WEDR_COMMIT_STORED}, {p, 0}};
    wedr_recent_put(r, c, 3, number);
}

static void put(struct wedr_recent *r, int64_t number, size_t argument_len)
{
    struct wedr_prepared *p = make((uint64_t)number, argument_len, false);
    put_one(r, p, number);
    wedr_prepared_free(p);
}

static bool has(struct wedr_recent *r, int64_t number)
{
    struct wedr_sql sql = {.keeps_room = false};
    struct wedr_block b = {.sql = NULL};
    int err = wedr_recent_get(r, number, &sql, &b);
    if (err == WEDR_OK) {
        struct wedr_span line;
        char seq[32];
        (void)snprintf(seq, sizeof(seq), "\"seq\":%u}", (unsigned)number);
        assert_int_equal(b.seq0, number);
        assert_int_equal(b.t0, TB_T0 + number);
        assert_string_equal(b.agent, TB_AGENT);
        assert_string_equal(b.stream, "kernel.bulk");
        assert_true(wedr_block_line(&b, 0, &line));
        assert_memory_equal((const char *)line.p + line.len - strlen(seq), seq, strlen(seq));
        assert_true(sql.open_bytes >= line.len);
        wedr_block_fini(&b);
        assert_int_equal(sql.open_bytes, 0);
    } else {
        assert_int_equal(err, WEDR_E_NOENT);
    }
    return err == WEDR_OK;
}

static void what_was_put_is_there_and_nothing_else(void **state)
{
    (void)state;
    struct wedr_recent *r = NULL;
    assert_int_equal(wedr_recent_new(&r), WEDR_OK);
    assert_int_equal(wedr_recent_newest(r), 0);
    assert_false(has(r, 0));
    assert_false(has(r, 1));
    put(r, 5, 10);
    put(r, 6, 300);
    assert_true(has(r, 5) && has(r, 6) && has(r, 5));
    assert_false(has(r, 4) || has(r, 7) || has(r, -5) || has(r, 5 + 32768));
    assert_int_equal(wedr_recent_newest(r), 6);
    wedr_recent_note(r, 9);
    assert_int_equal(wedr_recent_newest(r), 9);
    wedr_recent_note(r, 8);
    assert_int_equal(wedr_recent_newest(r), 9);
    wedr_recent_free(r);
    wedr_recent_free(NULL);
}

/* Room is for so many bytes and so many batches. */
static void the_oldest_make_room(void **state)
{
    (void)state;
    struct wedr_recent *r = NULL;
    const int64_t large =
        8000; /* of 5 KB each: more than the ring has room for, and around its end */
    assert_int_equal(wedr_recent_new(&r), WEDR_OK);
    for (int64_t i = 1; i <= large; i++) {
        put(r, i, 1300);
        assert_true(has(r, i));
    }
    int64_t first = large;
    while (has(r, first - 1)) {
        first--;
    }
    assert_true(large - first >= 5000 && large - first < 7000);
    for (int64_t i = 1; i < first; i++) {
        assert_false(has(r, i));
    }
    struct wedr_prepared *p = make(1, 1, false);
    for (int64_t i = large + 1; i <= large + 32768; i++) {
        put_one(r, p, i); /* the same one: numbers alone matter */
    }
    wedr_prepared_free(p);
    assert_false(has(r, large));
    wedr_recent_free(r);
}

static void at_rest_nothing_is_kept_but_who_is_the_newest(void **state)
{
    (void)state;
    struct wedr_recent *r = NULL;
    assert_int_equal(wedr_recent_new(&r), WEDR_OK);
    wedr_recent_rest(r);
    put(r, 1, 10);
    wedr_recent_rest(r);
    assert_false(has(r, 1));
    assert_int_equal(wedr_recent_newest(r), 1);
    put(r, 2, 10);
    assert_true(has(r, 2));
    assert_false(has(r, 1)); /* its place is another one's now */
    wedr_recent_free(r);
}

static void large_batches_and_rejected_lines_are_left_to_the_file(void **state)
{
    (void)state;
    struct wedr_recent *r = NULL;
    struct wedr_prepared *rejected = make(1, 0, true), *large = make(2, 9000, false);
    assert_int_equal(wedr_recent_new(&r), WEDR_OK);
    put_one(r, rejected, 1);
    put_one(r, large, 2);
    assert_false(has(r, 1) || has(r, 2));
    assert_int_equal(wedr_recent_newest(r), 2);
    wedr_prepared_free(rejected);
    wedr_prepared_free(large);
    wedr_recent_free(r);
}

/* --- Through a reader. */

static void put_some(struct fx *f, uint64_t *seq, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct tb b;
        tb_init(&b, i % 5 ? "kernel.critical" : "kernel.bulk");
        b.agent = i % 2 ? TB_AGENT : TB_AGENT2;
        b.hostname = i % 2 ? "one" : "two";
        b.received_us = TB_T0 + (int64_t)*seq * 1000;
        if (i % 7 == 3) {
            tb_forks(&b, *seq, 600);
            *seq += 599;
        } else if (i % 7 == 5) {
            tb_line(&b, *seq, "{\"no\":\"event\"}");
            *seq += 1;
            tb_fork(&b, *seq, TB_T0 + 5, 6, 1);
        } else {
            tb_create(&b, *seq, TB_T0 + (int64_t)*seq, 7, 1, "/bin/x", "y");
            *seq += 1;
            tb_fork(&b, *seq, TB_T0 + (int64_t)*seq, 6, 1);
        }
        *seq += 1;
        assert_int_equal(fx_put(f, &b), WEDR_COMMIT_STORED);
    }
}

static void same_line(struct wedr_events_reader *a, struct wedr_events_reader *b, uint32_t row)
{
    struct wedr_event_line x, y;
    for (int type_only = 0; type_only < 2; type_only++) {
        int err = READ->line(a, row, type_only, &x);
        assert_int_equal(READ->line(b, row, type_only, &y), err);
        if (err == WEDR_OK) {
            assert_int_equal(x.type, y.type);
            assert_true(type_only || x.ts_us == y.ts_us);
            assert_true(type_only || x.seq == y.seq);
            assert_int_equal(x.text.len, y.text.len);
            assert_true(type_only || memcmp(x.text.p, y.text.p, x.text.len) == 0);
        }
    }
}

/* Both from `at` on say the same of everything; the number of batches. */
static unsigned
same_to_the_end(struct wedr_events_reader *a, struct wedr_events_reader *b, int64_t *at)
{
    struct wedr_event_block x, y;
    int64_t newest_a = 0, newest_b = 0;
    unsigned n = 0;
    int err;
    assert_int_equal(READ->newest(a, &newest_a), WEDR_OK);
    assert_int_equal(READ->newest(b, &newest_b), WEDR_OK);
    assert_true(newest_a == newest_b);
    while ((err = READ->next(a, *at, &x)) == WEDR_OK) {
        assert_int_equal(READ->next(b, *at, &y), WEDR_OK);
        assert_string_equal(x.agent_id, y.agent_id);
        assert_string_equal(x.hostname, y.hostname);
        assert_string_equal(x.stream, y.stream);
        assert_true(x.epoch == y.epoch && x.arrival == y.arrival && x.t0 == y.t0 && x.t1 == y.t1);
        assert_true(x.received_us == y.received_us && x.lines == y.lines);
        assert_memory_equal(x.counts, y.counts, 256 * sizeof(*x.counts));
        for (uint32_t i = 0; i <= x.lines; i++) {
            same_line(a, b, i);
        }
        *at = x.arrival;
        n++;
    }
    assert_int_equal(err, WEDR_E_NOENT);
    assert_int_equal(READ->next(b, *at, &y), WEDR_E_NOENT);
    return n;
}

static struct wedr_events_reader *open_reader(const struct fx *f)
{
    struct wedr_events_reader *r = NULL;
    assert_int_equal(READ->open(f->dir, &r, NULL), WEDR_OK);
    return r;
}

/* Batches from before the start, then more than a page; both kinds of gaps in what is kept. */
static void beside_the_writer_a_reader_says_the_same(void **state)
{
    (void)state;
    struct fx f;
    uint64_t seq = 1;
    int64_t at = 0;
    fx_init(&f);
    put_some(&f, &seq, 20);
    fx_close(&f);
    fx_open(&f);
    struct wedr_events_reader *file = open_reader(&f), *beside = open_reader(&f);
    READ->beside(beside, f.s);
    assert_int_equal(same_to_the_end(file, beside, &at), 20);
    put_some(&f, &seq, 300);
    assert_int_equal(same_to_the_end(file, beside, &at), 300);
    at = 0;
    assert_int_equal(same_to_the_end(file, beside, &at), 320);
    wedr_recent_rest(f.s->recent);
    at = 0;
    assert_int_equal(same_to_the_end(file, beside, &at), 320);
    put_some(&f, &seq, 2);
    at = 0;
    assert_int_equal(same_to_the_end(file, beside, &at), 322);
    READ->close(file);
    READ->close(beside);
    fx_fini(&f);
}

/* What comes from memory costs no look at the file: its rows are gone. */
static void small_batches_come_from_memory(void **state)
{
    (void)state;
    struct fx f;
    struct wedr_event_block b;
    struct wedr_event_line l;
    fx_init(&f);
    struct wedr_events_reader *r = open_reader(&f);
    READ->beside(r, f.s);
    assert_int_equal(fx_forks(&f, 1, 3, TB_T0), WEDR_COMMIT_STORED);
    fx_tamper(&f, TB_T0, "DELETE FROM tiny; DELETE FROM batch");
    assert_int_equal(READ->next(r, 0, &b), WEDR_OK);
    assert_int_equal(b.lines, 3);
    assert_int_equal(READ->line(r, 2, false, &l), WEDR_OK);
    assert_int_equal(l.seq, 3);
    assert_int_equal(READ->next(r, b.arrival, &b), WEDR_E_NOENT);
    READ->close(r);
    fx_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_there_and_nothing_else),
        cmocka_unit_test(the_oldest_make_room),
        cmocka_unit_test(at_rest_nothing_is_kept_but_who_is_the_newest),
        cmocka_unit_test(large_batches_and_rejected_lines_are_left_to_the_file),
        cmocka_unit_test(beside_the_writer_a_reader_says_the_same),
        cmocka_unit_test(small_batches_come_from_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
