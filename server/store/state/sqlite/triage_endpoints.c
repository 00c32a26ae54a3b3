/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/obj.h"
#include "store/state/sqlite/agent_cache.h"
#include "store/state/sqlite/people.h"
#include "store/state/sqlite/triage.h"
#include <stdlib.h>

/* Numbers of enum wedr_endpoint_status. ?1 is the time since which a heartbeat is recent. What an
 * agent calls anything but healthy is degraded. */
#define STATUS                                                                             \
    "CASE WHEN g.revoked<>0 THEN 4 WHEN g.status_json='{}' THEN 3 WHEN g.last_seen_us<?1 " \
    "THEN 2 WHEN CASE WHEN json_valid(g.status_json) THEN "                                \
    "coalesce(json_extract(g.status_json,'$.status'),'') ELSE '' END<>'healthy' THEN 1 ELSE 0 END"

#define COLUMNS                                                                                  \
    "SELECT "                                                                                    \
    "g.agent_id,g.hostname,g.os,g.os_version,g.agent_version,g.endpoint_group,g.note,g.address," \
    "coalesce(p.profile,'default'),g.status_json," STATUS ",g.enrolled_us,g.last_seen_us,"       \
    "g.version FROM agent g LEFT JOIN agent_profile p ON p.agent_id=g.agent_id WHERE 1"

struct walk {
    wedr_endpoint_fn *fn;
    void *ctx;
};

static int give_endpoint(void *arg, sqlite3_stmt *st)
{
    const struct walk *w = arg;
    struct wedr_endpoint_row e = {.agent_id = wedr_triage_text(st, 0),
                                  .hostname = wedr_triage_text(st, 1),
                                  .os = wedr_triage_text(st, 2),
                                  .os_version = wedr_triage_text(st, 3),
                                  .agent_version = wedr_triage_text(st, 4),
                                  .group = wedr_triage_text(st, 5),
                                  .note = wedr_triage_text(st, 6),
                                  .address = wedr_triage_text(st, 7),
                                  .profile = wedr_triage_text(st, 8),
                                  .status_json = wedr_triage_text(st, 9),
                                  .status = (uint8_t)sqlite3_column_int(st, 10),
                                  .enrolled_us = sqlite3_column_int64(st, 11),
                                  .last_seen_us = sqlite3_column_int64(st, 12),
                                  .version = (uint64_t)sqlite3_column_int64(st, 13)};
    return w->fn(w->ctx, &e);
}

/* The first value of all questions with a status. */
static void begin(struct wedr_question *q, const char *sql, int64_t online_since_us)
{
    wedr_question_init(q, "");
    wedr_question_number(q, "", online_since_us);
    q->len = 0;
    q->text[0] = '\0';
    wedr_question_add(q, sql);
}

static void add_part(struct wedr_question *q, const char *part)
{
    static const char *const columns[] = {"g.hostname",   "g.agent_id", "g.os",
                                          "g.os_version", "g.address",  "g.note"};
    wedr_question_add(q, " AND (0");
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(columns); i++) {
        wedr_question_add(q, " OR instr(lower(");
        wedr_question_add(q, columns[i]);
        wedr_question_text(q, "),lower(", part);
        wedr_question_add(q, "))");
    }
    wedr_question_add(q, ")");
}

int wedr_triage_endpoints(struct wedr_state *s,
                          const struct wedr_scope *scope,
                          const struct wedr_endpoint_ask *ask,
                          wedr_endpoint_fn *fn,
                          void *ctx)
{
    struct wedr_question q;
    struct walk w = {fn, ctx};
    begin(&q, COLUMNS, ask->online_since_us);
    wedr_question_scope(&q, "g.agent_id", scope);
    if (ask->group) {
        wedr_question_text(&q, " AND g.endpoint_group=", ask->group);
    }
    if (ask->status >= 0) {
        wedr_question_number(&q, " AND " STATUS "=", ask->status);
    }
    if (ask->q) {
        add_part(&q, ask->q);
    }
    if (ask->behind_id) {
        wedr_question_text(&q, " AND (g.hostname,g.agent_id)>(", ask->behind_host);
        wedr_question_text(&q, ",", ask->behind_id);
        wedr_question_add(&q, ")");
    }
    wedr_question_number(&q, " ORDER BY g.hostname,g.agent_id LIMIT ", ask->limit);
    return wedr_question_ask(s, &q, false, give_endpoint, &w);
}

int wedr_triage_endpoint(struct wedr_state *s,
                         const struct wedr_scope *scope,
                         const char *agent_id,
                         int64_t online_since_us,
                         wedr_endpoint_fn *fn,
                         void *ctx)
{
    struct wedr_question q;
    struct walk w = {fn, ctx};
    begin(&q, COLUMNS, online_since_us);
    wedr_question_text(&q, " AND g.agent_id=", agent_id);
    wedr_question_scope(&q, "g.agent_id", scope);
    return wedr_question_ask(s, &q, true, give_endpoint, &w);
}

static int take_counts(void *arg, sqlite3_stmt *st)
{
    struct wedr_endpoint_counts *c = arg;
    int64_t status = sqlite3_column_int64(st, 0);
    if (status >= 0 && status < WEDR_ENDPOINT_STATUSES) {
        c->by_status[status] = (uint64_t)sqlite3_column_int64(st, 1);
    }
    return 0;
}

