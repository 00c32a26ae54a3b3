/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "core/base/err.h"
#include "identity.h"
#include "sensor/lib/proc/watch.h"
#include "sensor/lib/sensor.h"
#include "status.h"
#include "wedr/plat/pki.h"
#include "wedr/plat/time.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void say(bool ok, const char *topic, const char *text)
{
    (void)printf("%s  %-14s %s\n", ok ? "ok    " : "BROKEN", topic, text);
}

static bool check_kernel(void)
{
    static struct wedr_sensor_probe_line lines[WEDR_SENSOR_PROBE_MAX];
    size_t count = 0;
    bool works = true;
    wedr_sensor_probe(lines, &count, &works);
    for (size_t i = 0; i < count && i < WEDR_SENSOR_PROBE_MAX; i++) {
        (void)printf("%s  %-14s %s\n",
                     !lines[i].ok        ? "BROKEN"
                     : lines[i].degraded ? "limit "
                                         : "ok    ",
                     lines[i].topic, lines[i].text);
    }
    return works;
}

static void say_blind(void)
{
    for (const char *const *blind = wedr_watch_blind(); *blind; blind++) {
        (void)printf("limit   %-14s not seen without BPF: %s\n", "source proc", *blind);
    }
}

/* Where the kernel refuses BPF. */
static void check_stand_in(void)
{
    char text[WEDR_ERRINFO_MAX];
    bool works = wedr_watch_probe(text, sizeof(text));
    (void)printf("%s  %-14s %s\n", works ? "limit " : "BROKEN", "source proc", text);
    if (works) {
        say_blind();
    }
}

static bool check_config(const char *state_dir, bool *ret_ships)
{
    struct wedr_agent_cfg cfg;
    struct wedr_errinfo ei = {""};
    int err = wedr_agent_config_load(state_dir, &cfg, &ei);
    say(err == WEDR_OK, "configuration",
        err == WEDR_OK ? WEDR_CONFIG_FILE " is valid, or absent (defaults)" : ei.text);
    *ret_ships = err != WEDR_OK || cfg.shipper_enabled;
    return err == WEDR_OK;
}

static bool check_certificate(const char *state_dir)
{
    struct wedr_buf b;
    struct wedr_cert_info info;
    struct wedr_errinfo ei = {""};
    char text[WEDR_ERRINFO_MAX];
    wedr_buf_init(&b, WEDR_IDENTITY_FILE_MAX);
    int err = wedr_identity_read(state_dir, "tls.crt", &b);
    if (err == WEDR_OK) {
        err = wedr_pki_cert_info((const char *)b.p, b.len, &info, &ei);
    }
    wedr_buf_fini(&b);
    if (err != WEDR_OK) {
        say(false, "certificate", "identity/tls.crt cannot be read: enrol again with --replace");
        return false;
    }
    int64_t left_us = info.not_after_us - wedr_time_utc_us();
    int64_t days = left_us / INT64_C(86400000000);
    (void)snprintf(text, sizeof(text),
                   left_us > 0 ? "valid for %" PRId64
                                 " more days; renewed by itself in the last third of its life"
                               : "expired %" PRId64
                                 " days ago: enrol again with --replace and a new token",
                   days >= 0 ? days : -days);
    say(left_us > 0, "certificate", text);
    return left_us > 0;
}

static bool check_identity(const char *state_dir)
{
    static struct wedr_identity id;
    struct wedr_errinfo ei = {""};
    char text[1024];
    int err = wedr_identity_load(state_dir, &id, &ei);
    wedr_identity_wipe(&id);
    if (err == WEDR_E_NOENT) {
        say(false, "identity",
            "not enrolled. Do: wedr-agent enroll --server URL --token T --ca-sha256 F");
        return false;
    }
    if (err != WEDR_OK) {
        (void)snprintf(text, sizeof(text),
                       "%s. Restore owner root and mode 0600, or enrol again with --replace",
                       ei.text);
        say(false, "identity", text);
        return false;
    }
    (void)snprintf(text, sizeof(text), "agent %s, server %s", id.agent_id, id.server_url);
    say(true, "identity", text);
    return check_certificate(state_dir);
}

