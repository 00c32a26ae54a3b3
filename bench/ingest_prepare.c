/* SPDX-License-Identifier: Apache-2.0
 *
 * bench/ingest_prepare.c [ROUNDS [events | mixed]] — what it costs to check a large batch and to
 * make a block of it, without network and disk: CPU of wedr_ingest_prepare for an event. `events`
 * has the batches of bench/server_ingest.py events, `mixed` those of bench_store_ingest. Prints one
 * JSON object. Under valgrind --tool=callgrind --toggle-collect=wedr_ingest_prepare the
 * instructions do not depend on what else the machine does. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/buf.h"
#include "load_body.h"
#include "store_lines.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINES 2000u
#define BATCHES 8u

struct prepared_cost {
    uint64_t clocks, events, raw;
};

static void prepare_one(const struct wedr_ingest_batch *in, struct prepared_cost *cost)
{
    struct wedr_prepared *p = NULL;
    struct wedr_errinfo ei = {{0}};
    uint32_t good = 0, bad = 0;
    clock_t start = clock();
    if (wedr_ingest_prepare(in, &p, &ei) != WEDR_OK) {
        bench_die("prepare", ei.text);
    }
    cost->clocks += (uint64_t)(clock() - start);
    wedr_prepared_counts(p, &good, &bad);
    wedr_prepared_free(p);
    if (bad != 0) {
        bench_die("prepare", "a line was rejected");
    }
    cost->events += good;
}

static struct prepared_cost run_events(unsigned rounds)
{
    struct prepared_cost cost = {0, 0, 0};
    for (unsigned k = 0; k < BATCHES; k++) {
        struct load_body body;
        load_body_make(&body, 1 + (uint64_t)k * LINES, LINES);
        struct wedr_ingest_batch in = {.agent_id = "00000001-1111-4111-8111-111111111111",
                                       .hostname = "bench",
                                       .z = body.z,
                                       .z_len = body.z_len,
                                       .received_us = WEDR_BENCH_T0};
        memcpy(in.id.stream, "kernel.critical", 16);
        in.id.epoch = 1;
        in.id.count = LINES;
        in.id.first_seq = body.first_seq;
        in.id.last_seq = in.id.produced = body.first_seq + LINES - 1;
        memcpy(in.id.sha256, body.sha256, sizeof(in.id.sha256));
        for (unsigned i = 0; i < rounds; i++) {
            prepare_one(&in, &cost);
            cost.raw += body.raw_len;
        }
        wedr_free(body.z);
    }
    return cost;
}

static struct prepared_cost run_mixed(unsigned rounds)
{
    struct prepared_cost cost = {0, 0, 0};
    struct wedr_buf raw;
    wedr_buf_init(&raw, 16u << 20);
    for (unsigned k = 0; k < BATCHES; k++) {
        struct wedr_ingest_batch in;
        char agent[37];
        if (wedr_bench_batch(&in, &raw, agent, 1 + (uint64_t)k * LINES, LINES, k) != WEDR_OK) {
            bench_die("batches", "out of memory");
        }
        for (unsigned i = 0; i < rounds; i++) {
            prepare_one(&in, &cost);
            cost.raw += raw.len;
        }
        wedr_free((void *)(uintptr_t)in.z);
    }
    wedr_buf_fini(&raw);
    return cost;
}

static void print_cost(const char *name, const struct prepared_cost *c)
{
    double n = (double)c->events;
    printf(",\"%s\":{\"events\":%.0f,\"raw_bytes_per_event\":%.1f,\"ns_per_event\":%.0f}", name, n,
           (double)c->raw / n, (double)c->clocks / (double)CLOCKS_PER_SEC * 1e9 / n);
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 20;
    const char *only = argc > 2 ? argv[2] : NULL;
    bool events = only == NULL || strcmp(only, "events") == 0;
    bool mixed = only == NULL || strcmp(only, "mixed") == 0;
    if (rounds == 0 || rounds > 100000 || argc > 3 || !(events || mixed)) {
        bench_die("usage", "bench_ingest_prepare [ROUNDS [events | mixed]]");
    }
    printf("{\"bench\":\"ingest_prepare\"");
    if (events) {
        struct prepared_cost c = run_events(rounds);
        print_cost("events", &c);
    }
    if (mixed) {
        struct prepared_cost c = run_mixed(rounds);
        print_cost("mixed", &c);
    }
    printf("}\n");
    return 0;
}
