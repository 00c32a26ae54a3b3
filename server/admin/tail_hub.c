/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/tail.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "wedr/plat/thread.h"
#include "wedr/plat/time.h"
#include <inttypes.h>
#include <string.h>

#define POLL_MS 200u
#define QUIET_MS 2000u /* a place whose page was closed is free again after twice as long */
#define CHANGED_MAX 1024u
#define MESSAGE_MAX ((size_t)2 << 20)

struct wedr_tail {
    struct wedr_thread *thread;
    struct wedr_mutex *lock; /* of what follows up to the thread's own */
    struct wedr_cond *wake;
    bool woken, stop;
    struct wedr_watcher *fresh[WEDR_TAIL_WATCHERS_MAX];
    size_t fresh_count;
    int64_t users[WEDR_TAIL_WATCHERS_MAX]; /* who has places */
    size_t place_count;
    int64_t changed[CHANGED_MAX];
    size_t changed_count;
    uint64_t changed_lost;
    uint64_t life_ms;
    /* Of the thread alone. */
    struct wedr_pump pump;
    size_t event_watchers, alert_watchers;
    bool alerts_begun; /* alerts_at is a place to go on from */
    int64_t alerts_at;
    int64_t taken[CHANGED_MAX];
};

/* --- Messages. */

/* False: no room for it now. */
static bool write_now(struct wedr_watcher *w, const void *p, size_t n, uint64_t now)
{
    int err = wedr_stream_write(w->st, p, n, 0);
    w->gone = w->gone || err == WEDR_E_CLOSED;
    w->wrote_ms = err == WEDR_OK ? now : w->wrote_ms;
    return err == WEDR_OK;
}

static bool say_lost(struct wedr_watcher *w, uint64_t now)
{
    char text[96];
    int n = snprintf(text, sizeof(text), "event: lost\ndata: {\"count\":%" PRIu64 "}\n\n", w->lost);
    bool said = w->lost == 0 || write_now(w, text, (size_t)n, now);
    w->lost = said ? 0 : w->lost;
    return said;
}

void wedr_tail_send(struct wedr_watcher *w, const struct wedr_buf *message, uint64_t now_ms)
{
    if (w->gone) {
        return;
    }
    if (now_ms / 1000 != w->second) {
        w->second = now_ms / 1000;
        w->in_second = 0;
    }
    bool fits = !message->overflow && w->in_second < WEDR_TAIL_PER_SECOND && say_lost(w, now_ms);
    if (fits && write_now(w, message->p, message->len, now_ms)) {
        w->in_second++;
    } else {
        w->lost++;
    }
}

/* --- Watchers. */

static void free_watcher(struct wedr_watcher *w)
{
    if (w) {
        wedr_stream_unref(w->st);
        wedr_seen_fini(&w->seen);
        wedr_free(w);
    }
}

int wedr_tail_reserve(struct wedr_tail *t, int64_t user_id)
{
    size_t own = 0;
    wedr_mutex_lock(t->lock);
    for (size_t i = 0; i < t->place_count; i++) {
        own += t->users[i] == user_id;
    }
    bool room = t->place_count < WEDR_TAIL_WATCHERS_MAX && own < WEDR_TAIL_USER_MAX && !t->stop;
    if (room) {
        t->users[t->place_count++] = user_id;
    }
    wedr_mutex_unlock(t->lock);
    return room ? WEDR_OK : WEDR_E_LIMIT;
}

void wedr_tail_release(struct wedr_tail *t, int64_t user_id)
{
    wedr_mutex_lock(t->lock);
    for (size_t i = 0; i < t->place_count; i++) {
        if (t->users[i] == user_id) {
            t->users[i] = t->users[--t->place_count];
            break;
        }
    }
    wedr_mutex_unlock(t->lock);
}

