/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include "common/show.h"
#include <string.h>

#define CELL_MAX ((size_t)1 << 20)
#define KEY_MAX 128u
#define GAP 2u
#define LONG_LEAST 12u

const json_t *wedr_ctl_member(const json_t *object, const char *key)
{
    char part[KEY_MAX];
    const json_t *whole = json_object_get(object, key);
    for (const json_t *at = object; !whole;) {
        size_t n = strcspn(key, ".");
        if (n >= sizeof(part)) {
            return NULL;
        }
        memcpy(part, key, n);
        part[n] = '\0';
        at = json_object_get(at, part);
        if (!at || !key[n]) {
            return at;
        }
        key += n + 1;
    }
    return whole;
}

const char *wedr_ctl_text(const json_t *object, const char *key)
{
    const char *s = json_string_value(wedr_ctl_member(object, key));
    return s ? s : "";
}

void wedr_ctl_json(struct wedr_buf *out, const json_t *j)
{
    char *text = json_dumps(j, JSON_ENSURE_ASCII | JSON_COMPACT | JSON_ENCODE_ANY);
    if (text) {
        wedr_buf_adds(out, text);
        wedr_buf_adds(out, "\n");
    } else {
        out->overflow = true;
    }
    wedr_ctl_json_free(text);
}

static bool is_wide(uint32_t c)
{
    static const struct {
        uint32_t from, to;
    } wide[] = {{0x1100, 0x115F},   {0x2E80, 0xA4CF},  {0xAC00, 0xD7A3}, {0xF900, 0xFAFF},
                {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},  {0xFFE0, 0xFFE6}, {0x1F300, 0x1F64F},
                {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(wide); i++) {
        if (c >= wide[i].from && c <= wide[i].to) {
            return true;
        }
    }
    return false;
}

size_t wedr_ctl_width(const char *s, size_t len, size_t max, size_t *ret_fit)
{
    size_t columns = 0, at = 0;
    while (at < len) {
        unsigned char b = (unsigned char)s[at];
        size_t n = b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
        uint32_t c = n == 1 ? b : b & (0x7Fu >> n);
        for (size_t i = 1; i < n && at + i < len; i++) {
            c = c << 6 | ((unsigned char)s[at + i] & 0x3Fu);
        }
        bool joins = (c >= 0x0300 && c <= 0x036F) || c == 0x200B || c == 0x200D ||
                     (c >= 0xFE00 && c <= 0xFE0F);
        size_t w = joins ? 0 : is_wide(c) ? 2 : 1;
        if (columns + w > max) {
            break;
        }
        columns += w;
        at += n;
    }
    if (ret_fit) {
        *ret_fit = at < len ? at : len;
    }
    return columns;
}

static void show(struct wedr_buf *out, const json_t *text)
{
    wedr_show_text(out, wedr_text(json_string_value(text), json_string_length(text)), 0);
}

/* "2026-11-26T20:00:00.000000Z" as "2026-11-26 20:00:00Z"; what looks otherwise stays. */
static void show_time(struct wedr_buf *out, const json_t *value, bool ms)
{
    const char *s = json_string_value(value);
    if (json_string_length(value) != 27 || s[10] != 'T' || s[19] != '.' ||
        strspn(s, "0123456789-:.TZ") != 27) {
        show(out, value);
        return;
    }
    wedr_buf_addf(out, "%.10s %.*sZ", s, ms ? 12 : 8, s + 11);
}

static void show_bytes(struct wedr_buf *out, json_int_t n)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t u = 0;
    double v = (double)n;
    while (v >= 1024 && u + 1 < WEDR_ARRAY_COUNT(units)) {
        v /= 1024;
        u++;
    }
    wedr_buf_addf(out, u == 0 ? "%.0f %s" : "%.1f %s", v, units[u]);
}

void wedr_ctl_cell(struct wedr_buf *out, const json_t *value, enum wedr_ctl_cell cell)
{
    size_t i = 0;
    const json_t *item = NULL;
    if (json_is_string(value) && (cell == WEDR_CTL_TIME || cell == WEDR_CTL_TIME_MS)) {
        show_time(out, value, cell == WEDR_CTL_TIME_MS);
    } else if (json_is_string(value)) {
        show(out, value);
    } else if (json_is_integer(value) && cell == WEDR_CTL_BYTES) {
        show_bytes(out, json_integer_value(value));
    } else if (json_is_integer(value)) {
        wedr_buf_addf(out, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        wedr_buf_addf(out, "%g", json_real_value(value));
    } else if (json_is_boolean(value)) {
        wedr_buf_adds(out, json_is_true(value) ? "yes" : "no");
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, item)
        {
            wedr_buf_adds(out, i > 0 ? ", " : "");
            wedr_ctl_cell(out, item, cell);
        }
    } else if (json_is_object(value)) {
        wedr_ctl_json(out, value);
        wedr_buf_truncate(out, out->len > 0 ? out->len - 1 : 0); /* its line feed */
    }
}

