/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ioc/header.c — the "key: value" lines of a list. */
#include "core/base/err.h"
#include "ioc/list.h"
#include <stddef.h>
#include <string.h>

#define TEXT_MAX 4096u

/* Keys whose value is one text of the rule. */
static const struct text_key {
    const char *name;
    size_t offset;
} text_keys[] = {
    {"id", offsetof(struct wedr_rule, id)},
    {"title", offsetof(struct wedr_rule, title)},
    {"description", offsetof(struct wedr_rule, description)},
    {"author", offsetof(struct wedr_rule, author)},
    {"date", offsetof(struct wedr_rule, date)},
    {"modified", offsetof(struct wedr_rule, modified)},
    {"status", offsetof(struct wedr_rule, status)},
    {"license", offsetof(struct wedr_rule, license)},
};

static bool is(struct wedr_text t, const char *word)
{
    return t.len == strlen(word) && memcmp(t.p, word, t.len) == 0;
}

static int add(struct wedr_text_list *list, struct wedr_text *v, struct wedr_text t)
{
    if (list->count == WEDR_IOC_HEADER_LIST_MAX) {
        return WEDR_E_LIMIT;
    }
    v[list->count++] = t;
    list->v = v;
    return WEDR_OK;
}

static int add_tags(struct wedr_ioc_list *l, struct wedr_text value)
{
    int r = WEDR_OK;
    while (r == WEDR_OK && value.len > 0) {
        const char *comma = memchr(value.p, ',', value.len);
        uint32_t len = comma ? (uint32_t)(comma - value.p) : value.len;
        struct wedr_text tag = wedr_ioc_trim(wedr_text(value.p, len));
        if (tag.len > 0) {
            r = add(&l->rule.tags, l->tags, tag);
        }
        len += comma != NULL;
        value.p += len;
        value.len -= len;
    }
    return r;
}

static int set_action(struct wedr_rule *rule, struct wedr_text value)
{
    if (is(value, "alert")) {
        rule->actions = WEDR_ACTION_ALERT;
    } else if (is(value, "log")) {
        rule->actions = WEDR_ACTION_LOG;
    } else {
        return WEDR_E_FORMAT;
    }
    return WEDR_OK;
}

static int set_text(struct wedr_ioc_list *l, struct wedr_text key, struct wedr_text value)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(text_keys); i++) {
        if (is(key, text_keys[i].name)) {
            memcpy((char *)&l->rule + text_keys[i].offset, &value, sizeof(value));
            return WEDR_OK;
        }
    }
    return WEDR_E_NOENT;
}

static int set_other(struct wedr_ioc_list *l, struct wedr_text key, struct wedr_text value)
{
    if (is(key, "severity") || is(key, "level")) {
        return wedr_severity_parse(value.p, value.len, &l->rule.severity);
    }
    if (is(key, "expires")) {
        return wedr_ioc_expiry(value, &l->expiry_us);
    }
    if (is(key, "tags")) {
        return add_tags(l, value);
    }
    if (is(key, "reference")) {
        return add(&l->rule.references, l->references, value);
    }
    if (is(key, "false_positive")) {
        return add(&l->rule.false_positives, l->false_positives, value);
    }
    return is(key, "action") ? set_action(&l->rule, value) : WEDR_E_UNSUP;
}

int wedr_ioc_header_line(struct wedr_ioc_list *l,
                         struct wedr_text key,
                         struct wedr_text value,
                         struct wedr_errinfo *ei)
{
    int shown = (int)(key.len < 32 ? key.len : 32);
    if (value.len > TEXT_MAX) {
        return wedr_fail(ei, WEDR_E_LIMIT, "more than %u bytes", TEXT_MAX);
    }
    if (value.len == 0) {
        return wedr_fail(ei, WEDR_E_FORMAT, "'%.*s' has no value", shown, key.p);
    }
    int r = set_text(l, key, value);
    if (r == WEDR_E_NOENT) {
        r = set_other(l, key, value);
    }
    if (r == WEDR_E_UNSUP) {
        return wedr_fail(ei, WEDR_E_FORMAT, "unknown key '%.*s'", shown, key.p);
    }
    if (r == WEDR_E_LIMIT) {
        return wedr_fail(ei, r, "more than %u of '%.*s'", WEDR_IOC_HEADER_LIST_MAX, shown, key.p);
    }
    return r < 0 ? wedr_fail(ei, WEDR_E_FORMAT, "a value that '%.*s' cannot have", shown, key.p)
                 : WEDR_OK;
}
