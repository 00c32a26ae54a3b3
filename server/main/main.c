/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/people.h"
#include "api/api.h"
#include "auth/ca.h"
#include "auth/rules_key.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "core/util/sha256.h"
#include "detect/publish.h"
#include "main/args.h"
#include "main/commands.h"
#include "store/events.h"
#include "store/state.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/proc.h"
#include "wedr/plat/svc.h"
#include "wedr/plat/time.h"
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define GRACE_MS 5000u
#define CONFIG_MAX (1u << 20)
#define TOKEN_BYTES 24u

int wedr_main_fail(const char *what, int err, const struct wedr_errinfo *ei)
{
    (void)fprintf(stderr, "wedr-server: %s: %s\n", what,
                  ei && ei->text[0] ? ei->text : wedr_err_text(err));
    return 1;
}

int wedr_main_data_dir(const char *dir)
{
    int err = wedr_fs_mkdir(dir, 0700, UINT32_MAX);
    return err == WEDR_OK ? 0 : wedr_main_fail(dir, err, NULL);
}

int wedr_main_config(const struct wedr_server_args *a, struct wedr_server_cfg *cfg)
{
    struct wedr_errinfo ei = {""};
    struct wedr_buf text;
    wedr_handle f = WEDR_HANDLE_NONE;
    int err = wedr_cfg_defaults(wedr_server_options, wedr_server_option_count, cfg, &ei);
    if (err == WEDR_OK && a->config) {
        wedr_buf_init(&text, CONFIG_MAX);
        err = wedr_fs_open(a->config, WEDR_FS_READ, 0, &f);
        err = err == WEDR_OK ? wedr_fs_read_all(f, &text) : err;
        if (err == WEDR_OK) {
            err = wedr_cfg_parse(wedr_server_options, wedr_server_option_count,
                                 (const char *)text.p, text.len, cfg, &ei);
        }
        wedr_fs_close(f);
        wedr_buf_fini(&text);
    }
    if (err == WEDR_OK && a->listen) {
        err = wedr_cfg_set(wedr_server_options, wedr_server_option_count, "server.listen",
                           a->listen, cfg, &ei);
    }
    size_t used = 0;
    while (cfg->names[used]) {
        used += strlen(cfg->names + used) + 1;
    }
    for (size_t i = 0; err == WEDR_OK && i < a->name_count; i++) {
        size_t n = strlen(a->names[i]);
        if (n == 0 || n + 2 > sizeof(cfg->names) - used) {
            err = wedr_fail(&ei, WEDR_E_LIMIT, "too many --name");
        } else {
            memcpy(cfg->names + used, a->names[i], n + 1);
            used += n + 1;
            cfg->names[used] = '\0';
        }
    }
    return err == WEDR_OK ? 0 : wedr_main_fail(a->config ? a->config : "configuration", err, &ei);
}

static enum wedr_log_level log_level(const char *name)
{
    return strcmp(name, "error") == 0   ? WEDR_LOG_ERROR
           : strcmp(name, "warn") == 0  ? WEDR_LOG_WARN
           : strcmp(name, "debug") == 0 ? WEDR_LOG_DEBUG
                                        : WEDR_LOG_INFO;
}

/* Until a stop signal; looks after the certificate and the service manager's watchdog. */
static void run_until_stopped(struct wedr_server *s, wedr_handle stop)
{
    uint32_t watchdog_ms = wedr_svc_watchdog_ms();
    uint32_t every = watchdog_ms && watchdog_ms / 3 < 1000 ? watchdog_ms / 3 + 1 : 1000;
    struct wedr_wait w = {stop, WEDR_WAIT_READ, 0};
    for (;;) {
        size_t ready = 0;
        if (wedr_wait_any(&w, 1, every, &ready) != WEDR_OK) {
            return;
        }
        if (ready && wedr_stop_signal_take(stop) != 0) {
            return;
        }
        wedr_svc_watchdog_ping();
        wedr_server_tick(s);
    }
}

static int announce(const char *data, const char *address)
{
    char text[80];
    wedr_handle dir = WEDR_HANDLE_NONE;
    int n = snprintf(text, sizeof(text), "%s\n", address);
    int err = wedr_fs_open_dir(data, &dir);
    if (err == WEDR_OK) {
        err = wedr_fs_replace_at(dir, "listen", text, (size_t)n, 0644);
    }
    wedr_fs_close(dir);
    (void)printf("wedr-server: listening on https://%s\n", address);
    (void)fflush(stdout);
    wedr_svc_ready(address);
    return err;
}

static void forget_address(const char *data)
{
    wedr_handle dir = WEDR_HANDLE_NONE;
    if (wedr_fs_open_dir(data, &dir) == WEDR_OK) {
        (void)!wedr_fs_unlink_at(dir, "listen");
    }
    wedr_fs_close(dir);
}

