/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/rules/correlate.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { USER, HOST, PID, TARGET, FIELDS };
static const char *const names[] = {"User", "Host", "pid", "target_pid"};
#define SECOND INT64_C(1000000)

struct fixture {
    struct wedr_ruleset *rs;
    struct wedr_engine *e;
    struct wedr_rule_event *ev;
    struct wedr_correlate *c;
    uint32_t base[4]; /* rules that correlations are made of; the text of a feed names them */
    struct wedr_correlate_limits limits;
    unsigned fired;
    uint32_t rule;
    uint64_t count, evidence[64];
    size_t evidence_count;
    char group[64];
};

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    f->rs = wedr_ruleset_new(16u << 20);
    for (uint32_t i = 0; i < FIELDS; i++) {
        uint32_t id;
        assert_int_equal(wedr_ruleset_field(f->rs, names[i], strlen(names[i]), &id), WEDR_OK);
    }
    for (uint32_t i = 0; i < 4; i++) {
        struct wedr_rule r = wedr_rule_init();
        assert_int_equal(wedr_ir_exists(f->rs, USER, true, &r.condition), WEDR_OK);
        assert_int_equal(wedr_ruleset_add_rule(f->rs, &r, &f->base[i]), WEDR_OK);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    wedr_correlate_free(f->c);
    wedr_rule_event_free(f->ev);
    if (f->e) {
        wedr_engine_free(f->e);
    } else {
        wedr_ruleset_free(f->rs);
    }
    test_free(f);
    return 0;
}

static struct wedr_correlation
kind(const struct fixture *f, enum wedr_correlation_kind k, uint32_t members)
{
    struct wedr_correlation c = wedr_correlation_init();
    c.kind = (uint8_t)k;
    c.members = f->base;
    c.member_count = members;
    c.timespan_ms = 10000;
    return c;
}

static uint32_t add(struct fixture *f, const struct wedr_correlation *c)
{
    struct wedr_rule r = wedr_rule_init();
    uint32_t id = WEDR_IR_NONE;
    assert_int_equal(wedr_ruleset_add_correlation(f->rs, &r, c, &id), WEDR_OK);
    return id;
}

static void start(struct fixture *f)
{
    assert_int_equal(wedr_engine_new_take(f->rs, NULL, &f->e, NULL), WEDR_OK);
    f->ev = wedr_rule_event_new(f->rs, NULL);
    f->c = wedr_correlate_new(f->e, &f->limits);
    assert_non_null(f->c);
}

static void fired(void *ctx, const struct wedr_firing *x)
{
    struct fixture *f = ctx;
    f->fired++;
    f->rule = x->rule;
    f->count = x->count;
    f->evidence_count = x->evidence_count;
    memcpy(f->evidence, x->evidence, x->evidence_count * sizeof(*x->evidence));
    f->group[0] = '\0';
    for (uint32_t g = 0; g < x->group_count; g++) {
        size_t at = strlen(f->group);
        (void)snprintf(f->group + at, sizeof(f->group) - at, "%.*s;", (int)x->group[g].len,
                       x->group[g].p);
    }
}

/* Event number ref at that second: members "ac" are rules 0 and 2. Returns how often something
 * fired. */
static unsigned feed(struct fixture *f,
                     double second,
                     uint64_t ref,
                     const char *members,
                     const char *user,
                     int64_t pid,
                     int64_t target)
{
    uint32_t rules[4];
    size_t count = 0;
    wedr_rule_event_clear(f->ev);
    if (user) {
        assert_int_equal(wedr_rule_event_add_text(f->ev, USER, user, strlen(user)), WEDR_OK);
    }
    assert_int_equal(wedr_rule_event_add_i64(f->ev, PID, pid), WEDR_OK);
    assert_int_equal(wedr_rule_event_add_i64(f->ev, TARGET, target), WEDR_OK);
    for (; *members; members++) {
        rules[count++] = f->base[*members - 'a'];
    }
    f->fired = 0;
    assert_int_equal(
        wedr_correlate_feed(f->c, f->ev, rules, count, (int64_t)(second * 1e6), ref, fired, f),
        WEDR_OK);
    return f->fired;
}

static struct wedr_correlate_stats stats(const struct fixture *f)
{
    struct wedr_correlate_stats s;
    wedr_correlate_stats(f->c, &s);
    return s;
}

static const uint32_t by_user[] = {USER};

