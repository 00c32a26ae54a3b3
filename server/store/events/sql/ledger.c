/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger: what every stream's producer made, what is stored, what is known to be lost, and what
 * is missing. Computed for a query from the batch rows and facts of all day files, in staging
 * tables that analysts cannot read. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "ingest/prepared.h"
#include "store/events/sql/block.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_CODES 256u
#define AGENTS_ONE_BY_ONE 16u /* more of them, and one walk over all is cheaper */
#define SELECT_MAX 2048u

static const char staging[] =
    "CREATE TABLE x_stream(agent, epoch, stream, stored, expired, rejected, produced, boot, "
    "hostname, t_last, seq_max, arrival);"
    "CREATE TABLE x_loss(agent, epoch, stream, reason, lost, produced, ranges, arrival, src_epoch,"
    " src_seq, PRIMARY KEY(agent, src_epoch, src_seq)) WITHOUT ROWID;"
    "CREATE TABLE x_start(agent, epoch, stream, boot, ts, arrival, src_epoch, src_seq,"
    " PRIMARY KEY(agent, src_epoch, src_seq)) WITHOUT ROWID;"
    "CREATE TABLE x_end(agent, epoch, stream, produced, arrival, src_epoch, src_seq,"
    " PRIMARY KEY(agent, src_epoch, src_seq)) WITHOUT ROWID;"
    "CREATE TABLE x_gap(agent, hostname, stream, from_us, to_us, reason, src_epoch, src_seq,"
    " PRIMARY KEY(agent, src_epoch, src_seq)) WITHOUT ROWID;"
    "CREATE TABLE x_damage(agent, epoch, stream, lost);"
    "CREATE TABLE x_healed(agent, epoch, stream, reason, healed, range_end);"
    "CREATE TABLE x_label(kind, code, text);"
    "CREATE TABLE x_host(agent TEXT PRIMARY KEY, hostname);"
    "CREATE TABLE x_flight(agent, epoch, stream, in_flight, PRIMARY KEY(agent, epoch, stream));"
    "CREATE TABLE tamper(agent_id TEXT, hostname TEXT, epoch TEXT, stream TEXT, first_seq INTEGER, "
    "last_seq INTEGER,"
    " sha256 TEXT, received_at INTEGER);"
    "CREATE TABLE ledger(agent_id TEXT, hostname TEXT, epoch TEXT, boot_id TEXT, stream TEXT, "
    "state TEXT,"
    " unknown_since INTEGER, produced INTEGER, stored INTEGER, expired INTEGER, lost INTEGER, "
    "missing INTEGER,"
    " in_flight INTEGER);"
    "CREATE TABLE ledger_loss(agent_id TEXT, epoch TEXT, stream TEXT, reason TEXT, lost INTEGER);"
    "CREATE TABLE coverage_gaps(agent_id TEXT, hostname TEXT, stream TEXT, from_ts INTEGER, to_ts "
    "INTEGER, reason TEXT);";

#define HAS_BLOCK(b)                                                                        \
    "((" b ".block>0 AND EXISTS(SELECT 1 FROM data d JOIN blk k ON k.id=d.id WHERE d.id=" b \
    ".block))"                                                                              \
    " OR EXISTS(SELECT 1 FROM tiny t WHERE t.id=-" b ".block))"

/* stored counts the rows of batches that have their block: taking away either shows as missing. */
static const char stream_of_day[] = "SELECT b.agent, b.epoch, b.stream, sum(iif(" HAS_BLOCK(
    "b") ", n-rejected, 0)), 0, sum(rejected),"
         " (SELECT max(produced) FROM batch x WHERE x.agent=b.agent AND x.epoch=b.epoch AND "
         "x.stream=b.stream),"
         " boot_id, hostname, t_last, max(seq1),"
         " (SELECT min(arrival) FROM batch x WHERE x.agent=b.agent AND x.epoch=b.epoch AND "
         "x.stream=b.stream)"
         " FROM batch b GROUP BY 1, 2, 3";
