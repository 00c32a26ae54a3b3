/* SPDX-License-Identifier: Apache-2.0 */
#include "enroll.h"

#include "config.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/json.h"
#include "core/util/sha256.h"
#include "heartbeat.h"
#include "holder.h"
#include "identity.h"
#include "net_main.h"
#include "peer.h"
#include "statefile.h"
#include "wedr/plat/http.h"
#include "wedr/plat/pki.h"
#include "wedr/plat/proc.h"
#include <stdio.h>
#include <string.h>

#define BODY_MAX 131072u
#define CHILD_WAIT_MS 60000u

struct exchange {
    const struct wedr_enroll_args *args;
    struct wedr_net_args net; /* for the sandbox */
    char fingerprint[65];
    bool renewal;
    struct wedr_identity identity; /* of a renewal */
    struct wedr_buf key, cert, ca, csr_pem, csr_der, body;
    uint8_t sign_public[WEDR_SIGN_PUBLIC_LEN], sign_secret[WEDR_SIGN_SECRET_LEN];
    char path[128];
};

static void put(struct wedr_json *j, const char *key, const char *text)
{
    wedr_json_key(j, key);
    (void)wedr_json_str(j, text, strlen(text));
}

static int write_enroll_body(struct exchange *x)
{
    struct wedr_host host;
    struct wedr_json j;
    uint8_t proof[WEDR_SIGN_LEN];
    if (wedr_host_info(&host) != WEDR_OK) {
        memset(&host, 0, sizeof(host));
    }
    uint8_t *mem = wedr_buf_reserve(&x->body, BODY_MAX - 1);
    if (!mem) {
        return WEDR_E_NOMEM;
    }
    wedr_sign(x->sign_secret, x->csr_der.p, x->csr_der.len, proof);
    wedr_json_init(&j, (char *)mem, BODY_MAX - 1);
    wedr_json_obj_begin(&j);
    put(&j, "enrollment_token", x->args->token);
    put(&j, "agent_version", x->args->version);
    put(&j, "csr_pem", (const char *)x->csr_pem.p);
    wedr_json_key(&j, "batch_key");
    wedr_json_hex(&j, x->sign_public, sizeof(x->sign_public));
    wedr_json_key(&j, "batch_key_proof");
    wedr_json_hex(&j, proof, sizeof(proof));
    wedr_json_key(&j, "host");
    wedr_json_obj_begin(&j);
    put(&j, "hostname", host.hostname);
    put(&j, "os", host.os_name);
    put(&j, "os_version", host.os_version);
    wedr_json_key(&j, "ip");
    wedr_json_null(&j);
    wedr_json_obj_end(&j);
    wedr_json_obj_end(&j);
    wedr_buf_commit(&x->body, wedr_json_len(&j));
    return j.overflow ? WEDR_E_RANGE : WEDR_OK;
}

struct answer {
    struct exchange *x;
    struct wedr_msg_enrolled *m;
    struct wedr_errinfo ei;
};

static int check_answer(struct answer *a)
{
    struct wedr_cert_info info;
    struct exchange *x = a->x;
    const char *cert = a->m->cert_pem, *ca = a->m->ca_pem;
    uint8_t id[WEDR_AGENT_ID_LEN];
    int err = wedr_pki_cert_info(ca, strlen(ca), &info, &a->ei);
    if (err == WEDR_OK && strcmp(info.fingerprint, x->fingerprint) != 0) {
        err = wedr_fail(&a->ei, WEDR_E_TLS, "the CA has another fingerprint");
    }
    if (err == WEDR_OK) {
        err = wedr_pki_cert_info(cert, strlen(cert), &info, &a->ei);
    }
    if (err == WEDR_OK && (wedr_agent_id_parse(a->m->agent_id, id) != WEDR_OK ||
                           strcmp(info.common_name, a->m->agent_id) != 0)) {
        err = wedr_fail(&a->ei, WEDR_E_FORMAT, "the certificate does not name the agent id");
    }
    if (err == WEDR_OK && wedr_pki_cert_matches(cert, strlen(cert), (const char *)x->key.p,
                                                x->key.len, ca, strlen(ca)) != WEDR_OK) {
        err = wedr_fail(&a->ei, WEDR_E_TLS, "the certificate does not fit the key or the CA");
    }
    return err;
}

/* A key that bundles or commands are checked with. It comes here alone, in a process that lives for
 * this one answer: a net process that somebody took over later cannot put another one in its place.
 */
