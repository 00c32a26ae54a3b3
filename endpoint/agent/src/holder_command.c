/* SPDX-License-Identifier: Apache-2.0
 *
 * What the server wants done on this machine. Net only carries it: here the signature is verified,
 * the counter is noted on disk before anything happens, and a command that was taken once is never
 * done again, whatever becomes of this process.
 */
#include "holder_i.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "core/util/sha256.h"
#include "wedr/plat/time.h"
#include "wedr/wire/schema.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FILE_KEY "command_key"
#define FILE_MARK "command.counter" /* 16 hex digits */
#define RULE "command"              /* in place of a rule's id: no rule asked for it */
#define MESSAGES_PER_SECOND 64u     /* of net; each costs a signature to look at */

static int read_hex(const struct holder *h, const char *name, uint8_t *ret, size_t n)
{
    struct wedr_buf b;
    wedr_buf_init(&b, 128);
    int err = wedr_identity_read(h->state_dir, name, &b);
    while (err == WEDR_OK && b.len > 0 && b.p[b.len - 1] == '\n') {
        b.len--;
    }
    err = err == WEDR_OK ? wedr_unhex((const char *)b.p, b.len, ret, n) : err;
    wedr_buf_fini(&b);
    return err;
}

/* What was taken under this enrolment. A mark that cannot be read is no mark of 0: everything that
 * was ever signed could be done again. */
static int read_mark(const struct holder *h, uint64_t *ret)
{
    uint8_t digits[8];
    uint64_t mark = 0;
    int err = read_hex(h, FILE_MARK, digits, sizeof(digits));
    for (size_t i = 0; err == WEDR_OK && i < sizeof(digits); i++) {
        mark = mark << 8 | digits[i];
    }
    *ret = mark;
    return err == WEDR_E_NOENT ? WEDR_OK : err;
}

void holder_command_load(struct holder *h)
{
    struct wedr_command_gate *g = &h->commands.gate;
    uint64_t mark = 0;
    int err = read_hex(h, FILE_KEY, g->server_key, sizeof(g->server_key));
    g->have_key = err == WEDR_OK && h->enrolled;
    if (err == WEDR_OK) {
        err = read_mark(h, &mark);
    }
    if (err != WEDR_OK && err != WEDR_E_NOENT) {
        g->have_key = false;
        wedr_log(ERROR, "holder.commands_off", WEDR_ERR(err));
    }
    g->mark = mark > g->mark ? mark : g->mark;
    /* The secret key carries the public one behind its seed. */
    wedr_sha256(h->identity.sign_secret + WEDR_SIGN_SECRET_LEN - WEDR_SIGN_PUBLIC_LEN,
                WEDR_SIGN_PUBLIC_LEN, g->own_key);
    h->next_state_ms = 0;
}

static int raise_mark(struct holder *h, uint64_t counter)
{
    char text[17];
    (void)snprintf(text, sizeof(text), "%016" PRIx64, counter);
    int err = wedr_identity_replace(h->state_dir, FILE_MARK, text, sizeof(text) - 1);
    if (err == WEDR_OK) {
        h->commands.gate.mark = counter;
    }
    return err;
}

static struct holder_command_answer *find_answer(struct holder *h, uint64_t counter)
{
    for (size_t i = 0; i < HOLDER_COMMANDS_KEPT; i++) {
        if (h->commands.answer[i].counter == counter) {
            return &h->commands.answer[i];
        }
    }
    return NULL;
}

static void say(struct wedr_msg_command_result *m, uint8_t outcome, const char *why)
{
    m->outcome = outcome;
    wedr_msg_put_text(m->detail, sizeof(m->detail), why);
}

static void tell(struct holder *h, const struct wedr_msg_command_result *m)
{
    const char *type = wedr_command_type_name(m->type);
    wedr_log(WARN, "holder.command_answered", WEDR_STR("type", type ? type : "unknown"),
             WEDR_U64("outcome", m->outcome), WEDR_U64("pid", m->pid),
             WEDR_STR("detail", m->detail));
    holder_send(h, &h->net, m, NULL, 0);
}

static void
begin_kill(struct holder *h, const struct wedr_command *c, struct holder_command_answer *a)
{
    struct wedr_msg_kill m;
    struct wedr_kill_policy policy = holder_kill_policy(h);
    a->m.pid = c->kill.pid;
    a->m.process_key = c->kill.process_key;
    if (memcmp(c->kill.boot_id, h->host.boot_id, sizeof(c->kill.boot_id)) != 0) {
        say(&a->m, WEDR_MSG_COMMAND_REFUSED, "the process is of another boot");
        return;
    }
    wedr_msg_begin(&m, WEDR_MSG_T_KILL);
    m.pid = c->kill.pid;
    m.process_key = c->kill.process_key;
    wedr_hex(c->id, sizeof(c->id), m.alert_id);
    wedr_msg_put_text(m.rule_id, sizeof(m.rule_id), RULE);
    int err = wedr_kills_command(&h->kills, &m, &policy);
    if (err != WEDR_OK) {
        say(&a->m, WEDR_MSG_COMMAND_FAILED, wedr_err_text(err));
        return;
    }
    a->waiting = true;
}

