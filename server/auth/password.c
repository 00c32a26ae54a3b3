/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/password.h"
#include "core/base/err.h"
#include <sodium.h>
#include <string.h>

_Static_assert(WEDR_PASSWORD_HASH_LEN >= crypto_pwhash_STRBYTES, "the hash's text fits");

int wedr_password_hash(const char *password, char ret[WEDR_PASSWORD_HASH_LEN])
{
    memset(ret, 0, WEDR_PASSWORD_HASH_LEN);
    return crypto_pwhash_str_alg(
               ret, password, strlen(password), crypto_pwhash_OPSLIMIT_INTERACTIVE,
               crypto_pwhash_MEMLIMIT_INTERACTIVE, crypto_pwhash_ALG_ARGON2ID13) == 0
               ? WEDR_OK
               : WEDR_E_NOMEM;
}

bool wedr_password_verify(const char *hash, const char *password)
{
    char unused[WEDR_PASSWORD_HASH_LEN];
    if (!hash) {
        (void)!wedr_password_hash(password, unused);
        return false;
    }
    return crypto_pwhash_str_verify(hash, password, strlen(password)) == 0;
}

void wedr_password_once(char ret[WEDR_PASSWORD_ONCE_LEN])
{
    static const char letters[] = "abcdefghjkmnpqrstuvwxyz23456789"; /* none that look alike */
    for (size_t i = 0; i + 1 < WEDR_PASSWORD_ONCE_LEN; i++) {
        ret[i] = letters[randombytes_uniform(sizeof(letters) - 1)];
    }
    ret[5] = ret[11] = ret[17] = '-';
    ret[WEDR_PASSWORD_ONCE_LEN - 1] = '\0';
}

const char *wedr_password_refused(const char *password, const char *username)
{
    size_t len = strlen(password), same = 0;
    if (len < WEDR_PASSWORD_MIN) {
        return "the password must have 12 characters or more";
    }
    if (len > WEDR_PASSWORD_MAX) {
        return "the password must have 256 bytes or fewer";
    }
    if (strlen(username) >= 3 && strstr(password, username)) {
        return "the password must not hold the user name";
    }
    for (size_t i = 1; i < len; i++) {
        same += password[i] == password[0] ? 1 : 0;
    }
    return same == len - 1 ? "the password must not be one character again and again" : NULL;
}
