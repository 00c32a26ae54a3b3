/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/state/sqlite/triage.h — what the triage files share: connections for questions of
 * people, and questions that are put together of constant pieces and bound values. No value ever
 * becomes part of a statement's text.
 */
#pragma once

#include "store/state/sqlite/db.h"
#include "store/state_triage.h"

extern const struct wedr_state_triage_ops wedr_state_triage_sqlite;

struct wedr_state_triage; /* idle connections */

WEDR_MUST_USE int wedr_triage_open(const char *path, struct wedr_state_triage **ret);
void wedr_triage_close(struct wedr_state_triage *t); /* NULL is allowed */

#define WEDR_QUESTION_TEXT_MAX 8192u
/* The longest has the groups of a person in it four times (WEDR_SCOPE_GROUPS_MAX). */
#define WEDR_QUESTION_VALUES_MAX 320u

/* A statement with its values; texts are borrowed until it was asked. */
struct wedr_question {
    char text[WEDR_QUESTION_TEXT_MAX];
    size_t len;
    struct {
        const char *text; /* NULL: the number */
        int64_t number;
    } value[WEDR_QUESTION_VALUES_MAX];
    size_t count;
    bool overflow;
};

void wedr_question_init(struct wedr_question *q, const char *sql);
/* Appends a piece, as it is. */
void wedr_question_add(struct wedr_question *q, const char *sql);
/* Appends a piece and the place of one value behind it. */
void wedr_question_text(struct wedr_question *q, const char *sql, const char *value);
void wedr_question_number(struct wedr_question *q, const char *sql, int64_t value);
/* " AND column IN (...)"; nothing without words. */
void wedr_question_words(struct wedr_question *q,
                         const char *sql,
                         const char *const *words,
                         size_t count);
/* " AND column IN (agents of the scope)"; nothing for a scope of everything. */
void wedr_question_scope(struct wedr_question *q,
                         const char *column,
                         const struct wedr_scope *scope);
/* The same for an alert `a`, also for those over several endpoints. */
void wedr_question_alert_scope(struct wedr_question *q, const struct wedr_scope *scope);

/* Anything but 0 ends the walk and is returned. */
typedef int wedr_question_fn(void *ctx, sqlite3_stmt *st);
/* On a connection of its own; WEDR_E_NOENT when there was no row and `some` is set. */
WEDR_MUST_USE int wedr_question_ask(
    struct wedr_state *s, struct wedr_question *q, bool some, wedr_question_fn *fn, void *ctx);
/* On the writer, inside a transaction; the same otherwise. */
WEDR_MUST_USE int wedr_question_within(
    sqlite3 *db, struct wedr_question *q, bool some, wedr_question_fn *fn, void *ctx);

/* "" for NULL. */
const char *wedr_triage_text(sqlite3_stmt *st, int i);

/* triage_alerts.c */
int wedr_triage_alerts(struct wedr_state *s,
                       const struct wedr_scope *scope,
                       const struct wedr_alert_ask *ask,
                       wedr_triage_alert_fn *fn,
                       void *ctx);
int wedr_triage_alert(struct wedr_state *s,
                      const struct wedr_scope *scope,
                      int64_t id,
                      wedr_triage_alert_fn *fn,
                      void *ctx);
int wedr_triage_alert_newest(struct wedr_state *s, int64_t *ret_id);
int wedr_triage_comments(struct wedr_state *s,
                         int64_t alert,
                         int64_t after_id,
                         uint32_t limit,
                         wedr_comment_fn *fn,
                         void *ctx);
int wedr_triage_responses(struct wedr_state *s,
                          const char *agent_id,
                          const char *alert_id,
                          uint32_t limit,
                          wedr_response_fn *fn,
                          void *ctx);
/* triage_change.c */
int wedr_triage_alert_change(struct wedr_state *s,
                             const struct wedr_scope *scope,
                             const int64_t *ids,
                             size_t count,
                             uint64_t if_version,
                             const struct wedr_triage_change *change,
                             int64_t now_us,
                             const struct wedr_audit *who,
                             size_t *ret_changed);
int wedr_triage_comment_add(struct wedr_state *s,
                            const struct wedr_scope *scope,
                            int64_t alert,
                            const struct wedr_comment_row *c,
                            const struct wedr_audit *who,
                            int64_t *ret_id);
int wedr_triage_comment_delete(struct wedr_state *s,
                               const struct wedr_scope *scope,
                               int64_t alert,
                               int64_t comment,
                               const char *author_id,
                               const struct wedr_audit *who);
/* triage_endpoints.c */
int wedr_triage_endpoints(struct wedr_state *s,
                          const struct wedr_scope *scope,
                          const struct wedr_endpoint_ask *ask,
                          wedr_endpoint_fn *fn,
                          void *ctx);
int wedr_triage_endpoint(struct wedr_state *s,
                         const struct wedr_scope *scope,
                         const char *agent_id,
                         int64_t online_since_us,
                         wedr_endpoint_fn *fn,
                         void *ctx);
int wedr_triage_endpoint_counts(struct wedr_state *s,
                                const struct wedr_scope *scope,
                                int64_t online_since_us,
                                struct wedr_endpoint_counts *ret);
int wedr_triage_endpoint_streams(struct wedr_state *s,
                                 const char *agent_id,
                                 wedr_agent_stream_fn *fn,
                                 void *ctx);
int wedr_triage_endpoint_change(struct wedr_state *s,
                                const struct wedr_scope *scope,
                                const char *agent_id,
                                uint64_t if_version,
                                const struct wedr_endpoint_change *change,
                                const struct wedr_audit *who);
int wedr_triage_endpoint_address(struct wedr_state *s, const char *agent_id, const char *address);
int wedr_triage_in_scope(struct wedr_state *s,
                         const struct wedr_scope *scope,
                         const char *agent_id,
                         bool *ret);
int wedr_triage_scope_agents(struct wedr_state *s,
                             const struct wedr_scope *scope,
                             int (*fn)(void *ctx, const char *agent_id),
                             void *ctx);
