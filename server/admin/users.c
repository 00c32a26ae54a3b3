/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/people.h"
#include "auth/password.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/time.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DETAIL_MAX (WEDR_GROUPS_MAX + 512u) /* names every group of a list */

static int add_user(void *ctx, const struct wedr_user_row *u)
{
    return wedr_admin_page_add(ctx, u->id, wedr_admin_user_json(u));
}

static void run_list(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_admin_page p;
    int64_t after = 0;
    if (wedr_admin_page(rq, &p, &after)) {
        wedr_admin_page_answer(
            rq, &p, s->d.state_ops->people->user_each(s->d.state, after, p.limit, add_user, &p));
    }
}

/* The user of the path; false: it was answered. */
static bool find_user(struct wedr_server *s, struct wedr_request *rq, struct wedr_user_row *ret)
{
    int64_t id = 0;
    if (!wedr_admin_id(rq, "id", &id)) {
        return false;
    }
    int err = s->d.state_ops->people->user_get(s->d.state, id, ret);
    if (err != WEDR_OK) {
        wedr_admin_answer_error(rq, err);
    }
    return err == WEDR_OK;
}

static void run_get(void *arg, struct wedr_request *rq)
{
    struct wedr_user_row u;
    if (find_user(arg, rq, &u)) {
        wedr_admin_answer_take(rq, 200, wedr_admin_user_json(&u));
        wedr_wipe(&u, sizeof(u));
    }
}

static bool read_groups(struct wedr_request *rq, const json_t *v, struct wedr_user_row *u)
{
    size_t i = 0, used = 0;
    const json_t *g = NULL;
    u->all_groups = json_is_null(v);
    u->groups[0] = '\0';
    if (u->all_groups) {
        return true;
    }
    if (!json_is_array(v) || json_array_size(v) > 60) {
        wedr_answer_problem(rq, 400, "\"groups\" must be null or a list of at most 60 names");
        return false;
    }
    json_array_foreach(v, i, g)
    {
        const char *name = json_string_value(g);
        if (!name || !wedr_admin_group_ok(name)) {
            wedr_answer_problem(rq, 400,
                                "a group's name has 1 to 64 letters, digits, '.', '_', '-'");
            return false;
        }
        used += (size_t)snprintf(u->groups + used, sizeof(u->groups) - used, "%s%s", i ? "," : "",
                                 name);
    }
    return true;
}

/* The fields of the body that are there, into u; *ret_set says which. False: it was answered. */
static bool
read_fields(struct wedr_request *rq, const json_t *body, struct wedr_user_row *u, unsigned *ret_set)
{
    const json_t *groups = json_object_get(body, "groups");
    const json_t *disabled = json_object_get(body, "disabled");
    *ret_set = 0;
    if (json_object_get(body, "display_name")) {
        const char *name = wedr_admin_text(rq, body, "display_name", 0, 128, NULL);
        if (!name) {
            return false;
        }
        (void)snprintf(u->display_name, sizeof(u->display_name), "%s", name);
        *ret_set |= WEDR_USER_DISPLAY_NAME;
    }
    if (json_object_get(body, "role")) {
        const char *role = json_string_value(json_object_get(body, "role"));
        u->role = role ? wedr_role_parse(role) : 0;
        if (!u->role) {
            wedr_answer_problem(rq, 400, "\"role\" is viewer, analyst, responder or admin");
            return false;
        }
        *ret_set |= WEDR_USER_ROLE;
    }
    if (groups) {
        if (!read_groups(rq, groups, u)) {
            return false;
        }
        *ret_set |= WEDR_USER_GROUPS;
    }
    if (disabled && !json_is_boolean(disabled)) {
        wedr_answer_problem(rq, 400, "\"disabled\" is true or false");
        return false;
    }
    if (disabled) {
        u->disabled = json_is_true(disabled);
        *ret_set |= WEDR_USER_DISABLED;
    }
    return true;
}

