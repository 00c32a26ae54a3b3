/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "detect/hunt.h"
#include "wedr/plat/pki.h"
#include "wedr/plat/time.h"
#include "wedr/rules/bundle.h"
#include <string.h>

struct choice {
    struct wedr_sources *s;
    const char *const *ids;
    size_t id_count;
    bool *found; /* by id */
    wedr_problem_fn *fn;
    void *ctx;
    uint32_t bad;
    uint32_t kept;
};

static bool same(struct wedr_text t, const char *s)
{
    return strlen(s) == t.len && memcmp(s, t.p, t.len) == 0;
}

static const struct wedr_source *source_of(const struct choice *c, struct wedr_text name)
{
    for (size_t i = 0; i < c->s->count; i++) {
        if (same(name, c->s->v[i].name)) {
            return &c->s->v[i];
        }
    }
    return NULL;
}

static bool named(struct choice *c, struct wedr_text id)
{
    bool any = false;
    for (size_t i = 0; id.len && i < c->id_count; i++) {
        if (same(id, c->ids[i])) {
            c->found[i] = true;
            any = true;
        }
    }
    return any;
}

static bool keep(void *ctx, const struct wedr_ruleset *rs, uint32_t rule)
{
    struct choice *c = ctx;
    const struct wedr_rule *r = wedr_ruleset_rule(rs, rule);
    const struct wedr_source *e = source_of(c, r->source_file);
    if ((r->flags & WEDR_RULE_HIDDEN) != 0) {
        return false;
    }
    bool wanted = named(c, r->id);
    wanted = (e && e->id && named(c, wedr_text(e->id, strlen(e->id)))) || wanted;
    wanted = (e && e->fresh) || wanted;
    c->kept += wanted;
    return wanted;
}

/* Other rules that are stored and do not compile are nobody's concern here. */
static void on_problem(void *ctx, const struct wedr_problem *p)
{
    struct choice *c = ctx;
    const struct wedr_source *e = source_of(c, wedr_text(p->file, strlen(p->file)));
    if (e && (e->fresh || (e->id && named(c, wedr_text(e->id, strlen(e->id)))))) {
        c->bad += !p->warning;
        if (c->fn) {
            c->fn(c->ctx, p);
        }
    }
}

/* A bundle has what is kept and what that rests on: written and read back, it is the choice. */
static int cut_out(struct choice *c,
                   const struct wedr_ruleset *all,
                   const struct wedr_field_map *map,
                   struct wedr_ruleset **ret_rs,
                   struct wedr_field_map **ret_map,
                   struct wedr_errinfo *ei)
{
    uint8_t pub[WEDR_SIGN_PUBLIC_LEN], secret[WEDR_SIGN_SECRET_LEN];
    struct wedr_bundle_options o = {.serial = 1, .profile = "hunt", .keep = keep, .keep_ctx = c};
    struct wedr_buf bytes;
    wedr_sign_keypair(pub, secret);
    wedr_buf_init(&bytes, WEDR_BUNDLE_MAX);
    int err = wedr_bundle_write(all, map, &o, secret, &bytes, NULL, ei);
    if (err == WEDR_OK) {
        err = wedr_bundle_load(bytes.p, bytes.len, WEDR_RULESET_BYTES_MAX, ret_rs, ret_map, ei);
    }
    wedr_wipe(secret, sizeof(secret));
    wedr_buf_fini(&bytes);
    return err;
}

static int check_found(const struct choice *c, struct wedr_errinfo *ei)
{
    for (size_t i = 0; i < c->id_count; i++) {
        if (!c->found[i]) {
            return wedr_fail(ei, WEDR_E_NOENT, "there is no rule %.200s", c->ids[i]);
        }
    }
    return c->kept ? WEDR_OK : wedr_fail(ei, WEDR_E_NOENT, "there is no rule to hunt with");
}

int wedr_hunt_choose(struct wedr_sources *s,
                     const char *const *ids,
                     size_t id_count,
                     wedr_problem_fn *fn,
                     void *ctx,
                     struct wedr_ruleset **ret_rs,
                     struct wedr_field_map **ret_map,
                     struct wedr_errinfo *ei)
{
    struct choice c = {.s = s, .ids = ids, .id_count = id_count, .fn = fn, .ctx = ctx};
    struct wedr_ruleset *all = NULL, *rs = NULL;
    struct wedr_field_map *all_map = NULL, *map = NULL;
    uint32_t refused = 0;
    c.found = wedr_alloc(id_count + 1, sizeof(*c.found));
    if (!c.found) {
        return WEDR_E_NOMEM;
    }
    for (size_t i = 0; i < s->count; i++) {
        struct wedr_source *e = &s->v[i];
        e->enabled =
            e->enabled || e->fresh || (e->id && named(&c, wedr_text(e->id, strlen(e->id))));
    }
    int err =
        wedr_sources_compile(s, wedr_time_utc_us(), on_problem, &c, &all, &all_map, &refused, ei);
    if (err == WEDR_OK && c.bad) {
        err = wedr_fail(ei, WEDR_E_FORMAT, "%u rules do not compile", c.bad);
    }
    err = err == WEDR_OK ? cut_out(&c, all, all_map, &rs, &map, ei) : err;
    err = err == WEDR_OK ? check_found(&c, ei) : err;
    wedr_field_map_free(all_map);
    wedr_ruleset_free(all);
    wedr_free(c.found);
    if (err != WEDR_OK) {
        wedr_field_map_free(map);
        wedr_ruleset_free(rs);
        return err;
    }
    *ret_rs = rs;
    *ret_map = map;
    return WEDR_OK;
}
