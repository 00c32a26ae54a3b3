/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "wedr/rules/bundle.h"
#include "wedr/rules/correlate.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#define HEADER 128u

static uint8_t public_key[32], secret_key[64];

static struct wedr_text text(const char *s)
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
        p.u.text = text(texts[i % 6]);
        break;
    default:
        p.u.text = text(texts[i / WEDR_PRED_KIND_COUNT % WEDR_ARRAY_COUNT(texts)]);
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
    r.id = r.title = text(id);
    r.description = text("what it finds");
    r.author = text("the author");
    r.language = text("waza");
    r.message = text("{Image} did it");
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
    r.language = text("sigma");
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
static struct wedr_ruleset *ruleset(void)
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
        r.product = text(i % 3 == 0 ? "linux" : i % 3 == 1 ? "Windows" : "");
        (void)add(rs, &r);
    }
    add_correlations(rs, 20);
    return rs;
}

static struct wedr_field_map *map_of(const struct wedr_ruleset *rs)
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

static const struct wedr_bundle_options everything = {.serial = 1790000000000001,
                                                      .profile = "servers"};

static void write_ok(const struct wedr_ruleset *rs,
                     const struct wedr_field_map *map,
                     const struct wedr_bundle_options *o,
                     struct wedr_buf *out,
                     struct wedr_bundle_info *info)
{
    struct wedr_errinfo ei = {""};
    wedr_buf_init(out, WEDR_BUNDLE_MAX);
    if (wedr_bundle_write(rs, map, o, secret_key, out, info, &ei) != WEDR_OK) {
        fail_msg("%s", ei.text);
    }
}

static void load_ok(const struct wedr_buf *b, struct wedr_ruleset **rs, struct wedr_field_map **map)
{
    struct wedr_errinfo ei = {""};
    if (wedr_bundle_load(b->p, b->len, 64u << 20, rs, map, &ei) != WEDR_OK) {
        fail_msg("%s", ei.text);
    }
}

/* A whole bundle of everything above. */
static void bundle(struct wedr_buf *out, const struct wedr_bundle_options *o)
{
    struct wedr_ruleset *rs = ruleset();
    struct wedr_field_map *map = map_of(rs);
    write_ok(rs, map, o, out, NULL);
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
}

static void the_header_says_what_is_inside(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = ruleset();
    struct wedr_field_map *map = map_of(rs);
    struct wedr_buf b;
    struct wedr_bundle_info written, info;
    struct wedr_bundle_options o = everything;
    uint8_t hash[32];
    o.policy = WEDR_BUNDLE_KILL_ALLOWED;
    write_ok(rs, map, &o, &b, &written);
    assert_int_equal(wedr_bundle_check(b.p, b.len, public_key, &info, NULL), WEDR_OK);
    assert_memory_equal(&info, &written, sizeof(info));
    assert_int_equal(info.format, WEDR_BUNDLE_FORMAT_MIN);
    assert_int_equal(info.serial, 1790000000000001);
    assert_string_equal(info.profile, "servers");
    assert_int_equal(info.policy, WEDR_BUNDLE_KILL_ALLOWED);
    assert_int_equal(info.rules, 42);
    assert_int_equal(info.len, b.len);
    wedr_sha256(b.p, b.len, hash);
    assert_memory_equal(hash, info.sha256, sizeof(hash));
    wedr_buf_fini(&b);
    static const char *const names[] = {"", "bell\a", NULL};
    for (size_t i = 0; names[i]; i++) {
        o.profile = names[i];
        wedr_buf_init(&b, WEDR_BUNDLE_MAX);
        assert_int_equal(wedr_bundle_write(rs, map, &o, secret_key, &b, NULL, NULL), WEDR_E_INVAL);
        assert_int_equal(b.len, 0);
        wedr_buf_fini(&b);
    }
    wedr_buf_init(&b, 1000); /* no room */
    assert_int_equal(wedr_bundle_write(rs, map, &everything, secret_key, &b, NULL, NULL),
                     WEDR_E_LIMIT);
    assert_int_equal(b.len, 0);
    wedr_buf_fini(&b);
    wedr_field_map_free(map);
    map = wedr_field_map_new(rs);
    assert_int_equal(wedr_bundle_write(rs, map, &everything, secret_key, &b, NULL, NULL),
                     WEDR_E_STATE);
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
}