static int take_key(const struct wedr_http_response *r, const char *name, char ret[65])
{
    uint8_t key[WEDR_SIGN_PUBLIC_LEN];
    int err = wedr_json_take_string(r->body, r->body_len, name, ret, 65);
    if (err == WEDR_E_NOENT) {
        ret[0] = 0; /* a server that signs no such thing */
        return WEDR_OK;
    }
    return err == WEDR_OK ? wedr_unhex(ret, strlen(ret), key, sizeof(key)) : err;
}

static void on_answer(void *arg, const struct wedr_http_response *r)
{
    struct answer *a = (struct answer *)arg;
    struct wedr_msg_enrolled *m = a->m;
    int err = r->err;
    if (err != WEDR_OK) {
        err = wedr_fail(&a->ei, err, "%s", r->error_text ? r->error_text : wedr_err_text(err));
    } else if (r->status == 401 || r->status == 403) {
        err = wedr_fail(
            &a->ei, WEDR_E_AUTH,
            a->x->renewal
                ? "the server does not accept the old certificate (HTTP %d): use --replace"
                : "the server refuses the token (HTTP %d): unknown, used up or expired",
            r->status);
    } else if (r->status != 200 && r->status != 201) {
        err = wedr_fail(&a->ei, WEDR_E_NET, "the server answers HTTP %d", r->status);
    }
    if (err == WEDR_OK) {
        err = wedr_json_take_string(r->body, r->body_len, "cert_pem", m->cert_pem,
                                    sizeof(m->cert_pem));
    }
    if (err == WEDR_OK) {
        err = take_key(r, "rules_key", m->rules_key);
    }
    if (err == WEDR_OK) {
        err = take_key(r, "command_key", m->command_key);
    }
    if (err == WEDR_OK && a->x->renewal) {
        wedr_msg_put_text(m->agent_id, sizeof(m->agent_id), a->x->identity.agent_id);
        wedr_msg_put_text(m->ca_pem, sizeof(m->ca_pem), (const char *)a->x->ca.p);
    } else if (err == WEDR_OK) {
        err = wedr_json_take_string(r->body, r->body_len, "agent_id", m->agent_id,
                                    sizeof(m->agent_id));
        /* The CA is what the handshake showed and the fingerprint vouches for. */
        wedr_msg_put_text(m->ca_pem, sizeof(m->ca_pem), r->ca_pem);
    }
    if (err == WEDR_OK) {
        err = check_answer(a);
    } else if (!a->ei.text[0]) {
        err = wedr_fail(&a->ei, err, "the server's answer is malformed");
    }
    m->err = err;
}

static int talk(struct exchange *x, struct answer *a)
{
    static const struct wedr_http_header json = {"Content-Type", "application/json"};
    struct wedr_http *h = NULL;
    struct wedr_http_cfg cfg = {.base_url = x->args->server_url,
                                .ca_pem = x->renewal ? (const char *)x->ca.p : NULL,
                                .ca_sha256 = x->renewal ? NULL : x->fingerprint,
                                .cert_pem = x->renewal ? (const char *)x->cert.p : NULL,
                                .key_pem = x->renewal ? (const char *)x->key.p : NULL,
                                .proxy = x->net.cfg.proxy[0] ? x->net.cfg.proxy : NULL,
                                .connect_timeout_ms = 10000,
                                .total_timeout_ms = 30000,
                                .user_agent = "wedr-agent"};
    struct wedr_http_request rq = {.method = "POST",
                                   .path = x->path,
                                   .headers = &json,
                                   .header_count = 1,
                                   .body = x->body.p,
                                   .body_len = x->body.len,
                                   .response_max = 65536};
    int err = wedr_http_new(&cfg, &h, &a->ei);
    if (err == WEDR_OK) {
        a->m->err = WEDR_E_BUG;
        err = wedr_http_once(h, &rq, on_answer, a);
    }
    wedr_http_free(h);
    return err;
}

static int child_main(void *arg, struct wedr_ipc *channel)
{
    static struct wedr_msg_enrolled m;
    struct exchange *x = (struct exchange *)arg;
    struct answer a = {x, &m, {""}};
    char missing[64];
    wedr_msg_begin(&m, WEDR_MSG_T_ENROLLED);
    int err = wedr_net_confine(&x->net, missing, &a.ei);
    wedr_wipe(x->sign_secret, sizeof(x->sign_secret));
    if (err == WEDR_OK) {
        err = talk(x, &a);
    }
    m.err = err != WEDR_OK ? err : m.err;
    wedr_msg_put_text(m.text, sizeof(m.text), a.ei.text[0] ? a.ei.text : wedr_err_text(m.err));
    return wedr_peer_send(channel, &m, NULL, 0) == WEDR_OK ? 0 : 1;
}

