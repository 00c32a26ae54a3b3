/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/sql/pool.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/thread.h"
#include <string.h>

#define WORKERS_MAX 4u
/* Threads are worth their start when so many blocks were unpacked or parts of blocks read. */
#define ALONE_OPENED 2u
#define ALONE_READ 64u
#define ALONE 4u      /* and never below so many */
#define AHEAD_MAX 64u /* places that are scanned or wait for the reader */
#define AHEAD_BYTES (64u << 20)
#define WAIT_MS 100u

enum slot_state { SLOT_FREE, SLOT_BUSY, SLOT_DONE };

struct slot {
    enum slot_state state;
    struct wedr_found found;
    size_t bytes;
    int failed; /* what the thread noted */
    uint64_t lines_parsed, blocks_opened;
};

struct worker {
    struct wedr_pool *pool;
    struct wedr_thread *thread;
    struct wedr_sql sql; /* its own files */
    struct wedr_scan scan;
};

struct wedr_pool {
    struct wedr_sql *sql;
    const struct wedr_events_ask *ask;
    const struct wedr_place *list;
    size_t count;
    struct wedr_scan own; /* the reader's */
    size_t next;          /* place that the reader takes next */
    uint64_t opened_before, read_before;
    bool started; /* threads were tried */
    /* Below: under the mutex, once there are threads. */
    struct wedr_mutex *mutex;
    struct wedr_cond *work, *done;
    struct worker worker[WORKERS_MAX];
    size_t worker_count;
    size_t begun;        /* places that a thread took */
    size_t ahead, bytes; /* how far they may be ahead; text that waits for the reader */
    bool stop;
    struct slot *slot; /* AHEAD_MAX */
};

int wedr_pool_new(struct wedr_sql *sql,
                  const struct wedr_events_ask *ask,
                  const struct wedr_place *list,
                  size_t count,
                  struct wedr_pool **ret)
{
    struct wedr_pool *p = wedr_alloc(1, sizeof(*p));
    if (p == NULL) {
        return WEDR_E_NOMEM;
    }
    p->sql = sql;
    p->ask = ask;
    p->list = list;
    p->count = count;
    p->opened_before = sql->blocks_opened;
    p->read_before = sql->parts_read;
    int err = wedr_scan_init(&p->own, sql, ask);
    if (err != WEDR_OK) {
        wedr_pool_free(p);
        return err;
    }
    *ret = p;
    return WEDR_OK;
}

void wedr_pool_free(struct wedr_pool *p)
{
    if (p == NULL) {
        return;
    }
    if (p->worker_count != 0) {
        wedr_mutex_lock(p->mutex);
        p->stop = true;
        wedr_cond_broadcast(p->work);
        wedr_mutex_unlock(p->mutex);
    }
    for (size_t i = 0; i < p->worker_count; i++) {
        wedr_thread_join(p->worker[i].thread);
        wedr_scan_fini(&p->worker[i].scan);
        wedr_sql_close(&p->worker[i].sql);
    }
    for (size_t i = 0; p->slot != NULL && i < AHEAD_MAX; i++) {
        if (p->slot[i].state == SLOT_DONE) { /* its files are closed: the reader's stand in */
            p->slot[i].found.block.sql = NULL;
            wedr_found_fini(&p->slot[i].found);
        }
    }
    wedr_cond_free(p->work);
    wedr_cond_free(p->done);
    wedr_mutex_free(p->mutex);
    wedr_scan_fini(&p->own);
    wedr_free(p->slot);
    wedr_free(p);
}

/* --- A thread. */

static bool may_begin(const struct wedr_pool *p)
{
    return p->begun < p->count && p->begun < p->next + p->ahead &&
           p->slot[p->begun % AHEAD_MAX].state == SLOT_FREE && p->bytes < AHEAD_BYTES;
}

static void scan_place(struct wedr_scan *w, const struct wedr_place *place, struct slot *s)
{
    struct wedr_sql *sql = w->sql;
    memset(&s->found, 0, sizeof(s->found));
    s->bytes = 0;
    s->failed = WEDR_OK;
    s->lines_parsed = s->blocks_opened = 0;
    if (wedr_sql_timed_out(sql)) {
        return; /* so will be the reader */
    }
    if (wedr_sql_day_db(sql, place->day) != NULL) {
        wedr_scan_block(w, &sql->days[place->day], place->meta, &s->found);
    } else if (sql->failed == WEDR_OK) {
        sql->failed = WEDR_E_BUSY; /* the reader could open it: it is gone since */
    }
    s->bytes = s->found.block.counted;
    sql->open_bytes -= s->found.block.counted; /* counts for the reader from here on */
    s->failed = sql->failed;
    s->lines_parsed = sql->lines_parsed;
    s->blocks_opened = sql->blocks_opened;
    sql->lines_parsed = sql->blocks_opened = 0;
    sql->failed = WEDR_OK;
}

static void work(struct wedr_pool *p, struct wedr_scan *w)
{
    wedr_mutex_lock(p->mutex);
    while (!p->stop) {
        if (!may_begin(p)) {
            (void)wedr_cond_wait(p->work, p->mutex, WAIT_MS);
            continue;
        }
        size_t at = p->begun++;
        struct slot *s = &p->slot[at % AHEAD_MAX];
        s->state = SLOT_BUSY;
        wedr_mutex_unlock(p->mutex);
        scan_place(w, &p->list[at], s);
        wedr_mutex_lock(p->mutex);
        p->bytes += s->bytes;
        s->state = SLOT_DONE;
        wedr_cond_signal(p->done);
    }
    wedr_mutex_unlock(p->mutex);
}

