/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/encode/encode.h — one decoded record to one NDJSON line, by the tables of
 * lib/wire/schema.def. docs/events.md says what a line holds. No allocation per event; one thread
 * per encoder.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include "wedr/wire/decode.h"
#include <stddef.h>
#include <stdint.h>

struct wedr_encoder;
struct wedr_proctree;
struct wedr_facts;

/* Maps the boot-time clock of Linux records to UTC: utc_us is what the wall clock showed at
 * boot_ns. */
struct wedr_clock_pair {
    uint64_t boot_ns;
    int64_t utc_us;
};

WEDR_MUST_USE int wedr_encoder_new(struct wedr_encoder **ret);
void wedr_encoder_free(struct wedr_encoder *e); /* NULL is allowed */
/* Processes that records spoke of, the encoder's. */
struct wedr_proctree *wedr_encoder_tree(struct wedr_encoder *e);
/* What lines say of users and executables beyond their records; borrowed, NULL: nothing. Records of
 * another machine or time must not be encoded with it. */
void wedr_encoder_facts(struct wedr_encoder *e, struct wedr_facts *facts);
/* Name of a user; len 0: not known (yet). Borrowed until the next record. */
struct wedr_span wedr_encoder_user(const struct wedr_encoder *e, uint32_t uid);
/* From now on lines have command lines of Linux without their secrets (encode/redact.h). Rules
 * still see them as they were: wedr_encoder_original gives the tap what a line lacks. */
WEDR_MUST_USE int wedr_encoder_redact(struct wedr_encoder *e, const char *names);
uint64_t wedr_encoder_redacted(const struct wedr_encoder *e);
/* Takes the secrets of the event that was encoded last (alerts and responses aside) out of a text
 * that is made of it, in place. Returns its new length. */
size_t wedr_encoder_hide(const struct wedr_encoder *e, char *text, size_t len);
/* Writes the line with its newline to out. WEDR_E_LIMIT when it is longer than cap. Remembers
 * processes for later records. Encoding a record twice in a row gives the same line. */
WEDR_MUST_USE int wedr_encode(struct wedr_encoder *e,
                              const struct wedr_event_view *v,
                              struct wedr_clock_pair clock,
                              char *out,
                              size_t cap,
                              size_t *ret_len);
