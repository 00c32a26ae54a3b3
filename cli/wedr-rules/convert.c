/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "below.h"
#include "choose.h"
#include "common/show.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "load.h"
#include "wedr/plat/fs.h"
#include "wedr/rules/waza.h"
#include <inttypes.h>
#include <string.h>

#define RULE_MAX ((size_t)8 << 20) /* bytes of a rule's text */
#define NAME_BYTES 80u
#define MODE 0644u

struct convert {
    const struct wedr_rules_args *args;
    struct wedr_load *l;
    wedr_handle folder;
    struct wedr_buf out;
    uint64_t written;
};

/* A file's name from the rule's title and id: letters, digits and underscores; the index keeps them
 * apart. */
static void name_of(const struct wedr_rule *rule, uint32_t index, char ret_name[NAME_BYTES + 32])
{
    struct wedr_text t = rule->title.len > 0 ? rule->title : rule->id;
    size_t n = 0;
    for (uint32_t i = 0; i < t.len && n < NAME_BYTES - 1; i++) {
        char c = t.p[i];
        if (c >= 'A' && c <= 'Z') {
            c = (char)(c | 0x20);
        }
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) {
            c = '_';
        }
        if (c != '_' || (n > 0 && ret_name[n - 1] != '_')) {
            ret_name[n++] = c;
        }
    }
    (void)snprintf(ret_name + n, NAME_BYTES + 32 - n, "%s%05" PRIu32 ".waza",
                   n > 0 && ret_name[n - 1] != '_' ? "_" : "", index);
}

/* Members of a correlation that is written are written too: they come before it. */
static int find_needed(const struct wedr_ruleset *rs, bool **ret_needed)
{
    uint32_t count = wedr_ruleset_rule_count(rs);
    bool *needed = wedr_alloc((size_t)count + 1, sizeof(*needed));
    if (!needed) {
        return WEDR_E_NOMEM;
    }
    for (uint32_t i = count; i-- > 0;) {
        const struct wedr_rule *rule = wedr_ruleset_rule(rs, i);
        if ((rule->flags & WEDR_RULE_DISABLED) != 0) {
            continue;
        }
        needed[i] = needed[i] || (rule->flags & WEDR_RULE_HIDDEN) == 0;
        if (needed[i] && rule->correlation != WEDR_IR_NONE) {
            const struct wedr_correlation *c = wedr_ruleset_correlation(rs, rule->correlation);
            for (uint32_t k = 0; k < c->member_count; k++) {
                needed[c->members[k]] = true;
            }
        }
    }
    *ret_needed = needed;
    return WEDR_OK;
}

static int write_rule(struct convert *c, uint32_t index)
{
    const struct wedr_rule *rule = wedr_ruleset_rule(c->l->rs, index);
    char name[NAME_BYTES + 32];
    char file[4096];
    struct wedr_errinfo ei = {""};
    wedr_buf_truncate(&c->out, 0);
    int r = wedr_waza_write_rule(c->l->rs, index, &c->out, &ei);
    if (r == WEDR_E_UNSUP || r == WEDR_E_LIMIT) {
        (void)snprintf(file, sizeof(file), "%.*s", (int)(rule->source_file.len % sizeof(file)),
                       rule->source_file.p ? rule->source_file.p : "");
        wedr_load_failed(c->l, file, rule->source_line, ei.text[0] ? ei.text : wedr_err_text(r),
                         NULL);
        return WEDR_OK;
    }
    if (r != WEDR_OK) {
        return r;
    }
    c->written++;
    if (!c->args->output) {
        wedr_buf_adds(&c->out, "\n");
        return wedr_show_flush(&c->out) ? WEDR_OK : WEDR_E_IO;
    }
    name_of(rule, index, name);
    return wedr_fs_replace_at(c->folder, name, c->out.p, c->out.len, MODE);
}

static int convert(struct convert *c, struct wedr_errinfo *ei)
{
    bool *needed = NULL;
    uint32_t chosen = 0;
    int r = wedr_load_ruleset(c->l, ei);
    if (r == WEDR_OK) {
        r = wedr_choose(c->l->rs, c->args, &chosen, ei);
    }
    if (r == WEDR_OK && c->args->output) {
        r = wedr_below_open(c->args->output, &c->folder);
        if (r == WEDR_E_NOENT) {
            r = wedr_fs_mkdir(c->args->output, 0755, UINT32_MAX);
            r = r == WEDR_OK ? wedr_below_open(c->args->output, &c->folder) : r;
        }
        if (r != WEDR_OK) {
            return wedr_fail(ei, r, "%.200s: %s", c->args->output, wedr_err_text(r));
        }
    }
    if (r == WEDR_OK) {
        r = find_needed(c->l->rs, &needed);
    }
    for (uint32_t i = 0; r == WEDR_OK && i < wedr_ruleset_rule_count(c->l->rs); i++) {
        r = needed[i] ? write_rule(c, i) : WEDR_OK;
    }
    wedr_free(needed);
    return r;
}

int wedr_rules_convert(const struct wedr_rules_args *args)
{
    struct wedr_errinfo ei = {""};
    struct wedr_load l = {.args = args};
    struct convert c = {.args = args, .l = &l, .folder = WEDR_HANDLE_NONE};
    wedr_buf_init(&c.out, RULE_MAX);
    int r = convert(&c, &ei);
    if (r < 0) {
        wedr_show_problem("", 0, ei.text[0] ? ei.text : wedr_err_text(r));
    } else {
        (void)fprintf(stderr, "%" PRIu64 " rules written\n", c.written);
    }
    wedr_fs_close(c.folder);
    wedr_buf_fini(&c.out);
    wedr_load_fini(&l);
    return r == WEDR_E_INVAL       ? WEDR_EXIT_USAGE
           : r < 0 || l.failed > 0 ? WEDR_EXIT_FAILED
                                   : WEDR_EXIT_DONE;
}
