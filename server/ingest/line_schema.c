/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/line_schema.h"

#include "core/base/err.h"
#include "ingest/schema_table.h"
#include <string.h>

#define FREE_KEYS_MAX 512u /* keys of a plugin's raw object and everything in it */

static bool list_of_text(const struct wedr_line *line, size_t i)
{
    for (uint64_t k = 1; k <= line->m[i].v; k++) {
        const struct wedr_lp_member *e = &line->m[i + (size_t)k];
        if (e->type != WEDR_LP_STR) {
            return false;
        }
    }
    return true;
}

static bool value_ok(const struct wedr_schema_slot *s, const struct wedr_line *line, size_t i)
{
    const struct wedr_lp_member *m = &line->m[i];
    switch (s->json_type) {
    case WEDR_JSON_STR:
        return m->type == WEDR_LP_STR && wedr_schema_text_ok(s, m->s, m->s_len);
    case WEDR_JSON_BOOL:
        return m->type == WEDR_LP_BOOL;
    case WEDR_JSON_LIST:
        return m->type == WEDR_LP_LIST && list_of_text(line, i);
    case WEDR_JSON_VALUE:
        return m->type == WEDR_LP_LIST || m->type == WEDR_LP_OBJ;
    default:
        break;
    }
    return (m->type == WEDR_LP_INT || m->type == WEDR_LP_UINT) &&
           wedr_schema_number_ok(s, m->type, m->v);
}

/* Looks from `from` on, round the end: they mostly come in the table's order. */
static int env_find(const struct wedr_lp_member *m, int from)
{
    for (int n = 0; n < WEDR_ENV_COUNT; n++) {
        int i = from + n < WEDR_ENV_COUNT ? from + n : from + n - WEDR_ENV_COUNT;
        if (m->key_len == wedr_env_keys[i].len &&
            wedr_schema_same(m->key, wedr_env_keys[i].text + 1, m->key_len)) {
            return i;
        }
    }
    return -1;
}

/* Collects the top-level members; false on an unknown or repeated key or a wrong type. */
static bool read_envelope(const struct wedr_line *line,
                          const struct wedr_lp_member *env[WEDR_ENV_COUNT])
{
    bool good = true;
    int next = 0;
    for (size_t i = 0; i < line->count; i++) {
        const struct wedr_lp_member *m = &line->m[i];
        if (m->scope != WEDR_LP_TOP) {
            continue;
        }
        int k = env_find(m, next);
        next = k + 1;
        if (k < 0 || env[k] != NULL || m->type != wedr_env_keys[k].type ||
            (m->type == WEDR_LP_INT && (int64_t)m->v < 0)) {
            good = false;
            continue;
        }
        env[k] = m;
    }
    return good;
}

/* Nothing twice in one object, however deep: keys are compared within the same parent. */
static bool free_keys_unique(const struct wedr_line *line)
{
    uint32_t used[FREE_KEYS_MAX * 2];
    size_t keys = 0;
    memset(used, 0, sizeof(used));
    for (size_t i = 0; i < line->count; i++) {
        const struct wedr_lp_member *m = &line->m[i];
        if (m->key == NULL || m->scope == WEDR_LP_TOP) {
            continue;
        }
        if (++keys > FREE_KEYS_MAX) {
            return false;
        }
        uint32_t h = wedr_schema_key_hash(0, m->key, m->key_len) ^ (m->parent * 2654435761u);
        for (;; h++) {
            uint32_t *u = &used[h % (FREE_KEYS_MAX * 2)];
            if (*u == 0) {
                *u = (uint32_t)i + 1u;
                break;
            }
            const struct wedr_lp_member *o = &line->m[*u - 1u];
            if (o->parent == m->parent && o->key_len == m->key_len &&
                memcmp(o->key, m->key, m->key_len) == 0) {
                return false;
            }
        }
    }
    return true;
}

static bool check_plugin(const struct wedr_line *line,
                         const struct wedr_lp_member *const env[WEDR_ENV_COUNT],
                         const char *stream,
                         struct wedr_line_info *ret)
{
    if (wedr_stream_class(stream) != WEDR_CLASS_PLUGIN ||
        !wedr_schema_says(env[WEDR_ENV_EVENT_TYPE], "plugin_event", 12) ||
        env[WEDR_ENV_PLUGIN_ID] == NULL || env[WEDR_ENV_PROCESS] != NULL) {
        return false;
    }
    ret->type = NULL;
    ret->code = (uint8_t)WEDR_TYPE_CODE_PLUGIN;
    return free_keys_unique(line);
}

