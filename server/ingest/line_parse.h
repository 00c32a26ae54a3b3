/* SPDX-License-Identifier: Apache-2.0
 *
 * server/ingest/line_parse.h — one NDJSON line as a flat list of members: the only door to the JSON
 * parser library. Validates all of JSON and UTF-8, limits depth and number of members. A parser
 * belongs to one thread at a time.
 */
#pragma once

#include "core/base/attr.h"
#include <stddef.h>
#include <stdint.h>

#define WEDR_LINE_PADDING 64u        /* readable bytes that must follow the line in memory */
#define WEDR_LINE_DEPTH_MAX 32u      /* objects and lists inside each other */
#define WEDR_LINE_MEMBERS_MAX 65536u /* members and list elements of one line */

enum wedr_lp_type {
    WEDR_LP_STR,
    WEDR_LP_INT,  /* fits in int64_t */
    WEDR_LP_UINT, /* above INT64_MAX */
    WEDR_LP_BOOL,
    WEDR_LP_REAL,
    WEDR_LP_NULL,
    WEDR_LP_LIST,
    WEDR_LP_OBJ
};

/* Where a member stands: in the line's object, in its "process" or "raw" object, or deeper. */
enum wedr_lp_scope { WEDR_LP_TOP, WEDR_LP_PROCESS, WEDR_LP_RAW, WEDR_LP_NESTED };

struct wedr_lp_member {
    const char *key; /* NULL for an element of a list */
    const char *s;   /* STR: decoded bytes, not NUL-terminated */
    uint64_t v; /* INT (two's complement), UINT, BOOL; LIST and OBJ: number of direct children */
    uint32_t key_len;
    uint32_t s_len;
    uint32_t parent; /* index of the object or list it stands in; UINT32_MAX at the top */
    uint8_t type;    /* enum wedr_lp_type */
    uint8_t scope;   /* enum wedr_lp_scope */
};

/* Members in document order, an object or list before its children. Borrowed from the parser until
 * the next parse. */
struct wedr_line {
    const struct wedr_lp_member *m;
    size_t count;
};

struct wedr_line_parser;

/* line_max: bytes to be ready for; it grows for longer lines. NULL when out of memory. */
WEDR_MUST_USE struct wedr_line_parser *wedr_line_parser_new(size_t line_max);
/* NULL is allowed. */
void wedr_line_parser_free(struct wedr_line_parser *p);
/* One JSON object in [s, s + len), without the newline; WEDR_LINE_PADDING bytes behind it can be
 * read. WEDR_E_FORMAT: not JSON, not an object, invalid UTF-8, a NUL character in a key or string;
 * WEDR_E_LIMIT: too deep, too long, too many members; WEDR_E_NOMEM. */
WEDR_MUST_USE int
wedr_line_parse(struct wedr_line_parser *p, const char *s, size_t len, struct wedr_line *ret_line);
/* True when the text (any number of lines) has no blank between tokens and only the escapes that
 * our own writer makes, so that a value has one spelling. out: scratch of the longest line
 * + WEDR_LINE_PADDING; both can be read for WEDR_LINE_PADDING bytes behind. */
int wedr_text_canonical(const char *s, size_t len, char *out);
