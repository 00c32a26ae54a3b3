/* SPDX-License-Identifier: Apache-2.0
 *
 * bench/store_keep.c [BATCHES [SECONDS]] — what housekeeping of the event store costs and saves.
 * Batches of 20 events, as idle agents send them: bytes per event as received, merged, and sealed;
 * processor time per event that is merged; and how long commits take while batches are merged all
 * the time, against the same without, in turns. Prints one JSON object. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "store/events/embedded/keep.h"
#include "store_lines.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINES 20u
#define AGENTS 20u
#define TURNS 10u
#define PACE_US 5000u /* between two commits while latency is measured */
#define SAMPLES_MAX 200000u
#define DAY_US INT64_C(86400000000)

struct bench {
    const char *dir;
    struct wedr_events *s;
    struct wedr_buf raw;
    uint64_t next; /* batch */
};

static double cpu_seconds(void)
{
    return (double)clock() / (double)CLOCKS_PER_SEC;
}

/* One commit of one batch; ret_ns: of the commit alone. */
static int put(struct bench *b, int64_t received_us, uint64_t *ret_ns)
{
    struct wedr_ingest_batch in;
    struct wedr_prepared *p = NULL;
    struct wedr_errinfo ei = {""};
    char agent[37];
    uint64_t k = b->next++;
    int err = wedr_bench_batch(&in, &b->raw, agent, 1 + k / AGENTS * LINES, LINES,
                               (unsigned)(k % AGENTS));
    if (err == WEDR_OK) {
        in.received_us = received_us;
        err = wedr_ingest_prepare(&in, &p, &ei);
        wedr_free((void *)(uintptr_t)in.z);
    }
    if (err == WEDR_OK) {
        struct wedr_commit c = {p, WEDR_COMMIT_STORED};
        uint64_t start = wedr_time_mono_ns();
        err = wedr_events_embedded.commit(b->s, &c, 1, &ei);
        *ret_ns = wedr_time_mono_ns() - start;
    }
    wedr_prepared_free(p);
    if (err != WEDR_OK) {
        (void)fprintf(stderr, "store_keep: %s %s\n", wedr_err_text(err), ei.text);
    }
    return err;
}

/* Bytes of the day's pages that hold something. */
static double live_bytes(const struct bench *b)
{
    char path[400];
    sqlite3 *db = NULL;
    int64_t pages = 0, unused = 0;
    (void)snprintf(path, sizeof(path), "%s/events/2026-11-24.db", b->dir);
    if (wedr_day_open_reader(path, &db) != WEDR_OK ||
        wedr_sqlite_int(db, "PRAGMA page_count", &pages) != WEDR_OK ||
        wedr_sqlite_int(db, "PRAGMA freelist_count", &unused) != WEDR_OK) {
        pages = unused = 0;
    }
    sqlite3_close(db);
    return (double)(pages - unused) * 16384.0;
}

static void round_at(struct bench *b, int64_t now_us, double *ret_cpu)
{
    double start = cpu_seconds();
    wedr_keep_round(b->s, now_us);
    *ret_cpu += cpu_seconds() - start;
}

