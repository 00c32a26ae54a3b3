/* SPDX-License-Identifier: Apache-2.0 */
#include "args.h"

#include "core/base/err.h"
#include "core/util/json.h"
#include "wedr/rules/text.h"
#include <string.h>

enum kind { FLAG, TEXT, NUMBER, TIME, VALUES };

static const struct wedr_ctl_option_info infos[] = {
#define O(id, name, value, kind, max, choices, help) {name, value, choices, help},
#include "options.def"
#undef O
};

static const struct {
    enum kind kind;
    uint64_t max;
} kinds[] = {
#define O(id, name, value, kind, max, choices, help) {kind, max},
#include "options.def"
#undef O
};

_Static_assert(WEDR_CTL_OPTIONS <= 64, "a bit for each option");

const struct wedr_ctl_option_info *wedr_ctl_option_info(enum wedr_ctl_option o)
{
    return &infos[o];
}

static const struct wedr_ctl_command *find(const char *name)
{
    for (size_t i = 0; i < wedr_ctl_command_count; i++) {
        if (strcmp(wedr_ctl_commands[i].name, name) == 0) {
            return &wedr_ctl_commands[i];
        }
    }
    return NULL;
}

const struct wedr_ctl_command *wedr_ctl_command_find(int argc, char **argv, int *ret_words)
{
    char name[128];
    if (argc >= 2) {
        int n = snprintf(name, sizeof(name), "%s %s", argv[0], argv[1]);
        const struct wedr_ctl_command *two = n > 0 && (size_t)n < sizeof(name) ? find(name) : NULL;
        if (two) {
            *ret_words = 2;
            return two;
        }
    }
    if (argc < 1) {
        return NULL;
    }
    *ret_words = 1;
    const struct wedr_ctl_command *one = find(argv[0]);
    int n = snprintf(name, sizeof(name), "%s list", argv[0]);
    bool alone = argc == 1 || argv[1][0] == '-';
    return one || !alone || n < 0 || (size_t)n >= sizeof(name) ? one : find(name);
}

static int parse_number(const char *s, size_t len, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned char)s[i] - (unsigned)'0';
        if (digit > 9 || v > max / 10) {
            return WEDR_E_FORMAT;
        }
        v = v * 10 + digit;
    }
    if (v == 0 || v > max) {
        return WEDR_E_FORMAT;
    }
    *ret = v;
    return WEDR_OK;
}

/* "90s", "15m", "2h", "7d" before now, or a time as text. */
static int parse_time(const char *s, int64_t now_us, char ret[WEDR_CTL_TIME_LEN])
{
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    int64_t us = -1;
    size_t len = strlen(s);
    for (size_t i = 0; len > 1 && i < WEDR_ARRAY_COUNT(units); i++) {
        uint64_t count = 0;
        if (s[len - 1] == units[i].unit && parse_number(s, len - 1, 100000000, &count) == WEDR_OK) {
            us = now_us - (int64_t)(count * units[i].seconds * 1000000);
            us = us < 0 ? 0 : us;
        }
    }
    if (us < 0 && (wedr_time_parse(s, len, &us) != WEDR_OK || us < 0)) {
        return WEDR_E_FORMAT;
    }
    char quoted[WEDR_CTL_TIME_LEN + 2];
    struct wedr_json j;
    wedr_json_init(&j, quoted, sizeof(quoted));
    wedr_json_time_us(&j, us);
    memcpy(ret, quoted + 1, WEDR_CTL_TIME_LEN - 1);
    ret[WEDR_CTL_TIME_LEN - 1] = '\0';
    return WEDR_OK;
}

static int set_value(struct wedr_ctl_args *a,
                     enum wedr_ctl_option o,
                     const char *value,
                     int64_t now_us,
                     struct wedr_errinfo *ei)
{
    const char *name = infos[o].name;
    a->text[o] = value;
    if (kinds[o].kind == NUMBER &&
        parse_number(value, strlen(value), kinds[o].max, &a->number[o]) != WEDR_OK) {
        return wedr_fail(ei, WEDR_E_INVAL, "--%s wants a number from 1 to %llu, not %.64s", name,
                         (unsigned long long)kinds[o].max, value);
    }
    if (kinds[o].kind == TIME &&
        parse_time(value, now_us, o == WEDR_CTL_SINCE ? a->since : a->until) != WEDR_OK) {
        return wedr_fail(ei, WEDR_E_INVAL,
                         "--%s: %.64s is no time (2026-01-31T08:00:00Z, 90s, 15m, 2h, 7d)", name,
                         value);
    }
    if (kinds[o].kind == VALUES) {
        struct wedr_ctl_values *list = o == WEDR_CTL_WHERE ? &a->where : &a->field;
        if (list->count == WEDR_CTL_VALUES_MAX) {
            return wedr_fail(ei, WEDR_E_INVAL, "--%s at most %u times", name, WEDR_CTL_VALUES_MAX);
        }
        list->v[list->count++] = value;
    }
    return WEDR_OK;
}

/* argv[*i] begins with "--"; *i is moved on to its value. */
static int set_option(
    struct wedr_ctl_args *a, int argc, char **argv, int *i, int64_t now_us, struct wedr_errinfo *ei)
{
    const char *name = argv[*i] + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    for (unsigned k = 0; k < WEDR_CTL_OPTIONS; k++) {
        enum wedr_ctl_option o = (enum wedr_ctl_option)k;
        if (strlen(infos[o].name) != len || memcmp(infos[o].name, name, len) != 0 ||
            (a->command->options & UINT64_C(1) << o) == 0) {
            continue;
        }
        if (kinds[o].kind == FLAG) {
            a->text[o] = "";
            return equals ? wedr_fail(ei, WEDR_E_INVAL, "--%s takes no value", infos[o].name)
                          : WEDR_OK;
        }
        if (equals) {
            return set_value(a, o, equals + 1, now_us, ei);
        }
        if (*i + 1 == argc) {
            return wedr_fail(ei, WEDR_E_INVAL, "--%s needs a value: %s", infos[o].name,
                             infos[o].value);
        }
        return set_value(a, o, argv[++*i], now_us, ei);
    }
    return wedr_fail(ei, WEDR_E_INVAL, "%s has no option %.64s", a->command->name, argv[*i]);
}

int wedr_ctl_args_parse(const struct wedr_ctl_command *command,
                        int argc,
                        char **argv,
                        int64_t now_us,
                        struct wedr_ctl_args *ret_args,
                        struct wedr_errinfo *ei)
{
    bool options = true;
    memset(ret_args, 0, sizeof(*ret_args));
    ret_args->command = command;
    ret_args->words = argv;
    for (int i = 0; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1] == '-') {
            int err = set_option(ret_args, argc, argv, &i, now_us, ei);
            if (err != WEDR_OK) {
                return err;
            }
        } else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
            return wedr_fail(ei, WEDR_E_INVAL, "%s has no option %.64s", command->name, argv[i]);
        } else {
            argv[ret_args->word_count++] = argv[i];
        }
    }
    if (ret_args->word_count < command->min || ret_args->word_count > command->max) {
        return wedr_fail(ei, WEDR_E_INVAL, "usage: wedrctl %s [--option]... %s", command->name,
                         command->words);
    }
    return WEDR_OK;
}
