/* SPDX-License-Identifier: Apache-2.0
 * The tap against the reader of JSON: for records of every type, filled at random, both give rules
 * the same event. */
#include "encode/tap.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/rules/engine.h"
#include "wedr/rules/pipeline.h"
#include "wedr/wire/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define RULES_MEMORY ((size_t)64 << 20)
#define NAMES_MAX 1200u
#define CLASSES_MAX 120u

static uint8_t mem[WEDR_RECORD_MAX];
static char line[1024 * 1024];
static const struct wedr_clock_pair pair = {1000000000u, 1790000000000000};

static uint32_t seed;

static uint32_t next_random(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* --- Names that rules may use. */

static char names[NAMES_MAX][64];
static uint32_t name_count;
static char classes[CLASSES_MAX][96];
static uint32_t class_count;

static void add_name(const char *name)
{
    for (uint32_t i = 0; i < name_count; i++) {
        if (strcmp(names[i], name) == 0) {
            return;
        }
    }
    assert_true(name_count < NAMES_MAX);
    (void)snprintf(names[name_count++], sizeof(names[0]), "%s", name);
}

static void on_field(void *ctx, const char *view, const char *source, const char *field)
{
    (void)ctx;
    (void)view;
    (void)source;
    add_name(field);
}

static void on_source(void *ctx, const char *source, const char *view)
{
    (void)ctx;
    (void)view;
    assert_true(class_count < CLASSES_MAX);
    (void)snprintf(classes[class_count++], sizeof(classes[0]), "%s", source);
}

static void collect_names(void)
{
    static const char *const envelope[] = {
        "ts",   "module",        "event_type", "ts_ft_100ns", "source",
        "kind", "event_version", "seq",        "drop_count",  "trunc_count"};
    static const char *const suffixes[] = {"", "_hex", "_cut", "_code"};
    const char *yaml;
    size_t len;
    size_t count;
    const struct wedr_type_info *types = wedr_types(&count);
    struct wedr_pipeline *p;
    assert_string_equal(wedr_pipeline_builtin(0, &yaml, &len), "wedr");
    assert_int_equal(wedr_pipeline_read(yaml, len, &p, NULL), WEDR_OK);
    wedr_pipeline_fields(p, on_field, NULL);
    wedr_pipeline_sources(p, on_source, NULL);
    wedr_pipeline_free(p);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(envelope); i++) {
        add_name(envelope[i]);
    }
    for (size_t t = 0; t < count; t++) {
        for (size_t i = 0; i < types[t].field_count; i++) {
            const struct wedr_field_info *f = &types[t].fields[i];
            char name[64];
            for (size_t s = 0; s < WEDR_ARRAY_COUNT(suffixes); s++) {
                (void)snprintf(name, sizeof(name), "raw.%s%s", f->name, suffixes[s]);
                add_name(name);
            }
            (void)snprintf(name, sizeof(name), "process.%s", f->process_key);
            add_name(name);
        }
    }
}

/* --- Rulesets. */

struct side {
    struct wedr_encoder *enc;
    struct wedr_engine *e;
    const struct wedr_ruleset *rs;
    struct wedr_field_map *map;
    struct wedr_tap *tap;
    struct wedr_matcher *m;
    struct wedr_rule_event *read, *tapped;
};

static uint32_t predicate(struct wedr_ruleset *rs, const char *name)
{
    static const char *const texts[] = {"1", "a", "e", "0", "/", "true", "outbound", "SHA256="};
    struct wedr_pred p = {.kind = WEDR_PRED_EXISTS};
    uint32_t node;
    assert_int_equal(wedr_ruleset_field(rs, name, strlen(name), &p.field), WEDR_OK);
    if (next_random(3) > 0) {
        const char *t = texts[next_random(WEDR_ARRAY_COUNT(texts))];
        p.kind = next_random(2) ? WEDR_PRED_CONTAINS : WEDR_PRED_PREFIX;
        p.u.text = wedr_text(t, strlen(t));
        if (next_random(12) == 0) {
            p.field = WEDR_FIELD_ANY;
        }
    } else if (next_random(4) == 0) {
        p.kind = WEDR_PRED_NUMBER;
        p.op = (uint8_t)next_random(6);
        p.u.number = wedr_number_i64((int64_t)next_random(300));
    }
    assert_int_equal(wedr_ir_pred(rs, &p, &node, NULL), WEDR_OK);
    return node;
}

