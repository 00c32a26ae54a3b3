/* SPDX-License-Identifier: Apache-2.0 */
#include "api/server.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/json.h"
#include "core/util/log.h"
#include "fleet/fleet.h"
#include "wedr/plat/time.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *get_header(const void *arg, const char *name)
{
    return wedr_request_header(arg, name);
}

static _Atomic uint64_t *slot_of(struct wedr_server *s, const struct wedr_request *rq)
{
    uint32_t h = 2166136261u;
    for (const char *p = rq->agent.agent_id; *p; p++) {
        h = (h ^ (uint8_t)*p) * 16777619u;
    }
    return &s->agent_bytes[h % WEDR_AGENT_SLOTS];
}

/* Adds n to a gauge unless that takes it over max. */
static bool reserve(_Atomic uint64_t *gauge, uint64_t n, uint64_t max)
{
    uint64_t was = atomic_load(gauge);
    do {
        if (was + n > max) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(gauge, &was, was + n));
    return true;
}

/* What the headers of a batch said, until its answer is sent. */
struct upload {
    struct wedr_batch_id id;
    uint8_t signature[WEDR_BATCH_SIG_LEN];
    _Atomic uint64_t *slot; /* NULL: nothing is reserved */
};

/* Room for the body among what waits: of this agent, and of all. */
static bool reserve_both(struct wedr_server *s, struct upload *u, const struct wedr_request *rq)
{
    _Atomic uint64_t *slot = slot_of(s, rq);
    if (!reserve(slot, rq->content_length, s->d.cfg->agent_inflight_bytes)) {
        return false;
    }
    if (!reserve(&s->metrics.inflight_bytes, rq->content_length, s->d.cfg->inflight_bytes)) {
        atomic_fetch_sub(slot, rq->content_length);
        return false;
    }
    u->slot = slot;
    return true;
}

void wedr_api_logs_begin(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_errinfo ei = {""};
    const char *encoding = wedr_request_header(rq, "Content-Encoding");
    if (!encoding || strcmp(encoding, "zstd") != 0) {
        wedr_answer_problem(rq, 415, "Content-Encoding must be zstd");
        return;
    }
    if (rq->content_length == 0) {
        wedr_answer_problem(rq, 400, "the batch is empty");
        return;
    }
    struct upload *u = wedr_alloc(1, sizeof(*u));
    rq->app = u;
    if (!u) {
        rq->retry_after_s = 5;
        wedr_answer_problem(rq, 503, "out of memory");
    } else if (wedr_fleet_batch_parse(get_header, rq, &u->id, u->signature, &ei) != WEDR_OK) {
        wedr_answer_problem(rq, 400, "%s", ei.text);
    } else if (!reserve_both(s, u, rq)) {
        atomic_fetch_add(&s->metrics.overload_refused, 1);
        rq->retry_after_s = 1;
        wedr_answer_problem(rq, 429, "too many bytes are waiting to be stored");
    }
}

void wedr_api_logs_release(struct wedr_server *s, struct wedr_request *rq)
{
    struct upload *u = rq->app;
    if (u && u->slot) {
        atomic_fetch_sub(u->slot, rq->content_length);
        atomic_fetch_sub(&s->metrics.inflight_bytes, rq->content_length);
    }
    wedr_free(u);
    rq->app = NULL;
}

static void refuse_store(struct wedr_server *s, struct wedr_request *rq, int err)
{
    atomic_fetch_add(&s->metrics.store_failed, 1);
    atomic_store(&s->store_ok, false);
    rq->retry_after_s = 5;
    wedr_answer_problem(rq, err == WEDR_E_NOSPC ? 507 : 503,
                        "the batch could not be made durable: %s", wedr_err_text(err));
}

