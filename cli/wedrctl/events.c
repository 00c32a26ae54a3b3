/* SPDX-License-Identifier: Apache-2.0
 * events, tail, sql, export. */
#include "commands.h"
#include "common/show.h"
#include "core/base/err.h"
#include "form.h"
#include "wedr/plat/term.h"
#include <string.h>

#define PATH_BYTES 4000u
#define SQL_LIMIT_MAX 10000u
#define SQL_BYTES_MAX 65536u

static int tail(struct wedr_ctl *c, const char *endpoint)
{
    struct wedr_ctl_column columns[WEDR_CTL_COLUMNS_MAX];
    wedr_ctl_shape_fn *shape = NULL;
    struct wedr_buf path;
    size_t count = wedr_ctl_event_columns(c->args, columns, &shape);
    wedr_buf_init(&path, PATH_BYTES);
    wedr_buf_adds(&path, "/events/tail");
    if (endpoint) {
        wedr_ctl_path_param(&path, "endpoint", endpoint);
    }
    wedr_ctl_param_option(&path, c->args, "type", WEDR_CTL_TYPE);
    int code = wedr_ctl_follow(c, (const char *)path.p, columns, count, shape);
    wedr_buf_fini(&path);
    return code;
}

int wedr_ctl_tail(struct wedr_ctl *c)
{
    char id[37] = "";
    int code = wedr_ctl_open(c);
    if (code == WEDR_CTL_DONE && c->args->text[WEDR_CTL_ENDPOINT]) {
        code = wedr_ctl_endpoint(c, c->args->text[WEDR_CTL_ENDPOINT], id);
    }
    return code == WEDR_CTL_DONE ? tail(c, id[0] ? id : NULL) : code;
}

int wedr_ctl_events(struct wedr_ctl *c)
{
    struct wedr_ctl_column columns[WEDR_CTL_COLUMNS_MAX];
    wedr_ctl_shape_fn *shape = NULL;
    struct wedr_buf path;
    json_t *form = NULL;
    const struct wedr_ctl_args *a = c->args;
    if (wedr_ctl_has(a, WEDR_CTL_FOLLOW) &&
        (a->until[0] || a->text[WEDR_CTL_PID] || a->text[WEDR_CTL_IMAGE] ||
         a->text[WEDR_CTL_HASH] || a->text[WEDR_CTL_CONTAINS] || a->where.count > 0)) {
        return wedr_ctl_say(WEDR_CTL_USAGE,
                            "--follow goes with --since, --endpoint and --type alone");
    }
    int code = wedr_ctl_open(c);
    if (code == WEDR_CTL_DONE) {
        code = wedr_ctl_form(c, &form);
    }
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    size_t count = wedr_ctl_event_columns(a, columns, &shape);
    wedr_buf_init(&path, PATH_BYTES);
    wedr_buf_adds(&path, "/events");
    wedr_ctl_form_add(&path, form);
    code = path.overflow ? wedr_ctl_say(WEDR_CTL_USAGE, "the form is too long")
                         : wedr_ctl_list(c, (const char *)path.p, columns, count, shape);
    if (code == WEDR_CTL_DONE && wedr_ctl_has(a, WEDR_CTL_FOLLOW)) {
        code = tail(c, json_string_value(json_object_get(form, "endpoint")));
    }
    wedr_buf_fini(&path);
    json_decref(form);
    return code;
}

int wedr_ctl_read_input(const char *word, size_t max, struct wedr_buf *ret)
{
    uint8_t piece[4096];
    size_t n = 1;
    wedr_buf_init(ret, max);
    if (strcmp(word, "-") != 0) {
        wedr_buf_adds(ret, word);
    } else {
        int err = WEDR_OK;
        while (err == WEDR_OK && n > 0 && !ret->overflow) {
            err = wedr_fs_read(wedr_term_input(), piece, sizeof(piece), &n);
            wedr_buf_add(ret, piece, err == WEDR_OK ? n : 0);
        }
        if (err != WEDR_OK) {
            return wedr_ctl_say(WEDR_CTL_FAILED, "standard input: %s", wedr_err_text(err));
        }
    }
    return ret->overflow || ret->len == 0 ? wedr_ctl_say(WEDR_CTL_USAGE, "the text is %s",
                                                         ret->overflow ? "too long" : "empty")
                                          : WEDR_CTL_DONE;
}

/* A row of values as the object that columns look at: by place, or by name for programs. */
static json_t *row_object(const json_t *columns, const json_t *row, bool named)
{
    json_t *out = json_object();
    size_t i = 0;
    json_t *v = NULL;
    json_array_foreach(row, i, v)
    {
        char place[24];
        const char *name = wedr_ctl_text(json_array_get(columns, i), "name");
        (void)snprintf(place, sizeof(place), "%zu", i);
        (void)json_object_set(out, named && name[0] ? name : place, v);
    }
    return out;
}

