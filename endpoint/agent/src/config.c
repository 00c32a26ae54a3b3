/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "core/base/err.h"
#include "core/util/buf.h"
#include "encode/redact.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/proc.h"
#include "wedr/plat/sandbox.h"
#include "wedr/wire/msg.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) \
    offsetof(struct wedr_agent_cfg, member), sizeof(((struct wedr_agent_cfg *)0)->member)

#define AT_SENSOR(member)                                                                    \
    offsetof(struct wedr_agent_cfg, sensor) + offsetof(struct wedr_sensor_settings, member), \
        sizeof(((struct wedr_sensor_settings *)0)->member)

static const struct wedr_cfg_option options[] = {
    {"agent.max_bytes_per_file", WEDR_CFG_U64, AT(max_bytes_per_file), 65536, 4194304, "1048576",
     "a spool segment is sealed at this many bytes of NDJSON, or at an eighth of max_total_bytes"},
    {"agent.max_age_ms", WEDR_CFG_U64, AT(max_age_ms), 50, 600000, "1000",
     "a spool segment that holds something is sealed after this time"},
    {"agent.max_total_bytes", WEDR_CFG_U64, AT(max_total_bytes), 65536, 1099511627776, "268435456",
     "size of the spool; over it the oldest bulk batches go first, counted as lost"},
    {"agent.zstd_level", WEDR_CFG_U64, AT(zstd_level), 1, 19, "3",
     "compression level of sealed segments"},
    {"agent.core_uid", WEDR_CFG_U64, AT(core_uid), 1, 4294967294, "60901",
     "user id of the process that reads records and writes the spool"},
    {"agent.net_uid", WEDR_CFG_U64, AT(net_uid), 1, 4294967294, "60902",
     "user id of the process that talks to the server"},
    {"agent.source", WEDR_CFG_STR, AT(source), 0, 0, "auto",
     "how the machine is watched: ebpf; proc, without BPF and much less; auto: ebpf, proc where "
     "the kernel refuses it"},
    {"agent.hooks_off", WEDR_CFG_LIST, AT(hooks_off), 0, 0, "",
     "names of hooks of the BPF sensor that are not attached, whatever is not seen then; those of "
     "process starts and ends always are; status lists them, doctor names what is off"},
    {"agent.facts_uid", WEDR_CFG_U64, AT(facts_uid), 1, 4294967294, "60903",
     "user id of the process that reads executables and looks up names"},
    {"enrich.enabled", WEDR_CFG_BOOL, AT(enrich), 0, 0, "true",
     "digests and packages of executables, names of users and groups"},
    {"enrich.packages", WEDR_CFG_BOOL, AT(packages), 0, 0, "true",
     "which package (dpkg, rpm) an executable belongs to; costs 8 bytes a packaged file"},
    {"enrich.hash_bytes_per_sec", WEDR_CFG_U64, AT(hash_bytes_per_sec), 65536, 1099511627776,
     "33554432", "executables are read no faster than this"},
    {"enrich.hash_file_bytes_max", WEDR_CFG_U64, AT(hash_file_bytes_max), 1, 1099511627776,
     "268435456", "an executable larger than this gets no digest"},
    {"redact.command_lines", WEDR_CFG_BOOL, AT(redact), 0, 0, "true",
     "secrets are taken out of command lines before they are stored; rules of the agent see them"},
    {"redact.names", WEDR_CFG_STR, AT(redact_names), 0, 0,
     "password,passwd,passphrase,pass,pwd,secret,token,api-key,apikey,access-key,secret-key,"
     "private-key,credential,credentials",
     "what the word before a secret ends in, separated by commas; - stands for _ too"},
    {"shipper.enabled", WEDR_CFG_BOOL, AT(shipper_enabled), 0, 0, "true",
     "false: events stay in the spool"},
    {"shipper.server_url", WEDR_CFG_STR, AT(server_url), 0, 0, "",
     "https://host[:port]; empty: the server of the enrolment"},
    {"shipper.proxy", WEDR_CFG_STR, AT(proxy), 0, 0, "", "URL of an HTTP proxy; empty: none"},
    {"shipper.timeout_secs", WEDR_CFG_U64, AT(timeout_secs), 1, 600, "30",
     "limit of one whole request"},
    {"shipper.connect_timeout_secs", WEDR_CFG_U64, AT(connect_timeout_secs), 1, 120, "10",
     "limit of one connection attempt"},
    {"shipper.max_backoff_secs", WEDR_CFG_U64, AT(max_backoff_secs), 1, 86400, "300",
     "longest pause between two attempts"},
    {"control.heartbeat_interval_secs", WEDR_CFG_U64, AT(heartbeat_interval_secs), 1, 86400, "10",
     "time between heartbeats unless the server names another"},
    {"log.level", WEDR_CFG_STR, AT(log_level), 0, 0, "info", "error, warn, info or debug"},
    {"log.max_bytes", WEDR_CFG_U64, AT(log_max_bytes), 65536, 1073741824, "8388608",
     "log/agent.log is renamed to agent.log.1 at this size"},
    WEDR_SETTINGS_ROWS(AT_SENSOR),
};