static void equal_rules_give_equal_bytes_and_so_do_loaded_ones(void **state)
{
    (void)state;
    struct wedr_buf a, b, c;
    struct wedr_ruleset *rs;
    struct wedr_field_map *map;
    bundle(&a, &everything);
    bundle(&b, &everything);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.p, b.p, a.len);
    load_ok(&a, &rs, &map);
    write_ok(rs, map, &everything, &c, NULL);
    assert_int_equal(a.len, c.len);
    assert_memory_equal(a.p, c.p, a.len);
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
    wedr_buf_fini(&a);
    wedr_buf_fini(&b);
    wedr_buf_fini(&c);
}

static void assert_text(struct wedr_text a, struct wedr_text b)
{
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.p, b.p, a.len);
}

static void rules_keep_all_that_they_say(void **state)
{
    (void)state;
    struct wedr_ruleset *from = ruleset();
    struct wedr_field_map *map = map_of(from);
    struct wedr_field_map *to_map;
    struct wedr_ruleset *to;
    struct wedr_buf b;
    write_ok(from, map, &everything, &b, NULL);
    load_ok(&b, &to, &to_map);
    wedr_buf_fini(&b); /* nothing of it is kept */
    assert_int_equal(wedr_ruleset_rule_count(to), wedr_ruleset_rule_count(from));
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(to); i++) {
        const struct wedr_rule *x = wedr_ruleset_rule(from, i);
        const struct wedr_rule *y = wedr_ruleset_rule(to, i);
        assert_text(x->id, y->id);
        assert_text(x->title, y->title);
        assert_text(x->message, y->message);
        assert_text(x->product, y->product);
        assert_text(x->language, y->language);
        assert_int_equal(y->tags.count, 2);
        assert_text(x->tags.v[1], y->tags.v[1]);
        assert_int_equal(x->flags, y->flags);
        assert_int_equal(x->severity, y->severity);
        assert_int_equal(x->actions, y->actions);
        assert_int_equal(x->source_line, y->source_line);
        assert_int_equal(x->throttle_count, y->throttle_count);
        assert_int_equal(x->throttle_ms, y->throttle_ms);
        assert_int_equal(x->entity_field == WEDR_IR_NONE, y->entity_field == WEDR_IR_NONE);
        assert_text(wedr_ruleset_field_name(from, x->entity_field),
                    wedr_ruleset_field_name(to, y->entity_field));
    }
    const struct wedr_correlation *c = wedr_ruleset_correlation(to, 0);
    assert_int_equal(wedr_ruleset_correlation_count(to), 2);
    assert_int_equal(c->kind, WEDR_CORR_PATTERN);
    assert_true(c->consume);
    assert_int_equal(c->members[1], 21);
    assert_text(wedr_ruleset_field_name(to, c->joins[0].field_b), text("other"));
    wedr_field_map_free(map);
    wedr_field_map_free(to_map);
    wedr_ruleset_free(from);
    wedr_ruleset_free(to);
}

/* One side of the comparison. */
struct side {
    struct wedr_engine *e;
    struct wedr_field_map *map;
    struct wedr_matcher *m;
    struct wedr_rule_event *ev;
};

static void side_init(struct side *s, struct wedr_ruleset *rs, struct wedr_field_map *map)
{
    s->map = map;
    assert_int_equal(wedr_engine_new_take(rs, NULL, &s->e, NULL), WEDR_OK);
    s->m = wedr_matcher_new(s->e);
    s->ev = wedr_rule_event_new(rs, NULL);
    assert_non_null(s->m);
    assert_non_null(s->ev);
}

static void side_fini(struct side *s)
{
    wedr_rule_event_free(s->ev);
    wedr_matcher_free(s->m);
    wedr_field_map_free(s->map);
    wedr_engine_free(s->e);
}

