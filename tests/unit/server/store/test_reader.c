/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L /* limits and files of the test itself */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "core/util/log.h"
#include "store/events/embedded/patience.h"
#include "store_fixture.h"
#include "wedr/plat/time.h"
#include "wedr/wire/schema.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ (wedr_events_embedded.read)
#define DAY_US 86400000000LL

static struct wedr_events_reader *open_reader(const struct fx *f)
{
    struct wedr_events_reader *r = NULL;
    struct wedr_errinfo ei = {""};
    if (READ->open(f->dir, &r, &ei) != WEDR_OK) {
        fail_msg("%s", ei.text);
    }
    return r;
}

static void put_forks(struct fx *f, uint64_t first, uint32_t count, int64_t received_us)
{
    struct tb b;
    tb_init(&b, "kernel.critical");
    b.received_us = received_us;
    tb_forks(&b, first, count);
    assert_int_equal(fx_put(f, &b), WEDR_COMMIT_STORED);
}

/* Follows from a cursor on; the first seq of each block, as text. */
static char *follow(struct wedr_events_reader *r, int64_t *cursor)
{
    static char text[1024];
    struct wedr_event_block b;
    struct wedr_event_line l;
    int err;
    text[0] = '\0';
    while ((err = READ->next(r, *cursor, &b)) == WEDR_OK) {
        size_t n = strlen(text);
        assert_true(b.arrival > *cursor);
        *cursor = b.arrival;
        if (READ->line(r, 0, false, &l) == WEDR_OK) {
            (void)snprintf(text + n, sizeof(text) - n, "%u ", (unsigned)l.seq);
        } else {
            (void)snprintf(text + n, sizeof(text) - n, "- ");
        }
    }
    assert_int_equal(err, WEDR_E_NOENT);
    return text;
}

static void a_reader_follows_commits_in_their_order_and_once(void **state)
{
    (void)state;
    struct fx f;
    int64_t cursor = 0;
    fx_init(&f);
    struct wedr_events_reader *r = open_reader(&f);
    assert_string_equal(follow(r, &cursor), "");
    put_forks(&f, 1, 10, TB_T0);   /* tiny */
    put_forks(&f, 11, 600, TB_T0); /* block */
    put_forks(&f, 611, 5, TB_T0);
    READ->close(r);
    r = open_reader(&f);
    assert_string_equal(follow(r, &cursor), "1 11 611 ");
    assert_string_equal(follow(r, &cursor), "");
    put_forks(&f, 616, 5, TB_T0);
    assert_string_equal(follow(r, &cursor), "616 ");
    cursor = 0;
    assert_string_equal(follow(r, &cursor), "1 11 611 616 ");
    READ->close(r);
    fx_fini(&f);
}

static void order_holds_over_days_also_when_the_clock_went_back(void **state)
{
    (void)state;
    struct fx f;
    int64_t cursor = 0, newest = 0;
    fx_init(&f);
    put_forks(&f, 1, 3, TB_T0 + DAY_US);
    put_forks(&f, 4, 3, TB_T0);
    put_forks(&f, 7, 3, TB_T0 + DAY_US);
    put_forks(&f, 10, 3, TB_T0);
    put_forks(&f, 13, 3, TB_T0 + 3 * DAY_US);
    struct wedr_events_reader *r = open_reader(&f);
    assert_string_equal(follow(r, &cursor), "1 4 7 10 13 ");
    assert_int_equal(READ->newest(r, &newest), WEDR_OK);
    assert_true(newest == cursor);
    READ->close(r);
    fx_fini(&f);
}

