/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause */
#include "wedr/wire/schema.h"

#include "core/base/err.h"
#include "layout.h"
#include <string.h>

#define JSON_OF_U8 WEDR_JSON_INT
#define JSON_OF_U16 WEDR_JSON_INT
#define JSON_OF_U32 WEDR_JSON_INT
#define JSON_OF_U64 WEDR_JSON_INT
#define JSON_OF_I32 WEDR_JSON_INT
#define JSON_OF_I64 WEDR_JSON_INT
#define JSON_OF_BOOL WEDR_JSON_BOOL
#define JSON_OF_KEY WEDR_JSON_STR
#define JSON_OF_TIME WEDR_JSON_STR
#define JSON_OF_IP WEDR_JSON_STR
#define JSON_OF_STR WEDR_JSON_STR
#define JSON_OF_ARGV WEDR_JSON_STR
#define JSON_OF_LIST WEDR_JSON_LIST
#define JSON_OF_JSON WEDR_JSON_VALUE
#define JSON_OF_BYTES WEDR_JSON_STR
#define JSON_OF_REGISTRY_OP WEDR_JSON_STR
#define JSON_OF_HANDLE_OP WEDR_JSON_STR
#define JSON_OF_FILE_OP WEDR_JSON_STR
#define JSON_OF_NET_PROTOCOL WEDR_JSON_STR
#define JSON_OF_LOSS_REASON WEDR_JSON_STR
#define JSON_OF_GAP_REASON WEDR_JSON_STR
#define JSON_OF_ALERT_SEVERITY WEDR_JSON_STR
#define JSON_OF_RESPONSE_ACTION WEDR_JSON_STR
#define JSON_OF_RESPONSE_RESULT WEDR_JSON_STR
#define JSON_OF_VIA WEDR_JSON_STR
#define JSON_OF_PATH_SOURCE WEDR_JSON_STR
#define JSON_OF_PERSISTENCE WEDR_JSON_STR
#define JSON_OF_KERNEL_OBJECT WEDR_JSON_STR
#define JSON_OF_DNS_OP WEDR_JSON_STR
#define JSON_OF_CREDENTIAL_OP WEDR_JSON_STR
#define JSON_OF_NAMESPACE_OP WEDR_JSON_STR
#define JSON_OF_ACTIVITY WEDR_JSON_STR
#define JSON_OF_EXEC_FLAGS WEDR_JSON_LIST
#define JSON_OF_NAMESPACES WEDR_JSON_LIST
#define JSON_OF_MAP_FLAGS WEDR_JSON_LIST

#define REQUIRED_REQ true
#define REQUIRED_OPT false

#define LINUX_OFFSET_BOTH(ID, name) WIRE_OFFSET_LINUX(ID, name)
#define LINUX_OFFSET_LINUX(ID, name) WIRE_OFFSET_LINUX(ID, name)
#define LINUX_OFFSET_WINDOWS(ID, name) 0
#define WINDOWS_OFFSET_BOTH(ID, name) WIRE_OFFSET_WINDOWS(ID, name)
#define WINDOWS_OFFSET_LINUX(ID, name) 0
#define WINDOWS_OFFSET_WINDOWS(ID, name) WIRE_OFFSET_WINDOWS(ID, name)