static bool slot_is(const struct wedr_schema_slot *s, const struct wedr_lp_member *m)
{
    return s->scope == m->scope && s->key_len == m->key_len &&
           wedr_schema_same(wedr_schema_key(s), m->key, m->key_len);
}

/* before: index of the slot before it, or the number of slots for the first. */
static struct wedr_schema_slot *
next_slot(struct wedr_schema_type *t, size_t before, const struct wedr_lp_member *m)
{
    struct wedr_schema_slot *s =
        &t->slot[atomic_load_explicit(&t->follower[before], memory_order_relaxed)];
    if (slot_is(s, m)) {
        return s;
    }
    s = wedr_schema_find(t, m->scope, m->key, m->key_len);
    if (s != NULL) {
        atomic_store_explicit(&t->follower[before], (uint16_t)(s - t->slot), memory_order_relaxed);
    }
    return s;
}

/* The keys of process and raw: each known for this type and OS, once, of the right type; none
 * missing. */
static bool check_fields(struct wedr_schema_type *t,
                         const struct wedr_line *line,
                         uint8_t os,
                         struct wedr_line_info *ret)
{
    size_t index = t->slot_count;
    bool process_seen = false;
    for (size_t i = 0; i < line->count; i++) {
        const struct wedr_lp_member *m = &line->m[i];
        if (m->scope == WEDR_LP_TOP) {
            process_seen = process_seen || (m->type == WEDR_LP_OBJ && m->key_len == 7);
            continue;
        }
        if (m->scope == WEDR_LP_NESTED) {
            continue; /* list elements: looked at with their list */
        }
        struct wedr_schema_slot *s = next_slot(t, index, m);
        if (s == NULL) {
            return false;
        }
        index = (size_t)(s - t->slot);
        uint64_t *word = &ret->keys[index / 64u], bit = UINT64_C(1) << (index % 64u);
        if ((*word & bit) != 0 || (s->os_mask & os) == 0 || !value_ok(s, line, i)) {
            return false;
        }
        *word |= bit;
        if (s->column != WEDR_SCHEMA_NO_COLUMN) {
            ret->column[s->column] = m;
        }
    }
    return wedr_schema_complete(t, ret, process_seen);
}

bool wedr_schema_complete(const struct wedr_schema_type *t,
                          const struct wedr_line_info *info,
                          bool has_process)
{
    const uint64_t *required = t->required[info->os == WEDR_OSM_LINUX ? 0 : 1];
    uint64_t missing = 0;
    for (size_t i = 0; i < WEDR_SCHEMA_WORDS; i++) {
        missing |= required[i] & ~info->keys[i];
    }
    return missing == 0 && (!has_process || wedr_schema_has(info, t->process_pid));
}

static bool check_known(struct wedr_schema_table *schema,
                        const struct wedr_line *line,
                        const struct wedr_lp_member *const env[WEDR_ENV_COUNT],
                        const char *stream,
                        struct wedr_line_info *ret)
{
    for (int i = WEDR_ENV_COMMON; i < WEDR_ENV_COUNT; i++) {
        if (env[i] != NULL) {
            return false;
        }
    }
    struct wedr_schema_type *t =
        wedr_schema_type_of(schema, env[WEDR_ENV_EVENT_TYPE]->s, env[WEDR_ENV_EVENT_TYPE]->s_len);
    if (t == NULL || !wedr_schema_says(env[WEDR_ENV_MODULE], t->type->module, t->module_len) ||
        !wedr_schema_says(env[WEDR_ENV_KIND], t->type->kind, t->kind_len) ||
        (t->type->os_mask & ret->os) == 0) {
        return false;
    }
    if (wedr_stream_class(stream) != t->stream_class) {
        return false;
    }
    ret->type = t->type;
    ret->code = (uint8_t)t->type->code;
    ret->schema = t;
    return check_fields(t, line, ret->os, ret);
}

