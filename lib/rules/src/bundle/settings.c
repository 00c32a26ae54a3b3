/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/rules/settings.h"

#include "core/base/attr.h"
#include "core/base/err.h"
#include "wedr/wire/schema.h"
#include <string.h>

#define AT(member)                                 \
    offsetof(struct wedr_sensor_settings, member), \
        sizeof(((struct wedr_sensor_settings *)0)->member)

static const struct wedr_cfg_option rows[] = {WEDR_SETTINGS_ROWS(AT)};

#define KEY_MAX 64u
#define BUDGET_MAX 1000000u
/* Ancestry, and the truth of every other event, hang on these. */
#define ALWAYS                                                                          \
    (UINT64_C(1) << WEDR_EV_PROCESS_CREATE | UINT64_C(1) << WEDR_EV_PROCESS_TERMINATE | \
     UINT64_C(1) << WEDR_EV_PROCESS_FORK | UINT64_C(1) << WEDR_EV_ACTIVITY_SUMMARY)

const char *wedr_settings_next(const char **at)
{
    const char *entry = *at;
    if (*entry == '\0') {
        return NULL;
    }
    *at = entry + strlen(entry) + 1;
    return entry;
}

void wedr_settings_defaults(struct wedr_sensor_settings *ret)
{
    memset(ret, 0, sizeof(*ret));
    (void)(wedr_cfg_defaults(rows, WEDR_ARRAY_COUNT(rows), ret, NULL) == WEDR_OK);
}

bool wedr_settings_is_budgeted(uint16_t code)
{
    const struct wedr_type_info *t = wedr_type_by_code(code);
    return t && t->lane == WEDR_LANE_BULK && code != WEDR_EV_ACTIVITY_SUMMARY;
}

/* Digits alone, up to max; what follows them goes to *ret_end. */
static bool number(const char *text, uint64_t max, uint64_t *ret, const char **ret_end)
{
    uint64_t v = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        v = v * 10 + (uint64_t)(*p - '0');
        if (v > max) {
            return false;
        }
    }
    *ret = v;
    *ret_end = p;
    return p != text;
}

static const struct wedr_type_info *kernel_type(const char *name, size_t len)
{
    const struct wedr_type_info *t = wedr_type_by_name(name, len);
    return t && t->code < WEDR_SETTINGS_KINDS ? t : NULL;
}

static int mean_kinds(const char *list, struct wedr_settings_meaning *ret, struct wedr_errinfo *ei)
{
    ret->kinds = UINT64_MAX;
    for (const char *e = wedr_settings_next(&list); e; e = wedr_settings_next(&list)) {
        const struct wedr_type_info *t = kernel_type(e, strlen(e));
        if (!t || (ALWAYS >> t->code & 1) != 0) {
            return wedr_fail(ei, WEDR_E_FORMAT, "sensor.kinds_off: %.40s %s", e,
                             t ? "is always recorded" : "is no event type of a sensor");
        }
        ret->kinds &= ~(UINT64_C(1) << t->code);
    }
    return WEDR_OK;
}

static int
mean_budgets(const char *list, struct wedr_settings_meaning *ret, struct wedr_errinfo *ei)
{
    uint64_t all = 0, named = 0;
    for (const char *e = wedr_settings_next(&list); e; e = wedr_settings_next(&list)) {
        size_t n = strcspn(e, ":");
        uint64_t count = 0;
        const char *end = e;
        const struct wedr_type_info *t = kernel_type(e, n);
        bool star = n == 1 && e[0] == '*';
        if (e[n] != ':' || (!t && !star) || !number(e + n + 1, BUDGET_MAX, &count, &end) || *end) {
            return wedr_fail(ei, WEDR_E_FORMAT, "sensor.budgets: %.60s is not type:count", e);
        }
        if (t && t->lane != WEDR_LANE_BULK) {
            return wedr_fail(ei, WEDR_E_FORMAT, "sensor.budgets: %.40s is never held back", e);
        }
        if (star) {
            all = count;
        } else {
            ret->budget[t->code] = (uint32_t)count;
            named |= UINT64_C(1) << t->code;
        }
    }
    for (uint16_t code = 0; code < WEDR_SETTINGS_KINDS; code++) {
        if (wedr_settings_is_budgeted(code) && (named >> code & 1) == 0) {
            ret->budget[code] = (uint32_t)all;
        }
    }
    return WEDR_OK;
}

