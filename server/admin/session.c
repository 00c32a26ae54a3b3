/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/people.h"
#include "auth/password.h"
#include "auth/totp.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "core/util/sha256.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define HOUR_US 3600000000LL

struct signin {
    char username[WEDR_USERNAME_MAX];
    const char *password, *totp, *recovery; /* in the body's JSON; the last two may be NULL */
    struct wedr_user_row user;
    bool exists;
    bool last_try; /* one more wrong one and the name is locked: it is now */
};

static void
refuse(struct wedr_server *s, struct wedr_request *rq, const struct signin *in, bool totp)
{
    char object[WEDR_AUDIT_OBJECT_MAX] = "";
    struct wedr_audit who = wedr_admin_who(rq, "user.locked", object, "too many wrong attempts");
    wedr_log(WARN, "signin.refused", WEDR_STR("address", rq->addr_text),
             WEDR_STR("user", in->exists ? in->username : ""),
             WEDR_STR("what", totp ? "code" : "password"));
    if (in->last_try) { /* an unknown name is not kept: it may be a password in the wrong place */
        if (in->exists) {
            (void)wedr_admin_object(object, "user", in->user.id);
        }
        who.actor_kind = "server";
        (void)!s->d.state_ops->people->audit_add(s->d.state, &who);
    }
    wedr_answer_problem(rq, 401, "%s",
                        totp ? "the code is wrong or was used" : "user name or password is wrong");
}

/* The password was right; a code must come with it. */
static void ask_for_code(struct wedr_server *s, struct wedr_request *rq, const struct signin *in)
{
    (void)!s->d.state_ops->people->signin_refund(s->d.state, in->username);
    wedr_limit_refund(s->people.signin_limit, rq->addr_key, wedr_time_mono_ms());
    wedr_admin_answer_take(rq, 401,
                           json_pack("{s:s, s:s, s:i, s:s, s:b}", "type", "about:blank", "title",
                                     "Unauthorized", "status", 401, "detail",
                                     "a code of the second factor is required", "totp_required",
                                     1));
    rq->content_type = rq->status == 401 ? "application/problem+json" : rq->content_type;
}

/* WEDR_E_AUTH: wrong or used. */
static int check_code(struct wedr_server *s, const struct signin *in)
{
    const struct wedr_state_people_ops *ops = s->d.state_ops->people;
    char code[WEDR_RECOVERY_CODE_LEN];
    int64_t step = 0;
    if (in->totp) {
        return wedr_totp_check(in->user.totp_secret, WEDR_TOTP_SECRET_LEN, in->totp,
                               wedr_time_utc_us() / 1000000, in->user.totp_step, &step)
                   ? ops->totp_use(s->d.state, in->user.id, step)
                   : WEDR_E_AUTH;
    }
    return wedr_recovery_normal(in->recovery, code)
               ? ops->recovery_use(s->d.state, in->user.id, code)
               : WEDR_E_AUTH;
}

static void set_cookie(struct wedr_request *rq, const char *secret)
{
    wedr_answer_header(rq, "Set-Cookie",
                       WEDR_COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Strict%s", secret,
                       secret[0] ? "" : "; Max-Age=0");
}

static void begin_session(struct wedr_server *s, struct wedr_request *rq, struct signin *in)
{
    uint8_t raw[WEDR_SECRET_HEX / 2];
    char secret[WEDR_SECRET_HEX + 1], csrf[WEDR_SECRET_HEX + 1];
    const char *agent = wedr_request_header(rq, "User-Agent");
    struct wedr_session_row row = {.user_id = in->user.id, .created_us = wedr_time_utc_us()};
    struct wedr_audit who =
        wedr_admin_who(rq, "session.begin", "", in->recovery ? "recovery code" : "");
    who.actor = in->username;
    row.expires_us = row.created_us + (int64_t)wedr_admin_settings(s).session_hours * HOUR_US;
    (void)snprintf(row.address, sizeof(row.address), "%s", rq->addr_text);
    /* A header's bytes may be no UTF-8. */
    for (size_t i = 0; agent && agent[i] && i + 1 < sizeof(row.agent); i++) {
        bool plain = (unsigned char)agent[i] >= 0x20 && (unsigned char)agent[i] <= 0x7e;
        row.agent[i] = '?';
        if (plain) {
            row.agent[i] = agent[i];
        }
    }
    wedr_random(raw, sizeof(raw));
    wedr_hex(raw, sizeof(raw), secret);
    int err = s->d.state_ops->people->session_add(s->d.state, &row, secret, &who, &row.id);
    if (err == WEDR_OK) {
        wedr_admin_csrf(secret, csrf);
        in->user.last_seen_us = row.created_us;
        in->user.locked_until_us = 0;
        wedr_admin_answer_take(rq, 200, wedr_admin_session_json(s, &in->user, &row, csrf));
        set_cookie(rq, secret);
    } else {
        wedr_admin_answer_error(rq, err);
    }
    wedr_wipe(raw, sizeof(raw));
    wedr_wipe(secret, sizeof(secret));
}

