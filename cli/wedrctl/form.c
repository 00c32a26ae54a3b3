/* SPDX-License-Identifier: Apache-2.0 */
#include "form.h"

#include <string.h>

#define NAME_MAX_BYTES 64u

static int put(json_t *form, const char *name, const char *value)
{
    if (json_object_get(form, name)) {
        return wedr_ctl_say(WEDR_CTL_USAGE, "%s is given twice", name);
    }
    return json_object_set_new(form, name, json_string(value)) == 0
               ? WEDR_CTL_DONE
               : wedr_ctl_say(WEDR_CTL_USAGE, "%s: a value that is no UTF-8", name);
}

static int put_where(json_t *form, const char *where)
{
    char name[NAME_MAX_BYTES];
    const char *equals = strchr(where, '=');
    size_t n = equals ? (size_t)(equals - where) : 0;
    if (n == 0 || n >= sizeof(name)) {
        return wedr_ctl_say(WEDR_CTL_USAGE, "--where wants NAME=VALUE, not %s", where);
    }
    memcpy(name, where, n);
    name[n] = '\0';
    return put(form, name, equals + 1);
}

int wedr_ctl_form(struct wedr_ctl *c, json_t **ret_form)
{
    const struct wedr_ctl_args *a = c->args;
    const char *image = a->text[WEDR_CTL_IMAGE];
    char id[37] = "";
    int code = WEDR_CTL_DONE;
    if (a->text[WEDR_CTL_ENDPOINT]) {
        code = wedr_ctl_endpoint(c, a->text[WEDR_CTL_ENDPOINT], id);
    }
    const struct {
        const char *name, *value;
    } parts[] = {{"from", a->since[0] ? a->since : NULL},
                 {"to", a->until[0] ? a->until : NULL},
                 {"endpoint", id[0] ? id : NULL},
                 {"type", a->text[WEDR_CTL_TYPE]},
                 {"pid", a->text[WEDR_CTL_PID]},
                 {image && strchr(image, '*') ? "image_path.like" : "image_path", image},
                 {"hash", a->text[WEDR_CTL_HASH]},
                 {"q", a->text[WEDR_CTL_CONTAINS]}};
    json_t *form = json_object();
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(parts) && code == WEDR_CTL_DONE; i++) {
        code = parts[i].value ? put(form, parts[i].name, parts[i].value) : code;
    }
    for (size_t i = 0; i < a->where.count && code == WEDR_CTL_DONE; i++) {
        code = put_where(form, a->where.v[i]);
    }
    if (code != WEDR_CTL_DONE) {
        json_decref(form);
        return code;
    }
    *ret_form = form;
    return code;
}

void wedr_ctl_form_add(struct wedr_buf *path, const json_t *form)
{
    for (void *at = json_object_iter((json_t *)(uintptr_t)form); at;
         at = json_object_iter_next((json_t *)(uintptr_t)form, at)) {
        wedr_ctl_path_param(path, json_object_iter_key(at),
                            json_string_value(json_object_iter_value(at)));
    }
}

void wedr_ctl_param_option(struct wedr_buf *path,
                           const struct wedr_ctl_args *a,
                           const char *name,
                           enum wedr_ctl_option o)
{
    if (a->text[o]) {
        wedr_ctl_path_param(path, name, a->text[o]);
    }
}

void wedr_ctl_param_period(struct wedr_buf *path, const struct wedr_ctl_args *a)
{
    if (a->since[0]) {
        wedr_ctl_path_param(path, "from", a->since);
    }
    if (a->until[0]) {
        wedr_ctl_path_param(path, "to", a->until);
    }
}

/* The address and port of one side of a connection. */
static json_t *address(const json_t *event, const char *ip, const char *port)
{
    const char *text = wedr_ctl_text(event, ip);
    json_int_t number = json_integer_value(wedr_ctl_member(event, port));
    return !text[0]
               ? NULL
               : json_sprintf(strchr(text, ':') ? "[%s]:%lld" : "%s:%lld", text, (long long)number);
}

/* What happened, from the member that says it best. */
static json_t *detail(const json_t *event)
{
    static const char *const keys[] = {"raw.query_name", "raw.target_path", "raw.new_name",
                                       "raw.key_path",   "raw.rule_title",  "raw.command_line",
                                       "raw.message",    "raw.reason",      "process.command_line"};
    json_t *peer = address(event, "raw.dst_ip", "raw.dst_port");
    for (size_t i = 0; !peer && i < WEDR_ARRAY_COUNT(keys); i++) {
        const json_t *v = wedr_ctl_member(event, keys[i]);
        if (json_string_length(v) > 0) {
            peer = json_deep_copy(v);
        }
    }
    if (!peer) {
        const json_t *status = wedr_ctl_member(event, "raw.exit_code");
        peer = json_is_integer(status)
                   ? json_sprintf("exit %lld", (long long)json_integer_value(status))
                   : json_string("");
    }
    return peer;
}

static json_t *copy(const json_t *event, const char *first, const char *second)
{
    const json_t *v = wedr_ctl_member(event, first);
    v = v || !second ? v : wedr_ctl_member(event, second);
    return v ? json_deep_copy(v) : json_null();
}

json_t *wedr_ctl_event_row(const json_t *event)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "ts", copy(event, "ts", NULL), "host",
                     copy(event, "_hostname", "hostname"), "type", copy(event, "event_type", NULL),
                     "pid", copy(event, "process.pid", "raw.pid"), "image",
                     copy(event, "process.path", "raw.comm"), "detail", detail(event));
}

size_t wedr_ctl_event_columns(const struct wedr_ctl_args *a,
                              struct wedr_ctl_column *ret_columns,
                              wedr_ctl_shape_fn **ret_shape)
{
    static const struct wedr_ctl_column usual[] = {
        {"TIME", "ts", WEDR_CTL_TIME_MS},  {"HOST", "host", WEDR_CTL_TEXT},
        {"TYPE", "type", WEDR_CTL_TEXT},   {"PID", "pid", WEDR_CTL_COUNT},
        {"IMAGE", "image", WEDR_CTL_LONG}, {"DETAIL", "detail", WEDR_CTL_LONG}};
    size_t count = WEDR_ARRAY_COUNT(usual);
    if (a->field.count == 0) {
        memcpy(ret_columns, usual, sizeof(usual));
        *ret_shape = wedr_ctl_event_row;
        return count;
    }
    ret_columns[0] = usual[0];
    ret_columns[1] = (struct wedr_ctl_column){"HOST", "_hostname", WEDR_CTL_TEXT};
    ret_columns[2] = (struct wedr_ctl_column){"TYPE", "event_type", WEDR_CTL_TEXT};
    count = 3;
    for (size_t i = 0; i < a->field.count && i < WEDR_ARRAY_COUNT(a->field.v); i++) {
        const char *name = a->field.v[i];
        if (count == WEDR_CTL_COLUMNS_MAX) {
            break;
        }
        ret_columns[count++] = (struct wedr_ctl_column){name, name, WEDR_CTL_LONG};
    }
    *ret_shape = NULL;
    return count;
}
