/* SPDX-License-Identifier: Apache-2.0
 *
 * bench/server_query.c [EVENTS [ROUNDS]] — what questions to the event store cost, and the same
 * rows and questions in plain SQLite: with three indexes, and with full-text search beside them.
 * EVENTS is 10,000,000 when nothing is said, ROUNDS 20. Prints one JSON object; times are ms. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "query_lines.h"
#include "store/events.h"
#include "store/query.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/time.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES 2000u
#define SEED 88172645463325252ull
#define ROUNDS_MAX 200u
#define PARAMS_MAX 4
#define ROWS_A_COMMIT 2000u

/* One question: the same parameters for every store. NULL: that store has no such question. */
struct question {
    const char *name, *blocks, *rows, *fts;
};

static const struct question questions[] = {
    {"host_time_field",
     "SELECT ts, raw FROM events WHERE agent_id=?1 AND ts BETWEEN ?2 AND ?3 AND remote_port=22",
     "SELECT ts, raw FROM events WHERE agent_id=?1 AND ts BETWEEN ?2 AND ?3 AND remote_port=22",
     NULL},
    {"hash", "SELECT ts, raw FROM events WHERE sha256=?1",
     "SELECT ts, raw FROM events WHERE sha256"
     "=?1",
     "SELECT ts, raw FROM events WHERE rowid IN (SELECT rowid FROM words WHERE words MATCH ?1)"},
    {"hash_absent", "SELECT ts, raw FROM events WHERE sha256=?1",
     "SELECT ts, raw FROM events WHERE sha256=?1",
     "SELECT ts, raw FROM events WHERE rowid IN (SELECT rowid FROM words WHERE words MATCH ?1)"},
    {"domain", "SELECT ts, raw FROM events WHERE dns_name=?1",
     "SELECT ts, raw FROM events WHERE dns_name=?1", NULL},
    {"substring", "SELECT ts, raw FROM events WHERE contains(raw, ?1)",
     "SELECT ts, raw FROM events WHERE raw LIKE '%'||?1||'%'", NULL},
    {"substring_common", "SELECT count(*) FROM events WHERE contains(raw, 'tool1')",
     "SELECT count(*) FROM events WHERE raw LIKE '%tool1%'", NULL},
    {"newest_100", "SELECT ts, raw FROM events ORDER BY ts DESC LIMIT 100",
     "SELECT ts, raw FROM events ORDER BY ts DESC LIMIT 100", NULL},
    {"process_tree",
     "WITH RECURSIVE up(k, n) AS (SELECT ?2, 0 UNION SELECT e.parent_key, n+1 FROM up JOIN events e"
     " ON e.agent_id=?1 AND e.process_key=up.k AND e.event_type='process_create' WHERE n<12) SELECT"
     " k FROM up UNION ALL SELECT process_key FROM events WHERE agent_id=?1 AND parent_key=?2",
     "WITH RECURSIVE up(k, n) AS (SELECT ?2, 0 UNION SELECT e.parent_key, n+1 FROM up JOIN events e"
     " ON e.agent_id=?1 AND e.process_key=up.k AND e.event_type='process_create' WHERE n<12) SELECT"
     " k FROM up UNION ALL SELECT process_key FROM events WHERE agent_id=?1 AND parent_key=?2",
     NULL},
    {"count_by_type_hour", "SELECT hour, event_type, sum(count) FROM event_counts GROUP BY 1, 2",
     "SELECT ts/3600000000, event_type, count(*) FROM events GROUP BY 1, 2", NULL},
};

struct params {
    struct wedr_query_value v[PARAMS_MAX];
    char text[PARAMS_MAX][80];
    size_t count;
};

static void set_text(struct params *p, size_t i, const char *s)
{
    (void)snprintf(p->text[i], sizeof(p->text[i]), "%s", s);
    p->v[i] = (struct wedr_query_value){.type = WEDR_QUERY_TEXT,
                                        .s = wedr_span(p->text[i], strlen(p->text[i]))};
    p->count = i + 1;
}

