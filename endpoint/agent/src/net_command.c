/* SPDX-License-Identifier: Apache-2.0 */
#include "net_command.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "peer.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define RESPONSE_MAX 65536u
#define RETRY_MS 2000u
#define POLL_RETRY_MS 30000u
#define HOLDER_MS 30000u /* a question that the holder did not answer by then makes room */

enum { FREE, ASKED, ANSWERED };

void wedr_net_commands_init(struct wedr_net_commands *c,
                            struct wedr_ipc *holder,
                            const char *agent_id)
{
    memset(c, 0, sizeof(*c));
    c->holder = holder;
    (void)snprintf(c->path, sizeof(c->path), "/api/v1/agents/%s/commands", agent_id);
}

void wedr_net_commands_reset(struct wedr_net_commands *c)
{
    c->ack_busy = c->poll_busy = false;
    c->poll_ms = 0; /* until a heartbeat says so again */
}

static struct wedr_net_command *find(struct wedr_net_commands *c, const uint8_t *id)
{
    for (size_t i = 0; i < WEDR_NET_COMMANDS_MAX; i++) {
        struct wedr_net_command *e = &c->item[i];
        if (e->state != FREE && memcmp(e->m.id, id, sizeof(e->m.id)) == 0) {
            return e;
        }
    }
    return NULL;
}

static struct wedr_net_command *room(struct wedr_net_commands *c, uint64_t now)
{
    for (size_t i = 0; i < WEDR_NET_COMMANDS_MAX; i++) {
        struct wedr_net_command *e = &c->item[i];
        if (e->state == FREE || (e->state == ASKED && now - e->since_ms > HOLDER_MS)) {
            return e;
        }
    }
    return NULL;
}

static void ask_holder(struct wedr_net_commands *c, const struct wedr_command_offer *o)
{
    struct wedr_msg_command m;
    uint64_t now = wedr_time_mono_ms();
    struct wedr_net_command *e = find(c, o->id) ? NULL : room(c, now);
    if (!e) {
        return; /* under way, or later */
    }
    wedr_msg_begin(&m, WEDR_MSG_T_COMMAND);
    memcpy(m.id, o->id, sizeof(m.id));
    m.len = o->len;
    memcpy(m.signature, o->signature, sizeof(m.signature));
    memcpy(m.bytes, o->bytes, o->len);
    if (wedr_peer_send_wait(c->holder, &m, NULL, 0) == WEDR_OK) {
        e->state = ASKED;
        e->since_ms = now;
        memcpy(e->m.id, o->id, sizeof(e->m.id));
    }
}

/* Hands on what an answer of the server offers; the seconds between two questions that it names. */
static uint32_t take_offers(struct wedr_net_commands *c, const void *body, size_t len)
{
    static struct wedr_command_offers offers;
    wedr_command_offers_read(body, len, &offers);
    for (size_t i = 0; i < offers.count; i++) {
        ask_holder(c, &offers.v[i]);
    }
    return offers.poll_s;
}

void wedr_net_commands_heartbeat(struct wedr_net_commands *c, const void *body, size_t len)
{
    c->poll_ms = take_offers(c, body, len) * 1000u;
    c->next_poll_ms = wedr_time_mono_ms() + c->poll_ms;
}

void wedr_net_commands_result(struct wedr_net_commands *c, const struct wedr_msg_command_result *m)
{
    struct wedr_net_command *e = find(c, m->id);
    if (!e) {
        return; /* its place was given away: the server asks again */
    }
    if (m->type == WEDR_COMMAND_UPDATE_RULES && m->outcome == WEDR_MSG_COMMAND_DONE &&
        e->state == ASKED) {
        c->want_rules = true;
    }
    e->state = ANSWERED;
    e->m = *m;
}

/* Told, or nothing that the server knows of. Anything else is tried again. */
static void on_acked(void *arg, const struct wedr_http_response *r)
{
    struct wedr_net_commands *c = arg;
    bool over = r->err == WEDR_OK &&
                (r->status / 100 == 2 || r->status == 404 || r->status == 400 || r->status == 413);
    c->ack_busy = false;
    if (over) {
        c->item[c->acking].state = FREE;
    } else {
        c->ack_not_before_ms = wedr_time_mono_ms() + RETRY_MS;
    }
    wedr_log(INFO, "net.command_acked", WEDR_ERR(r->err), WEDR_I64("status", r->status));
}

static void start_ack(struct wedr_net_commands *c, struct wedr_http *http)
{
    static const struct wedr_http_header json = {"Content-Type", "application/json"};
    char id[WEDR_COMMAND_ID_TEXT];
    size_t i = 0;
    while (i < WEDR_NET_COMMANDS_MAX && c->item[i].state != ANSWERED) {
        i++;
    }
    if (i == WEDR_NET_COMMANDS_MAX) {
        return;
    }
    c->acking = i;
    wedr_command_id_text(c->item[i].m.id, id);
    (void)snprintf(c->ack_path, sizeof(c->ack_path), "%s/%s/ack", c->path, id);
    c->body_len = wedr_command_ack_write(&c->item[i].m, c->body);
    struct wedr_http_request rq = {.method = "POST",
                                   .path = c->ack_path,
                                   .headers = &json,
                                   .header_count = 1,
                                   .body = c->body,
                                   .body_len = c->body_len,
                                   .response_max = RESPONSE_MAX};
    c->ack_busy = wedr_http_start(http, &rq, on_acked, c) == WEDR_OK;
}

static void on_polled(void *arg, const struct wedr_http_response *r)
{
    struct wedr_net_commands *c = arg;
    bool good = r->err == WEDR_OK && r->status == 200;
    c->poll_busy = false;
    c->next_poll_ms = wedr_time_mono_ms() + (good ? c->poll_ms : POLL_RETRY_MS);
    if (good) {
        (void)take_offers(c, r->body, r->body_len);
    }
}

static void start_poll(struct wedr_net_commands *c, struct wedr_http *http)
{
    struct wedr_http_request rq = {.method = "GET", .path = c->path, .response_max = RESPONSE_MAX};
    c->poll_busy = wedr_http_start(http, &rq, on_polled, c) == WEDR_OK;
}

uint32_t wedr_net_commands_run(struct wedr_net_commands *c,
                               struct wedr_http *http,
                               uint64_t now_ms,
                               uint32_t max_ms)
{
    if (!c->ack_busy && now_ms >= c->ack_not_before_ms) {
        start_ack(c, http);
    }
    if (c->poll_ms == 0 || c->poll_busy) {
        return max_ms;
    }
    if (now_ms >= c->next_poll_ms) {
        c->next_poll_ms = now_ms + POLL_RETRY_MS; /* when it cannot be started */
        start_poll(c, http);
        return max_ms;
    }
    uint64_t left = c->next_poll_ms - now_ms;
    return left < max_ms ? (uint32_t)left : max_ms;
}
