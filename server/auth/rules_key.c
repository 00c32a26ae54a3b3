/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/rules_key.h"
#include "auth/secret_file.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/time.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define KEY_TRIES 1000
#define RULES_TRIES 6000
#define LOCK_WAIT_MS 10u
#define RULES_FILE "rules.key"
#define COMMAND_FILE "command.key"

static int lock_file(wedr_handle dir, const char *name, int tries, wedr_handle *ret_lock)
{
    int err =
        wedr_fs_open_at(dir, name, WEDR_FS_READ | WEDR_FS_WRITE | WEDR_FS_CREATE, 0600, ret_lock);
    for (int i = 0; err == WEDR_OK && i < tries; i++) {
        err = wedr_fs_lock(*ret_lock);
        if (err != WEDR_E_BUSY) {
            break;
        }
        wedr_time_sleep_ms(LOCK_WAIT_MS);
        err = i + 1 == tries ? WEDR_E_BUSY : WEDR_OK;
    }
    return err;
}

static int open_folder(const char *data_dir, char *path, size_t cap, wedr_handle *ret_dir)
{
    int n = snprintf(path, cap, "%s/pki", data_dir);
    if (n < 0 || (size_t)n >= cap) {
        return WEDR_E_LIMIT;
    }
    int err = wedr_fs_mkdir(path, 0700, UINT32_MAX);
    return err == WEDR_OK ? wedr_fs_open_dir(path, ret_dir) : err;
}

/* The file holds both halves; they must belong together, or every agent would refuse every bundle.
 */
static int check_pair(const uint8_t secret[WEDR_SIGN_SECRET_LEN], uint8_t pub[WEDR_SIGN_PUBLIC_LEN])
{
    uint8_t seed[crypto_sign_SEEDBYTES], again[WEDR_SIGN_SECRET_LEN];
    int bad = crypto_sign_ed25519_sk_to_seed(seed, secret);
    bad |= crypto_sign_seed_keypair(pub, again, seed);
    bad |= sodium_memcmp(again, secret, sizeof(again));
    wedr_wipe(seed, sizeof(seed));
    wedr_wipe(again, sizeof(again));
    return bad ? WEDR_E_CORRUPT : WEDR_OK;
}

static int load_or_make(wedr_handle dir,
                        const char *name,
                        uint8_t secret[WEDR_SIGN_SECRET_LEN],
                        uint8_t pub[WEDR_SIGN_PUBLIC_LEN],
                        struct wedr_errinfo *ei)
{
    wedr_handle f = WEDR_HANDLE_NONE;
    struct wedr_fs_stat st;
    size_t n = 0;
    int err = wedr_fs_open_at(dir, name, WEDR_FS_READ, 0, &f);
    if (err == WEDR_E_NOENT) {
        wedr_sign_keypair(pub, secret);
        return wedr_fs_replace_at(dir, name, secret, WEDR_SIGN_SECRET_LEN, 0600);
    }
    if (err == WEDR_OK) {
        err = wedr_secret_file_check(f, name, ei);
    }
    err = err == WEDR_OK ? wedr_fs_stat(f, &st) : err;
    err = err == WEDR_OK ? wedr_fs_pread(f, secret, WEDR_SIGN_SECRET_LEN, 0, &n) : err;
    if (err == WEDR_OK) {
        err = n == WEDR_SIGN_SECRET_LEN && st.size == n ? check_pair(secret, pub) : WEDR_E_CORRUPT;
    }
    wedr_fs_close(f);
    return err;
}

static int open_key(const char *data_dir,
                    const char *name,
                    uint8_t ret_secret[WEDR_SIGN_SECRET_LEN],
                    uint8_t ret_public[WEDR_SIGN_PUBLIC_LEN],
                    struct wedr_errinfo *ei)
{
    char path[1024] = "";
    struct wedr_errinfo why = {""};
    wedr_handle dir = WEDR_HANDLE_NONE, lock = WEDR_HANDLE_NONE;
    uint8_t secret[WEDR_SIGN_SECRET_LEN], pub[WEDR_SIGN_PUBLIC_LEN];
    int err = open_folder(data_dir, path, sizeof(path), &dir);
    err = err == WEDR_OK ? lock_file(dir, "lock", KEY_TRIES, &lock) : err;
    err = err == WEDR_OK ? load_or_make(dir, name, secret, pub, &why) : err;
    wedr_fs_close(lock);
    wedr_fs_close(dir);
    if (err == WEDR_OK) {
        memcpy(ret_secret, secret, sizeof(secret));
        memcpy(ret_public, pub, sizeof(pub));
    }
    wedr_wipe(secret, sizeof(secret));
    if (err == WEDR_OK) {
        return err;
    }
    return why.text[0] ? wedr_fail(ei, err, "%s/%s", path, why.text)
                       : wedr_fail(ei, err, "%s/%s: %s", path, name, wedr_err_text(err));
}

int wedr_rules_key_open(const char *data_dir,
                        uint8_t ret_secret[WEDR_SIGN_SECRET_LEN],
                        uint8_t ret_public[WEDR_SIGN_PUBLIC_LEN],
                        struct wedr_errinfo *ei)
{
    return open_key(data_dir, RULES_FILE, ret_secret, ret_public, ei);
}

int wedr_command_key_open(const char *data_dir,
                          uint8_t ret_secret[WEDR_SIGN_SECRET_LEN],
                          uint8_t ret_public[WEDR_SIGN_PUBLIC_LEN],
                          struct wedr_errinfo *ei)
{
    return open_key(data_dir, COMMAND_FILE, ret_secret, ret_public, ei);
}

int wedr_rules_lock(const char *data_dir, wedr_handle *ret_lock, struct wedr_errinfo *ei)
{
    char path[1024] = "";
    wedr_handle dir = WEDR_HANDLE_NONE;
    *ret_lock = WEDR_HANDLE_NONE;
    int err = open_folder(data_dir, path, sizeof(path), &dir);
    err = err == WEDR_OK ? lock_file(dir, "rules.lock", RULES_TRIES, ret_lock) : err;
    wedr_fs_close(dir);
    if (err != WEDR_OK) {
        wedr_fs_close(*ret_lock);
        *ret_lock = WEDR_HANDLE_NONE;
        return wedr_fail(ei, err, "%s/rules.lock: %s", path,
                         err == WEDR_E_BUSY ? "another program changes the rules"
                                            : wedr_err_text(err));
    }
    return err;
}
