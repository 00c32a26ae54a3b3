/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "below.h"
#include "choose.h"
#include "common/show.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "keyfile.h"
#include "load.h"
#include "walk.h"
#include "wedr/plat/time.h"
#include <inttypes.h>
#include <string.h>

#define BUNDLE_MODE 0644u

/* Replaces the file at once: nobody sees half a bundle. */
static int write_file(const char *path, const struct wedr_buf *bytes, struct wedr_errinfo *ei)
{
    char folder[WEDR_WALK_PATH_MAX];
    const char *slash = strrchr(path, '/');
    wedr_handle dir = WEDR_HANDLE_NONE;
    int r = wedr_below_folder(path, folder, sizeof(folder)) ? WEDR_OK : WEDR_E_LIMIT;
    if (r == WEDR_OK) {
        r = wedr_below_open(folder, &dir);
    }
    if (r == WEDR_OK) {
        r = wedr_fs_replace_at(dir, slash ? slash + 1 : path, bytes->p, bytes->len, BUNDLE_MODE);
    }
    wedr_fs_close(dir);
    return r == WEDR_OK ? r : wedr_fail(ei, r, "%.200s: %s", path, wedr_err_text(r));
}

static int
parts_of(const struct wedr_rules_args *args, uint32_t *ret_parts, struct wedr_errinfo *ei)
{
    uint32_t parts = args->server ? 0 : WEDR_BUNDLE_AGENT;
    if (args->system && strcmp(args->system, "linux") == 0) {
        parts |= WEDR_BUNDLE_LINUX;
    } else if (args->system && strcmp(args->system, "windows") == 0) {
        parts |= WEDR_BUNDLE_WINDOWS;
    } else if (args->system) {
        return wedr_fail(ei, WEDR_E_INVAL, "--system is linux or windows");
    }
    *ret_parts = parts;
    return WEDR_OK;
}

static int compile(struct wedr_load *l, const struct wedr_rules_args *args, struct wedr_errinfo *ei)
{
    uint8_t secret[WEDR_BUNDLE_SECRET_KEY_LEN];
    struct wedr_bundle_info info;
    struct wedr_field_map *map = NULL;
    struct wedr_buf bytes;
    const struct wedr_bundle_options options = {
        .serial = args->serial ? args->serial : (uint64_t)wedr_time_utc_us(),
        .profile = args->profile ? args->profile : "default",
        .policy = args->allow_kill ? WEDR_BUNDLE_KILL_ALLOWED : 0};
    struct wedr_bundle_options chosen = options;
    wedr_buf_init(&bytes, WEDR_BUNDLE_MAX);
    int r = parts_of(args, &chosen.parts, ei);
    if (r == WEDR_OK) {
        r = wedr_keyfile_secret(args->key, secret, ei);
    }
    if (r == WEDR_OK) {
        r = wedr_load_map(l, l->rs, &map, ei);
    }
    if (r == WEDR_OK) {
        r = wedr_bundle_write(l->rs, map, &chosen, secret, &bytes, &info, ei);
    }
    if (r == WEDR_OK) {
        r = write_file(args->output, &bytes, ei);
    }
    if (r == WEDR_OK) {
        (void)printf("%s: %" PRIu32 " of %" PRIu32 " rules, %zu bytes, profile %s, serial %" PRIu64
                     "%s\n",
                     args->output, info.rules, wedr_ruleset_rule_count(l->rs), info.len,
                     info.profile, info.serial, args->allow_kill ? ", may kill processes" : "");
    }
    wedr_wipe(secret, sizeof(secret));
    wedr_field_map_free(map);
    wedr_buf_fini(&bytes);
    return r;
}

static int new_key(const struct wedr_rules_args *args, struct wedr_errinfo *ei)
{
    uint8_t public_key[WEDR_BUNDLE_PUBLIC_KEY_LEN];
    int r = wedr_keyfile_new(args->key, public_key, ei);
    if (r == WEDR_OK) {
        (void)printf("%s: secret key; %s.pub: public key ", args->key, args->key);
        for (size_t i = 0; i < sizeof(public_key); i++) {
            (void)printf("%02x", public_key[i]);
        }
        (void)puts("");
    }
    return r;
}

int wedr_rules_compile(const struct wedr_rules_args *args)
{
    struct wedr_errinfo ei = {""};
    struct wedr_load l = {.args = args};
    uint32_t chosen = 0;
    int r = WEDR_OK;
    if (!args->key) {
        r = wedr_fail(&ei, WEDR_E_INVAL, "compile needs --key FILE");
    } else if (args->new_key) {
        r = new_key(args, &ei);
    }
    if (r == WEDR_OK && args->rule_count > 0) {
        r = args->output ? wedr_load_ruleset(&l, &ei)
                         : wedr_fail(&ei, WEDR_E_INVAL, "compile needs --output FILE");
        if (r == WEDR_OK) {
            r = wedr_choose(l.rs, args, &chosen, &ei);
        }
        if (r == WEDR_OK) {
            r = compile(&l, args, &ei);
        }
    }
    if (r < 0) {
        wedr_show_problem("", 0, ei.text[0] ? ei.text : wedr_err_text(r));
    }
    wedr_load_fini(&l);
    return r == WEDR_E_INVAL       ? WEDR_EXIT_USAGE
           : r < 0 || l.failed > 0 ? WEDR_EXIT_FAILED
                                   : WEDR_EXIT_DONE;
}
