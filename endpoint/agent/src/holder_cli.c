/* SPDX-License-Identifier: Apache-2.0 */
#include "holder_i.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define STALE_MS 5000u /* counters older than this: the process hangs */

/* Appends "; text" while there is room. */
static void say(struct wedr_msg_holder_state *m, const char *text)
{
    size_t at = strlen(m->health);
    if (at > 0 && at + 3 < sizeof(m->health)) {
        memcpy(m->health + at, "; ", 3);
        at += 2;
    }
    wedr_msg_put_text(m->health + at, sizeof(m->health) - at, text);
}

static const char *server_trouble(const struct holder *h)
{
    switch (h->net_stats.server_state) {
    case WEDR_MSG_SERVER_UNKNOWN:
        return "the server has not answered yet";
    case WEDR_MSG_SERVER_UNREACHABLE:
        return "the server cannot be reached";
    case WEDR_MSG_SERVER_REFUSED:
        return "the server refuses this agent";
    case WEDR_MSG_SERVER_NOT_ENROLLED:
        return "the server does not know this agent: enrol again";
    case WEDR_MSG_SERVER_BUSY:
        return "the server is busy or failing";
    case WEDR_MSG_SERVER_NO_CONFIG:
        return "no usable server configuration";
    default:
        return NULL;
    }
}

static bool stale(const struct holder_child *c, uint64_t now)
{
    uint64_t since = c->stats_ms ? c->stats_ms : c->start_ms;
    return now - since > STALE_MS;
}

static void say_watch(const struct holder *h, struct wedr_msg_holder_state *m)
{
    char text[WEDR_MSG_TEXT_MAX];
    if (h->watch) {
        (void)snprintf(text, sizeof(text),
                       "watching without BPF, processes and few files only%s%.150s",
                       h->sensor_trouble[0] ? ": " : "", h->sensor_trouble);
        say(m, text);
    }
}

static void say_core(const struct holder *h, struct wedr_msg_holder_state *m, uint64_t now)
{
    char text[WEDR_MSG_TEXT_MAX];
    if (!h->core.ready) {
        say(m, "the core process is down");
    } else if (stale(&h->core, now)) {
        say(m, "the core process does not answer");
    }
    if (h->core_stats.disk_full) {
        say(m, "the spool's disk is full");
    } else if (h->core.ready && h->core_stats.round_err != WEDR_OK) {
        (void)snprintf(text, sizeof(text), "the core process cannot go on: %.100s",
                       wedr_err_text(h->core_stats.round_err));
        say(m, text);
    }
}

void holder_state_fill(struct holder *h, struct wedr_msg_holder_state *m)
{
    uint64_t now = wedr_time_mono_ms();
    bool ebpf = h->args->source == WEDR_SOURCE_EBPF;
    wedr_msg_begin(m, WEDR_MSG_T_HOLDER_STATE);
    m->sensor_attached = (h->sensor || h->watch) && h->phase != SOURCE_LIVE_ENDING;
    m->core_restarts = h->core.restarts;
    m->net_restarts = h->net.restarts;
    m->sensor_detached_count = h->detached_count;
    m->uptime_ms = now - h->start_ms;
    if (ebpf && !m->sensor_attached) {
        char text[WEDR_MSG_TEXT_MAX];
        (void)snprintf(text, sizeof(text), "the sensor is not attached: %.180s", h->sensor_trouble);
        say(m, text);
    }
    say_watch(h, m);
    if (h->source_trouble[0]) {
        char text[WEDR_MSG_TEXT_MAX];
        (void)snprintf(text, sizeof(text), "the core process cannot read the sensor: %.180s",
                       h->source_trouble);
        say(m, text);
    }
    say_core(h, m, now);
    if (holder_facts_wanted(h) && !h->facts.ready) {
        say(m, "the facts process is down");
    }
    if (!h->enrolled) {
        say(m, "not enrolled: events stay in the spool");
    } else if (!h->cfg.shipper_enabled) {
        say(m, "shipping is switched off: events stay in the spool");
    } else if (!h->net.ready) {
        say(m, "the net process is down");
    } else if (stale(&h->net, now)) {
        say(m, "the net process does not answer");
    } else if (server_trouble(h)) {
        say(m, server_trouble(h));
    }
    holder_rules_state(h, m);
    holder_command_state(h, m);
    holder_policy_state(h, m);
    if (m->settings_error[0]) {
        char text[WEDR_MSG_TEXT_MAX];
        (void)snprintf(text, sizeof(text), "sensor settings: %.200s", m->settings_error);
        say(m, text);
    }
    if (m->governor == WEDR_MSG_GOVERNOR_NO_BULK) {
        say(m, "the agent used more of the processor than it may: bulk events are not recorded");
    }
    if (m->rules_error[0]) {
        char text[WEDR_MSG_TEXT_MAX];
        (void)snprintf(text, sizeof(text), "rules: %.200s", m->rules_error);
        say(m, text);
    }
    m->degraded = m->health[0] != 0;
}

static void
fill_process(const struct holder_child *c, struct wedr_msg_process *p, uint32_t uid, uint64_t now)
{
    struct wedr_proc_usage u;
    memset(p, 0, sizeof(*p));
    if (!c->proc) {
        p->restarts = c->restarts;
        return;
    }
    memset(&u, 0, sizeof(u));
    p->pid = wedr_child_pid(c->proc);
    p->uid = uid;
    p->restarts = c->restarts;
    p->uptime_ms = now - c->start_ms;
    if (wedr_proc_usage(p->pid, &u) == WEDR_OK) {
        p->cpu_us = u.cpu_us;
        p->rss_bytes = u.rss_bytes;
        p->pss_bytes = u.pss_bytes;
    }
}

