/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/sql/block.h — one stored block or tiny batch, opened as far as a question
 * needs it: metadata, then columns, then lines, then one parsed line. What is in the database is
 * hostile.
 */
#pragma once

#include "core/base/span.h"
#include "ingest/columns.h"
#include "ingest/line_schema.h"
#include "ingest/prepared.h"
#include "store/events/sql/sql.h"

struct wedr_block_meta;

struct wedr_block {
    struct wedr_sql *sql;
    sqlite3 *db;
    struct wedr_sql_day *day; /* keeps statements; NULL: they are made each time */
    bool tiny;
    bool logged; /* that it is damaged */
    int64_t id;
    char agent[64], hostname[256], stream[64];
    uint64_t epoch;
    uint8_t boot_id[WEDR_BOOT_ID_LEN];
    int64_t seq0, seq1, t0, t1, received_at;
    uint32_t n, rejected;
    uint32_t counts[256];
    uint8_t *bitmap; /* tiny with rejected lines */
    size_t bitmap_len;
    uint8_t *parts; /* of a merged block: its batches */
    size_t parts_len;
    bool parts_read;
    /* opened when needed */
    struct wedr_columns *columns;
    uint8_t *column_blob;
    char *raw;
    size_t raw_cap, raw_len, counted; /* counted: in sql->open_bytes */
    uint32_t *offset;                 /* n + 1 */
    struct wedr_line_parser *parser;
    uint32_t parsed_row; /* + 1 */
    int parsed_rc;
    struct wedr_line line;
    struct wedr_line_info info;
    int failed; /* first error of a part; said once in the log */
};

/* Columns of the row that st stands on, as WEDR_BLOCK_SELECT names them. */
#define WEDR_BLOCK_COLUMNS                                                                        \
    "id, agent, hostname, epoch, boot_id, stream, seq0, seq1, n, rejected, t0, t1, received_at, " \
    "counts"
void wedr_block_from_row(
    struct wedr_block *b, struct wedr_sql *sql, sqlite3 *db, sqlite3_stmt *st, bool tiny);
/* Copies lines of a small batch from memory, none of them rejected, into b, whose n is filled in.
 * WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_block_give_lines(struct wedr_block *b, const char *lines, size_t len);
/* After it: they are open from now on, as if read. WEDR_E_NOMEM, WEDR_E_CORRUPT: b has none. */
WEDR_MUST_USE int wedr_block_lines_given(struct wedr_block *b);
/* Sets b->counts from its stored form (day_file.h: wedr_counts_blob). */
void wedr_block_counts(struct wedr_block *b, const uint8_t *c, size_t len);
/* Of a block that wedr_metas listed; day is one of sql's and open. */
void wedr_block_from_meta(struct wedr_block *b,
                          struct wedr_sql *sql,
                          struct wedr_sql_day *day,
                          const struct wedr_block_meta *m);
/* Hands a block to another thread: what is opened from now on is opened there. */
void wedr_block_move(struct wedr_block *b, struct wedr_sql *sql, struct wedr_sql_day *day);
/* Frees what was opened, as if nothing had been yet. */
void wedr_block_shut(struct wedr_block *b);
/* Copies a part out of the database. WEDR_E_NOENT: the block has none. WEDR_E_BUSY: the block was
 * merged away and deleted since it was listed. Free with wedr_free. */
WEDR_MUST_USE int
wedr_block_part(struct wedr_block *b, enum wedr_part part, uint8_t **ret, size_t *ret_len);
/* Opens the lines or the column part; false: it cannot be read, or there is none. */
bool wedr_block_need_lines(struct wedr_block *b);
bool wedr_block_need_columns(struct wedr_block *b);
/* Frees what was opened; the struct may be used again. */
void wedr_block_fini(struct wedr_block *b);

/* False: the line is no row (rejected, or the block is damaged there). */
bool wedr_block_is_row(struct wedr_block *b, uint32_t row);
/* Values that the column part has; from the line itself where there is no column part. */
bool wedr_block_ts(struct wedr_block *b, uint32_t row, int64_t *ret);
bool wedr_block_seq(struct wedr_block *b, uint32_t row, int64_t *ret);
/* The same for any line: a rejected one may be without, and got the next free seq when it came.
 * before: of the line before. */
bool wedr_block_any_seq(struct wedr_block *b, uint32_t row, int64_t before, int64_t *ret);
bool wedr_block_code(struct wedr_block *b, uint32_t row, uint8_t *ret);
bool wedr_block_pid(struct wedr_block *b, uint32_t row, enum wedr_column_id which, int64_t *ret);
bool wedr_block_name(struct wedr_block *b, uint32_t row, struct wedr_span *ret);
/* When the row's batch came: the block's own time, unless it was merged from several. */
int64_t wedr_block_received_at(struct wedr_block *b, uint32_t row);
/* The line without its newline. */
bool wedr_block_line(struct wedr_block *b, uint32_t row, struct wedr_span *ret);
/* The parsed line; false when it cannot be read. Valid until another row is parsed. */
bool wedr_block_parse(struct wedr_block *b, uint32_t row);
