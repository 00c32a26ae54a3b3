/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/sql/rows.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "store/events/sql/pool.h"
#include <stdlib.h>
#include <string.h>

#define LIST_MAX (32u << 20)
#define SCANS_KEEP 2u /* from this one on token filters are kept for the next */
#define OPEN_SHARE 4u /* of the memory that blocks may take: more, and those not read are shut */

struct wedr_rows {
    struct wedr_sql *sql;
    const struct wedr_events_ask *ask;
    struct wedr_place *list;
    size_t count, cap;
    struct wedr_pool *pool;
    struct wedr_line_parser *parser; /* lent to the block that is read */
    size_t taken;                    /* places that the pool gave */
    /* Blocks with rows left: one when any order will do, else a heap by the time of the next row.
     */
    struct wedr_found **open;
    size_t open_count, open_cap;
    struct wedr_found *current;
};

/* --- The list of blocks. */

static int add_place(struct wedr_rows *r, size_t day, const struct wedr_block_meta *m)
{
    if (r->count == r->cap) {
        size_t cap = r->cap == 0 ? 64 : r->cap * 2;
        struct wedr_place *p = cap > LIST_MAX ? NULL : wedr_realloc(r->list, cap, sizeof(*p));
        if (p == NULL) {
            return WEDR_E_NOMEM;
        }
        r->list = p;
        r->cap = cap;
    }
    r->list[r->count++] = (struct wedr_place){day, m};
    return WEDR_OK;
}

static int list_blocks(struct wedr_rows *r)
{
    struct wedr_sql *s = r->sql;
    for (size_t d = 0; d < s->day_count; d++) {
        const struct wedr_block_meta *m = NULL;
        size_t n = 0;
        if (wedr_sql_day_db(s, d) == NULL) {
            if (s->failed != WEDR_OK) {
                return s->failed;
            }
            continue;
        }
        if (s->days[d].t1 < r->ask->ts_min || s->days[d].t0 > r->ask->ts_max) {
            continue;
        }
        int err = wedr_metas(s, d, &m, &n);
        for (size_t i = 0; err == WEDR_OK && i < n; i++) {
            err = wedr_scan_wants(r->ask, &m[i]) ? add_place(r, d, &m[i]) : WEDR_OK;
        }
        if (err != WEDR_OK) {
            return err;
        }
    }
    return WEDR_OK;
}

static int by_begin(const void *a, const void *b)
{
    const struct wedr_block_meta *x = ((const struct wedr_place *)a)->meta,
                                 *y = ((const struct wedr_place *)b)->meta;
    return (x->t0 > y->t0) - (x->t0 < y->t0);
}

static int by_end(const void *a, const void *b)
{
    const struct wedr_block_meta *x = ((const struct wedr_place *)a)->meta,
                                 *y = ((const struct wedr_place *)b)->meta;
    return (x->t1 < y->t1) - (x->t1 > y->t1);
}

int wedr_rows_new(struct wedr_sql *sql, const struct wedr_events_ask *ask, struct wedr_rows **ret)
{
    struct wedr_rows *r = wedr_alloc(1, sizeof(*r));
    if (r == NULL) {
        return WEDR_E_NOMEM;
    }
    r->sql = sql;
    r->ask = ask;
    if (++sql->scans == SCANS_KEEP) {
        sql->keep_to = &sql->kept;
    }
    int err = ask->nothing ? WEDR_OK : list_blocks(r);
    if (err == WEDR_OK && ask->order != 0 && r->count > 1) {
        qsort(r->list, r->count, sizeof(*r->list), ask->order < 0 ? by_end : by_begin);
    }
    err = err == WEDR_OK ? wedr_pool_new(sql, ask, r->list, r->count, &r->pool) : err;
    if (err != WEDR_OK) {
        wedr_rows_free(r);
        return err;
    }
    *ret = r;
    return WEDR_OK;
}

static void found_free(struct wedr_found *f)
{
    wedr_found_fini(f);
    wedr_free(f);
}

static void return_parser(struct wedr_rows *r)
{
    if (r->current != NULL && r->current->block.parser != NULL) {
        r->parser = r->current->block.parser;
        r->current->block.parser = NULL;
        r->current->block.parsed_row = 0;
    }
    r->current = NULL;
}

void wedr_rows_free(struct wedr_rows *r)
{
    if (r == NULL) {
        return;
    }
    return_parser(r);
    wedr_pool_free(r->pool);
    for (size_t i = 0; i < r->open_count; i++) {
        found_free(r->open[i]);
    }
    wedr_line_parser_free(r->parser);
    wedr_free(r->open);
    wedr_free(r->list);
    wedr_free(r);
}

