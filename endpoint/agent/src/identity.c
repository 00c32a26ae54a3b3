/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include <stdio.h>
#include <string.h>

int wedr_agent_id_parse(const char *text, uint8_t ret[WEDR_AGENT_ID_LEN])
{
    static const uint8_t groups[] = {8, 4, 4, 4, 12};
    char hex[2 * WEDR_AGENT_ID_LEN];
    size_t at = 0, out = 0;
    if (strlen(text) != WEDR_AGENT_ID_TEXT - 1) {
        return WEDR_E_FORMAT;
    }
    for (size_t g = 0; g < sizeof(groups); g++) {
        if (g > 0 && text[at++] != '-') {
            return WEDR_E_FORMAT;
        }
        for (size_t i = 0; i < groups[g]; i++) {
            char c = text[at++];
            if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
                return WEDR_E_FORMAT;
            }
            hex[out++] = c;
        }
    }
    return wedr_unhex(hex, sizeof(hex), ret, WEDR_AGENT_ID_LEN);
}

static int open_identity_dir(const char *state_dir, wedr_handle *ret)
{
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/" WEDR_IDENTITY_DIR, state_dir);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        return WEDR_E_RANGE;
    }
    return wedr_fs_open_dir(path, ret);
}

static int open_checked(wedr_handle dir, const char *name, wedr_handle *ret)
{
    wedr_handle h = WEDR_HANDLE_NONE;
    struct wedr_fs_stat st, folder;
    int err = wedr_fs_open_at(dir, name, WEDR_FS_READ, 0, &h);
    if (err != WEDR_OK) {
        return err;
    }
    err = wedr_fs_stat(h, &st);
    if (err == WEDR_OK) {
        err = wedr_fs_stat(dir, &folder);
    }
    /* Whoever owns the folder owns the identity; nobody else may look at it. */
    if (err == WEDR_OK && (!st.regular || (st.mode & 077u) != 0 || (folder.mode & 077u) != 0 ||
                           st.uid != folder.uid)) {
        err = WEDR_E_PERM;
    }
    if (err != WEDR_OK) {
        wedr_fs_close(h);
        return err;
    }
    *ret = h;
    return WEDR_OK;
}

int wedr_identity_open(const char *state_dir, const char *name, wedr_handle *ret)
{
    wedr_handle dir = WEDR_HANDLE_NONE;
    int err = open_identity_dir(state_dir, &dir);
    if (err == WEDR_OK) {
        err = open_checked(dir, name, ret);
    }
    wedr_fs_close(dir);
    return err;
}

int wedr_identity_read(const char *state_dir, const char *name, struct wedr_buf *ret)
{
    wedr_handle h = WEDR_HANDLE_NONE;
    int err = wedr_identity_open(state_dir, name, &h);
    if (err == WEDR_OK) {
        err = wedr_fs_read_all(h, ret);
    }
    if (err == WEDR_OK && (ret->len == 0 || memchr(ret->p, 0, ret->len))) {
        err = WEDR_E_CORRUPT;
    }
    wedr_fs_close(h);
    return err;
}

/* A file of one line into text[cap]. */
static int read_line(const char *state_dir, const char *name, char *text, size_t cap)
{
    struct wedr_buf b;
    wedr_buf_init(&b, cap - 1);
    int err = wedr_identity_read(state_dir, name, &b);
    if (err == WEDR_OK) {
        size_t n = b.len;
        while (n > 0 && (b.p[n - 1] == '\n' || b.p[n - 1] == '\r')) {
            n--;
        }
        memcpy(text, b.p, n);
        text[n] = 0;
    }
    wedr_buf_fini(&b);
    return err == WEDR_E_LIMIT ? WEDR_E_CORRUPT : err;
}

static int read_sign_key(const char *state_dir, uint8_t ret[WEDR_SIGN_SECRET_LEN])
{
    wedr_handle h = WEDR_HANDLE_NONE;
    uint8_t extra = 0;
    size_t n = 0, more = 0;
    int err = wedr_identity_open(state_dir, "sign.key", &h);
    if (err == WEDR_OK) {
        err = wedr_fs_pread(h, ret, WEDR_SIGN_SECRET_LEN, 0, &n);
    }
    if (err == WEDR_OK) {
        err = wedr_fs_pread(h, &extra, 1, WEDR_SIGN_SECRET_LEN, &more);
    }
    wedr_fs_close(h);
    return err != WEDR_OK ? err : n == WEDR_SIGN_SECRET_LEN && more == 0 ? WEDR_OK : WEDR_E_CORRUPT;
}

