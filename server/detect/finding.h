/* SPDX-License-Identifier: Apache-2.0
 * server/detect/finding.h — what a rule of the server found, as an alert of a step. */
#pragma once

#include "detect/step.h"
#include "detect/watch.h"
#include "wedr/rules/correlate.h"
#include "wedr/wire/batch.h"

/* Names one stored event. */
struct wedr_ref {
    char agent_id[WEDR_AGENT_ID_TEXT];
    char stream[WEDR_STREAM_NAME_MAX];
    uint64_t epoch, seq;
};

struct wedr_finding {
    const struct wedr_state_ops *ops;
    struct wedr_state *state;
    struct wedr_step *step;
    const struct wedr_ruleset *rs;
    const struct wedr_rule *rule;
    const struct wedr_event_block *block; /* of the event that completed it */
    const struct wedr_event_line *line;
    const struct wedr_firing *firing; /* NULL: one event was enough */
    const char *note;                 /* behind the message; NULL: none */
    struct wedr_text entity_value; /* of the field that the rule counts alerts by; may be empty */
    uint64_t count, serial, suppressed;
    const struct wedr_ref *refs[WEDR_WATCH_EVIDENCE_MAX]; /* newest first */
    size_t ref_count;
    char rule_id[256], entity[512]; /* set by name */
};

/* Fills in rule_id and entity: the values that a correlation groups by, else agent and
 * entity_value.
 */
void wedr_finding_name(struct wedr_finding *f);
/* The same match gives the same alert_id whenever it is made. False: no room. */
bool wedr_finding_store(struct wedr_finding *f);
