/* SPDX-License-Identifier: Apache-2.0
 *
 * The stream agent: what the engine itself has to say. Its epoch begins with the first thing there
 * is to say, so that a run which finds nothing to do leaves no trace.
 */
#include "engine_internal.h"

#include "core/base/err.h"
#include "wedr/plat/time.h"
#include "wedr/wire/decode.h"
#include <stdio.h>
#include <string.h>

int engine_note(struct wedr_engine *e, const struct engine_note *n)
{
    if (e->note_count == ENGINE_NOTES_MAX) {
        return WEDR_E_FULL;
    }
    e->notes[e->note_count++] = *n;
    return WEDR_OK;
}

static int begin_record(struct wedr_engine *e, struct wedr_record *r, uint16_t type)
{
    return wedr_record_begin(r, e->record, WEDR_RECORD_MAX, type, WEDR_OS_LINUX);
}

/* Finishes the record, encodes and appends it; the seq is taken only when it is in the spool. */
int engine_agent_put(struct wedr_engine *e, struct wedr_record *r)
{
    struct wedr_event_view v;
    char *line = e->out + WEDR_SPOOL_FRAME_ROOM;
    size_t len = 0;
    uint64_t seq = e->agent_seq + 1;
    size_t size = wedr_record_finish(r, seq, (int64_t)wedr_time_boot_ns(), WEDR_STREAM_AGENT, 0);
    int err = wedr_event_decode(wedr_span(e->record, size), &v);
    if (err == WEDR_OK) {
        err = wedr_encode(e->encoder, &v, e->live, line, WEDR_LINE_MAX, &len);
    }
    if (err == WEDR_OK) {
        if (seq > e->agent_shown_seq) { /* not again when the write is tried again */
            engine_alert_show(e, &v, line, len, e->agent, e->live);
            e->agent_shown_seq = seq;
        }
        struct wedr_spool_frame_in f = {.lines = line,
                                        .len = len,
                                        .count = 1,
                                        .first_seq = seq,
                                        .last_seq = seq,
                                        .produced = seq};
        err = engine_alert_flush(e);
        if (err == WEDR_OK) {
            err = engine_append(e, e->agent, &f);
        }
    }
    if (err == WEDR_OK) {
        e->agent_seq = seq;
    }
    return err;
}

static int set_text(struct wedr_record *r, const char *name, const char *text)
{
    return wedr_record_set_str(r, name, text, strlen(text), 0);
}

static int put_agent_start(struct wedr_engine *e)
{
    struct wedr_record r;
    int err = begin_record(e, &r, WEDR_EV_AGENT_START);
    if (err != WEDR_OK) {
        return err;
    }
    if ((err = set_text(&r, "agent_version", e->cfg.agent_version)) != WEDR_OK ||
        (err = set_text(&r, "os_name", e->cfg.os_name)) != WEDR_OK ||
        (err = set_text(&r, "os_release", e->cfg.os_release)) != WEDR_OK ||
        (err = set_text(&r, "source", e->source_name)) != WEDR_OK) {
        return err;
    }
    return engine_agent_put(e, &r);
}

static int put_epoch_start(struct wedr_engine *e, const struct engine_note *n)
{
    struct wedr_record r;
    int err = begin_record(e, &r, WEDR_EV_EPOCH_START);
    if (err != WEDR_OK) {
        return err;
    }
    if ((err = wedr_record_set_uint(&r, "epoch", n->epoch)) != WEDR_OK ||
        (err = set_text(&r, "stream", n->stream)) != WEDR_OK ||
        (err = wedr_record_set_str(&r, "boot_id", n->boot_id, WEDR_BOOT_ID_LEN, 0)) != WEDR_OK ||
        (err = wedr_record_set_uint(&r, "boot_ns", n->number)) != WEDR_OK ||
        (err = wedr_record_set_uint(&r, "utc", (uint64_t)n->from_us)) != WEDR_OK ||
        (err = wedr_record_set_uint(&r, "adopted", n->adopted ? 1 : 0)) != WEDR_OK) {
        return err;
    }
    return engine_agent_put(e, &r);
}

