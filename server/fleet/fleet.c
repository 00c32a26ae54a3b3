/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/fleet.h"
#include "core/base/err.h"
#include "core/util/sha256.h"
#include "fleet/text.h"
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 8u

static bool single_line(const char *s)
{
    return strpbrk(s, "\r\n") == NULL;
}

static int parse_host(const json_t *host, struct wedr_fleet_enroll *e, struct wedr_errinfo *ei)
{
    static const char *const keys[] = {"hostname", "os", "os_version", "ip"};
    if (!json_is_object(host)) {
        return wedr_fail(ei, WEDR_E_FORMAT, "\"host\" must be an object");
    }
    int err = wedr_fleet_known(host, keys, WEDR_ARRAY_COUNT(keys), ei);
    if (err == WEDR_OK) {
        err = wedr_fleet_string(host, "hostname", 1, e->hostname, sizeof(e->hostname), ei);
    }
    if (err == WEDR_OK) {
        err = wedr_fleet_string(host, "os", 1, e->os, sizeof(e->os), ei);
    }
    if (err == WEDR_OK) {
        err = wedr_fleet_string(host, "os_version", 0, e->os_version, sizeof(e->os_version), ei);
    }
    const json_t *ip = json_object_get(host, "ip");
    if (err == WEDR_OK && ip && !json_is_null(ip) && !json_is_string(ip)) {
        err = wedr_fail(ei, WEDR_E_FORMAT, "\"ip\" must be a string or null");
    }
    if (err == WEDR_OK &&
        !(single_line(e->hostname) && single_line(e->os) && single_line(e->os_version))) {
        err = wedr_fail(ei, WEDR_E_FORMAT, "\"host\" holds line breaks");
    }
    return err;
}

static int
parse_hex(const json_t *o, const char *key, uint8_t *ret, size_t n, struct wedr_errinfo *ei)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_string(v) ||
        wedr_unhex(json_string_value(v), json_string_length(v), ret, n) != WEDR_OK) {
        return wedr_fail(ei, WEDR_E_FORMAT, "\"%s\" must be %zu hex digits", key, 2 * n);
    }
    return WEDR_OK;
}

int wedr_fleet_enroll_parse(const void *body,
                            size_t len,
                            struct wedr_fleet_enroll *ret,
                            struct wedr_errinfo *ei)
{
    static const char *const keys[] = {"enrollment_token", "agent_version",   "csr_pem",
                                       "batch_key",        "batch_key_proof", "host"};
    json_t *o = len <= WEDR_FLEET_BODY_MAX ? wedr_fleet_load(body, len, DEPTH_MAX, ei) : NULL;
    if (!o) {
        return WEDR_E_FORMAT;
    }
    int err = wedr_fleet_known(o, keys, WEDR_ARRAY_COUNT(keys), ei);
    if (err == WEDR_OK) {
        err = wedr_fleet_string(o, "enrollment_token", 1, ret->token, sizeof(ret->token), ei);
    }
    if (err == WEDR_OK) {
        err = wedr_fleet_string(o, "agent_version", 1, ret->agent_version,
                                sizeof(ret->agent_version), ei);
    }
    if (err == WEDR_OK && !single_line(ret->agent_version)) {
        err = wedr_fail(ei, WEDR_E_FORMAT, "\"agent_version\" holds line breaks");
    }
    if (err == WEDR_OK) {
        err = wedr_fleet_string(o, "csr_pem", 1, ret->csr_pem, sizeof(ret->csr_pem), ei);
        ret->csr_len = err == WEDR_OK ? strlen(ret->csr_pem) : 0;
    }
    if (err == WEDR_OK) {
        err = parse_hex(o, "batch_key", ret->batch_key, sizeof(ret->batch_key), ei);
    }
    if (err == WEDR_OK) {
        err = parse_hex(o, "batch_key_proof", ret->proof, sizeof(ret->proof), ei);
    }
    if (err == WEDR_OK) {
        err = parse_host(json_object_get(o, "host"), ret, ei);
    }
    json_decref(o);
    return err;
}

int wedr_fleet_proof(const struct wedr_fleet_enroll *e,
                     const struct wedr_csr *csr,
                     struct wedr_errinfo *ei)
{
    size_t n = 0;
    const uint8_t *der = wedr_csr_der(csr, &n);
    if (wedr_sign_verify(e->batch_key, der, n, e->proof) != WEDR_OK) {
        return wedr_fail(
            ei, WEDR_E_AUTH,
            "\"batch_key_proof\" is no signature of the request's DER by \"batch_key\"");
    }
    return WEDR_OK;
}

int wedr_fleet_renew_parse(const void *body,
                           size_t len,
                           char ret_csr_pem[WEDR_CSR_PEM_MAX + 1],
                           size_t *ret_len,
                           struct wedr_errinfo *ei)
{
    static const char *const keys[] = {"csr_pem"};
    json_t *o = len <= WEDR_FLEET_BODY_MAX ? wedr_fleet_load(body, len, DEPTH_MAX, ei) : NULL;
    if (!o) {
        return WEDR_E_FORMAT;
    }
    int err = wedr_fleet_known(o, keys, WEDR_ARRAY_COUNT(keys), ei);
    if (err == WEDR_OK) {
        err = wedr_fleet_string(o, "csr_pem", 1, ret_csr_pem, WEDR_CSR_PEM_MAX + 1, ei);
    }
    if (err == WEDR_OK) {
        *ret_len = strlen(ret_csr_pem);
    }
    json_decref(o);
    return err;
}