const struct wedr_cfg_option *wedr_agent_options(size_t *ret_count)
{
    *ret_count = WEDR_ARRAY_COUNT(options);
    return options;
}

static int check_names(const char *names, struct wedr_errinfo *ei)
{
    struct wedr_redact *r = NULL;
    int err = wedr_redact_new(names, &r);
    wedr_redact_free(r);
    return err == WEDR_OK ? err
                          : wedr_fail(ei, WEDR_E_FORMAT,
                                      "redact.names must be up to %u names of up to %u bytes",
                                      WEDR_REDACT_NAMES, WEDR_REDACT_NAME_MAX);
}

static int check_meaning(const struct wedr_agent_cfg *c, struct wedr_errinfo *ei)
{
    struct wedr_settings_meaning sensor;
    int err = wedr_settings_mean(&c->sensor, &sensor, ei);
    if (err != WEDR_OK) {
        return err;
    }
    if (strcmp(c->source, "auto") != 0 && strcmp(c->source, "ebpf") != 0 &&
        strcmp(c->source, "proc") != 0) {
        return wedr_fail(ei, WEDR_E_FORMAT, "agent.source must be auto, ebpf or proc");
    }
    if (c->core_uid == c->net_uid || c->core_uid == c->facts_uid || c->net_uid == c->facts_uid) {
        return wedr_fail(ei, WEDR_E_FORMAT,
                         "agent.core_uid, agent.net_uid and agent.facts_uid must differ");
    }
    err = check_names(c->redact_names, ei);
    if (err != WEDR_OK) {
        return err;
    }
    if (c->server_url[0] && strncmp(c->server_url, "https://", 8) != 0) {
        return wedr_fail(ei, WEDR_E_FORMAT, "shipper.server_url must begin with https://");
    }
    size_t n = strlen(c->server_url);
    if (n > 8 && c->server_url[n - 1] == '/') {
        return wedr_fail(ei, WEDR_E_FORMAT, "shipper.server_url must not end with a slash");
    }
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(levels); i++) {
        if (strcmp(c->log_level, levels[i]) == 0) {
            return WEDR_OK;
        }
    }
    return wedr_fail(ei, WEDR_E_FORMAT, "log.level must be error, warn, info or debug");
}

int wedr_agent_config_parse(const char *json,
                            size_t len,
                            struct wedr_agent_cfg *ret,
                            struct wedr_errinfo *ei)
{
    struct wedr_agent_cfg c;
    memset(&c, 0, sizeof(c));
    int err = wedr_cfg_defaults(options, WEDR_ARRAY_COUNT(options), &c, ei);
    if (err == WEDR_OK && len > 0) {
        err = wedr_cfg_parse(options, WEDR_ARRAY_COUNT(options), json, len, &c, ei);
    }
    if (err == WEDR_OK) {
        err = check_meaning(&c, ei);
    }
    if (err == WEDR_OK) {
        *ret = c;
    }
    return err;
}

/* An empty entry ends a list within its member. */
static bool list_ended(const char *list, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (list[i] == '\0' && (i == 0 || list[i - 1] == '\0')) {
            return true;
        }
    }
    return false;
}

int wedr_agent_config_check(const void *block,
                            size_t len,
                            struct wedr_agent_cfg *ret,
                            struct wedr_errinfo *ei)
{
    if (len != sizeof(*ret)) {
        return wedr_fail(ei, WEDR_E_FORMAT, "option block of %zu bytes", len);
    }
    const uint8_t *p = (const uint8_t *)block;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(options); i++) {
        const struct wedr_cfg_option *o = &options[i];
        uint64_t v = 0;
        bool ok = true;
        switch (o->type) {
        case WEDR_CFG_BOOL:
            ok = p[o->offset] <= 1;
            break;
        case WEDR_CFG_U64:
            memcpy(&v, p + o->offset, sizeof(v));
            ok = v >= o->min && v <= o->max;
            break;
        case WEDR_CFG_STR:
            ok = memchr(p + o->offset, 0, o->size) != NULL;
            break;
        case WEDR_CFG_LIST:
            ok = list_ended((const char *)p + o->offset, o->size);
            break;
        default:
            ok = false;
        }
        if (!ok) {
            return wedr_fail(ei, WEDR_E_FORMAT, "option block: %s", o->name);
        }
    }
    struct wedr_agent_cfg c;
    memcpy(&c, block, sizeof(c));
    int err = check_meaning(&c, ei);
    if (err == WEDR_OK) {
        *ret = c;
    }
    return err;
}

struct parse_job {
    const struct wedr_buf *text; /* of agent.json */
    const char *lines;           /* of the profile */
    size_t len;
};

static int parse_job(const struct parse_job *job, struct wedr_agent_cfg *c, struct wedr_errinfo *ei)
{
    struct wedr_errinfo why = {""};
    int err = wedr_agent_config_parse((const char *)job->text->p, job->text->len, c, &why);
    if (err != WEDR_OK) {
        return wedr_fail(ei, err, WEDR_CONFIG_FILE ": %s", why.text);
    }
    if (!c->sensor.from_profile) {
        return WEDR_OK;
    }
    err = wedr_settings_apply(&c->sensor, job->lines, job->len, &why);
    return err == WEDR_OK ? WEDR_OK : wedr_fail(ei, err, "profile: %s", why.text);
}