static int run_child(struct exchange *x, struct wedr_peer_msg *ret, struct wedr_errinfo *ei)
{
    struct wedr_child *child = NULL;
    struct wedr_ipc *channel = NULL;
    int err = wedr_child_start("wedr-net", child_main, x, &child, &channel);
    if (err != WEDR_OK) {
        return wedr_fail(ei, err, "cannot start a process: %s", wedr_err_text(err));
    }
    struct wedr_wait w = {wedr_ipc_handle(channel), WEDR_WAIT_READ, 0};
    err = wedr_wait_any(&w, 1, CHILD_WAIT_MS, NULL);
    if (err == WEDR_OK) {
        err = wedr_peer_recv(channel, WEDR_MSG_HELPER_TO_PARENT, ret);
    }
    wedr_ipc_close(channel);
    wedr_child_free(child);
    if (err != WEDR_OK || ret->type != WEDR_MSG_T_ENROLLED) {
        return wedr_fail(ei, err != WEDR_OK ? err : WEDR_E_FORMAT,
                         "the process that talks to the server failed");
    }
    const struct wedr_msg_enrolled *m =
        (const struct wedr_msg_enrolled *)(const void *)ret->u.bytes;
    return m->err == WEDR_OK ? WEDR_OK : wedr_fail(ei, m->err, "%s", m->text);
}

static int prepare_new(struct exchange *x, struct wedr_errinfo *ei)
{
    if (!x->args->token[0]) {
        return wedr_fail(ei, WEDR_E_INVAL, "a token is needed");
    }
    (void)snprintf(x->path, sizeof(x->path), "/api/v1/agents/enroll");
    wedr_sign_keypair(x->sign_public, x->sign_secret);
    wedr_buf_truncate(&x->key, 0);
    int err = wedr_pki_key_new(&x->key, ei);
    if (err == WEDR_OK) {
        err = wedr_pki_csr_new((const char *)x->key.p, x->key.len, "wazabi-edr-agent", &x->csr_pem,
                               &x->csr_der, ei);
    }
    return err == WEDR_OK ? write_enroll_body(x) : err;
}

static int prepare_renewal(struct exchange *x, struct wedr_errinfo *ei)
{
    (void)snprintf(x->path, sizeof(x->path), "/api/v1/agents/%s/renew", x->identity.agent_id);
    int err = wedr_pki_csr_new((const char *)x->key.p, x->key.len, x->identity.agent_id,
                               &x->csr_pem, &x->csr_der, ei);
    return err == WEDR_OK ? wedr_renew_body((const char *)x->csr_pem.p, &x->body) : err;
}

/* Whether the folder is enrolled, and if so under the CA of the fingerprint. */
static int look_at_old(struct exchange *x, bool *ret_enrolled, struct wedr_errinfo *ei)
{
    const char *dir = x->args->state_dir;
    struct wedr_cert_info info;
    int err = wedr_identity_load(dir, &x->identity, ei);
    wedr_identity_wipe(&x->identity);
    *ret_enrolled = err == WEDR_OK || err == WEDR_E_CORRUPT;
    if (err == WEDR_E_NOENT || err == WEDR_E_CORRUPT) {
        return WEDR_OK;
    }
    if (err == WEDR_OK) {
        err = wedr_identity_read(dir, "ca.pem", &x->ca);
    }
    if (err == WEDR_OK) {
        err = wedr_pki_cert_info((const char *)x->ca.p, x->ca.len, &info, ei);
    }
    if (err == WEDR_OK) {
        x->renewal = !x->args->replace && strcmp(info.fingerprint, x->fingerprint) == 0;
        err = wedr_identity_read(dir, "tls.key", &x->key);
    }
    if (err == WEDR_OK) {
        err = wedr_identity_read(dir, "tls.crt", &x->cert);
    }
    return err;
}

