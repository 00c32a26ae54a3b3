/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/people.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define DAY_US 86400000000LL
#define HOUR_US 3600000000LL
#define HOURS_MAX 8784 /* 366 days */
#define USES_MAX 1000000
#define ENROLLMENT_BYTES 24u

static const struct {
    const char *name;
    enum wedr_need need;
} scopes[] = {{"read", WEDR_NEED_READ},
              {"triage", WEDR_NEED_TRIAGE},
              {"respond", WEDR_NEED_RESPOND},
              {"admin", WEDR_NEED_ADMIN}};

static json_t *scopes_json(uint32_t bits)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < WEDR_ARRAY_COUNT(scopes); i++) {
        if (bits & 1u << scopes[i].need) {
            (void)json_array_append_new(list, json_string(scopes[i].name));
        }
    }
    return list;
}

static json_t *token_json(const struct wedr_token_row *t)
{
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:s}", "id", wedr_admin_json_id(t->id), "name",
                     t->name, "scopes", scopes_json(t->scopes), "created",
                     wedr_admin_json_time(t->created_us), "expires",
                     wedr_admin_json_time(t->expires_us), "last_used",
                     wedr_admin_json_time(t->used_us), "owner", t->owner);
}

static int add_token(void *ctx, const struct wedr_token_row *t)
{
    return wedr_admin_page_add(ctx, t->id, token_json(t));
}

static bool sees_all(const struct wedr_request *rq)
{
    return wedr_person_may(rq->person, WEDR_NEED_ADMIN);
}

static void run_list(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_admin_page p;
    int64_t before = 0, owner = sees_all(rq) ? 0 : rq->person->user_id;
    if (wedr_admin_page(rq, &p, &before)) {
        wedr_admin_page_answer(
            rq, &p,
            s->d.state_ops->people->token_each(s->d.state, owner, before, p.limit, add_token, &p));
    }
}

static bool read_scopes(struct wedr_request *rq, const json_t *body, uint32_t *ret)
{
    const json_t *list = json_object_get(body, "scopes");
    size_t i = 0;
    const json_t *v = NULL;
    *ret = 0;
    json_array_foreach(list, i, v)
    {
        size_t k = 0;
        const char *name = json_string_value(v);
        while (name && k < WEDR_ARRAY_COUNT(scopes) && strcmp(scopes[k].name, name) != 0) {
            k++;
        }
        if (!name || k == WEDR_ARRAY_COUNT(scopes) || (*ret & 1u << scopes[k].need)) {
            *ret = 0;
            break;
        }
        *ret |= 1u << scopes[k].need;
    }
    if (*ret == 0) {
        wedr_answer_problem(rq, 400, "\"scopes\" is a list of read, triage, respond, admin");
    }
    return *ret != 0;
}

