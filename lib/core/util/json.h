/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/json.h — JSON writer for the hot path: no allocation, no state beyond one small
 * struct. Writes into memory the caller gives; what does not fit sets `overflow` and stops.
 * Canonical form: no blanks, keys as given, strings escaped as \" \\ \b \f \n \r \t and \u00XX
 * below 0x20, everything else raw UTF-8. Not thread-safe. */
#pragma once

#include "core/base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wedr_json {
    char *p;   /* next byte to write */
    char *end; /* one past the last usable byte */
    char *start;
    bool comma;    /* the next key or element needs a comma before it */
    bool overflow; /* sticky */
};

void wedr_json_init(struct wedr_json *j, char *mem, size_t cap);
/* Bytes written so far. */
size_t wedr_json_len(const struct wedr_json *j);
void wedr_json_obj_begin(struct wedr_json *j);
void wedr_json_obj_end(struct wedr_json *j);
void wedr_json_arr_begin(struct wedr_json *j);
void wedr_json_arr_end(struct wedr_json *j);
/* key must be plain ASCII without characters that need escaping (a name of schema.def). */
void wedr_json_key(struct wedr_json *j, const char *key);
void wedr_json_u64(struct wedr_json *j, uint64_t v);
void wedr_json_i64(struct wedr_json *j, int64_t v);
void wedr_json_bool(struct wedr_json *j, bool v);
void wedr_json_null(struct wedr_json *j);
/* 16 lower-case hex digits in quotes: epochs and process keys. */
void wedr_json_hex64(struct wedr_json *j, uint64_t v);
/* Lower-case hex of n bytes in quotes. */
void wedr_json_hex(struct wedr_json *j, const void *p, size_t n);
/* UTF-8 in, each maximal invalid part (Unicode 15, 3.9) becomes U+FFFD. Returns false when the
 * input was not valid UTF-8 (the caller then adds the exact bytes as <field>_hex). */
bool wedr_json_str(struct wedr_json *j, const char *s, size_t len);
/* A key and a text that ends with NUL. */
void wedr_json_put_str(struct wedr_json *j, const char *key, const char *s);
/* UTF-16LE in (len in bytes, an odd last byte is ignored), lone surrogates become U+FFFD; false as
 * above. */
bool wedr_json_utf16(struct wedr_json *j, const void *s, size_t len);
/* Trusted JSON text, copied as it is. */
void wedr_json_raw(struct wedr_json *j, const char *s, size_t len);
/* "2026-11-23T20:34:17.123456Z" in quotes from microseconds since 1970 UTC (years 1970..9999,
 * clamped). */
void wedr_json_time_us(struct wedr_json *j, int64_t unix_us);
