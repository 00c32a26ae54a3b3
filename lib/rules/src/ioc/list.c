/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ioc/list.c — lists to rules: entries into sets, one predicate for each set and field.
 */
#include "ioc/list.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "ioc/fields.h"
#include <string.h>

#define NODES_MAX 128u /* sets times fields */

static const struct set_form {
    uint8_t mode, kind;
    bool cased;
} set_forms[WEDR_IOC_SETS] = {
    [WEDR_IOC_SET_HASH] = {WEDR_SET_WORDS, WEDR_IOC_HASH, false},
    [WEDR_IOC_SET_DOMAIN] = {WEDR_SET_DOMAIN, WEDR_IOC_DOMAIN, false},
    [WEDR_IOC_SET_NET] = {WEDR_SET_CIDR, WEDR_IOC_NET, false},
    [WEDR_IOC_SET_PATH] = {WEDR_SET_EXACT, WEDR_IOC_PATH, true},
    [WEDR_IOC_SET_PATH_WINDOWS] = {WEDR_SET_EXACT, WEDR_IOC_PATH, false},
    [WEDR_IOC_SET_NOTE] = {WEDR_SET_EXACT, 0, true},
};

static void
report(struct wedr_ioc_list *l, enum wedr_ioc_outcome outcome, int err, const char *text)
{
    struct wedr_ioc_report r = {.outcome = outcome,
                                .err = err,
                                .file = l->file,
                                .line = l->line,
                                .rule = l->stats->rule,
                                .text = text};
    if (l->fn) {
        l->fn(l->ctx, &r);
    }
}

/* A line that does not count. WEDR_OK, so that reading goes on. */
static int refuse(struct wedr_ioc_list *l, int err, const char *why)
{
    l->err = err;
    l->stats->refused++;
    report(l, WEDR_IOC_ENTRY_REFUSED, err, why);
    return WEDR_OK;
}

static int set_of(struct wedr_ioc_list *l, enum wedr_ioc_set which, uint32_t *ret_set)
{
    const struct set_form *f = &set_forms[which];
    int r = WEDR_OK;
    if (l->sets[which] == WEDR_IR_NONE) {
        r = wedr_ruleset_set_new(l->rs, (enum wedr_set_mode)f->mode, f->cased, &l->sets[which]);
    }
    if (r == WEDR_OK) {
        *ret_set = l->sets[which];
    }
    return r;
}

static enum wedr_ioc_set which_set(const struct wedr_ioc_entry *e)
{
    return e->kind == WEDR_IOC_HASH     ? WEDR_IOC_SET_HASH
           : e->kind == WEDR_IOC_DOMAIN ? WEDR_IOC_SET_DOMAIN
           : e->kind == WEDR_IOC_NET    ? WEDR_IOC_SET_NET
           : e->windows                 ? WEDR_IOC_SET_PATH_WINDOWS
                                        : WEDR_IOC_SET_PATH;
}

/* What the entry is found by later: as its set stores it, a hash by its first half. */
static int add_note(struct wedr_ioc_list *l)
{
    const struct wedr_ioc_entry *e = &l->entry;
    char note[WEDR_IOC_KEY_MAX + 1 + WEDR_IOC_COMMENT_MAX];
    size_t len = e->kind == WEDR_IOC_HASH ? WEDR_IOC_HASH_KEY : e->len;
    uint32_t set = WEDR_IR_NONE;
    if (e->comment_len == 0) {
        return WEDR_OK;
    }
    if (e->windows) {
        len = wedr_fold(e->value, len, note);
    } else {
        memcpy(note, e->value, len);
    }
    note[len++] = '\t';
    memcpy(note + len, e->comment, e->comment_len);
    int r = set_of(l, WEDR_IOC_SET_NOTE, &set);
    return r < 0 ? r : wedr_ruleset_set_add(l->rs, set, note, len + e->comment_len);
}

