/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/columns.h"

#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "ingest/filter.h"
#include "ingest/zframe.h"
#include <string.h>
#include <zstd.h>

#define COLUMNS_VERSION 1u
#define HEADER 8u
#define ENTRY 12u
#define RAW_MAX (64u << 20) /* bytes of one column, packed or not */
#define VARINT_MAX 10u

struct wedr_columns_writer {
    uint64_t seq_prev;
    int64_t ts_prev;
    uint32_t n;
    bool failed;
    struct wedr_buf col[WEDR_COLUMN_MAX];
    struct wedr_buf dict; /* names one after another, each with its length */
    uint32_t dict_count;
    uint32_t table_cap;
    uint64_t spread; /* random: names cannot be chosen to fall together in the table */
    struct name_slot {
        uint64_t hash;
        uint32_t id; /* + 1 */
    } * table;
};

/* Room for a value. Nobody reads these buffers as a string, so the NUL behind is not kept. */
static inline uint8_t *value_room(struct wedr_buf *b)
{
    return b->cap - b->len > VARINT_MAX ? b->p + b->len : wedr_buf_reserve(b, VARINT_MAX);
}

static inline void put_varint(struct wedr_buf *b, uint64_t v)
{
    uint8_t *t = value_room(b);
    if (t != NULL) {
        for (; v > 0x7Fu; v >>= 7) {
            *t++ = (uint8_t)(v | 0x80u);
        }
        *t++ = (uint8_t)v;
        b->len = (size_t)(t - b->p);
    }
}

static inline void put_byte(struct wedr_buf *b, uint8_t v)
{
    uint8_t *t = value_room(b);
    if (t != NULL) {
        *t = v;
        b->len++;
    }
}

static inline void put_u32(struct wedr_buf *b, uint32_t v)
{
    uint8_t *t = value_room(b);
    if (t != NULL) {
        wedr_put_le32(t, v);
        b->len += 4;
    }
}

static uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0);
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (~(v & 1u) + 1u));
}

struct wedr_columns_writer *wedr_columns_writer_new(uint64_t seq0)
{
    struct wedr_columns_writer *w = wedr_alloc(1, sizeof(*w));
    if (w == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < WEDR_COLUMN_MAX; i++) {
        wedr_buf_init(&w->col[i], RAW_MAX);
    }
    wedr_buf_init(&w->dict, RAW_MAX);
    w->seq_prev = seq0;
    w->table_cap = 1024;
    wedr_random(&w->spread, sizeof(w->spread));
    w->spread |= 1u;
    w->table = wedr_alloc(w->table_cap, sizeof(*w->table));
    if (w->table == NULL) {
        wedr_columns_writer_free(w);
        return NULL;
    }
    return w;
}

void wedr_columns_writer_free(struct wedr_columns_writer *w)
{
    if (w == NULL) {
        return;
    }
    for (size_t i = 0; i < WEDR_COLUMN_MAX; i++) {
        wedr_buf_fini(&w->col[i]);
    }
    wedr_buf_fini(&w->dict);
    wedr_free(w->table);
    wedr_free(w);
}

static uint32_t name_place(const struct wedr_columns_writer *w, uint64_t hash, uint32_t cap)
{
    return (uint32_t)((hash * w->spread) >> (64u - (unsigned)__builtin_ctz(cap)));
}

static bool names_grow(struct wedr_columns_writer *w)
{
    uint32_t cap = w->table_cap * 2;
    struct name_slot *t = wedr_alloc(cap, sizeof(*t));
    if (t == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < w->table_cap; i++) {
        if (w->table[i].id != 0) {
            uint32_t k = name_place(w, w->table[i].hash, cap);
            while (t[k].id != 0) {
                k = (k + 1) & (cap - 1);
            }
            t[k] = w->table[i];
        }
    }
    wedr_free(w->table);
    w->table = t;
    w->table_cap = cap;
    return true;
}

