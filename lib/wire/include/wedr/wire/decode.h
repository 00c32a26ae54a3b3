/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 *
 * lib/wire/decode.h — the one decoder of wire records. Every byte is hostile until
 * wedr_event_decode said yes. Bounded, no allocation, no OS.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include "wedr/wire/schema.h"

/* A record that passed every check: all fields of its type lie inside fixed_size, every string
 * inside the record and behind fixed_size, no NUL in STR, UTF-16 of even length, flags known,
 * reserved parts 0, JSON one array or object (docs/wire.md), addresses of family 0, 4 or 6 with
 * zeroes behind, BOOL 0 or 1, stream known, seq not 0 for a kernel type. Label codes may be
 * unknown; ARGV and LIST hold any bytes and may lack the last NUL. Strings may share bytes. */
struct wedr_event_view {
    struct wedr_event_header h; /* copy, host order */
    struct wedr_span rec;       /* the whole record, borrowed */
    const struct wedr_type_info *type;
};

/* Decodes the record at the start of in. WEDR_OK; WEDR_E_AGAIN: in is shorter than a record (stream
 * of bytes: read more); WEDR_E_VERSION: unknown version, type or os (header is set in *ret_view as
 * far as readable, for counting; when the version is ours the whole record is there and h.size is
 * its length); WEDR_E_FORMAT: anything else. On failure only ret_view->h may have been written. */
WEDR_MUST_USE int wedr_event_decode(struct wedr_span in, struct wedr_event_view *ret_view);

/* Field access by index into view->type->fields; the field must be on the wire for this os. */
uint64_t wedr_event_uint(const struct wedr_event_view *v, const struct wedr_field_info *f);
int64_t wedr_event_int(const struct wedr_event_view *v, const struct wedr_field_info *f);
/* Bytes of a STR, ARGV, LIST or BYTES field and its WEDR_SF_* flags. Borrowed from v->rec. */
struct wedr_span wedr_event_str(const struct wedr_event_view *v,
                                const struct wedr_field_info *f,
                                uint16_t *ret_flags);
struct wedr_ip wedr_event_ip(const struct wedr_event_view *v, const struct wedr_field_info *f);
/* Field by name; NULL when the type has none of that name for this os. */
const struct wedr_field_info *wedr_event_field(const struct wedr_event_view *v, const char *name);

/* Building a record in memory (agent records, tests, gen): begin zeroes and fills the fixed part's
 * header; add appends a string and sets its reference (too long for what is left or for u16: cut
 * and flagged); finish sets size. The buffer has WEDR_RECORD_MAX bytes. */
struct wedr_record {
    uint8_t *p;
    size_t cap;
    size_t len;
};
/* WEDR_E_VERSION for an unknown (type, os); WEDR_E_RANGE when cap is below the fixed size. */
WEDR_MUST_USE int
wedr_record_begin(struct wedr_record *r, uint8_t *mem, size_t cap, uint16_t type, uint8_t os);
/* WEDR_E_NOENT: no such field for this os; WEDR_E_INVAL: not of that kind, or a string that no
 * record may hold (NUL in STR, odd UTF-16, unknown flags, no JSON); WEDR_E_RANGE: does not fit the
 * field, or JSON that would have to be cut (I32 takes -1 as well as 0xffffffff). */
int wedr_record_set_uint(struct wedr_record *r, const char *name, uint64_t v);
int wedr_record_set_str(
    struct wedr_record *r, const char *name, const void *s, size_t len, uint16_t flags);
int wedr_record_set_ip(struct wedr_record *r, const char *name, struct wedr_ip ip);
/* Loss and cut counters of the header; 0 when never set. */
void wedr_record_set_counts(struct wedr_record *r, uint64_t drop_count, uint32_t trunc_count);
/* Bytes of the finished record. */
size_t wedr_record_finish(
    struct wedr_record *r, uint64_t seq, int64_t time, uint8_t stream, uint16_t flags);
