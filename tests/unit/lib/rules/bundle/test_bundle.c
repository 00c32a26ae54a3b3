/* SPDX-License-Identifier: Apache-2.0
 *
 * What a bundle says, and what its rules do once they are loaded. */
#include "bundle_rules.h"
#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/util/sha256.h"
#include "wedr/rules/correlate.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void the_header_says_what_is_inside(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = bundle_ruleset();
    struct wedr_field_map *map = bundle_map(rs);
    struct wedr_buf b;
    struct wedr_bundle_info written, info;
    struct wedr_bundle_options o = bundle_everything;
    uint8_t hash[32];
    o.policy = WEDR_BUNDLE_KILL_ALLOWED;
    bundle_write(rs, map, &o, &b, &written);
    assert_int_equal(wedr_bundle_check(b.p, b.len, bundle_public_key, &info, NULL), WEDR_OK);
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
        assert_int_equal(wedr_bundle_write(rs, map, &o, bundle_secret_key, &b, NULL, NULL),
                         WEDR_E_INVAL);
        assert_int_equal(b.len, 0);
        wedr_buf_fini(&b);
    }
    wedr_buf_init(&b, 1000); /* no room */
    assert_int_equal(
        wedr_bundle_write(rs, map, &bundle_everything, bundle_secret_key, &b, NULL, NULL),
        WEDR_E_LIMIT);
    assert_int_equal(b.len, 0);
    wedr_buf_fini(&b);
    wedr_field_map_free(map);
    map = wedr_field_map_new(rs);
    assert_int_equal(
        wedr_bundle_write(rs, map, &bundle_everything, bundle_secret_key, &b, NULL, NULL),
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
    bundle_whole(&a, &bundle_everything);
    bundle_whole(&b, &bundle_everything);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.p, b.p, a.len);
    bundle_load(&a, &rs, &map);
    bundle_write(rs, map, &bundle_everything, &c, NULL);
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
    struct wedr_ruleset *from = bundle_ruleset();
    struct wedr_field_map *map = bundle_map(from);
    struct wedr_field_map *to_map;
    struct wedr_ruleset *to;
    struct wedr_buf b;
    bundle_write(from, map, &bundle_everything, &b, NULL);
    bundle_load(&b, &to, &to_map);
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
    assert_text(wedr_ruleset_field_name(to, c->joins[0].field_b), bundle_text("other"));
    wedr_field_map_free(map);
    wedr_field_map_free(to_map);
    wedr_ruleset_free(from);
    wedr_ruleset_free(to);
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
    struct wedr_ruleset *from = bundle_ruleset();
    struct wedr_field_map *map = bundle_map(from);
    struct wedr_ruleset *to;
    struct wedr_field_map *to_map;
    struct bundle_side a, b;
    struct wedr_buf bytes;
    uint32_t seed = 7;
    size_t hits = 0;
    bundle_write(from, map, &bundle_everything, &bytes, NULL);
    bundle_load(&bytes, &to, &to_map);
    wedr_buf_fini(&bytes);
    bundle_side_init(&a, from, map);
    bundle_side_init(&b, to, to_map);
    for (int i = 0; i < 2000; i++) {
        char json[1024], x[1024], y[1024];
        random_event(&seed, json, sizeof(json));
        hits += bundle_match(&a, json, x, sizeof(x));
        (void)bundle_match(&b, json, y, sizeof(y));
        if (strcmp(x, y) != 0) {
            fail_msg("%s: %s, loaded: %s", json, x, y);
        }
    }
    assert_true(hits > 2000);
    bundle_side_fini(&a);
    bundle_side_fini(&b);
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
    struct wedr_bundle_options o = bundle_everything;
    struct wedr_ruleset *rs;
    struct wedr_field_map *map;
    struct wedr_buf b;
    o.parts = WEDR_BUNDLE_AGENT | WEDR_BUNDLE_LINUX;
    o.keep = not_r8;
    bundle_whole(&b, &o);
    bundle_load(&b, &rs, &map);
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

static void members_come_along_hidden(void **state)
{
    (void)state;
    struct wedr_ruleset *rs;
    struct wedr_field_map *map;
    struct wedr_buf b;
    bundle_whole(&b, &bundle_pattern);
    bundle_load(&b, &rs, &map);
    assert_int_equal(wedr_ruleset_rule_count(rs), 3);
    assert_int_equal(wedr_ruleset_rule(rs, 0)->flags, WEDR_RULE_HIDDEN);
    assert_int_equal(wedr_ruleset_correlation(rs, 0)->members[1], 1);
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
    wedr_buf_fini(&b);
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
    };
    return cmocka_run_group_tests(tests, bundle_keys, NULL);
}
