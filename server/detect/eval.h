/* SPDX-License-Identifier: Apache-2.0
 *
 * server/detect/eval.h — rules over stored lines: the engine of lib/rules with the fields that only
 * the server knows. One thread.
 */
#pragma once

#include "core/util/errinfo.h"
#include "store/events.h"
#include "wedr/rules/engine.h"

struct wedr_eval;

/* Takes both, also when it fails. Host name and agent of a line stand under host.name,
 * host.hostname, hostname, Computer, ComputerName and agent.id for rules that name them, where the
 * line has no value of its own. */
WEDR_MUST_USE int wedr_eval_new_take(struct wedr_ruleset *rs,
                                     struct wedr_field_map *map,
                                     struct wedr_eval **ret,
                                     struct wedr_errinfo *ei);
void wedr_eval_free(struct wedr_eval *e); /* NULL is allowed */
const struct wedr_engine *wedr_eval_engine(const struct wedr_eval *e);
const struct wedr_ruleset *wedr_eval_ruleset(const struct wedr_eval *e);
/* The event of the last line. */
struct wedr_rule_event *wedr_eval_event(struct wedr_eval *e);
void wedr_eval_stats(const struct wedr_eval *e, struct wedr_matcher_stats *ret);
/* Which rules the line satisfies (hidden ones too); the array lives until the next line.
 * WEDR_E_FORMAT, WEDR_E_LIMIT: the line cannot be read as an event. */
WEDR_MUST_USE int wedr_eval_line(struct wedr_eval *e,
                                 const struct wedr_event_block *b,
                                 const struct wedr_event_line *l,
                                 const uint32_t **ret_rules,
                                 size_t *ret_count);

/* Stored type codes whose events may satisfy a rule of the set, as far as the classes of our own
 * pipeline tell: false only where no rule can match. */
WEDR_MUST_USE int wedr_eval_types(const struct wedr_ruleset *rs, bool ret_types[256]);
/* The longest window of a correlation that can fire; 0 without one. */
int64_t wedr_eval_window_us(const struct wedr_ruleset *rs);