/* Ids of the rules that match, joined. */
static size_t match(struct side *s, const char *json, char *out, size_t size)
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

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void random_event(uint32_t *seed, char *json, size_t size)
{
    static const char *const keys[] = {"Image",    "CommandLine", "n",       "ip",
                                       "raw.path", "raw.n",       "guarded", "entity",
                                       "p.Image",  "way",         "other",   "os"};
    static const char *const values[] = {
        "\"ab\"", "\"a\"",           "\"x\"",   "12",         "\"10.1.2.3\"", "true",
        "null",   "[\"AB\",\"xc\"]", "\"out\"", "\"a1b2c*\"", "\"\\u00e9\"",  "-3"};
    size_t at =
        (size_t)snprintf(json, size, "{\"type\":\"%s\"", next_random(seed) % 3 ? "one" : "-");
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(keys); i++) {
        if (next_random(seed) % 3 != 0) {
            at += (size_t)snprintf(json + at, size - at, ",\"%s\":%s", keys[i],
                                   values[next_random(seed) % WEDR_ARRAY_COUNT(values)]);
        }
    }
    (void)snprintf(json + at, size - at, "}");
}

static void a_loaded_bundle_matches_what_its_rules_matched(void **state)
{
    (void)state;
    struct wedr_ruleset *from = ruleset();
    struct wedr_field_map *map = map_of(from);
    struct wedr_ruleset *to;
    struct wedr_field_map *to_map;
    struct side a, b;
    struct wedr_buf bytes;
    uint32_t seed = 7;
    size_t hits = 0;
    write_ok(from, map, &everything, &bytes, NULL);
    load_ok(&bytes, &to, &to_map);
    wedr_buf_fini(&bytes);
    side_init(&a, from, map);
    side_init(&b, to, to_map);
    for (int i = 0; i < 2000; i++) {
        char json[1024], x[1024], y[1024];
        random_event(&seed, json, sizeof(json));
        hits += match(&a, json, x, sizeof(x));
        (void)match(&b, json, y, sizeof(y));
        if (strcmp(x, y) != 0) {
            fail_msg("%s: %s, loaded: %s", json, x, y);
        }
    }
    assert_true(hits > 2000);
    side_fini(&a);
    side_fini(&b);
}

static bool not_r8(void *ctx, const struct wedr_ruleset *rs, uint32_t rule)
{
    (void)ctx;
    struct wedr_text id = wedr_ruleset_rule(rs, rule)->id;
    return !wedr_text_equal(id, wedr_text("r8", 2), true);
}

static uint32_t has_rule(const struct wedr_ruleset *rs, const char *id)
{
    return wedr_ruleset_rule_find(rs, id, strlen(id));
}

static void an_agent_gets_what_can_match_there(void **state)
{
    (void)state;
    struct wedr_bundle_options o = everything;
    struct wedr_ruleset *rs;
    struct wedr_field_map *map;
    struct wedr_buf b;
    o.parts = WEDR_BUNDLE_AGENT | WEDR_BUNDLE_LINUX;
    o.keep = not_r8;
    bundle(&b, &o);
    load_ok(&b, &rs, &map);
    static const char *const out[] = {"r30", "r31", "count", "r8", "r1", "r4"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(out); i++) {
        assert_int_equal(has_rule(rs, out[i]), WEDR_IR_NONE);
    }
    static const char *const in[] = {"r0", "r2", "r3", "r20", "r21", "pattern"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(in); i++) {
        assert_int_not_equal(has_rule(rs, in[i]), WEDR_IR_NONE);
    }
    assert_true(wedr_ruleset_rule(rs, has_rule(rs, "r20"))->flags & WEDR_RULE_HIDDEN);
    /* Only a correlation that stayed out counts this field. */
    assert_int_equal(wedr_ruleset_field_find(rs, "counted", 7), WEDR_IR_NONE);
    assert_int_equal(wedr_ruleset_class_find(rs, "nobody has it", 13), WEDR_IR_NONE);
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
    wedr_buf_fini(&b);
}