static void set_params(struct ql *g, size_t question, struct params *p)
{
    char text[80];
    unsigned host = ql_random(g, QL_HOSTS);
    memset(p, 0, sizeof(*p));
    if (question == 0) {
        ql_agent(host, text);
        set_text(p, 0, text);
        int64_t from = QL_T0 + (int64_t)ql_random(g, 46 * 3600) * 1000000;
        p->v[1] = (struct wedr_query_value){.type = WEDR_QUERY_INT, .i = from};
        p->v[2] = (struct wedr_query_value){.type = WEDR_QUERY_INT, .i = from + 7200000000ll};
        p->count = 3;
    } else if (question <= 2) { /* a program of the rarer half, or none at all */
        ql_sha256(QL_PROGRAMS / 2 + ql_random(g, QL_PROGRAMS / 2) + (question == 2 ? 100000 : 0),
                  text);
        set_text(p, 0, text);
    } else if (question == 3) {
        unsigned d = 40000 + ql_random(g, 10000);
        (void)snprintf(text, sizeof(text), "host%u.zone%u.example", d, d % 211);
        set_text(p, 0, text);
    } else if (question == 4) {
        (void)snprintf(text, sizeof(text), "/file-%06u", ql_random(g, 1000000));
        set_text(p, 0, text);
    } else if (question == 7) {
        ql_agent(host, text);
        set_text(p, 0, text);
        (void)snprintf(text, sizeof(text), "%016x", 1 + ql_random(g, g->host[host].processes));
        set_text(p, 1, text);
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void put_times(const char *name, double *ms, size_t n, uint64_t rows)
{
    qsort(ms, n, sizeof(*ms), compare);
    printf("\"%s\":{\"p50\":%.2f,\"p95\":%.2f,\"rows\":%llu},", name, ms[n / 2],
           ms[(n * 95 + 99) / 100 - 1], (unsigned long long)rows);
    (void)fflush(stdout);
}

static int count_row(void *arg, const struct wedr_query_value *v, size_t count)
{
    (void)arg;
    (void)v;
    (void)count;
    return WEDR_OK;
}

static int ask_blocks(const char *dir, struct ql *g, size_t rounds)
{
    double ms[ROUNDS_MAX];
    g->random = SEED;
    printf("\"blocks_ms\":{");
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(questions); i++) {
        uint64_t rows = 0;
        for (size_t k = 0; k < rounds; k++) {
            struct params p;
            struct wedr_query_result r;
            struct wedr_errinfo ei = {""};
            set_params(g, i, &p);
            struct wedr_query q = {.data_dir = dir,
                                   .sql = questions[i].blocks,
                                   .params = p.v,
                                   .param_count = p.count,
                                   .time_limit_ms = 600000,
                                   .row = count_row};
            uint64_t start = wedr_time_mono_ns();
            int err = wedr_query_run(&q, &r, &ei);
            ms[k] = (double)(wedr_time_mono_ns() - start) / 1e6;
            if (err != WEDR_OK) {
                fprintf(stderr, "%s: %d %s\n", questions[i].name, err, ei.text);
                return err;
            }
            rows += r.rows;
        }
        put_times(questions[i].name, ms, rounds, rows);
    }
    printf("\"rounds\":%zu},", rounds);
    return WEDR_OK;
}

/* --- Plain SQLite. */

struct plain {
    sqlite3 *db;
    sqlite3_stmt *insert, *words;
    uint32_t in_commit;
    uint64_t ns; /* in SQLite's hands */
    uint64_t rows;
};

static const char plain_tables[] =
    "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
    "CREATE TABLE events(ts INTEGER, agent_id TEXT, event_type TEXT, pid INTEGER, process_key TEXT,"
    " parent_key TEXT, sha256 TEXT, dns_name TEXT, remote_port INTEGER, raw TEXT);"
    "CREATE INDEX by_host ON events(agent_id, ts);"
    "CREATE INDEX by_pid ON events(agent_id, pid);"
    "CREATE INDEX by_key ON events(agent_id, process_key);";

static int plain_open(struct plain *p, const char *path, bool fts)
{
    memset(p, 0, sizeof(*p));
    int rc = sqlite3_open(path, &p->db);
    rc = rc == SQLITE_OK ? sqlite3_exec(p->db, plain_tables, NULL, NULL, NULL) : rc;
    if (rc == SQLITE_OK && fts) {
        rc = sqlite3_exec(p->db,
                          "CREATE VIRTUAL TABLE words USING fts5(raw, content='', detail=none)",
                          NULL, NULL, NULL);
        rc = rc == SQLITE_OK
                 ? sqlite3_prepare_v2(p->db, "INSERT INTO words(rowid, raw) VALUES(?,?)", -1,
                                      &p->words, NULL)
                 : rc;
    }
    return rc == SQLITE_OK
               ? sqlite3_prepare_v2(p->db, "INSERT INTO events VALUES(?,?,?,?,?,?,?,?,?,?)", -1,
                                    &p->insert, NULL)
               : rc;
}

static int plain_row(void *arg, const struct wedr_query_value *v, size_t count)
{
    struct plain *p = arg;
    uint64_t start = wedr_time_mono_ns();
    int rc = p->in_commit == 0 ? sqlite3_exec(p->db, "BEGIN", NULL, NULL, NULL) : SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
        int at = (int)i + 1;
        rc = v[i].type == WEDR_QUERY_INT ? sqlite3_bind_int64(p->insert, at, v[i].i)
             : v[i].type == WEDR_QUERY_TEXT
                 ? sqlite3_bind_text(p->insert, at, (const char *)v[i].s.p, (int)v[i].s.len,
                                     SQLITE_STATIC)
                 : sqlite3_bind_null(p->insert, at);
    }
    rc = rc == SQLITE_OK ? sqlite3_step(p->insert) : rc;
    (void)sqlite3_reset(p->insert);
    if (rc == SQLITE_DONE && p->words != NULL) {
        (void)sqlite3_bind_int64(p->words, 1, sqlite3_last_insert_rowid(p->db));
        (void)sqlite3_bind_text(p->words, 2, (const char *)v[count - 1].s.p,
                                (int)v[count - 1].s.len, SQLITE_STATIC);
        rc = sqlite3_step(p->words);
        (void)sqlite3_reset(p->words);
    }
    p->rows++;
    if (rc == SQLITE_DONE && ++p->in_commit == ROWS_A_COMMIT) {
        p->in_commit = 0;
        rc = sqlite3_exec(p->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK ? SQLITE_DONE
                                                                          : SQLITE_IOERR;
    }
    p->ns += wedr_time_mono_ns() - start;
    return rc == SQLITE_DONE ? WEDR_OK : WEDR_E_IO;
}

static int plain_fill(struct plain *p, const char *dir)
{
    struct wedr_query_result r;
    struct wedr_query q = {.data_dir = dir,
                           .sql = "SELECT ts, agent_id, event_type, pid, process_key, parent_key,"
                                  " sha256, dns_name, remote_port, raw FROM events",
                           .time_limit_ms = UINT32_MAX,
                           .row = plain_row,
                           .arg = p};
    int err = wedr_query_run(&q, &r, NULL);
    uint64_t start = wedr_time_mono_ns();
    if (err == WEDR_OK && p->in_commit != 0 &&
        sqlite3_exec(p->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        err = WEDR_E_IO;
    }
    (void)sqlite3_wal_checkpoint_v2(p->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    p->ns += wedr_time_mono_ns() - start;
    return err;
}

static int plain_ask_one(sqlite3 *db, const char *sql, const struct params *p, uint64_t *rows)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < p->count; i++) {
        rc = p->v[i].type == WEDR_QUERY_INT
                 ? sqlite3_bind_int64(st, (int)i + 1, p->v[i].i)
                 : sqlite3_bind_text(st, (int)i + 1, p->text[i], -1, SQLITE_STATIC);
    }
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(st);
        for (int i = 0; rc == SQLITE_ROW && i < sqlite3_column_count(st); i++) {
            (void)sqlite3_column_text(st, i);
        }
        *rows += rc == SQLITE_ROW;
    }
    (void)sqlite3_finalize(st);
    return rc == SQLITE_DONE ? WEDR_OK : WEDR_E_IO;
}