static int print_rows(struct wedr_ctl *c, const json_t *answer)
{
    static char places[WEDR_CTL_COLUMNS_MAX][8];
    struct wedr_ctl_column columns[WEDR_CTL_COLUMNS_MAX];
    struct wedr_ctl_table table;
    const json_t *names = json_object_get(answer, "columns");
    const json_t *row = NULL, *name = NULL;
    bool json = wedr_ctl_has(c->args, WEDR_CTL_JSON);
    json_t *rows = json_array();
    size_t i = 0;
    size_t count = 0;
    json_array_foreach(names, i, name)
    {
        if (count < WEDR_CTL_COLUMNS_MAX) {
            (void)snprintf(places[i], sizeof(places[i]), "%u", (unsigned)i);
            columns[count++] =
                (struct wedr_ctl_column){wedr_ctl_text(name, "name"), places[i], WEDR_CTL_LONG};
        }
    }
    json_array_foreach(json_object_get(answer, "rows"), i, row)
    {
        json_t *object = row_object(names, row, json);
        if (json) {
            wedr_ctl_json(&c->out, object);
            json_decref(object);
        } else {
            (void)json_array_append_new(rows, object);
        }
    }
    if (!json) {
        wedr_ctl_table_init(&table, c, columns, count);
        wedr_ctl_table_add(&table, rows);
    }
    json_decref(rows);
    int code = wedr_ctl_flush(c);
    if (code == WEDR_CTL_DONE && json_is_true(json_object_get(answer, "truncated"))) {
        (void)wedr_ctl_say(code, "there are more rows: --limit, or export --sql");
    }
    return code;
}

int wedr_ctl_sql(struct wedr_ctl *c)
{
    struct wedr_buf sql;
    json_t *answer = NULL;
    uint64_t limit = c->args->number[WEDR_CTL_LIMIT];
    if (limit > SQL_LIMIT_MAX) {
        return wedr_ctl_say(WEDR_CTL_USAGE, "--limit is at most %u here", SQL_LIMIT_MAX);
    }
    int code = wedr_ctl_read_input(c->args->words[0], SQL_BYTES_MAX, &sql);
    if (code == WEDR_CTL_DONE) {
        code = wedr_ctl_open(c);
    }
    if (code == WEDR_CTL_DONE) {
        json_t *body = json_pack("{s:s%}", "sql", (const char *)sql.p, sql.len);
        if (limit > 0) {
            (void)json_object_set_new(body, "limit", json_integer((json_int_t)limit));
        }
        code = body ? wedr_ctl_send_take(c, "POST", "/events/sql", body, &answer)
                    : wedr_ctl_say(WEDR_CTL_USAGE, "the statement is no UTF-8");
    }
    if (code == WEDR_CTL_DONE) {
        code = print_rows(c, answer);
    }
    json_decref(answer);
    wedr_buf_fini(&sql);
    return code;
}

struct sink {
    struct wedr_ctl *c;
    wedr_handle file; /* WEDR_HANDLE_NONE: standard output */
    const char *name;
    uint64_t bytes;
};

/* What goes to a file or program goes as it is; a terminal obeys nothing in it. */
static int on_export(void *arg, const char *p, size_t n)
{
    struct sink *s = arg;
    s->bytes += n;
    if (s->file != WEDR_HANDLE_NONE) {
        int err = wedr_fs_write(s->file, p, n);
        return err == WEDR_OK
                   ? 0
                   : wedr_ctl_say(WEDR_CTL_FAILED, "%s: %s", s->name, wedr_err_text(err));
    }
    while (n > 0 && s->c->columns > 0) {
        const char *end = memchr(p, '\n', n);
        size_t part = end ? (size_t)(end - p) : n;
        wedr_show_text(&s->c->out, wedr_text(p, part), 0);
        wedr_buf_adds(&s->c->out, end ? "\n" : "");
        p += part + (end ? 1 : 0);
        n -= part + (end ? 1 : 0);
    }
    wedr_buf_add(&s->c->out, p, n);
    return wedr_ctl_flush(s->c);
}

static json_t *export_body(struct wedr_ctl *c, json_t *form_take)
{
    const char *format = c->args->text[WEDR_CTL_FORMAT];
    const char *sql = c->args->text[WEDR_CTL_SQL];
    json_t *body = json_pack("{s:s}", "format", format ? format : "ndjson");
    if (sql) {
        (void)json_object_set_new(body, "sql", json_string(sql));
        json_decref(form_take);
    } else {
        (void)json_object_set_new(body, "filter", form_take);
    }
    return body;
}

int wedr_ctl_export(struct wedr_ctl *c)
{
    struct sink s = {.c = c, .file = WEDR_HANDLE_NONE, .name = c->args->text[WEDR_CTL_OUTPUT]};
    json_t *form = NULL;
    int code = wedr_ctl_open(c);
    if (code == WEDR_CTL_DONE) {
        code = wedr_ctl_form(c, &form);
    }
    if (code != WEDR_CTL_DONE) {
        return code;
    }
    if (wedr_ctl_has(c->args, WEDR_CTL_SQL) && json_object_size(form) > 0) {
        json_decref(form);
        return wedr_ctl_say(WEDR_CTL_USAGE, "either --sql or a form");
    }
    if (s.name) {
        int err =
            wedr_fs_open(s.name, WEDR_FS_WRITE | WEDR_FS_CREATE | WEDR_FS_TRUNC, 0600, &s.file);
        if (err != WEDR_OK) {
            json_decref(form);
            return wedr_ctl_say(WEDR_CTL_FAILED, "%s: %s", s.name, wedr_err_text(err));
        }
    }
    json_t *body = export_body(c, form);
    code = wedr_ctl_stream(c, "/events/export", body, NULL, on_export, &s);
    json_decref(body);
    if (s.file != WEDR_HANDLE_NONE && code == WEDR_CTL_DONE && wedr_fs_sync(s.file) != WEDR_OK) {
        code = wedr_ctl_say(WEDR_CTL_FAILED, "%s: cannot be written", s.name);
    }
    wedr_fs_close(s.file);
    return code;
}
