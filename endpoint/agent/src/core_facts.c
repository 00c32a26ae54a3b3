/* SPDX-License-Identifier: Apache-2.0 */
#include "core_facts.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "wedr/plat/names.h"

#define MESSAGES_PER_TURN 64
#define LOCAL_NAMES_MAX 512u

struct preload {
    struct wedr_facts *facts;
    bool group;
};

static void preload_one(void *arg, uint32_t id, const char *name)
{
    const struct preload *p = arg;
    wedr_facts_put_name(p->facts, p->group, id, name);
}

void wedr_core_facts_preload(struct wedr_facts *f)
{
    for (int i = 0; i < 2; i++) {
        struct preload p = {f, i == 1};
        wedr_names_local(p.group, LOCAL_NAMES_MAX, preload_one, &p);
    }
}

static void drop(struct wedr_facts *f, struct wedr_ipc **channel)
{
    if (*channel) {
        wedr_facts_peer_gone(f);
        wedr_ipc_close(*channel);
        *channel = NULL;
    }
}

int wedr_core_facts_peer(struct wedr_facts *f, struct wedr_peer_msg *m, struct wedr_ipc **channel)
{
    drop(f, channel);
    m->handle_count = 0;
    return wedr_ipc_from_handle_take(m->handles[0], channel);
}

static int ask(struct wedr_facts *f, struct wedr_ipc *c)
{
    struct wedr_msg_exe_ask m;
    int err = WEDR_OK;
    for (int i = 0; err == WEDR_OK && i < MESSAGES_PER_TURN && wedr_facts_next_ask(f, &m); i++) {
        err = wedr_peer_send(c, &m, NULL, 0);
        if (err == WEDR_OK) {
            wedr_facts_asked(f, &m);
        }
    }
    return err == WEDR_E_AGAIN ? WEDR_OK : err;
}

static int listen(struct wedr_facts *f, struct wedr_ipc *c)
{
    static struct wedr_peer_msg m;
    for (int i = 0; i < MESSAGES_PER_TURN; i++) {
        int err = wedr_peer_recv(c, WEDR_MSG_FACTS_TO_CORE, &m);
        if (err != WEDR_OK) {
            return err == WEDR_E_AGAIN ? WEDR_OK : err;
        }
        if (m.type == WEDR_MSG_T_EXE_FACTS) {
            wedr_facts_exe_answer(f, (const struct wedr_msg_exe_facts *)(const void *)m.u.bytes);
        } else {
            wedr_facts_name_answer(f, (const struct wedr_msg_name *)(const void *)m.u.bytes);
        }
    }
    return WEDR_OK;
}

int wedr_core_facts_turn(struct wedr_facts *f, struct wedr_ipc **channel)
{
    if (!*channel) {
        return WEDR_OK;
    }
    int err = listen(f, *channel);
    if (err == WEDR_OK) {
        err = ask(f, *channel);
    }
    if (err != WEDR_OK) {
        if (err != WEDR_E_CLOSED) {
            wedr_log(WARN, "core.facts_broke_protocol", WEDR_ERR(err));
        }
        drop(f, channel);
    }
    return err;
}
