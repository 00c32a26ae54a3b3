/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/log.h"
#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

static char lines[64][4200];
static size_t count;
static int64_t clock_value;

static int64_t fixed_clock(void)
{
    return clock_value;
}

static void keep(void *arg, enum wedr_log_level level, const char *line, size_t len)
{
    (void)arg;
    (void)level;
    if (count < 64 && len < sizeof(lines[0])) {
        memcpy(lines[count], line, len);
        lines[count][len] = '\0';
    }
    count++;
}

static int setup(void **state)
{
    (void)state;
    count = 0;
    clock_value = 1795466057123456;
    wedr_log_set_clock(fixed_clock);
    wedr_log_init("wedr-test", WEDR_LOG_INFO, keep, NULL);
    return 0;
}

static void line_is_one_json_object_in_fixed_order(void **state)
{
    (void)state;
    wedr_log(WARN, "spool.recovered", WEDR_U64("count", 7), WEDR_I64("delta", -2),
             WEDR_STR("file", "a\"b\n"), WEDR_STR("none", NULL), WEDR_ERR(WEDR_E_NOSPC));
    assert_int_equal(count, 1);
    assert_string_equal(
        lines[0],
        "{\"ts\":\"2026-11-23T20:34:17.123456Z\",\"level\":\"warn\",\"program\":\"wedr-test\","
        "\"event\":\"spool.recovered\",\"count\":7,\"delta\":-2,\"file\":\"a\\\"b\\n\","
        "\"none\":null,\"err\":\"NOSPC\"}");
}

static void lines_above_the_level_are_skipped_and_not_counted_as_lost(void **state)
{
    (void)state;
    uint64_t before = wedr_log_dropped();
    wedr_log(DEBUG, "hidden", WEDR_U64("n", 1));
    assert_int_equal(count, 0);
    wedr_log_init("wedr-test", WEDR_LOG_DEBUG, keep, NULL);
    wedr_log(DEBUG, "shown", WEDR_U64("n", 1));
    assert_int_equal(count, 1);
    assert_true(wedr_log_dropped() == before);
}

static void one_site(void)
{
    wedr_log(ERROR, "net.failed", WEDR_U64("n", 1));
}

static void a_site_writes_twenty_lines_a_second_then_says_how_many_it_held_back(void **state)
{
    (void)state;
    uint64_t before = wedr_log_dropped();
    for (int i = 0; i < 50; i++) {
        one_site();
    }
    assert_int_equal(count, 20);
    assert_true(wedr_log_dropped() == before + 30);
    wedr_log(ERROR, "other.site", WEDR_U64("n", 1)); /* not held back by the first */
    assert_int_equal(count, 21);
    clock_value += 1000000;
    one_site();
    assert_int_equal(count, 22);
    assert_non_null(strstr(lines[21], ",\"suppressed\":30}"));
    one_site();
    assert_null(strstr(lines[22], "suppressed"));
}

static void a_clock_that_jumps_back_does_not_silence_a_site(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) {
        one_site();
    }
    count = 0;
    clock_value -= (int64_t)3600 * 1000000;
    one_site();
    assert_int_equal(count, 1);
}

static void a_pair_that_does_not_fit_is_left_out_and_counted(void **state)
{
    (void)state;
    static char big[6000];
    memset(big, '\n', sizeof(big) - 1);
    uint64_t before = wedr_log_dropped();
    wedr_log(ERROR, "big.one", WEDR_STR("text", big), WEDR_U64("after", 5));
    assert_int_equal(count, 1);
    assert_true(wedr_log_dropped() == before + 1);
    json_t *root = json_loads(lines[0], 0, NULL);
    assert_non_null(root);
    assert_null(json_object_get(root, "text"));
    assert_int_equal(json_integer_value(json_object_get(root, "after")), 5);
    assert_true(json_is_true(json_object_get(root, "cut")));
    json_decref(root);
}

static void a_long_event_name_still_makes_a_whole_line(void **state)
{
    (void)state;
    static char name[5000];
    memset(name, 'e', sizeof(name) - 1);
    wedr_log(ERROR, name, WEDR_U64("n", 1));
    assert_int_equal(count, 1);
    json_t *root = json_loads(lines[0], 0, NULL);
    assert_non_null(root);
    json_decref(root);
}

