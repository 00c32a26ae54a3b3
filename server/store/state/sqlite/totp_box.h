/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/state/sqlite/totp_box.h — secrets of second factors as they lie in state.db: sealed
 * with the key of <data>/totp.key, which is in no backup. Who copies the database, or a backup,
 * cannot make codes.
 */
#pragma once

#include "core/util/errinfo.h"
#include "store/state/sqlite/db.h"
#include "store/state_people.h"

/* nonce, authenticator, user id, secret */
#define WEDR_TOTP_BOX_LEN (24u + 16u + 8u + WEDR_TOTP_SECRET_LEN)

/* For the user with this id alone. */
WEDR_MUST_USE int wedr_totp_seal(const struct wedr_state *s,
                                 int64_t user_id,
                                 const uint8_t secret[WEDR_TOTP_SECRET_LEN],
                                 uint8_t ret[WEDR_TOTP_BOX_LEN]);
/* False: it was sealed with another key, for another user, or is no box. ret is then random: no
 * code fits it. */
bool wedr_totp_unseal(const struct wedr_state *s,
                      int64_t user_id,
                      const void *box,
                      size_t len,
                      uint8_t ret[WEDR_TOTP_SECRET_LEN]);
/* At the start: seals what an older release left unsealed, and says in the log how many cannot be
 * opened. */
WEDR_MUST_USE int wedr_totp_seal_old(struct wedr_state *s, struct wedr_errinfo *ei);
