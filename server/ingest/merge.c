/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/merge.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "ingest/prepared.h"
#include "wedr/wire/event.h"
#include <string.h>
#include <zstd.h>

#define PART_MAX (64u << 20)
#define MERGE_LINES 4096u /* that a merge mostly has */

struct wedr_merge {
    struct wedr_columns_writer *columns;
    struct wedr_filter_builder *filter;
    struct wedr_buf raw;
    struct wedr_merged made;
    int64_t t_last;
};

static void add_members(struct wedr_filter_builder *f, const struct wedr_line *line, bool known)
{
    for (size_t i = 0; i < line->count; i++) {
        const struct wedr_lp_member *m = &line->m[i];
        if (m->scope == WEDR_LP_TOP) {
            bool said = known && m->key[0] != 's'; /* of the texts of a known type's line */
            if (m->type == WEDR_LP_STR && !said &&
                m->key[0] != 't') { /* ts is never searched for by 4-grams */
                wedr_filter_add_key(f, m->s, m->s_len);
            }
            continue;
        }
        if (m->key != NULL && (!known || m->scope == WEDR_LP_NESTED)) {
            wedr_filter_add_key(f, m->key, m->key_len);
        }
        if (m->type == WEDR_LP_STR) {
            wedr_filter_add_value(f, m->s, m->s_len);
        }
    }
}

static void add_to_filter(struct wedr_filter_builder *f,
                          const struct wedr_line *line,
                          const struct wedr_line_info *info)
{
    if (info->schema != NULL) {
        wedr_filter_add_known(f, info);
    }
    if (info->text == NULL) {
        add_members(f, line, info->schema != NULL);
        return;
    }
    wedr_filter_add_key(f, info->source->s, info->source->s_len);
    wedr_filter_add_texts(f, info);
}

bool wedr_filter_life_type(uint8_t code)
{
    return code == WEDR_EV_PROCESS_CREATE || code == WEDR_EV_PROCESS_FORK ||
           code == WEDR_EV_PROCESS_TERMINATE;
}

/* A process stands in every block that it does something in: its tree is found by these. */
static void add_life(struct wedr_filter_builder *f, const struct wedr_line_info *info)
{
    const struct wedr_lp_member *key = info->column[WEDR_COL_PROCESS_KEY],
                                *parent = info->column[WEDR_COL_PARENT_KEY];
    if (key != NULL && key->type == WEDR_LP_STR && wedr_filter_life_type(info->code)) {
        wedr_filter_add_field(f, WEDR_FILTER_LIFE, key->s, key->s_len);
    }
    if (parent != NULL && parent->type == WEDR_LP_STR) {
        wedr_filter_add_field(f, WEDR_FILTER_PARENT, parent->s, parent->s_len);
    }
}

static int64_t int_column(const struct wedr_lp_member *m)
{
    return m != NULL && m->type == WEDR_LP_INT && (int64_t)m->v >= 0 && m->v <= UINT32_MAX
               ? (int64_t)m->v
               : WEDR_COLUMN_NONE;
}

void wedr_row_add(struct wedr_columns_writer *columns,
                  struct wedr_filter_builder *filter,
                  uint64_t seq,
                  uint32_t len,
                  int64_t ts,
                  const struct wedr_line *line,
                  const struct wedr_line_info *info)
{
    struct wedr_column_row row = {
        .seq = seq, .line_len = len, .pid = WEDR_COLUMN_NONE, .ppid = WEDR_COLUMN_NONE};
    row.type = (uint8_t)WEDR_TYPE_CODE_REJECTED;
    row.ts = ts;
    if (line != NULL) {
        const struct wedr_lp_member *name = info->column[WEDR_COL_PROCESS_NAME];
        bool text = name != NULL && name->type == WEDR_LP_STR;
        row.type = info->code;
        row.ts = info->ts_us;
        row.pid = int_column(info->column[WEDR_COL_PID]);
        row.ppid = int_column(info->column[WEDR_COL_PPID]);
        row.name = text ? name->s : NULL;
        row.name_len = text ? name->s_len : 0;
        add_to_filter(filter, line, info);
        add_life(filter, info);
        if (row.pid >= 0) {
            wedr_filter_add_number(filter, "pid", (uint64_t)row.pid);
        }
        if (row.ppid >= 0) {
            wedr_filter_add_number(filter, "ppid", (uint64_t)row.ppid);
        }
    }
    wedr_columns_add(columns, &row);
}

