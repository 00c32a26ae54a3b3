/* SPDX-License-Identifier: Apache-2.0
 *
 * server/auth/rules_key.h — the Ed25519 keys that sign rule bundles and commands: made at first
 * use, <data>/pki/rules.key and command.key (0600, 64 bytes: seed and public key). Agents learn the
 * public keys when they enrol. Any thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/pki.h"
#include <stdint.h>

/* The secret key: wipe it. Safe when several processes make it at once. WEDR_E_CORRUPT: the file is
 * no such key (it is never replaced: agents know its public half). WEDR_E_PERM: others may read it.
 */
WEDR_MUST_USE int wedr_rules_key_open(const char *data_dir,
                                      uint8_t ret_secret[WEDR_SIGN_SECRET_LEN],
                                      uint8_t ret_public[WEDR_SIGN_PUBLIC_LEN],
                                      struct wedr_errinfo *ei);

/* The same for the key that signs commands to agents. */
WEDR_MUST_USE int wedr_command_key_open(const char *data_dir,
                                        uint8_t ret_secret[WEDR_SIGN_SECRET_LEN],
                                        uint8_t ret_public[WEDR_SIGN_PUBLIC_LEN],
                                        struct wedr_errinfo *ei);

/* Rules are read, compiled and stored by several programs; whoever changes or publishes them holds
 * this lock from before it reads until it has stored. Waits up to a minute: WEDR_E_BUSY. Closing
 * the handle gives it back, as the end of the process does. */
WEDR_MUST_USE int
wedr_rules_lock(const char *data_dir, wedr_handle *ret_lock, struct wedr_errinfo *ei);
