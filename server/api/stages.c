/* SPDX-License-Identifier: Apache-2.0 */
#include "api/stages.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "wedr/plat/thread.h"
#include "wedr/plat/time.h"
#include <string.h>

#define QUEUE_MAX 1024u
/* One request of each of so many agents: a fleet that speaks at once waits a moment, and refusing
 * costs half of what answering does. Bodies have a bound of their own, ingest.inflight_bytes. */
#define AGENT_QUEUE_MAX 16384u
#define PASSWORD_QUEUE_MAX 64u /* behind it nobody would wait for an answer */
#define WORKERS_MAX 64u
/* As many groups in one commit, while as much as one waits to be checked. */
#define COMMIT_BACKLOG 4u
#define COMMIT_MAX (COMMIT_BACKLOG * 1024u)
#define HELD_MAX ((uint64_t)64 << 20) /* that checked batches take until they are committed */
#define COMPANY_MIN 16u               /* batches of a commit behind which others are sure to come */
#define TICK_MS 1000u

struct wedr_stages;

struct queue {
    struct wedr_stages *stages;
    struct wedr_mutex *lock;
    struct wedr_cond *filled;
    struct wedr_request *head, *tail;
    unsigned count, max;
    unsigned share;            /* threads that one person may keep busy; 0: all */
    int64_t busy[WORKERS_MAX]; /* whose requests are run, 0: nobody's */
    unsigned entered;          /* threads that have a place there */
    bool stop;
    struct wedr_thread *threads[WORKERS_MAX];
};

struct ready {
    struct wedr_request *rq;
    struct wedr_prepared *prepared;
    wedr_commit_done done;
    size_t size; /* in memory */
};

struct wedr_stages {
    struct wedr_stages_cfg cfg;
    struct queue lanes[WEDR_RUN_LANES]; /* INLINE's is not used */
    struct wedr_thread *committer;
    struct wedr_mutex *lock; /* of the ring below */
    struct wedr_cond *filled, *drained;
    struct ready ring[COMMIT_MAX];
    unsigned head, count;
    uint64_t bytes;    /* of the bodies in it */
    uint64_t held;     /* that they take in memory now */
    unsigned checking; /* batches on their way to the ring: company for a commit may come */
    unsigned last;     /* batches of the commit before */
    uint64_t came_ns;  /* when the newest one came into the ring */
    bool stop;
    /* Of the committer alone. */
    struct ready group[COMMIT_MAX];
    struct wedr_commit commits[COMMIT_MAX];
};

static void queue_fini(struct queue *q)
{
    wedr_cond_free(q->filled);
    wedr_mutex_free(q->lock);
}

static void queue_stop(struct queue *q)
{
    if (!q->lock || !q->filled) {
        return;
    }
    wedr_mutex_lock(q->lock);
    q->stop = true;
    wedr_cond_broadcast(q->filled);
    wedr_mutex_unlock(q->lock);
    for (unsigned i = 0; i < WORKERS_MAX; i++) {
        wedr_thread_join(q->threads[i]);
        q->threads[i] = NULL;
    }
}

static int64_t person_of(const struct wedr_request *rq)
{
    return rq->person ? rq->person->user_id : 0;
}

static unsigned busy_with(const struct queue *q, int64_t person)
{
    unsigned n = 0;
    for (unsigned i = 0; person && i < WORKERS_MAX; i++) {
        n += q->busy[i] == person;
    }
    return n;
}

static unsigned waiting_of(const struct queue *q, int64_t person)
{
    unsigned n = 0;
    for (const struct wedr_request *rq = q->head; person && rq; rq = rq->next) {
        n += person_of(rq) == person;
    }
    return n;
}

/* The first whose person has threads left; nobody waits for ever behind one who asks a lot. */
static struct wedr_request *take_next(struct queue *q)
{
    struct wedr_request *before = NULL, *rq = q->head;
    while (rq && q->share && !q->stop && busy_with(q, person_of(rq)) >= q->share) {
        before = rq;
        rq = rq->next;
    }
    if (rq) {
        *(before ? &before->next : &q->head) = rq->next;
        q->tail = rq->next ? q->tail : before;
        q->count--;
    }
    return rq;
}

