/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/totp.h"
#include "core/base/err.h"
#include "core/util/sha256.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

int wedr_totp_code(const uint8_t *secret, size_t len, int64_t step, char ret_code[7])
{
    uint8_t counter[8], mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    for (unsigned i = 0; i < 8; i++) {
        counter[i] = (uint8_t)((uint64_t)step >> (56 - 8 * i));
    }
    if (!HMAC(EVP_sha1(), secret, (int)len, counter, sizeof(counter), mac, &mac_len) ||
        mac_len != 20) {
        return WEDR_E_BUG;
    }
    unsigned at = mac[19] & 15u;
    uint32_t v = (uint32_t)(mac[at] & 127u) << 24 | (uint32_t)mac[at + 1] << 16 |
                 (uint32_t)mac[at + 2] << 8 | mac[at + 3];
    (void)snprintf(ret_code, 7, "%06u", v % 1000000u);
    sodium_memzero(mac, sizeof(mac));
    return WEDR_OK;
}

bool wedr_totp_check(const uint8_t *secret,
                     size_t len,
                     const char *code,
                     int64_t now_s,
                     int64_t last_step,
                     int64_t *ret_step)
{
    char good[7];
    bool found = false;
    if (strlen(code) != 6) {
        return false;
    }
    for (int64_t step = now_s / WEDR_TOTP_STEP_S - 1; step <= now_s / WEDR_TOTP_STEP_S + 1;
         step++) {
        if (wedr_totp_code(secret, len, step, good) == WEDR_OK &&
            sodium_memcmp(good, code, 6) == 0 && step > last_step && !found) {
            *ret_step = step;
            found = true;
        }
    }
    return found;
}

void wedr_base32(const uint8_t *p, size_t len, char *ret, size_t cap)
{
    size_t n = 0;
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | p[i];
        for (have += 8; have >= 5 && n + 1 < cap; have -= 5) {
            ret[n++] = base32[bits >> (have - 5) & 31u];
        }
    }
    if (have && n + 1 < cap) {
        ret[n++] = base32[bits << (5 - have) & 31u];
    }
    ret[n] = '\0';
}

void wedr_recovery_code(char ret[WEDR_RECOVERY_CODE_LEN])
{
    uint8_t raw[10];
    wedr_random(raw, sizeof(raw));
    for (size_t i = 0; i < 10; i++) {
        ret[i + (i >= 5 ? 1 : 0)] = base32[raw[i] & 31u];
    }
    ret[5] = '-';
    ret[11] = '\0';
    sodium_memzero(raw, sizeof(raw));
}

bool wedr_recovery_normal(const char *typed, char ret[WEDR_RECOVERY_CODE_LEN])
{
    size_t n = 0;
    for (; *typed; typed++) {
        char c = *typed;
        if (c >= 'a' && c <= 'z') {
            c = (char)(c - 32);
        }
        if (c == '-' || c == ' ') {
            continue;
        }
        if (!memchr(base32, c, 32) || n == 10) {
            return false;
        }
        ret[n + (n >= 5 ? 1 : 0)] = c;
        n++;
    }
    ret[5] = '-';
    ret[11] = '\0';
    return n == 10;
}
