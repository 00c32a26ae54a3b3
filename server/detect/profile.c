/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/profile.h"
#include "core/base/err.h"
#include "wedr/rules/settings.h"
#include <stdio.h>
#include <string.h>

static bool same(struct wedr_text t, const char *s)
{
    return t.len == strlen(s) && memcmp(t.p, s, t.len) == 0;
}

/* The next entry of a comma-separated list; false at its end. */
static bool next_entry(const char **at, struct wedr_text *ret)
{
    const char *s = *at;
    while (*s == ',' || *s == ' ') {
        s++;
    }
    if (!*s) {
        return false;
    }
    size_t n = strcspn(s, ",");
    *at = s + n;
    while (n && s[n - 1] == ' ') {
        n--;
    }
    *ret = wedr_text(s, n);
    return true;
}

static bool list_has(const char *list, struct wedr_text id)
{
    struct wedr_text e;
    while (next_entry(&list, &e)) {
        if (wedr_text_equal(e, id, false)) {
            return true;
        }
    }
    return false;
}

static bool tag_fits(struct wedr_text want, struct wedr_text tag)
{
    return wedr_text_starts(tag, want, false) && (tag.len == want.len || tag.p[want.len] == '.');
}

static bool has_tag(const char *list, const struct wedr_rule *rule)
{
    struct wedr_text e;
    while (next_entry(&list, &e)) {
        for (uint32_t i = 0; i < rule->tags.count; i++) {
            if (tag_fits(e, rule->tags.v[i])) {
                return true;
            }
        }
    }
    return false;
}

bool wedr_profile_has(const struct wedr_profile *p, const struct wedr_rule *rule)
{
    struct wedr_text id = rule->id.len ? rule->id : rule->title;
    if (list_has(p->disable, id)) {
        return false;
    }
    if (list_has(p->enable, id)) {
        return true;
    }
    return rule->severity >= p->severity_min && (p->all || has_tag(p->tags, rule));
}

bool wedr_rule_is_servers(const struct wedr_rule *rule)
{
    return (rule->flags & WEDR_RULE_SERVER) != 0 ||
           (rule->correlation != WEDR_IR_NONE && same(rule->language, "sigma"));
}

bool wedr_profile_name_valid(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n < WEDR_PROFILE_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

static int set_list(char *ret, const char *key, const char *value, struct wedr_errinfo *ei)
{
    size_t n = strlen(value);
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)value[i] < 0x20) {
            return wedr_fail(ei, WEDR_E_INVAL, "%s has control characters", key);
        }
    }
    if (n >= WEDR_PROFILE_LIST_MAX) {
        return wedr_fail(ei, WEDR_E_INVAL, "%s is longer than %u bytes", key,
                         WEDR_PROFILE_LIST_MAX - 1);
    }
    memcpy(ret, value, n + 1);
    return WEDR_OK;
}

static int set_choice(bool *ret,
                      const char *key,
                      const char *value,
                      const char *yes,
                      const char *no,
                      struct wedr_errinfo *ei)
{
    if (strcmp(value, yes) != 0 && strcmp(value, no) != 0) {
        return wedr_fail(ei, WEDR_E_INVAL, "%s is %s or %s", key, yes, no);
    }
    *ret = strcmp(value, yes) == 0;
    return WEDR_OK;
}

/* The line of the key is replaced, or goes when there is no value; the others stay. */
static int set_sensor(struct wedr_profile *p, const char *assignment, struct wedr_errinfo *ei)
{
    char lines[WEDR_PROFILE_SENSOR_MAX] = "";
    size_t used = 0, key = (size_t)(strchr(assignment, '=') - assignment) + 1;
    struct wedr_sensor_settings s;
    for (const char *at = p->sensor; *at; at += strcspn(at, "\n") + 1) {
        size_t n = strcspn(at, "\n") + 1;
        if (strncmp(at, assignment, key) != 0) {
            memcpy(lines + used, at, n);
            used += n;
        }
    }
    int n = assignment[key] ? snprintf(lines + used, sizeof(lines) - used, "%s\n", assignment) : 0;
    if (n < 0 || (size_t)n >= sizeof(lines) - used || strchr(assignment, '\n')) {
        return wedr_fail(ei, WEDR_E_INVAL, "%.40s is too long, or more than one line", assignment);
    }
    used += (size_t)n;
    lines[used] = '\0';
    wedr_settings_defaults(&s);
    if (wedr_settings_apply(&s, lines, used, ei) != WEDR_OK) {
        return WEDR_E_INVAL;
    }
    memcpy(p->sensor, lines, used + 1);
    return WEDR_OK;
}

int wedr_profile_change(struct wedr_profile *p, const char *assignment, struct wedr_errinfo *ei)
{
    char key[32];
    const char *eq = strchr(assignment, '=');
    if (!eq || eq == assignment || (size_t)(eq - assignment) >= sizeof(key)) {
        return wedr_fail(ei, WEDR_E_INVAL, "%.64s: key=value is expected", assignment);
    }
    if (strncmp(assignment, "sensor.", 7) == 0) {
        return set_sensor(p, assignment, ei);
    }
    memcpy(key, assignment, (size_t)(eq - assignment));
    key[eq - assignment] = '\0';
    const char *value = eq + 1;
    if (strcmp(key, "rules") == 0) {
        return set_choice(&p->all, key, value, "all", "none", ei);
    }
    if (strcmp(key, "kill") == 0) {
        return set_choice(&p->kill_allowed, key, value, "yes", "no", ei);
    }
    if (strcmp(key, "min_severity") == 0) {
        return wedr_severity_parse(value, strlen(value), &p->severity_min) == WEDR_OK
                   ? WEDR_OK
                   : wedr_fail(ei, WEDR_E_INVAL,
                               "min_severity is informational, low, medium, high or critical");
    }
    char *list = strcmp(key, "tags") == 0      ? p->tags
                 : strcmp(key, "enable") == 0  ? p->enable
                 : strcmp(key, "disable") == 0 ? p->disable
                                               : NULL;
    return list ? set_list(list, key, value, ei)
                : wedr_fail(ei, WEDR_E_INVAL,
                            "%s is no key of a profile: rules, tags, min_severity, enable, "
                            "disable, kill, sensor.*",
                            key);
}
