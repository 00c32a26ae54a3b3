/* SPDX-License-Identifier: Apache-2.0
 *
 * server/ingest/ingest.h — from the bytes of one batch to a block that is ready to commit. Pure
 * computation: runs on any worker thread, touches no disk. Every line is checked against
 * lib/wire/schema.def.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "wedr/wire/batch.h"
#include <stddef.h>
#include <stdint.h>

struct wedr_prepared; /* one block: identity, zstd frame, columns, filters, ledger facts */

struct wedr_ingest_batch {
    const char *agent_id; /* UUID text, from the certificate */
    const char *hostname; /* from the state store, never from a line */
    struct wedr_batch_id id;
    const void *z; /* the zstd frame as received, borrowed */
    size_t z_len;
    int64_t received_us;
};

/* Checks the digest, decompresses with hard bounds (WEDR_BATCH_RAW_ACCEPT, one frame, nothing
 * behind it), validates each line (JSON, depth, known keys, types, required fields, module and
 * event_type, seq rising within the range), builds columns and filters. A bad line is not an error:
 * it is noted in the rejected bitmap. Errors: WEDR_E_LIMIT (413), WEDR_E_FORMAT / WEDR_E_CORRUPT /
 * WEDR_E_RANGE (400: not a zstd frame, digest, line count or seq range do not match the identity),
 * WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_ingest_prepare(const struct wedr_ingest_batch *b,
                                      struct wedr_prepared **ret,
                                      struct wedr_errinfo *ei);
/* NULL is allowed. */
void wedr_prepared_free(struct wedr_prepared *p);
/* Bytes that it takes, about. */
size_t wedr_prepared_size(const struct wedr_prepared *p);
/* Lines accepted and rejected. */
void wedr_prepared_counts(const struct wedr_prepared *p,
                          uint32_t *ret_accepted,
                          uint32_t *ret_rejected);
