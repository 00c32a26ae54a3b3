/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/alerts.h"
#include "admin/events_id.h"
#include "admin/people.h"
#include "admin/tail.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/time.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A text of 1..max bytes without control characters; NULL: it is none. */
static const char *plain_text(const json_t *v, size_t max)
{
    const char *s = json_string_value(v);
    size_t n = json_string_length(v);
    if (!s || n == 0 || n > max || strlen(s) != n) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f) {
            return NULL;
        }
    }
    return s;
}

static bool read_state(struct wedr_request *rq, const json_t *o, struct wedr_triage_change *c)
{
    const json_t *v = json_object_get(o, "state");
    c->set_state = v != NULL;
    if (v &&
        (!json_is_string(v) || wedr_alert_state_of(json_string_value(v), &c->state) != WEDR_OK)) {
        wedr_answer_problem(rq, 400, "\"state\" must be new, in_progress or closed");
        return false;
    }
    v = json_object_get(o, "resolution");
    c->set_resolution = v != NULL;
    c->resolution = WEDR_RESOLUTION_NONE;
    if (v && !json_is_null(v) &&
        (!json_is_string(v) ||
         wedr_alert_resolution_of(json_string_value(v), &c->resolution) != WEDR_OK)) {
        wedr_answer_problem(rq, 400,
                            "\"resolution\" must be true_positive, false_positive, benign, "
                            "duplicate or null");
        return false;
    }
    return true;
}

static bool read_assignee(struct wedr_request *rq, const json_t *o, struct wedr_triage_change *c)
{
    const json_t *v = json_object_get(o, "assignee");
    c->set_assignee = v != NULL;
    c->assignee = v && !json_is_null(v) ? plain_text(v, 64) : NULL;
    if (v && !json_is_null(v) && !c->assignee) {
        wedr_answer_problem(rq, 400, "\"assignee\" must be a user's name or null");
        return false;
    }
    return true;
}

/* *ret_text is the caller's, with wedr_free. */
static bool
read_tags(struct wedr_request *rq, const json_t *o, struct wedr_triage_change *c, char **ret_text)
{
    const json_t *v = json_object_get(o, "tags");
    struct wedr_buf b;
    struct wedr_out out;
    if (!v) {
        return true;
    }
    bool good = json_is_array(v) && json_array_size(v) <= WEDR_LABELS_MAX;
    wedr_buf_init(&b, 64u << 10);
    wedr_out_init(&out, &b);
    wedr_out_arr_begin(&out);
    for (size_t i = 0; good && i < json_array_size(v); i++) {
        const char *tag = plain_text(json_array_get(v, i), WEDR_LABEL_MAX - 1);
        good = tag != NULL;
        for (size_t k = 0; good && k < i; k++) {
            good = strcmp(json_string_value(json_array_get(v, k)), tag) != 0;
        }
        wedr_out_text(&out, tag);
    }
    wedr_out_arr_end(&out);
    *ret_text = good && !b.overflow ? wedr_strndup((const char *)b.p, b.len) : NULL;
    wedr_buf_fini(&b);
    if (!good) {
        wedr_answer_problem(
            rq, 400,
            "\"tags\" must be a list of at most %u different texts of 1 to %u bytes "
            "without control characters",
            WEDR_LABELS_MAX, WEDR_LABEL_MAX - 1);
        return false;
    }
    if (!*ret_text) {
        wedr_admin_answer_error(rq, WEDR_E_NOMEM);
        return false;
    }
    c->set_labels = true;
    c->labels = *ret_text;
    return true;
}

static bool
read_change(struct wedr_request *rq, const json_t *o, struct wedr_triage_change *c, char **ret_tags)
{
    memset(c, 0, sizeof(*c));
    if (!read_state(rq, o, c) || !read_assignee(rq, o, c) || !read_tags(rq, o, c, ret_tags)) {
        return false;
    }
    if (!c->set_state && !c->set_resolution && !c->set_assignee && !c->set_labels) {
        wedr_answer_problem(rq, 400, "nothing is to be changed");
        return false;
    }
    return true;
}

static bool answer_change_error(struct wedr_request *rq, int err)
{
    if (err == WEDR_E_STATE) {
        wedr_answer_problem(rq, 422, "only a closed alert has a resolution");
    } else if (err != WEDR_OK) {
        wedr_admin_answer_error(rq, err);
    }
    return err == WEDR_OK;
}

/* For the audit log. count: alerts that are changed together. */
static void describe(const struct wedr_triage_change *c, size_t count, char *ret, size_t cap)
{
    const char *resolution = wedr_alert_resolution_name(c->resolution);
    int n = snprintf(ret, cap, "alerts=%zu", count);
    n += c->set_state
             ? snprintf(ret + n, cap - (size_t)n, " state=%s", wedr_alert_state_name(c->state))
             : 0;
    n += c->set_resolution ? snprintf(ret + n, cap - (size_t)n, " resolution=%s",
                                      resolution ? resolution : "none")
                           : 0;
    n += c->set_assignee ? snprintf(ret + n, cap - (size_t)n, " assignee=%s",
                                    c->assignee ? c->assignee : "nobody")
                         : 0;
    (void)snprintf(ret + n, cap - (size_t)n, "%s", c->set_labels ? " tags" : "");
}

/* True when it was stored. */
static bool change(struct wedr_server *s,
                   struct wedr_request *rq,
                   const int64_t *ids,
                   size_t count,
                   uint64_t version,
                   const struct wedr_triage_change *c,
                   size_t *ret_changed)
{
    struct wedr_asker who;
    char detail[512];
    describe(c, count, detail, sizeof(detail));
    struct wedr_audit note = wedr_admin_who(rq, "alert.change", "", detail);
    wedr_asker_of(rq->person, &who);
    int err = s->d.state_ops->triage->alert_change(s->d.state, &who.scope, ids, count, version, c,
                                                   wedr_time_utc_us(), &note, ret_changed);
    if (err == WEDR_OK && *ret_changed) {
        wedr_tail_alerts_changed(s->tail, ids, count);
    }
    return answer_change_error(rq, err);
}

