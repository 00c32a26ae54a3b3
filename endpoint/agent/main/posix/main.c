/* SPDX-License-Identifier: Apache-2.0
 * endpoint/agent/main/posix/main.c — the command line of wedr-agent. */
#include "capture_commands.h"
#include "config.h"
#include "core/base/err.h"
#include "core/util/obj.h"
#include "enroll.h"
#include "holder.h"
#include "sensor/lib/sensor.h"
#include "status.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATE_DEFAULT "/var/lib/wazabi-edr"
#define TOKEN_MAX 512u

struct options {
    const char *state, *server, *token, *ca_sha256, *source, *file, *rules_bundle, *rules_key;
    uint64_t rate, events, seed;
    bool replace, new_epoch, sensor, json, help;
};

static const char usage[] =
    "wedr-agent COMMAND [options]\n"
    "\n"
    "  enroll --server URL --token T --ca-sha256 F [--replace]\n"
    "                       join a server; --token - reads the token from standard input\n"
    "  run [--source auto|ebpf|proc|replay:FILE] [--rate N] [--new-epoch]\n"
    "                       the agent itself, in the foreground\n"
    "  stop [--sensor]      stop the agent; --sensor also ends the epochs and removes the sensor "
    "from the kernel\n"
    "  status [--json]      counters of every stage of the agent that runs\n"
    "  doctor               says what works, what does not and what to do\n"
    "  record FILE          write what the sensor sees to a capture, until Ctrl-C\n"
    "  gen --events N [--seed S] FILE\n"
    "                       write a synthetic capture\n"
    "  options              every key of agent.json\n"
    "\n"
    "Every command takes --state DIR (default " STATE_DEFAULT
    "). 'wedr-agent COMMAND --help' says more.\n";

static const char help_enroll[] =
    "wedr-agent enroll --server https://HOST:PORT --token T --ca-sha256 FINGERPRINT [--replace] "
    "[--state DIR]\n"
    "Makes the agent's keys, proves them to the server and stores the identity in DIR/identity.\n"
    "  --token T        from 'wedr-server token create'; '-' reads it from standard input and "
    "keeps it out of the\n"
    "                   process list\n"
    "  --ca-sha256 F    from 'wedr-server ca fingerprint'; the token is sent only to a server of "
    "that CA\n"
    "  --replace        become a new agent even when DIR is enrolled with this CA\n"
    "On a folder that is enrolled with this CA the certificate is renewed with the old key and the "
    "agent id stays; the\n"
    "token is then not used. Another CA means a new agent id; what was not shipped yet is then "
    "counted as lost.\n";

static const char help_run[] =
    "wedr-agent run [--source auto|ebpf|proc|replay:FILE] [--rate N] [--new-epoch] [--state DIR]\n"
    "  --source ebpf          the kernel sensor\n"
    "  --source proc          without BPF: processes and few files, marked as degraded\n"
    "  --source auto          ebpf, and proc where the kernel refuses it (default; agent.source)\n"
    "  --source replay:FILE   a capture; ends by itself when the server has acknowledged "
    "everything\n"
    "  --rate N               replay N records a second\n"
    "  --new-epoch            replay under a new epoch, as if it had never been sent\n"
    "  --rules-bundle FILE --rules-key HEX\n"
    "                         match with this bundle, signed with this key, instead of the "
    "server's: to try rules\n"
    "SIGTERM and 'stop' end it in order; the sensor stays in the kernel and keeps what happens "
    "meanwhile.\n"
    "Options of DIR/agent.json: docs/agent-config.md.\n";

static const char help_stop[] = "wedr-agent stop [--sensor] [--state DIR]\n"
                                "Without --sensor the kernel goes on recording into its rings "
                                "until the next start. With it the rings are drained into\n"
                                "the spool, the epochs are closed and the sensor is removed; this "
                                "works without a running agent too.\n";

static const char help_doctor[] = "wedr-agent doctor [--state DIR]\n"
                                  "Looks at rights, kernel, configuration, identity, certificate, "
                                  "the running agent and its server. Exit 1 when something\n"
                                  "is broken. Changes nothing.\n";

static const char help_status[] = "wedr-agent status [--json] [--state DIR]\n"
                                  "Counters of sensor, engine, spool, shipper, server and "
                                  "processes. Exit 1 when no agent runs on DIR.\n";

