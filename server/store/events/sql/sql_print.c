/* SPDX-License-Identifier: Apache-2.0
 *
 * A query's result for a terminal or a program: lines of columns, or one array of objects. */
#include "core/base/err.h"
#include "core/util/buf.h"
#include "store/events.h"
#include "store/events/sql/sql.h"
#include "store/print.h"
#include <float.h>
#include <string.h>

#define NAMES_MAX (8u << 20)

struct printer {
    FILE *out;
    bool json, some;       /* some: a row was printed */
    struct wedr_buf names; /* one after another, each with its NUL */
};

static void put_hex(FILE *out, struct wedr_span s)
{
    for (size_t i = 0; i < s.len; i++) {
        (void)fprintf(out, "%02x", s.p[i]);
    }
}

static void put_json_value(FILE *out, const struct wedr_query_value *v)
{
    switch (v->type) {
    case WEDR_QUERY_INT:
        (void)fprintf(out, "%lld", (long long)v->i);
        break;
    case WEDR_QUERY_REAL:
        /* infinity has no JSON form; SQLite has no other odd value */
        if (v->r > DBL_MAX || v->r < -DBL_MAX) {
            (void)fputs("null", out);
        } else {
            (void)fprintf(out, "%.17g", v->r);
        }
        break;
    case WEDR_QUERY_TEXT:
        wedr_print_json(out, v->s.p, v->s.len);
        break;
    case WEDR_QUERY_BLOB:
        (void)fputc('"', out);
        put_hex(out, v->s);
        (void)fputc('"', out);
        break;
    default:
        (void)fputs("null", out);
        break;
    }
}

static void put_json_row(struct printer *p, const struct wedr_query_value *v, size_t count)
{
    const char *name = (const char *)p->names.p;
    (void)fputs(p->some ? ",\n{" : "[{", p->out);
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(name);
        (void)fputs(i == 0 ? "" : ",", p->out);
        wedr_print_json(p->out, name, len);
        (void)fputc(':', p->out);
        put_json_value(p->out, &v[i]);
        name += len + 1;
    }
    (void)fputc('}', p->out);
}

static void put_plain_value(FILE *out, const struct wedr_query_value *v)
{
    switch (v->type) {
    case WEDR_QUERY_INT:
        (void)fprintf(out, "%lld", (long long)v->i);
        break;
    case WEDR_QUERY_REAL:
        (void)fprintf(out, "%.15g", v->r);
        break;
    case WEDR_QUERY_TEXT:
        wedr_print_text(out, v->s.p, v->s.len);
        break;
    case WEDR_QUERY_BLOB:
        put_hex(out, v->s);
        break;
    default:
        break;
    }
}

static int on_columns(void *arg, const char *const *names, size_t count)
{
    struct printer *p = arg;
    for (size_t i = 0; i < count; i++) {
        if (p->json) {
            wedr_buf_add(&p->names, names[i], strlen(names[i]) + 1);
        } else {
            (void)fputs(i == 0 ? "" : "\t", p->out);
            wedr_print_text(p->out, names[i], strlen(names[i]));
        }
    }
    if (!p->json) {
        (void)fputc('\n', p->out);
    }
    return p->names.overflow ? WEDR_E_NOMEM : WEDR_OK;
}

static int on_row(void *arg, const struct wedr_query_value *v, size_t count)
{
    struct printer *p = arg;
    if (p->json) {
        put_json_row(p, v, count);
    } else {
        for (size_t i = 0; i < count; i++) {
            (void)fputs(i == 0 ? "" : "\t", p->out);
            put_plain_value(p->out, &v[i]);
        }
        (void)fputc('\n', p->out);
    }
    p->some = true;
    return WEDR_OK;
}

int wedr_sql_print(
    struct wedr_sql *s, const char *sql, bool json, FILE *out, struct wedr_errinfo *ei)
{
    struct printer p = {.out = out, .json = json};
    struct wedr_query_result result;
    struct wedr_query q = {.sql = sql, .columns = on_columns, .row = on_row, .arg = &p};
    wedr_buf_init(&p.names, NAMES_MAX);
    int err = wedr_sql_query(s, &q, &result, ei);
    if (json && err == WEDR_OK) {
        (void)fputs(p.some ? "]\n" : "[]\n", out);
    }
    if (err == WEDR_OK && (fflush(out) != 0 || ferror(out))) {
        err = wedr_fail(ei, WEDR_E_IO, "the result could not be written");
    }
    wedr_buf_fini(&p.names);
    return err;
}

int wedr_sql_run(const char *data_dir,
                 const char *sql,
                 bool json,
                 uint32_t time_limit_ms,
                 FILE *out,
                 struct wedr_errinfo *ei)
{
    struct wedr_sql s;
    int err = wedr_sql_open(data_dir, time_limit_ms, &s, ei);
    if (err == WEDR_OK) {
        err = wedr_sql_print(&s, sql, json, out, ei);
        wedr_sql_close(&s);
    }
    return err;
}