static int put_epoch_end(struct wedr_engine *e, const struct engine_note *n)
{
    struct wedr_record r;
    int err = begin_record(e, &r, WEDR_EV_EPOCH_END);
    if (err != WEDR_OK) {
        return err;
    }
    if ((err = wedr_record_set_uint(&r, "epoch", n->epoch)) != WEDR_OK ||
        (err = set_text(&r, "stream", n->stream)) != WEDR_OK ||
        (err = wedr_record_set_uint(&r, "produced", n->number)) != WEDR_OK ||
        (err = set_text(&r, "reason", n->reason)) != WEDR_OK) {
        return err;
    }
    return engine_agent_put(e, &r);
}

static int put_gap(struct wedr_engine *e, const struct engine_note *n)
{
    struct wedr_record r;
    int err = begin_record(e, &r, WEDR_EV_COVERAGE_GAP);
    if (err != WEDR_OK) {
        return err;
    }
    if ((err = set_text(&r, "stream", n->stream)) != WEDR_OK ||
        (err = wedr_record_set_uint(&r, "from", (uint64_t)n->from_us)) != WEDR_OK ||
        (err = wedr_record_set_uint(&r, "to", (uint64_t)n->to_us)) != WEDR_OK ||
        (err = wedr_record_set_uint(&r, "reason", n->code)) != WEDR_OK) {
        return err;
    }
    return engine_agent_put(e, &r);
}

static int put_clock_change(struct wedr_engine *e, const struct engine_note *n)
{
    struct wedr_record r;
    int err = begin_record(e, &r, WEDR_EV_CLOCK_CHANGE);
    if (err != WEDR_OK) {
        return err;
    }
    if ((err = wedr_record_set_uint(&r, "boot_ns", n->number)) != WEDR_OK ||
        (err = wedr_record_set_uint(&r, "utc", (uint64_t)n->from_us)) != WEDR_OK ||
        (err = wedr_record_set_uint(&r, "step_us", (uint64_t)n->to_us)) != WEDR_OK) {
        return err;
    }
    return engine_agent_put(e, &r);
}

/* Up to where the counters of the loss's stream are accounted for; 0 when it is none of this run.
 */
static uint64_t accounted(const struct wedr_engine *e, const struct wedr_loss *loss)
{
    if (strcmp(loss->stream, WEDR_STREAM_NAME_MISSED) == 0) {
        return loss->lost;
    }
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        const struct wedr_spool_stream *st = e->lane[i].st;
        if (st && st->epoch == loss->epoch && strcmp(st->name, loss->stream) == 0) {
            return st->produced;
        }
    }
    return 0;
}

static int put_loss(struct wedr_engine *e, const struct wedr_loss *loss)
{
    struct wedr_record r;
    struct wedr_buf text;
    int err = begin_record(e, &r, WEDR_EV_TELEMETRY_LOSS);
    if (err != WEDR_OK) {
        return err;
    }
    wedr_buf_init(&text, 8192);
    wedr_loss_ranges_text(loss, &text);
    if ((err = wedr_record_set_uint(&r, "epoch", loss->epoch)) == WEDR_OK &&
        (err = set_text(&r, "stream", loss->stream)) == WEDR_OK &&
        (err = wedr_record_set_uint(&r, "reason", loss->reason)) == WEDR_OK &&
        (err = wedr_record_set_uint(&r, "lost", loss->lost)) == WEDR_OK &&
        (err = wedr_record_set_uint(&r, "produced", accounted(e, loss))) == WEDR_OK &&
        (err = wedr_record_set_str(&r, "ranges", text.p, text.len, 0)) == WEDR_OK) {
        err = engine_agent_put(e, &r);
    }
    wedr_buf_fini(&text);
    return err;
}

/* Lines of a text as a list of the wire. */
static int set_lines(struct wedr_record *r, const char *name, const char *lines)
{
    char list[WEDR_MSG_HOOKS_MAX];
    size_t len = strlen(lines);
    memcpy(list, lines, len + 1);
    for (char *end = strchr(list, '\n'); end; end = strchr(end, '\n')) {
        *end++ = '\0';
    }
    return wedr_record_set_str(r, name, list, len ? len + 1 : 0, 0);
}

