/* SPDX-License-Identifier: Apache-2.0
 *
 * bench/server_query.c — what questions to the event store cost, and the same rows and questions in
 * plain SQLite: with three indexes, and with full-text search beside them. Prints one JSON object;
 * times are ms, of the clock and of all cores together. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "query_ask.h"
#include "store/events.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "bench_server_query [-e EVENTS] [-r ROUNDS] [-c ROUNDS] [-q NAME] [-b] FOLDER\n"
    "  FOLDER    keeps the stores for further runs with the same EVENTS; made when missing\n"
    "  -e        events, 10,000,000 when nothing is said\n"
    "  -r        random parameters that each question is asked with, 20\n"
    "  -c        as many again with nothing in the page cache, 0\n"
    "  -q        only this question\n"
    "  -b        only the event store, not plain SQLite beside it\n";

static int count_row(void *arg, const struct wedr_query_value *v, size_t count)
{
    (void)arg;
    (void)v;
    (void)count;
    return WEDR_OK;
}

static int ask_one(const struct qa_options *o,
                   const struct qa_question *question,
                   struct ql *g,
                   const char *cold,
                   struct qa_times *t)
{
    struct qa_params p;
    struct wedr_query_result r;
    struct wedr_errinfo ei = {""};
    qa_set(question, g, &p);
    struct wedr_query q = {.data_dir = o->dir,
                           .sql = question->blocks,
                           .params = p.v,
                           .param_count = qa_count(question->blocks),
                           .time_limit_ms = 600000,
                           .row = count_row};
    if (cold != NULL) {
        qa_forget(cold);
    }
    qa_start(t);
    int err = wedr_query_run(&q, &r, &ei);
    qa_stop(t);
    t->rows += r.rows;
    if (err != WEDR_OK) {
        fprintf(stderr, "%s: %d %s\n", question->name, err, ei.text);
    }
    return err;
}

static int ask_all(const struct qa_options *o, struct ql *g, const char *events, bool cold)
{
    static struct qa_times t;
    size_t rounds = cold ? o->cold_rounds : o->rounds;
    printf("\"%s\":{", cold ? "cold" : "warm");
    for (size_t i = 0; i < qa_question_count; i++) {
        const struct qa_question *q = &qa_questions[i];
        memset(&t, 0, sizeof(t));
        for (size_t k = 0; k < rounds && qa_wanted(o, q); k++) {
            int err = ask_one(o, q, g, cold ? events : NULL, &t);
            if (err != WEDR_OK) {
                return err;
            }
        }
        if (t.count != 0) {
            qa_print(q->name, &t);
        }
    }
    printf("\"rounds\":%zu}", rounds);
    return WEDR_OK;
}

static int store_one(struct wedr_events *s, struct ql *g, struct wedr_buf *raw, uint64_t *ns)
{
    struct wedr_ingest_batch in;
    struct wedr_prepared *p = NULL;
    struct wedr_errinfo ei = {""};
    char agent[37], hostname[32];
    uint32_t good = 0, bad = 0;
    int err = ql_batch(g, raw, agent, hostname, &in);
    uint64_t start = wedr_time_mono_ns();
    err = err == WEDR_OK ? wedr_ingest_prepare(&in, &p, &ei) : err;
    if (err == WEDR_OK) {
        struct wedr_commit c = {.p = p};
        err = wedr_events_embedded.commit(s, &c, 1, &ei);
        wedr_events_embedded.tick(s);
        wedr_prepared_counts(p, &good, &bad);
        err = err == WEDR_OK && (bad != 0 || c.outcome != WEDR_COMMIT_STORED) ? WEDR_E_FORMAT : err;
    }
    *ns += wedr_time_mono_ns() - start;
    wedr_prepared_free(p);
    wedr_free((void *)(uintptr_t)in.z);
    if (err != WEDR_OK) {
        fprintf(stderr, "server_query: %d %s\n", err, ei.text);
    }
    return err;
}

static int fill(const char *dir, struct ql *g)
{
    struct wedr_events *s = NULL;
    struct wedr_errinfo ei = {""};
    struct wedr_buf raw;
    uint64_t ns = 0;
    int err = wedr_events_embedded.open(dir, &s, &ei);
    wedr_buf_init(&raw, 16u << 20);
    while (err == WEDR_OK && g->made < g->total) {
        err = store_one(s, g, &raw, &ns);
    }
    wedr_buf_fini(&raw);
    wedr_events_embedded.close(s);
    printf("\"events_per_second\":%.0f,", (double)(g->made * QL_LINES) * 1e9 / (double)ns);
    return err;
}

/* The file says that the store is whole, and of how many events. */
static int fill_once(const char *dir, struct ql *g)
{
    char path[300];
    unsigned long long events = 0;
    (void)snprintf(path, sizeof(path), "%s/filled", dir);
    FILE *f = fopen(path, "re");
    if (f != NULL) {
        bool same = fscanf(f, "%llu", &events) == 1 && events == g->total * QL_LINES;
        (void)fclose(f);
        if (!same) {
            fprintf(stderr, "%s: has a store of %llu events\n", dir, events);
        }
        return same ? WEDR_OK : WEDR_E_INVAL;
    }
    int err = fill(dir, g);
    f = err == WEDR_OK ? fopen(path, "we") : NULL;
    if (f != NULL) {
        (void)fprintf(f, "%llu\n", (unsigned long long)(g->total * QL_LINES));
        err = fclose(f) == 0 ? WEDR_OK : WEDR_E_IO;
    }
    return f != NULL ? err : WEDR_E_IO;
}