static int
serve_opened(const struct wedr_server_args *a, struct wedr_server_deps *d, wedr_handle stop)
{
    char address[64];
    struct wedr_errinfo ei = {""};
    struct wedr_server *s = NULL;
    int err = wedr_server_start(d, address, &s, &ei);
    if (err != WEDR_OK) {
        return wedr_main_fail("cannot start", err, &ei);
    }
    err = announce(a->data, address);
    if (err != WEDR_OK) {
        wedr_log(WARN, "server.listen_file", WEDR_ERR(err));
    }
    wedr_log(INFO, "server.started", WEDR_STR("address", address),
             WEDR_STR("version", WEDR_SERVER_VERSION));
    run_until_stopped(s, stop);
    wedr_svc_stopping();
    wedr_log(INFO, "server.stopping", WEDR_STR("address", address));
    wedr_server_stop(s, GRACE_MS);
    forget_address(a->data);
    return 0;
}

static void log_problem(void *ctx, const struct wedr_problem *p)
{
    (void)ctx;
    if (!p->warning) {
        wedr_log(ERROR, "rules.refused", WEDR_STR("file", p->file), WEDR_U64("line", p->line),
                 WEDR_STR("why", p->text));
    }
}

static void log_published(void *ctx, const struct wedr_bundle_row *row)
{
    (void)ctx;
    wedr_log(INFO, "rules.published", WEDR_STR("profile", row->profile), WEDR_STR("os", row->os),
             WEDR_U64("serial", row->serial), WEDR_U64("rules", row->rules));
}

/* Serving goes on without: agents keep the rules that they have. */
static void
publish_builtin(const char *data, const struct wedr_server_deps *d, const uint8_t *secret)
{
    wedr_handle lock = WEDR_HANDLE_NONE;
    struct wedr_errinfo ei = {""};
    struct wedr_publish p = {.ops = d->state_ops,
                             .state = d->state,
                             .secret = secret,
                             .now_us = wedr_time_utc_us(),
                             .problem = log_problem,
                             .published = log_published};
    int err = wedr_rules_lock(data, &lock, &ei);
    err = err == WEDR_OK ? wedr_publish_builtin(&p, &ei) : err;
    wedr_fs_close(lock);
    if (err != WEDR_OK) {
        wedr_log(ERROR, "rules.not_published", WEDR_ERR(err), WEDR_STR("why", ei.text));
    }
}

/* Says where the password lies, never what it is: standard output is often kept as a log. */
static int first_admin(const char *data, struct wedr_state *state)
{
    bool made = false;
    int err = wedr_main_first_admin(data, state, &made);
    if (made) {
        (void)printf("wedr-server: first sign-in: user admin, the one-time password is in %s/%s\n",
                     data, WEDR_FIRST_PASSWORD_FILE);
        (void)fflush(stdout);
    }
    return err;
}

static int open_keys(const char *data,
                     struct wedr_server_deps *d,
                     uint8_t ret_rules_secret[WEDR_SIGN_SECRET_LEN],
                     struct wedr_errinfo *ei)
{
    int err = wedr_rules_key_open(data, ret_rules_secret, d->rules_public, ei);
    return err == WEDR_OK ? wedr_command_key_open(data, d->command_secret, d->command_public, ei)
                          : err;
}

