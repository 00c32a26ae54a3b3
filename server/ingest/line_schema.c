/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/line_schema.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MAX 256u   /* keys of one type, with their _hex, _cut and _code forms */
#define TABLE_SIZE 1024u /* open addressing, at most a quarter full */
#define KEY_MAX 64u
#define NEAR_SLOTS 4u /* keys looked at before the table is asked */
#define NO_COLUMN 0xFFu
#define FREE_KEYS_MAX 512u /* keys of a plugin's raw object and everything in it */

enum value_rule { RULE_ANY, RULE_HEX16, RULE_TIME, RULE_IP, RULE_HEX, RULE_NUMBER };

struct slot {
    char key[KEY_MAX];
    uint8_t key_len;
    uint8_t scope;     /* WEDR_LP_PROCESS or WEDR_LP_RAW */
    uint8_t json_type; /* enum wedr_json_type */
    uint8_t rule;
    uint8_t os_mask;
    uint8_t required_os;
    uint8_t column; /* enum wedr_line_column or NO_COLUMN */
    int64_t min;
    uint64_t max;
};

struct type_table {
    const struct wedr_type_info *type;
    uint32_t slot_count;
    uint32_t required_linux, required_windows;
    struct slot slot[SLOTS_MAX];
    uint16_t hash[TABLE_SIZE]; /* slot index + 1 */
};

struct schema_table {
    size_t type_count;
    bool broken;
    struct type_table type[];
};

static _Atomic(struct schema_table *) g_schema;

static uint32_t key_hash(uint8_t scope, const char *key, size_t len)
{
    uint32_t h = 2166136261u ^ scope;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (uint8_t)key[i]) * 16777619u;
    }
    return h ^ (h >> 15);
}

static struct slot *find_slot(struct type_table *t, uint8_t scope, const char *key, size_t len)
{
    for (uint32_t h = key_hash(scope, key, len);; h++) {
        uint16_t i = t->hash[h % TABLE_SIZE];
        if (i == 0) {
            return NULL;
        }
        struct slot *s = &t->slot[i - 1u];
        if (s->scope == scope && s->key_len == len && memcmp(s->key, key, len) == 0) {
            return s;
        }
    }
}

static uint8_t column_of(const char *sql)
{
    static const char *const names[WEDR_COL_COUNT] = {
        "pid",          "ppid",         "process_key", "parent_key", "process_name",
        "process_path", "command_line", "uid",         "user",       "sha256",
        "target_path",  "remote_ip",    "remote_port", "dns_name",   "container_id"};
    for (unsigned i = 0; i < WEDR_COL_COUNT; i++) {
        if (strcmp(sql, names[i]) == 0) {
            return (uint8_t)i;
        }
    }
    return NO_COLUMN;
}

/* A key that two rows of the schema name (one per OS) becomes one slot. */
static struct slot *
add_slot(struct type_table *t, uint8_t scope, const char *name, const char *suffix, uint8_t os_mask)
{
    char key[KEY_MAX];
    int n = snprintf(key, sizeof(key), "%s%s", name, suffix);
    if (n < 0 || n >= (int)sizeof(key)) {
        return NULL;
    }
    size_t key_len = (size_t)n;
    struct slot *s = find_slot(t, scope, key, key_len);
    if (s == NULL) {
        if (t->slot_count == SLOTS_MAX) {
            return NULL;
        }
        s = &t->slot[t->slot_count++];
        memcpy(s->key, key, key_len);
        s->key_len = (uint8_t)key_len;
        s->scope = scope;
        s->column = NO_COLUMN;
        uint32_t h = key_hash(scope, key, key_len);
        while (t->hash[h % TABLE_SIZE] != 0) {
            h++;
        }
        t->hash[h % TABLE_SIZE] = (uint16_t)t->slot_count;
    }
    s->os_mask |= os_mask;
    return s;
}

