/* SPDX-License-Identifier: Apache-2.0
 * server/store/state/sqlite/people.h — people and the audit log in state.db. A file per subject:
 * users and second factor, signing in (counters, sessions, API tokens), the rest. */
#pragma once

#include "store/state/sqlite/db.h"
#include "store/state_people.h"

#define WEDR_SECRET_HASH_LEN 32u

extern const struct wedr_state_people_ops wedr_state_people_sqlite;

/* Appends to the audit log inside the caller's write transaction. NULL: does nothing. */
WEDR_MUST_USE int wedr_state_audit(struct wedr_state *s, const struct wedr_audit *who);

/* Keyed hash of a secret; use keeps the kinds of secrets apart ("session", "token" ...). */
void wedr_state_secret_hash(const struct wedr_state *s,
                            const char *use,
                            const char *secret,
                            uint8_t ret[WEDR_SECRET_HASH_LEN]);
/* One statement and its audit entry in one transaction. must_change: WEDR_E_NOENT when no row
 * changed. */
WEDR_MUST_USE int wedr_state_change(struct wedr_state *s,
                                    const struct wedr_audit *who,
                                    bool must_change,
                                    const char *sql,
                                    const char *fmt,
                                    ...);
/* Columns of a user, and a row of them from column `at` on. */
#define WEDR_USER_COLUMNS                                                                        \
    "u.id,u.username,u.display_name,u.role,u.groups,u.disabled,u.password,u.must_change,u.totp," \
    "u.totp_pending,u.totp_step,u.created_us,u.last_seen_us"
#define WEDR_USER_COLUMN_COUNT 13
void wedr_state_read_user(const struct wedr_state *s,
                          sqlite3_stmt *st,
                          int at,
                          struct wedr_user_row *ret);

/* people_signin.c */
int wedr_people_signin_charge(struct wedr_state *s,
                              const char *username,
                              int64_t now_us,
                              int64_t *ret_until_us);
int wedr_people_signin_refund(struct wedr_state *s, const char *username);
int wedr_people_signin_clear(struct wedr_state *s,
                             const char *username,
                             const struct wedr_audit *who);
int wedr_people_session_add(struct wedr_state *s,
                            const struct wedr_session_row *row,
                            const char *secret,
                            const struct wedr_audit *who,
                            int64_t *ret_id);
int wedr_people_session_get(struct wedr_state *s,
                            const char *secret,
                            int64_t now_us,
                            int64_t idle_us,
                            struct wedr_session_row *ret,
                            struct wedr_user_row *ret_user);
int wedr_people_session_touch(struct wedr_state *s, int64_t id, int64_t now_us);
int wedr_people_session_end(struct wedr_state *s,
                            int64_t id,
                            int64_t user_id,
                            const struct wedr_audit *who);
int wedr_people_session_end_others(struct wedr_state *s,
                                   int64_t user_id,
                                   int64_t keep,
                                   const struct wedr_audit *who);
int wedr_people_session_each(
    struct wedr_state *s, int64_t user_id, int64_t now_us, wedr_session_fn *fn, void *ctx);
int wedr_people_token_add(struct wedr_state *s,
                          const struct wedr_token_row *row,
                          const char *secret,
                          const struct wedr_audit *who,
                          int64_t *ret_id);
int wedr_people_token_get(struct wedr_state *s,
                          const char *secret,
                          int64_t now_us,
                          struct wedr_token_row *ret,
                          struct wedr_user_row *ret_user);
int wedr_people_token_touch(struct wedr_state *s, int64_t id, int64_t now_us);
int wedr_people_token_each(struct wedr_state *s,
                           int64_t user_id,
                           int64_t before,
                           uint32_t limit,
                           wedr_token_fn *fn,
                           void *ctx);
int wedr_people_token_remove(struct wedr_state *s,
                             int64_t id,
                             int64_t user_id,
                             const struct wedr_audit *who);
/* people_log.c: audit, settings, enrolment tokens */
int wedr_people_enrollment_add(struct wedr_state *s,
                               const struct wedr_enrollment_row *row,
                               const char *token,
                               const struct wedr_audit *who,
                               int64_t *ret_id);
int wedr_people_enrollment_each(struct wedr_state *s,
                                int64_t now_us,
                                int64_t before,
                                uint32_t limit,
                                wedr_enrollment_fn *fn,
                                void *ctx);
int wedr_people_enrollment_remove(struct wedr_state *s, int64_t id, const struct wedr_audit *who);
int wedr_people_settings_get(struct wedr_state *s, struct wedr_settings *ret);
int wedr_people_settings_put(struct wedr_state *s,
                             const struct wedr_settings *settings,
                             const struct wedr_audit *who);
int wedr_people_audit_add(struct wedr_state *s, const struct wedr_audit *entry);
int wedr_people_audit_each(struct wedr_state *s,
                           int64_t from_us,
                           int64_t to_us,
                           const char *actor,
                           const char *action,
                           int64_t before,
                           uint32_t limit,
                           wedr_audit_fn *fn,
                           void *ctx);
int wedr_people_audit_verify(struct wedr_state *s,
                             uint64_t *ret_count,
                             char ret_head[65],
                             struct wedr_errinfo *ei);
