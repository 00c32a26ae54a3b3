/* SPDX-License-Identifier: Apache-2.0
 *
 * server/admin/out.h — answers in JSON that are as long as they are: a writer on a growing buffer,
 * for pages of events and alerts that carry stored JSON as it is. What did not fit sticks in the
 * buffer's overflow flag. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/buf.h"
#include "ingest/line_parse.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wedr_out {
    struct wedr_buf *b;
    bool comma;                      /* the next key or element needs one before it */
    struct wedr_line_parser *parser; /* made when needed */
};

void wedr_out_init(struct wedr_out *o, struct wedr_buf *b);
void wedr_out_fini(struct wedr_out *o); /* the buffer stays the caller's */
void wedr_out_obj_begin(struct wedr_out *o);
void wedr_out_obj_end(struct wedr_out *o);
void wedr_out_arr_begin(struct wedr_out *o);
void wedr_out_arr_end(struct wedr_out *o);
void wedr_out_key(struct wedr_out *o, const char *key); /* plain ASCII */
/* Any bytes; what is no UTF-8 becomes U+FFFD. */
void wedr_out_bytes(struct wedr_out *o, const void *s, size_t len);
void wedr_out_hex(struct wedr_out *o, const void *bytes, size_t len);
void wedr_out_text(struct wedr_out *o, const char *s); /* NULL: null */
void wedr_out_i64(struct wedr_out *o, int64_t v);
/* As a number where every reader keeps it exact (up to 2^53), else as text. */
void wedr_out_safe_i64(struct wedr_out *o, int64_t v);
void wedr_out_real(struct wedr_out *o, double v); /* infinite: null */
void wedr_out_id(struct wedr_out *o, uint64_t v); /* as text */
void wedr_out_bool(struct wedr_out *o, bool v);
void wedr_out_null(struct wedr_out *o);
void wedr_out_time(struct wedr_out *o, int64_t us); /* <= 0: null */
void wedr_out_hex64(struct wedr_out *o, uint64_t v);
/* JSON that was made here. */
void wedr_out_raw(struct wedr_out *o, const char *json, size_t len);
/* One JSON value and nothing else. */
bool wedr_out_valid(struct wedr_out *o, const char *json, size_t len);
/* The members of an object that an endpoint sent, into the object that is open. False, and nothing
 * is written: it is none, or has a member whose name begins with `_`, as those that we add. */
bool wedr_out_members(struct wedr_out *o, const char *json, size_t len);
/* JSON out of a file or from an endpoint: checked, and null when it is none. True: it was. */
bool wedr_out_stored(struct wedr_out *o, const char *json, size_t len);

/* A key and its value. */
void wedr_out_put_text(struct wedr_out *o, const char *key, const char *s);
void wedr_out_put_i64(struct wedr_out *o, const char *key, int64_t v);
void wedr_out_put_time(struct wedr_out *o, const char *key, int64_t us);
void wedr_out_put_bool(struct wedr_out *o, const char *key, bool v);
