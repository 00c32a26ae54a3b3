/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/obj.h"
#include "store/state/sqlite/people.h"
#include "store/state/sqlite/triage.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What an alert has and what it will have. */
struct standing {
    uint64_t version;
    uint8_t state, resolution;
    char assignee[WEDR_ASSIGNEE_MAX]; /* "": nobody */
    bool nobody;
    bool same_labels;
};

struct looking {
    const struct wedr_triage_change *change;
    struct standing now;
};

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static int take_standing(void *arg, sqlite3_stmt *st)
{
    struct looking *l = arg;
    l->now.version = (uint64_t)sqlite3_column_int64(st, 0);
    l->now.state = (uint8_t)sqlite3_column_int(st, 1);
    l->now.resolution = (uint8_t)sqlite3_column_int(st, 2);
    l->now.nobody = sqlite3_column_type(st, 3) == SQLITE_NULL;
    wedr_state_text(st, 3, l->now.assignee, sizeof(l->now.assignee));
    l->now.same_labels =
        !l->change->set_labels || same_text(wedr_triage_text(st, 4), l->change->labels);
    return 0;
}

static int look(struct wedr_state *s,
                const struct wedr_scope *scope,
                int64_t id,
                const struct wedr_triage_change *change,
                struct standing *ret)
{
    struct wedr_question q;
    struct looking l = {.change = change};
    wedr_question_init(&q, "SELECT a.version,a.state,a.resolution,a.assignee,a.labels FROM alert a "
                           "WHERE a.id=");
    wedr_question_number(&q, "", id);
    wedr_question_alert_scope(&q, scope);
    int err = wedr_question_within(s->writer, &q, true, take_standing, &l);
    *ret = l.now;
    return err;
}

/* State and resolution after the change; WEDR_E_STATE when they do not go together. */
static int next_state(const struct wedr_triage_change *c,
                      const struct standing *now,
                      uint8_t *ret_state,
                      uint8_t *ret_resolution)
{
    uint8_t state = c->set_state ? c->state : now->state;
    uint8_t resolution = c->set_resolution ? c->resolution : now->resolution;
    if (state != WEDR_ALERT_CLOSED) {
        if (c->set_resolution && c->resolution != WEDR_RESOLUTION_NONE) {
            return WEDR_E_STATE;
        }
        resolution = WEDR_RESOLUTION_NONE;
    }
    *ret_state = state;
    *ret_resolution = resolution;
    return WEDR_OK;
}

static int note_change(struct wedr_state *s, int64_t id, const struct wedr_audit *who)
{
    char object[48];
    struct wedr_audit entry;
    if (!who) {
        return WEDR_OK;
    }
    (void)snprintf(object, sizeof(object), "alert:%" PRId64, id);
    entry = *who;
    entry.object = object;
    return wedr_state_audit(s, &entry);
}

static int change_one(struct wedr_state *s,
                      const struct wedr_scope *scope,
                      int64_t id,
                      uint64_t if_version,
                      const struct wedr_triage_change *c,
                      int64_t now_us,
                      const struct wedr_audit *who,
                      size_t *changed)
{
    struct standing now;
    uint8_t state = 0, resolution = 0;
    int err = look(s, scope, id, c, &now);
    if (err == WEDR_OK && if_version && if_version != now.version) {
        err = WEDR_E_CONFLICT;
    }
    err = err == WEDR_OK ? next_state(c, &now, &state, &resolution) : err;
    if (err != WEDR_OK) {
        return err;
    }
    const char *had = now.nobody ? NULL : now.assignee;
    const char *assignee = c->set_assignee ? c->assignee : had;
    if (state == now.state && resolution == now.resolution && same_text(assignee, had) &&
        now.same_labels) {
        return WEDR_OK;
    }
    ++*changed;
    err = wedr_state_run(s->writer, NULL,
                         "UPDATE alert SET state=?2,resolution=?3,assignee=?4,"
                         "labels=coalesce(?5,labels),version=version+1,changed_us=?6 WHERE id=?1",
                         "iiitti", id, (int64_t)state, (int64_t)resolution, assignee,
                         c->set_labels ? c->labels : NULL, now_us);
    return err == WEDR_OK ? note_change(s, id, who) : err;
}

