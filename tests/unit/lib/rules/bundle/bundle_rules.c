/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle_rules.h"
#include "core/base/err.h"
#include "wedr/rules/correlate.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

uint8_t bundle_public_key[32], bundle_secret_key[64];

const struct wedr_bundle_options bundle_everything = {.serial = 1790000000000001,
                                                      .profile = "servers"};

struct wedr_text bundle_text(const char *s)
{
    return wedr_text(s, strlen(s));
}

static uint32_t field(struct wedr_ruleset *rs, const char *name)
{
    uint32_t id;
    assert_int_equal(wedr_ruleset_field(rs, name, strlen(name), &id), WEDR_OK);
    return id;
}

static uint32_t event_class(struct wedr_ruleset *rs, const char *name)
{
    uint32_t id;
    assert_int_equal(wedr_ruleset_class(rs, name, strlen(name), &id), WEDR_OK);
    return id;
}

static uint32_t list(struct wedr_ruleset *rs, enum wedr_set_mode mode, bool cased)
{
    static const char *const entries[] = {"10.0.0.0/8", "fe80::/10", "Example.org", "ab",
                                          "1.2.3.4"};
    uint32_t set;
    assert_int_equal(wedr_ruleset_set_new(rs, mode, cased, &set), WEDR_OK);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(entries); i++) {
        (void)!wedr_ruleset_set_add(rs, set, entries[i], strlen(entries[i]));
    }
    assert_int_equal(wedr_ruleset_set_seal(rs, set), WEDR_OK);
    return set;
}

/* A predicate of every kind; i picks one. */
static uint32_t predicate(struct wedr_ruleset *rs, uint32_t on, unsigned i)
{
    static const char *const texts[] = {"a", "ab", "A*b?c\\*", "x", "(ab|x+)c?$", "", "\xC3\x89"};
    struct wedr_pred p = {.field = on, .kind = (uint8_t)(i % WEDR_PRED_KIND_COUNT)};
    uint32_t node;
    p.flags = (uint8_t)(i % 2);
    switch (p.kind) {
    case WEDR_PRED_CIDR:
        assert_int_equal(wedr_net_parse("10.1.0.0/16", 11, &p.u.net), WEDR_OK);
        break;
    case WEDR_PRED_NUMBER:
        p.op = (uint8_t)(i % 6);
        p.u.number = i % 3 ? wedr_number_i64((int64_t)i - 20) : wedr_number_f64(1.5);
        break;
    case WEDR_PRED_TIME:
        p.part = (uint8_t)(i % 6);
        p.op = WEDR_OP_GE;
        p.u.number = wedr_number_i64(12);
        break;
    case WEDR_PRED_BOOL:
        p.u.boolean = i % 2;
        break;
    case WEDR_PRED_FIELD:
        p.u.other = field(rs, "other");
        break;
    case WEDR_PRED_BITS:
        p.op = i % 2 ? WEDR_OP_ALL : WEDR_OP_ANY;
        p.u.bits = UINT64_C(0x8000000000000001) >> (i % 5);
        break;
    case WEDR_PRED_SET:
        p.u.set = list(rs, (enum wedr_set_mode)(i / WEDR_PRED_KIND_COUNT % 4), i % 2);
        break;
    case WEDR_PRED_EXISTS:
    case WEDR_PRED_NULL:
        break;
    case WEDR_PRED_REGEX:
        p.flags = (uint8_t)(i % 2 ? WEDR_PRED_RE_I : WEDR_PRED_RE_M | WEDR_PRED_RE_S);
        p.u.text = bundle_text(texts[i % 6]);
        break;
    default:
        p.u.text = bundle_text(texts[i / WEDR_PRED_KIND_COUNT % WEDR_ARRAY_COUNT(texts)]);
        break;
    }
    assert_int_equal(wedr_ir_pred(rs, &p, &node, NULL), WEDR_OK);
    return node;
}

static uint32_t expression(struct wedr_ruleset *rs, unsigned i)
{
    static const char *const names[] = {"Image", "CommandLine", "n", "ip"};
    uint32_t kids[5];
    uint32_t node;
    for (unsigned k = 0; k < 5; k++) {
        kids[k] = predicate(rs, field(rs, names[(i + k) % 4]), i * 3 + k);
    }
    assert_int_equal(wedr_ir_not(rs, kids[0], &kids[0]), WEDR_OK);
    assert_int_equal(wedr_ir_or(rs, kids, 3, &kids[1]), WEDR_OK);
    assert_int_equal(wedr_ir_at_least(rs, 2, kids, 5, &kids[2]), WEDR_OK);
    assert_int_equal(wedr_ir_and(rs, &kids[1], 2, &node), WEDR_OK);
    return node;
}