static int plain_ask(struct plain *p, struct ql *g, bool fts, size_t rounds)
{
    double ms[ROUNDS_MAX];
    g->random = SEED; /* the same questions */
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(questions); i++) {
        const char *sql = fts ? questions[i].fts : questions[i].rows;
        uint64_t rows = 0;
        for (size_t k = 0; k < rounds; k++) {
            struct params values;
            set_params(g, i, &values);
            if (sql == NULL) {
                continue;
            }
            uint64_t start = wedr_time_mono_ns();
            int err = plain_ask_one(p->db, sql, &values, &rows);
            ms[k] = (double)(wedr_time_mono_ns() - start) / 1e6;
            if (err != WEDR_OK) {
                fprintf(stderr, "%s: %s\n", questions[i].name, sqlite3_errmsg(p->db));
                return err;
            }
        }
        if (sql != NULL) {
            put_times(questions[i].name, ms, rounds, rows);
        }
    }
    return WEDR_OK;
}

static uint64_t size_of(const char *path)
{
    struct wedr_fs_stat st = {0};
    wedr_handle h = WEDR_HANDLE_NONE;
    if (wedr_fs_open(path, WEDR_FS_READ, 0, &h) == WEDR_OK && wedr_fs_stat(h, &st) != WEDR_OK) {
        st.size = 0;
    }
    wedr_fs_close(h);
    return st.size;
}

