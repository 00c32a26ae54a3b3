/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/endian.h"
#include "core/base/err.h"
#include "ingest/prepared.h"
#include "store/events/embedded/embedded.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COUNT_PAIR 6u /* u16 type code, u32 count */

static int bind_all(sqlite3_stmt *st, const char *fmt, va_list ap)
{
    int rc = SQLITE_OK;
    for (int i = 1; rc == SQLITE_OK && fmt[i - 1] != 0; i++) {
        if (fmt[i - 1] == 'i') {
            rc = sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
        } else if (fmt[i - 1] == 't') {
            rc = sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
        } else {
            struct wedr_sqlite_blob b = va_arg(ap, struct wedr_sqlite_blob);
            rc = b.p == NULL ? sqlite3_bind_null(st, i)
                             : sqlite3_bind_blob64(st, i, b.p, b.len, SQLITE_STATIC);
        }
    }
    return rc;
}

int wedr_sqlite_run(sqlite3 *db, const char *sql, const char *fmt, ...)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v3(db, sql, -1, 0, &st, NULL);
    va_list ap;
    va_start(ap, fmt);
    rc = rc == SQLITE_OK ? bind_all(st, fmt, ap) : rc;
    va_end(ap);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
    }
    int err = wedr_sqlite_error(db, rc);
    sqlite3_finalize(st);
    return err;
}

void wedr_statements_fini(struct wedr_statements *s)
{
    for (size_t i = 0; i < WEDR_STATEMENTS_MAX; i++) {
        sqlite3_finalize(s->st[i]);
        s->st[i] = NULL;
        s->sql[i] = NULL;
    }
}

int wedr_statements_run(struct wedr_statements *s, const char *sql, const char *fmt, ...)
{
    size_t i = 0;
    int rc = SQLITE_OK;
    while (i < WEDR_STATEMENTS_MAX - 1 && s->sql[i] != NULL && s->sql[i] != sql) {
        i++;
    }
    if (s->sql[i] != sql) {
        sqlite3_finalize(s->st[i]);
        s->st[i] = NULL;
        rc = sqlite3_prepare_v3(s->db, sql, -1, 0, &s->st[i], NULL);
        s->sql[i] = rc == SQLITE_OK ? sql : NULL;
    }
    va_list ap;
    va_start(ap, fmt);
    rc = rc == SQLITE_OK ? bind_all(s->st[i], fmt, ap) : rc;
    va_end(ap);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(s->st[i]);
    }
    int err = wedr_sqlite_error(s->db, rc);
    sqlite3_reset(s->st[i]);
    return err;
}

struct wedr_sqlite_blob wedr_counts_blob(const uint32_t counts[256], uint8_t mem[WEDR_COUNTS_MAX])
{
    size_t n = 0;
    for (unsigned i = 0; i < 256; i++) {
        if (counts[i] != 0) {
            wedr_put_le16(mem + n, (uint16_t)i);
            wedr_put_le32(mem + n + 2, counts[i]);
            n += COUNT_PAIR;
        }
    }
    return (struct wedr_sqlite_blob){mem, n};
}

static int insert_tiny(struct wedr_statements *s, const struct wedr_prepared *p, int64_t *ret_block)
{
    uint8_t mem[WEDR_COUNTS_MAX];
    const struct wedr_batch_id *id = &p->id;
    int rc = wedr_statements_run(
        s,
        "INSERT OR REPLACE INTO tiny(agent, hostname, epoch, boot_id, stream, seq0, seq1, "
        "n, rejected, t0, t1,"
        " received_at, counts, raw_len, bitmap, z) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        "ttibtiiiiiiibibb", p->agent_id, p->hostname, (int64_t)id->epoch,
        (struct wedr_sqlite_blob){id->boot_id, sizeof(id->boot_id)}, id->stream,
        (int64_t)id->first_seq, (int64_t)id->last_seq, (int64_t)id->count, (int64_t)p->rejected,
        p->t0, p->t1, p->received_us, wedr_counts_blob(p->counts, mem), (int64_t)p->raw_len,
        (struct wedr_sqlite_blob){p->bitmap, p->bitmap_len},
        (struct wedr_sqlite_blob){p->z, p->z_len});
    *ret_block = -sqlite3_last_insert_rowid(s->db);
    return rc;
}

