/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/detect/evidence.h — lines of events that rules matched, kept for a while so
 * that a correlation can show what it counted. A ring: new lines push out old ones, whose identity
 * is remembered somewhat longer. All memory is taken at new. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include "detect/sighting.h"
#include <stdbool.h>
#include <stddef.h>

#define WEDR_EVIDENCE_SLOTS 16384u
#define WEDR_EVIDENCE_BYTES ((size_t)2 << 20)
#define WEDR_EVIDENCE_LINE_MAX ((size_t)64 << 10) /* longer lines are remembered without text */

struct wedr_evidence;

/* NULL when out of memory. */
WEDR_MUST_USE struct wedr_evidence *wedr_evidence_new(uint32_t slots, size_t bytes);
void wedr_evidence_free(struct wedr_evidence *e); /* NULL is allowed */
/* Keeps a copy; the reference by which it is found again, 1, 2, 3 ... */
WEDR_MUST_USE uint64_t wedr_evidence_put(struct wedr_evidence *e,
                                         const struct wedr_sighting *s,
                                         const char *line,
                                         size_t len);
/* False: forgotten. *ret_line: len 0 when only the identity is left. Borrowed until the next put.
 */
WEDR_MUST_USE bool wedr_evidence_get(const struct wedr_evidence *e,
                                     uint64_t ref,
                                     struct wedr_sighting *ret_sighting,
                                     struct wedr_span *ret_line);