/* `dense`: rules of every class over every field, so that both events must be the same in full. */
static struct wedr_ruleset *rules(bool dense, bool any)
{
    struct wedr_ruleset *rs = wedr_ruleset_new(RULES_MEMORY);
    assert_non_null(rs);
    for (uint32_t c = 0; c < class_count; c++) {
        static uint32_t kids[NAMES_MAX];
        uint32_t count = 0;
        struct wedr_rule rule = wedr_rule_init();
        uint32_t event_class;
        uint32_t id;
        if (!dense && next_random(3) == 0) {
            continue; /* types without rules */
        }
        for (uint32_t i = 0; i < name_count; i++) {
            if (dense || next_random(12) == 0) {
                kids[count++] = predicate(rs, names[i]);
            }
        }
        assert_int_equal(wedr_ruleset_class(rs, classes[c], strlen(classes[c]), &event_class),
                         WEDR_OK);
        rule.classes = &event_class;
        rule.class_count = any && next_random(10) == 0 ? 0 : 1;
        for (uint32_t i = 0; i + 1 < count; i += 2) {
            assert_int_equal(wedr_ir_and(rs, &kids[i], 2, &rule.condition), WEDR_OK);
            rule.entity_field =
                next_random(3) ? WEDR_IR_NONE : next_random(wedr_ruleset_field_count(rs));
            assert_int_equal(wedr_ruleset_add_rule(rs, &rule, &id), WEDR_OK);
        }
    }
    return rs;
}

static void side_init(struct side *s, bool dense, bool any)
{
    struct wedr_ruleset *rs = rules(dense, any);
    const char *yaml;
    size_t len;
    struct wedr_pipeline *p;
    s->rs = rs;
    assert_int_equal(wedr_engine_new_take(rs, NULL, &s->e, NULL), WEDR_OK);
    (void)wedr_pipeline_builtin(0, &yaml, &len);
    assert_int_equal(wedr_pipeline_read(yaml, len, &p, NULL), WEDR_OK);
    const struct wedr_pipeline *const given[] = {p};
    assert_int_equal(wedr_pipeline_map(rs, given, 1, next_random(2), &s->map, NULL), WEDR_OK);
    wedr_pipeline_free(p);
    assert_int_equal(wedr_encoder_new(&s->enc), WEDR_OK);
    assert_int_equal(wedr_tap_new(s->enc, s->map, &s->tap), WEDR_OK);
    s->m = wedr_matcher_new(s->e);
    s->read = wedr_rule_event_new(rs, NULL);
    s->tapped = wedr_rule_event_new(rs, NULL);
    assert_non_null(s->m);
    assert_non_null(s->read);
    assert_non_null(s->tapped);
}

static void side_fini(struct side *s)
{
    wedr_rule_event_free(s->read);
    wedr_rule_event_free(s->tapped);
    wedr_matcher_free(s->m);
    wedr_tap_free(s->tap);
    wedr_encoder_free(s->enc);
    wedr_field_map_free(s->map);
    wedr_engine_free(s->e);
}

/* --- Records. */

static void random_text(struct wedr_record *r, const struct wedr_field_info *f, uint8_t os)
{
    static const char *const texts[] = {"/usr/bin/a",
                                        "say \"x\"\\n",
                                        "\xC3\xA9\x01",
                                        "bad\xFFtext",
                                        "",
                                        "e1",
                                        "a b c",
                                        ("docker-0123456789abcdef0123456789abcdef0123456789abcdef"
                                         "0123456789abcdef.scope")};
    const char *t = texts[next_random(WEDR_ARRAY_COUNT(texts))];
    size_t len = strlen(t);
    uint16_t flags = (uint16_t)(next_random(4) || f->kind == WEDR_KIND_BYTES ? 0u : WEDR_SF_CUT);
    if (f->kind == WEDR_KIND_ARGV || f->kind == WEDR_KIND_LIST) {
        static const char list[] = "one\0tw\"o\0\xC3\xA9\0";
        assert_int_equal(wedr_record_set_str(r, f->name, list, next_random(sizeof(list)), flags),
                         WEDR_OK);
    } else if (os == WEDR_OS_WINDOWS && f->kind == WEDR_KIND_STR && next_random(2)) {
        static const char wide[] = "C\0:\0\\\0\xE9\0\x3D\xD8\x00\xDE\x01\xDC";
        flags = (uint16_t)(flags | WEDR_SF_UTF16);
        assert_int_equal(
            wedr_record_set_str(r, f->name, wide, 2 * (size_t)next_random(sizeof(wide) / 2), flags),
            WEDR_OK);
    } else {
        (void)!wedr_record_set_str(r, f->name, t, len, flags);
    }
}