static int cmd_serve(const struct wedr_server_args *a)
{
    static struct wedr_server_cfg cfg;
    struct wedr_errinfo ei = {""};
    struct rlimit files;
    uint8_t secret[WEDR_SIGN_SECRET_LEN];
    wedr_handle stop = WEDR_HANDLE_NONE;
    struct wedr_server_deps d = {.cfg = &cfg,
                                 .data_dir = a->data,
                                 .state_ops = &wedr_state_sqlite,
                                 .events_ops = &wedr_events_embedded};
    if (wedr_main_config(a, &cfg) != 0 || wedr_main_data_dir(a->data) != 0) {
        return 1;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    wedr_log_init("wedr-server", log_level(cfg.log_level), NULL, NULL);
    int code = 1;
    int err = wedr_stop_signal_open(&stop);
    if (err == WEDR_OK) {
        err = wedr_ca_open(a->data, &d.ca, &ei);
    }
    if (err == WEDR_OK) {
        err = open_keys(a->data, &d, secret, &ei);
    }
    if (err == WEDR_OK) {
        err = d.state_ops->open(a->data, &d.state, &ei);
    }
    if (err == WEDR_OK) {
        err = first_admin(a->data, d.state);
    }
    if (err == WEDR_OK) {
        err = d.events_ops->open(a->data, &d.events, &ei);
    }
    if (err == WEDR_OK) {
        err = d.events_ops->settings(d.events, &cfg.events);
    }
    if (err == WEDR_OK) {
        publish_builtin(a->data, &d, secret);
        struct wedr_detect_cfg dc = {a->data, d.state_ops, d.state, d.events_ops, d.events};
        err = wedr_detect_start(&dc, &d.detect, &ei);
    }
    wedr_wipe(secret, sizeof(secret));
    if (err == WEDR_OK) {
        code = serve_opened(a, &d, stop);
    } else {
        (void)wedr_main_fail("cannot open the data folder", err, &ei);
    }
    wedr_detect_stop(d.detect);
    if (d.events) {
        d.events_ops->close(d.events);
    }
    if (d.state) {
        d.state_ops->close(d.state);
    }
    wedr_wipe(d.command_secret, sizeof(d.command_secret));
    wedr_ca_close(d.ca);
    wedr_fs_close(stop);
    return code;
}

static int cmd_token_create(const struct wedr_server_args *a)
{
    struct wedr_errinfo ei = {""};
    struct wedr_state *state = NULL;
    uint8_t raw[TOKEN_BYTES];
    char token[2 * TOKEN_BYTES + 1];
    if (wedr_main_data_dir(a->data) != 0) {
        return 1;
    }
    int err = wedr_state_sqlite.open(a->data, &state, &ei);
    if (err != WEDR_OK) {
        return wedr_main_fail("cannot open the state", err, &ei);
    }
    wedr_random(raw, sizeof(raw));
    wedr_hex(raw, sizeof(raw), token);
    err = wedr_state_sqlite.token_add(state, token, (uint32_t)a->uses,
                                      wedr_time_utc_us() + (int64_t)a->ttl_s * 1000000);
    wedr_state_sqlite.close(state);
    if (err == WEDR_OK) {
        (void)printf("%s\n", token);
    }
    wedr_wipe(raw, sizeof(raw));
    wedr_wipe(token, sizeof(token));
    return err == WEDR_OK ? 0 : wedr_main_fail("cannot store the token", err, NULL);
}

static int cmd_ca_fingerprint(const struct wedr_server_args *a)
{
    struct wedr_errinfo ei = {""};
    struct wedr_ca *ca = NULL;
    if (wedr_main_data_dir(a->data) != 0) {
        return 1;
    }
    int err = wedr_ca_open(a->data, &ca, &ei);
    if (err != WEDR_OK) {
        return wedr_main_fail("cannot open the CA", err, &ei);
    }
    (void)printf("%s\n", wedr_ca_fingerprint(ca));
    wedr_ca_close(ca);
    return 0;
}

static int cmd_sql(const struct wedr_server_args *a)
{
    static struct wedr_server_cfg cfg;
    struct wedr_errinfo ei = {""};
    if (wedr_main_config(a, &cfg) != 0) {
        return 1;
    }
    int err =
        wedr_sql_run(a->data, a->words[0], a->json, (uint32_t)cfg.sql_time_limit_ms, stdout, &ei);
    return err == WEDR_OK ? 0 : wedr_main_fail("sql", err, &ei);
}

int main(int argc, char **argv)
{
    static struct wedr_server_args a;
    struct wedr_errinfo ei = {""};
    (void)umask(077);
    if (wedr_server_args_parse(argc, argv, wedr_time_utc_us(), &a, &ei) != WEDR_OK) {
        (void)fprintf(stderr, "wedr-server: %s (see wedr-server help)\n", ei.text);
        return 2;
    }
    switch (a.command) {
    case WEDR_CMD_SERVE:
        return cmd_serve(&a);
    case WEDR_CMD_TOKEN_CREATE:
        return cmd_token_create(&a);
    case WEDR_CMD_CA_FINGERPRINT:
        return cmd_ca_fingerprint(&a);
    case WEDR_CMD_SQL:
        return cmd_sql(&a);
    case WEDR_CMD_RULES_ADD:
    case WEDR_CMD_RULES_LIST:
    case WEDR_CMD_RULES_SHOW:
    case WEDR_CMD_RULES_REMOVE:
    case WEDR_CMD_RULES_ENABLE:
    case WEDR_CMD_RULES_DISABLE:
    case WEDR_CMD_RULES_VALIDATE:
    case WEDR_CMD_RULES_PUBLISH:
        return wedr_cmd_rules(&a);
    case WEDR_CMD_LISTS_SET:
    case WEDR_CMD_LISTS_LIST:
    case WEDR_CMD_LISTS_REMOVE:
        return wedr_cmd_lists(&a);
    case WEDR_CMD_PROFILE_LIST:
    case WEDR_CMD_PROFILE_SET:
    case WEDR_CMD_PROFILE_ASSIGN:
        return wedr_cmd_profile(&a);
    case WEDR_CMD_ALERTS:
        return wedr_cmd_alerts(&a);
    case WEDR_CMD_HUNT:
        return wedr_cmd_hunt(&a);
    case WEDR_CMD_USER_ADD:
    case WEDR_CMD_USER_LIST:
    case WEDR_CMD_USER_RESET_PASSWORD:
    case WEDR_CMD_USER_UNLOCK:
    case WEDR_CMD_USER_REMOVE_TOTP:
    case WEDR_CMD_AUDIT_VERIFY:
        return wedr_cmd_people(&a);
    case WEDR_CMD_VERIFY:
        return wedr_cmd_verify(&a);
    case WEDR_CMD_BACKUP:
        return wedr_cmd_backup(&a);
    case WEDR_CMD_RESTORE:
        return wedr_cmd_restore(&a);
    case WEDR_CMD_VERSION:
        (void)puts("wedr-server " WEDR_SERVER_VERSION);
        return 0;
    case WEDR_CMD_HELP:
        wedr_server_help(stdout);
        return 0;
    case WEDR_CMD_COUNT:
        break;
    }
    return 2;
}
