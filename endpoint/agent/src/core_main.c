/* SPDX-License-Identifier: Apache-2.0 */
#include "core_main.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "core/util/obj.h"
#include "core_batches.h"
#include "core_facts.h"
#include "core_rules.h"
#include "engine.h"
#include "peer.h"
#include "wedr/plat/proc.h"
#include "wedr/plat/sandbox.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define STATS_MS 500u
#define STATS_STOPPING_MS 50u
#define WAIT_MAX_MS 1000u
#define DISK_FULL_WAIT_MS 200u
#define GAPS_MAX 8u
#define SEGMENTS_OF_SPOOL 8u

struct core {
    const struct wedr_core_args *args;
    struct wedr_ipc *holder, *net, *to_facts; /* NULL while there is none */
    struct wedr_facts *facts;                 /* NULL: switched off */
    struct wedr_engine *engine;
    struct wedr_batches batches;
    struct wedr_msg_gap gap_done; /* answered after the round that wrote it */
    bool gap_pending;
    struct wedr_settle settle;
    bool stopping, stopped, finished, end_pending;
    int last_round_err;
    uint64_t rounds, next_stats_ms;
};

int wedr_core_confine(const struct wedr_core_args *args,
                      char ret_missing[64],
                      struct wedr_errinfo *ei)
{
    struct wedr_sandbox_report report;
    if (args->identity) {
        wedr_identity_wipe(args->identity);
    }
    struct wedr_sandbox_cfg s = {.profile = WEDR_SANDBOX_CORE,
                                 .uid = args->change_user ? (uint32_t)args->cfg.core_uid : 0,
                                 .gid = args->change_user ? (uint32_t)args->cfg.core_uid : 0,
                                 .dir = args->spool_dir};
    int err = wedr_sandbox_enter(&s, &report, ei);
    if (err == WEDR_OK) {
        memcpy(ret_missing, report.missing, sizeof(report.missing));
    }
    return err;
}

/* The files that are being written count, too: alone they never fill the spool, else every batch
 * would be evicted in the round in which it was sealed. */
static uint64_t segment_max(const struct wedr_agent_cfg *cfg)
{
    uint64_t share = cfg->max_total_bytes / SEGMENTS_OF_SPOOL;
    return cfg->max_bytes_per_file < share ? cfg->max_bytes_per_file : share;
}

static int open_engine(struct core *c, struct wedr_errinfo *ei)
{
    struct wedr_engine_cfg cfg = {.spool_dir = ".",
                                  .segment_raw_max = segment_max(&c->args->cfg),
                                  .segment_age_ms = (uint32_t)c->args->cfg.max_age_ms,
                                  .spool_bytes_max = c->args->cfg.max_total_bytes,
                                  .zstd_level = (int)c->args->cfg.zstd_level,
                                  .agent_version = c->args->version,
                                  .os_name = c->args->host.os_name,
                                  .os_release = c->args->host.os_release,
                                  .facts = c->facts,
                                  .redact_names =
                                      c->args->cfg.redact ? c->args->cfg.redact_names : NULL,
                                  .reenrolled = c->args->reenrolled};
    memcpy(cfg.boot_id, c->args->host.boot_id, sizeof(cfg.boot_id));
    return wedr_engine_open(&cfg, &c->engine, ei);
}

static void fill_lane(const struct wedr_engine_lane_stats *s, struct wedr_msg_lane *m)
{
    m->produced = s->produced;
    m->lost_ring = s->lost_ring;
    m->read = s->read;
    m->released = s->released;
    m->malformed = s->malformed;
    m->late = s->late;
    m->spooled = s->spooled;
    m->spooled_seq = s->spooled_seq;
    m->in_flight = s->in_flight;
}