const char *wedr_ctl_color(const char *word)
{
    static const struct {
        const char *word, *code;
    } colors[] = {{"critical", "1;31"}, {"high", "31"},   {"medium", "33"},      {"low", "36"},
                  {"online", "32"},     {"offline", "2"}, {"degraded", "33"},    {"revoked", "31"},
                  {"new", "1"},         {"closed", "2"},  {"informational", "2"}};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(colors); i++) {
        if (strcmp(colors[i].word, word) == 0) {
            return colors[i].code;
        }
    }
    return "";
}

void wedr_ctl_table_init(struct wedr_ctl_table *t,
                         struct wedr_ctl *c,
                         const struct wedr_ctl_column *columns,
                         size_t count)
{
    memset(t, 0, sizeof(*t));
    t->c = c;
    t->columns = columns;
    t->count = count < WEDR_CTL_COLUMNS_MAX ? count : WEDR_CTL_COLUMNS_MAX;
}

/* Takes from the widest long column until the line fits, but leaves each something. */
static void squeeze(struct wedr_ctl_table *t)
{
    size_t total = 0;
    for (size_t i = 0; i < t->count; i++) {
        total += t->width[i] + (i > 0 ? GAP : 0);
    }
    while (total > t->c->columns) {
        size_t widest = t->count;
        for (size_t i = 0; i < t->count; i++) {
            if (t->columns[i].cell == WEDR_CTL_LONG && t->width[i] > LONG_LEAST &&
                (widest == t->count || t->width[i] > t->width[widest])) {
                widest = i;
            }
        }
        if (widest == t->count) {
            return;
        }
        t->width[widest]--;
        total--;
    }
}

/* A title may be what somebody's SQL names its column. */
static void show_title(struct wedr_buf *cell, const struct wedr_ctl_column *column)
{
    wedr_buf_truncate(cell, 0);
    wedr_show_text(cell, wedr_text(column->title, strlen(column->title)), 0);
}

static void lay_out(struct wedr_ctl_table *t, const json_t *items)
{
    struct wedr_buf cell;
    size_t row = 0;
    const json_t *item = NULL;
    wedr_buf_init(&cell, CELL_MAX);
    for (size_t i = 0; i < t->count; i++) {
        show_title(&cell, &t->columns[i]);
        t->width[i] = wedr_ctl_width((const char *)cell.p, cell.len, SIZE_MAX, NULL);
    }
    json_array_foreach(items, row, item)
    {
        for (size_t i = 0; i < t->count; i++) {
            wedr_buf_truncate(&cell, 0);
            wedr_ctl_cell(&cell, wedr_ctl_member(item, t->columns[i].key), t->columns[i].cell);
            size_t w = wedr_ctl_width((const char *)cell.p, cell.len, SIZE_MAX, NULL);
            t->width[i] = w > t->width[i] ? w : t->width[i];
        }
    }
    wedr_buf_fini(&cell);
    if (t->c->columns > 0) {
        squeeze(t);
    }
}

static void pad(struct wedr_buf *out, size_t n)
{
    for (; n > 0; n--) {
        wedr_buf_adds(out, " ");
    }
}

/* One cell with its padding; text that does not fit ends with an ellipsis on a terminal. */
static void
add_cell(struct wedr_ctl_table *t, size_t i, const char *s, size_t len, const char *color)
{
    struct wedr_buf *out = &t->c->out;
    size_t max = t->width[i], fit = len;
    size_t w = wedr_ctl_width(s, len, SIZE_MAX, NULL);
    bool cut = t->c->columns > 0 && w > max && max > 1;
    if (cut) {
        w = wedr_ctl_width(s, len, max - 1, &fit) + 1;
    }
    size_t rest = w < max ? max - w : 0;
    bool right = t->columns[i].cell == WEDR_CTL_COUNT || t->columns[i].cell == WEDR_CTL_BYTES;
    pad(out, (i > 0 ? GAP : 0) + (right ? rest : 0));
    if (t->c->color && color[0]) {
        wedr_buf_addf(out, "\x1b[%sm", color);
    }
    wedr_buf_add(out, s, fit);
    wedr_buf_adds(out, !cut ? "" : t->c->utf8 ? "\xE2\x80\xA6" : ">");
    wedr_buf_adds(out, t->c->color && color[0] ? "\x1b[0m" : "");
    pad(out, right || i + 1 == t->count ? 0 : rest);
}