static int run(const struct qa_options *o, uint64_t count, bool plain)
{
    struct ql g;
    char events[300];
    ql_init(&g, count);
    (void)snprintf(events, sizeof(events), "%s/events", o->dir);
    printf("{\"bench\":\"server_query\",\"events\":%llu,\"blocks\":{",
           (unsigned long long)(g.total * QL_LINES));
    int err = wedr_fs_mkdir(o->dir, 0700, UINT32_MAX);
    err = err == WEDR_OK || err == WEDR_E_EXIST ? fill_once(o->dir, &g) : err;
    if (err == WEDR_OK) {
        printf("\"bytes_per_event\":%.1f,\n ",
               (double)qa_size(events) / (double)(g.total * QL_LINES));
        ql_init(&g, count);
        err = ask_all(o, &g, events, false);
    }
    if (err == WEDR_OK && o->cold_rounds != 0) {
        printf(",\n ");
        err = ask_all(o, &g, events, true);
    }
    printf("}");
    for (int fts = 0; err == WEDR_OK && plain && fts < 2; fts++) {
        err = qa_plain(o, &g, fts == 1);
    }
    printf("}\n");
    return err;
}

int main(int argc, char **argv)
{
    struct qa_options o = {.rounds = 20};
    uint64_t events = 10000000;
    bool plain = true, good = true;
    for (int c; (c = getopt(argc, argv, "e:r:c:q:b")) != -1;) {
        switch (c) {
        case 'e':
            events = strtoull(optarg, NULL, 10);
            break;
        case 'r':
            o.rounds = (size_t)strtoull(optarg, NULL, 10);
            break;
        case 'c':
            o.cold_rounds = (size_t)strtoull(optarg, NULL, 10);
            break;
        case 'q':
            o.only = optarg;
            break;
        case 'b':
            plain = false;
            break;
        default:
            good = false;
        }
    }
    if (!good || optind + 1 != argc || strlen(argv[optind]) > 200 || events < 200000 ||
        o.rounds < 1 || o.rounds > QA_ROUNDS_MAX || o.cold_rounds > QA_ROUNDS_MAX) {
        (void)fputs(usage, stderr);
        return 2;
    }
    o.dir = argv[optind];
    return run(&o, events, plain) == WEDR_OK ? 0 : 1;
}