static struct wedr_watcher *new_watcher(const struct wedr_tail_ask *ask)
{
    struct wedr_watcher *w = wedr_alloc(1, sizeof(*w));
    if (!w) {
        return NULL;
    }
    w->user_id = ask->user_id;
    w->alerts = ask->alerts;
    w->all_types = ask->types == NULL;
    w->has_agent = ask->agent_id != NULL;
    if (ask->types) {
        memcpy(w->types, ask->types, sizeof(w->types));
    }
    if (ask->agent_id) {
        (void)snprintf(w->agent_id, sizeof(w->agent_id), "%s", ask->agent_id);
    }
    if (ask->groups) { /* names, a NUL behind each, then "" */
        size_t n = 0;
        while (ask->groups[n]) {
            n += strlen(ask->groups + n) + 1;
        }
        memcpy(w->person.group_text, ask->groups, n + 1 <= WEDR_GROUPS_MAX ? n + 1 : 0);
        w->person.groups = w->person.group_text;
    }
    wedr_asker_of(&w->person, &w->who);
    w->begun_ms = w->wrote_ms = wedr_time_mono_ms();
    return w;
}

void wedr_tail_add_take(struct wedr_tail *t,
                        const struct wedr_tail_ask *ask,
                        struct wedr_answer_stream *st)
{
    /* The id is for who reconnects before anything was told: it says that it was here. */
    static const char hello[] = "retry: 1000\nid: 0\n\n";
    static const char again[] = "retry: 1000\nid: 0\n\nevent: lost\ndata: {\"count\":null}\n\n";
    struct wedr_watcher *w = new_watcher(ask);
    if (w) {
        w->st = st;
        (void)write_now(w, ask->again ? again : hello,
                        ask->again ? sizeof(again) - 1 : sizeof(hello) - 1, w->begun_ms);
        wedr_mutex_lock(t->lock);
        bool taken = !t->stop;
        if (taken) {
            t->fresh[t->fresh_count++] = w;
            t->woken = true;
            wedr_cond_signal(t->wake);
        }
        wedr_mutex_unlock(t->lock);
        if (taken) {
            return;
        }
        free_watcher(w);
    } else {
        wedr_stream_end(st, false);
        wedr_stream_unref(st);
    }
    wedr_tail_release(t, ask->user_id);
}

void wedr_tail_alerts_changed(struct wedr_tail *t, const int64_t *ids, size_t count)
{
    if (!t) {
        return;
    }
    wedr_mutex_lock(t->lock);
    for (size_t i = 0; i < count; i++) {
        if (t->changed_count < CHANGED_MAX) {
            t->changed[t->changed_count++] = ids[i];
        } else {
            t->changed_lost++;
        }
    }
    t->woken = true;
    wedr_cond_signal(t->wake);
    wedr_mutex_unlock(t->lock);
}

/* --- The thread. */

/* With nobody watching it sleeps until somebody comes. False: it is time to stop. */
static bool wait_for_news(struct wedr_tail *t, bool more)
{
    wedr_mutex_lock(t->lock);
    if (!more && !t->woken && !t->stop) {
        (void)wedr_cond_wait(t->wake, t->lock, t->pump.count ? POLL_MS : UINT32_MAX);
    }
    t->woken = false;
    bool go = !t->stop;
    wedr_mutex_unlock(t->lock);
    return go;
}

/* With the lock held. What is told begins at what is newest now, for the first of a kind; when that
 * failed, for the next one. */
static int begin_for(struct wedr_tail *t, const struct wedr_watcher *w)
{
    struct wedr_pump *p = &t->pump;
    int err = WEDR_OK;
    if (!w->alerts) {
        t->event_watchers++;
        return p->reader ? WEDR_OK : wedr_tail_begin_events(p);
    }
    t->alert_watchers++;
    if (!t->alerts_begun) {
        err = p->view.d.state_ops->triage->alert_newest(p->view.d.state, &t->alerts_at);
        t->alerts_begun = err == WEDR_OK;
        t->changed_count = 0;
    }
    return err;
}

/* Those that came since. */
static void adopt_fresh(struct wedr_tail *t)
{
    struct wedr_pump *p = &t->pump;
    wedr_mutex_lock(t->lock);
    for (size_t i = 0; i < t->fresh_count; i++) {
        struct wedr_watcher *w = t->fresh[i];
        p->watchers[p->count++] = w;
        int err = begin_for(t, w);
        if (err != WEDR_OK) {
            wedr_log(ERROR, "tail.not_begun", WEDR_ERR(err));
            w->gone = true;
        }
    }
    t->fresh_count = 0;
    wedr_mutex_unlock(t->lock);
}

