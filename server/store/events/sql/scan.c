/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/sql/scan.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_CACHE 256u
#define SPARSE 8u /* fewer than one line in so many: each is searched alone */

/* --- Needles: texts that a line which passes must have in it. */

static bool plain(uint8_t c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

/* The longest run of s that stands in canonical text as it is. */
static struct wedr_span plain_run(struct wedr_span s)
{
    struct wedr_span best = {s.p, 0};
    size_t from = 0;
    for (size_t i = 0; i <= s.len; i++) {
        if (i == s.len || !plain(s.p[i])) {
            best = i - from > best.len ? wedr_span(s.p + from, i - from) : best;
            from = i + 1;
        }
    }
    return best;
}

static int add_needle(struct wedr_scan *w, const char *s, size_t len, bool lower, bool canonical)
{
    if (len == 0 || memchr(s, '\n', len) != NULL) {
        return WEDR_OK;
    }
    struct wedr_scan_needle *n = &w->needle[w->needle_count];
    if (!wedr_needle_init(&n->n, s, len, lower)) {
        return WEDR_E_NOMEM;
    }
    n->canonical = canonical;
    w->needle_count++;
    return WEDR_OK;
}

static int add_number(struct wedr_scan *w, int64_t v)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%lld", (long long)v);
    return v < 2 ? WEDR_OK : add_needle(w, text, (size_t)n, false, true); /* 0, 1: true, false */
}

/* A whole value, in quotes when it cannot be a number. */
static int add_value(struct wedr_scan *w, struct wedr_span s)
{
    struct wedr_span run = plain_run(s);
    bool number = wedr_prune_like_number(s);
    if (run.len != s.len || number) {
        return number && s.len < 2 ? WEDR_OK
                                   : add_needle(w, (const char *)run.p, run.len, false, true);
    }
    char *quoted = wedr_alloc(s.len + 3, 1);
    if (quoted == NULL) {
        return WEDR_E_NOMEM;
    }
    quoted[0] = '"';
    memcpy(quoted + 1, s.p, s.len);
    quoted[s.len + 1] = '"';
    int err = add_needle(w, quoted, s.len + 2, false, true);
    wedr_free(quoted);
    return err;
}

static int add_test(struct wedr_scan *w, const struct wedr_test *t)
{
    struct wedr_span best = {NULL, 0};
    bool raw = t->column == C_RAW;
    if (t->column < C_PROCESS_KEY || t->column == C_PROCESS_NAME) {
        return WEDR_OK;
    }
    if (t->op == WEDR_TEST_ANY && t->count == 1) {
        return wedr_events_is_number(t->column) ? add_number(w, t->number[0])
               : raw                            ? WEDR_OK
                                                : add_value(w, t->text[0]);
    }
    for (size_t i = 0; (t->op == WEDR_TEST_LIKE || t->op == WEDR_TEST_CONTAINS) && i < t->count;
         i++) {
        struct wedr_span run = raw ? t->text[i] : plain_run(t->text[i]);
        best = run.len > best.len ? run : best;
    }
    if (!raw && best.len == 1 && (best.p[0] == '0' || best.p[0] == '1')) {
        return WEDR_OK;
    }
    return add_needle(w, (const char *)best.p, best.len, true, !raw);
}

int wedr_scan_init(struct wedr_scan *w, struct wedr_sql *sql, const struct wedr_events_ask *ask)
{
    memset(w, 0, sizeof(*w));
    w->sql = sql;
    w->ask = ask;
    int err = wedr_prune_new(ask, &w->prune);
    for (size_t i = 0; err == WEDR_OK && i < ask->count; i++) {
        err = add_test(w, &ask->test[i]);
    }
    return err;
}

void wedr_scan_fini(struct wedr_scan *w)
{
    for (size_t i = 0; i < w->needle_count; i++) {
        wedr_needle_fini(&w->needle[i].n);
    }
    wedr_prune_free(w->prune);
    wedr_line_parser_free(w->parser);
    wedr_free(w->mask);
    memset(w, 0, sizeof(*w));
}

/* --- Column part. */

static void by_types(struct wedr_scan *w, struct wedr_block *b)
{
    const uint8_t *types = NULL;
    bool ok[256];
    bool all = b->rejected == 0;
    for (unsigned code = 0; code < 256; code++) {
        ok[code] = code != WEDR_TYPE_CODE_REJECTED &&
                   wedr_scan_code_passes(w->ask, b->stream, (uint8_t)code);
        all = all && (ok[code] || b->counts[code] == 0);
    }
    if (all || wedr_columns_types(b->columns, &types) != WEDR_OK) {
        return;
    }
    for (uint32_t i = 0; i < b->n; i++) {
        w->mask[i] &= ok[types[i]];
    }
}

