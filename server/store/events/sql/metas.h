/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/sql/metas.h — what a day file says about its blocks, read once per query: all
 * of a day as it was at one moment, so that a merge beside the query neither hides nor doubles a
 * line. What was merged away stays readable where it was for longer than a query may take.
 */
#pragma once

#include "store/events/sql/sql.h"
#include "wedr/wire/batch.h"

/* A token filter that was read: a query that asks again and again, as one that walks up a process
 * tree does, reads each once. */
struct wedr_kept_filter {
    uint8_t *p;
    size_t len;
};

struct wedr_block_meta {
    int64_t id;
    int64_t t0, t1, seq0, seq1, received_at;
    uint64_t epoch;
    const char *agent, *hostname, *stream; /* shared between blocks */
    const uint8_t *counts;                 /* pairs {u16 code, u32 lines} */
    uint32_t n, rejected;
    uint32_t counts_len;
    uint8_t boot_id[WEDR_BOOT_ID_LEN];
    bool tiny;
    bool canonical; /* text can be searched for as it stands */
    bool merged;    /* of several batches */
    /* NULL until a thread of the query has put one there; then it stays. */
    _Atomic(struct wedr_kept_filter *) *kept;
};

/* The blocks of day i that are in the caller's scope, by id. Read on first use, kept until the
 * query ends. *ret_count 0 when the day cannot be read. WEDR_E_NOMEM, WEDR_E_BUSY, WEDR_E_TIMEOUT:
 * what would leave rows out. */
WEDR_MUST_USE int
wedr_metas(struct wedr_sql *s, size_t i, const struct wedr_block_meta **ret, size_t *ret_count);
/* Frees what wedr_metas read for a day. */
void wedr_metas_fini(struct wedr_metas *m);