static void an_event_count_slides_and_is_kept_by_group(void **state)
{
    struct fixture *f = *state;
    struct wedr_correlation c = kind(f, WEDR_CORR_EVENT_COUNT, 2);
    c.group_by = by_user;
    c.group_count = 1;
    c.limits[0] = (struct wedr_correlation_limit){WEDR_OP_GE, wedr_number_i64(3)};
    c.limit_count = 1;
    uint32_t id = add(f, &c);
    start(f);
    assert_int_equal(feed(f, 0, 1, "a", "u", 0, 0), 0);
    assert_int_equal(feed(f, 1, 2, "ab", "u", 0, 0), 0); /* one event, however many members */
    assert_int_equal(feed(f, 2, 3, "a", "v", 0, 0), 0);
    assert_int_equal(feed(f, 10, 4, "b", "u", 0, 0), 1);
    assert_int_equal(f->rule, id);
    assert_int_equal(f->count, 3);
    assert_int_equal(f->evidence_count, 3);
    assert_memory_equal(f->evidence, ((uint64_t[]){1, 2, 4}), 24);
    assert_string_equal(f->group, "u;");
    assert_int_equal(feed(f, 10.001, 5, "c", "u", 0, 0), 0); /* no member */
    assert_int_equal(feed(f, 11.5, 6, "a", "u", 0, 0), 0);   /* 1 and 2 are too old */
    assert_int_equal(feed(f, 11.6, 7, "a", NULL, 0, 0), 0);
    assert_int_equal(stats(f).ungrouped, 1);
    assert_int_equal(feed(f, 5, 8, "a", "u", 0, 0), 1); /* not too late, in its place */
    assert_memory_equal(f->evidence, ((uint64_t[]){8, 4, 6}), 24);
    assert_int_equal(feed(f, 1.4, 9, "a", "u", 0, 0), 0);
    assert_int_equal(stats(f).late, 1);
    assert_int_equal(feed(f, 100, 10, "a", "w", 0, 0), 0);
    assert_int_equal(stats(f).windows, 1); /* u and v expired */
    assert_int_equal(stats(f).expired, 2);
    assert_int_equal(stats(f).entries, 1);
}

static void a_match_that_consumes_starts_from_nothing(void **state)
{
    struct fixture *f = *state;
    struct wedr_correlation c = kind(f, WEDR_CORR_EVENT_COUNT, 1);
    c.limits[0] = (struct wedr_correlation_limit){WEDR_OP_GT, wedr_number_f64(1.5)};
    c.limit_count = 1;
    c.consume = true;
    add(f, &c);
    start(f);
    for (uint64_t i = 0; i < 9; i++) {
        assert_int_equal(feed(f, (double)i, i, "a", "u", 0, 0), i % 2);
    }
}

static void a_value_count_counts_each_value_once(void **state)
{
    struct fixture *f = *state;
    struct wedr_correlation c = kind(f, WEDR_CORR_VALUE_COUNT, 1);
    c.value_field = PID;
    c.group_by = by_user;
    c.group_count = 1;
    c.limits[0] = (struct wedr_correlation_limit){WEDR_OP_EQ, wedr_number_i64(3)};
    c.limit_count = 1;
    add(f, &c);
    start(f);
    assert_int_equal(feed(f, 0, 1, "a", "u", 1, 0), 0);
    assert_int_equal(feed(f, 1, 2, "a", "u", 2, 0), 0);
    assert_int_equal(feed(f, 2, 3, "a", "u", 1, 0), 0);
    assert_int_equal(feed(f, 11, 4, "a", "u", 3, 0), 1); /* 1 was seen again at second 2 */
    assert_int_equal(f->count, 3);
    assert_int_equal(feed(f, 11.5, 5, "a", "u", 4, 0), 1); /* 2 is too old */
    assert_int_equal(feed(f, 12, 6, "a", "u", 5, 0), 0);   /* four */
}

static void temporal_needs_every_member_in_any_order(void **state)
{
    struct fixture *f = *state;
    struct wedr_correlation c = kind(f, WEDR_CORR_TEMPORAL, 3);
    const struct wedr_correlation_alias alias = {0, 1, HOST};
    c.group_by = by_user;
    c.group_count = 1;
    c.aliases = &alias;
    c.alias_count = 1;
    add(f, &c);
    start(f);
    assert_int_equal(feed(f, 0, 1, "c", "u", 0, 0), 0);
    assert_int_equal(feed(f, 1, 2, "a", "u", 0, 0), 0);
    assert_int_equal(feed(f, 2, 3, "b", "u", 0, 0), 0); /* b names its group in another field */
    assert_int_equal(stats(f).ungrouped, 1);
    wedr_rule_event_clear(f->ev);
    assert_int_equal(wedr_rule_event_add_text(f->ev, HOST, "u", 1), WEDR_OK);
    assert_int_equal(wedr_correlate_feed(f->c, f->ev, &f->base[1], 1, 3 * SECOND, 4, fired, f),
                     WEDR_OK);
    assert_int_equal(f->fired, 1);
    assert_memory_equal(f->evidence, ((uint64_t[]){1, 2, 4}), 24);
    assert_int_equal(feed(f, 12, 5, "a", "u", 0, 0), 0); /* c is too old */
}

