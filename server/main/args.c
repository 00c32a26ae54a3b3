/* SPDX-License-Identifier: Apache-2.0 */
#include "main/args.h"
#include "api/api.h"
#include "core/base/err.h"
#include "ingest/line_schema.h"
#include <inttypes.h>
#include <string.h>

struct command {
    const char *first, *second; /* words; second may be NULL */
    size_t words_min, words_max;
    const char *words, *help;
};

static const struct command commands[WEDR_CMD_COUNT] = {
    [WEDR_CMD_SERVE] = {"serve", NULL, 0, 0, "",
                        "Serve agents. Port 0 lets the system choose; the address is printed and "
                        "written to DIR/listen."},
    [WEDR_CMD_TOKEN_CREATE] = {"token", "create", 0, 0, "",
                               "Print a new enrolment token (default: 1 use, 1h)."},
    [WEDR_CMD_CA_FINGERPRINT] = {"ca", "fingerprint", 0, 0, "",
                                 "Print the SHA-256 of the CA's certificate, which agents are "
                                 "given with the token."},
    [WEDR_CMD_SQL] = {"sql", NULL, 1, 1, "\"STATEMENT\"",
                      "Read-only SQL over events, ledger, ledger_loss, coverage_gaps, agents, "
                      "alerts, alert_evidence, responses, rules, process_tree."},
    [WEDR_CMD_RULES_ADD] = {"rules", "add", 1, WEDR_ARGS_WORDS_MAX, "FILE|DIR...",
                            "Store rules (.yml Sigma, .waza, .ioc), new ones or new versions; what "
                            "does not compile is told and not stored. `rules import` is the same."},
    [WEDR_CMD_RULES_LIST] = {"rules", "list", 0, 0, "", "The stored rules."},
    [WEDR_CMD_RULES_SHOW] = {"rules", "show", 1, 1, "ID", "The text of one, or of an old version."},
    [WEDR_CMD_RULES_REMOVE] = {"rules", "remove", 1, WEDR_ARGS_WORDS_MAX, "ID...",
                               "Remove rules; their versions are kept."},
    [WEDR_CMD_RULES_ENABLE] = {"rules", "enable", 1, WEDR_ARGS_WORDS_MAX, "ID...",
                               "Switch rules on for all profiles."},
    [WEDR_CMD_RULES_DISABLE] = {"rules", "disable", 1, WEDR_ARGS_WORDS_MAX, "ID...",
                                "Switch rules off for all profiles."},
    [WEDR_CMD_RULES_VALIDATE] = {"rules", "validate", 0, WEDR_ARGS_WORDS_MAX, "[FILE|DIR...]",
                                 "Compile what is stored, together with these files; nothing is "
                                 "changed."},
    [WEDR_CMD_RULES_PUBLISH] = {"rules", "publish", 0, 0, "",
                                "Compile bundles for agents. When a rule does not compile, the "
                                "old ones stay in force."},
    [WEDR_CMD_LISTS_SET] = {"lists", "set", 2, 2, "NAME FILE",
                            "Store what %NAME% stands for in rules, one entry per line."},
    [WEDR_CMD_LISTS_LIST] = {"lists", "list", 0, 0, "", "The stored lists."},
    [WEDR_CMD_LISTS_REMOVE] = {"lists", "remove", 1, 1, "NAME", "Remove a list."},
    [WEDR_CMD_PROFILE_LIST] = {"profile", "list", 0, 0, "", "Profiles and their agents."},
    [WEDR_CMD_PROFILE_SET] = {"profile", "set", 1, 64, "NAME KEY=VALUE...",
                              "Make or change one: rules=all|none, tags=a,b, min_severity=LEVEL, "
                              "enable=ID,ID, disable=ID,ID, kill=yes|no, sensor.KEY=VALUE."},
    [WEDR_CMD_PROFILE_ASSIGN] = {"profile", "assign", 2, 2, "AGENT NAME",
                                 "Give an agent another profile."},
    [WEDR_CMD_ALERTS] = {"alerts", NULL, 0, 0, "", "Alerts, newest last."},
    [WEDR_CMD_HUNT] = {"hunt", NULL, 1, 64, "FILE|DIR|ID...",
                       "Run rules over stored events: files, or stored rules by id."},
    [WEDR_CMD_VERIFY] = {"verify", NULL, 0, 0, "",
                         "Read every stored event, check digests, blocks and the ledger; exit 1 "
                         "when something is wrong."},
    [WEDR_CMD_BACKUP] = {"backup", NULL, 0, 0, "",
                         "Copy the data folder, secrets too, into a new folder, beside the running "
                         "server; the copy is verified."},
    [WEDR_CMD_RESTORE] = {"restore", NULL, 0, 0, "",
                          "Make a data folder, which must be missing or empty, of a backup."},
    [WEDR_CMD_USER_ADD] = {"user", "add", 1, 2, "NAME [ROLE]",
                           "Make a user (viewer, analyst, responder or admin; default viewer) and "
                           "print a one-time password."},
    [WEDR_CMD_USER_LIST] = {"user", "list", 0, 0, "", "The users."},
    [WEDR_CMD_USER_RESET_PASSWORD] =
        {"user", "reset-password", 1, 1, "NAME",
         "Print a new one-time password; sessions and a lock-out end."},
    [WEDR_CMD_USER_UNLOCK] = {"user", "unlock", 1, 1, "NAME", "End a lock-out."},
    [WEDR_CMD_USER_REMOVE_TOTP] = {"user", "remove-totp", 1, 1, "NAME",
                                   "Take the second factor away; sessions end."},
    [WEDR_CMD_AUDIT_VERIFY] =
        {"audit", "verify", 0, 0, "",
         "Check that no entry of the audit log was changed or removed; exit 1 "
         "when one was."},
    [WEDR_CMD_HELP] = {"help", NULL, 0, 0, "", NULL},
    [WEDR_CMD_VERSION] = {"--version", NULL, 0, 0, "", NULL},
};

