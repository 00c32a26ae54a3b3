/* SPDX-License-Identifier: Apache-2.0
 *
 * bench/query_lines.h — a fleet for the query bench: hosts whose processes start others, write
 * files, connect and ask for names, with skewed values, over two days.
 */
#pragma once

#include "core/util/buf.h"
#include "ingest/ingest.h"

#define QL_HOSTS 60u
#define QL_T0 1795478400000000ll /* 2026-11-24T00:00:00Z */
#define QL_SPAN_US (2 * 86400000000ll)
#define QL_PROGRAMS 400u

struct ql_host {
    uint64_t seq;       /* last */
    uint32_t processes; /* started so far; the n-th has key n + 1 and pid 1000 + n */
};

struct ql {
    struct ql_host host[QL_HOSTS];
    uint64_t random, made, total; /* events */
};

void ql_init(struct ql *g, uint64_t total);
uint32_t ql_random(struct ql *g, uint32_t n);
void ql_agent(unsigned host, char ret[37]);
/* Parent of process n of any host; process 0 has none. */
uint32_t ql_parent(uint32_t n);
/* 64 hex digits of a program's file. */
void ql_sha256(unsigned program, char ret[65]);
/* A batch of the next host; in->z is the caller's, with wedr_free. raw is scratch. WEDR_E_NOMEM. */
WEDR_MUST_USE int ql_batch(struct ql *g,
                           uint32_t lines,
                           struct wedr_buf *raw,
                           char agent[37],
                           char hostname[32],
                           struct wedr_ingest_batch *in);