static void set_value_rule(struct slot *s, const struct wedr_field_info *f)
{
    s->json_type = f->json_type;
    s->min = 0;
    s->max = UINT64_MAX;
    switch (f->kind) {
    case WEDR_KIND_KEY:
        s->rule = RULE_HEX16;
        break;
    case WEDR_KIND_TIME:
        s->rule = RULE_TIME;
        break;
    case WEDR_KIND_IP:
        s->rule = RULE_IP;
        break;
    case WEDR_KIND_BYTES:
        s->rule = RULE_HEX;
        break;
    case WEDR_KIND_U8:
        s->rule = RULE_NUMBER;
        s->max = UINT8_MAX;
        break;
    case WEDR_KIND_U16:
        s->rule = RULE_NUMBER;
        s->max = UINT16_MAX;
        break;
    case WEDR_KIND_U32:
        s->rule = RULE_NUMBER;
        s->max = UINT32_MAX;
        break;
    case WEDR_KIND_U64:
        s->rule = RULE_NUMBER;
        break;
    case WEDR_KIND_I32:
        s->rule = RULE_NUMBER;
        s->min = INT32_MIN;
        s->max = INT32_MAX;
        break;
    case WEDR_KIND_I64:
        s->rule = RULE_NUMBER;
        s->min = INT64_MIN;
        s->max = INT64_MAX;
        break;
    default:
        s->rule = RULE_ANY;
        s->min = INT64_MIN;
        break;
    }
}

static bool add_companion(struct type_table *t,
                          const char *name,
                          const char *suffix,
                          uint8_t json_type,
                          uint8_t rule,
                          uint8_t os)
{
    struct slot *s = add_slot(t, WEDR_LP_RAW, name, suffix, os);
    if (s == NULL) {
        return false;
    }
    s->json_type = json_type;
    s->rule = rule;
    s->min = 0;
    s->max = UINT32_MAX;
    return true;
}

static bool add_companions(struct type_table *t, const struct wedr_field_info *f, uint8_t os)
{
    switch (f->kind) {
    case WEDR_KIND_BYTES:
        return add_companion(t, f->name, "_cut", WEDR_JSON_BOOL, RULE_ANY, os);
    case WEDR_KIND_STR:
    case WEDR_KIND_ARGV:
    case WEDR_KIND_LIST:
        return add_companion(t, f->name, "_hex", WEDR_JSON_STR, RULE_HEX, os) &&
               add_companion(t, f->name, "_cut", WEDR_JSON_BOOL, RULE_ANY, os);
    case WEDR_KIND_REGISTRY_OP:
    case WEDR_KIND_HANDLE_OP:
    case WEDR_KIND_FILE_OP:
    case WEDR_KIND_NET_PROTOCOL:
    case WEDR_KIND_LOSS_REASON:
    case WEDR_KIND_GAP_REASON:
    case WEDR_KIND_EXEC_FLAGS:
        return add_companion(t, f->name, "_code", WEDR_JSON_INT, RULE_NUMBER, os);
    default:
        return true;
    }
}

static bool add_field(struct type_table *t, const struct wedr_field_info *f)
{
    uint8_t os = f->derived || f->os_mask == 0 ? (uint8_t)WEDR_OSM_BOTH : f->os_mask;
    uint8_t column = column_of(f->sql);
    if (f->name[0] != 0) {
        struct slot *s =
            add_slot(t, WEDR_LP_RAW, f->name, f->kind == WEDR_KIND_BYTES ? "_hex" : "", os);
        if (s == NULL || !add_companions(t, f, os)) {
            return false;
        }
        set_value_rule(s, f);
        s->column = column != NO_COLUMN ? column : s->column;
        s->required_os |= f->required ? os : 0;
    }
    if (f->process_key[0] != 0) {
        struct slot *s = add_slot(t, WEDR_LP_PROCESS, f->process_key, "", os);
        if (s == NULL) {
            return false;
        }
        set_value_rule(s, f);
        if (f->name[0] == 0) {
            s->column = column;
        }
    }
    return true;
}

static int compare_slots(const void *a, const void *b)
{
    const struct slot *x = a, *y = b;
    return x->scope != y->scope ? (int)x->scope - (int)y->scope : strcmp(x->key, y->key);
}

/* In the order in which an agent writes the keys, so that the next key is mostly found right behind the last. */
static void sort_slots(struct type_table *t)
{
    memset(t->hash, 0, sizeof(t->hash));
    qsort(t->slot, t->slot_count, sizeof(t->slot[0]), compare_slots);
    for (uint32_t i = 0; i < t->slot_count; i++) {
        uint32_t h = key_hash(t->slot[i].scope, t->slot[i].key, t->slot[i].key_len);
        while (t->hash[h % TABLE_SIZE] != 0) {
            h++;
        }
        t->hash[h % TABLE_SIZE] = (uint16_t)(i + 1u);
    }
}

