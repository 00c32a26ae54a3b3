/* SPDX-License-Identifier: Apache-2.0
 * server/admin/people.h — what the files about people share. */
#pragma once

#include "admin/admin.h"
#include "store/state_people.h"

/* In the data folder: the one-time password of the first admin, until it is changed. */
#define WEDR_FIRST_PASSWORD_FILE "first-password"
#define WEDR_COOKIE "__Host-wedr_session"
#define WEDR_SECRET_HEX 64u /* a session's or API token's random text */
#define WEDR_TOKEN_PREFIX "wedr_"

extern const struct wedr_route wedr_session_routes[], wedr_account_routes[], wedr_user_routes[],
    wedr_token_routes[], wedr_manage_routes[], wedr_overview_routes[];
extern const size_t wedr_session_route_count, wedr_account_route_count, wedr_user_route_count,
    wedr_token_route_count, wedr_manage_route_count, wedr_overview_route_count;

/* The audit entry of a change that rq asks for; texts are borrowed. */
struct wedr_audit wedr_admin_who(const struct wedr_request *rq,
                                 const char *action,
                                 const char *object,
                                 const char *detail);
#define WEDR_AUDIT_OBJECT_MAX 48u
/* "<kind>:<id>" as the audit log names an object; ret. */
const char *wedr_admin_object(char ret[WEDR_AUDIT_OBJECT_MAX], const char *kind, int64_t id);
/* {"id", "username", ...} as the document has it. NULL when out of memory. */
json_t *wedr_admin_user_json(const struct wedr_user_row *u);
/* Who the cookie's session belongs to, and its CSRF token (65 bytes). */
json_t *wedr_admin_session_json(const struct wedr_server *s,
                                const struct wedr_user_row *u,
                                const struct wedr_session_row *session,
                                const char *csrf);
/* 64 hex digits that only the holder of the session's secret and the server can know. */
void wedr_admin_csrf(const char *secret, char ret[WEDR_SECRET_HEX + 1]);
/* The secret of the request's session cookie; false when it has none of the right form. */
bool wedr_admin_cookie(const struct wedr_request *rq, char ret[WEDR_SECRET_HEX + 1]);
/* begin of a route that looks at a guess: charges the address, or answers 429. */
void wedr_admin_charge_address(void *arg, struct wedr_request *rq);
/* Charges the name for a guess at a password or code of `username`. False: it was answered with 429
 * and nothing may be looked at. *ret_last (may be NULL): if this one is wrong the name stays
 * locked.
 */
bool wedr_admin_charge(struct wedr_server *s,
                       struct wedr_request *rq,
                       const char *username,
                       bool *ret_last);
/* The guess was good: name and address get everything back. */
void wedr_admin_forgive(struct wedr_server *s, struct wedr_request *rq, const char *username);
/* The user that asks, as stored now. False: it was answered. */
bool wedr_admin_self(struct wedr_server *s, struct wedr_request *rq, struct wedr_user_row *ret);
/* A string of min..max bytes without control characters at key. NULL
 * and answered when it is none; absent: fallback, or answered when that is NULL. */
const char *wedr_admin_text(struct wedr_request *rq,
                            const json_t *body,
                            const char *key,
                            size_t min,
                            size_t max,
                            const char *fallback);
/* An integer in a range at key; absent: fallback, or answered when that is below min. */
bool wedr_admin_number(struct wedr_request *rq,
                       const json_t *body,
                       const char *key,
                       int64_t min,
                       int64_t max,
                       int64_t fallback,
                       int64_t *ret);
bool wedr_admin_username_ok(const char *name);
bool wedr_admin_group_ok(const char *name);
/* Wipes the body: it held a password. */
void wedr_admin_wipe_body(struct wedr_request *rq);
/* The server's settings as they are in force. Any thread. */
struct wedr_settings wedr_admin_settings(const struct wedr_server *s);