/* NULL when stopped and empty. The thread's own place in busy is its person's until the next call.
 */
static struct wedr_request *queue_pop(struct queue *q, unsigned thread)
{
    struct wedr_request *rq = NULL;
    wedr_mutex_lock(q->lock);
    q->busy[thread] = 0;
    while (!(rq = take_next(q)) && !q->stop) {
        (void)wedr_cond_wait(q->filled, q->lock, UINT32_MAX);
    }
    q->busy[thread] = rq ? person_of(rq) : 0;
    wedr_mutex_unlock(q->lock);
    return rq;
}

/* The place of the calling thread. */
static unsigned enter(struct queue *q)
{
    wedr_mutex_lock(q->lock);
    unsigned thread = q->entered++;
    wedr_mutex_unlock(q->lock);
    return thread;
}

/* The committer is woken for what ends its waiting and nothing else. */
static void count_checking(struct wedr_stages *p, bool more)
{
    wedr_mutex_lock(p->lock);
    p->checking = more ? p->checking + 1 : p->checking - 1;
    if (p->checking == 0 && p->count && p->last < COMPANY_MIN) {
        wedr_cond_signal(p->filled);
    }
    wedr_mutex_unlock(p->lock);
}

bool wedr_stages_submit(struct wedr_stages *p, struct wedr_request *rq)
{
    bool ingest = rq->route->lane == WEDR_RUN_INGEST;
    struct queue *q = &p->lanes[rq->route->lane];
    rq->next = NULL;
    if (ingest) {
        count_checking(p, true); /* a worker may be done with it before we return */
    }
    wedr_mutex_lock(q->lock);
    bool room =
        q->count < q->max && !q->stop && !(q->share && waiting_of(q, person_of(rq)) >= q->max / 4);
    if (room) {
        if (q->tail) {
            q->tail->next = rq;
        } else {
            q->head = rq;
        }
        q->tail = rq;
        q->count++;
        atomic_fetch_add(&p->cfg.metrics->queue_jobs, 1);
        wedr_cond_signal(q->filled);
    }
    wedr_mutex_unlock(q->lock);
    if (ingest && !room) {
        count_checking(p, false);
    }
    return room;
}

static void lane_loop(void *arg)
{
    struct queue *q = arg;
    struct wedr_stages *p = q->stages;
    unsigned thread = enter(q);
    for (struct wedr_request *rq; (rq = queue_pop(q, thread)) != NULL;) {
        bool finishes = rq->route->finishes;
        atomic_fetch_sub(&p->cfg.metrics->queue_jobs, 1);
        rq->route->run(p->cfg.arg, rq);
        if (!finishes) {
            wedr_request_finish(rq);
        }
    }
}

static void ingest_loop(void *arg)
{
    struct queue *q = arg;
    struct wedr_stages *p = q->stages;
    unsigned thread = enter(q);
    for (struct wedr_request *rq; (rq = queue_pop(q, thread)) != NULL;) {
        atomic_fetch_sub(&p->cfg.metrics->queue_jobs, 1);
        /* When it was passed on to the committer, rq may be gone when run returns: the route's run
         * finishes it. */
        rq->route->run(p->cfg.arg, rq);
        count_checking(p, false);
    }
}

/* While batches wait anyway, waiting for more of them costs nobody time, and a commit of more
 * writes fewer pages for each. */
static unsigned groups_now(const struct wedr_stages *p)
{
    return p->checking >= p->cfg.commit_batches ? COMMIT_BACKLOG : 1;
}

static bool is_enough(const struct wedr_stages *p)
{
    return p->count >= p->cfg.commit_batches * groups_now(p) || p->bytes >= p->cfg.commit_bytes ||
           p->held >= HELD_MAX;
}

