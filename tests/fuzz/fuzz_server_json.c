/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_server_json.c — bodies of enrolment, renewal, heartbeat, answers to commands and
 * alerts as the server reads them, and the certificate request in them. */
#include "auth/ca.h"
#include "core/base/err.h"
#include "fleet/command_payload.h"
#include "fleet/control.h"
#include "fleet/fleet.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wedr_fleet_enroll enroll;
static struct wedr_fleet_heartbeat heartbeat;
static char csr_pem[WEDR_CSR_PEM_MAX + 1];
static struct wedr_fleet_ack ack;
static struct wedr_fleet_alerts alerts;

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

static void try_control(const uint8_t *data, size_t size)
{
    struct wedr_errinfo ei = {""};
    if (wedr_fleet_ack_parse(data, size, &ack, &ei) == WEDR_OK) {
        check_text(ack.result, sizeof(ack.result));
        if (ack.result[0] != '{') {
            abort();
        }
    }
    if (wedr_fleet_alerts_parse("agent", data, size, &alerts, &ei) == WEDR_OK) {
        for (size_t i = 0; i < alerts.count; i++) {
            const struct wedr_fleet_alert *a = &alerts.v[i];
            if (strlen(a->id) != 32 || !a->rule_id[0] || !a->severity || a->evidence[0] != '{' ||
                strlen(a->evidence) > WEDR_FLEET_EVIDENCE_MAX) {
                abort();
            }
        }
        wedr_fleet_alerts_fini(&alerts);
    }
}

/* What a heartbeat said is read again when somebody sends a command. */
static void try_target(const char *status_json)
{
    struct wedr_command_target t;
    wedr_command_target_read(status_json, &t);
    if ((t.boot_id[0] && strlen(t.boot_id) != 32) || (t.takes && !t.named)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wedr_errinfo ei = {""};
    size_t len = 0;
    try_control(data, size);
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
        try_target(heartbeat.status_json);
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