static bool only_the_pattern(void *ctx, const struct wedr_ruleset *rs, uint32_t rule)
{
    (void)ctx;
    return wedr_ruleset_rule(rs, rule)->correlation == 0;
}

static void members_come_along_hidden(void **state)
{
    (void)state;
    struct wedr_bundle_options o = everything;
    struct wedr_ruleset *rs;
    struct wedr_field_map *map;
    struct wedr_buf b;
    o.keep = only_the_pattern;
    bundle(&b, &o);
    load_ok(&b, &rs, &map);
    assert_int_equal(wedr_ruleset_rule_count(rs), 3);
    assert_int_equal(wedr_ruleset_rule(rs, 0)->flags, WEDR_RULE_HIDDEN);
    assert_int_equal(wedr_ruleset_correlation(rs, 0)->members[1], 1);
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
    wedr_buf_fini(&b);
}

static void any_changed_byte_is_refused(void **state)
{
    (void)state;
    struct wedr_buf b;
    struct wedr_bundle_info info;
    struct wedr_bundle_options o = everything;
    o.keep = only_the_pattern;
    bundle(&b, &o);
    for (size_t i = 0; i < b.len; i++) {
        for (unsigned bit = 0; bit < 8; bit += 7) {
            b.p[i] ^= (uint8_t)(1u << bit);
            int r = wedr_bundle_check(b.p, b.len, public_key, &info, NULL);
            int want = i < 8               ? WEDR_E_FORMAT
                       : i < 12            ? WEDR_E_VERSION
                       : i < 16            ? WEDR_E_FORMAT
                       : i >= 32 && i < 96 ? r
                                           : WEDR_E_AUTH;
            assert_int_not_equal(r, WEDR_OK);
            assert_int_equal(r, want);
            b.p[i] ^= (uint8_t)(1u << bit);
        }
    }
    for (size_t n = 0; n < b.len; n++) {
        assert_int_not_equal(wedr_bundle_check(b.p, n, public_key, &info, NULL), WEDR_OK);
    }
    public_key[3] ^= 1;
    assert_int_equal(wedr_bundle_check(b.p, b.len, public_key, &info, NULL), WEDR_E_AUTH);
    assert_int_equal(wedr_bundle_peek(b.p, b.len, &info, NULL), WEDR_OK); /* asks for no key */
    assert_int_equal(info.rules, 3);
    public_key[3] ^= 1;
    assert_int_equal(wedr_bundle_check(b.p, b.len, public_key, &info, NULL), WEDR_OK);
    wedr_buf_fini(&b);
}

static void sign_again(struct wedr_buf *b)
{
    wedr_sha256(b->p + HEADER, b->len - HEADER - 64, b->p + 96);
    (void)crypto_sign_detached(b->p + b->len - 64, NULL, b->p, b->len - 64, secret_key);
}

static void load_anything(const struct wedr_buf *b)
{
    struct wedr_ruleset *rs;
    struct wedr_field_map *map;
    struct wedr_errinfo ei = {""};
    int r = wedr_bundle_load(b->p, b->len, 8u << 20, &rs, &map, &ei);
    if (r == WEDR_OK) {
        struct side s;
        char out[2048];
        side_init(&s, rs, map);
        (void)match(&s, "{\"type\":\"one\",\"os\":1,\"raw.path\":\"ab\",\"Image\":\"ab\",\"n\":12}",
                    out, sizeof(out));
        side_fini(&s);
    } else {
        assert_int_not_equal(ei.text[0], '\0');
    }
}

static void a_signed_body_with_any_byte_changed_never_crashes(void **state)
{
    (void)state;
    struct wedr_buf b;
    struct wedr_bundle_info info;
    struct wedr_bundle_options o = everything;
    o.keep = only_the_pattern;
    bundle(&b, &o);
    static const uint8_t with[] = {0x01, 0x80, 0xFF, 0x7F};
    for (size_t i = HEADER; i < b.len - 64; i++) {
        for (size_t k = 0; k < sizeof(with); k++) {
            b.p[i] ^= with[k];
            sign_again(&b);
            if (i % 16 == 0) {
                assert_int_equal(wedr_bundle_check(b.p, b.len, public_key, &info, NULL), WEDR_OK);
            }
            load_anything(&b);
            b.p[i] ^= with[k];
        }
    }
    wedr_buf_fini(&b);
}

