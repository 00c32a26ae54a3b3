/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/line_schema.h"

#include "core/base/err.h"
#include "ingest/schema_table.h"
#include <string.h>

#define FREE_KEYS_MAX 512u /* keys of a plugin's raw object and everything in it */

static bool lower_hex(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f'))) {
            return false;
        }
    }
    return true;
}

/* A constant number of turns without a way out: made into vector instructions. */
static bool hex16(const char *s)
{
    uint8_t bad = 0;
    for (size_t i = 0; i < 16; i++) {
        uint8_t digit = (uint8_t)((uint8_t)s[i] - (uint8_t)'0') > 9;
        uint8_t letter = (uint8_t)((uint8_t)s[i] - (uint8_t)'a') > 5;
        bad |= digit & letter;
    }
    return bad == 0;
}

static bool ip_text(const char *s, size_t len)
{
    if (len < 2 || len > 45) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!lower_hex(s + i, 1) && s[i] != ':' && s[i] != '.') {
            return false;
        }
    }
    return true;
}

static bool text_ok(const struct wedr_schema_slot *s, const struct wedr_lp_member *m)
{
    int64_t t;
    switch (s->rule) {
    case WEDR_RULE_HEX16:
        return m->s_len == 16 && hex16(m->s);
    case WEDR_RULE_TIME:
        return wedr_line_time_parse(m->s, m->s_len, &t);
    case WEDR_RULE_IP:
        return ip_text(m->s, m->s_len);
    case WEDR_RULE_HEX:
        return m->s_len % 2 == 0 && lower_hex(m->s, m->s_len);
    default:
        return true;
    }
}

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
        return m->type == WEDR_LP_STR && text_ok(s, m);
    case WEDR_JSON_BOOL:
        return m->type == WEDR_LP_BOOL;
    case WEDR_JSON_LIST:
        return m->type == WEDR_LP_LIST && list_of_text(line, i);
    case WEDR_JSON_VALUE:
        return m->type == WEDR_LP_LIST || m->type == WEDR_LP_OBJ;
    default:
        break;
    }
    if (m->type == WEDR_LP_UINT) {
        return m->v <= s->max;
    }
    if (m->type != WEDR_LP_INT) {
        return false;
    }
    int64_t v = (int64_t)m->v;
    return v >= s->min && (v < 0 || (uint64_t)v <= s->max);
}

enum env_key {
    ENV_TS,
    ENV_MODULE,
    ENV_EVENT_TYPE,
    ENV_PROCESS,
    ENV_RAW,
    ENV_TS_FT,
    ENV_SOURCE,
    ENV_KIND,
    ENV_VERSION,
    ENV_SEQ,
    ENV_DROP_COUNT,
    ENV_TRUNC_COUNT,
    ENV_PLUGIN_ID,
    ENV_PLUGIN_NAME,
    ENV_PLUGIN_PID,
    ENV_PLUGIN_TS,
    ENV_SESSION_ID,
    ENV_COUNT
};
#define ENV_COMMON ENV_PLUGIN_ID /* keys before it may stand in every line */

static const struct {
    const char *key;
    uint8_t len, type;
} env_keys[ENV_COUNT] = {{"ts", 2, WEDR_LP_STR},
                         {"module", 6, WEDR_LP_STR},
                         {"event_type", 10, WEDR_LP_STR},
                         {"process", 7, WEDR_LP_OBJ},
                         {"raw", 3, WEDR_LP_OBJ},
                         {"ts_ft_100ns", 11, WEDR_LP_INT},
                         {"source", 6, WEDR_LP_STR},
                         {"kind", 4, WEDR_LP_STR},
                         {"event_version", 13, WEDR_LP_INT},
                         {"seq", 3, WEDR_LP_INT},
                         {"drop_count", 10, WEDR_LP_INT},
                         {"trunc_count", 11, WEDR_LP_INT},
                         {"plugin_id", 9, WEDR_LP_STR},
                         {"plugin_name", 11, WEDR_LP_STR},
                         {"plugin_pid", 10, WEDR_LP_INT},
                         {"plugin_ts_unix_ns", 17, WEDR_LP_INT},
                         {"session_id", 10, WEDR_LP_STR}};

