/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's source: taking it, ending it, gaps between two, the clock of its records.
 */
#include "engine_internal.h"

#include "core/base/err.h"
#include "core/util/obj.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define CLOCK_JUMP_US 1000000
#define DRAIN_ROUNDS_MAX 100000u

const char *const engine_lane_names[WEDR_LANE_COUNT] = {WEDR_STREAM_NAME_CRITICAL,
                                                        WEDR_STREAM_NAME_BULK};

/* What the wall clock shows beyond what the pair says it should. */
static int64_t clock_error(struct wedr_clock_pair pair, uint64_t boot_ns, int64_t utc_us)
{
    return utc_us - (pair.utc_us + (int64_t)(boot_ns - pair.boot_ns) / 1000);
}

static bool is_jump(int64_t error_us)
{
    return error_us > CLOCK_JUMP_US || error_us < -CLOCK_JUMP_US;
}

int engine_check_clock(struct wedr_engine *e)
{
    struct wedr_clock_pair now = {wedr_time_boot_ns(), e->utc_us()};
    int64_t step = clock_error(e->live, now.boot_ns, now.utc_us);
    bool kernel = e->source && e->source->info.live;
    if (!is_jump(step) && kernel) {
        step = clock_error(e->kernel, now.boot_ns, now.utc_us); /* it jumped before this run */
    }
    if (!is_jump(step)) {
        return WEDR_OK;
    }
    struct engine_note n = {
        .type = WEDR_EV_CLOCK_CHANGE, .number = now.boot_ns, .from_us = now.utc_us, .to_us = step};
    int err = engine_note(e, &n);
    if (err != WEDR_OK) {
        return err;
    }
    e->live = now;
    if (kernel) {
        e->kernel = now;
    }
    return WEDR_OK;
}

static int note_epoch_starts(struct wedr_engine *e)
{
    const struct wedr_source_info *info = &e->source->info;
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        struct engine_note n = {.type = WEDR_EV_EPOCH_START,
                                .epoch = info->epoch,
                                .number = info->boot_ns,
                                .from_us = info->utc_us,
                                .adopted = info->adopted};
        memcpy(n.boot_id, info->boot_id, WEDR_BOOT_ID_LEN);
        memcpy(n.stream, engine_lane_names[i], strlen(engine_lane_names[i]) + 1);
        int err = engine_note(e, &n);
        if (err != WEDR_OK) {
            return err;
        }
    }
    return WEDR_OK;
}

static void begin_lane(struct wedr_engine *e, unsigned lane)
{
    struct engine_lane *l = &e->lane[lane];
    struct wedr_spool_stream *st = l->st;
    struct wedr_reorder r = l->r;
    memset(l, 0, sizeof(*l));
    l->r = r;
    l->st = st;
    wedr_reorder_begin(&l->r, st->produced, st->explained);
    const struct wedr_loss *holes =
        wedr_losses_find(e->losses, st->epoch, st->name, WEDR_LOSSES_HOLES);
    for (uint32_t i = 0; holes && i < holes->range_count && i < WEDR_REORDER_HOLES; i++) {
        /* A hole that was made durable but whose write did not happen is still open. */
        if (holes->ranges[i].last <= st->produced) {
            l->r.holes[l->r.hole_count++] =
                (struct wedr_seq_range){holes->ranges[i].first, holes->ranges[i].last};
        }
    }
    const struct wedr_loss *bad =
        wedr_losses_find(e->losses, st->epoch, st->name, WEDR_LOSS_REASON_MALFORMED);
    uint64_t numbered = 0;
    for (uint32_t i = 0; bad && i < bad->range_count; i++) {
        numbered += bad->ranges[i].count;
    }
    l->unnumbered = bad && bad->lost > numbered ? bad->lost - numbered : 0;
}

static bool is_finished(struct wedr_engine *e, uint64_t epoch)
{
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        const struct wedr_spool_stream *st = wedr_spool_find(e->spool, epoch, engine_lane_names[i]);
        if (!st || !st->closed) {
            return false;
        }
    }
    return true;
}

static int set_up(struct wedr_engine *e, struct wedr_source *src)
{
    uint64_t base[WEDR_LANE_COUNT];
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        int err = wedr_spool_stream(e->spool, src->info.epoch, src->info.boot_id,
                                    engine_lane_names[i], &e->lane[i].st);
        if (err != WEDR_OK) {
            return err;
        }
    }
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        begin_lane(e, i);
        base[i] = e->lane[i].r.seq;
    }
    src->ops->start(src, base);
    return WEDR_OK;
}

