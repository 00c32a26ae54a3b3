/* SPDX-License-Identifier: Apache-2.0 */
#include "store/state/sqlite/rules.h"
#include "core/base/err.h"
#include "core/util/obj.h"
#include "store/state/sqlite/db.h"
#include <string.h>

/* The walks copy nothing: a callback must not call the store. */

static bool fits(const char *s, size_t cap)
{
    size_t n = strlen(s);
    return n > 0 && n < cap;
}

/* True in *ret_same when the current text is this one. */
static int
compare_current(sqlite3 *db, const struct wedr_stored_rule *r, bool *ret_same, uint32_t *ret_ver)
{
    sqlite3_stmt *st = NULL;
    int err =
        wedr_state_prepare(db, &st,
                           "SELECT r.version, v.text FROM rule r JOIN rule_version v ON v.id=r.id "
                           "AND v.version=r.version WHERE r.id=?1 AND r.source=?2 AND r.title=?3",
                           "ttt", r->id, r->source, r->title);
    if (err != WEDR_OK) {
        return err;
    }
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        *ret_ver = (uint32_t)sqlite3_column_int64(st, 0);
        *ret_same =
            (size_t)sqlite3_column_bytes(st, 1) == r->text_len &&
            (r->text_len == 0 || memcmp(sqlite3_column_blob(st, 1), r->text, r->text_len) == 0);
    }
    (void)sqlite3_finalize(st);
    return wedr_state_error(rc);
}

static int one_int(sqlite3 *db, const char *sql, const char *id, int64_t *ret)
{
    sqlite3_stmt *st = NULL;
    int err = wedr_state_prepare(db, &st, sql, "t", id);
    if (err != WEDR_OK) {
        return err;
    }
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        *ret = sqlite3_column_int64(st, 0);
    }
    (void)sqlite3_finalize(st);
    return wedr_state_error(rc);
}

static int put_version(sqlite3 *db, const struct wedr_stored_rule *r, int64_t now, uint32_t *ret)
{
    int64_t newest = 0, others = 0, count = 0;
    int err = one_int(db, "SELECT max(version) FROM rule_version WHERE id=?1", r->id, &newest);
    if (err == WEDR_OK) {
        err = one_int(db, "SELECT count(*) FROM rule WHERE id<>?1", r->id, &count);
    }
    if (err == WEDR_OK && count >= WEDR_RULES_STORED_MAX) {
        return WEDR_E_LIMIT;
    }
    sqlite3_stmt *st = NULL;
    err = err == WEDR_OK
              ? wedr_state_prepare(db, &st, "SELECT 1 FROM rule WHERE source=?1 AND id<>?2", "tt",
                                   r->source, r->id)
              : err;
    if (err == WEDR_OK) {
        others = sqlite3_step(st) == SQLITE_ROW;
        (void)sqlite3_finalize(st);
    }
    if (err != WEDR_OK || others) {
        return err == WEDR_OK ? WEDR_E_CONFLICT : err;
    }
    struct wedr_state_bytes text = {r->text, r->text_len};
    int64_t version = newest + 1;
    err = wedr_state_run(db, NULL,
                         "INSERT INTO rule_version(id,version,text,author,time_us) "
                         "VALUES(?1,?2,?3,?4,?5)",
                         "tibti", r->id, version, text, r->author ? r->author : "", now);
    if (err == WEDR_OK) {
        err = wedr_state_run(
            db, NULL,
            "INSERT INTO rule(id,language,title,source,version,enabled,builtin,updated_us) "
            "VALUES(?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT(id) DO UPDATE SET language=?2, title=?3, "
            "source=?4, version=?5, builtin=?7, updated_us=?8",
            "ttttiiii", r->id, r->language, r->title, r->source, version, (int64_t)r->enabled,
            (int64_t)r->builtin, now);
    }
    *ret = (uint32_t)version;
    return err;
}

int wedr_state_rule_put(struct wedr_state *s,
                        const struct wedr_stored_rule *rule,
                        int64_t now_us,
                        uint32_t *ret_version)
{
    bool same = false;
    uint32_t version = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    if (!fits(rule->id, WEDR_RULE_ID_MAX) || !fits(rule->source, WEDR_RULE_SOURCE_MAX) ||
        rule->text_len > WEDR_RULE_SOURCE_TEXT_MAX) {
        return WEDR_E_LIMIT;
    }
    int err = wedr_state_begin(s);
    if (err == WEDR_OK) {
        err = compare_current(s->writer, rule, &same, &version);
    }
    if (err == WEDR_OK && !same) {
        err = put_version(s->writer, rule, now_us, &version);
    }
    err = wedr_state_end(s, err);
    if (err == WEDR_OK && ret_version) {
        *ret_version = version;
    }
    return err;
}

#define RULE_COLUMNS(text)                                                          \
    "SELECT r.id, r.language, r.title, r.source, v.version, r.enabled, r.builtin, " \
    "v.time_us, v.author, " text ", r.severity FROM rule r JOIN rule_version v ON v.id=r.id "

