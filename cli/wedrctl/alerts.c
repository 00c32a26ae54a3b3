/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "form.h"
#include <string.h>

#define PATH_BYTES 4000u
#define COMMENT_MAX 40000u /* 10,000 characters of UTF-8 */

static const struct wedr_ctl_column list_columns[] = {
    {"ID", "id", WEDR_CTL_COUNT},
    {"TIME", "ts", WEDR_CTL_TIME},
    {"SEVERITY", "severity", WEDR_CTL_WORD},
    {"STATE", "state", WEDR_CTL_WORD},
    {"HOST", "hostname", WEDR_CTL_TEXT},
    {"RULE", "rule_title", WEDR_CTL_LONG},
    {"ASSIGNEE", "assignee", WEDR_CTL_TEXT},
    {"COMMAND LINE", "command_line", WEDR_CTL_LONG}};

static int list(struct wedr_ctl *c)
{
    const struct wedr_ctl_args *a = c->args;
    struct wedr_buf path;
    char id[37] = "";
    int code = WEDR_CTL_DONE;
    if (a->text[WEDR_CTL_ENDPOINT]) {
        code = wedr_ctl_endpoint(c, a->text[WEDR_CTL_ENDPOINT], id);
    }
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    wedr_buf_init(&path, PATH_BYTES);
    wedr_buf_adds(&path, "/alerts");
    if (a->word_count > 0) {
        wedr_ctl_path_param(&path, "q", a->words[0]);
    }
    if (id[0]) {
        wedr_ctl_path_param(&path, "endpoint", id);
    }
    wedr_ctl_param_period(&path, a);
    wedr_ctl_param_option(&path, a, "state", WEDR_CTL_STATE);
    wedr_ctl_param_option(&path, a, "severity", WEDR_CTL_SEVERITY);
    wedr_ctl_param_option(&path, a, "rule", WEDR_CTL_RULE);
    wedr_ctl_param_option(&path, a, "assignee", WEDR_CTL_ASSIGNEE);
    code = path.overflow ? wedr_ctl_say(WEDR_CTL_USAGE, "the form is too long")
                         : wedr_ctl_list(c, (const char *)path.p, list_columns,
                                         WEDR_ARRAY_COUNT(list_columns), NULL);
    wedr_buf_fini(&path);
    return code;
}

int wedr_ctl_alerts_list(struct wedr_ctl *c)
{
    const struct wedr_ctl_args *a = c->args;
    bool follow = wedr_ctl_has(a, WEDR_CTL_FOLLOW);
    if (follow && (a->word_count > 0 || a->until[0] || a->text[WEDR_CTL_STATE] ||
                   a->text[WEDR_CTL_SEVERITY] || a->text[WEDR_CTL_ENDPOINT] ||
                   a->text[WEDR_CTL_RULE] || a->text[WEDR_CTL_ASSIGNEE])) {
        return wedr_ctl_say(WEDR_CTL_USAGE, "--follow shows every alert: no form beside it");
    }
    int code = wedr_ctl_open(c);
    if (code == WEDR_CTL_DONE) {
        code = list(c);
    }
    if (code == WEDR_CTL_DONE && follow) {
        code = wedr_ctl_follow(c, "/alerts/stream", list_columns, WEDR_ARRAY_COUNT(list_columns),
                               NULL);
    }
    return code;
}

static const struct wedr_ctl_column card[] = {{"alert", "id", WEDR_CTL_TEXT},
                                              {"time", "ts", WEDR_CTL_TIME_MS},
                                              {"severity", "severity", WEDR_CTL_WORD},
                                              {"rule", "rule_title", WEDR_CTL_TEXT},
                                              {"rule id", "rule_id", WEDR_CTL_TEXT},
                                              {"state", "state", WEDR_CTL_WORD},
                                              {"resolution", "resolution", WEDR_CTL_TEXT},
                                              {"assignee", "assignee", WEDR_CTL_TEXT},
                                              {"labels", "tags", WEDR_CTL_TEXT},
                                              {"version", "version", WEDR_CTL_COUNT},
                                              {"host", "hostname", WEDR_CTL_TEXT},
                                              {"endpoint", "endpoint_id", WEDR_CTL_TEXT},
                                              {"user", "user", WEDR_CTL_TEXT},
                                              {"pid", "pid", WEDR_CTL_TEXT},
                                              {"process", "process_key", WEDR_CTL_TEXT},
                                              {"image", "image_path", WEDR_CTL_TEXT},
                                              {"command line", "command_line", WEDR_CTL_TEXT},
                                              {"message", "message", WEDR_CTL_TEXT},
                                              {"origin", "origin", WEDR_CTL_TEXT},
                                              {"matches", "match_count", WEDR_CTL_COUNT},
                                              {"suppressed", "suppressed", WEDR_CTL_COUNT},
                                              {"matched", "matched", WEDR_CTL_TEXT},
                                              {"rule tags", "rule_tags", WEDR_CTL_TEXT}};

