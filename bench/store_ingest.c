/* SPDX-License-Identifier: Apache-2.0
 *
 * bench/store_ingest.c [EVENTS] — durable events per second and core through check, preparation and
 * commit, bytes per event on disk, and what questions cost afterwards. Prints one JSON object. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/buf.h"
#include "core/util/sha256.h"
#include "store/events.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#define LINES 2000u
#define AGENTS 10u
#define T0 1795478400000000ll

static uint64_t g_rng = 88172645463325252ull;

static uint64_t rnd(void)
{
    g_rng ^= g_rng << 13;
    g_rng ^= g_rng >> 7;
    return g_rng ^= g_rng << 17;
}

/* Squaring makes low numbers frequent, as programs on a real host are. */
static unsigned skewed(unsigned n)
{
    uint64_t a = rnd() % n, b = rnd() % n;
    return (unsigned)(a * b / n);
}

static void add_line(struct wedr_buf *b, uint64_t seq)
{
    unsigned p = skewed(400), pid = 1000u + (unsigned)(rnd() % 60000u), ppid = 1u + skewed(5000);
    uint64_t us = seq * 1300 + rnd() % 1000;
    char ts[64];
    (void)snprintf(ts, sizeof(ts), "2026-11-24T%02u:%02u:%02u.%06uZ",
                   (unsigned)(us / 3600000000u % 24), (unsigned)(us / 60000000u % 60),
                   (unsigned)(us / 1000000u % 60), (unsigned)(us % 1000000u));
    if (seq % 3 == 0) {
        wedr_buf_addf(b,
                      "{\"ts\":\"%s\",\"module\":\"kernel_callback\",\"event_type\":\"file_write\","
                      "\"process\":{\"pid\":%u,"
                      "\"key\":\"%016x\",\"uid\":%u},\"raw\":{\"dev\":8388609,\"inode\":%u,\"op\":"
                      "\"Write\",\"op_code\":1,"
                      "\"open_flags\":577,\"pid\":%u,\"process_key\":\"%016x\",\"target_path\":\"/"
                      "srv/data/%u/file-%u.tmp\","
                      "\"uid\":%u},\"source\":\"kernel\",\"kind\":\"FileWrite\",\"event_version\":"
                      "7,\"seq\":%llu}\n",
                      ts, pid, pid, p % 9, pid * 3, pid, pid, p, (unsigned)(rnd() % 100000u), p % 9,
                      (unsigned long long)seq);
        return;
    }
    wedr_buf_addf(
        b,
        "{\"ts\":\"%s\",\"module\":\"kernel_callback\",\"event_type\":\"process_fork\",\"process\":"
        "{\"pid\":%u,"
        "\"ppid\":%u,\"key\":\"%016x\",\"parent_key\":\"%016x\",\"name\":\"program%u\",\"path\":"
        "\"/usr/lib/packages/program%u/bin/program%u\",\"uid\":%u},\"raw\":{\"comm\":\"program%u\","
        "\"creating_pid\":%u,\"parent_key\":\"%016x\",\"parent_pid\":%u,\"pid\":%u,\"process_key\":"
        "\"%016x\","
        "\"uid\":%u},\"source\":\"kernel\",\"kind\":\"ProcessFork\",\"event_version\":7,\"seq\":%"
        "llu}\n",
        ts, pid, ppid, pid, ppid, p, p, p, p % 9, p, ppid, ppid, ppid, pid, pid, p % 9,
        (unsigned long long)seq);
}

static int make_batch(
    struct wedr_ingest_batch *in, struct wedr_buf *raw, char agent[37], uint64_t first, unsigned k)
{
    wedr_buf_truncate(raw, 0);
    for (uint64_t i = 0; i < LINES; i++) {
        add_line(raw, first + i);
    }
    size_t bound = ZSTD_compressBound(raw->len);
    uint8_t *z = wedr_alloc(bound, 1);
    if (z == NULL || raw->overflow) {
        wedr_free(z);
        return WEDR_E_NOMEM;
    }
    (void)snprintf(agent, 37, "%08x-1111-4111-8111-111111111111", k);
    memset(in, 0, sizeof(*in));
    in->agent_id = agent;
    in->hostname = "bench";
    in->z = z;
    in->z_len = ZSTD_compress(z, bound, raw->p, raw->len, 1);
    in->received_us = T0 + (int64_t)first;
    memcpy(in->id.stream, "kernel.bulk", 12);
    in->id.epoch = 1;
    in->id.first_seq = first;
    in->id.last_seq = in->id.produced = first + LINES - 1;
    in->id.count = LINES;
    wedr_sha256(in->z, in->z_len, in->id.sha256);
    return WEDR_OK;
}

static double cpu_seconds(void)
{
    return (double)clock() / (double)CLOCKS_PER_SEC;
}

static void time_query(const char *dir, const char *name, const char *sql, bool last)
{
    FILE *out = tmpfile();
    struct wedr_errinfo ei = {{0}};
    uint64_t start = wedr_time_mono_ns();
    int rc = out == NULL ? WEDR_E_IO : wedr_sql_run(dir, sql, true, 60000, out, &ei);
    double ms = (double)(wedr_time_mono_ns() - start) / 1e6;
    printf("\"%s_ms\":%.2f%s", name, rc == WEDR_OK ? ms : -1.0, last ? "" : ",");
    if (out != NULL) {
        (void)fclose(out);
    }
}

