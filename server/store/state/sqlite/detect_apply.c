/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/obj.h"
#include "store/state/sqlite/db.h"
#include "store/state/sqlite/detect.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define AGENTS_MAX 1000000u
#define SHARE_TO_DROP 4u /* a quarter goes at once: dropping is rare then */
#define ROW_BYTES 1024u  /* of an alert without its texts; short ones are in it */
#define EVIDENCE_ROW_BYTES 128u
#define DROPS_MAX 8    /* per stored row: a store far over a limit shrinks step by step */
#define DROP_MAX 1024u /* alerts or responses; others wait for the lock meanwhile */

enum stmt { ALERT_PUT, EVIDENCE_PUT, RESPONSE_PUT, PROCESS_START, PROCESS_END, STMTS };

static const char *const sql[STMTS] = {
    [ALERT_PUT] =
        "INSERT OR IGNORE INTO alert(alert_id,agent_id,hostname,origin,ts,received_at,stored_at,"
        "rule_id,rule_title,rule_language,severity,message,tags,actions,pid,process_key,image_path,"
        "command_line,user,entity,suppressed,match_count,rules_serial,profile,ancestry,matched,"
        "bytes) "
        "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,nullif(?15,-1),?16,?17,?18,?19,?20,"
        "?21,?22,?23,?24,?25,?26,?27)",
    [EVIDENCE_PUT] =
        "INSERT OR IGNORE INTO alert_evidence(alert,n,agent_id,epoch,stream,seq,event) "
        "VALUES(?1,?2,?3,?4,?5,?6,?7)",
    [RESPONSE_PUT] =
        "INSERT OR IGNORE INTO response(agent_id,epoch,stream,seq,hostname,ts,alert_id,rule_id,"
        "action,result,pid,process_key,detail,duration_us) "
        "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,nullif(?11,-1),?12,?13,?14)",
    /* ?10: says more than what is known. Times only widen: events come again and out of order. */
    [PROCESS_START] =
        "INSERT INTO process(agent_id,process_key,parent_key,pid,ppid,image_path,command_line,"
        "user,started,seen) VALUES(?1,?2,?3,nullif(?4,-1),nullif(?5,-1),?6,?7,?8,?9,?9) ON "
        "CONFLICT "
        "DO UPDATE SET parent_key=coalesce(?3,parent_key), pid=coalesce(nullif(?4,-1),pid), "
        "ppid=coalesce(nullif(?5,-1),ppid), image_path=CASE ?10 WHEN 1 THEN "
        "coalesce(?6,image_path) "
        "ELSE coalesce(image_path,?6) END, command_line=CASE ?10 WHEN 1 THEN "
        "coalesce(?7,command_line) ELSE coalesce(command_line,?7) END, user=coalesce(?8,user), "
        "started=min(coalesce(started,?9),?9), seen=max(seen,?9)",
    [PROCESS_END] =
        "INSERT INTO process(agent_id,process_key,pid,image_path,ended,seen) VALUES(?1,?2,"
        "nullif(?4,-1),?5,?3,?3) ON CONFLICT DO UPDATE SET ended=?3, seen=max(seen,?3), "
        "pid=coalesce(pid,nullif(?4,-1)), image_path=coalesce(image_path,?5)",
};

struct work {
    struct wedr_state *s;
    struct wedr_detect_step *step;
    sqlite3_stmt *st[STMTS];
};

void wedr_state_counts_free(struct wedr_state_counts *c)
{
    if (c) {
        wedr_free(c->v);
        wedr_free(c);
    }
}

static int64_t count_rows(sqlite3 *db, const char *query, const char *agent_id)
{
    sqlite3_stmt *st = NULL;
    int64_t n = 0;
    if (wedr_state_prepare(db, &st, query, "t", agent_id) == WEDR_OK &&
        sqlite3_step(st) == SQLITE_ROW) {
        n = sqlite3_column_int64(st, 0);
    }
    (void)sqlite3_finalize(st);
    return n;
}

