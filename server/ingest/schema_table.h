/* SPDX-License-Identifier: Apache-2.0
 *
 * server/ingest/schema_table.h — the keys of every event type by name, made once from wedr_types().
 * Private to ingest/.
 */
#pragma once

#include "core/base/endian.h"
#include "ingest/line_schema.h"
#include <stdatomic.h>

#define WEDR_SCHEMA_SLOTS_MAX 256u   /* keys of one type, with their _hex, _cut and _code forms */
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
    char key[WEDR_SCHEMA_KEY_MAX];
    uint8_t key_len;
    uint8_t scope;     /* WEDR_LP_PROCESS or WEDR_LP_RAW */
    uint8_t json_type; /* enum wedr_json_type */
    uint8_t rule;
    uint8_t os_mask;
    uint8_t required_os;
    uint8_t column; /* enum wedr_line_column or WEDR_SCHEMA_NO_COLUMN */
    int64_t min;
    uint64_t max;
};

struct wedr_schema_type {
    const struct wedr_type_info *type;
    /* What stood behind a slot when it was met last, as slot index; the entry behind the last slot
     * is the first key's. A guess that every line checks: writers keep their order. */
    _Atomic uint16_t follower[WEDR_SCHEMA_SLOTS_MAX + 1u];
    uint32_t slot_count;
    uint32_t required_linux, required_windows;
    struct wedr_schema_slot slot[WEDR_SCHEMA_SLOTS_MAX];
    uint16_t hash[WEDR_SCHEMA_TABLE_SIZE]; /* slot index + 1 */
};

struct wedr_schema_table {
    size_t type_count;
    _Atomic uint8_t near[WEDR_SCHEMA_NEAR]; /* by length of the name: the type met last, a guess */
    struct wedr_schema_type type[];
};

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

/* Made on first use; the same for all threads. NULL when out of memory. */
struct wedr_schema_table *wedr_schema_get(void);
/* NULL when the type has no such key in that scope. */
struct wedr_schema_slot *
wedr_schema_find(struct wedr_schema_type *t, uint8_t scope, const char *key, size_t len);
uint32_t wedr_schema_key_hash(uint8_t scope, const char *key, size_t len);
