/* SPDX-License-Identifier: Apache-2.0 */
#include "api/server.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/json.h"
#include "core/util/log.h"
#include "fleet/fleet.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

static void refuse_peer(struct wedr_server *s, struct wedr_request *rq, int status, const char *why)
{
    atomic_fetch_add(&s->metrics.peer_refused, 1);
    wedr_log(WARN, "auth.refused", WEDR_STR("address", rq->addr_text),
             WEDR_STR("route_id", rq->path_id), WEDR_STR("why", why));
    wedr_answer_problem(rq, status, "%s", why);
}

void wedr_api_authenticate(struct wedr_server *s, struct wedr_request *rq)
{
    const struct wedr_tls_peer *p = rq->peer;
    if (!p || !p->present) {
        refuse_peer(s, rq, 401, "a client certificate is required");
        return;
    }
    if (!p->valid) {
        refuse_peer(s, rq, 401,
                    "the client certificate is not valid: unknown issuer, out of its time, or not "
                    "for clients");
        return;
    }
    if (!rq->path_id[0]) { /* a path without {id}: whoever the certificate names */
        (void)snprintf(rq->path_id, sizeof(rq->path_id), "%.36s", p->common_name);
    }
    if (strcmp(p->common_name, rq->path_id) != 0) {
        refuse_peer(s, rq, 403, "the client certificate belongs to another agent");
        return;
    }
    int err = s->d.state_ops->agent_get(s->d.state, rq->path_id, &rq->agent);
    if (err == WEDR_E_NOENT) {
        refuse_peer(s, rq, 404, "this agent is not enrolled here");
    } else if (err != WEDR_OK) {
        rq->retry_after_s = 5;
        wedr_answer_problem(rq, 503, "the agent cannot be looked up: %s", wedr_err_text(err));
    } else if (rq->agent.revoked) {
        refuse_peer(s, rq, 403, "this agent is revoked");
    } else if (strcmp(p->sha256, rq->agent.cert_sha256) != 0) {
        rq->cert_is_next =
            rq->agent.cert_sha256_next[0] && strcmp(p->sha256, rq->agent.cert_sha256_next) == 0;
        if (!rq->cert_is_next) {
            refuse_peer(s, rq, 403, "the client certificate was replaced by a newer one");
        }
    }
}

void wedr_api_adopt_certificate(struct wedr_server *s, const struct wedr_request *rq)
{
    if (!rq->cert_is_next) {
        return;
    }
    int err = s->d.state_ops->agent_cert_used(s->d.state, rq->agent.agent_id, rq->peer->sha256);
    if (err == WEDR_OK) {
        wedr_log(INFO, "auth.certificate_changed", WEDR_STR("agent", rq->agent.agent_id));
    } else if (err != WEDR_E_NOENT) { /* NOENT: another request was faster */
        wedr_log(ERROR, "auth.certificate_not_noted", WEDR_STR("agent", rq->agent.agent_id),
                 WEDR_ERR(err));
    }
}

void wedr_api_enroll_begin(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    uint32_t wait_s = 0;
    if (!wedr_limit_take(s->enroll_limit, rq->addr_key, wedr_time_mono_ms(), &wait_s)) {
        atomic_fetch_add(&s->metrics.enroll_limited, 1);
        rq->retry_after_s = wait_s ? wait_s : 1;
        wedr_log(WARN, "enroll.limited", WEDR_STR("address", rq->addr_text));
        wedr_answer_problem(rq, 429, "too many enrolment attempts");
    }
}

static void put_keys(struct wedr_json *j, const struct wedr_server *s)
{
    wedr_json_key(j, "rules_key");
    wedr_json_hex(j, s->d.rules_public, sizeof(s->d.rules_public));
    wedr_json_key(j, "command_key");
    wedr_json_hex(j, s->d.command_public, sizeof(s->d.command_public));
}

static void answer_enrolled(struct wedr_server *s,
                            struct wedr_request *rq,
                            const char *id,
                            const char *cert_pem)
{
    char mem[16384];
    struct wedr_json j;
    wedr_json_init(&j, mem, sizeof(mem));
    wedr_json_obj_begin(&j);
    wedr_json_put_str(&j, "agent_id", id);
    wedr_json_put_str(&j, "cert_pem", cert_pem);
    wedr_json_put_str(&j, "ca_pem", wedr_ca_pem(s->d.ca));
    put_keys(&j, s);
    wedr_json_key(&j, "checkin_interval_seconds");
    wedr_json_u64(&j, s->d.cfg->checkin_interval_s);
    wedr_json_obj_end(&j);
    wedr_buf_add(&rq->answer, mem, wedr_json_len(&j));
    wedr_answer_json(rq, 201);
}