static const char *const count_sql[WEDR_KEPT_KINDS] = {
    "SELECT count(*) FROM alert WHERE agent_id=?1",
    "SELECT count(*) FROM response WHERE agent_id=?1"};

static struct wedr_state_count *find_count(struct wedr_state *s, const char *agent_id)
{
    struct wedr_state_counts *c = s->counts;
    size_t low = 0, high = c->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(c->v[mid].agent_id, agent_id);
        if (order == 0) {
            return &c->v[mid];
        }
        low = order < 0 ? mid + 1 : low;
        high = order < 0 ? high : mid;
    }
    if (c->count == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 64;
        struct wedr_state_count *v = cap <= AGENTS_MAX ? wedr_realloc(c->v, cap, sizeof(*v)) : NULL;
        if (!v) {
            return NULL;
        }
        c->v = v;
        c->cap = cap;
    }
    memmove(&c->v[low + 1], &c->v[low], (c->count - low) * sizeof(*c->v));
    c->count++;
    struct wedr_state_count *e = &c->v[low];
    memset(e, 0, sizeof(*e));
    (void)snprintf(e->agent_id, sizeof(e->agent_id), "%s", agent_id);
    for (size_t i = 0; i < WEDR_KEPT_KINDS; i++) {
        e->rows[i] = (uint64_t)count_rows(s->writer, count_sql[i], agent_id);
        c->rows[i] += e->rows[i];
    }
    e->bytes = (uint64_t)count_rows(
        s->writer, "SELECT coalesce(sum(bytes),0) FROM alert WHERE agent_id=?1", agent_id);
    c->bytes += e->bytes;
    e->processes =
        (uint64_t)count_rows(s->writer, "SELECT count(*) FROM process WHERE agent_id=?1", agent_id);
    return e;
}

static int make_counts(struct wedr_state *s)
{
    sqlite3_stmt *st = NULL;
    s->counts = wedr_alloc(1, sizeof(*s->counts));
    if (!s->counts) {
        return WEDR_E_NOMEM;
    }
    int err = wedr_state_prepare(
        s->writer, &st, "SELECT agent_id FROM alert UNION SELECT agent_id FROM response", "");
    while (wedr_state_row(st, &err)) {
        err = find_count(s, (const char *)sqlite3_column_text(st, 0)) ? WEDR_OK : WEDR_E_NOMEM;
    }
    (void)sqlite3_finalize(st);
    return err;
}

/* --- Limits. Whoever has the most loses its oldest: an agent that floods the store pushes out what
 * is its own, never what others said. */

static const char *const drop_sql[WEDR_KEPT_KINDS] = {
    "DELETE FROM alert WHERE id IN (SELECT id FROM alert WHERE agent_id=?1 ORDER BY id LIMIT ?2)",
    "DELETE FROM response WHERE agent_id=?1 AND ts<=(SELECT ts FROM response WHERE agent_id=?1 "
    "ORDER BY ts LIMIT 1 OFFSET ?2-1)"};

static uint64_t at_most(uint64_t n, uint64_t max)
{
    return n < max ? n : max;
}

static int64_t bytes_of_oldest(sqlite3 *db, const char *agent_id, int64_t n)
{
    sqlite3_stmt *st = NULL;
    int64_t bytes = 0;
    if (wedr_state_prepare(db, &st,
                           "SELECT coalesce(sum(bytes),0) FROM (SELECT bytes FROM alert WHERE "
                           "agent_id=?1 ORDER BY id LIMIT ?2)",
                           "ti", agent_id, n) == WEDR_OK &&
        sqlite3_step(st) == SQLITE_ROW) {
        bytes = sqlite3_column_int64(st, 0);
    }
    (void)sqlite3_finalize(st);
    return bytes;
}