static void remove_watcher(struct wedr_tail *t, size_t i)
{
    struct wedr_pump *p = &t->pump;
    struct wedr_watcher *w = p->watchers[i];
    *(w->alerts ? &t->alert_watchers : &t->event_watchers) -= 1;
    p->watchers[i] = p->watchers[--p->count];
    wedr_stream_end(w->st, true);
    wedr_tail_release(t, w->user_id);
    free_watcher(w);
    if (t->event_watchers == 0 && p->reader) { /* the room of days that are deleted comes back */
        p->events_ops->read->close(p->reader);
        p->reader = NULL;
    }
    t->alerts_begun = t->alerts_begun && t->alert_watchers != 0;
}

/* Comments keep the line open, and show when nobody is there any more. */
static void look_after(struct wedr_tail *t)
{
    uint64_t now = wedr_time_mono_ms();
    for (size_t i = t->pump.count; i-- > 0;) {
        struct wedr_watcher *w = t->pump.watchers[i];
        (void)say_lost(w, now);
        if (now - w->wrote_ms >= QUIET_MS) {
            (void)write_now(w, ":\n\n", 3, now);
        }
        if (w->gone || wedr_stream_closed(w->st) || now - w->begun_ms >= t->life_ms) {
            remove_watcher(t, i);
        }
    }
}

static int pump_alerts(struct wedr_tail *t)
{
    size_t count;
    uint64_t lost;
    wedr_mutex_lock(t->lock);
    count = t->changed_count;
    lost = t->changed_lost;
    memcpy(t->taken, t->changed, count * sizeof(*t->taken));
    t->changed_count = 0;
    t->changed_lost = 0;
    wedr_mutex_unlock(t->lock);
    for (size_t i = 0; lost && i < t->pump.count; i++) {
        t->pump.watchers[i]->lost += t->pump.watchers[i]->alerts ? lost : 0;
    }
    return wedr_tail_pump_alerts(&t->pump, &t->alerts_at, t->taken, count);
}

static void run(void *arg)
{
    struct wedr_tail *t = arg;
    bool more = false;
    wedr_thread_background();
    while (wait_for_news(t, more)) {
        int err = WEDR_OK;
        more = false;
        adopt_fresh(t);
        if (t->event_watchers && t->pump.reader) {
            err = wedr_tail_pump_events(&t->pump, &more);
        }
        if (err != WEDR_OK) {
            wedr_log(ERROR, "tail.read_failed", WEDR_ERR(err));
            more = false;
        }
        err = t->alerts_begun ? pump_alerts(t) : WEDR_OK;
        if (err != WEDR_OK) {
            wedr_log(ERROR, "tail.alerts_failed", WEDR_ERR(err));
        }
        look_after(t);
    }
    adopt_fresh(t);
    while (t->pump.count) {
        remove_watcher(t, t->pump.count - 1);
    }
}

static void free_tail(struct wedr_tail *t)
{
    if (t->pump.reader) {
        t->pump.events_ops->read->close(t->pump.reader);
    }
    wedr_buf_fini(&t->pump.text);
    wedr_cond_free(t->wake);
    wedr_mutex_free(t->lock);
    wedr_free(t);
}

int wedr_tail_start(const struct wedr_tail_cfg *cfg, struct wedr_tail **ret)
{
    struct wedr_tail *t = wedr_alloc(1, sizeof(*t));
    if (!t) {
        return WEDR_E_NOMEM;
    }
    t->pump.events_ops = cfg->events_ops;
    t->life_ms = cfg->life_ms;
    t->pump.view.d.data_dir = cfg->data_dir;
    t->pump.view.d.state_ops = cfg->state_ops;
    t->pump.view.d.state = cfg->state;
    wedr_buf_init(&t->pump.text, MESSAGE_MAX);
    t->lock = wedr_mutex_new();
    t->wake = wedr_cond_new();
    int err = t->lock && t->wake ? wedr_thread_new(&t->thread, "tail", run, t) : WEDR_E_NOMEM;
    if (err != WEDR_OK) {
        free_tail(t);
        return err;
    }
    *ret = t;
    return WEDR_OK;
}

void wedr_tail_stop(struct wedr_tail *t)
{
    if (t) {
        wedr_mutex_lock(t->lock);
        t->stop = true;
        wedr_cond_signal(t->wake);
        wedr_mutex_unlock(t->lock);
        wedr_thread_join(t->thread);
        free_tail(t);
    }
}