struct wedr_merge *wedr_merge_new(uint64_t seq0)
{
    struct wedr_merge *m = wedr_alloc(1, sizeof(*m));
    if (m == NULL) {
        return NULL;
    }
    wedr_buf_init(&m->raw, WEDR_MERGE_RAW_MAX + WEDR_LINE_PADDING);
    wedr_buf_init(&m->made.col, PART_MAX);
    wedr_buf_init(&m->made.bloom, PART_MAX);
    wedr_buf_init(&m->made.ngram, PART_MAX);
    m->made.t0 = INT64_MAX;
    m->made.t1 = INT64_MIN;
    m->columns = wedr_columns_writer_new(seq0);
    m->filter = wedr_filter_builder_new(MERGE_LINES);
    if (m->columns == NULL || m->filter == NULL) {
        wedr_merge_free(m);
        return NULL;
    }
    return m;
}

void wedr_merged_fini(struct wedr_merged *m)
{
    wedr_free(m->z);
    m->z = NULL;
    wedr_buf_fini(&m->col);
    wedr_buf_fini(&m->bloom);
    wedr_buf_fini(&m->ngram);
}

void wedr_merge_free(struct wedr_merge *m)
{
    if (m != NULL) {
        wedr_columns_writer_free(m->columns);
        wedr_filter_builder_free(m->filter);
        wedr_buf_fini(&m->raw);
        wedr_merged_fini(&m->made);
        wedr_free(m);
    }
}

void wedr_merge_add(struct wedr_merge *m,
                    uint64_t seq,
                    struct wedr_span text,
                    const struct wedr_line *line,
                    const struct wedr_line_info *info)
{
    struct wedr_merged *r = &m->made;
    wedr_buf_add(&m->raw, text.p, text.len);
    wedr_buf_add(&m->raw, "\n", 1);
    r->lines++;
    if (line == NULL) {
        r->rejected++;
    } else {
        r->counts[info->code]++;
        r->t0 = info->ts_us < r->t0 ? info->ts_us : r->t0;
        r->t1 = info->ts_us > r->t1 ? info->ts_us : r->t1;
        m->t_last = info->ts_us;
    }
    wedr_row_add(m->columns, m->filter, seq, (uint32_t)text.len + 1u, m->t_last, line, info);
}

int wedr_pack(const void *p, size_t len, int level, uint8_t **ret, size_t *ret_len)
{
    size_t cap = ZSTD_compressBound(len);
    uint8_t *room = wedr_alloc(cap, 1);
    size_t n = room == NULL ? 0 : ZSTD_compress(room, cap, p, len, level);
    uint8_t *z = n == 0 || ZSTD_isError(n) ? NULL : wedr_alloc(n, 1);
    if (z != NULL) {
        memcpy(z, room, n);
        *ret = z;
        *ret_len = n;
    }
    wedr_free(room);
    return z != NULL ? WEDR_OK : WEDR_E_NOMEM;
}

int wedr_merge_finish(struct wedr_merge *m, int level, struct wedr_merged *ret)
{
    struct wedr_merged *r = &m->made;
    if (m->raw.overflow || m->raw.len == 0 || m->raw.len > WEDR_MERGE_RAW_MAX ||
        r->lines > WEDR_BATCH_LINES_MAX) {
        return m->raw.len > WEDR_MERGE_RAW_MAX / 2 ? WEDR_E_LIMIT : WEDR_E_NOMEM;
    }
    r->raw_len = m->raw.len;
    char *scratch = wedr_alloc(m->raw.len + WEDR_LINE_PADDING, 1);
    int rc =
        scratch == NULL ? WEDR_E_NOMEM : wedr_pack(m->raw.p, m->raw.len, level, &r->z, &r->z_len);
    /* The search for needs readable bytes behind the text. */
    rc = rc == WEDR_OK && !wedr_buf_reserve(&m->raw, WEDR_LINE_PADDING) ? WEDR_E_NOMEM : rc;
    if (rc == WEDR_OK) {
        r->canonical = wedr_text_canonical((const char *)m->raw.p, m->raw.len, scratch) != 0;
        rc = wedr_columns_finish(m->columns, &r->col);
    }
    rc = rc == WEDR_OK ? wedr_filter_finish(m->filter, &r->bloom, &r->ngram) : rc;
    wedr_free(scratch);
    if (rc != WEDR_OK) {
        return rc;
    }
    *ret = *r;
    memset(r, 0, sizeof(*r)); /* the parts are the caller's now */
    wedr_buf_init(&r->col, PART_MAX);
    wedr_buf_init(&r->bloom, PART_MAX);
    wedr_buf_init(&r->ngram, PART_MAX);
    return WEDR_OK;
}