static const char stream_of_catalog[] =
    "SELECT agent, epoch, stream, 0, expired, rejected, produced, boot_id, hostname, t_last, "
    "seq_max, arrival FROM expired";
#define INSERT_STREAM "INSERT INTO x_stream VALUES(?,?,?,?,?,?,?,?,?,?,?,?)"

static const struct {
    const char *select, *insert;
} fact_copies[] = {
    {"SELECT agent, epoch, stream, reason, lost, produced, ranges, arrival, src_epoch, src_seq "
     "FROM "
     "loss WHERE reason<>24",
     "INSERT OR IGNORE INTO x_loss VALUES(?,?,?,?,?,?,?,?,?,?)"},
    {"SELECT agent, epoch, stream, boot_id, ts, arrival, src_epoch, src_seq FROM epoch_start",
     "INSERT OR IGNORE INTO x_start VALUES(?,?,?,?,?,?,?,?)"},
    {"SELECT agent, epoch, stream, produced, arrival, src_epoch, src_seq FROM epoch_end",
     "INSERT OR IGNORE INTO x_end VALUES(?,?,?,?,?,?,?)"},
    {"SELECT * FROM gap", "INSERT OR IGNORE INTO x_gap VALUES(?,?,?,?,?,?,?,?)"},
    {"SELECT agent, epoch, stream, lost FROM damage", "INSERT INTO x_damage VALUES(?,?,?,?)"},
    {"SELECT agent, hostname, printf('%016x', epoch), stream, seq0, seq1, "
     "lower(hex(sha256)), received_at FROM tamper",
     "INSERT INTO tamper VALUES(?,?,?,?,?,?,?,?)"}};