/* The reader has listed the days and goes by what it knows of them; the clock jumps meanwhile. */
static void a_clock_that_goes_back_between_two_looks_hides_no_batch(void **state)
{
    (void)state;
    struct fx f;
    int64_t cursor = 0, today = wedr_time_utc_us(), before = today - 3 * DAY_US;
    fx_init(&f);
    put_forks(&f, 1, 3, before);
    put_forks(&f, 4, 3, today - DAY_US);
    put_forks(&f, 7, 3, today);
    struct wedr_events_reader *r = open_reader(&f);
    assert_string_equal(follow(r, &cursor), "1 4 7 ");
    put_forks(&f, 10, 3, before); /* a day that was looked at and is not one of the newest */
    put_forks(&f, 13, 3, today);
    assert_string_equal(follow(r, &cursor), "10 13 ");
    put_forks(&f, 16, 3, today - 2 * DAY_US); /* a file that is not listed yet */
    put_forks(&f, 19, 3, today);
    put_forks(&f, 22, 3, today + DAY_US);
    put_forks(&f, 25, 3, today);
    assert_string_equal(follow(r, &cursor), "16 19 22 25 ");
    READ->close(r);
    fx_fini(&f);
}

/* The reader comes between the making of the file and that of its tables. */
static void a_day_that_is_being_made_is_read_soon_after(void **state)
{
    (void)state;
    struct fx f;
    int64_t cursor = 0, today = wedr_time_utc_us();
    char path[600], text[WEDR_DAY_TEXT];
    fx_init(&f);
    struct wedr_events_reader *r = open_reader(&f);
    wedr_day_text(wedr_day_of(today), text);
    (void)snprintf(path, sizeof(path), "%s/events/%s.db", f.dir, text);
    FILE *empty = fopen(path, "wb");
    assert_non_null(empty);
    assert_int_equal(fclose(empty), 0);
    assert_string_equal(follow(r, &cursor), "");
    put_forks(&f, 1, 3, today);
    wedr_time_sleep_ms(500); /* until it looks for files again */
    assert_string_equal(follow(r, &cursor), "1 ");
    READ->close(r);
    fx_fini(&f);
}

/* Three days, of which the first was read. */
static struct wedr_events_reader *open_at_second_day(struct fx *f, int64_t *cursor)
{
    struct wedr_event_block b;
    fx_init(f);
    for (unsigned i = 0; i < 3; i++) {
        put_forks(f, 1 + 3 * i, 3, TB_T0 + i * DAY_US);
    }
    struct wedr_events_reader *r = open_reader(f);
    assert_int_equal(READ->next(r, 0, &b), WEDR_OK);
    *cursor = b.arrival;
    READ->close(r);
    return open_reader(f);
}

static void out_of_descriptors_no_day_is_passed_over(void **state)
{
    (void)state;
    struct fx f;
    struct wedr_event_block b;
    struct rlimit before, none;
    int64_t cursor = 0;
    struct wedr_events_reader *r = open_at_second_day(&f, &cursor);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    for (int free_ones = 0; free_ones < 12; free_ones++) {
        int lowest = open("/dev/null", O_RDONLY);
        assert_true(lowest >= 0);
        assert_int_equal(close(lowest), 0);
        none.rlim_cur = (rlim_t)(lowest + free_ones);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        int err = READ->next(r, cursor, &b);
        if (err == WEDR_OK) {
            assert_int_equal(b.arrival, cursor + WEDR_ARRIVAL_STEP);
        } else {
            assert_int_equal(err, WEDR_E_BUSY);
        }
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        READ->close(r);
        r = open_reader(&f);
    }
    assert_string_equal(follow(r, &cursor), "4 7 ");
    READ->close(r);
    fx_fini(&f);
}

static void no_log(void *arg, enum wedr_log_level level, const char *line, size_t len)
{
    (void)arg;
    (void)level;
    (void)line;
    (void)len;
}

