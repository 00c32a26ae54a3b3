/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/encode/proctree.h — processes by key: what lines of other events say of them
 * and what an alert's chain of ancestors is made of. The encoder's, shared with detection. Ended
 * ones stay until their place is needed: the parents of what is seen now have often ended. Bounded;
 * the one that was asked for or seen longest ago goes, and is counted. All memory is taken at new.
 * One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include "encode/encode.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_PROCTREE_DEFAULT 8192u
#define WEDR_PROC_IMAGE_MAX 256u   /* bytes of the path that are kept */
#define WEDR_PROC_COMMAND_MAX 512u /* bytes of the command line that are kept */

struct wedr_proc {
    uint64_t key, parent_key;
    int64_t started_us; /* UTC */
    uint32_t pid, uid;
    bool has_uid;
    bool windows;                /* paths are of that system */
    bool image_cut, command_cut; /* longer than what is kept */
    bool redacted;               /* of the command line */
    uint16_t image_len, command_len;
    char image[WEDR_PROC_IMAGE_MAX]; /* UTF-8 or what the kernel gave, no NUL behind it */
    char command[WEDR_PROC_COMMAND_MAX];
};

struct wedr_proctree;

/* max: processes, at least 1. NULL when out of memory. */
WEDR_MUST_USE struct wedr_proctree *wedr_proctree_new(uint32_t max);
void wedr_proctree_free(struct wedr_proctree *t); /* NULL is allowed */
/* Takes from process_create and process_fork what it wants; other records change nothing.
 * redacted: what stands in for the record's command line, NULL: the record's own. */
void wedr_proctree_learn(struct wedr_proctree *t,
                         const struct wedr_event_view *v,
                         struct wedr_clock_pair clock,
                         const struct wedr_span *redacted);
/* NULL when it is not known. Borrowed until the next learn. */
const struct wedr_proc *wedr_proctree_get(struct wedr_proctree *t, uint64_t key);
uint32_t wedr_proctree_count(const struct wedr_proctree *t);
uint64_t wedr_proctree_evicted(const struct wedr_proctree *t);
/* UTC of a record's time; clamped to what 64 bits hold. */
int64_t wedr_record_utc_us(const struct wedr_event_header *h, struct wedr_clock_pair clock);
