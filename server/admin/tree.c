/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/tree.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 8192u /* of one text of a process */
#define BYTES_MAX ((uint64_t)32 << 20)

#define TEXTS "process_path,command_line,user"
#define ROW                                                                       \
    "SELECT ts,event_type,process_key,parent_key,pid,ppid," TEXTS " FROM events " \
    "WHERE agent_id=?1 "
#define COLUMNS 9u
#define STARTS "event_type IN ('process_create','process_fork')"
#define LIVES "IN ('process_create','process_fork','process_terminate')"
/* The process and what it comes from, in one question, which lists and reads the store's filters
 * once. Every event of a process bears its key, and those of a daemon lie in every block: types and
 * pids are columns, which tell the few blocks with its lives without unpacking the others. One that
 * is its own parent ends the way, a longer circle ends with the level. */
#define UP                                                                                     \
    "WITH RECURSIVE self(pid) AS MATERIALIZED (SELECT pid FROM events WHERE agent_id=?1 "      \
    "AND process_key=?2 LIMIT 1), "                                                            \
    "up(level,ts,event_type,process_key,parent_key,pid,ppid," TEXTS ") AS ("                   \
    "SELECT 0,e.ts,e.event_type,e.process_key,e.parent_key,e.pid,e.ppid,e.process_path,"       \
    "e.command_line,e.user FROM self JOIN events e ON e.agent_id=?1 AND e.process_key=?2 "     \
    "AND e.pid=self.pid AND e.event_type " LIVES " UNION "                                     \
    "SELECT level+1,e.ts,e.event_type,e.process_key,e.parent_key,e.pid,e.ppid,e.process_path," \
    "e.command_line,e.user FROM up JOIN events e ON e.agent_id=?1 "                            \
    "AND e.process_key=up.parent_key AND e.pid=up.ppid AND e.event_type " LIVES                \
    " WHERE level<32 AND up.parent_key<>up.process_key) "                                      \
    "SELECT ts,event_type,process_key,parent_key,pid,ppid," TEXTS " FROM up LIMIT ?3"
#define CHILDREN ROW "AND parent_key=?2 AND ppid=?4 AND " STARTS " LIMIT ?3"

/* --- Out of the store. */

static const char *keep(struct wedr_tree *t, const char *s)
{
    size_t n = s ? strlen(s) : 0;
    return s ? wedr_arena_strndup(t->arena, s, n < TEXT_MAX ? n : TEXT_MAX) : NULL;
}

struct taking {
    struct wedr_tree *t;
    struct wedr_tree_process *list;
    size_t count, max;
};

static int take_info(void *ctx, const struct wedr_process_info *i)
{
    struct taking *w = ctx;
    if (w->count == w->max) {
        return WEDR_E_FULL;
    }
    w->list[w->count++] = (struct wedr_tree_process){.key = keep(w->t, i->process_key),
                                                     .parent_key = keep(w->t, i->parent_key),
                                                     .image_path = keep(w->t, i->image_path),
                                                     .command_line = keep(w->t, i->command_line),
                                                     .user = keep(w->t, i->user),
                                                     .pid = i->pid,
                                                     .ppid = i->ppid,
                                                     .started_us = i->started_us,
                                                     .ended_us = i->ended_us,
                                                     .from_create = i->image_path != NULL};
    return 0;
}

/* --- Out of the events. */

static const char *keep_value(struct wedr_tree *t, const struct wedr_query_value *v)
{
    size_t n = v->s.len < TEXT_MAX ? v->s.len : TEXT_MAX;
    return v->type == WEDR_QUERY_TEXT ? wedr_arena_strndup(t->arena, (const char *)v->s.p, n)
                                      : NULL;
}

static int64_t number(const struct wedr_query_value *v)
{
    return v->type == WEDR_QUERY_INT ? v->i : -1;
}

static bool is(const struct wedr_query_value *v, const char *word)
{
    size_t n = strlen(word);
    return v->type == WEDR_QUERY_TEXT && v->s.len == n && memcmp(v->s.p, word, n) == 0;
}

