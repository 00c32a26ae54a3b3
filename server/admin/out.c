/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/out.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/json.h"
#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PARSER_FIRST (64u << 10)
#define EXACT_MAX (INT64_C(1) << 53)

void wedr_out_init(struct wedr_out *o, struct wedr_buf *b)
{
    *o = (struct wedr_out){.b = b};
}

void wedr_out_fini(struct wedr_out *o)
{
    wedr_line_parser_free(o->parser);
    o->parser = NULL;
}

/* Comma before an element; none behind a key or at the beginning. */
static void separate(struct wedr_out *o)
{
    if (o->comma) {
        wedr_buf_add(o->b, ",", 1);
    }
    o->comma = true;
}

static void open_with(struct wedr_out *o, const char *mark)
{
    separate(o);
    wedr_buf_add(o->b, mark, 1);
    o->comma = false;
}

static void close_with(struct wedr_out *o, const char *mark)
{
    wedr_buf_add(o->b, mark, 1);
    o->comma = true;
}

void wedr_out_obj_begin(struct wedr_out *o)
{
    open_with(o, "{");
}

void wedr_out_obj_end(struct wedr_out *o)
{
    close_with(o, "}");
}

void wedr_out_arr_begin(struct wedr_out *o)
{
    open_with(o, "[");
}

void wedr_out_arr_end(struct wedr_out *o)
{
    close_with(o, "]");
}

void wedr_out_key(struct wedr_out *o, const char *key)
{
    separate(o);
    wedr_buf_addf(o->b, "\"%s\":", key);
    o->comma = false;
}

void wedr_out_bytes(struct wedr_out *o, const void *s, size_t len)
{
    struct wedr_json j;
    separate(o);
    /* A byte becomes at most six. */
    uint8_t *p = len < SIZE_MAX / 8 ? wedr_buf_reserve(o->b, 6 * len + 2) : NULL;
    if (p) {
        wedr_json_init(&j, (char *)p, 6 * len + 2);
        (void)wedr_json_str(&j, s, len);
        wedr_buf_commit(o->b, wedr_json_len(&j));
    }
}

void wedr_out_hex(struct wedr_out *o, const void *bytes, size_t len)
{
    struct wedr_json j;
    separate(o);
    uint8_t *p = len < SIZE_MAX / 4 ? wedr_buf_reserve(o->b, 2 * len + 2) : NULL;
    if (p) {
        wedr_json_init(&j, (char *)p, 2 * len + 2);
        wedr_json_hex(&j, bytes, len);
        wedr_buf_commit(o->b, wedr_json_len(&j));
    }
}

void wedr_out_text(struct wedr_out *o, const char *s)
{
    if (s) {
        wedr_out_bytes(o, s, strlen(s));
    } else {
        wedr_out_null(o);
    }
}

void wedr_out_i64(struct wedr_out *o, int64_t v)
{
    separate(o);
    wedr_buf_addf(o->b, "%" PRId64, v);
}

void wedr_out_safe_i64(struct wedr_out *o, int64_t v)
{
    separate(o);
    wedr_buf_addf(o->b, v <= EXACT_MAX && v >= -EXACT_MAX ? "%" PRId64 : "\"%" PRId64 "\"", v);
}

void wedr_out_real(struct wedr_out *o, double v)
{
    separate(o);
    if (v <= DBL_MAX && v >= -DBL_MAX) {
        wedr_buf_addf(o->b, "%.17g", v);
    } else {
        wedr_buf_adds(o->b, "null");
    }
}

void wedr_out_id(struct wedr_out *o, uint64_t v)
{
    separate(o);
    wedr_buf_addf(o->b, "\"%" PRIu64 "\"", v);
}

void wedr_out_bool(struct wedr_out *o, bool v)
{
    separate(o);
    wedr_buf_adds(o->b, v ? "true" : "false");
}

void wedr_out_null(struct wedr_out *o)
{
    separate(o);
    wedr_buf_adds(o->b, "null");
}

void wedr_out_time(struct wedr_out *o, int64_t us)
{
    char mem[48];
    struct wedr_json j;
    if (us <= 0) {
        wedr_out_null(o);
        return;
    }
    separate(o);
    wedr_json_init(&j, mem, sizeof(mem));
    wedr_json_time_us(&j, us);
    wedr_buf_add(o->b, mem, wedr_json_len(&j));
}

void wedr_out_hex64(struct wedr_out *o, uint64_t v)
{
    separate(o);
    wedr_buf_addf(o->b, "\"%016" PRIx64 "\"", v);
}

void wedr_out_raw(struct wedr_out *o, const char *json, size_t len)
{
    separate(o);
    wedr_buf_add(o->b, json, len);
}

/* The parser reads objects: any other value is put into one. An object is read as it came, for in
 * another one a line of the longest or deepest kind would be too long or too deep. *ret_members:
 * how many the object has; *ret_ours: one of them is named as only we do. */
static bool
look(struct wedr_out *o, const char *json, size_t len, size_t *ret_members, bool *ret_ours)
{
    static const char head[] = "{\"v\":";
    struct wedr_line line = {NULL, 0};
    if (!o->parser) {
        o->parser = wedr_line_parser_new(PARSER_FIRST);
    }
    size_t before = len && json[0] == '{' ? 0 : sizeof(head) - 1;
    size_t all = before ? before + len + 1 : len;
    char *text = o->parser ? wedr_alloc(all + WEDR_LINE_PADDING, 1) : NULL;
    bool good = false;
    if (text) {
        memcpy(text, head, before);
        memcpy(text + before, json, len);
        text[all - 1] = '}'; /* where an object ends with it, or it is none */
        good = (before || json[len - 1] == '}') &&
               wedr_line_parse(o->parser, text, all, &line) == WEDR_OK;
    }
    *ret_members = 0;
    *ret_ours = false;
    for (size_t i = 0; good && i < line.count; i++) {
        const struct wedr_lp_member *m = &line.m[i];
        if (m->parent == UINT32_MAX) {
            ++*ret_members;
            *ret_ours = *ret_ours || (m->key_len && m->key[0] == '_');
        }
    }
    wedr_free(text);
    /* One member at the top: the text cannot have closed the object and opened more. */
    return good && (!before || *ret_members == 1);
}

bool wedr_out_valid(struct wedr_out *o, const char *json, size_t len)
{
    size_t members;
    bool ours;
    return look(o, json, len, &members, &ours);
}

bool wedr_out_members(struct wedr_out *o, const char *json, size_t len)
{
    size_t members;
    bool ours;
    if (!len || json[0] != '{' || !look(o, json, len, &members, &ours) || ours) {
        return false;
    }
    if (members) {
        wedr_out_raw(o, json + 1, len - 2);
    }
    return true;
}

bool wedr_out_stored(struct wedr_out *o, const char *json, size_t len)
{
    bool good = wedr_out_valid(o, json, len);
    if (good) {
        wedr_out_raw(o, json, len);
    } else {
        wedr_out_null(o);
    }
    return good;
}

void wedr_out_put_text(struct wedr_out *o, const char *key, const char *s)
{
    wedr_out_key(o, key);
    wedr_out_text(o, s);
}

void wedr_out_put_i64(struct wedr_out *o, const char *key, int64_t v)
{
    wedr_out_key(o, key);
    wedr_out_i64(o, v);
}

void wedr_out_put_time(struct wedr_out *o, const char *key, int64_t us)
{
    wedr_out_key(o, key);
    wedr_out_time(o, us);
}

void wedr_out_put_bool(struct wedr_out *o, const char *key, bool v)
{
    wedr_out_key(o, key);
    wedr_out_bool(o, v);
}