static struct wedr_rule rule_of(const char *id)
{
    static const struct wedr_text tags[] = {{"attack.t1059", 12}, {"attack.execution", 16}};
    struct wedr_rule r = wedr_rule_init();
    r.id = r.title = bundle_text(id);
    r.description = bundle_text("what it finds");
    r.author = bundle_text("the author");
    r.language = bundle_text("waza");
    r.message = bundle_text("{Image} did it");
    r.tags = (struct wedr_text_list){tags, 2};
    r.severity = WEDR_SEVERITY_HIGH;
    r.actions = WEDR_ACTION_ALERT | WEDR_ACTION_KILL;
    r.source_line = 17;
    r.throttle_count = 3;
    r.throttle_ms = 60000;
    return r;
}

static uint32_t add(struct wedr_ruleset *rs, const struct wedr_rule *r)
{
    uint32_t id;
    assert_int_equal(wedr_ruleset_add_rule(rs, r, &id), WEDR_OK);
    return id;
}

static void add_correlations(struct wedr_ruleset *rs, uint32_t first)
{
    const uint32_t members[] = {first, first + 1};
    const uint32_t groups[] = {field(rs, "User")};
    const struct wedr_correlation_alias alias = {0, 1, field(rs, "other")};
    const struct wedr_correlation_join join = {0, field(rs, "Image"), 1, field(rs, "other")};
    uint32_t id;
    struct wedr_rule r = rule_of("pattern");
    struct wedr_correlation c = wedr_correlation_init();
    c.kind = WEDR_CORR_PATTERN;
    c.consume = true;
    c.timespan_ms = 5000;
    c.members = members;
    c.member_count = 2;
    c.group_by = groups;
    c.group_count = 1;
    c.aliases = &alias;
    c.alias_count = 1;
    c.joins = &join;
    c.join_count = 1;
    uint32_t kids[2];
    assert_int_equal(wedr_ir_member(rs, 0, &kids[0]), WEDR_OK);
    assert_int_equal(wedr_ir_member(rs, 1, &kids[1]), WEDR_OK);
    assert_int_equal(wedr_ir_and(rs, kids, 2, &c.expression), WEDR_OK);
    assert_int_equal(wedr_ruleset_add_correlation(rs, &r, &c, &id), WEDR_OK);
    r = rule_of("count");
    r.language = bundle_text("sigma");
    c = wedr_correlation_init();
    c.kind = WEDR_CORR_VALUE_COUNT;
    c.timespan_ms = 60000;
    c.members = members;
    c.member_count = 2;
    c.value_field = field(rs, "counted");
    c.limits[0].op = WEDR_OP_GE;
    c.limits[0].number = wedr_number_i64(3);
    c.limit_count = 1;
    assert_int_equal(wedr_ruleset_add_correlation(rs, &r, &c, &id), WEDR_OK);
}

/* Rules with everything that there is; ids r0.. and what add_correlations gives. */
struct wedr_ruleset *bundle_ruleset(void)
{
    struct wedr_ruleset *rs = wedr_ruleset_new(64u << 20);
    assert_non_null(rs);
    const uint32_t classes[] = {event_class(rs, "one"), event_class(rs, "two")};
    (void)event_class(rs, "nobody has it");
    for (unsigned i = 0; i < 40; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "r%u", i);
        struct wedr_rule r = rule_of(id);
        r.classes = &classes[i % 2];
        r.class_count = i % 5 ? 1 : 0;
        r.condition = expression(rs, i);
        r.exception = i % 7 ? WEDR_IR_NONE : predicate(rs, WEDR_FIELD_ANY, 3);
        r.guard = i % 6 ? WEDR_IR_NONE : predicate(rs, field(rs, "guarded"), i);
        r.entity_field = i % 4 ? WEDR_IR_NONE : field(rs, "entity");
        r.flags = i == 20 || i == 21 ? WEDR_RULE_HIDDEN
                  : i == 30          ? WEDR_RULE_DISABLED
                  : i == 31          ? WEDR_RULE_SERVER
                                     : 0;
        r.product = bundle_text(i % 3 == 0 ? "linux" : i % 3 == 1 ? "Windows" : "");
        (void)add(rs, &r);
    }
    add_correlations(rs, 20);
    return rs;
}