const char *wedr_line_envelope_key(size_t i)
{
    return i < ENV_COUNT ? env_keys[i].key : NULL;
}

/* Looks from `from` on, round the end: they mostly come in the table's order. */
static int env_find(const struct wedr_lp_member *m, int from)
{
    for (int n = 0; n < ENV_COUNT; n++) {
        int i = from + n < ENV_COUNT ? from + n : from + n - ENV_COUNT;
        if (m->key_len == env_keys[i].len &&
            wedr_schema_same(m->key, env_keys[i].key, m->key_len)) {
            return i;
        }
    }
    return -1;
}

static bool member_is(const struct wedr_lp_member *m, const char *text)
{
    size_t n = strlen(text);
    return m != NULL && m->s_len == n && memcmp(m->s, text, n) == 0;
}

/* Collects the top-level members; false on an unknown or repeated key or a wrong type. */
static bool read_envelope(const struct wedr_line *line, const struct wedr_lp_member *env[ENV_COUNT])
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
        if (k < 0 || env[k] != NULL || m->type != env_keys[k].type ||
            (m->type == WEDR_LP_INT && (int64_t)m->v < 0)) {
            good = false;
            continue;
        }
        env[k] = m;
    }
    return good;
}

static bool name_text(const struct wedr_lp_member *m)
{
    if (m == NULL || m->s_len == 0 || m->s_len > 64) {
        return false;
    }
    for (uint32_t i = 0; i < m->s_len; i++) {
        char c = m->s[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
              c == '-')) {
            return false;
        }
    }
    return true;
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
                         const struct wedr_lp_member *const env[ENV_COUNT],
                         const char *stream,
                         struct wedr_line_info *ret)
{
    if (strncmp(stream, "plugin.", 7) != 0 || !member_is(env[ENV_EVENT_TYPE], "plugin_event") ||
        env[ENV_PLUGIN_ID] == NULL || env[ENV_PROCESS] != NULL) {
        return false;
    }
    ret->type = NULL;
    ret->code = (uint8_t)WEDR_TYPE_CODE_PLUGIN;
    return free_keys_unique(line);
}

static struct wedr_schema_type *table_of(struct wedr_schema_table *schema,
                                         const struct wedr_lp_member *m)
{
    _Atomic uint8_t *near = &schema->near[m->s_len % WEDR_SCHEMA_NEAR];
    struct wedr_schema_type *t = &schema->type[atomic_load_explicit(near, memory_order_relaxed)];
    const struct wedr_type_info *info = t->type;
    if (strlen(info->event_type) != m->s_len || memcmp(info->event_type, m->s, m->s_len) != 0) {
        info = wedr_type_by_name(m->s, m->s_len);
    }
    if (info == NULL || info->code >= WEDR_TYPE_CODE_PLUGIN) {
        return NULL;
    }
    for (size_t i = 0; t->type != info && i < schema->type_count && i <= UINT8_MAX; i++) {
        if (schema->type[i].type == info) {
            atomic_store_explicit(near, (uint8_t)i, memory_order_relaxed);
            t = &schema->type[i];
        }
    }
    return t->type == info ? t : NULL;
}

static bool slot_is(const struct wedr_schema_slot *s, const struct wedr_lp_member *m)
{
    return s->scope == m->scope && s->key_len == m->key_len &&
           wedr_schema_same(s->key, m->key, m->key_len);
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
    uint64_t seen[WEDR_SCHEMA_SLOTS_MAX / 64u] = {0};
    uint32_t required = 0;
    size_t index = t->slot_count;
    bool process_seen = false, process_pid = false;
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
        uint64_t *word = &seen[index / 64u], bit = UINT64_C(1) << (index % 64u);
        if ((*word & bit) != 0 || (s->os_mask & os) == 0 || !value_ok(s, line, i)) {
            return false;
        }
        *word |= bit;
        required += (s->required_os & os) != 0;
        process_pid = process_pid || (m->scope == WEDR_LP_PROCESS && m->key_len == 3 &&
                                      memcmp(m->key, "pid", 3) == 0);
        if (s->column != WEDR_SCHEMA_NO_COLUMN) {
            ret->column[s->column] = m;
        }
    }
    return required == (os == WEDR_OSM_LINUX ? t->required_linux : t->required_windows) &&
           (!process_seen || process_pid);
}