int wedr_line_check(const struct wedr_line *line, const char *stream, struct wedr_line_info *ret)
{
    const struct wedr_lp_member *env[WEDR_ENV_COUNT] = {NULL};
    struct wedr_schema_table *schema = wedr_schema_get();
    if (schema == NULL) {
        return WEDR_E_NOMEM;
    }
    memset(ret, 0, sizeof(*ret));
    bool good = read_envelope(line, env);
    if (env[WEDR_ENV_SEQ] != NULL && env[WEDR_ENV_SEQ]->v != 0) {
        ret->has_seq = true;
        ret->seq = env[WEDR_ENV_SEQ]->v;
    }
    ret->os = (uint8_t)(env[WEDR_ENV_TS_FT] != NULL ? WEDR_OSM_WINDOWS : WEDR_OSM_LINUX);
    if (!good || !ret->has_seq || env[WEDR_ENV_TS] == NULL || env[WEDR_ENV_MODULE] == NULL ||
        env[WEDR_ENV_EVENT_TYPE] == NULL || env[WEDR_ENV_RAW] == NULL ||
        env[WEDR_ENV_KIND] == NULL || env[WEDR_ENV_VERSION] == NULL ||
        env[WEDR_ENV_VERSION]->v != WEDR_WIRE_VERSION || env[WEDR_ENV_SOURCE] == NULL ||
        !wedr_schema_source_ok(env[WEDR_ENV_SOURCE]->s, env[WEDR_ENV_SOURCE]->s_len) ||
        !wedr_line_time_parse(env[WEDR_ENV_TS]->s, env[WEDR_ENV_TS]->s_len, &ret->ts_us)) {
        return WEDR_E_FORMAT;
    }
    bool plugin = wedr_schema_says(env[WEDR_ENV_MODULE], "plugin", 6);
    good =
        plugin ? check_plugin(line, env, stream, ret) : check_known(schema, line, env, stream, ret);
    return good ? WEDR_OK : WEDR_E_FORMAT;
}

static void
read_columns(struct wedr_schema_type *t, const struct wedr_line *line, struct wedr_line_info *ret)
{
    size_t index = t->slot_count;
    for (size_t i = 0; i < line->count; i++) {
        const struct wedr_lp_member *m = &line->m[i];
        if (m->scope != WEDR_LP_PROCESS && m->scope != WEDR_LP_RAW) {
            continue;
        }
        const struct wedr_schema_slot *s = next_slot(t, index, m);
        index = s != NULL ? (size_t)(s - t->slot) : index;
        if (s != NULL && s->column != WEDR_SCHEMA_NO_COLUMN) {
            ret->column[s->column] = m;
        }
    }
}

int wedr_line_read(const struct wedr_line *line, struct wedr_line_info *ret)
{
    const struct wedr_lp_member *env[WEDR_ENV_COUNT] = {NULL};
    struct wedr_schema_table *schema = wedr_schema_get();
    if (schema == NULL) {
        return WEDR_E_NOMEM;
    }
    memset(ret, 0, sizeof(*ret));
    (void)read_envelope(line, env);
    if (env[WEDR_ENV_SEQ] == NULL || env[WEDR_ENV_TS] == NULL || env[WEDR_ENV_EVENT_TYPE] == NULL ||
        !wedr_line_time_parse(env[WEDR_ENV_TS]->s, env[WEDR_ENV_TS]->s_len, &ret->ts_us)) {
        return WEDR_E_FORMAT;
    }
    ret->has_seq = true;
    ret->seq = env[WEDR_ENV_SEQ]->v;
    ret->code = (uint8_t)WEDR_TYPE_CODE_PLUGIN;
    struct wedr_schema_type *t =
        wedr_schema_type_of(schema, env[WEDR_ENV_EVENT_TYPE]->s, env[WEDR_ENV_EVENT_TYPE]->s_len);
    if (t != NULL) {
        ret->type = t->type;
        ret->code = (uint8_t)t->type->code;
        read_columns(t, line, ret);
    }
    return WEDR_OK;
}

const struct wedr_lp_member *wedr_line_raw(const struct wedr_line *line, const char *key)
{
    size_t n = strlen(key);
    for (size_t i = 0; i < line->count; i++) {
        const struct wedr_lp_member *m = &line->m[i];
        if (m->scope == WEDR_LP_RAW && m->key_len == n && memcmp(m->key, key, n) == 0) {
            return m;
        }
    }
    return NULL;
}