static const char help_record[] =
    "wedr-agent record [--state DIR] FILE\n"
    "Writes the sensor's records to a capture for 'run --source replay:FILE', until Ctrl-C. "
    "Refuses while an agent runs on DIR.\n";

static const char help_gen[] =
    "wedr-agent gen --events N [--seed S] FILE\n"
    "Writes a synthetic capture of N records; the same seed gives the same bytes.\n";

static const char help_options[] =
    "wedr-agent options\n"
    "Prints every key of agent.json with its default, bounds and meaning, as Markdown.\n";

static int complain(const char *text, const char *what)
{
    (void)fprintf(stderr, "wedr-agent: %s%s%s\n", text, what ? " " : "", what ? what : "");
    return 2;
}

static bool number(const char *text, uint64_t *ret)
{
    char *end = NULL;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end || text[0] == '-') {
        return false;
    }
    *ret = v;
    return true;
}

/* Options that take a value. False: not one of them. */
static bool take_value(struct options *o, const char *name, const char *value, bool *ret_ok)
{
    const struct {
        const char *name;
        const char **text;
        uint64_t *n;
    } table[] = {{"--state", &o->state, NULL},
                 {"--server", &o->server, NULL},
                 {"--token", &o->token, NULL},
                 {"--ca-sha256", &o->ca_sha256, NULL},
                 {"--source", &o->source, NULL},
                 {"--rate", NULL, &o->rate},
                 {"--rules-bundle", &o->rules_bundle, NULL},
                 {"--rules-key", &o->rules_key, NULL},
                 {"--events", NULL, &o->events},
                 {"--seed", NULL, &o->seed}};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(table); i++) {
        if (strcmp(name, table[i].name) != 0) {
            continue;
        }
        *ret_ok = value != NULL;
        if (value && table[i].text) {
            *table[i].text = value;
        } else if (value) {
            *ret_ok = number(value, table[i].n);
        }
        return true;
    }
    return false;
}

static bool take_flag(struct options *o, const char *name)
{
    const struct {
        const char *name;
        bool *flag;
    } table[] = {{"--replace", &o->replace}, {"--new-epoch", &o->new_epoch},
                 {"--sensor", &o->sensor},   {"--json", &o->json},
                 {"--help", &o->help},       {"-h", &o->help}};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(table); i++) {
        if (strcmp(name, table[i].name) == 0) {
            *table[i].flag = true;
            return true;
        }
    }
    return false;
}

static int parse(int argc, char **argv, struct options *o)
{
    memset(o, 0, sizeof(*o));
    o->state = STATE_DEFAULT;
    o->source = "";
    o->seed = 1;
    for (int i = 2; i < argc; i++) {
        bool ok = true;
        if (argv[i][0] != '-' && !o->file) {
            o->file = argv[i];
        } else if (take_value(o, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &ok)) {
            if (!ok) {
                return complain("missing or bad value of", argv[i]);
            }
            i++;
        } else if (!take_flag(o, argv[i])) {
            return complain("unknown argument", argv[i]);
        }
    }
    return 0;
}

static int command_enroll(const struct options *o)
{
    char line[TOKEN_MAX] = "", agent_id[37] = "";
    struct wedr_errinfo ei = {""};
    enum wedr_enroll_kind kind = WEDR_ENROLLED_NEW;
    static const char *const words[] = {"enrolled as", "certificate renewed for",
                                        "enrolled anew as"};
    if (!o->server || !o->ca_sha256) {
        return complain("enroll needs --server and --ca-sha256;", "see wedr-agent enroll --help");
    }
    const char *token = o->token ? o->token : "";
    if (strcmp(token, "-") == 0) {
        if (!fgets(line, sizeof(line), stdin)) {
            return complain("no token on standard input", NULL);
        }
        line[strcspn(line, "\r\n")] = 0;
        token = line;
    }
    struct wedr_enroll_args args = {.state_dir = o->state,
                                    .server_url = o->server,
                                    .token = token,
                                    .ca_sha256 = o->ca_sha256,
                                    .replace = o->replace,
                                    .root = geteuid() == 0,
                                    .version = WEDR_AGENT_VERSION};
    if (wedr_enroll(&args, &kind, agent_id, &ei) != WEDR_OK) {
        (void)fprintf(stderr, "wedr-agent: not enrolled: %s\n", ei.text);
        return 1;
    }
    (void)printf("%s %s\n", words[kind], agent_id);
    return 0;
}

