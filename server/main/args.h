/* SPDX-License-Identifier: Apache-2.0
 * server/main/args.h — the command line of wedr-server: one table of commands, one of options. */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define WEDR_ARGS_NAMES_MAX 64u
#define WEDR_ARGS_WORDS_MAX 8192u
#define WEDR_TOKEN_USES_MAX 1000000u
#define WEDR_DURATION_MAX_S 31622400u /* 366 days */

enum wedr_server_command {
    WEDR_CMD_VERIFY,
    WEDR_CMD_BACKUP,
    WEDR_CMD_RESTORE,
    WEDR_CMD_USER_ADD,
    WEDR_CMD_USER_LIST,
    WEDR_CMD_USER_RESET_PASSWORD,
    WEDR_CMD_USER_UNLOCK,
    WEDR_CMD_USER_REMOVE_TOTP,
    WEDR_CMD_AUDIT_VERIFY,
    WEDR_CMD_HELP,
    WEDR_CMD_VERSION,
    WEDR_CMD_SERVE,
    WEDR_CMD_TOKEN_CREATE,
    WEDR_CMD_CA_FINGERPRINT,
    WEDR_CMD_SQL,
    WEDR_CMD_RULES_ADD,
    WEDR_CMD_RULES_LIST,
    WEDR_CMD_RULES_SHOW,
    WEDR_CMD_RULES_REMOVE,
    WEDR_CMD_RULES_ENABLE,
    WEDR_CMD_RULES_DISABLE,
    WEDR_CMD_RULES_VALIDATE,
    WEDR_CMD_RULES_PUBLISH,
    WEDR_CMD_LISTS_SET,
    WEDR_CMD_LISTS_LIST,
    WEDR_CMD_LISTS_REMOVE,
    WEDR_CMD_PROFILE_LIST,
    WEDR_CMD_PROFILE_SET,
    WEDR_CMD_PROFILE_ASSIGN,
    WEDR_CMD_ALERTS,
    WEDR_CMD_HUNT,
    WEDR_CMD_COUNT
};

struct wedr_server_args {
    enum wedr_server_command command;
    const char *data, *listen, *config;
    const char *from, *to; /* folders of a backup */
    const char *names[WEDR_ARGS_NAMES_MAX];
    size_t name_count;
    const char
        *words[WEDR_ARGS_WORDS_MAX]; /* behind the command: files, ids, key=value, a statement */
    size_t word_count;
    uint64_t uses, ttl_s, version, limit;
    const char *profile, *author, *agent, *rule, *severity;
    int64_t from_us, to_us; /* 0, INT64_MAX: not given */
    bool json;
};

/* Strings are borrowed from argv. now_us: what "1h" counts back from. WEDR_E_INVAL with the reason.
 */
WEDR_MUST_USE int wedr_server_args_parse(int argc,
                                         char *const *argv,
                                         int64_t now_us,
                                         struct wedr_server_args *ret,
                                         struct wedr_errinfo *ei);
void wedr_server_help(FILE *out);
