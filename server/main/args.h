/* SPDX-License-Identifier: Apache-2.0
 * server/main/args.h — the command line of wedr-server. */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define WEDR_ARGS_NAMES_MAX 64u
#define WEDR_TOKEN_USES_MAX 1000000u
#define WEDR_TOKEN_TTL_MAX_S 31622400u /* 366 days */

enum wedr_server_command {
    WEDR_CMD_HELP,
    WEDR_CMD_VERSION,
    WEDR_CMD_SERVE,
    WEDR_CMD_TOKEN_CREATE,
    WEDR_CMD_CA_FINGERPRINT,
    WEDR_CMD_SQL
};

struct wedr_server_args {
    enum wedr_server_command command;
    const char *data, *listen, *config, *sql;
    const char *names[WEDR_ARGS_NAMES_MAX];
    size_t name_count;
    uint32_t uses;
    uint64_t ttl_s;
    bool json;
};

/* Strings are borrowed from argv. WEDR_E_INVAL with the reason. */
WEDR_MUST_USE int wedr_server_args_parse(int argc,
                                         char *const *argv,
                                         struct wedr_server_args *ret,
                                         struct wedr_errinfo *ei);
void wedr_server_help(FILE *out);
