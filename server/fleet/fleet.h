/* SPDX-License-Identifier: Apache-2.0
 *
 * server/fleet/fleet.h — what agents say about themselves: enrolment, renewal, heartbeat, batch
 * headers. Every byte is hostile; strict: unknown keys, wrong types, doubled keys and control
 * characters are errors with a reason. Pure: no store, no clock, any thread. Fuzzed.
 */
#pragma once

#include "auth/ca.h"
#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "store/state.h"
#include "wedr/plat/pki.h"
#include "wedr/wire/batch.h"
#include <stddef.h>
#include <stdint.h>

#define WEDR_FLEET_BODY_MAX 65536u
#define WEDR_FLEET_TOKEN_MAX 128u
#define WEDR_FLEET_STREAMS_MAX 64u
#define WEDR_FLEET_STATUS_MAX 16384u

struct wedr_fleet_enroll {
    char token[WEDR_FLEET_TOKEN_MAX + 1]; /* a secret: wipe */
    char hostname[256], os[64], os_version[128], agent_version[64];
    uint8_t batch_key[WEDR_SIGN_PUBLIC_LEN];
    uint8_t proof[WEDR_SIGN_LEN];
    char csr_pem[WEDR_CSR_PEM_MAX + 1];
    size_t csr_len;
};

/* WEDR_E_FORMAT. The proof is not looked at yet: see wedr_fleet_proof. */
WEDR_MUST_USE int wedr_fleet_enroll_parse(const void *body,
                                          size_t len,
                                          struct wedr_fleet_enroll *ret,
                                          struct wedr_errinfo *ei);
/* The batch key signed the CSR's DER: whoever enrols holds it. WEDR_E_AUTH. */
WEDR_MUST_USE int wedr_fleet_proof(const struct wedr_fleet_enroll *e,
                                   const struct wedr_csr *csr,
                                   struct wedr_errinfo *ei);

/* {"csr_pem"}: WEDR_E_FORMAT. */
WEDR_MUST_USE int wedr_fleet_renew_parse(const void *body,
                                         size_t len,
                                         char ret_csr_pem[WEDR_CSR_PEM_MAX + 1],
                                         size_t *ret_len,
                                         struct wedr_errinfo *ei);

struct wedr_fleet_heartbeat {
    char agent_version[64];
    char status[32];
    char status_json[WEDR_FLEET_STATUS_MAX + 1]; /* all but version and streams, compact */
    struct wedr_agent_stream_row streams[WEDR_FLEET_STREAMS_MAX];
    size_t stream_count;
};
/* WEDR_E_FORMAT, WEDR_E_LIMIT. */
WEDR_MUST_USE int wedr_fleet_heartbeat_parse(const void *body,
                                             size_t len,
                                             struct wedr_fleet_heartbeat *ret,
                                             struct wedr_errinfo *ei);

/* The X-Wedr-* headers of a batch, through `get` (NULL: absent or doubled). WEDR_E_FORMAT,
 * WEDR_E_RANGE. */
WEDR_MUST_USE int wedr_fleet_batch_parse(const char *(*get)(const void *arg, const char *name),
                                         const void *arg,
                                         struct wedr_batch_id *ret_id,
                                         uint8_t ret_signature[WEDR_BATCH_SIG_LEN],
                                         struct wedr_errinfo *ei);
/* The agent's key signed this identity. WEDR_E_AUTH, WEDR_E_FORMAT (agent_id is no UUID). */
WEDR_MUST_USE int wedr_fleet_batch_verify(const char *agent_id,
                                          const uint8_t sign_public[WEDR_SIGN_PUBLIC_LEN],
                                          const struct wedr_batch_id *id,
                                          const uint8_t signature[WEDR_BATCH_SIG_LEN]);

/* A fresh random agent id (UUID version 4, lower case). */
void wedr_fleet_new_id(char ret_id[WEDR_AGENT_ID_TEXT]);
