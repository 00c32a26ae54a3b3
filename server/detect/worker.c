/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/worker.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "store/events.h"
#include "wedr/plat/thread.h"
#include "wedr/plat/time.h"
#include "wedr/wire/schema.h"
#include <stdatomic.h>
#include <string.h>

#define IDLE_MS 1000u
#define RETRY_MS 1000u
#define GATHER_MS 50u /* between looks: each reads the index's pages, for one batch or many */
#define APPLY_MS 200u /* processes alone can wait; alerts are stored at once */
#define STEP_BLOCKS_MAX 256u
#define STEP_MS_MAX 200u   /* what is found is visible soon, however much there is to read */
#define ARRIVAL_STEP 65536 /* between two batches, see docs/event-store.md */
#define WARM_WINDOW_US INT64_C(86400000000)
#define WARM_EVENTS_MAX 2000000u
#define WARM_BATCHES_MAX 1000 /* the newest ones */

enum role { ROLE_NONE, ROLE_ALERT, ROLE_RESPONSE, ROLE_START, ROLE_FORK, ROLE_END };

struct wedr_detect {
    struct wedr_detect_cfg cfg;
    struct wedr_thread *thread;
    struct wedr_mutex *lock; /* of wake, stop and stats */
    struct wedr_cond *wake;
    bool woken, stop;
    struct wedr_detect_stats stats;
    /* Of the thread alone. */
    struct wedr_events_reader *reader;
    struct wedr_step step;
    struct wedr_watch *watch;
    struct wedr_detect_stats now;
    uint8_t role[256];
    int64_t read;   /* arrival of the last block that was read whole */
    int64_t begun;  /* arrival of one that an error cut short: it goes on at row, so that */
    uint32_t row;   /* correlations count the lines before it once */
    int64_t stored; /* cursor in the store */
    struct {
        bool due;         /* windows are to be rebuilt before anything new is read */
        int64_t since_us; /* what was received then and later */
        int64_t at;       /* behind this arrival it goes on, below 0: not begun; at this row */
        uint32_t row;
        uint64_t events;
        bool limited; /* older batches of the time are left out */
    } warm;
    uint64_t rules_looked_ms, applied_ms, looked_ms;
    bool rules_failed;
};

static bool stopping(struct wedr_detect *d)
{
    wedr_mutex_lock(d->lock);
    bool stop = d->stop;
    wedr_mutex_unlock(d->lock);
    return stop;
}

static void publish_stats(struct wedr_detect *d)
{
    wedr_watch_stats(d->watch, &d->now.watch);
    wedr_mutex_lock(d->lock);
    d->stats = d->now;
    wedr_mutex_unlock(d->lock);
}

static void wait_for_news(struct wedr_detect *d, uint32_t ms)
{
    wedr_mutex_lock(d->lock);
    if (!d->woken && !d->stop) {
        (void)wedr_cond_wait(d->wake, d->lock, ms);
    }
    for (uint64_t ms_ago;
         d->woken && !d->stop && (ms_ago = wedr_time_mono_ms() - d->looked_ms) < GATHER_MS;) {
        (void)wedr_cond_wait(d->wake, d->lock, (uint32_t)(GATHER_MS - ms_ago));
    }
    d->woken = false;
    wedr_mutex_unlock(d->lock);
}

/* --- Committing. */

static int apply_once(struct wedr_detect *d)
{
    struct wedr_detect_step s = {.alerts = d->step.alerts,
                                 .alert_count = d->step.alert_count,
                                 .responses = d->step.responses,
                                 .response_count = d->step.response_count,
                                 .processes = d->step.processes,
                                 .process_count = d->step.process_count,
                                 .now_us = wedr_time_utc_us(),
                                 .cursor = d->read};
    int err = d->cfg.state_ops->detect->apply(d->cfg.state, &s);
    if (err == WEDR_OK) {
        d->now.alerts += s.alerts_new;
        d->now.alerts_again += s.alerts_again;
        d->now.alerts_dropped += s.alerts_dropped;
        d->now.alert_bytes_dropped += s.alert_bytes_dropped;
        d->now.evidence_cut += s.evidence_cut;
        d->now.alert_bytes = s.alert_bytes;
        d->now.processes_dropped += s.processes_dropped;
        d->now.responses += s.response_count;
        d->now.processes += s.process_count;
        d->stored = d->now.cursor = d->read;
        d->applied_ms = wedr_time_mono_ms();
    }
    return err;
}

