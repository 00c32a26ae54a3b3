/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "store/events/sql/metas.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_STEPS 4000 /* of a statement, between two looks at the clock */
#define DAYS_MAX 32768u
#define OPEN_BYTES_MAX (512u << 20)
#define HEAP_LIMIT (512u << 20)

static int add_day(void *arg, const char *name)
{
    struct wedr_sql *s = arg;
    int32_t day = 0;
    if (!wedr_day_of_file(name, &day) || s->day_count == DAYS_MAX) {
        return 0;
    }
    if (s->day_count == s->day_cap) {
        size_t cap = s->day_cap == 0 ? 64 : s->day_cap * 2;
        struct wedr_sql_day *d = wedr_realloc(s->days, cap, sizeof(*d));
        if (d == NULL) {
            return WEDR_E_NOMEM;
        }
        s->days = d;
        s->day_cap = cap;
    }
    s->days[s->day_count++] = (struct wedr_sql_day){.day = day};
    return 0;
}

static int compare_days(const void *a, const void *b)
{
    const struct wedr_sql_day *x = a, *y = b;
    return (x->day > y->day) - (x->day < y->day);
}

/* A drop that was cut short: what the file holds is in the catalog already. */
static void skip_dropped(struct wedr_sql *s)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->catalog, "SELECT day FROM dropping", -1, &st, NULL);
    while (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
        for (size_t i = 0; i < s->day_count; i++) {
            s->days[i].bad = s->days[i].bad || s->days[i].day == sqlite3_column_int(st, 0);
        }
    }
    sqlite3_finalize(st);
}

int wedr_sql_open(const char *data_dir,
                  uint32_t time_limit_ms,
                  struct wedr_sql *ret,
                  struct wedr_errinfo *ei)
{
    char catalog[WEDR_EVENTS_PATH_MAX + 16];
    wedr_handle dir = WEDR_HANDLE_NONE;
    memset(ret, 0, sizeof(*ret));
    int n = snprintf(ret->dir, sizeof(ret->dir), "%s/events", data_dir);
    if (n < 0 || (size_t)n + 64u >= sizeof(ret->dir)) {
        return wedr_fail(ei, WEDR_E_LIMIT, "path of the data folder is too long");
    }
    (void)snprintf(ret->state_path, sizeof(ret->state_path), "%s/state.db", data_dir);
    (void)snprintf(catalog, sizeof(catalog), "%s/catalog.db", ret->dir);
    ret->keeps_room = true;
    ret->open_bytes_max = OPEN_BYTES_MAX;
    ret->budget.max = HEAP_LIMIT;
    ret->started_ms = wedr_time_mono_ms();
    ret->deadline_ms = ret->started_ms + time_limit_ms;
    int rc = wedr_fs_open_dir(ret->dir, &dir);
    if (rc == WEDR_E_NOENT) {
        rc = wedr_fs_open_dir(data_dir, &dir); /* a server that has stored nothing yet */
        wedr_fs_close(dir);
        return rc == WEDR_OK ? rc : wedr_fail(ei, rc, "%s: no such data folder", data_dir);
    }
    if (rc == WEDR_OK) {
        rc = wedr_fs_list(dir, add_day, ret);
    }
    wedr_fs_close(dir);
    if (rc != WEDR_OK) {
        wedr_sql_close(ret);
        return wedr_fail(ei, rc, "%s: %s", data_dir, wedr_err_text(rc));
    }
    if (ret->day_count > 1) {
        qsort(ret->days, ret->day_count, sizeof(*ret->days), compare_days);
    }
    if (wedr_day_open_reader(catalog, &ret->catalog) != WEDR_OK) {
        ret->catalog = NULL;
    }
    if (ret->catalog != NULL) {
        skip_dropped(ret);
    }
    return WEDR_OK;
}

void wedr_sql_close(struct wedr_sql *s)
{
    for (size_t i = 0; i < s->day_count; i++) {
        for (int k = 0; k < WEDR_PART_COUNT; k++) {
            sqlite3_finalize(s->days[i].part[k]);
        }
        wedr_metas_fini(s->days[i].metas);
        sqlite3_close(s->days[i].db);
    }
    wedr_free(s->days);
    wedr_free(s->spare.p);
    wedr_free(s->scope);
    sqlite3_close(s->catalog);
    sqlite3_close(s->state);
    memset(s, 0, sizeof(*s));
}