static void an_order_is_one_of_different_events(void **state)
{
    struct fixture *f = *state;
    struct wedr_correlation c = kind(f, WEDR_CORR_TEMPORAL_ORDERED, 3);
    add(f, &c);
    start(f);
    assert_int_equal(feed(f, 0, 1, "abc", "u", 0, 0), 0);
    assert_int_equal(feed(f, 1, 2, "c", "u", 0, 0), 0);
    assert_int_equal(feed(f, 2, 3, "b", "u", 0, 0), 0);
    assert_int_equal(feed(f, 3, 4, "a", "u", 0, 0), 0);
    assert_int_equal(feed(f, 4, 5, "c", "u", 0, 0), 1);
    assert_memory_equal(f->evidence, ((uint64_t[]){1, 3, 5}), 24);
    assert_int_equal(feed(f, 11, 6, "c", "u", 0, 0), 0); /* the only a before b is gone */
    assert_int_equal(feed(f, 12, 7, "b", "u", 0, 0), 0);
    assert_int_equal(feed(f, 12, 8, "c", "u", 0, 0), 1);
    assert_memory_equal(f->evidence, ((uint64_t[]){4, 7, 8}), 24);
}

/* a && b && !c, where b's target is a's process and c's, too. */
static void a_pattern_joins_events_and_sees_what_is_absent(void **state)
{
    struct fixture *f = *state;
    struct wedr_correlation c = kind(f, WEDR_CORR_PATTERN, 3);
    const struct wedr_correlation_join joins[] = {{0, PID, 1, TARGET}, {0, PID, 2, TARGET}};
    uint32_t m[3];
    uint32_t not_c;
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(wedr_ir_member(f->rs, i, &m[i]), WEDR_OK);
    }
    assert_int_equal(wedr_ir_not(f->rs, m[2], &not_c), WEDR_OK);
    assert_int_equal(wedr_ir_and(f->rs, (uint32_t[]){m[0], m[1], not_c}, 3, &c.expression),
                     WEDR_OK);
    c.joins = joins;
    c.join_count = 2;
    add(f, &c);
    start(f);
    assert_int_equal(feed(f, 0, 1, "a", "u", 7, 0), 0);
    assert_int_equal(feed(f, 1, 2, "a", "u", 8, 0), 0);
    assert_int_equal(feed(f, 2, 3, "b", "u", 1, 9), 0);
    assert_int_equal(feed(f, 3, 4, "b", "u", 1, 7), 1);
    assert_memory_equal(f->evidence, ((uint64_t[]){1, 4}), 16);
    assert_int_equal(feed(f, 4, 5, "d", "u", 1, 7), 0); /* no member: nothing fires again */
    assert_int_equal(feed(f, 5, 6, "c", "u", 1, 8), 0);
    assert_int_equal(feed(f, 6, 7, "b", "u", 1, 8), 0); /* c is there for 8 */
    assert_int_equal(feed(f, 7, 8, "b", "u", 1, 7), 1); /* not for 7 */
    assert_int_equal(feed(f, 8, 9, "bc", "u", 1, 7), 0);
    assert_int_equal(feed(f, 30, 10, "b", "u", 1, 7), 0);
}

