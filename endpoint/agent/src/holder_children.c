/* SPDX-License-Identifier: Apache-2.0 */
#include "holder_i.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "core/util/sha256.h"
#include "logfile.h"
#include "wedr/plat/pki.h"
#include "wedr/plat/sandbox.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define RESTART_MIN_MS 50u
#define RESTART_MAX_MS 5000u
#define STABLE_MS 10000u  /* alive this long: the next restart is quick again */
#define IDENTITY_MS 2000u /* how often an agent without identity looks for one */
#define MESSAGES_PER_TURN 64
#define CERT_MS 60000u     /* a child is started for each renewed certificate */
#define LOG_LINES_MAX 200u /* of a child within a second */
#define END_MS 1000u       /* longer than a child takes to end, unless the kernel holds it */

void holder_children_init(struct holder *h)
{
    uint64_t seed = 0;
    wedr_random(&seed, sizeof(seed));
    wedr_backoff_init(&h->core.backoff, RESTART_MIN_MS, RESTART_MAX_MS, seed);
    wedr_backoff_init(&h->net.backoff, RESTART_MIN_MS, RESTART_MAX_MS, ~seed);
    wedr_backoff_init(&h->facts.backoff, RESTART_MIN_MS, RESTART_MAX_MS, seed ^ 1u);
}

void holder_identity_load(struct holder *h)
{
    struct wedr_errinfo ei = {""};
    int err = wedr_identity_load(h->state_dir, &h->identity, &ei);
    h->enrolled = err == WEDR_OK;
    if (err != WEDR_OK && err != WEDR_E_NOENT) {
        wedr_log(ERROR, "holder.bad_identity", WEDR_ERR(err), WEDR_STR("reason", ei.text));
    }
}

void holder_child_down(struct holder *h, struct holder_child *c, const char *why)
{
    uint64_t now = wedr_time_mono_ms();
    int code = -1;
    bool is_core = c == &h->core;
    const char *name = is_core ? "core" : c == &h->net ? "net" : "facts";
    if (!c->proc) {
        return;
    }
    bool again = c->c == NULL;
    wedr_child_kill(c->proc);
    wedr_ipc_close(c->c);
    c->c = NULL;
    c->ready = false;
    c->stats_ms = 0;
    if (wedr_child_wait(c->proc, again ? 0 : END_MS, &code) != WEDR_OK) {
        if (!again) {
            wedr_log(ERROR, "holder.child_does_not_end", WEDR_STR("process", name),
                     WEDR_STR("why", why));
        }
        return; /* its handle tells when it has ended: only then is another one started */
    }
    wedr_child_free(c->proc);
    c->proc = NULL;
    holder_policy_self(h); /* its number is anybody's now */
    if (h->stop == STOP_DONE) {
        return;
    }
    wedr_log(WARN, "holder.child_down", WEDR_STR("process", name), WEDR_STR("why", why),
             WEDR_I64("code", code));
    if (now - c->start_ms > STABLE_MS) {
        wedr_backoff_reset(&c->backoff);
    }
    c->restart_at_ms = now + wedr_backoff_next(&c->backoff);
    c->restarts++;
    h->facts_pair_due = h->facts_pair_due || c != &h->net;
    if (is_core) {
        holder_rules_core_down(h, code);
        h->phase = SOURCE_NONE;
        h->begin_again_ms = h->end_again_ms = 0;
        h->source_trouble[0] = 0;
        wedr_sensor_close(h->old);
        h->old = NULL;
    }
    h->pair_due = h->pair_due || c != &h->facts;
}

void holder_send(struct holder *h,
                 struct holder_child *c,
                 const void *m,
                 const wedr_handle *handles,
                 size_t count)
{
    if (c->c && wedr_peer_send(c->c, m, handles, count) != WEDR_OK) {
        holder_child_down(h, c, "does not read its messages");
    }
}

void holder_send_text(struct holder *h, struct holder_child *c, uint16_t type, const char *text)
{
    struct wedr_msg_text m;
    wedr_msg_begin(&m, type);
    wedr_msg_put_text(m.text, sizeof(m.text), text);
    holder_send(h, c, &m, NULL, 0);
}

void holder_child_started(struct holder *h, struct holder_child *c, int err, const char *name)
{
    c->start_ms = wedr_time_mono_ms();
    c->ready = false;
    if (err != WEDR_OK) {
        c->proc = NULL;
        c->c = NULL;
        c->restart_at_ms = c->start_ms + wedr_backoff_next(&c->backoff);
        wedr_log(ERROR, "holder.cannot_start", WEDR_STR("process", name), WEDR_ERR(err));
        return;
    }
    h->pair_due = h->pair_due || c != &h->facts;
    h->facts_pair_due = h->facts_pair_due || c != &h->net;
    holder_policy_self(h);
    wedr_log(INFO, "holder.child_started", WEDR_STR("process", name),
             WEDR_U64("pid", wedr_child_pid(c->proc)));
}

