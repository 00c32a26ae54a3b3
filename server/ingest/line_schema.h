/* SPDX-License-Identifier: Apache-2.0
 *
 * server/ingest/line_schema.h — the strict check of a parsed line against lib/wire/schema.def, and
 * where the SQL columns of a line are. The tables are made once from wedr_types(); any thread.
 */
#pragma once

#include "core/base/attr.h"
#include "ingest/line_parse.h"
#include "wedr/wire/schema.h"
#include <stdbool.h>
#include <stdint.h>

/* Columns of the SQL table `events` whose value stands in the line (schema.def, sql). */
enum wedr_line_column {
    WEDR_COL_PID,
    WEDR_COL_PPID,
    WEDR_COL_PROCESS_KEY,
    WEDR_COL_PARENT_KEY,
    WEDR_COL_PROCESS_NAME,
    WEDR_COL_PROCESS_PATH,
    WEDR_COL_COMMAND_LINE,
    WEDR_COL_UID,
    WEDR_COL_USER,
    WEDR_COL_SHA256,
    WEDR_COL_TARGET_PATH,
    WEDR_COL_REMOTE_IP,
    WEDR_COL_REMOTE_PORT,
    WEDR_COL_DNS_NAME,
    WEDR_COL_CONTAINER_ID,
    WEDR_COL_COUNT
};

#define WEDR_TYPE_CODE_PLUGIN \
    254u /* stored type code of a plugin's event; its event_type is plugin_event */
#define WEDR_TYPE_CODE_REJECTED 255u /* stored type code of a line that is no row */

#define WEDR_SCHEMA_SLOTS_MAX 256u /* keys of one type, with their _hex, _cut and _code forms */
#define WEDR_SCHEMA_WORDS (WEDR_SCHEMA_SLOTS_MAX / 64u)
struct wedr_schema_type;

struct wedr_line_info {
    const struct wedr_type_info *type; /* NULL for a plugin's event */
    uint8_t code;                      /* type->code or WEDR_TYPE_CODE_PLUGIN */
    uint8_t os;                        /* enum wedr_os_mask */
    bool canonical;                    /* the line's text is, for certain; else nobody looked */
    bool has_seq; /* also set when the check failed: the line names a readable seq */
    uint64_t seq; /* 1 .. INT64_MAX */
    int64_t ts_us;
    const struct wedr_lp_member *column[WEDR_COL_COUNT]; /* NULL: the line has no such value */
    /* Of a checked line of a known type: the keys in process and raw, a bit for each slot. */
    const struct wedr_schema_type *schema; /* NULL: not said */
    uint64_t keys[WEDR_SCHEMA_WORDS];
    const struct wedr_lp_member *const *text; /* all texts in process and raw; NULL: not said */
    size_t texts;
    const struct wedr_lp_member *source; /* set with text */
};

/* Envelope, module, event type, allowed and required keys, JSON types, ranges, no key twice.
 * stream: the batch's; alerts and responses only come in the stream "alert", what else the agent
 * says only in "agent", a plugin's events only in "plugin.*". Inside of an alert's evidence,
 * ancestry and matched keys are not looked at. WEDR_E_FORMAT when any rule is broken, WEDR_E_NOMEM
 * when the tables could not be made. */
WEDR_MUST_USE int
wedr_line_check(const struct wedr_line *line, const char *stream, struct wedr_line_info *ret);
/* The same of a line that was accepted once, perhaps by another release: nothing is checked that
 * the reader does not need, unknown keys are passed over, a column may have any JSON type.
 * WEDR_E_FORMAT without ts, seq or event_type. */
WEDR_MUST_USE int wedr_line_read(const struct wedr_line *line, struct wedr_line_info *ret);
/* Member of the raw object by name; NULL when there is none. */
const struct wedr_lp_member *wedr_line_raw(const struct wedr_line *line, const char *key);
/* "2026-11-23T20:34:17.123456Z" exactly, years 1970 .. 9999. */
bool wedr_line_time_parse(const char *s, size_t len, int64_t *ret_us);
/* Number of days since 1970-01-01, and back. */
int64_t wedr_days_from_civil(int64_t y, unsigned m, unsigned d);
void wedr_civil_from_days(int64_t days, int *ret_y, unsigned *ret_m, unsigned *ret_d);
