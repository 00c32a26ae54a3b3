/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/attr.h"
#include "ingest/bytes16.h"
#include "ingest/schema_table.h"
#include <string.h>

#define ENV(key, type)                                           \
    {                                                            \
        "\"" key "\":", sizeof(key) - 1u, type, sizeof(key) + 2u \
    }

const struct wedr_env_info wedr_env_keys[WEDR_ENV_COUNT] = {ENV("ts", WEDR_LP_STR),
                                                            ENV("module", WEDR_LP_STR),
                                                            ENV("event_type", WEDR_LP_STR),
                                                            ENV("process", WEDR_LP_OBJ),
                                                            ENV("raw", WEDR_LP_OBJ),
                                                            ENV("ts_ft_100ns", WEDR_LP_INT),
                                                            ENV("source", WEDR_LP_STR),
                                                            ENV("kind", WEDR_LP_STR),
                                                            ENV("event_version", WEDR_LP_INT),
                                                            ENV("seq", WEDR_LP_INT),
                                                            ENV("drop_count", WEDR_LP_INT),
                                                            ENV("trunc_count", WEDR_LP_INT),
                                                            ENV("plugin_id", WEDR_LP_STR),
                                                            ENV("plugin_name", WEDR_LP_STR),
                                                            ENV("plugin_pid", WEDR_LP_INT),
                                                            ENV("plugin_ts_unix_ns", WEDR_LP_INT),
                                                            ENV("session_id", WEDR_LP_STR)};

enum wedr_stream_class wedr_stream_class(const char *stream)
{
    if (strcmp(stream, WEDR_STREAM_NAME_ALERT) == 0) {
        return WEDR_CLASS_ALERT;
    }
    if (strcmp(stream, WEDR_STREAM_NAME_AGENT) == 0) {
        return WEDR_CLASS_AGENT;
    }
    return strncmp(stream, "plugin.", 7) == 0 ? WEDR_CLASS_PLUGIN : WEDR_CLASS_SENSOR;
}

bool wedr_schema_source_ok(const char *s, size_t len)
{
    if (len == 0 || len > 64) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
              c == '-')) {
            return false;
        }
    }
    return true;
}

static bool lower_hex(const char *s, size_t len)
{
    size_t i = 0;
    for (; i + 16 <= len; i += 16) {
        if (wedr_bytes16_not_lower_hex(s + i) != 0) {
            return false;
        }
    }
    for (; i < len; i++) {
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

bool wedr_schema_text_ok(const struct wedr_schema_slot *slot, const char *s, size_t len)
{
    int64_t t;
    switch (slot->rule) {
    case WEDR_RULE_HEX16:
        return len == 16 && wedr_bytes16_not_lower_hex(s) == 0;
    case WEDR_RULE_TIME:
        return wedr_line_time_parse(s, len, &t);
    case WEDR_RULE_IP:
        return ip_text(s, len);
    case WEDR_RULE_HEX:
        return len % 2 == 0 && lower_hex(s, len);
    default:
        return true;
    }
}
