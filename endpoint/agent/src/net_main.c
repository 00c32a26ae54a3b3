/* SPDX-License-Identifier: Apache-2.0 */
#include "net_main.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "core/util/obj.h"
#include "core/util/sha256.h"
#include "heartbeat.h"
#include "net_command.h"
#include "net_rules.h"
#include "peer.h"
#include "ship.h"
#include "wedr/plat/http.h"
#include "wedr/plat/pki.h"
#include "wedr/plat/proc.h"
#include "wedr/plat/sandbox.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define STATS_MS 1000u
#define WAIT_MAX_MS 1000u
#define RENEW_RETRY_MS 3600000u
#define FIRST_HEARTBEAT_MS 3000u /* without counters of core by then, it goes without them */
#define RESPONSE_MAX 65536u
#define KEYS 3

struct net {
    const struct wedr_net_args *args;
    struct wedr_ipc *holder, *core;
    struct wedr_http *http;
    struct wedr_ship *ship;
    struct wedr_net_rules rules;
    struct wedr_net_commands commands;
    struct wedr_buf pem[KEYS]; /* key, certificate, CA */
    struct wedr_msg_core_stats core_stats;
    struct wedr_msg_holder_state holder_state;
    bool have_core_stats, have_holder_state, heartbeat_busy, renew_busy, stop;
    uint64_t start_ms, next_stats_ms, next_heartbeat_ms, next_renew_ms;
    struct wedr_settle settle;
    uint32_t heartbeat_ms;
    uint8_t told_state; /* of the server, as the holder knows it */
    uint64_t heartbeats, heartbeats_failed, rng;
    int64_t cert_from_us, cert_until_us;
    char heartbeat_path[128], renew_path[128], heartbeat_body[WEDR_HEARTBEAT_MAX];
    struct wedr_buf renew_body;
};

int wedr_net_confine(const struct wedr_net_args *args,
                     char ret_missing[64],
                     struct wedr_errinfo *ei)
{
    struct wedr_sandbox_report report;
    if (args->identity) {
        wedr_identity_wipe(args->identity);
    }
    struct wedr_sandbox_cfg s = {.profile = WEDR_SANDBOX_NET,
                                 .uid = args->change_user ? (uint32_t)args->cfg.net_uid : 0,
                                 .gid = args->change_user ? (uint32_t)args->cfg.net_uid : 0};
    int err = wedr_sandbox_enter(&s, &report, ei);
    if (err == WEDR_OK) {
        memcpy(ret_missing, report.missing, sizeof(report.missing));
    }
    return err;
}

/* Within a quarter of ms, so that agents that started together spread out. */
static uint64_t jittered(struct net *n, uint32_t ms)
{
    n->rng = n->rng * 6364136223846793005u + 1442695040888963407u;
    uint32_t span = ms / 2 + 1;
    return (uint64_t)ms - ms / 4 + (uint32_t)(n->rng >> 33) % span;
}

/* Whatever was under way with the old client is given up: core hears of it, unless it is new too.
 */
static void make_http(struct net *n, bool new_core)
{
    struct wedr_errinfo ei = {""};
    struct wedr_cert_info info;
    wedr_http_free(n->http);
    n->http = NULL;
    n->heartbeat_busy = false;
    n->renew_busy = false;
    wedr_net_rules_reset(&n->rules);
    wedr_net_commands_reset(&n->commands);
    if (new_core) {
        wedr_ship_reset(n->ship);
    } else {
        wedr_ship_give_back(n->ship);
    }
    if (n->pem[0].len == 0 || !n->args->server_url[0]) {
        wedr_ship_note_server(n->ship, WEDR_MSG_SERVER_NO_CONFIG, 0, "no server is configured");
        return;
    }
    struct wedr_http_cfg cfg = {.base_url = n->args->server_url,
                                .ca_pem = (const char *)n->pem[2].p,
                                .cert_pem = (const char *)n->pem[1].p,
                                .key_pem = (const char *)n->pem[0].p,
                                .proxy = n->args->cfg.proxy[0] ? n->args->cfg.proxy : NULL,
                                .connect_timeout_ms =
                                    (uint32_t)n->args->cfg.connect_timeout_secs * 1000u,
                                .total_timeout_ms = (uint32_t)n->args->cfg.timeout_secs * 1000u,
                                .user_agent = "wedr-agent"};
    int err = wedr_http_new(&cfg, &n->http, &ei);
    if (err != WEDR_OK) {
        wedr_log(ERROR, "net.no_client", WEDR_ERR(err), WEDR_STR("reason", ei.text));
        wedr_ship_note_server(n->ship, WEDR_MSG_SERVER_NO_CONFIG, 0, ei.text);
        n->http = NULL;
    }
    if (wedr_pki_cert_info((const char *)n->pem[1].p, n->pem[1].len, &info, &ei) == WEDR_OK) {
        n->cert_from_us = info.not_before_us;
        n->cert_until_us = info.not_after_us;
    }
}

