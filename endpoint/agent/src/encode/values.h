/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/encode/values.h — the longer values of a line: times, addresses, argument
 * lists, labels, names taken out of paths. Private to encode/.
 */
#pragma once

#include "core/base/span.h"
#include "encode/text.h"
#include "wedr/wire/event.h"

/* The last second that was written as text; times come nearly in order. */
struct wedr_second {
    int64_t second;
    char text[24]; /* 2026-11-23T20:34:17. */
};

/* 2026-11-23T20:34:17.123456, without quotes and Z; years 1970..9999, clamped. */
void wedr_value_time(struct wedr_line_text *t, struct wedr_second *cache, int64_t unix_us);
/* In quotes. */
void wedr_value_ip(struct wedr_line_text *t, const uint8_t *ip);
/* NUL-terminated strings one after another: joined by one blank, in quotes; false when they were
 * not valid text. */
bool wedr_value_joined(struct wedr_line_text *t, struct wedr_span list);
/* The same as an array. */
void wedr_value_list(struct wedr_line_text *t, struct wedr_span list, bool utf16);
/* Array of the texts of the bits of a flag kind. */
void wedr_value_flags(struct wedr_line_text *t, uint8_t kind, uint32_t bits);
/* What stands behind the last separator. */
struct wedr_span wedr_value_basename(struct wedr_span path, bool utf16);
/* Name of a mandatory integrity level; NULL when it has none. */
const char *wedr_value_integrity(uint32_t rid);
/* What stands behind the last backslash or slash of a Windows path in UTF-8. */
struct wedr_span wedr_value_windows_name(struct wedr_span path);
/* Registry data as rules know it from Sysmon. REG_SZ, REG_EXPAND_SZ: the text (UTF-16LE) without
 * its last NULs; REG_MULTI_SZ: its texts with a blank between them, in room, as many as fit. */
bool wedr_value_is_registry_text(uint32_t type);
struct wedr_span
wedr_value_registry_text(uint32_t type, struct wedr_span data, uint8_t *room, size_t size);
/* Others: DWORD (0x00000001), QWORD (0x00000000-0x00000001), Binary Data. */
const char *
wedr_value_registry_number(uint32_t type, struct wedr_span data, char *room, size_t size);
