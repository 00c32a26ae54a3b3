/* SPDX-License-Identifier: Apache-2.0
 * server/auth/totp.h — time-based one-time codes (RFC 6238: SHA-1, 30 s, 6 digits, as every
 * authenticator knows them) and recovery codes. Thread-safe, no state. */
#pragma once

#include "core/base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_TOTP_STEP_S 30
#define WEDR_TOTP_BASE32_LEN 33u   /* of 20 bytes, with NUL */
#define WEDR_RECOVERY_CODE_LEN 12u /* "ABCDE-FGHIJ" with NUL */

/* The code of one step: six digits and a NUL. WEDR_E_BUG when the library fails. */
WEDR_MUST_USE int wedr_totp_code(const uint8_t *secret, size_t len, int64_t step, char ret_code[7]);
/* Looks at the steps before, at and after now_s; those up to last_step were used. True: *ret_step
 * is the one that fits. */
bool wedr_totp_check(const uint8_t *secret,
                     size_t len,
                     const char *code,
                     int64_t now_s,
                     int64_t last_step,
                     int64_t *ret_step);
/* Base32 without padding; cap holds (8 * len + 4) / 5 + 1. */
void wedr_base32(const uint8_t *p, size_t len, char *ret, size_t cap);
/* 50 random bits as two groups of five letters and digits. A secret: wipe. */
void wedr_recovery_code(char ret[WEDR_RECOVERY_CODE_LEN]);
/* As people type it: any case, with or without the dash and blanks. False: not such a code. */
bool wedr_recovery_normal(const char *typed, char ret[WEDR_RECOVERY_CODE_LEN]);