enum kind { TEXT, NUMBER, DURATION, TIME, SWITCH, NAMES };
#define CMD(name) (UINT64_C(1) << WEDR_CMD_##name)
#define EVERY (~(CMD(HELP) | CMD(VERSION)))

struct option {
    const char *name, *value;
    enum kind kind;
    uint64_t commands;
    size_t offset;
    uint64_t max;
    const char *help;
};

#define AT(member) offsetof(struct wedr_server_args, member)
static const struct option options[] = {
    {"--data", "DIR", TEXT, EVERY, AT(data), 0, "the data folder"},
    {"--listen", "ADDR:PORT", TEXT, CMD(SERVE), AT(listen), 0, "instead of server.listen"},
    {"--name", "NAME", NAMES, CMD(SERVE), 0, 0, "a further name for the certificate; repeatable"},
    {"--config", "FILE", TEXT, CMD(SERVE) | CMD(SQL) | CMD(HUNT), AT(config), 0, "JSON, see below"},
    {"--uses", "N", NUMBER, CMD(TOKEN_CREATE), AT(uses), WEDR_TOKEN_USES_MAX, "agents per token"},
    {"--ttl", "D", DURATION, CMD(TOKEN_CREATE), AT(ttl_s), WEDR_DURATION_MAX_S,
     "life of the token: 90s, 15m, 1h, 7d"},
    {"--json", NULL, SWITCH,
     CMD(SQL) | CMD(RULES_LIST) | CMD(RULES_VALIDATE) | CMD(PROFILE_LIST) | CMD(ALERTS) |
         CMD(HUNT) | CMD(VERIFY) | CMD(BACKUP),
     AT(json), 0, "for programs"},
    {"--version", "N", NUMBER, CMD(RULES_SHOW), AT(version), UINT32_MAX, "an older text"},
    {"--author", "NAME", TEXT, CMD(RULES_ADD), AT(author), 0, "who is noted for the version"},
    {"--profile", "NAME", TEXT, CMD(RULES_PUBLISH), AT(profile), 0, "this one alone"},
    {"--since", "TIME", TIME, CMD(ALERTS), AT(from_us), 0,
     "2026-11-23T20:00:00Z, or 15m, 1h, 7d ago"},
    {"--from", "TIME", TIME, CMD(HUNT), AT(from_us), 0, "first time of events, like --since"},
    {"--to", "TIME", TIME, CMD(HUNT), AT(to_us), 0, "last time of events"},
    {"--to", "DIR", TEXT, CMD(BACKUP), AT(to), 0, "where the backup goes: missing or empty"},
    {"--from", "DIR", TEXT, CMD(RESTORE), AT(from), 0, "the backup"},
    {"--agent", "ID", TEXT, CMD(ALERTS) | CMD(HUNT), AT(agent), 0, "of this agent alone"},
    {"--rule", "ID", TEXT, CMD(ALERTS), AT(rule), 0, "of this rule alone"},
    {"--limit", "N", NUMBER, CMD(ALERTS) | CMD(HUNT), AT(limit), 1000000000, "at most so many"},
};

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
static bool parse_duration(const char *s, uint64_t max, uint64_t *ret)
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
    if (!parse_number(s, len, max, &v) || v > max / factor) {
        return false;
    }
    *ret = v * factor;
    return true;
}

