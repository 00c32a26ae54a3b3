/* SPDX-License-Identifier: Apache-2.0
 * Random rules against random events: what the tables of the engine say must be what plain
 * evaluation says. */
#include "core/base/err.h"
#include "wedr/rules/engine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FIELDS 5u
#define CLASSES 3u
#define RULES 120u
#define EVENTS 150u
#define ROUNDS 12u

static uint64_t seed;
static uint32_t least; /* pieces of a text: without short literals the filter strides */

static uint32_t below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % n;
}

/* Pieces that overlap, fold to each other, change their length when folded, or are no UTF-8. */
static const char *const pieces[] = {
    "a",        "A",    "b",        "ab",      "\\", ".exe",         "1",
    "42",       " ",    "-",        "true",    "k",  "\xE2\x84\xAA", "\xC3\x89",
    "\xC3\xA9", "\xFF", "\xC8\xBA", "10.0.0.", "s",  "\xC5\xBF",     "*",
    "?"};

static struct wedr_text some_text(uint32_t most)
{
    static char out[8][256];
    static unsigned slot;
    char *to = out[slot++ % 8];
    size_t len = 0;
    for (uint32_t n = below(most + 1) + least; n > 0; n--) {
        const char *piece = pieces[below(WEDR_ARRAY_COUNT(pieces))];
        memcpy(to + len, piece, strlen(piece));
        len += strlen(piece);
    }
    return wedr_text(to, len);
}

static struct wedr_number some_number(void)
{
    switch (below(5)) {
    case 0:
        return wedr_number_u64(UINT64_MAX - below(2));
    case 1:
        return wedr_number_f64(0.5 * below(8));
    default:
        return wedr_number_i64((int64_t)below(4) - 1);
    }
}

static uint32_t some_set(struct wedr_ruleset *rs)
{
    uint32_t set;
    enum wedr_set_mode mode = (enum wedr_set_mode)below(WEDR_SET_CIDR + 1);
    assert_int_equal(wedr_ruleset_set_new(rs, mode, below(2), &set), WEDR_OK);
    for (uint32_t n = below(6); n > 0; n--) {
        struct wedr_text t = some_text(3);
        (void)!wedr_ruleset_set_add(rs, set, t.p, t.len);
    }
    assert_int_equal(wedr_ruleset_set_seal(rs, set), WEDR_OK);
    return set;
}

static const char *const regexes[] = {
    "a+b",       "^ab",     "(?:a|b)1", "k",       "\\d{2}", "\\\\[a-z]*\\.exe$", "a?b", "ab{0,1}1",
    "[ab]{2}42", "(a|b)|1", "\xC3\xA9", "x*a\\.e", "(?i)AB", "ab|\\.exe"};

static void fill(struct wedr_ruleset *rs, struct wedr_pred *p)
{
    static const char *const nets[] = {"10.0.0.0/8", "10.0.0.1/32", "fe80::/10"};
    const char *net;
    switch (p->kind) {
    case WEDR_PRED_REGEX:
        p->u.text = wedr_text(regexes[below(WEDR_ARRAY_COUNT(regexes))], 0);
        p->u.text.len = (uint32_t)strlen(p->u.text.p);
        p->flags = (uint8_t)(below(2) ? WEDR_PRED_RE_I : 0);
        break;
    case WEDR_PRED_CIDR:
        net = nets[below(WEDR_ARRAY_COUNT(nets))];
        assert_int_equal(wedr_net_parse(net, strlen(net), &p->u.net), WEDR_OK);
        break;
    case WEDR_PRED_NUMBER:
    case WEDR_PRED_TIME:
        p->op = (uint8_t)below(WEDR_OP_GE + 1);
        p->part = (uint8_t)(p->kind == WEDR_PRED_TIME ? below(WEDR_TIME_YEAR + 1) : 0);
        p->u.number = some_number();
        break;
    case WEDR_PRED_BOOL:
        p->u.boolean = below(2);
        break;
    case WEDR_PRED_FIELD:
        p->op = (uint8_t)below(WEDR_OP_ENDS + 1);
        p->u.other = below(FIELDS);
        break;
    case WEDR_PRED_BITS:
        p->op = (uint8_t)(WEDR_OP_ALL + below(2));
        p->u.bits = below(4);
        break;
    case WEDR_PRED_SET:
        p->u.set = some_set(rs);
        break;
    case WEDR_PRED_EXISTS:
    case WEDR_PRED_NULL:
        break;
    default:
        p->u.text = some_text(3);
        if (p->kind == WEDR_PRED_WILDCARD && below(2)) {
            p->u.text = some_text(5);
        }
    }
}

static uint32_t some_leaf(struct wedr_ruleset *rs)
{
    struct wedr_pred p = {.field = below(FIELDS)};
    uint32_t node;
    /* mostly texts */
    p.kind = (uint8_t)(below(3) ? below(WEDR_PRED_REGEX) : below(WEDR_PRED_KIND_COUNT));
    p.flags = (uint8_t)(below(4) ? 0 : WEDR_PRED_CASED);
    if (below(8) == 0 && p.kind != WEDR_PRED_EXISTS && p.kind != WEDR_PRED_NULL &&
        p.kind != WEDR_PRED_FIELD) {
        p.field = WEDR_FIELD_ANY;
    }
    fill(rs, &p);
    assert_int_equal(wedr_ir_pred(rs, &p, &node, NULL), WEDR_OK);
    return node;
}