/* --- The heap. */

/* True when a's next row comes before b's. */
static bool
before(const struct wedr_rows *r, const struct wedr_found *a, const struct wedr_found *b)
{
    int64_t x = a->match[a->at].ts, y = b->match[b->at].ts;
    return r->ask->order < 0 ? x > y : x < y;
}

static void swap(struct wedr_found **a, struct wedr_found **b)
{
    struct wedr_found *t = *a;
    *a = *b;
    *b = t;
}

static void sift_down(struct wedr_rows *r)
{
    size_t i = 0;
    for (;;) {
        size_t first = i, left = 2 * i + 1, right = left + 1;
        if (left < r->open_count && before(r, r->open[left], r->open[first])) {
            first = left;
        }
        if (right < r->open_count && before(r, r->open[right], r->open[first])) {
            first = right;
        }
        if (first == i) {
            return;
        }
        swap(&r->open[i], &r->open[first]);
        i = first;
    }
}

static int push(struct wedr_rows *r, const struct wedr_found *f)
{
    if (r->open_count == r->open_cap) {
        size_t cap = r->open_cap == 0 ? 16 : r->open_cap * 2;
        struct wedr_found **p = wedr_realloc(r->open, cap, sizeof(struct wedr_found *));
        if (p == NULL) {
            return WEDR_E_NOMEM;
        }
        r->open = p;
        r->open_cap = cap;
    }
    struct wedr_found *copy = wedr_alloc(1, sizeof(*copy));
    if (copy == NULL) {
        return WEDR_E_NOMEM;
    }
    *copy = *f;
    size_t i = r->open_count++;
    r->open[i] = copy;
    for (; r->ask->order != 0 && i != 0 && before(r, r->open[i], r->open[(i - 1) / 2]);
         i = (i - 1) / 2) {
        swap(&r->open[i], &r->open[(i - 1) / 2]);
    }
    return WEDR_OK;
}

static void pop(struct wedr_rows *r)
{
    found_free(r->open[0]);
    r->open[0] = r->open[--r->open_count];
    sift_down(r);
}

/* Rows are kept, not blocks: they are opened again when their turn comes. */
static void shut_others(struct wedr_rows *r)
{
    if (r->sql->open_bytes_max == 0 || r->sql->open_bytes < r->sql->open_bytes_max / OPEN_SHARE) {
        return;
    }
    for (size_t i = 1; i < r->open_count; i++) {
        wedr_block_shut(&r->open[i]->block);
    }
}

/* True when the next block of the list may have a row before all that are open. */
static bool must_open(const struct wedr_rows *r)
{
    if (r->taken == r->count) {
        return false;
    }
    if (r->open_count == 0) {
        return true;
    }
    const struct wedr_block_meta *m = r->list[r->taken].meta;
    const struct wedr_found *top = r->open[0];
    int64_t ts = top->match[top->at].ts;
    return r->ask->order < 0 ? m->t1 >= ts : r->ask->order > 0 && m->t0 <= ts;
}

static int open_next(struct wedr_rows *r)
{
    struct wedr_found f;
    memset(&f, 0, sizeof(f));
    shut_others(r);
    int err = wedr_pool_next(r->pool, &f);
    if (err == WEDR_OK) {
        r->taken++;
        err = f.count != 0 ? push(r, &f) : WEDR_OK;
        if (err == WEDR_OK && f.count != 0) {
            return WEDR_OK;
        }
    }
    wedr_found_fini(&f);
    return err;
}

/* Past the row that was given last. */
static void step(struct wedr_rows *r)
{
    struct wedr_found *f = r->current;
    if (f == NULL) {
        return;
    }
    if (++f->at == f->count) {
        return_parser(r);
        pop(r);
    } else if (r->ask->order != 0) {
        sift_down(r);
    }
}

int wedr_rows_next(struct wedr_rows *r,
                   struct wedr_block **ret_block,
                   uint32_t *ret_row,
                   int32_t *ret_day)
{
    step(r);
    while (must_open(r)) {
        int err = open_next(r);
        if (err != WEDR_OK) {
            return err;
        }
    }
    struct wedr_found *f = r->open_count == 0 ? NULL : r->open[0];
    if (f == NULL) {
        return r->sql->failed == WEDR_OK ? WEDR_E_NOENT : r->sql->failed;
    }
    if (f != r->current) {
        return_parser(r);
        r->current = f;
        if (f->block.parser == NULL) {
            f->block.parser = r->parser;
            r->parser = NULL;
        }
    }
    *ret_block = &f->block;
    *ret_row = f->match[f->at].row;
    *ret_day = f->block.day->day;
    return WEDR_OK;
}
