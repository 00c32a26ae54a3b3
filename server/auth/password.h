/* SPDX-License-Identifier: Apache-2.0
 * server/auth/password.h — argon2id (libsodium) and one-time passwords. A hash takes 64 MiB and
 * about a tenth of a second: never on the listener's threads. Thread-safe. */
#pragma once

#include "core/base/attr.h"
#include <stdbool.h>
#include <stddef.h>

#define WEDR_PASSWORD_MIN 12u
#define WEDR_PASSWORD_MAX 256u      /* bytes */
#define WEDR_PASSWORD_HASH_LEN 128u /* text with NUL */
#define WEDR_PASSWORD_ONCE_LEN 24u  /* of a one-time password, with NUL */

/* WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_password_hash(const char *password, char ret[WEDR_PASSWORD_HASH_LEN]);
/* hash NULL: takes as long as with one and is false, so that time does not tell whether a user
 * exists. */
bool wedr_password_verify(const char *hash, const char *password);
/* Four groups of five letters and digits: 99 bits. A secret: wipe. */
void wedr_password_once(char ret[WEDR_PASSWORD_ONCE_LEN]);
/* NULL, or why a person may not choose this password: too short, too long, the name in it. */
const char *wedr_password_refused(const char *password, const char *username);
