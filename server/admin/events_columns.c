/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/events_columns.h"
#include "wedr/wire/schema.h"
#include <string.h>

static const struct wedr_events_column_info columns[] = {
    {"ts", true, "when it happened, microseconds since 1970 UTC"},
    {"received_at", true, "when the server stored it, microseconds since 1970 UTC"},
    {"agent_id", false, "endpoint that sent it"},
    {"hostname", false, "name of the endpoint at its enrolment"},
    {"epoch", false, "run of the producer, 16 hex digits"},
    {"boot_id", false, "boot of the endpoint, 32 hex digits"},
    {"stream", false, "stream of the producer"},
    {"seq", true, "number in its stream, without holes"},
    {"lane", false, "critical or bulk"},
    {"module", false, "part that saw it"},
    {"event_type", false, "what happened"},
    {"pid", true, NULL},
    {"ppid", true, NULL},
    {"process_key", false, NULL},
    {"parent_key", false, NULL},
    {"process_name", false, NULL},
    {"process_path", false, NULL},
    {"command_line", false, NULL},
    {"uid", true, NULL},
    {"user", false, NULL},
    {"sha256", false, NULL},
    {"target_path", false, NULL},
    {"remote_ip", false, NULL},
    {"remote_port", true, NULL},
    {"dns_name", false, NULL},
    {"container_id", false, NULL},
    {"raw", false, "the stored line, JSON"},
};

static const struct {
    const char *name, *column;
} aliases[] = {{"endpoint", "agent_id"},
               {"type", "event_type"},
               {"image_path", "process_path"},
               {"hash", "sha256"}};

const struct wedr_events_column_info *wedr_events_columns(size_t *ret_count)
{
    *ret_count = WEDR_ARRAY_COUNT(columns);
    return columns;
}

static bool same(const char *name, const char *s, size_t len)
{
    return strlen(name) == len && memcmp(name, s, len) == 0;
}

const struct wedr_events_column_info *wedr_events_column(const char *name, size_t len)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(aliases); i++) {
        if (same(aliases[i].name, name, len)) {
            name = aliases[i].column;
            len = strlen(name);
            break;
        }
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(columns); i++) {
        if (same(columns[i].name, name, len)) {
            return &columns[i];
        }
    }
    return NULL;
}

/* The first field of a type that fills the column; NULL. */
static const struct wedr_field_info *field_of(const struct wedr_type_info *t, const char *column)
{
    for (size_t i = 0; i < t->field_count; i++) {
        if (strcmp(t->fields[i].sql, column) == 0) {
            return &t->fields[i];
        }
    }
    return NULL;
}

static void write_column(struct wedr_out *o, const struct wedr_events_column_info *c)
{
    size_t count = 0;
    const struct wedr_type_info *types = wedr_types(&count);
    const struct wedr_field_info *first = NULL;
    wedr_out_obj_begin(o);
    wedr_out_put_text(o, "name", c->name);
    wedr_out_put_text(o, "type", c->number ? "integer" : "text");
    wedr_out_key(o, "types");
    wedr_out_arr_begin(o);
    for (size_t i = 0; i < count; i++) {
        const struct wedr_field_info *f = c->help ? NULL : field_of(&types[i], c->name);
        if (c->help || f) {
            wedr_out_text(o, types[i].event_type);
            first = first ? first : f;
        }
    }
    wedr_out_arr_end(o);
    wedr_out_put_text(o, "help", c->help ? c->help : first ? first->help : "");
    wedr_out_put_text(o, "ecs", first && first->ecs[0] ? first->ecs : NULL);
    wedr_out_obj_end(o);
}

void wedr_events_columns_write(struct wedr_out *o)
{
    wedr_out_arr_begin(o);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(columns); i++) {
        write_column(o, &columns[i]);
    }
    wedr_out_arr_end(o);
}
