/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/obj.h"
#include "store/state/sqlite/triage.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define IDLE_MAX 4u
#define PROGRESS_STEPS 10000

struct connection {
    sqlite3 *db;
    uint64_t deadline_ms;
};

struct wedr_state_triage {
    struct wedr_mutex *lock;
    struct connection *idle[IDLE_MAX];
    size_t idle_count;
    char path[1024];
};

static void close_connection(struct connection *c)
{
    if (c) {
        (void)sqlite3_close(c->db);
        wedr_free(c);
    }
}

int wedr_triage_open(const char *path, struct wedr_state_triage **ret)
{
    struct wedr_state_triage *t = wedr_alloc(1, sizeof(*t));
    if (!t) {
        return WEDR_E_NOMEM;
    }
    int n = snprintf(t->path, sizeof(t->path), "%s", path);
    t->lock = wedr_mutex_new();
    if (n < 0 || (size_t)n >= sizeof(t->path) || !t->lock) {
        wedr_triage_close(t);
        return WEDR_E_NOMEM;
    }
    *ret = t;
    return WEDR_OK;
}

void wedr_triage_close(struct wedr_state_triage *t)
{
    if (t) {
        for (size_t i = 0; i < t->idle_count; i++) {
            close_connection(t->idle[i]);
        }
        wedr_mutex_free(t->lock);
        wedr_free(t);
    }
}

static int on_progress(void *arg)
{
    const struct connection *c = arg;
    return wedr_time_mono_ms() >= c->deadline_ms;
}

static int open_connection(const struct wedr_state_triage *t, struct connection **ret)
{
    struct connection *c = wedr_alloc(1, sizeof(*c));
    if (!c) {
        return WEDR_E_NOMEM;
    }
    int rc = sqlite3_open_v2(t->path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        (void)sqlite3_busy_timeout(c->db, 2000);
        sqlite3_progress_handler(c->db, PROGRESS_STEPS, on_progress, c);
        c->deadline_ms = wedr_time_mono_ms() + WEDR_TRIAGE_TIME_MS;
        rc = sqlite3_exec(c->db,
                          "PRAGMA query_only=ON; PRAGMA trusted_schema=OFF; PRAGMA "
                          "cell_size_check=ON; PRAGMA temp_store=MEMORY",
                          NULL, NULL, NULL);
    }
    if (rc != SQLITE_OK) {
        close_connection(c);
        return wedr_state_error(rc);
    }
    *ret = c;
    return WEDR_OK;
}

static int take(struct wedr_state_triage *t, struct connection **ret)
{
    struct connection *c = NULL;
    wedr_mutex_lock(t->lock);
    if (t->idle_count) {
        c = t->idle[--t->idle_count];
    }
    wedr_mutex_unlock(t->lock);
    int err = c ? WEDR_OK : open_connection(t, &c);
    if (c) {
        c->deadline_ms = wedr_time_mono_ms() + WEDR_TRIAGE_TIME_MS;
        *ret = c;
    }
    return err;
}

static void give_back(struct wedr_state_triage *t, struct connection *c)
{
    wedr_mutex_lock(t->lock);
    bool room = t->idle_count < IDLE_MAX;
    if (room) {
        t->idle[t->idle_count++] = c;
    }
    wedr_mutex_unlock(t->lock);
    if (!room) {
        close_connection(c);
    }
}

void wedr_question_init(struct wedr_question *q, const char *sql)
{
    q->len = q->count = 0;
    q->overflow = false;
    q->text[0] = '\0';
    wedr_question_add(q, sql);
}

void wedr_question_add(struct wedr_question *q, const char *sql)
{
    size_t n = strlen(sql);
    if (n >= sizeof(q->text) - q->len) {
        q->overflow = true;
        return;
    }
    memcpy(q->text + q->len, sql, n + 1);
    q->len += n;
}

