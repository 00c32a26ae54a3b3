/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "query_ask.h"
#include "wedr/plat/time.h"
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define ROWS_A_COMMIT 2000u /* as many as a batch has */

struct plain {
    sqlite3 *db;
    sqlite3_stmt *insert, *words;
    uint32_t in_commit;
    uint64_t ns; /* in SQLite's hands */
    uint64_t rows;
};

static const char tables[] =
    "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
    "PRAGMA cache_size=-65536;"
    "CREATE TABLE events(ts INTEGER, agent_id TEXT, event_type TEXT, pid INTEGER, process_key TEXT,"
    " parent_key TEXT, process_name TEXT, command_line TEXT, sha256 TEXT, dns_name TEXT,"
    " remote_port INTEGER, raw TEXT);"
    "CREATE INDEX by_host ON events(agent_id, ts);"
    "CREATE INDEX by_key ON events(agent_id, process_key);"
    "CREATE INDEX by_parent ON events(agent_id, parent_key);";
static const char fts_table[] =
    "CREATE VIRTUAL TABLE words USING fts5(raw, content='', detail=none)";

static int create(struct plain *p, bool fts)
{
    int rc = sqlite3_exec(p->db, tables, NULL, NULL, NULL);
    if (rc == SQLITE_OK && fts) {
        rc = sqlite3_exec(p->db, fts_table, NULL, NULL, NULL);
        rc = rc == SQLITE_OK
                 ? sqlite3_prepare_v2(p->db, "INSERT INTO words(rowid, raw) VALUES(?,?)", -1,
                                      &p->words, NULL)
                 : rc;
    }
    return rc == SQLITE_OK
               ? sqlite3_prepare_v2(p->db, "INSERT INTO events VALUES(?,?,?,?,?,?,?,?,?,?,?,?)", -1,
                                    &p->insert, NULL)
               : rc;
}

static int insert(struct plain *p, const struct wedr_query_value *v, size_t count)
{
    int rc = SQLITE_OK;
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
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int take_row(void *arg, const struct wedr_query_value *v, size_t count)
{
    struct plain *p = arg;
    uint64_t start = wedr_time_mono_ns();
    int rc = p->in_commit == 0 ? sqlite3_exec(p->db, "BEGIN", NULL, NULL, NULL) : SQLITE_OK;
    rc = rc == SQLITE_OK ? insert(p, v, count) : rc;
    p->rows++;
    if (rc == SQLITE_OK && ++p->in_commit == ROWS_A_COMMIT) {
        p->in_commit = 0;
        rc = sqlite3_exec(p->db, "COMMIT", NULL, NULL, NULL);
    }
    p->ns += wedr_time_mono_ns() - start;
    return rc == SQLITE_OK ? WEDR_OK : WEDR_E_IO;
}

static int fill(struct plain *p, const char *dir, bool fts)
{
    struct wedr_query_result r;
    struct wedr_query q = {.data_dir = dir,
                           .sql = "SELECT ts, agent_id, event_type, pid, process_key, parent_key,"
                                  " process_name, command_line, sha256, dns_name, remote_port, raw"
                                  " FROM events",
                           .time_limit_ms = UINT32_MAX,
                           .row = take_row,
                           .arg = p};
    int err = create(p, fts) == SQLITE_OK ? wedr_query_run(&q, &r, NULL) : WEDR_E_IO;
    uint64_t start = wedr_time_mono_ns();
    if (err == WEDR_OK && p->in_commit != 0 &&
        sqlite3_exec(p->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        err = WEDR_E_IO;
    }
    (void)sqlite3_wal_checkpoint_v2(p->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    p->ns += wedr_time_mono_ns() - start;
    (void)sqlite3_finalize(p->insert);
    (void)sqlite3_finalize(p->words);
    printf("\"events_per_second\":%.0f,", (double)p->rows * 1e9 / (double)p->ns);
    return err == WEDR_OK && sqlite3_exec(p->db, "PRAGMA user_version=1", NULL, NULL, NULL) != 0
               ? WEDR_E_IO
               : err;
}

static int filled(void *arg, int count, char **value, char **name)
{
    (void)name;
    *(bool *)arg = count == 1 && strcmp(value[0], "1") == 0;
    return 0;
}

static int ask_one(sqlite3 *db, const char *sql, const struct qa_params *p, struct qa_times *t)
{
    sqlite3_stmt *st = NULL;
    qa_start(t);
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    for (int i = 0; rc == SQLITE_OK && i < (int)qa_count(sql); i++) {
        rc = p->v[i].type == WEDR_QUERY_INT
                 ? sqlite3_bind_int64(st, i + 1, p->v[i].i)
                 : sqlite3_bind_text(st, i + 1, p->text[i], -1, SQLITE_STATIC);
    }
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(st);
        for (int i = 0; rc == SQLITE_ROW && i < sqlite3_column_count(st); i++) {
            (void)sqlite3_column_text(st, i);
        }
        t->rows += rc == SQLITE_ROW;
    }
    (void)sqlite3_finalize(st);
    qa_stop(t);
    return rc == SQLITE_DONE ? WEDR_OK : WEDR_E_IO;
}

static int ask_all(const struct qa_options *o, struct plain *p, struct ql *g, bool fts)
{
    static struct qa_times t;
    for (size_t i = 0; i < qa_question_count; i++) {
        const struct qa_question *q = &qa_questions[i];
        const char *sql = fts ? q->fts : q->rows;
        memset(&t, 0, sizeof(t));
        for (size_t k = 0; k < o->rounds && qa_wanted(o, q); k++) {
            struct qa_params values;
            qa_set(q, g,
                   &values); /* drawn also when they are not asked: the same for every store */
            if (sql != NULL && ask_one(p->db, sql, &values, &t) != WEDR_OK) {
                fprintf(stderr, "%s: %s\n", q->name, sqlite3_errmsg(p->db));
                return WEDR_E_IO;
            }
        }
        if (t.count != 0) {
            qa_print(q->name, &t);
        }
    }
    printf("\"rounds\":%zu}}", o->rounds);
    return WEDR_OK;
}

int qa_plain(const struct qa_options *o, const struct ql *g, bool fts)
{
    char path[300];
    bool there = false;
    struct plain p = {.db = NULL};
    struct ql again;
    (void)snprintf(path, sizeof(path), "%s/%s.db", o->dir, fts ? "fts" : "rows");
    printf(",\n\"%s\":{", fts ? "fts5" : "rows");
    int err = sqlite3_open(path, &p.db) == SQLITE_OK &&
                      sqlite3_exec(p.db, "PRAGMA user_version", filled, &there, NULL) == SQLITE_OK
                  ? WEDR_OK
                  : WEDR_E_IO;
    err = err == WEDR_OK && !there ? fill(&p, o->dir, fts) : err;
    if (err == WEDR_OK) {
        printf("\"bytes_per_event\":%.1f,\"warm\":{",
               (double)qa_size(path) / (double)(g->total * QL_LINES));
        ql_init(&again, g->total * QL_LINES);
        err = ask_all(o, &p, &again, fts);
    }
    if (err != WEDR_OK) {
        fprintf(stderr, "%s: %s\n", path, sqlite3_errmsg(p.db));
    }
    (void)sqlite3_close(p.db);
    return err;
}
