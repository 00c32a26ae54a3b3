/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/query.h — one SELECT over the data folder of a running or stopped server: the tables
 * of docs/event-store.md (events, event_counts, ledger, ledger_loss, coverage_gaps, tamper, agents,
 * alerts, alert_evidence, responses, rules, process_tree). Nothing can be changed through it,
 * whatever the text says. Any thread, any number of queries at once; a query belongs to the thread
 * that runs it.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include "core/util/errinfo.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wedr_query_type {
    WEDR_QUERY_NULL,
    WEDR_QUERY_INT,
    WEDR_QUERY_REAL,
    WEDR_QUERY_TEXT, /* hostile: may hold any byte, is not always UTF-8 */
    WEDR_QUERY_BLOB
};

struct wedr_query_value {
    enum wedr_query_type type;
    int64_t i;
    double r;           /* may be infinite */
    struct wedr_span s; /* text, blob: not NUL-terminated */
};

/* The endpoints that the caller may see. Rows of all others do not exist for the query: they are
 * left out inside of the tables, before any condition of the text sees them. */
struct wedr_query_scope {
    const char *const *agents; /* agent ids, in any order */
    size_t count;              /* 0: no endpoint at all */
};

struct wedr_query {
    const char *data_dir;
    const char *sql;                       /* exactly one SELECT */
    const struct wedr_query_value *params; /* values of ?1 .. ?N; the rest are NULL */
    size_t param_count;
    const struct wedr_query_scope *scope; /* NULL: every endpoint */
    uint32_t time_limit_ms;
    size_t memory_limit; /* of this query: SQLite's memory and opened blocks; 0: 512 MiB */
    uint64_t rows_max;   /* 0: no limit. One row more than that: truncated */
    uint64_t bytes_max;  /* of names and values given to the callbacks; 0: no limit */
    /* Set by another thread to end the query within about 100 ms. NULL: never. Lives until the
     * query returns. */
    const atomic_bool *cancel;
    /* Called once, before the first row, also when there is none. May be NULL. Like row it returns
     * WEDR_OK, or a negative code that ends the query and is its result. Names and values are
     * borrowed until it returns. */
    int (*columns)(void *arg, const char *const *names, size_t count);
    int (*row)(void *arg, const struct wedr_query_value *values, size_t count);
    void *arg;
};

struct wedr_query_result {
    uint64_t rows, bytes; /* given to the callback */
    bool truncated;       /* a limit on rows or bytes ended it; there is more */
    uint32_t elapsed_ms;
    /* Byte of the text where an error of syntax or of a name was found; -1: not known. */
    int32_t error_position;
    /* Work done: blocks looked at in any way, blocks whose lines were opened, lines parsed. */
    uint64_t blocks_asked, blocks_opened, lines_parsed;
};

/* ret is filled in on errors too. Rows that were given before an error were right.
 * WEDR_E_INVAL: no single SELECT, or a mistake in it (ei says which, ret where).
 * WEDR_E_PERM: something that may not be read or called. WEDR_E_TIMEOUT: took longer than it may.
 * WEDR_E_LIMIT: needs more memory than it may, or a value is too large. WEDR_E_CLOSED: cancelled.
 * WEDR_E_NOENT: no data folder. WEDR_E_BUSY: what it was to read was merged longer ago than that
 * stays readable, or a day's file was deleted or replaced, or a database is locked: ask again.
 * WEDR_E_NOMEM, WEDR_E_IO: ours, try later. */
WEDR_MUST_USE int
wedr_query_run(const struct wedr_query *q, struct wedr_query_result *ret, struct wedr_errinfo *ei);
