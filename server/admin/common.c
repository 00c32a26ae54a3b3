/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/people.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "wedr/plat/time.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct wedr_audit wedr_admin_who(const struct wedr_request *rq,
                                 const char *action,
                                 const char *object,
                                 const char *detail)
{
    const struct wedr_person *p = rq->person;
    struct wedr_audit who = {.ts_us = wedr_time_utc_us(),
                             .actor = p ? p->username : "",
                             .actor_kind = p && p->token_id ? "token" : "user",
                             .address = rq->addr_text,
                             .action = action,
                             .object = object,
                             .detail = detail};
    return who;
}

const char *wedr_admin_object(char ret[WEDR_AUDIT_OBJECT_MAX], const char *kind, int64_t id)
{
    (void)snprintf(ret, WEDR_AUDIT_OBJECT_MAX, "%s:%" PRId64, kind, id);
    return ret;
}

/* "a,b" as a list. */
static json_t *groups_json(const struct wedr_user_row *u)
{
    if (u->all_groups) {
        return json_null();
    }
    json_t *list = json_array();
    for (const char *g = u->groups; list && *g; g += g[0] == ',' ? 1 : 0) {
        size_t n = strcspn(g, ",");
        if (n && json_array_append_new(list, json_stringn(g, n)) != 0) {
            json_decref(list);
            return NULL;
        }
        g += n;
    }
    return list;
}

json_t *wedr_admin_user_json(const struct wedr_user_row *u)
{
    int64_t locked = u->locked_until_us > wedr_time_utc_us() ? u->locked_until_us : 0;
    const char *role = wedr_role_name(u->role);
    return json_pack(
        "{s:o, s:s, s:s, s:s, s:o, s:b, s:b, s:o, s:o, s:o, s:b}", "id", wedr_admin_json_id(u->id),
        "username", u->username, "display_name", u->display_name, "role", role ? role : "viewer",
        "groups", groups_json(u), "disabled", u->disabled, "totp", u->totp, "locked_until",
        wedr_admin_json_time(locked), "created", wedr_admin_json_time(u->created_us), "last_seen",
        wedr_admin_json_time(u->last_seen_us), "must_change_password", u->must_change_password);
}

json_t *wedr_admin_session_json(const struct wedr_server *s,
                                const struct wedr_user_row *u,
                                const struct wedr_session_row *session,
                                const char *csrf)
{
    bool totp = wedr_admin_settings(s).require_totp && !u->totp;
    return json_pack("{s:o, s:s, s:b, s:b, s:o}", "user", wedr_admin_user_json(u), "csrf", csrf,
                     "must_change_password", u->must_change_password, "must_set_totp", totp,
                     "expires", wedr_admin_json_time(session->expires_us));
}

void wedr_admin_charge_address(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    uint32_t wait_s = 0;
    if (!wedr_limit_take(s->people.signin_limit, rq->addr_key, wedr_time_mono_ms(), &wait_s)) {
        rq->retry_after_s = wait_s ? wait_s : 1;
        wedr_answer_problem(rq, 429, "too many attempts from this address");
    }
}

bool wedr_admin_charge(struct wedr_server *s,
                       struct wedr_request *rq,
                       const char *username,
                       bool *ret_last)
{
    int64_t now = wedr_time_utc_us(), until = 0;
    int err = s->d.state_ops->people->signin_charge(s->d.state, username, now, &until);
    if (err == WEDR_E_LIMIT) {
        rq->retry_after_s = (uint32_t)((until - now) / 1000000 + 1);
        wedr_answer_problem(rq, 429, "too many attempts for this user: wait, or ask an admin");
    } else if (err != WEDR_OK) {
        wedr_admin_answer_error(rq, err);
    }
    if (ret_last) {
        *ret_last = until != 0;
    }
    return err == WEDR_OK;
}

void wedr_admin_forgive(struct wedr_server *s, struct wedr_request *rq, const char *username)
{
    wedr_limit_refund(s->people.signin_limit, rq->addr_key, wedr_time_mono_ms());
    int err = s->d.state_ops->people->signin_clear(s->d.state, username, NULL);
    if (err != WEDR_OK) {
        wedr_log(WARN, "people.signin_not_cleared", WEDR_ERR(err));
    }
}

bool wedr_admin_self(struct wedr_server *s, struct wedr_request *rq, struct wedr_user_row *ret)
{
    int err = s->d.state_ops->people->user_get(s->d.state, rq->person->user_id, ret);
    if (err != WEDR_OK) {
        wedr_admin_answer_error(rq, err);
    }
    return err == WEDR_OK;
}

const char *wedr_admin_text(struct wedr_request *rq,
                            const json_t *body,
                            const char *key,
                            size_t min,
                            size_t max,
                            const char *fallback)
{
    const json_t *v = json_object_get(body, key);
    const char *s = v ? json_string_value(v) : fallback;
    size_t len = v && s ? json_string_length(v) : s ? strlen(s) : 0;
    if (!s || (v && (len < min || len > max))) {
        wedr_answer_problem(rq, 400, "\"%s\" must be a text of %zu to %zu bytes", key, min, max);
        return NULL;
    }
    for (size_t i = 0; v && i < len; i++) {
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f) {
            wedr_answer_problem(rq, 400, "\"%s\" holds control characters", key);
            return NULL;
        }
    }
    return s;
}

bool wedr_admin_number(struct wedr_request *rq,
                       const json_t *body,
                       const char *key,
                       int64_t min,
                       int64_t max,
                       int64_t fallback,
                       int64_t *ret)
{
    const json_t *v = json_object_get(body, key);
    int64_t n = v ? json_integer_value(v) : fallback;
    if ((v && !json_is_integer(v)) || n < min || n > max) {
        wedr_answer_problem(rq, 400, "\"%s\" must be a whole number from %lld to %lld", key,
                            (long long)min, (long long)max);
        return false;
    }
    *ret = n;
    return true;
}

bool wedr_admin_username_ok(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");
    return n > 0 && n < WEDR_USERNAME_MAX && name[n] == '\0' && name[0] != '.' && name[0] != '_' &&
           name[0] != '-';
}

bool wedr_admin_group_ok(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    return n > 0 && n < WEDR_GROUP_NAME_MAX && name[n] == '\0';
}

void wedr_admin_wipe_body(struct wedr_request *rq)
{
    if (rq->body) {
        wedr_wipe(rq->body, rq->body_len);
    }
}
