/* SPDX-License-Identifier: Apache-2.0
 * rules/src/bundle/check.c — the header, the signature, the checksum: all that a process with
 * rights looks at. */
#include "bundle/bundle.h"
#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/util/sha256.h"
#include "wedr/rules/settings.h"
#include <sodium.h>
#include <string.h>

static bool profile_ok(const uint8_t *p)
{
    size_t len = 0;
    while (len < WEDR_BUNDLE_PROFILE_MAX && p[len] >= 0x20 && p[len] <= 0x7E) {
        len++;
    }
    size_t rest = len;
    while (rest < WEDR_BUNDLE_PROFILE_MAX && p[rest] == 0) {
        rest++;
    }
    return len > 0 && len < WEDR_BUNDLE_PROFILE_MAX && rest == WEDR_BUNDLE_PROFILE_MAX;
}

int wedr_bundle_read_header(const void *bytes,
                            size_t len,
                            struct wedr_bundle_info *ret_info,
                            struct wedr_errinfo *ei)
{
    const uint8_t *h = bytes;
    struct wedr_bundle_info info = {.len = len};
    if (len < WEDR_BUNDLE_HEADER_LEN + WEDR_BUNDLE_SIGNATURE_LEN ||
        memcmp(h + WEDR_BUNDLE_AT_MAGIC, WEDR_BUNDLE_MAGIC, 8) != 0) {
        return wedr_fail(ei, WEDR_E_FORMAT, "not a rule bundle");
    }
    info.format = wedr_le32(h + WEDR_BUNDLE_AT_FORMAT);
    if (info.format < WEDR_BUNDLE_FORMAT_MIN || info.format > WEDR_BUNDLE_FORMAT) {
        return wedr_fail(ei, WEDR_E_VERSION,
                         "a rule bundle of format %u; this program reads %u to %u",
                         (unsigned)info.format, WEDR_BUNDLE_FORMAT_MIN, WEDR_BUNDLE_FORMAT);
    }
    if (len > WEDR_BUNDLE_MAX || wedr_le32(h + WEDR_BUNDLE_AT_BODY_LEN) !=
                                     len - WEDR_BUNDLE_HEADER_LEN - WEDR_BUNDLE_SIGNATURE_LEN) {
        return wedr_fail(ei, WEDR_E_FORMAT, "a rule bundle that is cut off or too long");
    }
    if (!profile_ok(h + WEDR_BUNDLE_AT_PROFILE)) {
        return wedr_fail(ei, WEDR_E_FORMAT, "a rule bundle whose profile has no proper name");
    }
    info.serial = wedr_le64(h + WEDR_BUNDLE_AT_SERIAL);
    info.policy = wedr_le32(h + WEDR_BUNDLE_AT_POLICY);
    info.rules = wedr_le32(h + WEDR_BUNDLE_AT_RULES);
    memcpy(info.profile, h + WEDR_BUNDLE_AT_PROFILE, sizeof(info.profile));
    *ret_info = info;
    return WEDR_OK;
}

int wedr_bundle_check_body(const void *bytes, size_t len, struct wedr_errinfo *ei)
{
    const uint8_t *h = bytes;
    uint8_t hash[WEDR_SHA256_LEN];
    wedr_sha256(h + WEDR_BUNDLE_HEADER_LEN,
                len - WEDR_BUNDLE_HEADER_LEN - WEDR_BUNDLE_SIGNATURE_LEN, hash);
    return memcmp(hash, h + WEDR_BUNDLE_AT_HASH, sizeof(hash)) == 0
               ? WEDR_OK
               : wedr_fail(ei, WEDR_E_CORRUPT, "a rule bundle whose checksum is wrong");
}

int wedr_bundle_peek(const void *bytes,
                     size_t len,
                     struct wedr_bundle_info *ret_info,
                     struct wedr_errinfo *ei)
{
    struct wedr_bundle_info info;
    int r = wedr_bundle_read_header(bytes, len, &info, ei);
    r = r < 0 ? r : wedr_bundle_check_body(bytes, len, ei);
    if (r == WEDR_OK) {
        wedr_sha256(bytes, len, info.sha256);
        *ret_info = info;
    }
    return r;
}

int wedr_bundle_check(const void *bytes,
                      size_t len,
                      const uint8_t public_key[WEDR_BUNDLE_PUBLIC_KEY_LEN],
                      struct wedr_bundle_info *ret_info,
                      struct wedr_errinfo *ei)
{
    _Static_assert(crypto_sign_BYTES == WEDR_BUNDLE_SIGNATURE_LEN &&
                       crypto_sign_PUBLICKEYBYTES == WEDR_BUNDLE_PUBLIC_KEY_LEN &&
                       crypto_sign_SECRETKEYBYTES == WEDR_BUNDLE_SECRET_KEY_LEN,
                   "Ed25519 as libsodium has it");
    const uint8_t *h = bytes;
    struct wedr_bundle_info info;
    int r = wedr_bundle_read_header(bytes, len, &info, ei);
    if (r < 0) {
        return r;
    }
    size_t signed_len = len - WEDR_BUNDLE_SIGNATURE_LEN;
    if (crypto_sign_verify_detached(h + signed_len, h, signed_len, public_key) != 0) {
        return wedr_fail(ei, WEDR_E_AUTH, "a rule bundle that this server did not sign");
    }
    return wedr_bundle_peek(bytes, len, ret_info, ei);
}

int wedr_bundle_settings(const void *bytes, size_t len, const char **ret, size_t *ret_len)
{
    const uint8_t *body = (const uint8_t *)bytes + WEDR_BUNDLE_HEADER_LEN;
    size_t body_len = len - WEDR_BUNDLE_HEADER_LEN - WEDR_BUNDLE_SIGNATURE_LEN;
    uint32_t format = wedr_le32((const uint8_t *)bytes + WEDR_BUNDLE_AT_FORMAT);
    *ret = NULL;
    *ret_len = 0;
    if (format < WEDR_BUNDLE_FORMAT_SETTINGS) {
        return WEDR_OK;
    }
    if (body_len < WEDR_BUNDLE_SETTINGS_AT || wedr_le32(body) > WEDR_SETTINGS_TEXT_MAX ||
        wedr_le32(body) > body_len - WEDR_BUNDLE_SETTINGS_AT) {
        return WEDR_E_FORMAT;
    }
    *ret = (const char *)body + WEDR_BUNDLE_SETTINGS_AT;
    *ret_len = wedr_le32(body);
    return WEDR_OK;
}
