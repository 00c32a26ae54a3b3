/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/ingest.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "ingest/columns.h"
#include "ingest/facts.h"
#include "ingest/filter.h"
#include "ingest/line_reader.h"
#include "ingest/merge.h"
#include "ingest/prepared.h"
#include "ingest/unpack.h"
#include <openssl/sha.h>
#include <string.h>

#define COLUMN_PART_MAX (64u << 20)

/* One run of wedr_ingest_prepare. */
struct work {
    const struct wedr_ingest_batch *b;
    struct wedr_prepared *p;
    struct wedr_errinfo *ei;
    char *raw;
    size_t raw_len, longest;
    uint32_t *line_len; /* with its newline, of each line */
    struct wedr_line_reader *reader;
    struct wedr_columns_writer *columns; /* NULL when tiny */
    struct wedr_filter_builder *filter;  /* NULL when tiny */
    uint64_t seq;                        /* of the line before */
    bool some_time;
    char *scratch; /* of the longest line; NULL when tiny */
    size_t fact_cap;
};

static int check_identity(struct work *w)
{
    const struct wedr_batch_id *id = &w->b->id;
    uint8_t digest[WEDR_SHA256_LEN];
    if (w->b->z_len > WEDR_BATCH_Z_MAX) {
        return wedr_fail(w->ei, WEDR_E_LIMIT, "batch of %zu bytes is over the limit", w->b->z_len);
    }
    if (strlen(w->b->agent_id) != WEDR_AGENT_ID_TEXT - 1u || wedr_batch_id_check(id) != WEDR_OK ||
        id->last_seq > INT64_MAX || id->produced > INT64_MAX || id->lost > INT64_MAX) {
        return wedr_fail(w->ei, WEDR_E_RANGE, "identity of the batch is out of range");
    }
    /* libcrypto's uses the processor's instructions for it, five times as fast as plain C. */
    if (SHA256(w->b->z, w->b->z_len, digest) == NULL) {
        return wedr_fail(w->ei, WEDR_E_NOMEM, "out of memory");
    }
    if (memcmp(digest, id->sha256, sizeof(digest)) != 0) {
        return wedr_fail(w->ei, WEDR_E_CORRUPT, "digest does not match the bytes");
    }
    return WEDR_OK;
}

/* Counts lines, notes their lengths and finds the longest. The text must end with a newline. */
static int measure_lines(struct work *w)
{
    size_t lines = 0;
    const char *s = w->raw, *end = w->raw + w->raw_len;
    while (s < end) {
        const char *nl = memchr(s, '\n', (size_t)(end - s));
        if (nl == NULL) {
            return wedr_fail(w->ei, WEDR_E_FORMAT, "the last line has no newline");
        }
        size_t len = (size_t)(nl - s) + 1;
        w->longest = len > w->longest ? len : w->longest;
        if (lines < w->b->id.count) {
            w->line_len[lines] = (uint32_t)len;
        }
        lines++;
        s = nl + 1;
    }
    if (lines != w->b->id.count) {
        return wedr_fail(w->ei, WEDR_E_RANGE, "%zu lines, the identity says %u", lines,
                         w->b->id.count);
    }
    return WEDR_OK;
}

static int begin(struct work *w)
{
    struct wedr_prepared *p = w->p;
    int rc = wedr_unpack(w->b->z, w->b->z_len, WEDR_BATCH_RAW_ACCEPT, &w->raw, &w->raw_len);
    if (rc != WEDR_OK) {
        return wedr_fail(w->ei, rc, "body is not one whole zstd frame within the limits");
    }
    w->line_len = wedr_realloc(NULL, w->b->id.count, sizeof(*w->line_len));
    rc = w->line_len == NULL ? WEDR_E_NOMEM : measure_lines(w);
    if (rc != WEDR_OK) {
        return rc;
    }
    p->raw_len = w->raw_len;
    p->tiny = w->b->id.count < WEDR_BLOCK_LINES_MIN;
    p->bitmap_len = (w->b->id.count + 7u) / 8u;
    p->bitmap = wedr_alloc(p->bitmap_len, 1);
    w->reader = wedr_line_reader_borrow(w->longest > WEDR_LINE_MAX ? WEDR_LINE_MAX : w->longest);
    w->columns = p->tiny ? NULL : wedr_columns_writer_new(w->b->id.first_seq);
    w->filter = p->tiny ? NULL : wedr_filter_builder_new(w->b->id.count);
    w->scratch = p->tiny ? NULL : wedr_alloc(w->longest + WEDR_LINE_PADDING, 1);
    p->canonical = !p->tiny;
    if (p->bitmap == NULL || w->reader == NULL ||
        (!p->tiny && (w->columns == NULL || w->filter == NULL || w->scratch == NULL))) {
        return WEDR_E_NOMEM;
    }
    return WEDR_OK;
}

