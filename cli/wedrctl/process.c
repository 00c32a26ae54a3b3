/* SPDX-License-Identifier: Apache-2.0
 * tree and timeline: one process and what is around it. */
#include "commands.h"
#include "common/show.h"
#include "form.h"
#include <string.h>

#define PATH_BYTES 4000u
#define DEPTH_DEFAULT 3u
#define REQUESTS_MAX 200u /* of one tree: a fork bomb has more children than anybody reads */
#define PREFIX_MAX 512u

struct tree {
    struct wedr_ctl *c;
    char endpoint[37];
    unsigned requests;
    uint64_t depth;
    bool cut;
};

/* Endpoint and process from the words, or from an alert. */
static int choose(struct wedr_ctl *c, char ret_endpoint[37], char ret_key[64])
{
    const char *alert = c->args->text[WEDR_CTL_ALERT];
    if ((alert != NULL) == (c->args->word_count > 0) || c->args->word_count == 1) {
        return wedr_ctl_say(WEDR_CTL_USAGE, "give an endpoint and a process key, or --alert");
    }
    if (!alert) {
        (void)snprintf(ret_key, 64, "%s", c->args->words[1]);
        return wedr_ctl_endpoint(c, c->args->words[0], ret_endpoint);
    }
    struct wedr_buf path;
    json_t *j = NULL;
    wedr_buf_init(&path, 512);
    wedr_buf_adds(&path, "/alerts");
    wedr_ctl_path_add(&path, alert);
    int code = wedr_ctl_get(c, (const char *)path.p, &j);
    wedr_buf_fini(&path);
    if (code == WEDR_CTL_DONE) {
        (void)snprintf(ret_endpoint, 37, "%s", wedr_ctl_text(j, "endpoint_id"));
        (void)snprintf(ret_key, 64, "%s", wedr_ctl_text(j, "process_key"));
        if (!ret_endpoint[0] || !ret_key[0]) {
            code = wedr_ctl_say(WEDR_CTL_FAILED, "the alert is of no process");
        }
    }
    json_decref(j);
    return code;
}

static void process_path(struct wedr_buf *path, const char *endpoint, const char *key)
{
    wedr_buf_init(path, PATH_BYTES);
    wedr_buf_adds(path, "/endpoints");
    wedr_ctl_path_add(path, endpoint);
    wedr_buf_adds(path, "/processes");
    wedr_ctl_path_add(path, key);
}

static int get_process(struct tree *t, const char *key, json_t **ret)
{
    struct wedr_buf path;
    process_path(&path, t->endpoint, key);
    t->requests++;
    int code = wedr_ctl_get(t->c, (const char *)path.p, ret);
    wedr_buf_fini(&path);
    return code;
}

/* "1234  /usr/bin/sh  sh -c id  root  2026-.. (key)" */
static void
add_process(struct tree *t, const char *prefix, const char *branch, const json_t *p, bool marked)
{
    struct wedr_buf line;
    struct wedr_buf *out = &t->c->out;
    const char *command = wedr_ctl_text(p, "command_line");
    size_t fit = 0;
    wedr_buf_init(&line, (size_t)1 << 20);
    wedr_ctl_cell(&line, json_object_get(p, "pid"), WEDR_CTL_COUNT);
    wedr_buf_adds(&line, " ");
    wedr_ctl_cell(&line, json_object_get(p, "image_path"), WEDR_CTL_TEXT);
    wedr_buf_adds(&line, command[0] ? "  " : "");
    wedr_ctl_cell(&line, json_object_get(p, "command_line"), WEDR_CTL_TEXT);
    wedr_buf_adds(&line, "  [");
    wedr_ctl_cell(&line, json_object_get(p, "user"), WEDR_CTL_TEXT);
    wedr_buf_adds(&line, wedr_ctl_text(p, "user")[0] ? " " : "");
    wedr_ctl_cell(&line, json_object_get(p, "started"), WEDR_CTL_TIME);
    wedr_buf_adds(&line, " ");
    wedr_ctl_cell(&line, json_object_get(p, "process_key"), WEDR_CTL_TEXT);
    wedr_buf_adds(&line, "]");
    size_t used = wedr_ctl_width(prefix, strlen(prefix), SIZE_MAX, NULL) + (branch[0] ? 4 : 0);
    size_t max = t->c->columns > used ? t->c->columns - used : t->c->columns > 0 ? 20 : SIZE_MAX;
    (void)wedr_ctl_width((const char *)line.p, line.len, max, &fit);
    wedr_buf_adds(out, prefix);
    wedr_buf_adds(out, branch);
    wedr_buf_adds(out, marked && t->c->color ? "\x1b[1m" : "");
    wedr_buf_add(out, line.p, fit);
    wedr_buf_adds(out, marked && t->c->color ? "\x1b[0m\n" : "\n");
    wedr_buf_fini(&line);
}

