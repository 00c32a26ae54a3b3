/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/obj.h"
#include "store/state/sqlite/db.h"
#include "store/state/sqlite/rules.h"
#include <string.h>

static int profile_put(struct wedr_state *s, const struct wedr_profile *p)
{
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    if (p->name[0] == '\0') {
        return WEDR_E_INVAL;
    }
    int err = wedr_state_begin(s);
    if (err == WEDR_OK) {
        err = wedr_state_run(
            s->writer, NULL,
            "INSERT INTO "
            "profile(name,everything,severity_min,kill_allowed,tags,enable,disable,sensor)"
            " VALUES(?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT(name) DO UPDATE SET everything=?2, "
            "severity_min=?3, kill_allowed=?4, tags=?5, enable=?6, disable=?7, sensor=?8",
            "tiiitttt", p->name, (int64_t)p->all, (int64_t)p->severity_min,
            (int64_t)p->kill_allowed, p->tags, p->enable, p->disable, p->sensor);
    }
    return wedr_state_end(s, err);
}

#define PROFILE_COLUMNS \
    "SELECT name,everything,severity_min,kill_allowed,tags,enable,disable,sensor"

static void read_profile(sqlite3_stmt *st, struct wedr_profile *ret)
{
    memset(ret, 0, sizeof(*ret));
    wedr_state_text(st, 0, ret->name, sizeof(ret->name));
    ret->all = sqlite3_column_int(st, 1) != 0;
    ret->severity_min = (uint8_t)sqlite3_column_int(st, 2);
    ret->kill_allowed = sqlite3_column_int(st, 3) != 0;
    wedr_state_text(st, 4, ret->tags, sizeof(ret->tags));
    wedr_state_text(st, 5, ret->enable, sizeof(ret->enable));
    wedr_state_text(st, 6, ret->disable, sizeof(ret->disable));
    wedr_state_text(st, 7, ret->sensor, sizeof(ret->sensor));
}

static int profile_get(struct wedr_state *s, const char *name, struct wedr_profile *ret)
{
    sqlite3_stmt *st = NULL;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_read(s, &st, PROFILE_COLUMNS " FROM profile WHERE name=?1", "t", name);
    if (err == WEDR_OK) {
        int rc = sqlite3_step(st);
        if (rc == SQLITE_ROW) {
            read_profile(st, ret);
        }
        err = rc == SQLITE_DONE ? WEDR_E_NOENT : wedr_state_error(rc);
    }
    return wedr_state_read_end(s, st, err);
}

static int profile_each(struct wedr_state *s, wedr_profile_fn *fn, void *ctx)
{
    sqlite3_stmt *st = NULL;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    struct wedr_profile *p = wedr_alloc(1, sizeof(*p));
    if (!p) {
        return WEDR_E_NOMEM;
    }
    int err = wedr_state_read(s, &st,
                              PROFILE_COLUMNS
                              ", (SELECT count(*) FROM agent a WHERE coalesce((SELECT profile FROM "
                              "agent_profile x WHERE x.agent_id=a.agent_id), 'default')=name) FROM "
                              "profile ORDER BY name",
                              "");
    while (wedr_state_row(st, &err)) {
        read_profile(st, p);
        err = fn(ctx, p, (uint32_t)sqlite3_column_int64(st, 8));
    }
    err = wedr_state_read_end(s, st, err);
    wedr_free(p);
    return err;
}

static int profile_assign(struct wedr_state *s, const char *agent_id, const char *profile)
{
    int n = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_begin(s);
    if (err == WEDR_OK) {
        err = wedr_state_run(
            s->writer, &n,
            "INSERT INTO agent_profile(agent_id,profile) SELECT a.agent_id, p.name FROM agent a, "
            "profile p WHERE a.agent_id=?1 AND p.name=?2 ON CONFLICT(agent_id) DO UPDATE SET "
            "profile=?2",
            "tt", agent_id, profile);
    }
    err = err == WEDR_OK && n == 0 ? WEDR_E_NOENT : err;
    return wedr_state_end(s, err);
}

static int check_rises(sqlite3 *db, const struct wedr_bundle_row *row)
{
    sqlite3_stmt *st = NULL;
    int err = wedr_state_prepare(db, &st,
                                 "SELECT 1 FROM bundle WHERE profile=?1 AND os=?2 AND serial>=?3",
                                 "tti", row->profile, row->os, (int64_t)row->serial);
    if (err == WEDR_OK) {
        int rc = sqlite3_step(st);
        err = rc == SQLITE_ROW ? WEDR_E_CONFLICT : wedr_state_error(rc);
        (void)sqlite3_finalize(st);
    }
    return err;
}