static bool build_type(struct type_table *t, const struct wedr_type_info *info)
{
    t->type = info;
    for (size_t i = 0; i < info->field_count; i++) {
        if (!add_field(t, &info->fields[i])) {
            return false;
        }
    }
    sort_slots(t);
    for (uint32_t i = 0; i < t->slot_count; i++) {
        t->required_linux += (t->slot[i].required_os & WEDR_OSM_LINUX) != 0;
        t->required_windows += (t->slot[i].required_os & WEDR_OSM_WINDOWS) != 0;
    }
    return true;
}

/* Made once; when two threads make it at the same time, one throws its copy away. */
static struct schema_table *schema_get(void)
{
    struct schema_table *s = atomic_load_explicit(&g_schema, memory_order_acquire);
    if (s != NULL) {
        return s;
    }
    size_t count = 0;
    const struct wedr_type_info *types = wedr_types(&count);
    s = wedr_alloc(1, sizeof(*s) + count * sizeof(s->type[0]));
    if (s == NULL) {
        return NULL;
    }
    s->type_count = count;
    for (size_t i = 0; i < count; i++) {
        if (!build_type(&s->type[i], &types[i])) {
            wedr_free(s);
            return NULL;
        }
    }
    struct schema_table *expected = NULL;
    if (!atomic_compare_exchange_strong(&g_schema, &expected, s)) {
        wedr_free(s);
        return expected;
    }
    return s;
}

static bool lower_hex(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f'))) {
            return false;
        }
    }
    return true;
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