static void random_record(struct wedr_record *r, const struct wedr_type_info *t, uint8_t os)
{
    for (size_t i = 0; i < t->field_count; i++) {
        const struct wedr_field_info *f = &t->fields[i];
        if (f->derived || (f->os_mask & os) == 0 || next_random(3) == 0) {
            continue;
        }
        if (f->kind == WEDR_KIND_JSON) {
            (void)!wedr_record_set_str(r, f->name, "[{}]", 4, 0);
        } else if (wedr_kind_is_string(f->kind)) {
            random_text(r, f, os);
        } else if (f->kind == WEDR_KIND_IP) {
            struct wedr_ip ip = {next_random(2) ? 4 : 6, {10, (uint8_t)next_random(3), 3, 4}};
            (void)!wedr_record_set_ip(r, f->name, ip);
        } else {
            uint64_t v = next_random(5) ? next_random(4) : UINT64_C(0x9000000000000001);
            (void)!wedr_record_set_uint(r, f->name, v);
        }
    }
}

static bool
encode_random(struct side *s, const struct wedr_type_info *t, uint8_t os, size_t *ret_len)
{
    struct wedr_record r;
    struct wedr_event_view v;
    assert_int_equal(wedr_record_begin(&r, mem, sizeof(mem), t->code, os), WEDR_OK);
    random_record(&r, t, os);
    wedr_record_set_counts(&r, next_random(2), next_random(2));
    uint16_t existing = (uint16_t)(next_random(4) ? 0u : WEDR_EVF_EXISTING);
    uint8_t stream = t->code >= WEDR_EV_AGENT_START ? WEDR_STREAM_AGENT : t->lane;
    size_t n = wedr_record_finish(&r, next_random(1000), 1001500000 + next_random(999999), stream,
                                  existing);
    return wedr_event_decode(wedr_span(mem, n), &v) == WEDR_OK &&
           wedr_encode(s->enc, &v, pair, line, sizeof(line), ret_len) == WEDR_OK;
}

/* --- Comparing. */

static bool has_class(const struct wedr_rule_event *ev, uint32_t c)
{
    for (uint32_t i = 0; i < wedr_rule_event_class_count(ev); i++) {
        if (wedr_rule_event_class(ev, i) == c) {
            return true;
        }
    }
    return false;
}

static bool applies(const struct side *s, const struct wedr_rule *rule)
{
    bool yes = rule->class_count == 0;
    for (uint32_t i = 0; i < rule->class_count; i++) {
        yes |= has_class(s->read, rule->classes[i]);
    }
    return yes;
}

static void mark(const struct wedr_ruleset *rs, uint32_t node, uint8_t *marks, bool *keywords)
{
    const struct wedr_node *n = wedr_ruleset_node(rs, node);
    for (uint32_t i = 0; i < n->kid_count; i++) {
        mark(rs, wedr_ruleset_kids(rs, n)[i], marks, keywords);
    }
    if (n->kind == WEDR_NODE_PRED) {
        uint32_t field = wedr_ruleset_pred(rs, n->arg)->field;
        *keywords |= field == WEDR_FIELD_ANY;
        if (field != WEDR_FIELD_ANY) {
            marks[field] = 1;
        }
    }
}

static void same_value(struct side *s, uint32_t a, uint32_t b)
{
    struct wedr_text x = wedr_rule_event_text(s->read, a);
    struct wedr_text y = wedr_rule_event_text(s->tapped, b);
    const struct wedr_rule_value *v = wedr_rule_event_value(s->read, a);
    const struct wedr_rule_value *w = wedr_rule_event_value(s->tapped, b);
    if (v->kind != w->kind || x.len != y.len || (x.len > 0 && memcmp(x.p, y.p, x.len) != 0)) {
        fail_msg("%s: '%.*s' is '%.*s'", line, (int)x.len, x.p, (int)y.len, y.p);
    }
    if (v->kind == WEDR_VALUE_NUMBER) {
        assert_int_equal(wedr_number_compare(v->number, w->number), 0);
        assert_int_equal(v->number.kind, w->number.kind);
    }
    assert_int_equal(v->name.len, w->name.len);
    assert_memory_equal(v->name.p, w->name.p, v->name.len);
}