static atomic_int inside;
static atomic_bool overlapped;
static atomic_size_t delivered;

static void slow_sink(void *arg, enum wedr_log_level level, const char *line, size_t len)
{
    (void)arg;
    (void)level;
    if (atomic_fetch_add(&inside, 1) != 0) {
        atomic_store(&overlapped, true);
    }
    if (len < 10 || line[0] != '{' || line[len - 1] != '}') {
        atomic_store(&overlapped, true);
    }
    atomic_fetch_add(&delivered, 1);
    atomic_fetch_sub(&inside, 1);
}

#define THREADS 4
#define PER_THREAD 400

static void *log_much(void *arg)
{
    struct wedr_log_site sites[PER_THREAD / 10];
    memset(sites, 0, sizeof(sites));
    for (unsigned i = 0; i < PER_THREAD; i++) {
        wedr_log_emit(
            &sites[i / 10], WEDR_LOG_INFO, "thread.line",
            (const struct wedr_log_kv[]){WEDR_STR("who", arg), {0, WEDR_LOG_T_END, 0, 0}});
    }
    return NULL;
}

static void threads_never_meet_in_the_sink_and_every_line_is_counted(void **state)
{
    (void)state;
    uint64_t before = wedr_log_dropped();
    atomic_store(&delivered, 0);
    wedr_log_init("wedr-test", WEDR_LOG_INFO, slow_sink, NULL);
    pthread_t t[THREADS];
    static char who[] = "one of several threads";
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&t[i], NULL, log_much, who), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(t[i], NULL), 0);
    }
    assert_false(atomic_load(&overlapped));
    assert_int_equal(atomic_load(&delivered) + (wedr_log_dropped() - before), THREADS * PER_THREAD);
}

static void nested_sink(void *arg, enum wedr_log_level level, const char *line, size_t len)
{
    keep(arg, level, line, len);
    if (count < 3) {
        wedr_log(WARN, "sink.speaks", WEDR_U64("count", count));
    }
}

static void a_sink_that_logs_is_queued_not_deadlocked(void **state)
{
    (void)state;
    wedr_log_init("wedr-test", WEDR_LOG_INFO, nested_sink, NULL);
    wedr_log(INFO, "first", WEDR_U64("n", 1));
    assert_int_equal(count, 3);
}

static void stuck_sink(void *arg, enum wedr_log_level level, const char *line, size_t len)
{
    keep(arg, level, line, len);
    if (count != 1) {
        return;
    }
    /* While the sink is busy, the others fill the queue and no more. */
    static struct wedr_log_site sites[2000];
    static char text[1000];
    memset(text, 'x', sizeof(text) - 1);
    for (unsigned i = 0; i < 2000; i++) {
        wedr_log_emit(&sites[i], WEDR_LOG_INFO, "burst",
                      (const struct wedr_log_kv[]){WEDR_STR("t", text), {0, WEDR_LOG_T_END, 0, 0}});
    }
}

static void a_full_queue_drops_and_counts(void **state)
{
    (void)state;
    uint64_t before = wedr_log_dropped();
    wedr_log_init("wedr-test", WEDR_LOG_INFO, stuck_sink, NULL);
    wedr_log(INFO, "first", WEDR_U64("n", 1));
    uint64_t lost = wedr_log_dropped() - before;
    assert_true(lost > 1900);
    assert_int_equal(count + lost, 2001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(line_is_one_json_object_in_fixed_order, setup),
        cmocka_unit_test_setup(lines_above_the_level_are_skipped_and_not_counted_as_lost, setup),
        cmocka_unit_test_setup(a_site_writes_twenty_lines_a_second_then_says_how_many_it_held_back,
                               setup),
        cmocka_unit_test_setup(a_clock_that_jumps_back_does_not_silence_a_site, setup),
        cmocka_unit_test_setup(a_pair_that_does_not_fit_is_left_out_and_counted, setup),
        cmocka_unit_test_setup(a_long_event_name_still_makes_a_whole_line, setup),
        cmocka_unit_test_setup(threads_never_meet_in_the_sink_and_every_line_is_counted, setup),
        cmocka_unit_test_setup(a_sink_that_logs_is_queued_not_deadlocked, setup),
        cmocka_unit_test_setup(a_full_queue_drops_and_counts, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