static int put_bundle(sqlite3 *db, const struct wedr_bundle_new *n)
{
    struct wedr_state_bytes b = {n->bytes, n->len};
    const struct wedr_bundle_row *row = &n->row;
    if (n->len > WEDR_BUNDLE_STORED_MAX || row->serial > INT64_MAX) {
        return WEDR_E_LIMIT;
    }
    int err = check_rises(db, row);
    if (err == WEDR_OK) {
        err = wedr_state_run(db, NULL,
                             "INSERT INTO bundle(profile,os,serial,sha256,rules,created_us,bytes) "
                             "VALUES(?1,?2,?3,?4,?5,?6,?7)",
                             "ttitiib", row->profile, row->os, (int64_t)row->serial, row->sha256,
                             (int64_t)row->rules, row->created_us, b);
    }
    if (err == WEDR_OK) {
        err = wedr_state_run(
            db, NULL,
            "DELETE FROM bundle WHERE profile=?1 AND os=?2 AND serial NOT IN (SELECT serial FROM "
            "bundle WHERE profile=?1 AND os=?2 ORDER BY serial DESC LIMIT ?3)",
            "tti", row->profile, row->os, (int64_t)WEDR_BUNDLES_KEPT);
    }
    return err;
}

static int bundles_put(struct wedr_state *s, const struct wedr_bundle_new *bundles, size_t count)
{
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_begin(s);
    for (size_t i = 0; err == WEDR_OK && i < count; i++) {
        err = put_bundle(s->writer, &bundles[i]);
    }
    return wedr_state_end(s, err);
}

#define BUNDLE(bytes) \
    "SELECT profile,os,serial,sha256,length(bytes),rules,created_us," bytes " FROM bundle "
#define NEWEST " ORDER BY serial DESC LIMIT 1"
#define BY_NAME "WHERE profile=?1 AND os=?2" NEWEST
#define BY_AGENT                                                                                \
    "WHERE profile=coalesce((SELECT profile FROM agent_profile WHERE agent_id=?1), 'default') " \
    "AND os=(SELECT CASE WHEN os LIKE 'windows%' THEN 'windows' ELSE 'linux' END FROM agent "   \
    "WHERE agent_id=?1)" NEWEST

static int find_bundle(struct wedr_state *s,
                       const char *sql,
                       const char *key,
                       const char *os,
                       struct wedr_bundle_row *ret,
                       struct wedr_buf *ret_bytes)
{
    sqlite3_stmt *st = NULL;
    struct wedr_bundle_row row;
    memset(&row, 0, sizeof(row));
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_read(s, &st, sql, os ? "tt" : "t", key, os);
    if (err == WEDR_OK) {
        int rc = sqlite3_step(st);
        err = rc == SQLITE_DONE ? WEDR_E_NOENT : wedr_state_error(rc);
        if (rc == SQLITE_ROW) {
            wedr_state_text(st, 0, row.profile, sizeof(row.profile));
            wedr_state_text(st, 1, row.os, sizeof(row.os));
            row.serial = (uint64_t)sqlite3_column_int64(st, 2);
            wedr_state_text(st, 3, row.sha256, sizeof(row.sha256));
            row.size = (uint64_t)sqlite3_column_int64(st, 4);
            row.rules = (uint32_t)sqlite3_column_int64(st, 5);
            row.created_us = sqlite3_column_int64(st, 6);
        }
        if (rc == SQLITE_ROW && ret_bytes) {
            const void *p = sqlite3_column_blob(st, 7);
            wedr_buf_add(ret_bytes, p, (size_t)sqlite3_column_bytes(st, 7));
            err = ret_bytes->overflow ? WEDR_E_LIMIT : WEDR_OK;
        }
    }
    err = wedr_state_read_end(s, st, err);
    if (err == WEDR_OK) {
        *ret = row;
    }
    return err;
}

static int bundle_newest(struct wedr_state *s,
                         const char *profile,
                         const char *os,
                         struct wedr_bundle_row *ret,
                         struct wedr_buf *ret_bytes)
{
    return find_bundle(s, ret_bytes ? BUNDLE("bytes") BY_NAME : BUNDLE("NULL") BY_NAME, profile, os,
                       ret, ret_bytes);
}

static int bundle_of_agent(struct wedr_state *s,
                           const char *agent_id,
                           struct wedr_bundle_row *ret,
                           struct wedr_buf *ret_bytes)
{
    return find_bundle(s, ret_bytes ? BUNDLE("bytes") BY_AGENT : BUNDLE("NULL") BY_AGENT, agent_id,
                       NULL, ret, ret_bytes);
}

const struct wedr_state_rules_ops wedr_state_rules_sqlite = {
    .put = wedr_state_rule_put,
    .get = wedr_state_rule_get,
    .each = wedr_state_rule_each,
    .remove = wedr_state_rule_remove,
    .enable = wedr_state_rule_enable,
    .severity = wedr_state_rule_severity,
    .list_put = wedr_state_list_put,
    .list_remove = wedr_state_list_remove,
    .list_each = wedr_state_list_each,
    .profile_put = profile_put,
    .profile_get = profile_get,
    .profile_each = profile_each,
    .profile_assign = profile_assign,
    .bundles_put = bundles_put,
    .bundle_newest = bundle_newest,
    .bundle_of_agent = bundle_of_agent,
};