int wedr_sql_clone(const struct wedr_sql *s, struct wedr_sql *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->days = wedr_alloc(s->day_count + 1, sizeof(*ret->days));
    if (ret->days == NULL) {
        return WEDR_E_NOMEM;
    }
    memcpy(ret->dir, s->dir, sizeof(ret->dir));
    for (size_t i = 0; i < s->day_count; i++) {
        ret->days[i] = (struct wedr_sql_day){.day = s->days[i].day, .bad = s->days[i].bad};
    }
    ret->day_count = s->day_count;
    ret->deadline_ms = s->deadline_ms;
    ret->cancel = s->cancel;
    ret->keep_to = s->keep_to;
    ret->keeps_room = true;
    ret->open_bytes_max = s->open_bytes_max;
    return WEDR_OK;
}

sqlite3 *wedr_sql_day_db(struct wedr_sql *s, size_t i)
{
    struct wedr_sql_day *d = &s->days[i];
    char path[WEDR_EVENTS_PATH_MAX + 32], text[WEDR_DAY_TEXT];
    if (d->db != NULL || d->bad) {
        return d->db;
    }
    wedr_day_text(d->day, text);
    (void)snprintf(path, sizeof(path), "%s/%s.db", s->dir, text);
    int rc = wedr_day_open_reader(path, &d->db);
    if (rc == WEDR_OK) {
        rc = wedr_sqlite_int(d->db, "SELECT coalesce(min(t0), 0) FROM stream", &d->t0);
        rc = rc == WEDR_OK
                 ? wedr_sqlite_int(d->db, "SELECT coalesce(max(t1), 0) FROM stream", &d->t1)
                 : rc;
    }
    if (wedr_sql_note(s, rc)) {
        sqlite3_close(d->db);
        d->db = NULL;
    } else if (rc != WEDR_OK) {
        if (rc != WEDR_E_NOENT) {
            wedr_log(ERROR, "events.file_unreadable", WEDR_STR("file", path), WEDR_ERR(rc));
        }
        sqlite3_close(d->db);
        d->db = NULL;
        d->bad = true;
        d->unmade = rc == WEDR_E_NOENT;
        d->why = rc;
    }
    return d->db;
}

bool wedr_sql_note(struct wedr_sql *s, int rc)
{
    bool passing = rc == WEDR_E_NOMEM || rc == WEDR_E_BUSY || rc == WEDR_E_TIMEOUT;
    if (passing && s->failed == WEDR_OK) {
        s->failed = rc;
    }
    return passing;
}

bool wedr_sql_timed_out(const struct wedr_sql *s)
{
    return wedr_time_mono_ms() >= s->deadline_ms ||
           (s->cancel != NULL && atomic_load_explicit(s->cancel, memory_order_relaxed));
}

static int on_progress(void *arg)
{
    return wedr_sql_timed_out(arg) ? 1 : 0;
}

void wedr_sql_watch(struct wedr_sql *s, sqlite3 *db)
{
    sqlite3_progress_handler(db, PROGRESS_STEPS, on_progress, s);
}

static int compare_agents(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int wedr_sql_set_scope(struct wedr_sql *s, const struct wedr_query_scope *scope)
{
    if (scope == NULL) {
        return WEDR_OK;
    }
    s->scope = wedr_alloc(scope->count + 1, sizeof(*s->scope));
    if (s->scope == NULL) {
        return WEDR_E_NOMEM;
    }
    for (size_t i = 0; i < scope->count; i++) {
        s->scope[i] = scope->agents[i];
    }
    s->scope_count = scope->count;
    if (s->scope_count > 1) {
        qsort(s->scope, s->scope_count, sizeof(*s->scope), compare_agents);
    }
    return WEDR_OK;
}

bool wedr_sql_in_scope(const struct wedr_sql *s, const char *agent)
{
    return s->scope == NULL ||
           (agent != NULL && s->scope_count != 0 &&
            bsearch(&agent, s->scope, s->scope_count, sizeof(*s->scope), compare_agents) != NULL);
}
