/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/rules/correlate.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)

/* Rules as they are at one time. */
struct rules {
    const char *extra;  /* a field and a rule in front of all others; NULL: none */
    const char *wanted; /* what the members look for */
    const char *id;     /* of the event count */
    int64_t threshold;  /* of it */
    uint64_t span_ms;
    uint16_t flags; /* of it */
};

static const struct rules usual = {NULL, "x", "count", 3, 10000, 0};

struct state {
    struct wedr_engine *e;
    struct wedr_rule_event *ev;
    struct wedr_correlate *c;
    uint32_t a, b; /* rules that events are */
    uint32_t user, pid;
    unsigned fired;
    char last[16];
    uint64_t count, evidence[8];
    size_t evidence_count;
};

static uint32_t field(struct wedr_ruleset *rs, const char *name)
{
    uint32_t id;
    assert_int_equal(wedr_ruleset_field(rs, name, strlen(name), &id), WEDR_OK);
    return id;
}

static uint32_t member(struct wedr_ruleset *rs, const char *name, const char *wanted)
{
    struct wedr_rule r = wedr_rule_init();
    uint32_t id;
    r.id = wedr_text(name, strlen(name));
    assert_int_equal(wedr_ir_text(rs, field(rs, name), WEDR_PRED_CONTAINS,
                                  wedr_text(wanted, strlen(wanted)), 0, &r.condition, NULL),
                     WEDR_OK);
    assert_int_equal(wedr_ruleset_add_rule(rs, &r, &id), WEDR_OK);
    return id;
}

static void
correlation(struct wedr_ruleset *rs, const char *id, uint16_t flags, struct wedr_correlation *c)
{
    struct wedr_rule r = wedr_rule_init();
    uint32_t at;
    r.id = wedr_text(id, strlen(id));
    r.flags = flags;
    assert_int_equal(wedr_ruleset_add_correlation(rs, &r, c, &at), WEDR_OK);
}

static void start(struct state *s, const struct rules *want, const struct wedr_correlate_limits *l)
{
    struct wedr_ruleset *rs = wedr_ruleset_new(16u << 20);
    assert_non_null(rs);
    memset(s, 0, sizeof(*s));
    if (want->extra) {
        (void)member(rs, want->extra, "anything");
    }
    uint32_t members[2] = {member(rs, "a", want->wanted), member(rs, "b", want->wanted)};
    s->a = members[0];
    s->b = members[1];
    s->user = field(rs, "user");
    s->pid = field(rs, "pid");
    struct wedr_correlation c = wedr_correlation_init();
    c.kind = WEDR_CORR_EVENT_COUNT;
    c.members = members;
    c.member_count = 1;
    c.group_by = &s->user;
    c.group_count = 1;
    c.timespan_ms = want->span_ms;
    c.limits[0].op = WEDR_OP_GE;
    c.limits[0].number = wedr_number_i64(want->threshold);
    c.limit_count = 1;
    correlation(rs, want->id, want->flags, &c);
    c.kind = WEDR_CORR_VALUE_COUNT;
    c.value_field = s->pid;
    correlation(rs, "values", 0, &c);
    const struct wedr_correlation_join join = {0, s->pid, 1, s->pid};
    c = wedr_correlation_init();
    c.kind = WEDR_CORR_PATTERN;
    c.members = members;
    c.member_count = 2;
    c.timespan_ms = want->span_ms;
    c.joins = &join;
    c.join_count = 1;
    correlation(rs, "pattern", 0, &c);
    assert_int_equal(wedr_engine_new_take(rs, NULL, &s->e, NULL), WEDR_OK);
    s->ev = wedr_rule_event_new(rs, NULL);
    s->c = wedr_correlate_new(s->e, l);
    assert_non_null(s->ev);
    assert_non_null(s->c);
}

static void stop(struct state *s)
{
    wedr_correlate_free(s->c);
    wedr_rule_event_free(s->ev);
    wedr_engine_free(s->e);
}

static void fired(void *ctx, const struct wedr_firing *x)
{
    struct state *s = ctx;
    struct wedr_text id = wedr_ruleset_rule(wedr_engine_ruleset(s->e), x->rule)->id;
    (void)snprintf(s->last, sizeof(s->last), "%.*s", (int)id.len, id.p);
    s->fired++;
    s->count = x->count;
    s->evidence_count = x->evidence_count;
    assert_true(x->evidence_count <= WEDR_ARRAY_COUNT(s->evidence));
    memcpy(s->evidence, x->evidence, x->evidence_count * sizeof(*x->evidence));
}