static struct wedr_tree_process from_row(struct wedr_tree *t, const struct wedr_query_value *v)
{
    bool end = is(&v[1], "process_terminate");
    bool start = is(&v[1], "process_create") || is(&v[1], "process_fork");
    return (struct wedr_tree_process){.key = keep_value(t, &v[2]),
                                      .parent_key = keep_value(t, &v[3]),
                                      .pid = number(&v[4]),
                                      .ppid = number(&v[5]),
                                      .image_path = keep_value(t, &v[6]),
                                      .command_line = keep_value(t, &v[7]),
                                      .user = keep_value(t, &v[8]),
                                      .started_us = start ? v[0].i : -1,
                                      .ended_us = end ? v[0].i : -1,
                                      .from_create = is(&v[1], "process_create")};
}

static int take_row(void *arg, const struct wedr_query_value *v, size_t count)
{
    struct taking *w = arg;
    if (count != COLUMNS || w->count == w->max) {
        return WEDR_E_FULL;
    }
    w->list[w->count] = from_row(w->t, v);
    if (!w->list[w->count].key) {
        return wedr_arena_overflowed(w->t->arena) ? WEDR_E_FULL : WEDR_OK;
    }
    w->count++;
    return WEDR_OK;
}

static const char *pick(const char *a, const char *b)
{
    return a ? a : b;
}

/* What b says of the same process, added to a; the texts of a start of a program win. */
static void merge(struct wedr_tree_process *a, const struct wedr_tree_process *b)
{
    bool better = b->from_create;
    a->parent_key = pick(a->parent_key, b->parent_key);
    a->image_path =
        better ? pick(b->image_path, a->image_path) : pick(a->image_path, b->image_path);
    a->command_line =
        better ? pick(b->command_line, a->command_line) : pick(a->command_line, b->command_line);
    a->user = pick(a->user, b->user);
    a->pid = a->pid >= 0 ? a->pid : b->pid;
    a->ppid = a->ppid >= 0 ? a->ppid : b->ppid;
    if (b->started_us >= 0 && (a->started_us < 0 || b->started_us < a->started_us)) {
        a->started_us = b->started_us;
    }
    a->ended_us = a->ended_us >= 0 ? a->ended_us : b->ended_us;
    a->from_create = a->from_create || better;
}

/* pid: of the process with that key, for CHILDREN; else -1. */
static int ask(struct wedr_tree *t, const char *sql, const char *key, int64_t pid, struct taking *w)
{
    struct wedr_query_value v[] = {
        {.type = WEDR_QUERY_TEXT, .s = wedr_span(t->agent_id, strlen(t->agent_id))},
        {.type = WEDR_QUERY_TEXT, .s = wedr_span(key, strlen(key))},
        {.type = WEDR_QUERY_INT, .i = (int64_t)w->max},
        {.type = WEDR_QUERY_INT, .i = pid}};
    struct wedr_errinfo ei = {""};
    struct wedr_rows q = {.sql = sql,
                          .params = v,
                          .param_count = WEDR_ARRAY_COUNT(v) - (pid < 0),
                          .bytes_max = BYTES_MAX,
                          .row = take_row,
                          .arg = w};
    int err = wedr_data_query(t->s, &q, &ei);
    return err == WEDR_E_FULL ? WEDR_OK : err;
}

static struct wedr_tree_process *look_up(const struct wedr_tree *t, const char *key)
{
    for (size_t i = 0; i < t->found_count; i++) {
        if (strcmp(t->found[i].key, key) == 0) {
            return &t->found[i];
        }
    }
    return NULL;
}

/* Rows of one process become one entry. */
static void add_found(struct wedr_tree *t, const struct taking *w)
{
    for (size_t i = 0; i < w->count; i++) {
        struct wedr_tree_process *same = look_up(t, w->list[i].key);
        if (same) {
            merge(same, &w->list[i]);
        } else if (t->found_count < WEDR_TREE_FOUND_MAX) {
            t->found[t->found_count++] = w->list[i];
        }
    }
}

static int find_events(struct wedr_tree *t, const char *key)
{
    struct taking w = {.t = t, .max = WEDR_TREE_FOUND_MAX};
    t->found_count = t->found_count < WEDR_TREE_FOUND_MAX / 2 ? t->found_count : 0;
    t->found =
        t->found ? t->found : wedr_arena_alloc(t->arena, WEDR_TREE_FOUND_MAX * sizeof(*t->found));
    w.list = wedr_arena_alloc(t->arena, w.max * sizeof(*w.list));
    if (!t->found || !w.list) {
        return WEDR_E_NOMEM;
    }
    int err = ask(t, UP, key, -1, &w);
    if (err == WEDR_OK && w.count == 0) { /* it began before there was a sensor */
        err = ask(t, ROW "AND process_key=?2 LIMIT min(?3,1)", key, -1, &w);
    }
    add_found(t, &w);
    return err;
}