static uint32_t some_node(struct wedr_ruleset *rs, uint32_t depth)
{
    uint32_t kids[6];
    uint32_t node = WEDR_IR_NONE;
    uint32_t count = 1 + below(5);
    uint32_t what = depth == 0 ? 9 : below(10);
    if (what > 6) {
        return some_leaf(rs);
    }
    if (what == 6) {
        assert_int_equal(wedr_ir_constant(rs, below(2), &node), WEDR_OK);
        return node;
    }
    for (uint32_t i = 0; i < count; i++) {
        kids[i] = some_node(rs, depth - 1);
    }
    int r = what < 2    ? wedr_ir_and(rs, kids, count, &node)
            : what < 4  ? wedr_ir_or(rs, kids, count, &node)
            : what == 4 ? wedr_ir_not(rs, kids[0], &node)
                        : wedr_ir_at_least(rs, below(count + 2), kids, count, &node);
    assert_int_equal(r, WEDR_OK);
    return node;
}

static struct wedr_ruleset *some_rules(void)
{
    struct wedr_ruleset *rs = wedr_ruleset_new(64u << 20);
    char name[16];
    uint32_t id;
    for (uint32_t i = 0; i < FIELDS; i++) {
        int n = snprintf(name, sizeof(name), "F%u", i);
        assert_int_equal(wedr_ruleset_field(rs, name, (size_t)n, &id), WEDR_OK);
    }
    for (uint32_t i = 0; i < CLASSES; i++) {
        int n = snprintf(name, sizeof(name), "c%u", i);
        assert_int_equal(wedr_ruleset_class(rs, name, (size_t)n, &id), WEDR_OK);
    }
    uint32_t guards[4];
    for (size_t i = 0; i < 4; i++) {
        guards[i] = some_node(rs, 2);
    }
    for (uint32_t i = 0; i < RULES; i++) {
        struct wedr_rule r = wedr_rule_init();
        uint32_t classes[2] = {below(CLASSES), below(CLASSES)};
        r.condition = some_node(rs, 4);
        r.classes = classes;
        r.class_count = below(3);
        r.guard = below(2) ? guards[below(4)] : WEDR_IR_NONE;
        r.exception = below(4) ? WEDR_IR_NONE : some_node(rs, 2);
        r.flags = (uint16_t)(below(20) ? 0 : 1u << below(3));
        assert_int_equal(wedr_ruleset_add_rule(rs, &r, &id), WEDR_OK);
    }
    return rs;
}

static void add_value(struct wedr_rule_event *ev, uint32_t field, struct wedr_text *kept)
{
    struct wedr_number n = some_number();
    int r;
    switch (below(9)) {
    case 0:
        r = n.kind == WEDR_NUMBER_I64   ? wedr_rule_event_add_i64(ev, field, n.v.i)
            : n.kind == WEDR_NUMBER_U64 ? wedr_rule_event_add_u64(ev, field, n.v.u)
                                        : wedr_rule_event_add_f64(ev, field, n.v.f);
        break;
    case 1:
        r = wedr_rule_event_add_bool(ev, field, below(2));
        break;
    case 2:
        r = wedr_rule_event_add_null(ev, field);
        break;
    default:
        r = wedr_rule_event_add_text(ev, field, kept->p, kept->len);
    }
    assert_int_equal(r, WEDR_OK);
}

static void some_event(struct wedr_rule_event *ev)
{
    static char memory[64][256];
    uint32_t used = 0;
    wedr_rule_event_clear(ev);
    for (uint32_t f = 0; f < FIELDS; f++) {
        for (uint32_t n = below(3); n > 0; n--) {
            struct wedr_text t = some_text(6);
            memcpy(memory[used], t.p, t.len);
            t.p = memory[used++];
            add_value(ev, f, &t);
        }
    }
    for (uint32_t n = below(3); n > 0; n--) {
        assert_int_equal(wedr_rule_event_add_class(ev, below(CLASSES)), WEDR_OK);
    }
}

static void
compare(struct wedr_matcher *m, struct wedr_rule_event *ev, uint32_t round, uint64_t *ret_matches)
{
    const uint32_t *rules;
    size_t count;
    assert_int_equal(wedr_matcher_run(m, ev, &rules, &count), WEDR_OK);
    size_t at = 0;
    static uint32_t kept[RULES];
    memcpy(kept, rules, count * sizeof(*rules));
    for (uint32_t r = 0; r < RULES; r++) {
        bool want;
        assert_int_equal(wedr_engine_explain(m, r, ev, NULL, NULL, &want), WEDR_OK);
        bool have = at < count && kept[at] == r;
        if (want != have) {
            fail_msg("round %u: rule %u: engine %d, evaluation %d", round, r, have, want);
        }
        at += have;
    }
    assert_int_equal(at, count);
    *ret_matches += count;
}

static void the_engine_agrees_with_plain_evaluation(void **state)
{
    (void)state;
    uint64_t matches = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        seed = UINT64_C(0x9E3779B97F4A7C15) * (round + 1);
        least = round % 3 * 2;
        struct wedr_engine *e;
        struct wedr_engine_options opts = {.jit = round % 2};
        assert_int_equal(wedr_engine_new_take(some_rules(), &opts, &e, NULL), WEDR_OK);
        struct wedr_matcher *m = wedr_matcher_new(e);
        struct wedr_rule_event *ev = wedr_rule_event_new(wedr_engine_ruleset(e), NULL);
        for (uint32_t i = 0; i < EVENTS; i++) {
            some_event(ev);
            compare(m, ev, round, &matches);
        }
        struct wedr_matcher_stats s;
        wedr_matcher_stats(m, &s);
        assert_true(s.matches * 2 > s.events); /* the rules are not all silent */
        assert_true(s.candidates < (uint64_t)EVENTS * RULES * 9 / 10);
        wedr_matcher_free(m);
        wedr_rule_event_free(ev);
        wedr_engine_free(e);
    }
    assert_true(matches > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_engine_agrees_with_plain_evaluation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