static const char computed[] =
    "CREATE TABLE x_s AS SELECT agent, epoch, stream, sum(stored) stored, sum(expired) expired,"
    " sum(rejected) rejected, max(produced) produced, min(arrival) arrival FROM x_stream GROUP BY "
    "1, 2, 3;"
    "CREATE TABLE x_last AS SELECT agent, epoch, stream, max(seq_max) seq, t_last, hostname, boot "
    "FROM x_stream"
    " GROUP BY 1, 2, 3;"
    "CREATE TABLE x_b AS SELECT agent, epoch, stream, boot, min(arrival) arrival, ts FROM x_start "
    "GROUP BY 1, 2, 3;"
    "CREATE TABLE x_e AS SELECT agent, epoch, stream, max(produced) produced FROM x_end GROUP BY "
    "1, 2, 3;"
    "CREATE TABLE x_l AS SELECT agent, epoch, stream, reason, max(lost) lost, max(produced) "
    "produced FROM x_loss"
    " GROUP BY 1, 2, 3, 4;"
    /* one row per epoch of a stream that anything speaks of */
    "CREATE TABLE x_key AS SELECT k.agent, k.epoch, k.stream, coalesce(z.boot, b.boot) boot,"
    " coalesce(z.t_last, b.ts) t_last, z.hostname hostname,"
    " coalesce(min(s.arrival, b.arrival), s.arrival, b.arrival, 0) arrival"
    " FROM (SELECT agent, epoch, stream FROM x_s UNION SELECT agent, epoch, stream FROM x_b"
    "  UNION SELECT agent, epoch, stream FROM x_e UNION SELECT agent, epoch, stream FROM x_l) k"
    " LEFT JOIN x_s s ON s.agent=k.agent AND s.epoch=k.epoch AND s.stream=k.stream"
    " LEFT JOIN x_last z ON z.agent=k.agent AND z.epoch=k.epoch AND z.stream=k.stream"
    " LEFT JOIN x_b b ON b.agent=k.agent AND b.epoch=k.epoch AND b.stream=k.stream;"
    "CREATE TABLE x_newest AS SELECT agent, stream, max(arrival) arrival FROM x_key GROUP BY 1, 2;"
    /* the stream of the agent itself says in which order the machine was booted */
    "CREATE TABLE x_boot AS SELECT agent, boot, min(arrival) arrival FROM x_key WHERE "
    "stream='agent' AND boot IS NOT NULL"
    " GROUP BY 1, 2;"
    /* 23, reenrolled: an epoch of another identity, of which only the lost records are this agent's
     */
    "CREATE TABLE x_lost AS SELECT l.agent, l.epoch, l.stream, l.reason, l.lost-coalesce(h.healed, "
    "0) lost,"
    " max(coalesce(l.produced, 0), CASE WHEN l.reason=23 THEN l.lost-coalesce(h.healed, 0)"
    " ELSE coalesce(h.range_end, 0) END) produced FROM x_l l"
    " LEFT JOIN x_healed h ON h.agent=l.agent AND h.epoch=l.epoch AND h.stream=l.stream AND "
    "h.reason=l.reason;"
    "INSERT INTO x_lost SELECT agent, epoch, stream, 24, rejected, 0 FROM x_s WHERE rejected<>0;"
    /* 20, corrupt: batches that were stored and that nobody can read any more */
    "INSERT INTO x_lost SELECT agent, epoch, stream, 20, sum(lost), 0 FROM x_damage GROUP BY 1, 2, "
    "3;"
    "INSERT INTO ledger_loss SELECT agent, printf('%016x', epoch), stream, coalesce(t.text, "
    "'reason_' || reason), lost"
    " FROM x_lost LEFT JOIN x_label t ON t.kind=1 AND t.code=reason WHERE lost<>0;"
    "INSERT INTO ledger(agent_id, hostname, epoch, boot_id, stream, state, unknown_since, "
    "produced, stored, expired, lost,"
    " in_flight)"
    " SELECT k.agent, coalesce(o.hostname, k.hostname), printf('%016x', k.epoch), "
    "lower(hex(k.boot)), k.stream,"
    " CASE WHEN e.produced IS NOT NULL THEN 'closed'"
    "  WHEN n.arrival>k.arrival OR EXISTS(SELECT 1 FROM x_boot b1 JOIN x_boot b2 ON "
    "b2.agent=b1.agent AND"
    "  b2.arrival>b1.arrival WHERE b1.agent=k.agent AND b1.boot=k.boot) THEN 'cut' ELSE 'open' END,"
    " k.t_last, coalesce(e.produced, max(coalesce(s.produced, 0), coalesce(l.produced, 0))),"
    " coalesce(s.stored, 0), coalesce(s.expired, 0), coalesce(l.lost, 0),"
    " iif(e.produced IS NOT NULL, 0, f.in_flight)" /* a heartbeat may be older than the end */
    " FROM x_key k JOIN x_newest n ON n.agent=k.agent AND n.stream=k.stream"
    " LEFT JOIN x_s s ON s.agent=k.agent AND s.epoch=k.epoch AND s.stream=k.stream"
    " LEFT JOIN x_e e ON e.agent=k.agent AND e.epoch=k.epoch AND e.stream=k.stream"
    " LEFT JOIN (SELECT agent, epoch, stream, sum(lost) lost, max(produced) produced FROM x_lost "
    "GROUP BY 1, 2, 3) l"
    "  ON l.agent=k.agent AND l.epoch=k.epoch AND l.stream=k.stream"
    " LEFT JOIN x_host o ON o.agent=k.agent"
    " LEFT JOIN x_flight f ON f.agent=k.agent AND f.epoch=printf('%016x', k.epoch) AND "
    "f.stream=k.stream;"
    "UPDATE ledger SET missing=produced-stored-expired-lost, unknown_since=iif(state='cut', "
    "unknown_since, NULL);"
    /* A gap is told again by an agent that died before it knew that it had been written. */
    "INSERT INTO coverage_gaps SELECT DISTINCT g.agent, coalesce(o.hostname, g.hostname), stream, "
    "from_us, "
    "to_us,"
    " coalesce(t.text, 'reason_' || reason) FROM x_gap g LEFT JOIN x_host o ON o.agent=g.agent"
    " LEFT JOIN x_label t ON t.kind=2 AND t.code=reason;";

