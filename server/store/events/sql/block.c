/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/sql/block.h"

#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "ingest/unpack.h"
#include "store/events/sql/metas.h"
#include <stdio.h>
#include <string.h>

#define SPARE_MAX (4u << 20)   /* larger texts are rare, their memory is given back */
#define LINE_FIRST (64u << 10) /* the parser grows for longer lines */

static void copy_text(sqlite3_stmt *st, int i, char *ret, size_t cap)
{
    const unsigned char *s = sqlite3_column_text(st, i);
    size_t n = s == NULL ? 0 : (size_t)sqlite3_column_bytes(st, i);
    n = n < cap ? n : cap - 1;
    if (n != 0) {
        memcpy(ret, s, n);
    }
    ret[n] = 0;
}

static uint32_t column_count(sqlite3_stmt *st, int i)
{
    int64_t v = sqlite3_column_int64(st, i);
    return v < 0 ? 0 : v > WEDR_BATCH_LINES_MAX ? WEDR_BATCH_LINES_MAX : (uint32_t)v;
}

void wedr_block_counts(struct wedr_block *b, const uint8_t *c, size_t len)
{
    for (size_t i = 0; c != NULL && i + 6 <= len; i += 6) {
        uint16_t code = wedr_le16(c + i);
        if (code < 256) {
            b->counts[code] = wedr_le32(c + i + 2);
        }
    }
}

void wedr_block_from_row(
    struct wedr_block *b, struct wedr_sql *sql, sqlite3 *db, sqlite3_stmt *st, bool tiny)
{
    memset(b, 0, sizeof(*b));
    b->sql = sql;
    b->db = db;
    b->tiny = tiny;
    b->id = sqlite3_column_int64(st, 0);
    copy_text(st, 1, b->agent, sizeof(b->agent));
    copy_text(st, 2, b->hostname, sizeof(b->hostname));
    b->epoch = (uint64_t)sqlite3_column_int64(st, 3);
    if (sqlite3_column_bytes(st, 4) == (int)sizeof(b->boot_id)) {
        memcpy(b->boot_id, sqlite3_column_blob(st, 4), sizeof(b->boot_id));
    }
    copy_text(st, 5, b->stream, sizeof(b->stream));
    b->seq0 = sqlite3_column_int64(st, 6);
    b->seq1 = sqlite3_column_int64(st, 7);
    b->n = column_count(st, 8);
    b->rejected = column_count(st, 9);
    b->t0 = sqlite3_column_int64(st, 10);
    b->t1 = sqlite3_column_int64(st, 11);
    b->received_at = sqlite3_column_int64(st, 12);
    const uint8_t *c = sqlite3_column_blob(st, 13);
    wedr_block_counts(b, c, (size_t)sqlite3_column_bytes(st, 13));
}

void wedr_block_from_meta(struct wedr_block *b,
                          struct wedr_sql *sql,
                          struct wedr_sql_day *day,
                          const struct wedr_block_meta *m)
{
    memset(b, 0, sizeof(*b));
    b->sql = sql;
    b->db = day->db;
    b->day = day;
    b->tiny = m->tiny;
    b->id = m->id;
    (void)snprintf(b->agent, sizeof(b->agent), "%s", m->agent);
    (void)snprintf(b->hostname, sizeof(b->hostname), "%s", m->hostname);
    (void)snprintf(b->stream, sizeof(b->stream), "%s", m->stream);
    b->epoch = m->epoch;
    memcpy(b->boot_id, m->boot_id, sizeof(b->boot_id));
    b->seq0 = m->seq0;
    b->seq1 = m->seq1;
    b->t0 = m->t0;
    b->t1 = m->t1;
    b->n = m->n;
    b->rejected = m->rejected;
    b->received_at = m->received_at;
    b->parts_read = !m->merged; /* nothing to read */
    wedr_block_counts(b, m->counts, m->counts_len);
}

