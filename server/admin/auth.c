/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/people.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "core/util/sha256.h"
#include "wedr/plat/thread.h"
#include "wedr/plat/time.h"
#include <sodium.h>
#include <string.h>

#define MINUTE_US 60000000LL
#define TOUCH_EVERY_US 15000000LL

static bool is_secret(const char *s)
{
    return strlen(s) == WEDR_SECRET_HEX && strspn(s, "0123456789abcdef") == WEDR_SECRET_HEX;
}

bool wedr_admin_cookie(const struct wedr_request *rq, char ret[WEDR_SECRET_HEX + 1])
{
    return wedr_request_cookie(rq, WEDR_COOKIE, ret, WEDR_SECRET_HEX + 1) && is_secret(ret);
}

void wedr_admin_csrf(const char *secret, char ret[WEDR_SECRET_HEX + 1])
{
    uint8_t hash[32];
    (void)crypto_generichash(hash, sizeof(hash), (const uint8_t *)"csrf", 4,
                             (const uint8_t *)secret, WEDR_SECRET_HEX);
    wedr_hex(hash, sizeof(hash), ret);
}

static void refuse_stranger(struct wedr_request *rq, const char *why)
{
    wedr_answer_header(rq, "WWW-Authenticate", "Bearer");
    wedr_answer_problem(rq, 401, "%s", why);
}

/* What is stored about a user becomes who is asking. NULL when out of memory. */
static struct wedr_person *make_person(const struct wedr_server *s, const struct wedr_user_row *u)
{
    struct wedr_person *p = wedr_alloc(1, sizeof(*p));
    if (!p) {
        return NULL;
    }
    p->user_id = u->id;
    memcpy(p->username, u->username, sizeof(p->username));
    p->role = (enum wedr_role)u->role;
    p->may = wedr_role_may(u->role);
    p->must_change_password = u->must_change_password;
    p->must_set_totp = wedr_admin_settings(s).require_totp && !u->totp;
    if (!wedr_person_set_groups(p, u->all_groups ? NULL : u->groups)) {
        p->groups = p->group_text; /* a list that does not fit: no group at all */
    }
    return p;
}

/* Notes for the next tick that a session or token was used: no write on the listener's thread. */
static void touch(struct wedr_server *s, int64_t id, bool token, int64_t now_us)
{
    struct wedr_people_live *live = &s->people;
    wedr_mutex_lock(live->lock);
    size_t i = 0;
    while (i < live->touch_count && (live->touch[i].id != id || live->touch[i].token != token)) {
        i++;
    }
    if (i < WEDR_ARRAY_COUNT(live->touch)) {
        live->touch[i].id = id;
        live->touch[i].token = token;
        live->touch[i].us = now_us;
        live->touch_count += i == live->touch_count ? 1 : 0;
    }
    wedr_mutex_unlock(live->lock);
}

static int by_session(struct wedr_server *s, struct wedr_request *rq, const char *secret)
{
    struct wedr_user_row u;
    struct wedr_session_row session;
    int64_t now = wedr_time_utc_us();
    int64_t idle = (int64_t)wedr_admin_settings(s).session_idle_minutes * MINUTE_US;
    int err = s->d.state_ops->people->session_get(s->d.state, secret, now, idle, &session, &u);
    if (err == WEDR_OK) {
        rq->person = make_person(s, &u);
        err = rq->person ? WEDR_OK : WEDR_E_NOMEM;
    }
    if (err == WEDR_OK) {
        rq->person->session_id = session.id;
        if (now - session.last_us >= (idle / 4 < TOUCH_EVERY_US ? idle / 4 : TOUCH_EVERY_US)) {
            touch(s, session.id, false, now);
        }
    }
    wedr_wipe(&u, sizeof(u));
    return err;
}

static int by_token(struct wedr_server *s, struct wedr_request *rq, const char *secret)
{
    struct wedr_user_row u;
    struct wedr_token_row token;
    int64_t now = wedr_time_utc_us();
    int err = s->d.state_ops->people->token_get(s->d.state, secret, now, &token, &u);
    if (err == WEDR_OK) {
        rq->person = make_person(s, &u);
        err = rq->person ? WEDR_OK : WEDR_E_NOMEM;
    }
    if (err == WEDR_OK) {
        rq->person->token_id = token.id;
        rq->person->may &= token.scopes;
        if (now - token.used_us >= TOUCH_EVERY_US) {
            touch(s, token.id, true, now);
        }
    }
    wedr_wipe(&u, sizeof(u));
    return err;
}

static int who_asks(struct wedr_server *s, struct wedr_request *rq)
{
    static const char bearer[] = "Bearer " WEDR_TOKEN_PREFIX;
    char secret[WEDR_SECRET_HEX + 1];
    const char *authorization = wedr_request_header(rq, "Authorization");
    int err = WEDR_E_AUTH;
    if (authorization) {
        const char *token = authorization + sizeof(bearer) - 1;
        if (strncmp(authorization, bearer, sizeof(bearer) - 1) == 0 && is_secret(token)) {
            err = by_token(s, rq, token);
        }
    } else if (wedr_admin_cookie(rq, secret)) {
        err = by_session(s, rq, secret);
    }
    wedr_wipe(secret, sizeof(secret));
    return err;
}

