/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/encode/encode.h — one decoded record to one NDJSON line, by the tables of
 * lib/wire/schema.def. docs/events.md says what a line holds. No allocation per event; one thread
 * per encoder.
 */
#pragma once

#include "core/base/attr.h"
#include "wedr/wire/decode.h"
#include <stddef.h>
#include <stdint.h>

struct wedr_encoder;

/* Maps the boot-time clock of Linux records to UTC: utc_us is what the wall clock showed at
 * boot_ns. */
struct wedr_clock_pair {
    uint64_t boot_ns;
    int64_t utc_us;
};

WEDR_MUST_USE int wedr_encoder_new(struct wedr_encoder **ret);
void wedr_encoder_free(struct wedr_encoder *e); /* NULL is allowed */
/* Writes the line with its newline to out. WEDR_E_LIMIT when it is longer than cap. Remembers image
 * paths of processes for later exit and fork records; encoding a record twice gives the same line
 * except that an exit forgets its path. */
WEDR_MUST_USE int wedr_encode(struct wedr_encoder *e,
                              const struct wedr_event_view *v,
                              struct wedr_clock_pair clock,
                              char *out,
                              size_t cap,
                              size_t *ret_len);
