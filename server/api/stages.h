/* SPDX-License-Identifier: Apache-2.0
 *
 * server/api/stages.h — the threads behind the listener: one for control work (state store), some
 * that check batches, one that commits groups of them, some for queries, some for password hashes.
 * Each lane has its own bounded queue, so that a slow one delays no other.
 */
#pragma once

#include "api/metrics.h"
#include "core/base/attr.h"
#include "http/http.h"
#include "store/events.h"
#include <stdbool.h>
#include <stdint.h>

struct wedr_stages;

struct wedr_stages_cfg {
    unsigned workers; /* of ingest */
    unsigned queries;
    unsigned commit_batches;
    uint64_t commit_bytes, commit_wait_us, commit_longest_us;
    const struct wedr_events_ops *events_ops;
    struct wedr_events *events;
    struct wedr_metrics *metrics;
    void *arg; /* of route->run */
};

WEDR_MUST_USE int wedr_stages_new(const struct wedr_stages_cfg *cfg, struct wedr_stages **ret);
/* Password hashes at a time: each takes 64 MiB and a processor. */
#define WEDR_STAGES_PASSWORDS 2u
/* Runs rq->route->run on a thread of the route's lane and finishes rq after it, unless the route
 * `finishes` itself. An ingest route always does, or calls wedr_stages_commit as its last act.
 * One person's queries leave a thread to the others, and a quarter of the queue is theirs at most.
 * False: the queue is full or stopped, rq stays the caller's. */
bool wedr_stages_submit(struct wedr_stages *p, struct wedr_request *rq);
/* Called on the committing thread; outcome counts when err is WEDR_OK. */
typedef void (*wedr_commit_done)(void *arg,
                                 struct wedr_request *rq,
                                 const struct wedr_prepared *prepared,
                                 int err,
                                 enum wedr_commit_outcome outcome);
/* From route->run, as its last act: commits `prepared` (taken) together with others, then calls
 * done and finishes rq. Waits while the commit queue is full. */
void wedr_stages_commit(struct wedr_stages *p,
                        struct wedr_request *rq,
                        struct wedr_prepared *prepared,
                        wedr_commit_done done);
/* Finishes what is queued, ends the threads; submit takes nothing any more. */
void wedr_stages_stop(struct wedr_stages *p);
/* After the last submit. Stops first when that is still to be done. NULL is allowed. */
void wedr_stages_free(struct wedr_stages *p);
