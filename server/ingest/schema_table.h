/* SPDX-License-Identifier: Apache-2.0
 *
 * server/ingest/schema_table.h — the keys of every event type by name, made once from wedr_types().
 * Private to ingest/.
 */
#pragma once

#include "core/base/endian.h"
#include "ingest/line_schema.h"
#include <stdatomic.h>

#define WEDR_SCHEMA_TABLE_SIZE 1024u /* open addressing, at most a quarter full */
#define WEDR_SCHEMA_KEY_MAX 64u
#define WEDR_SCHEMA_NO_COLUMN 0xFFu
#define WEDR_SCHEMA_NEAR 64u

enum wedr_value_rule {
    WEDR_RULE_ANY,
    WEDR_RULE_HEX16,
    WEDR_RULE_TIME,
    WEDR_RULE_IP,
    WEDR_RULE_HEX,
    WEDR_RULE_NUMBER
};

struct wedr_schema_slot {
    char text[WEDR_SCHEMA_KEY_MAX + 16u]; /* the key as it stands in a line: "pid": and zeros */
    uint8_t key_len;
    uint8_t text_len;  /* key_len + 3 */
    uint16_t index;    /* its own, in the type's slots */
    uint8_t scope;     /* WEDR_LP_PROCESS or WEDR_LP_RAW */
    uint8_t json_type; /* enum wedr_json_type */
    uint8_t rule;
    uint8_t os_mask;
    uint8_t required_os;
    uint8_t column; /* enum wedr_line_column or WEDR_SCHEMA_NO_COLUMN */
    int64_t min;
    uint64_t max;
    struct wedr_lp_member member; /* with this key and no value yet */
};

struct wedr_schema_type {
    const struct wedr_type_info *type;
    uint8_t name_len, module_len, kind_len;  /* of the type's texts */
    uint8_t stream_class;                    /* enum wedr_stream_class: that its lines come in */
    uint16_t process_pid;                    /* slot of the process's pid; slot_count: none */
    uint64_t required[2][WEDR_SCHEMA_WORDS]; /* slots, by OS: Linux, Windows */
    /* What stood behind a slot when it was met last, as slot index; the entry behind the last slot
     * is the first key's. A guess that every line checks: writers keep their order. */
    _Atomic uint16_t follower[WEDR_SCHEMA_SLOTS_MAX + 1u];
    uint32_t slot_count;
    struct wedr_schema_slot slot[WEDR_SCHEMA_SLOTS_MAX];
    uint16_t hash[WEDR_SCHEMA_TABLE_SIZE]; /* slot index + 1 */
};

struct wedr_schema_table {
    size_t type_count;
    _Atomic uint8_t near[WEDR_SCHEMA_NEAR]; /* by length of the name: the type met last, a guess */
    struct wedr_schema_type type[];
};

static inline const char *wedr_schema_key(const struct wedr_schema_slot *s)
{
    return s->text + 1;
}

/* memcmp() == 0, without a call, for the short texts that keys are. */
static inline bool wedr_schema_same(const char *a, const char *b, size_t len)
{
    if (len < 4) {
        return len == 0 || (a[0] == b[0] && a[len / 2] == b[len / 2] && a[len - 1] == b[len - 1]);
    }
    if (len < 8) {
        return wedr_le32(a) == wedr_le32(b) && wedr_le32(a + len - 4) == wedr_le32(b + len - 4);
    }
    for (size_t i = 0; i + 8 < len; i += 8) {
        if (wedr_le64(a + i) != wedr_le64(b + i)) {
            return false;
        }
    }
    return wedr_le64(a + len - 8) == wedr_le64(b + len - 8);
}

/* Is there such a member, and is this its text? */
static inline bool wedr_schema_says(const struct wedr_lp_member *m, const char *text, size_t len)
{
    return m != NULL && m->s_len == len && wedr_schema_same(m->s, text, len);
}

/* Keys at the top of a line. */
enum wedr_env_key {
    WEDR_ENV_TS,
    WEDR_ENV_MODULE,
    WEDR_ENV_EVENT_TYPE,
    WEDR_ENV_PROCESS,
    WEDR_ENV_RAW,
    WEDR_ENV_TS_FT,
    WEDR_ENV_SOURCE,
    WEDR_ENV_KIND,
    WEDR_ENV_VERSION,
    WEDR_ENV_SEQ,
    WEDR_ENV_DROP_COUNT,
    WEDR_ENV_TRUNC_COUNT,
    WEDR_ENV_PLUGIN_ID,
    WEDR_ENV_PLUGIN_NAME,
    WEDR_ENV_PLUGIN_PID,
    WEDR_ENV_PLUGIN_TS,
    WEDR_ENV_SESSION_ID,
    WEDR_ENV_COUNT
};
#define WEDR_ENV_COMMON WEDR_ENV_PLUGIN_ID /* keys before it may stand in every line */

struct wedr_env_info {
    char text[32];     /* as in struct wedr_schema_slot */
    uint8_t len, type; /* of the key; enum wedr_lp_type, INT: not negative */
    uint8_t text_len;  /* len + 3 */
};
extern const struct wedr_env_info wedr_env_keys[WEDR_ENV_COUNT];

/* What of the lines of the product a stream carries; a plugin's carry their own events alone. */
enum wedr_stream_class { WEDR_CLASS_SENSOR, WEDR_CLASS_ALERT, WEDR_CLASS_AGENT, WEDR_CLASS_PLUGIN };
enum wedr_stream_class wedr_stream_class(const char *stream);
/* A source: 1 .. 64 of [a-z0-9_.-]. */
bool wedr_schema_source_ok(const char *s, size_t len);
static inline bool wedr_schema_has(const struct wedr_line_info *info, size_t slot)
{
    return slot < WEDR_SCHEMA_SLOTS_MAX && (info->keys[slot / 64u] >> (slot % 64u) & 1u) != 0;
}
/* Nothing that the type requires is missing in info->keys, nor the pid of a process. */
bool wedr_schema_complete(const struct wedr_schema_type *t,
                          const struct wedr_line_info *info,
                          bool has_process);
/* The value of a slot whose JSON type is right: a text; an integer (INT or UINT). */
bool wedr_schema_text_ok(const struct wedr_schema_slot *slot, const char *s, size_t len);
static inline bool
wedr_schema_number_ok(const struct wedr_schema_slot *slot, uint8_t lp_type, uint64_t v)
{
    if (lp_type == WEDR_LP_INT && (int64_t)v < 0) {
        return (int64_t)v >= slot->min;
    }
    return v <= slot->max; /* no slot has a minimum above 0 */
}
/* NULL when there is no such type, or when it has a code that is no event's. */
struct wedr_schema_type *
wedr_schema_type_of(struct wedr_schema_table *schema, const char *s, size_t len);
/* Made on first use; the same for all threads. NULL when out of memory. */
struct wedr_schema_table *wedr_schema_get(void);
/* NULL when the type has no such key in that scope. */
struct wedr_schema_slot *
wedr_schema_find(struct wedr_schema_type *t, uint8_t scope, const char *key, size_t len);
uint32_t wedr_schema_key_hash(uint8_t scope, const char *key, size_t len);