static const char *line_of(const struct tree *t, bool last)
{
    return !t->c->utf8 ? (last ? "`-- " : "|-- ")
           : last      ? "\xE2\x94\x94\xE2\x94\x80\xE2\x94\x80 "
                       : "\xE2\x94\x9C\xE2\x94\x80\xE2\x94\x80 ";
}

/* The children of a tree's answer, each with its own up to the depth. NOLINTNEXTLINE: bounded by
 * --depth and REQUESTS_MAX. */
static int add_children(struct tree *t, const char *prefix, const json_t *answer, uint64_t depth)
{
    const json_t *children = json_object_get(answer, "children");
    bool more = json_is_true(json_object_get(answer, "more"));
    size_t i = 0, count = json_array_size(children);
    const json_t *child = NULL;
    int code = WEDR_CTL_DONE;
    json_array_foreach(children, i, child)
    {
        struct wedr_buf below;
        json_t *next = NULL;
        bool last = i + 1 == count && !more;
        const char *key = wedr_ctl_text(child, "process_key");
        wedr_buf_init(&below, PREFIX_MAX);
        wedr_buf_adds(&below, prefix);
        wedr_buf_adds(&below, last ? "    " : t->c->utf8 ? "\xE2\x94\x82   " : "|   ");
        add_process(t, prefix, line_of(t, last), child, false);
        t->cut = t->cut || (depth > 1 && t->requests >= REQUESTS_MAX);
        if (depth > 1 && key[0] && t->requests < REQUESTS_MAX) {
            code = get_process(t, key, &next);
        }
        if (code == WEDR_CTL_DONE && next) {
            code = add_children(t, (const char *)below.p, next, depth - 1);
        }
        json_decref(next);
        wedr_buf_fini(&below);
        if (code != WEDR_CTL_DONE) {
            return code;
        }
    }
    if (more) {
        wedr_buf_addf(&t->c->out, "%s%smore\n", prefix, line_of(t, true));
    }
    return code;
}

static int draw(struct tree *t, const json_t *answer)
{
    struct wedr_buf prefix;
    const json_t *ancestors = json_object_get(answer, "ancestors");
    size_t above = json_array_size(ancestors);
    wedr_buf_init(&prefix, PREFIX_MAX);
    wedr_buf_adds(&prefix, "");
    for (size_t i = above; i-- > 0;) { /* the parent comes first, we begin at the root */
        bool root = i + 1 == above;
        add_process(t, (const char *)prefix.p, root ? "" : line_of(t, true),
                    json_array_get(ancestors, i), false);
        wedr_buf_adds(&prefix, root ? "" : "    ");
    }
    add_process(t, (const char *)prefix.p, above > 0 ? line_of(t, true) : "",
                json_object_get(answer, "process"), true);
    wedr_buf_adds(&prefix, above > 0 ? "    " : "");
    int code = add_children(t, (const char *)prefix.p, answer, t->depth);
    wedr_buf_fini(&prefix);
    int flushed = wedr_ctl_flush(t->c);
    if (t->cut) {
        (void)wedr_ctl_say(0, "the tree is larger than is shown: begin further down");
    }
    return code == WEDR_CTL_DONE ? flushed : code;
}

int wedr_ctl_tree(struct wedr_ctl *c)
{
    struct tree t = {.c = c, .depth = c->args->number[WEDR_CTL_DEPTH]};
    char key[64];
    json_t *answer = NULL;
    t.depth = t.depth ? t.depth : DEPTH_DEFAULT;
    int code = wedr_ctl_open(c);
    if (code == WEDR_CTL_DONE) {
        code = choose(c, t.endpoint, key);
    }
    if (code == WEDR_CTL_DONE) {
        code = get_process(&t, key, &answer);
    }
    if (code == WEDR_CTL_DONE && wedr_ctl_has(c->args, WEDR_CTL_JSON)) {
        wedr_ctl_json(&c->out, answer);
        code = wedr_ctl_flush(c);
    } else if (code == WEDR_CTL_DONE) {
        code = draw(&t, answer);
    }
    json_decref(answer);
    return code;
}

int wedr_ctl_timeline(struct wedr_ctl *c)
{
    struct wedr_ctl_column columns[WEDR_CTL_COLUMNS_MAX];
    wedr_ctl_shape_fn *shape = NULL;
    struct wedr_buf path;
    char endpoint[37], key[64];
    int code = wedr_ctl_open(c);
    if (code == WEDR_CTL_DONE) {
        code = choose(c, endpoint, key);
    }
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    size_t count = wedr_ctl_event_columns(c->args, columns, &shape);
    process_path(&path, endpoint, key);
    wedr_buf_adds(&path, "/timeline");
    wedr_ctl_param_period(&path, c->args);
    code = wedr_ctl_list(c, (const char *)path.p, columns, count, shape);
    wedr_buf_fini(&path);
    return code;
}