void wedr_stages_commit(struct wedr_stages *p,
                        struct wedr_request *rq,
                        struct wedr_prepared *prepared,
                        wedr_commit_done done)
{
    size_t size = prepared ? wedr_prepared_size(prepared) : 0;
    wedr_mutex_lock(p->lock);
    while (p->count == COMMIT_MAX || p->held >= HELD_MAX) {
        (void)wedr_cond_wait(p->drained, p->lock, UINT32_MAX);
    }
    struct ready *r = &p->ring[(p->head + p->count) % COMMIT_MAX];
    r->rq = rq;
    r->prepared = prepared;
    r->done = done;
    r->size = size;
    p->count++;
    p->held += size;
    p->bytes += rq->body_len;
    p->came_ns = wedr_time_mono_ns();
    if (p->count == 1 || is_enough(p)) { /* the first one begins the waiting */
        wedr_cond_signal(p->filled);
    }
    wedr_mutex_unlock(p->lock);
}

/* With the lock held: enough for a commit, or no company to wait for. When many come all the time,
 * each to another page of the file, a larger group writes each page for more of them: it goes on
 * until nobody has come for a moment. */
static bool group_is_whole(const struct wedr_stages *p, uint64_t since_ns)
{
    uint64_t now = wedr_time_mono_ns(), wait_ns = p->cfg.commit_wait_us * 1000;
    bool alone = p->checking == 0;
    if (is_enough(p) || p->stop) {
        return true;
    }
    if (p->last < COMPANY_MIN) {
        return alone || now - since_ns >= wait_ns;
    }
    return now - since_ns >= p->cfg.commit_longest_us * 1000 * groups_now(p) ||
           (alone && now - p->came_ns >= wait_ns);
}

/* The next group; 0 on a time-out (housekeeping is due) or at the end. */
static unsigned take_group(struct wedr_stages *p, bool *ret_stop)
{
    unsigned n = 0, most = p->cfg.commit_batches * COMMIT_BACKLOG;
    uint64_t bytes = 0;
    wedr_mutex_lock(p->lock);
    if (p->count == 0 && !p->stop) {
        (void)wedr_cond_wait(p->filled, p->lock, TICK_MS);
    }
    uint64_t since = wedr_time_mono_ns();
    while (p->count && !group_is_whole(p, since)) {
        (void)wedr_cond_wait(p->filled, p->lock, (uint32_t)(p->cfg.commit_wait_us / 1000 + 1));
    }
    while (p->count && n < most && (n == 0 || bytes < p->cfg.commit_bytes)) {
        p->group[n] = p->ring[p->head];
        bytes += p->group[n].rq->body_len;
        p->held -= p->group[n].size;
        n++;
        p->head = (p->head + 1) % COMMIT_MAX;
        p->count--;
    }
    p->bytes -= bytes;
    p->last = n;
    *ret_stop = p->stop && p->count == 0 && n == 0;
    wedr_cond_broadcast(p->drained);
    wedr_mutex_unlock(p->lock);
    return n;
}

static void commit_group(struct wedr_stages *p, unsigned n)
{
    const struct ready *group = p->group;
    struct wedr_errinfo ei = {""};
    for (unsigned i = 0; i < n; i++) {
        p->commits[i] = (struct wedr_commit){.p = group[i].prepared};
    }
    uint64_t begin = wedr_time_mono_ns();
    int err = p->cfg.events_ops->commit(p->cfg.events, p->commits, n, &ei);
    wedr_metrics_commit(p->cfg.metrics, (wedr_time_mono_ns() - begin) / 1000);
    if (err != WEDR_OK) {
        wedr_log(ERROR, "ingest.commit_failed", WEDR_ERR(err), WEDR_STR("why", ei.text),
                 WEDR_U64("batches", n));
    }
    for (unsigned i = 0; i < n; i++) {
        group[i].done(p->cfg.arg, group[i].rq, group[i].prepared, err, p->commits[i].outcome);
        wedr_prepared_free(group[i].prepared);
        wedr_request_finish(group[i].rq);
    }
}

