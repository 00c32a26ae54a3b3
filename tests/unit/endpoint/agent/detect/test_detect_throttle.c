/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/throttle.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct told {
    unsigned calls;
    uint64_t suppressed;
    uint32_t rule;
    uint64_t seq;
    char entity[WEDR_ENTITY_MAX];
    bool refuse, last;
};

static bool take(void *ctx, const struct wedr_throttle_entry *e, bool last)
{
    struct told *t = ctx;
    t->calls++;
    if (t->refuse) {
        return false;
    }
    t->suppressed += e->suppressed;
    t->rule = e->rule;
    t->seq = e->last.seq;
    t->last = last;
    memcpy(t->entity, e->entity, sizeof(t->entity));
    return true;
}

static struct wedr_throttle_ask ask(const char *rule, const char *entity, uint64_t now_ms)
{
    return (struct wedr_throttle_ask){.rule_id = rule,
                                      .rule_id_len = strlen(rule),
                                      .entity = entity,
                                      .count = 2,
                                      .window_ms = 1000,
                                      .now_ms = now_ms};
}

static void w05_what_is_held_back_is_counted_and_told_with_the_next_alert(void **state)
{
    struct told told = {0};
    struct wedr_throttle *t = wedr_throttle_new(8, take, &told);
    uint64_t held = 99;
    (void)state;
    for (uint64_t now = 0; now < 5; now++) {
        struct wedr_throttle_ask a = ask("r", "process:1", now);
        held = 99;
        bool pass = wedr_throttle_pass(t, &a, &held);
        assert_int_equal(pass, now < 2);
        assert_int_equal(held, now < 2 ? 0 : 99);
    }
    struct wedr_throttle_ask a = ask("r", "process:1", 1000);
    assert_true(wedr_throttle_pass(t, &a, &held));
    assert_int_equal(held, 3);
    a.now_ms = 1001;
    assert_true(wedr_throttle_pass(t, &a, &held));
    assert_int_equal(held, 0); /* told once */
    assert_int_equal(told.calls, 0);
    wedr_throttle_free(t);
}

static void w05_each_rule_and_each_entity_has_its_own_count(void **state)
{
    static const char *const rules[] = {"r", "r\nx", "R"};
    static const char *const entities[] = {"process:1", "process:2", ""};
    struct told told = {0};
    struct wedr_throttle *t = wedr_throttle_new(64, take, &told);
    uint64_t held;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 3; k++) {
            struct wedr_throttle_ask a = ask(rules[i], entities[k], 0);
            assert_true(wedr_throttle_pass(t, &a, &held));
            assert_true(wedr_throttle_pass(t, &a, &held));
            assert_false(wedr_throttle_pass(t, &a, &held));
        }
    }
    assert_int_equal(wedr_throttle_count(t), 9);
    wedr_throttle_free(t);
}

static void what_was_held_back_is_told_when_its_time_is_over(void **state)
{
    struct told told = {0};
    struct wedr_throttle *t = wedr_throttle_new(8, take, &told);
    uint64_t held;
    (void)state;
    for (uint64_t i = 0; i < 7; i++) {
        struct wedr_throttle_ask a = ask("r", "host", 10);
        a.rule = 5;
        a.s.seq = i;
        (void)!wedr_throttle_pass(t, &a, &held);
    }
    wedr_throttle_tick(t, 1009, false);
    assert_int_equal(told.calls, 0);
    told.refuse = true;
    wedr_throttle_tick(t, 1010, false); /* no room now: it is told later */
    assert_int_equal(told.calls, 1);
    told.refuse = false;
    wedr_throttle_tick(t, 1011, false);
    assert_int_equal(told.suppressed, 5);
    assert_int_equal(told.rule, 5);
    assert_int_equal(told.seq, 6);
    assert_string_equal(told.entity, "host");
    wedr_throttle_tick(t, 5000, true);
    assert_int_equal(told.calls, 2);
    /* What was told is the first alert of the next window. */
    struct wedr_throttle_ask a = ask("r", "host", 1012);
    assert_true(wedr_throttle_pass(t, &a, &held));
    assert_false(wedr_throttle_pass(t, &a, &held));
    wedr_throttle_free(t);
}