int engine_source_take(struct wedr_engine *e, struct wedr_source *src, bool replay)
{
    int err = e->source ? WEDR_E_STATE : WEDR_OK;
    if (err == WEDR_OK && replay && is_finished(e, src->info.epoch)) {
        src->ops->close(src);
        e->kernel_epoch = 0;
        e->replay_done = true;
        return WEDR_OK;
    }
    if (err == WEDR_OK) {
        err = set_up(e, src);
    }
    if (err != WEDR_OK) {
        src->ops->close(src);
        return err;
    }
    e->source = src;
    /* What was recorded elsewhere has other users and other files. */
    wedr_encoder_facts(e->encoder, replay ? NULL : e->cfg.facts);
    e->kernel_epoch = src->info.epoch;
    e->kernel = (struct wedr_clock_pair){src->info.boot_ns, src->info.utc_us};
    (void)snprintf(e->source_name, sizeof(e->source_name), "%s", src->info.name);
    e->need_retire = true;
    return note_epoch_starts(e);
}

int wedr_engine_source_ebpf_take(struct wedr_engine *e,
                                 const struct wedr_engine_ebpf *src,
                                 struct wedr_errinfo *ei)
{
    WEDR_OBJ_CHECK(e, ENGINE_MAGIC);
    struct wedr_source *s = NULL;
    int err = wedr_source_ebpf_open_take(src, &s, ei);
    if (err == WEDR_OK) {
        err = engine_source_take(e, s, false);
        if (err != WEDR_OK) {
            (void)wedr_fail(ei, err, "cannot take the sensor over: %s", wedr_err_text(err));
        }
    }
    return err;
}

int wedr_engine_source_replay_take(struct wedr_engine *e,
                                   const struct wedr_engine_replay *src,
                                   struct wedr_errinfo *ei)
{
    WEDR_OBJ_CHECK(e, ENGINE_MAGIC);
    struct wedr_source *s = NULL;
    int err = wedr_source_replay_open_take(src, &s, ei);
    if (err == WEDR_OK) {
        err = engine_source_take(e, s, true);
        if (err != WEDR_OK) {
            (void)wedr_fail(ei, err, "cannot begin the replay: %s", wedr_err_text(err));
        }
    }
    return err;
}

/* Everything that is in the rings goes to the spool; what is not there by now will not come. */
static int drain(struct wedr_engine *e)
{
    for (unsigned n = 0; n < DRAIN_ROUNDS_MAX; n++) {
        bool busy = false;
        for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
            int err = engine_lane_round(e, i, true, &busy);
            if (err != WEDR_OK) {
                return err;
            }
        }
        if (!busy && e->lane[0].r.count == 0 && e->lane[1].r.count == 0) {
            return WEDR_OK;
        }
    }
    return WEDR_E_AGAIN;
}

/* The end is said and durable before it is marked in the files: a crash in between says it twice,
 * which is harmless. */
static int say_ends(struct wedr_engine *e, const char *reason)
{
    static const char *const names[] = {WEDR_STREAM_NAME_CRITICAL, WEDR_STREAM_NAME_BULK,
                                        WEDR_STREAM_NAME_MISSED};
    const uint64_t final[] = {e->lane[0].r.seq, e->lane[1].r.seq, e->lane[0].c.missed};
    int err = engine_agent_flush(e, true);
    for (unsigned i = 0; err == WEDR_OK && i < WEDR_ARRAY_COUNT(names); i++) {
        struct engine_note n = {
            .type = WEDR_EV_EPOCH_END, .epoch = e->kernel_epoch, .number = final[i]};
        if (i >= WEDR_LANE_COUNT && final[i] == 0) {
            break;
        }
        memcpy(n.stream, names[i], strlen(names[i]) + 1);
        (void)snprintf(n.reason, sizeof(n.reason), "%s", reason);
        err = engine_note(e, &n);
    }
    if (err == WEDR_OK) {
        err = engine_agent_flush(e, true);
    }
    return err == WEDR_OK && e->agent ? wedr_spool_seal(e->spool, e->agent) : err;
}

int wedr_engine_source_end(struct wedr_engine *e, const char *reason)
{
    WEDR_OBJ_CHECK(e, ENGINE_MAGIC);
    if (!e->source || e->alert_ended || e->agent_ended) { /* an end that cannot be said is none */
        return WEDR_E_STATE;
    }
    int err = drain(e);
    if (err == WEDR_OK) {
        err = wedr_engine_seal(e);
    }
    if (err == WEDR_OK) {
        err = say_ends(e, reason);
    }
    for (unsigned i = 0; err == WEDR_OK && i < WEDR_LANE_COUNT; i++) {
        err = wedr_spool_end(e->spool, e->lane[i].st);
    }
    if (err != WEDR_OK) {
        return err;
    }
    e->source->ops->close(e->source);
    e->source = NULL;
    return WEDR_OK;
}

int wedr_engine_gap(struct wedr_engine *e, int64_t from_us, int64_t to_us, uint16_t reason)
{
    WEDR_OBJ_CHECK(e, ENGINE_MAGIC);
    struct engine_note n = {.type = WEDR_EV_COVERAGE_GAP,
                            .code = reason,
                            .from_us = from_us,
                            .to_us = to_us,
                            .stream = "kernel"};
    return engine_note(e, &n);
}
