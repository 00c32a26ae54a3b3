/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/server/detect/detect_lab.h — a data folder with event store, state store, rules and
 * the detection thread, as the server has them.
 */
#pragma once

#include "batch_builder.h"
#include "detect/worker.h"
#include "store/events.h"
#include "store/state.h"

struct lab {
    char dir[64];
    struct wedr_events *events;
    struct wedr_state *state;
    struct wedr_detect *detect; /* NULL while it is stopped */
    uint64_t next_seq;
};

extern uint8_t lab_secret[64];

void lab_open(struct lab *l);
void lab_close(struct lab *l); /* removes the folder */
/* Stores these files (name, text pairs) as rules and publishes. */
void lab_rules(struct lab *l, size_t count, const char *const *files);
void lab_start(struct lab *l);
void lab_stop(struct lab *l);
/* Commits a batch; it is freed. */
void lab_put(struct lab *l, struct tb *b);
/* Waits until the thread has read and committed everything. */
void lab_settle(struct lab *l);
/* First number of a query over the data folder. */
int64_t lab_int(struct lab *l, const char *sql);
/* Whole answer as JSON in a static buffer. */
const char *lab_sql(struct lab *l, const char *sql);
/* An alert line as an agent writes it. evidence: JSON. */
void lab_alert(struct tb *b, uint64_t seq, unsigned n, const char *evidence);
