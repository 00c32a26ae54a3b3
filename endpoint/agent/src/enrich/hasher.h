/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/enrich/hasher.h — digests of executables, one file at a time, in slices that
 * keep to a budget of bytes a second. Only a file that is certainly the one that was run gets one:
 * it is found by its process or its path, compared with what the kernel said before and after, and
 * not read before a change would show in its times. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "enrich/packages.h"
#include "wedr/wire/msg.h"
#include <stdbool.h>
#include <stdint.h>

#define WEDR_HASHER_QUEUE 64u
#define WEDR_HASHER_SLICE (64u << 10) /* bytes of one turn */
#define WEDR_HASHER_TICK_MS 20u       /* a file is left alone for so long after a change */

struct wedr_hasher_cfg {
    uint64_t bytes_per_second, file_bytes_max;
    struct wedr_packages *packages; /* borrowed; NULL: none */
};

struct wedr_hasher;

WEDR_MUST_USE struct wedr_hasher *wedr_hasher_new(const struct wedr_hasher_cfg *cfg);
void wedr_hasher_free(struct wedr_hasher *h); /* NULL is allowed */
/* Takes a question; when too many wait, the answer is BUSY at once. */
void wedr_hasher_ask(struct wedr_hasher *h, const struct wedr_msg_exe_ask *m);
/* One slice of work. True: *ret is an answer. *ret_wait_ms: when to call again at the latest, 0 at
 * once, UINT32_MAX: nothing to do. */
WEDR_MUST_USE bool wedr_hasher_run(struct wedr_hasher *h,
                                   uint64_t now_ms,
                                   struct wedr_msg_exe_facts *ret,
                                   uint32_t *ret_wait_ms);
/* Fills its part. */
void wedr_hasher_stats(const struct wedr_hasher *h, struct wedr_msg_facts_stats *ret);