static void start_core(struct holder *h)
{
    h->core_args.cfg = h->cfg;
    h->core_args.host = h->host;
    h->core_args.reenrolled = h->memory.reenrolled;
    h->core_args.change_user = h->args->root;
    h->core_args.version = h->args->version;
    h->core_args.identity = &h->identity;
    (void)snprintf(h->core_args.spool_dir, sizeof(h->core_args.spool_dir), "%.4080s/spool",
                   h->state_dir);
    /* The folder may have been replaced (a fresh mount): its owner is set every time. */
    int err = wedr_fs_mkdir(h->core_args.spool_dir, 0700,
                            h->args->root ? (uint32_t)h->cfg.core_uid : UINT32_MAX);
    if (err == WEDR_OK) {
        err =
            wedr_child_start("wedr-core", wedr_core_main, &h->core_args, &h->core.proc, &h->core.c);
    }
    holder_child_started(h, &h->core, err, "core");
}

static void send_keys(struct holder *h)
{
    static const char *const names[] = {"tls.key", "tls.crt", "ca.pem"};
    struct wedr_msg_empty m;
    wedr_handle keys[3] = {WEDR_HANDLE_NONE, WEDR_HANDLE_NONE, WEDR_HANDLE_NONE};
    int err = WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && i < 3; i++) {
        err = wedr_identity_open(h->state_dir, names[i], &keys[i]);
    }
    if (err == WEDR_OK) {
        wedr_msg_begin(&m, WEDR_MSG_T_NET_KEYS);
        holder_send(h, &h->net, &m, keys, 3);
    } else {
        wedr_log(ERROR, "holder.no_keys", WEDR_ERR(err));
    }
    for (size_t i = 0; i < 3; i++) {
        wedr_fs_close(keys[i]);
    }
}

static void start_net(struct holder *h)
{
    h->net_args.cfg = h->cfg;
    h->net_args.change_user = h->args->root;
    h->net_args.version = h->args->version;
    h->net_args.identity = &h->identity;
    wedr_msg_put_text(h->net_args.agent_id, sizeof(h->net_args.agent_id), h->identity.agent_id);
    wedr_msg_put_text(h->net_args.server_url, sizeof(h->net_args.server_url),
                      h->cfg.server_url[0] ? h->cfg.server_url : h->identity.server_url);
    int err = wedr_child_start("wedr-net", wedr_net_main, &h->net_args, &h->net.proc, &h->net.c);
    holder_child_started(h, &h->net, err, "net");
}

static void pair(struct holder *h)
{
    struct wedr_ipc *a = NULL, *b = NULL;
    struct wedr_msg_empty to_core, to_net;
    uint64_t now = wedr_time_mono_ms();
    if (!h->pair_due || !h->core.ready || !h->net.ready ||
        (h->paired_ms != 0 && now - h->paired_ms < HOLDER_PAIR_MS)) {
        return;
    }
    if (wedr_ipc_pair(&a, &b) != WEDR_OK) {
        return;
    }
    wedr_handle ha = wedr_ipc_handle(a), hb = wedr_ipc_handle(b);
    h->pair_due = false;
    h->paired_ms = now;
    wedr_msg_begin(&to_core, WEDR_MSG_T_CORE_PEER);
    wedr_msg_begin(&to_net, WEDR_MSG_T_NET_PEER);
    /* Core first: what it hears of the old channel's end must not make it ask for another. */
    holder_send(h, &h->core, &to_core, &ha, 1);
    holder_send(h, &h->net, &to_net, &hb, 1);
    wedr_ipc_close(a);
    wedr_ipc_close(b);
}

static void log_second(struct holder_child *c, uint64_t now)
{
    if (now - c->log_second_ms < 1000) {
        return;
    }
    if (c->log_refused > 0) {
        wedr_log(WARN, "holder.log_flood", WEDR_U64("refused", c->log_refused));
    }
    c->log_second_ms = now;
    c->log_lines = c->log_refused = 0;
}

