/* SPDX-License-Identifier: Apache-2.0
 *
 * The stream alert: what detection has to say. Its lines are in the spool before the events that
 * they speak of: a crash in between matches those again, and the alerts have the same ids.
 */
#include "engine_internal.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "core/util/obj.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define SEAL_MS 50u /* between two batches of alerts */

void engine_alert_show(struct wedr_engine *e,
                       const struct wedr_event_view *v,
                       const char *line,
                       size_t len,
                       const struct wedr_spool_stream *st,
                       struct wedr_clock_pair clock)
{
    struct wedr_detect_event ev = {
        .v = v, .line = line, .len = len, .stream = st->name, .epoch = st->epoch, .clock = clock};
    if (!e->alert_ended) {
        wedr_detect_event(e->detect, &ev, e->live);
    }
}

/* Said in the stream agent when there is something to say in this one. */
static void announce(struct wedr_engine *e)
{
    struct engine_note n = {.type = WEDR_EV_EPOCH_START,
                            .epoch = e->agent_epoch,
                            .stream = WEDR_STREAM_NAME_ALERT,
                            .number = e->live.boot_ns,
                            .from_us = e->live.utc_us};
    memcpy(n.boot_id, e->cfg.boot_id, WEDR_BOOT_ID_LEN);
    e->alert_announced = e->alert_announced || engine_note(e, &n) == WEDR_OK;
}

int engine_alert_flush(struct wedr_engine *e)
{
    struct wedr_spool_frame_in f;
    if (!wedr_detect_frame(e->detect, &f)) {
        return WEDR_OK;
    }
    if (e->alert_ended) {
        return WEDR_E_STATE; /* after the last word */
    }
    int err = WEDR_OK;
    if (!e->alert) {
        err = wedr_spool_stream(e->spool, e->agent_epoch, e->cfg.boot_id, WEDR_STREAM_NAME_ALERT,
                                &e->alert);
    }
    if (err == WEDR_OK) {
        err = engine_append(e, e->alert, &f);
    }
    if (err == WEDR_OK) {
        wedr_detect_written(e->detect);
        announce(e);
    }
    return err;
}

int engine_alert_tick(struct wedr_engine *e)
{
    if (e->alert_ended) {
        return WEDR_OK;
    }
    wedr_detect_tick(e->detect, e->live, false);
    return engine_alert_flush(e);
}

int engine_alert_seal(struct wedr_engine *e, bool force, bool backlog)
{
    uint64_t now = wedr_time_mono_ms();
    if (!e->alert) {
        return WEDR_OK;
    }
    /* With many of them waiting the server is not there: alerts then fill files like events do. */
    if (force || backlog) {
        return engine_seal_due(e, e->alert, force);
    }
    if (e->alert->count == 0 || now - e->alert_sealed_ms < SEAL_MS) {
        return WEDR_OK;
    }
    e->alert_sealed_ms = now;
    return wedr_spool_seal(e->spool, e->alert);
}

uint32_t engine_alert_wait_ms(const struct wedr_engine *e, uint32_t wait_ms)
{
    return e->alert && e->alert->count > 0 && wait_ms > SEAL_MS ? SEAL_MS : wait_ms;
}

static int say_end(struct wedr_engine *e, const char *reason)
{
    struct wedr_detect_stats s;
    struct wedr_spool_frame_in f;
    int err;
    do {
        wedr_detect_tick(e->detect, e->live, true);
        bool more = wedr_detect_frame(e->detect, &f);
        err = engine_alert_flush(e);
        if (!more) {
            break;
        }
    } while (err == WEDR_OK);
    if (err != WEDR_OK || !e->alert) {
        return err;
    }
    wedr_detect_stats(e->detect, &s);
    struct engine_note n = {.type = WEDR_EV_EPOCH_END,
                            .epoch = e->agent_epoch,
                            .stream = WEDR_STREAM_NAME_ALERT,
                            .number = s.seq};
    (void)snprintf(n.reason, sizeof(n.reason), "%s", reason);
    return engine_note(e, &n);
}

int engine_alert_end(struct wedr_engine *e, const char *reason)
{
    int err = e->alert_ended ? WEDR_OK : say_end(e, reason);
    e->alert_ended = err == WEDR_OK;
    return err == WEDR_OK && e->alert ? wedr_spool_end(e->spool, e->alert) : err;
}

int wedr_engine_rules(struct wedr_engine *e,
                      const void *bytes,
                      size_t len,
                      const struct wedr_detect_bundle *info,
                      struct wedr_errinfo *ei)
{
    WEDR_OBJ_CHECK(e, ENGINE_MAGIC);
    /* Room for what rules that go have held back; what they told then is written at once. */
    int flush = engine_alert_flush(e);
    int err = wedr_detect_load(e->detect, bytes, len, info, ei);
    if (err == WEDR_OK) {
        flush = engine_alert_flush(e);
    }
    if (flush != WEDR_OK) {
        wedr_log(WARN, "core.alerts_wait", WEDR_ERR(flush));
    }
    return err;
}

bool wedr_engine_next_kill(struct wedr_engine *e, struct wedr_detect_kill *ret)
{
    return wedr_detect_next_kill(e->detect, ret);
}

int wedr_engine_response(struct wedr_engine *e, const struct wedr_detect_outcome *o)
{
    WEDR_OBJ_CHECK(e, ENGINE_MAGIC);
    int err = e->alert_ended ? WEDR_E_STATE : wedr_detect_response(e->detect, o, e->live);
    return err == WEDR_OK ? engine_alert_flush(e) : err;
}
