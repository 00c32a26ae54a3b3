/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/ruleset.h"

#include "core/base/err.h"
#include "core/util/alloc.h"

/* What an agent spends on windows; docs/detection.md. */
#define WINDOWS_MAX 10000u
#define WINDOW_EVENTS_MAX 50000u
#define TABLES_MAX ((size_t)48 << 20)

static int make_parts(struct wedr_detect_rules *r, const struct wedr_encoder *encoder)
{
    static const struct wedr_correlate_limits limits = {.windows_max = WINDOWS_MAX,
                                                        .entries_total_max = WINDOW_EVENTS_MAX};
    r->matcher = wedr_matcher_new(r->engine);
    r->event = wedr_rule_event_new(r->rs, NULL);
    r->matched = wedr_alloc(r->rules + 1, sizeof(r->matched[0]));
    r->held = wedr_alloc(r->rules + 1, sizeof(r->held[0]));
    if (!r->matcher || !r->event || !r->matched || !r->held) {
        return WEDR_E_NOMEM;
    }
    int err = wedr_tap_new(encoder, r->map, &r->tap);
    if (err == WEDR_OK && wedr_ruleset_correlation_count(r->rs) > 0) {
        r->correlate = wedr_correlate_new(r->engine, &limits);
        err = r->correlate ? WEDR_OK : WEDR_E_NOMEM;
    }
    return err;
}

int wedr_detect_rules_new_take(struct wedr_ruleset *rs,
                               struct wedr_field_map *map,
                               const struct wedr_encoder *encoder,
                               const struct wedr_detect_bundle *info,
                               struct wedr_detect_rules **ret,
                               struct wedr_errinfo *ei)
{
    /* No code is made at run time: core may not have memory that can be executed. */
    static const struct wedr_engine_options options = {.memory_max = TABLES_MAX, .jit = false};
    struct wedr_engine_info counts;
    struct wedr_detect_rules *r = wedr_alloc(1, sizeof(*r));
    int err = WEDR_E_NOMEM;
    if (r) {
        err = wedr_engine_new_take(rs, &options, &r->engine, ei);
    }
    if (!r || err != WEDR_OK) {
        wedr_ruleset_free(rs);
        wedr_field_map_free(map);
        wedr_free(r);
        return err;
    }
    r->info = *info;
    r->map = map;
    r->rs = wedr_engine_ruleset(r->engine);
    r->rules = wedr_ruleset_rule_count(r->rs);
    err = make_parts(r, encoder);
    if (err != WEDR_OK) {
        wedr_detect_rules_free(r);
        return wedr_fail(ei, err, "cannot make the rules ready: %s", wedr_err_text(err));
    }
    wedr_engine_info(r->engine, &counts);
    r->memory = counts.total_bytes + wedr_field_map_memory(map) + wedr_matcher_memory(r->matcher) +
                wedr_rule_event_memory(r->event);
    *ret = r;
    return WEDR_OK;
}

size_t wedr_detect_rules_memory(const struct wedr_detect_rules *r)
{
    return r->memory + (r->tap ? wedr_tap_memory(r->tap) : 0);
}

void wedr_detect_rules_rest(struct wedr_detect_rules *r)
{
    wedr_correlate_free(r->correlate);
    wedr_rule_event_free(r->event);
    wedr_matcher_free(r->matcher);
    wedr_tap_free(r->tap);
    wedr_free(r->matched);
    r->correlate = NULL;
    r->event = NULL;
    r->matcher = NULL;
    r->tap = NULL;
    r->matched = NULL;
}

void wedr_detect_rules_free(struct wedr_detect_rules *r)
{
    if (r) {
        wedr_detect_rules_rest(r);
        wedr_free(r->held);
        wedr_engine_free(r->engine);
        wedr_field_map_free(r->map);
        wedr_free(r);
    }
}