/* A duration back from now, or "2026-11-23[T20:34[:17[.123456]]][Z]" in UTC. */
static bool parse_time(const char *s, int64_t now_us, int64_t *ret)
{
    static const char fill[] = "0000-00-00T00:00:00.000000Z";
    char text[sizeof(fill)];
    uint64_t back = 0;
    size_t len = strlen(s);
    if (parse_duration(s, UINT64_C(10) * WEDR_DURATION_MAX_S, &back)) {
        *ret = now_us - (int64_t)back * 1000000;
        return true;
    }
    len -= len && s[len - 1] == 'Z' ? 1 : 0;
    if (len != 10 && len != 16 && len != 19 && len != 26) {
        return false;
    }
    memcpy(text, fill, sizeof(fill));
    memcpy(text, s, len);
    return wedr_line_time_parse(text, sizeof(fill) - 1, ret);
}

static int set_value(struct wedr_server_args *a,
                     const struct option *o,
                     const char *value,
                     int64_t now_us,
                     struct wedr_errinfo *ei)
{
    char *at = (char *)a + o->offset;
    switch (o->kind) {
    case TEXT:
        memcpy(at, &value, sizeof(value));
        return value[0] ? WEDR_OK : wedr_fail(ei, WEDR_E_INVAL, "%s is empty", o->name);
    case NUMBER:
        return parse_number(value, strlen(value), o->max, (uint64_t *)(void *)at)
                   ? WEDR_OK
                   : wedr_fail(ei, WEDR_E_INVAL, "%s needs a number from 1 to %" PRIu64, o->name,
                               o->max);
    case DURATION:
        return parse_duration(value, o->max, (uint64_t *)(void *)at)
                   ? WEDR_OK
                   : wedr_fail(ei, WEDR_E_INVAL,
                               "%s needs a time like 90s, 15m, 1h or 7d, at most a year", o->name);
    case TIME:
        return parse_time(value, now_us, (int64_t *)(void *)at)
                   ? WEDR_OK
                   : wedr_fail(ei, WEDR_E_INVAL,
                               "%s needs a time like 2026-11-23T20:00:00Z, or 15m, 1h, 7d ago",
                               o->name);
    case SWITCH:
        a->json = true;
        return WEDR_OK;
    case NAMES:
        if (a->name_count == WEDR_ARGS_NAMES_MAX) {
            return wedr_fail(ei, WEDR_E_INVAL, "--name may be given %u times", WEDR_ARGS_NAMES_MAX);
        }
        a->names[a->name_count++] = value;
        return WEDR_OK;
    }
    return WEDR_E_BUG;
}

static const struct option *find_option(enum wedr_server_command command, const char *name)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(options); i++) {
        if (strcmp(options[i].name, name) == 0 &&
            (options[i].commands & UINT64_C(1) << command) != 0) {
            return &options[i];
        }
    }
    return NULL;
}