static int take_keys(struct net *n, struct wedr_peer_msg *m)
{
    int err = WEDR_OK;
    for (size_t i = 0; i < KEYS; i++) {
        uint8_t chunk[4096];
        size_t got = 0;
        uint64_t at = 0;
        wedr_buf_truncate(&n->pem[i], 0);
        do { /* by offset: the file's own position is shared with whoever else has the handle */
            err = wedr_fs_pread(m->handles[i], chunk, sizeof(chunk), at, &got);
            if (err == WEDR_OK) {
                wedr_buf_add(&n->pem[i], chunk, got);
                at += got;
            }
        } while (err == WEDR_OK && got > 0 && !n->pem[i].overflow);
        if (err != WEDR_OK || n->pem[i].overflow || n->pem[i].len == 0) {
            wedr_log(ERROR, "net.bad_identity_file", WEDR_ERR(err), WEDR_U64("index", i));
            wedr_buf_truncate(&n->pem[0], 0);
            return WEDR_OK;
        }
    }
    make_http(n, false);
    n->next_heartbeat_ms = 0;
    return WEDR_OK;
}

static void on_batch_done(void *arg,
                          const struct wedr_batch_id *id,
                          enum wedr_msg_outcome outcome,
                          uint32_t window,
                          uint32_t wait_ms)
{
    struct net *n = (struct net *)arg;
    struct wedr_msg_batch_outcome m;
    struct wedr_msg_batch_id mid;
    wedr_msg_begin(&m, WEDR_MSG_T_OUTCOME);
    wedr_msg_from_batch(id, &mid);
    m.id = mid;
    m.outcome = (uint8_t)outcome;
    m.window = (uint8_t)window;
    m.wait_ms = wait_ms < WEDR_MSG_WAIT_MAX_MS ? wait_ms : WEDR_MSG_WAIT_MAX_MS;
    if (n->core && wedr_peer_send_wait(n->core, &m, NULL, 0) != WEDR_OK) {
        /* Core is gone or stuck: whatever it does not hear of, it offers again, and the server
         * knows the batch. */
        wedr_ipc_close(n->core);
        n->core = NULL;
    }
}

static void on_heartbeat(void *arg, const struct wedr_http_response *r)
{
    struct net *n = (struct net *)arg;
    uint32_t next_s = 0;
    struct wedr_ship_verdict v = wedr_ship_judge(r->err, r->status, r->retry_after_s);
    bool ok = r->err == WEDR_OK && r->status == 200 &&
              wedr_heartbeat_answer(r->body, r->body_len, &next_s) == WEDR_OK;
    n->heartbeat_busy = false;
    n->heartbeats += ok;
    n->heartbeats_failed += !ok;
    wedr_ship_note_server(n->ship,
                          ok                               ? WEDR_MSG_SERVER_OK
                          : v.server == WEDR_MSG_SERVER_OK ? WEDR_MSG_SERVER_BUSY
                                                           : v.server,
                          r->status,
                          ok ? ""
                          : r->err != WEDR_OK && r->error_text
                              ? r->error_text
                              : "the server refused the heartbeat");
    if (ok) {
        wedr_heartbeat_rules(r->body, r->body_len, &n->rules.offer);
        wedr_net_commands_heartbeat(&n->commands, r->body, r->body_len);
        n->heartbeat_ms =
            next_s > 0 ? next_s * 1000u : (uint32_t)n->args->cfg.heartbeat_interval_secs * 1000u;
    }
    uint32_t pause = v.wait_ms > n->heartbeat_ms ? v.wait_ms : n->heartbeat_ms;
    n->next_heartbeat_ms = wedr_time_mono_ms() + jittered(n, ok ? n->heartbeat_ms : pause);
}

