/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/note.h — what a rule can say about an event besides its title. Any thread. */
#pragma once

#include "core/util/buf.h"
#include "wedr/rules/event.h"

/* Appends the indicator of a list that the event has, with its comment; nothing for other rules. */
void wedr_note(const struct wedr_ruleset *rs,
               uint32_t rule,
               struct wedr_rule_event *ev,
               struct wedr_buf *out);