static void fill_stats(const struct core *c, struct wedr_msg_core_stats *m, uint16_t type)
{
    struct wedr_engine_stats s;
    memset(&s, 0, sizeof(s));
    wedr_engine_stats(c->engine, &s);
    wedr_msg_begin(m, type);
    m->epoch = s.epoch;
    m->agent_epoch = s.agent_epoch;
    wedr_msg_put_text(m->source, sizeof(m->source), s.source);
    for (size_t i = 0; i < WEDR_LANE_COUNT; i++) {
        struct wedr_msg_lane lane;
        fill_lane(&s.lane[i], &lane);
        m->lane[i] = lane;
    }
    m->agent_produced = s.agent_produced;
    m->agent_acked = s.agent_acked;
    m->alert_produced = s.detect.seq;
    m->alert_acked = s.alert_acked;
    struct wedr_msg_detect detect;
    wedr_core_detect_stats(&s.detect, &detect);
    m->detect = detect;
    struct wedr_msg_enrich enrich = {.redacted = s.redacted};
    if (c->facts) {
        wedr_facts_stats(c->facts, &enrich);
    }
    m->enrich = enrich;
    m->batches_sealed = s.batches_sealed;
    m->batches_acked = s.batches_acked;
    m->batches_waiting = s.batches_waiting;
    m->batches_set_aside = s.batches_set_aside;
    m->spool_bytes = s.spool_bytes;
    m->spool_bytes_max = s.spool_bytes_max;
    m->evicted = s.evicted;
    m->corrupt = s.corrupt;
    m->torn_bytes_cut = s.torn_bytes_cut;
    m->rounds = c->rounds;
    m->log_dropped = wedr_log_dropped();
    m->bugs = wedr_obj_bugs();
    m->disk_full = s.disk_full;
    m->round_err = c->last_round_err;
    m->sending = (uint8_t)wedr_batches_under_way(&c->batches);
}

static void send_stats(struct core *c)
{
    static struct wedr_msg_core_stats m;
    /* Counters are cumulative: one that does not fit now is healed by the next. */
    fill_stats(c, &m, WEDR_MSG_T_CORE_STATS);
    (void)!wedr_peer_send(c->holder, &m, NULL, 0);
    if (c->net) {
        fill_stats(c, &m, WEDR_MSG_T_STATS_FOR_NET);
        (void)!wedr_peer_send(c->net, &m, NULL, 0);
    }
}

static int start_source(struct core *c, struct wedr_peer_msg *m)
{
    struct wedr_errinfo ei = {""};
    int err;
    if (m->type == WEDR_MSG_T_SOURCE_EBPF) {
        const struct wedr_msg_source_ebpf *s =
            (const struct wedr_msg_source_ebpf *)(const void *)m->u.bytes;
        struct wedr_engine_ebpf src = {{m->handles[0], m->handles[1]},
                                       m->handles[2],
                                       s->ring_bytes,
                                       s->adopted != 0,
                                       s->proc != 0};
        err = wedr_engine_source_ebpf_take(c->engine, &src, &ei);
    } else {
        const struct wedr_msg_source_replay *s =
            (const struct wedr_msg_source_replay *)(const void *)m->u.bytes;
        struct wedr_engine_replay src = {m->handles[0], s->rate, s->epoch};
        err = wedr_engine_source_replay_take(c->engine, &src, &ei);
    }
    m->handle_count = 0; /* taken */
    return wedr_peer_send_result(c->holder, WEDR_MSG_T_SOURCE_STARTED, err, ei.text);
}

static void drop_net(struct core *c)
{
    wedr_ipc_close(c->net);
    c->net = NULL;
    wedr_batches_net_gone(&c->batches, c->engine);
}

static void take_net(struct core *c, struct wedr_peer_msg *m)
{
    drop_net(c);
    m->handle_count = 0;
    if (wedr_ipc_from_handle_take(m->handles[0], &c->net) != WEDR_OK) {
        c->net = NULL;
    }
}

/* The facts process may live on without a channel to here, and answer nobody. */
static int facts_result(struct core *c, int err)
{
    return err == WEDR_OK
               ? WEDR_OK
               : wedr_peer_send_result(c->holder, WEDR_MSG_T_FACTS_GONE, err, wedr_err_text(err));
}

static int end_source(struct core *c, const struct wedr_peer_msg *m)
{
    const struct wedr_msg_text *t = (const struct wedr_msg_text *)(const void *)m->u.bytes;
    int err = wedr_engine_source_end(c->engine, t->text);
    return wedr_peer_send_result(c->holder, WEDR_MSG_T_SOURCE_ENDED, err, wedr_err_text(err));
}