static void other_formats_are_named(void **state)
{
    (void)state;
    struct wedr_buf b;
    struct wedr_bundle_info info;
    struct wedr_ruleset *rs;
    struct wedr_field_map *map;
    bundle(&b, &everything);
    static const uint32_t formats[] = {0, WEDR_BUNDLE_FORMAT + 1, UINT32_MAX};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(formats); i++) {
        struct wedr_errinfo ei = {""};
        char number[32];
        wedr_put_le32(b.p + 8, formats[i]);
        sign_again(&b);
        assert_int_equal(wedr_bundle_check(b.p, b.len, public_key, &info, &ei), WEDR_E_VERSION);
        (void)snprintf(number, sizeof(number), "format %u;", (unsigned)formats[i]);
        assert_non_null(strstr(ei.text, number));
        assert_int_equal(wedr_bundle_load(b.p, b.len, 1u << 24, &rs, &map, &ei), WEDR_E_VERSION);
    }
    wedr_put_le32(b.p + 8, WEDR_BUNDLE_FORMAT_MIN);
    b.p[HEADER] ^= 1; /* the signature alone is made again */
    (void)crypto_sign_detached(b.p + b.len - 64, NULL, b.p, b.len - 64, secret_key);
    assert_int_equal(wedr_bundle_check(b.p, b.len, public_key, &info, NULL), WEDR_E_CORRUPT);
    assert_int_equal(wedr_bundle_load(b.p, b.len, 1u << 24, &rs, &map, NULL), WEDR_E_CORRUPT);
    wedr_buf_fini(&b);
}

static void memory_is_bounded_and_every_allocation_may_fail(void **state)
{
    (void)state;
    struct wedr_buf b;
    struct wedr_ruleset *rs;
    struct wedr_field_map *map;
    struct wedr_bundle_options o = everything;
    o.keep = only_the_pattern;
    bundle(&b, &o);
    assert_int_equal(wedr_bundle_load(b.p, b.len, 4096, &rs, &map, NULL), WEDR_E_NOMEM);
    int r = WEDR_E_NOMEM;
    for (size_t n = 1; r == WEDR_E_NOMEM; n++) {
        (void)wedr_alloc_fail_nth(n);
        r = wedr_bundle_load(b.p, b.len, 8u << 20, &rs, &map, NULL);
    }
    (void)wedr_alloc_fail_nth(0);
    assert_int_equal(r, WEDR_OK);
    r = WEDR_E_NOMEM;
    for (size_t n = 1; r != WEDR_OK; n++) {
        struct wedr_buf again;
        wedr_buf_init(&again, WEDR_BUNDLE_MAX);
        (void)wedr_alloc_fail_nth(n);
        r = wedr_bundle_write(rs, map, &o, secret_key, &again, NULL, NULL);
        (void)wedr_alloc_fail_nth(0);
        assert_true(r == WEDR_OK || (again.len == 0 && n < 1000));
        wedr_buf_fini(&again);
    }
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
    wedr_buf_fini(&b);
}

static int keys(void **state)
{
    (void)state;
    static const uint8_t seed[32] = {7};
    return crypto_sign_seed_keypair(public_key, secret_key, seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_says_what_is_inside),
        cmocka_unit_test(equal_rules_give_equal_bytes_and_so_do_loaded_ones),
        cmocka_unit_test(rules_keep_all_that_they_say),
        cmocka_unit_test(a_loaded_bundle_matches_what_its_rules_matched),
        cmocka_unit_test(an_agent_gets_what_can_match_there),
        cmocka_unit_test(members_come_along_hidden),
        cmocka_unit_test(any_changed_byte_is_refused),
        cmocka_unit_test(a_signed_body_with_any_byte_changed_never_crashes),
        cmocka_unit_test(other_formats_are_named),
        cmocka_unit_test(memory_is_bounded_and_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, keys, NULL);
}