/* Rows of a query on `from` into an insert on `to`, as far as the agent in the first column is in
 * scope. agent: what ?1 of the query stands for; NULL: it has none. */
static int copy_rows(struct wedr_sql *s,
                     sqlite3 *from,
                     const char *select,
                     const char *agent,
                     sqlite3 *to,
                     const char *insert)
{
    sqlite3_stmt *in = NULL, *out = NULL;
    int rc = sqlite3_prepare_v2(from, select, -1, &in, NULL);
    int err = wedr_sqlite_error(from, rc);
    if (err == WEDR_OK) {
        err = wedr_sqlite_error(to, sqlite3_prepare_v2(to, insert, -1, &out, NULL));
    }
    if (err == WEDR_OK && agent) {
        (void)sqlite3_bind_text(in, 1, agent, -1, SQLITE_STATIC);
    }
    wedr_sql_watch(s, from);
    while (err == WEDR_OK && (rc = sqlite3_step(in)) == SQLITE_ROW) {
        if (!wedr_sql_in_scope(s, (const char *)sqlite3_column_text(in, 0))) {
            continue;
        }
        for (int i = 0; i < sqlite3_column_count(in); i++) {
            sqlite3_bind_value(out, i + 1, sqlite3_column_value(in, i));
        }
        err = wedr_sqlite_error(to, sqlite3_step(out));
        sqlite3_reset(out);
    }
    if (err == WEDR_OK) {
        err = wedr_sqlite_error(from, rc);
    }
    sqlite3_progress_handler(from, 0, NULL, NULL);
    sqlite3_finalize(in);
    sqlite3_finalize(out);
    return err;
}

/* Of a few agents each by itself, by the keys of the tables: a day holds those of all. */
static int
copy_agents(struct wedr_sql *s, sqlite3 *from, const char *select, sqlite3 *to, const char *insert)
{
    char one[SELECT_MAX];
    int err = WEDR_OK;
    if (!s->scope || s->scope_count > AGENTS_ONE_BY_ONE) {
        return copy_rows(s, from, select, NULL, to, insert);
    }
    int n = snprintf(one, sizeof(one), "SELECT * FROM (%s) WHERE agent=?1", select);
    if (n < 0 || (size_t)n >= sizeof(one)) {
        return WEDR_E_BUG;
    }
    for (size_t i = 0; err == WEDR_OK && i < s->scope_count; i++) {
        err = copy_rows(s, from, one, s->scope[i], to, insert);
    }
    return err;
}

static int copy_source(struct wedr_sql *s, sqlite3 *from, const char *streams, sqlite3 *to)
{
    int rc = copy_agents(s, from, streams, to, INSERT_STREAM);
    for (size_t i = 0; rc == WEDR_OK && i < WEDR_ARRAY_COUNT(fact_copies); i++) {
        rc = copy_agents(s, from, fact_copies[i].select, to, fact_copies[i].insert);
    }
    return rc;
}

static int insert_labels(sqlite3 *db)
{
    static const uint8_t kinds[2] = {WEDR_KIND_LOSS_REASON, WEDR_KIND_GAP_REASON};
    sqlite3_stmt *st = NULL;
    int err = wedr_sqlite_error(
        db, sqlite3_prepare_v2(db, "INSERT INTO x_label VALUES(?,?,?)", -1, &st, NULL));
    for (int k = 0; k < 2; k++) {
        for (uint32_t code = 0; err == WEDR_OK && code < LABEL_CODES; code++) {
            const char *text = wedr_label_text(kinds[k], code);
            if (text != NULL) {
                sqlite3_bind_int(st, 1, k + 1);
                sqlite3_bind_int(st, 2, (int)code);
                sqlite3_bind_text(st, 3, text, -1, SQLITE_STATIC);
                err = wedr_sqlite_error(db, sqlite3_step(st));
                sqlite3_reset(st);
            }
        }
    }
    sqlite3_finalize(st);
    return err;
}