int wedr_identity_load(const char *state_dir, struct wedr_identity *ret, struct wedr_errinfo *ei)
{
    static const char *const names[] = {"agent_id", "server_url", "sign.key",
                                        "tls.key",  "tls.crt",    "ca.pem"};
    struct wedr_identity id;
    wedr_handle h = WEDR_HANDLE_NONE;
    size_t at = 0;
    memset(&id, 0, sizeof(id));
    int err = read_line(state_dir, names[at], id.agent_id, sizeof(id.agent_id));
    if (err == WEDR_OK && wedr_agent_id_parse(id.agent_id, id.agent_id_bytes) != WEDR_OK) {
        err = WEDR_E_CORRUPT;
    }
    if (err == WEDR_OK) {
        at = 1;
        err = read_line(state_dir, names[at], id.server_url, sizeof(id.server_url));
    }
    if (err == WEDR_OK) {
        at = 2;
        err = read_sign_key(state_dir, id.sign_secret);
    }
    for (size_t i = 3; err == WEDR_OK && i < WEDR_ARRAY_COUNT(names); i++) {
        at = i;
        err = wedr_identity_open(state_dir, names[i], &h);
        wedr_fs_close(h);
        h = WEDR_HANDLE_NONE;
    }
    if (err == WEDR_E_NOENT && at > 0) {
        err = WEDR_E_CORRUPT; /* agent_id is written last: the others were there once */
    }
    if (err == WEDR_OK) {
        *ret = id;
    } else {
        err = wedr_fail(ei, err, WEDR_IDENTITY_DIR "/%s: %s", names[at], wedr_err_text(err));
    }
    wedr_identity_wipe(&id);
    return err;
}

void wedr_identity_wipe(struct wedr_identity *id)
{
    wedr_wipe(id->sign_secret, sizeof(id->sign_secret));
}

int wedr_identity_replace(const char *state_dir, const char *name, const char *text, size_t len)
{
    wedr_handle dir = WEDR_HANDLE_NONE;
    int err = open_identity_dir(state_dir, &dir);
    if (err == WEDR_OK) {
        err = wedr_fs_replace_at(dir, name, text, len, 0600);
    }
    wedr_fs_close(dir);
    return err;
}

int wedr_identity_rename(const char *state_dir, const char *from, const char *to)
{
    wedr_handle dir = WEDR_HANDLE_NONE;
    int err = open_identity_dir(state_dir, &dir);
    if (err == WEDR_OK) {
        err = wedr_fs_rename_at(dir, from, to);
    }
    if (err == WEDR_OK) {
        err = wedr_fs_sync(dir);
    }
    wedr_fs_close(dir);
    return err;
}

void wedr_identity_discard(const char *state_dir, const char *name)
{
    wedr_handle dir = WEDR_HANDLE_NONE;
    if (open_identity_dir(state_dir, &dir) == WEDR_OK) {
        (void)!wedr_fs_unlink_at(dir, name);
    }
    wedr_fs_close(dir);
}

int wedr_identity_store(const char *state_dir,
                        const struct wedr_identity_files *f,
                        struct wedr_errinfo *ei)
{
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/" WEDR_IDENTITY_DIR, state_dir);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        return wedr_fail(ei, WEDR_E_RANGE, "the state folder's name is too long");
    }
    int err = wedr_fs_mkdir(path, 0700, UINT32_MAX);
    if (err == WEDR_OK) {
        err = wedr_identity_remove(state_dir);
    }
    const struct {
        const char *name;
        const void *p;
        size_t len;
    } files[] = {{"tls.key", f->tls_key, strlen(f->tls_key)},
                 {"tls.crt", f->tls_crt, strlen(f->tls_crt)},
                 {"ca.pem", f->ca_pem, strlen(f->ca_pem)},
                 {"server_url", f->server_url, strlen(f->server_url)},
                 {"sign.key", f->sign_secret, WEDR_SIGN_SECRET_LEN},
                 {"rules_key", f->rules_key, f->rules_key ? strlen(f->rules_key) : 0},
                 {"command_key", f->command_key, f->command_key ? strlen(f->command_key) : 0},
                 {"agent_id", f->agent_id, strlen(f->agent_id)}};
    for (size_t i = 0; err == WEDR_OK && i < WEDR_ARRAY_COUNT(files); i++) {
        if (files[i].len == 0) {
            continue; /* a server without rules */
        }
        err =
            wedr_identity_replace(state_dir, files[i].name, (const char *)files[i].p, files[i].len);
    }
    return err == WEDR_OK ? WEDR_OK
                          : wedr_fail(ei, err, "cannot write %s: %s", path, wedr_err_text(err));
}

int wedr_identity_remove(const char *state_dir)
{
    static const char *const names[] = {
        "agent_id",  "tls.key",      "tls.crt",   "ca.pem",       "server_url",  "sign.key",
        "rules_key", "rules.bundle", "rules.new", "rules.serial", "command_key", "command.counter"};
    wedr_handle dir = WEDR_HANDLE_NONE;
    int err = open_identity_dir(state_dir, &dir);
    for (size_t i = 0; err == WEDR_OK && i < WEDR_ARRAY_COUNT(names); i++) {
        err = wedr_fs_unlink_at(dir, names[i]);
        if (err == WEDR_E_NOENT) {
            err = WEDR_OK;
        }
    }
    if (err == WEDR_OK) {
        err = wedr_fs_sync(dir);
    }
    wedr_fs_close(dir);
    return err == WEDR_E_NOENT ? WEDR_OK : err;
}