static void by_number(struct wedr_scan *w, struct wedr_block *b, const struct wedr_test *t)
{
    enum wedr_column_id id = t->column == C_TS    ? WEDR_COLUMN_TS
                             : t->column == C_SEQ ? WEDR_COLUMN_SEQ
                             : t->column == C_PID ? WEDR_COLUMN_PID
                                                  : WEDR_COLUMN_PPID;
    const int64_t *v = NULL;
    bool process = t->column == C_PID || t->column == C_PPID;
    if (t->op != WEDR_TEST_ANY && t->column == C_TS && wedr_test_number(t, b->t0) &&
        wedr_test_number(t, b->t1)) {
        return; /* all of the block lies inside */
    }
    if (wedr_columns_ints(b->columns, id, &v) != WEDR_OK) {
        return;
    }
    for (uint32_t i = 0; i < b->n; i++) {
        w->mask[i] = w->mask[i] && (!process || v[i] >= 0) && wedr_test_number(t, v[i]);
    }
}

/* Names come from a dictionary: each is compared about once. */
static void by_name(struct wedr_scan *w, struct wedr_block *b, const struct wedr_test *t)
{
    struct {
        const uint8_t *p;
        bool good;
    } cache[NAME_CACHE];
    memset(cache, 0, sizeof(cache));
    for (uint32_t i = 0; i < b->n; i++) {
        struct wedr_span s = {NULL, 0};
        if (!w->mask[i]) {
            continue;
        }
        if (wedr_columns_name(b->columns, i, &s) != WEDR_OK) {
            return;
        }
        size_t k = (size_t)((uintptr_t)s.p % NAME_CACHE);
        if (s.p != NULL && cache[k].p != s.p) {
            cache[k].p = s.p;
            cache[k].good = wedr_test_text(t, (const char *)s.p, s.len);
        }
        w->mask[i] = s.p != NULL && cache[k].good;
    }
}

/* False: none is left. What a part does not tell is left to the lines. */
static bool by_columns(struct wedr_scan *w, struct wedr_block *b)
{
    bool needed = b->rejected != 0;
    for (unsigned code = 0; !needed && code < 256; code++) {
        needed = b->counts[code] != 0 && !wedr_scan_code_passes(w->ask, b->stream, (uint8_t)code);
    }
    for (size_t i = 0; i < w->ask->count; i++) {
        int c = w->ask->test[i].column;
        needed =
            needed || c == C_TS || c == C_SEQ || c == C_PID || c == C_PPID || c == C_PROCESS_NAME;
    }
    if (!needed || b->tiny || !wedr_block_need_columns(b)) {
        return true;
    }
    by_types(w, b);
    for (size_t i = 0; i < w->ask->count; i++) {
        const struct wedr_test *t = &w->ask->test[i];
        if (t->column == C_TS || t->column == C_SEQ || t->column == C_PID || t->column == C_PPID) {
            by_number(w, b, t);
        } else if (t->column == C_PROCESS_NAME) {
            by_name(w, b, t);
        }
    }
    return memchr(w->mask, 1, b->n) != NULL;
}

/* --- Text. */

static uint32_t count_mask(const struct wedr_scan *w, const struct wedr_block *b)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        n += w->mask[i];
    }
    return n;
}

/* One search runs over the whole text, as far as lines are in question. */
static void search(struct wedr_scan *w, struct wedr_block *b, const struct wedr_needle *n)
{
    const char *text = b->raw;
    const char *end = text + b->raw_len, *hit = text;
    bool first = true;
    for (uint32_t i = 0; i < b->n; i++) {
        const char *from = text + b->offset[i], *to = text + b->offset[i + 1] - 1;
        if (!w->mask[i]) {
            continue;
        }
        if (hit != NULL && (first || hit < from)) {
            hit = wedr_needle_find(n, from, end);
            first = false;
        }
        w->mask[i] = hit != NULL && hit < to;
    }
}

static void search_lines(struct wedr_scan *w, struct wedr_block *b, const struct wedr_needle *n)
{
    for (uint32_t i = 0; i < b->n; i++) {
        const char *from = b->raw + b->offset[i], *to = b->raw + b->offset[i + 1] - 1;
        if (w->mask[i]) {
            w->mask[i] = wedr_needle_find(n, from, to) != NULL;
        }
    }
}