static int add_to_set(struct wedr_ioc_list *l, bool *ret_new)
{
    const struct wedr_ioc_entry *e = &l->entry;
    uint32_t set = WEDR_IR_NONE;
    int r = set_of(l, which_set(e), &set);
    if (r < 0) {
        return r;
    }
    uint32_t before = wedr_set_entry_count(l->rs, set);
    r = wedr_ruleset_set_add(l->rs, set, e->value, e->len);
    *ret_new = r == WEDR_OK && wedr_set_entry_count(l->rs, set) > before;
    return r;
}

/* A predicate for every field; the backslashes of Windows are no escapes. */
static int add_wildcard(struct wedr_ioc_list *l, bool *ret_new)
{
    const struct wedr_ioc_entry *e = &l->entry;
    const char *const *fields = wedr_ioc_fields(WEDR_IOC_PATH);
    char pattern[2 * WEDR_IOC_VALUE_MAX];
    size_t len = 0;
    for (size_t i = 0; i < e->len; i++) {
        if (e->value[i] == '\\') {
            pattern[len++] = '\\';
        }
        pattern[len++] = e->value[i];
    }
    *ret_new = true;
    for (size_t i = 0; fields[i]; i++) {
        uint32_t field = WEDR_IR_NONE;
        uint32_t node = WEDR_IR_NONE;
        int r = wedr_ruleset_field(l->rs, fields[i], strlen(fields[i]), &field);
        if (r == WEDR_OK) {
            r = wedr_ir_text(l->rs, field, WEDR_PRED_WILDCARD, wedr_text(pattern, len),
                             e->windows ? 0 : WEDR_PRED_CASED, &node, NULL);
        }
        if (r < 0) {
            return r;
        }
        for (uint32_t j = 0; j < l->wildcard_nodes; j++) {
            *ret_new &= l->wildcards[j] != node;
        }
        if (*ret_new) {
            l->wildcards[l->wildcard_nodes++] = node;
        }
    }
    return WEDR_OK;
}

static void count(struct wedr_ioc_list *l)
{
    struct wedr_ioc_stats *s = l->stats;
    uint32_t *kinds[] = {&s->hashes, &s->domains, &s->nets, &s->paths};
    int64_t expiry = l->entry.expiry_us;
    ++*kinds[l->entry.kind];
    s->entries++;
    s->wildcards += l->entry.wildcards;
    if (expiry > l->now_us && (s->next_expiry_us == 0 || expiry < s->next_expiry_us)) {
        s->next_expiry_us = expiry;
    }
}

static bool expired(const struct wedr_ioc_list *l, int64_t expiry_us)
{
    return l->now_us != 0 && expiry_us != 0 && l->now_us >= expiry_us;
}

static int add_entry(struct wedr_ioc_list *l)
{
    struct wedr_ioc_entry *e = &l->entry;
    bool is_new = false;
    if (expired(l, e->expiry_us)) {
        l->stats->expired++;
        report(l, WEDR_IOC_ENTRY_EXPIRED, WEDR_OK, "the entry has expired");
        return WEDR_OK;
    }
    if (e->wildcards && l->stats->wildcards == WEDR_IOC_WILDCARDS_MAX) {
        return refuse(l, WEDR_E_LIMIT, "too many paths with wildcards");
    }
    int r = e->wildcards ? add_wildcard(l, &is_new) : add_to_set(l, &is_new);
    if (r < 0) {
        return r;
    }
    if (!is_new) {
        l->stats->duplicates++;
        report(l, WEDR_IOC_ENTRY_DUPLICATE, WEDR_OK, "the entry stands above already");
        return WEDR_OK;
    }
    if (l->stats->entries == WEDR_IOC_ENTRIES_MAX) {
        return WEDR_E_LIMIT;
    }
    count(l);
    return add_note(l);
}

/* Only letters and _ before the colon: entries have a blank or a comma there. */
static uint32_t key_length(struct wedr_text line)
{
    uint32_t n = 0;
    while (n < line.len && ((line.p[n] >= 'a' && line.p[n] <= 'z') || line.p[n] == '_')) {
        n++;
    }
    return n < line.len && line.p[n] == ':' ? n : 0;
}