/* Decimal digits alone. */
static bool parse_u64(const char *s, uint64_t *ret)
{
    uint64_t v = 0;
    size_t n = s ? strlen(s) : 0;
    if (n == 0 || n > 20 || (n > 1 && s[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned d = (unsigned)(unsigned char)s[i] - '0';
        if (d > 9 || v > (UINT64_MAX - d) / 10) {
            return false;
        }
        v = v * 10 + d;
    }
    *ret = v;
    return true;
}

static int parse_numbers(const char *(*get)(const void *arg, const char *name),
                         const void *arg,
                         struct wedr_batch_id *id,
                         struct wedr_errinfo *ei)
{
    uint64_t count = 0;
    const struct {
        const char *name;
        uint64_t *value;
    } numbers[] = {
        {WEDR_HDR_FIRST_SEQ, &id->first_seq},
        {WEDR_HDR_LAST_SEQ, &id->last_seq},
        {WEDR_HDR_COUNT, &count},
        {WEDR_HDR_PRODUCED, &id->produced},
        {WEDR_HDR_LOST, &id->lost},
    };
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(numbers); i++) {
        if (!parse_u64(get(arg, numbers[i].name), numbers[i].value)) {
            return wedr_fail(ei, WEDR_E_FORMAT, "%s must be given once, as a decimal number",
                             numbers[i].name);
        }
    }
    if (count > WEDR_BATCH_LINES_MAX) {
        return wedr_fail(ei, WEDR_E_RANGE, "%s is above %u", WEDR_HDR_COUNT, WEDR_BATCH_LINES_MAX);
    }
    id->count = (uint32_t)count;
    return WEDR_OK;
}

int wedr_fleet_batch_parse(const char *(*get)(const void *arg, const char *name),
                           const void *arg,
                           struct wedr_batch_id *ret_id,
                           uint8_t ret_signature[WEDR_BATCH_SIG_LEN],
                           struct wedr_errinfo *ei)
{
    struct wedr_batch_id id;
    uint8_t signature[WEDR_BATCH_SIG_LEN];
    memset(&id, 0, sizeof(id));
    const char *epoch = get(arg, WEDR_HDR_EPOCH), *boot = get(arg, WEDR_HDR_BOOT_ID),
               *stream = get(arg, WEDR_HDR_STREAM);
    const char *sha = get(arg, WEDR_HDR_SHA256), *sig = get(arg, WEDR_HDR_SIGNATURE);
    if (!epoch || !wedr_fleet_hex64(epoch, &id.epoch)) {
        return wedr_fail(ei, WEDR_E_FORMAT, "%s must be given once, as 16 lower-case hex digits",
                         WEDR_HDR_EPOCH);
    }
    if (!boot || wedr_unhex(boot, strlen(boot), id.boot_id, sizeof(id.boot_id)) != WEDR_OK) {
        return wedr_fail(ei, WEDR_E_FORMAT, "%s must be given once, as 32 hex digits",
                         WEDR_HDR_BOOT_ID);
    }
    if (!stream || !wedr_stream_name_valid(stream, strlen(stream))) {
        return wedr_fail(ei, WEDR_E_FORMAT, "%s must be given once, as a stream's name",
                         WEDR_HDR_STREAM);
    }
    memcpy(id.stream, stream, strlen(stream) + 1);
    if (!sha || wedr_unhex(sha, strlen(sha), id.sha256, sizeof(id.sha256)) != WEDR_OK) {
        return wedr_fail(ei, WEDR_E_FORMAT, "%s must be given once, as 64 hex digits",
                         WEDR_HDR_SHA256);
    }
    if (!sig || wedr_unhex(sig, strlen(sig), signature, sizeof(signature)) != WEDR_OK) {
        return wedr_fail(ei, WEDR_E_FORMAT, "%s must be given once, as 128 hex digits",
                         WEDR_HDR_SIGNATURE);
    }
    int err = parse_numbers(get, arg, &id, ei);
    if (err != WEDR_OK) {
        return err;
    }
    err = wedr_batch_id_check(&id);
    if (err != WEDR_OK) {
        return wedr_fail(ei, err, "the batch's numbers contradict each other");
    }
    *ret_id = id;
    memcpy(ret_signature, signature, sizeof(signature));
    return WEDR_OK;
}

int wedr_fleet_batch_verify(const char *agent_id,
                            const uint8_t sign_public[WEDR_SIGN_PUBLIC_LEN],
                            const struct wedr_batch_id *id,
                            const uint8_t signature[WEDR_BATCH_SIG_LEN])
{
    char hex[33];
    uint8_t raw[WEDR_AGENT_ID_LEN], text[WEDR_BATCH_SIGNED_LEN];
    size_t n = 0;
    for (const char *p = agent_id; *p && n < sizeof(hex) - 1; p++) {
        if (*p != '-') {
            hex[n++] = *p;
        }
    }
    hex[n] = '\0';
    int err = wedr_unhex(hex, n, raw, sizeof(raw));
    if (err != WEDR_OK) {
        return err;
    }
    wedr_batch_signed_bytes(raw, id, text);
    return wedr_sign_verify(sign_public, text, sizeof(text), signature);
}

void wedr_fleet_new_id(char ret_id[WEDR_AGENT_ID_TEXT])
{
    uint8_t b[WEDR_AGENT_ID_LEN];
    char h[33];
    wedr_random(b, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    wedr_hex(b, sizeof(b), h);
    (void)snprintf(ret_id, WEDR_AGENT_ID_TEXT, "%.8s-%.4s-%.4s-%.4s-%.12s", h, h + 8, h + 12,
                   h + 16, h + 20);
}