/* What the state store knows; none of it is needed for the sums, so a missing or older file only
 * leaves fields empty. */
static int copy_state(struct wedr_sql *s, sqlite3 *to)
{
    static const struct {
        const char *select, *insert;
    } copies[] = {
        {"SELECT agent_id, hostname FROM agent", "INSERT OR REPLACE INTO x_host VALUES(?,?)"},
        {"SELECT agent_id, epoch, stream, in_flight FROM agent_stream",
         "INSERT OR REPLACE INTO x_flight VALUES(?,?,?,?)"}};
    sqlite3 *state = NULL;
    int rc = wedr_sql_state_db(s, &state);
    for (size_t i = 0; rc == WEDR_OK && i < WEDR_ARRAY_COUNT(copies); i++) {
        rc = copy_rows(s, state, copies[i].select, NULL, to, copies[i].insert);
    }
    return WEDR_OK;
}

struct range_set {
    struct wedr_seq_range *r;
    size_t count, cap;
};

static int range_add(struct range_set *s, const struct wedr_seq_range *r, size_t n)
{
    if (s->count + n > s->cap) {
        size_t cap = s->cap * 2 > s->count + n ? s->cap * 2 : s->count + n + 64;
        struct wedr_seq_range *p = wedr_realloc(s->r, cap, sizeof(*p));
        if (p == NULL) {
            return WEDR_E_NOMEM;
        }
        s->r = p;
        s->cap = cap;
    }
    memcpy(s->r + s->count, r, n * sizeof(*r));
    s->count += n;
    return WEDR_OK;
}

static int compare_ranges(const void *a, const void *b)
{
    const struct wedr_seq_range *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

static void range_merge(struct range_set *s)
{
    size_t n = 0;
    if (s->count > 1) {
        qsort(s->r, s->count, sizeof(*s->r), compare_ranges);
    }
    for (size_t i = 0; i < s->count; i++) {
        if (n != 0 && s->r[i].first <= s->r[n - 1].last + 1u) {
            if (s->r[i].last > s->r[n - 1].last) {
                s->r[n - 1].last = s->r[i].last;
            }
        } else {
            s->r[n++] = s->r[i];
        }
    }
    s->count = n;
}

/* Lines of one stored batch whose seq lies in one of n ranges that touch it, ascending. A batch
 * without holes needs no look inside. */
static int64_t count_in_batch(
    struct wedr_sql *s, sqlite3 *db, sqlite3_stmt *st, const struct wedr_seq_range *r, size_t n)
{
    int64_t seq0 = sqlite3_column_int64(st, 0), seq1 = sqlite3_column_int64(st, 1);
    int64_t block = sqlite3_column_int64(st, 3), count = 0;
    if (seq1 - seq0 + 1 == sqlite3_column_int64(st, 2)) {
        for (size_t i = 0; i < n; i++) {
            int64_t lo = seq0 > (int64_t)r[i].first ? seq0 : (int64_t)r[i].first;
            int64_t hi = seq1 < (int64_t)r[i].last ? seq1 : (int64_t)r[i].last;
            count += hi - lo + 1;
        }
        return count;
    }
    sqlite3_stmt *one = NULL;
    struct wedr_block b;
    int rc = sqlite3_prepare_v2(db,
                                block < 0 ? "SELECT " WEDR_BLOCK_COLUMNS " FROM tiny WHERE id=?1"
                                          : "SELECT " WEDR_BLOCK_COLUMNS " FROM blk WHERE id=?1",
                                -1, &one, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(one, 1, block < 0 ? -block : block);
    }
    if (rc == SQLITE_OK && sqlite3_step(one) == SQLITE_ROW) {
        int64_t seq = 0;
        size_t k = 0;
        wedr_block_from_row(&b, s, db, one, block < 0);
        for (uint32_t i = 0; i < b.n && wedr_block_any_seq(&b, i, seq, &seq); i++) {
            while (k < n && (int64_t)r[k].last < seq) {
                k++;
            }
            /* the block may have been merged from several batches */
            count += k < n && seq >= (int64_t)r[k].first && seq >= seq0 && seq <= seq1;
        }
        wedr_block_fini(&b);
    }
    sqlite3_finalize(one);
    return count;
}

struct stream_key {
    const char *agent, *stream;
    int64_t epoch, reason;
};

/* Seqs of the ranges that are stored: no loss, whatever the record said when they were still on
 * their way. Batches and ranges both ascend and do not overlap: one walk along both. */
static int count_stored(struct wedr_sql *s,
                        sqlite3 *db,
                        const char *sql,
                        const struct stream_key *k,
                        const struct range_set *set,
                        int64_t *sum)
{
    sqlite3_stmt *st = NULL;
    size_t at = 0;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(st, 1, k->agent, -1, SQLITE_STATIC);
        sqlite3_bind_int64(st, 2, k->epoch);
        sqlite3_bind_text(st, 3, k->stream, -1, SQLITE_STATIC);
        sqlite3_bind_int64(st, 4, (int64_t)set->r[0].first);
        sqlite3_bind_int64(st, 5, (int64_t)set->r[set->count - 1].last);
        while ((rc = sqlite3_step(st)) == SQLITE_ROW && !wedr_sql_timed_out(s)) {
            int64_t seq0 = sqlite3_column_int64(st, 0), seq1 = sqlite3_column_int64(st, 1);
            while (at < set->count && (int64_t)set->r[at].last < seq0) {
                at++;
            }
            size_t end = at;
            while (end < set->count && (int64_t)set->r[end].first <= seq1) {
                end++;
            }
            *sum += end == at ? 0 : count_in_batch(s, db, st, set->r + at, end - at);
        }
    }
    int err = wedr_sqlite_error(db, rc);
    sqlite3_finalize(st);
    return err;
}