/* "?N" of the next value. */
static void add_place(struct wedr_question *q, const char *sql, const char *text, int64_t number)
{
    char place[16];
    wedr_question_add(q, sql);
    if (q->count == WEDR_QUESTION_VALUES_MAX) {
        q->overflow = true;
        return;
    }
    q->value[q->count].text = text;
    q->value[q->count].number = number;
    (void)snprintf(place, sizeof(place), "?%zu", ++q->count);
    wedr_question_add(q, place);
}

void wedr_question_text(struct wedr_question *q, const char *sql, const char *value)
{
    add_place(q, sql, value, 0);
}

void wedr_question_number(struct wedr_question *q, const char *sql, int64_t value)
{
    add_place(q, sql, NULL, value);
}

void wedr_question_words(struct wedr_question *q,
                         const char *sql,
                         const char *const *words,
                         size_t count)
{
    if (count == 0) {
        return;
    }
    wedr_question_add(q, sql);
    for (size_t i = 0; i < count; i++) {
        wedr_question_text(q, i ? "," : " IN (", words[i]);
    }
    wedr_question_add(q, ")");
}

/* "(SELECT agent_id ...)"; a scope of no group has nobody. */
static void add_agents(struct wedr_question *q, const struct wedr_scope *scope)
{
    wedr_question_add(q, "(SELECT agent_id FROM agent WHERE endpoint_group IN (");
    for (size_t i = 0; i < scope->count && i < WEDR_SCOPE_GROUPS_MAX; i++) {
        wedr_question_text(q, i ? "," : "", scope->groups[i]);
    }
    wedr_question_add(q, "))");
}

void wedr_question_scope(struct wedr_question *q,
                         const char *column,
                         const struct wedr_scope *scope)
{
    if (scope->groups) {
        wedr_question_add(q, " AND ");
        wedr_question_add(q, column);
        wedr_question_add(q, " IN ");
        add_agents(q, scope);
    }
}

void wedr_question_alert_scope(struct wedr_question *q, const struct wedr_scope *scope)
{
    if (!scope->groups) {
        return;
    }
    wedr_question_add(q, " AND (a.agent_id IN ");
    add_agents(q, scope);
    wedr_question_add(q, " OR (a.agent_id='' AND EXISTS (SELECT 1 FROM alert_evidence e WHERE "
                         "e.alert=a.id) AND NOT EXISTS (SELECT 1 FROM alert_evidence e WHERE "
                         "e.alert=a.id AND e.agent_id NOT IN ");
    add_agents(q, scope);
    wedr_question_add(q, ")))");
}

static int error_of(int rc)
{
    return (rc & 0xff) == SQLITE_INTERRUPT ? WEDR_E_TIMEOUT : wedr_state_error(rc);
}

int wedr_question_within(
    sqlite3 *db, struct wedr_question *q, bool some, wedr_question_fn *fn, void *ctx)
{
    sqlite3_stmt *st = NULL;
    bool found = false;
    int err = q->overflow ? WEDR_E_LIMIT : WEDR_OK;
    int rc = err == WEDR_OK ? sqlite3_prepare_v2(db, q->text, -1, &st, NULL) : SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && err == WEDR_OK && i < q->count; i++) {
        rc = q->value[i].text
                 ? sqlite3_bind_text(st, (int)i + 1, q->value[i].text, -1, SQLITE_STATIC)
                 : sqlite3_bind_int64(st, (int)i + 1, q->value[i].number);
    }
    while (err == WEDR_OK && rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        found = true;
        err = fn ? fn(ctx, st) : WEDR_OK;
        rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(st);
    err = err == WEDR_OK ? error_of(rc) : err;
    return err == WEDR_OK && some && !found ? WEDR_E_NOENT : err;
}

int wedr_question_ask(
    struct wedr_state *s, struct wedr_question *q, bool some, wedr_question_fn *fn, void *ctx)
{
    struct connection *c = NULL;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = take(s->triage, &c);
    if (c) {
        err = wedr_question_within(c->db, q, some, fn, ctx);
        give_back(s->triage, c);
    }
    return err;
}

const char *wedr_triage_text(sqlite3_stmt *st, int i)
{
    const char *s = (const char *)sqlite3_column_text(st, i);
    return s ? s : "";
}