/* How often something fires for an event of that member. */
static unsigned
feed(struct state *s, uint32_t rule, int64_t second, uint64_t ref, const char *user, int64_t pid)
{
    wedr_rule_event_clear(s->ev);
    assert_int_equal(wedr_rule_event_add_text(s->ev, s->user, user, strlen(user)), WEDR_OK);
    assert_int_equal(wedr_rule_event_add_i64(s->ev, s->pid, pid), WEDR_OK);
    s->fired = 0;
    assert_int_equal(wedr_correlate_feed(s->c, s->ev, &rule, 1, second * SECOND, ref, fired, s),
                     WEDR_OK);
    return s->fired;
}

static struct wedr_correlate_adoption adopt(struct state *to, struct state *from)
{
    struct wedr_correlate_adoption a;
    assert_int_equal(wedr_correlate_adopt(to->c, from->c, &a), WEDR_OK);
    return a;
}

static void an_attack_that_is_half_seen_goes_on(void **state)
{
    (void)state;
    struct state old, now;
    struct rules other = usual;
    other.extra = "more"; /* every id is another one */
    start(&old, &usual, NULL);
    start(&now, &other, NULL);
    assert_int_equal(feed(&old, old.a, 1, 11, "ann", 5), 0);
    assert_int_equal(feed(&old, old.a, 2, 12, "ann", 5), 0);
    assert_int_equal(feed(&old, old.a, 3, 13, "bob", 6), 0);
    struct wedr_correlate_adoption a = adopt(&now, &old);
    assert_int_equal(a.kept, 3);
    assert_int_equal(a.changed + a.gone + a.dropped, 0);
    assert_int_equal(a.windows, 5);
    assert_int_equal(a.entries, 3 + 2 + 3);
    assert_int_equal(feed(&now, now.a, 4, 14, "ann", 5), 1);
    assert_string_equal(now.last, "count");
    assert_int_equal(now.count, 3);
    assert_int_equal(now.evidence_count, 3);
    assert_int_equal(now.evidence[0], 11);
    assert_int_equal(now.evidence[2], 14);
    /* The join of the pattern still knows which process it was. */
    assert_int_equal(feed(&now, now.b, 5, 15, "x", 7), 0);
    assert_int_equal(feed(&now, now.b, 5, 16, "x", 6), 1);
    assert_string_equal(now.last, "pattern");
    assert_int_equal(now.evidence[0], 13);
    /* Values that were seen before do not count again. */
    assert_int_equal(feed(&now, now.a, 6, 17, "bob", 6), 1);
    assert_string_equal(now.last, "pattern");
    assert_int_equal(feed(&now, now.a, 6, 18, "bob", 7), 2); /* and bob's third event */
    stop(&old);
    assert_int_equal(feed(&now, now.a, 7, 19, "bob", 8), 2);
    assert_string_equal(now.last, "values");
    assert_int_equal(now.count, 3);
    stop(&now);
}

static void time_goes_on_too(void **state)
{
    (void)state;
    struct state old, now;
    start(&old, &usual, NULL);
    start(&now, &usual, NULL);
    assert_int_equal(feed(&old, old.a, 1, 1, "ann", 5), 0);
    assert_int_equal(feed(&old, old.a, 2, 2, "ann", 5), 0);
    assert_int_equal(adopt(&now, &old).kept, 3);
    assert_int_equal(feed(&now, now.a, 12, 3, "ann", 5), 0); /* the first is too old */
    assert_int_equal(feed(&now, now.a, 12, 4, "ann", 5), 1);
    assert_int_equal(now.evidence[0], 2);
    stop(&old);
    stop(&now);
}

static void another_definition_begins_empty(void **state)
{
    (void)state;
    const struct {
        struct rules rules;
        uint32_t kept, changed, gone;
    } rows[] = {
        {{NULL, "x", "count", 4, 10000, 0}, 1, 2, 0},
        {{NULL, "y", "count", 3, 10000, 0}, 0, 3, 0},
        {{NULL, "x", "count", 3, 20000, 0}, 0, 3, 0},
        {{NULL, "x", "other", 3, 10000, 0}, 2, 0, 1},
        {{NULL, "x", "count", 3, 10000, WEDR_RULE_DISABLED}, 2, 1, 0},
        {{NULL, "x", "a", 3, 10000, 0}, 2, 0, 1}, /* the id of a rule that is no correlation */
    };
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(rows); i++) {
        struct state old, now;
        start(&old, &usual, NULL);
        start(&now, &rows[i].rules, NULL);
        (void)feed(&old, old.a, 1, 1, "ann", 5);
        (void)feed(&old, old.a, 2, 2, "ann", 5);
        struct wedr_correlate_adoption a = adopt(&now, &old);
        if (a.kept != rows[i].kept || a.changed != rows[i].changed || a.gone != rows[i].gone) {
            fail_msg("row %zu: %u kept, %u changed, %u gone", i, a.kept, a.changed, a.gone);
        }
        assert_int_equal(a.dropped, a.changed + a.gone); /* each had one window */
        stop(&old);
        stop(&now);
    }
}