int wedr_triage_alert_change(struct wedr_state *s,
                             const struct wedr_scope *scope,
                             const int64_t *ids,
                             size_t count,
                             uint64_t if_version,
                             const struct wedr_triage_change *change,
                             int64_t now_us,
                             const struct wedr_audit *who,
                             size_t *ret_changed)
{
    size_t changed = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    if (count == 0 || count > WEDR_BULK_MAX) {
        return WEDR_E_LIMIT;
    }
    int err = wedr_state_begin(s);
    for (size_t i = 0; err == WEDR_OK && i < count; i++) {
        err = change_one(s, scope, ids[i], if_version, change, now_us, who, &changed);
    }
    err = wedr_state_end(s, err);
    if (err == WEDR_OK) {
        *ret_changed = changed;
    }
    return err;
}

static int take_count(void *arg, sqlite3_stmt *st)
{
    int64_t *n = arg;
    *n = sqlite3_column_int64(st, 0);
    return 0;
}

/* How many comments an alert in scope has. */
static int
count_comments(struct wedr_state *s, const struct wedr_scope *scope, int64_t alert, int64_t *ret)
{
    struct wedr_question q;
    wedr_question_init(&q, "SELECT a.comments FROM alert a WHERE a.id=");
    wedr_question_number(&q, "", alert);
    wedr_question_alert_scope(&q, scope);
    return wedr_question_within(s->writer, &q, true, take_count, ret);
}

int wedr_triage_comment_add(struct wedr_state *s,
                            const struct wedr_scope *scope,
                            int64_t alert,
                            const struct wedr_comment_row *c,
                            const struct wedr_audit *who,
                            int64_t *ret_id)
{
    int64_t had = 0, id = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_begin(s);
    err = err == WEDR_OK ? count_comments(s, scope, alert, &had) : err;
    if (err == WEDR_OK && (had >= WEDR_COMMENTS_MAX || strlen(c->text) > WEDR_COMMENT_MAX)) {
        err = WEDR_E_LIMIT;
    }
    if (err == WEDR_OK) {
        err = wedr_state_run(
            s->writer, NULL,
            "INSERT INTO alert_comment(alert,author_id,author,ts,text) VALUES(?1,?2,?3,?4,?5)",
            "ittit", alert, c->author_id, c->author, c->ts_us, c->text);
        id = sqlite3_last_insert_rowid(s->writer);
    }
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, NULL, "UPDATE alert SET comments=comments+1 WHERE id=?1",
                             "i", alert);
    }
    err = err == WEDR_OK ? wedr_state_audit(s, who) : err;
    err = wedr_state_end(s, err);
    if (err == WEDR_OK) {
        *ret_id = id;
    }
    return err;
}

static int take_author(void *arg, sqlite3_stmt *st)
{
    const char **author = arg;
    return strcmp(wedr_triage_text(st, 0), *author) == 0 ? 0 : WEDR_E_PERM;
}

int wedr_triage_comment_delete(struct wedr_state *s,
                               const struct wedr_scope *scope,
                               int64_t alert,
                               int64_t comment,
                               const char *author_id,
                               const struct wedr_audit *who)
{
    struct wedr_question q;
    int64_t had = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_begin(s);
    err = err == WEDR_OK ? count_comments(s, scope, alert, &had) : err;
    if (err == WEDR_OK) {
        wedr_question_init(&q, "SELECT author_id FROM alert_comment WHERE alert=");
        wedr_question_number(&q, "", alert);
        wedr_question_number(&q, " AND id=", comment);
        err = wedr_question_within(s->writer, &q, true, take_author, &author_id);
    }
    if (err == WEDR_OK) {
        err =
            wedr_state_run(s->writer, NULL, "DELETE FROM alert_comment WHERE id=?1", "i", comment);
    }
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, NULL,
                             "UPDATE alert SET comments=max(comments-1,0) WHERE id=?1", "i", alert);
    }
    err = err == WEDR_OK ? wedr_state_audit(s, who) : err;
    return wedr_state_end(s, err);
}