/* A full disk or a lock passes: the step is kept until it is stored. False when the server stops
 * before that; the same lines are read again then. */
static bool apply(struct wedr_detect *d)
{
    int err;
    while ((err = apply_once(d)) != WEDR_OK) {
        d->now.failures++;
        publish_stats(d);
        wedr_log(ERROR, "detect.store_failed", WEDR_ERR(err));
        wait_for_news(d, RETRY_MS);
        if (stopping(d)) {
            return false;
        }
        wedr_time_sleep_ms(100);
    }
    wedr_step_clear(&d->step);
    publish_stats(d);
    return true;
}

/* --- Reading. */

static int collect(struct wedr_detect *d,
                   const struct wedr_event_block *b,
                   const struct wedr_event_line *l,
                   enum role role)
{
    switch (role) {
    case ROLE_ALERT:
        return wedr_step_alert(&d->step, b, l);
    case ROLE_RESPONSE:
        return wedr_step_response(&d->step, b, l);
    case ROLE_START:
        return wedr_step_process(&d->step, b, l, WEDR_PROCESS_CREATED);
    case ROLE_FORK:
        return wedr_step_process(&d->step, b, l, WEDR_PROCESS_FORKED);
    case ROLE_END:
        return wedr_step_process(&d->step, b, l, WEDR_PROCESS_ENDED);
    case ROLE_NONE:
        break;
    }
    return WEDR_OK;
}

/* One line. A step that is full is committed in the middle of a block, with the cursor before it:
 * after a crash the lines come again, and what they say is stored once. */
static int
read_line(struct wedr_detect *d, const struct wedr_event_block *b, const struct wedr_event_line *l)
{
    int err = WEDR_OK;
    if (wedr_step_is_full(&d->step) && !apply(d)) {
        return WEDR_E_CLOSED;
    }
    err = collect(d, b, l, d->role[l->type]);
    if (err == WEDR_E_LIMIT) {
        if (!apply(d)) {
            return WEDR_E_CLOSED;
        }
        err = collect(d, b, l, d->role[l->type]);
    }
    if (err == WEDR_E_FORMAT || err == WEDR_E_LIMIT) {
        d->now.alerts_malformed++;
        err = WEDR_OK;
    }
    if (err == WEDR_OK && wedr_watch_wants(d->watch, l->type)) {
        err = wedr_watch_line(d->watch, &d->step, b, l, false);
    }
    return err;
}

static bool block_matters(const struct wedr_detect *d, const struct wedr_event_block *b)
{
    for (unsigned i = 0; i < 256; i++) {
        if (b->counts[i] && (d->role[i] != ROLE_NONE || wedr_watch_wants(d->watch, (uint8_t)i))) {
            return true;
        }
    }
    return false;
}

static int read_row(struct wedr_detect *d, const struct wedr_event_block *b, uint32_t row)
{
    const struct wedr_events_read_ops *ops = d->cfg.events_ops->read;
    struct wedr_event_line l;
    int err = ops->line(d->reader, row, true, &l);
    if (err == WEDR_OK && d->role[l.type] == ROLE_NONE && !wedr_watch_wants(d->watch, l.type)) {
        return WEDR_OK;
    }
    err = err == WEDR_OK ? ops->line(d->reader, row, false, &l) : err;
    return err == WEDR_OK ? read_line(d, b, &l) : err == WEDR_E_NOENT ? WEDR_OK : err;
}