/* WEDR_E_NOENT: it has none. */
static int drop_oldest(struct work *w, struct wedr_state_count *e, enum wedr_state_kept kind)
{
    struct wedr_state_counts *c = w->s->counts;
    int changed = 0;
    int64_t n = (int64_t)at_most(e->rows[kind] / SHARE_TO_DROP + 1, DROP_MAX);
    uint64_t bytes = 0;
    if (kind == WEDR_KEPT_ALERTS) {
        bytes = at_most((uint64_t)bytes_of_oldest(w->s->writer, e->agent_id, n), e->bytes);
    }
    int err = wedr_state_run(w->s->writer, &changed, drop_sql[kind], "ti", e->agent_id, n);
    if (err != WEDR_OK || changed == 0) {
        return err == WEDR_OK ? WEDR_E_NOENT : err;
    }
    uint64_t rows = at_most((uint64_t)changed, e->rows[kind]);
    e->rows[kind] -= rows;
    c->rows[kind] -= rows;
    e->bytes -= bytes;
    c->bytes -= bytes;
    w->step->alerts_dropped += kind == WEDR_KEPT_ALERTS ? rows : 0;
    w->step->alert_bytes_dropped += bytes;
    return WEDR_OK;
}

/* Whose oldest go now that e has one more; NULL: nobody's. agent_max: rows of one agent. */
static struct wedr_state_count *who_loses(const struct wedr_state *s,
                                          struct wedr_state_count *e,
                                          enum wedr_state_kept kind,
                                          uint64_t agent_max)
{
    const struct wedr_state_counts *c = s->counts;
    bool alerts = kind == WEDR_KEPT_ALERTS;
    if (e->rows[kind] > agent_max || (alerts && e->bytes > s->kept_agent_bytes)) {
        return e;
    }
    bool rows = c->rows[kind] > s->kept[kind];
    if (!rows && (!alerts || c->bytes <= s->kept_bytes)) {
        return NULL;
    }
    struct wedr_state_count *most = e;
    for (size_t i = 0; i < c->count; i++) {
        struct wedr_state_count *o = &c->v[i];
        bool more = rows ? o->rows[kind] > most->rows[kind] : o->bytes > most->bytes;
        most = more ? o : most;
    }
    return most;
}

/* A row was stored; bytes: 0 but for alerts. */
static int count_one(struct work *w,
                     const char *agent_id,
                     enum wedr_state_kept kind,
                     uint64_t agent_max,
                     uint64_t bytes)
{
    struct wedr_state_counts *c = w->s->counts;
    size_t known = c->count;
    struct wedr_state_count *e = find_count(w->s, agent_id), *loser;
    int err = WEDR_OK;
    if (!e) {
        return WEDR_E_NOMEM;
    }
    if (c->count == known) { /* else it was counted with the others just now */
        e->rows[kind]++;
        c->rows[kind]++;
        e->bytes += bytes;
        c->bytes += bytes;
    }
    for (int i = 0;
         i < DROPS_MAX && err == WEDR_OK && (loser = who_loses(w->s, e, kind, agent_max)) != NULL;
         i++) {
        err = drop_oldest(w, loser, kind);
    }
    return err == WEDR_E_NOENT ? WEDR_OK : err;
}

static void epoch_text(uint64_t epoch, char ret[17])
{
    (void)snprintf(ret, 17, "%016" PRIx64, epoch);
}

/* --- Alerts. */

static uint64_t length(const char *s)
{
    return s ? strlen(s) : 0;
}

/* What of an alert's evidence is kept. */
struct kept {
    size_t count, whole_from; /* older ones are references alone */
    uint64_t bytes;           /* of the alert with it, about */
};