static void fill_own(const struct holder *h, struct wedr_msg_process *p, uint64_t now)
{
    struct wedr_proc_usage u;
    memset(p, 0, sizeof(*p));
    memset(&u, 0, sizeof(u));
    p->pid = h->args->pid;
    p->uid = h->args->uid;
    p->uptime_ms = now - h->start_ms;
    if (wedr_proc_usage(0, &u) == WEDR_OK) {
        p->cpu_us = u.cpu_us;
        p->rss_bytes = u.rss_bytes;
        p->pss_bytes = u.pss_bytes;
    }
}

static void send_status(struct holder *h, struct wedr_ipc *c)
{
    static struct wedr_msg_status m;
    uint64_t now = wedr_time_mono_ms();
    struct wedr_msg_holder_state state;
    struct wedr_msg_process p;
    wedr_msg_begin(&m, WEDR_MSG_T_STATUS);
    holder_state_fill(h, &state);
    m.holder = state;
    m.core = h->core_stats;
    m.net = h->net_stats;
    if (h->enrolled) {
        wedr_msg_put_text(m.agent_id, sizeof(m.agent_id), h->identity.agent_id);
        wedr_msg_put_text(m.server_url, sizeof(m.server_url),
                          h->cfg.server_url[0] ? h->cfg.server_url : h->identity.server_url);
    }
    wedr_msg_put_text(m.version, sizeof(m.version), h->args->version);
    wedr_msg_put_text(m.sandbox_missing, sizeof(m.sandbox_missing), h->missing);
    fill_own(h, &p, now);
    m.process[WEDR_MSG_HOLDER] = p;
    fill_process(&h->core, &p, h->args->root ? (uint32_t)h->cfg.core_uid : h->args->uid, now);
    m.process[WEDR_MSG_CORE] = p;
    fill_process(&h->net, &p, h->args->root ? (uint32_t)h->cfg.net_uid : h->args->uid, now);
    m.process[WEDR_MSG_NET] = p;
    fill_process(&h->facts, &p, h->args->root ? (uint32_t)h->cfg.facts_uid : h->args->uid, now);
    m.process[WEDR_MSG_FACTS] = p;
    m.facts = h->facts_stats;
    m.core_age_ms = h->core.stats_ms ? (uint32_t)(now - h->core.stats_ms) : UINT32_MAX;
    m.net_age_ms = h->net.stats_ms ? (uint32_t)(now - h->net.stats_ms) : UINT32_MAX;
    m.finished = h->finished;
    if (wedr_peer_send(c, &m, NULL, 0) != WEDR_OK) {
        wedr_log(WARN, "holder.status_not_sent", WEDR_STR("to", "command line"));
    }
}

int holder_cli_open(struct holder *h)
{
    char path[4096 + 8];
    (void)snprintf(path, sizeof(path), "%s/" WEDR_RUN_DIR, h->state_dir);
    int err = wedr_fs_mkdir(path, 0700, UINT32_MAX);
    return err != WEDR_OK ? err : wedr_ipc_listen(path, WEDR_AGENT_SOCKET, &h->listener);
}

void holder_cli_accept(struct holder *h)
{
    struct wedr_ipc *c = NULL;
    struct wedr_ipc_peer peer;
    if (wedr_ipc_accept(h->listener, &c, &peer) != WEDR_OK) {
        return;
    }
    for (size_t i = 0; i < WEDR_CLIENTS_MAX; i++) {
        if (!h->client[i].c && (peer.uid == 0 || peer.uid == h->args->uid)) {
            h->client[i].c = c;
            h->client[i].wants_stop = h->client[i].too_late = false;
            return;
        }
    }
    wedr_ipc_close(c); /* not allowed, or too many at once */
}

static void drop(struct holder_client *cl)
{
    wedr_ipc_close(cl->c);
    cl->c = NULL;
}

void holder_cli_read(struct holder *h, struct holder_client *cl)
{
    static struct wedr_peer_msg m;
    struct wedr_msg_cli_stop stop;
    int err = wedr_peer_recv(cl->c, WEDR_MSG_CLI_TO_HOLDER, &m);
    if (err == WEDR_E_AGAIN) {
        return;
    }
    if (err != WEDR_OK) {
        drop(cl);
        return;
    }
    if (m.type == WEDR_MSG_T_CLI_STATUS) {
        send_status(h, cl->c);
        return;
    }
    memcpy(&stop, m.u.bytes, sizeof(stop));
    cl->wants_stop = true;
    /* A stop that is under way without it does not come to the sensor any more. */
    cl->too_late = stop.sensor != 0 && h->stop != STOP_NO && !h->stop_sensor;
    holder_stop_begin(h, stop.sensor != 0 && !cl->too_late);
}

void holder_cli_end(struct holder *h)
{
    char text[WEDR_MSG_TEXT_MAX];
    uint64_t waiting = h->core_stats.batches_waiting;
    (void)snprintf(text, sizeof(text), "%llu batches wait in the spool",
                   (unsigned long long)waiting);
    for (size_t i = 0; i < WEDR_CLIENTS_MAX; i++) {
        if (h->client[i].c && h->client[i].wants_stop) {
            struct wedr_msg_result r;
            wedr_msg_begin(&r, WEDR_MSG_T_STOPPING);
            r.err = h->stop_err == WEDR_OK && h->client[i].too_late ? WEDR_E_STATE : h->stop_err;
            wedr_msg_put_text(r.text, sizeof(r.text), text);
            if (wedr_peer_send(h->client[i].c, &r, NULL, 0) != WEDR_OK) {
                wedr_log(WARN, "holder.stop_not_answered", WEDR_ERR(h->stop_err));
            }
        }
        drop(&h->client[i]);
    }
    wedr_ipc_close(h->listener);
    h->listener = NULL;
}