static int run_plain(const char *dir, struct ql *g, bool fts, size_t rounds)
{
    char path[256];
    struct plain p;
    (void)snprintf(path, sizeof(path), "%s/%s.db", dir, fts ? "fts" : "rows");
    int err = plain_open(&p, path, fts) == SQLITE_OK ? plain_fill(&p, dir) : WEDR_E_IO;
    if (err == WEDR_OK) {
        printf("\"%s\":{\"events_per_second\":%.0f,\"bytes_per_event\":%.1f,\"ms\":{",
               fts ? "fts5" : "rows", (double)p.rows * 1e9 / (double)p.ns,
               (double)size_of(path) / (double)p.rows);
        err = plain_ask(&p, g, fts, rounds);
        printf("\"rounds\":%zu}}%s", rounds, fts ? "" : ",");
    }
    (void)sqlite3_finalize(p.insert);
    (void)sqlite3_finalize(p.words);
    (void)sqlite3_close(p.db);
    return err;
}

/* --- The store. */

static int fill(const char *dir, struct ql *g, uint64_t *ns)
{
    struct wedr_events *s = NULL;
    struct wedr_errinfo ei = {{0}};
    struct wedr_buf raw;
    int err = wedr_events_embedded.open(dir, &s, &ei);
    wedr_buf_init(&raw, 16u << 20);
    while (err == WEDR_OK && g->made < g->total) {
        struct wedr_ingest_batch in;
        struct wedr_prepared *p = NULL;
        char agent[37], hostname[32];
        err = ql_batch(g, LINES, &raw, agent, hostname, &in);
        uint64_t start = wedr_time_mono_ns();
        err = err == WEDR_OK ? wedr_ingest_prepare(&in, &p, &ei) : err;
        if (err == WEDR_OK) {
            struct wedr_commit c = {p, WEDR_COMMIT_STORED};
            uint32_t good = 0, bad = 0;
            err = wedr_events_embedded.commit(s, &c, 1, &ei);
            wedr_events_embedded.tick(s);
            wedr_prepared_counts(p, &good, &bad);
            err = bad != 0 ? wedr_fail(&ei, WEDR_E_FORMAT, "%u lines were refused", bad) : err;
        }
        *ns += wedr_time_mono_ns() - start;
        wedr_prepared_free(p);
        wedr_free((void *)(uintptr_t)in.z);
    }
    wedr_buf_fini(&raw);
    wedr_events_embedded.close(s);
    if (err != WEDR_OK) {
        fprintf(stderr, "server_query: %d %s\n", err, ei.text);
    }
    return err;
}

struct folder {
    wedr_handle h;
    const char *dir;
    bool remove;
    uint64_t bytes;
};

static int visit(void *arg, const char *name)
{
    struct folder *f = arg;
    char path[400];
    (void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    if (f->remove) {
        return wedr_fs_unlink_at(f->h, name);
    }
    f->bytes += size_of(path);
    return 0;
}

static uint64_t walk(const char *dir, bool remove_them)
{
    struct folder f = {.dir = dir, .remove = remove_them};
    if (wedr_fs_open_dir(dir, &f.h) == WEDR_OK) {
        if (wedr_fs_list(f.h, visit, &f) != WEDR_OK) {
            fprintf(stderr, "server_query: %s: not all files were read\n", dir);
        }
        wedr_fs_close(f.h);
    }
    return f.bytes;
}

int main(int argc, char **argv)
{
    struct ql g;
    uint64_t total = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
    size_t rounds = argc > 2 ? (size_t)strtoull(argv[2], NULL, 10) : 20;
    char dir[128], events[160], hex[17];
    uint8_t r[8];
    uint64_t ns = 0;
    if (total < LINES || rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "server_query [EVENTS >= %u [ROUNDS 1..%u]]\n", LINES, ROUNDS_MAX);
        return 2;
    }
    wedr_random(r, sizeof(r));
    wedr_hex(r, sizeof(r), hex);
    (void)snprintf(dir, sizeof(dir), "/var/tmp/wedr-bench-%s", hex);
    (void)snprintf(events, sizeof(events), "%s/events", dir);
    ql_init(&g, total);
    int err = wedr_fs_mkdir(dir, 0700, UINT32_MAX);
    err = err == WEDR_OK ? fill(dir, &g, &ns) : err;
    if (err == WEDR_OK) {
        printf("{\"bench\":\"server_query\",\"events\":%llu,\"blocks\":{\"events_per_second\":%.0f,"
               "\"bytes_per_event\":%.1f},",
               (unsigned long long)g.made, (double)g.made * 1e9 / (double)ns,
               (double)walk(events, false) / (double)g.made);
        err = ask_blocks(dir, &g, rounds);
        err = err == WEDR_OK ? run_plain(dir, &g, false, rounds) : err;
        err = err == WEDR_OK ? run_plain(dir, &g, true, rounds) : err;
        printf("}\n");
    }
    (void)walk(events, true);
    (void)remove(events);
    (void)walk(dir, true);
    (void)remove(dir);
    return err == WEDR_OK ? 0 : 1;
}