int wedr_tree_find(struct wedr_tree *t, const char *key, struct wedr_tree_process *ret)
{
    struct wedr_tree_process known;
    struct taking w = {t, &known, 0, 1};
    int err = t->s->d.state_ops->triage->process(t->s->d.state, t->agent_id, key, take_info, &w);
    if (err == WEDR_OK && known.started_us >= 0) {
        *ret = known;
        return WEDR_OK;
    }
    if (err != WEDR_OK && err != WEDR_E_NOENT) {
        return err;
    }
    const struct wedr_tree_process *found = look_up(t, key);
    if (!found) {
        err = find_events(t, key);
        if (err != WEDR_OK) {
            return err;
        }
        found = look_up(t, key);
    }
    if (!found) {
        if (w.count) {
            *ret = known;
        }
        return w.count ? WEDR_OK : WEDR_E_NOENT;
    }
    *ret = *found;
    if (w.count) {
        merge(ret, &known);
    }
    return WEDR_OK;
}

static int by_key(const void *a, const void *b)
{
    const struct wedr_tree_process *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static int by_start(const void *a, const void *b)
{
    const struct wedr_tree_process *x = a, *y = b;
    int order = (x->started_us > y->started_us) - (x->started_us < y->started_us);
    return order ? order : strcmp(x->key, y->key);
}

int wedr_tree_children(struct wedr_tree *t,
                       const struct wedr_tree_process *parent,
                       struct wedr_tree_process **ret,
                       size_t *ret_count,
                       bool *ret_cut)
{
    struct taking w = {.t = t, .max = (size_t)2 * WEDR_TREE_CHILDREN_MAX};
    size_t n = 0;
    w.list = wedr_arena_alloc(t->arena, w.max * sizeof(*w.list));
    if (!w.list) {
        return WEDR_E_NOMEM;
    }
    int err = t->s->d.state_ops->triage->children(t->s->d.state, t->agent_id, parent->key,
                                                  WEDR_TREE_CHILDREN_MAX, take_info, &w);
    bool cut = w.count == WEDR_TREE_CHILDREN_MAX;
    err = err == WEDR_OK && parent->pid >= 0 ? ask(t, CHILDREN, parent->key, parent->pid, &w) : err;
    if (err != WEDR_OK) {
        return err;
    }
    qsort(w.list, w.count, sizeof(*w.list), by_key);
    for (size_t i = 0; i < w.count; i++) {
        if (n && strcmp(w.list[n - 1].key, w.list[i].key) == 0) {
            merge(&w.list[n - 1], &w.list[i]);
        } else {
            w.list[n++] = w.list[i];
        }
    }
    qsort(w.list, n, sizeof(*w.list), by_start);
    *ret = w.list;
    *ret_cut = cut || w.count == w.max || n > WEDR_TREE_CHILDREN_MAX;
    *ret_count = n < WEDR_TREE_CHILDREN_MAX ? n : WEDR_TREE_CHILDREN_MAX;
    return WEDR_OK;
}

static void put_number(struct wedr_out *o, const char *key, int64_t v)
{
    wedr_out_key(o, key);
    if (v >= 0) {
        wedr_out_safe_i64(o, v);
    } else {
        wedr_out_null(o);
    }
}

void wedr_tree_process_out(struct wedr_out *o, const struct wedr_tree_process *p)
{
    wedr_out_obj_begin(o);
    wedr_out_put_text(o, "process_key", p->key);
    wedr_out_put_text(o, "parent_key", p->parent_key);
    put_number(o, "pid", p->pid);
    put_number(o, "ppid", p->ppid);
    wedr_out_put_text(o, "image_path", p->image_path);
    wedr_out_put_text(o, "command_line", p->command_line);
    wedr_out_put_text(o, "user", p->user);
    wedr_out_put_time(o, "started", p->started_us);
    wedr_out_put_time(o, "ended", p->ended_us);
    wedr_out_obj_end(o);
}
