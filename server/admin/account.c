/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/people.h"
#include "auth/password.h"
#include "auth/totp.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "core/util/sha256.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define URI_MAX 512u

/* Charges a guess at one's own password and looks at it. False: it was answered. */
static bool password_fits(struct wedr_server *s,
                          struct wedr_request *rq,
                          const struct wedr_user_row *u,
                          const char *password)
{
    if (!wedr_admin_charge(s, rq, u->username, NULL)) {
        return false;
    }
    if (!wedr_password_verify(u->password, password)) {
        wedr_answer_problem(rq, 422, "the password is wrong");
        return false;
    }
    wedr_admin_forgive(s, rq, u->username);
    return true;
}

/* The file with the first password of a new server has done its work. */
static void forget_first_password(const struct wedr_server *s)
{
    wedr_handle dir = WEDR_HANDLE_NONE;
    if (s->d.data_dir && wedr_fs_open_dir(s->d.data_dir, &dir) == WEDR_OK) {
        (void)!wedr_fs_unlink_at(dir, WEDR_FIRST_PASSWORD_FILE);
        wedr_fs_close(dir);
    }
}

static void set_password(struct wedr_server *s,
                         struct wedr_request *rq,
                         const struct wedr_user_row *u,
                         const char *password)
{
    char hash[WEDR_PASSWORD_HASH_LEN];
    struct wedr_audit who = wedr_admin_who(rq, "account.password", "", "");
    int err = wedr_password_hash(password, hash);
    if (err == WEDR_OK) {
        err = s->d.state_ops->people->user_password(s->d.state, u->id, hash, false,
                                                    rq->person->session_id, &who);
    }
    if (err == WEDR_OK) {
        if (u->must_change_password) {
            forget_first_password(s);
        }
        wedr_answer_empty(rq);
    } else {
        wedr_admin_answer_error(rq, err);
    }
}

static void wipe_text(const char *text)
{
    if (text) {
        wedr_wipe((char *)(uintptr_t)text, strlen(text));
    }
}

static void run_password(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_user_row u;
    json_t *body = wedr_admin_body(rq, "current new");
    wedr_admin_wipe_body(rq);
    if (!body) {
        return;
    }
    const char *current = wedr_admin_text(rq, body, "current", 1, WEDR_PASSWORD_MAX, NULL);
    const char *fresh =
        current ? wedr_admin_text(rq, body, "new", 1, WEDR_PASSWORD_MAX, NULL) : NULL;
    if (fresh && wedr_admin_self(s, rq, &u) && password_fits(s, rq, &u, current)) {
        const char *why = wedr_password_refused(fresh, u.username);
        if (!why && strcmp(current, fresh) == 0) {
            why = "the new password is the old one";
        }
        if (why) {
            wedr_answer_problem(rq, 422, "%s", why);
        } else {
            set_password(s, rq, &u, fresh);
        }
        wedr_wipe(&u, sizeof(u));
    }
    wipe_text(current);
    wipe_text(fresh);
    json_decref(body);
}

static void
answer_secret(struct wedr_server *s, struct wedr_request *rq, const struct wedr_user_row *u)
{
    uint8_t secret[WEDR_TOTP_SECRET_LEN];
    char text[WEDR_TOTP_BASE32_LEN], uri[URI_MAX];
    wedr_random(secret, sizeof(secret));
    int err = s->d.state_ops->people->totp_begin(s->d.state, u->id, secret);
    if (err == WEDR_OK) {
        wedr_base32(secret, sizeof(secret), text, sizeof(text));
        (void)snprintf(uri, sizeof(uri),
                       "otpauth://totp/WazabiEDR:%s?secret=%s&issuer=WazabiEDR&algorithm=SHA1&"
                       "digits=6&period=30",
                       u->username, text);
        wedr_admin_answer_take(rq, 200,
                               json_pack("{s:s, s:s}", "secret", text, "otpauth_uri", uri));
    } else {
        wedr_admin_answer_error(rq, err);
    }
    wedr_wipe(secret, sizeof(secret));
    wedr_wipe(text, sizeof(text));
    wedr_wipe(uri, sizeof(uri));
}