void wedr_block_move(struct wedr_block *b, struct wedr_sql *sql, struct wedr_sql_day *day)
{
    b->sql->open_bytes -= b->counted;
    sql->open_bytes += b->counted;
    b->sql = sql;
    b->db = day->db;
    b->day = day;
}

/* Fresh memory costs as much as unpacking into it. */
static void keep_room(struct wedr_block *b)
{
    struct wedr_room *spare = &b->sql->spare;
    if (b->sql->keeps_room && b->raw != NULL && b->raw_cap > spare->cap &&
        b->raw_cap <= SPARE_MAX) {
        wedr_free(spare->p);
        *spare = (struct wedr_room){b->raw, b->raw_cap};
        b->raw = NULL;
    }
}

void wedr_block_shut(struct wedr_block *b)
{
    if (b->sql != NULL) {
        b->sql->open_bytes -= b->counted;
        keep_room(b);
    }
    wedr_columns_close(b->columns);
    wedr_line_parser_free(b->parser);
    wedr_free(b->column_blob);
    wedr_free(b->bitmap);
    wedr_free(b->raw);
    wedr_free(b->offset);
    b->columns = NULL;
    b->parser = NULL;
    b->column_blob = b->bitmap = NULL;
    b->raw = NULL;
    b->offset = NULL;
    b->counted = 0;
    b->parsed_row = 0;
}

void wedr_block_fini(struct wedr_block *b)
{
    wedr_block_shut(b);
    wedr_free(b->parts);
    memset(b, 0, sizeof(*b));
}

static bool fail(struct wedr_block *b, int rc)
{
    if (b->failed == WEDR_OK) {
        b->failed = rc;
    }
    if (!wedr_sql_note(b->sql, rc) && !b->logged) {
        b->logged = true;
        wedr_log(ERROR, "events.block_damaged", WEDR_I64("block", b->id),
                 WEDR_STR("agent_id", b->agent), WEDR_STR("stream", b->stream),
                 WEDR_I64("first_seq", b->seq0), WEDR_ERR(rc));
    }
    return false;
}

static int prepare_part(const struct wedr_block *b, enum wedr_part part, sqlite3_stmt **ret)
{
    static const char *const sql[WEDR_PART_COUNT] = {
        "SELECT c FROM col WHERE id=?1",      "SELECT z FROM data WHERE id=?1",
        "SELECT z FROM tiny WHERE id=?1",     "SELECT bitmap FROM tiny WHERE id=?1",
        "SELECT parts FROM made WHERE id=?1", "SELECT f FROM filt WHERE id=?1",
        "SELECT g FROM ng WHERE id=?1"};
    *ret = b->day != NULL ? b->day->part[part] : NULL;
    int rc = *ret != NULL
                 ? SQLITE_OK
                 : sqlite3_prepare_v3(b->db, sql[part], -1,
                                      b->day != NULL ? SQLITE_PREPARE_PERSISTENT : 0, ret, NULL);
    if (rc == SQLITE_OK && b->day != NULL) {
        b->day->part[part] = *ret;
    }
    return rc;
}

/* A part that is not there: damage, unless the block is not there either. Then it was merged away
 * longer ago than such a one stays readable, and its lines are in a block that this query did not
 * list. */
static int why_missing(const struct wedr_block *b)
{
    sqlite3_stmt *st = NULL;
    const char *sql = b->tiny ? "SELECT 1 FROM tiny WHERE id=?1" : "SELECT 1 FROM blk WHERE id=?1";
    int rc = sqlite3_prepare_v2(b->db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(st, 1, b->id);
        rc = sqlite3_step(st);
    }
    sqlite3_finalize(st);
    return rc == SQLITE_DONE  ? WEDR_E_BUSY
           : rc == SQLITE_ROW ? WEDR_E_NOENT
                              : wedr_sqlite_error(b->db, rc);
}