static void same_field(struct side *s, uint32_t field)
{
    uint32_t a = wedr_rule_event_first(s->read, field);
    uint32_t b = wedr_rule_event_first(s->tapped, field);
    while (a != WEDR_IR_NONE && b != WEDR_IR_NONE) {
        same_value(s, a, b);
        a = wedr_rule_event_value(s->read, a)->next;
        b = wedr_rule_event_value(s->tapped, b)->next;
    }
    if (a != b) {
        struct wedr_text name = wedr_ruleset_field_name(s->rs, field);
        fail_msg("%s: another number of %.*s", line, (int)name.len, name.p);
    }
}

/* Every value in the order of the document, those that repeat another left out. */
static void same_values(struct side *s)
{
    uint32_t b = 0;
    for (uint32_t a = 0; a < wedr_rule_event_value_count(s->read); a++) {
        if (wedr_rule_event_value(s->read, a)->origin != a) {
            continue;
        }
        while (b < wedr_rule_event_value_count(s->tapped) &&
               wedr_rule_event_value(s->tapped, b)->origin != b) {
            b++;
        }
        assert_true(b < wedr_rule_event_value_count(s->tapped));
        same_value(s, a, b++);
    }
}

static size_t same_matches(struct side *s, bool any)
{
    static uint32_t kept[65536];
    const uint32_t *v;
    size_t n;
    size_t m = 0;
    assert_int_equal(wedr_matcher_run(s->m, s->read, &v, &n), WEDR_OK);
    assert_true(n < WEDR_ARRAY_COUNT(kept));
    memcpy(kept, v, n * sizeof(*v));
    if (any) {
        assert_int_equal(wedr_matcher_run(s->m, s->tapped, &v, &m), WEDR_OK);
    }
    assert_int_equal(n, m);
    assert_memory_equal(kept, v, n * sizeof(*v));
    return n;
}

static size_t same_event(struct side *s, size_t len, bool wanted)
{
    static uint8_t marks[NAMES_MAX];
    bool any = false;
    bool keywords = false;
    struct wedr_errinfo ei = {""};
    assert_int_equal(wedr_tap_fill(s->tap, s->enc, line, len, s->tapped, &any), WEDR_OK);
    line[len] = '\0';
    if (wedr_rule_event_read_json(s->read, s->map, line, len, &ei) != WEDR_OK) {
        fail_msg("%s: %s", line, ei.text);
    }
    memset(marks, 0, sizeof(marks));
    bool should = false;
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(s->rs); i++) {
        const struct wedr_rule *rule = wedr_ruleset_rule(s->rs, i);
        if (applies(s, rule)) {
            should = true;
            mark(s->rs, rule->condition, marks, &keywords);
            if (rule->entity_field != WEDR_IR_NONE) {
                marks[rule->entity_field] = 1;
            }
        }
    }
    assert_int_equal(any, should);
    assert_true(wanted || !should);
    if (any) {
        assert_int_equal(wedr_rule_event_class_count(s->read),
                         wedr_rule_event_class_count(s->tapped));
        for (uint32_t i = 0; i < wedr_rule_event_class_count(s->read); i++) {
            assert_true(has_class(s->tapped, wedr_rule_event_class(s->read, i)));
        }
        for (uint32_t f = 0; f < wedr_ruleset_field_count(s->rs); f++) {
            if (marks[f]) {
                same_field(s, f);
            }
        }
    } else {
        assert_int_equal(wedr_rule_event_value_count(s->tapped), 0);
    }
    if (any && keywords) {
        same_values(s);
    }
    return same_matches(s, any);
}

/* All types of both systems, `rounds` records each; how many matches there were. */
static size_t compare(struct side *s, int rounds)
{
    size_t count;
    size_t matches = 0;
    const struct wedr_type_info *types = wedr_types(&count);
    for (size_t i = 0; i < 2 * count * (size_t)rounds; i++) {
        const struct wedr_type_info *t = &types[i / 2 % count];
        uint8_t os = i % 2 == 0 ? WEDR_OS_LINUX : WEDR_OS_WINDOWS;
        size_t len;
        bool json = t->code == WEDR_EV_ALERT;
        if ((t->os_mask & os) == 0 || json || !encode_random(s, t, os, &len)) {
            continue;
        }
        matches += same_event(s, len, wedr_tap_wants(s->tap, os, t->code));
    }
    return matches;
}

static void every_type_gives_what_the_reader_of_json_gives(void **state)
{
    (void)state;
    struct side s;
    seed = 11;
    side_init(&s, true, true);
    assert_true(compare(&s, 20) > 1000);
    side_fini(&s);
}