static void describe(const struct wedr_user_row *u, unsigned set, char *ret, size_t cap)
{
    const char *groups = u->all_groups ? "*" : u->groups;
    bool named = (set & WEDR_USER_GROUPS) != 0;
    char role[32] = "";
    if (set & WEDR_USER_ROLE) {
        (void)snprintf(role, sizeof(role), "role=%s ", wedr_role_name(u->role));
    }
    (void)snprintf(ret, cap, "%s: %s%s%s%s%s%s", u->username, role, named ? "groups=" : "",
                   named ? groups : "", named ? " " : "",
                   !(set & WEDR_USER_DISABLED) ? ""
                   : u->disabled               ? "disabled "
                                               : "enabled ",
                   set & WEDR_USER_DISPLAY_NAME ? "display_name" : "");
}

static void create(struct wedr_server *s, struct wedr_request *rq, struct wedr_user_row *u)
{
    char password[WEDR_PASSWORD_ONCE_LEN], detail[DETAIL_MAX];
    describe(u, WEDR_USER_ROLE | WEDR_USER_GROUPS, detail, sizeof(detail));
    struct wedr_audit who = wedr_admin_who(rq, "user.create", u->username, detail);
    wedr_password_once(password);
    u->created_us = who.ts_us;
    u->must_change_password = true;
    int err = wedr_password_hash(password, u->password);
    if (err == WEDR_OK) {
        err = s->d.state_ops->people->user_add(s->d.state, u, &who, &u->id);
    }
    if (err == WEDR_OK) {
        json_t *o = wedr_admin_user_json(u);
        if (o && json_object_set_new(o, "password", json_string(password)) != 0) {
            json_decref(o);
            o = NULL;
        }
        wedr_admin_answer_take(rq, 201, o);
        wedr_answer_header(rq, "Location", "/api/v1/users/%" PRId64, u->id);
    } else {
        wedr_admin_answer_error(rq, err);
    }
    wedr_wipe(password, sizeof(password));
}

static void run_create(void *arg, struct wedr_request *rq)
{
    struct wedr_user_row u;
    unsigned set = 0;
    memset(&u, 0, sizeof(u));
    u.all_groups = true;
    json_t *body = wedr_admin_body(rq, "username display_name role groups");
    const char *name =
        body ? wedr_admin_text(rq, body, "username", 1, WEDR_USERNAME_MAX - 1, NULL) : NULL;
    if (name && !wedr_admin_username_ok(name)) {
        wedr_answer_problem(rq, 400,
                            "a user name has 1 to 64 of a-z 0-9 . _ - and begins with a letter or "
                            "digit");
    } else if (name && read_fields(rq, body, &u, &set)) {
        (void)snprintf(u.username, sizeof(u.username), "%s", name);
        if (!(set & WEDR_USER_ROLE)) {
            wedr_answer_problem(rq, 400, "\"role\" is required");
        } else {
            create(arg, rq, &u);
        }
    }
    json_decref(body);
}

static void answer_state(struct wedr_request *rq, int err)
{
    if (err == WEDR_E_STATE) {
        wedr_answer_problem(rq, 409, "no admin would be left who can sign in");
    } else {
        wedr_admin_answer_done(rq, err);
    }
}

static void run_change(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_user_row u;
    char detail[DETAIL_MAX], object[WEDR_AUDIT_OBJECT_MAX];
    unsigned set = 0;
    json_t *body =
        find_user(s, rq, &u) ? wedr_admin_body(rq, "display_name role groups disabled") : NULL;
    if (body && read_fields(rq, body, &u, &set)) {
        if (set == 0) {
            wedr_answer_problem(rq, 400, "nothing is to be changed");
        } else {
            describe(&u, set, detail, sizeof(detail));
            struct wedr_audit who =
                wedr_admin_who(rq, "user.change", wedr_admin_object(object, "user", u.id), detail);
            int err = s->d.state_ops->people->user_change(s->d.state, &u, set, &who);
            if (err == WEDR_OK) {
                wedr_admin_answer_take(rq, 200, wedr_admin_user_json(&u));
            } else {
                answer_state(rq, err);
            }
        }
    }
    json_decref(body);
    wedr_wipe(&u, sizeof(u));
}