struct wedr_field_map *bundle_map(const struct wedr_ruleset *rs)
{
    struct wedr_field_map *map = wedr_field_map_new(rs);
    const struct wedr_selector_condition one[] = {{"type", "One"}, {"os", NULL}};
    const struct wedr_selector_condition two[] = {{"os", NULL}};
    assert_non_null(map);
    assert_int_equal(wedr_field_map_add(map, 1, "raw.path", "Image"), WEDR_OK);
    assert_int_equal(wedr_field_map_add(map, 1, "raw.path", "other"), WEDR_OK);
    assert_int_equal(wedr_field_map_add(map, 2, "raw.path", "CommandLine"), WEDR_OK);
    assert_int_equal(wedr_field_map_add(map, 2, "Image", "no rule has it"), WEDR_OK);
    assert_int_equal(wedr_field_map_compose(map, 1, "{raw.n:hex}/{raw.path}", "CommandLine"),
                     WEDR_OK);
    assert_int_equal(wedr_field_map_value(map, 0, "way", "out", "n", "7"), WEDR_OK);
    assert_int_equal(wedr_field_map_prefix(map, "p."), WEDR_OK);
    assert_int_equal(wedr_field_map_pairs(map, "p.data", "name", "value", "p."), WEDR_OK);
    assert_int_equal(wedr_field_map_select(map, one, 2, 1, "one"), WEDR_OK);
    assert_int_equal(wedr_field_map_select(map, two, 1, 2, "two"), WEDR_OK);
    assert_int_equal(wedr_field_map_select(map, two, 1, 0, "nobody has it"), WEDR_OK);
    assert_int_equal(wedr_field_map_seal(map), WEDR_OK);
    return map;
}
static bool only_the_pattern(void *ctx, const struct wedr_ruleset *rs, uint32_t rule)
{
    (void)ctx;
    return wedr_ruleset_rule(rs, rule)->correlation == 0;
}

const struct wedr_bundle_options bundle_pattern = {
    .serial = 1790000000000001, .profile = "servers", .keep = only_the_pattern};

void bundle_write(const struct wedr_ruleset *rs,
                  const struct wedr_field_map *map,
                  const struct wedr_bundle_options *o,
                  struct wedr_buf *out,
                  struct wedr_bundle_info *info)
{
    struct wedr_errinfo ei = {""};
    wedr_buf_init(out, WEDR_BUNDLE_MAX);
    if (wedr_bundle_write(rs, map, o, bundle_secret_key, out, info, &ei) != WEDR_OK) {
        fail_msg("%s", ei.text);
    }
}

void bundle_load(const struct wedr_buf *b, struct wedr_ruleset **rs, struct wedr_field_map **map)
{
    struct wedr_errinfo ei = {""};
    if (wedr_bundle_load(b->p, b->len, 64u << 20, rs, map, &ei) != WEDR_OK) {
        fail_msg("%s", ei.text);
    }
}

void bundle_whole(struct wedr_buf *out, const struct wedr_bundle_options *o)
{
    struct wedr_ruleset *rs = bundle_ruleset();
    struct wedr_field_map *map = bundle_map(rs);
    bundle_write(rs, map, o, out, NULL);
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
}
void bundle_side_init(struct bundle_side *s, struct wedr_ruleset *rs, struct wedr_field_map *map)
{
    s->map = map;
    assert_int_equal(wedr_engine_new_take(rs, NULL, &s->e, NULL), WEDR_OK);
    s->m = wedr_matcher_new(s->e);
    s->ev = wedr_rule_event_new(rs, NULL);
    assert_non_null(s->m);
    assert_non_null(s->ev);
}

void bundle_side_fini(struct bundle_side *s)
{
    wedr_rule_event_free(s->ev);
    wedr_matcher_free(s->m);
    wedr_field_map_free(s->map);
    wedr_engine_free(s->e);
}

/* Ids of the rules that match, joined. */
size_t bundle_match(struct bundle_side *s, const char *json, char *out, size_t size)
{
    const uint32_t *rules;
    size_t count;
    size_t at = 0;
    struct wedr_errinfo ei = {""};
    if (wedr_rule_event_read_json(s->ev, s->map, json, strlen(json), &ei) != WEDR_OK) {
        fail_msg("%s: %s", json, ei.text);
    }
    assert_int_equal(wedr_matcher_run(s->m, s->ev, &rules, &count), WEDR_OK);
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        struct wedr_text id = wedr_ruleset_rule(wedr_engine_ruleset(s->e), rules[i])->id;
        at += (size_t)snprintf(out + at, size - at, "%.*s ", (int)id.len, id.p);
    }
    return count;
}

int bundle_keys(void **state)
{
    (void)state;
    static const uint8_t seed[32] = {7};
    return crypto_sign_seed_keypair(bundle_public_key, bundle_secret_key, seed);
}