static int store(struct exchange *x,
                 const struct wedr_msg_enrolled *m,
                 bool was_enrolled,
                 struct wedr_errinfo *ei)
{
    const char *dir = x->args->state_dir;
    if (x->renewal) {
        int err = wedr_identity_replace(dir, "tls.crt", m->cert_pem, strlen(m->cert_pem));
        if (err == WEDR_OK) {
            err = wedr_identity_replace(dir, "server_url", x->args->server_url,
                                        strlen(x->args->server_url));
        }
        if (err == WEDR_OK && m->rules_key[0]) {
            err = wedr_identity_replace(dir, "rules_key", m->rules_key, strlen(m->rules_key));
        }
        if (err == WEDR_OK && m->command_key[0]) {
            err = wedr_identity_replace(dir, "command_key", m->command_key, strlen(m->command_key));
        }
        return err;
    }
    if (was_enrolled) {
        struct wedr_holder_memory memory;
        wedr_holder_memory_load(dir, &memory);
        memory.reenrolled = true;
        int err = wedr_holder_memory_store(dir, &memory);
        if (err != WEDR_OK) {
            return wedr_fail(ei, err, "cannot write to %s", dir);
        }
    }
    struct wedr_identity_files f = {.agent_id = m->agent_id,
                                    .server_url = x->args->server_url,
                                    .tls_key = (const char *)x->key.p,
                                    .tls_crt = m->cert_pem,
                                    .ca_pem = m->ca_pem,
                                    .rules_key = m->rules_key,
                                    .command_key = m->command_key};
    memcpy(f.sign_secret, x->sign_secret, sizeof(f.sign_secret));
    int err = wedr_identity_store(dir, &f, ei);
    wedr_wipe(f.sign_secret, sizeof(f.sign_secret));
    return err;
}

static int enroll(struct exchange *x,
                  enum wedr_enroll_kind *ret_kind,
                  char *ret_agent_id,
                  struct wedr_errinfo *ei)
{
    static struct wedr_peer_msg answer;
    wedr_handle lock = WEDR_HANDLE_NONE;
    bool enrolled = false;
    int lock_err = wedr_state_lock(x->args->state_dir, true, 0, &lock);
    if (lock_err != WEDR_OK && lock_err != WEDR_E_BUSY) {
        return wedr_fail(ei, lock_err, "cannot use %s: %s", x->args->state_dir,
                         wedr_err_text(lock_err));
    }
    int err = look_at_old(x, &enrolled, ei);
    if (err == WEDR_OK && lock_err == WEDR_E_BUSY && enrolled) {
        err = wedr_fail(ei, WEDR_E_BUSY, "an agent runs on %s: stop it first", x->args->state_dir);
    }
    if (err == WEDR_OK) {
        err = wedr_agent_config_load(x->args->state_dir, &x->net.cfg, ei);
    }
    if (err == WEDR_OK) {
        err = x->renewal ? prepare_renewal(x, ei) : prepare_new(x, ei);
    }
    if (err == WEDR_OK) {
        err = run_child(x, &answer, ei);
    }
    if (err == WEDR_OK) {
        const struct wedr_msg_enrolled *m =
            (const struct wedr_msg_enrolled *)(const void *)answer.u.bytes;
        err = store(x, m, enrolled, ei);
        memcpy(ret_agent_id, m->agent_id, sizeof(m->agent_id));
        *ret_kind = x->renewal ? WEDR_ENROLLED_RENEWED
                    : enrolled ? WEDR_ENROLLED_REPLACED
                               : WEDR_ENROLLED_NEW;
    }
    wedr_fs_close(lock);
    return err;
}

int wedr_enroll(const struct wedr_enroll_args *args,
                enum wedr_enroll_kind *ret_kind,
                char ret_agent_id[37],
                struct wedr_errinfo *ei)
{
    static struct exchange x;
    memset(&x, 0, sizeof(x));
    x.args = args;
    x.net.change_user = args->root;
    size_t n = strlen(args->server_url);
    if (strncmp(args->server_url, "https://", 8) != 0 || n < 9 ||
        n >= sizeof(x.identity.server_url) || args->server_url[n - 1] == '/') {
        return wedr_fail(ei, WEDR_E_INVAL,
                         "--server must be https://host[:port] without a slash at the end");
    }
    if (wedr_fingerprint_parse(args->ca_sha256, x.fingerprint) != WEDR_OK) {
        return wedr_fail(
            ei, WEDR_E_INVAL,
            "--ca-sha256 must be 64 hex digits (wedr-server ca fingerprint prints them)");
    }
    struct wedr_buf *bufs[] = {&x.key, &x.cert, &x.ca, &x.csr_pem, &x.csr_der};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bufs); i++) {
        wedr_buf_init(bufs[i], WEDR_IDENTITY_FILE_MAX);
    }
    wedr_buf_init(&x.body, BODY_MAX);
    int err = enroll(&x, ret_kind, ret_agent_id, ei);
    if (x.key.p) {
        wedr_wipe(x.key.p, x.key.len);
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bufs); i++) {
        wedr_buf_fini(bufs[i]);
    }
    wedr_buf_fini(&x.body);
    wedr_wipe(&x, sizeof(x));
    return err;
}
