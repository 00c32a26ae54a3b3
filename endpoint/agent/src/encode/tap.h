/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/encode/tap.h — the rule event of a line straight from the encoder: while it
 * writes a line it notes where each key's value begins, and the tap, which knows from the start
 * which keys rules ask for, hands just these values to the matcher. What it gives is what
 * wedr_rule_event_read_json would give for the line, as far as rules of the event's classes can see
 * it. Records that carry JSON of their own (alert, response) are never matched. One per ruleset;
 * what it knows of a type it works out at the first event of that type. Not thread-safe.
 */
#pragma once

#include "encode/encode.h"
#include "wedr/rules/event.h"
#include <stdbool.h>

struct wedr_tap;

/* map: sealed; it, its ruleset and the encoder must outlive the tap. WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_tap_new(const struct wedr_encoder *enc,
                               const struct wedr_field_map *map,
                               struct wedr_tap **ret_tap);
void wedr_tap_free(struct wedr_tap *t); /* NULL is allowed */
/* Bytes by now. */
size_t wedr_tap_memory(const struct wedr_tap *t);
/* False: no rule can match an event of that system (WEDR_OS_*) and type; fill is not needed. */
bool wedr_tap_wants(struct wedr_tap *t, uint8_t os, uint16_t type);
/* The line that enc wrote last (wedr_encode gave it and returned WEDR_OK) as a rule event; ev is of
 * the same ruleset, is cleared first and borrows the line until it is cleared again. *ret_any
 * false: no rule can match, ev is empty. Without memory for what it has to work out the line is
 * read as JSON. WEDR_E_LIMIT: more values than ev holds; WEDR_E_BUG; ev is empty. */
WEDR_MUST_USE int wedr_tap_fill(struct wedr_tap *t,
                                const struct wedr_encoder *enc,
                                const char *line,
                                size_t len,
                                struct wedr_rule_event *ev,
                                bool *ret_any);