static int sizes(struct bench *b, uint64_t batches)
{
    uint64_t ns = 0;
    double n = (double)(batches * LINES), merge = 0, sweep = 0, seal = 0;
    int err = WEDR_OK;
    for (uint64_t i = 0; err == WEDR_OK && i < batches; i++) {
        err = put(b, WEDR_BENCH_T0 + (int64_t)i * 1000, &ns);
    }
    double received = live_bytes(b);
    b->s->settings = (struct wedr_events_settings){.merge_lines = 4000,
                                                   .merge_after_s = 300,
                                                   .merge_level = 1,
                                                   .merge_grace_s = 900,
                                                   .seal_after_s = 7200,
                                                   .seal_level = 9};
    round_at(b, WEDR_BENCH_T0 + DAY_US / 2, &merge);
    round_at(b, WEDR_BENCH_T0 + DAY_US / 2 + 1000 * INT64_C(1000000), &sweep);
    double merged = live_bytes(b);
    for (int i = 0; i < 4; i++) {
        round_at(b, WEDR_BENCH_T0 + DAY_US + (7300 + i * 1000) * INT64_C(1000000), &seal);
    }
    printf("{\"bench\":\"store_keep\",\"lines_per_batch\":%u,\"events\":%.0f,"
           "\"received_bytes_per_event\":%.1f,\"merged_bytes_per_event\":%.1f,"
           "\"sealed_level_9_bytes_per_event\":%.1f,\"merge_us_per_event\":%.2f,"
           "\"sweep_us_per_event\":%.2f,\"seal_us_per_event\":%.2f,\"blocks\":%llu,",
           LINES, n, received / n, merged / n, live_bytes(b) / n, merge / n * 1e6, sweep / n * 1e6,
           seal / n * 1e6, (unsigned long long)b->s->stats.merges);
    return err;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

struct samples {
    uint64_t *ns;
    size_t count;
};

static double percentile(struct samples *s, double share)
{
    qsort(s->ns, s->count, sizeof(s->ns[0]), compare);
    return s->count ? (double)s->ns[(size_t)(share * (double)(s->count - 1))] / 1e6 : 0;
}

/* Merging of everything, all the time, or of nothing: each turn the other. */
static int latency(struct bench *b, uint64_t seconds, struct samples s[2])
{
    int err = WEDR_OK;
    for (unsigned turn = 0; err == WEDR_OK && turn < TURNS; turn++) {
        unsigned on = turn % 2;
        struct wedr_events_settings set = {.merge_lines = on ? 200 : 0,
                                           .merge_level = 1,
                                           .merge_grace_s = 1,
                                           .seal_after_s = 86400,
                                           .keep_interval_ms = 20};
        err = wedr_events_embedded.settings(b->s, &set);
        uint64_t end = wedr_time_mono_ms() + seconds * 1000 / TURNS;
        while (err == WEDR_OK && wedr_time_mono_ms() < end && s[on].count < SAMPLES_MAX) {
            err = put(b, wedr_time_utc_us(), &s[on].ns[s[on].count]);
            s[on].count += err == WEDR_OK;
            wedr_events_embedded.tick(b->s);
            wedr_time_sleep_ms(PACE_US / 1000);
        }
    }
    return err;
}

int main(int argc, char **argv)
{
    uint64_t batches = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;
    uint64_t seconds = argc > 2 ? strtoull(argv[2], NULL, 10) : 60;
    struct bench b = {.next = 0};
    struct wedr_errinfo ei = {""};
    struct wedr_events_stats before, st;
    struct samples s[2] = {{wedr_alloc(SAMPLES_MAX, 8), 0}, {wedr_alloc(SAMPLES_MAX, 8), 0}};
    char dir[128];
    (void)snprintf(dir, sizeof(dir), "/var/tmp/wedr-bench-keep-%llu",
                   (unsigned long long)wedr_time_mono_ns());
    b.dir = dir;
    wedr_buf_init(&b.raw, 16u << 20);
    int err = s[0].ns && s[1].ns ? wedr_fs_mkdir(dir, 0700, UINT32_MAX) : WEDR_E_NOMEM;
    err = err == WEDR_OK ? wedr_events_embedded.open(dir, &b.s, &ei) : err;
    err = err == WEDR_OK ? sizes(&b, batches) : err;
    if (err == WEDR_OK) {
        wedr_events_embedded.stats(b.s, &before);
        err = latency(&b, seconds, s);
        wedr_events_embedded.stats(b.s, &st);
        printf("\"commits_off\":%zu,\"commits_on\":%zu,\"merged_meanwhile\":%llu,"
               "\"commit_ms_p50_off\":%.2f,\"commit_ms_p50_on\":%.2f,"
               "\"commit_ms_p99_off\":%.2f,\"commit_ms_p99_on\":%.2f}\n",
               s[0].count, s[1].count, (unsigned long long)(st.merged_lines - before.merged_lines),
               percentile(&s[0], 0.5), percentile(&s[1], 0.5), percentile(&s[0], 0.99),
               percentile(&s[1], 0.99));
    }
    wedr_events_embedded.close(b.s);
    wedr_buf_fini(&b.raw);
    wedr_free(s[0].ns);
    wedr_free(s[1].ns);
    wedr_bench_clean(dir);
    return err == WEDR_OK ? 0 : 1;
}