/* The name is charged; everything is looked at, whatever is wrong, in about the same time. */
static void look(struct wedr_server *s, struct wedr_request *rq, struct signin *in)
{
    int err = s->d.state_ops->people->user_find(s->d.state, in->username, &in->user);
    if (err != WEDR_OK && err != WEDR_E_NOENT) {
        wedr_admin_answer_error(rq, err);
        return;
    }
    in->exists = err == WEDR_OK;
    if (!wedr_password_verify(in->exists ? in->user.password : NULL, in->password) ||
        in->user.disabled) {
        refuse(s, rq, in, false);
        return;
    }
    if (in->user.totp && !in->totp && !in->recovery) {
        ask_for_code(s, rq, in);
        return;
    }
    err = in->user.totp ? check_code(s, in) : WEDR_OK;
    if (err == WEDR_E_AUTH) {
        refuse(s, rq, in, true);
    } else if (err != WEDR_OK) {
        wedr_admin_answer_error(rq, err);
    } else {
        wedr_admin_forgive(s, rq, in->username);
        begin_session(s, rq, in);
    }
}

static bool read_signin(struct wedr_request *rq, const json_t *body, struct signin *in)
{
    const char *name = wedr_admin_text(rq, body, "username", 1, WEDR_USERNAME_MAX - 1, NULL);
    in->password = name ? wedr_admin_text(rq, body, "password", 1, WEDR_PASSWORD_MAX, NULL) : NULL;
    if (!in->password) {
        return false;
    }
    const char *totp = wedr_admin_text(rq, body, "totp", 6, 6, "");
    const char *recovery = totp ? wedr_admin_text(rq, body, "recovery_code", 10, 32, "") : NULL;
    if (!recovery) {
        return false;
    }
    in->totp = totp[0] ? totp : NULL;
    in->recovery = recovery[0] ? recovery : NULL;
    if (in->totp && in->recovery) {
        wedr_answer_problem(rq, 400, "give \"totp\" or \"recovery_code\", not both");
        return false;
    }
    for (size_t i = 0; name[i]; i++) { /* names are stored in lower case */
        in->username[i] = name[i];
        if (name[i] >= 'A' && name[i] <= 'Z') {
            in->username[i] = (char)(name[i] + 32);
        }
    }
    return true;
}

static void run_sign_in(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct signin *in = wedr_alloc(1, sizeof(*in));
    json_t *body = in ? wedr_admin_body(rq, "username password totp recovery_code") : NULL;
    wedr_admin_wipe_body(rq);
    if (!in) {
        wedr_admin_answer_error(rq, WEDR_E_NOMEM);
    } else if (body && read_signin(rq, body, in) &&
               wedr_admin_charge(s, rq, in->username, &in->last_try)) {
        look(s, rq, in);
    }
    if (in && in->password) {
        wedr_wipe((char *)(uintptr_t)in->password, strlen(in->password));
    }
    json_decref(body);
    wedr_free_secret(in, in ? sizeof(*in) : 0);
}

static void begin_sign_in(void *arg, struct wedr_request *rq)
{
    if (wedr_admin_json_type(rq)) {
        wedr_admin_charge_address(arg, rq);
    }
}

static void run_get_session(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    char secret[WEDR_SECRET_HEX + 1], csrf[WEDR_SECRET_HEX + 1];
    struct wedr_user_row user;
    struct wedr_session_row session;
    if (!wedr_admin_cookie(rq, secret)) {
        wedr_answer_problem(rq, 401, "there is no session");
        return;
    }
    int err = s->d.state_ops->people->session_get(s->d.state, secret, wedr_time_utc_us(),
                                                  INT64_MAX / 2, &session, &user);
    if (err == WEDR_OK) {
        wedr_admin_csrf(secret, csrf);
        wedr_admin_answer_take(rq, 200, wedr_admin_session_json(s, &user, &session, csrf));
    } else if (err == WEDR_E_AUTH) {
        wedr_answer_problem(rq, 401, "the session is over");
    } else {
        wedr_admin_answer_error(rq, err);
    }
    wedr_wipe(secret, sizeof(secret));
    wedr_wipe(&user, sizeof(user));
}

static void run_sign_out(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_audit who = wedr_admin_who(rq, "session.end", "", "");
    int err = s->d.state_ops->people->session_end(s->d.state, rq->person->session_id,
                                                  rq->person->user_id, &who);
    if (err != WEDR_OK && err != WEDR_E_NOENT) {
        wedr_admin_answer_error(rq, err);
        return;
    }
    wedr_answer_empty(rq);
    set_cookie(rq, "");
}

const struct wedr_route wedr_session_routes[] = {
    {.method = "POST",
     .pattern = "/api/v1/session",
     .auth = WEDR_ROUTE_OPEN,
     .lane = WEDR_RUN_PASSWORD,
     .body_max = WEDR_ADMIN_BODY_MAX,
     .begin = begin_sign_in,
     .run = run_sign_in,
     .operation = "signIn"},
    {.method = "GET",
     .pattern = "/api/v1/session",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_CONTROL,
     .run = run_get_session,
     .operation = "getSession",
     .need = WEDR_NEED_SESSION},
    {.method = "DELETE",
     .pattern = "/api/v1/session",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_CONTROL,
     .run = run_sign_out,
     .operation = "signOut",
     .need = WEDR_NEED_SESSION},
};
const size_t wedr_session_route_count = WEDR_ARRAY_COUNT(wedr_session_routes);