/* Either line of a rule with two lines is enough: what the other one found is no evidence. */
static void evidence_of_a_pattern_is_what_it_cannot_do_without(void **state)
{
    struct fixture *f = *state;
    struct wedr_correlation c = kind(f, WEDR_CORR_PATTERN, 4);
    uint32_t m[4];
    uint32_t lines[2];
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(wedr_ir_member(f->rs, i, &m[i]), WEDR_OK);
    }
    assert_int_equal(wedr_ir_and(f->rs, &m[0], 2, &lines[0]), WEDR_OK);
    assert_int_equal(wedr_ir_and(f->rs, &m[2], 2, &lines[1]), WEDR_OK);
    assert_int_equal(wedr_ir_or(f->rs, lines, 2, &c.expression), WEDR_OK);
    add(f, &c);
    start(f);
    assert_int_equal(feed(f, 0, 1, "a", "u", 7, 0), 0);
    assert_int_equal(feed(f, 1, 2, "c", "u", 8, 0), 0);
    assert_int_equal(feed(f, 2, 3, "b", "u", 1, 9), 1);
    assert_int_equal(f->evidence_count, 2);
    assert_memory_equal(f->evidence, ((uint64_t[]){1, 3}), 16);
    assert_int_equal(feed(f, 3, 4, "d", "u", 1, 9), 1);
    assert_int_equal(f->evidence_count, 2);
    assert_memory_equal(f->evidence, ((uint64_t[]){2, 4}), 16);
}

static void a_pattern_without_time_is_one_event(void **state)
{
    struct fixture *f = *state;
    struct wedr_correlation c = kind(f, WEDR_CORR_PATTERN, 2);
    c.timespan_ms = 0; /* W-06: a window of nothing still holds its own event */
    add(f, &c);
    start(f);
    assert_int_equal(feed(f, 1, 1, "a", "u", 0, 0), 0);
    assert_int_equal(feed(f, 1, 2, "b", "u", 0, 0), 0);
    assert_int_equal(feed(f, 1, 3, "ab", "u", 0, 0), 1);
    assert_int_equal(f->evidence_count, 1);
}

static void a_search_that_finds_nothing_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct wedr_correlation c = kind(f, WEDR_CORR_PATTERN, 4);
    const struct wedr_correlation_join join = {0, PID, 3, TARGET};
    c.joins = &join;
    c.join_count = 1;
    add(f, &c);
    start(f);
    for (uint64_t i = 0; i < 300; i++) {
        assert_int_equal(feed(f, 0.001 * (double)i, i, "abcd", "u", 1, 2), 0);
    }
    assert_true(stats(f).searches_limited > 0);
    assert_int_equal(stats(f).entries, 256);
    assert_true(stats(f).evicted_entries > 0);
}

static void correlations_feed_later_ones(void **state)
{
    struct fixture *f = *state;
    struct wedr_correlation c = kind(f, WEDR_CORR_EVENT_COUNT, 1);
    c.limits[0] = (struct wedr_correlation_limit){WEDR_OP_GE, wedr_number_i64(2)};
    c.limit_count = 1;
    c.consume = true;
    uint32_t inner = add(f, &c);
    struct wedr_correlation outer = kind(f, WEDR_CORR_TEMPORAL, 2);
    outer.members = (uint32_t[]){inner, f->base[1]};
    uint32_t outer_rule = add(f, &outer);
    struct wedr_correlation off = kind(f, WEDR_CORR_EVENT_COUNT, 1);
    assert_int_equal(wedr_ruleset_set_flags(f->rs, add(f, &off), WEDR_RULE_DISABLED), WEDR_OK);
    start(f);
    assert_int_equal(feed(f, 0, 1, "b", "u", 0, 0), 0);
    assert_int_equal(feed(f, 1, 2, "a", "u", 0, 0), 0);
    assert_int_equal(feed(f, 2, 3, "a", "u", 0, 0), 2);
    assert_int_equal(f->rule, outer_rule);
}

static void many_open_groups_stay_within_their_limits(void **state)
{
    struct fixture *f = *state;
    struct wedr_correlation c = kind(f, WEDR_CORR_EVENT_COUNT, 1);
    c.group_by = by_user;
    c.group_count = 1;
    c.limits[0] = (struct wedr_correlation_limit){WEDR_OP_GE, wedr_number_i64(3)};
    c.limit_count = 1;
    add(f, &c);
    f->limits = (struct wedr_correlate_limits){.windows_max = 500, .entries_total_max = 1024};
    start(f);
    char user[300];
    (void)wedr_alloc_fail_nth(0);
    for (uint64_t i = 0; i < 20000; i++) {
        (void)snprintf(user, sizeof(user), "%0*u", (int)(i % 280 + 5), (unsigned)(i * 7919 % 3000));
        (void)feed(f, 0, i, "a", user, 0, 0);
        for (int k = 0; k < (i % 100 == 0 ? 700 : 0); k++) {
            (void)feed(f, 0, i, "a", "busy", 0, 0); /* one group that takes most entries */
        }
    }
    struct wedr_correlate_stats s = stats(f);
    assert_int_equal(wedr_alloc_fail_nth(0), 0);
    assert_true(s.windows <= 500 && s.entries <= 1024);
    assert_true(s.evicted_windows > 10000 && s.evicted_entries > 10000);
    /* long values that differ only behind what is kept are different groups */
    memset(user, 'x', sizeof(user));
    user[299] = '\0';
    assert_int_equal(feed(f, 1, 1, "a", user, 0, 0), 0);
    assert_int_equal(feed(f, 1, 2, "a", user, 0, 0), 0);
    user[298] = 'y';
    assert_int_equal(feed(f, 1, 3, "a", user, 0, 0), 0);
    user[298] = 'x';
    assert_int_equal(feed(f, 1, 4, "a", user, 0, 0), 1);
}

