/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/events_id.h"
#include "admin/tail.h"
#include "core/base/err.h"
#include "wedr/plat/time.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PUMP_MS 200u
#define SEEN_MS 5000u                     /* scopes are looked up again */
#define BEHIND_MAX (INT64_C(256) * 65536) /* of arrivals: beyond it blocks are only counted */

int wedr_tail_begin_events(struct wedr_pump *p)
{
    struct wedr_errinfo ei = {""};
    struct wedr_events_reader *r = NULL;
    int err = p->events_ops->read->open(p->view.d.data_dir, &r, &ei);
    if (err == WEDR_OK) {
        err = p->events_ops->read->newest(r, &p->at);
        if (err != WEDR_OK) {
            p->events_ops->read->close(r);
        }
    }
    if (err == WEDR_OK) {
        p->reader = r;
    }
    return err;
}

static void look_up_scopes(struct wedr_pump *p, uint64_t now)
{
    for (size_t i = 0; i < p->count; i++) {
        struct wedr_watcher *w = p->watchers[i];
        struct wedr_seen seen;
        if (w->alerts || !w->who.scope.groups || (w->seen_ms && now - w->seen_ms < SEEN_MS)) {
            continue;
        }
        if (wedr_seen_load(&p->view, &w->who.scope, &seen) == WEDR_OK) {
            wedr_seen_fini(&w->seen);
            w->seen = seen;
            if (seen.scope) { /* it points into the struct */
                w->seen.scope = &w->seen.list;
            }
            w->seen_ms = now;
        }
    }
}

/* An endpoint of a scope that could not be looked up is not seen. */
static bool wants_block(const struct wedr_watcher *w, const struct wedr_event_block *b)
{
    if (w->alerts || w->gone || (w->has_agent && strcmp(w->agent_id, b->agent_id) != 0)) {
        return false;
    }
    return !w->who.scope.groups || (w->seen_ms && wedr_seen_has(&w->seen, b->agent_id));
}

static uint64_t wanted_lines(const struct wedr_watcher *w, const struct wedr_event_block *b)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < 255; i++) {
        n += w->all_types || w->types[i] ? b->counts[i] : 0;
    }
    return n;
}

static void
make_message(struct wedr_pump *p, const struct wedr_event_block *b, const struct wedr_event_line *l)
{
    struct wedr_event_id id = {.seq = (int64_t)l->seq};
    char text[WEDR_EVENT_ID_MAX];
    struct wedr_out o;
    (void)snprintf(id.agent_id, sizeof(id.agent_id), "%s", b->agent_id);
    (void)snprintf(id.epoch, sizeof(id.epoch), "%016" PRIx64, b->epoch);
    (void)snprintf(id.stream, sizeof(id.stream), "%s", b->stream);
    wedr_event_id_text(&id, text);
    wedr_buf_truncate(&p->text, 0);
    wedr_buf_addf(&p->text, "id: %s\ndata: ", text);
    wedr_out_init(&o, &p->text);
    bool large = l->text.len > WEDR_TAIL_LINE_MAX;
    wedr_event_out(&o, text, b->agent_id, b->hostname, b->received_us,
                   large ? NULL : (const char *)l->text.p, l->text.len);
    wedr_out_fini(&o);
    if (large && !p->text.overflow) { /* the object again, with one member more */
        wedr_buf_truncate(&p->text, p->text.len - 1);
        wedr_buf_adds(&p->text, ",\"_too_large\":true}");
    }
    wedr_buf_adds(&p->text, "\n\n");
}

/* One line to those who want its type; the message is made once, and only for somebody. */
static int tell_line(struct wedr_pump *p,
                     const struct wedr_event_block *b,
                     uint32_t row,
                     struct wedr_watcher *const *wanting,
                     size_t count)
{
    const struct wedr_events_read_ops *ops = p->events_ops->read;
    struct wedr_event_line l;
    bool made = false;
    int err = ops->line(p->reader, row, true, &l);
    for (size_t i = 0; err == WEDR_OK && i < count; i++) {
        if (!wanting[i]->all_types && !wanting[i]->types[l.type]) {
            continue;
        }
        if (!made) {
            err = ops->line(p->reader, row, false, &l);
            if (err != WEDR_OK) {
                break;
            }
            make_message(p, b, &l);
            made = true;
        }
        wedr_tail_send(wanting[i], &p->text, wedr_time_mono_ms());
    }
    return err == WEDR_E_NOENT ? WEDR_OK : err;
}

static int tell_block(struct wedr_pump *p, const struct wedr_event_block *b, bool only_count)
{
    struct wedr_watcher *wanting[WEDR_TAIL_WATCHERS_MAX];
    size_t count = 0;
    int err = WEDR_OK;
    p->row = p->begun == b->arrival ? p->row : 0;
    p->begun = b->arrival;
    for (size_t i = 0; i < p->count; i++) {
        uint64_t lines = wants_block(p->watchers[i], b) ? wanted_lines(p->watchers[i], b) : 0;
        if (lines && only_count) {
            p->watchers[i]->lost += lines;
        } else if (lines) {
            wanting[count++] = p->watchers[i];
        }
    }
    while (err == WEDR_OK && count && p->row < b->lines) {
        err = tell_line(p, b, p->row, wanting, count);
        p->row += err == WEDR_OK;
    }
    return err;
}

int wedr_tail_pump_events(struct wedr_pump *p, bool *ret_more)
{
    const struct wedr_events_read_ops *ops = p->events_ops->read;
    struct wedr_event_block b;
    uint64_t begin = wedr_time_mono_ms();
    int64_t newest = p->at;
    *ret_more = false;
    look_up_scopes(p, begin);
    int err = ops->newest(p->reader, &newest);
    while (err == WEDR_OK && wedr_time_mono_ms() - begin < PUMP_MS) {
        err = ops->next(p->reader, p->at, &b);
        if (err == WEDR_E_NOENT) {
            return WEDR_OK;
        }
        err = err == WEDR_OK ? tell_block(p, &b, newest - b.arrival > BEHIND_MAX) : err;
        if (err == WEDR_OK) {
            p->at = b.arrival;
        }
    }
    *ret_more = err == WEDR_OK;
    return err;
}
