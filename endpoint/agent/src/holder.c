/* SPDX-License-Identifier: Apache-2.0 */
#include "holder_i.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "logfile.h"
#include "wedr/plat/proc.h"
#include "wedr/plat/svc.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define TICK_MS 250u
#define TICK_STOPPING_MS 20u
#define STATE_MS 1000u
#define STOP_SHIP_MS 2000u         /* an ordinary stop waits this long for the server */
#define STOP_SENSOR_SHIP_MS 10000u /* the end of the epochs should still reach it */
#define STOP_TOTAL_MS 20000u
#define STALL_MS 5000u /* no pump round for so long: no watchdog ping */

int wedr_state_lock(const char *state_dir, bool create, uint32_t wait_ms, wedr_handle *ret_lock)
{
    wedr_handle dir = WEDR_HANDLE_NONE, file = WEDR_HANDLE_NONE;
    uint64_t end = wedr_time_mono_ms() + wait_ms;
    int err = create ? wedr_fs_mkdir(state_dir, 0700, UINT32_MAX) : WEDR_OK;
    if (err == WEDR_OK) {
        err = wedr_fs_open_dir(state_dir, &dir);
    }
    if (err == WEDR_OK) {
        err = wedr_fs_open_at(dir, WEDR_LOCK_FILE, WEDR_FS_READ | WEDR_FS_WRITE | WEDR_FS_CREATE,
                              0600, &file);
    }
    wedr_fs_close(dir);
    if (err != WEDR_OK) {
        return err;
    }
    while ((err = wedr_fs_lock(file)) == WEDR_E_BUSY && wedr_time_mono_ms() < end) {
        wedr_time_sleep_ms(50);
    }
    if (err != WEDR_OK) {
        wedr_fs_close(file);
        return err;
    }
    *ret_lock = file;
    return WEDR_OK;
}

void holder_stop_core(struct holder *h)
{
    h->stop = STOP_CORE;
    if (h->core.ready) {
        holder_send_text(h, &h->core, WEDR_MSG_T_CORE_STOP, "stopped");
    }
    if (!h->core.ready) {
        h->stop = STOP_DONE;
    }
}

void holder_stop_begin(struct holder *h, bool sensor)
{
    h->stop_sensor = h->stop_sensor || sensor;
    if (h->stop != STOP_NO) {
        return;
    }
    wedr_svc_stopping();
    wedr_log(INFO, "holder.stopping", WEDR_U64("sensor", sensor));
    h->stop_begin_ms = wedr_time_mono_ms();
    h->stop = STOP_SOURCE;
    if ((!sensor && !h->watch) || h->args->source != WEDR_SOURCE_EBPF || !holder_source_stop(h)) {
        holder_stop_core(h);
    }
}

/* True when the rest has been shipped or will not be soon. */
static bool shipping_done(const struct holder *h, uint64_t now)
{
    uint64_t limit = h->stop_sensor ? STOP_SENSOR_SHIP_MS : STOP_SHIP_MS;
    bool trouble = h->net_stats.server_state != WEDR_MSG_SERVER_OK &&
                   h->net_stats.server_state != WEDR_MSG_SERVER_UNKNOWN;
    if (!h->core.ready || !h->enrolled || !h->cfg.shipper_enabled || h->args->drain_only) {
        return true;
    }
    if (trouble && now - h->stop_begin_ms > STOP_SHIP_MS) {
        return true;
    }
    return (h->core.stats_ms != 0 && h->core_stats.batches_waiting == 0 &&
            h->core_stats.sending == 0) ||
           now - h->stop_begin_ms > limit;
}

static void stop_tick(struct holder *h, uint64_t now)
{
    if (h->stop == STOP_NO || h->stop == STOP_DONE) {
        return;
    }
    if (!h->core.c || now - h->stop_begin_ms > STOP_TOTAL_MS) {
        wedr_log(ERROR, "holder.stop_cut_short", WEDR_U64("phase", h->stop));
        h->stop_err = WEDR_E_TIMEOUT;
        h->stop = STOP_DONE;
    }
    if (h->stop == STOP_SHIPPING && shipping_done(h, now)) {
        h->stop = STOP_DONE;
    }
}

static void manager_tick(struct holder *h, uint64_t now)
{
    bool net_expected = h->enrolled && h->cfg.shipper_enabled;
    bool alive = h->core.ready && (h->net.ready || !net_expected) &&
                 now - h->rounds_moved_ms < STALL_MS &&
                 (!net_expected || now - h->net.stats_ms < STALL_MS);
    if (!h->told_ready && h->core.ready) {
        h->told_ready = true;
        wedr_svc_ready(h->sensor || h->args->source == WEDR_SOURCE_REPLAY ? "running"
                       : h->watch ? "degraded: watching without BPF"
                                  : "degraded: no sensor");
    }
    if (alive) {
        wedr_svc_watchdog_ping();
    }
}