/* So that no statement stays open. */
int wedr_block_part(struct wedr_block *b, enum wedr_part part, uint8_t **ret, size_t *ret_len)
{
    sqlite3_stmt *st = NULL;
    b->sql->parts_read++;
    int rc = prepare_part(b, part, &st);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(st, 1, b->id);
        rc = sqlite3_step(st);
    }
    int err = wedr_sqlite_error(b->db, rc);
    if (rc == SQLITE_DONE) {
        err = why_missing(b);
    } else if (rc == SQLITE_ROW) {
        size_t len = (size_t)sqlite3_column_bytes(st, 0);
        const void *p = sqlite3_column_blob(st, 0);
        uint8_t *copy = wedr_alloc(len + 1, 1);
        if (copy == NULL) {
            err = WEDR_E_NOMEM;
        } else {
            if (len != 0) {
                memcpy(copy, p, len);
            }
            *ret = copy;
            *ret_len = len;
        }
    }
    if (b->day != NULL) {
        sqlite3_reset(st);
    } else {
        sqlite3_finalize(st);
    }
    return err;
}

bool wedr_block_need_columns(struct wedr_block *b)
{
    if (b->columns != NULL) {
        return true;
    }
    if (b->tiny || b->failed != WEDR_OK) {
        return false;
    }
    size_t len = 0;
    int rc = wedr_block_part(b, WEDR_PART_COLUMNS, &b->column_blob, &len);
    if (rc == WEDR_OK) {
        rc = wedr_columns_open(b->column_blob, len, b->n, (uint64_t)b->seq0, &b->columns);
    }
    if (rc != WEDR_OK) { /* the next who asks begins anew */
        wedr_free(b->column_blob);
        b->column_blob = NULL;
        return fail(b, rc);
    }
    return true;
}

/* Parts of a merged block: docs/event-store.md. */
int64_t wedr_block_received_at(struct wedr_block *b, uint32_t row)
{
    if (!b->parts_read && !b->tiny) {
        int rc = wedr_block_part(b, WEDR_PART_MADE, &b->parts, &b->parts_len);
        (void)wedr_sql_note(b->sql, rc);
    }
    b->parts_read = true;
    size_t at = WEDR_PARTS_HEAD;
    while (b->parts && at + WEDR_PART_LEN <= b->parts_len && row >= wedr_le32(b->parts + at)) {
        row -= wedr_le32(b->parts + at);
        at += WEDR_PART_LEN;
    }
    return b->parts && at + WEDR_PART_LEN <= b->parts_len ? (int64_t)wedr_le64(b->parts + at + 4)
                                                          : b->received_at;
}

static int find_lines(struct wedr_block *b)
{
    size_t at = 0;
    b->offset = wedr_alloc((size_t)b->n + 1, sizeof(*b->offset));
    if (b->offset == NULL) {
        return WEDR_E_NOMEM;
    }
    for (uint32_t i = 0; i < b->n; i++) {
        const char *nl = memchr(b->raw + at, '\n', b->raw_len - at);
        if (nl == NULL) {
            return WEDR_E_CORRUPT;
        }
        at = (size_t)(nl - b->raw) + 1;
        b->offset[i + 1] = (uint32_t)at;
    }
    return at == b->raw_len ? WEDR_OK : WEDR_E_CORRUPT;
}

static int unpack_lines(struct wedr_block *b, const uint8_t *z, size_t len)
{
    struct wedr_room room = b->sql->spare;
    b->sql->spare = (struct wedr_room){NULL, 0};
    int rc = wedr_unpack_into(z, len, WEDR_BATCH_RAW_ACCEPT, &room, &b->raw_len);
    b->raw = room.p; /* on errors, too: freed with the block */
    b->raw_cap = room.cap;
    return rc;
}

int wedr_block_give_lines(struct wedr_block *b, const char *lines, size_t len)
{
    struct wedr_room room = b->sql->spare;
    if (room.cap < len + WEDR_LINE_PADDING) {
        char *p = wedr_realloc(room.p, len + WEDR_LINE_PADDING, 1);
        if (p == NULL) {
            return WEDR_E_NOMEM;
        }
        room = (struct wedr_room){p, len + WEDR_LINE_PADDING};
    }
    b->sql->spare = (struct wedr_room){NULL, 0};
    memcpy(room.p, lines, len);
    memset(room.p + len, 0, WEDR_LINE_PADDING);
    b->raw = room.p;
    b->raw_cap = b->counted = room.cap;
    b->raw_len = len;
    b->sql->open_bytes += b->counted;
    return WEDR_OK;
}

