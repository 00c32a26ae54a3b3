/* SPDX-License-Identifier: Apache-2.0 */
#include "keyfile.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/pki.h"
#include <stdio.h>
#include <string.h>

#define PATH_BYTES 4096u
#define FILE_MAX 256u
#define HEX_LEN ((size_t)2 * WEDR_BUNDLE_PUBLIC_KEY_LEN)

static int
write_new(const char *path, const void *p, size_t n, uint32_t mode, struct wedr_errinfo *ei)
{
    wedr_handle h = WEDR_HANDLE_NONE;
    int r = wedr_fs_open(path, WEDR_FS_WRITE | WEDR_FS_CREATE | WEDR_FS_EXCL, mode, &h);
    if (r == WEDR_OK) {
        r = wedr_fs_write(h, p, n);
    }
    if (r == WEDR_OK) {
        r = wedr_fs_sync(h);
    }
    wedr_fs_close(h);
    return r == WEDR_OK ? r : wedr_fail(ei, r, "%.200s: %s", path, wedr_err_text(r));
}

int wedr_keyfile_new(const char *path,
                     uint8_t ret_public[WEDR_BUNDLE_PUBLIC_KEY_LEN],
                     struct wedr_errinfo *ei)
{
    uint8_t secret[WEDR_BUNDLE_SECRET_KEY_LEN];
    char hex[HEX_LEN + 2];
    char pub[PATH_BYTES];
    int n = snprintf(pub, sizeof(pub), "%s.pub", path);
    if (n < 0 || (size_t)n >= sizeof(pub)) {
        return wedr_fail(ei, WEDR_E_LIMIT, "path longer than 4,090 bytes");
    }
    wedr_sign_keypair(ret_public, secret);
    for (size_t i = 0; i < WEDR_BUNDLE_PUBLIC_KEY_LEN; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", ret_public[i]);
    }
    hex[HEX_LEN] = '\n';
    int r = write_new(path, secret, sizeof(secret), 0600, ei);
    wedr_wipe(secret, sizeof(secret));
    return r == WEDR_OK ? write_new(pub, hex, HEX_LEN + 1, 0644, ei) : r;
}

/* The whole file; *ret_len at most FILE_MAX. */
static int
read_file(const char *path, uint8_t ret_bytes[FILE_MAX], size_t *ret_len, struct wedr_errinfo *ei)
{
    wedr_handle h = WEDR_HANDLE_NONE;
    int r = wedr_fs_open(path, WEDR_FS_READ, 0, &h);
    if (r == WEDR_OK) {
        r = wedr_fs_read(h, ret_bytes, FILE_MAX, ret_len);
    }
    wedr_fs_close(h);
    return r == WEDR_OK ? r : wedr_fail(ei, r, "%.200s: %s", path, wedr_err_text(r));
}

int wedr_keyfile_secret(const char *path,
                        uint8_t ret_secret[WEDR_BUNDLE_SECRET_KEY_LEN],
                        struct wedr_errinfo *ei)
{
    uint8_t bytes[FILE_MAX];
    size_t len = 0;
    int r = read_file(path, bytes, &len, ei);
    if (r == WEDR_OK && len != WEDR_BUNDLE_SECRET_KEY_LEN) {
        r = wedr_fail(ei, WEDR_E_FORMAT, "%.200s: a secret key has 64 bytes", path);
    }
    if (r == WEDR_OK) {
        memcpy(ret_secret, bytes, WEDR_BUNDLE_SECRET_KEY_LEN);
    }
    wedr_wipe(bytes, sizeof(bytes));
    return r;
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Tells a public key in text from a secret key: both have 64 bytes, and of the secret ones about
 * one in twelve begins with a digit; all 64 digits is one in 10^68. */
static bool all_hex(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (hex_digit(p[i]) < 0) {
            return false;
        }
    }
    return true;
}

int wedr_keyfile_public(const char *path,
                        uint8_t ret_public[WEDR_BUNDLE_PUBLIC_KEY_LEN],
                        struct wedr_errinfo *ei)
{
    uint8_t bytes[FILE_MAX];
    uint8_t key[WEDR_BUNDLE_PUBLIC_KEY_LEN];
    size_t len = 0;
    int r = read_file(path, bytes, &len, ei);
    if (r != WEDR_OK) {
        return r;
    }
    if (len == WEDR_BUNDLE_SECRET_KEY_LEN && !all_hex(bytes, len)) {
        memcpy(ret_public, bytes + len - WEDR_BUNDLE_PUBLIC_KEY_LEN, WEDR_BUNDLE_PUBLIC_KEY_LEN);
        wedr_wipe(bytes, sizeof(bytes));
        return WEDR_OK;
    }
    while (len > 0 && (bytes[len - 1] == '\n' || bytes[len - 1] == '\r' || bytes[len - 1] == ' ')) {
        len--;
    }
    bool good = len == HEX_LEN;
    for (size_t i = 0; good && i < sizeof(key); i++) {
        int high = hex_digit(bytes[2 * i]);
        int low = hex_digit(bytes[2 * i + 1]);
        good = high >= 0 && low >= 0;
        key[i] = (uint8_t)(good ? high * 16 + low : 0);
    }
    if (!good) {
        return wedr_fail(ei, WEDR_E_FORMAT, "%.200s: a public key has 64 hexadecimal digits", path);
    }
    memcpy(ret_public, key, sizeof(key));
    return WEDR_OK;
}
