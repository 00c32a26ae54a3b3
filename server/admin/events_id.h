/* SPDX-License-Identifier: Apache-2.0
 * server/admin/events_id.h — the name of one stored event: agent_id:epoch:stream:seq. Pure. */
#pragma once

#include "core/base/attr.h"
#include "wedr/wire/batch.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_EVENT_ID_MAX 144u /* with NUL */

struct wedr_event_id {
    char agent_id[WEDR_AGENT_ID_TEXT];
    char epoch[17];
    char stream[WEDR_STREAM_NAME_MAX];
    int64_t seq; /* 1 .. INT64_MAX */
};

/* False: not exactly a UUID, 16 lower-case hex digits, a stream's name and a number, in their one
 * spelling. */
bool wedr_event_id_parse(const char *text, struct wedr_event_id *ret);
void wedr_event_id_text(const struct wedr_event_id *id, char ret[WEDR_EVENT_ID_MAX]);
/* Decimal digits without a leading zero, 1 .. INT64_MAX. */
bool wedr_positive_parse(const char *text, int64_t *ret);
/* 16 lower-case hex digits. */
bool wedr_hex16_valid(const char *text);