void holder_children_tick(struct holder *h, uint64_t now)
{
    bool stopping = h->stop != STOP_NO;
    log_second(&h->core, now);
    log_second(&h->net, now);
    log_second(&h->facts, now);
    if (!h->core.proc && now >= h->core.restart_at_ms && !stopping) {
        start_core(h);
    }
    if (!h->enrolled && now >= h->next_identity_ms && !h->args->drain_only) {
        h->next_identity_ms = now + IDENTITY_MS;
        holder_identity_load(h);
    }
    if (!h->net.proc && now >= h->net.restart_at_ms && h->enrolled && h->cfg.shipper_enabled &&
        !h->args->drain_only) {
        start_net(h);
    }
    holder_facts_tick(h, now);
    pair(h);
}

static void sign(struct holder *h, const struct wedr_msg_sign *rq)
{
    struct wedr_msg_signed m;
    struct wedr_batch_id id;
    uint8_t bytes[WEDR_BATCH_SIGNED_LEN], signature[WEDR_SIGN_LEN];
    if (!h->enrolled || wedr_msg_to_batch(&rq->id, &id) != WEDR_OK) {
        return;
    }
    wedr_batch_signed_bytes(h->identity.agent_id_bytes, &id, bytes);
    wedr_sign(h->identity.sign_secret, bytes, sizeof(bytes), signature);
    wedr_msg_begin(&m, WEDR_MSG_T_SIGNED);
    m.id = rq->id;
    memcpy(m.signature, signature, sizeof(m.signature));
    holder_send(h, &h->core, &m, NULL, 0);
}

/* Texts of the children end on a person's terminal. */
static void plain(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            *text = ' ';
        }
    }
}

static void on_source_result(struct holder *h, const struct wedr_peer_msg *m)
{
    struct wedr_msg_result r;
    memcpy(&r, m->u.bytes, sizeof(r));
    plain(r.text);
    if (r.err != WEDR_OK) {
        wedr_log(ERROR, "holder.source_failed", WEDR_ERR(r.err), WEDR_STR("reason", r.text),
                 WEDR_U64("message", m->type));
    }
    if (m->type == WEDR_MSG_T_SOURCE_STARTED) {
        holder_source_started(h, r.err, r.text);
    } else {
        holder_source_ended(h, r.err);
    }
}

static void on_core_ready(struct holder *h, const struct wedr_peer_msg *m)
{
    struct wedr_msg_text t;
    memcpy(&t, m->u.bytes, sizeof(t));
    h->core.ready = true;
    plain(t.text);
    wedr_msg_put_text(h->missing, sizeof(h->missing), t.text);
    if (h->memory.reenrolled) {
        h->memory.reenrolled = false; /* core has reported it in the spool */
        holder_memory_store(h);
    }
    holder_rules_core_ready(h);
    holder_source_begin(h);
    holder_gap_send(h);
}

/* A child that floods the log would push everybody else's lines out of it. */
void holder_child_log(struct holder_child *c, const struct wedr_peer_msg *m)
{
    const struct wedr_msg_log *l = (const struct wedr_msg_log *)(const void *)m->u.bytes;
    if (c->log_lines >= LOG_LINES_MAX) {
        c->log_refused++;
        return;
    }
    c->log_lines++;
    wedr_logfile_child_line((enum wedr_log_level)l->level, l->line, l->len);
}

/* A channel between core and another ended while both live. That one is ended for a broken
 * protocol, but not again and again on core's word. */
static void on_peer_gone(struct holder *h, const struct wedr_peer_msg *m)
{
    struct wedr_msg_result r;
    bool is_net = m->type == WEDR_MSG_T_NET_GONE;
    struct holder_child *c = is_net ? &h->net : &h->facts;
    memcpy(&r, m->u.bytes, sizeof(r));
    h->pair_due = h->pair_due || is_net;
    h->facts_pair_due = h->facts_pair_due || !is_net;
    if (r.err != WEDR_E_CLOSED && c->ready && wedr_time_mono_ms() - c->start_ms > STABLE_MS) {
        holder_child_down(h, c, "broke the protocol with core");
    }
}

static void on_rules_result(struct holder *h, const struct wedr_peer_msg *m)
{
    struct wedr_msg_rules_result r;
    memcpy(&r, m->u.bytes, sizeof(r));
    plain(r.text);
    holder_rules_result(h, &r);
}

static void on_gap_done(struct holder *h, const struct wedr_peer_msg *m)
{
    struct wedr_msg_gap gap;
    memcpy(&gap, m->u.bytes, sizeof(gap));
    if (h->gap_open && gap.token == h->gap.token) {
        holder_gap_told(h);
    }
}

