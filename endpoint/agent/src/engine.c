/* SPDX-License-Identifier: Apache-2.0 */
#include "engine_internal.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/obj.h"
#include "core/util/sha256.h"
#include "enrich/facts.h"
#include "wedr/plat/time.h"
#include <string.h>

#define IDLE_MS 100u
#define FULL_DISK_WAIT_MS 500u
#define NO_SOURCE_AFTER_MS 5000u /* an agent without a source says so after this time */
#define BACKLOG_BATCHES \
    256u /* with so many waiting, files grow to their size instead of their age */
#define CRITICAL_ROUNDS 32u /* in a row, of half a megabyte of lines each */
#define COUNTER_FRAMES_MAX \
    65536u /* bytes of frames without lines before the header takes their place */

static void note_loss(void *arg, const struct wedr_batch_id *id, uint32_t reason)
{
    struct wedr_engine *e = arg;
    wedr_losses_add(e->losses, id->epoch, id->stream, reason, id->first_seq, id->last_seq,
                    id->count);
    if (strcmp(id->stream, WEDR_STREAM_NAME_AGENT) == 0) {
        wedr_losses_again(e->losses, 0, NULL); /* what it said has to be said again */
    }
}

static int flush_losses(void *arg)
{
    return wedr_losses_flush(((struct wedr_engine *)arg)->losses);
}

static int copy_texts(struct wedr_engine *e)
{
    const char **texts[] = {&e->cfg.agent_version, &e->cfg.os_name, &e->cfg.os_release};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(texts); i++) {
        const char *t = *texts[i] ? *texts[i] : "";
        e->strings[i] = wedr_strndup(t, strlen(t));
        if (!e->strings[i]) {
            return WEDR_E_NOMEM;
        }
        *texts[i] = e->strings[i];
    }
    return WEDR_OK;
}

static int open_parts(struct wedr_engine *e, struct wedr_errinfo *ei)
{
    struct wedr_spool_cfg sc = {.dir = e->cfg.spool_dir,
                                .raw_max = e->cfg.segment_raw_max,
                                .bytes_max = e->cfg.spool_bytes_max,
                                .zstd_level = e->cfg.zstd_level,
                                .losses = {note_loss, flush_losses, e}};
    int err = wedr_fs_open_dir(e->cfg.spool_dir, &e->dir);
    if (err != WEDR_OK) {
        return wedr_fail(ei, err, "cannot open the spool folder: %s", wedr_err_text(err));
    }
    err = wedr_losses_open(e->dir, &e->losses);
    if (err != WEDR_OK && err != WEDR_E_CORRUPT && err != WEDR_E_IO) {
        return wedr_fail(ei, err, "cannot read losses.state: %s", wedr_err_text(err));
    }
    err = wedr_spool_open(&sc, &e->spool, ei);
    if (err != WEDR_OK) {
        return err;
    }
    err = wedr_encoder_new(&e->encoder);
    if (err == WEDR_OK && e->cfg.redact_names) {
        err = wedr_encoder_redact(e->encoder, e->cfg.redact_names);
    }
    if (err == WEDR_OK) {
        err = wedr_detect_new(e->encoder, &e->detect);
    }
    for (unsigned i = 0; err == WEDR_OK && i < WEDR_LANE_COUNT; i++) {
        err = wedr_reorder_init(&e->lane[i].r);
    }
    if (err == WEDR_OK && e->cfg.reenrolled) {
        err = wedr_spool_drop_all(e->spool, WEDR_LOSS_REASON_REENROLLED);
    }
    return err == WEDR_OK ? err
                          : wedr_fail(ei, err, "cannot start the engine: %s", wedr_err_text(err));
}