/* The command's words; *ret_next is the first argument behind them. */
static int parse_command(
    int argc, char *const *argv, struct wedr_server_args *a, int *ret_next, struct wedr_errinfo *ei)
{
    bool first_known = false;
    if (argc < 2) {
        return wedr_fail(ei, WEDR_E_INVAL, "a command is needed");
    }
    const char *first =
        strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ? "help" : argv[1];
    const char *second = argc > 2 ? argv[2] : "";
    second = strcmp(second, "import") == 0 ? "add" : second;
    for (unsigned i = 0; i < WEDR_CMD_COUNT; i++) {
        bool named = strcmp(first, commands[i].first) == 0;
        first_known = first_known || named;
        if (named && (!commands[i].second || strcmp(second, commands[i].second) == 0)) {
            a->command = (enum wedr_server_command)i;
            *ret_next = commands[i].second ? 3 : 2;
            return WEDR_OK;
        }
    }
    if (!first_known) {
        return wedr_fail(ei, WEDR_E_INVAL, "unknown command %.64s", first);
    }
    return wedr_fail(ei, WEDR_E_INVAL, "%s does not know %.64s", first,
                     second[0] ? second : "what to do");
}

int wedr_server_args_parse(int argc,
                           char *const *argv,
                           int64_t now_us,
                           struct wedr_server_args *ret,
                           struct wedr_errinfo *ei)
{
    int i = 0;
    memset(ret, 0, sizeof(*ret));
    ret->data = "/var/lib/wazabi-edr-server";
    ret->uses = 1;
    ret->ttl_s = 3600;
    ret->to_us = INT64_MAX;
    int err = parse_command(argc, argv, ret, &i, ei);
    if (err == WEDR_OK && (ret->command == WEDR_CMD_HELP || ret->command == WEDR_CMD_VERSION)) {
        return WEDR_OK;
    }
    const struct command *c = &commands[ret->command];
    for (; err == WEDR_OK && i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            const struct option *o = find_option(ret->command, argv[i]);
            if (!o) {
                err = wedr_fail(ei, WEDR_E_INVAL, "unknown option %.64s", argv[i]);
            } else if (o->kind == SWITCH) {
                err = set_value(ret, o, "", now_us, ei);
            } else {
                err = i + 1 < argc ? set_value(ret, o, argv[i + 1], now_us, ei)
                                   : wedr_fail(ei, WEDR_E_INVAL, "%.64s needs a value", argv[i]);
                i++;
            }
        } else if (ret->word_count < c->words_max) {
            ret->words[ret->word_count++] = argv[i];
        } else {
            err = wedr_fail(ei, WEDR_E_INVAL, "unexpected argument %.64s", argv[i]);
        }
    }
    if (err == WEDR_OK && ret->word_count < c->words_min) {
        err = wedr_fail(ei, WEDR_E_INVAL, "%s%s%s needs %s", c->first, c->second ? " " : "",
                        c->second ? c->second : "", c->words);
    }
    return err;
}

static void help_command(FILE *out, unsigned command)
{
    const struct command *c = &commands[command];
    (void)fprintf(out, "wedr-server %s%s%s%s%s", c->first, c->second ? " " : "",
                  c->second ? c->second : "", c->words[0] ? " " : "", c->words);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(options); i++) {
        const struct option *o = &options[i];
        if ((o->commands & UINT64_C(1) << command) != 0) {
            (void)fprintf(out, " [%s%s%s]%s", o->name, o->value ? " " : "",
                          o->value ? o->value : "", o->kind == NAMES ? "..." : "");
        }
    }
    (void)fprintf(out, "\n    %s\n", c->help);
}

void wedr_server_help(FILE *out)
{
    for (unsigned i = 0; i < WEDR_CMD_COUNT; i++) {
        if (commands[i].help) {
            help_command(out, i);
        }
    }
    (void)fputs("wedr-server help | --version\n\nOptions:\n", out);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(options); i++) {
        (void)fprintf(out, "  %-10s %-10s %s\n", options[i].name,
                      options[i].value ? options[i].value : "", options[i].help);
    }
    (void)fputs(
        "\nAll work with or without a running server. Default DIR: /var/lib/wazabi-edr-server\n"
        "Exit codes: 0 done, 1 something failed, 2 the command line is wrong.\n"
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