static void by_text(struct wedr_scan *w, struct wedr_block *b, bool canonical)
{
    for (size_t i = 0; i < w->needle_count; i++) {
        const struct wedr_scan_needle *s = &w->needle[i];
        if (s->canonical && !canonical) {
            continue;
        }
        if (!wedr_block_need_lines(b)) {
            return;
        }
        if (count_mask(w, b) < b->n / SPARSE) {
            search_lines(w, b, &s->n);
        } else {
            search(w, b, &s->n);
        }
    }
}

/* --- Lines. */

static bool member_passes(struct wedr_block *b, uint32_t row, const struct wedr_test *t)
{
    if (!wedr_block_parse(b, row)) {
        return false;
    }
    const struct wedr_lp_member *m =
        b->info.column[t->column - C_PROCESS_KEY + (int)WEDR_COL_PROCESS_KEY];
    if (m == NULL) {
        return false;
    }
    return m->type == WEDR_LP_STR                              ? wedr_test_text(t, m->s, m->s_len)
           : m->type == WEDR_LP_INT || m->type == WEDR_LP_BOOL ? wedr_test_number(t, (int64_t)m->v)
                                                               : false;
}

static bool row_passes(struct wedr_scan *w, struct wedr_block *b, uint32_t row, const bool *skip)
{
    for (size_t i = 0; i < w->ask->count; i++) {
        const struct wedr_test *t = &w->ask->test[i];
        struct wedr_span s = {NULL, 0};
        int64_t v = 0;
        uint8_t code = 0;
        bool good = true;
        if (skip[i]) {
            continue;
        }
        switch (t->column) {
        case C_TS:
            good = wedr_block_ts(b, row, &v) && wedr_test_number(t, v);
            break;
        case C_SEQ:
            good = wedr_block_seq(b, row, &v) && wedr_test_number(t, v);
            break;
        case C_PID:
        case C_PPID:
            good = wedr_block_pid(b, row, t->column == C_PID ? WEDR_COLUMN_PID : WEDR_COLUMN_PPID,
                                  &v) &&
                   wedr_test_number(t, v);
            break;
        case C_PROCESS_NAME:
            good = wedr_block_name(b, row, &s) && wedr_test_text(t, (const char *)s.p, s.len);
            break;
        case C_LANE:
        case C_MODULE:
        case C_EVENT_TYPE:
            good = wedr_block_code(b, row, &code) && wedr_scan_code_passes(w->ask, b->stream, code);
            break;
        case C_RECEIVED_AT:
            good = wedr_test_number(t, wedr_block_received_at(b, row));
            break;
        case C_RAW:
            good = wedr_block_line(b, row, &s) && wedr_test_text(t, (const char *)s.p, s.len);
            break;
        default:
            good = t->column < C_PROCESS_KEY || member_passes(b, row, t);
            break;
        }
        if (!good) {
            return false;
        }
    }
    return true;
}

/* Tests that need no look at the line any more. */
static void find_done(const struct wedr_scan *w, const struct wedr_block *b, bool *skip)
{
    for (size_t i = 0; i < w->ask->count; i++) {
        const struct wedr_test *t = &w->ask->test[i];
        switch (t->column) {
        case C_RECEIVED_AT:
            skip[i] = b->parts_read && b->parts == NULL; /* of one batch: the metadata decided */
            break;
        case C_AGENT_ID:
        case C_HOSTNAME:
        case C_EPOCH:
        case C_BOOT_ID:
        case C_STREAM:
            skip[i] = true;
            break;
        case C_RAW: /* the search was this very test */
            skip[i] = t->op == WEDR_TEST_CONTAINS && t->text[0].len != 0 &&
                      memchr(t->text[0].p, '\n', t->text[0].len) == NULL;
            break;
        default:
            skip[i] = t->column < C_PROCESS_KEY && b->columns != NULL;
            break;
        }
    }
}

static bool by_lines(struct wedr_scan *w, struct wedr_block *b, struct wedr_found *ret)
{
    bool skip[WEDR_TESTS_MAX];
    find_done(w, b, skip);
    ret->match = wedr_alloc((size_t)count_mask(w, b) + 1, sizeof(*ret->match));
    if (ret->match == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < b->n && b->failed == WEDR_OK; i++) {
        if ((i & 255u) == 0 && wedr_sql_timed_out(w->sql)) {
            break;
        }
        if (!w->mask[i] || !wedr_block_is_row(b, i) || !row_passes(w, b, i, skip)) {
            continue;
        }
        struct wedr_match m = {0, i};
        if (w->ask->order == 0 || wedr_block_ts(b, i, &m.ts)) {
            ret->match[ret->count++] = m;
        }
    }
    return true;
}

