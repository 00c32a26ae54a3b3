/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_server_json.c — bodies of enrolment, renewal and heartbeat as the server reads
 * them, and the certificate request in them. */
#include "auth/ca.h"
#include "core/base/err.h"
#include "fleet/fleet.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wedr_fleet_enroll enroll;
static struct wedr_fleet_heartbeat heartbeat;
static char csr_pem[WEDR_CSR_PEM_MAX + 1];

static void check_text(const char *s, size_t cap)
{
    if (memchr(s, 0, cap) == NULL) {
        abort();
    }
}

static void try_csr(const char *pem, size_t len)
{
    struct wedr_csr *csr = NULL;
    struct wedr_errinfo ei = {""};
    size_t n = 0;
    if (wedr_csr_parse(pem, len, &csr, &ei) != WEDR_OK) {
        if (csr || !ei.text[0]) {
            abort();
        }
        return;
    }
    if (!wedr_csr_der(csr, &n) || n == 0) {
        abort();
    }
    (void)!wedr_fleet_proof(&enroll, csr, &ei);
    wedr_csr_free(csr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wedr_errinfo ei = {""};
    size_t len = 0;
    if (wedr_fleet_enroll_parse(data, size, &enroll, &ei) == WEDR_OK) {
        check_text(enroll.token, sizeof(enroll.token));
        check_text(enroll.hostname, sizeof(enroll.hostname));
        if (enroll.token[0] == '\0' || enroll.hostname[0] == '\0' ||
            strlen(enroll.csr_pem) != enroll.csr_len) {
            abort();
        }
        try_csr(enroll.csr_pem, enroll.csr_len);
    } else if (!ei.text[0]) {
        abort();
    }
    if (wedr_fleet_renew_parse(data, size, csr_pem, &len, &ei) == WEDR_OK) {
        try_csr(csr_pem, len);
    }
    if (wedr_fleet_heartbeat_parse(data, size, &heartbeat, &ei) == WEDR_OK) {
        check_text(heartbeat.status_json, sizeof(heartbeat.status_json));
        if (heartbeat.stream_count > WEDR_FLEET_STREAMS_MAX || heartbeat.status_json[0] != '{') {
            abort();
        }
        for (size_t i = 0; i < heartbeat.stream_count; i++) {
            const struct wedr_agent_stream_row *r = &heartbeat.streams[i];
            if (r->epoch == 0 || !wedr_stream_name_valid(r->stream, strlen(r->stream))) {
                abort();
            }
        }
    }
    try_csr((const char *)data, size);
    return 0;
}