/* A derived key has no os of its own: it is made wherever its type is. */
#define WEDR_TYPE(ID, ...) static const struct wedr_field_info fields_##ID[] = {
#define WEDR_FIELD(ID, field, KIND, OS, PRESENCE, key, ecs_, sigma_, sql_, help_) \
    {.name = #field,                                                              \
     .process_key = (key),                                                        \
     .ecs = (ecs_),                                                               \
     .sigma = (sigma_),                                                           \
     .sql = (sql_),                                                               \
     .help = (help_),                                                             \
     .kind = WEDR_KIND_##KIND,                                                    \
     .json_type = JSON_OF_##KIND,                                                 \
     .os_mask = WEDR_OSM_##OS,                                                    \
     .required = REQUIRED_##PRESENCE,                                             \
     .size = sizeof(WEDR_CT_##KIND),                                              \
     .offset_linux = LINUX_OFFSET_##OS(ID, field),                                \
     .offset_windows = WINDOWS_OFFSET_##OS(ID, field)},
#define WEDR_DERIVED(ID, name_, JSON, key, ecs_, sigma_, sql_, help_) \
    {.name = (name_),                                                 \
     .process_key = (key),                                            \
     .ecs = (ecs_),                                                   \
     .sigma = (sigma_),                                               \
     .sql = (sql_),                                                   \
     .help = (help_),                                                 \
     .kind = WEDR_KIND_COUNT,                                         \
     .json_type = WEDR_JSON_##JSON,                                   \
     .os_mask = WEDR_OSM_BOTH,                                        \
     .derived = true},
#define WEDR_TYPE_END(ID, lower) \
    }                            \
    ;
#include "wedr/wire/schema.def"
#undef WEDR_TYPE
#undef WEDR_FIELD
#undef WEDR_DERIVED
#undef WEDR_TYPE_END

/* Codes from here on are made by the agent, below by a kernel. */
#define FIRST_AGENT_CODE 64
#define CODE_LIMIT 128

#define WEDR_TYPE(ID, lower, code_, event_type_, kind_, LANE, OS, ...)                       \
    [WIRE_INDEX_##ID] = {.code = (code_),                                                    \
                         .event_type = (event_type_),                                        \
                         .kind = (kind_),                                                    \
                         .module = (code_) < FIRST_AGENT_CODE ? "kernel_callback" : "agent", \
                         .lane = WEDR_LANE_##LANE,                                           \
                         .os_mask = WEDR_OSM_##OS,                                           \
                         .fixed_linux = sizeof(struct wedr_linux_##lower),                   \
                         .fixed_windows = sizeof(struct wedr_windows_##lower),               \
                         .fields = fields_##ID,                                              \
                         .field_count = sizeof(fields_##ID) / sizeof(fields_##ID[0])},
#define WEDR_FIELD(...)
#define WEDR_DERIVED(...)
#define WEDR_TYPE_END(ID, lower)
const struct wedr_type_info wedr_wire_types[WIRE_TYPE_COUNT] = {
#include "wedr/wire/schema.def"
};
#undef WEDR_TYPE

/* Position + 1 by code; 0: no such type. */
#define WEDR_TYPE(ID, lower, code_, ...) [(code_)] = WIRE_INDEX_##ID + 1,
static const uint8_t index_by_code[CODE_LIMIT] = {
#include "wedr/wire/schema.def"
};
#undef WEDR_TYPE

#define WEDR_TYPE(ID, lower, code_, event_type_, ...) sizeof(event_type_) - 1,
static const uint8_t name_len[WIRE_TYPE_COUNT] = {
#include "wedr/wire/schema.def"
};
#undef WEDR_TYPE
#undef WEDR_FIELD
#undef WEDR_DERIVED
#undef WEDR_TYPE_END

struct label {
    uint8_t kind;
    uint8_t len;
    uint32_t code;
    const char *text;
};

#define WEDR_LABEL(SET, NAME, code_, text_) \
    {.kind = WEDR_KIND_##SET, .len = sizeof(text_) - 1, .code = (code_), .text = (text_)},
static const struct label labels[] = {
#include "wedr/wire/labels.def"
};
#undef WEDR_LABEL

const struct wedr_type_info *wedr_types(size_t *ret_count)
{
    *ret_count = WIRE_TYPE_COUNT;
    return wedr_wire_types;
}

const struct wedr_type_info *wedr_type_by_code(uint16_t code)
{
    if (code >= CODE_LIMIT || index_by_code[code] == 0) {
        return NULL;
    }
    return &wedr_wire_types[index_by_code[code] - 1];
}

const struct wedr_type_info *wedr_type_by_name(const char *event_type, size_t len)
{
    for (size_t i = 0; i < WIRE_TYPE_COUNT; i++) {
        if (name_len[i] == len && memcmp(wedr_wire_types[i].event_type, event_type, len) == 0) {
            return &wedr_wire_types[i];
        }
    }
    return NULL;
}

const struct wedr_field_info *
wedr_type_field(const struct wedr_type_info *type, uint8_t os, const char *name)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const struct wedr_field_info *f = &type->fields[i];

        if (f->name[0] == name[0] && (f->os_mask & os) != 0 && !f->derived &&
            strcmp(f->name, name) == 0) {
            return f;
        }
    }
    return NULL;
}

const char *wedr_label_text(uint8_t kind, uint32_t code)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(labels); i++) {
        if (labels[i].kind == kind && labels[i].code == code) {
            return labels[i].text;
        }
    }
    return NULL;
}

int wedr_label_code(uint8_t kind, const char *text, size_t len, uint32_t *ret_code)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(labels); i++) {
        if (labels[i].kind == kind && labels[i].len == len &&
            memcmp(labels[i].text, text, len) == 0) {
            *ret_code = labels[i].code;
            return WEDR_OK;
        }
    }
    return WEDR_E_NOENT;
}