static void run_worker(void *arg)
{
    struct worker *me = arg;
    struct wedr_sql_budget *before = wedr_sql_budget_use(&me->pool->sql->budget);
    work(me->pool, &me->scan);
    (void)wedr_sql_budget_use(before);
}

/* False: it is not there. */
static bool start_worker(struct wedr_pool *p, struct worker *w)
{
    if (wedr_sql_clone(p->sql, &w->sql) != WEDR_OK) {
        return false;
    }
    w->pool = p;
    if (wedr_scan_init(&w->scan, &w->sql, p->ask) == WEDR_OK &&
        wedr_thread_new(&w->thread, "wedr-query", run_worker, w) == WEDR_OK) {
        return true;
    }
    wedr_scan_fini(&w->scan);
    wedr_sql_close(&w->sql);
    return false;
}

/* What cannot be started is not: the reader does alone what no thread does. */
static void start_workers(struct wedr_pool *p)
{
    int cpus = wedr_cpu_count();
    size_t wanted = cpus < 1 ? 1 : (size_t)cpus;
    wanted = wanted > WORKERS_MAX ? WORKERS_MAX : wanted;
    p->mutex = p->mutex != NULL ? p->mutex : wedr_mutex_new();
    p->work = p->work != NULL ? p->work : wedr_cond_new();
    p->done = p->done != NULL ? p->done : wedr_cond_new();
    p->slot = p->slot != NULL ? p->slot : wedr_alloc(AHEAD_MAX, sizeof(*p->slot));
    if (p->mutex == NULL || p->work == NULL || p->done == NULL || p->slot == NULL) {
        return;
    }
    p->begun = p->next;
    p->ahead = 2 * wanted;
    while (p->worker_count < wanted && start_worker(p, &p->worker[p->worker_count])) {
        p->worker_count++;
    }
}

/* --- The reader. */

static int scan_alone(struct wedr_pool *p, size_t at, struct wedr_found *ret)
{
    const struct wedr_place *place = &p->list[at];
    memset(ret, 0, sizeof(*ret));
    if (wedr_sql_day_db(p->sql, place->day) != NULL) {
        wedr_scan_block(&p->own, &p->sql->days[place->day], place->meta, ret);
    }
    return p->sql->failed;
}

/* True when the day's file is where it was. A thread opens a day by its name, later than the reader
 * who listed its blocks: when the reader's file still has that name, so it had then. */
static bool same_file(struct wedr_sql *sql, size_t day)
{
    int moved = 0;
    int rc = sqlite3_file_control(sql->days[day].db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return rc == SQLITE_OK && moved == 0;
}

static int take(struct wedr_pool *p, struct slot *s, size_t day, struct wedr_found *ret)
{
    *ret = s->found;
    memset(&s->found, 0, sizeof(s->found));
    s->state = SLOT_FREE;
    p->bytes -= s->bytes;
    p->ahead = p->ahead * 2 > AHEAD_MAX ? AHEAD_MAX : p->ahead * 2; /* nobody stopped yet */
    wedr_cond_broadcast(p->work);
    p->sql->lines_parsed += s->lines_parsed;
    p->sql->blocks_opened += s->blocks_opened;
    struct wedr_block *b = &ret->block;
    if (b->sql != NULL) {
        b->sql = p->sql;
        p->sql->open_bytes += b->counted;
        wedr_block_move(b, p->sql, &p->sql->days[day]);
    }
    if (s->failed != WEDR_OK) {
        (void)wedr_sql_note(p->sql, s->failed);
    } else if (!same_file(p->sql, day)) {
        (void)wedr_sql_note(p->sql, WEDR_E_BUSY);
    } else if (p->sql->open_bytes > p->sql->open_bytes_max) {
        (void)wedr_sql_note(p->sql, WEDR_E_NOMEM);
    }
    return p->sql->failed;
}

/* Not begun by a thread that waits for room: the reader does it. */
static int wait_for(struct wedr_pool *p, size_t at, struct wedr_found *ret)
{
    struct slot *s = &p->slot[at % AHEAD_MAX];
    wedr_mutex_lock(p->mutex);
    if (p->begun == at) {
        p->begun++;
        wedr_mutex_unlock(p->mutex);
        return scan_alone(p, at, ret);
    }
    while (s->state != SLOT_DONE && !wedr_sql_timed_out(p->sql)) {
        (void)wedr_cond_wait(p->done, p->mutex, WAIT_MS);
    }
    int err = s->state == SLOT_DONE ? take(p, s, p->list[at].day, ret) : WEDR_E_TIMEOUT;
    wedr_mutex_unlock(p->mutex);
    return err;
}

int wedr_pool_next(struct wedr_pool *p, struct wedr_found *ret)
{
    if (p->next == p->count) {
        return WEDR_E_NOENT;
    }
    if (wedr_sql_timed_out(p->sql)) {
        return WEDR_E_TIMEOUT;
    }
    if (!p->started && p->next >= ALONE && p->count - p->next > ALONE &&
        (p->sql->parts_read - p->read_before >= ALONE_READ ||
         p->sql->blocks_opened - p->opened_before >= ALONE_OPENED)) {
        p->started = true;
        start_workers(p);
    }
    size_t at = p->next;
    int err = p->worker_count == 0 ? scan_alone(p, at, ret) : wait_for(p, at, ret);
    if (p->worker_count != 0) {
        wedr_mutex_lock(p->mutex);
        p->next++;
        wedr_mutex_unlock(p->mutex);
    } else {
        p->next++;
    }
    return err;
}