static bool check_server(const struct wedr_msg_status *m)
{
    char text[1024];
    if (m->agent_id[0] && m->net_age_ms > 5000) {
        say(false, "net",
            "the net process does not report; it is started again by itself, see log/agent.log");
        return false;
    }
    switch (m->net.server_state) {
    case WEDR_MSG_SERVER_OK:
        say(true, "server", "answers and accepts this agent");
        return true;
    case WEDR_MSG_SERVER_UNKNOWN:
        say(true, "server", "nothing was sent yet");
        return true;
    case WEDR_MSG_SERVER_UNREACHABLE:
        (void)snprintf(text, sizeof(text),
                       "%s cannot be reached (%s). Check address, network, proxy and the server; "
                       "events wait in the spool",
                       m->server_url, m->net.last_error);
        break;
    case WEDR_MSG_SERVER_REFUSED:
        (void)snprintf(text, sizeof(text),
                       "the server refuses this agent (HTTP %" PRId32
                       "). It may be revoked, or the clock is wrong; events wait in the spool",
                       m->net.last_status);
        break;
    case WEDR_MSG_SERVER_NOT_ENROLLED:
        (void)snprintf(
            text, sizeof(text),
            "the server does not know this agent. Enrol again: wedr-agent enroll --replace ...");
        break;
    case WEDR_MSG_SERVER_BUSY:
        (void)snprintf(text, sizeof(text),
                       "the server is overloaded or failing (HTTP %" PRId32
                       "); the agent tries again in %" PRIu32 " s",
                       m->net.last_status, m->net.retry_in_ms / 1000);
        break;
    default:
        (void)snprintf(text, sizeof(text), "no usable server configuration (%s)",
                       m->net.last_error);
    }
    say(false, "server", text);
    return false;
}

/* What is attached sees less than it could: one line for each hook. */
static void check_hooks(const char *state_dir)
{
    static struct wedr_sensor_hook hooks[WEDR_SENSOR_HOOKS_MAX];
    char name[WEDR_PIN_NAME_MAX];
    size_t count = 0;
    if (wedr_sensor_pin_name(state_dir, name) != WEDR_OK ||
        wedr_sensor_list_hooks(name, hooks, WEDR_SENSOR_HOOKS_MAX, &count) != WEDR_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (hooks[i].blind) {
            (void)printf("limit   %-14s %s at %s (%s) is not attached: %s\n", "hook", hooks[i].name,
                         hooks[i].point, wedr_sensor_tier_text(hooks[i].tier), hooks[i].reason);
        }
        if (hooks[i].missed > 0) {
            (void)printf("limit   %-14s the kernel skipped %s %" PRIu64 " times\n", "hook",
                         hooks[i].name, hooks[i].missed);
        }
    }
}

static bool check_running(const struct wedr_msg_status *m, bool ships)
{
    bool ok = true;
    bool ebpf = strcmp(m->core.source, "replay") != 0;
    if (ebpf) {
        say(m->holder.sensor_attached, "sensor",
            !m->holder.sensor_attached            ? m->holder.health
            : strcmp(m->core.source, "proc") == 0 ? "watching without BPF: degraded"
                                                  : "attached");
        ok = m->holder.sensor_attached != 0;
    }
    if (m->core_age_ms > 5000) {
        say(false, "core",
            "the core process does not report; it is started again by itself, see log/agent.log");
        ok = false;
    }
    if (m->core.disk_full) {
        say(false, "spool",
            "the disk is full: make room; until then records wait in the rings, then count as "
            "lost");
        ok = false;
    }
    if (!m->core.disk_full && m->core.round_err != WEDR_OK) {
        char text[256];
        (void)snprintf(text, sizeof(text),
                       "the core process cannot go on (%.100s): look at the spool's folder, its "
                       "owner and its disk, and at log/agent.log",
                       wedr_err_text(m->core.round_err));
        say(false, "spool", text);
        ok = false;
    }
    if (m->core.batches_set_aside > 0) {
        say(false, "spool",
            "batches were refused for good and set aside; their records count as lost (status "
            "shows the reasons)");
        ok = false;
    }
    if (m->holder.degraded) { /* what nobody asked for above is in it, too */
        (void)printf("limit   %-14s the agent says of itself: %s\n", "health", m->holder.health);
    }
    if (m->sandbox_missing[0]) {
        (void)printf("limit   %-14s this kernel lacks %s; the other walls stand\n", "sandbox",
                     m->sandbox_missing);
    }
    if (!ships) {
        (void)printf("limit   %-14s shipping is switched off in " WEDR_CONFIG_FILE
                     "; events stay in the spool\n",
                     "server");
        return ok;
    }
    return check_server(m) && ok;
}

int wedr_doctor(const char *state_dir, bool root)
{
    static struct wedr_msg_status m;
    bool ok = true, ships = true;
    if (!root) {
        say(false, "rights", "doctor sees little without root: run it as root");
        ok = false;
    }
    bool kernel = check_kernel();
    if (!kernel && root) {
        check_stand_in();
    }
    ok = kernel && ok;
    check_hooks(state_dir);
    ok = check_config(state_dir, &ships) && ok;
    ok = check_identity(state_dir) && ok;
    int err = wedr_status_get(state_dir, &m);
    if (err == WEDR_OK) {
        if (kernel && strcmp(m.core.source, "proc") == 0) {
            say_blind();
        }
        ok = check_running(&m, ships) && ok;
    } else if (err == WEDR_E_NOENT) {
        say(false, "agent",
            "no agent runs on this folder. Do: systemctl start wazabi-edr-agent, or wedr-agent "
            "run");
        ok = false;
    } else {
        say(false, "agent", "an agent runs but does not answer; see log/agent.log");
        ok = false;
    }
    return ok ? 0 : 1;
}
