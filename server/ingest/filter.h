/* SPDX-License-Identifier: Apache-2.0
 *
 * server/ingest/filter.h — what a block may contain: a token filter (split-block Bloom, 12 bits a
 * key) and a bitmap of 4-byte substrings. No false negatives. The byte formats are in
 * docs/event-store.md and open for ever.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_FILTER_BITS_PER_KEY 12u
#define WEDR_NGRAM_BITS 17u
#define WEDR_NGRAM_BYTES (1u << (WEDR_NGRAM_BITS - 3u))

struct wedr_filter_builder;
struct wedr_line_info;

/* lines: that may come, so that room is made once; there may be more. NULL when out of memory. */
WEDR_MUST_USE struct wedr_filter_builder *wedr_filter_builder_new(size_t lines);
/* NULL is allowed. */
void wedr_filter_builder_free(struct wedr_filter_builder *b);
/* A decoded value: the whole value, its words and its 4-grams, all in lower case. Does nothing when
 * the block had it. */
void wedr_filter_add_value(struct wedr_filter_builder *b, const char *s, size_t len);
/* A key name, or a text beside process and raw: 4-grams only. */
void wedr_filter_add_key(struct wedr_filter_builder *b, const char *s, size_t len);
/* The same for what every line of a type says: type, module and kind, and the keys of process and
 * raw that this line has. info->schema must not be NULL. */
void wedr_filter_add_known(struct wedr_filter_builder *b, const struct wedr_line_info *info);
/* wedr_filter_add_value of each of info->text, which must not be NULL. */
void wedr_filter_add_texts(struct wedr_filter_builder *b, const struct wedr_line_info *info);
/* "pid=4823": numbers that are searched for by field. */
void wedr_filter_add_number(struct wedr_filter_builder *b, const char *field, uint64_t v);
/* "parent=<value>": texts that are searched for by field, where the value alone stands in too many
 * blocks. In lower case. Nothing when the two are longer than WEDR_FILTER_FIELD_MAX. */
#define WEDR_FILTER_FIELD_MAX 96u
void wedr_filter_add_field(struct wedr_filter_builder *b,
                           const char *field,
                           const char *s,
                           size_t len);
/* Writes both filters. WEDR_E_NOMEM when memory ran out here or in any add. */
WEDR_MUST_USE int wedr_filter_finish(struct wedr_filter_builder *b,
                                     struct wedr_buf *ret_bloom,
                                     struct wedr_buf *ret_ngram);

/* Hash of a key whose ASCII letters are in lower case. */
uint64_t wedr_filter_hash(const char *s, size_t len);
/* False: the block does not have the key. True also when the bytes are no valid filter. */
bool wedr_bloom_may_contain(const void *bloom, size_t len, uint64_t hash);
/* True when the filter was made with the texts of wedr_filter_add_field: those of the life of a
 * process, see wedr_row_add. */
bool wedr_bloom_has_fields(const void *bloom, size_t len);
/* Hash of such a text. s: any case. 0: too long to be in a filter. */
uint64_t wedr_filter_field_hash(const char *field, const char *s, size_t len);
/* True when the names and texts beside `process` and `raw` are in it, too (all but ts): a search in
 * whole lines may rely on it then. */
bool wedr_ngram_has_envelope(const void *p, size_t len);
/* Unpacks a stored 4-gram bitmap of either version. WEDR_E_CORRUPT, WEDR_E_VERSION. */
WEDR_MUST_USE int wedr_ngram_unpack(const void *p, size_t len, uint8_t ret_bits[WEDR_NGRAM_BYTES]);
/* needle in lower case; false: no value of the block contains it. True for needles below 4 bytes.
 */
bool wedr_ngram_may_contain(const uint8_t bits[WEDR_NGRAM_BYTES], const char *needle, size_t len);