static int
heal_one(struct wedr_sql *s, sqlite3 *to, const struct stream_key *k, const struct range_set *set)
{
    static const char in_day[] =
        "SELECT seq0, seq1, n, block FROM batch b WHERE agent=?1 AND epoch=?2 AND stream=?3"
        " AND seq0<=?5 AND seq1>=?4 AND " HAS_BLOCK("b") " ORDER BY seq0";
    static const char in_catalog[] =
        "SELECT seq0, seq1, seq1-seq0+1, 0 FROM run WHERE agent=?1 AND epoch=?2 AND"
        " stream=?3 AND seq0<=?5 AND seq1>=?4 ORDER BY seq0";
    int64_t sum = 0;
    int err = WEDR_OK;
    for (size_t d = 0; err == WEDR_OK && d < s->day_count; d++) {
        sqlite3 *db = wedr_sql_day_db(s, d);
        err = db == NULL ? WEDR_OK : count_stored(s, db, in_day, k, set, &sum);
    }
    if (err == WEDR_OK && s->catalog != NULL) {
        err = count_stored(s, s->catalog, in_catalog, k, set, &sum);
    }
    if (wedr_sql_timed_out(s)) {
        err = WEDR_E_TIMEOUT;
    }
    sqlite3_stmt *st = NULL;
    if (err == WEDR_OK) {
        err = wedr_sqlite_error(
            to, sqlite3_prepare_v2(to, "INSERT INTO x_healed VALUES(?,?,?,?,?,?)", -1, &st, NULL));
    }
    if (err == WEDR_OK) {
        sqlite3_bind_text(st, 1, k->agent, -1, SQLITE_STATIC);
        sqlite3_bind_int64(st, 2, k->epoch);
        sqlite3_bind_text(st, 3, k->stream, -1, SQLITE_STATIC);
        sqlite3_bind_int64(st, 4, k->reason);
        sqlite3_bind_int64(st, 5, sum);
        sqlite3_bind_int64(st, 6, (int64_t)set->r[set->count - 1].last);
        err = wedr_sqlite_error(to, sqlite3_step(st));
    }
    sqlite3_finalize(st);
    return err;
}

