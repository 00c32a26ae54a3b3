/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/sql/plan.h — which conditions of a query the table `events` can skip by, and
 * their values.
 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
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
    C_RAW
};

/* What a query asks of the table, as far as it can skip by it. */
struct wedr_events_ask {
    char *agent, *stream; /* NULL: any */
    bool has_epoch, has_type, has_pid, nothing;
    uint64_t epoch;
    uint8_t type;
    int64_t pid;
    int64_t ts_min, ts_max, seq_min, seq_max; /* inclusive */
};

/* xBestIndex: the plan is a text of two letters per condition, column and operator. */
int wedr_events_best_index(sqlite3_vtab *v, sqlite3_index_info *info);
/* Fills in ask from a plan and its values; what it held before is freed. SQLITE_OK or SQLITE_NOMEM.
 */
int wedr_events_ask_read(struct wedr_events_ask *a,
                         const char *plan,
                         int argc,
                         sqlite3_value **argv);
void wedr_events_ask_fini(struct wedr_events_ask *a);
