/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/publish.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "detect/profile.h"
#include "wedr/rules/bundle.h"
#include <stdio.h>
#include <string.h>

#define PROFILES_MAX 1024u
#define MADE_BYTES_MAX ((size_t)1 << 30) /* of all bundles of a publishing, in memory */
#define OS_SERVER "server"

struct work {
    const struct wedr_publish *p;
    struct wedr_profile *profiles;
    size_t count;
    const struct wedr_ruleset *rs;
    const struct wedr_field_map *map;
    struct wedr_bundle_new *made; /* stored together at the end; their bytes are this one's */
    size_t made_count, made_bytes;
    struct wedr_errinfo *ei;
};

static int add_profile(void *ctx, const struct wedr_profile *p, uint32_t agents)
{
    struct work *w = ctx;
    (void)agents;
    if (w->count == PROFILES_MAX) {
        return WEDR_E_LIMIT;
    }
    struct wedr_profile *v = wedr_realloc(w->profiles, w->count + 1, sizeof(*v));
    if (!v) {
        return WEDR_E_NOMEM;
    }
    w->profiles = v;
    v[w->count++] = *p;
    return WEDR_OK;
}

static bool keep_for_profile(void *ctx, const struct wedr_ruleset *rs, uint32_t rule)
{
    const struct wedr_rule *r = wedr_ruleset_rule(rs, rule);
    return (r->flags & WEDR_RULE_HIDDEN) != 0 || wedr_profile_has(ctx, r);
}

/* What the server runs counts for every host: a rule that any profile has. */
static bool keep_for_server(void *ctx, const struct wedr_ruleset *rs, uint32_t rule)
{
    const struct work *w = ctx;
    const struct wedr_rule *r = wedr_ruleset_rule(rs, rule);
    const uint16_t off = WEDR_RULE_DISABLED | WEDR_RULE_NEEDS_LIST | WEDR_RULE_HIDDEN;
    if (!wedr_rule_is_servers(r) || (r->flags & off) != 0) {
        return false;
    }
    for (size_t i = 0; i < w->count; i++) {
        if (wedr_profile_has(&w->profiles[i], r)) {
            return true;
        }
    }
    return false;
}

/* Serials rise even when the clock went back. */
static int
next_serial(const struct wedr_publish *p, const char *profile, const char *os, uint64_t *serial)
{
    struct wedr_bundle_row row;
    int err = p->ops->rules->bundle_newest(p->state, profile, os, &row, NULL);
    if (err == WEDR_OK && row.serial >= *serial) {
        *serial = row.serial + 1;
    }
    return err == WEDR_E_NOENT ? WEDR_OK : err;
}

static int
keep_made(struct work *w, const struct wedr_bundle_row *row, const struct wedr_buf *bytes)
{
    if (bytes->len > MADE_BYTES_MAX - w->made_bytes) {
        return wedr_fail(w->ei, WEDR_E_LIMIT, "the bundles of all profiles exceed %zu MiB",
                         MADE_BYTES_MAX >> 20);
    }
    struct wedr_bundle_new *v = wedr_realloc(w->made, w->made_count + 1, sizeof(*v));
    w->made = v ? v : w->made;
    uint8_t *copy = v ? wedr_alloc(bytes->len, 1) : NULL;
    if (!copy) {
        return WEDR_E_NOMEM;
    }
    memcpy(copy, bytes->p, bytes->len);
    v[w->made_count++] = (struct wedr_bundle_new){*row, copy, bytes->len};
    w->made_bytes += bytes->len;
    return WEDR_OK;
}

static int make_bundle(struct work *w,
                       const char *profile,
                       const char *os,
                       const struct wedr_bundle_options *options)
{
    struct wedr_bundle_row row = {.created_us = w->p->now_us};
    struct wedr_bundle_info info;
    struct wedr_buf bytes;
    struct wedr_bundle_options o = *options;
    o.profile = profile;
    o.serial = (uint64_t)w->p->now_us;
    wedr_buf_init(&bytes, WEDR_BUNDLE_MAX);
    int err = next_serial(w->p, profile, os, &o.serial);
    if (err == WEDR_OK) {
        err = wedr_bundle_write(w->rs, w->map, &o, w->p->secret, &bytes, &info, w->ei);
    }
    if (err == WEDR_OK) {
        (void)snprintf(row.profile, sizeof(row.profile), "%s", profile);
        (void)snprintf(row.os, sizeof(row.os), "%s", os);
        row.serial = o.serial;
        row.size = bytes.len;
        row.rules = info.rules;
        wedr_hex(info.sha256, sizeof(info.sha256), row.sha256);
        err = keep_made(w, &row, &bytes);
    }
    wedr_buf_fini(&bytes);
    return err;
}