/* Certificate first, then token and agent in one transaction: a token is never used up without an
 * agent. */
static int enroll(struct wedr_server *s,
                  const struct wedr_fleet_enroll *e,
                  struct wedr_agent_row *row,
                  struct wedr_buf *cert_pem,
                  struct wedr_errinfo *ei)
{
    struct wedr_csr *csr = NULL;
    int64_t now = wedr_time_utc_us();
    int err = wedr_csr_parse(e->csr_pem, e->csr_len, &csr, ei);
    if (err == WEDR_OK) {
        err = wedr_fleet_proof(e, csr, ei);
    }
    if (err != WEDR_OK) {
        wedr_csr_free(csr);
        return err == WEDR_E_NOMEM ? err : WEDR_E_FORMAT;
    }
    wedr_fleet_new_id(row->agent_id);
    memcpy(row->hostname, e->hostname, sizeof(row->hostname));
    memcpy(row->os, e->os, sizeof(row->os));
    memcpy(row->os_version, e->os_version, sizeof(row->os_version));
    memcpy(row->agent_version, e->agent_version, sizeof(row->agent_version));
    memcpy(row->sign_public, e->batch_key, sizeof(row->sign_public));
    row->enrolled_us = row->last_seen_us = now;
    err = wedr_ca_sign_agent(s->d.ca, csr, row->agent_id, now, cert_pem, row->cert_sha256, ei);
    wedr_csr_free(csr);
    return err == WEDR_OK ? s->d.state_ops->enroll(s->d.state, e->token, now, row) : err;
}

static void refuse_enroll(struct wedr_server *s,
                          struct wedr_request *rq,
                          int err,
                          const struct wedr_errinfo *ei)
{
    atomic_fetch_add(&s->metrics.enroll_refused, 1);
    wedr_log(WARN, "enroll.refused", WEDR_STR("address", rq->addr_text), WEDR_ERR(err));
    if (err == WEDR_E_AUTH) {
        wedr_answer_problem(rq, 401, "the enrolment token is unknown, used up or expired");
    } else if (err == WEDR_E_FORMAT) {
        wedr_answer_problem(rq, 400, "%s", ei->text);
    } else {
        wedr_limit_refund(s->enroll_limit, rq->addr_key, wedr_time_mono_ms());
        rq->retry_after_s = 5;
        wedr_answer_problem(rq, 503, "the enrolment could not be stored: %s", wedr_err_text(err));
    }
}

void wedr_api_enroll(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_errinfo ei = {""};
    struct wedr_agent_row row;
    struct wedr_buf cert_pem;
    struct wedr_fleet_enroll *e = wedr_alloc(1, sizeof(*e));
    memset(&row, 0, sizeof(row));
    wedr_buf_init(&cert_pem, WEDR_CSR_PEM_MAX);
    int err = e ? wedr_fleet_enroll_parse(rq->body, rq->body_len, e, &ei) : WEDR_E_NOMEM;
    wedr_wipe(rq->body, rq->body_len);
    if (err == WEDR_OK) {
        err = enroll(s, e, &row, &cert_pem, &ei);
    }
    if (err == WEDR_OK) {
        wedr_limit_refund(s->enroll_limit, rq->addr_key, wedr_time_mono_ms());
        atomic_fetch_add(&s->metrics.enrolled, 1);
        wedr_log(INFO, "enroll.done", WEDR_STR("agent", row.agent_id),
                 WEDR_STR("hostname", row.hostname), WEDR_STR("address", rq->addr_text));
        answer_enrolled(s, rq, row.agent_id, (const char *)cert_pem.p);
    } else {
        refuse_enroll(s, rq, err, &ei);
    }
    wedr_buf_fini(&cert_pem);
    wedr_free_secret(e, e ? sizeof(*e) : 0);
}

static int renew(struct wedr_server *s,
                 struct wedr_request *rq,
                 struct wedr_buf *cert_pem,
                 struct wedr_errinfo *ei)
{
    char pem[WEDR_CSR_PEM_MAX + 1], fingerprint[65];
    size_t len = 0;
    struct wedr_csr *csr = NULL;
    int err = wedr_fleet_renew_parse(rq->body, rq->body_len, pem, &len, ei);
    if (err == WEDR_OK) {
        err = wedr_csr_parse(pem, len, &csr, ei);
        err = err == WEDR_E_NOMEM || err == WEDR_OK ? err : WEDR_E_FORMAT;
    }
    if (err == WEDR_OK && !wedr_csr_same_key(csr, rq->peer->der, rq->peer->der_len)) {
        err = wedr_fail(ei, WEDR_E_FORMAT,
                        "the request must carry the key of the current certificate");
    }
    if (err == WEDR_OK) {
        err = wedr_ca_sign_agent(s->d.ca, csr, rq->agent.agent_id, wedr_time_utc_us(), cert_pem,
                                 fingerprint, ei);
    }
    if (err == WEDR_OK) {
        err = s->d.state_ops->agent_renew(s->d.state, rq->agent.agent_id, fingerprint);
    }
    wedr_csr_free(csr);
    return err;
}

