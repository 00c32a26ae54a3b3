/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/encode/proctab.h — image path by process key, so that exit and fork records
 * can name the program. Bounded: what does not fit pushes out an older one of its set; a miss costs
 * only the name. No allocation after new.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include <stdint.h>

#define WEDR_PROCTAB_SETS 2048u
#define WEDR_PROCTAB_WAYS 4u
#define WEDR_PROCTAB_PATH_MAX 245u

struct wedr_proctab;

WEDR_MUST_USE struct wedr_proctab *wedr_proctab_new(void);
void wedr_proctab_free(struct wedr_proctab *t);
/* Paths longer than WEDR_PROCTAB_PATH_MAX and key 0 are not kept; an older path of that key goes
 * then. */
void wedr_proctab_put(struct wedr_proctab *t, uint64_t key, struct wedr_span path);
/* Borrowed until the next put; len 0 when unknown. */
struct wedr_span wedr_proctab_get(const struct wedr_proctab *t, uint64_t key);
void wedr_proctab_remove(struct wedr_proctab *t, uint64_t key);