static int mean_uids(const char *list, struct wedr_settings_meaning *ret, struct wedr_errinfo *ei)
{
    for (const char *e = wedr_settings_next(&list); e; e = wedr_settings_next(&list)) {
        uint64_t uid = 0;
        const char *end = e;
        if (!number(e, UINT32_MAX - 1, &uid, &end) || *end != '\0') {
            return wedr_fail(ei, WEDR_E_FORMAT, "sensor.exclude_uids: %.40s is no user id", e);
        }
        if (ret->uid_count == WEDR_SETTINGS_UIDS_MAX) {
            return wedr_fail(ei, WEDR_E_FORMAT, "sensor.exclude_uids: more than %u",
                             WEDR_SETTINGS_UIDS_MAX);
        }
        ret->uids[ret->uid_count++] = (uint32_t)uid;
    }
    return WEDR_OK;
}

static int check_prefixes(const char *key, const char *list, bool paths, struct wedr_errinfo *ei)
{
    size_t count = 0;
    for (const char *e = wedr_settings_next(&list); e; e = wedr_settings_next(&list)) {
        if (strlen(e) > WEDR_SETTINGS_PATH_MAX || (paths && e[0] != '/')) {
            return wedr_fail(ei, WEDR_E_FORMAT, "sensor.%s: %.40s %s", key, e,
                             paths && e[0] != '/' ? "does not begin with /" : "is too long");
        }
        if (++count > WEDR_SETTINGS_PATHS_MAX) {
            return wedr_fail(ei, WEDR_E_FORMAT, "sensor.%s: more than %u", key,
                             WEDR_SETTINGS_PATHS_MAX);
        }
    }
    return WEDR_OK;
}

int wedr_settings_mean(const struct wedr_sensor_settings *s,
                       struct wedr_settings_meaning *ret,
                       struct wedr_errinfo *ei)
{
    memset(ret, 0, sizeof(*ret));
    int err = mean_kinds(s->kinds_off, ret, ei);
    if (err == WEDR_OK) {
        err = mean_budgets(s->budgets, ret, ei);
    }
    if (err == WEDR_OK) {
        err = mean_uids(s->exclude_uids, ret, ei);
    }
    if (err == WEDR_OK) {
        err = check_prefixes("exclude_paths", s->exclude_paths, true, ei);
    }
    if (err == WEDR_OK) {
        err = check_prefixes("watch_paths", s->watch_paths, true, ei);
    }
    if (err == WEDR_OK) {
        err = check_prefixes("exclude_cgroups", s->exclude_cgroups, true, ei);
    }
    return err == WEDR_OK ? check_prefixes("watch_xattrs", s->watch_xattrs, false, ei) : err;
}

static int
apply_line(struct wedr_sensor_settings *s, const char *line, size_t len, struct wedr_errinfo *ei)
{
    char key[KEY_MAX], value[sizeof(s->exclude_paths)];
    const char *eq = memchr(line, '=', len);
    size_t key_len = eq ? (size_t)(eq - line) : 0;
    size_t value_len = eq ? len - key_len - 1 : 0;
    if (key_len == 0 || key_len >= sizeof(key) || value_len >= sizeof(value) ||
        memchr(line, '\0', len)) {
        return wedr_fail(ei, WEDR_E_FORMAT, "%.*s: sensor.key=value is expected",
                         len < 40 ? (int)len : 40, line);
    }
    memcpy(key, line, key_len);
    key[key_len] = '\0';
    memcpy(value, eq + 1, value_len);
    value[value_len] = '\0';
    if (strcmp(key, "sensor.from_profile") == 0) {
        return wedr_fail(ei, WEDR_E_FORMAT, "%s stands in agent.json alone", key);
    }
    return wedr_cfg_set(rows, WEDR_ARRAY_COUNT(rows), key, value, s, ei);
}

int wedr_settings_apply(struct wedr_sensor_settings *s,
                        const char *lines,
                        size_t len,
                        struct wedr_errinfo *ei)
{
    struct wedr_sensor_settings next = *s;
    struct wedr_settings_meaning meaning;
    int err =
        len > WEDR_SETTINGS_TEXT_MAX
            ? wedr_fail(ei, WEDR_E_RANGE, "settings of more than %u bytes", WEDR_SETTINGS_TEXT_MAX)
            : WEDR_OK;
    while (err == WEDR_OK && len > 0) {
        const char *end = memchr(lines, '\n', len);
        if (!end) {
            return wedr_fail(ei, WEDR_E_FORMAT, "a setting without the end of its line");
        }
        err = apply_line(&next, lines, (size_t)(end - lines), ei);
        len -= (size_t)(end - lines) + 1;
        lines = end + 1;
    }
    if (err == WEDR_OK) {
        err = wedr_settings_mean(&next, &meaning, ei);
    }
    if (err == WEDR_OK) {
        *s = next;
    }
    return err;
}