/* The seq of line i: the line's own when it can be read, else the next free one. Either way every
 * line must find a place between its neighbours and the ends of the range. */
static int place_seq(struct work *w, uint32_t i, const struct wedr_line_info *info)
{
    const struct wedr_batch_id *id = &w->b->id;
    uint32_t last = id->count - 1u;
    uint64_t seq = i == 0 ? id->first_seq : w->seq + 1u;
    if (i == last) {
        seq = id->last_seq;
    }
    if (info->has_seq) {
        seq = info->seq;
    }
    bool rises = i == 0 ? seq == id->first_seq : seq > w->seq;
    bool fits = seq <= id->last_seq && id->last_seq - seq >= last - i;
    if (!rises || !fits || (i == last && seq != id->last_seq)) {
        return wedr_fail(w->ei, WEDR_E_RANGE, "line %u: seq does not rise within the range",
                         i + 1u);
    }
    w->seq = seq;
    return WEDR_OK;
}

static int keep_fact(struct work *w,
                     const struct wedr_line *line,
                     const struct wedr_line_info *info,
                     uint32_t i)
{
    struct wedr_prepared *p = w->p;
    if (p->fact_count == w->fact_cap) {
        size_t cap = w->fact_cap == 0 ? 4 : w->fact_cap * 2;
        struct wedr_fact *f = wedr_realloc(p->facts, cap, sizeof(*f));
        if (f == NULL) {
            return WEDR_E_NOMEM;
        }
        p->facts = f;
        w->fact_cap = cap;
    }
    int rc = wedr_fact_read(line, info, &p->facts[p->fact_count]);
    if (rc == WEDR_OK) {
        p->facts[p->fact_count++].line = i;
    }
    return rc;
}

static void note_accepted(struct work *w, const struct wedr_line_info *info)
{
    struct wedr_prepared *p = w->p;
    p->accepted++;
    p->counts[info->code]++;
    if (!w->some_time || info->ts_us < p->t0) {
        p->t0 = info->ts_us;
    }
    if (!w->some_time || info->ts_us > p->t1) {
        p->t1 = info->ts_us;
    }
    w->some_time = true;
    p->t_last = info->ts_us;
}

static int do_line(struct work *w, uint32_t i, const char *s, size_t len)
{
    struct wedr_line line = {NULL, 0};
    struct wedr_line_info info;
    int rc = WEDR_E_LIMIT;
    if (len <= WEDR_LINE_MAX) {
        rc = wedr_line_reader_next(w->reader, s, len - 1, w->b->id.stream, &line, &info);
    } else {
        memset(&info, 0, sizeof(info));
    }
    if (rc == WEDR_OK && wedr_fact_type(info.code)) {
        rc = keep_fact(w, &line, &info, i);
    }
    if (rc == WEDR_E_NOMEM) {
        return rc;
    }
    int placed = place_seq(w, i, &info);
    if (placed != WEDR_OK) {
        return placed;
    }
    if (rc == WEDR_OK) {
        note_accepted(w, &info);
    } else {
        w->p->rejected++;
        w->p->bitmap[i / 8u] |= (uint8_t)(1u << (i % 8u));
    }
    if (w->p->canonical && !info.canonical) {
        w->p->canonical = wedr_text_canonical(s, len, w->scratch) != 0;
    }
    if (w->columns != NULL) {
        wedr_row_add(w->columns, w->filter, w->seq, (uint32_t)len, w->p->t_last,
                     rc == WEDR_OK ? &line : NULL, &info);
    }
    return WEDR_OK;
}

