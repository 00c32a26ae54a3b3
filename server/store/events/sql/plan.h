/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/sql/plan.h — what a query asks of the table `events`: the conditions that
 * rows are skipped by, the order, the columns that are read. SQLite checks every condition again,
 * so that a test may let a row pass that does not match, and must never stop one that does.
 */
#pragma once

#include "core/base/span.h"
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wedr_events_column {
    C_TS,
    C_RECEIVED_AT,
    C_AGENT_ID,
    C_HOSTNAME,
    C_EPOCH,
    C_BOOT_ID,
    C_STREAM,
    C_SEQ,
    C_LANE,
    C_MODULE,
    C_EVENT_TYPE,
    C_PID,
    C_PPID,
    C_PROCESS_KEY,
    C_PARENT_KEY,
    C_PROCESS_NAME,
    C_PROCESS_PATH,
    C_COMMAND_LINE,
    C_UID,
    C_USER,
    C_SHA256,
    C_TARGET_PATH,
    C_REMOTE_IP,
    C_REMOTE_PORT,
    C_DNS_NAME,
    C_CONTAINER_ID,
    C_RAW,
    C_COUNT
};

#define WEDR_TESTS_MAX 32u

enum wedr_test_op {
    WEDR_TEST_ANY = '=', /* one of the values */
    WEDR_TEST_LT = '<',
    WEDR_TEST_LE = 'L',
    WEDR_TEST_GT = '>',
    WEDR_TEST_GE = 'G',
    WEDR_TEST_LIKE = '%',    /* the values are the pattern's fragments, in lower case, in order */
    WEDR_TEST_CONTAINS = 'C' /* one value, in lower case */
};

struct wedr_test {
    uint8_t column, op;
    bool anchored; /* LIKE: the first fragment is the beginning of the text */
    size_t count;
    int64_t *number;        /* of an integer column */
    struct wedr_span *text; /* of a text column; each owned */
};

struct wedr_events_ask {
    struct wedr_test test[WEDR_TESTS_MAX];
    size_t count;
    bool nothing;  /* no row can match */
    int order;     /* by ts: 1 ascending, -1 descending, 0 any */
    uint32_t used; /* bit of each column that is read */
    /* What the tests say about time and seq, inclusive. */
    int64_t ts_min, ts_max, seq_min, seq_max;
    bool code_ok[256]; /* what they say about event_type and module, by stored type code */
};

bool wedr_events_is_number(int column);

/* xBestIndex: the plan is a text of two letters per condition, column and operator; idxNum has the
 * columns that are read and the order. */
int wedr_events_best_index(sqlite3_vtab *v, sqlite3_index_info *info);
/* Fills in ask from a plan and its values; what it held before is freed. SQLITE_OK or SQLITE_NOMEM.
 */
int wedr_events_ask_read(
    struct wedr_events_ask *a, int idx_num, const char *plan, int argc, sqlite3_value **argv);
void wedr_events_ask_fini(struct wedr_events_ask *a);
/* Names of a stored type code, as the columns show them. */
const char *wedr_events_type_text(uint8_t code);
const char *wedr_events_module_text(uint8_t code);
/* Makes ask from tests that the caller adds; for event_counts. Values are copied. */
void wedr_events_ask_init(struct wedr_events_ask *a);
