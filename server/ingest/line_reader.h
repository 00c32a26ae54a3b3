/* SPDX-License-Identifier: Apache-2.0
 *
 * server/ingest/line_reader.h — the lines of a batch, one after another. A line as agents write it
 * (canonical text of a known type, with keys where the line before had them) is read and checked in
 * one pass by the schema; any other by the general parser and check, which alone refuse. One thread
 * at a time.
 */
#pragma once

#include "ingest/line_schema.h"

struct wedr_line_reader;

/* line_max: bytes to be ready for; it grows for longer lines. NULL when out of memory. */
WEDR_MUST_USE struct wedr_line_reader *wedr_line_reader_new(size_t line_max);
/* NULL is allowed. */
void wedr_line_reader_free(struct wedr_line_reader *r);
/* The same from a few that are kept, with what they learned of the order of keys, and back; any
 * thread. */
WEDR_MUST_USE struct wedr_line_reader *wedr_line_reader_borrow(size_t line_max);
/* NULL is allowed. */
void wedr_line_reader_return(struct wedr_line_reader *r);
/* The line [s, s + len) with a newline at s[len] and WEDR_LINE_PADDING bytes that can be read
 * behind it: results and errors are those of wedr_line_parse, and of wedr_line_check when that was
 * OK. ret_info is set in either case. Texts and members are borrowed until the next line; those
 * without an escape stand in [s, s + len). */
WEDR_MUST_USE int wedr_line_reader_next(struct wedr_line_reader *r,
                                        const char *s,
                                        size_t len,
                                        const char *stream,
                                        struct wedr_line *ret_line,
                                        struct wedr_line_info *ret_info);
/* The fast half alone, for tests: false when the line is one for the general parser. */
bool wedr_line_reader_plain(struct wedr_line_reader *r,
                            const char *s,
                            size_t len,
                            const char *stream,
                            struct wedr_line *ret_line,
                            struct wedr_line_info *ret_info);
