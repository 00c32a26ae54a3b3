/* SPDX-License-Identifier: Apache-2.0
 *
 * The process facts: started when core has something live to read, ended and started anew when it
 * says nothing for long (a file system that does not answer), joined to core by a channel.
 */
#include "holder_i.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "wedr/plat/time.h"
#include <string.h>

#define SILENT_MS 30000u
#define MESSAGES_PER_TURN 64

bool holder_facts_wanted(const struct holder *h)
{
    return h->cfg.enrich && h->args->source != WEDR_SOURCE_REPLAY && !h->args->drain_only;
}

static void start(struct holder *h)
{
    h->facts_args.cfg = h->cfg;
    h->facts_args.change_user = h->args->root;
    h->facts_args.identity = &h->identity;
    int err = wedr_child_start("wedr-facts", wedr_facts_main, &h->facts_args, &h->facts.proc,
                               &h->facts.c);
    holder_child_started(h, &h->facts, err, "facts");
}

static void join(struct holder *h, uint64_t now)
{
    struct wedr_ipc *a = NULL, *b = NULL;
    struct wedr_msg_empty to_core, to_facts;
    if (!h->facts_pair_due || !h->core.ready || !h->facts.ready ||
        (h->facts_paired_ms != 0 && now - h->facts_paired_ms < HOLDER_PAIR_MS) ||
        wedr_ipc_pair(&a, &b) != WEDR_OK) {
        return;
    }
    wedr_handle ha = wedr_ipc_handle(a), hb = wedr_ipc_handle(b);
    h->facts_pair_due = false;
    h->facts_paired_ms = now;
    wedr_msg_begin(&to_core, WEDR_MSG_T_CORE_FACTS);
    wedr_msg_begin(&to_facts, WEDR_MSG_T_FACTS_PEER);
    holder_send(h, &h->core, &to_core, &ha, 1);
    holder_send(h, &h->facts, &to_facts, &hb, 1);
    wedr_ipc_close(a);
    wedr_ipc_close(b);
}

void holder_facts_tick(struct holder *h, uint64_t now)
{
    bool stopping = h->stop != STOP_NO;
    uint64_t heard_ms =
        h->facts.stats_ms > h->facts.start_ms ? h->facts.stats_ms : h->facts.start_ms;
    if (!h->facts.proc && now >= h->facts.restart_at_ms && holder_facts_wanted(h) && !stopping) {
        start(h);
    } else if (h->facts.proc && now - heard_ms > SILENT_MS) {
        holder_child_down(h, &h->facts, "does not answer");
    }
    join(h, now);
}

static void facts_message(struct holder *h, const struct wedr_peer_msg *m)
{
    switch (m->type) {
    case WEDR_MSG_T_FACTS_READY:
        h->facts.ready = true;
        break;
    case WEDR_MSG_T_FACTS_STATS:
        memcpy(&h->facts_stats, m->u.bytes, sizeof(h->facts_stats));
        h->facts.stats_ms = wedr_time_mono_ms();
        break;
    default:
        holder_child_log(&h->facts, m);
        break;
    }
}

void holder_on_facts(struct holder *h)
{
    static struct wedr_peer_msg m;
    for (int i = 0; h->facts.c && i < MESSAGES_PER_TURN; i++) {
        int err = wedr_peer_recv(h->facts.c, WEDR_MSG_FACTS_TO_HOLDER, &m);
        if (err == WEDR_E_AGAIN) {
            return;
        }
        if (err != WEDR_OK) {
            holder_child_down(h, &h->facts, err == WEDR_E_CLOSED ? "ended" : "broke the protocol");
            return;
        }
        facts_message(h, &m);
    }
}