static void fill_stats(struct net *n, struct wedr_msg_net_stats *m)
{
    wedr_msg_begin(m, WEDR_MSG_T_NET_STATS);
    wedr_ship_stats(n->ship, m);
    m->heartbeats = n->heartbeats;
    m->heartbeats_failed = n->heartbeats_failed;
    m->log_dropped = wedr_log_dropped();
    m->bugs = wedr_obj_bugs();
    m->cert_not_after_us = n->cert_until_us;
}

static void send_heartbeat(struct net *n)
{
    static const struct wedr_http_header json = {"Content-Type", "application/json"};
    static struct wedr_msg_net_stats stats;
    size_t len = 0;
    fill_stats(n, &stats);
    struct wedr_heartbeat hb = {n->args->version, n->have_core_stats ? &n->core_stats : NULL,
                                &stats, n->have_holder_state ? &n->holder_state : NULL};
    n->next_heartbeat_ms = wedr_time_mono_ms() + n->heartbeat_ms;
    if (wedr_heartbeat_write(&hb, n->heartbeat_body, sizeof(n->heartbeat_body), &len) != WEDR_OK) {
        n->heartbeats_failed++;
        return;
    }
    struct wedr_http_request rq = {.method = "POST",
                                   .path = n->heartbeat_path,
                                   .headers = &json,
                                   .header_count = 1,
                                   .body = n->heartbeat_body,
                                   .body_len = len,
                                   .response_max = RESPONSE_MAX};
    n->heartbeat_busy = wedr_http_start(n->http, &rq, on_heartbeat, n) == WEDR_OK;
}

static void on_renewed(void *arg, const struct wedr_http_response *r)
{
    struct net *n = (struct net *)arg;
    static struct wedr_msg_pem m;
    n->renew_busy = false;
    wedr_msg_begin(&m, WEDR_MSG_T_CERT);
    int err = r->err;
    if (err == WEDR_OK && r->status != 200 && r->status != 201) {
        err = WEDR_E_AUTH;
    }
    if (err == WEDR_OK) {
        err = wedr_json_take_string(r->body, r->body_len, "cert_pem", m.pem, sizeof(m.pem));
    }
    if (err == WEDR_OK) {
        err = wedr_peer_send_wait(n->holder, &m, NULL, 0);
    }
    wedr_log(INFO, "net.renewal", WEDR_ERR(err), WEDR_I64("status", r->status));
}

/* When two thirds of its life are over (day 60 of 90), the certificate is renewed with the same
 * key. */
static void renew(struct net *n)
{
    static const struct wedr_http_header json = {"Content-Type", "application/json"};
    struct wedr_buf pem, der;
    struct wedr_errinfo ei = {""};
    n->next_renew_ms = wedr_time_mono_ms() + RENEW_RETRY_MS;
    wedr_buf_init(&pem, WEDR_MSG_PEM_MAX);
    wedr_buf_init(&der, WEDR_MSG_PEM_MAX);
    wedr_buf_truncate(&n->renew_body, 0);
    int err = wedr_pki_csr_new((const char *)n->pem[0].p, n->pem[0].len, n->args->agent_id, &pem,
                               &der, &ei);
    if (err == WEDR_OK) {
        err = wedr_renew_body((const char *)pem.p, &n->renew_body);
    }
    if (err == WEDR_OK) {
        struct wedr_http_request rq = {.method = "POST",
                                       .path = n->renew_path,
                                       .headers = &json,
                                       .header_count = 1,
                                       .body = n->renew_body.p,
                                       .body_len = n->renew_body.len,
                                       .response_max = RESPONSE_MAX};
        err = wedr_http_start(n->http, &rq, on_renewed, n);
        n->renew_busy = err == WEDR_OK;
    }
    if (err != WEDR_OK) {
        wedr_log(ERROR, "net.renewal_failed", WEDR_ERR(err), WEDR_STR("reason", ei.text));
    }
    wedr_buf_fini(&pem);
    wedr_buf_fini(&der);
}

static bool renewal_due(const struct net *n)
{
    int64_t third = (n->cert_until_us - n->cert_from_us) / 3;
    return n->cert_until_us > n->cert_from_us && wedr_time_utc_us() > n->cert_until_us - third;
}

