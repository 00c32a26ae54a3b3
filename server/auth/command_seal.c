/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/command_seal.h"
#include "core/base/err.h"
#include <sodium.h>

_Static_assert(WEDR_SEALED_TEXT >=
                   sodium_base64_ENCODED_LEN(WEDR_COMMAND_MAX, sodium_base64_VARIANT_ORIGINAL),
               "the longest command fits");
_Static_assert(WEDR_SEALED_SIG_TEXT >=
                   sodium_base64_ENCODED_LEN(WEDR_SIGN_LEN, sodium_base64_VARIANT_ORIGINAL),
               "a signature fits");

int wedr_command_seal(const uint8_t secret[WEDR_SIGN_SECRET_LEN],
                      const struct wedr_command *c,
                      struct wedr_sealed_command *ret)
{
    uint8_t bytes[WEDR_COMMAND_MAX], signature[WEDR_SIGN_LEN];
    size_t n = 0;
    int err = wedr_command_encode(c, bytes, &n);
    if (err != WEDR_OK) {
        return err;
    }
    wedr_sign(secret, bytes, n, signature);
    (void)sodium_bin2base64(ret->bytes, sizeof(ret->bytes), bytes, n,
                            sodium_base64_VARIANT_ORIGINAL);
    (void)sodium_bin2base64(ret->signature, sizeof(ret->signature), signature, sizeof(signature),
                            sodium_base64_VARIANT_ORIGINAL);
    return WEDR_OK;
}