/* Id + 1 of a name, 0 for none. Names are told apart by their 64-bit hash. */
static uint32_t name_id(struct wedr_columns_writer *w, const char *s, uint32_t len)
{
    if (s == NULL) {
        return 0;
    }
    if ((w->dict_count + 1) * 2 > w->table_cap && !names_grow(w)) {
        w->failed = true;
        return 0;
    }
    uint64_t h = wedr_filter_hash(s, len);
    uint32_t k = name_place(w, h, w->table_cap);
    while (w->table[k].id != 0) {
        if (w->table[k].hash == h) {
            return w->table[k].id;
        }
        k = (k + 1) & (w->table_cap - 1);
    }
    put_varint(&w->dict, len);
    wedr_buf_add(&w->dict, s, len);
    w->table[k].hash = h;
    w->table[k].id = ++w->dict_count;
    return w->table[k].id;
}

void wedr_columns_add(struct wedr_columns_writer *w, const struct wedr_column_row *r)
{
    put_varint(&w->col[WEDR_COLUMN_TS], zigzag((int64_t)((uint64_t)r->ts - (uint64_t)w->ts_prev)));
    w->ts_prev = r->ts;
    put_byte(&w->col[WEDR_COLUMN_TYPE], r->type);
    put_varint(&w->col[WEDR_COLUMN_PID], (uint64_t)(r->pid + 1));
    put_varint(&w->col[WEDR_COLUMN_PPID], (uint64_t)(r->ppid + 1));
    put_varint(&w->col[WEDR_COLUMN_NAME], name_id(w, r->name, r->name_len));
    put_u32(&w->col[WEDR_COLUMN_LINE], r->line_len);
    put_varint(&w->col[WEDR_COLUMN_SEQ], r->seq - w->seq_prev);
    w->seq_prev = r->seq;
    w->n++;
}

static int add_frame(struct wedr_buf *out, size_t entry, const struct wedr_buf *raw, uint8_t id)
{
    size_t bound = ZSTD_compressBound(raw->len);
    uint8_t *p = wedr_buf_reserve(out, bound);
    if (p == NULL || raw->overflow) {
        return WEDR_E_NOMEM;
    }
    size_t n = wedr_zframe_pack(p, bound, raw->p, raw->len, 1);
    if (ZSTD_isError(n)) {
        return WEDR_E_NOMEM;
    }
    wedr_buf_commit(out, n);
    uint8_t *e = out->p + entry;
    e[0] = id;
    wedr_put_le32(e + 4, (uint32_t)n);
    wedr_put_le32(e + 8, (uint32_t)raw->len);
    return WEDR_OK;
}

int wedr_columns_finish(struct wedr_columns_writer *w, struct wedr_buf *ret)
{
    struct wedr_buf name;
    size_t start = ret->len;
    wedr_buf_init(&name, RAW_MAX);
    put_varint(&name, w->dict_count);
    wedr_buf_add(&name, w->dict.p, w->dict.len);
    wedr_buf_add(&name, w->col[WEDR_COLUMN_NAME].p, w->col[WEDR_COLUMN_NAME].len);
    size_t head = HEADER + ENTRY * (WEDR_COLUMN_MAX - 1u);
    uint8_t *p = wedr_buf_reserve(ret, head);
    bool bad = w->failed || w->dict.overflow || w->col[WEDR_COLUMN_NAME].overflow;
    int rc = p == NULL || bad ? WEDR_E_NOMEM : WEDR_OK;
    if (rc == WEDR_OK) {
        memset(p, 0, head);
        p[0] = COLUMNS_VERSION;
        p[1] = WEDR_COLUMN_MAX - 1u;
        wedr_put_le32(p + 4, w->n);
        wedr_buf_commit(ret, head);
    }
    for (uint8_t id = 1; rc == WEDR_OK && id < WEDR_COLUMN_MAX; id++) {
        const struct wedr_buf *raw = id == WEDR_COLUMN_NAME ? &name : &w->col[id];
        rc = add_frame(ret, start + HEADER + (size_t)ENTRY * (id - 1u), raw, id);
    }
    wedr_buf_fini(&name);
    return rc;
}