static int read_block(struct wedr_detect *d, const struct wedr_event_block *b)
{
    int err = WEDR_OK;
    bool matters = block_matters(d, b);
    if (d->begun != b->arrival) {
        d->begun = b->arrival;
        d->row = 0;
        d->now.blocks++;
        d->now.events += b->lines;
    }
    while (err == WEDR_OK && matters && d->row < b->lines) {
        err = read_row(d, b, d->row);
        d->row += err == WEDR_OK;
    }
    return err;
}

static void note_lag(struct wedr_detect *d, const struct wedr_event_block *b)
{
    int64_t age = wedr_time_utc_us() - b->received_us;
    d->now.lag_us = age > 0 ? (uint64_t)age : 0;
}

/* Reads until nothing is left or it is time to commit. *ret_more: there may be more. */
static int read_some(struct wedr_detect *d, bool *ret_more)
{
    const struct wedr_events_read_ops *ops = d->cfg.events_ops->read;
    struct wedr_event_block b;
    uint64_t end = wedr_time_mono_ms() + STEP_MS_MAX;
    int err = WEDR_OK;
    *ret_more = false;
    for (unsigned n = 0; n < STEP_BLOCKS_MAX && wedr_time_mono_ms() < end; n++) {
        err = ops->next(d->reader, d->read, &b);
        if (err == WEDR_E_NOENT) {
            d->now.lag_us = d->now.behind = 0;
            return WEDR_OK;
        }
        if (err == WEDR_OK) {
            note_lag(d, &b);
            err = read_block(d, &b);
        }
        if (err != WEDR_OK) {
            return err;
        }
        d->read = b.arrival;
        if (wedr_step_is_full(&d->step)) {
            break;
        }
    }
    *ret_more = true;
    return WEDR_OK;
}

/* --- Beginning. */

/* Windows of correlations that were open when the server ended or its rules changed: what they held
 * is read again, silently, up to where the thread is. */
static void begin_warm(struct wedr_detect *d)
{
    int64_t window = wedr_watch_window_us(d->watch);
    window = window < WARM_WINDOW_US ? window : WARM_WINDOW_US;
    d->warm.due = window != 0 && (d->read != 0 || d->begun != 0);
    d->warm.since_us = wedr_time_utc_us() - window;
    d->warm.at = -1;
    d->warm.row = 0;
    d->warm.events = 0;
}

/* Lines of a block that were read before, for the windows alone. */
static int warm_block(struct wedr_detect *d, const struct wedr_event_block *b)
{
    const struct wedr_events_read_ops *ops = d->cfg.events_ops->read;
    uint32_t rows = b->arrival <= d->read ? b->lines : b->arrival == d->begun ? d->row : 0;
    int err = WEDR_OK;
    while (err == WEDR_OK && d->warm.row < rows) {
        struct wedr_event_line l;
        err = ops->line(d->reader, d->warm.row, true, &l);
        if (err == WEDR_OK && wedr_watch_wants(d->watch, l.type)) {
            err = ops->line(d->reader, d->warm.row, false, &l);
            err = err == WEDR_OK ? wedr_watch_line(d->watch, &d->step, b, &l, true) : err;
            d->warm.events += err == WEDR_OK;
        }
        err = err == WEDR_E_NOENT ? WEDR_OK : err;
        d->warm.row += err == WEDR_OK;
    }
    return err;
}