/* A heading and a table, when there is something. */
static void section(struct wedr_ctl *c,
                    const json_t *alert,
                    const char *key,
                    const char *title,
                    const struct wedr_ctl_column *columns,
                    size_t count)
{
    struct wedr_ctl_table table;
    const json_t *items = json_object_get(alert, key);
    if (json_array_size(items) > 0) {
        wedr_buf_addf(&c->out, "\n%s\n", title);
        wedr_ctl_table_init(&table, c, columns, count);
        wedr_ctl_table_add(&table, items);
    }
}

static int show(struct wedr_ctl *c, const json_t *alert)
{
    static const struct wedr_ctl_column process[] = {
        {"PID", "pid", WEDR_CTL_COUNT},
        {"IMAGE", "image_path", WEDR_CTL_LONG},
        {"COMMAND LINE", "command_line", WEDR_CTL_LONG},
        {"KEY", "process_key", WEDR_CTL_TEXT}};
    static const struct wedr_ctl_column response[] = {{"TIME", "ts", WEDR_CTL_TIME},
                                                      {"ACTION", "action", WEDR_CTL_TEXT},
                                                      {"RESULT", "result", WEDR_CTL_TEXT},
                                                      {"DETAIL", "detail", WEDR_CTL_LONG}};
    static const struct wedr_ctl_column comment[] = {{"TIME", "created", WEDR_CTL_TIME},
                                                     {"BY", "author", WEDR_CTL_TEXT},
                                                     {"COMMENT", "text", WEDR_CTL_LONG}};
    struct wedr_ctl_column events[WEDR_CTL_COLUMNS_MAX];
    wedr_ctl_shape_fn *shape = NULL;
    size_t count = wedr_ctl_event_columns(c->args, events, &shape);
    json_t *shaped = json_pack("{s:[]}", "evidence");
    size_t i = 0;
    const json_t *event = NULL;
    json_array_foreach(json_object_get(alert, "evidence"), i, event)
    {
        (void)json_array_append_new(json_object_get(shaped, "evidence"), shape(event));
    }
    wedr_ctl_card(c, alert, card, WEDR_ARRAY_COUNT(card));
    section(c, shaped, "evidence", "Evidence", events, count);
    section(c, alert, "ancestry", "Above it", process, WEDR_ARRAY_COUNT(process));
    section(c, alert, "responses", "Responses", response, WEDR_ARRAY_COUNT(response));
    section(c, alert, "comments", "Comments", comment, WEDR_ARRAY_COUNT(comment));
    json_decref(shaped);
    return wedr_ctl_flush(c);
}

static void alert_path(struct wedr_buf *path, const char *id, const char *rest)
{
    wedr_buf_init(path, 512);
    wedr_buf_adds(path, "/alerts");
    wedr_ctl_path_add(path, id);
    wedr_buf_adds(path, rest);
}

int wedr_ctl_alerts_show(struct wedr_ctl *c)
{
    struct wedr_buf path;
    json_t *alert = NULL;
    int code = wedr_ctl_open(c);
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    alert_path(&path, c->args->words[0], "");
    code = wedr_ctl_get(c, (const char *)path.p, &alert);
    wedr_buf_fini(&path);
    if (code == WEDR_CTL_DONE && wedr_ctl_has(c->args, WEDR_CTL_JSON)) {
        wedr_ctl_json(&c->out, alert);
        code = wedr_ctl_flush(c);
    } else if (code == WEDR_CTL_DONE) {
        code = show(c, alert);
    }
    json_decref(alert);
    return code;
}