static void a_wrong_clock_does_not_close_a_group(void **state)
{
    struct fixture *f = *state;
    struct wedr_correlation c = kind(f, WEDR_CORR_EVENT_COUNT, 1);
    c.limits[0] = (struct wedr_correlation_limit){WEDR_OP_GE, wedr_number_i64(2)};
    c.limit_count = 1;
    add(f, &c);
    start(f);
    assert_int_equal(feed(f, 1e12, 1, "a", "u", 0, 0), 0);
    unsigned sum = 0;
    for (uint64_t i = 0; i < 12; i++) {
        sum += feed(f, (double)i / 10, i, "a", "u", 0, 0);
    }
    assert_true(sum >= 3);
}

static void every_allocation_may_fail(void **state)
{
    struct fixture *f = *state;
    struct wedr_correlation c = kind(f, WEDR_CORR_PATTERN, 2);
    const struct wedr_correlation_join join = {0, PID, 1, TARGET};
    c.joins = &join;
    c.join_count = 1;
    add(f, &c);
    start(f);
    struct wedr_correlate *x = NULL;
    for (size_t n = 1; !x; n++) {
        assert_true(n < 50);
        (void)wedr_alloc_fail_nth(n);
        x = wedr_correlate_new(f->e, NULL);
        (void)wedr_alloc_fail_nth(0);
    }
    wedr_correlate_free(x);
}

static void thresholds_and_joins_have_a_maximum(void **state)
{
    struct fixture *f = *state;
    struct wedr_correlation c = kind(f, WEDR_CORR_EVENT_COUNT, 1);
    struct wedr_rule r = wedr_rule_init();
    uint32_t id;
    c.limits[0] =
        (struct wedr_correlation_limit){WEDR_OP_GE, wedr_number_i64(WEDR_IR_COUNT_MAX + 1)};
    c.limit_count = 1;
    assert_int_equal(wedr_ruleset_add_correlation(f->rs, &r, &c, &id), WEDR_E_LIMIT);
    c.limits[0].number = wedr_number_i64(WEDR_IR_COUNT_MAX);
    assert_int_equal(wedr_ruleset_add_correlation(f->rs, &r, &c, &id), WEDR_OK);
    struct wedr_correlation_join joins[5];
    uint32_t fields[5];
    for (uint32_t i = 0; i < 5; i++) {
        char name[8];
        int n = snprintf(name, sizeof(name), "j%u", i);
        assert_int_equal(wedr_ruleset_field(f->rs, name, (size_t)n, &fields[i]), WEDR_OK);
        joins[i] = (struct wedr_correlation_join){0, fields[i], 1, PID};
    }
    c = kind(f, WEDR_CORR_PATTERN, 2);
    c.joins = joins;
    c.join_count = 4;
    assert_int_equal(wedr_ruleset_add_correlation(f->rs, &r, &c, &id), WEDR_OK);
    c.join_count = 5;
    assert_int_equal(wedr_ruleset_add_correlation(f->rs, &r, &c, &id), WEDR_E_LIMIT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_event_count_slides_and_is_kept_by_group),
        TEST(a_match_that_consumes_starts_from_nothing),
        TEST(a_value_count_counts_each_value_once),
        TEST(temporal_needs_every_member_in_any_order),
        TEST(an_order_is_one_of_different_events),
        TEST(a_pattern_joins_events_and_sees_what_is_absent),
        TEST(evidence_of_a_pattern_is_what_it_cannot_do_without),
        TEST(a_pattern_without_time_is_one_event),
        TEST(a_search_that_finds_nothing_is_bounded),
        TEST(correlations_feed_later_ones),
        TEST(many_open_groups_stay_within_their_limits),
        TEST(a_wrong_clock_does_not_close_a_group),
        TEST(every_allocation_may_fail),
        TEST(thresholds_and_joins_have_a_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
