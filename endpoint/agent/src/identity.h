/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/identity.h — <state>/identity: who this agent is. Files of root, 0600, in a
 * folder 0700, opened without following links. Only the holder and the command `enroll` touch it;
 * net gets handles. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/pki.h"
#include "wedr/wire/batch.h"
#include <stdbool.h>
#include <stdint.h>

#define WEDR_IDENTITY_DIR "identity"
#define WEDR_IDENTITY_FILE_MAX 16383u

struct wedr_identity {
    char agent_id[WEDR_AGENT_ID_TEXT];
    uint8_t agent_id_bytes[WEDR_AGENT_ID_LEN];
    char server_url[512];
    uint8_t sign_secret[WEDR_SIGN_SECRET_LEN]; /* wiped by wedr_identity_wipe */
};

/* Texts for wedr_identity_store; NUL-terminated. */
struct wedr_identity_files {
    const char *agent_id, *server_url, *tls_key, *tls_crt, *ca_pem;
    const char *rules_key;   /* 64 hex digits; NULL or "": the server signs no rules */
    const char *command_key; /* the same for commands */
    uint8_t sign_secret[WEDR_SIGN_SECRET_LEN];
};

/* 36 characters, lower-case hex and '-' at their places. WEDR_E_FORMAT otherwise. */
WEDR_MUST_USE int wedr_agent_id_parse(const char *text, uint8_t ret[WEDR_AGENT_ID_LEN]);

/* WEDR_E_NOENT: not enrolled. WEDR_E_PERM: owner or mode is wrong. WEDR_E_CORRUPT: a file is not
 * what it should be. */
WEDR_MUST_USE int
wedr_identity_load(const char *state_dir, struct wedr_identity *ret, struct wedr_errinfo *ei);
void wedr_identity_wipe(struct wedr_identity *id);
/* One file of the folder for reading ("tls.key", "tls.crt", "ca.pem"), checked as above. */
WEDR_MUST_USE int wedr_identity_open(const char *state_dir, const char *name, wedr_handle *ret);
/* The same, read: at most WEDR_IDENTITY_FILE_MAX bytes, no NUL inside. */
WEDR_MUST_USE int wedr_identity_read(const char *state_dir, const char *name, struct wedr_buf *ret);
/* Writes all files; agent_id last, so that a half-written identity counts as none. */
WEDR_MUST_USE int wedr_identity_store(const char *state_dir,
                                      const struct wedr_identity_files *f,
                                      struct wedr_errinfo *ei);
/* Replaces one file atomically. */
WEDR_MUST_USE int
wedr_identity_replace(const char *state_dir, const char *name, const char *text, size_t len);
/* Gives a file of the folder the name of another, durably. */
WEDR_MUST_USE int wedr_identity_rename(const char *state_dir, const char *from, const char *to);
/* Removes one file, when it is there. */
void wedr_identity_discard(const char *state_dir, const char *name);
/* Forgets who it was, and the rules of the server: agent_id goes first. */
WEDR_MUST_USE int wedr_identity_remove(const char *state_dir);