static int read_line(struct wedr_ioc_list *l, struct wedr_text line)
{
    struct wedr_errinfo ei = {{0}};
    line = wedr_ioc_trim(line);
    if (line.len == 0 || line.p[0] == '#') {
        return WEDR_OK;
    }
    uint32_t key = key_length(line);
    if (key > 0) {
        struct wedr_text value = wedr_ioc_trim(wedr_text(line.p + key + 1, line.len - key - 1));
        int r = l->entries ? wedr_fail(&ei, WEDR_E_FORMAT, "a header line behind entries")
                           : wedr_ioc_header_line(l, wedr_text(line.p, key), value, &ei);
        return r < 0 ? refuse(l, r, ei.text) : WEDR_OK;
    }
    l->entries = true;
    int r = wedr_ioc_entry_read(line.p, line.len, &l->entry, &ei);
    if (r < 0) {
        return refuse(l, r, ei.text);
    }
    return l->entry.skip ? WEDR_OK : add_entry(l);
}

static int read_lines(struct wedr_ioc_list *l, const char *text, size_t len)
{
    int r = WEDR_OK;
    size_t at = len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    while (r == WEDR_OK && at < len) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t next = end ? (size_t)(end - text) + 1 : len;
        size_t stop = end ? next - 1 : len;
        stop -= stop > at && text[stop - 1] == '\r';
        l->line++;
        r = read_line(l, wedr_text(text + at, stop - at));
        at = next;
    }
    return r;
}

static int add_preds(struct wedr_ioc_list *l,
                     uint32_t set,
                     const char *const *fields,
                     uint32_t *nodes,
                     uint32_t *count)
{
    int r = wedr_ruleset_set_seal(l->rs, set);
    for (size_t i = 0; r == WEDR_OK && fields[i]; i++) {
        struct wedr_pred p = {.kind = WEDR_PRED_SET, .u.set = set};
        r = wedr_ruleset_field(l->rs, fields[i], strlen(fields[i]), &p.field);
        if (r == WEDR_OK) {
            r = wedr_ir_pred(l->rs, &p, &nodes[(*count)++], NULL);
        }
    }
    return r;
}

static int build_condition(struct wedr_ioc_list *l)
{
    static const char *const note_field[] = {WEDR_IOC_NOTE_FIELD, NULL};
    uint32_t nodes[NODES_MAX];
    uint32_t n = 0;
    int r = WEDR_OK;
    for (uint32_t i = 0; r == WEDR_OK && i < WEDR_IOC_SETS; i++) {
        if (l->sets[i] != WEDR_IR_NONE) {
            r = add_preds(l, l->sets[i],
                          i == WEDR_IOC_SET_NOTE
                              ? note_field
                              : wedr_ioc_fields((enum wedr_ioc_kind)set_forms[i].kind),
                          nodes, &n);
        }
    }
    if (r == WEDR_OK && l->wildcard_nodes > 0) {
        r = wedr_ir_or(l->rs, l->wildcards, l->wildcard_nodes, &nodes[n]);
        n += r == WEDR_OK;
    }
    return r < 0 ? r : wedr_ir_or(l->rs, nodes, n, &l->rule.condition);
}

/* The file's name without folders and ending stands for what the header leaves out. */
static void default_names(struct wedr_ioc_list *l)
{
    const char *name = l->file;
    for (const char *p = l->file; *p; p++) {
        if ((*p == '/' || *p == '\\') && p[1]) {
            name = p + 1;
        }
    }
    size_t len = strlen(name);
    len -= len > 4 && memcmp(name + len - 4, ".ioc", 4) == 0 ? 4 : 0;
    struct wedr_text t = wedr_text(name, len < 255 ? len : 255);
    l->rule.id = l->rule.id.len ? l->rule.id : t;
    l->rule.title = l->rule.title.len ? l->rule.title : t;
}