static void run_remove(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_user_row u;
    char object[WEDR_AUDIT_OBJECT_MAX];
    if (!find_user(s, rq, &u)) {
        return;
    }
    struct wedr_audit who =
        wedr_admin_who(rq, "user.delete", wedr_admin_object(object, "user", u.id), u.username);
    if (u.id == rq->person->user_id) {
        wedr_answer_problem(rq, 409, "nobody deletes themselves: another admin can");
    } else {
        answer_state(rq, s->d.state_ops->people->user_remove(s->d.state, u.id, &who));
    }
    wedr_wipe(&u, sizeof(u));
}

static void run_reset(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_user_row u;
    char password[WEDR_PASSWORD_ONCE_LEN], hash[WEDR_PASSWORD_HASH_LEN],
        object[WEDR_AUDIT_OBJECT_MAX];
    if (!find_user(s, rq, &u)) {
        return;
    }
    struct wedr_audit who = wedr_admin_who(rq, "user.reset_password",
                                           wedr_admin_object(object, "user", u.id), u.username);
    wedr_password_once(password);
    int err = wedr_password_hash(password, hash);
    if (err == WEDR_OK) {
        err = s->d.state_ops->people->user_password(s->d.state, u.id, hash, true, 0, &who);
    }
    if (err == WEDR_OK) {
        wedr_admin_answer_take(rq, 200, json_pack("{s:s}", "password", password));
    } else {
        wedr_admin_answer_error(rq, err);
    }
    wedr_wipe(password, sizeof(password));
    wedr_wipe(&u, sizeof(u));
}

static void run_unlock(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_user_row u;
    char object[WEDR_AUDIT_OBJECT_MAX];
    if (find_user(s, rq, &u)) {
        struct wedr_audit who =
            wedr_admin_who(rq, "user.unlock", wedr_admin_object(object, "user", u.id), u.username);
        wedr_admin_answer_done(rq,
                               s->d.state_ops->people->signin_clear(s->d.state, u.username, &who));
        wedr_wipe(&u, sizeof(u));
    }
}

static void run_totp_remove(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_user_row u;
    char object[WEDR_AUDIT_OBJECT_MAX];
    if (find_user(s, rq, &u)) {
        struct wedr_audit who = wedr_admin_who(rq, "user.totp_removed",
                                               wedr_admin_object(object, "user", u.id), u.username);
        wedr_admin_answer_done(rq,
                               s->d.state_ops->people->totp_remove(s->d.state, u.id, true, &who));
        wedr_wipe(&u, sizeof(u));
    }
}

#define ROUTE(m, p, l, body, q, r, op)                                                           \
    {                                                                                            \
        .method = (m), .pattern = "/api/v1/users" p, .auth = WEDR_ROUTE_PERSON, .lane = (l),     \
        .body_max = (body), .run = (r), .query = (q), .operation = (op), .need = WEDR_NEED_ADMIN \
    }

const struct wedr_route wedr_user_routes[] = {
    ROUTE("GET", "", WEDR_RUN_CONTROL, 0, "limit cursor", run_list, "listUsers"),
    ROUTE("POST", "", WEDR_RUN_PASSWORD, WEDR_ADMIN_BODY_MAX, NULL, run_create, "createUser"),
    ROUTE("GET", "/{id}", WEDR_RUN_CONTROL, 0, NULL, run_get, "getUser"),
    ROUTE("PATCH", "/{id}", WEDR_RUN_CONTROL, WEDR_ADMIN_BODY_MAX, NULL, run_change, "changeUser"),
    ROUTE("DELETE", "/{id}", WEDR_RUN_CONTROL, 0, NULL, run_remove, "deleteUser"),
    ROUTE("POST", "/{id}/reset-password", WEDR_RUN_PASSWORD, 0, NULL, run_reset, "resetPassword"),
    ROUTE("POST", "/{id}/unlock", WEDR_RUN_CONTROL, 0, NULL, run_unlock, "unlockUser"),
    ROUTE("DELETE", "/{id}/totp", WEDR_RUN_CONTROL, 0, NULL, run_totp_remove, "removeUserTotp"),
};
const size_t wedr_user_route_count = WEDR_ARRAY_COUNT(wedr_user_routes);
