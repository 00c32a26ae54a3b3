/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/schema_table.h"

#include "core/util/alloc.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic(struct wedr_schema_table *) g_schema;

uint32_t wedr_schema_key_hash(uint8_t scope, const char *key, size_t len)
{
    uint32_t h = 2166136261u ^ scope;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (uint8_t)key[i]) * 16777619u;
    }
    return h ^ (h >> 15);
}

struct wedr_schema_slot *
wedr_schema_find(struct wedr_schema_type *t, uint8_t scope, const char *key, size_t len)
{
    for (uint32_t h = wedr_schema_key_hash(scope, key, len);; h++) {
        uint16_t i = t->hash[h % WEDR_SCHEMA_TABLE_SIZE];
        if (i == 0) {
            return NULL;
        }
        struct wedr_schema_slot *s = &t->slot[i - 1u];
        if (s->scope == scope && s->key_len == len &&
            wedr_schema_same(wedr_schema_key(s), key, len)) {
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
    return WEDR_SCHEMA_NO_COLUMN;
}

/* A key that two rows of the schema name (one per OS) becomes one slot. */
static struct wedr_schema_slot *add_slot(struct wedr_schema_type *t,
                                         uint8_t scope,
                                         const char *name,
                                         const char *suffix,
                                         uint8_t os_mask)
{
    char key[WEDR_SCHEMA_KEY_MAX];
    int n = snprintf(key, sizeof(key), "%s%s", name, suffix);
    if (n < 0 || n >= (int)sizeof(key)) {
        return NULL;
    }
    size_t key_len = (size_t)n;
    struct wedr_schema_slot *s = wedr_schema_find(t, scope, key, key_len);
    if (s == NULL) {
        if (t->slot_count == WEDR_SCHEMA_SLOTS_MAX) {
            return NULL;
        }
        s = &t->slot[t->slot_count++];
        (void)snprintf(s->text, sizeof(s->text), "\"%s\":", key);
        s->key_len = (uint8_t)key_len;
        s->scope = scope;
        s->column = WEDR_SCHEMA_NO_COLUMN;
        uint32_t h = wedr_schema_key_hash(scope, key, key_len);
        while (t->hash[h % WEDR_SCHEMA_TABLE_SIZE] != 0) {
            h++;
        }
        t->hash[h % WEDR_SCHEMA_TABLE_SIZE] = (uint16_t)t->slot_count;
    }
    s->os_mask |= os_mask;
    return s;
}

static void set_value_rule(struct wedr_schema_slot *s, const struct wedr_field_info *f)
{
    s->json_type = f->json_type;
    s->min = 0;
    s->max = UINT64_MAX;
    switch (f->kind) {
    case WEDR_KIND_KEY:
        s->rule = WEDR_RULE_HEX16;
        break;
    case WEDR_KIND_TIME:
        s->rule = WEDR_RULE_TIME;
        break;
    case WEDR_KIND_IP:
        s->rule = WEDR_RULE_IP;
        break;
    case WEDR_KIND_BYTES:
        s->rule = WEDR_RULE_HEX;
        break;
    case WEDR_KIND_U8:
        s->rule = WEDR_RULE_NUMBER;
        s->max = UINT8_MAX;
        break;
    case WEDR_KIND_U16:
        s->rule = WEDR_RULE_NUMBER;
        s->max = UINT16_MAX;
        break;
    case WEDR_KIND_U32:
        s->rule = WEDR_RULE_NUMBER;
        s->max = UINT32_MAX;
        break;
    case WEDR_KIND_U64:
        s->rule = WEDR_RULE_NUMBER;
        break;
    case WEDR_KIND_I32:
        s->rule = WEDR_RULE_NUMBER;
        s->min = INT32_MIN;
        s->max = INT32_MAX;
        break;
    case WEDR_KIND_I64:
        s->rule = WEDR_RULE_NUMBER;
        s->min = INT64_MIN;
        s->max = INT64_MAX;
        break;
    default:
        s->rule = WEDR_RULE_ANY;
        s->min = INT64_MIN;
        break;
    }
}

static bool add_companion(struct wedr_schema_type *t,
                          const char *name,
                          const char *suffix,
                          uint8_t json_type,
                          uint8_t rule,
                          uint8_t os)
{
    struct wedr_schema_slot *s = add_slot(t, WEDR_LP_RAW, name, suffix, os);
    if (s == NULL) {
        return false;
    }
    s->json_type = json_type;
    s->rule = rule;
    s->min = 0;
    s->max = UINT32_MAX;
    return true;
}

static bool add_companions(struct wedr_schema_type *t, const struct wedr_field_info *f, uint8_t os)
{
    switch (f->kind) {
    case WEDR_KIND_BYTES:
        return add_companion(t, f->name, "_cut", WEDR_JSON_BOOL, WEDR_RULE_ANY, os);
    case WEDR_KIND_STR:
    case WEDR_KIND_ARGV:
    case WEDR_KIND_LIST:
        return add_companion(t, f->name, "_hex", WEDR_JSON_STR, WEDR_RULE_HEX, os) &&
               add_companion(t, f->name, "_cut", WEDR_JSON_BOOL, WEDR_RULE_ANY, os);
    default:
        return !(wedr_kind_is_label(f->kind) || wedr_kind_is_flags(f->kind)) ||
               add_companion(t, f->name, "_code", WEDR_JSON_INT, WEDR_RULE_NUMBER, os);
    }
}

static bool add_field(struct wedr_schema_type *t, const struct wedr_field_info *f)
{
    uint8_t os = f->derived || f->os_mask == 0 ? (uint8_t)WEDR_OSM_BOTH : f->os_mask;
    uint8_t column = column_of(f->sql);
    if (f->name[0] != 0) {
        struct wedr_schema_slot *s =
            add_slot(t, WEDR_LP_RAW, f->name, f->kind == WEDR_KIND_BYTES ? "_hex" : "", os);
        if (s == NULL || !add_companions(t, f, os)) {
            return false;
        }
        set_value_rule(s, f);
        s->column = column != WEDR_SCHEMA_NO_COLUMN ? column : s->column;
        s->required_os |= f->required ? os : 0;
    }
    if (f->process_key[0] != 0) {
        struct wedr_schema_slot *s = add_slot(t, WEDR_LP_PROCESS, f->process_key, "", os);
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
    const struct wedr_schema_slot *x = a, *y = b;
    return x->scope != y->scope ? (int)x->scope - (int)y->scope : strcmp(x->text, y->text);
}

/* In the order in which an agent writes the keys, so that the next key is mostly found right behind
 * the last. */
static void sort_slots(struct wedr_schema_type *t)
{
    memset(t->hash, 0, sizeof(t->hash));
    qsort(t->slot, t->slot_count, sizeof(t->slot[0]), compare_slots);
    for (uint32_t i = 0; i < t->slot_count; i++) {
        t->slot[i].index = (uint16_t)i;
        t->slot[i].text_len = (uint8_t)(t->slot[i].key_len + 3u);
        t->slot[i].member = (struct wedr_lp_member){.key = wedr_schema_key(&t->slot[i]),
                                                    .key_len = t->slot[i].key_len,
                                                    .scope = t->slot[i].scope};
        uint32_t h = wedr_schema_key_hash(t->slot[i].scope, wedr_schema_key(&t->slot[i]),
                                          t->slot[i].key_len);
        while (t->hash[h % WEDR_SCHEMA_TABLE_SIZE] != 0) {
            h++;
        }
        t->hash[h % WEDR_SCHEMA_TABLE_SIZE] = (uint16_t)(i + 1u);
    }
}

/* Alerts and responses have a stream of their own, what else the agent says comes in its stream. */
static uint8_t class_of(const struct wedr_type_info *type)
{
    if (type->code == WEDR_EV_ALERT || type->code == WEDR_EV_RESPONSE) {
        return WEDR_CLASS_ALERT;
    }
    return strcmp(type->module, "agent") == 0 ? WEDR_CLASS_AGENT : WEDR_CLASS_SENSOR;
}

static bool build_type(struct wedr_schema_type *t, const struct wedr_type_info *info)
{
    t->type = info;
    t->name_len = (uint8_t)strlen(info->event_type);
    t->module_len = (uint8_t)strlen(info->module);
    t->kind_len = (uint8_t)strlen(info->kind);
    t->stream_class = class_of(info);
    for (size_t i = 0; i < info->field_count; i++) {
        if (!add_field(t, &info->fields[i])) {
            return false;
        }
    }
    sort_slots(t);
    struct wedr_schema_slot *pid = wedr_schema_find(t, WEDR_LP_PROCESS, "pid", 3);
    t->process_pid = (uint16_t)(pid == NULL ? t->slot_count : pid - t->slot);
    for (uint32_t i = 0; i < t->slot_count; i++) {
        for (int os = 0; os < 2; os++) {
            uint64_t set = (t->slot[i].required_os & (os == 0 ? WEDR_OSM_LINUX : WEDR_OSM_WINDOWS));
            t->required[os][i / 64u] |= (uint64_t)(set != 0) << (i % 64u);
        }
    }
    return true;
}

/* Made once; when two threads make it at the same time, one throws its copy away. */
struct wedr_schema_table *wedr_schema_get(void)
{
    struct wedr_schema_table *s = atomic_load_explicit(&g_schema, memory_order_acquire);
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
    struct wedr_schema_table *expected = NULL;
    if (!atomic_compare_exchange_strong(&g_schema, &expected, s)) {
        wedr_free(s);
        return expected;
    }
    return s;
}

struct wedr_schema_type *
wedr_schema_type_of(struct wedr_schema_table *schema, const char *s, size_t len)
{
    _Atomic uint8_t *near = &schema->near[len % WEDR_SCHEMA_NEAR];
    struct wedr_schema_type *t = &schema->type[atomic_load_explicit(near, memory_order_relaxed)];
    if (t->name_len == len && wedr_schema_same(t->type->event_type, s, len)) {
        return t->type->code < WEDR_TYPE_CODE_PLUGIN ? t : NULL;
    }
    const struct wedr_type_info *info = wedr_type_by_name(s, len);
    for (size_t i = 0; info != NULL && i < schema->type_count && i <= UINT8_MAX; i++) {
        if (schema->type[i].type == info && info->code < WEDR_TYPE_CODE_PLUGIN) {
            atomic_store_explicit(near, (uint8_t)i, memory_order_relaxed);
            return &schema->type[i];
        }
    }
    return NULL;
}