static int ascending(const void *a, const void *b)
{
    const struct wedr_match *x = a, *y = b;
    int by_ts = (x->ts > y->ts) - (x->ts < y->ts);
    return by_ts != 0 ? by_ts : (x->row > y->row) - (x->row < y->row);
}

static int descending(const void *a, const void *b)
{
    return ascending(b, a);
}

static void sort(const struct wedr_scan *w, struct wedr_found *f)
{
    int (*compare)(const void *, const void *) = w->ask->order < 0 ? descending : ascending;
    bool sorted = true;
    for (size_t i = 1; sorted && i < f->count; i++) {
        sorted = compare(&f->match[i - 1], &f->match[i]) < 0;
    }
    if (!sorted) {
        qsort(f->match, f->count, sizeof(*f->match), compare);
    }
}

/* What the reader will ask for is opened in this thread; of an ordered query only what the order
 * needs, because LIMIT leaves most blocks unread. */
static void open_ahead(const struct wedr_scan *w, struct wedr_found *f)
{
    const uint32_t line = ~((1u << C_PROCESS_KEY) - 1u) & ~(1u << C_PROCESS_NAME);
    struct wedr_block *b = &f->block;
    uint32_t row = f->match[0].row;
    struct wedr_span s;
    int64_t v = 0;
    uint8_t code = 0;
    if ((w->ask->used & line) != 0 && w->ask->order == 0) {
        (void)wedr_block_need_lines(b);
    }
    if (b->tiny) {
        return;
    }
    if ((w->ask->used & 1u << C_TS) != 0) {
        (void)wedr_block_ts(b, row, &v);
    }
    if ((w->ask->used & (1u << C_LANE | 1u << C_MODULE | 1u << C_EVENT_TYPE)) != 0) {
        (void)wedr_block_code(b, row, &code);
    }
    if ((w->ask->used & 1u << C_PID) != 0) {
        (void)wedr_block_pid(b, row, WEDR_COLUMN_PID, &v);
    }
    if ((w->ask->used & 1u << C_PROCESS_NAME) != 0) {
        (void)wedr_block_name(b, row, &s);
    }
}

static void find(struct wedr_scan *w, bool canonical, struct wedr_found *ret)
{
    struct wedr_block *b = &ret->block;
    if (w->mask_cap < (size_t)b->n + 1) {
        uint8_t *p = wedr_realloc(w->mask, (size_t)b->n + 1, 1);
        if (p == NULL) {
            (void)wedr_sql_note(w->sql, WEDR_E_NOMEM);
            return;
        }
        w->mask = p;
        w->mask_cap = (size_t)b->n + 1;
    }
    memset(w->mask, 1, b->n);
    if (!by_columns(w, b)) {
        return;
    }
    by_text(w, b, canonical);
    if (!by_lines(w, b, ret)) {
        (void)wedr_sql_note(w->sql, WEDR_E_NOMEM);
        return;
    }
    if (ret->count != 0) {
        if (w->ask->order != 0) {
            sort(w, ret);
        }
        open_ahead(w, ret);
    }
}

void wedr_scan_block(struct wedr_scan *w,
                     struct wedr_sql_day *day,
                     const struct wedr_block_meta *m,
                     struct wedr_found *ret)
{
    struct wedr_block *b = &ret->block;
    memset(ret, 0, sizeof(*ret));
    if (!wedr_prune_kept_allows(w->prune, m)) {
        return;
    }
    wedr_block_from_meta(b, w->sql, day, m);
    if (!wedr_prune_allows(w->prune, b, m)) {
        return;
    }
    b->parser = w->parser;
    w->parser = NULL;
    find(w, m->canonical, ret);
    w->parser = b->parser;
    b->parser = NULL;
    b->parsed_row = 0;
    if (ret->count == 0) {
        wedr_block_shut(b);
    } else {
        b->failed = WEDR_OK; /* the lines that were found can be read */
    }
}

void wedr_found_fini(struct wedr_found *f)
{
    wedr_block_fini(&f->block);
    wedr_free(f->match);
    memset(f, 0, sizeof(*f));
}
