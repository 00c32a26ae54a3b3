/* SPDX-License-Identifier: Apache-2.0
 * rules/src/bundle/reader.h — a body while it is read. The first mistake is kept; after it every
 * read gives 0 and moves nothing, so that loops end. */
#pragma once

#include "bundle/bundle.h"
#include "event/event.h"

/* Index in the bundle to index here; the memory is the pool's. */
struct wedr_bundle_table {
    uint32_t *to;
    uint32_t count;
};

struct wedr_bundle_reader {
    const uint8_t *p, *end, *start;
    struct wedr_pool pool; /* of the tables */
    struct wedr_ruleset *rs;
    struct wedr_field_map *map;
    struct wedr_errinfo *ei;
    struct wedr_text *strings;
    uint32_t string_count;
    struct wedr_bundle_table fields, classes, sets, nodes, rules;
    uint64_t weight;
    int err;
};

/* Keeps err with what is wrong and where; returns it. */
int wedr_bundle_bad(struct wedr_bundle_reader *r, int err, const char *what);
/* A number of at most max. */
uint64_t wedr_bundle_number(struct wedr_bundle_reader *r, uint64_t max);
/* How many elements follow, each of at least min_size bytes: more than fit are none. */
uint32_t wedr_bundle_count(struct wedr_bundle_reader *r, uint32_t max, size_t min_size);
/* n bytes, or NULL. */
const uint8_t *wedr_bundle_bytes(struct wedr_bundle_reader *r, size_t n);
struct wedr_text wedr_bundle_text(struct wedr_bundle_reader *r);
/* A text that has no NUL in it. */
const char *wedr_bundle_cstr(struct wedr_bundle_reader *r);
/* An id of the table, WEDR_IR_NONE for none where that is allowed. */
uint32_t wedr_bundle_id(struct wedr_bundle_reader *r, const struct wedr_bundle_table *t, bool none);
struct wedr_number wedr_bundle_value(struct wedr_bundle_reader *r);
struct wedr_net wedr_bundle_net(struct wedr_bundle_reader *r);
/* A zeroed block that lives as long as the reader; NULL keeps WEDR_E_NOMEM. */
void *wedr_bundle_block(struct wedr_bundle_reader *r, size_t count, size_t size);

void wedr_bundle_read_names(struct wedr_bundle_reader *r);
void wedr_bundle_read_sets(struct wedr_bundle_reader *r);
void wedr_bundle_read_nodes(struct wedr_bundle_reader *r);
void wedr_bundle_read_rules(struct wedr_bundle_reader *r);
void wedr_bundle_read_map(struct wedr_bundle_reader *r);
