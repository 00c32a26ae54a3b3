/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/template.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "detect/profile.h"
#include "detect/sources.h"
#include <string.h>

static bool is_waza(const struct wedr_source *e)
{
    return strcmp(e->language, "waza") == 0;
}

static bool is_of(const struct wedr_rule *r, const struct wedr_source *e)
{
    return r->source_file.len == strlen(e->name) &&
           memcmp(r->source_file.p, e->name, r->source_file.len) == 0;
}

static bool profile_has(const struct wedr_profile *p,
                        const struct wedr_source *e,
                        const struct wedr_ruleset *rs)
{
    uint32_t count = e->rule_count ? wedr_ruleset_rule_count(rs) : 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct wedr_rule *r = wedr_ruleset_rule(rs, i);
        if ((r->flags & WEDR_RULE_HIDDEN) == 0 && is_of(r, e) && wedr_profile_has(p, r)) {
            return true;
        }
    }
    return false;
}

static int give_all(const struct wedr_sources *s,
                    const struct wedr_ruleset *rs,
                    const struct wedr_profile *p,
                    wedr_template_fn *fn,
                    void *ctx)
{
    int err = WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && i < s->count; i++) {
        const struct wedr_source *e = &s->v[i];
        if (is_waza(e)) {
            bool on = e->enabled && e->problems == 0 && profile_has(p, e, rs);
            err = fn(ctx, e->name, on, e->text, e->len);
        }
    }
    return err;
}

int wedr_template_each(const struct wedr_state_ops *ops,
                       struct wedr_state *state,
                       const char *profile,
                       int64_t now_us,
                       wedr_template_fn *fn,
                       void *ctx,
                       struct wedr_errinfo *ei)
{
    struct wedr_sources sources;
    struct wedr_ruleset *rs = NULL;
    struct wedr_field_map *map = NULL;
    uint32_t refused = 0;
    struct wedr_profile *p = wedr_alloc(1, sizeof(*p));
    int err = p ? ops->rules->profile_get(state, profile, p) : WEDR_E_NOMEM;
    err = err == WEDR_OK ? wedr_sources_load(&sources, ops, state, ei) : err;
    if (err != WEDR_OK) {
        wedr_free(p);
        return err;
    }
    for (size_t i = 0; i < sources.count; i++) {
        sources.v[i].enabled = sources.v[i].enabled && is_waza(&sources.v[i]);
    }
    err = wedr_sources_compile(&sources, now_us, NULL, NULL, &rs, &map, &refused, ei);
    err = err == WEDR_OK ? give_all(&sources, rs, p, fn, ctx) : err;
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
    wedr_sources_fini(&sources);
    wedr_free(p);
    return err;
}