static void commit_loop(void *arg)
{
    struct wedr_stages *p = arg;
    uint64_t ticked = wedr_time_mono_ms();
    for (bool stop = false; !stop;) {
        unsigned n = take_group(p, &stop);
        if (n) {
            commit_group(p, n);
        }
        if (wedr_time_mono_ms() - ticked >= TICK_MS) {
            struct wedr_events_stats st = {0};
            ticked = wedr_time_mono_ms();
            p->cfg.events_ops->tick(p->cfg.events);
            p->cfg.events_ops->stats(p->cfg.events, &st);
            wedr_metrics_store(p->cfg.metrics, &st);
        }
    }
}

static int start_lane(struct wedr_stages *p,
                      enum wedr_route_lane lane,
                      const char *name,
                      unsigned threads,
                      unsigned max)
{
    struct queue *q = &p->lanes[lane];
    q->stages = p;
    q->max = max;
    q->share = lane == WEDR_RUN_QUERY && threads > 1 ? threads - 1 : 0;
    q->lock = wedr_mutex_new();
    q->filled = wedr_cond_new();
    int err = q->lock && q->filled ? WEDR_OK : WEDR_E_NOMEM;
    for (unsigned i = 0; err == WEDR_OK && i < threads && i < WORKERS_MAX; i++) {
        err = wedr_thread_new(&q->threads[i], name,
                              lane == WEDR_RUN_INGEST ? ingest_loop : lane_loop, q);
    }
    return err;
}

int wedr_stages_new(const struct wedr_stages_cfg *cfg, struct wedr_stages **ret)
{
    struct wedr_stages *p = wedr_alloc(1, sizeof(*p));
    if (!p) {
        return WEDR_E_NOMEM;
    }
    p->cfg = *cfg;
    p->lock = wedr_mutex_new();
    p->filled = wedr_cond_new();
    p->drained = wedr_cond_new();
    int err = p->lock && p->filled && p->drained
                  ? wedr_thread_new(&p->committer, "commit", commit_loop, p)
                  : WEDR_E_NOMEM;
    const struct {
        enum wedr_route_lane lane;
        const char *name;
        unsigned threads, max;
    } lanes[] = {
        {WEDR_RUN_CONTROL, "control", 1, AGENT_QUEUE_MAX},
        {WEDR_RUN_INGEST, "ingest", cfg->workers, AGENT_QUEUE_MAX},
        {WEDR_RUN_QUERY, "query", cfg->queries, QUEUE_MAX},
        {WEDR_RUN_PASSWORD, "password", WEDR_STAGES_PASSWORDS, PASSWORD_QUEUE_MAX},
    };
    for (size_t i = 0; err == WEDR_OK && i < WEDR_ARRAY_COUNT(lanes); i++) {
        err = start_lane(p, lanes[i].lane, lanes[i].name, lanes[i].threads, lanes[i].max);
    }
    if (err != WEDR_OK) {
        wedr_stages_free(p);
        return err;
    }
    *ret = p;
    return WEDR_OK;
}

void wedr_stages_stop(struct wedr_stages *p)
{
    for (size_t i = 0; i < WEDR_RUN_LANES; i++) {
        queue_stop(&p->lanes[i]);
    }
    if (p->lock) {
        wedr_mutex_lock(p->lock);
        p->stop = true;
        wedr_cond_broadcast(p->filled);
        wedr_mutex_unlock(p->lock);
        wedr_thread_join(p->committer);
        p->committer = NULL;
    }
}

void wedr_stages_free(struct wedr_stages *p)
{
    if (!p) {
        return;
    }
    wedr_stages_stop(p);
    for (size_t i = 0; i < WEDR_RUN_LANES; i++) {
        queue_fini(&p->lanes[i]);
    }
    wedr_cond_free(p->filled);
    wedr_cond_free(p->drained);
    wedr_mutex_free(p->lock);
    wedr_free(p);
}
