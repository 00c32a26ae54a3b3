/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_bundle.c — any bytes as the body of a rule bundle (behind four bytes: how many
 * rules the header promised): refused, or it compiles, matches, and is written again. */
#include "bundle/bundle.h"
#include "core/base/endian.h"
#include "core/base/err.h"
#include "wedr/rules/engine.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MEMORY_MAX ((size_t)8 << 20)

static void require(int ok)
{
    if (!ok) {
        abort();
    }
}

static void match(const struct wedr_engine *e, const struct wedr_field_map *map)
{
    static const char json[] =
        "{\"type\":\"one\",\"os\":1,\"raw\":{\"path\":\"ab\\u00e9\",\"n\":12},"
        "\"Image\":[\"ab\",\"x\"],\"CommandLine\":\"a1b2c*\",\"way\":\"out\"}";
    const struct wedr_rule_event_limits limits = {.values_max = 200, .document_max = 4096};
    struct wedr_rule_event *ev = wedr_rule_event_new(wedr_engine_ruleset(e), &limits);
    struct wedr_matcher *m = wedr_matcher_new(e);
    require(ev && m);
    const uint32_t *rules;
    size_t count;
    int r = wedr_rule_event_read_json(ev, map, json, sizeof(json) - 1, NULL);
    require(r == WEDR_OK || r == WEDR_E_LIMIT);
    if (r == WEDR_OK) {
        require(wedr_matcher_run(m, ev, &rules, &count) == WEDR_OK);
    }
    wedr_matcher_free(m);
    wedr_rule_event_free(ev);
}

static void write_again(const struct wedr_ruleset *rs, const struct wedr_field_map *map)
{
    static const uint8_t key[WEDR_BUNDLE_SECRET_KEY_LEN];
    const struct wedr_bundle_options o = {.serial = 1, .profile = "fuzz"};
    struct wedr_ruleset *again;
    struct wedr_field_map *again_map;
    struct wedr_buf out;
    wedr_buf_init(&out, WEDR_BUNDLE_MAX);
    if (wedr_bundle_write(rs, map, &o, key, &out, NULL, NULL) == WEDR_OK) {
        int r = wedr_bundle_load(out.p, out.len, 4 * MEMORY_MAX, &again, &again_map, NULL);
        require(r == WEDR_OK);
        require(wedr_ruleset_rule_count(again) == wedr_ruleset_rule_count(rs));
        wedr_field_map_free(again_map);
        wedr_ruleset_free(again);
    }
    wedr_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wedr_ruleset *rs;
    struct wedr_field_map *map;
    struct wedr_engine *e;
    struct wedr_errinfo ei = {""};
    const struct wedr_engine_options options = {.memory_max = MEMORY_MAX};
    if (size < 4) {
        return 0;
    }
    int r = wedr_bundle_read_body(data + 4, size - 4, wedr_le32(data), MEMORY_MAX, &rs, &map, &ei);
    if (r < 0) {
        require(ei.text[0] != '\0');
        return 0;
    }
    write_again(rs, map);
    if (wedr_engine_new_take(rs, &options, &e, NULL) < 0) {
        wedr_ruleset_free(rs);
    } else {
        match(e, map);
        wedr_engine_free(e);
    }
    wedr_field_map_free(map);
    return 0;
}