static struct kept choose_evidence(struct work *w, const struct wedr_alert_row *a)
{
    struct kept k = {.count = at_most(a->evidence_count, WEDR_ALERT_EVIDENCE_MAX)};
    uint64_t room = WEDR_ALERT_EVIDENCE_BYTES_MAX;
    k.whole_from = k.count;
    while (k.whole_from > 0 && length(a->evidence[k.whole_from - 1].event) <= room) {
        room -= length(a->evidence[--k.whole_from].event);
    }
    for (size_t i = 0; i < k.whole_from; i++) {
        w->step->evidence_cut += a->evidence[i].event != NULL;
    }
    k.bytes = ROW_BYTES + k.count * EVIDENCE_ROW_BYTES + (WEDR_ALERT_EVIDENCE_BYTES_MAX - room) +
              length(a->message) + length(a->tags) + length(a->ancestry) + length(a->matched) +
              length(a->command_line);
    return k;
}

static int
put_evidence(struct work *w, const struct wedr_alert_row *a, const struct kept *k, int64_t id)
{
    int err = WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && i < k->count; i++) {
        const struct wedr_evidence_row *e = &a->evidence[i];
        char epoch[17];
        epoch_text(e->epoch, epoch);
        err = wedr_state_again(w->st[EVIDENCE_PUT], "iitttit", id, (int64_t)i, e->agent_id, epoch,
                               e->stream, (int64_t)e->seq, i < k->whole_from ? NULL : e->event);
    }
    return err;
}

static int put_alert(struct work *w, const struct wedr_alert_row *a)
{
    uint64_t cut = w->step->evidence_cut;
    struct kept k = choose_evidence(w, a);
    int err = wedr_state_again(w->st[ALERT_PUT], "ttttiiitttttttitttttiitttti", a->alert_id,
                               a->agent_id, a->hostname, a->origin, a->ts_us, a->received_us,
                               w->step->now_us, a->rule_id, a->rule_title, a->rule_language,
                               a->severity, a->message, a->tags, a->actions, a->pid, a->process_key,
                               a->image_path, a->command_line, a->user, a->entity,
                               (int64_t)a->suppressed, (int64_t)a->match_count, a->rules_serial,
                               a->profile, a->ancestry, a->matched, (int64_t)k.bytes);
    if (err != WEDR_OK) {
        return err;
    }
    if (sqlite3_changes(w->s->writer) == 0) {
        w->step->alerts_again++;
        w->step->evidence_cut = cut;
        return WEDR_OK;
    }
    w->step->alerts_new++;
    err = put_evidence(w, a, &k, sqlite3_last_insert_rowid(w->s->writer));
    return err == WEDR_OK
               ? count_one(w, a->agent_id, WEDR_KEPT_ALERTS, WEDR_ALERTS_AGENT_KEPT, k.bytes)
               : err;
}

static int put_alerts(struct work *w)
{
    int err = WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && i < w->step->alert_count; i++) {
        err = put_alert(w, &w->step->alerts[i]);
    }
    return err;
}

/* --- Responses. */

static int put_responses(struct work *w)
{
    int err = WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && i < w->step->response_count; i++) {
        const struct wedr_response_row *r = &w->step->responses[i];
        char epoch[17];
        epoch_text(r->epoch, epoch);
        err = wedr_state_again(w->st[RESPONSE_PUT],
                               "tttititttt"
                               "itti",
                               r->agent_id, epoch, r->stream, (int64_t)r->seq, r->hostname,
                               r->ts_us, r->alert_id, r->rule_id, r->action, r->result, r->pid,
                               r->process_key, r->detail, (int64_t)r->duration_us);
        if (err == WEDR_OK && sqlite3_changes(w->s->writer) != 0) {
            err = count_one(w, r->agent_id, WEDR_KEPT_RESPONSES, WEDR_RESPONSES_AGENT_KEPT, 0);
        }
    }
    return err;
}

/* --- Processes. */

static uint64_t process_share(const struct wedr_state_counts *c)
{
    uint64_t share = WEDR_PROCESSES_KEPT / (c->count ? c->count : 1);
    share = share < SHARE_TO_DROP ? SHARE_TO_DROP : share;
    return share < WEDR_PROCESSES_AGENT_KEPT ? share : WEDR_PROCESSES_AGENT_KEPT;
}