static void take_core(struct net *n, struct wedr_peer_msg *m)
{
    wedr_ipc_close(n->core);
    n->core = NULL;
    m->handle_count = 0;
    if (wedr_ipc_from_handle_take(m->handles[0], &n->core) != WEDR_OK) {
        n->core = NULL;
    }
    make_http(n, true); /* what is under way belongs to the core that is gone */
}

static int on_holder(struct net *n, struct wedr_peer_msg *m)
{
    switch (m->type) {
    case WEDR_MSG_T_NET_KEYS:
        return take_keys(n, m);
    case WEDR_MSG_T_NET_PEER:
        take_core(n, m);
        return WEDR_OK;
    case WEDR_MSG_T_HOLDER_STATE:
        memcpy(&n->holder_state, m->u.bytes, sizeof(n->holder_state));
        n->have_holder_state = true;
        return WEDR_OK;
    case WEDR_MSG_T_NET_FILE:
        m->handle_count = 0;
        wedr_net_rules_file_take(&n->rules, m->handles[0]);
        return WEDR_OK;
    case WEDR_MSG_T_COMMAND_RESULT:
        wedr_net_commands_result(&n->commands,
                                 (const struct wedr_msg_command_result *)(const void *)m->u.bytes);
        return WEDR_OK;
    case WEDR_MSG_T_RENEWED:
        return WEDR_OK; /* the new files follow as NET_KEYS */
    case WEDR_MSG_T_NET_STOP:
        n->stop = true;
        return WEDR_OK;
    default:
        return WEDR_E_FORMAT;
    }
}

static int on_core(struct net *n, struct wedr_peer_msg *m)
{
    struct wedr_msg_signed s;
    struct wedr_batch_id id;
    if (m->type == WEDR_MSG_T_STATS_FOR_NET) {
        memcpy(&n->core_stats, m->u.bytes, sizeof(n->core_stats));
        n->have_core_stats = true;
        return WEDR_OK;
    }
    memcpy(&s, m->u.bytes, sizeof(s));
    struct wedr_msg_batch_id mid = s.id;
    if (m->type != WEDR_MSG_T_BATCH || wedr_msg_to_batch(&mid, &id) != WEDR_OK) {
        return WEDR_E_FORMAT;
    }
    m->handle_count = 0;
    wedr_ship_offer_take(n->ship, n->http, &id, s.signature, m->handles[0]);
    return WEDR_OK;
}

static int read_peers(struct net *n)
{
    static struct wedr_peer_msg m;
    for (int i = 0; i < 32; i++) {
        int err = wedr_peer_recv(n->holder, WEDR_MSG_HOLDER_TO_NET, &m);
        if (err == WEDR_E_AGAIN) {
            break;
        }
        if (err == WEDR_OK) {
            err = on_holder(n, &m);
            wedr_peer_close_handles(&m);
        }
        if (err != WEDR_OK) {
            return err;
        }
    }
    for (int i = 0; n->core && i < 32; i++) {
        int err = wedr_peer_recv(n->core, WEDR_MSG_CORE_TO_NET, &m);
        if (err == WEDR_E_AGAIN) {
            break;
        }
        if (err == WEDR_OK) {
            err = on_core(n, &m);
            wedr_peer_close_handles(&m);
        }
        if (err != WEDR_OK) {
            wedr_ipc_close(n->core);
            n->core = NULL;
        }
    }
    return WEDR_OK;
}