/* The counter is noted: from here on it is done, or never. */
static void act(struct holder *h, const struct wedr_command *c, const uint8_t *asked_id)
{
    struct holder_command_answer *a = &h->commands.answer[h->commands.next];
    h->commands.next = (h->commands.next + 1) % HOLDER_COMMANDS_KEPT;
    memset(a, 0, sizeof(*a));
    a->counter = c->counter;
    wedr_msg_begin(&a->m, WEDR_MSG_T_COMMAND_RESULT);
    memcpy(a->m.id, asked_id, sizeof(a->m.id));
    a->m.type = c->type;
    if (c->type == WEDR_COMMAND_KILL_PROCESS) {
        begin_kill(h, c, a);
    } else {
        say(&a->m, WEDR_MSG_COMMAND_DONE, "the server is asked for rules now");
    }
    if (!a->waiting) {
        struct wedr_msg_command_result m = a->m;
        tell(h, &m);
    }
    holder_kills_tick(h);
}

static void
refuse(struct holder *h, const struct wedr_msg_command *q, uint16_t type, const char *why)
{
    struct wedr_msg_command_result m;
    wedr_msg_begin(&m, WEDR_MSG_T_COMMAND_RESULT);
    memcpy(m.id, q->id, sizeof(m.id));
    m.type = type;
    say(&m, WEDR_MSG_COMMAND_REFUSED, why);
    tell(h, &m);
}

static bool too_many(struct holder_commands *c)
{
    uint64_t now = wedr_time_mono_ms();
    if (now - c->second_ms >= 1000) {
        c->second_ms = now;
        c->count = 0;
    }
    return ++c->count > MESSAGES_PER_SECOND;
}

void holder_command(struct holder *h, const struct wedr_msg_command *m)
{
    struct wedr_command c = {.counter = 0};
    struct wedr_errinfo ei = {""};
    if (too_many(&h->commands)) {
        return; /* the server asks again */
    }
    int err = wedr_command_check(&h->commands.gate, wedr_span(m->bytes, m->len), m->signature,
                                 wedr_time_utc_us(), &c, &ei);
    struct holder_command_answer *known = c.counter ? find_answer(h, c.counter) : NULL;
    if (err == WEDR_E_STATE && known) { /* its answer was lost on the way */
        if (!known->waiting) {
            struct wedr_msg_command_result again = known->m;
            tell(h, &again);
        }
        return;
    }
    if (err == WEDR_OK) {
        err = raise_mark(h, c.counter);
        (void)!(err == WEDR_OK
                    ? WEDR_OK
                    : wedr_fail(&ei, err, "its counter cannot be stored: %s", wedr_err_text(err)));
    }
    if (err != WEDR_OK) {
        refuse(h, m, c.type, ei.text);
        return;
    }
    act(h, &c, m->id);
}

static struct holder_command_answer *find_waiting(struct holder *h, const char *id_hex)
{
    char hex[2 * WEDR_COMMAND_ID_LEN + 1];
    for (size_t i = 0; i < HOLDER_COMMANDS_KEPT; i++) {
        struct holder_command_answer *a = &h->commands.answer[i];
        wedr_hex(a->m.id, sizeof(a->m.id), hex);
        if (a->waiting && strcmp(hex, id_hex) == 0) {
            return a;
        }
    }
    return NULL;
}

static uint8_t outcome_of(uint16_t response)
{
    switch (response) {
    case WEDR_RESPONSE_RESULT_DONE:
        return WEDR_MSG_COMMAND_DONE;
    case WEDR_RESPONSE_RESULT_PROTECTED:
    case WEDR_RESPONSE_RESULT_REFUSED_BY_POLICY:
        return WEDR_MSG_COMMAND_REFUSED;
    default:
        return WEDR_MSG_COMMAND_FAILED;
    }
}

void holder_command_tick(struct holder *h)
{
    struct wedr_msg_kill_result r;
    size_t slot = 0;
    while (wedr_kills_next_command(&h->kills, &slot, &r) == WEDR_OK) {
        wedr_kills_taken(&h->kills, slot);
        struct holder_command_answer *a = find_waiting(h, r.alert_id);
        if (!a) {
            continue; /* pushed out by newer ones: the server sees it expire */
        }
        a->waiting = false;
        a->m.response = r.result;
        a->m.duration_us = r.duration_us;
        say(&a->m, outcome_of(r.result), r.detail);
        struct wedr_msg_command_result m = a->m;
        tell(h, &m);
    }
}

void holder_command_state(const struct holder *h, struct wedr_msg_holder_state *m)
{
    m->commands = h->commands.gate.have_key;
    memcpy(m->boot_id, h->host.boot_id, sizeof(m->boot_id));
}