/* Those that ended go first, the ones that nobody heard of for the longest time before others. */
static int drop_processes_of(struct work *w, struct wedr_state_count *c, uint64_t share)
{
    int n = 0;
    c->processes = (uint64_t)count_rows(
        w->s->writer, "SELECT count(*) FROM process WHERE agent_id=?1", c->agent_id);
    if (c->processes <= share - share / 8) { /* else it would be counted again too soon */
        return WEDR_OK;
    }
    int err = wedr_state_run(
        w->s->writer, &n,
        "DELETE FROM process WHERE agent_id=?1 AND process_key IN (SELECT process_key FROM process "
        "WHERE agent_id=?1 ORDER BY ended IS NULL, seen LIMIT ?2)",
        "ti", c->agent_id, (int64_t)(share / SHARE_TO_DROP));
    if (err == WEDR_OK) {
        c->processes -= (uint64_t)n < c->processes ? (uint64_t)n : c->processes;
        w->step->processes_dropped += (uint64_t)n;
    }
    return err;
}

static int put_process(struct work *w, const struct wedr_process_row *p)
{
    int err;
    if (p->event == WEDR_PROCESS_ENDED) {
        err = wedr_state_again(w->st[PROCESS_END], "ttiit", p->agent_id, p->process_key, p->ts_us,
                               p->pid, p->image_path);
    } else {
        err = wedr_state_again(w->st[PROCESS_START], "tttiitttii", p->agent_id, p->process_key,
                               p->parent_key, p->pid, p->ppid, p->image_path, p->command_line,
                               p->user, p->ts_us, (int64_t)(p->event == WEDR_PROCESS_CREATED));
    }
    struct wedr_state_count *c = err == WEDR_OK ? find_count(w->s, p->agent_id) : NULL;
    if (!c) {
        return err == WEDR_OK ? WEDR_E_NOMEM : err;
    }
    /* Every event counts as a new process here; over the share they are counted anew. */
    uint64_t share = process_share(w->s->counts);
    return ++c->processes > share ? drop_processes_of(w, c, share) : WEDR_OK;
}

static int apply(struct work *w)
{
    int err = WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && i < STMTS; i++) {
        err = wedr_state_prepare(w->s->writer, &w->st[i], sql[i], "");
    }
    err = err == WEDR_OK ? put_alerts(w) : err;
    err = err == WEDR_OK ? put_responses(w) : err;
    for (size_t i = 0; err == WEDR_OK && i < w->step->process_count; i++) {
        err = put_process(w, &w->step->processes[i]);
    }
    if (err == WEDR_OK && w->step->cursor >= 0) {
        err = wedr_state_run(w->s->writer, NULL,
                             "INSERT INTO cursor(name,position) VALUES('detect',?1) ON "
                             "CONFLICT(name) DO UPDATE SET position=?1",
                             "i", w->step->cursor);
    }
    for (size_t i = 0; i < STMTS; i++) {
        (void)sqlite3_finalize(w->st[i]);
    }
    return err;
}

int wedr_state_detect_apply(struct wedr_state *s, struct wedr_detect_step *step)
{
    struct work w = {.s = s, .step = step};
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    step->alerts_new = step->alerts_again = step->alerts_dropped = step->processes_dropped = 0;
    step->alert_bytes_dropped = step->evidence_cut = 0;
    int err = wedr_state_begin(s);
    if (err == WEDR_OK && !s->counts) {
        err = make_counts(s);
    }
    err = err == WEDR_OK ? apply(&w) : err;
    step->alert_bytes = err == WEDR_OK ? s->counts->bytes : 0;
    if (err != WEDR_OK) { /* they counted what is rolled back now */
        wedr_state_counts_free(s->counts);
        s->counts = NULL;
    }
    return wedr_state_end(s, err);
}