/* Lines are there whole or not at all: the next who asks begins anew. */
static void drop_lines(struct wedr_block *b)
{
    b->sql->open_bytes -= b->counted;
    b->counted = 0;
    wedr_free(b->bitmap);
    wedr_free(b->raw);
    wedr_free(b->offset);
    b->bitmap = NULL;
    b->raw = NULL;
    b->offset = NULL;
}

int wedr_block_lines_given(struct wedr_block *b)
{
    int err = find_lines(b);
    if (err != WEDR_OK) {
        drop_lines(b);
    }
    return err;
}

bool wedr_block_need_lines(struct wedr_block *b)
{
    uint8_t *z = NULL;
    size_t len = 0;
    if (b->raw != NULL && b->failed == WEDR_OK) {
        return true;
    }
    if (b->failed != WEDR_OK) {
        return false;
    }
    b->sql->blocks_opened++;
    int rc = wedr_block_part(b, b->tiny ? WEDR_PART_TINY : WEDR_PART_DATA, &z, &len);
    rc = rc == WEDR_OK ? unpack_lines(b, z, len) : rc;
    if (rc == WEDR_OK) {
        b->counted = b->raw_cap;
        b->sql->open_bytes += b->counted;
        rc = b->sql->open_bytes_max != 0 && b->sql->open_bytes > b->sql->open_bytes_max
                 ? WEDR_E_NOMEM
                 : find_lines(b);
    }
    if (rc == WEDR_OK && b->tiny && b->rejected != 0) {
        rc = wedr_block_part(b, WEDR_PART_BITMAP, &b->bitmap, &b->bitmap_len);
        rc = rc == WEDR_OK && b->bitmap_len < (b->n + 7u) / 8u ? WEDR_E_CORRUPT : rc;
    }
    wedr_free(z);
    if (rc != WEDR_OK) {
        drop_lines(b);
        return fail(b, rc);
    }
    return true;
}

bool wedr_block_is_row(struct wedr_block *b, uint32_t row)
{
    const uint8_t *types = NULL;
    if (b->failed != WEDR_OK) {
        return false;
    }
    if (b->rejected == 0) {
        return true;
    }
    if (!b->tiny) {
        int rc = wedr_block_need_columns(b) ? wedr_columns_types(b->columns, &types) : b->failed;
        return rc == WEDR_OK && types ? types[row] != WEDR_TYPE_CODE_REJECTED : fail(b, rc);
    }
    return wedr_block_need_lines(b) && (b->bitmap[row / 8u] & 1u << (row % 8u)) == 0;
}

bool wedr_block_line(struct wedr_block *b, uint32_t row, struct wedr_span *ret)
{
    if (!wedr_block_need_lines(b)) {
        return false;
    }
    *ret = wedr_span(b->raw + b->offset[row], b->offset[row + 1] - b->offset[row] - 1u);
    return true;
}

bool wedr_block_parse(struct wedr_block *b, uint32_t row)
{
    struct wedr_span s;
    if (b->parsed_row == row + 1u) {
        return b->parsed_rc == WEDR_OK;
    }
    if (!wedr_block_line(b, row, &s)) {
        return false;
    }
    if (b->parser == NULL && (b->parser = wedr_line_parser_new(LINE_FIRST)) == NULL) {
        return fail(b, WEDR_E_NOMEM);
    }
    b->sql->lines_parsed++;
    b->parsed_row = row + 1u;
    b->parsed_rc = wedr_line_parse(b->parser, (const char *)s.p, s.len, &b->line);
    if (b->parsed_rc == WEDR_OK) {
        b->parsed_rc = wedr_line_read(&b->line, &b->info);
    }
    return b->parsed_rc == WEDR_OK || fail(b, b->parsed_rc);
}

