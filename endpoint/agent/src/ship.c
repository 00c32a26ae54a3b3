/* SPDX-License-Identifier: Apache-2.0 */
#include "ship.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "core/util/sha256.h"
#include "wedr/plat/time.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HEADERS 12u
#define RESPONSE_MAX 16384u
#define BACKOFF_MIN_MS 1000u

struct flight {
    struct wedr_ship *ship;
    bool busy;
    struct wedr_batch_id id;
    struct wedr_buf body;
};

struct wedr_ship {
    char path[128];
    wedr_ship_done done;
    void *arg;
    struct wedr_backoff backoff;
    uint64_t gate_ms; /* monotonic time before which nothing should be offered */
    bool failing;     /* one at a time until something works again */
    struct flight flight[WEDR_MSG_WINDOW_MAX];
    struct wedr_msg_net_stats stats;
};

struct wedr_ship_verdict wedr_ship_judge(int err, int status, uint32_t retry_after_s)
{
    struct wedr_ship_verdict v = {WEDR_MSG_RETRY, WEDR_MSG_SERVER_UNREACHABLE, true, 0};
    if (retry_after_s > 0) {
        v.backoff = false;
        v.wait_ms = retry_after_s < WEDR_MSG_WAIT_MAX_MS / 1000 ? retry_after_s * 1000
                                                                : WEDR_MSG_WAIT_MAX_MS;
    }
    if (err != WEDR_OK) {
        return v;
    }
    switch (status) {
    case 200:
    case 202:
        return (struct wedr_ship_verdict){WEDR_MSG_ACKED, WEDR_MSG_SERVER_OK, false, 0};
    case 409:
        return (struct wedr_ship_verdict){WEDR_MSG_CONFLICT, WEDR_MSG_SERVER_OK, false, 0};
    case 400:
    case 413:
        return (struct wedr_ship_verdict){WEDR_MSG_POISON, WEDR_MSG_SERVER_OK, false, 0};
    case 401:
    case 403:
    case 404:
        v.server = status == 404 ? WEDR_MSG_SERVER_NOT_ENROLLED : WEDR_MSG_SERVER_REFUSED;
        v.backoff = false;
        v.wait_ms = v.wait_ms > WEDR_SHIP_SLOW_MS ? v.wait_ms : WEDR_SHIP_SLOW_MS;
        return v;
    default: /* 408, 429, 5xx, and what no agent should ever see: keep the batch and try again */
        v.server = WEDR_MSG_SERVER_BUSY;
        return v;
    }
}

struct wedr_ship *
wedr_ship_new(const char *agent_id, uint32_t max_backoff_ms, wedr_ship_done done, void *arg)
{
    uint64_t seed = 0;
    struct wedr_ship *s = (struct wedr_ship *)wedr_alloc(1, sizeof(*s));
    if (!s) {
        return NULL;
    }
    (void)snprintf(s->path, sizeof(s->path), "/api/v1/agents/%s/logs", agent_id);
    s->done = done;
    s->arg = arg;
    wedr_random(&seed, sizeof(seed));
    wedr_backoff_init(&s->backoff,
                      BACKOFF_MIN_MS < max_backoff_ms ? BACKOFF_MIN_MS : max_backoff_ms,
                      max_backoff_ms, seed);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(s->flight); i++) {
        s->flight[i].ship = s;
        wedr_buf_init(&s->flight[i].body, WEDR_BATCH_Z_MAX);
    }
    return s;
}

void wedr_ship_reset(struct wedr_ship *s)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(s->flight); i++) {
        s->flight[i].busy = false;
        wedr_buf_fini(&s->flight[i].body);
        wedr_buf_init(&s->flight[i].body, WEDR_BATCH_Z_MAX);
    }
}

void wedr_ship_give_back(struct wedr_ship *s)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(s->flight); i++) {
        if (s->flight[i].busy) {
            s->flight[i].busy = false;
            s->stats.batches_retried++;
            s->done(s->arg, &s->flight[i].id, WEDR_MSG_RETRY, s->failing ? 1 : WEDR_MSG_WINDOW_MAX,
                    0);
        }
    }
    wedr_ship_reset(s);
}