static void what_does_not_fit_goes_oldest_first(void **state)
{
    (void)state;
    struct state old, now;
    struct wedr_correlate_stats stats;
    const struct wedr_correlate_limits small = {.windows_max = 128, .entries_max = 4};
    start(&old, &usual, NULL);
    start(&now, &usual, &small);
    for (uint64_t i = 0; i < 300; i++) {
        char user[16];
        (void)snprintf(user, sizeof(user), "u%u", (unsigned)i);
        (void)feed(&old, old.a, 1, i, user, (int64_t)i);
    }
    struct wedr_correlate_adoption a = adopt(&now, &old);
    assert_int_equal(a.windows, 128);
    assert_int_equal(a.dropped, 601 - 128);
    wedr_correlate_stats(now.c, &stats);
    assert_int_equal(stats.windows, 128);
    assert_int_equal(stats.evicted_windows, 601 - 128);
    assert_int_equal(feed(&now, now.a, 2, 1000, "u299", 1000), 0);
    assert_int_equal(feed(&now, now.a, 2, 1001, "u299", 1001), 2); /* with the old one: three */
    assert_int_equal(feed(&now, now.a, 2, 1002, "u0", 1), 0);
    assert_int_equal(feed(&now, now.a, 2, 1003, "u0", 2), 0);
    stop(&old);
    stop(&now);
}

static void only_a_fresh_one_adopts_and_nothing_is_half_done(void **state)
{
    (void)state;
    struct state old, now;
    struct wedr_correlate_adoption a;
    struct wedr_correlate_stats stats;
    start(&old, &usual, NULL);
    start(&now, &usual, NULL);
    (void)feed(&old, old.a, 1, 1, "ann", 5);
    assert_int_equal(wedr_correlate_adopt(old.c, now.c, &a), WEDR_E_STATE);
    int r = WEDR_E_NOMEM;
    for (size_t n = 1; r != WEDR_OK; n++) {
        (void)wedr_alloc_fail_nth(n);
        r = wedr_correlate_adopt(now.c, old.c, &a);
        (void)wedr_alloc_fail_nth(0);
        wedr_correlate_stats(now.c, &stats);
        assert_true(r == WEDR_OK || (r == WEDR_E_NOMEM && stats.windows == 0 && n < 100));
    }
    assert_int_equal(a.windows, 3);
    stop(&old);
    stop(&now);
}

static void rules_without_correlations_adopt_nothing(void **state)
{
    (void)state;
    struct state old;
    struct wedr_correlate_adoption a;
    struct wedr_engine *e;
    struct wedr_ruleset *rs = wedr_ruleset_new(1u << 20);
    assert_int_equal(wedr_engine_new_take(rs, NULL, &e, NULL), WEDR_OK);
    struct wedr_correlate *none = wedr_correlate_new(e, NULL);
    assert_non_null(none);
    start(&old, &usual, NULL);
    (void)feed(&old, old.a, 1, 1, "ann", 5);
    assert_int_equal(wedr_correlate_adopt(none, old.c, &a), WEDR_OK);
    assert_int_equal(a.gone, 3);
    assert_int_equal(a.dropped, 3);
    stop(&old);
    start(&old, &usual, NULL);
    assert_int_equal(wedr_correlate_adopt(old.c, none, &a), WEDR_OK);
    assert_int_equal(a.kept + a.windows, 0);
    stop(&old);
    wedr_correlate_free(none);
    wedr_engine_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attack_that_is_half_seen_goes_on),
        cmocka_unit_test(time_goes_on_too),
        cmocka_unit_test(another_definition_begins_empty),
        cmocka_unit_test(what_does_not_fit_goes_oldest_first),
        cmocka_unit_test(only_a_fresh_one_adopts_and_nothing_is_half_done),
        cmocka_unit_test(rules_without_correlations_adopt_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
