/* SPDX-License-Identifier: Apache-2.0 */
#include "context.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/buf.h"
#include "wedr/plat/fs.h"
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX 8192u
#define PATH_BYTES 4096u

static bool good_name(const char *name)
{
    size_t n = strlen(name);
    bool good = n > 0 && n < sizeof(((struct wedr_ctl_context *)0)->name) && name[0] != '.';
    for (const char *p = name; *p; p++) {
        good = good && (isalnum((unsigned char)*p) || strchr("._-", *p));
    }
    return good;
}

static const char *environment(const char *name)
{
    const char *v = getenv(name); /* NOLINT(concurrency-mt-unsafe): one thread, nobody sets it */
    return v && v[0] ? v : NULL;
}

/* The folder, made when it is missing. */
static int open_folder(wedr_handle *ret_dir, struct wedr_errinfo *ei)
{
    char path[PATH_BYTES];
    const char *config = environment("XDG_CONFIG_HOME");
    const char *home = environment("HOME");
    if (config && config[0] != '/') {
        config = NULL; /* the specification: a relative one counts as not set */
    }
    if (!config && !home) {
        return wedr_fail(ei, WEDR_E_NOENT, "neither XDG_CONFIG_HOME nor HOME is set");
    }
    int err = WEDR_OK;
    static const char *const parts[] = {"wedr", "wedr/wedrctl"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(parts) && err == WEDR_OK; i++) {
        int n = snprintf(path, sizeof(path), "%s%s/%s", config ? config : home,
                         config ? "" : "/.config", parts[i]);
        err = n < 0 || (size_t)n >= sizeof(path) ? WEDR_E_LIMIT
                                                 : wedr_fs_mkdir(path, 0700, UINT32_MAX);
    }
    if (err == WEDR_OK) {
        err = wedr_fs_open_dir(path, ret_dir);
    }
    return err == WEDR_OK ? err : wedr_fail(ei, err, "%.200s: %s", path, wedr_err_text(err));
}

static void file_name(const char *name, char ret[80])
{
    (void)snprintf(ret, 80, "%s.json", name);
}

static int read_file(const char *name, struct wedr_buf *ret, struct wedr_errinfo *ei)
{
    char file[80];
    wedr_handle dir = WEDR_HANDLE_NONE;
    wedr_handle h = WEDR_HANDLE_NONE;
    struct wedr_fs_stat st;
    file_name(name, file);
    int err = open_folder(&dir, ei);
    if (err != WEDR_OK) {
        return err;
    }
    struct wedr_fs_stat folder;
    err = wedr_fs_stat(dir, &folder);
    if (err == WEDR_OK) {
        err = wedr_fs_open_at(dir, file, WEDR_FS_READ, 0, &h);
    }
    if (err == WEDR_E_NOENT) {
        err = wedr_fail(ei, err, "nobody is signed in as \"%s\": wedrctl login", name);
    } else if (err != WEDR_OK) {
        err = wedr_fail(ei, err, "%s: %s", file, wedr_err_text(err));
    } else if (wedr_fs_stat(h, &st) != WEDR_OK || !st.regular || (st.mode & 077) != 0 ||
               st.uid != folder.uid) {
        err = wedr_fail(ei, WEDR_E_PERM,
                        "%s: must be a file of yours that nobody else may read (chmod 600)", file);
    } else {
        err = wedr_fs_read_all(h, ret);
        err = err == WEDR_OK ? err : wedr_fail(ei, err, "%s: %s", file, wedr_err_text(err));
    }
    wedr_fs_close(h);
    wedr_fs_close(dir);
    return err;
}

#define M(name)                                          \
    {                                                    \
#        name, offsetof(struct wedr_ctl_context, name),  \
            sizeof(((struct wedr_ctl_context *)0)->name) \
    }
static const struct {
    const char *key;
    size_t offset, size;
} members[] = {M(url), M(ca_sha256), M(user), M(token), M(token_id), M(expires), M(proxy)};

static int parse(const struct wedr_buf *text, struct wedr_ctl_context *ret)
{
    json_t *j = json_loadb((const char *)text->p, text->len, JSON_REJECT_DUPLICATES, NULL);
    int err = json_is_object(j) ? WEDR_OK : WEDR_E_FORMAT;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(members) && err == WEDR_OK; i++) {
        const json_t *v = json_object_get(j, members[i].key);
        if (!json_is_string(v) || json_string_length(v) >= members[i].size ||
            strlen(json_string_value(v)) != json_string_length(v)) {
            err = WEDR_E_FORMAT;
        } else {
            memcpy((char *)ret + members[i].offset, json_string_value(v),
                   json_string_length(v) + 1);
        }
    }
    json_decref(j);
    return err;
}

int wedr_ctl_context_load(const char *name, struct wedr_ctl_context *ret, struct wedr_errinfo *ei)
{
    struct wedr_buf text;
    if (!good_name(name)) {
        return wedr_fail(ei, WEDR_E_INVAL,
                         "a context's name has letters, digits, dots, dashes and underscores");
    }
    memset(ret, 0, sizeof(*ret));
    (void)snprintf(ret->name, sizeof(ret->name), "%s", name);
    wedr_buf_init(&text, FILE_MAX);
    int err = read_file(name, &text, ei);
    if (err == WEDR_OK && parse(&text, ret) != WEDR_OK) {
        err = wedr_fail(ei, WEDR_E_FORMAT, "%s.json is damaged: sign in again", name);
    }
    wedr_wipe(text.p, text.p ? text.len : 0);
    wedr_buf_fini(&text);
    return err;
}

int wedr_ctl_context_store(const struct wedr_ctl_context *context, struct wedr_errinfo *ei)
{
    char file[80];
    wedr_handle dir = WEDR_HANDLE_NONE;
    json_t *j = json_object();
    bool whole = j != NULL;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(members); i++) {
        whole = json_object_set_new(j, members[i].key,
                                    json_string((const char *)context + members[i].offset)) == 0 &&
                whole;
    }
    char text[FILE_MAX];
    size_t len = whole ? json_dumpb(j, text, sizeof(text), JSON_INDENT(2)) : 0;
    json_decref(j);
    if (len == 0 || len > sizeof(text)) {
        return wedr_fail(ei, WEDR_E_NOMEM, "out of memory");
    }
    file_name(context->name, file);
    int err = open_folder(&dir, ei);
    if (err == WEDR_OK) {
        err = wedr_fs_replace_at(dir, file, text, len, 0600);
        err = err == WEDR_OK ? err : wedr_fail(ei, err, "%s: %s", file, wedr_err_text(err));
    }
    wedr_wipe(text, sizeof(text));
    wedr_fs_close(dir);
    return err;
}

void wedr_ctl_context_wipe(struct wedr_ctl_context *context)
{
    wedr_wipe(context->token, sizeof(context->token));
}

const char *wedr_ctl_context_name(const char *asked)
{
    const char *name = asked ? asked : environment("WEDR_CONTEXT");
    return name ? name : "default";
}
