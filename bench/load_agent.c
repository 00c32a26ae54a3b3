/* SPDX-License-Identifier: Apache-2.0 */
#include "load_agent.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "wedr/plat/http.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_CAP 2048u
#define ENROLMENT_CAP 16384u
#define AT_ONCE 8u

const char *load_head(const struct load_agent *a, const struct load_body *b, size_t *ret_len)
{
    static char head[HEAD_CAP];
    uint8_t text[WEDR_BATCH_SIGNED_LEN], sig[WEDR_SIGN_LEN];
    char boot[2 * WEDR_BOOT_ID_LEN + 1], sha[65], sig_hex[2 * WEDR_SIGN_LEN + 1];
    struct wedr_batch_id id = {.epoch = 0x5eed, .first_seq = b->first_seq, .count = b->count};
    id.last_seq = id.produced = b->first_seq + b->count - 1;
    memset(id.boot_id, 0xb0, sizeof(id.boot_id));
    memcpy(id.sha256, b->sha256, sizeof(id.sha256));
    (void)snprintf(id.stream, sizeof(id.stream), "kernel.critical");
    wedr_batch_signed_bytes(a->raw, &id, text);
    wedr_sign(a->sign_secret, text, sizeof(text), sig);
    wedr_hex(id.boot_id, sizeof(id.boot_id), boot);
    wedr_hex(id.sha256, sizeof(id.sha256), sha);
    wedr_hex(sig, sizeof(sig), sig_hex);
    int n = snprintf(
        head, sizeof(head),
        "POST /api/v1/agents/%s/logs HTTP/1.1\r\nHost: server\r\nUser-Agent: bench\r\n"
        "Content-Type: application/x-ndjson\r\nContent-Encoding: zstd\r\nContent-Length: "
        "%zu\r\n" WEDR_HDR_EPOCH ": %016" PRIx64 "\r\n" WEDR_HDR_BOOT_ID ": %s\r\n" WEDR_HDR_STREAM
        ": %s\r\n" WEDR_HDR_FIRST_SEQ ": %" PRIu64 "\r\n" WEDR_HDR_LAST_SEQ ": %" PRIu64
        "\r\n" WEDR_HDR_COUNT ": %" PRIu32 "\r\n" WEDR_HDR_PRODUCED ": %" PRIu64
        "\r\n" WEDR_HDR_LOST ": 0\r\n" WEDR_HDR_SHA256 ": %s\r\n" WEDR_HDR_SIGNATURE ": %s\r\n\r\n",
        a->id, b->z_len, id.epoch, boot, id.stream, id.first_seq, id.last_seq, id.count,
        id.produced, sha, sig_hex);
    if (n < 0 || (size_t)n >= sizeof(head)) {
        bench_die("request", "the head is too long");
    }
    *ret_len = (size_t)n;
    return head;
}

/* One enrolment under way. */
struct enrolment {
    struct load_agent *agent; /* NULL: free */
    char *body;
};

static void on_enrolled(void *arg, const struct wedr_http_response *r)
{
    struct enrolment *e = arg;
    struct load_agent *a = e->agent;
    char hex[33];
    json_t *o = r->status == 201 ? json_loadb((const char *)r->body, r->body_len, 0, NULL) : NULL;
    const char *id = json_string_value(json_object_get(o, "agent_id"));
    const char *cert = json_string_value(json_object_get(o, "cert_pem"));
    if (!id || strlen(id) != WEDR_AGENT_ID_TEXT - 1 || !cert) {
        bench_die("enrolment", r->error_text ? r->error_text : "refused");
    }
    memcpy(a->id, id, sizeof(a->id));
    (void)snprintf(hex, sizeof(hex), "%.8s%.4s%.4s%.4s%.12s", id, id + 9, id + 14, id + 19,
                   id + 24);
    a->cert_pem = wedr_strndup(cert, strlen(cert));
    if (!a->cert_pem || wedr_unhex(hex, 32, a->raw, sizeof(a->raw)) != WEDR_OK) {
        bench_die("enrolment", "bad agent id");
    }
    json_decref(o);
    wedr_free(e->body);
    *e = (struct enrolment){NULL, NULL};
}

static char *enrolment_text(struct load_agent *a, const char *token)
{
    struct wedr_buf key, csr_pem, csr_der;
    struct wedr_errinfo ei = {""};
    uint8_t sig[WEDR_SIGN_LEN];
    char public_hex[65], sig_hex[129];
    wedr_buf_init(&key, 65536);
    wedr_buf_init(&csr_pem, 65536);
    wedr_buf_init(&csr_der, 65536);
    if (wedr_pki_key_new(&key, &ei) != WEDR_OK ||
        wedr_pki_csr_new((const char *)key.p, key.len, "bench", &csr_pem, &csr_der, &ei) !=
            WEDR_OK) {
        bench_die("enrolment", ei.text);
    }
    wedr_sign_keypair(a->sign_public, a->sign_secret);
    wedr_sign(a->sign_secret, csr_der.p, csr_der.len, sig);
    wedr_hex(a->sign_public, sizeof(a->sign_public), public_hex);
    wedr_hex(sig, sizeof(sig), sig_hex);
    json_t *body =
        json_pack("{ssssssssss s{ssssss}}", "enrollment_token", token, "agent_version", "0.1.0",
                  "csr_pem", (const char *)csr_pem.p, "batch_key", public_hex, "batch_key_proof",
                  sig_hex, "host", "hostname", "bench", "os", "linux", "os_version", "Debian 12");
    char *text = wedr_alloc(ENROLMENT_CAP, 1);
    size_t n = text ? json_dumpb(body, text, ENROLMENT_CAP - 1, JSON_COMPACT) : 0;
    json_decref(body);
    a->key_pem = (char *)key.p;
    wedr_buf_fini(&csr_pem);
    wedr_buf_fini(&csr_der);
    if (n == 0 || n >= ENROLMENT_CAP) {
        bench_die("enrolment", "out of memory");
    }
    return text;
}

static void start(struct wedr_http *h, struct enrolment *e, struct load_agent *a, const char *token)
{
    *e = (struct enrolment){a, enrolment_text(a, token)};
    struct wedr_http_request rq = {.method = "POST",
                                   .path = "/api/v1/agents/enroll",
                                   .body = e->body,
                                   .body_len = strlen(e->body),
                                   .response_max = 65536};
    if (wedr_http_start(h, &rq, on_enrolled, e) != WEDR_OK) {
        bench_die("enrolment", "cannot start a request");
    }
}

void load_enroll(
    const char *url, const char *ca_pem, const char *token, struct load_agent *ret, size_t count)
{
    struct enrolment flights[AT_ONCE] = {{NULL, NULL}};
    struct wedr_errinfo ei = {""};
    struct wedr_http *h = NULL;
    struct wedr_http_cfg cfg = {.base_url = url, .ca_pem = ca_pem, .user_agent = "bench"};
    if (wedr_http_new(&cfg, &h, &ei) != WEDR_OK) {
        bench_die("enrolment", ei.text);
    }
    for (size_t begun = 0, busy = 1; busy > 0;) {
        busy = 0;
        for (size_t i = 0; i < AT_ONCE; i++) {
            if (!flights[i].agent && begun < count) {
                start(h, &flights[i], &ret[begun++], token);
            }
            busy += flights[i].agent != NULL;
        }
        if (busy && wedr_http_wait(h, NULL, 0, 1000) != WEDR_OK) {
            bench_die("enrolment", "the client failed");
        }
    }
    wedr_http_free(h);
}
