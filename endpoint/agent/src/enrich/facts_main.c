/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/facts_main.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "enrich/hasher.h"
#include "enrich/packages.h"
#include "enrich/resolver.h"
#include "peer.h"
#include "wedr/plat/proc.h"
#include "wedr/plat/sandbox.h"
#include "wedr/plat/thread.h"
#include "wedr/plat/time.h"
#include <string.h>

#define STATS_MS 1000u
#define NAMES_MS 10u /* how soon an answer of the other thread is seen */
#define MESSAGES_PER_TURN 32

struct facts {
    struct wedr_ipc *holder, *core; /* core NULL while there is none */
    struct wedr_hasher *hasher;
    struct wedr_resolver *resolver;
    struct wedr_packages *packages;
    uint64_t next_stats_ms, names, names_unknown;
    struct wedr_settle settle;
    bool names_pending;
};

static int confine(const struct wedr_facts_args *args, struct wedr_errinfo *ei)
{
    struct wedr_sandbox_report report;
    if (args->identity) {
        wedr_identity_wipe(args->identity);
    }
    struct wedr_sandbox_cfg s = {.profile = WEDR_SANDBOX_FACTS,
                                 .uid = args->change_user ? (uint32_t)args->cfg.facts_uid : 0,
                                 .gid = args->change_user ? (uint32_t)args->cfg.facts_uid : 0};
    return wedr_sandbox_enter(&s, &report, ei);
}

static void send_stats(struct facts *f)
{
    struct wedr_msg_facts_stats m;
    struct wedr_packages_stats p;
    wedr_msg_begin(&m, WEDR_MSG_T_FACTS_STATS);
    wedr_hasher_stats(f->hasher, &m);
    wedr_packages_stats(f->packages, &p);
    m.packages = p.packages;
    m.package_files = p.files;
    m.index_bytes = p.bytes;
    m.package_source = (uint8_t)p.source;
    m.names = f->names;
    m.names_unknown = f->names_unknown;
    m.log_dropped = wedr_log_dropped();
    /* Cumulative: what does not fit now is healed by the next. */
    (void)!wedr_peer_send(f->holder, &m, NULL, 0);
}

static void drop_core(struct facts *f)
{
    wedr_ipc_close(f->core);
    f->core = NULL;
}

/* Core asks for no more than it waits for: an answer has room unless core is stuck. */
static void send_core(struct facts *f, const void *m)
{
    if (f->core && wedr_peer_send_wait(f->core, m, NULL, 0) != WEDR_OK) {
        drop_core(f);
    }
}

static int read_holder(struct facts *f)
{
    static struct wedr_peer_msg m;
    for (int i = 0; i < MESSAGES_PER_TURN; i++) {
        int err = wedr_peer_recv(f->holder, WEDR_MSG_HOLDER_TO_FACTS, &m);
        if (err != WEDR_OK) {
            return err == WEDR_E_AGAIN ? WEDR_OK : err;
        }
        drop_core(f);
        if (wedr_ipc_from_handle_take(m.handles[0], &f->core) != WEDR_OK) {
            f->core = NULL;
        }
    }
    return WEDR_OK;
}

static void read_core(struct facts *f)
{
    static struct wedr_peer_msg m;
    for (int i = 0; f->core && i < MESSAGES_PER_TURN; i++) {
        int err = wedr_peer_recv(f->core, WEDR_MSG_CORE_TO_FACTS, &m);
        if (err == WEDR_E_AGAIN) {
            return;
        }
        if (err != WEDR_OK) {
            drop_core(f);
        } else if (m.type == WEDR_MSG_T_EXE_ASK) {
            wedr_hasher_ask(f->hasher, (const struct wedr_msg_exe_ask *)(const void *)m.u.bytes);
        } else {
            wedr_resolver_ask(f->resolver,
                              (const struct wedr_msg_name_ask *)(const void *)m.u.bytes);
        }
    }
}

static void answer_names(struct facts *f)
{
    struct wedr_msg_name m;
    while (wedr_resolver_next(f->resolver, &m, &f->names_pending)) {
        f->names++;
        f->names_unknown += m.name[0] ? 0 : 1;
        send_core(f, &m);
    }
}

static uint32_t hash(struct facts *f)
{
    static struct wedr_msg_exe_facts m;
    uint32_t wait_ms = 0;
    if (wedr_hasher_run(f->hasher, wedr_time_mono_ms(), &m, &wait_ms)) {
        send_core(f, &m);
    }
    return wait_ms;
}

static int loop(struct facts *f)
{
    for (;;) {
        uint32_t wait_ms = hash(f);
        answer_names(f);
        uint64_t now = wedr_time_mono_ms();
        if (now >= f->next_stats_ms) {
            f->next_stats_ms = now + STATS_MS;
            send_stats(f);
            wedr_settle_turn(&f->settle, now);
        }
        uint32_t most = f->names_pending ? NAMES_MS : (uint32_t)(f->next_stats_ms - now);
        wait_ms = wait_ms < most ? wait_ms : most;
        struct wedr_wait w[2] = {
            {wedr_ipc_handle(f->holder), WEDR_WAIT_READ, 0},
            {f->core ? wedr_ipc_handle(f->core) : WEDR_HANDLE_NONE, WEDR_WAIT_READ, 0}};
        int err = wedr_wait_any(w, 2, wait_ms, NULL);
        if (err == WEDR_OK) {
            err = read_holder(f);
        }
        if (err != WEDR_OK) {
            return err;
        }
        read_core(f);
    }
}

int wedr_facts_main(void *arg, struct wedr_ipc *channel)
{
    static struct facts f;
    static struct wedr_facts_args args;
    struct wedr_errinfo ei = {""};
    args = *(const struct wedr_facts_args *)arg;
    f.holder = channel;
    wedr_thread_idle();
    int err = confine(&args, &ei);
    wedr_peer_log_to(channel, WEDR_MSG_T_FACTS_LOG, "wedr-agent.facts", args.cfg.log_level);
    f.packages = wedr_packages_new("");
    struct wedr_hasher_cfg cfg = {.bytes_per_second = args.cfg.hash_bytes_per_sec,
                                  .file_bytes_max = args.cfg.hash_file_bytes_max,
                                  .packages = args.cfg.packages ? f.packages : NULL};
    f.hasher = wedr_hasher_new(&cfg);
    if (err == WEDR_OK) {
        err = f.packages && f.hasher ? wedr_resolver_new(&f.resolver) : WEDR_E_NOMEM;
    }
    if (err != WEDR_OK) {
        wedr_log(ERROR, "facts.start_failed", WEDR_ERR(err), WEDR_STR("reason", ei.text));
        return 1;
    }
    err = wedr_peer_send_text(channel, WEDR_MSG_T_FACTS_READY, "");
    if (err == WEDR_OK) {
        err = loop(&f);
    }
    return err == WEDR_E_CLOSED ? 0 : 1;
}