static int loop(struct net *n)
{
    static struct wedr_msg_net_stats stats;
    while (!n->stop) {
        int err = read_peers(n);
        if (err != WEDR_OK) {
            return err;
        }
        uint64_t now = wedr_time_mono_ms();
        fill_stats(n, &stats);
        if (now >= n->next_stats_ms && stats.server_state == WEDR_MSG_SERVER_UNREACHABLE &&
            wedr_sandbox_outdated()) {
            /* Only a new process may open what replaced them; the holder starts it. */
            wedr_log(WARN, "net.name_service_files_replaced",
                     WEDR_U64("uptime_ms", now - n->start_ms));
            return WEDR_E_CLOSED;
        }
        if (now >= n->next_stats_ms || stats.server_state != n->told_state) {
            n->next_stats_ms = now + STATS_MS;
            n->told_state = stats.server_state;
            (void)!wedr_peer_send(n->holder, &stats, NULL, 0); /* cumulative: the next one heals */
            wedr_settle_turn(&n->settle, now);
        }
        bool informed =
            n->have_holder_state && (n->have_core_stats || now - n->start_ms > FIRST_HEARTBEAT_MS);
        if (n->http && !n->heartbeat_busy && now >= n->next_heartbeat_ms && informed) {
            send_heartbeat(n);
        }
        if (n->http && n->have_holder_state) {
            wedr_net_rules_run(&n->rules, n->http, &n->holder_state);
        }
        uint32_t wait = n->next_stats_ms > now ? (uint32_t)(n->next_stats_ms - now) : 0;
        if (n->http) {
            wait = wedr_net_commands_run(&n->commands, n->http, now, wait);
        }
        /* The answer names the newest ones. That of a heartbeat under way may be older than they.
         */
        if (n->commands.want_rules && !n->heartbeat_busy) {
            n->commands.want_rules = false;
            n->rules.not_before_ms = n->next_heartbeat_ms = 0;
            wait = 0;
        }
        if (n->http && !n->renew_busy && now >= n->next_renew_ms && renewal_due(n)) {
            renew(n);
        }
        struct wedr_wait w[2] = {
            {wedr_ipc_handle(n->holder), WEDR_WAIT_READ, 0},
            {n->core ? wedr_ipc_handle(n->core) : WEDR_HANDLE_NONE, WEDR_WAIT_READ, 0}};
        size_t ready = 0;
        if (n->next_heartbeat_ms > now && n->next_heartbeat_ms - now < wait) {
            wait = (uint32_t)(n->next_heartbeat_ms - now);
        }
        err = n->http ? wedr_http_wait(n->http, w, 2, wait) : wedr_wait_any(w, 2, wait, &ready);
        if (err != WEDR_OK) {
            return err;
        }
    }
    return WEDR_E_CLOSED;
}

int wedr_net_main(void *arg, struct wedr_ipc *channel)
{
    static struct net n;
    static struct wedr_net_args args;
    struct wedr_errinfo ei = {""};
    char missing[64] = "";
    args = *(const struct wedr_net_args *)arg;
    n.args = &args;
    n.holder = channel;
    n.start_ms = wedr_time_mono_ms();
    n.heartbeat_ms = (uint32_t)args.cfg.heartbeat_interval_secs * 1000u;
    int err = wedr_net_confine(&args, missing, &ei);
    wedr_peer_log_to(channel, WEDR_MSG_T_NET_LOG, "wedr-agent.net", args.cfg.log_level);
    wedr_random(&n.rng, sizeof(n.rng));
    for (size_t i = 0; i < KEYS; i++) {
        wedr_buf_init(&n.pem[i], WEDR_IDENTITY_FILE_MAX);
    }
    wedr_buf_init(&n.renew_body, (size_t)8 * WEDR_MSG_PEM_MAX);
    (void)snprintf(n.heartbeat_path, sizeof(n.heartbeat_path), "/api/v1/agents/%s/heartbeat",
                   args.agent_id);
    (void)snprintf(n.renew_path, sizeof(n.renew_path), "/api/v1/agents/%s/renew", args.agent_id);
    wedr_net_rules_init(&n.rules, channel, args.agent_id);
    wedr_net_commands_init(&n.commands, channel, args.agent_id);
    n.ship = wedr_ship_new(args.agent_id, (uint32_t)args.cfg.max_backoff_secs * 1000u,
                           on_batch_done, &n);
    if (err != WEDR_OK || !n.ship) {
        wedr_log(ERROR, "net.start_failed", WEDR_ERR(err), WEDR_STR("reason", ei.text));
        return 1;
    }
    err = wedr_peer_send_text(channel, WEDR_MSG_T_NET_READY, missing);
    if (err == WEDR_OK) {
        err = loop(&n);
    }
    wedr_http_free(n.http);
    wedr_ship_free(n.ship);
    wedr_ipc_close(n.core);
    wedr_net_rules_file_take(&n.rules, WEDR_HANDLE_NONE);
    for (size_t i = 0; i < KEYS; i++) {
        wedr_buf_fini(&n.pem[i]);
    }
    wedr_buf_fini(&n.renew_body);
    return err == WEDR_E_CLOSED ? 0 : 1;
}