/* After an error it is called again and goes on where it was. */
static int warm_up(struct wedr_detect *d)
{
    const struct wedr_events_read_ops *ops = d->cfg.events_ops->read;
    int64_t end = d->begun > d->read ? d->begun : d->read;
    struct wedr_event_block b;
    int err = WEDR_OK;
    if (d->warm.at < 0) {
        int64_t at = 0, most = (int64_t)WARM_BATCHES_MAX * ARRIVAL_STEP;
        err = ops->arrival_before(d->reader, d->warm.since_us, &at);
        d->warm.limited = d->read - at > most;
        d->warm.at = err != WEDR_OK ? -1 : d->warm.limited ? d->read - most : at;
    }
    while (err == WEDR_OK && d->warm.at < end && d->warm.events < WARM_EVENTS_MAX && !stopping(d)) {
        err = ops->next(d->reader, d->warm.at, &b);
        err = err == WEDR_OK ? warm_block(d, &b) : err;
        if (err == WEDR_OK) {
            d->warm.at = b.arrival;
            d->warm.row = 0;
        }
    }
    err = err == WEDR_E_NOENT ? WEDR_OK : err;
    err = err == WEDR_OK ? wedr_watch_remember(d->watch, d->warm.since_us) : err;
    if (err == WEDR_OK) {
        d->warm.due = false;
        wedr_log(INFO, "detect.windows_rebuilt", WEDR_U64("events", d->warm.events),
                 WEDR_U64("limited", d->warm.limited || d->warm.events >= WARM_EVENTS_MAX));
    }
    return err;
}

/* True when open windows have to be made of what was read before. */
static bool look_for_rules(struct wedr_detect *d)
{
    struct wedr_errinfo ei = {""};
    bool changed = false, cold = false;
    if (wedr_time_mono_ms() - d->rules_looked_ms < IDLE_MS && d->rules_looked_ms) {
        return false;
    }
    d->rules_looked_ms = wedr_time_mono_ms();
    int err = wedr_watch_reload(d->watch, &changed, &cold, &ei);
    if (err != WEDR_OK && !d->rules_failed) {
        wedr_log(ERROR, "detect.rules_refused", WEDR_ERR(err), WEDR_STR("why", ei.text));
    }
    d->rules_failed = err != WEDR_OK;
    if (changed) {
        struct wedr_watch_stats s;
        wedr_watch_stats(d->watch, &s);
        wedr_log(INFO, "detect.rules", WEDR_U64("serial", s.serial), WEDR_U64("rules", s.rules));
    }
    return cold;
}

/* The place to go on from; at the very first start what is stored already stays unread. Arrivals
 * begin anew when the newest day files were lost: a place beyond all of them would leave what comes
 * next unread. */
static int find_cursor(struct wedr_detect *d)
{
    int64_t newest = 0;
    int err = d->cfg.state_ops->detect->cursor(d->cfg.state, &d->read);
    bool first = err == WEDR_E_NOENT;
    if (err == WEDR_OK || first) {
        err = d->cfg.events_ops->read->newest(d->reader, &newest);
    }
    if (err == WEDR_OK && (first || newest < d->read)) {
        if (!first) {
            wedr_log(WARN, "detect.events_lost", WEDR_I64("cursor", d->read),
                     WEDR_I64("newest", newest));
        }
        d->read = newest;
        err = apply_once(d);
    }
    d->stored = d->now.cursor = d->read;
    return err;
}

static void note_behind(struct wedr_detect *d)
{
    int64_t newest = 0;
    if (d->cfg.events_ops->read->newest(d->reader, &newest) == WEDR_OK && newest > d->read) {
        d->now.behind = (uint64_t)(newest - d->read) / ARRIVAL_STEP;
    }
}

static bool is_due(const struct wedr_detect *d)
{
    bool urgent = d->step.alert_count || d->step.response_count || wedr_step_is_full(&d->step);
    return urgent || (d->read != d->stored && wedr_time_mono_ms() - d->applied_ms >= APPLY_MS);
}

/* Windows, then what is new. WEDR_E_CLOSED: it is time to end. */
static int look(struct wedr_detect *d, bool *ret_more)
{
    *ret_more = false;
    if (look_for_rules(d)) {
        begin_warm(d);
    }
    int err = d->warm.due ? warm_up(d) : WEDR_OK;
    if (err != WEDR_OK) {
        d->now.failures++;
        wedr_log(ERROR, "detect.windows_not_rebuilt", WEDR_ERR(err));
        return err;
    }
    d->looked_ms = wedr_time_mono_ms();
    err = read_some(d, ret_more);
    if (err != WEDR_OK && err != WEDR_E_CLOSED) {
        d->now.failures++;
        wedr_log(ERROR, "detect.read_failed", WEDR_ERR(err));
    }
    return err;
}

