/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/events_page.h"
#include "admin/tree.h"
#include "core/base/err.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHILDREN_LIST "children"
#define TIMELINE_LIST "timeline"
#define ARENA_MAX ((size_t)96 << 20)

struct page {
    uint32_t limit;
    bool behind;
    int64_t started;
    char key[17];
};

static bool read_page(struct wedr_request *rq, struct page *p)
{
    struct wedr_cursor c;
    const char *text = wedr_request_query(rq, "cursor");
    if (text && (!wedr_cursor_read(text, CHILDREN_LIST, 2, &c) || !wedr_hex16_valid(c.field[1]))) {
        wedr_answer_problem(rq, 400, "\"cursor\" is not one of this list");
        return false;
    }
    if (text) {
        p->behind = true;
        p->started = strtoll(c.field[0], NULL, 10);
        (void)snprintf(p->key, sizeof(p->key), "%s", c.field[1]);
    }
    return wedr_admin_limit(rq, &p->limit);
}

static bool is_behind(const struct page *p, const struct wedr_tree_process *c)
{
    return !p->behind || c->started_us > p->started ||
           (c->started_us == p->started && strcmp(c->key, p->key) > 0);
}

static void put_children(struct wedr_out *o,
                         const struct page *p,
                         const struct wedr_tree_process *list,
                         size_t count)
{
    char next[WEDR_CURSOR_TEXT_MAX] = "", started[24];
    size_t shown = 0, i = 0;
    wedr_out_key(o, "children");
    wedr_out_arr_begin(o);
    for (; i < count && shown < p->limit; i++) {
        if (is_behind(p, &list[i])) {
            wedr_tree_process_out(o, &list[i]);
            shown++;
        }
    }
    wedr_out_arr_end(o);
    bool more = i < count && shown > 0;
    if (more) {
        const char *fields[] = {started, list[i - 1].key};
        (void)snprintf(started, sizeof(started), "%" PRId64, list[i - 1].started_us);
        more = wedr_cursor_make(CHILDREN_LIST, fields, 2, next);
    }
    wedr_out_put_bool(o, "more", more);
    wedr_out_put_text(o, "next", more ? next : NULL);
}

/* The parent first. A circle that a hostile agent made ends at the limit or where it closes. */
static int put_ancestors(struct wedr_out *o, struct wedr_tree *t, const char *key, const char *self)
{
    const char *seen[WEDR_TREE_ANCESTORS_MAX + 1] = {self};
    struct wedr_tree_process p;
    int err = WEDR_OK;
    wedr_out_key(o, "ancestors");
    wedr_out_arr_begin(o);
    for (size_t n = 1; key && n <= WEDR_TREE_ANCESTORS_MAX && err == WEDR_OK; n++) {
        bool again = false;
        for (size_t i = 0; i < n; i++) {
            again = again || strcmp(seen[i], key) == 0;
        }
        err = again ? WEDR_E_NOENT : wedr_tree_find(t, key, &p);
        if (err == WEDR_OK) {
            wedr_tree_process_out(o, &p);
            seen[n] = key;
            key = p.parent_key;
        }
    }
    wedr_out_arr_end(o);
    return err == WEDR_E_NOENT ? WEDR_OK : err;
}

static int
answer_tree(struct wedr_tree *t, struct wedr_request *rq, const char *key, const struct page *page)
{
    struct wedr_tree_process self, *children = NULL;
    struct wedr_out o;
    size_t count = 0;
    bool cut = false;
    int err = wedr_tree_find(t, key, &self);
    err = err == WEDR_OK ? wedr_tree_children(t, &self, &children, &count, &cut) : err;
    if (err != WEDR_OK) {
        return err;
    }
    wedr_out_init(&o, &rq->answer);
    wedr_out_obj_begin(&o);
    wedr_out_key(&o, "process");
    wedr_tree_process_out(&o, &self);
    err = put_ancestors(&o, t, self.parent_key, key);
    put_children(&o, page, children, count);
    wedr_out_put_bool(&o, "cut", cut);
    wedr_out_obj_end(&o);
    return err;
}

static void run_tree(void *arg, struct wedr_request *rq)
{
    const char *key = wedr_request_param(rq, "key");
    struct wedr_tree t = {.s = arg, .agent_id = wedr_request_param(rq, "id")};
    struct page page = {.behind = false};
    if (!wedr_data_endpoint(arg, rq, t.agent_id) || !read_page(rq, &page)) {
        return;
    }
    t.arena = wedr_arena_new(ARENA_MAX);
    int err = !wedr_hex16_valid(key) ? WEDR_E_NOENT
              : t.arena              ? answer_tree(&t, rq, key, &page)
                                     : WEDR_E_NOMEM;
    if (err == WEDR_OK) {
        wedr_answer_json(rq, 200);
    } else if (err == WEDR_E_TIMEOUT) {
        wedr_answer_problem(rq, 408, "looking for the process took longer than it may");
    } else {
        wedr_admin_answer_error(rq, err);
    }
    wedr_arena_free(t.arena);
}

static void run_timeline(void *arg, struct wedr_request *rq)
{
    const char *id = wedr_request_param(rq, "id"), *key = wedr_request_param(rq, "key");
    struct wedr_page_ask ask = {.oldest_first = true};
    if (!wedr_data_endpoint(arg, rq, id)) {
        return;
    }
    if (!wedr_hex16_valid(key)) {
        wedr_admin_answer_error(rq, WEDR_E_NOENT);
        return;
    }
    if (!wedr_admin_limit(rq, &ask.limit) || !wedr_page_place(rq, TIMELINE_LIST, &ask) ||
        !(ask.filter = wedr_page_filter(rq))) {
        return;
    }
    int err = wedr_filter_bytes(ask.filter, " AND agent_id=", id);
    err = err == WEDR_OK ? wedr_filter_bytes(ask.filter, " AND process_key=", key) : err;
    if (err == WEDR_OK) {
        wedr_page_answer(arg, rq, &ask, TIMELINE_LIST);
    } else {
        wedr_admin_answer_error(rq, err);
    }
    wedr_filter_free(ask.filter);
}

#define PROCESS "/api/v1/endpoints/{id}/processes/{key}"

const struct wedr_route wedr_tree_routes[] = {
    {.method = "GET",
     .pattern = PROCESS,
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_QUERY,
     .run = run_tree,
     .query = "limit cursor",
     .operation = "getProcess",
     .need = WEDR_NEED_READ},
    {.method = "GET",
     .pattern = PROCESS "/timeline",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_QUERY,
     .run = run_timeline,
     .query = "limit cursor from to",
     .operation = "getProcessTimeline",
     .need = WEDR_NEED_READ},
};
const size_t wedr_tree_route_count = WEDR_ARRAY_COUNT(wedr_tree_routes);