/* Alerts and responses have a stream of their own, what else the agent says comes in its stream. */
static bool belongs_to_stream(const struct wedr_type_info *type, const char *stream)
{
    if (type->code == WEDR_EV_ALERT || type->code == WEDR_EV_RESPONSE) {
        return strcmp(stream, WEDR_STREAM_NAME_ALERT) == 0;
    }
    if (strcmp(type->module, "agent") == 0) {
        return strcmp(stream, WEDR_STREAM_NAME_AGENT) == 0;
    }
    return strcmp(stream, WEDR_STREAM_NAME_AGENT) != 0 &&
           strcmp(stream, WEDR_STREAM_NAME_ALERT) != 0 && strncmp(stream, "plugin.", 7) != 0;
}

static bool check_known(struct wedr_schema_table *schema,
                        const struct wedr_line *line,
                        const struct wedr_lp_member *const env[ENV_COUNT],
                        const char *stream,
                        struct wedr_line_info *ret)
{
    for (int i = ENV_COMMON; i < ENV_COUNT; i++) {
        if (env[i] != NULL) {
            return false;
        }
    }
    struct wedr_schema_type *t = table_of(schema, env[ENV_EVENT_TYPE]);
    if (t == NULL || !member_is(env[ENV_MODULE], t->type->module) ||
        !member_is(env[ENV_KIND], t->type->kind) || (t->type->os_mask & ret->os) == 0) {
        return false;
    }
    if (!belongs_to_stream(t->type, stream)) {
        return false;
    }
    ret->type = t->type;
    ret->code = (uint8_t)t->type->code;
    return check_fields(t, line, ret->os, ret);
}

int wedr_line_check(const struct wedr_line *line, const char *stream, struct wedr_line_info *ret)
{
    const struct wedr_lp_member *env[ENV_COUNT] = {NULL};
    struct wedr_schema_table *schema = wedr_schema_get();
    if (schema == NULL) {
        return WEDR_E_NOMEM;
    }
    memset(ret, 0, sizeof(*ret));
    bool good = read_envelope(line, env);
    if (env[ENV_SEQ] != NULL && env[ENV_SEQ]->v != 0) {
        ret->has_seq = true;
        ret->seq = env[ENV_SEQ]->v;
    }
    ret->os = (uint8_t)(env[ENV_TS_FT] != NULL ? WEDR_OSM_WINDOWS : WEDR_OSM_LINUX);
    if (!good || !ret->has_seq || env[ENV_TS] == NULL || env[ENV_MODULE] == NULL ||
        env[ENV_EVENT_TYPE] == NULL || env[ENV_RAW] == NULL || env[ENV_KIND] == NULL ||
        env[ENV_VERSION] == NULL || env[ENV_VERSION]->v != WEDR_WIRE_VERSION ||
        !name_text(env[ENV_SOURCE]) ||
        !wedr_line_time_parse(env[ENV_TS]->s, env[ENV_TS]->s_len, &ret->ts_us)) {
        return WEDR_E_FORMAT;
    }
    bool plugin = member_is(env[ENV_MODULE], "plugin");
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
    const struct wedr_lp_member *env[ENV_COUNT] = {NULL};
    struct wedr_schema_table *schema = wedr_schema_get();
    if (schema == NULL) {
        return WEDR_E_NOMEM;
    }
    memset(ret, 0, sizeof(*ret));
    (void)read_envelope(line, env);
    if (env[ENV_SEQ] == NULL || env[ENV_TS] == NULL || env[ENV_EVENT_TYPE] == NULL ||
        !wedr_line_time_parse(env[ENV_TS]->s, env[ENV_TS]->s_len, &ret->ts_us)) {
        return WEDR_E_FORMAT;
    }
    ret->has_seq = true;
    ret->seq = env[ENV_SEQ]->v;
    ret->code = (uint8_t)WEDR_TYPE_CODE_PLUGIN;
    struct wedr_schema_type *t = table_of(schema, env[ENV_EVENT_TYPE]);
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