static const char *column(sqlite3_stmt *st, int i)
{
    const unsigned char *t = sqlite3_column_text(st, i);
    return t ? (const char *)t : "";
}

static int give_rule(sqlite3_stmt *st, bool with_text, wedr_stored_rule_fn *fn, void *ctx)
{
    struct wedr_stored_rule r = {
        .id = column(st, 0),
        .language = column(st, 1),
        .title = column(st, 2),
        .source = column(st, 3),
        .version = (uint32_t)sqlite3_column_int64(st, 4),
        .enabled = sqlite3_column_int(st, 5) != 0,
        .builtin = sqlite3_column_int(st, 6) != 0,
        .updated_us = sqlite3_column_int64(st, 7),
        .author = column(st, 8),
        .severity = column(st, 10),
    };
    if (with_text) {
        r.text = sqlite3_column_blob(st, 9);
        r.text_len = (size_t)sqlite3_column_bytes(st, 9);
        r.text = r.text ? r.text : "";
    }
    return fn(ctx, &r);
}

int wedr_state_rule_get(
    struct wedr_state *s, const char *id, uint32_t version, wedr_stored_rule_fn *fn, void *ctx)
{
    sqlite3_stmt *st = NULL;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_read(
        s, &st,
        RULE_COLUMNS("v.text") "WHERE r.id=?1 AND v.version=CASE ?2 WHEN 0 THEN r.version ELSE "
                               "?2 END",
        "ti", id, (int64_t)version);
    if (err == WEDR_OK) {
        int rc = sqlite3_step(st);
        err = rc == SQLITE_ROW    ? give_rule(st, true, fn, ctx)
              : rc == SQLITE_DONE ? WEDR_E_NOENT
                                  : wedr_state_error(rc);
    }
    return wedr_state_read_end(s, st, err);
}

int wedr_state_rule_each(struct wedr_state *s, bool with_text, wedr_stored_rule_fn *fn, void *ctx)
{
    sqlite3_stmt *st = NULL;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_read(
        s, &st,
        with_text ? RULE_COLUMNS("v.text") "AND v.version=r.version ORDER BY r.source"
                  : RULE_COLUMNS("NULL") "AND v.version=r.version ORDER BY r.source",
        "");
    while (wedr_state_row(st, &err)) {
        err = give_rule(st, with_text, fn, ctx);
    }
    return wedr_state_read_end(s, st, err);
}

/* One statement that must hit a row. */
static int hit_one(struct wedr_state *s, const char *sql, const char *key, int64_t v)
{
    int n = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_begin(s);
    err = err == WEDR_OK ? wedr_state_run(s->writer, &n, sql, "ti", key, v) : err;
    err = err == WEDR_OK && n == 0 ? WEDR_E_NOENT : err;
    return wedr_state_end(s, err);
}

int wedr_state_rule_remove(struct wedr_state *s, const char *id)
{
    return hit_one(s, "DELETE FROM rule WHERE id=?1 AND ?2=0", id, 0);
}

int wedr_state_rule_enable(struct wedr_state *s, const char *id, bool on)
{
    return hit_one(s, "UPDATE rule SET enabled=?2 WHERE id=?1", id, on ? 1 : 0);
}

int wedr_state_rule_severity(struct wedr_state *s, const char *id, const char *severity)
{
    int n = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_begin(s);
    err = err == WEDR_OK ? wedr_state_run(s->writer, &n, "UPDATE rule SET severity=?2 WHERE id=?1",
                                          "tt", id, severity)
                         : err;
    err = err == WEDR_OK && n == 0 ? WEDR_E_NOENT : err;
    return wedr_state_end(s, err);
}

int wedr_state_list_put(
    struct wedr_state *s, const char *name, const char *text, size_t len, int64_t now_us)
{
    struct wedr_state_bytes b = {text, len};
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    if (!fits(name, WEDR_RULE_ID_MAX) || len > WEDR_RULE_SOURCE_TEXT_MAX) {
        return WEDR_E_LIMIT;
    }
    int err = wedr_state_begin(s);
    err = err == WEDR_OK ? wedr_state_run(s->writer, NULL,
                                          "INSERT INTO list(name,text,updated_us) VALUES(?1,?2,?3) "
                                          "ON CONFLICT(name) DO UPDATE SET text=?2, updated_us=?3",
                                          "tbi", name, b, now_us)
                         : err;
    return wedr_state_end(s, err);
}

int wedr_state_list_remove(struct wedr_state *s, const char *name)
{
    return hit_one(s, "DELETE FROM list WHERE name=?1 AND ?2=0", name, 0);
}

int wedr_state_list_each(struct wedr_state *s, wedr_stored_list_fn *fn, void *ctx)
{
    sqlite3_stmt *st = NULL;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_read(s, &st, "SELECT name, text FROM list ORDER BY name", "");
    while (wedr_state_row(st, &err)) {
        const char *text = sqlite3_column_blob(st, 1);
        err = fn(ctx, column(st, 0), text ? text : "", (size_t)sqlite3_column_bytes(st, 1));
    }
    return wedr_state_read_end(s, st, err);
}