void wedr_alerts_change(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_triage_change c;
    uint64_t version = 0;
    int64_t id = 0;
    size_t changed = 0;
    char *tags = NULL;
    if (!wedr_admin_id(rq, "id", &id) || !wedr_admin_if_match(rq, &version)) {
        return;
    }
    json_t *o = wedr_admin_body(rq, "state resolution assignee tags");
    if (o && read_change(rq, o, &c, &tags) && change(s, rq, &id, 1, version, &c, &changed)) {
        wedr_alert_answer(s, rq, id);
    }
    wedr_free(tags);
    json_decref(o);
}

/* Ids of alerts, each once. */
static bool read_ids(struct wedr_request *rq, const json_t *list, int64_t *ids, size_t *ret_count)
{
    size_t count = json_is_array(list) ? json_array_size(list) : 0;
    bool good = count > 0 && count <= WEDR_BULK_MAX;
    for (size_t i = 0; good && i < count; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        good = text && wedr_positive_parse(text, &ids[i]);
        for (size_t k = 0; good && k < i; k++) {
            good = ids[k] != ids[i];
        }
    }
    if (!good) {
        wedr_answer_problem(rq, 400, "\"ids\" must be a list of 1 to %u different ids",
                            WEDR_BULK_MAX);
    }
    *ret_count = count;
    return good;
}

void wedr_alerts_bulk(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_triage_change c;
    struct wedr_out out;
    size_t count = 0, changed = 0;
    char *tags = NULL;
    int64_t *ids = wedr_alloc(WEDR_BULK_MAX, sizeof(*ids));
    json_t *o = wedr_admin_body(rq, "ids state resolution assignee");
    if (!ids && o) {
        wedr_admin_answer_error(rq, WEDR_E_NOMEM);
    }
    if (ids && o && read_ids(rq, json_object_get(o, "ids"), ids, &count) &&
        read_change(rq, o, &c, &tags) && change(s, rq, ids, count, 0, &c, &changed)) {
        wedr_out_init(&out, &rq->answer);
        wedr_out_obj_begin(&out);
        wedr_out_put_i64(&out, "changed", (int64_t)changed);
        wedr_out_obj_end(&out);
        wedr_answer_json(rq, 200);
    }
    wedr_free(tags);
    wedr_free(ids);
    json_decref(o);
}

/* --- Comments. */

static void author_id(const struct wedr_person *p, char ret[24])
{
    (void)snprintf(ret, 24, "%" PRId64, p->user_id);
}

/* Lines are allowed, other control characters are not. */
static const char *comment_text(const json_t *v)
{
    const char *s = json_string_value(v);
    size_t n = json_string_length(v);
    if (!s || n == 0 || n > WEDR_COMMENT_MAX || strlen(s) != n) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (((unsigned char)s[i] < 0x20 && s[i] != '\n' && s[i] != '\t') || s[i] == 0x7f) {
            return NULL;
        }
    }
    return s;
}

void wedr_alerts_comment_add(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_asker who;
    struct wedr_out out;
    char author[24], object[WEDR_AUDIT_OBJECT_MAX];
    int64_t id = 0;
    if (!wedr_admin_id(rq, "id", &id)) {
        return;
    }
    json_t *o = wedr_admin_body(rq, "text");
    const char *text = o ? comment_text(json_object_get(o, "text")) : NULL;
    if (o && !text) {
        wedr_answer_problem(rq, 400, "\"text\" must be 1 to %u bytes without control characters",
                            WEDR_COMMENT_MAX);
    }
    if (text) {
        author_id(rq->person, author);
        struct wedr_audit note =
            wedr_admin_who(rq, "alert.comment", wedr_admin_object(object, "alert", id), "");
        struct wedr_comment_row c = {.author_id = author,
                                     .author = rq->person->username,
                                     .text = text,
                                     .ts_us = wedr_time_utc_us()};
        wedr_asker_of(rq->person, &who);
        int err = s->d.state_ops->triage->comment_add(s->d.state, &who.scope, id, &c, &note, &c.id);
        if (err == WEDR_OK) {
            wedr_tail_alerts_changed(s->tail, &id, 1);
            wedr_out_init(&out, &rq->answer);
            wedr_comment_out(&out, &c);
            wedr_answer_json(rq, 201);
        } else {
            wedr_admin_answer_error(rq, err);
        }
    }
    json_decref(o);
}

void wedr_alerts_comment_delete(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_asker who;
    char author[24], object[WEDR_AUDIT_OBJECT_MAX];
    int64_t id = 0, comment = 0;
    if (!wedr_admin_id(rq, "id", &id) || !wedr_admin_id(rq, "comment", &comment)) {
        return;
    }
    author_id(rq->person, author);
    struct wedr_audit note =
        wedr_admin_who(rq, "alert.comment_delete", wedr_admin_object(object, "alert", id), "");
    wedr_asker_of(rq->person, &who);
    int err =
        s->d.state_ops->triage->comment_delete(s->d.state, &who.scope, id, comment, author, &note);
    if (err == WEDR_OK) {
        wedr_tail_alerts_changed(s->tail, &id, 1);
        wedr_answer_empty(rq);
    } else if (err == WEDR_E_PERM) {
        wedr_answer_problem(rq, 403, "it is somebody else's comment");
    } else {
        wedr_admin_answer_error(rq, err);
    }
}