static void w05_a_full_table_forgets_the_one_seen_longest_ago_and_tells_its_count(void **state)
{
    struct told told = {0};
    struct wedr_throttle *t = wedr_throttle_new(4, take, &told);
    char entity[16];
    uint64_t held;
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        (void)snprintf(entity, sizeof(entity), "e%u", i < 4 ? i : 0); /* e0 is used again */
        struct wedr_throttle_ask a = ask("r", entity, 0);
        (void)!wedr_throttle_pass(t, &a, &held);
        (void)!wedr_throttle_pass(t, &a, &held);
        (void)!wedr_throttle_pass(t, &a, &held);
    }
    struct wedr_throttle_ask a = ask("r", "new", 0);
    assert_true(wedr_throttle_pass(t, &a, &held));
    assert_int_equal(wedr_throttle_count(t), 4);
    assert_int_equal(told.calls, 1);
    assert_true(told.last);
    assert_string_equal(told.entity, "e1");
    wedr_throttle_free(t);
}

static void w05_a_throttle_of_any_size_is_bounded_work(void **state)
{
    struct told told = {0};
    struct wedr_throttle *t = wedr_throttle_new(1, take, &told);
    uint64_t held;
    (void)state;
    struct wedr_throttle_ask a = ask("r", "host", 0);
    a.count = UINT32_MAX;
    a.window_ms = UINT64_MAX;
    for (unsigned i = 0; i < 100; i++) {
        assert_true(wedr_throttle_pass(t, &a, &held));
    }
    a = ask("z", "host", 0);
    a.window_ms = 0; /* no window at all: nothing is held back */
    for (unsigned i = 0; i < 100; i++) {
        assert_true(wedr_throttle_pass(t, &a, &held));
    }
    a = ask("d", "host", 0);
    a.count = 0; /* the rule says nothing */
    for (unsigned i = 0; i < WEDR_THROTTLE_ALERTS; i++) {
        assert_true(wedr_throttle_pass(t, &a, &held));
    }
    assert_false(wedr_throttle_pass(t, &a, &held));
    a.now_ms = WEDR_THROTTLE_WINDOW_MS;
    assert_true(wedr_throttle_pass(t, &a, &held));
    assert_int_equal(held, 1);
    wedr_throttle_free(t);
}

static void an_alert_that_could_not_be_raised_counts_as_held_back(void **state)
{
    struct told told = {0};
    struct wedr_throttle *t = wedr_throttle_new(4, take, &told);
    struct wedr_throttle_ask a = ask("r", "host", 0);
    uint64_t held = 0;
    (void)state;
    assert_true(wedr_throttle_pass(t, &a, &held));
    wedr_throttle_take_back(t, &a, 7);
    assert_true(wedr_throttle_pass(t, &a, &held));
    assert_int_equal(held, 8);
    wedr_throttle_free(t);
}

static uint32_t shift(void *ctx, uint32_t rule)
{
    (void)ctx;
    return rule == 1 ? WEDR_THROTTLE_RULE_GONE : rule + 10;
}

static void counts_follow_a_rule_to_its_new_place_or_are_told_when_it_goes(void **state)
{
    struct told told = {0};
    struct wedr_throttle *t = wedr_throttle_new(4, take, &told);
    uint64_t held;
    (void)state;
    for (uint32_t rule = 1; rule <= 2; rule++) {
        struct wedr_throttle_ask a = ask(rule == 1 ? "goes" : "stays", "host", 0);
        a.rule = rule;
        for (unsigned i = 0; i < 4; i++) {
            (void)!wedr_throttle_pass(t, &a, &held);
        }
    }
    wedr_throttle_rules(t, shift, NULL);
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.rule, 1); /* told while the old rules are there */
    wedr_throttle_tick(t, 2000, false);
    assert_int_equal(told.calls, 2);
    assert_int_equal(told.rule, 12);
    assert_int_equal(told.suppressed, 4);
    wedr_throttle_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(w05_what_is_held_back_is_counted_and_told_with_the_next_alert),
        cmocka_unit_test(w05_each_rule_and_each_entity_has_its_own_count),
        cmocka_unit_test(what_was_held_back_is_told_when_its_time_is_over),
        cmocka_unit_test(w05_a_full_table_forgets_the_one_seen_longest_ago_and_tells_its_count),
        cmocka_unit_test(w05_a_throttle_of_any_size_is_bounded_work),
        cmocka_unit_test(an_alert_that_could_not_be_raised_counts_as_held_back),
        cmocka_unit_test(counts_follow_a_rule_to_its_new_place_or_are_told_when_it_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