static int on_holder(struct core *c, struct wedr_peer_msg *m)
{
    const struct wedr_msg_text *t = (const struct wedr_msg_text *)(const void *)m->u.bytes;
    int err = WEDR_OK;
    switch (m->type) {
    case WEDR_MSG_T_SOURCE_EBPF:
    case WEDR_MSG_T_SOURCE_REPLAY:
        return start_source(c, m);
    case WEDR_MSG_T_SOURCE_END:
        return end_source(c, m);
    case WEDR_MSG_T_GAP:
        memcpy(&c->gap_done, m->u.bytes, sizeof(c->gap_done));
        err =
            wedr_engine_gap(c->engine, c->gap_done.from_us, c->gap_done.to_us, c->gap_done.reason);
        c->gap_done.h.type = WEDR_MSG_T_GAP_DONE;
        c->gap_pending = err == WEDR_OK;
        return WEDR_OK;
    case WEDR_MSG_T_SENSOR_STATE:
        wedr_engine_sensor_state(c->engine,
                                 (const struct wedr_msg_sensor_state *)(const void *)m->u.bytes);
        return WEDR_OK;
    case WEDR_MSG_T_CORE_PEER:
        take_net(c, m);
        return WEDR_OK;
    case WEDR_MSG_T_CORE_FACTS:
        return facts_result(c,
                            c->facts ? wedr_core_facts_peer(c->facts, m, &c->to_facts) : WEDR_OK);
    case WEDR_MSG_T_SIGNED:
        wedr_batches_signed(&c->batches, (const struct wedr_msg_signed *)(const void *)m->u.bytes);
        return WEDR_OK;
    case WEDR_MSG_T_RULES:
        return wedr_core_rules(c->engine, c->holder, m);
    case WEDR_MSG_T_KILL_RESULT:
        wedr_core_kill_result(c->engine,
                              (const struct wedr_msg_kill_result *)(const void *)m->u.bytes);
        return WEDR_OK;
    case WEDR_MSG_T_CORE_STOP:
        err = wedr_engine_stop(c->engine, t->text);
        c->stopping = true;
        c->next_stats_ms = 0;
        wedr_batches_hurry(&c->batches);
        return wedr_peer_send_result(c->holder, WEDR_MSG_T_CORE_STOPPED, err, wedr_err_text(err));
    default:
        return WEDR_E_FORMAT;
    }
}

/* Everything the two peers sent, bounded per round. WEDR_E_CLOSED: the holder is gone. */
static int read_peers(struct core *c)
{
    static struct wedr_peer_msg m;
    for (int i = 0; i < 32; i++) {
        int err = wedr_peer_recv(c->holder, WEDR_MSG_HOLDER_TO_CORE, &m);
        if (err == WEDR_E_AGAIN) {
            break;
        }
        if (err == WEDR_OK) {
            err = on_holder(c, &m);
            wedr_peer_close_handles(&m);
        }
        if (err != WEDR_OK) {
            return err;
        }
    }
    for (int i = 0; c->net && i < 32; i++) {
        int err = wedr_peer_recv(c->net, WEDR_MSG_NET_TO_CORE, &m);
        if (err == WEDR_E_AGAIN) {
            break;
        }
        if (err == WEDR_OK) {
            err = wedr_batches_outcome(
                &c->batches, c->engine,
                (const struct wedr_msg_batch_outcome *)(const void *)m.u.bytes);
        }
        if (err != WEDR_OK) {
            if (err != WEDR_E_CLOSED) {
                wedr_log(WARN, "core.net_broke_protocol", WEDR_ERR(err));
            }
            drop_net(c);
            /* Net may live on without this channel: only the holder can make another. */
            err = wedr_peer_send_result(c->holder, WEDR_MSG_T_NET_GONE, err, wedr_err_text(err));
            if (err != WEDR_OK) {
                return err;
            }
        }
    }
    return WEDR_OK;
}

