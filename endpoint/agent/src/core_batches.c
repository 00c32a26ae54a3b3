/* SPDX-License-Identifier: Apache-2.0 */
#include "core_batches.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "peer.h"
#include "wedr/plat/time.h"
#include <string.h>

#define IDLE_WAIT_MS 1000u
#define RETRY_SEND_MS 20u

void wedr_batches_init(struct wedr_batches *b)
{
    memset(b, 0, sizeof(*b));
    b->window = WEDR_MSG_WINDOW_MAX;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(b->slot); i++) {
        b->slot[i].file = WEDR_HANDLE_NONE;
    }
}

size_t wedr_batches_under_way(const struct wedr_batches *b)
{
    size_t n = 0;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(b->slot); i++) {
        n += b->slot[i].step != WEDR_STEP_FREE;
    }
    return n;
}

static void free_slot(struct wedr_batch_slot *s)
{
    wedr_fs_close(s->file);
    memset(s, 0, sizeof(*s));
    s->file = WEDR_HANDLE_NONE;
}

static bool same_batch(const struct wedr_batch_id *a, const struct wedr_batch_id *b)
{
    return a->epoch == b->epoch && a->first_seq == b->first_seq && a->last_seq == b->last_seq &&
           strcmp(a->stream, b->stream) == 0 &&
           memcmp(a->sha256, b->sha256, sizeof(a->sha256)) == 0;
}

static struct wedr_batch_slot *
find(struct wedr_batches *b, const struct wedr_msg_batch_id *m, enum wedr_batch_step step)
{
    struct wedr_batch_id id;
    if (wedr_msg_to_batch(m, &id) != WEDR_OK) {
        return NULL;
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(b->slot); i++) {
        if (b->slot[i].step == step && same_batch(&b->slot[i].id, &id)) {
            return &b->slot[i];
        }
    }
    return NULL;
}

static void ask_signature(struct wedr_batch_slot *s, struct wedr_ipc *holder)
{
    struct wedr_msg_sign m;
    struct wedr_msg_batch_id id;
    wedr_msg_begin(&m, WEDR_MSG_T_SIGN);
    wedr_msg_from_batch(&s->id, &id);
    m.id = id;
    if (wedr_peer_send(holder, &m, NULL, 0) == WEDR_OK) {
        s->step = WEDR_STEP_SIGNING;
    }
}

static void hand_over(struct wedr_batch_slot *s, struct wedr_ipc *net)
{
    struct wedr_msg_signed m;
    struct wedr_msg_batch_id id;
    wedr_msg_begin(&m, WEDR_MSG_T_BATCH);
    wedr_msg_from_batch(&s->id, &id);
    m.id = id;
    memcpy(m.signature, s->signature, sizeof(m.signature));
    if (wedr_peer_send(net, &m, &s->file, 1) == WEDR_OK) {
        s->step = WEDR_STEP_SENT;
        wedr_fs_close(s->file);
        s->file = WEDR_HANDLE_NONE;
    }
}

/* Takes batches while net wants more. WEDR_E_NOENT or WEDR_E_AGAIN: no more to take now. */
static void take_new(struct wedr_batches *b, struct wedr_engine *e)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(b->slot); i++) {
        struct wedr_batch_slot *s = &b->slot[i];
        if (s->step != WEDR_STEP_FREE) {
            continue;
        }
        if (wedr_batches_under_way(b) >= b->window ||
            wedr_engine_next_batch(e, &s->id, &s->file) != WEDR_OK) {
            return;
        }
        s->step = WEDR_STEP_TAKEN;
    }
}

uint32_t wedr_batches_run(struct wedr_batches *b,
                          struct wedr_engine *e,
                          struct wedr_ipc *holder,
                          struct wedr_ipc *net)
{
    uint64_t now = wedr_time_mono_ms();
    uint32_t wait = IDLE_WAIT_MS;
    if (!net) {
        return wait;
    }
    if (now >= b->not_before_ms) {
        take_new(b, e);
    } else if (b->not_before_ms - now < wait) {
        wait = (uint32_t)(b->not_before_ms - now);
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(b->slot); i++) {
        struct wedr_batch_slot *s = &b->slot[i];
        if (s->step == WEDR_STEP_TAKEN) {
            ask_signature(s, holder);
        }
        if (s->step == WEDR_STEP_SIGNED) {
            hand_over(s, net);
        }
        if (s->step == WEDR_STEP_TAKEN || s->step == WEDR_STEP_SIGNED) {
            wait = RETRY_SEND_MS;
        }
    }
    return wait;
}

void wedr_batches_signed(struct wedr_batches *b, const struct wedr_msg_signed *m)
{
    struct wedr_batch_slot *s = find(b, &m->id, WEDR_STEP_SIGNING);
    if (s) {
        memcpy(s->signature, m->signature, sizeof(s->signature));
        s->step = WEDR_STEP_SIGNED;
    }
}

int wedr_batches_outcome(struct wedr_batches *b,
                         struct wedr_engine *e,
                         const struct wedr_msg_batch_outcome *m)
{
    static const enum wedr_batch_outcome outcomes[] = {
        [WEDR_MSG_ACKED] = WEDR_BATCH_ACKED,
        [WEDR_MSG_RETRY] = WEDR_BATCH_RETRY,
        [WEDR_MSG_CONFLICT] = WEDR_BATCH_CONFLICT,
        [WEDR_MSG_POISON] = WEDR_BATCH_POISON,
    };
    struct wedr_batch_slot *s = find(b, &m->id, WEDR_STEP_SENT);
    if (!s || m->outcome < WEDR_MSG_ACKED || m->outcome > WEDR_MSG_POISON) {
        b->unexpected++;
        return WEDR_E_FORMAT;
    }
    int err = wedr_engine_outcome(e, &s->id, outcomes[m->outcome]);
    if (err != WEDR_OK) {
        wedr_log(ERROR, "core.outcome_failed", WEDR_ERR(err), WEDR_STR("stream", s->id.stream));
    }
    free_slot(s);
    b->window = m->window;
    if (m->wait_ms > 0) {
        b->not_before_ms = wedr_time_mono_ms() + m->wait_ms;
    }
    return WEDR_OK;
}

void wedr_batches_net_gone(struct wedr_batches *b, struct wedr_engine *e)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(b->slot); i++) {
        struct wedr_batch_slot *s = &b->slot[i];
        if (s->step != WEDR_STEP_FREE) {
            /* It was under way, so the engine knows it. */
            (void)!wedr_engine_outcome(e, &s->id, WEDR_BATCH_RETRY);
            free_slot(s);
        }
    }
    b->window = WEDR_MSG_WINDOW_MAX;
    b->not_before_ms = 0;
}

void wedr_batches_hurry(struct wedr_batches *b)
{
    b->not_before_ms = 0;
}
