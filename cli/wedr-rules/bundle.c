/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "common/show.h"
#include "core/base/err.h"
#include "keyfile.h"
#include "load.h"
#include "wedr/plat/fs.h"
#include <inttypes.h>
#include <string.h>

#define LINE_MAX_BYTES ((size_t)64 << 20)

static int read_file(const char *path, struct wedr_buf *out, struct wedr_errinfo *ei)
{
    wedr_handle h = WEDR_HANDLE_NONE;
    int r = wedr_fs_open(path, WEDR_FS_READ, 0, &h);
    if (r == WEDR_OK) {
        r = wedr_fs_read_all(h, out);
    }
    wedr_fs_close(h);
    return r == WEDR_OK ? r : wedr_fail(ei, r, "%s", wedr_err_text(r));
}

static void add_info(struct wedr_buf *out, const struct wedr_bundle_info *info, bool json)
{
    char sha256[2 * sizeof(info->sha256) + 1];
    for (size_t i = 0; i < sizeof(info->sha256); i++) {
        (void)snprintf(sha256 + 2 * i, 3, "%02x", info->sha256[i]);
    }
    bool kill = (info->policy & WEDR_BUNDLE_KILL_ALLOWED) != 0;
    if (json) {
        wedr_buf_addf(out,
                      "{\"format\":%" PRIu32 ",\"serial\":\"%" PRIu64
                      "\",\"profile\":\"%s\",\"kill_allowed\":%s,\"rules\":%" PRIu32
                      ",\"bytes\":%zu,\"sha256\":\"%s\"",
                      info->format, info->serial, info->profile, kill ? "true" : "false",
                      info->rules, info->len, sha256);
        return;
    }
    wedr_buf_addf(out,
                  "format %" PRIu32 "\nserial %" PRIu64 "\nprofile %s\nkilling processes %s\nrules "
                  "%" PRIu32 "\nbytes %zu\nsha256 %s\n",
                  info->format, info->serial, info->profile, kill ? "allowed" : "not allowed",
                  info->rules, info->len, sha256);
}

static void add_rules(struct wedr_buf *out, const struct wedr_ruleset *rs, bool json)
{
    const char *comma = "";
    wedr_buf_adds(out, json ? ",\"list\":[" : "");
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(rs); i++) {
        const struct wedr_rule *rule = wedr_ruleset_rule(rs, i);
        if ((rule->flags & WEDR_RULE_HIDDEN) != 0) {
            continue;
        }
        if (json) {
            wedr_buf_addf(out, "%s{\"rule_id\":", comma);
            wedr_show_json(out, rule->id);
            wedr_buf_adds(out, ",\"rule_title\":");
            wedr_show_json(out, rule->title);
            wedr_buf_addf(out, ",\"severity\":\"%s\"}", wedr_severity_name(rule->severity));
            comma = ",";
        } else {
            wedr_buf_addf(out, "%-13s  ", wedr_severity_name(rule->severity));
            wedr_show_text(out, rule->id.len > 0 ? rule->id : wedr_text("-", 1), 0);
            wedr_buf_adds(out, "  ");
            wedr_show_text(out, rule->title, 0);
            wedr_buf_adds(out, "\n");
        }
    }
    wedr_buf_adds(out, json ? "]" : "");
}

static int show(const struct wedr_buf *bytes,
                const struct wedr_rules_args *args,
                bool verify,
                struct wedr_errinfo *ei)
{
    uint8_t key[WEDR_BUNDLE_PUBLIC_KEY_LEN];
    struct wedr_bundle_info info;
    struct wedr_ruleset *rs = NULL;
    struct wedr_field_map *map = NULL;
    struct wedr_buf out;
    wedr_buf_init(&out, LINE_MAX_BYTES);
    int r = args->key ? wedr_keyfile_public(args->key, key, ei) : WEDR_OK;
    if (r == WEDR_OK) {
        r = args->key ? wedr_bundle_check(bytes->p, bytes->len, key, &info, ei)
                      : wedr_bundle_peek(bytes->p, bytes->len, &info, ei);
    }
    if (r == WEDR_OK) {
        r = wedr_bundle_load(bytes->p, bytes->len, WEDR_LOAD_RULESET_MAX, &rs, &map, ei);
    }
    if (r == WEDR_OK) {
        add_info(&out, &info, args->json);
        if (!verify) {
            add_rules(&out, rs, args->json);
        }
        wedr_buf_adds(&out, args->json  ? "}\n"
                            : args->key ? "signed by this key\n"
                                        : "signature not looked at: no --key\n");
        r = wedr_show_flush(&out) ? WEDR_OK : WEDR_E_IO;
    }
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
    wedr_buf_fini(&out);
    return r;
}

int wedr_rules_bundle(const struct wedr_rules_args *args)
{
    struct wedr_errinfo ei = {""};
    struct wedr_buf bytes;
    const char *what = args->rules[0];
    const char *path = args->rule_count == 2 ? args->rules[1] : "";
    bool verify = strcmp(what, "verify") == 0;
    int r = WEDR_OK;
    if (args->rule_count != 2 || (!verify && strcmp(what, "show") != 0)) {
        r = wedr_fail(&ei, WEDR_E_INVAL, "usage: wedr-rules bundle show|verify [--key FILE] FILE");
    } else if (verify && !args->key) {
        r = wedr_fail(&ei, WEDR_E_INVAL, "bundle verify needs --key FILE");
    }
    wedr_buf_init(&bytes, WEDR_BUNDLE_MAX);
    if (r == WEDR_OK) {
        r = read_file(path, &bytes, &ei);
    }
    if (r == WEDR_OK) {
        r = show(&bytes, args, verify, &ei);
    }
    if (r < 0) {
        wedr_show_problem(r == WEDR_E_INVAL ? "" : path, 0,
                          ei.text[0] ? ei.text : wedr_err_text(r));
    }
    wedr_buf_fini(&bytes);
    return r == WEDR_E_INVAL ? WEDR_EXIT_USAGE : r < 0 ? WEDR_EXIT_FAILED : WEDR_EXIT_DONE;
}