int wedr_triage_endpoint_counts(struct wedr_state *s,
                                const struct wedr_scope *scope,
                                int64_t online_since_us,
                                struct wedr_endpoint_counts *ret)
{
    struct wedr_question q;
    struct wedr_endpoint_counts c = {{0}};
    begin(&q, "SELECT " STATUS ",count(*) FROM agent g WHERE 1", online_since_us);
    wedr_question_scope(&q, "g.agent_id", scope);
    wedr_question_add(&q, " GROUP BY 1");
    int err = wedr_question_ask(s, &q, false, take_counts, &c);
    if (err == WEDR_OK) {
        *ret = c;
    }
    return err;
}

struct streams {
    wedr_agent_stream_fn *fn;
    void *ctx;
};

static int give_stream(void *arg, sqlite3_stmt *st)
{
    const struct streams *w = arg;
    return w->fn(w->ctx, strtoull(wedr_triage_text(st, 0), NULL, 16), wedr_triage_text(st, 1),
                 (uint64_t)sqlite3_column_int64(st, 2));
}

int wedr_triage_endpoint_streams(struct wedr_state *s,
                                 const char *agent_id,
                                 wedr_agent_stream_fn *fn,
                                 void *ctx)
{
    struct wedr_question q;
    struct streams w = {fn, ctx};
    wedr_question_init(&q, "SELECT epoch,stream,in_flight FROM agent_stream WHERE agent_id=");
    wedr_question_text(&q, "", agent_id);
    wedr_question_add(&q, " ORDER BY epoch,stream LIMIT 256");
    return wedr_question_ask(s, &q, false, give_stream, &w);
}

static int take_version(void *arg, sqlite3_stmt *st)
{
    uint64_t *version = arg;
    *version = (uint64_t)sqlite3_column_int64(st, 0);
    return 0;
}

int wedr_triage_endpoint_change(struct wedr_state *s,
                                const struct wedr_scope *scope,
                                const char *agent_id,
                                uint64_t if_version,
                                const struct wedr_endpoint_change *change,
                                const struct wedr_audit *who)
{
    struct wedr_question q;
    uint64_t version = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_begin(s);
    if (err == WEDR_OK) {
        wedr_question_init(&q, "SELECT g.version FROM agent g WHERE g.agent_id=");
        wedr_question_text(&q, "", agent_id);
        wedr_question_scope(&q, "g.agent_id", scope);
        err = wedr_question_within(s->writer, &q, true, take_version, &version);
    }
    if (err == WEDR_OK && if_version && if_version != version) {
        err = WEDR_E_CONFLICT;
    }
    if (err == WEDR_OK) {
        err = wedr_state_run(
            s->writer, NULL,
            "UPDATE agent SET endpoint_group=coalesce(?2,endpoint_group),note=coalesce(?3,note),"
            "revoked=CASE ?4 WHEN -1 THEN revoked ELSE ?4 END,version=version+1 WHERE agent_id=?1",
            "ttti", agent_id, change->group, change->note,
            change->set_revoked ? (int64_t)change->revoked : (int64_t)-1);
    }
    err = err == WEDR_OK ? wedr_state_audit(s, who) : err;
    err = wedr_state_end(s, err);
    wedr_agent_cache_forget(s->known, agent_id);
    return err;
}

int wedr_triage_endpoint_address(struct wedr_state *s, const char *agent_id, const char *address)
{
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_begin(s);
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, NULL, "UPDATE agent SET address=?2 WHERE agent_id=?1", "tt",
                             agent_id, address);
    }
    err = wedr_state_end(s, err);
    wedr_agent_cache_forget(s->known, agent_id);
    return err;
}

int wedr_triage_in_scope(struct wedr_state *s,
                         const struct wedr_scope *scope,
                         const char *agent_id,
                         bool *ret)
{
    struct wedr_question q;
    wedr_question_init(&q, "SELECT 1 FROM agent g WHERE g.agent_id=");
    wedr_question_text(&q, "", agent_id);
    wedr_question_scope(&q, "g.agent_id", scope);
    int err = wedr_question_ask(s, &q, true, NULL, NULL);
    if (err == WEDR_OK || err == WEDR_E_NOENT) {
        *ret = err == WEDR_OK;
        err = WEDR_OK;
    }
    return err;
}

struct agents {
    int (*fn)(void *ctx, const char *agent_id);
    void *ctx;
};

static int give_agent(void *arg, sqlite3_stmt *st)
{
    const struct agents *w = arg;
    return w->fn(w->ctx, wedr_triage_text(st, 0));
}

int wedr_triage_scope_agents(struct wedr_state *s,
                             const struct wedr_scope *scope,
                             int (*fn)(void *ctx, const char *agent_id),
                             void *ctx)
{
    struct wedr_question q;
    struct agents w = {fn, ctx};
    wedr_question_init(&q, "SELECT g.agent_id FROM agent g WHERE 1");
    wedr_question_scope(&q, "g.agent_id", scope);
    wedr_question_add(&q, " ORDER BY g.agent_id");
    return wedr_question_ask(s, &q, false, give_agent, &w);
}
