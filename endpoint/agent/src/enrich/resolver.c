/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/resolver.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/names.h"
#include "wedr/plat/thread.h"

struct wedr_resolver {
    struct wedr_thread *thread;
    struct wedr_mutex *lock; /* of all below */
    struct wedr_cond *more;
    bool end;
    struct wedr_msg_name queue[WEDR_RESOLVER_QUEUE]; /* questions, then answers, in one ring */
    uint32_t first, answered, count; /* the first `answered` of `count` are answers */
};

static void work(void *arg)
{
    struct wedr_resolver *r = arg;
    wedr_mutex_lock(r->lock);
    for (;;) {
        while (!r->end && r->answered == r->count) {
            (void)wedr_cond_wait(r->more, r->lock, UINT32_MAX);
        }
        if (r->end) {
            break;
        }
        struct wedr_msg_name m = r->queue[(r->first + r->answered) % WEDR_RESOLVER_QUEUE];
        wedr_mutex_unlock(r->lock);
        char name[WEDR_MSG_NAME_MAX] = "";
        int err = wedr_name_of(m.group != 0, m.id, name, sizeof(name));
        wedr_msg_put_text(m.name, sizeof(m.name), err == WEDR_OK ? name : "");
        wedr_mutex_lock(r->lock);
        r->queue[(r->first + r->answered) % WEDR_RESOLVER_QUEUE] = m;
        r->answered++;
    }
    wedr_mutex_unlock(r->lock);
}

int wedr_resolver_new(struct wedr_resolver **ret)
{
    struct wedr_resolver *r = wedr_alloc(1, sizeof(*r));
    if (!r) {
        return WEDR_E_NOMEM;
    }
    r->lock = wedr_mutex_new();
    r->more = wedr_cond_new();
    int err = r->lock && r->more ? wedr_thread_new(&r->thread, "names", work, r) : WEDR_E_NOMEM;
    if (err != WEDR_OK) {
        wedr_resolver_free(r);
        return err;
    }
    *ret = r;
    return WEDR_OK;
}

void wedr_resolver_free(struct wedr_resolver *r)
{
    if (!r) {
        return;
    }
    if (r->thread) {
        wedr_mutex_lock(r->lock);
        r->end = true;
        wedr_cond_signal(r->more);
        wedr_mutex_unlock(r->lock);
        wedr_thread_join(r->thread);
    }
    wedr_cond_free(r->more);
    wedr_mutex_free(r->lock);
    wedr_free(r);
}

void wedr_resolver_ask(struct wedr_resolver *r, const struct wedr_msg_name_ask *m)
{
    struct wedr_msg_name question;
    wedr_msg_begin(&question, WEDR_MSG_T_NAME);
    question.id = m->id;
    question.group = m->group;
    wedr_mutex_lock(r->lock);
    if (r->count < WEDR_RESOLVER_QUEUE) {
        r->queue[(r->first + r->count++) % WEDR_RESOLVER_QUEUE] = question;
        wedr_cond_signal(r->more);
    }
    wedr_mutex_unlock(r->lock);
}

/* An answer may be taken while the thread works on the next one: it finds its place by `first` and
 * `answered`, which move together. */
bool wedr_resolver_next(struct wedr_resolver *r, struct wedr_msg_name *ret, bool *ret_pending)
{
    wedr_mutex_lock(r->lock);
    bool any = r->answered > 0;
    if (any) {
        *ret = r->queue[r->first];
        r->first = (r->first + 1) % WEDR_RESOLVER_QUEUE;
        r->answered--;
        r->count--;
    }
    *ret_pending = r->count > 0;
    wedr_mutex_unlock(r->lock);
    return any;
}