/* Adds a text to an answer that is made. NULL when out of memory. */
static json_t *with_text(json_t *o, const char *key, const char *text)
{
    if (o && json_object_set_new(o, key, json_string(text)) != 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static void create(struct wedr_server *s, struct wedr_request *rq, struct wedr_token_row *t)
{
    uint8_t raw[WEDR_SECRET_HEX / 2];
    char secret[WEDR_SECRET_HEX + 1], token[sizeof(WEDR_TOKEN_PREFIX) + WEDR_SECRET_HEX];
    struct wedr_audit who = wedr_admin_who(rq, "token.create", t->owner, t->name);
    wedr_random(raw, sizeof(raw));
    wedr_hex(raw, sizeof(raw), secret);
    int err = s->d.state_ops->people->token_add(s->d.state, t, secret, &who, &t->id);
    if (err == WEDR_OK) {
        (void)snprintf(token, sizeof(token), WEDR_TOKEN_PREFIX "%s", secret);
        wedr_admin_answer_take(rq, 201, with_text(token_json(t), "token", token));
    } else {
        wedr_admin_answer_error(rq, err);
    }
    wedr_wipe(raw, sizeof(raw));
    wedr_wipe(secret, sizeof(secret));
    wedr_wipe(token, sizeof(token));
}

static void run_create(void *arg, struct wedr_request *rq)
{
    struct wedr_token_row t;
    int64_t days = 0;
    memset(&t, 0, sizeof(t));
    json_t *body = wedr_admin_body(rq, "name scopes expires_days");
    const char *name = body ? wedr_admin_text(rq, body, "name", 1, 128, NULL) : NULL;
    if (name && read_scopes(rq, body, &t.scopes) &&
        wedr_admin_number(rq, body, "expires_days", 1, 365, 0, &days)) {
        (void)snprintf(t.name, sizeof(t.name), "%s", name);
        memcpy(t.owner, rq->person->username, sizeof(t.owner));
        t.user_id = rq->person->user_id;
        t.created_us = wedr_time_utc_us();
        t.expires_us = t.created_us + days * DAY_US;
        create(arg, rq, &t);
    }
    json_decref(body);
}

static void run_remove(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    int64_t id = 0;
    char object[WEDR_AUDIT_OBJECT_MAX];
    if (wedr_admin_id(rq, "id", &id)) {
        struct wedr_audit who =
            wedr_admin_who(rq, "token.delete", wedr_admin_object(object, "token", id), "");
        wedr_admin_answer_done(
            rq, s->d.state_ops->people->token_remove(s->d.state, id,
                                                     sees_all(rq) ? 0 : rq->person->user_id, &who));
    }
}

/* The one that asks: whoever has it may put it out of the world, also who found it. */
static void run_revoke(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    char object[WEDR_AUDIT_OBJECT_MAX];
    int64_t id = rq->person->token_id;
    struct wedr_audit who =
        wedr_admin_who(rq, "token.delete", wedr_admin_object(object, "token", id), "by itself");
    wedr_admin_answer_done(
        rq, s->d.state_ops->people->token_remove(s->d.state, id, rq->person->user_id, &who));
}

static json_t *enrollment_json(const struct wedr_enrollment_row *t)
{
    return json_pack("{s:o, s:I, s:o, s:o, s:s, s:s}", "id", wedr_admin_json_id(t->id), "uses_left",
                     (json_int_t)t->uses_left, "expires", wedr_admin_json_time(t->expires_us),
                     "created", wedr_admin_json_time(t->created_us), "group", t->group, "note",
                     t->note);
}

static int add_enrollment(void *ctx, const struct wedr_enrollment_row *t)
{
    return wedr_admin_page_add(ctx, t->id, enrollment_json(t));
}

static void run_list_enrollments(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_admin_page p;
    int64_t before = 0;
    if (wedr_admin_page(rq, &p, &before)) {
        wedr_admin_page_answer(
            rq, &p,
            s->d.state_ops->people->enrollment_each(s->d.state, wedr_time_utc_us(), before, p.limit,
                                                    add_enrollment, &p));
    }
}

/* The name by which the asking browser reaches the server, when it could stand in a shell's line.
 */
static const char *host_of(const struct wedr_request *rq)
{
    const char *host = wedr_request_header(rq, "Host");
    size_t n = host ? strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   ".-:[]")
                    : 0;
    return host && n > 0 && n <= 255 && host[n] == '\0' ? host : "SERVER:8443";
}

static void answer_enrollment(struct wedr_server *s,
                              struct wedr_request *rq,
                              const struct wedr_enrollment_row *t,
                              const char *token)
{
    char command[1024];
    const char *ca = wedr_ca_fingerprint(s->d.ca);
    /* printf is the shell's own: the token stands in no list of processes. */
    (void)snprintf(command, sizeof(command),
                   "printf '%%s\\n' %s | sudo wedr-agent enroll --server https://%s --token - "
                   "--ca-sha256 %s",
                   token, host_of(rq), ca);
    json_t *o = with_text(enrollment_json(t), "token", token);
    o = with_text(o, "ca_sha256", ca);
    wedr_admin_answer_take(rq, 201, with_text(o, "command", command));
    wedr_wipe(command, sizeof(command));
}

static bool
read_enrollment(struct wedr_request *rq, const json_t *body, struct wedr_enrollment_row *t)
{
    int64_t uses = 0, hours = 0;
    if (!wedr_admin_number(rq, body, "uses", 1, USES_MAX, 1, &uses) ||
        !wedr_admin_number(rq, body, "hours", 1, HOURS_MAX, 1, &hours)) {
        return false;
    }
    const char *group =
        wedr_admin_text(rq, body, "group", 1, WEDR_GROUP_NAME_MAX - 1, WEDR_GROUP_DEFAULT);
    const char *note = group ? wedr_admin_text(rq, body, "note", 0, 256, "") : NULL;
    if (!note) {
        return false;
    }
    if (!wedr_admin_group_ok(group)) {
        wedr_answer_problem(rq, 400, "a group's name has 1 to 64 letters, digits, '.', '_', '-'");
        return false;
    }
    t->uses_left = (uint32_t)uses;
    t->created_us = wedr_time_utc_us();
    t->expires_us = t->created_us + hours * HOUR_US;
    (void)snprintf(t->group, sizeof(t->group), "%s", group);
    (void)snprintf(t->note, sizeof(t->note), "%s", note);
    return true;
}

static void run_create_enrollment(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_enrollment_row t;
    uint8_t raw[ENROLLMENT_BYTES];
    char token[2 * ENROLLMENT_BYTES + 1], detail[400];
    memset(&t, 0, sizeof(t));
    json_t *body = wedr_admin_body(rq, "uses hours group note");
    if (body && read_enrollment(rq, body, &t)) {
        (void)snprintf(detail, sizeof(detail), "uses=%u group=%s note=%s", t.uses_left, t.group,
                       t.note);
        struct wedr_audit who = wedr_admin_who(rq, "enrollment_token.create", t.group, detail);
        wedr_random(raw, sizeof(raw));
        wedr_hex(raw, sizeof(raw), token);
        int err = s->d.state_ops->people->enrollment_add(s->d.state, &t, token, &who, &t.id);
        if (err == WEDR_OK) {
            answer_enrollment(s, rq, &t, token);
        } else {
            wedr_admin_answer_error(rq, err);
        }
        wedr_wipe(raw, sizeof(raw));
        wedr_wipe(token, sizeof(token));
    }
    json_decref(body);
}

static void run_remove_enrollment(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    int64_t id = 0;
    char object[WEDR_AUDIT_OBJECT_MAX];
    if (wedr_admin_id(rq, "id", &id)) {
        struct wedr_audit who = wedr_admin_who(
            rq, "enrollment_token.delete", wedr_admin_object(object, "enrollment_token", id), "");
        wedr_admin_answer_done(rq, s->d.state_ops->people->enrollment_remove(s->d.state, id, &who));
    }
}

#define ROUTE(m, p, body, q, r, op, n)                                                             \
    {                                                                                              \
        .method = (m), .pattern = "/api/v1/" p, .auth = WEDR_ROUTE_PERSON,                         \
        .lane = WEDR_RUN_CONTROL, .body_max = (body), .run = (r), .query = (q), .operation = (op), \
        .need = (n)                                                                                \
    }

const struct wedr_route wedr_token_routes[] = {
    ROUTE("GET", "tokens", 0, "limit cursor", run_list, "listTokens", WEDR_NEED_SELF),
    ROUTE("POST", "tokens", WEDR_ADMIN_BODY_MAX, NULL, run_create, "createToken", WEDR_NEED_SELF),
    ROUTE("DELETE", "tokens/{id}", 0, NULL, run_remove, "deleteToken", WEDR_NEED_SELF),
    ROUTE("DELETE", "token", 0, NULL, run_revoke, "revokeToken", WEDR_NEED_TOKEN),
    ROUTE("GET",
          "enrollment-tokens",
          0,
          "limit cursor",
          run_list_enrollments,
          "listEnrollmentTokens",
          WEDR_NEED_ADMIN),
    ROUTE("POST",
          "enrollment-tokens",
          WEDR_ADMIN_BODY_MAX,
          NULL,
          run_create_enrollment,
          "createEnrollmentToken",
          WEDR_NEED_ADMIN),
    ROUTE("DELETE",
          "enrollment-tokens/{id}",
          0,
          NULL,
          run_remove_enrollment,
          "deleteEnrollmentToken",
          WEDR_NEED_ADMIN),
};
const size_t wedr_token_route_count = WEDR_ARRAY_COUNT(wedr_token_routes);