static bool id_used(const struct wedr_ioc_list *l)
{
    uint32_t rule = wedr_ruleset_rule_find(l->rs, l->rule.id.p, l->rule.id.len);
    return rule != WEDR_IR_NONE &&
           wedr_text_equal(wedr_ruleset_rule(l->rs, rule)->id, l->rule.id, true);
}

static int finish(struct wedr_ioc_list *l, struct wedr_errinfo *ei)
{
    struct wedr_ioc_stats *s = l->stats;
    l->line = 0;
    default_names(l);
    if (s->entries == 0 && s->expired == 0) {
        return wedr_fail(ei, WEDR_E_FORMAT, "a list without entries");
    }
    if (id_used(l)) {
        return wedr_fail(ei, WEDR_E_EXIST, "the id is used by another rule");
    }
    s->list_expired = expired(l, l->expiry_us);
    if (l->expiry_us > l->now_us && (s->next_expiry_us == 0 || l->expiry_us < s->next_expiry_us)) {
        s->next_expiry_us = l->expiry_us;
    }
    if (s->list_expired || s->entries == 0) {
        l->rule.flags |= WEDR_RULE_DISABLED;
    }
    int r =
        s->entries > 0 ? build_condition(l) : wedr_ir_constant(l->rs, false, &l->rule.condition);
    if (r == WEDR_OK && l->sets[WEDR_IOC_SET_NET] != WEDR_IR_NONE) { /* known once it is sorted */
        uint32_t kept = wedr_set_entry_count(l->rs, l->sets[WEDR_IOC_SET_NET]);
        s->duplicates += s->nets - kept;
        s->entries -= s->nets - kept;
        s->nets = kept;
    }
    if (r == WEDR_OK) {
        r = wedr_ruleset_add_rule(l->rs, &l->rule, &s->rule);
    }
    return r < 0 ? wedr_fail(ei, r, "%s", wedr_err_text(r)) : WEDR_OK;
}

int wedr_ioc_add(struct wedr_ruleset *rs,
                 const char *file,
                 const char *text,
                 size_t len,
                 const struct wedr_ioc_options *options,
                 wedr_ioc_report_fn *fn,
                 void *ctx,
                 struct wedr_ioc_stats *ret_stats)
{
    struct wedr_errinfo ei = {{0}};
    *ret_stats = (struct wedr_ioc_stats){.rule = WEDR_IR_NONE};
    struct wedr_ioc_list *l = wedr_alloc(1, sizeof(*l));
    if (!l) {
        return WEDR_E_NOMEM;
    }
    l->rs = rs;
    l->file = file;
    l->fn = fn;
    l->ctx = ctx;
    l->stats = ret_stats;
    l->now_us = options ? options->now_us : 0;
    l->rule = wedr_rule_init();
    l->rule.severity = WEDR_SEVERITY_HIGH;
    l->rule.language = wedr_text("ioc", 3);
    l->rule.source_file = wedr_text(file, strlen(file));
    memset(l->sets, 0xFF, sizeof(l->sets));
    int r = len > WEDR_IOC_FILE_MAX ? wedr_fail(&ei, WEDR_E_LIMIT, "the file is too large")
                                    : read_lines(l, text, len);
    if (r == WEDR_OK) {
        r = finish(l, &ei);
    } else if (!ei.text[0]) {
        (void)wedr_fail(&ei, r, "%s",
                        r == WEDR_E_LIMIT ? "the list is too large" : wedr_err_text(r));
    }
    if (r < 0) {
        report(l, WEDR_IOC_LIST_REFUSED, r, ei.text);
    } else {
        bool off = (l->rule.flags & WEDR_RULE_DISABLED) != 0;
        report(l, off ? WEDR_IOC_LIST_EXPIRED : WEDR_IOC_LIST, WEDR_OK,
               off ? "the list has expired" : "");
    }
    r = r < 0 ? r : l->err;
    wedr_free(l);
    return r;
}

const char *wedr_ioc_kind_name(enum wedr_ioc_kind kind)
{
    static const char *const names[] = {"hash", "domain", "ip", "path"};
    return names[kind];
}
