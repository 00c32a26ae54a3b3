/* SPDX-License-Identifier: Apache-2.0 */
#include "net_rules.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "core/util/sha256.h"
#include "peer.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define AGAIN_MS 15000u

void wedr_net_rules_init(struct wedr_net_rules *r, struct wedr_ipc *holder, const char *agent_id)
{
    memset(r, 0, sizeof(*r));
    r->holder = holder;
    r->file = WEDR_HANDLE_NONE;
    (void)snprintf(r->path, sizeof(r->path), "/api/v1/agents/%s/rules", agent_id);
}

void wedr_net_rules_reset(struct wedr_net_rules *r)
{
    r->busy = false;
}

void wedr_net_rules_file_take(struct wedr_net_rules *r, wedr_handle file)
{
    wedr_fs_close(r->file);
    r->file = file;
}

static int hand_over(struct wedr_net_rules *r, const struct wedr_http_response *answer)
{
    struct wedr_msg_rules_fetched m;
    int err = wedr_fs_write(r->file, answer->body, answer->body_len);
    if (err == WEDR_OK) {
        wedr_msg_begin(&m, WEDR_MSG_T_RULES_FETCHED);
        m.len = (uint32_t)answer->body_len;
        memcpy(m.sha256, r->asked, sizeof(m.sha256));
        err = wedr_peer_send_wait(r->holder, &m, NULL, 0);
    }
    wedr_net_rules_file_take(r, WEDR_HANDLE_NONE); /* the holder sends another one */
    return err;
}

static void on_rules(void *arg, const struct wedr_http_response *answer)
{
    struct wedr_net_rules *r = arg;
    int err = answer->err;
    r->busy = false;
    if (err == WEDR_OK && answer->status == 304) {
        return;
    }
    if (err == WEDR_OK && answer->status != 200) {
        err = WEDR_E_NET;
    }
    if (err == WEDR_OK) {
        err = hand_over(r, answer);
    }
    r->fetched += err == WEDR_OK ? 1 : 0;
    r->failed += err == WEDR_OK ? 0 : 1;
    wedr_log(INFO, "net.rules", WEDR_ERR(err), WEDR_I64("status", answer->status),
             WEDR_U64("bytes", answer->body_len));
}

void wedr_net_rules_run(struct wedr_net_rules *r,
                        struct wedr_http *http,
                        const struct wedr_msg_holder_state *h)
{
    static const uint8_t none[32];
    uint64_t now = wedr_time_mono_ms();
    char hex[65];
    if (r->busy || r->file == WEDR_HANDLE_NONE || !r->offer.there || !h->rules_fetch ||
        now < r->not_before_ms || memcmp(r->offer.sha256, h->rules_sha256, 32) == 0 ||
        memcmp(r->offer.sha256, h->rules_refused_sha256, 32) == 0) {
        return;
    }
    wedr_hex(h->rules_sha256, 32, hex);
    (void)snprintf(r->etag, sizeof(r->etag), "\"%s\"", hex);
    struct wedr_http_header match = {"If-None-Match", r->etag};
    struct wedr_http_request rq = {.method = "GET",
                                   .path = r->path,
                                   .headers = &match,
                                   .header_count = memcmp(h->rules_sha256, none, 32) != 0 ? 1 : 0,
                                   .response_max = WEDR_MSG_RULES_MAX};
    r->not_before_ms = now + AGAIN_MS;
    memcpy(r->asked, r->offer.sha256, sizeof(r->asked));
    r->busy = wedr_http_start(http, &rq, on_rules, r) == WEDR_OK;
}
