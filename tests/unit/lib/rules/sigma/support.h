/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/sigma/support.h — one or several rules in, one event against them, in words
 * short enough that a test is one line a case. */
#pragma once

#include "wedr/rules/engine.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/sigma.h"
#include <stdbool.h>

/* The text of the last refusal ("" when none) and its line. */
extern char sigma_reason[256];
extern uint32_t sigma_line;
/* What the lists of placeholders are from now on. */
void sigma_lists(const struct wedr_sigma_list *lists, size_t count);
/* All documents of yaml; NULL when any was refused. Rules of the log source test/unit/case. */
struct wedr_ruleset *sigma_load(const char *yaml, struct wedr_sigma_stats *ret_stats);
/* Is rule `rule` of yaml true for the event (JSON)? The log source test/unit/case is its class.
 * Both ways of evaluation must agree. Fails the test when the rule is refused. */
bool sigma_match_nth(const char *yaml, uint32_t rule, const char *json);
/* `detection`: the lines below "detection:", from column 2 on. */
bool sigma_match(const char *detection, const char *json);
/* One selection with one entry, the condition is the selection. */
bool sigma_entry(const char *entry, const char *json);
/* The detection is refused with err, and the reason contains `part`. */
void sigma_refused(const char *detection, int err, const char *part);
/* The whole text is. */
void sigma_refused_text(const char *yaml, int err, const char *part);

#define YES(entry, json) assert_true(sigma_entry(entry, json))
#define NO(entry, json) assert_false(sigma_entry(entry, json))