static int
run_holder(const struct options *o, enum wedr_watch_kind watch, const char *file, bool drain_only)
{
    struct wedr_errinfo ei = {""};
    struct wedr_run_args args = {.state_dir = o->state,
                                 .source = file ? WEDR_SOURCE_REPLAY : WEDR_SOURCE_EBPF,
                                 .watch = watch,
                                 .replay_file = file,
                                 .rate = o->rate,
                                 .new_epoch = o->new_epoch,
                                 .root = geteuid() == 0,
                                 .uid = (uint32_t)geteuid(),
                                 .pid = (uint32_t)getpid(),
                                 .under_manager = getenv("NOTIFY_SOCKET") != NULL,
                                 .drain_only = drain_only,
                                 .rules_bundle = o->rules_bundle,
                                 .rules_key = o->rules_key,
                                 .version = WEDR_AGENT_VERSION};
    int code = wedr_holder_run(&args, &ei);
    if (code != 0) {
        (void)fprintf(stderr, "wedr-agent: %s\n", ei.text);
    }
    return code;
}

static int command_run(const struct options *o)
{
    static const char *const kinds[] = {[WEDR_WATCH_CONFIG] = "",
                                        [WEDR_WATCH_AUTO] = "auto",
                                        [WEDR_WATCH_EBPF] = "ebpf",
                                        [WEDR_WATCH_PROC] = "proc"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(kinds); i++) {
        if (strcmp(o->source, kinds[i]) == 0) {
            return run_holder(o, (enum wedr_watch_kind)i, NULL, false);
        }
    }
    if (strncmp(o->source, "replay:", 7) == 0 && o->source[7]) {
        return run_holder(o, WEDR_WATCH_CONFIG, o->source + 7, false);
    }
    return complain("unknown source", o->source);
}

/* What a recorder left that was killed. One that lives holds the lock. */
static void unpin_recorder(const char *state_dir)
{
    char name[WEDR_PIN_NAME_MAX];
    wedr_handle lock = WEDR_HANDLE_NONE;
    if (wedr_state_lock(state_dir, false, 0, &lock) == WEDR_OK &&
        wedr_sensor_record_name(state_dir, name) == WEDR_OK) {
        (void)!wedr_sensor_unpin(name, NULL);
    }
    wedr_fs_close(lock);
}

/* Without a running agent: what is pinned is drained into the spool by a holder that leaves at
 * once. */
static int remove_sensor(const struct options *o)
{
    static struct wedr_sensor_hook hooks[WEDR_SENSOR_HOOKS_MAX];
    char pin_name[WEDR_PIN_NAME_MAX];
    struct wedr_sensor *old = NULL;
    struct wedr_errinfo ei = {""};
    size_t count = 0;
    int err = wedr_sensor_pin_name(o->state, pin_name);
    if (err == WEDR_E_NOENT) {
        (void)printf("no agent runs, no sensor is attached\n");
        return 0;
    }
    if (err == WEDR_OK) {
        err = wedr_sensor_list_hooks(pin_name, hooks, WEDR_ARRAY_COUNT(hooks), &count);
    }
    if (err == WEDR_OK) {
        unpin_recorder(o->state);
    }
    bool have_old = err == WEDR_OK && wedr_sensor_old_open(pin_name, &old, &ei) == WEDR_OK;
    wedr_sensor_close(old);
    if (err == WEDR_OK && (count > 0 || have_old)) {
        return run_holder(o, WEDR_WATCH_EBPF, NULL, true);
    }
    if (err == WEDR_OK) {
        err = wedr_sensor_unpin(pin_name, &ei);
    }
    if (err != WEDR_OK && err != WEDR_E_NOENT) {
        (void)fprintf(stderr, "wedr-agent: cannot remove the sensor: %s\n",
                      ei.text[0] ? ei.text : wedr_err_text(err));
        return 1;
    }
    (void)printf("no agent runs, no sensor is attached\n");
    return 0;
}

