/* SPDX-License-Identifier: Apache-2.0 */
#include "crew.h"

#include "batch.h"
#include "common/show.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "events.h"
#include "reader.h"
#include "wedr/plat/thread.h"
#include <string.h>

#define SLOTS_MAX (2 * WEDR_RULES_THREADS_MAX + 2)

enum slot_state { FREE, READY, BUSY, DONE };

struct slot {
    struct wedr_batch batch;
    enum slot_state state; /* under the lock */
};

/* A path that hits point to. */
struct path {
    struct path *next;
    char *text;
};

struct wedr_crew_run {
    struct wedr_crew *crew;
    struct slot *slots;
    size_t slot_count;
    uint64_t head, take, tail; /* batches filled, given to a thread, told; under the lock */
    bool stop;                 /* under the lock */
    struct wedr_mutex *lock;
    struct wedr_cond *changed;
    struct wedr_batch_worker workers[WEDR_RULES_THREADS_MAX]; /* the first is the caller's */
    struct wedr_thread *threads[WEDR_RULES_THREADS_MAX];
    size_t worker_count;
    struct path *paths;
    const char *path;      /* of the file being read */
    bool live;             /* standard input: nothing waits for a batch to become full */
    uint64_t bytes_before; /* of the files read before */
    const char *told_path; /* of the last problem */
    uint64_t told;
};

static struct slot *slot_at(struct wedr_crew_run *g, uint64_t n)
{
    return &g->slots[n % g->slot_count];
}

/* A batch to match, or NULL. Called and returns under the lock. */
static struct slot *claim(struct wedr_crew_run *g)
{
    if (g->take == g->head) {
        return NULL;
    }
    struct slot *s = slot_at(g, g->take++);
    s->state = BUSY;
    return s;
}

/* Matches s. Called and returns under the lock. */
static void match(struct wedr_crew_run *g, struct slot *s, struct wedr_batch_worker *w)
{
    wedr_mutex_unlock(g->lock);
    wedr_batch_match(&s->batch, w);
    wedr_mutex_lock(g->lock);
    s->state = DONE;
    wedr_cond_broadcast(g->changed);
}

struct start {
    struct wedr_crew_run *run;
    struct wedr_batch_worker *worker;
};

static void work(void *arg)
{
    struct start start = *(struct start *)arg;
    struct wedr_crew_run *g = start.run;
    wedr_free(arg);
    wedr_mutex_lock(g->lock);
    while (!g->stop) {
        struct slot *s = claim(g);
        if (s) {
            match(g, s, start.worker);
        } else {
            (void)wedr_cond_wait(g->changed, g->lock, UINT32_MAX);
        }
    }
    wedr_mutex_unlock(g->lock);
}

static void on_bad(void *ctx, const char *path, uint64_t line, uint64_t offset, const char *reason)
{
    struct wedr_crew_run *g = ctx;
    g->crew->stats.failed++;
    if (g->crew->problem) {
        g->crew->problem(g->crew->ctx);
    }
    if (path != g->told_path) {
        wedr_events_tell_more(g->told_path, g->told);
        g->told_path = path;
        g->told = 0;
    }
    wedr_events_tell(path, line, offset, reason, &g->told);
}

static int on_hit(void *ctx, const struct wedr_hit *hit)
{
    const struct wedr_crew_run *g = ctx;
    return g->crew->hit(g->crew->ctx, hit);
}

/* Tells the oldest batch, when it is done or `wait`. */
static int tell_oldest(struct wedr_crew_run *g, bool wait, bool *ret_told)
{
    struct slot *s = slot_at(g, g->tail);
    *ret_told = false;
    wedr_mutex_lock(g->lock);
    while (wait && s->state != DONE) {
        struct slot *other = claim(g);
        if (other) {
            match(g, other, &g->workers[0]);
        } else {
            (void)wedr_cond_wait(g->changed, g->lock, UINT32_MAX);
        }
    }
    bool done = s->state == DONE;
    wedr_mutex_unlock(g->lock);
    if (!done) {
        return WEDR_OK;
    }
    int r = s->batch.err;
    if (r == WEDR_OK) {
        r = wedr_batch_tell(&s->batch, on_hit, on_bad, g);
    }
    g->crew->stats.events += s->batch.events;
    g->crew->stats.unknown += s->batch.unknown;
    g->crew->stats.outside += s->batch.outside;
    g->crew->stats.undated += s->batch.undated;
    wedr_batch_clear(&s->batch);
    s->state = FREE; /* only this thread looks at it now */
    g->tail++;
    *ret_told = true;
    return r;
}

/* Hands the batch at head to the threads and makes room for the next. */
static int submit(struct wedr_crew_run *g)
{
    bool told = true;
    int r = WEDR_OK;
    if (wedr_batch_is_empty(&slot_at(g, g->head)->batch)) {
        return WEDR_OK;
    }
    wedr_mutex_lock(g->lock);
    slot_at(g, g->head)->state = READY;
    g->head++;
    wedr_cond_broadcast(g->changed);
    wedr_mutex_unlock(g->lock);
    while (r == WEDR_OK && told && g->tail < g->head) {
        r = tell_oldest(g, g->head - g->tail == g->slot_count || g->live, &told);
    }
    slot_at(g, g->head)->batch.path = g->path;
    return r;
}