static int change_one(struct wedr_ctl *c, const char *id, const json_t *body)
{
    struct wedr_buf path;
    char tag[32];
    json_t *alert = NULL;
    alert_path(&path, id, "");
    struct wedr_ctl_ask ask = {.method = "PATCH",
                               .path = (const char *)path.p,
                               .body = body,
                               .if_match = wedr_ctl_if_match(c->args, tag)};
    int code = wedr_ctl_ask(c, &ask, &alert);
    wedr_buf_fini(&path);
    if (code == WEDR_CTL_DONE && wedr_ctl_has(c->args, WEDR_CTL_JSON)) {
        wedr_ctl_json(&c->out, alert);
        code = wedr_ctl_flush(c);
    }
    json_decref(alert);
    return code;
}

/* All alerts from word `first` on in one request. */
static int change_many(struct wedr_ctl *c, size_t first, json_t *body_take)
{
    json_t *ids = json_array(), *answer = NULL;
    for (size_t i = first; i < c->args->word_count; i++) {
        (void)json_array_append_new(ids, json_string(c->args->words[i]));
    }
    (void)json_object_set_new(body_take, "ids", ids);
    int code = wedr_ctl_send_take(c, "POST", "/alerts/bulk", body_take, &answer);
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    static const struct wedr_ctl_column columns[] = {{"changed", "changed", WEDR_CTL_COUNT}};
    return wedr_ctl_card_take(c, answer, columns, 1);
}

int wedr_ctl_alerts_set(struct wedr_ctl *c)
{
    const struct wedr_ctl_args *a = c->args;
    const char *tags = a->text[WEDR_CTL_TAGS];
    json_t *body = json_object();
    if (a->text[WEDR_CTL_STATE]) {
        (void)json_object_set_new(body, "state", json_string(a->text[WEDR_CTL_STATE]));
    }
    if (a->text[WEDR_CTL_RESOLUTION]) {
        (void)json_object_set_new(body, "resolution", json_string(a->text[WEDR_CTL_RESOLUTION]));
    }
    if (tags) {
        (void)json_object_set_new(body, "tags", wedr_ctl_words(tags));
    }
    if (json_object_size(body) == 0) {
        json_decref(body);
        return wedr_ctl_say(WEDR_CTL_USAGE, "what? --state, --resolution or --tags");
    }
    int code = wedr_ctl_open(c);
    if (code == WEDR_CTL_DONE && a->word_count > 1 && !tags && !a->text[WEDR_CTL_IF_VERSION]) {
        return change_many(c, 0, body);
    }
    for (size_t i = 0; i < a->word_count && code == WEDR_CTL_DONE; i++) {
        code = change_one(c, a->words[i], body);
    }
    json_decref(body);
    return code;
}

int wedr_ctl_alerts_assign(struct wedr_ctl *c)
{
    const char *user = c->args->words[0];
    int code = wedr_ctl_open(c);
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    return change_many(c, 1, json_pack("{s:s?}", "assignee", strcmp(user, "-") == 0 ? NULL : user));
}

int wedr_ctl_alerts_comment(struct wedr_ctl *c)
{
    static const struct wedr_ctl_column columns[] = {{"comment", "id", WEDR_CTL_TEXT},
                                                     {"by", "author", WEDR_CTL_TEXT},
                                                     {"time", "created", WEDR_CTL_TIME}};
    struct wedr_buf text, path;
    json_t *comment = NULL;
    int code = wedr_ctl_read_input(c->args->words[1], COMMENT_MAX, &text);
    if (code == WEDR_CTL_DONE) {
        code = wedr_ctl_open(c);
    }
    alert_path(&path, c->args->words[0], "/comments");
    if (code == WEDR_CTL_DONE) {
        json_t *body = json_pack("{s:s%}", "text", (const char *)text.p, text.len);
        code = body ? wedr_ctl_send_take(c, "POST", (const char *)path.p, body, &comment)
                    : wedr_ctl_say(WEDR_CTL_USAGE, "the text is no UTF-8");
    }
    wedr_buf_fini(&path);
    wedr_buf_fini(&text);
    return code == WEDR_CTL_DONE ? wedr_ctl_card_take(c, comment, columns, 3) : code;
}