static bool text_ok(const struct slot *s, const struct wedr_lp_member *m)
{
    int64_t t;
    switch (s->rule) {
    case RULE_HEX16:
        return m->s_len == 16 && lower_hex(m->s, m->s_len);
    case RULE_TIME:
        return wedr_time_parse(m->s, m->s_len, &t);
    case RULE_IP:
        return ip_text(m->s, m->s_len);
    case RULE_HEX:
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

static bool value_ok(const struct slot *s, const struct wedr_line *line, size_t i)
{
    const struct wedr_lp_member *m = &line->m[i];
    switch (s->json_type) {
    case WEDR_JSON_STR:
        return m->type == WEDR_LP_STR && text_ok(s, m);
    case WEDR_JSON_BOOL:
        return m->type == WEDR_LP_BOOL;
    case WEDR_JSON_LIST:
        return m->type == WEDR_LP_LIST && list_of_text(line, i);
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

static int env_find(const struct wedr_lp_member *m)
{
    for (int i = 0; i < ENV_COUNT; i++) {
        if (m->key_len == env_keys[i].len && memcmp(m->key, env_keys[i].key, m->key_len) == 0) {
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
    for (size_t i = 0; i < line->count; i++) {
        const struct wedr_lp_member *m = &line->m[i];
        if (m->scope != WEDR_LP_TOP) {
            continue;
        }
        int k = env_find(m);
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
        uint32_t h = key_hash(0, m->key, m->key_len) ^ (m->parent * 2654435761u);
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

static struct type_table *table_of(struct schema_table *schema, const struct wedr_lp_member *m)
{
    const struct wedr_type_info *info = wedr_type_by_name(m->s, m->s_len);
    if (info == NULL || info->code >= WEDR_TYPE_CODE_PLUGIN) {
        return NULL;
    }
    for (size_t i = 0; i < schema->type_count; i++) {
        if (schema->type[i].type->code == info->code) {
            return &schema->type[i];
        }
    }
    return NULL;
}

static struct slot *next_slot(struct type_table *t, uint32_t from, const struct wedr_lp_member *m)
{
    for (uint32_t i = from; i < from + NEAR_SLOTS && i < t->slot_count; i++) {
        struct slot *s = &t->slot[i];
        if (s->scope == m->scope && s->key_len == m->key_len && memcmp(s->key, m->key, m->key_len) == 0) {
            return s;
        }
    }
    return find_slot(t, m->scope, m->key, m->key_len);
}

/* The keys of process and raw: each known for this type and OS, once, of the right type; none
 * missing. */
static bool check_fields(struct type_table *t,
                         const struct wedr_line *line,
                         uint8_t os,
                         struct wedr_line_info *ret)
{
    bool seen[SLOTS_MAX];
    uint32_t required = 0;
    uint32_t hint = 0;
    bool process_seen = false, process_pid = false;
    memset(seen, 0, sizeof(seen));
    for (size_t i = 0; i < line->count; i++) {
        const struct wedr_lp_member *m = &line->m[i];
        if (m->scope == WEDR_LP_TOP) {
            process_seen = process_seen || (m->type == WEDR_LP_OBJ && m->key_len == 7);
            continue;
        }
        if (m->scope == WEDR_LP_NESTED) {
            continue; /* list elements: looked at with their list */
        }
        struct slot *s = next_slot(t, hint, m);
        if (s == NULL) {
            return false;
        }
        size_t index = (size_t)(s - t->slot);
        hint = (uint32_t)index + 1u;
        if (seen[index] || (s->os_mask & os) == 0 || !value_ok(s, line, i)) {
            return false;
        }
        seen[index] = true;
        required += (s->required_os & os) != 0;
        process_pid = process_pid || (m->scope == WEDR_LP_PROCESS && m->key_len == 3 &&
                                      memcmp(m->key, "pid", 3) == 0);
        if (s->column != NO_COLUMN) {
            ret->column[s->column] = m;
        }
    }
    return required == (os == WEDR_OSM_LINUX ? t->required_linux : t->required_windows) &&
           (!process_seen || process_pid);
}

static bool check_known(struct schema_table *schema,
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
    struct type_table *t = table_of(schema, env[ENV_EVENT_TYPE]);
    if (t == NULL || !member_is(env[ENV_MODULE], t->type->module) ||
        !member_is(env[ENV_KIND], t->type->kind) || (t->type->os_mask & ret->os) == 0) {
        return false;
    }
    bool agent_stream = strcmp(stream, WEDR_STREAM_NAME_AGENT) == 0;
    bool agent_module = strcmp(t->type->module, "agent") == 0;
    if (agent_stream != agent_module || strncmp(stream, "plugin.", 7) == 0) {
        return false;
    }
    ret->type = t->type;
    ret->code = (uint8_t)t->type->code;
    return check_fields(t, line, ret->os, ret);
}

int wedr_line_check(const struct wedr_line *line, const char *stream, struct wedr_line_info *ret)
{
    const struct wedr_lp_member *env[ENV_COUNT] = {NULL};
    struct schema_table *schema = schema_get();
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
        !wedr_time_parse(env[ENV_TS]->s, env[ENV_TS]->s_len, &ret->ts_us)) {
        return WEDR_E_FORMAT;
    }
    bool plugin = member_is(env[ENV_MODULE], "plugin");
    good =
        plugin ? check_plugin(line, env, stream, ret) : check_known(schema, line, env, stream, ret);
    return good ? WEDR_OK : WEDR_E_FORMAT;
}

static void
read_columns(struct type_table *t, const struct wedr_line *line, struct wedr_line_info *ret)
{
    for (size_t i = 0; i < line->count; i++) {
        const struct wedr_lp_member *m = &line->m[i];
        if (m->scope != WEDR_LP_PROCESS && m->scope != WEDR_LP_RAW) {
            continue;
        }
        const struct slot *s = find_slot(t, m->scope, m->key, m->key_len);
        if (s != NULL && s->column != NO_COLUMN) {
            ret->column[s->column] = m;
        }
    }
}

int wedr_line_read(const struct wedr_line *line, struct wedr_line_info *ret)
{
    const struct wedr_lp_member *env[ENV_COUNT] = {NULL};
    struct schema_table *schema = schema_get();
    if (schema == NULL) {
        return WEDR_E_NOMEM;
    }
    memset(ret, 0, sizeof(*ret));
    (void)read_envelope(line, env);
    if (env[ENV_SEQ] == NULL || env[ENV_TS] == NULL || env[ENV_EVENT_TYPE] == NULL ||
        !wedr_time_parse(env[ENV_TS]->s, env[ENV_TS]->s_len, &ret->ts_us)) {
        return WEDR_E_FORMAT;
    }
    ret->has_seq = true;
    ret->seq = env[ENV_SEQ]->v;
    ret->code = (uint8_t)WEDR_TYPE_CODE_PLUGIN;
    struct type_table *t = table_of(schema, env[ENV_EVENT_TYPE]);
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