int wedr_engine_open(const struct wedr_engine_cfg *cfg,
                     struct wedr_engine **ret,
                     struct wedr_errinfo *ei)
{
    struct wedr_engine *e = wedr_alloc(1, sizeof(*e));
    if (!e) {
        return wedr_fail(ei, WEDR_E_NOMEM, "out of memory");
    }
    e->magic = ENGINE_MAGIC;
    e->cfg = *cfg;
    e->dir = WEDR_HANDLE_NONE;
    e->utc_us = wedr_time_utc_us;
    e->opened_ms = wedr_time_mono_ms();
    memcpy(e->source_name, "none", 5);
    e->out = wedr_alloc(ENGINE_OUT_BYTES, 1);
    e->record = wedr_alloc(WEDR_RECORD_MAX, 1);
    e->dns = wedr_alloc(1, sizeof(*e->dns));
    int err = e->out && e->record && e->dns ? copy_texts(e) : WEDR_E_NOMEM;
    if (err != WEDR_OK) {
        (void)wedr_fail(ei, err, "out of memory");
    } else {
        err = open_parts(e, ei);
    }
    if (err != WEDR_OK) {
        wedr_engine_close(e);
        return err;
    }
    do {
        wedr_random(&e->agent_epoch, sizeof(e->agent_epoch));
    } while (e->agent_epoch == 0);
    e->live.boot_ns = wedr_time_boot_ns();
    e->live.utc_us = e->utc_us();
    e->need_retire = true;
    *ret = e;
    return WEDR_OK;
}

void wedr_engine_close(struct wedr_engine *e)
{
    if (!e) {
        return;
    }
    if (e->spool && e->detect) {
        (void)!wedr_engine_seal(e);
    }
    if (e->source) {
        e->source->ops->close(e->source);
    }
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        wedr_reorder_fini(&e->lane[i].r);
    }
    wedr_detect_free(e->detect);
    wedr_encoder_free(e->encoder);
    wedr_spool_close(e->spool);
    wedr_losses_free(e->losses);
    wedr_fs_close(e->dir);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(e->strings); i++) {
        wedr_free(e->strings[i]);
    }
    wedr_free(e->out);
    wedr_free(e->record);
    wedr_free(e->dns);
    e->magic = 0;
    wedr_free(e);
}

int engine_append(struct wedr_engine *e,
                  struct wedr_spool_stream *st,
                  const struct wedr_spool_frame_in *f)
{
    int err = wedr_spool_append(e->spool, st, f);
    if (err == WEDR_E_FULL) {
        err = wedr_spool_seal(e->spool, st);
        if (err == WEDR_OK) {
            err = wedr_spool_append(e->spool, st, f);
        }
    }
    return err;
}

int engine_seal_due(struct wedr_engine *e, struct wedr_spool_stream *st, bool force)
{
    bool due = force || st->stale || (st->count == 0 && st->size > COUNTER_FRAMES_MAX);
    if (!due && st->count > 0 && wedr_time_mono_ms() - st->since_ms >= e->cfg.segment_age_ms) {
        due = wedr_spool_backlog(e->spool, st->name) < BACKLOG_BATCHES;
    }
    return due ? wedr_spool_seal(e->spool, st) : WEDR_OK;
}

static int seal_streams(struct wedr_engine *e, bool force)
{
    bool backlog = wedr_spool_backlog(e->spool, WEDR_STREAM_NAME_ALERT) >= BACKLOG_BATCHES;
    int ret = engine_alert_seal(e, force, backlog);
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        int err = e->lane[i].st ? engine_seal_due(e, e->lane[i].st, force) : WEDR_OK;
        ret = ret == WEDR_OK ? err : ret;
    }
    if (e->agent) {
        int err = engine_seal_due(e, e->agent, force);
        if (err == WEDR_OK && e->agent->count == 0) {
            err = wedr_losses_flush(e->losses); /* what was reported is durable now */
        }
        ret = ret == WEDR_OK ? err : ret;
    }
    return ret;
}

int wedr_engine_seal(struct wedr_engine *e)
{
    WEDR_OBJ_CHECK(e, ENGINE_MAGIC);
    return seal_streams(e, true);
}

int wedr_engine_stop(struct wedr_engine *e, const char *reason)
{
    WEDR_OBJ_CHECK(e, ENGINE_MAGIC);
    int err = seal_streams(e, true);
    int end = engine_agent_end(e, reason);
    return err == WEDR_OK ? end : err;
}

