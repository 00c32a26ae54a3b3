/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/state.h — state of the server: agents, enrolment tokens, heartbeats; rules
 * (state_rules.h), what they found (state_detect.h), what people make of it (state_triage.h), what
 * they tell agents to do (state_command.h).
 * Backends: SQLite (state.db, versioned migrations); PostgreSQL later. Thread-safe: calls are
 * serialised inside; each is durable when it returns.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "store/state_command.h"
#include "store/state_detect.h"
#include "store/state_people.h"
#include "store/state_rules.h"
#include "store/state_triage.h"
#include "wedr/wire/batch.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wedr_state;

struct wedr_agent_row {
    char agent_id[WEDR_AGENT_ID_TEXT];
    char hostname[256];
    char os[64], os_version[128], agent_version[64];
    char cert_sha256[65];      /* fingerprint of the certificate that is valid now */
    char cert_sha256_next[65]; /* issued by a renewal, not used yet; "" when none */
    uint8_t sign_public[32];   /* Ed25519 key that signs its batches */
    int64_t enrolled_us, last_seen_us;
    bool revoked;
    char address[48]; /* of its last heartbeat; "" not known */
};

struct wedr_agent_stream_row {
    uint64_t epoch;
    char stream[WEDR_STREAM_NAME_MAX];
    uint64_t in_flight;
};

struct wedr_state_ops {
    const char *name;
    const struct wedr_state_rules_ops *rules;
    const struct wedr_state_detect_ops *detect;
    const struct wedr_state_people_ops *people;
    const struct wedr_state_triage_ops *triage;
    const struct wedr_state_command_ops *command;
    int (*open)(const char *data_dir, struct wedr_state **ret, struct wedr_errinfo *ei);
    void (*close)(struct wedr_state *s);
    /* Stores only a keyed hash of the token text. Its agents get the group "default". */
    int (*token_add)(struct wedr_state *s, const char *token, uint32_t uses, int64_t expires_us);
    /* Takes one use, atomically, and adds (or, for an agent_id that exists, replaces) the agent in
     * the same transaction. WEDR_E_AUTH: unknown, used up or expired token. */
    int (*enroll)(struct wedr_state *s,
                  const char *token,
                  int64_t now_us,
                  const struct wedr_agent_row *agent);
    /* Renewal by a known agent: its next certificate. */
    int (*agent_renew)(struct wedr_state *s, const char *agent_id, const char *cert_sha256_next);
    /* The next certificate was used: it becomes the current one. */
    int (*agent_cert_used)(struct wedr_state *s, const char *agent_id, const char *cert_sha256);
    int (*agent_get)(struct wedr_state *s,
                     const char *agent_id,
                     struct wedr_agent_row *ret); /* WEDR_E_NOENT */
    /* status_json: the heartbeat's health object as text, at most 16 KiB. */
    int (*heartbeat)(struct wedr_state *s,
                     const char *agent_id,
                     int64_t now_us,
                     const char *agent_version,
                     const char *status_json,
                     const struct wedr_agent_stream_row *streams,
                     size_t count);
};
extern const struct wedr_state_ops wedr_state_sqlite;