static int command_stop(const struct options *o)
{
    struct wedr_errinfo ei = {""};
    int err = wedr_stop_running(o->state, o->sensor, &ei);
    if (err == WEDR_E_NOENT || (o->sensor && err == WEDR_E_STATE)) {
        if (o->sensor) { /* no agent, or one that could not drain it */
            return remove_sensor(o);
        }
        (void)printf("no agent runs on %s\n", o->state);
        return 0;
    }
    if (err != WEDR_OK) {
        (void)fprintf(stderr, "wedr-agent: %s\n", ei.text[0] ? ei.text : wedr_err_text(err));
        return 1;
    }
    (void)printf("stopped%s\n", o->sensor ? ", sensor removed" : "");
    return 0;
}

static int command_status(const struct options *o)
{
    static struct wedr_msg_status m;
    int err = wedr_status_get(o->state, &m);
    if (err != WEDR_OK) {
        (void)fprintf(stderr, "wedr-agent: %s\n",
                      err == WEDR_E_NOENT ? "no agent runs on this folder" : wedr_err_text(err));
        return 1;
    }
    if (!o->json) {
        wedr_status_print(o->state, &m);
        return 0;
    }
    return wedr_status_print_json(o->state, &m) == WEDR_OK ? 0 : 1;
}

static int command_doctor(const struct options *o)
{
    return wedr_doctor(o->state, geteuid() == 0);
}

static int command_record(const struct options *o)
{
    return o->file ? wedr_command_record(o->state, o->file) : complain("record needs a FILE", NULL);
}

static const char *bounds(const struct wedr_cfg_option *opt, char *text, size_t cap)
{
    if (opt->type == WEDR_CFG_BOOL) {
        (void)snprintf(text, cap, "true or false");
    } else if (opt->type == WEDR_CFG_U64) {
        (void)snprintf(text, cap, "%" PRIu64 " .. %" PRIu64, opt->min, opt->max);
    } else {
        (void)snprintf(text, cap, "text, up to %zu bytes", opt->size - 1);
    }
    return text;
}

static int command_options(const struct options *o)
{
    size_t count = 0;
    char text[64];
    const struct wedr_cfg_option *table = wedr_agent_options(&count);
    (void)o;
    (void)printf("# Options of the agent\n\n"
                 "`agent.json` in the state folder, owned by root and writable by nobody else: "
                 "sections of keys, as in\n"
                 "`{\"agent\": {\"max_age_ms\": 500}}`. Every key may be left out; an unknown one "
                 "is an error with its line.\n"
                 "This page is the output of `wedr-agent options`.\n\n"
                 "| key | default | allowed | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        const char *fallback = table[i].fallback ? table[i].fallback : "";
        (void)printf("| `%s` | %s | %s | %s |\n", table[i].name, fallback[0] ? fallback : "(empty)",
                     bounds(&table[i], text, sizeof(text)), table[i].help);
    }
    return 0;
}

static int command_gen(const struct options *o)
{
    if (!o->file || o->events == 0) {
        return complain("gen needs --events N and a FILE", NULL);
    }
    return wedr_command_gen(o->file, o->events, o->seed);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name, *help;
        int (*fn)(const struct options *o);
    } commands[] = {
        {"enroll", help_enroll, command_enroll}, {"run", help_run, command_run},
        {"stop", help_stop, command_stop},       {"status", help_status, command_status},
        {"doctor", help_doctor, command_doctor}, {"record", help_record, command_record},
        {"gen", help_gen, command_gen},          {"options", help_options, command_options}};
    struct options o;
    wedr_obj_abort_on_bug(false);
    const char *name = argc > 1 ? argv[1] : "help";
    if (strcmp(name, "--version") == 0) {
        (void)printf("wedr-agent " WEDR_AGENT_VERSION "\n");
        return 0;
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(commands); i++) {
        if (strcmp(name, commands[i].name) == 0) {
            int code = parse(argc, argv, &o);
            if (code == 0 && o.help) {
                (void)fputs(commands[i].help, stdout);
                return 0;
            }
            return code != 0 ? code : commands[i].fn(&o);
        }
    }
    bool asked =
        strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
    (void)fputs(usage, asked && argc > 1 ? stdout : stderr);
    return asked && argc > 1 ? 0 : 2;
}
