/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "detect/publish.h"
#include "wedr/rules/pack.h"
#include <stdio.h>
#include <string.h>

#define NAME_PREFIX "builtin/"
#define AUTHOR "wedr-server"

static bool pack_has(const char *name)
{
    const char *file = NULL, *text = NULL;
    size_t len = 0;
    for (size_t i = 0; (file = wedr_pack_file(i, &text, &len)) != NULL; i++) {
        if (strcmp(name, file) == 0) {
            return true;
        }
    }
    return false;
}

/* Adds what the program has and the store does not have in this version. */
static int add_changed(struct wedr_sources *s, uint32_t *changed)
{
    char name[WEDR_RULE_SOURCE_MAX];
    const char *file = NULL, *text = NULL;
    size_t len = 0;
    int err = WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && (file = wedr_pack_file(i, &text, &len)) != NULL; i++) {
        if (!wedr_source_language(file)) {
            continue;
        }
        (void)snprintf(name, sizeof(name), NAME_PREFIX "%s", file);
        uint32_t at = wedr_sources_find(s, name);
        if (at != WEDR_IR_NONE && s->v[at].len == len && memcmp(s->v[at].text, text, len) == 0) {
            continue;
        }
        err = wedr_sources_add(s, name, text, len);
        at = wedr_sources_find(s, name);
        if (err == WEDR_OK && at != WEDR_IR_NONE) {
            s->v[at].builtin = true;
            *changed += 1;
        }
    }
    return err;
}

static int remove_gone(const struct wedr_publish *p, struct wedr_sources *s, uint32_t *changed)
{
    int err = WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && i < s->count; i++) {
        struct wedr_source *e = &s->v[i];
        if (e->builtin && !e->fresh && strncmp(e->name, NAME_PREFIX, strlen(NAME_PREFIX)) == 0 &&
            !pack_has(e->name + strlen(NAME_PREFIX))) {
            err = p->ops->rules->remove(p->state, e->id);
            *changed += 1;
        }
    }
    return err;
}

static int
store_changed(const struct wedr_publish *p, struct wedr_sources *s, struct wedr_errinfo *ei)
{
    struct wedr_ruleset *rs = NULL;
    struct wedr_field_map *map = NULL;
    uint32_t refused = 0, stored = 0;
    int err = wedr_sources_compile(s, p->now_us, p->problem, p->ctx, &rs, &map, &refused, ei);
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
    if (err == WEDR_OK) {
        err = wedr_sources_store(s, p->ops, p->state, AUTHOR, p->now_us, &stored, ei);
    }
    wedr_log(INFO, "rules.builtin", WEDR_U64("stored", stored), WEDR_U64("refused", refused));
    return err;
}

static bool knows_severities(const struct wedr_sources *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (!s->v[i].severity[0]) {
            return false;
        }
    }
    return true;
}

/* How grave the rules are whose severity nobody wrote down: an older release did not, and those
 * that are off are never published. They stay off. */
static int find_severities(const struct wedr_publish *p, struct wedr_errinfo *ei)
{
    struct wedr_sources s;
    struct wedr_ruleset *rs = NULL;
    struct wedr_field_map *map = NULL;
    uint32_t refused = 0;
    int err = wedr_sources_load(&s, p->ops, p->state, ei);
    if (err != WEDR_OK) {
        return err;
    }
    for (size_t i = 0; i < s.count; i++) {
        s.v[i].enabled = true;
    }
    if (!knows_severities(&s)) {
        err = wedr_sources_compile(&s, p->now_us, NULL, NULL, &rs, &map, &refused, ei);
    }
    for (size_t i = 0; err == WEDR_OK && i < s.count; i++) {
        const struct wedr_source *e = &s.v[i];
        if (!e->severity[0]) {
            err = p->ops->rules->severity(p->state, e->id,
                                          e->problems ? "none" : wedr_source_severity(e));
        }
    }
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
    wedr_sources_fini(&s);
    return err;
}

int wedr_publish_builtin(const struct wedr_publish *p, struct wedr_errinfo *ei)
{
    struct wedr_sources s;
    struct wedr_bundle_row row;
    uint32_t changed = 0, refused = 0;
    int err = wedr_sources_load(&s, p->ops, p->state, ei);
    if (err != WEDR_OK) {
        return err;
    }
    err = remove_gone(p, &s, &changed);
    err = err == WEDR_OK ? add_changed(&s, &changed) : err;
    bool known = knows_severities(&s);
    if (err == WEDR_OK && changed) {
        err = store_changed(p, &s, ei);
    }
    wedr_sources_fini(&s);
    if (err == WEDR_OK && !changed) {
        err = p->ops->rules->bundle_newest(p->state, WEDR_PROFILE_DEFAULT, "linux", &row, NULL);
        changed = err == WEDR_E_NOENT;
        err = changed ? WEDR_OK : err;
    }
    if (err == WEDR_OK && !known) {
        err = find_severities(p, ei);
    }
    return err == WEDR_OK && changed ? wedr_publish(p, &refused, ei) : err;
}