/* True and *ret set when the column part has the value. */
static bool from_column(struct wedr_block *b, enum wedr_column_id id, uint32_t row, int64_t *ret)
{
    const int64_t *v = NULL;
    int rc = wedr_block_need_columns(b) ? wedr_columns_ints(b->columns, id, &v) : WEDR_E_NOENT;
    if (rc == WEDR_OK) {
        *ret = v[row];
    }
    return rc == WEDR_OK;
}

bool wedr_block_ts(struct wedr_block *b, uint32_t row, int64_t *ret)
{
    if (b->n == 1) {
        *ret = b->t0;
        return true;
    }
    if (from_column(b, WEDR_COLUMN_TS, row, ret)) {
        return true;
    }
    if (!wedr_block_parse(b, row)) {
        return false;
    }
    *ret = b->info.ts_us;
    return true;
}

bool wedr_block_seq(struct wedr_block *b, uint32_t row, int64_t *ret)
{
    if (b->seq1 - b->seq0 + 1 == (int64_t)b->n) {
        *ret = b->seq0 + (int64_t)row;
        return true;
    }
    if (from_column(b, WEDR_COLUMN_SEQ, row, ret)) {
        return true;
    }
    if (!wedr_block_parse(b, row)) {
        return false;
    }
    *ret = (int64_t)b->info.seq;
    return true;
}

bool wedr_block_any_seq(struct wedr_block *b, uint32_t row, int64_t before, int64_t *ret)
{
    if (!b->tiny || b->rejected == 0 || wedr_block_is_row(b, row)) {
        return wedr_block_seq(b, row, ret);
    }
    *ret = row == 0 ? b->seq0 : row + 1u == b->n ? b->seq1 : before + 1;
    return b->failed == WEDR_OK;
}

/* A batch without columns whose only line was counted: most of those of an idle agent. */
static bool only_code(const struct wedr_block *b, uint8_t *ret)
{
    if (!b->tiny || b->n != 1) {
        return false;
    }
    for (unsigned i = 0; i < 256; i++) {
        if (b->counts[i] == 1) {
            *ret = (uint8_t)i;
            return true;
        }
    }
    return false;
}

bool wedr_block_code(struct wedr_block *b, uint32_t row, uint8_t *ret)
{
    const uint8_t *types = NULL;
    if (only_code(b, ret)) {
        return true;
    }
    if (wedr_block_need_columns(b) && wedr_columns_types(b->columns, &types) == WEDR_OK) {
        *ret = types[row];
        return true;
    }
    if (!wedr_block_parse(b, row)) {
        return false;
    }
    *ret = b->info.code;
    return true;
}

bool wedr_block_pid(struct wedr_block *b, uint32_t row, enum wedr_column_id which, int64_t *ret)
{
    if (from_column(b, which, row, ret)) {
        return *ret >= 0;
    }
    if (!wedr_block_parse(b, row)) {
        return false;
    }
    const struct wedr_lp_member *m =
        b->info.column[which == WEDR_COLUMN_PID ? WEDR_COL_PID : WEDR_COL_PPID];
    if (m == NULL) {
        return false;
    }
    *ret = (int64_t)m->v;
    return true;
}

bool wedr_block_name(struct wedr_block *b, uint32_t row, struct wedr_span *ret)
{
    if (wedr_block_need_columns(b)) {
        int rc = wedr_columns_name(b->columns, row, ret);
        (void)wedr_sql_note(b->sql, rc);
        return rc == WEDR_OK && ret->p != NULL;
    }
    if (!wedr_block_parse(b, row)) {
        return false;
    }
    const struct wedr_lp_member *m = b->info.column[WEDR_COL_PROCESS_NAME];
    if (m == NULL) {
        return false;
    }
    *ret = wedr_span(m->s, m->s_len);
    return true;
}
