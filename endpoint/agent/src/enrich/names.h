/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/enrich/names.h — names of users and groups that were looked up by somebody
 * else, for a while. Bounded: what does not fit pushes out an older one of its set. An old name
 * stays in use while it is asked for again. No allocation after new; one thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include "wedr/wire/msg.h"
#include <stdbool.h>
#include <stdint.h>

#define WEDR_NAMES_SETS 256u
#define WEDR_NAMES_WAYS 4u

struct wedr_names;

WEDR_MUST_USE struct wedr_names *wedr_names_new(void);
void wedr_names_free(struct wedr_names *n); /* NULL is allowed */
/* *ret_ask: it is not known, or was asked for too long ago, and nobody asks for it now. Borrowed
 * until the next put; len 0: not known, or it has none. */
struct wedr_span wedr_names_get(struct wedr_names *n, uint32_t id, uint64_t now_ms, bool *ret_ask);
/* It is being asked for: no new question until until_ms. */
void wedr_names_asked(struct wedr_names *n, uint32_t id, uint64_t until_ms);
/* name "": it has none. */
void wedr_names_put(struct wedr_names *n, uint32_t id, const char *name, uint64_t until_ms);
