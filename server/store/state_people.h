/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/state_people.h — people of the server: users, sign-in counters, sessions, API
 * tokens, enrolment tokens, settings, and the audit log. Part of the state store: same rules of
 * threads and durability. Secrets (session, API token, recovery code) are stored as keyed hashes
 * alone.
 */
#pragma once

#include "auth/person.h"
#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_USERS_MAX 10000u
#define WEDR_USER_TOKENS_MAX 100u   /* API tokens of one user */
#define WEDR_USER_SESSIONS_MAX 100u /* the oldest ends when one more begins */
#define WEDR_ENROLLMENT_TOKENS_MAX 10000u
#define WEDR_PASSWORD_HASH_MAX 128u
#define WEDR_TOTP_SECRET_LEN 20u
#define WEDR_RECOVERY_CODES 10u
#define WEDR_SIGNIN_TRIES 10u /* of one name, then it is locked */
#define WEDR_SIGNIN_LOCK_US (15LL * 60 * 1000000)
#define WEDR_GROUP_DEFAULT "default"

struct wedr_state;

/* One line of the audit log. Texts are borrowed; over-long ones are cut (256 bytes, detail 4096)
 * and say by how much.
 */
struct wedr_audit {
    int64_t ts_us;
    const char *actor;      /* user name; "" unknown */
    const char *actor_kind; /* "user", "token", "command", "server", "agent" */
    const char *address;    /* "" none */
    const char *action;     /* "user.create": what, then what was done */
    const char *object;     /* "user:7" */
    const char *detail;     /* for a person: no secret */
};
struct wedr_audit_row {
    int64_t id;
    struct wedr_audit entry;
    const char *hash; /* 64 hex */
};
typedef int wedr_audit_fn(void *ctx, const struct wedr_audit_row *row);

struct wedr_user_row {
    int64_t id;
    char username[WEDR_USERNAME_MAX];
    char display_name[129];
    int role; /* enum wedr_role */
    bool all_groups;
    char groups[WEDR_GROUPS_MAX]; /* comma-separated; "" with all_groups */
    bool disabled, must_change_password, totp;
    char password[WEDR_PASSWORD_HASH_MAX];
    uint8_t totp_secret[WEDR_TOTP_SECRET_LEN];  /* with totp */
    uint8_t totp_pending[WEDR_TOTP_SECRET_LEN]; /* with totp_is_pending */
    bool totp_is_pending;
    int64_t totp_step; /* newest used one: older ones are replays */
    int64_t created_us, last_seen_us, locked_until_us;
};
/* Anything but 0 ends a walk and is returned. */
typedef int wedr_user_fn(void *ctx, const struct wedr_user_row *user);

enum {
    WEDR_USER_DISPLAY_NAME = 1,
    WEDR_USER_ROLE = 2,
    WEDR_USER_GROUPS = 4,
    WEDR_USER_DISABLED = 8
};

struct wedr_session_row {
    int64_t id, user_id, created_us, last_us, expires_us;
    char address[48];
    char agent[257];
};
typedef int wedr_session_fn(void *ctx, const struct wedr_session_row *session);

struct wedr_token_row {
    int64_t id, user_id, created_us, expires_us, used_us;
    char name[129];
    char owner[WEDR_USERNAME_MAX];
    uint32_t scopes; /* bits as wedr_person.may */
};
typedef int wedr_token_fn(void *ctx, const struct wedr_token_row *token);

struct wedr_enrollment_row {
    int64_t id, expires_us, created_us;
    uint32_t uses_left;
    char group[WEDR_GROUP_NAME_MAX];
    char note[257];
};
typedef int wedr_enrollment_fn(void *ctx, const struct wedr_enrollment_row *token);

struct wedr_settings {
    int64_t retention_days, retention_bytes; /* 0: no limit; -1: what the configuration file says */
    uint64_t session_hours, session_idle_minutes;
    bool require_totp;
    uint64_t version; /* rises with each change */
};

/* `who` is written to the audit log in the same transaction; NULL: nothing is. */
struct wedr_state_people_ops {
    /* WEDR_E_EXIST: the name is taken; WEDR_E_LIMIT. */
    int (*user_add)(struct wedr_state *s,
                    const struct wedr_user_row *user,
                    const struct wedr_audit *who,
                    int64_t *ret_id);
    int (*user_get)(struct wedr_state *s, int64_t id, struct wedr_user_row *ret); /* NOENT */
    int (*user_find)(struct wedr_state *s, const char *username, struct wedr_user_row *ret);
    /* By id, those behind `after`. */
    int (*user_each)(
        struct wedr_state *s, int64_t after, uint32_t limit, wedr_user_fn *fn, void *ctx);
    /* Takes the fields of `set` from user. Disabling ends sessions. WEDR_E_NOENT; WEDR_E_STATE: no
     * admin would be left. */
    int (*user_change)(struct wedr_state *s,
                       const struct wedr_user_row *user,
                       unsigned set,
                       const struct wedr_audit *who);
    /* With sessions and API tokens. WEDR_E_NOENT, WEDR_E_STATE. */
    int (*user_remove)(struct wedr_state *s, int64_t id, const struct wedr_audit *who);
    /* Ends all sessions but `keep` and a lock-out. */
    int (*user_password)(struct wedr_state *s,
                         int64_t id,
                         const char *hash,
                         bool must_change,
                         int64_t keep,
                         const struct wedr_audit *who);

