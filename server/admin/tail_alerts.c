/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/alerts.h"
#include "admin/tail.h"
#include "core/base/err.h"
#include "wedr/plat/time.h"

#define NEW_MAX 200u /* at once */

struct telling {
    struct wedr_pump *p;
    const char *event;
    int64_t last;
    uint32_t count;
};

static int make_message(void *ctx, const struct wedr_triage_alert *a)
{
    struct telling *t = ctx;
    struct wedr_out o;
    wedr_buf_truncate(&t->p->text, 0);
    wedr_buf_addf(&t->p->text, "event: %s\ndata: ", t->event);
    wedr_out_init(&o, &t->p->text);
    wedr_out_obj_begin(&o);
    wedr_alert_out(&o, a);
    wedr_out_obj_end(&o);
    wedr_out_fini(&o);
    wedr_buf_adds(&t->p->text, "\n\n");
    return 0;
}

/* Each watcher sees what its scope shows. */
static void tell(struct wedr_pump *p, int64_t id, const char *event)
{
    struct telling t = {.p = p, .event = event};
    const struct wedr_state_ops *ops = p->view.d.state_ops;
    for (size_t i = 0; i < p->count; i++) {
        struct wedr_watcher *w = p->watchers[i];
        if (w->alerts && !w->gone &&
            ops->triage->alert(p->view.d.state, &w->who.scope, id, make_message, &t) == WEDR_OK) {
            wedr_tail_send(w, &p->text, wedr_time_mono_ms());
        }
    }
}

static int take_id(void *ctx, const struct wedr_triage_alert *a)
{
    struct telling *t = ctx;
    t->last = a->row.id;
    t->count++;
    tell(t->p, a->row.id, "created");
    return 0;
}

int wedr_tail_pump_alerts(struct wedr_pump *p, int64_t *at, const int64_t *changed, size_t count)
{
    const struct wedr_scope all = {NULL, 0};
    const struct wedr_alert_ask ask = {.by_id = true, .after_id = *at, .limit = NEW_MAX};
    struct telling t = {.p = p, .last = *at};
    int err = p->view.d.state_ops->triage->alerts(p->view.d.state, &all, &ask, take_id, &t);
    *at = t.last;
    for (size_t i = 0; i < count; i++) {
        tell(p, changed[i], "changed");
    }
    return err;
}