static int finish(struct wedr_crew_run *g)
{
    bool told;
    int r = submit(g);
    while (r == WEDR_OK && g->tail < g->head) {
        r = tell_oldest(g, true, &told);
    }
    return r;
}

static int on_doc(void *ctx, const struct wedr_doc *doc)
{
    struct wedr_crew_run *g = ctx;
    struct wedr_batch *b = &slot_at(g, g->head)->batch;
    int r = wedr_batch_add(b, doc);
    return r == WEDR_OK && wedr_batch_is_full(b) ? submit(g) : r;
}

static int on_piece(void *ctx, uint64_t taken)
{
    struct wedr_crew_run *g = ctx;
    g->crew->stats.bytes = g->bytes_before + taken;
    if (g->crew->progress) {
        g->crew->progress(g->crew->ctx, &g->crew->stats);
    }
    return g->live ? submit(g) : WEDR_OK;
}

static int keep_path(struct wedr_crew_run *g, const char *text)
{
    struct path *p = wedr_alloc(1, sizeof(*p));
    if (!p) {
        return WEDR_E_NOMEM;
    }
    p->text = wedr_strndup(text, strlen(text));
    p->next = g->paths;
    g->paths = p;
    g->path = p->text;
    return p->text ? WEDR_OK : WEDR_E_NOMEM;
}

static int on_file(void *ctx, const char *path, wedr_handle h)
{
    struct wedr_crew_run *g = ctx;
    const struct wedr_reader reader = {on_doc, on_piece, g};
    int r = submit(g);
    if (r == WEDR_OK) {
        r = keep_path(g, path);
    }
    if (r != WEDR_OK) {
        return r;
    }
    g->crew->stats.files++;
    g->live = strcmp(path, "-") == 0;
    g->bytes_before = g->crew->stats.bytes;
    slot_at(g, g->head)->batch.path = g->path;
    return wedr_reader_run(&reader, h);
}

static void on_failed(void *ctx, const char *path, const char *reason)
{
    const struct wedr_crew_run *g = ctx;
    g->crew->stats.failed++;
    if (g->crew->problem) {
        g->crew->problem(g->crew->ctx);
    }
    wedr_show_problem(path, 0, reason);
}

static int start_threads(struct wedr_crew_run *g)
{
    for (size_t i = 0; i < g->crew->threads && i < WEDR_RULES_THREADS_MAX; i++) {
        int r = wedr_batch_worker_init(&g->workers[i], g->crew);
        g->worker_count++;
        struct start *start = r == WEDR_OK && i > 0 ? wedr_alloc(1, sizeof(*start)) : NULL;
        if (r == WEDR_OK && i > 0) {
            if (!start) {
                return WEDR_E_NOMEM;
            }
            *start = (struct start){g, &g->workers[i]};
            r = wedr_thread_new(&g->threads[i], "wedr-match", work, start);
            if (r != WEDR_OK) {
                wedr_free(start);
            }
        }
        if (r != WEDR_OK) {
            return r;
        }
    }
    return WEDR_OK;
}

int wedr_crew_run(struct wedr_crew *p, char *const *paths, size_t count)
{
    struct wedr_crew_run *g = wedr_alloc(1, sizeof(*g));
    if (!g) {
        return WEDR_E_NOMEM;
    }
    p->run = g;
    g->crew = p;
    g->told_path = "";
    g->slot_count = 2 * (size_t)p->threads + 2;
    g->slot_count = g->slot_count < SLOTS_MAX ? g->slot_count : SLOTS_MAX;
    g->slots = wedr_alloc(g->slot_count, sizeof(*g->slots));
    for (size_t i = 0; g->slots && i < g->slot_count; i++) {
        wedr_batch_init(&g->slots[i].batch);
    }
    g->lock = wedr_mutex_new();
    g->changed = wedr_cond_new();
    int r = g->slots && g->lock && g->changed ? start_threads(g) : WEDR_E_NOMEM;
    const struct wedr_walk walk = {wedr_events_endings, on_file, on_failed, g};
    if (r == WEDR_OK) {
        r = wedr_events_walk(&walk, paths, count);
    }
    if (r == WEDR_OK) {
        r = finish(g);
    }
    if (g->told > 0 && p->problem) {
        p->problem(p->ctx);
    }
    wedr_events_tell_more(g->told_path, g->told);
    return r;
}

void wedr_crew_fini(struct wedr_crew *p)
{
    struct wedr_crew_run *g = p->run;
    if (!g) {
        return;
    }
    if (g->lock && g->changed) {
        wedr_mutex_lock(g->lock);
        g->stop = true;
        wedr_cond_broadcast(g->changed);
        wedr_mutex_unlock(g->lock);
    }
    for (size_t i = 0; i < g->worker_count; i++) {
        wedr_thread_join(g->threads[i]);
        wedr_batch_worker_fini(&g->workers[i]);
    }
    for (size_t i = 0; g->slots && i < g->slot_count; i++) {
        wedr_batch_fini(&g->slots[i].batch);
    }
    wedr_free(g->slots);
    wedr_cond_free(g->changed);
    wedr_mutex_free(g->lock);
    while (g->paths) {
        struct path *next = g->paths->next;
        wedr_free(g->paths->text);
        wedr_free(g->paths);
        g->paths = next;
    }
    wedr_free(g);
    p->run = NULL;
}
