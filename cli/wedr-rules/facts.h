/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/facts.h — what a person asks first about an event: when, on which host, who, which
 * program, what. Each is the first of several fields that the event has, in the names that the
 * pipelines give. Constant once found, any thread. */
#pragma once

#include "core/util/errinfo.h"
#include "wedr/rules/event.h"

enum wedr_fact { WEDR_FACT_TIME, WEDR_FACT_HOST, WEDR_FACT_USER, WEDR_FACT_IMAGE, WEDR_FACT_WHAT };
#define WEDR_FACT_COUNT 5u
#define WEDR_FACTS_MORE_MAX 16u /* fields that a person named besides */
#define WEDR_FACTS_CANDIDATES 24u

struct wedr_facts {
    uint32_t fields[WEDR_FACT_COUNT][WEDR_FACTS_CANDIDATES]; /* WEDR_IR_NONE behind the last */
    uint32_t more[WEDR_FACTS_MORE_MAX];
    size_t more_count;
};

/* Makes the fields known to rs, before an engine is made of it; `more` are names for facts->more.
 * WEDR_E_INVAL (a name that is none, or too many), WEDR_E_NOMEM, WEDR_E_LIMIT. */
WEDR_MUST_USE int wedr_facts_intern(struct wedr_facts *facts,
                                    struct wedr_ruleset *rs,
                                    const char *const *more,
                                    size_t more_count,
                                    struct wedr_errinfo *ei);
/* The text of a fact; empty when the event has none. Borrowed like wedr_rule_event_text. */
struct wedr_text
wedr_facts_text(const struct wedr_facts *facts, struct wedr_rule_event *ev, enum wedr_fact fact);
/* Of the `index`-th further field: its first value. */
struct wedr_text
wedr_facts_more(const struct wedr_facts *facts, struct wedr_rule_event *ev, size_t index);
/* When it happened, in microseconds since 1970; false when no field says so. */
bool wedr_facts_time(const struct wedr_facts *facts, struct wedr_rule_event *ev, int64_t *ret_us);