static void answer_stored(struct wedr_request *rq,
                          const struct wedr_batch_id *id,
                          uint32_t ok,
                          uint32_t rejected)
{
    char mem[256], name[128];
    struct wedr_json j;
    int n = snprintf(name, sizeof(name), "%016" PRIx64 ".%s.%" PRIu64 "-%" PRIu64, id->epoch,
                     id->stream, id->first_seq, id->last_seq);
    wedr_json_init(&j, mem, sizeof(mem));
    wedr_json_obj_begin(&j);
    wedr_json_key(&j, "batch_id");
    wedr_json_str(&j, name, (size_t)n);
    wedr_json_key(&j, "received");
    wedr_json_u64(&j, ok);
    wedr_json_key(&j, "skipped");
    wedr_json_u64(&j, rejected);
    wedr_json_obj_end(&j);
    wedr_buf_add(&rq->answer, mem, wedr_json_len(&j));
    wedr_answer_json(rq, 202);
}

/* rq->answer already holds the text for success. */
static void committed(void *arg,
                      struct wedr_request *rq,
                      const struct wedr_prepared *prepared,
                      int err,
                      enum wedr_commit_outcome outcome)
{
    uint32_t ok = 0, rejected = 0;
    struct wedr_server *s = arg;
    struct wedr_metrics *m = &s->metrics;
    if (err != WEDR_OK) {
        refuse_store(s, rq, err);
        return;
    }
    atomic_store(&s->store_ok, true);
    switch (outcome) {
    case WEDR_COMMIT_STORED:
        wedr_prepared_counts(prepared, &ok, &rejected);
        atomic_fetch_add(&m->batches, 1);
        atomic_fetch_add(&m->events, ok);
        atomic_fetch_add(&m->rejected, rejected);
        atomic_fetch_add(&m->bytes_z, rq->body_len);
        if (s->d.detect) {
            wedr_detect_wake(s->d.detect);
        }
        return;
    case WEDR_COMMIT_DUPLICATE:
        atomic_fetch_add(&m->duplicates, 1);
        return;
    case WEDR_COMMIT_EXPIRED:
        atomic_fetch_add(&m->expired, 1);
        return;
    case WEDR_COMMIT_CONFLICT:
        break;
    }
    atomic_fetch_add(&m->conflicts, 1);
    wedr_log(WARN, "ingest.conflict", WEDR_STR("agent", rq->agent.agent_id));
    wedr_answer_problem(rq, 409, "this range of the stream is stored with other content");
}

static void refuse_batch(struct wedr_request *rq, int err, const struct wedr_errinfo *ei)
{
    int status = err == WEDR_E_LIMIT ? 413 : err == WEDR_E_NOMEM ? 503 : 400;
    wedr_log(WARN, "ingest.refused", WEDR_STR("agent", rq->agent.agent_id), WEDR_ERR(err),
             WEDR_STR("why", ei->text));
    rq->retry_after_s = status == 503 ? 5 : 0;
    wedr_answer_problem(rq, status, "%s", ei->text[0] ? ei->text : wedr_err_text(err));
    wedr_request_finish(rq);
}

void wedr_api_logs(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    const struct upload *u = rq->app;
    struct wedr_errinfo ei = {""};
    uint32_t ok = 0, rejected = 0;
    struct wedr_prepared *prepared = NULL;
    struct wedr_ingest_batch b = {.id = u->id,
                                  .agent_id = rq->agent.agent_id,
                                  .hostname = rq->agent.hostname,
                                  .z = rq->body,
                                  .z_len = rq->body_len,
                                  .received_us = wedr_time_utc_us()};
    wedr_api_adopt_certificate(s, rq);
    if (wedr_fleet_batch_verify(rq->agent.agent_id, rq->agent.sign_public, &b.id, u->signature) !=
        WEDR_OK) {
        atomic_fetch_add(&s->metrics.signature_refused, 1);
        wedr_log(WARN, "ingest.signature_refused", WEDR_STR("agent", rq->agent.agent_id),
                 WEDR_STR("address", rq->addr_text));
        wedr_answer_problem(rq, 403, "the batch is not signed with this agent's key");
        wedr_request_finish(rq);
        return;
    }
    int err = wedr_ingest_prepare(&b, &prepared, &ei);
    if (err != WEDR_OK) {
        refuse_batch(rq, err, &ei);
        return;
    }
    wedr_prepared_counts(prepared, &ok, &rejected);
    answer_stored(rq, &b.id, ok, rejected);
    wedr_stages_commit(s->stages, rq, prepared, committed);
}