static void what_few_rules_ask_for_is_there_and_types_without_rules_are_left_alone(void **state)
{
    (void)state;
    size_t matches = 0;
    for (uint32_t i = 0; i < 40; i++) {
        struct side s;
        seed = 1000 + i;
        side_init(&s, false, i % 4 == 0);
        matches += compare(&s, 12);
        side_fini(&s);
    }
    assert_true(matches > 1000);
}

static void without_rules_nothing_is_wanted(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = wedr_ruleset_new(1u << 20);
    struct wedr_field_map *map;
    struct wedr_encoder *enc;
    struct wedr_tap *tap;
    size_t count;
    const struct wedr_type_info *types = wedr_types(&count);
    assert_int_equal(wedr_pipeline_map(rs, NULL, 0, true, &map, NULL), WEDR_OK);
    assert_int_equal(wedr_encoder_new(&enc), WEDR_OK);
    assert_int_equal(wedr_tap_new(enc, map, &tap), WEDR_OK);
    for (size_t i = 0; i < count; i++) {
        assert_false(wedr_tap_wants(tap, WEDR_OS_LINUX, types[i].code));
        assert_false(wedr_tap_wants(tap, WEDR_OS_WINDOWS, types[i].code));
    }
    assert_false(wedr_tap_wants(tap, 0, 1));
    assert_false(wedr_tap_wants(tap, WEDR_OS_LINUX, 60000));
    wedr_tap_free(tap);
    wedr_encoder_free(enc);
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
}

static void ask_all(struct wedr_tap *tap)
{
    size_t count;
    const struct wedr_type_info *types = wedr_types(&count);
    for (size_t i = 0; i < count; i++) {
        (void)wedr_tap_wants(tap, WEDR_OS_LINUX, types[i].code);
        (void)wedr_tap_wants(tap, WEDR_OS_WINDOWS, types[i].code);
    }
}

static void a_type_costs_memory_from_its_first_event_on(void **state)
{
    (void)state;
    struct side s;
    seed = 5;
    side_init(&s, true, true);
    size_t none = wedr_tap_memory(s.tap);
    assert_true(wedr_tap_wants(s.tap, WEDR_OS_LINUX, WEDR_EV_PROCESS_CREATE));
    size_t one = wedr_tap_memory(s.tap);
    assert_true(wedr_tap_wants(s.tap, WEDR_OS_LINUX, WEDR_EV_PROCESS_CREATE));
    assert_int_equal(wedr_tap_memory(s.tap), one);
    ask_all(s.tap);
    assert_true(none < one && 10 * (one - none) < wedr_tap_memory(s.tap));
    side_fini(&s);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct side s;
    struct wedr_tap *tap = NULL;
    seed = 5;
    side_init(&s, false, true);
    ask_all(s.tap);
    for (size_t n = 1, calls = n; calls >= n; n++) {
        (void)wedr_alloc_fail_nth(n);
        int r = wedr_tap_new(s.enc, s.map, &tap);
        assert_int_equal(r, n == 1 ? WEDR_E_NOMEM : WEDR_OK);
        if (r == WEDR_OK) {
            ask_all(tap);
        }
        calls = wedr_alloc_fail_nth(0);
        if (calls < n) { /* none failed */
            assert_int_equal(wedr_tap_memory(tap), wedr_tap_memory(s.tap));
        }
        wedr_tap_free(r == WEDR_OK ? tap : NULL);
        assert_true(n < 100000);
    }
    side_fini(&s);
}

/* The first, the fifth and so on of the allocations that a type needs: the line is read as JSON. */
static void without_memory_for_a_form_rules_see_the_same(void **state)
{
    (void)state;
    for (size_t n = 1; n < 200; n += 4) {
        struct side s;
        seed = 77;
        side_init(&s, true, true);
        (void)wedr_alloc_fail_nth(n);
        assert_true(wedr_tap_wants(s.tap, WEDR_OS_LINUX, WEDR_EV_PROCESS_CREATE));
        (void)wedr_alloc_fail_nth(0);
        assert_true(compare(&s, 1) > 0);
        side_fini(&s);
    }
}

static int group(void **state)
{
    (void)state;
    collect_names();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_gives_what_the_reader_of_json_gives),
        cmocka_unit_test(what_few_rules_ask_for_is_there_and_types_without_rules_are_left_alone),
        cmocka_unit_test(without_rules_nothing_is_wanted),
        cmocka_unit_test(a_type_costs_memory_from_its_first_event_on),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(without_memory_for_a_form_rules_see_the_same),
    };
    return cmocka_run_group_tests(tests, group, NULL);
}