static int insert_blk(struct wedr_statements *s, const struct wedr_prepared *p, int64_t *ret_block)
{
    uint8_t mem[WEDR_COUNTS_MAX];
    const struct wedr_batch_id *id = &p->id;
    int rc = wedr_statements_run(
        s,
        "INSERT OR REPLACE INTO blk(agent, hostname, epoch, boot_id, stream, seq0, seq1, n, "
        "rejected, t0, t1,"
        " received_at, counts, raw_len, z_len, flags) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        "ttibtiiiiiiibiii", p->agent_id, p->hostname, (int64_t)id->epoch,
        (struct wedr_sqlite_blob){id->boot_id, sizeof(id->boot_id)}, id->stream,
        (int64_t)id->first_seq, (int64_t)id->last_seq, (int64_t)id->count, (int64_t)p->rejected,
        p->t0, p->t1, p->received_us, wedr_counts_blob(p->counts, mem), (int64_t)p->raw_len,
        (int64_t)p->z_len, (int64_t)(p->canonical ? WEDR_BLK_CANONICAL : 0));
    int64_t block = sqlite3_last_insert_rowid(s->db);
    static const char *const parts[4] = {"INSERT OR REPLACE INTO data(id, z) VALUES(?,?)",
                                         "INSERT OR REPLACE INTO col(id, c) VALUES(?,?)",
                                         "INSERT OR REPLACE INTO filt(id, f) VALUES(?,?)",
                                         "INSERT OR REPLACE INTO ng(id, g) VALUES(?,?)"};
    const struct wedr_sqlite_blob blobs[4] = {{p->z, p->z_len},
                                              {p->col.p, p->col.len},
                                              {p->bloom.p, p->bloom.len},
                                              {p->ngram.p, p->ngram.len}};
    for (int i = 0; rc == WEDR_OK && i < 4; i++) {
        rc = wedr_statements_run(s, parts[i], "ib", block, blobs[i]);
    }
    *ret_block = block;
    return rc;
}

static int insert_loss(struct wedr_statements *s,
                       const struct wedr_prepared *p,
                       const struct wedr_fact *f,
                       int64_t arrival)
{
    char text[WEDR_RANGES_MAX * 42u];
    size_t n = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < f->range_count; i++) {
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%llu-%llu", i == 0 ? "" : ",",
                              (unsigned long long)f->range[i].first,
                              (unsigned long long)f->range[i].last);
    }
    return wedr_statements_run(s, "INSERT OR REPLACE INTO loss VALUES(?,?,?,?,?,?,?,?,?,?,?)",
                               "titiiitiiii", p->agent_id, (int64_t)f->epoch, f->stream,
                               (int64_t)f->reason, (int64_t)f->lost,
                               f->has_produced ? (int64_t)f->produced : (int64_t)0, text, f->ts_us,
                               arrival, (int64_t)p->id.epoch, (int64_t)f->seq);
}