/* The password that is all of the body, which is wiped. NULL: it was answered. *ret_body is the
 * caller's to release, and the password with it. */
static const char *take_password(struct wedr_request *rq, json_t **ret_body)
{
    *ret_body = wedr_admin_body(rq, "password");
    wedr_admin_wipe_body(rq);
    return *ret_body ? wedr_admin_text(rq, *ret_body, "password", 1, WEDR_PASSWORD_MAX, NULL)
                     : NULL;
}

/* The password again: who only has the session shall not shut its owner out with a factor of his.
 */
static void run_totp_begin(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_user_row u;
    json_t *body = NULL;
    const char *password = take_password(rq, &body);
    if (password && wedr_admin_self(s, rq, &u)) {
        if (u.totp) {
            wedr_answer_problem(rq, 409, "there is a second factor: remove it first");
        } else if (password_fits(s, rq, &u, password)) {
            answer_secret(s, rq, &u);
        }
        wedr_wipe(&u, sizeof(u));
    }
    wipe_text(password);
    json_decref(body);
}

static void answer_codes(struct wedr_request *rq, const char (*codes)[16])
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < WEDR_RECOVERY_CODES; i++) {
        (void)json_array_append_new(list, json_string(codes[i]));
    }
    wedr_admin_answer_take(rq, 200, list ? json_pack("{s:o}", "recovery_codes", list) : NULL);
}

static void confirm_totp(struct wedr_server *s,
                         struct wedr_request *rq,
                         const struct wedr_user_row *u,
                         int64_t step)
{
    char codes[WEDR_RECOVERY_CODES][16];
    struct wedr_audit who = wedr_admin_who(rq, "account.totp_set", "", "");
    memset(codes, 0, sizeof(codes));
    for (size_t i = 0; i < WEDR_RECOVERY_CODES; i++) {
        wedr_recovery_code(codes[i]);
    }
    int err = s->d.state_ops->people->totp_confirm(s->d.state, u->id, step,
                                                   (const char(*)[16])codes, &who);
    if (err == WEDR_OK) {
        answer_codes(rq, (const char(*)[16])codes);
    } else if (err == WEDR_E_STATE) {
        wedr_answer_problem(rq, 409, "no second factor waits to be confirmed");
    } else {
        wedr_admin_answer_error(rq, err);
    }
    wedr_wipe(codes, sizeof(codes));
}

static void run_totp_confirm(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_user_row u;
    int64_t step = 0;
    json_t *body = wedr_admin_body(rq, "code");
    const char *code = body ? wedr_admin_text(rq, body, "code", 6, 6, NULL) : NULL;
    if (code && wedr_admin_self(s, rq, &u)) {
        if (!u.totp_is_pending) {
            wedr_answer_problem(rq, 409, "no second factor waits to be confirmed");
        } else if (!wedr_admin_charge(s, rq, u.username, NULL)) {
            /* answered */
        } else if (!wedr_totp_check(u.totp_pending, WEDR_TOTP_SECRET_LEN, code,
                                    wedr_time_utc_us() / 1000000, 0, &step)) {
            wedr_answer_problem(rq, 422, "the code is wrong: is the clock of the device right?");
        } else {
            wedr_admin_forgive(s, rq, u.username);
            confirm_totp(s, rq, &u, step);
        }
        wedr_wipe(&u, sizeof(u));
    }
    json_decref(body);
}

static void run_totp_remove(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_user_row u;
    json_t *body = NULL;
    const char *password = take_password(rq, &body);
    if (password && wedr_admin_self(s, rq, &u)) {
        struct wedr_audit who = wedr_admin_who(rq, "account.totp_removed", "", "");
        if (!u.totp && !u.totp_is_pending) {
            wedr_answer_problem(rq, 409, "there is no second factor");
        } else if (password_fits(s, rq, &u, password)) {
            int err = s->d.state_ops->people->totp_remove(s->d.state, u.id, false, &who);
            if (err == WEDR_OK) {
                wedr_answer_empty(rq);
            } else {
                wedr_admin_answer_error(rq, err);
            }
        }
        wedr_wipe(&u, sizeof(u));
    }
    wipe_text(password);
    json_decref(body);
}