static void state_tick(struct holder *h, uint64_t now)
{
    static struct wedr_msg_holder_state m;
    if (now >= h->next_state_ms && h->net.ready) {
        h->next_state_ms = now + STATE_MS;
        holder_state_fill(h, &m);
        holder_send(h, &h->net, &m, NULL, 0);
    }
}

enum wait_index {
    W_SIGNAL,
    W_LISTENER,
    W_CORE,
    W_CORE_END,
    W_NET,
    W_NET_END,
    W_FACTS,
    W_FACTS_END,
    W_CLIENT,
    W_KILL = W_CLIENT + WEDR_CLIENTS_MAX,
    W_COUNT = W_KILL + WEDR_KILLS_MAX
};

static void fill_wait(const struct holder *h, struct wedr_wait *w)
{
    for (size_t i = 0; i < W_COUNT; i++) {
        w[i] = (struct wedr_wait){WEDR_HANDLE_NONE, WEDR_WAIT_READ, 0};
    }
    w[W_SIGNAL].handle = h->signal;
    w[W_LISTENER].handle = wedr_ipc_handle(h->listener);
    if (h->core.proc) {
        w[W_CORE].handle = wedr_ipc_handle(h->core.c);
        w[W_CORE_END].handle = wedr_child_handle(h->core.proc);
    }
    if (h->net.proc) {
        w[W_NET].handle = wedr_ipc_handle(h->net.c);
        w[W_NET_END].handle = wedr_child_handle(h->net.proc);
    }
    if (h->facts.proc) {
        w[W_FACTS].handle = wedr_ipc_handle(h->facts.c);
        w[W_FACTS_END].handle = wedr_child_handle(h->facts.proc);
    }
    wedr_kills_wait(&h->kills, &w[W_KILL]);
    for (size_t i = 0; i < WEDR_CLIENTS_MAX; i++) {
        if (h->client[i].c) {
            w[W_CLIENT + i].handle = wedr_ipc_handle(h->client[i].c);
        }
    }
}

static void serve(struct holder *h, const struct wedr_wait *w)
{
    if (w[W_SIGNAL].got && wedr_stop_signal_take(h->signal) != 0) {
        holder_stop_begin(h, false);
    }
    /* What a dying child still said comes before its end. */
    if (w[W_CORE].got || w[W_CORE_END].got) {
        holder_on_core(h);
    }
    if (w[W_NET].got || w[W_NET_END].got) {
        holder_on_net(h);
    }
    if (w[W_CORE_END].got && h->core.proc &&
        w[W_CORE_END].handle == wedr_child_handle(h->core.proc)) {
        holder_child_down(h, &h->core, "ended");
    }
    if (w[W_NET_END].got && h->net.proc && w[W_NET_END].handle == wedr_child_handle(h->net.proc)) {
        holder_child_down(h, &h->net, "ended");
    }
    if (w[W_FACTS].got || w[W_FACTS_END].got) {
        holder_on_facts(h);
    }
    if (w[W_FACTS_END].got && h->facts.proc &&
        w[W_FACTS_END].handle == wedr_child_handle(h->facts.proc)) {
        holder_child_down(h, &h->facts, "ended");
    }
    for (size_t i = 0; i < WEDR_CLIENTS_MAX; i++) {
        if (w[W_CLIENT + i].got && h->client[i].c) {
            holder_cli_read(h, &h->client[i]);
        }
    }
    if (w[W_LISTENER].got) {
        holder_cli_accept(h);
    }
}

static int loop(struct holder *h)
{
    while (h->stop != STOP_DONE) {
        uint64_t now = wedr_time_mono_ms();
        struct wedr_wait w[W_COUNT];
        holder_children_tick(h, now);
        holder_source_tick(h, now);
        holder_source_retry(h, now);
        holder_policy_tick(h, now);
        state_tick(h, now);
        manager_tick(h, now);
        stop_tick(h, now);
        holder_kills_tick(h);
        wedr_settle_turn(&h->settle, now);
        if (h->args->drain_only && h->stop == STOP_NO && h->core.ready) {
            holder_stop_begin(h, true);
        }
        if (h->args->drain_only && h->stop == STOP_NO && now - h->start_ms > STOP_TOTAL_MS) {
            wedr_msg_put_text(h->sensor_trouble, sizeof(h->sensor_trouble),
                              "the core process does not start: see log/agent.log");
            h->failed = true;
            break;
        }
        if (h->stop == STOP_DONE) {
            break;
        }
        fill_wait(h, w);
        bool quick = h->stop != STOP_NO || !h->core.ready || (h->enrolled && !h->net.ready);
        int err = wedr_wait_any(w, W_COUNT, quick ? TICK_STOPPING_MS : TICK_MS, NULL);
        if (err != WEDR_OK) {
            return err;
        }
        serve(h, w);
    }
    return WEDR_OK;
}