struct column_entry {
    const uint8_t *z;
    uint32_t z_len, raw_len;
};

struct wedr_columns {
    uint32_t n;
    uint64_t seq0;
    struct column_entry entry[WEDR_COLUMN_MAX];
    int64_t *ints[WEDR_COLUMN_MAX]; /* NAME: id or -1 */
    uint8_t *types;
    uint8_t *name_raw;
    struct wedr_span *names;
    uint32_t name_count;
};

int wedr_columns_open(
    const void *p, size_t len, uint32_t n, uint64_t seq0, struct wedr_columns **ret)
{
    const uint8_t *b = p;
    if (len < HEADER) {
        return WEDR_E_CORRUPT;
    }
    if (b[0] != COLUMNS_VERSION) {
        return WEDR_E_VERSION;
    }
    size_t count = b[1];
    size_t at = HEADER + ENTRY * count;
    if (wedr_le32(b + 4) != n || len < at) {
        return WEDR_E_CORRUPT;
    }
    struct wedr_columns *c = wedr_alloc(1, sizeof(*c));
    if (c == NULL) {
        return WEDR_E_NOMEM;
    }
    c->n = n;
    c->seq0 = seq0;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *e = b + HEADER + ENTRY * i;
        uint32_t z_len = wedr_le32(e + 4), raw_len = wedr_le32(e + 8);
        if (z_len > len - at || raw_len > RAW_MAX) {
            wedr_columns_close(c);
            return WEDR_E_CORRUPT;
        }
        if (e[0] < WEDR_COLUMN_MAX && e[1] == 0) {
            c->entry[e[0]] = (struct column_entry){b + at, z_len, raw_len};
        }
        at += z_len;
    }
    *ret = c;
    return WEDR_OK;
}

void wedr_columns_close(struct wedr_columns *c)
{
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < WEDR_COLUMN_MAX; i++) {
        wedr_free(c->ints[i]);
    }
    wedr_free(c->types);
    wedr_free(c->name_raw);
    wedr_free(c->names);
    wedr_free(c);
}

static int
unpack(const struct wedr_columns *c, enum wedr_column_id id, uint8_t **ret, size_t *ret_len)
{
    const struct column_entry *e = &c->entry[id];
    if (e->z == NULL) {
        return WEDR_E_NOENT;
    }
    if (ZSTD_getFrameContentSize(e->z, e->z_len) != e->raw_len) {
        return WEDR_E_CORRUPT;
    }
    uint8_t *p = wedr_alloc((size_t)e->raw_len + 1, 1);
    if (p == NULL) {
        return WEDR_E_NOMEM;
    }
    size_t n = wedr_zframe_unpack(p, e->raw_len, e->z, e->z_len);
    if (ZSTD_isError(n) || n != e->raw_len) {
        wedr_free(p);
        return WEDR_E_CORRUPT;
    }
    *ret = p;
    *ret_len = n;
    return WEDR_OK;
}

static bool get_varint(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && *p < end; shift += 7) {
        uint8_t b = *(*p)++;
        v |= (uint64_t)(b & 0x7Fu) << shift;
        if ((b & 0x80u) == 0) {
            *ret = v;
            return true;
        }
    }
    return false;
}

/* One value of a column, given the one before it. */
static int64_t value_of(enum wedr_column_id id, uint64_t raw, int64_t before)
{
    switch (id) {
    case WEDR_COLUMN_TS:
        return (int64_t)((uint64_t)before + (uint64_t)unzigzag(raw));
    case WEDR_COLUMN_SEQ:
        return (int64_t)((uint64_t)before + raw);
    default:
        return (int64_t)(raw - 1u);
    }
}