/* A folder in the file's place: it cannot be opened, for no fault of what it holds. */
static void a_day_that_the_disk_does_not_give_is_waited_for(void **state)
{
    (void)state;
    struct fx f;
    struct wedr_event_block b;
    char path[600], aside[608], text[WEDR_DAY_TEXT];
    int64_t cursor = 0, before = 0;
    wedr_log_init("test", WEDR_LOG_ERROR, no_log, NULL);
    struct wedr_events_reader *r = open_at_second_day(&f, &cursor);
    wedr_day_text(wedr_day_of(TB_T0 + DAY_US), text);
    (void)snprintf(path, sizeof(path), "%s/events/%s.db", f.dir, text);
    (void)snprintf(aside, sizeof(aside), "%s.x", path);
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(READ->next(r, cursor, &b), WEDR_E_IO);
    }
    READ->beside(r, f.s); /* knowing the newest number says nothing of a day */
    assert_int_equal(READ->arrival_before(r, TB_T0 + DAY_US, &before), WEDR_E_IO);
    struct wedr_events_reader *hunter = open_reader(&f);
    struct wedr_events_scan ask = {.from_us = 0, .to_us = INT64_MAX};
    assert_int_equal(READ->scan(hunter, &ask), WEDR_OK);
    assert_int_equal(READ->scan_next(hunter, &b), WEDR_OK);
    assert_int_equal(READ->scan_next(hunter, &b), WEDR_E_IO); /* no answer without it */
    ask.from_us = TB_T0 + 4 * DAY_US;
    assert_int_equal(READ->scan(hunter, &ask), WEDR_OK);
    assert_int_equal(READ->scan_next(hunter, &b), WEDR_E_NOENT);
    READ->close(hunter);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rename(aside, path), 0);
    assert_string_equal(follow(r, &cursor), "4 7 ");
    READ->close(r);
    fx_fini(&f);
}

static void patience_with_a_day_ends_and_begins_anew(void **state)
{
    (void)state;
    struct wedr_patience p = {.count = 0};
    wedr_log_init("test", WEDR_LOG_ERROR, no_log, NULL);
    assert_true(wedr_patience_left(&p, 7, 1000));
    assert_true(wedr_patience_left(&p, 7, 1000 + WEDR_PATIENCE_MS - 1));
    assert_false(wedr_patience_left(&p, 7, 1000 + WEDR_PATIENCE_MS));
    assert_true(wedr_patience_left(&p, 8, 1000 + WEDR_PATIENCE_MS));
    wedr_patience_forget(&p, 7);
    assert_true(wedr_patience_left(&p, 7, 1001 + WEDR_PATIENCE_MS));
    for (int32_t day = 100; p.count < WEDR_PATIENCE_DAYS; day++) {
        assert_true(wedr_patience_left(&p, day, 0));
    }
    assert_false(wedr_patience_left(&p, 99, 0));
}

static void more_than_one_page_is_read_to_the_end(void **state)
{
    (void)state;
    struct fx f;
    int64_t cursor = 0;
    uint64_t seq = 1;
    struct wedr_event_block b;
    struct wedr_event_line l;
    fx_init(&f);
    for (unsigned i = 0; i < 600; i++) {
        put_forks(&f, i + 1, 1, TB_T0);
    }
    struct wedr_events_reader *r = open_reader(&f);
    for (; READ->next(r, cursor, &b) == WEDR_OK; seq++) {
        cursor = b.arrival;
        assert_int_equal(READ->line(r, 0, false, &l), WEDR_OK);
        assert_int_equal(l.seq, seq);
    }
    assert_int_equal(seq, 601);
    READ->close(r);
    fx_fini(&f);
}

static void rejected_lines_are_no_lines_and_a_gone_block_is_passed_over(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    int64_t cursor = 0;
    struct wedr_event_block block;
    struct wedr_event_line l;
    fx_init(&f);
    tb_init(&b, "kernel.critical");
    tb_fork(&b, 1, TB_T0, 5, 1);
    tb_line(&b, 2, "{\"no\":\"event\"}");
    tb_fork(&b, 3, TB_T0, 6, 1);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    put_forks(&f, 4, 2, TB_T0);
    struct wedr_events_reader *r = open_reader(&f);
    assert_int_equal(READ->next(r, 0, &block), WEDR_OK);
    assert_int_equal(block.lines, 3);
    assert_string_equal(block.agent_id, TB_AGENT);
    assert_int_equal(READ->line(r, 0, true, &l), WEDR_OK);
    assert_int_equal(READ->line(r, 1, false, &l), WEDR_E_NOENT);
    assert_int_equal(READ->line(r, 2, false, &l), WEDR_OK);
    assert_int_equal(l.seq, 3);
    assert_memory_equal(l.text.p, "{\"ts\"", 5);
    assert_int_equal(READ->line(r, 3, false, &l), WEDR_E_NOENT);
    READ->close(r);
    fx_close(&f);
    fx_tamper(&f, TB_T0, "DELETE FROM tiny WHERE seq0=1");
    fx_open(&f);
    r = open_reader(&f);
    assert_string_equal(follow(r, &cursor), "- 4 ");
    READ->close(r);
    fx_fini(&f);
}