static int put_sensor_state(struct wedr_engine *e)
{
    struct wedr_record r;
    const struct wedr_msg_sensor_state *s = &e->sensor_state;
    int err = begin_record(e, &r, WEDR_EV_SENSOR_STATE);
    if (err != WEDR_OK) {
        return err;
    }
    if ((err = set_text(&r, "source", s->source)) != WEDR_OK ||
        (err = set_text(&r, "level", s->level)) != WEDR_OK ||
        (err = set_lines(&r, "hooks_live", s->hooks_live)) != WEDR_OK ||
        (err = set_lines(&r, "hooks_missing", s->hooks_missing)) != WEDR_OK ||
        (err = set_text(&r, "reason", s->reason)) != WEDR_OK) {
        return err;
    }
    return engine_agent_put(e, &r);
}

void wedr_engine_sensor_state(struct wedr_engine *e, const struct wedr_msg_sensor_state *s)
{
    e->sensor_state = *s;
    e->sensor_state_due = true;
}

static int put_note(struct wedr_engine *e, const struct engine_note *n)
{
    switch (n->type) {
    case WEDR_EV_EPOCH_START:
        return put_epoch_start(e, n);
    case WEDR_EV_EPOCH_END:
        return put_epoch_end(e, n);
    case WEDR_EV_COVERAGE_GAP:
        return put_gap(e, n);
    default:
        return put_clock_change(e, n);
    }
}

int engine_agent_begin(struct wedr_engine *e)
{
    if (!e->agent) {
        int err = wedr_spool_stream(e->spool, e->agent_epoch, e->cfg.boot_id,
                                    WEDR_STREAM_NAME_AGENT, &e->agent);
        if (err != WEDR_OK) {
            return err;
        }
    }
    if (e->agent_seq == 0) {
        int err = put_agent_start(e);
        if (err != WEDR_OK) {
            return err;
        }
    }
    struct engine_note n = {.type = WEDR_EV_EPOCH_START,
                            .epoch = e->agent_epoch,
                            .stream = WEDR_STREAM_NAME_AGENT,
                            .number = e->live.boot_ns,
                            .from_us = e->live.utc_us};
    memcpy(n.boot_id, e->cfg.boot_id, WEDR_BOOT_ID_LEN);
    int err = put_epoch_start(e, &n);
    if (err == WEDR_OK) {
        e->agent_begun = true;
        wedr_losses_again(e->losses, 0, NULL);
    }
    return err;
}

int engine_agent_flush(struct wedr_engine *e, bool all)
{
    const struct wedr_loss *loss;
    uint64_t now = wedr_time_mono_ms();
    if (e->agent_ended || (e->note_count == 0 && !e->sensor_state_due && !engine_facts_late(e) &&
                           !wedr_losses_due(e->losses, now, all))) {
        return WEDR_OK;
    }
    int err = e->agent_begun ? WEDR_OK : engine_agent_begin(e);
    while (err == WEDR_OK && e->note_count > 0) {
        err = put_note(e, &e->notes[0]);
        if (err == WEDR_OK) {
            memmove(e->notes, e->notes + 1, --e->note_count * sizeof(e->notes[0]));
        }
    }
    if (err == WEDR_OK && e->sensor_state_due) {
        err = put_sensor_state(e);
        e->sensor_state_due = err != WEDR_OK;
    }
    while (err == WEDR_OK && (loss = wedr_losses_due(e->losses, now, all)) != NULL) {
        err = put_loss(e, loss);
        if (err == WEDR_OK) {
            wedr_losses_reported(e->losses, loss, now);
        }
    }
    return err == WEDR_OK ? engine_facts_flush(e) : err;
}

int engine_agent_end(struct wedr_engine *e, const char *reason)
{
    int err = engine_agent_flush(e, true); /* rules may have something to say about it */
    if (err == WEDR_OK) {
        err = engine_alert_end(e, reason);
    }
    if (err == WEDR_OK) {
        err = engine_agent_flush(e, true);
    }
    if (err != WEDR_OK || !e->agent_begun) {
        e->agent_ended = err == WEDR_OK;
        return err;
    }
    if (!e->agent_ended) {
        struct engine_note n = {.type = WEDR_EV_EPOCH_END,
                                .epoch = e->agent_epoch,
                                .stream = WEDR_STREAM_NAME_AGENT,
                                .number = e->agent_seq + 1};
        (void)snprintf(n.reason, sizeof(n.reason), "%s", reason);
        err = put_epoch_end(e, &n);
        e->agent_ended = err == WEDR_OK;
    }
    if (err == WEDR_OK) {
        err = wedr_spool_end(e->spool, e->agent);
    }
    return err == WEDR_OK ? wedr_losses_flush(e->losses) : err;
}