void wedr_ship_free(struct wedr_ship *s)
{
    if (s) {
        wedr_ship_reset(s);
        wedr_free(s);
    }
}

size_t wedr_ship_in_flight(const struct wedr_ship *s)
{
    size_t n = 0;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(s->flight); i++) {
        n += s->flight[i].busy;
    }
    return n;
}

void wedr_ship_note_server(struct wedr_ship *s,
                           enum wedr_msg_server_state state,
                           int status,
                           const char *error)
{
    if (s->stats.server_state != state) {
        if (state == WEDR_MSG_SERVER_OK) {
            wedr_log(INFO, "net.server_ok", WEDR_I64("status", status));
        } else {
            wedr_log(WARN, "net.server_trouble", WEDR_I64("status", status),
                     WEDR_U64("state", state), WEDR_STR("reason", error));
        }
    }
    s->stats.server_state = (uint8_t)state;
    s->stats.last_status = status;
    if (state == WEDR_MSG_SERVER_OK) {
        s->stats.last_ok_us = wedr_time_utc_us();
        s->stats.last_error[0] = 0;
    } else {
        wedr_msg_put_text(s->stats.last_error, sizeof(s->stats.last_error), error);
    }
}

/* How long core should wait after this verdict. Several answers of one outage count as one failure.
 */
static uint32_t pause_of(struct wedr_ship *s, const struct wedr_ship_verdict *v)
{
    uint64_t now = wedr_time_mono_ms();
    if (v->outcome != WEDR_MSG_RETRY) {
        wedr_backoff_reset(&s->backoff);
        s->failing = false;
        s->gate_ms = 0;
        return 0;
    }
    s->failing = true;
    if (v->wait_ms > 0) {
        uint64_t until = now + v->wait_ms;
        s->gate_ms = until > s->gate_ms ? until : s->gate_ms;
    } else if (now >= s->gate_ms) {
        s->gate_ms = now + wedr_backoff_next(&s->backoff);
    }
    return (uint32_t)(s->gate_ms - now);
}

static void count(struct wedr_ship *s, enum wedr_msg_outcome outcome)
{
    s->stats.batches_acked += outcome == WEDR_MSG_ACKED;
    s->stats.batches_retried += outcome == WEDR_MSG_RETRY;
    s->stats.batches_conflict += outcome == WEDR_MSG_CONFLICT;
    s->stats.batches_poison += outcome == WEDR_MSG_POISON;
}

static void
report(struct wedr_ship *s, const struct wedr_batch_id *id, const struct wedr_ship_verdict *v)
{
    uint32_t wait_ms = pause_of(s, v);
    count(s, v->outcome);
    s->done(s->arg, id, v->outcome, s->failing ? 1 : WEDR_MSG_WINDOW_MAX, wait_ms);
}

static void on_answer(void *arg, const struct wedr_http_response *r)
{
    struct flight *f = (struct flight *)arg;
    struct wedr_ship *s = f->ship;
    struct wedr_batch_id id = f->id;
    struct wedr_ship_verdict v = wedr_ship_judge(r->err, r->status, r->retry_after_s);
    f->busy = false;
    wedr_buf_fini(&f->body);
    wedr_buf_init(&f->body, WEDR_BATCH_Z_MAX);
    if (v.outcome == WEDR_MSG_CONFLICT || v.outcome == WEDR_MSG_POISON) {
        wedr_log(ERROR, "ship.refused", WEDR_I64("status", r->status),
                 WEDR_STR("stream", id.stream), WEDR_U64("first_seq", id.first_seq),
                 WEDR_U64("last_seq", id.last_seq));
    }
    wedr_ship_note_server(s, v.server, r->status,
                          r->err != WEDR_OK
                              ? (r->error_text ? r->error_text : wedr_err_text(r->err))
                              : "the server refused a batch");
    report(s, &id, &v);
}

/* Header texts of one batch. */
struct header_text {
    char epoch[17], boot_id[33], first[24], last[24], count[16], produced[24], lost[24], sha256[65],
        signature[129];
};