/* A cookie travels by itself; this header only comes from who could read an answer. */
static bool csrf_fits(const struct wedr_request *rq)
{
    char secret[WEDR_SECRET_HEX + 1], good[WEDR_SECRET_HEX + 1];
    const char *given = wedr_request_header(rq, "X-CSRF-Token");
    if (strcmp(rq->route->method, "GET") == 0 || rq->person->token_id) {
        return true;
    }
    if (!given || strlen(given) != WEDR_SECRET_HEX || !wedr_admin_cookie(rq, secret)) {
        return false;
    }
    wedr_admin_csrf(secret, good);
    bool fits = sodium_memcmp(good, given, WEDR_SECRET_HEX) == 0;
    wedr_wipe(secret, sizeof(secret));
    return fits;
}

static void refuse_need(struct wedr_request *rq)
{
    static const char *const needs[] = {"a session", "a session", "read",        "triage",
                                        "respond",   "admin",     "an API token"};
    const struct wedr_person *p = rq->person;
    if (rq->route->need == WEDR_NEED_TOKEN) {
        wedr_answer_problem(rq, 403, "this needs an API token, not a session");
    } else if (rq->route->need <= WEDR_NEED_SELF && p->token_id) {
        wedr_answer_problem(rq, 403, "this needs a session, not an API token");
    } else if (p->must_change_password) {
        wedr_answer_problem(rq, 403, "change the password first");
    } else if (p->must_set_totp) {
        wedr_answer_problem(rq, 403, "set up the second factor first");
    } else {
        wedr_answer_problem(rq, 403, "this needs the right \"%s\"", needs[rq->route->need]);
    }
}

bool wedr_admin_json_type(struct wedr_request *rq)
{
    const char *type = wedr_request_header(rq, "Content-Type");
    static const char json[] = "application/json";
    if (rq->content_length == 0 ||
        (type && strncmp(type, json, sizeof(json) - 1) == 0 &&
         (type[sizeof(json) - 1] == '\0' || type[sizeof(json) - 1] == ';'))) {
        return true;
    }
    wedr_answer_problem(rq, 415, "Content-Type must be application/json");
    return false;
}

void wedr_admin_authenticate(struct wedr_server *s, struct wedr_request *rq)
{
    int err = who_asks(s, rq);
    if (err == WEDR_E_AUTH) {
        refuse_stranger(rq, "sign in first: there is no session or token, or it is over");
    } else if (err != WEDR_OK) {
        wedr_admin_answer_error(rq, err);
    } else if (!csrf_fits(rq)) {
        wedr_answer_problem(rq, 403, "X-CSRF-Token is missing or not that of the session");
    } else if (!wedr_person_may(rq->person, rq->route->need)) {
        refuse_need(rq);
    } else {
        (void)wedr_admin_json_type(rq);
    }
}

struct wedr_settings wedr_admin_settings(const struct wedr_server *s)
{
    wedr_mutex_lock(s->people.lock);
    struct wedr_settings settings = s->people.settings;
    wedr_mutex_unlock(s->people.lock);
    return settings;
}

int wedr_admin_reload_settings(struct wedr_server *s)
{
    struct wedr_settings settings;
    struct wedr_events_settings events = s->d.cfg->events;
    int err = s->d.state_ops->people->settings_get(s->d.state, &settings);
    if (err == WEDR_OK) { /* what people set counts before the configuration file */
        if (settings.retention_days >= 0) {
            events.retention_days = (uint64_t)settings.retention_days;
        }
        if (settings.retention_bytes >= 0) {
            events.retention_bytes = (uint64_t)settings.retention_bytes;
        }
        settings.retention_days = (int64_t)events.retention_days;
        settings.retention_bytes = (int64_t)events.retention_bytes;
        err = s->d.events_ops->settings(s->d.events, &events);
    }
    if (err == WEDR_OK) {
        wedr_mutex_lock(s->people.lock);
        s->people.settings = settings;
        wedr_mutex_unlock(s->people.lock);
    }
    return err;
}

int wedr_admin_start(struct wedr_server *s)
{
    s->people.lock = wedr_mutex_new();
    s->people.signin_limit = wedr_limit_new((uint32_t)s->d.cfg->signins_per_minute,
                                            (uint32_t)s->d.cfg->signins_total_per_minute);
    return s->people.lock && s->people.signin_limit ? wedr_admin_reload_settings(s) : WEDR_E_NOMEM;
}

void wedr_admin_tick(struct wedr_server *s)
{
    struct wedr_people_live *live = &s->people;
    const struct wedr_state_people_ops *ops = s->d.state_ops->people;
    for (;;) {
        wedr_mutex_lock(live->lock);
        bool any = live->touch_count > 0;
        struct wedr_touch t = {0};
        if (any) {
            t = live->touch[--live->touch_count];
        }
        wedr_mutex_unlock(live->lock);
        if (!any) {
            return;
        }
        int err = t.token ? ops->token_touch(s->d.state, t.id, t.us)
                          : ops->session_touch(s->d.state, t.id, t.us);
        if (err != WEDR_OK) {
            wedr_log(WARN, "people.use_not_noted", WEDR_ERR(err));
            return;
        }
    }
}

void wedr_admin_stop(struct wedr_server *s)
{
    wedr_limit_free(s->people.signin_limit);
    wedr_mutex_free(s->people.lock);
}