    int (*totp_begin)(struct wedr_state *s, int64_t id, const uint8_t secret[WEDR_TOTP_SECRET_LEN]);
    /* The pending secret becomes the secret; `step` is used; codes take the place of older ones.
     * WEDR_E_STATE: nothing is pending. */
    int (*totp_confirm)(struct wedr_state *s,
                        int64_t id,
                        int64_t step,
                        const char (*codes)[16],
                        const struct wedr_audit *who);
    /* end_sessions: of the user. */
    int (*totp_remove)(struct wedr_state *s,
                       int64_t id,
                       bool end_sessions,
                       const struct wedr_audit *who);
    /* WEDR_E_AUTH: this step or a later one was used. */
    int (*totp_use)(struct wedr_state *s, int64_t id, int64_t step);
    /* Uses a recovery code up. WEDR_E_AUTH: unknown or used. */
    int (*recovery_use)(struct wedr_state *s, int64_t id, const char *code);

    /* Counts an attempt for this name, whether it exists or not, before it is looked at.
     * WEDR_E_LIMIT: locked until *ret_until_us; nothing may be looked at. On success *ret_until_us
     * is 0, or until when the name is locked from now on unless this attempt is good. */
    int (*signin_charge)(struct wedr_state *s,
                         const char *username,
                         int64_t now_us,
                         int64_t *ret_until_us);
    /* The attempt was honest but not whole (a code is missing): it is not counted. */
    int (*signin_refund)(struct wedr_state *s, const char *username);
    /* All attempts are forgiven and a lock-out ends. */
    int (*signin_clear)(struct wedr_state *s, const char *username, const struct wedr_audit *who);

    /* secret: what the cookie holds. Fills ret_id. */
    int (*session_add)(struct wedr_state *s,
                       const struct wedr_session_row *row,
                       const char *secret,
                       const struct wedr_audit *who,
                       int64_t *ret_id);
    /* WEDR_E_AUTH: none, over, idle for more than idle_us, or the user is disabled. */
    int (*session_get)(struct wedr_state *s,
                       const char *secret,
                       int64_t now_us,
                       int64_t idle_us,
                       struct wedr_session_row *ret,
                       struct wedr_user_row *ret_user);
    /* Sets last_us of a session and last_seen_us of its user; those that are over are deleted. */
    int (*session_touch)(struct wedr_state *s, int64_t id, int64_t now_us);
    /* WEDR_E_NOENT when it is not one of user_id's. */
    int (*session_end)(struct wedr_state *s,
                       int64_t id,
                       int64_t user_id,
                       const struct wedr_audit *who);
    int (*session_end_others)(struct wedr_state *s,
                              int64_t user_id,
                              int64_t keep,
                              const struct wedr_audit *who);
    int (*session_each)(
        struct wedr_state *s, int64_t user_id, int64_t now_us, wedr_session_fn *fn, void *ctx);

    /* WEDR_E_LIMIT. */
    int (*token_add)(struct wedr_state *s,
                     const struct wedr_token_row *row,
                     const char *secret,
                     const struct wedr_audit *who,
                     int64_t *ret_id);
    /* WEDR_E_AUTH: none, over, or its owner is disabled. */
    int (*token_get)(struct wedr_state *s,
                     const char *secret,
                     int64_t now_us,
                     struct wedr_token_row *ret,
                     struct wedr_user_row *ret_user);
    int (*token_touch)(struct wedr_state *s, int64_t id, int64_t now_us);
    /* user_id 0: of everybody. Newest first, those with an id below `before` (0: all). */
    int (*token_each)(struct wedr_state *s,
                      int64_t user_id,
                      int64_t before,
                      uint32_t limit,
                      wedr_token_fn *fn,
                      void *ctx);
    /* user_id 0: whoever has it. WEDR_E_NOENT. */
    int (*token_remove)(struct wedr_state *s,
                        int64_t id,
                        int64_t user_id,
                        const struct wedr_audit *who);

    int (*enrollment_add)(struct wedr_state *s,
                          const struct wedr_enrollment_row *row,
                          const char *token,
                          const struct wedr_audit *who,
                          int64_t *ret_id);
    /* Those that still work, newest first. */
    int (*enrollment_each)(struct wedr_state *s,
                           int64_t now_us,
                           int64_t before,
                           uint32_t limit,
                           wedr_enrollment_fn *fn,
                           void *ctx);
    int (*enrollment_remove)(struct wedr_state *s, int64_t id, const struct wedr_audit *who);

    int (*settings_get)(struct wedr_state *s, struct wedr_settings *ret);
    /* WEDR_E_CONFLICT: settings->version is not the stored one. */
    int (*settings_put)(struct wedr_state *s,
                        const struct wedr_settings *settings,
                        const struct wedr_audit *who);

    int (*audit_add)(struct wedr_state *s, const struct wedr_audit *entry);
    /* Newest first, those with an id below `before` (0: all). actor, action: NULL all; an action
     * that ends with '.' stands for all that begin with it. */
    int (*audit_each)(struct wedr_state *s,
                      int64_t from_us,
                      int64_t to_us,
                      const char *actor,
                      const char *action,
                      int64_t before,
                      uint32_t limit,
                      wedr_audit_fn *fn,
                      void *ctx);
    /* Every entry again from the first one. WEDR_E_CORRUPT with the first that does not fit. */
    int (*audit_verify)(struct wedr_state *s,
                        uint64_t *ret_count,
                        char ret_head[65],
                        struct wedr_errinfo *ei);
};