struct session_list {
    json_t *items;
    int64_t current;
};

static int add_session(void *ctx, const struct wedr_session_row *r)
{
    struct session_list *l = ctx;
    json_t *o =
        json_pack("{s:o, s:o, s:o, s:o, s:s, s:s, s:b}", "id", wedr_admin_json_id(r->id), "created",
                  wedr_admin_json_time(r->created_us), "last_seen",
                  wedr_admin_json_time(r->last_us), "expires", wedr_admin_json_time(r->expires_us),
                  "address", r->address, "agent", r->agent, "current", r->id == l->current);
    return json_array_append_new(l->items, o) == 0 ? WEDR_OK : WEDR_E_NOMEM;
}

static void run_sessions(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct session_list l = {json_array(), rq->person->session_id};
    uint32_t limit = 0;
    int64_t cursor = 0;
    if (!wedr_admin_limit(rq, &limit) || !wedr_admin_cursor(rq, &cursor)) {
        json_decref(l.items);
        return;
    }
    /* A user has at most WEDR_USER_SESSIONS_MAX, which is one page. */
    int err = l.items ? s->d.state_ops->people->session_each(s->d.state, rq->person->user_id,
                                                             wedr_time_utc_us(), add_session, &l)
                      : WEDR_E_NOMEM;
    if (err == WEDR_OK) {
        wedr_admin_answer_list_take(rq, l.items, NULL);
    } else {
        json_decref(l.items);
        wedr_admin_answer_error(rq, err);
    }
}

static void run_end_others(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_audit who = wedr_admin_who(rq, "account.sessions_ended", "", "all others");
    wedr_admin_answer_done(rq, s->d.state_ops->people->session_end_others(
                                   s->d.state, rq->person->user_id, rq->person->session_id, &who));
}

static void run_end_session(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    int64_t id = 0;
    if (wedr_admin_id(rq, "id", &id)) {
        struct wedr_audit who = wedr_admin_who(rq, "account.sessions_ended", "", "one");
        wedr_admin_answer_done(
            rq, s->d.state_ops->people->session_end(s->d.state, id, rq->person->user_id, &who));
    }
}

#define ROUTE(m, p, l, body, b, r, op)                                                             \
    {                                                                                              \
        .method = (m), .pattern = "/api/v1/account/" p, .auth = WEDR_ROUTE_PERSON, .lane = (l),    \
        .body_max = (body), .begin = (b), .run = (r), .operation = (op), .need = WEDR_NEED_SESSION \
    }

const struct wedr_route wedr_account_routes[] = {
    ROUTE("POST",
          "password",
          WEDR_RUN_PASSWORD,
          WEDR_ADMIN_BODY_MAX,
          wedr_admin_charge_address,
          run_password,
          "changePassword"),
    ROUTE("POST",
          "totp",
          WEDR_RUN_PASSWORD,
          WEDR_ADMIN_BODY_MAX,
          wedr_admin_charge_address,
          run_totp_begin,
          "beginTotp"),
    ROUTE("PUT",
          "totp",
          WEDR_RUN_CONTROL,
          WEDR_ADMIN_BODY_MAX,
          wedr_admin_charge_address,
          run_totp_confirm,
          "confirmTotp"),
    ROUTE("DELETE",
          "totp",
          WEDR_RUN_PASSWORD,
          WEDR_ADMIN_BODY_MAX,
          wedr_admin_charge_address,
          run_totp_remove,
          "removeTotp"),
    {.method = "GET",
     .pattern = "/api/v1/account/sessions",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_CONTROL,
     .run = run_sessions,
     .query = "limit cursor",
     .operation = "listSessions",
     .need = WEDR_NEED_SESSION},
    ROUTE("DELETE", "sessions", WEDR_RUN_CONTROL, 0, NULL, run_end_others, "endOtherSessions"),
    ROUTE("DELETE", "sessions/{id}", WEDR_RUN_CONTROL, 0, NULL, run_end_session, "endSession"),
};
const size_t wedr_account_route_count = WEDR_ARRAY_COUNT(wedr_account_routes);