static int parser_child(void *arg, struct wedr_ipc *channel)
{
    const struct parse_job *job = (const struct parse_job *)arg;
    static struct wedr_msg_options m;
    struct wedr_errinfo ei = {""};
    struct wedr_sandbox_report report;
    struct wedr_sandbox_cfg sandbox = {.profile = WEDR_SANDBOX_PARSER, .uid = 0};
    struct wedr_agent_cfg c;
    wedr_msg_begin(&m, WEDR_MSG_T_OPTIONS);
    int err = wedr_sandbox_enter(&sandbox, &report, &ei);
    if (err == WEDR_OK) {
        err = parse_job(job, &c, &ei);
    }
    m.err = err;
    wedr_msg_put_text(m.text, sizeof(m.text), ei.text);
    if (err == WEDR_OK) {
        _Static_assert(sizeof(c) <= sizeof(m.block), "option block fits its message");
        m.block_len = (uint32_t)sizeof(c);
        memcpy(m.block, &c, sizeof(c));
    }
    return wedr_ipc_send(channel, &m, sizeof(m), NULL, 0) == WEDR_OK ? 0 : 1;
}

static int
parse_in_child(const struct parse_job *job, struct wedr_agent_cfg *ret, struct wedr_errinfo *ei)
{
    struct wedr_child *child = NULL;
    struct wedr_ipc *channel = NULL;
    static struct wedr_msg_options m;
    uint16_t type = 0;
    size_t len = 0, handles = 0, ready = 0;
    int err =
        wedr_child_start("wedr-parser", parser_child, (void *)(uintptr_t)job, &child, &channel);
    if (err != WEDR_OK) {
        return wedr_fail(ei, err, "cannot start the configuration parser");
    }
    struct wedr_wait w = {wedr_ipc_handle(channel), WEDR_WAIT_READ, 0};
    err = wedr_wait_any(&w, 1, 10000, &ready);
    if (err == WEDR_OK) {
        err = wedr_ipc_recv(channel, &m, sizeof(m), &len, NULL, 0, &handles);
    }
    if (err == WEDR_OK) {
        err = wedr_msg_check(WEDR_MSG_HELPER_TO_PARENT, &m, len, handles, &type);
    }
    if (err != WEDR_OK || type != WEDR_MSG_T_OPTIONS) {
        err = wedr_fail(ei, WEDR_E_FORMAT, "the configuration parser did not answer");
    } else if (m.err != WEDR_OK) {
        err = wedr_fail(ei, WEDR_E_FORMAT, "%s", m.text);
    } else {
        err = wedr_agent_config_check(m.block, m.block_len, ret, ei);
    }
    wedr_ipc_close(channel);
    wedr_child_free(child);
    return err;
}

int wedr_agent_config_load(const char *state_dir,
                           struct wedr_agent_cfg *ret,
                           struct wedr_errinfo *ei)
{
    return wedr_agent_config_load_with(state_dir, "", 0, ret, ei);
}

int wedr_agent_config_load_with(const char *state_dir,
                                const char *lines,
                                size_t len,
                                struct wedr_agent_cfg *ret,
                                struct wedr_errinfo *ei)
{
    wedr_handle dir = WEDR_HANDLE_NONE, file = WEDR_HANDLE_NONE;
    struct wedr_fs_stat st;
    struct wedr_buf text;
    struct parse_job job = {&text, lines, len};
    wedr_buf_init(&text, WEDR_CONFIG_FILE_MAX);
    int err = wedr_fs_open_dir(state_dir, &dir);
    if (err == WEDR_OK) {
        err = wedr_fs_open_at(dir, WEDR_CONFIG_FILE, WEDR_FS_READ, 0, &file);
    }
    if (err == WEDR_E_NOENT && len == 0) {
        err = wedr_agent_config_parse("", 0, ret, ei);
        goto out;
    }
    if (err == WEDR_E_NOENT) {
        err = parse_in_child(&job, ret, ei);
        goto out;
    }
    if (err == WEDR_OK) {
        err = wedr_fs_stat(file, &st);
    }
    if (err == WEDR_OK && (!st.regular || (st.mode & 022u) != 0)) {
        err =
            wedr_fail(ei, WEDR_E_PERM, WEDR_CONFIG_FILE " may be changed by others than its owner");
        goto out;
    }
    if (err == WEDR_OK) {
        err = wedr_fs_read_all(file, &text);
    }
    if (err != WEDR_OK) {
        err = wedr_fail(ei, err, "cannot read " WEDR_CONFIG_FILE ": %s", wedr_err_text(err));
        goto out;
    }
    err = parse_in_child(&job, ret, ei);
out:
    wedr_buf_fini(&text);
    wedr_fs_close(file);
    wedr_fs_close(dir);
    return err;
}