static void core_message(struct holder *h, const struct wedr_peer_msg *m)
{
    switch (m->type) {
    case WEDR_MSG_T_CORE_READY:
        on_core_ready(h, m);
        break;
    case WEDR_MSG_T_SIGN:
        sign(h, (const struct wedr_msg_sign *)(const void *)m->u.bytes);
        break;
    case WEDR_MSG_T_CORE_STATS:
        memcpy(&h->core_stats, m->u.bytes, sizeof(h->core_stats));
        plain(h->core_stats.source);
        h->core.stats_ms = wedr_time_mono_ms();
        if (h->core_stats.rounds != h->rounds_seen) {
            h->rounds_seen = h->core_stats.rounds;
            h->rounds_moved_ms = h->core.stats_ms;
        }
        break;
    case WEDR_MSG_T_CORE_LOG:
        holder_child_log(&h->core, m);
        break;
    case WEDR_MSG_T_SOURCE_STARTED:
    case WEDR_MSG_T_SOURCE_ENDED:
        on_source_result(h, m);
        break;
    case WEDR_MSG_T_GAP_DONE:
        on_gap_done(h, m);
        break;
    case WEDR_MSG_T_CORE_STOPPED:
        if (h->stop == STOP_CORE) {
            h->stop = STOP_SHIPPING;
            h->core.stats_ms = 0; /* only counters from now on tell whether anything waits */
        }
        break;
    case WEDR_MSG_T_NET_GONE:
    case WEDR_MSG_T_FACTS_GONE:
        on_peer_gone(h, m);
        break;
    case WEDR_MSG_T_RULES_RESULT:
        on_rules_result(h, m);
        break;
    case WEDR_MSG_T_KILL:
        holder_kill_asked(h, (const struct wedr_msg_kill *)(const void *)m->u.bytes);
        break;
    case WEDR_MSG_T_CORE_FINISHED:
        if (h->args->source != WEDR_SOURCE_REPLAY) { /* only a file ends by itself */
            holder_child_down(h, &h->core, "broke the protocol");
            break;
        }
        h->finished = true;
        h->stop = STOP_DONE;
        break;
    default:
        break;
    }
}

void holder_on_core(struct holder *h)
{
    static struct wedr_peer_msg m;
    for (int i = 0; h->core.c && i < MESSAGES_PER_TURN; i++) {
        int err = wedr_peer_recv(h->core.c, WEDR_MSG_CORE_TO_HOLDER, &m);
        if (err == WEDR_E_AGAIN) {
            return;
        }
        if (err != WEDR_OK) {
            holder_child_down(h, &h->core, err == WEDR_E_CLOSED ? "ended" : "broke the protocol");
            return;
        }
        core_message(h, &m);
    }
}

struct check_args {
    struct wedr_buf cert, key, ca;
    char agent_id[WEDR_AGENT_ID_TEXT];
    struct wedr_identity *identity;
};

/* Looks at a certificate from the network where it can do no harm. */
static int check_child(void *arg, struct wedr_ipc *channel)
{
    struct check_args *a = (struct check_args *)arg;
    struct wedr_sandbox_cfg sandbox = {.profile = WEDR_SANDBOX_PARSER};
    struct wedr_sandbox_report report;
    struct wedr_errinfo ei = {""};
    struct wedr_cert_info info;
    wedr_identity_wipe(a->identity);
    int err = wedr_sandbox_enter(&sandbox, &report, &ei);
    if (err == WEDR_OK) {
        err = wedr_pki_cert_info((const char *)a->cert.p, a->cert.len, &info, &ei);
    }
    if (err == WEDR_OK && strcmp(info.common_name, a->agent_id) != 0) {
        err = wedr_fail(&ei, WEDR_E_TLS, "it names another agent");
    }
    if (err == WEDR_OK) {
        err = wedr_pki_cert_matches((const char *)a->cert.p, a->cert.len, (const char *)a->key.p,
                                    a->key.len, (const char *)a->ca.p, a->ca.len);
    }
    return wedr_peer_send_result(channel, WEDR_MSG_T_CHECKED, err, ei.text) == WEDR_OK ? 0 : 1;
}

static int run_check(struct check_args *a)
{
    struct wedr_child *child = NULL;
    struct wedr_ipc *channel = NULL;
    static struct wedr_peer_msg m;
    struct wedr_msg_result r;
    int err = wedr_child_start("wedr-parser", check_child, a, &child, &channel);
    if (err != WEDR_OK) {
        return err;
    }
    struct wedr_wait w = {wedr_ipc_handle(channel), WEDR_WAIT_READ, 0};
    err = wedr_wait_any(&w, 1, 3000, NULL);
    if (err == WEDR_OK) {
        err = wedr_peer_recv(channel, WEDR_MSG_HELPER_TO_PARENT, &m);
    }
    if (err == WEDR_OK && m.type == WEDR_MSG_T_CHECKED) {
        memcpy(&r, m.u.bytes, sizeof(r));
        err = r.err;
    } else if (err == WEDR_OK) {
        err = WEDR_E_FORMAT;
    }
    wedr_ipc_close(channel);
    wedr_child_free(child);
    return err;
}

