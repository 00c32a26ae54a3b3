/* SPDX-License-Identifier: Apache-2.0
 *
 * bench/query_lines.h — a fleet for the query bench: hosts whose processes start others, write
 * files, connect and ask for names, over two days. Every line follows from its host and number
 * alone, so that questions can be made for a store that was filled by an earlier run.
 *
 * One host makes a quarter of all events. A twentieth are process starts; all are of one stream, so
 * that those lie in every block (a sensor sends them in a stream of their own, which is easier).
 * Values are skewed: 20,000 programs of which the commonest thousandth are a sixth of all starts
 * and each of the rarer half is started a few times in the whole fleet; 50,000 names of hosts; a
 * parent is a recent process or, one time in ten, one of the host's twenty oldest.
 */
#pragma once

#include "core/util/buf.h"
#include "ingest/ingest.h"

#define QL_HOSTS 100u
#define QL_T0 1795478400000000ll /* 2026-11-24T00:00:00Z */
#define QL_SPAN_US (2 * 86400000000ll)
#define QL_PROGRAMS 20000u
#define QL_NAMES 50000u
#define QL_LINES 2000u /* of a batch */
#define QL_EACH 20u    /* lines per process start */
#define QL_TEXT 96u

struct ql {
    uint64_t random;      /* of ql_random */
    uint64_t made, total; /* batches */
};

/* events is rounded down to whole batches. */
void ql_init(struct ql *g, uint64_t events);
uint32_t ql_random(struct ql *g, uint32_t n);
/* Host of a random event of the whole fleet. */
unsigned ql_random_host(struct ql *g);
void ql_agent(unsigned host, char ret[37]);
/* Processes that the host starts in the whole span. */
uint32_t ql_processes(const struct ql *g, unsigned host);
/* process_key of the n-th. */
void ql_key(unsigned host, uint32_t n, char ret[17]);
/* Parent of process n > 0 of a host; process 0 has none. */
uint32_t ql_parent(unsigned host, uint32_t n);
/* 64 hex digits of a program's file; program may be >= QL_PROGRAMS: one that nobody has. */
void ql_sha256(unsigned program, char ret[65]);
void ql_name(unsigned n, char ret[QL_TEXT]);
/* The next batch. in->z is the caller's, with wedr_free. raw is scratch. WEDR_E_NOMEM. */
WEDR_MUST_USE int ql_batch(struct ql *g,
                           struct wedr_buf *raw,
                           char agent[37],
                           char hostname[32],
                           struct wedr_ingest_batch *in);