static int make_profile(struct work *w, struct wedr_profile *p)
{
    struct wedr_bundle_options o = {.policy = p->kill_allowed ? WEDR_BUNDLE_KILL_ALLOWED : 0,
                                    .settings = p->sensor,
                                    .keep = keep_for_profile,
                                    .keep_ctx = p};
    o.parts = WEDR_BUNDLE_AGENT | WEDR_BUNDLE_LINUX;
    int err = make_bundle(w, p->name, "linux", &o);
    o.parts = WEDR_BUNDLE_AGENT | WEDR_BUNDLE_WINDOWS;
    return err == WEDR_OK ? make_bundle(w, p->name, "windows", &o) : err;
}

static int make_all(struct work *w)
{
    struct wedr_bundle_options server = {.keep = keep_for_server, .keep_ctx = w};
    bool found = w->p->profile == NULL;
    int err = WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && i < w->count; i++) {
        if (!w->p->profile || strcmp(w->p->profile, w->profiles[i].name) == 0) {
            err = make_profile(w, &w->profiles[i]);
            found = true;
        }
    }
    if (err == WEDR_OK && !found) {
        return wedr_fail(w->ei, WEDR_E_NOENT, "there is no profile %.64s", w->p->profile);
    }
    return err == WEDR_OK ? make_bundle(w, WEDR_PROFILE_SERVER, OS_SERVER, &server) : err;
}

static int store_all(const struct work *w)
{
    const struct wedr_publish *p = w->p;
    int err = p->ops->rules->bundles_put(p->state, w->made, w->made_count);
    for (size_t i = 0; err == WEDR_OK && p->published && i < w->made_count; i++) {
        p->published(p->ctx, &w->made[i].row);
    }
    return err;
}

/* What people see of a rule without compiling it. */
static int store_severities(const struct wedr_publish *p, const struct wedr_sources *s)
{
    int err = WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && i < s->count; i++) {
        const struct wedr_source *e = &s->v[i];
        if (e->enabled && strcmp(wedr_source_severity(e), e->severity) != 0) {
            err = p->ops->rules->severity(p->state, e->id, wedr_source_severity(e));
        }
    }
    return err;
}

static void work_fini(struct work *w)
{
    for (size_t i = 0; i < w->made_count; i++) {
        wedr_free((void *)(uintptr_t)w->made[i].bytes);
    }
    wedr_free(w->made);
    wedr_free(w->profiles);
}

int wedr_publish(const struct wedr_publish *p, uint32_t *ret_refused, struct wedr_errinfo *ei)
{
    struct wedr_sources sources;
    struct wedr_ruleset *rs = NULL;
    struct wedr_field_map *map = NULL;
    struct work w = {.p = p, .ei = ei};
    uint32_t refused = 0;
    int err = wedr_sources_load(&sources, p->ops, p->state, ei);
    if (err != WEDR_OK) {
        return err;
    }
    err = p->ops->rules->profile_each(p->state, add_profile, &w);
    if (err == WEDR_OK) {
        err =
            wedr_sources_compile(&sources, p->now_us, p->problem, p->ctx, &rs, &map, &refused, ei);
    }
    if (err == WEDR_OK && refused) {
        err =
            wedr_fail(ei, WEDR_E_FORMAT,
                      "%u rules do not compile: what was published before stays in force", refused);
    } else if (err == WEDR_OK) {
        w.rs = rs;
        w.map = map;
        err = make_all(&w);
        err = err == WEDR_OK ? store_all(&w) : err;
        err = err == WEDR_OK ? store_severities(p, &sources) : err;
    }
    *ret_refused = refused;
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
    work_fini(&w);
    wedr_sources_fini(&sources);
    return err;
}