static void
header_texts(const struct wedr_batch_id *id, const uint8_t *signature, struct header_text *t)
{
    (void)snprintf(t->epoch, sizeof(t->epoch), "%016" PRIx64, id->epoch);
    wedr_hex(id->boot_id, sizeof(id->boot_id), t->boot_id);
    (void)snprintf(t->first, sizeof(t->first), "%" PRIu64, id->first_seq);
    (void)snprintf(t->last, sizeof(t->last), "%" PRIu64, id->last_seq);
    (void)snprintf(t->count, sizeof(t->count), "%" PRIu32, id->count);
    (void)snprintf(t->produced, sizeof(t->produced), "%" PRIu64, id->produced);
    (void)snprintf(t->lost, sizeof(t->lost), "%" PRIu64, id->lost);
    wedr_hex(id->sha256, sizeof(id->sha256), t->sha256);
    wedr_hex(signature, WEDR_BATCH_SIG_LEN, t->signature);
}

static int send_batch(struct flight *f, struct wedr_http *h, const uint8_t *signature)
{
    struct header_text t = {.epoch = ""};
    header_texts(&f->id, signature, &t);
    const struct wedr_http_header headers[HEADERS] = {{"Content-Type", "application/x-ndjson"},
                                                      {"Content-Encoding", "zstd"},
                                                      {WEDR_HDR_EPOCH, t.epoch},
                                                      {WEDR_HDR_BOOT_ID, t.boot_id},
                                                      {WEDR_HDR_STREAM, f->id.stream},
                                                      {WEDR_HDR_FIRST_SEQ, t.first},
                                                      {WEDR_HDR_LAST_SEQ, t.last},
                                                      {WEDR_HDR_COUNT, t.count},
                                                      {WEDR_HDR_PRODUCED, t.produced},
                                                      {WEDR_HDR_LOST, t.lost},
                                                      {WEDR_HDR_SHA256, t.sha256},
                                                      {WEDR_HDR_SIGNATURE, t.signature}};
    const struct wedr_http_request rq = {.method = "POST",
                                         .path = f->ship->path,
                                         .headers = headers,
                                         .header_count = HEADERS,
                                         .body = f->body.p,
                                         .body_len = f->body.len,
                                         .response_max = RESPONSE_MAX};
    int err = wedr_http_start(h, &rq, on_answer, f);
    if (err == WEDR_OK) {
        f->busy = true;
        f->ship->stats.batches_sent++;
        f->ship->stats.bytes_sent += f->body.len;
    }
    return err;
}

void wedr_ship_offer_take(struct wedr_ship *s,
                          struct wedr_http *h,
                          const struct wedr_batch_id *id,
                          const uint8_t signature[WEDR_BATCH_SIG_LEN],
                          wedr_handle file)
{
    struct flight *f = NULL;
    int err = WEDR_E_FULL;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(s->flight) && !f; i++) {
        f = s->flight[i].busy ? NULL : &s->flight[i];
    }
    if (f && h) {
        f->id = *id;
        wedr_buf_truncate(&f->body, 0);
        err = wedr_fs_read_all(file, &f->body);
        if (err == WEDR_OK) {
            err = send_batch(f, h, signature);
        }
        if (err != WEDR_OK) {
            wedr_log(WARN, "ship.cannot_send", WEDR_ERR(err), WEDR_STR("stream", id->stream));
        }
    }
    wedr_fs_close(file);
    if (err != WEDR_OK) {
        const struct wedr_ship_verdict v = {WEDR_MSG_RETRY, WEDR_MSG_SERVER_UNKNOWN, true, 0};
        report(s, id, &v);
    }
}

void wedr_ship_stats(const struct wedr_ship *s, struct wedr_msg_net_stats *m)
{
    struct wedr_msg_header h = m->h;
    uint64_t now = wedr_time_mono_ms();
    *m = s->stats;
    m->h = h;
    m->in_flight = (uint8_t)wedr_ship_in_flight(s);
    m->retry_in_ms = s->gate_ms > now ? (uint32_t)(s->gate_ms - now) : 0;
}