static void pump(struct core *c, bool *ret_busy, uint32_t *ret_wait_ms)
{
    int err = wedr_engine_round(c->engine, ret_busy, ret_wait_ms);
    c->rounds++;
    if (err != WEDR_OK) {
        *ret_busy = false;
        *ret_wait_ms = DISK_FULL_WAIT_MS;
        if (err != c->last_round_err) {
            wedr_log(ERROR, "core.round_failed", WEDR_ERR(err));
        }
    } else if (c->last_round_err != WEDR_OK) {
        wedr_log(INFO, "core.round_recovered", WEDR_ERR(c->last_round_err));
    }
    c->last_round_err = err;
    if (err == WEDR_OK && c->gap_pending &&
        wedr_peer_send_wait(c->holder, &c->gap_done, NULL, 0) == WEDR_OK) {
        c->gap_pending = false;
    }
}

static int loop(struct core *c)
{
    for (;;) {
        bool busy = false;
        uint32_t wait_ms = WAIT_MAX_MS;
        pump(c, &busy, &wait_ms);
        wedr_core_kills(c->engine, c->holder);
        int err = read_peers(c);
        if (err == WEDR_OK && c->facts) {
            err = facts_result(c, wedr_core_facts_turn(c->facts, &c->to_facts));
        }
        if (err != WEDR_OK) {
            return err;
        }
        uint32_t batch_wait = wedr_batches_run(&c->batches, c->engine, c->holder, c->net);
        uint64_t now = wedr_time_mono_ms();
        if (now >= c->next_stats_ms) {
            c->next_stats_ms = now + (c->stopping ? STATS_STOPPING_MS : STATS_MS);
            send_stats(c);
            wedr_settle_turn(&c->settle, now);
        }
        if (!c->finished && wedr_engine_finished(c->engine)) {
            struct wedr_msg_empty m;
            wedr_msg_begin(&m, WEDR_MSG_T_CORE_FINISHED);
            c->finished = wedr_peer_send(c->holder, &m, NULL, 0) == WEDR_OK;
        }
        wait_ms = wait_ms < batch_wait ? wait_ms : batch_wait;
        wait_ms = wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS;
        if (c->next_stats_ms > now && wait_ms > c->next_stats_ms - now) {
            wait_ms = (uint32_t)(c->next_stats_ms - now);
        }
        size_t ready = 0;
        struct wedr_wait w[3] = {
            {wedr_ipc_handle(c->holder), WEDR_WAIT_READ, 0},
            {c->net ? wedr_ipc_handle(c->net) : WEDR_HANDLE_NONE, WEDR_WAIT_READ, 0},
            {c->to_facts ? wedr_ipc_handle(c->to_facts) : WEDR_HANDLE_NONE, WEDR_WAIT_READ, 0}};
        err = wedr_wait_any(w, 3, busy ? 0 : wait_ms, &ready);
        if (err != WEDR_OK) {
            return err;
        }
    }
}

int wedr_core_main(void *arg, struct wedr_ipc *channel)
{
    static struct core c;
    static struct wedr_core_args args;
    struct wedr_errinfo ei = {""};
    char missing[64] = "";
    args = *(const struct wedr_core_args *)arg;
    c.args = &args;
    c.holder = channel;
    if (args.identity) {
        wedr_identity_wipe(args.identity); /* before a file is looked at */
    }
    if (args.cfg.enrich && (c.facts = wedr_facts_new()) != NULL) {
        wedr_facts_now(c.facts, wedr_time_mono_ms());
        wedr_core_facts_preload(c.facts);
    }
    int err = wedr_core_confine(&args, missing, &ei);
    wedr_peer_log_to(channel, WEDR_MSG_T_CORE_LOG, "wedr-agent.core", args.cfg.log_level);
    if (err == WEDR_OK) {
        err = open_engine(&c, &ei);
    }
    if (err != WEDR_OK) {
        wedr_log(ERROR, "core.start_failed", WEDR_ERR(err), WEDR_STR("reason", ei.text));
        return 1;
    }
    wedr_batches_init(&c.batches);
    err = wedr_peer_send_text(channel, WEDR_MSG_T_CORE_READY, missing);
    if (err == WEDR_OK) {
        err = loop(&c);
    }
    wedr_batches_net_gone(&c.batches, c.engine);
    wedr_engine_close(c.engine);
    wedr_facts_free(c.facts);
    wedr_ipc_close(c.net);
    wedr_ipc_close(c.to_facts);
    return err == WEDR_E_CLOSED ? 0 : 1;
}