/* All ranges that the records of one (epoch, stream, reason) name, merged. */
static int collect_ranges(sqlite3 *db, const struct stream_key *k, struct range_set *set)
{
    struct wedr_seq_range r[WEDR_RANGES_MAX];
    uint32_t n = 0;
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(
        db,
        "SELECT ranges FROM x_loss WHERE agent=?1 AND epoch=?2 AND stream=?3 AND reason=?4"
        " AND ranges<>''",
        -1, &st, NULL);
    int err = wedr_sqlite_error(db, rc);
    set->count = 0;
    if (err == WEDR_OK) {
        sqlite3_bind_text(st, 1, k->agent, -1, SQLITE_STATIC);
        sqlite3_bind_int64(st, 2, k->epoch);
        sqlite3_bind_text(st, 3, k->stream, -1, SQLITE_STATIC);
        sqlite3_bind_int64(st, 4, k->reason);
    }
    while (err == WEDR_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(st, 0);
        if (text != NULL && wedr_ranges_parse(text, strlen(text), r, &n) == WEDR_OK && n != 0) {
            err = range_add(set, r, n);
        }
    }
    if (err == WEDR_OK) {
        err = wedr_sqlite_error(db, rc);
    }
    sqlite3_finalize(st);
    range_merge(set);
    return err;
}

static int heal(struct wedr_sql *s, sqlite3 *db)
{
    sqlite3_stmt *st = NULL;
    struct range_set set = {NULL, 0, 0};
    int rc = sqlite3_prepare_v2(
        db, "SELECT DISTINCT agent, epoch, stream, reason FROM x_loss WHERE ranges<>''", -1, &st,
        NULL);
    int err = wedr_sqlite_error(db, rc);
    while (err == WEDR_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct stream_key k = {(const char *)sqlite3_column_text(st, 0),
                               (const char *)sqlite3_column_text(st, 2),
                               sqlite3_column_int64(st, 1), sqlite3_column_int64(st, 3)};
        if (k.agent == NULL || k.stream == NULL) {
            continue;
        }
        err = collect_ranges(db, &k, &set);
        if (err == WEDR_OK && set.count != 0) {
            err = heal_one(s, db, &k, &set);
        }
    }
    if (err == WEDR_OK) {
        err = wedr_sqlite_error(db, rc);
    }
    sqlite3_finalize(st);
    wedr_free(set.r);
    return err;
}

int wedr_sql_add_ledger(sqlite3 *db, struct wedr_sql *s, struct wedr_errinfo *ei)
{
    int rc = wedr_sqlite_exec(db, staging);
    rc = rc == WEDR_OK ? insert_labels(db) : rc;
    rc = rc == WEDR_OK ? copy_state(s, db) : rc;
    for (size_t i = 0; rc == WEDR_OK && i < s->day_count; i++) {
        sqlite3 *day = wedr_sql_day_db(s, i);
        if (day != NULL) {
            rc = copy_source(s, day, stream_of_day, db);
        }
        if (wedr_sql_timed_out(s)) {
            rc = WEDR_E_TIMEOUT;
        }
    }
    if (rc == WEDR_OK && s->catalog != NULL) {
        rc = copy_source(s, s->catalog, stream_of_catalog, db);
    }
    rc = rc == WEDR_OK ? heal(s, db) : rc;
    rc = rc == WEDR_OK ? wedr_sqlite_exec(db, computed) : rc;
    rc = rc == WEDR_OK ? s->failed : rc;
    return rc == WEDR_OK
               ? rc
               : wedr_fail(ei, rc, "the ledger cannot be computed: %s", sqlite3_errmsg(db));
}