static unsigned count_scanned(struct wedr_events_reader *r, const struct wedr_events_scan *ask)
{
    struct wedr_event_block b;
    unsigned n = 0;
    assert_int_equal(READ->scan(r, ask), WEDR_OK);
    while (READ->scan_next(r, &b) == WEDR_OK) {
        n++;
    }
    return n;
}

static void a_scan_visits_only_blocks_that_may_answer(void **state)
{
    (void)state;
    struct fx f;
    struct tb b;
    bool types[256] = {false};
    fx_init(&f);
    put_forks(&f, 1, 5, TB_T0);
    put_forks(&f, 6, 600, TB_T0);
    tb_init(&b, "kernel.critical");
    b.agent = TB_AGENT2;
    b.received_us = TB_T0 + DAY_US;
    tb_connect(&b, 1, TB_T0 + DAY_US, 5, "10.0.0.1", 80);
    assert_int_equal(fx_put(&f, &b), WEDR_COMMIT_STORED);
    struct wedr_events_reader *r = open_reader(&f);
    struct wedr_events_scan all = {.from_us = 0, .to_us = INT64_MAX};
    assert_int_equal(count_scanned(r, &all), 3);
    struct wedr_events_scan agent = all, late = all, connects = all;
    agent.agent_id = TB_AGENT2;
    assert_int_equal(count_scanned(r, &agent), 1);
    late.from_us = TB_T0 + DAY_US;
    assert_int_equal(count_scanned(r, &late), 1);
    types[wedr_type_by_name("network_connect", 15)->code] = true;
    connects.types = types;
    assert_int_equal(count_scanned(r, &connects), 1);
    READ->close(r);
    fx_fini(&f);
}

static void what_came_since_a_time_lies_behind_one_arrival(void **state)
{
    (void)state;
    struct fx f;
    int64_t cursor = 0;
    fx_init(&f);
    put_forks(&f, 1, 3, TB_T0);
    put_forks(&f, 4, 3, TB_T0 + DAY_US);
    put_forks(&f, 7, 3, TB_T0 + 2 * DAY_US);
    struct wedr_events_reader *r = open_reader(&f);
    assert_int_equal(READ->arrival_before(r, TB_T0 + DAY_US, &cursor), WEDR_OK);
    assert_string_equal(follow(r, &cursor), "4 7 ");
    assert_int_equal(READ->arrival_before(r, TB_T0 + 9 * DAY_US, &cursor), WEDR_OK);
    assert_string_equal(follow(r, &cursor), "");
    READ->close(r);
    fx_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_follows_commits_in_their_order_and_once),
        cmocka_unit_test(order_holds_over_days_also_when_the_clock_went_back),
        cmocka_unit_test(a_clock_that_goes_back_between_two_looks_hides_no_batch),
        cmocka_unit_test(a_day_that_is_being_made_is_read_soon_after),
        cmocka_unit_test(out_of_descriptors_no_day_is_passed_over),
        cmocka_unit_test(a_day_that_the_disk_does_not_give_is_waited_for),
        cmocka_unit_test(patience_with_a_day_ends_and_begins_anew),
        cmocka_unit_test(more_than_one_page_is_read_to_the_end),
        cmocka_unit_test(rejected_lines_are_no_lines_and_a_gone_block_is_passed_over),
        cmocka_unit_test(a_scan_visits_only_blocks_that_may_answer),
        cmocka_unit_test(what_came_since_a_time_lies_behind_one_arrival),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