static int prepare(struct holder *h, struct wedr_errinfo *ei)
{
    int err = wedr_state_lock(h->state_dir, true, WEDR_LOCK_WAIT_MS, &h->lock);
    if (err != WEDR_OK) {
        return wedr_fail(ei, err,
                         err == WEDR_E_BUSY ? "another agent runs on %s" : "cannot lock %s",
                         h->state_dir);
    }
    err = wedr_agent_config_load(h->state_dir, &h->cfg, ei);
    if (err != WEDR_OK) {
        return err;
    }
    err = wedr_logfile_open(h->state_dir, h->cfg.log_max_bytes, h->cfg.log_level,
                            !h->args->under_manager);
    if (err != WEDR_OK) {
        return wedr_fail(ei, err, "cannot open the log: %s", wedr_err_text(err));
    }
    err = wedr_host_info(&h->host);
    if (err == WEDR_OK) {
        err = wedr_stop_signal_open(&h->signal);
    }
    if (err == WEDR_OK) {
        err = holder_cli_open(h);
    }
    if (err != WEDR_OK) {
        return wedr_fail(ei, err, "cannot prepare %s: %s", h->state_dir, wedr_err_text(err));
    }
    wedr_holder_memory_load(h->state_dir, &h->memory);
    holder_identity_load(h);
    return wedr_sensor_pin_name(h->state_dir, h->pin_name);
}

static void open_source(struct holder *h)
{
    struct wedr_errinfo ei = {""};
    char recorder[WEDR_PIN_NAME_MAX];
    if (h->args->source == WEDR_SOURCE_EBPF &&
        wedr_sensor_record_name(h->state_dir, recorder) == WEDR_OK &&
        wedr_sensor_unpin(recorder, NULL) == WEDR_OK) {
        wedr_log(WARN, "holder.killed_recorder_cleaned_up", WEDR_STR("pin_name", recorder));
    }
    if (h->args->source == WEDR_SOURCE_EBPF && h->memory.reenrolled) {
        /* Another identity watched until now: its epochs are not ours. */
        int err = wedr_sensor_unpin(h->pin_name, &ei);
        if (err != WEDR_OK && err != WEDR_E_NOENT) {
            wedr_log(ERROR, "holder.cannot_unpin", WEDR_ERR(err), WEDR_STR("reason", ei.text));
        }
        h->memory.sensor_stopped = true;
    }
    holder_source_open(h);
}

static void clean_up(struct holder *h)
{
    char path[4096 + 8];
    wedr_handle dir = WEDR_HANDLE_NONE;
    h->stop = STOP_DONE;
    holder_children_end(h);
    holder_source_close(h);
    if (h->listener) {
        (void)snprintf(path, sizeof(path), "%s/" WEDR_RUN_DIR, h->state_dir);
        if (wedr_fs_open_dir(path, &dir) == WEDR_OK) {
            (void)!wedr_fs_unlink_at(dir, WEDR_AGENT_SOCKET);
            wedr_fs_close(dir);
        }
        holder_cli_end(h);
    }
    wedr_kills_fini(&h->kills);
    holder_rules_close(h);
    wedr_identity_wipe(&h->identity);
    wedr_fs_close(h->signal);
    wedr_fs_close(h->lock);
}

int wedr_holder_run(const struct wedr_run_args *args, struct wedr_errinfo *ei)
{
    wedr_heap_frugal(); /* the children inherit it */
    struct holder *h = (struct holder *)wedr_alloc(1, sizeof(*h));
    if (!h) {
        (void)wedr_fail(ei, WEDR_E_NOMEM, "out of memory");
        return 1;
    }
    h->args = args;
    h->lock = WEDR_HANDLE_NONE;
    h->signal = WEDR_HANDLE_NONE;
    h->start_ms = wedr_time_mono_ms();
    h->rounds_moved_ms = h->start_ms;
    wedr_msg_put_text(h->state_dir, sizeof(h->state_dir), args->state_dir);
    wedr_msg_begin(&h->core_stats, WEDR_MSG_T_CORE_STATS);
    wedr_msg_begin(&h->net_stats, WEDR_MSG_T_NET_STATS);
    wedr_msg_begin(&h->facts_stats, WEDR_MSG_T_FACTS_STATS);
    wedr_kills_init(&h->kills);
    h->rules.net_file = WEDR_HANDLE_NONE;
    holder_children_init(h);
    int err = prepare(h, ei);
    if (err == WEDR_OK) {
        wedr_log(INFO, "holder.start", WEDR_STR("version", args->version),
                 WEDR_STR("state", h->state_dir));
        open_source(h);
        err = loop(h);
        if (err != WEDR_OK || h->failed) {
            err = wedr_fail(ei, err != WEDR_OK ? err : WEDR_E_IO, "%s",
                            h->sensor_trouble[0] ? h->sensor_trouble : "the agent cannot go on");
        }
    }
    clean_up(h);
    int code = err == WEDR_OK ? 0 : 1;
    wedr_free(h);
    return code;
}