void wedr_ctl_table_add(struct wedr_ctl_table *t, const json_t *items)
{
    struct wedr_buf cell;
    size_t row = 0;
    const json_t *item = NULL;
    wedr_buf_init(&cell, CELL_MAX);
    if (!t->begun) {
        if (t->width[0] == 0) {
            lay_out(t, items);
        }
        for (size_t i = 0; i < t->count; i++) {
            show_title(&cell, &t->columns[i]);
            add_cell(t, i, (const char *)cell.p, cell.len, "1");
        }
        wedr_buf_adds(&t->c->out, "\n");
        t->begun = true;
    }
    json_array_foreach(items, row, item)
    {
        for (size_t i = 0; i < t->count; i++) {
            const json_t *v = wedr_ctl_member(item, t->columns[i].key);
            wedr_buf_truncate(&cell, 0);
            wedr_ctl_cell(&cell, v, t->columns[i].cell);
            const char *word = json_string_value(v);
            add_cell(t, i, cell.p ? (const char *)cell.p : "", cell.len,
                     t->columns[i].cell == WEDR_CTL_WORD && word ? wedr_ctl_color(word) : "");
        }
        wedr_buf_adds(&t->c->out, "\n");
    }
    wedr_buf_fini(&cell);
}

struct list {
    struct wedr_ctl_table table;
    wedr_ctl_shape_fn *shape;
    bool json;
};

static int on_page(void *arg, const json_t *items)
{
    struct list *l = arg;
    struct wedr_ctl *c = l->table.c;
    size_t i = 0;
    const json_t *item = NULL;
    if (l->json) {
        json_array_foreach(items, i, item)
        {
            wedr_ctl_json(&c->out, item);
        }
        return wedr_ctl_flush(c);
    }
    json_t *rows = l->shape ? json_array() : NULL;
    json_array_foreach(items, i, item)
    {
        if (l->shape && json_array_append_new(rows, l->shape(item)) != 0) {
            json_decref(rows);
            return wedr_ctl_say(WEDR_CTL_FAILED, "out of memory");
        }
    }
    wedr_ctl_table_add(&l->table, l->shape ? rows : items);
    json_decref(rows);
    return wedr_ctl_flush(c);
}

int wedr_ctl_list(struct wedr_ctl *c,
                  const char *path,
                  const struct wedr_ctl_column *columns,
                  size_t count,
                  wedr_ctl_shape_fn *shape)
{
    struct list l = {.shape = shape, .json = wedr_ctl_has(c->args, WEDR_CTL_JSON)};
    wedr_ctl_table_init(&l.table, c, columns, count);
    return wedr_ctl_pages(c, path, on_page, &l);
}

void wedr_ctl_card(struct wedr_ctl *c,
                   const json_t *object,
                   const struct wedr_ctl_column *columns,
                   size_t count)
{
    struct wedr_buf cell;
    size_t widest = 0;
    for (size_t i = 0; i < count; i++) {
        size_t w = strlen(columns[i].title);
        widest = w > widest ? w : widest;
    }
    wedr_buf_init(&cell, CELL_MAX);
    for (size_t i = 0; i < count; i++) {
        const json_t *v = wedr_ctl_member(object, columns[i].key);
        wedr_buf_truncate(&cell, 0);
        wedr_ctl_cell(&cell, v, columns[i].cell);
        if (cell.len > 0) {
            const char *word = json_string_value(v);
            const char *color =
                columns[i].cell == WEDR_CTL_WORD && word && c->color ? wedr_ctl_color(word) : "";
            wedr_buf_addf(&c->out, "%-*s  ", (int)widest, columns[i].title);
            wedr_buf_addf(&c->out, color[0] ? "\x1b[%sm" : "%s", color);
            wedr_buf_add(&c->out, cell.p, cell.len);
            wedr_buf_adds(&c->out, color[0] ? "\x1b[0m\n" : "\n");
        }
    }
    wedr_buf_fini(&cell);
}

int wedr_ctl_card_take(struct wedr_ctl *c,
                       json_t *object,
                       const struct wedr_ctl_column *columns,
                       size_t count)
{
    if (wedr_ctl_has(c->args, WEDR_CTL_JSON)) {
        wedr_ctl_json(&c->out, object);
    } else {
        wedr_ctl_card(c, object, columns, count);
    }
    json_decref(object);
    return wedr_ctl_flush(c);
}