static int do_lines(struct work *w)
{
    const char *s = w->raw;
    int rc = WEDR_OK;
    for (uint32_t i = 0; rc == WEDR_OK && i < w->b->id.count; i++) {
        rc = do_line(w, i, s, w->line_len[i]);
        s += w->line_len[i];
    }
    return rc;
}

static int finish(struct work *w)
{
    struct wedr_prepared *p = w->p;
    if (!w->some_time) {
        p->t0 = p->t1 = p->t_last = p->received_us;
    }
    if (p->rejected == 0) {
        wedr_free(p->bitmap);
        p->bitmap = NULL;
        p->bitmap_len = 0;
    }
    if (!p->tiny) {
        int rc = wedr_columns_finish(w->columns, &p->col);
        rc = rc == WEDR_OK ? wedr_filter_finish(w->filter, &p->bloom, &p->ngram) : rc;
        if (rc != WEDR_OK) {
            return rc;
        }
    }
    p->z = wedr_alloc(w->b->z_len, 1);
    if (p->z == NULL) {
        return WEDR_E_NOMEM;
    }
    memcpy(p->z, w->b->z, w->b->z_len);
    p->z_len = w->b->z_len;
    if (p->tiny && p->rejected == 0 && p->raw_len <= WEDR_LINES_KEPT_MAX) {
        p->lines = wedr_realloc(w->raw, p->raw_len, 1); /* its room may be much larger */
        w->raw = p->lines ? NULL : w->raw;
    }
    return WEDR_OK;
}

static struct wedr_prepared *prepared_new(const struct wedr_ingest_batch *b)
{
    struct wedr_prepared *p = wedr_alloc(1, sizeof(*p));
    if (p == NULL) {
        return NULL;
    }
    size_t host = strlen(b->hostname);
    host = host < sizeof(p->hostname) ? host : sizeof(p->hostname) - 1;
    memcpy(p->agent_id, b->agent_id, WEDR_AGENT_ID_TEXT);
    memcpy(p->hostname, b->hostname, host);
    p->id = b->id;
    p->received_us = b->received_us;
    wedr_buf_init(&p->col, COLUMN_PART_MAX);
    wedr_buf_init(&p->bloom, COLUMN_PART_MAX);
    wedr_buf_init(&p->ngram, COLUMN_PART_MAX);
    return p;
}

int wedr_ingest_prepare(const struct wedr_ingest_batch *b,
                        struct wedr_prepared **ret,
                        struct wedr_errinfo *ei)
{
    struct work w = {.b = b, .ei = ei};
    int rc = check_identity(&w);
    if (rc != WEDR_OK) {
        return rc;
    }
    w.p = prepared_new(b);
    rc = w.p == NULL ? WEDR_E_NOMEM : begin(&w);
    rc = rc == WEDR_OK ? do_lines(&w) : rc;
    rc = rc == WEDR_OK ? finish(&w) : rc;
    wedr_line_reader_return(w.reader);
    wedr_columns_writer_free(w.columns);
    wedr_filter_builder_free(w.filter);
    wedr_free(w.scratch);
    wedr_free(w.line_len);
    wedr_free(w.raw);
    if (rc != WEDR_OK) {
        wedr_prepared_free(w.p);
        return rc == WEDR_E_NOMEM ? wedr_fail(ei, rc, "out of memory") : rc;
    }
    *ret = w.p;
    return WEDR_OK;
}

void wedr_prepared_free(struct wedr_prepared *p)
{
    if (p != NULL) {
        wedr_free(p->z);
        wedr_free(p->lines);
        wedr_free(p->bitmap);
        wedr_free(p->facts);
        wedr_buf_fini(&p->col);
        wedr_buf_fini(&p->bloom);
        wedr_buf_fini(&p->ngram);
        wedr_free(p);
    }
}

size_t wedr_prepared_size(const struct wedr_prepared *p)
{
    return sizeof(*p) + p->z_len + (p->lines ? p->raw_len : 0) + p->bitmap_len +
           p->fact_count * sizeof(*p->facts) + p->col.len + p->bloom.len + p->ngram.len;
}

void wedr_prepared_counts(const struct wedr_prepared *p,
                          uint32_t *ret_accepted,
                          uint32_t *ret_rejected)
{
    *ret_accepted = p->accepted;
    *ret_rejected = p->rejected;
}
