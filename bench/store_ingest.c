/* SPDX-License-Identifier: Apache-2.0
 *
 * bench/store_ingest.c [EVENTS] — durable events per second and core through check, preparation and
 * commit, bytes per event on disk, and what questions cost afterwards. Prints one JSON object. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/buf.h"
#include "core/util/sha256.h"
#include "store/events.h"
#include "store_lines.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINES 2000u
#define AGENTS 10u

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
        rc = wedr_bench_batch(&in, &raw, agent, 1 + k / AGENTS * LINES, LINES,
                              (unsigned)(k % AGENTS));
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
        wedr_bench_clean(dir);
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
    wedr_bench_clean(dir);
    return 0;
}
