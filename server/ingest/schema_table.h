/* SPDX-License-Identifier: Apache-2.0
 *
 * server/ingest/schema_table.h — the keys of every event type by name, made once from wedr_types().
 * Private to ingest/.
 */
#pragma once

#include "ingest/line_schema.h"

#define WEDR_SCHEMA_SLOTS_MAX 256u   /* keys of one type, with their _hex, _cut and _code forms */
#define WEDR_SCHEMA_TABLE_SIZE 1024u /* open addressing, at most a quarter full */
#define WEDR_SCHEMA_KEY_MAX 64u
#define WEDR_SCHEMA_NO_COLUMN 0xFFu

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
    uint32_t slot_count;
    uint32_t required_linux, required_windows;
    struct wedr_schema_slot slot[WEDR_SCHEMA_SLOTS_MAX];
    uint16_t hash[WEDR_SCHEMA_TABLE_SIZE]; /* slot index + 1 */
};

struct wedr_schema_table {
    size_t type_count;
    bool broken;
    struct wedr_schema_type type[];
};

/* Made on first use; the same for all threads. NULL when out of memory. */
struct wedr_schema_table *wedr_schema_get(void);
/* NULL when the type has no such key in that scope. */
struct wedr_schema_slot *
wedr_schema_find(struct wedr_schema_type *t, uint8_t scope, const char *key, size_t len);
uint32_t wedr_schema_key_hash(uint8_t scope, const char *key, size_t len);