static int
decode_ints(struct wedr_columns *c, enum wedr_column_id id, const uint8_t *p, const uint8_t *end)
{
    int64_t *v = wedr_alloc((size_t)c->n + 1, sizeof(*v));
    if (v == NULL) {
        return WEDR_E_NOMEM;
    }
    int64_t before = id == WEDR_COLUMN_SEQ ? (int64_t)c->seq0 : 0;
    for (uint32_t i = 0; i < c->n; i++) {
        uint64_t raw = 0;
        bool good;
        if (id == WEDR_COLUMN_LINE) {
            good = end - p >= 4;
            v[i] = good ? (int64_t)wedr_le32(p) : 0;
            p += good ? 4 : 0;
        } else {
            good = get_varint(&p, end, &raw);
            v[i] = value_of(id, raw, before);
        }
        if (!good) {
            wedr_free(v);
            return WEDR_E_CORRUPT;
        }
        before = v[i];
    }
    c->ints[id] = v;
    return WEDR_OK;
}

int wedr_columns_ints(struct wedr_columns *c, enum wedr_column_id id, const int64_t **ret)
{
    if (id <= 0 || id >= WEDR_COLUMN_MAX || id == WEDR_COLUMN_TYPE || id == WEDR_COLUMN_NAME) {
        return WEDR_E_INVAL;
    }
    if (c->ints[id] == NULL) {
        uint8_t *raw = NULL;
        size_t len = 0;
        int rc = unpack(c, id, &raw, &len);
        if (rc == WEDR_OK) {
            rc = decode_ints(c, id, raw, raw + len);
        }
        wedr_free(raw);
        if (rc != WEDR_OK) {
            return rc;
        }
    }
    *ret = c->ints[id];
    return WEDR_OK;
}

int wedr_columns_types(struct wedr_columns *c, const uint8_t **ret)
{
    if (c->types == NULL) {
        uint8_t *raw = NULL;
        size_t len = 0;
        int rc = unpack(c, WEDR_COLUMN_TYPE, &raw, &len);
        if (rc == WEDR_OK && len != c->n) {
            rc = WEDR_E_CORRUPT;
            wedr_free(raw);
        }
        if (rc != WEDR_OK) {
            return rc;
        }
        c->types = raw;
    }
    *ret = c->types;
    return WEDR_OK;
}

static int decode_names(struct wedr_columns *c, const uint8_t *p, const uint8_t *end)
{
    uint64_t count = 0;
    if (!get_varint(&p, end, &count) || count > (uint64_t)(end - p)) {
        return WEDR_E_CORRUPT;
    }
    c->names = wedr_alloc((size_t)count + 1, sizeof(*c->names));
    if (c->names == NULL) {
        return WEDR_E_NOMEM;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t len = 0;
        if (!get_varint(&p, end, &len) || len > (uint64_t)(end - p)) {
            return WEDR_E_CORRUPT;
        }
        c->names[i] = wedr_span(p, (size_t)len);
        p += len;
    }
    c->name_count = (uint32_t)count;
    return decode_ints(c, WEDR_COLUMN_NAME, p, end);
}

int wedr_columns_name(struct wedr_columns *c, uint32_t i, struct wedr_span *ret)
{
    if (c->ints[WEDR_COLUMN_NAME] == NULL) {
        size_t len = 0;
        if (c->name_raw != NULL) {
            return WEDR_E_CORRUPT; /* tried before */
        }
        int rc = unpack(c, WEDR_COLUMN_NAME, &c->name_raw, &len);
        rc = rc == WEDR_OK ? decode_names(c, c->name_raw, c->name_raw + len) : rc;
        if (rc != WEDR_OK) {
            return rc;
        }
    }
    int64_t id = i < c->n ? c->ints[WEDR_COLUMN_NAME][i] : WEDR_COLUMN_NONE;
    if (id >= (int64_t)c->name_count || id < WEDR_COLUMN_NONE) {
        return WEDR_E_CORRUPT;
    }
    *ret = id < 0 ? wedr_span(NULL, 0) : c->names[id];
    return WEDR_OK;
}
