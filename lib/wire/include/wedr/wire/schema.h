/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 *
 * lib/wire/schema.h — schema.def as a table at run time: for the decoder, the NDJSON encoder, the
 * server's line check, SQL columns and generated documents. Constant data, any thread.
 */
#pragma once

#include "core/base/attr.h"
#include "wedr/wire/event.h"
#include <stdbool.h>
#include <stddef.h>

enum wedr_kind {
    WEDR_KIND_U8,
    WEDR_KIND_U16,
    WEDR_KIND_U32,
    WEDR_KIND_U64,
    WEDR_KIND_I32,
    WEDR_KIND_I64,
    WEDR_KIND_BOOL,
    WEDR_KIND_KEY,
    WEDR_KIND_TIME,
    WEDR_KIND_IP,
    WEDR_KIND_STR,
    WEDR_KIND_ARGV,
    WEDR_KIND_LIST,
    WEDR_KIND_JSON,
    WEDR_KIND_BYTES,
    WEDR_KIND_REGISTRY_OP,
    WEDR_KIND_HANDLE_OP,
    WEDR_KIND_FILE_OP,
    WEDR_KIND_NET_PROTOCOL,
    WEDR_KIND_LOSS_REASON,
    WEDR_KIND_GAP_REASON,
    WEDR_KIND_ALERT_SEVERITY,
    WEDR_KIND_RESPONSE_ACTION,
    WEDR_KIND_RESPONSE_RESULT,
    WEDR_KIND_VIA,
    WEDR_KIND_PATH_SOURCE,
    WEDR_KIND_PERSISTENCE,
    WEDR_KIND_KERNEL_OBJECT,
    WEDR_KIND_DNS_OP,
    WEDR_KIND_CREDENTIAL_OP,
    WEDR_KIND_NAMESPACE_OP,
    WEDR_KIND_ACTIVITY,
    WEDR_KIND_EXEC_FLAGS,
    WEDR_KIND_NAMESPACES,
    WEDR_KIND_MAP_FLAGS,
    WEDR_KIND_COUNT
};

/* What a field looks like in NDJSON. */
enum wedr_json_type {
    WEDR_JSON_STR,
    WEDR_JSON_INT,
    WEDR_JSON_BOOL,
    WEDR_JSON_LIST,
    WEDR_JSON_VALUE /* array or object */
};

enum wedr_os_mask { WEDR_OSM_WINDOWS = 1, WEDR_OSM_LINUX = 2, WEDR_OSM_BOTH = 3 };

struct wedr_field_info {
    const char *name;        /* raw.<name>; "" for a derived key of the process block alone */
    const char *process_key; /* process.<key>, or "" */
    const char *ecs, *sigma, *sql, *help;
    uint8_t kind;                          /* enum wedr_kind; of a derived key: WEDR_KIND_COUNT */
    uint8_t json_type;                     /* enum wedr_json_type */
    uint8_t os_mask;                       /* enum wedr_os_mask */
    bool required;                         /* always in NDJSON where the os matches */
    bool derived;                          /* never on the wire */
    uint8_t size;                          /* bytes on the wire */
    uint16_t offset_linux, offset_windows; /* in the record, when os_mask has the os */
};

struct wedr_type_info {
    uint16_t code;          /* enum wedr_event_type */
    const char *event_type; /* "process_create" */
    const char *kind;       /* "ProcessCreate" */
    const char *module;     /* "kernel_callback" or "agent" */
    uint8_t lane;           /* enum wedr_lane, the default */
    uint8_t os_mask;
    uint16_t fixed_linux, fixed_windows; /* bytes before the strings */
    const struct wedr_field_info *fields;
    size_t field_count;
};

/* All types in ascending code order. */
const struct wedr_type_info *wedr_types(size_t *ret_count);
/* NULL when unknown. */
const struct wedr_type_info *wedr_type_by_code(uint16_t code);
const struct wedr_type_info *wedr_type_by_name(const char *event_type, size_t len);
/* Wire field of that name which records of this os have; NULL when there is none (derived keys
 * never match). */
const struct wedr_field_info *
wedr_type_field(const struct wedr_type_info *type, uint8_t os, const char *name);
/* STR, ARGV, LIST, JSON and BYTES: on the wire a struct wedr_str_ref. */
static inline bool wedr_kind_is_string(uint8_t kind)
{
    return kind >= WEDR_KIND_STR && kind <= WEDR_KIND_BYTES;
}
/* One of labels.def's sets of plain numbers: on the wire a u16. */
static inline bool wedr_kind_is_label(uint8_t kind)
{
    return kind > WEDR_KIND_BYTES && kind < WEDR_KIND_EXEC_FLAGS;
}
/* One of labels.def's sets of bits: on the wire a u32. */
static inline bool wedr_kind_is_flags(uint8_t kind)
{
    return kind >= WEDR_KIND_EXEC_FLAGS && kind < WEDR_KIND_COUNT;
}
/* Text of a code in the label set of a kind; NULL when the code has none or the kind is no label
 * set. */
const char *wedr_label_text(uint8_t kind, uint32_t code);
/* Code of a label text; WEDR_E_NOENT. */
WEDR_MUST_USE int wedr_label_code(uint8_t kind, const char *text, size_t len, uint32_t *ret_code);