static void run(void *arg)
{
    struct wedr_detect *d = arg;
    wedr_thread_background(); /* the ingest goes first */
    while (!stopping(d)) {
        bool more = false;
        int err = look(d, &more);
        if (err == WEDR_E_CLOSED || (is_due(d) && !apply(d))) {
            return;
        }
        if (more) {
            note_behind(d);
        }
        publish_stats(d);
        if (!more) {
            wait_for_news(d, err != WEDR_OK ? RETRY_MS : d->read != d->stored ? APPLY_MS : IDLE_MS);
        }
    }
    if (d->read != d->stored) {
        (void)apply_once(d);
    }
}

static void set_roles(struct wedr_detect *d)
{
    static const struct {
        const char *type;
        enum role role;
    } roles[] = {{"alert", ROLE_ALERT},
                 {"response", ROLE_RESPONSE},
                 {"process_create", ROLE_START},
                 {"process_fork", ROLE_FORK},
                 {"process_terminate", ROLE_END}};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(roles); i++) {
        const struct wedr_type_info *t = wedr_type_by_name(roles[i].type, strlen(roles[i].type));
        if (t && t->code < 256) {
            d->role[t->code] = (uint8_t)roles[i].role;
        }
    }
}

static void free_detect(struct wedr_detect *d)
{
    if (d->reader) {
        d->cfg.events_ops->read->close(d->reader);
    }
    wedr_watch_free(d->watch);
    wedr_step_fini(&d->step);
    wedr_cond_free(d->wake);
    wedr_mutex_free(d->lock);
    wedr_free(d);
}

int wedr_detect_start(const struct wedr_detect_cfg *cfg,
                      struct wedr_detect **ret,
                      struct wedr_errinfo *ei)
{
    struct wedr_detect *d = wedr_alloc(1, sizeof(*d));
    if (!d) {
        return wedr_fail(ei, WEDR_E_NOMEM, "out of memory");
    }
    d->cfg = *cfg;
    set_roles(d);
    d->lock = wedr_mutex_new();
    d->wake = wedr_cond_new();
    int err = d->lock && d->wake ? wedr_step_init(&d->step) : WEDR_E_NOMEM;
    err = err == WEDR_OK ? wedr_watch_new(cfg->state_ops, cfg->state, &d->watch) : err;
    err = err == WEDR_OK ? cfg->events_ops->read->open(cfg->data_dir, &d->reader, ei) : err;
    if (err == WEDR_OK) {
        cfg->events_ops->read->beside(d->reader, cfg->events);
    }
    err = err == WEDR_OK ? find_cursor(d) : err;
    err = err == WEDR_OK ? wedr_thread_new(&d->thread, "detect", run, d) : err;
    if (err != WEDR_OK) {
        free_detect(d);
        return ei && ei->text[0] ? err : wedr_fail(ei, err, "detection: %s", wedr_err_text(err));
    }
    *ret = d;
    return WEDR_OK;
}

void wedr_detect_wake(struct wedr_detect *d)
{
    wedr_mutex_lock(d->lock);
    if (!d->woken) {
        d->woken = true;
        wedr_cond_signal(d->wake);
    }
    wedr_mutex_unlock(d->lock);
}

void wedr_detect_stop(struct wedr_detect *d)
{
    if (d) {
        wedr_mutex_lock(d->lock);
        d->stop = true;
        wedr_cond_signal(d->wake);
        wedr_mutex_unlock(d->lock);
        wedr_thread_join(d->thread);
        free_detect(d);
    }
}

void wedr_detect_stats(struct wedr_detect *d, struct wedr_detect_stats *ret)
{
    wedr_mutex_lock(d->lock);
    *ret = d->stats;
    wedr_mutex_unlock(d->lock);
}