static int retire(struct wedr_engine *e)
{
    uint64_t keep[2] = {e->agent_epoch, e->kernel_epoch};
    int err = wedr_spool_retire(e->spool, keep, e->kernel_epoch != 0 ? 2 : 1);
    e->need_retire = err != WEDR_OK;
    return err;
}

/* Critical records first: in a flood of bulk ones a round of theirs can take long, because losses
 * are made durable before they are stepped over, and meanwhile the critical ring must not fill up.
 */
static int critical_first(struct wedr_engine *e, bool ended, bool *ret_busy)
{
    int err = engine_lane_round(e, WEDR_LANE_CRITICAL, ended, ret_busy);
    for (unsigned n = 1;
         err == WEDR_OK && e->lane[WEDR_LANE_CRITICAL].behind && n < CRITICAL_ROUNDS; n++) {
        err = engine_lane_round(e, WEDR_LANE_CRITICAL, ended, ret_busy);
    }
    return err;
}

static int pump(struct wedr_engine *e, bool *ret_busy)
{
    bool ended = e->source->ops->ended(e->source);
    int ret = critical_first(e, ended, ret_busy);
    int err = engine_lane_round(e, WEDR_LANE_BULK, ended, ret_busy);
    ret = ret == WEDR_OK ? err : ret;
    if (ret == WEDR_OK && ended && !*ret_busy && e->lane[0].r.count == 0 &&
        e->lane[1].r.count == 0) {
        ret = wedr_engine_source_end(e, "replay_end");
        e->replay_done = ret == WEDR_OK;
    }
    return ret;
}

/* The last word of a replay: once every batch has its outcome there is no loss left to tell. */
static int end_replay(struct wedr_engine *e)
{
    struct wedr_spool_stats s;
    wedr_spool_stats(e->spool, &s);
    if (s.waiting > 0 || e->note_count > 0 || (e->agent && e->agent->count > 0) ||
        (e->alert && e->alert->count > 0) ||
        wedr_losses_due(e->losses, wedr_time_mono_ms(), true)) {
        return WEDR_OK;
    }
    return engine_agent_end(e, "replay_end");
}

static void first_error(int *ret, int err)
{
    *ret = *ret == WEDR_OK ? err : *ret;
}

int wedr_engine_round(struct wedr_engine *e, bool *ret_busy, uint32_t *ret_wait_ms)
{
    WEDR_OBJ_CHECK(e, ENGINE_MAGIC);
    bool busy = false;
    int err = engine_check_clock(e);
    if (e->cfg.facts) {
        wedr_facts_now(e->cfg.facts, wedr_time_mono_ms());
    }
    /* Until a source came, what earlier runs left may still be this run's epoch. */
    if (e->need_retire && (e->source || wedr_time_mono_ms() - e->opened_ms >= NO_SOURCE_AFTER_MS)) {
        first_error(&err, retire(e));
    }
    /* What is read after the last word could not be matched or accounted for. */
    if (e->source && !e->alert_ended && !e->agent_ended) {
        first_error(&err, pump(e, &busy));
    } else if (!e->agent_begun && !e->replay_done && !e->agent_ended &&
               wedr_time_mono_ms() - e->opened_ms >= NO_SOURCE_AFTER_MS && e->note_count == 0) {
        wedr_losses_again(e->losses, 0, NULL);
        first_error(&err, engine_agent_begin(e));
    }
    first_error(&err, engine_alert_tick(e));
    first_error(&err, engine_agent_flush(e, false));
    first_error(&err, seal_streams(e, false));
    first_error(&err, wedr_spool_keep_cap(e->spool));
    first_error(&err, engine_agent_flush(e, false));
    if (e->replay_done && !e->agent_ended) {
        first_error(&err, end_replay(e));
    }
    e->disk_full = err == WEDR_E_NOSPC;
    *ret_busy = busy && err == WEDR_OK;
    *ret_wait_ms = err != WEDR_OK ? FULL_DISK_WAIT_MS
                   : e->source    ? e->source->ops->wait_ms(e->source)
                                  : IDLE_MS;
    if (e->cfg.segment_age_ms < *ret_wait_ms) {
        *ret_wait_ms = e->cfg.segment_age_ms;
    }
    *ret_wait_ms = engine_alert_wait_ms(e, *ret_wait_ms);
    return err;
}