struct totals {
    double prepare, commit;
    uint64_t raw, z, events;
};

static int run(const char *dir, uint64_t events, struct totals *t)
{
    struct wedr_events *s = NULL;
    struct wedr_errinfo ei = {{0}};
    struct wedr_buf raw;
    int rc = wedr_events_embedded.open(dir, &s, &ei);
    wedr_buf_init(&raw, 16u << 20);
    for (uint64_t k = 0; rc == WEDR_OK && k * LINES < events; k++) {
        struct wedr_ingest_batch in;
        struct wedr_prepared *p = NULL;
        char agent[37];
        rc = make_batch(&in, &raw, agent, 1 + k / AGENTS * LINES, (unsigned)(k % AGENTS));
        if (rc != WEDR_OK) {
            break;
        }
        double a = cpu_seconds();
        rc = wedr_ingest_prepare(&in, &p, &ei);
        double b = cpu_seconds();
        if (rc == WEDR_OK) {
            struct wedr_commit c = {p, WEDR_COMMIT_STORED};
            uint32_t good = 0, bad = 0;
            rc = wedr_events_embedded.commit(s, &c, 1, &ei);
            wedr_events_embedded.tick(s);
            wedr_prepared_counts(p, &good, &bad);
            t->events += good;
        }
        t->commit += cpu_seconds() - b;
        t->prepare += b - a;
        t->raw += raw.len;
        t->z += in.z_len;
        wedr_prepared_free(p);
        wedr_free((void *)(uintptr_t)in.z);
    }
    wedr_buf_fini(&raw);
    wedr_events_embedded.close(s);
    if (rc != WEDR_OK) {
        fprintf(stderr, "store_ingest: %d %s\n", rc, ei.text);
    }
    return rc;
}

static uint64_t size_on_disk(const char *dir)
{
    char path[300];
    struct wedr_fs_stat st = {0};
    wedr_handle h = WEDR_HANDLE_NONE;
    (void)snprintf(path, sizeof(path), "%s/events/2026-11-24.db", dir);
    if (wedr_fs_open(path, WEDR_FS_READ, 0, &h) == WEDR_OK && wedr_fs_stat(h, &st) != WEDR_OK) {
        st.size = 0;
    }
    wedr_fs_close(h);
    return st.size;
}

static int remove_one(void *arg, const char *name)
{
    return wedr_fs_unlink_at(*(wedr_handle *)arg, name);
}

static void clean(const char *dir)
{
    char path[300];
    wedr_handle h = WEDR_HANDLE_NONE;
    (void)snprintf(path, sizeof(path), "%s/events", dir);
    if (wedr_fs_open_dir(path, &h) == WEDR_OK) {
        if (wedr_fs_list(h, remove_one, &h) != WEDR_OK) {
            fprintf(stderr, "store_ingest: %s is left behind\n", path);
        }
        wedr_fs_close(h);
    }
    (void)remove(path);
    (void)remove(dir);
}

int main(int argc, char **argv)
{
    uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 400000;
    struct totals t = {0};
    char dir[128];
    uint8_t r[8];
    char hex[17];
    wedr_random(r, sizeof(r));
    wedr_hex(r, sizeof(r), hex);
    (void)snprintf(dir, sizeof(dir), "/var/tmp/wedr-bench-%s", hex);
    if (wedr_fs_mkdir(dir, 0700, UINT32_MAX) != WEDR_OK || run(dir, events, &t) != WEDR_OK ||
        t.events == 0) {
        clean(dir);
        return 1;
    }
    double n = (double)t.events;
    printf(
        "{\"bench\":\"store_ingest\",\"events\":%llu,\"lines_per_batch\":%u,\"raw_bytes_per_"
        "event\":%.1f,"
        "\"zstd_bytes_per_event\":%.1f,\"disk_bytes_per_event\":%.1f,\"prepare_ns_per_event\":%.0f,"
        "\"commit_ns_per_event\":%.0f,\"durable_events_per_second_per_core\":%.0f,",
        (unsigned long long)t.events, LINES, (double)t.raw / n, (double)t.z / n,
        (double)size_on_disk(dir) / n, t.prepare / n * 1e9, t.commit / n * 1e9,
        n / (t.prepare + t.commit));
    time_query(dir, "count", "SELECT count(*) FROM events", false);
    time_query(dir, "group_by_type", "SELECT event_type, count(*) FROM events GROUP BY 1", false);
    time_query(
        dir, "agent_type_range",
        "SELECT count(*) FROM events WHERE agent_id='00000003-1111-4111-8111-111111111111' AND"
        " event_type='file_write' AND ts BETWEEN 1795478401000000 AND 1795478402000000",
        false);
    time_query(dir, "pid",
               "SELECT seq FROM events WHERE agent_id='00000003-1111-4111-8111-111111111111' AND "
               "pid=31337",
               false);
    time_query(dir, "substring_everywhere",
               "SELECT count(*) FROM events WHERE raw LIKE '%file-4711.tmp%'", false);
    time_query(dir, "ledger", "SELECT * FROM ledger", true);
    printf("}\n");
    clean(dir);
    return 0;
}
