/* SPDX-License-Identifier: Apache-2.0
 *
 * What rules and commands want ended, between the processes that ask and holder_kill.c.
 */
#include "holder_i.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "wedr/wire/schema.h"

struct wedr_kill_policy holder_kill_policy(const struct holder *h)
{
    return (struct wedr_kill_policy){
        .allowed = holder_rules_kill_allowed(h),
        .replay = h->args->source == WEDR_SOURCE_REPLAY,
        .protected_pids = {h->args->pid, h->core.proc ? wedr_child_pid(h->core.proc) : 0,
                           h->net.proc ? wedr_child_pid(h->net.proc) : 0,
                           h->facts.proc ? wedr_child_pid(h->facts.proc) : 0}};
}

void holder_kill_asked(struct holder *h, const struct wedr_msg_kill *m)
{
    struct wedr_kill_policy policy = holder_kill_policy(h);
    int err = wedr_kills_ask(&h->kills, m, &policy);
    if (err != WEDR_OK) {
        struct wedr_msg_kill_result r;
        wedr_kills_refuse(m, err, &r);
        holder_send(h, &h->core, &r, NULL, 0);
    }
    wedr_log(WARN, "holder.kill_asked", WEDR_U64("pid", m->pid), WEDR_STR("alert", m->alert_id),
             WEDR_U64("allowed", policy.allowed), WEDR_ERR(err));
}

void holder_kills_tick(struct holder *h)
{
    struct wedr_msg_kill_result r;
    struct wedr_kill_policy policy = holder_kill_policy(h);
    size_t slot;
    wedr_kills_tick(&h->kills, &policy);
    holder_command_tick(h);
    while (h->core.ready && wedr_kills_next(&h->kills, &slot, &r) == WEDR_OK) {
        int err = wedr_peer_send(h->core.c, &r, NULL, 0);
        if (err == WEDR_E_AGAIN) {
            return; /* a core that is busy gets its answers later */
        }
        if (err != WEDR_OK) {
            holder_child_down(h, &h->core, "does not read its messages");
            return; /* the next one gets them */
        }
        wedr_log(WARN, "holder.kill_answered", WEDR_U64("pid", r.pid),
                 WEDR_STR("result", wedr_label_text(WEDR_KIND_RESPONSE_RESULT, r.result)),
                 WEDR_STR("detail", r.detail));
        wedr_kills_taken(&h->kills, slot);
        wedr_kills_tick(&h->kills, &policy); /* what waited for the place */
    }
}