bool wedr_engine_finished(const struct wedr_engine *e)
{
    struct wedr_spool_stats s;
    wedr_spool_stats(e->spool, &s);
    return e->replay_done && e->agent_ended && s.waiting == 0;
}

int wedr_engine_next_batch(struct wedr_engine *e,
                           struct wedr_batch_id *ret_id,
                           wedr_handle *ret_file)
{
    WEDR_OBJ_CHECK(e, ENGINE_MAGIC);
    return wedr_spool_next(e->spool, ret_id, ret_file);
}

int wedr_engine_outcome(struct wedr_engine *e,
                        const struct wedr_batch_id *id,
                        enum wedr_batch_outcome outcome)
{
    WEDR_OBJ_CHECK(e, ENGINE_MAGIC);
    int err;
    switch (outcome) {
    case WEDR_BATCH_ACKED:
        err = wedr_spool_acked(e->spool, id);
        if (err == WEDR_OK && id->epoch == e->agent_epoch) {
            *(strcmp(id->stream, WEDR_STREAM_NAME_ALERT) == 0 ? &e->alert_acked
                                                              : &e->agent_acked) += id->count;
        }
        return err;
    case WEDR_BATCH_CONFLICT:
        return wedr_spool_refused(e->spool, id, WEDR_LOSS_REASON_CONFLICT);
    case WEDR_BATCH_POISON:
        return wedr_spool_refused(e->spool, id, WEDR_LOSS_REASON_POISON);
    default:
        return wedr_spool_retry(e->spool, id);
    }
}

static void
lane_stats(const struct wedr_engine *e, unsigned lane, struct wedr_engine_lane_stats *ret)
{
    const struct engine_lane *l = &e->lane[lane];
    struct wedr_source_counters c = l->c;
    if (!l->st) {
        return;
    }
    if (e->source) {
        e->source->ops->counters(e->source, lane, &c);
    }
    ret->produced = c.produced > l->r.seq ? c.produced : l->r.seq;
    ret->lost_ring = c.lost_total;
    ret->read = l->read;
    ret->released = l->released;
    ret->malformed = l->malformed;
    ret->late = l->late;
    ret->spooled = l->spooled;
    ret->spooled_seq = l->r.seq;
    uint64_t unread = ret->produced - l->r.seq;
    uint64_t lost_ahead = c.lost_total > l->r.explained ? c.lost_total - l->r.explained : 0;
    ret->in_flight = (unread > lost_ahead ? unread - lost_ahead : 0) +
                     wedr_spool_waiting(e->spool, l->st->epoch, l->st->name);
}

void wedr_engine_stats(const struct wedr_engine *e, struct wedr_engine_stats *ret)
{
    struct wedr_spool_stats s;
    memset(ret, 0, sizeof(*ret));
    wedr_spool_stats(e->spool, &s);
    ret->epoch = e->kernel_epoch;
    ret->agent_epoch = e->agent_epoch;
    memcpy(ret->source, e->source_name, sizeof(ret->source));
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        lane_stats(e, i, &ret->lane[i]);
    }
    ret->agent_produced = e->agent_seq;
    ret->agent_acked = e->agent_acked;
    ret->alert_acked = e->alert_acked;
    wedr_detect_stats(e->detect, &ret->detect);
    ret->redacted = wedr_encoder_redacted(e->encoder);
    ret->batches_sealed = s.sealed;
    ret->batches_acked = s.acked;
    ret->batches_waiting = s.waiting;
    ret->batches_set_aside = s.set_aside;
    ret->spool_bytes = s.bytes;
    ret->spool_bytes_max = e->cfg.spool_bytes_max;
    ret->evicted = s.evicted;
    ret->corrupt = s.corrupt;
    ret->torn_bytes_cut = s.torn_bytes_cut;
    ret->disk_full = e->disk_full;
}