static void on_renewed_cert(struct holder *h, const struct wedr_msg_pem *pem)
{
    static struct check_args a;
    wedr_buf_init(&a.cert, WEDR_MSG_PEM_MAX);
    wedr_buf_init(&a.key, WEDR_IDENTITY_FILE_MAX);
    wedr_buf_init(&a.ca, WEDR_IDENTITY_FILE_MAX);
    a.identity = &h->identity;
    memcpy(a.agent_id, h->identity.agent_id, sizeof(a.agent_id));
    wedr_buf_adds(&a.cert, pem->pem);
    int err = wedr_identity_read(h->state_dir, "tls.key", &a.key);
    if (err == WEDR_OK) {
        err = wedr_identity_read(h->state_dir, "ca.pem", &a.ca);
    }
    if (err == WEDR_OK) {
        err = run_check(&a);
    }
    if (err == WEDR_OK) {
        err = wedr_identity_replace(h->state_dir, "tls.crt", (const char *)a.cert.p, a.cert.len);
    }
    wedr_log(INFO, "holder.certificate_renewed", WEDR_ERR(err));
    if (a.key.p) {
        wedr_wipe(a.key.p, a.key.len);
    }
    wedr_buf_fini(&a.cert);
    wedr_buf_fini(&a.key);
    wedr_buf_fini(&a.ca);
    if (err == WEDR_OK) {
        send_keys(h);
    }
}

static void net_message(struct holder *h, const struct wedr_peer_msg *m)
{
    switch (m->type) {
    case WEDR_MSG_T_NET_READY:
        h->net.ready = true;
        h->next_state_ms = 0;
        send_keys(h);
        holder_rules_net_ready(h);
        holder_command_load(h);
        break;
    case WEDR_MSG_T_NET_STATS:
        memcpy(&h->net_stats, m->u.bytes, sizeof(h->net_stats));
        plain(h->net_stats.last_error);
        h->net.stats_ms = wedr_time_mono_ms();
        break;
    case WEDR_MSG_T_NET_LOG:
        holder_child_log(&h->net, m);
        break;
    case WEDR_MSG_T_CERT:
        if (h->cert_ms != 0 && wedr_time_mono_ms() - h->cert_ms < CERT_MS) {
            holder_child_down(h, &h->net, "broke the protocol");
            break;
        }
        h->cert_ms = wedr_time_mono_ms();
        on_renewed_cert(h, (const struct wedr_msg_pem *)(const void *)m->u.bytes);
        break;
    case WEDR_MSG_T_RULES_FETCHED:
        holder_rules_fetched(h, (const struct wedr_msg_rules_fetched *)(const void *)m->u.bytes);
        break;
    case WEDR_MSG_T_COMMAND:
        holder_command(h, (const struct wedr_msg_command *)(const void *)m->u.bytes);
        break;
    default:
        break;
    }
}

void holder_on_net(struct holder *h)
{
    static struct wedr_peer_msg m;
    for (int i = 0; h->net.c && i < MESSAGES_PER_TURN; i++) {
        int err = wedr_peer_recv(h->net.c, WEDR_MSG_NET_TO_HOLDER, &m);
        if (err == WEDR_E_AGAIN) {
            return;
        }
        if (err != WEDR_OK) {
            holder_child_down(h, &h->net, err == WEDR_E_CLOSED ? "ended" : "broke the protocol");
            return;
        }
        net_message(h, &m);
    }
}

static void end_child(struct holder_child *c)
{
    int code = 0;
    if (!c->proc) {
        return;
    }
    wedr_ipc_close(c->c); /* the end of its work */
    c->c = NULL;
    if (wedr_child_wait(c->proc, END_MS, &code) != WEDR_OK) {
        wedr_child_kill(c->proc);
    }
    /* One that a file system holds ends when that answers; nobody waits for it. */
    if (wedr_child_wait(c->proc, END_MS, &code) == WEDR_OK) {
        wedr_child_free(c->proc);
    } else {
        wedr_child_abandon(c->proc);
    }
    c->proc = NULL;
}

void holder_children_end(struct holder *h)
{
    end_child(&h->net);
    end_child(&h->facts);
    end_child(&h->core);
}
