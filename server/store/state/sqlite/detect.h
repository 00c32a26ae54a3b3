/* SPDX-License-Identifier: Apache-2.0
 * server/store/state/sqlite/detect.h — alerts, responses, processes and the cursor in state.db. */
#pragma once

#include "store/state_detect.h"

extern const struct wedr_state_detect_ops wedr_state_detect_sqlite;

/* What wedr_state_read_alert reads, of a table called a. */
#define WEDR_ALERT_COLUMNS                                                                       \
    "a.id,a.alert_id,a.agent_id,a.hostname,a.origin,a.ts,a.received_at,a.stored_at,a.rule_id,a." \
    "rule_title,a.rule_language,a.severity,a.message,a.tags,a.actions,a.pid,a.process_key,a."    \
    "image_path,a.command_line,a.user,a.entity,a.suppressed,a.match_count,a.rules_serial,a."     \
    "profile,a.ancestry,a.matched"
#define WEDR_ALERT_COLUMN_COUNT 27
struct sqlite3_stmt;
/* Texts are the statement's, until its next step. */
void wedr_state_read_alert(struct sqlite3_stmt *st, struct wedr_alert_row *ret);

enum wedr_state_kept { WEDR_KEPT_ALERTS, WEDR_KEPT_RESPONSES, WEDR_KEPT_KINDS };

/* How many rows and bytes each agent has: counted once, then kept in step, so that limits cost
 * nothing. */
struct wedr_state_counts {
    struct wedr_state_count {
        char agent_id[40];
        uint64_t rows[WEDR_KEPT_KINDS], processes, bytes; /* bytes: of alerts */
    } * v; /* sorted by agent_id; everyone who has alerts or responses is there */
    size_t count, cap;
    uint64_t rows[WEDR_KEPT_KINDS], bytes; /* of all */
};

struct wedr_state;
void wedr_state_counts_free(struct wedr_state_counts *c);
/* Everything of a step but the transaction around it. detect_apply.c */
int wedr_state_detect_apply(struct wedr_state *s, struct wedr_detect_step *step);