static int insert_fact(struct wedr_statements *s,
                       const struct wedr_prepared *p,
                       const struct wedr_fact *f,
                       int64_t arrival)
{
    int64_t src_epoch = (int64_t)p->id.epoch, src_seq = (int64_t)f->seq, epoch = (int64_t)f->epoch;
    switch (f->type) {
    case WEDR_EV_TELEMETRY_LOSS:
        return insert_loss(s, p, f, arrival);
    case WEDR_EV_EPOCH_START:
        return wedr_statements_run(s,
                                   "INSERT OR REPLACE INTO epoch_start VALUES(?,?,?,?,?,?,?,?,?)",
                                   "titbiiiii", p->agent_id, epoch, f->stream,
                                   (struct wedr_sqlite_blob){f->boot_id, sizeof(f->boot_id)},
                                   (int64_t)f->adopted, f->ts_us, arrival, src_epoch, src_seq);
    case WEDR_EV_EPOCH_END:
        return wedr_statements_run(s, "INSERT OR REPLACE INTO epoch_end VALUES(?,?,?,?,?,?,?,?)",
                                   "titiiiii", p->agent_id, epoch, f->stream, (int64_t)f->produced,
                                   f->ts_us, arrival, src_epoch, src_seq);
    default:
        return wedr_statements_run(s, "INSERT OR REPLACE INTO gap VALUES(?,?,?,?,?,?,?,?)",
                                   "tttiiiii", p->agent_id, p->hostname, f->stream, f->from_us,
                                   f->to_us, (int64_t)f->reason, src_epoch, src_seq);
    }
}

/* Order of arrival has room for the lines of a batch: facts of one batch keep their order. */
int wedr_blocks_insert(struct wedr_statements *s, const struct wedr_prepared *p, int64_t number)
{
    const struct wedr_batch_id *id = &p->id;
    int64_t arrival = number * WEDR_ARRIVAL_STEP;
    int64_t block = 0;
    int rc = p->tiny ? insert_tiny(s, p, &block) : insert_blk(s, p, &block);
    if (rc == WEDR_OK) {
        rc = wedr_statements_run(
            s,
            "INSERT OR REPLACE INTO batch(agent, epoch, stream, seq0, seq1, sha256, n, "
            "rejected, bitmap, produced,"
            " lost_ring, boot_id, received_at, block, hostname, t_last, arrival)"
            " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            "titiibiibiibiitii", p->agent_id, (int64_t)id->epoch, id->stream,
            (int64_t)id->first_seq, (int64_t)id->last_seq,
            (struct wedr_sqlite_blob){id->sha256, sizeof(id->sha256)}, (int64_t)id->count,
            (int64_t)p->rejected, (struct wedr_sqlite_blob){p->bitmap, p->bitmap_len},
            (int64_t)id->produced, (int64_t)id->lost,
            (struct wedr_sqlite_blob){id->boot_id, sizeof(id->boot_id)}, p->received_us, block,
            p->hostname, p->t_last, arrival);
    }
    if (rc == WEDR_OK) {
        rc = wedr_statements_run(
            s,
            "INSERT INTO stream VALUES(?,?,?,?,?,?,?) ON CONFLICT(agent, epoch, stream) DO UPDATE "
            "SET"
            " seq_min=min(seq_min, excluded.seq_min), seq_max=max(seq_max, excluded.seq_max),"
            " t0=min(t0, excluded.t0), t1=max(t1, excluded.t1)",
            "titiiii", p->agent_id, (int64_t)id->epoch, id->stream, (int64_t)id->first_seq,
            (int64_t)id->last_seq, p->t0, p->t1);
    }
    for (size_t i = 0; rc == WEDR_OK && i < p->fact_count; i++) {
        rc = insert_fact(s, p, &p->facts[i], arrival + (int64_t)p->facts[i].line);
    }
    return rc;
}

int wedr_block_insert(sqlite3 *db, const struct wedr_prepared *p, int64_t number)
{
    struct wedr_statements s = {.db = db};
    int rc = wedr_blocks_insert(&s, p, number);
    wedr_statements_fini(&s);
    return rc;
}

int wedr_tamper_insert(sqlite3 *db, const struct wedr_prepared *p)
{
    return wedr_sqlite_run(db, "INSERT OR IGNORE INTO tamper VALUES(?,?,?,?,?,?,?,?)", "ttitiibi",
                           p->agent_id, p->hostname, (int64_t)p->id.epoch, p->id.stream,
                           (int64_t)p->id.first_seq, (int64_t)p->id.last_seq,
                           (struct wedr_sqlite_blob){p->id.sha256, sizeof(p->id.sha256)},
                           p->received_us);
}
