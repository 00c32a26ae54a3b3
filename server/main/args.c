/* SPDX-License-Identifier: Apache-2.0 */
#include "main/args.h"
#include "api/api.h"
#include "core/base/err.h"
#include <inttypes.h>
#include <string.h>

static bool parse_number(const char *s, size_t len, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;
    if (len == 0 || len > 12) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return false;
        }
        v = v * 10 + (uint64_t)(s[i] - '0');
    }
    if (v == 0 || v > max) {
        return false;
    }
    *ret = v;
    return true;
}

/* "3600", "90s", "15m", "1h", "7d" */
static bool parse_duration(const char *s, uint64_t *ret)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    size_t len = strlen(s);
    uint64_t factor = 1, v = 0;
    for (size_t i = 0; len && i < WEDR_ARRAY_COUNT(units); i++) {
        if (s[len - 1] == units[i].unit) {
            factor = units[i].seconds;
            len--;
            break;
        }
    }
    if (!parse_number(s, len, WEDR_TOKEN_TTL_MAX_S, &v) || v > WEDR_TOKEN_TTL_MAX_S / factor) {
        return false;
    }
    *ret = v * factor;
    return true;
}

static int set_option(struct wedr_server_args *a,
                      const char *option,
                      const char *value,
                      struct wedr_errinfo *ei)
{
    uint64_t n = 0;
    bool serve = a->command == WEDR_CMD_SERVE, token = a->command == WEDR_CMD_TOKEN_CREATE;
    if (strcmp(option, "--data") == 0) {
        a->data = value;
    } else if (strcmp(option, "--listen") == 0 && serve) {
        a->listen = value;
    } else if (strcmp(option, "--config") == 0 && (serve || a->command == WEDR_CMD_SQL)) {
        a->config = value;
    } else if (strcmp(option, "--name") == 0 && serve) {
        if (a->name_count == WEDR_ARGS_NAMES_MAX) {
            return wedr_fail(ei, WEDR_E_INVAL, "--name may be given %u times", WEDR_ARGS_NAMES_MAX);
        }
        a->names[a->name_count++] = value;
    } else if (strcmp(option, "--uses") == 0 && token) {
        if (!parse_number(value, strlen(value), WEDR_TOKEN_USES_MAX, &n)) {
            return wedr_fail(ei, WEDR_E_INVAL, "--uses needs a number from 1 to %u",
                             WEDR_TOKEN_USES_MAX);
        }
        a->uses = (uint32_t)n;
    } else if (strcmp(option, "--ttl") == 0 && token) {
        if (!parse_duration(value, &a->ttl_s)) {
            return wedr_fail(ei, WEDR_E_INVAL,
                             "--ttl needs a time like 90s, 15m, 1h or 7d, at most a year");
        }
    } else {
        return wedr_fail(ei, WEDR_E_INVAL, "unknown option %.64s", option);
    }
    return WEDR_OK;
}

/* The command's words; *ret_next is the first argument behind them. */
static int parse_command(
    int argc, char *const *argv, struct wedr_server_args *a, int *ret_next, struct wedr_errinfo *ei)
{
    static const struct {
        const char *first, *second;
        enum wedr_server_command command;
    } words[] = {
        {"serve", NULL, WEDR_CMD_SERVE},
        {"token", "create", WEDR_CMD_TOKEN_CREATE},
        {"ca", "fingerprint", WEDR_CMD_CA_FINGERPRINT},
        {"sql", NULL, WEDR_CMD_SQL},
        {"help", NULL, WEDR_CMD_HELP},
        {"--help", NULL, WEDR_CMD_HELP},
        {"-h", NULL, WEDR_CMD_HELP},
        {"--version", NULL, WEDR_CMD_VERSION},
    };
    for (size_t i = 0; argc > 1 && i < WEDR_ARRAY_COUNT(words); i++) {
        if (strcmp(argv[1], words[i].first) != 0) {
            continue;
        }
        if (words[i].second && (argc < 3 || strcmp(argv[2], words[i].second) != 0)) {
            return wedr_fail(ei, WEDR_E_INVAL, "%s needs the word %s", words[i].first,
                             words[i].second);
        }
        a->command = words[i].command;
        *ret_next = words[i].second ? 3 : 2;
        return WEDR_OK;
    }
    return argc > 1 ? wedr_fail(ei, WEDR_E_INVAL, "unknown command %.64s", argv[1])
                    : wedr_fail(ei, WEDR_E_INVAL, "a command is needed");
}

int wedr_server_args_parse(int argc,
                           char *const *argv,
                           struct wedr_server_args *ret,
                           struct wedr_errinfo *ei)
{
    struct wedr_server_args a = {.data = "/var/lib/wazabi-edr-server", .uses = 1, .ttl_s = 3600};
    int i = 0;
    int err = parse_command(argc, argv, &a, &i, ei);
    if (err == WEDR_OK && (a.command == WEDR_CMD_HELP || a.command == WEDR_CMD_VERSION)) {
        *ret = a;
        return WEDR_OK;
    }
    for (; err == WEDR_OK && i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0 && a.command == WEDR_CMD_SQL) {
            a.json = true;
        } else if (strncmp(argv[i], "--", 2) == 0) {
            err = i + 1 < argc ? set_option(&a, argv[i], argv[i + 1], ei)
                               : wedr_fail(ei, WEDR_E_INVAL, "%.64s needs a value", argv[i]);
            i++;
        } else if (a.command == WEDR_CMD_SQL && !a.sql) {
            a.sql = argv[i];
        } else {
            err = wedr_fail(ei, WEDR_E_INVAL, "unexpected argument %.64s", argv[i]);
        }
    }
    if (err == WEDR_OK && a.command == WEDR_CMD_SQL && !a.sql) {
        err = wedr_fail(ei, WEDR_E_INVAL, "sql needs a statement");
    }
    if (err == WEDR_OK && a.data[0] == '\0') {
        err = wedr_fail(ei, WEDR_E_INVAL, "--data needs a folder");
    }
    if (err == WEDR_OK) {
        *ret = a;
    }
    return err;
}

void wedr_server_help(FILE *out)
{
    (void)fputs(
        "wedr-server serve [--data DIR] [--listen ADDR:PORT] [--name NAME]... [--config FILE]\n"
        "    Serve agents. Port 0 lets the system choose; the address is printed and written to "
        "DIR/listen.\n"
        "wedr-server token create [--data DIR] [--uses N] [--ttl D]\n"
        "    Print a new enrolment token (default: 1 use, 1h).\n"
        "wedr-server ca fingerprint [--data DIR]\n"
        "    Print the SHA-256 of the CA's certificate, which agents are given with the token.\n"
        "wedr-server sql [--data DIR] [--json] \"STATEMENT\"\n"
        "    Read-only SQL over events, ledger, ledger_loss, coverage_gaps, agents.\n"
        "wedr-server help | --version\n"
        "\n"
        "All work with or without a running server. Default DIR: /var/lib/wazabi-edr-server\n"
        "\n"
        "Options of the configuration file (JSON, sections of keys):\n",
        out);
    for (size_t i = 0; i < wedr_server_option_count; i++) {
        const struct wedr_cfg_option *o = &wedr_server_options[i];
        (void)fprintf(out, "  %-36s %s (default %s", o->name, o->help,
                      o->fallback && o->fallback[0] ? o->fallback : "none");
        if (o->type == WEDR_CFG_U64) {
            (void)fprintf(out, ", %" PRIu64 " to %" PRIu64, o->min, o->max);
        }
        (void)fputs(")\n", out);
    }
}