void wedr_api_renew(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_errinfo ei = {""};
    struct wedr_buf cert_pem;
    char mem[8192];
    struct wedr_json j;
    wedr_buf_init(&cert_pem, WEDR_CSR_PEM_MAX);
    wedr_api_adopt_certificate(s, rq);
    int err = renew(s, rq, &cert_pem, &ei);
    if (err == WEDR_OK) {
        atomic_fetch_add(&s->metrics.renewed, 1);
        wedr_log(INFO, "auth.renewed", WEDR_STR("agent", rq->agent.agent_id));
        wedr_json_init(&j, mem, sizeof(mem));
        wedr_json_obj_begin(&j);
        wedr_json_put_str(&j, "cert_pem", (const char *)cert_pem.p);
        put_keys(&j, s);
        wedr_json_obj_end(&j);
        wedr_buf_add(&rq->answer, mem, wedr_json_len(&j));
        wedr_answer_json(rq, 200);
    } else if (err == WEDR_E_FORMAT) {
        wedr_answer_problem(rq, 400, "%s", ei.text);
    } else {
        rq->retry_after_s = 5;
        wedr_answer_problem(rq, 503, "the renewal could not be stored: %s", wedr_err_text(err));
    }
    wedr_buf_fini(&cert_pem);
}

void wedr_api_heartbeat(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_errinfo ei = {""};
    char mem[WEDR_HEARTBEAT_ANSWER_MAX];
    struct wedr_json j;
    struct wedr_fleet_heartbeat *hb = wedr_alloc(1, sizeof(*hb));
    wedr_api_adopt_certificate(s, rq);
    int err = hb ? wedr_fleet_heartbeat_parse(rq->body, rq->body_len, hb, &ei) : WEDR_E_NOMEM;
    if (err == WEDR_E_FORMAT || err == WEDR_E_LIMIT) {
        wedr_log(WARN, "heartbeat.refused", WEDR_STR("agent", rq->agent.agent_id),
                 WEDR_STR("why", ei.text));
        wedr_answer_problem(rq, err == WEDR_E_LIMIT ? 413 : 400, "%s", ei.text);
        goto out;
    }
    int64_t now = wedr_time_utc_us();
    if (err == WEDR_OK) {
        err = s->d.state_ops->heartbeat(s->d.state, rq->agent.agent_id, now, hb->agent_version,
                                        hb->status_json, hb->streams, hb->stream_count);
    }
    if (err != WEDR_OK) {
        rq->retry_after_s = 5;
        wedr_answer_problem(rq, 503, "the heartbeat could not be stored: %s", wedr_err_text(err));
        goto out;
    }
    if (strcmp(rq->agent.address, rq->addr_text) != 0) { /* for people; it may wait for the next */
        (void)!s->d.state_ops->triage->endpoint_address(s->d.state, rq->agent.agent_id,
                                                        rq->addr_text);
    }
    atomic_fetch_add(&s->metrics.heartbeats, 1);
    wedr_json_init(&j, mem, sizeof(mem));
    wedr_json_obj_begin(&j);
    wedr_json_key(&j, "server_time");
    wedr_json_time_us(&j, now);
    wedr_json_key(&j, "next_checkin_seconds");
    wedr_json_u64(&j, s->d.cfg->checkin_interval_s);
    wedr_json_key(&j, "command_poll_seconds");
    wedr_json_u64(&j, s->d.cfg->command_poll_s);
    wedr_api_rules_offer(s, rq, &j);
    err = wedr_api_commands_offer(s, rq->agent.agent_id, rq->agent.sign_public, now, &j);
    if (err != WEDR_OK) { /* they wait for the next one */
        wedr_log(ERROR, "command.not_offered", WEDR_STR("agent", rq->agent.agent_id),
                 WEDR_ERR(err));
    }
    wedr_json_obj_end(&j);
    wedr_buf_add(&rq->answer, mem, wedr_json_len(&j));
    wedr_answer_json(rq, 200);
out:
    wedr_free(hb);
}
