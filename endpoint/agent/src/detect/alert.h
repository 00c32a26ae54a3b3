/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/detect/alert.h — what an alert says, as a wire record: the rule, the events
 * that it rests on, the chain of ancestors, the predicates that held. Every part is bounded in
 * bytes; what does not fit is left out from the end that matters least. No allocation after init.
 * One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/buf.h"
#include "core/util/json.h"
#include "detect/evidence.h"
#include "detect/sighting.h"
#include "encode/proctree.h"
#include "wedr/rules/engine.h"
#include "wedr/wire/decode.h"

#define WEDR_ALERT_ID_LEN 16u
#define WEDR_ALERT_ID_TEXT 33u
#define WEDR_ALERT_EVIDENCE_MAX 57344u /* bytes of each JSON part; a record has 128 KiB */
#define WEDR_ALERT_ANCESTRY_MAX 24576u
#define WEDR_ALERT_MATCHED_MAX 8192u
#define WEDR_ALERT_EVENTS_MAX 32u /* events that an alert names */
#define WEDR_ALERT_ANCESTORS_MAX 32u
#define WEDR_ALERT_VALUE_MAX 256u /* bytes of a value among `matched` */

/* The same rule on the same event has the same id, whenever and how often it is matched: SHA-256
 * over "<rule id>\n<epoch, 16 hex>\n<stream>\n<seq>", its first 16 bytes. */
void wedr_alert_id(struct wedr_text rule_id,
                   const struct wedr_sighting *s,
                   char ret[WEDR_ALERT_ID_TEXT]);

/* An event that an alert rests on. */
struct wedr_alert_event {
    struct wedr_sighting s;
    struct wedr_span line; /* with or without its newline; len 0: not there any more */
};

struct wedr_alert {
    char id[WEDR_ALERT_ID_TEXT];
    const struct wedr_rule *rule;
    struct wedr_sighting s; /* the event that completed the match */
    const char *entity;
    struct wedr_text note; /* put behind the rule's message; len 0: nothing */
    uint64_t suppressed, match_count;
    uint64_t rules_serial;
    const char *profile;
    const struct wedr_alert_event *events; /* oldest first */
    size_t event_count;
};

/* What wedr_engine_explain says, as JSON: begin, steps for one or several rules, end. Values are
 * shown without the secrets that were taken out of the event's line. */
struct wedr_alert_builder {
    struct wedr_encoder *encoder; /* borrowed: names of users, secrets of the event under way */
    uint8_t *record;              /* WEDR_RECORD_MAX */
    char *evidence, *ancestry, *matched;
    size_t matched_len;
    struct wedr_json explain;
    const struct wedr_ruleset *explain_rs;
    struct wedr_buf describe;
    bool explain_full;
    uint64_t cut; /* alerts that could not name or show all of their evidence */
};

WEDR_MUST_USE int wedr_alert_builder_init(struct wedr_alert_builder *b,
                                          struct wedr_encoder *encoder);
void wedr_alert_builder_fini(struct wedr_alert_builder *b);

void wedr_alert_matched_begin(struct wedr_alert_builder *b, const struct wedr_ruleset *rs);
/* A wedr_explain_fn; ctx is the builder. */
void wedr_alert_matched_step(void *ctx, const struct wedr_explain_step *step);
void wedr_alert_matched_end(struct wedr_alert_builder *b);
/* Nothing is known of what held: a count that is told later. */
void wedr_alert_matched_none(struct wedr_alert_builder *b);

/* The record, without seq and time, in b->record; r for wedr_record_finish. with_lines false: the
 * evidence names events without showing them. */
WEDR_MUST_USE int wedr_alert_build(struct wedr_alert_builder *b,
                                   const struct wedr_alert *a,
                                   struct wedr_proctree *processes,
                                   bool with_lines,
                                   struct wedr_record *ret_record);
